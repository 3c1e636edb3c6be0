/* Small batches of one schema gathered into a large one: stores take a thousand rows at once for the price of a few. */
#ifndef ENT_ARROW_GATHER_H
#define ENT_ARROW_GATHER_H
#include "arrow/batch.h"
#include "arrow/builder.h"

#define ENT_GATHER_ROWS_SMALL 1024               /* a batch of more rows is large */
#define ENT_GATHER_BYTES_SMALL ((size_t)1 << 20) /* or of more bytes of text */

struct ent_gather { /* zeroed: empty */
	struct ArrowSchema schema;
	struct ent_builder *builder;
	size_t bytes; /* of texts gathered */
};

/* Copies the rows of a small batch behind those that are there. *ret false: nothing was taken, because the batch is large, has another schema
 * than the rows that are there, or the gather is full. schema is one that a builder takes (every column in its own format). After a failure
 * the gather is empty. */
int ent_gather_add(struct ent_gather *g, const struct ArrowSchema *schema, const struct ArrowArray *rows, bool *ret, struct ent_err *err);
size_t ent_gather_rows(const struct ent_gather *g);
/* Hands over what was gathered, in the order it came; the schema stays until the next add, take or deinit. */
int ent_gather_take(struct ent_gather *g, struct ArrowArray *ret, struct ent_err *err);
void ent_gather_deinit(struct ent_gather *g); /* empty afterwards */
#endif
