/* Openings: the only place where shares become values. Each is recorded, and the hook of the job may refuse, before anything leaves.
 * Bits past the last row are cleared on the way out: they are noise that may depend on anything. */
#include "mpc/open.h"

#include <stdlib.h>

#include "crypto/hash.h"
#include "crypto/secret.h"
#include "mpc/engine.h"
#include "mpc/kernel.h"
#include "mpc/taint.h"

int ent_mpc_record(struct ent_mpc *m, struct ent_why why, int to, uint64_t bits, struct ent_err *err)
{
	struct ent_mpc_opening o = { why.what, why.permit, to, bits, m->op };
	ENT_ASSERT(why.what);
#ifdef ENT_MUTANT_OPEN_UNRECORDED
	return 0;
#endif
	if (m->openings_count == m->openings_cap) {
		size_t cap = m->openings_cap ? 2 * m->openings_cap : 64;
		struct ent_mpc_opening *more = realloc(m->openings, cap * sizeof *more);
		if (!more)
			return ent_nomem(err);
		m->openings = more;
		m->openings_cap = cap;
	}
	if (m->o.opening)
		ENT_TRY(m->o.opening(m->o.arg, &o, err));
	m->openings[m->openings_count++] = o;
	m->n.openings++;
	m->n.bits_opened += bits;
	return 0;
}

/* Declassified: from here on the words are public. */
static void declassify(struct ent_mpc *m, void *data, size_t bytes)
{
	ent_taint_clear(data, bytes);
	if (m->o.opened)
		m->o.opened(m->o.arg, data, bytes);
}

bool ent_open_equal(const void *a, const void *b, size_t len)
{
	bool same = ent_const_eq(a, b, len);
	ent_taint_clear(&same, sizeof same);
	return same;
}

static uint64_t tail_mask(size_t rows) { return rows % 64 ? ((uint64_t)1 << (rows % 64)) - 1 : ~(uint64_t)0; }

/* Sends component 0 of a run to `way`; bits: plane-wise cleared tails (words_per_plane > 0). */
static int send_run(struct ent_mpc *m, struct wire *w, const uint64_t *from, size_t words, size_t per_plane, uint64_t mask, struct ent_err *err)
{
	for (size_t k = 0; k < words; k += TILE_WORDS) {
		size_t n = words - k < TILE_WORDS ? words - k : TILE_WORDS;
		memcpy(m->tile[0], from + k, n * 8);
		for (size_t t = per_plane ? (per_plane - 1 - k % per_plane) % per_plane : n; t < n; t += per_plane)
			m->tile[0][t] &= mask;
		ENT_TRY(ent_wire_put(m, w, m->tile[0], n * 8, err));
	}
	return 0;
}

int ent_mpc_open_bits(struct ent_mpc *m, struct ent_why why, const struct ent_bits *x, uint64_t *ret_planes, struct ent_err *err)
{
	size_t per = ent_words(x->rows), words = per * x->planes;
	struct wire w;
	ENT_TRY(ent_mpc_begin(m, err));
	ENT_TRY(ent_mpc_dies(m, ent_mpc_record(m, why, ENT_MPC_TO_ALL, (uint64_t)x->rows * x->planes, err)));
	ENT_TRY(ent_wire_send(m, WAY_NEXT, words * 8, &w, err));
	ENT_TRY(send_run(m, &w, x->c[0], words, per, tail_mask(x->rows), err));
	ENT_TRY(ent_wire_recv(m, WAY_PREV, words * 8, &w, err));
	ENT_TRY(ent_wire_get(m, &w, ret_planes, words * 8, err));
	for (size_t i = 0; i < words; i++)
		ret_planes[i] ^= (x->c[0][i] ^ x->c[1][i]) & (i % per == per - 1 ? tail_mask(x->rows) : ~(uint64_t)0);
	declassify(m, ret_planes, words * 8);
	return ent_mpc_round(m, err);
}

int ent_mpc_open_ring(struct ent_mpc *m, struct ent_why why, const struct ent_ring *x, uint64_t *ret_words, struct ent_err *err)
{
	struct wire w;
	ENT_TRY(ent_mpc_begin(m, err));
	ENT_TRY(ent_mpc_dies(m, ent_mpc_record(m, why, ENT_MPC_TO_ALL, (uint64_t)x->rows * 64, err)));
	ENT_TRY(ent_wire_send(m, WAY_NEXT, x->rows * 8, &w, err));
	ENT_TRY(ent_wire_put(m, &w, x->c[0], x->rows * 8, err));
	ENT_TRY(ent_wire_recv(m, WAY_PREV, x->rows * 8, &w, err));
	ENT_TRY(ent_wire_get(m, &w, ret_words, x->rows * 8, err));
	for (size_t i = 0; i < x->rows; i++)
		ret_words[i] += x->c[0][i] + x->c[1][i];
	declassify(m, ret_words, x->rows * 8);
	return ent_mpc_round(m, err);
}

int ent_mpc_open_low32(struct ent_mpc *m, struct ent_why why, const struct ent_ring *x, uint32_t *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_mpc_scratch_free) struct scratch s = { 0 };
	struct wire w;
	ENT_TRY(ent_mpc_begin(m, err));
	ENT_TRY(ent_mpc_scratch(m, x->rows, 4, &s, err));
	ENT_TRY(ent_mpc_dies(m, ent_mpc_record(m, why, ENT_MPC_TO_ALL, (uint64_t)x->rows * 32, err)));
	uint32_t *mine = s.at;
	for (size_t i = 0; i < x->rows; i++)
		mine[i] = (uint32_t)x->c[0][i];
	ENT_TRY(ent_wire_send(m, WAY_NEXT, x->rows * 4, &w, err));
	ENT_TRY(ent_wire_put(m, &w, mine, x->rows * 4, err));
	ENT_TRY(ent_wire_recv(m, WAY_PREV, x->rows * 4, &w, err));
	ENT_TRY(ent_wire_get(m, &w, ret, x->rows * 4, err));
	for (size_t i = 0; i < x->rows; i++)
		ret[i] += (uint32_t)x->c[0][i] + (uint32_t)x->c[1][i];
	declassify(m, ret, x->rows * 4);
	return ent_mpc_round(m, err);
}

/* One column of rows that leaves: bits with tails, or a ring. */
struct column {
	const uint64_t *c[2];
	uint64_t *out;
	size_t words, per_plane;
};

static size_t columns(const struct ent_rows *x, uint64_t *bits, uint64_t *const *ring, struct column out[ENT_ROWS_RINGS_MAX + 1])
{
	out[0] = (struct column){ { x->bits.c[0], x->bits.c[1] }, bits, ent_words(x->rows) * x->bits.planes, ent_words(x->rows) };
	for (unsigned k = 0; k < x->rings; k++)
		out[1 + k] = (struct column){ { x->ring[k].c[0], x->ring[k].c[1] }, ring ? ring[k] : NULL, x->rows, 0 };
	return 1 + x->rings;
}

static uint64_t rows_bits(const struct ent_rows *x) { return (uint64_t)x->rows * (x->bits.planes + 64ull * x->rings); }

static uint64_t rows_bytes(size_t rows, unsigned planes, unsigned rings) { return (ent_words(rows) * planes + (uint64_t)rings * rows) * 8; }

/* The three roles of opening to party `to`: itself, its previous (sends component to-1, its c[0]), its next (hashes the same, its c[1]). */
static void hash_component(const struct ent_rows *x, int j, uint8_t ret[ENT_SHA256_LEN])
{
	struct column col[ENT_ROWS_RINGS_MAX + 1];
	struct ent_sha256 h;
	size_t count = columns(x, NULL, NULL, col);
	ent_sha256_init(&h);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < col[i].words; k++) {
			bool last = col[i].per_plane && k % col[i].per_plane == col[i].per_plane - 1;
			uint64_t v = col[i].c[j][k] & (last ? tail_mask(x->rows) : ~(uint64_t)0);
			ent_sha256_put(&h, &v, 8);
		}
	ent_sha256_finish(&h, ret);
}

static int send_component(struct ent_mpc *m, const struct ent_rows *x, struct ent_err *err)
{
	struct column col[ENT_ROWS_RINGS_MAX + 1];
	struct wire w;
	size_t count = columns(x, NULL, NULL, col);
	ENT_TRY(ent_wire_send(m, WAY_NEXT, rows_bytes(x->rows, x->bits.planes, x->rings), &w, err));
	for (size_t i = 0; i < count; i++)
		ENT_TRY(send_run(m, &w, col[i].c[0], col[i].words, col[i].per_plane, tail_mask(x->rows), err));
	return 0;
}

static int send_hash(struct ent_mpc *m, const struct ent_rows *x, struct ent_err *err)
{
	uint8_t hash[ENT_SHA256_LEN];
	struct wire w;
	hash_component(x, 1, hash);
	ENT_TRY(ent_wire_send(m, WAY_PREV, sizeof hash, &w, err));
	return ent_wire_put(m, &w, hash, sizeof hash, err);
}

static int mismatch(struct ent_mpc *m, struct ent_err *err)
{
	ent_fail(err, ENT_EPEER, "two compute parties disagree on the result");
	ent_why(err, "the share of one and the hash of the same share by the other differ");
	return ent_mpc_dies(m, ENT_EPEER);
}

/* Columns arrive in out as the third component; the hash is compared before anything is added up. */
static int receive_rows(struct ent_mpc *m, const struct ent_rows *x, struct column *col, size_t count, struct ent_err *err)
{
	uint8_t hash[ENT_SHA256_LEN], got[ENT_SHA256_LEN];
	struct ent_sha256 h;
	struct wire w;
	ent_sha256_init(&h);
	ENT_TRY(ent_wire_recv(m, WAY_PREV, rows_bytes(x->rows, x->bits.planes, x->rings), &w, err));
	for (size_t i = 0; i < count; i++) {
		ENT_TRY(ent_wire_get(m, &w, col[i].out, col[i].words * 8, err));
		ent_sha256_put(&h, col[i].out, col[i].words * 8);
	}
	ent_sha256_finish(&h, hash);
	ENT_TRY(ent_wire_recv(m, WAY_NEXT, sizeof got, &w, err));
	ENT_TRY(ent_wire_get(m, &w, got, sizeof got, err));
	return ent_open_equal(hash, got, sizeof hash) ? 0 : mismatch(m, err);
}

static void add_up(const struct ent_rows *x, struct column *col, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < col[i].words; k++) {
			bool last = k % (col[i].per_plane + !col[i].per_plane) + 1 == col[i].per_plane;
			if (col[i].per_plane)
				col[i].out[k] ^= (col[i].c[0][k] ^ col[i].c[1][k]) & (last ? tail_mask(x->rows) : ~(uint64_t)0);
			else
				col[i].out[k] += col[i].c[0][k] + col[i].c[1][k];
		}
		ent_taint_clear(col[i].out, col[i].words * 8);
	}
}

int ent_mpc_open_rows_to(struct ent_mpc *m, struct ent_why why, int to, const struct ent_rows *x, uint64_t *ret_bits, uint64_t *const *ret_ring,
			 struct ent_err *err)
{
	struct column col[ENT_ROWS_RINGS_MAX + 1];
	size_t count = columns(x, ret_bits, ret_ring, col);
	ENT_TRY(ent_mpc_begin(m, err));
	ENT_TRY(ent_mpc_dies(m, ent_mpc_record(m, why, to, rows_bits(x), err)));
	if (m->party == party_after(to, 2))
		ENT_TRY(send_component(m, x, err));
	else if (m->party == party_after(to, 1))
		ENT_TRY(send_hash(m, x, err));
	else {
		ENT_TRY(receive_rows(m, x, col, count, err));
		add_up(x, col, count);
	}
	return ent_mpc_round(m, err);
}

/* One masked component of a tile: masks a, b, and a+b taken away, for components 1, 2, 0: they cancel in the sum. */
static void mask_component(struct ent_mpc *m, int j, const struct column *col, size_t k, size_t n, uint64_t tail, uint64_t *out)
{
	const uint64_t *a = m->tile[0], *b = m->tile[1];
	int component = party_after(m->party, j);
	for (size_t i = 0; i < n; i++) {
		uint64_t v = col->c[j][k + i];
		if (col->per_plane) {
			v &= (k + i) % col->per_plane == col->per_plane - 1 ? tail : ~(uint64_t)0;
			out[i] = v ^ (component == 1 ? a[i] : component == 2 ? b[i] : a[i] ^ b[i]);
		} else {
			out[i] = component == 1 ? v + a[i] : component == 2 ? v + b[i] : v - a[i] - b[i];
		}
	}
}

static int outside_column(struct ent_mpc *m, struct ent_link *l, const struct ent_rows *x, const struct column *col, uint64_t at,
			  struct ent_sha256 *h, struct ent_err *err)
{
	for (size_t k = 0; k < col->words; k += TILE_WORDS) {
		size_t n = col->words - k < TILE_WORDS ? col->words - k : TILE_WORDS;
		ent_mpc_draw_common(m, STREAM_OUTSIDE, at + k, m->tile[0], n);
		ent_mpc_draw_common(m, STREAM_OUTSIDE + 1, at + k, m->tile[1], n);
		mask_component(m, 0, col, k, n, tail_mask(x->rows), m->tile[2]);
		ENT_TRY(ent_mpc_dies(m, l->ops->send(l, m->tile[2], n * 8, err)));
		mask_component(m, 1, col, k, n, tail_mask(x->rows), m->tile[2]);
		ent_sha256_put(h, m->tile[2], n * 8);
	}
	return 0;
}

int ent_mpc_open_rows_outside(struct ent_mpc *m, struct ent_why why, struct ent_link *receiver, const struct ent_rows *x, struct ent_err *err)
{
	struct column col[ENT_ROWS_RINGS_MAX + 1];
	uint8_t hash[ENT_SHA256_LEN];
	struct ent_sha256 h;
	uint64_t at = 0;
	size_t count = columns(x, NULL, NULL, col);
	ENT_TRY(ent_mpc_begin(m, err));
	ENT_TRY(ent_mpc_dies(m, ent_mpc_record(m, why, ENT_MPC_TO_OUTSIDE, rows_bits(x), err)));
	ent_sha256_init(&h);
	for (size_t i = 0; i < count; i++) {
		ENT_TRY(outside_column(m, receiver, x, &col[i], at, &h, err));
		at += (col[i].words + 1) & ~(size_t)1;
	}
	ent_sha256_finish(&h, hash);
	ENT_TRY(ent_mpc_dies(m, receiver->ops->send(receiver, hash, sizeof hash, err)));
	return ent_mpc_round(m, err);
}
