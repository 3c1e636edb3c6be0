/* One change stream over all collections followed. Events gather into batches per table; a batch is followed by COMMIT with the token of its last
 * event, except between two batches of one transaction. The server keeps its log for everybody, so that acknowledging tells it nothing. */
#include "mongo_changes.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "mongo_event.h"
#include "mongo_infer.h"

#define AWAIT_MS 100
#define TABLES_MAX 512
#define TIME_ASKED_MS 500 /* between two questions for the server's time */

struct followed {
	char *object, db[65], name[256];
	struct ent_mongo_columns columns;
	struct ArrowSchema schema;
	struct ent_builder *builder;
	struct ent_mongo_decoder decoder;
	bool announced;
};

struct ent_changes {
	struct ent_source *source;
	struct followed *tables;
	size_t n_tables;
	mongoc_change_stream_t *stream;
	char cursor[ENT_MONGO_CURSOR_MAX]; /* behind the last event taken; "" none yet */
	char given[ENT_MONGO_CURSOR_MAX];  /* the last one given away */
	bson_t *ahead;                     /* an event read, not yet taken */
	bson_t *last;                      /* the last event taken, while its transaction may go on */
	size_t open;                       /* table of the batch being filled; n_tables: none */
	bool uncommitted;
	int64_t time_us;
	unsigned attempt;
	char told[ENT_MONGO_CURSOR_MAX];  /* the stream's token when it was last looked at */
	char asked[ENT_MONGO_CURSOR_MAX]; /* the server's time, asked before the stream was found empty; "" not asked */
	uint64_t asked_ms;
};

static void followed_deinit(struct followed *t)
{
	ent_mongo_decoder_deinit(&t->decoder);
	ent_builder_free(t->builder);
	ent_schema_release(&t->schema);
	ent_mongo_columns_deinit(&t->columns);
	free(t->object);
}

void ent_mongo_changes_close(struct ent_changes *c)
{
	if (!c)
		return;
	mongoc_change_stream_destroy(c->stream);
	for (size_t i = 0; i < c->n_tables; i++)
		followed_deinit(&c->tables[i]);
	ent_mongo_bson_freep(&c->ahead);
	ent_mongo_bson_freep(&c->last);
	free(c->tables);
	free(c);
}
static void changes_closep(struct ent_changes **c) { ent_mongo_changes_close(*c); }

/* --- the shape of a table's changes --- */

static void fields_freep(struct ent_field **f) { free(*f); }

/* entente.op, entente.unchanged, then the columns, all but the key nullable: a deleted row has its key only. */
static int schema_make(const struct ent_mongo_columns *columns, struct ArrowSchema *ret, struct ent_err *err)
{
	ENT_CLEANUP(fields_freep) struct ent_field *f = (struct ent_field *)calloc(columns->n + 2, sizeof *f);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf keys = ENT_BUF(1 << 16);
	if (!f)
		return ent_nomem(err);
	f[0] = (struct ent_field){ .name = "entente.op", .type = { .id = ENT_T_TEXT } };
	f[1] = (struct ent_field){ .name = "entente.unchanged", .type = { .id = ENT_T_TEXT }, .nullable = true };
	for (size_t i = 0; i < columns->n; i++) {
		const struct ent_mongo_column *m = &columns->all[i];
		f[i + 2] = (struct ent_field){ .name = m->name, .type = m->type, .nullable = !m->key, .native = m->native };
		if (m->key)
			ent_buf_printf(&keys, "%s%s", keys.len ? "\t" : "", m->name);
	}
	ENT_TRY(ent_buf_check(&keys, err));
	ENT_TRY(ent_schema_new(f, columns->n + 2, ent_buf_text(&keys), ret, err));
	return ent_schema_meta_add(ret, ENT_META_STORE, "mongodb", err);
}

static int followed_shape(struct followed *t, struct ent_err *err)
{
	struct ent_mongo_node *tree;
	uint64_t rows = t->decoder.rows;
	ent_mongo_decoder_deinit(&t->decoder);
	ent_builder_free(t->builder);
	t->builder = NULL;
	ent_schema_release(&t->schema);
	ENT_TRY(ent_mongo_tree(&t->columns, &tree, err));
	ENT_TRY(schema_make(&t->columns, &t->schema, err));
	ENT_TRY(ent_builder_new(&t->schema, 0, &t->builder, err));
	t->decoder = (struct ent_mongo_decoder){ .columns = &t->columns, .tree = tree, .builder = t->builder, .first_column = 2, .strict = true };
	t->announced = false;
	ENT_TRY(ent_mongo_decoder_init(&t->decoder, err));
	t->decoder.rows = rows;
	return 0;
}

static int followed_open(struct ent_source *s, struct followed *t, const char *object, struct ent_err *err)
{
	struct ent_mongo_table *known;
	ENT_TRY(ent_mongo_table_get(s, object, &known, err));
	if (!known->there)
		return ent_fail(err, ENT_ENOTFOUND, "there is no collection %.200s", object);
	snprintf(t->db, sizeof t->db, "%s", known->db);
	snprintf(t->name, sizeof t->name, "%s", known->name);
	if (!(t->object = ent_strdup(object)))
		return ent_nomem(err);
	ENT_TRY(ent_mongo_columns_init(&t->columns, err));
	for (size_t i = 0; i < known->columns.n; i++)
		ENT_TRY(ent_mongo_column_add(&t->columns, &known->columns.all[i], err));
	return followed_shape(t, err);
}

/* --- the stream --- */

/* One collection is watched itself; several by their database, the others left out at the server. */
static bson_t *pipeline_make(const struct ent_changes *c)
{
	bson_t *p = bson_new(), stages, stage, match, any, one, name, in;
	if (c->n_tables == 1)
		return p;
	BSON_APPEND_ARRAY_BEGIN(p, "pipeline", &stages);
	BSON_APPEND_DOCUMENT_BEGIN(&stages, "0", &stage);
	BSON_APPEND_DOCUMENT_BEGIN(&stage, "$match", &match);
	BSON_APPEND_ARRAY_BEGIN(&match, "$or", &any);
	BSON_APPEND_DOCUMENT_BEGIN(&any, "0", &one);
	BSON_APPEND_DOCUMENT_BEGIN(&one, "ns.coll", &name);
	BSON_APPEND_ARRAY_BEGIN(&name, "$in", &in);
	for (size_t i = 0; i < c->n_tables; i++) {
		char index[24];
		snprintf(index, sizeof index, "%zu", i);
		BSON_APPEND_UTF8(&in, index, c->tables[i].name);
	}
	bson_append_array_end(&name, &in);
	bson_append_document_end(&one, &name);
	bson_append_document_end(&any, &one);
	BSON_APPEND_DOCUMENT_BEGIN(&any, "1", &one);
	BCON_APPEND(&one, "operationType", "{", "$in", "[", BCON_UTF8("invalidate"), BCON_UTF8("dropDatabase"), "]", "}");
	bson_append_document_end(&any, &one);
	bson_append_array_end(&match, &any);
	bson_append_document_end(&stage, &match);
	bson_append_document_end(&stages, &stage);
	bson_append_array_end(p, &stages);
	return p;
}

static int lost(const bson_error_t *e, struct ent_err *err)
{
	static const uint32_t codes[] = { 136, 222, 234, 260, 280, 286 };
	for (size_t i = 0; e->domain == MONGOC_ERROR_SERVER && i < ENT_COUNT(codes); i++) {
		if (codes[i] != e->code)
			continue;
		ent_fail(err, ENT_EDATA, "MongoDB's log no longer holds the position of this replication");
		ent_why(err, "%.300s (server code %u)", e->message, e->code);
		if (err)
			err->vendor = (int)e->code;
		return ent_next(err, "start it again with a fresh copy, and let the oplog keep more"), ENT_EDATA;
	}
	return ent_mongo_fail(e, "the change stream stopped", err);
}

static int stream_open(struct ent_changes *c, struct ent_err *err)
{
	ENT_BSON_AUTO pipeline = pipeline_make(c);
	ENT_BSON_AUTO opts = BCON_NEW("fullDocument", BCON_UTF8("updateLookup"), "maxAwaitTimeMS", BCON_INT64(AWAIT_MS));
	if (c->cursor[0])
		ENT_TRY(ent_mongo_cursor_options(c->cursor, opts, err));
	mongoc_change_stream_destroy(c->stream);
	c->stream = NULL;
	if (c->n_tables == 1) {
		ENT_COLLECTION_AUTO in = mongoc_client_get_collection(c->source->client, c->tables[0].db, c->tables[0].name);
		c->stream = mongoc_collection_watch(in, pipeline, opts);
	} else {
		mongoc_database_t *db = mongoc_client_get_database(c->source->client, c->tables[0].db);
		c->stream = mongoc_database_watch(db, pipeline, opts);
		mongoc_database_destroy(db);
	}
	const bson_t *why;
	bson_error_t e;
	return mongoc_change_stream_error_document(c->stream, &e, &why) ? lost(&e, err) : 0;
}

int ent_mongo_changes_open(struct ent_source *s, const struct ent_changes_spec *spec, struct ent_changes **ret, struct ent_err *err)
{
	ENT_CLEANUP(changes_closep) struct ent_changes *c = (struct ent_changes *)calloc(1, sizeof *c);
	if (!c || !(c->tables = (struct followed *)calloc(spec->n_objects + 1, sizeof *c->tables)))
		return ent_nomem(err);
	if (!spec->n_objects || spec->n_objects > TABLES_MAX)
		return ent_fail(err, ENT_EUSAGE, "a replication follows 1 to %d collections", TABLES_MAX);
	c->source = s;
	ent_mongo_tables_forget(s);
	for (size_t i = 0; i < spec->n_objects; i++) {
		c->n_tables++;
		ENT_TRY(followed_open(s, &c->tables[i], spec->objects[i], err));
		if (strcmp(c->tables[i].db, c->tables[0].db) != 0)
			return ent_fail(err, ENT_EUNSUPPORTED, "one replication follows collections of one database");
	}
	c->open = c->n_tables;
	snprintf(c->cursor, sizeof c->cursor, "%s", spec->cursor ? spec->cursor : "");
	snprintf(c->given, sizeof c->given, "%s", c->cursor);
	ENT_TRY(stream_open(c, err));
	*ret = c;
	c = NULL;
	return 0;
}

/* The connection broke: again from behind the last event taken. */
static int stream_again(struct ent_changes *c, const bson_error_t *e, struct ent_err *err)
{
	if (!ent_mongo_lost(e) || c->attempt >= ENT_MONGO_ATTEMPTS || !c->cursor[0])
		return lost(e, err);
	mongoc_change_stream_destroy(c->stream);
	c->stream = NULL;
	ENT_TRY(ent_mongo_reconnect(c->source, c->attempt++, err));
	return stream_open(c, err);
}

/* The next event into ahead, if one is there within the server's short wait. */
static int event_fetch(struct ent_changes *c, struct ent_err *err)
{
	const bson_t *doc, *why;
	bson_error_t e;
	if (c->ahead)
		return 0;
	if (mongoc_change_stream_next(c->stream, &doc)) {
		c->attempt = 0;
		c->ahead = bson_copy(doc);
		return 0;
	}
	return mongoc_change_stream_error_document(c->stream, &e, &why) ? stream_again(c, &e, err) : 0;
}

/* --- events to rows --- */

static size_t table_of(const struct ent_changes *c, const struct ent_mongo_event *e)
{
	for (size_t i = 0; i < c->n_tables; i++)
		if (!strcmp(c->tables[i].name, e->collection) && !strcmp(c->tables[i].db, e->db))
			return i;
	return c->n_tables;
}

static int stopped(const struct ent_mongo_event *e, struct ent_err *err)
{
	ent_fail(err, ENT_EDATA, "a collection that is followed is no longer what it was");
	ent_why(err, "MongoDB says: %.40s", e->name);
	return ent_next(err, "start the replication again with a fresh copy"), ENT_EDATA;
}

/* The event is behind us: its token is where to go on. */
static int event_pass(struct ent_changes *c, struct ent_err *err)
{
	bson_iter_t at;
	bson_t token;
	uint32_t len;
	const uint8_t *data;
	if (!bson_iter_init_find(&at, c->ahead, "_id") || !BSON_ITER_HOLDS_DOCUMENT(&at))
		return ent_fail(err, ENT_EDATA, "MongoDB sent a change without a resume token");
	bson_iter_document(&at, &len, &data);
	if (!bson_init_static(&token, data, len))
		return ent_fail(err, ENT_EDATA, "MongoDB sent a change without a resume token");
	ENT_TRY(ent_mongo_cursor_text(&token, c->cursor, err));
	ent_mongo_bson_freep(&c->last);
	c->last = c->ahead;
	c->ahead = NULL;
	return 0;
}

static int row_put(struct followed *t, const struct ent_mongo_event *e, const bson_t *doc, struct ent_err *err)
{
	const char *op = e->kind == ENT_ME_INSERT ? "I" : e->kind == ENT_ME_UPDATE ? "U" : "D";
	ENT_TRY(ent_builder_text(t->builder, 0, ent_bytes_str(op), err));
	ENT_TRY(ent_builder_null(t->builder, 1, err));
	t->decoder.strict = e->kind != ENT_ME_DELETE;
	return e->kind == ENT_ME_DELETE ? ent_mongo_decode_key(&t->decoder, doc, err) : ent_mongo_decode(&t->decoder, doc, err);
}

/* Fields that no column reads become new columns. */
static int columns_grow(struct followed *t, const bson_t *doc, struct ent_err *err)
{
	ENT_CLEANUP(ent_mongo_sample_freep) struct ent_mongo_sample *sample = NULL;
	size_t before = t->columns.n;
	ENT_TRY(ent_mongo_sample_new(&sample, err));
	ENT_TRY(ent_mongo_sample_add(sample, doc, err));
	ENT_TRY(ent_mongo_sample_columns(sample, &t->columns, err));
	return t->columns.n > before ? followed_shape(t, err) : 0; /* else decoding says which field it is */
}

/* --- giving away --- */

static int rows_give(struct ent_changes *c, struct ent_event *ret, struct ent_err *err)
{
	struct followed *t = &c->tables[c->open];
	ENT_TRY(ent_builder_finish(t->builder, &ret->array, err));
	ret->kind = ENT_EVENT_ROWS;
	ret->table = c->open;
	ret->time_us = c->time_us;
	c->open = c->n_tables;
	c->uncommitted = true;
	return 0;
}

static int schema_give(struct ent_changes *c, size_t table, struct ent_event *ret, struct ent_err *err)
{
	struct followed *t = &c->tables[table];
	ENT_TRY(ent_schema_dup(&t->schema, &ret->schema, err));
	ret->kind = ENT_EVENT_SCHEMA;
	ret->table = table;
	t->announced = true;
	return 0;
}

static void mark_give(struct ent_changes *c, enum ent_event_kind kind, struct ent_event *ret)
{
	ret->kind = kind;
	ret->time_us = c->time_us;
	snprintf(ret->cursor, sizeof ret->cursor, "%s", c->cursor);
	snprintf(c->given, sizeof c->given, "%s", c->cursor);
	c->uncommitted = false;
}

/* Takes the event ahead into the batch, or gives what must go before it. *ret_given: ret is filled. */
static int event_take(struct ent_changes *c, struct ent_event *ret, bool *ret_given, struct ent_err *err)
{
	struct ent_mongo_event e, before;
	bson_t doc;
	*ret_given = false;
	ENT_TRY(ent_mongo_event_read(c->ahead, &e, err));
	bool batch = c->open < c->n_tables;
	bool together = c->last && !ent_mongo_event_read(c->last, &before, NULL) && ent_mongo_event_together(&before, &e);
	size_t table = e.kind <= ENT_ME_DELETE ? table_of(c, &e) : c->n_tables;
	bool row = table < c->n_tables && !(e.kind == ENT_ME_UPDATE && !e.has_full);
	struct followed *t = row ? &c->tables[table] : NULL;
	struct ent_bytes raw = e.kind == ENT_ME_DELETE ? e.key : e.full;
	if (row && !bson_init_static(&doc, raw.data, raw.len))
		return ent_fail(err, ENT_EDATA, "MongoDB sent a change whose document is not well formed");
	bool grows = row && e.kind != ENT_ME_DELETE && !ent_mongo_knows(t->decoder.tree, &doc);
	*ret_given = true;
	if (batch && (e.kind == ENT_ME_STOP || (row && (table != c->open || grows || ent_builder_full(t->builder)))))
		return rows_give(c, ret, err);
	if (c->uncommitted && !batch && !together)
		return mark_give(c, ENT_EVENT_COMMIT, ret), 0;
	if (e.kind == ENT_ME_STOP)
		return stopped(&e, err);
	if (grows)
		ENT_TRY(columns_grow(t, &doc, err));
	if (row && !t->announced)
		return schema_give(c, table, ret, err);
	*ret_given = false;
	if (row) {
		ENT_TRY(row_put(t, &e, &doc, err));
		c->open = table;
		c->time_us = e.time_us;
	}
	return event_pass(c, err);
}

/* A server before 4.0.7 gives no token without an event: the time of its last operation, else its clock. Going on from a time repeats what happened
 * in it, which the key makes harmless. clock_only: nothing (ret "") from a server that tells its last operation, for that may not be decided yet. */
static int position_by_time(struct ent_source *s, bool clock_only, char ret[400], struct ent_err *err)
{
	bson_t reply;
	bson_iter_t at;
	bson_error_t e;
	uint32_t seconds = 0, count = 0;
	ENT_BSON_AUTO command = BCON_NEW("isMaster", BCON_INT32(1));
	bool ok = mongoc_client_command_simple(s->client, "admin", command, NULL, &reply, &e);
	bool decided = !(clock_only && ok && bson_has_field(&reply, "operationTime"));
	ret[0] = 0;
	if (ok && bson_iter_init_find(&at, &reply, "operationTime") && BSON_ITER_HOLDS_TIMESTAMP(&at))
		bson_iter_timestamp(&at, &seconds, &count);
	else if (ok && bson_iter_init_find(&at, &reply, "localTime") && BSON_ITER_HOLDS_DATE_TIME(&at))
		seconds = (uint32_t)(bson_iter_date_time(&at) / 1000);
	bson_destroy(&reply);
	if (!ok)
		return ent_mongo_fail(&e, "the server's time cannot be read", err);
	if (!seconds)
		return ent_fail(err, ENT_EUNSUPPORTED, "the server does not tell a position in its log");
	if (decided)
		snprintf(ret, 400, "t:%u:%u", seconds, count);
	return 0;
}

/* How far the log is, of a server without tokens: its time, asked before the stream was found empty once more. */
static int time_pass(struct ent_changes *c, struct ent_err *err)
{
	if (c->asked[0]) {
		if (!c->cursor[0] || !ent_mongo_cursor_reached(c->asked, c->cursor))
			snprintf(c->cursor, sizeof c->cursor, "%s", c->asked);
		c->asked[0] = 0;
		return 0;
	}
	if (ent_mongo_now_ms() - c->asked_ms < TIME_ASKED_MS)
		return 0;
	c->asked_ms = ent_mongo_now_ms();
	return position_by_time(c->source, true, c->asked, err);
}

/* Nothing is waiting: what is gathered goes out, then its end, then how far the log is. */
static int idle_give(struct ent_changes *c, struct ent_event *ret, bool *ret_given, struct ent_err *err)
{
	const bson_t *token;
	char behind[ENT_MONGO_CURSOR_MAX] = "";
	*ret_given = true;
	if (c->open < c->n_tables)
		return rows_give(c, ret, err);
	if (c->uncommitted)
		return mark_give(c, ENT_EVENT_COMMIT, ret), 0;
	token = mongoc_change_stream_get_resume_token(c->stream);
	if (token)
		ENT_TRY(ent_mongo_cursor_text(token, behind, err));
	if (token && strcmp(behind, c->told) != 0) { /* the token moves: it is the one to go by */
		snprintf(c->told, sizeof c->told, "%s", behind);
		snprintf(c->cursor, sizeof c->cursor, "%s", behind);
	} else {
		ENT_TRY(time_pass(c, err));
	}
	if (strcmp(c->cursor, c->given) != 0)
		return mark_give(c, ENT_EVENT_HEARTBEAT, ret), 0;
	*ret_given = false;
	return 0;
}

int ent_mongo_changes_next(struct ent_changes *c, uint32_t timeout_ms, struct ent_event *ret, struct ent_err *err)
{
	uint64_t begin = ent_mongo_now_ms();
	struct ent_event event = { .size = sizeof event, .kind = ENT_EVENT_IDLE };
	bool given = false;
	while (!given) {
		ENT_TRY(ent_mongo_cancelled(c->source, err));
		ENT_TRY(event_fetch(c, err));
		ENT_TRY(c->ahead ? event_take(c, &event, &given, err) : idle_give(c, &event, &given, err));
		if (given || c->ahead)
			continue;
		uint64_t passed = ent_mongo_now_ms() - begin;
		if (passed >= timeout_ms && c->open == c->n_tables && !c->uncommitted)
			break;
		if (c->open == c->n_tables)
			ent_mongo_sleep(c->source, timeout_ms - passed < 20 ? (unsigned)(timeout_ms - passed) : 20);
	}
	*ret = event;
	return 0;
}

int ent_mongo_changes_ack(struct ent_changes *c, const char *cursor, struct ent_err *err)
{
	(void)c;
	(void)cursor;
	(void)err;
	return 0; /* the server keeps its log by size and time */
}

int ent_mongo_changes_drop(struct ent_source *s, const char *job, struct ent_err *err)
{
	(void)s;
	(void)job;
	(void)err;
	return 0; /* it keeps nothing for a job */
}

/* --- the end of the log --- */

int ent_mongo_position(struct ent_source *s, char ret[400], struct ent_err *err)
{
	const char *db = mongoc_uri_get_database(s->uri);
	const bson_t *doc, *why, *token;
	bson_error_t e;
	ENT_BSON_AUTO none = bson_new();
	ENT_BSON_AUTO opts = BCON_NEW("maxAwaitTimeMS", BCON_INT64(1));
	mongoc_database_t *in = mongoc_client_get_database(s->client, db ? db : "admin");
	mongoc_change_stream_t *stream = db ? mongoc_database_watch(in, none, opts) : mongoc_client_watch(s->client, none, opts);
	(void)mongoc_change_stream_next(stream, &doc);
	int code = mongoc_change_stream_error_document(stream, &e, &why) ? lost(&e, err) : 0;
	token = code ? NULL : mongoc_change_stream_get_resume_token(stream);
	if (token)
		code = ent_mongo_cursor_text(token, ret, err);
	bool by_time = !code && !token;
	mongoc_change_stream_destroy(stream);
	mongoc_database_destroy(in);
	return by_time ? position_by_time(s, false, ret, err) : code;
}
