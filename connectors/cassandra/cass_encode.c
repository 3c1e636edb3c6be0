/* Values of a view as the protocol wants them for a target column; what does not fit is refused, never bent. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "arrow/value.h"
#include "cass_type.h"

#define MS_US 1000
#define DAY_US 86400000000

static int misfit(const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EDATA, "a value does not fit");
	return ent_why(err, "%s", why), ENT_EDATA;
}

static void put_be(struct ent_buf *out, uint64_t v, unsigned len)
{
	ent_buf_be32(out, len);
	for (unsigned i = len; i--;)
		ent_buf_u8(out, (uint8_t)(v >> (8 * i)));
}

static void put_bytes(struct ent_buf *out, struct ent_bytes b)
{
	ent_buf_be32(out, (uint32_t)b.len);
	ent_buf_put(out, b.data, b.len);
}

/* The number as its shortest two's complement, after an optional scale. */
static int put_big(struct ent_buf *out, const char *digits, size_t n, bool negative, const int32_t *scale, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf body = ENT_BUF(ENT_CASS_BYTES_MAX + 16);
	if (scale)
		ent_buf_be32(&body, (uint32_t)*scale);
	if (!ent_cass_big_parse(digits, n, negative, &body))
		return misfit("it is no number, or has more than 1000 digits", err);
	ENT_TRY(ent_buf_check(&body, err));
	put_bytes(out, ent_buf_bytes(&body));
	return 0;
}

static int number_put(ent_i128 v, enum ent_cass_kind kind, unsigned scale, struct ent_buf *out, struct ent_err *err)
{
	char text[ENT_VALUE_TEXT_MAX];
	static const uint8_t widths[] = { [ENT_CASS_TINYINT] = 1, [ENT_CASS_SMALLINT] = 2, [ENT_CASS_INT] = 4, [ENT_CASS_BIGINT] = 8 };
	if (scale && kind != ENT_CASS_DECIMAL)
		return misfit("it has decimal places, the target has none", err);
	if (kind == ENT_CASS_VARINT || kind == ENT_CASS_DECIMAL) {
		int32_t s = (int32_t)scale;
		ent_decimal_text(v, 0, text);
		return put_big(out, text + (text[0] == '-'), strlen(text) - (text[0] == '-'), text[0] == '-', kind == ENT_CASS_DECIMAL ? &s : NULL,
			       err);
	}
	unsigned width = widths[kind];
	ent_i128 limit = (ent_i128)1 << (8 * width - 1);
	if (v < -limit || v >= limit)
		return misfit("it is beyond the range of the target's integer", err);
	put_be(out, (uint64_t)(int64_t)v, width);
	return 0;
}

/* [+-]digits[.digits][E[+-]n] into unscaled digits and a scale, which is part of the value. */
static int decimal_parse_put(struct ent_bytes text, bool integer, struct ent_buf *out, struct ent_err *err)
{
	char digits[ENT_CASS_DIGITS_MAX + 1];
	const char *at = (const char *)text.data, *end = at + text.len;
	size_t n = 0;
	long scale = 0, exponent = 0;
	bool negative = text.len && *at == '-', point = false;
	at += text.len && (*at == '-' || *at == '+');
	for (; at < end && (isdigit((unsigned char)*at) || (*at == '.' && !point && !integer)); at++) {
		point = point || *at == '.';
		if (*at == '.')
			continue;
		if (n == ENT_CASS_DIGITS_MAX)
			return misfit("it has more than 1000 digits", err);
		digits[n++] = *at;
		scale += point;
	}
	if (at < end && !integer && (*at == 'E' || *at == 'e')) {
		bool minus = ++at < end && *at == '-';
		at += at < end && (*at == '-' || *at == '+');
		const char *begin = at;
		for (; at < end && isdigit((unsigned char)*at) && exponent < 100000; at++)
			exponent = exponent * 10 + (*at - '0');
		if (at == begin || at < end)
			return misfit("it is no number", err);
		exponent = minus ? -exponent : exponent;
	}
	scale -= exponent;
	if (!n || at < end || scale > ENT_CASS_DIGITS_MAX || scale < -ENT_CASS_DIGITS_MAX)
		return misfit("it is no number of at most 1000 digits", err);
	int32_t s = (int32_t)scale;
	return put_big(out, digits, n, negative, integer ? NULL : &s, err);
}

static int uuid_put(struct ent_bytes text, struct ent_buf *out, struct ent_err *err)
{
	char hex[33];
	uint8_t id[16];
	size_t n = 0;
	for (size_t i = 0; i < text.len && text.len == 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash != (text.data[i] == '-'))
			return misfit("it is no uuid", err);
		if (!dash)
			hex[n++] = (char)tolower(text.data[i]);
	}
	if (n != 32 || !ent_unhex(id, 16, hex, 32))
		return misfit("it is no uuid", err);
	put_bytes(out, ent_bytes(id, 16));
	return 0;
}

static int inet_put(struct ent_bytes text, struct ent_buf *out, struct ent_err *err)
{
	char address[64];
	uint8_t bytes[16];
	if (text.len && text.len < sizeof address) {
		memcpy(address, text.data, text.len);
		address[text.len] = 0;
		for (int v6 = 0; v6 < 2; v6++) {
			if (inet_pton(v6 ? AF_INET6 : AF_INET, address, bytes) == 1) {
				put_bytes(out, ent_bytes(bytes, v6 ? 16 : 4));
				return 0;
			}
		}
	}
	return misfit("it is no single address", err);
}

/* The shortest form of zigzagged v: the first byte's leading ones say how many bytes follow. */
static void vint_put(struct ent_buf *out, int64_t v)
{
	uint64_t z = (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
	unsigned bits = 64 - (unsigned)__builtin_clzll(z | 1), extra = bits > 56 ? 8 : (bits - 1) / 7;
	if (extra == 8)
		ent_buf_u8(out, 0xff);
	else
		ent_buf_u8(out, (uint8_t)((0xff00u >> extra & 0xff) | (z >> (8 * extra))));
	for (unsigned i = extra; i--;)
		ent_buf_u8(out, (uint8_t)(z >> (8 * i)));
}

static int duration_put(struct ent_bytes text, struct ent_buf *out, struct ent_err *err)
{
	static const char *const units[] = { "mo", "d", "ns" };
	static const uint64_t most[] = { (uint64_t)INT32_MAX + 1, (uint64_t)INT32_MAX + 1, (uint64_t)INT64_MAX + 1 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf body = ENT_BUF(64);
	const char *at = (const char *)text.data, *end = at + text.len;
	bool negative = text.len && *at == '-';
	at += negative;
	for (size_t i = 0; i < 3; i++) {
		size_t n = 0, unit = strlen(units[i]);
		uint64_t v;
		while (at + n < end && isdigit((unsigned char)at[n]))
			n++;
		if ((size_t)(end - at) < n + unit || memcmp(at + n, units[i], unit) != 0 || !ent_parse_u64(at, n, most[i] - !negative, &v))
			return misfit("it is no duration such as 14mo3d5000ns", err);
		vint_put(&body, (int64_t)(negative ? 0 - v : v));
		at += n + unit;
	}
	if (at != end)
		return misfit("it is no duration such as 14mo3d5000ns", err);
	ENT_TRY(ent_buf_check(&body, err));
	put_bytes(out, ent_buf_bytes(&body));
	return 0;
}

static int text_encode(struct ent_bytes text, enum ent_cass_kind kind, struct ent_buf *out, struct ent_err *err)
{
	switch ((unsigned)kind) {
	case ENT_CASS_UUID:
		return uuid_put(text, out, err);
	case ENT_CASS_INET:
		return inet_put(text, out, err);
	case ENT_CASS_VARINT:
	case ENT_CASS_DECIMAL:
		return decimal_parse_put(text, kind == ENT_CASS_VARINT, out, err);
	case ENT_CASS_DURATION:
		return duration_put(text, out, err);
	case ENT_CASS_ASCII:
		for (size_t i = 0; i < text.len; i++)
			if (text.data[i] > 127)
				return misfit("it is not ASCII", err);
	}
	put_bytes(out, text);
	return 0;
}

static int time_encode(int64_t v, struct ent_type t, bool cut, struct ent_buf *out, struct ent_err *err)
{
	if (t.id == ENT_T_TIME) {
		if (v < 0 || v >= DAY_US)
			return misfit("24:00:00 does not exist in Cassandra", err);
		put_be(out, (uint64_t)v * 1000, 8);
		return 0;
	}
	bool date = t.id == ENT_T_DATE;
	if (date ? v == INT32_MAX || v == INT32_MIN : v == INT64_MAX || v == INT64_MIN)
		return misfit("Cassandra has no infinite times", err);
	if (date) {
		put_be(out, (uint64_t)(v + ((int64_t)1 << 31)), 4);
		return 0;
	}
	int64_t rest = v % MS_US;
	if (rest && !cut)
		return misfit("it is finer than a millisecond", err);
	put_be(out, (uint64_t)((v - rest) / MS_US - (rest < 0)), 8);
	return 0;
}

static void real_encode(double v, enum ent_cass_kind kind, struct ent_buf *out)
{
	uint64_t wide;
	uint32_t narrow;
	float f = (float)v;
	memcpy(&wide, &v, sizeof wide);
	memcpy(&narrow, &f, sizeof narrow);
	put_be(out, kind == ENT_CASS_FLOAT ? narrow : wide, kind == ENT_CASS_FLOAT ? 4 : 8);
}

int ent_cass_value_encode(const struct ent_view *v, size_t row, enum ent_cass_kind kind, bool cut, struct ent_buf *out, struct ent_err *err)
{
	switch (v->type.id) {
	case ENT_T_BOOL:
		put_be(out, ent_view_int(v, row) != 0, 1);
		return 0;
	case ENT_T_INT16:
	case ENT_T_INT32:
	case ENT_T_INT64:
	case ENT_T_UINT64:
	case ENT_T_DECIMAL:
		return number_put(ent_view_wide(v, row), kind, v->type.id == ENT_T_DECIMAL ? v->type.scale : 0, out, err);
	case ENT_T_REAL:
	case ENT_T_DOUBLE:
		real_encode(ent_view_real(v, row), kind, out);
		return 0;
	case ENT_T_DATE:
	case ENT_T_TIMESTAMP:
	case ENT_T_TIMESTAMPTZ:
	case ENT_T_TIME:
		return time_encode(ent_view_int(v, row), v->type, cut, out, err);
	case ENT_T_TEXT:
		return text_encode(ent_view_text(v, row), kind, out, err);
	case ENT_T_BINARY:
		put_bytes(out, ent_view_text(v, row));
		return 0;
	case ENT_T_COUNT:
		break;
	}
	return misfit("its type is unknown", err);
}
