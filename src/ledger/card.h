/* Member cards: a signed introduction of an organisation. Members pin each other's cards; nothing else decides who may talk.
 *
 * Payload {addresses: {http, link}, compute_only, keys: [{pub, use}], org, origin, prev, version}. Version n+1 names the SHA-256 of the
 * payload of version n, is signed by the old and the new sign key, and keeps org and origin. Fingerprint of a card: ent_fingerprint (crypto/words.h)
 * of its sign key. */
#ifndef ENT_LEDGER_CARD_H
#define ENT_LEDGER_CARD_H
#include "base/mesh.h"
#include "ledger/dsse.h"

#define ENT_ORIGIN_MAX 80
#define ENT_ADDRESS_MAX 260
#define ENT_CARD_BYTES_MAX 8192

enum ent_key_use { ENT_KEY_SIGN, ENT_KEY_LOG, ENT_KEY_WITNESS, ENT_KEY_TLS, ENT_KEY_USES };
const char *ent_key_use_name(int use); /* sign, log, witness, tls */

struct ent_card {
	char org[ENT_ORG_MAX + 1];
	char origin[ENT_ORIGIN_MAX + 1];
	int64_t version; /* from 1 */
	uint8_t keys[ENT_KEY_USES][ENT_PUB_BYTES];
	char link[ENT_ADDRESS_MAX + 1]; /* HOST:PORT of party links */
	char http[ENT_ADDRESS_MAX + 1]; /* HOST:PORT of ledger reading and witnessing */
	bool compute_only;
	bool has_prev;
	uint8_t prev[ENT_HASH_BYTES]; /* payload hash of the version before */
	uint8_t hash[ENT_HASH_BYTES]; /* payload hash of this one; set by open */
};

/* entente.local/<org>/<first 8 hex of SHA-256 of the first raw log key> */
void ent_card_origin(const char *org, const uint8_t log_pub[ENT_PUB_BYTES], char ret[ENT_ORIGIN_MAX + 1]);
/* Name of the org's witness key in cosignature lines: origin + "/witness". */
void ent_card_witness_name(const struct ent_card *c, char ret[ENT_ORIGIN_MAX + 16]);

/* Signs; old is the signer of the version before, NULL for version 1. Appends the envelope. */
int ent_card_make(const struct ent_card *c, const struct ent_signer *sign, const struct ent_signer *old, struct ent_buf *ret, struct ent_err *err);
/* Parses foreign bytes, checks form and its own sign key's signature (and, for version > 1, that a second one is there). */
int ent_card_open(struct ent_bytes envelope, struct ent_card *ret, struct ent_err *err);
/* The same for an envelope inside an entry (an object). */
int ent_card_open_json(const json_t *envelope, struct ent_card *ret, struct ent_err *err);

enum ent_card_step {
	ENT_CARD_SAME, /* bytes say the same: nothing to do */
	ENT_CARD_NEXT, /* accepted automatically: the right next version, signed by old and new key; a `key` entry */
};
/* May next replace the pinned card? next_envelope is its envelope. ENT_EVERIFY for a changed card that the pinned key did not sign (needs --replace),
 * a skipped or lower version, another org or origin. */
int ent_card_update(const struct ent_card *pinned, struct ent_bytes next_envelope, enum ent_card_step *ret_step, struct ent_card *ret_next,
		    struct ent_err *err);
#endif
