/* The rules of `prepare` (docs/format/prepare.md): what becomes of each column, step by step, then of equal and of similar rows. Parsing knows no
 * table; rules_sql.h checks them against the columns of one. */
#ifndef ENT_MOVE_RULES_H
#define ENT_MOVE_RULES_H
#include "arrow/type.h"
#include "base/arena.h"

#define ENT_RULES_BYTES_MAX ((size_t)1 << 20)
#define ENT_RULES_COLUMNS_MAX 400u
#define ENT_RULES_STEPS_MAX 16u /* of one column */
#define ENT_RULES_TOKENS_MAX 200u

enum ent_rule_kind { ENT_RULE_TRIM, ENT_RULE_CASE, ENT_RULE_NULLS, ENT_RULE_CAST, ENT_RULE_RANGE, ENT_RULE_MATCH, ENT_RULE_CONVERT, ENT_RULE_COUNT };
enum ent_rule_else { ENT_ELSE_KEEP, ENT_ELSE_NULL, ENT_ELSE_DROP };

struct ent_rule {
	enum ent_rule_kind kind;
	enum ent_rule_else otherwise; /* cast, range, match: what becomes of a value that fails */
	bool upper;                   /* case */
	bool round;                   /* cast: digits behind the point may go */
	const char *const *tokens;    /* nulls */
	size_t n_tokens;
	struct ent_type type;        /* cast */
	const char *format;          /* cast: of a date or timestamp in text, or NULL */
	const char *min, *max;       /* range; either may be NULL */
	const char *regex;           /* match */
	const char *factor, *offset; /* convert */
};

struct ent_rule_column {
	const char *name, *as; /* as: the name in the result */
	const struct ent_rule *rules;
	size_t n_rules;
};

struct ent_rules {
	const struct ent_rule_column *columns;
	size_t n_columns;
	const char *const *key; /* rows of equal keys are kept once */
	size_t n_key;
	bool whole_row;          /* wholly equal rows are kept once */
	const char *near_column; /* similar text; NULL: not asked for */
	unsigned near_percent;   /* 50 to 100 */
	bool near_drop;
	char hash[65]; /* hex SHA-256 of the rules in canonical JSON */
};

/* Everything of ret lives in the arena. ENT_EDATA says which rule of which column is wrong, and what would be right. */
int ent_rules_parse(struct ent_bytes text, struct ent_arena *arena, struct ent_rules *ret, struct ent_err *err);
const char *ent_rule_name(enum ent_rule_kind kind);
const char *ent_rule_else_name(enum ent_rule_else otherwise);
/* Of names, the one that word most likely meant, or NULL. */
const char *ent_rules_nearest(const char *word, const char *const *names, size_t n);
#endif
