/* The lexer of grant texts: bytes in, tokens out; the text may be anything. */
#include "policy/grant_lex.h"

#include "policy/grant.h"

static bool is_letter(uint8_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80; }
static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
static bool is_blank(uint8_t c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static uint8_t peek(const struct ent_lex *lex, size_t ahead) { return lex->at + ahead < lex->text.len ? lex->text.data[lex->at + ahead] : 0; }

static void skip_blanks(struct ent_lex *lex)
{
	for (;;) {
		while (is_blank(peek(lex, 0)))
			lex->at++;
		if (peek(lex, 0) != '-' || peek(lex, 1) != '-')
			return;
		while (lex->at < lex->text.len && lex->text.data[lex->at] != '\n')
			lex->at++;
	}
}

/* A hyphen inside a word belongs to it ("match-pattern"); two of them start a comment. */
static size_t word_length(const struct ent_lex *lex)
{
	size_t n = 0;
	for (;; n++) {
		uint8_t c = peek(lex, n), d = peek(lex, n + 1);
		if (!is_letter(c) && !is_digit(c) && c != '$' && !(c == '-' && n && (is_letter(d) || is_digit(d))))
			return n;
	}
}

static size_t number_length(const struct ent_lex *lex)
{
	size_t n = 0;
	while (is_digit(peek(lex, n)) || (peek(lex, n) == '-' && is_digit(peek(lex, n + 1))))
		n++;
	return n;
}

static const char *fold(struct ent_lex *lex, size_t len)
{
	char *s = ent_arena_str(lex->arena, (const char *)lex->text.data + lex->at, len);
	for (size_t i = 0; s && i < len; i++)
		if (s[i] >= 'A' && s[i] <= 'Z')
			s[i] = (char)(s[i] - 'A' + 'a');
	return s;
}

static int take_quoted(struct ent_lex *lex, struct ent_err *err)
{
	char *s = ent_arena_get(lex->arena, lex->text.len - lex->at + 1, 1);
	size_t n = 0, i = lex->at + 1;
	if (!s)
		return ent_nomem(err);
	for (; i < lex->text.len; i++) {
		if (lex->text.data[i] == '"' && !(i + 1 < lex->text.len && lex->text.data[i + 1] == '"'))
			break;
		i += lex->text.data[i] == '"';
		s[n++] = (char)lex->text.data[i];
	}
	if (i >= lex->text.len || !n)
		return ent_lex_fail(lex, "a name between double quotes", err);
	lex->token.kind = ENT_TOKEN_QUOTED;
	lex->token.text = s;
	lex->at = i + 1;
	return 0;
}

static int take_plain(struct ent_lex *lex, enum ent_token_kind kind, size_t len, struct ent_err *err)
{
	lex->token.kind = kind;
	lex->token.text = fold(lex, len);
	lex->at += len;
	return lex->token.text ? 0 : ent_nomem(err);
}

int ent_lex_next(struct ent_lex *lex, struct ent_err *err)
{
	skip_blanks(lex);
	lex->token = (struct ent_token){ .kind = ENT_TOKEN_END, .text = "", .at = lex->at };
	uint8_t c = peek(lex, 0);
	if (lex->at >= lex->text.len)
		return 0;
	if (c == '"')
		return take_quoted(lex, err);
	if (is_letter(c))
		return take_plain(lex, ENT_TOKEN_WORD, word_length(lex), err);
	if (is_digit(c))
		return take_plain(lex, ENT_TOKEN_NUMBER, number_length(lex), err);
	if (c && strchr("(),;.*", c))
		return take_plain(lex, ENT_TOKEN_MARK, 1, err);
	lex->token.kind = ENT_TOKEN_BAD;
	return ent_lex_fail(lex, "a name, a number or one of ( ) , ; . *", err);
}

int ent_lex_init(struct ent_lex *lex, struct ent_arena *arena, struct ent_bytes text, struct ent_err *err)
{
	*lex = (struct ent_lex){ .arena = arena, .text = text };
	if (text.len > ENT_GRANT_TEXT_MAX)
		return ent_fail(err, ENT_EUSAGE, "grant text is longer than %d bytes", ENT_GRANT_TEXT_MAX);
	if (!ent_utf8_valid(text) || (text.len && memchr(text.data, 0, text.len)))
		return ent_fail(err, ENT_EUSAGE, "grant text is not UTF-8 text");
	return ent_lex_next(lex, err);
}

int ent_lex_fail(const struct ent_lex *lex, const char *expected, struct ent_err *err)
{
	size_t line = 1, letter = 1;
	for (size_t i = 0; i < lex->token.at && i < lex->text.len; i++) {
		letter = lex->text.data[i] == '\n' ? 1 : letter + 1;
		line += lex->text.data[i] == '\n';
	}
	const char *found = lex->token.kind == ENT_TOKEN_END ? "the end" : lex->token.text;
	ent_fail(err, ENT_EUSAGE, "grant text, line %zu, letter %zu: expected %s", line, letter, expected);
	if (lex->token.kind != ENT_TOKEN_BAD && found && *found)
		ent_why(err, "found %s%.60s%s", lex->token.kind == ENT_TOKEN_END ? "" : "'", found, lex->token.kind == ENT_TOKEN_END ? "" : "'");
	ent_next(err, "example: GRANT AGGREGATE(avg, count) ON flights(dep_delay) TO ANY FOR research MIN GROUP 20 UNTIL 2027-06-30;");
	return ENT_EUSAGE;
}
