/* The Merkle tree of RFC 9162 section 2.1: SHA-256, leaf H(0x00‖d), node H(0x01‖l‖r); proofs made from a source of complete subtrees, and verified.
 */
#ifndef ENT_LEDGER_TREE_H
#define ENT_LEDGER_TREE_H
#include "ledger/dsse.h"

#define ENT_PROOF_MAX 64

typedef struct ent_hash {
	uint8_t b[ENT_HASH_BYTES];
} ent_hash;

struct ent_proof {
	ent_hash at[ENT_PROOF_MAX];
	size_t count;
};

void ent_tree_empty(ent_hash *ret); /* SHA-256("") */
void ent_tree_leaf(struct ent_bytes data, ent_hash *ret);
void ent_tree_node(const ent_hash *left, const ent_hash *right, ent_hash *ret);

/* Where complete subtrees come from: the hash over leaves [index << level, (index+1) << level). */
struct ent_tree_source {
	void *self;
	int (*node)(void *self, unsigned level, uint64_t index, ent_hash *ret, struct ent_err *err);
};
int ent_tree_root(const struct ent_tree_source *s, uint64_t size, ent_hash *ret, struct ent_err *err);
int ent_tree_inclusion(const struct ent_tree_source *s, uint64_t index, uint64_t size, struct ent_proof *ret, struct ent_err *err);
/* From old to size; old = 0 gives the empty proof (a witness that never saw the log), though no verifier takes it as a statement. */
int ent_tree_consistency(const struct ent_tree_source *s, uint64_t old, uint64_t size, struct ent_proof *ret, struct ent_err *err);

/* A tree that only grows and only knows its root: the complete subtrees on its right edge. Start zeroed. */
struct ent_frontier {
	uint64_t size;
	ent_hash at[64]; /* at[k]: subtree of 2^k leaves, valid where bit k of size is set */
};
void ent_frontier_add(struct ent_frontier *f, const ent_hash *leaf);
void ent_frontier_root(const struct ent_frontier *f, ent_hash *ret);

/* ENT_EVERIFY when the proof does not hold; every element is used, none left over. Consistency from 0 to n > 0 is no provable
 * statement and fails; 0 to 0 requires both roots to be SHA-256("") and an empty proof. */
int ent_tree_check_inclusion(const ent_hash *leaf, uint64_t index, uint64_t size, const struct ent_proof *proof, const ent_hash *root,
			     struct ent_err *err);
int ent_tree_check_consistency(uint64_t old, uint64_t size, const struct ent_proof *proof, const ent_hash *old_root, const ent_hash *root,
			       struct ent_err *err);
#endif
