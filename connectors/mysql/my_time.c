#include "my_time.h"

/* Years begin in March, so that the leap day comes last; 400 years have 146097 days. */
int64_t ent_my_days(unsigned year, unsigned month, unsigned day)
{
	int64_t y = (int64_t)year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
	int64_t doy = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static bool date_real(const struct ent_my_clock *k)
{
	static const unsigned char length[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (k->year % 4 == 0 && k->year % 100 != 0) || k->year % 400 == 0;
	if (k->year < 1 || k->year > 9999 || k->month < 1 || k->month > 12 || k->day < 1 || k->day > length[k->month - 1])
		return false;
	return k->month != 2 || k->day < 29 || leap;
}

const char *ent_my_clock_value(const struct ent_my_type *type, const struct ent_my_clock *k, int64_t *ret)
{
	int64_t clock = (((int64_t)k->hour * 60 + k->minute) * 60 + k->second) * 1000000 + k->us;
	if (type->kind == ENT_MY_TIME) {
		if ((k->negative && clock) || clock > 86400000000)
			return "a time below 00:00:00 or above 24:00:00 is no time of day";
		*ret = clock;
		return NULL;
	}
	if (!date_real(k))
		return k->year || k->month || k->day ? "a date with a zero or a day that does not exist"
						     : "the zero date 0000-00-00 stands for nothing";
	int64_t days = ent_my_days(k->year, k->month, k->day);
	*ret = type->kind == ENT_MY_DATE ? days : days * 86400000000 + clock;
	return NULL;
}
