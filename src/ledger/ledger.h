/* One organisation's log: append, publish, read, prove.
 *
 * append() makes a group of entries durable with one fdatasync (acknowledged: durable). publish() ends the batch: tiles, root, signed
 * checkpoint, (size, root) on disk before anybody sees it. cosigned() adds witnesses' lines to what /checkpoint serves. One thread owns a ledger.
 * The batch's block entry is written by append itself. Entry 0 is block 0, entry 1 the member's own card. Format: docs/format/ledger.md. */
#ifndef ENT_LEDGER_LEDGER_H
#define ENT_LEDGER_LEDGER_H
#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "base/pool.h"
#include "ledger/entry.h"
#include "ledger/note.h"

struct ent_ledger;

struct ent_ledger_config { /* everything borrowed for the ledger's life */
	struct ent_fs *fs;
	const char *dir; /* "ledger" */
	struct ent_clock *clock;
	const char *org, *origin;
	struct ent_signer sign;  /* block and crossref entries */
	struct ent_signer log;   /* checkpoints */
	struct ent_keyring ring; /* keys of other signers of joint entries; find may be NULL: none */
	struct ent_pool *pool;   /* verifies signatures of a group in parallel; may be NULL */
	uint32_t batch_ms;       /* publish this long after something was appended, 100 to 1000; 0 = 250 */
};

/* Makes a new log in an empty or missing dir: block 0, then the member entry with card (an envelope). Published at once. ENT_EDATA when there is one
 * already. */
int ent_ledger_create(const struct ent_ledger_config *config, struct ent_bytes card, struct ent_ledger **ret, struct ent_err *err);
/* Opens and recovers: cuts a torn tail, re-derives tiles, checks the root against the last signed checkpoint.
 * ENT_ENOTFOUND: no log here; ENT_EVERIFY: damage or rollback, named. */
int ent_ledger_open(const struct ent_ledger_config *config, struct ent_ledger **ret, struct ent_err *err);
void ent_ledger_free(struct ent_ledger *l);

/* Appends envelopes in order, as one durable group; every signature is verified first, all or nothing. Block entries are refused (the ledger writes
 * them). ret_first: index of the first of them; the others follow without gaps. ENT_EVERIFY, ENT_EDATA; ENT_EIO, ENT_ENOSPACE: nothing is
 * acknowledged, and after a failed write or sync the ledger refuses everything but reads until it is opened again. */
int ent_ledger_append(struct ent_ledger *l, const struct ent_bytes *envelopes, size_t count, uint64_t *ret_first, struct ent_err *err);
/* Makes one entry of our own (time from the clock, actor = org) and appends it. */
int ent_ledger_add(struct ent_ledger *l, int type, const json_t *fields, uint64_t *ret_index, struct ent_err *err);
/* Remembers a peer's cosigned checkpoint: it rides, at most one per peer, in the next batch that has another cause. note is copied. */
int ent_ledger_crossref(struct ent_ledger *l, const char *org, struct ent_bytes note, struct ent_err *err);

/* Monotonic time at which publish() is due; UINT64_MAX: nothing waits. */
uint64_t ent_ledger_due_ms(const struct ent_ledger *l);
/* Ends the batch. Nothing new: the last checkpoint stays and 0 comes back. */
int ent_ledger_publish(struct ent_ledger *l, struct ent_err *err);
/* Lines (verified by the caller) for the last signed checkpoint; makes /checkpoint serve it. Called with none after the witnesses' time is over. */
int ent_ledger_cosigned(struct ent_ledger *l, struct ent_bytes lines, struct ent_err *err);
/* New keys after a rotation; from the next entry or checkpoint on. The caller appended the `key` entry, signed by the old key, before. */
void ent_ledger_rekey(struct ent_ledger *l, const struct ent_signer *sign, const struct ent_signer *log);

uint64_t ent_ledger_size(const struct ent_ledger *l);                       /* durable entries */
const struct ent_checkpoint *ent_ledger_signed(const struct ent_ledger *l); /* last signed checkpoint */
struct ent_bytes ent_ledger_signed_note(const struct ent_ledger *l);        /* its note, own signature only; lent until publish */
struct ent_bytes ent_ledger_served_note(const struct ent_ledger *l);        /* what /checkpoint serves; lent until cosigned */
int ent_ledger_entry(struct ent_ledger *l, uint64_t index, struct ent_buf *ret, struct ent_err *err); /* the envelope, appended */
int ent_ledger_root(struct ent_ledger *l, uint64_t size, ent_hash *ret, struct ent_err *err);         /* any size up to the durable one */
int ent_ledger_inclusion(struct ent_ledger *l, uint64_t index, uint64_t size, struct ent_proof *ret, struct ent_err *err);
int ent_ledger_consistency(struct ent_ledger *l, uint64_t old, uint64_t size, struct ent_proof *ret, struct ent_err *err);
/* tlog-proof@v1 of an entry against the served checkpoint. ENT_EAGAIN when it does not cover the entry yet. */
int ent_ledger_prove(struct ent_ledger *l, uint64_t index, struct ent_buf *ret, struct ent_err *err);
/* Calls each() for [from, to), newest or oldest as given; each returns nonzero to stop (that value comes back). */
int ent_ledger_each(struct ent_ledger *l, uint64_t from, uint64_t to, int (*each)(void *arg, uint64_t index, const struct ent_entry *entry),
		    void *arg, struct ent_err *err);

/* The read routes of tlog-tiles: /checkpoint, /tile/L/N[.p/W], /tile/entries/N[.p/W]. Sets status (200, 400, 403, 404, 500), type, body.
 * Entries need request->trusted. Returns false for a path that is none of these. */
bool ent_ledger_serve(struct ent_ledger *l, const struct ent_http_request *request, struct ent_http_answer *answer);
#endif
