/* Preloaded into a process, it moves the wall clock by ENT_TEST_SKEW_SECONDS; the monotonic clock stays. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

__attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *ts);

int clock_gettime(clockid_t id, struct timespec *ts)
{
	const char *skew = getenv("ENT_TEST_SKEW_SECONDS");
	int failed = (int)syscall(SYS_clock_gettime, id, ts);
	if (!failed && id == CLOCK_REALTIME && skew)
		ts->tv_sec += strtol(skew, NULL, 10);
	return failed;
}
