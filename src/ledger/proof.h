/* C2SP tlog-proof@v1: index, inclusion proof and checkpoint in one text, checkable offline. */
#ifndef ENT_LEDGER_PROOF_H
#define ENT_LEDGER_PROOF_H
#include "ledger/note.h"

#define ENT_TLOG_PROOF_MAX (ENT_NOTE_BYTES_MAX + 4096)

struct ent_tlog_proof {
	uint64_t index;
	struct ent_proof path;
	struct ent_bytes note; /* lent */
	struct ent_note signed_note;
	struct ent_checkpoint checkpoint;
};
void ent_tlog_proof_write(uint64_t index, const struct ent_proof *path, struct ent_bytes note, struct ent_buf *ret);
/* Foreign bytes; canonical forms only, no extra line. Signatures and the path are not checked yet. */
int ent_tlog_proof_parse(struct ent_bytes text, struct ent_tlog_proof *ret, struct ent_err *err);
#endif
