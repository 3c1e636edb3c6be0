/* Following the binary log: tables and their state, events that wait for the caller. */
#ifndef ENT_MYSQL_MY_CHANGES_H
#define ENT_MYSQL_MY_CHANGES_H
#include "my.h"
#include "my_log.h"

struct ent_my_followed { /* one table */
	char *object;
	char database[65], table[65];
	struct ent_my_table there; /* as the catalogue says */
	bool known;                /* there was read since the last ALTER */
	struct ent_my_map map;     /* as the log says; id 0: not named yet in this file */
	uint64_t signature;        /* of the map the schema was made from */
	struct ArrowSchema schema; /* of changed rows */
	struct ent_builder *builder;
	int *column;   /* by column of the map: which of the catalogue's, or -1 */
	size_t *place; /* by column of the map: which of the schema's */
	bool *is_key;  /* by column of the map */
	struct ent_bytes *before, *after;
};

struct ent_changes {
	struct ent_source *source;
	MYSQL *log;
	char job[100];
	struct ent_my_followed *tables;
	size_t n_tables;
	bool checksum, in_transaction;
	bool headed;   /* the head of a file was read */
	bool in_group; /* behind a GTID, before what it names */
	char file[256], gtid[80];
	uint64_t position; /* behind the last event */
	uint32_t created;  /* time of the file's first event: a file begun anew has another */
	char cursor[400];  /* behind the last whole transaction */
	int64_t time_us;
	bool advanced;                /* cursor is newer than what the caller knows */
	uint64_t rows, rows_since_ms; /* in builders */
	struct ent_event *waiting;
	size_t n_waiting, first_waiting, cap_waiting;
	struct ent_buf scratch;
	uint64_t retained, retained_at_ms;
	struct ent_err failure; /* code 0: none; told when nothing waits any more */
};

/* --- my_cursor.c: "1 IDENTITY FILE POSITION CREATED [GTID]" --- */
struct ent_my_cursor {
	char identity[80], file[256];
	uint64_t position;
	uint32_t created;
};
bool ent_my_cursor_parse(const char *text, struct ent_my_cursor *ret);
int ent_my_position(struct ent_source *s, char ret[400], struct ent_err *err);
int ent_my_position_reached(const char *a, const char *b);
/* Checks the server's settings and asks for the log from the cursor on. */
int ent_my_log_begin(struct ent_changes *c, const char *cursor, struct ent_err *err);
/* my_followable.c: ENT_EUNSUPPORTED for a table, or a server, whose log leaves changes out. */
int ent_my_followable(struct ent_changes *c, const struct ent_my_followed *f, struct ent_err *err);
int ent_my_log_whole(struct ent_changes *c, struct ent_err *err);

/* --- my_follow.c: one event of the log --- */
int ent_my_follow(struct ent_changes *c, struct ent_bytes packet, struct ent_err *err);
/* Rows of whole transactions and their COMMIT to the waiting events. */
int ent_my_flush(struct ent_changes *c, struct ent_err *err);
int ent_my_wait_add(struct ent_changes *c, struct ent_event *e, struct ent_err *err); /* takes its array and schema, also on failure */
void ent_my_followed_forget(struct ent_my_followed *f);

/* --- my_changes.c --- */
int ent_my_changes_open(struct ent_source *s, const struct ent_changes_spec *spec, struct ent_changes **ret, struct ent_err *err);
int ent_my_changes_next(struct ent_changes *c, uint32_t timeout_ms, struct ent_event *ret, struct ent_err *err);
int ent_my_changes_ack(struct ent_changes *c, const char *cursor, struct ent_err *err);
void ent_my_changes_close(struct ent_changes *c);
int ent_my_changes_drop(struct ent_source *s, const char *job, struct ent_err *err);
#endif
