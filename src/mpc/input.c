/* Input of a compute party: one component from the pair PRG, one zero, one sent. */
#include "mpc/input.h"

#include "mpc/engine.h"
#include "mpc/kernel.h"

/* A run of words that goes in: bits (XOR) or a ring (difference). */
struct part {
	const uint64_t *plain; /* at the owner only */
	uint64_t *c[2];
	size_t words;
	bool ring;
};

static size_t parts_of(const struct ent_plain *p, struct ent_rows *r, struct part out[ENT_ROWS_RINGS_MAX + 1])
{
	out[0] = (struct part){ p->bits, { r->bits.c[0], r->bits.c[1] }, ent_words(p->rows) * p->planes, false };
	for (unsigned k = 0; k < p->rings; k++)
		out[1 + k] = (struct part){ p->ring[k], { r->ring[k].c[0], r->ring[k].c[1] }, p->rows, true };
	return 1 + p->rings;
}

static uint64_t bytes_of(const struct ent_plain *p) { return (ent_words(p->rows) * p->planes + (uint64_t)p->rings * p->rows) * 8; }

int ent_rows_new(struct ent_mpc *m, size_t rows, unsigned planes, unsigned rings, struct ent_rows *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_rows_deinit) struct ent_rows z = { .rows = rows, .rings = rings };
	ENT_ASSERT(rings <= ENT_ROWS_RINGS_MAX);
	ENT_TRY(ent_bits_new(m, rows, planes, &z.bits, err));
	for (unsigned k = 0; k < rings; k++)
		ENT_TRY(ent_ring_new(m, rows, &z.ring[k], err));
	*ret = ent_rows_take(&z);
	return 0;
}

/* The owner: c[0] = mask, c[1] = plain - mask, sent. */
static int give(struct ent_mpc *m, struct wire *w, const struct part *p, uint64_t at, struct ent_err *err)
{
	ent_mpc_draw(m, 0, STREAM_INPUT, at, p->c[0], p->words);
	if (p->words)
		memcpy(p->c[1], p->plain, p->words * 8);
	if (p->ring)
		ent_mpc_kernel()->sub_in(p->c[1], p->c[0], p->words);
	else
		ent_mpc_kernel()->xor_in(p->c[1], p->c[0], p->words);
	return ent_wire_put(m, w, p->c[1], p->words * 8, err);
}

/* All parts of one owner, at a party that is the owner (0), its next (1) or its previous (2). */
static int take_part(struct ent_mpc *m, int role, const struct ent_plain *shape, struct ent_rows *rows, struct wire *w, struct ent_err *err)
{
	struct part parts[ENT_ROWS_RINGS_MAX + 1];
	size_t count = parts_of(shape, rows, parts);
	uint64_t at = 0;
	for (size_t i = 0; i < count; i++) {
		if (role == 0)
			ENT_TRY(give(m, w, &parts[i], at, err));
		else if (role == 1)
			ENT_TRY(ent_wire_get(m, w, parts[i].c[0], parts[i].words * 8, err));
		else
			ent_mpc_draw(m, 1, STREAM_INPUT, at, parts[i].c[1], parts[i].words);
		at += (parts[i].words + 1) & ~(size_t)1;
	}
	return 0;
}

static int exchange(struct ent_mpc *m, const struct ent_plain *const shape[3], struct ent_rows *rows[3], struct ent_err *err)
{
	int me = m->party, prev = party_after(me, 2), next = party_after(me, 1);
	struct wire w;
	ENT_TRY(ent_mpc_begin(m, err));
	if (shape[me]) {
		ENT_TRY(ent_wire_send(m, WAY_NEXT, bytes_of(shape[me]), &w, err));
		ENT_TRY(take_part(m, 0, shape[me], rows[me], &w, err));
	}
	if (shape[next])
		ENT_TRY(take_part(m, 2, shape[next], rows[next], NULL, err));
	if (shape[prev]) {
		ENT_TRY(ent_wire_recv(m, WAY_PREV, bytes_of(shape[prev]), &w, err));
		ENT_TRY(take_part(m, 1, shape[prev], rows[prev], &w, err));
	}
	return ent_mpc_round(m, err);
}

int ent_mpc_input(struct ent_mpc *m, int from, const struct ent_plain *shape, struct ent_rows *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_rows_deinit) struct ent_rows z = { 0 };
	const struct ent_plain *shapes[3] = { NULL };
	struct ent_rows *rows[3] = { NULL };
	ENT_ASSERT(from >= 0 && from < 3);
	ENT_TRY(ent_rows_new(m, shape->rows, shape->planes, shape->rings, &z, err));
	shapes[from] = shape;
	rows[from] = &z;
	ENT_TRY(exchange(m, shapes, rows, err));
	*ret = ent_rows_take(&z);
	return 0;
}

int ent_mpc_input_all(struct ent_mpc *m, const struct ent_plain shape[3], struct ent_rows ret[3], struct ent_err *err)
{
	ENT_CLEANUP(ent_rows_deinit) struct ent_rows a = { 0 }, b = { 0 }, c = { 0 };
	struct ent_rows *rows[3] = { &a, &b, &c };
	const struct ent_plain *shapes[3] = { &shape[0], &shape[1], &shape[2] };
	for (int p = 0; p < 3; p++)
		ENT_TRY(ent_rows_new(m, shape[p].rows, shape[p].planes, shape[p].rings, rows[p], err));
	ENT_TRY(exchange(m, shapes, rows, err));
	for (int p = 0; p < 3; p++)
		ret[p] = ent_rows_take(rows[p]);
	return 0;
}
