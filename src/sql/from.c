/* FROM: tables of the catalogue, subqueries, CTEs and unions become relations in one flat list; what inner joins demand goes into the pool of
 * conjuncts beside WHERE, what left joins demand stays with its relation. join.c then picks keys and order. */
#include "sql/internal.h"

struct span { /* relations and names one FROM item brought */
	size_t rels_from, rels_to, seen_from, seen_to;
};

int ent_sql_pool_add(struct ent_sql_block *k, struct ent_expr *e)
{
	if (e->kind == ENT_X_CALL && e->op == ENT_OP_AND) {
		for (size_t i = 0; i < e->n_args; i++)
			ENT_TRY(ent_sql_pool_add(k, e->args[i]));
		return 0;
	}
	if (ent_sql_is_const(e) && !e->is_null && e->value)
		return 0;
	if (k->n_pool == k->cap_pool) {
		size_t cap = k->cap_pool ? 2 * k->cap_pool : 16;
		struct ent_expr **pool = ENT_NEWS(k->x->arena, cap, struct ent_expr *);
		if (!pool)
			return ent_nomem(k->x->err);
		if (k->n_pool)
			memcpy(pool, k->pool, k->n_pool * sizeof(*pool));
		k->pool = pool;
		k->cap_pool = cap;
	}
	k->pool[k->n_pool++] = e;
	return 0;
}

/* A table under its own name; two organisations may each have one of that name. */
static bool rel_bare(const struct ent_rel *r) { return r->table && r->alias == r->table->name; }

static int rel_new(struct ent_sql_block *k, const char *alias, const struct ent_table *t, int place, struct ent_rel **ret)
{
	struct ent_query *q = k->q;
	if (q->n_rels == ENT_SQL_RELS_MAX)
		return ent_sql_unsupported(k->x, place, "more than 16 tables in one FROM", "split the query");
	for (size_t i = 0; i < q->n_rels; i++) {
		bool both_bare = t && t->name == alias && rel_bare(&q->rels[i]) && t != q->rels[i].table;
		if (!strcmp(q->rels[i].alias, alias) && !both_bare) {
			int code = ent_sql_fail(k->x, ENT_ESQL, place, "table name %.80s is used twice", alias);
			ent_next(k->x->err, "give one of them another name: ... %.80s AS x", alias);
			return code;
		}
	}
	*ret = &q->rels[q->n_rels];
	(*ret)->alias = alias;
	(*ret)->join = q->n_rels ? ENT_JOIN_INNER : ENT_JOIN_FIRST;
	return 0;
}

static int seen_reserve(struct ent_sql_block *k, size_t n)
{
	size_t cap = k->cap_seen ? k->cap_seen : 64;
	if (k->n_seen + n <= k->cap_seen)
		return 0;
	while (cap < k->n_seen + n)
		cap *= 2;
	struct ent_sql_seen *seen = ENT_NEWS(k->x->arena, cap, struct ent_sql_seen);
	if (!seen)
		return ent_nomem(k->x->err);
	if (k->n_seen)
		memcpy(seen, k->seen, k->n_seen * sizeof *seen);
	k->seen = seen;
	k->cap_seen = cap;
	return 0;
}

/* Makes rel visible: its columns, renamed by AS t(a, b, ...) when given. */
static int rel_show(struct ent_sql_block *k, struct ent_rel *rel, struct ent_rel_column *columns, size_t n, const json_t *colnames, int place)
{
	if (k->n_seen + n > ENT_SQL_COLUMNS_MAX)
		return ent_sql_unsupported(k->x, place, "more than 4096 columns in one FROM", "name fewer tables");
	if (json_array_size(colnames) > n)
		return ent_sql_fail(k->x, ENT_ESQL, place, "%.80s has %zu columns, %zu names are given", rel->alias, n, json_array_size(colnames));
	for (size_t i = 0; i < json_array_size(colnames); i++) {
		columns[i].name = ent_arena_dup(k->x->arena, ent_ast_string_node(json_array_get(colnames, i)));
		if (!columns[i].name)
			return ent_nomem(k->x->err);
	}
	ENT_TRY(seen_reserve(k, n));
	rel->columns = columns;
	rel->n_columns = n;
	for (size_t i = 0; i < n; i++)
		k->seen[k->n_seen++] = (struct ent_sql_seen){ columns[i].name, (uint16_t)k->q->n_rels, (uint16_t)i, false };
	k->q->n_rels++;
	return 0;
}

struct near_table {
	struct ent_nearest near;
	const char *org;
};

static void near_each(void *arg, const struct ent_table *t)
{
	struct near_table *n = arg;
	char full[200];
	snprintf(full, sizeof full, "%s.%s", t->org, t->name);
	ent_nearest_try(&n->near, full);
}

static int table_unknown(struct ent_sql *x, const char *org, const char *name, int place)
{
	struct near_table n;
	const char *full = ent_arena_printf(x->arena, "%s.%s", org, name);
	if (!full)
		return ent_nomem(x->err);
	ent_nearest_init(&n.near, full);
	if (x->catalogue->each)
		x->catalogue->each(x->catalogue->self, near_each, &n);
	int code = ent_sql_fail(x, ENT_ESQL, place, "no table %.160s", full);
	ent_why(x->err, "no member of the consortium has registered a table of that name");
	ent_nearest_next(&n.near, x->err, "`entente tables` lists them");
	return code;
}

static int table_find(struct ent_sql *x, const char *org, const char *name, int place, const struct ent_table **ret)
{
	if (!org) {
		int code = ent_sql_fail(x, ENT_ESQL, place, "table %.80s without its organisation", name);
		ent_next(x->err, "write organisation.%.80s; `entente tables` lists them", name);
		return code;
	}
	int code = x->catalogue->table(x->catalogue->self, org, name, ret, x->err);
	return code == ENT_ENOTFOUND ? table_unknown(x, org, name, place) : code;
}

static int bind_table(struct ent_sql_block *k, const json_t *body, const char *alias, const json_t *colnames)
{
	struct ent_rel *rel;
	const struct ent_table *t = NULL;
	const char *org = ent_ast_str(body, "schemaname"), *name = ent_ast_str(body, "relname");
	int place = ent_ast_place(body);
	if (!name)
		return ent_sql_fail(k->x, ENT_ESQL, place, "a table without a name");
	ENT_TRY(table_find(k->x, org ? org : k->x->default_org, name, place, &t));
	ENT_TRY(rel_new(k, alias ? alias : t->name, t, place, &rel));
	struct ent_rel_column *columns = ENT_NEWS(k->x->arena, t->n_columns + 1, struct ent_rel_column);
	if (!columns)
		return ent_nomem(k->x->err);
	for (size_t i = 0; i < t->n_columns; i++)
		columns[i] = (struct ent_rel_column){ t->columns[i].name, t->columns[i].type, t->columns[i].nullable };
	rel->kind = ENT_REL_TABLE;
	rel->table = t;
	return rel_show(k, rel, columns, t->n_columns, colnames, place);
}

/* A query that is nothing but a union is taken as the union itself. */
static bool only_union(const struct ent_query *q)
{
	if (q->n_rels != 1 || q->rels[0].kind != ENT_REL_UNION || q->where || q->n_group || q->aggregate || q->having || q->n_order ||
	    q->limit >= 0 || q->offset)
		return false;
	for (size_t i = 0; i < q->n_items; i++)
		if (q->items[i].expr->kind != ENT_X_COLUMN || q->items[i].expr->column != i)
			return false;
	return q->n_items == q->rels[0].n_columns;
}

static int bind_subquery(struct ent_sql_block *k, const json_t *select, const struct ent_sql_cte *ctes, const char *alias, const json_t *colnames,
			 int place)
{
	struct ent_rel *rel;
	struct ent_query *inner;
	size_t n = 0;
	ENT_TRY(rel_new(k, alias, NULL, place, &rel));
	ENT_TRY(ent_sql_bind_select(k->x, select, ctes, &inner));
	struct ent_rel_column *columns = ENT_NEWS(k->x->arena, inner->n_items + 1, struct ent_rel_column);
	struct ent_query **branches = ENT_NEWS(k->x->arena, 1, struct ent_query *);
	if (!columns || !branches)
		return ent_nomem(k->x->err);
	for (size_t i = 0; i < inner->n_items; i++)
		if (!inner->items[i].hidden)
			columns[n++] = (struct ent_rel_column){ inner->items[i].name, inner->items[i].expr->type, inner->items[i].expr->nullable };
	branches[0] = inner;
	rel->kind = ENT_REL_QUERY;
	rel->branches = branches;
	rel->n_branches = 1;
	if (only_union(inner)) {
		rel->kind = ENT_REL_UNION;
		rel->branches = inner->rels[0].branches;
		rel->n_branches = inner->rels[0].n_branches;
	}
	return rel_show(k, rel, columns, n, colnames, place);
}

static const char *alias_of(struct ent_sql *x, const json_t *body, const json_t **ret_colnames)
{
	const json_t *alias = json_object_get(body, "alias");
	*ret_colnames = json_object_get(alias, "colnames");
	return ent_arena_dup(x->arena, ent_ast_str(alias, "aliasname"));
}

static int bind_range_var(struct ent_sql_block *k, const json_t *body)
{
	const json_t *colnames;
	const char *alias = alias_of(k->x, body, &colnames), *name = ent_ast_str(body, "relname");
	ENT_TRY(ent_ast_only(k->x, body, "a table", "schemaname relname inh relpersistence alias location"));
	if (name && !json_object_get(body, "schemaname")) {
		for (const struct ent_sql_cte *c = k->ctes; c; c = c->before)
			if (!strcmp(c->name, name))
				return bind_subquery(k, c->select, c->before, alias ? alias : c->name, colnames ? colnames : c->colnames,
						     ent_ast_place(body));
	}
	return bind_table(k, body, alias, colnames);
}

static int bind_range_subselect(struct ent_sql_block *k, const json_t *body)
{
	const json_t *colnames, *select = json_object_get(json_object_get(body, "subquery"), "SelectStmt");
	const char *alias = alias_of(k->x, body, &colnames);
	if (ent_ast_true(body, "lateral"))
		return ent_sql_unsupported(k->x, -1, "LATERAL", "an ordinary subquery in FROM joined by equality");
	if (!alias)
		return ent_sql_fail(k->x, ENT_ESQL, -1, "a subquery in FROM without a name"), ent_next(k->x->err, "write (SELECT ...) AS x"),
		       ENT_ESQL;
	return bind_subquery(k, select, k->ctes, alias, colnames, -1);
}

static int bind_item(struct ent_sql_block *k, const json_t *node, uint8_t *left_of, struct span *ret);

static struct ent_sql_seen *span_find(struct ent_sql_block *k, struct span s, const char *name, bool *ret_twice)
{
	struct ent_sql_seen *found = NULL;
	*ret_twice = false;
	for (size_t i = s.seen_from; i < s.seen_to; i++) {
		if (k->seen[i].merged || strcmp(k->seen[i].name, name) != 0)
			continue;
		*ret_twice |= found != NULL;
		found = &k->seen[i];
	}
	return found;
}

static int using_one(struct ent_sql_block *k, const char *name, struct span left, struct span right, struct ent_expr **ret)
{
	bool twice_left, twice_right;
	struct ent_expr *a, *b;
	struct ent_sql_seen *l = span_find(k, left, name, &twice_left), *r = span_find(k, right, name, &twice_right);
	if (!l || !r || twice_left || twice_right) {
		int code = ent_sql_fail(k->x, ENT_ESQL, -1, "USING (%.80s): %s", name,
					!l || !r ? "not a column of both sides" : "ambiguous on one side");
		ent_next(k->x->err, "write ON a.x = b.y instead");
		return code;
	}
	ENT_TRY(ent_sql_column_expr(k, l, &a));
	ENT_TRY(ent_sql_column_expr(k, r, &b));
	r->merged = true;
	return ent_sql_compare(k->x, ENT_OP_EQ, a, b, -1, ret);
}

static int natural_names(struct ent_sql_block *k, struct span left, struct span right, const char ***ret, size_t *ret_n)
{
	bool twice;
	*ret = ENT_NEWS(k->x->arena, right.seen_to - right.seen_from + 1, const char *);
	if (!*ret)
		return ent_nomem(k->x->err);
	for (size_t i = right.seen_from; i < right.seen_to; i++)
		if (!k->seen[i].merged && span_find(k, left, k->seen[i].name, &twice))
			(*ret)[(*ret_n)++] = k->seen[i].name;
	return 0;
}

static int using_names(struct ent_sql_block *k, const json_t *body, struct span left, struct span right, const char ***ret, size_t *ret_n)
{
	const json_t *list = json_object_get(body, "usingClause");
	*ret_n = 0;
	if (ent_ast_true(body, "isNatural"))
		return natural_names(k, left, right, ret, ret_n);
	*ret = ENT_NEWS(k->x->arena, json_array_size(list) + 1, const char *);
	if (!*ret)
		return ent_nomem(k->x->err);
	for (; *ret_n < json_array_size(list); (*ret_n)++) {
		(*ret)[*ret_n] = ent_ast_string_node(json_array_get(list, *ret_n));
		if (!(*ret)[*ret_n])
			return ent_sql_fail(k->x, ENT_ESQL, -1, "USING lists column names");
	}
	return 0;
}

/* The join's whole condition: ON, USING or NATURAL. ON sees the names of its two sides only. */
static int join_condition(struct ent_sql_block *k, const json_t *body, struct span left, struct span right, struct ent_expr **ret)
{
	const json_t *quals = json_object_get(body, "quals");
	const char **names;
	size_t n;
	ENT_TRY(using_names(k, body, left, right, &names, &n));
	struct ent_expr **parts = ENT_NEWS(k->x->arena, n + 2, struct ent_expr *);
	if (!parts)
		return ent_nomem(k->x->err);
	for (size_t i = 0; i < n; i++)
		ENT_TRY(using_one(k, names[i], left, right, &parts[i]));
	if (quals) {
		struct ent_sql_block scope = *k;
		scope.seen = k->seen + left.seen_from;
		scope.n_seen = right.seen_to - left.seen_from;
		scope.clause = "ON";
		ENT_TRY(ent_sql_bind_condition(&scope, quals, &parts[n++]));
	}
	return ent_sql_call(k->x, ENT_OP_AND, ent_sql_type(ENT_T_BOOL), parts, n, -1, ret);
}

static int left_join(struct ent_sql_block *k, struct ent_expr *on, struct span left, struct span right, uint8_t *left_of)
{
	struct ent_rel *rel = &k->q->rels[right.rels_from];
	if (right.rels_to - right.rels_from != 1)
		return ent_sql_unsupported(k->x, -1, "a bracketed join on the right of LEFT JOIN", "LEFT JOIN (SELECT ... FROM a JOIN b ...) AS x");
	rel->join = ENT_JOIN_LEFT;
	rel->on = on;
	left_of[right.rels_from] = (uint8_t)(left.rels_from + 1); /* all relations from there on stand to its left */
	struct ent_rel_column *columns = ENT_NEWS(k->x->arena, rel->n_columns + 1, struct ent_rel_column);
	if (!columns)
		return ent_nomem(k->x->err);
	for (size_t i = 0; i < rel->n_columns; i++) {
		columns[i] = rel->columns[i];
		columns[i].nullable = true;
	}
	rel->columns = columns;
	return 0;
}

static int bind_join(struct ent_sql_block *k, const json_t *body, uint8_t *left_of, struct span *ret)
{
	struct span left, right;
	struct ent_expr *on;
	bool outer = ent_ast_is(body, "jointype", "JOIN_LEFT");
	ENT_TRY(ent_ast_only(k->x, body, "a join", "jointype larg rarg quals usingClause isNatural rtindex"));
	if (ent_ast_is(body, "jointype", "JOIN_RIGHT"))
		return ent_sql_unsupported(k->x, -1, "RIGHT JOIN", "LEFT JOIN with the two sides exchanged");
	if (!outer && !ent_ast_is(body, "jointype", "JOIN_INNER"))
		return ent_sql_unsupported(k->x, -1, "FULL JOIN", "LEFT JOIN, or UNION ALL of two LEFT JOINs");
	ENT_TRY(bind_item(k, json_object_get(body, "larg"), left_of, &left));
	ENT_TRY(bind_item(k, json_object_get(body, "rarg"), left_of, &right));
	*ret = (struct span){ left.rels_from, right.rels_to, left.seen_from, right.seen_to };
	ENT_TRY(join_condition(k, body, left, right, &on));
	return outer ? left_join(k, on, left, right, left_of) : ent_sql_pool_add(k, on);
}

static int not_in_from(struct ent_sql *x, const char *kind, int place)
{
	const char *what = !strcmp(kind, "RangeFunction") ? "a function in FROM" : !strcmp(kind, "RangeTableSample") ? "TABLESAMPLE" : kind;
	return ent_sql_unsupported(x, place, what, "tables and subqueries stand in FROM");
}

static int bind_item(struct ent_sql_block *k, const json_t *node, uint8_t *left_of, struct span *ret)
{
	const json_t *body = NULL;
	const char *kind = ent_ast_kind(node, &body);
	if (!strcmp(kind, "JoinExpr"))
		return bind_join(k, body, left_of, ret);
	*ret = (struct span){ .rels_from = k->q->n_rels, .seen_from = k->n_seen };
	if (!strcmp(kind, "RangeVar"))
		ENT_TRY(bind_range_var(k, body));
	else if (!strcmp(kind, "RangeSubselect"))
		ENT_TRY(bind_range_subselect(k, body));
	else
		return not_in_from(k->x, kind, ent_ast_place(node));
	ret->rels_to = k->q->n_rels;
	ret->seen_to = k->n_seen;
	return 0;
}

int ent_sql_bind_from(struct ent_sql_block *k, const json_t *from, const json_t *where)
{
	struct span span;
	struct ent_expr *e;
	uint8_t left_of[ENT_SQL_RELS_MAX] = { 0 };
	k->q->rels = ENT_NEWS(k->x->arena, ENT_SQL_RELS_MAX, struct ent_rel);
	if (!k->q->rels)
		return ent_nomem(k->x->err);
	if (!json_array_size(from))
		return ent_sql_unsupported(k->x, -1, "SELECT without FROM", "name a table of the consortium");
	for (size_t i = 0; i < json_array_size(from); i++)
		ENT_TRY(bind_item(k, json_array_get(from, i), left_of, &span));
	k->clause = "WHERE";
	if (where) {
		ENT_TRY(ent_sql_bind_condition(k, where, &e));
		ENT_TRY(ent_sql_pool_add(k, e));
	}
	return ent_sql_join_place(k, left_of);
}
