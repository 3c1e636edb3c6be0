/* Changed rows into the target. A large batch becomes its net effect per key (of several changes of one key the last counts, columns the log
 * did not repeat come from the one before), applied in three statements: deletes, upserts, updates of rows with columns to be kept. A small
 * batch, and one whose net effect meets another unique key, goes row by row in its order. */
#include "pg_sink.h"

#include <stdio.h>
#include <stdlib.h>

#define SMALL_ROWS 24
#define NONE SIZE_MAX

struct changes { /* one batch on its way */
	struct ent_sink *k;
	struct ent_pg_dest *d;
	struct ent_batch batch;
	const struct ent_view *op, *unchanged, **columns;
	struct ent_pg_put *puts;
	size_t n;
	size_t key_at[ENT_PG_KEYS_MAX];
	bool as_text;
	size_t *prev; /* the row before with the same key, NONE */
	bool *last;   /* the last row of its key */
	size_t *rows; /* scratch: where each column's value comes from */
};

static void changes_deinit(struct changes *c)
{
	ent_batch_close(&c->batch);
	free(c->columns);
	free(c->puts);
	free(c->prev);
	free(c->last);
	free(c->rows);
}

static char op_of(const struct changes *c, size_t row)
{
	struct ent_bytes op = c->op ? ent_view_text(c->op, row) : ent_bytes_str("I");
	return op.len == 1 ? (char)op.data[0] : '?';
}

static int shape_check(const struct changes *c, const struct ArrowSchema *schema, struct ent_err *err)
{
	if (schema->n_children < 3 || strcmp(schema->children[0]->name, "entente.op") != 0 ||
	    strcmp(schema->children[1]->name, "entente.unchanged") != 0)
		return ent_fail(err, ENT_EDATA, "a batch of changes does not begin with its operations");
	if (c->op->type.id != ENT_T_TEXT || c->unchanged->type.id != ENT_T_TEXT)
		return ent_fail(err, ENT_EDATA, "a batch of changes names its operations in another type");
	for (size_t r = 0; r < c->batch.rows; r++)
		if (!strchr("IUD", op_of(c, r)))
			return ent_fail(err, ENT_EDATA, "row %zu of a batch of changes has an unknown operation", r + 1);
	return 0;
}

static int keys_find(struct changes *c, struct ent_err *err)
{
	for (size_t i = 0; i < c->d->n_keys; i++) {
		c->key_at[i] = NONE;
		for (size_t j = 0; j < c->n; j++)
			if (!strcmp(c->puts[j].name, c->d->keys[i]))
				c->key_at[i] = j;
		if (c->key_at[i] == NONE)
			return ent_fail(err, ENT_EDATA, "changes of %.200s lack the key column %.100s", c->d->object, c->d->keys[i]);
		for (size_t r = 0; r < c->batch.rows; r++)
			if (ent_view_null(c->columns[c->key_at[i]], r))
				return ent_fail(err, ENT_EDATA, "row %zu of the changes of %.200s has a NULL key", r + 1, c->d->object);
	}
	return c->d->n_keys ? 0 : ent_fail(err, ENT_EUSAGE, "changes of %.200s need a key", c->d->object);
}

static int changes_init(struct changes *c, const struct ArrowSchema *schema, const struct ArrowArray *rows, struct ent_err *err)
{
	ENT_TRY(ent_batch_open_copy(schema, rows, &c->batch, err));
	if (c->batch.n_columns < 3)
		return ent_fail(err, ENT_EDATA, "a batch of changes has no columns");
	size_t n = c->n = c->batch.n_columns - 2;
	c->op = &c->batch.columns[0];
	c->unchanged = &c->batch.columns[1];
	ENT_TRY(shape_check(c, schema, err));
	c->columns = (const struct ent_view **)calloc(n, sizeof(struct ent_view *));
	c->puts = (struct ent_pg_put *)calloc(n, sizeof *c->puts);
	c->rows = (size_t *)calloc(n, sizeof *c->rows);
	c->prev = (size_t *)calloc(c->batch.rows + 1, sizeof *c->prev);
	c->last = (bool *)calloc(c->batch.rows + 1, sizeof *c->last);
	if (!c->columns || !c->puts || !c->rows || !c->prev || !c->last)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++)
		c->columns[i] = &c->batch.columns[i + 2];
	ENT_TRY(ent_pg_dest_puts(c->k, c->d, schema, 2, c->puts, &c->as_text, err));
	return keys_find(c, err);
}

static bool kept(const struct changes *c, size_t row, size_t column)
{
	struct ent_bytes list = ent_view_text(c->unchanged, row);
	return ent_sink_listed(list, c->puts[column].name);
}

/* --- row by row --- */

struct params {
	struct ent_buf text;
	size_t at[ENT_COLUMNS_MAX];
	const char *values[ENT_COLUMNS_MAX];
	size_t n;
};

static int param_add(struct changes *c, struct params *p, size_t column, size_t row, struct ent_err *err)
{
	p->at[p->n] = NONE;
	if (!ent_view_null(c->columns[column], row)) {
		p->at[p->n] = p->text.len;
		ENT_TRY(ent_pg_value_text(&c->puts[column], c->columns[column], row, c->d->rows + row + 1, &p->text, err));
		ent_buf_u8(&p->text, 0);
	}
	p->n++;
	return 0;
}

/* "name" = $n AND ... for the key of a row. */
static int key_params(struct changes *c, struct params *p, size_t row, struct ent_buf *sql, struct ent_err *err)
{
	for (size_t i = 0; i < c->d->n_keys; i++) {
		ENT_TRY(param_add(c, p, c->key_at[i], row, err));
		ent_buf_str(sql, i ? " AND " : " WHERE ");
		ent_pg_name(sql, c->d->keys[i]);
		ent_buf_printf(sql, " = $%zu", p->n);
	}
	return 0;
}

static int sql_insert(struct changes *c, struct params *p, size_t row, struct ent_buf *sql, struct ent_err *err)
{
	ent_buf_printf(sql, "INSERT INTO %s (", ent_buf_text(&c->d->goes));
	for (size_t i = 0; i < c->n; i++) {
		ent_buf_str(sql, i ? ", " : "");
		ent_pg_name(sql, c->puts[i].name);
	}
	ent_buf_str(sql, c->k->src->cockroach ? ") VALUES (" : ") OVERRIDING SYSTEM VALUE VALUES (");
	for (size_t i = 0; i < c->n; i++) {
		ENT_TRY(param_add(c, p, i, row, err));
		ent_buf_printf(sql, "%s$%zu", i ? ", " : "", p->n);
	}
	ent_buf_str(sql, ")");
	ent_pg_conflict_put(c->d, c->puts, c->n, sql);
	return 0;
}

static int sql_update(struct changes *c, struct params *p, size_t row, struct ent_buf *sql, struct ent_err *err)
{
	ent_buf_printf(sql, "UPDATE %s SET ", ent_buf_text(&c->d->goes));
	for (size_t i = 0; i < c->n; i++) {
		if (kept(c, row, i))
			continue;
		ENT_TRY(param_add(c, p, i, row, err));
		ent_buf_str(sql, p->n > 1 ? ", " : "");
		ent_pg_name(sql, c->puts[i].name);
		ent_buf_printf(sql, " = $%zu", p->n);
	}
	return key_params(c, p, row, sql, err);
}

static int row_apply(struct changes *c, struct params *p, size_t row, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)1 << 20);
	ent_buf_reset(&p->text);
	p->n = 0;
	if (op_of(c, row) == 'D') {
		ent_buf_printf(&sql, "DELETE FROM %s", ent_buf_text(&c->d->goes));
		ENT_TRY(key_params(c, p, row, &sql, err));
	} else if (c->unchanged && ent_view_text(c->unchanged, row).len) {
		ENT_TRY(sql_update(c, p, row, &sql, err));
	} else {
		ENT_TRY(sql_insert(c, p, row, &sql, err));
	}
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(ent_buf_check(&p->text, err));
	for (size_t i = 0; i < p->n; i++)
		p->values[i] = p->at[i] == NONE ? NULL : (const char *)p->text.data + p->at[i];
	return ent_pg_sink_exec(c->k, ent_buf_text(&sql), p->values, p->n, NULL, "PostgreSQL refuses a changed row", err);
}

static int rows_apply(struct changes *c, struct ent_err *err)
{
	struct params *p = (struct params *)calloc(1, sizeof *p);
	int code = p ? 0 : ent_nomem(err);
	if (p)
		ent_buf_init(&p->text, (size_t)256 << 20);
	for (size_t r = 0; !code && r < c->batch.rows; r++)
		code = row_apply(c, p, r, err);
	if (p)
		ent_buf_deinit(&p->text);
	free(p);
	return code;
}

/* --- net effect --- */

static void key_text(const struct changes *c, size_t row, struct ent_buf *out)
{
	ent_buf_reset(out);
	for (size_t i = 0; i < c->d->n_keys; i++) {
		size_t at = out->len;
		ent_buf_be32(out, 0);
		ent_value_put(c->columns[c->key_at[i]], row, out);
		uint32_t len = (uint32_t)(out->len - at - 4);
		if (!out->code)
			memcpy(out->data + at, &len, 4);
	}
}

static uint64_t hash_of(struct ent_bytes b)
{
	uint64_t h = 0xcbf29ce484222325u;
	for (size_t i = 0; i < b.len; i++)
		h = (h ^ b.data[i]) * 0x100000001b3u;
	return h ^ h >> 29;
}

/* Which row is the last of its key, and which one came before it. */
static int net_find(struct changes *c, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf one = ENT_BUF((size_t)64 << 20), other = ENT_BUF((size_t)64 << 20);
	size_t size = 64;
	while (size < 2 * c->batch.rows)
		size *= 2;
	struct slot {
		uint64_t hash;
		size_t row;
	} *slots = (struct slot *)malloc(size * sizeof *slots);
	if (!slots)
		return ent_nomem(err);
	for (size_t i = 0; i < size; i++)
		slots[i].row = NONE;
	for (size_t r = 0; r < c->batch.rows; r++) {
		key_text(c, r, &one);
		uint64_t h = hash_of(ent_buf_bytes(&one));
		size_t at = h & (size - 1);
		for (; slots[at].row != NONE; at = (at + 1) & (size - 1)) {
			if (slots[at].hash != h)
				continue;
			key_text(c, slots[at].row, &other);
			if (ent_bytes_eq(ent_buf_bytes(&one), ent_buf_bytes(&other)))
				break;
		}
		c->prev[r] = slots[at].row;
		if (slots[at].row != NONE)
			c->last[slots[at].row] = false;
		c->last[r] = true;
		slots[at] = (struct slot){ h, r };
	}
	free(slots);
	return one.code || other.code ? ent_nomem(err) : 0;
}

/* Where each column of the key's last row takes its value; the columns nobody knows are listed in out, tab-separated. */
static void sources_find(struct changes *c, size_t row, struct ent_buf *out)
{
	bool any = ent_view_text(c->unchanged, row).len > 0;
	ent_buf_reset(out);
	for (size_t i = 0; i < c->n; i++) {
		size_t at = row;
		while (any && at != NONE && op_of(c, at) != 'D' && kept(c, at, i))
			at = c->prev[at];
		bool found = at != NONE && (op_of(c, at) != 'D' || at == row);
		c->rows[i] = found ? at : row;
		if (found)
			continue;
		ent_buf_str(out, out->len ? "\t" : "");
		ent_buf_str(out, c->puts[i].name);
	}
}

/* "a", "b" of the columns that are (not) in the list; the puts of those go to chosen. */
static size_t columns_choose(const struct changes *c, struct ent_bytes left_out, struct ent_buf *names, struct ent_pg_put *puts,
			     const struct ent_view **views, size_t *at)
{
	size_t n = 0;
	ent_buf_reset(names);
	for (size_t i = 0; i < c->n; i++) {
		if (ent_sink_listed(left_out, c->puts[i].name))
			continue;
		ent_buf_str(names, n ? ", " : "");
		ent_pg_name(names, c->puts[i].name);
		puts[n] = c->puts[i];
		views[n] = c->columns[i];
		at[n++] = i;
	}
	return n;
}

struct chosen { /* columns of one statement */
	struct ent_buf names;
	struct ent_pg_put *puts;
	const struct ent_view **views;
	size_t *at, *rows, n;
};
static void chosen_deinit(struct chosen *s)
{
	ent_buf_deinit(&s->names);
	free(s->puts);
	free(s->views);
	free(s->at);
	free(s->rows);
}

static int chosen_init(const struct changes *c, struct chosen *s, struct ent_err *err)
{
	ent_buf_init(&s->names, (size_t)1 << 20);
	s->puts = (struct ent_pg_put *)calloc(c->n + 1, sizeof *s->puts);
	s->views = (const struct ent_view **)calloc(c->n + 1, sizeof(struct ent_view *));
	s->at = (size_t *)calloc(c->n + 1, sizeof *s->at);
	s->rows = (size_t *)calloc(c->n + 1, sizeof *s->rows);
	return s->puts && s->views && s->at && s->rows ? 0 : ent_nomem(err);
}

static int chosen_send(struct changes *c, struct chosen *s, size_t row, struct ent_err *err)
{
	for (size_t i = 0; i < s->n; i++)
		s->rows[i] = c->rows[s->at[i]];
	ENT_TRY(ent_pg_row_put(s->puts, s->views, s->n, c->as_text, s->rows, row, c->d->rows + row + 1, &c->k->out, err));
	c->k->loaded++;
	return ent_pg_load_flush(c->k, (size_t)256 << 10, err);
}

/* t."k" = s."k" AND ... */
static void join_put(const struct changes *c, struct ent_buf *sql)
{
	for (size_t i = 0; i < c->d->n_keys; i++) {
		ent_buf_str(sql, i ? " AND t." : " WHERE t.");
		ent_pg_name(sql, c->d->keys[i]);
		ent_buf_str(sql, " = s.");
		ent_pg_name(sql, c->d->keys[i]);
	}
}

static int load_open(struct changes *c, const struct chosen *s, struct ent_err *err)
{
	ENT_TRY(ent_buf_check(&s->names, err));
	ENT_TRY(ent_pg_stage_open(c->k, c->d, err));
	return ent_pg_load_begin(c->k, c->d, ent_buf_text(&c->d->stage), ent_buf_text(&s->names), c->as_text, err);
}

static int deletes_apply(struct changes *c, struct ent_err *err)
{
	ENT_CLEANUP(chosen_deinit) struct chosen s = { 0 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)1 << 20);
	bool any = false;
	for (size_t r = 0; r < c->batch.rows && !any; r++)
		any = c->last[r] && op_of(c, r) == 'D';
	if (!any)
		return 0;
	ENT_TRY(chosen_init(c, &s, err));
	for (size_t i = 0; i < c->d->n_keys; i++, s.n++) {
		ent_buf_str(&s.names, i ? ", " : "");
		ent_pg_name(&s.names, c->d->keys[i]);
		s.puts[i] = c->puts[c->key_at[i]];
		s.views[i] = c->columns[c->key_at[i]];
		s.at[i] = c->key_at[i];
	}
	ENT_TRY(load_open(c, &s, err));
	for (size_t r = 0; r < c->batch.rows; r++) {
		if (!c->last[r] || op_of(c, r) != 'D')
			continue;
		for (size_t i = 0; i < c->n; i++)
			c->rows[i] = r;
		ENT_TRY(chosen_send(c, &s, r, err));
	}
	ent_buf_printf(&sql, "DELETE FROM %s AS t USING %s AS s", ent_buf_text(&c->d->goes), ent_buf_text(&c->d->stage));
	join_put(c, &sql);
	return ent_pg_sink_run(c->k, ent_buf_text(&sql), "PostgreSQL refuses to delete rows", err);
}

static int partial_statement(struct changes *c, const struct chosen *s, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)1 << 20);
	ent_buf_printf(&sql, "UPDATE %s AS t SET ", ent_buf_text(&c->d->goes));
	for (size_t i = 0; i < s->n; i++) {
		ent_buf_str(&sql, i ? ", " : "");
		ent_pg_name(&sql, s->puts[i].name);
		ent_buf_str(&sql, " = s.");
		ent_pg_name(&sql, s->puts[i].name);
	}
	ent_buf_printf(&sql, " FROM %s AS s", ent_buf_text(&c->d->stage));
	join_put(c, &sql);
	return ent_pg_sink_run(c->k, ent_buf_text(&sql), "PostgreSQL refuses to update rows", err);
}

/* All upserts whose unknown columns are exactly those of the first one not done yet. *ret_more: there was one. */
static int upserts_group(struct changes *c, struct chosen *s, bool *done, bool *ret_more, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf group = ENT_BUF((size_t)1 << 20), unknown = ENT_BUF((size_t)1 << 20);
	*ret_more = false;
	for (size_t r = 0; r < c->batch.rows; r++) {
		if (done[r] || !c->last[r] || op_of(c, r) == 'D')
			continue;
		sources_find(c, r, *ret_more ? &unknown : &group);
		ENT_TRY(ent_buf_check(*ret_more ? &unknown : &group, err));
		if (!*ret_more) {
			s->n = columns_choose(c, ent_buf_bytes(&group), &s->names, s->puts, s->views, s->at);
			ENT_TRY(load_open(c, s, err));
			*ret_more = true;
		} else if (!ent_bytes_eq(ent_buf_bytes(&group), ent_buf_bytes(&unknown))) {
			continue;
		}
		done[r] = true;
		ENT_TRY(chosen_send(c, s, r, err));
	}
	if (!*ret_more)
		return 0;
	return group.len ? partial_statement(c, s, err) : ent_pg_stage_upsert(c->k, c->d, c->puts, c->n, ent_buf_text(&s->names), err);
}

static int net_apply(struct changes *c, struct ent_err *err)
{
	ENT_CLEANUP(chosen_deinit) struct chosen s = { 0 };
	bool more = true;
	ENT_TRY(deletes_apply(c, err));
	ENT_TRY(chosen_init(c, &s, err));
	bool *done = (bool *)calloc(c->batch.rows + 1, sizeof *done);
	int code = done ? 0 : ent_nomem(err);
	while (!code && more)
		code = upserts_group(c, &s, done, &more, err);
	free(done);
	return code;
}

/* The net effect, or, when a unique key beside the table's own stands in its way, one row after the other. */
static int set_apply(struct changes *c, struct ent_err *err)
{
	static const char what[] = "PostgreSQL refuses changed rows";
	struct ent_err first = ENT_ERR_INIT;
	ENT_TRY(net_find(c, err));
	ENT_TRY(ent_pg_stage_open(c->k, c->d, err));
	ENT_TRY(ent_pg_sink_run(c->k, "SAVEPOINT entente_changes", what, err));
	int code = net_apply(c, &first);
	if (code && !strcmp(first.sqlstate, "23505")) {
		ENT_TRY(ent_pg_sink_run(c->k, "ROLLBACK TO SAVEPOINT entente_changes", what, err));
		return rows_apply(c, err);
	}
	if (code && err)
		*err = first;
	return code ? code : ent_pg_sink_run(c->k, "RELEASE SAVEPOINT entente_changes", what, err);
}

int ent_pg_changes_apply(struct ent_sink *k, struct ent_pg_dest *d, const struct ArrowSchema *schema, const struct ArrowArray *rows,
			 struct ent_err *err)
{
	ENT_CLEANUP(changes_deinit) struct changes c = { .k = k, .d = d };
	ENT_TRY(ent_pg_load_end(k, err));
	ENT_TRY(ent_pg_sink_begin(k, err));
	ENT_TRY(ent_pg_key_add(k, c.d, &c.d->goes, err));
	ENT_TRY(changes_init(&c, schema, rows, err));
	bool small = c.batch.rows <= SMALL_ROWS || k->src->cockroach;
	ENT_TRY(small ? rows_apply(&c, err) : set_apply(&c, err));
	c.d->rows += c.batch.rows;
	return 0;
}

int ent_pg_rows_upsert(struct ent_sink *k, struct ent_pg_dest *d, const struct ArrowArray *rows, struct ent_err *err)
{
	ENT_CLEANUP(changes_deinit) struct changes c = { .k = k, .d = d };
	ENT_TRY(ent_pg_load_end(k, err));
	ENT_TRY(ent_pg_sink_begin(k, err));
	ENT_TRY(ent_batch_open_copy(&d->arrow, rows, &c.batch, err));
	c.n = c.batch.n_columns;
	c.columns = (const struct ent_view **)calloc(c.n + 1, sizeof(struct ent_view *));
	c.puts = (struct ent_pg_put *)calloc(c.n + 1, sizeof *c.puts);
	if (!c.columns || !c.puts)
		return ent_nomem(err);
	for (size_t i = 0; i < c.n; i++) {
		c.columns[i] = &c.batch.columns[i];
		c.puts[i] = d->puts[i];
	}
	ENT_TRY(keys_find(&c, err));
	ENT_TRY(rows_apply(&c, err));
	d->rows += c.batch.rows;
	return 0;
}

int ent_pg_sink_truncate(struct ent_sink *k, size_t index, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1000);
	if (index >= k->n_dests)
		return ent_fail(err, ENT_EINTERNAL, "the sink has no table %zu", index);
	ENT_TRY(ent_pg_gathers_apply(k, err));
	ENT_TRY(ent_pg_load_end(k, err));
	ENT_TRY(ent_pg_sink_begin(k, err));
	ent_buf_printf(&sql, "TRUNCATE %s", ent_buf_text(&k->dests[index]->goes));
	return ent_pg_sink_run(k, ent_buf_text(&sql), "the target table cannot be emptied", err);
}
