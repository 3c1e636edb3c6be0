/* From words to bits: a two-input adder. u = x_f + x_{f+1} is put in by the party that knows it, v = x_{f+2} needs no message; Sklansky prefix adder,
 * because it has the fewest ANDs of the log-depth adders. */
#include "mpc/convert.h"
#include "mpc/engine.h"
#include "mpc/gate.h"
#include "mpc/kernel.h"

/* A block of rows: planes of u into us, of v into vs. Component j of this party's share of u: role 0 has masked and mask, role 1 what it receives. */
static void clear_words(const struct ent_ring *x, size_t first, size_t rows, int role, uint64_t *ret)
{
	for (size_t r = 0; r < rows; r++)
		ret[r] = role == 0 ? x->c[0][first + r] + x->c[1][first + r] : role == 1 ? x->c[1][first + r] : x->c[0][first + r];
}

struct a2b {
	const struct ent_ring *x;
	struct ent_bits *u, *v;
	struct wire *out, *in;
};

static void put_planes(struct ent_bits *z, int j, size_t first, size_t words, const uint64_t *planes)
{
	for (unsigned k = 0; k < z->planes; k++)
		memcpy(plane(z, j, k) + first / 64, planes + k * words, words * 8);
}

static int block(struct ent_mpc *m, const struct a2b *a, size_t first, bool sending, struct ent_err *err)
{
	size_t rows = a->x->rows - first < ROTATE_ROWS ? a->x->rows - first : ROTATE_ROWS, words = ent_words(rows), all = words * a->u->planes;
	int role = (m->party + 3 - (int)(first / ROTATE_ROWS % 3)) % 3;
	uint64_t mask_at = (uint64_t)first / ROTATE_ROWS * TILE_WORDS, *t0 = m->tile[0], *t1 = m->tile[1];
	if (sending != (role == 0))
		return 0;
	clear_words(a->x, first, rows, role, t0);
	ent_planes_from_words(t0, rows, a->u->planes, t1);
	if (role)
		put_planes(a->v, role == 1, first, words, t1); /* component f+2: c[1] of role 1, c[0] of role 2 */
	if (role == 1) {
		ENT_TRY(ent_wire_get(m, a->in, t0, all * 8, err));
		put_planes(a->u, 0, first, words, t0);
	} else {
		ent_mpc_draw(m, role == 0 ? 0 : 1, STREAM_INPUT, mask_at, t0, all); /* component f */
		put_planes(a->u, role == 0 ? 0 : 1, first, words, t0);
	}
	if (role)
		return 0;
	ent_mpc_kernel()->xor_in(t1, t0, all);
	put_planes(a->u, 1, first, words, t1);
	return ent_wire_put(m, a->out, t1, all * 8, err);
}

static uint64_t sent_words(int party, size_t rows, unsigned planes)
{
	uint64_t words = 0;
	for (size_t at = 0; at < rows; at += ROTATE_ROWS)
		if ((party + 3 - (int)(at / ROTATE_ROWS % 3)) % 3 == 0)
			words += ent_words(rows - at < ROTATE_ROWS ? rows - at : ROTATE_ROWS) * planes;
	return words;
}

static int put_in(struct ent_mpc *m, const struct ent_ring *x, struct ent_bits *u, struct ent_bits *v, struct ent_err *err)
{
	uint64_t out = sent_words(m->party, x->rows, u->planes), in = sent_words(party_after(m->party, 2), x->rows, u->planes);
	struct wire wout, win;
	struct a2b a = { x, u, v, &wout, &win };
	ENT_TRY(ent_mpc_begin(m, err));
	if (out)
		ENT_TRY(ent_wire_send(m, WAY_NEXT, out * 8, &wout, err));
	for (size_t at = 0; at < x->rows; at += ROTATE_ROWS)
		ENT_TRY(block(m, &a, at, true, err));
	if (in)
		ENT_TRY(ent_wire_recv(m, WAY_PREV, in * 8, &win, err));
	for (size_t at = 0; at < x->rows; at += ROTATE_ROWS)
		ENT_TRY(block(m, &a, at, false, err));
	return ent_mpc_round(m, err);
}

/* One level of the prefix tree over carries: position i with bit `level` set takes in the last position of the block below. */
static size_t level_gates(const struct ent_bits *g, const struct ent_bits *p, unsigned planes, unsigned level, struct gate *out)
{
	size_t n = 0;
	for (unsigned i = planes; i-- > 0;) {
		if (!(i >> level & 1))
			continue;
		unsigned from = (i >> level << level) - 1;
		struct gate gg = { .words = ent_words(g->rows) }, pp = gg;
		for (int j = 0; j < 2; j++) {
			gg.x[j] = pp.x[j] = plane(p, j, i);
			gg.y[j] = plane(g, j, from);
			pp.y[j] = plane(p, j, from);
			gg.w[j] = gg.z[j] = plane(g, j, i);
			pp.z[j] = plane(p, j, i);
		}
		out[n++] = gg;
		if (i >> (level + 1)) /* the lowest block has no carry in: its p is never asked for */
			out[n++] = pp;
	}
	return n;
}

unsigned ent_sklansky_level(unsigned carries, unsigned level)
{
	unsigned n = 0;
	for (unsigned i = 0; i < carries; i++)
		n += i >> level & 1 ? 1u + !!(i >> (level + 1)) : 0;
	return n;
}

static int carries(struct ent_mpc *m, struct ent_bits *g, struct ent_bits *p, unsigned count, struct ent_err *err)
{
	ENT_CLEANUP(ent_mpc_scratch_free) struct scratch s = { 0 };
	ENT_TRY(ent_mpc_scratch(m, 2 * (size_t)count + 2, sizeof(struct gate), &s, err));
	for (unsigned level = 0; count > 1u << level; level++)
		ENT_TRY(ent_gates_and(m, s.at, level_gates(g, p, count, level, s.at), err));
	return 0;
}

int ent_mpc_a2b(struct ent_mpc *m, const struct ent_ring *x, unsigned planes, struct ent_bits *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits u = { 0 }, v = { 0 }, g = { 0 }, sum = { 0 };
	ENT_ASSERT(planes >= 1 && planes <= 64);
	ENT_TRY(ent_bits_new(m, x->rows, planes, &u, err));
	ENT_TRY(ent_bits_new(m, x->rows, planes, &v, err));
	ENT_TRY(put_in(m, x, &u, &v, err));
	ENT_TRY(ent_bits_xor(m, &u, &v, &sum, err));
	if (planes > 1) {
		struct ent_bits lu = ent_bits_planes(&u, 0, planes - 1), lv = ent_bits_planes(&v, 0, planes - 1), p = { 0 };
		struct ent_bits high = ent_bits_planes(&sum, 1, planes - 1);
		p = ent_bits_planes(&u, 0, planes - 1);
		ENT_TRY(ent_mpc_and(m, &lu, &lv, &g, err));
		ent_bits_xor_in(&p, &lv); /* u becomes u ^ v */
		ENT_TRY(carries(m, &g, &p, planes - 1, err));
		ent_bits_xor_in(&high, &g);
	}
	*ret = ent_bits_take(&sum);
	return 0;
}
