/* What is known about a collection: the columns that a copy kept beside it, then a sample of its documents, then what --schema declares. */
#include <stdio.h>
#include <stdlib.h>

#include "arrow/declare.h"
#include "base/arena.h"
#include "mongo.h"
#include "mongo_infer.h"

#define SAMPLE_DOCUMENTS 10000
#define SAMPLE_BYTES ((size_t)64 << 20)

int ent_mongo_object_split(const struct ent_source *s, const char *object, char db[65], char name[256], struct ent_err *err)
{
	const char *given = mongoc_uri_get_database(s->uri), *dot = strchr(object, '.');
	const char *rest = given ? object : dot ? dot + 1 : "";
	size_t len = given ? strlen(given) : dot ? (size_t)(dot - object) : 0;
	if (!rest[0] || !len || len > 64 || strlen(rest) > 200 || strchr(rest, '$')) {
		ent_fail(err, ENT_EUSAGE, "%.200s names no collection", object[0] ? object : "the address");
		return ent_next(err, "write mongodb://HOST/DATABASE#COLLECTION"), ENT_EUSAGE;
	}
	memcpy(db, given ? given : object, len);
	db[len] = 0;
	snprintf(name, 256, "%s", rest);
	return 0;
}

/* One entry of listCollections. */
static void listed_read(const bson_iter_t *entry, const char *name, bool *ret, char uuid[33])
{
	bson_iter_t in, found;
	bson_subtype_t subtype;
	uint32_t len = 0;
	const uint8_t *data = NULL;
	if (!bson_iter_recurse(entry, &in) || !bson_iter_find(&in, "name") || !BSON_ITER_HOLDS_UTF8(&in) ||
	    strcmp(bson_iter_utf8(&in, NULL), name) != 0)
		return;
	*ret = true;
	if (!bson_iter_recurse(entry, &in) || !bson_iter_find_descendant(&in, "info.uuid", &found) || !BSON_ITER_HOLDS_BINARY(&found))
		return;
	bson_iter_binary(&found, &subtype, &len, &data);
	if (len == 16)
		ent_hex(uuid, data, len);
}

int ent_mongo_collection_there(struct ent_source *s, const char *db, const char *name, bool *ret, char uuid[33], struct ent_err *err)
{
	bson_t reply;
	bson_iter_t at, batch;
	char own[33] = "";
	ENT_BSON_AUTO command = BCON_NEW("listCollections", BCON_INT32(1), "filter", "{", "name", BCON_UTF8(name), "}");
	ENT_TRY(ent_mongo_command(s, db, command, &reply, "the collections cannot be listed", err));
	*ret = false;
	if (bson_iter_init(&at, &reply) && bson_iter_find_descendant(&at, "cursor.firstBatch", &batch) && bson_iter_recurse(&batch, &at))
		while (bson_iter_next(&at))
			listed_read(&at, name, ret, own);
	bson_destroy(&reply);
	if (uuid)
		memcpy(uuid, own, sizeof own);
	return 0;
}

/* --- the sample --- */

static int sample_drain(struct ent_source *s, mongoc_cursor_t *cursor, struct ent_mongo_sample *sample, bson_error_t *e, bool *ret_failed,
			struct ent_err *err)
{
	const bson_t *doc;
	size_t bytes = 0;
	for (size_t n = 0; bytes < SAMPLE_BYTES && n < SAMPLE_DOCUMENTS && mongoc_cursor_next(cursor, &doc); n++) {
		bytes += doc->len;
		if (n % 1000 == 0)
			ENT_TRY(ent_mongo_cancelled(s, err));
		ENT_TRY(ent_mongo_sample_add(sample, doc, err));
	}
	*ret_failed = mongoc_cursor_error(cursor, e);
	return 0;
}

/* All documents of a small collection; of a larger one, chance decides where the server can do that, else the first ones. */
static int sample_take(struct ent_source *s, const struct ent_mongo_table *t, struct ent_mongo_sample *sample, struct ent_err *err)
{
	bson_error_t e;
	bool failed;
	ENT_COLLECTION_AUTO c = mongoc_client_get_collection(s->client, t->db, t->name);
	int64_t n = mongoc_collection_estimated_document_count(c, NULL, NULL, NULL, &e);
	if (n > SAMPLE_DOCUMENTS) {
		ENT_BSON_AUTO pipeline = BCON_NEW("pipeline", "[", "{", "$sample", "{", "size", BCON_INT32(SAMPLE_DOCUMENTS), "}", "}", "]");
		ENT_CURSOR_AUTO some = mongoc_collection_aggregate(c, MONGOC_QUERY_NONE, pipeline, NULL, NULL);
		ENT_TRY(sample_drain(s, some, sample, &e, &failed, err));
		if (!failed)
			return 0;
	}
	ENT_BSON_AUTO all = bson_new();
	ENT_BSON_AUTO opts = BCON_NEW("limit", BCON_INT64(SAMPLE_DOCUMENTS));
	ENT_CURSOR_AUTO first = mongoc_collection_find_with_opts(c, all, opts, NULL);
	ENT_TRY(sample_drain(s, first, sample, &e, &failed, err));
	return failed ? ent_mongo_fail(&e, "the collection cannot be sampled", err) : 0;
}

static int sample_columns(struct ent_source *s, struct ent_mongo_table *t, struct ent_err *err)
{
	ENT_CLEANUP(ent_mongo_sample_freep) struct ent_mongo_sample *sample = NULL;
	ENT_TRY(ent_mongo_sample_new(&sample, err));
	ENT_TRY(sample_take(s, t, sample, err));
	return ent_mongo_sample_columns(sample, &t->columns, err);
}

/* --- the columns kept beside --- */

static const char *text_of(const bson_iter_t *doc, const char *name)
{
	bson_iter_t in;
	return bson_iter_recurse(doc, &in) && bson_iter_find(&in, name) && BSON_ITER_HOLDS_UTF8(&in) ? bson_iter_utf8(&in, NULL) : NULL;
}

static bool flag_of(const bson_iter_t *doc, const char *name)
{
	bson_iter_t in;
	return bson_iter_recurse(doc, &in) && bson_iter_find(&in, name) && BSON_ITER_HOLDS_BOOL(&in) && bson_iter_bool(&in);
}

static int kept_column(struct ent_mongo_table *t, const bson_iter_t *doc, struct ent_err *err)
{
	struct ent_mongo_column c = { .name = text_of(doc, "name"), .path = text_of(doc, "path") };
	const char *type = text_of(doc, "type"), *native = text_of(doc, "native");
	if (!c.name || !c.path || !type || !native)
		return ent_fail(err, ENT_EDATA, "the columns in " ENT_MONGO_SCHEMAS " are not understood");
	c.key = flag_of(doc, "key");
	c.nullable = !c.key && flag_of(doc, "nullable");
	c.micros = flag_of(doc, "micros");
	c.null_kept = flag_of(doc, "nullKept");
	ENT_TRY(ent_mongo_declare(&t->columns, type, &c, err));
	c.native = native;
	return ent_mongo_column_add(&t->columns, &c, err);
}

static int kept_columns(struct ent_source *s, struct ent_mongo_table *t, struct ent_err *err)
{
	const bson_t *doc;
	bson_error_t e;
	bson_iter_t at, in;
	ENT_BSON_AUTO filter = BCON_NEW("_id", BCON_UTF8(t->name));
	ENT_COLLECTION_AUTO c = mongoc_client_get_collection(s->client, t->db, ENT_MONGO_SCHEMAS);
	ENT_CURSOR_AUTO cursor = mongoc_collection_find_with_opts(c, filter, NULL, NULL);
	if (!mongoc_cursor_next(cursor, &doc))
		return mongoc_cursor_error(cursor, &e) && e.code != 13 ? ent_mongo_fail(&e, "the collection cannot be described", err) : 0;
	if (bson_iter_init_find(&at, doc, "uuid") && BSON_ITER_HOLDS_UTF8(&at) && t->uuid[0] && strcmp(bson_iter_utf8(&at, NULL), t->uuid) != 0)
		return 0; /* of a collection of this name that is gone */
	if (!bson_iter_init_find(&at, doc, "columns") || !BSON_ITER_HOLDS_ARRAY(&at) || !bson_iter_recurse(&at, &in))
		return ent_fail(err, ENT_EDATA, "the columns in " ENT_MONGO_SCHEMAS " are not understood");
	t->kept = bson_as_canonical_extended_json(doc, NULL);
	while (bson_iter_next(&in))
		if (BSON_ITER_HOLDS_DOCUMENT(&in))
			ENT_TRY(kept_column(t, &in, err));
	return 0;
}

static void column_store(bson_t *list, size_t i, const struct ent_mongo_column *m)
{
	char type[ENT_TYPE_TEXT_MAX], index[24];
	bson_t in;
	ent_mongo_declared(m, type);
	snprintf(index, sizeof index, "%zu", i);
	bson_append_document_begin(list, index, -1, &in);
	BSON_APPEND_UTF8(&in, "name", m->name);
	BSON_APPEND_UTF8(&in, "path", m->path);
	BSON_APPEND_UTF8(&in, "type", type);
	BSON_APPEND_UTF8(&in, "native", m->native && !strncmp(m->native, "bson ", 5) ? m->native : type);
	BSON_APPEND_BOOL(&in, "nullable", m->nullable);
	BSON_APPEND_BOOL(&in, "key", m->key);
	BSON_APPEND_BOOL(&in, "micros", m->micros);
	BSON_APPEND_BOOL(&in, "nullKept", m->null_kept);
	bson_append_document_end(list, &in);
}

int ent_mongo_schema_store(struct ent_source *s, const char *db, const char *name, const struct ent_mongo_columns *c, struct ent_err *err)
{
	bson_error_t e;
	bson_t list;
	bool there;
	char uuid[33] = "";
	ENT_TRY(ent_mongo_collection_there(s, db, name, &there, uuid, err));
	ENT_BSON_AUTO filter = BCON_NEW("_id", BCON_UTF8(name));
	ENT_BSON_AUTO doc = BCON_NEW("_id", BCON_UTF8(name));
	ENT_BSON_AUTO opts = BCON_NEW("upsert", BCON_BOOL(true));
	ENT_COLLECTION_AUTO to = mongoc_client_get_collection(s->client, db, ENT_MONGO_SCHEMAS);
	BSON_APPEND_UTF8(doc, "uuid", uuid);
	bson_append_array_begin(doc, "columns", -1, &list);
	for (size_t i = 0; i < c->n; i++)
		column_store(&list, i, &c->all[i]);
	bson_append_array_end(doc, &list);
	return mongoc_collection_replace_one(to, filter, doc, opts, NULL, &e) ? 0 : ent_mongo_fail(&e, "the columns cannot be kept", err);
}

/* --- what is declared --- */

static int declared_column(void *arg, const char *name, const char *type, struct ent_err *err)
{
	struct ent_mongo_table *t = (struct ent_mongo_table *)arg;
	struct ent_mongo_columns *c = &t->columns;
	struct ent_mongo_column declared = { .name = name, .path = name, .nullable = true };
	size_t at = c->n, left = 0;
	for (size_t i = 0; i < c->n; i++)
		if (!strcmp(c->all[i].name, name)) {
			struct ent_mongo_column *m = &c->all[i];
			return ent_mongo_declare(c, type, m, err);
		}
	declared.key = !strcmp(name, "_id") || !strncmp(name, "_id.", 4);
	declared.nullable = !declared.key;
	ENT_TRY(ent_mongo_declare(c, type, &declared, err));
	ENT_TRY(ent_mongo_column_add(c, &declared, err));
	for (size_t i = 0; i <= at; i++) /* it takes the place of what it holds, or of what held it */
		if (i == at || !ent_mongo_paths_meet(c->all[i].path, name))
			c->all[left++] = c->all[i];
	c->n = left;
	return 0;
}

/* --- one table --- */

static int table_fill(struct ent_source *s, struct ent_mongo_table *t, struct ent_err *err)
{
	ENT_TRY(ent_mongo_columns_init(&t->columns, err));
	ENT_TRY(ent_mongo_object_split(s, t->object, t->db, t->name, err));
	ENT_TRY(ent_mongo_collection_there(s, t->db, t->name, &t->there, t->uuid, err));
	if (!t->there)
		return 0;
	ENT_TRY(kept_columns(s, t, err));
	ENT_TRY(sample_columns(s, t, err));
	if (s->declared.len)
		ENT_TRY(ent_declared_each(ent_buf_bytes(&s->declared), declared_column, t, err));
	if (!t->columns.n) {
		struct ent_mongo_column id = { .name = "_id", .path = "_id", .key = true };
		ENT_TRY(ent_mongo_declare(&t->columns, "objectId", &id, err));
		return ent_mongo_column_add(&t->columns, &id, err);
	}
	return 0;
}

static void table_free(struct ent_mongo_table *t)
{
	ent_mongo_columns_deinit(&t->columns);
	bson_free(t->kept);
	free(t->object);
	free(t);
}

int ent_mongo_table_get(struct ent_source *s, const char *object, struct ent_mongo_table **ret, struct ent_err *err)
{
	for (struct ent_mongo_table *t = s->tables; t; t = t->next) {
		if (!strcmp(t->object, object)) {
			*ret = t;
			return 0;
		}
	}
	struct ent_mongo_table *t = (struct ent_mongo_table *)calloc(1, sizeof *t);
	if (!t || !(t->object = ent_strdup(object))) {
		free(t);
		return ent_nomem(err);
	}
	int code = table_fill(s, t, err);
	if (code) {
		table_free(t);
		return code;
	}
	t->next = s->tables;
	s->tables = t;
	*ret = t;
	return 0;
}

void ent_mongo_tables_forget(struct ent_source *s)
{
	while (s->tables) {
		struct ent_mongo_table *t = s->tables;
		s->tables = t->next;
		table_free(t);
	}
}
