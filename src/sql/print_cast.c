/* Casts in an owner's SQL, where engines differ most: rounding, time zones, and text of numbers. */
#include <inttypes.h>
#include <stdio.h>

#include "sql/print.h"

/* Double to decimal: half away from zero on the binary value, by the same four operations in every engine. */
static int float_to_decimal(struct ent_printer *p, const struct ent_expr *e)
{
	int64_t ten = 1;
	const char *dbl = ent_print_type(p, ent_sql_type(ENT_T_DOUBLE));
	ent_sql_pow10(e->type.scale, &ten);
	ent_buf_printf(&p->text, "CAST(CAST(CAST(sign(CAST(");
	ENT_TRY(ent_print_expr(p, e->args[0]));
	ent_buf_printf(&p->text, " AS %s)) AS %s) * floor(abs(CAST(", dbl, dbl);
	ENT_TRY(ent_print_expr(p, e->args[0]));
	ent_buf_printf(&p->text, " AS %s)) * CAST(%" PRId64 " AS %s) + CAST(0.5 AS %s)) AS bigint)", dbl, ten, dbl, dbl);
	if (e->type.scale)
		ent_buf_printf(&p->text, " * CAST('0.%0*d' AS %s)", e->type.scale, 1,
			       ent_print_type(p, ent_sql_decimal(e->type.scale, e->type.scale)));
	ent_buf_printf(&p->text, " AS %s)", ent_print_type(p, e->type));
	return 0;
}

static const char *postgresql_cast(enum ent_type_id from, enum ent_type_id to)
{
	if (from == ENT_T_DATE && to == ENT_T_TEXT)
		return "(to_char(%0, 'YYYY-MM-DD') COLLATE \"C\")";
	if (to == ENT_T_TEXT)
		return "(CAST(%0 AS text) COLLATE \"C\")";
	if ((from == ENT_T_TIMESTAMP && to == ENT_T_TIMESTAMPTZ) || (from == ENT_T_TIMESTAMPTZ && to == ENT_T_TIMESTAMP))
		return "(%0 AT TIME ZONE 'UTC')";
	if (from == ENT_T_DATE && to == ENT_T_TIMESTAMPTZ)
		return "(CAST(%0 AS timestamp without time zone) AT TIME ZONE 'UTC')";
	return from == ENT_T_TIMESTAMPTZ && to == ENT_T_DATE ? "CAST((%0 AT TIME ZONE 'UTC') AS date)" : NULL;
}

static const char *duckdb_cast(struct ent_type from, enum ent_type_id to)
{
	if (from.id == ENT_T_DATE && to == ENT_T_TEXT)
		return "strftime(%0, '%%Y-%%m-%%d')";
	if (from.id == ENT_T_TIMESTAMP && to == ENT_T_TIMESTAMPTZ)
		return "make_timestamptz(epoch_us(%0))";
	if (from.id == ENT_T_TIMESTAMPTZ && to == ENT_T_TIMESTAMP)
		return "make_timestamp(epoch_us(%0))";
	if (from.id == ENT_T_DATE && to == ENT_T_TIMESTAMPTZ)
		return "make_timestamptz(epoch_us(CAST(%0 AS TIMESTAMP)))";
	if (from.id == ENT_T_TIMESTAMPTZ && to == ENT_T_DATE)
		return "CAST(make_timestamp(epoch_us(%0)) AS DATE)";
	/* its own division rounds twice beyond 2^53 */
	return from.id == ENT_T_DECIMAL && (to == ENT_T_REAL || (to == ENT_T_DOUBLE && from.precision > 15)) ? "CAST(CAST(%0 AS VARCHAR) AS %t)"
													     : NULL;
}

/* DuckDB checks a narrowing cast that also drops places before it has dropped them: first the places, then the digits. */
static const char *duckdb_narrow(struct ent_printer *p, struct ent_type from, struct ent_type to)
{
	unsigned whole = (unsigned)(from.precision - from.scale);
	if (from.id != ENT_T_DECIMAL || to.id != ENT_T_DECIMAL || to.scale >= from.scale || to.precision > whole + to.scale)
		return NULL;
	return ent_arena_printf(p->arena, "CAST(CAST(%%0 AS %s) AS %%t)", ent_print_type(p, ent_sql_decimal(whole + to.scale + 1u, to.scale)));
}

int ent_print_cast(struct ent_printer *p, const struct ent_expr *e)
{
	struct ent_type from = e->args[0]->type;
	const char *form = ent_printer_pg(p) ? postgresql_cast(from.id, e->type.id) : duckdb_cast(from, e->type.id);
	if (ent_type_is_float(from) && e->type.id == ENT_T_DECIMAL)
		return float_to_decimal(p, e);
	if (ent_type_is_int(from) && e->type.id == ENT_T_BOOL)
		form = "(%0 <> 0)";
	if (!form && !ent_printer_pg(p))
		form = duckdb_narrow(p, from, e->type);
	return ent_print_form(p, e, form ? form : "CAST(%0 AS %t)");
}

static const char *time_text(struct ent_arena *a, int64_t micros, const char *zone)
{
	int64_t day = 86400000000LL, days = micros / day - (micros % day < 0), rest = micros - days * day, year, sec = rest / 1000000;
	unsigned month, d;
	ent_sql_civil(days, &year, &month, &d);
	const char *head = ent_arena_printf(a, "%04" PRId64 "-%02u-%02u %02" PRId64 ":%02" PRId64 ":%02" PRId64, year, month, d, sec / 3600,
					    sec / 60 % 60, sec % 60);
	if (!head || !(rest % 1000000))
		return head ? ent_arena_printf(a, "%s%s", head, zone) : NULL;
	return ent_arena_printf(a, "%s.%06" PRId64 "%s", head, rest % 1000000, zone);
}

static const char *decimal_text(struct ent_arena *a, int64_t v, unsigned scale)
{
	int64_t ten = 1;
	uint64_t abs = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	ent_sql_pow10(scale, &ten);
	if (!scale)
		return ent_arena_printf(a, "%" PRId64, v);
	return ent_arena_printf(a, "%s%" PRIu64 ".%0*" PRIu64, v < 0 ? "-" : "", abs / (uint64_t)ten, (int)scale, abs % (uint64_t)ten);
}

static const char *value_text(struct ent_arena *a, const struct ent_expr *v)
{
	int64_t year;
	unsigned month, day;
	switch (v->type.id) {
	case ENT_T_BOOL:
		return v->value ? "true" : "false";
	case ENT_T_INT16:
	case ENT_T_INT32:
	case ENT_T_INT64:
	case ENT_T_DECIMAL:
		return decimal_text(a, v->value, v->type.id == ENT_T_DECIMAL ? v->type.scale : 0);
	case ENT_T_REAL:
	case ENT_T_DOUBLE:
		return ent_arena_printf(a, "%.17g", v->real);
	case ENT_T_DATE:
		ent_sql_civil(v->value, &year, &month, &day);
		return ent_arena_printf(a, "%04" PRId64 "-%02u-%02u", year, month, day);
	case ENT_T_TIMESTAMP:
		return time_text(a, v->value, "");
	case ENT_T_TIMESTAMPTZ:
		return time_text(a, v->value, "+00");
	case ENT_T_TEXT:
	case ENT_T_UINT64:
	case ENT_T_TIME:
	case ENT_T_BINARY:
	case ENT_T_COUNT:
		break;
	}
	return v->text;
}

int ent_sql_param_text(struct ent_arena *arena, const struct ent_expr *value, const char **ret, struct ent_err *err)
{
	const char *text = value->is_null ? NULL : value_text(arena, value);
	if (!text && !value->is_null)
		return ent_nomem(err);
	*ret = text;
	return 0;
}
