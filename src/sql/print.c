/* Expressions in an owner's SQL. One template per operator and dialect: an operator without a row cannot be printed, so nothing but this
 * allow-list ever reaches a database. Constants are parameters; equal ones share a number. */
#include "sql/print.h"

#include <stdlib.h>

static const char *const type_names[ENT_T_COUNT][2] = {
	[ENT_T_BOOL] = { "boolean", "BOOLEAN" },
	[ENT_T_INT16] = { "smallint", "SMALLINT" },
	[ENT_T_INT32] = { "integer", "INTEGER" },
	[ENT_T_INT64] = { "bigint", "BIGINT" },
	[ENT_T_DECIMAL] = { "numeric", "DECIMAL" },
	[ENT_T_REAL] = { "real", "REAL" },
	[ENT_T_DOUBLE] = { "double precision", "DOUBLE" },
	[ENT_T_DATE] = { "date", "DATE" },
	[ENT_T_TIMESTAMP] = { "timestamp without time zone", "TIMESTAMP" },
	[ENT_T_TIMESTAMPTZ] = { "timestamp with time zone", "TIMESTAMPTZ" },
	[ENT_T_TEXT] = { "text", "VARCHAR" },
};

void ent_printer_init(struct ent_printer *p, struct ent_arena *arena, enum ent_dialect dialect, struct ent_err *err)
{
	*p = (struct ent_printer){ .arena = arena, .err = err, .dialect = dialect };
	ent_buf_init(&p->text, ENT_SQL_PRINT_MAX);
}

int ent_printer_done(struct ent_printer *p, struct ent_printed *out)
{
	int code = ent_buf_check(&p->text, p->err);
	if (code) {
		ent_buf_deinit(&p->text);
		return code;
	}
	*out = (struct ent_printed){ .text = p->text, .params = p->params, .n_params = p->n_params };
	return 0;
}

void ent_print(struct ent_printer *p, const char *s) { ent_buf_str(&p->text, s); }
void ent_print_n(struct ent_printer *p, const char *letter, size_t n) { ent_buf_printf(&p->text, "%s%zu", letter, n); }

const char *ent_print_type(struct ent_printer *p, struct ent_type t)
{
	const char *name = type_names[t.id][p->dialect];
	const char *full = t.id == ENT_T_DECIMAL ? ent_arena_printf(p->arena, "%s(%u,%u)", name, t.precision, t.scale) : name;
	return full ? full : "";
}

void ent_sql_quote(struct ent_buf *out, const char *identifier)
{
	ent_buf_u8(out, '"');
	for (const char *s = identifier; *s; s++) {
		if (*s == '"')
			ent_buf_u8(out, '"');
		ent_buf_u8(out, (uint8_t)*s);
	}
	ent_buf_u8(out, '"');
}

bool ent_dialect_by_name(const char *name, enum ent_dialect *ret)
{
	bool pg = !strcmp(name, "postgresql"), duck = !strcmp(name, "duckdb");
	if (pg || duck)
		*ret = pg ? ENT_DIALECT_POSTGRESQL : ENT_DIALECT_DUCKDB;
	return pg || duck;
}

static int param_number(struct ent_printer *p, const struct ent_expr *e, size_t *ret)
{
	for (*ret = 0; *ret < p->n_params; (*ret)++)
		if (ent_expr_eq(p->params[*ret].value, e))
			return 0;
	if (p->n_params == p->cap_params) {
		size_t cap = p->cap_params ? 2 * p->cap_params : 16;
		struct ent_printed_param *params = ENT_NEWS(p->arena, cap, struct ent_printed_param);
		if (!params)
			return ent_nomem(p->err);
		if (p->n_params)
			memcpy(params, p->params, p->n_params * sizeof *params);
		p->params = params;
		p->cap_params = cap;
	}
	p->params[p->n_params++] = (struct ent_printed_param){ e->type, e };
	return 0;
}

/* Text is compared by bytes: every text starts with PostgreSQL's "C" collation and keeps it. */
static bool collates(const struct ent_printer *p, struct ent_type t)
{
#ifdef ENT_MUTANT_SQL_TEXT_BY_LANGUAGE
	return false;
#endif
	return t.id == ENT_T_TEXT && ent_printer_pg(p);
}

static void open_cast(struct ent_printer *p, struct ent_type t) { ent_print(p, collates(p, t) ? "(CAST(" : "CAST("); }

static void close_cast(struct ent_printer *p, struct ent_type t)
{
	ent_buf_printf(&p->text, " AS %s)%s", ent_print_type(p, t), collates(p, t) ? " COLLATE \"C\")" : "");
}

int ent_print_column_cast(struct ent_printer *p, const char *spelled, struct ent_type t)
{
	open_cast(p, t);
	ent_print(p, spelled);
	close_cast(p, t);
	return 0;
}

static int print_const(struct ent_printer *p, const struct ent_expr *e)
{
	size_t n = 0;
	open_cast(p, e->type);
	if (e->is_null) {
		ent_print(p, "NULL");
	} else {
		ENT_TRY(param_number(p, e, &n));
		ent_print_n(p, "$", n + 1);
	}
	close_cast(p, e->type);
	return 0;
}

static int print_case(struct ent_printer *p, const struct ent_expr *e)
{
	ent_print(p, "CASE");
	for (size_t i = 0; i + 1 < e->n_args; i += 2) {
		ent_print(p, " WHEN ");
		ENT_TRY(ent_print_expr(p, e->args[i]));
		ent_print(p, " THEN ");
		ENT_TRY(ent_print_expr(p, e->args[i + 1]));
	}
	ent_print(p, " ELSE ");
	ENT_TRY(ent_print_expr(p, e->args[e->n_args - 1]));
	ent_print(p, " END");
	return 0;
}

static int print_list(struct ent_printer *p, const struct ent_expr *e, size_t from, const char *between)
{
	for (size_t i = from; i < e->n_args; i++) {
		ent_print(p, i > from ? between : "");
		ENT_TRY(ent_print_expr(p, e->args[i]));
	}
	return 0;
}

int ent_print_form(struct ent_printer *p, const struct ent_expr *e, const char *form)
{
	for (const char *s = form; *s; s++) {
		if (*s != '%') {
			ent_buf_u8(&p->text, (uint8_t)*s);
			continue;
		}
		s++;
		if (*s == 't')
			ent_print(p, ent_print_type(p, e->type));
		else if (*s == 'u')
			ent_print(p, ent_part_text(e->part));
		else if (*s == 'a' || *s == 'o')
			ENT_TRY(print_list(p, e, 0, *s == 'a' ? " AND " : " OR "));
		else if (*s == ',')
			ENT_TRY(print_list(p, e, 0, ", "));
		else if (*s == '+')
			ENT_TRY(print_list(p, e, 1, ", "));
		else if (*s == 'w')
			ent_print(p, ent_print_type(p, ent_sql_decimal(19, e->args[0]->type.scale)));
		else if (*s == '#') /* engines want a literal here */
			ent_buf_printf(&p->text, "%d", (int)e->args[1]->value);
		else if (*s == '%')
			ent_print(p, "%");
		else
			ENT_TRY(ent_print_expr(p, e->args[*s - '0']));
	}
	return 0;
}

/* What both dialects mean alike. Decimal results are cast, so that no engine's own digit rules show. */
static const char *const forms[ENT_OP_COUNT] = {
	[ENT_OP_ADD] = "(%0 + %1)",
	[ENT_OP_SUB] = "(%0 - %1)",
	[ENT_OP_MUL] = "(%0 * %1)",
	[ENT_OP_DIV] = "(%0 / %1)",
	[ENT_OP_MOD] = "(%0 %% %1)",
	[ENT_OP_NEG] = "(- %0)",
	[ENT_OP_ABS] = "abs(%0)",
	[ENT_OP_EQ] = "(%0 = %1)",
	[ENT_OP_NE] = "(%0 <> %1)",
	[ENT_OP_LT] = "(%0 < %1)",
	[ENT_OP_LE] = "(%0 <= %1)",
	[ENT_OP_GT] = "(%0 > %1)",
	[ENT_OP_GE] = "(%0 >= %1)",
	[ENT_OP_AND] = "(%a)",
	[ENT_OP_OR] = "(%o)",
	[ENT_OP_NOT] = "(NOT %0)",
	[ENT_OP_IS_NULL] = "(%0 IS NULL)",
	[ENT_OP_IN] = "(%0 IN (%+))",
	[ENT_OP_LIKE] = "(%0 LIKE %1 ESCAPE '\\')",
	[ENT_OP_COALESCE] = "coalesce(%,)",
	[ENT_OP_NULLIF] = "nullif(%0, %1)",
	[ENT_OP_FLOOR] = "floor(%0)",
	[ENT_OP_CEIL] = "ceil(%0)",
	[ENT_OP_ROUND] = "round(%0, %#)",
	[ENT_OP_LOWER] = "lower(%0)",
	[ENT_OP_UPPER] = "upper(%0)",
	[ENT_OP_LENGTH] = "CAST(length(%0) AS %t)",
	[ENT_OP_SUBSTR] = "substr(%0, %1, %2)",
	[ENT_OP_CONCAT] = "(%0 || %1)",
	[ENT_OP_TRIM] = "btrim(%0, ' ')",
	[ENT_OP_EXTRACT] = "CAST(extract(%u FROM %0) AS %t)",
	[ENT_OP_DATE_TRUNC] = "date_trunc('%u', %0)",
};

#define LETTERS_UP "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LETTERS_LOW "abcdefghijklmnopqrstuvwxyz"

/* DuckDB computes two decimals of up to 18 digits in 64 bits even when the result needs more: one operand is made wider. */
static const char *duckdb_wide(const struct ent_expr *e)
{
	static const char *const wide[] = { "(CAST(%0 AS %w) + %1)", "(CAST(%0 AS %w) - %1)", "(CAST(%0 AS %w) * %1)" };
	bool small = e->op <= ENT_OP_MUL && e->type.id == ENT_T_DECIMAL && e->args[0]->type.precision <= 18 && e->args[1]->type.precision <= 18;
	return small && e->type.precision > 18 ? wide[e->op - ENT_OP_ADD] : NULL;
}

static const char *duckdb_form(const struct ent_expr *e)
{
	enum ent_type_id of = e->args[0]->type.id;
	if (e->op <= ENT_OP_MUL)
		return duckdb_wide(e);
	switch ((int)e->op) {
	case ENT_OP_DIV:
		return ent_type_is_int(e->type) ? "(%0 // %1)" : NULL;
	case ENT_OP_ROUND:
		return e->type.id == ENT_T_DOUBLE ? "round_even(%0, 0)" : NULL;
	case ENT_OP_LOWER:
		return "translate(%0, '" LETTERS_UP "', '" LETTERS_LOW "')";
	case ENT_OP_UPPER:
		return "translate(%0, '" LETTERS_LOW "', '" LETTERS_UP "')";
	case ENT_OP_TRIM:
		return "trim(%0, ' ')";
	case ENT_OP_EXTRACT:
		if (e->part == ENT_PART_SECOND)
			return of == ENT_T_TIMESTAMPTZ
				       ? "CAST(CAST(extract(microsecond FROM make_timestamp(epoch_us(%0))) AS DECIMAL(8,0)) * 0.000001 AS %t)"
				       : "CAST(CAST(extract(microsecond FROM %0) AS DECIMAL(8,0)) * 0.000001 AS %t)";
		return of == ENT_T_TIMESTAMPTZ ? "CAST(extract(%u FROM make_timestamp(epoch_us(%0))) AS %t)" : NULL;
	case ENT_OP_DATE_TRUNC:
		return of == ENT_T_TIMESTAMPTZ ? "make_timestamptz(epoch_us(CAST(date_trunc('%u', make_timestamp(epoch_us(%0))) AS TIMESTAMP)))"
					       : "CAST(date_trunc('%u', %0) AS %t)";
	case ENT_OP_DATE_ADD:
		return of == ENT_T_DATE        ? "(%0 + CAST(%1 AS INTEGER))"
		       : of == ENT_T_TIMESTAMP ? "make_timestamp(epoch_us(%0) + %1)"
					       : "make_timestamptz(epoch_us(%0) + %1)";
	case ENT_OP_DATE_SUB:
		return of == ENT_T_DATE ? "CAST(%0 - %1 AS INTEGER)" : "(epoch_us(%0) - epoch_us(%1))";
	default:
		return NULL;
	}
}

static const char *postgresql_form(const struct ent_expr *e)
{
	enum ent_type_id of = e->args[0]->type.id;
	switch ((int)e->op) {
	case ENT_OP_ROUND:
		return e->type.id == ENT_T_DOUBLE ? "round(%0)" : NULL;
	case ENT_OP_EXTRACT:
		return of == ENT_T_TIMESTAMPTZ ? "CAST(extract(%u FROM %0 AT TIME ZONE 'UTC') AS %t)" : NULL;
	case ENT_OP_DATE_TRUNC:
		return of == ENT_T_TIMESTAMPTZ ? "(date_trunc('%u', %0 AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')" : NULL;
	case ENT_OP_DATE_ADD:
		return of == ENT_T_DATE ? "(%0 + CAST(%1 AS integer))" : "(%0 + CAST(%1 AS double precision) * INTERVAL '1 microsecond')";
	case ENT_OP_DATE_SUB:
		return of == ENT_T_DATE ? "(%0 - %1)" : "CAST(extract(epoch FROM %0) * 1000000 - extract(epoch FROM %1) * 1000000 AS bigint)";
	default:
		return NULL;
	}
}

static bool wants_cast(const struct ent_expr *e)
{
	bool numeric = e->op <= ENT_OP_ABS || e->op == ENT_OP_FLOOR || e->op == ENT_OP_CEIL || e->op == ENT_OP_ROUND;
	return numeric && e->type.id == ENT_T_DECIMAL;
}

static int print_call(struct ent_printer *p, const struct ent_expr *e)
{
	const char *form = ent_printer_pg(p) ? postgresql_form(e) : duckdb_form(e);
	if (e->op == ENT_OP_CAST)
		return ent_print_cast(p, e);
	form = form ? form : forms[e->op];
	if (!form)
		return ent_fail(p->err, ENT_EINTERNAL, "no spelling for operator %s", ent_op_text(e->op));
	bool cast = wants_cast(e);
	ent_print(p, cast ? "CAST(" : "");
	ENT_TRY(ent_print_form(p, e, form));
	if (cast)
		ent_buf_printf(&p->text, " AS %s)", ent_print_type(p, e->type));
	return 0;
}

int ent_print_expr(struct ent_printer *p, const struct ent_expr *e)
{
	int code = 0;
	if (p->computed && p->computed(p, e, &code))
		return code;
	ENT_TRY(p->text.code ? ent_buf_check(&p->text, p->err) : 0);
	switch (e->kind) {
	case ENT_X_COLUMN:
		return p->column(p, e);
	case ENT_X_CONST:
		return print_const(p, e);
	case ENT_X_CASE:
		return print_case(p, e);
	case ENT_X_CALL:
		return print_call(p, e);
	case ENT_X_AGG:
		break;
	}
	return ent_fail(p->err, ENT_EINTERNAL, "an aggregate outside its query");
}

struct naming {
	const char *(*name)(void *arg, uint16_t rel, uint16_t column);
	void *arg;
};

static int named_column(struct ent_printer *p, const struct ent_expr *e)
{
	const struct naming *n = p->column_arg;
	return ent_print_column_cast(p, n->name(n->arg, e->rel, e->column), e->type);
}

int ent_sql_print_expr(struct ent_arena *arena, const struct ent_expr *e, enum ent_dialect dialect,
		       const char *(*column_name)(void *arg, uint16_t rel, uint16_t column), void *arg, struct ent_printed *out, struct ent_err *err)
{
	struct ent_printer p;
	struct naming n = { column_name, arg };
	ent_printer_init(&p, arena, dialect, err);
	p.column = named_column;
	p.column_arg = &n;
	int code = ent_print_expr(&p, e);
	if (code) {
		ent_buf_deinit(&p.text);
		return code;
	}
	return ent_printer_done(&p, out);
}
