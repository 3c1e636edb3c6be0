/* The sink's inner parts: sessions, tables, values. */
#ifndef ENT_MYSQL_MY_SINK_H
#define ENT_MYSQL_MY_SINK_H
#include "arrow/fit.h"
#include "arrow/sink.h"
#include "my.h"

struct ent_my_put { /* one column of a copy and the target's column it goes to */
	const char *name;
	struct ent_my_type type;
	char native[160];
	bool key, utf8, pads; /* utf8: a text column in utf8mb4; pads: blanks at the end of a key do not count */
};

struct ent_my_into { /* one table of a sink */
	char *object;
	char relation[300], real[300], old[300]; /* the table, the one that rows go to (a side table for replace), and where the former one waits */
	enum ent_write_mode mode;
	struct ArrowSchema schema;
	struct ent_my_put *puts;
	size_t n, n_keys;
	struct ent_buf names; /* "`a`, `b`" */
	struct ent_buf load;  /* LOAD DATA statement */
	bool binary;          /* LOAD DATA takes raw bytes */
	bool upserts;         /* its key may be used to upsert by */
	bool made;            /* real is a table that this sink made */
	bool gone;            /* replace: the side table has changed over already */
	bool dirty;           /* rows in the open transaction */
	uint64_t rows;        /* that came so far, for the numbers in errors */
};

struct ent_sink {
	struct ent_source *source;
	MYSQL *con;  /* rows, in an XA transaction from the first row on */
	MYSQL *side; /* DDL and bookkeeping: they commit at once, here nothing of con's transaction */
	char job[200], xid[48], database[65];
	uint64_t epoch, row_base; /* row_base: rows before the batch at work */
	bool begun, infile, no_minus_zero;
	struct ent_my_into *tables;
	size_t n_tables;
	struct ent_buf page, scratch;
	size_t packet_max;
};

/* --- my_value.c --- */
enum ent_my_form { ENT_MY_FORM_LOAD, ENT_MY_FORM_SQL };
/* One value as LOAD DATA or a statement has it. ENT_EDATA names column, row (row_base included) and value. */
int ent_my_value_put(const struct ent_sink *k, const struct ent_my_put *p, const struct ent_view *v, size_t row, enum ent_my_form form, bool binary,
		     struct ent_buf *scratch, struct ent_buf *out, struct ent_err *err);

/* --- my_target.c --- */
int ent_my_map(struct ent_source *s, const struct ent_target *target, struct ent_map_line *lines, int *ret_exists, struct ent_err *err);
/* Fills into; creates what the mode asks for. */
int ent_my_into_init(struct ent_sink *k, struct ent_my_into *t, const struct ent_target *target, struct ent_err *err);
void ent_my_into_deinit(struct ent_my_into *t);
/* The native type of a column to be made. */
void ent_my_native(const struct ent_source *s, const struct ent_field_info *f, bool same_store, bool key, size_t n_text_keys, size_t n_keys,
		   char ret[160]);
int ent_my_exists(const struct ent_sink *k, const char *relation, bool *ret, struct ent_err *err);

/* --- my_rows.c --- */
int ent_my_sink_begin(struct ent_sink *k, struct ent_err *err);
int ent_my_sink_rows(struct ent_sink *k, size_t index, const struct ArrowArray *rows, struct ent_err *err);
int ent_my_sink_changes(struct ent_sink *k, size_t index, const struct ArrowSchema *schema, const struct ArrowArray *rows, struct ent_err *err);
int ent_my_sink_truncate(struct ent_sink *k, size_t index, struct ent_err *err);

/* --- my_sink.c --- */
int ent_my_marked(struct ent_sink *k, const struct ent_my_into *t, bool *ret, struct ent_err *err); /* the table has changed over */
int ent_my_sink_open(struct ent_source *s, const char *job, uint64_t *epoch, struct ent_sink **ret, struct ent_err *err);
int ent_my_sink_table(struct ent_sink *k, const struct ent_target *target, size_t *ret_index, struct ent_err *err);
int ent_my_sink_commit(struct ent_sink *k, const struct ent_sink_checkpoint *c, struct ent_err *err);
int ent_my_sink_rollback(struct ent_sink *k, struct ent_err *err);
int ent_my_sink_last(struct ent_sink *k, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err);
int ent_my_sink_finish(struct ent_sink *k, int forget, struct ent_err *err);
void ent_my_sink_close(struct ent_sink *k);
int ent_my_sink_prepare(struct ent_sink *k, const char *name, const struct ent_sink_checkpoint *c, struct ent_err *err);
/* Drops what was made, if it is empty. */
int ent_my_sink_undo(struct ent_sink *k, struct ent_err *err);
int ent_my_settle(struct ent_source *s, const char *name, int commit, struct ent_err *err);
int ent_my_in_doubt(struct ent_source *s, const char *prefix, int (*take)(void *arg, const char *name), void *arg, struct ent_err *err);
int ent_my_sink_alter(struct ent_sink *k, size_t index, const struct ArrowSchema *new_schema, struct ent_err *err);
#endif
