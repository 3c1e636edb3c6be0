/* Ledger entries: signed envelopes with common fields {type, time, actor} and the fields of their type.
 *
 * Entries carry ids, purposes, hashes and commitments, never row values: SQL, plans and results are referenced by
 * SHA-256(salt ‖ bytes), with salt and bytes kept beside the log (content.h). `run`, the joint event, is signed by all participants and
 * identical in all their logs: it has neither time nor actor. */
#ifndef ENT_LEDGER_ENTRY_H
#define ENT_LEDGER_ENTRY_H
#include "base/mesh.h"
#include "ledger/dsse.h"

/* name, what `ledger list` says */
#define ENT_ENTRY_MAP(X) \
	X(NOTE, note, "note") \
	X(MEMBER, member, "member card pinned") \
	X(KEY, key, "member card changed") \
	X(REGISTER, register, "table registered or removed") \
	X(GRANT, grant, "grant") \
	X(REVOKE, revoke, "grant revoked") \
	X(REQUEST, request, "joint job proposed") \
	X(DECISION, decision, "decision on a proposal") \
	X(APPROVE, approve, "approval by a person") \
	X(RUN, run, "joint job started, signed by all participants") \
	X(OPEN, open, "first opening allowed") \
	X(OUTPUT, output, "output component committed") \
	X(RESULT, result, "job ended") \
	X(BUDGET, budget, "budget debited") \
	X(COPY, copy, "table copied") \
	X(COMPARE, compare, "tables compared") \
	X(REPLICATE, replicate, "replication batch") \
	X(PREPARE, prepare, "data prepared") \
	X(MODEL, model, "model recorded") \
	X(CROSSREF, crossref, "checkpoint of a peer") \
	X(ANCHOR, anchor, "checkpoint anchored outside") \
	X(ERASE, erase, "content erased") \
	X(ALARM, alarm, "alarm") \
	X(BLOCK, block, "block")

enum ent_entry_type {
#define ENT_ENTRY_ENUM(upper, lower, text) ENT_ENTRY_##upper,
	ENT_ENTRY_MAP(ENT_ENTRY_ENUM)
#undef ENT_ENTRY_ENUM
		ENT_ENTRY_COUNT
};

const char *ent_entry_name(int type); /* "grant" */
const char *ent_entry_text(int type);
int ent_entry_by_name(const char *name); /* -1 when unknown */

/* Builds the canonical payload: fields (an object, borrowed, may be NULL) plus type, time (UTC, as ENT_TIME_LEN text) and actor.
 * Appends to ret. ENT_EDATA when fields has no canonical form or sets one of the three itself.
 * For run: time_ms and actor are ignored.
 *
 * Field names that receipts and verification rely on (docs/format/ledger.md):
 *   member, key          card: the card envelope (object)
 *   request              the proposal; ledgers: {org: size}, commitments by name
 *   decision             proposal, allow (bool), grants: ["org/index", ...]
 *   approve, open, output, result   proposal; output: commitment, component; result: outcome ("done" or "aborted"), code
 *   run                  proposal, attempt, participants: [org, ...] sorted; no actor: signed by all
 * where proposal = lower-case hex SHA-256 of the request payload. */
int ent_entry_payload(int type, int64_t time_ms, const char *actor, const json_t *fields, struct ent_buf *ret, struct ent_err *err);
/* Payload and signature in one step, by one signer: what nearly every entry is. Appends the envelope to ret. */
int ent_entry_make(int type, int64_t time_ms, const char *actor, const json_t *fields, const struct ent_signer *signer, struct ent_buf *ret,
		   struct ent_err *err);

struct ent_entry { /* an opened entry */
	struct ent_dsse dsse;
	int type;
	int64_t time_ms;
	const char *actor; /* lent from dsse.body; "" for run */
};
/* Parses foreign bytes and checks the common fields. Signatures: ent_dsse_check(&e->dsse, ...). */
int ent_entry_open(struct ent_bytes envelope, struct ent_entry *ret, struct ent_err *err);
void ent_entry_deinit(struct ent_entry *e);

bool ent_org_valid(const char *org); /* [a-z][a-z0-9_]{0,30} */
/* "org/index" */
bool ent_entry_id_parse(const char *id, char ret_org[ENT_ORG_MAX + 1], uint64_t *ret_index);
#endif
