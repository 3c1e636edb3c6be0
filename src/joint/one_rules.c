/* The rules of policy.md (3, 5, 6, 7, 4) in the clear, at the only owner: the same groups, conditions and counts as suppress.c decides in MPC. */
#include <math.h>
#include <stdlib.h>

#include "joint/one_rules.h"

static int compare_labels(const void *a, const void *b, void *arg)
{
	const struct ent_joint_plan *p = arg;
	const struct ent_cell *x = *(const struct ent_cell *const *)a, *y = *(const struct ent_cell *const *)b;
	for (size_t i = 0; i < p->n_labels; i++) {
		if (x[i].null != y[i].null)
			return x[i].null ? 1 : -1;
		int c = x[i].null ? 0 : ent_cell_compare(&x[i], &y[i], p->labels[i].expr->type);
		if (c)
			return c;
	}
	return 0;
}

static const struct ent_cell *cond_of(const struct ent_one *o, const struct ent_cell *row, unsigned cond)
{
	static const struct ent_cell yes = { .wide = 1 };
	return cond ? &row[o->p->n_labels + cond - 1] : &yes;
}

static const struct ent_cell *arg_of(const struct ent_one *o, const struct ent_cell *row, size_t agg)
{
	return &row[o->p->n_labels + o->p->n_conds - 1 + agg];
}

static const struct ent_cell *id_of(const struct ent_one *o, const struct ent_cell *row, size_t rel)
{
	return &row[o->p->n_labels + o->p->n_conds - 1 + o->p->n_aggs + rel];
}

static int compare_i64(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

static size_t distinct(int64_t *ids, size_t n)
{
	size_t d = 0;
	qsort(ids, n, sizeof *ids, compare_i64);
	for (size_t i = 0; i < n; i++)
		d += !i || ids[i] != ids[i - 1];
	return d;
}

size_t ent_one_count(const struct ent_one *o, const struct ent_one_group *g, int rel, unsigned cond, bool complement)
{
	size_t n = 0;
	for (size_t i = g->first; i < g->end; i++) {
		const struct ent_cell *row = o->order[i];
		if ((cond_of(o, row, cond)->wide != 0) == complement)
			continue;
		if (rel < 0)
			n++;
		else if (!id_of(o, row, (size_t)rel)->null)
			o->ids[n++] = (int64_t)id_of(o, row, (size_t)rel)->wide;
	}
	return rel < 0 ? n : distinct(o->ids, n);
}

static size_t unmatched_in(const struct ent_one *o, const struct ent_one_group *g, size_t rel)
{
	size_t n = 0;
	for (size_t i = g->first; i < g->end; i++)
		n += id_of(o, o->order[i], rel)->null;
	return n;
}

static bool keeps(const struct ent_one *o, const struct ent_one_group *g)
{
	for (size_t r = 0; r < o->p->n_rels; r++) {
		const struct ent_jrel *rel = &o->p->rels[r];
		size_t lone = unmatched_in(o, g, r);
		if (!rel->is_protected)
			continue;
		if (ent_one_count(o, g, (int)r, 0, false) < rel->k || (rel->outer && lone && lone < rel->k))
			return false;
	}
	return true;
}

static bool remainder_bad(const struct ent_one *o, size_t rel)
{
	size_t n = 0;
	for (size_t g = 0; g < o->n_groups; g++)
		for (size_t i = o->groups[g].first; i < o->groups[g].end && !o->groups[g].keep; i++)
			if (!id_of(o, o->order[i], rel)->null)
				o->ids[n++] = (int64_t)id_of(o, o->order[i], rel)->wide;
	size_t d = distinct(o->ids, n);
	return d && d < o->p->rels[rel].k;
}

static void drop_remainder(const struct ent_one *o)
{
	bool bad = false;
	struct ent_one_group *least = NULL;
	for (size_t r = 0; r < o->p->n_rels && o->p->remainder; r++)
		bad = bad || (o->p->rels[r].is_protected && remainder_bad(o, r));
	for (size_t g = 0; g < o->n_groups && bad; g++) {
		struct ent_one_group *x = &o->groups[g];
		if (x->keep && (!least || x->end - x->first < least->end - least->first))
			least = x;
	}
	if (least)
		least->keep = false;
}

static bool cell_ok(const struct ent_one *o, const struct ent_one_group *g, const struct ent_jagg *a)
{
	for (size_t s = 0; s < a->n_selectors; s++)
		if (g->hide[a->selectors[s]])
			return false;
	for (size_t r = 0; r < o->p->n_rels && a->guarded; r++) {
		uint32_t k = o->p->rels[r].k;
		if (!o->p->rels[r].is_protected)
			continue;
		if (ent_one_count(o, g, (int)r, a->cond, false) < k)
			return false;
		for (size_t s = 0; s < a->n_selectors; s++) {
			size_t rest = ent_one_count(o, g, (int)r, a->selectors[s], true);
			if (ent_one_count(o, g, (int)r, a->selectors[s], false) < k || (rest && rest < k))
				return false;
		}
	}
	return true;
}

static void aggregate(const struct ent_one *o, const struct ent_one_group *g, size_t at, struct ent_cell *ret)
{
	const struct ent_jagg *a = &o->p->aggs[at];
	enum ent_agg agg = a->expr->agg;
	struct ent_type t = a->expr->n_args ? a->expr->args[0]->type : (struct ent_type){ .id = ENT_T_INT64 };
	size_t n = 0;
	for (size_t i = g->first; i < g->end; i++) {
		const struct ent_cell *row = o->order[i], *x = arg_of(o, row, at);
		if (!cond_of(o, row, a->cond)->wide)
			continue;
		n++;
		if (agg == ENT_AGG_SUM || agg == ENT_AGG_AVG) {
			ret->wide += x->wide;
			ret->real += x->real;
		} else if (agg != ENT_AGG_COUNT && agg != ENT_AGG_COUNT_STAR) {
			int c = n == 1 ? 0 : ent_cell_compare(x, ret, t);
			if (n == 1 || (agg == ENT_AGG_MIN ? c < 0 : c > 0))
				*ret = *x;
		}
	}
	if (agg == ENT_AGG_COUNT || agg == ENT_AGG_COUNT_STAR)
		ret->wide = (ent_i128)n;
	else
		ret->null = !n;
	if (agg == ENT_AGG_AVG && n) {
		long double scale = t.id == ENT_T_DECIMAL ? powl(10, t.scale) : 1;
		ret->real = (ent_type_is_float(t) ? ret->real : (double)((long double)ret->wide / scale)) / (double)n;
	}
}

static int put_groups(const struct ent_one *o, struct ent_opened *ret, struct ent_err *err)
{
	const struct ent_joint_plan *p = o->p;
	ret->columns = p->n_labels + p->n_aggs;
	ret->cells = ENT_NEWS(o->r->arena, o->n_groups * ret->columns + 1, struct ent_cell);
	if (!ret->cells)
		return ent_nomem(err);
	for (size_t i = 0; i < o->n_groups; i++) {
		const struct ent_one_group *g = &o->groups[i];
		struct ent_cell *row = &ret->cells[ret->rows * ret->columns];
		if (!g->keep)
			continue;
		ret->rows++;
		if (p->n_labels)
			memcpy(row, o->order[g->first], p->n_labels * sizeof *row);
		for (size_t a = 0; a < p->n_aggs; a++) {
			struct ent_cell *c = &row[p->n_labels + a];
			aggregate(o, g, a, c);
			if (!cell_ok(o, g, &p->aggs[a]))
				*c = (struct ent_cell){ .null = true };
		}
	}
	return 0;
}

static void form_groups(struct ent_one *o)
{
	const struct ent_one_rows *rows = o->in;
	union {
		const struct ent_joint_plan *in;
		void *out;
	} arg = { o->p };
	for (size_t i = 0; i < rows->rows; i++)
		o->order[i] = &rows->cells[i * rows->columns];
	if (rows->rows)
		qsort_r(o->order, rows->rows, sizeof *o->order, compare_labels, arg.out);
	for (size_t i = 0; i < rows->rows; i++) {
		if (!i || compare_labels(&o->order[i - 1], &o->order[i], arg.out))
			o->groups[o->n_groups++] = (struct ent_one_group){ .first = i };
		o->groups[o->n_groups - 1].end = i + 1;
	}
	if (!rows->rows && !o->p->n_labels)
		o->n_groups = 1;
}

int ent_one_aggregate(struct ent_run *r, const struct ent_one_rows *rows, struct ent_opened *ret, struct ent_err *err)
{
	struct ent_one o = { .r = r,
			     .p = r->p,
			     .in = rows,
			     .order = ENT_NEWS(r->arena, rows->rows + 1, const struct ent_cell *),
			     .groups = ENT_NEWS(r->arena, rows->rows + 1, struct ent_one_group),
			     .ids = ENT_NEWS(r->arena, rows->rows + 1, int64_t) };
	if (!o.order || !o.groups || !o.ids)
		return ent_nomem(err);
	form_groups(&o);
	for (size_t i = 0; i < o.n_groups; i++)
		o.groups[i].keep = keeps(&o, &o.groups[i]);
	drop_remainder(&o);
	ENT_TRY(ent_one_guard(&o, err));
	return put_groups(&o, ret, err);
}
