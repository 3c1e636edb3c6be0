/* Rule 4: what each aggregate is held to. Conditions are taken out of FILTER, CASE, COALESCE, NULLIF and comparisons inside the argument, as boolean
 * expressions over the block's own relations. */
#include "policy/decide.h"

struct conditions {
	struct ent_decide *c;
	struct ent_block *b;
	const struct ent_expr *filter; /* of the aggregate: part of every condition inside it */
	const struct ent_expr **list;
	size_t n, room;
	int code;
	bool opaque; /* a condition inside a subquery's column cannot be told from here */
};

static struct ent_expr *call(struct conditions *s, enum ent_op op, const struct ent_expr *a, const struct ent_expr *b);

static void add_condition(struct conditions *s, const struct ent_expr *e)
{
	if (e && s->filter && e != s->filter)
		e = call(s, ENT_OP_AND, s->filter, e);
	for (size_t i = 0; e && i < s->n; i++)
		if (ent_expr_eq(s->list[i], e))
			return;
	const struct ent_expr **list = ent_decide_more(s->c, (void *)(uintptr_t)s->list, s->n, &s->room, sizeof *list);
	if (!list || !e) {
		s->code = ent_nomem(s->c->err);
		return;
	}
	s->list = list;
	list[s->n++] = e;
}

static struct ent_expr *call(struct conditions *s, enum ent_op op, const struct ent_expr *a, const struct ent_expr *b)
{
	struct ent_expr *e = ENT_NEW(s->c->arena, struct ent_expr);
	struct ent_expr **args = ENT_NEWS(s->c->arena, 2, struct ent_expr *);
	if (!e || !args || !a) {
		s->code = ent_nomem(s->c->err);
		return NULL;
	}
	args[0] = (struct ent_expr *)(uintptr_t)a;
	args[1] = (struct ent_expr *)(uintptr_t)b;
	*e = (struct ent_expr){ .kind = ENT_X_CALL, .op = op, .type = { .id = ENT_T_BOOL }, .args = args, .n_args = b ? 2 : 1 };
	e->nullable = op != ENT_OP_IS_NULL && (a->nullable || (b && b->nullable));
	return e;
}

/* Not true, that is false or NULL. */
static struct ent_expr *not_true(struct conditions *s, const struct ent_expr *e)
{
	struct ent_expr *no = ENT_NEW(s->c->arena, struct ent_expr);
	if (!no) {
		s->code = ent_nomem(s->c->err);
		return NULL;
	}
	*no = (struct ent_expr){ .kind = ENT_X_CONST, .type = { .id = ENT_T_BOOL } };
	struct ent_expr *sure = call(s, ENT_OP_COALESCE, e, no);
	if (!e->nullable)
		return call(s, ENT_OP_NOT, e, NULL);
	if (sure)
		sure->nullable = false;
	return call(s, ENT_OP_NOT, sure, NULL);
}

static void take(struct conditions *s, const struct ent_expr *e);

/* WHEN c1 .. WHEN c2 ..: the second branch holds the rows where c1 is not true and c2 is. */
static void take_case(struct conditions *s, const struct ent_expr *e)
{
	const struct ent_expr *before = NULL;
	for (size_t i = 0; i + 1 < e->n_args; i += 2) {
		const struct ent_expr *when = e->args[i];
		add_condition(s, before ? call(s, ENT_OP_AND, before, when) : when);
		const struct ent_expr *missed = not_true(s, when);
		before = before ? call(s, ENT_OP_AND, before, missed) : missed;
		take(s, e->args[i + 1]);
	}
	take(s, e->args[e->n_args - 1]);
}

static void take_coalesce(struct conditions *s, const struct ent_expr *e)
{
	for (size_t i = 0; i < e->n_args; i++) {
		if (i + 1 < e->n_args && e->args[i]->nullable)
			add_condition(s, call(s, ENT_OP_NOT, call(s, ENT_OP_IS_NULL, e->args[i], NULL), NULL));
		take(s, e->args[i]);
	}
}

static bool has_condition(const struct ent_expr *e)
{
	if (e->kind == ENT_X_CASE || (e->kind == ENT_X_CALL && (e->op == ENT_OP_COALESCE || e->op == ENT_OP_NULLIF || ent_decide_is_comparison(e))))
		return true;
	for (size_t i = 0; i < e->n_args; i++)
		if (has_condition(e->args[i]))
			return true;
	return false;
}

/* CASE WHEN c THEN e END and NULLIF: the condition is whether a value is there at all. */
static bool is_null_form(const struct ent_expr *e)
{
	const struct ent_expr *last = e->n_args ? e->args[e->n_args - 1] : NULL;
	if (e->kind == ENT_X_CASE)
		return e->n_args == 3 && last->kind == ENT_X_CONST && last->is_null && !has_condition(e->args[1]);
	return e->kind == ENT_X_CALL && e->op == ENT_OP_NULLIF && !has_condition(e->args[0]);
}

/* A column of a subquery that groups nothing carries the conditions of the expression behind it. */
static void take_column(struct conditions *s, struct ent_block *b, const struct ent_expr *shown, const struct ent_expr *e)
{
	const struct ent_rel *r = &b->query->rels[e->rel];
	for (size_t i = 0; r->kind != ENT_REL_TABLE && i < r->n_branches; i++) {
		struct ent_block *inner = ent_decide_block(s->c, r->branches[i]);
		size_t at = ent_decide_item(inner->query, e->column);
		const struct ent_expr *behind = inner->query->items[at].expr;
		if (inner->query->aggregate || inner->items[at].stamp == s->c->stamp)
			continue;
		inner->items[at].stamp = s->c->stamp;
		if (behind->kind == ENT_X_COLUMN)
			take_column(s, inner, shown, behind);
		else if (is_null_form(behind))
			add_condition(s, call(s, ENT_OP_NOT, call(s, ENT_OP_IS_NULL, shown, NULL), NULL));
		else
			s->opaque |= has_condition(behind);
	}
}

static void take(struct conditions *s, const struct ent_expr *e)
{
	if (s->code)
		return;
	if (e->kind == ENT_X_COLUMN) {
		take_column(s, s->b, e, e);
	} else if (e->kind == ENT_X_CASE) {
		take_case(s, e);
	} else if (e->kind == ENT_X_CALL && e->op == ENT_OP_COALESCE) {
		take_coalesce(s, e);
	} else if (e->kind == ENT_X_CALL && e->op == ENT_OP_NULLIF) {
		add_condition(s, not_true(s, call(s, ENT_OP_EQ, e->args[0], e->args[1])));
		take(s, e->args[0]);
	} else if (ent_decide_is_comparison(e)) {
		add_condition(s, e);
	} else {
		for (size_t i = 0; i < e->n_args; i++)
			take(s, e->args[i]);
	}
}

static int refuse_opaque(struct ent_decide *c)
{
	ent_fail(c->err, ENT_EUNSUPPORTED, "a condition inside a subquery's column is aggregated outside");
	ent_why(c->err, "small groups are told by the condition, which cannot be seen through that column");
	return ent_next(c->err, "write the CASE, COALESCE or comparison inside the aggregate: SUM(CASE WHEN ... THEN x END)");
}

static bool any_protected(const struct ent_decide *c, uint64_t tables)
{
	for (size_t i = 0; i < c->n_bases; i++)
		if ((tables >> i & 1) && c->d->tables[i].protect)
			return true;
	return false;
}

static int add_agg(struct ent_decide *c, struct ent_block *b, const struct ent_expr *e)
{
	struct conditions s = { .c = c, .b = b, .filter = e->filter };
	c->stamp++;
	if (e->filter)
		add_condition(&s, e->filter);
	if (e->n_args)
		take(&s, e->args[0]);
	if (s.code)
		return s.code;
	if (s.opaque && any_protected(c, b->bare))
		return refuse_opaque(c);
	struct ent_decision_agg *list = ent_decide_more(c, c->d->aggs, c->d->n_aggs, &c->aggs_room, sizeof *list);
	if (!list)
		return ent_nomem(c->err);
	c->d->aggs = list;
	bool non_null = e->n_args && e->args[0]->nullable;
	list[c->d->n_aggs++] = (struct ent_decision_agg){ .block = b->query,
							  .expr = e,
							  .held = s.n        ? ENT_HELD_FILTERED
								  : non_null ? ENT_HELD_NON_NULL
									     : ENT_HELD_GROUP,
							  .non_null = non_null,
							  .conditions = s.list,
							  .n_conditions = s.n,
							  .opens_sum_count = e->agg == ENT_AGG_AVG };
	return 0;
}

static int find_aggs(struct ent_decide *c, struct ent_block *b, const struct ent_expr *e)
{
	if (e->kind == ENT_X_AGG)
		return ent_decision_agg_of(c->d, e) ? 0 : add_agg(c, b, e);
	for (size_t i = 0; i < e->n_args; i++)
		ENT_TRY(find_aggs(c, b, e->args[i]));
	return 0;
}

int ent_decide_aggs(struct ent_decide *c)
{
	for (size_t i = 0; i < c->n_blocks; i++) {
		struct ent_block *b = &c->blocks[i];
		for (size_t j = 0; j < b->query->n_items; j++)
			ENT_TRY(find_aggs(c, b, b->query->items[j].expr));
		if (b->query->having)
			ENT_TRY(find_aggs(c, b, b->query->having));
	}
	return 0;
}
