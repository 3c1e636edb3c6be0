/* Rows of an Arrow file, slice by slice: only the bytes of the slice are read, checked against the message's own word. */
#include <stdlib.h>

#include "arrow/ipc_inner.h"
#include "arrow/stream.h"

/* --- messages --- */

struct layout { /* the vectors of a batch */
	const struct ent_ipc_block *block;
	struct ent_flat header;
	struct ent_flat_vector nodes, buffers, variadic;
	size_t node, buffer, variadic_at;
};

static int misfit(struct ent_err *err) { return ent_ipc_bad("a batch's buffers do not fit its rows", err); }

/* The next buffer's place in the file. */
static int place_take(struct layout *l, uint64_t *ret_at, uint64_t *ret_len, struct ent_err *err)
{
	if (l->buffer == l->buffers.n)
		return misfit(err);
	size_t at = l->buffers.at + 16 * l->buffer++;
	uint64_t offset = ent_flat_le(l->header.all, at, 8), len = ent_flat_le(l->header.all, at + 8, 8);
	if (offset > l->block->body_bytes || len > l->block->body_bytes - offset)
		return misfit(err);
	*ret_at = l->block->body_at + offset;
	*ret_len = len;
	return 0;
}

static int part_take(struct ent_ipc_cursor *c, struct layout *l, struct ent_ipc_part *ret, struct ent_err *err)
{
	uint64_t at, len;
	ENT_TRY(place_take(l, &at, &len, err));
	return ent_ipc_part_open(&c->body, at, len, l->block->codec, ret, err);
}

/* How many buffers of texts the next column of views has. */
static int variadic_take(struct layout *l, uint64_t *ret, struct ent_err *err)
{
	if (l->variadic_at == l->variadic.n)
		return misfit(err);
	*ret = ent_flat_le(l->header.all, l->variadic.at + 8 * l->variadic_at++, 8);
	return *ret > l->buffers.n - l->buffer ? misfit(err) : 0;
}

static int views_take(struct ent_ipc_cursor *c, struct layout *l, struct ent_ipc_taken *t, struct ent_err *err)
{
	uint64_t n, at, len;
	ENT_TRY(variadic_take(l, &n, err));
	ENT_TRY(ent_ipc_views_new(&c->body, (size_t)n, l->block->codec, &t->views, err));
	for (size_t i = 0; i < n; i++) {
		ENT_TRY(place_take(l, &at, &len, err));
		ent_ipc_views_put(t->views, i, at, len);
	}
	return 0;
}

static int parts_skip(struct layout *l, uint64_t n, struct ent_err *err)
{
	if (n > l->buffers.n - l->buffer)
		return misfit(err);
	l->buffer += (size_t)n;
	return 0;
}

static bool parts_hold(const struct ent_ipc_taken *t, uint64_t rows, uint64_t nulls)
{
	const struct ent_ipc_field *f = t->field;
	if (t->validity.len ? t->validity.len < (rows + 7) / 8 : nulls > 0)
		return false;
	if (!rows)
		return true;
	if (f->coded)
		return t->values.len / f->index_width >= rows;
	if (f->kind == ENT_IPC_TEXT)
		return t->offsets.len / f->width > rows;
	return f->kind == ENT_IPC_BITS ? t->values.len >= (rows + 7) / 8 : t->values.len / f->width >= rows;
}

/* A column's node and buffers; lengths are checked against the rows of the whole block. */
static int column_take(struct ent_ipc_cursor *c, struct layout *l, struct ent_ipc_taken *t, struct ent_err *err)
{
	size_t at = l->nodes.at + 16 * l->node;
	uint64_t rows = l->block->rows, length = ent_flat_le(l->header.all, at, 8), nulls = ent_flat_le(l->header.all, at + 8, 8);
	if (length != rows || nulls > rows)
		return misfit(err);
	ENT_TRY(part_take(c, l, &t->validity, err));
	if (t->field->kind == ENT_IPC_TEXT && !t->field->coded)
		ENT_TRY(part_take(c, l, &t->offsets, err));
	ENT_TRY(part_take(c, l, &t->values, err));
	if (t->field->variadic)
		ENT_TRY(views_take(c, l, t, err));
	return parts_hold(t, rows, nulls) ? 0 : misfit(err);
}

static int field_skip(struct layout *l, const struct ent_ipc_field *f, struct ent_err *err)
{
	uint64_t more = 0;
	ENT_TRY(parts_skip(l, f->n_buffers, err));
	if (f->variadic)
		ENT_TRY(variadic_take(l, &more, err));
	return parts_skip(l, more, err);
}

/* The column's buffers into every place that asked for it. */
static int field_take(struct ent_ipc_cursor *c, struct layout *l, const struct ent_ipc_field *field, struct ent_err *err)
{
	const struct ent_ipc_taken *first = NULL;
	for (size_t i = 0; i < c->n && field->column >= 0; i++) {
		struct ent_ipc_taken *t = &c->taken[i];
		if (t->column != (size_t)field->column)
			continue;
		if (first) {
			t->validity = first->validity;
			t->values = first->values;
			t->offsets = first->offsets;
			t->views = first->views;
		} else
			ENT_TRY(column_take(c, l, t, err));
		first = t;
	}
	return first ? 0 : field_skip(l, field, err);
}

/* The RecordBatch table of a message, be it rows or a dictionary's entries. */
static int batch_find(struct ent_ipc_cursor *c, const struct ent_ipc_block *block, struct ent_flat *ret, struct ent_err *err)
{
	struct ent_ipc_message m;
	bool there = true;
	ENT_TRY(ent_ipc_message_read(c->body.f, block->at + 8, block->meta_bytes - 8, &c->meta, &m, err));
	*ret = m.header;
	if (m.type == ENT_IPC_HEADER_DICTIONARY && (!ent_flat_table(&m.header, 1, ret, &there) || !there))
		return ent_ipc_bad("a dictionary is damaged", err);
	return 0;
}

int ent_ipc_cursor_load(struct ent_ipc_cursor *c, const struct ent_ipc_block *block, struct ent_err *err)
{
	struct layout l = { .block = block };
	ent_ipc_body_reset(&c->body);
	c->block = NULL;
	ENT_TRY(batch_find(c, block, &l.header, err));
	if (!ent_flat_vector(&l.header, 1, 16, &l.nodes) || !ent_flat_vector(&l.header, 2, 16, &l.buffers) ||
	    !ent_flat_vector(&l.header, 4, 8, &l.variadic) || l.nodes.n != c->n_fields)
		return ent_ipc_bad("a batch does not have the columns of its schema", err);
	for (; l.node < c->n_fields; l.node++)
		ENT_TRY(field_take(c, &l, &c->fields[l.node], err));
	if (l.buffer != l.buffers.n)
		return ent_ipc_bad("a batch has more buffers than its columns", err);
	c->row = 0;
	c->block = block;
	return 0;
}

/* --- slices --- */

/* As many rows as fit a batch; one longer row goes alone. */
static int rows_fit(struct ent_ipc_cursor *c, uint64_t left, size_t *ret, struct ent_err *err)
{
	size_t n = left < ENT_BATCH_ROWS_MAX ? (size_t)left : ENT_BATCH_ROWS_MAX;
	for (;; n = n / 2) {
		uint64_t bytes = 0;
		for (size_t i = 0; i < c->n; i++)
			ENT_TRY(ent_ipc_slice_bytes(c, &c->taken[i], n, &bytes, err));
		if (n == 1 && bytes > ENT_BATCH_BYTES_HARD)
			return ent_ipc_bad("a row is longer than a batch may be", err);
		if (n == 1 || bytes <= ENT_BATCH_BYTES_MAX)
			break;
	}
	*ret = n;
	return 0;
}

int ent_ipc_cursor_next(struct ent_ipc_cursor *c, struct ArrowArray *ret, struct ent_err *err)
{
	ENT_ARRAY_AUTO all = { 0 };
	size_t n = 0;
	if (!c->block || c->row == c->block->rows)
		return 0;
	ENT_TRY(rows_fit(c, c->block->rows - c->row, &n, err));
	ENT_TRY(ent_ipc_array_init(&all, n, 1, c->n, err));
	for (size_t i = 0; i < c->n; i++)
		ENT_TRY(ent_ipc_slice(c, &c->taken[i], n, all.children[i], err));
	c->row += n;
	*ret = ent_array_take(&all);
	return 0;
}

void ent_ipc_cursor_init(struct ent_ipc_cursor *c, const struct ent_ipc *f)
{
	*c = (struct ent_ipc_cursor){ .body.f = f, .fields = f->fields, .n_fields = f->n_fields };
	ent_buf_init(&c->meta, (size_t)16 << 20);
	ent_buf_init(&c->scratch, (size_t)1 << 24);
}

void ent_ipc_cursor_deinit(struct ent_ipc_cursor *c)
{
	ent_ipc_body_reset(&c->body);
	ent_buf_deinit(&c->meta);
	ent_buf_deinit(&c->scratch);
}

/* --- the stream --- */

struct rows {
	struct ent_ipc_cursor cursor;
	size_t next, to;   /* blocks */
	size_t dictionary; /* bytes of all dictionaries */
	struct ent_ipc_taken taken[];
};

static int block_begin(struct rows *r, struct ent_err *err)
{
	const struct ent_ipc_block *b = &r->cursor.body.f->blocks[r->next++];
	for (size_t i = 0; i < r->cursor.n; i++)
		if (r->taken[i].dictionary)
			ENT_TRY(ent_ipc_dictionary_load(r->taken[i].dictionary, &r->cursor, r->taken[i].field, b->dictionaries, &r->dictionary, err));
	return ent_ipc_cursor_load(&r->cursor, b, err);
}

static int rows_next(void *self, struct ArrowArray *ret, struct ent_err *err)
{
	struct rows *r = (struct rows *)self;
	while (!r->cursor.block || r->cursor.row == r->cursor.block->rows) {
		if (r->next >= r->to)
			return 0;
		ENT_TRY(block_begin(r, err));
	}
	return ent_ipc_cursor_next(&r->cursor, ret, err);
}

static void rows_free(void *self)
{
	struct rows *r = (struct rows *)self;
	ent_ipc_cursor_deinit(&r->cursor);
	for (size_t i = 0; i < r->cursor.n; i++)
		ent_ipc_dictionary_free(r->taken[i].dictionary);
	free(r);
}

static const struct ent_stream_ops rows_ops = { rows_next, rows_free };

static int schema_chosen(const struct ent_ipc *f, const size_t *columns, size_t n, struct ArrowSchema *ret, struct ent_err *err)
{
	struct ent_field *fields = (struct ent_field *)calloc(n, sizeof *fields);
	int code = fields ? 0 : ent_nomem(err);
	for (size_t i = 0; i < n && !code; i++) {
		fields[i] = f->columns[columns[i]];
		fields[i].unsupported = NULL;
		if (!fields[i].copied)
			code = ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be read: %s", fields[i].name,
					f->fields[f->field_of[columns[i]]].unsupported);
	}
	code = code ? code : ent_schema_new(fields, n, NULL, ret, err);
	free(fields);
	return code;
}

static int rows_start(struct rows *r, const struct ent_ipc *f, const size_t *columns, struct ent_err *err)
{
	for (size_t i = 0; i < r->cursor.n; i++) {
		struct ent_ipc_taken *t = &r->taken[i];
		t->column = columns[i];
		t->field = &f->fields[f->field_of[columns[i]]];
		if (t->field->coded)
			ENT_TRY(ent_ipc_dictionary_new(&t->dictionary, err));
	}
	return 0;
}

int ent_ipc_read(const struct ent_ipc *f, const size_t *columns, size_t n, size_t from, size_t to, struct ArrowArrayStream *ret, struct ent_err *err)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	if (!n || to > f->n_blocks || from > to)
		return ent_fail(err, ENT_EUSAGE, "no such part of the Arrow file");
	ENT_TRY(schema_chosen(f, columns, n, &schema, err));
	struct rows *r = (struct rows *)calloc(1, sizeof *r + n * sizeof *r->taken);
	if (!r)
		return ent_nomem(err);
	ent_ipc_cursor_init(&r->cursor, f);
	r->cursor.taken = r->taken;
	r->cursor.n = n;
	r->next = from;
	r->to = to;
	int code = rows_start(r, f, columns, err);
	if (code) {
		rows_free(r);
		return code;
	}
	return ent_stream_new(&schema, &rows_ops, r, ret, err);
}
