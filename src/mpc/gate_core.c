/* The two engines under every gate: AND over lists of word runs, and resharing of locally computed ring words. One pass per tile: zero share,
 * product, message, own component; the neighbour's component arrives straight in its place. */
#include "mpc/engine.h"
#include "mpc/kernel.h"

/* A position in the gates laid end to end. */
struct cursor {
	const struct gate *g;
	size_t at; /* words of *g done */
};

static const uint64_t *off(const uint64_t *p, size_t at) { return p ? p + at : NULL; }

/* One run of a tile inside one gate. */
static void product(struct ent_mpc *m, const struct gate *g, size_t at, uint64_t *out, size_t words)
{
	uint64_t n0 = g->not_x && is_first(m, 0) ? ~(uint64_t)0 : 0, n1 = g->not_x && is_first(m, 1) ? ~(uint64_t)0 : 0;
	ent_mpc_kernel()->and_tile(out, g->z[0] + at, g->x[0] + at, g->x[1] + at, off(g->xx[0], at), off(g->xx[1], at), n0, n1, g->y[0] + at,
				   g->y[1] + at, off(g->w[0], at), words);
}

static void tile(struct ent_mpc *m, struct cursor *c, uint64_t *out, size_t words)
{
	for (size_t done = 0; done < words;) {
		size_t n = c->g->words - c->at;
		n = n < words - done ? n : words - done;
		product(m, c->g, c->at, out + done, n);
		done += n;
		c->at += n;
		if (c->at == c->g->words)
			*c = (struct cursor){ c->g + 1, 0 };
	}
}

int ent_gates_and(struct ent_mpc *m, const struct gate *gates, size_t count, struct ent_err *err)
{
	struct wire out, in;
	struct cursor c = { gates, 0 };
	uint64_t words = 0;
	for (size_t i = 0; i < count; i++)
		words += gates[i].words;
	ENT_TRY(ent_mpc_begin(m, err));
	ENT_TRY(ent_wire_send(m, WAY_PREV, words * 8, &out, err));
	for (uint64_t at = 0; at < words; at += TILE_WORDS) {
		size_t n = words - at < TILE_WORDS ? (size_t)(words - at) : TILE_WORDS;
		while (c.at == c.g->words)
			c = (struct cursor){ c.g + 1, 0 };
		ent_mpc_zero_xor(m, at, m->tile[0], n);
		tile(m, &c, m->tile[0], n);
		ENT_TRY(ent_wire_put(m, &out, m->tile[0], n * 8, err));
	}
	ENT_TRY(ent_wire_recv(m, WAY_NEXT, words * 8, &in, err));
	for (size_t i = 0; i < count; i++)
		ENT_TRY(ent_wire_get(m, &in, gates[i].z[1], gates[i].words * 8, err));
	return ent_mpc_round(m, err);
}

int ent_reshare_ring(struct ent_mpc *m, uint64_t *const mine[], uint64_t *const theirs[], const size_t *words, size_t count, struct ent_err *err)
{
	struct wire out, in;
	uint64_t total = 0, at = 0;
	for (size_t i = 0; i < count; i++)
		total += words[i];
	ENT_TRY(ent_wire_send(m, WAY_PREV, total * 8, &out, err));
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < words[i]; k += TILE_WORDS) {
			size_t n = words[i] - k < TILE_WORDS ? words[i] - k : TILE_WORDS;
			ent_mpc_zero_sub(m, at, m->tile[0], n);
			ent_mpc_kernel()->add_in(mine[i] + k, m->tile[0], n);
			ENT_TRY(ent_wire_put(m, &out, mine[i] + k, n * 8, err));
			at += (n + 1) & ~(size_t)1;
		}
	ENT_TRY(ent_wire_recv(m, WAY_NEXT, total * 8, &in, err));
	for (size_t i = 0; i < count; i++)
		ENT_TRY(ent_wire_get(m, &in, theirs[i], words[i] * 8, err));
	return ent_mpc_round(m, err);
}
