/* One copy from start to end: describe, map, report; then splits and checkpoints; then the crew; then the target changes over. */
#include <stdio.h>
#include <stdlib.h>

#include "arrow/rows.h"
#include "arrow/sink.h"
#include "crypto/hash.h"
#include "move/job.h"

void ent_session_close(struct ent_move_session *s)
{
	if (s->source)
		s->connector->close(s->source);
	s->source = NULL;
}

void ent_out_close(struct ent_out_table *o)
{
	if (o->sink)
		o->session.connector->sink_close(o->sink);
	o->sink = NULL;
	ent_session_close(&o->session);
}

bool ent_copying_stopped(struct ent_copying *j) { return atomic_load(&j->stop) || (j->env->cancelled && j->env->cancelled(j->env->self)); }

void ent_copying_tell(struct ent_copying *j, const char *phase)
{
	struct ent_move_progress p = { .phase = phase,
				       .rows = atomic_load(&j->rows),
				       .bytes = atomic_load(&j->bytes),
				       .splits_done = atomic_load(&j->splits_done),
				       .splits = j->n_splits,
				       .rows_total = j->rows_total };
	if (j->env->progress)
		j->env->progress(j->env->self, &p);
}

int ent_open_write(const struct ent_move_end *end, struct ent_move_session *ret, struct ent_err *err)
{
	static const struct ent_option write = { "access", "write" };
	struct ent_move_session s = { 0 };
	ENT_TRY(end->open(end->self, &write, 1, &s, err));
	if ((s.connector->capabilities & ENT_CAP_WRITE) && s.connector->sink_open && s.connector->map) {
		*ret = s;
		return 0;
	}
	ent_fail(err, ENT_EUNSUPPORTED, "%.300s cannot be a target: its module %s only reads", end->name, s.connector->name);
	ent_session_close(&s);
	return ENT_EUNSUPPORTED;
}

void ent_copying_target(const struct ent_copying *j, size_t i, struct ent_target *ret)
{
	*ret = (struct ent_target){ .size = sizeof *ret,
				    .object = j->copy->targets[i].object,
				    .schema = &j->schema,
				    .keys = j->n_keys ? j->keys : NULL,
				    .n_keys = j->n_keys,
				    .mode = j->copy->mode };
}

int ent_copying_read(struct ent_copying *j, struct ent_move_session *s, const char *split, struct ArrowArrayStream *ret, struct ent_err *err)
{
	struct ent_read what = { .size = sizeof what,
				 .object = j->copy->source.object,
				 .columns = j->columns,
				 .n_columns = j->n_columns,
				 .where = j->copy->where,
				 .split = split,
				 .flags = j->wire ? ENT_READ_WIRE : 0 };
	return s->connector->read(s->source, &what, ret, err);
}

/* ---- the source ---- */

static int choose_columns(struct ent_copying *j, struct ent_err *err)
{
	const struct ent_move_copy *c = j->copy;
	for (size_t i = 0; i < c->n_columns; i++)
		if (ent_schema_find(&j->described, c->columns[i]) < 0) {
			ent_fail(err, ENT_ENOTFOUND, "%.300s has no column %.100s", c->source.name, c->columns[i]);
			return ent_next(err, "entente copy ... --dry-run shows its columns"), ENT_ENOTFOUND;
		}
	j->columns = c->n_columns ? (const char **)ent_alloc(c->n_columns, sizeof *j->columns) : NULL;
	if (c->n_columns && !j->columns)
		return ent_nomem(err);
	for (size_t i = 0; i < c->n_columns; i++)
		j->columns[i] = c->columns[i];
	j->n_columns = c->n_columns;
	return 0;
}

static bool column_chosen(const struct ent_copying *j, const char *name)
{
	bool found = !j->n_columns && ent_schema_find(&j->described, name) >= 0;
	for (size_t i = 0; i < j->n_columns; i++)
		found = found || !strcmp(j->columns[i], name);
	return found;
}

/* The first key of the source, when all of it is copied. */
static int source_key(struct ent_copying *j, struct ent_err *err)
{
	char text[4000];
	if (!ent_metadata_get(j->described.metadata, ENT_META_KEYS, text, sizeof text))
		return 0;
	text[strcspn(text, "\n")] = 0;
	j->key_text = ent_strdup(text);
	if (!j->key_text)
		return ent_nomem(err);
	char *save = NULL;
	for (char *name = strtok_r(j->key_text, "\t", &save); name && j->n_keys < ENT_COUNT(j->keys); name = strtok_r(NULL, "\t", &save))
		j->keys[j->n_keys++] = name;
	for (size_t i = 0; i < j->n_keys; i++)
		if (!column_chosen(j, j->keys[i]))
			j->n_keys = 0;
	return 0;
}

static int choose_keys(struct ent_copying *j, struct ent_err *err)
{
	const struct ent_move_copy *c = j->copy;
	if (c->n_keys > ENT_COUNT(j->keys))
		return ent_fail(err, ENT_EUSAGE, "a key has at most %zu columns", ENT_COUNT(j->keys));
	for (size_t i = 0; i < c->n_keys; i++) {
		if (!column_chosen(j, c->keys[i]))
			return ent_fail(err, ENT_ENOTFOUND, "the key column %.100s is not among the columns copied", c->keys[i]);
		j->keys[j->n_keys++] = c->keys[i];
	}
	if (!c->n_keys)
		ENT_TRY(source_key(j, err));
	if (j->n_keys || c->mode != ENT_WRITE_UPSERT)
		return 0;
	ent_fail(err, ENT_EUSAGE, "upsert needs a key, and %.300s names none", c->source.name);
	return ent_next(err, "name its columns: --key a,b"), ENT_EUSAGE;
}

static int read_schema(struct ent_copying *j, struct ArrowSchema *ret, struct ent_err *err)
{
	ENT_STREAM_AUTO stream = { 0 };
	ENT_TRY(ent_copying_read(j, &j->source, j->n_splits ? j->splits[0].text : NULL, &stream, err));
	return ent_stream_schema(&stream, ret, err);
}

static int hash_schema(struct ent_copying *j, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(1 << 20);
	uint8_t sha[ENT_SHA256_LEN];
	ENT_TRY(ent_rows_put_schema(&j->schema, &text, err));
	ent_sha256(text.data, text.len, sha);
	ent_hex(j->schema_sha, sha, sizeof sha);
	return 0;
}

static int open_source(struct ent_copying *j, struct ent_err *err)
{
	const struct ent_move_end *end = &j->copy->source;
	struct ent_object object = { .size = sizeof object, .rows = -1 };
	ENT_TRY(end->open(end->self, NULL, 0, &j->source, err));
	const struct ent_connector *c = j->source.connector;
	if (!c->read)
		return ent_fail(err, ENT_EUNSUPPORTED, "the module %s cannot read for copies", c->name);
	ENT_TRY(ent_move_condition_check(j->copy->where, c->dialect, err));
	ENT_TRY(c->describe(j->source.source, end->object, &j->described, &object, err));
	ENT_TRY(ent_schema_check(&j->described, err));
	j->rows_total = j->copy->where ? -1 : object.rows;
	ENT_TRY(choose_columns(j, err));
	ENT_TRY(choose_keys(j, err));
	ENT_TRY(read_schema(j, &j->schema, err));
	return hash_schema(j, err);
}

/* ---- the targets ---- */

/* Whether a target can prepare: what its module can, and what its store says. */
static int together_check(const struct ent_copying *j, size_t i, struct ent_err *err)
{
	struct ent_err why = ENT_ERR_INIT;
	const struct ent_move_session *s = &j->out[i].session;
	const struct ent_connector *c = s->connector;
	bool can = (c->capabilities & ENT_CAP_TWO_PHASE) && c->sink_prepare && c->settle && c->in_doubt && (j->env->decide || j->copy->dry_run);
	int code = can && c->two_phase ? c->two_phase(s->source, &why) : 0;
#ifdef ENT_MUTANT_MOVE_TOGETHER_LATE
	code = 0;
#endif
	if (code && code != ENT_EUNSUPPORTED) {
		if (err)
			*err = why;
		return code;
	}
	if (can && !code)
		return 0;
	ent_fail(err, ENT_EUNSUPPORTED, "%.300s cannot take part in a copy to several targets", j->copy->targets[i].name);
	ent_why(err, "%s", code ? why.what : "its store has no two-phase commit that survives a lost session");
	return ent_next(err, "%s", code && why.next[0] ? why.next : "copy to one target at a time"), ENT_EUNSUPPORTED;
}

static int open_target(struct ent_copying *j, size_t i, struct ent_err *err)
{
	const struct ent_move_end *end = &j->copy->targets[i];
	bool reads = j->copy->dry_run && !end->open(end->self, NULL, 0, &j->out[i].session, NULL);
	if (!reads)
		ENT_TRY(ent_open_write(end, &j->out[i].session, err));
	j->n_out++;
	if (!j->out[i].session.connector->map)
		return ent_fail(err, ENT_EUNSUPPORTED, "%.300s cannot be a target", end->name);
	return j->copy->n_targets == 1 ? 0 : together_check(j, i, err);
}

static int open_sinks(struct ent_copying *j, struct ent_err *err)
{
	for (size_t i = 0; i < j->n_out; i++) {
		struct ent_out_table *o = &j->out[i];
		uint64_t epoch = 0;
		ENT_TRY(o->session.connector->sink_open(o->session.source, j->id, &epoch, &o->sink, err));
		j->epoch = i ? j->epoch : epoch;
	}
	return 0;
}

/* In wire mode a target sees what read gives then. A column that has no image after all brings us back to rows. */
static int use_wire(struct ent_copying *j, struct ent_err *err)
{
	ENT_SCHEMA_AUTO wire = { 0 };
	if (!j->wire)
		return 0;
	int r = read_schema(j, &wire, err);
	if (r == ENT_EUNSUPPORTED) {
		j->wire = false;
		return 0;
	}
	if (r)
		return r;
	ent_schema_release(&j->schema);
	j->schema = ent_schema_take(&wire);
	return 0;
}

static void choose_parallel(struct ent_copying *j)
{
	unsigned wanted = j->copy->parallel ? j->copy->parallel : j->has_snapshot ? 2 : 1;
	bool several = j->n_out == 1 && (j->out[0].session.connector->capabilities & ENT_CAP_PARALLEL);
	wanted = wanted > ENT_MOVE_PARALLEL_MAX ? ENT_MOVE_PARALLEL_MAX : wanted;
	j->parallel = several ? wanted : 1;
}

static int take_snapshot(struct ent_copying *j, struct ent_err *err)
{
	const struct ent_connector *c = j->source.connector;
	if (!c->snapshot || j->n_splits < 2 || j->copy->parallel == 1)
		return 0;
	ENT_TRY(c->snapshot(j->source.source, j->snapshot, err));
	j->has_snapshot = true;
	return 0;
}

/* ---- several targets as one transaction ---- */

static int prepare_all(struct ent_copying *j, struct ent_err *err)
{
	for (size_t i = 0; i < j->n_out; i++) {
		char name[200];
		snprintf(name, sizeof name, "%s%s-%llu-%zu", j->copy->owner ? j->copy->owner : "", j->id, (unsigned long long)j->epoch, i);
		ENT_TRY(j->out[i].session.connector->sink_prepare(j->out[i].sink, name, NULL, err));
	}
	return 0;
}

static int settle_all(struct ent_copying *j, int commit, struct ent_err *err)
{
	int first = 0;
	for (size_t i = 0; i < j->n_out; i++) {
		struct ent_err why = ENT_ERR_INIT;
		char name[200];
		snprintf(name, sizeof name, "%s%s-%llu-%zu", j->copy->owner ? j->copy->owner : "", j->id, (unsigned long long)j->epoch, i);
		int r = j->out[i].session.connector->settle(j->out[i].session.source, name, commit, &why);
		if (r && r != ENT_ENOTFOUND && !first) {
			first = r;
			if (err)
				*err = why;
		}
	}
	return first;
}

static int commit_together(struct ent_copying *j, struct ent_err *err)
{
	char name[160];
	snprintf(name, sizeof name, "%s%s-%llu", j->copy->owner ? j->copy->owner : "", j->id, (unsigned long long)j->epoch);
	int r = prepare_all(j, err);
	if (!r)
		r = j->env->decide(j->env->self, name, err);
#ifndef ENT_MUTANT_MOVE_UNDECIDED
	if (r) {
		(void)settle_all(j, 0, NULL);
		return r;
	}
#endif
	j->decided = true;
	return settle_all(j, 1, err);
}

/* Several targets get nothing at all from a run that failed before its decision: not even an empty table. */
static void undo_all(struct ent_copying *j)
{
#ifdef ENT_MUTANT_MOVE_NO_UNDO
	return;
#endif
	for (size_t i = 0; i < j->n_out && j->n_out > 1 && !j->decided; i++)
		if (j->out[i].sink && j->out[i].session.connector->sink_undo)
			(void)j->out[i].session.connector->sink_undo(j->out[i].sink, NULL);
}

/* ---- all of it ---- */

int ent_move_overtaken(const struct ent_connector *to, struct ent_sink *sink, uint64_t epoch, struct ent_err *err)
{
	struct ent_sink_checkpoint c = { .size = sizeof c };
	struct ent_err quiet = ENT_ERR_INIT;
	if (!sink || !epoch || err->code == ENT_EIO || err->code == ENT_EPEER || err->code == ENT_EAGAIN || err->code == ENT_ECANCELLED)
		return err->code;
	if (to->sink_rollback)
		(void)to->sink_rollback(sink, NULL);
	int r = to->sink_last(sink, ENT_SINK_EPOCH_PART, &c, &quiet);
	if (r == ENT_ENOTFOUND || (!r && c.epoch > epoch))
		return ent_sink_overtaken(r ? 0 : c.epoch, epoch, err);
	return err->code;
}

static int finish(struct ent_copying *j, struct ent_err *err)
{
	ent_copying_tell(j, "finish");
	if (j->n_out > 1)
		ENT_TRY(commit_together(j, err));
	for (size_t i = 0; i < j->n_out; i++)
		ENT_TRY(j->out[i].session.connector->sink_finish(j->out[i].sink, 1, err));
	return 0;
}

/* What stands in the target: all, or the finished splits of a copy that failed. Several targets have all or nothing. */
static void sum_up(struct ent_copying *j, bool failed)
{
	struct ent_move_digest all = { 0 };
	for (size_t i = 0; i < j->n_splits && !(failed && j->n_out > 1); i++)
		if (j->splits[i].done)
			ent_digest_sum(&all, &j->splits[i].digest);
	ent_digest_text(&all, j->result.digest);
	j->result.rows = all.rows;
}

static int run(struct ent_copying *j, struct ent_err *err)
{
	if (!j->copy->n_targets || j->copy->n_targets > ENT_MOVE_TARGETS_MAX)
		return ent_fail(err, ENT_EUSAGE, "a copy has 1 to %u targets", ENT_MOVE_TARGETS_MAX);
	ENT_TRY(ent_move_job_id(j->copy, j->id, err));
	memcpy(j->result.job, j->id, sizeof j->id);
	ENT_TRY(open_source(j, err));
	for (size_t i = 0; i < j->copy->n_targets; i++)
		ENT_TRY(open_target(j, i, err));
	ENT_TRY(ent_copying_report(j, err));
	if (j->copy->dry_run)
		return ent_copying_exists(j, err);
	ENT_TRY(open_sinks(j, err));
	ENT_TRY(ent_copying_plan(j, err));
	ENT_TRY(ent_copying_exists(j, err));
	ENT_TRY(use_wire(j, err));
	ENT_TRY(take_snapshot(j, err));
	choose_parallel(j);
	ENT_TRY(ent_copying_table(j, err));
	atomic_store(&j->splits_done, j->result.splits_before);
	ENT_TRY(ent_copying_move(j, err));
	return finish(j, err);
}

static void copying_deinit(struct ent_copying *j)
{
	for (size_t i = 0; i < j->n_out; i++)
		ent_out_close(&j->out[i]);
	ent_schema_release(&j->described);
	ent_schema_release(&j->schema);
	ent_session_close(&j->source);
	for (size_t i = 0; i < j->n_splits; i++)
		free(j->splits[i].text);
	free(j->splits);
	free(j->columns);
	free(j->key_text);
	pthread_mutex_destroy(&j->lock);
	pthread_cond_destroy(&j->changed);
	free(j);
}

int ent_move_copy(const struct ent_move_copy *copy, const struct ent_move_env *env, struct ent_move_result *ret, struct ent_err *err)
{
	struct ent_copying *j = ent_alloc(1, sizeof *j);
	if (!j)
		return ent_nomem(err);
	*j = (struct ent_copying){ .copy = copy, .env = env, .rows_total = -1, .failure = ENT_ERR_INIT };
	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->changed, NULL);
	int r = run(j, err);
	if (r)
		undo_all(j);
	sum_up(j, r);
	j->result.bytes = atomic_load(&j->bytes);
	j->result.splits = j->n_splits;
	j->result.wire = j->wire;
	if (ret)
		*ret = j->result;
	copying_deinit(j);
	return r;
}

/* ---- after a crash ---- */

struct doubt {
	char names[64][200];
	size_t n;
};

static int note_doubt(void *arg, const char *name)
{
	struct doubt *d = arg;
	if (d->n < ENT_COUNT(d->names))
		snprintf(d->names[d->n++], sizeof d->names[0], "%s", name);
	return 0;
}

int ent_move_settle(const struct ent_move_end *target, const char *owner, bool (*committed)(void *self, const char *name), void *self,
		    size_t *ret_settled, struct ent_err *err)
{
	struct ent_move_session s = { 0 };
	struct doubt *d = ent_alloc(1, sizeof *d);
	*ret_settled = 0;
	if (!d)
		return ent_nomem(err);
	d->n = 0;
	int r = ent_open_write(target, &s, err);
	if (!r && s.connector->in_doubt && s.connector->settle)
		r = s.connector->in_doubt(s.source, owner, note_doubt, d, err);
	for (size_t i = 0; !r && i < d->n; i++) {
		char name[200];
		snprintf(name, sizeof name, "%s", d->names[i]);
		char *dash = strrchr(name, '-'); /* the decision is about all parts: OWNER JOB-EPOCH */
		if (dash)
			*dash = 0;
		r = s.connector->settle(s.source, d->names[i], committed(self, name), err);
		*ret_settled += !r;
	}
	ent_session_close(&s);
	free(d);
	return r;
}
