/* The query as policy sees it: base tables, blocks from the inside out, and which tables' values flow into each item. */
#include "policy/decide.h"

void *ent_decide_more(struct ent_decide *c, void *array, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return array;
	size_t wider_room = *room ? *room * 2 : 8;
	void *wider = ent_arena_get(c->arena, wider_room, size);
	if (!wider)
		return NULL;
	if (n)
		memcpy(wider, array, n * size);
	*room = wider_room;
	return wider;
}

static bool same_table(const struct ent_table *a, const struct ent_table *b)
{
	return a == b || (!strcmp(a->org, b->org) && !strcmp(a->name, b->name));
}

size_t ent_decide_base(const struct ent_decide *c, const struct ent_table *t)
{
	size_t i = 0;
	while (i < c->n_bases && !same_table(c->bases[i].table, t))
		i++;
	return i;
}

bool ent_decide_own(const struct ent_decide *c, size_t base) { return !strcmp(c->bases[base].table->org, c->in->requester); }

struct ent_block *ent_decide_block(const struct ent_decide *c, const struct ent_query *q)
{
	size_t i = 0;
	while (i < c->n_blocks && c->blocks[i].query != q)
		i++;
	ENT_ASSERT(i < c->n_blocks); /* inner blocks are entered before outer ones */
	return &c->blocks[i];
}

size_t ent_decide_item(const struct ent_query *q, size_t column)
{
	size_t shown = 0;
	size_t i = 0;
	while (i < q->n_items && (q->items[i].hidden || shown++ != column))
		i++;
	ENT_ASSERT(i < q->n_items); /* a relation shows no more columns than its query has items */
	return i;
}

bool ent_decide_is_comparison(const struct ent_expr *e)
{
	switch (e->op) {
	case ENT_OP_EQ:
	case ENT_OP_NE:
	case ENT_OP_LT:
	case ENT_OP_LE:
	case ENT_OP_GT:
	case ENT_OP_GE:
	case ENT_OP_AND:
	case ENT_OP_OR:
	case ENT_OP_NOT:
	case ENT_OP_IS_NULL:
	case ENT_OP_IN:
	case ENT_OP_LIKE:
		return e->kind == ENT_X_CALL;
	default:
		return false;
	}
}

static struct ent_value_info column_value(const struct ent_decide *c, const struct ent_block *b, const struct ent_expr *e)
{
	const struct ent_rel *r = &b->query->rels[e->rel];
	struct ent_value_info v = { .degree = 1 };
	if (r->kind == ENT_REL_TABLE)
		v.tables = 1ull << ent_decide_base(c, r->table);
	for (size_t i = 0; r->kind != ENT_REL_TABLE && i < r->n_branches; i++) {
		const struct ent_block *inner = ent_decide_block(c, r->branches[i]);
		const struct ent_item_info *item = &inner->items[ent_decide_item(inner->query, e->column)];
		v.tables |= item->tables;
		v.degree = item->degree > v.degree ? item->degree : v.degree;
	}
	return v;
}

/* Where the values of a CASE stand among its arguments: then, then, ..., else. */
static bool is_case_condition(const struct ent_expr *e, size_t arg) { return e->kind == ENT_X_CASE && arg % 2 == 0 && arg + 1 < e->n_args; }

struct ent_value_info ent_decide_value(const struct ent_decide *c, const struct ent_block *b, const struct ent_expr *e)
{
	struct ent_value_info v = { 0 };
	if (e->kind == ENT_X_COLUMN)
		return column_value(c, b, e);
	if (ent_decide_is_comparison(e))
		return v;
	for (size_t i = 0; i < e->n_args; i++) {
		if (is_case_condition(e, i))
			continue;
		struct ent_value_info a = ent_decide_value(c, b, e->args[i]);
		v.tables |= a.tables;
		if (e->kind == ENT_X_CALL && e->op == ENT_OP_MUL)
			v.degree = v.degree + a.degree > 1000 ? 1000 : v.degree + a.degree;
		else
			v.degree = a.degree > v.degree ? a.degree : v.degree;
	}
	return v;
}

struct columns_walk {
	struct ent_decide *c;
	bool conditions;
	void (*fn)(void *arg, size_t base, size_t column);
	void *arg;
	uint32_t stamp;
};

static void walk_columns(const struct columns_walk *w, const struct ent_block *b, const struct ent_expr *e);

static void walk_column(const struct columns_walk *w, const struct ent_block *b, const struct ent_expr *e)
{
	const struct ent_rel *r = &b->query->rels[e->rel];
	if (r->kind == ENT_REL_TABLE) {
		w->fn(w->arg, ent_decide_base(w->c, r->table), e->column);
		return;
	}
	for (size_t i = 0; i < r->n_branches; i++) {
		const struct ent_block *inner = ent_decide_block(w->c, r->branches[i]);
		size_t at = ent_decide_item(inner->query, e->column);
		if (inner->items[at].stamp == w->stamp)
			continue;
		inner->items[at].stamp = w->stamp;
		walk_columns(w, inner, inner->query->items[at].expr);
	}
}

static void walk_columns(const struct columns_walk *w, const struct ent_block *b, const struct ent_expr *e)
{
	if (e->kind == ENT_X_COLUMN) {
		walk_column(w, b, e);
		return;
	}
	if (!w->conditions && ent_decide_is_comparison(e))
		return;
	for (size_t i = 0; i < e->n_args; i++)
		if (w->conditions || !is_case_condition(e, i))
			walk_columns(w, b, e->args[i]);
	if (w->conditions && e->kind == ENT_X_AGG && e->filter)
		walk_columns(w, b, e->filter);
}

void ent_decide_columns(struct ent_decide *c, const struct ent_block *b, const struct ent_expr *e, bool conditions,
			void (*fn)(void *arg, size_t base, size_t column), void *arg)
{
	struct columns_walk w = { .c = c, .conditions = conditions, .fn = fn, .arg = arg, .stamp = ++c->stamp };
	walk_columns(&w, b, e);
}

static int add_base(struct ent_decide *c, const struct ent_table *t, uint64_t *ret)
{
	size_t i = ent_decide_base(c, t);
	if (i == ENT_POLICY_TABLES_MAX) {
		ent_fail(c->err, ENT_EUNSUPPORTED, "the query uses more than %d different tables", ENT_POLICY_TABLES_MAX);
		return ent_next(c->err, "split it into several queries");
	}
	if (i == c->n_bases) {
		c->bases[i].table = t;
		c->bases[i].needs = ENT_NEWS(c->arena, t->n_columns + 1, uint32_t);
		if (!c->bases[i].needs)
			return ent_nomem(c->err);
		c->n_bases++;
	}
	*ret = 1ull << i;
	return 0;
}

static int add_block(struct ent_decide *c, const struct ent_query *q, bool top, struct ent_block *ret);

static int add_rel(struct ent_decide *c, const struct ent_rel *r, uint64_t *tables, uint64_t *bare)
{
	*tables = *bare = 0;
	if (r->kind == ENT_REL_TABLE) {
		ENT_TRY(add_base(c, r->table, tables));
		*bare = *tables;
		return 0;
	}
	for (size_t i = 0; i < r->n_branches; i++) {
		struct ent_block inner;
		ENT_TRY(add_block(c, r->branches[i], false, &inner));
		*tables |= inner.tables;
		if (!inner.query->aggregate)
			*bare |= inner.bare;
	}
	return 0;
}

static void meet(struct ent_decide *c, uint64_t a, uint64_t b)
{
	for (size_t i = 0; i < c->n_bases; i++) {
		if (a >> i & 1)
			c->bases[i].together |= b;
		if (b >> i & 1)
			c->bases[i].together |= a;
	}
}

static int add_block(struct ent_decide *c, const struct ent_query *q, bool top, struct ent_block *ret)
{
	struct ent_block b = { .query = q, .top = top };
	if (!top && (q->n_order || q->limit >= 0 || q->offset > 0)) {
		ent_fail(c->err, ENT_EUNSUPPORTED, "ORDER BY and LIMIT inside a subquery are not supported");
		ent_why(c->err, "they would run under MPC before the outer query, on groups nobody may see");
		return ent_next(c->err, "move them to the end of the whole query");
	}
	for (size_t i = 0; i < q->n_rels; i++) {
		uint64_t tables, bare;
		ENT_TRY(add_rel(c, &q->rels[i], &tables, &bare));
		meet(c, b.tables, tables);
		b.tables |= tables;
		b.bare |= bare;
	}
	b.items = ENT_NEWS(c->arena, q->n_items + 1, struct ent_item_info);
	struct ent_block *list = ent_decide_more(c, c->blocks, c->n_blocks, &c->blocks_room, sizeof *list);
	if (!b.items || !list)
		return ent_nomem(c->err);
	c->blocks = list;
	for (size_t i = 0; i < q->n_items; i++) {
		struct ent_value_info v = ent_decide_value(c, &b, q->items[i].expr);
		b.items[i] = (struct ent_item_info){ .tables = v.tables, .degree = v.degree };
	}
	c->blocks[c->n_blocks++] = b;
	*ret = b;
	return 0;
}

int ent_decide_tables(struct ent_decide *c)
{
	struct ent_block top;
	c->bases = ENT_NEWS(c->arena, ENT_POLICY_TABLES_MAX, struct ent_base);
	if (!c->bases)
		return ent_nomem(c->err);
	return add_block(c, c->in->query, true, &top);
}
