/* In-memory links for tests and for parties in one process: a pair whose ends behave like a job link, with faults on demand. */
#ifndef ENT_OS_MEMLINK_H
#define ENT_OS_MEMLINK_H
#include "base/link.h"

/* What goes wrong in one direction, set on the sending end. Counted in payload bytes sent by that end; UINT64_MAX = never. */
struct ent_memlink_faults {
	uint64_t die_at;      /* this byte and all later ones are lost and both ends fail with ENT_EPEER */
	uint64_t drop_at;     /* the send() call that holds this byte vanishes silently (once) */
	uint64_t truncate_at; /* the send() call that holds this byte loses its last byte (once) */
	uint64_t flip_at;     /* this byte arrives with its lowest bit changed */
	uint32_t delay_us;    /* each send() becomes visible to the receiver this much later */
};
#define ENT_MEMLINK_SOUND \
	{ \
		UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, 0 \
	}

/* Two ends; each is freed with ops->free. send() never waits: bytes pile up to capacity_bytes per direction, one more is ENT_ENOMEM
 * (0 = no cap). recv() waits until bytes, death or cancel come. A freed end is a dead peer to the other once its bytes are read. */
int ent_memlink_pair(struct ent_link *ret[2], size_t capacity_bytes);
/* Replaces the faults of what this end sends. Before use, or between calls of the using thread. */
void ent_memlink_faults(struct ent_link *end, const struct ent_memlink_faults *faults);
/* recv() fails with ENT_EPEER after this long without a byte; 0 = waits for ever (default 60 s, so that a broken test ends). */
void ent_memlink_timeout(struct ent_link *end, uint32_t timeout_ms);
#endif
