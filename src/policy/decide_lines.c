/* From needs to lines: each (table, column, use) meets the owner's rules; what the grants used demand together is gathered. */
#include <stdlib.h>

#include "policy/decide.h"

static int add_line(struct ent_decide *c, struct ent_decision_line line)
{
	struct ent_decision_line *list = ent_decide_more(c, c->d->lines, c->d->n_lines, &c->lines_room, sizeof *list);
	if (!list)
		return ent_nomem(c->err);
	c->d->lines = list;
	list[c->d->n_lines++] = line;
	c->d->allowed &= line.allowed;
	return 0;
}

int ent_decide_refuse(struct ent_decide *c, struct ent_decision_line line)
{
	struct ent_decision_line *list = ent_decide_more(c, c->d->refusals, c->d->n_refusals, &c->refusals_room, sizeof *list);
	if (!list)
		return ent_nomem(c->err);
	c->d->refusals = list;
	list[c->d->n_refusals++] = line;
	c->d->allowed = false;
	return 0;
}

static uint32_t table_uses(const struct ent_base *b, size_t column) { return b->needs[column]; }

/* COUNT(*) needs AGGREGATE(count) on one column; how well a column fits, 0: not at all. One in the plan that carries SELECT is best, because it
 * leaves an open table open. */
static int count_fit(const struct ent_decide *c, const struct ent_policy_owner *o, const struct ent_base *b, size_t column)
{
	const char *name = b->table->columns[column].name;
	struct ent_match count = ent_decide_match(o, c->in, b->table->name, name, ENT_USE_BIT(ENT_USE_COUNT));
	struct ent_match select = ent_decide_match(o, c->in, b->table->name, name, ENT_USE_BIT(ENT_USE_SELECT));
	bool planned = table_uses(b, column) != 0, open = select.n && !select.deny;
	if (!count.n || count.deny)
		return 0;
	return planned ? 3 + open : 1 + open;
}

static int choose_count(struct ent_decide *c, const struct ent_policy_owner *o, struct ent_base *b)
{
	int best = 0;
	size_t at = 0;
	for (size_t i = 0; i < b->table->n_columns; i++) {
		int fit = count_fit(c, o, b, i);
		if (fit > best) {
			best = fit;
			at = i;
		}
	}
	if (best) {
		b->needs[at] |= ENT_USE_BIT(ENT_USE_COUNT);
		return 0;
	}
	struct ent_decision_line line = { .table = b->table, .use = ENT_USE_COUNT, .rule = "" };
	ENT_TRY(ent_decide_reason(c, &line));
	return add_line(c, line);
}

/* "JOIN or FILTER": whichever is needed anyway or granted; JOIN when neither. */
static uint32_t settle_equal(const struct ent_decide *c, const struct ent_policy_owner *o, const struct ent_base *b, size_t column, uint32_t needs)
{
	if (!(needs & ENT_NEED_EQUAL))
		return needs;
	needs &= ~ENT_NEED_EQUAL;
	if (needs & (ENT_USE_BIT(ENT_USE_JOIN) | ENT_USE_BIT(ENT_USE_FILTER)))
		return needs;
	struct ent_match filter = ent_decide_match(o, c->in, b->table->name, b->table->columns[column].name, ENT_USE_BIT(ENT_USE_FILTER));
	struct ent_match join = ent_decide_match(o, c->in, b->table->name, b->table->columns[column].name, ENT_USE_BIT(ENT_USE_JOIN));
	bool by_filter = filter.n && !filter.deny && !(join.n && !join.deny);
	return needs | ENT_USE_BIT(by_filter ? ENT_USE_FILTER : ENT_USE_JOIN);
}

static int decide_line(struct ent_decide *c, const struct ent_policy_owner *o, struct ent_decision_line *line)
{
	struct ent_match m = ent_decide_match(o, c->in, line->table->name, line->column, ENT_USE_BIT(line->use));
	const struct ent_policy_rule *by = m.deny ? m.deny : m.first;
	line->allowed = m.n && !m.deny;
#ifdef ENT_MUTANT_POLICY_SKIPPED
	line->allowed = true;
#endif
	line->rule = by ? ent_arena_printf(c->arena, "%s/%llu", o->org, (unsigned long long)by->index) : "";
	if (!line->rule)
		return ent_nomem(c->err);
	if (!line->allowed)
		return ent_decide_reason(c, line);
	line->k = m.k;
	line->leak = m.leak;
	line->approvals = m.approvals;
	return 0;
}

static int column_lines(struct ent_decide *c, const struct ent_policy_owner *o, const struct ent_base *b, size_t column, bool own)
{
	uint32_t needs = b->needs[column];
	if (own && (needs & ENT_NEED_EQUAL))
		needs = (needs & ~ENT_NEED_EQUAL) | ENT_USE_BIT(ENT_USE_JOIN);
	for (int u = 0; u < ENT_USE_NAMES; u++) {
		struct ent_decision_line line = { .table = b->table, .column = b->table->columns[column].name, .use = (enum ent_use)u };
		if (!(needs & ENT_USE_BIT(u)))
			continue;
		line.allowed = own;
		line.rule = "own";
		line.leak = own ? ENT_LEAK_MATCH_PATTERN : ENT_LEAK_NONE; /* one's own sets no limit */
		if (!own)
			ENT_TRY(decide_line(c, o, &line));
		ENT_TRY(add_line(c, line));
	}
	return 0;
}

static int base_lines(struct ent_decide *c, size_t at)
{
	struct ent_base *b = &c->bases[at];
	bool own = ent_decide_own(c, at);
	const struct ent_policy_owner *o = ent_decide_owner(c->in, b->table->org);
	if (!own && !o) {
		ent_fail(c->err, ENT_ENOTFOUND, "no ledger of %.31s is known", b->table->org);
		return ent_next(c->err, "wait until its node is up, or ask it for its member card");
	}
	for (size_t i = 0; !own && i < b->table->n_columns; i++)
		b->needs[i] = settle_equal(c, o, b, i, b->needs[i]);
	if (!own && b->rows_counted)
		ENT_TRY(choose_count(c, o, b));
	for (size_t i = 0; i < b->table->n_columns; i++)
		ENT_TRY(column_lines(c, o, b, i, own));
	return 0;
}

static int compare_rules(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	size_t nx = (size_t)(strchr(x, '/') - x), ny = (size_t)(strchr(y, '/') - y);
	int org = memcmp(x, y, nx < ny ? nx : ny);
	if (org || nx != ny)
		return org ? org : (nx < ny ? -1 : 1);
	unsigned long long i = strtoull(x + nx + 1, NULL, 10), j = strtoull(y + ny + 1, NULL, 10);
	return (i > j) - (i < j);
}

static bool rule_used(const struct ent_decide *c, const struct ent_policy_owner *o, const struct ent_policy_rule *r)
{
	for (size_t i = 0; i < c->d->n_lines; i++) {
		const struct ent_decision_line *l = &c->d->lines[i];
		if (l->allowed && l->column && !strcmp(l->table->org, o->org) && !r->grant->deny &&
		    ent_decide_rule_matches(o, c->in, r, l->table->name, l->column, ENT_USE_BIT(l->use)))
			return true;
	}
	return false;
}

static int gather_rules(struct ent_decide *c)
{
	size_t room = 0;
	for (size_t i = 0; i < c->in->n_owners; i++) {
		const struct ent_policy_owner *o = &c->in->owners[i];
		if (!strcmp(o->org, c->in->requester))
			continue;
		for (size_t j = 0; j < o->n_rules; j++) {
			if (!rule_used(c, o, &o->rules[j]))
				continue;
			const char **list = ent_decide_more(c, (void *)(uintptr_t)c->d->rules, c->d->n_rules, &room, sizeof *list);
			char *id = ent_arena_printf(c->arena, "%s/%llu", o->org, (unsigned long long)o->rules[j].index);
			if (!list || !id)
				return ent_nomem(c->err);
			c->d->rules = list;
			list[c->d->n_rules++] = id;
		}
	}
	if (c->d->n_rules)
		qsort(c->d->rules, c->d->n_rules, sizeof *c->d->rules, compare_rules);
	return 0;
}

static void gather_approval(struct ent_decision *d, const char *org, uint32_t of)
{
	size_t i = 0;
	if (!of)
		return;
	while (i < d->n_approvals && strcmp(d->approvals[i].org, org) != 0)
		i++;
	if (i == d->n_approvals)
		d->approvals[d->n_approvals++] = (struct ent_decision_approval){ .org = org };
	d->approvals[i].of = of > d->approvals[i].of ? of : d->approvals[i].of;
	d->approvals_max = of > d->approvals_max ? of : d->approvals_max;
}

static int gather(struct ent_decide *c)
{
	struct ent_decision *d = c->d;
	d->leak = ENT_LEAK_MATCH_PATTERN;
	d->approvals = ENT_NEWS(c->arena, c->n_bases + 1, struct ent_decision_approval);
	if (!d->approvals)
		return ent_nomem(c->err);
	for (size_t i = 0; i < d->n_lines; i++) {
		const struct ent_decision_line *l = &d->lines[i];
		if (l->allowed && l->leak < d->leak)
			d->leak = l->leak;
		gather_approval(d, l->table->org, l->approvals);
	}
	return gather_rules(c);
}

int ent_decide_lines(struct ent_decide *c)
{
	c->d->allowed = true;
	for (size_t i = 0; i < c->n_bases; i++)
		ENT_TRY(base_lines(c, i));
	return gather(c);
}
