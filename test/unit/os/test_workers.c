#include "os/workers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "tap.h"

static atomic_int hits[1000];

static void hit(void *arg, size_t task)
{
	(void)arg;
	atomic_fetch_add(&hits[task], 1);
}

static void pool(unsigned workers)
{
	struct ent_pool *p = NULL;
	bool once = true;
	OK_INT(ent_workers_new(workers, &p, NULL), 0);
	memset(hits, 0, sizeof hits);
	for (int round = 0; round < 200; round++)
		p->run(p, hit, NULL, (size_t)(round * 5));
	for (size_t i = 0; i < 1000; i++)
		once = once && hits[i] == 199 - (int)(i / 5);
	OK(once, "%u workers run every task of every round exactly once", workers);
	ent_workers_free(p);
}

static int order[3001], ran_count;

static void note(void *arg) { order[ran_count++] = (int)(intptr_t)arg; }

static void *poster(void *arg)
{
	struct ent_queue *q = arg;
	for (int i = 0; i < 1000; i++)
		ent_queue_post(q, note, (void *)(intptr_t)i);
	return NULL;
}

static void queue(void)
{
	struct ent_queue *q = NULL;
	pthread_t t[3];
	OK_INT(ent_queue_new(&q, NULL), 0);
	OK_INT(ent_queue_drain(q, 0), 0, "empty");
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, poster, q);
	size_t ran = 0;
	while (ran < 3000) {
		size_t n = ent_queue_drain(q, 5000);
		if (!n)
			break;
		ran += n;
	}
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	OK_INT(ran, 3000, "all posts ran on this thread");
	long sum = 0;
	for (int i = 0; i < 3000; i++)
		sum += order[i];
	OK_INT(sum, 3 * 999 * 500, "each once");
	ent_queue_post(q, note, NULL);
	ent_queue_close(q);
	OK_INT(ent_queue_post(q, note, NULL), ENT_ECANCELLED, "closed");
	OK_INT(ent_queue_drain(q, 5000), 1, "what was posted before still runs, without waiting");
	OK_INT(ent_queue_drain(q, 5000), 0, "a closed queue does not wait");
	ent_queue_free(q);
}

int main(void)
{
	pool(1);
	pool(2);
	pool(7);
	queue();
	return tap_done();
}
