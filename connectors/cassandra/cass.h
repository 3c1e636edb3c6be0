/* The Cassandra connector's own parts: where and how to connect, one connection with many requests in flight, tables, streams, the sink. */
#ifndef ENT_CASSANDRA_CASS_H
#define ENT_CASSANDRA_CASS_H
#include "arrow/stream.h"
#include "cass_type.h"
#include "dial/address.h"
#include "dial/dial.h"
#include "entente/connector.h"
#include "wire/cql.h"

#define ENT_CASS_CALLS 256 /* requests in flight at most */

/* --- cass_url.c: no I/O but the password file --- */
struct ent_cass_settings {
	struct ent_address at;
	char keyspace[64];
	bool tls, named; /* named: the certificate's name counts (verify-full) */
	char ca_file[512], replication[400], schema_file[512];
	enum ent_cql_consistency consistency;
	bool write;                    /* option access=write */
	bool lz4;                      /* frames may be compressed */
	uint32_t pause_ms, overlap_ms; /* following by polling: between two passes; how far clocks may be apart */
};
int ent_cass_settings_make(const char *url, const struct ent_option *options, size_t n_options, struct ent_cass_settings *ret, struct ent_err *err);
void ent_cass_settings_wipe(struct ent_cass_settings *s);

/* --- cass_session.c --- */
struct ent_cass_prepared { /* lent by the source until it closes */
	struct ent_cass_prepared *next;
	char *text;
	uint8_t id[64];
	size_t id_len;
};

enum ent_cass_call_state { ENT_CASS_FREE, ENT_CASS_OPEN, ENT_CASS_SENT, ENT_CASS_ANSWERED, ENT_CASS_ORPHAN };
struct ent_cass_call { /* one request; its frame is kept until the answer, so that it can be sent again: every request here may be repeated */
	enum ent_cass_call_state state;
	int16_t stream;
	struct ent_buf frame, reply;
	struct ent_cql_frame answer;
	const struct ent_cass_prepared *prepared;
	unsigned tries;
};

struct ent_cass_table;
struct ent_source {
	struct ent_host host;
	struct ent_cass_settings settings;
	struct ent_dial *link;
	struct ent_cql_parser parser;
	struct ent_buf out; /* frames not yet sent, from out_at */
	size_t out_at;
	struct ent_cass_call calls[ENT_CASS_CALLS];
	struct ent_cass_prepared *prepared;
	struct ent_cass_table *tables;
	bool packs; /* compression was agreed on */
	bool busy;  /* a stream or a sink holds the connection */
	char datacenter[128];
	uint64_t heard_ms;   /* when something last came */
	uint64_t trouble_ms; /* since when nothing was answered as it should; 0: it was */
	uint64_t until_ms;   /* the handshake ends by then; 0: there is none */
	uint8_t inbox[65536];
};

int ent_cass_connect(struct ent_source *s, struct ent_err *err);
void ent_cass_disconnect(struct ent_source *s);
/* A free call to write a frame into (its stream number is set); ENT_EAGAIN when all are in flight. */
int ent_cass_begin(struct ent_source *s, struct ent_cass_call **ret, struct ent_err *err);
int ent_cass_send(struct ent_source *s, struct ent_cass_call *c, struct ent_err *err);
/* Waits for the answer; sends again after a lost connection, a time-out or overload of the server, a forgotten statement. An error of the server
 * is filled into err with what. The event is lent until the call ends. */
int ent_cass_wait_for(struct ent_source *s, struct ent_cass_call *c, const char *what, struct ent_cql_event *ret, struct ent_err *err);
/* Moves bytes without waiting when at least so many wait to be sent; a loss shows at the next wait. */
void ent_cass_flow(struct ent_source *s, size_t bytes);
void ent_cass_end(struct ent_cass_call *c); /* NULL is fine; an answer under way is dropped when it comes */
/* Statement to its end. values: n [value]s. *ret_call (the caller ends it) lends *ret. */
struct ent_cass_run {
	const char *text;
	struct ent_bytes values;
	uint16_t n_values;
	bool conditional; /* reads and writes by consensus */
	const char *what; /* for errors */
};
int ent_cass_run(struct ent_source *s, const struct ent_cass_run *r, struct ent_cass_call **ret_call, struct ent_cql_event *ret, struct ent_err *err);
/* The same without a result. */
int ent_cass_do(struct ent_source *s, const char *text, const char *what, struct ent_err *err);
int ent_cass_prepare(struct ent_source *s, const char *text, const struct ent_cass_prepared **ret, struct ent_err *err);
void ent_cass_name(struct ent_buf *out, const char *name); /* "a""b" */
bool ent_cass_cancelled(const struct ent_source *s);

/* --- cass_table.c --- */
enum ent_cass_role { ENT_CASS_PARTITION, ENT_CASS_CLUSTERING, ENT_CASS_REGULAR };
struct ent_cass_field {
	char name[256], native[160];
	enum ent_cass_role role;
	int position;
	struct ent_cass_type t;
};
struct ent_cass_table {
	struct ent_cass_table *next;
	char *object;
	char keyspace[64], name[64];
	struct ent_cass_field *fields; /* key first, as SELECT * has them */
	size_t n_fields, n_partition, n_keys;
};
int ent_cass_object(const struct ent_source *s, const char *object, char keyspace[64], char name[64], struct ent_err *err);
/* From the catalogue at its first use; lent until the source closes or forgets it. ENT_ENOTFOUND. */
int ent_cass_table_get(struct ent_source *s, const char *object, struct ent_cass_table **ret, struct ent_err *err);
void ent_cass_tables_forget(struct ent_source *s);
int ent_cass_table_schema(const struct ent_cass_table *t, struct ArrowSchema *ret, struct ent_err *err);
const struct ent_cass_field *ent_cass_field_find(const struct ent_cass_table *t, const char *name);
void ent_cass_relation(const struct ent_cass_table *t, struct ent_buf *out); /* "keyspace"."table" */

/* --- cass_scan.c --- */
struct ent_cass_scan {
	const char *const *columns;
	size_t n_columns;
	const char *where, *split;
	bool copy;                  /* for copies: every type that can be copied, native types and keys in the schema */
	struct ent_cass_seen *seen; /* changes instead of rows (see ent_event): those written after after_us, or at an unknown time, and not seen */
	int64_t after_us;
	const uint64_t *until_ms; /* a batch ends at that time, also an empty one; NULL: when it is full */
};
int ent_cass_scan(struct ent_source *s, const char *object, const struct ent_cass_scan *what, struct ArrowArrayStream *ret, struct ent_err *err);
int ent_cass_plan(struct ent_source *s, const char *object, uint64_t rows_per_split, int (*take)(void *arg, const char *split, int64_t rows),
		  void *arg, struct ent_err *err);

/* --- cass_seen.c: rows that were given lately --- */
struct ent_cass_row { /* which row with which write times: a hash under a key of this process */
	uint64_t a, b;
};
struct ent_cass_seen { /* two generations of hashes: of the pass before, of this one */
	struct ent_cass_row *rows[2];
	size_t n[2], cap[2];
	uint64_t key[2];
};
int ent_cass_seen_init(struct ent_cass_seen *s, struct ent_err *err);
void ent_cass_seen_deinit(struct ent_cass_seen *s);
void ent_cass_seen_pass(struct ent_cass_seen *s); /* a pass is over */
struct ent_cass_row ent_cass_seen_row(const struct ent_cass_seen *s, const struct ent_bytes *cells, size_t n);
/* True when it was given; from now on it is. When memory's bound is reached, a row is forgotten, and comes again. */
bool ent_cass_seen_before(struct ent_cass_seen *s, struct ent_cass_row row);

/* --- cass_poll.c: changes by write times --- */
struct ent_cass_cursor {
	int64_t time_us;
	uint64_t cluster, tables; /* tables 0: of a position, not of a stream */
};
bool ent_cass_cursor_parse(const char *text, struct ent_cass_cursor *ret);
int ent_cass_changes_open(struct ent_source *s, const struct ent_changes_spec *spec, struct ent_changes **ret, struct ent_err *err);
int ent_cass_changes_next(struct ent_changes *c, uint32_t timeout_ms, struct ent_event *ret, struct ent_err *err);
int ent_cass_changes_ack(struct ent_changes *c, const char *cursor, struct ent_err *err);
void ent_cass_changes_close(struct ent_changes *c);
int ent_cass_changes_drop(struct ent_source *s, const char *job, struct ent_err *err);
int ent_cass_position(struct ent_source *s, char ret[400], struct ent_err *err);
int ent_cass_position_reached(const char *a, const char *b);

/* --- cass_target.c: what a table of a sink would be --- */
int ent_cass_map(struct ent_source *s, const struct ent_target *target, struct ent_map_line *lines, int *ret_exists, struct ent_err *err);
/* Makes keyspace and table where they lack, empties the table where the mode says so. */
int ent_cass_target_ready(struct ent_source *s, const struct ent_target *target, struct ent_cass_table **ret, bool *ret_fresh, struct ent_err *err);
/* Makes the table, whatever the catalogue says. */
int ent_cass_target_make(struct ent_source *s, const struct ent_target *target, struct ent_err *err);
int ent_cass_keyspace_make(struct ent_source *s, const char *keyspace, struct ent_err *err);
int ent_cass_change(struct ent_source *s, const struct ent_buf *sql, const char *what, struct ent_err *err); /* and waits until every node knows it */
int ent_cass_target_empty(struct ent_source *s, const char *object, struct ent_err *err);
int ent_cass_target_add(struct ent_source *s, const char *object, const struct ent_field_info *column, struct ent_err *err);

/* --- cass_sink.c, cass_mark.c --- */
int ent_cass_sink_open(struct ent_source *s, const char *job, uint64_t *epoch, struct ent_sink **ret, struct ent_err *err);
int ent_cass_sink_table(struct ent_sink *k, const struct ent_target *target, size_t *ret_index, struct ent_err *err);
int ent_cass_sink_rows(struct ent_sink *k, size_t index, const struct ArrowArray *rows, struct ent_err *err);
int ent_cass_sink_changes(struct ent_sink *k, size_t index, const struct ArrowSchema *schema, const struct ArrowArray *rows, struct ent_err *err);
int ent_cass_sink_truncate(struct ent_sink *k, size_t index, struct ent_err *err);
int ent_cass_sink_commit(struct ent_sink *k, const struct ent_sink_checkpoint *checkpoint, struct ent_err *err);
int ent_cass_sink_rollback(struct ent_sink *k, struct ent_err *err);
int ent_cass_sink_last(struct ent_sink *k, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err);
int ent_cass_sink_finish(struct ent_sink *k, int forget, struct ent_err *err);
int ent_cass_sink_alter(struct ent_sink *k, size_t index, const struct ArrowSchema *schema, struct ent_err *err);
void ent_cass_sink_close(struct ent_sink *k);

/* The job's row of the checkpoint table: which run may write, and from which write time on its rows count. */
struct ent_cass_mark {
	struct ent_source *s;
	char keyspace[64], job[200];
	uint64_t epoch;
	int64_t base_us;
};
int ent_cass_mark_take(struct ent_cass_mark *m, uint64_t *epoch, struct ent_err *err);
int ent_cass_mark_commit(struct ent_cass_mark *m, const struct ent_sink_checkpoint *c, struct ent_err *err); /* c NULL: the check alone */
int ent_cass_mark_last(struct ent_cass_mark *m, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err);
int ent_cass_mark_forget(struct ent_cass_mark *m, struct ent_err *err);
#endif
