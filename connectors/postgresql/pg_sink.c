/* The life of a sink: its epoch, transactions with their checkpoint, the end of a replaced table, two phases.
 *
 * Exactly once: the checkpoint's row commits with the data. Each commit holds a shared lock on the row of the job's epoch, so a newer run
 * cannot take over between the check and the commit; that row stays for ever, so epochs never go back. */
#include "pg_sink.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define ENDS_MAX 8u /* tries to end a transaction that CockroachDB wants repeated */

int ent_pg_sink_begin(struct ent_sink *k, struct ent_err *err)
{
	if (k->open)
		return 0;
	ENT_TRY(ent_pg_run(k->src, "BEGIN", NULL, 0, NULL, "PostgreSQL begins no transaction", err));
	k->open = true;
	for (size_t i = 0; i < k->n_dests; i++)
		k->dests[i]->asked = false;
	ent_pg_journal_reset(k);
	return 0;
}

static int run(struct ent_sink *k, const char *sql, const char *const *params, size_t n, PGresult **ret, const char *what, struct ent_err *err)
{
	ENT_TRY(ent_pg_load_end(k, err));
	return ent_pg_sink_exec(k, sql, params, n, ret, what, err);
}

int ent_pg_sink_run(struct ent_sink *k, const char *sql, const char *what, struct ent_err *err) { return run(k, sql, NULL, 0, NULL, what, err); }

/* --- epochs and checkpoints --- */

static int checkpoints_make(struct ent_sink *k, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(2000);
	ENT_CLEANUP(ent_pg_clear) PGresult *there = NULL;
	const char *const name = ent_buf_text(&k->checkpoints);
	ENT_TRY(run(k, "SELECT to_regclass($1) IS NOT NULL", &name, 1, &there, "the target cannot be looked at", err));
	if (PQgetvalue(there, 0, 0)[0] == 't')
		return 0;
	ent_buf_printf(&sql,
		       "CREATE TABLE IF NOT EXISTS %s (job text, part text, cursor text NOT NULL, rows bigint NOT NULL, epoch bigint NOT NULL, hash "
		       "text NOT NULL, PRIMARY KEY (job, part))",
		       name);
	ENT_TRY(ent_buf_check(&sql, err));
	struct ent_err first = ENT_ERR_INIT;
	int code = run(k, ent_buf_text(&sql), NULL, 0, NULL, "the table of checkpoints cannot be made", &first);
	if (code && (!strcmp(first.sqlstate, "23505") || !strcmp(first.sqlstate, "42P07"))) /* another sink was faster */
		return 0;
	if (code && err) {
		*err = first;
		ent_next(err, "let this role create tables in the schema, or name another with --checkpoint-schema");
	}
	return code;
}

/* lock: until the end of the transaction nobody takes a new epoch. */
static int epoch_check(struct ent_sink *k, bool lock, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(600);
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	const char *const params[] = { k->job };
	ent_buf_printf(&sql, "SELECT epoch FROM %s WHERE job = $1 AND part = '" ENT_SINK_EPOCH_PART "'%s", ent_buf_text(&k->checkpoints),
		       lock ? " FOR SHARE" : "");
	ENT_TRY(run(k, ent_buf_text(&sql), params, 1, &r, "the epoch of the job cannot be read", err));
#ifdef ENT_MUTANT_PG_EPOCH
	return 0;
#endif
	uint64_t now = PQntuples(r) ? strtoull(PQgetvalue(r, 0, 0), NULL, 10) : 0;
	return now == k->epoch ? 0 : ent_sink_overtaken(now, k->epoch, err);
}

static int epoch_take(struct ent_sink *k, uint64_t *epoch, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1000);
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	const char *const params[] = { k->job };
	k->epoch = *epoch;
	if (*epoch)
		return epoch_check(k, false, err);
	ent_buf_printf(&sql,
		       "INSERT INTO %s AS c VALUES ($1, '" ENT_SINK_EPOCH_PART
		       "', '', 0, 1, '') ON CONFLICT (job, part) DO UPDATE SET epoch = c.epoch + 1 "
		       "RETURNING epoch",
		       ent_buf_text(&k->checkpoints));
	ENT_TRY(run(k, ent_buf_text(&sql), params, 1, &r, "the job cannot take its epoch in the target", err));
	*epoch = k->epoch = strtoull(PQgetvalue(r, 0, 0), NULL, 10);
	return 0;
}

int ent_pg_checkpoint_put(struct ent_sink *k, const struct ent_sink_checkpoint *c, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1000);
	char rows[24], epoch[24];
	snprintf(rows, sizeof rows, "%llu", (unsigned long long)c->rows);
	snprintf(epoch, sizeof epoch, "%llu", (unsigned long long)k->epoch);
	const char *const params[] = { k->job, c->part, c->cursor, rows, epoch, c->hash };
	ent_buf_printf(
		&sql,
		"INSERT INTO %s VALUES ($1, $2, $3, $4::bigint, $5::bigint, $6) ON CONFLICT (job, part) DO UPDATE SET cursor = EXCLUDED.cursor, "
		"rows = EXCLUDED.rows, epoch = EXCLUDED.epoch, hash = EXCLUDED.hash",
		ent_buf_text(&k->checkpoints));
	return run(k, ent_buf_text(&sql), params, ENT_COUNT(params), NULL, "the checkpoint cannot be written", err);
}

int ent_pg_checkpoint_drop(struct ent_sink *k, const char *part, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(600);
	const char *const params[] = { k->job, part };
	ent_buf_printf(&sql, "DELETE FROM %s WHERE job = $1 AND part = $2", ent_buf_text(&k->checkpoints));
	return run(k, ent_buf_text(&sql), params, 2, NULL, "the checkpoint cannot be removed", err);
}

int ent_pg_sink_last(struct ent_sink *k, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(600);
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	struct ent_sink_checkpoint c = { .size = sizeof c };
	const char *const params[] = { k->job, part };
	ent_buf_printf(&sql, "SELECT cursor, rows, epoch, hash FROM %s WHERE job = $1 AND part = $2", ent_buf_text(&k->checkpoints));
	ENT_TRY(run(k, ent_buf_text(&sql), params, 2, &r, "the checkpoint cannot be read", err));
	if (!PQntuples(r))
		return ent_fail(err, ENT_ENOTFOUND, "the target has no checkpoint of %.200s", part);
	snprintf(c.part, sizeof c.part, "%s", part);
	snprintf(c.cursor, sizeof c.cursor, "%s", PQgetvalue(r, 0, 0));
	c.rows = strtoull(PQgetvalue(r, 0, 1), NULL, 10);
	c.epoch = strtoull(PQgetvalue(r, 0, 2), NULL, 10);
	snprintf(c.hash, sizeof c.hash, "%s", PQgetvalue(r, 0, 3));
	*ret = c;
	return 0;
}

/* --- opening, ending --- */

void ent_pg_sink_close(struct ent_sink *k)
{
	if (!k)
		return;
	(void)ent_pg_sink_rollback(k, NULL);
	for (size_t i = 0; i < k->n_dests; i++)
		ent_pg_dest_free(k->dests[i]);
	free(k->dests);
	ent_buf_deinit(&k->checkpoints);
	ent_buf_deinit(&k->out);
	ent_buf_deinit(&k->journal);
	free(k->job);
	free(k);
}
static void sink_closep(struct ent_sink **k) { ent_pg_sink_close(*k); }

int ent_pg_sink_open(struct ent_source *s, const char *job, uint64_t *epoch, struct ent_sink **ret, struct ent_err *err)
{
	ENT_CLEANUP(sink_closep) struct ent_sink *k = (struct ent_sink *)calloc(1, sizeof *k);
	if (!k || !(k->job = ent_strdup(job)))
		return ent_nomem(err);
	k->src = s;
	ent_buf_init(&k->out, (size_t)256 << 20);
	ent_buf_init(&k->checkpoints, 400);
	if (!s->writes || s->holds) {
		ent_fail(err, ENT_EDENIED, "this session only reads");
		return ent_next(err, "a target is opened with --access write"), ENT_EDENIED;
	}
	ENT_TRY(ent_pg_copying(s, err));
	ent_pg_name(&k->checkpoints, s->checkpoint_schema[0] ? s->checkpoint_schema : "public");
	ent_buf_str(&k->checkpoints, ".\"_entente_checkpoint\"");
	ENT_TRY(checkpoints_make(k, err));
	ENT_TRY(epoch_take(k, epoch, err));
	*ret = k;
	k = NULL;
	return 0;
}

int ent_pg_sink_rollback(struct ent_sink *k, struct ent_err *err)
{
	struct ent_source *s = k->src;
	if (k->loading) {
		uint64_t since = 0;
		(void)PQputCopyEnd(s->con, "given up");
		for (int n = PQflush(s->con); n > 0 && PQstatus(s->con) == CONNECTION_OK; n = PQflush(s->con)) {
			struct pollfd p = { .fd = PQsocket(s->con), .events = POLLIN | POLLOUT };
			since = poll(&p, 1, 1000) > 0 ? 0 : since;
			(void)PQconsumeInput(s->con);
			(void)ent_pg_silent(s, &since, NULL);
		}
		ent_pg_drain(s);
	}
	k->loading = NULL;
	(void)PQsetnonblocking(s->con, 0);
	ent_buf_reset(&k->out);
	ent_pg_gathers_drop(k);
	for (size_t i = 0; i < k->n_dests; i++)
		k->dests[i]->staged = false;
	if (!k->open)
		return 0;
	k->open = false;
	ent_pg_tables_free(s); /* what was altered is not any more */
	return ent_pg_run(s, "ROLLBACK", NULL, 0, NULL, "the transaction cannot be rolled back", err);
}

/* Everything but the last word. */
static int commit_ready(struct ent_sink *k, const struct ent_sink_checkpoint *c, struct ent_err *err)
{
	ENT_TRY(ent_pg_load_end(k, err));
	ENT_TRY(ent_pg_stages_drop(k, err));
	ENT_TRY(ent_pg_sink_begin(k, err));
	ENT_TRY(epoch_check(k, true, err));
	return c ? ent_pg_checkpoint_put(k, c, err) : 0;
}

/* The end of the transaction. It is never replayed as it was: another run may have taken over meanwhile. */
static int end(struct ent_sink *k, const struct ent_sink_checkpoint *checkpoint, struct ent_err *err)
{
	k->ending = true;
	int code = commit_ready(k, checkpoint, err);
	if (!code) {
		k->open = false; /* whatever the answer is: nothing can be added any more */
		code = ent_pg_run(k->src, "COMMIT", NULL, 0, NULL, "PostgreSQL does not confirm the transaction", err);
	}
	k->ending = false;
	return code;
}

int ent_pg_sink_commit(struct ent_sink *k, const struct ent_sink_checkpoint *checkpoint, struct ent_err *err)
{
	struct ent_err e = ENT_ERR_INIT;
	if (!k->open && !checkpoint)
		return epoch_check(k, false, err);
	int code = ent_pg_gathers_apply(k, &e);
	code = code ? code : ent_pg_load_end(k, &e);
	for (unsigned tries = 0; !code; tries++) {
		e = (struct ent_err)ENT_ERR_INIT;
		code = end(k, checkpoint, &e);
		if (!code)
			return 0;
		if (tries < ENDS_MAX && ent_pg_again_wanted(k, &e))
			code = ent_pg_again(k, &e);
	}
	(void)ent_pg_sink_rollback(k, NULL);
	if (err)
		*err = e;
	return code;
}

/* --- replaced tables --- */

/* What a table would lose when another takes its place. */
static int losses_check(struct ent_sink *k, const struct ent_pg_dest *d, struct ent_err *err)
{
	static const char sql[] =
		"SELECT (SELECT count(*) FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal), (SELECT count(*) FROM pg_policy WHERE polrelid "
		"= c.oid) + c.relrowsecurity::int, (SELECT count(*) FROM pg_constraint WHERE confrelid = c.oid AND conrelid <> c.oid) + (SELECT "
		"count(*) FROM pg_constraint WHERE conrelid = c.oid AND contype = 'f'), (SELECT count(*) FROM pg_inherits WHERE inhrelid = c.oid OR "
		"inhparent = c.oid) FROM pg_class c WHERE c.oid = CAST($1 AS regclass)";
	static const char *const things[] = { "triggers", "row security policies", "foreign keys", "partitions" };
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	const char *const name = ent_buf_text(&d->final);
	ENT_TRY(run(k, sql, &name, 1, &r, "the table to be replaced cannot be described", err));
	for (int i = 0; i < 4 && PQntuples(r); i++) {
		if (!strcmp(PQgetvalue(r, 0, i), "0"))
			continue;
		ent_fail(err, ENT_EUNSUPPORTED, "replacing %.200s would lose its %s", d->object, things[i]);
		return ent_next(err, "empty it yourself and use --mode append, or use --mode upsert"), ENT_EUNSUPPORTED;
	}
	return 0;
}

/* The rights on the old table, as statements for the new one. */
static int grants_copy(struct ent_sink *k, const struct ent_pg_dest *d, struct ent_err *err)
{
	static const char sql[] =
		"SELECT format('GRANT %s ON %s TO %s%s', a.privilege_type, $2::text, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE "
		"quote_ident(pg_get_userbyid(a.grantee)) END, CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) FROM pg_class c, "
		"aclexplode(c.relacl) AS a WHERE c.oid = CAST($1 AS regclass) AND a.grantee <> c.relowner";
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	const char *const names[] = { ent_buf_text(&d->final), ent_buf_text(&d->goes) };
	ENT_TRY(run(k, sql, names, 2, &r, "the rights on the table cannot be read", err));
	for (int i = 0; i < PQntuples(r); i++)
		ENT_TRY(run(k, PQgetvalue(r, i, 0), NULL, 0, NULL, "the rights on the table cannot be given", err));
	return 0;
}

static int regclass_exists(struct ent_sink *k, const char *name, bool *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	ENT_TRY(run(k, "SELECT to_regclass($1) IS NOT NULL", &name, 1, &r, "the target cannot be looked at", err));
	*ret = PQgetvalue(r, 0, 0)[0] == 't';
	return 0;
}

static int change_over(struct ent_sink *k, const struct ent_pg_dest *d, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1000);
	bool side, final;
	ENT_TRY(regclass_exists(k, ent_buf_text(&d->goes), &side, err));
	ENT_TRY(regclass_exists(k, ent_buf_text(&d->final), &final, err));
	if (!side) /* an earlier run came this far */
		return final ? 0 : ent_fail(err, ENT_EDATA, "the side table of %.200s is gone", d->object);
	if (final) {
		ENT_TRY(losses_check(k, d, err));
		ENT_TRY(grants_copy(k, d, err));
		ent_buf_printf(&sql, "DROP TABLE %s", ent_buf_text(&d->final));
		ENT_TRY(run(k, ent_buf_text(&sql), NULL, 0, NULL, "the old table cannot be dropped", err));
	}
	ent_buf_reset(&sql);
	ent_buf_printf(&sql, "ALTER TABLE %s RENAME TO ", ent_buf_text(&d->goes));
	ent_pg_name(&sql, d->table);
	return run(k, ent_buf_text(&sql), NULL, 0, NULL, "the new table cannot take its name", err);
}

static int finish(struct ent_sink *k, int forget, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(600);
	const char *const params[] = { k->job };
	ENT_TRY(ent_pg_sink_begin(k, err));
	ENT_TRY(epoch_check(k, true, err));
	for (size_t i = 0; i < k->n_dests; i++) {
		if (k->dests[i]->side[0])
			ENT_TRY(change_over(k, k->dests[i], err));
		ENT_TRY(ent_pg_key_ask(k, k->dests[i], err));
		ENT_TRY(ent_pg_key_add(k, k->dests[i], &k->dests[i]->final, err));
	}
	ent_buf_printf(&sql, "DELETE FROM %s WHERE job = $1 AND part <> '" ENT_SINK_EPOCH_PART "'", ent_buf_text(&k->checkpoints));
	return forget ? run(k, ent_buf_text(&sql), params, 1, NULL, "the checkpoints cannot be forgotten", err) : 0;
}

int ent_pg_sink_finish(struct ent_sink *k, int forget, struct ent_err *err)
{
	ENT_TRY(ent_pg_sink_commit(k, NULL, err));
	for (unsigned tries = 0;; tries++) {
		struct ent_err e = ENT_ERR_INIT;
		k->ending = true;
		int code = finish(k, forget, &e);
		if (!code) {
			k->open = false;
			code = ent_pg_run(k->src, "COMMIT", NULL, 0, NULL, "PostgreSQL does not confirm the change-over", &e);
		}
		k->ending = false;
		if (!code)
			return 0;
		(void)ent_pg_sink_rollback(k, NULL);
		if (tries == ENDS_MAX || !ent_pg_again_wanted(k, &e)) {
			if (err)
				*err = e;
			return code;
		}
	}
}

/* --- two phases --- */

static int name_check(const char *name, struct ent_err *err)
{
	size_t n = strlen(name);
	return n && n < 200 ? 0 : ent_fail(err, ENT_EUSAGE, "a prepared transaction needs a name of up to 199 bytes");
}

int ent_pg_sink_prepare(struct ent_sink *k, const char *name, const struct ent_sink_checkpoint *checkpoint, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1000);
	ENT_TRY(name_check(name, err));
	if (k->src->cockroach) {
		(void)ent_pg_sink_rollback(k, NULL);
		return ent_pg_two_phase(k->src, err);
	}
	ent_buf_str(&sql, "PREPARE TRANSACTION ");
	ent_pg_literal(&sql, name);
	int code = ent_pg_gathers_apply(k, err);
	for (size_t i = 0; i < k->n_dests && !code; i++)
		code = ent_pg_key_add(k, k->dests[i], &k->dests[i]->goes, err);
	code = code ? code : commit_ready(k, checkpoint, err);
	if (!code) {
		code = ent_pg_run(k->src, ent_buf_text(&sql), NULL, 0, NULL, "PostgreSQL does not prepare the transaction", err);
		if (code == 0)
			k->open = false;
		else if (err && !strcmp(err->sqlstate, "55000"))
			ent_next(err, "set max_prepared_transactions of the server above 0");
	}
	if (code)
		(void)ent_pg_sink_rollback(k, NULL);
	return code;
}

int ent_pg_two_phase(struct ent_source *s, struct ent_err *err)
{
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	if (s->cockroach)
		return ent_fail(err, ENT_EUNSUPPORTED, "CockroachDB does not prepare transactions");
	ENT_TRY(ent_pg_run(s, "SELECT setting FROM pg_settings WHERE name = 'max_prepared_transactions'", NULL, 0, &r,
			   "the server's settings cannot be read", err));
	if (PQntuples(r) && strcmp(PQgetvalue(r, 0, 0), "0") != 0)
		return 0;
	ent_fail(err, ENT_EUNSUPPORTED, "this PostgreSQL server does not prepare transactions: its max_prepared_transactions is 0");
	return ent_next(err, "set max_prepared_transactions of the server above 0, or copy to one target at a time"), ENT_EUNSUPPORTED;
}

static int made_drop(struct ent_sink *k, struct ent_pg_dest *d, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1000);
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	bool there;
	const char *const table = ent_buf_text(&d->goes);
	ENT_TRY(ent_pg_sink_begin(k, err));
	ENT_TRY(regclass_exists(k, table, &there, err));
	if (!there)
		return 0;
	ent_buf_printf(&sql, "LOCK TABLE %s", table);
	ENT_TRY(ent_pg_sink_run(k, ent_buf_text(&sql), "the table that was made cannot be locked", err));
	ent_buf_reset(&sql);
	ent_buf_printf(&sql, "SELECT 1 FROM %s LIMIT 1", table);
	ENT_TRY(run(k, ent_buf_text(&sql), NULL, 0, &r, "the table that was made cannot be read", err));
	if (PQntuples(r)) /* not ours: nothing of this sink was committed */
		return 0;
	ent_buf_reset(&sql);
	ent_buf_printf(&sql, "DROP TABLE %s", table);
	ENT_TRY(ent_pg_sink_run(k, ent_buf_text(&sql), "the table that was made cannot be dropped", err));
	return ent_pg_key_forget(k, d, err);
}

int ent_pg_sink_undo(struct ent_sink *k, struct ent_err *err)
{
	int code = ent_pg_sink_rollback(k, err);
	for (size_t i = 0; !code && i < k->n_dests; i++)
		if (k->dests[i]->made)
			code = made_drop(k, k->dests[i], err);
	return code ? code : ent_pg_sink_commit(k, NULL, err);
}

int ent_pg_settle(struct ent_source *s, const char *name, int commit, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1000);
	struct ent_err first = ENT_ERR_INIT;
	ENT_TRY(name_check(name, err));
	if (s->cockroach) /* it prepares none, so none is there */
		return commit ? ent_fail(err, ENT_ENOTFOUND, "CockroachDB has no prepared transaction %.100s", name) : 0;
	ent_buf_str(&sql, commit ? "COMMIT PREPARED " : "ROLLBACK PREPARED ");
	ent_pg_literal(&sql, name);
	int code = ent_pg_run(s, ent_buf_text(&sql), NULL, 0, NULL, "the prepared transaction cannot be settled", &first);
	if (code && !strcmp(first.sqlstate, "42704")) /* no such name */
		code = commit ? ENT_ENOTFOUND : 0;
	if (code && err) {
		*err = first;
		err->code = code;
	}
	return code;
}

int ent_pg_in_doubt(struct ent_source *s, const char *prefix, int (*take)(void *arg, const char *name), void *arg, struct ent_err *err)
{
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	const char *const params[] = { prefix };
	if (s->cockroach)
		return 0; /* it has none */
	ENT_TRY(ent_pg_run(s, "SELECT gid FROM pg_prepared_xacts WHERE database = current_database() AND starts_with(gid, $1) ORDER BY gid", params,
			   1, &r, "the prepared transactions cannot be listed", err));
	for (int i = 0; i < PQntuples(r); i++)
		ENT_TRY(take(arg, PQgetvalue(r, i, 0)));
	return 0;
}
