#include "net/web_curl.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/tls.h"

static size_t take(char *data, size_t one, size_t len, void *arg)
{
	struct ent_transfer *t = arg;
	(void)one;
	ent_buf_put(&t->body, data, len);
	return t->body.code ? 0 : len;
}

static const char *known_type(const char *type)
{
	static const char *const known[] = { "application/json", "text/plain", "text/csv", "text/html", "application/vnd.apache.arrow.stream",
					     "text/x.tlog.size" };
	for (size_t i = 0; type && i < ENT_COUNT(known); i++) {
		size_t n = strlen(known[i]);
		if (!strncmp(type, known[i], n) && (!type[n] || type[n] == ';' || type[n] == ' '))
			return known[i];
	}
	return "application/octet-stream";
}

/* The other side's certificate counts for nothing but its key: the pin is checked by curl after the handshake, before anything is sent. */
static void tls_options(struct ent_transfer *t, const struct ent_http_request *r)
{
	CURL *c = t->easy;
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
	curl_easy_setopt(c, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	if (!r->peer_key)
		return;
	ent_tls_key_pin(r->peer_key, t->pin);
#ifndef ENT_MUTANT_WITNESS_UNPINNED
	curl_easy_setopt(c, CURLOPT_PINNEDPUBLICKEY, t->pin);
#endif
}

int ent_transfer_identity(struct ent_transfer *t, const struct ent_web_identity *id)
{
	struct curl_blob cert = { (void *)(uintptr_t)id->cert, id->cert_len, CURL_BLOB_COPY };
	struct curl_blob key = { (void *)(uintptr_t)id->key, strlen(id->key), CURL_BLOB_COPY };
	if (!id->cert_len)
		return 0;
	bool ok = !curl_easy_setopt(t->easy, CURLOPT_SSLCERTTYPE, "DER") && !curl_easy_setopt(t->easy, CURLOPT_SSLCERT_BLOB, &cert) &&
		  !curl_easy_setopt(t->easy, CURLOPT_SSLKEYTYPE, "PEM") && !curl_easy_setopt(t->easy, CURLOPT_SSLKEY_BLOB, &key);
	return ok ? 0 : ENT_ENOMEM;
}

static int options(struct ent_transfer *t, const struct ent_http_request *r, const char *agent)
{
	CURL *c = t->easy;
	curl_easy_setopt(c, CURLOPT_URL, t->url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, r->timeout_ms ? (long)r->timeout_ms : 10000L);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->error);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(c, CURLOPT_PRIVATE, t);
	tls_options(t, r);
	if (agent)
		curl_easy_setopt(c, CURLOPT_USERAGENT, agent);
	t->headers = curl_slist_append(NULL, "Expect:");
	if (!strcmp(r->method, "POST")) {
		struct curl_slist *more = curl_slist_append(t->headers, "Content-Type: application/octet-stream");
		t->headers = more ? more : t->headers;
		curl_easy_setopt(c, CURLOPT_POST, 1L);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, t->sent ? (const char *)t->sent : "");
	} else if (strcmp(r->method, "GET") != 0)
		curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method);
	return curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers) ? ENT_ENOMEM : 0;
}

int ent_transfer_init(struct ent_transfer *t, const struct ent_http_request *request, const char *url, const char *agent, size_t body_max,
		      struct ent_err *err)
{
	*t = (struct ent_transfer){ .body = ENT_BUF(body_max ? body_max : ENT_HTTP_BODY_MAX) };
	t->easy = curl_easy_init();
	t->url = ent_strdup(url);
	t->sent = request->body.len ? ent_alloc(1, request->body.len) : NULL;
	if (!t->easy || !t->url || (request->body.len && !t->sent)) {
		ent_transfer_deinit(t);
		return ent_nomem(err);
	}
	if (t->sent)
		memcpy(t->sent, request->body.data, request->body.len);
	if (options(t, request, agent)) {
		ent_transfer_deinit(t);
		return ent_nomem(err);
	}
	return 0;
}

void ent_transfer_deinit(struct ent_transfer *t)
{
	curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
	free(t->url);
	free(t->sent);
	ent_buf_deinit(&t->body);
	*t = (struct ent_transfer){ 0 };
}

int ent_transfer_result(struct ent_transfer *t, CURLcode code, struct ent_http_answer *ret, struct ent_err *err)
{
	long status = 0;
	char *type = NULL;
	if (code) {
		int kind = t->body.code || code == CURLE_OUT_OF_MEMORY ? ENT_ENOMEM : ENT_EPEER;
		ent_fail(err, kind, "no HTTP answer from %.300s", t->url);
		ent_why(err, "%s", t->body.code ? "the answer is longer than allowed here" : t->error[0] ? t->error : curl_easy_strerror(code));
		return kind;
	}
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
	ret->status = (int)status;
	ret->type = known_type(type);
	ret->body = t->body;
	t->body = (struct ent_buf){ 0 };
	return 0;
}
