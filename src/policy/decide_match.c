/* Which rules of an owner speak of a use of a column by this requester, for this purpose, now. Conditions of several matching grants combine
 * to the strictest; a matching DENY beats all. */
#include "policy/decide.h"

#define DAY_MS 86400000ll

const struct ent_policy_owner *ent_decide_owner(const struct ent_policy_input *in, const char *org)
{
	for (size_t i = 0; i < in->n_owners; i++)
		if (!strcmp(in->owners[i].org, org))
			return &in->owners[i];
	return NULL;
}

uint32_t ent_decide_implied(uint32_t uses)
{
	if (uses & ENT_USE_BIT(ENT_USE_SELECT))
		uses |= ENT_USE_BIT(ENT_USE_JOIN) | ENT_USE_BIT(ENT_USE_FILTER) | ENT_USE_BIT(ENT_USE_GROUP) | ENT_USE_AGGREGATES;
	return uses;
}

static bool in_list(const char *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i], name))
			return true;
	return false;
}

static bool to_matches(const struct ent_policy_owner *o, const struct ent_grant *g, const char *requester)
{
	if (g->n_orgs)
		return in_list(g->orgs, g->n_orgs, requester);
	return g->deny || in_list(o->members, o->n_members, requester); /* a DENY to ANY binds strangers, too */
}

static bool for_matches(const struct ent_grant *g, const char *purpose)
{
	return !g->n_purposes || (purpose && in_list(g->purposes, g->n_purposes, purpose));
}

enum ent_unmet ent_decide_unmet(const struct ent_policy_owner *o, const struct ent_policy_input *in, const struct ent_policy_rule *r)
{
	const struct ent_grant *g = r->grant;
	if (!to_matches(o, g, in->requester))
		return ENT_UNMET_TO;
	if (!for_matches(g, in->purpose))
		return ENT_UNMET_FOR;
#ifndef ENT_MUTANT_GRANT_EXPIRED
	if (g->until_day != ENT_GRANT_NO_DATE && in->time_ms >= ((int64_t)g->until_day + 1) * DAY_MS)
		return ENT_UNMET_UNTIL;
#endif
	if (g->uses_max && r->used >= g->uses_max)
		return ENT_UNMET_USES;
	return ENT_MET;
}

bool ent_decide_rule_matches(const struct ent_policy_owner *o, const struct ent_policy_input *in, const struct ent_policy_rule *r, const char *table,
			     const char *column, uint32_t use_bits)
{
	const struct ent_grant *g = r->grant;
	uint32_t uses = g->deny ? g->uses : ent_decide_implied(g->uses);
	if (!(uses & use_bits) || strcmp(g->table, table) != 0 || !ent_grant_has_column(g, column))
		return false;
	return ent_decide_unmet(o, in, r) == ENT_MET;
}

static void combine(struct ent_match *m, const struct ent_policy_rule *r)
{
	const struct ent_grant *g = r->grant;
	if (!m->n || g->min_group > m->k) {
		m->k = g->min_group;
		m->first = r;
	}
	m->approvals = g->approvals > m->approvals ? g->approvals : m->approvals;
	m->leak = g->leak < m->leak ? g->leak : m->leak;
	m->n++;
}

struct ent_match ent_decide_match(const struct ent_policy_owner *o, const struct ent_policy_input *in, const char *table, const char *column,
				  uint32_t use_bits)
{
	struct ent_match m = { .leak = ENT_LEAK_MATCH_PATTERN };
	bool every = true;
	for (size_t i = 0; o && i < o->n_rules; i++) {
		const struct ent_policy_rule *r = &o->rules[i];
		if (!ent_decide_rule_matches(o, in, r, table, column, use_bits))
			continue;
		if (r->grant->deny) {
#ifndef ENT_MUTANT_DENY_IGNORED
			m.deny = m.deny ? m.deny : r;
#endif
			continue;
		}
		combine(&m, r);
		if (ent_decide_implied(r->grant->uses) & ENT_USE_BIT(ENT_USE_JOIN))
			every &= r->grant->own_values;
	}
	m.own_values = m.n && every;
	return m;
}

uint32_t ent_policy_column_uses(const struct ent_policy_owner *owner, const char *table, const char *column, const char *requester,
				const char *purpose, int64_t time_ms, uint32_t *ret_k, bool *ret_own_values)
{
	struct ent_policy_input in = { .requester = requester, .purpose = purpose, .time_ms = time_ms };
	uint32_t uses = 0, k = 0;
	bool own_values = false;
	for (int u = 0; u < ENT_USE_NAMES; u++) {
		struct ent_match m = ent_decide_match(owner, &in, table, column, ENT_USE_BIT(u));
		if (m.deny || !m.n)
			continue;
		uses |= ENT_USE_BIT(u);
		k = m.k > k ? m.k : k;
		own_values |= u == ENT_USE_JOIN && m.own_values;
	}
	if (ret_k)
		*ret_k = k;
	if (ret_own_values)
		*ret_own_values = own_values;
	return uses;
}
