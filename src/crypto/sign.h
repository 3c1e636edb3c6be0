/* Ed25519 (RFC 8032, pure) with raw keys: secret = the 32-byte seed, public = 32 bytes, signature = 64 bytes. */
#ifndef ENT_CRYPTO_SIGN_H
#define ENT_CRYPTO_SIGN_H
#include "base/clock.h"

#define ENT_SIGN_KEY_LEN 32
#define ENT_SIGN_LEN 64

/* A fresh pair from random. ENT_EIO when randomness fails. */
int ent_sign_keygen(struct ent_random *random, uint8_t ret_secret[ENT_SIGN_KEY_LEN], uint8_t ret_public[ENT_SIGN_KEY_LEN], struct ent_err *err);
int ent_sign_public(const uint8_t secret[ENT_SIGN_KEY_LEN], uint8_t ret_public[ENT_SIGN_KEY_LEN], struct ent_err *err);
int ent_sign(const uint8_t secret[ENT_SIGN_KEY_LEN], struct ent_bytes message, uint8_t ret[ENT_SIGN_LEN], struct ent_err *err);
/* True only for a valid signature; false for anything else, also for sig_len != 64. Any thread. */
bool ent_sign_verify(const uint8_t public_key[ENT_SIGN_KEY_LEN], struct ent_bytes message, const void *sig, size_t sig_len);

/* The same with the key prepared once (for many signatures or verifications). NULL when the key is unusable or memory is short.
 * One thread at a time per object. */
struct ent_sign_key;
struct ent_sign_key *ent_sign_key_new(const uint8_t secret[ENT_SIGN_KEY_LEN]);
struct ent_sign_key *ent_sign_key_new_public(const uint8_t public_key[ENT_SIGN_KEY_LEN]);
void ent_sign_key_free(struct ent_sign_key *k); /* NULL is fine */
int ent_sign_key_sign(struct ent_sign_key *k, struct ent_bytes message, uint8_t ret[ENT_SIGN_LEN], struct ent_err *err);
bool ent_sign_key_verify(struct ent_sign_key *k, struct ent_bytes message, const void *sig, size_t sig_len);
#endif
