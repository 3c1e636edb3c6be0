/* GCM known answer, every changed byte refused, the password seal and its limits. */
#include "crypto/aead.h"
#include "os/system.h"
#include "tap.h"

static void known(void)
{
	uint8_t key[32] = { 0 }, nonce[12] = { 0 }, plain[16] = { 0 }, sealed[32], back[16];
	char hex[65];
	OK_INT(ent_aead_seal(key, nonce, ent_bytes(NULL, 0), ent_bytes(plain, 16), sealed, NULL), 0);
	ent_hex(hex, sealed, 32);
	OK_STR(hex, "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919", "AES-256-GCM, test case 14 of the GCM paper");
	OK_INT(ent_aead128_seal(key, nonce, ent_bytes(NULL, 0), ent_bytes(plain, 16), sealed, NULL), 0);
	ent_hex(hex, sealed, 32);
	OK_STR(hex, "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf", "AES-128-GCM, test case 2");
	OK(!ent_aead128_open(key, nonce, ent_bytes(NULL, 0), ent_bytes(sealed, 32), back, NULL) && !memcmp(back, plain, 16), "opens");
}

static void changed(void)
{
	uint8_t key[32] = { 1 }, nonce[12] = { 2 }, sealed[5 + 16], back[5];
	struct ent_bytes extra = ent_bytes_str("head"), plain = ent_bytes_str("share");
	struct ent_err err = ENT_ERR_INIT;
	OK_INT(ent_aead_seal(key, nonce, extra, plain, sealed, &err), 0);
	OK(!ent_aead_open(key, nonce, extra, ent_bytes(sealed, sizeof sealed), back, &err) && !memcmp(back, "share", 5), "round trip");
	int opened = 0;
	for (size_t i = 0; i < 8 * sizeof sealed; i++) {
		sealed[i / 8] ^= (uint8_t)(1 << i % 8);
		opened += !ent_aead_open(key, nonce, extra, ent_bytes(sealed, sizeof sealed), back, &err);
		sealed[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	OK_INT(opened, 0, "no changed bit opens");
	OK(!memcmp(back, "\0\0\0\0\0", 5), "output wiped");
	OK_INT(ent_aead_open(key, nonce, ent_bytes_str("hea"), ent_bytes(sealed, sizeof sealed), back, &err), ENT_EVERIFY, "other head refused");
	OK_INT(ent_aead_open(key, nonce, extra, ent_bytes(sealed, 15), back, &err), ENT_EVERIFY, "too short");
	OK_INT(ent_aead_seal(key, nonce, extra, ent_bytes(NULL, 0), sealed, &err), 0, "nothing can be sealed");
	OK_INT(ent_aead_open(key, nonce, extra, ent_bytes(sealed, 16), back, &err), 0, "and opened");
}

static void password(void)
{
	struct ent_buf sealed = ENT_BUF(1 << 20), back = ENT_BUF(1 << 20);
	struct ent_bytes secret = ent_bytes_str("four keys of an organisation");
	struct ent_err err = ENT_ERR_INIT;
	OK_INT(ent_seal_password(ent_system_random(), ent_bytes_str("pass"), secret, &sealed, &err), 0);
	OK_INT(ent_unseal_password(ent_bytes_str("pass"), ent_buf_bytes(&sealed), &back, &err), 0);
	OK(ent_bytes_eq(ent_buf_bytes(&back), secret), "round trip");
	size_t len = back.len;
	OK_INT(ent_unseal_password(ent_bytes_str("Pass"), ent_buf_bytes(&sealed), &back, &err), ENT_EVERIFY, "wrong password");
	OK(back.len == len, "nothing appended after a refusal");
	sealed.data[20] ^= 1;
	OK_INT(ent_unseal_password(ent_bytes_str("pass"), ent_buf_bytes(&sealed), &back, &err), ENT_EVERIFY, "changed salt");
	sealed.data[20] ^= 1;
	sealed.data[15] = 40;
	OK_INT(ent_unseal_password(ent_bytes_str("pass"), ent_buf_bytes(&sealed), &back, &err), ENT_EDATA, "absurd cost refused before any work");
	OK_INT(ent_unseal_password(ent_bytes_str("pass"), ent_bytes_str("entente-seal/1\n"), &back, &err), ENT_EDATA, "not a sealed file");
	ent_buf_deinit(&sealed);
	ent_buf_deinit(&back);
}

int main(void)
{
	known();
	changed();
	password();
	return tap_done();
}
