/* Arrow files and streams: opened, then every column that can be read, first all together, then one by one.
 * fuzz-deps: arrow_codec_dep */
#include <stdlib.h>

#include "arrow/ipc.h"
#include "arrow/stream.h"
#include "arrow_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int memory_read(void *self, uint64_t at, void *buf, size_t len, struct ent_err *err)
{
	const struct ent_bytes *all = (const struct ent_bytes *)self;
	(void)err;
	ENT_ASSERT(at <= all->len && len <= all->len - at);
	memcpy(buf, all->data + at, len);
	return 0;
}

static void rows_read(const struct ent_ipc *f, const size_t *columns, size_t n)
{
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_err e = ENT_ERR_INIT;
	size_t blocks;
	(void)ent_ipc_blocks(f, &blocks);
	if (ent_ipc_read(f, columns, n, 0, blocks, &stream, &e) || ent_stream_schema(&stream, &schema, &e))
		return;
	for (unsigned batches = 0; batches < 8; batches++) {
		ENT_ARRAY_AUTO a = { 0 };
		ENT_BATCH_AUTO b = { 0 };
		if (ent_stream_next(&stream, &a, &e) || !a.release)
			return;
		if (!ent_batch_open_copy(&schema, &a, &b, &e))
			ENT_ASSERT(b.rows <= ENT_BATCH_ROWS_MAX && b.n_columns == n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ent_bytes all = ent_bytes(data, size);
	const struct ent_ipc_input input = { memory_read, &all, size, ent_arrow_codecs };
	struct ent_ipc *f = NULL;
	struct ent_err e = ENT_ERR_INIT;
	if (ent_ipc_open(&input, size && data[size - 1] == 'u', &f, &e))
		return 0;
	const struct ArrowSchema *schema = ent_ipc_schema(f);
	size_t *columns = (size_t *)calloc((size_t)schema->n_children + 1, sizeof *columns), n = 0;
	ENT_ASSERT(columns && !ent_schema_check(schema, &e));
	for (size_t i = 0; i < (size_t)schema->n_children; i++) {
		struct ent_field_info info;
		ent_schema_field(schema, i, &info);
		if (info.copied)
			columns[n++] = i;
	}
	if (n)
		rows_read(f, columns, n);
	for (size_t i = 0; i < n && i < 50; i++)
		rows_read(f, &columns[i], 1);
	free(columns);
	ent_ipc_close(f);
	return 0;
}
