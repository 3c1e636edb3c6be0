/* Rounds and bytes of every operator, by the same rules the operators follow. */
#include "mpc/cost.h"

#include <math.h>

#include "mpc/engine.h"

#define HEAD ((uint64_t)HEADER_BYTES)

static uint64_t wide(size_t rows) { return ent_words(rows) * 8; } /* bytes of a plane */

/* One round in which each party sends the same to one neighbour. */
static void even(struct ent_cost *c, uint64_t bytes)
{
	c->rounds++;
	for (int p = 0; p < 3; p++)
		c->bytes[p] += bytes + HEAD;
}

static uint64_t rows_bytes(size_t rows, unsigned planes, unsigned rings) { return planes * wide(rows) + 8ull * rings * rows; }

void ent_cost_input(struct ent_cost *c, int from, size_t rows, unsigned planes, unsigned rings)
{
	c->rounds++;
	c->bytes[from] += rows_bytes(rows, planes, rings) + HEAD;
}

void ent_cost_input_all(struct ent_cost *c, const size_t rows[3], const unsigned planes[3], const unsigned rings[3])
{
	c->rounds++;
	for (int p = 0; p < 3; p++)
		c->bytes[p] += rows_bytes(rows[p], planes[p], rings[p]) + HEAD;
}

void ent_cost_input_outside(struct ent_cost *c)
{
	c->rounds += 2;
	c->bytes[1] += 32 + HEAD;
	c->bytes[2] += 32 + HEAD;
}

void ent_cost_and(struct ent_cost *c, size_t rows, unsigned planes) { even(c, (uint64_t)planes * wide(rows)); }

void ent_cost_and_planes(struct ent_cost *c, size_t rows, unsigned planes)
{
	for (unsigned left = planes; left > 1; left = (left + 1) / 2)
		even(c, left / 2 * wide(rows));
}

void ent_cost_mul(struct ent_cost *c, size_t words) { even(c, 8ull * words); }
void ent_cost_eq(struct ent_cost *c, size_t rows, unsigned planes) { ent_cost_and_planes(c, rows, planes); }

/* The merges of a < tree, leaves not counted. */
static void lt_tree(struct ent_cost *c, uint64_t plane_bytes, unsigned planes)
{
	for (unsigned left = planes; left > 1; left = (left + 1) / 2)
		even(c, (2 * (left / 2) - 1) * plane_bytes);
}

void ent_cost_lt(struct ent_cost *c, size_t rows, unsigned planes)
{
	even(c, (uint64_t)planes * wide(rows));
	lt_tree(c, wide(rows), planes);
}

void ent_cost_lt_const(struct ent_cost *c, size_t rows, unsigned planes) { lt_tree(c, wide(rows), planes); }

/* Rows in role 0 of each party: blocks go round. */
static void block_words(size_t rows, uint64_t ret[3])
{
	ret[0] = ret[1] = ret[2] = 0;
	for (size_t at = 0; at < rows; at += ROTATE_ROWS)
		ret[at / ROTATE_ROWS % 3] += ent_words(rows - at < ROTATE_ROWS ? rows - at : ROTATE_ROWS);
}

/* One round in which role 0 of each block sends bits per row. */
static void by_blocks(struct ent_cost *c, size_t rows, uint64_t bits)
{
	uint64_t words[3];
	block_words(rows, words);
	c->rounds++;
	for (int p = 0; p < 3; p++)
		c->bytes[p] += words[p] && bits ? words[p] * bits * 8 + HEAD : 0;
}

void ent_cost_a2b(struct ent_cost *c, size_t rows, unsigned planes)
{
	by_blocks(c, rows, planes);
	if (planes < 2)
		return;
	ent_cost_and(c, rows, planes - 1);
	for (unsigned level = 0; planes - 1 > 1u << level; level++)
		even(c, ent_sklansky_level(planes - 1, level) * wide(rows));
}

void ent_cost_b2a_bits(struct ent_cost *c, size_t rows, unsigned planes)
{
	by_blocks(c, rows, 63ull * planes);
	even(c, 8ull * rows * planes);
}

void ent_cost_b2a(struct ent_cost *c, size_t rows, unsigned planes)
{
	uint64_t bits = 0;
	for (unsigned k = 0; k < planes; k++)
		bits += 63 - k;
	by_blocks(c, rows, bits);
	even(c, 8ull * rows);
}

void ent_cost_trunc(struct ent_cost *c, size_t rows, unsigned shift)
{
	by_blocks(c, rows, shift);
	even(c, 8ull * rows);
}

void ent_cost_open_bits(struct ent_cost *c, size_t rows, unsigned planes) { even(c, (uint64_t)planes * wide(rows)); }
void ent_cost_open_ring(struct ent_cost *c, size_t rows) { even(c, 8ull * rows); }

void ent_cost_open_rows_to(struct ent_cost *c, int to, size_t rows, unsigned planes, unsigned rings)
{
	c->rounds++;
	c->bytes[(to + 2) % 3] += rows_bytes(rows, planes, rings) + HEAD;
	c->bytes[(to + 1) % 3] += 32 + HEAD;
}

void ent_cost_shuffle(struct ent_cost *c, size_t rows, unsigned planes, unsigned rings)
{
	uint64_t half = (uint64_t)rows * ((planes + 7) / 8 + 8ull * rings) + HEAD;
	int lead = (int)(c->shuffles++ % 3);
	c->rounds += 3;
	c->bytes[lead] += 2 * half;
	c->bytes[(lead + 1) % 3] += half;
	c->bytes[(lead + 2) % 3] += half;
}

/* Bytes per 64 comparisons of w planes, opening included; bytes per level beside them. */
static uint64_t word_bytes(unsigned w) { return 8 * (3 * (uint64_t)w - 1 - (uint64_t)log2_ceil(w)); }
static uint64_t level_rounds(unsigned w) { return 2 + (uint64_t)log2_ceil(w); }

void ent_cost_sort_actual(struct ent_cost *c, size_t rows, unsigned key_planes, unsigned planes, unsigned rings, const struct ent_sort_stats *stats)
{
	unsigned ids = (unsigned)log2_ceil(rows), w = key_planes + ids;
	if (rows < 2)
		return;
	ent_cost_shuffle(c, rows, planes + ids, rings);
	c->rounds += stats->levels * level_rounds(w);
	for (int p = 0; p < 3; p++)
		c->bytes[p] += stats->words * word_bytes(w) + stats->levels * level_rounds(w) * HEAD;
}

/* Law of levels and comparisons over a uniformly random order of n > 8 rows. Comparisons: C(n) = n - 1 + 2/n sum C(k), C(m) = m(m-1)/2 for m <= 8,
 * solved exactly; sd 0.65 n (quicksort's). Levels: height of a random search tree (Devroye 1986), constants fitted to simulation for the cut at 8
 * rows. */
static double harmonic(double n) { return log(n) + 0.57721566490153286 + 1 / (2 * n) - 1 / (12 * n * n); }

static double mean_comparisons(double n)
{
	const double c9 = 8 + 2.0 / 9 * 84; /* 84 = sum of m(m-1)/2 for m <= 8 */
	return (n + 1) * (c9 / 10 + 4 * (harmonic(n + 1) - harmonic(10)) - 2 * (harmonic(n) - harmonic(9)));
}

static double mean_levels(double n) { return 4.311 * log(n) - 1.953 * log(log(n)) - 8.6 + 5.6 / log(n); }

/* Words of 64 comparisons beyond comparisons/64: half a word per level, but the first levels compare n-1, n-3, n-7 rows almost surely. */
static double part_words(size_t rows, double levels)
{
	double sum = levels / 2;
	for (unsigned l = 1; l <= 3 && rows >= 200; l++) {
		size_t pairs = rows + 1 - ((size_t)1 << l);
		sum += (double)ent_words(pairs) - (double)pairs / 64 - 0.5;
	}
	return sum;
}

void ent_cost_sort(struct ent_cost *c, size_t rows, unsigned key_planes, unsigned planes, unsigned rings)
{
	double n = (double)rows, levels = rows > 8 ? mean_levels(n) : 1, levels_sd = rows > 8 ? 2.1 : 0, comparisons_sd = rows > 8 ? 0.65 * n : 0;
	double comparisons = rows > 8 ? mean_comparisons(n) : n * (n - 1) / 2;
	unsigned ids = (unsigned)log2_ceil(rows), w = key_planes + ids;
	if (rows < 2)
		return;
	double per_word = (double)word_bytes(w), heads = (double)(level_rounds(w) * HEAD), per_round = (double)level_rounds(w);
	double words = rows > 8 ? comparisons / 64 + part_words(rows, levels) : 1;
	double bytes_sd = comparisons_sd / 64 * per_word + levels_sd * (per_word / 2 + heads);
	ent_cost_shuffle(c, rows, planes + ids, rings);
	c->rounds += (uint64_t)(levels * per_round + 0.5);
	c->rounds_var += levels_sd * per_round * levels_sd * per_round;
	for (int p = 0; p < 3; p++)
		c->bytes[p] += (uint64_t)(words * per_word + levels * heads + 0.5);
	c->bytes_var += bytes_sd * bytes_sd;
}

void ent_cost_compact(struct ent_cost *c, size_t rows, unsigned planes, unsigned rings)
{
	if (rows < 2)
		return;
	ent_cost_b2a_bits(c, rows, 1);
	ent_cost_mul(c, rows);
	ent_cost_shuffle(c, rows, planes, rings + 1);
	even(c, 4ull * rows);
}

void ent_cost_filter(struct ent_cost *c, size_t rows, unsigned planes, unsigned rings)
{
	ent_cost_shuffle(c, rows, planes + 1, rings);
	ent_cost_open_bits(c, rows, 1);
}

void ent_cost_copy_down(struct ent_cost *c, size_t rows, unsigned planes)
{
	for (unsigned d = 0; (uint64_t)1 << d < rows; d++)
		even(c, (planes + 1ull) * 8 * ent_half_words(ent_words(rows), d));
}

void ent_cost_run_or(struct ent_cost *c, size_t rows)
{
	ent_cost_and(c, rows, 1);
	ent_cost_copy_down(c, rows, 1);
}

void ent_cost_run_min(struct ent_cost *c, size_t rows, unsigned planes)
{
	for (unsigned d = 0; (uint64_t)1 << d < rows; d++) {
		size_t half = ent_half_words(ent_words(rows), d) * 64;
		ent_cost_lt(c, half, planes);
		ent_cost_and(c, half, 2);
		ent_cost_and(c, half, planes);
	}
}

void ent_cost_run_sums(struct ent_cost *c, size_t rows, unsigned planes, unsigned rings) { ent_cost_compact(c, rows, planes, rings); }
