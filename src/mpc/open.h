/* The only way out. Every opening says what it is and what permits it; it is recorded before a share leaves. */
#ifndef ENT_MPC_OPEN_H
#define ENT_MPC_OPEN_H
#include "mpc/share.h"

struct ent_why {
	const char *what; /* static text */
	enum ent_mpc_permit permit;
};

/* To all three parties. 1 round. bits: planes*W(n) bytes, ret_planes laid out as x; ring: 8n bytes. */
int ent_mpc_open_bits(struct ent_mpc *m, struct ent_why why, const struct ent_bits *x, uint64_t *ret_planes, struct ent_err *err);
int ent_mpc_open_ring(struct ent_mpc *m, struct ent_why why, const struct ent_ring *x, uint64_t *ret_words, struct ent_err *err);
/* Whole rows to party `to` (ret buffers at `to` only, NULL elsewhere): the bytes from one neighbour, their SHA-256 from the other. 1 round.
 * ret_bits: planes*ent_words(rows) words; ret_ring[k]: rows words. ENT_EPEER when bytes and hash disagree. */
int ent_mpc_open_rows_to(struct ent_mpc *m, struct ent_why why, int to, const struct ent_rows *x, uint64_t *ret_bits, uint64_t *const *ret_ring,
			 struct ent_err *err);
/* Whole rows to an org outside the trio: masked by the common key, so that no party's bytes alone say anything. 1 round.
 * Each party sends its component, masked, and the hash of the next one; the receiver compares and adds. */
int ent_mpc_open_rows_outside(struct ent_mpc *m, struct ent_why why, struct ent_link *receiver, const struct ent_rows *x, struct ent_err *err);
int ent_outside_receive(struct ent_link *const links[3], size_t rows, unsigned planes, unsigned rings, uint64_t *ret_bits, uint64_t *const *ret_ring,
			struct ent_err *err);
#endif
