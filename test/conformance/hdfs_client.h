/* A client of WebHDFS in a page, by libcurl: whole small files in and out, redirects followed by curl itself (the connector follows none). */
#ifndef ENT_TEST_HDFS_CLIENT_H
#define ENT_TEST_HDFS_CLIENT_H
#include <curl/curl.h>
#include <stdio.h>

#include "base/bytes.h"
#include "tap.h"

struct hdfs_sent {
	struct ent_bytes bytes;
	size_t at;
};

static inline size_t hdfs_read(char *to, size_t size, size_t n, void *self)
{
	struct hdfs_sent *s = (struct hdfs_sent *)self;
	size_t left = s->bytes.len - s->at, most = size * n, now = left < most ? left : most;
	memcpy(to, s->bytes.data + s->at, now);
	s->at += now;
	return now;
}

static inline int hdfs_seek(void *self, curl_off_t at, int from)
{
	((struct hdfs_sent *)self)->at = from == SEEK_SET ? (size_t)at : 0;
	return CURL_SEEKFUNC_OK;
}

static inline size_t hdfs_write(char *from, size_t size, size_t n, void *self)
{
	if (self)
		ent_buf_put((struct ent_buf *)self, from, size * n);
	return size * n;
}

/* method: PUT with bytes, GET into out, or DELETE. path begins with '/'. */
static inline bool hdfs_ask(int port, const char *method, const char *path, const char *what, struct ent_bytes bytes, struct ent_buf *out)
{
	char url[900];
	long status = 0;
	struct hdfs_sent sent = { bytes, 0 };
	CURL *c = curl_easy_init();
	snprintf(url, sizeof url, "http://127.0.0.1:%d/webhdfs/v1%s?user.name=tester&op=%s", port, path, what);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, hdfs_write);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, out);
	if (method[0] == 'P') {
		curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(c, CURLOPT_READFUNCTION, hdfs_read);
		curl_easy_setopt(c, CURLOPT_READDATA, &sent);
		curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, hdfs_seek);
		curl_easy_setopt(c, CURLOPT_SEEKDATA, &sent);
		curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)bytes.len);
	}
	CURLcode code = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(c);
	return !code && status >= 200 && status < 300;
}

static inline bool hdfs_put(int port, const char *path, struct ent_bytes bytes)
{
	return hdfs_ask(port, "PUT", path, "CREATE&overwrite=true", bytes, NULL);
}
static inline bool hdfs_get(int port, const char *path, struct ent_buf *out) { return hdfs_ask(port, "GET", path, "OPEN", ent_bytes("", 0), out); }
static inline bool hdfs_remove(int port, const char *path) { return hdfs_ask(port, "DELETE", path, "DELETE", ent_bytes("", 0), NULL); }
#endif
