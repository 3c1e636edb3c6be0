/* Addresses of GlusterFS, and paths.
 * fuzz-deps: gluster_url_dep */
#include "gluster.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char url[8192];
	struct ent_gluster_address a;
	struct ent_err e = ENT_ERR_INIT;
	if (size >= sizeof url)
		return 0;
	memcpy(url, data, size);
	url[size] = 0;
	if (ent_gluster_address_read(url, &a, &e))
		return 0;
	ENT_ASSERT(a.host[0] && a.volume[0] && !strchr(a.volume, '/') && a.port > 0 && a.port < 65536);
	if (!ent_object_path_check(a.path, &e))
		ENT_ASSERT(a.path[0] == '/' && !strstr(a.path, "//") && !strstr(a.path, "/../") && ent_object_suffix(a.path));
	return 0;
}
