/* One spelling per value. Dates count days in the proleptic Gregorian calendar by 400-year eras, so that nothing depends on a time zone or libc. */
#include "arrow/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DAY_US ((int64_t)86400000000)
#define ERA_DAYS 146097    /* days in 400 years */
#define EPOCH_SHIFT 719468 /* days from 0000-03-01 to 1970-01-01 */

struct civil {
	int64_t year; /* astronomical: 0 is 1 BC */
	int month, day;
};

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

static struct civil civil_of(int64_t days)
{
	days += EPOCH_SHIFT;
	int64_t era = floor_div(days, ERA_DAYS), doe = days - era * ERA_DAYS;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153; /* months since March */
	int month = (int)(mp < 10 ? mp + 3 : mp - 9);
	return (struct civil){ yoe + era * 400 + (month <= 2), month, (int)(doy - (153 * mp + 2) / 5 + 1) };
}

static int64_t days_of(struct civil c)
{
	int64_t y = c.year - (c.month <= 2), era = floor_div(y, 400), yoe = y - era * 400;
	int64_t doy = (153 * (c.month + (c.month > 2 ? -3 : 9)) + 2) / 5 + c.day - 1;
	return era * ERA_DAYS + yoe * 365 + yoe / 4 - yoe / 100 + doy - EPOCH_SHIFT;
}

static size_t printed(int n) { return (size_t)n; }

size_t ent_int_text(int64_t v, char out[ENT_VALUE_TEXT_MAX]) { return printed(snprintf(out, ENT_VALUE_TEXT_MAX, "%lld", (long long)v)); }

size_t ent_decimal_text(ent_i128 scaled, unsigned scale, char out[ENT_VALUE_TEXT_MAX])
{
	char digits[48];
	size_t n = 0, len = 0;
	ent_u128 rest = scaled < 0 ? -(ent_u128)scaled : (ent_u128)scaled;
	while (rest || n <= scale) {
		digits[n++] = (char)('0' + (int)(rest % 10));
		rest /= 10;
	}
	if (scaled < 0)
		out[len++] = '-';
	while (n) {
		if (n == scale)
			out[len++] = '.';
		out[len++] = digits[--n];
	}
	out[len] = 0;
	return len;
}

size_t ent_real_text(double v, bool is_float, char out[ENT_VALUE_TEXT_MAX])
{
	int n = 0;
	if (isnan(v))
		return printed(snprintf(out, ENT_VALUE_TEXT_MAX, "NaN"));
	if (isinf(v))
		return printed(snprintf(out, ENT_VALUE_TEXT_MAX, v < 0 ? "-Infinity" : "Infinity"));
	for (int digits = fabs(v) < (is_float ? 1.2e-38 : 2.3e-308) ? 1
			  : is_float                                ? 6
								    : 15;
	     digits <= 17; digits++) { /* few digits say a subnormal */
		n = snprintf(out, ENT_VALUE_TEXT_MAX, "%.*g", digits, v);
		double back = strtod(out, NULL);
		if (back == v || (is_float && (double)(float)back == v))
			break;
	}
	return printed(n);
}

static size_t infinity_text(bool positive, char out[ENT_VALUE_TEXT_MAX])
{
	return printed(snprintf(out, ENT_VALUE_TEXT_MAX, "%s", positive ? "infinity" : "-infinity"));
}

size_t ent_date_text(int32_t days, char out[ENT_VALUE_TEXT_MAX])
{
	if (days == INT32_MAX || days == INT32_MIN)
		return infinity_text(days > 0, out);
	struct civil c = civil_of(days);
	bool bc = c.year <= 0;
	return printed(
		snprintf(out, ENT_VALUE_TEXT_MAX, "%04lld-%02d-%02d%s", (long long)(bc ? 1 - c.year : c.year), c.month, c.day, bc ? " BC" : ""));
}

/* ".25" for 250000, "" for 0 */
static void fraction_text(int us, char out[16])
{
	snprintf(out, 16, ".%06d", us);
	for (size_t n = 7; n > 0 && (out[n - 1] == '0' || out[n - 1] == '.'); n--)
		out[n - 1] = 0;
	if (!us)
		out[0] = 0;
}

size_t ent_timestamp_text(int64_t us, bool with_zone, char out[ENT_VALUE_TEXT_MAX])
{
	char fraction[16];
	if (us == INT64_MAX || us == INT64_MIN)
		return infinity_text(us > 0, out);
	int64_t days = floor_div(us, DAY_US), rest = us - days * DAY_US;
	int seconds = (int)(rest / 1000000);
	struct civil c = civil_of(days);
	bool bc = c.year <= 0;
	fraction_text((int)(rest % 1000000), fraction);
	return printed(snprintf(out, ENT_VALUE_TEXT_MAX, "%04lld-%02d-%02d %02d:%02d:%02d%s%s%s", (long long)(bc ? 1 - c.year : c.year), c.month,
				c.day, seconds / 3600, seconds / 60 % 60, seconds % 60, fraction, with_zone ? "+00" : "", bc ? " BC" : ""));
}

size_t ent_clock_text(int64_t us, char out[ENT_VALUE_TEXT_MAX])
{
	char fraction[16];
	int seconds = (int)(us / 1000000);
	fraction_text((int)(us % 1000000), fraction);
	return printed(snprintf(out, ENT_VALUE_TEXT_MAX, "%02d:%02d:%02d%s", seconds / 3600, seconds / 60 % 60, seconds % 60, fraction));
}

/* PostgreSQL's spelling of bytes: \x00ff */
static void hex_put(struct ent_bytes bytes, struct ent_buf *out)
{
	static const char digits[] = "0123456789abcdef";
	ent_buf_str(out, "\\x");
	for (size_t i = 0; i < bytes.len; i++) {
		ent_buf_u8(out, (uint8_t)digits[bytes.data[i] >> 4]);
		ent_buf_u8(out, (uint8_t)digits[bytes.data[i] & 15]);
	}
}

void ent_value_put(const struct ent_view *v, size_t row, struct ent_buf *out)
{
	char text[ENT_VALUE_TEXT_MAX];
	size_t len = 0;
	if (ent_view_null(v, row))
		return;
	switch (v->type.id) {
	case ENT_T_TEXT: {
		struct ent_bytes t = ent_view_text(v, row);
		ent_buf_put(out, t.data, t.len);
		return;
	}
	case ENT_T_BINARY:
		hex_put(ent_view_text(v, row), out);
		return;
	case ENT_T_BOOL:
		ent_buf_str(out, ent_view_int(v, row) ? "true" : "false");
		return;
	case ENT_T_INT16:
	case ENT_T_INT32:
	case ENT_T_INT64:
		len = ent_int_text(ent_view_int(v, row), text);
		break;
	case ENT_T_UINT64:
		len = printed(snprintf(text, sizeof text, "%llu", (unsigned long long)ent_view_int(v, row)));
		break;
	case ENT_T_TIME:
		len = ent_clock_text(ent_view_int(v, row), text);
		break;
	case ENT_T_DECIMAL:
		len = ent_decimal_text(ent_view_wide(v, row), v->type.scale, text);
		break;
	case ENT_T_REAL:
	case ENT_T_DOUBLE:
		len = ent_real_text(ent_view_real(v, row), v->type.id == ENT_T_REAL, text);
		break;
	case ENT_T_DATE:
		len = ent_date_text((int32_t)ent_view_int(v, row), text);
		break;
	case ENT_T_TIMESTAMP:
	case ENT_T_TIMESTAMPTZ:
		len = ent_timestamp_text(ent_view_int(v, row), v->type.id == ENT_T_TIMESTAMPTZ, text);
		break;
	case ENT_T_COUNT:
		break;
	}
	ent_buf_put(out, text, len);
}

/* --- reading --- */

static bool digit(int c) { return c >= '0' && c <= '9'; }

/* Digits at r, between min and max of them. */
static bool digits_read(struct ent_reader *r, size_t min, size_t max, int64_t *ret)
{
	int64_t v = 0;
	size_t n = 0;
	while (n < max && r->at < r->end && digit(*r->at)) {
		v = v * 10 + (*r->at++ - '0');
		n++;
	}
	*ret = v;
	return n >= min;
}

static bool letter_read(struct ent_reader *r, const char *any)
{
	if (r->at == r->end || !strchr(any, *r->at) || !*r->at)
		return false;
	r->at++;
	return true;
}

static bool leap(int64_t y) { return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0); }

/* The day is held against its month by civil_finish, which knows the era. */
static bool civil_read(struct ent_reader *r, struct civil *ret)
{
	int64_t year, month, day;
	if (!digits_read(r, 4, 7, &year) || !letter_read(r, "-") || !digits_read(r, 2, 2, &month) || !letter_read(r, "-") ||
	    !digits_read(r, 2, 2, &day))
		return false;
	*ret = (struct civil){ year, (int)month, (int)day };
	return year >= 1 && month >= 1 && month <= 12 && day >= 1;
}

/* Drops a trailing " BC" and tells whether it was there. */
static bool bc_take(struct ent_reader *r)
{
	if (ent_reader_left(r) < 3 || memcmp(r->end - 3, " BC", 3) != 0)
		return false;
	r->end -= 3;
	return true;
}

static bool civil_finish(struct civil c, bool bc, int64_t *ret_days)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	if (bc)
		c.year = 1 - c.year;
	if (c.day > days[c.month - 1] + (c.month == 2 && leap(c.year)))
		return false;
	*ret_days = days_of(c);
	return true;
}

bool ent_date_parse(struct ent_bytes text, int32_t *ret_days)
{
	struct ent_reader r = ent_reader(text);
	struct civil c;
	int64_t days;
	bool bc = bc_take(&r);
	if (!civil_read(&r, &c) || r.at != r.end || !civil_finish(c, bc, &days) || days <= INT32_MIN || days >= INT32_MAX)
		return false;
	*ret_days = (int32_t)days;
	return true;
}

/* HH:MM[:SS[.ffffff]] */
static bool clock_read(struct ent_reader *r, int64_t *ret_us)
{
	int64_t h, m, s = 0, f = 0;
	if (!digits_read(r, 2, 2, &h) || !letter_read(r, ":") || !digits_read(r, 2, 2, &m))
		return false;
	if (letter_read(r, ":") && !digits_read(r, 2, 2, &s))
		return false;
	if (letter_read(r, ".")) {
		const uint8_t *from = r->at;
		if (!digits_read(r, 1, 6, &f))
			return false;
		for (size_t n = (size_t)(r->at - from); n < 6; n++)
			f *= 10;
	}
	*ret_us = ((h * 60 + m) * 60 + s) * 1000000 + f;
	return h < 24 && m < 60 && s < 60;
}

/* Z, +HH, +HHMM or +HH:MM, in microseconds east of UTC. */
static bool zone_read(struct ent_reader *r, int64_t *ret_us)
{
	int64_t h = 0, m = 0, sign;
	*ret_us = 0;
	if (letter_read(r, "Z"))
		return true;
	if (r->at == r->end)
		return false;
	sign = *r->at == '-' ? -1 : 1;
	if (!letter_read(r, "+-") || !digits_read(r, 2, 2, &h))
		return false;
	if (r->at < r->end && ((letter_read(r, ":"), !digits_read(r, 2, 2, &m)) || m > 59))
		return false;
	*ret_us = sign * (h * 60 + m) * 60000000;
	return h <= 15;
}

bool ent_timestamp_parse(struct ent_bytes text, bool with_zone, int64_t *ret_us)
{
	struct ent_reader r = ent_reader(text);
	struct civil c;
	int64_t days, clock = 0, zone = 0, us;
	bool bc = bc_take(&r);
	if (!civil_read(&r, &c) || !civil_finish(c, bc, &days))
		return false;
	if (r.at < r.end && (!letter_read(&r, " T") || !clock_read(&r, &clock)))
		return false;
	if (with_zone && !zone_read(&r, &zone))
		return false;
	if (r.at != r.end || __builtin_mul_overflow(days, DAY_US, &us) || __builtin_add_overflow(us, clock - zone, &us) || us == INT64_MIN ||
	    us == INT64_MAX)
		return false;
	*ret_us = us;
	return true;
}

bool ent_clock_parse(struct ent_bytes text, int64_t *ret_us)
{
	struct ent_reader r = ent_reader(text);
	int64_t us;
	if (ent_bytes_eq(text, ent_bytes_str("24:00:00")))
		us = DAY_US;
	else if (!clock_read(&r, &us) || r.at != r.end)
		return false;
	*ret_us = us;
	return true;
}

bool ent_decimal_parse(struct ent_bytes text, unsigned precision, unsigned scale, ent_i128 *ret)
{
	struct ent_reader r = ent_reader(text);
	bool negative = letter_read(&r, "-"), point = false;
	unsigned whole = 0, fraction = 0, kept = 0;
	ent_i128 v = 0;
	for (; r.at < r.end; r.at++) {
		if (*r.at == '.' && !point) {
			point = true;
			continue;
		}
		if (!digit(*r.at))
			return false;
		whole += !point;
		fraction += point;
		if (fraction > scale) {
			if (*r.at != '0')
				return false;
			continue;
		}
		kept += kept || *r.at != '0';
		if (kept > precision)
			return false;
		v = v * 10 + (*r.at - '0');
	}
	for (unsigned f = fraction; f<scale; f++, kept += kept> 0)
		v = kept < 38 ? v * 10 : v;
	if (!whole || (point && !fraction) || kept > precision)
		return false;
	*ret = negative ? -v : v;
	return true;
}

bool ent_int_parse(struct ent_bytes text, int64_t *ret)
{
	struct ent_reader r = ent_reader(text);
	bool negative = letter_read(&r, "-");
	int64_t v = 0;
	if (r.at == r.end)
		return false;
	for (; r.at < r.end; r.at++) {
		int d = *r.at - '0';
		if (!digit(*r.at) || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, negative ? -d : d, &v))
			return false;
	}
	*ret = v;
	return true;
}

bool ent_real_parse(struct ent_bytes text, double *ret)
{
	char buf[ENT_VALUE_TEXT_MAX * 6], *end;
	if (!text.len || text.len >= sizeof buf || !(digit(text.data[0]) || strchr("-.IN", text.data[0])))
		return false;
	memcpy(buf, text.data, text.len);
	buf[text.len] = 0;
	if (strpbrk(buf, "xX(")) /* neither hexadecimal nor NaN with a payload */
		return false;
	double v = strtod(buf, &end);
	if (end != buf + text.len || (isinf(v) && !strstr(buf, "Inf")))
		return false;
	*ret = v;
	return true;
}
