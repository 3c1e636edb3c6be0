/* The threads of a copy. Each worker is a pair: one thread reads splits into a bounded queue, the other writes them and commits every finished
 * split with its checkpoint; so reading, writing and the two stores all work at the same time. The first failure stops everybody. */
#include <stdlib.h>
#include <time.h>

#include "arrow/rows.h"
#include "crypto/hash.h"
#include "move/job.h"

struct worker {
	struct ent_copying *job;
	struct ent_move_session source;
	struct ent_out_table own; /* beyond the first worker */
	struct ent_out_table *outs;
	size_t n_outs;
	struct ent_pipe pipe;
	struct ent_buf row;
	pthread_t reader, writer;
	bool reading, writing;
	struct ent_move_digest digest; /* of the split being written */
};

static void fail(struct ent_copying *j, const struct ent_err *err)
{
	pthread_mutex_lock(&j->lock);
	if (!j->failure.code)
		j->failure = *err;
	atomic_store(&j->stop, true);
	for (size_t i = 0; i < j->n_pipes; i++)
		ent_pipe_break(j->pipes[i]);
	pthread_cond_signal(&j->changed);
	pthread_mutex_unlock(&j->lock);
}

static bool next_split(struct ent_copying *j, size_t *ret)
{
	bool found = false;
	pthread_mutex_lock(&j->lock);
	while (j->next_split < j->n_splits && j->splits[j->next_split].done)
		j->next_split++;
	if (j->next_split < j->n_splits) {
		*ret = j->next_split++;
		found = true;
	}
	pthread_mutex_unlock(&j->lock);
	return found;
}

/* ---- reading ---- */

static uint64_t batch_bytes(const struct ent_batch *b)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < b->n_columns; i++) {
		const struct ent_view *v = &b->columns[i];
		if (!ent_type_is_bytes(v->type) || !b->rows) {
			bytes += b->rows * (v->width ? v->width : 1u);
			continue;
		}
		for (size_t row = 0; row < b->rows; row++)
			bytes += ent_view_text(v, row).len;
	}
	return bytes;
}

/* Images as they are: hashing them piece by piece would cost what the fast path saves, so a batch is one piece of the digest per row group. */
static void digest_images(const struct ent_batch *b, struct ent_pipe_item *item)
{
	for (size_t i = 0; i < b->rows; i++)
		ent_digest_put(&item->digest, ent_view_text(&b->columns[0], i));
}

static int look(struct worker *w, const struct ArrowSchema *schema, struct ent_pipe_item *item, struct ent_err *err)
{
	ENT_BATCH_AUTO b = { 0 };
	ENT_TRY(ent_batch_open_copy(schema, &item->batch, &b, err));
	item->bytes = batch_bytes(&b);
	if (w->job->wire) {
		digest_images(&b, item);
		return 0;
	}
	for (size_t i = 0; i < b.rows; i++) {
		ent_buf_reset(&w->row);
		ent_rows_put(&b, i, &w->row);
		ENT_TRY(ent_buf_check(&w->row, err));
		ent_digest_put(&item->digest, ent_buf_bytes(&w->row));
	}
	return 0;
}

static int check_schema(const struct ent_copying *j, const struct ArrowSchema *got, struct ent_err *err)
{
	bool same = got->n_children == j->schema.n_children;
	for (int64_t i = 0; same && i < got->n_children; i++)
		same = !strcmp(got->children[i]->name, j->schema.children[i]->name) &&
		       !strcmp(got->children[i]->format, j->schema.children[i]->format);
	if (j->wire || same)
		return 0;
	ent_fail(err, ENT_EDATA, "the source changed its columns while it was being copied");
	return ent_next(err, "begin anew with --restart"), ENT_EDATA;
}

static int read_split(struct worker *w, size_t split, struct ent_err *err)
{
	struct ent_copying *j = w->job;
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_TRY(ent_copying_read(j, &w->source, j->splits[split].text, &stream, err));
	ENT_TRY(ent_stream_schema(&stream, &schema, err));
	ENT_TRY(check_schema(j, &schema, err));
	for (;;) {
		struct ent_pipe_item item = { .split = split };
		if (ent_copying_stopped(j))
			return ent_fail(err, ENT_ECANCELLED, "interrupted");
		ENT_TRY(ent_stream_next(&stream, &item.batch, err));
		item.end = !item.batch.release;
		int r = item.end ? 0 : look(w, &schema, &item, err);
		if (r) {
			ent_array_release(&item.batch);
			return r;
		}
		bool end = item.end;
		if (!ent_pipe_put(&w->pipe, &item))
			return ent_fail(err, ENT_ECANCELLED, "interrupted");
		if (end)
			return 0;
	}
}

static void *reader_main(void *arg)
{
	struct worker *w = arg;
	struct ent_err err = ENT_ERR_INIT;
	size_t split;
	int r = 0;
	while (!r && next_split(w->job, &split))
		r = read_split(w, split, &err);
	if (r && !err.code)
		ent_fail(&err, r, "reading failed without a reason");
	if (r)
		fail(w->job, &err);
	ent_pipe_end(&w->pipe);
	return NULL;
}

/* ---- writing ---- */

static int write_batch(struct worker *w, const struct ent_pipe_item *item, struct ent_err *err)
{
	for (size_t i = 0; i < w->n_outs; i++) {
		struct ent_out_table *o = &w->outs[i];
		ENT_TRY(o->session.connector->sink_rows(o->sink, o->index, &item->batch, err));
	}
	ent_digest_sum(&w->digest, &item->digest);
	atomic_fetch_add(&w->job->rows, item->digest.rows);
	atomic_fetch_add(&w->job->bytes, item->bytes);
	return 0;
}

static int end_split(struct worker *w, size_t split, struct ent_err *err)
{
	struct ent_copying *j = w->job;
	struct ent_split *s = &j->splits[split];
	struct ent_sink_checkpoint c;
	s->digest = w->digest;
	s->done = true; /* only this thread looks at it from here on */
	w->digest = (struct ent_move_digest){ 0 };
	ent_copying_checkpoint(j, split, &c);
	int r = w->n_outs == 1 ? w->outs[0].session.connector->sink_commit(w->outs[0].sink, &c, err) : 0;
	if (r) {
		s->done = false;
		return r;
	}
	atomic_fetch_add(&j->splits_done, 1);
	return 0;
}

static int write_all(struct worker *w, struct ent_err *err)
{
	struct ent_pipe_item item;
	while (ent_pipe_get(&w->pipe, &item)) {
		int r = item.end ? end_split(w, item.split, err) : write_batch(w, &item, err);
		ent_array_release(&item.batch);
		if (r)
			return err->code ? err->code : ent_fail(err, r, "writing failed without a reason");
	}
	return 0;
}

static void *writer_main(void *arg)
{
	struct worker *w = arg;
	struct ent_copying *j = w->job;
	struct ent_err err = ENT_ERR_INIT;
	if (write_all(w, &err))
		fail(j, &err);
	pthread_mutex_lock(&j->lock);
	j->at_work--;
	pthread_cond_signal(&j->changed);
	pthread_mutex_unlock(&j->lock);
	return NULL;
}

/* ---- the crew ---- */

static int open_source(struct worker *w, struct ent_err *err)
{
	struct ent_copying *j = w->job;
	struct ent_option snapshot = { "snapshot", j->snapshot };
	if (!j->has_snapshot && !j->source_taken) {
		w->source = j->source;
		j->source_taken = true;
		return 0;
	}
	return j->copy->source.open(j->copy->source.self, &snapshot, j->has_snapshot, &w->source, err);
}

static int open_target(struct worker *w, bool first, struct ent_err *err)
{
	struct ent_copying *j = w->job;
	struct ent_target target;
	uint64_t epoch = j->epoch; /* others read it */
	w->outs = first ? j->out : &w->own;
	w->n_outs = first ? j->n_out : 1;
	if (first)
		return 0;
	const struct ent_move_end *end = &j->copy->targets[0];
	ENT_TRY(ent_open_write(end, &w->own.session, err));
	ENT_TRY(w->own.session.connector->sink_open(w->own.session.source, j->id, &epoch, &w->own.sink, err));
	ent_copying_target(j, 0, &target);
	target.resume = 1;
	return w->own.session.connector->sink_table(w->own.sink, &target, &w->own.index, err);
}

static int start(struct worker *w, bool first, struct ent_err *err)
{
	struct ent_copying *j = w->job;
	ENT_TRY(open_source(w, err));
	ENT_TRY(open_target(w, first, err));
	pthread_mutex_lock(&j->lock);
	j->pipes[j->n_pipes++] = &w->pipe;
	j->at_work++;
	pthread_mutex_unlock(&j->lock);
	w->writing = !pthread_create(&w->writer, NULL, writer_main, w);
	w->reading = w->writing && !pthread_create(&w->reader, NULL, reader_main, w);
	if (w->reading)
		return 0;
	if (!w->writing) {
		pthread_mutex_lock(&j->lock);
		j->at_work--;
		pthread_mutex_unlock(&j->lock);
	}
	return ent_fail(err, ENT_ENOMEM, "no thread could be started");
}

static void wait_all(struct ent_copying *j)
{
	pthread_mutex_lock(&j->lock);
	while (j->at_work) {
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 100000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&j->changed, &j->lock, &until);
		pthread_mutex_unlock(&j->lock);
		ent_copying_tell(j, "rows");
		pthread_mutex_lock(&j->lock);
	}
	pthread_mutex_unlock(&j->lock);
}

static void worker_end(struct worker *w)
{
	if (w->reading)
		pthread_join(w->reader, NULL);
	if (w->writing)
		pthread_join(w->writer, NULL);
	if (w->source.source == w->job->source.source)
		w->job->source_taken = false;
	else
		ent_session_close(&w->source);
	ent_out_close(&w->own);
	ent_pipe_deinit(&w->pipe);
	ent_buf_deinit(&w->row);
}

static unsigned crew_size(const struct ent_copying *j)
{
	size_t left = 0;
	for (size_t i = 0; i < j->n_splits; i++)
		left += !j->splits[i].done;
	return (unsigned)(left < j->parallel ? left : j->parallel);
}

int ent_copying_move(struct ent_copying *j, struct ent_err *err)
{
	unsigned n = crew_size(j);
	struct worker *workers = ent_alloc(n + 1, sizeof *workers);
	int r = 0;
	if (!workers)
		return ent_nomem(err);
	for (unsigned i = 0; i < n; i++) {
		workers[i] = (struct worker){ .job = j, .row = ENT_BUF((size_t)64 << 20) };
		ent_pipe_init(&workers[i].pipe);
	}
	for (unsigned i = 0; i < n && !r; i++) {
		struct ent_err why = ENT_ERR_INIT;
		r = start(&workers[i], i == 0, &why);
		if (r)
			fail(j, &why);
	}
	wait_all(j);
	for (unsigned i = 0; i < n; i++)
		worker_end(&workers[i]);
	free(workers);
	ent_copying_tell(j, "rows");
	if (j->failure.code && err)
		*err = j->failure;
	return j->failure.code;
}
