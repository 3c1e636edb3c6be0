/* Changes, one event after the other; the target commits at ends of source transactions only. */
#include "move/follow.h"

#include <stdio.h>

#include "arrow/batch.h"
#include "arrow/rows.h"

#define POLL_MS 250u

static bool cancelled(const struct ent_following *f) { return f->env->cancelled && f->env->cancelled(f->env->self); }

/* ---- durable ---- */

int ent_following_batch(struct ent_following *f, bool end, struct ent_err *err)
{
	uint32_t every = f->spec->batch_ms ? f->spec->batch_ms : 60000;
	struct ent_replicate_batch b = { f->batch.from, f->durable, f->batch.rows, f->batch.transactions, "" };
	int64_t now = f->env->now_us(f->env->self);
	if (!b.rows || (!end && now - f->batch_us < (int64_t)every * 1000))
		return 0;
	ent_digest_text(&f->batch.digest, b.digest);
	if (f->env->batch)
		ENT_TRY(f->env->batch(f->env->self, &b, err));
	memset(&f->batch, 0, sizeof f->batch);
	f->batch_us = now;
	return 0;
}

static int stops_save(struct ent_following *f, struct ent_err *err)
{
	for (size_t i = 0; i < f->spec->n_tables; i++) {
		char part[200];
		if (f->tables[i].known_unsaved)
			ENT_TRY(ent_following_known_save(f, i, err));
		if (!f->tables[i].stop_unsaved)
			continue;
		snprintf(part, sizeof part, "stopped %.150s", f->spec->tables[i].source);
		ENT_TRY(ent_following_mark(f, part, f->tables[i].stopped, 0, err));
		f->tables[i].stop_unsaved = false;
		ent_following_tell(f, NULL);
	}
	return 0;
}

/* Everything up to the last whole transaction. Never called in the middle of one. */
static int commit(struct ent_following *f, struct ent_err *err)
{
	ENT_TRY(stops_save(f, err));
	if (!f->rows_open && !strcmp(f->seen, f->durable))
		return 0;
	ENT_TRY(ent_following_mark(f, "changes", f->seen, f->rows_applied + f->rows_open, err));
	if (!f->batch.from[0])
		snprintf(f->batch.from, sizeof f->batch.from, "%s", f->durable);
	snprintf(f->durable, sizeof f->durable, "%s", f->seen);
	f->rows_applied += f->rows_open;
	f->transactions += f->transactions_open;
	f->batch.rows += f->rows_open;
	f->batch.transactions += f->transactions_open;
	f->rows_open = f->transactions_open = 0;
	f->commit_us = f->env->now_us(f->env->self);
	if (f->last_time_us)
		f->lag_us = f->commit_us - f->last_time_us;
	if (f->state == ENT_REPLICATE_CATCHING_UP && f->source.connector->position_reached(f->goal, f->durable))
		f->state = ENT_REPLICATE_STREAMING;
#ifndef ENT_MUTANT_REPLICATE_NO_ACK
	ENT_TRY(f->source.connector->changes_ack(f->changes, f->durable, err));
#endif
	ent_following_tell(f, NULL);
	return ent_following_batch(f, false, err);
}

static bool due(struct ent_following *f)
{
	uint64_t rows = f->spec->commit_rows ? f->spec->commit_rows : 20000;
	int64_t ms = f->spec->commit_ms ? f->spec->commit_ms : 500;
	return f->rows_open >= rows || f->env->now_us(f->env->self) - f->commit_us >= ms * 1000;
}

/* ---- schemas ---- */

static void stop(struct ent_following *f, size_t i, const char *why)
{
	struct ent_follow_table *t = &f->tables[i];
	snprintf(t->stopped, sizeof t->stopped, "%s", why);
	t->stop_unsaved = true;
}

/* A schema that comes with the first rows or with a change. */
static int schema_take(struct ent_following *f, struct ent_event *e, struct ent_err *err)
{
	struct ent_follow_table *t = &f->tables[e->table];
	char why[400] = "";
	ent_schema_release(&t->event_schema);
	t->event_schema = ent_schema_take(&e->schema);
	if (t->stopped[0])
		return 0;
	if (!f->in_transaction) /* some targets change columns between two transactions only */
		ENT_TRY(commit(f, err));
	ENT_TRY(ent_following_columns(f, e->table, &t->event_schema, why, err));
	if (why[0])
		stop(f, e->table, why);
	return 0;
}

/* ---- rows ---- */

static int rows_digest(struct ent_following *f, const struct ArrowSchema *schema, const struct ArrowArray *rows, struct ent_err *err)
{
	ENT_BATCH_AUTO b = { 0 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf row = ENT_BUF((size_t)128 << 20);
	ENT_TRY(ent_batch_open_copy(schema, rows, &b, err));
	for (size_t r = 0; r < b.rows; r++) {
		row.len = 0;
		ent_rows_put(&b, r, &row);
		ENT_TRY(ent_buf_check(&row, err));
		ent_digest_put(&f->batch.digest, ent_bytes(row.data, row.len));
	}
	return 0;
}

static int rows_take(struct ent_following *f, struct ent_event *e, struct ent_err *err)
{
	struct ent_follow_table *t = &f->tables[e->table];
	if (e->schema.release)
		ENT_TRY(schema_take(f, e, err));
	f->in_transaction = true;
	if (t->stopped[0])
		return 0;
	if (!t->event_schema.release)
		return ent_fail(err, ENT_EINTERNAL, "changes came without their schema");
	ENT_TRY(f->target.connector->sink_changes(f->sink, t->index, &t->event_schema, &e->array, err));
	ENT_TRY(rows_digest(f, &t->event_schema, &e->array, err));
	f->rows_open += (uint64_t)e->array.length;
	return 0;
}

static int truncated(struct ent_following *f, size_t i, struct ent_err *err)
{
	f->in_transaction = true;
	if (f->tables[i].stopped[0])
		return 0;
	if (!f->target.connector->sink_truncate)
		return stop(f, i, "the source's table was emptied at one stroke, and the target cannot do that"), 0;
	f->rows_open++;
	return f->target.connector->sink_truncate(f->sink, f->tables[i].index, err);
}

static int event_take(struct ent_following *f, struct ent_event *e, struct ent_err *err)
{
	if (e->retained_bytes)
		f->retained = e->retained_bytes;
	switch (e->kind) {
	case ENT_EVENT_ROWS:
		return rows_take(f, e, err);
	case ENT_EVENT_SCHEMA:
		return schema_take(f, e, err);
	case ENT_EVENT_TRUNCATE:
		return truncated(f, e->table, err);
	case ENT_EVENT_COMMIT:
		f->last_time_us = e->time_us;
		f->transactions_open++;
		f->in_transaction = false;
		snprintf(f->seen, sizeof f->seen, "%s", e->cursor);
		return due(f) ? commit(f, err) : 0;
	case ENT_EVENT_HEARTBEAT:
		if (!f->in_transaction)
			snprintf(f->seen, sizeof f->seen, "%s", e->cursor);
		f->lag_us = 0;
		return f->in_transaction ? 0 : commit(f, err);
	case ENT_EVENT_IDLE:
		f->lag_us = f->in_transaction ? f->lag_us : 0;
		return f->in_transaction ? 0 : commit(f, err);
	}
	return ent_fail(err, ENT_EINTERNAL, "the source gave an event nobody knows");
}

static void event_release(struct ent_event *e)
{
	ent_array_release(&e->array);
	ent_schema_release(&e->schema);
}

static bool caught_up(const struct ent_following *f)
{
	return f->spec->until_caught_up && !f->in_transaction && f->source.connector->position_reached(f->goal, f->durable);
}

int ent_following_follow(struct ent_following *f, struct ent_err *err)
{
	snprintf(f->seen, sizeof f->seen, "%s", f->durable);
	f->in_transaction = false;
	f->commit_us = f->batch_us = f->env->now_us(f->env->self);
	while (!caught_up(f)) {
		ENT_CLEANUP(event_release) struct ent_event e = { .size = sizeof e };
		if (cancelled(f))
			return f->in_transaction ? 0 : commit(f, err);
		ENT_TRY(f->source.connector->changes_next(f->changes, POLL_MS, &e, err));
		ENT_TRY(event_take(f, &e, err));
		if (f->spec->until_caught_up && !f->in_transaction && f->source.connector->position_reached(f->goal, f->seen))
			ENT_TRY(commit(f, err));
	}
	return 0;
}
