/* The type rules: PostgreSQL 15's, with decimals of declared precision and scale.
 *
 * Integers meet at the wider one. An integer that meets a decimal is a decimal of its digits and scale 0. Whatever meets a floating-point
 * number in an operator is double, except real with real. Decimal division is double: its scale in PostgreSQL depends on the data. */
#include <stdio.h>

#include "sql/internal.h"

bool ent_sql_pow10(unsigned n, int64_t *ret)
{
	int64_t v = 1;
	if (n > 18)
		return false;
	while (n--)
		v *= 10;
	*ret = v;
	return true;
}

struct ent_type ent_sql_decimal(unsigned precision, unsigned scale)
{
	return (struct ent_type){ ENT_T_DECIMAL, (uint8_t)(precision > 38 ? 38 : precision), (uint8_t)scale };
}

static struct ent_type type_as_decimal(struct ent_type t)
{
	if (t.id == ENT_T_DECIMAL)
		return t;
	return ent_sql_decimal(t.id == ENT_T_INT16 ? 5 : t.id == ENT_T_INT32 ? 10 : 19, 0);
}

struct ent_type ent_sql_as_decimal(const struct ent_expr *e)
{
	if (e->type.id == ENT_T_DECIMAL || !ent_sql_is_const(e) || e->is_null)
		return type_as_decimal(e->type);
	unsigned digits = 1;
	for (int64_t v = e->value / 10; v; v /= 10)
		digits++;
	return ent_sql_decimal(digits, 0);
}

const char *ent_sql_type_text(struct ent_type t, char out[ENT_TYPE_TEXT_MAX])
{
	if (t.id == ENT_SQL_INTERVAL)
		snprintf(out, ENT_TYPE_TEXT_MAX, "interval");
	else if (t.id == ENT_SQL_UNKNOWN)
		snprintf(out, ENT_TYPE_TEXT_MAX, "text");
	else
		ent_type_name(t, out);
	return out;
}

static struct ent_type decimal_union(struct ent_type a, struct ent_type b)
{
	unsigned scale = a.scale > b.scale ? a.scale : b.scale;
	unsigned wa = (unsigned)(a.precision - a.scale), wb = (unsigned)(b.precision - b.scale);
	return ent_sql_decimal((wa > wb ? wa : wb) + scale, scale);
}

static struct ent_type number_union(struct ent_type a, struct ent_type b, bool operator)
{
	if (ent_type_is_float(a) || ent_type_is_float(b)) {
		bool real = !(a.id == ENT_T_DOUBLE || b.id == ENT_T_DOUBLE) && (!operator|| a.id == b.id);
		return ent_sql_type(real ? ENT_T_REAL : ENT_T_DOUBLE);
	}
	if (ent_type_is_int(a) && ent_type_is_int(b))
		return a.id > b.id ? a : b;
	return decimal_union(type_as_decimal(a), type_as_decimal(b));
}

bool ent_sql_common_type(struct ent_type a, struct ent_type b, bool operator, struct ent_type * ret)
{
	if (a.id == ENT_SQL_UNKNOWN || b.id == ENT_SQL_UNKNOWN)
		*ret = a.id == ENT_SQL_UNKNOWN ? b : a;
	else if (ent_type_is_number(a) && ent_type_is_number(b))
		*ret = number_union(a, b, operator);
	else if (ent_type_is_time(a) && ent_type_is_time(b))
		*ret = a.id > b.id ? a : b;
	else if (a.id == b.id)
		*ret = a;
	else
		return false;
	return true;
}

static int decimal_arith(struct ent_sql *x, enum ent_op op, struct ent_type a, struct ent_type b, int place, struct ent_type *ret)
{
	struct ent_type u = decimal_union(a, b);
	unsigned scale = op == ENT_OP_MUL ? (unsigned)a.scale + b.scale : u.scale;
	if (op == ENT_OP_MOD)
		return ent_sql_unsupported(x, place, "% on decimals", "cast both sides to bigint");
	if (scale > 38)
		return ent_sql_unsupported(x, place, "a product with more than 38 decimal places", "cast to double precision");
	*ret = op == ENT_OP_DIV   ? ent_sql_type(ENT_T_DOUBLE)
	       : op == ENT_OP_MUL ? ent_sql_decimal((unsigned)a.precision + b.precision, scale)
				  : ent_sql_decimal(u.precision + 1u, scale);
	return 0;
}

int ent_sql_arith_type(struct ent_sql *x, enum ent_op op, struct ent_type a, struct ent_type b, int place, struct ent_type *ret)
{
	struct ent_type u = number_union(a, b, true);
	if (u.id == ENT_T_DECIMAL)
		return decimal_arith(x, op, type_as_decimal(a), type_as_decimal(b), place, ret);
	if (op == ENT_OP_MOD && ent_type_is_float(u))
		return ent_sql_unsupported(x, place, "% on floating-point numbers", "cast both sides to bigint");
	*ret = u;
	return 0;
}
