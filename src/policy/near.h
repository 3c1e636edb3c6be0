/* The nearest known name to a mistyped one. */
#ifndef ENT_POLICY_NEAR_H
#define ENT_POLICY_NEAR_H
#include <stddef.h>

struct ent_near {
	const char *wanted, *best; /* best: NULL while none is near */
	size_t distance;
};

struct ent_near ent_near(const char *wanted);
void ent_near_try(struct ent_near *near, const char *name); /* name is kept, not copied */
#endif
