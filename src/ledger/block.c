/* The log read as a chain of blocks: every batch is one, its hash is that of the checkpoint body that covers it. */
#include <stdio.h>

#include "ledger/audit.h"

struct blocks {
	struct ent_ledger *l;
	struct ent_frontier tree;
	struct ent_block now;
	bool some;
	uint8_t last_hash[ENT_HASH_BYTES];
	int (*each)(void *arg, const struct ent_block *block);
	void *arg;
};

static void hash_here(const struct blocks *b, uint8_t ret[ENT_HASH_BYTES])
{
	struct ent_checkpoint c = *ent_ledger_signed(b->l);
	c.size = b->tree.size;
	ent_frontier_root(&b->tree, &c.root);
	ent_checkpoint_hash(&c, ret);
}

static int end_block(struct blocks *b)
{
	if (!b->some)
		return 0;
	b->now.end = b->tree.size;
	b->now.open = b->now.end > ent_ledger_signed(b->l)->size;
	hash_here(b, b->now.hash);
	memcpy(b->last_hash, b->now.hash, sizeof b->last_hash);
	return b->each(b->arg, &b->now);
}

static int start_block(struct blocks *b, const struct ent_entry *e, uint64_t index, struct ent_err *err)
{
	int64_t number;
	b->now = (struct ent_block){ .first = index, .time_ms = e->time_ms };
	if (ent_json_int(e->dsse.body, "number", 0, INT64_MAX, &number, NULL) ||
	    ent_json_hex(e->dsse.body, "prev", b->now.prev, ENT_HASH_BYTES, NULL) || memcmp(b->now.prev, b->last_hash, ENT_HASH_BYTES) != 0)
		return ent_fail(err, ENT_EVERIFY, "entry %llu does not continue the chain of blocks", (unsigned long long)index);
	b->now.number = (uint64_t)number;
	b->some = true;
	return 0;
}

static int walk(struct blocks *b, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(ENT_DSSE_BYTES_MAX);
	for (uint64_t i = 0; i < ent_ledger_size(b->l); i++) {
		ENT_CLEANUP(ent_entry_deinit) struct ent_entry e = { 0 };
		ent_hash leaf;
		ent_buf_reset(&bytes);
		ENT_TRY(ent_ledger_entry(b->l, i, &bytes, err));
		if (memmem(bytes.data, bytes.len, "entente.block.v1", 16)) {
			ENT_TRY(ent_entry_open(ent_buf_bytes(&bytes), &e, err));
			if (e.type == ENT_ENTRY_BLOCK) {
				ENT_TRY(end_block(b));
				ENT_TRY(start_block(b, &e, i, err));
			}
		}
		ent_tree_leaf(ent_buf_bytes(&bytes), &leaf);
		ent_frontier_add(&b->tree, &leaf);
	}
	return end_block(b);
}

int ent_ledger_blocks(struct ent_ledger *l, int (*each)(void *arg, const struct ent_block *block), void *arg, struct ent_err *err)
{
	struct blocks b = { .l = l, .each = each, .arg = arg };
	return walk(&b, err);
}
