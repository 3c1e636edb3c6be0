/* Writing: rows gather into one putMultiple, which is under way while the next one gathers. Every batch has a timestamp of its own, later than the
 * one before and than any of earlier runs: sending one twice changes nothing, and later rows of a key win. No transactions: rows, then the
 * checkpoint. */
#include <stdio.h>
#include <stdlib.h>

#include "arrow/fit.h"
#include "arrow/sink.h"
#include "hb.h"

#define TABLES_MAX 64
#define BATCH_BYTES ((size_t)1 << 20) /* servers take frames of 2 MB unless told otherwise */
#define PUT_BYTES ((size_t)768 << 10) /* a longer row goes as several puts */
#define BATCH_ROWS 4000
#define KEY_SLOTS 16384 /* a power of two */

struct sink_table {
	char object[300];
	struct ArrowSchema schema;
	struct ent_hb_table *to; /* the module's own copy of what is known about the table */
	size_t *columns;         /* per column of the schema: of the table */
	size_t n_columns;
	size_t keys[ENT_HB_KEYS_MAX]; /* columns of the schema that make the row key */
	struct ent_bytes marker;      /* the family of rows without other cells */
	bool fresh;                   /* nothing can stand under a NULL */
	uint64_t rows;
};

struct ent_sink {
	struct ent_source *s;
	struct ent_hb_mark mark;
	struct sink_table *tables[TABLES_MAX];
	size_t n_tables, table; /* table: whose batch gathers */
	struct ent_buf puts, deletes;
	uint32_t n_puts, n_deletes, n_rows;
	uint64_t keys[KEY_SLOTS]; /* hashes of the batch's row keys: each key once */
	struct ent_buf key, value, scratch, cells;
	size_t *cell_ends;
	bool under_way;
	int failed;
};

static void table_free(struct sink_table *t)
{
	if (!t)
		return;
	ent_schema_release(&t->schema);
	ent_hb_table_free(t->to);
	free(t->columns);
	free(t);
}
static void table_freep(struct sink_table **t) { table_free(*t); }

void ent_hb_sink_close(struct ent_sink *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->n_tables; i++)
		table_free(k->tables[i]);
	ent_buf_deinit(&k->puts);
	ent_buf_deinit(&k->deletes);
	ent_buf_deinit(&k->key);
	ent_buf_deinit(&k->value);
	ent_buf_deinit(&k->scratch);
	ent_buf_deinit(&k->cells);
	free(k->cell_ends);
	free(k);
}
static void sink_closep(struct ent_sink **k) { ent_hb_sink_close(*k); }

int ent_hb_sink_open(struct ent_source *s, const char *job, uint64_t *epoch, struct ent_sink **ret, struct ent_err *err)
{
	ENT_CLEANUP(sink_closep) struct ent_sink *k = (struct ent_sink *)calloc(1, sizeof *k);
	if (!k || !(k->cell_ends = (size_t *)calloc(ENT_COLUMNS_MAX + 1, sizeof *k->cell_ends)))
		return ent_nomem(err);
	if (!s->settings.write)
		return ent_fail(err, ENT_EINTERNAL, "HBase was opened for reading only");
	if (!job[0] || (size_t)snprintf(k->mark.job, sizeof k->mark.job, "%s", job) >= sizeof k->mark.job)
		return ent_fail(err, ENT_EUSAGE, "the job's name is empty or longer than %zu letters", sizeof k->mark.job - 1);
	k->s = k->mark.s = s;
	k->puts.max = k->deletes.max = k->cells.max = k->value.max = k->scratch.max = ENT_BATCH_BYTES_HARD + (1 << 20);
	k->key.max = ENT_BATCH_BYTES_HARD;
	ENT_TRY(ent_hb_mark_take(&k->mark, s->settings.ns, epoch, err));
	*ret = k;
	k = NULL;
	return 0;
}

/* --- sending --- */

static int sound(const struct ent_sink *k, struct ent_err *err)
{
	if (!k->failed)
		return 0;
	return ent_fail(err, k->failed, "an earlier row of this run could not be written");
}

/* The batch under way is durable. */
static int land(struct ent_sink *k, struct ent_err *err)
{
	struct ent_hb_answer a;
	if (!k->under_way)
		return 0;
	k->under_way = false;
	int code = k->s->pending ? ent_hb_wait(k->s, "rows cannot be written to HBase", &a, err)
				 : ent_fail(err, ENT_EAGAIN, "what HBase said about the last rows was not heard");
	k->failed = code ? code : k->failed;
	return code;
}

static void list_put(struct ent_sink *k, const char *method, const struct ent_buf *items, uint32_t n)
{
	struct ent_buf *b = ent_hb_ask(k->s, method);
	ent_thrift_put_binary(b, 1, ent_hb_full(k->tables[k->table]->to));
	ent_thrift_put_list(b, 2, ENT_THRIFT_STRUCT, n);
	ent_buf_put(b, items->data, items->len);
}

static int deletes_send(struct ent_sink *k, struct ent_err *err)
{
	struct ent_hb_answer a;
	struct ent_hb_rows left;
	if (!k->n_deletes)
		return 0;
	list_put(k, "deleteMultiple", &k->deletes, k->n_deletes);
	ENT_TRY(ent_hb_call(k->s, "rows cannot be deleted in HBase", &a, err));
	ENT_TRY(ent_hb_answer_rows(&a, &left, err)); /* those that failed */
	return left.n ? ent_fail(err, ENT_EIO, "%u rows cannot be deleted in HBase", left.n) : 0;
}

static void batch_reset(struct ent_sink *k)
{
	ent_buf_reset(&k->puts);
	ent_buf_reset(&k->deletes);
	k->n_puts = k->n_deletes = k->n_rows = 0;
	memset(k->keys, 0, sizeof k->keys);
}

static int batch_send(struct ent_sink *k, struct ent_err *err)
{
	if (!k->n_rows)
		return 0;
	ENT_TRY(land(k, err));
	ENT_TRY(ent_buf_check(&k->puts, err));
	ENT_TRY(ent_buf_check(&k->deletes, err));
	int code = deletes_send(k, err);
	if (!code && k->n_puts) {
		list_put(k, "putMultiple", &k->puts, k->n_puts);
		code = ent_hb_send(k->s, true, err);
		k->under_way = !code;
	}
	batch_reset(k);
	k->failed = code ? code : k->failed;
	return code;
}

static int settle_all(struct ent_sink *k, struct ent_err *err)
{
	ENT_TRY(batch_send(k, err));
	return land(k, err);
}

/* --- gathering --- */

/* Whether the batch has this key (or one of the same hash) already; if not, it has it now. */
static bool key_seen(struct ent_sink *k)
{
	uint64_t h = 0xcbf29ce484222325u;
	for (size_t i = 0; i < k->key.len; i++)
		h = (h ^ k->key.data[i]) * 0x100000001b3u;
	h = h ? h : 1;
	size_t at = h & (KEY_SLOTS - 1);
	while (k->keys[at] && k->keys[at] != h)
		at = (at + 1) & (KEY_SLOTS - 1);
	bool seen = k->keys[at] == h;
	k->keys[at] = h;
	return seen;
}

/* Room for a row with k->key in the batch of its table; a batch has each key once, as its rows have one timestamp. */
static int row_begin(struct ent_sink *k, size_t table, struct ent_err *err)
{
	bool full = k->n_rows >= BATCH_ROWS || k->puts.len + k->deletes.len >= BATCH_BYTES;
	if (k->table != table || full)
		ENT_TRY(batch_send(k, err));
	k->table = table;
	if (key_seen(k)) {
		ENT_TRY(batch_send(k, err));
		(void)key_seen(k);
	}
	if (!k->n_rows++) {
		int64_t now = ent_hb_now_ms();
		k->mark.time_ms = now > k->mark.time_ms ? now : k->mark.time_ms + 1;
	}
	return 0;
}

static int misfit(const struct sink_table *t, size_t column, const struct ent_view *v, size_t row, const struct ent_err *why, struct ent_err *err)
{
	char type[ENT_TYPE_TEXT_MAX];
	const struct ent_hb_column *c = &t->to->columns[t->columns[column]];
	ent_hb_type_name(&c->t, type);
	int code = ent_fit_misfit(v, row, t->rows, c->name, type, err);
	return ent_next(err, "%s", why->why), code;
}

static int key_make(struct ent_sink *k, struct sink_table *t, const struct ent_view *const *views, size_t row, struct ent_err *err)
{
	ent_buf_reset(&k->key);
	for (size_t i = 0; i < t->to->n_keys; i++) {
		size_t at = t->keys[i];
		const struct ent_hb_column *c = &t->to->columns[t->columns[at]];
		struct ent_err why = ENT_ERR_INIT;
		if (!views[at] || ent_view_null(views[at], row))
			return ent_fail(err, ENT_EDATA, "row %llu of column %.200s is NULL, and it belongs to the row key",
					(unsigned long long)t->rows, c->name);
		ent_buf_reset(&k->value);
		if (ent_hb_value_encode(views[at], row, &c->t, &k->scratch, &k->value, &why))
			return misfit(t, at, views[at], row, &why, err);
		ent_hb_key_part(&k->key, ent_buf_bytes(&k->value), i, t->to->n_keys);
	}
	ENT_TRY(ent_buf_check(&k->key, err));
	if (k->key.len && k->key.len <= ENT_HB_KEY_BYTES_MAX)
		return 0;
	ent_fail(err, ENT_EDATA, "row %llu of column %.200s cannot be stored as a row key", (unsigned long long)t->rows,
		 t->to->columns[t->columns[t->keys[0]]].name);
	return ent_why(err, k->key.len ? "it has more than 32767 bytes" : "HBase has no empty row key"), ENT_EDATA;
}

/* Cells of the row that have a value, encoded one after the other; columns that are NULL go into a delete where something may stand. */
static int cells_make(struct ent_sink *k, struct sink_table *t, const struct ent_view *const *views, const bool *unchanged, size_t row,
		      uint32_t *ret_n, struct ent_err *err)
{
	uint32_t n = 0;
	ent_buf_reset(&k->cells);
	for (size_t i = 0; i < t->n_columns; i++) {
		const struct ent_hb_column *c = &t->to->columns[t->columns[i]];
		struct ent_err why = ENT_ERR_INIT;
		if (c->key || (unchanged && unchanged[i]) || !views[i] || ent_view_null(views[i], row))
			continue;
		ent_buf_reset(&k->value);
		if (ent_hb_value_encode(views[i], row, &c->t, &k->scratch, &k->value, &why))
			return misfit(t, i, views[i], row, &why, err);
		ent_hb_put_cell(&k->cells, c->family, c->qualifier, ent_buf_bytes(&k->value));
		k->cell_ends[n++] = k->cells.len;
	}
#ifndef ENT_MUTANT_HB_MARKER
	if (!n) { /* a row of HBase is its cells */
		ent_hb_put_cell(&k->cells, t->marker, ent_bytes_str(ENT_HB_MARKER), ent_bytes("", 0));
		k->cell_ends[n++] = k->cells.len;
	}
#endif
	*ret_n = n;
	return ent_buf_check(&k->cells, err);
}

/* The cells as one put, or as several that are not too long. */
static int puts_add(struct ent_sink *k, uint32_t n_cells, struct ent_err *err)
{
	for (uint32_t i = 0, from; i < n_cells;) {
		size_t begin = i ? k->cell_ends[i - 1] : 0;
		for (from = i++; i < n_cells && k->cell_ends[i] - begin <= PUT_BYTES; i++)
			;
		size_t len = k->cell_ends[i - 1] - begin;
		if (k->n_puts && k->puts.len + len > BATCH_BYTES) {
			uint32_t rows = k->n_rows;
			ENT_TRY(batch_send(k, err));
			k->n_rows = rows ? 1 : 0;
		}
		ent_hb_put_begin(&k->puts, ent_buf_bytes(&k->key), i - from);
		ent_buf_put(&k->puts, k->cells.data + begin, len);
		ent_hb_put_end(&k->puts, k->mark.time_ms);
		k->n_puts++;
	}
	return ent_buf_check(&k->puts, err);
}

static void nulls_delete(struct ent_sink *k, struct sink_table *t, const struct ent_view *const *views, const bool *unchanged, size_t row)
{
	uint32_t n = 0;
	for (int pass = 0; pass < 2; pass++) {
		if (pass && n)
			ent_hb_delete_begin(&k->deletes, ent_buf_bytes(&k->key), n);
		for (size_t i = 0; i < t->n_columns; i++) {
			const struct ent_hb_column *c = &t->to->columns[t->columns[i]];
			if (c->key || (unchanged && unchanged[i]) || !views[i] || !ent_view_null(views[i], row))
				continue;
			n += !pass;
			if (pass)
				ent_hb_delete_column(&k->deletes, c->family, c->qualifier, k->mark.time_ms);
		}
	}
	if (!n)
		return;
	ent_hb_delete_end(&k->deletes, n, k->mark.time_ms);
	k->n_deletes++;
}

static int row_write(struct ent_sink *k, size_t index, const struct ent_view *const *views, const bool *unchanged, bool fresh, size_t row,
		     struct ent_err *err)
{
	struct sink_table *t = k->tables[index];
	uint32_t n_cells;
	ENT_TRY(key_make(k, t, views, row, err));
	ENT_TRY(cells_make(k, t, views, unchanged, row, &n_cells, err));
	ENT_TRY(row_begin(k, index, err));
	if (!fresh)
		nulls_delete(k, t, views, unchanged, row);
	return puts_add(k, n_cells, err);
}

static int row_delete(struct ent_sink *k, size_t index, const struct ent_view *const *views, size_t row, struct ent_err *err)
{
	ENT_TRY(key_make(k, k->tables[index], views, row, err));
	ENT_TRY(row_begin(k, index, err));
	ent_hb_delete_begin(&k->deletes, ent_buf_bytes(&k->key), 0);
	ent_hb_delete_end(&k->deletes, 0, k->mark.time_ms);
	k->n_deletes++;
	return ent_buf_check(&k->deletes, err);
}

/* --- tables --- */

static int columns_take(struct sink_table *t, struct ent_err *err)
{
	t->n_columns = (size_t)t->schema.n_children;
	free(t->columns);
	t->columns = (size_t *)calloc(t->n_columns + 1, sizeof *t->columns);
	if (!t->columns)
		return ent_nomem(err);
	for (size_t i = 0; i < t->n_columns; i++) {
		int at = ent_hb_column_find(t->to, t->schema.children[i]->name);
		if (at < 0)
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be written: the table has no such column",
					t->schema.children[i]->name);
		t->columns[i] = (size_t)at;
	}
	for (size_t i = 0; i < t->to->n_keys; i++)
		t->keys[i] = (size_t)ent_schema_find(&t->schema, t->to->columns[t->to->keys[i]].name);
	t->marker = ent_bytes_str(t->to->n_families ? t->to->families[0] : ENT_HB_FAMILY);
	for (size_t i = 0; i < t->to->n_families; i++)
		if (!strcmp(t->to->families[i], ENT_HB_FAMILY))
			t->marker = ent_bytes_str(ENT_HB_FAMILY);
	return 0;
}

/* Takes the table out of the source's list: it is the sink's from here on. */
static void table_take(struct ent_source *s, struct ent_hb_table *t)
{
	for (struct ent_hb_table **at = &s->tables; *at; at = &(*at)->next) {
		if (*at == t) {
			*at = t->next;
			t->next = NULL;
			return;
		}
	}
}

int ent_hb_sink_table(struct ent_sink *k, const struct ent_target *target, size_t *ret_index, struct ent_err *err)
{
	ENT_CLEANUP(table_freep) struct sink_table *t = (struct sink_table *)calloc(1, sizeof *t);
	struct ent_hb_table *to;
	if (!t)
		return ent_nomem(err);
	if (k->n_tables == TABLES_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "one run writes at most %d tables", TABLES_MAX);
	ENT_TRY(settle_all(k, err));
	ENT_TRY(ent_hb_target_ready(k->s, target, &to, &t->fresh, err));
	table_take(k->s, to);
	t->to = to;
	snprintf(t->object, sizeof t->object, "%s", target->object);
	ENT_TRY(ent_schema_dup(target->schema, &t->schema, err));
	ENT_TRY(columns_take(t, err));
	*ret_index = k->n_tables;
	k->tables[k->n_tables++] = t;
	t = NULL;
	return 0;
}

/* --- rows --- */

int ent_hb_sink_rows(struct ent_sink *k, size_t index, const struct ArrowArray *rows, struct ent_err *err)
{
	ENT_BATCH_AUTO b = { 0 };
	const struct ent_view *views[ENT_COLUMNS_MAX];
	struct sink_table *t = k->tables[index];
	ENT_TRY(sound(k, err));
	ENT_TRY(ent_batch_open_copy(&t->schema, rows, &b, err));
	for (size_t i = 0; i < b.n_columns; i++)
		views[i] = &b.columns[i];
	for (size_t r = 0; r < b.rows; r++) {
		t->rows++;
		int code = row_write(k, index, views, NULL, t->fresh, r, err);
		if (code) {
			k->failed = code;
			return code;
		}
	}
	return 0;
}

/* --- changes --- */

struct changes {
	struct ent_batch batch;
	const struct ent_view *views[ENT_COLUMNS_MAX]; /* of the table's columns */
	bool unchanged[ENT_COLUMNS_MAX];
};

static int change_apply(struct ent_sink *k, size_t index, struct changes *c, size_t row, struct ent_err *err)
{
	struct sink_table *t = k->tables[index];
	struct ent_bytes op = ent_view_text(&c->batch.columns[0], row);
	struct ent_bytes same = ent_view_null(&c->batch.columns[1], row) ? ent_bytes(NULL, 0) : ent_view_text(&c->batch.columns[1], row);
	t->rows++;
	if (ent_bytes_eq(op, ent_bytes_str("D")))
		return row_delete(k, index, c->views, row, err);
	if (!ent_bytes_eq(op, ent_bytes_str("I")) && !ent_bytes_eq(op, ent_bytes_str("U")))
		return ent_fail(err, ENT_EDATA, "changes of %.200s hold an unknown kind", t->object);
	for (size_t i = 0; i < t->n_columns; i++)
		c->unchanged[i] = same.len && ent_sink_listed(same, t->schema.children[i]->name);
	return row_write(k, index, c->views, c->unchanged, false, row, err);
}

static int changes_fit(const struct sink_table *t, const struct ArrowSchema *schema, struct changes *c, struct ent_err *err)
{
	char why[200];
	if (c->batch.n_columns < 2 || c->batch.columns[0].type.id != ENT_T_TEXT || c->batch.columns[1].type.id != ENT_T_TEXT)
		return ent_fail(err, ENT_EDATA, "changes of %.200s have no kinds", t->object);
	for (size_t i = 0; i < t->n_columns; i++) {
		int at = ent_schema_find(schema, t->schema.children[i]->name);
		c->views[i] = at < 2 ? NULL : &c->batch.columns[at];
	}
	for (size_t i = 2; i < c->batch.n_columns; i++) {
		const char *name = schema->children[i]->name;
		int at = ent_schema_find(&t->schema, name);
		if (at < 0 || ent_fit_types(c->batch.columns[i].type, t->to->columns[t->columns[at]].t.type, why) == ENT_MAP_REFUSED)
			return ent_fail(err, ENT_EDATA, "changes of %.200s have other columns than its table: %.200s", t->object, name);
	}
	return 0;
}

int ent_hb_sink_changes(struct ent_sink *k, size_t index, const struct ArrowSchema *schema, const struct ArrowArray *rows, struct ent_err *err)
{
	struct changes *c = (struct changes *)calloc(1, sizeof *c);
	int code = sound(k, err);
	if (!c)
		return ent_nomem(err);
	if (!code)
		code = ent_batch_open_copy(schema, rows, &c->batch, err);
	if (!code)
		code = changes_fit(k->tables[index], schema, c, err);
	for (size_t r = 0; r < c->batch.rows && !code; r++)
		code = change_apply(k, index, c, r, err);
	ent_batch_close(&c->batch);
	free(c);
	k->failed = code ? code : k->failed;
	return code;
}

/* --- ends --- */

int ent_hb_sink_truncate(struct ent_sink *k, size_t index, struct ent_err *err)
{
	ENT_TRY(sound(k, err));
	ENT_TRY(settle_all(k, err));
	return ent_hb_target_empty(k->s, k->tables[index]->to, err);
}

int ent_hb_sink_commit(struct ent_sink *k, const struct ent_sink_checkpoint *checkpoint, struct ent_err *err)
{
	ENT_TRY(sound(k, err));
	ENT_TRY(settle_all(k, err));
	return ent_hb_mark_commit(&k->mark, checkpoint, err);
}

int ent_hb_sink_rollback(struct ent_sink *k, struct ent_err *err)
{
	(void)err;
	(void)land(k, NULL); /* what was sent stays: the same rows come again, under the same keys */
	batch_reset(k);
	k->failed = 0;
	for (size_t i = 0; i < k->n_tables; i++)
		k->tables[i]->fresh = false;
	return 0;
}

int ent_hb_sink_last(struct ent_sink *k, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err)
{
	ENT_TRY(land(k, err));
	return ent_hb_mark_last(&k->mark, part, ret, err);
}

int ent_hb_sink_finish(struct ent_sink *k, int forget, struct ent_err *err)
{
	ENT_TRY(sound(k, err));
	ENT_TRY(settle_all(k, err));
	return forget ? ent_hb_mark_forget(&k->mark, err) : ent_hb_mark_commit(&k->mark, NULL, err);
}

static void fields_free(struct ent_field **f) { free(*f); }

/* The columns of a schema that may be one of changes; texts are lent by infos. */
static int columns_only(const struct sink_table *t, const struct ArrowSchema *given, struct ArrowSchema *ret, struct ent_err *err)
{
	size_t n = (size_t)given->n_children, first = n > 2 && !strcmp(given->children[0]->name, "entente.op") ? 2 : 0;
	ENT_CLEANUP(fields_free) struct ent_field *fields = (struct ent_field *)calloc(n + 1, sizeof *fields);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf natives = ENT_BUF((size_t)1 << 20);
	char keys[8192] = "", store[32];
	if (!fields || !ent_buf_space(&natives, n * 160 + 1))
		return ent_nomem(err);
	for (size_t i = first; i < n; i++) {
		struct ent_field_info f;
		char *native = (char *)natives.data + i * 160;
		ent_schema_field(given, i, &f);
		snprintf(native, 160, "%s", f.native);
		fields[i] = (struct ent_field){ .name = f.name, .type = f.type, .nullable = true, .native = native[0] ? native : NULL };
	}
	ent_metadata_get(t->schema.metadata, ENT_META_KEYS, keys, sizeof keys);
	ENT_TRY(ent_schema_new(fields + first, n - first, keys[0] ? keys : NULL, ret, err));
	if (ent_metadata_get(given->metadata, ENT_META_STORE, store, sizeof store))
		return ent_schema_meta_add(ret, ENT_META_STORE, store, err);
	return 0;
}

int ent_hb_sink_alter(struct ent_sink *k, size_t index, const struct ArrowSchema *schema, struct ent_err *err)
{
	ENT_SCHEMA_AUTO own = { 0 };
	struct sink_table *t = k->tables[index];
	ENT_TRY(ent_schema_check(schema, err));
	ENT_TRY(settle_all(k, err));
	ENT_TRY(columns_only(t, schema, &own, err));
	ENT_TRY(ent_hb_target_alter(k->s, t->to, &own, err));
	ent_schema_release(&t->schema);
	t->schema = ent_schema_take(&own);
	return columns_take(t, err);
}
