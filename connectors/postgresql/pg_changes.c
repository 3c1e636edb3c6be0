/* The stream of changes: START_REPLICATION over COPY BOTH, one message at a time, with events in the order of the log.
 *
 * Rows of one table gather in its builder until something else comes (another table, a new schema, a truncate), the batch is full, or the log is
 * quiet. Transactions that follow each other closely end with one COMMIT event, so that small transactions travel together; a large one is sent in
 * several batches, and the server keeps what has not arrived (proto_version 1: it sends a transaction when it is committed, so nothing is thrown
 * away later and memory here is one batch). The server hears of a position only after changes_ack. */
#include "pg_changes.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TOGETHER_ROWS 16384 /* transactions travel together up to so many rows */
#define TOGETHER_MS 200
#define STATUS_MS 5000
#define ASK_MS 500     /* on a quiet log: ask the server how far it is */
#define SILENT_TIMES 4 /* asked for so many time-outs and said nothing: it is gone; generous, for it may be busy with a large transaction */

struct ent_changes {
	struct ent_roach *roach; /* CockroachDB: nothing below is used */
	struct ent_source *src;
	struct ent_source repl; /* the replication connection; only host, con and copying are used */
	char *job;
	struct ent_pg_follow *tables;
	size_t n_tables;
	struct ent_pg_cursor at; /* of this server; lsn: end of the last commit or keepalive told */
	uint64_t acked;
	struct ent_pgout decoder;
	struct ent_pgout_msg *msg;
	char *piece; /* the message that msg points into; kept while it is not done */
	bool have, schema_told, failed;
	size_t truncate_at;
	struct ent_pg_follow *filling; /* the table whose builder has rows */
	bool in_transaction, commit_due, begun;
	uint64_t commit_lsn, quiet_lsn;
	int64_t time_us;
	uint64_t since_ms, status_ms, ask_ms, unanswered_ms, retained_ms, retained;
};

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int64_t utc_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* --- opening --- */

static int settle(struct ent_source *repl, struct ent_err *err)
{
	static const char *const settings[] = { "SET TimeZone = 'UTC'",         "SET DateStyle = 'ISO'",      "SET IntervalStyle = 'iso_8601'",
						"SET search_path = pg_catalog", "SET extra_float_digits = 1", "SET bytea_output = 'hex'",
						"SET statement_timeout = 0" };
	for (size_t i = 0; i < ENT_COUNT(settings); i++)
		ENT_TRY(ent_pg_simple(repl, settings[i], NULL, "the replication session cannot be prepared", err));
	return 0;
}

static int start(struct ent_changes *c, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1000);
	int version = PQserverVersion(c->repl.con);
	c->decoder.version = version >= 160000 ? 4 : version >= 150000 ? 3 : version >= 140000 ? 2 : 1;
	ent_buf_str(&sql, "START_REPLICATION SLOT ");
	ent_pg_slot_name(&sql, c->job, true);
	ent_buf_printf(&sql, " LOGICAL %X/%X (proto_version '%u', publication_names '", (unsigned)(c->at.lsn >> 32), (unsigned)c->at.lsn,
		       c->decoder.version);
	ent_pg_slot_name(&sql, c->job, true);
	ent_buf_str(&sql, "')");
	ENT_TRY(ent_buf_check(&sql, err));
	return ent_pg_simple(&c->repl, ent_buf_text(&sql), NULL, "PostgreSQL does not send its changes", err);
}

void ent_pg_changes_close(struct ent_changes *c)
{
	if (!c)
		return;
	ent_roach_close(c->roach);
	if (c->piece)
		PQfreemem(c->piece);
	PQfinish(c->repl.con);
	for (size_t i = 0; i < c->n_tables; i++)
		ent_pg_follow_deinit(&c->tables[i]);
	free(c->tables);
	free(c->msg);
	free(c->job);
	free(c);
}
static void changes_closep(struct ent_changes **c) { ent_pg_changes_close(*c); }

static int tables_set(struct ent_changes *c, const struct ent_changes_spec *spec, struct ent_err *err)
{
	c->tables = (struct ent_pg_follow *)calloc(spec->n_objects + 1, sizeof *c->tables);
	c->msg = (struct ent_pgout_msg *)calloc(1, sizeof *c->msg);
	c->job = ent_strdup(spec->job);
	if (!c->tables || !c->msg || !c->job)
		return ent_nomem(err);
	for (size_t i = 0; i < spec->n_objects; i++) {
		struct ent_pg_follow *t = &c->tables[c->n_tables++];
		if (!(t->object = ent_strdup(spec->objects[i])))
			return ent_nomem(err);
		ENT_TRY(ent_pg_object_split(spec->objects[i], t->schema, t->table, err));
	}
	return 0;
}

int ent_pg_changes_open(struct ent_source *s, const struct ent_changes_spec *spec, struct ent_changes **ret, struct ent_err *err)
{
	ENT_CLEANUP(changes_closep) struct ent_changes *c = (struct ent_changes *)calloc(1, sizeof *c);
	struct ent_pg_cursor from;
	if (!c)
		return ent_nomem(err);
	if (s->cockroach) {
		ENT_TRY(ent_roach_open(s, spec, &c->roach, err));
		*ret = c;
		c = NULL;
		return 0;
	}
	if (spec->cursor && !ent_pg_cursor_parse(spec->cursor, &from))
		return ent_fail(err, ENT_EDATA, "this is no cursor of PostgreSQL: %.100s", spec->cursor);
	c->src = s;
	c->repl.host = s->host;
	ENT_TRY(tables_set(c, spec, err));
	ENT_TRY(ent_pg_connect_replication(s, &c->repl, err));
	ENT_TRY(settle(&c->repl, err));
	ENT_TRY(ent_pg_slot_ready(s, &c->repl, spec, spec->cursor ? &from : NULL, &c->at, err));
	c->acked = c->at.lsn;
	c->begun = !spec->cursor;
	ENT_TRY(start(c, err));
	c->status_ms = c->ask_ms = now_ms();
	*ret = c;
	c = NULL;
	return 0;
}

/* --- talking back --- */

static int status_send(struct ent_changes *c, bool ask, struct ent_err *err)
{
	uint8_t bytes[ENT_PGOUT_STATUS_BYTES];
	ent_pgout_status(c->acked, utc_us(), ask, bytes);
	if (PQputCopyData(c->repl.con, (const char *)bytes, sizeof bytes) <= 0 || PQflush(c->repl.con) < 0)
		return ent_pg_fail(&c->repl, NULL, "the connection to PostgreSQL broke", err);
	c->status_ms = now_ms();
	return 0;
}

int ent_pg_changes_ack(struct ent_changes *c, const char *cursor, struct ent_err *err)
{
	struct ent_pg_cursor at;
	if (c->roach)
		return ent_roach_ack(c->roach, cursor, err);
	if (!ent_pg_cursor_parse(cursor, &at) || at.system != c->at.system || at.database != c->at.database)
		return ent_fail(err, ENT_EDATA, "this is no cursor of this PostgreSQL server: %.100s", cursor);
	if (at.lsn > c->at.lsn)
		return ent_fail(err, ENT_EDATA, "a position that was never told cannot be acknowledged");
	if (at.lsn <= c->acked)
		return 0;
	c->acked = at.lsn;
	return status_send(c, false, err);
}

/* --- events --- */

static void cursor_put(const struct ent_changes *c, struct ent_event *e) { ent_pg_cursor_text(&c->at, e->cursor); }

static int rows_event(struct ent_changes *c, struct ent_event *e, struct ent_err *err)
{
	struct ent_pg_follow *t = c->filling;
	ENT_TRY(ent_builder_finish(t->builder, &e->array, err));
	e->kind = ENT_EVENT_ROWS;
	e->table = (size_t)(t - c->tables);
	e->time_us = c->time_us;
	c->filling = NULL;
	return 0;
}

static uint64_t retained(struct ent_changes *c)
{
	if (now_ms() - c->retained_ms > STATUS_MS || !c->retained_ms) {
		c->retained = ent_pg_slot_retained(c->src, c->job);
		c->retained_ms = now_ms();
	}
	return c->retained;
}

static void commit_event(struct ent_changes *c, struct ent_event *e)
{
	c->commit_due = false;
	c->at.lsn = c->commit_lsn;
	e->kind = ENT_EVENT_COMMIT;
	e->time_us = c->time_us;
	e->retained_bytes = retained(c);
	cursor_put(c, e);
}

static void heartbeat_event(struct ent_changes *c, struct ent_event *e)
{
	if (c->quiet_lsn > c->at.lsn)
		c->at.lsn = c->quiet_lsn;
	c->begun = false;
	e->kind = ENT_EVENT_HEARTBEAT;
	e->retained_bytes = retained(c);
	cursor_put(c, e);
}

static size_t waiting_rows(const struct ent_changes *c) { return c->filling ? ent_builder_rows(c->filling->builder) : 0; }

/* --- messages --- */

/* What a step came to: the message is done, or an event must go out first. */
enum step { STEP_DONE, STEP_EVENT };

static struct ent_pg_follow *table_of(struct ent_changes *c, uint32_t relation)
{
	for (size_t i = 0; i < c->n_tables; i++)
		if (c->tables[i].relation == relation && c->tables[i].builder)
			return &c->tables[i];
	return NULL;
}

static int relation_step(struct ent_changes *c, struct ent_event *e, enum step *ret, struct ent_err *err)
{
	bool changed;
	for (size_t i = 0; i < c->n_tables; i++) {
		struct ent_pg_follow *t = &c->tables[i];
		bool named = !strcmp(t->schema, c->msg->schema) && !strcmp(t->table, c->msg->table);
		if (!named && t->builder && t->relation == c->msg->relation)
			return ent_fail(err, ENT_EDATA, "the followed table %.200s was renamed to %.63s.%.63s", t->object, c->msg->schema,
					c->msg->table);
		if (!named)
			continue;
		if (c->filling == t && !ent_pg_follow_same(t, c->msg)) {
			*ret = STEP_EVENT;
			return rows_event(c, e, err);
		}
		ENT_TRY(ent_pg_follow_relation(c->src, t, c->msg, &changed, err));
		if (!changed || c->schema_told)
			return 0;
		e->kind = ENT_EVENT_SCHEMA;
		e->table = i;
		c->schema_told = true; /* the message is done when it comes here again */
		*ret = STEP_EVENT;
		return ent_schema_dup(&t->arrow, &e->schema, err);
	}
	return 0;
}

static int row_step(struct ent_changes *c, struct ent_event *e, enum step *ret, struct ent_err *err)
{
	struct ent_pg_follow *t = table_of(c, c->msg->relation);
	if (!t)
		return 0; /* of no followed table */
	if (c->filling && (c->filling != t || ent_builder_full(t->builder) || waiting_rows(c) + 2 > ENT_BATCH_ROWS_MAX)) {
		*ret = STEP_EVENT;
		return rows_event(c, e, err);
	}
	if (!c->filling && !c->commit_due)
		c->since_ms = now_ms();
	c->filling = t;
	return ent_pg_follow_row(t, c->msg, err);
}

static int truncate_step(struct ent_changes *c, struct ent_event *e, enum step *ret, struct ent_err *err)
{
	if (c->filling) {
		*ret = STEP_EVENT;
		return rows_event(c, e, err);
	}
	struct ent_reader r = ent_reader(c->msg->relations);
	ent_read(&r, c->truncate_at * 4);
	while (ent_reader_left(&r)) {
		struct ent_pg_follow *t = table_of(c, ent_read_be32(&r));
		c->truncate_at++;
		if (!t)
			continue;
		e->kind = ENT_EVENT_TRUNCATE;
		e->table = (size_t)(t - c->tables);
		e->time_us = c->time_us;
		*ret = STEP_EVENT;
		return 0;
	}
	return 0;
}

/* Before a transaction begins, those that wait may have waited enough. */
static int begin_step(struct ent_changes *c, struct ent_event *e, enum step *ret, struct ent_err *err)
{
	if (c->commit_due && (waiting_rows(c) >= TOGETHER_ROWS || now_ms() - c->since_ms > TOGETHER_MS)) {
		*ret = STEP_EVENT;
		if (c->filling)
			return rows_event(c, e, err);
		commit_event(c, e);
		return 0;
	}
	c->in_transaction = true;
	c->time_us = c->msg->time_us;
	return 0;
}

static int message_step(struct ent_changes *c, struct ent_event *e, enum step *ret, struct ent_err *err)
{
	*ret = STEP_DONE;
	switch (c->msg->kind) {
	case ENT_PGOUT_BEGIN:
		return begin_step(c, e, ret, err);
	case ENT_PGOUT_COMMIT:
		c->in_transaction = false;
		c->commit_due = true;
		c->commit_lsn = c->msg->end_lsn;
		c->time_us = c->msg->time_us;
		return 0;
	case ENT_PGOUT_RELATION:
		return relation_step(c, e, ret, err);
	case ENT_PGOUT_INSERT:
	case ENT_PGOUT_UPDATE:
	case ENT_PGOUT_DELETE:
		return row_step(c, e, ret, err);
	case ENT_PGOUT_TRUNCATE:
		return truncate_step(c, e, ret, err);
	case ENT_PGOUT_OTHER:
		return 0;
	case ENT_PGOUT_STREAM_START:
	case ENT_PGOUT_STREAM_STOP:
	case ENT_PGOUT_STREAM_COMMIT:
	case ENT_PGOUT_STREAM_ABORT:
	case ENT_PGOUT_PREPARE:
	case ENT_PGOUT_COMMIT_PREPARED:
	case ENT_PGOUT_ROLLBACK_PREPARED:
		break;
	}
	return ent_fail(err, ENT_EDATA, "PostgreSQL sent a transaction that is not committed, though nobody asked for it");
}

/* --- the connection --- */

static int stream_ended(struct ent_changes *c, struct ent_err *err)
{
	ENT_CLEANUP(ent_pg_clear) PGresult *r = PQgetResult(c->repl.con);
	int code = ent_pg_fail(&c->repl, r, "PostgreSQL stopped sending changes", err);
	const char *state = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
	if (state && (!strcmp(state, "55000") || !strcmp(state, "58P01") || !strcmp(state, "42704") || !strcmp(state, "XX000"))) {
		code = ENT_EDATA; /* the slot or its log is gone */
		if (err)
			err->code = code;
		ent_next(err, "begin anew: entente replicate run ... --restart");
	}
	return code == ENT_EIO ? (err ? (err->code = ENT_EAGAIN) : ENT_EAGAIN) : code;
}

/* The next frame into piece and msg; have stays false when nothing is there yet. */
static int frame_take(struct ent_changes *c, struct ent_err *err)
{
	struct ent_pgout_frame f;
	int n = PQgetCopyData(c->repl.con, &c->piece, 1);
	if (n == 0)
		return 0;
	c->unanswered_ms = 0;
	if (n < 0)
		return stream_ended(c, err);
	ENT_TRY(ent_pgout_frame(ent_bytes(c->piece, (size_t)n), &f, err));
	if (f.data) {
		ENT_TRY(ent_pgout_decode(&c->decoder, f.message, c->msg, err));
		c->have = true;
		c->schema_told = false;
		c->truncate_at = 0;
		return 0;
	}
	PQfreemem(c->piece);
	c->piece = NULL;
	if (!c->in_transaction && !c->commit_due && f.end > c->quiet_lsn)
		c->quiet_lsn = f.end;
	return f.reply ? status_send(c, false, err) : 0;
}

static void message_done(struct ent_changes *c)
{
	PQfreemem(c->piece);
	c->piece = NULL;
	c->have = false;
}

static int input_wait(struct ent_changes *c, uint32_t ms, bool *ret_more, struct ent_err *err)
{
	struct pollfd p = { .fd = PQsocket(c->repl.con), .events = POLLIN };
	int n = poll(&p, 1, (int)(ms > 100 ? 100 : ms));
	if (n < 0 && errno != EINTR)
		return ent_fail(err, ENT_EIO, "the connection to PostgreSQL broke");
	*ret_more = n > 0;
	if (n > 0 && !PQconsumeInput(c->repl.con))
		return stream_ended(c, err);
	return 0;
}

/* The log is quiet: what waits goes out, else a heartbeat when there is one to tell. */
static int quiet_event(struct ent_changes *c, struct ent_event *e, bool *ret, struct ent_err *err)
{
	*ret = true;
	if (c->commit_due && c->filling)
		return rows_event(c, e, err);
	if (c->commit_due)
		commit_event(c, e);
	else if (!c->in_transaction && c->quiet_lsn > c->at.lsn)
		heartbeat_event(c, e);
	else
		*ret = false;
	return 0;
}

/* A server that hangs, or a machine that vanished, ends no connection. */
static int silence_check(const struct ent_changes *c, uint64_t now, struct ent_err *err)
{
	uint64_t limit = SILENT_TIMES * ent_pg_answer_ms(c->src);
	if (!c->unanswered_ms || now - c->unanswered_ms <= limit)
		return 0;
	ent_fail(err, ENT_EAGAIN, "PostgreSQL stopped sending changes");
	return ent_why(err, "it has answered nothing for %llu s", (unsigned long long)(now - c->unanswered_ms) / 1000), ENT_EAGAIN;
}

static int ticks(struct ent_changes *c, struct ent_err *err)
{
	uint64_t now = now_ms();
	if (c->src->host.cancelled && c->src->host.cancelled(c->src->host.self))
		return ent_fail(err, ENT_ECANCELLED, "following changes was cancelled");
	ENT_TRY(silence_check(c, now, err));
	bool ask = now - c->ask_ms > (c->in_transaction ? STATUS_MS : ASK_MS);
	if (!ask && now - c->status_ms <= STATUS_MS)
		return 0;
	c->ask_ms = ask ? now : c->ask_ms;
	c->unanswered_ms = ask && !c->unanswered_ms ? now : c->unanswered_ms;
	return status_send(c, ask, err);
}

/* Messages until one event, or until nothing is there. *ret: there is an event. */
static int messages_take(struct ent_changes *c, struct ent_event *e, bool *ret, struct ent_err *err)
{
	enum step step;
	*ret = false;
	for (;;) {
		if (!c->have)
			ENT_TRY(frame_take(c, err));
		if (!c->have && !c->piece)
			return 0;
		if (!c->have)
			continue;
		ENT_TRY(message_step(c, e, &step, err));
		if (step == STEP_EVENT) {
			*ret = true;
			return 0;
		}
		message_done(c);
	}
}

static int next(struct ent_changes *c, uint32_t timeout_ms, struct ent_event *ret, struct ent_err *err)
{
	uint64_t begin = now_ms();
	struct ent_event e = { .size = sizeof e, .kind = ENT_EVENT_IDLE };
	bool event = false, more = false;
	if (c->begun) { /* where a new slot begins is the first thing to be told */
		heartbeat_event(c, &e);
		*ret = e;
		return 0;
	}
	for (;;) {
		ENT_TRY(messages_take(c, &e, &event, err));
		if (!event) {
			ENT_TRY(input_wait(c, 0, &more, err));
			if (more)
				continue;
			ENT_TRY(quiet_event(c, &e, &event, err));
		}
		uint64_t gone = now_ms() - begin;
		if (event || gone >= timeout_ms)
			break;
		ENT_TRY(ticks(c, err));
		ENT_TRY(input_wait(c, (uint32_t)(timeout_ms - gone), &more, err));
	}
	*ret = e;
	return 0;
}

int ent_pg_changes_next(struct ent_changes *c, uint32_t timeout_ms, struct ent_event *ret, struct ent_err *err)
{
	if (c->failed)
		return ent_fail(err, ENT_EAGAIN, "these changes have failed: follow them anew from the last cursor");
	int code = c->roach ? ent_roach_take(c->roach, timeout_ms, ret, err) : next(c, timeout_ms, ret, err);
	c->failed = code != 0;
	return code;
}

/* --- positions --- */

int ent_pg_position(struct ent_source *s, char ret[400], struct ent_err *err)
{
	struct ent_pg_cursor c;
	if (s->cockroach)
		return ent_roach_position(s, ret, err);
	ENT_TRY(ent_pg_identity(s, &c, err));
	ent_pg_cursor_text(&c, ret);
	return 0;
}

int ent_pg_position_reached(const char *a, const char *b)
{
	struct ent_pg_cursor x, y;
	bool reached;
	if (ent_roach_reached(a, b, &reached))
		return reached;
	return ent_pg_cursor_parse(a, &x) && ent_pg_cursor_parse(b, &y) && x.system == y.system && x.lsn <= y.lsn;
}
