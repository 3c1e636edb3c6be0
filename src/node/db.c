#include "node/db.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define WAL_BYTES_MAX ((size_t)1 << 31) /* it is emptied every 4 MB; one transaction may be larger */

struct ent_db {
	struct ent_vfs *vfs;
	sqlite3 *sq;
	int depth;
};

/* One text per schema version; a new version appends one. */
static const char *const schema[] = {
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
	/* members: pinned cards; gone = untrusted, kept because ledgers refer to it */
	"CREATE TABLE member(org TEXT PRIMARY KEY, card BLOB NOT NULL, version INTEGER NOT NULL, entry INTEGER NOT NULL, gone INTEGER NOT NULL) "
	"WITHOUT ROWID;"
	/* signed entries that others must know: own and of peers; at = index in the owner's log */
	"CREATE TABLE fact(org TEXT NOT NULL, at INTEGER NOT NULL, type TEXT NOT NULL, sha BLOB NOT NULL, dsse BLOB NOT NULL, PRIMARY KEY(org, at)) "
	"WITHOUT ROWID;"
	/* sign keys of members we ever accepted: old entries stay checkable */
	"CREATE TABLE member_key(keyid BLOB PRIMARY KEY, org TEXT NOT NULL, pub BLOB NOT NULL) WITHOUT ROWID;"
	/* how far we hold each peer's facts: all below size */
	"CREATE TABLE fact_size(org TEXT PRIMARY KEY, size INTEGER NOT NULL, uses TEXT NOT NULL) WITHOUT ROWID;"
	/* own sources: private */
	"CREATE TABLE source(name TEXT PRIMARY KEY, spec TEXT NOT NULL) WITHOUT ROWID;"
	/* USES debits of own grants, one row per run and grant */
	"CREATE TABLE used(grant_at INTEGER NOT NULL, run_at INTEGER NOT NULL, PRIMARY KEY(grant_at, run_at)) WITHOUT ROWID;"
	/* own grants that our decision on a job named */
	"CREATE TABLE job_grant(job TEXT NOT NULL, grant_at INTEGER NOT NULL, PRIMARY KEY(job, grant_at)) WITHOUT ROWID;"
	/* jobs we take part in */
	"CREATE TABLE job(id TEXT PRIMARY KEY, time INTEGER NOT NULL, state TEXT NOT NULL, requester TEXT NOT NULL, request BLOB NOT NULL, content "
	"BLOB NOT NULL,"
	" salt BLOB NOT NULL, attempt INTEGER NOT NULL, info TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX job_time ON job(time);"
	"CREATE TABLE approval(job TEXT NOT NULL, org TEXT NOT NULL, yes INTEGER NOT NULL, dsse BLOB NOT NULL, PRIMARY KEY(job, org)) WITHOUT ROWID;"
	/* what jobs left in our ledger: index of each entry */
	"CREATE TABLE job_entry(job TEXT NOT NULL, at INTEGER NOT NULL, type TEXT NOT NULL, PRIMARY KEY(job, at)) WITHOUT ROWID;"
	"CREATE TABLE guard(job TEXT NOT NULL, name TEXT NOT NULL, content BLOB NOT NULL, PRIMARY KEY(job, name)) WITHOUT ROWID;",
	/* every card ever accepted, our own too; a key signs in its log up to until_at; why a job ended */
	"CREATE TABLE card_version(org TEXT NOT NULL, version INTEGER NOT NULL, card BLOB NOT NULL, PRIMARY KEY(org, version)) WITHOUT ROWID;"
	"INSERT INTO card_version SELECT org, version, card FROM member;"
	"ALTER TABLE member_key ADD COLUMN version INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE member_key ADD COLUMN until_at INTEGER NOT NULL DEFAULT 9223372036854775807;"
	"ALTER TABLE job ADD COLUMN why TEXT NOT NULL DEFAULT '';",
};

static int failed(struct ent_db *db, struct ent_err *err)
{
	int code = sqlite3_errcode(db->sq), vendor = sqlite3_extended_errcode(db->sq);
	int mine = code == SQLITE_FULL                               ? ENT_ENOSPACE
		   : code == SQLITE_NOMEM                            ? ENT_ENOMEM
		   : code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? ENT_EDATA
								     : ENT_EIO;
	ent_fail(err, mine, "node.db: %s", sqlite3_errmsg(db->sq));
	if (ent_vfs_lost(db->vfs)) {
		ent_why(err, "a sync of it failed, and what reached the disk is known only after reading it again");
		ent_next(err, "repair the disk, then start the node again");
	}
	if (err)
		err->vendor = vendor;
	return mine;
}

int ent_db_exec(struct ent_db *db, const char *sql, struct ent_err *err)
{
	return sqlite3_exec(db->sq, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(db, err);
}

static int bind_all(struct ent_st *st, const char *types, va_list ap)
{
	int r = SQLITE_OK;
	for (int i = 0; types[i] && r == SQLITE_OK; i++) {
		if (types[i] == 'i') {
			r = sqlite3_bind_int64(st->st, i + 1, va_arg(ap, int64_t));
		} else if (types[i] == 's') {
			r = sqlite3_bind_text(st->st, i + 1, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
		} else {
			const struct ent_bytes *b = va_arg(ap, const struct ent_bytes *);
			r = b->len ? sqlite3_bind_blob64(st->st, i + 1, b->data, b->len, SQLITE_TRANSIENT) : sqlite3_bind_zeroblob(st->st, i + 1, 0);
		}
	}
	return r;
}

static int prepare(struct ent_db *db, struct ent_st *ret, const char *sql, const char *types, va_list ap, struct ent_err *err)
{
	*ret = (struct ent_st){ .db = db };
	if (sqlite3_prepare_v2(db->sq, sql, -1, &ret->st, NULL) != SQLITE_OK)
		return failed(db, err);
	return bind_all(ret, types, ap) == SQLITE_OK ? 0 : failed(db, err);
}

int ent_db_query(struct ent_db *db, struct ent_st *ret, struct ent_err *err, const char *sql, const char *types, ...)
{
	va_list ap;
	va_start(ap, types);
	int r = prepare(db, ret, sql, types, ap, err);
	va_end(ap);
	return r;
}

int ent_db_run(struct ent_db *db, struct ent_err *err, const char *sql, const char *types, ...)
{
	ENT_ST st = { 0 };
	va_list ap;
	va_start(ap, types);
	int r = prepare(db, &st, sql, types, ap, err);
	va_end(ap);
	if (r)
		return r;
	r = ent_st_next(&st, err);
	return r < 0 ? -r : 0;
}

int ent_st_next(struct ent_st *st, struct ent_err *err)
{
	int r = sqlite3_step(st->st);
	if (r == SQLITE_ROW)
		return 1;
	return r == SQLITE_DONE ? 0 : -failed(st->db, err);
}

int64_t ent_st_int(struct ent_st *st, int column) { return sqlite3_column_int64(st->st, column); }

const char *ent_st_text(struct ent_st *st, int column)
{
	const char *s = (const char *)sqlite3_column_text(st->st, column);
	return s ? s : "";
}

struct ent_bytes ent_st_blob(struct ent_st *st, int column)
{
	const void *data = sqlite3_column_blob(st->st, column);
	return ent_bytes(data, (size_t)sqlite3_column_bytes(st->st, column));
}

void ent_st_end(struct ent_st *st)
{
	if (st->st)
		sqlite3_finalize(st->st);
	st->st = NULL;
}

int ent_db_begin(struct ent_db *db, struct ent_err *err)
{
	if (!db->depth)
		ENT_TRY(ent_db_exec(db, "BEGIN", err));
	db->depth++;
	return 0;
}

int ent_db_commit(struct ent_db *db, struct ent_err *err)
{
	ENT_ASSERT(db->depth > 0);
	if (--db->depth)
		return 0;
	int r = ent_db_exec(db, "COMMIT", err);
	if (r)
		(void)ent_db_exec(db, "ROLLBACK", NULL);
	return r;
}

void ent_db_rollback(struct ent_db *db)
{
	if (db->depth && !--db->depth)
		(void)ent_db_exec(db, "ROLLBACK", NULL);
}

int ent_db_snapshot(struct ent_db *db, struct ent_buf *out, struct ent_err *err)
{
	sqlite3_int64 size = 0;
	unsigned char *bytes = sqlite3_serialize(db->sq, "main", &size, 0);
	if (!bytes)
		return failed(db, err);
	ent_buf_put(out, bytes, (size_t)size);
	sqlite3_free(bytes);
	return ent_buf_check(out, err);
}

static int schema_version(struct ent_db *db, int *ret, struct ent_err *err)
{
	ENT_ST st = { 0 };
	ENT_TRY(ent_db_query(db, &st, err, "PRAGMA user_version", ""));
	int r = ent_st_next(&st, err);
	if (r < 0)
		return -r;
	*ret = (int)ent_st_int(&st, 0);
	return 0;
}

static int migrate(struct ent_db *db, struct ent_err *err)
{
	int have = 0;
	char set[48];
	ENT_TRY(schema_version(db, &have, err));
	if (have > (int)ENT_COUNT(schema))
		return ent_fail(err, ENT_ECONFIG, "node.db was written by a newer version of entente"), ent_next(err, "install that version");
	for (; have < (int)ENT_COUNT(schema); have++) {
		ENT_TRY(ent_db_begin(db, err));
		snprintf(set, sizeof set, "PRAGMA user_version = %d", have + 1);
		int r = ent_db_exec(db, schema[have], err);
		if (!r)
			r = ent_db_exec(db, set, err);
		if (r)
			return ent_db_rollback(db), r;
		ENT_TRY(ent_db_commit(db, err));
	}
	return 0;
}

/* The end of the log may be readable without being durable, when a sync failed before: commits appended to it would be lost with it. So it is
 * written once more. (Pages of node.db itself are written again from the log.) */
static int save_wal(struct ent_fs *fs, struct ent_err *err)
{
#ifndef ENT_MUTANT_WAL_BELIEVED
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf wal = ENT_BUF(WAL_BYTES_MAX);
	if (!ent_fs_exists(fs, "node.db-wal"))
		return 0;
	ENT_TRY(ent_fs_read(fs, "node.db-wal", WAL_BYTES_MAX, &wal, err));
	return ent_fs_replace(fs, "node.db-wal", ent_buf_bytes(&wal), 0600, err);
#else
	(void)fs;
	(void)err;
	return 0;
#endif
}

static int start(struct ent_db *db, struct ent_err *err)
{
	if (sqlite3_open_v2("node.db", &db->sq, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, ent_vfs_name(db->vfs)) != SQLITE_OK)
		return db->sq ? failed(db, err) : ent_nomem(err);
	ENT_TRY(ent_db_exec(db,
			    "PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA "
			    "trusted_schema=OFF",
			    err));
	return migrate(db, err);
}

int ent_db_open(struct ent_fs *fs, struct ent_clock *clock, struct ent_random *random, struct ent_db **ret, struct ent_err *err)
{
	struct ent_db *db = ent_alloc(1, sizeof *db);
	if (!db)
		return ent_nomem(err);
	*db = (struct ent_db){ 0 };
	int r = save_wal(fs, err);
	if (!r)
		r = ent_vfs_new(fs, clock, random, &db->vfs, err);
	if (!r)
		r = start(db, err);
	if (r) {
		ent_db_close(db);
		return r;
	}
	*ret = db;
	return 0;
}

bool ent_db_lost(const struct ent_db *db) { return ent_vfs_lost(db->vfs); }

void ent_db_close(struct ent_db *db)
{
	if (!db)
		return;
	if (db->sq)
		sqlite3_close(db->sq);
	ent_vfs_free(db->vfs);
	free(db);
}
