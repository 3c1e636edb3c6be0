/* Operators: arithmetic, comparison, LIKE, IN, BETWEEN, IS DISTINCT FROM, dates with intervals. */
#include <math.h>

#include "sql/internal.h"

#define DAY_MICROS 86400000000LL

static int bool_call(struct ent_sql *x, enum ent_op op, struct ent_expr *a, struct ent_expr *b, struct ent_expr **ret)
{
	return ent_sql_call2(x, op, ent_sql_type(ENT_T_BOOL), a, b, -1, ret);
}

int ent_sql_compare(struct ent_sql *x, enum ent_op op, struct ent_expr *a, struct ent_expr *b, int place, struct ent_expr **ret)
{
	struct ent_type t;
	struct ent_expr *args[] = { a, b };
	ENT_TRY(ent_sql_unify(x, args, 2, true, place, &t));
	if (t.id == ENT_SQL_INTERVAL) {
		for (size_t i = 0; i < 2; i++) {
			if (args[i]->real < 0 || args[i]->real > 0)
				return ent_sql_unsupported(x, place, "a comparison with months or years", "write the interval in days or hours");
			args[i]->type = ent_sql_type(ENT_T_INT64);
		}
	}
	if (t.id == ENT_T_BOOL && op >= ENT_OP_LT && op <= ENT_OP_GE)
		return ent_sql_unsupported(x, place, "an order on booleans", "use the boolean itself, or NOT");
	return ent_sql_call2(x, op, ent_sql_type(ENT_T_BOOL), args[0], args[1], place, ret);
}

/* A divisor is a constant or NULLIF(x, 0): an error at one owner's row would tell about that row. */
static bool divisor_safe(const struct ent_expr *e)
{
#ifdef ENT_MUTANT_SQL_DIVISOR_FREE
	return true;
#endif
	while (e->kind == ENT_X_CALL && e->op == ENT_OP_CAST)
		e = e->args[0];
	if (ent_sql_is_const(e))
		return true;
	if (e->kind != ENT_X_CALL || e->op != ENT_OP_NULLIF || !ent_sql_is_const(e->args[1]) || e->args[1]->is_null)
		return false;
	return ent_type_is_float(e->type) ? !(e->args[1]->real < 0 || e->args[1]->real > 0) : e->args[1]->value == 0;
}

static int check_divisor(struct ent_sql *x, const struct ent_expr *b, int place)
{
	if (divisor_safe(b))
		return 0;
	ent_sql_unsupported(x, place, "a divisor that may be zero", "divide by NULLIF(x, 0)");
	ent_why(x->err, "a division by zero would tell that such a row exists");
	return ENT_EUNSUPPORTED;
}

/* Operands of + and - share the result's scale; those of * keep theirs. */
static int arith_operand(struct ent_sql *x, enum ent_op op, struct ent_expr *e, struct ent_type t, int place, struct ent_expr **ret)
{
	if (t.id == ENT_T_DECIMAL) {
		struct ent_type mine = ent_sql_as_decimal(e);
		t = op == ENT_OP_MUL ? mine : ent_sql_decimal((unsigned)(mine.precision - mine.scale) + t.scale, t.scale);
	}
	return ent_sql_coerce(x, e, t, place, ret);
}

static int numbers_only(struct ent_sql *x, enum ent_op op, struct ent_type a, struct ent_type b, int place)
{
	char na[ENT_TYPE_TEXT_MAX], nb[ENT_TYPE_TEXT_MAX];
	if (ent_type_is_number(a) && ent_type_is_number(b))
		return 0;
	int code =
		ent_sql_fail(x, ENT_ESQL, place, "no operator %s for %s and %s", ent_op_text(op), ent_sql_type_text(a, na), ent_sql_type_text(b, nb));
	ent_next(x->err, "cast to a number or a date first, such as x::integer");
	return code;
}

int ent_sql_arith(struct ent_sql *x, enum ent_op op, struct ent_expr *a, struct ent_expr *b, int place, struct ent_expr **ret)
{
	struct ent_type t, ta, tb;
	bool done = false;
	ENT_TRY(ent_sql_time_arith(x, op, a, b, place, &done, ret));
	if (done)
		return 0;
	if (a->type.id == ENT_SQL_UNKNOWN)
		ENT_TRY(ent_sql_coerce(x, a, b->type, place, &a));
	if (b->type.id == ENT_SQL_UNKNOWN)
		ENT_TRY(ent_sql_coerce(x, b, a->type, place, &b));
	ENT_TRY(numbers_only(x, op, a->type, b->type, place));
	ta = a->type;
	tb = b->type;
	if (ta.id == ENT_T_DECIMAL || tb.id == ENT_T_DECIMAL) {
		ta = ent_type_is_float(ta) ? ta : ent_sql_as_decimal(a);
		tb = ent_type_is_float(tb) ? tb : ent_sql_as_decimal(b);
	}
	ENT_TRY(ent_sql_arith_type(x, op, ta, tb, place, &t));
	if (op == ENT_OP_DIV || op == ENT_OP_MOD)
		ENT_TRY(check_divisor(x, b, place));
	ENT_TRY(arith_operand(x, op, a, t, place, &a));
	ENT_TRY(arith_operand(x, op, b, t, place, &b));
	return ent_sql_call2(x, op, t, a, b, place, ret);
}

static int time_plus_months(struct ent_sql *x, const struct ent_expr *a, int64_t months, int place, struct ent_expr **ret)
{
	int64_t v;
	if (!ent_sql_is_const(a))
		return ent_sql_unsupported(x, place, "months or years added to a column",
					   "add days, or compare with a constant such as DATE '2013-01-01' + INTERVAL '3 months'");
	if (!ent_sql_months_add(a->value, months, &v))
		return ent_sql_fail(x, ENT_ESQL, place, "the date leaves the years 1 to 9999");
	return ent_sql_const(x, a->type, v, ret);
}

static int time_plus_interval(struct ent_sql *x, enum ent_op op, struct ent_expr *a, const struct ent_expr *b, int place, struct ent_expr **ret)
{
	struct ent_expr *n;
	int64_t months = (int64_t)b->real;
	if (a->type.id == ENT_T_DATE)
		ENT_TRY(ent_sql_cast(x, a, ent_sql_type(ENT_T_TIMESTAMP), place, &a));
	if (!ent_sql_is_const(b))
		return ent_sql_unsupported(x, place, "an interval that is not a constant added to a time", "add INTERVAL '3 days'");
	if (months && !a->is_null)
		ENT_TRY(time_plus_months(x, a, op == ENT_OP_SUB ? -months : months, place, &a));
	ENT_TRY(ent_sql_const(x, ent_sql_type(ENT_T_INT64), op == ENT_OP_SUB ? -b->value : b->value, &n));
	if (!n->value) {
		*ret = a;
		return 0;
	}
	return ent_sql_call2(x, ENT_OP_DATE_ADD, a->type, a, n, place, ret);
}

static int date_plus_days(struct ent_sql *x, enum ent_op op, struct ent_expr *a, struct ent_expr *b, int place, struct ent_expr **ret)
{
	if (b->type.id == ENT_T_INT64)
		return ent_sql_fail(x, ENT_ESQL, place, "no operator %s for date and bigint", ent_op_text(op));
	ENT_TRY(ent_sql_cast(x, b, ent_sql_type(ENT_T_INT64), place, &b));
	if (op == ENT_OP_SUB)
		ENT_TRY(ent_sql_call1(x, ENT_OP_NEG, b->type, b, place, &b));
	return ent_sql_call2(x, ENT_OP_DATE_ADD, a->type, a, b, place, ret);
}

static int time_difference(struct ent_sql *x, struct ent_expr *a, struct ent_expr *b, int place, struct ent_expr **ret)
{
	struct ent_type t;
	struct ent_expr *args[] = { a, b };
	ENT_TRY(ent_sql_unify(x, args, 2, true, place, &t));
	return ent_sql_call2(x, ENT_OP_DATE_SUB, ent_sql_type(t.id == ENT_T_DATE ? ENT_T_INT32 : ENT_SQL_INTERVAL), args[0], args[1], place, ret);
}

static int interval_sum(struct ent_sql *x, enum ent_op op, const struct ent_expr *a, const struct ent_expr *b, int place, struct ent_expr **ret)
{
	int64_t v;
	if (!ent_sql_is_const(a) || !ent_sql_is_const(b))
		return ent_sql_unsupported(x, place, "arithmetic on intervals of columns", "compare the difference of two times with INTERVAL '...'");
	if (op == ENT_OP_SUB ? __builtin_sub_overflow(a->value, b->value, &v) : __builtin_add_overflow(a->value, b->value, &v))
		return ent_sql_fail(x, ENT_ESQL, place, "an interval is out of range");
	ENT_TRY(ent_sql_const(x, a->type, v, ret));
	(*ret)->real = op == ENT_OP_SUB ? a->real - b->real : a->real + b->real;
	return 0;
}

/* Everything with a date, a timestamp or an interval in it; *ret_done false when neither side has one. */
int ent_sql_time_arith(struct ent_sql *x, enum ent_op op, struct ent_expr *a, struct ent_expr *b, int place, bool *ret_done, struct ent_expr **ret)
{
	bool ta = ent_type_is_time(a->type), tb = ent_type_is_time(b->type), ia = a->type.id == ENT_SQL_INTERVAL, ib = b->type.id == ENT_SQL_INTERVAL;
	*ret_done = (ta || tb || ia || ib) && (op == ENT_OP_ADD || op == ENT_OP_SUB);
	if (!*ret_done)
		return 0;
	if (ia && ib)
		return interval_sum(x, op, a, b, place, ret);
	if (ta && ib)
		return time_plus_interval(x, op, a, b, place, ret);
	if (tb && ia && op == ENT_OP_ADD)
		return time_plus_interval(x, op, b, a, place, ret);
	if (a->type.id == ENT_T_DATE && ent_type_is_int(b->type))
		return date_plus_days(x, op, a, b, place, ret);
	if (b->type.id == ENT_T_DATE && ent_type_is_int(a->type) && op == ENT_OP_ADD)
		return date_plus_days(x, op, b, a, place, ret);
	if (op == ENT_OP_SUB && (ta || a->type.id == ENT_SQL_UNKNOWN) && (tb || b->type.id == ENT_SQL_UNKNOWN))
		return time_difference(x, a, b, place, ret);
	*ret_done = false;
	return 0;
}

static int text_pair(struct ent_sql *x, struct ent_expr **a, struct ent_expr **b, int place)
{
	struct ent_type text = ent_sql_type(ENT_T_TEXT);
	ENT_TRY(ent_sql_cast(x, *a, text, place, a));
	return ent_sql_cast(x, *b, text, place, b);
}

static bool ends_with_escape(const char *pattern)
{
	size_t n = 0, len = strlen(pattern);
	while (n < len && pattern[len - 1 - n] == '\\')
		n++;
	return n % 2 == 1;
}

static int bind_like(struct ent_sql *x, struct ent_expr *a, struct ent_expr *b, bool negated, int place, struct ent_expr **ret)
{
	if (!ent_sql_is_const(b))
		return ent_sql_unsupported(x, place, "LIKE with a pattern that is not a constant (or with ESCAPE)",
					   "write the pattern as 'abc%'; backslash escapes");
	if (a->type.id != ENT_T_TEXT && a->type.id != ENT_SQL_UNKNOWN)
		return ent_sql_fail(x, ENT_ESQL, place, "LIKE compares text");
	ENT_TRY(text_pair(x, &a, &b, place));
	if (!b->is_null && ends_with_escape(b->text))
		return ent_sql_fail(x, ENT_ESQL, place, "the LIKE pattern ends with its escape character");
	ENT_TRY(ent_sql_call2(x, ENT_OP_LIKE, ent_sql_type(ENT_T_BOOL), a, b, place, ret));
	return negated ? ent_sql_not(x, *ret, ret) : 0;
}

static int bind_concat(struct ent_sql *x, struct ent_expr *a, struct ent_expr *b, int place, struct ent_expr **ret)
{
	bool any = a->type.id == ENT_T_TEXT || a->type.id == ENT_SQL_UNKNOWN || b->type.id == ENT_T_TEXT || b->type.id == ENT_SQL_UNKNOWN;
	if (!any)
		return ent_sql_fail(x, ENT_ESQL, place, "|| joins texts");
	ENT_TRY(text_pair(x, &a, &b, place));
	return ent_sql_call2(x, ENT_OP_CONCAT, ent_sql_type(ENT_T_TEXT), a, b, place, ret);
}

static const struct {
	const char *text;
	enum ent_op op;
} binary[] = {
	{ "+", ENT_OP_ADD }, { "-", ENT_OP_SUB }, { "*", ENT_OP_MUL }, { "/", ENT_OP_DIV }, { "%", ENT_OP_MOD }, { "=", ENT_OP_EQ },
	{ "<>", ENT_OP_NE }, { "<", ENT_OP_LT },  { "<=", ENT_OP_LE }, { ">", ENT_OP_GT },  { ">=", ENT_OP_GE }, { "||", ENT_OP_CONCAT },
};

static int bind_binary(struct ent_sql *x, const char *name, struct ent_expr *a, struct ent_expr *b, int place, struct ent_expr **ret)
{
	for (size_t i = 0; i < ENT_COUNT(binary); i++) {
		enum ent_op op = binary[i].op;
		if (strcmp(binary[i].text, name) != 0)
			continue;
		if (op == ENT_OP_CONCAT)
			return bind_concat(x, a, b, place, ret);
		return op <= ENT_OP_MOD ? ent_sql_arith(x, op, a, b, place, ret) : ent_sql_compare(x, op, a, b, place, ret);
	}
	return ent_sql_unsupported(x, place, ent_arena_printf(x->arena, "operator %.20s", name), "operators are + - * / % = <> < <= > >= || LIKE");
}

static int bind_unary(struct ent_sql *x, const char *name, struct ent_expr *e, int place, struct ent_expr **ret)
{
	if (!strcmp(name, "-") && e->type.id == ENT_SQL_INTERVAL && ent_sql_is_const(e)) {
		ENT_TRY(ent_sql_const(x, e->type, -e->value, ret));
		(*ret)->real = -e->real;
		return 0;
	}
	if (e->type.id == ENT_SQL_UNKNOWN)
		ENT_TRY(ent_sql_coerce(x, e, ent_sql_type(ENT_T_DOUBLE), place, &e));
	ENT_TRY(numbers_only(x, ENT_OP_SUB, e->type, e->type, place));
	if (!strcmp(name, "-"))
		return ent_sql_call1(x, ENT_OP_NEG, e->type, e, place, ret);
	*ret = e;
	return strcmp(name, "+") ? ent_sql_unsupported(x, place, ent_arena_printf(x->arena, "operator %.20s", name), "abs(x) for @x") : 0;
}

static int bind_between(struct ent_sql_block *k, const json_t *body, bool negated, struct ent_expr **ret)
{
	const json_t *range = json_object_get(json_object_get(json_object_get(body, "rexpr"), "List"), "items");
	struct ent_expr *subject[2], *bound, *part[2];
	int place = ent_ast_place(body);
	for (size_t i = 0; i < 2; i++) {
		ENT_TRY(ent_sql_bind_expr(k, json_object_get(body, "lexpr"), &subject[i]));
		ENT_TRY(ent_sql_bind_expr(k, json_array_get(range, i), &bound));
		ENT_TRY(ent_sql_compare(k->x, i ? ENT_OP_LE : ENT_OP_GE, subject[i], bound, place, &part[i]));
	}
	ENT_TRY(bool_call(k->x, ENT_OP_AND, part[0], part[1], ret));
	return negated ? ent_sql_not(k->x, *ret, ret) : 0;
}

static int bind_in(struct ent_sql_block *k, const json_t *body, struct ent_expr **ret)
{
	const json_t *list = json_object_get(json_object_get(json_object_get(body, "rexpr"), "List"), "items");
	size_t n = json_array_size(list);
	struct ent_type t;
	int place = ent_ast_place(body);
	struct ent_expr **args = ENT_NEWS(k->x->arena, n + 1, struct ent_expr *);
	if (!args)
		return ent_nomem(k->x->err);
	ENT_TRY(ent_sql_bind_expr(k, json_object_get(body, "lexpr"), &args[0]));
	for (size_t i = 0; i < n; i++)
		ENT_TRY(ent_sql_bind_expr(k, json_array_get(list, i), &args[i + 1]));
	ENT_TRY(ent_sql_unify(k->x, args, n + 1, true, place, &t));
	ENT_TRY(ent_sql_known(k->x, args[0], place, &args[0]));
	ENT_TRY(ent_sql_call(k->x, ENT_OP_IN, ent_sql_type(ENT_T_BOOL), args, n + 1, place, ret));
	return !strcmp(ent_ast_last_name(json_object_get(body, "name")), "<>") ? ent_sql_not(k->x, *ret, ret) : 0;
}

/* a IS NOT DISTINCT FROM b = COALESCE(a = b, a IS NULL AND b IS NULL) */
static int bind_distinct(struct ent_sql *x, struct ent_expr *a, struct ent_expr *b, bool negated, int place, struct ent_expr **ret)
{
	struct ent_type t, boolean = ent_sql_type(ENT_T_BOOL);
	struct ent_expr *args[] = { a, b }, *eq, *na, *nb, *both;
	ENT_TRY(ent_sql_unify(x, args, 2, true, place, &t));
	ENT_TRY(ent_sql_known(x, args[0], place, &args[0]));
	ENT_TRY(ent_sql_call2(x, ENT_OP_EQ, boolean, args[0], args[1], place, &eq));
	ENT_TRY(ent_sql_call1(x, ENT_OP_IS_NULL, boolean, args[0], place, &na));
	ENT_TRY(ent_sql_call1(x, ENT_OP_IS_NULL, boolean, args[1], place, &nb));
	ENT_TRY(bool_call(x, ENT_OP_AND, na, nb, &both));
	ENT_TRY(bool_call(x, ENT_OP_COALESCE, eq, both, ret));
	return negated ? 0 : ent_sql_not(x, *ret, ret);
}

static int bind_nullif(struct ent_sql *x, struct ent_expr *a, struct ent_expr *b, int place, struct ent_expr **ret)
{
	struct ent_type t, mine;
	struct ent_expr *args[] = { a, b };
	ENT_TRY(ent_sql_unify(x, args, 2, true, place, &t));
	ENT_TRY(ent_sql_known(x, args[0], place, &args[0]));
	mine = a->type.id == ENT_SQL_UNKNOWN ? t : a->type;
	ENT_TRY(ent_sql_call2(x, ENT_OP_NULLIF, t, args[0], args[1], place, ret));
	return ent_sql_cast(x, *ret, mine, place, ret);
}

static int bind_kind(struct ent_sql *x, const char *kind, const char *name, struct ent_expr *a, struct ent_expr *b, int place, struct ent_expr **ret)
{
	if (!strcmp(kind, "AEXPR_OP"))
		return a ? bind_binary(x, name, a, b, place, ret) : bind_unary(x, name, b, place, ret);
	if (!strcmp(kind, "AEXPR_LIKE"))
		return bind_like(x, a, b, *name == '!', place, ret);
	if (!strcmp(kind, "AEXPR_NULLIF"))
		return bind_nullif(x, a, b, place, ret);
	if (!strcmp(kind, "AEXPR_DISTINCT") || !strcmp(kind, "AEXPR_NOT_DISTINCT"))
		return bind_distinct(x, a, b, kind[6] == 'N', place, ret);
	return ent_sql_unsupported(x, place, ent_arena_printf(x->arena, "%.40s", kind), NULL);
}

static const struct {
	const char *kind, *what, *nearest;
} refused[] = {
	{ "AEXPR_ILIKE", "ILIKE", "lower(x) LIKE 'abc%'" },
	{ "AEXPR_SIMILAR", "SIMILAR TO", "LIKE" },
	{ "AEXPR_OP_ANY", "= ANY (array)", "x IN (1, 2, 3)" },
	{ "AEXPR_OP_ALL", "ALL (array)", "comparisons joined by AND" },
	{ "AEXPR_BETWEEN_SYM", "BETWEEN SYMMETRIC", "BETWEEN with the smaller bound first" },
	{ "AEXPR_NOT_BETWEEN_SYM", "BETWEEN SYMMETRIC", "BETWEEN with the smaller bound first" },
};

int ent_sql_bind_operator(struct ent_sql_block *k, const json_t *body, struct ent_expr **ret)
{
	const char *kind = ent_ast_str(body, "kind");
	struct ent_expr *a = NULL, *b;
	int place = ent_ast_place(body);
	kind = kind ? kind : "AEXPR_OP";
	for (size_t i = 0; i < ENT_COUNT(refused); i++)
		if (!strcmp(kind, refused[i].kind))
			return ent_sql_unsupported(k->x, place, refused[i].what, refused[i].nearest);
	if (!strcmp(kind, "AEXPR_BETWEEN") || !strcmp(kind, "AEXPR_NOT_BETWEEN"))
		return bind_between(k, body, kind[6] == 'N', ret);
	if (!strcmp(kind, "AEXPR_IN"))
		return bind_in(k, body, ret);
	if (json_object_get(body, "lexpr"))
		ENT_TRY(ent_sql_bind_expr(k, json_object_get(body, "lexpr"), &a));
	ENT_TRY(ent_sql_bind_expr(k, json_object_get(body, "rexpr"), &b));
	return bind_kind(k->x, kind, ent_ast_last_name(json_object_get(body, "name")), a, b, place, ret);
}
