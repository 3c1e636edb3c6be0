/* The shuffle: three passes over packed rows. Roles: the lead L adds its two components into one half, party L+1 takes the third as the other half;
 * each pass permutes both halves by a permutation two parties know and hands one half, masked, to the party that knows the next. */
#include "mpc/shuffle.h"

#include "mpc/engine.h"
#include "mpc/kernel.h"
#include "mpc/permute.h"

/* One half of all rows: packed bits (XOR) and ring words (sum), row after row. */
struct half {
	size_t rows, bit_bytes, rings; /* bytes of bits and ring words per row */
	uint64_t *bits, *ring;
	uint64_t *spare_bits, *spare_ring; /* other side of a permutation */
	uint32_t *at;
};

static size_t bits_words(const struct half *h) { return (h->rows * h->bit_bytes + 7) / 8; }
static size_t ring_words(const struct half *h) { return h->rows * h->rings; }
static uint64_t half_bytes(const struct half *h) { return h->rows * h->bit_bytes + ring_words(h) * 8; }

enum mask { MASK_XOR, MASK_ADD, MASK_SUB };

static void mask_words(struct ent_mpc *m, int j, uint16_t stream, enum mask how, uint64_t *x, size_t words)
{
	for (size_t k = 0; k < words; k += TILE_WORDS) {
		size_t n = words - k < TILE_WORDS ? words - k : TILE_WORDS;
		ent_mpc_draw(m, j, stream, k, m->tile[0], n);
		if (how == MASK_XOR)
			ent_mpc_kernel()->xor_in(x + k, m->tile[0], n);
		else if (how == MASK_ADD)
			ent_mpc_kernel()->add_in(x + k, m->tile[0], n);
		else
			ent_mpc_kernel()->sub_in(x + k, m->tile[0], n);
	}
}

/* Masks from component j: how says which sign the ring part gets. stream and stream+1 are used. */
static void mask_half(struct ent_mpc *m, struct half *h, int j, uint16_t stream, enum mask ring_how)
{
	mask_words(m, j, stream, MASK_XOR, h->bits, bits_words(h));
	mask_words(m, j, (uint16_t)(stream + 1), ring_how, h->ring, ring_words(h));
}

static void permute_half(struct ent_mpc *m, struct half *h, int j)
{
	uint64_t *t;
#ifdef ENT_MUTANT_NO_SHUFFLE
	return;
#endif
	ent_mpc_permutation(m, j, h->at, h->rows);
	if (h->bit_bytes)
		ent_rows_permute((uint8_t *)h->bits, h->at, h->rows, h->bit_bytes, (uint8_t *)h->spare_bits);
	if (h->rings)
		ent_rows_permute((uint8_t *)h->ring, h->at, h->rows, h->rings * 8, (uint8_t *)h->spare_ring);
	t = h->bits, h->bits = h->spare_bits, h->spare_bits = t;
	t = h->ring, h->ring = h->spare_ring, h->spare_ring = t;
}

static int send_half(struct ent_mpc *m, enum way way, const struct half *h, struct ent_err *err)
{
	struct wire w;
	ENT_TRY(ent_wire_send(m, way, half_bytes(h), &w, err));
	ENT_TRY(ent_wire_put(m, &w, h->bits, h->rows * h->bit_bytes, err));
	return ent_wire_put(m, &w, h->ring, ring_words(h) * 8, err);
}

static int recv_half(struct ent_mpc *m, enum way way, const struct half *h, uint64_t *bits, uint64_t *ring, struct ent_err *err)
{
	struct wire w;
	ENT_TRY(ent_wire_recv(m, way, half_bytes(h), &w, err));
	ENT_TRY(ent_wire_get(m, &w, bits, h->rows * h->bit_bytes, err));
	return ent_wire_get(m, &w, ring, ring_words(h) * 8, err);
}

/* Rows to packed form: component 0, or both added up. */
static void load(const struct ent_rows *x, bool both, int j, struct half *h)
{
	ent_rows_pack(x->bits.c[j], x->rows, x->bits.planes, (uint8_t *)h->bits);
	if (both) {
		ent_rows_pack(x->bits.c[1], x->rows, x->bits.planes, (uint8_t *)h->spare_bits);
		ent_mpc_kernel()->xor_in(h->bits, h->spare_bits, bits_words(h));
	}
	for (size_t k = 0; k < h->rings; k++)
		for (size_t r = 0; r < x->rows; r++)
			h->ring[r * h->rings + k] = x->ring[k].c[j][r] + (both ? x->ring[k].c[1][r] : 0);
}

static void store(struct ent_rows *x, int j, const uint64_t *bits, const uint64_t *ring)
{
	ent_rows_unpack((const uint8_t *)bits, x->rows, x->bits.planes, x->bits.c[j]);
	for (size_t k = 0; k < x->rings; k++)
		for (size_t r = 0; r < x->rows; r++)
			x->ring[k].c[j][r] = ring[r * x->rings + k];
}

/* A new component that is pure randomness, left in the spare side too. */
static void store_random(struct ent_mpc *m, struct ent_rows *x, int j, struct half *h)
{
	memset(h->spare_bits, 0, bits_words(h) * 8);
	memset(h->spare_ring, 0, ring_words(h) * 8);
	mask_words(m, j, STREAM_NEW_BITS, MASK_XOR, h->spare_bits, bits_words(h));
	mask_words(m, j, STREAM_NEW_RING, MASK_ADD, h->spare_ring, ring_words(h));
	store(x, j, h->spare_bits, h->spare_ring);
}

/* The last pass at role 0 or 2: masks the half by the new component it also keeps, exchanges, adds. */
static int last_pass(struct ent_mpc *m, int role, struct ent_rows *x, struct half *h, struct ent_err *err)
{
	int random = role == 0, mine = 1 - random; /* which component is random, which is computed */
	enum way to = role == 0 ? WAY_PREV : WAY_NEXT;
	permute_half(m, h, mine);
	store_random(m, x, random, h);
	ent_mpc_kernel()->xor_in(h->bits, h->spare_bits, bits_words(h));
	ent_mpc_kernel()->sub_in(h->ring, h->spare_ring, ring_words(h));
	ENT_TRY(send_half(m, to, h, err));
	ENT_TRY(recv_half(m, to, h, h->spare_bits, h->spare_ring, err));
	ent_mpc_kernel()->xor_in(h->bits, h->spare_bits, bits_words(h));
	ent_mpc_kernel()->add_in(h->ring, h->spare_ring, ring_words(h));
	store(x, mine, h->bits, h->ring);
	return ent_mpc_round(m, err);
}

static int role_lead(struct ent_mpc *m, struct ent_rows *x, struct half *h, struct ent_err *err)
{
	load(x, true, 0, h);
	permute_half(m, h, 1);
	mask_half(m, h, 1, STREAM_MASK1_BITS, MASK_SUB);
	ENT_TRY(send_half(m, WAY_PREV, h, err));
	ENT_TRY(ent_mpc_round(m, err));
	ENT_TRY(recv_half(m, WAY_NEXT, h, h->bits, h->ring, err));
	ENT_TRY(ent_mpc_round(m, err));
	return last_pass(m, 0, x, h, err);
}

static int role_second(struct ent_mpc *m, struct ent_rows *x, struct half *h, struct ent_err *err)
{
	load(x, false, 1, h);
	permute_half(m, h, 0);
	mask_half(m, h, 0, STREAM_MASK1_BITS, MASK_ADD);
	ENT_TRY(ent_mpc_round(m, err));
	permute_half(m, h, 1);
	mask_half(m, h, 1, STREAM_MASK2_BITS, MASK_SUB);
	ENT_TRY(send_half(m, WAY_PREV, h, err));
	ENT_TRY(ent_mpc_round(m, err));
	store_random(m, x, 0, h);
	store_random(m, x, 1, h);
	return ent_mpc_round(m, err);
}

static int role_third(struct ent_mpc *m, struct ent_rows *x, struct half *h, struct ent_err *err)
{
	ENT_TRY(recv_half(m, WAY_NEXT, h, h->bits, h->ring, err));
	ENT_TRY(ent_mpc_round(m, err));
	permute_half(m, h, 0);
	mask_half(m, h, 0, STREAM_MASK2_BITS, MASK_ADD);
	ENT_TRY(ent_mpc_round(m, err));
	return last_pass(m, 2, x, h, err);
}

static int half_new(struct ent_mpc *m, const struct ent_rows *x, struct scratch *s, struct half *ret, struct ent_err *err)
{
	struct half h = { .rows = x->rows, .bit_bytes = (x->bits.planes + 7) / 8, .rings = x->rings };
	size_t bits = bits_words(&h) + 8, ring = ring_words(&h) + 8;
	ENT_TRY(ent_mpc_scratch(m, 2 * (bits + ring) + h.rows / 2 + 8, 8, s, err));
	h.bits = s->at;
	h.spare_bits = h.bits + bits;
	h.ring = h.spare_bits + bits;
	h.spare_ring = h.ring + ring;
	h.at = (uint32_t *)(h.spare_ring + ring);
	if (bits_words(&h))
		h.bits[bits_words(&h) - 1] = h.spare_bits[bits_words(&h) - 1] = 0;
	*ret = h;
	return 0;
}

int ent_mpc_shuffle(struct ent_mpc *m, struct ent_rows *x, struct ent_err *err)
{
	ENT_CLEANUP(ent_mpc_scratch_free) struct scratch s = { 0 };
	struct half h;
	int role = (m->party + 3 - (int)(m->shuffles % 3)) % 3;
	ENT_ASSERT(x->rows < UINT32_MAX);
	ENT_TRY(ent_mpc_begin(m, err));
	ENT_TRY(half_new(m, x, &s, &h, err));
	m->shuffles++;
	if (role == 0)
		return role_lead(m, x, &h, err);
	return role == 1 ? role_second(m, x, &h, err) : role_third(m, x, &h, err);
}
