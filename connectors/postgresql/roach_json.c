/* JSON as parts of its text: checked once in full, then walked over. */
#include "roach.h"

#define DEPTH_MAX 64

static void blanks(struct ent_bytes t, size_t *at)
{
	while (*at < t.len && memchr(" \t\r\n", t.data[*at], 4))
		(*at)++;
}

static bool digits(struct ent_bytes t, size_t *at)
{
	size_t from = *at;
	while (*at < t.len && t.data[*at] >= '0' && t.data[*at] <= '9')
		(*at)++;
	return *at > from;
}

static bool taken(struct ent_bytes t, size_t *at, char c)
{
	if (*at >= t.len || t.data[*at] != (uint8_t)c)
		return false;
	(*at)++;
	return true;
}

static bool number(struct ent_bytes t, size_t *at)
{
	(void)taken(t, at, '-');
	if (!taken(t, at, '0') && !digits(t, at))
		return false;
	if (taken(t, at, '.') && !digits(t, at))
		return false;
	if (taken(t, at, 'e') || taken(t, at, 'E')) {
		if (!taken(t, at, '+'))
			(void)taken(t, at, '-');
		return digits(t, at);
	}
	return true;
}

static int hex_digit(uint8_t c) { return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1; }

static bool string(struct ent_bytes t, size_t *at)
{
	if (!taken(t, at, '"'))
		return false;
	while (*at < t.len && t.data[*at] != '"') {
		uint8_t c = t.data[(*at)++];
		if (c < 0x20)
			return false;
		if (c != '\\')
			continue;
		if (*at >= t.len || !memchr("\"\\/bfnrtu", t.data[*at], 9))
			return false;
		if (t.data[(*at)++] != 'u')
			continue;
		for (int i = 0; i < 4; i++)
			if (*at >= t.len || hex_digit(t.data[(*at)++]) < 0)
				return false;
	}
	return taken(t, at, '"');
}

static bool word(struct ent_bytes t, size_t *at, const char *w)
{
	size_t n = strlen(w);
	if (t.len - *at < n || memcmp(t.data + *at, w, n) != 0)
		return false;
	*at += n;
	return true;
}

static bool value(struct ent_bytes t, size_t *at, unsigned depth, struct ent_roach_value *ret);

static bool container(struct ent_bytes t, size_t *at, unsigned depth, bool object)
{
	struct ent_roach_value inner;
	char close = object ? '}' : ']';
	(*at)++;
	blanks(t, at);
	if (taken(t, at, close))
		return true;
	do {
		blanks(t, at);
		if (object) {
			if (!string(t, at))
				return false;
			blanks(t, at);
			if (!taken(t, at, ':'))
				return false;
		}
		if (!value(t, at, depth + 1, &inner))
			return false;
		blanks(t, at);
	} while (taken(t, at, ','));
	return taken(t, at, close);
}

static bool value(struct ent_bytes t, size_t *at, unsigned depth, struct ent_roach_value *ret)
{
	bool good = false;
	blanks(t, at);
	size_t from = *at;
	if (from >= t.len || depth > DEPTH_MAX)
		return false;
	switch (t.data[from]) {
	case '{':
		ret->kind = ENT_ROACH_OBJECT;
		good = container(t, at, depth, true);
		break;
	case '[':
		ret->kind = ENT_ROACH_ARRAY;
		good = container(t, at, depth, false);
		break;
	case '"':
		ret->kind = ENT_ROACH_STRING;
		good = string(t, at);
		break;
	case 't':
		ret->kind = ENT_ROACH_TRUE;
		good = word(t, at, "true");
		break;
	case 'f':
		ret->kind = ENT_ROACH_FALSE;
		good = word(t, at, "false");
		break;
	case 'n':
		ret->kind = ENT_ROACH_NULL;
		good = word(t, at, "null");
		break;
	default:
		ret->kind = ENT_ROACH_NUMBER;
		good = number(t, at);
	}
	ret->raw = ent_bytes(t.data + from, *at - from);
	return good;
}

bool ent_roach_parse(struct ent_bytes text, struct ent_roach_value *ret)
{
	struct ent_roach_value v;
	size_t at = 0;
	if (!ent_utf8_valid(text) || !value(text, &at, 0, &v))
		return false;
	blanks(text, &at);
	if (at != text.len)
		return false;
	*ret = v;
	return true;
}

bool ent_roach_next(struct ent_bytes container_, struct ent_roach_walk *w, struct ent_bytes *ret_name, struct ent_roach_value *ret)
{
	bool object = container_.len && container_.data[0] == '{';
	size_t *at = &w->at;
	if (!w->begun)
		*at = 1;
	w->begun = true;
	blanks(container_, at);
	(void)taken(container_, at, ',');
	blanks(container_, at);
	if (*at + 1 >= container_.len)
		return false; /* its closing bracket */
	*ret_name = ent_bytes(NULL, 0);
	if (object) {
		size_t from = *at;
		if (!string(container_, at))
			return false;
		*ret_name = ent_bytes(container_.data + from, *at - from);
		blanks(container_, at);
		(void)taken(container_, at, ':');
	}
	return value(container_, at, 0, ret);
}

static uint32_t unit(const uint8_t *p)
{
	uint32_t v = 0;
	for (int i = 0; i < 4; i++)
		v = v << 4 | (uint32_t)hex_digit(p[i]);
	return v;
}

static void utf8_put(struct ent_buf *out, uint32_t c)
{
	if (c < 0x80) {
		ent_buf_u8(out, (uint8_t)c);
		return;
	}
	int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	static const uint8_t heads[] = { 0, 0xc0, 0xe0, 0xf0 };
	ent_buf_u8(out, (uint8_t)(heads[more] | c >> (6 * more)));
	while (more--)
		ent_buf_u8(out, (uint8_t)(0x80 | (c >> (6 * more) & 0x3f)));
}

/* \uXXXX, or two of them for one letter; at: behind the u. */
static bool escaped_unit(struct ent_bytes raw, size_t *at, struct ent_buf *out)
{
	uint32_t c = unit(raw.data + *at);
	*at += 4;
	if (!c || (c >= 0xdc00 && c < 0xe000))
		return false;
	if (c >= 0xd800 && c < 0xdc00) {
		if (raw.len - *at < 7 || raw.data[*at] != '\\' || raw.data[*at + 1] != 'u')
			return false;
		uint32_t low = unit(raw.data + *at + 2);
		if (low < 0xdc00 || low >= 0xe000)
			return false;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		*at += 6;
	}
	utf8_put(out, c);
	return true;
}

bool ent_roach_text(struct ent_bytes raw, struct ent_buf *out)
{
	static const char names[] = "bfnrt", meant[] = "\b\f\n\r\t";
	for (size_t at = 1; at + 1 < raw.len;) {
		const uint8_t *stop = memchr(raw.data + at, '\\', raw.len - 1 - at);
		size_t n = stop ? (size_t)(stop - raw.data) - at : raw.len - 1 - at;
		ent_buf_put(out, raw.data + at, n);
		at += n;
		if (!stop)
			break;
		uint8_t c = raw.data[at + 1];
		const char *name = strchr(names, c);
		at += 2;
		if (c == 'u' ? !escaped_unit(raw, &at, out) : false)
			return false;
		if (c != 'u')
			ent_buf_u8(out, name ? (uint8_t)meant[name - names] : c);
	}
	return !out->code;
}
