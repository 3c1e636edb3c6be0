/* Columns of a table in HBase, which knows bytes only: what a cell's bytes mean, where a column lives, how key columns become a row key. No
 * session, no I/O (and fuzzed).
 *
 * A type's name says how its values look: those of arrow/type.h are their canonical text (text and binary: the bytes themselves), and short, int,
 * long, float, double, bool are what HBase's own Bytes class writes: 2, 4 or 8 bytes, the highest first; bool 1 byte, ff or 00. */
#ifndef ENT_HBASE_TYPE_H
#define ENT_HBASE_TYPE_H
#include "arrow/batch.h"
#include "arrow/builder.h"
#include "entente/connector.h"

#define ENT_HB_FAMILY "f"        /* of columns whose name says none */
#define ENT_HB_MARKER "_entente" /* qualifier of the empty cell of a row that has no other */
#define ENT_HB_KEY_BYTES_MAX 32767
#define ENT_HB_KEYS_MAX 64

struct ent_hb_type {
	struct ent_type type;
	bool packed;        /* as the Bytes class has it */
	const char *reason; /* why no joint query may use it; NULL: it may */
};
bool ent_hb_type_by_name(const char *name, struct ent_hb_type *ret);
void ent_hb_type_name(const struct ent_hb_type *t, char out[ENT_TYPE_TEXT_MAX]);

struct ent_hb_column {
	char name[256];
	struct ent_hb_type t;
	bool key;
	struct ent_bytes family, qualifier; /* of a column that is no key: within name, or constants */
};
/* Name and place: "family:qualifier", or a plain name, which lives in ENT_HB_FAMILY. Sets name, family, qualifier. False: no column of HBase can
 * have it (why says so). */
bool ent_hb_column_place(struct ent_hb_column *c, const char *name, const char **ret_why);

/* A cell's bytes into column col of the builder. row: counted from 1, for errors. ENT_EDATA names row and column, never the value. */
int ent_hb_value_put(struct ent_builder *b, size_t col, const struct ent_hb_column *c, uint64_t row, struct ent_bytes value, struct ent_err *err);
/* Appends row of v as the bytes of a cell of type to. scratch: an initialised buffer. ENT_EDATA: it does not fit (reason in err's why). */
int ent_hb_value_encode(const struct ent_view *v, size_t row, const struct ent_hb_type *to, struct ent_buf *scratch, struct ent_buf *out,
			struct ent_err *err);

/* Row keys. One key column: its bytes. Several: each part's bytes with 00 written as 00 ff, all but the last followed by 00 00: no two lists of
 * parts give the same key, and keys sort as their parts do. */
void ent_hb_key_part(struct ent_buf *out, struct ent_bytes part, size_t at, size_t n);
/* The n parts of a key; several are unescaped into scratch and lent by it. False: not such a key. */
bool ent_hb_key_split(struct ent_bytes key, size_t n, struct ent_buf *scratch, struct ent_bytes *parts);

/* The key between low and high (low < high, high empty: no end) that stands at numerator/denominator of the way, at most 32 bytes; for splits. */
size_t ent_hb_key_between(struct ent_bytes low, struct ent_bytes high, unsigned numerator, unsigned denominator, uint8_t out[64]);
#endif
