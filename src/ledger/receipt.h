/* Receipts: one file that proves a joint job to an outsider who has nothing but the members' key fingerprints.
 *
 *   entente-receipt/v1
 *   part card/ORG/VERSION N  a member card's envelope; older versions too, where an older key signed something here
 *   part entry/ORG/INDEX N   an entry's envelope, exactly as in ORG's log
 *   part proof/ORG/INDEX N   its tlog-proof@v1
 *   part content/HEX N       salt (32 bytes) and bytes behind a commitment named in one of the entries
 *   part seal N              ORG base64(signature over all bytes before this part)
 * Each part line is followed by N bytes and a newline; parts come in that order, each group sorted; nothing else is allowed. */
#ifndef ENT_LEDGER_RECEIPT_H
#define ENT_LEDGER_RECEIPT_H
#include "base/arena.h"
#include "ledger/card.h"
#include "ledger/content.h"
#include "ledger/entry.h"
#include "ledger/proof.h"

#define ENT_RECEIPT_BYTES_MAX (64u << 20)
#define ENT_RECEIPT_CARDS_MAX 64
#define ENT_RECEIPT_ENTRIES_MAX 4096

struct ent_receipt_writer;
int ent_receipt_new(struct ent_receipt_writer **ret, struct ent_err *err);
void ent_receipt_free(struct ent_receipt_writer *w);
int ent_receipt_card(struct ent_receipt_writer *w, struct ent_bytes envelope, struct ent_err *err);
/* An entry of any log with its proof (both copied). The same entry twice is kept once. */
int ent_receipt_entry(struct ent_receipt_writer *w, const char *org, uint64_t index, struct ent_bytes envelope, struct ent_bytes tlog_proof,
		      struct ent_err *err);
int ent_receipt_content(struct ent_receipt_writer *w, const uint8_t salt[ENT_SALT_BYTES], struct ent_bytes bytes, struct ent_err *err);
/* Sorts, seals with org's sign key, appends the file to ret. */
int ent_receipt_seal(struct ent_receipt_writer *w, const char *org, const struct ent_signer *sign, struct ent_buf *ret, struct ent_err *err);

struct ent_receipt_log { /* what the receipt shows of one log */
	const char *org;
	uint64_t size;                     /* smallest checkpoint size used */
	unsigned cosigned, others, quorum; /* fewest cosignatures over its proofs; members besides the owner */
};

struct ent_receipt_report { /* owns everything but the receipt's bytes, which must outlive it; deinit */
	struct ent_arena *arena;
	struct ent_card *cards; /* every version in the receipt, sorted; the last of an org is its card */
	size_t card_count;
	const char *sealed_by;
	struct ent_receipt_item {
		const char *org;
		uint64_t index;
		int type;
		int64_t time_ms;
		json_t *body;            /* lent from opened */
		struct ent_entry opened; /* the whole entry */
	} * entries;
	size_t entry_count;
	struct ent_receipt_log *logs;
	size_t log_count;
	struct ent_receipt_content {
		const char *commitment; /* hex */
		struct ent_bytes bytes; /* lent from the receipt */
		const uint8_t *salt;
	} * contents;
	size_t content_count;
	const char *request_id; /* "org/index" of the request, the receipt's id; NULL when it has none */
	const char *outcome;    /* of the requester's result entry; NULL */
};
/* Checks everything offline: form, cards, every signature line, every proof, links between the entries, every content, the seal.
 * ENT_EVERIFY or ENT_EDATA names the part. Pins are compared by the caller (report->cards). */
int ent_receipt_check(struct ent_bytes receipt, struct ent_receipt_report *ret, struct ent_err *err);
void ent_receipt_report_deinit(struct ent_receipt_report *r);
#endif
