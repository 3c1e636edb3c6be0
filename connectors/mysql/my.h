/* The MySQL and MariaDB connector's own parts: addresses and sessions, what the catalogues say about a table, literals, and the parts of the ABI. */
#ifndef ENT_MYSQL_MY_H
#define ENT_MYSQL_MY_H
#include <mysql.h>

#include "arrow/stream.h"
#include "dial/address.h"
#include "dial/dial.h"
#include "entente/connector.h"
#include "my_type.h"

enum ent_my_tls { ENT_MY_TLS_OFF, ENT_MY_TLS_REQUIRED, ENT_MY_TLS_VERIFY };

struct ent_my_address {
	struct ent_address server; /* wiped when the source closes */
	char host[256], database[65], socket[108], ca[1024];
	enum ent_my_tls tls;
	bool tls_said;
	bool cascades; /* what foreign keys do below the log is accepted */
};

struct ent_source {
	struct ent_host host;
	struct ent_my_address at;
	MYSQL *con; /* NULL after a stream was given up: the next use connects again */
	bool busy;  /* a stream holds the connection */
	bool writes, mariadb;
	unsigned long version;      /* 101119, 80015 */
	char identity[80];          /* server_uuid, or "mariadb-" and server_id */
	const char *text_collation; /* compares by bytes */
	bool collation_pads;        /* and takes no notice of blanks at the end */
};

/* --- my_address.c --- */
int ent_my_address_parse(const char *url, const struct ent_option *options, size_t n_options, struct ent_my_address *ret, bool *ret_writes,
			 struct ent_err *err);

/* --- my_session.c --- */
enum ent_my_role {
	ENT_MY_READ,  /* read-only transactions */
	ENT_MY_WRITE, /* strict, READ COMMITTED, LOAD DATA from memory allowed */
	ENT_MY_LOG    /* binary log: short read time-out is the caller's */
};
/* A further session of this source; the caller closes it. Transient failures are repeated with growing pauses within the time-out. */
int ent_my_connect(const struct ent_source *s, enum ent_my_role role, MYSQL **ret, struct ent_err *err);
/* s->con is there; connects again when a stream broke it. */
int ent_my_ready(struct ent_source *s, struct ent_err *err);
int ent_my_cancelled(const struct ent_source *s, struct ent_err *err); /* ENT_ECANCELLED or 0 */
/* Fills err from the connection (or the statement). Returns the code. Values are not shown. */
int ent_my_fail(MYSQL *m, const char *what, struct ent_err *err);
int ent_my_fail_statement(MYSQL_STMT *st, const char *what, struct ent_err *err);
/* One statement of our own; *ret (may be NULL) is the caller's, stored whole. */
int ent_my_run(MYSQL *m, struct ent_bytes sql, MYSQL_RES **ret, const char *what, struct ent_err *err);
static inline int ent_my_exec(MYSQL *m, const char *sql, const char *what, struct ent_err *err)
{
	return ent_my_run(m, ent_bytes_str(sql), NULL, what, err);
}
/* First value of the first row as text; "" for NULL or none. */
int ent_my_value(MYSQL *m, const char *sql, char *out, size_t size, const char *what, struct ent_err *err);
void ent_my_result_freep(MYSQL_RES **r);
void ent_my_closep(MYSQL **m);
/* Breaks the connection without waiting for what is still to come. */
void ent_my_drop(struct ent_source *s);
unsigned ent_my_patience_ms(const struct ent_source *s);

/* --- my_table.c --- */
struct ent_my_column {
	char name[256], native[160], collation[64];
	char reason[200]; /* why no joint query may use it; "" */
	struct ent_my_type type;
	bool nullable, generated, has_default;
};

struct ent_my_table {
	char database[65], name[65];
	char relation[300]; /* `db`.`table` */
	struct ent_my_column *columns;
	size_t n_columns;
	struct ent_buf keys; /* as "entente.keys" */
	size_t n_unique;     /* unique indexes, nullable ones included */
	int64_t rows;        /* an estimate */
};

void ent_my_name(struct ent_buf *out, const char *name); /* `a``b` */
int ent_my_object_split(const struct ent_source *s, const char *object, char database[65], char table[65], struct ent_err *err);
/* ENT_ENOTFOUND when it is not there. */
int ent_my_table_read(MYSQL *m, const struct ent_source *s, const char *object, struct ent_my_table *ret, struct ent_err *err);
void ent_my_table_deinit(struct ent_my_table *t);
int ent_my_table_find(const struct ent_my_table *t, const char *name); /* -1; names compare as the server does, without case */
/* All columns as describe lists them; for_copy: only those that can be copied, without "unsupported". */
int ent_my_table_schema(const struct ent_my_table *t, const char *const *columns, size_t n_columns, bool for_copy, struct ArrowSchema *ret,
			struct ent_err *err);
#define ENT_MY_TABLE_AUTO ENT_CLEANUP(ent_my_table_deinit) struct ent_my_table

/* --- my_literal.c --- */
void ent_my_text_literal(struct ent_buf *out, struct ent_bytes text); /* 'it\'s', for sessions with utf8mb4 and backslash escapes */
void ent_my_hex_literal(struct ent_buf *out, struct ent_bytes bytes);

/* --- my_read.c --- */
int ent_my_scan(struct ent_source *s, const char *object, const char *const *columns, size_t n_columns, struct ArrowArrayStream *ret,
		struct ent_err *err);
int ent_my_read(struct ent_source *s, const struct ent_read *what, struct ArrowArrayStream *ret, struct ent_err *err);

/* --- my_plan.c --- */
int ent_my_plan(struct ent_source *s, const char *object, uint64_t rows_per_split, int (*take)(void *arg, const char *split, int64_t rows), void *arg,
		struct ent_err *err);
/* A condition on the rows of a split, "" for the whole table. */
int ent_my_split_where(const struct ent_my_table *t, const char *split, struct ent_buf *out, struct ent_err *err);

#endif
