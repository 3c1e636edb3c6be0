/* A job link over an established TLS session. Private to net.
 *
 * Links of one mesh form a group. Whoever waits inside any of them also drains the others, so parties may all send first, in a ring or
 * any other shape, and nobody waits for ever: bytes end in the receiver's queue, bounded by bytes_max. */
#ifndef ENT_NET_JOB_LINK_H
#define ENT_NET_JOB_LINK_H
#include "base/link.h"
#include "crypto/tls.h"

struct ent_link_group;
struct ent_link_group *ent_link_group_new(void);
void ent_link_group_free(struct ent_link_group *g);  /* all its links were freed before */
void ent_link_group_unref(struct ent_link_group *g); /* freed with its last link, or now when it has none; NULL is fine */
/* Links with this peer fail with ENT_EPEER and this reason from now on. Any thread. */
void ent_link_group_kill(struct ent_link_group *g, const char *org, const char *why);

/* Takes fd and tls on success. early: bytes of the peer that were already decrypted. */
int ent_job_link_new(struct ent_link_group *g, int fd, struct ent_tls *tls, const char *org, size_t bytes_max, struct ent_bytes early,
		     struct ent_link **ret, struct ent_err *err);
#endif
