/* Schemas: a struct ("+s") whose children are the columns. Building ours, reading foreign ones with bounds on everything.
 *
 * Metadata of a field: "entente.native" the store's own type text; "entente.unsupported" why this column has no joint type (its format
 * is then "n", it is listed and never read). Metadata of the schema: "entente.keys", one line per key the store promises to be unique
 * and not NULL, its columns separated by tabs. */
#ifndef ENT_ARROW_SCHEMA_H
#define ENT_ARROW_SCHEMA_H
#include "arrow/own.h"
#include "arrow/type.h"

#define ENT_META_NATIVE "entente.native"
#define ENT_META_UNSUPPORTED "entente.unsupported"
#define ENT_META_KEYS "entente.keys"
#define ENT_META_STORE "entente.store" /* of a schema that read gave: the connector whose native types the fields name */
#define ENT_META_WIRE "entente.wire"   /* see ENT_READ_WIRE */
#define ENT_META_UNLOGGED \
	"entente.unlogged"                   /* of a described schema: columns, separated by tabs, that the source's log of changes does not carry \
					      */
#define ENT_META_FILLED "entente.filled"     /* of a schema of changes: columns (tabs) whose older rows may have values that no change told of */
#define ENT_META_DECLARED "entente.declared" /* of a schema of changes: its native types are declared ones, not sampled */

struct ent_field { /* texts are borrowed while the schema is built */
	const char *name;
	struct ent_type type;
	bool nullable;
	const char *native;      /* may be NULL */
	const char *unsupported; /* not NULL: no joint query may use it; type is ignored unless copied */
	bool copied;             /* with unsupported: copies read it, in type */
	const char *format;      /* a wider Arrow format of type; NULL: its own */
};

/* keys: text for "entente.keys" or NULL. The result owns copies of everything. ENT_ENOMEM. */
int ent_schema_new(const struct ent_field *fields, size_t n_fields, const char *keys, struct ArrowSchema *ret, struct ent_err *err);
/* Adds one pair to the metadata of a schema that ent_schema_new or ent_schema_dup made; a key stands once. ENT_ENOMEM. */
int ent_schema_meta_add(struct ArrowSchema *schema, const char *key, const char *value, struct ent_err *err);
/* A deep copy of any schema that ent_schema_check accepts. */
int ent_schema_dup(const struct ArrowSchema *schema, struct ArrowSchema *ret, struct ent_err *err);
/* A foreign schema: struct, at most ENT_COLUMNS_MAX named children (1 to 255 bytes of UTF-8), children present, metadata well formed. ENT_EDATA. */
int ent_schema_check(const struct ArrowSchema *schema, struct ent_err *err);

/* Same columns: names, formats, flags and metadata. Both checked. */
bool ent_schema_same(const struct ArrowSchema *a, const struct ArrowSchema *b);

struct ent_field_info {
	const char *name; /* lent by the schema */
	struct ent_type type;
	bool nullable;
	char native[160];
	char unsupported[200]; /* "" when a joint query may use it */
	bool copied;           /* copies may read it: type holds, unsupported or not */
};

/* Column i of a checked schema. A format or type without joint meaning is reported in unsupported, never an error. */
void ent_schema_field(const struct ArrowSchema *schema, size_t i, struct ent_field_info *ret);
/* -1 when there is none; bytewise, the first of equals. */
int ent_schema_find(const struct ArrowSchema *schema, const char *name);
/* Value of a metadata key, cut to what fits; false when absent. metadata may be NULL. */
bool ent_metadata_get(const char *metadata, const char *key, char *out, size_t out_size);
#endif
