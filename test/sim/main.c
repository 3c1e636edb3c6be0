/* Runs seeds. sim N: seeds 1 to N and a repetition; ENT_SEED=n: that one, told in full; ENT_CAMPAIGN_SECONDS=s: new seeds from ENT_SEED on for
 * that long. sim N until-failure: stops at the first one (what make mutants wants). */
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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
	sum->rotated += c->rotated;
}

static void print_counts(const struct sim_counts *c, uint64_t seeds, double took)
{
	printf("# %llu seeds in %.1f s (%.1f/s): %llu events, %llu crashes, %llu questions (%llu answered, %llu ended without), %llu promises, %llu "
	       "cosignatures, %llu forgeries, %llu changes of keys\n",
	       (unsigned long long)seeds, took, (double)seeds / (took > 0 ? took : 1), (unsigned long long)c->events, (unsigned long long)c->crashes,
	       (unsigned long long)c->queries, (unsigned long long)c->done, (unsigned long long)c->failed, (unsigned long long)c->acked,
	       (unsigned long long)c->cosigned, (unsigned long long)c->forged, (unsigned long long)c->rotated);
}

static bool one_seed(uint64_t seed, bool verbose, struct sim_outcome *ret)
{
	sim_seed(seed, verbose, ret);
	if (!ret->ok)
		printf("# %s\n# again, told in full: ENT_SEED=%llu\n", ret->why, (unsigned long long)seed);
	return ret->ok;
}

/* ---- many seeds, in two processes ---- */

#define WORKERS 2

struct plan {
	uint64_t from, n;
	double end; /* by the clock of seconds(); 0: when all are done */
	bool stop;  /* at the first failure */
};

struct shared { /* with the workers */
	uint64_t current[WORKERS];
	bool failed;
};

static void work(const struct plan *p, struct shared *shared, unsigned worker, int out)
{
	struct sim_outcome o;
	for (uint64_t i = worker; i < p->n && (p->end <= 0 || seconds() < p->end) && !(p->stop && shared->failed); i += WORKERS) {
		shared->current[worker] = p->from + i;
		shared->failed = !one_seed(p->from + i, false, &o) || shared->failed;
		fflush(stdout);
		if (write(out, &o, sizeof o) != (ssize_t)sizeof o) /* less than PIPE_BUF: never torn */
			_exit(1);
	}
	_exit(0);
}

static void gather(int in, uint64_t *done, uint64_t *bad, struct sim_counts *sum)
{
	struct sim_outcome o;
	while (read(in, &o, sizeof o) == (ssize_t)sizeof o) {
		*bad += !o.ok;
		++*done;
		add(sum, &o.counts);
	}
}

static uint64_t run_workers(const struct plan *p, uint64_t *done, struct sim_counts *sum)
{
	struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[WORKERS];
	uint64_t bad = 0;
	int ends[2];
	ENT_ASSERT(shared != MAP_FAILED && !pipe(ends));
	fflush(stdout);
	for (unsigned i = 0; i < WORKERS; i++) {
		pids[i] = fork();
		ENT_ASSERT(pids[i] >= 0);
		if (!pids[i])
			work(p, shared, i, ends[1]);
	}
	close(ends[1]);
	gather(ends[0], done, &bad, sum);
	close(ends[0]);
	for (unsigned i = 0; i < WORKERS; i++) {
		int status = 0;
		if (waitpid(pids[i], &status, 0) == pids[i] && status) {
			printf("# seed %llu ended the program\n", (unsigned long long)shared->current[i]);
			bad++;
		}
	}
	munmap(shared, sizeof *shared);
	return bad;
}

static int run_many(uint64_t from, uint64_t n, double limit_s, bool stop)
{
	struct sim_counts sum = { 0 };
	struct sim_outcome first, again;
	double begin = seconds();
	struct plan p = { from, n, limit_s > 0 ? begin + limit_s : 0, stop };
	uint64_t done = 0, bad = run_workers(&p, &done, &sum);
	print_counts(&sum, done, seconds() - begin);
	OK_INT(bad, 0, "%llu seeds from %llu on", (unsigned long long)done, (unsigned long long)from);
	if (bad)
		return tap_done();
	sim_seed(from, false, &first);
	sim_seed(from, false, &again);
	OK(first.trace == again.trace, "the same seed makes the same world (trace %016llx)", (unsigned long long)again.trace);
	OK(sum.done && sum.crashes && sum.cosigned && sum.forged && sum.failed, "there were answers, crashes, cosignatures, forgeries and failures");
	return tap_done();
}

int main(int argc, char **argv)
{
	const char *seed = getenv("ENT_SEED"), *limit = getenv("ENT_CAMPAIGN_SECONDS");
	struct sim_outcome o;
	if (limit && argc < 3)
		return run_many(number_of(seed, 1000), UINT64_MAX, (double)number_of(limit, 60), false);
	if (!seed)
		return run_many(1, argc > 1 ? number_of(argv[1], 100) : 100, 0, argc > 2);
	bool good = one_seed(number_of(seed, 1), true, &o);
	OK(good, "seed %s, trace %016llx", seed, (unsigned long long)o.trace);
	print_counts(&o.counts, 1, 0);
	return tap_done();
}
