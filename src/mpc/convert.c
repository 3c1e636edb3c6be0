/* From bits to words and back, and truncation. A sharing splits into u = two components, known to one party, and v = the third, known to the others;
 * which party is which goes round every ROTATE_ROWS rows. */
#include "mpc/convert.h"

#include "mpc/cross.h"
#include "mpc/kernel.h"

/* B2A: bit = u + v - 2uv for each plane. */
struct planes_job {
	const struct ent_bits *x;
	bool sign; /* the top plane weighs -2^(l-1) */
};

static void plane_bit(const struct cross_job *c, const struct cross_block *b, unsigned t, uint64_t *ret)
{
	const struct planes_job *p = c->arg;
	const uint64_t *x0 = plane(p->x, 0, t) + b->first / 64, *x1 = plane(p->x, 1, t) + b->first / 64;
	for (size_t w = 0; w < b->words; w++)
		ret[w] = b->role == 0 ? x0[w] ^ x1[w] : b->role == 1 ? x1[w] : x0[w];
}

static void add_bit(const struct cross_job *c, const struct cross_block *b, unsigned output, uint64_t *z)
{
	uint64_t bits[ROTATE_ROWS / 64];
	plane_bit(c, b, output, bits);
	for (size_t r = 0; r < b->rows; r++)
		z[r] += bits[r / 64] >> (r % 64) & 1;
}

int ent_mpc_b2a_bits(struct ent_mpc *m, const struct ent_bits *x, struct ent_ring *ret, struct ent_err *err)
{
	struct cross_product p[64];
	struct planes_job job = { x, false };
	ENT_ASSERT(x->planes >= 1 && x->planes <= 64);
	for (unsigned k = 0; k < x->planes; k++)
		p[k] = (struct cross_product){ 63, k, (uint64_t)-2 };
	return ent_cross_run(m, &(struct cross_job){ x->rows, x->planes, x->planes, p, plane_bit, add_bit, &job }, ret, err);
}

int ent_mpc_b2a_bit(struct ent_mpc *m, const struct ent_bits *x, struct ent_ring *ret, struct ent_err *err)
{
	ENT_ASSERT(x->planes == 1);
	return ent_mpc_b2a_bits(m, x, ret, err);
}

static void add_word(const struct cross_job *c, const struct cross_block *b, unsigned output, uint64_t *z)
{
	const struct planes_job *p = c->arg;
	uint64_t block[64] __attribute__((aligned(64))), all[64][ROTATE_ROWS / 64];
	(void)output;
	for (unsigned k = 0; k < p->x->planes; k++)
		plane_bit(c, b, k, all[k]);
	for (size_t w = 0; w < b->words; w++) {
		size_t here = b->rows - w * 64 < 64 ? b->rows - w * 64 : 64;
		for (unsigned k = 0; k < 64; k++)
			block[k] = k < p->x->planes ? all[k][w] : p->sign ? all[p->x->planes - 1][w] : 0;
		ent_mpc_kernel()->transpose(block);
		for (size_t r = 0; r < here; r++)
			z[w * 64 + r] += block[r];
	}
}

int ent_mpc_b2a(struct ent_mpc *m, const struct ent_bits *x, bool sign, struct ent_ring *ret, struct ent_err *err)
{
	struct cross_product p[64];
	struct planes_job job = { x, sign };
	ENT_ASSERT(x->planes >= 1 && x->planes <= 64);
	for (unsigned k = 0; k < x->planes; k++)
		p[k] = (struct cross_product){ 63 - k, 0, (uint64_t)(sign && k + 1 == x->planes ? 2 : -2) << k };
	return ent_cross_run(m, &(struct cross_job){ x->rows, x->planes, 1, p, plane_bit, add_word, &job }, ret, err);
}

/* Truncation of x' = x + 2^62 in [0, 2^63): u + v = x' + 2^64 w with w = msb(u) | msb(v), because x' < 2^63. So
 * x' >> f = (u >> f) + (v >> f) + carry - w 2^(64-f), and the carry out of the low bits is the one unit that is left off. */
struct trunc_job {
	const struct ent_ring *x;
	unsigned shift;
};

static uint64_t trunc_known(const struct trunc_job *t, const struct cross_block *b, size_t r)
{
	uint64_t x0 = t->x->c[0][b->first + r], x1 = t->x->c[1][b->first + r];
	return b->role == 0 ? x0 + x1 + ((uint64_t)1 << 62) : b->role == 1 ? x1 : x0;
}

static void trunc_bit(const struct cross_job *c, const struct cross_block *b, unsigned t, uint64_t *ret)
{
	(void)t;
	for (size_t w = 0; w < b->words; w++)
		ret[w] = 0;
	for (size_t r = 0; r < b->rows; r++)
		ret[r / 64] |= trunc_known(c->arg, b, r) >> 63 << (r % 64);
}

static void trunc_linear(const struct cross_job *c, const struct cross_block *b, unsigned output, uint64_t *z)
{
	const struct trunc_job *t = c->arg;
	uint64_t offset = b->role == 0 ? (uint64_t)1 << (62 - t->shift) : 0;
	(void)output;
	for (size_t r = 0; r < b->rows; r++) {
		uint64_t k = trunc_known(t, b, r);
		z[r] += (k >> t->shift) - ((k >> 63) << (64 - t->shift)) - offset;
	}
}

int ent_mpc_trunc(struct ent_mpc *m, const struct ent_ring *x, unsigned shift, struct ent_ring *ret, struct ent_err *err)
{
	ENT_ASSERT(shift >= 1 && shift <= 62);
	struct trunc_job job = { x, shift };
	struct cross_product p = { shift, 0, (uint64_t)1 << (64 - shift) };
	return ent_cross_run(m, &(struct cross_job){ x->rows, 1, 1, &p, trunc_bit, trunc_linear, &job }, ret, err);
}
