/* The parts of a receipt file: names, their order, reading and writing. For the files that implement receipt.h only. */
#ifndef ENT_LEDGER_RECEIPT_PART_H
#define ENT_LEDGER_RECEIPT_PART_H
#include "ledger/receipt.h"

#define ENT_RECEIPT_HEAD "entente-receipt/v1\n"

enum ent_part_kind { ENT_PART_CARD, ENT_PART_ENTRY, ENT_PART_PROOF, ENT_PART_CONTENT, ENT_PART_SEAL };

struct ent_receipt_name {
	enum ent_part_kind kind;
	char org[ENT_ORG_MAX + 1];    /* card, entry, proof */
	uint64_t index;               /* entry and proof; the version of a card */
	uint8_t hash[ENT_HASH_BYTES]; /* content */
};

int ent_receipt_name_cmp(const struct ent_receipt_name *a, const struct ent_receipt_name *b); /* the order in the file */
void ent_receipt_name_text(const struct ent_receipt_name *n, char ret[128]);
void ent_receipt_part_write(const struct ent_receipt_name *n, struct ent_bytes bytes, struct ent_buf *out);
/* Cuts the next part off *rest. Canonical names only. */
int ent_receipt_part_read(struct ent_bytes *rest, struct ent_receipt_name *ret_name, struct ent_bytes *ret_bytes, struct ent_err *err);
#endif
