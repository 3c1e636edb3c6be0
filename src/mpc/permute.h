/* A permutation known to two parties. */
#ifndef ENT_MPC_PERMUTE_H
#define ENT_MPC_PERMUTE_H
#include "mpc/mpc.h"

/* Uniform over all permutations of 0..rows-1, from the permutation key of component party+j and the running operator. rows < 2^32. */
void ent_mpc_permutation(struct ent_mpc *m, int j, uint32_t *ret, size_t rows);
#endif
