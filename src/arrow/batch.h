/* Reading batches. ent_batch_open validates everything a module or a peer could have got wrong (lengths, offsets, buffers, NULL counts,
 * UTF-8, decimal and date range), so that the accessors after it need no checks. */
#ifndef ENT_ARROW_BATCH_H
#define ENT_ARROW_BATCH_H
#include "arrow/schema.h"

struct ent_view { /* one column; fields are the module's own */
	struct ent_type type;
	const uint8_t *validity; /* NULL: no NULLs */
	const uint8_t *values;   /* values, or bytes of texts */
	const uint8_t *offsets;  /* text and binary only */
	size_t offset, rows, nulls;
	uint8_t width; /* bytes of a value, 0 for bool; of an offset for text */
	bool is_unsigned;
	int64_t multiply; /* timestamps to microseconds */
};

struct ent_batch {
	size_t rows, n_columns;
	struct ent_view *columns; /* owned */
};

/* schema, array [borrow]: both must outlive the batch. Refuses, by name, unsupported columns, more than ENT_BATCH_ROWS_MAX rows or
 * ENT_BATCH_BYTES_HARD bytes of text, dictionaries, NULL in the top struct. A column without the nullable flag that has NULLs is ENT_EDATA. */
int ent_batch_open(const struct ArrowSchema *schema, const struct ArrowArray *array, struct ent_batch *ret, struct ent_err *err);
/* The same for copies: also the types that only copies know, columns marked unsupported for joint use, infinite dates and timestamps. */
int ent_batch_open_copy(const struct ArrowSchema *schema, const struct ArrowArray *array, struct ent_batch *ret, struct ent_err *err);
void ent_batch_close(struct ent_batch *b); /* zeroed is fine */
#define ENT_BATCH_AUTO ENT_CLEANUP(ent_batch_close) struct ent_batch

/* Accessors: row < rows; the value under NULL is meaningless (0 or empty). */
static inline bool ent_view_null(const struct ent_view *v, size_t row)
{
	size_t at = v->offset + row;
	return v->validity && !(v->validity[at >> 3] >> (at & 7) & 1);
}
int64_t ent_view_int(const struct ent_view *v, size_t row);   /* bool 0/1, integers, dates, timestamps in microseconds, decimals of precision <= 18;
							       * UINT64 as its bits */
ent_i128 ent_view_wide(const struct ent_view *v, size_t row); /* as int, and every decimal */
double ent_view_real(const struct ent_view *v, size_t row);   /* REAL, DOUBLE */
struct ent_bytes ent_view_text(const struct ent_view *v, size_t row);
#endif
