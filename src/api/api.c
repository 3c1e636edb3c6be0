/* A request becomes a verb, the verb's reply becomes an answer. */
#include "api/api.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/routes.h"

struct ent_api_call {
	struct ent_reply reply; /* first: the node knows us by it */
	const struct ent_api_route *route;
	struct ent_api_sink *sink;
	struct ent_api_call **slot; /* whom to tell that we are gone */
};

static void put_text(json_t *obj, const char *key, const char *text)
{
	if (text[0])
		json_object_set_new(obj, key, json_string(text));
}

static json_t *error_object(const struct ent_err *err, const json_t *answer)
{
	json_t *e = json_object();
	json_object_set_new(e, "code", json_string(ent_code_name(err->code)));
	put_text(e, "what", err->what);
	put_text(e, "why", err->why);
	put_text(e, "next", err->next);
	put_text(e, "sqlstate", err->sqlstate);
	json_t *out = json_object();
	json_object_set_new(out, "error", e);
	if (answer)
		json_object_set(out, "answer", (json_t *)(uintptr_t)answer);
	return out;
}

static void dump(const json_t *value, struct ent_buf *out)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
	if (text)
		ent_buf_str(out, text);
	free(text);
}

static void answer_error(struct ent_api_sink *sink, const struct ent_err *err, const json_t *answer)
{
	struct ent_http_answer a = { .status = ent_code_http(err->code), .type = "application/json", .body = ENT_BUF(ENT_HTTP_BODY_MAX) };
	ENT_JSON_AUTO e = error_object(err, answer);
	dump(e, &a.body);
	sink->done(sink, &a);
	ent_buf_deinit(&a.body);
}

static void answer_json(struct ent_api_sink *sink, const json_t *answer)
{
	struct ent_http_answer a = { .status = 200, .type = "application/json", .body = ENT_BUF(ENT_HTTP_BODY_MAX) };
	dump(answer, &a.body);
	sink->done(sink, &a);
	ent_buf_deinit(&a.body);
}

static void reply_done(struct ent_reply *r, const json_t *answer, struct ent_bytes content, const struct ent_err *err)
{
	struct ent_api_call *call = (struct ent_api_call *)r;
	*call->slot = NULL;
	if (err) {
		answer_error(call->sink, err, answer);
	} else if (call->route->content) {
		struct ent_http_answer a = { .status = 200, .type = call->route->content, .body = ENT_BUF(ENT_HTTP_BODY_MAX) };
		ent_buf_put(&a.body, content.data, content.len);
		call->sink->done(call->sink, &a);
		ent_buf_deinit(&a.body);
	} else {
		answer_json(call->sink, answer);
	}
	free(call);
}

/* The route of a local request and its arguments. */
static int read_request(const struct ent_http_request *request, const struct ent_api_route **ret_route, json_t **ret_args, struct ent_err *err)
{
	const char *verb = request->url + 4;
	const struct ent_api_route *route = ent_api_route_by_verb(verb, strlen(verb));
	if (!route)
		return ent_fail(err, ENT_ENOTFOUND, "no route %s", request->url);
	if (strcmp(request->method, "POST") != 0)
		return ent_fail(err, ENT_EUSAGE, "%s takes POST with a JSON object", request->url);
	*ret_route = route;
	if (!request->body.len) {
		*ret_args = json_object();
		return *ret_args ? 0 : ent_nomem(err);
	}
	ENT_TRY(ent_json_parse(request->body, ENT_HTTP_BODY_MAX, ret_args, err));
	if (!json_is_object(*ret_args))
		return ent_fail(err, ENT_EDATA, "the body of %s is not a JSON object", request->url);
	return 0;
}

static void handle_verb(struct ent_node *node, const struct ent_http_request *request, struct ent_api_sink *sink, struct ent_api_call **ret_call)
{
	struct ent_err err = ENT_ERR_INIT;
	const struct ent_api_route *route = NULL;
	ENT_JSON_AUTO args = NULL;
	if (read_request(request, &route, &args, &err)) {
		answer_error(sink, &err, NULL);
		return;
	}
	struct ent_api_call *call = calloc(1, sizeof *call);
	if (!call) {
		ent_nomem(&err);
		answer_error(sink, &err, NULL);
		return;
	}
	*call = (struct ent_api_call){ .reply = { .done = reply_done }, .route = route, .sink = sink, .slot = ret_call };
	*ret_call = call;
	ent_node_request(node, route->verb, args, &call->reply);
}

void ent_api_handle(struct ent_node *node, const struct ent_http_request *request, struct ent_api_sink *sink, struct ent_api_call **ret_call)
{
	*ret_call = NULL;
	if (request->trusted && !strcmp(request->url, "/v1/openapi.json")) {
		ENT_JSON_AUTO description = ent_api_openapi();
		answer_json(sink, description);
		return;
	}
	if (request->trusted && !strncmp(request->url, "/v1/", 4)) {
		handle_verb(node, request, sink, ret_call);
		return;
	}
	struct ent_http_answer a = { .body = ENT_BUF(ENT_HTTP_BODY_MAX) };
	ent_node_http(node, request, &a);
	sink->done(sink, &a);
	ent_buf_deinit(&a.body);
}

void ent_api_forget(struct ent_node *node, struct ent_api_call *call)
{
	ent_node_forget(node, &call->reply);
	*call->slot = NULL;
	free(call);
}
