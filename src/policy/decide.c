/* The decision from end to end, and the questions others ask of it. */
#include "policy/decide.h"

int ent_policy_decide(struct ent_arena *arena, const struct ent_policy_input *in, struct ent_decision **ret, struct ent_err *err)
{
	struct ent_decide c = { .arena = arena, .in = in, .err = err, .d = ENT_NEW(arena, struct ent_decision) };
	if (!c.d)
		return ent_nomem(err);
	ENT_TRY(ent_decide_tables(&c));
	ENT_TRY(ent_decide_uses(&c));
	ENT_TRY(ent_decide_lines(&c));
	ENT_TRY(ent_decide_rules(&c));
	ENT_TRY(ent_decide_aggs(&c));
	ENT_TRY(ent_decide_guard(&c));
	*ret = c.d;
	return 0;
}

const struct ent_decision_agg *ent_decision_agg_of(const struct ent_decision *d, const struct ent_expr *expr)
{
	for (size_t i = 0; i < d->n_aggs; i++)
		if (d->aggs[i].expr == expr)
			return &d->aggs[i];
	return NULL;
}

const struct ent_decision_block *ent_decision_block_of(const struct ent_decision *d, const struct ent_query *block)
{
	for (size_t i = 0; i < d->n_blocks; i++)
		if (d->blocks[i].query == block)
			return &d->blocks[i];
	return NULL;
}

int ent_decision_table_of(const struct ent_decision *d, const struct ent_table *t)
{
	for (size_t i = 0; i < d->n_tables; i++)
		if (d->tables[i].table == t || (!strcmp(d->tables[i].table->org, t->org) && !strcmp(d->tables[i].table->name, t->name)))
			return (int)i;
	return -1;
}

static const struct ent_decision_line *first_refused(const struct ent_decision *d, size_t *ret_more)
{
	const struct ent_decision_line *first = NULL;
	size_t n = d->n_refusals;
	for (size_t i = 0; i < d->n_lines; i++) {
		if (d->lines[i].allowed)
			continue;
		first = first ? first : &d->lines[i];
		n++;
	}
	*ret_more = n - 1;
	return first ? first : d->refusals;
}

int ent_decision_refusal(const struct ent_decision *d, struct ent_err *err)
{
	size_t more;
	if (d->allowed)
		return 0;
	const struct ent_decision_line *l = first_refused(d, &more);
	ent_fail(err, ENT_EDENIED, "%s", l->what);
	ent_why(err, "%s", l->why);
	if (more)
		return ent_next(err, "%s  (%zu more: entente explain)", l->next, more);
	return ent_next(err, "%s", l->next);
}
