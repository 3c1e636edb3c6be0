/* Foreign Arrow batches: the input becomes a schema and an array whose lengths, offsets and NULL counts are the input's, over real buffers.
 * Buffers are as long as the array claims (the interface has no sizes), so the check itself must find everything else.
 * fuzz-deps: arrow_dep */
#include <stdlib.h>

#include "arrow/rows.h"
#include "arrow/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const formats[] = { "b",     "c",       "C",   "s",    "S",    "i",       "I", "l", "f", "g",
				       "d:9,2", "d:38,10", "tdD", "tsu:", "tsm:", "tss:UTC", "u", "U", "n", "vu" };

static void no_schema_release(struct ArrowSchema *s) { s->release = NULL; }
static void no_array_release(struct ArrowArray *a) { a->release = NULL; }

#define ROWS_MAX 64
#define BUFFER_BYTES ((size_t)16 * (256 + 2))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ent_reader r = ent_reader(ent_bytes(data, size));
	static uint8_t validity[64], first[BUFFER_BYTES], second[1 << 16];
	struct ArrowSchema child = { .format = formats[ent_read_u8(&r) % ENT_COUNT(formats)],
				     .name = "c",
				     .flags = ent_read_u8(&r) & ARROW_FLAG_NULLABLE,
				     .release = no_schema_release };
	struct ArrowSchema *children[] = { &child };
	struct ArrowSchema schema = { .format = "+s", .name = "", .n_children = 1, .children = children, .release = no_schema_release };
	int64_t length = (int8_t)ent_read_u8(&r), offset = (int8_t)ent_read_u8(&r), outer = ent_read_u8(&r) % ROWS_MAX;
	struct ArrowArray column = { .length = length, .offset = offset, .null_count = (int8_t)ent_read_u8(&r), .n_buffers = ent_read_u8(&r) % 5 };
	struct ArrowArray *columns[] = { &column };
	const void *buffers[4] = { 0 }, *top[1] = { NULL };
	uint8_t present = ent_read_u8(&r);
	memset(first, 0, sizeof first);
	memset(second, 'a', sizeof second);
	size_t left = ent_reader_left(&r), half = left / 2;
	memcpy(validity, data, size < sizeof validity ? size : sizeof validity);
	if (left) {
		memcpy(first, r.at, half < sizeof first ? half : sizeof first);
		memcpy(second, r.at + half, left - half < sizeof second ? left - half : sizeof second);
	}
	/* Offsets beyond what the text buffer really holds cannot be seen through the interface: keep the claim honest. */
	for (size_t i = 0; i + 4 <= sizeof first && present & 8; i += 4) {
		first[i + 1] = 0;
		first[i + 2] = 0;
		first[i + 3] = (uint8_t)(first[i + 3] & 0x80);
	}
	bool text = child.format[0] == 'u' || child.format[0] == 'U';
	if (text && !(present & 8))
		return 0;
	buffers[0] = present & 1 ? validity : NULL;
	buffers[1] = present & 2 ? first : NULL;
	buffers[2] = present & 4 ? second : NULL;
	column.buffers = buffers;
	column.release = no_array_release;
	struct ArrowArray array = { .length = outer,
				    .offset = ent_read_u8(&r) % ROWS_MAX,
				    .n_buffers = 1,
				    .n_children = 1,
				    .buffers = top,
				    .children = columns,
				    .release = no_array_release };
	ENT_BATCH_AUTO b = { 0 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF((size_t)64 << 20);
	struct ent_err e = ENT_ERR_INIT;
	if (ent_batch_open(&schema, &array, &b, &e))
		return 0;
	for (size_t i = 0; i < b.rows; i++)
		ent_rows_put(&b, i, &out);
	for (int f = ENT_RESULT_TABLE; f <= ENT_RESULT_ARROW; f++) {
		struct ent_writer *w = NULL;
		if (!ent_writer_new((enum ent_result_format)f, &schema, ent_out_buf(&out), NULL, &w, &e) && !ent_writer_batch(w, &array, &e))
			(void)ent_writer_end(w, &e);
		ent_writer_free(w);
	}
	return 0;
}
