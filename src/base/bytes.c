#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void ent_buf_init(struct ent_buf *b, size_t max) { *b = (struct ent_buf){ .max = max }; }

void ent_buf_deinit(struct ent_buf *b)
{
	if (!b)
		return;
	free(b->data);
	*b = (struct ent_buf){ .max = b->max };
}

void ent_buf_reset(struct ent_buf *b)
{
	b->len = 0;
	b->code = 0;
	if (b->data)
		b->data[0] = 0;
}

static bool reserve(struct ent_buf *b, size_t more)
{
	size_t need, cap = b->cap ? b->cap : 64;
	if (b->code)
		return false;
	if (!ent_add_size(b->len, more, &need) || need > b->max) {
		b->code = ENT_EDATA;
		return false;
	}
	if (need < b->cap)
		return true;
	while (cap <= need)
		cap *= 2;
	uint8_t *data = realloc(b->data, cap);
	if (!data) {
		b->code = ENT_ENOMEM;
		return false;
	}
	b->data = data;
	b->cap = cap;
	return true;
}

uint8_t *ent_buf_space(struct ent_buf *b, size_t len)
{
	if (!reserve(b, len))
		return NULL;
	uint8_t *at = b->data + b->len;
	memset(at, 0, len + 1);
	b->len += len;
	return at;
}

void ent_buf_put(struct ent_buf *b, const void *data, size_t len)
{
	if (!reserve(b, len))
		return;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = 0;
}

void ent_buf_str(struct ent_buf *b, const char *s) { ent_buf_put(b, s, strlen(s)); }

void ent_buf_printf(struct ent_buf *b, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	ENT_ASSERT(n >= 0);
	if (reserve(b, (size_t)n + 1)) {
		vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

static void put_be(struct ent_buf *b, uint64_t v, size_t n)
{
	uint8_t t[8];
	for (size_t i = 0; i < n; i++)
		t[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	ent_buf_put(b, t, n);
}

static void put_le(struct ent_buf *b, uint64_t v, size_t n)
{
	uint8_t t[8];
	for (size_t i = 0; i < n; i++)
		t[i] = (uint8_t)(v >> (8 * i));
	ent_buf_put(b, t, n);
}

void ent_buf_u8(struct ent_buf *b, uint8_t v) { ent_buf_put(b, &v, 1); }
void ent_buf_be16(struct ent_buf *b, uint16_t v) { put_be(b, v, 2); }
void ent_buf_be32(struct ent_buf *b, uint32_t v) { put_be(b, v, 4); }
void ent_buf_be64(struct ent_buf *b, uint64_t v) { put_be(b, v, 8); }
void ent_buf_le32(struct ent_buf *b, uint32_t v) { put_le(b, v, 4); }
void ent_buf_le64(struct ent_buf *b, uint64_t v) { put_le(b, v, 8); }

int ent_buf_check(const struct ent_buf *b, struct ent_err *err)
{
	if (b->code == ENT_ENOMEM)
		return ent_nomem(err);
	if (b->code)
		return ent_fail(err, b->code, "more than the %zu bytes allowed here", b->max);
	return 0;
}

int ent_buf_receive(struct ent_buf *b, size_t *at, struct ent_bytes bytes, struct ent_err *err)
{
	if (*at && *at >= b->len / 2) {
		memmove(b->data, b->data + *at, b->len - *at);
		b->len -= *at;
		*at = 0;
	}
	ent_buf_put(b, bytes.data, bytes.len);
	return ent_buf_check(b, err);
}

struct ent_bytes ent_read(struct ent_reader *r, size_t len)
{
	if (!r->ok || ent_reader_left(r) < len) {
		r->ok = false;
		return ent_bytes("", 0);
	}
	struct ent_bytes b = ent_bytes(r->at, len);
	r->at += len;
	return b;
}

static uint64_t read_n(struct ent_reader *r, size_t n, bool big)
{
	struct ent_bytes b = ent_read(r, n);
	uint64_t v = 0;
	for (size_t i = 0; i < b.len; i++)
		v = v << 8 | b.data[big ? i : n - 1 - i];
	return v;
}

uint8_t ent_read_u8(struct ent_reader *r) { return (uint8_t)read_n(r, 1, true); }
uint16_t ent_read_be16(struct ent_reader *r) { return (uint16_t)read_n(r, 2, true); }
uint32_t ent_read_be32(struct ent_reader *r) { return (uint32_t)read_n(r, 4, true); }
uint64_t ent_read_be64(struct ent_reader *r) { return read_n(r, 8, true); }
uint32_t ent_read_le32(struct ent_reader *r) { return (uint32_t)read_n(r, 4, false); }
uint64_t ent_read_le64(struct ent_reader *r) { return read_n(r, 8, false); }

void ent_hex(char *out, const void *data, size_t len)
{
	const uint8_t *p = data;
	for (size_t i = 0; i < len; i++) {
		out[2 * i] = "0123456789abcdef"[p[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
	}
	out[2 * len] = 0;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool ent_unhex(void *out, size_t len, const char *hex, size_t hex_len)
{
	uint8_t *p = out;
	if (hex_len != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int hi = nibble(hex[2 * i]), lo = nibble(hex[2 * i + 1]);
		if (hi < 0 || lo < 0)
			return false;
		p[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

static char lower(uint8_t c) { return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c); }

bool ent_percent_decode(struct ent_bytes text, char *out, size_t out_size)
{
	size_t n = 0;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		if (c == '%') {
			int hi = i + 2 < text.len ? nibble(lower(text.data[i + 1])) : -1, lo = hi < 0 ? -1 : nibble(lower(text.data[i + 2]));
			if (lo < 0)
				return false;
			c = (uint8_t)(hi << 4 | lo);
			i += 2;
		}
		if (!c || n + 1 >= out_size)
			return false;
		out[n++] = (char)c;
	}
	if (!out_size)
		return false;
	out[n] = 0;
	return true;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void ent_base64(char *out, const void *data, size_t len)
{
	const uint8_t *p = data;
	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)(i + 1 < len ? p[i + 1] : 0) << 8 | (i + 2 < len ? p[i + 2] : 0);
		*out++ = alphabet[v >> 18];
		*out++ = alphabet[v >> 12 & 63];
		*out++ = i + 1 < len ? alphabet[v >> 6 & 63] : '=';
		*out++ = i + 2 < len ? alphabet[v & 63] : '=';
	}
	*out = 0;
}

static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool ent_unbase64(struct ent_buf *out, const char *text, size_t text_len)
{
	if (text_len % 4)
		return false;
	for (size_t i = 0; i < text_len; i += 4) {
		bool last = i + 4 == text_len;
		size_t pad = last && text[i + 3] == '=' ? (text[i + 2] == '=' ? 2u : 1u) : 0u;
		uint32_t v = 0;
		for (size_t k = 0; k < 4; k++) {
			int s = k >= 4 - pad ? 0 : sextet(text[i + k]);
			if (s < 0)
				return false;
			v = v << 6 | (uint32_t)s;
		}
		if ((pad == 1 && (v & 0xff)) || (pad == 2 && (v & 0xffff)))
			return false;
		uint8_t b[3] = { (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };
		ent_buf_put(out, b, 3 - pad);
	}
	return !out->code;
}

void ent_buf_hex(struct ent_buf *b, const void *data, size_t len)
{
	uint8_t *at = ent_buf_space(b, 2 * len);
	if (at)
		ent_hex((char *)at, data, len);
}

void ent_buf_base64(struct ent_buf *b, const void *data, size_t len)
{
	uint8_t *at = ent_buf_space(b, ENT_BASE64_LEN(len));
	if (at)
		ent_base64((char *)at, data, len);
}

bool ent_parse_u64(const char *text, size_t len, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	if (!len || (len > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(text[i] - '0'), &v))
			return false;
	}
	if (v > max)
		return false;
	*ret = v;
	return true;
}

/* Length of the code point that starts at p, or 0: shortest form only, no surrogates, at most U+10FFFF. */
static size_t utf8_step(const uint8_t *p, size_t left)
{
	if (p[0] < 0x80)
		return 1;
	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || left < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

bool ent_utf8_valid(struct ent_bytes text)
{
	for (size_t i = 0; i < text.len;) {
		size_t n = utf8_step(text.data + i, text.len - i);
		if (!n)
			return false;
		i += n;
	}
	return true;
}

char *ent_strdup(const char *s) { return s ? strdup(s) : NULL; }
