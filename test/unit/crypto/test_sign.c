/* RFC 8032 known answers, every single-bit change refused, failing randomness stops. */
#include "crypto/sign.h"
#include "os/system.h"
#include "tap.h"

static int no_random(struct ent_random *r, void *buf, size_t len, struct ent_err *err)
{
	(void)r;
	(void)buf;
	(void)len;
	return ent_fail(err, ENT_EIO, "no randomness");
}

static void known(void)
{
	uint8_t secret[32], public_key[32], sig[64], want[64], msg[1] = { 0x72 };
	char hex[129];
	struct ent_err err = ENT_ERR_INIT;
	OK(ent_unhex(secret, 32, "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", 64), "test 2 of RFC 8032");
	OK_INT(ent_sign_public(secret, public_key, &err), 0);
	ent_hex(hex, public_key, 32);
	OK_STR(hex, "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "public key");
	OK_INT(ent_sign(secret, ent_bytes(msg, 1), sig, &err), 0);
	ent_unhex(want, 64,
		  "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
		  128);
	OK(!memcmp(sig, want, 64), "signature");
}

static void changes(void)
{
	uint8_t secret[32], other[32], public_key[32], other_public[32], sig[64];
	struct ent_bytes msg = ent_bytes_str("the request of the day");
	struct ent_err err = ENT_ERR_INIT;
	OK_INT(ent_sign_keygen(ent_system_random(), secret, public_key, &err), 0);
	OK_INT(ent_sign_keygen(ent_system_random(), other, other_public, &err), 0);
	OK(memcmp(secret, other, 32) != 0, "two keys differ");
	OK_INT(ent_sign(secret, msg, sig, &err), 0);
	OK(ent_sign_verify(public_key, msg, sig, 64), "verifies");
	int accepted = 0;
	for (int bit = 0; bit < 512; bit++) {
		sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
		accepted += ent_sign_verify(public_key, msg, sig, 64);
		sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	OK_INT(accepted, 0, "no changed bit of the signature verifies");
	OK(!ent_sign_verify(public_key, msg, sig, 63), "short signature refused");
	OK(!ent_sign_verify(other_public, msg, sig, 64), "other key refused");
	OK(!ent_sign_verify(public_key, ent_bytes_str("the request of the dax"), sig, 64), "other message refused");
	struct ent_sign_key *k = ent_sign_key_new(secret), *p = ent_sign_key_new_public(public_key);
	OK(k && p && !ent_sign_key_sign(k, msg, sig, &err) && ent_sign_key_verify(p, msg, sig, 64) && ent_sign_key_verify(p, msg, sig, 64),
	   "prepared keys do the same, twice");
	OK_INT(ent_sign_key_sign(p, msg, sig, &err), ENT_EINTERNAL, "a public key cannot sign");
	ent_sign_key_free(k);
	ent_sign_key_free(p);
	struct ent_random bad = { no_random };
	uint8_t before[32];
	memcpy(before, secret, 32);
	OK_INT(ent_sign_keygen(&bad, secret, public_key, &err), ENT_EIO, "no randomness, no key");
	OK(!memcmp(before, secret, 32), "outputs untouched");
}

int main(void)
{
	known();
	changes();
	return tap_done();
}
