/* Owners and receivers outside the trio: they hold links to all three parties, send shares in, or put masked components together. */
#include <stdlib.h>

#include "crypto/hash.h"
#include "crypto/secret.h"
#include "mpc/engine.h"
#include "mpc/input.h"
#include "mpc/kernel.h"
#include "mpc/taint.h"

#define SEED_BYTES 16
#define NONCE_BYTES 16

/* What goes before the difference: nonce, seed (party 0: two seeds), shape. */
struct greeting {
	uint8_t nonce[NONCE_BYTES], seed[2][SEED_BYTES];
	uint8_t shape[24]; /* rows, planes, rings as 64-bit little endian */
};

static void write_shape(const struct ent_plain *p, uint8_t ret[24])
{
	uint64_t v[3] = { p->rows, p->planes, p->rings };
	for (int i = 0; i < 24; i++)
		ret[i] = (uint8_t)(v[i / 8] >> (8 * (i % 8)));
}

static int seed_prg(const uint8_t seed[SEED_BYTES], const uint8_t nonce[NONCE_BYTES], struct ent_prg *ret, struct ent_err *err)
{
	uint8_t key[ENT_PRG_KEY_LEN];
	ENT_TRY(ent_hkdf_sha256(ent_bytes(seed, SEED_BYTES), ent_bytes(nonce, NONCE_BYTES), ent_bytes_str("entente owner share 1"), key, sizeof key,
				err));
	ent_prg_init(ret, key);
	ent_wipe(key, sizeof key);
	return 0;
}

/* Word runs of a table, with their places in the streams. */
struct run {
	const uint64_t *plain;
	uint64_t *c[2];
	size_t words;
	uint64_t at;
	bool ring;
};

static size_t runs_of(const struct ent_plain *p, const struct ent_rows *r, struct run out[ENT_ROWS_RINGS_MAX + 1])
{
	uint64_t at = 0;
	for (unsigned k = 0; k <= p->rings; k++) {
		size_t words = k ? p->rows : ent_words(p->rows) * p->planes;
		out[k] = (struct run){ .plain = k ? p->ring[k - 1] : p->bits, .words = words, .at = at, .ring = k };
		for (int j = 0; r && j < 2; j++)
			out[k].c[j] = k ? r->ring[k - 1].c[j] : r->bits.c[j];
		at += (words + 1) & ~(size_t)1;
	}
	return 1 + p->rings;
}

static void draw(const struct ent_prg *prg, const struct run *r, size_t k, uint64_t *out, size_t n)
{
	ent_prg_fill(prg, 0, STREAM_OUTSIDE, (r->at + k) / 2, out, n * 8);
}

struct sender {
	struct ent_link *const *links;
	struct ent_prg prg[2];
	uint64_t *tile, *diff;
};

static int send_run(struct sender *s, const struct run *r, struct ent_err *err)
{
	for (size_t k = 0; k < r->words; k += TILE_WORDS) {
		size_t n = r->words - k < TILE_WORDS ? r->words - k : TILE_WORDS;
		memcpy(s->diff, r->plain + k, n * 8);
		for (int i = 0; i < 2; i++) {
			draw(&s->prg[i], r, k, s->tile, n);
			if (r->ring)
				ent_mpc_kernel()->sub_in(s->diff, s->tile, n);
			else
				ent_mpc_kernel()->xor_in(s->diff, s->tile, n);
		}
		for (int p = 1; p < 3; p++)
			ENT_TRY(s->links[p]->ops->send(s->links[p], s->diff, n * 8, err));
	}
	return 0;
}

static void wipe_greeting(struct greeting *g) { ent_wipe(g, sizeof *g); }

static void sender_deinit(struct sender *s)
{
	for (int i = 0; i < 2; i++)
		ent_prg_deinit(&s->prg[i]);
	free(s->tile);
}

int ent_outside_send(struct ent_link *const links[3], struct ent_random *random, const uint8_t nonce[16], const struct ent_plain *rows,
		     struct ent_err *err)
{
	ENT_CLEANUP(wipe_greeting) struct greeting g = { 0 };
	ENT_CLEANUP(sender_deinit) struct sender s = { .links = links };
	struct run runs[ENT_ROWS_RINGS_MAX + 1];
	uint8_t seeds[2][SEED_BYTES];
	ENT_TRY(random->fill(random, seeds, sizeof seeds, err));
	s.tile = ent_alloc(2 * TILE_WORDS, 8);
	if (!s.tile)
		return ent_nomem(err);
	s.diff = s.tile + TILE_WORDS;
	memcpy(g.nonce, nonce, NONCE_BYTES);
	write_shape(rows, g.shape);
	for (int i = 0; i < 2; i++)
		ENT_TRY(seed_prg(seeds[i], nonce, &s.prg[i], err));
	for (int p = 0; p < 3; p++) { /* party p gets the seeds of components p and p+1; component 2 has none */
		memset(g.seed, 0, sizeof g.seed);
		for (int j = 0; j < 2; j++)
			if ((p + j) % 3 != 2)
				memcpy(g.seed[j], seeds[(p + j) % 3], SEED_BYTES);
		ENT_TRY(links[p]->ops->send(links[p], &g, sizeof g, err));
	}
	ent_wipe(seeds, sizeof seeds);
	size_t count = runs_of(rows, NULL, runs);
	for (size_t i = 0; i < count; i++)
		ENT_TRY(send_run(&s, &runs[i], err));
	return 0;
}

static int refuse(struct ent_mpc *m, const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EPEER, "the shares of an owner are not what the job asks for");
	ent_why(err, "%s", why);
	return ent_mpc_dies(m, ENT_EPEER);
}

static int receive_greeting(struct ent_mpc *m, struct ent_link *owner, const uint8_t nonce[16], const struct ent_plain *shape, struct greeting *g,
			    struct ent_err *err)
{
	uint8_t want[24];
	write_shape(shape, want);
	ENT_TRY(ent_mpc_dies(m, owner->ops->recv(owner, g, sizeof *g, err)));
	if (memcmp(g->nonce, nonce, NONCE_BYTES))
		return refuse(m, "the nonce is another one: an old or foreign message", err);
	return memcmp(g->shape, want, sizeof want) ? refuse(m, "rows or columns differ from the agreed shape", err) : 0;
}

/* Component j from its seed, or from the link (component 2). */
static int fill_component(struct ent_mpc *m, struct ent_link *owner, const struct greeting *g, int j, const struct run *runs, size_t count,
			  struct ent_sha256 *h, struct ent_err *err)
{
	struct ent_prg prg;
	bool sent = party_after(m->party, j) == 2;
	if (!sent)
		ENT_TRY(seed_prg(g->seed[j], g->nonce, &prg, err));
	for (size_t i = 0; i < count; i++) {
		if (!sent)
			draw(&prg, &runs[i], 0, runs[i].c[j], runs[i].words);
		if (!sent)
			ent_taint_mark(runs[i].c[j], runs[i].words * 8);
		else if (runs[i].words) {
			ENT_TRY(ent_mpc_dies(m, owner->ops->recv(owner, runs[i].c[j], runs[i].words * 8, err)));
			ent_taint_mark(runs[i].c[j], runs[i].words * 8);
			ent_sha256_put(h, runs[i].c[j], runs[i].words * 8);
		}
	}
	if (!sent)
		ent_prg_deinit(&prg);
	return 0;
}

/* Parties 1 and 2 hold the difference: the same one? */
static int compare_hash(struct ent_mpc *m, struct ent_sha256 *h, struct ent_err *err)
{
	uint8_t mine[ENT_SHA256_LEN], theirs[ENT_SHA256_LEN];
	enum way way = m->party == 1 ? WAY_NEXT : WAY_PREV;
	struct wire w;
	ent_sha256_finish(h, mine);
	if (m->party) {
		ENT_TRY(ent_wire_send(m, way, sizeof mine, &w, err));
		ENT_TRY(ent_wire_put(m, &w, mine, sizeof mine, err));
		ENT_TRY(ent_wire_recv(m, way, sizeof theirs, &w, err));
		ENT_TRY(ent_wire_get(m, &w, theirs, sizeof theirs, err));
		if (!ent_open_equal(mine, theirs, sizeof mine))
			return refuse(m, "two parties received different shares", err);
	}
	return ent_mpc_round(m, err);
}

int ent_mpc_input_outside(struct ent_mpc *m, struct ent_link *owner, const uint8_t nonce[16], const struct ent_plain *shape, struct ent_rows *ret,
			  struct ent_err *err)
{
	ENT_CLEANUP(wipe_greeting) struct greeting g;
	ENT_CLEANUP(ent_rows_deinit) struct ent_rows z = { 0 };
	struct run runs[ENT_ROWS_RINGS_MAX + 1];
	struct ent_sha256 h;
	ENT_TRY(ent_mpc_begin(m, err));
	ENT_TRY(ent_rows_new(m, shape->rows, shape->planes, shape->rings, &z, err));
	ENT_TRY(receive_greeting(m, owner, nonce, shape, &g, err));
	size_t count = runs_of(shape, &z, runs);
	ent_sha256_init(&h);
	for (int j = 0; j < 2; j++)
		ENT_TRY(fill_component(m, owner, &g, j, runs, count, &h, err));
	ENT_TRY(ent_mpc_round(m, err));
	ENT_TRY(compare_hash(m, &h, err));
	*ret = ent_rows_take(&z);
	return 0;
}

/* The receiver's side of ent_mpc_open_rows_outside: three masked components whose masks cancel, each vouched for by a second party's hash. All of
 * it is his to see (test/views: "receiver outside"), so the taint test's marks, which reach him in a test of one process, end here. */
struct arrival {
	size_t words;
	uint64_t *third; /* one component at a time */
	uint8_t hash[3][ENT_SHA256_LEN], vouched[3][ENT_SHA256_LEN];
};

static int receive_component(struct ent_link *l, int p, const struct run *runs, size_t count, struct arrival *a, struct ent_err *err)
{
	struct ent_sha256 h;
	ent_sha256_init(&h);
	for (size_t i = 0; i < count; i++) {
		uint64_t *to = runs[i].c[0];
		for (size_t k = 0; k < runs[i].words; k += TILE_WORDS) {
			size_t n = runs[i].words - k < TILE_WORDS ? runs[i].words - k : TILE_WORDS;
			ENT_TRY(l->ops->recv(l, a->third, n * 8, err));
			ent_taint_clear(a->third, n * 8);
			ent_sha256_put(&h, a->third, n * 8);
			if (!p)
				memcpy(to + k, a->third, n * 8);
			else if (runs[i].ring)
				ent_mpc_kernel()->add_in(to + k, a->third, n);
			else
				ent_mpc_kernel()->xor_in(to + k, a->third, n);
		}
	}
	ent_sha256_finish(&h, a->hash[p]);
	ENT_TRY(l->ops->recv(l, a->vouched[(p + 1) % 3], ENT_SHA256_LEN, err));
	ent_taint_clear(a->vouched[(p + 1) % 3], ENT_SHA256_LEN);
	return 0;
}

static void arrival_deinit(struct arrival *a) { free(a->third); }

int ent_outside_receive(struct ent_link *const links[3], size_t rows, unsigned planes, unsigned rings, uint64_t *ret_bits, uint64_t *const *ret_ring,
			struct ent_err *err)
{
	ENT_CLEANUP(arrival_deinit) struct arrival a = { .third = ent_alloc(TILE_WORDS, 8) };
	struct ent_plain shape = { .rows = rows, .planes = planes, .rings = rings };
	struct run runs[ENT_ROWS_RINGS_MAX + 1];
	ENT_ASSERT(rings <= ENT_ROWS_RINGS_MAX);
	if (!a.third)
		return ent_nomem(err);
	size_t count = runs_of(&shape, NULL, runs);
	for (size_t i = 0; i < count; i++)
		runs[i].c[0] = i ? ret_ring[i - 1] : ret_bits;
	for (int p = 0; p < 3; p++)
		ENT_TRY(receive_component(links[p], p, runs, count, &a, err));
	if (!memcmp(a.hash, a.vouched, sizeof a.hash))
		return 0;
	for (size_t i = 0; i < count; i++)
		if (runs[i].words)
			memset(runs[i].c[0], 0, runs[i].words * 8);
	ent_fail(err, ENT_EPEER, "the compute parties disagree on the result");
	return ent_why(err, "a share and the hash of it by a second party differ");
}
