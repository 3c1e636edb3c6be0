/* The pool: workers sleep until a run starts, then take task numbers from one atomic counter. The queue: a linked list and an eventfd. */
#include "os/workers.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct workers {
	struct ent_pool pool;
	pthread_mutex_t lock;
	pthread_cond_t start, done;
	uint64_t round; /* counts runs; a worker that sees a new number joins in */
	bool stop;
	unsigned busy;
	void (*fn)(void *arg, size_t task);
	void *arg;
	size_t tasks;
	atomic_size_t next;
	unsigned threads_count;
	pthread_t threads[];
};

static void work(struct workers *w)
{
	size_t task;
	while ((task = atomic_fetch_add(&w->next, 1)) < w->tasks)
		w->fn(w->arg, task);
}

static void *worker_main(void *arg)
{
	struct workers *w = arg;
	uint64_t seen = 0;
	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (!w->stop && w->round == seen)
			pthread_cond_wait(&w->start, &w->lock);
		if (w->stop)
			break;
		seen = w->round;
		pthread_mutex_unlock(&w->lock);
		work(w);
		pthread_mutex_lock(&w->lock);
		if (--w->busy == 0)
			pthread_cond_signal(&w->done);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void workers_run(struct ent_pool *p, void (*fn)(void *arg, size_t task), void *arg, size_t tasks)
{
	struct workers *w = (struct workers *)p;
	if (w->threads_count == 0 || tasks <= 1) {
		for (size_t i = 0; i < tasks; i++)
			fn(arg, i);
		return;
	}
	pthread_mutex_lock(&w->lock);
	w->fn = fn;
	w->arg = arg;
	w->tasks = tasks;
	atomic_store(&w->next, 0);
	w->busy = w->threads_count;
	w->round++;
	pthread_cond_broadcast(&w->start);
	pthread_mutex_unlock(&w->lock);
	work(w);
	pthread_mutex_lock(&w->lock);
	while (w->busy)
		pthread_cond_wait(&w->done, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

/* Signals are the main thread's business. */
static int thread_start(pthread_t *ret, void *(*fn)(void *), void *arg)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int e = pthread_create(ret, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return e;
}

int ent_workers_new(unsigned workers, struct ent_pool **ret, struct ent_err *err)
{
	ENT_ASSERT(workers >= 1);
	struct workers *w = ent_alloc(1, sizeof *w + (workers - 1) * sizeof(pthread_t));
	if (!w)
		return ent_nomem(err);
	w->pool = (struct ent_pool){ workers, workers_run };
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->start, NULL);
	pthread_cond_init(&w->done, NULL);
	for (; w->threads_count < workers - 1; w->threads_count++) {
		int e = thread_start(&w->threads[w->threads_count], worker_main, w);
		if (!e)
			continue;
		ent_workers_free(&w->pool);
		ent_fail(err, ENT_ENOMEM, "could not start %u worker threads", workers - 1);
		ent_why(err, "%s", strerror(e));
		return ENT_ENOMEM;
	}
	*ret = &w->pool;
	return 0;
}

void ent_workers_free(struct ent_pool *p)
{
	struct workers *w = (struct workers *)p;
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->start);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->threads_count; i++)
		pthread_join(w->threads[i], NULL);
	pthread_cond_destroy(&w->start);
	pthread_cond_destroy(&w->done);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

struct job {
	struct job *next;
	void (*fn)(void *arg);
	void *arg;
};

struct ent_queue {
	pthread_mutex_t lock;
	struct job *first, *last;
	bool closed;
	int fd;
};

int ent_queue_new(struct ent_queue **ret, struct ent_err *err)
{
	struct ent_queue *q = ent_alloc(1, sizeof *q);
	if (!q)
		return ent_nomem(err);
	q->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->fd < 0) {
		free(q);
		return ent_fail(err, ENT_ENOMEM, "no descriptor left for a queue");
	}
	pthread_mutex_init(&q->lock, NULL);
	*ret = q;
	return 0;
}

static struct job *jobs_take(struct ent_queue *q)
{
	uint64_t count;
	pthread_mutex_lock(&q->lock);
	struct job *first = q->first;
	q->first = q->last = NULL;
	if (!q->closed)
		(void)!read(q->fd, &count, sizeof count);
	pthread_mutex_unlock(&q->lock);
	return first;
}

void ent_queue_free(struct ent_queue *q)
{
	if (!q)
		return;
	for (struct job *j = jobs_take(q), *next; j; j = next) {
		next = j->next;
		free(j);
	}
	close(q->fd);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

int ent_queue_post(struct ent_queue *q, void (*fn)(void *arg), void *arg)
{
	struct job *j = ent_alloc(1, sizeof *j);
	if (!j)
		return ENT_ENOMEM;
	*j = (struct job){ NULL, fn, arg };
	pthread_mutex_lock(&q->lock);
	bool closed = q->closed;
	if (!closed) {
		if (q->last)
			q->last->next = j;
		else
			q->first = j;
		q->last = j;
		(void)!write(q->fd, &(uint64_t){ 1 }, sizeof(uint64_t));
	}
	pthread_mutex_unlock(&q->lock);
	if (closed)
		free(j);
	return closed ? ENT_ECANCELLED : 0;
}

size_t ent_queue_drain(struct ent_queue *q, uint32_t timeout_ms)
{
	struct pollfd p = { q->fd, POLLIN, 0 };
	size_t ran = 0;
	if (timeout_ms)
		poll(&p, 1, timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms);
	for (struct job *j = jobs_take(q), *next; j; j = next, ran++) {
		next = j->next;
		j->fn(j->arg);
		free(j);
	}
	return ran;
}

int ent_queue_fd(struct ent_queue *q) { return q->fd; }

void ent_queue_close(struct ent_queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->closed = true;
	(void)!write(q->fd, &(uint64_t){ 1 }, sizeof(uint64_t));
	pthread_mutex_unlock(&q->lock);
}
