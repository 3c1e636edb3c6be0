/* The tree against a naive one straight from RFC 9162's recursive definitions: roots, inclusion and consistency proofs, tiles, and spoilt proofs. */
#include <stdlib.h>

#include "ledger/tile.h"
#include "ledger/tree.h"
#include "support/ledger_kit.h"
#include "tap.h"

#define LEAVES 700

static ent_hash leaves[LEAVES];

static uint64_t below(uint64_t n)
{
	uint64_t k = 1;
	while (2 * k < n)
		k *= 2;
	return k;
}

static ent_hash naive_root(uint64_t lo, uint64_t n)
{
	ent_hash h, left, right;
	if (n == 0) {
		ent_tree_empty(&h);
	} else if (n == 1) {
		h = leaves[lo];
	} else {
		left = naive_root(lo, below(n));
		right = naive_root(lo + below(n), n - below(n));
		ent_tree_node(&left, &right, &h);
	}
	return h;
}

/* PATH(m, D[n]) */
static void naive_path(uint64_t m, uint64_t lo, uint64_t n, struct ent_proof *p)
{
	if (n == 1)
		return;
	uint64_t k = below(n);
	if (m < k) {
		naive_path(m, lo, k, p);
		p->at[p->count++] = naive_root(lo + k, n - k);
	} else {
		naive_path(m - k, lo + k, n - k, p);
		p->at[p->count++] = naive_root(lo, k);
	}
}

/* SUBPROOF(m, D[n], b) */
static void naive_subproof(uint64_t m, uint64_t lo, uint64_t n, bool whole, struct ent_proof *p)
{
	if (m == n) {
		if (!whole)
			p->at[p->count++] = naive_root(lo, n);
		return;
	}
	uint64_t k = below(n);
	if (m <= k) {
		naive_subproof(m, lo, k, whole, p);
		p->at[p->count++] = naive_root(lo + k, n - k);
	} else {
		naive_subproof(m - k, lo + k, n - k, false, p);
		p->at[p->count++] = naive_root(lo, k);
	}
}

static bool same_proof(const struct ent_proof *a, const struct ent_proof *b)
{
	return a->count == b->count && !memcmp(a->at, b->at, a->count * sizeof a->at[0]);
}

static void test_against_naive(struct ent_tiles *t, uint64_t *random)
{
	struct ent_tree_source source = { t, ent_tiles_node };
	size_t wrong = 0;
	for (int i = 0; i < 300; i++) {
		uint64_t size = i < 40 ? (uint64_t)i + 1 : 1 + kit_random(random) % LEAVES, index = kit_random(random) % size,
			 old = 1 + kit_random(random) % size;
		struct ent_proof p, n = { .count = 0 }, c, nc = { .count = 0 };
		ent_hash root, want = naive_root(0, size), old_root = naive_root(0, old);
		wrong += ent_tree_root(&source, size, &root, NULL) || memcmp(&root, &want, sizeof root) != 0;
		naive_path(index, 0, size, &n);
		wrong += ent_tree_inclusion(&source, index, size, &p, NULL) || !same_proof(&p, &n);
		wrong += ent_tree_check_inclusion(&leaves[index], index, size, &p, &root, NULL) != 0;
		naive_subproof(old, 0, size, true, &nc);
		wrong += ent_tree_consistency(&source, old, size, &c, NULL) || !same_proof(&c, &nc);
		wrong += ent_tree_check_consistency(old, size, &c, &old_root, &root, NULL) != 0;
	}
	OK_INT(wrong, 0, "roots and proofs are those of the recursive definition, and verify");
}

/* Each element, each number, each root of a proof counts. */
static void test_spoilt(struct ent_tiles *t, uint64_t *random)
{
	struct ent_tree_source source = { t, ent_tiles_node };
	size_t accepted = 0, tried = 0;
	for (int i = 0; i < 150; i++) {
		uint64_t size = 2 + kit_random(random) % (LEAVES - 2), index = kit_random(random) % size, old = 1 + kit_random(random) % (size - 1);
		struct ent_proof p, c;
		ent_hash root, old_root = naive_root(0, old), bad;
		ent_tree_root(&source, size, &root, NULL);
		ent_tree_inclusion(&source, index, size, &p, NULL);
		ent_tree_consistency(&source, old, size, &c, NULL);
		for (size_t k = 0; k < p.count; k++, tried++) {
			p.at[k].b[kit_random(random) % 32] ^= 4;
			accepted += !ent_tree_check_inclusion(&leaves[index], index, size, &p, &root, NULL);
			ent_tree_inclusion(&source, index, size, &p, NULL);
		}
		for (size_t k = 0; k < c.count; k++, tried++) {
			c.at[k].b[kit_random(random) % 32] ^= 4;
			accepted += !ent_tree_check_consistency(old, size, &c, &old_root, &root, NULL);
			ent_tree_consistency(&source, old, size, &c, NULL);
		}
		uint64_t other = (index + 1 + kit_random(random) % (size - 1)) % size;
		accepted += !ent_tree_check_inclusion(&leaves[index], other, size, &p, &root, NULL);
		accepted += !ent_tree_check_inclusion(&leaves[other], index, size, &p, &root, NULL);
		bad = root;
		bad.b[0] ^= 1;
		accepted += !ent_tree_check_inclusion(&leaves[index], index, size, &p, &bad, NULL);
		accepted += !ent_tree_check_consistency(old, size, &c, &old_root, &bad, NULL);
		accepted += !ent_tree_check_consistency(old, size, &c, &bad, &root, NULL);
		p.at[p.count++] = root;
		c.at[c.count++] = root;
		accepted += !ent_tree_check_inclusion(&leaves[index], index, size, &p, &root, NULL);
		accepted += !ent_tree_check_consistency(old, size, &c, &old_root, &root, NULL);
		p.count -= 2;
		c.count -= 2;
		accepted += p.count + 1 > 0 && !ent_tree_check_inclusion(&leaves[index], index, size, &p, &root, NULL);
		accepted += c.count + 1 > 0 && !ent_tree_check_consistency(old, size, &c, &old_root, &root, NULL);
		tried += 9;
	}
	printf("# %zu spoilt proofs\n", tried);
	OK_INT(accepted, 0, "no spoilt proof verifies");
}

/* 2^16 and some leaves: full tiles of two levels, read back after reopening at a segment's end. */
static void test_tiles(uint64_t *random)
{
	struct ent_fs *fs = simfs_new(1);
	static struct ent_tiles t, again;
	struct ent_frontier f = { 0 };
	ent_hash root, want, at_end;
	ENT_ASSERT(!fs->ops->mkdir(fs, "ledger", 0700, NULL) && !ent_tiles_open(&t, fs, "ledger", 0, NULL));
	for (uint64_t i = 0; i < 65536 + 300; i++) {
		ent_hash leaf;
		for (size_t k = 0; k < sizeof leaf.b; k += 8) {
			uint64_t r = kit_random(random);
			memcpy(leaf.b + k, &r, 8);
		}
		ENT_ASSERT(!ent_tiles_add(&t, &leaf, NULL));
		ent_frontier_add(&f, &leaf);
		if (i == 65535)
			ent_frontier_root(&f, &at_end);
	}
	struct ent_tree_source source = { &t, ent_tiles_node };
	ent_frontier_root(&f, &want);
	OK(!ent_tree_root(&source, t.size, &root, NULL) && !memcmp(&root, &want, sizeof root), "root before the tiles are on disk");
	OK_INT(ent_tiles_flush(&t, NULL), 0);
	OK(!ent_tree_root(&source, 65536, &root, NULL) && !memcmp(&root, &at_end, sizeof root), "root of an older size, from disk");
	OK_INT(ent_tiles_open(&again, fs, "ledger", 65536, NULL), 0);
	source.self = &again;
	OK(!ent_tree_root(&source, 65536, &root, NULL) && !memcmp(&root, &at_end, sizeof root), "root after reopening");
	OK_INT(ent_tree_root(&source, 65537, &root, NULL), ENT_ENOTFOUND, "nothing beyond the size");
	char path[300];
	ent_tile_path("ledger", 0, 1234067, path);
	OK_STR(path, "ledger/tile/0/x001/x234/067");
	ent_tile_path("ledger", 1, 5, path);
	OK_STR(path, "ledger/tile/1/005");
	ent_tiles_deinit(&t);
	ent_tiles_deinit(&again);
	simfs_free(fs);
}

int main(void)
{
	const char *env = getenv("ENT_SEED");
	uint64_t random = env ? strtoull(env, NULL, 10) : 1;
	struct ent_fs *fs = simfs_new(1);
	static struct ent_tiles t;
	printf("# seed %llu\n", (unsigned long long)random);
	ENT_ASSERT(!fs->ops->mkdir(fs, "ledger", 0700, NULL) && !ent_tiles_open(&t, fs, "ledger", 0, NULL));
	for (uint64_t i = 0; i < LEAVES; i++) {
		ent_tree_leaf(ent_bytes(&i, sizeof i), &leaves[i]);
		ENT_ASSERT(!ent_tiles_add(&t, &leaves[i], NULL));
	}
	test_against_naive(&t, &random);
	test_spoilt(&t, &random);
	test_tiles(&random);
	ent_tiles_deinit(&t);
	simfs_free(fs);
	return tap_done();
}
