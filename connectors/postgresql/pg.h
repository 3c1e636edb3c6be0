/* The PostgreSQL connector's own parts: one session, what the catalogues say about a table, streams of rows. */
#ifndef ENT_POSTGRESQL_PG_H
#define ENT_POSTGRESQL_PG_H
#include <libpq-fe.h>

#include "arrow/stream.h"
#include "entente/connector.h"
#include "pg_wire.h"

struct ent_pg_table { /* one described object */
	struct ent_pg_table *next;
	char *object;
	char relation[64];     /* the name of the common table expression that stands for it, quoted */
	struct ent_buf select; /* SELECT of its supported columns in joint types */
	struct ArrowSchema schema;
};

struct ent_source {
	struct ent_host host;
	PGconn *con;
	bool busy; /* a stream holds the connection */
	struct ent_pg_table *tables;
};

/* --- pg_session.c --- */
/* Connects, verifies and makes the session read-only with time-outs. url: a libpq URI. */
int ent_pg_connect(struct ent_source *s, const char *url, const struct ent_option *options, size_t n_options, struct ent_err *err);
/* Waits until a result can be taken without blocking. ENT_ECANCELLED (the statement is cancelled at the server), ENT_EAGAIN, ENT_EIO. */
int ent_pg_wait(struct ent_source *s, struct ent_err *err);
/* Gives up the running statement and drains the connection. */
void ent_pg_abandon(struct ent_source *s);
/* Fills err from a failed result or, without one, from the connection. Returns the code. */
int ent_pg_fail(struct ent_source *s, const PGresult *r, const char *what, struct ent_err *err);
/* Runs one statement of our own to its end; *ret (may be NULL) is the caller's. Text parameters; text results. */
int ent_pg_run(struct ent_source *s, const char *sql, const char *const *params, size_t n_params, PGresult **ret, const char *what,
	       struct ent_err *err);
void ent_pg_clear(PGresult **r);

/* --- pg_table.c --- */
/* The table of an object, from the catalogues at its first use; lent until the source closes. */
int ent_pg_table_get(struct ent_source *s, const char *object, struct ent_pg_table **ret, struct ent_err *err);
void ent_pg_tables_free(struct ent_source *s);
/* Joint type and wire kind of a type by OID and modifier; false with a reason when there is none. cast: it travels as text. */
bool ent_pg_type(unsigned oid, int modifier, bool is_enum, struct ent_type *ret, enum ent_pg_kind *ret_kind, bool *ret_cast, char reason[200]);
/* The OID of a joint type. */
unsigned ent_pg_type_oid(struct ent_type t);
void ent_pg_name(struct ent_buf *out, const char *name); /* "a""b" */

/* --- pg_stream.c --- */
int ent_pg_scan(struct ent_source *s, const struct ent_pg_table *t, const char *const *columns, size_t n_columns, struct ArrowArrayStream *ret,
		struct ent_err *err);
int ent_pg_query(struct ent_source *s, const char *sql, const struct ent_param *params, size_t n_params, struct ArrowArrayStream *ret,
		 struct ent_err *err);
#endif
