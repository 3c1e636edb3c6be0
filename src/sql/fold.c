/* Constant folding. What always has one value becomes that value; what would fail for every row fails now, with its place. A decimal that
 * does not fit 18 digits stays a call. */
#include <math.h>

#include "sql/internal.h"

static int out_of_range(struct ent_sql *x, struct ent_type t, int place)
{
	char name[ENT_TYPE_TEXT_MAX];
	int code = ent_sql_fail(x, ENT_ESQL, place, "a constant is out of the range of %s", ent_sql_type_text(t, name));
	ent_next(x->err, "use a wider type, such as bigint or double precision");
	return code;
}

static int zero_divisor(struct ent_sql *x, int place)
{
	int code = ent_sql_fail(x, ENT_ESQL, place, "division by zero");
	ent_next(x->err, "divide by another constant or by NULLIF(x, 0)");
	return code;
}

static bool fits(struct ent_type t, int64_t v)
{
	int64_t limit;
	if (t.id == ENT_T_DECIMAL)
		return !ent_sql_pow10(t.precision, &limit) || (v > -limit && v < limit);
	return t.id == ENT_T_INT16 ? v == (int16_t)v : t.id == ENT_T_INT32 ? v == (int32_t)v : true;
}

static bool arith_op(enum ent_op op) { return op <= ENT_OP_ABS; }
static bool compare_op(enum ent_op op) { return op >= ENT_OP_EQ && op <= ENT_OP_GE; }

/* False: does not fit 64 bits. */
static bool int_arith(enum ent_op op, int64_t a, int64_t b, int64_t *ret)
{
	switch ((int)op) {
	case ENT_OP_ADD:
	case ENT_OP_DATE_ADD:
		return !__builtin_add_overflow(a, b, ret);
	case ENT_OP_SUB:
	case ENT_OP_DATE_SUB:
		return !__builtin_sub_overflow(a, b, ret);
	case ENT_OP_MUL:
		return !__builtin_mul_overflow(a, b, ret);
	case ENT_OP_NEG:
		return !__builtin_sub_overflow(0, a, ret);
	case ENT_OP_ABS:
		return a >= 0 ? (*ret = a, true) : !__builtin_sub_overflow(0, a, ret);
	case ENT_OP_DIV:
		return b != -1 ? (*ret = a / b, true) : !__builtin_sub_overflow(0, a, ret);
	default:
		*ret = b == -1 ? 0 : a % b;
		return true;
	}
}

static double real_arith(enum ent_op op, double a, double b)
{
	switch ((int)op) {
	case ENT_OP_ADD:
		return a + b;
	case ENT_OP_SUB:
		return a - b;
	case ENT_OP_MUL:
		return a * b;
	case ENT_OP_DIV:
		return a / b;
	case ENT_OP_NEG:
		return -a;
	default:
		return fabs(a);
	}
}

static int fold_real(struct ent_sql *x, const struct ent_expr *e, int place, struct ent_expr **ret)
{
	double b = e->n_args > 1 ? e->args[1]->real : 0, v = real_arith(e->op, e->args[0]->real, b);
	v = e->type.id == ENT_T_REAL ? (double)(float)v : v;
	if (!isfinite(v))
		return out_of_range(x, e->type, place);
	return ent_sql_const_real(x, e->type.id, v, ret);
}

static int fold_int(struct ent_sql *x, struct ent_expr *e, int place, struct ent_expr **ret)
{
	int64_t v, b = e->n_args > 1 ? e->args[1]->value : 0;
	bool ok = int_arith(e->op, e->args[0]->value, b, &v) && fits(e->type, v);
	if (!ok && e->type.id != ENT_T_DECIMAL)
		return out_of_range(x, e->type, place);
	if (!ok) {
		*ret = e;
		return 0;
	}
	return ent_sql_const(x, e->type, v, ret);
}

static int three_way(const struct ent_expr *a, const struct ent_expr *b)
{
	if (a->type.id == ENT_T_TEXT)
		return strcmp(a->text, b->text);
	if (ent_type_is_float(a->type))
		return (a->real > b->real) - (a->real < b->real);
	return (a->value > b->value) - (a->value < b->value);
}

static bool compare(enum ent_op op, int c)
{
	switch ((int)op) {
	case ENT_OP_EQ:
		return c == 0;
	case ENT_OP_NE:
		return c != 0;
	case ENT_OP_LT:
		return c < 0;
	case ENT_OP_LE:
		return c <= 0;
	case ENT_OP_GT:
		return c > 0;
	default:
		return c >= 0;
	}
}

/* AND and OR: nested ones are spliced in, the neutral constant goes, the absorbing one decides. */
static int fold_logic(struct ent_sql *x, struct ent_expr *e, struct ent_expr **ret)
{
	bool absorbing = e->op == ENT_OP_OR;
	size_t n = 0, total = 0;
	for (size_t i = 0; i < e->n_args; i++)
		total += e->args[i]->kind == ENT_X_CALL && e->args[i]->op == e->op ? e->args[i]->n_args : 1;
	struct ent_expr **flat = ENT_NEWS(x->arena, total, struct ent_expr *);
	if (!flat)
		return ent_nomem(x->err);
	for (size_t i = 0; i < e->n_args; i++) {
		struct ent_expr *a = e->args[i];
		bool nested = a->kind == ENT_X_CALL && a->op == e->op;
		if (ent_sql_is_const(a) && !a->is_null && (a->value != 0) == absorbing)
			return ent_sql_const(x, e->type, absorbing, ret);
		for (size_t j = 0; nested && j < a->n_args; j++)
			flat[n++] = a->args[j];
		if (!nested && (!ent_sql_is_const(a) || a->is_null))
			flat[n++] = a;
	}
	if (!n)
		return ent_sql_const(x, e->type, !absorbing, ret);
	e->args = flat;
	e->n_args = n;
	*ret = n == 1 ? flat[0] : e;
	return 0;
}

static int fold_coalesce(struct ent_sql *x, struct ent_expr *e, struct ent_expr **ret)
{
	size_t n = 0;
	for (size_t i = 0; i < e->n_args; i++) {
		if (ent_sql_is_const(e->args[i]) && e->args[i]->is_null)
			continue;
		e->args[n++] = e->args[i];
		if (!e->args[n - 1]->nullable)
			break;
	}
	if (!n)
		return ent_sql_null(x, e->type, ret);
	e->n_args = n;
	*ret = n == 1 ? e->args[0] : e;
	return 0;
}

static int fold_nullif(struct ent_sql *x, struct ent_expr *e, struct ent_expr **ret)
{
	struct ent_expr *a = e->args[0], *b = e->args[1];
	*ret = e;
	if (ent_sql_is_const(b) && b->is_null)
		*ret = a;
	else if (ent_sql_is_const(a) && ent_sql_is_const(b))
		return a->is_null || three_way(a, b) == 0 ? ent_sql_null(x, e->type, ret) : (*ret = a, 0);
	return 0;
}

static bool strict(enum ent_op op)
{
	return op != ENT_OP_AND && op != ENT_OP_OR && op != ENT_OP_IS_NULL && op != ENT_OP_COALESCE && op != ENT_OP_NULLIF && op != ENT_OP_IN;
}

static bool all_const(const struct ent_expr *e)
{
	for (size_t i = 0; i < e->n_args; i++)
		if (!ent_sql_is_const(e->args[i]))
			return false;
	return true;
}

static bool any_null(const struct ent_expr *e)
{
	for (size_t i = 0; i < e->n_args; i++)
		if (ent_sql_is_const(e->args[i]) && e->args[i]->is_null)
			return true;
	return false;
}

static bool divides_by_zero(const struct ent_expr *e)
{
	if ((e->op != ENT_OP_DIV && e->op != ENT_OP_MOD) || !ent_sql_is_const(e->args[1]) || e->args[1]->is_null)
		return false;
	return ent_type_is_float(e->type) ? !(e->args[1]->real < 0 || e->args[1]->real > 0) : e->args[1]->value == 0;
}

static int fold_all_const(struct ent_sql *x, struct ent_expr *e, int place, struct ent_expr **ret)
{
	struct ent_expr **a = e->args;
	if (e->op == ENT_OP_CAST)
		return ent_sql_fold_cast(x, a[0], e->type, place, ret);
	if (arith_op(e->op) && ent_type_is_float(e->type))
		return fold_real(x, e, place, ret);
	if (arith_op(e->op) || e->op == ENT_OP_DATE_ADD || e->op == ENT_OP_DATE_SUB)
		return fold_int(x, e, place, ret);
	if (compare_op(e->op))
		return ent_sql_const(x, e->type, compare(e->op, three_way(a[0], a[1])), ret);
	if (e->op == ENT_OP_NOT)
		return ent_sql_const(x, e->type, !a[0]->value, ret);
	*ret = e;
	return 0;
}

int ent_sql_fold(struct ent_sql *x, struct ent_expr *e, int place, struct ent_expr **ret)
{
	if (divides_by_zero(e))
		return zero_divisor(x, place);
	if (e->op == ENT_OP_AND || e->op == ENT_OP_OR)
		return fold_logic(x, e, ret);
	if (e->op == ENT_OP_COALESCE)
		return fold_coalesce(x, e, ret);
	if (e->op == ENT_OP_NULLIF)
		return fold_nullif(x, e, ret);
	while (e->op == ENT_OP_IS_NULL && e->args[0]->kind == ENT_X_CALL && e->args[0]->op == ENT_OP_CAST)
		e->args[0] = e->args[0]->args[0];
	if (e->op == ENT_OP_IS_NULL && (ent_sql_is_const(e->args[0]) || !e->args[0]->nullable))
		return ent_sql_const(x, e->type, ent_sql_is_const(e->args[0]) && e->args[0]->is_null, ret);
	if (strict(e->op) && any_null(e))
		return ent_sql_null(x, e->type, ret);
	if (strict(e->op) && all_const(e))
		return fold_all_const(x, e, place, ret);
	*ret = e;
	return 0;
}
