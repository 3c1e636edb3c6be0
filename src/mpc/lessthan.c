/* Comparisons run tile by tile: a tile of 4096 comparisons keeps its planes side by side, so that the whole tree of a tile works in the second-level
 * cache. In each round a tile first takes in what its neighbour sent in the round before, then computes, then sends: one pass over memory per round.
 */
#include "mpc/lessthan.h"

#include "mpc/kernel.h"

#define LANE_WORDS 64 /* words per plane of a full tile */

struct tree {
	size_t words;    /* words per plane of all comparisons */
	unsigned planes; /* at the leaves */
	uint64_t *g[2], *e[2];
};

static size_t tile_words(const struct tree *t, size_t at) { return t->words - at < LANE_WORDS ? t->words - at : LANE_WORDS; }

#define GROUP 8 /* words filled at a time: a cache line of each plane */

/* 64 rows' bits of one key word, turned into planes. */
static void load_block(const struct key_rows *k, const uint32_t *at, size_t n, size_t word, uint64_t block[64])
{
	const size_t stride = 2 * (size_t)k->key_words;
	if (n == 64 && at[0] == at[63]) { /* one row in all lanes: its bits spread, without a transposition */
		uint64_t v = k->row[at[0] * stride + word];
		for (unsigned b = 0; b < 64; b++)
			block[b] = 0 - (v >> b & 1);
		return;
	}
	for (size_t i = 0; i < n; i++)
		block[i] = k->row[at[i] * stride + word];
	for (size_t i = n; i < 64; i++)
		block[i] = 0;
	ent_mpc_kernel()->transpose(block);
}

/* Planes of up to GROUP words of comparisons, component j. */
static void load_group(const struct key_rows *k, const uint32_t *at, size_t count, unsigned j, size_t words, uint64_t *ret)
{
	uint64_t block[GROUP][64] __attribute__((aligned(64)));
	size_t here = (count + 63) / 64 < GROUP ? (count + 63) / 64 : GROUP;
	for (unsigned g = 0; g < k->key_words; g++) {
		unsigned bits = k->planes - 64 * g < 64 ? k->planes - 64 * g : 64;
		for (size_t w = 0; w < here; w++)
			load_block(k, at + w * 64, count - w * 64 < 64 ? count - w * 64 : 64, (size_t)j * k->key_words + g, block[w]);
		for (unsigned b = 0; b < bits; b++)
			for (size_t w = 0; w < here; w++)
				ret[(64 * g + b) * words + w] = block[w][b];
	}
}

struct operands {
	uint64_t *x[2], *y[2]; /* planes * LANE_WORDS words each */
};

static void load_tile(const struct key_rows *k, const uint32_t *left, const uint32_t *right, size_t count, size_t words, const struct operands *o)
{
	for (size_t w = 0; w < words; w += GROUP)
		for (unsigned j = 0; j < 2; j++) {
			load_group(k, left + w * 64, count - w * 64, j, words, o->x[j] + w);
			load_group(k, right + w * 64, count - w * 64, j, words, o->y[j] + w);
		}
}

/* Leaves of one tile in pieces that fit a tile buffer. */
static int leaf_tile(struct ent_mpc *m, const struct tree *t, size_t at, const struct operands *o, uint64_t *zero_at, struct wire *w,
		     struct ent_err *err)
{
	size_t words = tile_words(t, at), all = words * t->planes, base = at * t->planes;
	uint64_t n0 = is_first(m, 0) ? ~(uint64_t)0 : 0, n1 = is_first(m, 1) ? ~(uint64_t)0 : 0;
	for (size_t i = 0; i < all; i += TILE_WORDS) {
		size_t n = all - i < TILE_WORDS ? all - i : TILE_WORDS;
		ent_mpc_zero_xor(m, *zero_at, m->tile[0], n);
		*zero_at += (n + 1) & ~(size_t)1;
		ent_mpc_kernel()->lt_leaf(m->tile[0], o->x[0] + i, o->x[1] + i, o->y[0] + i, o->y[1] + i, n0, n1, t->g[0] + base + i,
					  t->e[0] + base + i, t->e[1] + base + i, n);
		ENT_TRY(ent_wire_put(m, w, m->tile[0], n * 8, err));
	}
	return 0;
}

/* Merges of one tile: pairs [first, half) of g or e, as many at a time as fit a tile buffer. */
static int merge_tile(struct ent_mpc *m, const struct tree *t, size_t at, unsigned half, bool of_e, uint64_t *zero_at, struct wire *w,
		      struct ent_err *err)
{
	size_t words = tile_words(t, at), base = at * t->planes, step = TILE_WORDS / words;
	for (size_t first = of_e; first < half; first += step) {
		size_t count = half - first < step ? half - first : step, n = count * words;
		ent_mpc_zero_xor(m, *zero_at, m->tile[0], n);
		*zero_at += (n + 1) & ~(size_t)1;
		if (of_e)
			ent_mpc_kernel()->merge_e(m->tile[0], t->e[0] + base, t->e[1] + base, first, count, words);
		else
			ent_mpc_kernel()->merge_g(m->tile[0], t->g[0] + base, t->g[1] + base, t->e[0] + base, t->e[1] + base, first, count, words);
		ENT_TRY(ent_wire_put(m, w, m->tile[0], n * 8, err));
	}
	return 0;
}

/* What the neighbour sent for this tile when `left` planes became (left+1)/2; left = 0: the leaves. Then an odd plane moves down, whole. */
static int take_tile(struct ent_mpc *m, const struct tree *t, size_t at, unsigned left, struct wire *w, struct ent_err *err)
{
	size_t words = tile_words(t, at), base = at * t->planes, half = left / 2;
	if (!left)
		return ent_wire_get(m, w, t->g[1] + base, words * t->planes * 8, err);
	ENT_TRY(ent_wire_get(m, w, t->g[1] + base, half * words * 8, err));
	ENT_TRY(ent_wire_get(m, w, t->e[1] + base + words, (half - 1) * words * 8, err));
	for (int j = 0; left % 2 && j < 2; j++) {
		memcpy(t->g[j] + base + half * words, t->g[j] + base + (left - 1) * words, words * 8);
		memcpy(t->e[j] + base + half * words, t->e[j] + base + (left - 1) * words, words * 8);
	}
	return 0;
}

static uint64_t level_words(const struct tree *t, unsigned left)
{
	return left ? (uint64_t)t->words * (2 * (left / 2) - 1) : (uint64_t)t->words * t->planes;
}

static int leaves(struct ent_mpc *m, const struct tree *t, const struct key_rows *k, const uint32_t *left, const uint32_t *right, size_t count,
		  struct ent_err *err)
{
	ENT_CLEANUP(ent_mpc_scratch_free) struct scratch s = { 0 };
	size_t each = (size_t)t->planes * LANE_WORDS;
	struct wire w;
	uint64_t zero_at = 0;
	ENT_TRY(ent_mpc_begin(m, err));
	ENT_TRY(ent_mpc_scratch(m, 4 * each, 8, &s, err));
	uint64_t *p = s.at;
	struct operands o = { { p, p + each }, { p + 2 * each, p + 3 * each } };
	ENT_TRY(ent_wire_send(m, WAY_PREV, level_words(t, 0) * 8, &w, err));
	for (size_t at = 0; at < t->words; at += LANE_WORDS) {
		load_tile(k, left + at * 64, right + at * 64, count - at * 64, tile_words(t, at), &o);
		ENT_TRY(leaf_tile(m, t, at, &o, &zero_at, &w, err));
	}
	return ent_mpc_round(m, err);
}

/* One level: takes in the level before (of `before` planes, 0 = leaves), computes this one. */
static int level(struct ent_mpc *m, const struct tree *t, unsigned before, unsigned left, struct ent_err *err)
{
	struct wire in, out;
	uint64_t zero_at = 0;
	ENT_TRY(ent_wire_recv(m, WAY_NEXT, level_words(t, before) * 8, &in, err));
	ENT_TRY(ent_mpc_begin(m, err));
	ENT_TRY(ent_wire_send(m, WAY_PREV, level_words(t, left) * 8, &out, err));
	for (size_t at = 0; at < t->words; at += LANE_WORDS) {
		ENT_TRY(take_tile(m, t, at, before, &in, err));
		ENT_TRY(merge_tile(m, t, at, left / 2, false, &zero_at, &out, err));
		ENT_TRY(merge_tile(m, t, at, left / 2, true, &zero_at, &out, err));
	}
	return ent_mpc_round(m, err);
}

static int finish(struct ent_mpc *m, const struct tree *t, unsigned before, struct ent_bits *ret, struct ent_err *err)
{
	struct wire in;
	ENT_TRY(ent_wire_recv(m, WAY_NEXT, level_words(t, before) * 8, &in, err));
	for (size_t at = 0; at < t->words; at += LANE_WORDS) {
		ENT_TRY(take_tile(m, t, at, before, &in, err));
		for (int j = 0; j < 2; j++)
			memcpy(ret->c[j] + at, t->g[j] + at * t->planes, tile_words(t, at) * 8);
	}
	return 0;
}

int ent_keys_lt(struct ent_mpc *m, const struct key_rows *k, const uint32_t *left, const uint32_t *right, size_t count, struct ent_bits *ret,
		struct ent_err *err)
{
	ENT_CLEANUP(ent_mpc_scratch_free) struct scratch s = { 0 };
	struct tree t = { ent_words(count), k->planes, { NULL }, { NULL } };
	size_t each = t.words * t.planes;
	unsigned before = 0;
	ENT_TRY(ent_mpc_scratch(m, 4 * each, 8, &s, err));
	uint64_t *p = s.at;
	for (int j = 0; j < 2; j++) {
		t.g[j] = p + (size_t)j * each;
		t.e[j] = p + (size_t)(2 + j) * each;
	}
	ENT_TRY(leaves(m, &t, k, left, right, count, err));
	for (unsigned n = k->planes; n > 1; n = (n + 1) / 2) {
		ENT_TRY(level(m, &t, before, n, err));
		before = n;
	}
	return finish(m, &t, before, ret, err);
}
