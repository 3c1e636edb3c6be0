/* Birth, keys, counters and death of a job's context; randomness addressed by (operator, stream). */
#include <stdlib.h>

#include "crypto/hash.h"
#include "crypto/secret.h"
#include "mpc/engine.h"
#include "mpc/taint.h"

#define CONTRIBUTION 32

/* What neighbours send each other at set-up. */
struct hello {
	uint8_t pair[CONTRIBUTION], common[CONTRIBUTION], binding[ENT_SHA256_LEN];
};

static void binding(const struct ent_mpc_options *o, uint8_t ret[ENT_SHA256_LEN])
{
	uint8_t attempt[4];
	for (int i = 0; i < 4; i++)
		attempt[i] = (uint8_t)(o->attempt >> (24 - 8 * i));
	struct ent_bytes zero = ent_bytes("", 1);
	ent_sha256v((struct ent_bytes[]){ ent_bytes_str("entente three-party keys 1"), zero, ent_bytes_str(o->job), zero, ent_bytes_str(o->trio),
					  zero, ent_bytes(attempt, 4) },
		    7, ret);
}

/* secret = contributions in party order; 16 bytes for masks, 16 for permutations. */
static int derive(const void *secret, size_t len, const uint8_t bind[ENT_SHA256_LEN], const char *label, struct ent_prg *mask, struct ent_prg *perm,
		  struct ent_err *err)
{
	uint8_t out[2 * ENT_PRG_KEY_LEN], info[ENT_SHA256_LEN];
	ent_sha256v((struct ent_bytes[]){ ent_bytes(bind, ENT_SHA256_LEN), ent_bytes_str(label) }, 2, info);
	ENT_TRY(ent_hkdf_sha256(ent_bytes(secret, len), ent_bytes(bind, ENT_SHA256_LEN), ent_bytes(info, sizeof info), out, sizeof out, err));
	ent_prg_init(mask, out);
	if (perm)
		ent_prg_init(perm, out + ENT_PRG_KEY_LEN);
	ent_wipe(out, sizeof out);
	return 0;
}

static int derive_all(struct ent_mpc *m, const struct hello mine[2], const struct hello theirs[2], struct ent_err *err)
{
	uint8_t pair[2 * CONTRIBUTION], all[3 * CONTRIBUTION], bind[ENT_SHA256_LEN];
	binding(&m->o, bind);
	for (int j = 0; j < 2; j++) { /* j = 0: key with prev, whose contribution comes first; j = 1: with next */
		memcpy(pair, j ? mine[1].pair : theirs[0].pair, CONTRIBUTION);
		memcpy(pair + CONTRIBUTION, j ? theirs[1].pair : mine[0].pair, CONTRIBUTION);
		char label[16] = { 'p', 'a', 'i', 'r', ' ', (char)('0' + party_after(m->party, j)), 0 };
		ENT_TRY(derive(pair, sizeof pair, bind, label, &m->key[j], &m->perm[j], err));
	}
	memcpy(all + CONTRIBUTION * m->party, mine[0].common, CONTRIBUTION);
	memcpy(all + CONTRIBUTION * party_after(m->party, 1), theirs[1].common, CONTRIBUTION);
	memcpy(all + CONTRIBUTION * party_after(m->party, 2), theirs[0].common, CONTRIBUTION);
	ENT_TRY(derive(all, sizeof all, bind, "common", &m->common, NULL, err));
	ent_wipe(pair, sizeof pair);
	ent_wipe(all, sizeof all);
	return 0;
}

static int greet(struct ent_mpc *m, struct hello mine[2], struct hello theirs[2], struct ent_err *err)
{
	struct ent_link *link[2] = { m->o.prev, m->o.next };
	ENT_TRY(m->o.random->fill(m->o.random, mine, 2 * sizeof *mine, err));
	memcpy(mine[1].common, mine[0].common, CONTRIBUTION);
	for (int j = 0; j < 2; j++) {
		binding(&m->o, mine[j].binding);
		ENT_TRY(link[j]->ops->send(link[j], &mine[j], sizeof mine[j], err));
	}
	for (int j = 0; j < 2; j++) {
		ENT_TRY(link[j]->ops->recv(link[j], &theirs[j], sizeof theirs[j], err));
		if (memcmp(mine[j].binding, theirs[j].binding, ENT_SHA256_LEN)) {
			ent_fail(err, ENT_EPEER, "the compute parties do not run the same job");
			return ent_why(err, "job id, attempt or trio differ from those of party %d", party_after(m->party, j ? 1 : 2));
		}
	}
	return 0;
}

static int set_up(struct ent_mpc *m, struct ent_err *err)
{
	struct hello mine[2], theirs[2];
	int rc = greet(m, mine, theirs, err);
	if (!rc)
		rc = derive_all(m, mine, theirs, err);
	ent_wipe(mine, sizeof mine);
	ent_wipe(theirs, sizeof theirs);
	return rc;
}

static int watch_all(struct ent_mpc *m, struct ent_err *err)
{
	struct ent_prg *prg[5] = { &m->key[0], &m->key[1], &m->perm[0], &m->perm[1], &m->common };
	for (int i = 0; i < 5; i++) {
		m->watch[i] = ent_prg_watch_new();
		if (!m->watch[i])
			return ent_nomem(err);
		prg[i]->watch = m->watch[i];
	}
	return 0;
}

static int buffers(struct ent_mpc *m, struct ent_err *err)
{
	for (int i = 0; i < 3; i++) {
		m->tile[i] = aligned_alloc(64, TILE_WORDS * 8 + 64);
		if (!m->tile[i])
			return ent_nomem(err);
	}
	m->held = malloc(4 * HELD_BYTES);
	return m->held ? 0 : ent_nomem(err);
}

int ent_mpc_new(const struct ent_mpc_options *options, struct ent_mpc **ret_mpc, struct ent_err *err)
{
	ENT_ASSERT(options->party >= 0 && options->party < 3 && options->job && options->trio);
	ENT_CLEANUP(ent_mpc_freep) struct ent_mpc *m = calloc(1, sizeof *m);
	if (!m)
		return ent_nomem(err);
	m->o = *options;
	m->party = options->party;
	if (!m->o.memory_max_bytes)
		m->o.memory_max_bytes = (size_t)512 << 20;
	ENT_TRY(buffers(m, err));
	ENT_TRY(set_up(m, err));
	if (m->o.record_prg)
		ENT_TRY(watch_all(m, err));
	*ret_mpc = m;
	m = NULL;
	return 0;
}

void ent_mpc_free(struct ent_mpc *m)
{
	if (!m)
		return;
	for (int i = 0; i < 5; i++)
		ent_prg_watch_free(m->watch[i]);
	for (int i = 0; i < 3; i++) {
		if (m->tile[i])
			ent_wipe(m->tile[i], TILE_WORDS * 8);
		free(m->tile[i]);
	}
	if (m->held)
		ent_wipe(m->held, 4 * HELD_BYTES);
	free(m->held);
	ent_mpc_drop_cache(m);
	free(m->openings);
	ent_wipe(m, sizeof *m);
	free(m);
}

void ent_mpc_cancel(struct ent_mpc *m)
{
	atomic_store(&m->cancelled, true);
	m->o.next->ops->cancel(m->o.next);
	m->o.prev->ops->cancel(m->o.prev);
}

int ent_mpc_party(const struct ent_mpc *m) { return m->party; }
struct ent_mpc_counters ent_mpc_counters(const struct ent_mpc *m) { return m->n; }

const struct ent_mpc_opening *ent_mpc_openings(const struct ent_mpc *m, size_t *ret_count)
{
	*ret_count = m->openings_count;
	return m->openings;
}

int ent_mpc_dies(struct ent_mpc *m, int rc)
{
	m->dead = m->dead || rc;
	return rc;
}

static int alive(struct ent_mpc *m, struct ent_err *err)
{
	if (atomic_load(&m->cancelled))
		return ent_mpc_dies(m, ent_fail(err, ENT_ECANCELLED, "the job was cancelled"));
	if (!m->dead)
		return 0;
	ent_fail(err, ENT_EPEER, "the joint computation already failed");
	return ent_why(err, "an earlier step failed, its shares are gone");
}

int ent_mpc_begin(struct ent_mpc *m, struct ent_err *err)
{
	ENT_TRY(alive(m, err));
#ifdef ENT_MUTANT_STREAM_REUSED
	m->op = 1;
#else
	m->op++;
#endif
	ENT_ASSERT(m->op);
	return 0;
}

int ent_mpc_round(struct ent_mpc *m, struct ent_err *err)
{
	m->n.rounds++;
	if (m->o.progress)
		m->o.progress(m->o.arg, m->n.rounds);
	return alive(m, err);
}

void ent_mpc_draw(struct ent_mpc *m, int j, uint16_t stream, uint64_t word, uint64_t *out, size_t words)
{
	ENT_ASSERT(!(word & 1));
	if (m->o.prg)
		m->o.prg(m->o.arg, party_after(m->party, j), m->op, stream, word, out, words);
	else
		ent_prg_fill(&m->key[j], m->op, stream, word / 2, out, words * 8);
	ent_taint_mark(out, words * 8);
}

void ent_mpc_draw_common(struct ent_mpc *m, uint16_t stream, uint64_t word, uint64_t *out, size_t words)
{
	ENT_ASSERT(!(word & 1));
	if (m->o.prg)
		m->o.prg(m->o.arg, 3, m->op, stream, word, out, words);
	else
		ent_prg_fill(&m->common, m->op, stream, word / 2, out, words * 8);
	ent_taint_mark(out, words * 8);
}

void ent_mpc_draw_permute(struct ent_mpc *m, int j, uint16_t stream, uint64_t word, uint64_t *out, size_t words)
{
	ENT_ASSERT(!(word & 1));
	if (m->o.prg)
		m->o.prg(m->o.arg, 4 + party_after(m->party, j), m->op, stream, word, out, words);
	else
		ent_prg_fill(&m->perm[j], m->op, stream, word / 2, out, words * 8);
}

/* Both keys of a test PRG, in a tile of their own: out = a op b. */
static void hooked_pair(struct ent_mpc *m, uint64_t word, uint64_t *out, size_t words, bool sub)
{
	uint64_t *b = m->tile[2];
	ENT_ASSERT(words <= TILE_WORDS && out != b);
	m->o.prg(m->o.arg, m->party, m->op, STREAM_ZERO, word, out, words);
	m->o.prg(m->o.arg, party_after(m->party, 1), m->op, STREAM_ZERO, word, b, words);
	for (size_t i = 0; i < words; i++)
		out[i] = sub ? out[i] - b[i] : out[i] ^ b[i];
}

void ent_mpc_zero_xor(struct ent_mpc *m, uint64_t word, uint64_t *out, size_t words)
{
	ENT_ASSERT(!(word & 1));
#ifdef ENT_MUTANT_NO_ZERO_SHARE
	memset(out, 0, words * 8);
	return;
#endif
	if (m->o.prg)
		hooked_pair(m, word, out, words, false);
	else
		ent_prg_pair_xor(&m->key[0], &m->key[1], m->op, STREAM_ZERO, word / 2, out, words * 8);
	ent_taint_mark(out, words * 8);
}

void ent_mpc_zero_sub(struct ent_mpc *m, uint64_t word, uint64_t *out, size_t words)
{
	ENT_ASSERT(!(word & 1));
#ifdef ENT_MUTANT_NO_ZERO_SHARE
	memset(out, 0, words * 8);
	return;
#endif
	if (m->o.prg)
		hooked_pair(m, word, out, words, true);
	else
		ent_prg_pair_sub(&m->key[0], &m->key[1], m->op, STREAM_ZERO, word / 2, out, words * 8);
	ent_taint_mark(out, words * 8);
}
