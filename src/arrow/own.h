/* Who owns an Arrow struct: whoever holds one whose release is set. A move copies the struct and clears the source. */
#ifndef ENT_ARROW_OWN_H
#define ENT_ARROW_OWN_H
#include "base/err.h"
#include "entente/arrow.h"

#define ENT_BATCH_ROWS_MAX 65536u
#define ENT_BATCH_BYTES_MAX ((size_t)8 << 20)   /* a writer closes a batch here; one longer row travels alone */
#define ENT_BATCH_BYTES_HARD ((size_t)64 << 20) /* a reader refuses more */
#define ENT_COLUMNS_MAX 1600u

/* Releases what it holds, if anything, and leaves it empty. NULL is fine. Fit for ENT_CLEANUP. */
static inline void ent_schema_release(struct ArrowSchema *s)
{
	if (s && s->release)
		s->release(s);
}
static inline void ent_array_release(struct ArrowArray *a)
{
	if (a && a->release)
		a->release(a);
}
static inline void ent_stream_release(struct ArrowArrayStream *s)
{
	if (s && s->release)
		s->release(s);
}
/* struct ArrowSchema x = {0} that cleans up after itself: ENT_SCHEMA_AUTO x = { 0 }; */
#define ENT_SCHEMA_AUTO ENT_CLEANUP(ent_schema_release) struct ArrowSchema
#define ENT_ARRAY_AUTO ENT_CLEANUP(ent_array_release) struct ArrowArray
#define ENT_STREAM_AUTO ENT_CLEANUP(ent_stream_release) struct ArrowArrayStream

static inline struct ArrowSchema ent_schema_take(struct ArrowSchema *s)
{
	struct ArrowSchema r = *s;
	s->release = NULL;
	return r;
}
static inline struct ArrowArray ent_array_take(struct ArrowArray *a)
{
	struct ArrowArray r = *a;
	a->release = NULL;
	return r;
}
static inline struct ArrowArrayStream ent_stream_take(struct ArrowArrayStream *s)
{
	struct ArrowArrayStream r = *s;
	s->release = NULL;
	return r;
}
#endif
