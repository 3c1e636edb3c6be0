/* Products of a bit u known to one party and a bit v known to the two others, scaled and summed into ring outputs: the core of B2A and truncation. */
#ifndef ENT_MPC_CROSS_H
#define ENT_MPC_CROSS_H
#include "mpc/engine.h"

/* A block of rows and this party's part in it: role 0 knows u, role 1 receives, role 2 knows the mask; 1 and 2 know v. */
struct cross_block {
	int role;
	size_t first, rows, words; /* words of a plane of this block */
};

/* u*v times factor = +-2^(64-bits) goes to an output. */
struct cross_product {
	unsigned bits, output;
	uint64_t factor;
};

struct cross_job {
	size_t rows;
	unsigned products, outputs;
	const struct cross_product *product;
	/* The plane of product t over block b: u at role 0, v at roles 1 and 2. */
	void (*bit)(const struct cross_job *c, const struct cross_block *b, unsigned t, uint64_t *ret_plane);
	/* Adds what is linear in u (role 0) and in v (role 1) to an output. */
	void (*linear)(const struct cross_job *c, const struct cross_block *b, unsigned output, uint64_t *z);
	const void *arg;
};

/* 2 rounds. Each block: sum of the products' bits from role 0 to role 1; then 64 bits per output and row from each party. ret: outputs rings. */
int ent_cross_run(struct ent_mpc *m, const struct cross_job *c, struct ent_ring *ret, struct ent_err *err);
struct cross_block ent_cross_block(int party, size_t first, size_t total);
#endif
