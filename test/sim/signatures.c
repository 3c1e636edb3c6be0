/* The same signature is checked by every node, and half of a simulation would be that: each is checked once and remembered. The answer is
 * the real function's; a signature over other bytes is another one. */
#include "crypto/hash.h"
#include "crypto/sign.h"

#define SLOTS 65536u

bool __real_ent_sign_verify(const uint8_t public_key[ENT_SIGN_KEY_LEN], struct ent_bytes message, const void *sig, size_t sig_len);
bool __wrap_ent_sign_verify(const uint8_t public_key[ENT_SIGN_KEY_LEN], struct ent_bytes message, const void *sig, size_t sig_len);

struct known {
	uint8_t hash[32];
	bool set, valid;
};

bool __wrap_ent_sign_verify(const uint8_t public_key[ENT_SIGN_KEY_LEN], struct ent_bytes message, const void *sig, size_t sig_len)
{
	static struct known all[SLOTS];
	uint8_t head[ENT_SIGN_KEY_LEN + ENT_SIGN_LEN + 32], hash[32];
	if (sig_len != ENT_SIGN_LEN)
		return __real_ent_sign_verify(public_key, message, sig, sig_len);
	memcpy(head, public_key, ENT_SIGN_KEY_LEN);
	memcpy(head + ENT_SIGN_KEY_LEN, sig, ENT_SIGN_LEN);
	ent_sha256(message.data, message.len, head + ENT_SIGN_KEY_LEN + ENT_SIGN_LEN);
	ent_sha256(head, sizeof head, hash);
	struct known *k = &all[(hash[0] | hash[1] << 8) % SLOTS];
	if (!k->set || memcmp(k->hash, hash, sizeof hash) != 0) {
		k->valid = __real_ent_sign_verify(public_key, message, sig, sig_len);
		k->set = true;
		memcpy(k->hash, hash, sizeof hash);
	}
	return k->valid;
}
