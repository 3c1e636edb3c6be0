/* The digest of a set of rows: the sum modulo 2^256 of the SHA-256 of every row's canonical bytes (arrow/rows.h), each sum little-endian in four
 * 64-bit words, printed as 64 hex digits, most significant first. The order of rows and the cut into splits do not matter; equal rows count as
 * often as they stand there. It tells honest mistakes; against somebody who picks the rows himself a sum of hashes is weaker than a hash. */
#ifndef ENT_MOVE_DIGEST_H
#define ENT_MOVE_DIGEST_H
#include "arrow/batch.h"

struct ent_move_digest {
	uint64_t word[4]; /* least significant first */
	uint64_t rows;
};

void ent_digest_put(struct ent_move_digest *d, struct ent_bytes row);
void ent_digest_hash(struct ent_move_digest *d, const uint8_t sha[32]); /* one row whose hash is known */
void ent_digest_sum(struct ent_move_digest *d, const struct ent_move_digest *other);
bool ent_digest_eq(const struct ent_move_digest *a, const struct ent_move_digest *b);
void ent_digest_text(const struct ent_move_digest *d, char ret[65]);
bool ent_digest_parse(const char *hex, struct ent_move_digest *ret); /* rows stays as it is */
#endif
