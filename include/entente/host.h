/* What a loaded module may ask of the node. */
#ifndef ENTENTE_HOST_H
#define ENTENTE_HOST_H
#include <stddef.h>
#include <stdint.h>

#include "entente/error.h"

struct ent_connector;

struct ent_host {
	size_t size; /* sizeof(struct ent_host) of the node */
	void *self;
	void (*log)(void *self, int level /* 0 debug ... 3 error */, const char *event, const char *pairs);
	int (*cancelled)(void *self); /* non-zero: stop soon with ENT_ECANCELLED */
	uint64_t memory_bytes_max;    /* what one open source or engine may use */
	uint32_t threads_max;
	uint32_t timeout_ms;   /* for connecting and for each statement */
	const char *home_path; /* folder for temporary files, absolute; may be NULL */
	/* The connector that reads local files of this suffix ("parquet"), or NULL; for modules that fetch files from somewhere else. May be NULL. */
	const struct ent_connector *(*files)(void *self, const char *suffix);
};
#endif
