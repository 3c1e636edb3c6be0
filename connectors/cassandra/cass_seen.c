/* Rows that a pass gave: the next one meets them again while their write times lie in the overlap, or at every pass when they have none, and
 * leaves them out. Hashes of whole rows, 128 bits under a random key, so that nobody can make two rows that are taken for each other. */
#include <stdlib.h>
#include <sys/random.h>

#include "cass.h"

#define ROWS_FIRST 4096u
#define ROWS_MAX ((size_t)1 << 20) /* 16 MiB for each generation */

int ent_cass_seen_init(struct ent_cass_seen *s, struct ent_err *err)
{
	*s = (struct ent_cass_seen){ 0 };
	if (getrandom(s->key, sizeof s->key, 0) != (ssize_t)sizeof s->key)
		return ent_fail(err, ENT_EIO, "this machine gives no random numbers");
	return 0;
}

void ent_cass_seen_deinit(struct ent_cass_seen *s)
{
	free(s->rows[0]);
	free(s->rows[1]);
	*s = (struct ent_cass_seen){ 0 };
}

void ent_cass_seen_pass(struct ent_cass_seen *s)
{
	free(s->rows[0]);
	s->rows[0] = s->rows[1];
	s->n[0] = s->n[1];
	s->cap[0] = s->cap[1];
	s->rows[1] = NULL;
	s->n[1] = s->cap[1] = 0;
}

/* --- hashes --- */

static uint64_t fold(uint64_t x, uint64_t y)
{
	ent_u128 m = (ent_u128)x * y;
	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static void word_put(const struct ent_cass_seen *s, struct ent_cass_row *h, uint64_t word)
{
	h->a = fold(h->a ^ word ^ s->key[0], 0x9e3779b97f4a7c15u ^ s->key[1]);
	h->b = fold(h->b + word + s->key[1], 0xd6e8feb86659fd93u ^ s->key[0]);
}

static void cell_put(const struct ent_cass_seen *s, struct ent_cass_row *h, struct ent_bytes cell)
{
#ifndef ENT_MUTANT_CASS_SEEN_GLUED
	word_put(s, h, cell.data ? cell.len + 1 : 0);
#endif
	for (size_t at = 0; at < cell.len; at += 8) {
		uint64_t word = 0;
		memcpy(&word, cell.data + at, cell.len - at < 8 ? cell.len - at : 8);
		word_put(s, h, word);
	}
}

struct ent_cass_row ent_cass_seen_row(const struct ent_cass_seen *s, const struct ent_bytes *cells, size_t n)
{
	struct ent_cass_row h = { s->key[0], s->key[1] };
	for (size_t i = 0; i < n; i++)
		cell_put(s, &h, cells[i]);
	h.a |= h.a == 0 && h.b == 0; /* an empty place */
	return h;
}

/* --- the set --- */

static struct ent_cass_row *place(struct ent_cass_row *rows, size_t cap, struct ent_cass_row row)
{
	size_t i = (size_t)row.a & (cap - 1);
	while ((rows[i].a || rows[i].b) && (rows[i].a != row.a || rows[i].b != row.b))
		i = (i + 1) & (cap - 1);
	return &rows[i];
}

static bool holds(const struct ent_cass_seen *s, int generation, struct ent_cass_row row)
{
	if (!s->cap[generation])
		return false;
	const struct ent_cass_row *at = place(s->rows[generation], s->cap[generation], row);
	return at->a || at->b;
}

/* Room for one more; false at the bound, or without memory. */
static bool room(struct ent_cass_seen *s)
{
	size_t cap = s->cap[1] ? s->cap[1] * 2 : ROWS_FIRST;
	if (s->n[1] < s->cap[1] / 2)
		return true;
	if (cap > ROWS_MAX)
		return s->n[1] < s->cap[1] / 4 * 3;
	struct ent_cass_row *more = (struct ent_cass_row *)calloc(cap, sizeof *more);
	if (!more)
		return false;
	for (size_t i = 0; i < s->cap[1]; i++)
		if (s->rows[1][i].a || s->rows[1][i].b)
			*place(more, cap, s->rows[1][i]) = s->rows[1][i];
	free(s->rows[1]);
	s->rows[1] = more;
	s->cap[1] = cap;
	return true;
}

bool ent_cass_seen_before(struct ent_cass_seen *s, struct ent_cass_row row)
{
	if (holds(s, 1, row))
		return true;
	bool before = holds(s, 0, row);
	if (room(s)) {
		*place(s->rows[1], s->cap[1], row) = row;
		s->n[1]++;
	}
	return before;
}
