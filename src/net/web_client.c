/* The http vtable on one thread with curl's multi interface: starting never waits, answers are posted to the node thread. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "crypto/secret.h"
#include "crypto/tls.h"
#include "net/web.h"
#include "net/web_curl.h"

#define UNDER_WAY_MAX 256

struct call {
	struct call *next;
	struct ent_transfer transfer;
	void (*done)(void *arg, const struct ent_http_answer *answer, const struct ent_err *err);
	void *arg;
	struct ent_http_answer answer;
	struct ent_err err;
	int code;
};

struct client {
	struct ent_http http;
	pthread_t thread;
	pthread_mutex_t lock;
	CURLM *multi;
	struct call *fresh; /* newest first, under the lock */
	size_t count;       /* under the lock */
	struct call *running;
	bool stop;
	struct ent_web_identity identity; /* under the lock */
	char *agent;
	ent_post_fn post;
	void *post_arg;
};

static void call_free(struct call *c)
{
	ent_transfer_deinit(&c->transfer);
	ent_buf_deinit(&c->answer.body);
	free(c);
}

/* On the node thread. */
static void deliver(void *arg)
{
	struct call *c = arg;
	c->done(c->arg, &c->answer, c->code ? &c->err : NULL);
	call_free(c);
}

static void finish(struct client *k, struct call *c, CURLcode code)
{
	for (struct call **at = &k->running; *at; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			break;
		}
	curl_multi_remove_handle(k->multi, c->transfer.easy);
	c->err = (struct ent_err)ENT_ERR_INIT;
	c->code = ent_transfer_result(&c->transfer, code, &c->answer, &c->err);
	pthread_mutex_lock(&k->lock);
	k->count--;
	pthread_mutex_unlock(&k->lock);
	if (k->post(k->post_arg, deliver, c))
		call_free(c);
}

static bool take_fresh(struct client *k)
{
	pthread_mutex_lock(&k->lock);
	struct call *list = k->fresh;
	bool stop = k->stop;
	k->fresh = NULL;
	pthread_mutex_unlock(&k->lock);
	while (list) {
		struct call *c = list;
		list = c->next;
		c->next = k->running;
		k->running = c;
		if (curl_multi_add_handle(k->multi, c->transfer.easy))
			finish(k, c, CURLE_OUT_OF_MEMORY);
	}
	return !stop;
}

static void *client_main(void *arg)
{
	struct client *k = arg;
	while (take_fresh(k)) {
		int active = 0, left = 0;
		curl_multi_perform(k->multi, &active);
		for (CURLMsg *m; (m = curl_multi_info_read(k->multi, &left));) {
			char *owner = NULL;
			if (m->msg != CURLMSG_DONE)
				continue;
			CURLcode result = m->data.result;
			curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &owner);
			finish(k, (struct call *)(void *)(owner - offsetof(struct call, transfer)), result);
		}
		curl_multi_poll(k->multi, NULL, 0, 1000, NULL);
	}
	return NULL;
}

static int client_start(struct ent_http *h, const struct ent_http_request *request,
			void (*done)(void *arg, const struct ent_http_answer *answer, const struct ent_err *err), void *arg, struct ent_err *err)
{
	struct client *k = (struct client *)h;
	struct call *c = ent_alloc(1, sizeof *c);
	if (!c)
		return ent_nomem(err);
	int code = ent_transfer_init(&c->transfer, request, request->url, k->agent, ENT_HTTP_BODY_MAX, err);
	if (code) {
		free(c);
		return code;
	}
	c->done = done;
	c->arg = arg;
	pthread_mutex_lock(&k->lock);
	code = ent_transfer_identity(&c->transfer, &k->identity);
	bool full = k->count >= UNDER_WAY_MAX || k->stop;
	if (!full && !code) {
		c->next = k->fresh;
		k->fresh = c;
		k->count++;
	}
	pthread_mutex_unlock(&k->lock);
	if (code) {
		call_free(c);
		return ent_nomem(err);
	}
	if (full) {
		call_free(c);
		return ent_fail(err, ENT_EAGAIN, "%d HTTP requests are under way already", UNDER_WAY_MAX);
	}
	curl_multi_wakeup(k->multi);
	return 0;
}

static void once(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

static int thread_start(struct client *k)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int e = pthread_create(&k->thread, NULL, client_main, k);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return e;
}

int ent_web_client_new(ent_post_fn post, void *post_arg, const char *user_agent, struct ent_http **ret, struct ent_err *err)
{
	static pthread_once_t initialised = PTHREAD_ONCE_INIT;
	pthread_once(&initialised, once);
	struct client *k = ent_alloc(1, sizeof *k);
	if (!k)
		return ent_nomem(err);
	*k = (struct client){ .http.start = client_start, .post = post, .post_arg = post_arg, .agent = ent_strdup(user_agent) };
	k->multi = curl_multi_init();
	pthread_mutex_init(&k->lock, NULL);
	if (!k->multi || thread_start(k)) {
		curl_multi_cleanup(k->multi);
		pthread_mutex_destroy(&k->lock);
		free(k->agent);
		free(k);
		return ent_fail(err, ENT_ENOMEM, "could not start the HTTP client");
	}
	*ret = &k->http;
	return 0;
}

int ent_web_client_identity(struct ent_http *h, const char *org, const uint8_t tls_secret[32], struct ent_err *err)
{
	struct client *k = (struct client *)h;
	struct ent_tls_identity *id = NULL;
	ENT_TRY(ent_tls_identity_web_new(org, tls_secret, &id, err));
	struct ent_bytes cert = ent_tls_identity_cert(id);
	bool fits = cert.len <= sizeof k->identity.cert;
	pthread_mutex_lock(&k->lock);
	k->identity.cert_len = fits ? cert.len : 0;
	memcpy(k->identity.cert, cert.data, k->identity.cert_len);
	ent_tls_key_pem(tls_secret, k->identity.key);
	pthread_mutex_unlock(&k->lock);
	ent_tls_identity_free(id);
	return fits ? 0 : ent_fail(err, ENT_EINTERNAL, "the TLS certificate is longer than expected");
}

static void drop(struct client *k, struct call *list)
{
	while (list) {
		struct call *next = list->next;
		curl_multi_remove_handle(k->multi, list->transfer.easy);
		call_free(list);
		list = next;
	}
}

void ent_web_client_free(struct ent_http *h)
{
	struct client *k = (struct client *)h;
	if (!k)
		return;
	pthread_mutex_lock(&k->lock);
	k->stop = true;
	pthread_mutex_unlock(&k->lock);
	curl_multi_wakeup(k->multi);
	pthread_join(k->thread, NULL);
	drop(k, k->running);
	drop(k, k->fresh);
	curl_multi_cleanup(k->multi);
	pthread_mutex_destroy(&k->lock);
	free(k->agent);
	ent_wipe(&k->identity, sizeof k->identity);
	free(k);
}
