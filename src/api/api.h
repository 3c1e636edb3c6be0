/* HTTP in front of the node: one table of routes, each a verb of src/node; answers as JSON, content as bytes.
 *
 * Runs on the node's thread: the server hands a request over and gets the answer by callback. */
#ifndef ENT_API_API_H
#define ENT_API_API_H
#include "base/http.h"
#include "node/node.h"

struct ent_api_sink {
	/* Exactly once, on the node's thread, during ent_api_handle or later; the answer is lent. */
	void (*done)(struct ent_api_sink *s, const struct ent_http_answer *answer);
};

struct ent_api_call; /* a request that still waits */

/* Answers one request. *ret_call: set while it waits, for ent_api_forget when the client left; NULL once done was called. */
void ent_api_handle(struct ent_node *node, const struct ent_http_request *request, struct ent_api_sink *sink, struct ent_api_call **ret_call);
/* done will not be called any more. */
void ent_api_forget(struct ent_node *node, struct ent_api_call *call);
/* The API's description as OpenAPI 3.1, from the same table (new reference). */
json_t *ent_api_openapi(void);
#endif
