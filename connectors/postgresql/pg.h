/* The PostgreSQL connector's own parts: one session, what the catalogues say about a table, streams of rows. */
#ifndef ENT_POSTGRESQL_PG_H
#define ENT_POSTGRESQL_PG_H
#include <libpq-fe.h>

#include "arrow/stream.h"
#include "entente/connector.h"
#include "pg_wire.h"

/* Schema metadata beside ENT_META_WIRE: one line per column of the image: name, tab, "not null" or nothing, tab, native type. */
#define ENT_PG_META_COLUMNS "entente.postgresql.columns"

struct ent_pg_field { /* one column as the catalogue has it, domains resolved */
	char *name, *native;
	unsigned oid;
	int modifier;
	bool nullable, is_enum, generated;
	bool filled;          /* older rows may have got a value when the column was added */
	bool wire;            /* its binary image means the same in every database */
	struct ent_type type; /* what copies carry */
	enum ent_pg_kind kind;
	bool cast; /* as text */
};

struct ent_pg_table { /* one described object */
	struct ent_pg_table *next;
	char *object;
	char schema_name[64], table_name[64];
	char relation[64];     /* the name of the common table expression that stands for it, quoted */
	struct ent_buf select; /* SELECT of its supported columns in joint types */
	struct ent_buf quoted; /* "schema"."table" */
	struct ent_pg_field *fields;
	size_t n_fields;
	char *keys; /* as in the metadata; "" without */
	struct ArrowSchema schema;
};

struct ent_source {
	struct ent_host host;
	PGconn *con;
	bool busy;      /* a stream or a sink holds the connection */
	bool writes;    /* option "access" */
	bool copying;   /* statements may take long: see ent_pg_copying */
	bool pinned;    /* inside a transaction with the snapshot of another session */
	bool holds;     /* holds an exported snapshot */
	bool cockroach; /* CockroachDB: found by version(), or option "store" */
	char as_of[64]; /* its snapshot: a time */
	bool by_ctid;   /* option "split-by" */
	char checkpoint_schema[64];
	struct ent_pg_table *tables;
};

/* --- pg_session.c --- */
/* Connects, verifies and makes the session read-only with time-outs. url: a libpq URI. */
int ent_pg_connect(struct ent_source *s, const char *url, const struct ent_option *options, size_t n_options, struct ent_err *err);
int ent_pg_connect_replication(struct ent_source *s, struct ent_source *ret, struct ent_err *err);
/* Within which a server that is there answers something: the host's time-out. */
uint64_t ent_pg_answer_ms(const struct ent_source *s);
/* Waits until a result can be taken without blocking. ENT_ECANCELLED (the statement is cancelled at the server), ENT_EAGAIN, ENT_EIO. */
int ent_pg_wait(struct ent_source *s, struct ent_err *err);
/* For loops that wait for bytes. more: waits a moment for some and takes them. silent: when nothing has moved since *since_ms (0: from now on) for
 * the time-out, asks over another connection whether the server is there. It is not: ENT_EAGAIN, and no call on this connection blocks any more. */
int ent_pg_more(struct ent_source *s, uint64_t *since_ms, struct ent_err *err);
int ent_pg_silent(struct ent_source *s, uint64_t *since_ms, struct ent_err *err);
/* Takes and drops what still comes; gives the connection up when that lasts longer than the time-out. */
void ent_pg_drain(struct ent_source *s);
/* Gives up the running statement and drains the connection. */
void ent_pg_abandon(struct ent_source *s);
/* Fills err from a failed result or, without one, from the connection. Returns the code. */
int ent_pg_fail(struct ent_source *s, const PGresult *r, const char *what, struct ent_err *err);
/* Runs one statement of our own to its end; *ret (may be NULL) is the caller's. Text parameters; text results. */
int ent_pg_run(struct ent_source *s, const char *sql, const char *const *params, size_t n_params, PGresult **ret, const char *what,
	       struct ent_err *err);
void ent_pg_clear(PGresult **r);
/* From now on single statements may take as long as they need; they are still cancelled on demand, and when nothing moves for long. */
int ent_pg_copying(struct ent_source *s, struct ent_err *err);
/* Sends a COPY statement and waits for the server's consent (want: PGRES_COPY_OUT or PGRES_COPY_IN). */
int ent_pg_copy_begin(struct ent_source *s, const char *sql, ExecStatusType want, const char *what, struct ent_err *err);

/* --- pg_type.c --- */
/* Joint type and wire kind of a type by OID and modifier; false with a reason when there is none. cast: it travels as text. */
bool ent_pg_type(unsigned oid, int modifier, bool is_enum, struct ent_type *ret, enum ent_pg_kind *ret_kind, bool *ret_cast, char reason[200]);
/* The same for copies, where every type has one. */
void ent_pg_type_copied(unsigned oid, int modifier, struct ent_type *ret, enum ent_pg_kind *ret_kind, bool *ret_cast);
/* The OID of a joint type. */
unsigned ent_pg_type_oid(struct ent_type t);
/* How a new column of this type is declared. */
void ent_pg_type_native(struct ent_type t, char out[ENT_TYPE_TEXT_MAX]);
void ent_pg_name(struct ent_buf *out, const char *name);    /* "a""b" */
void ent_pg_literal(struct ent_buf *out, const char *text); /* 'a''b' */

/* --- pg_table.c --- */
/* The table of an object, from the catalogues at its first use; lent until the source closes. */
int ent_pg_table_get(struct ent_source *s, const char *object, struct ent_pg_table **ret, struct ent_err *err);
void ent_pg_tables_free(struct ent_source *s);
void ent_pg_table_forget(struct ent_source *s, const char *object); /* it may have changed */
/* "schema.table" or "table" (of schema public). */
int ent_pg_object_split(const char *object, char schema[64], char table[64], struct ent_err *err);
/* -1 when there is none. */
int ent_pg_field_find(const struct ent_pg_table *t, const char *name);
/* The columns of the first key; 0 when there is none or it has more than max. */
size_t ent_pg_key(const char *keys, char (*names)[64], size_t max);

/* --- pg_stream.c --- */
int ent_pg_scan(struct ent_source *s, const struct ent_pg_table *t, const char *const *columns, size_t n_columns, struct ArrowArrayStream *ret,
		struct ent_err *err);
int ent_pg_read(struct ent_source *s, const struct ent_read *what, struct ArrowArrayStream *ret, struct ent_err *err);
int ent_pg_query(struct ent_source *s, const char *sql, const struct ent_param *params, size_t n_params, struct ArrowArrayStream *ret,
		 struct ent_err *err);

/* --- pg_plan.c --- */
int ent_pg_plan(struct ent_source *s, const char *object, uint64_t rows_per_split, int (*take)(void *arg, const char *split, int64_t rows), void *arg,
		struct ent_err *err);
int ent_pg_snapshot(struct ent_source *s, char ret[200], struct ent_err *err);
int ent_pg_checksum(struct ent_source *s, const struct ent_read *what, struct ent_checksum *ret, struct ent_err *err);
/* " WHERE ..." of what's condition and split; nothing when it has neither. A condition that is not one whole condition is ENT_ESQL. */
int ent_pg_condition(struct ent_source *s, const struct ent_pg_table *t, const struct ent_read *what, struct ent_buf *sql, struct ent_err *err);
#endif
