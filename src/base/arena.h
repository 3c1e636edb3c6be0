/* Memory that lives and dies together, under a byte cap. Not thread-safe; one owner at a time. Under ASan each piece is its own malloc. */
#ifndef ENT_BASE_ARENA_H
#define ENT_BASE_ARENA_H
#include "base/bytes.h"

struct ent_arena;

struct ent_arena *ent_arena_new(size_t cap_bytes); /* NULL when memory is short */
void ent_arena_free(struct ent_arena *a);          /* NULL is fine */
static inline void ent_arena_freep(struct ent_arena **a) { ent_arena_free(*a); }
/* Zeroed, aligned to 16; NULL over the cap or when memory is short. */
void *ent_arena_get(struct ent_arena *a, size_t count, size_t size);
char *ent_arena_str(struct ent_arena *a, const char *s, size_t len); /* a NUL-terminated copy */
char *ent_arena_dup(struct ent_arena *a, const char *s);             /* NULL in, NULL out */
char *ent_arena_printf(struct ent_arena *a, const char *fmt, ...) ENT_PRINTF(2, 3);
size_t ent_arena_used(const struct ent_arena *a);
#define ENT_NEW(arena, type) ((type *)ent_arena_get((arena), 1, sizeof(type)))
#define ENT_NEWS(arena, count, type) ((type *)ent_arena_get((arena), (count), sizeof(type)))
#endif
