/* AND, OR, choice and products of shared columns, as lists of gates. */
#include "mpc/gate.h"

#include "mpc/engine.h"
#include "mpc/kernel.h"

/* One gate for plane k of x and y. */
static struct gate gate_at(const struct ent_bits *x, const struct ent_bits *y, struct ent_bits *z, unsigned k)
{
	unsigned ky = y->planes == 1 ? 0 : k;
	return (struct gate){ .x = { plane(x, 0, k), plane(x, 1, k) },
			      .y = { plane(y, 0, ky), plane(y, 1, ky) },
			      .z = { plane(z, 0, k), plane(z, 1, k) },
			      .words = ent_words(x->rows) };
}

static void check_shapes(const struct ent_bits *x, const struct ent_bits *y)
{
	ENT_ASSERT(x->rows == y->rows && (x->planes == y->planes || y->planes == 1));
}

int ent_mpc_and_batch(struct ent_mpc *m, const struct ent_and *pairs, size_t count, struct ent_bits *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_mpc_scratch_free) struct scratch s = { 0 }, outs = { 0 };
	size_t gates = 0, n = 0;
	for (size_t i = 0; i < count; i++)
		gates += pairs[i].x->planes;
	ENT_TRY(ent_mpc_scratch(m, gates, sizeof(struct gate), &s, err));
	ENT_TRY(ent_mpc_scratch(m, count, sizeof(struct ent_bits), &outs, err));
	struct gate *g = s.at;
	struct ent_bits *z = outs.at;
	int rc = 0;
	size_t made = 0;
	for (; made < count && !rc; made += !rc) {
		check_shapes(pairs[made].x, pairs[made].y);
		rc = ent_bits_make(m, pairs[made].x->rows, pairs[made].x->planes, &z[made], err);
		for (unsigned k = 0; !rc && k < pairs[made].x->planes; k++)
			g[n++] = gate_at(pairs[made].x, pairs[made].y, &z[made], k);
	}
	if (!rc)
		rc = ent_gates_and(m, g, n, err);
	for (size_t i = 0; i < made; i++)
		if (rc)
			ent_bits_deinit(&z[i]);
		else
			ret[i] = z[i];
	return rc;
}

int ent_mpc_and(struct ent_mpc *m, const struct ent_bits *x, const struct ent_bits *y, struct ent_bits *ret, struct ent_err *err)
{
	return ent_mpc_and_batch(m, &(struct ent_and){ x, y }, 1, ret, err);
}

/* x | y = y ^ (~y & x): the roles of x and y are exchanged in the gate so that not_x negates y. */
int ent_mpc_or(struct ent_mpc *m, const struct ent_bits *x, const struct ent_bits *y, struct ent_bits *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits z = { 0 };
	ENT_CLEANUP(ent_mpc_scratch_free) struct scratch s = { 0 };
	check_shapes(x, y);
	ENT_TRY(ent_bits_make(m, x->rows, x->planes, &z, err));
	ENT_TRY(ent_mpc_scratch(m, x->planes, sizeof(struct gate), &s, err));
	struct gate *g = s.at;
	for (unsigned k = 0; k < x->planes; k++) {
		g[k] = gate_at(x, y, &z, k);
		for (int j = 0; j < 2; j++) {
			const uint64_t *t = g[k].x[j];
			g[k].x[j] = g[k].w[j] = g[k].y[j];
			g[k].y[j] = t;
		}
		g[k].not_x = true;
	}
	ENT_TRY(ent_gates_and(m, g, x->planes, err));
	*ret = ent_bits_take(&z);
	return 0;
}

int ent_mpc_mux(struct ent_mpc *m, const struct ent_bits *cond, const struct ent_bits *x, const struct ent_bits *y, struct ent_bits *ret,
		struct ent_err *err)
{
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits z = { 0 };
	ENT_CLEANUP(ent_mpc_scratch_free) struct scratch s = { 0 };
	ENT_ASSERT(cond->planes == 1 && cond->rows == x->rows && x->rows == y->rows && x->planes == y->planes);
	ENT_TRY(ent_bits_make(m, x->rows, x->planes, &z, err));
	ENT_TRY(ent_mpc_scratch(m, x->planes, sizeof(struct gate), &s, err));
	struct gate *g = s.at;
	for (unsigned k = 0; k < x->planes; k++) {
		g[k] = gate_at(x, cond, &z, k);
		for (int j = 0; j < 2; j++)
			g[k].xx[j] = g[k].w[j] = plane(y, j, k);
	}
	ENT_TRY(ent_gates_and(m, g, x->planes, err));
	*ret = ent_bits_take(&z);
	return 0;
}

int ent_tree_and(struct ent_mpc *m, struct ent_bits *e, struct ent_err *err)
{
	ENT_CLEANUP(ent_mpc_scratch_free) struct scratch s = { 0 };
	ENT_TRY(ent_mpc_scratch(m, e->planes / 2 + 1, sizeof(struct gate), &s, err));
	struct gate *g = s.at;
	for (unsigned left = e->planes; left > 1; left = (left + 1) / 2) {
		struct ent_bits hi = *e;
		for (unsigned i = 0; i < left / 2; i++) {
			g[i] = gate_at(&hi, &hi, e, 2 * i + 1);
			for (int j = 0; j < 2; j++) {
				g[i].y[j] = plane(e, j, 2 * i);
				g[i].z[j] = plane(e, j, i);
			}
		}
		ENT_TRY(ent_gates_and(m, g, left / 2, err));
		if (left % 2)
			for (int j = 0; j < 2; j++)
				memmove(plane(e, j, left / 2), plane(e, j, left - 1), ent_words(e->rows) * 8);
	}
	return 0;
}

int ent_mpc_and_planes(struct ent_mpc *m, const struct ent_bits *x, struct ent_bits *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits e = { 0 };
	ENT_ASSERT(x->planes >= 1);
	ENT_TRY(ent_bits_dup(m, x, &e, err));
	ENT_TRY(ent_tree_and(m, &e, err));
	e.planes = 1;
	ENT_TRY(ent_bits_dup(m, &e, ret, err));
	return 0;
}

int ent_mpc_or_planes(struct ent_mpc *m, const struct ent_bits *x, struct ent_bits *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits not_x = { 0 }, none = { 0 };
	ENT_TRY(ent_bits_not(m, x, &not_x, err));
	ENT_TRY(ent_mpc_and_planes(m, &not_x, &none, err));
	ent_bits_flip(m, &none);
	*ret = ent_bits_take(&none);
	return 0;
}

/* mine += x0*(y0+y1) + x1*y0, tile-wise through the zero share: the fused form of one product per word. */
static int mul_send(struct ent_mpc *m, struct wire *out, uint64_t *at, const struct ent_ring *x, const struct ent_ring *y, struct ent_ring *z,
		    struct ent_err *err)
{
	for (size_t k = 0; k < x->rows; k += TILE_WORDS) {
		size_t n = x->rows - k < TILE_WORDS ? x->rows - k : TILE_WORDS;
		ent_mpc_zero_sub(m, *at, m->tile[0], n);
		ent_mpc_kernel()->mul_tile(m->tile[0], z->c[0] + k, x->c[0] + k, x->c[1] + k, y->c[0] + k, y->c[1] + k, n);
		ENT_TRY(ent_wire_put(m, out, m->tile[0], n * 8, err));
		*at += (n + 1) & ~(size_t)1;
	}
	return 0;
}

static int mul_all(struct ent_mpc *m, const struct ent_mul *pairs, size_t count, struct ent_ring *z, struct ent_err *err)
{
	struct wire out, in;
	uint64_t total = 0, at = 0;
	for (size_t i = 0; i < count; i++)
		total += pairs[i].x->rows;
	ENT_TRY(ent_mpc_begin(m, err));
	ENT_TRY(ent_wire_send(m, WAY_PREV, total * 8, &out, err));
	for (size_t i = 0; i < count; i++)
		ENT_TRY(mul_send(m, &out, &at, pairs[i].x, pairs[i].y, &z[i], err));
	ENT_TRY(ent_wire_recv(m, WAY_NEXT, total * 8, &in, err));
	for (size_t i = 0; i < count; i++)
		ENT_TRY(ent_wire_get(m, &in, z[i].c[1], z[i].rows * 8, err));
	return ent_mpc_round(m, err);
}

int ent_mpc_mul_batch(struct ent_mpc *m, const struct ent_mul *pairs, size_t count, struct ent_ring *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_mpc_scratch_free) struct scratch outs = { 0 };
	ENT_TRY(ent_mpc_scratch(m, count, sizeof(struct ent_ring), &outs, err));
	struct ent_ring *z = outs.at;
	int rc = 0;
	size_t made = 0;
	for (; made < count && !rc; made += !rc) {
		ENT_ASSERT(pairs[made].x->rows == pairs[made].y->rows);
		rc = ent_ring_make(m, pairs[made].x->rows, &z[made], err);
	}
	if (!rc)
		rc = mul_all(m, pairs, count, z, err);
	for (size_t i = 0; i < made; i++)
		if (rc)
			ent_ring_deinit(&z[i]);
		else
			ret[i] = z[i];
	return rc;
}

int ent_mpc_mul(struct ent_mpc *m, const struct ent_ring *x, const struct ent_ring *y, struct ent_ring *ret, struct ent_err *err)
{
	return ent_mpc_mul_batch(m, &(struct ent_mul){ x, y }, 1, ret, err);
}

int ent_mpc_dot(struct ent_mpc *m, const struct ent_ring *x, const struct ent_ring *y, struct ent_ring *ret, struct ent_err *err)
{
	ENT_ASSERT(x->rows == y->rows);
	return ent_mpc_matmul(m, x, y, 1, x->rows, 1, ret, err);
}

/* Matrices of one product: z = A0 x (B0+B1) + A1 x B0, row-major; b01 = B0+B1. */
struct product {
	const struct ent_ring *a;
	const uint64_t *b01, *b0;
	size_t rows, inner, cols;
	uint64_t *z;
};

#define MAC_COLS 512 /* a piece of a row of B, both parts, stays in the first-level cache while four rows of A use it */

static void mac_one(const struct product *p, size_t r, size_t first, size_t n)
{
	for (size_t k = 0; k < p->inner; k++) {
		uint64_t a0 = p->a->c[0][r * p->inner + k], a1 = p->a->c[1][r * p->inner + k];
		for (size_t c = first; c < first + n; c++)
			p->z[r * p->cols + c] += a0 * p->b01[k * p->cols + c] + a1 * p->b0[k * p->cols + c];
	}
}

static void mac_four(const struct product *p, size_t r, size_t first, size_t n)
{
	for (size_t k = 0; k < p->inner; k++) {
		uint64_t a0[4], a1[4];
		for (size_t i = 0; i < 4; i++) {
			a0[i] = p->a->c[0][(r + i) * p->inner + k];
			a1[i] = p->a->c[1][(r + i) * p->inner + k];
		}
		ent_mpc_kernel()->mac4(p->z + r * p->cols + first, p->cols, a0, a1, p->b01 + k * p->cols + first, p->b0 + k * p->cols + first, n);
	}
}

static void multiply(const struct product *p)
{
	memset(p->z, 0, p->rows * p->cols * 8);
	for (size_t first = 0; first < p->cols; first += MAC_COLS) {
		size_t n = p->cols - first < MAC_COLS ? p->cols - first : MAC_COLS, r = 0;
		for (; r + 4 <= p->rows; r += 4)
			mac_four(p, r, first, n);
		for (; r < p->rows; r++)
			mac_one(p, r, first, n);
	}
}

int ent_mpc_matmul(struct ent_mpc *m, const struct ent_ring *a, const struct ent_ring *b, size_t rows, size_t inner, size_t cols,
		   struct ent_ring *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_ring_deinit) struct ent_ring z = { 0 };
	ENT_CLEANUP(ent_mpc_scratch_free) struct scratch sum = { 0 };
	ENT_ASSERT(a->rows == rows * inner && b->rows == inner * cols);
	ENT_TRY(ent_mpc_begin(m, err));
	ENT_TRY(ent_ring_make(m, rows * cols, &z, err));
	ENT_TRY(ent_mpc_scratch(m, b->rows, 8, &sum, err));
	uint64_t *b01 = sum.at;
	for (size_t i = 0; i < b->rows; i++)
		b01[i] = b->c[0][i] + b->c[1][i];
	multiply(&(struct product){ a, b01, b->c[0], rows, inner, cols, z.c[0] });
	ENT_TRY(ent_reshare_ring(m, &z.c[0], &z.c[1], &z.rows, 1, err));
	*ret = ent_ring_take(&z);
	return 0;
}
