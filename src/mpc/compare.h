/* Comparisons on bit planes (plane 0 least significant) by trees: prefix tree for <, AND tree for =. Every result is one plane.
 * L = ceil(log2 planes). A tree level is one round. */
#ifndef ENT_MPC_COMPARE_H
#define ENT_MPC_COMPARE_H
#include "mpc/share.h"

/* x = y. max(L, 0) rounds, (planes-1)*W(n) bytes. */
int ent_mpc_eq(struct ent_mpc *m, const struct ent_bits *x, const struct ent_bits *y, struct ent_bits *ret, struct ent_err *err);
/* x = value (planes <= 64): as eq. */
int ent_mpc_eq_const(struct ent_mpc *m, const struct ent_bits *x, uint64_t value, struct ent_bits *ret, struct ent_err *err);
/* x < y. 1+L rounds, (3*planes-2-L)*W(n) bytes. sign: two's complement, the top plane is the sign. */
int ent_mpc_lt(struct ent_mpc *m, const struct ent_bits *x, const struct ent_bits *y, bool sign, struct ent_bits *ret, struct ent_err *err);
/* x < value, public (planes <= 64; value taken mod 2^planes). L rounds, (2*(planes-1)-L)*W(n) bytes. */
int ent_mpc_lt_const(struct ent_mpc *m, const struct ent_bits *x, uint64_t value, bool sign, struct ent_bits *ret, struct ent_err *err);
/* flag[r] = 1 when row r equals row r-1; flag[0] = 0. As eq. */
int ent_mpc_same_as_above(struct ent_mpc *m, const struct ent_bits *x, struct ent_bits *ret, struct ent_err *err);
#endif
