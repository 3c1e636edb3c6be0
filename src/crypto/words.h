/* Fingerprints people compare by phone: the first 88 bits of SHA-256 of a raw key as 8 words of the English BIP-39 list. */
#ifndef ENT_CRYPTO_WORDS_H
#define ENT_CRYPTO_WORDS_H
#include "base/bytes.h"

#define ENT_WORDS_COUNT 2048
#define ENT_FINGERPRINT_LEN 72 /* 8 words of at most 8 letters, 7 blanks, NUL */

extern const char *const ent_words[ENT_WORDS_COUNT];
/* "abandon ability ..." with single blanks. */
void ent_fingerprint(const uint8_t key[32], char ret[ENT_FINGERPRINT_LEN]);
#endif
