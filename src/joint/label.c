/* See label.h. */
#include "joint/label.h"

#include <stdlib.h>

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "joint/internal.h"

struct ent_text_at {
	size_t row, offset, len;
};

void ent_texts_deinit(struct ent_texts *t)
{
	free(t->at);
	ent_buf_deinit(&t->bytes);
	memset(t, 0, sizeof *t);
}

int ent_texts_put(struct ent_texts *t, size_t row, struct ent_bytes text, struct ent_err *err)
{
	if (t->n == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 1024;
		struct ent_text_at *at = realloc(t->at, cap * sizeof *at);
		if (!at)
			return ent_nomem(err);
		t->at = at;
		t->cap = cap;
	}
	if (!t->bytes.max)
		ent_buf_init(&t->bytes, (size_t)1 << 32);
	t->at[t->n++] = (struct ent_text_at){ row, t->bytes.len, text.len };
	ent_buf_put(&t->bytes, text.data, text.len);
	return ent_buf_check(&t->bytes, err);
}

static int compare_texts(const void *a, const void *b, void *bytes)
{
	const struct ent_text_at *x = a, *y = b;
	const uint8_t *base = bytes;
	size_t len = x->len < y->len ? x->len : y->len;
	int c = len ? memcmp(base + x->offset, base + y->offset, len) : 0;
	return c ? c : x->len < y->len ? -1 : x->len > y->len;
}

static int refuse_many(const struct ent_label_job *job, struct ent_err *err)
{
	ent_fail(err, ENT_EDATA, "a text column of %s has more distinct values than published (%zu)", job->table, job->rows);
	return ent_next(err, "run `entente add --refresh`");
}

/* Byte order, equal neighbours share a code; firsts[i] = a text of the i-th distinct value. */
static int give_codes(struct ent_texts *t, const struct ent_label_job *job, struct ent_text_at *firsts, uint64_t *codes, size_t *ret,
		      struct ent_err *err)
{
	size_t n = 0;
	if (t->n)
		qsort_r(t->at, t->n, sizeof *t->at, compare_texts, t->bytes.data);
	for (size_t i = 0; i < t->n; i++) {
		if (!i || compare_texts(&t->at[i - 1], &t->at[i], t->bytes.data)) {
			if (n == job->rows)
				return refuse_many(job, err);
			firsts[n] = t->at[i];
			codes[n] = job->code_bits == 64 ? ent_siphash(job->hash_key, t->bytes.data + t->at[i].offset, t->at[i].len) : n;
			n++;
		}
		job->values[t->at[i].row] = codes[n - 1];
	}
	*ret = n;
	return 0;
}

static int seal_row(const struct ent_label_job *job, const uint8_t key[16], struct ent_bytes text, uint8_t *row, struct ent_err *err)
{
	static const uint8_t nonce[ENT_AEAD_NONCE_LEN]; /* each key seals one row */
	uint8_t plain[ENT_LABEL_TEXT] = { (uint8_t)(text.len >> 8), (uint8_t)text.len }, digest[ENT_SHA256_LEN];
	if (text.len > sizeof plain - 2) {
		ent_fail(err, ENT_EDATA, "a text of %s that would be a label is longer than %zu bytes", job->table, sizeof plain - 2);
		return ent_next(err, "group by a shorter expression, for example substr(column, 1, 100)");
	}
	if (text.len)
		memcpy(plain + 2, text.data, text.len);
	ent_sha256(key, 16, digest);
	memcpy(row, digest, 16);
	return ent_aead128_seal(key, nonce, ent_bytes(job->job_id, 8), ent_bytes(plain, sizeof plain), row + 16, err);
}

/* Draws without bias from the owner's randomness. */
static int draw_below(struct ent_random *random, size_t bound, size_t *ret, struct ent_err *err)
{
	uint64_t v, limit = UINT64_MAX - UINT64_MAX % bound;
	do
		ENT_TRY(random->fill(random, &v, sizeof v, err));
	while (v >= limit);
	*ret = (size_t)(v % bound);
	return 0;
}

static int random_order(const struct ent_label_job *job, size_t *order, struct ent_err *err)
{
	for (size_t i = 0; i < job->rows; i++)
		order[i] = i;
	for (size_t i = job->rows; i > 1; i--) {
		size_t k, t = order[i - 1];
		ENT_TRY(draw_below(job->random, i, &k, err));
		order[i - 1] = order[k];
		order[k] = t;
	}
	return 0;
}

/* Hash of a text that is the same in every job, so that the differencing guard can compare labels. Only shares of it travel. */
static uint64_t lasting_hash(struct ent_bytes text)
{
	static const uint8_t key[16] = "entente label id";
	return ent_siphash(key, text.data ? text.data : (const uint8_t *)"", text.len);
}

int ent_texts_seal(struct ent_texts *t, const struct ent_label_job *job, uint64_t *ret_planes, struct ent_buf *sealed, struct ent_err *err)
{
	size_t n, rows = job->rows;
	struct ent_text_at *firsts = ENT_NEWS(job->arena, rows, struct ent_text_at);
	uint64_t *codes = ENT_NEWS(job->arena, rows, uint64_t), *low = ENT_NEWS(job->arena, rows, uint64_t),
		 *high = ENT_NEWS(job->arena, rows, uint64_t), *hash = ENT_NEWS(job->arena, rows, uint64_t);
	size_t *order = ENT_NEWS(job->arena, rows, size_t);
	uint8_t *out = ent_buf_space(sealed, rows * ENT_LABEL_ROW);
	if (!firsts || !codes || !low || !high || !hash || !order || !out)
		return ent_nomem(err);
	ENT_TRY(give_codes(t, job, firsts, codes, &n, err));
	ENT_TRY(random_order(job, order, err));
	for (size_t i = 0; i < rows; i++) {
		uint8_t key[16];
		ENT_TRY(job->random->fill(job->random, key, sizeof key, err));
		memcpy(&low[i], key, 8);
		memcpy(&high[i], key + 8, 8);
		if (i >= n && job->code_bits < 64)
			codes[i] = i;
		else if (i >= n)
			ENT_TRY(job->random->fill(job->random, &codes[i], sizeof codes[i], err));
		struct ent_bytes text = i < n ? ent_bytes(t->bytes.data + firsts[i].offset, firsts[i].len) : ent_bytes(NULL, 0);
		hash[i] = i < n ? lasting_hash(text) : 0;
		ENT_TRY(seal_row(job, key, text, out + order[i] * ENT_LABEL_ROW, err));
	}
	size_t words = ent_words(rows);
	ent_planes_from_words(codes, rows, job->code_bits, ret_planes);
	ent_planes_from_words(low, rows, 64, ret_planes + job->code_bits * words);
	ent_planes_from_words(high, rows, 64, ret_planes + (job->code_bits + 64) * words);
	ent_planes_from_words(hash, rows, 64, ret_planes + (job->code_bits + 128) * words);
	return 0;
}

static bool open_row(struct ent_arena *arena, const uint8_t *row, const uint8_t job_id[8], const uint8_t key[16], struct ent_bytes *ret)
{
	static const uint8_t nonce[ENT_AEAD_NONCE_LEN];
	uint8_t plain[ENT_LABEL_TEXT];
	if (ent_aead128_open(key, nonce, ent_bytes(job_id, 8), ent_bytes(row + 16, ENT_LABEL_TEXT + 16), plain, NULL))
		return false;
	size_t len = (size_t)plain[0] << 8 | plain[1];
	const char *text = len <= sizeof plain - 2 ? ent_arena_str(arena, (const char *)plain + 2, len) : NULL;
	*ret = ent_bytes(text, len);
	return text != NULL;
}

int ent_label_open(struct ent_arena *arena, const struct ent_bytes *tables, size_t n_tables, const uint8_t job_id[8], const uint8_t key[16],
		   struct ent_bytes *ret, struct ent_err *err)
{
	uint8_t digest[ENT_SHA256_LEN];
	ent_sha256(key, 16, digest);
	for (size_t i = 0; i < n_tables; i++)
		for (size_t at = 0; at + ENT_LABEL_ROW <= tables[i].len; at += ENT_LABEL_ROW)
			if (!memcmp(tables[i].data + at, digest, 16) && open_row(arena, tables[i].data + at, job_id, key, ret))
				return 0;
	return ent_fail(err, ENT_EPEER, "a released label has no sealed text at its owner");
}
