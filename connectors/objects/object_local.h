/* Local files that stand for objects: copies to read from, shared by sessions that read the same version, and the place where a file is made before
 * it travels. All in HOME/objects, for this user only; what a crash left is removed by whoever comes next. */
#ifndef ENT_OBJECTS_LOCAL_H
#define ENT_OBJECTS_LOCAL_H
#include "object_store.h"

struct ent_object_copy { /* a local copy, locked against removal */
	int fd;          /* -1: none */
	char *path;
};

/* The object's bytes as a local file whose name ends as the object's does. ENT_EAGAIN: it changed while it was read. */
int ent_object_copy_open(const struct ent_host *host, const struct ent_object_place *place, const struct ent_object_facts *facts,
			 struct ent_object_copy *ret, struct ent_err *err);
void ent_object_copy_close(struct ent_object_copy *c); /* the last one removes the file */

/* Where the file for place is made: the same path for the same object, so that a job that died goes on. Caller frees. */
int ent_object_stage_path(const struct ent_host *host, const struct ent_object_place *place, char **ret, struct ent_err *err);
#endif
