/* Validation of foreign batches, column by column, before anything reads a value. Buffers may be unaligned, so every load is a copy;
 * the Arrow interface is host order and this file reads values as little-endian machines store them. */
#include "arrow/batch.h"

#include <stdlib.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "Arrow values are read and built as little-endian");

static const struct {
	const char *format;
	uint8_t width;
	bool is_unsigned;
	int64_t multiply;
} layouts[] = {
	{ "b", 0, false, 1 },
	{ "c", 1, false, 1 },
	{ "C", 1, true, 1 },
	{ "s", 2, false, 1 },
	{ "S", 2, true, 1 },
	{ "i", 4, false, 1 },
	{ "I", 4, true, 1 },
	{ "l", 8, false, 1 },
	{ "f", 4, false, 1 },
	{ "g", 8, false, 1 },
	{ "tdD", 4, false, 1 },
	{ "tsu:", 8, false, 1 },
	{ "tsu:UTC", 8, false, 1 },
	{ "tsm:", 8, false, 1000 },
	{ "tsm:UTC", 8, false, 1000 },
	{ "tss:", 8, false, 1000000 },
	{ "tss:UTC", 8, false, 1000000 },
	{ "L", 8, true, 1 },
	{ "ttu", 8, false, 1 },
	{ "u", 4, false, 1 },
	{ "z", 4, false, 1 },
	{ "U", 8, false, 1 },
};

static bool layout_find(const char *format, struct ent_view *v)
{
	if (v->type.id == ENT_T_DECIMAL) {
		v->width = 16;
		v->multiply = 1;
		return true;
	}
	for (size_t i = 0; i < ENT_COUNT(layouts); i++) {
		if (!strcmp(layouts[i].format, format)) {
			v->width = layouts[i].width;
			v->is_unsigned = layouts[i].is_unsigned;
			v->multiply = layouts[i].multiply;
			return true;
		}
	}
	return false;
}

static int64_t offset_at(const struct ent_view *v, size_t at)
{
	if (v->width == 8) {
		int64_t wide;
		memcpy(&wide, v->offsets + 8 * at, 8);
		return wide;
	}
	int32_t narrow;
	memcpy(&narrow, v->offsets + 4 * at, 4);
	return narrow;
}

struct ent_bytes ent_view_text(const struct ent_view *v, size_t row)
{
	if (ent_view_null(v, row))
		return ent_bytes("", 0);
	int64_t from = offset_at(v, v->offset + row), to = offset_at(v, v->offset + row + 1);
	return to > from ? ent_bytes(v->values + from, (size_t)(to - from)) : ent_bytes("", 0);
}

static int64_t load_narrow(const struct ent_view *v, const uint8_t *p)
{
	uint64_t bits = 0;
	memcpy(&bits, p, v->width);
	if (v->is_unsigned || v->width == 8)
		return (int64_t)bits;
	unsigned shift = 64u - 8u * v->width;
	return (int64_t)(bits << shift) >> shift;
}

int64_t ent_view_int(const struct ent_view *v, size_t row)
{
	size_t at = v->offset + row;
	if (ent_view_null(v, row))
		return 0;
	if (v->width == 0)
		return v->values[at >> 3] >> (at & 7) & 1;
	if (v->width == 16)
		return (int64_t)ent_view_wide(v, row);
	return load_narrow(v, v->values + at * v->width) * v->multiply;
}

ent_i128 ent_view_wide(const struct ent_view *v, size_t row)
{
	ent_i128 wide = 0;
	if (v->type.id == ENT_T_UINT64)
		return (ent_i128)(uint64_t)ent_view_int(v, row);
	if (v->width != 16)
		return ent_view_int(v, row);
	if (!ent_view_null(v, row))
		memcpy(&wide, v->values + (v->offset + row) * 16, 16);
	return wide;
}

double ent_view_real(const struct ent_view *v, size_t row)
{
	double wide = 0;
	float narrow = 0;
	if (ent_view_null(v, row))
		return 0;
	if (v->width == 8) {
		memcpy(&wide, v->values + (v->offset + row) * 8, 8);
		return wide;
	}
	memcpy(&narrow, v->values + (v->offset + row) * 4, 4);
	return (double)narrow;
}

static int bad(const char *name, const char *what, struct ent_err *err)
{
	return ent_fail(err, ENT_EDATA, "column %.200s of a batch %s", name, what);
}

static size_t nulls_count(const struct ent_view *v)
{
	size_t n = 0;
	for (size_t r = 0; v->validity && r < v->rows; r++)
		n += ent_view_null(v, r);
	return n;
}

/* Offsets first, over the whole range, then the texts. */
static int text_check(const struct ent_view *v, const char *name, struct ent_err *err)
{
	int64_t before = offset_at(v, v->offset);
	if (before < 0)
		return bad(name, "has a negative text offset", err);
	for (size_t r = 1; r <= v->rows; r++) {
		int64_t at = offset_at(v, v->offset + r);
#ifndef ENT_MUTANT_ARROW_OFFSETS
		if (at < before)
			return bad(name, "has text offsets that go back", err);
#endif
		if (at > (int64_t)ENT_BATCH_BYTES_HARD)
			return bad(name, "has more text than a batch may hold", err);
		before = at;
	}
	if (!v->values && before > 0)
		return bad(name, "has no text buffer", err);
	if (v->type.id == ENT_T_BINARY)
		return 0;
#ifndef ENT_MUTANT_ARROW_UTF8
	for (size_t r = 0; r < v->rows; r++) {
		struct ent_bytes text = ent_view_text(v, r);
		if (!ent_utf8_valid(text) || (text.len && memchr(text.data, 0, text.len))) {
			bad(name, "has text that is not UTF-8 or holds a zero byte", err);
			return ent_why(err, "row %zu of the batch", r + 1), ENT_EDATA;
		}
	}
#endif
	return 0;
}

static int decimal_check(const struct ent_view *v, const char *name, struct ent_err *err)
{
	ent_i128 limit = 1;
	for (unsigned i = 0; i < v->type.precision; i++)
		limit *= 10;
	for (size_t r = 0; r < v->rows; r++) {
		ent_i128 d = ent_view_wide(v, r);
		if (d <= -limit || d >= limit)
			return bad(name, "has a decimal beyond its precision", err);
	}
	return 0;
}

/* Infinities (the ends of the range) have no joint meaning; coarser timestamps must fit microseconds. */
static int time_check(const struct ent_view *v, bool copying, const char *name, struct ent_err *err)
{
	bool infinite = copying && v->multiply == 1;
	int64_t end = v->width == 4 ? INT32_MAX : INT64_MAX / v->multiply;
	for (size_t r = 0; r < v->rows; r++) {
		if (ent_view_null(v, r))
			continue;
		int64_t raw = load_narrow(v, v->values + (v->offset + r) * v->width);
		if (!infinite && (raw >= end || raw <= -end))
			return bad(name, "has an infinite or too distant date or time", err);
	}
	return 0;
}

static int clock_check(const struct ent_view *v, const char *name, struct ent_err *err)
{
	for (size_t r = 0; r < v->rows; r++)
		if (ent_view_int(v, r) < 0 || ent_view_int(v, r) > 86400000000)
			return bad(name, "has a time of day outside 00:00 to 24:00", err);
	return 0;
}

static int values_check(const struct ent_view *v, bool copying, const char *name, struct ent_err *err)
{
	if (!v->rows)
		return 0;
	if (ent_type_is_bytes(v->type))
		return text_check(v, name, err);
	if (v->type.id == ENT_T_DECIMAL)
		return decimal_check(v, name, err);
	if (v->type.id == ENT_T_TIME)
		return clock_check(v, name, err);
	return ent_type_is_time(v->type) ? time_check(v, copying, name, err) : 0;
}

/* Shape of one child array against the rows the parent promises. */
static int shape_check(const struct ArrowArray *parent, const struct ArrowArray *a, bool text, const char *name, struct ent_err *err)
{
	if (!a || !a->release || a->n_children || a->dictionary)
		return bad(name, "is missing, nested or dictionary-encoded", err);
	if (a->n_buffers != (text ? 3 : 2) || !a->buffers)
		return bad(name, "has a wrong number of buffers", err);
	if (a->length < 0 || a->offset < 0 || a->offset > INT32_MAX || a->length > INT32_MAX || a->length < parent->offset + parent->length)
		return bad(name, "has a wrong length", err);
	if (a->null_count < -1 || a->null_count > a->length)
		return bad(name, "has a wrong NULL count", err);
	if (parent->length && !a->buffers[1])
		return bad(name, "has no values", err);
	return 0;
}

static int column_open(const struct ArrowSchema *schema, const struct ArrowArray *array, size_t i, bool copying, struct ent_view *v,
		       struct ent_err *err)
{
	struct ent_field_info f;
	ent_schema_field(schema, i, &f);
	if (copying ? !f.copied : f.unsupported[0])
		return ent_fail(err, ENT_EUNSUPPORTED, "column %s cannot be read: %s", f.name, f.unsupported);
	if (!copying && f.type.id > ENT_T_TEXT)
		return ent_fail(err, ENT_EUNSUPPORTED, "column %s has a type that only copies know", f.name);
	const struct ArrowArray *a = array->children[i];
	v->type = f.type;
	if (!layout_find(schema->children[i]->format, v))
		return ent_fail(err, ENT_EUNSUPPORTED, "column %s has Arrow format %.40s", f.name, schema->children[i]->format);
	bool text = ent_type_is_bytes(f.type);
	ENT_TRY(shape_check(array, a, text, f.name, err));
	v->rows = (size_t)array->length;
	v->offset = (size_t)(a->offset + array->offset);
	v->validity = (const uint8_t *)a->buffers[0];
	v->offsets = text ? (const uint8_t *)a->buffers[1] : NULL;
	v->values = (const uint8_t *)a->buffers[text ? 2 : 1];
	v->nulls = nulls_count(v);
	if (!v->validity && a->null_count > 0)
		return bad(f.name, "counts NULLs and marks none", err);
	if (a->length == array->length && a->null_count >= 0 && (size_t)a->null_count != v->nulls)
		return bad(f.name, "has a wrong NULL count", err);
	if (v->nulls && !f.nullable)
		return bad(f.name, "has NULLs though it is declared without", err);
	return values_check(v, copying, f.name, err);
}

void ent_batch_close(struct ent_batch *b)
{
	if (b)
		free(b->columns);
	if (b)
		*b = (struct ent_batch){ 0 };
}

static int top_check(const struct ArrowSchema *schema, const struct ArrowArray *a, struct ent_err *err)
{
	if (!a || !a->release || a->n_children != schema->n_children || (a->n_children && !a->children) || a->dictionary)
		return ent_fail(err, ENT_EDATA, "a batch does not have the columns of its schema");
	if (a->length < 0 || a->length > (int64_t)ENT_BATCH_ROWS_MAX || a->offset < 0 || a->offset > INT32_MAX)
		return ent_fail(err, ENT_EDATA, "a batch has %lld rows, at most %u are possible", (long long)a->length, ENT_BATCH_ROWS_MAX);
	if (a->n_buffers != 1 || a->null_count > 0 || (a->null_count < 0 && a->buffers && a->buffers[0]))
		return ent_fail(err, ENT_EDATA, "a batch has whole rows that are NULL");
	return 0;
}

static int batch_open(const struct ArrowSchema *schema, const struct ArrowArray *array, bool copying, struct ent_batch *ret, struct ent_err *err)
{
	ENT_TRY(ent_schema_check(schema, err));
	ENT_TRY(top_check(schema, array, err));
	ENT_BATCH_AUTO b = { .rows = (size_t)array->length, .n_columns = (size_t)schema->n_children };
	b.columns = (struct ent_view *)calloc(b.n_columns + 1, sizeof *b.columns);
	if (!b.columns)
		return ent_nomem(err);
	for (size_t i = 0; i < b.n_columns; i++)
		ENT_TRY(column_open(schema, array, i, copying, &b.columns[i], err));
	*ret = b;
	b.columns = NULL;
	return 0;
}

int ent_batch_open(const struct ArrowSchema *schema, const struct ArrowArray *array, struct ent_batch *ret, struct ent_err *err)
{
	return batch_open(schema, array, false, ret, err);
}

int ent_batch_open_copy(const struct ArrowSchema *schema, const struct ArrowArray *array, struct ent_batch *ret, struct ent_err *err)
{
	return batch_open(schema, array, true, ret, err);
}
