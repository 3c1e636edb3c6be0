/* Which expressions an owner computes alone in its own SQL, what their values can be at most, and how they read over the base table. */
#include "joint/plan.h"

struct rel_scan {
	uint16_t rel;
	size_t columns;
	bool several;
};

static void scan_rel(void *arg, const struct ent_expr *e)
{
	struct rel_scan *s = arg;
	if (e->kind != ENT_X_COLUMN)
		return;
	if (s->columns && s->rel != e->rel)
		s->several = true;
	s->rel = e->rel;
	s->columns++;
}

bool ent_joint_expr_rel(const struct ent_expr *e, uint16_t *ret_rel)
{
	struct rel_scan s = { 0 };
	ent_expr_walk(e, scan_rel, &s);
	*ret_rel = s.rel;
	return s.columns && !s.several;
}

static bool strict_op(enum ent_op op)
{
	switch (op) {
	case ENT_OP_AND:
	case ENT_OP_OR:
	case ENT_OP_IS_NULL:
	case ENT_OP_COALESCE:
	case ENT_OP_NULLIF:
	case ENT_OP_COUNT:
		return false;
	default:
		return true;
	}
}

static bool has_column(const struct ent_expr *e)
{
	struct rel_scan s = { 0 };
	ent_expr_walk(e, scan_rel, &s);
	return s.columns > 0;
}

/* NULL whenever the columns in it are NULL: so a LEFT JOIN may turn it to NULL after the owner computed it. */
static bool strict(const struct ent_expr *e)
{
	if (e->kind == ENT_X_COLUMN)
		return true;
	if (e->kind != ENT_X_CALL || !strict_op(e->op))
		return false;
	bool any = false;
	for (size_t i = 0; i < e->n_args; i++) {
		if (!has_column(e->args[i]))
			continue;
		if (!strict(e->args[i]))
			return false;
		any = true;
	}
	return any;
}

static bool bare(const struct ent_expr *e)
{
	while (e->kind == ENT_X_CALL && e->op == ENT_OP_CAST)
		e = e->args[0];
	return e->kind == ENT_X_COLUMN;
}

/* Without push-down only what MPC cannot do stays with the owner: texts, floats, dates' parts, division. */
static bool mpc_can(const struct ent_expr *e)
{
	if (e->kind == ENT_X_COLUMN || e->kind == ENT_X_CONST)
		return e->type.id != ENT_T_TEXT && !ent_type_is_float(e->type);
	if (e->kind != ENT_X_CALL)
		return false;
	for (size_t i = 0; i < e->n_args; i++)
		if (!mpc_can(e->args[i]))
			return false;
	return e->op == ENT_OP_AND || e->op == ENT_OP_OR || e->op == ENT_OP_NOT || (e->op >= ENT_OP_EQ && e->op <= ENT_OP_GE) ||
	       e->op == ENT_OP_IS_NULL || e->op == ENT_OP_IN;
}

bool ent_joint_pushable(const struct ent_joint_plan *p, const struct ent_expr *e, uint16_t *ret_rel)
{
	if (!ent_joint_expr_rel(e, ret_rel))
		return false;
	if (p->rels[*ret_rel].nullable && !strict(e))
		return false;
	return p->in.pushdown || bare(e) || !mpc_can(e);
}

static const struct ent_column *base_column(const struct ent_joint_plan *p, const struct ent_expr *e, size_t source, const struct ent_expr **ret_expr)
{
	const struct ent_jsource *s = &p->sources[source];
	const struct ent_expr *x = s->columns ? s->columns[e->column] : NULL;
	*ret_expr = x;
	if (!x)
		return &s->table->columns[e->column];
	return NULL;
}

static bool nullable_over(const struct ent_expr *e, bool (*column)(const void *arg, const struct ent_expr *e), const void *arg)
{
	if (e->kind == ENT_X_CONST)
		return e->is_null;
	if (e->kind == ENT_X_COLUMN)
		return column(arg, e);
	if (e->kind == ENT_X_CASE) {
		for (size_t i = 1; i < e->n_args; i += 2)
			if (nullable_over(e->args[i], column, arg))
				return true;
		return nullable_over(e->args[e->n_args - 1], column, arg);
	}
	if (e->kind != ENT_X_CALL || e->op == ENT_OP_NULLIF || (e->op == ENT_OP_CAST && e->args[0]->type.id == ENT_T_TEXT))
		return true;
	if (e->op == ENT_OP_IS_NULL)
		return false;
	bool all = e->n_args > 0, any = false;
	for (size_t i = 0; i < e->n_args; i++) {
		bool n = nullable_over(e->args[i], column, arg);
		all = all && n;
		any = any || n;
	}
	return e->op == ENT_OP_COALESCE ? all : any;
}

static bool table_column_nullable(const void *arg, const struct ent_expr *e)
{
	const struct ent_table *t = arg;
	return t->columns[e->column].nullable;
}

static bool rel_column_nullable(const void *arg, const struct ent_expr *e)
{
	const struct ent_joint_plan *p = arg;
	const struct ent_jrel *r = &p->rels[e->rel];
	for (size_t i = 0; i < r->n_sources; i++) {
		const struct ent_expr *inner;
		const struct ent_column *c = base_column(p, e, r->first_source + i, &inner);
		if (c ? c->nullable : nullable_over(inner, table_column_nullable, p->sources[r->first_source + i].table))
			return true;
	}
	return false;
}

bool ent_joint_expr_nullable(const struct ent_joint_plan *p, const struct ent_expr *e) { return nullable_over(e, rel_column_nullable, p); }

static unsigned type_bits(struct ent_type t)
{
	static const uint8_t decimal[] = { 1, 4, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40, 44, 47, 50, 54, 57, 60 };
	switch (t.id) {
	case ENT_T_BOOL:
		return 1;
	case ENT_T_INT16:
		return 15;
	case ENT_T_INT32:
	case ENT_T_DATE:
		return 31;
	case ENT_T_DECIMAL:
		return t.precision <= 18 ? decimal[t.precision] : 63;
	case ENT_T_REAL:
	case ENT_T_DOUBLE:
		return 0;
	case ENT_T_INT64:
	case ENT_T_TIMESTAMP:
	case ENT_T_TIMESTAMPTZ:
	case ENT_T_TEXT:
	case ENT_T_UINT64:
	case ENT_T_TIME:
	case ENT_T_BINARY:
	case ENT_T_COUNT:
		break;
	}
	return 63;
}

struct bits_ctx {
	const struct ent_joint_plan *p; /* relation columns, or */
	const struct ent_table *table;  /* base columns */
};

static unsigned magnitude(struct bits_ctx c, const struct ent_expr *e);

static unsigned column_bits(struct bits_ctx c, const struct ent_expr *e)
{
	if (c.table)
		return c.table->columns[e->column].bound_bits;
	const struct ent_jrel *r = &c.p->rels[e->rel];
	unsigned most = 0;
	for (size_t i = 0; i < r->n_sources; i++) {
		const struct ent_expr *inner;
		const struct ent_column *col = base_column(c.p, e, r->first_source + i, &inner);
		unsigned b = col ? col->bound_bits : magnitude((struct bits_ctx){ NULL, c.p->sources[r->first_source + i].table }, inner);
		if (!b)
			return 0;
		most = b > most ? b : most;
	}
	return most;
}

static unsigned const_bits(const struct ent_expr *e)
{
	double v = ent_type_is_float(e->type) ? e->real : (double)e->value;
	unsigned b = 1;
	for (v = v < 0 ? -v : v; v >= 1 && b < 63; v /= 2)
		b++;
	return b;
}

static unsigned max2(unsigned a, unsigned b) { return !a || !b ? 0 : a > b ? a : b; }

static unsigned pow10_bits(unsigned n) { return (n * 10 + 2) / 3 + 1; }

static unsigned cast_bits(const struct ent_expr *e, unsigned arg)
{
	const struct ent_type from = e->args[0]->type, to = e->type;
	if (!arg || from.id == ENT_T_TEXT)
		return 0;
	if (from.id == ENT_T_DECIMAL && ent_type_is_float(to))
		return arg;
	if (to.id == ENT_T_DECIMAL) {
		unsigned have = from.id == ENT_T_DECIMAL ? from.scale : 0;
		return to.scale > have ? arg + pow10_bits(to.scale - have) : arg;
	}
	return arg;
}

static unsigned call_bits(struct bits_ctx c, const struct ent_expr *e)
{
	unsigned a = e->n_args ? magnitude(c, e->args[0]) : 0, b = e->n_args > 1 ? magnitude(c, e->args[1]) : 0;
	switch (e->op) {
	case ENT_OP_ADD:
	case ENT_OP_SUB:
		return max2(a, b) ? max2(a, b) + 1 : 0;
	case ENT_OP_MUL:
		return a && b ? a + b : 0;
	case ENT_OP_NEG:
	case ENT_OP_ABS:
	case ENT_OP_NULLIF:
		return a;
	case ENT_OP_FLOOR:
	case ENT_OP_CEIL:
	case ENT_OP_ROUND:
		return a ? a + 1 : 0;
	case ENT_OP_CAST:
		return cast_bits(e, a);
	case ENT_OP_EXTRACT:
	case ENT_OP_LENGTH:
		return 31;
	case ENT_OP_COALESCE:
		for (size_t i = 1; i < e->n_args; i++)
			a = max2(a, magnitude(c, e->args[i]));
		return a;
	case ENT_OP_DIV: /* by a whole number other than zero the value does not grow; by NULLIF(x, 0) of integers neither */
		return ent_type_is_float(e->type) && !(e->args[1]->kind == ENT_X_CONST && e->args[1]->real * e->args[1]->real >= 1) ? 0 : a;
	case ENT_OP_MOD:
		return b;
	default:
		return 0;
	}
}

/* Aggregates of a subquery that its owner runs: counts up to the table's rows, sums of so many values. */
static unsigned agg_bits(struct bits_ctx c, const struct ent_expr *e)
{
	unsigned rows = ent_joint_log2(c.table ? (size_t)c.table->rows_padded + 1 : 1) + 1, arg = e->n_args ? magnitude(c, e->args[0]) : 0;
	if (e->agg == ENT_AGG_COUNT || e->agg == ENT_AGG_COUNT_STAR)
		return rows;
	return e->agg == ENT_AGG_SUM && arg ? arg + rows : arg;
}

static unsigned magnitude(struct bits_ctx c, const struct ent_expr *e)
{
	unsigned limit = type_bits(e->type), got = 0;
	if (e->type.id == ENT_T_BOOL)
		return 1;
	if (e->kind == ENT_X_CONST)
		got = e->is_null ? 1 : const_bits(e);
	else if (e->kind == ENT_X_COLUMN)
		got = column_bits(c, e);
	else if (e->kind == ENT_X_CASE) {
		got = magnitude(c, e->args[e->n_args - 1]);
		for (size_t i = 1; i < e->n_args; i += 2)
			got = max2(got, magnitude(c, e->args[i]));
	} else if (e->kind == ENT_X_AGG)
		got = agg_bits(c, e);
	else if (e->kind == ENT_X_CALL)
		got = call_bits(c, e);
	return !limit ? got : got && got < limit ? got : limit;
}

unsigned ent_joint_table_bits(const struct ent_table *t, const struct ent_expr *e) { return magnitude((struct bits_ctx){ NULL, t }, e); }

unsigned ent_joint_expr_bits(const struct ent_joint_plan *p, const struct ent_expr *e) { return magnitude((struct bits_ctx){ p, NULL }, e); }

struct ent_expr *ent_joint_subst(struct ent_arena *arena, const struct ent_jsource *s, const struct ent_expr *e)
{
	if (e->kind == ENT_X_COLUMN && s->columns)
		return s->columns[e->column];
	struct ent_expr *n = ENT_NEW(arena, struct ent_expr);
	if (!n)
		return NULL;
	*n = *e;
	if (e->kind == ENT_X_COLUMN)
		n->rel = 0;
	if (!e->n_args)
		return n;
	n->args = ENT_NEWS(arena, e->n_args, struct ent_expr *);
	for (size_t i = 0; n->args && i < e->n_args; i++)
		if (!(n->args[i] = ent_joint_subst(arena, s, e->args[i])))
			return NULL;
	return n->args ? n : NULL;
}
