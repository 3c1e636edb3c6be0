/* Rows [row, row + n) of one column of a message, laid out anew: texts with offsets from 0, bits from bit 0, dates and times in our units. */
#include <stdlib.h>

#include "arrow/ipc_inner.h"

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

int ent_ipc_array_init(struct ArrowArray *a, size_t rows, int64_t n_buffers, size_t n_children, struct ent_err *err)
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

int ent_ipc_array_buffer(struct ArrowArray *a, size_t i, size_t len, void **ret, struct ent_err *err)
{
	struct owned *o = (struct owned *)a->private_data;
	o->buffers[i] = calloc(len + 1, 1);
	o->given[i] = o->buffers[i];
	*ret = o->buffers[i];
	return *ret ? 0 : ent_nomem(err);
}

/* Bits [row, row + n) of a part, moved to bit 0. */
static int bits_read(struct ent_ipc_cursor *r, const struct ent_ipc_part *p, uint64_t row, size_t n, struct ArrowArray *a, size_t i,
		     struct ent_err *err)
{
	void *to;
	size_t shift = (size_t)(row % 8), len = (n + shift + 7) / 8;
	ENT_TRY(ent_ipc_array_buffer(a, i, (n + 7) / 8, &to, err));
	ent_buf_reset(&r->scratch);
	uint8_t *from = ent_buf_space(&r->scratch, len), *out = (uint8_t *)to;
	ENT_TRY(ent_buf_check(&r->scratch, err));
	ENT_TRY(ent_ipc_part_read(&r->body, p, row / 8, from, len, err));
	for (size_t k = 0; k < n; k++)
		if (from[(k + shift) / 8] >> ((k + shift) % 8) & 1)
			out[k / 8] = (uint8_t)(out[k / 8] | 1u << (k % 8));
	return 0;
}

/* Text offsets of rows [row, row + n] as 64-bit numbers in scratch, in order and within the values. */
static int offsets_read(struct ent_ipc_cursor *r, const struct ent_ipc_taken *c, uint64_t row, size_t n, const uint64_t **ret, struct ent_err *err)
{
	size_t width = c->field->width;
	ent_buf_reset(&r->scratch);
	uint8_t *space = ent_buf_space(&r->scratch, 8 * (n + 1));
	ENT_TRY(ent_buf_check(&r->scratch, err));
	uint8_t *raw = space + (8 - width) * (n + 1); /* widened front to back, in place */
	ENT_TRY(ent_ipc_part_read(&r->body, &c->offsets, row * width, raw, width * (n + 1), err));
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

static int text_slice(struct ent_ipc_cursor *r, const struct ent_ipc_taken *c, size_t n, struct ArrowArray *a, struct ent_err *err)
{
	const uint64_t *at;
	void *to, *text;
	ENT_TRY(offsets_read(r, c, r->row, n, &at, err));
	ENT_TRY(ent_ipc_array_buffer(a, 1, 4 * (n + 1), &to, err));
	ENT_TRY(ent_ipc_array_buffer(a, 2, (size_t)(at[n] - at[0]), &text, err));
	for (size_t k = 0; k <= n; k++)
		((uint32_t *)to)[k] = (uint32_t)(at[k] - at[0]);
	return ent_ipc_part_read(&r->body, &c->values, at[0], text, (size_t)(at[n] - at[0]), err);
}

static int block_slice(struct ent_ipc_cursor *r, const struct ent_ipc_taken *c, size_t n, struct ArrowArray *a, struct ent_err *err)
{
	void *to, *bytes;
	uint32_t width = c->field->width;
	ENT_TRY(ent_ipc_array_buffer(a, 1, 4 * (n + 1), &to, err));
	ENT_TRY(ent_ipc_array_buffer(a, 2, n * width, &bytes, err));
	for (size_t k = 0; k <= n; k++)
		((uint32_t *)to)[k] = (uint32_t)(k * width);
	return ent_ipc_part_read(&r->body, &c->values, r->row * width, bytes, n * width, err);
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

static int scale_slice(struct ent_ipc_cursor *r, const struct ent_ipc_taken *c, size_t n, struct ArrowArray *a, struct ent_err *err)
{
	void *to;
	const struct ent_ipc_field *f = c->field;
	const uint8_t *valid = (const uint8_t *)a->buffers[0];
	ENT_TRY(ent_ipc_array_buffer(a, 1, n * f->to_width, &to, err));
	ent_buf_reset(&r->scratch);
	uint8_t *from = ent_buf_space(&r->scratch, n * f->width);
	ENT_TRY(ent_buf_check(&r->scratch, err));
	ENT_TRY(ent_ipc_part_read(&r->body, &c->values, r->row * f->width, from, n * f->width, err));
	for (size_t k = 0; k < n; k++)
		ENT_TRY(scale_one(f, from + k * f->width, (uint8_t *)to + k * f->to_width, valid && !(valid[k / 8] >> (k % 8) & 1), err));
	return 0;
}

int ent_ipc_validity_read(struct ent_ipc_cursor *r, const struct ent_ipc_taken *c, size_t n, struct ArrowArray *a, struct ent_err *err)
{
	a->null_count = c->validity.len ? -1 : 0;
	return c->validity.len && n ? bits_read(r, &c->validity, r->row, n, a, 0, err) : 0;
}

int ent_ipc_slice(struct ent_ipc_cursor *r, const struct ent_ipc_taken *c, size_t n, struct ArrowArray *a, struct ent_err *err)
{
	const struct ent_ipc_field *f = c->field;
	void *to;
	if (f->coded)
		return ent_ipc_coded_slice(r, c, n, a, err);
	if (f->kind == ENT_IPC_VIEW)
		return ent_ipc_view_slice(r, c, n, a, err);
	ENT_TRY(ent_ipc_array_init(a, n, f->kind == ENT_IPC_TEXT || f->kind == ENT_IPC_BLOCK ? 3 : 2, 0, err));
	ENT_TRY(ent_ipc_validity_read(r, c, n, a, err));
	if (f->kind == ENT_IPC_TEXT)
		return text_slice(r, c, n, a, err);
	if (f->kind == ENT_IPC_BLOCK)
		return block_slice(r, c, n, a, err);
	if (f->kind == ENT_IPC_SCALE)
		return scale_slice(r, c, n, a, err);
	if (f->kind == ENT_IPC_BITS)
		return bits_read(r, &c->values, r->row, n, a, 1, err);
	ENT_TRY(ent_ipc_array_buffer(a, 1, n * f->width, &to, err));
	return ent_ipc_part_read(&r->body, &c->values, r->row * f->width, to, n * f->width, err);
}

int ent_ipc_slice_bytes(struct ent_ipc_cursor *r, const struct ent_ipc_taken *c, size_t n, uint64_t *bytes, struct ent_err *err)
{
	const uint64_t *at;
	if (c->field->coded)
		return ent_ipc_coded_bytes(r, c, n, bytes, err);
	if (c->field->kind == ENT_IPC_VIEW)
		return ent_ipc_view_bytes(r, c, n, bytes, err);
	if (c->field->kind != ENT_IPC_TEXT) {
		*bytes += (uint64_t)n * (c->field->kind == ENT_IPC_BITS ? 1 : c->field->width);
		return 0;
	}
	ENT_TRY(offsets_read(r, c, r->row, n, &at, err));
	*bytes += at[n] - at[0] + 4 * (uint64_t)n;
	return 0;
}
