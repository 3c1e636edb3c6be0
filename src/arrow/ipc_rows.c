/* Rows of an Arrow file, slice by slice: only the bytes of the slice are read, checked against the message's own word and laid out anew, texts with
 * offsets from 0. */
#include <stdio.h>
#include <stdlib.h>

#include "arrow/ipc_inner.h"
#include "arrow/stream.h"

struct part {             /* one buffer of the current message */
	uint64_t at, len; /* at: in the file */
};

struct chosen { /* one column of the current message */
	const struct ent_ipc_field *field;
	struct part validity, values, offsets;
	uint64_t nulls;
};

struct rows {
	const struct ent_ipc *f;
	size_t n, block, to;
	uint64_t row; /* next row in the block; block's rows are b->rows */
	bool loaded;
	struct ent_buf meta, scratch;
	size_t columns[];
};

/* After rows.columns: the chosen columns. */
static struct chosen *chosen_of(struct rows *r) { return (struct chosen *)(void *)(r->columns + r->n); }

/* --- messages --- */

struct layout { /* the vectors of a batch */
	const struct ent_ipc_block *block;
	struct ent_flat header;
	struct ent_flat_vector nodes, buffers, variadic;
	size_t node, buffer, variadic_at;
};

static bool part_take(struct layout *l, struct part *ret)
{
	if (l->buffer == l->buffers.n)
		return false;
	size_t at = l->buffers.at + 16 * l->buffer++;
	uint64_t offset = ent_flat_le(l->header.all, at, 8), len = ent_flat_le(l->header.all, at + 8, 8);
	*ret = (struct part){ l->block->body_at + offset, len };
	return offset <= l->block->body_bytes && len <= l->block->body_bytes - offset;
}

static bool parts_skip(struct layout *l, uint64_t n)
{
	if (n > l->buffers.n - l->buffer)
		return false;
	l->buffer += (size_t)n;
	return true;
}

/* A column's node and buffers; lengths are checked against the rows of the whole block. */
static bool column_take(struct layout *l, struct chosen *c, uint64_t rows)
{
	size_t at = l->nodes.at + 16 * l->node;
	uint64_t length = ent_flat_le(l->header.all, at, 8);
	c->nulls = ent_flat_le(l->header.all, at + 8, 8);
	if (length != rows || c->nulls > rows || !part_take(l, &c->validity))
		return false;
	if (c->field->kind == ENT_IPC_TEXT && !part_take(l, &c->offsets))
		return false;
	if (!part_take(l, &c->values))
		return false;
	if (c->validity.len ? c->validity.len < (rows + 7) / 8 : c->nulls > 0)
		return false;
	if (!rows)
		return true;
	if (c->field->kind == ENT_IPC_TEXT)
		return c->offsets.len / c->field->width > rows;
	return c->field->kind == ENT_IPC_BITS ? c->values.len >= (rows + 7) / 8 : c->values.len / c->field->width >= rows;
}

static bool field_skip(struct layout *l, const struct ent_ipc_field *f)
{
	uint64_t more = 0;
	if (f->variadic) {
		if (l->variadic_at == l->variadic.n)
			return false;
		more = ent_flat_le(l->header.all, l->variadic.at + 8 * l->variadic_at++, 8);
	}
	return parts_skip(l, f->n_buffers) && parts_skip(l, more);
}

/* The column's buffers into every place that asked for it. */
static bool field_take(struct rows *r, struct layout *l, const struct ent_ipc_field *field)
{
	struct chosen *first = NULL;
	for (size_t i = 0; i < r->n && field->column >= 0; i++) {
		struct chosen *c = &chosen_of(r)[i];
		if (r->columns[i] != (size_t)field->column)
			continue;
		if (first)
			*c = *first;
		else if (!column_take(l, c, l->block->rows))
			return false;
		first = c;
	}
	return first || field_skip(l, field);
}

static int block_load(struct rows *r, struct ent_err *err)
{
	const struct ent_ipc *f = r->f;
	struct layout l = { .block = &f->blocks[r->block] };
	struct ent_ipc_message m;
	ENT_TRY(ent_ipc_message_read(f, l.block->at + 8, l.block->meta_bytes - 8, &r->meta, &m, err));
	l.header = m.header;
	if (!ent_flat_vector(&l.header, 1, 16, &l.nodes) || !ent_flat_vector(&l.header, 2, 16, &l.buffers) ||
	    !ent_flat_vector(&l.header, 4, 8, &l.variadic) || l.nodes.n != f->n_fields)
		return ent_ipc_bad("a batch does not have the columns of its schema", err);
	for (; l.node < f->n_fields; l.node++)
		if (!field_take(r, &l, &f->fields[l.node]))
			return ent_ipc_bad("a batch's buffers do not fit its rows", err);
	if (l.buffer != l.buffers.n)
		return ent_ipc_bad("a batch has more buffers than its columns", err);
	r->row = 0;
	r->loaded = true;
	return 0;
}

/* --- slices --- */

struct owned { /* private_data of a column, and of the batch */
	void *buffers[3];
	const void *given[3];
	struct ArrowArray *children, **pointers;
	size_t n_children;
};

static void array_release(struct ArrowArray *a)
{
	struct owned *o = (struct owned *)a->private_data;
	for (size_t i = 0; i < o->n_children; i++)
		ent_array_release(&o->children[i]);
	for (size_t i = 0; i < 3; i++)
		free(o->buffers[i]);
	free(o->children);
	free(o->pointers);
	free(o);
	a->release = NULL;
}

static int array_init(struct ArrowArray *a, size_t rows, int64_t n_buffers, size_t n_children, struct ent_err *err)
{
	struct owned *o = (struct owned *)calloc(1, sizeof *o);
	if (!o)
		return ent_nomem(err);
	*a = (struct ArrowArray){ .length = (int64_t)rows, .n_buffers = n_buffers, .buffers = o->given, .release = array_release, .private_data = o };
	if (!n_children)
		return 0;
	o->children = (struct ArrowArray *)calloc(n_children, sizeof *o->children);
	o->pointers = (struct ArrowArray **)calloc(n_children, sizeof *o->pointers);
	if (!o->children || !o->pointers)
		return ent_nomem(err);
	for (size_t i = 0; i < n_children; i++)
		o->pointers[i] = &o->children[i];
	o->n_children = n_children;
	a->children = o->pointers;
	a->n_children = (int64_t)n_children;
	return 0;
}

static int buffer_new(struct ArrowArray *a, size_t i, size_t len, void **ret, struct ent_err *err)
{
	struct owned *o = (struct owned *)a->private_data;
	o->buffers[i] = calloc(len + 1, 1);
	o->given[i] = o->buffers[i];
	*ret = o->buffers[i];
	return *ret ? 0 : ent_nomem(err);
}

static int bytes_read(const struct rows *r, uint64_t at, void *to, size_t len, struct ent_err *err)
{
	return len ? r->f->input.read_at(r->f->input.self, at, to, len, err) : 0;
}

/* Bits [row, row + n) of a part, moved to bit 0. */
static int bits_read(struct rows *r, const struct part *p, uint64_t row, size_t n, struct ArrowArray *a, size_t i, struct ent_err *err)
{
	void *to;
	size_t shift = (size_t)(row % 8), len = (n + shift + 7) / 8;
	ENT_TRY(buffer_new(a, i, (n + 7) / 8, &to, err));
	ent_buf_reset(&r->scratch);
	uint8_t *from = ent_buf_space(&r->scratch, len), *out = (uint8_t *)to;
	ENT_TRY(ent_buf_check(&r->scratch, err));
	ENT_TRY(bytes_read(r, p->at + row / 8, from, len, err));
	for (size_t k = 0; k < n; k++)
		if (from[(k + shift) / 8] >> ((k + shift) % 8) & 1)
			out[k / 8] = (uint8_t)(out[k / 8] | 1u << (k % 8));
	return 0;
}

/* Text offsets of rows [row, row + n] as 64-bit numbers in scratch, in order and within the values. */
static int offsets_read(struct rows *r, const struct chosen *c, uint64_t row, size_t n, const uint64_t **ret, struct ent_err *err)
{
	size_t width = c->field->width;
	ent_buf_reset(&r->scratch);
	uint8_t *space = ent_buf_space(&r->scratch, 8 * (n + 1));
	ENT_TRY(ent_buf_check(&r->scratch, err));
	uint8_t *raw = space + (8 - width) * (n + 1); /* widened front to back, in place */
	ENT_TRY(bytes_read(r, c->offsets.at + row * width, raw, width * (n + 1), err));
	uint64_t before = 0;
	for (size_t k = 0; k <= n; k++) {
		uint64_t at = 0;
		memcpy(&at, raw + k * width, width);
#ifndef ENT_MUTANT_IPC_OFFSETS
		if (at < before || at > c->values.len)
			return ent_ipc_bad("texts go back, or lie outside their buffer", err);
#endif
		memcpy(space + 8 * k, &at, 8);
		before = at;
	}
	*ret = (const uint64_t *)(const void *)space;
	return 0;
}

static int text_slice(struct rows *r, const struct chosen *c, size_t n, struct ArrowArray *a, struct ent_err *err)
{
	const uint64_t *at;
	void *to, *text;
	ENT_TRY(offsets_read(r, c, r->row, n, &at, err));
	ENT_TRY(buffer_new(a, 1, 4 * (n + 1), &to, err));
	ENT_TRY(buffer_new(a, 2, (size_t)(at[n] - at[0]), &text, err));
	for (size_t k = 0; k <= n; k++)
		((uint32_t *)to)[k] = (uint32_t)(at[k] - at[0]);
	return bytes_read(r, c->values.at + at[0], text, (size_t)(at[n] - at[0]), err);
}

static int block_slice(struct rows *r, const struct chosen *c, size_t n, struct ArrowArray *a, struct ent_err *err)
{
	void *to, *bytes;
	uint32_t width = c->field->width;
	ENT_TRY(buffer_new(a, 1, 4 * (n + 1), &to, err));
	ENT_TRY(buffer_new(a, 2, n * width, &bytes, err));
	for (size_t k = 0; k <= n; k++)
		((uint32_t *)to)[k] = (uint32_t)(k * width);
	return bytes_read(r, c->values.at + r->row * width, bytes, n * width, err);
}

static int scale_one(const struct ent_ipc_field *f, const uint8_t *from, uint8_t *to, bool null, struct ent_err *err)
{
	int64_t v = 0;
	if (f->width == 4) {
		int32_t narrow;
		memcpy(&narrow, from, 4);
		v = narrow;
	} else
		memcpy(&v, from, 8);
	v = null ? 0 : v;
#ifndef ENT_MUTANT_IPC_ROUNDS
	if (v % f->divide)
		return ent_ipc_bad("a date or time is finer than days or microseconds", err);
#endif
	if (__builtin_mul_overflow(v / f->divide, f->multiply, &v) || (f->to_width == 4 && v != (int32_t)v))
		return ent_ipc_bad("a date or time is too far away", err);
	memcpy(to, &v, f->to_width);
	return 0;
}

static int scale_slice(struct rows *r, const struct chosen *c, size_t n, struct ArrowArray *a, struct ent_err *err)
{
	void *to;
	const struct ent_ipc_field *f = c->field;
	const uint8_t *valid = (const uint8_t *)a->buffers[0];
	ENT_TRY(buffer_new(a, 1, n * f->to_width, &to, err));
	ent_buf_reset(&r->scratch);
	uint8_t *from = ent_buf_space(&r->scratch, n * f->width);
	ENT_TRY(ent_buf_check(&r->scratch, err));
	ENT_TRY(bytes_read(r, c->values.at + r->row * f->width, from, n * f->width, err));
	for (size_t k = 0; k < n; k++)
		ENT_TRY(scale_one(f, from + k * f->width, (uint8_t *)to + k * f->to_width, valid && !(valid[k / 8] >> (k % 8) & 1), err));
	return 0;
}

static int column_slice(struct rows *r, const struct chosen *c, size_t n, struct ArrowArray *a, struct ent_err *err)
{
	const struct ent_ipc_field *f = c->field;
	void *to;
	ENT_TRY(array_init(a, n, f->kind == ENT_IPC_TEXT || f->kind == ENT_IPC_BLOCK ? 3 : 2, 0, err));
	a->null_count = c->validity.len ? -1 : 0;
	if (c->validity.len && n)
		ENT_TRY(bits_read(r, &c->validity, r->row, n, a, 0, err));
	if (f->kind == ENT_IPC_TEXT)
		return text_slice(r, c, n, a, err);
	if (f->kind == ENT_IPC_BLOCK)
		return block_slice(r, c, n, a, err);
	if (f->kind == ENT_IPC_SCALE)
		return scale_slice(r, c, n, a, err);
	if (f->kind == ENT_IPC_BITS)
		return bits_read(r, &c->values, r->row, n, a, 1, err);
	ENT_TRY(buffer_new(a, 1, n * f->width, &to, err));
	return bytes_read(r, c->values.at + r->row * f->width, to, n * f->width, err);
}

static int width_of(struct rows *r, const struct chosen *c, size_t n, uint64_t *bytes, struct ent_err *err)
{
	const uint64_t *at;
	if (c->field->kind != ENT_IPC_TEXT) {
		*bytes += (uint64_t)n * (c->field->kind == ENT_IPC_BITS ? 1 : c->field->width);
		return 0;
	}
	ENT_TRY(offsets_read(r, c, r->row, n, &at, err));
	*bytes += at[n] - at[0] + 4 * (uint64_t)n;
	return 0;
}

/* As many rows as fit a batch; one longer row goes alone. */
static int rows_fit(struct rows *r, uint64_t left, size_t *ret, struct ent_err *err)
{
	size_t n = left < ENT_BATCH_ROWS_MAX ? (size_t)left : ENT_BATCH_ROWS_MAX;
	for (;; n = n / 2) {
		uint64_t bytes = 0;
		for (size_t i = 0; i < r->n; i++)
			ENT_TRY(width_of(r, &chosen_of(r)[i], n, &bytes, err));
		if (n == 1 && bytes > ENT_BATCH_BYTES_HARD)
			return ent_ipc_bad("a row is longer than a batch may be", err);
		if (n == 1 || bytes <= ENT_BATCH_BYTES_MAX)
			break;
	}
	*ret = n;
	return 0;
}

static int slice_make(struct rows *r, size_t n, struct ArrowArray *ret, struct ent_err *err)
{
	ENT_ARRAY_AUTO all = { 0 };
	ENT_TRY(array_init(&all, n, 1, r->n, err));
	for (size_t i = 0; i < r->n; i++)
		ENT_TRY(column_slice(r, &chosen_of(r)[i], n, all.children[i], err));
	*ret = ent_array_take(&all);
	return 0;
}

static int rows_next(void *self, struct ArrowArray *ret, struct ent_err *err)
{
	struct rows *r = (struct rows *)self;
	size_t n = 0;
	while (!r->loaded || r->row == r->f->blocks[r->block].rows) {
		r->block += r->loaded;
		r->loaded = false;
		if (r->block >= r->to)
			return 0;
		ENT_TRY(block_load(r, err));
	}
	ENT_TRY(rows_fit(r, r->f->blocks[r->block].rows - r->row, &n, err));
	ENT_TRY(slice_make(r, n, ret, err));
	r->row += n;
	return 0;
}

static void rows_free(void *self)
{
	struct rows *r = (struct rows *)self;
	ent_buf_deinit(&r->meta);
	ent_buf_deinit(&r->scratch);
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

int ent_ipc_read(const struct ent_ipc *f, const size_t *columns, size_t n, size_t from, size_t to, struct ArrowArrayStream *ret, struct ent_err *err)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	if (!n || to > f->n_blocks || from > to)
		return ent_fail(err, ENT_EUSAGE, "no such part of the Arrow file");
	ENT_TRY(schema_chosen(f, columns, n, &schema, err));
	struct rows *r = (struct rows *)calloc(1, sizeof *r + n * (sizeof(size_t) + sizeof(struct chosen)));
	if (!r)
		return ent_nomem(err);
	r->f = f;
	r->n = n;
	r->block = from;
	r->to = to;
	ent_buf_init(&r->meta, (size_t)16 << 20);
	ent_buf_init(&r->scratch, (size_t)1 << 24);
	for (size_t i = 0; i < n; i++) {
		r->columns[i] = columns[i];
		chosen_of(r)[i].field = &f->fields[f->field_of[columns[i]]];
	}
	return ent_stream_new(&schema, &rows_ops, r, ret, err);
}
