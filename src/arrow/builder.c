/* Builders: one growable buffer per Arrow buffer, handed over whole at finish. */
#include "arrow/builder.h"

#include <math.h>
#include <stdlib.h>

struct column {
	struct ent_type type;
	char name[64];
	size_t rows, nulls;
	struct ent_buf validity, values, offsets; /* values: text bytes for text */
};

struct ent_builder {
	size_t n_columns, bytes, bytes_max;
	struct column *columns;
};

static void column_reset(struct column *c, size_t bytes_max)
{
	ent_buf_deinit(&c->validity);
	ent_buf_deinit(&c->values);
	ent_buf_deinit(&c->offsets);
	c->rows = c->nulls = 0;
	ent_buf_init(&c->validity, bytes_max);
	ent_buf_init(&c->values, bytes_max);
	ent_buf_init(&c->offsets, bytes_max);
}

void ent_builder_free(struct ent_builder *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->n_columns; i++)
		column_reset(&b->columns[i], 0);
	free(b->columns);
	free(b);
}

static int column_init(struct column *c, const struct ArrowSchema *schema, size_t i, size_t bytes_max, struct ent_err *err)
{
	struct ent_field_info f;
	char format[ENT_TYPE_TEXT_MAX];
	ent_schema_field(schema, i, &f);
	if (!f.copied)
		return ent_fail(err, ENT_EUNSUPPORTED, "column %s cannot be built: %s", f.name, f.unsupported);
	ent_type_format(f.type, format);
	if (strcmp(format, schema->children[i]->format) != 0)
		return ent_fail(err, ENT_EUNSUPPORTED, "column %s cannot be built in Arrow format %.40s", f.name, schema->children[i]->format);
	c->type = f.type;
	memcpy(c->name, f.name, strnlen(f.name, sizeof c->name - 1));
	column_reset(c, bytes_max);
	return 0;
}

int ent_builder_new(const struct ArrowSchema *schema, size_t bytes_max, struct ent_builder **ret, struct ent_err *err)
{
	ENT_TRY(ent_schema_check(schema, err));
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = (struct ent_builder *)calloc(1, sizeof *b);
	if (!b)
		return ent_nomem(err);
	b->columns = (struct column *)calloc((size_t)schema->n_children + 1, sizeof *b->columns);
	if (!b->columns)
		return ent_nomem(err);
	b->bytes_max = bytes_max ? bytes_max : ENT_BATCH_BYTES_HARD;
	b->n_columns = (size_t)schema->n_children;
	for (size_t i = 0; i < b->n_columns; i++)
		ENT_TRY(column_init(&b->columns[i], schema, i, b->bytes_max, err));
	*ret = b;
	b = NULL;
	return 0;
}

struct ent_type ent_builder_type(const struct ent_builder *b, size_t col) { return b->columns[col].type; }
size_t ent_builder_rows(const struct ent_builder *b) { return b->n_columns ? b->columns[0].rows : 0; }

bool ent_builder_full(const struct ent_builder *b) { return ent_builder_rows(b) >= ENT_BATCH_ROWS_MAX || b->bytes >= ENT_BATCH_BYTES_MAX; }

static size_t type_width(struct ent_type t)
{
	switch (t.id) {
	case ENT_T_INT16:
		return 2;
	case ENT_T_INT32:
	case ENT_T_DATE:
	case ENT_T_REAL:
		return 4;
	case ENT_T_DECIMAL:
		return 16;
	case ENT_T_INT64:
	case ENT_T_DOUBLE:
	case ENT_T_TIMESTAMP:
	case ENT_T_TIMESTAMPTZ:
	case ENT_T_UINT64:
	case ENT_T_TIME:
		return 8;
	case ENT_T_BOOL:
	case ENT_T_TEXT:
	case ENT_T_BINARY:
	case ENT_T_COUNT:
		break;
	}
	return 0;
}

static void bit_put(struct ent_buf *b, size_t at, bool set)
{
	if (at % 8 == 0)
		ent_buf_u8(b, 0);
	if (set && !b->code)
		b->data[at / 8] = (uint8_t)(b->data[at / 8] | 1u << (at % 8));
}

/* Ends one value: its validity, its text offset, the byte count. */
static int value_end(struct ent_builder *b, struct column *c, size_t bytes, bool valid, struct ent_err *err)
{
	if (ent_type_is_bytes(c->type)) {
		if (!c->rows)
			ent_buf_space(&c->offsets, 4);
		uint32_t end = (uint32_t)c->values.len;
		ent_buf_put(&c->offsets, &end, 4);
	}
	bit_put(&c->validity, c->rows, valid);
	b->bytes += bytes + 1;
	c->rows++;
	c->nulls += !valid;
	if (c->validity.code || c->values.code || c->offsets.code || b->bytes > b->bytes_max || c->values.len > INT32_MAX)
		return ent_fail(err, ENT_ENOMEM, "a batch of rows is over its cap of %zu bytes (column %s)", b->bytes_max, c->name);
	return 0;
}

static int value_end_fixed(struct ent_builder *b, struct column *c, const void *value, size_t width, struct ent_err *err)
{
	ent_buf_put(&c->values, value, width);
	return value_end(b, c, width, true, err);
}

int ent_builder_null(struct ent_builder *b, size_t col, struct ent_err *err)
{
	struct column *c = &b->columns[col];
	size_t width = type_width(c->type);
	if (c->type.id == ENT_T_BOOL)
		bit_put(&c->values, c->rows, false);
	else if (width)
		ent_buf_space(&c->values, width);
	return value_end(b, c, width, false, err);
}

static int misfit(const struct column *c, struct ent_err *err)
{
	char name[ENT_TYPE_TEXT_MAX];
	ent_type_name(c->type, name);
	return ent_fail(err, ENT_EDATA, "row %zu of column %s holds a value that is no %s", c->rows + 1, c->name, name);
}

static ent_i128 power10(unsigned n)
{
	ent_i128 p = 1;
	while (n--)
		p *= 10;
	return p;
}

int ent_builder_wide(struct ent_builder *b, size_t col, ent_i128 v, struct ent_err *err)
{
	struct column *c = &b->columns[col];
	if (c->type.id == ENT_T_UINT64) {
		uint64_t u = (uint64_t)v;
		return v < 0 || v > UINT64_MAX ? misfit(c, err) : value_end_fixed(b, c, &u, sizeof u, err);
	}
	if (c->type.id != ENT_T_DECIMAL) {
		if (v < INT64_MIN || v > INT64_MAX)
			return misfit(c, err);
		return ent_builder_int(b, col, (int64_t)v, err);
	}
	ent_i128 limit = power10(c->type.precision);
	if (v <= -limit || v >= limit)
		return misfit(c, err);
	return value_end_fixed(b, c, &v, 16, err);
}

int ent_builder_int(struct ent_builder *b, size_t col, int64_t v, struct ent_err *err)
{
	struct column *c = &b->columns[col];
	size_t width = type_width(c->type);
	if (c->type.id == ENT_T_DECIMAL || c->type.id == ENT_T_UINT64)
		return ent_builder_wide(b, col, v, err);
	if (c->type.id == ENT_T_BOOL) {
		if (v != 0 && v != 1)
			return misfit(c, err);
		bit_put(&c->values, c->rows, v != 0);
		return value_end(b, c, 1, true, err);
	}
	if (ent_type_is_float(c->type) || !width)
		return misfit(c, err);
	if (c->type.id == ENT_T_TIME && (v < 0 || v > 86400000000))
		return misfit(c, err);
	if ((width == 2 && v != (int16_t)v) || (width == 4 && v != (int32_t)v))
		return misfit(c, err);
	return value_end_fixed(b, c, &v, width, err); /* little-endian machines only: see batch.c */
}

int ent_builder_real(struct ent_builder *b, size_t col, double v, struct ent_err *err)
{
	struct column *c = &b->columns[col];
	if (c->type.id == ENT_T_DOUBLE)
		return value_end_fixed(b, c, &v, sizeof v, err);
	float f = (float)v;
	if (c->type.id != ENT_T_REAL || (!isnan(v) && (double)f != v))
		return misfit(c, err);
	return value_end_fixed(b, c, &f, sizeof f, err);
}

int ent_builder_text(struct ent_builder *b, size_t col, struct ent_bytes v, struct ent_err *err)
{
	struct column *c = &b->columns[col];
	if (!ent_type_is_bytes(c->type) || (c->type.id == ENT_T_TEXT && (!ent_utf8_valid(v) || (v.len && memchr(v.data, 0, v.len)))))
		return misfit(c, err);
	if (v.len > b->bytes_max)
		return ent_fail(err, ENT_ENOMEM, "row %zu of column %s has %zu bytes, the cap is %zu", c->rows + 1, c->name, v.len, b->bytes_max);
	ent_buf_put(&c->values, v.data, v.len);
	return value_end(b, c, v.len + 4, true, err);
}

/* --- handing over --- */

struct owned { /* private_data of our arrays */
	const void *buffers[3];
	uint8_t *memory[3];
	struct ArrowArray *children;
	struct ArrowArray **pointers;
};

static void owned_release(struct ArrowArray *a)
{
	struct owned *o = (struct owned *)a->private_data;
	for (int64_t i = 0; i < a->n_children; i++)
		ent_array_release(a->children[i]);
	for (int i = 0; i < 3; i++)
		free(o->memory[i]);
	free(o->children);
	free(o->pointers);
	free(o);
	a->release = NULL;
}

/* Makes *a an own, empty array with n_children empty children. */
static int owned_init(struct ArrowArray *a, size_t rows, size_t n_children, struct ent_err *err)
{
	struct owned *o = (struct owned *)calloc(1, sizeof *o);
	if (!o)
		return ent_nomem(err);
	if (n_children) {
		o->children = (struct ArrowArray *)calloc(n_children, sizeof *o->children);
		o->pointers = (struct ArrowArray **)calloc(n_children, sizeof(struct ArrowArray *));
	}
	if (n_children && (!o->children || !o->pointers)) {
		free(o->children);
		free(o->pointers);
		free(o);
		return ent_nomem(err);
	}
	for (size_t i = 0; i < n_children; i++)
		o->pointers[i] = &o->children[i];
	*a = (struct ArrowArray){ .length = (int64_t)rows,
				  .n_buffers = 1,
				  .n_children = (int64_t)n_children,
				  .buffers = o->buffers,
				  .children = o->pointers,
				  .release = owned_release,
				  .private_data = o };
	return 0;
}

static void owned_take(struct owned *o, int slot, struct ent_buf *from)
{
	o->memory[slot] = from->data;
	o->buffers[slot] = from->data;
	from->data = NULL;
	from->len = from->cap = 0;
}

static int column_finish(struct column *c, struct ArrowArray *ret, struct ent_err *err)
{
	bool text = ent_type_is_bytes(c->type);
	if (text && !c->rows)
		ent_buf_space(&c->offsets, 4);
	if (!c->values.data)
		ent_buf_u8(&c->values, 0); /* a buffer must exist even when it is empty */
	ENT_TRY(ent_buf_check(&c->values, err));
	ENT_TRY(ent_buf_check(&c->offsets, err));
	ENT_TRY(owned_init(ret, c->rows, 0, err));
	struct owned *o = (struct owned *)ret->private_data;
	ret->n_buffers = text ? 3 : 2;
	ret->null_count = (int64_t)c->nulls;
	if (c->nulls)
		owned_take(o, 0, &c->validity);
	if (text)
		owned_take(o, 1, &c->offsets);
	owned_take(o, text ? 2 : 1, &c->values);
	return 0;
}

int ent_builder_finish(struct ent_builder *b, struct ArrowArray *ret, struct ent_err *err)
{
	size_t rows = ent_builder_rows(b);
	ENT_ARRAY_AUTO a = { 0 };
	ENT_TRY(owned_init(&a, rows, b->n_columns, err));
	for (size_t i = 0; i < b->n_columns; i++) {
		ENT_ASSERT(b->columns[i].rows == rows);
		ENT_TRY(column_finish(&b->columns[i], a.children[i], err));
		column_reset(&b->columns[i], b->bytes_max);
	}
	b->bytes = 0;
	*ret = ent_array_take(&a);
	return 0;
}
