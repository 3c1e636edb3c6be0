/* The http vtable: one client call, one server handler. Bodies are small and whole (ledger tiles, checkpoints, API answers). */
#ifndef ENT_BASE_HTTP_H
#define ENT_BASE_HTTP_H
#include "base/bytes.h"

#define ENT_HTTP_BODY_MAX (32u << 20)

struct ent_http_request {
	const char *method; /* "GET", "POST" */
	const char *url;    /* client: whole URL; server: path with query */
	struct ent_bytes body;
	uint32_t timeout_ms;
	bool trusted;            /* server: came over loopback, the local socket, or with a member's certificate */
	const char *token;       /* server: what a bearer showed, "" when nothing */
	const uint8_t *peer_key; /* client, https: the raw Ed25519 key (32 bytes) the other side must hold; NULL: any, for what proves itself */
};

struct ent_http_answer {
	int status; /* 0: no answer (err of the call tells) */
	const char *type;
	struct ent_buf body;
};

struct ent_http {
	/* Starts a request; done() is called exactly once, on the thread that drives the node (node code never blocks on HTTP).
	 * request is copied. The answer is lent for the call. */
	int (*start)(struct ent_http *h, const struct ent_http_request *request,
		     void (*done)(void *arg, const struct ent_http_answer *answer, const struct ent_err *err), void *arg, struct ent_err *err);
};

/* One blocking call, for programs that talk to a node over its local socket (src/client). */
struct ent_http_caller {
	/* ret->body.max bounds the answer (0 = ENT_HTTP_BODY_MAX); the caller frees the body with ent_buf_deinit. ret->type is static text
	 * (application/octet-stream for types not ours). timeout_ms 0 = no limit. progress may be NULL; called about four times a second, non-zero
	 * stops with ENT_ECANCELLED. */
	int (*call)(struct ent_http_caller *c, const struct ent_http_request *request, int (*progress)(void *arg), void *arg,
		    struct ent_http_answer *ret, struct ent_err *err);
};

struct ent_http_handler {
	void *self;
	void (*handle)(void *self, const struct ent_http_request *request, struct ent_http_answer *answer);
};
#endif
