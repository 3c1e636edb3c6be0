/* Moves of this node on threads of their own: each opens its sources, runs src/move, and posts what happens to the node's queue. */
#ifndef ENT_CLI_MOVER_H
#define ENT_CLI_MOVER_H
#include "base/log.h"
#include "node/node.h"
#include "os/workers.h"

struct ent_mover;

struct ent_mover_options { /* borrowed */
	struct ent_queue *queue;
	struct ent_node **node; /* read on the node thread only; NULL once it is closed */
	struct ent_mesh *mesh;  /* NULL: no other member can be reached */
	const char *home;
	const struct ent_log_sink *log;
	size_t memory_bytes;
	uint32_t source_timeout_ms;
};
int ent_mover_new(const struct ent_mover_options *options, struct ent_mover **ret, struct ent_err *err);
/* As ent_runner_ops.move and move_cancel. */
int ent_mover_start(struct ent_mover *m, const struct ent_move_spec *spec, struct ent_err *err);
void ent_mover_cancel(struct ent_mover *m, const char *id); /* NULL: all */
bool ent_mover_idle(struct ent_mover *m);                   /* no thread is at work; its last events are in the queue then */
void ent_mover_free(struct ent_mover *m);                   /* NULL is fine; when idle */
#endif
