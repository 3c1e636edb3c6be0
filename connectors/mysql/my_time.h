/* MySQL's times, field by field, to days and microseconds; shared by reader and log. */
#ifndef ENT_MYSQL_MY_TIME_H
#define ENT_MYSQL_MY_TIME_H
#include "my_type.h"

struct ent_my_clock {
	unsigned year, month, day, hour, minute, second, us;
	bool negative;
};

/* NULL, or why the value has no place elsewhere: zero dates, times beyond a day. type: DATE, DATETIME, TIMESTAMP or TIME. */
const char *ent_my_clock_value(const struct ent_my_type *type, const struct ent_my_clock *k, int64_t *ret);
int64_t ent_my_days(unsigned year, unsigned month, unsigned day); /* since 1970-01-01 */
#endif
