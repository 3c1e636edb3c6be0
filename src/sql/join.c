/* From relations and a pool of conjuncts to the normal form: an order in which every relation after the first meets earlier ones by at least one
 * equality, those equalities as keys, the rest as WHERE. Inner joins may change places; a left join waits until its whole left side stands. */
#include "sql/internal.h"

struct placing {
	struct ent_sql_block *k;
	const uint8_t *left_of;
	uint32_t placed;
	uint16_t order[ENT_SQL_RELS_MAX], map[ENT_SQL_RELS_MAX];
	size_t n;
};

static void mask_add(void *arg, const struct ent_expr *e)
{
	if (e->kind == ENT_X_COLUMN)
		*(uint32_t *)arg |= 1u << e->rel;
}

static uint32_t mask_of(const struct ent_expr *e)
{
	uint32_t mask = 0;
	ent_expr_walk(e, mask_add, &mask);
	return mask;
}

/* Is e an equality between relation r alone and some of the placed ones? 1: r stands right, -1: left, 0: no. */
static int key_side(const struct ent_expr *e, uint32_t placed, size_t r)
{
	if (e->kind != ENT_X_CALL || e->op != ENT_OP_EQ)
		return 0;
	uint32_t a = mask_of(e->args[0]), b = mask_of(e->args[1]), mine = 1u << r;
	if (b == mine && a && !(a & ~placed))
		return 1;
	return a == mine && b && !(b & ~placed) ? -1 : 0;
}

static bool linked(const struct placing *p, size_t r)
{
	for (size_t i = 0; i < p->k->n_pool; i++)
		if (key_side(p->k->pool[i], p->placed, r))
			return true;
	return false;
}

static bool may_place(const struct placing *p, size_t r)
{
	if (p->placed >> r & 1)
		return false;
	if (p->k->q->rels[r].join == ENT_JOIN_LEFT) {
		uint32_t left = (1u << r) - (1u << (p->left_of[r] - 1));
		return !(left & ~p->placed);
	}
	return !p->n || linked(p, r);
}

static int no_equality(struct placing *p)
{
	size_t r = 0;
	while (p->placed >> r & 1)
		r++;
	const char *what =
		ent_arena_printf(p->k->x->arena, "a join without an equality between %.60s and the tables before it", p->k->q->rels[r].alias);
	return ent_sql_unsupported(p->k->x, -1, what, "JOIN ... ON a.key = b.key, or the same equality in WHERE");
}

static int find_order(struct placing *p)
{
	size_t n = p->k->q->n_rels;
	while (p->n < n) {
		size_t r = 0;
		while (r < n && !may_place(p, r))
			r++;
		if (r == n)
			return no_equality(p);
		p->map[r] = (uint16_t)p->n;
		p->order[p->n++] = (uint16_t)r;
		p->placed |= 1u << r;
	}
	return 0;
}

/* Moves every equality that ties r to the placed ones from list to r's keys. */
static int take_keys(struct ent_sql *x, struct ent_rel *rel, size_t r, uint32_t placed, struct ent_expr **list, size_t *n)
{
	size_t kept = 0;
	rel->left_keys = ENT_NEWS(x->arena, *n + 1, struct ent_expr *);
	rel->right_keys = ENT_NEWS(x->arena, *n + 1, struct ent_expr *);
	if (!rel->left_keys || !rel->right_keys)
		return ent_nomem(x->err);
	for (size_t i = 0; i < *n; i++) {
		int side = key_side(list[i], placed, r);
		if (!side) {
			list[kept++] = list[i];
			continue;
		}
		rel->left_keys[rel->n_keys] = list[i]->args[side < 0];
		rel->right_keys[rel->n_keys++] = list[i]->args[side > 0];
	}
	*n = kept;
	return 0;
}

static int conjunction(struct ent_sql *x, struct ent_expr **list, size_t n, struct ent_expr **ret)
{
	*ret = NULL;
	return n ? ent_sql_call(x, ENT_OP_AND, ent_sql_type(ENT_T_BOOL), list, n, -1, ret) : 0;
}

static int left_keys(struct placing *p, struct ent_rel *rel, size_t r, uint32_t placed)
{
	struct ent_sql *x = p->k->x;
	struct ent_sql_block on = { .x = x };
	ENT_TRY(ent_sql_pool_add(&on, rel->on));
	ENT_TRY(take_keys(x, rel, r, placed, on.pool, &on.n_pool));
	if (!rel->n_keys)
		return ent_sql_unsupported(x, -1, ent_arena_printf(x->arena, "LEFT JOIN %.60s without an equality", rel->alias),
					   "LEFT JOIN ... ON a.key = b.key");
	return conjunction(x, on.pool, on.n_pool, &rel->on);
}

static int all_keys(struct placing *p)
{
	uint32_t placed = 0;
	for (size_t i = 0; i < p->n; i++) {
		size_t r = p->order[i];
		struct ent_rel *rel = &p->k->q->rels[r];
		if (rel->join == ENT_JOIN_LEFT)
			ENT_TRY(left_keys(p, rel, r, placed));
		else if (i)
			ENT_TRY(take_keys(p->k->x, rel, r, placed, p->k->pool, &p->k->n_pool));
		placed |= 1u << r;
	}
	return conjunction(p->k->x, p->k->pool, p->k->n_pool, &p->k->q->where);
}

/* A copy with relation numbers in the new order. */
static int renumber(struct placing *p, struct ent_expr **e)
{
	struct ent_expr *c;
	if (!*e)
		return 0;
	ENT_TRY(ent_sql_node(p->k->x, (*e)->kind, (*e)->type.id, &c));
	*c = **e;
	c->rel = c->kind == ENT_X_COLUMN ? p->map[c->rel] : 0;
	if (c->n_args) {
		c->args = ENT_NEWS(p->k->x->arena, c->n_args, struct ent_expr *);
		if (!c->args)
			return ent_nomem(p->k->x->err);
	}
	for (size_t i = 0; i < c->n_args; i++) {
		c->args[i] = (*e)->args[i];
		ENT_TRY(renumber(p, &c->args[i]));
	}
	*e = c;
	return 0;
}

static int apply_order(struct placing *p)
{
	struct ent_query *q = p->k->q;
	struct ent_rel *rels = ENT_NEWS(p->k->x->arena, ENT_SQL_RELS_MAX, struct ent_rel);
	if (!rels)
		return ent_nomem(p->k->x->err);
	for (size_t i = 0; i < p->n; i++) {
		rels[i] = q->rels[p->order[i]];
		rels[i].join = !i ? ENT_JOIN_FIRST : rels[i].join == ENT_JOIN_LEFT ? ENT_JOIN_LEFT : ENT_JOIN_INNER;
		for (size_t j = 0; j < rels[i].n_keys; j++) {
			ENT_TRY(renumber(p, &rels[i].left_keys[j]));
			ENT_TRY(renumber(p, &rels[i].right_keys[j]));
		}
		ENT_TRY(renumber(p, &rels[i].on));
	}
	q->rels = rels;
	for (size_t i = 0; i < p->k->n_seen; i++)
		p->k->seen[i].rel = p->map[p->k->seen[i].rel];
	return renumber(p, &q->where);
}

int ent_sql_join_place(struct ent_sql_block *k, const uint8_t *left_of)
{
	struct placing p = { .k = k, .left_of = left_of };
	bool moved = false;
	ENT_TRY(find_order(&p));
	ENT_TRY(all_keys(&p));
	for (size_t i = 0; i < p.n; i++)
		moved |= p.order[i] != i;
	return moved ? apply_order(&p) : 0;
}
