/* What must hold in every bound query, whatever the text was: sql_broken returns the first broken rule, or NULL. */
#ifndef ENT_TEST_SQL_CHECK_H
#define ENT_TEST_SQL_CHECK_H
#include "sql/query.h"

static const int sql_op_args[] = {
#define SQL_OP_ARGS(name, text, args) args,
	ENT_OP_MAP(SQL_OP_ARGS)
#undef SQL_OP_ARGS
};

static bool sql_type_known(struct ent_type t)
{
	return (int)t.id >= 0 && t.id < ENT_T_COUNT && (t.id != ENT_T_DECIMAL || (t.precision >= 1 && t.precision <= 38 && t.scale <= 38));
}

static bool sql_comparison(enum ent_op op) { return op >= ENT_OP_EQ && op <= ENT_OP_GE; }

static const char *sql_call_broken(const struct ent_expr *e)
{
	int want = sql_op_args[e->op];
	if (want >= 0 ? e->n_args != (size_t)want : e->n_args < 1)
		return "an operator has the wrong number of arguments";
	if (sql_comparison(e->op) && (!ent_type_eq(e->args[0]->type, e->args[1]->type) || e->type.id != ENT_T_BOOL))
		return "a comparison of two types";
	for (size_t i = 0; i < e->n_args; i++) {
		if ((e->op == ENT_OP_AND || e->op == ENT_OP_OR || e->op == ENT_OP_NOT) && e->args[i]->type.id != ENT_T_BOOL)
			return "logic over something that is not boolean";
		if ((e->op == ENT_OP_COALESCE || e->op == ENT_OP_NULLIF) && !ent_type_eq(e->args[i]->type, e->type))
			return "a choice between types";
		if (e->op == ENT_OP_IN && !ent_type_eq(e->args[i]->type, e->args[0]->type))
			return "IN over types";
	}
	if (e->op == ENT_OP_CAST && ent_type_eq(e->type, e->args[0]->type))
		return "a cast to the same type";
	if ((e->op == ENT_OP_EXTRACT || e->op == ENT_OP_DATE_TRUNC) != (e->part != ENT_PART_NONE))
		return "a unit missing or too many";
	return NULL;
}

static const char *sql_expr_broken(const struct ent_query *q, const struct ent_expr *e, size_t n_rels, bool aggregates)
{
	if (!e)
		return "an expression is missing";
	if (!sql_type_known(e->type))
		return "a mark of the binder is left";
	if (e->kind == ENT_X_COLUMN &&
	    (e->rel >= n_rels || e->column >= q->rels[e->rel].n_columns || !ent_type_eq(e->type, q->rels[e->rel].columns[e->column].type)))
		return "a column of no relation, or of another type";
	if (e->kind == ENT_X_CONST && !e->is_null && (e->type.id == ENT_T_TEXT) != (e->text != NULL))
		return "a constant without its text";
	if (e->kind == ENT_X_AGG && !aggregates)
		return "an aggregate where none may stand";
	if (e->kind == ENT_X_CASE && (e->n_args < 3 || e->n_args % 2 == 0))
		return "a CASE without ELSE";
	const char *broken = e->kind == ENT_X_CALL ? sql_call_broken(e) : NULL;
	for (size_t i = 0; !broken && i < e->n_args; i++)
		broken = sql_expr_broken(q, e->args[i], n_rels, aggregates && e->kind != ENT_X_AGG);
	if (!broken && e->filter)
		broken = sql_expr_broken(q, e->filter, n_rels, false);
	return broken;
}

static const char *sql_broken(const struct ent_query *q);

static const char *sql_rel_broken(const struct ent_query *q, size_t r)
{
	const struct ent_rel *rel = &q->rels[r];
	const char *broken = NULL;
	if ((rel->join == ENT_JOIN_FIRST) != (r == 0) || (r && !rel->n_keys))
		return "a relation without its join";
	if ((rel->kind == ENT_REL_TABLE) != (rel->table != NULL) || (rel->kind == ENT_REL_QUERY && rel->n_branches != 1) ||
	    (rel->kind == ENT_REL_UNION && rel->n_branches < 2))
		return "a relation of no kind";
	for (size_t i = 0; !broken && i < rel->n_branches; i++)
		broken = sql_broken(rel->branches[i]);
	for (size_t i = 0; !broken && i < rel->n_keys; i++) {
		broken = sql_expr_broken(q, rel->left_keys[i], r, false);
		broken = broken ? broken : sql_expr_broken(q, rel->right_keys[i], r + 1, false);
		if (!broken && !ent_type_eq(rel->left_keys[i]->type, rel->right_keys[i]->type))
			broken = "join keys of two types";
	}
	return broken || !rel->on ? broken : sql_expr_broken(q, rel->on, r + 1, false);
}

static const char *sql_broken(const struct ent_query *q)
{
	const char *broken = q->n_rels ? NULL : "no relation";
	for (size_t r = 0; !broken && r < q->n_rels; r++)
		broken = sql_rel_broken(q, r);
	if (!broken && q->where)
		broken = q->where->type.id == ENT_T_BOOL ? sql_expr_broken(q, q->where, q->n_rels, false) : "a WHERE that is not boolean";
	for (size_t i = 0; !broken && i < q->n_group; i++)
		broken = sql_expr_broken(q, q->group[i], q->n_rels, false);
	for (size_t i = 0; !broken && i < q->n_items; i++)
		broken = sql_expr_broken(q, q->items[i].expr, q->n_rels, q->aggregate);
	if (!broken && q->having)
		broken = sql_expr_broken(q, q->having, q->n_rels, true);
	for (size_t i = 0; !broken && i < q->n_order; i++)
		broken = q->order[i].item < q->n_items ? NULL : "an order by nothing";
	return broken;
}
#endif
