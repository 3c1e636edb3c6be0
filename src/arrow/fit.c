/* Verdicts by pair of types, and the conversions that the verdicts promise. */
#include "arrow/fit.h"

#include <math.h>
#include <stdio.h>

static const struct {
	uint8_t digits; /* of the largest whole number */
	bool whole;
} wholes[ENT_T_COUNT] = { [ENT_T_BOOL] = { 1, true },
			  [ENT_T_INT16] = { 5, true },
			  [ENT_T_INT32] = { 10, true },
			  [ENT_T_INT64] = { 19, true },
			  [ENT_T_UINT64] = { 20, true } };

static enum ent_map_verdict say(enum ent_map_verdict v, const char *text, char why[200])
{
	snprintf(why, 200, "%s", text);
	return v;
}

static const char checked[] = "checked: a value that does not fit is refused by name";

/* Whole numbers and decimals as (digits before the point, digits after). */
static bool exact_shape(struct ent_type t, int *before, int *after)
{
	*after = t.id == ENT_T_DECIMAL ? t.scale : 0;
	*before = t.id == ENT_T_DECIMAL ? t.precision - t.scale : wholes[t.id].digits;
	return t.id == ENT_T_DECIMAL || wholes[t.id].whole;
}

static enum ent_map_verdict exact_to_exact(struct ent_type from, struct ent_type to, char why[200])
{
	int fb, fa, tb, ta;
	(void)exact_shape(from, &fb, &fa);
	(void)exact_shape(to, &tb, &ta);
	bool sure = to.id == ENT_T_DECIMAL ? tb >= fb && ta >= fa
					   : fa == 0 && fb < tb && !(to.id == ENT_T_UINT64 && from.id != ENT_T_BOOL) && to.id != ENT_T_BOOL;
	return sure ? say(ENT_MAP_WIDENED, "a wider number", why) : say(ENT_MAP_EXACT, checked, why);
}

static enum ent_map_verdict to_float(struct ent_type from, struct ent_type to, char why[200])
{
	if (from.id == ENT_T_REAL)
		return say(ENT_MAP_WIDENED, "a wider float", why);
	if (from.id == ENT_T_DOUBLE)
		return say(ENT_MAP_LOSSY, "digits beyond the seventh are rounded", why);
	bool sure = from.id == ENT_T_INT16 || from.id == ENT_T_BOOL || (from.id == ENT_T_INT32 && to.id == ENT_T_DOUBLE);
	return sure ? say(ENT_MAP_WIDENED, "whole numbers as floats", why) : say(ENT_MAP_LOSSY, "exact numbers become floats", why);
}

static enum ent_map_verdict time_to_time(struct ent_type from, struct ent_type to, char why[200])
{
	if (from.id == ENT_T_DATE && to.id == ENT_T_TIMESTAMP)
		return say(ENT_MAP_WIDENED, "a date becomes its midnight", why);
	if (from.id == ENT_T_TIMESTAMP && to.id == ENT_T_DATE)
		return say(ENT_MAP_EXACT, checked, why);
	return say(ENT_MAP_REFUSED, "one of them names a moment, the other a reading of some clock: the zone is not known", why);
}

enum ent_map_verdict ent_fit_types(struct ent_type from, struct ent_type to, char why[200])
{
	int before, after;
	why[0] = 0;
	if (ent_type_eq(from, to))
		return ENT_MAP_EXACT;
	if (to.id == ENT_T_TEXT)
		return from.id == ENT_T_BINARY ? say(ENT_MAP_WIDENED, "bytes become \\x and hexadecimal digits", why)
					       : say(ENT_MAP_WIDENED, "its canonical text", why);
	if (from.id == ENT_T_TEXT && to.id == ENT_T_BINARY)
		return say(ENT_MAP_WIDENED, "its UTF-8 bytes", why);
	if (exact_shape(from, &before, &after) && exact_shape(to, &before, &after))
		return exact_to_exact(from, to, why);
	if (ent_type_is_float(to) && (ent_type_is_float(from) || exact_shape(from, &before, &after)))
		return to_float(from, to, why);
	if (ent_type_is_time(from) && ent_type_is_time(to))
		return time_to_time(from, to, why);
	return say(ENT_MAP_REFUSED, "no value of the one has a meaning in the other", why);
}

/* --- values --- */

static int misfit(const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EDATA, "a value does not fit");
	return ent_why(err, "%s", why), ENT_EDATA;
}

static ent_i128 power10(unsigned n)
{
	ent_i128 p = 1;
	while (n--)
		p *= 10;
	return p;
}

/* Brings a scaled number from one scale to another; false when digits would be lost or the number leaves 128 bits. */
static bool rescale(ent_i128 v, unsigned from, unsigned to, ent_i128 *ret)
{
	if (to >= from)
		return !__builtin_mul_overflow(v, power10(to - from), ret);
	ent_i128 p = power10(from - to);
	*ret = v / p;
	return v % p == 0;
}

static bool within(ent_i128 v, struct ent_type to)
{
	switch (to.id) {
	case ENT_T_BOOL:
		return v == 0 || v == 1;
	case ENT_T_INT16:
		return v == (int16_t)v;
	case ENT_T_INT32:
		return v == (int32_t)v;
	case ENT_T_INT64:
		return v == (int64_t)v;
	case ENT_T_UINT64:
		return v >= 0 && v <= UINT64_MAX;
	default:
		return v < power10(to.precision) && v > -power10(to.precision);
	}
}

static int fit_exact(const struct ent_view *v, size_t row, struct ent_type to, ent_i128 *ret, struct ent_err *err)
{
	unsigned from = v->type.id == ENT_T_DECIMAL ? v->type.scale : 0, scale = to.id == ENT_T_DECIMAL ? to.scale : 0;
	ent_i128 n;
	if (!rescale(ent_view_wide(v, row), from, scale, &n) || !within(n, to))
		return misfit("the number is too large, or has more digits after the point than the column", err);
	*ret = n;
	return 0;
}

static double real_of(const struct ent_view *v, size_t row)
{
	if (ent_type_is_float(v->type))
		return ent_view_real(v, row);
	return (double)((long double)ent_view_wide(v, row) / (v->type.id == ENT_T_DECIMAL ? (long double)power10(v->type.scale) : 1));
}

static int fit_time(const struct ent_view *v, size_t row, struct ent_type to, ent_i128 *ret, struct ent_err *err)
{
	static const int64_t day = 86400000000;
	int64_t t = ent_view_int(v, row);
	bool past = t < 0, date = v->type.id == ENT_T_DATE;
	if (v->type.id == to.id)
		*ret = t;
	else if (date && (t == INT32_MAX || t == INT32_MIN))
		*ret = past ? INT64_MIN : INT64_MAX;
	else if (date)
		*ret = (ent_i128)t * day;
	else if (t == INT64_MAX || t == INT64_MIN)
		*ret = past ? INT32_MIN : INT32_MAX;
	else if (t % day == 0)
		*ret = t / day;
	else
		return misfit("the timestamp is no midnight", err);
	return *ret > INT64_MAX || *ret < INT64_MIN ? misfit("the date is too distant", err) : 0;
}

static int fit_bytes(const struct ent_view *v, size_t row, struct ent_buf *scratch, struct ent_bytes *ret, struct ent_err *err)
{
	scratch->len = 0;
	ent_value_put(v, row, scratch);
	ENT_TRY(ent_buf_check(scratch, err));
	*ret = ent_bytes(scratch->data ? (const void *)scratch->data : "", scratch->len);
	return 0;
}

int ent_fit_value(const struct ent_view *v, size_t row, struct ent_type to, struct ent_buf *scratch, struct ent_fitted *ret, struct ent_err *err)
{
	int before, after;
	*ret = (struct ent_fitted){ .null = ent_view_null(v, row) };
	if (ret->null)
		return 0;
	if (ent_type_eq(v->type, to) && !ent_type_is_bytes(to)) {
		if (ent_type_is_float(to))
			ret->real = ent_view_real(v, row);
		else
			ret->number = ent_view_wide(v, row);
		return 0;
	}
	if (ent_type_is_bytes(v->type) && ent_type_is_bytes(to) && !(v->type.id == ENT_T_BINARY && to.id == ENT_T_TEXT))
		return ret->text = ent_view_text(v, row), 0;
	if (to.id == ENT_T_TEXT)
		return fit_bytes(v, row, scratch, &ret->text, err);
	if (exact_shape(v->type, &before, &after) && exact_shape(to, &before, &after))
		return fit_exact(v, row, to, &ret->number, err);
	if (ent_type_is_float(to) && (ent_type_is_float(v->type) || exact_shape(v->type, &before, &after))) {
		ret->real = real_of(v, row);
		if (to.id == ENT_T_REAL)
			ret->real = (double)(float)ret->real;
		return 0;
	}
	if ((ent_type_is_time(v->type) && ent_type_is_time(to)) || (v->type.id == ENT_T_TIME && to.id == ENT_T_TIME))
		return fit_time(v, row, to, &ret->number, err);
	return ent_fail(err, ENT_EUNSUPPORTED, "no value of the one type has a meaning in the other");
}

int ent_fit_misfit(const struct ent_view *v, size_t row, uint64_t number, const char *column, const char *type, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF((size_t)64 << 20);
	char reason[300];
	snprintf(reason, sizeof reason, "%.299s", err && err->why[0] ? err->why : "the store has no such value");
	ent_value_put(v, row, &text);
	ent_fail(err, ENT_EDATA, "row %llu of column %.200s cannot be stored as %.80s", (unsigned long long)number, column, type);
	if (text.len > 60)
		ent_why(err, "%.60s... (%zu bytes): %s", ent_buf_text(&text), text.len, reason);
	else
		ent_why(err, "%s: %s", ent_buf_text(&text), reason);
	return ENT_EDATA;
}
