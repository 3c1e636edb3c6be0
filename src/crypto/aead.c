/* AES-GCM through EVP, and the password seal on top of it. */
#include "crypto/aead.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdlib.h>

#include "crypto/secret.h"

static void ctx_freep(EVP_CIPHER_CTX **c) { EVP_CIPHER_CTX_free(*c); }

static int library_failed(struct ent_err *err, const char *what)
{
	ERR_clear_error();
	return ent_fail(err, ENT_EINTERNAL, "%s: the crypto library failed", what);
}

static int gcm_seal(const EVP_CIPHER *cipher, const uint8_t *key, const uint8_t *nonce, struct ent_bytes extra, struct ent_bytes plain, uint8_t *ret,
		    struct ent_err *err)
{
	ENT_CLEANUP(ctx_freep) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n = 0;
	if (plain.len > INT32_MAX || extra.len > INT32_MAX)
		return ent_fail(err, ENT_EDATA, "too much to seal in one piece");
	if (!c || EVP_EncryptInit_ex(c, cipher, NULL, key, nonce) != 1 ||
	    (extra.len && EVP_EncryptUpdate(c, NULL, &n, extra.data, (int)extra.len) != 1) ||
	    (plain.len && EVP_EncryptUpdate(c, ret, &n, plain.data, (int)plain.len) != 1) || EVP_EncryptFinal_ex(c, ret + plain.len, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, ENT_AEAD_TAG_LEN, ret + plain.len) != 1)
		return library_failed(err, "could not seal");
	return 0;
}

static int gcm_open(const EVP_CIPHER *cipher, const uint8_t *key, const uint8_t *nonce, struct ent_bytes extra, struct ent_bytes sealed, uint8_t *ret,
		    struct ent_err *err)
{
	ENT_CLEANUP(ctx_freep) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	uint8_t tag[ENT_AEAD_TAG_LEN];
	int n = 0;
	if (sealed.len < sizeof tag || sealed.len > INT32_MAX || extra.len > INT32_MAX)
		return ent_fail(err, ENT_EVERIFY, "sealed bytes are %zu long, which cannot be", sealed.len);
	size_t len = sealed.len - sizeof tag;
	memcpy(tag, sealed.data + len, sizeof tag);
	if (!c || EVP_DecryptInit_ex(c, cipher, NULL, key, nonce) != 1 ||
	    (extra.len && EVP_DecryptUpdate(c, NULL, &n, extra.data, (int)extra.len) != 1) ||
	    (len && EVP_DecryptUpdate(c, ret, &n, sealed.data, (int)len) != 1) || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, sizeof tag, tag) != 1)
		return library_failed(err, "could not open sealed bytes");
#ifdef ENT_MUTANT_TAG_UNCHECKED
	return 0;
#endif
	if (EVP_DecryptFinal_ex(c, tag, &n) != 1) {
		ERR_clear_error();
		ent_wipe(ret, len);
		return ent_fail(err, ENT_EVERIFY, "sealed bytes do not verify: wrong key or changed content");
	}
	return 0;
}

int ent_aead_seal(const uint8_t key[ENT_AEAD_KEY_LEN], const uint8_t nonce[ENT_AEAD_NONCE_LEN], struct ent_bytes extra, struct ent_bytes plain,
		  uint8_t *ret, struct ent_err *err)
{
	return gcm_seal(EVP_aes_256_gcm(), key, nonce, extra, plain, ret, err);
}

int ent_aead_open(const uint8_t key[ENT_AEAD_KEY_LEN], const uint8_t nonce[ENT_AEAD_NONCE_LEN], struct ent_bytes extra, struct ent_bytes sealed,
		  uint8_t *ret, struct ent_err *err)
{
	return gcm_open(EVP_aes_256_gcm(), key, nonce, extra, sealed, ret, err);
}

int ent_aead128_seal(const uint8_t key[16], const uint8_t nonce[ENT_AEAD_NONCE_LEN], struct ent_bytes extra, struct ent_bytes plain, uint8_t *ret,
		     struct ent_err *err)
{
	return gcm_seal(EVP_aes_128_gcm(), key, nonce, extra, plain, ret, err);
}

int ent_aead128_open(const uint8_t key[16], const uint8_t nonce[ENT_AEAD_NONCE_LEN], struct ent_bytes extra, struct ent_bytes sealed, uint8_t *ret,
		     struct ent_err *err)
{
	return gcm_open(EVP_aes_128_gcm(), key, nonce, extra, sealed, ret, err);
}

static const char magic[] = "entente-seal/1\n";
#define MAGIC_LEN (sizeof magic - 1)
#define SALT_LEN 16
#define HEAD_LEN (MAGIC_LEN + 3 + SALT_LEN + ENT_AEAD_NONCE_LEN)
#define LOG_N 16
#define LOG_N_MAX 20

static int password_key(struct ent_bytes password, const uint8_t *head, uint8_t ret[ENT_AEAD_KEY_LEN], struct ent_err *err)
{
	const uint8_t *cost = head + MAGIC_LEN;
	if (cost[0] < 10 || cost[0] > LOG_N_MAX || cost[1] < 1 || cost[1] > 8 || cost[2] < 1 || cost[2] > 4)
		return ent_fail(err, ENT_EDATA, "this sealed file asks for password costs outside the allowed range");
	if (EVP_PBE_scrypt((const char *)password.data, password.len, head + MAGIC_LEN + 3, SALT_LEN, (uint64_t)1 << cost[0], cost[1], cost[2],
			   (uint64_t)2 << 30, ret, ENT_AEAD_KEY_LEN) != 1)
		return library_failed(err, "could not derive a key from the password");
	return 0;
}

int ent_seal_password(struct ent_random *random, struct ent_bytes password, struct ent_bytes plain, struct ent_buf *out, struct ent_err *err)
{
	uint8_t head[HEAD_LEN], key[ENT_AEAD_KEY_LEN];
	memcpy(head, magic, MAGIC_LEN);
	memcpy(head + MAGIC_LEN, (uint8_t[]){ LOG_N, 8, 1 }, 3);
	ENT_TRY(random->fill(random, head + MAGIC_LEN + 3, SALT_LEN + ENT_AEAD_NONCE_LEN, err));
	size_t start = out->len;
	ent_buf_put(out, head, sizeof head);
	uint8_t *sealed = ent_buf_space(out, plain.len + ENT_AEAD_TAG_LEN);
	ENT_TRY(ent_buf_check(out, err));
	int code = password_key(password, head, key, err);
	if (!code)
		code = ent_aead_seal(key, head + HEAD_LEN - ENT_AEAD_NONCE_LEN, ent_bytes(head, sizeof head), plain, sealed, err);
	ent_wipe(key, sizeof key);
	if (code)
		out->len = start;
	return code;
}

int ent_unseal_password(struct ent_bytes password, struct ent_bytes sealed, struct ent_buf *out, struct ent_err *err)
{
	uint8_t key[ENT_AEAD_KEY_LEN];
	if (sealed.len < HEAD_LEN + ENT_AEAD_TAG_LEN || memcmp(sealed.data, magic, MAGIC_LEN) != 0)
		return ent_fail(err, ENT_EDATA, "this is not a sealed file of entente");
	struct ent_bytes head = ent_bytes(sealed.data, HEAD_LEN), rest = ent_bytes(sealed.data + HEAD_LEN, sealed.len - HEAD_LEN);
	ENT_TRY(password_key(password, sealed.data, key, err));
	size_t start = out->len;
	uint8_t *plain = ent_buf_space(out, rest.len - ENT_AEAD_TAG_LEN);
	int code = ent_buf_check(out, err);
	if (!code)
		code = ent_aead_open(key, sealed.data + HEAD_LEN - ENT_AEAD_NONCE_LEN, head, rest, plain, err);
	ent_wipe(key, sizeof key);
	if (!code)
		return 0;
	out->len = start;
	if (code == ENT_EVERIFY) {
		ent_fail(err, code, "the sealed file does not open");
		ent_why(err, "wrong password, or the file was changed");
	}
	return code;
}
