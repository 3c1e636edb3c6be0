/* Casts, written or implied. Only those exist that every owner's engine computes alike (see docs/sql.md); all of them fold for constants.
 *
 * Rounding: decimals and double to decimal round half away from zero, the latter on the binary value; double to integer rounds half to even. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "sql/internal.h"

#define DAY_MICROS 86400000000LL

static int64_t divide_half_away(int64_t v, int64_t by)
{
	int64_t q = v / by, rest = v % by;
	if (rest >= 0 ? rest >= by - rest : -rest >= by + rest)
		q += v < 0 ? -1 : 1;
	return q;
}

static bool rescale(int64_t v, unsigned from, unsigned to, int64_t *ret)
{
	int64_t p;
	if (!ent_sql_pow10(from > to ? from - to : to - from, &p))
		return false;
	if (from <= to)
		return !__builtin_mul_overflow(v, p, ret);
	*ret = divide_half_away(v, p);
	return true;
}

static bool exact_limit(struct ent_type t, int64_t v)
{
	int64_t limit;
	if (t.id == ENT_T_DECIMAL)
		return !ent_sql_pow10(t.precision, &limit) || (v > -limit && v < limit);
	return t.id == ENT_T_INT16 ? v == (int16_t)v : t.id == ENT_T_INT32 ? v == (int32_t)v : true;
}

static double exact_to_real(int64_t v, unsigned scale, bool single)
{
	char text[48];
	snprintf(text, sizeof text, "%" PRId64 "e-%u", v, scale);
	return single ? (double)strtof(text, NULL) : strtod(text, NULL);
}

static bool real_to_exact(double v, struct ent_type to, int64_t *ret)
{
	int64_t p;
	unsigned scale = to.id == ENT_T_DECIMAL ? to.scale : 0;
	if (!ent_sql_pow10(scale, &p))
		return false;
	double r = to.id == ENT_T_DECIMAL ? copysign(floor(fabs(v) * (double)p + 0.5), v) : rint(v);
	if (!(r >= -9223372036854775808.0 && r < 9223372036854775808.0))
		return false;
	*ret = (int64_t)r;
	return exact_limit(to, *ret);
}

static bool number_cast(const struct ent_expr *f, struct ent_type to, struct ent_expr *e)
{
	unsigned scale = f->type.id == ENT_T_DECIMAL ? f->type.scale : 0;
	if (ent_type_is_float(to)) {
		e->real = ent_type_is_float(f->type) ? f->real : exact_to_real(f->value, scale, to.id == ENT_T_REAL);
		e->real = to.id == ENT_T_REAL ? (double)(float)e->real : e->real;
		return isfinite(e->real);
	}
	if (ent_type_is_float(f->type))
		return real_to_exact(f->real, to, &e->value);
	return rescale(f->value, scale, to.id == ENT_T_DECIMAL ? to.scale : 0, &e->value) && exact_limit(to, e->value);
}

static int64_t floor_days(int64_t micros) { return micros / DAY_MICROS - (micros % DAY_MICROS < 0); }

static const char *const_text(struct ent_sql *x, const struct ent_expr *f)
{
	int64_t year, p = 1;
	unsigned month, day;
	if (f->type.id == ENT_T_BOOL)
		return f->value ? "true" : "false";
	if (f->type.id == ENT_T_DATE) {
		ent_sql_civil(f->value, &year, &month, &day);
		return ent_arena_printf(x->arena, "%04" PRId64 "-%02u-%02u", year, month, day);
	}
	if (f->type.id != ENT_T_DECIMAL || !f->type.scale)
		return ent_arena_printf(x->arena, "%" PRId64, f->value);
	ent_sql_pow10(f->type.scale, &p);
	return ent_arena_printf(x->arena, "%s%" PRId64 ".%0*" PRId64, f->value < 0 ? "-" : "", f->value / p < 0 ? -(f->value / p) : f->value / p,
				f->type.scale, f->value % p < 0 ? -(f->value % p) : f->value % p);
}

static bool const_cast(struct ent_sql *x, const struct ent_expr *f, struct ent_type to, struct ent_expr *e)
{
	if (f->type.id == ENT_T_TEXT || f->type.id == ENT_SQL_UNKNOWN)
		return ent_sql_literal_read(x, f->text, to, e) && (to.id != ENT_T_DECIMAL || ent_type_eq(e->type, to) || number_cast(e, to, e));
	if (to.id == ENT_T_TEXT)
		return (e->text = const_text(x, f)) != NULL;
	if (ent_type_is_number(f->type) && ent_type_is_number(to))
		return number_cast(f, to, e);
	if (to.id == ENT_T_BOOL)
		e->value = f->value != 0;
	else if (f->type.id == ENT_T_DATE && to.id != ENT_T_DATE)
		return !__builtin_mul_overflow(f->value, DAY_MICROS, &e->value);
	else
		e->value = to.id == ENT_T_DATE && f->type.id != ENT_T_DATE ? floor_days(f->value) : f->value;
	return true;
}

int ent_sql_fold_cast(struct ent_sql *x, const struct ent_expr *from, struct ent_type to, int place, struct ent_expr **ret)
{
	char name[ENT_TYPE_TEXT_MAX];
	struct ent_expr e = { .kind = ENT_X_CONST, .type = to };
	if (from->is_null)
		return ent_sql_null(x, to, ret);
	if (!const_cast(x, from, to, &e)) {
		int code = from->text ? ent_sql_fail(x, ENT_ESQL, place, "'%.80s' is not a value of type %s", from->text, ent_sql_type_text(to, name))
				      : ent_sql_fail(x, ENT_ESQL, place, "a constant is out of the range of %s", ent_sql_type_text(to, name));
		ent_next(x->err, "write it as that type expects, such as 42, 1.50, DATE '2013-01-31' or TIMESTAMP '2013-01-31 05:00:00'");
		return code;
	}
	ENT_TRY(ent_sql_node(x, ENT_X_CONST, to.id, ret));
	e.type = to;
	**ret = e;
	return 0;
}

static bool castable(struct ent_type from, struct ent_type to)
{
	bool exact = ent_type_is_int(from) || from.id == ENT_T_DECIMAL;
	if (ent_type_is_number(from) && ent_type_is_number(to))
		return true;
	if (ent_type_is_time(from) && ent_type_is_time(to))
		return true;
	if (to.id == ENT_T_TEXT)
		return exact || from.id == ENT_T_BOOL || from.id == ENT_T_DATE;
	return (from.id == ENT_T_BOOL && to.id == ENT_T_INT32) || (ent_type_is_int(from) && to.id == ENT_T_BOOL);
}

static int no_cast(struct ent_sql *x, struct ent_type from, struct ent_type to, int place)
{
	char a[ENT_TYPE_TEXT_MAX], b[ENT_TYPE_TEXT_MAX];
	const char *what = ent_arena_printf(x->arena, "a cast from %s to %s", ent_sql_type_text(from, a), ent_sql_type_text(to, b));
	return ent_sql_unsupported(x, place, what, "let the owner register the column with that type");
}

int ent_sql_cast(struct ent_sql *x, struct ent_expr *e, struct ent_type to, int place, struct ent_expr **ret)
{
	if (to.id == ENT_T_DECIMAL && !to.precision) { /* numeric without digits: those of the value */
		struct ent_expr number;
		if (e->text && ent_sql_number_read(e->text, &number))
			to = number.type;
		else if (ent_type_is_int(e->type) || e->type.id == ENT_T_DECIMAL)
			to = ent_sql_as_decimal(e);
		else
			return ent_sql_unsupported(x, place, "numeric without precision here",
						   "write numeric(precision, scale), such as numeric(18,2)");
	}
	if (ent_type_eq(e->type, to) && e->type.id != ENT_SQL_UNKNOWN) {
		*ret = e;
		return 0;
	}
	if (ent_sql_is_const(e) && (e->is_null || e->text))
		return ent_sql_fold_cast(x, e, to, place, ret);
	if (e->type.id == ENT_SQL_INTERVAL || !castable(e->type, to))
		return no_cast(x, e->type, to, place);
	if (ent_type_is_float(e->type) && to.id == ENT_T_DECIMAL && to.precision > 18)
		return ent_sql_unsupported(x, place, "a cast of a floating-point number to more than 18 digits", "use at most numeric(18, s)");
	return ent_sql_call1(x, ENT_OP_CAST, to, e, place, ret);
}

int ent_sql_coerce(struct ent_sql *x, struct ent_expr *e, struct ent_type to, int place, struct ent_expr **ret)
{
	if (e->type.id == ENT_SQL_UNKNOWN && to.id == ENT_SQL_INTERVAL && !e->is_null) {
		int64_t months = 0, micros = 0;
		if (!ent_sql_interval_read(e->text, 0, &months, &micros))
			return ent_sql_fail(x, ENT_ESQL, place, "'%.80s' is not an interval", e->text);
		ENT_TRY(ent_sql_const(x, to, micros, ret));
		(*ret)->real = (double)months;
		return 0;
	}
	return ent_sql_cast(x, e, to, place, ret);
}

int ent_sql_known(struct ent_sql *x, struct ent_expr *e, int place, struct ent_expr **ret)
{
	if (e->type.id == ENT_SQL_INTERVAL)
		return ent_sql_unsupported(x, place, "an interval as a value",
					   "use EXTRACT(EPOCH FROM a - b) for seconds, or compare the difference with an INTERVAL");
	if (e->type.id == ENT_SQL_UNKNOWN)
		return ent_sql_coerce(x, e, ent_sql_type(ENT_T_TEXT), place, ret);
	*ret = e;
	return 0;
}

int ent_sql_unify(struct ent_sql *x, struct ent_expr **args, size_t n, bool operator, int place, struct ent_type *ret)
{
	char a[ENT_TYPE_TEXT_MAX], b[ENT_TYPE_TEXT_MAX];
	struct ent_type t = ent_sql_type(ENT_SQL_UNKNOWN);
	for (size_t i = 0; i < n; i++) {
		struct ent_type mine = args[i]->type, before = t;
		if (ent_type_is_int(mine) && t.id == ENT_T_DECIMAL)
			mine = ent_sql_as_decimal(args[i]);
		if (!ent_sql_common_type(before, mine, operator, & t)) {
			int code = ent_sql_fail(x, ENT_ESQL, place, "%s and %s do not go together", ent_sql_type_text(before, a),
						ent_sql_type_text(mine, b));
			ent_next(x->err, "cast one side, such as x::%s", a);
			return code;
		}
	}
	if (t.id == ENT_SQL_UNKNOWN)
		t = ent_sql_type(ENT_T_TEXT);
	for (size_t i = 0; i < n; i++)
		ENT_TRY(ent_sql_coerce(x, args[i], t, place, &args[i]));
	*ret = t;
	return 0;
}

static const struct {
	const char *name;
	enum ent_type_id id;
} type_names[] = {
	{ "bool", ENT_T_BOOL },           { "int2", ENT_T_INT16 },
	{ "int4", ENT_T_INT32 },          { "int8", ENT_T_INT64 },
	{ "numeric", ENT_T_DECIMAL },     { "float4", ENT_T_REAL },
	{ "float8", ENT_T_DOUBLE },       { "date", ENT_T_DATE },
	{ "timestamp", ENT_T_TIMESTAMP }, { "timestamptz", ENT_T_TIMESTAMPTZ },
	{ "text", ENT_T_TEXT },           { "varchar", ENT_T_TEXT },
};

static int64_t typmod(const json_t *mods, size_t at)
{
	const json_t *n = json_object_get(json_object_get(json_array_get(mods, at), "A_Const"), "ival");
	return n ? json_integer_value(json_object_get(n, "ival")) : -1;
}

static int decimal_mods(struct ent_sql *x, const json_t *mods, int place, struct ent_type *ret)
{
	int64_t p = typmod(mods, 0), s = json_array_size(mods) > 1 ? typmod(mods, 1) : 0;
	if (json_array_size(mods) > 2 || p < 1 || p > 38 || s < 0 || s > p)
		return ent_sql_unsupported(x, place, "this numeric",
					   "write numeric(precision, scale) with 1 <= precision <= 38 and 0 <= scale <= precision");
	*ret = ent_sql_decimal((unsigned)p, (unsigned)s);
	return 0;
}

static int named_type(struct ent_sql *x, const char *name, const json_t *mods, int place, struct ent_type *ret)
{
	for (size_t i = 0; i < ENT_COUNT(type_names); i++) {
		if (strcmp(name, type_names[i].name) != 0)
			continue;
		*ret = ent_sql_type(type_names[i].id);
		if (!json_array_size(mods))
			return 0;
		if (ret->id == ENT_T_DECIMAL)
			return decimal_mods(x, mods, place, ret);
		return ent_sql_unsupported(x, place, ent_arena_printf(x->arena, "%.40s with a length or precision", name),
					   "leave the number in brackets out");
	}
	const char *what = ent_arena_printf(x->arena, "type %.60s", name);
	return ent_sql_unsupported(
		x, place, what,
		"types are boolean, smallint, integer, bigint, numeric(p,s), real, double precision, date, timestamp, timestamptz, text");
}

int ent_sql_type_name(struct ent_sql *x, const json_t *type_name, struct ent_type *ret, unsigned *ret_interval_mask)
{
	const json_t *mods = json_object_get(type_name, "typmods");
	const char *name = ent_ast_last_name(json_object_get(type_name, "names"));
	int place = ent_ast_place(type_name);
	*ret_interval_mask = 0;
	ENT_TRY(ent_ast_only(x, type_name, "a type", "names typmods typemod location"));
	if (strcmp(name, "interval") != 0)
		return named_type(x, name, mods, place, ret);
	if (json_array_size(mods) > 1)
		return ent_sql_unsupported(x, place, "an interval with precision", "write INTERVAL '3' DAY or INTERVAL '1 day 2 hours'");
	*ret = ent_sql_type(ENT_SQL_INTERVAL);
	*ret_interval_mask = json_array_size(mods) ? (unsigned)typmod(mods, 0) : 0;
	return 0;
}
