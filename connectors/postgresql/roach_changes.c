/* Following CockroachDB: one changefeed without a sink over the tables, on a connection of its own, its rows one by one.
 *
 * Rows wait here until a mark covers them; then they go out in the order of their times, each once, and the mark is the cursor: what the target
 * commits is a state that the source had. When too many wait (a feed that catches up, a transaction without end), they go out as they came, under
 * the old cursor: by key that changes nothing once the mark comes. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pg_changes.h"
#include "roach.h"

#define WAITING_BYTES ((size_t)64 << 20)
#define WAITING_ROWS ((size_t)1 << 20)
#define ANSWER_MS 500
#define SILENCE_MS 120000 /* marks come every second */

struct waiting { /* one row that came; key and value follow it in one allocation */
	struct ent_roach_time time;
	uint64_t order;
	uint32_t table, key_len, value_len;
	bool gone;
	uint8_t bytes[];
};

struct followed {
	char *object;
	char schema[64], table[64];
	struct ent_roach_columns columns;
	struct ArrowSchema arrow;
	struct ent_builder *builder;
	bool told;
};

struct ent_roach {
	struct ent_source *src, feed; /* of feed: host and con */
	struct followed *tables;
	size_t n_tables;
	char cluster[64];
	struct ent_roach_time cursor, mark;
	struct waiting **rows;
	size_t n_rows, cap, bytes;
	size_t at, out; /* rows[at .. out) go out now */
	uint64_t order;
	struct followed *filling;
	bool going_out, whole, any; /* whole: up to mark; any: rows went out under it */
	bool told_begin, frequent, answered;
	uint64_t heard_ms;
};

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- cursors: crdb/CLUSTER/TIME --- */

static void time_text(struct ent_roach_time t, char out[48]) { snprintf(out, 48, "%llu.%010u", (unsigned long long)t.wall, t.logical); }

static void cursor_text(const char *cluster, struct ent_roach_time t, char out[400])
{
	char text[48];
	time_text(t, text);
	snprintf(out, 400, "crdb/%s/%s", cluster, text);
}

static bool cursor_parse(const char *text, char cluster[64], struct ent_roach_time *ret)
{
	const char *slash = strncmp(text, "crdb/", 5) ? NULL : strchr(text + 5, '/');
	if (!slash || slash - text - 5 >= 64 || slash == text + 5 || !ent_roach_time_parse(ent_bytes_str(slash + 1), ret))
		return false;
	snprintf(cluster, 64, "%.*s", (int)(slash - text - 5), text + 5);
	return true;
}

bool ent_roach_reached(const char *a, const char *b, bool *ret)
{
	char x[64], y[64];
	struct ent_roach_time s, t;
	if (!cursor_parse(a, x, &s) || !cursor_parse(b, y, &t))
		return false;
	*ret = !strcmp(x, y) && ent_roach_time_order(s, t) <= 0;
	return true;
}

static int identity(struct ent_source *s, char cluster[64], struct ent_roach_time *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	ENT_TRY(ent_pg_run(s, "SELECT CAST(crdb_internal.cluster_id() AS text), CAST(cluster_logical_timestamp() AS text)", NULL, 0, &r,
			   "CockroachDB does not tell its time", err));
	snprintf(cluster, 64, "%s", PQgetvalue(r, 0, 0));
	if (!cluster[0] || strchr(cluster, '/') || !ent_roach_time_parse(ent_bytes_str(PQgetvalue(r, 0, 1)), ret))
		return ent_fail(err, ENT_EPEER, "CockroachDB tells a time that is none");
	return 0;
}

int ent_roach_position(struct ent_source *s, char ret[400], struct ent_err *err)
{
	char cluster[64];
	struct ent_roach_time t;
	ENT_TRY(identity(s, cluster, &t, err));
	cursor_text(cluster, t, ret);
	return 0;
}

/* --- tables --- */

static void columns_free(struct followed *t)
{
	for (size_t i = 0; i < t->columns.n; i++)
		free((void *)(uintptr_t)t->columns.all[i].name);
	free(t->columns.all);
	t->columns = (struct ent_roach_columns){ .table = t->object };
}

/* Texts whose form in a changefeed differs from their form in a row are refused: the copy would never be equal. */
static int form_of(const struct followed *t, const struct ent_pg_field *f, enum ent_roach_form *ret, struct ent_err *err)
{
	static const unsigned same[] = { ENT_PG_OID_TEXT, ENT_PG_OID_VARCHAR, ENT_PG_OID_NAME, ENT_PG_OID_UUID };
	*ret = ENT_ROACH_PLAIN;
	if (f->type.id != ENT_T_TEXT || f->is_enum)
		return 0;
	if (f->oid == ENT_PG_OID_BPCHAR || f->oid == ENT_PG_OID_JSON || f->oid == ENT_PG_OID_JSONB || f->oid == ENT_PG_OID_NUMERIC) {
		*ret = f->oid == ENT_PG_OID_BPCHAR ? ENT_ROACH_PADDED : f->oid == ENT_PG_OID_NUMERIC ? ENT_ROACH_DIGITS : ENT_ROACH_JSON;
		return 0;
	}
	for (size_t i = 0; i < ENT_COUNT(same); i++)
		if (same[i] == f->oid)
			return 0;
	ent_fail(err, ENT_EUNSUPPORTED, "%.200s cannot be followed: its column %.100s is of type %.100s", t->object, f->name, f->native);
	return ent_why(err, "a changefeed spells such values in another way than a row does"), ENT_EUNSUPPORTED;
}

static int columns_set(struct followed *t, const struct ent_pg_table *now, struct ent_err *err)
{
	char keys[32][64];
	columns_free(t);
	t->columns.n_key = ent_pg_key(now->keys, keys, ENT_COUNT(keys));
	if (!t->columns.n_key)
		return ent_fail(err, ENT_EUNSUPPORTED, "%.200s has no primary key: its changes do not name their rows", t->object);
	if (!(t->columns.all = (struct ent_roach_column *)calloc(now->n_fields + 1, sizeof *t->columns.all)))
		return ent_nomem(err);
	for (size_t i = 0; i < now->n_fields; i++) {
		const struct ent_pg_field *f = &now->fields[i];
		struct ent_roach_column *c = &t->columns.all[t->columns.n++];
		*c = (struct ent_roach_column){ .name = ent_strdup(f->name), .type = f->type, .nullable = f->nullable, .key = -1 };
		if (!c->name)
			return ent_nomem(err);
		ENT_TRY(form_of(t, f, &c->form, err));
		if (f->generated && c->nullable)
			c->nullable = false; /* a virtual one would be lacking for ever */
		for (size_t k = 0; k < t->columns.n_key; k++)
			c->key = strcmp(keys[k], f->name) ? c->key : (int)k;
	}
	return 0;
}

static int arrow_make(struct followed *t, const struct ent_pg_table *now, struct ent_err *err)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	char *keys = ent_strdup(now->keys);
	struct ent_field *fields = (struct ent_field *)calloc(now->n_fields + 2, sizeof *fields);
	int code = fields && keys ? 0 : ent_nomem(err);
	for (size_t i = 0; !code && i < now->n_fields; i++) {
		const struct ent_pg_field *f = &now->fields[i];
		fields[i + 2] = (struct ent_field){ .name = f->name, .type = f->type, .nullable = true, .native = f->native };
	}
	if (!code) {
		keys[strcspn(keys, "\n")] = 0;
		fields[0] = (struct ent_field){ .name = "entente.op", .type = { ENT_T_TEXT, 0, 0 } };
		fields[1] = (struct ent_field){ .name = "entente.unchanged", .type = { ENT_T_TEXT, 0, 0 }, .nullable = true };
		code = ent_schema_new(fields, now->n_fields + 2, keys, &schema, err);
	}
	free(fields);
	free(keys);
	ENT_TRY(code);
	ENT_TRY(ent_schema_meta_add(&schema, ENT_META_STORE, "postgresql", err));
	ent_builder_free(t->builder);
	t->builder = NULL;
	ENT_TRY(ent_builder_new(&schema, 0, &t->builder, err));
	ent_schema_release(&t->arrow);
	t->arrow = ent_schema_take(&schema);
	t->told = false;
	return 0;
}

/* The table as the catalogue has it now. */
static int table_describe(struct ent_roach *c, struct followed *t, struct ent_err *err)
{
	struct ent_pg_table *now;
	ent_pg_table_forget(c->src, t->object);
	ENT_TRY(ent_pg_table_get(c->src, t->object, &now, err));
	ENT_TRY(columns_set(t, now, err));
	return arrow_make(t, now, err);
}

static int tables_set(struct ent_roach *c, const struct ent_changes_spec *spec, struct ent_err *err)
{
	c->tables = (struct followed *)calloc(spec->n_objects + 1, sizeof *c->tables);
	if (!c->tables)
		return ent_nomem(err);
	for (size_t i = 0; i < spec->n_objects; i++) {
		struct followed *t = &c->tables[c->n_tables++];
		if (!(t->object = ent_strdup(spec->objects[i])))
			return ent_nomem(err);
		ENT_TRY(ent_pg_object_split(spec->objects[i], t->schema, t->table, err));
		ENT_TRY(table_describe(c, t, err));
		for (size_t k = 0; k < i; k++)
			if (!strcmp(c->tables[k].table, t->table))
				return ent_fail(err, ENT_EUNSUPPORTED,
						"a changefeed of CockroachDB does not tell %.200s and %.200s apart: use a stream for each",
						c->tables[k].object, t->object);
	}
	return 0;
}

/* --- opening --- */

void ent_roach_close(struct ent_roach *c)
{
	if (!c)
		return;
	PQfinish(c->feed.con); /* this ends the changefeed */
	for (size_t i = 0; i < c->n_tables; i++) {
		columns_free(&c->tables[i]);
		ent_builder_free(c->tables[i].builder);
		ent_schema_release(&c->tables[i].arrow);
		free(c->tables[i].object);
	}
	for (size_t i = c->at; i < c->n_rows; i++)
		free(c->rows[i]);
	free(c->rows);
	free(c->tables);
	free(c);
}
static void closep(struct ent_roach **c) { ent_roach_close(*c); }

static int feed_start(struct ent_roach *c, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)1 << 20);
	char time[48];
	for (size_t i = 0; i < c->n_tables; i++) {
		ent_buf_str(&sql, i ? ", " : "EXPERIMENTAL CHANGEFEED FOR ");
		ent_pg_name(&sql, c->tables[i].schema);
		ent_buf_str(&sql, ".");
		ent_pg_name(&sql, c->tables[i].table);
	}
	time_text(c->cursor, time);
	ent_buf_printf(&sql, " WITH updated, resolved = '1s', %scursor = '%s'", c->frequent ? "min_checkpoint_frequency = '1s', " : "", time);
	ENT_TRY(ent_buf_check(&sql, err));
	if (!PQsendQuery(c->feed.con, ent_buf_text(&sql)) || !PQsetSingleRowMode(c->feed.con))
		return ent_pg_fail(&c->feed, NULL, "CockroachDB starts no changefeed", err);
	c->heard_ms = now_ms();
	return 0;
}

int ent_roach_ack(struct ent_roach *c, const char *cursor, struct ent_err *err)
{
	char cluster[64];
	struct ent_roach_time t;
	if (cursor_parse(cursor, cluster, &t) && !strcmp(cluster, c->cluster) && ent_roach_time_order(t, c->cursor) <= 0)
		return 0; /* the source keeps nothing for us but what it keeps for everybody */
	return ent_fail(err, ENT_EDATA, "this is no cursor that was told by this CockroachDB cluster: %.100s", cursor);
}

/* --- rows that wait --- */

static int rows_room(struct ent_roach *c, struct ent_err *err)
{
	if (c->n_rows < c->cap)
		return 0;
	size_t cap = c->cap ? 2 * c->cap : 1024;
	struct waiting **more = (struct waiting **)realloc(c->rows, cap * sizeof *more);
	if (!more)
		return ent_nomem(err);
	c->rows = more;
	c->cap = cap;
	return 0;
}

static int row_keep(struct ent_roach *c, uint32_t table, struct ent_bytes key, struct ent_bytes value, const struct ent_roach_message *m,
		    struct ent_err *err)
{
	if (ent_roach_time_order(m->time, c->cursor) <= 0)
		return 0; /* again: it is in the target */
	ENT_TRY(rows_room(c, err));
	struct waiting *w = (struct waiting *)malloc(sizeof *w + key.len + value.len);
	if (!w)
		return ent_nomem(err);
	*w = (struct waiting){
		.time = m->time, .order = c->order++, .table = table, .key_len = (uint32_t)key.len, .value_len = (uint32_t)value.len, .gone = m->gone
	};
	memcpy(w->bytes, key.data, key.len);
	memcpy(w->bytes + key.len, value.data, value.len);
	c->rows[c->n_rows++] = w;
	c->bytes += sizeof *w + key.len + value.len;
	return 0;
}

static int key_order(const struct waiting *a, const struct waiting *b)
{
	uint32_t n = a->key_len < b->key_len ? a->key_len : b->key_len;
	int by = memcmp(a->bytes, b->bytes, n);
	return by ? by : a->key_len < b->key_len ? -1 : a->key_len > b->key_len;
}

/* By time; within a transaction deletes first (another row may take their place), then tables and keys, so that the same row stands side by side. */
static int row_order(const void *x, const void *y)
{
	const struct waiting *a = *(const struct waiting *const *)x, *b = *(const struct waiting *const *)y;
	int by = ent_roach_time_order(a->time, b->time);
	if (!by)
		by = (int)b->gone - (int)a->gone;
	if (!by && a->table != b->table)
		by = a->table < b->table ? -1 : 1;
	if (!by)
		by = key_order(a, b);
	return by ? by : a->order < b->order ? -1 : a->order > b->order;
}

static bool same_row(const struct waiting *a, const struct waiting *b)
{
	return !ent_roach_time_order(a->time, b->time) && a->gone == b->gone && a->table == b->table && !key_order(a, b);
}

/* Everything up to the mark goes out. */
static void mark_begin(struct ent_roach *c, struct ent_roach_time mark)
{
	size_t n = 0, kept = 0;
	qsort(c->rows, c->n_rows, sizeof *c->rows, row_order);
	for (size_t i = 0; i < c->n_rows; i++) { /* a version that came twice goes out once */
		struct waiting *w = c->rows[i];
		if (kept && same_row(c->rows[kept - 1], w)) {
			c->bytes -= sizeof *w + w->key_len + w->value_len;
			free(w);
			continue;
		}
		c->rows[kept++] = w;
		n += ent_roach_time_order(w->time, mark) <= 0;
	}
	c->n_rows = kept;
	c->out = n;
	c->mark = mark;
	c->going_out = c->whole = true;
}

static void crowd_begin(struct ent_roach *c)
{
	c->out = c->n_rows;
	c->going_out = true;
	c->whole = false;
}

/* --- rows going out --- */

static int rows_event(struct ent_roach *c, struct ent_event *e, struct ent_err *err)
{
	ENT_TRY(ent_builder_finish(c->filling->builder, &e->array, err));
	e->kind = ENT_EVENT_ROWS;
	e->table = (size_t)(c->filling - c->tables);
	e->time_us = (int64_t)(c->mark.wall / 1000);
	c->filling = NULL;
	c->any = true;
	return 0;
}

static int schema_event(struct ent_roach *c, struct followed *t, struct ent_event *e, struct ent_err *err)
{
	e->kind = ENT_EVENT_SCHEMA;
	e->table = (size_t)(t - c->tables);
	t->told = true;
	return ent_schema_dup(&t->arrow, &e->schema, err);
}

/* Adds a row to its table's batch; columns that are not known ask the catalogue again. *ret_again: the table is described anew. */
static int row_add(struct followed *t, const struct waiting *w, bool *ret_again, struct ent_err *err)
{
	struct ent_bytes key = ent_bytes(w->bytes, w->key_len), value = ent_bytes(w->bytes + w->key_len, w->value_len);
	struct ent_roach_message m;
	bool strange;
	ENT_TRY(ent_roach_message(key, value, &m, err));
	ENT_TRY(ent_roach_row(&t->columns, &m, t->builder, &strange, err));
	*ret_again = strange;
	return 0;
}

static int other_columns(const struct followed *t, struct ent_err *err)
{
	ent_fail(err, ENT_EDATA, "a changed row of %.200s does not have the columns of its table", t->object);
	return ent_next(err, "start the stream anew after a change of columns; computed columns that are not stored cannot be followed"), ENT_EDATA;
}

/* The next row; *ret: e holds an event, the row was not taken yet. */
static int row_step(struct ent_roach *c, struct ent_event *e, bool *ret, struct ent_err *err)
{
	struct waiting *w = c->rows[c->at];
	struct followed *t = &c->tables[w->table];
	bool again = false;
	*ret = true;
	if (c->filling && (c->filling != t || ent_builder_full(t->builder)))
		return rows_event(c, e, err);
	if (!t->told)
		return schema_event(c, t, e, err);
	ENT_TRY(row_add(t, w, &again, err));
	if (again && c->filling)
		return rows_event(c, e, err);
	if (again) {
		ENT_TRY(table_describe(c, t, err));
		ENT_TRY(row_add(t, w, &again, err));
		if (again)
			return other_columns(t, err);
		ent_builder_free(t->builder); /* its columns are told first, then the row comes */
		t->builder = NULL;
		ENT_TRY(ent_builder_new(&t->arrow, 0, &t->builder, err));
		return schema_event(c, t, e, err);
	}
	*ret = false;
	c->filling = t;
	c->bytes -= sizeof *w + w->key_len + w->value_len;
	free(w);
	c->at++;
	return 0;
}

/* All went out: the end of a transaction of the target. */
static void end_event(struct ent_roach *c, struct ent_event *e)
{
	memmove(c->rows, c->rows + c->out, (c->n_rows - c->out) * sizeof *c->rows);
	c->n_rows -= c->out;
	c->at = c->out = 0;
	c->going_out = false;
	if (c->whole)
		c->cursor = c->mark;
	e->kind = c->any || !c->whole ? ENT_EVENT_COMMIT : ENT_EVENT_HEARTBEAT;
	e->time_us = e->kind == ENT_EVENT_COMMIT ? (int64_t)(c->cursor.wall / 1000) : 0;
	cursor_text(c->cluster, c->cursor, e->cursor);
	c->any = false;
}

static int out_step(struct ent_roach *c, struct ent_event *e, bool *ret, struct ent_err *err)
{
	*ret = false;
	while (c->at < c->out && !*ret)
		ENT_TRY(row_step(c, e, ret, err));
	if (*ret)
		return 0;
	*ret = true;
	if (c->filling)
		return rows_event(c, e, err);
	end_event(c, e);
	return 0;
}

/* --- rows coming in --- */

static bool cell(const PGresult *r, int col, struct ent_buf *out)
{
	const char *text = PQgetvalue(r, 0, col);
	size_t len = (size_t)PQgetlength(r, 0, col);
	if (len < 2 || text[0] != '\\' || text[1] != 'x' || len % 2) { /* not as bytes, but as text */
		ent_buf_put(out, text, len);
		return !out->code;
	}
	uint8_t *space = len > 2 ? ent_buf_space(out, len / 2 - 1) : NULL;
	return len == 2 || (space && ent_unhex(space, len / 2 - 1, text + 2, len - 2));
}

static int message_take(struct ent_roach *c, const PGresult *r, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf key = ENT_BUF((size_t)64 << 20), value = ENT_BUF((size_t)512 << 20);
	struct ent_roach_message m;
	if (PQnfields(r) != 3 || !cell(r, 2, &value) || (!PQgetisnull(r, 0, 0) && !cell(r, 1, &key)))
		return ent_fail(err, ENT_EPEER, "CockroachDB's changefeed has other columns than table, key and value");
	bool mark = PQgetisnull(r, 0, 0);
	ENT_TRY(ent_roach_message(mark ? ent_bytes(NULL, 0) : ent_bytes(key.len ? key.data : (const uint8_t *)"", key.len), ent_buf_bytes(&value), &m,
				  err));
	if (mark) {
		if (ent_roach_time_order(m.time, c->cursor) > 0)
			mark_begin(c, m.time);
		return 0;
	}
	for (size_t i = 0; i < c->n_tables; i++)
		if (!strcmp(PQgetvalue(r, 0, 0), c->tables[i].table))
			return row_keep(c, (uint32_t)i, ent_buf_bytes(&key), ent_buf_bytes(&value), &m, err);
	return ent_fail(err, ENT_EDATA, "the changefeed speaks of a table that is not followed: %.100s", PQgetvalue(r, 0, 0));
}

/* The changefeed ended: what may pass, what is lost, what somebody must set first. */
static int feed_ended(struct ent_roach *c, const PGresult *r, struct ent_err *err)
{
	const char *text = r ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	if (text && c->frequent && !c->answered && strstr(text, "min_checkpoint_frequency")) {
		for (PGresult *rest = PQgetResult(c->feed.con); rest; rest = PQgetResult(c->feed.con))
			PQclear(rest);
		c->frequent = false;
		return feed_start(c, err);
	}
	int code = ent_pg_fail(&c->feed, r, "CockroachDB's changefeed ended", err);
	if (text && (strstr(text, "GC threshold") || strstr(text, "dropped") || strstr(text, "truncated"))) {
		code = ENT_EDATA;
		ent_next(err, "its past is gone: begin anew (entente replicate run ... --restart); a longer gc.ttlseconds keeps more");
	} else if (text && strstr(text, "rangefeed")) {
		code = ENT_EUNSUPPORTED;
		ent_next(err, "SET CLUSTER SETTING kv.rangefeed.enabled = true");
	} else if (code == ENT_EIO) {
		code = ENT_EAGAIN;
	}
	if (err)
		err->code = code;
	return code;
}

static int input_wait(struct ent_roach *c, uint64_t ms, struct ent_err *err)
{
	struct pollfd p = { .fd = PQsocket(c->feed.con), .events = POLLIN };
	int n = poll(&p, 1, (int)(ms > 100 ? 100 : ms));
	if (c->src->host.cancelled && c->src->host.cancelled(c->src->host.self))
		return ent_fail(err, ENT_ECANCELLED, "following changes was cancelled");
	if (n < 0 && errno != EINTR)
		return ent_fail(err, ENT_EIO, "the connection to CockroachDB broke");
	if (n > 0 && !PQconsumeInput(c->feed.con))
		return feed_ended(c, NULL, err);
	if (now_ms() - c->heard_ms > SILENCE_MS)
		return ent_fail(err, ENT_EAGAIN, "CockroachDB's changefeed says nothing any more");
	return 0;
}

/* What is there already, until rows can go out. */
static int messages_take(struct ent_roach *c, struct ent_err *err)
{
	while (!c->going_out && !PQisBusy(c->feed.con)) {
		ENT_CLEANUP(ent_pg_clear) PGresult *r = PQgetResult(c->feed.con);
		c->heard_ms = now_ms();
		if (PQresultStatus(r) != PGRES_SINGLE_TUPLE) {
			ENT_TRY(feed_ended(c, r, err));
			continue;
		}
		c->answered = true;
		ENT_TRY(message_take(c, r, err));
		if (!c->going_out && (c->bytes > WAITING_BYTES || c->n_rows > WAITING_ROWS))
			crowd_begin(c);
	}
	return 0;
}

/* A refusal comes at once, if it comes. */
static int first_answer(struct ent_roach *c, struct ent_err *err)
{
	for (uint64_t begin = now_ms(); !c->answered && now_ms() - begin < ANSWER_MS;) {
		ENT_TRY(input_wait(c, ANSWER_MS, err));
		ENT_TRY(messages_take(c, err));
	}
	return 0;
}

int ent_roach_open(struct ent_source *s, const struct ent_changes_spec *spec, struct ent_roach **ret, struct ent_err *err)
{
	ENT_CLEANUP(closep) struct ent_roach *c = (struct ent_roach *)calloc(1, sizeof *c);
	char cluster[64];
	if (!c)
		return ent_nomem(err);
	c->src = s;
	c->feed.host = s->host;
	c->frequent = true; /* without it marks come every 30 seconds; old versions do not know it */
	ENT_TRY(identity(s, c->cluster, &c->cursor, err));
	if (spec->cursor && !cursor_parse(spec->cursor, cluster, &c->cursor))
		return ent_fail(err, ENT_EDATA, "this is no cursor of CockroachDB: %.100s", spec->cursor);
#ifndef ENT_MUTANT_ROACH_CLUSTER
	if (spec->cursor && strcmp(cluster, c->cluster) != 0) {
		ent_fail(err, ENT_EDATA, "this is another CockroachDB cluster than the one that was followed");
		return ent_next(err, "begin anew: entente replicate run ... --restart"), ENT_EDATA;
	}
#endif
	c->told_begin = spec->cursor != NULL;
	ENT_TRY(tables_set(c, spec, err));
	ENT_TRY(ent_pg_connect_replication(s, &c->feed, err));
	ENT_TRY(ent_pg_run(&c->feed, "SET statement_timeout = 0", NULL, 0, NULL, "the session of the changefeed cannot be prepared", err));
	ENT_TRY(feed_start(c, err));
	ENT_TRY(first_answer(c, err));
	*ret = c;
	c = NULL;
	return 0;
}

int ent_roach_take(struct ent_roach *c, uint32_t timeout_ms, struct ent_event *ret, struct ent_err *err)
{
	struct ent_event e = { .size = sizeof e, .kind = ENT_EVENT_IDLE };
	uint64_t begin = now_ms();
	bool event = false;
	if (!c->told_begin) {
		c->told_begin = event = true;
		e.kind = ENT_EVENT_HEARTBEAT;
		cursor_text(c->cluster, c->cursor, e.cursor);
	}
	while (!event) {
		ENT_TRY(messages_take(c, err));
		if (c->going_out)
			ENT_TRY(out_step(c, &e, &event, err));
		uint64_t gone = now_ms() - begin;
		if (event || gone >= timeout_ms)
			break;
		ENT_TRY(input_wait(c, timeout_ms - gone, err));
	}
	*ret = e;
	return 0;
}
