/* One stream: copy what is not copied yet, then follow. Every connection is opened anew after a failure, and what is known is read from the target.
 */
#include "move/replicate.h"

#include <stdio.h>
#include <stdlib.h>

#include "arrow/sink.h"
#include "arrow/stream.h"
#include "move/follow.h"
#include "move/job.h"

#define PART_CHANGES "changes"
#define PART_BEGUN "begun" /* when: names the copies of this beginning */
#define WAIT_FIRST_MS 500u
#define WAIT_MAX_MS 30000u

static bool cancelled(const struct ent_following *f) { return f->env->cancelled && f->env->cancelled(f->env->self); }

void ent_following_tell(struct ent_following *f, const char *trouble)
{
	const char **stopped = f->stopped_texts, **left_out = f->left_out_texts;
	for (size_t i = 0; i < f->spec->n_tables; i++) {
		stopped[i] = f->tables[i].stopped[0] ? f->tables[i].stopped : NULL;
		left_out[i] = f->tables[i].left_out;
	}
	struct ent_replicate_status s = {
		.state = f->state,
		.kind = f->source.connector && f->source.connector->capabilities & ENT_CAP_POLL ? "poll (deletes and states in between are not seen)"
												: "change data capture",
		.promise = f->sink && (!(f->target.connector->capabilities & ENT_CAP_TXN_SINK) || (f->source.connector->capabilities & ENT_CAP_POLL))
				   ? "at least once, idempotent by key"
				   : "exactly once",
		.rows_copied = f->rows_copied,
		.rows_applied = f->rows_applied,
		.transactions = f->transactions,
		.lag_us = f->lag_us,
		.lag_rows = f->rows_open,
		.retained_bytes = f->retained,
		.cursor = f->durable,
		.trouble = trouble ? trouble : "",
		.n_tables = f->spec->n_tables,
		.stopped = stopped,
		.left_out = left_out
	};
	if (f->env->status)
		f->env->status(f->env->self, &s);
}

static void closed(struct ent_following *f)
{
	if (f->changes)
		f->source.connector->changes_close(f->changes);
	if (f->sink)
		f->target.connector->sink_close(f->sink);
	if (f->source.source)
		f->source.connector->close(f->source.source);
	if (f->target.source)
		f->target.connector->close(f->target.source);
	f->changes = NULL;
	f->sink = NULL;
	f->source.source = f->target.source = NULL;
	for (size_t i = 0; f->tables && i < f->spec->n_tables; i++) {
		ent_schema_release(&f->tables[i].schema);
		ent_schema_release(&f->tables[i].event_schema);
		free(f->tables[i].known);
		free(f->tables[i].left_out);
		f->tables[i].left_out = NULL;
		free(f->tables[i].types);
		f->tables[i].known = f->tables[i].types = NULL;
		f->tables[i].n_known = f->tables[i].n_types = 0;
		f->tables[i].opened = f->tables[i].known_unsaved = f->tables[i].stop_unsaved = false;
	}
	f->rows_open = 0;
}

static int source_check(const struct ent_following *f, struct ent_err *err)
{
	const struct ent_connector *c = f->source.connector;
	if (c->changes_open && c->changes_next && c->position && c->position_reached && c->read)
		return 0;
	ent_fail(err, ENT_EUNSUPPORTED, "%.300s cannot be followed: its module %s gives no changes", f->spec->source.name, c->name);
	return ent_next(err, "entente copy copies it once"), ENT_EUNSUPPORTED;
}

static int target_check(const struct ent_following *f, struct ent_err *err)
{
	const struct ent_connector *c = f->target.connector;
	if (c->sink_open && c->sink_changes && (c->capabilities & ENT_CAP_UPSERT))
		return 0;
	ent_fail(err, ENT_EUNSUPPORTED, "%.300s cannot take changes: its module %s does not write by key", f->spec->target.name, c->name);
	return ent_next(err, "entente copy copies it once"), ENT_EUNSUPPORTED;
}

static int opened(struct ent_following *f, struct ent_err *err)
{
	static const struct ent_option write = { "access", "write" };
	const struct ent_replicate *r = f->spec;
	ENT_TRY(r->source.open(r->source.self, NULL, 0, &f->source, err));
	ENT_TRY(source_check(f, err));
	ENT_TRY(r->target.open(r->target.self, &write, 1, &f->target, err));
	ENT_TRY(target_check(f, err));
	f->epoch = 0;
	return f->target.connector->sink_open(f->target.source, r->name, &f->epoch, &f->sink, err);
}

int ent_following_mark(struct ent_following *f, const char *part, const char *cursor, uint64_t rows, struct ent_err *err)
{
	struct ent_sink_checkpoint c = { .size = sizeof c, .rows = rows, .epoch = f->epoch };
	snprintf(c.part, sizeof c.part, "%s", part);
	snprintf(c.cursor, sizeof c.cursor, "%s", cursor);
	return f->target.connector->sink_commit(f->sink, &c, err);
}

/* The cursor of a part; false when the target has none. */
int ent_following_last(struct ent_following *f, const char *part, bool *ret_found, char cursor[400], struct ent_err *err)
{
	struct ent_sink_checkpoint c = { .size = sizeof c };
	struct ent_err quiet = ENT_ERR_INIT;
	int code = f->target.connector->sink_last(f->sink, part, &c, &quiet);
	if (code && code != ENT_ENOTFOUND) {
		if (err)
			*err = quiet;
		return code;
	}
	*ret_found = !code;
	snprintf(cursor, 400, "%s", code ? "" : c.cursor);
	return 0;
}

/* ---- the copy ---- */

static int changes_open(struct ent_following *f, const char *cursor, struct ent_err *err)
{
	struct ent_changes_spec spec = {
		.size = sizeof spec, .job = f->spec->name, .objects = f->objects, .n_objects = f->spec->n_tables, .cursor = cursor
	};
	return f->source.connector->changes_open(f->source.source, &spec, &f->changes, err);
}

/* A source may begin to keep changes a little after it was asked to, and says so before anything else; rows that come first leave the position
 * that was taken before. */
static int began(struct ent_following *f, struct ent_err *err)
{
	enum ent_event_kind kind = ENT_EVENT_IDLE;
	for (int i = 0; i < 4 && kind == ENT_EVENT_IDLE; i++) {
		struct ent_event e = { .size = sizeof e };
		ENT_TRY(f->source.connector->changes_next(f->changes, 250, &e, err));
		kind = e.kind;
		if (kind == ENT_EVENT_HEARTBEAT)
			snprintf(f->durable, sizeof f->durable, "%s", e.cursor);
		ent_array_release(&e.array);
		ent_schema_release(&e.schema);
	}
	return 0;
}

/* The source begins to keep changes; where it began is durable before the first row is read. */
static int beginning(struct ent_following *f, struct ent_err *err)
{
	const struct ent_connector *c = f->source.connector;
	if (c->changes_drop)
		(void)c->changes_drop(f->source.source, f->spec->name, NULL); /* left by a run that died right here */
	snprintf(f->begun, sizeof f->begun, "%lld", (long long)f->env->now_us(f->env->self));
	ENT_TRY(ent_following_mark(f, PART_BEGUN, f->begun, 0, err));
	ENT_TRY(c->position(f->source.source, f->durable, err));
	ENT_TRY(changes_open(f, NULL, err));
	int code = began(f, err);
	c->changes_close(f->changes);
	f->changes = NULL;
	ENT_TRY(code);
	return ent_following_mark(f, PART_CHANGES, f->durable, 0, err);
}

static bool copy_cancelled(void *self) { return cancelled((struct ent_following *)self); }

static void copy_progress(void *self, const struct ent_move_progress *p)
{
	struct ent_following *f = (struct ent_following *)self;
	f->rows_copied = f->rows_before + p->rows;
	ent_following_tell(f, NULL);
}

static void list_freep(const char ***list) { free((void *)*list); }

static int table_copy(struct ent_following *f, size_t i, struct ent_err *err)
{
	ENT_SCHEMA_AUTO names = { 0 };
	ENT_CLEANUP(list_freep) const char **list = NULL;
	char part_of[1400];
	const struct ent_replicate_table *t = &f->spec->tables[i];
	struct ent_move_end target = f->spec->target;
	struct ent_move_copy copy = { .source = f->spec->source,
				      .targets = &target,
				      .n_targets = 1,
				      .keys = t->keys,
				      .n_keys = t->n_keys,
				      .mode = ENT_WRITE_UPSERT,
				      .no_wire = true,
				      .allow_lossy = f->spec->allow_lossy,
				      .n_allow_lossy = f->spec->n_allow_lossy,
				      .rows_per_split = f->spec->rows_per_split };
	struct ent_move_env env = { .self = f, .cancelled = copy_cancelled, .progress = copy_progress };
	struct ent_move_result result;
	copy.source.object = t->source;
	target.object = t->target;
	snprintf(part_of, sizeof part_of, "%s %s %.400s %.400s", f->spec->name, f->begun, t->source, t->target);
	ENT_TRY(ent_following_chosen(f, i, &names, &list, &copy.n_columns, err));
	copy.columns = list;
#ifndef ENT_MUTANT_REPLICATE_COPY_NAME /* splits of another table, or of a stream that was ended, are not ours */
	copy.part_of = part_of;
#endif
	f->rows_before = f->rows_copied;
	ENT_TRY(ent_move_copy(&copy, &env, &result, err));
	f->rows_copied = f->rows_before + result.rows;
	struct ent_move_digest d = { .rows = result.rows };
	if (ent_digest_parse(result.digest, &d))
		ent_digest_sum(&f->batch.digest, &d);
	f->batch.rows += result.rows;
	return 0;
}

/* Copies every table that no earlier run finished, then notes where the source's log ended. */
static int copied(struct ent_following *f, struct ent_err *err)
{
	char part[200], cursor[400];
	bool found;
	ENT_TRY(ent_following_last(f, "copied", &found, f->goal, err));
	if (found)
		return 0;
	f->state = ENT_REPLICATE_COPYING;
	for (size_t i = 0; i < f->spec->n_tables; i++) {
		snprintf(part, sizeof part, "copied %.150s", f->spec->tables[i].source);
		ENT_TRY(ent_following_last(f, part, &found, cursor, err));
		if (found)
			continue;
		ENT_TRY(ent_following_known(f, i, err)); /* before the copy: what comes later is a change */
		ENT_TRY(table_copy(f, i, err));
		ENT_TRY(ent_following_mark(f, part, "done", f->rows_copied - f->rows_before, err));
	}
	ENT_TRY(f->source.connector->position(f->source.source, f->goal, err));
	ENT_TRY(ent_following_mark(f, "copied", f->goal, f->rows_copied, err));
	snprintf(f->batch.from, sizeof f->batch.from, "copy");
	return ent_following_batch(f, true, err);
}

/* A store that orders writes by a time of its own takes it when the sink is opened: changes must be later than the rows copied just now. */
static int sink_again(struct ent_following *f, struct ent_err *err)
{
	const struct ent_connector *c = f->target.connector;
	if (c->capabilities & ENT_CAP_TXN_SINK)
		return 0;
	c->sink_close(f->sink);
	f->sink = NULL;
	f->epoch = 0;
	return c->sink_open(f->target.source, f->spec->name, &f->epoch, &f->sink, err);
}

static int tables_open(struct ent_following *f, struct ent_err *err)
{
	for (size_t i = 0; i < f->spec->n_tables; i++) {
		struct ent_follow_table *t = &f->tables[i];
		char part[200];
		bool found;
		snprintf(part, sizeof part, "stopped %.150s", f->spec->tables[i].source);
		ENT_TRY(ent_following_last(f, part, &found, t->stopped, err));
		if (found)
			continue;
		t->stopped[0] = 0;
		ENT_TRY(ent_following_known(f, i, err));
	}
	return 0;
}

/* ---- the life of a stream ---- */

static int once(struct ent_following *f, struct ent_err *err)
{
	bool found;
	ENT_TRY(opened(f, err));
	for (size_t i = 0; i < f->spec->n_tables; i++)
		ENT_TRY(ent_following_left_out(f, i, err));
	ENT_TRY(ent_following_last(f, PART_CHANGES, &found, f->durable, err));
	ENT_TRY(found ? ent_following_last(f, PART_BEGUN, &found, f->begun, err) : beginning(f, err));
	ENT_TRY(copied(f, err));
	if (f->state == ENT_REPLICATE_COPYING)
		ENT_TRY(sink_again(f, err));
	ENT_TRY(tables_open(f, err));
	if (f->spec->until_caught_up)
		ENT_TRY(f->source.connector->position(f->source.source, f->goal, err));
	ENT_TRY(changes_open(f, f->durable, err));
	f->state = f->source.connector->position_reached(f->goal, f->durable) ? ENT_REPLICATE_STREAMING : ENT_REPLICATE_CATCHING_UP;
	f->wait_ms = WAIT_FIRST_MS;
	ent_following_tell(f, NULL);
	return ent_following_follow(f, err);
}

/* What time may mend: a server that is away, a lock, a full queue. Another run that took over is not. */
static bool passes(const struct ent_err *e)
{
	return !ent_sink_is_overtaken(e) && (e->code == ENT_EIO || e->code == ENT_EPEER || e->code == ENT_EAGAIN || e->code == ENT_ENOSPACE);
}

static void waited(struct ent_following *f, const struct ent_err *e)
{
	char text[900];
	snprintf(text, sizeof text, "%s%s%.400s; next try in %.1f s", e->what, e->why[0] ? ": " : "", e->why, f->wait_ms / 1000.0);
	f->state = ENT_REPLICATE_WAITING;
	ent_following_tell(f, text);
	f->env->wait_ms(f->env->self, f->wait_ms);
	f->wait_ms = f->wait_ms * 2 > WAIT_MAX_MS ? WAIT_MAX_MS : f->wait_ms * 2;
}

static int name_check(const char *name, struct ent_err *err)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
	if (n && n == strlen(name) && n <= ENT_REPLICATE_NAME_MAX && !(name[0] >= '0' && name[0] <= '9'))
		return 0;
	ent_fail(err, ENT_EUSAGE, "%.60s cannot name a stream", name);
	return ent_next(err, "use up to %d small letters, digits and _, beginning with a letter", ENT_REPLICATE_NAME_MAX), ENT_EUSAGE;
}

static void following_deinit(struct ent_following *f)
{
	closed(f);
	free(f->tables);
	free(f->objects);
	free(f->stopped_texts);
	free(f->left_out_texts);
}

static int following_init(struct ent_following *f, struct ent_err *err)
{
	size_t n = f->spec->n_tables;
	ENT_TRY(name_check(f->spec->name, err));
	if (!n)
		return ent_fail(err, ENT_EUSAGE, "a stream needs at least one table");
	f->tables = (struct ent_follow_table *)calloc(n, sizeof *f->tables);
	f->objects = (const char **)calloc(n, sizeof *f->objects);
	f->stopped_texts = (const char **)calloc(n, sizeof *f->stopped_texts);
	f->left_out_texts = (const char **)calloc(n, sizeof *f->left_out_texts);
	if (!f->tables || !f->objects || !f->stopped_texts || !f->left_out_texts)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++)
		f->objects[i] = f->spec->tables[i].source;
	return 0;
}

/* Rows that went away at the source while nobody followed must go at the target, too: so its tables are emptied. */
static int restarted(struct ent_following *f, struct ent_err *err)
{
	ENT_TRY(opened(f, err));
	if (f->source.connector->changes_drop)
		ENT_TRY(f->source.connector->changes_drop(f->source.source, f->spec->name, err));
	for (size_t i = 0; i < f->spec->n_tables; i++) {
		ENT_TRY(ent_following_left_out(f, i, err));
#ifndef ENT_MUTANT_REPLICATE_RESTART
		ENT_TRY(ent_following_emptied(f, i, err));
#endif
	}
	ENT_TRY(ent_following_mark(f, "emptied", "", 0, err));
	ENT_TRY(f->target.connector->sink_finish(f->sink, 1, err));
	closed(f);
	return 0;
}

int ent_replicate_run(const struct ent_replicate *spec, const struct ent_replicate_env *env, struct ent_err *err)
{
	ENT_CLEANUP(following_deinit) struct ent_following f = { .spec = spec, .env = env, .wait_ms = WAIT_FIRST_MS };
	ENT_TRY(following_init(&f, err));
	if (spec->restart)
		ENT_TRY(restarted(&f, err));
	for (;;) {
		struct ent_err e = ENT_ERR_INIT;
		int code = once(&f, &e);
		if (code && f.sink)
			(void)f.target.connector->sink_rollback(f.sink, NULL);
		if (code)
			code = ent_move_overtaken(f.target.connector, f.sink, f.epoch, &e);
		if (!code)
			code = ent_following_batch(&f, true, &e);
		if (!code || (cancelled(&f) && (code == ENT_ECANCELLED || passes(&e))))
			return 0;
		if (!passes(&e)) {
			if (err)
				*err = e;
			return code;
		}
		closed(&f);
		waited(&f, &e);
		if (cancelled(&f))
			return 0;
	}
}

int ent_replicate_drop(const struct ent_replicate *spec, struct ent_err *err)
{
	static const struct ent_replicate_env nobody = { 0 };
	ENT_CLEANUP(following_deinit) struct ent_following f = { .spec = spec, .env = &nobody };
	ENT_TRY(following_init(&f, err));
	ENT_TRY(opened(&f, err));
	if (f.source.connector->changes_drop)
		ENT_TRY(f.source.connector->changes_drop(f.source.source, spec->name, err));
	return f.target.connector->sink_finish(f.sink, 1, err);
}
