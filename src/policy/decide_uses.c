/* Rule 1: which uses of which base columns the query needs. Needs travel from where an expression stands (WHERE, GROUP BY, an aggregate, the
 * result) down to columns, through subqueries, once per item and need. */
#include "policy/decide.h"

#define BIT(use) ENT_USE_BIT(ENT_USE_##use)
#define VALUE_USES (ENT_USE_AGGREGATES | BIT(JOIN))

static void walk(struct ent_decide *c, struct ent_block *b, const struct ent_expr *e, uint32_t needs, bool grouped);

static size_t columns_below(const struct ent_expr *e)
{
	size_t n = e->kind == ENT_X_COLUMN;
	for (size_t i = 0; i < e->n_args; i++)
		n += columns_below(e->args[i]);
	return n;
}

static size_t args_with_columns(const struct ent_expr *e)
{
	size_t n = 0;
	for (size_t i = 0; i < e->n_args; i++)
		n += columns_below(e->args[i]) > 0;
	return n;
}

/* Do values of two tables stand in one row: of one owner (same), or of two? Branches of a UNION ALL never meet. */
static bool tables_meet(const struct ent_decide *c, uint64_t tables, bool same)
{
	for (size_t i = 0; i < c->n_bases; i++)
		for (size_t j = i + 1; j < c->n_bases; j++)
			if ((tables >> i & 1) && (tables >> j & 1) && (c->bases[i].together >> j & 1) &&
			    same == !strcmp(c->bases[i].table->org, c->bases[j].table->org))
				return true;
	return false;
}

/* Tables of one owner only? */
static bool single_owner(const struct ent_decide *c, uint64_t tables)
{
	const char *org = NULL;
	for (size_t i = 0; i < c->n_bases; i++) {
		if (!(tables >> i & 1))
			continue;
		if (org && strcmp(org, c->bases[i].table->org) != 0)
			return false;
		org = c->bases[i].table->org;
	}
	return true;
}

/* x * constant, or x * one column of the same table; across owners AGGREGATE(mixed) speaks. */
static bool mul_is_plain(const struct ent_decide *c, const struct ent_block *b, const struct ent_expr *e)
{
	struct ent_value_info l = ent_decide_value(c, b, e->args[0]), r = ent_decide_value(c, b, e->args[1]);
	if (!l.degree || !r.degree)
		return true;
	return l.degree + r.degree <= 2 && !tables_meet(c, l.tables | r.tables, true);
}

static bool cast_is_plain(const struct ent_expr *e)
{
	struct ent_type from = e->args[0]->type, to = e->type;
	if (ent_type_eq(from, to) || from.id == ENT_T_BOOL)
		return true;
	if (ent_type_is_int(from))
		return ent_type_is_float(to) || to.id == ENT_T_DECIMAL || (ent_type_is_int(to) && to.id > from.id);
	if (from.id == ENT_T_DECIMAL)
		return ent_type_is_float(to) || (to.id == ENT_T_DECIMAL && to.scale >= from.scale);
	return (from.id == ENT_T_REAL && to.id == ENT_T_DOUBLE) || (ent_type_is_time(from) && ent_type_is_time(to));
}

/* May this operation apply to a column without FILTER when its value is aggregated or joined? */
static bool value_op_is_plain(const struct ent_decide *c, const struct ent_block *b, const struct ent_expr *e)
{
	switch (e->op) {
	case ENT_OP_ADD:
	case ENT_OP_SUB:
	case ENT_OP_NEG:
	case ENT_OP_DATE_SUB:
	case ENT_OP_DATE_ADD:
		return true;
	case ENT_OP_MUL:
		return mul_is_plain(c, b, e);
	case ENT_OP_CAST:
		return cast_is_plain(e);
	default:
		return false;
	}
}

static bool same_column(const struct ent_expr *a, const struct ent_expr *b)
{
	return a->kind == ENT_X_COLUMN && b->kind == ENT_X_COLUMN && a->rel == b->rel && a->column == b->column;
}

/* A label may be the column, a date part of it, or a band of fixed width: shifts and scales by constants, floor, rounding, x - x % c. */
static bool label_op_is_plain(const struct ent_expr *e)
{
	switch (e->op) {
	case ENT_OP_SUB:
		if (e->args[1]->kind == ENT_X_CALL && e->args[1]->op == ENT_OP_MOD && same_column(e->args[0], e->args[1]->args[0]))
			return columns_below(e->args[1]->args[1]) == 0;
		return args_with_columns(e) <= 1;
	case ENT_OP_ADD:
	case ENT_OP_MUL:
	case ENT_OP_ROUND:
		return args_with_columns(e) <= 1;
	case ENT_OP_DIV:
	case ENT_OP_MOD:
		return columns_below(e->args[1]) == 0;
	case ENT_OP_NEG:
	case ENT_OP_CAST:
	case ENT_OP_FLOOR:
	case ENT_OP_CEIL:
	case ENT_OP_EXTRACT:
	case ENT_OP_DATE_TRUNC:
		return true;
	default:
		return false;
	}
}

static bool needs_filter(const struct ent_decide *c, const struct ent_block *b, const struct ent_expr *e, uint32_t needs)
{
	if (needs & BIT(SELECT))
		return false; /* SELECT includes FILTER: its own line tells */
	return ((needs & (VALUE_USES | ENT_NEED_EQUAL)) && !value_op_is_plain(c, b, e)) || ((needs & BIT(GROUP)) && !label_op_is_plain(e));
}

/* What a condition inside a value needs: FILTER, and to be shown or to be a label if the value is. Aggregates do not reach into it. */
static uint32_t condition_needs(uint32_t needs) { return BIT(FILTER) | (needs & (BIT(SELECT) | BIT(GROUP) | BIT(JOIN))); }

static void need_base(struct ent_decide *c, const struct ent_table *t, size_t column, uint32_t needs)
{
	c->bases[ent_decide_base(c, t)].needs[column] |= needs;
}

static void need_column(struct ent_decide *c, struct ent_block *b, const struct ent_expr *e, uint32_t needs)
{
	const struct ent_rel *r = &b->query->rels[e->rel];
	if (r->kind == ENT_REL_TABLE) {
		need_base(c, r->table, e->column, needs);
		return;
	}
	for (size_t i = 0; i < r->n_branches; i++) {
		struct ent_block *inner = ent_decide_block(c, r->branches[i]);
		size_t at = ent_decide_item(inner->query, e->column);
		struct ent_item_info *item = &inner->items[at];
		bool grouped = inner->query->aggregate;
		uint32_t fresh = (grouped ? needs & ~BIT(SELECT) : needs) & ~item->done;
		if (!fresh && item->visited)
			continue;
		item->done |= fresh;
		item->visited = true;
		walk(c, inner, inner->query->items[at].expr, fresh, grouped);
	}
}

static uint32_t aggregate_use(enum ent_agg agg)
{
	switch (agg) {
	case ENT_AGG_COUNT_STAR:
	case ENT_AGG_COUNT:
		return BIT(COUNT);
	case ENT_AGG_SUM:
		return BIT(SUM);
	case ENT_AGG_AVG:
		return BIT(AVG);
	case ENT_AGG_MIN:
		return BIT(MIN);
	case ENT_AGG_MAX:
		return BIT(MAX);
	}
	return 0;
}

static void count_rows(struct ent_decide *c, uint64_t tables)
{
	for (size_t i = 0; i < c->n_bases; i++)
		if (tables >> i & 1)
			c->bases[i].rows_counted = true;
}

static void walk_aggregate(struct ent_decide *c, struct ent_block *b, const struct ent_expr *e, uint32_t outer)
{
	uint64_t tables = e->n_args ? ent_decide_value(c, b, e->args[0]).tables : 0;
	uint32_t needs = aggregate_use(e->agg) | (outer & ~BIT(SELECT));
	if (!tables)
		count_rows(c, b->tables);
	if (tables_meet(c, tables, false))
		needs |= BIT(MIXED);
	if (e->n_args)
		walk(c, b, e->args[0], needs, false);
	if (e->filter)
		walk(c, b, e->filter, BIT(FILTER), false);
}

static bool is_label(const struct ent_block *b, const struct ent_expr *e)
{
	for (size_t i = 0; i < b->query->n_group; i++)
		if (ent_expr_eq(b->query->group[i], e))
			return true;
	return false;
}

/* CALL and CASE. In a grouped block without needs, operations run on values that are opened anyway. */
static void walk_args(struct ent_decide *c, struct ent_block *b, const struct ent_expr *e, uint32_t needs, bool grouped)
{
	bool free = grouped && !needs;
	uint32_t inner = needs;
	if (!free && ent_decide_is_comparison(e))
		inner = condition_needs(needs);
	else if (!free && e->kind == ENT_X_CALL && needs_filter(c, b, e, needs))
		inner |= BIT(FILTER);
	for (size_t i = 0; i < e->n_args; i++) {
		bool condition = e->kind == ENT_X_CASE && i % 2 == 0 && i + 1 < e->n_args;
		walk(c, b, e->args[i], condition && !free ? condition_needs(needs) : inner, grouped);
	}
}

/* grouped: e stands among the items or in HAVING of a block that groups. */
static void walk(struct ent_decide *c, struct ent_block *b, const struct ent_expr *e, uint32_t needs, bool grouped)
{
	if (grouped && is_label(b, e)) {
		if (needs)
			walk(c, b, e, needs | BIT(GROUP), false);
		return;
	}
	switch (e->kind) {
	case ENT_X_CONST:
		return;
	case ENT_X_COLUMN:
		need_column(c, b, e, grouped ? needs | BIT(GROUP) : needs);
		return;
	case ENT_X_AGG:
		walk_aggregate(c, b, e, needs);
		return;
	case ENT_X_CALL:
	case ENT_X_CASE:
		walk_args(c, b, e, needs, grouped);
		return;
	}
}

/* Equality of two sides: JOIN between owners, "JOIN or FILTER" within one. */
static void walk_equality(struct ent_decide *c, struct ent_block *b, const struct ent_expr *l, const struct ent_expr *r)
{
	uint64_t lt = ent_decide_value(c, b, l).tables, rt = ent_decide_value(c, b, r).tables;
	uint32_t needs = single_owner(c, lt | rt) ? ENT_NEED_EQUAL : BIT(JOIN);
	walk(c, b, l, needs, false);
	walk(c, b, r, needs, false);
}

static bool is_outer_key(const struct ent_block *b, const struct ent_expr *e)
{
	if (e->kind != ENT_X_COLUMN || b->query->rels[e->rel].join != ENT_JOIN_LEFT)
		return false;
	const struct ent_rel *r = &b->query->rels[e->rel];
	for (size_t i = 0; i < r->n_keys; i++)
		if (same_column(r->right_keys[i], e))
			return true;
	return false;
}

static bool is_owners_equality(const struct ent_decide *c, const struct ent_block *b, const struct ent_expr *e)
{
	if (e->op != ENT_OP_EQ)
		return false;
	uint64_t l = ent_decide_value(c, b, e->args[0]).tables, r = ent_decide_value(c, b, e->args[1]).tables;
	return l && r && single_owner(c, l) && single_owner(c, r) && !single_owner(c, l | r);
}

/* WHERE and what remains of ON, split at top-level ANDs. */
static void walk_condition(struct ent_decide *c, struct ent_block *b, const struct ent_expr *e)
{
	if (e->kind == ENT_X_CALL && e->op == ENT_OP_AND) {
		for (size_t i = 0; i < e->n_args; i++)
			walk_condition(c, b, e->args[i]);
	} else if (e->kind == ENT_X_CALL && is_owners_equality(c, b, e)) {
		walk_equality(c, b, e->args[0], e->args[1]);
	} else if (e->kind == ENT_X_CALL && e->op == ENT_OP_IS_NULL && is_outer_key(b, e->args[0])) {
		walk(c, b, e->args[0], ENT_NEED_EQUAL, false);
	} else {
		walk(c, b, e, BIT(FILTER), false);
	}
}

static void walk_rel(struct ent_decide *c, struct ent_block *b, const struct ent_rel *r)
{
	for (size_t i = 0; i < r->n_keys; i++)
		walk_equality(c, b, r->left_keys[i], r->right_keys[i]);
	if (r->on)
		walk_condition(c, b, r->on);
}

static void walk_block(struct ent_decide *c, struct ent_block *b)
{
	const struct ent_query *q = b->query;
	for (size_t i = 0; i < q->n_rels; i++)
		walk_rel(c, b, &q->rels[i]);
	if (q->where)
		walk_condition(c, b, q->where);
	for (size_t i = 0; i < q->n_group; i++)
		walk(c, b, q->group[i], BIT(GROUP), false);
	if (q->having)
		walk(c, b, q->having, b->top ? 0 : BIT(FILTER), true);
	for (size_t i = 0; b->top && i < q->n_items; i++)
		walk(c, b, q->items[i].expr, q->aggregate ? 0 : BIT(SELECT), q->aggregate);
}

int ent_decide_uses(struct ent_decide *c)
{
	for (size_t i = 0; i < c->n_blocks; i++)
		walk_block(c, &c->blocks[i]);
	return 0;
}
