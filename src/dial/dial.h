/* One TCP connection to a store's server, in TLS unless the address says otherwise, that never blocks for long. One thread uses it. */
#ifndef ENT_DIAL_DIAL_H
#define ENT_DIAL_DIAL_H
#include <time.h>

#include "base/err.h"
#include "entente/connector.h"

struct ent_dial;

struct ent_dial_how {
	const char *store; /* "Cassandra", for messages */
	const char *host;
	uint16_t port;
	bool tls;                     /* the certificate must come from a known authority */
	bool named;                   /* and carry the host's name (verify-full) */
	const char *ca_file;          /* the only authority; NULL or "": the system's */
	const struct ent_host *asker; /* asked for cancel */
	uint64_t deadline_ms;         /* of ent_dial_now_ms */
};

/* The monotonic clock. */
static inline uint64_t ent_dial_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* how [borrow] until it returns. ENT_EIO (with the reason), ENT_EAGAIN after the deadline, ENT_ECANCELLED. */
int ent_dial_open(const struct ent_dial_how *how, struct ent_dial **ret, struct ent_err *err);
void ent_dial_close(struct ent_dial *d); /* NULL is fine */

/* Some bytes, at least one; ENT_EAGAIN (err untouched) when none can go now, ENT_EIO when the connection is gone. */
int ent_dial_read(struct ent_dial *d, void *buf, size_t len, size_t *ret_len, struct ent_err *err);
int ent_dial_write(struct ent_dial *d, const void *buf, size_t len, size_t *ret_len, struct ent_err *err);
void ent_dial_poll(struct ent_dial *d, bool writing, int timeout_ms); /* until something may go on */
#endif
