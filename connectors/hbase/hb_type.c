/* Names of types, places of columns, row keys. */
#include "hb_type.h"

#include <stdio.h>

static const struct {
	const char *name;
	enum ent_type_id id;
} packed[] = { { "short", ENT_T_INT16 }, { "int", ENT_T_INT32 },     { "long", ENT_T_INT64 },
	       { "float", ENT_T_REAL },  { "double", ENT_T_DOUBLE }, { "bool", ENT_T_BOOL } };

static const char *reason_of(struct ent_type t)
{
	if (ent_type_is_joint(t))
		return NULL;
	if (t.id == ENT_T_DECIMAL)
		return "decimals of more than 18 digits";
	return t.id == ENT_T_BINARY ? "bytes that are no text" : t.id == ENT_T_TIME ? "times of day" : "unsigned 64-bit numbers";
}

bool ent_hb_type_by_name(const char *name, struct ent_hb_type *ret)
{
	struct ent_hb_type t = { .packed = false };
	for (size_t i = 0; i < ENT_COUNT(packed); i++) {
		if (!strcmp(name, packed[i].name)) {
			t.type.id = packed[i].id;
			t.packed = true;
		}
	}
	if (!t.packed && !ent_type_by_name(name, &t.type))
		return false;
	t.reason = reason_of(t.type);
	*ret = t;
	return true;
}

void ent_hb_type_name(const struct ent_hb_type *t, char out[ENT_TYPE_TEXT_MAX])
{
	ent_type_name(t->type, out);
	for (size_t i = 0; t->packed && i < ENT_COUNT(packed); i++)
		if (packed[i].id == t->type.id)
			snprintf(out, ENT_TYPE_TEXT_MAX, "%s", packed[i].name);
}

/* --- places --- */

static bool refused(const char *why, const char **ret_why)
{
	*ret_why = why;
	return false;
}

bool ent_hb_column_place(struct ent_hb_column *c, const char *name, const char **ret_why)
{
	size_t len = strlen(name);
	if (!len || len >= sizeof c->name)
		return refused("its name is empty or longer than 255 bytes", ret_why);
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return refused("its name has a control character", ret_why);
	memcpy(c->name, name, len + 1);
	const char *colon = memchr(c->name, ':', len);
	c->family = colon ? ent_bytes(c->name, (size_t)(colon - c->name)) : ent_bytes_str(ENT_HB_FAMILY);
	c->qualifier = colon ? ent_bytes(colon + 1, len - c->family.len - 1) : ent_bytes(c->name, len);
	if (!c->family.len || c->family.data[0] == '.' || memchr(c->family.data, '/', c->family.len))
		return refused("what stands before its first ':' cannot be a column family", ret_why);
	if (ent_bytes_eq(c->qualifier, ent_bytes_str(ENT_HB_MARKER)))
		return refused("the qualifier " ENT_HB_MARKER " marks rows without other cells", ret_why);
	return true;
}

/* --- row keys --- */

void ent_hb_key_part(struct ent_buf *out, struct ent_bytes part, size_t at, size_t n)
{
	if (n == 1) {
		ent_buf_put(out, part.data, part.len);
		return;
	}
	for (size_t i = 0; i < part.len; i++) {
		ent_buf_u8(out, part.data[i]);
#ifndef ENT_MUTANT_HB_KEY_ESCAPE
		if (!part.data[i])
			ent_buf_u8(out, 0xff);
#endif
	}
	if (at + 1 < n)
		ent_buf_be16(out, 0);
}

/* Where part at ends in key: at its 00 00, or at the end; false when a 00 is followed by something else. */
static bool part_read(struct ent_bytes key, size_t *at, bool last, struct ent_buf *scratch)
{
	while (*at < key.len) {
		uint8_t c = key.data[(*at)++];
		if (c) {
			ent_buf_u8(scratch, c);
			continue;
		}
		if (*at == key.len)
			return false;
		uint8_t next = key.data[(*at)++];
		if (!next)
			return !last;
		if (next != 0xff)
			return false;
		ent_buf_u8(scratch, 0);
	}
	return last;
}

bool ent_hb_key_split(struct ent_bytes key, size_t n, struct ent_buf *scratch, struct ent_bytes *parts)
{
	size_t at = 0, begin[ENT_HB_KEYS_MAX + 1] = { 0 };
	if (n == 1) {
		parts[0] = key;
		return true;
	}
	if (n > ENT_HB_KEYS_MAX)
		return false;
	ent_buf_reset(scratch);
	for (size_t i = 0; i < n; i++) {
		if (!part_read(key, &at, i + 1 == n, scratch))
			return false;
		begin[i + 1] = scratch->len;
	}
	for (size_t i = 0; i < n && !scratch->code; i++)
		parts[i] = ent_bytes(scratch->data ? (const void *)(scratch->data + begin[i]) : "", begin[i + 1] - begin[i]);
	return !scratch->code;
}

static uint8_t digit(struct ent_bytes key, size_t at, uint8_t beyond) { return at < key.len ? key.data[at] : beyond; }

size_t ent_hb_key_between(struct ent_bytes low, struct ent_bytes high, unsigned numerator, unsigned denominator, uint8_t out[64])
{
	size_t same = 0;
	uint64_t a = 0, b = 0;
	while (same < 56 && same < low.len && same < high.len && low.data[same] == high.data[same])
		same++;
	for (size_t i = 0; i < 7; i++) { /* the next seven bytes as a number */
		a = a << 8 | digit(low, same + i, 0);
		b = b << 8 | digit(high, same + i, high.len ? 0 : 0xff);
	}
	uint64_t mid = b > a ? a + (b - a) / denominator * numerator : a;
	memcpy(out, low.data, same);
	for (size_t i = 0; i < 7; i++)
		out[same + i] = (uint8_t)(mid >> (48 - 8 * i));
	return same + 7;
}
