/* A script that uses every operator once, on columns given from outside: for tests that look at traffic. Each step stands alone, so that a test can
 * run just one. Rows: planes 0..11 a key, 12..23 a value, 24 a flag; two rings. */
#ifndef ENT_TEST_MPC_SCRIPT_H
#define ENT_TEST_MPC_SCRIPT_H
#include "mpc/compare.h"
#include "mpc/convert.h"
#include "mpc/gate.h"
#include "mpc/input.h"
#include "mpc/open.h"
#include "mpc/shuffle.h"
#include "mpc/sort.h"
#include "trio.h"

#define SCRIPT_ROWS 500
#define SCRIPT_PLANES 25
#define SCRIPT_WORDS (SCRIPT_PLANES * ((SCRIPT_ROWS + 63) / 64))

enum script_step {
	STEP_INPUT,
	STEP_AND,
	STEP_MUX,
	STEP_EQ,
	STEP_LT,
	STEP_LT_CONST,
	STEP_MUL,
	STEP_DOT,
	STEP_A2B,
	STEP_B2A,
	STEP_B2A_BITS,
	STEP_TRUNC,
	STEP_SHUFFLE,
	STEP_COPY,
	STEP_MIN,
	STEP_OR,
	STEP_COMPACT,
	STEP_FILTER,
	STEP_SORT,
	STEP_OPEN,
	STEP_COUNT
};

static const char *const script_names[STEP_COUNT] = { "input",   "and",    "mux",     "eq",       "lt",    "lt_const", "mul",
						      "dot",     "a2b",    "b2a",     "b2a_bits", "trunc", "shuffle",  "copy_down",
						      "run_min", "run_or", "compact", "filter",   "sort",  "open" };

struct script_data {
	enum script_step step;
	uint64_t bits[SCRIPT_WORDS], ring[2][SCRIPT_ROWS];
};

/* key, value, flag per row from a callback-free rule: kind 0 zeros, 1 ones, 2 random, 3 ascending keys, 4 descending keys, 5 ascending with gaps. */
ENT_UNUSED static void script_fill(struct script_data *d, int kind, uint64_t seed)
{
	uint64_t words[SCRIPT_ROWS];
	for (uint64_t r = 0; r < SCRIPT_ROWS; r++) {
		uint64_t key = kind == 0   ? 0
			       : kind == 1 ? 4095
			       : kind == 2 ? trio_next(&seed) % 4096
			       : kind == 3 ? r
			       : kind == 4 ? SCRIPT_ROWS - r
					   : 3 * r + 7;
		uint64_t rest = kind == 0 ? 0 : kind == 1 ? 0x1fff : trio_next(&seed) % 0x2000;
		words[r] = key | rest << 12;
		for (int k = 0; k < 2; k++)
			d->ring[k][r] = kind == 0 ? 0 : kind == 1 ? ~(uint64_t)0 : trio_next(&seed);
	}
	ent_planes_from_words(words, SCRIPT_ROWS, SCRIPT_PLANES, d->bits);
}

struct script_bag {
	struct ent_rows x;
	struct ent_bits flag, copy, b;
	struct ent_ring r[16];
};

ENT_UNUSED static void script_bag_deinit(struct script_bag *g)
{
	ent_rows_deinit(&g->x);
	ent_bits_deinit(&g->flag);
	ent_bits_deinit(&g->copy);
	ent_bits_deinit(&g->b);
	for (int i = 0; i < 16; i++)
		ent_ring_deinit(&g->r[i]);
}

ENT_UNUSED static int script_columns(struct ent_mpc *m, enum script_step step, struct script_bag *g, struct ent_err *err)
{
	struct ent_bits key = ent_bits_planes(&g->x.bits, 0, 12), value = ent_bits_planes(&g->x.bits, 12, 12);
	switch ((int)step) {
	case STEP_AND:
		return ent_mpc_and(m, &key, &value, &g->b, err);
	case STEP_MUX:
		return ent_mpc_mux(m, &g->flag, &key, &value, &g->b, err);
	case STEP_EQ:
		return ent_mpc_eq(m, &key, &value, &g->b, err);
	case STEP_LT:
		return ent_mpc_lt(m, &key, &value, true, &g->b, err);
	case STEP_LT_CONST:
		return ent_mpc_lt_const(m, &key, 77, false, &g->b, err);
	case STEP_MUL:
		return ent_mpc_mul(m, &g->x.ring[0], &g->x.ring[1], &g->r[0], err);
	case STEP_DOT:
		return ent_mpc_dot(m, &g->x.ring[0], &g->x.ring[1], &g->r[0], err);
	case STEP_A2B:
		return ent_mpc_a2b(m, &g->x.ring[0], 40, &g->b, err);
	case STEP_B2A:
		return ent_mpc_b2a(m, &key, true, &g->r[0], err);
	case STEP_B2A_BITS:
		return ent_mpc_b2a_bits(m, &key, &g->r[0], err);
	case STEP_TRUNC:
		return ent_mpc_trunc(m, &g->x.ring[0], 8, &g->r[0], err);
	default:
		return 0;
	}
}

ENT_UNUSED static int script_tables(struct ent_mpc *m, enum script_step step, struct script_bag *g, struct ent_err *err)
{
	static const struct ent_why kept = { "kept rows", ENT_PERMIT_SIZES }, result = { "result", ENT_PERMIT_RESULT };
	static _Thread_local uint64_t out[SCRIPT_WORDS];
	struct ent_bits key = ent_bits_planes(&g->x.bits, 0, 12), bit = ent_bits_planes(&g->x.bits, 0, 1);
	switch ((int)step) {
	case STEP_SHUFFLE:
		return ent_mpc_shuffle(m, &g->x, err);
	case STEP_COPY:
		return ent_mpc_copy_down(m, &g->flag, &key, err);
	case STEP_MIN:
		return ent_mpc_run_min(m, &g->flag, &key, false, err);
	case STEP_OR:
		return ent_mpc_run_or(m, &g->flag, &bit, err);
	case STEP_COMPACT:
		return ent_mpc_compact(m, &g->x, &g->flag, err);
	case STEP_FILTER:
		return ent_mpc_filter(m, kept, &g->x, &g->flag, err);
	case STEP_SORT:
		return ent_mpc_sort(m, &g->x, 0, 12, NULL, err);
	case STEP_OPEN:
		return ent_mpc_open_bits(m, result, &g->x.bits, out, err);
	default:
		return 0;
	}
}

/* trio_fn: input by party 0, then the step. */
ENT_UNUSED static int script_run(struct ent_mpc *m, int p, void *arg, struct ent_err *err)
{
	const struct script_data *d = arg;
	ENT_CLEANUP(script_bag_deinit) struct script_bag g = { 0 };
	struct ent_plain in = { SCRIPT_ROWS, SCRIPT_PLANES, 2, d->bits, { d->ring[0], d->ring[1] } };
	(void)p;
	ENT_TRY(ent_mpc_input(m, 0, &in, &g.x, err));
	struct ent_bits top = ent_bits_planes(&g.x.bits, 24, 1);
	ENT_TRY(ent_bits_dup(m, &top, &g.flag, err));
	ENT_TRY(script_columns(m, d->step, &g, err));
	return script_tables(m, d->step, &g, err);
}
#endif
