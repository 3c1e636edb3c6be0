/* Signed envelopes: DSSE over canonical JSON, Ed25519, one or several signatures sorted by key id.
 *
 * Everything an organisation states (ledger entries, member cards, proposals, control messages) is one of these. The bytes that
 * arrived are the bytes that are checked; an envelope or payload that is not its own canonical form is refused. */
#ifndef ENT_LEDGER_DSSE_H
#define ENT_LEDGER_DSSE_H
#include "base/json.h"

#define ENT_HASH_BYTES 32
#define ENT_PUB_BYTES 32
#define ENT_SIG_BYTES 64
#define ENT_DSSE_SIGS_MAX 32
#define ENT_DSSE_TYPE_MAX 31     /* letters of <type> in application/vnd.entente.<type>.v1+json */
#define ENT_DSSE_BYTES_MAX 65535 /* an envelope; tlog-tiles gives an entry a 16-bit length */

/* Signs with one Ed25519 key. The secret stays behind the function. */
struct ent_signer {
	void *self;
	uint8_t pub[ENT_PUB_BYTES];
	int (*sign)(void *self, struct ent_bytes message, uint8_t ret_sig[ENT_SIG_BYTES], struct ent_err *err);
};
/* A signer over a 32-byte Ed25519 seed, which the caller keeps alive and wipes. */
int ent_signer_init(struct ent_signer *s, const uint8_t *seed /* 32 bytes, borrowed */, struct ent_err *err);

struct ent_sig {
	uint8_t keyid[ENT_HASH_BYTES]; /* SHA-256 of the raw public key */
	uint8_t sig[ENT_SIG_BYTES];
};

struct ent_dsse { /* an opened envelope; owns payload and body */
	char type[ENT_DSSE_TYPE_MAX + 1];
	struct ent_buf payload; /* canonical JSON bytes */
	json_t *body;           /* the same, parsed: an object */
	struct ent_sig sigs[ENT_DSSE_SIGS_MAX];
	size_t sig_count;
	uint8_t payload_hash[ENT_HASH_BYTES]; /* SHA-256(payload): equality across logs */
};

void ent_keyid(const uint8_t pub[ENT_PUB_BYTES], uint8_t ret[ENT_HASH_BYTES]);

/* One signature over payload as type: what a participant sends as `ready`. ENT_EDATA when payload is not canonical JSON. */
int ent_dsse_sign(const char *type, struct ent_bytes payload, const struct ent_signer *signer, struct ent_sig *ret, struct ent_err *err);
/* Checks one such signature. ENT_EVERIFY when it does not hold. */
int ent_dsse_check_one(const char *type, struct ent_bytes payload, const struct ent_sig *sig, const uint8_t pub[ENT_PUB_BYTES], struct ent_err *err);
/* Puts payload and signatures together, sorted by key id; appends to ret. Two signatures of one key: ENT_EDATA. */
int ent_dsse_join(const char *type, struct ent_bytes payload, const struct ent_sig *sigs, size_t count, struct ent_buf *ret, struct ent_err *err);
/* sign and join in one step, for statements of one or several own keys. */
int ent_dsse_seal(const char *type, struct ent_bytes payload, const struct ent_signer *signers, size_t count, struct ent_buf *ret,
		  struct ent_err *err);

/* Parses foreign bytes; signatures are not checked yet. ENT_EDATA for anything not canonical. ret needs deinit after 0. */
int ent_dsse_open(struct ent_bytes envelope, struct ent_dsse *ret, struct ent_err *err);
void ent_dsse_deinit(struct ent_dsse *d); /* zeroed is fine */

/* Finds the raw public key of a key id; false when it is not known. */
struct ent_keyring {
	void *self;
	bool (*find)(void *self, const uint8_t keyid[ENT_HASH_BYTES], uint8_t ret_pub[ENT_PUB_BYTES]);
};
/* Every signature must verify under a key of the ring. ENT_EVERIFY names the first that does not. */
int ent_dsse_check(const struct ent_dsse *d, const struct ent_keyring *ring, struct ent_err *err);
bool ent_dsse_signed_by(const struct ent_dsse *d, const uint8_t pub[ENT_PUB_BYTES]); /* has a signature of that key (unchecked) */
#endif
