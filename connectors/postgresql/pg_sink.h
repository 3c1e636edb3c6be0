/* Writing: the sink's own parts. One transaction at a time; a COPY may stay open over many batches of one table. */
#ifndef ENT_POSTGRESQL_SINK_H
#define ENT_POSTGRESQL_SINK_H
#include "arrow/gather.h"
#include "arrow/sink.h"
#include "arrow/value.h"
#include "pg.h"
#include "pg_encode.h"

#define ENT_PG_KEYS_MAX 32

struct ent_pg_dest { /* one table of a sink */
	char *object;
	char schema[64], table[64];
	char side[64];          /* replace: the table that takes the rows until sink_finish; "" otherwise */
	struct ent_buf final;   /* "schema"."table" */
	struct ent_buf goes;    /* where rows go: final or the side table, quoted */
	struct ent_buf stage;   /* "schema"."_entente_stage_..." */
	struct ent_buf columns; /* "a", "b", ... of the rows that come */
	enum ent_write_mode mode;
	struct ArrowSchema arrow; /* of the rows that come */
	struct ent_pg_put *puts;  /* per column of arrow; names lent by arrow */
	size_t n_puts;
	bool wire;            /* rows are images; puts hold the names of their columns only */
	struct ent_buf names; /* of the wire's columns */
	bool as_text;         /* COPY's text format */
	char keys[ENT_PG_KEYS_MAX][64];
	size_t n_keys;
	bool staged;              /* the stage exists in this transaction */
	bool made;                /* by this sink: the table, or the side table */
	bool key_due;             /* its table was made without the key */
	bool asked;               /* in this transaction: whether its changes may wait */
	bool ordered;             /* they may not: their order among those of other tables matters */
	struct ent_gather gather; /* changed rows that wait for more of them */
	uint64_t rows;
};

struct ent_sink {
	struct ent_source *src;
	char *job;
	uint64_t epoch;
	struct ent_buf checkpoints; /* "schema"."_entente_checkpoint" */
	struct ent_pg_dest **dests;
	size_t n_dests;
	bool open;                   /* a transaction runs */
	struct ent_pg_dest *loading; /* its COPY runs */
	bool loading_text;
	uint64_t loaded;        /* rows sent in it */
	size_t gathered;        /* changed rows that wait, of all tables */
	struct ent_buf out;     /* bytes on their way */
	struct ent_buf journal; /* CockroachDB: what the open transaction did */
	bool journal_full, ending, replaying;
};

/* --- pg_sink.c --- */
int ent_pg_sink_begin(struct ent_sink *k, struct ent_err *err);
/* One statement of the sink; ends a running COPY first. */
int ent_pg_sink_run(struct ent_sink *k, const char *sql, const char *what, struct ent_err *err);
int ent_pg_checkpoint_put(struct ent_sink *k, const struct ent_sink_checkpoint *c, struct ent_err *err);
int ent_pg_checkpoint_drop(struct ent_sink *k, const char *part, struct ent_err *err);

/* --- pg_key.c --- */
/* create: the statement that makes the table of d without its key. */
int ent_pg_key_later(struct ent_sink *k, struct ent_pg_dest *d, const char *create, struct ent_err *err);
int ent_pg_key_ask(struct ent_sink *k, struct ent_pg_dest *d, struct ent_err *err); /* sets d->key_due */
/* Adds the key to table (quoted) if it is due. ENT_EDATA: two rows have the same. */
int ent_pg_key_add(struct ent_sink *k, struct ent_pg_dest *d, const struct ent_buf *table, struct ent_err *err);

int ent_pg_key_forget(struct ent_sink *k, struct ent_pg_dest *d, struct ent_err *err); /* its table goes */

/* --- pg_again.c: transactions that CockroachDB wants repeated --- */
/* One statement of the sink; is repeated with all before it when that is wanted, unless the transaction is at its end (k->ending). */
int ent_pg_sink_exec(struct ent_sink *k, const char *sql, const char *const *params, size_t n, PGresult **ret, const char *what, struct ent_err *err);
void ent_pg_journal_reset(struct ent_sink *k);
void ent_pg_journal_copy(struct ent_sink *k, const char *sql);
void ent_pg_journal_data(struct ent_sink *k, struct ent_bytes data);
void ent_pg_journal_end(struct ent_sink *k);
bool ent_pg_again_wanted(const struct ent_sink *k, const struct ent_err *e);
/* A new transaction that did all that was kept; err holds why, and why not. */
int ent_pg_again(struct ent_sink *k, struct ent_err *err);

/* --- pg_target.c --- */
int ent_pg_map(struct ent_source *s, const struct ent_target *target, struct ent_map_line *lines, int *ret_exists, struct ent_err *err);
int ent_pg_sink_table(struct ent_sink *k, const struct ent_target *target, size_t *ret_index, struct ent_err *err);
/* The puts of a schema's columns from first on, against the table where rows go. */
int ent_pg_dest_puts(struct ent_sink *k, struct ent_pg_dest *d, const struct ArrowSchema *schema, size_t first, struct ent_pg_put *puts,
		     bool *ret_text, struct ent_err *err);
void ent_pg_dest_free(struct ent_pg_dest *d);
int ent_pg_sink_alter(struct ent_sink *k, size_t index, const struct ArrowSchema *new_schema, struct ent_err *err);

/* --- pg_load.c --- */
/* Begins COPY into table (quoted) unless it runs; columns: quoted list. */
int ent_pg_load_begin(struct ent_sink *k, struct ent_pg_dest *d, const char *table, const char *columns, bool as_text, struct ent_err *err);
int ent_pg_load_flush(struct ent_sink *k, size_t leave, struct ent_err *err); /* sends when more than leave bytes wait */
int ent_pg_load_end(struct ent_sink *k, struct ent_err *err);
int ent_pg_sink_rows(struct ent_sink *k, size_t index, const struct ArrowArray *rows, struct ent_err *err);
/* The stage with the columns of the table where rows go; empty. */
int ent_pg_stage_open(struct ent_sink *k, struct ent_pg_dest *d, struct ent_err *err);
int ent_pg_stages_drop(struct ent_sink *k, struct ent_err *err);
/* INSERT of the stage's rows that replaces rows of the same key; of several the last counts. */
int ent_pg_stage_upsert(struct ent_sink *k, struct ent_pg_dest *d, const struct ent_pg_put *puts, size_t n_puts, const char *columns,
			struct ent_err *err);
void ent_pg_conflict_put(const struct ent_pg_dest *d, const struct ent_pg_put *puts, size_t n_puts, struct ent_buf *sql);

/* --- pg_apply.c, pg_gather.c --- */
/* Applies changed rows now. */
int ent_pg_changes_apply(struct ent_sink *k, struct ent_pg_dest *d, const struct ArrowSchema *schema, const struct ArrowArray *rows,
			 struct ent_err *err);
int ent_pg_sink_changes(struct ent_sink *k, size_t index, const struct ArrowSchema *schema, const struct ArrowArray *rows, struct ent_err *err);
/* Applies the changed rows that wait: before anything else is done to the tables, and before the transaction ends. */
int ent_pg_gathers_apply(struct ent_sink *k, struct ent_err *err);
void ent_pg_gathers_drop(struct ent_sink *k);
/* Rows by key, one after the other (CockroachDB has no stage). */
int ent_pg_rows_upsert(struct ent_sink *k, struct ent_pg_dest *d, const struct ArrowArray *rows, struct ent_err *err);
int ent_pg_sink_truncate(struct ent_sink *k, size_t index, struct ent_err *err);

/* --- the rest of the connector's table, pg_sink.c --- */
int ent_pg_sink_open(struct ent_source *s, const char *job, uint64_t *epoch, struct ent_sink **ret, struct ent_err *err);
int ent_pg_sink_commit(struct ent_sink *k, const struct ent_sink_checkpoint *checkpoint, struct ent_err *err);
int ent_pg_sink_rollback(struct ent_sink *k, struct ent_err *err);
int ent_pg_sink_last(struct ent_sink *k, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err);
int ent_pg_sink_finish(struct ent_sink *k, int forget, struct ent_err *err);
void ent_pg_sink_close(struct ent_sink *k);
int ent_pg_sink_prepare(struct ent_sink *k, const char *name, const struct ent_sink_checkpoint *checkpoint, struct ent_err *err);
int ent_pg_two_phase(struct ent_source *s, struct ent_err *err);
int ent_pg_sink_undo(struct ent_sink *k, struct ent_err *err);
int ent_pg_settle(struct ent_source *s, const char *name, int commit, struct ent_err *err);
int ent_pg_in_doubt(struct ent_source *s, const char *prefix, int (*take)(void *arg, const char *name), void *arg, struct ent_err *err);
#endif
