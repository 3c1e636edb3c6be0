/* One lock per link, held for a whole send or recv: a link whose lock is taken looks after itself, any other may be drained by whoever waits. */
#include "net/job_link.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK_BYTES (256u << 10)
#define SPARE_MAX 64 /* chunks kept for reuse: fresh pages cost more than the copy */
#define SIBLINGS_MAX 126
#define LOOK_AGAIN_MS 50 /* a link that became idle while we slept joins those we drain after this long */

struct chunk {
	struct chunk *next;
	size_t at, len;
	uint8_t data[CHUNK_BYTES];
};

struct job_link {
	struct ent_link link;
	struct ent_link_group *group;
	struct job_link *next, *prev; /* under the group's lock */
	pthread_mutex_t lock;
	int fd;
	struct ent_tls *tls;
	char org[32];
	struct chunk *first, *last, *spare; /* received, not yet asked for */
	size_t queued, queued_max, spares;
	struct ent_err dead; /* code != 0: reading ended; what the user learns once the queue is empty */
	atomic_bool cancelled;
	_Atomic(const char *) killed;
};

struct ent_link_group {
	pthread_mutex_t lock;
	struct job_link *first;
	bool orphan; /* nobody but its links knows it */
};

static struct job_link *of(struct ent_link *l) { return (struct job_link *)l; }
static void unlockp(pthread_mutex_t **m) { pthread_mutex_unlock(*m); }
#define LOCKED(m) ENT_CLEANUP(unlockp) ENT_UNUSED pthread_mutex_t *locked_ = (pthread_mutex_lock(m), (m))

struct ent_link_group *ent_link_group_new(void)
{
	struct ent_link_group *g = ent_alloc(1, sizeof *g);
	if (g)
		pthread_mutex_init(&g->lock, NULL);
	return g;
}

void ent_link_group_free(struct ent_link_group *g)
{
	if (!g)
		return;
	ENT_ASSERT(!g->first);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

void ent_link_group_unref(struct ent_link_group *g)
{
	if (!g)
		return;
	pthread_mutex_lock(&g->lock);
	g->orphan = true;
	bool last = !g->first;
	pthread_mutex_unlock(&g->lock);
	if (last)
		ent_link_group_free(g);
}

void ent_link_group_kill(struct ent_link_group *g, const char *org, const char *why)
{
	LOCKED(&g->lock);
	for (struct job_link *j = g->first; j; j = j->next)
		if (!strcmp(j->org, org)) {
			atomic_store(&j->killed, why);
			shutdown(j->fd, SHUT_RDWR);
		}
}

static int state(struct job_link *j, struct ent_err *err)
{
	const char *why = atomic_load(&j->killed);
	if (atomic_load(&j->cancelled))
		return ent_fail(err, ENT_ECANCELLED, "the link to %s was cancelled", j->org);
	if (!why)
		return 0;
	ent_fail(err, ENT_EPEER, "the link to %s ended", j->org);
	ent_why(err, "%s", why);
	return ENT_EPEER;
}

/* Why TLS failed is less interesting than that we were cancelled or the peer was declared dead. */
static int broken(struct job_link *j, int code, struct ent_err *err)
{
	int why = state(j, err);
	return why ? why : code;
}

static int dead(struct job_link *j, struct ent_err *err)
{
	if (err)
		*err = j->dead;
	return broken(j, j->dead.code, err);
}

static struct chunk *tail_locked(struct job_link *j)
{
	struct chunk *c = j->last;
	if (c && c->len < CHUNK_BYTES)
		return c;
	c = j->spare ? j->spare : malloc(sizeof *c);
	if (!c)
		return NULL;
	if (c == j->spare) {
		j->spare = c->next;
		j->spares--;
	}
	c->next = NULL;
	c->at = c->len = 0;
	if (j->last)
		j->last->next = c;
	else
		j->first = c;
	j->last = c;
	return c;
}

static void pop_locked(struct job_link *j)
{
	struct chunk *c = j->first;
	j->first = c->next;
	if (!j->first)
		j->last = NULL;
	if (j->spares == SPARE_MAX) {
		free(c);
		return;
	}
	c->next = j->spare;
	j->spare = c;
	j->spares++;
}

static void chunks_free(struct chunk *c)
{
	while (c) {
		struct chunk *next = c->next;
		free(c);
		c = next;
	}
}

static void die_locked(struct job_link *j, int code, const char *why)
{
	ent_fail(&j->dead, code, "the link to %s ended", j->org);
	ent_why(&j->dead, "%s", why);
}

/* Moves what the socket holds into the queue, without waiting. */
static void drain_locked(struct job_link *j)
{
	while (!j->dead.code) {
		struct ent_err err = ENT_ERR_INIT;
		size_t n = 0;
		int want;
		if (j->queued >= j->queued_max) {
			die_locked(j, ENT_ENOMEM, "the peer sent more than this link may buffer");
			return;
		}
		struct chunk *c = tail_locked(j);
		if (!c) {
			die_locked(j, ENT_ENOMEM, "out of memory");
			return;
		}
		int code = ent_tls_read(j->tls, c->data + c->len, CHUNK_BYTES - c->len, &n, &want, &err);
		if (code == ENT_EAGAIN)
			return;
		if (code) {
			die_locked(j, code, err.why[0] ? err.why : err.what);
			return;
		}
		c->len += n;
		j->queued += n;
	}
}

/* Fills fds with the links nobody uses right now. */
static nfds_t siblings(struct job_link *me, struct pollfd *fds, struct job_link **who)
{
	nfds_t n = 0;
	LOCKED(&me->group->lock);
	for (struct job_link *j = me->group->first; j && n < SIBLINGS_MAX; j = j->next) {
		if (j == me || pthread_mutex_trylock(&j->lock))
			continue;
		if (!j->dead.code) {
			fds[n] = (struct pollfd){ j->fd, POLLIN, 0 };
			who[n++] = j;
		}
		pthread_mutex_unlock(&j->lock);
	}
	return n;
}

static bool listed(struct job_link *const *who, const struct pollfd *fds, nfds_t n, const struct job_link *j)
{
	for (nfds_t i = 0; i < n; i++)
		if (who[i] == j && fds[i].revents)
			return true;
	return false;
}

/* A sibling may have been freed while we slept: only those still in the group are touched. */
static void drain_siblings(struct job_link *me, struct job_link *const *who, const struct pollfd *fds, nfds_t n)
{
	LOCKED(&me->group->lock);
	for (struct job_link *j = me->group->first; j; j = j->next)
		if (j != me && listed(who, fds, n, j) && !pthread_mutex_trylock(&j->lock)) {
			drain_locked(j);
			pthread_mutex_unlock(&j->lock);
		}
}

/* Sleeps until this link can go on, draining the others meanwhile. */
static int wait_locked(struct job_link *me, short events, struct ent_err *err)
{
	struct pollfd fds[SIBLINGS_MAX + 1];
	struct job_link *who[SIBLINGS_MAX];
	nfds_t n = siblings(me, fds + 1, who);
	fds[0] = (struct pollfd){ me->fd, events, 0 };
	int ready = poll(fds, n + 1, n ? LOOK_AGAIN_MS : 1000);
	ENT_TRY(state(me, err));
#ifdef ENT_MUTANT_SIBLINGS_UNDRAINED
	ready = 0;
#endif
	if (ready > (fds[0].revents != 0))
		drain_siblings(me, who, fds + 1, n);
	return 0;
}

static int link_send(struct ent_link *l, const void *data, size_t len, struct ent_err *err)
{
	struct job_link *j = of(l);
	const uint8_t *at = data;
	size_t left = len, n = 0;
	LOCKED(&j->lock);
	ENT_TRY(state(j, err));
	for (;;) {
		int want = 0, code = left ? ent_tls_write(j->tls, at, left, &n, &want, err) : ent_tls_flush(j->tls, &want, err);
		if (!code && !left)
			break;
		if (!code) {
			at += n;
			left -= n;
			continue;
		}
		if (code != ENT_EAGAIN)
			return broken(j, code, err);
		ENT_TRY(wait_locked(j, POLLIN | POLLOUT, err));
		drain_locked(j);
		if (j->dead.code)
			return dead(j, err);
	}
	l->bytes_sent += len;
	l->messages_sent++;
	return 0;
}

static size_t from_queue_locked(struct job_link *j, uint8_t *at, size_t len)
{
	size_t got = 0;
	while (got < len && j->first) {
		struct chunk *c = j->first;
		size_t n = len - got < c->len - c->at ? len - got : c->len - c->at;
		memcpy(at + got, c->data + c->at, n);
		c->at += n;
		got += n;
		if (c->at == c->len)
			pop_locked(j);
	}
	j->queued -= got;
	return got;
}

static int link_recv(struct ent_link *l, void *data, size_t len, struct ent_err *err)
{
	struct job_link *j = of(l);
	uint8_t *at = data;
	LOCKED(&j->lock);
	ENT_TRY(state(j, err));
	size_t got = from_queue_locked(j, at, len);
	while (got < len) {
		size_t n = 0;
		int want;
		if (j->dead.code)
			return dead(j, err);
		int code = ent_tls_read(j->tls, at + got, len - got, &n, &want, err);
		if (!code)
			got += n;
		else if (code == ENT_EAGAIN)
			ENT_TRY(wait_locked(j, POLLIN, err));
		else
			return broken(j, code, err);
	}
	l->bytes_received += len;
	return 0;
}

static void link_cancel(struct ent_link *l)
{
	atomic_store(&of(l)->cancelled, true);
	shutdown(of(l)->fd, SHUT_RDWR);
}

static void link_free(struct ent_link *l)
{
	struct job_link *j = of(l);
	pthread_mutex_lock(&j->group->lock);
	if (j->prev)
		j->prev->next = j->next;
	else
		j->group->first = j->next;
	if (j->next)
		j->next->prev = j->prev;
	bool last = !j->group->first && j->group->orphan;
	pthread_mutex_unlock(&j->group->lock);
	if (last)
		ent_link_group_free(j->group);
	ent_tls_free(j->tls);
	close(j->fd);
	chunks_free(j->first);
	chunks_free(j->spare);
	pthread_mutex_destroy(&j->lock);
	free(j);
}

static const struct ent_link_ops ops = { link_send, link_recv, link_cancel, link_free };

static int put_early(struct job_link *j, struct ent_bytes early)
{
	while (early.len) {
		struct chunk *c = tail_locked(j);
		if (!c)
			return ENT_ENOMEM;
		size_t n = early.len < CHUNK_BYTES - c->len ? early.len : CHUNK_BYTES - c->len;
		memcpy(c->data + c->len, early.data, n);
		c->len += n;
		j->queued += n;
		early = ent_bytes(early.data + n, early.len - n);
	}
	return 0;
}

int ent_job_link_new(struct ent_link_group *g, int fd, struct ent_tls *tls, const char *org, size_t bytes_max, struct ent_bytes early,
		     struct ent_link **ret, struct ent_err *err)
{
	struct job_link *j = ent_alloc(1, sizeof *j);
	if (!j)
		return ent_nomem(err);
	*j = (struct job_link){ .link = { &ops, 0, 0, 0 }, .group = g, .fd = fd, .tls = tls, .queued_max = bytes_max, .dead = ENT_ERR_INIT };
	snprintf(j->org, sizeof j->org, "%s", org);
	if (put_early(j, early)) {
		chunks_free(j->first);
		chunks_free(j->spare);
		free(j);
		return ent_nomem(err);
	}
	pthread_mutex_init(&j->lock, NULL);
	pthread_mutex_lock(&g->lock);
	j->next = g->first;
	if (g->first)
		g->first->prev = j;
	g->first = j;
	pthread_mutex_unlock(&g->lock);
	*ret = &j->link;
	return 0;
}
