/* xorshift64*: the same numbers everywhere for one printed seed. */
#ifndef ENT_TEST_POLICY_RANDOM_H
#define ENT_TEST_POLICY_RANDOM_H
#include <stddef.h>
#include <stdint.h>

static uint64_t random_state = 1;

static inline size_t random_below(size_t n)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (size_t)((random_state * 0x2545f4914f6cdd1dull) >> 33) % n;
}
#endif
