/* Typed expression nodes: nullability is derived here, constants are folded here, so no caller can forget either. */
#include "sql/internal.h"

int ent_sql_node(struct ent_sql *x, enum ent_expr_kind kind, enum ent_type_id type, struct ent_expr **ret)
{
	if (++x->nodes > ENT_SQL_NODES_MAX) {
		ent_fail(x->err, ENT_ESQL, "the statement grows beyond %d expression nodes", ENT_SQL_NODES_MAX);
		return ent_next(x->err, "name fewer columns, or use a CTE fewer times"), ENT_ESQL;
	}
	struct ent_expr *e = ENT_NEW(x->arena, struct ent_expr);
	if (!e)
		return ent_nomem(x->err);
	e->kind = kind;
	e->type.id = type;
	*ret = e;
	return 0;
}

int ent_sql_const(struct ent_sql *x, struct ent_type type, int64_t value, struct ent_expr **ret)
{
	ENT_TRY(ent_sql_node(x, ENT_X_CONST, type.id, ret));
	(*ret)->type = type;
	(*ret)->value = value;
	return 0;
}

int ent_sql_const_real(struct ent_sql *x, enum ent_type_id id, double value, struct ent_expr **ret)
{
	ENT_TRY(ent_sql_node(x, ENT_X_CONST, id, ret));
	(*ret)->real = id == ENT_T_REAL ? (double)(float)value : value;
	return 0;
}

int ent_sql_const_text(struct ent_sql *x, const char *text, enum ent_type_id id, struct ent_expr **ret)
{
	ENT_TRY(ent_sql_node(x, ENT_X_CONST, id, ret));
	(*ret)->text = ent_arena_dup(x->arena, text);
	return (*ret)->text ? 0 : ent_nomem(x->err);
}

int ent_sql_null(struct ent_sql *x, struct ent_type type, struct ent_expr **ret)
{
	ENT_TRY(ent_sql_const(x, type, 0, ret));
	(*ret)->is_null = (*ret)->nullable = true;
	return 0;
}

static bool call_nullable(enum ent_op op, struct ent_expr *const *args, size_t n)
{
	bool any = false, all = true;
	for (size_t i = 0; i < n; i++) {
		any |= args[i]->nullable;
		all &= args[i]->nullable;
	}
	return op == ENT_OP_IS_NULL ? false : op == ENT_OP_NULLIF ? true : op == ENT_OP_COALESCE ? all : any;
}

static int args_copy(struct ent_sql *x, struct ent_expr *e, struct ent_expr **args, size_t n)
{
	e->args = ENT_NEWS(x->arena, n ? n : 1, struct ent_expr *);
	if (!e->args)
		return ent_nomem(x->err);
	for (size_t i = 0; i < n; i++)
		e->args[i] = args[i];
	e->n_args = n;
	return 0;
}

int ent_sql_call(struct ent_sql *x, enum ent_op op, struct ent_type type, struct ent_expr **args, size_t n_args, int place, struct ent_expr **ret)
{
	struct ent_expr *e;
	ENT_TRY(ent_sql_node(x, ENT_X_CALL, type.id, &e));
	ENT_TRY(args_copy(x, e, args, n_args));
	e->type = type;
	e->op = op;
	e->nullable = call_nullable(op, args, n_args);
	return ent_sql_fold(x, e, place, ret);
}

int ent_sql_call1(struct ent_sql *x, enum ent_op op, struct ent_type type, struct ent_expr *a, int place, struct ent_expr **ret)
{
	return ent_sql_call(x, op, type, &a, 1, place, ret);
}

int ent_sql_call2(struct ent_sql *x, enum ent_op op, struct ent_type type, struct ent_expr *a, struct ent_expr *b, int place, struct ent_expr **ret)
{
	struct ent_expr *args[] = { a, b };
	return ent_sql_call(x, op, type, args, 2, place, ret);
}

int ent_sql_call_part(struct ent_sql *x, enum ent_op op, enum ent_part part, struct ent_type type, struct ent_expr *a, struct ent_expr **ret)
{
	struct ent_expr *e;
	ENT_TRY(ent_sql_call1(x, op, type, a, -1, &e));
	if (e->kind == ENT_X_CALL)
		e->part = part;
	*ret = e;
	return 0;
}

int ent_sql_not(struct ent_sql *x, struct ent_expr *a, struct ent_expr **ret)
{
	return ent_sql_call1(x, ENT_OP_NOT, ent_sql_type(ENT_T_BOOL), a, -1, ret);
}

/* Branches that never fire go; a branch that always fires ends the list. args: when1, then1, ..., else. */
int ent_sql_case(struct ent_sql *x, struct ent_type type, struct ent_expr **args, size_t n_args, struct ent_expr **ret)
{
	size_t n = 0;
	struct ent_expr *otherwise = args[n_args - 1], *e;
	for (size_t i = 0; i + 1 < n_args; i += 2) {
		if (ent_sql_is_const(args[i]) && (args[i]->is_null || !args[i]->value))
			continue;
		if (ent_sql_is_const(args[i])) {
			otherwise = args[i + 1];
			break;
		}
		args[n++] = args[i];
		args[n++] = args[i + 1];
	}
	if (!n) {
		*ret = otherwise;
		return 0;
	}
	args[n++] = otherwise;
	ENT_TRY(ent_sql_node(x, ENT_X_CASE, type.id, &e));
	ENT_TRY(args_copy(x, e, args, n));
	e->type = type;
	for (size_t i = 1; i < n; i += 2)
		e->nullable |= args[i]->nullable;
	e->nullable |= otherwise->nullable;
	*ret = e;
	return 0;
}
