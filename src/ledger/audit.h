/* Verifying a whole log from its own bytes, and reading it as a block chain.
 *
 * audit re-reads every entry from disk, recomputes every leaf, tile, root and block link, checks every signature with the keys the log
 * itself introduces (member and key entries, starting with entry 1), and names the first damaged entry or file. */
#ifndef ENT_LEDGER_AUDIT_H
#define ENT_LEDGER_AUDIT_H
#include "ledger/card.h"
#include "ledger/ledger.h"

struct ent_audit {
	uint64_t entries, blocks, signatures;
	struct ent_card own;        /* the card entry 1 introduced, after its `key` entries */
	struct ent_checkpoint last; /* last signed checkpoint */
	char damaged[200];          /* "entry 17", "tile/0/000", "checkpoint"; empty when all is well */
};
/* Reads dir directly, not through an open ledger; nothing is changed. ENT_EVERIFY with ret->damaged set, or 0. Entries after the last
 * checkpoint are checked too. */
int ent_audit_run(struct ent_fs *fs, const char *dir, struct ent_audit *ret, struct ent_err *err);

struct ent_block {
	uint64_t number, first, end; /* entries [first, end); first is the block entry */
	int64_t time_ms;
	uint8_t prev[ENT_HASH_BYTES], hash[ENT_HASH_BYTES]; /* SHA-256 of the checkpoint bodies of sizes first and end */
	bool open;                                          /* not yet covered by a signed checkpoint: hash is of what is there */
};
/* Calls each() per block, oldest first, with hashes recomputed from the leaves; a link that does not hold is ENT_EVERIFY. */
int ent_ledger_blocks(struct ent_ledger *l, int (*each)(void *arg, const struct ent_block *block), void *arg, struct ent_err *err);
#endif
