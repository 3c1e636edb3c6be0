/* Streams of batches: making one from a pull function or from batches in memory, reading one with ent_err instead of errno.
 *
 * Our streams say more than the C stream interface can: get_last_error is "NAME SQLSTATE what", then lines why and next (SQLSTATE "-" when none),
 * and ent_stream_next turns that back into the error object. Foreign streams give ENT_EIO with their text. */
#ifndef ENT_ARROW_STREAM_H
#define ENT_ARROW_STREAM_H
#include "arrow/batch.h"

struct ent_stream_ops {
	/* Fills *ret, or leaves ret->release NULL at the end. After an error it is not called again. */
	int (*next)(void *self, struct ArrowArray *ret, struct ent_err *err);
	void (*free)(void *self); /* called once; may be NULL */
};

/* Takes schema and self, also on failure. */
int ent_stream_new(struct ArrowSchema *schema, const struct ent_stream_ops *ops, void *self, struct ArrowArrayStream *ret, struct ent_err *err);
/* Takes schema and the n arrays (the array of structs itself stays the caller's), also on failure. */
int ent_stream_from_batches(struct ArrowSchema *schema, struct ArrowArray *batches, size_t n, struct ArrowArrayStream *ret, struct ent_err *err);

/* The checked schema of a stream. */
int ent_stream_schema(struct ArrowArrayStream *stream, struct ArrowSchema *ret, struct ent_err *err);
/* The next batch, or ret->release == NULL at the end. Validate it with ent_batch_open before use. */
int ent_stream_next(struct ArrowArrayStream *stream, struct ArrowArray *ret, struct ent_err *err);
/* Calls fn for every batch, opened; releases nothing of the stream. fn's failure stops. */
int ent_stream_each(struct ArrowArrayStream *stream, const struct ArrowSchema *schema,
		    int (*fn)(void *arg, const struct ent_batch *batch, struct ent_err *err), void *arg, struct ent_err *err);
/* The same for streams of copies, whose columns may have formats that only copies know. */
int ent_stream_each_copy(struct ArrowArrayStream *stream, const struct ArrowSchema *schema,
			 int (*fn)(void *arg, const struct ent_batch *batch, struct ent_err *err), void *arg, struct ent_err *err);
#endif
