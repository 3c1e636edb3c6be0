/* The bound query: what parse + bind make of SQL text, what policy judges, what joint plans. A tree of SELECT blocks; every name is
 * resolved, every expression typed, every implicit cast explicit. Built in one arena, immutable afterwards.
 *
 * Normal form: JOIN ... ON/USING and WHERE equalities between two relations become join keys; BETWEEN, IN (list), NOT IN, <>, >= ... become
 * calls of enum ent_op; DISTINCT becomes GROUP BY; CTEs become subqueries; COUNT(*) is an aggregate without argument; constants are folded.
 * AND and OR are flat. Where `aggregate` is set, every column in items and having stands inside an aggregate or inside a part that equals
 * (ent_expr_eq) one of `group`. Nodes may be shared between clauses. */
#ifndef ENT_SQL_QUERY_H
#define ENT_SQL_QUERY_H
#include "base/arena.h"
#include "base/json.h"
#include "sql/catalogue.h"

/* name, letters in the canonical form, number of arguments (-1: any) */
/* clang-format off */
#define ENT_OP_MAP(X) \
	X(ADD, "+", 2) \
	X(SUB, "-", 2) \
	X(MUL, "*", 2) \
	X(DIV, "/", 2) \
	X(MOD, "%", 2) \
	X(NEG, "neg", 1) \
	X(ABS, "abs", 1) \
	X(EQ, "=", 2) \
	X(NE, "<>", 2) \
	X(LT, "<", 2) \
	X(LE, "<=", 2) \
	X(GT, ">", 2) \
	X(GE, ">=", 2) \
	X(AND, "and", -1) \
	X(OR, "or", -1) \
	X(NOT, "not", 1) \
	X(IS_NULL, "is null", 1) \
	X(IN, "in", -1 /* first = any of the rest */) \
	X(LIKE, "like", 2) \
	X(COALESCE, "coalesce", -1) \
	X(NULLIF, "nullif", 2) \
	X(CAST, "cast", 1 /* to the expression's type */) \
	X(FLOOR, "floor", 1) \
	X(CEIL, "ceil", 1) \
	X(ROUND, "round", 2) \
	X(LOWER, "lower", 1) \
	X(UPPER, "upper", 1) \
	X(LENGTH, "length", 1) \
	X(SUBSTR, "substr", 3) \
	X(CONCAT, "||", 2) \
	X(TRIM, "trim", 1) \
	X(EXTRACT, "extract", 1 /* unit in `part` */) \
	X(DATE_TRUNC, "date_trunc", 1 /* unit in `part` */) \
	X(DATE_ADD, "date_add", 2 /* days or microseconds, int64 */) \
	X(DATE_SUB, "date_sub", 2 /* difference: days or microseconds */)
/* clang-format on */

enum ent_op {
#define ENT_OP_ENUM(name, text, args) ENT_OP_##name,
	ENT_OP_MAP(ENT_OP_ENUM)
#undef ENT_OP_ENUM
		ENT_OP_COUNT
};

enum ent_agg { ENT_AGG_COUNT_STAR, ENT_AGG_COUNT, ENT_AGG_SUM, ENT_AGG_AVG, ENT_AGG_MIN, ENT_AGG_MAX };
enum ent_part {
	ENT_PART_NONE,
	ENT_PART_YEAR,
	ENT_PART_QUARTER,
	ENT_PART_MONTH,
	ENT_PART_WEEK,
	ENT_PART_DAY,
	ENT_PART_HOUR,
	ENT_PART_MINUTE,
	ENT_PART_SECOND,
	ENT_PART_DOW,
	ENT_PART_DOY
};

enum ent_expr_kind {
	ENT_X_COLUMN, /* rel, column: of this block's relations */
	ENT_X_CONST,
	ENT_X_CALL, /* op, args */
	ENT_X_CASE, /* args = when1, then1, when2, then2, ..., else (always there, possibly a NULL constant) */
	ENT_X_AGG   /* agg, args[0] unless COUNT(*), filter, distinct; only in items, having, order */
};

struct ent_expr {
	enum ent_expr_kind kind;
	struct ent_type type;
	bool nullable;
	uint16_t rel, column;
	bool is_null;     /* const: NULL */
	int64_t value;    /* const: bool 0/1, integers, decimal scaled, date days, timestamps microseconds */
	double real;      /* const of REAL or DOUBLE */
	const char *text; /* const of TEXT, UTF-8 without NUL */
	enum ent_op op;
	enum ent_part part;
	enum ent_agg agg;
	bool distinct;
	struct ent_expr *filter;
	struct ent_expr **args;
	size_t n_args;
};

enum ent_rel_kind { ENT_REL_TABLE, ENT_REL_QUERY, ENT_REL_UNION /* ALL */ };
enum ent_join_kind { ENT_JOIN_FIRST, ENT_JOIN_INNER, ENT_JOIN_LEFT };

struct ent_rel_column {
	const char *name;
	struct ent_type type;
	bool nullable;
};

struct ent_query;

struct ent_rel {
	enum ent_rel_kind kind;
	const char *alias;
	const struct ent_table *table; /* ENT_REL_TABLE */
	struct ent_query **branches;   /* ENT_REL_QUERY: one; ENT_REL_UNION: two or more, same columns */
	size_t n_branches;
	const struct ent_rel_column *columns; /* as seen from this block (nullable also by a LEFT JOIN) */
	size_t n_columns;
	/* How this relation is attached to the ones before it. Keys: left_keys over earlier relations, right_keys over this one. */
	enum ent_join_kind join;
	struct ent_expr **left_keys, **right_keys;
	size_t n_keys;
	struct ent_expr *on; /* what remains of ON, or NULL (for INNER it moves to where) */
};

struct ent_item {
	const char *name;
	struct ent_expr *expr;
	bool hidden; /* computed for ORDER BY only, not shown; aggregates of HAVING stand in `having` alone */
};

struct ent_order {
	size_t item; /* index into items */
	bool desc, nulls_first;
};

struct ent_query {
	struct ent_rel *rels;
	size_t n_rels;
	struct ent_expr *where; /* boolean or NULL */
	struct ent_expr **group;
	size_t n_group;
	bool aggregate; /* GROUP BY present or any aggregate used */
	struct ent_item *items;
	size_t n_items;
	struct ent_expr *having;
	struct ent_order *order;
	size_t n_order;
	int64_t limit, offset; /* limit -1: none */
};

#define ENT_SQL_BYTES_MAX 16384
#define ENT_SQL_DEPTH_MAX 200
#define ENT_SQL_RELS_MAX 16

/* Parses one SELECT in PostgreSQL's grammar and binds it. default_org: organisation for table names without one (may be NULL).
 * Runs libpg_query on a thread of its own with a 64 MiB stack. ENT_ESQL (syntax, unknown names with the nearest), ENT_EUNSUPPORTED (by name). */
int ent_sql_bind(struct ent_arena *arena, struct ent_bytes sql, const struct ent_catalogue *catalogue, const char *default_org,
		 struct ent_query **ret, struct ent_err *err);
/* The canonical JSON of a bound query (new reference): same meaning and same catalogue, same bytes. Part of every plan hash. */
int ent_query_json(const struct ent_query *q, json_t **ret, struct ent_err *err);
/* The same of one expression of q's block (NULL gives null), and of q's selection alone: FROM with its subqueries, joins and WHERE. */
int ent_expr_json(const struct ent_query *q, const struct ent_expr *e, json_t **ret, struct ent_err *err);
int ent_query_selection_json(const struct ent_query *q, json_t **ret, struct ent_err *err);
/* Calls fn for every node below and including e, parents first. */
void ent_expr_walk(const struct ent_expr *e, void (*fn)(void *arg, const struct ent_expr *e), void *arg);
bool ent_expr_eq(const struct ent_expr *a, const struct ent_expr *b);
const char *ent_op_text(enum ent_op op);
const char *ent_agg_text(enum ent_agg agg);
const char *ent_part_text(enum ent_part part);

/* Printers: an expression or a whole single-owner block in one store's SQL; constants become parameters $n. */
enum ent_dialect { ENT_DIALECT_POSTGRESQL, ENT_DIALECT_DUCKDB };
struct ent_printed_param {
	struct ent_type type;
	const struct ent_expr *value;
};
struct ent_printed {
	struct ent_buf text;
	struct ent_printed_param *params; /* in the arena */
	size_t n_params;
};
/* A parameter's value as the connector ABI carries it (struct ent_param): canonical text, NULL for NULL. */
int ent_sql_param_text(struct ent_arena *arena, const struct ent_expr *value, const char **ret, struct ent_err *err);
/* The text belongs to the caller (ent_buf_deinit), untouched on failure; params live in the arena.
 * column_name(arg, rel, column): how a column is spelled (already quoted). */
int ent_sql_print_expr(struct ent_arena *arena, const struct ent_expr *e, enum ent_dialect dialect,
		       const char *(*column_name)(void *arg, uint16_t rel, uint16_t column), void *arg, struct ent_printed *out, struct ent_err *err);
/* A whole query whose tables all belong to one owner. relation(arg, table): text for FROM. */
int ent_sql_print_query(struct ent_arena *arena, const struct ent_query *q, enum ent_dialect dialect,
			const char *(*relation)(void *arg, const struct ent_table *t), void *arg, struct ent_printed *out, struct ent_err *err);
bool ent_dialect_by_name(const char *name, enum ent_dialect *ret);
void ent_sql_quote(struct ent_buf *out, const char *identifier); /* "x""y" */
#endif
