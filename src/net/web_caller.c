/* Blocking calls over the local socket. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/local_path.h"
#include "net/web.h"
#include "net/web_curl.h"

#define PROGRESS_MS 250

struct caller {
	struct ent_http_caller http;
	char *path;
};

/* Runs the transfer, asking progress() now and then. */
static int drive(CURLM *multi, struct ent_transfer *t, int (*progress)(void *arg), void *arg, CURLcode *ret, struct ent_err *err)
{
	int active = 1, left = 0;
	curl_multi_add_handle(multi, t->easy);
	while (active) {
		if (curl_multi_perform(multi, &active))
			return ent_nomem(err);
		if (active && progress && progress(arg))
			return ent_fail(err, ENT_ECANCELLED, "interrupted");
		if (active)
			curl_multi_poll(multi, NULL, 0, PROGRESS_MS, NULL);
	}
	CURLMsg *m = curl_multi_info_read(multi, &left);
	*ret = m ? m->data.result : CURLE_OUT_OF_MEMORY;
	return 0;
}

static int no_node(const struct caller *k, struct ent_err *err)
{
	ent_fail(err, ENT_ENONODE, "no node runs here");
	ent_why(err, "nobody answers on %.400s", k->path);
	ent_next(err, "start it: entente serve");
	return ENT_ENONODE;
}

static int transfer(struct caller *k, struct ent_transfer *t, int (*progress)(void *arg), void *arg, struct ent_http_answer *ret, struct ent_err *err)
{
	struct ent_local_path socket_path;
	CURLcode result = CURLE_OK;
	if (ent_local_path_init(&socket_path, k->path, err))
		return no_node(k, err);
	curl_easy_setopt(t->easy, CURLOPT_UNIX_SOCKET_PATH, socket_path.path);
	CURLM *multi = curl_multi_init();
	int code = multi ? drive(multi, t, progress, arg, &result, err) : ent_nomem(err);
	if (multi)
		curl_multi_remove_handle(multi, t->easy);
	curl_multi_cleanup(multi);
	ent_local_path_deinit(&socket_path);
	if (!code && result == CURLE_COULDNT_CONNECT)
		return no_node(k, err);
	return code ? code : ent_transfer_result(t, result, ret, err);
}

static int call(struct ent_http_caller *c, const struct ent_http_request *request, int (*progress)(void *arg), void *arg, struct ent_http_answer *ret,
		struct ent_err *err)
{
	struct caller *k = (struct caller *)c;
	struct ent_transfer t;
	struct ent_buf url = ENT_BUF(65536);
	ent_buf_printf(&url, "http://localhost%s", request->url);
	int code = ent_buf_check(&url, err);
	if (!code)
		code = ent_transfer_init(&t, request, ent_buf_text(&url), NULL, ret->body.max, err);
	ent_buf_deinit(&url);
	if (code)
		return code;
	code = transfer(k, &t, progress, arg, ret, err);
	ent_transfer_deinit(&t);
	return code;
}

static void once(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

int ent_web_caller_new(const char *socket_path, struct ent_http_caller **ret, struct ent_err *err)
{
	static pthread_once_t initialised = PTHREAD_ONCE_INIT;
	pthread_once(&initialised, once);
	struct caller *k = ent_alloc(1, sizeof *k);
	char *path = ent_strdup(socket_path);
	if (!k || !path) {
		free(k);
		free(path);
		return ent_nomem(err);
	}
	*k = (struct caller){ { call }, path };
	*ret = &k->http;
	return 0;
}

void ent_web_caller_free(struct ent_http_caller *c)
{
	if (c)
		free(((struct caller *)c)->path);
	free(c);
}
