/* The HBase connector's own parts: where and how to connect, one call after the other, tables, streams, the sink, changes by polling. */
#ifndef ENT_HBASE_HB_H
#define ENT_HBASE_HB_H
#include "arrow/stream.h"
#include "dial/address.h"
#include "dial/dial.h"
#include "entente/connector.h"
#include "hb_message.h"
#include "hb_type.h"

#define ENT_HB_CHECKPOINTS "_entente_checkpoint" /* table: see hb_mark.c */
#define ENT_HB_SCHEMAS "_entente_schema"         /* table: the columns of tables that a copy made */
#define ENT_HB_ROW "row"                         /* the key column of tables that nobody declared */

/* --- hb_url.c: no I/O --- */
struct ent_hb_settings {
	struct ent_address at;
	char ns[64]; /* namespace */
	bool tls, named;
	char ca_file[512], schema_file[512];
	bool write;      /* option access=write */
	uint32_t lag_ms; /* how far behind the clock polling stays */
};
int ent_hb_settings_make(const char *url, const struct ent_option *options, size_t n_options, struct ent_hb_settings *ret, struct ent_err *err);

/* --- hb_session.c: one call at a time --- */
struct ent_hb_table;
struct ent_source {
	struct ent_host host;
	struct ent_hb_settings settings;
	struct ent_dial *link;
	struct ent_thrift_parser parser;
	struct ent_buf request, reply; /* of the call that is under way, or was */
	size_t sent;                   /* of request */
	char method[40];
	int32_t sequence;
	bool pending; /* a call was sent, and nobody waited for its answer yet */
	bool again;   /* it may be sent once more after a lost connection */
	struct ent_hb_table *tables;
	bool busy; /* a stream holds the connection */
	uint8_t inbox[65536];
};

int ent_hb_connect(struct ent_source *s, struct ent_err *err); /* anew, when there was a connection */
void ent_hb_disconnect(struct ent_source *s);
/* Opens a call in s->request, whose arguments the caller then writes; an answer nobody waited for is dropped. */
struct ent_buf *ent_hb_ask(struct ent_source *s, const char *method);
/* Closes and sends it; again: it may go out twice. */
int ent_hb_send(struct ent_source *s, bool again, struct ent_err *err);
/* Waits for the answer, lent until the next one. A failure of the server is filled into err with what. */
int ent_hb_wait(struct ent_source *s, const char *what, struct ent_hb_answer *ret, struct ent_err *err);
/* All three at once for a call that may go out twice; ret may be NULL. */
int ent_hb_call(struct ent_source *s, const char *what, struct ent_hb_answer *ret, struct ent_err *err);
bool ent_hb_cancelled(const struct ent_source *s);
int64_t ent_hb_now_ms(void); /* since 1970 */

/* --- hb_table.c --- */
struct ent_hb_table {
	struct ent_hb_table *next;
	char *object;
	char ns[64], name[200], full[272]; /* full: ns:name */
	struct ent_hb_column *columns;
	size_t n, max;
	size_t keys[ENT_HB_KEYS_MAX]; /* columns of the row key, in its order */
	size_t n_keys;
	char families[64][64];
	size_t n_families;
	bool kept;  /* a copy made it, and kept its columns */
	bool empty; /* not kept: no row was found */
	bool fixed; /* --schema says types only, and adds no column */
};
int ent_hb_object(const struct ent_source *s, const char *object, char ns[64], char name[200], struct ent_err *err);
int ent_hb_exists(struct ent_source *s, const char *ns, const char *name, bool *ret, struct ent_err *err);
/* Kept columns, else a sample; then what --schema declares. Lent until forgotten. ENT_ENOTFOUND. */
int ent_hb_table_get(struct ent_source *s, const char *object, struct ent_hb_table **ret, struct ent_err *err);
void ent_hb_tables_forget(struct ent_source *s);
int ent_hb_table_schema(const struct ent_hb_table *t, struct ArrowSchema *ret, struct ent_err *err);
/* The column's index, or -1. */
int ent_hb_column_find(const struct ent_hb_table *t, const char *name);
int ent_hb_column_at(const struct ent_hb_table *t, struct ent_bytes family, struct ent_bytes qualifier);
/* A table that is not there yet; the caller frees it. */
int ent_hb_table_new(struct ent_source *s, const char *object, struct ent_hb_table **ret, struct ent_err *err);
void ent_hb_table_free(struct ent_hb_table *t); /* NULL is fine */
int ent_hb_key_add(struct ent_hb_table *t, size_t column, struct ent_err *err);
int ent_hb_declared(const struct ent_source *s, struct ent_hb_table *t, struct ent_err *err); /* applies --schema */
int ent_hb_column_add(struct ent_hb_table *t, const char *name, const struct ent_hb_type *type, struct ent_err *err);
/* Keeps the columns for later readers. */
int ent_hb_columns_keep(struct ent_source *s, const struct ent_hb_table *t, struct ent_err *err);
/* Makes a table of ours with these families where it lacks. */
int ent_hb_table_make(struct ent_source *s, const char *ns, const char *name, const struct ent_bytes *families, size_t n, struct ent_err *err);
static inline struct ent_bytes ent_hb_full(const struct ent_hb_table *t) { return ent_bytes_str(t->full); }
static inline bool ent_hb_is_marker(const struct ent_hb_cell *c) { return ent_bytes_eq(c->qualifier, ent_bytes_str(ENT_HB_MARKER)); }

/* --- hb_row.c: rows of HBase into batches --- */
struct ent_hb_reader {
	const struct ent_hb_table *table; /* borrowed */
	struct ArrowSchema schema;
	struct ent_builder *builder;
	size_t first;           /* columns of the builder before ours */
	int *places;            /* per column of the table: its column of the builder, or -1 */
	size_t *taken;          /* columns of the table, in the builder's order */
	size_t *order, n_order; /* columns that are no key, as cells come */
	size_t n_taken;
	bool strict;              /* a cell that no column reads is an error: a copy would lose it */
	struct ent_bytes *values; /* of the row being read; data NULL: none */
	struct ent_buf scratch;
	uint64_t rows;
};
void ent_hb_reader_deinit(struct ent_hb_reader *r); /* zeroed is fine */
/* columns NULL: all. before: fields that stand first (filled by the caller, row by row). copy: native types and keys. */
struct ent_hb_reading {
	const char *const *columns;
	size_t n_columns;
	const struct ent_field *before;
	size_t n_before;
	bool copy, all_nullable;
};
int ent_hb_reader_init(struct ent_hb_reader *r, const struct ent_hb_table *t, const struct ent_hb_reading *how, struct ent_err *err);
/* ENT_EDATA names row and column. *ret_unknown (may be NULL): a cell no column reads, instead of the error. */
int ent_hb_reader_row(struct ent_hb_reader *r, struct ent_hb_row *row, struct ent_hb_cell *ret_unknown, struct ent_err *err);
int ent_hb_reader_key(struct ent_hb_reader *r, struct ent_bytes key, struct ent_err *err); /* the key columns; all others NULL */

/* --- hb_scan.c, hb_plan.c --- */
struct ent_hb_scan {
	const char *const *columns;
	size_t n_columns;
	const char *where, *split;
	bool copy;
};
int ent_hb_scan(struct ent_source *s, const char *object, const struct ent_hb_scan *what, struct ArrowArrayStream *ret, struct ent_err *err);
int ent_hb_plan(struct ent_source *s, const char *object, uint64_t rows_per_split, int (*take)(void *arg, const char *split, int64_t rows), void *arg,
		struct ent_err *err);
/* Rows of one bounded scan at once; lent like an answer. */
int ent_hb_scan_some(struct ent_source *s, const char *full, const struct ent_hb_scan_spec *spec, int32_t rows, const char *what,
		     struct ent_hb_rows *ret, struct ent_err *err);

/* A scan over any number of pages, opened again behind the last row after a loss. */
struct ent_hb_cursor {
	struct ent_source *s;
	const struct ent_hb_table *table;
	struct ent_hb_scan_spec spec;
	struct ent_buf start, stop, page; /* start: where to go on; page: the reply whose rows are taken */
	struct ent_hb_rows rows;
	int32_t id, page_rows;
	int32_t sequence; /* of the call that asked for a page */
	bool open, asked, over;
	bool ahead; /* asks for the next page before this one is taken: nobody else may call meanwhile */
	unsigned lost;
};
void ent_hb_cursor_begin(struct ent_hb_cursor *c, struct ent_source *s, const struct ent_hb_table *t, const struct ent_hb_scan_spec *spec);
/* The next row, lent until the next call; key.len 0 at the end. */
int ent_hb_cursor_next(struct ent_hb_cursor *c, struct ent_hb_row *ret, struct ent_err *err);
void ent_hb_cursor_end(struct ent_hb_cursor *c); /* zeroed is fine */

/* --- hb_target.c: what a table of a sink would be --- */
int ent_hb_map(struct ent_source *s, const struct ent_target *target, struct ent_map_line *lines, int *ret_exists, struct ent_err *err);
/* Makes namespace and table where they lack, empties the table where the mode says so. fresh: nothing stands in it. */
int ent_hb_target_ready(struct ent_source *s, const struct ent_target *target, struct ent_hb_table **ret, bool *ret_fresh, struct ent_err *err);
int ent_hb_namespace_make(struct ent_source *s, const char *ns, struct ent_err *err);
int ent_hb_target_empty(struct ent_source *s, const struct ent_hb_table *t, struct ent_err *err);
/* New columns, and types that hold more; kept. */
int ent_hb_target_alter(struct ent_source *s, struct ent_hb_table *t, const struct ArrowSchema *schema, struct ent_err *err);

/* --- hb_sink.c, hb_mark.c --- */
int ent_hb_sink_open(struct ent_source *s, const char *job, uint64_t *epoch, struct ent_sink **ret, struct ent_err *err);
int ent_hb_sink_table(struct ent_sink *k, const struct ent_target *target, size_t *ret_index, struct ent_err *err);
int ent_hb_sink_rows(struct ent_sink *k, size_t index, const struct ArrowArray *rows, struct ent_err *err);
int ent_hb_sink_changes(struct ent_sink *k, size_t index, const struct ArrowSchema *schema, const struct ArrowArray *rows, struct ent_err *err);
int ent_hb_sink_truncate(struct ent_sink *k, size_t index, struct ent_err *err);
int ent_hb_sink_commit(struct ent_sink *k, const struct ent_sink_checkpoint *checkpoint, struct ent_err *err);
int ent_hb_sink_rollback(struct ent_sink *k, struct ent_err *err);
int ent_hb_sink_last(struct ent_sink *k, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err);
int ent_hb_sink_finish(struct ent_sink *k, int forget, struct ent_err *err);
int ent_hb_sink_alter(struct ent_sink *k, size_t index, const struct ArrowSchema *schema, struct ent_err *err);
void ent_hb_sink_close(struct ent_sink *k);

struct ent_hb_mark { /* the job's row of the checkpoint table: which run may write, and the timestamps of its rows */
	struct ent_source *s;
	char full[272]; /* the table */
	char job[200];
	uint64_t epoch;
	int64_t time_ms; /* of the last rows written: those of the next ones are later */
};
int ent_hb_mark_take(struct ent_hb_mark *m, const char *ns, uint64_t *epoch, struct ent_err *err);
int ent_hb_mark_commit(struct ent_hb_mark *m, const struct ent_sink_checkpoint *c, struct ent_err *err); /* c NULL: the check alone */
int ent_hb_mark_last(struct ent_hb_mark *m, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err);
int ent_hb_mark_forget(struct ent_hb_mark *m, struct ent_err *err);

/* --- hb_changes.c --- */
int ent_hb_changes_open(struct ent_source *s, const struct ent_changes_spec *spec, struct ent_changes **ret, struct ent_err *err);
int ent_hb_changes_next(struct ent_changes *c, uint32_t timeout_ms, struct ent_event *ret, struct ent_err *err);
int ent_hb_changes_ack(struct ent_changes *c, const char *cursor, struct ent_err *err);
void ent_hb_changes_close(struct ent_changes *c);
int ent_hb_changes_drop(struct ent_source *s, const char *job, struct ent_err *err);
int ent_hb_position(struct ent_source *s, char ret[400], struct ent_err *err);
int ent_hb_position_reached(const char *a, const char *b);
#endif
