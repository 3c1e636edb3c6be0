/* Changes: followed at the source, applied to the target in the same transactions, resumed from a cursor, lost loudly. */
#include <stdlib.h>

#include "copy_kit.h"

struct follow { /* one job: a followed table and its copy */
	const struct suite_copy *s;
	const struct ent_connector *c;
	struct ent_source *src;
	struct ent_changes *changes;
	char object[200], copy[200], cursor[400];
	struct kit_target target;
	struct ArrowSchema schema; /* of the changes */
	struct ent_buf log;        /* "I 1|one|10\n" ... */
	size_t commits, heartbeats, schemas;
	bool ack;
};

static void rows_log(struct follow *f, const struct ArrowArray *rows)
{
	ENT_BATCH_AUTO b = { 0 };
	struct ent_err e = ENT_ERR_INIT;
	OK(!ent_batch_open_copy(&f->schema, rows, &b, &e), "%s: changed rows: %s %s", f->s->name, e.what, e.why);
	for (size_t r = 0; r < b.rows && b.n_columns > 2; r++) {
		ent_value_put(&b.columns[0], r, &f->log);
		for (size_t i = 2; i < b.n_columns; i++) {
			ent_buf_str(&f->log, i > 2 ? "|" : " ");
			if (ent_view_null(&b.columns[i], r))
				ent_buf_str(&f->log, "-");
			else
				ent_value_put(&b.columns[i], r, &f->log);
		}
		ent_buf_str(&f->log, "\n");
	}
}

/* One event into log and target. */
static int event_take(struct follow *f, struct ent_event *v, struct ent_err *e)
{
	switch (v->kind) {
	case ENT_EVENT_SCHEMA:
		f->schemas++;
		ent_schema_release(&f->schema);
		f->schema = ent_schema_take(&v->schema);
		return f->schemas > 1 ? f->c->sink_alter(f->target.sink, f->target.index, &f->schema, e) : 0;
	case ENT_EVENT_ROWS:
		rows_log(f, &v->array);
		return f->c->sink_changes(f->target.sink, f->target.index, &f->schema, &v->array, e);
	case ENT_EVENT_TRUNCATE:
		ent_buf_str(&f->log, "T\n");
		return f->c->sink_truncate(f->target.sink, f->target.index, e);
	case ENT_EVENT_COMMIT:
	case ENT_EVENT_HEARTBEAT:
		f->commits += v->kind == ENT_EVENT_COMMIT;
		f->heartbeats += v->kind == ENT_EVENT_HEARTBEAT;
		snprintf(f->cursor, sizeof f->cursor, "%s", v->cursor);
		ENT_TRY(kit_target_commit(&f->target, "changes", v->cursor, 0, e));
		return f->ack ? f->c->changes_ack(f->changes, v->cursor, e) : 0;
	case ENT_EVENT_IDLE:
		return 0;
	}
	return ENT_EINTERNAL;
}

/* Takes events until a cursor at or behind the source's present end. */
static void pump(struct follow *f, const char *name)
{
	struct ent_err e = ENT_ERR_INIT;
	char end[400];
	struct ent_source *other = kit_open(f->s);
	int code = f->c->position(other, end, &e);
	f->c->close(other);
	bool there = false;
	for (int i = 0; !code && !there && i < 100; i++) {
		struct ent_event v = { .size = sizeof v };
		code = f->c->changes_next(f->changes, 200, &v, &e);
		enum ent_event_kind kind = v.kind;
		if (!code)
			code = event_take(f, &v, &e);
		ent_array_release(&v.array);
		ent_schema_release(&v.schema);
		there = !code && (kind == ENT_EVENT_COMMIT || kind == ENT_EVENT_HEARTBEAT) && f->c->position_reached(end, f->cursor);
	}
	OK(there, "%s: %s: caught up: %s %s", f->s->name, name, e.what, e.why);
}

static int changes_start(struct follow *f, const char *cursor, struct ent_err *e)
{
	const char *const objects[] = { f->object };
	struct ent_changes_spec spec = { .size = sizeof spec, .job = "suite", .objects = objects, .n_objects = 1, .cursor = cursor };
	f->src = kit_open(f->s);
	return f->src ? f->c->changes_open(f->src, &spec, &f->changes, e) : ENT_EIO;
}

static void changes_stop(struct follow *f)
{
	f->c->changes_close(f->changes);
	f->c->close(f->src);
	f->changes = NULL;
	f->src = NULL;
}

static void step(struct follow *f, enum suite_change change, const char *want, const char *name)
{
	ent_buf_reset(&f->log);
	if (!f->s->change(f->object, change)) {
		tap_skip(name, "the store has no such change");
		return;
	}
	pump(f, name);
	if (want)
		OK_STR(ent_buf_text(&f->log), want, "%s: %s", f->s->name, name);
}

static void same(struct follow *f, const char *name)
{
	struct ent_err e = ENT_ERR_INIT;
	struct ent_source *src = kit_open(f->s);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf a = ENT_BUF((size_t)8 << 20), b = ENT_BUF((size_t)8 << 20);
	struct ent_read what = { .size = sizeof what, .object = f->object };
	int code = suite_copy_dump(f->s, src, &what, &a, &e);
	what.object = f->copy;
	if (!code)
		code = suite_copy_dump(f->s, src, &what, &b, &e);
	OK(!code && a.len == b.len && !strcmp(ent_buf_text(&a), ent_buf_text(&b)), "%s: %s: the copy equals its source: %s %s", f->s->name, name,
	   e.what, e.why);
	f->c->close(src);
}

static void target_start(struct follow *f)
{
	struct ent_err e = ENT_ERR_INIT;
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_read what = { .size = sizeof what, .object = f->object };
	struct ent_source *src = kit_open(f->s);
	OK(!f->c->read(src, &what, &stream, &e) && !ent_stream_schema(&stream, &schema, &e), "%s: %s", f->s->name, e.what);
	ent_stream_release(&stream);
	f->c->close(src);
	OK(!kit_target_open(&f->target, f->s, "suite", 0, &e) && !kit_target_table(&f->target, f->copy, &schema, ENT_WRITE_UPSERT, 0, &e),
	   "%s: a target for changes: %s %s", f->s->name, e.what, e.why);
}

static void test_resume(struct follow *f)
{
	struct ent_err e = ENT_ERR_INIT;
	char before[400];
	snprintf(before, sizeof before, "%s", f->cursor);
	f->ack = false;
	step(f, SUITE_CHANGE_UPDATE, f->c->capabilities & ENT_CAP_CDC ? "U 2|zwei|20\n" : NULL, "an update");
	changes_stop(f);
	ent_buf_reset(&f->log);
	OK(!changes_start(f, before, &e), "%s: goes on from a cursor: %s %s", f->s->name, e.what, e.why);
	pump(f, "what was not acknowledged comes again");
	if (f->c->capabilities & ENT_CAP_CDC)
		OK_STR(ent_buf_text(&f->log), "U 2|zwei|20\n", "%s: the same once more", f->s->name);
	f->ack = true;
	same(f, "applied twice");
}

static void test_lost(struct follow *f)
{
	struct ent_err e = ENT_ERR_INIT;
	changes_stop(f);
	if (!f->s->change(f->object, SUITE_CHANGE_LOSE)) {
		tap_skip("changes lost at the source", "the test cannot lose them");
		return;
	}
	OK_INT(changes_start(f, f->cursor, &e), ENT_EDATA, "%s: lost changes stop the job: %s (%s)", f->s->name, e.what, e.why);
	OK(!f->s->missing_text || strstr(e.what, f->s->missing_text) || strstr(e.why, f->s->missing_text), "%s: and say why", f->s->name);
	changes_stop(f);
}

static void test_drop(struct follow *f)
{
	struct ent_err e = ENT_ERR_INIT;
	struct ent_source *src = kit_open(f->s);
	OK(!f->c->changes_drop(src, "suite", &e) && !f->c->changes_drop(src, "suite", &e), "%s: the job is dropped, twice: %s %s", f->s->name, e.what,
	   e.why);
	f->c->close(src);
}

void suite_changes_run(const struct suite_copy *s)
{
	struct ent_err e = ENT_ERR_INIT;
	if (!s->change_table || !(s->connector->capabilities & (ENT_CAP_CDC | ENT_CAP_POLL))) {
		tap_skip("changes", "the store has none, or its test does not make any");
		return;
	}
	bool exact = s->connector->capabilities & ENT_CAP_CDC;
	struct follow f = { .s = s, .c = s->connector, .ack = true, .log = ENT_BUF((size_t)8 << 20), .target = { .s = s } };
	snprintf(f.object, sizeof f.object, "%s", kit_object(s, "copy_changes"));
	snprintf(f.copy, sizeof f.copy, "%s", kit_object(s, "copy_changed"));
	s->drop(f.object);
	s->drop(f.copy);
	s->change_table(f.object);
	target_start(&f);
	OK(!changes_start(&f, NULL, &e), "%s: follows: %s %s", s->name, e.what, e.why);
	if (f.changes) {
		pump(&f, "an idle table has a heartbeat");
		step(&f, SUITE_CHANGE_INSERT, exact ? "I 1|one|10\nI 2|two|20\nI 3|-|30\n" : NULL, "inserts");
		test_resume(&f);
		step(&f, SUITE_CHANGE_DELETE, exact ? "D 1|-|-\n" : NULL, "a delete");
		step(&f, SUITE_CHANGE_KEY, exact ? "D 3|-|-\nI 30|-|30\n" : NULL, "a change of the key");
		same(&f, "after deletes and keys");
		step(&f, SUITE_CHANGE_MANY, NULL, "many rows in one transaction");
		same(&f, "after many");
		step(&f, SUITE_CHANGE_ADD, NULL, "a new column");
		same(&f, "with the new column");
		step(&f, SUITE_CHANGE_TRUNCATE, NULL, "a truncate");
		same(&f, "emptied");
		test_lost(&f);
	}
	test_drop(&f);
	kit_target_close(&f.target);
	ent_schema_release(&f.schema);
	ent_buf_deinit(&f.log);
}
