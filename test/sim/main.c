/* Runs seeds. sim N: seeds 1 to N and a repetition; ENT_SEED=n: that one, told in full; ENT_CAMPAIGN_SECONDS=s: new seeds from ENT_SEED on for
 * that long. sim N until-failure: stops at the first one (what make mutants wants). */
#include <time.h>

#include "sim/world.h"
#include "tap.h"

static uint64_t number_of(const char *text, uint64_t otherwise)
{
	uint64_t v;
	return text && ent_parse_u64(text, strlen(text), UINT64_MAX, &v) ? v : otherwise;
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void add(struct sim_counts *sum, const struct sim_counts *c)
{
	sum->events += c->events;
	sum->queries += c->queries;
	sum->done += c->done;
	sum->failed += c->failed;
	sum->crashes += c->crashes;
	sum->entries += c->entries;
	sum->acked += c->acked;
	sum->cosigned += c->cosigned;
	sum->forged += c->forged;
}

static void print_counts(const struct sim_counts *c, uint64_t seeds, double took)
{
	printf("# %llu seeds in %.1f s (%.1f/s): %llu events, %llu crashes, %llu questions (%llu answered, %llu ended without), %llu promises, %llu "
	       "cosignatures, %llu forgeries\n",
	       (unsigned long long)seeds, took, (double)seeds / (took > 0 ? took : 1), (unsigned long long)c->events, (unsigned long long)c->crashes,
	       (unsigned long long)c->queries, (unsigned long long)c->done, (unsigned long long)c->failed, (unsigned long long)c->acked,
	       (unsigned long long)c->cosigned, (unsigned long long)c->forged);
}

static bool one_seed(uint64_t seed, bool verbose, struct sim_outcome *ret)
{
	sim_seed(seed, verbose, ret);
	if (!ret->ok)
		printf("# %s\n# again, told in full: ENT_SEED=%llu\n", ret->why, (unsigned long long)seed);
	return ret->ok;
}

static int run_many(uint64_t from, uint64_t n, double limit_s, bool stop)
{
	struct sim_counts sum = { 0 };
	struct sim_outcome first = { 0 }, o;
	double begin = seconds();
	uint64_t done = 0, bad = 0;
	for (; done < n && (limit_s <= 0 || seconds() - begin < limit_s) && !(stop && bad); done++) {
		bad += !one_seed(from + done, false, &o);
		add(&sum, &o.counts);
		if (!done)
			first = o;
	}
	print_counts(&sum, done, seconds() - begin);
	OK_INT(bad, 0, "%llu seeds from %llu on", (unsigned long long)done, (unsigned long long)from);
	sim_seed(from, false, &o);
	OK(o.trace == first.trace, "the same seed makes the same world (trace %016llx)", (unsigned long long)o.trace);
	OK(sum.done && sum.crashes && sum.cosigned && sum.forged && sum.failed, "there were answers, crashes, cosignatures, forgeries and failures");
	return tap_done();
}

int main(int argc, char **argv)
{
	const char *seed = getenv("ENT_SEED"), *limit = getenv("ENT_CAMPAIGN_SECONDS");
	struct sim_outcome o;
	if (limit)
		return run_many(number_of(seed, 1000), UINT64_MAX, (double)number_of(limit, 60), false);
	if (!seed)
		return run_many(1, argc > 1 ? number_of(argv[1], 100) : 100, 0, argc > 2);
	OK(one_seed(number_of(seed, 1), true, &o), "seed %s, trace %016llx", seed, (unsigned long long)o.trace);
	print_counts(&o.counts, 1, 0);
	return tap_done();
}
