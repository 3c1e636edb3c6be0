#include "crypto/words.h"

#include "crypto/hash.h"
#include "tap.h"

int main(void)
{
	char text[ENT_FINGERPRINT_LEN], hex[65];
	uint8_t key[32] = { 0 }, h[32], joined = 0;
	bool sorted = true, shaped = true;
	struct ent_sha256 s;
	ent_sha256_init(&s);
	for (size_t i = 0; i < ENT_WORDS_COUNT; i++) {
		size_t n = strlen(ent_words[i]);
		shaped = shaped && n >= 3 && n <= 8 && strspn(ent_words[i], "abcdefghijklmnopqrstuvwxyz") == n;
		sorted = sorted && (!i || strcmp(ent_words[i - 1], ent_words[i]) < 0);
		ent_sha256_put(&s, ent_words[i], n);
		ent_sha256_put(&s, "\n", 1);
	}
	ent_sha256_finish(&s, h);
	ent_hex(hex, h, 32);
	OK(sorted && shaped, "2048 words of 3 to 8 letters, sorted");
	OK_STR(hex, "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda", "SHA-256 of BIP-39's english.txt");
	/* SHA-256 of 32 zero bytes = 66687aad f862bd77 6c8fc1...: 01100110011 01000011110 10101011011 ... */
	ent_fingerprint(key, text);
	ent_sha256(key, 32, h);
	const char *at = text;
	for (size_t i = 0; i < 8; i++) {
		unsigned v = 0;
		for (size_t b = 11 * i; b < 11 * i + 11; b++)
			v = v << 1 | (h[b / 8] >> (7 - b % 8) & 1u);
		size_t n = strlen(ent_words[v]);
		joined = (uint8_t)(joined + (!strncmp(at, ent_words[v], n) && at[n] == (i < 7 ? ' ' : 0)));
		at += n + 1;
	}
	OK_INT(joined, 8, "eight words, eleven bits each: %s", text);
	return tap_done();
}
