/* Expressions: constants, names, casts, CASE, tests. Operators are in operator.c, functions and aggregates in func.c. */
#include <inttypes.h>
#include <stdlib.h>

#include "sql/internal.h"

/* This libpg_query prints negative integers as 0; the statement itself still has the digits, behind minus signs, brackets and comments. */
static int64_t int_at(const char *sql, int place)
{
	const char *p = sql + place;
	if (place < 0 || (size_t)place >= strlen(sql) || *p != '-')
		return 0;
	while (*p && !(*p >= '0' && *p <= '9')) {
		if (p[0] == '-' && p[1] == '-')
			p += strcspn(p, "\n");
		else if (p[0] == '/' && p[1] == '*' && strstr(p + 2, "*/"))
			p = strstr(p + 2, "*/") + 2;
		else
			p++;
	}
	return -(int64_t)strtoull(p, NULL, 10);
}

static int bind_number(struct ent_sql *x, const char *text, int place, struct ent_expr **ret)
{
	struct ent_expr e;
	char *end;
	int64_t whole = strtoll(text, &end, 10);
	if (!*end && whole != INT64_MAX && whole != INT64_MIN)
		return ent_sql_const(x, ent_sql_type(ENT_T_INT64), whole, ret);
	if (!*end && (!strcmp(text, "9223372036854775807") || !strcmp(text, "-9223372036854775808")))
		return ent_sql_const(x, ent_sql_type(ENT_T_INT64), whole, ret);
	if (!ent_sql_number_read(text, &e))
		return ent_sql_unsupported(x, place, ent_arena_printf(x->arena, "the number %.60s", text),
					   "numbers have at most 18 digits; write a larger one as '...'::double precision");
	return ent_sql_const(x, e.type, e.value, ret);
}

static int bind_const(struct ent_sql_block *k, const json_t *body, struct ent_expr **ret)
{
	struct ent_sql *x = k->x;
	const json_t *v;
	int place = ent_ast_place(body);
	if (ent_ast_true(body, "isnull"))
		return ent_sql_null(x, ent_sql_type(ENT_SQL_UNKNOWN), ret);
	if ((v = json_object_get(body, "ival"))) {
		int64_t n = json_integer_value(json_object_get(v, "ival"));
		return ent_sql_const(x, ent_sql_type(ENT_T_INT32), n ? n : int_at(x->text, place), ret);
	}
	if ((v = json_object_get(body, "boolval")))
		return ent_sql_const(x, ent_sql_type(ENT_T_BOOL), ent_ast_true(v, "boolval"), ret);
	if ((v = json_object_get(body, "fval")) && ent_ast_str(v, "fval"))
		return bind_number(x, ent_ast_str(v, "fval"), place, ret);
	if ((v = json_object_get(body, "sval")))
		return ent_sql_const_text(x, ent_ast_str(v, "sval") ? ent_ast_str(v, "sval") : "", ENT_SQL_UNKNOWN, ret);
	return ent_sql_unsupported(x, place, "bit strings", "write text as 'abc'");
}

int ent_sql_column_expr(struct ent_sql_block *k, const struct ent_sql_seen *s, struct ent_expr **ret)
{
	const struct ent_rel_column *c = &k->q->rels[s->rel].columns[s->column];
	ENT_TRY(ent_sql_node(k->x, ENT_X_COLUMN, c->type.id, ret));
	(*ret)->type = c->type;
	(*ret)->rel = s->rel;
	(*ret)->column = s->column;
	(*ret)->nullable = c->nullable;
	return 0;
}

bool ent_sql_name_is_column(const struct ent_sql_block *k, const char *name)
{
	for (size_t i = 0; i < k->n_seen; i++)
		if (!k->seen[i].merged && !strcmp(k->seen[i].name, name))
			return true;
	return false;
}

/* org and rel may be NULL. Two tables of the same name in two organisations are told apart by org. */
static bool seen_match(const struct ent_sql_block *k, const struct ent_sql_seen *s, const char *org, const char *rel, const char *name)
{
	const struct ent_rel *r = &k->q->rels[s->rel];
	if (strcmp(s->name, name) != 0 || (!rel && s->merged) || (rel && strcmp(r->alias, rel) != 0))
		return false;
	return !org || (r->table && !strcmp(r->table->org, org));
}

static int column_unknown(struct ent_sql_block *k, const char *rel, const char *name, int place)
{
	struct ent_nearest near;
	char full[200];
	const char *wanted = rel ? ent_arena_printf(k->x->arena, "%s.%s", rel, name) : name;
	if (!wanted)
		return ent_nomem(k->x->err);
	ent_nearest_init(&near, wanted);
	for (size_t i = 0; i < k->n_seen; i++) {
		snprintf(full, sizeof full, "%s.%s", k->q->rels[k->seen[i].rel].alias, k->seen[i].name);
		ent_nearest_try(&near, rel ? full : k->seen[i].name);
	}
	int code = ent_sql_fail(k->x, ENT_ESQL, place, "no column %.120s", wanted);
	ent_why(k->x->err, "no table in FROM has a column of that name%s", rel ? " under that table name" : "");
	ent_nearest_next(&near, k->x->err, "`entente describe TABLE` lists a table's columns");
	return code;
}

static int column_find(struct ent_sql_block *k, const char *org, const char *rel, const char *name, int place, struct ent_expr **ret)
{
	const struct ent_sql_seen *found = NULL;
	for (size_t i = 0; i < k->n_seen; i++) {
		if (!seen_match(k, &k->seen[i], org, rel, name))
			continue;
		if (found) {
			int code = ent_sql_fail(k->x, ENT_ESQL, place, "column %.100s is ambiguous", name);
			ent_next(k->x->err, "write %s.%.100s or %s.%.100s", k->q->rels[found->rel].alias, name, k->q->rels[k->seen[i].rel].alias,
				 name);
			return code;
		}
		found = &k->seen[i];
	}
	return found ? ent_sql_column_expr(k, found, ret) : column_unknown(k, rel, name, place);
}

int ent_sql_bind_column(struct ent_sql_block *k, const json_t *body, struct ent_expr **ret)
{
	const json_t *fields = json_object_get(body, "fields");
	size_t n = json_array_size(fields);
	int place = ent_ast_place(body);
	const char *f[3] = { NULL, NULL, NULL };
	if (n < 1 || n > 3)
		return ent_sql_fail(k->x, ENT_ESQL, place, "a column is written column, table.column or organisation.table.column");
	for (size_t i = 0; i < n; i++) {
		f[3 - n + i] = ent_ast_string_node(json_array_get(fields, i));
		if (!f[3 - n + i])
			return ent_sql_unsupported(k->x, place, "* here", "list the columns by name");
	}
	return column_find(k, f[0], f[1], f[2], place, ret);
}

static int bind_interval(struct ent_sql_block *k, struct ent_expr *e, unsigned mask, int place, struct ent_expr **ret)
{
	int64_t months = 0, micros = 0;
	if (!ent_sql_is_const(e) || !e->text)
		return ent_sql_unsupported(k->x, place, "an interval that is not a literal", "write INTERVAL '3 days'");
	if (!ent_sql_interval_read(e->text, mask, &months, &micros)) {
		int code = ent_sql_fail(k->x, ENT_ESQL, place, "'%.80s' is not an interval", e->text);
		ent_next(k->x->err, "write INTERVAL '3' DAY or INTERVAL '1 day 2 hours'");
		return code;
	}
	ENT_TRY(ent_sql_const(k->x, ent_sql_type(ENT_SQL_INTERVAL), micros, ret));
	(*ret)->real = (double)months;
	return 0;
}

static int bind_cast(struct ent_sql_block *k, const json_t *body, struct ent_expr **ret)
{
	struct ent_expr *e;
	struct ent_type t;
	unsigned mask;
	int place = ent_ast_place(json_object_get(body, "typeName"));
	ENT_TRY(ent_sql_type_name(k->x, json_object_get(body, "typeName"), &t, &mask));
	ENT_TRY(ent_sql_bind_expr(k, json_object_get(body, "arg"), &e));
	if (t.id == ENT_SQL_INTERVAL)
		return bind_interval(k, e, mask, place, ret);
	return ent_sql_cast(k->x, e, t, place, ret);
}

int ent_sql_bind_condition(struct ent_sql_block *k, const json_t *node, struct ent_expr **ret)
{
	char name[ENT_TYPE_TEXT_MAX];
	struct ent_expr *e;
	int place = ent_ast_place(node);
	ENT_TRY(ent_sql_bind_expr(k, node, &e));
	if (e->type.id == ENT_SQL_UNKNOWN)
		return ent_sql_coerce(k->x, e, ent_sql_type(ENT_T_BOOL), place, ret);
	if (e->type.id != ENT_T_BOOL) {
		int code = ent_sql_fail(k->x, ENT_ESQL, place, "a condition must be boolean, not %s", ent_sql_type_text(e->type, name));
		ent_next(k->x->err, "compare it with something, such as x <> 0");
		return code;
	}
	*ret = e;
	return 0;
}

static int bind_logic(struct ent_sql_block *k, const json_t *body, struct ent_expr **ret)
{
	const json_t *list = json_object_get(body, "args");
	size_t n = json_array_size(list);
	struct ent_expr **args = ENT_NEWS(k->x->arena, n + 1, struct ent_expr *);
	if (!args)
		return ent_nomem(k->x->err);
	for (size_t i = 0; i < n; i++)
		ENT_TRY(ent_sql_bind_condition(k, json_array_get(list, i), &args[i]));
	if (ent_ast_is(body, "boolop", "NOT_EXPR"))
		return ent_sql_not(k->x, args[0], ret);
	enum ent_op op = ent_ast_is(body, "boolop", "OR_EXPR") ? ENT_OP_OR : ENT_OP_AND;
	return ent_sql_call(k->x, op, ent_sql_type(ENT_T_BOOL), args, n, ent_ast_place(body), ret);
}

static int bind_null_test(struct ent_sql_block *k, const json_t *body, struct ent_expr **ret)
{
	struct ent_expr *e;
	int place = ent_ast_place(body);
	ENT_TRY(ent_sql_bind_expr(k, json_object_get(body, "arg"), &e));
	ENT_TRY(ent_sql_known(k->x, e, place, &e));
	ENT_TRY(ent_sql_call1(k->x, ENT_OP_IS_NULL, ent_sql_type(ENT_T_BOOL), e, place, &e));
	if (ent_ast_is(body, "nulltesttype", "IS_NOT_NULL"))
		return ent_sql_not(k->x, e, ret);
	*ret = e;
	return 0;
}

/* x IS [NOT] TRUE, FALSE, UNKNOWN by COALESCE and IS NULL. */
static int bind_boolean_test(struct ent_sql_block *k, const json_t *body, struct ent_expr **ret)
{
	struct ent_sql *x = k->x;
	struct ent_expr *e, *no;
	const char *test = ent_ast_str(body, "booltesttype");
	int place = ent_ast_place(body);
	if (!test)
		test = "IS_TRUE";
	ENT_TRY(ent_sql_bind_condition(k, json_object_get(body, "arg"), &e));
	if (strstr(test, "FALSE"))
		ENT_TRY(ent_sql_not(x, e, &e));
	ENT_TRY(ent_sql_const(x, ent_sql_type(ENT_T_BOOL), 0, &no));
	if (strstr(test, "UNKNOWN"))
		ENT_TRY(ent_sql_call1(x, ENT_OP_IS_NULL, e->type, e, place, &e));
	else
		ENT_TRY(ent_sql_call2(x, ENT_OP_COALESCE, e->type, e, no, place, &e));
	if (strstr(test, "NOT"))
		return ent_sql_not(x, e, ret);
	*ret = e;
	return 0;
}

static int case_whens(struct ent_sql_block *k, const json_t *body, struct ent_expr **whens, struct ent_expr **thens)
{
	const json_t *list = json_object_get(body, "args"), *arg = json_object_get(body, "arg"), *when = NULL;
	for (size_t i = 0; i < json_array_size(list); i++) {
		ent_ast_kind(json_array_get(list, i), &when);
		const json_t *cond = json_object_get(when, "expr");
		struct ent_expr *subject, *value;
		if (arg) {
			ENT_TRY(ent_sql_bind_expr(k, arg, &subject));
			ENT_TRY(ent_sql_bind_expr(k, cond, &value));
			ENT_TRY(ent_sql_compare(k->x, ENT_OP_EQ, subject, value, ent_ast_place(cond), &whens[i]));
		} else {
			ENT_TRY(ent_sql_bind_condition(k, cond, &whens[i]));
		}
		ENT_TRY(ent_sql_bind_expr(k, json_object_get(when, "result"), &thens[i]));
	}
	return 0;
}

int ent_sql_bind_case(struct ent_sql_block *k, const json_t *body, struct ent_expr **ret)
{
	struct ent_sql *x = k->x;
	struct ent_type t;
	size_t n = json_array_size(json_object_get(body, "args"));
	const json_t *otherwise = json_object_get(body, "defresult");
	struct ent_expr **args = ENT_NEWS(x->arena, 2 * n + 1, struct ent_expr *), **thens = ENT_NEWS(x->arena, n + 1, struct ent_expr *),
			**whens = ENT_NEWS(x->arena, n + 1, struct ent_expr *);
	if (!args || !thens || !whens)
		return ent_nomem(x->err);
	ENT_TRY(case_whens(k, body, whens, thens));
	if (otherwise)
		ENT_TRY(ent_sql_bind_expr(k, otherwise, &thens[n]));
	else
		ENT_TRY(ent_sql_null(x, ent_sql_type(ENT_SQL_UNKNOWN), &thens[n]));
	ENT_TRY(ent_sql_unify(x, thens, n + 1, false, ent_ast_place(body), &t));
	ENT_TRY(ent_sql_known(x, thens[0], ent_ast_place(body), &thens[0]));
	for (size_t i = 0; i < n; i++) {
		args[2 * i] = whens[i];
		args[2 * i + 1] = thens[i];
	}
	args[2 * n] = thens[n];
	return ent_sql_case(x, t, args, 2 * n + 1, ret);
}

static int bind_coalesce(struct ent_sql_block *k, const json_t *body, struct ent_expr **ret)
{
	const json_t *list = json_object_get(body, "args");
	size_t n = json_array_size(list);
	struct ent_type t;
	struct ent_expr **args = ENT_NEWS(k->x->arena, n + 1, struct ent_expr *);
	if (!args)
		return ent_nomem(k->x->err);
	for (size_t i = 0; i < n; i++)
		ENT_TRY(ent_sql_bind_expr(k, json_array_get(list, i), &args[i]));
	ENT_TRY(ent_sql_unify(k->x, args, n, false, ent_ast_place(body), &t));
	ENT_TRY(ent_sql_known(k->x, args[0], ent_ast_place(body), &args[0]));
	return ent_sql_call(k->x, ENT_OP_COALESCE, t, args, n, ent_ast_place(body), ret);
}

static const struct {
	const char *kind, *what, *nearest;
} refused[] = {
	{ "SubLink", "a subquery inside an expression", "join with the subquery in FROM: ... JOIN (SELECT DISTINCT k FROM ...) s ON s.k = t.k" },
	{ "SQLValueFunction", "the current time or user", "write the date itself, such as DATE '2013-01-31'" },
	{ "MinMaxExpr", "GREATEST and LEAST", "CASE WHEN a > b THEN a ELSE b END" },
	{ "A_ArrayExpr", "arrays", "x IN (1, 2, 3)" },
	{ "RowExpr", "row values", "compare the columns one by one with AND" },
	{ "ParamRef", "parameters", "write the value into the statement" },
	{ "A_Indirection", "subscripts and fields", "use plain columns" },
	{ "CollateClause", "COLLATE", "text is compared by bytes everywhere" },
	{ "GroupingFunc", "GROUPING", "one query per grouping" },
	{ "SetToDefault", "DEFAULT", "write the value" },
	{ "XmlExpr", "XML", "use plain columns" },
};

static int bind_other(struct ent_sql *x, const char *kind, int place)
{
	for (size_t i = 0; i < ENT_COUNT(refused); i++)
		if (!strcmp(kind, refused[i].kind))
			return ent_sql_unsupported(x, place, refused[i].what, refused[i].nearest);
	return ent_sql_unsupported(x, place, ent_arena_printf(x->arena, "%.60s", kind), NULL);
}

static const struct {
	const char *kind, *keys;
	int (*bind)(struct ent_sql_block *k, const json_t *body, struct ent_expr **ret);
} binders[] = {
	{ "ColumnRef", "fields location", ent_sql_bind_column },
	{ "A_Const", "ival fval sval boolval bsval isnull location", bind_const },
	{ "A_Expr", "kind name lexpr rexpr location", ent_sql_bind_operator },
	{ "BoolExpr", "boolop args location", bind_logic },
	{ "FuncCall", "funcname args agg_filter agg_star agg_distinct agg_order agg_within_group func_variadic over funcformat location",
	  ent_sql_bind_func },
	{ "TypeCast", "arg typeName location", bind_cast },
	{ "CaseExpr", "arg args defresult location", ent_sql_bind_case },
	{ "CoalesceExpr", "args location", bind_coalesce },
	{ "NullTest", "arg nulltesttype location", bind_null_test },
	{ "BooleanTest", "arg booltesttype location", bind_boolean_test },
};

int ent_sql_bind_expr(struct ent_sql_block *k, const json_t *node, struct ent_expr **ret)
{
	const json_t *body = NULL;
	const char *kind = ent_ast_kind(node, &body);
	for (size_t i = 0; i < ENT_COUNT(binders); i++) {
		if (strcmp(kind, binders[i].kind) != 0)
			continue;
		ENT_TRY(ent_ast_only(k->x, body, kind, binders[i].keys));
		return binders[i].bind(k, body, ret);
	}
	return bind_other(k->x, kind, ent_ast_place(node));
}
