/* Ring words, local work. */
#include "mpc/engine.h"
#include "mpc/kernel.h"

static void copy(uint64_t *to, const uint64_t *from, size_t words)
{
	if (words)
		memcpy(to, from, words * 8);
}

int ent_ring_dup(struct ent_mpc *m, const struct ent_ring *x, struct ent_ring *ret, struct ent_err *err)
{
	return ent_ring_range(m, x, 0, x->rows, ret, err);
}

void ent_ring_add_in(struct ent_ring *x, const struct ent_ring *y)
{
	ENT_ASSERT(x->rows == y->rows);
	for (int j = 0; j < 2; j++)
		ent_mpc_kernel()->add_in(x->c[j], y->c[j], x->rows);
}

void ent_ring_sub_in(struct ent_ring *x, const struct ent_ring *y)
{
	ENT_ASSERT(x->rows == y->rows);
	for (int j = 0; j < 2; j++)
		ent_mpc_kernel()->sub_in(x->c[j], y->c[j], x->rows);
}

int ent_ring_add(struct ent_mpc *m, const struct ent_ring *x, const struct ent_ring *y, struct ent_ring *ret, struct ent_err *err)
{
	struct ent_ring z;
	ENT_TRY(ent_ring_dup(m, x, &z, err));
	ent_ring_add_in(&z, y);
	*ret = z;
	return 0;
}

int ent_ring_sub(struct ent_mpc *m, const struct ent_ring *x, const struct ent_ring *y, struct ent_ring *ret, struct ent_err *err)
{
	struct ent_ring z;
	ENT_TRY(ent_ring_dup(m, x, &z, err));
	ent_ring_sub_in(&z, y);
	*ret = z;
	return 0;
}

void ent_ring_scale(struct ent_ring *x, uint64_t factor)
{
	for (int j = 0; j < 2; j++)
		for (size_t r = 0; r < x->rows; r++)
			x->c[j][r] *= factor;
}

void ent_ring_add_const(struct ent_mpc *m, struct ent_ring *x, uint64_t value)
{
	for (int j = 0; j < 2; j++)
		for (size_t r = 0; r < x->rows && is_first(m, j); r++)
			x->c[j][r] += value;
}

void ent_ring_add_public(struct ent_mpc *m, struct ent_ring *x, const uint64_t *values)
{
	for (int j = 0; j < 2; j++)
		if (is_first(m, j))
			ent_mpc_kernel()->add_in(x->c[j], values, x->rows);
}

int ent_ring_const(struct ent_mpc *m, size_t rows, uint64_t value, struct ent_ring *ret, struct ent_err *err)
{
	struct ent_ring z;
	ENT_TRY(ent_ring_new(m, rows, &z, err));
	ent_ring_add_const(m, &z, value);
	*ret = z;
	return 0;
}

void ent_ring_running(struct ent_ring *x)
{
	for (int j = 0; j < 2; j++)
		for (size_t r = 1; r < x->rows; r++)
			x->c[j][r] += x->c[j][r - 1];
}

void ent_ring_delta(struct ent_ring *x)
{
	for (int j = 0; j < 2; j++)
		for (size_t r = x->rows; r-- > 1;)
			x->c[j][r] -= x->c[j][r - 1];
}

int ent_ring_sum(struct ent_mpc *m, const struct ent_ring *x, struct ent_ring *ret, struct ent_err *err)
{
	struct ent_ring z;
	ENT_TRY(ent_ring_new(m, 1, &z, err));
	for (int j = 0; j < 2; j++)
		for (size_t r = 0; r < x->rows; r++)
			z.c[j][0] += x->c[j][r];
	*ret = z;
	return 0;
}

int ent_ring_append(struct ent_mpc *m, const struct ent_ring *x, const struct ent_ring *y, struct ent_ring *ret, struct ent_err *err)
{
	struct ent_ring z;
	ENT_TRY(ent_ring_make(m, x->rows + y->rows, &z, err));
	for (int j = 0; j < 2; j++) {
		copy(z.c[j], x->c[j], x->rows);
		copy(z.c[j] + x->rows, y->c[j], y->rows);
	}
	*ret = z;
	return 0;
}

struct ent_ring ent_ring_view(const struct ent_ring *x, size_t first, size_t count)
{
	ENT_ASSERT(first <= x->rows && count <= x->rows - first);
	return (struct ent_ring){ count, { x->c[0] + first, x->c[1] + first }, NULL };
}

int ent_ring_range(struct ent_mpc *m, const struct ent_ring *x, size_t first, size_t count, struct ent_ring *ret, struct ent_err *err)
{
	struct ent_ring z, from = ent_ring_view(x, first, count);
	ENT_TRY(ent_ring_make(m, count, &z, err));
	for (int j = 0; j < 2; j++)
		copy(z.c[j], from.c[j], count);
	*ret = z;
	return 0;
}

int ent_ring_gather(struct ent_mpc *m, const struct ent_ring *x, const uint32_t *at, size_t count, struct ent_ring *ret, struct ent_err *err)
{
	struct ent_ring z;
	ENT_TRY(ent_ring_make(m, count, &z, err));
	for (int j = 0; j < 2; j++)
		for (size_t r = 0; r < count; r++)
			z.c[j][r] = x->c[j][at[r]];
	*ret = z;
	return 0;
}
