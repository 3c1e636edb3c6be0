/* Arrow files in memory, for tests: opened, read as text. */
#ifndef ENT_TEST_IPC_CASE_H
#define ENT_TEST_IPC_CASE_H
#include <stdlib.h>

#include "arrow/ipc.h"
#include "arrow/stream.h"
#include "arrow/value.h"
#include "tap.h"

extern const struct ent_ipc_codec *const ent_arrow_codecs[ENT_IPC_CODECS]; /* connectors/arrow/arrow_codec.h */

static inline int memory_read(void *self, uint64_t at, void *buf, size_t len, struct ent_err *err)
{
	const struct ent_buf *all = self;
	(void)err;
	if (at > all->len || len > all->len - at)
		abort();
	memcpy(buf, all->data + at, len);
	return 0;
}

static inline int opened(struct ent_buf *bytes, bool unfinished, struct ent_ipc **ret, struct ent_err *e)
{
	const struct ent_ipc_input input = { memory_read, bytes, bytes->len, ent_arrow_codecs };
	*e = (struct ent_err)ENT_ERR_INIT;
	return ent_ipc_open(&input, unfinished, ret, e);
}

struct ipc_text {
	struct ent_buf *out;
	size_t *max;
};

static inline int ipc_rows_put(void *arg, const struct ent_batch *b, struct ent_err *e)
{
	const struct ipc_text *t = (const struct ipc_text *)arg;
	(void)e;
	*t->max = b->rows > *t->max ? b->rows : *t->max;
	for (size_t r = 0; r < b->rows; r++)
		for (size_t c = 0; c < b->n_columns; c++) {
			if (ent_view_null(&b->columns[c], r))
				ent_buf_str(t->out, "-");
			else
				ent_value_put(&b->columns[c], r, t->out);
			ent_buf_str(t->out, c + 1 < b->n_columns ? "|" : "\n");
		}
	return 0;
}

/* All columns that can be read as text, rows by line; *max: rows of the largest batch. */
static inline int text_of(struct ent_ipc *f, struct ent_buf *out, size_t *max, struct ent_err *e)
{
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	size_t columns[100], n = 0, blocks;
	(void)ent_ipc_blocks(f, &blocks);
	for (int64_t i = 0; i < ent_ipc_schema(f)->n_children && n < 100; i++) {
		struct ent_field_info info;
		ent_schema_field(ent_ipc_schema(f), (size_t)i, &info);
		if (info.copied)
			columns[n++] = (size_t)i;
	}
	ENT_TRY(ent_ipc_read(f, columns, n, 0, blocks, &stream, e));
	ENT_TRY(ent_stream_schema(&stream, &schema, e));
	return ent_stream_each_copy(&stream, &schema, ipc_rows_put, &(struct ipc_text){ out, max }, e);
}

static inline void file_read(const char *folder, const char *name, struct ent_buf *out)
{
	char path[600];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "rb");
	char part[4096];
	for (size_t n = 0; f && (n = fread(part, 1, sizeof part, f)) > 0;)
		ent_buf_put(out, part, n);
	OK(f && !fclose(f) && out->len > 0, "%s is there", name);
}
#endif
