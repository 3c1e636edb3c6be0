/* GlusterFS as a store of the matrix. It carries files: here those of Arrow; that the other formats arrive byte for byte is for objects_case.c to
 * show. */
#include "../gluster_client.h"
#include "mx.h"

static glfs_t *fs;

static int start(const struct mx_place *p)
{
	(void)p;
	mx_gluster.columns = mx_arrow.columns;
	mx_gluster.n_columns = mx_arrow.n_columns;
	fs = gluster_mount("test");
	return !OK(fs, "GlusterFS: mounted");
}

static const char *path_of(const char *name)
{
	static char path[200];
	snprintf(path, sizeof path, "/mx/%s.arrows", name);
	return path;
}

static void drop(const char *name) { (void)gluster_remove(fs, path_of(name)); }

static int make(const char *name, bool left_out[MX_COLUMNS][MX_ROWS])
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF((size_t)64 << 20);
	if (mx_arrow.make(name, left_out) || !mx_file_read(mx_arrow.url(name), &bytes))
		return 1;
	mx_arrow.drop(name);
	return !OK(gluster_put(fs, path_of(name), ent_buf_bytes(&bytes)), "GlusterFS: %s is put", path_of(name));
}

static const char *url(const char *name)
{
	static char out[400];
	snprintf(out, sizeof out, "gluster://127.0.0.1/test%s?tls=off", path_of(name));
	return out;
}

static const char *object(const char *name)
{
	(void)name;
	return "";
}

struct mx_store mx_gluster = {
	.kind = "gluster", .title = "GlusterFS (Arrow)", .start = start, .make = make, .drop = drop, .url = url, .object = object
};
