/* _entente_checkpoint: what a job has written, and which run of it may write. A job is one row, so every change of it is one conditional mutation
 * that asks for the epoch: a run that was overtaken cannot move a checkpoint. run:epoch; run:time, the timestamp of the last rows; part:NAME is "ROWS
 * EPOCH HASH CURSOR" (HASH - when there is none). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "arrow/sink.h"
#include "arrow/value.h"
#include "hb.h"

#define RUN "run"
#define PART "part"
#define TRIES_MAX 20
#define EQUAL 2 /* TCompareOp */

static struct ent_bytes text(const char *s) { return ent_bytes_str(s); }

/* --- reading --- */

static void number_read(struct ent_bytes b, int64_t *ret)
{
	if (!ent_int_parse(b, ret))
		*ret = 0;
}

struct run {                            /* the job's row but for its parts */
	int64_t epoch, time_ms, latest; /* latest: timestamp of any of its cells */
};

static int row_get(struct ent_hb_mark *m, const char *part, struct ent_hb_row *ret, struct ent_err *err)
{
	struct ent_hb_answer a;
	struct ent_buf *b = ent_hb_ask(m->s, "get");
	ent_thrift_put_binary(b, 1, text(m->full));
	ent_thrift_put_field(b, ENT_THRIFT_STRUCT, 2);
	ent_thrift_put_binary(b, 1, text(m->job));
	if (part) {
		ent_thrift_put_list(b, 2, ENT_THRIFT_STRUCT, 1);
		ent_hb_delete_column(b, text(PART), text(part), 0); /* a TColumn like any other */
	}
	ent_thrift_put_stop(b);
	ENT_TRY(ent_hb_call(m->s, "the checkpoint cannot be read", &a, err));
	return ent_hb_answer_row(&a, ret, err);
}

static int run_read(struct ent_hb_mark *m, struct run *ret, struct ent_err *err)
{
	struct ent_hb_row row;
	struct ent_hb_cell c;
	*ret = (struct run){ 0 };
	ENT_TRY(row_get(m, NULL, &row, err));
	while (row.n_cells) {
		ENT_TRY(ent_hb_cell_next(&row, &c, err));
		ret->latest = c.timestamp > ret->latest ? c.timestamp : ret->latest;
		if (!ent_bytes_eq(c.family, text(RUN)))
			continue;
		number_read(c.value, ent_bytes_eq(c.qualifier, text("epoch")) ? &ret->epoch : &ret->time_ms);
	}
	return 0;
}

static int part_parse(struct ent_bytes value, struct ent_sink_checkpoint *p, struct ent_err *err)
{
	char line[600];
	int at = 0;
	snprintf(line, sizeof line, "%.*s", (int)(value.len < sizeof line ? value.len : sizeof line - 1), (const char *)value.data);
	if (sscanf(line, "%" SCNu64 " %" SCNu64 " %64s%n", &p->rows, &p->epoch, p->hash, &at) != 3 || line[at] != ' ')
		return ent_fail(err, ENT_EDATA, "a checkpoint in " ENT_HB_CHECKPOINTS " is not understood");
	if (!strcmp(p->hash, "-"))
		p->hash[0] = 0;
	snprintf(p->cursor, sizeof p->cursor, "%s", line + at + 1);
	return 0;
}

int ent_hb_mark_last(struct ent_hb_mark *m, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err)
{
	struct ent_sink_checkpoint p = { .size = sizeof p };
	struct ent_hb_row row;
	struct ent_hb_cell c;
	ENT_TRY(row_get(m, part, &row, err));
	if (!row.n_cells)
		return ent_fail(err, ENT_ENOTFOUND, "the job has no checkpoint for %.100s", part);
	ENT_TRY(ent_hb_cell_next(&row, &c, err));
	ENT_TRY(part_parse(c.value, &p, err));
	snprintf(p.part, sizeof p.part, "%s", part);
	*ret = p;
	return 0;
}

/* --- conditions --- */

static void place_put(struct ent_hb_mark *m, struct ent_buf *b)
{
	ent_thrift_put_binary(b, 1, text(m->full));
	ent_thrift_put_binary(b, 2, text(m->job));
	ent_thrift_put_binary(b, 3, text(RUN));
	ent_thrift_put_binary(b, 4, text("epoch"));
}

/* Opens a put into the job's row on condition that it has no run:epoch (checkAndMutate stumbles over a value that is not there). The caller writes
 * the TPut. */
static struct ent_buf *condition_none(struct ent_hb_mark *m)
{
	struct ent_buf *b = ent_hb_ask(m->s, "checkAndPut");
	place_put(m, b);
	ent_thrift_put_field(b, ENT_THRIFT_STRUCT, 6);
	return b;
}

/* Opens a mutation of the job's row on condition that run:epoch is epoch. The caller writes one TMutation's struct, then condition_end. */
static struct ent_buf *condition(struct ent_hb_mark *m, int64_t epoch, int16_t mutation)
{
	char digits[ENT_VALUE_TEXT_MAX];
	struct ent_buf *b = ent_hb_ask(m->s, "checkAndMutate");
	place_put(m, b);
	ent_thrift_put_i32(b, 5, EQUAL);
	ent_thrift_put_binary(b, 6, ent_bytes(digits, ent_int_text(epoch, digits)));
	ent_thrift_put_field(b, ENT_THRIFT_STRUCT, 7);
	ent_thrift_put_binary(b, 1, text(m->job));
	ent_thrift_put_list(b, 2, ENT_THRIFT_STRUCT, 1);
	ent_thrift_put_field(b, ENT_THRIFT_STRUCT, mutation);
	return b;
}

static void condition_end(struct ent_buf *b)
{
	ent_thrift_put_stop(b); /* TMutation */
	ent_thrift_put_stop(b); /* TRowMutations */
}

static int decide(struct ent_hb_mark *m, bool *ret_done, struct ent_err *err)
{
	struct ent_hb_answer a;
	ENT_TRY(ent_hb_call(m->s, "the checkpoint cannot be kept", &a, err));
	return ent_hb_answer_bool(&a, ret_done, err);
}

static void number_put(struct ent_buf *b, const char *qualifier, int64_t value)
{
	char digits[ENT_VALUE_TEXT_MAX];
	ent_hb_put_cell(b, text(RUN), text(qualifier), ent_bytes(digits, ent_int_text(value, digits)));
}

static int took_over(struct ent_hb_mark *m, struct ent_err *err)
{
	struct run run = { 0 };
	(void)run_read(m, &run, NULL); /* for the message only */
	return ent_sink_overtaken((uint64_t)run.epoch, m->epoch, err);
}

/* --- epochs --- */

/* One try to become the next run. Read back: the mark of a delete that came in the same millisecond would hide what was written. */
static int epoch_step(struct ent_hb_mark *m, bool *ret_done, struct ent_err *err)
{
	int64_t now = ent_hb_now_ms();
	struct run old, got;
	ENT_TRY(run_read(m, &old, err));
	m->epoch = (uint64_t)old.epoch + 1;
	m->time_ms = now > old.time_ms ? now : old.time_ms + 1;
	struct ent_buf *b = old.epoch ? condition(m, old.epoch, 1) : condition_none(m);
	ent_hb_put_begin(b, text(m->job), 2);
	number_put(b, "epoch", (int64_t)m->epoch);
	number_put(b, "time", m->time_ms);
	ent_hb_put_end(b, 0);
	if (old.epoch)
		condition_end(b);
	ENT_TRY(decide(m, ret_done, err));
	ENT_TRY(run_read(m, &got, err));
	if (*ret_done && got.epoch < (int64_t)m->epoch) {
		usleep(5000);
		*ret_done = false;
	}
	return 0;
}

int ent_hb_mark_take(struct ent_hb_mark *m, const char *ns, uint64_t *epoch, struct ent_err *err)
{
	const struct ent_bytes families[] = { text(RUN), text(PART) };
	struct run run;
	bool done = false;
	snprintf(m->full, sizeof m->full, "%s:%s", ns, ENT_HB_CHECKPOINTS);
	ENT_TRY(ent_hb_exists(m->s, ns, ENT_HB_CHECKPOINTS, &done, err));
	if (!done) {
		ENT_TRY(ent_hb_namespace_make(m->s, ns, err));
		ENT_TRY(ent_hb_table_make(m->s, ns, ENT_HB_CHECKPOINTS, families, 2, err));
	}
	if (*epoch) {
		m->epoch = *epoch;
		ENT_TRY(run_read(m, &run, err));
		m->time_ms = run.time_ms;
		return (uint64_t)run.epoch == *epoch ? 0 : ent_sink_overtaken((uint64_t)run.epoch, *epoch, err);
	}
	done = false;
	for (unsigned i = 0; i < TRIES_MAX && !done; i++)
		ENT_TRY(epoch_step(m, &done, err));
	if (!done)
		return ent_fail(err, ENT_EAGAIN, "too many runs of this job begin at once");
	*epoch = m->epoch;
	return 0;
}

/* --- checkpoints --- */

int ent_hb_mark_commit(struct ent_hb_mark *m, const struct ent_sink_checkpoint *c, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf value = ENT_BUF(1000);
	bool done = false;
	struct ent_buf *b = condition(m, (int64_t)m->epoch, 1);
	ent_hb_put_begin(b, text(m->job), c ? 2 : 1);
	number_put(b, "time", m->time_ms);
	if (c) {
		ent_buf_printf(&value, "%" PRIu64 " %" PRIu64 " %s %s", c->rows, m->epoch, c->hash[0] ? c->hash : "-", c->cursor);
		ENT_TRY(ent_buf_check(&value, err));
		ent_hb_put_cell(b, text(PART), text(c->part), ent_buf_bytes(&value));
	}
	ent_hb_put_end(b, 0);
	condition_end(b);
	ENT_TRY(decide(m, &done, err));
#ifdef ENT_MUTANT_HB_FENCE
	done = true;
#endif
	return done ? 0 : took_over(m, err);
}

/* Everything up to the latest cell goes: what a run after us writes is later. */
int ent_hb_mark_forget(struct ent_hb_mark *m, struct ent_err *err)
{
	struct run run;
	bool done;
	ENT_TRY(run_read(m, &run, err));
	struct ent_buf *b = condition(m, (int64_t)m->epoch, 2);
	ent_hb_delete_begin(b, text(m->job), 0);
	ent_hb_delete_end(b, 0, run.latest);
	condition_end(b);
	ENT_TRY(decide(m, &done, err));
	return done ? 0 : took_over(m, err);
}
