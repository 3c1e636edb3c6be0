/* Documents as tables: which column reads which path of a document, and as what. Knows libbson, no connection. */
#ifndef ENT_MONGODB_COLUMN_H
#define ENT_MONGODB_COLUMN_H
#include <bson/bson.h>

#include "arrow/builder.h"

/* What a BSON value is, as a bit, so that a column's sample is a set. */
enum ent_mongo_kind {
	ENT_MK_NULL = 1,
	ENT_MK_BOOL = 2,
	ENT_MK_INT = 4,
	ENT_MK_LONG = 8,
	ENT_MK_DOUBLE = 16,
	ENT_MK_DECIMAL = 32,
	ENT_MK_DATE = 64,
	ENT_MK_STRING = 128,
	ENT_MK_OID = 256,
	ENT_MK_UUID = 512,   /* binary of subtype 4 with 16 bytes */
	ENT_MK_BYTES = 1024, /* binary of subtype 0 */
	ENT_MK_ARRAY = 2048,
	ENT_MK_OBJECT = 4096,
	ENT_MK_TIMESTAMP = 8192,
	ENT_MK_REGEX = 16384,
	ENT_MK_OTHER = 32768
};

enum ent_mongo_form {                /* how a value becomes the column's Arrow value */
		      ENT_MF_VALUE,  /* by the column's type */
		      ENT_MF_JSON,   /* canonical extended JSON text of any value */
		      ENT_MF_OID,    /* 24 hexadecimal digits */
		      ENT_MF_UUID,   /* 8-4-4-4-12 hexadecimal digits */
		      ENT_MF_DECIMAL /* text of a decimal128 */
};

struct ent_mongo_column {
	const char *name; /* of the column; texts live in the list's arena */
	const char *path; /* dotted, in the document */
	struct ent_type type;
	enum ent_mongo_form form;
	bool nullable;
	bool key;       /* part of _id */
	bool micros;    /* a date keeps its microseconds in ENT_MONGO_MICROS */
	bool null_kept; /* NULL is written as null, not by leaving the field out */
	const char *native;
	const char *unsupported; /* NULL: a joint query may use it */
};

#define ENT_MONGO_MICROS "_entente_us" /* sub-document: column name -> microseconds (1 to 999) beyond the date's milliseconds */
#define ENT_MONGO_DEPTH_MAX 100

struct ent_mongo_columns {
	struct ent_arena *arena;
	struct ent_mongo_column *all; /* ENT_COLUMNS_MAX places */
	size_t n;
};
int ent_mongo_columns_init(struct ent_mongo_columns *c, struct ent_err *err);
void ent_mongo_columns_deinit(struct ent_mongo_columns *c); /* zeroed is fine */
/* Copies the column to the end. ENT_EUNSUPPORTED: too many, or a name that is empty or longer than 255 bytes. */
int ent_mongo_column_add(struct ent_mongo_columns *c, const struct ent_mongo_column *column, struct ent_err *err);
/* True when one of the two paths is the other or leads to it. */
bool ent_mongo_paths_meet(const char *a, const char *b);
/* The columns as a schema; copying: without "unsupported". */
int ent_mongo_schema(const struct ent_mongo_columns *c, bool copying, struct ArrowSchema *ret, struct ent_err *err);
/* Sets type, form, native and unsupported of a column from a declared type: a type's name, or objectId, uuid, json, decimal, int, long, double,
 * string, bool. ENT_EUSAGE. */
int ent_mongo_declare(struct ent_mongo_columns *c, const char *type, struct ent_mongo_column *column, struct ent_err *err);
/* The word that ent_mongo_declare takes for this column. */
void ent_mongo_declared(const struct ent_mongo_column *c, char out[ENT_TYPE_TEXT_MAX]);

enum ent_mongo_kind ent_mongo_kind_of(const bson_iter_t *at);
void ent_mongo_kinds_text(uint32_t kinds, char out[160]); /* "int|string" */

/* --- paths as a tree --- */

struct ent_mongo_node {
	const char *name;
	int column; /* -1: a document on the way */
	struct ent_mongo_node *first, *last, *next;
};
/* The tree of all columns' paths, _id first. ENT_EUSAGE names two columns that cannot both be in one document, or a name no field can have. */
int ent_mongo_tree(const struct ent_mongo_columns *c, struct ent_mongo_node **ret, struct ent_err *err);
#endif
