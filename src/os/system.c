#include "os/system.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

static int64_t utc_ms(struct ent_clock *c)
{
	struct timespec t;
	(void)c;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static uint64_t mono_ms(struct ent_clock *c)
{
	struct timespec t;
	(void)c;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

struct ent_clock *ent_system_clock(void)
{
	static struct ent_clock clock = { utc_ms, mono_ms };
	return &clock;
}

static int fill(struct ent_random *r, void *buf, size_t len, struct ent_err *err)
{
	uint8_t *at = buf;
	(void)r;
	while (len) {
		ssize_t n = getrandom(at, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			ent_fail(err, ENT_EIO, "no randomness from the operating system");
			ent_why(err, "getrandom: %s", strerror(errno));
			return ENT_EIO;
		}
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

struct ent_random *ent_system_random(void)
{
	static struct ent_random random = { fill };
	return &random;
}
