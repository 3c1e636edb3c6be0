#include "ledger/tree.h"

#include "crypto/hash.h"

void ent_tree_empty(ent_hash *ret) { ent_sha256("", 0, ret->b); }

void ent_tree_leaf(struct ent_bytes data, ent_hash *ret)
{
	struct ent_bytes pieces[] = { ent_bytes("\0", 1), data };
	ent_sha256v(pieces, 2, ret->b);
}

void ent_tree_node(const ent_hash *left, const ent_hash *right, ent_hash *ret)
{
	uint8_t both[1 + 2 * ENT_HASH_BYTES] = { 1 };
	memcpy(both + 1, left->b, ENT_HASH_BYTES);
	memcpy(both + 1 + ENT_HASH_BYTES, right->b, ENT_HASH_BYTES);
	ent_sha256(both, sizeof both, ret->b);
}

/* Largest power of two below n, for n > 1, as an exponent. */
static unsigned split_level(uint64_t n) { return 63u - (unsigned)__builtin_clzll(n - 1); }

/* Hash over leaves [lo, lo + n), where lo is a multiple of every power of two used. */
static int range_hash(const struct ent_tree_source *s, uint64_t lo, uint64_t n, ent_hash *ret, struct ent_err *err)
{
	if ((n & (n - 1)) == 0) {
		unsigned level = (unsigned)__builtin_ctzll(n);
		return s->node(s->self, level, lo >> level, ret, err);
	}
	unsigned level = split_level(n);
	ent_hash left, right;
	ENT_TRY(s->node(s->self, level, lo >> level, &left, err));
	ENT_TRY(range_hash(s, lo + ((uint64_t)1 << level), n - ((uint64_t)1 << level), &right, err));
	ent_tree_node(&left, &right, ret);
	return 0;
}

int ent_tree_root(const struct ent_tree_source *s, uint64_t size, ent_hash *ret, struct ent_err *err)
{
	if (size == 0) {
		ent_tree_empty(ret);
		return 0;
	}
	return range_hash(s, 0, size, ret, err);
}

void ent_frontier_add(struct ent_frontier *f, const ent_hash *leaf)
{
	ent_hash h = *leaf;
	unsigned level = 0;
	for (; f->size >> level & 1; level++)
		ent_tree_node(&f->at[level], &h, &h);
	f->at[level] = h;
	f->size++;
}

void ent_frontier_root(const struct ent_frontier *f, ent_hash *ret)
{
	ent_hash root;
	bool some = false;
	ent_tree_empty(&root);
	for (unsigned level = 0; level < 64; level++) {
		if (!(f->size >> level & 1))
			continue;
		if (some)
			ent_tree_node(&f->at[level], &root, &root);
		else
			root = f->at[level];
		some = true;
	}
	*ret = root;
}

static void reverse(struct ent_proof *p)
{
	for (size_t i = 0; i < p->count / 2; i++) {
		ent_hash t = p->at[i];
		p->at[i] = p->at[p->count - 1 - i];
		p->at[p->count - 1 - i] = t;
	}
}

int ent_tree_inclusion(const struct ent_tree_source *s, uint64_t index, uint64_t size, struct ent_proof *ret, struct ent_err *err)
{
	struct ent_proof p = { .count = 0 };
	uint64_t lo = 0, n = size;
	if (index >= size)
		return ent_fail(err, ENT_ENOTFOUND, "no entry %llu in a log of %llu", (unsigned long long)index, (unsigned long long)size);
	while (n > 1) { /* from the root down; siblings are collected and turned round at the end */
		uint64_t k = (uint64_t)1 << split_level(n);
		bool left = index - lo < k;
		ENT_TRY(range_hash(s, left ? lo + k : lo, left ? n - k : k, &p.at[p.count++], err));
		lo = left ? lo : lo + k;
		n = left ? k : n - k;
	}
	reverse(&p);
	*ret = p;
	return 0;
}

int ent_tree_consistency(const struct ent_tree_source *s, uint64_t old, uint64_t size, struct ent_proof *ret, struct ent_err *err)
{
	struct ent_proof p = { .count = 0 };
	uint64_t lo = 0, n = size;
	bool whole = true; /* the old tree is still this very subtree, whose hash the verifier knows */
	if (old > size)
		return ent_fail(err, ENT_ENOTFOUND, "the log has %llu entries, not %llu", (unsigned long long)size, (unsigned long long)old);
	while (old && old - lo != n) {
		uint64_t k = (uint64_t)1 << split_level(n);
		bool left = old - lo <= k;
		ENT_TRY(range_hash(s, left ? lo + k : lo, left ? n - k : k, &p.at[p.count++], err));
		whole = whole && left;
		lo = left ? lo : lo + k;
		n = left ? k : n - k;
	}
	if (old && !whole)
		ENT_TRY(range_hash(s, lo, n, &p.at[p.count++], err));
	reverse(&p);
	*ret = p;
	return 0;
}

static int broken(struct ent_err *err, const char *which) { return ent_fail(err, ENT_EVERIFY, "the %s proof does not hold", which); }

static bool same(const ent_hash *a, const ent_hash *b) { return !memcmp(a->b, b->b, ENT_HASH_BYTES); }

/* RFC 9162 section 2.1.3.2. */
int ent_tree_check_inclusion(const ent_hash *leaf, uint64_t index, uint64_t size, const struct ent_proof *proof, const ent_hash *root,
			     struct ent_err *err)
{
	if (index >= size)
		return broken(err, "inclusion");
	uint64_t fn = index, sn = size - 1;
	ent_hash r = *leaf;
	for (size_t i = 0; i < proof->count; i++) {
		if (sn == 0)
			return broken(err, "inclusion");
		if (fn & 1 || fn == sn) {
			ent_tree_node(&proof->at[i], &r, &r);
			while (!(fn & 1) && fn) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			ent_tree_node(&r, &proof->at[i], &r);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && same(&r, root) ? 0 : broken(err, "inclusion");
}

static int check_equal_sizes(uint64_t size, const struct ent_proof *proof, const ent_hash *old_root, const ent_hash *root, struct ent_err *err)
{
	ent_hash empty;
	ent_tree_empty(&empty);
	bool good = proof->count == 0 && same(old_root, root) && (size > 0 || same(root, &empty));
	return good ? 0 : broken(err, "consistency");
}

/* RFC 9162 section 2.1.4.2. */
int ent_tree_check_consistency(uint64_t old, uint64_t size, const struct ent_proof *proof, const ent_hash *old_root, const ent_hash *root,
			       struct ent_err *err)
{
	if (old == size)
		return check_equal_sizes(size, proof, old_root, root, err);
	if (old == 0 || old > size || proof->count == 0)
		return broken(err, "consistency");
	uint64_t fn = old - 1, sn = size - 1;
	size_t i = 0;
	while (fn & 1) {
		fn >>= 1;
		sn >>= 1;
	}
	ent_hash fr = (old & (old - 1)) == 0 ? *old_root : proof->at[i++], sr = fr;
	for (; i < proof->count; i++) {
		if (sn == 0)
			return broken(err, "consistency");
		if (fn & 1 || fn == sn) {
			ent_tree_node(&proof->at[i], &fr, &fr);
			ent_tree_node(&proof->at[i], &sr, &sr);
			while (!(fn & 1) && fn) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			ent_tree_node(&sr, &proof->at[i], &sr);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && same(&fr, old_root) && same(&sr, root) ? 0 : broken(err, "consistency");
}
