/* What the files of this connector share: the open database and its calls. */
#ifndef ENT_SQLITE_INNER_H
#define ENT_SQLITE_INNER_H
#include <sqlite3.h>

#include "arrow/stream.h"
#include "entente/connector.h"

struct ent_source {
	struct ent_host host;
	sqlite3 *db;
	char *path;
	bool writable, stopped, late;
	uint64_t begin_ms; /* of the current call */
};

static inline void ent_sqlite_statement_freep(sqlite3_stmt **s) { sqlite3_finalize(*s); }
#define STATEMENT_AUTO ENT_CLEANUP(ent_sqlite_statement_freep) sqlite3_stmt *

void ent_sqlite_call_begin(struct ent_source *s);                                   /* each call into SQLite starts its own time */
bool ent_sqlite_stopped(struct ent_source *s);                                      /* cancelled or late, by now */
int ent_sqlite_failed(struct ent_source *s, const char *what, struct ent_err *err); /* SQLite's last error as ours; returns the code */
int ent_sqlite_prepare(struct ent_source *s, const char *sql, const char *object /* ?1, or NULL */, sqlite3_stmt **ret, struct ent_err *err);
int ent_sqlite_run(struct ent_source *s, const char *sql, const char *what, struct ent_err *err); /* statements without rows */
void ent_sqlite_name(struct ent_buf *out, const char *name);                                      /* quoted */

/* The columns and keys of a table; ENT_ENOTFOUND. */
int ent_sqlite_schema(struct ent_source *s, const char *object, struct ArrowSchema *ret, struct ent_err *err);

/* sqlite_read.c */
int ent_sqlite_scan(struct ent_source *s, const char *object, const char *const *columns, size_t n_columns, struct ArrowArrayStream *ret,
		    struct ent_err *err);
int ent_sqlite_plan(struct ent_source *s, const char *object, uint64_t rows, int (*take)(void *arg, const char *split, int64_t rows), void *arg,
		    struct ent_err *err);
int ent_sqlite_read(struct ent_source *s, const struct ent_read *what, struct ArrowArrayStream *ret, struct ent_err *err);

/* sqlite_sink.c */
int ent_sqlite_map(struct ent_source *s, const struct ent_target *target, struct ent_map_line *lines, int *ret_exists, struct ent_err *err);
int ent_sqlite_sink_open(struct ent_source *s, const char *job, uint64_t *epoch, struct ent_sink **ret, struct ent_err *err);
int ent_sqlite_sink_table(struct ent_sink *k, const struct ent_target *target, size_t *ret_index, struct ent_err *err);
int ent_sqlite_sink_rows(struct ent_sink *k, size_t index, const struct ArrowArray *rows, struct ent_err *err);
int ent_sqlite_sink_changes(struct ent_sink *k, size_t index, const struct ArrowSchema *schema, const struct ArrowArray *rows, struct ent_err *err);
int ent_sqlite_sink_truncate(struct ent_sink *k, size_t index, struct ent_err *err);
int ent_sqlite_sink_commit(struct ent_sink *k, const struct ent_sink_checkpoint *c, struct ent_err *err);
int ent_sqlite_sink_rollback(struct ent_sink *k, struct ent_err *err);
int ent_sqlite_sink_last(struct ent_sink *k, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err);
int ent_sqlite_sink_finish(struct ent_sink *k, int forget, struct ent_err *err);
int ent_sqlite_sink_alter(struct ent_sink *k, size_t index, const struct ArrowSchema *schema, struct ent_err *err);
void ent_sqlite_sink_close(struct ent_sink *k);

/* sqlite_log.c */
int ent_sqlite_changes_open(struct ent_source *s, const struct ent_changes_spec *spec, struct ent_changes **ret, struct ent_err *err);
int ent_sqlite_changes_next(struct ent_changes *c, uint32_t timeout_ms, struct ent_event *ret, struct ent_err *err);
int ent_sqlite_changes_ack(struct ent_changes *c, const char *cursor, struct ent_err *err);
void ent_sqlite_changes_close(struct ent_changes *c);
int ent_sqlite_changes_drop(struct ent_source *s, const char *job, struct ent_err *err);
int ent_sqlite_position(struct ent_source *s, char ret[400], struct ent_err *err);
int ent_sqlite_position_reached(const char *a, const char *b);
#endif
