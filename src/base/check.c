#include "base/check.h"

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void ent_assert_failed(const char *cond, const char *file, int line)
{
	void *frames[32];
	int n = backtrace(frames, 32);
	fprintf(stderr, "entente: broken invariant %s at %s:%d\n", cond, file, line);
	backtrace_symbols_fd(frames, n, STDERR_FILENO);
	abort();
}

void *ent_alloc(size_t count, size_t size) { return calloc(count ? count : 1, size ? size : 1); }
