/* Planning what comes out: labels, aggregates, the condition each aggregate depends on, and the distinct-row counts that rules 3 to 5 of
 * policy.md need. Whatever rows without FROM-side meaning (constants) are left to the requester. */
#include "joint/internal.h"

#define VALUE ((struct ent_want){ ENT_MODE_VALUE, 0 })

static int leaf_of(const struct ent_joint_plan *p, const struct ent_expr *e, enum ent_enc_kind kind)
{
	uint16_t rel;
	return ent_joint_expr_rel(e, &rel) ? ent_joint_leaf_find(p, rel, &e, 1, kind, 0) : -1;
}

static int add_label(struct ent_joint_plan *p, const struct ent_expr *e, struct ent_err *err)
{
	if (p->n_labels == ENT_COUNT(p->labels))
		return ent_fail(err, ENT_EUNSUPPORTED, "too many result columns");
	for (size_t i = 0; i < p->n_labels; i++)
		if (ent_expr_eq(p->labels[i].expr, e))
			return 0;
	struct ent_jlabel l = { .expr = e, .leaf = -1 };
	if (!p->one_owner)
		ENT_TRY(ent_joint_need(p, e, (struct ent_want){ ENT_MODE_LABEL, 0 }, &l.enc, err));
	if (l.enc.kind == ENT_ENC_CODE)
		l.leaf = leaf_of(p, e, ENT_ENC_CODE);
	p->labels[p->n_labels++] = l;
	return 0;
}

static bool same_or_none(const struct ent_expr *a, const struct ent_expr *b) { return a == b || (a && b && ent_expr_eq(a, b)); }

static bool same_cond(const struct ent_jcond *a, const struct ent_jcond *b)
{
	return same_or_none(a->filter, b->filter) && same_or_none(a->nonnull, b->nonnull) && a->matched == b->matched;
}

static int need_cond(struct ent_joint_plan *p, const struct ent_jcond *c, struct ent_err *err)
{
	struct ent_enc enc;
	if (c->filter)
		ENT_TRY(ent_joint_need(p, c->filter, VALUE, &enc, err));
	if (c->nonnull) {
		bool text = c->nonnull->type.id == ENT_T_TEXT && leaf_of(p, c->nonnull, ENT_ENC_CODE) < 0;
		ENT_TRY(ent_joint_need(p, c->nonnull, text ? (struct ent_want){ ENT_MODE_HASH, 0 } : VALUE, &enc, err));
	}
	return 0;
}

static int add_cond(struct ent_joint_plan *p, struct ent_jcond c, unsigned *ret, struct ent_err *err)
{
	for (size_t i = 0; i < p->n_conds; i++)
		if (same_cond(&p->conds[i], &c)) {
			*ret = (unsigned)i;
			return 0;
		}
	if (p->n_conds == ENT_CONDS_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "too many different conditions in aggregates");
	if (!p->one_owner)
		ENT_TRY(need_cond(p, &c, err));
	*ret = (unsigned)p->n_conds;
	p->conds[p->n_conds++] = c;
	return 0;
}

/* Rule 4 as it was decided: which rows an aggregate picks, and whether its argument may be NULL. */
static int plan_held(struct ent_joint_plan *p, struct ent_jagg *a, struct ent_err *err)
{
	const struct ent_decision_agg *d = ent_decision_agg_of(p->in.decision, a->expr);
	if (!d)
		return ent_fail(err, ENT_EINTERNAL, "the decision says nothing about %s", ent_agg_text(a->expr->agg));
	if (d->n_conditions > ENT_COUNT(a->selectors))
		return ent_fail(err, ENT_EUNSUPPORTED, "more than %zu conditions inside one aggregate", ENT_COUNT(a->selectors));
#ifndef ENT_MUTANT_CONDITIONS_IGNORED
	for (size_t i = 0; i < d->n_conditions; i++)
		ENT_TRY(add_cond(p, (struct ent_jcond){ .filter = d->conditions[i], .matched = -1 }, &a->selectors[a->n_selectors++], err));
#endif
	a->guarded = p->protects && d->held != ENT_HELD_GROUP;
	return 0;
}

struct rels_of {
	const struct ent_joint_plan *p;
	bool nullable;
};

static void note_nullable(void *arg, const struct ent_expr *e)
{
	struct rels_of *r = arg;
	if (e->kind == ENT_X_COLUMN && r->p->rels[e->rel].nullable)
		r->nullable = true;
}

bool ent_joint_maybe_null(const struct ent_joint_plan *p, const struct ent_expr *e)
{
	struct rels_of r = { p, false };
	if (ent_joint_expr_nullable(p, e))
		return true;
	ent_expr_walk(e, note_nullable, &r);
	return r.nullable;
}

static int refuse_overflow(const struct ent_joint_plan *p, unsigned bits, struct ent_err *err)
{
	ent_fail(err, ENT_EUNSUPPORTED, "a sum that could overflow");
	ent_why(err, "values up to 2^%u over %zu rows may need more than 62 bits", bits, p->rows);
	return ent_next(err, "ask the owner to register the column with a smaller bound: `entente add ... --bound COLUMN=B`");
}

static int plan_sum(struct ent_joint_plan *p, struct ent_jagg *a, const struct ent_expr *arg, struct ent_err *err)
{
	struct ent_want want = VALUE;
	unsigned rows = ent_joint_log2(p->rows);
	if (ent_type_is_float(arg->type)) {
		unsigned m = ent_joint_expr_bits(p, arg);
		unsigned room = m && m + rows < 62 ? 62 - m - rows : 0;
		want = (struct ent_want){ ENT_MODE_FIXED, room > 40 ? 40 : room };
		if (m && want.fraction < 8)
			return refuse_overflow(p, m, err);
	}
	ENT_TRY(ent_joint_need(p, arg, want, &a->enc, err));
	unsigned magnitude = a->enc.bits - a->enc.sign;
	return magnitude + rows > 62 ? refuse_overflow(p, magnitude, err) : 0;
}

static int plan_agg(struct ent_joint_plan *p, const struct ent_expr *e, struct ent_err *err)
{
	struct ent_jagg a = { .expr = e, .leaf = -1 };
	for (size_t i = 0; i < p->n_aggs; i++)
		if (ent_expr_eq(p->aggs[i].expr, e))
			return 0;
	if (p->n_aggs == ENT_AGGS_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "more than %d different aggregates", ENT_AGGS_MAX);
	if (e->distinct && e->agg != ENT_AGG_MIN && e->agg != ENT_AGG_MAX) {
		ent_fail(err, ENT_EUNSUPPORTED, "%s(DISTINCT ...) over several owners", ent_agg_text(e->agg));
		return ent_next(err, "group by the column and count the groups, or ask one owner alone");
	}
	const struct ent_expr *arg = e->n_args ? e->args[0] : NULL;
	struct ent_jcond c = { .filter = e->filter, .matched = -1 };
	bool nullable = arg && ent_joint_maybe_null(p, arg);
	if (nullable)
		c.nonnull = arg;
	if (!p->one_owner && (e->agg == ENT_AGG_SUM || e->agg == ENT_AGG_AVG))
		ENT_TRY(plan_sum(p, &a, arg, err));
	if (!p->one_owner && (e->agg == ENT_AGG_MIN || e->agg == ENT_AGG_MAX)) {
		ENT_TRY(ent_joint_need(p, arg, VALUE, &a.enc, err));
		a.leaf = a.enc.kind == ENT_ENC_CODE ? leaf_of(p, arg, ENT_ENC_CODE) : -1;
		if (a.enc.kind == ENT_ENC_CODE && a.enc.bits == 64)
			return ent_fail(err, ENT_EUNSUPPORTED, "%s of texts of several owners", ent_agg_text(e->agg));
	}
	ENT_TRY(add_cond(p, c, &a.cond, err));
	ENT_TRY(plan_held(p, &a, err));
	p->aggs[p->n_aggs++] = a;
	return 0;
}

struct agg_walk {
	struct ent_joint_plan *p;
	struct ent_err *err;
	int code;
};

static void visit_agg(void *arg, const struct ent_expr *e)
{
	struct agg_walk *w = arg;
	if (e->kind == ENT_X_AGG && !w->code)
		w->code = plan_agg(w->p, e, w->err);
}

static int plan_aggs(struct ent_joint_plan *p, struct ent_err *err)
{
	struct agg_walk w = { p, err, 0 };
	for (size_t i = 0; i < p->query->n_items; i++)
		ent_expr_walk(p->query->items[i].expr, visit_agg, &w);
	if (p->query->having)
		ent_expr_walk(p->query->having, visit_agg, &w);
	return w.code;
}

static int add_flag(struct ent_joint_plan *p, int rel, unsigned cond, bool complement, struct ent_err *err)
{
	for (size_t i = 0; i < p->n_flags; i++)
		if (p->flags[i].rel == rel && p->flags[i].cond == cond && p->flags[i].complement == complement)
			return 0;
	if (p->n_flags == ENT_FLAGS_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "too many filtered aggregates over protected tables");
	p->flags[p->n_flags++] = (struct ent_jflag){ rel, cond, complement };
	return 0;
}

/* Rules 3 and 5 first (the flags that decide about groups), then rule 4's. */
static int plan_flags(struct ent_joint_plan *p, struct ent_err *err)
{
	for (size_t r = 0; r < p->n_rels; r++) {
		if (!p->rels[r].is_protected)
			continue;
		unsigned cond = 0;
		if (p->rels[r].outer) {
			ENT_TRY(add_cond(p, (struct ent_jcond){ .matched = (int)r }, &cond, err));
			ENT_TRY(add_flag(p, ENT_FLAG_ROWS, cond, true, err));
		}
		ENT_TRY(add_flag(p, (int)r, cond, false, err));
	}
	for (size_t i = 0; i < p->n_aggs; i++) {
		const struct ent_jagg *a = &p->aggs[i];
		for (size_t r = 0; r < p->n_rels && a->guarded; r++) {
			if (!p->rels[r].is_protected)
				continue;
			ENT_TRY(add_flag(p, (int)r, a->cond, false, err));
			for (size_t s = 0; s < a->n_selectors; s++) {
				ENT_TRY(add_flag(p, (int)r, a->selectors[s], false, err));
				ENT_TRY(add_flag(p, (int)r, a->selectors[s], true, err));
			}
		}
	}
	for (size_t i = 0; i < p->n_aggs; i++) /* counts of joined rows */
		ENT_TRY(add_flag(p, ENT_FLAG_ROWS, p->aggs[i].cond, false, err));
	return add_flag(p, ENT_FLAG_ROWS, 0, false, err);
}

static bool draws_on(const struct ent_joint_plan *p, const struct ent_jrel *r, const struct ent_policy_selection *s, bool *ret_derived)
{
	for (size_t i = 0; i < r->n_sources; i++) {
		const struct ent_jsource *from = &p->sources[r->first_source + i];
		*ret_derived = from->derived != NULL;
		if (!strcmp(from->base->org, s->org) && !strcmp(from->base->name, s->table))
			return r->is_protected;
	}
	return false;
}

/* The condition under which a row of rel enters a selection: what the decision names, or that it is there at all. */
static int seen_cond(struct ent_joint_plan *p, const struct ent_policy_selection *s, size_t rel, unsigned *ret, struct ent_err *err)
{
	if (s->filter)
		return add_cond(p, (struct ent_jcond){ .filter = s->filter, .matched = -1 }, ret, err);
	*ret = 0;
	return p->rels[rel].outer ? add_cond(p, (struct ent_jcond){ .matched = (int)rel }, ret, err) : 0;
}

/* Rule 7: what this job leaves for later ones to be compared with. */
static int plan_seen(struct ent_joint_plan *p, struct ent_err *err)
{
	const struct ent_decision *d = p->in.decision;
	for (size_t i = 0; i < d->n_selections; i++)
		for (size_t r = 0; r < p->n_rels; r++) {
			struct ent_jseen *to = &p->seen[p->n_seen];
			bool derived = false;
			if (!draws_on(p, &p->rels[r], &d->selections[i], &derived))
				continue;
			if (p->n_seen == ENT_SEEN_MAX)
				return ent_fail(err, ENT_EUNSUPPORTED, "too many filtered aggregates over protected tables");
			*to = (struct ent_jseen){ .selection = (uint32_t)i, .rel = (uint16_t)r, .derived = derived };
			ENT_TRY(seen_cond(p, &d->selections[i], r, &to->cond, err));
			ENT_TRY(add_flag(p, (int)r, to->cond, false, err));
			p->n_seen++;
		}
	return 0;
}

static int plan_rows(struct ent_joint_plan *p, struct ent_err *err)
{
	if (p->protects) {
		ent_fail(err, ENT_EDENIED, "rows of a protected table may not appear one by one");
		return ent_next(err, "aggregate them (COUNT, SUM, AVG ... GROUP BY), or ask the owners for GRANT SELECT on every column used");
	}
	for (size_t i = 0; i < p->query->n_items; i++)
		if (p->query->items[i].expr->kind != ENT_X_CONST)
			ENT_TRY(add_label(p, p->query->items[i].expr, err));
	return 0;
}

int ent_joint_plan_outputs(struct ent_joint_plan *p, struct ent_err *err)
{
	p->n_conds = 1; /* condition 0: the row is valid */
	p->conds[0] = (struct ent_jcond){ .matched = -1 };
	if (!p->query->aggregate)
		return plan_rows(p, err);
	if (p->query->n_group > ENT_GROUPS_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "more than %d GROUP BY columns", ENT_GROUPS_MAX);
	for (size_t i = 0; i < p->query->n_group; i++)
		ENT_TRY(add_label(p, p->query->group[i], err));
	ENT_TRY(plan_aggs(p, err));
	ENT_TRY(plan_flags(p, err));
	return plan_seen(p, err);
}
