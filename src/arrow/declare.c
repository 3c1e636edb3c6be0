#include "arrow/declare.h"

#include <ctype.h>

#define NAME_BYTES_MAX 255
#define TYPE_BYTES_MAX 100

struct line {
	char name[NAME_BYTES_MAX + 1], type[TYPE_BYTES_MAX + 1];
};

static bool blank(uint8_t c) { return c == ' ' || c == '\t' || c == '\r'; }

/* The name at the start of a line, quoted or not; false when it does not end or is too long. */
static bool name_read(struct ent_bytes in, size_t *at, char out[NAME_BYTES_MAX + 1])
{
	bool quoted = in.data[*at] == '"', open = quoted;
	size_t n = 0;
	*at += quoted;
	while (*at < in.len && (quoted || !blank(in.data[*at]))) {
		uint8_t c = in.data[(*at)++];
		if (quoted && c == '"') {
			if (*at == in.len || in.data[*at] != '"') {
				open = false;
				break;
			}
			++*at;
		}
		if (n == NAME_BYTES_MAX || !c)
			return false;
		out[n++] = (char)c;
	}
	out[n] = 0;
	return n && !open && *at < in.len && blank(in.data[*at]) && ent_utf8_valid(ent_bytes(out, n));
}

static bool type_read(struct ent_bytes in, size_t at, char out[TYPE_BYTES_MAX + 1])
{
	size_t n = 0;
	while (at < in.len && blank(in.data[at]))
		at++;
	for (; at < in.len; at++) {
		uint8_t c = in.data[at];
		if (n == TYPE_BYTES_MAX || (!isalnum(c) && !blank(c) && !strchr("(,)_", c)) || !c)
			return false;
		out[n++] = (char)(blank(c) ? ' ' : c);
	}
	while (n && out[n - 1] == ' ')
		n--;
	out[n] = 0;
	return n > 0;
}

int ent_declared_each(struct ent_bytes text, int (*take)(void *arg, const char *name, const char *type, struct ent_err *err), void *arg,
		      struct ent_err *err)
{
	struct line l;
	size_t number = 0;
	for (size_t from = 0; from < text.len;) {
		const uint8_t *end = (const uint8_t *)memchr(text.data + from, '\n', text.len - from);
		struct ent_bytes in = ent_bytes(text.data + from, (end ? (size_t)(end - text.data) : text.len) - from);
		size_t at = 0;
		from += in.len + 1;
		number++;
		while (at < in.len && blank(in.data[at]))
			at++;
		if (at == in.len || in.data[at] == '#')
			continue;
		if (!name_read(in, &at, l.name) || !type_read(in, at, l.type)) {
			ent_fail(err, ENT_EDATA, "line %zu of the schema is not understood", number);
			return ent_next(err, "write NAME TYPE, the name in double quotes when it has blanks"), ENT_EDATA;
		}
		ENT_TRY(take(arg, l.name, l.type, err));
	}
	return 0;
}

void ent_declared_put(struct ent_buf *out, const char *name, const char *type)
{
	bool quote = !name[0] || strpbrk(name, " \t\"#");
	if (quote)
		ent_buf_u8(out, '"');
	for (const char *p = name; *p; p++) {
		if (*p == '"')
			ent_buf_u8(out, '"');
		ent_buf_u8(out, (uint8_t)*p);
	}
	ent_buf_printf(out, "%s %s\n", quote ? "\"" : "", type);
}
