/* Segmented prefixes as a Sklansky scan: at level d every row with bit d of its number set takes in the last row of the block below. Only half of the
 * rows work at a level; they are packed together first, so that only their bits travel. */
#include "mpc/compare.h"
#include "mpc/engine.h"
#include "mpc/gate.h"
#include "mpc/sort.h"

/* Lanes with bit d of their position set, d < 6. */
static const uint64_t upper[6] = { 0xaaaaaaaaaaaaaaaaull, 0xccccccccccccccccull, 0xf0f0f0f0f0f0f0f0ull,
				   0xff00ff00ff00ff00ull, 0xffff0000ffff0000ull, 0xffffffff00000000ull };

/* Words that hold the working half of `words` words at level d. */
size_t ent_half_words(size_t words, unsigned d)
{
	if (d < 6)
		return (words + 1) / 2;
	size_t run = (size_t)1 << (d - 6), full = words / (2 * run) * run, rest = words % (2 * run);
	return full + (rest > run ? rest - run : 0);
}

/* Calls for each run of whole words at level d >= 6: words [at, at+n) work, their bits go to or come from word `packed` of the packed form. */
struct run {
	size_t at, n, packed;
};

static bool next_run(struct run *r, size_t words, unsigned d)
{
	size_t length = (size_t)1 << (d - 6);
	r->packed += r->n;
	r->at = r->n ? r->at + 2 * length : length;
	r->n = r->at < words ? (words - r->at < length ? words - r->at : length) : 0;
	return r->n;
}

/* The working rows' own bits, packed. */
static void half_take(const uint64_t *x, size_t words, unsigned d, uint64_t *out)
{
	if (d < 6)
		for (size_t w = 0; w < words; w += 2)
			out[w / 2] = (x[w] & upper[d]) | (w + 1 < words ? (x[w + 1] & upper[d]) >> (1u << d) : 0);
	else
		for (struct run r = { 0 }; next_run(&r, words, d);)
			memcpy(out + r.packed, x + r.at, r.n * 8);
}

static void half_give(const uint64_t *in, size_t words, unsigned d, uint64_t *x)
{
	if (d >= 6) {
		for (struct run r = { 0 }; next_run(&r, words, d);)
			memcpy(x + r.at, in + r.packed, r.n * 8);
		return;
	}
	for (size_t w = 0; w < words; w += 2) {
		x[w] = (x[w] & ~upper[d]) | (in[w / 2] & upper[d]);
		if (w + 1 < words)
			x[w + 1] = (x[w + 1] & ~upper[d]) | (in[w / 2] << (1u << d) & upper[d]);
	}
}

/* For each working row the bit of the last row of the block below. */
static uint64_t spread(uint64_t x, unsigned d)
{
	uint64_t last = x & (~upper[d] & (upper[d] >> 1)); /* top lane of each lower half */
	return (last << 1) * ((1ull << (1u << d)) - 1);
}

static void half_below(const uint64_t *x, size_t words, unsigned d, uint64_t *out)
{
	if (d < 6)
		for (size_t w = 0; w < words; w += 2)
			out[w / 2] = spread(x[w], d) | (w + 1 < words ? spread(x[w + 1], d) >> (1u << d) : 0);
	else
		for (struct run r = { 0 }; next_run(&r, words, d);)
			for (size_t i = 0; i < r.n; i++)
				out[r.packed + i] = 0 - (x[r.at - 1] >> 63);
}

typedef void (*half_fn)(const uint64_t *x, size_t words, unsigned d, uint64_t *out);

static int halves(struct ent_mpc *m, const struct ent_bits *x, unsigned d, half_fn fn, struct ent_bits *ret, struct ent_err *err)
{
	size_t words = ent_words(x->rows);
	ENT_TRY(ent_bits_make(m, ent_half_words(words, d) * 64, x->planes, ret, err));
	for (int j = 0; j < 2; j++)
		for (unsigned k = 0; k < x->planes; k++)
			fn(plane(x, j, k), words, d, plane(ret, j, k));
	return 0;
}

static void put_back(const struct ent_bits *half, unsigned d, struct ent_bits *x)
{
	for (int j = 0; j < 2; j++)
		for (unsigned k = 0; k < x->planes; k++)
			half_give(plane(half, j, k), ent_words(x->rows), d, plane(x, j, k));
}

/* What both scans need at a level: own and lower values, own and lower transparency (1 = no stop yet). */
struct level {
	struct ent_bits v, below, open, open_below;
};

static void level_deinit(struct level *l)
{
	ent_bits_deinit(&l->v);
	ent_bits_deinit(&l->below);
	ent_bits_deinit(&l->open);
	ent_bits_deinit(&l->open_below);
}

static int level_take(struct ent_mpc *m, const struct ent_bits *x, const struct ent_bits *open, unsigned d, struct level *l, struct ent_err *err)
{
	ENT_TRY(halves(m, x, d, half_take, &l->v, err));
	ENT_TRY(halves(m, x, d, half_below, &l->below, err));
	ENT_TRY(halves(m, open, d, half_take, &l->open, err));
	return halves(m, open, d, half_below, &l->open_below, err);
}

/* One round: v = cond ? below : v in place, and, when asked, open &= open_below. */
static int choose(struct ent_mpc *m, struct level *l, const struct ent_bits *cond, bool with_open, struct ent_err *err)
{
	ENT_CLEANUP(ent_mpc_scratch_free) struct scratch s = { 0 };
	unsigned n = l->v.planes;
	ENT_TRY(ent_mpc_scratch(m, n + 1, sizeof(struct gate), &s, err));
	struct gate *g = s.at;
	for (unsigned k = 0; k < n; k++) {
		g[k] = (struct gate){ .words = ent_words(l->v.rows) };
		for (int j = 0; j < 2; j++) {
			g[k].x[j] = g[k].w[j] = g[k].z[j] = plane(&l->v, j, k);
			g[k].xx[j] = plane(&l->below, j, k);
			g[k].y[j] = plane(cond, j, 0);
		}
	}
	g[n] = (struct gate){ .words = ent_words(l->v.rows) };
	for (int j = 0; j < 2; j++) {
		g[n].x[j] = g[n].z[j] = plane(&l->open, j, 0);
		g[n].y[j] = plane(&l->open_below, j, 0);
	}
	return ent_gates_and(m, g, n + with_open, err);
}

/* The transparency plane of a scan: 0 at stops and at row 0. */
static int transparency(struct ent_mpc *m, const struct ent_bits *stop, struct ent_bits *ret, struct ent_err *err)
{
	ENT_ASSERT(stop->planes == 1);
	ENT_TRY(ent_bits_not(m, stop, ret, err));
	for (int j = 0; j < 2 && stop->rows; j++)
		ret->c[j][0] &= ~(uint64_t)1;
	return 0;
}

static int copy_level(struct ent_mpc *m, struct ent_bits *open, struct ent_bits *x, unsigned d, struct ent_err *err)
{
	ENT_CLEANUP(level_deinit) struct level l = { 0 };
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits cond = { 0 };
	ENT_TRY(level_take(m, x, open, d, &l, err));
	ENT_TRY(ent_bits_dup(m, &l.open, &cond, err));
	ENT_TRY(choose(m, &l, &cond, true, err));
	put_back(&l.v, d, x);
	put_back(&l.open, d, open);
	return 0;
}

int ent_mpc_copy_down(struct ent_mpc *m, const struct ent_bits *stop, struct ent_bits *x, struct ent_err *err)
{
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits open = { 0 };
	ENT_ASSERT(stop->rows == x->rows);
	ENT_TRY(transparency(m, stop, &open, err));
	for (unsigned d = 0; (uint64_t)1 << d < x->rows; d++)
		ENT_TRY(copy_level(m, &open, x, d, err));
	return 0;
}

/* A row with value 1 can stop the scan as well: what flows down from it is 1 anyway. */
int ent_mpc_run_or(struct ent_mpc *m, const struct ent_bits *stop, struct ent_bits *x, struct ent_err *err)
{
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits either = { 0 };
	ENT_ASSERT(x->planes == 1);
	ENT_TRY(ent_mpc_or(m, stop, x, &either, err));
	return ent_mpc_copy_down(m, &either, x, err);
}

static int min_level(struct ent_mpc *m, struct ent_bits *open, struct ent_bits *x, unsigned d, bool max, struct ent_err *err)
{
	ENT_CLEANUP(level_deinit) struct level l = { 0 };
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits less = { 0 };
	struct ent_bits both[2] = { { 0 }, { 0 } };
	ENT_TRY(level_take(m, x, open, d, &l, err));
	ENT_TRY(ent_mpc_lt(m, max ? &l.v : &l.below, max ? &l.below : &l.v, false, &less, err));
	ENT_TRY(ent_mpc_and_batch(m, (struct ent_and[]){ { &less, &l.open }, { &l.open, &l.open_below } }, 2, both, err));
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits cond = both[0], still = both[1];
	ENT_TRY(choose(m, &l, &cond, false, err));
	put_back(&l.v, d, x);
	put_back(&still, d, open);
	return 0;
}

int ent_mpc_run_min(struct ent_mpc *m, const struct ent_bits *stop, struct ent_bits *x, bool max, struct ent_err *err)
{
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits open = { 0 };
	ENT_ASSERT(stop->rows == x->rows);
	ENT_TRY(transparency(m, stop, &open, err));
	for (unsigned d = 0; (uint64_t)1 << d < x->rows; d++)
		ENT_TRY(min_level(m, &open, x, d, max, err));
	return 0;
}
