/* Cassandra's types and values: names from its catalogue, bytes of its protocol. No session, no I/O (and fuzzed). */
#ifndef ENT_CASSANDRA_TYPE_H
#define ENT_CASSANDRA_TYPE_H
#include "arrow/batch.h"
#include "arrow/builder.h"
#include "entente/connector.h"

enum ent_cass_kind { /* how a value looks on the wire */
		     ENT_CASS_ASCII,
		     ENT_CASS_TEXT,
		     ENT_CASS_BOOLEAN,
		     ENT_CASS_TINYINT,
		     ENT_CASS_SMALLINT,
		     ENT_CASS_INT,
		     ENT_CASS_BIGINT,
		     ENT_CASS_COUNTER, /* read like bigint, never written */
		     ENT_CASS_VARINT,
		     ENT_CASS_DECIMAL,
		     ENT_CASS_FLOAT,
		     ENT_CASS_DOUBLE,
		     ENT_CASS_TIMESTAMP, /* milliseconds */
		     ENT_CASS_DATE,
		     ENT_CASS_TIME, /* nanoseconds */
		     ENT_CASS_UUID,
		     ENT_CASS_INET,
		     ENT_CASS_BLOB,
		     ENT_CASS_DURATION,
		     ENT_CASS_JSON, /* collections, tuples, user types, vectors: toJson and fromJson at the server */
		     ENT_CASS_CUSTOM
};

struct ent_cass_type {
	enum ent_cass_kind kind;
	struct ent_type type; /* what it is read as */
	const char *reason;   /* why no joint query may use it; NULL: it may */
	bool copied;          /* copies may read it */
};
/* name: as system_schema.columns spells it. Always fills *ret. */
void ent_cass_type_of(const char *name, struct ent_cass_type *ret);

struct ent_cass_column {
	const char *name; /* borrowed */
	enum ent_cass_kind kind;
};
/* One value into column col of the builder; value.data NULL for NULL. row: counted from 1, for errors. ENT_EDATA names row and column: malformed,
 * infinite where no type holds it, finer than microseconds, beyond the declared precision. */
int ent_cass_value_put(struct ent_builder *b, size_t col, const struct ent_cass_column *c, uint64_t row, struct ent_bytes value, struct ent_err *err);

/* What becomes of a source's column in a column of kind. */
enum ent_map_verdict ent_cass_fit(struct ent_type source, const char *source_native, enum ent_cass_kind kind, char why[200]);
/* The CQL type of a column made for such a source column. */
void ent_cass_type_for(struct ent_type source, const char *source_native, char out[160]);
/* Appends row of v as a [value] for a column of kind. cut: a timestamp may lose what is finer than a millisecond. ENT_EDATA: it does not fit
 * (reason in err's why). */
int ent_cass_value_encode(const struct ent_view *v, size_t row, enum ent_cass_kind kind, bool cut, struct ent_buf *out, struct ent_err *err);

/* Integers of any length: two's complement, big endian, to decimal digits and back. False beyond ENT_CASS_DIGITS_MAX digits. */
#define ENT_CASS_DIGITS_MAX 1000
#define ENT_CASS_BYTES_MAX 420
bool ent_cass_big_text(struct ent_bytes value, char out[ENT_CASS_DIGITS_MAX + 2]);
bool ent_cass_big_parse(const char *digits, size_t n, bool negative, struct ent_buf *out);

/* --- cass_lz4.c: bodies of frames --- */
/* max: what it may hold at most. ENT_EPEER: it is no block, or holds another number of bytes than it says. */
int ent_cass_unpack(struct ent_bytes body, size_t max, struct ent_buf *out, struct ent_err *err);
int ent_cass_pack(struct ent_bytes body, struct ent_buf *out, struct ent_err *err); /* appends */
#endif
