/* Whole-row operators against plain C: sort, compaction, filter, segmented prefixes, sums per run. Row layout of the tests: planes 0..11 a group
 * code, 12..31 a value, 32 a flag; ring 0 an amount, ring 1 the row's number. */
#include "mpc/compare.h"
#include "mpc/input.h"
#include "mpc/open.h"
#include "mpc/shuffle.h"
#include "mpc/sort.h"
#include "tap.h"
#include "trio.h"

#define ROWS_MAX 5000
#define PLANES 33

static const struct ent_why RESULT = { "test", ENT_PERMIT_RESULT };

struct row {
	uint64_t group, value, flag, amount, number;
};

struct table {
	size_t rows;
	struct row in[ROWS_MAX];
	struct row out[3][ROWS_MAX];
	size_t out_rows[3];
	uint64_t scan[3][3][ROWS_MAX]; /* opened scan results per party */
	struct ent_sort_stats stats[3];
	uint64_t planes[PLANES * (ROWS_MAX / 64 + 1)], amounts[ROWS_MAX], numbers[ROWS_MAX];
};

static void fill(struct table *t, size_t rows, uint64_t groups, uint64_t *seed)
{
	static uint64_t words[ROWS_MAX];
	t->rows = rows;
	for (size_t r = 0; r < rows; r++) {
		t->in[r] = (struct row){ trio_next(seed) % groups, trio_next(seed) % (1u << 20), trio_next(seed) % 3 == 0, trio_next(seed), r };
		words[r] = t->in[r].group | t->in[r].value << 12 | t->in[r].flag << 32;
		t->amounts[r] = t->in[r].amount;
		t->numbers[r] = r;
	}
	ent_planes_from_words(words, rows, PLANES, t->planes);
}

static int input(struct ent_mpc *m, const struct table *t, int from, struct ent_rows *x, struct ent_err *err)
{
	struct ent_plain p = { t->rows, PLANES, 2, t->planes, { t->amounts, t->numbers } };
	return ent_mpc_input(m, from, &p, x, err);
}

static int output(struct ent_mpc *m, int p, struct table *t, const struct ent_rows *x, struct ent_err *err)
{
	static _Thread_local uint64_t planes[PLANES * (ROWS_MAX / 64 + 1)], words[ROWS_MAX], ring[2][ROWS_MAX];
	struct ent_bits mine = ent_bits_planes(&x->bits, 0, PLANES);
	ENT_TRY(ent_mpc_open_bits(m, RESULT, &mine, planes, err));
	ent_planes_to_words(planes, x->rows, PLANES, words);
	for (int k = 0; k < 2; k++)
		ENT_TRY(ent_mpc_open_ring(m, RESULT, &x->ring[k], ring[k], err));
	for (size_t r = 0; r < x->rows; r++)
		t->out[p][r] = (struct row){ words[r] & 4095, words[r] >> 12 & 0xfffff, words[r] >> 32 & 1, ring[0][r], ring[1][r] };
	t->out_rows[p] = x->rows;
	return 0;
}

static int sorts(struct ent_mpc *m, int p, void *arg, struct ent_err *err)
{
	struct table *t = arg;
	ENT_CLEANUP(ent_rows_deinit) struct ent_rows x = { 0 };
	ENT_TRY(input(m, t, 2, &x, err));
	ENT_TRY(ent_mpc_sort(m, &x, 0, 12, &t->stats[p], err));
	return output(m, p, t, &x, err);
}

static int compacts(struct ent_mpc *m, int p, void *arg, struct ent_err *err)
{
	struct table *t = arg;
	ENT_CLEANUP(ent_rows_deinit) struct ent_rows x = { 0 };
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits flag = { 0 };
	ENT_TRY(input(m, t, 0, &x, err));
	struct ent_bits f = ent_bits_planes(&x.bits, 32, 1);
	ENT_TRY(ent_bits_dup(m, &f, &flag, err));
	ENT_TRY(ent_mpc_compact(m, &x, &flag, err));
	return output(m, p, t, &x, err);
}

static int filters(struct ent_mpc *m, int p, void *arg, struct ent_err *err)
{
	struct table *t = arg;
	ENT_CLEANUP(ent_rows_deinit) struct ent_rows x = { 0 };
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits flag = { 0 };
	ENT_TRY(input(m, t, 1, &x, err));
	struct ent_bits f = ent_bits_planes(&x.bits, 32, 1);
	ENT_TRY(ent_bits_dup(m, &f, &flag, err));
	ENT_TRY(ent_mpc_filter(m, (struct ent_why){ "kept rows", ENT_PERMIT_SIZES }, &x, &flag, err));
	return output(m, p, t, &x, err);
}

static int open_scan(struct ent_mpc *m, const struct ent_bits *x, uint64_t *out, struct ent_err *err)
{
	static _Thread_local uint64_t planes[PLANES * (ROWS_MAX / 64 + 1)];
	ENT_TRY(ent_mpc_open_bits(m, RESULT, x, planes, err));
	ent_planes_to_words(planes, x->rows, x->planes, out);
	return 0;
}

/* Scans over unsorted rows: flag marks the stops. */
static int scans(struct ent_mpc *m, int p, void *arg, struct ent_err *err)
{
	struct table *t = arg;
	ENT_CLEANUP(ent_rows_deinit) struct ent_rows x = { 0 };
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits copy = { 0 };
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits low = { 0 };
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits any = { 0 };
	ENT_TRY(input(m, t, 0, &x, err));
	struct ent_bits stop = ent_bits_planes(&x.bits, 32, 1), value = ent_bits_planes(&x.bits, 12, 20), bit = ent_bits_planes(&x.bits, 0, 1);
	ENT_TRY(ent_bits_dup(m, &value, &copy, err));
	ENT_TRY(ent_bits_dup(m, &value, &low, err));
	ENT_TRY(ent_bits_dup(m, &bit, &any, err));
	ENT_TRY(ent_mpc_copy_down(m, &stop, &copy, err));
	ENT_TRY(ent_mpc_run_min(m, &stop, &low, t->rows % 2, err));
	ENT_TRY(ent_mpc_run_or(m, &stop, &any, err));
	ENT_TRY(open_scan(m, &copy, t->scan[p][0], err));
	ENT_TRY(open_scan(m, &low, t->scan[p][1], err));
	return open_scan(m, &any, t->scan[p][2], err);
}

/* GROUP BY: sort, mark last rows, sum. */
static int groups(struct ent_mpc *m, int p, void *arg, struct ent_err *err)
{
	struct table *t = arg;
	ENT_CLEANUP(ent_rows_deinit) struct ent_rows x = { 0 };
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits same = { 0 };
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits last = { 0 };
	ENT_TRY(input(m, t, 0, &x, err));
	ENT_TRY(ent_mpc_sort(m, &x, 0, 12, NULL, err));
	struct ent_bits key = ent_bits_planes(&x.bits, 0, 12);
	ENT_TRY(ent_mpc_same_as_above(m, &key, &same, err));
	ENT_TRY(ent_bits_shift_up(m, &same, false, &last, err));
	ent_bits_flip(m, &last);
	ENT_TRY(ent_mpc_run_sums(m, &x, &last, 1, err));
	return output(m, p, t, &x, err);
}

static bool same_everywhere(const struct table *t)
{
	return t->out_rows[0] == t->out_rows[1] && t->out_rows[0] == t->out_rows[2] &&
	       !memcmp(t->out[0], t->out[1], t->out_rows[0] * sizeof(struct row)) &&
	       !memcmp(t->out[0], t->out[2], t->out_rows[0] * sizeof(struct row));
}

static bool by_flag;

static int cmp(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	uint64_t kx = by_flag ? !x->flag : x->group, ky = by_flag ? !y->flag : y->group;
	if (kx != ky)
		return kx < ky ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static bool ordered_as_model(struct table *t, bool flag)
{
	by_flag = flag;
	qsort(t->in, t->rows, sizeof(struct row), cmp);
	return same_everywhere(t) && t->out_rows[0] == t->rows && !memcmp(t->in, t->out[0], t->rows * sizeof(struct row));
}

static int cmp_number(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	return x->number < y->number ? -1 : x->number > y->number;
}

static bool filtered_as_model(struct table *t)
{
	size_t n = 0;
	qsort(t->out[0], t->out_rows[0], sizeof(struct row), cmp_number);
	for (size_t r = 0; r < t->rows; r++)
		if (t->in[r].flag && (n >= t->out_rows[0] || memcmp(&t->in[r], &t->out[0][n++], sizeof(struct row))))
			return false;
	return n == t->out_rows[0] && n == t->out_rows[2];
}

static size_t scan_errors(const struct table *t)
{
	size_t bad = 0;
	uint64_t copy = 0, low = 0, any = 0;
	for (size_t r = 0; r < t->rows; r++) {
		const struct row *x = &t->in[r];
		bool stop = r == 0 || x->flag, max = t->rows % 2;
		copy = stop ? x->value : copy;
		low = stop || (max ? x->value > low : x->value < low) ? x->value : low;
		any = stop ? x->group & 1 : any | (x->group & 1);
		for (int p = 0; p < 3; p++)
			bad += (size_t)(t->scan[p][0][r] != copy) + (size_t)(t->scan[p][1][r] != low) + (size_t)(t->scan[p][2][r] != any);
	}
	return bad;
}

static bool summed_as_model(struct table *t)
{
	static uint64_t sum[4096], seen[4096];
	size_t groups = 0, g = 0;
	memset(sum, 0, sizeof sum);
	memset(seen, 0, sizeof seen);
	for (size_t r = 0; r < t->rows; r++) {
		sum[t->in[r].group] += t->in[r].amount;
		seen[t->in[r].group] = 1;
	}
	for (size_t k = 0; k < 4096; k++)
		groups += seen[k];
	for (size_t k = 0; k < 4096; k++)
		if (seen[k]) {
			if (t->out[0][g].group != k || t->out[0][g].amount != sum[k])
				return false;
			g++;
		}
	return same_everywhere(t) && g == groups;
}

int main(void)
{
	static const size_t sizes[] = { 1, 2, 3, 8, 9, 63, 65, 300, 1500, 4999 };
	static struct table t;
	static struct trio run;
	uint64_t seed = trio_seed();
	for (size_t i = 0; i < ENT_COUNT(sizes); i++) {
		uint64_t kinds = i % 3 == 0 ? 4096 : i % 3 == 1 ? 5 : 1 + sizes[i] / 4;
		fill(&t, sizes[i], kinds, &seed);
		struct {
			const char *name;
			trio_fn fn;
		} op[] = { { "filter", filters }, { "scans", scans }, { "compact", compacts }, { "sort", sorts }, { "sums", groups } };
		for (size_t k = 0; k < ENT_COUNT(op); k++) {
			run = (struct trio){ .fn = op[k].fn, .arg = &t, .options.record_prg = true };
			int rc = trio_run(&run);
			bool ok = k == 0   ? filtered_as_model(&t)
				  : k == 1 ? !scan_errors(&t)
				  : k == 2 ? ordered_as_model(&t, true)
				  : k == 3 ? ordered_as_model(&t, false)
					   : summed_as_model(&t);
			OK(!rc && ok, "%s, %zu rows, %llu groups: %s", op[k].name, t.rows, (unsigned long long)kinds, run.err[0].what);
			qsort(t.in, t.rows, sizeof(struct row), cmp_number);
		}
	}
	return tap_done();
}
