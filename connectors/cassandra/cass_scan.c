/* Reading by ranges of tokens: a few ranges are under way at once, each with its next page asked for while the last one is decoded; rows come
 * out in the order of their tokens. Pages grow and shrink towards a size in bytes, so that wide rows do not fill memory. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cass.h"

#define LANES 4
#define PARTS_WHOLE 8 /* ranges of a scan without a split */
#define PAGE_FIRST 32
#define PAGE_MAX 5000
#define PAGE_BYTES ((size_t)1 << 20)

struct lane { /* one range of tokens (low, high] */
	int64_t low, high;
	struct ent_cass_call *now, *next; /* the page being decoded; the page asked for */
	int32_t page_rows;
	bool started;
};

struct feed { /* one open stream */
	struct ent_source *source;
	struct ArrowSchema schema;
	struct ent_builder *builder;
	struct ent_cass_column *columns;
	size_t n_columns;
	const struct ent_cass_prepared *prepared;
	struct lane lanes[PARTS_WHOLE];
	size_t n_lanes, at; /* at: the lane whose rows come now */
	struct ent_cql_event page;
	uint32_t rows_left; /* of page */
	uint64_t rows;
	struct ent_bytes *cells; /* of one row: columns, then write times */
	size_t n_times;
	struct ent_cass_seen *seen; /* changes */
	int64_t after_us;
	const uint64_t *until_ms;
};

static void feed_free(void *self)
{
	struct feed *f = (struct feed *)self;
	if (!f)
		return;
	for (size_t i = 0; i < f->n_lanes; i++) {
		ent_cass_end(f->lanes[i].now);
		ent_cass_end(f->lanes[i].next);
	}
	f->source->busy = false;
	ent_builder_free(f->builder);
	ent_schema_release(&f->schema);
	free(f->columns);
	free(f->cells);
	free(f);
}
static void feed_freep(struct feed **f) { feed_free(*f); }

/* --- pages --- */

static int page_ask(struct feed *f, struct lane *l, struct ent_bytes state, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf values = ENT_BUF(64);
	ent_cql_put_i64(&values, l->low);
	ent_cql_put_i64(&values, l->high);
	ENT_TRY(ent_buf_check(&values, err));
	ENT_TRY(ent_cass_begin(f->source, &l->next, err));
	struct ent_cql_params p = { .consistency = f->source->settings.consistency,
				    .values = ent_buf_bytes(&values),
				    .n_values = 2,
				    .page_rows = l->page_rows,
				    .paging_state = state };
	l->next->prepared = f->prepared;
	ent_cql_execute(&l->next->frame, l->next->stream, ent_bytes(f->prepared->id, f->prepared->id_len), &p);
	return ent_cass_send(f->source, l->next, err);
}

static void page_resize(struct lane *l, uint32_t rows, size_t bytes)
{
	if (!rows)
		return;
	size_t fit = PAGE_BYTES / (bytes / rows + 1) + 1, most = (size_t)l->page_rows * 8;
	fit = fit < most ? fit : most;
	l->page_rows = (int32_t)(fit < PAGE_MAX ? fit : PAGE_MAX);
}

/* The page asked for becomes the one to decode, and the one after it is asked for. */
static int page_take(struct feed *f, struct lane *l, struct ent_err *err)
{
	l->now = l->next;
	l->next = NULL;
	ENT_TRY(ent_cass_wait_for(f->source, l->now, "the table cannot be read", &f->page, err));
	if (f->page.kind != ENT_CQL_IS_ROWS || f->page.out.n_columns != f->n_columns + f->n_times)
		return ent_fail(err, ENT_EPEER, "Cassandra answered a SELECT with something else");
	f->rows_left = f->page.n_rows;
	page_resize(l, f->page.n_rows, l->now->answer.body.len);
	if (f->page.out.paging_state.len)
		return page_ask(f, l, f->page.out.paging_state, err);
	return 0;
}

/* Written after the last pass began, or nobody knows when (no value but the key's), and not given since. */
static bool row_changed(struct feed *f)
{
	bool timed = false, late = false;
	for (size_t i = f->n_columns; i < f->n_columns + f->n_times; i++) {
		struct ent_reader r = ent_reader(f->cells[i]);
		if (!f->cells[i].data)
			continue;
		timed = true;
		late = late || (int64_t)ent_read_be64(&r) > f->after_us || !r.ok;
	}
	return (late || !timed) && !ent_cass_seen_before(f->seen, ent_cass_seen_row(f->seen, f->cells, f->n_columns + f->n_times));
}

static int row_put(struct feed *f, struct ent_err *err)
{
	size_t first = f->seen ? 2 : 0;
	for (size_t i = 0; i < f->n_columns + f->n_times; i++)
		ENT_TRY(ent_cql_cell(&f->page.cells, &f->cells[i], err));
	f->rows_left--;
	f->rows++;
	if (f->seen && !row_changed(f))
		return 0;
	if (f->seen) {
		ENT_TRY(ent_builder_text(f->builder, 0, ent_bytes_str("U"), err));
		ENT_TRY(ent_builder_null(f->builder, 1, err));
	}
	for (size_t i = 0; i < f->n_columns; i++)
		ENT_TRY(ent_cass_value_put(f->builder, first + i, &f->columns[i], f->rows, f->cells[i], err));
	return 0;
}

/* One step towards the end: rows of the page, the next page, or the next range. */
static int step(struct feed *f, struct ent_err *err)
{
	for (size_t i = f->at; i < f->n_lanes && i < f->at + LANES; i++) {
		struct lane *l = &f->lanes[i];
		if (!l->started) {
			l->started = true;
			ENT_TRY(page_ask(f, l, ent_bytes(NULL, 0), err));
		}
	}
	struct lane *l = &f->lanes[f->at];
	while (f->rows_left && !ent_builder_full(f->builder))
		ENT_TRY(row_put(f, err));
	if (f->rows_left)
		return 0;
	ent_cass_end(l->now);
	l->now = NULL;
	if (l->next)
		return page_take(f, l, err);
	f->at++;
	return 0;
}

static int feed_next(void *self, struct ArrowArray *ret, struct ent_err *err)
{
	struct feed *f = (struct feed *)self;
	if (ent_cass_cancelled(f->source))
		return ent_fail(err, ENT_ECANCELLED, "reading from Cassandra was cancelled");
	while (f->at < f->n_lanes && !ent_builder_full(f->builder)) {
		ENT_TRY(step(f, err));
		if (f->until_ms && f->at < f->n_lanes && ent_dial_now_ms() >= *f->until_ms)
			return ent_builder_finish(f->builder, ret, err);
	}
	return ent_builder_rows(f->builder) ? ent_builder_finish(f->builder, ret, err) : 0;
}

static const struct ent_stream_ops feed_ops = { feed_next, feed_free };

/* --- what to read --- */

static int column_take(struct feed *f, const struct ent_cass_table *t, const char *name, bool copy, struct ent_field *field, struct ent_err *err)
{
	const struct ent_cass_field *c = ent_cass_field_find(t, name);
	if (!c)
		return ent_fail(err, ENT_ENOTFOUND, "there is no column %.200s", name);
	if (copy ? !c->t.copied : c->t.reason != NULL)
		return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be read: %s", name, c->t.reason);
	f->columns[f->n_columns++] = (struct ent_cass_column){ c->name, c->t.kind };
	*field = (struct ent_field){ .name = c->name, .type = c->t.type, .nullable = c->role == ENT_CASS_REGULAR, .native = copy ? c->native : NULL };
	return 0;
}

/* The key, when the stream has all of its columns. */
static void keys_put(const struct ent_cass_table *t, const struct feed *f, struct ent_buf *out)
{
	for (size_t k = 0; k < t->n_keys; k++) {
		size_t i = 0;
		while (i < f->n_columns && f->columns[i].name != t->fields[k].name)
			i++;
		if (i == f->n_columns) {
			ent_buf_reset(out);
			return;
		}
		ent_buf_printf(out, "%s%s", k ? "\t" : "", t->fields[k].name);
	}
}

static void fields_free(struct ent_field **f) { free(*f); }

static int columns_take(struct feed *f, const struct ent_cass_table *t, const struct ent_cass_scan *what, struct ent_err *err)
{
	size_t n = what->columns ? what->n_columns : t->n_fields, taken = 0;
	ENT_CLEANUP(fields_free) struct ent_field *fields = (struct ent_field *)calloc(n + 3, sizeof *fields);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf keys = ENT_BUF(1 << 16);
	f->columns = (struct ent_cass_column *)calloc(n + 1, sizeof *f->columns);
	f->cells = (struct ent_bytes *)calloc(2 * n + 1, sizeof *f->cells);
	if (!fields || !f->columns || !f->cells)
		return ent_nomem(err);
	if (f->seen) {
		fields[taken++] = (struct ent_field){ .name = "entente.op", .type = { ENT_T_TEXT, 0, 0 } };
		fields[taken++] = (struct ent_field){ .name = "entente.unchanged", .type = { ENT_T_TEXT, 0, 0 }, .nullable = true };
	}
	for (size_t i = 0; i < n; i++)
		if (what->columns || t->fields[i].t.copied)
			ENT_TRY(column_take(f, t, what->columns ? what->columns[i] : t->fields[i].name, what->copy, &fields[taken++], err));
	if (!f->n_columns)
		return ent_fail(err, ENT_EUSAGE, "a scan needs at least one column that can be read");
	if (what->copy)
		keys_put(t, f, &keys);
	ENT_TRY(ent_buf_check(&keys, err));
	ENT_TRY(ent_schema_new(fields, taken, keys.len ? ent_buf_text(&keys) : NULL, &f->schema, err));
	return ent_builder_new(&f->schema, 0, &f->builder, err);
}

/* The write time of every value; a column of many cells (a list, a set, a map, a type that is not frozen) has the newest of them. */
static void times_put(struct feed *f, const struct ent_cass_table *t, struct ent_buf *sql)
{
	for (size_t i = 0; i < f->n_columns; i++) {
		const struct ent_cass_field *c = ent_cass_field_find(t, f->columns[i].name);
		if (c->role != ENT_CASS_REGULAR)
			continue;
		bool many = c->t.kind == ENT_CASS_JSON && strncmp(c->native, "frozen<", 7) != 0 && strncmp(c->native, "tuple<", 6) != 0 &&
			    strncmp(c->native, "vector<", 7) != 0;
		ent_buf_str(sql, many ? ", maxwritetime(" : ", writetime(");
		ent_cass_name(sql, c->name);
		ent_buf_str(sql, ")");
		f->n_times++;
	}
}

static int statement_prepare(struct feed *f, const struct ent_cass_table *t, const char *where, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)1 << 20), token = ENT_BUF(1 << 16);
	for (size_t i = 0; i < t->n_partition; i++) {
		ent_buf_str(&token, i ? ", " : "token(");
		ent_cass_name(&token, t->fields[i].name);
	}
	ent_buf_str(&sql, "SELECT ");
	for (size_t i = 0; i < f->n_columns; i++) {
		bool json = f->columns[i].kind == ENT_CASS_JSON;
		ent_buf_str(&sql, i ? ", " : "");
		ent_buf_str(&sql, json ? "toJson(" : "");
		ent_cass_name(&sql, f->columns[i].name);
		ent_buf_str(&sql, json ? ")" : "");
	}
	if (f->seen)
		times_put(f, t, &sql);
	ent_buf_str(&sql, " FROM ");
	ent_cass_relation(t, &sql);
	ent_buf_printf(&sql, " WHERE %s) > ? AND %s) <= ?", ent_buf_text(&token), ent_buf_text(&token));
	if (where)
		ent_buf_printf(&sql, " AND %s ALLOW FILTERING", where);
	ENT_TRY(ent_buf_check(&token, err));
	ENT_TRY(ent_buf_check(&sql, err));
	return ent_cass_prepare(f->source, ent_buf_text(&sql), &f->prepared, err);
}

/* Divides (low, high] evenly. */
static void lanes_make(struct feed *f, int64_t low, int64_t high, size_t n)
{
	uint64_t width = (uint64_t)high - (uint64_t)low;
	n = width < n ? 1 : n;
	for (size_t i = 0; i < n; i++) {
		struct lane *l = &f->lanes[i];
		l->low = (int64_t)((uint64_t)low + width / n * i);
		l->high = i + 1 == n ? high : (int64_t)((uint64_t)low + width / n * (i + 1));
		l->page_rows = PAGE_FIRST;
	}
	f->n_lanes = n;
}

static int split_read(struct feed *f, const char *split, struct ent_err *err)
{
	int64_t low, high;
	int end = 0;
	if (!split)
		lanes_make(f, INT64_MIN, INT64_MAX, PARTS_WHOLE); /* no row has the token INT64_MIN */
	else if (sscanf(split, "token %" SCNd64 " %" SCNd64 "%n", &low, &high, &end) == 2 && !split[end] && low < high)
		lanes_make(f, low, high, LANES);
	else
		return ent_fail(err, ENT_EUSAGE, "%.60s is no part of a Cassandra table", split);
	return 0;
}

int ent_cass_scan(struct ent_source *s, const char *object, const struct ent_cass_scan *what, struct ArrowArrayStream *ret, struct ent_err *err)
{
	ENT_CLEANUP(feed_freep) struct feed *f = NULL;
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_cass_table *t;
	if (s->busy)
		return ent_fail(err, ENT_EINTERNAL, "a stream of this source is still open");
	ENT_TRY(ent_cass_table_get(s, object, &t, err));
	f = (struct feed *)calloc(1, sizeof *f);
	if (!f)
		return ent_nomem(err);
	f->source = s;
	f->seen = what->seen;
	f->after_us = what->after_us;
	f->until_ms = what->until_ms;
	s->busy = true;
	ENT_TRY(columns_take(f, t, what, err));
	ENT_TRY(split_read(f, what->split, err));
	ENT_TRY(statement_prepare(f, t, what->where, err));
	ENT_TRY(ent_schema_dup(&f->schema, &schema, err));
	struct feed *given = f;
	f = NULL;
	return ent_stream_new(&schema, &feed_ops, given, ret, err);
}
