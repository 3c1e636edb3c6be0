/* Functions (a table: what is not in it does not exist) and aggregates. */
#include <math.h>

#include "sql/internal.h"

struct call { /* one function call being bound */
	struct ent_sql *x;
	const char *name;
	struct ent_expr **args;
	size_t n;
	int place;
};

static const struct {
	const char *name;
	enum ent_part part;
	bool of_day; /* needs a time of day */
} parts[] = {
	{ "year", ENT_PART_YEAR, false },    { "quarter", ENT_PART_QUARTER, false }, { "month", ENT_PART_MONTH, false },
	{ "week", ENT_PART_WEEK, false },    { "day", ENT_PART_DAY, false },         { "dow", ENT_PART_DOW, false },
	{ "doy", ENT_PART_DOY, false },      { "hour", ENT_PART_HOUR, true },        { "minute", ENT_PART_MINUTE, true },
	{ "second", ENT_PART_SECOND, true },
};

static int wrong_argument(const struct call *c, size_t i)
{
	char name[ENT_TYPE_TEXT_MAX];
	int code = ent_sql_fail(c->x, ENT_ESQL, c->place, "%s does not take %s", c->name, ent_sql_type_text(c->args[i]->type, name));
	ent_next(c->x->err, "cast the argument to the type it takes");
	return code;
}

static int number_argument(const struct call *c)
{
	if (c->args[0]->type.id == ENT_SQL_UNKNOWN)
		ENT_TRY(ent_sql_coerce(c->x, c->args[0], ent_sql_type(ENT_T_DOUBLE), c->place, &c->args[0]));
	return ent_type_is_number(c->args[0]->type) ? 0 : wrong_argument(c, 0);
}

static int bind_abs(const struct call *c, struct ent_expr **ret)
{
	ENT_TRY(number_argument(c));
	return ent_sql_call1(c->x, ENT_OP_ABS, c->args[0]->type, c->args[0], c->place, ret);
}

/* Of an integer or a float: double, as PostgreSQL resolves it. Of a decimal: a decimal without places. */
static int bind_floor(const struct call *c, struct ent_expr **ret)
{
	struct ent_type t;
	struct ent_expr *e;
	enum ent_op op = *c->name == 'f' ? ENT_OP_FLOOR : ENT_OP_CEIL;
	ENT_TRY(number_argument(c));
	t = c->args[0]->type;
	if (t.id == ENT_T_DECIMAL)
		return ent_sql_call1(c->x, op, ent_sql_decimal((unsigned)(t.precision - t.scale) + 1u, 0), c->args[0], c->place, ret);
	ENT_TRY(ent_sql_cast(c->x, c->args[0], ent_sql_type(ENT_T_DOUBLE), c->place, &e));
	return ent_sql_call1(c->x, op, e->type, e, c->place, ret);
}

static int round_digits(const struct call *c, int64_t *ret)
{
	const struct ent_expr *d = c->n > 1 ? c->args[1] : NULL;
	*ret = 0;
	if (!d)
		return 0;
	if (!ent_sql_is_const(d) || !ent_type_is_int(d->type) || d->is_null || d->value < 0 || d->value > 18)
		return ent_sql_unsupported(c->x, c->place, "round with such a second argument", "use a constant from 0 to 18");
	*ret = d->value;
	return 0;
}

static int bind_round(const struct call *c, struct ent_expr **ret)
{
	int64_t digits;
	struct ent_expr *e, *n;
	ENT_TRY(number_argument(c));
	ENT_TRY(round_digits(c, &digits));
	e = c->args[0];
	if (ent_type_is_int(e->type) && c->n > 1)
		ENT_TRY(ent_sql_cast(c->x, e, ent_sql_as_decimal(e), c->place, &e));
	if (ent_type_is_float(e->type) && c->n > 1)
		return ent_sql_unsupported(c->x, c->place, "round of a floating-point number to places", "round(x::numeric(18,4), 2)");
	ENT_TRY(ent_sql_const(c->x, ent_sql_type(ENT_T_INT32), digits, &n));
	if (e->type.id == ENT_T_DECIMAL) {
		struct ent_type t = ent_sql_decimal((unsigned)(e->type.precision - e->type.scale) + 1u + (unsigned)digits, (unsigned)digits);
		return ent_sql_call2(c->x, ENT_OP_ROUND, t, e, n, c->place, ret);
	}
	ENT_TRY(ent_sql_cast(c->x, e, ent_sql_type(ENT_T_DOUBLE), c->place, &e));
	return ent_sql_call2(c->x, ENT_OP_ROUND, e->type, e, n, c->place, ret);
}

static int text_argument(const struct call *c, size_t i)
{
	if (c->args[i]->type.id == ENT_SQL_UNKNOWN)
		return ent_sql_known(c->x, c->args[i], c->place, &c->args[i]);
	return c->args[i]->type.id == ENT_T_TEXT ? 0 : wrong_argument(c, i);
}

static int bind_text(const struct call *c, struct ent_expr **ret)
{
	static const struct {
		char letter;
		enum ent_op op;
	} ops[] = { { 'l', ENT_OP_LOWER }, { 'u', ENT_OP_UPPER }, { 'b', ENT_OP_TRIM }, { 't', ENT_OP_TRIM } };
	ENT_TRY(text_argument(c, 0));
	for (size_t i = 0; i < ENT_COUNT(ops); i++)
		if (ops[i].letter == *c->name)
			return ent_sql_call1(c->x, ops[i].op, ent_sql_type(ENT_T_TEXT), c->args[0], c->place, ret);
	return wrong_argument(c, 0);
}

static int bind_length(const struct call *c, struct ent_expr **ret)
{
	ENT_TRY(text_argument(c, 0));
	return ent_sql_call1(c->x, ENT_OP_LENGTH, ent_sql_type(ENT_T_INT32), c->args[0], c->place, ret);
}

static bool int_constant(const struct ent_expr *e) { return ent_sql_is_const(e) && ent_type_is_int(e->type) && !e->is_null; }

/* Positions before the first letter are cut off here, because engines disagree about them. */
static int bind_substr(const struct call *c, struct ent_expr **ret)
{
	struct ent_expr *args[3];
	int64_t from, end = INT32_MAX;
	ENT_TRY(text_argument(c, 0));
	if (!int_constant(c->args[1]) || (c->n > 2 && !int_constant(c->args[2])))
		return ent_sql_unsupported(c->x, c->place, "substr with positions that are not constants", "substr(x, 1, 3)");
	from = c->args[1]->value;
	if (c->n > 2 && (c->args[2]->value < 0 || __builtin_add_overflow(from, c->args[2]->value, &end)))
		return ent_sql_fail(c->x, ENT_ESQL, c->place, "substr with a negative or too large length");
	from = from < 1 ? 1 : from;
	end = end > INT32_MAX ? INT32_MAX : end < from ? from : end;
	args[0] = c->args[0];
	ENT_TRY(ent_sql_const(c->x, ent_sql_type(ENT_T_INT32), from > INT32_MAX ? INT32_MAX : from, &args[1]));
	ENT_TRY(ent_sql_const(c->x, ent_sql_type(ENT_T_INT32), end - from < 0 ? 0 : end - from, &args[2]));
	return ent_sql_call(c->x, ENT_OP_SUBSTR, ent_sql_type(ENT_T_TEXT), args, 3, c->place, ret);
}

static int bind_concat_all(const struct call *c, struct ent_expr **ret)
{
	return ent_sql_unsupported(c->x, c->place, "concat", "a || b"), (void)ret, ENT_EUNSUPPORTED;
}

static int part_argument(const struct call *c, size_t *ret)
{
	const struct ent_expr *e = c->args[0];
	char units[120] = "";
	for (size_t i = 0; e->text && i < ENT_COUNT(parts); i++) {
		*ret = i;
		if (!strcasecmp(e->text, parts[i].name))
			return 0;
		strncat(units, parts[i].name, sizeof units - strlen(units) - 1);
		strncat(units, i + 1 < ENT_COUNT(parts) ? ", " : "", sizeof units - strlen(units) - 1);
	}
	return ent_sql_unsupported(c->x, c->place, ent_arena_printf(c->x->arena, "%s of %.40s", c->name, e->text ? e->text : "a computed unit"),
				   ent_arena_printf(c->x->arena, "units are %s", units));
}

/* Seconds between two times: the only use of a difference as a number. */
static int bind_epoch(const struct call *c, struct ent_expr **ret)
{
	struct ent_expr *e = c->args[1], *micro;
	if (e->type.id != ENT_SQL_INTERVAL || e->real < 0 || e->real > 0)
		return ent_sql_unsupported(c->x, c->place, "EXTRACT(EPOCH ...) of anything but a difference", "EXTRACT(EPOCH FROM a - b)");
	e->type = ent_sql_type(ENT_T_INT64);
	ENT_TRY(ent_sql_const(c->x, ent_sql_decimal(6, 6), 1, &micro));
	return ent_sql_arith(c->x, ENT_OP_MUL, e, micro, c->place, ret);
}

static int time_argument(const struct call *c)
{
	if (c->args[1]->type.id == ENT_SQL_UNKNOWN)
		ENT_TRY(ent_sql_coerce(c->x, c->args[1], ent_sql_type(ENT_T_TIMESTAMPTZ), c->place, &c->args[1]));
	return ent_type_is_time(c->args[1]->type) ? 0 : wrong_argument(c, 1);
}

/* EXTRACT is a decimal and date_part a double, as in PostgreSQL; beneath stands the plain integer. */
static int bind_extract(const struct call *c, struct ent_expr **ret)
{
	size_t i = 0;
	struct ent_expr *e;
	struct ent_type t = ent_sql_type(ENT_T_INT32);
	if (c->args[0]->text && !strcasecmp(c->args[0]->text, "epoch"))
		return bind_epoch(c, ret);
	ENT_TRY(part_argument(c, &i));
	ENT_TRY(time_argument(c));
	if (parts[i].of_day && c->args[1]->type.id == ENT_T_DATE)
		return ent_sql_fail(c->x, ENT_ESQL, c->place, "a date has no %s", parts[i].name);
	if (parts[i].part == ENT_PART_SECOND)
		t = ent_sql_decimal(8, 6);
	ENT_TRY(ent_sql_call_part(c->x, ENT_OP_EXTRACT, parts[i].part, t, c->args[1], &e));
	if (*c->name == 'd')
		return ent_sql_cast(c->x, e, ent_sql_type(ENT_T_DOUBLE), c->place, ret);
	return ent_sql_cast(c->x, e, t.id == ENT_T_DECIMAL ? t : ent_sql_decimal(10, 0), c->place, ret);
}

static int bind_date_trunc(const struct call *c, struct ent_expr **ret)
{
	size_t i = 0;
	struct ent_expr *e;
	ENT_TRY(part_argument(c, &i));
	if (parts[i].part == ENT_PART_DOW || parts[i].part == ENT_PART_DOY)
		return ent_sql_fail(c->x, ENT_ESQL, c->place, "date_trunc has no unit %s", parts[i].name);
	ENT_TRY(time_argument(c));
	e = c->args[1];
	if (e->type.id == ENT_T_DATE)
		ENT_TRY(ent_sql_cast(c->x, e, ent_sql_type(ENT_T_TIMESTAMPTZ), c->place, &e));
	return ent_sql_call_part(c->x, ENT_OP_DATE_TRUNC, parts[i].part, e->type, e, ret);
}

static const struct {
	const char *name;
	size_t min, max;
	int (*bind)(const struct call *c, struct ent_expr **ret);
} functions[] = {
	{ "abs", 1, 1, bind_abs },
	{ "floor", 1, 1, bind_floor },
	{ "ceil", 1, 1, bind_floor },
	{ "ceiling", 1, 1, bind_floor },
	{ "round", 1, 2, bind_round },
	{ "lower", 1, 1, bind_text },
	{ "upper", 1, 1, bind_text },
	{ "btrim", 1, 1, bind_text },
	{ "length", 1, 1, bind_length },
	{ "char_length", 1, 1, bind_length },
	{ "character_length", 1, 1, bind_length },
	{ "substr", 2, 3, bind_substr },
	{ "substring", 2, 3, bind_substr },
	{ "extract", 2, 2, bind_extract },
	{ "date_part", 2, 2, bind_extract },
	{ "date_trunc", 2, 2, bind_date_trunc },
	{ "concat", 0, 1000, bind_concat_all },
};

static const struct {
	const char *name;
	enum ent_agg agg;
} aggregates[] = {
	{ "count", ENT_AGG_COUNT }, { "sum", ENT_AGG_SUM }, { "avg", ENT_AGG_AVG }, { "min", ENT_AGG_MIN }, { "max", ENT_AGG_MAX },
};

static const char *const other_aggregates[] = { "stddev",          "stddev_samp",     "stddev_pop", "variance",   "var_samp",  "var_pop",
						"percentile_cont", "percentile_disc", "median",     "string_agg", "array_agg", "bool_and",
						"bool_or",         "every",           "mode",       "corr",       "json_agg" };

static int unknown_function(struct ent_sql *x, const char *name, int place)
{
	struct ent_nearest near;
	for (size_t i = 0; i < ENT_COUNT(other_aggregates); i++)
		if (!strcmp(name, other_aggregates[i]))
			return ent_sql_unsupported(x, place, ent_arena_printf(x->arena, "aggregate %s", name), "COUNT, SUM, AVG, MIN and MAX");
	if (!strcmp(name, "like_escape"))
		return ent_sql_unsupported(x, place, "LIKE ... ESCAPE", "backslash escapes: x LIKE '50\\%'");
	ent_nearest_init(&near, name);
	for (size_t i = 0; i < ENT_COUNT(functions); i++)
		ent_nearest_try(&near, functions[i].name);
	for (size_t i = 0; i < ENT_COUNT(aggregates); i++)
		ent_nearest_try(&near, aggregates[i].name);
	int code = ent_sql_fail(x, ENT_EUNSUPPORTED, place, "not supported: function %.60s", name);
	ent_why(x->err, "only functions that mean the same in every owner's database are accepted");
	ent_nearest_next(
		&near, x->err,
		"functions are abs, floor, ceil, round, lower, upper, length, substr, trim, extract, date_part, date_trunc, coalesce, nullif");
	return code;
}

static int sum_type(struct ent_sql *x, struct ent_type t, const char *name, int place, struct ent_type *ret)
{
	char text[ENT_TYPE_TEXT_MAX];
	if (!ent_type_is_number(t)) {
		int code = ent_sql_fail(x, ENT_ESQL, place, "%s adds numbers, not %s", name, ent_sql_type_text(t, text));
		ent_next(x->err, "count conditions with SUM(CASE WHEN ... THEN 1 ELSE 0 END) or COUNT(*) FILTER (WHERE ...)");
		return code;
	}
	if (ent_type_is_float(t) || !strcmp(name, "avg"))
		*ret = ent_sql_type(ENT_T_DOUBLE);
	else if (t.id == ENT_T_INT16 || t.id == ENT_T_INT32)
		*ret = ent_sql_type(ENT_T_INT64);
	else
		*ret = ent_sql_decimal(38, t.scale);
	return 0;
}

static int agg_type(struct ent_sql *x, enum ent_agg agg, struct ent_expr *arg, int place, struct ent_type *ret)
{
	*ret = ent_sql_type(ENT_T_INT64);
	if (agg == ENT_AGG_SUM || agg == ENT_AGG_AVG)
		return sum_type(x, arg->type, agg == ENT_AGG_SUM ? "sum" : "avg", place, ret);
	if (agg != ENT_AGG_MIN && agg != ENT_AGG_MAX)
		return 0;
	*ret = arg->type;
	return arg->type.id != ENT_T_BOOL ? 0 : ent_sql_unsupported(x, place, "MIN and MAX of booleans", "COUNT(*) FILTER (WHERE x)");
}

static int agg_allowed(struct ent_sql_block *k, const json_t *body, int place)
{
	struct ent_sql *x = k->x;
	if (k->inside_aggregate)
		return ent_sql_fail(x, ENT_ESQL, place, "an aggregate inside an aggregate"),
		       ent_next(x->err, "aggregate first in a subquery in FROM"), ENT_ESQL;
	if (!k->aggregates_allowed)
		return ent_sql_fail(x, ENT_ESQL, place, "an aggregate in %s", k->clause),
		       ent_next(x->err, "conditions on aggregates belong into HAVING"), ENT_ESQL;
	if (json_object_get(body, "agg_order") || ent_ast_true(body, "agg_within_group") || ent_ast_true(body, "func_variadic"))
		return ent_sql_unsupported(x, place, "an aggregate with ORDER BY", "leave the order out");
	return 0;
}

static int agg_parts(struct ent_sql_block *k, const json_t *body, struct ent_expr *e, int place)
{
	const json_t *list = json_object_get(body, "args"), *filter = json_object_get(body, "agg_filter");
	if (filter)
		ENT_TRY(ent_sql_bind_condition(k, filter, &e->filter));
	if (e->agg == ENT_AGG_COUNT_STAR)
		return 0;
	if (json_array_size(list) != 1)
		return ent_sql_fail(k->x, ENT_ESQL, place, "%s takes one argument", ent_agg_text(e->agg));
	e->args = ENT_NEWS(k->x->arena, 1, struct ent_expr *);
	if (!e->args)
		return ent_nomem(k->x->err);
	ENT_TRY(ent_sql_bind_expr(k, json_array_get(list, 0), &e->args[0]));
	ENT_TRY(ent_sql_known(k->x, e->args[0], place, &e->args[0]));
	e->n_args = 1;
	e->distinct = ent_ast_true(body, "agg_distinct") && e->agg != ENT_AGG_MIN && e->agg != ENT_AGG_MAX;
	return agg_type(k->x, e->agg, e->args[0], place, &e->type);
}

static int bind_aggregate(struct ent_sql_block *k, const json_t *body, enum ent_agg agg, struct ent_expr **ret)
{
	struct ent_expr *e;
	int place = ent_ast_place(body);
	ENT_TRY(agg_allowed(k, body, place));
	ENT_TRY(ent_sql_node(k->x, ENT_X_AGG, ENT_T_INT64, &e));
	e->agg = agg == ENT_AGG_COUNT && ent_ast_true(body, "agg_star") ? ENT_AGG_COUNT_STAR : agg;
	k->inside_aggregate = k->aggregate_seen = true;
	int code = agg_parts(k, body, e, place);
	k->inside_aggregate = false;
	ENT_TRY(code);
	if (e->filter && ent_sql_is_const(e->filter) && !e->filter->is_null && e->filter->value)
		e->filter = NULL;
	e->nullable = agg != ENT_AGG_COUNT;
	*ret = e;
	return 0;
}

static int bind_function(struct ent_sql_block *k, const json_t *body, const char *name, struct ent_expr **ret)
{
	const json_t *list = json_object_get(body, "args");
	struct call c = { .x = k->x, .name = name, .n = json_array_size(list), .place = ent_ast_place(body) };
	size_t i = 0;
	while (i < ENT_COUNT(functions) && strcmp(functions[i].name, name) != 0)
		i++;
	if (i == ENT_COUNT(functions))
		return unknown_function(k->x, name, c.place);
	if (json_object_get(body, "agg_filter") || ent_ast_true(body, "agg_distinct") || ent_ast_true(body, "agg_star"))
		return ent_sql_fail(k->x, ENT_ESQL, c.place, "%s is not an aggregate", name);
	if (c.n < functions[i].min || c.n > functions[i].max)
		return ent_sql_unsupported(k->x, c.place, ent_arena_printf(k->x->arena, "%s with %zu arguments", name, c.n), NULL);
	c.args = ENT_NEWS(k->x->arena, c.n + 1, struct ent_expr *);
	if (!c.args)
		return ent_nomem(k->x->err);
	for (size_t j = 0; j < c.n; j++)
		ENT_TRY(ent_sql_bind_expr(k, json_array_get(list, j), &c.args[j]));
	return functions[i].bind(&c, ret);
}

int ent_sql_bind_func(struct ent_sql_block *k, const json_t *body, struct ent_expr **ret)
{
	const char *name = ent_ast_last_name(json_object_get(body, "funcname"));
	int place = ent_ast_place(body);
	if (json_object_get(body, "over"))
		return ent_sql_unsupported(k->x, place, "window functions (OVER)", "GROUP BY with an aggregate");
	for (size_t i = 0; i < ENT_COUNT(aggregates); i++)
		if (!strcmp(name, aggregates[i].name))
			return bind_aggregate(k, body, aggregates[i].agg, ret);
	return bind_function(k, body, name, ret);
}
