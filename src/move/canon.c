#include "move/canon.h"

#include <limits.h>

#define DAY_US INT64_C(86400000000)

static bool numeric(struct ent_type t) { return ent_type_is_number(t) || t.id == ENT_T_UINT64; }

struct ent_canon ent_canon_choose(struct ent_type mine, struct ent_type other)
{
	struct ent_canon c = { .kind = ENT_CANON_RAW };
	bool bools = mine.id == ENT_T_BOOL && numeric(other), counted = numeric(mine) && other.id == ENT_T_BOOL;
	bool texts = (numeric(mine) && other.id == ENT_T_TEXT) || (mine.id == ENT_T_TEXT && numeric(other));
	if ((numeric(mine) && numeric(other)) || bools || counted || texts)
		c.kind = ENT_CANON_NUMBER;
	else if (ent_type_is_time(mine) && ent_type_is_time(other))
		c.kind = ENT_CANON_MOMENT;
	c.as_double = mine.id == ENT_T_REAL && other.id == ENT_T_DOUBLE;
	c.signed_zero = ent_type_is_float(mine) && ent_type_is_float(other);
	return c;
}

struct number {
	const uint8_t *digits, *end; /* with at most one point in between */
	bool negative;
	int64_t exponent;
};

static bool exponent_parse(const uint8_t *at, const uint8_t *end, int64_t *ret)
{
	bool negative = at < end && *at == '-';
	uint64_t v;
	at += at < end && (*at == '-' || *at == '+');
	while (end - at > 1 && *at == '0')
		at++;
	if (!ent_parse_u64((const char *)at, (size_t)(end - at), 100000, &v))
		return false;
	*ret = negative ? -(int64_t)v : (int64_t)v;
	return true;
}

static bool number_parse(struct ent_bytes text, struct number *ret)
{
	const uint8_t *at = text.data, *end = at + text.len;
	size_t digits = 0, points = 0;
	*ret = (struct number){ .negative = at < end && *at == '-' };
	at += at < end && (*at == '-' || *at == '+');
	ret->digits = at;
	for (; at < end && ((*at >= '0' && *at <= '9') || *at == '.'); at++) {
		points += *at == '.';
		digits += *at != '.';
	}
	ret->end = at;
	if (!digits || points > 1)
		return false;
	return at == end || ((*at == 'e' || *at == 'E') && exponent_parse(at + 1, end, &ret->exponent));
}

bool ent_canon_number(struct ent_bytes text, bool signed_zero, struct ent_buf *out)
{
	struct number n;
	if (!number_parse(text, &n))
		return false;
	const uint8_t *point = memchr(n.digits, '.', (size_t)(n.end - n.digits));
	int64_t exponent = n.exponent - (point ? n.end - point - 1 : 0);
	const uint8_t *first = n.digits, *last = n.end;
	while (first < last && (*first == '0' || *first == '.'))
		first++;
	if (first == last) {
		ent_buf_str(out, n.negative && signed_zero ? "-0" : "0");
		return true;
	}
	for (; last[-1] == '0' || last[-1] == '.'; last--)
		exponent += last[-1] == '0';
	ent_buf_str(out, n.negative ? "-" : "");
	for (const uint8_t *p = first; p < last; p++)
		if (*p != '.')
			ent_buf_u8(out, *p);
	ent_buf_printf(out, "e%lld", (long long)exponent);
	return true;
}

static void put_moment(const struct ent_view *v, size_t row, struct ent_buf *out)
{
	int64_t x = ent_view_int(v, row);
	bool date = v->type.id == ENT_T_DATE;
	if (x == (date ? INT32_MAX : INT64_MAX))
		ent_buf_str(out, "infinity");
	else if (x == (date ? INT32_MIN : INT64_MIN))
		ent_buf_str(out, "-infinity");
	else
		ent_buf_printf(out, "%lld", (long long)(date ? x * DAY_US : x));
}

static void put_number(const struct ent_canon *c, const struct ent_view *v, size_t row, struct ent_buf *out)
{
	char text[ENT_VALUE_TEXT_MAX];
	struct ent_bytes bytes = ent_bytes(text, 0);
	if (v->type.id == ENT_T_BOOL)
		bytes.len = ent_int_text(ent_view_int(v, row), text);
	else if (c->as_double)
		bytes.len = ent_real_text(ent_view_real(v, row), false, text);
	else if (v->type.id == ENT_T_TEXT)
		bytes = ent_view_text(v, row);
	else {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf plain = ENT_BUF(ENT_VALUE_TEXT_MAX * 2);
		ent_value_put(v, row, &plain);
		bytes.len = plain.len < sizeof text ? plain.len : 0;
		memcpy(text, ent_buf_text(&plain), bytes.len);
	}
	if (!ent_canon_number(bytes, c->signed_zero, out))
		ent_buf_put(out, bytes.data, bytes.len);
}

void ent_canon_put(const struct ent_canon *c, const struct ent_view *v, size_t row, struct ent_buf *out)
{
	if (ent_view_null(v, row)) {
		ent_buf_u8(out, 0);
		return;
	}
	ent_buf_u8(out, 1);
	size_t at = out->len;
	ent_buf_be32(out, 0);
	if (c->kind == ENT_CANON_NUMBER)
		put_number(c, v, row, out);
	else if (c->kind == ENT_CANON_MOMENT)
		put_moment(v, row, out);
	else
		ent_value_put(v, row, out);
	if (out->code)
		return;
	uint32_t len = (uint32_t)(out->len - at - 4);
	for (size_t i = 0; i < 4; i++)
		out->data[at + i] = (uint8_t)(len >> (24 - 8 * i));
}
