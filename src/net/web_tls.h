/* What stands before the HTTP server when its port may be reached from outside: one thread that accepts, ends TLS, and hands on plain streams. */
#ifndef ENT_NET_WEB_TLS_H
#define ENT_NET_WEB_TLS_H
#include <sys/socket.h>

#include "crypto/tls.h"

#define ENT_WEB_MEMBER "member"     /* sun_path of the address given with a stream that came by TLS with a member's certificate */
#define ENT_WEB_STRANGER "stranger" /* by TLS without one */

struct ent_web_gate_options { /* copied */
	int listen_fd;        /* taken */
	struct ent_tls_identity *tls;
	bool plain_closed;
	bool (*member)(void *arg, const uint8_t tls_key[32]);
	void *member_arg;
	/* Takes fd in any case. address: of the client for a plain stream, else AF_UNIX with one of the names above. On the gate's thread. */
	void (*stream)(void *arg, int fd, const struct sockaddr *address, socklen_t len);
	void *arg;
};

struct ent_web_gate;
int ent_web_gate_new(const struct ent_web_gate_options *options, struct ent_web_gate **ret, struct ent_err *err); /* listen_fd is closed on failure */
void ent_web_gate_free(struct ent_web_gate *g); /* ends every stream; NULL is fine */

/* 127.0.0.0/8, ::1, and the former inside of IPv6. */
bool ent_web_loopback(const struct sockaddr *sa);
#endif
