/* Share memory under the job's cap. Freed blocks are kept and reused: the operators of a job ask for the same sizes again and again, and fresh pages
 * from the kernel cost more than the arithmetic on them. */
#include <stdlib.h>

#include "crypto/secret.h"
#include "mpc/engine.h"

#define HEAD 64

static size_t *size_of(void *p) { return (size_t *)(void *)((uint8_t *)p - HEAD); }

static void *from_cache(struct ent_mpc *m, size_t bytes)
{
	int best = -1;
	for (int i = 0; i < CACHE_BLOCKS; i++)
		if (m->cache[i].at && m->cache[i].bytes >= bytes && m->cache[i].bytes / 2 <= bytes &&
		    (best < 0 || m->cache[i].bytes < m->cache[best].bytes))
			best = i;
	if (best < 0)
		return NULL;
	void *p = m->cache[best].at;
	m->cached_bytes -= m->cache[best].bytes;
	m->cache[best].at = NULL;
	return p;
}

void ent_mpc_drop_cache(struct ent_mpc *m)
{
	for (int i = 0; i < CACHE_BLOCKS; i++)
		if (m->cache[i].at) {
			free((uint8_t *)m->cache[i].at - HEAD);
			m->cache[i].at = NULL;
		}
	m->cached_bytes = 0;
}

static void *fresh(struct ent_mpc *m, size_t bytes)
{
	if (m->n.memory_used + m->cached_bytes + bytes > m->o.memory_max_bytes)
		ent_mpc_drop_cache(m);
	if (m->n.memory_used + bytes > m->o.memory_max_bytes)
		return NULL;
	uint8_t *raw = aligned_alloc(HEAD, bytes + HEAD);
	if (!raw)
		return NULL;
	*(size_t *)(void *)raw = bytes;
	return raw + HEAD;
}

void *ent_mpc_get(struct ent_mpc *m, size_t bytes, struct ent_err *err)
{
	size_t size;
	if (!ent_add_size(bytes, 127, &size)) {
		ent_nomem(err);
		return NULL;
	}
	size &= ~(size_t)63;
	void *p = from_cache(m, size);
	if (!p)
		p = fresh(m, size);
	if (!p) {
		ent_fail(err, ENT_ENOMEM, "a joint computation needs more memory than it may use");
		ent_why(err, "cap %zu MB, in use %zu MB, asked for %zu MB", m->o.memory_max_bytes >> 20, m->n.memory_used >> 20, size >> 20);
		return NULL;
	}
	m->n.memory_used += *size_of(p);
	if (m->n.memory_used > m->n.memory_peak)
		m->n.memory_peak = m->n.memory_used;
	return p;
}

/* A full cache gives up its smallest block. */
static struct block *slot_for(struct ent_mpc *m, size_t bytes)
{
	struct block *small = &m->cache[0];
	for (int i = 0; i < CACHE_BLOCKS; i++) {
		if (!m->cache[i].at)
			return &m->cache[i];
		if (m->cache[i].bytes < small->bytes)
			small = &m->cache[i];
	}
	if (small->bytes >= bytes)
		return NULL;
	m->cached_bytes -= small->bytes;
	free((uint8_t *)small->at - HEAD);
	return small;
}

void ent_mpc_put(struct ent_mpc *m, void *p)
{
	if (!p)
		return;
	size_t bytes = *size_of(p);
	m->n.memory_used -= bytes;
	struct block *slot = slot_for(m, bytes);
	if (!slot) {
		free((uint8_t *)p - HEAD);
		return;
	}
	*slot = (struct block){ p, bytes };
	m->cached_bytes += bytes;
}

void ent_mpc_scratch_free(struct scratch *s)
{
	if (s->at)
		ent_mpc_put(s->m, s->at);
	s->at = NULL;
}

int ent_mpc_scratch(struct ent_mpc *m, size_t count, size_t size, struct scratch *ret, struct ent_err *err)
{
	size_t bytes;
	if (!ent_mul_size(count, size, &bytes))
		return ent_nomem(err);
	void *p = ent_mpc_get(m, bytes, err);
	if (!p)
		return ENT_ENOMEM;
	*ret = (struct scratch){ m, p };
	return 0;
}

int ent_bits_make(struct ent_mpc *m, size_t rows, unsigned planes, struct ent_bits *ret, struct ent_err *err)
{
	size_t words, bytes;
	if (!ent_mul_size(ent_words(rows), planes, &words) || !ent_mul_size(words, 16, &bytes))
		return ent_nomem(err);
	uint64_t *p = ent_mpc_get(m, bytes, err);
	if (!p)
		return ENT_ENOMEM;
	*ret = (struct ent_bits){ rows, planes, { p, p + words }, m };
	return 0;
}

int ent_ring_make(struct ent_mpc *m, size_t rows, struct ent_ring *ret, struct ent_err *err)
{
	size_t bytes;
	if (!ent_mul_size(rows, 16, &bytes))
		return ent_nomem(err);
	uint64_t *p = ent_mpc_get(m, bytes, err);
	if (!p)
		return ENT_ENOMEM;
	*ret = (struct ent_ring){ rows, { p, p + rows }, m };
	return 0;
}

int ent_bits_new(struct ent_mpc *m, size_t rows, unsigned planes, struct ent_bits *ret, struct ent_err *err)
{
	ENT_TRY(ent_bits_make(m, rows, planes, ret, err));
	memset(ret->c[0], 0, ent_words(rows) * planes * 16);
	return 0;
}

int ent_ring_new(struct ent_mpc *m, size_t rows, struct ent_ring *ret, struct ent_err *err)
{
	ENT_TRY(ent_ring_make(m, rows, ret, err));
	memset(ret->c[0], 0, rows * 16);
	return 0;
}

void ent_bits_deinit(struct ent_bits *b)
{
	if (b->owner)
		ent_mpc_put(b->owner, b->c[0]);
	*b = (struct ent_bits){ 0 };
}

void ent_ring_deinit(struct ent_ring *r)
{
	if (r->owner)
		ent_mpc_put(r->owner, r->c[0]);
	*r = (struct ent_ring){ 0 };
}

void ent_rows_deinit(struct ent_rows *r)
{
	ent_bits_deinit(&r->bits);
	for (unsigned k = 0; k < ENT_ROWS_RINGS_MAX; k++)
		ent_ring_deinit(&r->ring[k]);
	*r = (struct ent_rows){ 0 };
}
