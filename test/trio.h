/* Three parties in one process: three threads over in-memory links, each runs the same function. Links can be recorded. */
#ifndef ENT_TEST_TRIO_H
#define ENT_TEST_TRIO_H
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "crypto/hash.h"
#include "mpc/mpc.h"
#include "os/memlink.h"
#include "os/system.h"

struct trio;
typedef int (*trio_fn)(struct ent_mpc *m, int party, void *arg, struct ent_err *err);

/* A link that writes down what it sends and receives, and passes it on. */
struct trio_log {
	struct ent_link link;
	struct ent_link *inner;
	uint8_t *sent, *got;
	size_t sent_len, got_len, sends;
	size_t *lens; /* length of each send */
	bool on;
};

struct trio {
	struct ent_mpc_options options; /* party, links and random are filled in */
	uint64_t random_seed;           /* 0 = another one for each run of this program, the same ones every time (ENT_SEED: others) */
	bool record;
	trio_fn fn;
	void *arg;
	/* results */
	int rc[3];
	struct ent_err err[3];
	struct ent_mpc_counters counters[3];
	struct trio_log log[3][2]; /* [party][0 = prev, 1 = next] */
	struct ent_mpc_opening openings[3][4096];
	size_t openings_count[3];
};

struct trio_random {
	struct ent_random vt;
	uint64_t seed, at;
};

ENT_UNUSED static int trio_random_fill(struct ent_random *r, void *buf, size_t len, struct ent_err *err)
{
	struct trio_random *t = (struct trio_random *)r;
	uint8_t hash[32], *out = buf;
	(void)err;
	for (size_t i = 0; i < len; i++) {
		if (i % 32 == 0) {
			uint64_t in[2] = { t->seed, t->at++ };
			ent_sha256(in, sizeof in, hash);
		}
		out[i] = hash[i % 32];
	}
	return 0;
}

ENT_UNUSED static int trio_log_send(struct ent_link *l, const void *data, size_t len, struct ent_err *err)
{
	struct trio_log *t = (struct trio_log *)l;
	if (t->on) {
		t->sent = realloc(t->sent, t->sent_len + len + 1);
		memcpy(t->sent + t->sent_len, data, len);
		t->sent_len += len;
		t->lens = realloc(t->lens, (t->sends + 1) * sizeof *t->lens);
		t->lens[t->sends++] = len;
	}
	return t->inner->ops->send(t->inner, data, len, err);
}

ENT_UNUSED static int trio_log_recv(struct ent_link *l, void *data, size_t len, struct ent_err *err)
{
	struct trio_log *t = (struct trio_log *)l;
	int rc = t->inner->ops->recv(t->inner, data, len, err);
	if (t->on && !rc) {
		t->got = realloc(t->got, t->got_len + len + 1);
		memcpy(t->got + t->got_len, data, len);
		t->got_len += len;
	}
	return rc;
}

ENT_UNUSED static void trio_log_cancel(struct ent_link *l)
{
	struct trio_log *t = (struct trio_log *)l;
	t->inner->ops->cancel(t->inner);
}

ENT_UNUSED static void trio_log_free(struct ent_link *l) { (void)l; }

struct trio_seat {
	struct trio *t;
	int party;
	uint64_t random_seed;
	struct ent_link *link[2];
};

ENT_UNUSED static void *trio_party(void *arg)
{
	static const struct ent_link_ops ops = { trio_log_send, trio_log_recv, trio_log_cancel, trio_log_free };
	struct trio_seat *s = arg;
	struct trio *t = s->t;
	int p = s->party;
	struct ent_mpc_options o = t->options;
	struct trio_random seeded = { { trio_random_fill }, s->random_seed * 3 + (uint64_t)p, 0 };
	struct ent_mpc *m = NULL;
	o.party = p;
	o.random = &seeded.vt;
	for (int i = 0; i < 2; i++) {
		t->log[p][i] = (struct trio_log){ .link = { .ops = &ops }, .inner = s->link[i] };
		*(i ? &o.next : &o.prev) = t->record ? &t->log[p][i].link : s->link[i];
	}
	o.job = o.job ? o.job : "job";
	o.trio = o.trio ? o.trio : "a,b,c";
	t->err[p] = (struct ent_err)ENT_ERR_INIT;
	t->rc[p] = ent_mpc_new(&o, &m, &t->err[p]);
	t->log[p][0].on = t->log[p][1].on = t->record;
	if (!t->rc[p]) {
		t->rc[p] = t->fn(m, p, t->arg, &t->err[p]);
		t->counters[p] = ent_mpc_counters(m);
		const struct ent_mpc_opening *op = ent_mpc_openings(m, &t->openings_count[p]);
		for (size_t i = 0; i < t->openings_count[p] && i < 4096; i++)
			t->openings[p][i] = op[i];
		ent_mpc_free(m);
	}
	if (t->rc[p]) /* the others must not wait for ever */
		for (int i = 0; i < 2; i++)
			s->link[i]->ops->cancel(s->link[i]);
	return NULL;
}

/* ENT_SEED, else always the same: what a check says must not depend on luck. */
ENT_UNUSED static uint64_t trio_env_seed(void)
{
	const char *s = getenv("ENT_SEED");
	return s ? strtoull(s, NULL, 10) : 20261121;
}

/* Runs fn at the three parties over these links and frees them; 0 when all succeed. Pair p: party p (end 0, its next) and p+1 (end 1, its prev). */
ENT_UNUSED static int trio_run_links(struct trio *t, struct ent_link *pair[3][2])
{
	static uint64_t runs;
	struct trio_seat seat[3];
	pthread_t th[3];
	uint64_t seed = t->random_seed ? t->random_seed : trio_env_seed() * 1000003 + ++runs;
	for (int p = 0; p < 3; p++) {
		seat[p] = (struct trio_seat){ t, p, seed, { pair[(p + 2) % 3][1], pair[p][0] } };
		pthread_create(&th[p], NULL, trio_party, &seat[p]);
	}
	for (int p = 0; p < 3; p++)
		pthread_join(th[p], NULL);
	for (int p = 0; p < 3; p++)
		for (int e = 0; e < 2; e++)
			pair[p][e]->ops->free(pair[p][e]);
	for (int p = 0; p < 3; p++)
		if (t->rc[p])
			return t->rc[p];
	return 0;
}

/* The same over in-memory links. faults may be NULL; else faults[p] applies to what party p sends, to each neighbour by itself. */
ENT_UNUSED static int trio_run_faulty(struct trio *t, const struct ent_memlink_faults *faults)
{
	struct ent_link *pair[3][2];
	for (int p = 0; p < 3; p++) {
		if (ent_memlink_pair(pair[p], 0))
			return ENT_ENOMEM;
		for (int e = 0; e < 2; e++)
			ent_memlink_timeout(pair[p][e], faults ? 300 : 60000);
	}
	for (int p = 0; faults && p < 3; p++) {
		ent_memlink_faults(pair[p][0], &faults[p]);
		ent_memlink_faults(pair[(p + 2) % 3][1], &faults[p]);
	}
	return trio_run_links(t, pair);
}

ENT_UNUSED static int trio_run(struct trio *t) { return trio_run_faulty(t, NULL); }

ENT_UNUSED static void trio_free(struct trio *t)
{
	for (int p = 0; p < 3; p++)
		for (int i = 0; i < 2; i++) {
			free(t->log[p][i].sent);
			free(t->log[p][i].got);
			free(t->log[p][i].lens);
		}
}

/* A small generator for test data: splitmix64. */
ENT_UNUSED static uint64_t trio_next(uint64_t *s)
{
	uint64_t z = (*s += 0x9e3779b97f4a7c15ull);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* The seed of a random test, printed so that a failure can be repeated. */
ENT_UNUSED static uint64_t trio_seed(void)
{
	uint64_t seed = trio_env_seed();
	printf("# ENT_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}
#endif
