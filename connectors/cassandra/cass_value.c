/* One value at a time: bytes of the protocol into builders, views into bytes of the protocol. */
#include <arpa/inet.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "arrow/value.h"
#include "cass_type.h"

#define SCALE_MAX 1000
#define DATE_ZERO ((int64_t)1 << 31) /* the day 1970-01-01 on the wire */

static int bad(const struct ent_cass_column *c, uint64_t row, const char *what, struct ent_err *err)
{
	return ent_fail(err, ENT_EDATA, "row %llu of column %.200s %s", (unsigned long long)row, c->name, what);
}

static int64_t signed_be(struct ent_bytes v)
{
	uint64_t bits = 0;
	for (size_t i = 0; i < v.len; i++)
		bits = bits << 8 | v.data[i];
	unsigned shift = 64u - 8u * (unsigned)v.len;
	return (int64_t)(bits << shift) >> shift;
}

static double real_be(struct ent_bytes v)
{
	uint64_t wide = (uint64_t)signed_be(v);
	uint32_t narrow = (uint32_t)wide;
	double d;
	float f;
	memcpy(&f, &narrow, sizeof f);
	memcpy(&d, &wide, sizeof d);
	return v.len == 4 ? (double)f : d;
}

/* --- texts of types that are no text --- */

static void uuid_text(struct ent_bytes v, char out[40])
{
	char hex[33];
	ent_hex(hex, v.data, 16);
	snprintf(out, 40, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

/* An unsigned number whose first byte's leading ones say how many bytes follow. */
static uint64_t vint_read(struct ent_reader *r)
{
	uint8_t first = ent_read_u8(r);
	unsigned extra = first == 0xff ? 8u : (unsigned)__builtin_clz((unsigned)(uint8_t)~first) - 24u;
	uint64_t v = extra >= 7 ? 0 : first & (0xffu >> (extra + 1));
	while (extra--)
		v = v << 8 | ent_read_u8(r);
	return v;
}

static int64_t zigzag(uint64_t v) { return (int64_t)(v >> 1) ^ -(int64_t)(v & 1); }
static uint64_t magnitude(int64_t v) { return v < 0 ? 0 - (uint64_t)v : (uint64_t)v; }

static bool duration_text(struct ent_bytes v, char out[80])
{
	struct ent_reader r = ent_reader(v);
	int64_t months = zigzag(vint_read(&r)), days = zigzag(vint_read(&r)), ns = zigzag(vint_read(&r));
	bool negative = months < 0 || days < 0 || ns < 0;
	if (!r.ok || ent_reader_left(&r) || (negative && (months > 0 || days > 0 || ns > 0)) || magnitude(months) > INT32_MAX + 1ull ||
	    magnitude(days) > INT32_MAX + 1ull)
		return false;
	snprintf(out, 80, "%s%llumo%llud%lluns", negative ? "-" : "", (unsigned long long)magnitude(months), (unsigned long long)magnitude(days),
		 (unsigned long long)magnitude(ns));
	return true;
}

/* unscaled digits and a scale: plain with a point, with an exponent where the scale is negative (it is part of the value). */
static bool decimal_text(struct ent_bytes v, char out[2 * SCALE_MAX + 20])
{
	char digits[ENT_CASS_DIGITS_MAX + 2];
	if (v.len < 5 || !ent_cass_big_text(ent_bytes(v.data + 4, v.len - 4), digits))
		return false;
	int64_t scale = signed_be(ent_bytes(v.data, 4));
	const char *d = digits + (digits[0] == '-'), *sign = digits[0] == '-' ? "-" : "";
	int n = (int)strlen(d), s = (int)scale;
	if (scale > SCALE_MAX || scale < -SCALE_MAX)
		return false;
	if (s < 0)
		snprintf(out, 2 * SCALE_MAX + 20, "%s%sE+%d", sign, d, -s);
	else if (!s)
		snprintf(out, 2 * SCALE_MAX + 20, "%s%s", sign, d);
	else if (n > s)
		snprintf(out, 2 * SCALE_MAX + 20, "%s%.*s.%s", sign, n - s, d, d + n - s);
	else if (n == s)
		snprintf(out, 2 * SCALE_MAX + 20, "%s0.%s", sign, d);
	else
		snprintf(out, 2 * SCALE_MAX + 20, "%s0.%0*d%s", sign, s - n, 0, d);
	return true;
}

static int text_put(struct ent_builder *b, size_t col, const struct ent_cass_column *c, uint64_t row, struct ent_bytes text, struct ent_err *err)
{
	int code = ent_builder_text(b, col, text, err);
	return code == ENT_EDATA ? bad(c, row, "is not UTF-8, or holds a NUL", err) : code;
}

static int odd_text_put(struct ent_builder *b, size_t col, const struct ent_cass_column *c, uint64_t row, struct ent_bytes v, struct ent_err *err)
{
	char text[2 * SCALE_MAX + 20];
	bool ok = false;
	switch ((unsigned)c->kind) {
	case ENT_CASS_UUID:
		ok = v.len == 16;
		if (ok)
			uuid_text(v, text);
		break;
	case ENT_CASS_INET:
		ok = (v.len == 4 || v.len == 16) && inet_ntop(v.len == 4 ? AF_INET : AF_INET6, v.data, text, sizeof text);
		break;
	case ENT_CASS_DURATION:
		ok = duration_text(v, text);
		break;
	case ENT_CASS_VARINT:
		ok = ent_cass_big_text(v, text);
		break;
	case ENT_CASS_DECIMAL:
		ok = decimal_text(v, text);
		break;
	}
	if (!ok)
		return bad(c, row, "is malformed, or has more than 1000 digits", err);
	return ent_builder_text(b, col, ent_bytes_str(text), err);
}

/* A declared precision: exact, or refused. */
static int declared_put(struct ent_builder *b, size_t col, const struct ent_cass_column *c, uint64_t row, struct ent_bytes v, struct ent_err *err)
{
	char text[2 * SCALE_MAX + 20];
	ent_i128 scaled;
	struct ent_type t = ent_builder_type(b, col);
	bool ok = c->kind == ENT_CASS_VARINT ? ent_cass_big_text(v, text) : decimal_text(v, text);
	if (!ok || !ent_decimal_parse(ent_bytes_str(text), t.precision, t.scale, &scaled))
		return bad(c, row, "does not fit its declared precision and scale", err);
	return ent_builder_wide(b, col, scaled, err);
}

/* Bytes a value must have; 0: any number. */
static size_t kind_width(enum ent_cass_kind kind)
{
	static const uint8_t widths[] = { [ENT_CASS_BOOLEAN] = 1,   [ENT_CASS_TINYINT] = 1, [ENT_CASS_SMALLINT] = 2, [ENT_CASS_INT] = 4,
					  [ENT_CASS_BIGINT] = 8,    [ENT_CASS_COUNTER] = 8, [ENT_CASS_FLOAT] = 4,    [ENT_CASS_DOUBLE] = 8,
					  [ENT_CASS_TIMESTAMP] = 8, [ENT_CASS_DATE] = 4,    [ENT_CASS_TIME] = 8,     [ENT_CASS_CUSTOM] = 0 };
	return widths[kind];
}

static int time_put(struct ent_builder *b, size_t col, const struct ent_cass_column *c, uint64_t row, struct ent_bytes v, struct ent_err *err)
{
	int64_t n = signed_be(v), us;
	if (c->kind == ENT_CASS_DATE) {
		n = (int64_t)(uint32_t)n - DATE_ZERO;
		return n == INT32_MAX || n == INT32_MIN ? bad(c, row, "is a date that stands for infinity elsewhere", err)
							: ent_builder_int(b, col, n, err);
	}
	if (c->kind == ENT_CASS_TIME)
		return n < 0 || n % 1000 ? bad(c, row, "is finer than a microsecond", err) : ent_builder_int(b, col, n / 1000, err);
	if (__builtin_mul_overflow(n, 1000, &us))
		return bad(c, row, "is too far from 1970", err);
	return ent_builder_int(b, col, us, err);
}

int ent_cass_value_put(struct ent_builder *b, size_t col, const struct ent_cass_column *c, uint64_t row, struct ent_bytes v, struct ent_err *err)
{
	size_t width = kind_width(c->kind);
	bool textual = c->kind <= ENT_CASS_TEXT || c->kind == ENT_CASS_JSON || c->kind == ENT_CASS_BLOB;
	if (!v.data || (!v.len && !textual)) /* protocol: an empty value of another type stands for none */
		return ent_builder_null(b, col, err);
	if (width && v.len != width)
		return bad(c, row, "is malformed", err);
	switch (c->kind) {
	case ENT_CASS_BOOLEAN:
		return ent_builder_int(b, col, v.data[0] != 0, err);
	case ENT_CASS_TINYINT:
	case ENT_CASS_SMALLINT:
	case ENT_CASS_INT:
	case ENT_CASS_BIGINT:
	case ENT_CASS_COUNTER:
		return ent_builder_int(b, col, signed_be(v), err);
	case ENT_CASS_FLOAT:
	case ENT_CASS_DOUBLE:
		return ent_builder_real(b, col, real_be(v), err);
	case ENT_CASS_TIMESTAMP:
	case ENT_CASS_DATE:
	case ENT_CASS_TIME:
		return time_put(b, col, c, row, v, err);
	case ENT_CASS_BLOB:
		return ent_builder_text(b, col, v, err);
	case ENT_CASS_JSON: /* toJson of NULL is the text null */
		if (v.len == 4 && !memcmp(v.data, "null", 4))
			return ent_builder_null(b, col, err);
		return text_put(b, col, c, row, v, err);
	case ENT_CASS_ASCII:
	case ENT_CASS_TEXT:
		return text_put(b, col, c, row, v, err);
	case ENT_CASS_VARINT:
	case ENT_CASS_DECIMAL:
		if (ent_builder_type(b, col).id == ENT_T_DECIMAL)
			return declared_put(b, col, c, row, v, err);
		return odd_text_put(b, col, c, row, v, err);
	case ENT_CASS_UUID:
	case ENT_CASS_INET:
	case ENT_CASS_DURATION:
		return odd_text_put(b, col, c, row, v, err);
	case ENT_CASS_CUSTOM:
		break;
	}
	return bad(c, row, "has a type that cannot be read", err);
}
