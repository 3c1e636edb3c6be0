/* Worker threads of `serve`. A thread owns its inputs (copied or lent by the node until ended) and talks to the node only by posting; the two
 * hooks that need an answer (open, output) wait for it. */
#include "cli/runner.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "arrow/write.h"
#include "cli/lazy_link.h"
#include "cli/mover.h"
#include "crypto/hash.h"
#include "joint/joint.h"
#include "move/feed.h"
#include "policy/policy.h"

#define LINK_TIMEOUT_MS 10000
#define LINKS_MAX 64
#define RESULT_BYTES_MAX ((size_t)1 << 30)

struct thread_runner {
	struct ent_runner face;
	struct ent_thread_runner_options o;
	struct ent_sources *sources;
	struct ent_pool *pool;
	struct ent_mover *mover;
	pthread_mutex_t lock;
	unsigned threads; /* at work */
	struct run_task *run;
};

static struct thread_runner *runner_of(struct ent_runner *r) { return (struct thread_runner *)(void *)r; }

static void thread_begins(struct thread_runner *r)
{
	pthread_mutex_lock(&r->lock);
	r->threads++;
	pthread_mutex_unlock(&r->lock);
}

static void thread_ends(struct thread_runner *r)
{
	pthread_mutex_lock(&r->lock);
	r->threads--;
	pthread_mutex_unlock(&r->lock);
}

static int spawn(struct thread_runner *r, void *(*fn)(void *), void *arg, struct ent_err *err)
{
	pthread_t thread;
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, (size_t)16 << 20);
	thread_begins(r);
	int failed = pthread_create(&thread, &attr, fn, arg);
	pthread_attr_destroy(&attr);
	if (!failed)
		return 0;
	thread_ends(r);
	return ent_fail(err, ENT_ENOMEM, "no thread could be started");
}

/* ---- probing ---- */

struct probe_task {
	struct thread_runner *runner;
	struct ent_arena *arena;
	struct ent_probe *probe;
	struct ent_probe_answer answer;
	struct ent_err err;
};

static void probe_free(struct probe_task *t)
{
	ent_probe_answer_deinit(&t->answer);
	ent_arena_free(t->arena);
	free(t);
}

static void probe_tell(void *arg)
{
	struct probe_task *t = arg;
	struct ent_node *node = *t->runner->o.node;
	if (node)
		ent_node_probed(node, t->probe->id, t->err.code ? NULL : &t->answer.facts, t->err.code ? &t->err : NULL);
	probe_free(t);
}

static void *probe_main(void *arg)
{
	struct probe_task *t = arg;
	struct thread_runner *r = t->runner;
	(void)ent_sources_probe(r->sources, t->probe, &t->answer, &t->err);
	if (ent_queue_post(r->o.queue, probe_tell, t))
		probe_free(t);
	thread_ends(r);
	return NULL;
}

static int runner_probe(struct ent_runner *face, const struct ent_probe *probe, struct ent_err *err)
{
	struct probe_task *t = ent_alloc(1, sizeof *t);
	if (!t)
		return ent_nomem(err);
	*t = (struct probe_task){ .runner = runner_of(face), .arena = ent_arena_new(4 << 20), .err = ENT_ERR_INIT };
	t->probe = t->arena ? ent_probe_copy(t->arena, probe) : NULL;
	int r = t->probe ? spawn(t->runner, probe_main, t, err) : ent_nomem(err);
	if (r)
		probe_free(t);
	return r;
}

/* ---- one attempt of one job ---- */

struct run_link {
	char org[ENT_ORG_MAX + 1], name[16];
	struct ent_link *link;
};

struct run_task {
	struct thread_runner *runner;
	const struct ent_run_spec *spec;
	char job[17];
	uint32_t attempt;
	atomic_bool cancelled;
	pthread_mutex_t lock; /* links, against cancel */
	struct run_link links[LINKS_MAX];
	size_t n_links;
	struct ent_local *local;
	struct ent_joint_result result;
	struct ent_buf rows;
	uint64_t n_rows;
	json_t *stats;
	struct ent_err err;
};

static bool run_cancelled(void *self) { return atomic_load(&((struct run_task *)self)->cancelled); }

static int run_random(struct run_task *t, void *out, size_t len, struct ent_err *err)
{
	return t->runner->o.random->fill(t->runner->o.random, out, len, err);
}

static int run_link(void *self, const char *org, const char *name, struct ent_link **ret, struct ent_err *err)
{
	struct run_task *t = self;
	struct ent_mesh *mesh = t->runner->o.mesh;
	char full[120], bound[17];
	for (size_t i = 0; i < t->n_links; i++)
		if (!strcmp(t->links[i].org, org) && !strcmp(t->links[i].name, name)) {
			*ret = t->links[i].link;
			return 0;
		}
	if (t->n_links == LINKS_MAX)
		return ent_fail(err, ENT_EINTERNAL, "a job needs more than %d links", LINKS_MAX);
	ent_hex(bound, t->spec->run_sha256, 8);
	snprintf(full, sizeof full, "%s/%u/%s/%s", t->job, t->attempt, bound, name);
	struct ent_link *link = NULL;
	ENT_TRY(ent_lazy_link_new(mesh, org, full, LINK_TIMEOUT_MS, &link, err));
	pthread_mutex_lock(&t->lock);
	struct run_link *l = &t->links[t->n_links++];
	snprintf(l->org, sizeof l->org, "%s", org);
	snprintf(l->name, sizeof l->name, "%s", name);
	l->link = link;
	if (run_cancelled(t))
		link->ops->cancel(link);
	pthread_mutex_unlock(&t->lock);
	*ret = link;
	return 0;
}

static const struct ent_run_table *own_table(const struct run_task *t, const struct ent_table *table)
{
	for (size_t i = 0; i < t->spec->n_tables; i++)
		if (!strcmp(t->spec->tables[i].table->name, table->name))
			return &t->spec->tables[i];
	return NULL;
}

static int run_source(void *self, const struct ent_table *const *tables, size_t n, struct ent_joint_source *ret, struct ent_err *err)
{
	struct run_task *t = self;
	const struct ent_run_table *own[64];
	if (n > ENT_COUNT(own))
		return ent_fail(err, ENT_EUNSUPPORTED, "more than %zu tables of one owner", ENT_COUNT(own));
	for (size_t i = 0; i < n; i++) {
		own[i] = own_table(t, tables[i]);
		if (!own[i])
			return ent_fail(err, ENT_EINTERNAL, "table %s is not ours", tables[i]->name);
	}
	ent_local_end(t->local);
	t->local = NULL;
	return ent_local_begin(t->runner->sources, own, n, &t->local, &ret->dialect, &ret->relations, err);
}

static int run_local(void *self, const struct ent_table *const *tables, size_t n_tables, const char *sql, const struct ent_param *params,
		     size_t n_params, struct ArrowArrayStream *ret, struct ent_err *err)
{
	struct run_task *t = self;
	(void)tables;
	(void)n_tables;
	ENT_ASSERT(t->local);
	return ent_local_query(t->local, sql, params, n_params, ret, err);
}

/* A question to the node that the run waits for. */
struct hook {
	struct run_task *task;
	enum { HOOK_OPEN, HOOK_OUTPUT, HOOK_GUARD } kind;
	const uint8_t *salt, *commitment;
	struct ent_bytes public_json, shares;
	pthread_mutex_t lock;
	pthread_cond_t answered;
	bool done;
	int code;
	struct ent_err *err;
};

static int ask_node(struct hook *h)
{
	struct run_task *t = h->task;
	struct ent_node *node = *t->runner->o.node;
	if (!node)
		return ent_fail(h->err, ENT_ECANCELLED, "the node is stopping");
	if (h->kind == HOOK_GUARD)
		return ent_node_run_guard(node, t->job, t->attempt, h->public_json, h->shares, h->err);
	if (h->kind == HOOK_OUTPUT)
		return ent_node_run_before_output(node, t->job, t->attempt, "output", h->salt, h->commitment, h->err);
	return ent_node_run_before_open(node, t->job, t->attempt, NULL, h->err);
}

static void hook_run(void *arg)
{
	struct hook *h = arg;
	int code = ask_node(h);
	pthread_mutex_lock(&h->lock);
	h->code = code;
	h->done = true;
	pthread_cond_signal(&h->answered);
	pthread_mutex_unlock(&h->lock);
}

static int hook_ask(struct run_task *t, struct hook h, struct ent_err *err)
{
	h.task = t;
	h.err = err;
	h.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	h.answered = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	if (ent_queue_post(t->runner->o.queue, hook_run, &h))
		return ent_fail(err, ENT_ECANCELLED, "the node is stopping");
	pthread_mutex_lock(&h.lock);
	while (!h.done)
		pthread_cond_wait(&h.answered, &h.lock);
	pthread_mutex_unlock(&h.lock);
	return h.code;
}

static int run_before_open(void *self, struct ent_err *err) { return hook_ask(self, (struct hook){ .kind = HOOK_OPEN }, err); }

static int run_keep_guard(void *self, struct ent_bytes public_json, struct ent_bytes shares, struct ent_err *err)
{
	return hook_ask(self, (struct hook){ .kind = HOOK_GUARD, .public_json = public_json, .shares = shares }, err);
}

static int run_before_output(void *self, struct ent_bytes component, struct ent_err *err)
{
	struct run_task *t = self;
	uint8_t salt[32], sha[32];
	ENT_TRY(run_random(t, salt, sizeof salt, err));
	struct ent_bytes pieces[] = { ent_bytes(salt, sizeof salt), component };
	ent_sha256v(pieces, 2, sha);
	return hook_ask(t, (struct hook){ .kind = HOOK_OUTPUT, .salt = salt, .commitment = sha }, err);
}

struct progress_note {
	struct run_task *task;
	char job[17];
	uint32_t attempt;
	struct thread_runner *runner;
	uint64_t done, total;
	char phase[80];
};

static void progress_tell(void *arg)
{
	struct progress_note *p = arg;
	struct ent_node *node = *p->runner->o.node;
	struct ent_run_progress progress = { p->done, p->total, p->phase };
	if (node)
		ent_node_run_progress(node, p->job, p->attempt, &progress);
	free(p);
}

static void run_progress(void *self, uint64_t done, uint64_t total, const char *text)
{
	struct run_task *t = self;
	struct progress_note *p = ent_alloc(1, sizeof *p);
	if (!p)
		return;
	*p = (struct progress_note){ .runner = t->runner, .attempt = t->attempt, .done = done, .total = total };
	memcpy(p->job, t->job, sizeof p->job);
	snprintf(p->phase, sizeof p->phase, "%s", text ? text : "");
	if (ent_queue_post(t->runner->o.queue, progress_tell, p))
		free(p);
}

/* ---- the result ---- */

/* Rows on their way into a store keep their types. */
static int write_frames(struct run_task *t, struct ent_err *err)
{
	ENT_BATCH_AUTO batch = { 0 };
	ENT_TRY(ent_feed_put_schema(&t->result.schema, &t->rows, err));
	if (t->result.batch.release) {
		ENT_TRY(ent_batch_open_copy(&t->result.schema, &t->result.batch, &batch, err));
		ENT_TRY(ent_feed_put_batch(&batch, &t->rows, err));
		t->n_rows = batch.rows;
	}
	ent_feed_put_end(t->n_rows, &t->rows);
	return ent_buf_check(&t->rows, err);
}

static int write_rows(struct run_task *t, struct ent_err *err)
{
	if (!strcmp(t->spec->format, "frames"))
		return write_frames(t, err);
	enum ent_result_format format = ENT_RESULT_CSV;
	struct ent_result_style style = { .colour = t->spec->color };
	struct ent_writer *w = NULL;
	if (!ent_result_format_by_name(t->spec->format, &format))
		return ent_fail(err, ENT_EUSAGE, "the format %s is not known", t->spec->format), ent_next(err, "table, csv, json or arrow");
	int r = ent_writer_new(format, &t->result.schema, ent_out_buf(&t->rows), &style, &w, err);
	if (!r && t->result.batch.release)
		r = ent_writer_batch(w, &t->result.batch, err);
	if (!r)
		r = ent_writer_end(w, err);
	ent_writer_free(w);
	if (r)
		return r;
	t->n_rows = t->result.batch.release ? (uint64_t)t->result.batch.length : 0;
	return ent_buf_check(&t->rows, err);
}

static void put_stats(struct run_task *t)
{
	const struct ent_joint_stats *s = &t->result.stats;
	t->stats = json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "rounds", (json_int_t)s->rounds, "bytes_sent", (json_int_t)s->bytes_sent,
			     "rounds_predicted", (json_int_t)s->rounds_predicted, "bytes_predicted", (json_int_t)s->bytes_predicted, "bytes_mean",
			     (json_int_t)s->bytes_mean, "bytes_sd", (json_int_t)s->bytes_sd, "groups_released", (json_int_t)s->groups_released);
}

static int run_joint(struct run_task *t, struct ent_err *err)
{
	const struct ent_run_spec *spec = t->spec;
	struct ent_joint_env env = { .self = t,
				     .org = spec->self,
				     .attempt = spec->attempt,
				     .pool = t->runner->pool,
				     .memory_max = t->runner->o.memory_bytes,
				     .link = run_link,
				     .random = t->runner->o.random,
				     .source = run_source,
				     .local = run_local,
				     .before_open = run_before_open,
				     .before_output = run_before_output,
				     .keep_guard = run_keep_guard,
				     .progress = run_progress,
				     .cancelled = run_cancelled,
				     .guard = spec->guard,
				     .n_guard = spec->n_guard };
	(void)ent_unhex(env.job_id, sizeof env.job_id, spec->job, 16);
	ENT_TRY(ent_joint_run(spec->plan, &env, &t->result, err));
	put_stats(t);
	return t->result.has_rows ? write_rows(t, err) : 0;
}

static void run_free(struct run_task *t)
{
	ent_joint_result_deinit(&t->result);
	ent_buf_deinit(&t->rows);
	json_decref(t->stats);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static void run_tell(void *arg)
{
	struct run_task *t = arg;
	struct thread_runner *r = t->runner;
	struct ent_node *node = *r->o.node;
	struct ent_run_result result = { .rows = ent_buf_bytes(&t->rows), .has_rows = t->result.has_rows, .n_rows = t->n_rows, .stats = t->stats };
	if (node)
		ent_node_run_ended(node, t->job, t->attempt, &result, t->err.code ? &t->err : NULL);
	run_free(t);
}

static void run_close(struct run_task *t)
{
	struct thread_runner *r = t->runner;
	pthread_mutex_lock(&r->lock);
	if (r->run == t)
		r->run = NULL;
	pthread_mutex_unlock(&r->lock);
	ent_local_end(t->local);
	t->local = NULL;
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->n_links; i++)
		t->links[i].link->ops->free(t->links[i].link);
	t->n_links = 0;
	pthread_mutex_unlock(&t->lock);
}

static void *run_main(void *arg)
{
	struct run_task *t = arg;
	struct thread_runner *r = t->runner;
	int code = run_joint(t, &t->err);
	if (code && !t->err.code)
		t->err.code = code;
	run_close(t);
	if (ent_queue_post(r->o.queue, run_tell, t))
		run_free(t);
	thread_ends(r);
	return NULL;
}

static int runner_start(struct ent_runner *face, const struct ent_run_spec *spec, struct ent_err *err)
{
	struct thread_runner *r = runner_of(face);
	struct run_task *t = ent_alloc(1, sizeof *t);
	if (!t)
		return ent_nomem(err);
	*t = (struct run_task){ .runner = r,
				.spec = spec,
				.attempt = spec->attempt,
				.lock = PTHREAD_MUTEX_INITIALIZER,
				.rows = ENT_BUF(RESULT_BYTES_MAX),
				.err = ENT_ERR_INIT };
	snprintf(t->job, sizeof t->job, "%s", spec->job);
	ent_sources_cancel(r->sources, false);
	pthread_mutex_lock(&r->lock);
	bool busy = r->run != NULL;
	if (!busy)
		r->run = t;
	pthread_mutex_unlock(&r->lock);
	int code = busy ? ent_fail(err, ENT_EAGAIN, "another job still runs here") : spawn(r, run_main, t, err);
	if (!code)
		return 0;
	if (!busy)
		run_close(t);
	run_free(t);
	return code;
}

static void cancel_locked(struct thread_runner *r, const char *job, uint32_t attempt)
{
	struct run_task *t = r->run;
	if (!t || (job && (strcmp(t->job, job) != 0 || t->attempt != attempt)))
		return;
	atomic_store(&t->cancelled, true);
	ent_sources_cancel(r->sources, true);
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->n_links; i++)
		t->links[i].link->ops->cancel(t->links[i].link);
	pthread_mutex_unlock(&t->lock);
}

static void runner_cancel(struct ent_runner *face, const char *job, uint32_t attempt)
{
	struct thread_runner *r = runner_of(face);
	pthread_mutex_lock(&r->lock);
	cancel_locked(r, job, attempt);
	pthread_mutex_unlock(&r->lock);
}

static int runner_move(struct ent_runner *face, const struct ent_move_spec *spec, struct ent_err *err)
{
	return ent_mover_start(runner_of(face)->mover, spec, err);
}

static void runner_move_cancel(struct ent_runner *face, const char *id) { ent_mover_cancel(runner_of(face)->mover, id); }

static const struct ent_runner_ops runner_ops = { runner_probe, runner_start, runner_cancel, runner_move, runner_move_cancel };

int ent_thread_runner_new(const struct ent_thread_runner_options *options, struct ent_runner **ret, struct ent_err *err)
{
	struct thread_runner *r = ent_alloc(1, sizeof *r);
	if (!r)
		return ent_nomem(err);
	*r = (struct thread_runner){ .face = { &runner_ops }, .o = *options, .lock = PTHREAD_MUTEX_INITIALIZER };
	int code = ent_sources_new(options->home, options->source_timeout_ms, options->memory_bytes, options->log, &r->sources, err);
	if (!code)
		code = ent_workers_new(options->threads, &r->pool, err);
	struct ent_mover_options moves = { .mesh = options->mesh,
					   .queue = options->queue,
					   .node = options->node,
					   .home = options->home,
					   .log = options->log,
					   .memory_bytes = options->memory_bytes,
					   .source_timeout_ms = options->source_timeout_ms };
	if (!code)
		code = ent_mover_new(&moves, &r->mover, err);
	if (code) {
		ent_thread_runner_free(&r->face);
		return code;
	}
	*ret = &r->face;
	return 0;
}

bool ent_thread_runner_stop(struct ent_runner *face)
{
	struct thread_runner *r = runner_of(face);
	pthread_mutex_lock(&r->lock);
	cancel_locked(r, NULL, 0);
	ent_sources_cancel(r->sources, true);
	bool idle = r->threads == 0;
	pthread_mutex_unlock(&r->lock);
	ent_mover_cancel(r->mover, NULL);
	return idle && ent_mover_idle(r->mover);
}

void ent_thread_runner_free(struct ent_runner *face)
{
	struct thread_runner *r = runner_of(face);
	if (!face)
		return;
	ent_sources_free(r->sources);
	ent_mover_free(r->mover);
	if (r->pool)
		ent_workers_free(r->pool);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
