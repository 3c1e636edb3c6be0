/* One HTTP request on the session's curl handle. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "hdfs.h"

#define CONNECT_MS 10000

struct transfer {
	struct ent_hdfs *h;
	struct ent_hdfs_call *c;
	uint64_t sent;
	int failed; /* errno of the local file */
};

static size_t take(char *data, size_t one, size_t len, void *arg)
{
	struct transfer *t = (struct transfer *)arg;
	long status = 0;
	(void)one;
	curl_easy_getinfo(t->h->curl, CURLINFO_RESPONSE_CODE, &status);
	if (t->c->fd < 0 || status != 200) {
		ent_buf_put(&t->c->body, data, len);
		return t->c->body.code ? 0 : len;
	}
	if (len > t->c->fd_max - t->c->written)
		return 0;
	for (size_t done = 0; done < len;) {
		ssize_t n = write(t->c->fd, data + done, len - done);
		if (n <= 0 && errno != EINTR) {
			t->failed = errno;
			return 0;
		}
		done += n > 0 ? (size_t)n : 0;
		t->c->written += n > 0 ? (uint64_t)n : 0;
	}
	return len;
}

static size_t give(char *data, size_t one, size_t len, void *arg)
{
	struct transfer *t = (struct transfer *)arg;
	uint64_t left = t->c->upload_len - t->sent;
	len *= one;
	ssize_t n = pread(t->c->upload_fd, data, left < len ? (size_t)left : len, (off_t)t->sent);
	if (n < 0) {
		t->failed = errno;
		return CURL_READFUNC_ABORT;
	}
	t->sent += (uint64_t)n;
	return (size_t)n;
}

/* Only to the start: what curl needs to send a body again. */
static int again(void *arg, curl_off_t offset, int origin)
{
	struct transfer *t = (struct transfer *)arg;
	if (origin != SEEK_SET || offset != 0)
		return CURL_SEEKFUNC_CANTSEEK;
	t->sent = 0;
	return CURL_SEEKFUNC_OK;
}

static int stop(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct transfer *t = (const struct transfer *)arg;
	(void)a, (void)b, (void)c, (void)d;
	return t->h->host.cancelled && t->h->host.cancelled(t->h->host.self);
}

static void method_set(struct transfer *t)
{
	CURL *c = t->h->curl;
	bool body = t->c->upload_fd >= 0;
	if (t->c->method == ENT_HDFS_DELETE)
		curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, "DELETE");
	if (t->c->method != ENT_HDFS_PUT)
		return;
	curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)(body ? t->c->upload_len : 0));
	curl_easy_setopt(c, CURLOPT_READFUNCTION, give);
	curl_easy_setopt(c, CURLOPT_READDATA, t);
	curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, again);
	curl_easy_setopt(c, CURLOPT_SEEKDATA, t);
}

/* Redirects are never followed by curl, credentials never leave the addresses we build, and nothing but the two protocols is spoken. */
static void options_set(struct transfer *t, char error[CURL_ERROR_SIZE])
{
	const struct ent_hdfs_settings *s = &t->h->settings;
	CURL *c = t->h->curl;
	uint32_t ms = t->h->host.timeout_ms ? t->h->host.timeout_ms : 60000;
	curl_easy_reset(c);
	curl_easy_setopt(c, CURLOPT_URL, t->c->url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, s->tls ? "https" : "http");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, ms < CONNECT_MS ? (long)ms : (long)CONNECT_MS);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)(ms + 999) / 1000);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, stop);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 262144L);
	curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, 262144L);
#ifndef ENT_MUTANT_HDFS_UNVERIFIED
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, s->named ? 2L : 0L);
#else
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
#endif
	if (s->ca_file[0])
		curl_easy_setopt(c, CURLOPT_CAINFO, s->ca_file);
	method_set(t);
}

static bool unreached(CURL *c, CURLcode code)
{
	curl_off_t connected = 0;
	curl_easy_getinfo(c, CURLINFO_PRETRANSFER_TIME_T, &connected);
	return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT || (code == CURLE_OPERATION_TIMEDOUT && !connected);
}

/* Scheme, host and port: what follows may hold a token. */
/* The port in Hadoop's own configuration, fs.defaultFS, is the one most often tried. */
static const char *advice(CURLcode code)
{
	switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return "give the authority's certificate with --ca-file";
	case CURLE_SSL_CONNECT_ERROR:
		return "WebHDFS speaks TLS on port 9871; for a server without TLS: port 9870 and ?tls=off (8020 and 9000 are not WebHDFS's)";
	case CURLE_UNSUPPORTED_PROTOCOL: /* another protocol than HTTP */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_COULDNT_CONNECT:
		return "is this the port of WebHDFS? It is 9871, without TLS 9870 and ?tls=off; 8020 and 9000 are those of Hadoop's own protocol";
	default:
		return NULL;
	}
}

static int no_answer(const struct transfer *t, CURLcode code, const char *error, struct ent_err *err)
{
	bool tls = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR || code == CURLE_SSL_CACERT_BADFILE;
	const char *host = strstr(t->c->url, "://");
	int kind = t->failed == ENOSPC ? ENT_ENOSPACE : t->failed ? ENT_EIO : tls ? ENT_EDENIED : ENT_EPEER;
	char why[100];
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return ent_fail(err, ENT_ECANCELLED, "the work with HDFS was cancelled");
	if (t->failed) {
		ent_fail(err, kind, "a local file cannot be read or written");
		return ent_why(err, "%s", strerror_r(t->failed, why, sizeof why)), kind;
	}
	ent_fail(err, kind, "no answer from HDFS at %.*s", host ? (int)(host + 3 - t->c->url + (ptrdiff_t)strcspn(host + 3, "/?")) : 0, t->c->url);
	ent_why(err, "%s", t->c->body.code ? "the answer is too long" : error[0] ? error : curl_easy_strerror(code));
	const char *next = advice(code);
	if (next)
		ent_next(err, "%s", next);
	return kind;
}

int ent_hdfs_call(struct ent_hdfs *h, struct ent_hdfs_call *c, struct ent_err *err)
{
	struct transfer t = { .h = h, .c = c };
	char error[CURL_ERROR_SIZE] = "";
	char *to = NULL;
	ent_buf_deinit(&c->body);
	ent_buf_init(&c->body, ENT_HDFS_ANSWER_MAX);
	c->written = 0;
	c->status = 0;
	c->location[0] = 0;
	options_set(&t, error);
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/octet-stream");
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
	CURLcode code = headers ? curl_easy_perform(h->curl) : CURLE_OUT_OF_MEMORY;
	c->unreached = unreached(h->curl, code);
	curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &c->status);
	if (!curl_easy_getinfo(h->curl, CURLINFO_REDIRECT_URL, &to) && to && strlen(to) < sizeof c->location)
		snprintf(c->location, sizeof c->location, "%s", to);
	curl_slist_free_all(headers);
	return code ? no_answer(&t, code, error, err) : 0;
}

void ent_hdfs_call_deinit(struct ent_hdfs_call *c) { ent_buf_deinit(&c->body); }
