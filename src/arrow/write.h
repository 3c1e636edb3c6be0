/* Results as people and programs read them: CSV, JSON, a table for the terminal, an Arrow IPC stream. */
#ifndef ENT_ARROW_WRITE_H
#define ENT_ARROW_WRITE_H
#include "arrow/batch.h"

enum ent_result_format {
	ENT_RESULT_TABLE, /* numbers right-aligned, NULL dim, control characters escaped */
	ENT_RESULT_CSV,   /* RFC 4180, header line, CRLF; NULL is an empty field, empty text is "" */
	ENT_RESULT_JSON,  /* an array of objects, one per line; integers and decimals as exact numbers, NaN and infinities as text */
	ENT_RESULT_ARROW  /* IPC stream format, metadata version 5 */
};

struct ent_out { /* where bytes go */
	int (*write)(void *self, struct ent_bytes bytes, struct ent_err *err);
	void *self;
};
struct ent_out ent_out_buf(struct ent_buf *b); /* appends to a buffer */

struct ent_result_style {
	bool colour;       /* false under NO_COLOR and away from a terminal */
	size_t width_max;  /* columns of the terminal; 0: no limit */
	size_t sample_max; /* rows that decide the widths; 0: 1000 */
};

struct ent_writer;

bool ent_result_format_by_name(const char *name, enum ent_result_format *ret); /* table csv json arrow */
/* schema [borrow] until free; style may be NULL. */
int ent_writer_new(enum ent_result_format format, const struct ArrowSchema *schema, struct ent_out out, const struct ent_result_style *style,
		   struct ent_writer **ret, struct ent_err *err);
int ent_writer_batch(struct ent_writer *w, const struct ArrowArray *batch, struct ent_err *err); /* validated here */
int ent_writer_end(struct ent_writer *w, struct ent_err *err);                                   /* once, also when there was no batch */
void ent_writer_free(struct ent_writer *w);                                                      /* NULL is fine */
static inline void ent_writer_freep(struct ent_writer **w) { ent_writer_free(*w); }
/* The whole of a stream. */
int ent_write_stream(enum ent_result_format format, struct ArrowArrayStream *stream, struct ent_out out, const struct ent_result_style *style,
		     uint64_t *ret_rows, struct ent_err *err);
/* Columns a terminal uses for UTF-8 text. */
size_t ent_text_width(struct ent_bytes text);
#endif
