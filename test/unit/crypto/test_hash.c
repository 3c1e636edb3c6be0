/* Known answers from FIPS 180-4, RFC 4231, RFC 5869 and the SipHash paper. */
#include "crypto/hash.h"
#include "tap.h"

static void is_hex(const void *got, size_t len, const char *want, const char *name)
{
	char hex[512];
	ent_hex(hex, got, len);
	OK_STR(hex, want, "%s", name);
}

static void sha(void)
{
	uint8_t h[32], h2[32], data[1000];
	ent_sha256("", 0, h);
	is_hex(h, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "sha256 of nothing");
	ent_sha256("abc", 3, h);
	is_hex(h, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "sha256 of abc");
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 7);
	ent_sha256(data, sizeof data, h);
	bool same = true;
	for (size_t cut = 0; cut <= sizeof data; cut += 13) {
		struct ent_sha256 s;
		ent_sha256_init(&s);
		ent_sha256_put(&s, data, cut);
		ent_sha256_put(&s, data + cut, sizeof data - cut);
		ent_sha256_finish(&s, h2);
		same = same && !memcmp(h, h2, 32);
	}
	OK(same, "streaming equals one-shot at every cut");
	ent_sha256v((struct ent_bytes[]){ ent_bytes(data, 400), ent_bytes(NULL, 0), ent_bytes(data + 400, 600) }, 3, h2);
	OK(!memcmp(h, h2, 32), "pieces equal one-shot");
}

static void kdf(void)
{
	uint8_t h[32], okm[82], ikm[80], salt[80], info[80], big[255 * 32 + 1];
	struct ent_err err = ENT_ERR_INIT;
	ent_hmac_sha256(ent_bytes_str("Jefe"), ent_bytes_str("what do ya want for nothing?"), h);
	is_hex(h, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", "HMAC, RFC 4231 case 2");
	memset(ikm, 0x0b, 22);
	for (uint8_t i = 0; i < 13; i++)
		salt[i] = i;
	for (uint8_t i = 0; i < 10; i++)
		info[i] = (uint8_t)(0xf0 + i);
	OK_INT(ent_hkdf_sha256(ent_bytes(ikm, 22), ent_bytes(salt, 13), ent_bytes(info, 10), okm, 42, &err), 0);
	is_hex(okm, 42, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865", "HKDF, RFC 5869 case 1");
	for (int i = 0; i < 80; i++) {
		ikm[i] = (uint8_t)i;
		salt[i] = (uint8_t)(0x60 + i);
		info[i] = (uint8_t)(0xb0 + i);
	}
	OK_INT(ent_hkdf_sha256(ent_bytes(ikm, 80), ent_bytes(salt, 80), ent_bytes(info, 80), okm, 82, &err), 0);
	is_hex(okm, 82,
	       "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db"
	       "71cc30c58179ec3e87c14c01d5c1f3434f1d87",
	       "HKDF, RFC 5869 case 2");
	OK_INT(ent_hkdf_sha256(ent_bytes(ikm, 80), ent_bytes(NULL, 0), ent_bytes(NULL, 0), big, sizeof big, &err), ENT_EINTERNAL,
	       "too long is refused");
}

static void sip(void)
{
	uint8_t key[16], data[64];
	for (int i = 0; i < 64; i++)
		data[i] = (uint8_t)i;
	memcpy(key, data, 16);
	OK(ent_siphash(key, data, 0) == 0x726fdb47dd0e0e31u, "SipHash of nothing");
	OK(ent_siphash(key, data, 15) == 0xa129ca6149be45e5u, "SipHash of 15 bytes, appendix A of the paper");
	OK(ent_siphash(key, data, 8) == 0x93f5f5799a932462u, "SipHash of 8 bytes");
	OK(ent_siphash(key, data, 15) != ent_siphash(data + 1, data, 15), "the key matters");
}

int main(void)
{
	sha();
	kdf();
	sip();
	return tap_done();
}
