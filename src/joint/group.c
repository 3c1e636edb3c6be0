/* GROUP BY and sums: project the joined rows to labels, arguments and conditions; sort by group; count distinct rows of each protected table;
 * decide which groups stay (suppress.c); sum per group; keep the released groups. */
#include "joint/group.h"

static int own_view(struct ent_run *r, struct ent_bits *b, struct ent_err *err)
{
	if (b->owner || !b->planes)
		return 0;
	struct ent_bits t = { 0 };
	ENT_TRY(ent_sx_dup(&r->x, b, &t, err));
	*b = t;
	return 0;
}

/* Flips the sign plane: two's complement to unsigned order and back. */
static int flip_sign(struct ent_run *r, struct ent_bits *b, struct ent_err *err)
{
	ENT_BITS_AUTO top = { 0 };
	struct ent_bits low = ent_sx_view(b, 0, b->planes - 1), high = ent_sx_view(b, b->planes - 1, 1), t = { 0 };
	ENT_TRY(ent_sx_not(&r->x, &high, &top, err));
	const struct ent_bits *parts[2] = { &low, &top };
	ENT_TRY(ent_sx_stack(&r->x, b->planes > 1 ? parts : parts + 1, b->planes > 1 ? 2 : 1, &t, err));
	ent_bits_deinit(b);
	*b = t;
	return 0;
}

static int project_label(struct ent_run *r, struct ent_frame *f, size_t i, struct ent_err *err)
{
	const struct ent_jlabel *l = &r->p->labels[i];
	ENT_VAL_AUTO v = { 0 };
	ENT_TRY(ent_joint_eval(&r->x, r->p, f, l->expr, (struct ent_want){ ENT_MODE_LABEL, 0 }, &v, err));
	ENT_TRY(ent_joint_val_widen(&r->x, &v, l->enc.bits, err));
	ENT_TRY(own_view(r, &v.v, err));
	ENT_TRY(own_view(r, &v.null, err));
	if (l->enc.kind == ENT_ENC_INT && l->enc.sign)
		ENT_TRY(flip_sign(r, &v.v, err));
	ent_frame_put(f, ENT_PART_LABEL(i), &v.v);
	if (v.null.planes)
		ent_frame_put(f, ENT_PART_LABEL_NULL(i), &v.null);
	return 0;
}

/* SUM: zero where the row does not enter. MIN, MAX: unsigned order, and the neutral value there. */
static int project_arg(struct ent_run *r, struct ent_frame *f, size_t i, struct ent_err *err)
{
	const struct ent_jagg *a = &r->p->aggs[i];
	const struct ent_bits *cond = a->cond ? &f->part[ENT_PART_COND(a->cond)] : &f->part[ENT_PART_VALID];
	bool min = a->expr->agg == ENT_AGG_MIN, max = a->expr->agg == ENT_AGG_MAX;
	struct ent_want want = { a->enc.kind == ENT_ENC_FIXED ? ENT_MODE_FIXED : ENT_MODE_VALUE, a->enc.fraction };
	ENT_VAL_AUTO v = { 0 };
	struct ent_bits t = { 0 };
	ENT_TRY(ent_joint_eval(&r->x, r->p, f, a->expr->args[0], want, &v, err));
	ENT_TRY(ent_joint_val_widen(&r->x, &v, a->enc.bits, err));
	ENT_TRY(own_view(r, &v.v, err));
	if ((min || max) && a->enc.kind == ENT_ENC_INT && a->enc.sign)
		ENT_TRY(flip_sign(r, &v.v, err));
	if (min) {
		ENT_BITS_AUTO n = { 0 };
		ENT_BITS_AUTO m = { 0 };
		ENT_TRY(ent_sx_not(&r->x, &v.v, &n, err));
		ENT_TRY(ent_sx_and(&r->x, &n, cond, &m, err));
		ENT_TRY(ent_sx_not(&r->x, &m, &t, err));
	} else {
		ENT_TRY(ent_sx_and(&r->x, &v.v, cond, &t, err));
	}
	ent_frame_put(f, ENT_PART_ARG(i), &t);
	return 0;
}

static bool is_null_of(const struct ent_expr *e, size_t rel)
{
	return e->kind == ENT_X_CALL && e->op == ENT_OP_IS_NULL && e->args[0]->kind == ENT_X_COLUMN && e->args[0]->rel == rel;
}

/* Rows that an anti-joined relation matched and that every other condition keeps. */
static int project_anti(struct ent_run *r, struct ent_frame *f, size_t rel, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	ENT_BITS_AUTO rows = { 0 };
	ENT_TRY(ent_sx_and(&r->x, &f->part[ENT_PART_VALID], &f->part[ENT_PART_MATCHED(rel)], &rows, err));
	for (size_t i = 0; i < p->n_residual; i++) {
		ENT_VAL_AUTO v = { 0 };
		struct ent_bits t = { 0 };
		if (is_null_of(p->residual[i], rel))
			continue;
		ENT_TRY(ent_joint_eval(&r->x, p, f, p->residual[i], (struct ent_want){ ENT_MODE_VALUE, 0 }, &v, err));
		ENT_TRY(ent_sx_and(&r->x, &rows, &v.v, &t, err));
		ent_bits_deinit(&rows);
		rows = t;
	}
	return ent_group_anti(r, f, rel, &rows, err);
}

static int project_where(struct ent_run *r, struct ent_frame *f, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	for (size_t i = 0; i < p->n_rels; i++)
		if (p->rels[i].anti && p->rels[i].is_protected)
			ENT_TRY(project_anti(r, f, i, err));
	for (size_t i = 0; i < p->n_residual; i++) {
		ENT_VAL_AUTO v = { 0 };
		ENT_TRY(ent_joint_eval(&r->x, p, f, p->residual[i], (struct ent_want){ ENT_MODE_VALUE, 0 }, &v, err));
		ENT_TRY(ent_group_and(r, f, ENT_PART_VALID, &v.v, err));
	}
	for (size_t i = 0; i < p->n_rels && p->n_residual; i++)
		if (ent_frame_has(f, ENT_PART_MATCHED(i)))
			ENT_TRY(ent_group_and(r, f, ENT_PART_MATCHED(i), &f->part[ENT_PART_VALID], err));
	return 0;
}

int ent_group_and(struct ent_run *r, struct ent_frame *f, unsigned part, const struct ent_bits *with, struct ent_err *err)
{
	struct ent_bits t = { 0 };
	ENT_TRY(ent_sx_and(&r->x, &f->part[part], with, &t, err));
	ent_frame_put(f, part, &t);
	return 0;
}

int ent_joint_project(struct ent_run *r, struct ent_frame *f, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	ENT_TRY(project_where(r, f, err));
	for (size_t i = 1; i < p->n_conds; i++) {
		struct ent_bits c = { 0 };
		ENT_TRY(ent_joint_eval_cond(&r->x, p, f, &p->conds[i], &c, err));
		ent_frame_put(f, ENT_PART_COND(i), &c);
	}
	for (size_t i = 0; i < p->n_labels; i++)
		ENT_TRY(project_label(r, f, i, err));
	for (size_t i = 0; i < p->n_aggs; i++)
		if (p->aggs[i].enc.bits)
			ENT_TRY(project_arg(r, f, i, err));
	ent_frame_drop_range(f, 0, ENT_PART_VALID);
	ent_frame_drop_range(f, ENT_PART_MATCHED(0), ENT_PART_COUNTS(0));
	return ent_sx_step(&r->x, "mpc", NULL, f->rows, err, "conditions and expressions over several owners' columns (%zu)",
			   p->n_residual + p->n_conds - 1);
}

/* ---- order ---- */

/* but: leave out labels that a row of this relation determines (-1: none); runs of equal rows stay whole without them. */
static size_t label_keys_but(const struct ent_frame *f, const struct ent_joint_plan *p, int but, unsigned *ids)
{
	size_t n = 0;
	for (size_t i = p->n_labels; i-- > 0;) {
		uint16_t rel;
		if (but >= 0 && !p->rels[but].nullable && ent_joint_expr_rel(p->labels[i].expr, &rel) && rel == but)
			continue;
		ids[n++] = ENT_PART_LABEL(i);
		if (ent_frame_has(f, ENT_PART_LABEL_NULL(i)))
			ids[n++] = ENT_PART_LABEL_NULL(i);
	}
	ids[n++] = ENT_INVALID;
	return n;
}

static size_t label_keys(const struct ent_frame *f, const struct ent_joint_plan *p, unsigned *ids) { return label_keys_but(f, p, -1, ids); }

static int stack(struct ent_run *r, const struct ent_frame *f, const unsigned *ids, size_t n, struct ent_bits *ret, struct ent_err *err)
{
	const struct ent_bits *parts[3 * ENT_LABELS_MAX];
	for (size_t i = 0; i < n; i++)
		parts[i] = &f->part[ids[i]];
	return ent_sx_stack(&r->x, parts, n, ret, err);
}

/* First and last rows of groups, after a sort; without GROUP BY the whole frame is one group. */
static int mark_groups(struct ent_run *r, struct ent_frame *f, struct ent_err *err)
{
	struct ent_bits first = { 0 }, last = { 0 };
	if (!r->p->n_labels) {
		ENT_BITS_AUTO zero = { 0 };
		ENT_TRY(ent_sx_const(&r->x, f->rows, 1, 0, &zero, err));
		ENT_TRY(ent_sx_shift_down(&r->x, &zero, true, &first, err));
		ent_frame_put(f, ENT_FIRST, &first);
		ENT_TRY(ent_sx_shift_up(&r->x, &zero, true, &last, err));
		ent_frame_put(f, ENT_LAST, &last);
		return 0;
	}
	unsigned ids[3 * ENT_LABELS_MAX];
	size_t n = label_keys(f, r->p, ids);
	ENT_BITS_AUTO key = { 0 };
	ENT_BITS_AUTO same = { 0 };
	ENT_BITS_AUTO next = { 0 };
	ENT_TRY(stack(r, f, ids, n, &key, err));
	ENT_TRY(ent_sx_same(&r->x, &key, &same, err));
	ENT_TRY(ent_sx_not(&r->x, &same, &first, err));
	ent_frame_put(f, ENT_FIRST, &first);
	ENT_TRY(ent_sx_shift_up(&r->x, &f->part[ENT_FIRST], true, &next, err));
	ENT_TRY(ent_sx_and(&r->x, &next, &f->part[ENT_PART_VALID], &last, err));
	ent_frame_put(f, ENT_LAST, &last);
	return 0;
}

/* ---- distinct rows ---- */

/* The condition of a flag as one plane: counted rows of the relation (not the requester's own, matched) with or without the condition. */
static int flag_rows(struct ent_run *r, const struct ent_frame *f, const struct ent_jflag *g, struct ent_bits *ret, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	ENT_BITS_AUTO bit = { 0 };
	struct ent_bits t = { 0 };
	const struct ent_bits *valid = &f->part[ENT_PART_VALID];
	const struct ent_bits *cond = g->cond ? &f->part[ENT_PART_COND(g->cond)] : valid;
	if (g->complement)
		ENT_TRY(ent_sx_xor(&r->x, valid, cond, &bit, err)); /* a condition holds on valid rows only */
	else
		ENT_TRY(ent_sx_dup(&r->x, cond, &bit, err));
	if (g->rel >= 0 && p->rels[g->rel].mixed) {
		ENT_TRY(ent_sx_and(&r->x, &bit, &f->part[ENT_PART_COUNTS(g->rel)], &t, err));
		ent_bits_deinit(&bit);
		bit = ent_bits_take(&t);
	}
	for (size_t c = 1; g->rel >= 0 && p->rels[g->rel].nullable && c < p->n_conds; c++) {
		if (p->conds[c].matched != g->rel || c == g->cond)
			continue;
		ENT_TRY(ent_sx_and(&r->x, &bit, &f->part[ENT_PART_COND(c)], &t, err));
		ent_bits_deinit(&bit);
		bit = ent_bits_take(&t);
	}
	*ret = ent_bits_take(&bit);
	return 0;
}

/* Rows are sorted by (group, row of rel): one bit per run of equal rows of rel. */
static int flag_runs(struct ent_run *r, struct ent_frame *f, size_t rel, const struct ent_bits *first, const struct ent_bits *last,
		     struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	for (size_t i = 0; i < p->n_flags; i++) {
		struct ent_bits bit = { 0 };
		if (p->flags[i].rel != (int)rel)
			continue;
		ENT_TRY(flag_rows(r, f, &p->flags[i], &bit, err));
		ent_frame_put(f, ENT_PART_FLAG(i), &bit);
		if (p->flags[i].cond || p->rels[rel].mixed || p->rels[rel].nullable) /* rows of one run may differ in it */
			ENT_TRY(ent_sx_run_or(&r->x, first, &f->part[ENT_PART_FLAG(i)], err));
		ENT_TRY(ent_group_and(r, f, ENT_PART_FLAG(i), last, err));
	}
	return 0;
}

/* last: groups must be whole afterwards, not only runs of equal rows. */
static int sort_by_rel(struct ent_run *r, struct ent_frame *f, size_t rel, bool last_sort, struct ent_err *err)
{
	unsigned ids[3 * ENT_LABELS_MAX + 1] = { ENT_PART_ID(rel) };
	size_t n = 1 + label_keys_but(f, r->p, last_sort ? -1 : (int)rel, ids + 1);
	ENT_TRY(ent_frame_sort(&r->x, f, ids, n, err));
	ENT_BITS_AUTO key = { 0 };
	ENT_BITS_AUTO same = { 0 };
	ENT_BITS_AUTO first = { 0 };
	ENT_BITS_AUTO last = { 0 };
	ENT_TRY(stack(r, f, ids, n, &key, err));
	ENT_TRY(ent_sx_same(&r->x, &key, &same, err));
	ENT_TRY(ent_sx_not(&r->x, &same, &first, err));
	ENT_TRY(ent_sx_shift_up(&r->x, &first, true, &last, err));
	ENT_TRY(flag_runs(r, f, rel, &first, &last, err));
	return ent_sx_step(&r->x, "mpc", NULL, f->rows, err, "sort by group and row of %s, count distinct rows", r->p->query->rels[rel].alias);
}

static int plain_flags(struct ent_run *r, struct ent_frame *f, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	for (size_t i = 0; i < p->n_flags; i++) {
		struct ent_bits bit = { 0 };
		if (p->flags[i].rel >= 0 && p->rels[p->flags[i].rel].wants_id)
			continue;
		ENT_TRY(flag_rows(r, f, &p->flags[i], &bit, err));
		ent_frame_put(f, ENT_PART_FLAG(i), &bit);
	}
	return 0;
}

static int order_rows(struct ent_run *r, struct ent_frame *f, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	struct ent_bits invalid = { 0 };
	bool sorted = false;
	ENT_TRY(ent_sx_not(&r->x, &f->part[ENT_PART_VALID], &invalid, err));
	ent_frame_put(f, ENT_INVALID, &invalid);
	for (size_t rel = 0; rel < p->n_rels; rel++) {
		size_t left = 0;
		for (size_t i = rel + 1; i < p->n_rels; i++)
			left += p->rels[i].wants_id;
		if (!p->rels[rel].wants_id)
			continue;
		ENT_TRY(sort_by_rel(r, f, rel, !left, err));
		sorted = true;
	}
	if (!sorted && p->n_labels) {
		unsigned ids[3 * ENT_LABELS_MAX];
		ENT_TRY(ent_frame_sort(&r->x, f, ids, label_keys(f, p, ids), err));
		ENT_TRY(ent_sx_step(&r->x, "mpc", NULL, f->rows, err, "sort by group"));
	}
	ENT_TRY(plain_flags(r, f, err));
	ENT_TRY(mark_groups(r, f, err));
	return ent_sx_step(&r->x, "mpc", NULL, f->rows, err, "mark groups");
}

/* ---- sums ---- */

static int min_max(struct ent_run *r, struct ent_frame *f, struct ent_err *err)
{
	for (size_t i = 0; i < r->p->n_aggs; i++) {
		enum ent_agg agg = r->p->aggs[i].expr->agg;
		struct ent_bits own = { 0 };
		if (agg != ENT_AGG_MIN && agg != ENT_AGG_MAX)
			continue;
		ENT_TRY(ent_sx_dup(&r->x, &f->part[ENT_PART_ARG(i)], &own, err));
		ent_frame_put(f, ENT_PART_ARG(i), &own);
		ENT_TRY(ent_sx_run_min(&r->x, &f->part[ENT_FIRST], &f->part[ENT_PART_ARG(i)], agg == ENT_AGG_MAX, err));
	}
	return 0;
}

int ent_group_counts(struct ent_run *r, const struct ent_frame *f, const unsigned *parts, size_t n, struct ent_ring *ret, size_t *ret_words,
		     struct ent_err *err)
{
	unsigned per_word = 64 / r->p->count_bits;
	struct ent_rings_auto rings = { .n = n };
	ENT_CLEANUP(ent_rings_deinit) struct ent_rings_auto *all = &rings;
	ENT_BITS_AUTO bits = { 0 };
	ENT_ASSERT(n <= ENT_COUNT(rings.at));
	ENT_TRY(stack(r, f, parts, n, &bits, err));
	ENT_TRY(ent_sx_b2a_bits(&r->x, &bits, all->at, err));
	*ret_words = (n + per_word - 1) / per_word;
	for (size_t i = 0; i < n; i++) {
		unsigned shift = (unsigned)(i % per_word) * r->p->count_bits;
		if (shift) {
			ent_sx_ring_scale(&r->x, &all->at[i], (uint64_t)1 << shift);
			ent_sx_ring_add_in(&r->x, &ret[i / per_word], &all->at[i]);
		} else {
			ret[i / per_word] = ent_ring_take(&all->at[i]);
		}
	}
	return 0;
}

void ent_rings_deinit(struct ent_rings_auto **all)
{
	for (size_t i = 0; i < (*all)->n; i++)
		ent_ring_deinit(&(*all)->at[i]);
}

/* Sums of arguments and packed counts as rings beside the bits that stay. */
static int add_rings(struct ent_run *r, struct ent_frame *f, struct ent_rows *rows, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	unsigned parts[ENT_FLAGS_MAX];
	size_t words = 0;
	for (size_t i = 0; i < p->n_flags; i++)
		parts[i] = ENT_PART_FLAG(i);
	ENT_TRY(ent_group_counts(r, f, parts, p->n_flags, rows->ring, &words, err));
	rows->rings = (unsigned)words;
	for (size_t i = 0; i < p->n_aggs; i++) {
		const struct ent_jagg *a = &p->aggs[i];
		if (a->expr->agg != ENT_AGG_SUM && a->expr->agg != ENT_AGG_AVG)
			continue;
		ENT_TRY(ent_sx_b2a(&r->x, &f->part[ENT_PART_ARG(i)], a->enc.sign, &rows->ring[rows->rings++], err));
		ent_frame_drop(f, ENT_PART_ARG(i));
	}
	return 0;
}

static int check_rings(const struct ent_joint_plan *p, struct ent_err *err)
{
	size_t rings = (p->n_flags + 64 / p->count_bits - 1) / (64 / p->count_bits);
	for (size_t i = 0; i < p->n_aggs; i++)
		rings += p->aggs[i].expr->agg == ENT_AGG_SUM || p->aggs[i].expr->agg == ENT_AGG_AVG;
	if (rings <= ENT_ROWS_RINGS_MAX)
		return 0;
	ent_fail(err, ENT_EUNSUPPORTED, "too many aggregates in one joint query");
	return ent_next(err, "ask for fewer SUM, AVG and filtered aggregates at a time");
}

/* One row per group at the front, sums in rings; then the kept ones alone. */
static int sum_groups(struct ent_run *r, struct ent_frame *f, struct ent_rows *rows, struct ent_frame_layout *l, struct ent_err *err)
{
	ENT_BITS_AUTO last = { 0 };
	ENT_TRY(ent_sx_dup(&r->x, &f->part[ENT_LAST], &last, err));
	ENT_TRY(add_rings(r, f, rows, err));
	ent_frame_drop_range(f, ENT_PART_VALID, ENT_PART_LABEL(0));
	ent_frame_drop_range(f, ENT_PART_FLAG(0), ENT_KEEP);
	ent_frame_drop_range(f, ENT_KEEP + 1, ENT_PARTS_MAX);
	struct ent_rows packed = { 0 };
	ENT_TRY(ent_frame_pack(&r->x, f, NULL, 0, l, &packed, err));
	rows->rows = packed.rows;
	rows->bits = packed.bits;
	ENT_TRY(ent_sx_run_sums(&r->x, rows, &last, (1u << rows->rings) - 1, err));
	return ent_sx_step(&r->x, "mpc", NULL, rows->rows, err, "sums and counts per group, groups to the front");
}

int ent_joint_group(struct ent_run *r, struct ent_frame *f, struct ent_err *err)
{
	ENT_ROWS_AUTO rows = { 0 };
	ENT_BITS_AUTO bad = { 0 };
	struct ent_frame_layout l;
	ENT_TRY(check_rings(r->p, err));
	ENT_TRY(order_rows(r, f, err));
	ENT_TRY(ent_group_keep(r, f, err));
	ENT_TRY(ent_group_remainder(r, f, &bad, err));
	ent_frame_drop_range(f, ENT_PART_COND(0), ENT_PART_COND(ENT_CONDS_MAX));
	ENT_TRY(min_max(r, f, err));
	ENT_TRY(sum_groups(r, f, &rows, &l, err));
	ENT_TRY(ent_group_release(r, f, &rows, &l, &bad, err));
	return 0;
}
