/* node.db: what can be looked up faster than in the ledger, and what peers signed. The only file that speaks SQLite.
 *
 * Statements are short-lived: prepare, bind in order, step, finish. Everything is one connection on one thread. Errors: ENT_EIO, ENT_ENOSPACE,
 * ENT_EDATA (damaged). */
#ifndef ENT_NODE_DB_H
#define ENT_NODE_DB_H
#include "node/vfs.h"

struct ent_db;
struct sqlite3_stmt;

struct ent_st { /* a statement; zeroed = none */
	struct sqlite3_stmt *st;
	struct ent_db *db;
	int bound;
};

/* Opens or creates node.db under the vtable's root and brings its schema to this version. fs, clock, random [borrow]. */
int ent_db_open(struct ent_fs *fs, struct ent_clock *clock, struct ent_random *random, struct ent_db **ret, struct ent_err *err);
void ent_db_close(struct ent_db *db); /* NULL is fine */
/* A sync failed: nothing is written any more until it is opened anew. */
bool ent_db_lost(const struct ent_db *db);
/* Statements without result; several separated by ';'. */
int ent_db_exec(struct ent_db *db, const char *sql, struct ent_err *err);

/* types: one letter per parameter: i int64_t, s const char * (NULL = NULL), b struct ent_bytes *. */
int ent_db_run(struct ent_db *db, struct ent_err *err, const char *sql, const char *types, ...);
int ent_db_query(struct ent_db *db, struct ent_st *ret, struct ent_err *err, const char *sql, const char *types, ...);
/* 1: a row is there, 0: end, negative: -ent_code. */
int ent_st_next(struct ent_st *st, struct ent_err *err);
int64_t ent_st_int(struct ent_st *st, int column);
const char *ent_st_text(struct ent_st *st, int column);      /* lent until the next step; "" for NULL */
struct ent_bytes ent_st_blob(struct ent_st *st, int column); /* likewise */
void ent_st_end(struct ent_st *st);
#define ENT_ST ENT_CLEANUP(ent_st_end) struct ent_st

/* The whole database as it stands, appended: the bytes of a file that ent_db_open reads. */
int ent_db_snapshot(struct ent_db *db, struct ent_buf *out, struct ent_err *err);

/* A transaction around what must be seen together; nested calls join the outer one. */
int ent_db_begin(struct ent_db *db, struct ent_err *err);
int ent_db_commit(struct ent_db *db, struct ent_err *err); /* durable after 0 */
void ent_db_rollback(struct ent_db *db);
#endif
