/* Grants: what an owner wrote about the use of columns. Text form, JSON form and canonical form have the same meaning; the canonical
 * JSON is what the ledger entry `grant` carries and what is hashed. Parsing is pure; `* EXCEPT (...)` is expanded against the table given.
 *
 * Text is foreign (an operator's file, another node's entry): every malformed input ends in ENT_EUSAGE with a position, never a crash. */
#ifndef ENT_POLICY_GRANT_H
#define ENT_POLICY_GRANT_H
#include "base/arena.h"
#include "base/json.h"
#include "sql/catalogue.h"

/* name, text form, JSON form, help */
#define ENT_USE_MAP(X) \
	X(SELECT, "SELECT", "select", "appear in result rows as it is") \
	X(JOIN, "JOIN", "join", "be compared for equality with another owner's column") \
	X(FILTER, "FILTER", "filter", "be compared in WHERE, ON and CASE") \
	X(GROUP, "GROUP", "group", "be a group label") \
	X(COUNT, "AGGREGATE(count)", "aggregate.count", "be counted") \
	X(SUM, "AGGREGATE(sum)", "aggregate.sum", "be summed") \
	X(AVG, "AGGREGATE(avg)", "aggregate.avg", "be averaged") \
	X(MIN, "AGGREGATE(min)", "aggregate.min", "give its minimum") \
	X(MAX, "AGGREGATE(max)", "aggregate.max", "give its maximum") \
	X(MIXED, "AGGREGATE(mixed)", "aggregate.mixed", "enter an aggregate together with another owner's columns") \
	X(TRAIN, "TRAIN", "train", "be a feature or label of a joint model") \
	X(COPY, "COPY", "copy", "leave as rows")

enum ent_use {
#define ENT_USE_ENUM(name, text, json, help) ENT_USE_##name,
	ENT_USE_MAP(ENT_USE_ENUM)
#undef ENT_USE_ENUM
		ENT_USE_NAMES
};
#define ENT_USE_BIT(use) (1u << (use))
#define ENT_USE_AGGREGATES \
	(ENT_USE_BIT(ENT_USE_COUNT) | ENT_USE_BIT(ENT_USE_SUM) | ENT_USE_BIT(ENT_USE_AVG) | ENT_USE_BIT(ENT_USE_MIN) | ENT_USE_BIT(ENT_USE_MAX) | \
	 ENT_USE_BIT(ENT_USE_MIXED))
#define ENT_USE_ALL ((1u << ENT_USE_NAMES) - 1)

/* In order of how much a plan may open. */
enum ent_leak { ENT_LEAK_NONE, ENT_LEAK_SIZES, ENT_LEAK_MATCH_PATTERN };

#define ENT_GRANT_MIN_GROUP_DEFAULT 10
#define ENT_GRANT_MIN_GROUP_LEAST 3
#define ENT_GRANT_MIN_GROUP_MOST 1000000000
#define ENT_GRANT_LIST_MAX 1600 /* columns, organisations or purposes in one grant */
#define ENT_GRANT_TEXT_MAX 65536
#define ENT_GRANT_NO_DATE INT32_MAX

struct ent_grant {
	bool deny;
	uint32_t uses;        /* ENT_USE_BIT; never 0; a DENY ALL has ENT_USE_ALL */
	const char *table;    /* without organisation: an owner writes about his own tables only */
	const char **columns; /* sorted by bytes, unique, at least one */
	size_t n_columns;
	const char **orgs; /* TO: sorted, unique; n_orgs 0 means ANY */
	size_t n_orgs;
	const char **purposes; /* FOR: sorted, unique; n_purposes 0 means no FOR */
	size_t n_purposes;
	int32_t until_day;  /* days since 1970-01-01, valid through 23:59:59 UTC of it; ENT_GRANT_NO_DATE */
	uint32_t min_group; /* k */
	uint64_t uses_max;  /* USES n; 0: unlimited */
	enum ent_leak leak;
	uint32_t approvals; /* REQUIRE APPROVAL OF n; 0: none */
	bool own_values;    /* WITH OWN VALUES */
};

enum ent_statement_kind { ENT_STATEMENT_GRANT /* DENY too */, ENT_STATEMENT_REVOKE };
struct ent_statement {
	enum ent_statement_kind kind;
	struct ent_grant grant;
	uint64_t revoke; /* index in the own ledger */
};

/* Finds one's own table for `*` and for the names of columns; *ret is lent. ENT_ENOTFOUND with the nearest name. NULL function: names are
 * taken as written and `*` is refused. */
struct ent_grant_tables {
	int (*table)(void *self, const char *name, const struct ent_table **ret, struct ent_err *err);
	void *self;
	const char *org; /* a qualified table name must carry this organisation; NULL: must be bare */
};

/* One or more statements, each ended by ';' (the last may go without). -- comments. Everything in the arena.
 * ENT_EUSAGE (where, what was expected), ENT_ENOTFOUND (table or column, with the nearest), ENT_ENOMEM. */
int ent_grant_parse(struct ent_arena *arena, struct ent_bytes text, const struct ent_grant_tables *tables, struct ent_statement **ret, size_t *ret_n,
		    struct ent_err *err);
/* The JSON form: members as in the canonical form, conditions may be left out. ENT_EDATA. */
int ent_grant_from_json(struct ent_arena *arena, const json_t *value, struct ent_grant *ret, struct ent_err *err);
/* The canonical form, every member present:
 * {"approvals":0,"columns":[..],"effect":"grant"|"deny","for":[..],"leak":"none","min_group":10,"own_values":false,"table":"t",
 *  "to":[..] ([] = any),"until":"2027-06-30" or "","uses":["join",..],"uses_max":0}   New reference. */
int ent_grant_json(const struct ent_grant *g, json_t **ret, struct ent_err *err);
/* Back to one statement of the text form ending in ';'; parses to the same grant. */
void ent_grant_print(const struct ent_grant *g, struct ent_buf *out);
/* One name as the text form spells it: bare, or between double quotes. */
void ent_grant_print_name(const char *name, struct ent_buf *out);

/* What a grant gives away, in plain words, one line per warning: `add` of own values, min/max, avg, SELECT, GROUP on many values, ...
 * t: the table as the catalogue has it, or NULL. */
void ent_grant_warn(const struct ent_grant *g, const struct ent_table *t, struct ent_buf *out);
/* `grants --check`: warnings of each grant and of their combination. One line each, with the index in front. */
struct ent_grant_entry {
	uint64_t index;
	const struct ent_grant *grant;
};
void ent_grants_check(const struct ent_grant_entry *grants, size_t n, const struct ent_grant_tables *tables, struct ent_buf *out);

/* Names of organisations: a lower-case letter, then at most 30 of a-z, 0-9 and '_'. */
bool ent_grant_org_ok(const char *name);
bool ent_grant_has_column(const struct ent_grant *g, const char *column);
const char *ent_use_text(enum ent_use use); /* "GROUP", "AGGREGATE(avg)" */
const char *ent_use_json(enum ent_use use); /* "group", "aggregate.avg" */
const char *ent_use_help(enum ent_use use);
const char *ent_leak_text(enum ent_leak leak); /* "match-pattern" */
bool ent_leak_by_name(const char *text, enum ent_leak *ret);
void ent_day_text(int32_t day, char out[16]); /* "2027-06-30" */
bool ent_day_parse(const char *text, size_t len, int32_t *ret);
#endif
