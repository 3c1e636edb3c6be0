/* New files as changes: every row of a new file is an insert, and a file is one transaction. The cursor is the manifest of what was taken. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "folder.h"

#define PAUSE_MS 500 /* between two looks at the folder */
#define NAP_MS 20

struct follow_table {
	char *object;
	struct ArrowSchema schema; /* as it was told */
};

struct ent_changes {
	struct ent_source *source;
	struct follow_table *tables;
	size_t n_tables;
	struct ent_folder_cursor cursor;
	struct ent_folder_list list;
	size_t at;               /* the file whose turn it is */
	size_t table;            /* and the table it goes to */
	bool told, in_file, any; /* any: rows of it were given */
	struct ArrowArrayStream stream;
	uint64_t next_look_ms;
};

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void ent_folder_changes_close(struct ent_changes *c)
{
	if (!c)
		return;
	ent_stream_release(&c->stream);
	for (size_t i = 0; i < c->n_tables; i++) {
		ent_schema_release(&c->tables[i].schema);
		free(c->tables[i].object);
	}
	free(c->tables);
	ent_folder_list_deinit(&c->list);
	free(c);
}
static void changes_closep(struct ent_changes **c) { ent_folder_changes_close(*c); }

/* The folder as it is, without what is still being written. */
static int look(struct ent_source *s, struct ent_folder_list *ret, struct ent_err *err)
{
	ent_folder_list_deinit(ret);
	return ent_folder_list_read(&s->host, s->path, ent_folder_settled_ns(), ret, err);
}

static void cursor_of(const struct ent_folder_list *l, struct ent_folder_cursor *ret)
{
	*ret = (struct ent_folder_cursor){ 0 };
	for (size_t i = 0; i < l->n; i++)
		ent_folder_cursor_take(ret, &l->entries[i]);
}

int ent_folder_changes_open(struct ent_source *s, const struct ent_changes_spec *spec, struct ent_changes **ret, struct ent_err *err)
{
	ENT_CLEANUP(changes_closep) struct ent_changes *c = (struct ent_changes *)calloc(1, sizeof *c);
	if (!c || !(c->tables = (struct follow_table *)calloc(spec->n_objects + 1, sizeof *c->tables)))
		return ent_nomem(err);
	c->source = s;
	for (; c->n_tables < spec->n_objects; c->n_tables++)
		if (!(c->tables[c->n_tables].object = ent_strdup(spec->objects[c->n_tables])))
			return ent_nomem(err);
	if (spec->cursor && !ent_folder_cursor_parse(spec->cursor, &c->cursor))
		return ent_fail(err, ENT_EDATA, "this is no cursor of a folder: %.100s", spec->cursor);
	ENT_TRY(look(s, &c->list, err));
	if (!spec->cursor)
		cursor_of(&c->list, &c->cursor);
	ENT_TRY(ent_folder_cursor_check(&c->cursor, &c->list, &c->at, err));
	c->told = spec->cursor != NULL;
	*ret = c;
	c = NULL;
	return 0;
}

/* --- events --- */

/* The current file into the table whose turn it is. *ret: its columns are new, and e says so. */
static int table_begin(struct ent_changes *c, struct ent_event *e, bool *ret, struct ent_err *err)
{
	static const struct ent_folder_rows what = { .changes = true };
	struct follow_table *t = &c->tables[c->table];
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_TRY(ent_folder_rows_open(c->source, &c->list.entries[c->at], &what, &c->stream, err));
	ENT_TRY(ent_stream_schema(&c->stream, &schema, err));
	*ret = !ent_folder_schema_same(&t->schema, &schema);
	if (!*ret)
		return 0;
	e->kind = ENT_EVENT_SCHEMA;
	e->table = c->table;
	ENT_TRY(ent_schema_dup(&schema, &e->schema, err));
	ent_schema_release(&t->schema);
	t->schema = ent_schema_take(&schema);
	return 0;
}

static void file_end(struct ent_changes *c, struct ent_event *e)
{
	const struct ent_folder_entry *f = &c->list.entries[c->at++];
	ent_folder_cursor_take(&c->cursor, f);
	e->kind = c->any ? ENT_EVENT_COMMIT : ENT_EVENT_HEARTBEAT;
	e->time_us = c->any ? f->changed_ns / 1000 : 0;
	ent_folder_cursor_text(&c->cursor, e->cursor);
	c->in_file = c->any = false;
}

/* One step within the current file. *ret: e holds an event. */
static int file_step(struct ent_changes *c, struct ent_event *e, bool *ret, struct ent_err *err)
{
	const struct ent_folder_entry *f = &c->list.entries[c->at];
	while (!c->stream.release && c->table < c->n_tables && !ent_folder_matches(c->tables[c->table].object, f->name))
		c->table++;
	if (c->table == c->n_tables) {
		*ret = true;
		file_end(c, e);
		return 0;
	}
	if (!c->stream.release) {
		ENT_TRY(table_begin(c, e, ret, err));
		if (*ret)
			return 0;
	}
	ENT_TRY(ent_stream_next(&c->stream, &e->array, err));
	if (!e->array.release) {
		ent_stream_release(&c->stream);
		c->table++;
	} else if (!e->array.length) {
		ent_array_release(&e->array);
	} else {
		*ret = c->any = true;
		e->kind = ENT_EVENT_ROWS;
		e->table = c->table;
		e->time_us = f->changed_ns / 1000;
	}
	return 0;
}

static int step(struct ent_changes *c, struct ent_event *e, bool *ret, struct ent_err *err)
{
	if (c->in_file)
		return file_step(c, e, ret, err);
	if (c->at < c->list.n) {
		c->in_file = true;
		c->table = 0;
		return 0;
	}
	if (now_ms() < c->next_look_ms) {
		usleep(NAP_MS * 1000);
		return 0;
	}
	c->next_look_ms = now_ms() + PAUSE_MS;
	ENT_TRY(look(c->source, &c->list, err));
	return ent_folder_cursor_check(&c->cursor, &c->list, &c->at, err);
}

int ent_folder_changes_next(struct ent_changes *c, uint32_t timeout_ms, struct ent_event *ret, struct ent_err *err)
{
	const struct ent_host *h = &c->source->host;
	struct ent_event e = { .size = sizeof e, .kind = ENT_EVENT_IDLE };
	uint64_t until = now_ms() + timeout_ms;
	bool event = !c->told;
	if (!c->told) {
		c->told = true;
		e.kind = ENT_EVENT_HEARTBEAT;
		ent_folder_cursor_text(&c->cursor, e.cursor);
	}
	while (!event) {
		if (h->cancelled && h->cancelled(h->self))
			return ent_fail(err, ENT_ECANCELLED, "following the folder was cancelled");
		ENT_TRY(step(c, &e, &event, err));
		if (now_ms() >= until)
			break;
	}
	*ret = e;
	return 0;
}

int ent_folder_changes_ack(struct ent_changes *c, const char *cursor, struct ent_err *err)
{
	struct ent_folder_cursor at;
	(void)c; /* a folder keeps nothing for us */
	return ent_folder_cursor_parse(cursor, &at) ? 0 : ent_fail(err, ENT_EDATA, "this is no cursor of a folder: %.100s", cursor);
}

int ent_folder_changes_drop(struct ent_source *s, const char *job, struct ent_err *err)
{
	(void)s, (void)job, (void)err;
	return 0;
}

int ent_folder_position(struct ent_source *s, char ret[400], struct ent_err *err)
{
	ENT_CLEANUP(ent_folder_list_deinit) struct ent_folder_list l = { 0 };
	struct ent_folder_cursor c;
	ENT_TRY(look(s, &l, err));
	cursor_of(&l, &c);
	ent_folder_cursor_text(&c, ret);
	return 0;
}

int ent_folder_position_reached(const char *a, const char *b)
{
	struct ent_folder_cursor x, y;
	if (!ent_folder_cursor_parse(a, &x) || !ent_folder_cursor_parse(b, &y))
		return 0;
	return !x.n || (y.n && (x.changed_ns < y.changed_ns || (x.changed_ns == y.changed_ns && strcmp(x.name, y.name) <= 0)));
}
