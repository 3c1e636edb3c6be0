/* Rules against the columns of one table, and the SQL that applies them in the embedded engine (dialect "duckdb").
 *
 * The table is called "entente_in", its columns c0, c1 ... in the order of the schema, its rows numbered by rowid. Each layer l1, l2 ... takes the
 * next rule of every column; hN says where rule N struck. Texts of the rules are parameters, names of the result are quoted, nothing else of the
 * user stands in a statement. Similar rows stand in "entente_near"(r, k): row r resembles the earlier row k. */
#ifndef ENT_MOVE_RULES_SQL_H
#define ENT_MOVE_RULES_SQL_H
#include "arrow/schema.h"
#include "entente/connector.h"
#include "move/rules.h"

#define ENT_RULES_TABLE "entente_in"
#define ENT_RULES_NEAR "entente_near"
#define ENT_RULES_SQL_MAX ((size_t)16 << 20)

struct ent_rules_step { /* one rule of one column */
	const struct ent_rule *rule;
	const char *column;
	size_t at, layer;        /* index of the column; from 1 */
	const char *hit, *value; /* expressions over the layer before */
	struct ent_type type;    /* after it */
};

struct ent_rules_bound {
	const struct ent_rules *rules;
	struct ent_arena *arena;
	const char **names, **as; /* of the table, of the result */
	struct ent_type *types;   /* after all rules */
	size_t n_columns;
	struct ent_rules_step *steps; /* by layer, then by column */
	size_t n_steps, n_layers;
	struct ent_param *params;
	size_t *layer_params; /* parameters that the layers up to this one use */
	size_t n_params;
	size_t *key, n_key; /* of dedupe */
	size_t near;        /* column, when rules->near_column */
};

/* ENT_ENOTFOUND: the rules name a column that is not there; ENT_EDATA: a rule does not suit its column. All in the arena; rules and names of the
 * schema are lent. */
int ent_rules_bind(const struct ent_rules *rules, const struct ArrowSchema *schema, struct ent_arena *arena, struct ent_rules_bound *ret,
		   struct ent_err *err);

/* Each appends one SELECT; it takes the first *ret_params parameters. */
/* One row: rows, rows dropped by rules, rows that repeat others, then the hits of every step. */
int ent_rules_sql_counts(const struct ent_rules_bound *b, struct ent_buf *out, size_t *ret_params, struct ent_err *err);
/* The first different values (text) that a step struck. */
int ent_rules_sql_samples(const struct ent_rules_bound *b, size_t step, unsigned limit, struct ent_buf *out, size_t *ret_params, struct ent_err *err);
/* Keys (text) of rows that repeat others. */
int ent_rules_sql_repeated(const struct ent_rules_bound *b, unsigned limit, struct ent_buf *out, size_t *ret_params, struct ent_err *err);
/* (r, k) of similar rows. */
int ent_rules_sql_near(const struct ent_rules_bound *b, struct ent_buf *out, size_t *ret_params, struct ent_err *err);
/* Text of rows in ENT_RULES_NEAR, and of those they resemble. */
int ent_rules_sql_near_samples(const struct ent_rules_bound *b, unsigned limit, struct ent_buf *out, size_t *ret_params, struct ent_err *err);
/* The result; none: its columns only. */
int ent_rules_sql_rows(const struct ent_rules_bound *b, bool none, struct ent_buf *out, size_t *ret_params, struct ent_err *err);
#endif
