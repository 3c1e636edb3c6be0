/* What an open ledger consists of; for the files that implement ledger.h only. */
#ifndef ENT_LEDGER_LEDGER_STATE_H
#define ENT_LEDGER_LEDGER_STATE_H
#include "ledger/ledger.h"
#include "ledger/segment.h"
#include "ledger/tile.h"

#define ENT_CROSSREFS_MAX 64

struct ent_ledger_pending { /* a peer's checkpoint that waits for a batch */
	char org[ENT_ORG_MAX + 1];
	struct ent_buf note;
};

struct ent_ledger {
	struct ent_ledger_config config;
	struct ent_segments segments;
	struct ent_tiles tiles;
	struct ent_tree_source source;
	struct ent_checkpoint last; /* last signed checkpoint; entries from last.size on are the open batch */
	struct ent_buf signed_note, served;
	struct ent_checkpoint served_point; /* what `served` covers */
	uint64_t next_block;                /* number of the next block entry */
	bool cause;                         /* the open batch has an entry that deserves a checkpoint */
	uint64_t due_ms;
	bool failed;
	struct ent_ledger_pending crossrefs[ENT_CROSSREFS_MAX];
	size_t crossref_count;
};

/* recover.c: brings a ledger whose segments were opened into the state its files say. */
int ent_ledger_recover(struct ent_ledger *l, struct ent_err *err);
/* Reads a note of this log from dir/name and checks it against the tree. ENT_ENOTFOUND when there is no such file. */
int ent_ledger_load_note(struct ent_ledger *l, const char *name, struct ent_buf *note, struct ent_checkpoint *ret, struct ent_err *err);
#endif
