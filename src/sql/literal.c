/* Quoted and numeric literals to constants: exact, strict, without locale or time zone of the machine. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "sql/internal.h"

#define DAY_MICROS 86400000000LL

/* Days since 1970-01-01 of the proleptic Gregorian calendar: count in years that begin on 1 March, so that leap days come last. */
int64_t ent_sql_days(int64_t year, unsigned month, unsigned day)
{
	int64_t y = month <= 2 ? year - 1 : year, era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void ent_sql_civil(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, of_era = z - era * 146097;
	int64_t yoe = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * of_year + 2) / 153;
	*ret_day = (unsigned)(of_year - (153 * mp + 2) / 5 + 1);
	*ret_month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
	*ret_year = yoe + era * 400 + (*ret_month <= 2);
}

static unsigned month_days(int64_t year, unsigned month)
{
	static const unsigned days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

/* Calendar months, the day clipped to the month's end, as PostgreSQL adds intervals. */
bool ent_sql_months_add(int64_t micros, int64_t months, int64_t *ret_micros)
{
	int64_t days = micros / DAY_MICROS - (micros % DAY_MICROS < 0), rest = micros - days * DAY_MICROS, year;
	unsigned month, day;
	ent_sql_civil(days, &year, &month, &day);
	int64_t total = year * 12 + month - 1 + months;
	year = total / 12 - (total % 12 < 0);
	month = (unsigned)(total - year * 12 + 1);
	if (year < 1 || year > 9999)
		return false;
	unsigned last = month_days(year, month);
	*ret_micros = ent_sql_days(year, month, day < last ? day : last) * DAY_MICROS + rest;
	return true;
}

static void skip_blank(const char **p)
{
	while (**p == ' ')
		(*p)++;
}

static bool digits(const char **p, size_t min, size_t max, int64_t *ret)
{
	int64_t v = 0;
	size_t n = 0;
	for (; n < max && **p >= '0' && **p <= '9'; n++, (*p)++)
		v = v * 10 + (**p - '0');
	*ret = v;
	return n >= min;
}

static bool letter(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static bool read_date(const char **p, int64_t *ret_days)
{
	int64_t y, m, d;
	if (!digits(p, 4, 4, &y) || !letter(p, '-') || !digits(p, 1, 2, &m) || !letter(p, '-') || !digits(p, 1, 2, &d))
		return false;
	if (y < 1 || m < 1 || m > 12 || d < 1 || d > month_days(y, (unsigned)m))
		return false;
	*ret_days = ent_sql_days(y, (unsigned)m, (unsigned)d);
	return true;
}

static bool read_clock(const char **p, int64_t *ret_micros)
{
	int64_t h, m, s = 0, frac = 0;
	if (!digits(p, 1, 2, &h) || !letter(p, ':') || !digits(p, 2, 2, &m) || (letter(p, ':') && !digits(p, 2, 2, &s)))
		return false;
	if (letter(p, '.')) {
		const char *from = *p;
		if (!digits(p, 1, 6, &frac))
			return false;
		for (long n = *p - from; n < 6; n++)
			frac *= 10;
	}
	if (h > 23 || m > 59 || s > 59)
		return false;
	*ret_micros = ((h * 60 + m) * 60 + s) * 1000000 + frac;
	return true;
}

/* Z, UTC, +HH, +HHMM or +HH:MM; *ret_given tells whether there was one. */
static bool read_zone(const char **p, int64_t *ret_micros, bool *ret_given)
{
	int64_t h, m = 0;
	skip_blank(p);
	*ret_given = **p != 0;
	*ret_micros = 0;
	if (!**p || !strcmp(*p, "Z") || !strcmp(*p, "UTC")) {
		*p += strlen(*p);
		return true;
	}
	bool minus = **p == '-';
	if (!minus && **p != '+')
		return false;
	(*p)++;
	if (!digits(p, 2, 2, &h) || ((letter(p, ':') || **p) && !digits(p, 2, 2, &m)) || h > 15 || m > 59)
		return false;
	*ret_micros = (h * 60 + m) * 60000000 * (minus ? -1 : 1);
	return true;
}

static bool read_timestamp(const char *p, bool zoned, int64_t *ret)
{
	int64_t days, clock = 0, zone = 0;
	bool given = false;
	if (!read_date(&p, &days))
		return false;
	if ((*p == ' ' || *p == 'T') && p[1]) {
		p++;
		if (!read_clock(&p, &clock) || !read_zone(&p, &zone, &given))
			return false;
	}
	if (*p || (given && !zoned))
		return false;
	*ret = days * DAY_MICROS + clock - zone;
	return true;
}

static bool read_int(const char *p, int64_t *ret)
{
	char *end;
	if (*p != '-' && *p != '+' && !(*p >= '0' && *p <= '9'))
		return false;
	errno = 0;
	*ret = strtoll(p, &end, 10);
	return !errno && end != p && !*end;
}

static bool number_letters(const char *p) { return *p && strspn(p, "0123456789+-.eE") == strlen(p); }

static bool read_double(const char *p, double *ret)
{
	char *end;
	if (!number_letters(p))
		return false;
	*ret = strtod(p, &end);
	return end != p && !*end && isfinite(*ret);
}

/* [sign]digits[.digits][e[sign]digits], as scaled integer of at most 18 digits. */
bool ent_sql_number_read(const char *text, struct ent_expr *ret)
{
	int64_t v = 0, exponent = 0;
	bool minus = *text == '-', point = false, any = false;
	int scale = 0, n_digits = 0;
	const char *p = text + (*text == '-' || *text == '+');
	for (; (*p >= '0' && *p <= '9') || (*p == '.' && !point); p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		any = true;
		n_digits += v || *p != '0';
		if (n_digits > 18)
			return false;
		v = v * 10 + (*p - '0');
		scale += point;
	}
	if (!any || ((*p == 'e' || *p == 'E') && (!read_int(p + 1, &exponent) || exponent < -38 || exponent > 38)) || (*p && *p != 'e' && *p != 'E'))
		return false;
	for (scale -= (int)exponent; scale < 0; scale++, n_digits += v != 0) {
		if (v && n_digits >= 18)
			return false;
		v *= 10;
	}
	if (scale > 18)
		return false;
	int precision = n_digits > scale ? n_digits : scale;
	*ret = (struct ent_expr){ .kind = ENT_X_CONST,
				  .type = ent_sql_decimal(precision ? (unsigned)precision : 1, (unsigned)scale),
				  .value = minus ? -v : v };
	return true;
}

static bool read_bool(const char *p, int64_t *ret)
{
	static const char *const yes[] = { "t", "true", "y", "yes", "on", "1" }, *const no[] = { "f", "false", "n", "no", "off", "0" };
	for (size_t i = 0; i < ENT_COUNT(yes); i++) {
		*ret = !strcmp(p, yes[i]);
		if (*ret || !strcmp(p, no[i]))
			return true;
	}
	return false;
}

static bool in_range(enum ent_type_id id, int64_t v) { return id == ENT_T_INT16 ? v == (int16_t)v : id == ENT_T_INT32 ? v == (int32_t)v : true; }

bool ent_sql_literal_read(struct ent_sql *x, const char *text, struct ent_type type, struct ent_expr *ret)
{
	struct ent_expr e = { .kind = ENT_X_CONST, .type = type };
	bool ok = false;
	if (type.id == ENT_T_BOOL) {
		ok = read_bool(text, &e.value);
	} else if (ent_type_is_int(type)) {
		ok = read_int(text, &e.value) && in_range(type.id, e.value);
	} else if (type.id == ENT_T_DECIMAL) {
		ok = ent_sql_number_read(text, &e);
	} else if (ent_type_is_float(type)) {
		ok = read_double(text, &e.real);
		e.real = type.id == ENT_T_REAL ? (double)(float)e.real : e.real;
		ok = ok && isfinite(e.real);
	} else if (type.id == ENT_T_DATE) {
		ok = read_date(&text, &e.value) && !*text;
	} else if (ent_type_is_time(type)) {
		ok = read_timestamp(text, type.id == ENT_T_TIMESTAMPTZ, &e.value);
	} else {
		ok = type.id == ENT_T_TEXT;
		e.text = ok ? ent_arena_dup(x->arena, text) : NULL;
		ok = ok && e.text;
	}
	if (ok)
		*ret = e;
	return ok;
}

static const struct {
	const char *name;
	unsigned mask;
	int64_t months, micros;
} units[] = {
	{ "microsecond", 0, 0, 1 },
	{ "millisecond", 0, 0, 1000 },
	{ "second", 1u << 12, 0, 1000000 },
	{ "sec", 0, 0, 1000000 },
	{ "minute", 1u << 11, 0, 60000000 },
	{ "min", 0, 0, 60000000 },
	{ "hour", 1u << 10, 0, 3600000000LL },
	{ "day", 1u << 3, 0, DAY_MICROS },
	{ "week", 0, 0, 7 * DAY_MICROS },
	{ "month", 1u << 1, 1, 0 },
	{ "mon", 0, 1, 0 },
	{ "year", 1u << 2, 12, 0 },
};

static bool unit_by_name(const char **p, size_t *ret)
{
	size_t len = strspn(*p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
	for (size_t i = 0; i < ENT_COUNT(units); i++) {
		size_t n = strlen(units[i].name);
		if (!strncasecmp(*p, units[i].name, n) && (len == n || (len == n + 1 && tolower((*p)[n]) == 's'))) {
			*p += len;
			*ret = i;
			return true;
		}
	}
	return false;
}

static bool unit_by_mask(unsigned mask, size_t *ret)
{
	for (size_t i = 0; i < ENT_COUNT(units); i++) {
		*ret = i;
		if (units[i].mask && units[i].mask == mask)
			return true;
	}
	*ret = 2; /* a bare number counts seconds */
	return mask == 0;
}

/* Sums "[+-]N [unit]" parts; N whole. unit_mask: the unit written behind the literal, PostgreSQL's bits, 0 for none. */
bool ent_sql_interval_read(const char *text, unsigned unit_mask, int64_t *ret_months, int64_t *ret_micros)
{
	int64_t months = 0, micros = 0;
	const char *p = text;
	skip_blank(&p);
	if (!*p)
		return false;
	while (*p) {
		int64_t n, m, u;
		size_t unit;
		bool minus = *p == '-';
		p += *p == '-' || *p == '+';
		if (!digits(&p, 1, 12, &n))
			return false;
		skip_blank(&p);
		if (!unit_by_name(&p, &unit) && (*p || !unit_by_mask(unit_mask, &unit)))
			return false;
		n = minus ? -n : n;
		if (__builtin_mul_overflow(n, units[unit].months, &m) || __builtin_mul_overflow(n, units[unit].micros, &u) ||
		    __builtin_add_overflow(months, m, &months) || __builtin_add_overflow(micros, u, &micros))
			return false;
		skip_blank(&p);
	}
	*ret_months = months;
	*ret_micros = micros;
	return true;
}
