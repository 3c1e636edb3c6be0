/* HTTP both ways: a client behind the http vtable, a blocking client for the local socket, and a server for a handler. */
#ifndef ENT_NET_WEB_H
#define ENT_NET_WEB_H
#include "base/http.h"

/* Client: transfers run on one thread of its own; each done() is handed to post(post_arg, fn, arg), which must run fn(arg) once on the node
 * thread. When post fails (non-zero) the answer is dropped without a call: the node is stopping. */
typedef int (*ent_post_fn)(void *post_arg, void (*fn)(void *arg), void *arg);
int ent_web_client_new(ent_post_fn post, void *post_arg, const char *user_agent, struct ent_http **ret, struct ent_err *err);
/* Shows this certificate where a server asks for one: org's tls key. Any thread; requests started later have it. */
int ent_web_client_identity(struct ent_http *h, const char *org, const uint8_t tls_secret[32], struct ent_err *err);
void ent_web_client_free(struct ent_http *h); /* transfers under way are dropped without a call */

/* Blocking calls to a local socket (for src/client). request->url is a path. Long socket paths work. ENT_ENONODE when nobody listens. */
int ent_web_caller_new(const char *socket_path, struct ent_http_caller **ret, struct ent_err *err);
void ent_web_caller_free(struct ent_http_caller *c);

struct ent_web_server;
struct ent_tls_identity; /* crypto/tls.h, ent_tls_identity_web_new */
struct ent_web_options {
	const char *listen; /* HOST:PORT, [V6]:PORT, port 0 = any; or NULL when socket_path is given */
	/* With a TLS identity the TCP listener takes both: TLS 1.3 (from anywhere, ended here) and, from loopback alone and unless closed, plain
	 * HTTP. A TLS request is trusted when member says yes to the raw key of the client's certificate; no certificate is needed. */
	struct ent_tls_identity *tls;                         /* referenced until the server is freed; NULL: plain HTTP for everybody */
	bool plain_closed;                                    /* no plain HTTP, not even from loopback */
	bool (*member)(void *arg, const uint8_t tls_key[32]); /* on a server thread */
	void *member_arg;
	const char *socket_path;         /* made with mode 0600, replaced if nobody answers on it; requests are trusted */
	bool trust_loopback;             /* requests from 127.0.0.0/8 and ::1 are trusted */
	size_t body_bytes_max;           /* 0 = ENT_HTTP_BODY_MAX */
	unsigned connections_max;        /* 0 = 64 */
	unsigned threads;                /* handler calls at once; 0 = one thread per connection */
	uint32_t timeout_ms;             /* idle connection; 0 = 30000 */
	struct ent_http_handler handler; /* called on server threads; the handler locks or queues for itself */
};
int ent_web_server_new(const struct ent_web_options *options, struct ent_web_server **ret, struct ent_err *err);
void ent_web_server_free(struct ent_web_server *s); /* waits for running handlers */
uint16_t ent_web_server_port(const struct ent_web_server *s);
#endif
