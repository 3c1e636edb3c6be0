/* Socket paths of any length: sun_path holds 107 bytes, so longer ones go by way of a descriptor of their folder. Private to net. */
#ifndef ENT_NET_LOCAL_PATH_H
#define ENT_NET_LOCAL_PATH_H
#include "base/bytes.h"

struct ent_local_path {
	int dir_fd; /* -1 when path is used as it is */
	char path[108];
};
/* ENT_ENOTFOUND when the folder is missing, ENT_ECONFIG for a name that is too long even so. */
int ent_local_path_init(struct ent_local_path *p, const char *path, struct ent_err *err);
void ent_local_path_deinit(struct ent_local_path *p);
/* Listens at path with mode 0600. A socket nobody answers on is replaced; ENT_EAGAIN when somebody does. */
int ent_local_listen(const char *path, int *ret_fd, struct ent_err *err);
#endif
