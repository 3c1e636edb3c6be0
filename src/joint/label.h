/* Labels: texts of one owner that may open. In MPC a text is its rank in the owner's byte-sorted dictionary; what opens is a random 128-bit key
 * from a table (code, key) looked up under MPC for released rows only; the requester unseals the text with it. Nobody else learns anything, and
 * nothing can be tried out: without the key a sealed row says only its public, padded length. */
#ifndef ENT_JOINT_LABEL_H
#define ENT_JOINT_LABEL_H
#include "base/arena.h"
#include "base/clock.h"

struct ent_texts { /* texts of one leaf, by row */
	struct ent_buf bytes;
	struct ent_text_at *at;
	size_t n, cap;
};

struct ent_label_job {
	struct ent_random *random;
	const uint8_t *job_id;   /* 8 bytes, authenticated with each row */
	const uint8_t *hash_key; /* 16 bytes */
	size_t rows;             /* of the table, public */
	unsigned code_bits;      /* 64: codes are hashes (several owners), else ranks */
	const char *table;       /* for messages */
	const char *org;
	uint64_t *values; /* out: code of every row that has a text */
	struct ent_arena *arena;
};

void ent_texts_deinit(struct ent_texts *t);
int ent_texts_put(struct ent_texts *t, size_t row, struct ent_bytes text, struct ent_err *err);
/* Gives every row its code, fills planes (code_bits, key 128, hash 64) of the table and appends its sealed rows in random order.
 * ENT_EDATA: more distinct texts than published, or one too long. */
int ent_texts_seal(struct ent_texts *t, const struct ent_label_job *job, uint64_t *ret_planes, struct ent_buf *sealed, struct ent_err *err);
/* Finds and opens the row that key belongs to. ENT_EPEER when no row fits. */
int ent_label_open(struct ent_arena *arena, const struct ent_bytes *tables, size_t n_tables, const uint8_t job_id[8], const uint8_t key[16],
		   struct ent_bytes *ret, struct ent_err *err);
#endif
