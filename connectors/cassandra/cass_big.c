/* varint: integers of any length, between big-endian two's complement and decimal digits. */
#include <stdlib.h>

#include "cass_type.h"

#define LIMBS_MAX (ENT_CASS_BYTES_MAX / 4 + 1)
#define CHUNK 1000000000u /* nine digits at a time */

struct big { /* magnitude, least limb first */
	uint32_t limb[LIMBS_MAX];
	size_t n;
};

static void big_trim(struct big *b)
{
	while (b->n && !b->limb[b->n - 1])
		b->n--;
}

/* b = b * factor + add; false when it grows too long. */
static bool big_push(struct big *b, uint32_t factor, uint32_t add)
{
	uint64_t carry = add;
	for (size_t i = 0; i < b->n; i++) {
		carry += (uint64_t)b->limb[i] * factor;
		b->limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	if (carry && b->n == LIMBS_MAX)
		return false;
	if (carry)
		b->limb[b->n++] = (uint32_t)carry;
	return true;
}

/* b = b / CHUNK; returns the rest. */
static uint32_t big_pull(struct big *b)
{
	uint64_t rest = 0;
	for (size_t i = b->n; i--;) {
		rest = rest << 32 | b->limb[i];
		b->limb[i] = (uint32_t)(rest / CHUNK);
		rest %= CHUNK;
	}
	big_trim(b);
	return (uint32_t)rest;
}

static bool big_load(struct ent_bytes v, bool negative, struct big *ret)
{
	*ret = (struct big){ 0 };
	while (v.len > 1 && v.data[0] == (negative ? 0xff : 0)) /* leading bytes that only repeat the sign */
		v = ent_bytes(v.data + 1, v.len - 1);
	if (v.len > ENT_CASS_BYTES_MAX)
		return false;
	unsigned carry = negative;
	ret->n = (v.len + 3) / 4;
	for (size_t i = 0; i < v.len; i++) {
		unsigned byte = (negative ? 0xffu & ~(unsigned)v.data[v.len - 1 - i] : v.data[v.len - 1 - i]) + carry;
		carry = byte >> 8;
		ret->limb[i / 4] |= (byte & 0xff) << (8 * (i % 4));
	}
	if (carry && v.len % 4)
		ret->limb[v.len / 4] |= 1u << (8 * (v.len % 4));
	else if (carry && ret->n < LIMBS_MAX)
		ret->limb[ret->n++] = 1;
	big_trim(ret);
	return true;
}

bool ent_cass_big_text(struct ent_bytes value, char out[ENT_CASS_DIGITS_MAX + 2])
{
	struct big b;
	char digits[LIMBS_MAX * 10 + 10];
	size_t n = 0;
	bool negative = value.len && value.data[0] & 0x80;
	if (!value.len || !big_load(value, negative, &b))
		return false;
	do {
		uint32_t chunk = big_pull(&b);
		for (unsigned i = 0; i < 9 && (chunk || b.n || !n); i++, chunk /= 10)
			digits[n++] = (char)('0' + chunk % 10);
	} while (b.n);
	while (n > 1 && digits[n - 1] == '0')
		n--;
	if (n > ENT_CASS_DIGITS_MAX)
		return false;
	if (negative)
		*out++ = '-';
	while (n)
		*out++ = digits[--n];
	*out = 0;
	return true;
}

static const uint32_t powers[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, CHUNK };

bool ent_cass_big_parse(const char *digits, size_t n, bool negative, struct ent_buf *out)
{
	struct big b = { 0 };
	if (!n || n > ENT_CASS_DIGITS_MAX)
		return false;
	for (size_t i = 0; i < n;) {
		uint32_t chunk = 0;
		size_t m = n - i < 9 ? n - i : 9;
		for (size_t j = 0; j < m; j++, i++) {
			if (digits[i] < '0' || digits[i] > '9')
				return false;
			chunk = chunk * 10 + (uint32_t)(digits[i] - '0');
		}
		if (!big_push(&b, powers[m], chunk))
			return false;
	}
	uint8_t bytes[LIMBS_MAX * 4 + 1];
	size_t len = b.n * 4 + 1; /* room for the sign */
	unsigned carry = negative;
	for (size_t i = 0; i < len; i++) {
		unsigned byte = i / 4 < b.n ? b.limb[i / 4] >> (8 * (i % 4)) & 0xff : 0;
		byte = negative ? (0xff & ~byte) + carry : byte;
		carry = byte >> 8;
		bytes[len - 1 - i] = (uint8_t)byte;
	}
	size_t skip = 0; /* the shortest form, as the server writes it */
	while (skip + 1 < len && (bytes[skip] == 0 || bytes[skip] == 0xff) && (bytes[skip] & 0x80) == (bytes[skip + 1] & 0x80))
		skip++;
	ent_buf_put(out, bytes + skip, len - skip);
	return true;
}
