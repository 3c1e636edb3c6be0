/* Rows to the front, rows away, sums per run: what moves rows by opened random permutations. */
#include "mpc/convert.h"
#include "mpc/engine.h"
#include "mpc/gate.h"
#include "mpc/shuffle.h"
#include "mpc/sort.h"

/* Destination of each row: ones to P-1, zeros to total+Q-1, where P and Q are running counts of ones and zeros. With f the flag:
 * dest = lo + f (hi - lo), lo = total + (r+1-P) - 1, hi = P - 1. */
static int destinations(struct ent_mpc *m, const struct ent_bits *flag, struct ent_ring *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_ring_deinit) struct ent_ring f = { 0 }, lo = { 0 }, gap = { 0 }, moved = { 0 };
	size_t n = flag->rows;
	ENT_TRY(ent_mpc_b2a_bit(m, flag, &f, err));
	ENT_TRY(ent_ring_dup(m, &f, &gap, err));
	ent_ring_running(&gap); /* P */
	ENT_TRY(ent_ring_make(m, n, &lo, err));
	for (int j = 0; j < 2; j++)
		for (size_t r = 0; r < n; r++) {
			lo.c[j][r] = gap.c[j][n - 1] - gap.c[j][r] + (is_first(m, j) ? r : 0);
			gap.c[j][r] -= lo.c[j][r] + is_first(m, j);
		}
	ENT_TRY(ent_mpc_mul(m, &f, &gap, &moved, err));
	ent_ring_add_in(&lo, &moved);
	*ret = ent_ring_take(&lo);
	return 0;
}

/* Turns "row i goes to dest[i]" into "row at[p] comes to p"; a table that is no permutation is the peers' fault. */
static int invert(struct ent_mpc *m, const uint32_t *dest, size_t n, uint32_t *at, struct ent_err *err)
{
	memset(at, 0xff, n * sizeof *at);
	for (size_t i = 0; i < n; i++) {
		if (dest[i] >= n || at[dest[i]] != UINT32_MAX) {
			ent_fail(err, ENT_EPEER, "compute parties opened destinations that are no permutation");
			return ent_mpc_dies(m, ENT_EPEER);
		}
		at[dest[i]] = (uint32_t)i;
	}
	return 0;
}

static int move_rows(struct ent_mpc *m, struct ent_rows *x, struct ent_err *err)
{
	static const struct ent_why why = { "compaction destinations", ENT_PERMIT_RANDOM };
	ENT_CLEANUP(ent_mpc_scratch_free) struct scratch s = { 0 };
	ENT_CLEANUP(ent_rows_deinit) struct ent_rows out = { 0 };
	ENT_TRY(ent_mpc_scratch(m, 2 * x->rows, sizeof(uint32_t), &s, err));
	uint32_t *dest = s.at, *at = dest + x->rows;
	ENT_TRY(ent_mpc_shuffle(m, x, err));
	ENT_TRY(ent_mpc_open_low32(m, why, &x->ring[x->rings - 1], dest, err));
	ent_ring_deinit(&x->ring[--x->rings]);
	ENT_TRY(invert(m, dest, x->rows, at, err));
	ENT_TRY(ent_rows_gather(m, x, at, x->rows, &out, err));
	ent_rows_deinit(x);
	*x = ent_rows_take(&out);
	return 0;
}

int ent_mpc_compact(struct ent_mpc *m, struct ent_rows *x, const struct ent_bits *flag, struct ent_err *err)
{
	ENT_CLEANUP(ent_ring_deinit) struct ent_ring dest = { 0 };
	ENT_ASSERT(flag->planes == 1 && flag->rows == x->rows && x->rings < ENT_ROWS_RINGS_MAX);
	if (x->rows < 2)
		return 0;
	ENT_TRY(destinations(m, flag, &dest, err));
	x->ring[x->rings++] = ent_ring_take(&dest);
	return move_rows(m, x, err);
}

/* Appends a plane on top of the bits of x. */
static int add_plane(struct ent_mpc *m, struct ent_rows *x, const struct ent_bits *flag, struct ent_err *err)
{
	struct ent_bits more;
	ENT_TRY(ent_bits_stack(m, (const struct ent_bits *[]){ &x->bits, flag }, 2, &more, err));
	ent_bits_deinit(&x->bits);
	x->bits = more;
	return 0;
}

int ent_mpc_filter(struct ent_mpc *m, struct ent_why why, struct ent_rows *x, const struct ent_bits *flag, struct ent_err *err)
{
	ENT_CLEANUP(ent_mpc_scratch_free) struct scratch s = { 0 };
	ENT_CLEANUP(ent_rows_deinit) struct ent_rows out = { 0 };
	size_t words = ent_words(x->rows), kept = 0;
	ENT_ASSERT(flag->planes == 1 && flag->rows == x->rows);
	ENT_TRY(ent_mpc_scratch(m, words + x->rows, 8, &s, err));
	uint64_t *open = s.at;
	uint32_t *at = (uint32_t *)(open + words);
	ENT_TRY(add_plane(m, x, flag, err));
	ENT_TRY(ent_mpc_shuffle(m, x, err));
	struct ent_bits last = ent_bits_planes(&x->bits, x->bits.planes - 1, 1);
	ENT_TRY(ent_mpc_open_bits(m, why, &last, open, err));
	x->bits.planes--;
	for (size_t r = 0; r < x->rows; r++)
		if (open[r / 64] >> (r % 64) & 1)
			at[kept++] = (uint32_t)r;
	ENT_TRY(ent_rows_gather(m, x, at, kept, &out, err));
	ent_rows_deinit(x);
	*x = ent_rows_take(&out);
	return 0;
}

int ent_mpc_run_sums(struct ent_mpc *m, struct ent_rows *x, const struct ent_bits *last, uint32_t ring_mask, struct ent_err *err)
{
	for (unsigned k = 0; k < x->rings; k++)
		if (ring_mask >> k & 1)
			ent_ring_running(&x->ring[k]);
	ENT_TRY(ent_mpc_compact(m, x, last, err));
	for (unsigned k = 0; k < x->rings; k++)
		if (ring_mask >> k & 1)
			ent_ring_delta(&x->ring[k]);
	return 0;
}
