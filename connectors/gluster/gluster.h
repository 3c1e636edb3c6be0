/* GlusterFS by libgfapi: what the files of this module share. */
#ifndef ENT_GLUSTER_H
#define ENT_GLUSTER_H
#include "../objects/object_store.h"

struct ent_gluster_address {
	char host[256], volume[256], path[ENT_OBJECT_PATH_MAX];
	int port;
};
/* gluster://HOST[:PORT]/VOLUME/PATH?tls=off; ENT_EUSAGE. */
int ent_gluster_address_read(const char *url, struct ent_gluster_address *ret, struct ent_err *err);
#endif
