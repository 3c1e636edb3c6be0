/* What the files of src/sql share: the binding context, the parse tree's accessors, builders of typed expressions and the type rules.
 *
 * Two marks exist only while binding and never reach a bound query: UNKNOWN (a quoted literal or NULL that takes the other side's type) and
 * INTERVAL (microseconds in value; months, for constants only, in real). */
#ifndef ENT_SQL_INTERNAL_H
#define ENT_SQL_INTERNAL_H
#include <stdio.h>
#include <strings.h>

#include "sql/query.h"

#define ENT_SQL_UNKNOWN ENT_T_COUNT
#define ENT_SQL_INTERVAL ((enum ent_type_id)(ENT_T_COUNT + 1))

#define ENT_SQL_BLOCKS_MAX 64                          /* SELECT blocks in one statement, CTEs counted at each use */
#define ENT_SQL_COLUMNS_MAX 4096                       /* columns one FROM clause can see */
#define ENT_SQL_NODES_MAX 200000                       /* expression nodes in one statement */
#define ENT_SQL_JSON_DEPTH_MAX (3 * ENT_SQL_DEPTH_MAX) /* a nested operator takes two or three levels of the tree's JSON */

struct ent_sql {
	struct ent_arena *arena;
	struct ent_err *err;
	const char *text; /* the statement */
	const struct ent_catalogue *catalogue;
	const char *default_org;
	size_t blocks, nodes;
};

/* parse.c: the statement's SelectStmt as a JSON tree (new reference in *ret_owner, body lent). */
int ent_sql_parse(struct ent_sql *x, struct ent_bytes sql, json_t **ret_owner, const json_t **ret_select);

/* ast.c: nodes are {"Kind": {...}}; zero values are absent. */
const char *ent_ast_kind(const json_t *node, const json_t **ret_body);
const char *ent_ast_str(const json_t *body, const char *key); /* NULL when absent */
bool ent_ast_is(const json_t *body, const char *key, const char *value);
bool ent_ast_true(const json_t *body, const char *key);
const char *ent_ast_string_node(const json_t *node); /* {"String":{"sval":..}} */
const char *ent_ast_last_name(const json_t *list);   /* last String of a qualified name, "" when none */
int ent_ast_place(const json_t *node);               /* byte offset, -1 unknown */
/* Every key of body is in the blank-separated list, else ENT_EUNSUPPORTED naming what stands there. */
int ent_ast_only(struct ent_sql *x, const json_t *body, const char *what, const char *keys);
/* Error with " (line L, column C)" of place behind the message. */
int ent_sql_fail(struct ent_sql *x, int code, int place, const char *fmt, ...) ENT_PRINTF(4, 5);
int ent_sql_unsupported(struct ent_sql *x, int place, const char *what, const char *nearest);

/* names.c */
struct ent_nearest {
	const char *wanted;
	char best[2][200];
	size_t distance[2];
};
void ent_nearest_init(struct ent_nearest *n, const char *wanted);
void ent_nearest_try(struct ent_nearest *n, const char *candidate);
/* Sets err's next line: "did you mean a or b?" or otherwise. */
int ent_nearest_next(const struct ent_nearest *n, struct ent_err *err, const char *otherwise);

/* types.c */
bool ent_sql_common_type(struct ent_type a, struct ent_type b, bool operator, struct ent_type * ret);
int ent_sql_arith_type(struct ent_sql *x, enum ent_op op, struct ent_type a, struct ent_type b, int place, struct ent_type *ret);
struct ent_type ent_sql_decimal(unsigned precision, unsigned scale); /* precision capped at 38 */
struct ent_type ent_sql_as_decimal(const struct ent_expr *e);        /* of an integer or decimal */
const char *ent_sql_type_text(struct ent_type t, char out[ENT_TYPE_TEXT_MAX]);
bool ent_sql_pow10(unsigned n, int64_t *ret); /* n <= 18 */

/* literal.c: quoted text to a constant of a type. False when it does not read as one. */
bool ent_sql_literal_read(struct ent_sql *x, const char *text, struct ent_type type, struct ent_expr *ret);
bool ent_sql_interval_read(const char *text, unsigned unit_mask, int64_t *ret_months, int64_t *ret_micros);
bool ent_sql_number_read(const char *text, struct ent_expr *ret); /* numeric literal with point or exponent: decimal, at most 18 digits */
bool ent_sql_months_add(int64_t micros, int64_t months, int64_t *ret_micros);
int64_t ent_sql_days(int64_t year, unsigned month, unsigned day);
void ent_sql_civil(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day);

/* build.c: typed nodes; constants fold. */
int ent_sql_node(struct ent_sql *x, enum ent_expr_kind kind, enum ent_type_id type, struct ent_expr **ret);
int ent_sql_const(struct ent_sql *x, struct ent_type type, int64_t value, struct ent_expr **ret);
int ent_sql_const_real(struct ent_sql *x, enum ent_type_id id, double value, struct ent_expr **ret);
int ent_sql_const_text(struct ent_sql *x, const char *text, enum ent_type_id id, struct ent_expr **ret);
int ent_sql_null(struct ent_sql *x, struct ent_type type, struct ent_expr **ret);
int ent_sql_call(struct ent_sql *x, enum ent_op op, struct ent_type type, struct ent_expr **args, size_t n_args, int place, struct ent_expr **ret);
int ent_sql_call1(struct ent_sql *x, enum ent_op op, struct ent_type type, struct ent_expr *a, int place, struct ent_expr **ret);
int ent_sql_call2(struct ent_sql *x, enum ent_op op, struct ent_type type, struct ent_expr *a, struct ent_expr *b, int place, struct ent_expr **ret);
int ent_sql_call_part(struct ent_sql *x, enum ent_op op, enum ent_part part, struct ent_type type, struct ent_expr *a, struct ent_expr **ret);
int ent_sql_not(struct ent_sql *x, struct ent_expr *a, struct ent_expr **ret);
int ent_sql_case(struct ent_sql *x, struct ent_type type, struct ent_expr **args, size_t n_args, struct ent_expr **ret);
static inline struct ent_type ent_sql_type(enum ent_type_id id) { return (struct ent_type){ .id = id }; }
static inline bool ent_sql_is_const(const struct ent_expr *e) { return e->kind == ENT_X_CONST; }

/* fold.c: e, or the constant it always is. May fail: division by zero, a constant out of its type's range. */
int ent_sql_fold(struct ent_sql *x, struct ent_expr *e, int place, struct ent_expr **ret);
int ent_sql_fold_cast(struct ent_sql *x, const struct ent_expr *from, struct ent_type to, int place, struct ent_expr **ret);

/* cast.c */
int ent_sql_coerce(struct ent_sql *x, struct ent_expr *e, struct ent_type to, int place, struct ent_expr **ret); /* implicit */
int ent_sql_cast(struct ent_sql *x, struct ent_expr *e, struct ent_type to, int place, struct ent_expr **ret);   /* explicit */
int ent_sql_known(struct ent_sql *x, struct ent_expr *e, int place, struct ent_expr **ret); /* unknown becomes text; interval is refused */
int ent_sql_type_name(struct ent_sql *x, const json_t *type_name, struct ent_type *ret, unsigned *ret_interval_mask);
/* Brings all to their common type, in place. operator: the rule of operators (real meets integer as double), else that of CASE and UNION. */
int ent_sql_unify(struct ent_sql *x, struct ent_expr **args, size_t n, bool operator, int place, struct ent_type *ret);

/* Binding one SELECT block. */
struct ent_sql_cte {
	const char *name;
	const json_t *select, *colnames;
	const struct ent_sql_cte *before; /* what this CTE itself may see */
};

struct ent_sql_seen { /* a name an expression may use */
	const char *name;
	uint16_t rel, column;
	bool merged; /* the right half of USING: only reached through its table's name */
};

struct ent_sql_block {
	struct ent_sql *x;
	const struct ent_sql_cte *ctes;
	struct ent_query *q;
	struct ent_sql_seen *seen;
	size_t n_seen, cap_seen;
	struct ent_expr **pool; /* conjuncts of WHERE and of inner joins' ON */
	size_t n_pool, cap_pool;
	bool aggregates_allowed, inside_aggregate, aggregate_seen;
	const char *clause; /* for messages: "WHERE", "GROUP BY" ... */
};

int ent_sql_bind_select(struct ent_sql *x, const json_t *select, const struct ent_sql_cte *ctes, struct ent_query **ret);
int ent_sql_bind_block(struct ent_sql_block *k, const json_t *select);
int ent_sql_bind_union_output(struct ent_sql_block *k, const json_t *select, bool distinct);
int ent_sql_bind_expr(struct ent_sql_block *k, const json_t *node, struct ent_expr **ret);
int ent_sql_bind_condition(struct ent_sql_block *k, const json_t *node, struct ent_expr **ret); /* boolean */
int ent_sql_bind_column(struct ent_sql_block *k, const json_t *body, struct ent_expr **ret);
int ent_sql_bind_func(struct ent_sql_block *k, const json_t *body, struct ent_expr **ret);
int ent_sql_bind_case(struct ent_sql_block *k, const json_t *body, struct ent_expr **ret);
int ent_sql_bind_operator(struct ent_sql_block *k, const json_t *body, struct ent_expr **ret);
int ent_sql_compare(struct ent_sql *x, enum ent_op op, struct ent_expr *a, struct ent_expr *b, int place, struct ent_expr **ret);
int ent_sql_arith(struct ent_sql *x, enum ent_op op, struct ent_expr *a, struct ent_expr *b, int place, struct ent_expr **ret);
int ent_sql_time_arith(struct ent_sql *x, enum ent_op op, struct ent_expr *a, struct ent_expr *b, int place, bool *ret_done, struct ent_expr **ret);
int ent_sql_column_expr(struct ent_sql_block *k, const struct ent_sql_seen *s, struct ent_expr **ret);
bool ent_sql_name_is_column(const struct ent_sql_block *k, const char *name);

/* from.c, join.c */
int ent_sql_bind_from(struct ent_sql_block *k, const json_t *from, const json_t *where);
int ent_sql_pool_add(struct ent_sql_block *k, struct ent_expr *e);
int ent_sql_join_place(struct ent_sql_block *k, const uint8_t *left_of);
#endif
