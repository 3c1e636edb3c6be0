/* From a bound query to a physical plan: sources, joins, conditions, aggregates. Pure; everything lives in the caller's arena.
 * The order is the query's own; each join needs one unique side, known from the published keys. */
#include "joint/plan.h"

#include <stdlib.h>

#include "joint/internal.h"

static int unsupported(struct ent_err *err, const char *what, const char *next)
{
	ent_fail(err, ENT_EUNSUPPORTED, "%s", what);
	return ent_next(err, "%s", next);
}

/* ---- sources ---- */

static int party_of(const struct ent_joint_plan *p, const char *org)
{
	for (int i = 0; i < 3; i++)
		if (p->in.trio[i] && !strcmp(p->in.trio[i], org))
			return i;
	return -1;
}

static struct ent_expr *and_expr(struct ent_arena *arena, struct ent_expr *a, struct ent_expr *b)
{
	if (!a || !b)
		return a ? a : b;
	struct ent_expr *e = ENT_NEW(arena, struct ent_expr);
	if (!e || !(e->args = ENT_NEWS(arena, 2, struct ent_expr *)))
		return NULL;
	e->kind = ENT_X_CALL;
	e->op = ENT_OP_AND;
	e->type.id = ENT_T_BOOL;
	e->nullable = a->nullable || b->nullable;
	e->n_args = 2;
	e->args[0] = a;
	e->args[1] = b;
	return e;
}

static int add_source(struct ent_joint_plan *p, uint16_t rel, const struct ent_table *t, struct ent_err *err)
{
	if (p->n_sources == ENT_SOURCES_MAX)
		return unsupported(err, "too many tables in one query", "join fewer tables");
	p->sources[p->n_sources++] = (struct ent_jsource){ .rel = rel,
							   .table = t,
							   .base = t,
							   .rows = t->rows_padded ? (size_t)t->rows_padded : 1,
							   .party = party_of(p, t->org),
							   .counts = strcmp(t->org, p->in.requester) != 0 };
	return 0;
}

static int add_rel_sources(struct ent_joint_plan *p, uint16_t at, const struct ent_rel *rel, struct ent_err *err);

static const struct ent_decision_table *limit_of(const struct ent_joint_plan *p, const struct ent_table *t)
{
	int at = ent_decision_table_of(p->in.decision, t);
	return at < 0 ? NULL : &p->in.decision->tables[at];
}

static int refuse_table(const struct ent_table *t, struct ent_err *err)
{
	return ent_fail(err, ENT_EINTERNAL, "no decision was given for table %s.%s", t->org, t->name);
}

/* A subquery with GROUP BY over one table: its owner runs it. */
static int add_derived(struct ent_joint_plan *p, uint16_t at, const struct ent_rel *rel, struct ent_err *err)
{
	const struct ent_query *q = rel->branches[0];
	if (q->n_rels != 1 || q->rels[0].kind != ENT_REL_TABLE || !q->n_group || q->limit >= 0 || q->offset > 0)
		return unsupported(err, "an aggregated subquery over several tables or without GROUP BY",
				   "aggregate one table by some of its columns in the subquery");
	const struct ent_table *base = q->rels[0].table;
	const struct ent_decision_table *l = limit_of(p, base);
	struct ent_table *table;
	if (!l)
		return refuse_table(base, err);
	ENT_TRY(add_source(p, at, base, err));
	struct ent_jsource *s = &p->sources[p->n_sources - 1];
	ENT_TRY(ent_joint_derive(p->arena, rel, p->in.decision, l->protect ? l->k : 0, &s->derived, &table, err));
	s->table = table;
	return 0;
}

/* A branch without aggregates over one relation: its columns become expressions over the base table. */
static int add_branch(struct ent_joint_plan *p, uint16_t at, const struct ent_query *q, struct ent_err *err)
{
	if (q->aggregate || q->n_rels != 1 || q->limit >= 0 || q->offset > 0 || q->having)
		return unsupported(err, "a subquery with joins, aggregates or LIMIT inside FROM",
				   "subqueries in FROM and branches of UNION ALL may select, compute and filter over one table each");
	size_t first = p->n_sources;
	ENT_TRY(add_rel_sources(p, at, &q->rels[0], err));
	for (size_t i = first; i < p->n_sources; i++) {
		struct ent_jsource *s = &p->sources[i];
		struct ent_expr **columns = ENT_NEWS(p->arena, q->n_items ? q->n_items : 1, struct ent_expr *);
		struct ent_expr *where = q->where ? ent_joint_subst(p->arena, s, q->where) : NULL;
		for (size_t c = 0; columns && c < q->n_items; c++)
			if (!(columns[c] = ent_joint_subst(p->arena, s, q->items[c].expr)))
				return ent_nomem(err);
		if (!columns || (q->where && !where))
			return ent_nomem(err);
		s->where = and_expr(p->arena, s->where, where);
		s->columns = columns;
	}
	return 0;
}

static int add_rel_sources(struct ent_joint_plan *p, uint16_t at, const struct ent_rel *rel, struct ent_err *err)
{
	if (rel->kind == ENT_REL_TABLE)
		return add_source(p, at, rel->table, err);
	if (rel->kind == ENT_REL_QUERY && rel->branches[0]->aggregate)
		return add_derived(p, at, rel, err);
	for (size_t i = 0; i < rel->n_branches; i++)
		ENT_TRY(add_branch(p, at, rel->branches[i], err));
	return 0;
}

static int apply_limit(struct ent_joint_plan *p, struct ent_jrel *r, const struct ent_jsource *s, struct ent_err *err)
{
	const struct ent_decision_table *l = limit_of(p, s->base);
	if (!l)
		return refuse_table(s->base, err);
	uint32_t k = s->derived ? 1 : l->k; /* each group of a derived source already holds k rows */
	r->is_protected = r->is_protected || l->protect;
	if (l->protect && k > r->k)
		r->k = k;
	return 0;
}

static int make_rel(struct ent_joint_plan *p, uint16_t at, struct ent_err *err)
{
	struct ent_jrel *r = &p->rels[at];
	r->first_source = p->n_sources;
	ENT_TRY(add_rel_sources(p, at, &p->query->rels[at], err));
	r->n_sources = p->n_sources - r->first_source;
	r->nullable = p->query->rels[at].join == ENT_JOIN_LEFT;
	bool own = false, others = false;
	for (size_t i = 0; i < r->n_sources; i++) {
		struct ent_jsource *s = &p->sources[r->first_source + i];
		s->first_row = r->rows;
		r->rows += s->rows;
		ENT_TRY(apply_limit(p, r, s, err));
		own = own || !s->counts;
		others = others || s->counts;
	}
	r->mixed = r->is_protected && own && others;
	const struct ent_decision *d = p->in.decision;
	for (size_t i = 0; i < d->n_outers; i++)
		if (d->outers[i].block == p->query && d->outers[i].rel == at) {
			r->outer = true;
			r->anti = d->outers[i].anti;
		}
	if (r->is_protected && r->nullable && !r->outer)
		return ent_fail(err, ENT_EINTERNAL, "the decision says nothing about the outer join of %s", p->query->rels[at].alias);
	if (r->rows > (size_t)UINT32_MAX / 4)
		return unsupported(err, "a table of more than a thousand million rows", "select a smaller table");
	return 0;
}

/* ---- conjuncts ---- */

struct conjuncts {
	const struct ent_expr **at;
	size_t n;
};

static int split(struct ent_joint_plan *p, const struct ent_expr *e, struct conjuncts *c, struct ent_err *err)
{
	if (!e)
		return 0;
	if (e->kind == ENT_X_CALL && e->op == ENT_OP_AND) {
		for (size_t i = 0; i < e->n_args; i++)
			ENT_TRY(split(p, e->args[i], c, err));
		return 0;
	}
	const struct ent_expr **grown = ENT_NEWS(p->arena, c->n + 1, const struct ent_expr *);
	if (!grown)
		return ent_nomem(err);
	if (c->n)
		memcpy(grown, c->at, c->n * sizeof *grown);
	grown[c->n++] = e;
	c->at = grown;
	return 0;
}

/* Gives a conjunct over one relation to the owners of that relation. */
static int push_filter(struct ent_joint_plan *p, uint16_t rel, const struct ent_expr *e, struct ent_err *err)
{
	const struct ent_jrel *r = &p->rels[rel];
	for (size_t i = 0; i < r->n_sources; i++) {
		struct ent_jsource *s = &p->sources[r->first_source + i];
		struct ent_expr *x = ent_joint_subst(p->arena, s, e);
		if (!x || !(s->where = and_expr(p->arena, s->where, x)))
			return ent_nomem(err);
	}
	return 0;
}

static int plan_where(struct ent_joint_plan *p, struct ent_err *err)
{
	struct conjuncts all = { 0 }, rest = { 0 };
	ENT_TRY(split(p, p->query->where, &all, err));
	for (size_t i = 0; i < all.n; i++) {
		uint16_t rel;
		struct ent_enc enc;
		if (ent_joint_expr_rel(all.at[i], &rel) && !p->rels[rel].nullable && ent_joint_pushable(p, all.at[i], &rel)) {
			ENT_TRY(push_filter(p, rel, all.at[i], err));
			continue;
		}
		ENT_TRY(ent_joint_need(p, all.at[i], (struct ent_want){ ENT_MODE_VALUE, 0 }, &enc, err));
		ENT_TRY(split(p, all.at[i], &rest, err));
	}
	p->residual = rest.at;
	p->n_residual = rest.n;
	return 0;
}

/* ---- joins ---- */

static bool key_within(const struct ent_table *t, struct ent_expr *const *columns, struct ent_expr *const *keys, size_t n_keys, uint16_t rel)
{
	for (size_t k = 0; k < t->n_keys; k++) {
		size_t found = 0;
		for (size_t c = 0; c < t->keys[k].n_columns; c++)
			for (size_t i = 0; i < n_keys; i++) {
				const struct ent_expr *e = keys[i];
				if (e->kind == ENT_X_COLUMN && e->rel == rel && columns)
					e = columns[e->column];
				else if (e->kind != ENT_X_COLUMN || e->rel != rel)
					continue;
				if (e->kind == ENT_X_COLUMN && e->column == t->keys[k].columns[c]) {
					found++;
					break;
				}
			}
		if (found && found == t->keys[k].n_columns)
			return true;
	}
	return false;
}

static bool unique_side(const struct ent_joint_plan *p, uint16_t rel, struct ent_expr *const *keys, size_t n_keys)
{
	const struct ent_jrel *r = &p->rels[rel];
	const struct ent_jsource *s = &p->sources[r->first_source];
	return r->n_sources == 1 && key_within(s->table, s->columns, keys, n_keys, rel);
}

static int refuse_unique(const struct ent_joint_plan *p, uint16_t rel, struct ent_err *err)
{
	const struct ent_rel *r = &p->query->rels[rel];
	struct ent_buf names = ENT_BUF(400);
	for (size_t i = 0; i < r->n_keys; i++)
		if (r->right_keys[i]->kind == ENT_X_COLUMN)
			ent_buf_printf(&names, "%s%s", names.len ? ", " : "", r->columns[r->right_keys[i]->column].name);
	ent_fail(err, ENT_EUNSUPPORTED, "join of %s: neither side is unique on the join columns", r->alias);
	ent_why(err, "a joint join needs one side where (%s) names at most one row; no published key says so", ent_buf_text(&names));
	ent_next(err, "join on a key, or let the owner run `entente add --refresh` if the columns are unique");
	ent_buf_deinit(&names);
	return ENT_EUNSUPPORTED;
}

static int key_leaf(struct ent_joint_plan *p, uint16_t rel, struct ent_expr *const *keys, size_t n, bool hash, size_t *ret, struct ent_err *err)
{
	const struct ent_expr **e = ENT_NEWS(p->arena, n, const struct ent_expr *);
	if (!e)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++)
		e[i] = keys[i];
	return ent_joint_leaf_add(p, rel, e, n, (struct ent_want){ hash ? ENT_MODE_HASH : ENT_MODE_VALUE, 0 }, ret, err);
}

static bool must_hash(const struct ent_expr *e) { return e->type.id == ENT_T_TEXT || ent_type_is_float(e->type); }

static unsigned direct_bits(const struct ent_joint_plan *p, const struct ent_rel *r, size_t i)
{
	unsigned a = ent_joint_expr_bits(p, r->left_keys[i]), b = ent_joint_expr_bits(p, r->right_keys[i]);
	return (a > b ? a : b) + 1;
}

/* One hash of the whole tuple when all left columns come from one relation and the columns are wide; else column by column. */
static int plan_keys(struct ent_joint_plan *p, struct ent_jjoin *j, struct ent_err *err)
{
	const struct ent_rel *r = &p->query->rels[j->rel];
	bool one = true, hash = false;
	unsigned bits = 0;
	uint16_t first = 0, rel;
	for (size_t i = 0; i < r->n_keys; i++) {
		if (!ent_joint_expr_rel(r->left_keys[i], &rel) || !ent_joint_expr_rel(r->right_keys[i], &first))
			return unsupported(err, "a join column computed from several owners' columns", "join on columns of one table on each side");
		hash = hash || must_hash(r->left_keys[i]);
		bits += direct_bits(p, r, i);
	}
	ent_joint_expr_rel(r->left_keys[0], &first);
	for (size_t i = 1; i < r->n_keys; i++)
		one = one && ent_joint_expr_rel(r->left_keys[i], &rel) && rel == first;
	bool whole = one && (hash || bits > 64);
	j->n_keys = whole ? 1 : r->n_keys;
	j->keys = ENT_NEWS(p->arena, j->n_keys, struct ent_jkey);
	if (!j->keys)
		return ent_nomem(err);
	for (size_t i = 0; i < j->n_keys; i++) {
		bool h = whole || must_hash(r->left_keys[i]);
		ent_joint_expr_rel(r->left_keys[i], &rel);
		ENT_TRY(key_leaf(p, rel, r->left_keys + i, whole ? r->n_keys : 1, h, &j->keys[i].left, err));
		ENT_TRY(key_leaf(p, j->rel, r->right_keys + i, whole ? r->n_keys : 1, h, &j->keys[i].right, err));
		unsigned a = p->leaves[j->keys[i].left].enc.bits, b = p->leaves[j->keys[i].right].enc.bits;
		j->keys[i].bits = a > b ? a : b;
	}
	return 0;
}

static int plan_on(struct ent_joint_plan *p, struct ent_jjoin *j, const struct ent_expr *on, struct ent_err *err)
{
	struct conjuncts all = { 0 }, rest = { 0 };
	ENT_TRY(split(p, on, &all, err));
	for (size_t i = 0; i < all.n; i++) {
		uint16_t rel;
		struct ent_enc enc;
		if (ent_joint_expr_rel(all.at[i], &rel) && rel == j->rel) {
			ENT_TRY(push_filter(p, rel, all.at[i], err));
			continue;
		}
		ENT_TRY(ent_joint_need(p, all.at[i], (struct ent_want){ ENT_MODE_VALUE, 0 }, &enc, err));
		ENT_TRY(split(p, all.at[i], &rest, err));
	}
	j->on = rest.at;
	j->n_on = rest.n;
	return 0;
}

static void set_grain(struct ent_joint_plan *p, uint16_t rel, bool keep)
{
	for (size_t i = 0; i < rel && !keep; i++)
		p->rels[i].in_grain = false;
	p->rels[rel].in_grain = true;
}

static int plan_join(struct ent_joint_plan *p, struct ent_jjoin *j, struct ent_err *err)
{
	const struct ent_rel *r = &p->query->rels[j->rel];
	j->left = r->join == ENT_JOIN_LEFT;
	if (!r->n_keys)
		return unsupported(err, "a join without an equality between the tables", "add ON a.column = b.column");
	bool right = unique_side(p, j->rel, r->right_keys, r->n_keys), frame = false;
	for (uint16_t g = 0; g < j->rel; g++)
		frame = frame || (p->rels[g].in_grain && unique_side(p, g, r->left_keys, r->n_keys));
	if (!right && !frame)
		return refuse_unique(p, j->rel, err);
	j->frame_is_one = !right;
	if (!right)
		set_grain(p, j->rel, false);
	else if (frame && !j->left)
		set_grain(p, j->rel, true);
	ENT_TRY(plan_keys(p, j, err));
	p->stage++;
	ENT_TRY(plan_on(p, j, r->on, err));
	p->rows = right ? p->rows : p->rels[j->rel].rows + (j->left ? p->rows : 0); /* LEFT keeps lone rows of the unique side */
	return 0;
}

static int plan_joins(struct ent_joint_plan *p, struct ent_err *err)
{
	p->rows = p->rels[0].rows;
	p->rels[0].in_grain = true;
	p->n_joins = p->n_rels - 1;
	p->joins = ENT_NEWS(p->arena, p->n_rels, struct ent_jjoin);
	if (!p->joins)
		return ent_nomem(err);
	for (size_t i = 0; i < p->n_joins; i++) {
		p->joins[i].rel = (uint16_t)(i + 1);
		p->stage = 2 * i;
		ENT_TRY(plan_join(p, &p->joins[i], err));
	}
	p->stage = 2 * p->n_joins;
	unsigned kmax = 1;
	for (size_t i = 0; i < p->n_rels; i++) {
		struct ent_jrel *r = &p->rels[i];
		r->wants_id = r->is_protected && !r->in_grain;
		kmax = r->k > kmax ? r->k : kmax;
	}
	p->count_bits = ent_joint_log2(p->rows + kmax + 2) + 1;
	return 0;
}

/* ---- the whole ---- */

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static int plan_participants(struct ent_joint_plan *p, struct ent_err *err)
{
	const char **names = ENT_NEWS(p->arena, p->n_sources + 4, const char *);
	if (!names)
		return ent_nomem(err);
	size_t n = 0;
	for (size_t i = 0; i < p->n_sources; i++)
		names[n++] = p->sources[i].table->org;
	for (int i = 0; i < 3 && !p->one_owner; i++)
		names[n++] = p->in.trio[i];
	names[n++] = p->in.requester;
	qsort(names, n, sizeof *names, by_name);
	for (size_t i = 0; i < n; i++)
		if (!i || strcmp(names[i], p->participants[p->n_participants - 1]) != 0) {
			p->participants = names;
			names[p->n_participants++] = names[i];
		}
	return 0;
}

/* Every base table of the tree, to see whose query it is. */
static int all_tables(struct ent_joint_plan *p, const struct ent_query *q, struct ent_err *err)
{
	for (size_t i = 0; i < q->n_rels; i++) {
		const struct ent_rel *r = &q->rels[i];
		for (size_t b = 0; r->kind != ENT_REL_TABLE && b < r->n_branches; b++)
			ENT_TRY(all_tables(p, r->branches[b], err));
		if (r->kind != ENT_REL_TABLE)
			continue;
		const struct ent_decision_table *l = limit_of(p, r->table);
		if (!l)
			return refuse_table(r->table, err);
		p->protects = p->protects || l->protect;
		ENT_TRY(add_source(p, (uint16_t)0, r->table, err));
	}
	return 0;
}

static bool one_owner(const struct ent_joint_plan *p)
{
	for (size_t i = 1; i < p->n_sources; i++)
		if (strcmp(p->sources[i].table->org, p->sources[0].table->org) != 0)
			return false;
	return p->n_sources > 0;
}

static int check_trio(const struct ent_joint_plan *p, struct ent_err *err)
{
	for (int i = 0; i < 3; i++)
		for (int k = 0; k <= i; k++)
			if (!p->in.trio[i] || (k < i && !strcmp(p->in.trio[i], p->in.trio[k]))) {
				ent_fail(err, ENT_EUNSUPPORTED, "a joint query needs three compute parties");
				return ent_next(err,
						"ask any organisation to run `entente init --compute-only` (it owns no tables and sees only shares)");
			}
	return 0;
}

static int plan_mpc(struct ent_joint_plan *p, struct ent_err *err)
{
	ENT_TRY(check_trio(p, err));
	ENT_TRY(plan_joins(p, err));
	ENT_TRY(plan_where(p, err));
	ENT_TRY(ent_joint_plan_outputs(p, err));
	return ent_joint_dry(p, err);
}

int ent_joint_plan(struct ent_arena *arena, const struct ent_joint_inputs *in, struct ent_joint_plan **ret, struct ent_err *err)
{
	struct ent_joint_plan *p = ENT_NEW(arena, struct ent_joint_plan);
	if (!p)
		return ent_nomem(err);
	p->arena = arena;
	p->in = *in;
	p->query = in->query;
	p->n_rels = in->query->n_rels;
	p->rels = ENT_NEWS(arena, p->n_rels + 1, struct ent_jrel);
	if (!p->rels)
		return ent_nomem(err);
	const struct ent_decision_block *block = ent_decision_block_of(in->decision, in->query);
	p->remainder = block && block->remainder;
	if (!p->n_rels)
		return unsupported(err, "a query without FROM", "name a table");
	ENT_TRY(all_tables(p, p->query, err));
	if (one_owner(p))
		p->one_owner = p->sources[0].table->org;
	bool whole = p->one_owner && !p->protects;
	p->n_sources = whole ? p->n_sources : 0;
	for (size_t i = 0; i < p->n_rels && !whole; i++)
		ENT_TRY(make_rel(p, (uint16_t)i, err));
	ENT_TRY(p->one_owner ? ent_joint_plan_one(p, err) : plan_mpc(p, err));
	ENT_TRY(plan_participants(p, err));
	*ret = p;
	return 0;
}

bool ent_joint_plan_one_owner(const struct ent_joint_plan *plan, const char **ret_owner)
{
	if (plan->one_owner && ret_owner)
		*ret_owner = plan->one_owner;
	return plan->one_owner != NULL;
}

size_t ent_joint_plan_participants(const struct ent_joint_plan *plan, const char *const **ret)
{
	*ret = plan->participants;
	return plan->n_participants;
}

struct ent_joint_cost ent_joint_plan_cost(const struct ent_joint_plan *plan) { return plan->cost; }
