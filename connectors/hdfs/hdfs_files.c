/* The object store: one HDFS file per object. Reading and writing go to DataNodes in two steps; a DataNode that does not answer costs another
 * first step, because the NameNode names dead ones for a while. */
#include <stdio.h>
#include <stdlib.h>

#include "hdfs.h"

#define DATANODE_TRIES 12 /* with ent_hdfs_wait about half a minute without any progress */

#define CALL_AUTO ENT_CLEANUP(ent_hdfs_call_deinit) struct ent_hdfs_call

static int hdfs_facts(void *self, const char *path, struct ent_object_facts *ret, struct ent_err *err)
{
	CALL_AUTO c = { 0 };
	struct ent_hdfs_status s;
	ENT_TRY(ent_hdfs_ask(self, ENT_HDFS_GET, path, "op=GETFILESTATUS", &c, err));
	ENT_TRY(ent_hdfs_status_read(ent_buf_bytes(&c.body), &s, err));
	*ret = (struct ent_object_facts){ .bytes = s.length, .folder = s.folder };
	snprintf(ret->version, sizeof ret->version, "%llu+%llu/%llu", (unsigned long long)s.modified_ms, (unsigned long long)s.length,
		 (unsigned long long)s.file_id);
	return 0;
}

/* The first step: where the bytes are, or go. */
static int locate(struct ent_hdfs *h, enum ent_hdfs_method method, const char *path, const char *query, char out[ENT_HDFS_URL_MAX],
		  struct ent_err *err)
{
	CALL_AUTO c = { 0 };
	ENT_TRY(ent_hdfs_ask(h, method, path, query, &c, err));
	if (c.status == 307)
		snprintf(out, ENT_HDFS_URL_MAX, "%s", c.location);
	else
		ENT_TRY(ent_hdfs_location_read(ent_buf_bytes(&c.body), out, ENT_HDFS_URL_MAX, err));
	if (!strncmp(out, h->settings.tls ? "https://" : "http://", h->settings.tls ? 8 : 7))
		return 0;
	ent_fail(err, ENT_EDENIED, "HDFS names a DataNode that does not speak %s", h->settings.tls ? "TLS" : "plain HTTP");
	return ent_next(err, "let NameNode and DataNodes speak the same: dfs.http.policy"), ENT_EDENIED;
}

/* One second step; *ret_again: another first step may help. */
static int transfer(struct ent_hdfs *h, struct ent_hdfs_call *c, const char *what, bool *ret_again, struct ent_err *err)
{
	int code = ent_hdfs_call(h, c, err);
	*ret_again = code == ENT_EPEER;
	if (code || c->status == 200 || c->status == 201)
		return code;
	code = ent_hdfs_error_read(c->status, ent_buf_bytes(&c->body), what, err);
	*ret_again = code == ENT_EPEER || code == ENT_EAGAIN;
	return code;
}

static int hdfs_fetch(void *self, const char *path, uint64_t at, uint64_t len, int fd, struct ent_err *err)
{
	struct ent_hdfs *h = (struct ent_hdfs *)self;
	char query[200], url[ENT_HDFS_URL_MAX];
	for (unsigned n = 0; len;) {
		CALL_AUTO c = { .method = ENT_HDFS_GET, .url = url, .upload_fd = -1, .fd = fd, .fd_max = len };
		bool more = true;
		snprintf(query, sizeof query, "op=OPEN&noredirect=true&offset=%llu&length=%llu", (unsigned long long)at, (unsigned long long)len);
		ENT_TRY(locate(h, ENT_HDFS_GET, path, query, url, err));
		int code = transfer(h, &c, "a DataNode of HDFS refuses to read", &more, err);
		at += c.written;
		len -= c.written;
		n = c.written ? 0 : n + 1;
		if (!len)
			return 0;
		if ((code && !more) || n >= DATANODE_TRIES || !ent_hdfs_wait(h, n))
			return code ? code : ent_fail(err, ENT_EPEER, "HDFS ends %.200s before its length", path);
	}
	return 0;
}

static int hdfs_put(void *self, const char *path, int fd, uint64_t len, struct ent_err *err)
{
	struct ent_hdfs *h = (struct ent_hdfs *)self;
	char url[ENT_HDFS_URL_MAX];
	for (unsigned n = 0;; n++) {
		CALL_AUTO c = { .method = ENT_HDFS_PUT, .url = url, .upload_fd = fd, .upload_len = len, .fd = -1 };
		bool more = true;
		ENT_TRY(locate(h, ENT_HDFS_PUT, path, "op=CREATE&overwrite=true&noredirect=true", url, err));
		int code = transfer(h, &c, "a DataNode of HDFS refuses to write", &more, err);
		if (!code || !more || n + 1 >= DATANODE_TRIES || !ent_hdfs_wait(h, n))
			return code;
	}
}

static int hdfs_rename(void *self, const char *from, const char *to, bool replace, struct ent_err *err)
{
	CALL_AUTO c = { 0 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf query = ENT_BUF(ENT_OBJECT_PATH_MAX * 4);
	bool done = true;
	ent_buf_str(&query, "op=RENAME&destination=");
	ent_hdfs_escape(&query, to, false);
	ent_buf_str(&query, replace ? "&renameoptions=OVERWRITE" : "");
	ENT_TRY(ent_buf_check(&query, err));
	ENT_TRY(ent_hdfs_ask(self, ENT_HDFS_PUT, from, ent_buf_text(&query), &c, err));
	if (!replace)
		ENT_TRY(ent_hdfs_boolean_read(ent_buf_bytes(&c.body), &done, err));
	if (done)
		return 0;
	ent_fail(err, ENT_EUSAGE, "%.200s is there already", to);
	return ent_next(err, "choose --mode replace, or another name"), ENT_EUSAGE;
}

static int hdfs_remove(void *self, const char *path, struct ent_err *err)
{
	CALL_AUTO c = { 0 };
	bool done;
	ENT_TRY(ent_hdfs_ask(self, ENT_HDFS_DELETE, path, "op=DELETE&recursive=false", &c, err));
	ENT_TRY(ent_hdfs_boolean_read(ent_buf_bytes(&c.body), &done, err));
	return done ? 0 : ent_fail(err, ENT_ENOTFOUND, "there is no %.200s in HDFS", path);
}

static void hdfs_close(void *self)
{
	struct ent_hdfs *h = (struct ent_hdfs *)self;
	if (!h)
		return;
	if (h->curl)
		curl_easy_cleanup(h->curl);
	explicit_bzero(h->settings.token, sizeof h->settings.token);
	free(h);
}

const struct ent_object_store_ops ent_hdfs_ops = {
	.name = "HDFS", .facts = hdfs_facts, .fetch = hdfs_fetch, .put = hdfs_put, .rename = hdfs_rename, .remove = hdfs_remove, .close = hdfs_close
};
