/* Between bits and rings, and truncation. Roles rotate over row blocks, so that each party sends about the same. */
#ifndef ENT_MPC_CONVERT_H
#define ENT_MPC_CONVERT_H
#include "mpc/share.h"

/* Low `planes` bits of each word as planes (1..64; fewer planes = shorter adder, exact mod 2^planes). 2 + ceil(log2(planes-1)) rounds. */
int ent_mpc_a2b(struct ent_mpc *m, const struct ent_ring *x, unsigned planes, struct ent_bits *ret, struct ent_err *err);
/* One bit per row to 0/1 in the ring: 2 rounds, 85 bits per row on average. */
int ent_mpc_b2a_bit(struct ent_mpc *m, const struct ent_bits *x, struct ent_ring *ret, struct ent_err *err);
/* Each plane its own ring: 2 rounds for all; ret has x->planes rings. */
int ent_mpc_b2a_bits(struct ent_mpc *m, const struct ent_bits *x, struct ent_ring *ret, struct ent_err *err);
/* The word of x->planes bits (<= 64) to the ring, sign-extended when sign. 2 rounds, (sum_{j<l}(63-j)+256)/3 bits per row. */
int ent_mpc_b2a(struct ent_mpc *m, const struct ent_bits *x, bool sign, struct ent_ring *ret, struct ent_err *err);
/* x >> shift (arithmetic), |x| < 2^62: 2 rounds; at most one unit off in the last place, never more. */
int ent_mpc_trunc(struct ent_mpc *m, const struct ent_ring *x, unsigned shift, struct ent_ring *ret, struct ent_err *err);
#endif
