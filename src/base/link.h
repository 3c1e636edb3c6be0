/* A link carries an ordered stream of bytes between two parties of one job. Three-party code sees nothing else of the network.
 * In the node it is TLS 1.3 over TCP, in tests an in-memory pair that can delay, drop, truncate, flip and die.
 * One thread uses a link at a time, except cancel. Links never deadlock when both ends send first: they buffer or drain on their own. */
#ifndef ENT_BASE_LINK_H
#define ENT_BASE_LINK_H
#include "base/bytes.h"

struct ent_link;

struct ent_link_ops {
	int (*send)(struct ent_link *l, const void *data, size_t len,
		    struct ent_err *err);                                             /* data may be reused on return; ENT_EPEER, ENT_ECANCELLED */
	int (*recv)(struct ent_link *l, void *data, size_t len, struct ent_err *err); /* exactly len bytes, or ENT_EPEER, ENT_ECANCELLED */
	void (*cancel)(struct ent_link *l);                                           /* any thread: both directions fail from now on */
	void (*free)(struct ent_link *l);
};

struct ent_link {
	const struct ent_link_ops *ops;
	uint64_t bytes_sent, bytes_received, messages_sent; /* payload, counted by send and recv of the implementation */
};
#endif
