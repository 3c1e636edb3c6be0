/* Every kernel this machine runs does what the portable one does, on random words and awkward lengths. */
#include "mpc/kernel.h"

#include "tap.h"
#include "trio.h"

#define N 700
static uint64_t in[8][N], a[4][N], b[4][N];

static void copy(uint64_t to[4][N])
{
	for (int i = 0; i < 4; i++)
		memcpy(to[i], in[i], sizeof in[i]);
}

static bool same(void) { return !memcmp(a, b, sizeof a); }

/* Runs one kernel function on both copies. */
#define BOTH(call_a, call_b) (copy(a), copy(b), call_a, call_b, same())

static void check(const struct ent_mpc_kernel *k, const struct ent_mpc_kernel *p, size_t n)
{
	uint64_t all = ~(uint64_t)0;
	bool ok = true;
	for (int mode = 0; mode < 4; mode++) {
		const uint64_t *xx0 = mode & 1 ? in[5] : NULL, *xx1 = mode & 1 ? in[6] : NULL, *w = mode & 2 ? in[7] : NULL;
		ok = ok && BOTH(k->and_tile(a[0], a[1], in[1], in[2], xx0, xx1, 0, all, in[3], in[4], w, n),
				p->and_tile(b[0], b[1], in[1], in[2], xx0, xx1, 0, all, in[3], in[4], w, n));
	}
	OK(ok, "%s: and, %zu words", k->name, n);
	OK(BOTH(k->mul_tile(a[0], a[1], in[4], in[5], in[6], in[7], n), p->mul_tile(b[0], b[1], in[4], in[5], in[6], in[7], n)), "%s: mul", k->name);
	OK(BOTH(k->lt_leaf(a[0], in[4], in[5], in[6], in[7], all, 0, a[1], a[2], a[3], n),
		p->lt_leaf(b[0], in[4], in[5], in[6], in[7], all, 0, b[1], b[2], b[3], n)),
	   "%s: leaves", k->name);
	size_t words = n / 8 + 1;
	ok = 8 * words > N ||
	     (BOTH(k->merge_g(a[0], a[1], in[5], in[6], in[7], 0, 4, words), p->merge_g(b[0], b[1], in[5], in[6], in[7], 0, 4, words)) &&
	      BOTH(k->merge_e(a[0], a[1], in[5], 1, 3, words), p->merge_e(b[0], b[1], in[5], 1, 3, words)));
	OK(ok, "%s: merges", k->name);
	ok = BOTH(k->xor_in(a[0], in[1], n), p->xor_in(b[0], in[1], n)) && BOTH(k->add_in(a[0], in[1], n), p->add_in(b[0], in[1], n)) &&
	     BOTH(k->sub_in(a[0], in[1], n), p->sub_in(b[0], in[1], n));
	OK(ok, "%s: xor, add, sub", k->name);
	size_t part = n / 4;
	OK(BOTH(k->mac4(a[0], part, in[1], in[2], in[3], in[4], part), p->mac4(b[0], part, in[1], in[2], in[3], in[4], part)), "%s: rows of products",
	   k->name);
	OK(BOTH(k->transpose(a[0]), p->transpose(b[0])), "%s: transposition", k->name);
}

int main(void)
{
	const struct ent_mpc_kernel *all[3];
	size_t count = ent_mpc_kernels(all);
	uint64_t seed = trio_seed(), x[64];
	for (size_t i = 0; i < sizeof in / 8; i++)
		in[i / N][i % N] = trio_next(&seed);
	memcpy(x, in[0], sizeof x);
	ent_mpc_kernel_portable.transpose(x);
	bool ok = true;
	for (int r = 0; r < 64; r++)
		for (int c = 0; c < 64; c++)
			ok = ok && (x[r] >> c & 1) == (in[0][c] >> r & 1);
	OK(ok, "transposition as defined");
	for (size_t i = 0; i + 1 < count; i++)
		for (size_t n = 1; n <= 640; n = n * 3 + 1)
			check(all[i], &ent_mpc_kernel_portable, n);
	if (count == 1)
		tap_skip("kernels", "this machine or ENT_CPU allows the portable one only");
	return tap_done();
}
