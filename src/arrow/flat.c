#include "arrow/flat.h"

uint64_t ent_flat_le(struct ent_bytes all, size_t at, unsigned width)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < width; i++)
		v |= (uint64_t)all.data[at + i] << (8 * i);
	return v;
}

static bool within(struct ent_bytes all, size_t at, size_t len) { return at <= all.len && len <= all.len - at; }

static bool table_at(struct ent_bytes all, size_t at, struct ent_flat *ret)
{
	if (!within(all, at, 4))
		return false;
	int64_t vtable = (int64_t)at - (int32_t)(uint32_t)ent_flat_le(all, at, 4);
	if (vtable < 0 || !within(all, (size_t)vtable, 4))
		return false;
	size_t bytes = (size_t)ent_flat_le(all, (size_t)vtable, 2), own = (size_t)ent_flat_le(all, (size_t)vtable + 2, 2);
	if (bytes < 4 || bytes % 2 || own < 4 || !within(all, (size_t)vtable, bytes) || !within(all, at, own))
		return false;
	*ret = (struct ent_flat){ all, at, (size_t)vtable, (uint16_t)((bytes - 4) / 2), (uint16_t)own };
	return true;
}

bool ent_flat_root(struct ent_bytes all, struct ent_flat *ret) { return within(all, 0, 4) && table_at(all, (size_t)ent_flat_le(all, 0, 4), ret); }

/* Where a field of that width stands; 0 when absent. */
static bool field_at(const struct ent_flat *t, unsigned field, unsigned width, size_t *ret)
{
	size_t offset = field < t->n_fields ? (size_t)ent_flat_le(t->all, t->vtable + 4 + 2 * (size_t)field, 2) : 0;
	*ret = offset ? t->at + offset : 0;
	return !offset || (offset >= 4 && offset + width <= t->bytes);
}

bool ent_flat_number(const struct ent_flat *t, unsigned field, unsigned width, uint64_t *ret)
{
	size_t at;
	if (!field_at(t, field, width, &at))
		return false;
	*ret = at ? ent_flat_le(t->all, at, width) : 0;
	return true;
}

/* What an offset at `at` points to. */
static bool follow(struct ent_bytes all, size_t at, size_t *ret)
{
	*ret = at + (size_t)ent_flat_le(all, at, 4);
	return *ret > at && within(all, *ret, 4);
}

bool ent_flat_table(const struct ent_flat *t, unsigned field, struct ent_flat *ret, bool *ret_there)
{
	size_t at, to;
	if (!field_at(t, field, 4, &at))
		return false;
	*ret_there = at != 0;
	return !at || (follow(t->all, at, &to) && table_at(t->all, to, ret));
}

bool ent_flat_vector(const struct ent_flat *t, unsigned field, size_t item, struct ent_flat_vector *ret)
{
	size_t at, to, bytes;
	*ret = (struct ent_flat_vector){ 0 };
	if (!field_at(t, field, 4, &at))
		return false;
	if (!at)
		return true;
	if (!follow(t->all, at, &to))
		return false;
	*ret = (struct ent_flat_vector){ to + 4, (size_t)ent_flat_le(t->all, to, 4) };
	return ent_mul_size(ret->n, item, &bytes) && within(t->all, ret->at, bytes);
}

bool ent_flat_text(const struct ent_flat *t, unsigned field, struct ent_bytes *ret)
{
	struct ent_flat_vector v;
	if (!ent_flat_vector(t, field, 1, &v))
		return false;
	*ret = v.at ? ent_bytes(t->all.data + v.at, v.n) : ent_bytes("", 0);
	return true;
}

bool ent_flat_item(const struct ent_flat *t, const struct ent_flat_vector *v, size_t i, struct ent_flat *ret)
{
	size_t to;
	return follow(t->all, v->at + 4 * i, &to) && table_at(t->all, to, ret);
}
