#include "move/digest.h"

#include "crypto/hash.h"

void ent_digest_hash(struct ent_move_digest *d, const uint8_t sha[32])
{
	struct ent_move_digest one = { .rows = 1 };
	for (size_t i = 0; i < 32; i++)
		one.word[3 - i / 8] = one.word[3 - i / 8] << 8 | sha[i];
	ent_digest_sum(d, &one);
}

void ent_digest_put(struct ent_move_digest *d, struct ent_bytes row)
{
	uint8_t sha[ENT_SHA256_LEN];
	ent_sha256(row.data, row.len, sha);
	ent_digest_hash(d, sha);
}

void ent_digest_sum(struct ent_move_digest *d, const struct ent_move_digest *other)
{
	ent_u128 carry = 0;
	for (size_t i = 0; i < 4; i++) {
		carry += (ent_u128)d->word[i] + other->word[i];
		d->word[i] = (uint64_t)carry;
		carry >>= 64;
	}
	d->rows += other->rows;
}

bool ent_digest_eq(const struct ent_move_digest *a, const struct ent_move_digest *b)
{
	return a->rows == b->rows && !memcmp(a->word, b->word, sizeof a->word);
}

void ent_digest_text(const struct ent_move_digest *d, char ret[65])
{
	uint8_t bytes[32];
	for (size_t i = 0; i < 32; i++)
		bytes[i] = (uint8_t)(d->word[3 - i / 8] >> (56 - 8 * (i % 8)));
	ent_hex(ret, bytes, sizeof bytes);
}

bool ent_digest_parse(const char *hex, struct ent_move_digest *ret)
{
	uint8_t bytes[32];
	if (!ent_unhex(bytes, sizeof bytes, hex, strlen(hex)))
		return false;
	memset(ret->word, 0, sizeof ret->word);
	for (size_t i = 0; i < 32; i++)
		ret->word[3 - i / 8] = ret->word[3 - i / 8] << 8 | bytes[i];
	return true;
}
