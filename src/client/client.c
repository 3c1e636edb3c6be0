#include "client/client.h"

#include <stdio.h>

static void copy_text(const json_t *obj, const char *key, char *out, size_t size)
{
	const char *text = json_string_value(json_object_get(obj, key));
	snprintf(out, size, "%s", text ? text : "");
}

/* The node's error object, as src/api wrote it. */
static int read_error(const json_t *answer, int status, struct ent_err *err)
{
	const json_t *e = json_object_get(answer, "error");
	const char *name = json_string_value(json_object_get(e, "code"));
	if (!name)
		return ent_fail(err, ENT_EINTERNAL, "the node answered with HTTP status %d and no error", status);
	int code = ent_code_by_name(name);
	ent_fail(err, code ? code : ENT_EINTERNAL, "%s", "");
	if (err) {
		copy_text(e, "what", err->what, sizeof err->what);
		copy_text(e, "why", err->why, sizeof err->why);
		copy_text(e, "next", err->next, sizeof err->next);
		copy_text(e, "sqlstate", err->sqlstate, sizeof err->sqlstate);
	}
	return code ? code : ENT_EINTERNAL;
}

static bool is_json(const struct ent_http_answer *a) { return a->type && !strncmp(a->type, "application/json", 16); }

static int read_answer(const struct ent_http_answer *a, json_t **ret_answer, struct ent_buf *content, struct ent_err *err)
{
	ENT_JSON_AUTO answer = NULL;
	if (is_json(a) && a->body.len)
		ENT_TRY(ent_json_parse(ent_buf_bytes(&a->body), ENT_HTTP_BODY_MAX, &answer, err));
	if (ret_answer)
		*ret_answer = json_incref(answer);
	if (a->status != 200)
		return read_error(answer, a->status, err);
	if (!is_json(a) && content)
		ent_buf_put(content, a->body.data, a->body.len);
	return content ? ent_buf_check(content, err) : 0;
}

int ent_client_call(const struct ent_client *c, const char *verb, const json_t *args, uint32_t timeout_ms, json_t **ret_answer,
		    struct ent_buf *content, struct ent_err *err)
{
	char url[160];
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf body = ENT_BUF(ENT_HTTP_BODY_MAX);
	struct ent_http_answer a = { 0 };
	if (args)
		ENT_TRY(ent_json_canonical(args, &body, err));
	snprintf(url, sizeof url, "/v1/%s", verb);
	struct ent_http_request request = { .method = "POST", .url = url, .body = ent_buf_bytes(&body), .timeout_ms = timeout_ms };
	int failed = c->caller->call(c->caller, &request, c->progress, c->arg, &a, err);
	if (!failed)
		failed = read_answer(&a, ret_answer, content, err);
	ent_buf_deinit(&a.body);
	return failed;
}
