/* The three-party engine against what the machine allows: three parties in one process, over in-memory links or (--tls)
 * the job links of a node. One JSON object per line: seconds,
 * processor seconds of the three parties together (half of it is what two quiet cores would take), bytes sent by the busiest party, rounds, and the
 * ratio to the ring limit of the same run: moving the same bytes round the ring without computing.
 * usage: bench_mpc [--tls] [NAME...]   runs the named rows only */
#include <stdio.h>
#include <time.h>

#include "mpc/compare.h"
#include "mpc/convert.h"
#include "mpc/gate.h"
#include "mpc/shuffle.h"
#include "mpc/sort.h"
#include "net/tls_trio.h"
#include "trio.h"

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double cpu(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

struct work {
	const char *name;
	trio_fn fn;
	size_t rows;
	unsigned planes, rings, repeat;
	pthread_barrier_t start;
	double seconds[3], cpu[3];
	struct ent_mpc_counters used[3];
};

/* Shares that are noise cost the same as real ones. */
static int noise(struct ent_mpc *m, const struct work *w, struct ent_rows *x, struct ent_err *err)
{
	uint64_t seed = (uint64_t)ent_mpc_party(m);
	ENT_TRY(ent_rows_new(m, w->rows, w->planes, w->rings, x, err));
	for (int j = 0; j < 2; j++) {
		uint64_t s = (uint64_t)((int)seed + j) % 3 * 77;
		for (size_t i = 0; i < ent_words(w->rows) * w->planes; i++)
			x->bits.c[j][i] = trio_next(&s);
		for (unsigned k = 0; k < w->rings; k++)
			for (size_t i = 0; i < w->rows; i++)
				x->ring[k].c[j][i] = trio_next(&s);
	}
	return 0;
}

static int op_and(struct ent_mpc *m, const struct work *w, struct ent_rows *x, struct ent_err *err)
{
	(void)w;
	struct ent_bits z = { 0 };
	int rc = ent_mpc_and(m, &x->bits, &x->bits, &z, err);
	ent_bits_deinit(&z);
	return rc;
}

static int op_eq(struct ent_mpc *m, const struct work *w, struct ent_rows *x, struct ent_err *err)
{
	(void)w;
	struct ent_bits z = { 0 };
	int rc = ent_mpc_eq(m, &x->bits, &x->bits, &z, err);
	ent_bits_deinit(&z);
	return rc;
}

static int op_lt(struct ent_mpc *m, const struct work *w, struct ent_rows *x, struct ent_err *err)
{
	(void)w;
	struct ent_bits z = { 0 };
	int rc = ent_mpc_lt(m, &x->bits, &x->bits, false, &z, err);
	ent_bits_deinit(&z);
	return rc;
}

static int op_mul(struct ent_mpc *m, const struct work *w, struct ent_rows *x, struct ent_err *err)
{
	(void)w;
	struct ent_ring z = { 0 };
	int rc = ent_mpc_mul(m, &x->ring[0], &x->ring[0], &z, err);
	ent_ring_deinit(&z);
	return rc;
}

static int op_matmul(struct ent_mpc *m, const struct work *w, struct ent_rows *x, struct ent_err *err)
{
	struct ent_ring z = { 0 };
	(void)w;
	int rc = ent_mpc_matmul(m, &x->ring[0], &x->ring[0], 1000, 1000, 1000, &z, err);
	ent_ring_deinit(&z);
	return rc;
}

static int op_b2a(struct ent_mpc *m, const struct work *w, struct ent_rows *x, struct ent_err *err)
{
	(void)w;
	struct ent_ring z = { 0 };
	int rc = ent_mpc_b2a(m, &x->bits, true, &z, err);
	ent_ring_deinit(&z);
	return rc;
}

static int op_a2b(struct ent_mpc *m, const struct work *w, struct ent_rows *x, struct ent_err *err)
{
	(void)w;
	struct ent_bits z = { 0 };
	int rc = ent_mpc_a2b(m, &x->ring[0], 64, &z, err);
	ent_bits_deinit(&z);
	return rc;
}

static int op_shuffle(struct ent_mpc *m, const struct work *w, struct ent_rows *x, struct ent_err *err)
{
	(void)w;
	return ent_mpc_shuffle(m, x, err);
}

static int op_sort(struct ent_mpc *m, const struct work *w, struct ent_rows *x, struct ent_err *err)
{
	return ent_mpc_sort(m, x, 0, w->planes, NULL, err);
}

static int op_copy(struct ent_mpc *m, const struct work *w, struct ent_rows *x, struct ent_err *err)
{
	(void)w;
	struct ent_bits stop = ent_bits_planes(&x->bits, 0, 1), rest = ent_bits_planes(&x->bits, 1, x->bits.planes - 1);
	return ent_mpc_copy_down(m, &stop, &rest, err);
}

/* The heart of a join with grouping: sort by key, copy the one side down, sum per key. Planes 0..65 the key, 66 the side, the rest payload. */
static int op_join(struct ent_mpc *m, const struct work *w, struct ent_rows *x, struct ent_err *err)
{
	struct ent_bits last = { 0 };
	(void)w;
	ENT_TRY(ent_mpc_sort(m, x, 0, 66, NULL, err));
	struct ent_bits key = ent_bits_planes(&x->bits, 0, 65), side = ent_bits_planes(&x->bits, 66, 1),
			payload = ent_bits_planes(&x->bits, 67, x->bits.planes - 67);
	ENT_TRY(ent_mpc_copy_down(m, &side, &payload, err));
	ENT_TRY(ent_mpc_same_as_above(m, &key, &last, err));
	int rc = ent_mpc_run_sums(m, x, &last, 3, err);
	ent_bits_deinit(&last);
	return rc;
}

struct row {
	struct work w;
	int (*op)(struct ent_mpc *, const struct work *, struct ent_rows *, struct ent_err *);
};

static int measured(struct ent_mpc *m, int p, void *arg, struct ent_err *err)
{
	struct row *r = arg;
	ENT_CLEANUP(ent_rows_deinit) struct ent_rows x = { 0 };
	ENT_TRY(noise(m, &r->w, &x, err));
	ENT_TRY(r->op(m, &r->w, &x, err)); /* warm: memory and links at their size */
	pthread_barrier_wait(&r->w.start);
	struct ent_mpc_counters before = ent_mpc_counters(m);
	double t = now(), c = cpu();
	for (unsigned i = 0; i < r->w.repeat; i++)
		ENT_TRY(r->op(m, &r->w, &x, err));
	r->w.seconds[p] = (now() - t) / r->w.repeat;
	r->w.cpu[p] = (cpu() - c) / r->w.repeat;
	r->w.used[p] = ent_mpc_counters(m);
	r->w.used[p].bytes_sent = (r->w.used[p].bytes_sent - before.bytes_sent) / r->w.repeat;
	r->w.used[p].rounds = (r->w.used[p].rounds - before.rounds) / r->w.repeat;
	return 0;
}

/* The ring limit: bytes per second and party, all three at once, 16 KiB pieces, nothing computed. */
struct ring {
	struct ent_link *next, *prev;
	size_t pieces;
	pthread_barrier_t *start;
};

static void *ring_party(void *arg)
{
	struct ring *r = arg;
	static uint8_t zeros[16384];
	uint8_t *in = malloc(sizeof zeros);
	for (size_t round = 0; in && round < 8; round++) {
		if (round == 1)
			pthread_barrier_wait(r->start);
		for (size_t i = 0; i < r->pieces; i++)
			r->prev->ops->send(r->prev, zeros, sizeof zeros, NULL);
		for (size_t i = 0; i < r->pieces; i++)
			r->next->ops->recv(r->next, in, sizeof zeros, NULL);
	}
	free(in);
	return NULL;
}

static bool over_tls;

static int connect_ring(struct ent_link *pair[3][2])
{
	struct ent_link *l[3][3];
	int rc = 0;
	for (int p = 0; p < 3 && !over_tls && !rc; p++)
		rc = ent_memlink_pair(pair[p], 0);
	if (!over_tls || (rc = ent_tls_trio(l, NULL)))
		return rc;
	for (int p = 0; p < 3; p++) {
		pair[p][0] = l[p][(p + 1) % 3];
		pair[p][1] = l[(p + 1) % 3][p];
	}
	return 0;
}

static double ring_limit(void)
{
	struct ent_link *pair[3][2];
	struct ring r[3];
	pthread_t th[3];
	pthread_barrier_t start;
	const size_t pieces = 512;
	pthread_barrier_init(&start, NULL, 4);
	ENT_ASSERT(!connect_ring(pair));
	for (int p = 0; p < 3; p++) {
		r[p] = (struct ring){ pair[p][0], pair[(p + 2) % 3][1], pieces, &start };
		pthread_create(&th[p], NULL, ring_party, &r[p]);
	}
	pthread_barrier_wait(&start);
	double t = now();
	for (int p = 0; p < 3; p++)
		pthread_join(th[p], NULL);
	t = now() - t;
	for (int p = 0; p < 3; p++)
		for (int e = 0; e < 2; e++)
			pair[p][e]->ops->free(pair[p][e]);
	return (double)(7 * pieces * 16384) / t;
}

static void report(const struct row *r, double ring)
{
	double seconds = 0;
	uint64_t bytes = 0;
	for (int p = 0; p < 3; p++) {
		seconds = r->w.seconds[p] > seconds ? r->w.seconds[p] : seconds;
		bytes = r->w.used[p].bytes_sent > bytes ? r->w.used[p].bytes_sent : bytes;
	}
	printf("{\"name\":\"%s\",\"links\":\"%s\",\"rows\":%zu,\"bits\":%u,\"seconds\":%.4f,\"cpu_seconds\":%.4f,\"bytes_sent\":%llu,\"rounds\":%llu,"
	       "\"ring_bytes_per_"
	       "second\":%.3g,"
	       "\"ratio_to_ring\":"
	       "%.2f,\"memory_peak\":%zu}\n",
	       r->w.name, over_tls ? "tls" : "memory", r->w.rows, r->w.planes + 64 * r->w.rings, seconds, r->w.cpu[0] + r->w.cpu[1] + r->w.cpu[2],
	       (unsigned long long)bytes, (unsigned long long)r->w.used[0].rounds, ring, (double)bytes / ring / seconds, r->w.used[0].memory_peak);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static struct row rows[] = {
		{ { .name = "and", .rows = 1 << 20, .planes = 64, .repeat = 10 }, op_and },
		{ { .name = "mul", .rows = 1 << 20, .rings = 1, .repeat = 10 }, op_mul },
		{ { .name = "eq64", .rows = 1 << 20, .planes = 64, .repeat = 5 }, op_eq },
		{ { .name = "lt64", .rows = 1 << 20, .planes = 64, .repeat = 3 }, op_lt },
		{ { .name = "b2a64", .rows = 1 << 20, .planes = 64, .repeat = 2 }, op_b2a },
		{ { .name = "a2b64", .rows = 1 << 20, .rings = 1, .repeat = 2 }, op_a2b },
		{ { .name = "shuffle", .rows = 1 << 20, .planes = 64, .repeat = 3 }, op_shuffle },
		{ { .name = "copydown", .rows = 1 << 20, .planes = 33, .repeat = 3 }, op_copy },
		{ { .name = "sort1e5", .rows = 100000, .planes = 64, .repeat = 2 }, op_sort },
		{ { .name = "sort2e20", .rows = 1 << 20, .planes = 64, .repeat = 1 }, op_sort },
		{ { .name = "join", .rows = 400000, .planes = 110, .rings = 2, .repeat = 1 }, op_join },
		{ { .name = "matmul", .rows = 1000000, .rings = 1, .repeat = 1 }, op_matmul },
	};
	over_tls = argc > 1 && !strcmp(argv[1], "--tls");
	argc -= over_tls;
	argv += over_tls;
	double ring = ring_limit();
	for (size_t i = 0; i < ENT_COUNT(rows); i++) {
		bool wanted = argc < 2;
		for (int a = 1; a < argc; a++)
			wanted = wanted || !strcmp(argv[a], rows[i].w.name);
		if (!wanted)
			continue;
		static struct trio t;
		t = (struct trio){ .fn = measured, .arg = &rows[i], .options.memory_max_bytes = (size_t)2 << 30 };
		pthread_barrier_init(&rows[i].w.start, NULL, 3);
		struct ent_link *pair[3][2];
		int rc = connect_ring(pair);
		rc = rc ? rc : trio_run_links(&t, pair);
		if (rc) {
			fprintf(stderr, "%s: %s\n", rows[i].w.name, t.err[0].what);
			return 1;
		}
		report(&rows[i], ring);
	}
	return 0;
}
