/* Draws in order from one stream, and the record of what was drawn. */
#include <pthread.h>
#include <stdlib.h>

#include "crypto/prg.h"

__extension__ typedef unsigned __int128 wide;

void ent_prg_cursor_init(struct ent_prg_cursor *c, const struct ent_prg *p, uint32_t op, uint16_t stream, uint64_t index)
{
	c->prg = p;
	c->op = op;
	c->stream = stream;
	c->index = index;
	c->at = sizeof c->buf;
}

uint64_t ent_prg_u64(struct ent_prg_cursor *c)
{
	uint64_t v;
	if (c->at == sizeof c->buf) {
		ent_prg_fill(c->prg, c->op, c->stream, c->index, c->buf, sizeof c->buf);
		c->index += sizeof c->buf / ENT_PRG_BLOCK;
		c->at = 0;
	}
	memcpy(&v, c->buf + c->at, sizeof v);
	c->at += sizeof v;
	return v;
}

/* Lemire, "Fast random integer generation in an interval" (2019): the high half of draw * bound, redrawn while the low half is in the part
 * of [0, 2^64) that does not divide evenly. */
uint64_t ent_prg_below_var(struct ent_prg_cursor *c, uint64_t bound)
{
	ENT_ASSERT(bound >= 1);
	wide m = (wide)ent_prg_u64(c) * bound;
	if ((uint64_t)m < bound) {
#ifdef ENT_MUTANT_BIASED_DRAW
		uint64_t reject = 0;
#else
		uint64_t reject = -bound % bound;
#endif
		while ((uint64_t)m < reject)
			m = (wide)ent_prg_u64(c) * bound;
	}
	return (uint64_t)(m >> 64);
}

struct range {
	uint64_t from, to; /* blocks [from, to] */
};

struct watched { /* one (operator, stream): disjoint ranges, sorted, neighbours merged */
	uint32_t op;
	uint16_t stream;
	struct range *ranges;
	size_t count, cap;
};

struct ent_prg_watch {
	pthread_mutex_t lock;
	struct watched *slots; /* open addressing, cap is a power of two, at most half full */
	size_t count, cap;
};

struct ent_prg_watch *ent_prg_watch_new(void)
{
	struct ent_prg_watch *w = ent_alloc(1, sizeof *w);
	if (w)
		pthread_mutex_init(&w->lock, NULL);
	return w;
}

void ent_prg_watch_free(struct ent_prg_watch *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->cap; i++)
		free(w->slots[i].ranges);
	free(w->slots);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static struct watched *slot_of(struct watched *slots, size_t cap, uint32_t op, uint16_t stream)
{
	size_t h = (size_t)(((uint64_t)op << 16 | stream) * 0x9e3779b97f4a7c15u >> 20);
	struct watched *s;
	do
		s = &slots[h++ & (cap - 1)];
	while (s->ranges && (s->op != op || s->stream != stream));
	return s;
}

static void slots_grow(struct ent_prg_watch *w)
{
	size_t cap = w->cap ? 2 * w->cap : 64;
	struct watched *slots = ent_alloc(cap, sizeof *slots);
	ENT_ASSERT(slots);
	for (size_t i = 0; i < w->cap; i++)
		if (w->slots[i].ranges)
			*slot_of(slots, cap, w->slots[i].op, w->slots[i].stream) = w->slots[i];
	free(w->slots);
	w->slots = slots;
	w->cap = cap;
}

static bool ranges_add(struct watched *s, uint64_t from, uint64_t to)
{
	size_t i = s->count;
	while (i && s->ranges[i - 1].from > from)
		i--;
	if ((i && s->ranges[i - 1].to >= from) || (i < s->count && s->ranges[i].from <= to))
		return false;
	if (i && s->ranges[i - 1].to + 1 == from) {
		s->ranges[i - 1].to = to;
		return true;
	}
	if (s->count == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 4;
		s->ranges = realloc(s->ranges, s->cap * sizeof *s->ranges);
		ENT_ASSERT(s->ranges);
	}
	memmove(s->ranges + i + 1, s->ranges + i, (s->count - i) * sizeof *s->ranges);
	s->ranges[i] = (struct range){ from, to };
	s->count++;
	return true;
}

bool ent_prg_watch_note(struct ent_prg_watch *w, uint32_t op, uint16_t stream, uint64_t index, uint64_t blocks)
{
	if (!blocks)
		return true;
	pthread_mutex_lock(&w->lock);
	if (2 * (w->count + 1) > w->cap)
		slots_grow(w);
	struct watched *s = slot_of(w->slots, w->cap, op, stream);
	if (!s->ranges) {
		*s = (struct watched){ .op = op, .stream = stream };
		w->count++;
	}
	bool fresh = ranges_add(s, index, index + blocks - 1);
	pthread_mutex_unlock(&w->lock);
	return fresh;
}
