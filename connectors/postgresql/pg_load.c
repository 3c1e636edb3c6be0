/* Rows on their way into the server: COPY FROM STDIN, kept open over batches; the stage for upserts.
 *
 * The stage is an unlogged table that lives within one transaction only: a temporary table would forbid PREPARE TRANSACTION. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "pg_sink.h"

#define SEND_BYTES ((size_t)256 << 10)

/* --- sending --- */

static int copy_stopped(struct ent_sink *k, struct ent_err *err)
{
	ENT_CLEANUP(ent_pg_clear) PGresult *r = PQgetResult(k->src->con);
	return ent_pg_fail(k->src, r, "PostgreSQL stopped taking rows", err);
}

static int drained(struct ent_sink *k, struct ent_err *err)
{
	struct ent_source *s = k->src;
	uint64_t since = 0;
	for (int left = PQflush(s->con), quiet = 0; left; left = PQflush(s->con)) {
		struct pollfd p = { .fd = PQsocket(s->con), .events = POLLIN | POLLOUT };
		if (left < 0)
			return copy_stopped(k, err);
		if (s->host.cancelled && s->host.cancelled(s->host.self))
			return ent_fail(err, ENT_ECANCELLED, "writing to PostgreSQL was cancelled");
		int n = poll(&p, 1, 100);
		if (n < 0 && errno != EINTR)
			return ent_fail(err, ENT_EIO, "the connection to PostgreSQL broke");
		if (n > 0 && (p.revents & ~POLLOUT) && !PQconsumeInput(s->con))
			return copy_stopped(k, err);
		since = n > 0 ? 0 : since;
		quiet = n > 0 ? 0 : quiet + 1;
		if (quiet > 36000)
			return ent_fail(err, ENT_EAGAIN, "PostgreSQL takes no rows for an hour");
		ENT_TRY(ent_pg_silent(s, &since, err));
	}
	return 0;
}

int ent_pg_load_flush(struct ent_sink *k, size_t leave, struct ent_err *err)
{
	ENT_TRY(ent_buf_check(&k->out, err));
	if (k->out.len <= leave)
		return 0;
	ent_pg_journal_data(k, ent_buf_bytes(&k->out));
	for (size_t at = 0; at < k->out.len;) {
		size_t n = k->out.len - at > SEND_BYTES ? SEND_BYTES : k->out.len - at;
		int sent = PQputCopyData(k->src->con, (const char *)k->out.data + at, (int)n);
		if (sent < 0)
			return copy_stopped(k, err);
		ENT_TRY(drained(k, err));
		at += sent ? n : 0;
	}
	k->out.len = 0;
	return 0;
}

/* The COPY itself may be what CockroachDB wants repeated. */
static int copy_open(struct ent_sink *k, const char *sql, struct ent_err *err)
{
	struct ent_err e = ENT_ERR_INIT;
	int code = ent_pg_copy_begin(k->src, sql, PGRES_COPY_IN, "the table does not take rows", &e);
	while (code && ent_pg_again_wanted(k, &e) && !ent_pg_again(k, &e)) {
		e = (struct ent_err)ENT_ERR_INIT;
		code = ent_pg_copy_begin(k->src, sql, PGRES_COPY_IN, "the table does not take rows", &e);
	}
	if (code && err)
		*err = e;
	if (!code)
		ent_pg_journal_copy(k, sql);
	return code;
}

int ent_pg_load_begin(struct ent_sink *k, struct ent_pg_dest *d, const char *table, const char *columns, bool as_text, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)1 << 20);
	if (k->loading == d)
		return 0;
	ENT_TRY(ent_pg_load_end(k, err));
	ENT_TRY(ent_pg_sink_begin(k, err));
	ent_buf_printf(&sql, "COPY %s (%s) FROM STDIN (FORMAT %s)", table, columns, as_text ? "text" : "binary");
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(copy_open(k, ent_buf_text(&sql), err));
	k->loading = d;
	k->loading_text = as_text;
	k->loaded = 0;
	ent_buf_reset(&k->out);
	if (!as_text)
		ent_pg_copy_header_put(&k->out);
	return PQsetnonblocking(k->src->con, 1) ? ent_fail(err, ENT_EIO, "the connection to PostgreSQL broke") : 0;
}

/* Takes the answer to a COPY; it must have taken every row. */
static int load_answer(struct ent_sink *k, struct ent_err *err)
{
	struct ent_source *s = k->src;
	ENT_TRY(ent_pg_wait(s, err));
	ENT_CLEANUP(ent_pg_clear) PGresult *r = PQgetResult(s->con);
	for (PGresult *rest = PQgetResult(s->con); rest; rest = PQgetResult(s->con))
		PQclear(rest);
	if (PQresultStatus(r) != PGRES_COMMAND_OK)
		return ent_pg_fail(s, r, "PostgreSQL refuses rows", err);
	uint64_t taken = 0;
	const char *count = PQcmdTuples(r);
	if (!ent_parse_u64(count, strlen(count), UINT64_MAX, &taken) || taken != k->loaded)
		return ent_fail(err, ENT_EDATA, "PostgreSQL took %llu rows of %llu: a trigger or rule of the table drops some",
				(unsigned long long)taken, (unsigned long long)k->loaded);
	return 0;
}

int ent_pg_load_end(struct ent_sink *k, struct ent_err *err)
{
	if (!k->loading)
		return 0;
	if (!k->loading_text)
		ent_buf_be16(&k->out, UINT16_MAX);
	ENT_TRY(ent_pg_load_flush(k, 0, err));
	int ended = PQputCopyEnd(k->src->con, NULL);
	if (ended < 0)
		return copy_stopped(k, err);
	ENT_TRY(drained(k, err));
	k->loading = NULL;
	(void)PQsetnonblocking(k->src->con, 0);
	ent_pg_journal_end(k);
	struct ent_err e = ENT_ERR_INIT;
	int code = load_answer(k, &e);
	if (code && !k->ending && ent_pg_again_wanted(k, &e))
		code = ent_pg_again(k, &e);
	if (code && err)
		*err = e;
	return code;
}

/* --- the stage --- */

int ent_pg_stage_open(struct ent_sink *k, struct ent_pg_dest *d, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(2000);
	static const char what[] = "the stage cannot be made";
	ENT_TRY(ent_pg_load_end(k, err));
	ENT_TRY(ent_pg_sink_begin(k, err));
	if (d->staged) {
		ent_buf_printf(&sql, "TRUNCATE %s", ent_buf_text(&d->stage));
		return ent_pg_sink_run(k, ent_buf_text(&sql), what, err);
	}
	ent_buf_printf(&sql, "CREATE UNLOGGED TABLE %s AS SELECT * FROM %s WITH NO DATA", ent_buf_text(&d->stage), ent_buf_text(&d->goes));
	ENT_TRY(ent_pg_sink_run(k, ent_buf_text(&sql), what, err));
	d->staged = true;
	return 0;
}

int ent_pg_stages_drop(struct ent_sink *k, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(2000);
	for (size_t i = 0; i < k->n_dests; i++) {
		struct ent_pg_dest *d = k->dests[i];
		if (!d->staged)
			continue;
		ent_buf_reset(&sql);
		ent_buf_printf(&sql, "DROP TABLE %s", ent_buf_text(&d->stage));
		ENT_TRY(ent_pg_sink_run(k, ent_buf_text(&sql), "the stage cannot be dropped", err));
		d->staged = false;
	}
	return 0;
}

static bool is_key(const struct ent_pg_dest *d, const char *name)
{
	for (size_t i = 0; i < d->n_keys; i++)
		if (!strcmp(d->keys[i], name))
			return true;
	return false;
}

static void keys_put(const struct ent_pg_dest *d, struct ent_buf *sql)
{
	for (size_t i = 0; i < d->n_keys; i++) {
		ent_buf_str(sql, i ? ", " : "");
		ent_pg_name(sql, d->keys[i]);
	}
}

void ent_pg_conflict_put(const struct ent_pg_dest *d, const struct ent_pg_put *puts, size_t n_puts, struct ent_buf *sql)
{
	const char *sep = " DO UPDATE SET ";
	ent_buf_str(sql, " ON CONFLICT (");
	keys_put(d, sql);
	ent_buf_str(sql, ")");
	for (size_t i = 0; i < n_puts; i++) {
		if (is_key(d, puts[i].name))
			continue;
		ent_buf_str(sql, sep);
		ent_pg_name(sql, puts[i].name);
		ent_buf_str(sql, " = EXCLUDED.");
		ent_pg_name(sql, puts[i].name);
		sep = ", ";
	}
	ent_buf_str(sql, *sep == ',' ? "" : " DO NOTHING");
}

/* Runs sql, and the other one when a row of the stage stands for a key that another row stands for too. */
static int run_or(struct ent_sink *k, const char *sql, const char *other, struct ent_err *err)
{
	static const char what[] = "PostgreSQL refuses rows";
	struct ent_err first = ENT_ERR_INIT;
	ENT_TRY(ent_pg_sink_run(k, "SAVEPOINT entente_upsert", what, err));
	int code = ent_pg_sink_run(k, sql, what, &first);
	if (code && !strcmp(first.sqlstate, "21000")) {
		ENT_TRY(ent_pg_sink_run(k, "ROLLBACK TO SAVEPOINT entente_upsert", what, err));
		code = ent_pg_sink_run(k, other, what, &first);
	}
	if (!code)
		return ent_pg_sink_run(k, "RELEASE SAVEPOINT entente_upsert", what, err);
	if (err)
		*err = first;
	return code;
}

int ent_pg_stage_upsert(struct ent_sink *k, struct ent_pg_dest *d, const struct ent_pg_put *puts, size_t n_puts, const char *columns,
			struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf plain = ENT_BUF((size_t)1 << 20), last = ENT_BUF((size_t)1 << 20), tail = ENT_BUF((size_t)1 << 20);
	ent_pg_conflict_put(d, puts, n_puts, &tail);
	ent_buf_printf(&plain, "INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s%s", ent_buf_text(&d->goes), columns, columns,
		       ent_buf_text(&d->stage), ent_buf_text(&tail));
	ent_buf_printf(&last, "INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT DISTINCT ON (", ent_buf_text(&d->goes), columns);
	keys_put(d, &last);
	ent_buf_printf(&last, ") %s FROM %s ORDER BY ", columns, ent_buf_text(&d->stage));
	keys_put(d, &last);
	ent_buf_printf(&last, ", ctid DESC%s", ent_buf_text(&tail));
	ENT_TRY(ent_buf_check(&plain, err));
	ENT_TRY(ent_buf_check(&last, err));
	ENT_TRY(ent_pg_load_end(k, err));
	return run_or(k, ent_buf_text(&plain), ent_buf_text(&last), err);
}

/* --- rows --- */

/* Images stand one after the other in the batch: they go out as they are. */
static int wire_send(struct ent_sink *k, const struct ent_batch *b, struct ent_err *err)
{
	const struct ent_view *v = &b->columns[0];
	if (!b->rows)
		return 0;
	struct ent_bytes first = ent_view_text(v, 0), last = ent_view_text(v, b->rows - 1);
	size_t total = (size_t)(last.data + last.len - first.data);
	k->loaded += b->rows;
	ENT_TRY(ent_pg_load_flush(k, 0, err));
	for (size_t at = 0; at < total;) {
		size_t n = total - at > SEND_BYTES ? SEND_BYTES : total - at;
		int sent = PQputCopyData(k->src->con, (const char *)first.data + at, (int)n);
		if (sent < 0)
			return copy_stopped(k, err);
		ENT_TRY(drained(k, err));
		at += sent ? n : 0;
	}
	return 0;
}

static int rows_send(struct ent_sink *k, struct ent_pg_dest *d, const struct ent_batch *b, struct ent_err *err)
{
	const struct ent_view **columns = (const struct ent_view **)ent_alloc(b->n_columns + 1, sizeof(struct ent_view *));
	int code = columns ? 0 : ent_nomem(err);
	for (size_t i = 0; !code && i < b->n_columns; i++)
		columns[i] = &b->columns[i];
	for (size_t r = 0; !code && r < b->rows; r++) {
		code = ent_pg_row_put(d->puts, columns, b->n_columns, d->as_text, NULL, r, d->rows + r + 1, &k->out, err);
		if (!code && k->out.len > SEND_BYTES)
			code = ent_pg_load_flush(k, SEND_BYTES, err);
	}
	k->loaded += b->rows;
	free(columns);
	return code;
}

int ent_pg_sink_rows(struct ent_sink *k, size_t index, const struct ArrowArray *rows, struct ent_err *err)
{
	ENT_BATCH_AUTO b = { 0 };
	if (index >= k->n_dests)
		return ent_fail(err, ENT_EINTERNAL, "the sink has no table %zu", index);
	struct ent_pg_dest *d = k->dests[index];
	bool upsert = d->mode == ENT_WRITE_UPSERT;
	ENT_TRY(ent_pg_gathers_apply(k, err));
	if (upsert && k->src->cockroach)
		return ent_pg_rows_upsert(k, d, rows, err);
	ENT_TRY(ent_batch_open_copy(&d->arrow, rows, &b, err));
	if (upsert)
		ENT_TRY(ent_pg_stage_open(k, d, err));
	ENT_TRY(ent_pg_load_begin(k, d, ent_buf_text(upsert ? &d->stage : &d->goes), ent_buf_text(&d->columns), d->as_text, err));
	ENT_TRY(d->wire ? wire_send(k, &b, err) : rows_send(k, d, &b, err));
	d->rows += b.rows;
	return upsert ? ent_pg_stage_upsert(k, d, d->puts, d->n_puts, ent_buf_text(&d->columns), err) : 0;
}
