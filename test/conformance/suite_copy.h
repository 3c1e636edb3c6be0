/* One suite for everything that copies: describe with copying formats, plan, read, the sink's modes and promises, changes. A store's test
 * fills struct suite_copy with what it can and what it holds otherwise, and calls suite_copy_run; parts whose capability is absent are
 * skipped by name. All tables are made by the sink itself from the suite's own batches, except the one whose changes are followed. */
#ifndef ENT_TEST_CONFORMANCE_SUITE_COPY_H
#define ENT_TEST_CONFORMANCE_SUITE_COPY_H
#include "arrow/builder.h"
#include "suite.h"

/* The matrix: a key "id" (int64, its row) and one column per type, named as here. Row by row one label; a column to which a label means nothing
 * holds its ordinary value there. Values are in the spelling of arrow/value.h; "LONG" is 1 MiB of letters x. */
enum suite_copy_label {
	SUITE_ORDINARY,
	SUITE_NULL,
	SUITE_SMALLEST,
	SUITE_LARGEST,
	SUITE_ZERO, /* -0 for floats */
	SUITE_NAN,
	SUITE_PLUS_INFINITY, /* floats, dates, timestamps */
	SUITE_MINUS_INFINITY,
	SUITE_EMPTY,
	SUITE_LONG,
	SUITE_BEYOND_BMP,
	SUITE_YEAR_1,
	SUITE_YEAR_9999,
	SUITE_LABELS
};
#define SUITE_COPY_COLUMNS 18
extern const char *const suite_copy_names[SUITE_COPY_COLUMNS];            /* "id" "c_bool" "c_int16" ... */
const char *suite_copy_value(size_t column, enum suite_copy_label label); /* NULL = NULL */

struct suite_copy_except { /* one value that the store holds otherwise */
	const char *column;
	enum suite_copy_label label;
	const char *want; /* how it reads back; NULL: refused by name (ENT_EDATA or ENT_EUNSUPPORTED, column in the text) */
};

enum suite_change { /* what suite_copy.change does, each in one transaction where the store has them; table: id bigint key, v text, n integer */
		    SUITE_CHANGE_INSERT,   /* (1, 'one', 10), (2, 'two', 20), (3, NULL, 30) */
		    SUITE_CHANGE_UPDATE,   /* v of 2 becomes 'zwei' */
		    SUITE_CHANGE_DELETE,   /* 1 goes */
		    SUITE_CHANGE_KEY,      /* id 3 becomes 30; a store that cannot: deletes 3, inserts (30, NULL, 30) */
		    SUITE_CHANGE_MANY,     /* 1000 rows (1000 + k, 'many', k), k = 1 .. 1000, in one transaction */
		    SUITE_CHANGE_ADD,      /* a new nullable column "extra" text, then (40, 'forty', 40, 'more') */
		    SUITE_CHANGE_TRUNCATE, /* all rows go at once; a store that cannot: deletes them one by one */
		    SUITE_CHANGE_LOSE      /* what the store keeps for the job goes away (slot dropped and made anew, log purged) */
};

struct suite_copy {
	const char *name;
	const struct ent_connector *connector;
	const char *url;
	const struct ent_option *options; /* of the writing session: {"access", "write"} and what else the store needs */
	size_t n_options;
	const char *prefix; /* objects are PREFIX + name: "public.", "test." */
	const struct suite_copy_except *excepts;
	size_t n_excepts;
	const char *const *left_out; /* columns of the matrix that the store refuses as a whole (map says refused) */
	size_t n_left_out;
	/* Drops a table of the suite if it is there. */
	void (*drop)(const char *object);
	/* Ends every connection of the module at the server; NULL: that part is skipped by name. */
	void (*cut)(void);
	/* Makes an empty table for changes; NULL: changes are skipped by name. */
	void (*change_table)(const char *object);
	/* Does the step; false: this store has no such thing (the part is skipped by name). */
	bool (*change)(const char *object, enum suite_change step);
	bool one_writer;          /* one session writes at a time, and a table that is made comes and goes with the transaction */
	const char *missing_text; /* part of the error after SUITE_CHANGE_LOSE; NULL: any text */
};

void suite_copy_run(const struct suite_copy *s);

struct suite_sink { /* one sink with one table, for a store's own tests */
	const struct ent_connector *c;
	struct ent_source *src;
	struct ent_sink *k;
	uint64_t epoch;
	size_t at;
};
/* Ended in any case by suite_sink_end. */
int suite_sink_begin(struct suite_sink *s, const struct ent_connector *c, const char *url, const struct ent_option *options, size_t n_options,
		     const char *job, const struct ent_target *target, struct ent_err *e);
void suite_sink_end(struct suite_sink *s);

/* For a store's own tests. The matrix (rows of all labels but those that excepts refuse) as a schema and one batch; with_keys: "id" is the key. */
int suite_copy_matrix(const struct suite_copy *s, struct ArrowSchema *ret_schema, struct ArrowArray *ret_rows, struct ent_err *e);
/* Only the row of one excepted value, which stands in it; x NULL: the matrix. */
int suite_copy_matrix_one(const struct suite_copy *s, const struct suite_copy_except *x, struct ArrowSchema *ret_schema, struct ArrowArray *ret_rows,
			  struct ent_err *e);
const char *suite_copy_want(const struct suite_copy *s, size_t column, enum suite_copy_label label); /* how it reads back; NULL = NULL */
/* Reads object and appends "value|value|...\n" per row in the order of its first column as text. */
int suite_copy_dump(const struct suite_copy *s, struct ent_source *src, const struct ent_read *what, struct ent_buf *out, struct ent_err *e);
#endif
