/* Shuffles of whole rows: all columns by the same secret permutation. Three passes; each pair of parties knows one of the three permutations
 * (Fisher-Yates with unbiased draws from the pair's permutation key), nobody the whole (Araki et al. CCS 2021, with masks). */
#ifndef ENT_MPC_SHUFFLE_H
#define ENT_MPC_SHUFFLE_H
#include "mpc/share.h"

/* Replaces x by its shuffle. 3 rounds; 4n*R bytes over the three parties (R = ceil(planes/8) + 8*rings): the lead sends 2nR, the others nR each;
 * the lead goes round from one shuffle to the next. */
int ent_mpc_shuffle(struct ent_mpc *m, struct ent_rows *x, struct ent_err *err);
#endif
