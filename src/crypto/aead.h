/* AES-256-GCM with a 12-byte nonce and a 16-byte tag behind the ciphertext; and a password seal for backups. */
#ifndef ENT_CRYPTO_AEAD_H
#define ENT_CRYPTO_AEAD_H
#include "base/clock.h"

#define ENT_AEAD_KEY_LEN 32
#define ENT_AEAD_NONCE_LEN 12
#define ENT_AEAD_TAG_LEN 16

/* ret receives plain.len + ENT_AEAD_TAG_LEN bytes; it may not overlap plain. The caller never repeats a nonce under one key. */
int ent_aead_seal(const uint8_t key[ENT_AEAD_KEY_LEN], const uint8_t nonce[ENT_AEAD_NONCE_LEN], struct ent_bytes extra, struct ent_bytes plain,
		  uint8_t *ret, struct ent_err *err);
/* ret receives sealed.len - ENT_AEAD_TAG_LEN bytes. ENT_EVERIFY when key, nonce, extra or any byte is not the sealed one; ret is then wiped. */
int ent_aead_open(const uint8_t key[ENT_AEAD_KEY_LEN], const uint8_t nonce[ENT_AEAD_NONCE_LEN], struct ent_bytes extra, struct ent_bytes sealed,
		  uint8_t *ret, struct ent_err *err);

/* AES-128-GCM, for label tables and tables of many small secrets: same shapes with a 16-byte key. */
int ent_aead128_seal(const uint8_t key[16], const uint8_t nonce[ENT_AEAD_NONCE_LEN], struct ent_bytes extra, struct ent_bytes plain, uint8_t *ret,
		     struct ent_err *err);
int ent_aead128_open(const uint8_t key[16], const uint8_t nonce[ENT_AEAD_NONCE_LEN], struct ent_bytes extra, struct ent_bytes sealed, uint8_t *ret,
		     struct ent_err *err);

/* Password seal: "entente-seal/1\n" ‖ log2(N) ‖ r ‖ p ‖ salt16 ‖ nonce12 ‖ ciphertext ‖ tag; scrypt N=2^16 r=8 p=1 makes the key and the
 * header is authenticated. Opening refuses costs above N=2^20 so that a foreign file cannot take all memory. ENT_EVERIFY: wrong password or changed
 * bytes. */
int ent_seal_password(struct ent_random *random, struct ent_bytes password, struct ent_bytes plain, struct ent_buf *out, struct ent_err *err);
int ent_unseal_password(struct ent_bytes password, struct ent_bytes sealed, struct ent_buf *out, struct ent_err *err);
#endif
