/* Following by polling: pass after pass over the whole table, and of each row its newest write time. Rows written since the last pass began, less an
 * overlap for clocks that differ, go out as upserts with the values they have now. What polling cannot see: deleted rows, values set to NULL or
 * expired, states between two passes, writes whose time lies further back than the overlap.
 *
 * The cursor is the time at which a complete pass began, by the clock of the node that answers. Rows of one pass may go out in several
 * portions, each ended by the old cursor: sending a row twice changes nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cass.h"

#define TOGETHER_ROWS 16384 /* a portion */
#define NAP_MS 50

struct poll_table {
	char *object;
	struct ArrowSchema schema; /* as it was told */
	struct ent_cass_seen seen;
};

struct ent_changes {
	struct ent_source *s;
	struct poll_table *tables;
	size_t n_tables, at; /* at: the table of this pass */
	struct ent_cass_cursor cursor;
	int64_t pass_us; /* when this pass began; 0: between passes */
	struct ArrowArrayStream stream;
	uint64_t until_ms, next_pass_ms;
	size_t rows; /* since the last end of a portion */
	bool told_begin, any, failed;
};

/* --- cursors --- */

bool ent_cass_cursor_parse(const char *text, struct ent_cass_cursor *ret)
{
	struct ent_cass_cursor c;
	int end = 0;
	if (strlen(text) > 100 || sscanf(text, "poll/%" SCNx64 "/%" SCNx64 "/%" SCNd64 "%n", &c.cluster, &c.tables, &c.time_us, &end) != 3 ||
	    text[end] || c.time_us <= 0)
		return false;
	*ret = c;
	return true;
}

static void cursor_text(const struct ent_cass_cursor *c, char out[400])
{
	snprintf(out, 400, "poll/%016" PRIx64 "/%016" PRIx64 "/%" PRId64, c->cluster, c->tables, c->time_us);
}

static uint64_t mixed(uint64_t h, struct ent_bytes b) /* FNV-1a: tells mistakes apart, not forgeries */
{
	for (size_t i = 0; i < b.len; i++)
		h = (h ^ b.data[i]) * 0x100000001b3u;
	return h;
}

static void call_endp(struct ent_cass_call **c) { ent_cass_end(*c); }

/* Which cluster this is, and the time of the node that answers. */
static int now_read(struct ent_source *s, struct ent_cass_cursor *ret, struct ent_err *err)
{
	ENT_CLEANUP(call_endp) struct ent_cass_call *c = NULL;
	struct ent_cql_event e;
	struct ent_bytes cell[2];
	struct ent_cass_run run = { .text = "SELECT cluster_name, toUnixTimestamp(now()) FROM system.local", .what = "the cluster tells no time" };
	ENT_TRY(ent_cass_run(s, &run, &c, &e, err));
	if (e.kind != ENT_CQL_IS_ROWS || e.n_rows != 1 || e.out.n_columns != 2)
		return ent_fail(err, ENT_EPEER, "Cassandra does not describe itself");
	for (size_t i = 0; i < 2; i++)
		ENT_TRY(ent_cql_cell(&e.cells, &cell[i], err));
	struct ent_reader r = ent_reader(cell[1]);
	int64_t ms = (int64_t)ent_read_be64(&r);
	if (!r.ok || ms <= 0 || ms > INT64_MAX / 2000)
		return ent_fail(err, ENT_EPEER, "Cassandra tells a time that is none");
	*ret = (struct ent_cass_cursor){ ms * 1000, mixed(0xcbf29ce484222325u, cell[0]), 0 };
	return 0;
}

/* A table that was dropped and made anew has another id. */
static int table_mix(struct ent_source *s, const char *object, uint64_t *hash, struct ent_err *err)
{
	ENT_CLEANUP(call_endp) struct ent_cass_call *c = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf values = ENT_BUF(1000);
	struct ent_cass_table *t;
	struct ent_cql_event e;
	struct ent_bytes id;
	ENT_TRY(ent_cass_table_get(s, object, &t, err));
	ent_cql_put_text(&values, t->keyspace);
	ent_cql_put_text(&values, t->name);
	struct ent_cass_run run = { .text = "SELECT id FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?",
				    .values = ent_buf_bytes(&values),
				    .n_values = 2,
				    .what = "the table cannot be described" };
	ENT_TRY(ent_cass_run(s, &run, &c, &e, err));
	if (e.kind != ENT_CQL_IS_ROWS || e.n_rows != 1 || e.out.n_columns != 1) {
		ent_fail(err, ENT_EUNSUPPORTED, "%.200s cannot be followed: it is no table of its own", object);
		return ent_why(err, "a view follows its table"), ENT_EUNSUPPORTED;
	}
	ENT_TRY(ent_cql_cell(&e.cells, &id, err));
	*hash = mixed(*hash, id);
	return 0;
}

int ent_cass_position(struct ent_source *s, char ret[400], struct ent_err *err)
{
	struct ent_cass_cursor c;
	ENT_TRY(now_read(s, &c, err));
	cursor_text(&c, ret);
	return 0;
}

int ent_cass_position_reached(const char *a, const char *b)
{
	struct ent_cass_cursor x, y;
	return ent_cass_cursor_parse(a, &x) && ent_cass_cursor_parse(b, &y) && x.cluster == y.cluster && x.time_us <= y.time_us;
}

/* --- opening --- */

void ent_cass_changes_close(struct ent_changes *c)
{
	if (!c)
		return;
	ent_stream_release(&c->stream);
	for (size_t i = 0; i < c->n_tables; i++) {
		ent_schema_release(&c->tables[i].schema);
		ent_cass_seen_deinit(&c->tables[i].seen);
		free(c->tables[i].object);
	}
	free(c->tables);
	free(c);
}
static void changes_closep(struct ent_changes **c) { ent_cass_changes_close(*c); }

static int tables_set(struct ent_changes *c, const struct ent_changes_spec *spec, struct ent_cass_cursor *now, struct ent_err *err)
{
	now->tables = 0xcbf29ce484222325u;
	c->tables = (struct poll_table *)calloc(spec->n_objects + 1, sizeof *c->tables);
	if (!c->tables)
		return ent_nomem(err);
	for (size_t i = 0; i < spec->n_objects; i++) {
		struct poll_table *t = &c->tables[c->n_tables++];
		if (!(t->object = ent_strdup(spec->objects[i])))
			return ent_nomem(err);
		ENT_TRY(ent_cass_seen_init(&t->seen, err));
		ENT_TRY(table_mix(c->s, t->object, &now->tables, err));
	}
	return 0;
}

static int lost(const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EDATA, "the changes since the last run cannot be found by their write times");
	ent_why(err, "%s", why);
	return ent_next(err, "begin anew: entente replicate run ... --restart"), ENT_EDATA;
}

static int cursor_check(const struct ent_cass_cursor *from, const struct ent_cass_cursor *now, uint32_t overlap_ms, struct ent_err *err)
{
	if (from->cluster != now->cluster)
		return lost("this is another cluster", err);
#ifndef ENT_MUTANT_CASS_POLL_ANEW
	if (from->tables && from->tables != now->tables)
		return lost("a table was dropped and made anew, or other tables are followed", err);
#endif
	if (from->time_us > now->time_us + (int64_t)overlap_ms * 1000)
		return lost("the clock of the cluster went back by more than the overlap", err);
	return 0;
}

int ent_cass_changes_open(struct ent_source *s, const struct ent_changes_spec *spec, struct ent_changes **ret, struct ent_err *err)
{
	ENT_CLEANUP(changes_closep) struct ent_changes *c = (struct ent_changes *)calloc(1, sizeof *c);
	struct ent_cass_cursor now, from;
	if (!c)
		return ent_nomem(err);
	c->s = s;
	if (spec->cursor && !ent_cass_cursor_parse(spec->cursor, &from))
		return ent_fail(err, ENT_EDATA, "this is no cursor of Cassandra: %.100s", spec->cursor);
	ent_cass_tables_forget(s);
	ENT_TRY(now_read(s, &now, err));
	ENT_TRY(tables_set(c, spec, &now, err));
	if (spec->cursor)
		ENT_TRY(cursor_check(&from, &now, s->settings.overlap_ms, err));
	c->cursor = now;
	if (spec->cursor)
		c->cursor.time_us = from.time_us;
	c->told_begin = spec->cursor != NULL;
	*ret = c;
	c = NULL;
	return 0;
}

/* --- passes --- */

static void end_event(struct ent_changes *c, enum ent_event_kind kind, struct ent_event *e)
{
	e->kind = kind;
	e->time_us = kind == ENT_EVENT_COMMIT ? c->cursor.time_us : 0;
	cursor_text(&c->cursor, e->cursor);
	c->rows = 0;
}

static int pass_begin(struct ent_changes *c, struct ent_err *err)
{
	struct ent_cass_cursor now;
	ENT_TRY(now_read(c->s, &now, err));
	now.tables = c->cursor.tables;
	ENT_TRY(cursor_check(&c->cursor, &now, c->s->settings.overlap_ms, err));
	ent_cass_tables_forget(c->s);
	c->pass_us = now.time_us;
	c->at = 0;
	c->any = false;
	return 0;
}

static bool schema_same(const struct ArrowSchema *a, const struct ArrowSchema *b)
{
	if (!a->release || a->n_children != b->n_children)
		return false;
	for (size_t i = 0; i < (size_t)a->n_children; i++) {
		struct ent_field_info x, y;
		ent_schema_field(a, i, &x);
		ent_schema_field(b, i, &y);
		if (strcmp(x.name, y.name) != 0 || strcmp(x.native, y.native) != 0 || !ent_type_eq(x.type, y.type))
			return false;
	}
	return true;
}

/* Asks for the rows of the table whose turn it is. *ret: its columns are new, and e says so. */
static int table_begin(struct ent_changes *c, struct ent_event *e, bool *ret, struct ent_err *err)
{
	struct poll_table *t = &c->tables[c->at];
	ENT_SCHEMA_AUTO schema = { 0 };
	int64_t overlap_us = (int64_t)c->s->settings.overlap_ms * 1000;
	struct ent_cass_scan scan = { .copy = true, .seen = &t->seen, .after_us = c->cursor.time_us - overlap_us, .until_ms = &c->until_ms };
#ifdef ENT_MUTANT_CASS_POLL_OVERLAP
	scan.after_us = c->cursor.time_us;
#endif
	int code = ent_cass_scan(c->s, t->object, &scan, &c->stream, err);
	if (code && err && strstr(err->why, "maxwritetime")) {
		ent_fail(err, ENT_EUNSUPPORTED, "%.200s cannot be followed: this server does not tell when a collection was written", t->object);
		return ent_next(err, "Cassandra 5 does; before it, only frozen collections have a write time"), ENT_EUNSUPPORTED;
	}
	ENT_TRY(code);
	ENT_TRY(ent_stream_schema(&c->stream, &schema, err));
	*ret = !schema_same(&t->schema, &schema);
	if (!*ret)
		return 0;
	e->kind = ENT_EVENT_SCHEMA;
	e->table = c->at;
	ENT_TRY(ent_schema_dup(&schema, &e->schema, err));
	ent_schema_release(&t->schema);
	t->schema = ent_schema_take(&schema);
	return 0;
}

/* The table is through; after the last one the cursor moves. *ret: the pass is over, and e says so. */
static void table_end(struct ent_changes *c, struct ent_event *e, bool *ret)
{
	ent_stream_release(&c->stream);
	ent_cass_seen_pass(&c->tables[c->at].seen);
	*ret = ++c->at == c->n_tables;
	if (!*ret)
		return;
	if (c->pass_us > c->cursor.time_us)
		c->cursor.time_us = c->pass_us;
	c->pass_us = 0;
	c->next_pass_ms = ent_dial_now_ms() + c->s->settings.pause_ms;
	end_event(c, c->any ? ENT_EVENT_COMMIT : ENT_EVENT_HEARTBEAT, e);
}

/* Some rows, or the end of a table. *ret: e holds an event. */
static int rows_take(struct ent_changes *c, struct ent_event *e, bool *ret, struct ent_err *err)
{
	int code = ent_stream_next(&c->stream, &e->array, err);
	if (code == ENT_ESQL || code == ENT_ENOTFOUND) { /* its columns changed in the middle: begin anew with what it is now */
		if (err)
			err->code = ENT_EAGAIN;
		return ENT_EAGAIN;
	}
	ENT_TRY(code);
	if (!e->array.release) {
		table_end(c, e, ret);
		return 0;
	}
	if (!e->array.length) {
		ent_array_release(&e->array);
		return 0;
	}
	*ret = c->any = true;
	c->rows += (size_t)e->array.length;
	e->kind = ENT_EVENT_ROWS;
	e->table = c->at;
	e->time_us = c->pass_us;
	return 0;
}

static int step(struct ent_changes *c, struct ent_event *e, bool *ret, struct ent_err *err)
{
	if (c->rows >= TOGETHER_ROWS) {
		*ret = true;
		end_event(c, ENT_EVENT_COMMIT, e);
		return 0;
	}
	if (!c->pass_us)
		ENT_TRY(pass_begin(c, err));
	if (!c->stream.release) {
		ENT_TRY(table_begin(c, e, ret, err));
		if (*ret)
			return 0;
	}
	return rows_take(c, e, ret, err);
}

static int next(struct ent_changes *c, uint32_t timeout_ms, struct ent_event *ret, struct ent_err *err)
{
	struct ent_event e = { .size = sizeof e, .kind = ENT_EVENT_IDLE };
	bool event = false;
	c->until_ms = ent_dial_now_ms() + timeout_ms;
	if (!c->told_begin) {
		c->told_begin = event = true;
		end_event(c, ENT_EVENT_HEARTBEAT, &e);
	}
	while (!event) {
		uint64_t now = ent_dial_now_ms();
		bool waits = !c->pass_us && !c->rows && now < c->next_pass_ms;
		if (!waits)
			ENT_TRY(step(c, &e, &event, err));
		if (ent_cass_cancelled(c->s))
			return ent_fail(err, ENT_ECANCELLED, "following changes was cancelled");
		if (now >= c->until_ms)
			break;
		if (waits)
			usleep(NAP_MS * 1000);
	}
	*ret = e;
	return 0;
}

int ent_cass_changes_next(struct ent_changes *c, uint32_t timeout_ms, struct ent_event *ret, struct ent_err *err)
{
	if (c->failed)
		return ent_fail(err, ENT_EAGAIN, "these changes have failed: follow them anew from the last cursor");
	int code = next(c, timeout_ms, ret, err);
	c->failed = code != 0;
	return code;
}

int ent_cass_changes_ack(struct ent_changes *c, const char *cursor, struct ent_err *err)
{
	struct ent_cass_cursor at;
	if (ent_cass_cursor_parse(cursor, &at) && at.cluster == c->cursor.cluster)
		return 0; /* Cassandra keeps nothing for us */
	return ent_fail(err, ENT_EDATA, "this is no cursor of this Cassandra cluster: %.100s", cursor);
}

int ent_cass_changes_drop(struct ent_source *s, const char *job, struct ent_err *err)
{
	(void)s;
	(void)job;
	(void)err;
	return 0;
}
