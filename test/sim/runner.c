/* A model of the runner: it never computes, but it calls the hooks in the order a real one does, waits for the others where a real one
 * would, and answers with the rows that are true. It may fail, hang, come late to its end, or speak twice. */
#include "sim/world.h"

#include "crypto/hash.h"

#define LINK_MS 10000 /* both ends of a link must be there by then */

enum fault { FINE, FAILS, HANGS, LATE, TWICE };
enum stage { LOCAL, OPEN, OUTPUT, FINISH };

struct sim_run {
	struct sim_run *next;
	struct sim_node *node;
	uint64_t id, life;
	const struct ent_run_spec *spec; /* until it is over */
	char job[17], requester[ENT_ORG_MAX + 1];
	uint32_t attempt;
	enum fault fault;
	enum stage stage;
	unsigned steps;
	unsigned parties, computing; /* bit per node */
	bool cancelled, over, ok, opened, sent;
	uint64_t began, lost_at; /* when it first missed another one; 0: not yet */
};

static struct sim_run *find(struct sim_world *w, uint64_t id)
{
	for (struct sim_run *r = w->runs; r; r = r->next)
		if (r->id == id)
			return r;
	return NULL;
}

static struct sim_run *of(struct sim_world *w, const struct sim_run *like, int node)
{
	for (struct sim_run *r = w->runs; r; r = r->next)
		if (r->node->index == node && r->attempt == like->attempt && !strcmp(r->job, like->job))
			return r;
	return NULL;
}

/* ---- probing ---- */

static void probed(struct sim_world *w, struct sim_event *e)
{
	struct ent_probe_facts facts;
	struct ent_err err = ENT_ERR_INIT;
	if (e->b == 1) {
		ent_fail(&err, ENT_EIO, "the source does not answer");
		ent_node_probed(w->nodes[e->node].node, e->a, NULL, &err);
		return;
	}
	sim_tables_facts(w, e->node, &facts);
	ent_node_probed(w->nodes[e->node].node, e->a, &facts, NULL);
	if (e->b == 2)
		ent_node_probed(w->nodes[e->node].node, e->a, &facts, NULL);
}

static int probe(struct ent_runner *r, const struct ent_probe *p, struct ent_err *err)
{
	struct sim_node *s = ((struct sim_face *)(void *)r)->node;
	(void)err;
	if (sim_dead(s))
		return 0;
	struct sim_event *e = sim_at_node(s, 20 + sim_draw(s->w, 400), "probed", probed);
	e->a = p->id;
	e->b = s->w->quiet ? 0 : sim_draw(s->w, 12);
	return 0;
}

/* ---- ending ---- */

static void end_well(struct sim_run *r)
{
	struct sim_world *w = r->node->w;
	struct ent_run_result result = { 0 };
	r->over = r->ok = true;
	if (!strcmp(r->requester, r->node->org)) {
		const struct sim_job *j = sim_job_get(w, r->job);
		result.has_rows = true;
		result.rows = ent_bytes_str(j->rows);
		result.n_rows = 1;
	}
	ent_node_run_ended(r->node->node, r->job, r->attempt, &result, NULL);
}

static void end_badly(struct sim_run *r, const struct ent_err *err)
{
	r->over = true;
	ent_node_run_ended(r->node->node, r->job, r->attempt, NULL, err);
}

/* A second end, with other rows, and hooks of an attempt that never was: nobody may listen. */
static void again(struct sim_world *w, struct sim_event *e)
{
	const struct sim_run *r = find(w, e->a);
	struct ent_run_result result = { .has_rows = true, .rows = ent_bytes_str("wrong\n"), .n_rows = 1 };
	struct ent_err err = ENT_ERR_INIT;
	uint8_t zero[32] = { 0 };
	if (!r)
		return;
	ent_node_run_ended(r->node->node, r->job, r->attempt, &result, NULL);
	if (!ent_node_run_before_open(r->node->node, r->job, r->attempt + 7, NULL, &err) ||
	    !ent_node_run_before_output(r->node->node, r->job, r->attempt + 7, "rows", zero, zero, &err))
		sim_fail(w, "%s let an attempt of job %s open that never started", r->node->org, r->job);
}

/* ---- one step after the other ---- */

static void step(struct sim_world *w, struct sim_event *e);

static void later(struct sim_run *r, uint64_t delay) { sim_at_node(r->node, delay, "run", step)->a = r->id; }

/* Have all of them come as far as that? */
static bool all(struct sim_world *w, const struct sim_run *r, unsigned who, bool (*far)(const struct sim_run *))
{
	for (int i = 0; i < w->n; i++) {
		const struct sim_run *o = who & 1u << i ? of(w, r, i) : NULL;
		if (who & 1u << i && (!o || !far(o)))
			return false;
	}
	return true;
}

static bool started(const struct sim_run *r) { return r != NULL; }
static bool has_opened(const struct sim_run *r) { return r->opened; }
static bool has_sent(const struct sim_run *r) { return r->sent; }

/* A link of the computation is dead: some other one ended without success, or cannot be reached. */
static bool misses_one(struct sim_world *w, struct sim_run *r)
{
	bool miss = false;
	for (int i = 0; i < w->n; i++) {
		const struct sim_run *o = of(w, r, i);
		if (!(r->parties & 1u << i) || i == r->node->index)
			continue;
		miss = miss || (o && o->over && !o->ok) || !sim_reachable(w, r->node->index, i);
	}
	if (!miss)
		r->lost_at = 0;
	else if (!r->lost_at)
		r->lost_at = w->now;
	return miss && w->now - r->lost_at > 500;
}

static int step_open(struct sim_run *r, struct ent_err *err)
{
	struct sim_node *s = r->node;
	if (!(r->computing & 1u << s->index))
		return 0;
	ENT_TRY(ent_node_run_before_open(s->node, r->job, r->attempt, NULL, err));
	/* nobody's output leaves before all have kept what later questions are compared with */
	ENT_TRY(ent_node_run_guard(s->node, r->job, r->attempt, ent_bytes_str("{}"), ent_bytes_str("shares"), err));
	if (!sim_dead(s)) {
		sim_promise(s, -1, ENT_ENTRY_OPEN, r->job, r->attempt, "");
		r->opened = true;
	}
	return 0;
}

static int step_output(struct sim_run *r, struct ent_err *err)
{
	struct sim_node *s = r->node;
	uint8_t salt[32], commitment[32];
	if (!(r->computing & 1u << s->index))
		return 0;
	s->random.random.fill(&s->random.random, salt, sizeof salt, NULL);
	ent_sha256(salt, sizeof salt, commitment);
	ENT_TRY(ent_node_run_before_output(s->node, r->job, r->attempt, "rows", salt, commitment, err));
	if (!sim_dead(s)) {
		sim_promise(s, -1, ENT_ENTRY_OUTPUT, r->job, 0, "");
		r->sent = true;
	}
	return 0;
}

static void advance(struct sim_world *w, struct sim_run *r)
{
	struct ent_err err = ENT_ERR_INIT;
	int code = 0;
	if (r->stage == LOCAL) {
		struct ent_run_progress p = { ++r->steps < 4 ? r->steps : 4, 4, "local part" };
		ent_node_run_progress(r->node->node, r->job, r->attempt, &p);
		if (r->steps >= 3 && all(w, r, r->parties, started))
			r->stage = OPEN;
	} else if (r->stage == OPEN) {
		code = step_open(r, &err);
		r->stage = OUTPUT;
	} else if (r->stage == OUTPUT && all(w, r, r->computing, has_opened)) {
		code = step_output(r, &err);
		r->stage = FINISH;
	} else if (r->stage == FINISH && all(w, r, r->computing, has_sent)) {
		if (r->fault == TWICE)
			sim_at_node(r->node, 50 + sim_draw(w, 3000), "again", again)->a = r->id;
		end_well(r);
		return;
	}
	if (code)
		end_badly(r, &err);
	else
		later(r, 50 + sim_draw(w, 600));
}

static void step(struct sim_world *w, struct sim_event *e)
{
	struct sim_run *r = find(w, e->a);
	struct ent_err err = ENT_ERR_INIT;
	if (!r || r->over || r->cancelled || (r->fault == HANGS && r->steps >= 2))
		return;
	if (r->fault == FAILS && r->steps >= 2) {
		sim_job_get(w, r->job)->excused = true;
		ent_fail(&err, sim_chance(w, 50) ? ENT_EDATA : ENT_EPEER, "the model was told to fail");
		end_badly(r, &err);
	} else if (misses_one(w, r) || (r->stage == LOCAL && w->now - r->began > LINK_MS)) {
		ent_fail(&err, ENT_EPEER, "a link of the computation is not there");
		end_badly(r, &err);
	} else {
		advance(w, r);
	}
}

static void cancelled_end(struct sim_world *w, struct sim_event *e)
{
	struct sim_run *r = find(w, e->a);
	struct ent_err err = ENT_ERR_INIT;
	ent_fail(&err, ENT_ECANCELLED, "cancelled");
	if (r && !r->over)
		end_badly(r, &err);
}

/* ---- the face ---- */

static unsigned bits(struct sim_world *w, const char *const *names, size_t n)
{
	unsigned set = 0;
	for (size_t i = 0; i < n; i++) {
		const struct sim_node *s = sim_by_org(w, names[i]);
		set |= s ? 1u << s->index : 0;
	}
	return set;
}

/* Without three parties the owner answers alone. */
static unsigned computing(struct sim_world *w, const struct ent_run_spec *spec)
{
	if (spec->n_trio)
		return bits(w, spec->trio, spec->n_trio);
	unsigned others = 0;
	for (size_t i = 0; i < spec->n_participants; i++)
		if (spec->n_participants == 1 || strcmp(spec->participants[i], spec->requester) != 0)
			others |= bits(w, &spec->participants[i], 1);
	return others;
}

static enum fault draw_fault(struct sim_world *w)
{
	uint64_t d = w->quiet ? 99 : sim_draw(w, 100);
	return d < 4 ? FAILS : d < 7 ? HANGS : d < 10 ? LATE : d < 20 ? TWICE : FINE;
}

static int start(struct ent_runner *face, const struct ent_run_spec *spec, struct ent_err *err)
{
	struct sim_node *s = ((struct sim_face *)(void *)face)->node;
	struct sim_world *w = s->w;
	(void)err;
	if (sim_dead(s))
		return 0;
	sim_saw_start(s, spec);
	struct sim_run *r = calloc(1, sizeof *r);
	ENT_ASSERT(r);
	*r = (struct sim_run){
		.next = w->runs, .node = s, .id = ++w->next_call, .life = s->life, .spec = spec, .attempt = spec->attempt, .began = w->now
	};
	snprintf(r->job, sizeof r->job, "%s", spec->job);
	snprintf(r->requester, sizeof r->requester, "%s", spec->requester);
	r->fault = draw_fault(w);
	r->parties = bits(w, spec->participants, spec->n_participants);
	r->computing = computing(w, spec);
	w->runs = r;
	sim_say(w, "%s: runs job %s attempt %u%s", s->org, r->job, r->attempt, r->fault ? ", with a fault" : "");
	later(r, 20 + sim_draw(w, 500));
	return 0;
}

static void cancel(struct ent_runner *face, const char *job, uint32_t attempt)
{
	struct sim_node *s = ((struct sim_face *)(void *)face)->node;
	for (struct sim_run *r = s->w->runs; r; r = r->next) {
		if (r->node != s || r->life != s->life || r->over || r->cancelled || r->attempt != attempt || strcmp(r->job, job) != 0)
			continue;
		r->cancelled = true;
		uint64_t delay = r->fault == LATE ? 12000 + sim_draw(s->w, 8000) : 5 + sim_draw(s->w, 300);
		sim_at_node(s, delay, "cancelled", cancelled_end)->a = r->id;
	}
}

const struct ent_runner_ops sim_runner_ops = { probe, start, cancel };

void sim_runs_end(struct sim_node *s)
{
	for (struct sim_run *r = s->w->runs; r; r = r->next)
		if (r->node == s && !r->over)
			r->over = true;
}

void sim_runs_free(struct sim_world *w)
{
	while (w->runs) {
		struct sim_run *r = w->runs;
		w->runs = r->next;
		free(r);
	}
}
