/* CockroachDB's changefeed: its messages as bytes (no I/O, fuzzed) and a changefeed as changes.
 *
 * A message is a row of the feed: table, key (a JSON array), value (a JSON object): {"after": {...} or null, "updated": "TIME"}; without a
 * table it is a mark {"resolved": "TIME"}: no row of an earlier time comes any more that has not come before. Rows come at least once. */
#ifndef ENT_POSTGRESQL_ROACH_H
#define ENT_POSTGRESQL_ROACH_H
#include "arrow/builder.h"

/* --- roach_json.c: values as parts of the text, so that no number is ever a double --- */
enum ent_roach_kind { ENT_ROACH_NULL, ENT_ROACH_FALSE, ENT_ROACH_TRUE, ENT_ROACH_NUMBER, ENT_ROACH_STRING, ENT_ROACH_ARRAY, ENT_ROACH_OBJECT };
struct ent_roach_value {
	enum ent_roach_kind kind;
	struct ent_bytes raw; /* with its quotes or brackets */
};
/* The whole text as one value, checked to its depths; false when it is none, or nested beyond 64. */
bool ent_roach_parse(struct ent_bytes text, struct ent_roach_value *ret);
/* Walks over the elements of a checked array or object; *at starts as {0}. Names of members come raw, NULL data for arrays. */
struct ent_roach_walk {
	size_t at;
	bool begun;
};
bool ent_roach_next(struct ent_bytes container, struct ent_roach_walk *at, struct ent_bytes *ret_name, struct ent_roach_value *ret);
/* The text of a checked string; false for a NUL or a lone surrogate. */
bool ent_roach_text(struct ent_bytes raw, struct ent_buf *out);

/* --- roach_row.c --- */
struct ent_roach_time { /* "NANOSECONDS.LOGICAL" */
	uint64_t wall;
	uint32_t logical;
};
bool ent_roach_time_parse(struct ent_bytes text, struct ent_roach_time *ret);
int ent_roach_time_order(struct ent_roach_time a, struct ent_roach_time b);

struct ent_roach_message {
	bool resolved, gone; /* gone: the row was deleted */
	struct ent_roach_time time;
	struct ent_bytes after, key; /* parts of the bytes given */
};
/* key.data NULL: a mark. ENT_EDATA. */
int ent_roach_message(struct ent_bytes key, struct ent_bytes value, struct ent_roach_message *ret, struct ent_err *err);

enum ent_roach_form { ENT_ROACH_PLAIN, ENT_ROACH_PADDED, ENT_ROACH_JSON, ENT_ROACH_DIGITS }; /* of texts: char(n); json; numbers of any length */
struct ent_roach_column {
	const char *name; /* borrowed */
	struct ent_type type;
	enum ent_roach_form form;
	bool nullable;
	int key; /* its place in the key, or -1 */
};
struct ent_roach_columns {
	const char *table; /* for errors */
	struct ent_roach_column *all;
	size_t n, n_key;
};
/* One changed row into a builder of entente.op, entente.unchanged and the columns. *ret_strange: the row has other columns than these, and
 * nothing was added. ENT_EDATA names table and column. */
int ent_roach_row(const struct ent_roach_columns *c, const struct ent_roach_message *m, struct ent_builder *b, bool *ret_strange,
		  struct ent_err *err);

/* --- pg_text.c: values as the text of the server --- */
/* Appends text as a value of the column; *ret_bad: it cannot be one. */
int ent_pg_text_put(struct ent_builder *b, size_t col, struct ent_type type, struct ent_bytes text, bool *ret_bad, struct ent_err *err);
#endif
