/* Rows between members, and results on their way into a store: frames of be32 length, u8 kind and payload.
 *
 *   'S'  schema: {columns: [{name, type, nullable, native}], keys: text}, canonical JSON
 *   'B'  batch: be32 rows; per column ceil(rows/8) bytes of validity (bit 1: a value), then the values of the rows that have one: bool u8, texts and
 *        bytes be32 length + bytes, decimals and unsigned 16 bytes two's complement, floats be64 of the double, all others be64 two's complement
 *   'E'  end: be64 rows
 *   'X'  the sender failed: text
 * Everything read here is foreign. */
#ifndef ENT_MOVE_FEED_H
#define ENT_MOVE_FEED_H
#include "arrow/batch.h"
#include "base/json.h"
#include "move/move.h"

#define ENT_FEED_BYTES_MAX ((size_t)96 << 20)

/* Each appends one whole frame. */
int ent_feed_put_schema(const struct ArrowSchema *schema, struct ent_buf *out, struct ent_err *err);
int ent_feed_put_batch(const struct ent_batch *batch, struct ent_buf *out, struct ent_err *err);
void ent_feed_put_end(uint64_t rows, struct ent_buf *out);
void ent_feed_put_failure(const char *text, struct ent_buf *out);
/* payload: without length and kind. ENT_EDATA. */
int ent_feed_get_schema(struct ent_bytes payload, struct ArrowSchema *ret, struct ent_err *err);
int ent_feed_get_batch(struct ent_bytes payload, const struct ArrowSchema *schema, struct ArrowArray *ret, struct ent_err *err);

/* A source that is fed with frames; it can be read once, whole. */
struct ent_feed_from {
	void *self;
	/* Exactly len bytes, or an error. */
	int (*read)(void *self, void *data, size_t len, struct ent_err *err);
};
int ent_feed_source_open(const struct ent_feed_from *feed, struct ent_move_session *ret, struct ent_err *err);
/* Sends all rows of an opened source: schema, batches, end; or the failure, and returns it. */
int ent_feed_send(const struct ent_move_session *from, const struct ent_read *what,
		  int (*write)(void *self, struct ent_bytes bytes, struct ent_err *err), void *self, uint64_t *ret_rows, struct ent_err *err);
#endif
