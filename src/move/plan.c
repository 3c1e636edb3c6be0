/* The splits of a job stand in the target as checkpoints: "split I" says "todo TEXT" or "done TEXT" with rows and digest, "plan" (written last)
 * says how many there are and for which columns, "table" that the target's table is ready. A job that comes back goes on with the splits of its
 * first run, whatever the source would cut today. */
#include <stdio.h>
#include <stdlib.h>

#include "move/job.h"

#define WAITING "todo "
#define FINISHED "done "

static int add_split(struct ent_copying *j, const char *text, struct ent_err *err)
{
	if (j->n_splits == ENT_MOVE_SPLITS_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "a copy has at most %u splits", ENT_MOVE_SPLITS_MAX);
	if (j->n_splits % 64 == 0) {
		struct ent_split *more = (struct ent_split *)realloc(j->splits, (j->n_splits + 64) * sizeof *more);
		if (!more)
			return ent_nomem(err);
		j->splits = more;
	}
	struct ent_split *s = &j->splits[j->n_splits];
	*s = (struct ent_split){ .text = ent_strdup(text) };
	if (text && !s->text)
		return ent_nomem(err);
	j->n_splits++;
	return 0;
}

struct taking {
	struct ent_copying *job;
	struct ent_err *err;
	bool too_long;
};

static int take_split(void *arg, const char *split, int64_t rows)
{
	struct taking *t = arg;
	struct ent_sink_checkpoint *c = NULL;
	(void)rows;
	t->too_long = t->too_long || strlen(split) >= sizeof c->cursor - sizeof WAITING;
	return add_split(t->job, split, t->err);
}

static void forget_splits(struct ent_copying *j)
{
	for (size_t i = 0; i < j->n_splits; i++)
		free(j->splits[i].text);
	j->n_splits = 0;
}

static int cut(struct ent_copying *j, struct ent_err *err)
{
	const struct ent_connector *c = j->source.connector;
	uint64_t rows = j->copy->rows_per_split ? j->copy->rows_per_split : ENT_MOVE_ROWS_PER_SPLIT;
	struct taking t = { .job = j, .err = err };
	if (c->plan && (c->capabilities & ENT_CAP_SPLIT))
		ENT_TRY(c->plan(j->source.source, j->copy->source.object, rows, take_split, &t, err));
	if (t.too_long)
		forget_splits(j);
	return j->n_splits ? 0 : add_split(j, NULL, err);
}

void ent_copying_checkpoint(const struct ent_copying *j, size_t split, struct ent_sink_checkpoint *ret)
{
	const struct ent_split *s = &j->splits[split];
	*ret = (struct ent_sink_checkpoint){ .size = sizeof *ret, .rows = s->digest.rows, .epoch = j->epoch };
	snprintf(ret->part, sizeof ret->part, "split %zu", split);
	snprintf(ret->cursor, sizeof ret->cursor, "%s%s", s->done ? FINISHED : WAITING, s->text ? s->text : "");
	if (s->done)
		ent_digest_text(&s->digest, ret->hash);
}

static int commit(struct ent_copying *j, const struct ent_sink_checkpoint *c, struct ent_err *err)
{
	return j->out[0].session.connector->sink_commit(j->out[0].sink, c, err);
}

static int store(struct ent_copying *j, struct ent_err *err)
{
	struct ent_sink_checkpoint c;
	for (size_t i = 0; i < j->n_splits; i++) {
		ent_copying_checkpoint(j, i, &c);
		ENT_TRY(commit(j, &c, err));
	}
	c = (struct ent_sink_checkpoint){ .size = sizeof c, .part = "table", .cursor = "wanted", .epoch = j->epoch };
	ENT_TRY(commit(j, &c, err));
	c = (struct ent_sink_checkpoint){ .size = sizeof c, .part = "plan", .rows = j->n_splits, .epoch = j->epoch };
	snprintf(c.cursor, sizeof c.cursor, "%zu splits", j->n_splits);
	memcpy(c.hash, j->schema_sha, sizeof c.hash);
	return commit(j, &c, err);
}

static int last(struct ent_copying *j, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err)
{
	*ret = (struct ent_sink_checkpoint){ .size = sizeof *ret };
	return j->out[0].session.connector->sink_last(j->out[0].sink, part, ret, err);
}

static int load_split(struct ent_copying *j, size_t i, struct ent_err *err)
{
	struct ent_sink_checkpoint c;
	char part[40];
	snprintf(part, sizeof part, "split %zu", i);
	ENT_TRY(last(j, part, &c, err));
	bool done = !strncmp(c.cursor, FINISHED, sizeof FINISHED - 1);
#ifdef ENT_MUTANT_MOVE_READ_AGAIN
	done = false;
#else
	if (!done && strncmp(c.cursor, WAITING, sizeof WAITING - 1) != 0)
		return ent_fail(err, ENT_EDATA, "the target's checkpoint of %s is not ours: %.60s", part, c.cursor);
#endif
	const char *text = c.cursor + sizeof WAITING - 1;
	ENT_TRY(add_split(j, *text ? text : NULL, err));
	struct ent_split *s = &j->splits[i];
	s->done = done;
	if (done && !ent_digest_parse(c.hash, &s->digest))
		return ent_fail(err, ENT_EDATA, "the target's checkpoint of %s has no digest", part);
	s->digest.rows = done ? c.rows : 0;
	return 0;
}

static int load(struct ent_copying *j, const struct ent_sink_checkpoint *plan, struct ent_err *err)
{
	struct ent_sink_checkpoint c;
	if (strcmp(plan->hash, j->schema_sha) != 0) {
		ent_fail(err, ENT_EDATA, "the source's columns changed since this copy began");
		return ent_next(err, "begin anew with --restart"), ENT_EDATA;
	}
	for (size_t i = 0; i < plan->rows && i < ENT_MOVE_SPLITS_MAX; i++)
		ENT_TRY(load_split(j, i, err));
	ENT_TRY(last(j, "table", &c, err));
	j->table_made = !strcmp(c.cursor, "made");
	for (size_t i = 0; i < j->n_splits; i++)
		j->result.splits_before += j->splits[i].done;
	return 0;
}

int ent_copying_plan(struct ent_copying *j, struct ent_err *err)
{
	struct ent_sink_checkpoint plan;
	struct ent_err quiet = ENT_ERR_INIT;
	ent_copying_tell(j, "plan");
	if (j->n_out > 1) /* one transaction: nothing stays of a run that failed */
		return cut(j, err);
	int r = last(j, "plan", &plan, &quiet);
	if (r && r != ENT_ENOTFOUND) {
		if (err)
			*err = quiet;
		return r;
	}
	j->resumed = !r;
	if (!r && !j->copy->restart)
		return load(j, &plan, err);
	if (!r && j->copy->mode == ENT_WRITE_APPEND) {
		ent_fail(err, ENT_EUSAGE, "an earlier run of this copy has appended rows already; beginning anew would append them twice");
		return ent_next(err, "go on without --restart, or take its rows out and use another --mode"), ENT_EUSAGE;
	}
	ENT_TRY(cut(j, err));
	return 0;
}

int ent_copying_table(struct ent_copying *j, struct ent_err *err)
{
	bool anew = j->resumed && j->copy->restart;
	if (j->n_out == 1 && (!j->resumed || anew))
		ENT_TRY(store(j, err));
	for (size_t i = 0; i < j->n_out; i++) {
		struct ent_target target;
		const struct ent_connector *to = j->out[i].session.connector;
		ent_copying_target(j, i, &target);
		target.resume = j->table_made;
		if (j->resumed && target.mode == ENT_WRITE_CREATE && !j->table_made)
			target.mode = ENT_WRITE_APPEND; /* what stands there is of our earlier run */
		ENT_TRY(to->sink_table(j->out[i].sink, &target, &j->out[i].index, err));
		if (anew && j->copy->mode == ENT_WRITE_CREATE)
			ENT_TRY(to->sink_truncate(j->out[i].sink, j->out[i].index, err));
	}
	if (j->table_made || j->n_out > 1)
		return 0;
	struct ent_sink_checkpoint c = { .size = sizeof c, .part = "table", .cursor = "made", .epoch = j->epoch };
	j->table_made = true;
	return commit(j, &c, err);
}
