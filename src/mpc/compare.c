/* Comparisons by trees over bit planes. */
#include "mpc/compare.h"

#include "mpc/engine.h"
#include "mpc/gate.h"

/* Merges neighbours (hi = 2i+1, lo = 2i) into i: g = g_hi ^ e_hi g_lo, e = e_hi e_lo. The lowest pair needs no e: nothing lies below it.
 * In place: gate i writes plane i and reads planes 2i, 2i+1, and gates run in order. */
static size_t lt_level(struct ent_bits *g, struct ent_bits *e, unsigned left, struct gate *out)
{
	size_t n = 0, words = ent_words(g->rows);
	for (unsigned i = 0; i < left / 2; i++) {
		struct gate lt = { .words = words }, eq = { .words = words };
		for (int j = 0; j < 2; j++) {
			lt.x[j] = eq.x[j] = plane(e, j, 2 * i + 1);
			lt.y[j] = plane(g, j, 2 * i);
			eq.y[j] = plane(e, j, 2 * i);
			lt.w[j] = plane(g, j, 2 * i + 1);
			lt.z[j] = plane(g, j, i);
			eq.z[j] = plane(e, j, i);
		}
		out[n++] = lt;
		if (i)
			out[n++] = eq;
	}
	return n;
}

int ent_tree_lt(struct ent_mpc *m, struct ent_bits *g, struct ent_bits *e, struct ent_err *err)
{
	ENT_CLEANUP(ent_mpc_scratch_free) struct scratch s = { 0 };
	ENT_TRY(ent_mpc_scratch(m, g->planes + 1, sizeof(struct gate), &s, err));
	for (unsigned left = g->planes; left > 1; left = (left + 1) / 2) {
		ENT_TRY(ent_gates_and(m, s.at, lt_level(g, e, left, s.at), err));
		for (int j = 0; left % 2 && j < 2; j++) {
			memmove(plane(g, j, left / 2), plane(g, j, left - 1), ent_words(g->rows) * 8);
			memmove(plane(e, j, left / 2), plane(e, j, left - 1), ent_words(g->rows) * 8);
		}
	}
	return 0;
}

static int keep_first(struct ent_mpc *m, struct ent_bits *tree, struct ent_bits *ret, struct ent_err *err)
{
	struct ent_bits one = ent_bits_planes(tree, 0, 1);
	return ent_bits_dup(m, &one, ret, err);
}

int ent_mpc_eq(struct ent_mpc *m, const struct ent_bits *x, const struct ent_bits *y, struct ent_bits *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits e = { 0 };
	ENT_ASSERT(x->planes == y->planes && x->planes >= 1);
	ENT_TRY(ent_bits_xor(m, x, y, &e, err));
	ent_bits_flip(m, &e);
	ENT_TRY(ent_tree_and(m, &e, err));
	return keep_first(m, &e, ret, err);
}

int ent_mpc_eq_const(struct ent_mpc *m, const struct ent_bits *x, uint64_t value, struct ent_bits *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits e = { 0 };
	ENT_ASSERT(x->planes >= 1);
	ENT_TRY(ent_bits_dup(m, x, &e, err));
	ent_bits_xor_const(m, &e, ~value);
	ENT_TRY(ent_tree_and(m, &e, err));
	return keep_first(m, &e, ret, err);
}

/* Bitwise leaves: g = ~x & y (one round), e = ~(x ^ y). For signed words the top bit counts the other way round: x & ~y. */
static int lt_leaves(struct ent_mpc *m, const struct ent_bits *x, const struct ent_bits *y, bool sign, struct ent_bits *g, struct ent_err *err)
{
	ENT_CLEANUP(ent_mpc_scratch_free) struct scratch s = { 0 };
	ENT_TRY(ent_mpc_scratch(m, x->planes, sizeof(struct gate), &s, err));
	struct gate *out = s.at;
	for (unsigned k = 0; k < x->planes; k++) {
		bool top = sign && k + 1 == x->planes;
		out[k] = (struct gate){ .words = ent_words(x->rows), .not_x = true };
		for (int j = 0; j < 2; j++) {
			out[k].x[j] = plane(top ? y : x, j, k);
			out[k].y[j] = plane(top ? x : y, j, k);
			out[k].z[j] = plane(g, j, k);
		}
	}
	return ent_gates_and(m, out, x->planes, err);
}

int ent_mpc_lt(struct ent_mpc *m, const struct ent_bits *x, const struct ent_bits *y, bool sign, struct ent_bits *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits g = { 0 }, e = { 0 };
	ENT_ASSERT(x->planes == y->planes && x->planes >= 1 && x->rows == y->rows);
	ENT_TRY(ent_bits_xor(m, x, y, &e, err));
	ent_bits_flip(m, &e);
	ENT_TRY(ent_bits_make(m, x->rows, x->planes, &g, err));
	ENT_TRY(lt_leaves(m, x, y, sign, &g, err));
	ENT_TRY(ent_tree_lt(m, &g, &e, err));
	return keep_first(m, &g, ret, err);
}

/* Leaves against a public bit cost nothing: value bit 1: g = ~x, e = x; value bit 0: g = 0, e = ~x. */
int ent_mpc_lt_const(struct ent_mpc *m, const struct ent_bits *x, uint64_t value, bool sign, struct ent_bits *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits g = { 0 }, e = { 0 };
	ENT_ASSERT(x->planes >= 1 && x->planes <= 64);
	ENT_TRY(ent_bits_dup(m, x, &e, err));
	if (sign) { /* flip both sign bits: then unsigned */
		struct ent_bits top = ent_bits_planes(&e, e.planes - 1, 1);
		ent_bits_flip(m, &top);
		value ^= (uint64_t)1 << (e.planes - 1);
	}
	ENT_TRY(ent_bits_dup(m, &e, &g, err));
	ent_bits_flip(m, &g);
	ent_bits_xor_const(m, &e, ~value);
	for (unsigned k = 0; k < g.planes; k++)
		for (int j = 0; j < 2; j++)
			if (!(value >> k & 1))
				memset(plane(&g, j, k), 0, ent_words(g.rows) * 8);
	ENT_TRY(ent_tree_lt(m, &g, &e, err));
	return keep_first(m, &g, ret, err);
}

int ent_mpc_same_as_above(struct ent_mpc *m, const struct ent_bits *x, struct ent_bits *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits e = { 0 }, one = { 0 };
	ENT_ASSERT(x->planes >= 1);
	ENT_TRY(ent_bits_shift_down(m, x, false, &e, err));
	ent_bits_xor_in(&e, x);
	ent_bits_flip(m, &e);
	ENT_TRY(ent_tree_and(m, &e, err));
	ENT_TRY(keep_first(m, &e, &one, err));
	for (int j = 0; j < 2 && one.rows; j++)
		one.c[j][0] &= ~(uint64_t)1;
	*ret = ent_bits_take(&one);
	return 0;
}
