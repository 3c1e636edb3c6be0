/* Ways into the engine. The plain side lays rows out as ent_rows does: planes (plane-major words) and 64-bit ring words. */
#ifndef ENT_MPC_INPUT_H
#define ENT_MPC_INPUT_H
#include "mpc/share.h"

struct ent_plain {
	size_t rows;
	unsigned planes, rings;
	const uint64_t *bits;                     /* planes * ent_words(rows) words; bits past the last row are ignored */
	const uint64_t *ring[ENT_ROWS_RINGS_MAX]; /* rows words each */
};

/* Rows of compute party `from`. shape: rows, planes, rings are read at every party, the pointers at `from` only. 1 round; planes*W(n) + 8n*rings
 * bytes in one message from `from` to its next. The next party sees the rows masked by a key it does not hold. (Araki et al. 2016, Input.) */
int ent_mpc_input(struct ent_mpc *m, int from, const struct ent_plain *shape, struct ent_rows *ret, struct ent_err *err);
/* The three inputs of one round: each party brings its own shape[own]; rows come back per party. 1 round. */
int ent_mpc_input_all(struct ent_mpc *m, const struct ent_plain shape[3], struct ent_rows ret[3], struct ent_err *err);

/* Rows of an owner outside the trio. The owner calls outside_send with links to party 0, 1, 2; each party calls input_outside with its link to the
 * owner. The owner sends two seeds and one difference; parties 1 and 2 compare the hash of the difference. nonce: 16 bytes, fresh for each table and
 * job, bound into the seeds and compared with what the party expects. 1 round + 1 (hash, 32 bytes between parties 1 and 2); ENT_EPEER on a wrong
 * length or hash. */
int ent_outside_send(struct ent_link *const links[3], struct ent_random *random, const uint8_t nonce[16], const struct ent_plain *rows,
		     struct ent_err *err);
int ent_mpc_input_outside(struct ent_mpc *m, struct ent_link *owner, const uint8_t nonce[16], const struct ent_plain *shape, struct ent_rows *ret,
			  struct ent_err *err);
#endif
