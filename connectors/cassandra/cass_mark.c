/* _entente_checkpoint: what a job has written, and which run of it may write. Every change is a conditional write (Paxos) within the job's own
 * partition, so a run that was overtaken cannot move a checkpoint. The run's row also holds its base: the write time of its first row, later than
 * that of any earlier run, so that rows which an overtaken run still sends lose against ours. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "arrow/sink.h"
#include "arrow/value.h"
#include "cass.h"

#define TRIES_MAX 20

static void call_endp(struct ent_cass_call **c) { ent_cass_end(*c); }

static int64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* One statement about the table; @ in sql stands for its name. The event has rows. */
static int ask(struct ent_cass_mark *m, const char *sql, const struct ent_buf *values, uint16_t n, struct ent_cass_call **ret_call,
	       struct ent_cql_event *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(4096);
	for (; *sql; sql++) {
		if (*sql != '@') {
			ent_buf_u8(&text, (uint8_t)*sql);
			continue;
		}
		ent_cass_name(&text, m->keyspace);
		ent_buf_str(&text, ".\"_entente_checkpoint\"");
	}
	ENT_TRY(ent_buf_check(&text, err));
	ENT_TRY(ent_buf_check(values, err));
	struct ent_cass_run run = { .text = ent_buf_text(&text),
				    .values = ent_buf_bytes(values),
				    .n_values = n,
				    .conditional = true,
				    .what = "the checkpoint cannot be kept" };
	ENT_TRY(ent_cass_run(m->s, &run, ret_call, ret, err));
	return ret->kind == ENT_CQL_IS_ROWS ? 0 : ent_fail(err, ENT_EPEER, "Cassandra answers the checkpoint with something else");
}

/* A conditional write: whether it was done. */
static int decide(struct ent_cass_mark *m, const char *sql, const struct ent_buf *values, uint16_t n, bool *ret_applied, struct ent_err *err)
{
	ENT_CLEANUP(call_endp) struct ent_cass_call *c = NULL;
	struct ent_cql_event e;
	struct ent_bytes cell;
	ENT_TRY(ask(m, sql, values, n, &c, &e, err));
	if (!e.n_rows)
		return ent_fail(err, ENT_EPEER, "Cassandra does not say whether the checkpoint was kept");
	ENT_TRY(ent_cql_cell(&e.cells, &cell, err));
	*ret_applied = cell.len == 1 && cell.data[0];
	return 0;
}

static int64_t number(struct ent_bytes cell)
{
	struct ent_reader r = ent_reader(cell);
	return cell.len == 8 ? (int64_t)ent_read_be64(&r) : 0;
}

static void text_copy(struct ent_bytes cell, char *out, size_t size)
{
	snprintf(out, size, "%.*s", (int)cell.len, cell.data ? (const char *)cell.data : "");
}

int ent_cass_mark_last(struct ent_cass_mark *m, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err)
{
	ENT_CLEANUP(call_endp) struct ent_cass_call *c = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf values = ENT_BUF(1000);
	struct ent_cql_event e;
	struct ent_bytes cell[4];
	struct ent_sink_checkpoint p = { .size = sizeof p };
	ent_cql_put_text(&values, m->job);
	ent_cql_put_text(&values, part);
	ENT_TRY(ask(m, "SELECT \"cursor\", \"rows\", \"epoch\", \"hash\" FROM @ WHERE \"job\" = ? AND \"part\" = ?", &values, 2, &c, &e, err));
	if (!e.n_rows || e.out.n_columns != 4)
		return ent_fail(err, ENT_ENOTFOUND, "the job has no checkpoint for %.100s", part);
	for (size_t i = 0; i < 4; i++)
		ENT_TRY(ent_cql_cell(&e.cells, &cell[i], err));
	snprintf(p.part, sizeof p.part, "%s", part);
	text_copy(cell[0], p.cursor, sizeof p.cursor);
	p.rows = (uint64_t)number(cell[1]);
	p.epoch = (uint64_t)number(cell[2]);
	text_copy(cell[3], p.hash, sizeof p.hash);
	*ret = p;
	return 0;
}

/* The run's own row; *ret_there false when no run was before. */
static int run_look(struct ent_cass_mark *m, struct ent_sink_checkpoint *ret, bool *ret_there, struct ent_err *err)
{
	struct ent_err probe = ENT_ERR_INIT; /* no row is no failure, so err stays clean */
	int code = ent_cass_mark_last(m, ENT_SINK_EPOCH_PART, ret, &probe);
	if (code && code != ENT_ENOTFOUND && err)
		*err = probe;
	*ret_there = !code;
	return code == ENT_ENOTFOUND ? 0 : code;
}

/* --- epochs --- */

static int table_make(struct ent_cass_mark *m, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(4096);
	struct ent_cass_table *t;
	struct ent_err probe = ENT_ERR_INIT;
	char object[100];
	snprintf(object, sizeof object, "%s._entente_checkpoint", m->keyspace);
	ent_cass_tables_forget(m->s);
	int code = ent_cass_table_get(m->s, object, &t, &probe);
	if (code && code != ENT_ENOTFOUND && err)
		*err = probe;
	if (code != ENT_ENOTFOUND)
		return code;
	ENT_TRY(ent_cass_keyspace_make(m->s, m->keyspace, err));
	ent_buf_str(&sql, "CREATE TABLE IF NOT EXISTS ");
	ent_cass_name(&sql, m->keyspace);
	ent_buf_str(&sql, ".\"_entente_checkpoint\" (\"job\" text, \"part\" text, \"cursor\" text, \"rows\" bigint, \"epoch\" bigint, \"hash\" text, "
			  "PRIMARY KEY (\"job\", \"part\"))");
	return ent_cass_change(m->s, &sql, "the checkpoint table cannot be made", err);
}

/* One try to become the next run: *ret_done false when somebody was faster. */
static int epoch_step(struct ent_cass_mark *m, bool *ret_done, struct ent_err *err)
{
	static const char first[] =
		"INSERT INTO @ (\"cursor\", \"epoch\", \"job\", \"part\", \"rows\", \"hash\") VALUES (?, ?, ?, ?, 0, '') IF NOT EXISTS";
	static const char next[] = "UPDATE @ SET \"cursor\" = ?, \"epoch\" = ? WHERE \"job\" = ? AND \"part\" = ? IF \"epoch\" = ?";
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf values = ENT_BUF(1000);
	struct ent_sink_checkpoint old = { 0 };
	char base[ENT_VALUE_TEXT_MAX];
	int64_t before = 0, now = now_us();
	bool there;
	ENT_TRY(run_look(m, &old, &there, err));
	if (there)
		ent_int_parse(ent_bytes_str(old.cursor), &before);
	m->epoch = old.epoch + 1;
	m->base_us = now > before ? now : before + 1;
	ent_int_text(m->base_us, base);
	ent_cql_put_text(&values, base);
	ent_cql_put_i64(&values, (int64_t)m->epoch);
	ent_cql_put_text(&values, m->job);
	ent_cql_put_text(&values, ENT_SINK_EPOCH_PART);
	if (there)
		ent_cql_put_i64(&values, (int64_t)old.epoch);
	return decide(m, there ? next : first, &values, there ? 5 : 4, ret_done, err);
}

int ent_cass_mark_take(struct ent_cass_mark *m, uint64_t *epoch, struct ent_err *err)
{
	struct ent_sink_checkpoint row;
	bool done = false;
	ENT_TRY(table_make(m, err));
	if (*epoch) {
		bool there;
		ENT_TRY(run_look(m, &row, &there, err));
		if (!there || row.epoch != *epoch || !ent_int_parse(ent_bytes_str(row.cursor), &m->base_us))
			return ent_sink_overtaken(row.epoch, *epoch, err);
		m->epoch = *epoch;
		return 0;
	}
	for (unsigned i = 0; i < TRIES_MAX && !done; i++)
		ENT_TRY(epoch_step(m, &done, err));
	if (!done)
		return ent_fail(err, ENT_EAGAIN, "too many runs of this job begin at once");
	*epoch = m->epoch;
	return 0;
}

/* --- checkpoints --- */

int ent_cass_mark_commit(struct ent_cass_mark *m, const struct ent_sink_checkpoint *c, struct ent_err *err)
{
	static const char both[] =
		"BEGIN BATCH UPDATE @ SET \"epoch\" = ? WHERE \"job\" = ? AND \"part\" = ? IF \"epoch\" = ?; "
		"INSERT INTO @ (\"job\", \"part\", \"cursor\", \"rows\", \"epoch\", \"hash\") VALUES (?, ?, ?, ?, ?, ?); APPLY BATCH";
	static const char alone[] = "UPDATE @ SET \"epoch\" = ? WHERE \"job\" = ? AND \"part\" = ? IF \"epoch\" = ?";
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf values = ENT_BUF(4096);
	bool applied = false;
	ent_cql_put_i64(&values, (int64_t)m->epoch);
	ent_cql_put_text(&values, m->job);
	ent_cql_put_text(&values, ENT_SINK_EPOCH_PART);
	ent_cql_put_i64(&values, (int64_t)m->epoch);
	if (c) {
		ent_cql_put_text(&values, m->job);
		ent_cql_put_text(&values, c->part);
		ent_cql_put_text(&values, c->cursor);
		ent_cql_put_i64(&values, (int64_t)c->rows);
		ent_cql_put_i64(&values, (int64_t)m->epoch);
		ent_cql_put_text(&values, c->hash);
	}
	ENT_TRY(decide(m, c ? both : alone, &values, c ? 10 : 4, &applied, err));
#ifdef ENT_MUTANT_CASS_FENCE
	applied = true;
#endif
	return applied ? 0 : ent_sink_overtaken(0, m->epoch, err);
}

static int part_forget(struct ent_cass_mark *m, struct ent_bytes part, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf values = ENT_BUF(1000);
	bool applied;
	ent_cql_put_text(&values, m->job);
	ent_cql_put_value(&values, part);
	return decide(m, "DELETE FROM @ WHERE \"job\" = ? AND \"part\" = ? IF EXISTS", &values, 2, &applied, err);
}

int ent_cass_mark_forget(struct ent_cass_mark *m, struct ent_err *err)
{
	ENT_CLEANUP(call_endp) struct ent_cass_call *c = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf values = ENT_BUF(1000);
	struct ent_cql_event e;
	struct ent_bytes part;
	ENT_TRY(ent_cass_mark_commit(m, NULL, err)); /* an overtaken run forgets nothing */
	ent_cql_put_text(&values, m->job);
	ENT_TRY(ask(m, "SELECT \"part\" FROM @ WHERE \"job\" = ?", &values, 1, &c, &e, err));
	for (uint32_t i = 0; i < e.n_rows; i++) {
		ENT_TRY(ent_cql_cell(&e.cells, &part, err));
		if (!ent_bytes_eq(part, ent_bytes_str(ENT_SINK_EPOCH_PART)))
			ENT_TRY(part_forget(m, part, err));
	}
	return part_forget(m, ent_bytes_str(ENT_SINK_EPOCH_PART), err); /* last: until then the job can be seen to be this run's */
}
