/* The three-party operators as joint calls them: each also adds its predicted cost, and in a dry pass (no context) only shapes move.
 *
 * So planning, EXPLAIN and the run walk the same code: what is predicted is what is sent, by construction. Objects of a dry pass have rows and
 * planes and no memory. Figures of sorts are means in a dry pass and exact afterwards in the run. */
#ifndef ENT_JOINT_SECURE_H
#define ENT_JOINT_SECURE_H
#include "base/arena.h"
#include "mpc/compare.h"
#include "mpc/convert.h"
#include "mpc/cost.h"
#include "mpc/gate.h"
#include "mpc/input.h"
#include "mpc/shuffle.h"
#include "mpc/sort.h"

struct ent_step { /* one line of EXPLAIN */
	const char *text;
	const char *place; /* "mpc" or an owner */
	const char *opens; /* fixed opening, or NULL */
	uint64_t rounds;
	double bytes, bytes_var; /* mean per party */
	size_t rows;
};

struct ent_sx {
	struct ent_mpc *m; /* NULL: dry */
	struct ent_arena *arena;
	struct ent_cost cost;
	struct ent_step *steps; /* dry only: room for ENT_STEPS_MAX */
	size_t n_steps;
	struct ent_cost mark;
	int (*check)(void *arg, struct ent_err *err); /* cancel; called at each step */
	void *arg;
};
#define ENT_STEPS_MAX 256

/* Closes the step that ran since the last call and names it. */
int ent_sx_step(struct ent_sx *x, const char *place, const char *opens, size_t rows, struct ent_err *err, const char *fmt, ...) ENT_PRINTF(6, 7);

int ent_sx_input(struct ent_sx *x, int from, const struct ent_plain *shape, struct ent_rows *ret, struct ent_err *err);
int ent_sx_input_outside(struct ent_sx *x, struct ent_link *owner, const uint8_t nonce[16], const struct ent_plain *shape, struct ent_rows *ret,
			 struct ent_err *err);
int ent_sx_and(struct ent_sx *x, const struct ent_bits *a, const struct ent_bits *b, struct ent_bits *ret, struct ent_err *err);
int ent_sx_or(struct ent_sx *x, const struct ent_bits *a, const struct ent_bits *b, struct ent_bits *ret, struct ent_err *err);
int ent_sx_mux(struct ent_sx *x, const struct ent_bits *cond, const struct ent_bits *a, const struct ent_bits *b, struct ent_bits *ret,
	       struct ent_err *err);
int ent_sx_or_planes(struct ent_sx *x, const struct ent_bits *a, struct ent_bits *ret, struct ent_err *err);
int ent_sx_and_planes(struct ent_sx *x, const struct ent_bits *a, struct ent_bits *ret, struct ent_err *err);
int ent_sx_eq(struct ent_sx *x, const struct ent_bits *a, const struct ent_bits *b, struct ent_bits *ret, struct ent_err *err);
int ent_sx_eq_const(struct ent_sx *x, const struct ent_bits *a, uint64_t value, struct ent_bits *ret, struct ent_err *err);
int ent_sx_lt(struct ent_sx *x, const struct ent_bits *a, const struct ent_bits *b, bool sign, struct ent_bits *ret, struct ent_err *err);
int ent_sx_lt_const(struct ent_sx *x, const struct ent_bits *a, uint64_t value, bool sign, struct ent_bits *ret, struct ent_err *err);
int ent_sx_same(struct ent_sx *x, const struct ent_bits *a, struct ent_bits *ret, struct ent_err *err);
int ent_sx_a2b(struct ent_sx *x, const struct ent_ring *a, unsigned planes, struct ent_bits *ret, struct ent_err *err);
int ent_sx_b2a(struct ent_sx *x, const struct ent_bits *a, bool sign, struct ent_ring *ret, struct ent_err *err);
int ent_sx_b2a_bits(struct ent_sx *x, const struct ent_bits *a, struct ent_ring *ret, struct ent_err *err);
int ent_sx_mul(struct ent_sx *x, const struct ent_ring *a, const struct ent_ring *b, struct ent_ring *ret, struct ent_err *err);
int ent_sx_sort(struct ent_sx *x, struct ent_rows *r, unsigned first, unsigned planes, struct ent_err *err);
/* kept: number of rows that stay, known beforehand; SIZE_MAX when it is what opens (a dry pass then goes on with one). */
int ent_sx_filter(struct ent_sx *x, struct ent_why why, size_t kept, struct ent_rows *r, const struct ent_bits *flag, struct ent_err *err);
int ent_sx_copy_down(struct ent_sx *x, const struct ent_bits *stop, struct ent_bits *a, struct ent_err *err);
int ent_sx_run_min(struct ent_sx *x, const struct ent_bits *stop, struct ent_bits *a, bool max, struct ent_err *err);
int ent_sx_run_or(struct ent_sx *x, const struct ent_bits *stop, struct ent_bits *a, struct ent_err *err);
int ent_sx_run_sums(struct ent_sx *x, struct ent_rows *r, const struct ent_bits *last, uint32_t rings, struct ent_err *err);
int ent_sx_open_bits(struct ent_sx *x, struct ent_why why, const struct ent_bits *a, uint64_t *ret, struct ent_err *err);

/* Local ones. */
int ent_sx_dup(struct ent_sx *x, const struct ent_bits *a, struct ent_bits *ret, struct ent_err *err);
int ent_sx_xor(struct ent_sx *x, const struct ent_bits *a, const struct ent_bits *b, struct ent_bits *ret, struct ent_err *err);
int ent_sx_not(struct ent_sx *x, const struct ent_bits *a, struct ent_bits *ret, struct ent_err *err);
int ent_sx_const(struct ent_sx *x, size_t rows, unsigned planes, uint64_t value, struct ent_bits *ret, struct ent_err *err);
int ent_sx_index(struct ent_sx *x, size_t rows, unsigned planes, struct ent_bits *ret, struct ent_err *err);
int ent_sx_stack(struct ent_sx *x, const struct ent_bits *const *parts, size_t count, struct ent_bits *ret, struct ent_err *err);
int ent_sx_widen(struct ent_sx *x, const struct ent_bits *a, unsigned planes, bool sign, struct ent_bits *ret, struct ent_err *err);
int ent_sx_append(struct ent_sx *x, const struct ent_bits *a, const struct ent_bits *b, struct ent_bits *ret, struct ent_err *err);
int ent_sx_range(struct ent_sx *x, const struct ent_bits *a, size_t first, size_t count, struct ent_bits *ret, struct ent_err *err);
int ent_sx_gather(struct ent_sx *x, const struct ent_bits *a, const uint32_t *at, size_t count, struct ent_bits *ret, struct ent_err *err);
int ent_sx_reverse(struct ent_sx *x, const struct ent_bits *a, struct ent_bits *ret, struct ent_err *err);
int ent_sx_shift_down(struct ent_sx *x, const struct ent_bits *a, bool first, struct ent_bits *ret, struct ent_err *err);
int ent_sx_shift_up(struct ent_sx *x, const struct ent_bits *a, bool last, struct ent_bits *ret, struct ent_err *err);
struct ent_bits ent_sx_view(const struct ent_bits *a, unsigned first, unsigned count);
int ent_sx_ring_sum(struct ent_sx *x, const struct ent_ring *a, struct ent_ring *ret, struct ent_err *err);
int ent_sx_ring_dup(struct ent_sx *x, const struct ent_ring *a, struct ent_ring *ret, struct ent_err *err);
int ent_sx_ring_range(struct ent_sx *x, const struct ent_ring *a, size_t first, size_t count, struct ent_ring *ret, struct ent_err *err);
void ent_sx_ring_add_in(struct ent_sx *x, struct ent_ring *a, const struct ent_ring *b);
void ent_sx_ring_sub_in(struct ent_sx *x, struct ent_ring *a, const struct ent_ring *b);
void ent_sx_ring_scale(struct ent_sx *x, struct ent_ring *a, uint64_t factor);
void ent_sx_ring_add_const(struct ent_sx *x, struct ent_ring *a, uint64_t value);
void ent_sx_ring_running(struct ent_sx *x, struct ent_ring *a);

#define ENT_BITS_AUTO ENT_CLEANUP(ent_bits_deinit) struct ent_bits
#define ENT_RING_AUTO ENT_CLEANUP(ent_ring_deinit) struct ent_ring
#define ENT_ROWS_AUTO ENT_CLEANUP(ent_rows_deinit) struct ent_rows
#endif
