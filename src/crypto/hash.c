/* SHA-256 by OpenSSL's low-level functions: the EVP layer costs a heap allocation and a fetch per hash, which Merkle leaves would feel. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/hash.h"

#include <openssl/sha.h>

#include "crypto/secret.h"

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct ent_sha256), "state must fit");

static SHA256_CTX *ctx_of(struct ent_sha256 *s) { return (SHA256_CTX *)(void *)s; }

void ent_sha256_init(struct ent_sha256 *s) { ENT_ASSERT(SHA256_Init(ctx_of(s)) == 1); }

void ent_sha256_put(struct ent_sha256 *s, const void *data, size_t len)
{
	if (len)
		ENT_ASSERT(SHA256_Update(ctx_of(s), data, len) == 1);
}

void ent_sha256_finish(struct ent_sha256 *s, uint8_t ret[ENT_SHA256_LEN]) { ENT_ASSERT(SHA256_Final(ret, ctx_of(s)) == 1); }

void ent_sha256v(const struct ent_bytes *pieces, size_t n, uint8_t ret[ENT_SHA256_LEN])
{
	struct ent_sha256 s;
	ent_sha256_init(&s);
	for (size_t i = 0; i < n; i++)
		ent_sha256_put(&s, pieces[i].data, pieces[i].len);
	ent_sha256_finish(&s, ret);
}

void ent_sha256(const void *data, size_t len, uint8_t ret[ENT_SHA256_LEN])
{
	struct ent_bytes one = ent_bytes(data, len);
	ent_sha256v(&one, 1, ret);
}

/* RFC 2104 over up to three pieces. */
static void hmac(struct ent_bytes key, const struct ent_bytes pieces[3], uint8_t ret[ENT_SHA256_LEN])
{
	uint8_t pad[64] = { 0 }, inner[ENT_SHA256_LEN];
	if (key.len > sizeof pad)
		ent_sha256(key.data, key.len, pad);
	else if (key.len)
		memcpy(pad, key.data, key.len);
	for (size_t i = 0; i < sizeof pad; i++)
		pad[i] ^= 0x36;
	ent_sha256v((struct ent_bytes[]){ ent_bytes(pad, sizeof pad), pieces[0], pieces[1], pieces[2] }, 4, inner);
	for (size_t i = 0; i < sizeof pad; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	ent_sha256v((struct ent_bytes[]){ ent_bytes(pad, sizeof pad), ent_bytes(inner, sizeof inner) }, 2, ret);
	ent_wipe(pad, sizeof pad);
	ent_wipe(inner, sizeof inner);
}

void ent_hmac_sha256(struct ent_bytes key, struct ent_bytes data, uint8_t ret[ENT_SHA256_LEN]) { hmac(key, (struct ent_bytes[3]){ data }, ret); }

int ent_hkdf_sha256(struct ent_bytes secret, struct ent_bytes salt, struct ent_bytes info, void *ret, size_t len, struct ent_err *err)
{
	uint8_t prk[ENT_SHA256_LEN], t[ENT_SHA256_LEN];
	size_t t_len = 0;
	if (len > 255 * ENT_SHA256_LEN)
		return ent_fail(err, ENT_EINTERNAL, "HKDF gives at most %d bytes, not %zu", 255 * ENT_SHA256_LEN, len);
	ent_hmac_sha256(salt, secret, prk);
	uint8_t *out = ret;
	for (uint8_t i = 1; len; i++) {
		hmac(ent_bytes(prk, sizeof prk), (struct ent_bytes[3]){ ent_bytes(t, t_len), info, ent_bytes(&i, 1) }, t);
		t_len = sizeof t;
		size_t n = len < sizeof t ? len : sizeof t;
		memcpy(out, t, n);
		out += n;
		len -= n;
	}
	ent_wipe(prk, sizeof prk);
	ent_wipe(t, sizeof t);
	return 0;
}

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotl(uint64_t x, int b) { return x << b | x >> (64 - b); }

static uint64_t le64(const uint8_t *p)
{
	uint64_t v = 0;
	for (int i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

static void sip_rounds(struct sip *s, int n)
{
	while (n--) {
		s->v0 += s->v1;
		s->v1 = rotl(s->v1, 13) ^ s->v0;
		s->v0 = rotl(s->v0, 32);
		s->v2 += s->v3;
		s->v3 = rotl(s->v3, 16) ^ s->v2;
		s->v0 += s->v3;
		s->v3 = rotl(s->v3, 21) ^ s->v0;
		s->v2 += s->v1;
		s->v1 = rotl(s->v1, 17) ^ s->v2;
		s->v2 = rotl(s->v2, 32);
	}
}

static void sip_word(struct sip *s, uint64_t m)
{
	s->v3 ^= m;
	sip_rounds(s, 2);
	s->v0 ^= m;
}

/* Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), section 2. */
uint64_t ent_siphash(const uint8_t key[16], const void *data, size_t len)
{
	uint64_t k0 = le64(key), k1 = le64(key + 8), last = (uint64_t)len << 56;
	struct sip s = { k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u };
	const uint8_t *p = data;
	size_t left = len;
	for (; left >= 8; left -= 8, p += 8)
		sip_word(&s, le64(p));
	for (size_t i = 0; i < left; i++)
		last |= (uint64_t)p[i] << (8 * i);
	sip_word(&s, last);
	s.v2 ^= 0xff;
	sip_rounds(&s, 4);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
