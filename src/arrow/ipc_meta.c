/* Opening an Arrow file or stream: the messages one after the other, the schema, where the rows are, and for a file that its table of contents says
 * the same. */
#include <stdio.h>
#include <stdlib.h>

#include "arrow/ipc_inner.h"

#define META_MAX ((uint32_t)16 << 20)
#define FOOTER_MAX ((uint32_t)256 << 20)
#define BLOCKS_MAX ((size_t)4 << 20)
#define MAGIC_LEN 6

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

/* Room for one more. */
static int list_grow(void **list, size_t n, size_t size, struct ent_err *err)
{
	if (n == BLOCKS_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "the Arrow file has more than %zu batches", BLOCKS_MAX);
	if (n % 1024)
		return 0;
	void *more = realloc(*list, (n + 1024) * size);
	if (!more)
		return ent_nomem(err);
	*list = more;
	return 0;
}

static int block_add(struct ent_ipc *f, const struct ent_ipc_block *b, struct ent_err *err)
{
	void *list = f->blocks;
	int code = list_grow(&list, f->n_blocks, sizeof *b, err);
	f->blocks = (struct ent_ipc_block *)list;
	ENT_TRY(code);
	f->blocks[f->n_blocks++] = *b;
	f->rows += b->rows;
	return 0;
}

static int entries_add(struct ent_ipc *f, const struct ent_ipc_entries *e, struct ent_err *err)
{
	void *list = f->entries;
	int code = list_grow(&list, f->n_entries, sizeof *e, err);
	f->entries = (struct ent_ipc_entries *)list;
	ENT_TRY(code);
	f->entries[f->n_entries++] = *e;
	return 0;
}

/* Length and compression of a RecordBatch table. */
static int batch_read(const struct ent_ipc *f, const struct ent_flat *batch, struct ent_ipc_block *b, struct ent_err *err)
{
	static const char *const names[] = { "LZ4", "Zstandard" };
	struct ent_flat compression;
	uint64_t codec, method;
	bool compressed;
	if (!ent_flat_number(batch, 0, 8, &b->rows) || b->rows > INT64_MAX - f->rows || !ent_flat_table(batch, 3, &compression, &compressed))
		return ent_ipc_bad("a batch is damaged", err);
	b->codec = -1;
	if (!compressed)
		return 0;
	if (!ent_flat_number(&compression, 0, 1, &codec) || !ent_flat_number(&compression, 1, 1, &method))
		return ent_ipc_bad("a batch is damaged", err);
	if (codec >= ENT_IPC_CODECS || method)
		return ent_fail(err, ENT_EUNSUPPORTED, "the Arrow file is compressed in a way that is not known here (codec %u, method %u)",
				(unsigned)codec, (unsigned)method);
	b->codec = (int8_t)codec;
	if (f->input.codecs && f->input.codecs[codec])
		return 0;
	ent_fail(err, ENT_EUNSUPPORTED, "the Arrow file is compressed with %s, which this entente was built without", names[codec]);
	return ent_next(err, "write it uncompressed (pyarrow: compression=None or 'uncompressed'), or as Parquet"), ENT_EUNSUPPORTED;
}

static int batch_note(struct ent_ipc *f, const struct ent_ipc_message *m, struct ent_ipc_block *b, struct ent_err *err)
{
	if (!f->fields)
		return ent_ipc_bad("rows come before their schema", err);
	ENT_TRY(batch_read(f, &m->header, b, err));
	b->dictionaries = f->n_entries;
	return block_add(f, b, err);
}

static int entries_note(struct ent_ipc *f, const struct ent_ipc_message *m, const struct ent_ipc_block *b, struct ent_err *err)
{
	struct ent_ipc_entries e = { .block = *b };
	struct ent_flat batch;
	uint64_t id, delta;
	bool there;
	if (!f->fields)
		return ent_ipc_bad("a dictionary comes before the schema", err);
	if (!ent_flat_number(&m->header, 0, 8, &id) || !ent_flat_table(&m->header, 1, &batch, &there) || !there ||
	    !ent_flat_number(&m->header, 2, 1, &delta) || delta > 1)
		return ent_ipc_bad("a dictionary is damaged", err);
	ENT_TRY(batch_read(f, &batch, &e.block, err));
	e.id = (int64_t)id;
	e.delta = delta;
	return entries_add(f, &e, err);
}

static int message_take(struct ent_ipc *f, const struct ent_ipc_message *m, struct ent_ipc_block *b, struct ent_err *err)
{
	if (m->type == ENT_IPC_HEADER_SCHEMA)
		return m->body_bytes ? ent_ipc_bad("its schema has a body", err) : ent_ipc_schema_read(f, &m->header, m->v4, err);
	if (m->type == ENT_IPC_HEADER_BATCH)
		return batch_note(f, m, b, err);
	if (m->type == ENT_IPC_HEADER_DICTIONARY)
		return entries_note(f, m, b, err);
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
		if (mark != UINT32_MAX && !f->n_blocks && !f->n_entries)
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

/* One message of the table of contents. */
static bool listed(struct ent_bytes all, size_t at, const struct ent_ipc_block *b)
{
	return ent_flat_le(all, at, 8) == b->at && ent_flat_le(all, at + 8, 4) == b->meta_bytes && ent_flat_le(all, at + 16, 8) == b->body_bytes;
}

struct footer {
	uint64_t at; /* where it begins */
	struct ent_flat table;
	struct ent_flat_vector entries, blocks;
};

/* The table of contents, read and parsed; bytes holds it. */
static int footer_read(const struct ent_ipc *f, struct ent_buf *bytes, struct footer *ret, struct ent_err *err)
{
	uint8_t tail[10];
	if (f->input.bytes < 8 + sizeof tail)
		return ent_ipc_bad("it is cut off", err);
	uint64_t end = f->input.bytes - sizeof tail;
	ENT_TRY(read_at(f, end, tail, sizeof tail, err));
	uint64_t len = ent_flat_le(ent_bytes(tail, 4), 0, 4);
	if (memcmp(tail + 4, ENT_IPC_MAGIC, MAGIC_LEN) != 0 || len > end - 8 || len > FOOTER_MAX)
		return ent_ipc_bad("its end is missing or damaged", err);
	uint8_t *space = ent_buf_space(bytes, (size_t)len);
	ENT_TRY(ent_buf_check(bytes, err));
	ENT_TRY(read_at(f, end - len, space, (size_t)len, err));
	ret->at = end - len;
	if (!ent_flat_root(ent_buf_bytes(bytes), &ret->table) || !ent_flat_vector(&ret->table, 2, 24, &ret->entries) ||
	    !ent_flat_vector(&ret->table, 3, 24, &ret->blocks))
		return ent_ipc_bad("its table of contents is damaged", err);
	return 0;
}

/* The footer must name the very batches and dictionaries that stand in the file, in their order. */
static int footer_check(const struct ent_ipc *f, uint64_t at, struct ent_err *err)
{
	struct footer c;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(FOOTER_MAX);
	ENT_TRY(footer_read(f, &bytes, &c, err));
	if (c.at != at)
		return ent_ipc_bad("its end is missing or damaged", err);
	bool same = c.blocks.n == f->n_blocks && c.entries.n == f->n_entries;
	for (size_t i = 0; same && i < c.blocks.n; i++)
		same = listed(c.table.all, c.blocks.at + 24 * i, &f->blocks[i]);
	for (size_t i = 0; same && i < c.entries.n; i++)
		same = listed(c.table.all, c.entries.at + 24 * i, &f->entries[i].block);
	return same ? 0 : ent_ipc_bad("its table of contents names other rows than it holds", err);
}

/* Polars writes no message of the schema at the front of a file: the footer has it. *ret: where the first message is. */
static int footer_begin(struct ent_ipc *f, uint64_t *ret, struct ent_err *err)
{
	struct footer c;
	struct ent_flat schema;
	uint64_t version;
	bool there;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(FOOTER_MAX);
	ENT_TRY(footer_read(f, &bytes, &c, err));
	if (!ent_flat_number(&c.table, 0, 2, &version) || !ent_flat_table(&c.table, 1, &schema, &there) || !there)
		return ent_ipc_bad("its table of contents is damaged", err);
	uint64_t first = c.at < 16 ? 8 : c.at - 8; /* no rows: the end mark */
	for (size_t i = 0; i < c.blocks.n + c.entries.n; i++) {
		size_t item = i < c.blocks.n ? c.blocks.at + 24 * i : c.entries.at + 24 * (i - c.blocks.n);
		uint64_t at = ent_flat_le(c.table.all, item, 8);
		first = at < first ? at : first;
	}
	if (first < 8 || first % 8)
		return ent_ipc_bad("its table of contents is damaged", err);
	*ret = first;
	return ent_ipc_schema_read(f, &schema, version == 3, err);
}

static int file_begin(struct ent_ipc *f, bool unfinished, uint64_t *ret, struct ent_err *err)
{
	uint8_t mark[4];
	*ret = 8;
	if (unfinished)
		return 0;
	ENT_TRY(read_at(f, 8, mark, sizeof mark, err));
	return ent_flat_le(ent_bytes(mark, 4), 0, 4) == UINT32_MAX ? 0 : footer_begin(f, ret, err);
}

static int open_all(struct ent_ipc *f, bool unfinished, struct ent_err *err)
{
	uint8_t begin[8] = { 0 };
	uint64_t at = 0;
	ENT_TRY(read_at(f, 0, begin, sizeof begin, err));
	f->file = !memcmp(begin, ENT_IPC_MAGIC, MAGIC_LEN);
	if (f->file)
		ENT_TRY(file_begin(f, unfinished, &at, err));
	ENT_TRY(messages_scan(f, at, unfinished, &at, err));
	if (unfinished)
		return 0;
	for (size_t i = 0; f->file && i < f->n_blocks; i++)
		f->blocks[i].dictionaries = f->n_entries; /* in a file their places say nothing */
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
	free(f->entries);
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
