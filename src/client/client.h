/* The client library: one request to a node over its local socket, the same verbs as src/node/README.md lists. Needs nothing but an
 * ent_http_caller, so a program may bring its own transport. */
#ifndef ENT_CLIENT_CLIENT_H
#define ENT_CLIENT_CLIENT_H
#include "base/http.h"
#include "base/json.h"

struct ent_client {
	struct ent_http_caller *caller;
	int (*progress)(void *arg); /* called a few times a second; non-zero stops with ENT_ECANCELLED; may be NULL */
	void *arg;
};

/* One request. *ret_answer (new reference, may be NULL on failure) and content (appended; may be NULL) as the verb says.
 * timeout_ms 0: waits as long as the node does. A failure of the verb comes back as the node said it, with what, why and next. */
int ent_client_call(const struct ent_client *c, const char *verb, const json_t *args, uint32_t timeout_ms, json_t **ret_answer,
		    struct ent_buf *content, struct ent_err *err);
#endif
