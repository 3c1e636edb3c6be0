#include "duck_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/value.h"

/* Digits between the zeros at either end, at most 40 of them: more is more than any double says. */
static size_t digits_of(const char *text, char out[48])
{
	size_t n = 0;
	for (; *text && *text != 'e' && *text != 'E' && n < 40; text++)
		if (*text >= '0' && *text <= '9' && (n || *text != '0'))
			out[n++] = *text;
	while (n && out[n - 1] == '0')
		n--;
	out[n] = 0;
	return n;
}

static bool number_loses(const char *text)
{
	char mine[48], shortest[ENT_VALUE_TEXT_MAX], its[48];
	int64_t whole;
	if (!strpbrk(text, ".eE"))
		return !ent_int_parse(ent_bytes_str(text), &whole) && strcmp(text, "-0") != 0;
	if (digits_of(text, mine) <= 15)
		return false;
	ent_real_text(strtod(text, NULL), false, shortest);
	digits_of(shortest, its);
	return strcmp(mine, its) != 0;
}

static void loss_note(struct ent_duck_json_scan *s)
{
	for (size_t i = 0; i < s->found.n; i++)
		if (!strcmp(s->found.all[i].field, s->field))
			return;
	if (s->found.n == ENT_DUCK_JSON_LOSSES_MAX) {
		s->found.more = true;
		return;
	}
	struct ent_duck_json_loss *l = &s->found.all[s->found.n++];
	memcpy(l->field, s->field, sizeof l->field);
	l->row = s->rows;
}

static void number_end(struct ent_duck_json_scan *s)
{
	if (!s->number_n)
		return;
	s->number[s->number_n] = 0;
	if (number_loses(s->number))
		loss_note(s);
	s->number_n = 0;
}

static void text_byte(struct ent_duck_json_scan *s, char c)
{
	bool end = c == '"' && !s->escaped;
	if (!end && s->key_next && s->depth == s->row_depth && s->field_n < sizeof s->field - 1)
		s->field[s->field_n++] = c;
	s->escaped = !s->escaped && c == '\\';
	if (end) {
		s->in_text = false;
		s->field[s->field_n] = 0;
		s->key_next = false;
	}
}

static void open_byte(struct ent_duck_json_scan *s, char c)
{
	if (!s->depth)
		s->array = c == '[';
	s->depth++;
	s->row_depth = s->array ? 2 : 1;
	s->rows += s->depth == s->row_depth;
	s->key_next = c == '{';
}

static void other_byte(struct ent_duck_json_scan *s, char c)
{
	bool digit = (c >= '0' && c <= '9') || c == '-' || (s->number_n && (c == '+' || c == '.' || c == 'e' || c == 'E'));
	if (digit) {
		if (s->number_n < sizeof s->number - 1)
			s->number[s->number_n++] = c;
		return;
	}
	number_end(s);
	if (c == '"') {
		s->in_text = true;
		s->escaped = false;
		if (s->key_next && s->depth == s->row_depth)
			s->field_n = 0;
	} else if (c == '{' || c == '[') {
		open_byte(s, c);
	} else if (c == '}' || c == ']') {
		s->depth -= s->depth > 0;
	} else if (c == ',') {
		s->key_next = s->depth == s->row_depth;
	}
}

void ent_duck_json_scan(struct ent_duck_json_scan *s, struct ent_bytes part)
{
	for (size_t i = 0; i < part.len; i++) {
		if (s->in_text)
			text_byte(s, (char)part.data[i]);
		else
			other_byte(s, (char)part.data[i]);
	}
}

int ent_duck_json_check(const char *path, struct ent_duck_json_losses *ret, struct ent_err *err)
{
	static const size_t part = 1 << 18;
	uint8_t *bytes = (uint8_t *)malloc(part);
	struct ent_duck_json_scan *s = (struct ent_duck_json_scan *)calloc(1, sizeof *s);
	FILE *f = bytes && s ? fopen(path, "rb") : NULL;
	bool bad = !f;
	for (size_t n = part; f && n == part;) {
		n = fread(bytes, 1, part, f);
		ent_duck_json_scan(s, ent_bytes(bytes, n));
		bad = bad || ferror(f);
	}
	if (f)
		fclose(f);
	if (!bad)
		*ret = s->found;
	free(bytes);
	free(s);
	return bad ? ent_fail(err, ENT_EIO, "cannot read %.200s", path) : 0;
}
