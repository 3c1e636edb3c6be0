/* HDFS as a store of the matrix. It carries files: here those of Parquet, put and taken away by a client of the test's own; that the other formats
 * arrive byte for byte is for objects_case.c to show. */
#include "../hdfs_client.h"
#include "mx.h"

static int port;

static int start(const struct mx_place *p)
{
	port = (int)strtol(p->url, NULL, 10);
	mx_hdfs.columns = mx_parquet.columns;
	mx_hdfs.n_columns = mx_parquet.n_columns;
	return !OK(!curl_global_init(CURL_GLOBAL_DEFAULT), "HDFS: a client");
}

static const char *path_of(const char *name)
{
	static char path[200];
	snprintf(path, sizeof path, "/mx/%s.parquet", name);
	return path;
}

static void drop(const char *name) { (void)hdfs_remove(port, path_of(name)); }

static int make(const char *name, bool left_out[MX_COLUMNS][MX_ROWS])
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF((size_t)64 << 20);
	if (mx_parquet.make(name, left_out) || !mx_file_read(mx_parquet.url(name), &bytes))
		return 1;
	mx_parquet.drop(name);
	return !OK(hdfs_put(port, path_of(name), ent_buf_bytes(&bytes)), "HDFS: %s is put", path_of(name));
}

static const char *url(const char *name)
{
	static char out[400];
	snprintf(out, sizeof out, "hdfs://tester@127.0.0.1:%d%s?tls=off", port, path_of(name));
	return out;
}

static const char *object(const char *name)
{
	(void)name;
	return "";
}

struct mx_store mx_hdfs = { .kind = "hdfs", .title = "HDFS (Parquet)", .start = start, .make = make, .drop = drop, .url = url, .object = object };
