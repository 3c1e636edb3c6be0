#include "arrow/gather.h"

static size_t text_bytes(const struct ent_batch *b)
{
	size_t bytes = 0;
	for (size_t i = 0; i < b->n_columns; i++)
		for (size_t row = 0; ent_type_is_bytes(b->columns[i].type) && row < b->rows; row++)
			bytes += ent_view_text(&b->columns[i], row).len;
	return bytes;
}

static int value_copy(struct ent_builder *b, size_t col, const struct ent_view *v, size_t row, struct ent_err *err)
{
	if (ent_view_null(v, row))
		return ent_builder_null(b, col, err);
	if (ent_type_is_bytes(v->type))
		return ent_builder_text(b, col, ent_view_text(v, row), err);
	if (ent_type_is_float(v->type))
		return ent_builder_real(b, col, ent_view_real(v, row), err);
	if (v->type.id == ENT_T_DECIMAL || v->type.id == ENT_T_UINT64)
		return ent_builder_wide(b, col, ent_view_wide(v, row), err);
	return ent_builder_int(b, col, ent_view_int(v, row), err);
}

static int rows_copy(struct ent_gather *g, const struct ent_batch *b, struct ent_err *err)
{
	for (size_t i = 0; i < b->n_columns; i++)
		for (size_t row = 0; row < b->rows; row++)
			ENT_TRY(value_copy(g->builder, i, &b->columns[i], row, err));
	return 0;
}

static int begin(struct ent_gather *g, const struct ArrowSchema *schema, struct ent_err *err)
{
	ent_gather_deinit(g);
	ENT_TRY(ent_schema_dup(schema, &g->schema, err));
	return ent_builder_new(&g->schema, 0, &g->builder, err);
}

static int add(struct ent_gather *g, const struct ArrowSchema *schema, const struct ArrowArray *rows, bool *ret, struct ent_err *err)
{
	ENT_BATCH_AUTO b = { 0 };
	bool same = g->builder && ent_schema_same(&g->schema, schema);
	size_t there = ent_gather_rows(g);
	*ret = false;
	if (rows->length > ENT_GATHER_ROWS_SMALL || (there && !same))
		return 0;
	ENT_TRY(ent_batch_open_copy(schema, rows, &b, err));
	size_t bytes = text_bytes(&b);
	if (bytes > ENT_GATHER_BYTES_SMALL || (there && (ent_builder_full(g->builder) || there + b.rows > ENT_BATCH_ROWS_MAX)))
		return 0;
	if (!same)
		ENT_TRY(begin(g, schema, err));
	ENT_TRY(rows_copy(g, &b, err));
	g->bytes += bytes;
	*ret = true;
	return 0;
}

int ent_gather_add(struct ent_gather *g, const struct ArrowSchema *schema, const struct ArrowArray *rows, bool *ret, struct ent_err *err)
{
	int code = add(g, schema, rows, ret, err);
	if (code)
		ent_gather_deinit(g);
	return code;
}

size_t ent_gather_rows(const struct ent_gather *g) { return g->builder ? ent_builder_rows(g->builder) : 0; }

int ent_gather_take(struct ent_gather *g, struct ArrowArray *ret, struct ent_err *err)
{
	if (!g->builder)
		return ent_fail(err, ENT_EINTERNAL, "nothing was gathered");
	g->bytes = 0;
	return ent_builder_finish(g->builder, ret, err);
}

void ent_gather_deinit(struct ent_gather *g)
{
	ent_builder_free(g->builder);
	ent_schema_release(&g->schema);
	*g = (struct ent_gather){ .bytes = 0 };
}
