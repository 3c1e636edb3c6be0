/* Time and randomness, only ever through these two vtables. */
#ifndef ENT_BASE_CLOCK_H
#define ENT_BASE_CLOCK_H
#include "base/bytes.h"

struct ent_clock {
	int64_t (*utc_ms)(struct ent_clock *c);   /* wall clock, UTC, may jump */
	uint64_t (*mono_ms)(struct ent_clock *c); /* never goes back */
};

struct ent_random {
	int (*fill)(struct ent_random *r, void *buf, size_t len, struct ent_err *err); /* for keys; a failure stops the work */
};

#define ENT_TIME_LEN 24 /* 2026-11-21T09:30:00.123Z */
void ent_time_format(int64_t utc_ms, char out[ENT_TIME_LEN + 1]);
bool ent_time_parse(const char *text, int64_t *ret_utc_ms); /* exactly the form above */
#endif
