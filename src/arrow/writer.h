/* Shared by the writers of this folder: one table of functions per format. */
#ifndef ENT_ARROW_WRITER_H
#define ENT_ARROW_WRITER_H
#include "arrow/value.h"
#include "arrow/write.h"

#define ENT_PAGE_BYTES ((size_t)64 << 10) /* text goes out in pages of about this size */

struct ent_writer_ops {
	int (*begin)(struct ent_writer *w, struct ent_err *err);
	int (*batch)(struct ent_writer *w, const struct ent_batch *b, struct ent_err *err);
	int (*end)(struct ent_writer *w, struct ent_err *err);
};

struct ent_writer {
	const struct ent_writer_ops *ops;
	const struct ArrowSchema *schema;
	struct ent_field_info *fields;
	size_t n_fields;
	struct ent_out out;
	struct ent_result_style style;
	struct ent_buf page;
	uint64_t rows;
	/* table only: cells of the sample, one after the other, and the widths they ask for */
	struct ent_buf cells;
	size_t sampled, *widths;
	bool printing;
};

/* Sends the page when it is long enough, or in any case. */
int ent_writer_flush(struct ent_writer *w, bool always, struct ent_err *err);

extern const struct ent_writer_ops ent_writer_csv, ent_writer_json, ent_writer_table, ent_writer_ipc;
#endif
