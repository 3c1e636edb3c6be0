#include "base/sm.h"

void ent_sm_init(struct ent_sm *m, const struct ent_sm_state *states, int count, int start, const void *owner)
{
	ENT_ASSERT(count > 0 && count <= 32 && start >= 0 && start < count);
	*m = (struct ent_sm){ .states = states, .count = count, .at = start, .owner = owner };
}

bool ent_sm_can(const struct ent_sm *m, int to) { return to >= 0 && to < m->count && (m->states[m->at].next >> to & 1); }

void ent_sm_move(struct ent_sm *m, int to)
{
	ENT_ASSERT(ent_sm_can(m, to));
	if (m->trace)
		m->trace(m->owner, m->states[m->at].name, m->states[to].name);
	m->at = to;
	ENT_ASSERT(!m->invariant || m->invariant(m->owner, to));
}
