/* Columns of views: 16 bytes a row, a short text itself or where a longer one stands in one of the column's buffers. They may point anywhere, so a
 * buffer that is needed is held whole; those that a slice does not need are let go when many are held. A large one that is not compressed is read row
 * by row. */
#include <stdlib.h>

#include "arrow/ipc_inner.h"

#define VIEW 16
#define SHORT 12 /* bytes of a text that stands in its view */
#define HELD_MAX ((size_t)256 << 20)
#define HELD_LOW ((size_t)64 << 20) /* beyond that, what a slice does not need goes */
#define READ_WHOLE ((uint64_t)16 << 20)

struct buffer {
	uint64_t at, len; /* in the file */
	uint64_t holds;   /* bytes of contents, once it was looked at */
	uint8_t *bytes;   /* NULL: not held */
	bool known, needed;
};

struct ent_ipc_views {
	struct ent_ipc_views *next; /* of the body */
	int codec;
	size_t n;
	struct buffer buffers[];
};

int ent_ipc_views_new(struct ent_ipc_body *b, size_t n, int codec, struct ent_ipc_views **ret, struct ent_err *err)
{
	struct ent_ipc_views *v = (struct ent_ipc_views *)calloc(1, sizeof *v + n * sizeof *v->buffers);
	if (!v)
		return ent_nomem(err);
	v->n = n;
	v->codec = codec;
	v->next = b->views;
	b->views = v;
	*ret = v;
	return 0;
}

void ent_ipc_views_put(struct ent_ipc_views *v, size_t i, uint64_t at, uint64_t len)
{
	v->buffers[i].at = at;
	v->buffers[i].len = len;
}

void ent_ipc_views_free(struct ent_ipc_views *all)
{
	while (all) {
		struct ent_ipc_views *v = all;
		all = v->next;
		for (size_t i = 0; i < v->n; i++)
			free(v->buffers[i].bytes);
		free(v);
	}
}

/* --- buffers --- */

static void let_go(struct ent_ipc_body *b, struct buffer *f)
{
	if (!f->bytes)
		return;
	free(f->bytes);
	f->bytes = NULL;
	b->held -= (size_t)f->holds;
}

static int too_large(struct ent_err *err)
{
	ent_fail(err, ENT_EUNSUPPORTED, "the texts of the Arrow file's columns need more than %zu MiB at once", HELD_MAX >> 20);
	return ent_next(err, "write it with texts instead of views (Polars: compat_level=pl.CompatLevel.oldest())"), ENT_EUNSUPPORTED;
}

static int hold(struct ent_ipc_body *b, struct buffer *f, const struct ent_ipc_part *p, struct ent_err *err)
{
	if (p->len > HELD_MAX - b->held)
		return too_large(err);
	uint8_t *bytes = (uint8_t *)malloc((size_t)p->len + 1);
	if (!bytes)
		return ent_nomem(err);
	int code = 0;
	for (uint64_t at = 0; at < p->len && !code;) {
		uint64_t n = p->len - at < ((uint64_t)1 << 20) ? p->len - at : (uint64_t)1 << 20;
		code = ent_ipc_part_read(b, p, at, bytes + at, (size_t)n, err);
		at += n;
	}
	if (code) {
		free(bytes);
		return code;
	}
	f->bytes = bytes;
	b->held += (size_t)p->len;
	return 0;
}

/* Makes a buffer ready; what it claims counts once, however often it is unpacked. */
static int buffer_need(struct ent_ipc_body *b, struct ent_ipc_views *v, struct buffer *f, struct ent_err *err)
{
	struct ent_ipc_part p;
	uint64_t counted = b->unpacked;
	f->needed = true;
	if (f->known && (f->bytes || (v->codec < 0 && f->len > READ_WHOLE)))
		return 0;
	ENT_TRY(ent_ipc_part_open(b, f->at, f->len, v->codec, &p, err));
	b->unpacked = f->known ? counted : b->unpacked;
	f->known = true;
	f->holds = p.len;
	int code = v->codec < 0 && f->len > READ_WHOLE ? 0 : hold(b, f, &p, err);
	ent_ipc_part_close(b, &p);
	return code;
}

/* --- rows --- */

struct view {
	uint32_t len, buffer, offset;
	const uint8_t *bytes; /* the view's own */
};

static struct view view_at(const uint8_t *views, size_t row)
{
	const uint8_t *at = views + row * VIEW;
	struct ent_bytes all = ent_bytes(at, VIEW);
	return (struct view){ (uint32_t)ent_flat_le(all, 0, 4), (uint32_t)ent_flat_le(all, 8, 4), (uint32_t)ent_flat_le(all, 12, 4), at };
}

/* The views of n rows, in scratch, with a length of 0 for NULLs. a: an array whose buffer 0 is the rows' validity. */
static int views_read(struct ent_ipc_cursor *c, const struct ent_ipc_taken *t, size_t n, const struct ArrowArray *a, uint8_t **ret,
		      struct ent_err *err)
{
	const uint8_t *valid = (const uint8_t *)a->buffers[0];
	ent_buf_reset(&c->scratch);
	uint8_t *space = ent_buf_space(&c->scratch, VIEW * n + 1);
	ENT_TRY(ent_buf_check(&c->scratch, err));
	ENT_TRY(ent_ipc_part_read(&c->body, &t->values, c->row * VIEW, space, VIEW * n, err));
	for (size_t k = 0; k < n; k++) {
		if (valid && !(valid[k / 8] >> (k % 8) & 1))
			memset(space + VIEW * k, 0, 4);
		if (view_at(space, k).len > INT32_MAX)
			return ent_ipc_bad("a view's length is negative", err);
	}
	*ret = space;
	return 0;
}

/* Every buffer that the rows name, ready. */
static int buffers_ready(struct ent_ipc_cursor *c, struct ent_ipc_views *v, const uint8_t *views, size_t n, struct ent_err *err)
{
	for (size_t i = 0; i < v->n; i++)
		v->buffers[i].needed = false;
	for (size_t k = 0; k < n; k++) {
		struct view one = view_at(views, k);
		if (one.len > SHORT && one.buffer >= v->n)
			return ent_ipc_bad("a view names a buffer that its column does not have", err);
		if (one.len > SHORT)
			v->buffers[one.buffer].needed = true;
	}
	for (size_t i = 0; i < v->n && c->body.held > HELD_LOW; i++)
		if (!v->buffers[i].needed)
			let_go(&c->body, &v->buffers[i]);
	for (size_t i = 0; i < v->n; i++)
		if (v->buffers[i].needed)
			ENT_TRY(buffer_need(&c->body, v, &v->buffers[i], err));
	return 0;
}

static int text_take(struct ent_ipc_cursor *c, const struct ent_ipc_views *v, const struct view *one, uint8_t *to, struct ent_err *err)
{
	if (one->len <= SHORT) {
		memcpy(to, one->bytes + 4, one->len);
		return 0;
	}
	const struct buffer *f = &v->buffers[one->buffer];
#ifndef ENT_MUTANT_IPC_VIEW
	if (one->offset > f->holds || one->len > f->holds - one->offset)
		return ent_ipc_bad("a view lies outside its buffer", err);
#endif
	if (f->bytes)
		memcpy(to, f->bytes + one->offset, one->len);
	else
		ENT_TRY(ent_ipc_part_read(&c->body, &(struct ent_ipc_part){ .at = f->at, .len = f->holds }, one->offset, to, one->len, err));
	return memcmp(to, one->bytes + 4, 4) ? ent_ipc_bad("a view does not begin as its text does", err) : 0;
}

int ent_ipc_view_slice(struct ent_ipc_cursor *c, const struct ent_ipc_taken *t, size_t n, struct ArrowArray *a, struct ent_err *err)
{
	uint8_t *views;
	void *offsets, *bytes;
	uint64_t len = 0;
	ENT_TRY(ent_ipc_array_init(a, n, 3, 0, err));
	ENT_TRY(ent_ipc_validity_read(c, t, n, a, err));
	ENT_TRY(views_read(c, t, n, a, &views, err));
	ENT_TRY(buffers_ready(c, t->views, views, n, err));
	ENT_TRY(ent_ipc_array_buffer(a, 1, 4 * (n + 1), &offsets, err));
	for (size_t k = 0; k < n; k++) {
		len += view_at(views, k).len;
		((uint32_t *)offsets)[k + 1] = (uint32_t)len;
	}
	ENT_TRY(ent_ipc_array_buffer(a, 2, (size_t)len, &bytes, err));
	for (size_t k = 0; k < n; k++) {
		struct view one = view_at(views, k);
		ENT_TRY(text_take(c, t->views, &one, (uint8_t *)bytes + ((uint32_t *)offsets)[k], err));
	}
	return 0;
}

int ent_ipc_view_bytes(struct ent_ipc_cursor *c, const struct ent_ipc_taken *t, size_t n, uint64_t *bytes, struct ent_err *err)
{
	ENT_ARRAY_AUTO validity = { 0 };
	uint8_t *views;
	ENT_TRY(ent_ipc_array_init(&validity, n, 2, 0, err));
	ENT_TRY(ent_ipc_validity_read(c, t, n, &validity, err));
	ENT_TRY(views_read(c, t, n, &validity, &views, err));
	*bytes += 4 * (uint64_t)n;
	for (size_t k = 0; k < n; k++)
		*bytes += view_at(views, k).len;
	return 0;
}
