#include "cli/lazy_link.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct lazy_link {
	struct ent_link link; /* first */
	struct ent_mesh *mesh;
	char org[ENT_ORG_MAX + 1], name[128];
	uint32_t timeout_ms;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t opened;
	bool ready, cancelled;
	struct ent_link *inner; /* set once ready, NULL when it failed */
	struct ent_err err;
};

static struct lazy_link *lazy_of(struct ent_link *l) { return (struct lazy_link *)(void *)l; }

static void *open_main(void *arg)
{
	struct lazy_link *l = arg;
	struct ent_link *inner = NULL;
	(void)l->mesh->ops->job_link(l->mesh, l->org, l->name, l->timeout_ms, &inner, &l->err);
	pthread_mutex_lock(&l->lock);
	l->inner = inner;
	l->ready = true;
	if (inner && l->cancelled)
		inner->ops->cancel(inner);
	pthread_cond_broadcast(&l->opened);
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

static int wait_open(struct lazy_link *l, struct ent_err *err)
{
	pthread_mutex_lock(&l->lock);
	while (!l->ready && !l->cancelled)
		pthread_cond_wait(&l->opened, &l->lock);
	bool cancelled = l->cancelled;
	pthread_mutex_unlock(&l->lock);
	if (cancelled)
		return ent_fail(err, ENT_ECANCELLED, "the link to %s was cancelled", l->org);
	if (l->inner)
		return 0;
	if (err)
		*err = l->err;
	return l->err.code;
}

static void count(struct lazy_link *l)
{
	l->link.bytes_sent = l->inner->bytes_sent;
	l->link.bytes_received = l->inner->bytes_received;
	l->link.messages_sent = l->inner->messages_sent;
}

static int lazy_send(struct ent_link *link, const void *data, size_t len, struct ent_err *err)
{
	struct lazy_link *l = lazy_of(link);
	ENT_TRY(wait_open(l, err));
	int r = l->inner->ops->send(l->inner, data, len, err);
	count(l);
	return r;
}

static int lazy_recv(struct ent_link *link, void *data, size_t len, struct ent_err *err)
{
	struct lazy_link *l = lazy_of(link);
	ENT_TRY(wait_open(l, err));
	int r = l->inner->ops->recv(l->inner, data, len, err);
	count(l);
	return r;
}

static void lazy_cancel(struct ent_link *link)
{
	struct lazy_link *l = lazy_of(link);
	pthread_mutex_lock(&l->lock);
	l->cancelled = true;
	if (l->inner)
		l->inner->ops->cancel(l->inner);
	pthread_cond_broadcast(&l->opened);
	pthread_mutex_unlock(&l->lock);
}

static void lazy_free(struct ent_link *link)
{
	struct lazy_link *l = lazy_of(link);
	pthread_join(l->thread, NULL);
	if (l->inner)
		l->inner->ops->free(l->inner);
	pthread_mutex_destroy(&l->lock);
	pthread_cond_destroy(&l->opened);
	free(l);
}

static const struct ent_link_ops lazy_ops = { lazy_send, lazy_recv, lazy_cancel, lazy_free };

int ent_lazy_link_new(struct ent_mesh *mesh, const char *org, const char *name, uint32_t timeout_ms, struct ent_link **ret, struct ent_err *err)
{
	struct lazy_link *l = ent_alloc(1, sizeof *l);
	if (!l)
		return ent_nomem(err);
	*l = (struct lazy_link){ .link = { .ops = &lazy_ops },
				 .mesh = mesh,
				 .timeout_ms = timeout_ms,
				 .lock = PTHREAD_MUTEX_INITIALIZER,
				 .opened = PTHREAD_COND_INITIALIZER,
				 .err = ENT_ERR_INIT };
	snprintf(l->org, sizeof l->org, "%s", org);
	snprintf(l->name, sizeof l->name, "%s", name);
	if (pthread_create(&l->thread, NULL, open_main, l)) {
		free(l);
		return ent_fail(err, ENT_ENOMEM, "no thread could be started");
	}
	*ret = &l->link;
	return 0;
}
