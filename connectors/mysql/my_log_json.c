/* MySQL's binary JSON: a type byte, then for objects and arrays a table of places, small ones in 16 and large ones in 32 bits. Printed as the server
 * prints it: ", " and ": " between, keys in the order they are stored. Every place is checked against its container. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "arrow/value.h"
#include "my_log.h"

#define DEPTH_MAX 100

enum {
	J_SMALL_OBJECT,
	J_LARGE_OBJECT,
	J_SMALL_ARRAY,
	J_LARGE_ARRAY,
	J_LITERAL,
	J_INT16,
	J_UINT16,
	J_INT32,
	J_UINT32,
	J_INT64,
	J_UINT64,
	J_DOUBLE,
	J_STRING,
	J_OPAQUE = 15
};

static int damaged(struct ent_err *err) { return ent_fail(err, ENT_EDATA, "the log holds a JSON value that is damaged"); }

static uint64_t le(struct ent_bytes b, size_t at, size_t n)
{
	uint64_t v = 0;
	for (size_t i = n; i; i--)
		v = v << 8 | b.data[at + i - 1];
	return v;
}

static void string_put(struct ent_bytes b, struct ent_buf *out)
{
	ent_buf_u8(out, '"');
	for (size_t i = 0; i < b.len; i++) {
		uint8_t c = b.data[i];
		static const char pairs[] = "\"\"\\\\\bb\ff\nn\rr\tt";
		const char *at = NULL;
		for (size_t k = 0; k + 1 < sizeof pairs; k += 2)
			if ((uint8_t)pairs[k] == c)
				at = pairs + k + 1;
		if (at)
			ent_buf_printf(out, "\\%c", *at);
		else if (c < 32)
			ent_buf_printf(out, "\\u%04x", c);
		else
			ent_buf_u8(out, c);
	}
	ent_buf_u8(out, '"');
}

/* A length of up to five bytes, seven bits each. */
static bool length_read(struct ent_bytes b, size_t *at, uint64_t *ret)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 35 && *at < b.len; shift += 7) {
		uint8_t c = b.data[(*at)++];
		v |= (uint64_t)(c & 127) << shift;
		if (!(c & 128)) {
			*ret = v;
			return v <= b.len - *at;
		}
	}
	return false;
}

/* The shortest digits, with the point where the server puts it: plain from 1e-15 to 1e15, else with an exponent. */
static void digits_put(const char *digits, int n, int point, struct ent_buf *out)
{
	if (point < -14 || point > 15) {
		ent_buf_printf(out, "%c%s%se%d", digits[0], n > 1 ? "." : "", digits + 1, point - 1);
	} else if (point <= 0) {
		ent_buf_str(out, "0.");
		for (int i = point; i < 0; i++)
			ent_buf_u8(out, '0');
		ent_buf_str(out, digits);
	} else {
		for (int i = 0; i < point; i++)
			ent_buf_u8(out, (uint8_t)(i < n ? digits[i] : '0'));
		ent_buf_printf(out, ".%s", n > point ? digits + point : "0");
	}
}

static int real_put(struct ent_bytes b, struct ent_buf *out, struct ent_err *err)
{
	double d;
	char text[ENT_VALUE_TEXT_MAX], digits[ENT_VALUE_TEXT_MAX];
	int n = 0, point = -1, exponent = 0;
	memcpy(&d, b.data, 8);
	if (!isfinite(d))
		return damaged(err);
	ent_real_text(d, false, text);
	ent_buf_str(out, text[0] == '-' ? "-" : "");
	for (const char *p = text + (text[0] == '-'); *p; p++) {
		if (*p == 'e') {
			exponent = (int)strtol(p + 1, NULL, 10);
			break;
		}
		if (*p == '.')
			point = n;
		else
			digits[n++] = *p;
	}
	point = (point < 0 ? n : point) + exponent;
	int zeros = 0;
	while (zeros < n - 1 && digits[zeros] == '0')
		zeros++;
	while (n > zeros + 1 && digits[n - 1] == '0')
		n--;
	digits[n] = 0;
	digits_put(digits + zeros, n - zeros, d == 0 ? 1 : point - zeros, out);
	return 0;
}

static void opaque_time_put(uint8_t type, struct ent_bytes data, struct ent_buf *out)
{
	int64_t v = (int64_t)le(data, 0, 8);
	bool negative = v < 0;
	uint64_t u = (uint64_t)(negative ? -v : v), us = u & 0xffffff, t = u >> 24;
	unsigned ym = (unsigned)(t >> 22 & 0x1ffff);
	if (type == 11)
		ent_buf_printf(out, "\"%s%02u:%02u:%02u.%06u\"", negative ? "-" : "", (unsigned)(t >> 12 & 0x3ff), (unsigned)(t >> 6 & 63),
			       (unsigned)(t & 63), (unsigned)us);
	else if (type == 10)
		ent_buf_printf(out, "\"%04u-%02u-%02u\"", ym / 13, ym % 13, (unsigned)(t >> 17 & 31));
	else
		ent_buf_printf(out, "\"%04u-%02u-%02u %02u:%02u:%02u.%06u\"", ym / 13, ym % 13, (unsigned)(t >> 17 & 31), (unsigned)(t >> 12 & 31),
			       (unsigned)(t >> 6 & 63), (unsigned)(t & 63), (unsigned)us);
}

static int opaque_put(struct ent_bytes b, struct ent_buf *out, struct ent_err *err)
{
	size_t at = 1;
	uint64_t len;
	char text[80];
	if (!b.len || !length_read(b, &at, &len))
		return damaged(err);
	uint8_t type = b.data[0];
	struct ent_bytes data = ent_bytes(b.data + at, (size_t)len);
	if (type == 246 && len >= 2) {
		struct ent_reader r = ent_reader(ent_bytes(data.data + 2, data.len - 2));
		if (!ent_my_decimal_read(&r, data.data[0], data.data[1], text))
			return damaged(err);
		ent_buf_str(out, text);
	} else if ((type == 7 || type == 10 || type == 11 || type == 12) && len == 8) {
		opaque_time_put(type, data, out);
	} else {
		ent_buf_printf(out, "\"base64:type%u:", type);
		ent_buf_base64(out, data.data, data.len);
		ent_buf_u8(out, '"');
	}
	return 0;
}

static int value_put(uint8_t type, struct ent_bytes b, unsigned depth, struct ent_buf *out, struct ent_err *err);

static int scalar_put(uint8_t type, struct ent_bytes b, struct ent_buf *out, struct ent_err *err)
{
	static const uint8_t sizes[] = {
		[J_LITERAL] = 1, [J_INT16] = 2, [J_UINT16] = 2, [J_INT32] = 4, [J_UINT32] = 4, [J_INT64] = 8, [J_UINT64] = 8, [J_DOUBLE] = 8
	};
	static const char *const literals[] = { "null", "true", "false" };
	size_t at = 0;
	uint64_t len;
	if (type == J_OPAQUE)
		return opaque_put(b, out, err);
	if (type == J_STRING) {
		if (!length_read(b, &at, &len))
			return damaged(err);
		string_put(ent_bytes(b.data + at, (size_t)len), out);
		return 0;
	}
	if (type > J_DOUBLE || b.len < sizes[type])
		return damaged(err);
	uint64_t v = le(b, 0, sizes[type]);
	if (type == J_DOUBLE)
		return real_put(b, out, err);
	if (type == J_LITERAL && v > 2)
		return damaged(err);
	if (type == J_LITERAL)
		ent_buf_str(out, literals[v]);
	else if (type == J_INT16 || type == J_INT32 || type == J_INT64)
		ent_buf_printf(out, "%lld", type == J_INT16 ? (long long)(int16_t)v : type == J_INT32 ? (long long)(int32_t)v : (long long)v);
	else
		ent_buf_printf(out, "%llu", (unsigned long long)v);
	return 0;
}

/* One value of a container: in its entry when it is small, else at the place the entry names. */
static int entry_put(struct ent_bytes b, size_t at, size_t wide, unsigned depth, struct ent_buf *out, struct ent_err *err)
{
	uint8_t type = b.data[at];
	bool here = type == J_LITERAL || type == J_INT16 || type == J_UINT16 || (wide == 4 && (type == J_INT32 || type == J_UINT32));
	if (here)
		return scalar_put(type, ent_bytes(b.data + at + 1, wide), out, err);
	uint64_t place = le(b, at + 1, wide);
	if (place >= b.len)
		return damaged(err);
	return value_put(type, ent_bytes(b.data + place, b.len - (size_t)place), depth + 1, out, err);
}

static int container_put(uint8_t type, struct ent_bytes b, unsigned depth, struct ent_buf *out, struct ent_err *err)
{
	bool object = type == J_SMALL_OBJECT || type == J_LARGE_OBJECT;
	size_t wide = type == J_LARGE_OBJECT || type == J_LARGE_ARRAY ? 4 : 2;
	if (depth > DEPTH_MAX || b.len < 2 * wide)
		return damaged(err);
	uint64_t n = le(b, 0, wide), size = le(b, wide, wide), entry = 1 + wide, key = object ? wide + 2 : 0;
	if (size > b.len || n > size || 2 * wide + n * (entry + key) > size)
		return damaged(err);
	b.len = (size_t)size;
	ent_buf_u8(out, object ? '{' : '[');
	for (size_t i = 0; i < n && !out->code; i++) {
		ent_buf_str(out, i ? ", " : "");
		if (object) {
			size_t at = 2 * wide + i * (size_t)key;
			uint64_t place = le(b, at, wide), len = le(b, at + wide, 2);
			if (place > b.len || len > b.len - place)
				return damaged(err);
			string_put(ent_bytes(b.data + place, (size_t)len), out);
			ent_buf_str(out, ": ");
		}
		ENT_TRY(entry_put(b, 2 * wide + (size_t)(n * key) + i * (size_t)entry, wide, depth, out, err));
	}
	ent_buf_u8(out, object ? '}' : ']');
	return ent_buf_check(out, err);
}

static int value_put(uint8_t type, struct ent_bytes b, unsigned depth, struct ent_buf *out, struct ent_err *err)
{
	return type <= J_LARGE_ARRAY ? container_put(type, b, depth, out, err) : scalar_put(type, b, out, err);
}

int ent_my_json_text(struct ent_bytes value, struct ent_buf *out, struct ent_err *err)
{
	if (!value.len) /* an empty value stands for null */
		return ent_buf_str(out, "null"), 0;
	ENT_TRY(value_put(value.data[0], ent_bytes(value.data + 1, value.len - 1), 0, out, err));
	return ent_buf_check(out, err);
}
