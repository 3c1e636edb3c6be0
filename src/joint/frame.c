/* See frame.h. */
#include "joint/frame.h"

void ent_frame_deinit(struct ent_frame *f)
{
	for (unsigned i = 0; i < ENT_PARTS_MAX; i++)
		ent_bits_deinit(&f->part[i]);
	ent_bits_deinit(&f->store);
	memset(f, 0, sizeof *f);
}

struct ent_bits ent_frame_view(const struct ent_frame *f, unsigned part)
{
	struct ent_bits v = f->part[part];
	v.owner = NULL;
	return v;
}

void ent_frame_put(struct ent_frame *f, unsigned part, struct ent_bits *bits)
{
	ent_bits_deinit(&f->part[part]);
	f->part[part] = ent_bits_take(bits);
}

void ent_frame_drop(struct ent_frame *f, unsigned part)
{
	ent_bits_deinit(&f->part[part]);
	f->part[part] = (struct ent_bits){ 0 };
}

void ent_frame_drop_range(struct ent_frame *f, unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++)
		ent_frame_drop(f, i);
}

static void lay_out(const struct ent_frame *f, const unsigned *first, size_t n_first, struct ent_frame_layout *l)
{
	l->n = 0;
	for (size_t i = 0; i < n_first; i++)
		l->ids[l->n++] = first[i];
	for (unsigned id = 0; id < ENT_PARTS_MAX; id++) {
		bool key = !f->part[id].planes;
		for (size_t i = 0; i < n_first && !key; i++)
			key = first[i] == id;
		if (!key)
			l->ids[l->n++] = id;
	}
	for (size_t i = 0; i < l->n; i++)
		l->planes[i] = f->part[l->ids[i]].planes;
}

int ent_frame_pack(struct ent_sx *x, struct ent_frame *f, const unsigned *first, size_t n_first, struct ent_frame_layout *l, struct ent_rows *ret,
		   struct ent_err *err)
{
	const struct ent_bits *parts[ENT_PARTS_MAX];
	struct ent_rows rows = { .rows = f->rows };
	lay_out(f, first, n_first, l);
	for (size_t i = 0; i < l->n; i++)
		parts[i] = &f->part[l->ids[i]];
	ENT_TRY(ent_sx_stack(x, parts, l->n, &rows.bits, err));
	rows.bits.rows = f->rows;
	ent_frame_deinit(f);
	f->rows = rows.rows;
	*ret = rows;
	return 0;
}

void ent_frame_unpack(struct ent_frame *f, const struct ent_frame_layout *l, struct ent_rows *rows)
{
	unsigned at = 0;
	f->rows = rows->rows;
	f->store = ent_bits_take(&rows->bits);
	for (size_t i = 0; i < l->n; i++) {
		f->part[l->ids[i]] = ent_sx_view(&f->store, at, l->planes[i]);
		at += l->planes[i];
	}
}

int ent_frame_sort(struct ent_sx *x, struct ent_frame *f, const unsigned *keys, size_t n_keys, struct ent_err *err)
{
	struct ent_frame_layout l;
	ENT_ROWS_AUTO rows = { 0 };
	unsigned planes = 0;
	for (size_t i = 0; i < n_keys; i++)
		planes += f->part[keys[i]].planes;
	ENT_TRY(ent_frame_pack(x, f, keys, n_keys, &l, &rows, err));
	if (planes)
		ENT_TRY(ent_sx_sort(x, &rows, 0, planes, err));
	ent_frame_unpack(f, &l, &rows);
	return 0;
}

int ent_frame_filter(struct ent_sx *x, struct ent_frame *f, unsigned flag, size_t kept, struct ent_why why, struct ent_err *err)
{
	struct ent_frame_layout l;
	ENT_ROWS_AUTO rows = { 0 };
	ENT_BITS_AUTO bit = { 0 };
	ENT_TRY(ent_sx_dup(x, &f->part[flag], &bit, err));
	ent_frame_drop(f, flag);
	ENT_TRY(ent_frame_pack(x, f, NULL, 0, &l, &rows, err));
	ENT_TRY(ent_sx_filter(x, why, kept, &rows, &bit, err));
	ent_frame_unpack(f, &l, &rows);
	return 0;
}

int ent_frame_append(struct ent_sx *x, struct ent_frame *a, struct ent_frame *b, struct ent_err *err)
{
	for (unsigned id = 0; id < ENT_PARTS_MAX; id++) {
		unsigned planes = a->part[id].planes ? a->part[id].planes : b->part[id].planes;
		if (!planes)
			continue;
		ENT_ASSERT(!b->part[id].planes || b->part[id].planes == planes);
		ENT_BITS_AUTO zero = { 0 };
		ENT_BITS_AUTO both = { 0 };
		bool left = a->part[id].planes > 0, right = b->part[id].planes > 0;
		if (!left || !right)
			ENT_TRY(ent_sx_const(x, left ? b->rows : a->rows, planes, 0, &zero, err));
		ENT_TRY(ent_sx_append(x, left ? &a->part[id] : &zero, right ? &b->part[id] : &zero, &both, err));
		ent_frame_put(a, id, &both);
		ent_frame_drop(b, id);
	}
	a->rows += b->rows;
	ent_bits_deinit(&a->store);
	a->store = (struct ent_bits){ 0 };
	ent_frame_deinit(b);
	return 0;
}
