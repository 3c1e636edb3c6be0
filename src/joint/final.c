/* The requester's part, in the clear: the SELECT list over opened labels and aggregates, HAVING, ORDER BY, LIMIT, and the Arrow batch. */
#include <math.h>
#include <stdlib.h>

#include "arrow/builder.h"
#include "joint/internal.h"

struct final {
	struct ent_arena *arena;
	const struct ent_joint_plan *p;
	const struct ent_opened *o;
	size_t row;
};

static int eval(const struct final *f, const struct ent_expr *e, struct ent_cell *ret, struct ent_err *err);

static double as_real(const struct ent_cell *c, struct ent_type t)
{
	if (ent_type_is_float(t))
		return c->real;
	return t.id == ENT_T_DECIMAL ? (double)((long double)c->wide / powl(10, t.scale)) : (double)c->wide;
}

int ent_cell_compare(const struct ent_cell *a, const struct ent_cell *b, struct ent_type t)
{
	if (t.id == ENT_T_TEXT) {
		size_t len = a->text.len < b->text.len ? a->text.len : b->text.len;
		int c = len ? memcmp(a->text.data, b->text.data, len) : 0;
		return c ? c : a->text.len < b->text.len ? -1 : a->text.len > b->text.len;
	}
	if (ent_type_is_float(t)) {
		uint64_t x = ent_joint_real_image(a->real), y = ent_joint_real_image(b->real);
		return x < y ? -1 : x > y;
	}
	return a->wide < b->wide ? -1 : a->wide > b->wide;
}

static int refuse(const struct ent_expr *e, struct ent_err *err)
{
	ent_fail(err, ENT_EUNSUPPORTED, "%s over aggregated columns", e->kind == ENT_X_CALL ? ent_op_text(e->op) : "an expression");
	return ent_next(err, "select the columns themselves and compute on the result");
}

static ent_i128 pow10_wide(unsigned n)
{
	ent_i128 v = 1;
	while (n--)
		v *= 10;
	return v;
}

/* Half away from zero, as PostgreSQL rounds decimals. */
static ent_i128 div_round(ent_i128 a, ent_i128 b)
{
	ent_i128 q = a / b, r = a % b;
	if ((r < 0 ? -r : r) * 2 >= (b < 0 ? -b : b))
		q += (a < 0) == (b < 0) ? 1 : -1;
	return q;
}

static unsigned scale_of(struct ent_type t) { return t.id == ENT_T_DECIMAL ? t.scale : 0; }

static ent_i128 rescale(ent_i128 v, unsigned from, unsigned to)
{
	return to >= from ? v * pow10_wide(to - from) : div_round(v, pow10_wide(from - to));
}

static int cast(const struct ent_expr *e, const struct ent_cell *a, struct ent_cell *ret, struct ent_err *err)
{
	struct ent_type from = e->args[0]->type, to = e->type;
	if (from.id == to.id && from.scale == to.scale) {
		*ret = *a;
	} else if (ent_type_is_float(to) && ent_type_is_number(from)) {
		ret->real = to.id == ENT_T_REAL ? (double)(float)as_real(a, from) : as_real(a, from);
	} else if (ent_type_is_float(from) && ent_type_is_int(to)) {
		if (!(fabs(a->real) < 0x1p63))
			return ent_fail(err, ENT_EDATA, "a value is out of range for its type");
		ret->wide = (int64_t)rint(a->real);
	} else if (ent_type_is_float(from) && to.id == ENT_T_DECIMAL) {
		ret->wide = (ent_i128)llround(a->real * pow(10, to.scale));
	} else if (ent_type_is_number(from) && ent_type_is_number(to)) {
		ret->wide = rescale(a->wide, scale_of(from), scale_of(to));
	} else if (from.id == ENT_T_DATE && to.id >= ENT_T_TIMESTAMP && to.id <= ENT_T_TIMESTAMPTZ) {
		ret->wide = a->wide * 86400000000;
	} else if (ent_type_is_time(from) && ent_type_is_time(to) && from.id != ENT_T_DATE && to.id != ENT_T_DATE) {
		*ret = *a;
	} else {
		return refuse(e, err);
	}
	return 0;
}

static int arithmetic_real(const struct ent_expr *e, double a, double b, struct ent_cell *ret, struct ent_err *err)
{
	if ((e->op == ENT_OP_DIV || e->op == ENT_OP_MOD) && b == 0)
		return ent_fail(err, ENT_EDATA, "division by zero in the SELECT list"), ent_next(err, "use NULLIF(divisor, 0)");
	ret->real = e->op == ENT_OP_ADD   ? a + b
		    : e->op == ENT_OP_SUB ? a - b
		    : e->op == ENT_OP_MUL ? a * b
		    : e->op == ENT_OP_DIV ? a / b
					  : fmod(a, b);
	return 0;
}

static int arithmetic_wide(const struct ent_expr *e, ent_i128 a, ent_i128 b, struct ent_cell *ret, struct ent_err *err)
{
	bool over = false;
	unsigned sa = scale_of(e->args[0]->type), sb = scale_of(e->args[1]->type), s = scale_of(e->type);
	if ((e->op == ENT_OP_DIV || e->op == ENT_OP_MOD) && !b)
		return ent_fail(err, ENT_EDATA, "division by zero in the SELECT list"), ent_next(err, "use NULLIF(divisor, 0)");
	if (e->op != ENT_OP_MUL) {
		unsigned common = sa > sb ? sa : sb;
		a = rescale(a, sa, common);
		b = rescale(b, sb, common);
		sa = common;
	}
	if (e->op == ENT_OP_ADD)
		over = __builtin_add_overflow(a, b, &ret->wide);
	else if (e->op == ENT_OP_SUB)
		over = __builtin_sub_overflow(a, b, &ret->wide);
	else if (e->op == ENT_OP_MUL)
		over = __builtin_mul_overflow(a, b, &ret->wide), sa += sb;
	else if (e->op == ENT_OP_DIV)
		ret->wide = a / b, sa = 0;
	else
		ret->wide = a % b;
	ret->wide = over ? 0 : rescale(ret->wide, sa, s);
	if (over || (e->type.id != ENT_T_DECIMAL && ret->wide != (int64_t)ret->wide))
		return ent_fail(err, ENT_EDATA, "a computed result column is out of range");
	return 0;
}

static int round_to(const struct ent_expr *e, const struct ent_cell *a, const struct ent_cell *n, struct ent_cell *ret)
{
	struct ent_type from = e->args[0]->type;
	int digits = n ? (int)n->wide : 0;
	if (ent_type_is_float(e->type)) {
		double v = as_real(a, from), by = pow(10, digits);
		ret->real = e->op == ENT_OP_FLOOR ? floor(v) : e->op == ENT_OP_CEIL ? ceil(v) : digits ? round(v * by) / by : rint(v);
		return 0;
	}
	ent_i128 unit = pow10_wide(scale_of(from)), v = a->wide;
	if (e->op == ENT_OP_ROUND) {
		int drop = (int)scale_of(from) - digits;
		ent_i128 by = drop > 0 && drop < 38 ? pow10_wide((unsigned)drop) : 1;
		v = div_round(v, by) * by;
	} else {
		ent_i128 q = v / unit;
		q -= e->op == ENT_OP_FLOOR && v % unit < 0;
		q += e->op == ENT_OP_CEIL && v % unit > 0;
		v = q * unit;
	}
	ret->wide = rescale(v, scale_of(from), scale_of(e->type));
	return 0;
}

static bool is_true(const struct ent_cell *c) { return !c->null && c->wide; }

static int eval_logic(const struct final *f, const struct ent_expr *e, struct ent_cell *ret, struct ent_err *err)
{
	bool stop = e->op == ENT_OP_OR;
	ret->wide = !stop;
	for (size_t i = 0; i < e->n_args; i++) {
		struct ent_cell a = { 0 };
		ENT_TRY(eval(f, e->args[i], &a, err));
		if (!a.null && (a.wide != 0) == stop) {
			*ret = (struct ent_cell){ .wide = stop };
			return 0;
		}
		ret->null = ret->null || a.null;
	}
	return 0;
}

static int eval_in(const struct final *f, const struct ent_expr *e, struct ent_cell *ret, struct ent_err *err)
{
	struct ent_cell x = { 0 };
	ENT_TRY(eval(f, e->args[0], &x, err));
	ret->null = x.null;
	for (size_t i = 1; i < e->n_args && !x.null; i++) {
		struct ent_cell a = { 0 };
		ENT_TRY(eval(f, e->args[i], &a, err));
		if (!a.null && !ent_cell_compare(&x, &a, e->args[0]->type)) {
			*ret = (struct ent_cell){ .wide = 1 };
			return 0;
		}
		ret->null = ret->null || a.null;
	}
	return 0;
}

static int eval_choice(const struct final *f, const struct ent_expr *e, struct ent_cell *ret, struct ent_err *err)
{
	if (e->kind == ENT_X_CASE) {
		for (size_t i = 0; i + 1 < e->n_args; i += 2) {
			struct ent_cell c = { 0 };
			ENT_TRY(eval(f, e->args[i], &c, err));
			if (is_true(&c))
				return eval(f, e->args[i + 1], ret, err);
		}
		return eval(f, e->args[e->n_args - 1], ret, err);
	}
	ret->null = true;
	for (size_t i = 0; i < e->n_args && ret->null; i++) {
		*ret = (struct ent_cell){ 0 };
		ENT_TRY(eval(f, e->args[i], ret, err));
	}
	return 0;
}

static int eval_strict(const struct ent_expr *e, const struct ent_cell *a, struct ent_cell *ret, struct ent_err *err)
{
	struct ent_type t = e->args[0]->type;
	int c = e->op >= ENT_OP_EQ && e->op <= ENT_OP_GE ? ent_cell_compare(&a[0], &a[1], t) : 0;
	switch (e->op) {
	case ENT_OP_EQ:
		ret->wide = c == 0;
		return 0;
	case ENT_OP_NE:
		ret->wide = c != 0;
		return 0;
	case ENT_OP_LT:
		ret->wide = c < 0;
		return 0;
	case ENT_OP_LE:
		ret->wide = c <= 0;
		return 0;
	case ENT_OP_GT:
		ret->wide = c > 0;
		return 0;
	case ENT_OP_GE:
		ret->wide = c >= 0;
		return 0;
	case ENT_OP_NOT:
		ret->wide = !a->wide;
		return 0;
	case ENT_OP_NEG:
		ret->wide = -a->wide;
		ret->real = -a->real;
		return 0;
	case ENT_OP_ABS:
		ret->wide = a->wide < 0 ? -a->wide : a->wide;
		ret->real = fabs(a->real);
		return 0;
	case ENT_OP_CAST:
		return cast(e, a, ret, err);
	case ENT_OP_FLOOR:
	case ENT_OP_CEIL:
	case ENT_OP_ROUND:
		return round_to(e, a, e->n_args > 1 ? &a[1] : NULL, ret);
	case ENT_OP_ADD:
	case ENT_OP_SUB:
	case ENT_OP_MUL:
	case ENT_OP_DIV:
	case ENT_OP_MOD:
		if (ent_type_is_float(e->type))
			return arithmetic_real(e, as_real(&a[0], t), as_real(&a[1], e->args[1]->type), ret, err);
		return ent_type_is_number(e->type) ? arithmetic_wide(e, a[0].wide, a[1].wide, ret, err) : refuse(e, err);
	default:
		return refuse(e, err);
	}
}

static int eval_call(const struct final *f, const struct ent_expr *e, struct ent_cell *ret, struct ent_err *err)
{
	struct ent_cell a[3] = { { 0 } };
	if (e->op == ENT_OP_AND || e->op == ENT_OP_OR)
		return eval_logic(f, e, ret, err);
	if (e->op == ENT_OP_IN)
		return eval_in(f, e, ret, err);
	if (e->op == ENT_OP_COALESCE)
		return eval_choice(f, e, ret, err);
	if (e->n_args > 3)
		return refuse(e, err);
	bool null = false;
	for (size_t i = 0; i < e->n_args; i++) {
		ENT_TRY(eval(f, e->args[i], &a[i], err));
		null = null || a[i].null;
	}
	if (e->op == ENT_OP_IS_NULL) {
		ret->wide = a[0].null;
		return 0;
	}
	if (e->op == ENT_OP_NULLIF) {
		*ret = a[0];
		ret->null = a[0].null || (!a[1].null && !ent_cell_compare(&a[0], &a[1], e->args[0]->type));
		return 0;
	}
	ret->null = null;
	return null ? 0 : eval_strict(e, a, ret, err);
}

static int eval(const struct final *f, const struct ent_expr *e, struct ent_cell *ret, struct ent_err *err)
{
	const struct ent_joint_plan *p = f->p;
	const struct ent_cell *cells = f->o->cells + f->row * f->o->columns;
	if (e->kind == ENT_X_CONST) {
		*ret = (struct ent_cell){ .null = e->is_null, .wide = e->value, .real = e->real };
		if (e->type.id == ENT_T_TEXT && e->text)
			ret->text = ent_bytes_str(e->text);
		return 0;
	}
	for (size_t i = 0; i < p->n_labels; i++)
		if (ent_expr_eq(p->labels[i].expr, e)) {
			*ret = cells[i];
			return 0;
		}
	for (size_t i = 0; i < p->n_aggs && e->kind == ENT_X_AGG; i++)
		if (ent_expr_eq(p->aggs[i].expr, e)) {
			*ret = cells[p->n_labels + i];
			return 0;
		}
	if (e->kind == ENT_X_CASE)
		return eval_choice(f, e, ret, err);
	return e->kind == ENT_X_CALL ? eval_call(f, e, ret, err) : refuse(e, err);
}

/* ---- order and batch ---- */

struct table {
	const struct ent_query *q;
	struct ent_cell *cells; /* rows x n_items */
	size_t rows;
};

static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct table *t = arg;
	const struct ent_cell *x = a, *y = b;
	for (size_t i = 0; i < t->q->n_order; i++) {
		const struct ent_order *o = &t->q->order[i];
		const struct ent_cell *u = &x[o->item], *v = &y[o->item];
		if (u->null != v->null)
			return (u->null ? -1 : 1) * (o->nulls_first ? 1 : -1);
		int c = u->null ? 0 : ent_cell_compare(u, v, t->q->items[o->item].expr->type);
		if (c)
			return o->desc ? -c : c;
	}
	for (size_t i = 0; i < t->q->n_items; i++) { /* any order would do: one that does not depend on the shuffle */
		if (x[i].null != y[i].null)
			return x[i].null ? 1 : -1;
		int c = x[i].null ? 0 : ent_cell_compare(&x[i], &y[i], t->q->items[i].expr->type);
		if (c)
			return c;
	}
	return 0;
}

static int compute_items(struct final *f, struct table *t, struct ent_err *err)
{
	const struct ent_query *q = t->q;
	t->cells = ENT_NEWS(f->arena, f->o->rows * q->n_items + 1, struct ent_cell);
	if (!t->cells)
		return ent_nomem(err);
	for (f->row = 0; f->row < f->o->rows; f->row++) {
		struct ent_cell keep = { .wide = 1 };
		if (q->having)
			ENT_TRY(eval(f, q->having, &keep, err));
		if (!is_true(&keep))
			continue;
		for (size_t i = 0; i < q->n_items; i++)
			ENT_TRY(eval(f, q->items[i].expr, &t->cells[t->rows * q->n_items + i], err));
		t->rows++;
	}
	return 0;
}

int ent_cell_put(struct ent_builder *b, size_t column, struct ent_type t, const struct ent_cell *c, struct ent_err *err)
{
	if (c->null)
		return ent_builder_null(b, column, err);
	if (t.id == ENT_T_TEXT)
		return ent_builder_text(b, column, c->text, err);
	if (ent_type_is_float(t))
		return ent_builder_real(b, column, c->real, err);
	return t.id == ENT_T_DECIMAL ? ent_builder_wide(b, column, c->wide, err) : ent_builder_int(b, column, (int64_t)c->wide, err);
}

static int put_rows(struct ent_builder *b, const struct table *t, size_t first, size_t end, struct ent_err *err)
{
	for (size_t row = first; row < end; row++) {
		size_t column = 0;
		for (size_t i = 0; i < t->q->n_items; i++)
			if (!t->q->items[i].hidden)
				ENT_TRY(ent_cell_put(b, column++, t->q->items[i].expr->type, &t->cells[row * t->q->n_items + i], err));
	}
	return 0;
}

int ent_joint_schema(struct ent_arena *arena, const struct ent_query *q, struct ArrowSchema *ret, struct ent_err *err)
{
	struct ent_field *fields = ENT_NEWS(arena, q->n_items + 1, struct ent_field);
	size_t n = 0;
	if (!fields)
		return ent_nomem(err);
	for (size_t i = 0; i < q->n_items; i++)
		if (!q->items[i].hidden)
			fields[n++] = (struct ent_field){ .name = q->items[i].name, .type = q->items[i].expr->type, .nullable = true };
	return ent_schema_new(fields, n, NULL, ret, err);
}

int ent_joint_finish(struct ent_arena *arena, const struct ent_joint_plan *p, const struct ent_opened *o, struct ent_joint_result *ret,
		     struct ent_err *err)
{
	struct final f = { arena, p, o, 0 };
	struct table t = { .q = p->query };
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_TRY(compute_items(&f, &t, err));
	if (t.rows)
		qsort_r(t.cells, t.rows, t.q->n_items * sizeof *t.cells, compare_rows, &t);
	size_t first = t.q->offset > 0 && (uint64_t)t.q->offset < t.rows ? (size_t)t.q->offset : t.q->offset > 0 ? t.rows : 0;
	size_t end = t.q->limit >= 0 && (uint64_t)t.q->limit < t.rows - first ? first + (size_t)t.q->limit : t.rows;
	ENT_TRY(ent_joint_schema(arena, p->query, &schema, err));
	ENT_TRY(ent_builder_new(&schema, 0, &b, err));
	ENT_TRY(put_rows(b, &t, first, end, err));
	ENT_TRY(ent_builder_finish(b, &ret->batch, err));
	ret->schema = ent_schema_take(&schema);
	ret->has_rows = true;
	return 0;
}
