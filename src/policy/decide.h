/* What the files of the decision share: the working state of one call of ent_policy_decide. Not for other folders. */
#ifndef ENT_POLICY_DECIDE_H
#define ENT_POLICY_DECIDE_H
#include "policy/policy.h"

/* A column that needs "JOIN or FILTER": equality of two columns of one owner, IS NULL of a nullable side's key. */
#define ENT_NEED_EQUAL (1u << ENT_USE_NAMES)

struct ent_base { /* one base table of the query */
	const struct ent_table *table;
	uint32_t *needs;   /* per column: ENT_USE_BIT and ENT_NEED_EQUAL */
	bool rows_counted; /* COUNT(*), or an aggregate without a column, runs over its rows */
	uint64_t together; /* tables whose rows can stand in one joined row with its rows */
};

struct ent_item_info {
	uint64_t tables; /* base tables whose values flow into it (conditions left out) */
	uint32_t degree; /* as a polynomial in columns */
	uint32_t done;   /* needs already passed down */
	bool visited;
	uint32_t stamp; /* of the last collection of columns that came by */
};

struct ent_block {
	const struct ent_query *query;
	struct ent_item_info *items;
	uint64_t tables; /* all base tables below */
	uint64_t bare;   /* those whose rows reach this block one by one, not through an inner group */
	bool top;
};

struct ent_decide {
	struct ent_arena *arena;
	const struct ent_policy_input *in;
	struct ent_decision *d;
	struct ent_err *err;
	struct ent_base *bases;
	size_t n_bases;
	struct ent_block *blocks; /* inner before outer; the top one is last */
	size_t n_blocks, blocks_room;
	size_t lines_room, refusals_room, aggs_room, selections_room, guards_room, outers_room;
	uint32_t stamp;
};

struct ent_value_info {
	uint64_t tables;
	uint32_t degree;
};

struct ent_match {                           /* what the rules of one owner say of one use of one column */
	const struct ent_policy_rule *deny;  /* the DENY that beats all */
	const struct ent_policy_rule *first; /* the matching grant with the largest k, earliest of those */
	size_t n;
	uint32_t k, approvals;
	enum ent_leak leak;
	bool own_values; /* every matching grant that confers JOIN has it */
};

/* decide_tables.c */
int ent_decide_tables(struct ent_decide *c);
struct ent_block *ent_decide_block(const struct ent_decide *c, const struct ent_query *q);
struct ent_value_info ent_decide_value(const struct ent_decide *c, const struct ent_block *b, const struct ent_expr *e);
size_t ent_decide_base(const struct ent_decide *c, const struct ent_table *t);
/* The item that column c of a relation that is a query shows. */
size_t ent_decide_item(const struct ent_query *q, size_t column);
bool ent_decide_own(const struct ent_decide *c, size_t base);
/* Column of a base table only: every base column whose value flows into e, conditions too when asked. */
void ent_decide_columns(struct ent_decide *c, const struct ent_block *b, const struct ent_expr *e, bool conditions,
			void (*fn)(void *arg, size_t base, size_t column), void *arg);
bool ent_decide_is_comparison(const struct ent_expr *e);

/* decide_uses.c: rule 1 */
int ent_decide_uses(struct ent_decide *c);

/* decide_match.c */
const struct ent_policy_owner *ent_decide_owner(const struct ent_policy_input *in, const char *org);
struct ent_match ent_decide_match(const struct ent_policy_owner *o, const struct ent_policy_input *in, const char *table, const char *column,
				  uint32_t use_bits);
bool ent_decide_rule_matches(const struct ent_policy_owner *o, const struct ent_policy_input *in, const struct ent_policy_rule *r, const char *table,
			     const char *column, uint32_t use_bits);
/* Which condition of a grant fails, worst first; 0 when none. */
enum ent_unmet { ENT_MET, ENT_UNMET_USES, ENT_UNMET_UNTIL, ENT_UNMET_FOR, ENT_UNMET_TO };
enum ent_unmet ent_decide_unmet(const struct ent_policy_owner *o, const struct ent_policy_input *in, const struct ent_policy_rule *r);
uint32_t ent_decide_implied(uint32_t uses); /* SELECT includes JOIN, FILTER, GROUP, AGGREGATE */

/* decide_lines.c */
int ent_decide_lines(struct ent_decide *c);
/* decide_reason.c: fills what, why, next of a refused line */
int ent_decide_reason(struct ent_decide *c, struct ent_decision_line *line);
const char *ent_decide_suggest(struct ent_decide *c, const struct ent_table *t, enum ent_use use, const char *column, bool own_values);
int ent_decide_refuse(struct ent_decide *c, struct ent_decision_line line);
/* decide_rules.c: rules 2 to 6 */
int ent_decide_rules(struct ent_decide *c);
/* decide_aggs.c: rule 4 */
int ent_decide_aggs(struct ent_decide *c);
/* decide_guard.c: rule 7 */
int ent_decide_guard(struct ent_decide *c);

/* One more element at the end of an array in the arena; NULL when memory is short. */
void *ent_decide_more(struct ent_decide *c, void *array, size_t n, size_t *room, size_t size);
#endif
