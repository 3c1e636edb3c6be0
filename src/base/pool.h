/* The pool vtable: data-parallel work on a fixed number of workers. */
#ifndef ENT_BASE_POOL_H
#define ENT_BASE_POOL_H
#include "base/bytes.h"

struct ent_pool {
	unsigned workers; /* 1 = run on the caller's thread */
	/* Runs fn(arg, 0) ... fn(arg, tasks-1) and returns when all are done. */
	void (*run)(struct ent_pool *p, void (*fn)(void *arg, size_t task), void *arg, size_t tasks);
};
#endif
