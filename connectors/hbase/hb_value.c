/* Bytes of cells to values and back. */
#include "hb_type.h"

#include <math.h>
#include <stdio.h>

#include "arrow/fit.h"

/* --- in --- */

static int misread(const struct ent_hb_column *c, uint64_t row, const char *why, struct ent_err *err)
{
	char type[ENT_TYPE_TEXT_MAX];
	ent_hb_type_name(&c->t, type);
	ent_fail(err, ENT_EDATA, "row %llu of column %.200s cannot be read as %s", (unsigned long long)row, c->name, type);
	ent_why(err, "%s", why);
	return ent_next(err, "declare what its bytes are with --schema FILE: %.100s text, long, decimal(12,2), binary, ...", c->name), ENT_EDATA;
}

static int packed_put(struct ent_builder *b, size_t col, const struct ent_hb_column *c, uint64_t row, struct ent_bytes v, struct ent_err *err)
{
	static const size_t widths[ENT_T_COUNT] = {
		[ENT_T_BOOL] = 1, [ENT_T_INT16] = 2, [ENT_T_INT32] = 4, [ENT_T_INT64] = 8, [ENT_T_REAL] = 4, [ENT_T_DOUBLE] = 8
	};
	struct ent_reader r = ent_reader(v);
	uint64_t bits = 0;
	double d;
	float f;
	if (v.len != widths[c->t.type.id])
		return misread(c, row, "it has another number of bytes", err);
	for (size_t i = 0; i < v.len; i++)
		bits = bits << 8 | ent_read_u8(&r);
	uint32_t low = (uint32_t)bits;
	switch (v.len) {
	case 1:
		return ent_builder_int(b, col, bits != 0, err);
	case 2:
		return ent_builder_int(b, col, (int16_t)bits, err);
	case 4:
		memcpy(&f, &low, 4);
		return c->t.type.id == ENT_T_REAL ? ent_builder_real(b, col, (double)f, err) : ent_builder_int(b, col, (int32_t)low, err);
	}
	memcpy(&d, &bits, 8);
	return c->t.type.id == ENT_T_DOUBLE ? ent_builder_real(b, col, d, err) : ent_builder_int(b, col, (int64_t)bits, err);
}

static bool text_is(struct ent_bytes v, const char *text) { return ent_bytes_eq(v, ent_bytes_str(text)); }

/* Dates and timestamps; infinities are the ends of their range. */
static bool time_parse(struct ent_bytes v, enum ent_type_id id, int64_t *ret)
{
	int32_t days;
	bool date = id == ENT_T_DATE, plus = text_is(v, "infinity");
	if (plus || text_is(v, "-infinity")) {
		*ret = date ? (plus ? INT32_MAX : INT32_MIN) : (plus ? INT64_MAX : INT64_MIN);
		return true;
	}
	if (!date)
		return ent_timestamp_parse(v, id == ENT_T_TIMESTAMPTZ, ret);
	bool ok = ent_date_parse(v, &days);
	*ret = ok ? days : 0;
	return ok;
}

static bool whole_parse(struct ent_bytes v, enum ent_type_id id, int64_t *ret)
{
	if (id == ENT_T_BOOL) {
		*ret = text_is(v, "true");
		return *ret || text_is(v, "false");
	}
	return ent_int_parse(v, ret) && (id != ENT_T_INT16 || *ret == (int16_t)*ret) && (id != ENT_T_INT32 || *ret == (int32_t)*ret);
}

static int text_put(struct ent_builder *b, size_t col, const struct ent_hb_column *c, uint64_t row, struct ent_bytes v, struct ent_err *err)
{
	static const char no[] = "it is no such text";
	struct ent_type t = c->t.type;
	ent_i128 wide;
	int64_t n;
	double d;
	switch (t.id) {
	case ENT_T_BOOL:
	case ENT_T_INT16:
	case ENT_T_INT32:
	case ENT_T_INT64:
		return whole_parse(v, t.id, &n) ? ent_builder_int(b, col, n, err) : misread(c, row, no, err);
	case ENT_T_DECIMAL:
	case ENT_T_UINT64:
		if (!ent_decimal_parse(v, t.id == ENT_T_UINT64 ? 20 : t.precision, t.scale, &wide) ||
		    (t.id == ENT_T_UINT64 && (wide < 0 || wide > UINT64_MAX)))
			return misread(c, row, no, err);
		return ent_builder_wide(b, col, wide, err);
	case ENT_T_REAL:
	case ENT_T_DOUBLE:
		if (!ent_real_parse(v, &d) || (t.id == ENT_T_REAL && isinf((float)d) && !isinf(d)))
			return misread(c, row, no, err);
		return ent_builder_real(b, col, t.id == ENT_T_REAL ? (double)(float)d : d, err);
	case ENT_T_DATE:
	case ENT_T_TIMESTAMP:
	case ENT_T_TIMESTAMPTZ:
		return time_parse(v, t.id, &n) ? ent_builder_int(b, col, n, err) : misread(c, row, no, err);
	case ENT_T_TIME:
		return ent_clock_parse(v, &n) ? ent_builder_int(b, col, n, err) : misread(c, row, no, err);
	case ENT_T_TEXT:
		if (!ent_utf8_valid(v) || (v.len && memchr(v.data, 0, v.len)))
			return misread(c, row, "it is no UTF-8, or holds a zero byte", err);
		return ent_builder_text(b, col, v, err);
	case ENT_T_BINARY:
		return ent_builder_text(b, col, v, err);
	case ENT_T_COUNT:
		break;
	}
	return ENT_EINTERNAL;
}

int ent_hb_value_put(struct ent_builder *b, size_t col, const struct ent_hb_column *c, uint64_t row, struct ent_bytes value, struct ent_err *err)
{
	return c->t.packed ? packed_put(b, col, c, row, value, err) : text_put(b, col, c, row, value, err);
}

/* --- out --- */

static void packed_encode(const struct ent_fitted *f, enum ent_type_id id, struct ent_buf *out)
{
	uint64_t bits = (uint64_t)f->number;
	uint32_t low = (uint32_t)bits;
	float single = (float)f->real;
	switch (id) {
	case ENT_T_BOOL:
		ent_buf_u8(out, bits ? 0xff : 0);
		break;
	case ENT_T_INT16:
		ent_buf_be16(out, (uint16_t)bits);
		break;
	case ENT_T_REAL:
		memcpy(&low, &single, 4);
		ent_buf_be32(out, low);
		break;
	case ENT_T_DOUBLE:
		memcpy(&bits, &f->real, 8);
		ent_buf_be64(out, bits);
		break;
	case ENT_T_INT32:
		ent_buf_be32(out, low);
		break;
	default:
		ent_buf_be64(out, bits);
	}
}

static size_t fitted_text(const struct ent_fitted *f, struct ent_type t, char out[ENT_VALUE_TEXT_MAX])
{
	int64_t n = (int64_t)f->number;
	switch (t.id) {
	case ENT_T_BOOL:
		return (size_t)snprintf(out, ENT_VALUE_TEXT_MAX, "%s", n ? "true" : "false");
	case ENT_T_DECIMAL:
		return ent_decimal_text(f->number, t.scale, out);
	case ENT_T_UINT64:
		return ent_decimal_text(f->number, 0, out);
	case ENT_T_REAL:
	case ENT_T_DOUBLE:
		return ent_real_text(f->real, t.id == ENT_T_REAL, out);
	case ENT_T_DATE:
		return n == INT32_MAX || n == INT32_MIN ? (size_t)snprintf(out, ENT_VALUE_TEXT_MAX, "%sinfinity", n < 0 ? "-" : "")
							: ent_date_text((int32_t)n, out);
	case ENT_T_TIME:
		return ent_clock_text(n, out);
	case ENT_T_TIMESTAMP:
	case ENT_T_TIMESTAMPTZ:
		return n == INT64_MAX || n == INT64_MIN ? (size_t)snprintf(out, ENT_VALUE_TEXT_MAX, "%sinfinity", n < 0 ? "-" : "")
							: ent_timestamp_text(n, t.id == ENT_T_TIMESTAMPTZ, out);
	default:
		return ent_int_text(n, out);
	}
}

int ent_hb_value_encode(const struct ent_view *v, size_t row, const struct ent_hb_type *to, struct ent_buf *scratch, struct ent_buf *out,
			struct ent_err *err)
{
	struct ent_fitted f;
	char text[ENT_VALUE_TEXT_MAX];
	ENT_TRY(ent_fit_value(v, row, to->type, scratch, &f, err));
	if (ent_type_is_bytes(to->type))
		ent_buf_put(out, f.text.data, f.text.len);
	else if (to->packed)
		packed_encode(&f, to->type.id, out);
	else
		ent_buf_put(out, text, fitted_text(&f, to->type, text));
	return ent_buf_check(out, err);
}
