/* Events and time. One event at a time, the earliest first; of two at the same time the one that was planned first. */
#include "sim/world.h"

#include <stdarg.h>

uint64_t sim_draw(struct sim_world *w, uint64_t below)
{
	uint64_t z = w->dice += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (z ^ z >> 31) % below;
}

bool sim_chance(struct sim_world *w, unsigned percent) { return sim_draw(w, 100) < percent; }

void sim_trace(struct sim_world *w, const void *data, size_t len)
{
	const uint8_t *p = data;
	for (size_t i = 0; i < len; i++)
		w->trace = (w->trace ^ p[i]) * 0x100000001b3u;
}

void sim_say(struct sim_world *w, const char *fmt, ...)
{
	va_list ap;
	if (!w->verbose)
		return;
	printf("# %8llu.%03llu ", (unsigned long long)(w->now / 1000), (unsigned long long)(w->now % 1000));
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

void sim_fail(struct sim_world *w, const char *fmt, ...)
{
	va_list ap;
	char text[500];
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	sim_say(w, "FAILED %s", text);
	if (w->failed)
		return;
	w->failed = true;
	snprintf(w->why, sizeof w->why, "step %llu, %llu ms: %s", (unsigned long long)w->counts.events, (unsigned long long)w->now, text);
}

struct sim_node *sim_by_org(struct sim_world *w, const char *org)
{
	for (int i = 0; i < w->n; i++)
		if (!strcmp(w->nodes[i].org, org))
			return &w->nodes[i];
	return NULL;
}

/* ---- the heap ---- */

static bool before(const struct sim_event *a, const struct sim_event *b) { return a->at != b->at ? a->at < b->at : a->seq < b->seq; }

static void push(struct sim_world *w, struct sim_event *e)
{
	if (w->n_heap == w->cap_heap) {
		w->cap_heap = w->cap_heap ? 2 * w->cap_heap : 256;
		w->heap = realloc(w->heap, w->cap_heap * sizeof(struct sim_event *));
		ENT_ASSERT(w->heap);
	}
	size_t i = w->n_heap++;
	for (; i && before(e, w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = e;
}

static struct sim_event *pop(struct sim_world *w)
{
	struct sim_event *first = w->heap[0], *last = w->heap[--w->n_heap];
	size_t i = 0;
	while (2 * i + 1 < w->n_heap) {
		size_t k = 2 * i + 1;
		if (k + 1 < w->n_heap && before(w->heap[k + 1], w->heap[k]))
			k++;
		if (!before(w->heap[k], last))
			break;
		w->heap[i] = w->heap[k];
		i = k;
	}
	w->heap[i] = last;
	return first;
}

struct sim_event *sim_at(struct sim_world *w, uint64_t delay_ms, const char *name, void (*fire)(struct sim_world *, struct sim_event *))
{
	struct sim_event *e = calloc(1, sizeof *e);
	ENT_ASSERT(e);
	*e = (struct sim_event){ .at = w->now + delay_ms, .seq = w->next_seq++, .name = name, .fire = fire, .node = -1, .peer = -1 };
	push(w, e);
	return e;
}

struct sim_event *sim_at_node(struct sim_node *s, uint64_t delay_ms, const char *name, void (*fire)(struct sim_world *, struct sim_event *))
{
	struct sim_event *e = sim_at(s->w, delay_ms, name, fire);
	e->node = s->index;
	e->life = s->life;
	return e;
}

/* A node whose disk is slow has no time for the event yet. */
static bool postponed(struct sim_world *w, struct sim_event *e)
{
	struct sim_node *s = e->node >= 0 && e->life ? &w->nodes[e->node] : NULL;
	if (!s || s->busy_until <= w->now || e->life != s->life)
		return false;
	e->at = s->busy_until;
	e->seq = w->next_seq++;
	push(w, e);
	return true;
}

static void one(struct sim_world *w)
{
	struct sim_event *e = pop(w);
	struct sim_node *s = e->node >= 0 ? &w->nodes[e->node] : NULL;
	w->now = e->at > w->now ? e->at : w->now;
	if (postponed(w, e))
		return;
	if (!s || !e->life || (e->life == s->life && sim_up(s))) {
		w->counts.events++;
		sim_trace(w, e->name, strlen(e->name));
		sim_trace(w, &w->now, sizeof w->now);
		sim_trace(w, &e->node, sizeof e->node);
		e->fire(w, e);
		if (s && e->life && sim_up(s))
			sim_after_event(s);
	}
	free(e);
}

void sim_run_until(struct sim_world *w, uint64_t at)
{
	while (w->n_heap && w->heap[0]->at <= at && !w->failed)
		one(w);
	w->now = at > w->now ? at : w->now;
}

/* ---- begin and end ---- */

static const char *const orgs[SIM_NODES_MAX] = { "alpha", "bravo", "delta", "hotel", "kilo" };

struct sim_world *sim_new(uint64_t seed, bool verbose)
{
	struct sim_world *w = calloc(1, sizeof *w);
	ENT_ASSERT(w);
	*w = (struct sim_world){ .seed = seed, .dice = seed * 0x2545f4914f6cdd1du + 1, .verbose = verbose, .trace = 0xcbf29ce484222325u };
	w->next_session = w->next_call = 1;
	w->n = sim_chance(w, 75) ? 3 : sim_chance(w, 66) ? 4 : 5;
	w->adversary = sim_chance(w, 25);
	w->wild = sim_chance(w, 50);
	w->delay_ms = sim_chance(w, 70) ? 5 : 80;
	for (int i = 0; i < w->n; i++) {
		struct sim_node *s = &w->nodes[i];
		s->w = w;
		s->index = i;
		snprintf(s->org, sizeof s->org, "%s", orgs[i]);
		s->dice = sim_draw(w, UINT64_MAX);
		s->disk = simfs_new(sim_draw(w, UINT64_MAX));
		s->compute_only = i == 3;
		s->skew_ms = (int64_t)sim_draw(w, 2000) - 1000;
		s->sync_ms = sim_chance(w, 10) ? 1 + sim_draw(w, 20) : 0;
		for (int k = i + 1; k < w->n; k++)
			for (int d = 0; d < 2; d++)
				w->links[i][k].ways[d].end = &w->links[i][k].ways[d].first;
	}
	sim_checks_new(w);
	sim_tables_make(w);
	return w;
}

void sim_free(struct sim_world *w)
{
	for (int i = 0; i < w->n; i++)
		if (sim_up(&w->nodes[i]))
			sim_crash(&w->nodes[i], false);
	for (size_t i = 0; i < w->n_heap; i++)
		free(w->heap[i]);
	free(w->heap);
	sim_net_free(w);
	sim_runs_free(w);
	sim_checks_free(w);
	ENT_ASSERT(!w->clients && !w->calls); /* every request was answered, every call ended, once */
	for (int i = 0; i < w->n; i++) {
		simfs_free(w->nodes[i].disk);
		ent_buf_deinit(&w->nodes[i].card_text);
	}
	free(w->tables);
	free(w);
}
