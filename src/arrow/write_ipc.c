/* The Arrow IPC stream format, metadata version 5. Its metadata are flatbuffers, written here front to back: a table is its vtable, then
 * its fields, widest first, then whatever the fields point to, so that every offset is positive and patched once. */
#include "arrow/ipc.h"
#include "arrow/writer.h"

#define CONTINUATION 0xffffffffu
#define VERSION_5 4
enum header { HEADER_SCHEMA = 1, HEADER_BATCH = 3 };
enum ipc_type {
	IPC_INT = 2,
	IPC_FLOAT = 3,
	IPC_BINARY = 4,
	IPC_UTF8 = 5,
	IPC_BOOL = 6,
	IPC_DECIMAL = 7,
	IPC_DATE = 8,
	IPC_TIME = 9,
	IPC_TIMESTAMP = 10
};

struct slot { /* one field of a table, by id; size 0: absent */
	uint8_t size;
	uint64_t value;
	size_t at; /* out: where the value stands */
};

static void align(struct ent_buf *b, size_t to, size_t rest)
{
	while (b->len % to != rest && !b->code)
		ent_buf_u8(b, 0);
}

static void put_sized(struct ent_buf *b, uint64_t v, size_t size)
{
	uint8_t bytes[8];
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(v >> (8 * i));
	ent_buf_put(b, bytes, size);
}

/* The offset field at `at` points to the current end. */
static void point_here(struct ent_buf *b, size_t at)
{
	if (b->code)
		return;
	uint32_t distance = (uint32_t)(b->len - at);
	memcpy(b->data + at, &distance, 4);
}

/* Writes a table whose fields are slots[0..n); returns where it starts. Field places fill slots[].at. */
static size_t table_put(struct ent_buf *b, struct slot *slots, size_t n)
{
	uint16_t offsets[8] = { 0 }, length = 4;
	static const uint8_t sizes[] = { 8, 4, 2, 1 };
	for (size_t k = 0; k < ENT_COUNT(sizes); k++) {
		for (size_t i = 0; i < n; i++) {
			if (slots[i].size == sizes[k]) {
				offsets[i] = length;
				length = (uint16_t)(length + sizes[k]);
			}
		}
	}
	align(b, 2, 0);
	size_t vtable = b->len;
	put_sized(b, 4 + 2 * n, 2);
	put_sized(b, length, 2);
	for (size_t i = 0; i < n; i++)
		put_sized(b, offsets[i], 2);
	align(b, 8, 4); /* so that the first field, four bytes on, is aligned to 8 */
	size_t table = b->len;
	put_sized(b, table - vtable, 4);
	for (size_t k = 0; k < ENT_COUNT(sizes); k++) {
		for (size_t i = 0; i < n; i++) {
			if (slots[i].size == sizes[k]) {
				slots[i].at = b->len;
				put_sized(b, slots[i].value, sizes[k]);
			}
		}
	}
	return table;
}

/* A table the field at `from` points to. */
static void child_put(struct ent_buf *b, size_t from, struct slot *slots, size_t n)
{
	size_t table = table_put(b, slots, n);
	uint32_t distance = (uint32_t)(table - from);
	if (!b->code)
		memcpy(b->data + from, &distance, 4);
}

static void string_put(struct ent_buf *b, size_t from, const char *text)
{
	align(b, 4, 0);
	point_here(b, from);
	put_sized(b, strlen(text), 4);
	ent_buf_put(b, text, strlen(text) + 1);
}

static enum ipc_type type_put(struct ent_buf *b, struct ent_type t, size_t from)
{
	static const struct {
		enum ipc_type type;
		uint8_t n;
		struct slot slots[2];
	} types[ENT_T_COUNT] = {
		[ENT_T_BOOL] = { IPC_BOOL, 0, { { 0 } } },
		[ENT_T_INT16] = { IPC_INT, 2, { { 4, 16, 0 }, { 1, 1, 0 } } },
		[ENT_T_INT32] = { IPC_INT, 2, { { 4, 32, 0 }, { 1, 1, 0 } } },
		[ENT_T_INT64] = { IPC_INT, 2, { { 4, 64, 0 }, { 1, 1, 0 } } },
		[ENT_T_DECIMAL] = { IPC_DECIMAL, 2, { { 4, 0, 0 }, { 4, 0, 0 } } },
		[ENT_T_REAL] = { IPC_FLOAT, 1, { { 2, 1, 0 } } },
		[ENT_T_DOUBLE] = { IPC_FLOAT, 1, { { 2, 2, 0 } } },
		[ENT_T_DATE] = { IPC_DATE, 1, { { 2, 0, 0 } } },
		[ENT_T_TIMESTAMP] = { IPC_TIMESTAMP, 1, { { 2, 2, 0 } } },
		[ENT_T_TIMESTAMPTZ] = { IPC_TIMESTAMP, 2, { { 2, 2, 0 }, { 4, 0, 0 } } },
		[ENT_T_TEXT] = { IPC_UTF8, 0, { { 0 } } },
		[ENT_T_UINT64] = { IPC_INT, 2, { { 4, 64, 0 }, { 1, 0, 0 } } },
		[ENT_T_TIME] = { IPC_TIME, 2, { { 2, 2, 0 }, { 4, 64, 0 } } },
		[ENT_T_BINARY] = { IPC_BINARY, 0, { { 0 } } },
	};
	struct slot slots[2];
	memcpy(slots, types[t.id].slots, sizeof slots);
	if (t.id == ENT_T_DECIMAL) {
		slots[0].value = t.precision;
		slots[1].value = t.scale;
	}
	if (from) {
		child_put(b, from, slots, types[t.id].n);
		if (t.id == ENT_T_TIMESTAMPTZ)
			string_put(b, slots[1].at, "UTC");
	}
	return types[t.id].type;
}

static void field_put(struct ent_buf *b, size_t from, const struct ent_field_info *f)
{
	enum { NAME, NULLABLE, TYPE_TYPE, TYPE, DICTIONARY, CHILDREN, SLOTS };
	struct slot s[SLOTS] = { [NAME] = { 4, 0, 0 },
				 [NULLABLE] = { 1, f->nullable, 0 },
				 [TYPE_TYPE] = { 1, (uint64_t)type_put(b, f->type, 0), 0 },
				 [TYPE] = { 4, 0, 0 },
				 [CHILDREN] = { 4, 0, 0 } };
	child_put(b, from, s, SLOTS);
	string_put(b, s[NAME].at, f->name);
	type_put(b, f->type, s[TYPE].at);
	align(b, 4, 0);
	point_here(b, s[CHILDREN].at);
	put_sized(b, 0, 4); /* no children */
}

/* Starts a message: prefix, root offset, the Message table. Returns where the header's offset stands. */
static size_t message_begin(struct ent_buf *b, enum header header, uint64_t body_bytes)
{
	enum { VERSION, HEADER_TYPE, HEADER, BODY, SLOTS };
	struct slot s[SLOTS] = {
		[VERSION] = { 2, VERSION_5, 0 }, [HEADER_TYPE] = { 1, header, 0 }, [HEADER] = { 4, 0, 0 }, [BODY] = { 8, body_bytes, 0 }
	};
	put_sized(b, 0, 4); /* root */
	child_put(b, 0, s, SLOTS);
	return s[HEADER].at;
}

/* One message: metadata padded to 8 bytes with its prefix, then the body, which is padded already. */
static int message_put(struct ent_buf *out, struct ent_buf *meta, struct ent_bytes body, struct ent_err *err)
{
	uint8_t prefix[8];
	align(meta, 8, 0);
	ENT_TRY(ent_buf_check(meta, err));
	uint32_t words[2] = { CONTINUATION, (uint32_t)meta->len };
	memcpy(prefix, words, 8);
	ent_buf_put(out, prefix, 8);
	ent_buf_put(out, meta->data, meta->len);
	ent_buf_put(out, body.data, body.len);
	return ent_buf_check(out, err);
}

/* A Schema table that the field at `from` points to. */
static void schema_put(struct ent_buf *meta, size_t from, const struct ArrowSchema *schema)
{
	enum { ENDIANNESS, FIELDS, SLOTS };
	struct slot s[SLOTS] = { [FIELDS] = { 4, 0, 0 } };
	size_t n = (size_t)schema->n_children;
	child_put(meta, from, s, SLOTS);
	align(meta, 4, 0);
	point_here(meta, s[FIELDS].at);
	put_sized(meta, n, 4);
	size_t pointers = meta->len;
	ent_buf_space(meta, 4 * n);
	for (size_t i = 0; i < n; i++) {
		struct ent_field_info f;
		ent_schema_field(schema, i, &f);
		field_put(meta, pointers + 4 * i, &f);
	}
}

int ent_ipc_schema_put(const struct ArrowSchema *schema, struct ent_buf *out, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf meta = ENT_BUF(ENT_BATCH_BYTES_MAX);
	size_t header = message_begin(&meta, HEADER_SCHEMA, 0);
	schema_put(&meta, header, schema);
	return message_put(out, &meta, ent_bytes(NULL, 0), err);
}

/* --- bodies --- */

struct body {
	struct ent_buf bytes;   /* buffers one after the other, each padded to 8 */
	struct ent_buf buffers; /* pairs of le64: offset, length */
	struct ent_buf nodes;   /* pairs of le64: length, NULL count */
};

static void body_deinit(struct body *b)
{
	ent_buf_deinit(&b->bytes);
	ent_buf_deinit(&b->buffers);
	ent_buf_deinit(&b->nodes);
}

static void buffer_end(struct body *b, size_t from)
{
	ent_buf_le64(&b->buffers, from);
	ent_buf_le64(&b->buffers, b->bytes.len - from);
	align(&b->bytes, 8, 0);
}

static void bits_put(struct body *b, const struct ent_view *v, bool validity)
{
	size_t from = b->bytes.len;
	uint8_t *bits = ent_buf_space(&b->bytes, (v->rows + 7) / 8);
	for (size_t r = 0; bits && r < v->rows; r++)
		if (validity ? !ent_view_null(v, r) : ent_view_int(v, r) != 0)
			bits[r / 8] = (uint8_t)(bits[r / 8] | 1u << (r % 8));
	buffer_end(b, from);
}

static void text_put(struct body *b, const struct ent_view *v)
{
	size_t from = b->bytes.len;
	uint32_t end = 0;
	ent_buf_le32(&b->bytes, 0);
	for (size_t r = 0; r < v->rows; r++)
		ent_buf_le32(&b->bytes, end += (uint32_t)ent_view_text(v, r).len);
	buffer_end(b, from);
	from = b->bytes.len;
	for (size_t r = 0; r < v->rows; r++) {
		struct ent_bytes t = ent_view_text(v, r);
		ent_buf_put(&b->bytes, t.data, t.len);
	}
	buffer_end(b, from);
}

static void value_put(struct ent_buf *out, const struct ent_view *v, size_t row)
{
	double wide = 0;
	float narrow;
	if (v->type.id == ENT_T_DECIMAL) {
		ent_i128 d = ent_view_wide(v, row);
		ent_buf_put(out, &d, 16);
	} else if (v->type.id == ENT_T_REAL) {
		narrow = (float)ent_view_real(v, row);
		ent_buf_put(out, &narrow, 4);
	} else if (v->type.id == ENT_T_DOUBLE) {
		wide = ent_view_real(v, row);
		ent_buf_put(out, &wide, 8);
	} else {
		size_t width = v->type.id == ENT_T_INT16 ? 2 : v->type.id == ENT_T_INT32 || v->type.id == ENT_T_DATE ? 4 : 8;
		put_sized(out, (uint64_t)ent_view_int(v, row), width);
	}
}

static void column_put(struct body *b, const struct ent_view *v)
{
	ent_buf_le64(&b->nodes, v->rows);
	ent_buf_le64(&b->nodes, v->nulls);
	if (v->nulls)
		bits_put(b, v, true);
	else
		buffer_end(b, b->bytes.len);
	if (v->type.id == ENT_T_BOOL) {
		bits_put(b, v, false);
	} else if (ent_type_is_bytes(v->type)) {
		text_put(b, v);
	} else {
		size_t from = b->bytes.len;
		for (size_t r = 0; r < v->rows; r++)
			value_put(&b->bytes, v, r);
		buffer_end(b, from);
	}
}

/* A vector of 16-byte structs; its items are aligned to 8. */
static void structs_put(struct ent_buf *meta, size_t from, const struct ent_buf *items)
{
	align(meta, 8, 4);
	point_here(meta, from);
	put_sized(meta, items->len / 16, 4);
	ent_buf_put(meta, items->data, items->len);
}

int ent_ipc_batch_put(const struct ent_batch *batch, struct ent_buf *out, struct ent_err *err)
{
	enum { LENGTH, NODES, BUFFERS, SLOTS };
	struct slot s[SLOTS] = { [LENGTH] = { 8, batch->rows, 0 }, [NODES] = { 4, 0, 0 }, [BUFFERS] = { 4, 0, 0 } };
	ENT_CLEANUP(body_deinit) struct body body = { ENT_BUF(ENT_BATCH_BYTES_HARD * 4), ENT_BUF(ENT_BATCH_BYTES_MAX), ENT_BUF(ENT_BATCH_BYTES_MAX) };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf meta = ENT_BUF(ENT_BATCH_BYTES_MAX);
	for (size_t c = 0; c < batch->n_columns; c++)
		column_put(&body, &batch->columns[c]);
	ENT_TRY(ent_buf_check(&body.bytes, err));
	size_t header = message_begin(&meta, HEADER_BATCH, body.bytes.len);
	child_put(&meta, header, s, SLOTS);
	structs_put(&meta, s[NODES].at, &body.nodes);
	structs_put(&meta, s[BUFFERS].at, &body.buffers);
	return message_put(out, &meta, ent_buf_bytes(&body.bytes), err);
}

void ent_ipc_end_put(struct ent_buf *out)
{
	static const uint8_t end[8] = { 0xff, 0xff, 0xff, 0xff };
	ent_buf_put(out, end, sizeof end);
}

int ent_ipc_footer_put(const struct ArrowSchema *schema, const struct ent_ipc_block *blocks, size_t n, struct ent_buf *out, struct ent_err *err)
{
	enum { VERSION, SCHEMA, DICTIONARIES, BATCHES, SLOTS };
	struct slot s[SLOTS] = { [VERSION] = { 2, VERSION_5, 0 }, [SCHEMA] = { 4, 0, 0 }, [DICTIONARIES] = { 4, 0, 0 }, [BATCHES] = { 4, 0, 0 } };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf meta = ENT_BUF((size_t)1 << 30);
	put_sized(&meta, 0, 4); /* root */
	child_put(&meta, 0, s, SLOTS);
	schema_put(&meta, s[SCHEMA].at, schema);
	align(&meta, 4, 0);
	point_here(&meta, s[DICTIONARIES].at);
	put_sized(&meta, 0, 4);
	align(&meta, 8, 4); /* structs of three words, aligned to 8 */
	point_here(&meta, s[BATCHES].at);
	put_sized(&meta, n, 4);
	for (size_t i = 0; i < n; i++) {
		ent_buf_le64(&meta, blocks[i].at);
		ent_buf_le64(&meta, blocks[i].meta_bytes);
		ent_buf_le64(&meta, blocks[i].body_bytes);
	}
	align(&meta, 8, 0);
	ENT_TRY(ent_buf_check(&meta, err));
	ent_buf_put(out, meta.data, meta.len);
	ent_buf_le32(out, (uint32_t)meta.len);
	ent_buf_put(out, ENT_IPC_MAGIC, 6);
	return ent_buf_check(out, err);
}

/* --- as a writer of results --- */

static int ipc_begin(struct ent_writer *w, struct ent_err *err)
{
	ENT_TRY(ent_ipc_schema_put(w->schema, &w->page, err));
	return ent_writer_flush(w, true, err);
}

static int ipc_batch(struct ent_writer *w, const struct ent_batch *batch, struct ent_err *err)
{
	ENT_TRY(ent_ipc_batch_put(batch, &w->page, err));
	return ent_writer_flush(w, true, err);
}

static int ipc_end(struct ent_writer *w, struct ent_err *err)
{
	ent_ipc_end_put(&w->page);
	return ent_writer_flush(w, true, err);
}

const struct ent_writer_ops ent_writer_ipc = { ipc_begin, ipc_batch, ipc_end };
