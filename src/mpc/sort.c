/* Quicksort on opened outcomes. After the shuffle and with distinct keys the outcomes are those of a uniformly random order, so branching on them is
 * free. Rows to compare are packed key rows (both components side by side) that move with their segments, so every level reads memory in order; the
 * rows themselves move once, at the end. */
#include "mpc/sort.h"

#include "mpc/engine.h"
#include "mpc/kernel.h"
#include "mpc/lessthan.h"
#include "mpc/shuffle.h"

#define SMALL 8 /* segments of at most this many rows: all pairs */

struct segment {
	uint32_t first, rows;
};

struct sorter {
	struct key_rows keys;
	size_t rows, row_words;
	uint64_t *at[2]; /* key rows: current and next level */
	uint32_t *id[2]; /* row of the shuffled table each key row belongs to */
	uint32_t *order; /* result: order[p] = row of the shuffled table that comes p-th */
	struct segment *seg[2];
	size_t segs;
	uint32_t *left, *right; /* comparisons of the level */
	size_t pairs, pairs_max;
	uint64_t *outcome;
};

static bool small(const struct segment *s) { return s->rows <= SMALL; }

static size_t pairs_of(const struct segment *s) { return small(s) ? (size_t)s->rows * (s->rows - 1) / 2 : s->rows - 1; }

static void list_pairs(struct sorter *q)
{
	q->pairs = 0;
	for (size_t i = 0; i < q->segs; i++) {
		struct segment s = q->seg[0][i];
		uint32_t pivots = small(&s) ? s.rows : 1;
		for (uint32_t a = 0; a < pivots; a++)
			for (uint32_t b = a + 1; b < s.rows; b++) {
				q->left[q->pairs] = s.first + b;
				q->right[q->pairs++] = s.first + a;
			}
	}
}

static bool outcome_at(const struct sorter *q, size_t i) { return q->outcome[i / 64] >> (i % 64) & 1; }

/* Every pair is known: a row's place is the number of rows below it. */
static void place_small(struct sorter *q, const struct segment *s, size_t pair)
{
	uint32_t below[SMALL] = { 0 };
	for (uint32_t a = 0; a < s->rows; a++)
		for (uint32_t b = a + 1; b < s->rows; b++)
			below[outcome_at(q, pair++) ? a : b]++;
	for (uint32_t a = 0; a < s->rows; a++)
		q->order[s->first + below[a]] = q->id[0][s->first + a];
}

static void copy_key(const struct sorter *q, uint32_t from, uint32_t to)
{
	const uint64_t *a = q->at[0] + from * q->row_words;
	uint64_t *b = q->at[1] + to * q->row_words;
	if (q->row_words == 4) /* the usual width: two words of key and id */
		memcpy(b, a, 32);
	else
		memcpy(b, a, q->row_words * 8);
	q->id[1][to] = q->id[0][from];
}

static void add_segment(struct sorter *q, size_t *n, uint32_t first, uint32_t rows)
{
	if (rows == 1)
		q->order[first] = q->id[1][first];
	else if (rows)
		q->seg[1][(*n)++] = (struct segment){ first, rows };
}

/* Rows below the pivot to the front, the others behind it; both keep their order. */
static void partition(struct sorter *q, const struct segment *s, size_t pair, size_t *segs)
{
	uint32_t lower = 0;
	for (uint32_t b = 1; b < s->rows; b++)
		lower += outcome_at(q, pair + b - 1);
	uint32_t next[2] = { s->first + lower + 1, s->first };
	for (uint32_t b = 1; b < s->rows; b++) /* no branch: outcomes are coin flips to the processor */
		copy_key(q, s->first + b, next[outcome_at(q, pair + b - 1)]++);
	q->order[s->first + lower] = q->id[0][s->first];
	add_segment(q, segs, s->first, lower);
	add_segment(q, segs, s->first + lower + 1, s->rows - 1 - lower);
}

static void apply_level(struct sorter *q)
{
	size_t pair = 0, segs = 0;
	for (size_t i = 0; i < q->segs; i++) {
		const struct segment *s = &q->seg[0][i];
		if (small(s))
			place_small(q, s, pair);
		else
			partition(q, s, pair, &segs);
		pair += pairs_of(s);
	}
	q->segs = segs;
	uint64_t *t = q->at[0];
	uint32_t *u = q->id[0];
	struct segment *v = q->seg[0];
	q->at[0] = q->at[1], q->at[1] = t;
	q->id[0] = q->id[1], q->id[1] = u;
	q->seg[0] = q->seg[1], q->seg[1] = v;
}

static int sort_level(struct ent_mpc *m, struct sorter *q, struct ent_sort_stats *stats, struct ent_err *err)
{
	static const struct ent_why why = { "sort outcomes", ENT_PERMIT_RANDOM };
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits less = { 0 };
	list_pairs(q);
	q->keys.row = q->at[0];
	ENT_TRY(ent_bits_make(m, q->pairs, 1, &less, err));
	ENT_TRY(ent_keys_lt(m, &q->keys, q->left, q->right, q->pairs, &less, err));
	ENT_TRY(ent_mpc_open_bits(m, why, &less, q->outcome, err));
	stats->levels++;
	stats->comparisons += q->pairs;
	stats->words += ent_words(q->pairs);
	apply_level(q);
	return 0;
}

/* Most comparisons of one level: n rows in segments of SMALL take (SMALL-1)/2 each. */
static size_t pairs_most(size_t rows) { return rows * (SMALL - 1) / 2 + SMALL; }

static int sorter_new(struct ent_mpc *m, size_t rows, unsigned planes, struct scratch *s, struct sorter *q, struct ent_err *err)
{
	size_t pairs = pairs_most(rows), words = ent_words(rows) * 64;
	q->rows = rows;
	q->keys.planes = planes;
	q->keys.key_words = (planes + 63) / 64;
	q->row_words = 2 * (size_t)q->keys.key_words;
	size_t total = 2 * words * q->row_words + 2 * (rows / 2 + 1) + (3 * rows + 2 * pairs) / 2 + 8 + ent_words(pairs);
	ENT_TRY(ent_mpc_scratch(m, total, 8, s, err));
	uint64_t *p = s->at;
	q->at[0] = p, p += words * q->row_words;
	q->at[1] = p, p += words * q->row_words;
	q->outcome = p, p += ent_words(pairs);
	q->seg[0] = (struct segment *)p, p += rows / 2 + 1;
	q->seg[1] = (struct segment *)p, p += rows / 2 + 1;
	q->id[0] = (uint32_t *)p;
	q->id[1] = q->id[0] + rows;
	q->order = q->id[1] + rows;
	q->left = q->order + rows;
	q->right = q->left + pairs;
	return 0;
}

/* Key rows from planes: low bits the id, then the key. */
static void load_keys(const struct ent_bits *id, const struct ent_bits *key, struct sorter *q)
{
	uint64_t block[64] __attribute__((aligned(64)));
	size_t words = ent_words(q->rows);
	for (unsigned g = 0; g < q->keys.key_words; g++)
		for (int j = 0; j < 2; j++)
			for (size_t w = 0; w < words; w++) {
				for (unsigned k = 0; k < 64; k++) {
					unsigned b = 64 * g + k;
					block[k] = b < id->planes ? plane(id, j, b)[w] : b < q->keys.planes ? plane(key, j, b - id->planes)[w] : 0;
				}
				ent_mpc_kernel()->transpose(block);
				for (size_t r = 0; r < 64; r++)
					q->at[0][(w * 64 + r) * q->row_words + (size_t)j * q->keys.key_words + g] = block[r];
			}
	for (size_t r = 0; r < q->rows; r++)
		q->id[0][r] = (uint32_t)r;
}

/* Outcomes that fit no order (an altered message) must not become places out of range. */
static int check_order(struct ent_mpc *m, struct sorter *q, struct ent_err *err)
{
	uint32_t *seen = q->left;
	memset(seen, 0, q->rows * sizeof *seen);
	for (size_t p = 0; p < q->rows; p++)
		if (q->order[p] >= q->rows || seen[q->order[p]]++) {
			ent_fail(err, ENT_EPEER, "compute parties opened comparison outcomes that fit no order");
			return ent_mpc_dies(m, ENT_EPEER);
		}
	return 0;
}

static int sort_shuffled(struct ent_mpc *m, struct ent_rows *x, unsigned key_first, unsigned key_planes, unsigned ids, struct ent_sort_stats *stats,
			 struct ent_err *err)
{
	ENT_CLEANUP(ent_mpc_scratch_free) struct scratch s = { 0 };
	ENT_CLEANUP(ent_rows_deinit) struct ent_rows out = { 0 };
	struct sorter q = { 0 };
	struct ent_bits id = ent_bits_planes(&x->bits, x->bits.planes - ids, ids), key = ent_bits_planes(&x->bits, key_first, key_planes);
	ENT_TRY(sorter_new(m, x->rows, key_planes + ids, &s, &q, err));
	load_keys(&id, &key, &q);
	q.seg[0][0] = (struct segment){ 0, (uint32_t)x->rows };
	q.segs = 1;
	memset(q.order, 0xff, q.rows * sizeof *q.order);
	while (q.segs)
		ENT_TRY(sort_level(m, &q, stats, err));
	ENT_TRY(check_order(m, &q, err));
	x->bits.planes -= ids;
	ENT_TRY(ent_rows_gather(m, x, q.order, x->rows, &out, err));
	ent_rows_deinit(x);
	*x = ent_rows_take(&out);
	return 0;
}

int ent_mpc_sort(struct ent_mpc *m, struct ent_rows *x, unsigned key_first, unsigned key_planes, struct ent_sort_stats *ret_stats,
		 struct ent_err *err)
{
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits id = { 0 }, with_id = { 0 };
	struct ent_sort_stats stats = { 0 };
	unsigned ids = (unsigned)log2_ceil(x->rows);
	ENT_ASSERT(key_first <= x->bits.planes && key_planes <= x->bits.planes - key_first && x->rows < UINT32_MAX / SMALL);
	if (x->rows > 1) {
		ENT_TRY(ent_bits_index(m, x->rows, ids, &id, err));
		ENT_TRY(ent_bits_stack(m, (const struct ent_bits *[]){ &x->bits, &id }, 2, &with_id, err));
		ent_bits_deinit(&x->bits);
		x->bits = ent_bits_take(&with_id);
		ent_bits_deinit(&id);
		ENT_TRY(ent_mpc_shuffle(m, x, err));
		ENT_TRY(sort_shuffled(m, x, key_first, key_planes, ids, &stats, err));
	}
	if (ret_stats)
		*ret_stats = stats;
	return 0;
}
