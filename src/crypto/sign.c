#include "crypto/sign.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "crypto/secret.h"

struct ent_sign_key {
	EVP_PKEY *pkey;
	EVP_MD_CTX *ctx;
};

static struct ent_sign_key *key_new(EVP_PKEY *pkey)
{
	struct ent_sign_key *k = pkey ? ent_alloc(1, sizeof *k) : NULL;
	EVP_MD_CTX *ctx = k ? EVP_MD_CTX_new() : NULL;
	ERR_clear_error();
	if (!ctx) {
		EVP_PKEY_free(pkey);
		free(k);
		return NULL;
	}
	*k = (struct ent_sign_key){ pkey, ctx };
	return k;
}

struct ent_sign_key *ent_sign_key_new(const uint8_t secret[ENT_SIGN_KEY_LEN])
{
	return key_new(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, ENT_SIGN_KEY_LEN));
}

struct ent_sign_key *ent_sign_key_new_public(const uint8_t public_key[ENT_SIGN_KEY_LEN])
{
	return key_new(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, ENT_SIGN_KEY_LEN));
}

void ent_sign_key_free(struct ent_sign_key *k)
{
	if (!k)
		return;
	EVP_MD_CTX_free(k->ctx);
	EVP_PKEY_free(k->pkey);
	free(k);
}

static void key_freep(struct ent_sign_key **k) { ent_sign_key_free(*k); }

static int failed(struct ent_err *err, const char *what)
{
	unsigned long e = ERR_get_error();
	ERR_clear_error();
	ent_fail(err, ENT_EINTERNAL, "%s", what);
	ent_why(err, "%s", e ? ERR_reason_error_string(e) : "the crypto library gave no reason");
	return ENT_EINTERNAL;
}

int ent_sign_key_sign(struct ent_sign_key *k, struct ent_bytes message, uint8_t ret[ENT_SIGN_LEN], struct ent_err *err)
{
	uint8_t sig[ENT_SIGN_LEN];
	size_t len = sizeof sig;
	EVP_MD_CTX_reset(k->ctx);
	if (EVP_DigestSignInit(k->ctx, NULL, NULL, NULL, k->pkey) != 1 || EVP_DigestSign(k->ctx, sig, &len, message.data, message.len) != 1 ||
	    len != sizeof sig)
		return failed(err, "could not sign");
	memcpy(ret, sig, sizeof sig);
	return 0;
}

bool ent_sign_key_verify(struct ent_sign_key *k, struct ent_bytes message, const void *sig, size_t sig_len)
{
	if (sig_len != ENT_SIGN_LEN)
		return false;
	EVP_MD_CTX_reset(k->ctx);
	bool ok = EVP_DigestVerifyInit(k->ctx, NULL, NULL, NULL, k->pkey) == 1 &&
		  EVP_DigestVerify(k->ctx, sig, sig_len, message.data, message.len) == 1;
	ERR_clear_error();
	return ok;
}

int ent_sign_public(const uint8_t secret[ENT_SIGN_KEY_LEN], uint8_t ret_public[ENT_SIGN_KEY_LEN], struct ent_err *err)
{
	ENT_CLEANUP(key_freep) struct ent_sign_key *k = ent_sign_key_new(secret);
	uint8_t out[ENT_SIGN_KEY_LEN];
	size_t len = sizeof out;
	if (!k || EVP_PKEY_get_raw_public_key(k->pkey, out, &len) != 1 || len != sizeof out)
		return failed(err, "could not derive a public key");
	memcpy(ret_public, out, sizeof out);
	return 0;
}

int ent_sign_keygen(struct ent_random *random, uint8_t ret_secret[ENT_SIGN_KEY_LEN], uint8_t ret_public[ENT_SIGN_KEY_LEN], struct ent_err *err)
{
	uint8_t secret[ENT_SIGN_KEY_LEN];
	ENT_TRY(random->fill(random, secret, sizeof secret, err));
	int code = ent_sign_public(secret, ret_public, err);
	if (!code)
		memcpy(ret_secret, secret, sizeof secret);
	ent_wipe(secret, sizeof secret);
	return code;
}

int ent_sign(const uint8_t secret[ENT_SIGN_KEY_LEN], struct ent_bytes message, uint8_t ret[ENT_SIGN_LEN], struct ent_err *err)
{
	ENT_CLEANUP(key_freep) struct ent_sign_key *k = ent_sign_key_new(secret);
	return k ? ent_sign_key_sign(k, message, ret, err) : failed(err, "could not use the signing key");
}

bool ent_sign_verify(const uint8_t public_key[ENT_SIGN_KEY_LEN], struct ent_bytes message, const void *sig, size_t sig_len)
{
	ENT_CLEANUP(key_freep) struct ent_sign_key *k = sig_len == ENT_SIGN_LEN ? ent_sign_key_new_public(public_key) : NULL;
	return k && ent_sign_key_verify(k, message, sig, sig_len);
}
