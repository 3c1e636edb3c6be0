/* Writing: prepared statements, many in flight, each row with a write time of its own, so that sending one twice changes nothing and later rows of
 * a key win over earlier ones whatever the order of arrival. No transactions: rows first, then the checkpoint. */
#include <stdio.h>
#include <stdlib.h>

#include "arrow/fit.h"
#include "cass.h"

#define TABLES_MAX 64
#define WINDOW 200
#define WINDOW_BYTES ((size_t)4 << 20)
#define FLOW_BYTES ((size_t)64 << 10)

struct sink_column {
	char name[256], native[160];
	enum ent_cass_kind kind;
	bool cut, key, partition;
};

struct sink_table {
	char object[200];
	struct ArrowSchema schema;
	struct sink_column *columns; /* as the schema has them */
	size_t n_columns;
	size_t *keys; /* columns of the key, in its order */
	size_t n_keys, n_partition;
	bool fresh; /* nothing can stand under a NULL, so it is left out */
	const struct ent_cass_prepared *insert, *delete;
	uint64_t rows;
};

struct flight { /* a row under way */
	struct ent_cass_call *call;
	size_t table, bytes;
	uint64_t row;
};

struct ent_sink {
	struct ent_source *s;
	struct ent_cass_mark mark;
	struct sink_table tables[TABLES_MAX];
	size_t n_tables;
	struct flight flights[WINDOW]; /* a ring: n from first on */
	size_t first, n, bytes;
	int64_t sequence;
	struct ent_buf values;
	int failed;
};

static void table_deinit(struct sink_table *t)
{
	ent_schema_release(&t->schema);
	free(t->columns);
	free(t->keys);
	*t = (struct sink_table){ 0 };
}

static void flights_drop(struct ent_sink *k)
{
	for (; k->n; k->n--, k->first = (k->first + 1) % WINDOW)
		ent_cass_end(k->flights[k->first].call);
	k->bytes = 0;
}

void ent_cass_sink_close(struct ent_sink *k)
{
	if (!k)
		return;
	flights_drop(k);
	for (size_t i = 0; i < k->n_tables; i++)
		table_deinit(&k->tables[i]);
	ent_buf_deinit(&k->values);
	free(k);
}
static void sink_closep(struct ent_sink **k) { ent_cass_sink_close(*k); }

int ent_cass_sink_open(struct ent_source *s, const char *job, uint64_t *epoch, struct ent_sink **ret, struct ent_err *err)
{
	ENT_CLEANUP(sink_closep) struct ent_sink *k = (struct ent_sink *)calloc(1, sizeof *k);
	if (!k)
		return ent_nomem(err);
	if (!s->settings.write)
		return ent_fail(err, ENT_EINTERNAL, "the Cassandra cluster was opened for reading only");
	if (!s->settings.keyspace[0]) {
		ent_fail(err, ENT_EUSAGE, "the target's address names no keyspace");
		return ent_next(err, "say cassandra://HOST/KEYSPACE#TABLE; the job's checkpoints live in that keyspace"), ENT_EUSAGE;
	}
	k->s = s;
	k->mark.s = s;
	ent_buf_init(&k->values, (size_t)ENT_CQL_BODY_MAX);
	snprintf(k->mark.keyspace, sizeof k->mark.keyspace, "%s", s->settings.keyspace);
	if ((size_t)snprintf(k->mark.job, sizeof k->mark.job, "%s", job) >= sizeof k->mark.job)
		return ent_fail(err, ENT_EUSAGE, "the job's name is longer than %zu letters", sizeof k->mark.job - 1);
	ENT_TRY(ent_cass_mark_take(&k->mark, epoch, err));
	*ret = k;
	k = NULL;
	return 0;
}

/* --- tables --- */

static int columns_take(struct sink_table *t, const struct ent_cass_table *to, struct ent_err *err)
{
	t->n_columns = (size_t)t->schema.n_children;
	t->columns = (struct sink_column *)calloc(t->n_columns + 1, sizeof *t->columns);
	t->keys = (size_t *)calloc(to->n_keys + 1, sizeof *t->keys);
	if (!t->columns || !t->keys)
		return ent_nomem(err);
	for (size_t i = 0; i < t->n_columns; i++) {
		struct sink_column *c = &t->columns[i];
		struct ent_field_info f;
		char why[200];
		ent_schema_field(&t->schema, i, &f);
		const struct ent_cass_field *there = ent_cass_field_find(to, f.name);
		if (!there)
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be written: the table has no such column", f.name);
		snprintf(c->name, sizeof c->name, "%s", there->name);
		snprintf(c->native, sizeof c->native, "%s", there->native);
		c->kind = there->t.kind;
		c->key = there->role != ENT_CASS_REGULAR;
		c->partition = there->role == ENT_CASS_PARTITION;
		c->cut = ent_cass_fit(f.type, f.native, c->kind, why) == ENT_MAP_LOSSY;
	}
	for (size_t i = 0; i < to->n_keys; i++)
		t->keys[t->n_keys++] = (size_t)ent_schema_find(&t->schema, to->fields[i].name);
	t->n_partition = to->n_partition;
	return 0;
}

static void marker_put(struct ent_buf *sql, const struct sink_column *c) { ent_buf_str(sql, c->kind == ENT_CASS_JSON ? "fromJson(?)" : "?"); }

static int statements_prepare(struct ent_source *s, struct sink_table *t, const struct ent_cass_table *to, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf insert = ENT_BUF((size_t)1 << 20), delete = ENT_BUF((size_t)1 << 20);
	ent_buf_str(&insert, "INSERT INTO ");
	ent_cass_relation(to, &insert);
	for (size_t i = 0; i < t->n_columns; i++) {
		ent_buf_str(&insert, i ? ", " : " (");
		ent_cass_name(&insert, t->columns[i].name);
	}
	for (size_t i = 0; i < t->n_columns; i++) {
		ent_buf_str(&insert, i ? ", " : ") VALUES (");
		marker_put(&insert, &t->columns[i]);
	}
	ent_buf_str(&insert, ") USING TIMESTAMP ?");
	ent_buf_str(&delete, "DELETE FROM ");
	ent_cass_relation(to, &delete);
	ent_buf_str(&delete, " USING TIMESTAMP ?");
	for (size_t i = 0; i < t->n_keys; i++) {
		ent_buf_str(&delete, i ? " AND " : " WHERE ");
		ent_cass_name(&delete, t->columns[t->keys[i]].name);
		ent_buf_str(&delete, " = ");
		marker_put(&delete, &t->columns[t->keys[i]]);
	}
	ENT_TRY(ent_buf_check(&insert, err));
	ENT_TRY(ent_buf_check(&delete, err));
	ENT_TRY(ent_cass_prepare(s, ent_buf_text(&insert), &t->insert, err));
	return ent_cass_prepare(s, ent_buf_text(&delete), &t->delete, err);
}

int ent_cass_sink_table(struct ent_sink *k, const struct ent_target *target, size_t *ret_index, struct ent_err *err)
{
	ENT_CLEANUP(table_deinit) struct sink_table t = { 0 };
	struct ent_cass_table *to;
	if (k->n_tables == TABLES_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "one run writes at most %d tables", TABLES_MAX);
	ENT_TRY(ent_cass_target_ready(k->s, target, &to, &t.fresh, err));
	snprintf(t.object, sizeof t.object, "%s", target->object);
	ENT_TRY(ent_schema_dup(target->schema, &t.schema, err));
	ENT_TRY(columns_take(&t, to, err));
	int r = statements_prepare(k->s, &t, to, err);
	if (r == ENT_ENOTFOUND) { /* a crash in mid-creation: the catalogue lists a table that the server does not know */
		ENT_TRY(ent_cass_target_make(k->s, target, err));
		r = statements_prepare(k->s, &t, to, err);
	}
	ENT_TRY(r);
	k->tables[k->n_tables] = t;
	t = (struct sink_table){ 0 };
	*ret_index = k->n_tables++;
	return 0;
}

/* --- rows under way --- */

/* Waits for the oldest row. */
static int land(struct ent_sink *k, struct ent_err *err)
{
	struct flight f = k->flights[k->first];
	struct ent_cql_event e;
	char what[300];
	snprintf(what, sizeof what, "row %llu of %.200s cannot be written", (unsigned long long)f.row, k->tables[f.table].object);
	int code = ent_cass_wait_for(k->s, f.call, what, &e, err);
	ent_cass_end(f.call);
	k->first = (k->first + 1) % WINDOW;
	k->n--;
	k->bytes -= f.bytes;
	if (!code && e.kind != ENT_CQL_IS_VOID)
		code = ent_fail(err, ENT_EPEER, "Cassandra answered a row with something else");
	k->failed = code ? code : k->failed;
	return code;
}

static int land_all(struct ent_sink *k, struct ent_err *err)
{
	while (k->n)
		ENT_TRY(land(k, err));
	return 0;
}

/* Sends statement p with the values gathered in k. */
static int take_off(struct ent_sink *k, size_t table, const struct ent_cass_prepared *p, size_t n_values, struct ent_err *err)
{
	ENT_TRY(ent_buf_check(&k->values, err));
	while (k->n == WINDOW || (k->n && k->bytes + k->values.len > WINDOW_BYTES))
		ENT_TRY(land(k, err));
	struct flight *f = &k->flights[(k->first + k->n) % WINDOW];
	*f = (struct flight){ .table = table, .bytes = k->values.len, .row = k->tables[table].rows };
	ENT_TRY(ent_cass_begin(k->s, &f->call, err));
	k->n++;
	k->bytes += f->bytes;
	f->call->prepared = p;
	struct ent_cql_params params = { .consistency = k->s->settings.consistency,
					 .values = ent_buf_bytes(&k->values),
					 .n_values = (uint16_t)n_values };
	ent_cql_execute(&f->call->frame, f->call->stream, ent_bytes(p->id, p->id_len), &params);
	ENT_TRY(ent_cass_send(k->s, f->call, err));
	ent_cass_flow(k->s, FLOW_BYTES);
	return 0;
}

/* --- values --- */

static int cell_put(struct ent_sink *k, struct sink_table *t, size_t column, const struct ent_view *v, size_t row, struct ent_err *err)
{
	const struct sink_column *c = &t->columns[column];
	struct ent_err why = ENT_ERR_INIT;
	if (ent_view_null(v, row)) {
		if (c->key)
			return ent_fail(err, ENT_EDATA, "row %llu of column %.200s is NULL, and it belongs to the key", (unsigned long long)t->rows,
					c->name);
		if (t->fresh && c->kind != ENT_CASS_JSON) /* fromJson takes no unset value */
			ent_cql_put_unset(&k->values);
		else
			ent_cql_put_null(&k->values);
		return 0;
	}
	size_t before = k->values.len;
	int code = ent_cass_value_encode(v, row, c->kind, c->cut, &k->values, &why);
	if (!code && c->partition && t->n_partition == 1 && k->values.len == before + 4)
		code = ent_fail(&why, ENT_EDATA, "a value does not fit"), ent_why(&why, "an empty key has no place on the ring");
	if (!code)
		return 0;
	code = ent_fit_misfit(v, row, t->rows, c->name, c->native, err);
	ent_next(err, "%s", why.why);
	return code;
}

static int row_insert(struct ent_sink *k, size_t index, const struct ent_view *const *views, const bool *unchanged, size_t row, struct ent_err *err)
{
	struct sink_table *t = &k->tables[index];
	ent_buf_reset(&k->values);
	for (size_t i = 0; i < t->n_columns; i++) {
		bool left = !views[i] || unchanged[i];
		if (left && (t->columns[i].key || t->columns[i].kind == ENT_CASS_JSON))
			return ent_fail(err, ENT_EUNSUPPORTED, "a change of %.200s leaves out column %.200s", t->object, t->columns[i].name);
		if (left)
			ent_cql_put_unset(&k->values);
		else
			ENT_TRY(cell_put(k, t, i, views[i], row, err));
	}
	ent_cql_put_i64(&k->values, k->mark.base_us + k->sequence++);
	return take_off(k, index, t->insert, t->n_columns + 1, err);
}

static int row_delete(struct ent_sink *k, size_t index, const struct ent_view *const *views, size_t row, struct ent_err *err)
{
	struct sink_table *t = &k->tables[index];
	ent_buf_reset(&k->values);
	ent_cql_put_i64(&k->values, k->mark.base_us + k->sequence++);
	for (size_t i = 0; i < t->n_keys; i++) {
		if (!views[t->keys[i]])
			return ent_fail(err, ENT_EDATA, "changes of %.200s lack a column of its key", t->object);
		ENT_TRY(cell_put(k, t, t->keys[i], views[t->keys[i]], row, err));
	}
	return take_off(k, index, t->delete, t->n_keys + 1, err);
}

static int sound(const struct ent_sink *k, struct ent_err *err)
{
	if (!k->failed)
		return 0;
	ent_fail(err, k->failed, "a row before could not be written");
	return ent_next(err, "roll back, or begin again after the last checkpoint"), k->failed;
}

int ent_cass_sink_rows(struct ent_sink *k, size_t index, const struct ArrowArray *rows, struct ent_err *err)
{
	struct sink_table *t = &k->tables[index];
	ENT_BATCH_AUTO batch = { 0 };
	const struct ent_view *views[ENT_COLUMNS_MAX];
	static const bool unchanged[ENT_COLUMNS_MAX];
	ENT_TRY(sound(k, err));
	ENT_TRY(ent_batch_open_copy(&t->schema, rows, &batch, err));
	for (size_t i = 0; i < batch.n_columns; i++)
		views[i] = &batch.columns[i];
	for (size_t r = 0; r < batch.rows; r++) {
		if ((r & 255) == 0 && ent_cass_cancelled(k->s))
			return ent_fail(err, ENT_ECANCELLED, "writing to Cassandra was cancelled");
		t->rows++;
		int code = row_insert(k, index, views, unchanged, r, err);
		if (code) {
			k->failed = code;
			return code;
		}
	}
	return 0;
}

/* --- changes --- */

struct changes {
	const struct ArrowSchema *schema;
	struct ent_batch batch;
	const struct ent_view *views[ENT_COLUMNS_MAX]; /* of the table's columns */
	bool unchanged[ENT_COLUMNS_MAX];
};

static bool text_is(struct ent_bytes b, const char *text) { return ent_bytes_eq(b, ent_bytes_str(text)); }

/* The tab-separated names whose values the log does not repeat. */
static void unchanged_read(const struct sink_table *t, struct changes *c, size_t row)
{
	struct ent_bytes list = ent_view_null(&c->batch.columns[1], row) ? ent_bytes(NULL, 0) : ent_view_text(&c->batch.columns[1], row);
	memset(c->unchanged, 0, sizeof c->unchanged);
	while (list.len) {
		const uint8_t *tab = memchr(list.data, '\t', list.len);
		size_t n = tab ? (size_t)(tab - list.data) : list.len;
		for (size_t i = 0; i < t->n_columns; i++)
			if (ent_bytes_eq(ent_bytes(list.data, n), ent_bytes_str(t->columns[i].name)))
				c->unchanged[i] = true;
		n += tab != NULL;
		list = ent_bytes(list.data + n, list.len - n);
	}
}

static int change_apply(struct ent_sink *k, size_t index, struct changes *c, size_t row, struct ent_err *err)
{
	struct sink_table *t = &k->tables[index];
	struct ent_bytes op = ent_view_text(&c->batch.columns[0], row);
	t->rows++;
	if (text_is(op, "D"))
		return row_delete(k, index, c->views, row, err);
	if (!text_is(op, "I") && !text_is(op, "U"))
		return ent_fail(err, ENT_EDATA, "changes of %.200s hold an unknown kind", t->object);
	unchanged_read(t, c, row);
	bool fresh = t->fresh;
	t->fresh = false; /* a change may empty a column that had a value */
	int code = row_insert(k, index, c->views, c->unchanged, row, err);
	t->fresh = fresh;
	return code;
}

static int changes_fit(const struct sink_table *t, struct changes *c, struct ent_err *err)
{
	char why[200];
	if (c->batch.n_columns < 2 || c->batch.columns[0].type.id != ENT_T_TEXT || c->batch.columns[1].type.id != ENT_T_TEXT)
		return ent_fail(err, ENT_EDATA, "changes of %.200s have no kinds", t->object);
	for (size_t i = 0; i < t->n_columns; i++) {
		int at = ent_schema_find(c->schema, t->columns[i].name);
		c->views[i] = at < 2 ? NULL : &c->batch.columns[at];
	}
	for (size_t i = 2; i < c->batch.n_columns; i++) {
		struct ent_field_info f;
		ent_schema_field(c->schema, i, &f);
		int at = ent_schema_find(&t->schema, f.name);
		if (at < 0 || ent_cass_fit(c->batch.columns[i].type, f.native, t->columns[at].kind, why) == ENT_MAP_REFUSED)
			return ent_fail(err, ENT_EDATA, "changes of %.200s have other columns than its table: %.200s", t->object, f.name);
	}
	return 0;
}

int ent_cass_sink_changes(struct ent_sink *k, size_t index, const struct ArrowSchema *schema, const struct ArrowArray *rows, struct ent_err *err)
{
	struct changes *c = (struct changes *)calloc(1, sizeof *c);
	int code = sound(k, err);
	if (!c)
		return ent_nomem(err);
	c->schema = schema;
	if (!code)
		code = ent_batch_open_copy(schema, rows, &c->batch, err);
	if (!code)
		code = changes_fit(&k->tables[index], c, err);
	for (size_t r = 0; r < c->batch.rows && !code; r++)
		code = change_apply(k, index, c, r, err);
	ent_batch_close(&c->batch);
	free(c);
	k->failed = code ? code : k->failed;
	return code;
}

/* --- ends --- */

int ent_cass_sink_truncate(struct ent_sink *k, size_t index, struct ent_err *err)
{
	ENT_TRY(sound(k, err));
	ENT_TRY(land_all(k, err));
	return ent_cass_target_empty(k->s, k->tables[index].object, err);
}

int ent_cass_sink_commit(struct ent_sink *k, const struct ent_sink_checkpoint *checkpoint, struct ent_err *err)
{
	ENT_TRY(sound(k, err));
	ENT_TRY(land_all(k, err));
	return ent_cass_mark_commit(&k->mark, checkpoint, err);
}

int ent_cass_sink_rollback(struct ent_sink *k, struct ent_err *err)
{
	(void)err;
	flights_drop(k); /* what was sent stays: the same rows come again, under the same keys */
	k->failed = 0;
	for (size_t i = 0; i < k->n_tables; i++)
		k->tables[i].fresh = false;
	return 0;
}

int ent_cass_sink_last(struct ent_sink *k, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err)
{
	return ent_cass_mark_last(&k->mark, part, ret, err);
}

int ent_cass_sink_finish(struct ent_sink *k, int forget, struct ent_err *err)
{
	ENT_TRY(sound(k, err));
	ENT_TRY(land_all(k, err));
	return forget ? ent_cass_mark_forget(&k->mark, err) : ent_cass_mark_commit(&k->mark, NULL, err);
}

/* New nullable columns; Cassandra widens no type of a column that is there. */
int ent_cass_sink_alter(struct ent_sink *k, size_t index, const struct ArrowSchema *schema, struct ent_err *err)
{
	struct sink_table *t = &k->tables[index], old;
	struct ent_cass_table *to;
	struct sink_table made = { .fresh = false, .rows = t->rows };
	ENT_TRY(ent_schema_check(schema, err));
	ENT_TRY(land_all(k, err));
	for (size_t i = 0; i < (size_t)schema->n_children; i++) {
		struct ent_field_info f;
		char why[200];
		ent_schema_field(schema, i, &f);
		int at = ent_schema_find(&t->schema, f.name);
		if (at < 0)
			ENT_TRY(ent_cass_target_add(k->s, t->object, &f, err));
		else if (ent_cass_fit(f.type, f.native, t->columns[at].kind, why) == ENT_MAP_REFUSED)
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot change its type in Cassandra: %s", f.name, why);
	}
	snprintf(made.object, sizeof made.object, "%s", t->object);
	int code = ent_cass_table_get(k->s, t->object, &to, err);
	code = code ? code : ent_schema_dup(schema, &made.schema, err);
	code = code ? code : columns_take(&made, to, err);
	code = code ? code : statements_prepare(k->s, &made, to, err);
	if (code) {
		table_deinit(&made);
		return code;
	}
	old = *t;
	*t = made;
	table_deinit(&old);
	return 0;
}
