/* Following changes: a logical slot and a publication per job, messages of pgoutput into events. */
#ifndef ENT_POSTGRESQL_CHANGES_H
#define ENT_POSTGRESQL_CHANGES_H
#include "pg.h"
#include "pgoutput.h"

struct ent_pg_follow_column {
	char *name, *native;
	uint32_t oid; /* as the log says it, before domains */
	int32_t modifier;
	struct ent_type type;
	bool padded; /* char(n): its blanks are no part of the text */
	bool key;
};

struct ent_pg_follow { /* one followed table */
	char *object;
	char schema[64], table[64];
	uint32_t relation;
	struct ent_pg_follow_column *columns;
	size_t n_columns;
	struct ArrowSchema arrow; /* entente.op, entente.unchanged, columns */
	struct ent_builder *builder;
};

/* --- pg_change_rows.c --- */
void ent_pg_follow_deinit(struct ent_pg_follow *t);
/* The table as a RELATION message describes it. *ret_changed: other than before (or the first time). */
int ent_pg_follow_relation(struct ent_source *s, struct ent_pg_follow *t, const struct ent_pgout_msg *m, bool *ret_changed, struct ent_err *err);
/* The message has the same columns as the table. */
bool ent_pg_follow_same(const struct ent_pg_follow *t, const struct ent_pgout_msg *m);
/* Adds the row or rows of INSERT, UPDATE, DELETE. */
int ent_pg_follow_row(struct ent_pg_follow *t, const struct ent_pgout_msg *m, struct ent_err *err);

/* --- pg_changes.c --- */
int ent_pg_changes_open(struct ent_source *s, const struct ent_changes_spec *spec, struct ent_changes **ret, struct ent_err *err);
int ent_pg_changes_next(struct ent_changes *c, uint32_t timeout_ms, struct ent_event *ret, struct ent_err *err);
int ent_pg_changes_ack(struct ent_changes *c, const char *cursor, struct ent_err *err);
void ent_pg_changes_close(struct ent_changes *c);
int ent_pg_changes_drop(struct ent_source *s, const char *job, struct ent_err *err);
int ent_pg_position(struct ent_source *s, char ret[400], struct ent_err *err);
int ent_pg_position_reached(const char *a, const char *b);

/* --- roach_changes.c: the same from CockroachDB's changefeed --- */
struct ent_roach;
int ent_roach_open(struct ent_source *s, const struct ent_changes_spec *spec, struct ent_roach **ret, struct ent_err *err);
int ent_roach_take(struct ent_roach *c, uint32_t timeout_ms, struct ent_event *ret, struct ent_err *err);
int ent_roach_ack(struct ent_roach *c, const char *cursor, struct ent_err *err);
void ent_roach_close(struct ent_roach *c);
int ent_roach_position(struct ent_source *s, char ret[400], struct ent_err *err);
/* False for texts that are no cursors of CockroachDB. *ret: whether a lies at or before b. */
bool ent_roach_reached(const char *a, const char *b, bool *ret);

/* --- pg_slot.c --- */
struct ent_pg_cursor { /* "SYSTEM/DATABASE/POSITION" */
	uint64_t system, database, lsn;
};
bool ent_pg_cursor_parse(const char *text, struct ent_pg_cursor *ret);
void ent_pg_cursor_text(const struct ent_pg_cursor *c, char out[400]);
/* Who this server is and where its log ends. */
int ent_pg_identity(struct ent_source *s, struct ent_pg_cursor *ret, struct ent_err *err);
/* Makes the slot and the publication (start NULL: ret is where it begins), or checks that nothing was lost since start. */
int ent_pg_slot_ready(struct ent_source *s, struct ent_source *repl, const struct ent_changes_spec *spec, const struct ent_pg_cursor *start,
		      struct ent_pg_cursor *ret, struct ent_err *err);
/* One statement over the replication connection, which knows only the simple protocol. */
int ent_pg_simple(struct ent_source *repl, const char *sql, PGresult **ret, const char *what, struct ent_err *err);
void ent_pg_slot_name(struct ent_buf *out, const char *job, bool quoted);
uint64_t ent_pg_slot_retained(struct ent_source *s, const char *job);
#endif
