/* One SELECT block: select list, GROUP BY, HAVING, ORDER BY, DISTINCT, LIMIT. Set operations and WITH are in union.c. */
#include "sql/internal.h"

struct output { /* the growing select list */
	struct ent_sql_block *k;
	size_t cap, shown;
};

static int item_add(struct output *o, const char *name, struct ent_expr *e, bool hidden)
{
	struct ent_query *q = o->k->q;
	if (q->n_items == o->cap) {
		size_t cap = o->cap ? 2 * o->cap : 16;
		struct ent_item *items = ENT_NEWS(o->k->x->arena, cap, struct ent_item);
		if (!items)
			return ent_nomem(o->k->x->err);
		if (q->n_items)
			memcpy(items, q->items, q->n_items * sizeof *items);
		q->items = items;
		o->cap = cap;
	}
	if (q->n_items >= ENT_SQL_COLUMNS_MAX)
		return ent_sql_unsupported(o->k->x, -1, "more than 4096 result columns", "name fewer columns");
	q->items[q->n_items++] = (struct ent_item){ name, e, hidden };
	o->shown += !hidden;
	return 0;
}

/* SELECT * and t.*; columns in the order of FROM, those merged by USING once. */
static int star(struct output *o, const char *rel, const char *org, int place)
{
	struct ent_sql_block *k = o->k;
	bool any = false;
	for (size_t i = 0; i < k->n_seen; i++) {
		const struct ent_sql_seen *s = &k->seen[i];
		const struct ent_rel *r = &k->q->rels[s->rel];
		struct ent_expr *e;
		if (rel ? strcmp(r->alias, rel) != 0 || (org && (!r->table || strcmp(r->table->org, org) != 0)) : s->merged)
			continue;
		any = true;
		ENT_TRY(ent_sql_column_expr(k, s, &e));
		ENT_TRY(item_add(o, s->name, e, false));
	}
	return any ? 0 : ent_sql_fail(k->x, ENT_ESQL, place, "no table %.80s in FROM", rel ? rel : "");
}

static bool is_star(const json_t *body)
{
	const json_t *fields = json_object_get(body, "fields");
	return json_object_get(json_array_get(fields, json_array_size(fields) - 1), "A_Star") != NULL;
}

/* PostgreSQL's rule for a column's name when AS is missing. */
static const char *natural_name(const json_t *node)
{
	const json_t *body = NULL;
	const char *kind = ent_ast_kind(node, &body);
	if (!strcmp(kind, "ColumnRef"))
		return ent_ast_last_name(json_object_get(body, "fields"));
	if (!strcmp(kind, "FuncCall"))
		return ent_ast_last_name(json_object_get(body, "funcname"));
	if (!strcmp(kind, "CaseExpr") || !strcmp(kind, "CoalesceExpr"))
		return *kind == 'C' && kind[1] == 'a' ? "case" : "coalesce";
	if (!strcmp(kind, "A_Expr") && ent_ast_is(body, "kind", "AEXPR_NULLIF"))
		return "nullif";
	if (strcmp(kind, "TypeCast") != 0)
		return "?column?";
	const json_t *arg = json_object_get(body, "arg");
	const char *inner = json_object_get(arg, "A_Const") ? "?column?" : natural_name(arg);
	return strcmp(inner, "?column?") ? inner : ent_ast_last_name(json_object_get(json_object_get(body, "typeName"), "names"));
}

static int bind_target(struct output *o, const json_t *target)
{
	struct ent_sql_block *k = o->k;
	const json_t *val = json_object_get(target, "val"), *body = NULL, *fields;
	const char *name = ent_ast_str(target, "name");
	struct ent_expr *e;
	ENT_TRY(ent_ast_only(k->x, target, "a result column", "name val location"));
	if (!strcmp(ent_ast_kind(val, &body), "ColumnRef") && is_star(body)) {
		fields = json_object_get(body, "fields");
		size_t n = json_array_size(fields);
		return star(o, n > 1 ? ent_ast_string_node(json_array_get(fields, n - 2)) : NULL,
			    n > 2 ? ent_ast_string_node(json_array_get(fields, n - 3)) : NULL, ent_ast_place(val));
	}
	ENT_TRY(ent_sql_bind_expr(k, val, &e));
	ENT_TRY(ent_sql_known(k->x, e, ent_ast_place(val), &e));
	name = ent_arena_dup(k->x->arena, name ? name : natural_name(val));
	return name ? item_add(o, name, e, false) : ent_nomem(k->x->err);
}

static bool ordinal(const json_t *node, int64_t *ret)
{
	const json_t *n = json_object_get(json_object_get(node, "A_Const"), "ival");
	*ret = json_integer_value(json_object_get(n, "ival"));
	return n != NULL;
}

static const char *bare_name(const json_t *node)
{
	const json_t *fields = json_object_get(json_object_get(node, "ColumnRef"), "fields");
	return json_array_size(fields) == 1 ? ent_ast_string_node(json_array_get(fields, 0)) : NULL;
}

/* Index of the shown item of that name; two different ones of one name are ambiguous. */
static int item_by_name(struct output *o, const char *name, int place, size_t *ret, bool *ret_found)
{
	struct ent_query *q = o->k->q;
	*ret_found = false;
	for (size_t i = 0; name && i < q->n_items; i++) {
		if (q->items[i].hidden || strcmp(q->items[i].name, name) != 0)
			continue;
		if (*ret_found && !ent_expr_eq(q->items[*ret].expr, q->items[i].expr))
			return ent_sql_fail(o->k->x, ENT_ESQL, place, "%.80s names two result columns", name);
		if (!*ret_found)
			*ret = i;
		*ret_found = true;
	}
	return 0;
}

static int item_by_ordinal(struct output *o, int64_t n, const char *clause, int place, size_t *ret)
{
	if (n < 1 || n > (int64_t)o->shown) {
		int code = ent_sql_fail(o->k->x, ENT_ESQL, place, "%s %lld is not in the select list", clause, (long long)n);
		ent_next(o->k->x->err, "it has %zu columns, counted from 1", o->shown);
		return code;
	}
	*ret = (size_t)n - 1;
	return 0;
}

static bool has_aggregate(const struct ent_expr *e)
{
	if (e->kind == ENT_X_AGG)
		return true;
	for (size_t i = 0; i < e->n_args; i++)
		if (has_aggregate(e->args[i]))
			return true;
	return false;
}

static int group_expr(struct output *o, const json_t *node, struct ent_expr **ret)
{
	struct ent_sql_block *k = o->k;
	int place = ent_ast_place(node);
	int64_t n;
	size_t at = 0;
	bool found = false;
	const char *name = bare_name(node);
	if (json_object_get(node, "GroupingSet"))
		return ent_sql_unsupported(k->x, place, "ROLLUP, CUBE and GROUPING SETS", "one query per grouping, joined by UNION ALL");
	if (ordinal(node, &n)) {
		ENT_TRY(item_by_ordinal(o, n, "GROUP BY", place, &at));
		found = true;
	} else if (name && !ent_sql_name_is_column(k, name)) {
		ENT_TRY(item_by_name(o, name, place, &at, &found));
	}
	if (found)
		*ret = k->q->items[at].expr;
	else
		ENT_TRY(ent_sql_bind_expr(k, node, ret));
	if (has_aggregate(*ret))
		return ent_sql_fail(k->x, ENT_ESQL, place, "an aggregate in GROUP BY");
	return ent_sql_known(k->x, *ret, place, ret);
}

/* Such a group has no row over no rows where a plain aggregate has one: nobody means that. */
static int only_constants(struct ent_sql *x)
{
	return ent_sql_unsupported(x, -1, "GROUP BY or DISTINCT of constants alone", "leave it out, or group by a column");
}

static int bind_group(struct output *o, const json_t *list)
{
	struct ent_sql_block *k = o->k;
	struct ent_query *q = k->q;
	size_t n = json_array_size(list);
	q->group = ENT_NEWS(k->x->arena, n + 1, struct ent_expr *);
	if (!q->group)
		return ent_nomem(k->x->err);
	k->aggregates_allowed = false;
	k->clause = "GROUP BY";
	for (size_t i = 0; i < n; i++) {
		struct ent_expr *e;
		bool twice = false;
		ENT_TRY(group_expr(o, json_array_get(list, i), &e));
		for (size_t j = 0; j < q->n_group; j++)
			twice |= ent_expr_eq(q->group[j], e);
		if (!twice && !ent_sql_is_const(e))
			q->group[q->n_group++] = e;
	}
	q->aggregate = n > 0;
	k->aggregates_allowed = true;
	return n && !q->n_group ? only_constants(k->x) : 0;
}

static int check_grouped(struct ent_sql_block *k, const struct ent_expr *e)
{
	for (size_t i = 0; i < k->q->n_group; i++)
		if (ent_expr_eq(k->q->group[i], e))
			return 0;
	if (e->kind == ENT_X_AGG)
		return 0;
	if (e->kind == ENT_X_COLUMN) {
		const struct ent_rel *r = &k->q->rels[e->rel];
		int code = ent_sql_fail(k->x, ENT_ESQL, -1, "column %s.%s is neither in GROUP BY nor inside an aggregate", r->alias,
					r->columns[e->column].name);
		ent_next(k->x->err, "add it to GROUP BY, or write an aggregate such as max(%s)", r->columns[e->column].name);
		return code;
	}
	for (size_t i = 0; i < e->n_args; i++)
		ENT_TRY(check_grouped(k, e->args[i]));
	return 0;
}

static int check_all_grouped(struct ent_sql_block *k)
{
	struct ent_query *q = k->q;
	if (!q->aggregate)
		return 0;
	for (size_t i = 0; i < q->n_items; i++)
		ENT_TRY(check_grouped(k, q->items[i].expr));
	return q->having ? check_grouped(k, q->having) : 0;
}

static int order_item(struct output *o, const json_t *node, bool distinct, size_t *ret)
{
	struct ent_sql_block *k = o->k;
	struct ent_expr *e;
	int64_t n;
	bool found = false;
	int place = ent_ast_place(node);
	if (ordinal(node, &n))
		return item_by_ordinal(o, n, "ORDER BY", place, ret);
	ENT_TRY(item_by_name(o, bare_name(node), place, ret, &found));
	if (found)
		return 0;
	ENT_TRY(ent_sql_bind_expr(k, node, &e));
	ENT_TRY(ent_sql_known(k->x, e, place, &e));
	for (*ret = 0; *ret < k->q->n_items; (*ret)++)
		if (ent_expr_eq(k->q->items[*ret].expr, e))
			return 0;
	if (distinct)
		return ent_sql_fail(k->x, ENT_ESQL, place, "with DISTINCT, ORDER BY may use result columns only");
	return item_add(o, "", e, true);
}

static int bind_order(struct output *o, const json_t *list, bool distinct)
{
	struct ent_query *q = o->k->q;
	q->order = ENT_NEWS(o->k->x->arena, json_array_size(list) + 1, struct ent_order);
	if (!q->order)
		return ent_nomem(o->k->x->err);
	o->k->clause = "ORDER BY";
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *by = json_object_get(json_array_get(list, i), "SortBy");
		struct ent_order *ord = &q->order[q->n_order];
		ENT_TRY(ent_ast_only(o->k->x, by, "ORDER BY", "node sortby_dir sortby_nulls location"));
		if (ent_ast_is(by, "sortby_dir", "SORTBY_USING"))
			return ent_sql_unsupported(o->k->x, -1, "ORDER BY ... USING", "ORDER BY ... ASC or DESC");
		ENT_TRY(order_item(o, json_object_get(by, "node"), distinct, &ord->item));
		ord->desc = ent_ast_is(by, "sortby_dir", "SORTBY_DESC");
		ord->nulls_first =
			ent_ast_is(by, "sortby_nulls", "SORTBY_NULLS_FIRST") || (ord->desc && !ent_ast_is(by, "sortby_nulls", "SORTBY_NULLS_LAST"));
		q->n_order++;
	}
	return 0;
}

static int count_constant(struct ent_sql_block *k, const json_t *node, const char *what, int64_t none, int64_t *ret)
{
	struct ent_expr *e;
	struct ent_sql_block bare = { .x = k->x, .q = k->q, .clause = what };
	*ret = none;
	if (!node)
		return 0;
	ENT_TRY(ent_sql_bind_expr(&bare, node, &e));
	if (ent_sql_is_const(e) && e->is_null)
		return 0;
	if (!ent_sql_is_const(e) || !ent_type_is_int(e->type) || e->value < 0)
		return ent_sql_fail(k->x, ENT_ESQL, ent_ast_place(node), "%s takes a constant number of rows", what);
	*ret = e->value;
	return 0;
}

static int bind_limit(struct ent_sql_block *k, const json_t *select)
{
	if (ent_ast_is(select, "limitOption", "LIMIT_OPTION_WITH_TIES"))
		return ent_sql_unsupported(k->x, -1, "FETCH FIRST ... WITH TIES", "LIMIT n");
	ENT_TRY(count_constant(k, json_object_get(select, "limitCount"), "LIMIT", -1, &k->q->limit));
	return count_constant(k, json_object_get(select, "limitOffset"), "OFFSET", 0, &k->q->offset);
}

/* SELECT DISTINCT without aggregates groups by its columns. Over groups it changes nothing when every label is shown. */
static int distinct_to_group(struct output *o)
{
	struct ent_query *q = o->k->q;
	bool all = true;
	if (!q->aggregate) {
		q->group = ENT_NEWS(o->k->x->arena, q->n_items + 1, struct ent_expr *);
		if (!q->group)
			return ent_nomem(o->k->x->err);
		for (size_t i = 0; i < q->n_items; i++)
			if (!ent_sql_is_const(q->items[i].expr))
				q->group[q->n_group++] = q->items[i].expr;
		q->aggregate = true;
		return q->n_group ? 0 : only_constants(o->k->x);
	}
	for (size_t i = 0; i < q->n_group; i++) {
		bool shown = false;
		for (size_t j = 0; j < q->n_items; j++)
			shown |= !q->items[j].hidden && ent_expr_eq(q->items[j].expr, q->group[i]);
		all &= shown;
	}
	return all ? 0
		   : ent_sql_unsupported(o->k->x, -1, "DISTINCT over groups whose labels are not all shown",
					 "SELECT DISTINCT ... FROM (SELECT ... GROUP BY ...) AS x");
}

static int bind_having(struct ent_sql_block *k, const json_t *having)
{
	k->clause = "HAVING";
	if (!having)
		return 0;
	ENT_TRY(ent_sql_bind_condition(k, having, &k->q->having));
	k->q->aggregate = true;
	if (ent_sql_is_const(k->q->having) && !k->q->having->is_null && k->q->having->value)
		k->q->having = NULL;
	return 0;
}

static int bind_targets(struct output *o, const json_t *list)
{
	const json_t *target = NULL;
	o->k->aggregates_allowed = true;
	o->k->clause = "the select list";
	for (size_t i = 0; i < json_array_size(list); i++) {
		ent_ast_kind(json_array_get(list, i), &target);
		ENT_TRY(bind_target(o, target));
	}
	return o->shown ? 0 : ent_sql_fail(o->k->x, ENT_ESQL, -1, "an empty select list");
}

static int is_distinct(struct ent_sql_block *k, const json_t *select, bool *ret)
{
	const json_t *list = json_object_get(select, "distinctClause");
	const json_t *first = json_array_get(list, 0);
	*ret = list != NULL;
	if (first && json_object_size(first))
		return ent_sql_unsupported(k->x, -1, "DISTINCT ON", "GROUP BY with MIN or MAX");
	return 0;
}

int ent_sql_bind_block(struct ent_sql_block *k, const json_t *select)
{
	struct output o = { .k = k };
	bool distinct;
	k->q->limit = -1;
	ENT_TRY(is_distinct(k, select, &distinct));
	ENT_TRY(ent_sql_bind_from(k, json_object_get(select, "fromClause"), json_object_get(select, "whereClause")));
	ENT_TRY(bind_targets(&o, json_object_get(select, "targetList")));
	ENT_TRY(bind_group(&o, json_object_get(select, "groupClause")));
	ENT_TRY(bind_having(k, json_object_get(select, "havingClause")));
	k->q->aggregate |= k->aggregate_seen;
	ENT_TRY(bind_order(&o, json_object_get(select, "sortClause"), distinct));
	k->q->aggregate |= k->aggregate_seen;
	ENT_TRY(check_all_grouped(k));
	if (distinct)
		ENT_TRY(distinct_to_group(&o));
	return bind_limit(k, select);
}

int ent_sql_bind_union_output(struct ent_sql_block *k, const json_t *select, bool distinct)
{
	struct output o = { .k = k };
	k->q->limit = -1;
	ENT_TRY(star(&o, NULL, NULL, -1));
	ENT_TRY(bind_order(&o, json_object_get(select, "sortClause"), true));
	if (distinct)
		ENT_TRY(distinct_to_group(&o));
	return bind_limit(k, select);
}
