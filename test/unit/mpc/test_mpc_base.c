/* The operators of one column against plain arithmetic, on random columns of awkward lengths. */
#include "mpc/compare.h"
#include "mpc/convert.h"
#include "mpc/gate.h"
#include "mpc/input.h"
#include "mpc/open.h"
#include "mpc/shuffle.h"
#include "tap.h"
#include "trio.h"

#define ROWS_MAX 9000
#define FREE_BITS ENT_CLEANUP(ent_bits_deinit) struct ent_bits
#define FREE_RING ENT_CLEANUP(ent_ring_deinit) struct ent_ring
#define FREE_ROWS ENT_CLEANUP(ent_rows_deinit) struct ent_rows

static const struct ent_why RESULT = { "test", ENT_PERMIT_RESULT };

struct values {
	size_t rows;
	unsigned planes;
	uint64_t x[ROWS_MAX], y[ROWS_MAX], c;
	uint64_t xp[64 * 256], yp[64 * 256];
	uint64_t out[3][16][ROWS_MAX]; /* opened columns per party */
	struct ent_why why;
};

static uint64_t low(uint64_t v, unsigned bits) { return bits >= 64 ? v : v & (((uint64_t)1 << bits) - 1); }
static int64_t as_signed(uint64_t v, unsigned bits) { return (int64_t)(v << (64 - bits)) >> (64 - bits); }

static void fill(struct values *v, size_t rows, unsigned planes, uint64_t *seed)
{
	v->rows = rows;
	v->planes = planes;
	v->c = low(trio_next(seed), planes);
	for (size_t r = 0; r < rows; r++) {
		v->x[r] = low(trio_next(seed), planes);
		v->y[r] = trio_next(seed) % 4 ? low(trio_next(seed), planes) : trio_next(seed) % 2 ? v->x[r] : v->c;
		if (trio_next(seed) % 8 == 0)
			v->x[r] = v->c;
	}
	ent_planes_from_words(v->x, rows, planes, v->xp);
	ent_planes_from_words(v->y, rows, planes, v->yp);
}

/* x as planes and ring from party 0, y from party 1. */
static int inputs(struct ent_mpc *m, struct values *v, struct ent_rows *x, struct ent_rows *y, struct ent_err *err)
{
	struct ent_plain px = { v->rows, v->planes, 1, v->xp, { v->x } }, py = { v->rows, v->planes, 1, v->yp, { v->y } };
	ENT_TRY(ent_mpc_input(m, 0, &px, x, err));
	return ent_mpc_input(m, 1, &py, y, err);
}

static int open_words(struct ent_mpc *m, const struct ent_bits *x, uint64_t *out, struct ent_err *err)
{
	static _Thread_local uint64_t planes[64 * 256];
	ENT_TRY(ent_mpc_open_bits(m, RESULT, x, planes, err));
	ent_planes_to_words(planes, x->rows, x->planes, out);
	return 0;
}

static int gates(struct ent_mpc *m, int p, void *arg, struct ent_err *err)
{
	struct values *v = arg;
	FREE_ROWS x = { 0 };
	FREE_ROWS y = { 0 };
	FREE_BITS a = { 0 };
	FREE_BITS o = { 0 };
	FREE_BITS mux = { 0 };
	ENT_TRY(inputs(m, v, &x, &y, err));
	struct ent_bits cond = ent_bits_planes(&x.bits, 0, 1);
	ENT_TRY(ent_mpc_and(m, &x.bits, &y.bits, &a, err));
	ENT_TRY(ent_mpc_or(m, &x.bits, &y.bits, &o, err));
	ENT_TRY(ent_mpc_mux(m, &cond, &x.bits, &y.bits, &mux, err));
	ENT_TRY(open_words(m, &a, v->out[p][0], err));
	ENT_TRY(open_words(m, &o, v->out[p][1], err));
	ENT_TRY(open_words(m, &mux, v->out[p][2], err));
	FREE_BITS masked = { 0 };
	FREE_BITS any = { 0 };
	FREE_BITS all = { 0 };
	ENT_TRY(ent_mpc_and(m, &x.bits, &cond, &masked, err));
	ENT_TRY(ent_mpc_or_planes(m, &x.bits, &any, err));
	ENT_TRY(ent_mpc_and_planes(m, &x.bits, &all, err));
	ENT_TRY(open_words(m, &masked, v->out[p][3], err));
	ENT_TRY(open_words(m, &any, v->out[p][4], err));
	return open_words(m, &all, v->out[p][5], err);
}

static int compares(struct ent_mpc *m, int p, void *arg, struct ent_err *err)
{
	struct values *v = arg;
	FREE_ROWS x = { 0 };
	FREE_ROWS y = { 0 };
	FREE_BITS eq = { 0 };
	FREE_BITS eqc = { 0 };
	FREE_BITS lt = { 0 };
	FREE_BITS slt = { 0 };
	FREE_BITS ltc = { 0 };
	FREE_BITS sltc = { 0 };
	FREE_BITS same = { 0 };
	ENT_TRY(inputs(m, v, &x, &y, err));
	ENT_TRY(ent_mpc_eq(m, &x.bits, &y.bits, &eq, err));
	ENT_TRY(ent_mpc_eq_const(m, &x.bits, v->c, &eqc, err));
	ENT_TRY(ent_mpc_lt(m, &x.bits, &y.bits, false, &lt, err));
	ENT_TRY(ent_mpc_lt(m, &x.bits, &y.bits, true, &slt, err));
	ENT_TRY(ent_mpc_lt_const(m, &x.bits, v->c, false, &ltc, err));
	ENT_TRY(ent_mpc_lt_const(m, &x.bits, v->c, true, &sltc, err));
	ENT_TRY(ent_mpc_same_as_above(m, &x.bits, &same, err));
	const struct ent_bits *all[] = { &eq, &eqc, &lt, &slt, &ltc, &sltc, &same };
	for (size_t i = 0; i < ENT_COUNT(all); i++)
		ENT_TRY(open_words(m, all[i], v->out[p][i], err));
	return 0;
}

static int words(struct ent_mpc *m, int p, void *arg, struct ent_err *err)
{
	struct values *v = arg;
	FREE_ROWS x = { 0 };
	FREE_ROWS y = { 0 };
	FREE_RING mul = { 0 };
	FREE_RING dot = { 0 };
	FREE_RING bit = { 0 };
	FREE_RING word = { 0 };
	FREE_RING sword = { 0 };
	FREE_RING cut = { 0 };
	FREE_BITS bits = { 0 };
	ENT_TRY(inputs(m, v, &x, &y, err));
	struct ent_bits one = ent_bits_planes(&x.bits, v->planes / 2, 1);
	ENT_TRY(ent_mpc_mul(m, &x.ring[0], &y.ring[0], &mul, err));
	ENT_TRY(ent_mpc_dot(m, &x.ring[0], &y.ring[0], &dot, err));
	ENT_TRY(ent_mpc_b2a_bit(m, &one, &bit, err));
	ENT_TRY(ent_mpc_b2a(m, &x.bits, false, &word, err));
	ENT_TRY(ent_mpc_b2a(m, &x.bits, true, &sword, err));
	ENT_TRY(ent_mpc_trunc(m, &sword, 9, &cut, err));
	ENT_TRY(ent_mpc_a2b(m, &mul, v->planes, &bits, err));
	const struct ent_ring *all[] = { &mul, &bit, &word, &sword, &cut };
	for (size_t i = 0; i < ENT_COUNT(all); i++)
		ENT_TRY(ent_mpc_open_ring(m, RESULT, all[i], v->out[p][i], err));
	ENT_TRY(ent_mpc_open_ring(m, RESULT, &dot, v->out[p][5], err));
	return open_words(m, &bits, v->out[p][6], err);
}

static int shuffles(struct ent_mpc *m, int p, void *arg, struct ent_err *err)
{
	struct values *v = arg;
	FREE_ROWS x = { 0 };
	FREE_ROWS y = { 0 };
	uint64_t *ring[1] = { v->out[p][2] };
	ENT_TRY(inputs(m, v, &x, &y, err));
	for (int i = 0; i < 3; i++) {
		ENT_TRY(ent_mpc_shuffle(m, &x, err));
		ENT_TRY(open_words(m, &x.bits, v->out[p][0], err));
		ENT_TRY(ent_mpc_open_ring(m, RESULT, &x.ring[0], v->out[p][1], err));
	}
	static uint64_t planes[3][64 * 256];
	ENT_TRY(ent_mpc_open_rows_to(m, RESULT, 1, &x, p == 1 ? planes[1] : NULL, p == 1 ? ring : NULL, err));
	if (p == 1)
		ent_planes_to_words(planes[1], v->rows, v->planes, v->out[p][3]);
	return 0;
}

/* 7 x 5 times 5 x 11 out of the first rows of x and y. */
static int matrices(struct ent_mpc *m, int p, void *arg, struct ent_err *err)
{
	struct values *v = arg;
	FREE_ROWS x = { 0 };
	FREE_ROWS y = { 0 };
	FREE_RING z = { 0 };
	ENT_TRY(inputs(m, v, &x, &y, err));
	struct ent_ring a = ent_ring_view(&x.ring[0], 0, 35), b = ent_ring_view(&y.ring[0], 0, 55);
	ENT_TRY(ent_mpc_matmul(m, &a, &b, 7, 5, 11, &z, err));
	return ent_mpc_open_ring(m, RESULT, &z, v->out[p][0], err);
}

static size_t wrong_matrices(const struct values *v)
{
	size_t bad = 0;
	for (size_t r = 0; r < 7; r++)
		for (size_t c = 0; c < 11; c++) {
			uint64_t sum = 0;
			for (size_t k = 0; k < 5; k++)
				sum += v->x[r * 5 + k] * v->y[k * 11 + c];
			bad += v->out[2][0][r * 11 + c] != sum;
		}
	return bad;
}

static bool agree(const struct values *v, int column, size_t rows)
{
	return !memcmp(v->out[0][column], v->out[1][column], rows * 8) && !memcmp(v->out[0][column], v->out[2][column], rows * 8);
}

static size_t wrong_gates(const struct values *v)
{
	size_t bad = 0;
	for (size_t r = 0; r < v->rows; r++) {
		uint64_t x = v->x[r], y = v->y[r];
		bad += v->out[0][0][r] != (x & y);
		bad += v->out[0][1][r] != (x | y);
		bad += v->out[0][2][r] != (x & 1 ? x : y);
		bad += v->out[0][3][r] != (x & 1 ? x : 0);
		bad += v->out[0][4][r] != (x != 0);
		bad += v->out[0][5][r] != (x == low(~(uint64_t)0, v->planes));
	}
	for (int i = 0; i < 6; i++)
		bad += !agree(v, i, v->rows);
	return bad;
}

static size_t wrong_compares(const struct values *v)
{
	size_t bad = 0;
	for (size_t r = 0; r < v->rows; r++) {
		uint64_t x = v->x[r], y = v->y[r];
		bad += v->out[0][0][r] != (x == y);
		bad += v->out[0][1][r] != (x == v->c);
		bad += v->out[0][2][r] != (x < y);
		bad += v->out[0][3][r] != (as_signed(x, v->planes) < as_signed(y, v->planes));
		bad += v->out[0][4][r] != (x < v->c);
		bad += v->out[0][5][r] != (as_signed(x, v->planes) < as_signed(v->c, v->planes));
		bad += v->out[0][6][r] != (r > 0 && x == v->x[r - 1]);
	}
	for (int i = 0; i < 7; i++)
		bad += !agree(v, i, v->rows);
	return bad;
}

static size_t wrong_words(const struct values *v)
{
	size_t bad = 0;
	uint64_t dot = 0;
	for (size_t r = 0; r < v->rows; r++) {
		uint64_t x = v->x[r], y = v->y[r];
		dot += x * y;
		bad += v->out[0][0][r] != x * y;
		bad += v->out[0][1][r] != (x >> (v->planes / 2) & 1);
		bad += v->out[0][2][r] != x;
		bad += v->out[0][3][r] != (uint64_t)as_signed(x, v->planes);
		if (v->planes <= 62) {
			int64_t off = as_signed(x, v->planes) / 512 - (as_signed(x, v->planes) % 512 < 0) - (int64_t)v->out[0][4][r];
			bad += off != 0 && off != 1;
		}
		bad += v->out[0][6][r] != low(x * y, v->planes);
	}
	bad += v->out[0][5][0] != dot;
	for (int i = 0; i < 5; i++)
		bad += !agree(v, i, v->rows);
	return bad;
}

static int cmp_words(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static size_t wrong_shuffles(struct values *v)
{
	size_t bad = !agree(v, 0, v->rows) + !agree(v, 1, v->rows);
	bad += v->rows > 40 && !memcmp(v->out[0][0], v->x, v->rows * 8);
	for (size_t r = 0; r < v->rows; r++) /* columns stay together */
		bad += v->out[0][0][r] != v->out[0][1][r] || v->out[1][2][r] != v->out[0][1][r] || v->out[1][3][r] != v->out[0][0][r];
	qsort(v->x, v->rows, 8, cmp_words);
	qsort(v->out[0][0], v->rows, 8, cmp_words);
	return bad + !!memcmp(v->out[0][0], v->x, v->rows * 8);
}

int main(void)
{
	static const size_t sizes[] = { 1, 2, 63, 64, 65, 129, 2048, 2049, 4100, 8999 };
	static const unsigned planes[] = { 1, 2, 3, 8, 13, 32, 33, 62, 63, 64 };
	static struct values v;
	static struct trio t;
	uint64_t seed = trio_seed();
	for (size_t i = 0; i < ENT_COUNT(sizes); i++) {
		unsigned w = planes[(i + seed) % ENT_COUNT(planes)];
		fill(&v, sizes[i], w, &seed);
		t = (struct trio){ .fn = gates, .arg = &v, .options.record_prg = true };
		OK(!trio_run(&t) && !wrong_gates(&v), "gates, %zu rows, %u planes: %s", v.rows, w, t.err[0].what);
		t = (struct trio){ .fn = compares, .arg = &v, .options.record_prg = true };
		OK(!trio_run(&t) && !wrong_compares(&v), "comparisons, %zu rows, %u planes: %s", v.rows, w, t.err[0].what);
		t = (struct trio){ .fn = words, .arg = &v, .options.record_prg = true };
		OK(!trio_run(&t) && !wrong_words(&v), "words, %zu rows, %u planes: %s", v.rows, w, t.err[0].what);
		t = (struct trio){ .fn = shuffles, .arg = &v, .options.record_prg = true };
		OK(!trio_run(&t) && !wrong_shuffles(&v), "shuffle, %zu rows, %u planes: %s", v.rows, w, t.err[0].what);
	}
	t = (struct trio){ .fn = matrices, .arg = &v };
	OK(!trio_run(&t) && !wrong_matrices(&v), "a product of matrices: %s", t.err[0].what);
	return tap_done();
}
