/* Declared state machines: a table of states and allowed next states, an invariant run at each move, a trace. An illegal move is a programmer error.
 */
#ifndef ENT_BASE_SM_H
#define ENT_BASE_SM_H
#include "base/check.h"

struct ent_sm_state {
	const char *name;
	uint32_t next; /* bit i: state i may follow */
};

struct ent_sm {
	const struct ent_sm_state *states;
	int count, at;
	bool (*invariant)(const void *owner, int state); /* may be NULL */
	const void *owner;
	void (*trace)(const void *owner, const char *from, const char *to); /* may be NULL */
};

void ent_sm_init(struct ent_sm *m, const struct ent_sm_state *states, int count, int start, const void *owner);
void ent_sm_move(struct ent_sm *m, int to);
bool ent_sm_can(const struct ent_sm *m, int to);
static inline const char *ent_sm_name(const struct ent_sm *m) { return m->states[m->at].name; }
#endif
