/* What the wire shows. Message lengths and counts depend on public sizes only; a sort's also on the order of its keys, after a fresh shuffle, so that
 * its mean tells nothing about the data; and every payload that is not an opening looks like noise, whatever the data. */
#include <math.h>

#include "mpc/cost.h"
#include "mpc_script.h"
#include "tap.h"

static bool same_lengths(const struct trio *a, const struct trio *b)
{
	for (int p = 0; p < 3; p++) {
		if (a->counters[p].rounds != b->counters[p].rounds)
			return false;
		for (int i = 0; i < 2; i++)
			if (a->log[p][i].sends != b->log[p][i].sends ||
			    (a->log[p][i].sends && memcmp(a->log[p][i].lens, b->log[p][i].lens, a->log[p][i].sends * sizeof(size_t))))
				return false;
	}
	return true;
}

static int run(struct trio *t, struct script_data *d, enum script_step step, uint64_t seed)
{
	d->step = step;
	*t = (struct trio){ .fn = script_run, .arg = d, .record = true, .random_seed = seed };
	return trio_run(t);
}

/* Every step on two tables that differ in every value; the filter opens how many rows it keeps and is excepted, the sort gets equal rank vectors. */
static void lengths(uint64_t seed)
{
	static struct script_data a, b;
	static struct trio ta, tb;
	for (int step = 0; step < STEP_COUNT; step++) {
		bool sorted = step == STEP_SORT;
		script_fill(&a, sorted ? 3 : 0, seed);
		script_fill(&b, sorted ? 5 : 2, seed + 1);
		int rc = run(&ta, &a, (enum script_step)step, 11) | run(&tb, &b, (enum script_step)step, sorted ? 11 : 12);
		OK(!rc && same_lengths(&ta, &tb), "%s: the same messages for other data", script_names[step]);
		trio_free(&ta);
		trio_free(&tb);
	}
}

/* The sort's traffic for ascending, descending, constant and random keys: each mean over RUNS shuffles is the predicted one. Chernoff's bound on
 * quicksort's law gives a false alarm beyond 8 sd less than 1e-10 (with other seeds than the usual ones). */
#define RUNS 200
static void sort_means(uint64_t seed)
{
	static const struct {
		int kind;
		const char *name;
	} kinds[] = { { 3, "ascending" }, { 4, "descending" }, { 0, "constant" }, { 2, "random" } };
	static struct script_data d;
	static struct trio t;
	struct ent_cost c = { 0 };
	ent_cost_input(&c, 0, SCRIPT_ROWS, SCRIPT_PLANES, 2);
	ent_cost_sort(&c, SCRIPT_ROWS, 12, SCRIPT_PLANES, 2);
	for (size_t k = 0; k < ENT_COUNT(kinds); k++) {
		double sum = 0, sd = sqrt(c.bytes_var / RUNS);
		int rc = 0;
		script_fill(&d, kinds[k].kind, seed);
		d.step = STEP_SORT;
		for (int i = 0; i < RUNS && !rc; i++) {
			t = (struct trio){ .fn = script_run, .arg = &d };
			rc = trio_run(&t);
			sum += (double)t.counters[1].bytes_sent - (double)c.bytes[1];
		}
		OK(!rc && fabs(sum / RUNS) < 8 * sd, "sort, %s keys: mean traffic as predicted (off by %.2f of 8 sd)", kinds[k].name,
		   sum / RUNS / sd);
	}
}

/* Byte counts of all payloads of one party; headers are skipped. */
static void count_bytes(const struct trio_log *l, uint64_t count[256])
{
	for (size_t at = 0; at + 8 <= l->sent_len;) {
		uint32_t len = (uint32_t)l->sent[at + 4] | (uint32_t)l->sent[at + 5] << 8 | (uint32_t)l->sent[at + 6] << 16 |
			       (uint32_t)l->sent[at + 7] << 24;
		at += 8;
		for (uint32_t i = 0; i < len && at < l->sent_len; i++)
			count[l->sent[at++]]++;
	}
}

static double chi_square(const struct trio *t)
{
	uint64_t count[256] = { 0 }, n = 0;
	double chi = 0;
	for (int p = 0; p < 3; p++)
		for (int i = 0; i < 2; i++)
			count_bytes(&t->log[p][i], count);
	for (int v = 0; v < 256; v++)
		n += count[v];
	for (int v = 0; v < 256; v++) {
		double d = (double)count[v] - (double)n / 256;
		chi += d * d / ((double)n / 256);
	}
	return chi;
}

/* 255 degrees of freedom: mean 255, sd 22.6; beyond 450 lies 6e-13. Openings are clear by purpose: steps with one are left out. */
static void uniformity(void)
{
	static struct script_data d;
	static struct trio t;
	for (int step = 0; step < STEP_FILTER; step++)
		for (int kind = 0; kind < 2 && step != STEP_COMPACT; kind++) {
			script_fill(&d, kind, 0);
			int rc = run(&t, &d, (enum script_step)step, 0);
			double chi = chi_square(&t);
			OK(!rc && chi < 450, "%s on %s: what travels is noise (chi square %.0f)", script_names[step], kind ? "ones" : "zeros", chi);
			trio_free(&t);
		}
}

int main(void)
{
	uint64_t seed = trio_seed();
	lengths(seed);
	sort_means(seed);
	uniformity();
	return tap_done();
}
