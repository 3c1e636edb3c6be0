/* A bounded queue of batches between the thread that reads and the one that writes. */
#ifndef ENT_MOVE_PIPE_H
#define ENT_MOVE_PIPE_H
#include <pthread.h>

#include "arrow/own.h"
#include "move/digest.h"

#define ENT_PIPE_DEPTH 4

struct ent_pipe_item {
	size_t split;
	bool end;                /* of the split: no batch */
	struct ArrowArray batch; /* owned by whoever holds the item */
	struct ent_move_digest digest;
	uint64_t bytes;
};

struct ent_pipe {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct ent_pipe_item items[ENT_PIPE_DEPTH];
	size_t first, n;
	bool ended, broken; /* ended: nothing more comes; broken: nobody cares any more */
};

void ent_pipe_init(struct ent_pipe *p);
void ent_pipe_deinit(struct ent_pipe *p);                          /* releases what nobody took; zeroed is not fine */
bool ent_pipe_put(struct ent_pipe *p, struct ent_pipe_item *item); /* takes the item; waits for room; false: broken (item released) */
bool ent_pipe_get(struct ent_pipe *p, struct ent_pipe_item *ret);  /* waits; false: ended or broken */
void ent_pipe_end(struct ent_pipe *p);
void ent_pipe_break(struct ent_pipe *p);
#endif
