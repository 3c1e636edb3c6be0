#include "move/pipe.h"

void ent_pipe_init(struct ent_pipe *p)
{
	*p = (struct ent_pipe){ .first = 0 };
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
}

void ent_pipe_deinit(struct ent_pipe *p)
{
	for (; p->n; p->n--, p->first = (p->first + 1) % ENT_PIPE_DEPTH)
		ent_array_release(&p->items[p->first].batch);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->changed);
}

bool ent_pipe_put(struct ent_pipe *p, struct ent_pipe_item *item)
{
	pthread_mutex_lock(&p->lock);
	while (p->n == ENT_PIPE_DEPTH && !p->broken)
		pthread_cond_wait(&p->changed, &p->lock);
	bool ok = !p->broken;
	if (ok)
		p->items[(p->first + p->n++) % ENT_PIPE_DEPTH] = *item;
	else
		ent_array_release(&item->batch);
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	return ok;
}

bool ent_pipe_get(struct ent_pipe *p, struct ent_pipe_item *ret)
{
	pthread_mutex_lock(&p->lock);
	while (!p->n && !p->ended && !p->broken)
		pthread_cond_wait(&p->changed, &p->lock);
	bool ok = p->n && !p->broken;
	if (ok) {
		*ret = p->items[p->first];
		p->first = (p->first + 1) % ENT_PIPE_DEPTH;
		p->n--;
		pthread_cond_broadcast(&p->changed);
	}
	pthread_mutex_unlock(&p->lock);
	return ok;
}

static void mark(struct ent_pipe *p, bool *flag)
{
	pthread_mutex_lock(&p->lock);
	*flag = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

void ent_pipe_end(struct ent_pipe *p) { mark(p, &p->ended); }
void ent_pipe_break(struct ent_pipe *p) { mark(p, &p->broken); }
