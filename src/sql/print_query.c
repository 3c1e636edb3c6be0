/* A whole single-owner query in an owner's SQL. Inner columns are c0, c1, ...; an aggregate query computes its labels and arguments in a
 * subquery first (g0, g1, ... and a0, f0, ...), so that no engine has to recognise two spellings of one expression. */
#include "sql/print.h"

struct scope { /* the block being printed */
	const struct ent_query *q;
	const char *(*relation)(void *arg, const struct ent_table *t);
	void *arg;
	const struct ent_expr **aggs;
	size_t n_aggs;
};

static int print_block(struct ent_printer *p, struct scope *outer, const struct ent_query *q, bool top);

static int scope_column(struct ent_printer *p, const struct ent_expr *e)
{
	const struct scope *s = p->column_arg;
	const struct ent_rel *r = &s->q->rels[e->rel];
	struct ent_buf name = ENT_BUF(4096);
	ent_buf_printf(&name, "r%u.", e->rel);
	if (r->kind == ENT_REL_TABLE)
		ent_sql_quote(&name, r->table->columns[e->column].name);
	else
		ent_buf_printf(&name, "c%u", e->column);
	int code = ent_buf_check(&name, p->err);
	if (!code && r->kind == ENT_REL_TABLE)
		code = ent_print_column_cast(p, ent_buf_text(&name), e->type);
	else if (!code)
		ent_print(p, ent_buf_text(&name));
	ent_buf_deinit(&name);
	return code;
}

static void agg_collect(void *arg, const struct ent_expr *e)
{
	struct scope *s = arg;
	if (e->kind != ENT_X_AGG)
		return;
	for (size_t i = 0; i < s->n_aggs; i++)
		if (ent_expr_eq(s->aggs[i], e))
			return;
	s->aggs[s->n_aggs++] = e;
}

static void agg_count(void *arg, const struct ent_expr *e) { *(size_t *)arg += e->kind == ENT_X_AGG; }

static int collect_aggs(struct ent_printer *p, struct scope *s)
{
	size_t n = 0;
	for (size_t i = 0; i < s->q->n_items; i++)
		ent_expr_walk(s->q->items[i].expr, agg_count, &n);
	ent_expr_walk(s->q->having, agg_count, &n);
	s->aggs = ENT_NEWS(p->arena, n + 1, const struct ent_expr *);
	if (!s->aggs)
		return ent_nomem(p->err);
	for (size_t i = 0; i < s->q->n_items; i++)
		ent_expr_walk(s->q->items[i].expr, agg_collect, s);
	ent_expr_walk(s->q->having, agg_collect, s);
	return 0;
}

/* fn(DISTINCT g.aN) FILTER (WHERE g.fN) */
static void agg_call(struct ent_printer *p, const struct ent_expr *e, const char *fn, size_t n)
{
	ent_buf_printf(&p->text, "%s(%s", fn, e->distinct ? "DISTINCT " : "");
	if (e->n_args)
		ent_print_n(p, "g.a", n);
	else
		ent_print(p, "*");
	ent_print(p, ")");
	if (e->filter) {
		ent_print_n(p, " FILTER (WHERE g.f", n);
		ent_print(p, ")");
	}
}

/* Sum and count of the non-nulls, divided as doubles. */
static void avg_call(struct ent_printer *p, const struct ent_expr *e, size_t n)
{
	const char *dbl = ent_print_type(p, e->type);
	bool text = !ent_printer_pg(p) && e->args[0]->type.id == ENT_T_DECIMAL;
	ent_print(p, text ? "(CAST(CAST(" : "(CAST(");
	agg_call(p, e, "sum", n);
	ent_buf_printf(&p->text, "%s AS %s) / CAST(nullif(", text ? " AS VARCHAR)" : "", dbl);
	agg_call(p, e, "count", n);
	ent_buf_printf(&p->text, ", 0) AS %s))", dbl);
}

static void print_agg(struct ent_printer *p, const struct ent_expr *e, size_t n)
{
	switch (e->agg) {
	case ENT_AGG_COUNT_STAR:
	case ENT_AGG_COUNT:
		agg_call(p, e, "count", n);
		return;
	case ENT_AGG_SUM:
		ent_print(p, "CAST(");
		agg_call(p, e, "sum", n);
		ent_buf_printf(&p->text, " AS %s)", ent_print_type(p, e->type));
		return;
	case ENT_AGG_AVG:
		avg_call(p, e, n);
		return;
	case ENT_AGG_MIN:
	case ENT_AGG_MAX:
		agg_call(p, e, e->agg == ENT_AGG_MIN ? "min" : "max", n);
		return;
	}
}

static bool scope_computed(struct ent_printer *p, const struct ent_expr *e, int *code)
{
	const struct scope *s = p->computed_arg;
	*code = 0;
	for (size_t i = 0; i < s->q->n_group; i++) {
		if (ent_expr_eq(s->q->group[i], e)) {
			ent_print_n(p, "g.g", i);
			return true;
		}
	}
	for (size_t i = 0; e->kind == ENT_X_AGG && i < s->n_aggs; i++) {
		if (ent_expr_eq(s->aggs[i], e)) {
			print_agg(p, e, i);
			return true;
		}
	}
	return false;
}

static int print_keys(struct ent_printer *p, const struct ent_rel *r)
{
	ent_print(p, " ON (");
	for (size_t i = 0; i < r->n_keys; i++) {
		ent_print(p, i ? " AND " : "");
		ENT_TRY(ent_print_expr(p, r->left_keys[i]));
		ent_print(p, " = ");
		ENT_TRY(ent_print_expr(p, r->right_keys[i]));
	}
	if (r->on) {
		ent_print(p, r->n_keys ? " AND " : "");
		ENT_TRY(ent_print_expr(p, r->on));
	}
	ent_print(p, ")");
	return 0;
}

static int print_rel(struct ent_printer *p, struct scope *s, const struct ent_rel *r)
{
	if (r->kind == ENT_REL_TABLE) {
		ent_print(p, s->relation(s->arg, r->table));
		return 0;
	}
	ent_print(p, "(");
	for (size_t i = 0; i < r->n_branches; i++) {
		ent_print(p, i ? " UNION ALL " : "");
		ent_print(p, r->n_branches > 1 ? "(" : "");
		ENT_TRY(print_block(p, s, r->branches[i], false));
		ent_print(p, r->n_branches > 1 ? ")" : "");
	}
	ent_print(p, ")");
	return 0;
}

static int print_from(struct ent_printer *p, struct scope *s)
{
	const struct ent_query *q = s->q;
	for (size_t i = 0; i < q->n_rels; i++) {
		ent_print(p, !i ? " FROM " : q->rels[i].join == ENT_JOIN_LEFT ? " LEFT JOIN " : " JOIN ");
		ENT_TRY(print_rel(p, s, &q->rels[i]));
		ent_print_n(p, " AS r", i);
		if (i)
			ENT_TRY(print_keys(p, &q->rels[i]));
	}
	if (!q->where)
		return 0;
	ent_print(p, " WHERE ");
	return ent_print_expr(p, q->where);
}

/* widen: sums of real are sums of double */
static int print_named(struct ent_printer *p, const struct ent_expr *e, const char *letter, size_t n, bool widen, bool *first)
{
	ent_print(p, *first ? "" : ", ");
	*first = false;
	if (e->type.id == ENT_T_REAL && widen) {
		ent_buf_printf(&p->text, "CAST(");
		ENT_TRY(ent_print_expr(p, e));
		ent_buf_printf(&p->text, " AS %s)", ent_print_type(p, ent_sql_type(ENT_T_DOUBLE)));
	} else {
		ENT_TRY(ent_print_expr(p, e));
	}
	ent_print(p, " AS ");
	ent_print_n(p, letter, n);
	return 0;
}

/* (SELECT labels, arguments, filters FROM ... WHERE ...) AS g */
static int print_below(struct ent_printer *p, struct scope *s)
{
	bool first = true;
	ent_print(p, " FROM (SELECT ");
	for (size_t i = 0; i < s->q->n_group; i++)
		ENT_TRY(print_named(p, s->q->group[i], "g", i, false, &first));
	for (size_t i = 0; i < s->n_aggs; i++) {
		const struct ent_expr *e = s->aggs[i];
		bool sum = e->agg == ENT_AGG_SUM || e->agg == ENT_AGG_AVG;
		if (e->n_args)
			ENT_TRY(print_named(p, e->args[0], "a", i, sum, &first));
		if (e->filter)
			ENT_TRY(print_named(p, e->filter, "f", i, false, &first));
	}
	ent_print(p, first ? "1 AS one" : "");
	ENT_TRY(print_from(p, s));
	ent_print(p, ") AS g");
	for (size_t i = 0; i < s->q->n_group; i++)
		ent_print_n(p, i ? ", g.g" : " GROUP BY g.g", i);
	return 0;
}

static int print_items(struct ent_printer *p, const struct ent_query *q, bool top)
{
	size_t shown = 0;
	ent_print(p, "SELECT ");
	for (size_t i = 0; i < q->n_items; i++) {
		const struct ent_item *it = &q->items[i];
		if (it->hidden)
			continue;
		ent_print(p, shown ? ", CAST(" : "CAST(");
		ENT_TRY(ent_print_expr(p, it->expr));
		ent_buf_printf(&p->text, " AS %s) AS ", ent_print_type(p, it->expr->type));
		if (top)
			ent_sql_quote(&p->text, it->name);
		else
			ent_print_n(p, "c", shown);
		shown++;
	}
	return 0;
}

static int print_order(struct ent_printer *p, const struct ent_query *q)
{
	for (size_t i = 0; i < q->n_order; i++) {
		const struct ent_order *o = &q->order[i];
		size_t ordinal = 1;
		ent_print(p, i ? ", " : " ORDER BY ");
		for (size_t j = 0; j < o->item; j++)
			ordinal += !q->items[j].hidden;
		if (q->items[o->item].hidden)
			ENT_TRY(ent_print_expr(p, q->items[o->item].expr));
		else
			ent_buf_printf(&p->text, "%zu", ordinal);
		ent_buf_printf(&p->text, "%s%s", o->desc ? " DESC" : " ASC", o->nulls_first ? " NULLS FIRST" : " NULLS LAST");
	}
	if (q->limit >= 0)
		ent_buf_printf(&p->text, " LIMIT %lld", (long long)q->limit);
	if (q->offset)
		ent_buf_printf(&p->text, " OFFSET %lld", (long long)q->offset);
	return 0;
}

static int print_aggregate(struct ent_printer *p, struct scope *s, bool top)
{
	ENT_TRY(collect_aggs(p, s));
	p->computed = scope_computed;
	p->computed_arg = s;
	ENT_TRY(print_items(p, s->q, top));
	p->computed = NULL;
	ENT_TRY(print_below(p, s));
	p->computed = scope_computed;
	p->computed_arg = s;
	if (s->q->having) {
		ent_print(p, " HAVING ");
		ENT_TRY(ent_print_expr(p, s->q->having));
	}
	return print_order(p, s->q);
}

static int print_scope(struct ent_printer *p, struct scope *s, bool top)
{
	p->computed = NULL;
	if (s->q->aggregate)
		return print_aggregate(p, s, top);
	ENT_TRY(print_items(p, s->q, top));
	ENT_TRY(print_from(p, s));
	return print_order(p, s->q);
}

static int print_block(struct ent_printer *p, struct scope *outer, const struct ent_query *q, bool top)
{
	struct scope s = { .q = q, .relation = outer->relation, .arg = outer->arg };
	struct ent_printer saved = *p;
	p->column_arg = &s;
	int code = print_scope(p, &s, top);
	p->column_arg = saved.column_arg;
	p->computed = saved.computed;
	p->computed_arg = saved.computed_arg;
	return code;
}

int ent_sql_print_query(struct ent_arena *arena, const struct ent_query *q, enum ent_dialect dialect,
			const char *(*relation)(void *arg, const struct ent_table *t), void *arg, struct ent_printed *out, struct ent_err *err)
{
	struct ent_printer p;
	struct scope s = { .relation = relation, .arg = arg };
	ent_printer_init(&p, arena, dialect, err);
	p.column = scope_column;
	int code = print_block(&p, &s, q, true);
	if (code) {
		ent_buf_deinit(&p.text);
		return code;
	}
	return ent_printer_done(&p, out);
}
