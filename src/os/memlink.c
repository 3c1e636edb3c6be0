/* Two queues of chunks, one per direction, under one lock. The sender never waits, so no order of sends can deadlock.
 * The pair is freed with its second end. */
#include "os/memlink.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define CHUNK_BYTES 65536u

struct chunk {
	struct chunk *next;
	size_t at, len;
	uint64_t visible_us;
	uint8_t data[CHUNK_BYTES];
};

struct direction {
	struct chunk *first, *last;
	size_t queued;
	uint64_t sent; /* before faults */
	struct ent_memlink_faults faults;
	pthread_cond_t arrived;
};

struct pair;

struct end {
	struct ent_link link;
	struct pair *pair;
	struct direction out; /* what this end sends */
	bool cancelled, freed;
	uint32_t timeout_ms;
};

struct pair {
	pthread_mutex_t lock;
	struct end ends[2];
	struct chunk *spare;
	size_t capacity;
	bool dead;
};

static struct end *end_of(struct ent_link *l) { return (struct end *)l; }
static struct end *other_of(struct end *e) { return &e->pair->ends[e == &e->pair->ends[0]]; }
static void unlockp(pthread_mutex_t **m) { pthread_mutex_unlock(*m); }
#define LOCKED(m) ENT_CLEANUP(unlockp) ENT_UNUSED pthread_mutex_t *locked_ = (pthread_mutex_lock(m), (m))

static uint64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static struct chunk *chunk_append_locked(struct end *e)
{
	struct chunk *c = e->pair->spare;
	if (c)
		e->pair->spare = c->next;
	else
		c = malloc(sizeof *c);
	if (!c)
		return NULL;
	c->next = NULL;
	c->at = c->len = 0;
	if (e->out.last)
		e->out.last->next = c;
	else
		e->out.first = c;
	e->out.last = c;
	return c;
}

static int append_locked(struct end *e, const uint8_t *data, size_t len, struct ent_err *err)
{
	uint64_t visible = e->out.faults.delay_us ? now_us() + e->out.faults.delay_us : 0;
	if (e->pair->capacity && len > e->pair->capacity - e->out.queued)
		return ent_fail(err, ENT_ENOMEM, "the in-memory link holds at most %zu bytes", e->pair->capacity);
	while (len) {
		struct chunk *c = e->out.last;
		if (!c || c->len == CHUNK_BYTES || visible)
			c = chunk_append_locked(e);
		if (!c)
			return ent_nomem(err);
		size_t n = len < CHUNK_BYTES - c->len ? len : CHUNK_BYTES - c->len;
		memcpy(c->data + c->len, data, n);
		c->visible_us = visible;
		c->len += n;
		e->out.queued += n;
		data += n;
		len -= n;
	}
	return 0;
}

static bool in_call(uint64_t at, uint64_t from, size_t len) { return at >= from && at - from < len; }

/* Sends what the faults leave of one call. */
static int faulty_locked(struct end *e, const uint8_t *data, size_t len, struct ent_err *err)
{
	const struct ent_memlink_faults *f = &e->out.faults;
	uint64_t from = e->out.sent;
	size_t keep = len;
	e->out.sent += len;
	if (in_call(f->drop_at, from, len))
		return 0;
	if (in_call(f->truncate_at, from, len))
		keep--;
	if (in_call(f->die_at, from, len) || f->die_at < from) {
		keep = f->die_at < from ? 0 : (size_t)(f->die_at - from);
		e->pair->dead = true;
	}
	struct chunk *tail = e->out.last;
	size_t tail_len = tail ? tail->len : 0;
	ENT_TRY(append_locked(e, data, keep, err));
	if (!in_call(f->flip_at, from, keep))
		return 0;
	struct chunk *c = tail && tail_len < tail->len ? tail : tail ? tail->next : e->out.first;
	size_t skip = (size_t)(f->flip_at - from), at = c == tail ? tail_len : 0;
	while (skip >= c->len - at) {
		skip -= c->len - at;
		c = c->next;
		at = 0;
	}
	c->data[at + skip] ^= 1;
	return 0;
}

static int state_locked(struct end *e, struct ent_err *err)
{
	if (e->cancelled)
		return ent_fail(err, ENT_ECANCELLED, "the link was cancelled");
	if (e->pair->dead || other_of(e)->freed || other_of(e)->cancelled)
		return ent_fail(err, ENT_EPEER, "the peer's end of the in-memory link is gone");
	return 0;
}

static int mem_send(struct ent_link *l, const void *data, size_t len, struct ent_err *err)
{
	struct end *e = end_of(l);
	LOCKED(&e->pair->lock);
	ENT_TRY(state_locked(e, err));
	ENT_TRY(faulty_locked(e, data, len, err));
	l->bytes_sent += len;
	l->messages_sent++;
	pthread_cond_signal(&e->out.arrived);
	if (e->pair->dead) {
		pthread_cond_signal(&other_of(e)->out.arrived);
		return state_locked(e, err);
	}
	return 0;
}

/* Waits for a first byte that is visible. */
static int await_locked(struct end *e, struct ent_err *err)
{
	struct direction *in = &other_of(e)->out;
	uint64_t start = now_us(), limit = e->timeout_ms ? start + (uint64_t)e->timeout_ms * 1000 : UINT64_MAX;
	for (;;) {
		uint64_t now = in->first && !in->first->visible_us ? 0 : now_us(), until = limit;
		if (e->cancelled)
			return state_locked(e, err);
		if (in->first && in->first->visible_us <= now)
			return 0;
		if (!in->first)
			ENT_TRY(state_locked(e, err));
		if (now >= limit)
			return ent_fail(err, ENT_EPEER, "nothing came on the in-memory link for %u ms", e->timeout_ms);
		if (in->first && in->first->visible_us < until)
			until = in->first->visible_us;
		if (until == UINT64_MAX) {
			pthread_cond_wait(&in->arrived, &e->pair->lock);
			continue;
		}
		struct timespec t = { (time_t)(until / 1000000), (long)(until % 1000000 * 1000) };
		pthread_cond_timedwait(&in->arrived, &e->pair->lock, &t);
	}
}

static int mem_recv(struct ent_link *l, void *data, size_t len, struct ent_err *err)
{
	struct end *e = end_of(l);
	struct direction *in = &other_of(e)->out;
	uint8_t *at = data;
	LOCKED(&e->pair->lock);
	if (e->cancelled)
		return state_locked(e, err);
	while (len) {
		ENT_TRY(await_locked(e, err));
		struct chunk *c = in->first;
		size_t n = len < c->len - c->at ? len : c->len - c->at;
		memcpy(at, c->data + c->at, n);
		c->at += n;
		at += n;
		len -= n;
		in->queued -= n;
		l->bytes_received += n;
		if (c->at < c->len)
			continue;
		in->first = c->next;
		if (!in->first)
			in->last = NULL;
		c->next = e->pair->spare;
		e->pair->spare = c;
	}
	return 0;
}

static void mem_cancel(struct ent_link *l)
{
	struct end *e = end_of(l);
	LOCKED(&e->pair->lock);
	e->cancelled = true;
	pthread_cond_broadcast(&e->out.arrived);
	pthread_cond_broadcast(&other_of(e)->out.arrived);
}

static void chunks_free(struct chunk *c)
{
	while (c) {
		struct chunk *next = c->next;
		free(c);
		c = next;
	}
}

static void mem_free(struct ent_link *l)
{
	struct end *e = end_of(l);
	struct pair *p = e->pair;
	pthread_mutex_lock(&p->lock);
	e->freed = true;
	pthread_cond_broadcast(&e->out.arrived);
	bool last = other_of(e)->freed;
	pthread_mutex_unlock(&p->lock);
	if (!last)
		return;
	for (int i = 0; i < 2; i++) {
		chunks_free(p->ends[i].out.first);
		pthread_cond_destroy(&p->ends[i].out.arrived);
	}
	chunks_free(p->spare);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static const struct ent_link_ops mem_ops = { mem_send, mem_recv, mem_cancel, mem_free };

int ent_memlink_pair(struct ent_link *ret[2], size_t capacity_bytes)
{
	struct pair *p = ent_alloc(1, sizeof *p);
	pthread_condattr_t attr;
	if (!p)
		return ENT_ENOMEM;
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	p->capacity = capacity_bytes;
	for (int i = 0; i < 2; i++) {
		p->ends[i] = (struct end){ .link = { &mem_ops, 0, 0, 0 }, .pair = p, .timeout_ms = 60000 };
		p->ends[i].out.faults = (struct ent_memlink_faults)ENT_MEMLINK_SOUND;
		pthread_cond_init(&p->ends[i].out.arrived, &attr);
		ret[i] = &p->ends[i].link;
	}
	pthread_condattr_destroy(&attr);
	return 0;
}

void ent_memlink_faults(struct ent_link *end, const struct ent_memlink_faults *faults)
{
	LOCKED(&end_of(end)->pair->lock);
	end_of(end)->out.faults = *faults;
}

void ent_memlink_timeout(struct ent_link *end, uint32_t timeout_ms)
{
	LOCKED(&end_of(end)->pair->lock);
	end_of(end)->timeout_ms = timeout_ms;
}
