/* Following tables by polling: every cell and every mark of a delete carries a time, so a scan over [last bound, new bound) names the rows that
 * changed; each is then read whole. The new bound stays settings.lag_ms behind our clock: half of it is for clocks that differ, half for writes that
 * take their time. A write with a time of the writer's own that lies before the bound is never seen; the mark of a delete is, until a compaction. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "arrow/value.h"
#include "hb.h"

#define GETS 200         /* rows read whole at once */
#define POLL_MIN_MS 1000 /* between two polls, at least */

struct follow_table {
	char *object;
	struct ent_hb_table *t; /* the stream's own */
	bool told;              /* its schema was given */
};

struct ent_changes {
	struct ent_source *s;
	struct follow_table *tables;
	size_t n_tables;
	char cluster[64];
	int64_t from_ms, to_ms; /* the poll under way; to_ms 0: none */
	size_t at;              /* table being polled */
	struct ent_hb_cursor cursor;
	bool scanning, changed;
	struct ent_event held; /* rows that come next, when array.release is set */
	uint64_t next_ms;      /* of ent_dial_now_ms: when to poll again */
};

static void table_drop(struct follow_table *f)
{
	ent_hb_table_free(f->t);
	f->t = NULL;
}

void ent_hb_changes_close(struct ent_changes *c)
{
	if (!c)
		return;
	if (c->scanning)
		ent_hb_cursor_end(&c->cursor);
	for (size_t i = 0; i < c->n_tables; i++) {
		table_drop(&c->tables[i]);
		free(c->tables[i].object);
	}
	ent_array_release(&c->held.array);
	c->s->busy = false;
	free(c->tables);
	free(c);
}
static void changes_closep(struct ent_changes **c) { ent_hb_changes_close(*c); }

/* --- cursors: "MILLISECONDS CLUSTER" --- */

static int cluster_read(struct ent_source *s, char ret[64], struct ent_err *err)
{
	struct ent_hb_answer a;
	struct ent_bytes id;
	(void)ent_hb_ask(s, "getClusterId");
	ENT_TRY(ent_hb_call(s, "the cluster cannot be identified", &a, err));
	ENT_TRY(ent_hb_answer_text(&a, &id, err));
	snprintf(ret, 64, "%.*s", (int)id.len, (const char *)id.data);
	return 0;
}

static bool cursor_parse(const char *cursor, int64_t *ret_ms, const char **ret_cluster)
{
	const char *blank = strchr(cursor, ' ');
	*ret_cluster = blank ? blank + 1 : "";
	return blank && ent_int_parse(ent_bytes(cursor, (size_t)(blank - cursor)), ret_ms);
}

int ent_hb_position(struct ent_source *s, char ret[400], struct ent_err *err)
{
	char cluster[64];
	ENT_TRY(cluster_read(s, cluster, err));
	/* A server's clock may be ahead of ours by half of the lag. */
	snprintf(ret, 400, "%" PRId64 " %s", ent_hb_now_ms() + s->settings.lag_ms / 2 + 1, cluster);
	return 0;
}

int ent_hb_position_reached(const char *a, const char *b)
{
	int64_t x, y;
	const char *p, *q;
	return cursor_parse(a, &x, &p) && cursor_parse(b, &y, &q) && !strcmp(p, q) && x <= y;
}

static int begin_at(struct ent_changes *c, const char *cursor, struct ent_err *err)
{
	const char *cluster;
	ENT_TRY(cluster_read(c->s, c->cluster, err));
	if (!cursor) {
		c->from_ms = ent_hb_now_ms() - c->s->settings.lag_ms;
		return 0;
	}
	if (!cursor_parse(cursor, &c->from_ms, &cluster))
		return ent_fail(err, ENT_EDATA, "%.100s is no position in HBase's tables", cursor);
	if (!strcmp(cluster, c->cluster))
		return 0;
	ent_fail(err, ENT_EDATA, "the address leads to another HBase cluster than before");
	ent_why(err, "it was %.63s, and now is %.63s: their times say nothing about each other", cluster, c->cluster);
	return ent_next(err, "begin a new stream"), ENT_EDATA;
}

/* --- tables --- */

/* As it is now; the stream keeps its own, as it outlives what the source knows. */
static int table_open(struct ent_changes *c, struct follow_table *f, struct ent_err *err)
{
	struct ent_hb_table *t;
	table_drop(f);
	ent_hb_tables_forget(c->s);
	ENT_TRY(ent_hb_table_get(c->s, f->object, &t, err));
	c->s->tables = NULL; /* it was the only one */
	f->t = t;
	f->told = false;
	return 0;
}

int ent_hb_changes_open(struct ent_source *s, const struct ent_changes_spec *spec, struct ent_changes **ret, struct ent_err *err)
{
	ENT_CLEANUP(changes_closep) struct ent_changes *c = NULL;
	if (s->busy)
		return ent_fail(err, ENT_EINTERNAL, "a stream of this source is still open");
	c = (struct ent_changes *)calloc(1, sizeof *c);
	if (!c)
		return ent_nomem(err);
	c->s = s;
	c->tables = (struct follow_table *)calloc(spec->n_objects + 1, sizeof *c->tables);
	if (!c->tables)
		return ent_nomem(err);
	ENT_TRY(begin_at(c, spec->cursor, err));
	for (; c->n_tables < spec->n_objects; c->n_tables++) {
		struct follow_table *f = &c->tables[c->n_tables];
		if (!(f->object = ent_strdup(spec->objects[c->n_tables])))
			return ent_nomem(err);
		ENT_TRY(table_open(c, f, err));
	}
	s->busy = true;
	*ret = c;
	c = NULL;
	return 0;
}

/* --- the poll --- */

static const struct ent_field before[] = { { .name = "entente.op", .type = { .id = ENT_T_TEXT } },
					   { .name = "entente.unchanged", .type = { .id = ENT_T_TEXT }, .nullable = true } };

static int reader_make(const struct follow_table *f, struct ent_hb_reader *r, struct ent_err *err)
{
	struct ent_hb_reading how = { .before = before, .n_before = 2, .copy = true, .all_nullable = true };
	return ent_hb_reader_init(r, f->t, &how, err);
}

/* Up to GETS keys of changed rows, each after its length. */
static int keys_read(struct ent_changes *c, struct ent_buf *keys, uint32_t *ret_n, struct ent_err *err)
{
	struct ent_hb_row row;
	*ret_n = 0;
	if (!c->scanning) {
		struct ent_hb_scan_spec spec = {
			.from_ms = c->from_ms, .to_ms = c->to_ms, .raw = true, .filter = "FirstKeyOnlyFilter() AND KeyOnlyFilter()"
		};
		ent_hb_cursor_begin(&c->cursor, c->s, c->tables[c->at].t, &spec);
		c->scanning = true;
	}
	while (*ret_n < GETS) {
		ENT_TRY(ent_hb_cursor_next(&c->cursor, &row, err));
		if (!row.key.len) {
			ent_hb_cursor_end(&c->cursor);
			c->scanning = false;
			break;
		}
		ent_buf_be32(keys, (uint32_t)row.key.len);
		ent_buf_put(keys, row.key.data, row.key.len);
		++*ret_n;
	}
	return ent_buf_check(keys, err);
}

static int rows_get(struct ent_changes *c, const struct ent_buf *keys, uint32_t n, struct ent_hb_rows *ret, struct ent_err *err)
{
	struct ent_hb_answer a;
	struct ent_reader r = ent_reader(ent_buf_bytes(keys));
	struct ent_buf *b = ent_hb_ask(c->s, "getMultiple");
	ent_thrift_put_binary(b, 1, ent_hb_full(c->tables[c->at].t));
	ent_thrift_put_list(b, 2, ENT_THRIFT_STRUCT, n);
	for (uint32_t i = 0; i < n; i++) {
		ent_thrift_put_binary(b, 1, ent_read(&r, ent_read_be32(&r)));
		ent_thrift_put_stop(b);
	}
	ENT_TRY(ent_hb_call(c->s, "changed rows cannot be read", &a, err));
	ENT_TRY(ent_hb_answer_rows(&a, ret, err));
	return ret->n == n ? 0 : ent_fail(err, ENT_EPEER, "HBase's Thrift2 server answered with another number of rows");
}

static int row_put(struct ent_hb_reader *r, struct ent_hb_row *row, struct ent_bytes key, struct ent_hb_cell *ret_unknown, struct ent_err *err)
{
	bool there = row->n_cells > 0;
	ENT_TRY(there ? ent_hb_reader_row(r, row, ret_unknown, err) : ent_hb_reader_key(r, key, err));
	if (ret_unknown->family.data)
		return 0;
	ENT_TRY(ent_builder_text(r->builder, 0, ent_bytes_str(there ? "U" : "D"), err));
	return ent_builder_null(r->builder, 1, err);
}

/* A column that nobody knew: the table is looked at again, and what it does not say itself is taken as text. */
static int column_learn(struct ent_changes *c, const struct ent_hb_cell *cell, struct ent_err *err)
{
	struct follow_table *f = &c->tables[c->at];
	struct ent_hb_type type = { .type.id = ENT_T_TEXT };
	char family[64], qualifier[256], name[330];
	snprintf(family, sizeof family, "%.*s", (int)cell->family.len, (const char *)cell->family.data);
	snprintf(qualifier, sizeof qualifier, "%.*s", (int)cell->qualifier.len, (const char *)cell->qualifier.data);
	if (!ent_utf8_valid(cell->value) || (cell->value.len && memchr(cell->value.data, 0, cell->value.len)))
		(void)ent_hb_type_by_name("binary", &type);
	ENT_TRY(table_open(c, f, err));
	if (ent_hb_column_at(f->t, ent_bytes_str(family), ent_bytes_str(qualifier)) >= 0)
		return 0;
	snprintf(name, sizeof name, "%s:%s", family, qualifier);
	return ent_hb_column_add(f->t, name, &type, err);
}

/* One batch of changed rows; *ret_rows 0: the table has no more. The rows are of the same moment as the ones found, or later: later changes come
 * again with the next poll. A batch cut short by a new column is read again. */
static int rows_poll(struct ent_changes *c, const struct ent_buf *keys, uint32_t n, struct ent_event *ret, struct ent_err *err)
{
	struct follow_table *f = &c->tables[c->at];
	for (unsigned tries = 0; tries < ENT_COLUMNS_MAX; tries++) {
		ENT_CLEANUP(ent_hb_reader_deinit) struct ent_hb_reader r = { 0 };
		struct ent_hb_cell unknown = { 0 };
		struct ent_hb_rows rows;
		struct ent_hb_row row;
		struct ent_reader at = ent_reader(ent_buf_bytes(keys));
		ENT_TRY(reader_make(f, &r, err));
		ENT_TRY(rows_get(c, keys, n, &rows, err));
		while (rows.n && !unknown.family.data) {
			ENT_TRY(ent_hb_row_next(&rows, &row, err));
			ENT_TRY(row_put(&r, &row, ent_read(&at, ent_read_be32(&at)), &unknown, err));
		}
		if (unknown.family.data) {
			ENT_TRY(column_learn(c, &unknown, err));
			continue;
		}
		ENT_TRY(ent_builder_finish(r.builder, &ret->array, err));
		ret->kind = ENT_EVENT_ROWS;
		ret->table = c->at;
		if (f->told)
			return 0;
		c->held = *ret; /* a table's columns are told before its first rows */
		*ret = (struct ent_event){ .size = sizeof *ret, .kind = ENT_EVENT_SCHEMA, .table = c->at, .schema = ent_schema_take(&r.schema) };
		f->told = true;
		return 0;
	}
	return ent_fail(err, ENT_EDATA, "table %.200s has too many columns", f->object);
}

static int poll_step(struct ent_changes *c, struct ent_event *ret, bool *ret_given, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf keys = ENT_BUF((size_t)GETS * (ENT_HB_KEY_BYTES_MAX + 8));
	uint32_t n;
	ENT_TRY(keys_read(c, &keys, &n, err));
	*ret_given = n > 0;
	if (n)
		ENT_TRY(rows_poll(c, &keys, n, ret, err));
	c->changed = c->changed || n;
	if (!c->scanning)
		c->at++;
	return 0;
}

static void poll_end(struct ent_changes *c, struct ent_event *ret)
{
	ret->kind = c->changed ? ENT_EVENT_COMMIT : ENT_EVENT_HEARTBEAT;
	ret->time_us = c->changed ? c->to_ms * 1000 : 0;
	snprintf(ret->cursor, sizeof ret->cursor, "%" PRId64 " %s", c->to_ms, c->cluster);
	c->from_ms = c->to_ms;
	c->to_ms = 0;
	c->next_ms = ent_dial_now_ms() + (c->s->settings.lag_ms / 4 < POLL_MIN_MS ? c->s->settings.lag_ms / 4 : POLL_MIN_MS);
}

int ent_hb_changes_next(struct ent_changes *c, uint32_t timeout_ms, struct ent_event *ret, struct ent_err *err)
{
	uint64_t end = ent_dial_now_ms() + timeout_ms;
	bool given = false;
	if (c->held.array.release) {
		*ret = c->held;
		c->held.array.release = NULL;
		return 0;
	}
	while (!c->to_ms) {
		int64_t bound = ent_hb_now_ms() - c->s->settings.lag_ms;
		if (ent_hb_cancelled(c->s))
			return ent_fail(err, ENT_ECANCELLED, "following HBase was cancelled");
		if (ent_dial_now_ms() >= c->next_ms && bound > c->from_ms) {
			c->to_ms = bound;
			c->at = 0;
			c->changed = false;
		} else if (ent_dial_now_ms() >= end) {
			ret->kind = ENT_EVENT_IDLE;
			return 0;
		} else {
			usleep(10000);
		}
	}
	while (c->at < c->n_tables && !given)
		ENT_TRY(poll_step(c, ret, &given, err));
	if (!given)
		poll_end(c, ret);
	return 0;
}

int ent_hb_changes_ack(struct ent_changes *c, const char *cursor, struct ent_err *err)
{
	(void)c;
	(void)cursor;
	(void)err;
	return 0; /* HBase keeps nothing for us */
}

int ent_hb_changes_drop(struct ent_source *s, const char *job, struct ent_err *err)
{
	(void)s;
	(void)job;
	(void)err;
	return 0;
}
