/* Opening an Arrow file or stream: the messages one after the other, the schema, where the rows are, and for a file that its table of contents says
 * the same. */
#include <stdio.h>
#include <stdlib.h>

#include "arrow/ipc_inner.h"

#define META_MAX ((uint32_t)16 << 20)
#define FOOTER_MAX ((uint32_t)256 << 20)
#define BLOCKS_MAX ((size_t)4 << 20)
#define MAGIC_LEN 6
enum header { HEADER_SCHEMA = 1, HEADER_DICTIONARY = 2, HEADER_BATCH = 3 };

int ent_ipc_bad(const char *what, struct ent_err *err)
{
	ent_fail(err, ENT_EDATA, "this Arrow file cannot be read");
	return ent_why(err, "%s", what), ENT_EDATA;
}

static int read_at(const struct ent_ipc *f, uint64_t at, void *buf, size_t len, struct ent_err *err)
{
	if (at > f->input.bytes || len > f->input.bytes - at)
		return ent_ipc_bad("it is cut off", err);
	return f->input.read_at(f->input.self, at, buf, len, err);
}

int ent_ipc_message_read(const struct ent_ipc *f, uint64_t at, uint32_t meta_bytes, struct ent_buf *meta, struct ent_ipc_message *ret,
			 struct ent_err *err)
{
	struct ent_ipc_message m;
	uint64_t version;
	bool there = false;
	ent_buf_reset(meta);
	uint8_t *space = ent_buf_space(meta, meta_bytes);
	ENT_TRY(ent_buf_check(meta, err));
	ENT_TRY(read_at(f, at, space, meta_bytes, err));
	if (!ent_flat_root(ent_buf_bytes(meta), &m.table) || !ent_flat_number(&m.table, 0, 2, &version) ||
	    !ent_flat_number(&m.table, 1, 1, &m.type) || !ent_flat_table(&m.table, 2, &m.header, &there) || !there ||
	    !ent_flat_number(&m.table, 3, 8, &m.body_bytes))
		return ent_ipc_bad("a message is damaged", err);
	if (version != 3 && version != 4)
		return ent_fail(err, ENT_EUNSUPPORTED, "the Arrow file has metadata of version %u; 4 and 5 are known", (unsigned)version + 1);
	m.v4 = version == 3;
	*ret = m;
	return 0;
}

static int block_add(struct ent_ipc *f, const struct ent_ipc_block *b, struct ent_err *err)
{
	if (f->n_blocks == BLOCKS_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "the Arrow file has more than %zu batches", BLOCKS_MAX);
	if (f->n_blocks % 1024 == 0) {
		struct ent_ipc_block *more = (struct ent_ipc_block *)realloc(f->blocks, (f->n_blocks + 1024) * sizeof *more);
		if (!more)
			return ent_nomem(err);
		f->blocks = more;
	}
	f->blocks[f->n_blocks++] = *b;
	f->rows += b->rows;
	return 0;
}

static int batch_note(struct ent_ipc *f, const struct ent_ipc_message *m, struct ent_ipc_block *b, struct ent_err *err)
{
	struct ent_flat compression;
	bool compressed;
	if (!f->fields)
		return ent_ipc_bad("rows come before their schema", err);
	if (!ent_flat_number(&m->header, 0, 8, &b->rows) || b->rows > INT64_MAX - f->rows ||
	    !ent_flat_table(&m->header, 3, &compression, &compressed))
		return ent_ipc_bad("a batch is damaged", err);
	if (!compressed)
		return block_add(f, b, err);
	ent_fail(err, ENT_EUNSUPPORTED, "the Arrow file is compressed");
	return ent_next(err, "write it uncompressed (pyarrow: compression=None, or pyarrow.ipc), or as Parquet"), ENT_EUNSUPPORTED;
}

static int message_take(struct ent_ipc *f, const struct ent_ipc_message *m, struct ent_ipc_block *b, struct ent_err *err)
{
	if (m->type == HEADER_SCHEMA)
		return m->body_bytes ? ent_ipc_bad("its schema has a body", err) : ent_ipc_schema_read(f, &m->header, m->v4, err);
	if (m->type == HEADER_BATCH)
		return batch_note(f, m, b, err);
	if (m->type == HEADER_DICTIONARY && f->fields)
		return 0; /* such columns are not read */
	return ent_ipc_bad("it has a message of a kind that does not belong here", err);
}

/* The messages from `at` on, up to the end mark; *ret: behind it. */
static int messages_scan(struct ent_ipc *f, uint64_t at, bool unfinished, uint64_t *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf meta = ENT_BUF(META_MAX);
	for (;;) {
		uint8_t prefix[8];
		struct ent_ipc_message m;
		f->end = at;
		if (unfinished && at == f->input.bytes)
			break;
		ENT_TRY(read_at(f, at, prefix, sizeof prefix, err));
		uint64_t mark = ent_flat_le(ent_bytes(prefix, 8), 0, 4), bytes = ent_flat_le(ent_bytes(prefix, 8), 4, 4);
		if (mark != UINT32_MAX && !f->fields)
			return ent_fail(err, ENT_EUNSUPPORTED, "this is no Arrow file, or one from before 2019");
		if (mark != UINT32_MAX || bytes > META_MAX || bytes % 8)
			return ent_ipc_bad("a message begins wrongly", err);
		if (!bytes) {
			at += 8;
			break;
		}
		ENT_TRY(ent_ipc_message_read(f, at + 8, (uint32_t)bytes, &meta, &m, err));
		struct ent_ipc_block b = { .at = at, .body_at = at + 8 + bytes, .body_bytes = m.body_bytes, .meta_bytes = (uint32_t)bytes + 8 };
		if (m.body_bytes > f->input.bytes - b.body_at)
			return ent_ipc_bad("it is cut off", err);
		if (m.body_bytes % 8)
			return ent_ipc_bad("a body is not padded", err);
		ENT_TRY(message_take(f, &m, &b, err));
		at = b.body_at + b.body_bytes;
	}
	*ret = at;
	return f->fields ? 0 : ent_ipc_bad("it has no schema", err);
}

/* The footer must name the very batches that stand in the file, in their order. */
static int footer_check(struct ent_ipc *f, uint64_t at, struct ent_err *err)
{
	uint8_t tail[10];
	struct ent_flat footer;
	struct ent_flat_vector blocks;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(FOOTER_MAX);
	if (f->input.bytes < at + sizeof tail)
		return ent_ipc_bad("it is cut off", err);
	ENT_TRY(read_at(f, f->input.bytes - sizeof tail, tail, sizeof tail, err));
	uint64_t len = ent_flat_le(ent_bytes(tail, 4), 0, 4);
	if (memcmp(tail + 4, ENT_IPC_MAGIC, MAGIC_LEN) != 0 || len != f->input.bytes - at - sizeof tail || len > FOOTER_MAX)
		return ent_ipc_bad("its end is missing or damaged", err);
	uint8_t *space = ent_buf_space(&bytes, (size_t)len);
	ENT_TRY(ent_buf_check(&bytes, err));
	ENT_TRY(read_at(f, at, space, (size_t)len, err));
	if (!ent_flat_root(ent_buf_bytes(&bytes), &footer) || !ent_flat_vector(&footer, 3, 24, &blocks))
		return ent_ipc_bad("its table of contents is damaged", err);
	bool same = blocks.n == f->n_blocks;
	for (size_t i = 0; i < blocks.n && same; i++) {
		const struct ent_ipc_block *b = &f->blocks[i];
		struct ent_bytes all = ent_buf_bytes(&bytes);
		same = ent_flat_le(all, blocks.at + 24 * i, 8) == b->at && ent_flat_le(all, blocks.at + 24 * i + 8, 4) == b->meta_bytes &&
		       ent_flat_le(all, blocks.at + 24 * i + 16, 8) == b->body_bytes;
	}
	return same ? 0 : ent_ipc_bad("its table of contents names other rows than it holds", err);
}

static int open_all(struct ent_ipc *f, bool unfinished, struct ent_err *err)
{
	uint8_t begin[8] = { 0 };
	uint64_t at;
	ENT_TRY(read_at(f, 0, begin, sizeof begin, err));
	f->file = !memcmp(begin, ENT_IPC_MAGIC, MAGIC_LEN);
	ENT_TRY(messages_scan(f, f->file ? 8 : 0, unfinished, &at, err));
	if (unfinished)
		return 0;
	if (f->file)
		return footer_check(f, at, err);
	return at == f->input.bytes ? 0 : ent_ipc_bad("something follows its end", err);
}

int ent_ipc_open(const struct ent_ipc_input *input, bool unfinished, struct ent_ipc **ret, struct ent_err *err)
{
	struct ent_ipc *f = (struct ent_ipc *)calloc(1, sizeof *f);
	if (!f)
		return ent_nomem(err);
	f->input = *input;
	int code = open_all(f, unfinished, err);
	if (code)
		ent_ipc_close(f);
	else
		*ret = f;
	return code;
}

void ent_ipc_close(struct ent_ipc *f)
{
	if (!f)
		return;
	ent_schema_release(&f->schema);
	for (size_t i = 0; i < f->n_columns; i++)
		free((char *)(uintptr_t)f->columns[i].name);
	free(f->columns);
	free(f->field_of);
	free(f->fields);
	free(f->blocks);
	free(f);
}

const struct ArrowSchema *ent_ipc_schema(const struct ent_ipc *f) { return &f->schema; }
uint64_t ent_ipc_rows(const struct ent_ipc *f) { return f->rows; }
uint64_t ent_ipc_end(const struct ent_ipc *f) { return f->end; }

const struct ent_ipc_block *ent_ipc_blocks(const struct ent_ipc *f, size_t *ret_n)
{
	*ret_n = f->n_blocks;
	return f->blocks;
}
