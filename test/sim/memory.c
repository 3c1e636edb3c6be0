/* Memory that is short for one allocation, now and then: the nth one that the product makes from now on fails. */
#include "sim/world.h"

#include "base/arena.h"

void *__real_ent_alloc(size_t count, size_t size);
void *__wrap_ent_alloc(size_t count, size_t size);
struct ent_arena *__real_ent_arena_new(size_t cap_bytes);
struct ent_arena *__wrap_ent_arena_new(size_t cap_bytes);

static uint64_t countdown; /* 0: none fails */
static uint64_t failures;

uint64_t sim_memory_short(uint64_t nth)
{
	uint64_t before = countdown;
	countdown = nth;
	return before;
}

uint64_t sim_memory_failures(void) { return failures; }

static bool fails(void)
{
	bool now = countdown && --countdown == 0;
	failures += now;
	return now;
}

void *__wrap_ent_alloc(size_t count, size_t size) { return fails() ? NULL : __real_ent_alloc(count, size); }

struct ent_arena *__wrap_ent_arena_new(size_t cap_bytes) { return fails() ? NULL : __real_ent_arena_new(cap_bytes); }
