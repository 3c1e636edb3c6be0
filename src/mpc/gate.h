/* Products. z_i = x_i(y_i + y_{i+1}) + x_{i+1} y_i + zero share; P_i sends z_i to P_{i-1} (Araki et al. 2016). One round each; a batch is one round.
 */
#ifndef ENT_MPC_GATE_H
#define ENT_MPC_GATE_H
#include "mpc/share.h"

/* Bits: planes*W(n) bytes. y has x's planes, or one plane that goes with each plane of x. */
int ent_mpc_and(struct ent_mpc *m, const struct ent_bits *x, const struct ent_bits *y, struct ent_bits *ret, struct ent_err *err);
int ent_mpc_or(struct ent_mpc *m, const struct ent_bits *x, const struct ent_bits *y, struct ent_bits *ret, struct ent_err *err);
/* cond (1 plane) ? x : y. */
int ent_mpc_mux(struct ent_mpc *m, const struct ent_bits *cond, const struct ent_bits *x, const struct ent_bits *y, struct ent_bits *ret,
		struct ent_err *err);
/* Independent ANDs of one round; ret[i] is set at the end. */
struct ent_and {
	const struct ent_bits *x, *y;
};
int ent_mpc_and_batch(struct ent_mpc *m, const struct ent_and *pairs, size_t count, struct ent_bits *ret, struct ent_err *err);
/* AND / OR over all planes of each row: 1 plane. ceil(log2 planes) rounds, (planes-1)*W(n) bytes. */
int ent_mpc_and_planes(struct ent_mpc *m, const struct ent_bits *x, struct ent_bits *ret, struct ent_err *err);
int ent_mpc_or_planes(struct ent_mpc *m, const struct ent_bits *x, struct ent_bits *ret, struct ent_err *err);

/* Rings: 8n bytes per product. */
int ent_mpc_mul(struct ent_mpc *m, const struct ent_ring *x, const struct ent_ring *y, struct ent_ring *ret, struct ent_err *err);
struct ent_mul {
	const struct ent_ring *x, *y;
};
int ent_mpc_mul_batch(struct ent_mpc *m, const struct ent_mul *pairs, size_t count, struct ent_ring *ret, struct ent_err *err);
/* Sum of x[r]*y[r]: one row. 1 round, 8 bytes. */
int ent_mpc_dot(struct ent_mpc *m, const struct ent_ring *x, const struct ent_ring *y, struct ent_ring *ret, struct ent_err *err);
/* C = A x B, row-major: A a*b words, B b*c words, C a*c words. 1 round, 8*a*c bytes. */
int ent_mpc_matmul(struct ent_mpc *m, const struct ent_ring *a, const struct ent_ring *b, size_t rows, size_t inner, size_t cols,
		   struct ent_ring *ret, struct ent_err *err);
#endif
