/* Documents on their way out: kept until the server has them, so that they can be sent again after the connection broke. Each is by key, so
 * twice is as good as once. */
#include <stdlib.h>

#include "mongo_sink.h"

#define FLUSH_BYTES ((size_t)8 << 20)
#define FLUSH_OPS 20000

static void op_drop(struct ent_mongo_op *op)
{
	ent_mongo_bson_freep(&op->key);
	ent_mongo_bson_freep(&op->doc);
}

void ent_mongo_ops_drop(struct ent_mongo_sink_table *t)
{
	for (size_t i = 0; i < t->n_ops; i++)
		op_drop(&t->ops[i]);
	t->n_ops = t->bytes = 0;
	t->ordered = false;
}

int ent_mongo_op_add(struct ent_mongo_sink_table *t, enum ent_mongo_op_kind kind, bson_t *key, bson_t *doc, struct ent_err *err)
{
	struct ent_mongo_op op = { kind, key, doc };
	if (t->n_ops == t->cap_ops) {
		size_t cap = t->cap_ops ? t->cap_ops * 2 : 256;
		struct ent_mongo_op *more = (struct ent_mongo_op *)realloc(t->ops, cap * sizeof *more);
		if (!more) {
			op_drop(&op);
			return ent_nomem(err);
		}
		t->ops = more;
		t->cap_ops = cap;
	}
	t->ops[t->n_ops++] = op;
	t->bytes += (key ? key->len : 0) + (doc ? doc->len : 0) + 64;
	return 0;
}

/* --- one bulk --- */

static bool op_send(mongoc_bulk_operation_t *b, const struct ent_mongo_op *op, bson_error_t *e)
{
	ENT_BSON_AUTO opts = BCON_NEW("upsert", BCON_BOOL(true));
	switch (op->kind) {
	case ENT_MO_INSERT:
		return mongoc_bulk_operation_insert_with_opts(b, op->doc, NULL, e);
	case ENT_MO_REPLACE:
		return mongoc_bulk_operation_replace_one_with_opts(b, op->key, op->doc, opts, e);
	case ENT_MO_UPDATE:
		return mongoc_bulk_operation_update_one_with_opts(b, op->key, op->doc, NULL, e);
	case ENT_MO_DELETE:
		return mongoc_bulk_operation_remove_one_with_opts(b, op->key, NULL, e);
	}
	return false;
}

static bool bulk_run(struct ent_sink *k, const struct ent_mongo_sink_table *t, size_t from, size_t n, bson_t *reply, bson_error_t *e)
{
	ENT_BSON_AUTO opts = BCON_NEW("ordered", BCON_BOOL(t->ordered));
	ENT_COLLECTION_AUTO c = mongoc_client_get_collection(k->source->client, t->db, t->load);
	mongoc_bulk_operation_t *b = mongoc_collection_create_bulk_operation_with_opts(c, opts);
	bool ok = true;
	bson_init(reply);
	for (size_t i = from; i < from + n && ok; i++)
		ok = op_send(b, &t->ops[i], e);
	if (ok) {
		bson_destroy(reply);
		ok = mongoc_bulk_operation_execute(b, reply, e) != 0;
	}
	mongoc_bulk_operation_destroy(b);
	return ok;
}

/* --- a key that is there --- */

static int document_there(struct ent_sink *k, const struct ent_mongo_sink_table *t, const bson_t *key, bson_t *ret, bool *ret_found,
			  struct ent_err *err)
{
	const bson_t *doc;
	bson_error_t e;
	ENT_COLLECTION_AUTO c = mongoc_client_get_collection(k->source->client, t->db, t->load);
	ENT_CURSOR_AUTO cursor = mongoc_collection_find_with_opts(c, key, NULL, NULL);
	*ret_found = mongoc_cursor_next(cursor, &doc);
	if (*ret_found)
		bson_copy_to(doc, ret);
	return !*ret_found && mongoc_cursor_error(cursor, &e) ? ent_mongo_fail(&e, "a document cannot be compared", err) : 0;
}

/* Ours from an earlier attempt: fine. A job that goes on may bring a newer state into a collection of its own. */
static int double_settle(struct ent_sink *k, struct ent_mongo_sink_table *t, struct ent_mongo_op *op, struct ent_err *err)
{
	bson_t there;
	bool found;
	ENT_TRY(document_there(k, t, op->key, &there, &found, err));
	bool same = found && bson_equal(&there, op->doc);
	if (found)
		bson_destroy(&there);
	if (same)
		return 0;
	if (t->resume && t->mode != ENT_WRITE_APPEND) {
		bson_error_t e;
		ENT_BSON_AUTO opts = BCON_NEW("upsert", BCON_BOOL(true));
		ENT_COLLECTION_AUTO c = mongoc_client_get_collection(k->source->client, t->db, t->load);
		return mongoc_collection_replace_one(c, op->key, op->doc, opts, NULL, &e) ? 0
											  : ent_mongo_fail(&e, "a document cannot be replaced", err);
	}
	ent_fail(err, ENT_EDATA, "collection %.200s has a document with this key already, with other values", t->name);
	ent_why(err, "the key is that of a row of the source, and this mode does not overwrite");
	return ent_next(err, "choose --mode upsert, or a key that is different in every row"), ENT_EDATA;
}

/* What an unordered bulk of inserts could not do: only double keys are looked at more closely. */
static int errors_settle(struct ent_sink *k, struct ent_mongo_sink_table *t, size_t from, const bson_t *reply, const bson_error_t *e,
			 struct ent_err *err)
{
	bson_iter_t at, list;
	size_t seen = 0;
	if (!bson_iter_init_find(&at, reply, "writeErrors") || !BSON_ITER_HOLDS_ARRAY(&at) || !bson_iter_recurse(&at, &list))
		return ent_mongo_fail(e, "documents cannot be written", err);
	while (bson_iter_next(&list)) {
		bson_iter_t code, index, one;
		if (!bson_iter_recurse(&list, &one) || !bson_iter_find(&one, "code") || (code = one, bson_iter_as_int64(&code)) != 11000)
			return ent_mongo_fail(e, "documents cannot be written", err);
		if (!bson_iter_recurse(&list, &index) || !bson_iter_find(&index, "index"))
			return ent_mongo_fail(e, "documents cannot be written", err);
		size_t i = from + (size_t)bson_iter_as_int64(&index);
		if (i >= t->n_ops || t->ops[i].kind != ENT_MO_INSERT)
			return ent_mongo_fail(e, "documents cannot be written", err);
		ENT_TRY(double_settle(k, t, &t->ops[i], err));
		seen++;
	}
	return seen ? 0 : ent_mongo_fail(e, "documents cannot be written", err);
}

static int chunk_send(struct ent_sink *k, struct ent_mongo_sink_table *t, size_t from, size_t n, struct ent_err *err)
{
	for (unsigned attempt = 0;; attempt++) {
		bson_t reply;
		bson_error_t e = { 0 };
		int code = 0;
		bool ok = bulk_run(k, t, from, n, &reply, &e), lost = !ok && ent_mongo_lost(&e);
		if (!ok && !lost)
			code = errors_settle(k, t, from, &reply, &e, err);
		bson_destroy(&reply);
		if (!lost)
			return code;
		if (attempt + 1 >= ENT_MONGO_ATTEMPTS)
			return ent_mongo_fail(&e, "documents cannot be written", err);
		ENT_TRY(ent_mongo_reconnect(k->source, attempt, err));
		ENT_TRY(ent_mongo_fence(k, err));
	}
}

int ent_mongo_flush(struct ent_sink *k, struct ent_mongo_sink_table *t, struct ent_err *err)
{
	if (!t->n_ops)
		return 0;
	ENT_TRY(ent_mongo_cancelled(k->source, err));
	ENT_TRY(ent_mongo_fence(k, err));
	for (size_t i = 0; i < t->n_ops;) {
		size_t n = 0, bytes = 0;
		for (; i + n < t->n_ops && n < FLUSH_OPS && (bytes < FLUSH_BYTES || !n); n++)
			bytes += t->ops[i + n].doc ? t->ops[i + n].doc->len : 64;
		ENT_TRY(chunk_send(k, t, i, n, err));
		i += n;
	}
	ent_mongo_ops_drop(t);
	return 0;
}
