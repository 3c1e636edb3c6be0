/* PostgreSQL's binary values and the COPY BINARY stream: bytes in, builder values out; knows nothing of connections (and is fuzzed). */
#ifndef ENT_POSTGRESQL_WIRE_H
#define ENT_POSTGRESQL_WIRE_H
#include "arrow/builder.h"

enum ent_pg_kind { /* how a value looks on the wire */
		   ENT_PG_BOOL,
		   ENT_PG_INT2,
		   ENT_PG_INT4,
		   ENT_PG_INT8,
		   ENT_PG_FLOAT4,
		   ENT_PG_FLOAT8,
		   ENT_PG_NUMERIC,
		   ENT_PG_DATE,
		   ENT_PG_TIMESTAMP, /* with and without zone */
		   ENT_PG_TEXT,
		   ENT_PG_TIME,
		   ENT_PG_BYTES
};

#define ENT_PG_DAYS_2000 10957 /* 2000-01-01 in days since 1970-01-01 */
#define ENT_PG_US_2000 ((int64_t)ENT_PG_DAYS_2000 * 86400000000)

/* Types of the catalogue that have an own binary form here. */
enum ent_pg_oid {
	ENT_PG_OID_BOOL = 16,
	ENT_PG_OID_BYTEA = 17,
	ENT_PG_OID_NAME = 19,
	ENT_PG_OID_INT8 = 20,
	ENT_PG_OID_INT2 = 21,
	ENT_PG_OID_INT4 = 23,
	ENT_PG_OID_TEXT = 25,
	ENT_PG_OID_JSON = 114,
	ENT_PG_OID_FLOAT4 = 700,
	ENT_PG_OID_FLOAT8 = 701,
	ENT_PG_OID_BPCHAR = 1042,
	ENT_PG_OID_VARCHAR = 1043,
	ENT_PG_OID_DATE = 1082,
	ENT_PG_OID_TIME = 1083,
	ENT_PG_OID_TIMESTAMP = 1114,
	ENT_PG_OID_TIMESTAMPTZ = 1184,
	ENT_PG_OID_NUMERIC = 1700,
	ENT_PG_OID_UUID = 2950,
	ENT_PG_OID_JSONB = 3802
};

struct ent_pg_column {
	const char *name; /* borrowed */
	enum ent_pg_kind kind;
	bool infinite; /* infinite dates and timestamps become the type's largest and smallest number (copies); else they are ENT_EDATA */
};

/* One value into column col of the builder; data == NULL for NULL. row: counted from 1, for errors. ENT_EDATA: malformed, infinite, NaN where
 * no type can hold it, beyond the declared precision. */
int ent_pg_value_put(struct ent_builder *b, size_t col, const struct ent_pg_column *c, uint64_t row, const uint8_t *data, size_t len,
		     struct ent_err *err);

/* COPY ... TO STDOUT (FORMAT binary), in pieces of any size. */
struct ent_pg_copy {
	const struct ent_pg_column *columns; /* borrowed */
	size_t n_columns;
	struct ent_buf rest; /* an unfinished row */
	bool header, done;
	uint64_t rows;
};
void ent_pg_copy_init(struct ent_pg_copy *p, const struct ent_pg_column *columns, size_t n_columns);
void ent_pg_copy_deinit(struct ent_pg_copy *p);
/* One row (n_columns values with their lengths) that is known to be whole: the message is exactly one tuple. ENT_EDATA otherwise. */
int ent_pg_tuple_check(struct ent_bytes tuple, size_t n_columns, struct ent_err *err);
/* Bytes of the header at the start of a COPY stream, 0 when it is not whole yet; ENT_EDATA. */
int ent_pg_copy_header(struct ent_bytes bytes, size_t *ret, struct ent_err *err);
/* Appends every complete row to b (the caller finishes batches between calls). After the trailer done is true and more bytes are ENT_EDATA. */
int ent_pg_copy_feed(struct ent_pg_copy *p, struct ent_bytes bytes, struct ent_builder *b, struct ent_err *err);
#endif
