/* The stream of changes: packets of the log in, events out. Small transactions go together while more bytes are already there. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "my_changes.h"

#define RETAINED_EVERY_MS 5000

static void changes_closep(struct ent_changes **c) { ent_my_changes_close(*c); }

void ent_my_changes_close(struct ent_changes *c)
{
	if (!c)
		return;
	if (c->log)
		mariadb_cancel(c->log); /* the server would send on until the end of time */
	ent_my_closep(&c->log);
	for (size_t i = 0; i < c->n_tables; i++) {
		ent_my_followed_forget(&c->tables[i]);
		ent_my_map_deinit(&c->tables[i].map);
		ent_my_table_deinit(&c->tables[i].there);
		free(c->tables[i].object);
	}
	for (size_t i = c->first_waiting; i < c->n_waiting; i++) {
		ent_array_release(&c->waiting[i].array);
		ent_schema_release(&c->waiting[i].schema);
	}
	ent_buf_deinit(&c->scratch);
	free(c->waiting);
	free(c->tables);
	free(c);
}

static int table_follow(struct ent_changes *c, const char *object, struct ent_err *err)
{
	struct ent_my_followed *f = &c->tables[c->n_tables];
	f->object = ent_strdup(object);
	if (!f->object)
		return ent_nomem(err);
	c->n_tables++;
	ENT_TRY(ent_my_object_split(c->source, object, f->database, f->table, err));
	ENT_TRY(ent_my_table_read(c->source->con, c->source, object, &f->there, err));
	return ent_my_followable(c, f, err);
}

/* Bytes of log behind the cursor, asked for now and then. */
static void retained_ask(struct ent_changes *c)
{
	ENT_CLEANUP(ent_my_result_freep) MYSQL_RES *r = NULL;
	struct ent_my_cursor at;
	uint64_t now = ent_dial_now_ms(), sum = 0;
	bool behind = false;
	if ((c->retained_at_ms && now - c->retained_at_ms < RETAINED_EVERY_MS) || !ent_my_cursor_parse(c->cursor, &at))
		return;
	c->retained_at_ms = now;
	if (ent_my_ready(c->source, NULL) || ent_my_run(c->source->con, ent_bytes_str("SHOW BINARY LOGS"), &r, "", NULL) || !r)
		return; /* without the right to look: unknown */
	for (MYSQL_ROW row = mysql_fetch_row(r); row; row = mysql_fetch_row(r)) {
		uint64_t size = row[1] ? strtoull(row[1], NULL, 10) : 0;
		bool here = row[0] && !strcmp(row[0], at.file);
		sum += here && size > at.position ? size - at.position : behind ? size : 0;
		behind = behind || here;
	}
	c->retained = sum;
}

/* Bytes are there already; a library's own store of them is not seen, which only makes a batch smaller. */
static bool more_there(const struct ent_changes *c)
{
	struct pollfd p = { .fd = mysql_get_socket(c->log), .events = POLLIN };
	return poll(&p, 1, 0) > 0;
}

static int packet_read(struct ent_changes *c, struct ent_bytes *ret, struct ent_err *err)
{
	unsigned long n = mysql_net_read_packet(c->log);
	if (n == packet_error) {
		int code = ent_my_fail(c->log, "the binary log cannot be read on", err);
		return code == ENT_EDATA ? ent_next(err, "its file was purged or begun anew; begin anew, too: entente replicate run ... --restart"),
		       code              : code;
	}
	const uint8_t *p = c->log->net.read_pos;
	if (n < 2 || (p[0] == 0xfe && n < 9))
		return ent_fail(err, ENT_EIO, "the server ended the binary log");
	*ret = ent_bytes(p + 1, n - 1);
	return p[0] == 0 ? 0 : ent_fail(err, ENT_EIO, "the server sent something else than its binary log");
}

/* Up to the head of the file: a log that is gone, or begun anew, is told when the stream opens. */
static int head_read(struct ent_changes *c, struct ent_err *err)
{
	struct ent_bytes packet;
	for (int i = 0; i < 10 && !c->headed; i++) {
		ENT_TRY(ent_my_cancelled(c->source, err));
		ENT_TRY(packet_read(c, &packet, err));
		ENT_TRY(ent_my_follow(c, packet, err));
	}
	return 0;
}

int ent_my_changes_open(struct ent_source *s, const struct ent_changes_spec *spec, struct ent_changes **ret, struct ent_err *err)
{
	ENT_TRY(ent_my_ready(s, err));
	ENT_CLEANUP(changes_closep) struct ent_changes *c = (struct ent_changes *)calloc(1, sizeof *c);
	if (!c)
		return ent_nomem(err);
	c->source = s;
	ent_buf_init(&c->scratch, ENT_BATCH_BYTES_HARD);
	snprintf(c->job, sizeof c->job, "%s", spec->job);
	c->tables = (struct ent_my_followed *)calloc(spec->n_objects + 1, sizeof *c->tables);
	if (!c->tables)
		return ent_nomem(err);
	for (size_t i = 0; i < spec->n_objects; i++)
		ENT_TRY(table_follow(c, spec->objects[i], err));
	ENT_TRY(ent_my_log_whole(c, err));
	ENT_TRY(ent_my_log_begin(c, spec->cursor, err));
	ENT_TRY(head_read(c, err));
	*ret = c;
	c = NULL;
	return 0;
}

static bool waiting_take(struct ent_changes *c, struct ent_event *ret)
{
	if (c->first_waiting == c->n_waiting)
		return false;
	*ret = c->waiting[c->first_waiting++];
	if (c->first_waiting == c->n_waiting)
		c->first_waiting = c->n_waiting = 0;
	return true;
}

/* Nothing to hand over in time: how far the log was read without change, or nothing at all. */
static int quiet(struct ent_changes *c, struct ent_event *ret)
{
	*ret = (struct ent_event){ .size = sizeof *ret, .kind = ENT_EVENT_IDLE };
	retained_ask(c);
	ret->retained_bytes = c->retained;
	if (c->in_transaction || c->rows)
		return 0;
	ret->kind = ENT_EVENT_HEARTBEAT;
	ret->time_us = c->time_us;
	c->advanced = false;
	snprintf(ret->cursor, sizeof ret->cursor, "%s", c->cursor);
	return 0;
}

static int step(struct ent_changes *c, struct ent_err *err)
{
	struct ent_bytes packet;
	ENT_TRY(ent_my_cancelled(c->source, err));
	ENT_TRY(packet_read(c, &packet, err));
	ENT_TRY(ent_my_follow(c, packet, err));
	bool whole = c->rows && c->advanced && !c->in_transaction;
	return whole && !more_there(c) ? ent_my_flush(c, err) : 0;
}

/* Whole transactions that came before a failure are still handed over. */
static void failure_keep(struct ent_changes *c, const struct ent_err *e)
{
	c->failure = *e;
	if (c->rows && c->advanced && !c->in_transaction)
		(void)ent_my_flush(c, NULL);
}

int ent_my_changes_next(struct ent_changes *c, uint32_t timeout_ms, struct ent_event *ret, struct ent_err *err)
{
	uint64_t end = ent_dial_now_ms() + timeout_ms;
	while (!waiting_take(c, ret)) {
		struct ent_err e = ENT_ERR_INIT;
		if (c->failure.code) {
			if (err)
				*err = c->failure;
			return c->failure.code;
		}
		if (ent_dial_now_ms() >= end)
			return quiet(c, ret);
		if (step(c, &e))
			failure_keep(c, &e);
	}
	return 0;
}

int ent_my_changes_ack(struct ent_changes *c, const char *cursor, struct ent_err *err)
{
	struct ent_my_cursor at;
	(void)c; /* the server keeps its log by its own rule */
	return ent_my_cursor_parse(cursor, &at) ? 0 : ent_fail(err, ENT_EDATA, "this is no cursor of a MySQL log: %.100s", cursor);
}

int ent_my_changes_drop(struct ent_source *s, const char *job, struct ent_err *err)
{
	(void)s;
	(void)job;
	(void)err;
	return 0; /* nothing is kept for a job */
}
