/* The decision: a pure function of a bound query, the grants of its owners, requester, purpose, time and earlier jobs. No clock, no ledger,
 * no I/O: every party of a job runs it on the same proposal and must come to the same canonical JSON.
 *
 * Reader's map (policy.md): uses of columns (rule 1) are collected over the whole tree, subqueries included; own values (2); protected tables
 * and k (3); what each aggregate and each outer join is held to (4, 5); remainder (6); what earlier jobs it is compared with (7). */
#ifndef ENT_POLICY_POLICY_H
#define ENT_POLICY_POLICY_H
#include "policy/grant.h"
#include "sql/query.h"

#define ENT_POLICY_TABLES_MAX 64 /* different base tables in one query */

struct ent_policy_rule {
	uint64_t index; /* of the entry in the owner's ledger: its id is org/index */
	const struct ent_grant *grant;
	uint64_t used; /* the owner's `run` entries that used it, up to the ledger size in the proposal */
};

struct ent_policy_owner { /* what the owner's ledger says at the size in the proposal; revoked rules are left out by the caller */
	const char *org;
	uint64_t ledger_size;
	const struct ent_policy_rule *rules; /* by index, ascending */
	size_t n_rules;
	const char *const *members; /* orgs with a `member` entry: what TO ANY means */
	size_t n_members;
};

/* One selection of an answered job as seen from one protected table: what rule 7 compares. */
struct ent_policy_selection {
	const char *org, *table; /* T */
	uint64_t version;        /* of T */
	const char *rows;        /* canonical FROM, joins, conditions, versions and commitments: equal text = same selection */
	const char *group;       /* canonical GROUP BY, keys sorted; "" for none. Label codes are built in this order: see group_order */
	const char *by;          /* the base columns of the GROUP BY, sorted, in the form of group: equal to it when every key is a plain column */
	const char *unit;        /* what is counted: "" rows of T; else the GROUP BYs of the subqueries whose groups are counted instead */
	const char **columns;    /* columns of T that are opened through it, sorted */
	size_t n_columns;
	bool counts;                   /* COUNT(*), COUNT(x) or AVG opened over it */
	uint32_t k;                    /* k_T of that job */
	const struct ent_query *block; /* this job only: the block */
	const uint32_t *group_order;   /* this job only: key i of the sorted GROUP BY is block->group[group_order[i]] */
	const struct ent_expr *filter; /* this job only: the condition of a filtered aggregate, NULL for the block's own selection */
};

struct ent_policy_job { /* an answered job of the same requester */
	const char *id;
	const char *trio[3]; /* its compute parties; all NULL: one-owner job, in clear at the owner */
	bool dropped;        /* it dropped a group (static part: may be given as false when unknown; joint compares the secret bit) */
	const struct ent_policy_selection *selections;
	size_t n_selections;
};

struct ent_policy_input {
	const struct ent_query *query;
	const char *requester, *purpose; /* purpose NULL: none given */
	int64_t time_ms;                 /* the proposal's, UTC since 1970 */
	const struct ent_policy_owner *owners;
	size_t n_owners;
	const char *trio[3];                  /* compute parties; NULLs for a one-owner job */
	const struct ent_policy_job *history; /* by id, the order does not matter */
	size_t n_history;
	/* Commitment to one of the requester's own tables, as hex, "" when there is none (rule 7). May be NULL. */
	const char *(*commitment)(void *arg, const struct ent_table *t);
	void *commitment_arg;
};

/* A line of the decision: may this column be used like this? */
struct ent_decision_line {
	const struct ent_table *table;
	const char *column; /* NULL: the rows as such (COUNT(*) without any countable column) */
	enum ent_use use;
	bool allowed;
	const char *rule; /* "hudson/4": who decided; "own" for the requester's own column; "" when no rule speaks of it */
	uint32_t k;
	enum ent_leak leak;
	uint32_t approvals;
	const char *what, *why, *next; /* refused: the error form; else NULL */
};

struct ent_decision_table {
	const struct ent_table *table;
	const struct ent_policy_owner *owner; /* NULL when own */
	bool own;                             /* the requester's */
	bool protect;                         /* rule 3 */
	uint32_t k;                           /* k_T; 0 when not protected */
	bool own_values;                      /* WITH OWN VALUES holds on its JOIN */
	uint64_t *columns;                    /* bit map (64 per word) of the columns in the plan */
};

/* What an aggregate is held to per protected table of its block (rule 4). */
enum ent_held {
	ENT_HELD_GROUP /* the group's k is enough */,
	ENT_HELD_NON_NULL /* rows with a non-NULL argument >= k_T, else the cell is NULL */,
	ENT_HELD_FILTERED /* per condition: rows with it >= k_T, and its complement in the group 0 or >= k_T, else the cell is NULL */
};
struct ent_decision_agg {
	const struct ent_query *block;
	const struct ent_expr *expr; /* the ENT_X_AGG node inside items or having */
	enum ent_held held;
	bool non_null;                      /* argument is nullable: NON_NULL applies too (FILTERED and nullable) */
	const struct ent_expr **conditions; /* FILTERED: boolean expressions over the block's relations; NULL counts as false */
	size_t n_conditions;
	bool opens_sum_count; /* AVG */
};

struct ent_decision_block { /* one per SELECT block that groups or aggregates; inner blocks come before outer ones */
	const struct ent_query *query;
	bool top;
	bool remainder;   /* rule 6 applies: it has GROUP BY and a protected table */
	uint32_t *tables; /* indexes into tables: the protected ones with rows in it */
	size_t n_tables;
};

struct ent_decision_outer { /* rule 5: one per LEFT JOIN whose right side brings a protected table */
	const struct ent_query *block;
	size_t rel;
	bool anti;        /* WHERE keeps the unmatched only (key IS NULL) */
	uint32_t *tables; /* protected, on the nullable side */
	size_t n_tables;
	uint32_t k; /* largest of them */
};

/* Rule 7: what has to be compared before anything leaves. n = distinct rows of T, n' = of the earlier one. */
enum ent_guard {
	ENT_GUARD_DROPPED, /* same selection, other GROUP BY: refuse unless neither job dropped a group */
	ENT_GUARD_TOTAL,   /* |n - n'| < k over the whole selection refuses the job, naming the earlier */
	ENT_GUARD_CELLS,   /* cells with equal label codes: |n - n'| < k drops the cell */
	ENT_GUARD_NEVER /* refused, there is nothing to compare: rows of T with groups of a subquery over T; groups of the same columns in two ways */
};
struct ent_decision_guard {
	enum ent_guard kind;
	uint32_t selection; /* index into selections of this decision */
	const char *job;    /* earlier job, or NULL: another aggregate of this job */
	uint32_t other;     /* index into the earlier job's (or this decision's) selections */
	uint32_t k;         /* the larger of the two jobs' */
	bool other_trio;    /* what the earlier job left lies elsewhere (other parties; shares here, an owner's numbers there): not compared, but
			       approved */
	bool at_owner;      /* both jobs run at one owner, who compares them in the clear */
};

struct ent_decision_approval {
	const char *org; /* the owner, who must be among them */
	uint32_t of;     /* how many member organisations other than the requester */
};

struct ent_decision {
	bool allowed;
	struct ent_decision_line *lines;
	size_t n_lines;
	struct ent_decision_table *tables;
	size_t n_tables;
	struct ent_decision_agg *aggs;
	size_t n_aggs;
	struct ent_decision_block *blocks;
	size_t n_blocks;
	struct ent_decision_outer *outers;
	size_t n_outers;
	struct ent_policy_selection *selections; /* one per (protected table, block selection or filtered aggregate) */
	size_t n_selections;
	struct ent_decision_guard *guards;
	size_t n_guards;
	struct ent_decision_approval *approvals;
	size_t n_approvals;
	uint32_t approvals_max;
	enum ent_leak leak; /* the smallest among the grants used: what the plan may open at most */
	const char **rules; /* "org/index" of every grant used, sorted: what a `run` debits */
	size_t n_rules;
	/* Refusals that belong to no column: rows without aggregate, own values. Lines above carry the others. */
	struct ent_decision_line *refusals;
	size_t n_refusals;
};

/* Decides. Everything in *ret lies in the arena or is lent by the input. A refusal is a decision (0 is returned, allowed is false);
 * errors are ENT_EUNSUPPORTED (ORDER BY in a subquery, too many tables), ENT_ENOTFOUND (no ledger of an owner given), ENT_ENOMEM. */
int ent_policy_decide(struct ent_arena *arena, const struct ent_policy_input *in, struct ent_decision **ret, struct ent_err *err);
/* The refusal in the error form: ENT_EDENIED with what, why, next of the first failing line, and how many more there are. 0 when allowed. */
int ent_decision_refusal(const struct ent_decision *d, struct ent_err *err);
/* Canonical JSON of the decision (new reference). Equal at every party: its canonical bytes are what is hashed. */
int ent_decision_json(const struct ent_decision *d, json_t **ret, struct ent_err *err);
/* For EXPLAIN: one line per column and use, then tables, aggregates, comparisons. */
void ent_decision_print(const struct ent_decision *d, struct ent_buf *out);
/* The aggregate's row of a decision; NULL when expr is no aggregate of the query. */
const struct ent_decision_agg *ent_decision_agg_of(const struct ent_decision *d, const struct ent_expr *expr);
const struct ent_decision_block *ent_decision_block_of(const struct ent_decision *d, const struct ent_query *block);
/* The table's index in tables by organisation and name; -1 when absent. */
int ent_decision_table_of(const struct ent_decision *d, const struct ent_table *t);

/* Selections travel with a job into its parties' guard records: array of objects, parsed back into the arena. */
int ent_policy_selections_json(const struct ent_policy_selection *s, size_t n, json_t **ret, struct ent_err *err);
int ent_policy_selections_parse(struct ent_arena *arena, const json_t *value, struct ent_policy_selection **ret, size_t *ret_n, struct ent_err *err);

/* What one organisation may do with one column now (`tables`, `describe`): ENT_USE_BIT set; *ret_k, *ret_own_values may be NULL. */
uint32_t ent_policy_column_uses(const struct ent_policy_owner *owner, const char *table, const char *column, const char *requester,
				const char *purpose, int64_t time_ms, uint32_t *ret_k, bool *ret_own_values);
#endif
