#include "base/clock.h"

#include <stdio.h>
#include <time.h>

void ent_time_format(int64_t utc_ms, char out[ENT_TIME_LEN + 1])
{
	int64_t ms = utc_ms % 1000;
	time_t s = (time_t)(utc_ms / 1000);
	struct tm t;
	if (ms < 0) {
		ms += 1000;
		s--;
	}
	if (!gmtime_r(&s, &t) || t.tm_year < -1900 || t.tm_year > 8099)
		t = (struct tm){ .tm_mday = 1 };
	char text[80];
	snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec,
		 (int)ms);
	memcpy(out, text, ENT_TIME_LEN);
	out[ENT_TIME_LEN] = 0;
}

static bool digits(const char *p, size_t n, int *ret)
{
	*ret = 0;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		*ret = *ret * 10 + (p[i] - '0');
	}
	return true;
}

bool ent_time_parse(const char *text, int64_t *ret_utc_ms)
{
	struct tm t = { 0 };
	int ms;
	char again[ENT_TIME_LEN + 1];
	if (strlen(text) != ENT_TIME_LEN || !digits(text, 4, &t.tm_year) || !digits(text + 5, 2, &t.tm_mon) || !digits(text + 8, 2, &t.tm_mday) ||
	    !digits(text + 11, 2, &t.tm_hour) || !digits(text + 14, 2, &t.tm_min) || !digits(text + 17, 2, &t.tm_sec) || !digits(text + 20, 3, &ms))
		return false;
	t.tm_year -= 1900;
	t.tm_mon--;
	int64_t v = (int64_t)timegm(&t) * 1000 + ms;
	ent_time_format(v, again);
	if (memcmp(again, text, ENT_TIME_LEN) != 0)
		return false;
	*ret_utc_ms = v;
	return true;
}
