/* Transactions that CockroachDB wants repeated (40001): what a sink did in the open transaction is kept as bytes, and done again from the start after
 * a pause, with growing pauses. The end of a transaction is never replayed but made anew, so that the epoch is asked again. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "pg_sink.h"

#define KEEP_BYTES ((size_t)64 << 20)
#define TRIES_MAX 8u
#define PAUSE_US 10000u

enum { STATEMENT = 'S', COPY = 'C', DATA = 'D', END = 'E' };

void ent_pg_journal_reset(struct ent_sink *k)
{
	k->journal.max = KEEP_BYTES;
	ent_buf_reset(&k->journal);
	k->journal_full = false;
}

/* --- keeping --- */

static bool keeps(struct ent_sink *k, size_t more)
{
	if (!k->src->cockroach || k->ending || k->replaying)
		return false;
	k->journal_full = k->journal_full || k->journal.len + more + 64 > KEEP_BYTES;
	if (k->journal_full)
		ent_buf_deinit(&k->journal);
	return !k->journal_full;
}

static void part_put(struct ent_buf *out, const char *bytes, size_t len)
{
	ent_buf_be32(out, (uint32_t)len);
	ent_buf_put(out, bytes, len + 1); /* texts with their NUL */
}

static void statement_keep(struct ent_sink *k, const char *sql, const char *const *params, size_t n)
{
	size_t total = strlen(sql) + 8 * n;
	for (size_t i = 0; i < n; i++)
		total += params[i] ? strlen(params[i]) : 0;
	if (!keeps(k, total))
		return;
	ent_buf_u8(&k->journal, STATEMENT);
	part_put(&k->journal, sql, strlen(sql));
	ent_buf_be32(&k->journal, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		ent_buf_u8(&k->journal, params[i] != NULL);
		if (params[i])
			part_put(&k->journal, params[i], strlen(params[i]));
	}
}

void ent_pg_journal_copy(struct ent_sink *k, const char *sql)
{
	if (!keeps(k, strlen(sql)))
		return;
	ent_buf_u8(&k->journal, COPY);
	part_put(&k->journal, sql, strlen(sql));
}

void ent_pg_journal_data(struct ent_sink *k, struct ent_bytes data)
{
	if (!data.len || !keeps(k, data.len))
		return;
	ent_buf_u8(&k->journal, DATA);
	ent_buf_be32(&k->journal, (uint32_t)data.len);
	ent_buf_put(&k->journal, data.data, data.len);
}

void ent_pg_journal_end(struct ent_sink *k)
{
	if (keeps(k, 0))
		ent_buf_u8(&k->journal, END);
}

/* --- again --- */

bool ent_pg_again_wanted(const struct ent_sink *k, const struct ent_err *e)
{
#ifdef ENT_MUTANT_ROACH_NO_RETRY
	return false;
#endif
	return k->src->cockroach && !strcmp(e->sqlstate, "40001");
}

static int statement_again(struct ent_sink *k, struct ent_reader *r, struct ent_err *err)
{
	const char *sql = (const char *)ent_read(r, (size_t)ent_read_be32(r) + 1).data;
	size_t n = ent_read_be32(r);
	const char **params = (const char **)calloc(n + 1, sizeof *params);
	if (!params)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++)
		if (ent_read_u8(r))
			params[i] = (const char *)ent_read(r, (size_t)ent_read_be32(r) + 1).data;
	int code = ent_pg_run(k->src, sql, params, n, NULL, "CockroachDB refuses a statement the second time", err);
	free(params);
	return code;
}

static int copy_again(struct ent_sink *k, struct ent_reader *r, struct ent_err *err)
{
	const char *sql = (const char *)ent_read(r, (size_t)ent_read_be32(r) + 1).data;
	PGconn *con = k->src->con;
	ENT_TRY(ent_pg_copy_begin(k->src, sql, PGRES_COPY_IN, "the table does not take rows the second time", err));
	while (ent_read_u8(r) == DATA) {
		struct ent_bytes data = ent_read(r, ent_read_be32(r));
		if (PQputCopyData(con, (const char *)data.data, (int)data.len) <= 0)
			return ent_pg_fail(k->src, NULL, "the connection to CockroachDB broke", err);
	}
	if (PQputCopyEnd(con, NULL) <= 0)
		return ent_pg_fail(k->src, NULL, "the connection to CockroachDB broke", err);
	ENT_TRY(ent_pg_wait(k->src, err));
	ENT_CLEANUP(ent_pg_clear) PGresult *done = PQgetResult(con);
	for (PGresult *rest = PQgetResult(con); rest; rest = PQgetResult(con))
		PQclear(rest);
	return PQresultStatus(done) == PGRES_COMMAND_OK ? 0 : ent_pg_fail(k->src, done, "CockroachDB refuses rows the second time", err);
}

static int replay(struct ent_sink *k, struct ent_err *err)
{
	struct ent_reader r = ent_reader(ent_buf_bytes(&k->journal));
	if (PQtransactionStatus(k->src->con) != PQTRANS_IDLE)
		ENT_TRY(ent_pg_run(k->src, "ROLLBACK", NULL, 0, NULL, "the transaction cannot be rolled back", err));
	ENT_TRY(ent_pg_run(k->src, "BEGIN", NULL, 0, NULL, "CockroachDB begins no transaction", err));
	k->open = true;
	while (ent_reader_left(&r))
		ENT_TRY(ent_read_u8(&r) == COPY ? copy_again(k, &r, err) : statement_again(k, &r, err));
	return 0;
}

/* Longer each time, and not in step with others. */
static void pause_for(unsigned tries)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	usleep((PAUSE_US << tries) + (unsigned)(t.tv_nsec / 1000) % PAUSE_US);
}

int ent_pg_again(struct ent_sink *k, struct ent_err *err)
{
	if (k->journal_full || k->journal.code) /* too much to keep: the caller begins again at its last checkpoint */
		return err->code;
	int code = ENT_EAGAIN;
	k->replaying = true;
	for (unsigned tries = 0; code && tries < TRIES_MAX && ent_pg_again_wanted(k, err); tries++) {
		pause_for(tries);
		struct ent_err e = ENT_ERR_INIT;
		code = replay(k, &e);
		if (code)
			*err = e;
	}
	k->replaying = false;
	return code;
}

int ent_pg_sink_exec(struct ent_sink *k, const char *sql, const char *const *params, size_t n, PGresult **ret, const char *what, struct ent_err *err)
{
	if (!k->src->cockroach || k->ending)
		return ent_pg_run(k->src, sql, params, n, ret, what, err);
	for (unsigned tries = 0;; tries++) {
		struct ent_err e = ENT_ERR_INIT;
		int code = ent_pg_run(k->src, sql, params, n, ret, what, &e);
		if (!code) {
			if (k->open)
				statement_keep(k, sql, params, n);
			return 0;
		}
		bool again = ent_pg_again_wanted(k, &e) && tries < TRIES_MAX;
		if (again && !k->open)
			pause_for(tries);
		if (!again || (k->open && ent_pg_again(k, &e))) {
			if (err)
				*err = e;
			return e.code;
		}
	}
}
