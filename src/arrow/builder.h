/* Building batches: typed values column by column, in any order of columns; finish demands equal lengths. */
#ifndef ENT_ARROW_BUILDER_H
#define ENT_ARROW_BUILDER_H
#include "arrow/schema.h"

struct ent_builder;

/* schema [borrow] only during the call; every column needs a type in its own format. bytes_max caps one batch (0: ENT_BATCH_BYTES_HARD). */
int ent_builder_new(const struct ArrowSchema *schema, size_t bytes_max, struct ent_builder **ret, struct ent_err *err);
void ent_builder_free(struct ent_builder *b); /* NULL is fine */
static inline void ent_builder_freep(struct ent_builder **b) { ent_builder_free(*b); }

/* Each appends one value to column col. ENT_EDATA when the value does not fit the column's type, ENT_ENOMEM over the cap.
 * int: booleans 0/1, integers, dates (days), timestamps and times (microseconds), decimals (scaled). wide: the same for 128 bits, and UINT64 whole.
 * real: REAL and DOUBLE; REAL refuses what it cannot hold exactly. text: UTF-8 without NUL; any bytes for BINARY. */
int ent_builder_null(struct ent_builder *b, size_t col, struct ent_err *err);
int ent_builder_int(struct ent_builder *b, size_t col, int64_t value, struct ent_err *err);
int ent_builder_wide(struct ent_builder *b, size_t col, ent_i128 value, struct ent_err *err);
int ent_builder_real(struct ent_builder *b, size_t col, double value, struct ent_err *err);
int ent_builder_text(struct ent_builder *b, size_t col, struct ent_bytes value, struct ent_err *err);

struct ent_type ent_builder_type(const struct ent_builder *b, size_t col);
size_t ent_builder_rows(const struct ent_builder *b); /* of column 0 */
bool ent_builder_full(const struct ent_builder *b);   /* time to finish: ENT_BATCH_ROWS_MAX rows or ENT_BATCH_BYTES_MAX bytes */
/* Hands over the batch (possibly of zero rows) and starts the next. Columns of unequal length are a programmer error. */
int ent_builder_finish(struct ent_builder *b, struct ArrowArray *ret, struct ent_err *err);
#endif
