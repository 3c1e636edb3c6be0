#include "cli/mover.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "cli/source_open.h"
#include "move/feed.h"
#include "move/prepare.h"
#include "move/replicate.h"

#define ENDS_MAX 9
#define LINK_TIMEOUT_MS 15000
#define TASK_BYTES ((size_t)8 << 20)

struct ent_mover {
	struct ent_mover_options o;
	pthread_mutex_t lock;
	struct task *tasks;
	unsigned threads;
};

struct end_self {
	struct task *task;
	struct ent_source_spec spec;
};

struct task {
	struct task *next;
	struct ent_mover *mover;
	struct ent_arena *arena;
	char id[20], kind[16];
	json_t *args, *result;
	struct end_self selves[ENDS_MAX];
	struct ent_move_end ends[ENDS_MAX];
	size_t n_ends;
	char peer[ENT_ORG_MAX + 1], link_name[120];
	pthread_mutex_t lock; /* link, against cancel */
	struct ent_link *link;
	struct ent_buf rows; /* a result as frames, and how far it was read */
	size_t rows_at;
	struct ent_sources *sources;
	atomic_bool cancelled;
	struct ent_err err;
};

static void task_free(struct task *t)
{
	if (t->link)
		t->link->ops->free(t->link);
	ent_buf_deinit(&t->rows);
	pthread_mutex_destroy(&t->lock);
	ent_sources_free(t->sources);
	json_decref(t->args);
	json_decref(t->result);
	ent_arena_free(t->arena);
	free(t);
}

/* ---- what src/move asks of us ---- */

static int open_end(void *self, const struct ent_option *more, size_t n_more, struct ent_move_session *ret, struct ent_err *err)
{
	struct end_self *e = self;
	struct ent_source_spec spec = e->spec;
	struct ent_opened opened = { 0 };
	struct ent_option_text *options = ent_alloc(spec.n_options + n_more + 1, sizeof *options);
	if (!options)
		return ent_nomem(err);
	for (size_t i = 0; i < spec.n_options; i++)
		options[i] = spec.options[i];
	for (size_t i = 0; i < n_more; i++)
		options[spec.n_options + i] = (struct ent_option_text){ more[i].key, more[i].value };
	spec.options = options;
	spec.n_options += n_more;
	int r = ent_source_open(e->task->sources, &spec, &opened, err);
	free(options);
	if (r)
		return r;
	*ret = (struct ent_move_session){ opened.connector, opened.source };
	return 0;
}

/* ---- rows that come from a member or from a result ---- */

static int open_link(struct task *t, struct ent_err *err)
{
	struct ent_link *link = NULL;
	if (!t->mover->o.mesh)
		return ent_fail(err, ENT_ENONODE, "no node runs in this home");
	ENT_TRY(t->mover->o.mesh->ops->job_link(t->mover->o.mesh, t->peer, t->link_name, LINK_TIMEOUT_MS, &link, err));
	pthread_mutex_lock(&t->lock);
	t->link = link;
	if (atomic_load(&t->cancelled))
		link->ops->cancel(link);
	pthread_mutex_unlock(&t->lock);
	return 0;
}

static int read_link(void *self, void *data, size_t len, struct ent_err *err)
{
	struct task *t = self;
	return t->link->ops->recv(t->link, data, len, err);
}

static int write_link(void *self, struct ent_bytes bytes, struct ent_err *err)
{
	struct task *t = self;
	return t->link->ops->send(t->link, bytes.data, bytes.len, err);
}

static int read_memory(void *self, void *data, size_t len, struct ent_err *err)
{
	struct task *t = self;
	if (len > t->rows.len - t->rows_at)
		return ent_fail(err, ENT_EDATA, "the result ends early");
	memcpy(data, t->rows.data + t->rows_at, len);
	t->rows_at += len;
	return 0;
}

static int open_fed(void *self, const struct ent_option *more, size_t n_more, struct ent_move_session *ret, struct ent_err *err)
{
	struct task *t = ((struct end_self *)self)->task;
	struct ent_feed_from feed = { t, t->peer[0] ? read_link : read_memory };
	(void)more;
	if (n_more || t->link || t->rows_at)
		return ent_fail(err, ENT_EUNSUPPORTED, "rows on their way can be read once");
	if (t->peer[0])
		ENT_TRY(open_link(t, err));
	return ent_feed_source_open(&feed, ret, err);
}

static bool is_cancelled(void *self) { return atomic_load(&((struct task *)self)->cancelled); }

struct note {
	struct ent_mover *mover;
	char id[20], phase[24];
	struct ent_move_note progress;
	json_t *report; /* NULL: progress */
};

static void note_tell(void *arg)
{
	struct note *e = arg;
	struct ent_node *node = *e->mover->o.node;
	e->progress.phase = e->phase;
	if (node && e->report)
		ent_node_move_report(node, e->id, e->report);
	else if (node)
		ent_node_move_progress(node, e->id, &e->progress);
	json_decref(e->report);
	free(e);
}

static void post_note(struct task *t, const struct ent_move_progress *p, const json_t *report)
{
	struct note *e = ent_alloc(1, sizeof *e);
	if (!e)
		return;
	*e = (struct note){ .mover = t->mover, .report = report ? json_deep_copy(report) : NULL };
	memcpy(e->id, t->id, sizeof e->id);
	if (p) {
		snprintf(e->phase, sizeof e->phase, "%s", p->phase);
		e->progress = (struct ent_move_note){ NULL, p->rows, p->bytes, p->splits_done, p->splits, p->rows_total };
	}
	if (ent_queue_post(t->mover->o.queue, note_tell, e)) {
		json_decref(e->report);
		free(e);
	}
}

static void on_progress(void *self, const struct ent_move_progress *p) { post_note(self, p, NULL); }
static void on_report(void *self, const json_t *report) { post_note(self, NULL, report); }

/* A question to the node that the move waits for. */
struct question {
	struct task *task;
	const char *name;    /* may the copy be committed? */
	const json_t *batch; /* or: a batch of a stream is durable */
	pthread_mutex_t lock;
	pthread_cond_t answered;
	bool done;
	int code;
	struct ent_err *err;
};

static void question_run(void *arg)
{
	struct question *q = arg;
	struct ent_node *node = *q->task->mover->o.node;
	int code = !node      ? ent_fail(q->err, ENT_ECANCELLED, "the node is stopping")
		   : q->batch ? ent_node_move_batch(node, q->task->id, q->batch, q->err)
			      : ent_node_move_decide(node, q->task->id, q->name, q->err);
	pthread_mutex_lock(&q->lock);
	q->code = code;
	q->done = true;
	pthread_cond_signal(&q->answered);
	pthread_mutex_unlock(&q->lock);
}

static int asked(struct task *t, const char *name, const json_t *batch, struct ent_err *err)
{
	struct question q = {
		.task = t, .name = name, .batch = batch, .lock = PTHREAD_MUTEX_INITIALIZER, .answered = PTHREAD_COND_INITIALIZER, .err = err
	};
	if (ent_queue_post(q.task->mover->o.queue, question_run, &q))
		return ent_fail(err, ENT_ECANCELLED, "the node is stopping");
	pthread_mutex_lock(&q.lock);
	while (!q.done)
		pthread_cond_wait(&q.answered, &q.lock);
	pthread_mutex_unlock(&q.lock);
	return q.code;
}

static int on_decide(void *self, const char *name, struct ent_err *err) { return asked(self, name, NULL, err); }

/* ---- the kinds ---- */

static const char **texts(struct task *t, const char *key, size_t *ret_n)
{
	const json_t *list = json_object_get(t->args, key);
	size_t n = json_array_size(list);
	const char **out = (const char **)ent_arena_get(t->arena, n + 1, sizeof *out);
	for (size_t i = 0; out && i < n; i++) {
		const char *s = json_string_value(json_array_get(list, i));
		out[i] = s ? s : "";
	}
	*ret_n = out ? n : 0;
	return out && n ? out : NULL;
}

static const char *text(const struct task *t, const char *key)
{
	const char *s = json_string_value(json_object_get(t->args, key));
	return s && *s ? s : NULL;
}

static uint64_t number(const struct task *t, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(t->args, key));
	return v > 0 ? (uint64_t)v : 0;
}

static bool flag(const struct task *t, const char *key) { return json_is_true(json_object_get(t->args, key)); }

static int run_copy(struct task *t, const struct ent_move_env *env, struct ent_err *err)
{
	struct ent_move_result result = { .rows = 0 };
	struct ent_move_copy c = { .source = t->ends[0],
				   .targets = t->ends + 1,
				   .n_targets = t->n_ends - 1,
				   .where = text(t, "where"),
				   .dry_run = flag(t, "dry_run"),
				   .restart = flag(t, "restart"),
				   .no_wire = flag(t, "no_wire"),
				   .owner = text(t, "owner"),
				   .parallel = (unsigned)number(t, "parallel"),
				   .rows_per_split = number(t, "rows_per_split") };
	c.columns = texts(t, "columns", &c.n_columns);
	c.keys = texts(t, "keys", &c.n_keys);
	c.allow_lossy = texts(t, "allow_lossy", &c.n_allow_lossy);
	if (text(t, "mode") && !ent_move_mode_by_name(text(t, "mode"), &c.mode))
		return ent_fail(err, ENT_EUSAGE, "no mode \"%.20s\"", text(t, "mode")), ent_next(err, "create, append, replace, upsert"), ENT_EUSAGE;
	int r = ent_move_copy(&c, env, &result, err);
	t->result = json_pack("{s:s,s:I,s:I,s:I,s:I,s:b,s:s}", "job", result.job, "rows", (json_int_t)result.rows, "bytes", (json_int_t)result.bytes,
			      "splits", (json_int_t)result.splits, "splits_before", (json_int_t)result.splits_before, "wire", result.wire, "digest",
			      result.digest);
	return r;
}

static int run_prepare(struct task *t, const struct ent_move_env *env, struct ent_err *err)
{
	const char *rules = text(t, "rules");
	struct ent_rules parsed;
	struct ent_move_prepared done = { .rows_in = 0 };
	struct ent_move_prepare p = { .source = t->ends[0],
				      .target = t->ends[1],
				      .rules = &parsed,
				      .where = text(t, "where"),
				      .samples = (unsigned)number(t, "samples"),
				      .dry_run = flag(t, "dry_run"),
				      .engine = ent_sources_engine(t->sources),
				      .host = ent_sources_host(t->sources) };
	if (t->n_ends != 2)
		return ent_fail(err, ENT_EUSAGE, "a preparation has one target");
	ENT_TRY(ent_rules_parse(ent_bytes_str(rules ? rules : ""), t->arena, &parsed, err));
	p.columns = texts(t, "columns", &p.n_columns);
	p.allow_lossy = texts(t, "allow_lossy", &p.n_allow_lossy);
	p.samples = p.samples > ENT_PREPARE_SAMPLES_MAX ? ENT_PREPARE_SAMPLES_MAX : p.samples;
	if (text(t, "mode") && !ent_move_mode_by_name(text(t, "mode"), &p.mode))
		return ent_fail(err, ENT_EUSAGE, "no mode \"%.20s\"", text(t, "mode")), ent_next(err, "create, append, replace"), ENT_EUSAGE;
	int r = ent_move_prepare(&p, env, &done, err);
	t->result = json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:s,s:s,s:o*}", "job", done.copy.job, "rules", parsed.hash, "rows",
			      (json_int_t)done.copy.rows, "rows_in", (json_int_t)done.rows_in, "rows_out", (json_int_t)done.rows_out, "bytes",
			      (json_int_t)done.copy.bytes, "digest", done.copy.digest, "digest_in", done.digest_in, "report", done.report);
	return r;
}

static int run_compare(struct task *t, const struct ent_move_env *env, struct ent_err *err)
{
	struct ent_move_difference d = { .equal = false };
	struct ent_move_compare c = { .a = t->ends[0],
				      .b = t->ends[1],
				      .where_a = text(t, "where"),
				      .where_b = text(t, "where_target"),
				      .limit = (unsigned)number(t, "limit"),
				      .no_checksum = flag(t, "no_checksum") };
	c.columns = texts(t, "columns", &c.n_columns);
	c.keys = texts(t, "keys", &c.n_keys);
	ENT_TRY(ent_move_compare(&c, env, &d, err));
	t->result = json_pack("{s:b,s:b,s:I,s:I,s:s,s:s,s:o}", "equal", d.equal, "in_stores", d.in_stores, "rows_a", (json_int_t)d.rows_a, "rows_b",
			      (json_int_t)d.rows_b, "digest_a", d.digest_a, "digest_b", d.digest_b, "details", d.details);
	return t->result ? 0 : ent_nomem(err);
}

/* Our rows go to a member, who was granted these columns. */
static int run_serve(struct task *t, struct ent_err *err)
{
	struct ent_move_session s = { 0 };
	struct ent_read what = { .size = sizeof what, .object = t->ends[0].object };
	uint64_t rows = 0;
	what.columns = texts(t, "columns", &what.n_columns);
	if (!what.columns)
		return ent_fail(err, ENT_EINTERNAL, "no columns to send");
	ENT_TRY(open_link(t, err));
	int r = t->ends[0].open(t->ends[0].self, NULL, 0, &s, err);
	if (!r && !s.connector->read)
		r = ent_fail(err, ENT_EUNSUPPORTED, "the module %s cannot read for copies", s.connector->name);
	if (r) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf frame = ENT_BUF(400);
		ent_feed_put_failure("it could not be opened; its owner's log says why", &frame);
		(void)write_link(t, ent_buf_bytes(&frame), NULL);
	} else {
		r = ent_feed_send(&s, &what, write_link, t, &rows, err);
	}
	if (s.source)
		s.connector->close(s.source);
	t->result = json_pack("{s:I}", "rows", (json_int_t)rows);
	return r;
}

static bool was_committed(void *self, const char *name)
{
	const struct task *t = self;
	const json_t *one;
	size_t i;
	json_array_foreach(json_object_get(t->args, "committed"), i, one) if (!strcmp(json_string_value(one), name)) return true;
	return false;
}

static int run_settle(struct task *t, struct ent_err *err)
{
	const char *owner = text(t, "owner");
	size_t all = 0;
	for (size_t i = 1; i < t->n_ends; i++) {
		size_t n = 0;
		ENT_TRY(ent_move_settle(&t->ends[i], owner ? owner : "", was_committed, t, &n, err));
		all += n;
	}
	t->result = json_pack("{s:I}", "settled", (json_int_t)all);
	return 0;
}

/* ---- streams ---- */

static int on_batch(void *self, const struct ent_replicate_batch *b, struct ent_err *err)
{
	ENT_JSON_AUTO batch = json_pack("{s:s,s:s,s:I,s:I,s:s}", "from", b->from, "to", b->to, "rows", (json_int_t)b->rows, "transactions",
					(json_int_t)b->transactions, "digest", b->digest);
	return batch ? asked(self, NULL, batch, err) : ent_nomem(err);
}

static json_t *stopped_json(const struct task *t, const struct ent_replicate_status *s)
{
	json_t *list = json_array();
	for (size_t i = 0; i < s->n_tables; i++)
		if (s->stopped[i])
			json_array_append_new(list, json_pack("{s:O,s:s}", "table",
							      json_object_get(json_array_get(json_object_get(t->args, "tables"), i), "source"), "why",
							      s->stopped[i]));
	return list;
}

static json_t *left_out_json(const struct task *t, const struct ent_replicate_status *s)
{
	json_t *list = json_array();
	for (size_t i = 0; i < s->n_tables; i++) {
		char columns[400];
		if (!s->left_out[i])
			continue;
		snprintf(columns, sizeof columns, "%s", s->left_out[i]);
		for (char *p = columns; (p = strchr(p, '\t')); p++)
			*p = ' ';
		json_array_append_new(list, json_pack("{s:O,s:s}", "table",
						      json_object_get(json_array_get(json_object_get(t->args, "tables"), i), "source"), "columns",
						      columns));
	}
	return list;
}

static void on_status(void *self, const struct ent_replicate_status *s)
{
	static const char *const states[] = { "starting", "copying", "catching up", "streaming", "waiting" };
	struct task *t = self;
	json_decref(t->result);
	t->result = json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:s,s:s,s:o,s:o}", "state", states[s->state], "kind", s->kind, "promise",
			      s->promise, "rows_copied", (json_int_t)s->rows_copied, "rows_applied", (json_int_t)s->rows_applied, "transactions",
			      (json_int_t)s->transactions, "lag_us", (json_int_t)s->lag_us, "lag_rows", (json_int_t)s->lag_rows, "retained_bytes",
			      (json_int_t)s->retained_bytes, "cursor", s->cursor, "trouble", s->trouble, "stopped", stopped_json(t, s), "left_out",
			      left_out_json(t, s));
	struct ent_move_progress p = { .phase = states[s->state], .rows = s->rows_copied + s->rows_applied, .rows_total = -1 };
	post_note(t, NULL, t->result);
	post_note(t, &p, NULL);
}

static int64_t now_us(void *self)
{
	struct timespec now;
	(void)self;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void wait_ms(void *self, uint32_t ms)
{
	for (; ms && !is_cancelled(self); ms -= ms < 50 ? ms : 50)
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
}

static int stream_make(struct task *t, struct ent_replicate *ret, struct ent_err *err)
{
	const json_t *list = json_object_get(t->args, "tables");
	size_t n = json_array_size(list), n_keys;
	struct ent_replicate_table *tables = ENT_NEWS(t->arena, n + 1, struct ent_replicate_table);
	const char **keys = texts(t, "keys", &n_keys);
	if (!tables)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++) {
		const json_t *one = json_array_get(list, i);
		ENT_TRY(ent_json_str(one, "source", &tables[i].source, err));
		ENT_TRY(ent_json_str(one, "target", &tables[i].target, err));
		tables[i].keys = keys;
		tables[i].n_keys = n_keys;
	}
	*ret = (struct ent_replicate){ .name = text(t, "name"),
				       .source = t->ends[0],
				       .target = t->ends[1],
				       .tables = tables,
				       .n_tables = n,
				       .until_caught_up = flag(t, "until_caught_up"),
				       .restart = flag(t, "restart"),
				       .rows_per_split = number(t, "rows_per_split") };
	ret->allow_lossy = texts(t, "allow_lossy", &ret->n_allow_lossy);
	return ret->name ? 0 : ent_fail(err, ENT_EUSAGE, "a stream needs a name");
}

static int run_replicate(struct task *t, bool drop, struct ent_err *err)
{
	const struct ent_replicate_env env = { t, is_cancelled, on_status, on_batch, now_us, wait_ms };
	struct ent_replicate stream;
	ENT_TRY(stream_make(t, &stream, err));
	drop = drop || flag(t, "forget");
	return drop ? ent_replicate_drop(&stream, err) : ent_replicate_run(&stream, &env, err);
}

static int run_kind(struct task *t, struct ent_err *err)
{
	struct ent_move_env env = { t, is_cancelled, on_progress, on_report, on_decide };
	if (is_cancelled(t))
		return ent_fail(err, ENT_ECANCELLED, "interrupted");
	if (!strcmp(t->kind, "copy"))
		return run_copy(t, &env, err);
	if (!strcmp(t->kind, "compare"))
		return run_compare(t, &env, err);
	if (!strcmp(t->kind, "prepare"))
		return run_prepare(t, &env, err);
	if (!strcmp(t->kind, "serve"))
		return run_serve(t, err);
	if (!strcmp(t->kind, "settle"))
		return run_settle(t, err);
	if (!strcmp(t->kind, "replicate") || !strcmp(t->kind, "unreplicate"))
		return run_replicate(t, t->kind[0] == 'u', err);
	return ent_fail(err, ENT_EUSAGE, "no move of kind %s", t->kind);
}

/* ---- threads ---- */

static void task_tell(void *arg)
{
	struct task *t = arg;
	struct ent_node *node = *t->mover->o.node;
	if (node)
		ent_node_move_ended(node, t->id, t->result, t->err.code ? &t->err : NULL);
	task_free(t);
}

static void unlist(struct task *t)
{
	struct ent_mover *m = t->mover;
	pthread_mutex_lock(&m->lock);
	for (struct task **at = &m->tasks; *at; at = &(*at)->next)
		if (*at == t) {
			*at = t->next;
			break;
		}
	pthread_mutex_unlock(&m->lock);
}

static void *task_main(void *arg)
{
	struct task *t = arg;
	struct ent_mover *m = t->mover;
	int code = run_kind(t, &t->err);
	if (!code) /* what a module noted on its way counts for nothing */
		t->err = (struct ent_err)ENT_ERR_INIT;
	else if (!t->err.code)
		t->err.code = code;
	unlist(t);
	if (ent_queue_post(m->o.queue, task_tell, t))
		task_free(t);
	pthread_mutex_lock(&m->lock);
	m->threads--;
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

static int copy_spec(struct task *t, const struct ent_source_spec *from, struct ent_source_spec *ret, struct ent_err *err)
{
	struct ent_option_text *options = ENT_NEWS(t->arena, from->n_options + 1, struct ent_option_text);
	*ret = (struct ent_source_spec){ .url = ent_arena_dup(t->arena, from->url),
					 .object = ent_arena_dup(t->arena, from->object),
					 .options = options,
					 .n_options = options ? from->n_options : 0,
					 .secret_path = ent_arena_dup(t->arena, from->secret_path) };
	for (size_t i = 0; i < ret->n_options; i++)
		options[i] =
			(struct ent_option_text){ ent_arena_dup(t->arena, from->options[i].key), ent_arena_dup(t->arena, from->options[i].value) };
	return ret->url && ret->object && options ? 0 : ent_nomem(err);
}

static int task_fill(struct task *t, const struct ent_move_spec *spec, struct ent_err *err)
{
	bool serve = !strcmp(spec->kind, "serve");
	if (!t->arena || spec->n_ends < (serve ? 1 : 2) || spec->n_ends > ENDS_MAX)
		return t->arena ? ent_fail(err, ENT_EUSAGE, "a move has 2 to %d ends", ENDS_MAX) : ent_nomem(err);
	snprintf(t->peer, sizeof t->peer, "%s", spec->peer);
	snprintf(t->link_name, sizeof t->link_name, "%s", spec->link);
	ent_buf_put(&t->rows, spec->rows.data, spec->rows.len);
	ENT_TRY(ent_buf_check(&t->rows, err));
	snprintf(t->id, sizeof t->id, "%s", spec->id);
	snprintf(t->kind, sizeof t->kind, "%s", spec->kind);
	t->args = json_deep_copy(spec->args);
	t->n_ends = spec->n_ends;
	for (size_t i = 0; i < spec->n_ends; i++) {
		t->selves[i].task = t;
		ENT_TRY(copy_spec(t, &spec->ends[i], &t->selves[i].spec, err));
		t->ends[i] = (struct ent_move_end){ &t->selves[i], open_end, t->selves[i].spec.object, ent_arena_dup(t->arena, spec->names[i]) };
		if (!t->ends[i].name)
			return ent_nomem(err);
	}
	if (!serve && (t->peer[0] || t->rows.len))
		t->ends[0].open = open_fed;
	return t->args ? 0 : ent_nomem(err);
}

static int spawn(struct task *t, struct ent_err *err)
{
	struct ent_mover *m = t->mover;
	pthread_t thread;
	pthread_attr_t attr;
	pthread_mutex_lock(&m->lock);
	t->next = m->tasks;
	m->tasks = t;
	m->threads++;
	pthread_mutex_unlock(&m->lock);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	int failed = pthread_create(&thread, &attr, task_main, t);
	pthread_attr_destroy(&attr);
	if (!failed)
		return 0;
	unlist(t);
	pthread_mutex_lock(&m->lock);
	m->threads--;
	pthread_mutex_unlock(&m->lock);
	return ent_fail(err, ENT_ENOMEM, "no thread could be started");
}

int ent_mover_start(struct ent_mover *m, const struct ent_move_spec *spec, struct ent_err *err)
{
	struct task *t = ent_alloc(1, sizeof *t);
	if (!t)
		return ent_nomem(err);
	*t = (struct task){ .mover = m,
			    .arena = ent_arena_new(TASK_BYTES),
			    .lock = PTHREAD_MUTEX_INITIALIZER,
			    .rows = ENT_BUF((size_t)1 << 30),
			    .err = ENT_ERR_INIT };
	int r = task_fill(t, spec, err);
	if (!r)
		r = ent_sources_new(m->o.home, m->o.source_timeout_ms, m->o.memory_bytes, m->o.log, &t->sources, err);
	if (!r)
		r = spawn(t, err);
	if (r)
		task_free(t);
	return r;
}

void ent_mover_cancel(struct ent_mover *m, const char *id)
{
	pthread_mutex_lock(&m->lock);
	for (struct task *t = m->tasks; t; t = t->next)
		if (!id || !strcmp(t->id, id)) {
			atomic_store(&t->cancelled, true);
			ent_sources_cancel(t->sources, true);
			pthread_mutex_lock(&t->lock);
			if (t->link)
				t->link->ops->cancel(t->link);
			pthread_mutex_unlock(&t->lock);
		}
	pthread_mutex_unlock(&m->lock);
}

int ent_mover_new(const struct ent_mover_options *options, struct ent_mover **ret, struct ent_err *err)
{
	struct ent_mover *m = ent_alloc(1, sizeof *m);
	if (!m)
		return ent_nomem(err);
	*m = (struct ent_mover){ .o = *options, .lock = PTHREAD_MUTEX_INITIALIZER };
	*ret = m;
	return 0;
}

bool ent_mover_idle(struct ent_mover *m)
{
	pthread_mutex_lock(&m->lock);
	bool idle = m->threads == 0;
	pthread_mutex_unlock(&m->lock);
	return idle;
}

void ent_mover_free(struct ent_mover *m)
{
	if (!m)
		return;
	pthread_mutex_destroy(&m->lock);
	free(m);
}
