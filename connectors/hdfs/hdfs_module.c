/* The module's entry. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "hdfs.h"
#include "object_connector.h"

#define EXPORT __attribute__((visibility("default")))

static struct ent_connector connector;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int place_open(const struct ent_host *host, const char *url, const struct ent_option *options, size_t n_options, bool *taken,
		      struct ent_object_place *ret, struct ent_err *err)
{
	struct ent_hdfs *h = (struct ent_hdfs *)calloc(1, sizeof *h);
	if (!h)
		return ent_nomem(err);
	h->host = *host;
	h->curl = curl_easy_init();
	int code = h->curl ? ent_hdfs_settings_make(url, options, n_options, taken, &h->settings, err) : ent_nomem(err);
	if (code) {
		ent_hdfs_ops.close(h);
		return code;
	}
	*ret = (struct ent_object_place){ .ops = &ent_hdfs_ops, .self = h };
	snprintf(ret->path, sizeof ret->path, "%s", h->settings.path);
	snprintf(ret->key, sizeof ret->key, "hdfs %s %s %s", h->settings.hosts[0], h->settings.port, h->settings.path);
	return 0;
}

static void start(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
	ent_object_connector_fill(&connector, "hdfs", "hdfs", place_open);
}

EXPORT const struct ent_connector *ent_connector_entry(void);
const struct ent_connector *ent_connector_entry(void)
{
	pthread_once(&once, start);
	return &connector;
}
