/* Memory for keys and shares at rest: locked (never swapped, left out of core dumps), wiped on release, no print helper. */
#ifndef ENT_CRYPTO_SECRET_H
#define ENT_CRYPTO_SECRET_H
#include "base/bytes.h"

/* Zeroed pages of their own with a guard page on each side. NULL when memory is short. A kernel that refuses mlock (RLIMIT_MEMLOCK) is
 * tolerated: see ent_secret_locked. */
void *ent_secret_new(size_t len);
void ent_secret_free(void *p); /* wipes; NULL is fine */
/* Overwrites in a way the compiler keeps. */
void ent_wipe(void *p, size_t len);
bool ent_secret_locked(const void *p); /* whether the kernel granted the lock; doctor reports it */
/* Equal or not in time that depends on len only. */
bool ent_const_eq(const void *a, const void *b, size_t len);
#endif
