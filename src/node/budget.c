/* What one member may cost us: everything a peer can cause that stays (ledger entries, jobs, log lines) or that takes long is paid from its own
 * budget, a bucket that refills with time. An empty bucket never hides a thing: what was left out is counted and told. Budgets live with the
 * name, so neither a new connection nor a new card refills them. */
#include "node/core.h"

static const struct budget_row {
	uint32_t burst;
	uint32_t refill_ms; /* for one */
} rows[ENT_BUDGETS] = {
	[ENT_BUDGET_PROPOSAL] = { 120, 1000 }, [ENT_BUDGET_REFUSED] = { 20, 60000 }, [ENT_BUDGET_ALARM] = { 8, 60000 },
	[ENT_BUDGET_FORK] = { 8, 60000 },      [ENT_BUDGET_CARD] = { 8, 600000 },    [ENT_BUDGET_WANT] = { 200, 100 },
	[ENT_BUDGET_LOG] = { 50, 2000 },
};

static bool empty(const struct ent_budget *b, uint64_t now)
{
	return !b->org[0] || now - b->at_ms > (uint64_t)24 * 3600 * 1000; /* full again in every kind */
}

/* Names that are no members' share one place; so do more names than there are places. */
static struct ent_budget *find(struct ent_node *n, const char *org, uint64_t now)
{
	struct ent_budget *free = NULL;
	const char *name = ent_member_find(n, org) ? org : "*";
	for (size_t i = 0; i < ENT_COUNT(n->budgets); i++) {
		struct ent_budget *b = &n->budgets[i];
		if (!strcmp(b->org, name))
			return b;
		if (!free && empty(b, now))
			free = b;
	}
	if (!free)
		return &n->budgets[0];
	*free = (struct ent_budget){ .at_ms = now };
	snprintf(free->org, sizeof free->org, "%s", name);
	for (int k = 0; k < ENT_BUDGETS; k++)
		free->left[k] = (uint64_t)rows[k].burst * rows[k].refill_ms;
	return free;
}

bool ent_budget_take(struct ent_node *n, const char *org, enum ent_budget_kind kind, unsigned cost)
{
	uint64_t now = ent_node_mono(n), price = (uint64_t)cost * rows[kind].refill_ms;
	struct ent_budget *b = find(n, org, now);
	uint64_t gone = ent_ms_since(now, b->at_ms);
	for (int k = 0; k < ENT_BUDGETS; k++) {
		uint64_t most = (uint64_t)rows[k].burst * rows[k].refill_ms;
		b->left[k] = b->left[k] + gone > most ? most : b->left[k] + gone;
	}
	b->at_ms = now;
#ifdef ENT_MUTANT_BUDGET_IGNORED
	return true;
#endif
	if (b->left[kind] < price) {
		b->unpaid[kind]++;
		return false;
	}
	b->left[kind] -= price;
	return true;
}

uint64_t ent_budget_unpaid(struct ent_node *n, const char *org, enum ent_budget_kind kind)
{
	struct ent_budget *b = find(n, org, ent_node_mono(n));
	uint64_t unpaid = b->unpaid[kind];
	b->unpaid[kind] = 0;
	return unpaid;
}

void ent_peer_complain(struct ent_node *n, const char *org, const char *event, const char *what)
{
	if (!ent_budget_take(n, org, ENT_BUDGET_LOG, 1))
		return;
	uint64_t unpaid = ent_budget_unpaid(n, org, ENT_BUDGET_LOG);
	if (unpaid)
		ent_log(n->env.log, ENT_LOG_WARN, event, "org=%s what=\"%s\" untold=%llu", org, what, (unsigned long long)unpaid);
	else
		ent_log(n->env.log, ENT_LOG_WARN, event, "org=%s what=\"%s\"", org, what);
}
