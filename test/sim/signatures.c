/* Half of a simulation would be Ed25519: the same signature is checked by every node, so each is checked once and remembered, and a signer's
 * key is prepared once. The answers are the real functions'; a signature over other bytes is another one. */
#include "crypto/hash.h"
#include "crypto/sign.h"
#include "sim/world.h"

#define SLOTS 65536u

bool __real_ent_sign_verify(const uint8_t public_key[ENT_SIGN_KEY_LEN], struct ent_bytes message, const void *sig, size_t sig_len);
bool __wrap_ent_sign_verify(const uint8_t public_key[ENT_SIGN_KEY_LEN], struct ent_bytes message, const void *sig, size_t sig_len);

struct known {
	uint8_t hash[32];
	bool set, valid;
};

static struct known all[SLOTS];

/* Every world begins without memory of another one: what is allocated, and so what fails, must follow from its seed alone. */
void sim_signatures_forget(void) { memset(all, 0, sizeof all); }

bool __wrap_ent_sign_verify(const uint8_t public_key[ENT_SIGN_KEY_LEN], struct ent_bytes message, const void *sig, size_t sig_len)
{
	uint8_t head[ENT_SIGN_KEY_LEN + ENT_SIGN_LEN + 32], hash[32];
	if (sig_len != ENT_SIGN_LEN)
		return __real_ent_sign_verify(public_key, message, sig, sig_len);
	memcpy(head, public_key, ENT_SIGN_KEY_LEN);
	memcpy(head + ENT_SIGN_KEY_LEN, sig, ENT_SIGN_LEN);
	ent_sha256(message.data, message.len, head + ENT_SIGN_KEY_LEN + ENT_SIGN_LEN);
	ent_sha256(head, sizeof head, hash);
	struct known *k = &all[((unsigned)hash[0] | (unsigned)hash[1] << 8) % SLOTS];
	if (!k->set || memcmp(k->hash, hash, sizeof hash) != 0) {
		uint64_t before = sim_memory_failures();
		k->valid = __real_ent_sign_verify(public_key, message, sig, sig_len);
		k->set = sim_memory_failures() == before; /* without memory nothing is valid */
		memcpy(k->hash, hash, sizeof hash);
	}
	return k->valid;
}

#define SIGNERS 256u

int __wrap_ent_sign(const uint8_t secret[ENT_SIGN_KEY_LEN], struct ent_bytes message, uint8_t ret[ENT_SIGN_LEN], struct ent_err *err);

int __wrap_ent_sign(const uint8_t secret[ENT_SIGN_KEY_LEN], struct ent_bytes message, uint8_t ret[ENT_SIGN_LEN], struct ent_err *err)
{
	static struct {
		uint8_t secret[ENT_SIGN_KEY_LEN];
		struct ent_sign_key *key;
	} signers[SIGNERS];
	uint64_t left = sim_memory_short(0);
	unsigned at = secret[0];
	if (!signers[at].key || memcmp(signers[at].secret, secret, ENT_SIGN_KEY_LEN) != 0) {
		ent_sign_key_free(signers[at].key);
		signers[at].key = ent_sign_key_new(secret);
		memcpy(signers[at].secret, secret, ENT_SIGN_KEY_LEN);
	}
	sim_memory_short(left);
	if (!signers[at].key)
		return ent_nomem(err);
	return ent_sign_key_sign(signers[at].key, message, ret, err);
}
