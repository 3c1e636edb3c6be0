/* Which groups and cells may leave (policy.md, "What a query must satisfy"): rule 3 distinct rows per protected table, rule 5 outer joins,
 * rule 6 the remainder, rule 4 filtered and nullable aggregates. All inside MPC; what opens is how many groups were released. */
#include <stdlib.h>

#include "joint/group.h"

static const struct ent_why released = { "number of released groups", ENT_PERMIT_FIXED };

static unsigned base_cond(const struct ent_joint_plan *p, size_t rel)
{
	for (unsigned c = 1; c < p->n_conds && p->rels[rel].nullable; c++)
		if (p->conds[c].matched == (int)rel)
			return c;
	return 0;
}

static size_t flag_at(const struct ent_joint_plan *p, int rel, unsigned cond, bool complement)
{
	for (size_t i = 0; i < p->n_flags; i++)
		if (p->flags[i].rel == rel && p->flags[i].cond == cond && p->flags[i].complement == complement)
			return i;
	ENT_ASSERT(p->n_flags == SIZE_MAX); /* every count was planned for */
	return 0;
}

/* ---- rules 3 and 5 ---- */

struct test { /* count of a flag in the group >= threshold */
	size_t flag;
	uint32_t threshold;
	bool lone; /* first of a pair: count = 0, or the next test's >= k */
	int anti;  /* or this relation matched enough rows over the whole join; -1: none */
};

static size_t list_tests(const struct ent_joint_plan *p, struct test *t)
{
	size_t n = 0;
	for (size_t r = 0; r < p->n_rels; r++) {
		if (!p->rels[r].is_protected)
			continue;
		unsigned cond = base_cond(p, r);
		t[n++] = (struct test){ flag_at(p, (int)r, cond, false), p->rels[r].k, false, p->rels[r].anti ? (int)r : -1 };
		if (!p->rels[r].outer)
			continue;
		t[n++] = (struct test){ flag_at(p, ENT_FLAG_ROWS, cond, true), 1, true, -1 };
		t[n++] = (struct test){ flag_at(p, ENT_FLAG_ROWS, cond, true), p->rels[r].k, false, -1 };
	}
	return n;
}

/* Counts up to this row, and counts before the group plus the thresholds, as planes of packed fields. */
static int running_counts(struct ent_run *r, struct ent_frame *f, const struct test *tests, size_t n, size_t word, struct ent_ring *w,
			  struct ent_bits *upto, struct ent_bits *before, struct ent_err *err)
{
	unsigned bits = r->p->count_bits, per_word = 64 / bits;
	size_t fields = n - word * per_word < per_word ? n - word * per_word : per_word;
	ENT_RING_AUTO run = { 0 };
	uint64_t thresholds = 0;
	for (size_t i = 0; i < fields; i++)
		thresholds |= (uint64_t)tests[word * per_word + i].threshold << (i * bits);
	ENT_TRY(ent_sx_ring_dup(&r->x, w, &run, err));
	ent_sx_ring_running(&r->x, &run);
	ENT_TRY(ent_sx_a2b(&r->x, &run, (unsigned)fields * bits, upto, err));
	ent_sx_ring_sub_in(&r->x, &run, w);
	ent_sx_ring_add_const(&r->x, &run, thresholds);
	ENT_TRY(ent_sx_a2b(&r->x, &run, (unsigned)fields * bits, before, err));
	return ent_sx_copy_down(&r->x, &f->part[ENT_FIRST], before, err);
}

/* enough = 1 where the group's count reaches the threshold (meant for last rows). */
static int reaches(struct ent_run *r, const struct ent_bits *upto, const struct ent_bits *before, size_t field, struct ent_bits *ret,
		   struct ent_err *err)
{
	unsigned bits = r->p->count_bits;
	ENT_BITS_AUTO less = { 0 };
	struct ent_bits a = ent_sx_view(upto, (unsigned)field * bits, bits), b = ent_sx_view(before, (unsigned)field * bits, bits);
	ENT_TRY(ent_sx_lt(&r->x, &a, &b, false, &less, err));
	return ent_sx_not(&r->x, &less, ret, err);
}

static int repeat_row(struct ent_run *r, const struct ent_bits *one, size_t rows, struct ent_bits *ret, struct ent_err *err)
{
	uint32_t *at = r->x.m ? calloc(rows + 1, sizeof *at) : NULL;
	if (r->x.m && !at)
		return ent_nomem(err);
	int code = ent_sx_gather(&r->x, one, at, rows, ret, err);
	free(at);
	return code;
}

static int or_anti(struct ent_run *r, size_t rel, struct ent_bits *enough, struct ent_err *err)
{
	ENT_BITS_AUTO all = { 0 };
	struct ent_bits either = { 0 };
	ENT_TRY(repeat_row(r, &r->anti[rel], enough->rows, &all, err));
	ENT_TRY(ent_sx_or(&r->x, enough, &all, &either, err));
	ent_bits_deinit(enough);
	*enough = either;
	return 0;
}

static int apply_tests(struct ent_run *r, struct ent_frame *f, const struct test *tests, size_t n, struct ent_bits *lone, size_t word,
		       const struct ent_bits *upto, const struct ent_bits *before, struct ent_err *err)
{
	unsigned per_word = 64 / r->p->count_bits;
	for (size_t i = 0; i < per_word && word * per_word + i < n; i++) {
		ENT_BITS_AUTO enough = { 0 };
		const struct test *t = &tests[word * per_word + i];
		ENT_TRY(reaches(r, upto, before, i, &enough, err));
		if (t->anti >= 0)
			ENT_TRY(or_anti(r, (size_t)t->anti, &enough, err));
		if (t->lone) { /* remember "at least one" for the next test */
			ent_bits_deinit(lone);
			*lone = ent_bits_take(&enough);
			continue;
		}
		if (lone->planes) { /* none, or enough */
			ENT_BITS_AUTO none = { 0 };
			struct ent_bits either = { 0 };
			ENT_TRY(ent_sx_not(&r->x, lone, &none, err));
			ENT_TRY(ent_sx_or(&r->x, &none, &enough, &either, err));
			ent_bits_deinit(&enough);
			enough = either;
			ent_bits_deinit(lone);
			*lone = (struct ent_bits){ 0 };
		}
		ENT_TRY(ent_group_and(r, f, ENT_KEEP, &enough, err));
	}
	return 0;
}

/* The bit of a group's last row, on all its rows: a copy upwards. */
static int spread_up(struct ent_run *r, const struct ent_bits *last, const struct ent_bits *bit, struct ent_bits *ret, struct ent_err *err)
{
	ENT_BITS_AUTO stop = { 0 };
	ENT_BITS_AUTO up = { 0 };
	ENT_TRY(ent_sx_reverse(&r->x, last, &stop, err));
	ENT_TRY(ent_sx_reverse(&r->x, bit, &up, err));
	ENT_TRY(ent_sx_copy_down(&r->x, &stop, &up, err));
	return ent_sx_reverse(&r->x, &up, ret, err);
}

static int keep_tested(struct ent_run *r, struct ent_frame *f, const struct test *tests, size_t n, struct ent_err *err)
{
	unsigned parts[4 * ENT_RELS_PARTS];
	struct ent_rings_auto rings = { .n = 4 * ENT_RELS_PARTS };
	ENT_CLEANUP(ent_rings_deinit) struct ent_rings_auto *all = &rings;
	size_t words = 0;
	ENT_BITS_AUTO lone = { 0 };
	for (size_t i = 0; i < n; i++)
		parts[i] = ENT_PART_FLAG(tests[i].flag);
	ENT_TRY(ent_group_counts(r, f, parts, n, all->at, &words, err));
	for (size_t w = 0; w < words; w++) {
		ENT_BITS_AUTO upto = { 0 };
		ENT_BITS_AUTO before = { 0 };
		ENT_TRY(running_counts(r, f, tests, n, w, &all->at[w], &upto, &before, err));
		ENT_TRY(apply_tests(r, f, tests, n, &lone, w, &upto, &before, err));
	}
	return 0;
}

int ent_group_keep(struct ent_run *r, struct ent_frame *f, struct ent_err *err)
{
	struct test tests[4 * ENT_RELS_PARTS];
	size_t n = list_tests(r->p, tests);
	struct ent_bits keep = { 0 };
	ENT_TRY(ent_sx_dup(&r->x, &f->part[ENT_LAST], &keep, err));
	ent_frame_put(f, ENT_KEEP, &keep);
	if (!n)
		return 0;
#ifndef ENT_MUTANT_MIN_GROUP_SKIPPED
	ENT_TRY(keep_tested(r, f, tests, n, err));
#endif
	if (r->p->n_labels) {
		struct ent_bits stays = { 0 };
		ENT_TRY(spread_up(r, &f->part[ENT_LAST], &f->part[ENT_KEEP], &stays, err));
		ent_frame_put(f, ENT_STAYS, &stays);
	}
	return ent_sx_step(&r->x, "mpc", NULL, f->rows, err, "minimum groups: distinct rows of each protected table against its k");
}

/* ---- rule 6 ---- */

/* Rows of rel as bits over joined rows: those in dropped groups, all, and those under the conditions that the guard counts by. */
struct row_bits {
	struct ent_bits dropped, all, under[ENT_CONDS_MAX];
};

static void row_bits_deinit(struct row_bits *b)
{
	ent_bits_deinit(&b->dropped);
	ent_bits_deinit(&b->all);
	for (size_t i = 0; i < ENT_CONDS_MAX; i++)
		ent_bits_deinit(&b->under[i]);
}

static int or_run(struct ent_run *r, const struct ent_bits *first, const struct ent_bits *last, struct ent_bits *bit, struct ent_err *err)
{
	ENT_BITS_AUTO own = { 0 };
	struct ent_bits t = { 0 };
	ENT_TRY(ent_sx_dup(&r->x, bit, &own, err));
	ENT_TRY(ent_sx_run_or(&r->x, first, &own, err));
	ENT_TRY(ent_sx_and(&r->x, &own, last, &t, err));
	ent_bits_deinit(bit);
	*bit = t;
	return 0;
}

/* One bit per row of rel instead of one per joined row. */
static int once_per_row(struct ent_run *r, struct ent_frame *f, size_t rel, struct row_bits *b, struct ent_err *err)
{
	if (!r->p->rels[rel].wants_id)
		return 0;
	ENT_FRAME_AUTO t = { .rows = f->rows };
	const unsigned id = ENT_PART_ID(rel);
	ENT_BITS_AUTO same = { 0 };
	ENT_BITS_AUTO first = { 0 };
	ENT_BITS_AUTO last = { 0 };
	ENT_TRY(ent_sx_dup(&r->x, &f->part[id], &t.part[id], err));
	ent_frame_put(&t, ENT_KEEP, &b->dropped);
	ent_frame_put(&t, ENT_STAYS, &b->all);
	for (unsigned c = 0; c < ENT_CONDS_MAX; c++)
		if (b->under[c].planes)
			ent_frame_put(&t, ENT_PART_COND(c), &b->under[c]);
	ENT_TRY(ent_frame_sort(&r->x, &t, &id, 1, err));
	ENT_TRY(ent_sx_same(&r->x, &t.part[id], &same, err));
	ENT_TRY(ent_sx_not(&r->x, &same, &first, err));
	ENT_TRY(ent_sx_shift_up(&r->x, &first, true, &last, err));
	ENT_TRY(or_run(r, &first, &last, &t.part[ENT_KEEP], err));
	ENT_TRY(or_run(r, &first, &last, &t.part[ENT_STAYS], err));
	b->dropped = ent_bits_take(&t.part[ENT_KEEP]);
	b->all = ent_bits_take(&t.part[ENT_STAYS]);
	for (unsigned c = 0; c < ENT_CONDS_MAX; c++)
		if (ent_frame_has(&t, ENT_PART_COND(c))) {
			ENT_TRY(or_run(r, &first, &last, &t.part[ENT_PART_COND(c)], err));
			b->under[c] = ent_bits_take(&t.part[ENT_PART_COND(c)]);
		}
	return ent_sx_step(&r->x, "mpc", NULL, f->rows, err, "sort by row of %s: each counts once", r->p->query->rels[rel].alias);
}

static int count_ones(struct ent_run *r, const struct ent_bits *rows, struct ent_bits *ret, struct ent_err *err)
{
	ENT_RING_AUTO ones = { 0 };
	ENT_RING_AUTO sum = { 0 };
	ENT_TRY(ent_sx_b2a_bits(&r->x, rows, &ones, err));
	ENT_TRY(ent_sx_ring_sum(&r->x, &ones, &sum, err));
	return ent_sx_a2b(&r->x, &sum, r->p->count_bits, ret, err);
}

static int some(struct ent_run *r, const struct ent_bits *n, struct ent_bits *ret, struct ent_err *err)
{
	ENT_BITS_AUTO none = { 0 };
	ENT_TRY(ent_sx_eq_const(&r->x, n, 0, &none, err));
	return ent_sx_not(&r->x, &none, ret, err);
}

static int or_in(struct ent_run *r, struct ent_bits *acc, struct ent_bits *with, struct ent_err *err)
{
	struct ent_bits t = { 0 };
	if (acc->planes)
		ENT_TRY(ent_sx_or(&r->x, acc, with, &t, err));
	else
		t = ent_bits_take(with);
	ent_bits_deinit(acc);
	*acc = t;
	return 0;
}

/* Valid, counted, matched joined rows of rel: in dropped groups, and all. */
static int rows_of(struct ent_run *r, struct ent_frame *f, size_t rel, struct row_bits *ret, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	ENT_BITS_AUTO gone = { 0 };
	unsigned cond = base_cond(p, rel);
	const struct ent_bits *rows = cond ? &f->part[ENT_PART_COND(cond)] : &f->part[ENT_PART_VALID];
	if (p->rels[rel].mixed)
		ENT_TRY(ent_sx_and(&r->x, rows, &f->part[ENT_PART_COUNTS(rel)], &ret->all, err));
	else
		ENT_TRY(ent_sx_dup(&r->x, rows, &ret->all, err));
	ENT_TRY(ent_sx_not(&r->x, &f->part[ENT_STAYS], &gone, err));
	ENT_TRY(ent_sx_and(&r->x, &ret->all, &gone, &ret->dropped, err));
	for (size_t i = 0; i < p->n_seen; i++) {
		unsigned under = p->seen[i].cond;
		if (p->seen[i].rel == rel && under != cond && !ret->under[under].planes)
			ENT_TRY(ent_sx_and(&r->x, &ret->all, &f->part[ENT_PART_COND(under)], &ret->under[under], err));
	}
	return once_per_row(r, f, rel, ret, err);
}

/* Rule 7 compares selections as a whole, too: rows in dropped groups belong to them. */
static int seen_totals(struct ent_run *r, size_t rel, const struct row_bits *rows, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	for (size_t i = 0; i < p->n_seen; i++) {
		const struct ent_bits *under = &rows->under[p->seen[i].cond];
		if (p->seen[i].rel == rel)
			ENT_TRY(count_ones(r, under->planes ? under : &rows->all, &r->totals[i], err));
	}
	return 0;
}

/* 1 where any of the rows is; one row. */
int ent_group_any(struct ent_run *r, const struct ent_bits *rows, struct ent_bits *ret, struct ent_err *err)
{
	ENT_BITS_AUTO n = { 0 };
	ENT_TRY(count_ones(r, rows, &n, err));
	return some(r, &n, ret, err);
}

int ent_group_anti(struct ent_run *r, struct ent_frame *f, size_t rel, const struct ent_bits *matched, struct ent_err *err)
{
	ENT_CLEANUP(row_bits_deinit) struct row_bits rows = { 0 };
	ENT_BITS_AUTO n = { 0 };
	ENT_BITS_AUTO less = { 0 };
	if (r->p->rels[rel].mixed)
		ENT_TRY(ent_sx_and(&r->x, matched, &f->part[ENT_PART_COUNTS(rel)], &rows.all, err));
	else
		ENT_TRY(ent_sx_dup(&r->x, matched, &rows.all, err));
	ENT_TRY(ent_sx_dup(&r->x, &rows.all, &rows.dropped, err));
	ENT_TRY(once_per_row(r, f, rel, &rows, err));
	ENT_TRY(count_ones(r, &rows.all, &n, err));
#ifdef ENT_MUTANT_ANTI_FREE
	ENT_TRY(ent_sx_lt_const(&r->x, &n, 0, false, &less, err));
#else
	ENT_TRY(ent_sx_lt_const(&r->x, &n, r->p->rels[rel].k, false, &less, err));
#endif
	ENT_TRY(ent_sx_not(&r->x, &less, &r->anti[rel], err));
	return ent_sx_step(&r->x, "mpc", NULL, f->rows, err, "anti-join: rows of %s matched over the whole join against its k",
			   r->p->query->rels[rel].alias);
}

int ent_group_remainder(struct ent_run *r, struct ent_frame *f, struct ent_bits *ret_bad, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	ENT_BITS_AUTO bad = { 0 };
	for (size_t rel = 0; rel < p->n_rels && p->n_labels; rel++) {
		ENT_CLEANUP(row_bits_deinit) struct row_bits rows = { 0 };
		ENT_BITS_AUTO n = { 0 };
		ENT_BITS_AUTO less = { 0 };
		ENT_BITS_AUTO any = { 0 };
		ENT_BITS_AUTO few = { 0 };
		if (!p->rels[rel].is_protected)
			continue;
		ENT_TRY(rows_of(r, f, rel, &rows, err));
		ENT_TRY(count_ones(r, &rows.dropped, &n, err));
		ENT_TRY(seen_totals(r, rel, &rows, err));
		ENT_TRY(ent_sx_lt_const(&r->x, &n, p->rels[rel].k, false, &less, err));
		ENT_TRY(some(r, &n, &any, err));
		ENT_TRY(ent_sx_and(&r->x, &less, &any, &few, err));
		ENT_TRY(or_in(r, &bad, &few, err));
		ENT_TRY(or_in(r, &r->dropped, &any, err));
	}
#ifndef ENT_MUTANT_REMAINDER_SKIPPED
	if (p->remainder)
		*ret_bad = ent_bits_take(&bad);
#endif
	return 0;
}

static int pair_rows(struct ent_run *r, const struct ent_bits *a, size_t offset, size_t n, struct ent_bits *ret, struct ent_err *err)
{
	uint32_t *at = r->x.m ? ent_alloc(n + 1, sizeof *at) : NULL;
	if (r->x.m && !at)
		return ent_nomem(err);
	for (size_t i = 0; at && i < n; i++)
		at[i] = (uint32_t)(2 * i + offset);
	int code = ent_sx_gather(&r->x, a, at, n, ret, err);
	free(at);
	return code;
}

/* One round of the tournament: the smaller key of each pair, the first on ties; an odd row goes on alone. */
static int halve(struct ent_run *r, struct ent_bits *a, unsigned key_first, struct ent_err *err)
{
	size_t n = a->rows / 2;
	ENT_BITS_AUTO even = { 0 };
	ENT_BITS_AUTO odd = { 0 };
	ENT_BITS_AUTO less = { 0 };
	struct ent_bits won = { 0 };
	ENT_TRY(pair_rows(r, a, 0, n, &even, err));
	ENT_TRY(pair_rows(r, a, 1, n, &odd, err));
	struct ent_bits ke = ent_sx_view(&even, key_first, a->planes - key_first), ko = ent_sx_view(&odd, key_first, a->planes - key_first);
	ENT_TRY(ent_sx_lt(&r->x, &ko, &ke, false, &less, err));
	ENT_TRY(ent_sx_mux(&r->x, &less, &odd, &even, &won, err));
	if (a->rows % 2) {
		ENT_BITS_AUTO rest = { 0 };
		ENT_BITS_AUTO pairs = ent_bits_take(&won);
		ENT_TRY(ent_sx_range(&r->x, a, a->rows - 1, 1, &rest, err));
		ENT_TRY(ent_sx_append(&r->x, &pairs, &rest, &won, err));
	}
	ent_bits_deinit(a);
	*a = won;
	return 0;
}

static int field(struct ent_run *r, const struct ent_ring *rings, size_t flag, struct ent_bits *word, struct ent_bits *ret, struct ent_err *err)
{
	unsigned bits = r->p->count_bits, per_word = 64 / bits, at = (unsigned)(flag % per_word) * bits;
	ENT_TRY(ent_sx_a2b(&r->x, &rings[flag / per_word], at + bits, word, err));
	*ret = ent_sx_view(word, at, bits);
	return 0;
}

/* Drops the kept group with the fewest joined rows, the first in sort order on ties, when bad is 1. */
static int drop_smallest(struct ent_run *r, struct ent_frame *f, const struct ent_ring *rings, const struct ent_bits *bad, struct ent_err *err)
{
	unsigned id_bits = ent_joint_log2(f->rows);
	ENT_BITS_AUTO index = { 0 };
	ENT_BITS_AUTO word = { 0 };
	ENT_BITS_AUTO gone = { 0 };
	ENT_BITS_AUTO best = { 0 };
	struct ent_bits count;
	ENT_TRY(field(r, rings, flag_at(r->p, ENT_FLAG_ROWS, 0, false), &word, &count, err));
	ENT_TRY(ent_sx_index(&r->x, f->rows, id_bits, &index, err));
	ENT_TRY(ent_sx_not(&r->x, &f->part[ENT_KEEP], &gone, err));
	const struct ent_bits *parts[3] = { &index, &count, &gone };
	ENT_TRY(ent_sx_stack(&r->x, parts, 3, &best, err));
	while (best.rows > 1)
		ENT_TRY(halve(r, &best, id_bits, err));
	ENT_BITS_AUTO drop = { 0 };
	ENT_BITS_AUTO winner = { 0 };
	ENT_BITS_AUTO is_it = { 0 };
	ENT_BITS_AUTO drops = { 0 };
	ENT_BITS_AUTO keep = { 0 };
	struct ent_bits which = ent_sx_view(&best, 0, id_bits);
	ENT_TRY(repeat_row(r, &which, f->rows, &winner, err));
	ENT_TRY(repeat_row(r, bad, f->rows, &drops, err));
	ENT_TRY(ent_sx_eq(&r->x, &index, &winner, &is_it, err));
	ENT_TRY(ent_sx_and(&r->x, &is_it, &drops, &drop, err));
	ENT_TRY(ent_sx_not(&r->x, &drop, &keep, err));
	ENT_TRY(ent_group_and(r, f, ENT_KEEP, &keep, err));
	return ent_sx_step(&r->x, "mpc", NULL, f->rows, err, "remainder: drop one more group when too few rows would stand out");
}

/* ---- rule 4 and what opens ---- */

struct cells {
	struct ent_bits word[ENT_ROWS_RINGS_MAX]; /* counts as planes */
};

static void cells_deinit(struct cells *c)
{
	for (size_t i = 0; i < ENT_COUNT(c->word); i++)
		ent_bits_deinit(&c->word[i]);
}

static struct ent_bits count_view(const struct ent_run *r, const struct cells *c, size_t flag)
{
	unsigned bits = r->p->count_bits, per_word = 64 / bits;
	return ent_sx_view(&c->word[flag / per_word], (unsigned)(flag % per_word) * bits, bits);
}

static int and_ok(struct ent_run *r, struct ent_bits *ok, struct ent_bits *with, struct ent_err *err)
{
	struct ent_bits t = { 0 };
	if (!ok->planes) {
		*ok = ent_bits_take(with);
		return 0;
	}
	ENT_TRY(ent_sx_and(&r->x, ok, with, &t, err));
	ent_bits_deinit(ok);
	*ok = t;
	return 0;
}

/* count >= k, or with `or_none` also count = 0 */
static int need_count(struct ent_run *r, const struct cells *c, size_t flag, uint32_t k, bool or_none, struct ent_bits *ok, struct ent_err *err)
{
	struct ent_bits n = count_view(r, c, flag);
	ENT_BITS_AUTO less = { 0 };
	ENT_BITS_AUTO enough = { 0 };
	ENT_TRY(ent_sx_lt_const(&r->x, &n, k, false, &less, err));
	ENT_TRY(ent_sx_not(&r->x, &less, &enough, err));
	if (or_none) {
		ENT_BITS_AUTO none = { 0 };
		struct ent_bits t = { 0 };
		ENT_TRY(ent_sx_eq_const(&r->x, &n, 0, &none, err));
		ENT_TRY(ent_sx_or(&r->x, &none, &enough, &t, err));
		ent_bits_deinit(&enough);
		enough = t;
	}
	return and_ok(r, ok, &enough, err);
}

static int cell_ok(struct ent_run *r, const struct cells *c, const struct ent_jagg *a, struct ent_bits *ok, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	bool count = a->expr->agg == ENT_AGG_COUNT || a->expr->agg == ENT_AGG_COUNT_STAR;
	if (!count && (a->cond || !p->n_labels)) /* no row entered: NULL */
		ENT_TRY(need_count(r, c, flag_at(p, ENT_FLAG_ROWS, a->cond, false), 1, false, ok, err));
#ifndef ENT_MUTANT_CELL_UNCHECKED
	for (size_t rel = 0; rel < p->n_rels && a->guarded; rel++) {
		if (!p->rels[rel].is_protected)
			continue;
		ENT_TRY(need_count(r, c, flag_at(p, (int)rel, a->cond, false), p->rels[rel].k, false, ok, err));
		for (size_t s = 0; s < a->n_selectors; s++) {
			ENT_TRY(need_count(r, c, flag_at(p, (int)rel, a->selectors[s], false), p->rels[rel].k, false, ok, err));
			ENT_TRY(need_count(r, c, flag_at(p, (int)rel, a->selectors[s], true), p->rels[rel].k, true, ok, err));
		}
	}
#endif
	return 0;
}

static int masked_sum(struct ent_run *r, const struct ent_ring *sum, const struct ent_bits *ok, struct ent_bits *ret, struct ent_err *err)
{
	if (!ok->planes)
		return ent_sx_a2b(&r->x, sum, 64, ret, err);
	ENT_RING_AUTO bit = { 0 };
	ENT_RING_AUTO t = { 0 };
	ENT_TRY(ent_sx_b2a_bits(&r->x, ok, &bit, err));
	ENT_TRY(ent_sx_mul(&r->x, sum, &bit, &t, err));
	return ent_sx_a2b(&r->x, &t, 64, ret, err);
}

static int masked_count(struct ent_run *r, const struct cells *c, const struct ent_jagg *a, const struct ent_bits *ok, struct ent_bits *ret,
			struct ent_err *err)
{
	struct ent_bits n = count_view(r, c, flag_at(r->p, ENT_FLAG_ROWS, a->cond, false));
	return ok->planes ? ent_sx_and(&r->x, &n, ok, ret, err) : ent_sx_dup(&r->x, &n, ret, err);
}

static int finish_agg(struct ent_run *r, struct ent_frame *f, const struct cells *c, size_t i, const struct ent_ring *sum, struct ent_err *err)
{
	const struct ent_jagg *a = &r->p->aggs[i];
	enum ent_agg agg = a->expr->agg;
	ENT_BITS_AUTO ok = { 0 };
	struct ent_bits t = { 0 };
	ENT_TRY(cell_ok(r, c, a, &ok, err));
	if (sum) {
		ENT_TRY(masked_sum(r, sum, &ok, &t, err));
		ent_frame_put(f, ENT_PART_ARG(i), &t);
	} else if (ent_frame_has(f, ENT_PART_ARG(i)) && ok.planes) {
		ENT_TRY(ent_group_and(r, f, ENT_PART_ARG(i), &ok, err));
	}
	if (agg == ENT_AGG_COUNT || agg == ENT_AGG_COUNT_STAR || agg == ENT_AGG_AVG) {
		ENT_TRY(masked_count(r, c, a, &ok, &t, err));
		ent_frame_put(f, ENT_PART_FLAG(i), &t);
	}
	if (ok.planes)
		ent_frame_put(f, ENT_PART_COND(i), &ok);
	return 0;
}

static int finish_aggs(struct ent_run *r, struct ent_frame *f, const struct ent_rows *rows, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	unsigned per_word = 64 / p->count_bits;
	size_t words = (p->n_flags + per_word - 1) / per_word, ring = words;
	ENT_CLEANUP(cells_deinit) struct cells c = { 0 };
	for (size_t i = 0; i < words; i++)
		ENT_TRY(ent_sx_a2b(&r->x, &rows->ring[i], per_word * p->count_bits, &c.word[i], err));
	for (size_t i = 0; i < p->n_aggs; i++) {
		bool sum = p->aggs[i].expr->agg == ENT_AGG_SUM || p->aggs[i].expr->agg == ENT_AGG_AVG;
		ENT_TRY(finish_agg(r, f, &c, i, sum ? &rows->ring[ring] : NULL, err));
		ring += sum;
	}
	for (size_t i = 0; i < p->n_seen; i++) { /* what the differencing guard compares */
		struct ent_bits own = { 0 }, n = count_view(r, &c, flag_at(p, (int)p->seen[i].rel, p->seen[i].cond, false));
		ENT_TRY(ent_sx_dup(&r->x, &n, &own, err));
		ent_frame_put(f, ENT_PART_SEEN(i), &own);
	}
	return 0;
}

/* The smallest group goes before anything opens; then shuffle, open who stays, and only those rows go on. */
int ent_group_release(struct ent_run *r, struct ent_frame *f, struct ent_rows *rows, const struct ent_frame_layout *l, struct ent_bits *bad,
		      struct ent_err *err)
{
	ENT_BITS_AUTO keep = { 0 };
	struct ent_frame_layout layout = *l;
	ent_frame_unpack(f, l, rows);
	if (bad->planes)
		ENT_TRY(drop_smallest(r, f, rows->ring, bad, err));
	ENT_TRY(ent_sx_dup(&r->x, &f->part[ENT_KEEP], &keep, err));
	struct ent_rows packed = { 0 };
	ENT_TRY(ent_frame_pack(&r->x, f, NULL, 0, &layout, &packed, err));
	rows->rows = packed.rows;
	rows->bits = packed.bits;
	ENT_TRY(ent_sx_filter(&r->x, released, SIZE_MAX, rows, &keep, err));
	ent_frame_unpack(f, &layout, rows);
	ent_frame_drop(f, ENT_KEEP);
	ENT_TRY(ent_sx_step(&r->x, "mpc", released.what, rows->rows, err, "keep released groups only"));
	return rows->rows ? finish_aggs(r, f, rows, err) : 0;
}
