/* One row of HBase into one row of a batch: cells come in the order of families and qualifiers, so they are matched against columns in that order. */
#include <stdlib.h>

#include "hb.h"

void ent_hb_reader_deinit(struct ent_hb_reader *r)
{
	ent_builder_free(r->builder);
	ent_schema_release(&r->schema);
	free(r->places);
	free(r->taken);
	free(r->order);
	free(r->values);
	ent_buf_deinit(&r->scratch);
	*r = (struct ent_hb_reader){ 0 };
}

static int bytes_order(struct ent_bytes a, struct ent_bytes b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int d = n ? memcmp(a.data, b.data, n) : 0;
	return d ? d : (a.len > b.len) - (a.len < b.len);
}

static int place_order(const struct ent_hb_column *c, struct ent_bytes family, struct ent_bytes qualifier)
{
	int d = bytes_order(c->family, family);
	return d ? d : bytes_order(c->qualifier, qualifier);
}

static int columns_order(const void *a, const void *b, void *columns)
{
	const struct ent_hb_column *all = (const struct ent_hb_column *)columns, *y = &all[*(const size_t *)b];
	return place_order(&all[*(const size_t *)a], y->family, y->qualifier);
}

static int memory_take(struct ent_hb_reader *r, struct ent_err *err)
{
	const struct ent_hb_table *t = r->table;
	r->places = (int *)calloc(t->n + 1, sizeof *r->places);
	r->taken = (size_t *)calloc(t->n + 1, sizeof *r->taken);
	r->order = (size_t *)calloc(t->n + 1, sizeof *r->order);
	r->values = (struct ent_bytes *)calloc(t->n + 1, sizeof *r->values);
	r->scratch.max = ENT_HB_KEY_BYTES_MAX + 1;
	if (!r->places || !r->taken || !r->order || !r->values)
		return ent_nomem(err);
	for (size_t i = 0; i < t->n; i++)
		if (!t->columns[i].key)
			r->order[r->n_order++] = i;
	qsort_r(r->order, r->n_order, sizeof *r->order, columns_order, t->columns);
	return 0;
}

static int column_take(struct ent_hb_reader *r, const struct ent_hb_reading *how, int at, const char *name, struct ent_field *field, char *native,
		       struct ent_err *err)
{
	if (at < 0)
		return ent_fail(err, ENT_ENOTFOUND, "there is no column %.200s", name);
	const struct ent_hb_column *c = &r->table->columns[at];
	if (!how->copy && c->t.reason) {
		ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be read for a question", c->name);
		return ent_why(err, "it holds %s", c->t.reason), ENT_EUNSUPPORTED;
	}
	if (r->places[at] >= 0)
		return ent_fail(err, ENT_EUSAGE, "column %.200s is asked for twice", c->name);
	ent_hb_type_name(&c->t, native);
	*field = (struct ent_field){
		.name = c->name, .type = c->t.type, .nullable = how->all_nullable || !c->key, .native = how->copy ? native : NULL
	};
	r->places[at] = (int)(r->first + r->n_taken);
	r->taken[r->n_taken++] = (size_t)at;
	return 0;
}

/* The key, when all of its columns are read. */
static void keys_put(const struct ent_hb_reader *r, struct ent_buf *out)
{
	const struct ent_hb_table *t = r->table;
	for (size_t i = 0; i < t->n_keys; i++) {
		if (r->places[t->keys[i]] < 0) {
			ent_buf_reset(out);
			return;
		}
		ent_buf_printf(out, "%s%s", i ? "\t" : "", t->columns[t->keys[i]].name);
	}
}

static void fields_free(struct ent_field **f) { free(*f); }

int ent_hb_reader_init(struct ent_hb_reader *r, const struct ent_hb_table *t, const struct ent_hb_reading *how, struct ent_err *err)
{
	size_t n = how->columns ? how->n_columns : t->n;
	ENT_CLEANUP(fields_free) struct ent_field *fields = (struct ent_field *)calloc(how->n_before + n + 1, sizeof *fields);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf keys = ENT_BUF(1 << 16), names = ENT_BUF((size_t)1 << 20);
	*r = (struct ent_hb_reader){ .table = t, .first = how->n_before, .strict = how->copy && !how->columns };
	if (!fields || !ent_buf_space(&names, n * ENT_TYPE_TEXT_MAX + 1))
		return ent_nomem(err);
	if (n > t->n)
		return ent_fail(err, ENT_EUSAGE, "more columns are asked for than %.200s has", t->full);
	ENT_TRY(memory_take(r, err));
	for (size_t i = 0; i < t->n; i++)
		r->places[i] = -1;
	for (size_t i = 0; i < how->n_before; i++)
		fields[i] = how->before[i];
	for (size_t i = 0; i < n; i++) {
		const char *name = how->columns ? how->columns[i] : t->columns[i].name;
		ENT_TRY(column_take(r, how, how->columns ? ent_hb_column_find(t, name) : (int)i, name, &fields[r->first + i],
				    (char *)names.data + i * ENT_TYPE_TEXT_MAX, err));
	}
	if (!n)
		return ent_fail(err, ENT_EUSAGE, "a scan needs at least one column that can be read");
	if (how->copy && !how->n_before)
		keys_put(r, &keys);
	ENT_TRY(ent_buf_check(&keys, err));
	ENT_TRY(ent_schema_new(fields, how->n_before + n, keys.len ? ent_buf_text(&keys) : NULL, &r->schema, err));
	if (how->copy)
		ENT_TRY(ent_schema_meta_add(&r->schema, ENT_META_STORE, "hbase", err));
	return ent_builder_new(&r->schema, 0, &r->builder, err);
}

/* --- rows --- */

static int key_read(struct ent_hb_reader *r, struct ent_bytes key, struct ent_err *err)
{
	const struct ent_hb_table *t = r->table;
	struct ent_bytes parts[ENT_HB_KEYS_MAX];
	if (!ent_hb_key_split(key, t->n_keys, &r->scratch, parts)) {
		ent_fail(err, ENT_EDATA, "row %llu of %.200s has a key that is not made of %zu columns", (unsigned long long)r->rows, t->full,
			 t->n_keys);
		return ent_next(err, "something else wrote into this table; declare its columns, or read it under another name"), ENT_EDATA;
	}
	for (size_t i = 0; i < t->n_keys; i++)
		r->values[t->keys[i]] = parts[i];
	return 0;
}

static int values_put(struct ent_hb_reader *r, struct ent_err *err)
{
	for (size_t i = 0; i < r->n_taken; i++) {
		size_t at = r->taken[i];
		if (!r->values[at].data)
			ENT_TRY(ent_builder_null(r->builder, r->first + i, err));
		else
			ENT_TRY(ent_hb_value_put(r->builder, r->first + i, &r->table->columns[at], r->rows, r->values[at], err));
	}
	return 0;
}

static int unknown_cell(const struct ent_hb_reader *r, const struct ent_hb_cell *c, struct ent_err *err)
{
	int f = (int)(c->family.len < 64 ? c->family.len : 64), q = (int)(c->qualifier.len < 200 ? c->qualifier.len : 200);
	ent_fail(err, ENT_EDATA, "row %llu of %.200s has a value in %.*s:%.*s, which no column reads", (unsigned long long)r->rows, r->table->full, f,
		 (const char *)c->family.data, q, (const char *)c->qualifier.data);
	ent_why(err, "a copy would lose it: it was not among the rows that were sampled, or came into a table that a copy made");
	return ent_next(err, "declare it with --schema FILE: %.*s:%.*s text", f, (const char *)c->family.data, q, (const char *)c->qualifier.data),
	       ENT_EDATA;
}

/* The column of a cell from *at on (an index of order), or -1. */
static int cell_column(const struct ent_hb_reader *r, const struct ent_hb_cell *c, size_t *at)
{
	const struct ent_hb_column *all = r->table->columns;
	int d = 1;
	while (*at < r->n_order && (d = place_order(&all[r->order[*at]], c->family, c->qualifier)) < 0)
		++*at;
	if (*at < r->n_order && !d)
		return (int)r->order[(*at)++];
	return ent_hb_column_at(r->table, c->family, c->qualifier);
}

int ent_hb_reader_row(struct ent_hb_reader *r, struct ent_hb_row *row, struct ent_hb_cell *ret_unknown, struct ent_err *err)
{
	size_t at = 0;
	r->rows++;
	memset(r->values, 0, r->table->n * sizeof *r->values);
	ENT_TRY(key_read(r, row->key, err));
	while (row->n_cells) {
		struct ent_hb_cell cell;
		ENT_TRY(ent_hb_cell_next(row, &cell, err));
		int column = cell_column(r, &cell, &at);
		if (column >= 0) {
			r->values[column] = cell.value;
		} else if (!ent_hb_is_marker(&cell)) {
			if (ret_unknown)
				*ret_unknown = cell;
			if (ret_unknown)
				return 0;
			if (r->strict)
				return unknown_cell(r, &cell, err);
		}
	}
	return values_put(r, err);
}

int ent_hb_reader_key(struct ent_hb_reader *r, struct ent_bytes key, struct ent_err *err)
{
	r->rows++;
	memset(r->values, 0, r->table->n * sizeof *r->values);
	ENT_TRY(key_read(r, key, err));
	return values_put(r, err);
}
