/* Owners and receivers outside the trio, openings on record, and what happens when something goes wrong on the way. */
#include "mpc/gate.h"
#include "mpc/input.h"
#include "mpc/open.h"
#include "tap.h"
#include "trio.h"

#define ROWS 3000
#define PLANES 21
#define WORDS (PLANES * ((ROWS + 63) / 64))

static const struct ent_why RESULT = { "the rows", ENT_PERMIT_RESULT };

struct visit {
	struct ent_link *to_owner[3], *to_receiver[3];
	uint8_t nonce[16], expected[16];
	size_t rows_claimed;
	uint64_t bits[WORDS], ring[ROWS];
	uint64_t got_bits[WORDS], got_ring[ROWS];
	int opening_rc;
	int opening_calls;
	bool break_link; /* party 2 gets another difference than party 1 */
};

static int opening(void *arg, const struct ent_mpc_opening *o, struct ent_err *err)
{
	struct visit *v = arg;
	__atomic_add_fetch(&v->opening_calls, 1, __ATOMIC_SEQ_CST);
	return v->opening_rc ? ent_fail(err, v->opening_rc, "opening %s refused", o->what) : 0;
}

static int through(struct ent_mpc *m, int p, void *arg, struct ent_err *err)
{
	struct visit *v = arg;
	ENT_CLEANUP(ent_rows_deinit) struct ent_rows x = { 0 };
	struct ent_plain shape = { .rows = v->rows_claimed, .planes = PLANES, .rings = 1 };
	ENT_TRY(ent_mpc_input_outside(m, v->to_owner[p], v->expected, &shape, &x, err));
	return ent_mpc_open_rows_outside(m, RESULT, v->to_receiver[p], &x, err);
}

struct outing {
	struct visit *v;
	struct trio *t;
	struct ent_link *owner[3], *receiver[3];
	int receive_rc;
	struct ent_err err;
};

static void *run_trio(void *arg)
{
	struct outing *o = arg;
	trio_run(o->t);
	for (int p = 0; p < 3; p++) {
		if (o->t->rc[p])
			o->v->to_receiver[p]->ops->cancel(o->v->to_receiver[p]);
	}
	return NULL;
}

/* Owner and receiver live on this thread, the trio beside it. Returns the receiver's code. */
static int visit(struct visit *v, struct trio *t)
{
	struct outing o = { .v = v, .t = t, .err = ENT_ERR_INIT };
	struct ent_link *pair[2];
	struct ent_plain rows = { ROWS, PLANES, 1, v->bits, { v->ring } };
	uint64_t *ring[1] = { v->got_ring };
	pthread_t th;
	for (int p = 0; p < 6; p++) {
		ent_memlink_pair(pair, 0);
		*(p < 3 ? &o.owner[p] : &o.receiver[p - 3]) = pair[0];
		*(p < 3 ? &v->to_owner[p] : &v->to_receiver[p - 3]) = pair[1];
	}
	if (v->break_link)
		ent_memlink_faults(o.owner[2], &(struct ent_memlink_faults){ UINT64_MAX, UINT64_MAX, UINT64_MAX, 5000, 0 });
	int rc = ent_outside_send(o.owner, ent_system_random(), v->nonce, &rows, &o.err);
	pthread_create(&th, NULL, run_trio, &o);
	if (!rc)
		rc = ent_outside_receive(o.receiver, ROWS, PLANES, 1, v->got_bits, ring, &o.err);
	pthread_join(th, NULL);
	for (int p = 0; p < 3; p++) {
		o.owner[p]->ops->free(o.owner[p]);
		v->to_owner[p]->ops->free(v->to_owner[p]);
		o.receiver[p]->ops->free(o.receiver[p]);
		v->to_receiver[p]->ops->free(v->to_receiver[p]);
	}
	return rc;
}

static void fill(struct visit *v, uint64_t *seed)
{
	*v = (struct visit){ .rows_claimed = ROWS };
	uint64_t words[ROWS];
	for (size_t r = 0; r < ROWS; r++) {
		words[r] = trio_next(seed);
		v->ring[r] = trio_next(seed);
	}
	ent_planes_from_words(words, ROWS, PLANES, v->bits);
	for (int i = 0; i < 16; i++)
		v->nonce[i] = v->expected[i] = (uint8_t)trio_next(seed);
}

static int one_and(struct ent_mpc *m, int p, void *arg, struct ent_err *err)
{
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits x = { 0 };
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits y = { 0 };
	uint64_t out[64];
	(void)arg;
	(void)p;
	ENT_TRY(ent_bits_new(m, 64, 64, &x, err));
	ENT_TRY(ent_mpc_and(m, &x, &x, &y, err));
	return ent_mpc_open_bits(m, (struct ent_why){ "and", ENT_PERMIT_FIXED }, &y, out, err);
}

static void faults(void)
{
	static struct trio t;
	for (int kind = 0; kind < 3; kind++) {
		struct ent_memlink_faults f[3] = { ENT_MEMLINK_SOUND, ENT_MEMLINK_SOUND, ENT_MEMLINK_SOUND };
		f[1].die_at = kind == 0 ? 100 : UINT64_MAX;
		f[1].truncate_at = kind == 1 ? 100 : UINT64_MAX;
		f[1].flip_at = kind == 2 ? 97 : UINT64_MAX; /* header of the opening */
		t = (struct trio){ .fn = one_and };
		int rc = trio_run_faulty(&t, f);
		OK(rc == ENT_EPEER || rc == ENT_ECANCELLED, "%s ends the job (%d)",
		   kind == 0   ? "a dying link"
		   : kind == 1 ? "a lost byte"
			       : "a flipped header",
		   rc);
	}
	t = (struct trio){ .fn = one_and };
	OK(!trio_run(&t), "a sound link does not");
	OK_INT(t.openings_count[0], 1, "one opening on record");
	OK_STR(t.openings[2][0].what, "and", "under its name");
	OK_INT(t.openings[1][0].bits, 4096, "with its bits");
	t = (struct trio){ .fn = one_and, .options.memory_max_bytes = 1000 };
	OK_INT(trio_run(&t), ENT_ENOMEM, "the memory cap holds");
	t = (struct trio){ .fn = one_and, .options = { .attempt = 7 } };
	OK(!trio_run(&t), "another attempt works as well");
}

static int wrong_job(struct ent_mpc *m, int p, void *arg, struct ent_err *err)
{
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits x = { 0 };
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits y = { 0 };
	(void)arg;
	ENT_TRY(ent_bits_new(m, 64, p == 1 ? 3 : 2, &x, err)); /* party 1 follows another plan */
	return ent_mpc_and(m, &x, &x, &y, err);
}

int main(void)
{
	static struct visit v;
	static struct trio t;
	uint64_t seed = trio_seed();
	fill(&v, &seed);
	t = (struct trio){ .fn = through, .arg = &v, .options = { .opening = opening, .arg = &v, .record_prg = true } };
	int rc = visit(&v, &t);
	OK(!rc && !t.rc[0] && !t.rc[1] && !t.rc[2], "rows in and out: %s %s", t.err[0].what, t.err[1].what);
	OK(!memcmp(v.ring, v.got_ring, sizeof v.ring) && !memcmp(v.bits, v.got_bits, sizeof v.bits), "and they are the same");
	OK_INT(v.opening_calls, 3, "each party was asked once");
	fill(&v, &seed);
	v.expected[3] ^= 1;
	t = (struct trio){ .fn = through, .arg = &v };
	rc = visit(&v, &t);
	OK(rc && (t.rc[0] == ENT_EPEER || t.rc[1] == ENT_EPEER), "an old nonce is refused: %s", t.err[0].why);
	fill(&v, &seed);
	v.rows_claimed = ROWS - 1;
	t = (struct trio){ .fn = through, .arg = &v };
	rc = visit(&v, &t);
	OK(rc && t.rc[0] == ENT_EPEER, "another shape is refused: %s", t.err[0].why);
	fill(&v, &seed);
	v.break_link = true;
	t = (struct trio){ .fn = through, .arg = &v };
	rc = visit(&v, &t);
	OK(rc && (t.rc[1] == ENT_EPEER || t.rc[2] == ENT_EPEER), "different shares are found: %s", t.err[2].why);
	fill(&v, &seed);
	v.opening_rc = ENT_EDENIED;
	t = (struct trio){ .fn = through, .arg = &v, .options = { .opening = opening, .arg = &v } };
	rc = visit(&v, &t);
	OK(rc && t.rc[0] == ENT_EDENIED, "the hook can stop an opening: %s", t.err[0].what);
	t = (struct trio){ .fn = wrong_job };
	OK_INT(trio_run(&t) != 0, 1, "parties on different plans stop: %s", t.err[0].why);
	faults();
	return tap_done();
}
