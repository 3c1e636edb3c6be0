/* Tokens of the text form of grants. Words are folded to lower case as PostgreSQL does, unless "quoted". */
#ifndef ENT_POLICY_LEX_H
#define ENT_POLICY_LEX_H
#include "base/arena.h"

enum ent_token_kind {
	ENT_TOKEN_END,
	ENT_TOKEN_WORD,
	ENT_TOKEN_QUOTED,
	ENT_TOKEN_NUMBER /* digits, or a date */,
	ENT_TOKEN_MARK /* one of ( ) , ; . * */,
	ENT_TOKEN_BAD
};

struct ent_token {
	enum ent_token_kind kind;
	const char *text; /* in the arena; NULL after memory ran out */
	size_t at;
};

struct ent_lex {
	struct ent_arena *arena;
	struct ent_bytes text;
	size_t at;
	struct ent_token token; /* the current one */
};

int ent_lex_init(struct ent_lex *lex, struct ent_arena *arena, struct ent_bytes text, struct ent_err *err);
int ent_lex_next(struct ent_lex *lex, struct ent_err *err);
/* "line 2, letter 7" of the current token. */
int ent_lex_fail(const struct ent_lex *lex, const char *expected, struct ent_err *err);
#endif
