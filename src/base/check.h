/* Programmer errors and checked integers. ENT_ASSERT stays on in release: it aborts with the place, never for foreign input. */
#ifndef ENT_BASE_CHECK_H
#define ENT_BASE_CHECK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENT_ASSERT(cond) ((cond) ? (void)0 : ent_assert_failed(#cond, __FILE__, __LINE__))
#define ENT_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ENT_CLEANUP(fn) __attribute__((cleanup(fn)))
#define ENT_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define ENT_UNUSED __attribute__((unused))
#define ENT_TRY(e) \
	do { \
		int r_ = (e); \
		if (r_) \
			return r_; \
	} while (0) /* the only control-flow macro */

_Noreturn void ent_assert_failed(const char *cond, const char *file, int line);

__extension__ typedef __int128 ent_i128;
__extension__ typedef unsigned __int128 ent_u128;

static inline bool ent_add_size(size_t a, size_t b, size_t *ret) { return !__builtin_add_overflow(a, b, ret); }
static inline bool ent_mul_size(size_t a, size_t b, size_t *ret) { return !__builtin_mul_overflow(a, b, ret); }

/* malloc and calloc that check the product; NULL when it does not fit or memory is short. */
void *ent_alloc(size_t count, size_t size);
#endif
