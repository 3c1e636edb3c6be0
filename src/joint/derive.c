/* Subqueries in FROM with GROUP BY over one table: their owner runs them, and they enter the joint part as a table whose key is the group.
 * Over a protected table every inner group holds at least k rows before anything outside sees it, and a cell over fewer than k values is NULL;
 * so one derived row already stands for k rows of the table. */
#include "joint/internal.h"

static struct ent_expr *make(struct ent_arena *arena, struct ent_expr e, struct ent_expr *a, struct ent_expr *b)
{
	struct ent_expr *x = ENT_NEW(arena, struct ent_expr);
	size_t n = (a ? 1u : 0u) + (b ? 1u : 0u);
	if (!x)
		return NULL;
	*x = e;
	x->n_args = n;
	x->args = n ? ENT_NEWS(arena, n, struct ent_expr *) : NULL;
	if (n && !x->args)
		return NULL;
	if (n)
		x->args[0] = a;
	if (n > 1)
		x->args[1] = b;
	return x;
}

/* COUNT(arg) or COUNT(*) >= k */
static struct ent_expr *at_least(struct ent_arena *arena, struct ent_expr *arg, uint32_t k)
{
	struct ent_type wide = { .id = ENT_T_INT64 };
	struct ent_expr count = { .kind = ENT_X_AGG, .type = wide, .agg = arg ? ENT_AGG_COUNT : ENT_AGG_COUNT_STAR };
	struct ent_expr *n = make(arena, count, arg, NULL),
			*least = make(arena, (struct ent_expr){ .kind = ENT_X_CONST, .type = wide, .value = k }, NULL, NULL);
	if (!n || !least)
		return NULL;
	return make(arena, (struct ent_expr){ .kind = ENT_X_CALL, .op = ENT_OP_GE, .type = { .id = ENT_T_BOOL } }, n, least);
}

struct held_walk {
	const struct ent_decision *decision;
	bool filtered, distinct, unknown;
};

static void find_held(void *arg, const struct ent_expr *e)
{
	struct held_walk *w = arg;
	if (e->kind != ENT_X_AGG)
		return;
	const struct ent_decision_agg *d = ent_decision_agg_of(w->decision, e);
	w->unknown |= !d;
	w->filtered |= d && d->held == ENT_HELD_FILTERED;
	w->distinct |= e->distinct;
}

/* Rule 4 as decided; conditions inside a subquery's aggregates are not held there. */
static int check_held(const struct ent_decision *decision, const struct ent_expr *e, struct ent_err *err)
{
	struct held_walk w = { .decision = decision };
	ent_expr_walk(e, find_held, &w);
	if (w.unknown)
		return ent_fail(err, ENT_EINTERNAL, "the decision says nothing about an aggregate of a subquery");
	if (!w.filtered && !w.distinct)
		return 0;
	ent_fail(err, ENT_EUNSUPPORTED, "CASE, COALESCE, NULLIF, FILTER or DISTINCT in an aggregated subquery over a protected table");
	return ent_next(err, "filter the rows in its WHERE, or aggregate in the outer query");
}

/* CASE WHEN COUNT(arg) >= k THEN agg END */
static struct ent_expr *guarded(struct ent_arena *arena, struct ent_expr *agg, uint32_t k)
{
	struct ent_expr *enough = at_least(arena, agg->args[0], k),
			null = { .kind = ENT_X_CONST, .type = agg->type, .nullable = true, .is_null = true };
	struct ent_expr *e = enough ? make(arena, (struct ent_expr){ .kind = ENT_X_CASE, .type = agg->type, .nullable = true }, enough, agg) : NULL;
	struct ent_expr **args = ENT_NEWS(arena, 3, struct ent_expr *);
	if (!e || !args)
		return NULL;
	args[0] = enough;
	args[1] = agg;
	args[2] = make(arena, null, NULL, NULL);
	e->args = args;
	e->n_args = 3;
	return args[2] ? e : NULL;
}

static struct ent_expr *rewrite(struct ent_arena *arena, const struct ent_decision *d, struct ent_expr *e, uint32_t k)
{
	if (e->kind == ENT_X_AGG)
		return ent_decision_agg_of(d, e)->non_null ? guarded(arena, e, k) : e;
	if (!e->n_args)
		return e;
	struct ent_expr *x = make(arena, *e, NULL, NULL);
	struct ent_expr **args = ENT_NEWS(arena, e->n_args, struct ent_expr *);
	for (size_t i = 0; x && args && i < e->n_args; i++)
		if (!(args[i] = rewrite(arena, d, e->args[i], k)))
			return NULL;
	if (!x || !args)
		return NULL;
	x->args = args;
	x->n_args = e->n_args;
	x->nullable = true;
	return x;
}

static bool is_group(const struct ent_query *q, const struct ent_expr *e)
{
	for (size_t i = 0; i < q->n_group; i++)
		if (ent_expr_eq(q->group[i], e))
			return true;
	return false;
}

static int hold_to_k(struct ent_arena *arena, struct ent_query *q, const struct ent_decision *d, uint32_t k, struct ent_err *err)
{
	struct ent_expr *enough = at_least(arena, NULL, k);
	struct ent_item *items = ENT_NEWS(arena, q->n_items, struct ent_item);
	if (!enough || !items)
		return ent_nomem(err);
	for (size_t i = 0; i < q->n_items; i++) {
		items[i] = q->items[i];
		if (is_group(q, items[i].expr))
			continue;
		ENT_TRY(check_held(d, items[i].expr, err));
		if (!(items[i].expr = rewrite(arena, d, q->items[i].expr, k)))
			return ent_nomem(err);
	}
	q->items = items;
	q->having = q->having ? make(arena, (struct ent_expr){ .kind = ENT_X_CALL, .op = ENT_OP_AND, .type = { .id = ENT_T_BOOL }, .nullable = true },
				     q->having, enough)
			      : enough;
	return q->having ? 0 : ent_nomem(err);
}

static int describe(struct ent_arena *arena, const struct ent_rel *rel, const struct ent_query *q, struct ent_table *t, struct ent_err *err)
{
	const struct ent_table *base = q->rels[0].table;
	struct ent_column *columns = ENT_NEWS(arena, q->n_items + 1, struct ent_column);
	struct ent_unique *key = ENT_NEW(arena, struct ent_unique);
	uint16_t *key_columns = ENT_NEWS(arena, q->n_items + 1, uint16_t);
	if (!columns || !key || !key_columns)
		return ent_nomem(err);
	*t = (struct ent_table){
		.org = base->org, .name = rel->alias, .columns = columns, .keys = key, .rows_padded = base->rows_padded, .version = base->version
	};
	memcpy(t->facts_sha256, base->facts_sha256, sizeof t->facts_sha256);
	key->columns = key_columns;
	for (size_t i = 0; i < q->n_items; i++) {
		const struct ent_expr *e = q->items[i].expr;
		unsigned bits = ent_joint_table_bits(base, e);
		if (q->items[i].hidden)
			return ent_fail(err, ENT_EUNSUPPORTED, "ORDER BY in a subquery");
		columns[i] = (struct ent_column){
			.name = q->items[i].name, .type = e->type, .nullable = e->nullable, .bound_bits = bits < 63 ? (uint8_t)bits : 0
		};
		if (e->kind == ENT_X_COLUMN && e->type.id == ENT_T_TEXT)
			columns[i].distinct_padded = base->columns[e->column].distinct_padded;
		if (is_group(q, e))
			key_columns[key->n_columns++] = (uint16_t)i;
	}
	t->n_columns = q->n_items;
	t->n_keys = key->n_columns == q->n_group; /* a group that is not selected leaves no key */
	return 0;
}

int ent_joint_derive(struct ent_arena *arena, const struct ent_rel *rel, const struct ent_decision *decision, uint32_t k,
		     struct ent_query **ret_query, struct ent_table **ret_table, struct ent_err *err)
{
	struct ent_query *q = ENT_NEW(arena, struct ent_query);
	struct ent_table *t = ENT_NEW(arena, struct ent_table);
	if (!q || !t)
		return ent_nomem(err);
	*q = *rel->branches[0];
	ENT_TRY(describe(arena, rel, q, t, err));
	if (k)
		ENT_TRY(hold_to_k(arena, q, decision, k, err));
	for (size_t i = 0; k && i < q->n_items; i++) {
		union { /* the columns are ours */
			const struct ent_column *in;
			struct ent_column *out;
		} c = { .in = &t->columns[i] };
		c.out->nullable = c.out->nullable || !is_group(q, q->items[i].expr);
	}
	*ret_query = q;
	*ret_table = t;
	return 0;
}
