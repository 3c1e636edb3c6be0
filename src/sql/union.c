/* Whole statements: WITH, UNION [ALL] and the entry point. A union becomes a relation of its branches under a block that shows its columns. */
#include "sql/internal.h"

#define SELECT_KEYS \
	"distinctClause targetList fromClause whereClause groupClause havingClause sortClause limitOffset limitCount limitOption withClause op all " \
	"larg rarg"

static const struct {
	const char *key, *what, *nearest;
} refused[] = {
	{ "windowClause", "WINDOW", "GROUP BY with an aggregate" },
	{ "lockingClause", "FOR UPDATE", "leave it out: queries only read" },
	{ "intoClause", "SELECT INTO", "`entente query -o FILE` writes the result" },
	{ "valuesLists", "VALUES", "name a table of the consortium" },
	{ "groupDistinct", "GROUP BY DISTINCT", "GROUP BY" },
};

static int check_keys(struct ent_sql *x, const json_t *select)
{
	for (size_t i = 0; i < ENT_COUNT(refused); i++)
		if (json_object_get(select, refused[i].key))
			return ent_sql_unsupported(x, -1, refused[i].what, refused[i].nearest);
	return ent_ast_only(x, select, "SELECT", SELECT_KEYS);
}

static bool is_union(const json_t *select) { return ent_ast_is(select, "op", "SETOP_UNION"); }

/* a UNION ALL b UNION ALL c nests to the left; branches come out in written order. A branch with its own WITH, ORDER BY or LIMIT stays whole. */
static int collect(struct ent_sql *x, const json_t *select, bool all, const json_t **list, size_t *n)
{
	bool own = json_object_get(select, "sortClause") || json_object_get(select, "limitCount") || json_object_get(select, "limitOffset") ||
		   json_object_get(select, "withClause");
	if (is_union(select) && !own && ent_ast_true(select, "all") == all) {
		ENT_TRY(collect(x, json_object_get(select, "larg"), all, list, n));
		return collect(x, json_object_get(select, "rarg"), all, list, n);
	}
	if (*n == ENT_SQL_BLOCKS_MAX)
		return ent_sql_unsupported(x, -1, "more than 64 SELECT blocks", "split the query");
	list[(*n)++] = select;
	return 0;
}

static int same_width(struct ent_sql *x, struct ent_query **branches, size_t n, size_t *ret_width)
{
	for (size_t i = 0; i < n; i++) {
		size_t shown = 0;
		for (size_t j = 0; j < branches[i]->n_items; j++)
			shown += !branches[i]->items[j].hidden;
		if (i && shown != *ret_width)
			return ent_sql_fail(x, ENT_ESQL, -1, "the branches of UNION have %zu and %zu columns", *ret_width, shown);
		*ret_width = shown;
	}
	return 0;
}

/* A branch whose group labels would change type keeps its groups below a block that casts. */
static int wrap(struct ent_sql *x, struct ent_query **q, size_t width)
{
	struct ent_query *outer = ENT_NEW(x->arena, struct ent_query);
	struct ent_rel *rel = ENT_NEW(x->arena, struct ent_rel);
	struct ent_query **branch = ENT_NEW(x->arena, struct ent_query *);
	struct ent_rel_column *columns = ENT_NEWS(x->arena, width + 1, struct ent_rel_column);
	struct ent_item *items = ENT_NEWS(x->arena, width + 1, struct ent_item);
	if (!outer || !rel || !branch || !columns || !items)
		return ent_nomem(x->err);
	*branch = *q;
	for (size_t i = 0; i < width; i++) {
		const struct ent_item *in = &(*q)->items[i];
		columns[i] = (struct ent_rel_column){ in->name, in->expr->type, in->expr->nullable };
		items[i].name = in->name;
		ENT_TRY(ent_sql_node(x, ENT_X_COLUMN, in->expr->type.id, &items[i].expr));
		items[i].expr->type = in->expr->type;
		items[i].expr->nullable = in->expr->nullable;
		items[i].expr->column = (uint16_t)i;
	}
	*rel = (struct ent_rel){
		.kind = ENT_REL_QUERY, .alias = "union", .branches = branch, .n_branches = 1, .columns = columns, .n_columns = width
	};
	*outer = (struct ent_query){ .rels = rel, .n_rels = 1, .items = items, .n_items = width, .limit = -1 };
	*q = outer;
	return 0;
}

static bool needs_wrap(const struct ent_query *q) { return q->aggregate || q->n_order || q->limit >= 0 || q->offset; }

static int unify_column(struct ent_sql *x, struct ent_query **branches, size_t n, size_t width, size_t column, struct ent_rel_column *ret)
{
	struct ent_expr **cells = ENT_NEWS(x->arena, n, struct ent_expr *);
	if (!cells)
		return ent_nomem(x->err);
	for (size_t i = 0; i < n; i++)
		cells[i] = branches[i]->items[column].expr;
	ENT_TRY(ent_sql_unify(x, cells, n, false, -1, &ret->type));
	ret->name = branches[0]->items[column].name;
	for (size_t i = 0; i < n; i++) {
		if (cells[i] == branches[i]->items[column].expr)
			continue;
		if (needs_wrap(branches[i])) {
			ENT_TRY(wrap(x, &branches[i], width));
			ENT_TRY(ent_sql_cast(x, branches[i]->items[column].expr, ret->type, -1, &cells[i]));
		}
		branches[i]->items[column].expr = cells[i];
	}
	for (size_t i = 0; i < n; i++)
		ret->nullable |= cells[i]->nullable;
	return 0;
}

static int union_rel(struct ent_sql *x, const json_t *select, const struct ent_sql_cte *ctes, struct ent_rel *ret)
{
	const json_t *list[ENT_SQL_BLOCKS_MAX];
	size_t n = 0, width = 0;
	bool all = ent_ast_true(select, "all");
	ENT_TRY(collect(x, json_object_get(select, "larg"), all, list, &n));
	ENT_TRY(collect(x, json_object_get(select, "rarg"), all, list, &n));
	struct ent_query **branches = ENT_NEWS(x->arena, n, struct ent_query *);
	if (!branches)
		return ent_nomem(x->err);
	for (size_t i = 0; i < n; i++)
		ENT_TRY(ent_sql_bind_select(x, list[i], ctes, &branches[i]));
	ENT_TRY(same_width(x, branches, n, &width));
	struct ent_rel_column *columns = ENT_NEWS(x->arena, width + 1, struct ent_rel_column);
	if (!columns)
		return ent_nomem(x->err);
	for (size_t i = 0; i < width; i++)
		ENT_TRY(unify_column(x, branches, n, width, i, &columns[i]));
	*ret = (struct ent_rel){
		.kind = ENT_REL_UNION, .alias = "union", .branches = branches, .n_branches = n, .columns = columns, .n_columns = width
	};
	return 0;
}

/* Only ORDER BY and LIMIT may follow a union; they see its columns. UNION without ALL groups by all of them. */
static int bind_union(struct ent_sql_block *k, const json_t *select)
{
	struct ent_sql *x = k->x;
	struct ent_query *q = k->q;
	q->rels = ENT_NEW(x->arena, struct ent_rel);
	if (!q->rels)
		return ent_nomem(x->err);
	ENT_TRY(union_rel(x, select, k->ctes, q->rels));
	q->n_rels = 1;
	k->seen = ENT_NEWS(x->arena, q->rels->n_columns + 1, struct ent_sql_seen);
	if (!k->seen)
		return ent_nomem(x->err);
	for (size_t i = 0; i < q->rels->n_columns; i++)
		k->seen[k->n_seen++] = (struct ent_sql_seen){ q->rels->columns[i].name, 0, (uint16_t)i, false };
	return ent_sql_bind_union_output(k, select, !ent_ast_true(select, "all"));
}

static int add_cte(struct ent_sql *x, const json_t *node, const struct ent_sql_cte **ctes)
{
	const json_t *cte = json_object_get(node, "CommonTableExpr");
	struct ent_sql_cte *c = ENT_NEW(x->arena, struct ent_sql_cte);
	ENT_TRY(ent_ast_only(x, cte, "WITH", "ctename aliascolnames ctematerialized ctequery location cterecursive cterefcount"));
	if (!c)
		return ent_nomem(x->err);
	c->name = ent_arena_dup(x->arena, ent_ast_str(cte, "ctename"));
	c->select = json_object_get(json_object_get(cte, "ctequery"), "SelectStmt");
	c->colnames = json_object_get(cte, "aliascolnames");
	c->before = *ctes;
	if (!c->name || !c->select)
		return ent_sql_unsupported(x, ent_ast_place(node), "WITH of anything but SELECT", "WITH x AS (SELECT ...)");
	*ctes = c;
	return 0;
}

static int bind_with(struct ent_sql *x, const json_t *select, const struct ent_sql_cte **ctes)
{
	const json_t *with = json_object_get(select, "withClause"), *list = json_object_get(with, "ctes");
	if (ent_ast_true(with, "recursive"))
		return ent_sql_unsupported(x, ent_ast_place(with), "WITH RECURSIVE", "WITH without RECURSIVE");
	for (size_t i = 0; i < json_array_size(list); i++)
		ENT_TRY(add_cte(x, json_array_get(list, i), ctes));
	return 0;
}

int ent_sql_bind_select(struct ent_sql *x, const json_t *select, const struct ent_sql_cte *ctes, struct ent_query **ret)
{
	struct ent_sql_block k = { .x = x, .clause = "FROM" };
	if (!select || ++x->blocks > ENT_SQL_BLOCKS_MAX)
		return ent_sql_unsupported(x, -1, "more than 64 SELECT blocks", "split the query");
	ENT_TRY(check_keys(x, select));
	ENT_TRY(bind_with(x, select, &ctes));
	k.ctes = ctes;
	k.q = ENT_NEW(x->arena, struct ent_query);
	if (!k.q)
		return ent_nomem(x->err);
	if (is_union(select))
		ENT_TRY(bind_union(&k, select));
	else if (!ent_ast_is(select, "op", "SETOP_NONE"))
		return ent_sql_unsupported(x, -1, ent_ast_is(select, "op", "SETOP_INTERSECT") ? "INTERSECT" : "EXCEPT",
					   "a join with SELECT DISTINCT");
	else
		ENT_TRY(ent_sql_bind_block(&k, select));
	*ret = k.q;
	return 0;
}

int ent_sql_bind(struct ent_arena *arena, struct ent_bytes sql, const struct ent_catalogue *catalogue, const char *default_org,
		 struct ent_query **ret, struct ent_err *err)
{
	struct ent_err own = ENT_ERR_INIT;
	struct ent_sql x = { .arena = arena, .err = err ? err : &own, .text = "", .catalogue = catalogue, .default_org = default_org };
	ENT_JSON_AUTO tree = NULL;
	const json_t *select = NULL;
	ENT_TRY(ent_sql_parse(&x, sql, &tree, &select));
	return ent_sql_bind_select(&x, select, NULL, ret);
}
