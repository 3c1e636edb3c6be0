#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define CHUNK_BYTES 1u
#else
#define CHUNK_BYTES 65536u
#endif

struct chunk {
	struct chunk *next;
	size_t used, size;
	_Alignas(16) uint8_t data[];
};

struct ent_arena {
	struct chunk *head;
	size_t used, cap;
};

struct ent_arena *ent_arena_new(size_t cap_bytes)
{
	struct ent_arena *a = calloc(1, sizeof *a);
	if (a)
		a->cap = cap_bytes;
	return a;
}

void ent_arena_free(struct ent_arena *a)
{
	if (!a)
		return;
	for (struct chunk *c = a->head, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	free(a);
}

static bool grow(struct ent_arena *a, size_t size)
{
	size_t want = size > CHUNK_BYTES ? size : CHUNK_BYTES, total;
	if (!ent_add_size(want, sizeof(struct chunk), &total))
		return false;
	struct chunk *c = calloc(1, total);
	if (!c)
		return false;
	c->size = want;
	c->next = a->head;
	a->head = c;
	return true;
}

void *ent_arena_get(struct ent_arena *a, size_t count, size_t size)
{
	size_t bytes, total;
	if (!ent_mul_size(count, size, &bytes) || !ent_add_size(bytes, 15, &bytes))
		return NULL;
	bytes = bytes < 16 ? 16 : bytes & ~(size_t)15;
	if (!ent_add_size(a->used, bytes, &total) || total > a->cap)
		return NULL;
	if ((!a->head || a->head->size - a->head->used < bytes) && !grow(a, bytes))
		return NULL;
	void *p = a->head->data + a->head->used;
	a->head->used += bytes;
	a->used = total;
	return p;
}

char *ent_arena_str(struct ent_arena *a, const char *s, size_t len)
{
	char *p = ent_arena_get(a, len + 1, 1);
	if (p && len)
		memcpy(p, s, len);
	return p;
}

char *ent_arena_dup(struct ent_arena *a, const char *s) { return s ? ent_arena_str(a, s, strlen(s)) : NULL; }

char *ent_arena_printf(struct ent_arena *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	ENT_ASSERT(n >= 0);
	char *p = ent_arena_get(a, (size_t)n + 1, 1);
	if (p) {
		va_start(ap, fmt);
		vsnprintf(p, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	return p;
}

size_t ent_arena_used(const struct ent_arena *a) { return a->used; }
