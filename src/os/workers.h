/* The pool vtable on threads, and a queue that carries work to one thread. */
#ifndef ENT_OS_WORKERS_H
#define ENT_OS_WORKERS_H
#include "base/pool.h"

/* workers >= 1; the caller of run() is one of them, so workers-1 threads are made. run() of one pool is called by one thread at a time. */
int ent_workers_new(unsigned workers, struct ent_pool **ret, struct ent_err *err);
void ent_workers_free(struct ent_pool *p);

/* Work for one thread (the node thread): post from any thread, drain on the owner's. */
struct ent_queue;
int ent_queue_new(struct ent_queue **ret, struct ent_err *err);
void ent_queue_free(struct ent_queue *q); /* jobs not run yet are dropped without a call */
/* fn(arg) runs on the thread that drains, in order of posting. ENT_ENOMEM; ENT_ECANCELLED after close. */
int ent_queue_post(struct ent_queue *q, void (*fn)(void *arg), void *arg);
/* Runs what was posted; waits up to timeout_ms for the first (0 = does not wait). Returns how many ran. */
size_t ent_queue_drain(struct ent_queue *q, uint32_t timeout_ms);
int ent_queue_fd(struct ent_queue *q);     /* readable while something waits; for poll(2) */
void ent_queue_close(struct ent_queue *q); /* later posts are refused; a waiting drain returns */
#endif
