/* The differencing guard (policy.md rule 7): what this job counts is compared, inside MPC, with what earlier jobs of the same requester counted,
 * and its filtered aggregates with each other. What is compared with what is the decision's; here it is carried out.
 *
 * Totals closer than k refuse the job (one opened bit per comparison). Cells with equal labels closer than k: for the question's own selection
 * the group is dropped (dropped groups open by their number), for a filtered aggregate its cell becomes NULL (nothing opens). Cells are dropped
 * after the remainder rule has run; they hold k rows or more, so the union of dropped groups stays large enough. */
#include <stdlib.h>

#include "joint/group.h"
#include "joint/guard_record.h"

static const struct ent_why compare_bit = { "differencing guard: one bit per comparison", ENT_PERMIT_FIXED };
static const struct ent_why cells_kept = { "differencing guard: number of cells that stay", ENT_PERMIT_FIXED };

struct guard {
	struct ent_run *r;
	struct ent_guard_record mine, *earlier;
	size_t n_earlier;
	struct ent_bits drop;                /* groups that go */
	struct ent_bits hide[ENT_CONDS_MAX]; /* cells of aggregates under a condition that become NULL */
};

static void guard_deinit(struct guard *g)
{
	for (size_t i = 0; i < g->n_earlier; i++)
		ent_guard_record_deinit(&g->earlier[i]);
	ent_bits_deinit(&g->drop);
	for (size_t i = 0; i < ENT_CONDS_MAX; i++)
		ent_bits_deinit(&g->hide[i]);
}

/* ---- comparing ---- */

/* 1 where |a - b| < k; one plane. */
static int close_counts(struct ent_run *r, const struct ent_bits *a, const struct ent_bits *b, uint32_t k, struct ent_bits *ret, struct ent_err *err)
{
	const unsigned bits = 63;
	ENT_RING_AUTO ra = { 0 };
	ENT_RING_AUTO rb = { 0 };
	ENT_BITS_AUTO diff = { 0 };
	ENT_BITS_AUTO low = { 0 };
	ENT_BITS_AUTO high = { 0 };
	ENT_BITS_AUTO above = { 0 };
	ENT_TRY(ent_sx_b2a(&r->x, a, false, &ra, err));
	ENT_TRY(ent_sx_b2a(&r->x, b, false, &rb, err));
	ent_sx_ring_sub_in(&r->x, &ra, &rb);
	ENT_TRY(ent_sx_a2b(&r->x, &ra, bits, &diff, err)); /* -k < diff < k */
	ENT_TRY(ent_sx_lt_const(&r->x, &diff, k, true, &low, err));
	ENT_TRY(ent_sx_lt_const(&r->x, &diff, (uint64_t)1 - k, true, &high, err));
	ENT_TRY(ent_sx_not(&r->x, &high, &above, err));
	return ent_sx_and(&r->x, &low, &above, ret, err);
}

static int refuse_close(struct ent_run *r, const char *job, const char *why, struct ent_err *err)
{
	struct ent_link *link;
	if (ent_joint_requester_party(r->p) < 0)
		ENT_TRY(ent_joint_tell_rows(r, UINT64_MAX, &link, err));
	ent_fail(err, ENT_EDENIED, "the answer would differ too little from that of job %s", job);
	ent_why(err, "%s", why);
	return ent_next(err, "ask for a selection that differs by more rows, or the same selection as before");
}

static int open_bit(struct ent_run *r, const struct ent_bits *bit, bool *ret, struct ent_err *err)
{
	uint64_t word = 0;
	ENT_TRY(ent_sx_open_bits(&r->x, compare_bit, bit, &word, err));
	*ret = word & 1;
	return 0;
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

/* Rows compare with rows, groups of a subquery with groups: one of those already stands for k rows. */
static uint32_t least(const struct ent_decision_guard *rule, const struct ent_guard_count *a) { return a->derived ? 1 : rule->k; }

static bool comparable(const struct ent_decision_guard *rule, const struct ent_guard_count *a, const struct ent_guard_count *b)
{
	return a->selection == rule->selection && b->selection == rule->other && a->derived == b->derived;
}

static int compare_totals(struct guard *g, const struct ent_decision_guard *rule, const struct ent_guard_record *c, struct ent_err *err)
{
	ENT_BITS_AUTO any = { 0 };
	bool bad;
	for (size_t i = 0; i < g->mine.n; i++)
		for (size_t j = 0; j < c->n; j++) {
			ENT_BITS_AUTO near = { 0 };
			const struct ent_guard_count *a = &g->mine.at[i], *b = &c->at[j];
			if (!comparable(rule, a, b))
				continue;
			ENT_TRY(close_counts(g->r, &a->total, &b->total, least(rule, a), &near, err));
			ENT_TRY(or_in(g->r, &any, &near, err));
		}
	if (!any.planes)
		return refuse_close(g->r, c->job, "what the earlier answer left does not count the rows of the same tables", err);
	ENT_TRY(open_bit(g->r, &any, &bad, err));
	return bad ? refuse_close(g->r, c->job, "fewer rows than the minimum group lie between the two selections", err) : 0;
}

static void free_indices(uint32_t **p) { free(*p); }

/* Pairs (i, j), i slow: row i of a repeated, or row j of b tiled. */
static int spread(struct ent_run *r, const struct ent_bits *x, size_t n, size_t m, bool slow, struct ent_bits *ret, struct ent_err *err)
{
	ENT_CLEANUP(free_indices) uint32_t *at = ent_alloc(n * m + 1, sizeof *at);
	if (!at)
		return ent_nomem(err);
	for (size_t i = 0; i < n * m; i++)
		at[i] = (uint32_t)(slow ? i / m : i % m);
	return ent_sx_gather(&r->x, x, at, n * m, ret, err);
}

/* OR over the m pairs of each row. */
static int fold_pairs(struct ent_run *r, struct ent_bits *pairs, size_t n, size_t m, struct ent_bits *ret, struct ent_err *err)
{
	ENT_CLEANUP(free_indices) uint32_t *at = ent_alloc(n + 1, sizeof *at);
	uint64_t *stops = ENT_NEWS(r->arena, ent_words(n * m) + 1, uint64_t);
	ENT_BITS_AUTO stop = { 0 };
	if (!at || !stops)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++) {
		stops[i * m / 64] |= (uint64_t)1 << (i * m % 64);
		at[i] = (uint32_t)(i * m + m - 1);
	}
	ENT_TRY(ent_sx_const(&r->x, n * m, 1, 0, &stop, err));
	ent_bits_xor_public(r->mpc, &stop, stops);
	ENT_TRY(ent_sx_run_or(&r->x, &stop, pairs, err));
	return ent_sx_gather(&r->x, pairs, at, n, ret, err);
}

static int match_labels(struct guard *g, struct ent_guard_record *c, struct ent_err *err)
{
	size_t n = g->mine.rows, m = c->rows;
	ENT_BITS_AUTO a = { 0 };
	ENT_BITS_AUTO b = { 0 };
	if (c->same.planes)
		return 0;
	if (g->mine.label_planes != c->label_planes || n > ((size_t)1 << 24) / m)
		return refuse_close(g->r, c->job, "the groups of the two jobs cannot be compared: bounds changed in between, or there are too many",
				    err);
	ENT_TRY(spread(g->r, &g->mine.labels, n, m, true, &a, err));
	ENT_TRY(spread(g->r, &c->labels, n, m, false, &b, err));
	return ent_sx_eq(&g->r->x, &a, &b, &c->same, err);
}

/* Cells of this job that some cell of the earlier one with equal labels comes close to. */
static int near_earlier(struct guard *g, const struct ent_guard_count *mine, const struct ent_guard_record *c, const struct ent_guard_count *theirs,
			uint32_t k, struct ent_bits *ret, struct ent_err *err)
{
	size_t n = g->mine.rows, m = c->rows;
	ENT_BITS_AUTO a = { 0 };
	ENT_BITS_AUTO b = { 0 };
	ENT_BITS_AUTO near = { 0 };
	ENT_BITS_AUTO both = { 0 };
	ENT_TRY(spread(g->r, &mine->counts, n, m, true, &a, err));
	ENT_TRY(spread(g->r, &theirs->counts, n, m, false, &b, err));
	ENT_TRY(close_counts(g->r, &a, &b, k, &near, err));
	ENT_TRY(ent_sx_and(&g->r->x, &near, &c->same, &both, err));
	return fold_pairs(g->r, &both, n, m, ret, err);
}

/* Where the cells that go are marked: the aggregates under a condition, or the whole group. */
static struct ent_bits *marks(struct guard *g, size_t at)
{
	const struct ent_jseen *seen = &g->r->p->seen[at];
	return g->r->p->in.decision->selections[seen->selection].filter ? &g->hide[seen->cond] : &g->drop;
}

/* c NULL: the other condition stands in this very job, and cells meet in one row. */
static int compare_cells(struct guard *g, const struct ent_decision_guard *rule, struct ent_guard_record *c, struct ent_err *err)
{
	const struct ent_guard_record *other = c ? c : &g->mine;
	if (c)
		ENT_TRY(match_labels(g, c, err));
	for (size_t i = 0; i < g->mine.n; i++)
		for (size_t j = 0; j < other->n; j++) {
			ENT_BITS_AUTO near = { 0 };
			const struct ent_guard_count *a = &g->mine.at[i], *b = &other->at[j];
			if (!comparable(rule, a, b))
				continue;
			if (c)
				ENT_TRY(near_earlier(g, a, c, b, least(rule, a), &near, err));
			else
				ENT_TRY(close_counts(g->r, &a->counts, &b->counts, least(rule, a), &near, err));
			ENT_TRY(or_in(g->r, marks(g, i), &near, err));
		}
	return 0;
}

static int compare_dropped(struct guard *g, const struct ent_guard_record *c, struct ent_err *err)
{
	ENT_BITS_AUTO any = { 0 };
	bool bad;
	if (!g->mine.grouped || !c->grouped)
		return 0;
	ENT_TRY(ent_sx_or(&g->r->x, &g->mine.dropped, &c->dropped, &any, err));
	ENT_TRY(open_bit(g->r, &any, &bad, err));
	return bad ? refuse_close(g->r, c->job, "the same rows under another GROUP BY, and one of the two hides small groups", err) : 0;
}

static int compare(struct guard *g, const struct ent_decision_guard *rule, struct ent_err *err)
{
	struct ent_guard_record *c = NULL;
	for (size_t i = 0; i < g->n_earlier && rule->job; i++)
		if (!strcmp(g->earlier[i].job, rule->job))
			c = &g->earlier[i];
	if (rule->job && (!c || rule->other_trio))
		return 0; /* it showed nothing (ent_guard_agree), or its shares lie elsewhere and the owner approved instead */
	switch (rule->kind) {
	case ENT_GUARD_DROPPED:
		return c ? compare_dropped(g, c, err) : 0;
	case ENT_GUARD_TOTAL:
		return c ? compare_totals(g, rule, c, err) : 0;
	case ENT_GUARD_CELLS:
#ifdef ENT_MUTANT_WITHIN_SKIPPED
		if (!c)
			return 0;
#endif
		return compare_cells(g, rule, c, err);
	case ENT_GUARD_NEVER:
		break;
	}
	return ent_fail(err, ENT_EINTERNAL, "the decision refuses this question");
}

/* ---- what follows ---- */

static bool under(const struct ent_jagg *a, unsigned cond)
{
	for (size_t i = 0; i < a->n_selectors; i++)
		if (a->selectors[i] == cond)
			return true;
	return false;
}

static int hide_agg(struct ent_run *r, struct ent_frame *f, size_t agg, const struct ent_bits *keep, struct ent_err *err)
{
	const unsigned parts[3] = { ENT_PART_ARG(agg), ENT_PART_FLAG(agg), ENT_PART_COND(agg) };
	ENT_ASSERT(ent_frame_has(f, ENT_PART_COND(agg))); /* rule 4 holds every aggregate with a condition */
	for (size_t i = 0; i < 3; i++)
		if (ent_frame_has(f, parts[i]))
			ENT_TRY(ent_group_and(r, f, parts[i], keep, err));
	return 0;
}

/* A hidden cell is a dropped one, for whoever asks the same rows by other groups. */
static int note_hidden(struct ent_run *r, const struct ent_bits *hidden, struct ent_err *err)
{
	ENT_BITS_AUTO any = { 0 };
	if (!r->dropped.planes)
		return 0;
	ENT_TRY(ent_group_any(r, hidden, &any, err));
	return or_in(r, &r->dropped, &any, err);
}

static int hide_cells(struct guard *g, struct ent_frame *f, struct ent_err *err)
{
	struct ent_run *r = g->r;
	for (unsigned cond = 0; cond < r->p->n_conds; cond++) {
		ENT_BITS_AUTO keep = { 0 };
		if (!g->hide[cond].planes)
			continue;
		ENT_TRY(ent_sx_not(&r->x, &g->hide[cond], &keep, err));
		for (size_t i = 0; i < r->p->n_aggs; i++)
			if (under(&r->p->aggs[i], cond))
				ENT_TRY(hide_agg(r, f, i, &keep, err));
		ENT_TRY(note_hidden(r, &g->hide[cond], err));
	}
	return 0;
}

static int drop_cells(struct guard *g, struct ent_frame *f, struct ent_err *err)
{
	struct ent_run *r = g->r;
	struct ent_bits keep = { 0 }, yes = { 0 };
	size_t before = f->rows;
	if (!g->drop.planes)
		return 0;
	ENT_TRY(ent_sx_not(&r->x, &g->drop, &keep, err));
	ent_frame_put(f, ENT_KEEP, &keep);
	ENT_TRY(ent_frame_filter(&r->x, f, ENT_KEEP, SIZE_MAX, cells_kept, err));
	if (f->rows == before)
		return 0;
	ENT_TRY(ent_sx_const(&r->x, 1, 1, 1, &yes, err));
	ent_bits_deinit(&r->dropped);
	r->dropped = yes;
	return 0;
}

/* Jobs that the decision wants compared here, each once. */
static size_t wanted_jobs(const struct ent_decision *d, const char **ret)
{
	size_t n = 0;
	for (size_t i = 0; i < d->n_guards; i++) {
		size_t k = 0;
		if (!d->guards[i].job || d->guards[i].other_trio)
			continue;
		while (k < n && strcmp(ret[k], d->guards[i].job) != 0)
			k++;
		if (k == n)
			ret[n++] = d->guards[i].job;
	}
	return n;
}

static int get_earlier(struct guard *g, struct ent_err *err)
{
	struct ent_run *r = g->r;
	const struct ent_decision *d = r->p->in.decision;
	const char **jobs = ENT_NEWS(r->arena, d->n_guards + 1, const char *);
	bool *kept = ENT_NEWS(r->arena, d->n_guards + 1, bool);
	const struct ent_joint_guard_blob **blobs = ENT_NEWS(r->arena, d->n_guards + 1, const struct ent_joint_guard_blob *);
	if (!jobs || !kept || !blobs)
		return ent_nomem(err);
	size_t n = wanted_jobs(d, jobs);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < r->env->n_guard; k++)
			if (!strcmp(r->env->guard[k].job, jobs[i]))
				blobs[i] = &r->env->guard[k];
	if (n)
		ENT_TRY(ent_guard_agree(r, jobs, blobs, n, kept, err));
	if (!(g->earlier = ENT_NEWS(r->arena, n + 1, struct ent_guard_record)))
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++) {
		if (!kept[i])
			continue;
		ENT_TRY(ent_guard_record_get(r, blobs[i], &g->earlier[g->n_earlier], err));
		g->n_earlier++;
	}
	return 0;
}

static int compare_all(struct ent_run *r, struct ent_frame *f, struct ent_err *err)
{
	const struct ent_decision *d = r->p->in.decision;
	struct guard *state = ENT_NEW(r->arena, struct guard);
	ENT_BITS_AUTO labels = { 0 };
	if (!state)
		return ent_nomem(err);
	state->r = r;
	ENT_TRY(ent_guard_labels(r, f, &labels, err));
	ent_guard_record_view(r, f, &labels, &state->mine);
	int code = get_earlier(state, err);
	for (size_t i = 0; i < d->n_guards && !code; i++)
		code = compare(state, &d->guards[i], err);
	code = code ? code : hide_cells(state, f, err);
	code = code ? code : drop_cells(state, f, err);
	guard_deinit(state);
	return code;
}

int ent_joint_guard(struct ent_run *r, struct ent_frame *f, struct ent_err *err)
{
	if (!r->env || !r->p->n_seen)
		return 0;
#ifndef ENT_MUTANT_GUARD_SKIPPED
	if (r->p->in.decision->n_guards)
		ENT_TRY(compare_all(r, f, err));
#endif
	ENT_BITS_AUTO labels = { 0 };
	struct ent_guard_record mine;
	if (!f->rows)
		return 0;
	ENT_TRY(ent_guard_labels(r, f, &labels, err));
	ent_guard_record_view(r, f, &labels, &mine);
	ENT_TRY(ent_guard_record_put(r, &mine, err));
	return ent_guard_keep_all(r, err);
}
