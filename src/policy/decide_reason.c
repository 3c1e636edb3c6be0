/* The words of a refusal: which column, which use, which condition, whose rule, and the smallest grant that would help. */
#include "policy/decide.h"

static const char *forbidden(enum ent_use use)
{
	switch (use) {
	case ENT_USE_SELECT:
		return "may not appear in result rows";
	case ENT_USE_JOIN:
		return "may not be a join key";
	case ENT_USE_FILTER:
		return "may not be compared in a condition";
	case ENT_USE_GROUP:
		return "may not be a group label";
	case ENT_USE_COUNT:
		return "may not be counted";
	case ENT_USE_SUM:
		return "may not be summed";
	case ENT_USE_AVG:
		return "may not be averaged";
	case ENT_USE_MIN:
		return "may not give its minimum";
	case ENT_USE_MAX:
		return "may not give its maximum";
	case ENT_USE_MIXED:
		return "may not enter an aggregate together with another owner's columns";
	case ENT_USE_TRAIN:
		return "may not train a model";
	case ENT_USE_COPY:
		return "may not be copied";
	case ENT_USE_NAMES:
		break;
	}
	return "may not be used";
}

/* The k the owner asks elsewhere on this table, else the default. */
static uint32_t usual_k(const struct ent_decide *c, const struct ent_policy_owner *o, const char *table)
{
	uint32_t k = 0;
	for (size_t i = 0; o && i < o->n_rules; i++) {
		const struct ent_grant *g = o->rules[i].grant;
		if (!g->deny && !strcmp(g->table, table) && ent_decide_unmet(o, c->in, &o->rules[i]) == ENT_MET && g->min_group > k)
			k = g->min_group;
	}
	return k ? k : ENT_GRANT_MIN_GROUP_DEFAULT;
}

const char *ent_decide_suggest(struct ent_decide *c, const struct ent_table *t, enum ent_use use, const char *column, bool own_values)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(4096);
	ent_buf_printf(&b, "GRANT %s ON ", ent_use_text(use));
	ent_grant_print_name(t->name, &b);
	ent_buf_str(&b, "(");
	ent_grant_print_name(column, &b);
	ent_buf_printf(&b, ") TO %s", c->in->requester);
	if (c->in->purpose) {
		ent_buf_str(&b, " FOR ");
		ent_grant_print_name(c->in->purpose, &b);
	}
	if (use != ENT_USE_SELECT)
		ent_buf_printf(&b, " MIN GROUP %u", (unsigned)usual_k(c, ent_decide_owner(c->in, t->org), t->name));
	ent_buf_printf(&b, "%s;", own_values ? " WITH OWN VALUES" : "");
	return b.code ? NULL : ent_arena_str(c->arena, ent_buf_text(&b), b.len);
}

/* The rule that comes nearest: same use and the fewest unmet conditions; else any rule on the column, its uses told. */
struct nearest {
	const struct ent_policy_rule *rule;
	enum ent_unmet unmet;
	bool same_use;
};

static struct nearest find_nearest(const struct ent_decide *c, const struct ent_policy_owner *o, const char *table, const char *column, uint32_t use)
{
	struct nearest best = { .unmet = ENT_UNMET_TO };
	for (size_t i = 0; o && i < o->n_rules; i++) {
		const struct ent_policy_rule *r = &o->rules[i];
		if (r->grant->deny || strcmp(r->grant->table, table) != 0 || !ent_grant_has_column(r->grant, column))
			continue;
		bool same = (ent_decide_implied(r->grant->uses) & use) != 0;
		enum ent_unmet unmet = ent_decide_unmet(o, c->in, r);
		if (best.rule && (best.same_use > same || (best.same_use == same && best.unmet <= unmet)))
			continue;
		best = (struct nearest){ r, unmet, same };
	}
	return best;
}

static void put_list(struct ent_buf *out, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n && i < 5; i++)
		ent_buf_printf(out, "%s%s", i ? ", " : "", names[i]);
	if (n > 5)
		ent_buf_printf(out, " and %zu more", n - 5);
}

static void put_unmet(const struct ent_decide *c, struct ent_buf *out, const struct ent_policy_owner *o, const struct nearest *n)
{
	const struct ent_grant *g = n->rule->grant;
	char day[16] = "";
	switch (n->unmet) {
	case ENT_MET:
		return;
	case ENT_UNMET_USES:
		ent_buf_printf(out, ", and its %llu uses are used up", (unsigned long long)g->uses_max);
		return;
	case ENT_UNMET_UNTIL:
		ent_day_text(g->until_day, day);
		ent_buf_printf(out, " until %s, which is over", day);
		return;
	case ENT_UNMET_FOR:
		ent_buf_str(out, " for ");
		put_list(out, g->purposes, g->n_purposes);
		if (c->in->purpose)
			ent_buf_printf(out, " only, not for %s", c->in->purpose);
		else
			ent_buf_str(out, " only; this question names no purpose");
		return;
	case ENT_UNMET_TO:
		if (g->n_orgs) {
			ent_buf_str(out, " to ");
			put_list(out, g->orgs, g->n_orgs);
			ent_buf_str(out, " only");
		} else {
			ent_buf_printf(out, " to its members, but %s is none in its ledger at %llu entries", c->in->requester,
				       (unsigned long long)o->ledger_size);
		}
		return;
	}
}

/* "GROUP" or "AGGREGATE(avg, count)" out of a set of uses. */
static void put_uses(struct ent_buf *out, uint32_t uses)
{
	const char *sep = "";
	uint32_t aggregates = uses & ENT_USE_AGGREGATES;
	for (int u = 0; u < ENT_USE_NAMES; u++) {
		if (!(uses & ~ENT_USE_AGGREGATES & ENT_USE_BIT(u)))
			continue;
		ent_buf_printf(out, "%s%s", sep, ent_use_text((enum ent_use)u));
		sep = ", ";
	}
	if (!aggregates)
		return;
	ent_buf_printf(out, "%sAGGREGATE(", sep);
	sep = "";
	for (int u = 0; u < ENT_USE_NAMES; u++) {
		if (!(aggregates & ENT_USE_BIT(u)))
			continue;
		ent_buf_printf(out, "%s%s", sep, ent_use_json((enum ent_use)u) + strlen("aggregate."));
		sep = ", ";
	}
	ent_buf_str(out, ")");
}

/* All that is granted on the column now, under any rule. */
static uint32_t granted_now(const struct ent_decide *c, const struct ent_policy_owner *o, const char *table, const char *column)
{
	return ent_policy_column_uses(o, table, column, c->in->requester, c->in->purpose, c->in->time_ms, NULL, NULL);
}

static void put_why(struct ent_decide *c, struct ent_buf *out, const struct ent_decision_line *l, const struct ent_policy_owner *o)
{
	const char *org = l->table->org;
	struct nearest n = find_nearest(c, o, l->table->name, l->column, ENT_USE_BIT(l->use));
	uint32_t now = granted_now(c, o, l->table->name, l->column);
	if (!n.rule) {
		ent_buf_printf(out, "%s grants nothing on it", org);
		return;
	}
	ent_buf_printf(out, "%s grants ", org);
	if (n.same_use) {
		ent_buf_str(out, ent_use_text(l->use));
		ent_buf_str(out, " on it");
		put_unmet(c, out, o, &n);
	} else if (now) {
		put_uses(out, now);
		ent_buf_printf(out, " on it, not %s", ent_use_text(l->use));
	} else {
		put_uses(out, n.rule->grant->uses);
		put_unmet(c, out, o, &n);
		ent_buf_printf(out, ", and not %s", ent_use_text(l->use));
	}
	ent_buf_printf(out, "    rule %s/%llu", org, (unsigned long long)n.rule->index);
}

static const char *keep(struct ent_decide *c, const struct ent_buf *b) { return b->code ? NULL : ent_arena_str(c->arena, ent_buf_text(b), b->len); }

/* The rows as such: COUNT(*) without any countable column. */
static int reason_rows(struct ent_decide *c, struct ent_decision_line *l)
{
	const struct ent_base *b = &c->bases[ent_decide_base(c, l->table)];
	size_t at = 0;
	while (at + 1 < l->table->n_columns && !b->needs[at])
		at++;
	if (!l->table->n_columns || !b->needs[at])
		at = 0;
	const char *column = l->table->n_columns ? l->table->columns[at].name : "*";
	const char *grant = ent_decide_suggest(c, l->table, ENT_USE_COUNT, column, false);
	l->what = ent_arena_printf(c->arena, "rows of %s may not be counted", l->table->name);
	l->why = ent_arena_printf(c->arena, "%s grants AGGREGATE(count) on none of its columns", l->table->org);
	l->next = grant ? ent_arena_printf(c->arena, "ask %s for: %s", l->table->org, grant) : NULL;
	return l->what && l->why && l->next ? 0 : ent_nomem(c->err);
}

static const char *next_text(struct ent_decide *c, const struct ent_decision_line *l, const struct ent_policy_owner *o, const char *denied_by)
{
	const char *grant = ent_decide_suggest(c, l->table, l->use, l->column, false);
	struct nearest n = find_nearest(c, o, l->table->name, l->column, ENT_USE_BIT(l->use));
	if (!grant)
		return NULL;
	if (denied_by)
		return ent_arena_printf(c->arena, "ask %s to revoke %s and for: %s", l->table->org, denied_by, grant);
	if (n.rule && n.same_use && n.unmet == ENT_UNMET_FOR && !c->in->purpose)
		return ent_arena_printf(c->arena, "add --purpose %s if that is what it is for, or ask %s for: %s", n.rule->grant->purposes[0],
					l->table->org, grant);
	return ent_arena_printf(c->arena, "ask %s for: %s", l->table->org, grant);
}

int ent_decide_reason(struct ent_decide *c, struct ent_decision_line *l)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf why = ENT_BUF(8192);
	if (!l->column)
		return reason_rows(c, l);
	const struct ent_policy_owner *o = ent_decide_owner(c->in, l->table->org);
	struct ent_match m = ent_decide_match(o, c->in, l->table->name, l->column, ENT_USE_BIT(l->use));
	if (m.deny)
		ent_buf_printf(&why, "%s denies it    rule %s", l->table->org, l->rule);
	else
		put_why(c, &why, l, o);
	l->what = ent_arena_printf(c->arena, "%s.%s %s", l->table->name, l->column, forbidden(l->use));
	l->why = keep(c, &why);
	l->next = next_text(c, l, o, m.deny ? l->rule : NULL);
	return l->what && l->why && l->next ? 0 : ent_nomem(c->err);
}
