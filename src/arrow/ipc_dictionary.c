/* Dictionaries: entries held in memory, in the order of their messages (a later one adds to them or takes their place), and rows that name entries by
 * their number. What is handed out are values as of any other column. */
#include <stdlib.h>

#include "arrow/ipc_inner.h"

struct ent_ipc_dictionary {
	struct ent_buf values;  /* cells of one width, booleans a byte each; or texts one behind the other */
	struct ent_buf offsets; /* texts: 64-bit numbers, one more than entries */
	struct ent_buf nulls;   /* a byte per entry */
	uint64_t n;
	size_t next, seen; /* messages looked at; those that were this one's */
};

static bool texts(const struct ent_ipc_field *f) { return f->kind == ENT_IPC_TEXT || f->kind == ENT_IPC_BLOCK || f->kind == ENT_IPC_VIEW; }

/* Bytes of a value that is no text. */
static size_t cell_of(const struct ent_ipc_field *f) { return f->kind == ENT_IPC_BITS ? 1 : f->kind == ENT_IPC_SCALE ? f->to_width : f->width; }

int ent_ipc_dictionary_new(struct ent_ipc_dictionary **ret, struct ent_err *err)
{
	struct ent_ipc_dictionary *d = (struct ent_ipc_dictionary *)calloc(1, sizeof *d);
	if (!d)
		return ent_nomem(err);
	ent_buf_init(&d->values, ENT_IPC_DICTIONARY_BYTES_MAX);
	ent_buf_init(&d->offsets, ENT_IPC_DICTIONARY_BYTES_MAX);
	ent_buf_init(&d->nulls, ENT_IPC_DICTIONARY_BYTES_MAX);
	*ret = d;
	return 0;
}

void ent_ipc_dictionary_free(struct ent_ipc_dictionary *d)
{
	if (!d)
		return;
	ent_buf_deinit(&d->values);
	ent_buf_deinit(&d->offsets);
	ent_buf_deinit(&d->nulls);
	free(d);
}

/* --- entries --- */

static size_t bytes_of(const struct ent_ipc_dictionary *d) { return d->values.len + d->offsets.len + d->nulls.len; }

static void clear(struct ent_ipc_dictionary *d)
{
	ent_buf_reset(&d->values);
	ent_buf_reset(&d->offsets);
	ent_buf_reset(&d->nulls);
	d->n = 0;
}

static void texts_add(struct ent_ipc_dictionary *d, const struct ArrowArray *a)
{
	const uint32_t *at = (const uint32_t *)a->buffers[1];
	uint64_t begin = d->values.len;
	for (int64_t i = d->n ? 1 : 0; i <= a->length; i++) {
		uint64_t end = begin + at[i];
		ent_buf_put(&d->offsets, &end, sizeof end);
	}
	ent_buf_put(&d->values, a->buffers[2], at[a->length]);
}

static void cells_add(struct ent_ipc_dictionary *d, const struct ent_ipc_field *f, const struct ArrowArray *a)
{
	const uint8_t *from = (const uint8_t *)a->buffers[1];
	if (f->kind != ENT_IPC_BITS)
		ent_buf_put(&d->values, from, (size_t)a->length * cell_of(f));
	for (int64_t i = 0; f->kind == ENT_IPC_BITS && i < a->length; i++)
		ent_buf_u8(&d->values, from[i / 8] >> (i % 8) & 1);
}

static int slice_add(struct ent_ipc_dictionary *d, const struct ent_ipc_field *f, const struct ArrowArray *a, struct ent_err *err)
{
	const uint8_t *valid = (const uint8_t *)a->buffers[0];
	if (texts(f))
		texts_add(d, a);
	else
		cells_add(d, f, a);
	for (int64_t i = 0; i < a->length; i++)
		ent_buf_u8(&d->nulls, valid && !(valid[i / 8] >> (i % 8) & 1));
	d->n += (uint64_t)a->length;
	ENT_TRY(ent_buf_check(&d->values, err));
	ENT_TRY(ent_buf_check(&d->offsets, err));
	return ent_buf_check(&d->nulls, err);
}

static int too_large(struct ent_err *err)
{
	ent_fail(err, ENT_EUNSUPPORTED, "the dictionaries of the Arrow file's columns take more than %zu MiB", ENT_IPC_DICTIONARY_BYTES_MAX >> 20);
	return ent_next(err, "read fewer columns at once, or write it without dictionaries"), ENT_EUNSUPPORTED;
}

/* The values of one message. */
static int message_read(struct ent_ipc_dictionary *d, struct ent_ipc_cursor *c, const struct ent_ipc_field *values, const struct ent_ipc_block *block,
			size_t *total, struct ent_err *err)
{
	ENT_TRY(ent_ipc_cursor_load(c, block, err));
	for (;;) {
		ENT_ARRAY_AUTO rows = { 0 };
		size_t before = bytes_of(d);
		ENT_TRY(ent_ipc_cursor_next(c, &rows, err));
		if (!rows.release)
			return 0;
		uint64_t more = (uint64_t)rows.length * 9 + (texts(values) ? ((const uint32_t *)rows.children[0]->buffers[1])[rows.length] : 0);
		if (more > ENT_IPC_DICTIONARY_BYTES_MAX - *total)
			return too_large(err);
		ENT_TRY(slice_add(d, values, rows.children[0], err));
		*total += bytes_of(d) - before;
		if (*total > ENT_IPC_DICTIONARY_BYTES_MAX)
			return too_large(err);
	}
}

static int message_take(struct ent_ipc_dictionary *d, struct ent_ipc_cursor *of, const struct ent_ipc_field *field, const struct ent_ipc_entries *e,
			size_t *total, struct ent_err *err)
{
	struct ent_ipc_field values = *field;
	struct ent_ipc_taken taken = { .field = &values };
	struct ent_ipc_cursor c;
	const struct ent_ipc *f = of->body.f;
	if (!e->delta) {
		if (f->file && d->seen)
			return ent_ipc_bad("it has a dictionary that takes the place of another one, which only streams may", err);
		*total -= bytes_of(d);
		clear(d);
	}
	d->seen++;
	values.coded = false;
	values.column = 0;
	values.variadic = values.kind == ENT_IPC_VIEW;
	ent_ipc_cursor_init(&c, f);
	c.fields = &values;
	c.n_fields = 1;
	c.taken = &taken;
	c.n = 1;
	c.body.unpacked = of->body.unpacked;
	int code = message_read(d, &c, &values, &e->block, total, err);
	of->body.unpacked = c.body.unpacked;
	ent_ipc_cursor_deinit(&c);
	return code;
}

int ent_ipc_dictionary_load(struct ent_ipc_dictionary *d, struct ent_ipc_cursor *c, const struct ent_ipc_field *field, size_t until, size_t *total,
			    struct ent_err *err)
{
	const struct ent_ipc *f = c->body.f;
	size_t from = until;
	while (from > d->next && (f->file || f->entries[from - 1].id != field->dictionary || f->entries[from - 1].delta))
		from--; /* what a later message replaces is not read */
	if (from > d->next)
		from--;
	for (size_t i = from; i < until; i++)
#ifdef ENT_MUTANT_IPC_DELTA
		if (f->entries[i].id == field->dictionary && (!f->entries[i].delta || !d->seen))
#else
		if (f->entries[i].id == field->dictionary)
#endif
			ENT_TRY(message_take(d, c, field, &f->entries[i], total, err));
	d->next = until > d->next ? until : d->next;
	return 0;
}

/* --- rows --- */

/* The numbers of entries of n rows, in scratch; UINT64_MAX: NULL. a: an array whose buffer 0 is the rows' validity. */
static int indices_read(struct ent_ipc_cursor *c, const struct ent_ipc_taken *t, size_t n, const struct ArrowArray *a, const uint64_t **ret,
			struct ent_err *err)
{
	const struct ent_ipc_field *f = t->field;
	const struct ent_ipc_dictionary *d = t->dictionary;
	const uint8_t *valid = (const uint8_t *)a->buffers[0];
	size_t width = f->index_width;
	ent_buf_reset(&c->scratch);
	uint8_t *space = ent_buf_space(&c->scratch, 8 * n + 1);
	ENT_TRY(ent_buf_check(&c->scratch, err));
	uint8_t *raw = space + (8 - width) * n; /* widened front to back, in place */
	ENT_TRY(ent_ipc_part_read(&c->body, &t->values, c->row * width, raw, width * n, err));
	for (size_t k = 0; k < n; k++) {
		uint64_t at = 0;
		memcpy(&at, raw + k * width, width);
		if (f->index_signed && width < 8 && at >> (8 * width - 1))
			at |= UINT64_MAX << 8 * width; /* negative */
		if (valid && !(valid[k / 8] >> (k % 8) & 1))
			at = UINT64_MAX;
#ifndef ENT_MUTANT_IPC_INDEX
		else if (at >= d->n)
			return ent_ipc_bad("a row names an entry that its dictionary does not have", err);
#endif
		if (at != UINT64_MAX && d->nulls.data[at])
			at = UINT64_MAX;
		memcpy(space + 8 * k, &at, 8);
	}
	*ret = (const uint64_t *)(const void *)space;
	return 0;
}

static uint64_t entry_at(const struct ent_ipc_dictionary *d, uint64_t i)
{
	uint64_t at;
	memcpy(&at, d->offsets.data + 8 * i, 8);
	return at;
}

static int texts_gather(const struct ent_ipc_dictionary *d, const uint64_t *at, size_t n, struct ArrowArray *a, struct ent_err *err)
{
	void *offsets, *bytes;
	uint64_t len = 0;
	ENT_TRY(ent_ipc_array_buffer(a, 1, 4 * (n + 1), &offsets, err));
	for (size_t k = 0; k < n; k++) {
		len += at[k] == UINT64_MAX ? 0 : entry_at(d, at[k] + 1) - entry_at(d, at[k]);
		((uint32_t *)offsets)[k + 1] = (uint32_t)len;
	}
	ENT_TRY(ent_ipc_array_buffer(a, 2, (size_t)len, &bytes, err));
	for (size_t k = 0; k < n; k++)
		if (at[k] != UINT64_MAX)
			memcpy((uint8_t *)bytes + ((uint32_t *)offsets)[k], d->values.data + entry_at(d, at[k]),
			       (size_t)(entry_at(d, at[k] + 1) - entry_at(d, at[k])));
	return 0;
}

static int cells_gather(const struct ent_ipc_dictionary *d, const struct ent_ipc_field *f, const uint64_t *at, size_t n, struct ArrowArray *a,
			struct ent_err *err)
{
	void *to;
	size_t cell = cell_of(f);
	bool bits = f->kind == ENT_IPC_BITS;
	ENT_TRY(ent_ipc_array_buffer(a, 1, bits ? (n + 7) / 8 : n * cell, &to, err));
	for (size_t k = 0; k < n; k++) {
		uint8_t *out = (uint8_t *)to + (bits ? k / 8 : k * cell);
		if (at[k] == UINT64_MAX)
			continue;
		if (bits)
			*out = (uint8_t)(*out | d->values.data[at[k]] << (k % 8));
		else
			memcpy(out, d->values.data + at[k] * cell, cell);
	}
	return 0;
}

int ent_ipc_coded_slice(struct ent_ipc_cursor *c, const struct ent_ipc_taken *t, size_t n, struct ArrowArray *a, struct ent_err *err)
{
	const uint64_t *at;
	void *valid;
	ENT_TRY(ent_ipc_array_init(a, n, texts(t->field) ? 3 : 2, 0, err));
	ENT_TRY(ent_ipc_validity_read(c, t, n, a, err));
	ENT_TRY(indices_read(c, t, n, a, &at, err));
	if (!a->buffers[0])
		ENT_TRY(ent_ipc_array_buffer(a, 0, (n + 7) / 8, &valid, err));
	uint8_t *bits = (uint8_t *)(uintptr_t)a->buffers[0];
	memset(bits, 0, (n + 7) / 8);
	for (size_t k = 0; k < n; k++)
		if (at[k] != UINT64_MAX)
			bits[k / 8] = (uint8_t)(bits[k / 8] | 1u << (k % 8));
	a->null_count = -1;
	return texts(t->field) ? texts_gather(t->dictionary, at, n, a, err) : cells_gather(t->dictionary, t->field, at, n, a, err);
}

int ent_ipc_coded_bytes(struct ent_ipc_cursor *c, const struct ent_ipc_taken *t, size_t n, uint64_t *bytes, struct ent_err *err)
{
	ENT_ARRAY_AUTO validity = { 0 };
	const uint64_t *at;
	if (!texts(t->field)) {
		*bytes += (uint64_t)n * cell_of(t->field);
		return 0;
	}
	ENT_TRY(ent_ipc_array_init(&validity, n, 2, 0, err));
	ENT_TRY(ent_ipc_validity_read(c, t, n, &validity, err));
	ENT_TRY(indices_read(c, t, n, &validity, &at, err));
	*bytes += 4 * (uint64_t)n;
	for (size_t k = 0; k < n; k++)
		*bytes += at[k] == UINT64_MAX ? 0 : entry_at(t->dictionary, at[k] + 1) - entry_at(t->dictionary, at[k]);
	return 0;
}
