/* Canonical bytes of rows, for digests and commitments: equal rows of equal types have equal bytes, different ones different bytes.
 *
 * Schema: be16 number of columns, then per column be16 length + name, u8 type id letter, u8 precision, u8 scale, u8 nullable.
 * Row: per column u8 0 for NULL, else u8 1 and: bool u8; integers, date, timestamps be64 two's complement; decimal be128 two's complement (scaled);
 * real and double be64 of the double, every NaN as 7ff8000000000000; text be32 length + bytes. time be64 microseconds;
 * unsigned bigint be64; binary as text. Type letters: b s i l d f g D t z u L T B. */
#ifndef ENT_ARROW_ROWS_H
#define ENT_ARROW_ROWS_H
#include "arrow/batch.h"

int ent_rows_put_schema(const struct ArrowSchema *schema, struct ent_buf *out,
			struct ent_err *err);                                      /* ENT_EUNSUPPORTED: a column has a type no copy knows */
void ent_rows_put(const struct ent_batch *batch, size_t row, struct ent_buf *out); /* failure sticks in out */
#endif
