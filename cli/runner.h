/* The runner of `serve`: probes and joint runs on threads of their own; what they find comes back through the node's queue. */
#ifndef ENT_CLI_RUNNER_H
#define ENT_CLI_RUNNER_H
#include "base/mesh.h"
#include "cli/sources.h"
#include "node/node.h"
#include "os/workers.h"

struct ent_thread_runner_options { /* borrowed */
	struct ent_queue *queue;   /* drained by the node thread */
	struct ent_node **node;    /* read on the node thread only; NULL once it is closed */
	struct ent_mesh *mesh;
	struct ent_random *random;
	const char *home;
	const struct ent_log_sink *log;
	unsigned threads;
	size_t memory_bytes;
	uint32_t source_timeout_ms;
};
int ent_thread_runner_new(const struct ent_thread_runner_options *options, struct ent_runner **ret, struct ent_err *err);
/* Cancels what runs; true once no thread is at work (its last events are in the queue then). Call again after draining the queue. */
bool ent_thread_runner_stop(struct ent_runner *r);
void ent_thread_runner_free(struct ent_runner *r); /* NULL is fine; after stop */
#endif
