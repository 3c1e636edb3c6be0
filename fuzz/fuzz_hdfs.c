/* What a NameNode or DataNode says, and addresses.
 * fuzz-deps: hdfs_text_dep */
#include "hdfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ent_bytes body = ent_bytes(data, size);
	struct ent_hdfs_status status;
	struct ent_hdfs_settings settings;
	struct ent_err e = ENT_ERR_INIT;
	char url[ENT_HDFS_URL_MAX];
	bool b;
	(void)ent_hdfs_status_read(body, &status, &e);
	(void)ent_hdfs_boolean_read(body, &b, &e);
	(void)ent_hdfs_location_read(body, url, sizeof url, &e);
	(void)ent_hdfs_error_read(403, body, "fuzz", &e);
	ENT_ASSERT(!strchr(e.why, '\n') && strlen(e.why) < sizeof e.why);
	if (size < sizeof url) {
		memcpy(url, data, size);
		url[size] = 0;
		if (!ent_hdfs_settings_make(url, NULL, 0, &b, &settings, &e))
			ENT_ASSERT(settings.n_hosts && settings.path[0] == '/' && settings.hosts[0][0]);
	}
	return 0;
}
