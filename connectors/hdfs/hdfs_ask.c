/* Operations at the NameNode: addresses, the active one among several, patience. */
#include <stdio.h>
#include <time.h>

#include "hdfs.h"

#define UNREACHED_MAX 4 /* rounds over all NameNodes */
#define BUSY_MAX 9

void ent_hdfs_escape(struct ent_buf *out, const char *text, bool keep_slashes)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
	for (; *text; text++)
		ent_buf_printf(out, strchr(plain, *text) || (keep_slashes && *text == '/') ? "%c" : "%%%02X", (unsigned char)*text);
}

bool ent_hdfs_wait(const struct ent_hdfs *h, unsigned n)
{
	unsigned ms = n < 5 ? 100u << n : 4000;
	for (unsigned done = 0; done < ms; done += 50) {
		if (h->host.cancelled && h->host.cancelled(h->host.self))
			return false;
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	}
	return true;
}

static int url_make(const struct ent_hdfs *h, size_t host, const char *path, const char *query, struct ent_buf *out, struct ent_err *err)
{
	const struct ent_hdfs_settings *s = &h->settings;
	ent_buf_printf(out, "%s://%s:%s/webhdfs/v1", s->tls ? "https" : "http", s->hosts[host], s->port);
	ent_hdfs_escape(out, path, true);
	ent_buf_printf(out, "?%s", query);
	if (s->token[0]) {
		ent_buf_str(out, "&delegation=");
		ent_hdfs_escape(out, s->token, false);
	} else if (s->user[0]) {
		ent_buf_str(out, "&user.name=");
		ent_hdfs_escape(out, s->user, false);
	}
	return ent_buf_check(out, err);
}

/* Step one of reading and writing, and all that only looks, may be asked twice. */
static bool repeatable(const struct ent_hdfs_call *c, const char *query) { return c->method == ENT_HDFS_GET || !strncmp(query, "op=CREATE", 9); }

static int ask_one(struct ent_hdfs *h, size_t host, const char *path, const char *query, struct ent_hdfs_call *c, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf url = ENT_BUF(ENT_OBJECT_PATH_MAX * 4 + ENT_HDFS_URL_MAX);
	char what[300];
	ENT_TRY(url_make(h, host, path, query, &url, err));
	c->url = ent_buf_text(&url);
	int code = ent_hdfs_call(h, c, err);
	c->url = NULL;
	if (code || c->status == 200 || c->status == 201 || c->status == 307)
		return code;
	snprintf(what, sizeof what, "HDFS does not do %.*s for %.200s", (int)strcspn(query + 3, "&"), query + 3, path);
	code = ent_hdfs_error_read(c->status, ent_buf_bytes(&c->body), what, err);
	if (code == ENT_ENOTFOUND && err)
		snprintf(err->what, sizeof err->what, "there is no %.200s in HDFS", path);
	return code;
}

int ent_hdfs_ask(struct ent_hdfs *h, enum ent_hdfs_method method, const char *path, const char *query, struct ent_hdfs_call *c, struct ent_err *err)
{
	*c = (struct ent_hdfs_call){ .method = method, .upload_fd = -1, .fd = -1 };
	for (unsigned round = 0;; round++) {
		bool reached = false;
		int code = 0;
		for (size_t i = 0; i < h->settings.n_hosts; i++) {
			size_t host = (h->active + i) % h->settings.n_hosts;
			code = ask_one(h, host, path, query, c, err);
			if (!code) {
				h->active = host;
				return 0;
			}
			bool lost = code == ENT_EPEER && !c->status;
			if (code != ENT_EAGAIN && !(lost && (c->unreached || repeatable(c, query))))
				return code;
			reached = reached || !c->unreached;
		}
		if (round + 1 >= (reached ? BUSY_MAX : UNREACHED_MAX) || !ent_hdfs_wait(h, round))
			return code;
	}
}
