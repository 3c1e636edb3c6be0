/* SHA-256, HKDF-SHA256 (RFC 5869) and SipHash-2-4. One-shot calls cannot fail on valid arguments: a failing crypto library is a broken invariant. */
#ifndef ENT_CRYPTO_HASH_H
#define ENT_CRYPTO_HASH_H
#include "base/bytes.h"

#define ENT_SHA256_LEN 32

void ent_sha256(const void *data, size_t len, uint8_t ret[ENT_SHA256_LEN]);
/* The same over the concatenation of n pieces. */
void ent_sha256v(const struct ent_bytes *pieces, size_t n, uint8_t ret[ENT_SHA256_LEN]);

/* Streaming, in the caller's memory: init, put any number of times, finish (a finished state may be init'ed again). */
struct ent_sha256 {
	uint64_t state[16]; /* opaque */
};
void ent_sha256_init(struct ent_sha256 *s);
void ent_sha256_put(struct ent_sha256 *s, const void *data, size_t len);
void ent_sha256_finish(struct ent_sha256 *s, uint8_t ret[ENT_SHA256_LEN]);

void ent_hmac_sha256(struct ent_bytes key, struct ent_bytes data, uint8_t ret[ENT_SHA256_LEN]);
/* len <= 255 * 32. salt may be empty. ENT_EINTERNAL when the library fails; out is then untouched. */
int ent_hkdf_sha256(struct ent_bytes secret, struct ent_bytes salt, struct ent_bytes info, void *ret, size_t len, struct ent_err *err);

/* SipHash-2-4, 64-bit result, 16-byte key. */
uint64_t ent_siphash(const uint8_t key[16], const void *data, size_t len);
#endif
