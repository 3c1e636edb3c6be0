/* The checkpoints of a job: documents {_id: {job, part}, cursor, rows, epoch, hash} in _entente_checkpoint of the target's database. The job's part
 * "entente.epoch" holds the highest epoch; writing a checkpoint, and sending rows before it, ask for it first. */
#include <stdio.h>

#include "mongo_sink.h"

static bson_t *id_filter(const struct ent_sink *k, const char *part)
{
	return BCON_NEW("_id", "{", "job", BCON_UTF8(k->job), "part", BCON_UTF8(part), "}");
}

static bool number_of(const bson_t *doc, const char *path, int64_t *ret)
{
	bson_iter_t at, found;
	if (!bson_iter_init(&at, doc) || !bson_iter_find_descendant(&at, path, &found) ||
	    (!BSON_ITER_HOLDS_INT64(&found) && !BSON_ITER_HOLDS_INT32(&found)))
		return false;
	*ret = bson_iter_as_int64(&found);
	return true;
}

static int epoch_next(struct ent_sink *k, struct ent_err *err)
{
	bson_t reply;
	int64_t epoch = 0;
	ENT_BSON_AUTO filter = id_filter(k, ENT_SINK_EPOCH_PART);
	ENT_BSON_AUTO command = BCON_NEW("findAndModify", BCON_UTF8(ENT_MONGO_CHECKPOINTS), "query", BCON_DOCUMENT(filter), "update", "{", "$inc",
					 "{", "epoch", BCON_INT64(1), "}", "}", "new", BCON_BOOL(true), "upsert", BCON_BOOL(true));
	ENT_TRY(ent_mongo_command(k->source, k->db, command, &reply, "the job's epoch cannot be taken", err));
	bool ok = number_of(&reply, "value.epoch", &epoch) && epoch > 0;
	bson_destroy(&reply);
	k->epoch = (uint64_t)epoch;
	return ok ? 0 : ent_fail(err, ENT_EDATA, "the job's epoch in " ENT_MONGO_CHECKPOINTS " is not understood");
}

int ent_mongo_epoch_take(struct ent_sink *k, uint64_t *epoch, struct ent_err *err)
{
	k->epoch = *epoch;
	if (*epoch)
		return ent_mongo_fence(k, err);
	ENT_TRY(epoch_next(k, err));
	*epoch = k->epoch;
	return 0;
}

/* The first document of a query of ours; false in *ret_found when there is none. */
static int one_find(struct ent_sink *k, const bson_t *filter, bson_t *ret, bool *ret_found, struct ent_err *err)
{
	for (unsigned attempt = 0;; attempt++) {
		const bson_t *doc;
		bson_error_t e;
		mongoc_collection_t *c = mongoc_client_get_collection(k->source->client, k->db, ENT_MONGO_CHECKPOINTS);
		mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(c, filter, NULL, NULL);
		*ret_found = mongoc_cursor_next(cursor, &doc);
		if (*ret_found)
			bson_copy_to(doc, ret);
		bool failed = !*ret_found && mongoc_cursor_error(cursor, &e);
		mongoc_cursor_destroy(cursor);
		mongoc_collection_destroy(c);
		if (!failed)
			return 0;
		if (!ent_mongo_lost(&e) || attempt + 1 >= ENT_MONGO_ATTEMPTS)
			return ent_mongo_fail(&e, "the checkpoints cannot be read", err);
		ENT_TRY(ent_mongo_reconnect(k->source, attempt, err));
	}
}

int ent_mongo_fence(struct ent_sink *k, struct ent_err *err)
{
	bson_t doc;
	bool found;
	int64_t now = 0;
#ifdef ENT_MUTANT_MONGO_NO_FENCE
	return 0;
#endif
	ENT_BSON_AUTO filter = id_filter(k, ENT_SINK_EPOCH_PART);
	ENT_TRY(one_find(k, filter, &doc, &found, err));
	bool ours = found && number_of(&doc, "epoch", &now) && (uint64_t)now == k->epoch;
	if (found)
		bson_destroy(&doc);
	return ours ? 0 : ent_sink_overtaken(0, k->epoch, err);
}

/* The condition "not of a later run" and the replacement are one step at the server: a later run's checkpoint makes the upsert a double key. */
static int put_once(struct ent_sink *k, const bson_t *filter, const bson_t *doc, bson_error_t *e)
{
	ENT_BSON_AUTO opts = BCON_NEW("upsert", BCON_BOOL(true));
	ENT_COLLECTION_AUTO c = mongoc_client_get_collection(k->source->client, k->db, ENT_MONGO_CHECKPOINTS);
	return mongoc_collection_replace_one(c, filter, doc, opts, NULL, e) ? 0 : -1;
}

int ent_mongo_checkpoint_put(struct ent_sink *k, const struct ent_sink_checkpoint *c, struct ent_err *err)
{
	bson_error_t e;
	ENT_BSON_AUTO filter = id_filter(k, c->part);
	ENT_BSON_AUTO doc = id_filter(k, c->part);
	bson_t range;
	BSON_APPEND_DOCUMENT_BEGIN(filter, "epoch", &range);
	BSON_APPEND_INT64(&range, "$lte", (int64_t)k->epoch);
	bson_append_document_end(filter, &range);
	BSON_APPEND_UTF8(doc, "cursor", c->cursor);
	BSON_APPEND_INT64(doc, "rows", (int64_t)c->rows);
	BSON_APPEND_INT64(doc, "epoch", (int64_t)k->epoch);
	BSON_APPEND_UTF8(doc, "hash", c->hash);
	for (unsigned attempt = 0; put_once(k, filter, doc, &e); attempt++) {
		if (e.code == 11000)
			return ent_sink_overtaken(0, k->epoch, err);
		if (!ent_mongo_lost(&e) || attempt + 1 >= ENT_MONGO_ATTEMPTS)
			return ent_mongo_fail(&e, "the checkpoint cannot be written", err);
		ENT_TRY(ent_mongo_reconnect(k->source, attempt, err));
	}
	return 0;
}

static void text_get(const bson_t *doc, const char *name, char *out, size_t size)
{
	bson_iter_t at;
	bool text = bson_iter_init_find(&at, doc, name) && BSON_ITER_HOLDS_UTF8(&at);
	snprintf(out, size, "%s", text ? bson_iter_utf8(&at, NULL) : "");
}

int ent_mongo_sink_last(struct ent_sink *k, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err)
{
	bson_t doc;
	bool found;
	int64_t rows = 0, epoch = 0;
	struct ent_sink_checkpoint c = { .size = sizeof c };
	ENT_BSON_AUTO filter = id_filter(k, part);
	ENT_TRY(one_find(k, filter, &doc, &found, err));
	if (!found)
		return ent_fail(err, ENT_ENOTFOUND, "the job has no checkpoint for %.100s", part);
	bool ok = number_of(&doc, "rows", &rows) && number_of(&doc, "epoch", &epoch);
	snprintf(c.part, sizeof c.part, "%s", part);
	text_get(&doc, "cursor", c.cursor, sizeof c.cursor);
	text_get(&doc, "hash", c.hash, sizeof c.hash);
	bson_destroy(&doc);
	if (!ok)
		return ent_fail(err, ENT_EDATA, "the checkpoint of %.100s is not understood", part);
	c.rows = (uint64_t)rows;
	c.epoch = (uint64_t)epoch;
	*ret = c;
	return 0;
}

int ent_mongo_checkpoints_forget(struct ent_sink *k, struct ent_err *err)
{
	bson_error_t e;
	ENT_BSON_AUTO filter = BCON_NEW("_id.job", BCON_UTF8(k->job), "_id.part", "{", "$ne", BCON_UTF8(ENT_SINK_EPOCH_PART), "}");
	ENT_COLLECTION_AUTO c = mongoc_client_get_collection(k->source->client, k->db, ENT_MONGO_CHECKPOINTS);
	return mongoc_collection_delete_many(c, filter, NULL, NULL, &e) ? 0 : ent_mongo_fail(&e, "the checkpoints cannot be removed", err);
}
