/* Role 0 sends u minus a mask that role 2 knows too; role 1 multiplies what it received by v, role 2 the mask by v. A product that is scaled by 2^s
 * needs only 64-s bits of it. The local sums are reshared with a zero share. Role 1 sees u under a mask it does not know; nobody else sees anything.
 */
#include "mpc/cross.h"

#include "mpc/kernel.h"

struct cross_block ent_cross_block(int party, size_t first, size_t total)
{
	size_t rows = total - first < ROTATE_ROWS ? total - first : ROTATE_ROWS;
	return (struct cross_block){ (party + 3 - (int)(first / ROTATE_ROWS % 3)) % 3, first, rows, ent_words(rows) };
}

/* Every (block, product) has its own range of the stream. */
static void masks(struct ent_mpc *m, int j, const struct cross_block *b, unsigned t, unsigned bits, uint64_t *ret)
{
	uint64_t at = ((uint64_t)b->first / ROTATE_ROWS * 64 + t) * TILE_WORDS;
	ENT_ASSERT(t < 64);
	ent_mpc_draw(m, j, STREAM_CROSS, at, ret, (size_t)bits * b->words);
}

/* ret = u - r as numbers of `bits` bits in planes, word-parallel. */
static void subtract_from_bit(const uint64_t *u, const uint64_t *r, unsigned bits, size_t words, uint64_t *ret)
{
	for (size_t w = 0; w < words; w++) {
		uint64_t borrow = 0, a = u[w];
		for (unsigned k = 0; k < bits; k++, a = 0) {
			uint64_t b = r[k * words + w];
			ret[k * words + w] = a ^ b ^ borrow;
			borrow = (~a & (b | borrow)) | (b & borrow);
		}
	}
}

/* z[row] += factor * v[row] * number, number given as planes. */
static void accumulate(const struct cross_block *b, const uint64_t *v, const uint64_t *planes, unsigned bits, uint64_t factor, uint64_t *z)
{
	uint64_t block[64] __attribute__((aligned(64)));
	for (size_t w = 0; w < b->words; w++) {
		size_t here = b->rows - w * 64 < 64 ? b->rows - w * 64 : 64;
		for (unsigned k = 0; k < 64; k++)
			block[k] = k < bits ? planes[k * b->words + w] & v[w] : 0;
		ent_mpc_kernel()->transpose(block);
		for (size_t r = 0; r < here; r++)
			z[w * 64 + r] += factor * block[r];
	}
}

static uint64_t sent_words(const struct cross_job *c, int party)
{
	uint64_t bits = 0, words = 0;
	for (unsigned t = 0; t < c->products; t++)
		bits += c->product[t].bits;
	for (size_t at = 0; at < c->rows; at += ROTATE_ROWS) {
		struct cross_block b = ent_cross_block(party, at, c->rows);
		words += b.role == 0 ? b.words * bits : 0;
	}
	return words;
}

static int send_block(struct ent_mpc *m, const struct cross_job *c, const struct cross_block *b, struct wire *w, struct ent_err *err)
{
	uint64_t u[ROTATE_ROWS / 64];
	for (unsigned t = 0; t < c->products; t++) {
		unsigned bits = c->product[t].bits;
		c->bit(c, b, t, u);
		masks(m, 0, b, t, bits, m->tile[0]);
		subtract_from_bit(u, m->tile[0], bits, b->words, m->tile[1]);
		if (bits)
			ENT_TRY(ent_wire_put(m, w, m->tile[1], (size_t)bits * b->words * 8, err));
	}
	return 0;
}

/* Roles 1 and 2: their factor is what came, or the mask. */
static int multiply_block(struct ent_mpc *m, const struct cross_job *c, const struct cross_block *b, struct wire *w, struct ent_ring *z,
			  struct ent_err *err)
{
	uint64_t v[ROTATE_ROWS / 64];
	for (unsigned t = 0; t < c->products; t++) {
		const struct cross_product *p = &c->product[t];
		if (!p->bits)
			continue;
		c->bit(c, b, t, v);
		if (b->role == 1)
			ENT_TRY(ent_wire_get(m, w, m->tile[0], (size_t)p->bits * b->words * 8, err));
		else
			masks(m, 1, b, t, p->bits, m->tile[0]);
		accumulate(b, v, m->tile[0], p->bits, p->factor, z[p->output].c[0] + b->first);
	}
	return 0;
}

static int first_round(struct ent_mpc *m, const struct cross_job *c, struct ent_ring *z, struct ent_err *err)
{
	uint64_t out = sent_words(c, m->party), in = sent_words(c, party_after(m->party, 2));
	struct wire w;
	ENT_TRY(ent_mpc_begin(m, err));
	if (out)
		ENT_TRY(ent_wire_send(m, WAY_NEXT, out * 8, &w, err));
	for (size_t at = 0; at < c->rows; at += ROTATE_ROWS) {
		struct cross_block b = ent_cross_block(m->party, at, c->rows);
		if (b.role == 0)
			ENT_TRY(send_block(m, c, &b, &w, err));
	}
	if (in)
		ENT_TRY(ent_wire_recv(m, WAY_PREV, in * 8, &w, err));
	for (size_t at = 0; at < c->rows; at += ROTATE_ROWS) {
		struct cross_block b = ent_cross_block(m->party, at, c->rows);
		if (b.role)
			ENT_TRY(multiply_block(m, c, &b, &w, z, err));
		for (unsigned o = 0; o < c->outputs && b.role < 2; o++)
			c->linear(c, &b, o, z[o].c[0] + at);
	}
	return ent_mpc_round(m, err);
}

static int run(struct ent_mpc *m, const struct cross_job *c, struct ent_ring *z, uint64_t **mine, uint64_t **theirs, size_t *words,
	       struct ent_err *err)
{
	ENT_TRY(first_round(m, c, z, err));
	for (unsigned o = 0; o < c->outputs; o++) {
		mine[o] = z[o].c[0];
		theirs[o] = z[o].c[1];
		words[o] = c->rows;
	}
	ENT_TRY(ent_mpc_begin(m, err));
	return ent_reshare_ring(m, mine, theirs, words, c->outputs, err);
}

int ent_cross_run(struct ent_mpc *m, const struct cross_job *c, struct ent_ring *ret, struct ent_err *err)
{
	struct ent_ring z[64];
	uint64_t *mine[64], *theirs[64];
	size_t words[64];
	unsigned made = 0;
	int rc = 0;
	ENT_ASSERT(c->outputs <= 64 && c->products <= 64);
	for (; made < c->outputs && !rc; made += !rc)
		rc = ent_ring_new(m, c->rows, &z[made], err);
	if (!rc)
		rc = run(m, c, z, mine, theirs, words, err);
	for (unsigned o = 0; o < made; o++)
		if (rc)
			ent_ring_deinit(&z[o]);
		else
			ret[o] = z[o];
	return rc;
}
