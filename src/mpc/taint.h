/* Marks for the constant-time test: under valgrind, shares are made undefined and every branch or address that depends on them is reported.
 * Marked: mask draws, received payloads, what a test marks itself. Only open.c and a receiver outside the trio clear marks, of what was opened.
 * Outside valgrind, or built without its header, these do nothing. */
#ifndef ENT_MPC_TAINT_H
#define ENT_MPC_TAINT_H
#include <stddef.h>

#if defined(ENT_TAINT)
#include <valgrind/memcheck.h>
static inline void ent_taint_mark(void *p, size_t len) { (void)VALGRIND_MAKE_MEM_UNDEFINED(p, len); }
static inline void ent_taint_clear(void *p, size_t len) { (void)VALGRIND_MAKE_MEM_DEFINED(p, len); }
#else
static inline void ent_taint_mark(void *p, size_t len)
{
	(void)p;
	(void)len;
}
static inline void ent_taint_clear(void *p, size_t len)
{
	(void)p;
	(void)len;
}
#endif
#endif
