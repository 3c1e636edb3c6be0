/* See secure.h. Pattern of every operator: add the cost, then either run it or only set the shape of the result. */
#include "joint/secure.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static struct ent_bits shape_bits(size_t rows, unsigned planes) { return (struct ent_bits){ .rows = rows, .planes = planes }; }

/* A result in a dry pass: shape only. */
static int dry_bits(size_t rows, unsigned planes, struct ent_bits *ret)
{
	*ret = shape_bits(rows, planes);
	return 0;
}

static int dry_ring(size_t rows, struct ent_ring *ret)
{
	*ret = (struct ent_ring){ .rows = rows };
	return 0;
}

static int dry_rows(const struct ent_plain *shape, struct ent_rows *ret)
{
	*ret = (struct ent_rows){ .rows = shape->rows, .bits = shape_bits(shape->rows, shape->planes), .rings = shape->rings };
	for (unsigned i = 0; i < shape->rings; i++)
		ret->ring[i].rows = shape->rows;
	return 0;
}

static double mean_bytes(const struct ent_cost *c) { return (double)(c->bytes[0] + c->bytes[1] + c->bytes[2]) / 3; }

int ent_sx_step(struct ent_sx *x, const char *place, const char *opens, size_t rows, struct ent_err *err, const char *fmt, ...)
{
	if (x->check)
		ENT_TRY(x->check(x->arg, err));
	if (!x->steps || x->n_steps == ENT_STEPS_MAX)
		return 0;
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	struct ent_step *s = &x->steps[x->n_steps++];
	*s = (struct ent_step){ .text = ent_arena_dup(x->arena, text),
				.place = place,
				.opens = opens,
				.rows = rows,
				.rounds = x->cost.rounds - x->mark.rounds,
				.bytes = mean_bytes(&x->cost) - mean_bytes(&x->mark),
				.bytes_var = x->cost.bytes_var - x->mark.bytes_var };
	x->mark = x->cost;
	return s->text ? 0 : ent_nomem(err);
}

int ent_sx_input(struct ent_sx *x, int from, const struct ent_plain *shape, struct ent_rows *ret, struct ent_err *err)
{
	ent_cost_input(&x->cost, from, shape->rows, shape->planes, shape->rings);
	return x->m ? ent_mpc_input(x->m, from, shape, ret, err) : dry_rows(shape, ret);
}

int ent_sx_input_outside(struct ent_sx *x, struct ent_link *owner, const uint8_t nonce[16], const struct ent_plain *shape, struct ent_rows *ret,
			 struct ent_err *err)
{
	ent_cost_input_outside(&x->cost);
	return x->m ? ent_mpc_input_outside(x->m, owner, nonce, shape, ret, err) : dry_rows(shape, ret);
}

int ent_sx_and(struct ent_sx *x, const struct ent_bits *a, const struct ent_bits *b, struct ent_bits *ret, struct ent_err *err)
{
	ent_cost_and(&x->cost, a->rows, a->planes);
	return x->m ? ent_mpc_and(x->m, a, b, ret, err) : dry_bits(a->rows, a->planes, ret);
}

int ent_sx_or(struct ent_sx *x, const struct ent_bits *a, const struct ent_bits *b, struct ent_bits *ret, struct ent_err *err)
{
	ent_cost_and(&x->cost, a->rows, a->planes);
	return x->m ? ent_mpc_or(x->m, a, b, ret, err) : dry_bits(a->rows, a->planes, ret);
}

int ent_sx_mux(struct ent_sx *x, const struct ent_bits *cond, const struct ent_bits *a, const struct ent_bits *b, struct ent_bits *ret,
	       struct ent_err *err)
{
	ent_cost_and(&x->cost, a->rows, a->planes);
	return x->m ? ent_mpc_mux(x->m, cond, a, b, ret, err) : dry_bits(a->rows, a->planes, ret);
}

int ent_sx_or_planes(struct ent_sx *x, const struct ent_bits *a, struct ent_bits *ret, struct ent_err *err)
{
	ent_cost_and_planes(&x->cost, a->rows, a->planes);
	return x->m ? ent_mpc_or_planes(x->m, a, ret, err) : dry_bits(a->rows, 1, ret);
}

int ent_sx_and_planes(struct ent_sx *x, const struct ent_bits *a, struct ent_bits *ret, struct ent_err *err)
{
	ent_cost_and_planes(&x->cost, a->rows, a->planes);
	return x->m ? ent_mpc_and_planes(x->m, a, ret, err) : dry_bits(a->rows, 1, ret);
}

int ent_sx_eq(struct ent_sx *x, const struct ent_bits *a, const struct ent_bits *b, struct ent_bits *ret, struct ent_err *err)
{
	ent_cost_eq(&x->cost, a->rows, a->planes);
	return x->m ? ent_mpc_eq(x->m, a, b, ret, err) : dry_bits(a->rows, 1, ret);
}

int ent_sx_eq_const(struct ent_sx *x, const struct ent_bits *a, uint64_t value, struct ent_bits *ret, struct ent_err *err)
{
	ent_cost_eq(&x->cost, a->rows, a->planes);
	return x->m ? ent_mpc_eq_const(x->m, a, value, ret, err) : dry_bits(a->rows, 1, ret);
}

int ent_sx_lt(struct ent_sx *x, const struct ent_bits *a, const struct ent_bits *b, bool sign, struct ent_bits *ret, struct ent_err *err)
{
	ent_cost_lt(&x->cost, a->rows, a->planes);
	return x->m ? ent_mpc_lt(x->m, a, b, sign, ret, err) : dry_bits(a->rows, 1, ret);
}

int ent_sx_lt_const(struct ent_sx *x, const struct ent_bits *a, uint64_t value, bool sign, struct ent_bits *ret, struct ent_err *err)
{
	ent_cost_lt_const(&x->cost, a->rows, a->planes);
	return x->m ? ent_mpc_lt_const(x->m, a, value, sign, ret, err) : dry_bits(a->rows, 1, ret);
}

int ent_sx_same(struct ent_sx *x, const struct ent_bits *a, struct ent_bits *ret, struct ent_err *err)
{
	ent_cost_eq(&x->cost, a->rows, a->planes);
	return x->m ? ent_mpc_same_as_above(x->m, a, ret, err) : dry_bits(a->rows, 1, ret);
}

int ent_sx_a2b(struct ent_sx *x, const struct ent_ring *a, unsigned planes, struct ent_bits *ret, struct ent_err *err)
{
	ent_cost_a2b(&x->cost, a->rows, planes);
	return x->m ? ent_mpc_a2b(x->m, a, planes, ret, err) : dry_bits(a->rows, planes, ret);
}

int ent_sx_b2a(struct ent_sx *x, const struct ent_bits *a, bool sign, struct ent_ring *ret, struct ent_err *err)
{
	ent_cost_b2a(&x->cost, a->rows, a->planes);
	return x->m ? ent_mpc_b2a(x->m, a, sign, ret, err) : dry_ring(a->rows, ret);
}

int ent_sx_b2a_bits(struct ent_sx *x, const struct ent_bits *a, struct ent_ring *ret, struct ent_err *err)
{
	ent_cost_b2a_bits(&x->cost, a->rows, a->planes);
	if (x->m)
		return ent_mpc_b2a_bits(x->m, a, ret, err);
	for (unsigned i = 0; i < a->planes; i++)
		dry_ring(a->rows, &ret[i]);
	return 0;
}

int ent_sx_mul(struct ent_sx *x, const struct ent_ring *a, const struct ent_ring *b, struct ent_ring *ret, struct ent_err *err)
{
	ent_cost_mul(&x->cost, a->rows);
	return x->m ? ent_mpc_mul(x->m, a, b, ret, err) : dry_ring(a->rows, ret);
}

int ent_sx_sort(struct ent_sx *x, struct ent_rows *r, unsigned first, unsigned planes, struct ent_err *err)
{
	if (!x->m) {
		ent_cost_sort(&x->cost, r->rows, planes, r->bits.planes, r->rings);
		return 0;
	}
	struct ent_sort_stats stats = { 0 };
	ENT_TRY(ent_mpc_sort(x->m, r, first, planes, &stats, err));
	ent_cost_sort_actual(&x->cost, r->rows, planes, r->bits.planes, r->rings, &stats);
	return 0;
}

int ent_sx_filter(struct ent_sx *x, struct ent_why why, size_t kept, struct ent_rows *r, const struct ent_bits *flag, struct ent_err *err)
{
	ent_cost_filter(&x->cost, r->rows, r->bits.planes, r->rings);
	if (x->m) {
		ENT_TRY(ent_mpc_filter(x->m, why, r, flag, err));
		if (kept != SIZE_MAX && r->rows != kept)
			return ent_fail(err, ENT_EPEER, "a filter kept %zu rows instead of %zu", r->rows, kept);
		return 0;
	}
	r->rows = kept == SIZE_MAX ? 1 : kept;
	r->bits.rows = r->rows;
	for (unsigned i = 0; i < r->rings; i++)
		r->ring[i].rows = r->rows;
	return 0;
}

int ent_sx_copy_down(struct ent_sx *x, const struct ent_bits *stop, struct ent_bits *a, struct ent_err *err)
{
	ent_cost_copy_down(&x->cost, a->rows, a->planes);
	return x->m ? ent_mpc_copy_down(x->m, stop, a, err) : 0;
}

int ent_sx_run_min(struct ent_sx *x, const struct ent_bits *stop, struct ent_bits *a, bool max, struct ent_err *err)
{
	ent_cost_run_min(&x->cost, a->rows, a->planes);
	return x->m ? ent_mpc_run_min(x->m, stop, a, max, err) : 0;
}

int ent_sx_run_or(struct ent_sx *x, const struct ent_bits *stop, struct ent_bits *a, struct ent_err *err)
{
	ent_cost_run_or(&x->cost, a->rows);
	return x->m ? ent_mpc_run_or(x->m, stop, a, err) : 0;
}

int ent_sx_run_sums(struct ent_sx *x, struct ent_rows *r, const struct ent_bits *last, uint32_t rings, struct ent_err *err)
{
	ent_cost_run_sums(&x->cost, r->rows, r->bits.planes, r->rings);
	return x->m ? ent_mpc_run_sums(x->m, r, last, rings, err) : 0;
}

int ent_sx_open_bits(struct ent_sx *x, struct ent_why why, const struct ent_bits *a, uint64_t *ret, struct ent_err *err)
{
	ent_cost_open_bits(&x->cost, a->rows, a->planes);
	return x->m ? ent_mpc_open_bits(x->m, why, a, ret, err) : 0;
}

int ent_sx_dup(struct ent_sx *x, const struct ent_bits *a, struct ent_bits *ret, struct ent_err *err)
{
	return x->m ? ent_bits_dup(x->m, a, ret, err) : dry_bits(a->rows, a->planes, ret);
}

int ent_sx_xor(struct ent_sx *x, const struct ent_bits *a, const struct ent_bits *b, struct ent_bits *ret, struct ent_err *err)
{
	return x->m ? ent_bits_xor(x->m, a, b, ret, err) : dry_bits(a->rows, a->planes, ret);
}

int ent_sx_not(struct ent_sx *x, const struct ent_bits *a, struct ent_bits *ret, struct ent_err *err)
{
	return x->m ? ent_bits_not(x->m, a, ret, err) : dry_bits(a->rows, a->planes, ret);
}

int ent_sx_const(struct ent_sx *x, size_t rows, unsigned planes, uint64_t value, struct ent_bits *ret, struct ent_err *err)
{
	if (!x->m)
		return dry_bits(rows, planes, ret);
	return value ? ent_bits_const(x->m, rows, planes, value, ret, err) : ent_bits_new(x->m, rows, planes, ret, err);
}

int ent_sx_index(struct ent_sx *x, size_t rows, unsigned planes, struct ent_bits *ret, struct ent_err *err)
{
	return x->m ? ent_bits_index(x->m, rows, planes, ret, err) : dry_bits(rows, planes, ret);
}

int ent_sx_stack(struct ent_sx *x, const struct ent_bits *const *parts, size_t count, struct ent_bits *ret, struct ent_err *err)
{
	if (x->m)
		return ent_bits_stack(x->m, parts, count, ret, err);
	unsigned planes = 0;
	for (size_t i = 0; i < count; i++)
		planes += parts[i]->planes;
	return dry_bits(count ? parts[0]->rows : 0, planes, ret);
}

int ent_sx_widen(struct ent_sx *x, const struct ent_bits *a, unsigned planes, bool sign, struct ent_bits *ret, struct ent_err *err)
{
	return x->m ? ent_bits_widen(x->m, a, planes, sign, ret, err) : dry_bits(a->rows, planes, ret);
}

int ent_sx_append(struct ent_sx *x, const struct ent_bits *a, const struct ent_bits *b, struct ent_bits *ret, struct ent_err *err)
{
	return x->m ? ent_bits_append(x->m, a, b, ret, err) : dry_bits(a->rows + b->rows, a->planes, ret);
}

int ent_sx_range(struct ent_sx *x, const struct ent_bits *a, size_t first, size_t count, struct ent_bits *ret, struct ent_err *err)
{
	return x->m ? ent_bits_range(x->m, a, first, count, ret, err) : dry_bits(count, a->planes, ret);
}

int ent_sx_gather(struct ent_sx *x, const struct ent_bits *a, const uint32_t *at, size_t count, struct ent_bits *ret, struct ent_err *err)
{
	return x->m ? ent_bits_gather(x->m, a, at, count, ret, err) : dry_bits(count, a->planes, ret);
}

static void freep(uint32_t **p) { free(*p); }

int ent_sx_reverse(struct ent_sx *x, const struct ent_bits *a, struct ent_bits *ret, struct ent_err *err)
{
	if (!x->m)
		return dry_bits(a->rows, a->planes, ret);
	ENT_CLEANUP(freep) uint32_t *at = ent_alloc(a->rows + 1, sizeof *at);
	if (!at)
		return ent_nomem(err);
	for (size_t i = 0; i < a->rows; i++)
		at[i] = (uint32_t)(a->rows - 1 - i);
	return ent_bits_gather(x->m, a, at, a->rows, ret, err);
}

int ent_sx_shift_down(struct ent_sx *x, const struct ent_bits *a, bool first, struct ent_bits *ret, struct ent_err *err)
{
	return x->m ? ent_bits_shift_down(x->m, a, first, ret, err) : dry_bits(a->rows, a->planes, ret);
}

int ent_sx_shift_up(struct ent_sx *x, const struct ent_bits *a, bool last, struct ent_bits *ret, struct ent_err *err)
{
	return x->m ? ent_bits_shift_up(x->m, a, last, ret, err) : dry_bits(a->rows, a->planes, ret);
}

struct ent_bits ent_sx_view(const struct ent_bits *a, unsigned first, unsigned count)
{
	return a->c[0] ? ent_bits_planes(a, first, count) : shape_bits(a->rows, count);
}

int ent_sx_ring_sum(struct ent_sx *x, const struct ent_ring *a, struct ent_ring *ret, struct ent_err *err)
{
	return x->m ? ent_ring_sum(x->m, a, ret, err) : dry_ring(1, ret);
}

int ent_sx_ring_dup(struct ent_sx *x, const struct ent_ring *a, struct ent_ring *ret, struct ent_err *err)
{
	return x->m ? ent_ring_dup(x->m, a, ret, err) : dry_ring(a->rows, ret);
}

int ent_sx_ring_range(struct ent_sx *x, const struct ent_ring *a, size_t first, size_t count, struct ent_ring *ret, struct ent_err *err)
{
	return x->m ? ent_ring_range(x->m, a, first, count, ret, err) : dry_ring(count, ret);
}

void ent_sx_ring_add_in(struct ent_sx *x, struct ent_ring *a, const struct ent_ring *b)
{
	if (x->m)
		ent_ring_add_in(a, b);
}

void ent_sx_ring_sub_in(struct ent_sx *x, struct ent_ring *a, const struct ent_ring *b)
{
	if (x->m)
		ent_ring_sub_in(a, b);
}

void ent_sx_ring_scale(struct ent_sx *x, struct ent_ring *a, uint64_t factor)
{
	if (x->m)
		ent_ring_scale(a, factor);
}

void ent_sx_ring_add_const(struct ent_sx *x, struct ent_ring *a, uint64_t value)
{
	if (x->m)
		ent_ring_add_const(x->m, a, value);
}

void ent_sx_ring_running(struct ent_sx *x, struct ent_ring *a)
{
	if (x->m)
		ent_ring_running(a);
}
