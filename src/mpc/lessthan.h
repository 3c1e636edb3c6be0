/* Many comparisons of packed key rows in one batch: the inner work of the sort. */
#ifndef ENT_MPC_LESSTHAN_H
#define ENT_MPC_LESSTHAN_H
#include "mpc/engine.h"

/* Packed keys: row r holds key_words words of component 0, then key_words of component 1; bit k of the key is bit k%64 of word k/64. */
struct key_rows {
	const uint64_t *row;
	unsigned planes, key_words;
};

/* ret (1 plane, count rows, given) = row left[i] < row right[i]. 1 + ceil(log2 planes) rounds, (3*planes-2-ceil(log2 planes)) * W(count) bytes. */
int ent_keys_lt(struct ent_mpc *m, const struct key_rows *k, const uint32_t *left, const uint32_t *right, size_t count, struct ent_bits *ret,
		struct ent_err *err);
#endif
