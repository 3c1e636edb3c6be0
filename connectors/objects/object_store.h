/* A place that holds whole files: HDFS, GlusterFS. One table of functions and one state per session; one thread at a time. Paths are absolute within
 * the place. Functions return 0 or an ent_code; ENT_ENOTFOUND when nothing has the name, ENT_EAGAIN when the place may answer later. */
#ifndef ENT_OBJECTS_STORE_H
#define ENT_OBJECTS_STORE_H
#include "base/bytes.h"
#include "entente/connector.h"

#define ENT_OBJECT_PATH_MAX 4096

struct ent_object_facts {
	uint64_t bytes;
	bool folder;
	char version[80]; /* changes when the content may have changed */
};

struct ent_object_store_ops {
	const char *name; /* "HDFS" */
	int (*facts)(void *self, const char *path, struct ent_object_facts *ret, struct ent_err *err);
	/* Bytes [at, at + len) of an object, all of them, written to the descriptor at its position. */
	int (*fetch)(void *self, const char *path, uint64_t at, uint64_t len, int fd, struct ent_err *err);
	/* An object with the content of a local file, durable; in place of one that is there; missing folders are made. */
	int (*put)(void *self, const char *path, int fd, uint64_t len, struct ent_err *err);
	/* One step that others see or do not. Without replace: ENT_EUSAGE when the new name is taken. */
	int (*rename)(void *self, const char *from, const char *to, bool replace, struct ent_err *err);
	int (*remove)(void *self, const char *path, struct ent_err *err);
	void (*close)(void *self); /* NULL is fine */
};

struct ent_object_place { /* what a module makes of an address */
	const struct ent_object_store_ops *ops;
	void *self;
	char path[ENT_OBJECT_PATH_MAX];      /* of the object */
	char key[ENT_OBJECT_PATH_MAX + 600]; /* place and path without secrets: the same for the same object */
};

/* What a module is: opens the place behind an address. Takes the options that are its own and sets their bit in taken (one byte per option). */
typedef int (*ent_object_open_fn)(const struct ent_host *host, const char *url, const struct ent_option *options, size_t n_options, bool *taken,
				  struct ent_object_place *ret, struct ent_err *err);

/* "parquet" of "/a/b.parquet"; "" when there is none. */
const char *ent_object_suffix(const char *path);
/* An absolute path without empty, "." and ".." parts that names no folder; ENT_EUSAGE. */
int ent_object_path_check(const char *path, struct ent_err *err);
#endif
