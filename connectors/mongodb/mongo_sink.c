/* The sink: collections made or found, rows to documents, changes in their order. */
#include "mongo_sink.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

#define PENDING_BYTES ((size_t)16 << 20)
#define KEYS_TEXT_MAX 65536

static void table_deinit(struct ent_mongo_sink_table *t)
{
	ent_mongo_ops_drop(t);
	free(t->ops);
	ent_mongo_plan_deinit(&t->plan);
	ent_schema_release(&t->schema);
	free(t->keys);
	free(t->keys_text);
	ent_mongo_bson_freep(&t->kept);
	*t = (struct ent_mongo_sink_table){ 0 };
}

void ent_mongo_sink_close(struct ent_sink *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->n_tables; i++)
		table_deinit(&k->tables[i]);
	free(k->tables);
	free(k);
}
static void sink_closep(struct ent_sink **k) { ent_mongo_sink_close(*k); }

/* --- the target --- */

/* The keys that the caller names, else the schema's first. */
static int keys_take(struct ent_mongo_sink_table *t, const struct ent_target *target, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(KEYS_TEXT_MAX);
	char *keys = (char *)calloc(1, KEYS_TEXT_MAX);
	t->keys_text = keys;
	t->keys = (const char **)calloc(ENT_COLUMNS_MAX, sizeof *t->keys);
	if (!t->keys_text || !t->keys)
		return ent_nomem(err);
	if (target->keys) {
		for (size_t i = 0; i < target->n_keys; i++)
			ent_buf_printf(&text, "%s%s", i ? "\t" : "", target->keys[i]);
		ENT_TRY(ent_buf_check(&text, err));
		snprintf(keys, KEYS_TEXT_MAX, "%s", ent_buf_text(&text));
	} else {
		ent_metadata_get(target->schema->metadata, ENT_META_KEYS, keys, KEYS_TEXT_MAX);
	}
	keys[strcspn(keys, "\n")] = 0;
	for (char *p = strtok_r(keys, "\t", &keys); p && t->n_keys < ENT_COLUMNS_MAX; p = strtok_r(NULL, "\t", &keys))
		t->keys[t->n_keys++] = p;
	return 0;
}

static bool is_wire(const struct ArrowSchema *schema)
{
	char store[40] = "";
	return ent_metadata_get(schema->metadata, ENT_META_WIRE, store, sizeof store) && !strcmp(store, "mongodb");
}

/* Columns of the collection that is there, NULL when none is or it will be replaced. */
static int existing_get(struct ent_source *s, const struct ent_target *target, const struct ent_mongo_columns **ret, bool *ret_there,
			struct ent_err *err)
{
	struct ent_mongo_table *there;
	ent_mongo_tables_forget(s);
	ENT_TRY(ent_mongo_table_get(s, target->object, &there, err));
	*ret_there = there->there;
	*ret = there->there && target->mode != ENT_WRITE_REPLACE ? &there->columns : NULL;
	return 0;
}

static int wire_lines(const struct ArrowSchema *schema, struct ent_map_line *lines)
{
	for (int64_t i = 0; i < schema->n_children; i++)
		lines[i] = (struct ent_map_line){ .size = sizeof *lines, .native = "document", .verdict = ENT_MAP_EXACT };
	return 0;
}

int ent_mongo_map(struct ent_source *s, const struct ent_target *target, struct ent_map_line *lines, int *ret_exists, struct ent_err *err)
{
	ENT_CLEANUP(table_deinit) struct ent_mongo_sink_table t = { 0 };
	const struct ent_mongo_columns *existing;
	bool there;
	ENT_TRY(existing_get(s, target, &existing, &there, err));
	*ret_exists = there;
	if (is_wire(target->schema))
		return wire_lines(target->schema, lines);
	ENT_TRY(keys_take(&t, target, err));
	return ent_mongo_plan_make(&t.plan, target->schema, t.keys, t.n_keys, existing, lines, err);
}

/* --- collections --- */

static int collection_make(struct ent_sink *k, const char *name, struct ent_err *err)
{
	bool there;
	ENT_BSON_AUTO command = BCON_NEW("create", BCON_UTF8(name));
	int code = ent_mongo_command(k->source, k->db, command, NULL, "the collection cannot be created", err);
	if (code == ENT_EDATA && !ent_mongo_collection_there(k->source, k->db, name, &there, NULL, err) && there)
		return 0; /* another part of the job was faster */
	return code;
}

static int collection_drop(struct ent_sink *k, const char *name, struct ent_err *err)
{
	bool there;
	ENT_TRY(ent_mongo_collection_there(k->source, k->db, name, &there, NULL, err));
	ENT_BSON_AUTO command = BCON_NEW("drop", BCON_UTF8(name));
	return there ? ent_mongo_command(k->source, k->db, command, NULL, "a collection cannot be dropped", err) : 0;
}

static int columns_keep(struct ent_sink *k, const struct ent_mongo_sink_table *t, struct ent_err *err)
{
	if (!t->wire)
		return ent_mongo_schema_store(k->source, t->db, t->name, &t->plan.columns, err);
	bson_error_t e;
	bson_iter_t at;
	bool there;
	char uuid[33];
	ENT_TRY(ent_mongo_collection_there(k->source, t->db, t->name, &there, uuid, err));
	ENT_BSON_AUTO filter = BCON_NEW("_id", BCON_UTF8(t->name));
	ENT_BSON_AUTO doc = BCON_NEW("_id", BCON_UTF8(t->name), "uuid", BCON_UTF8(uuid));
	ENT_BSON_AUTO opts = BCON_NEW("upsert", BCON_BOOL(true));
	ENT_COLLECTION_AUTO c = mongoc_client_get_collection(k->source->client, t->db, ENT_MONGO_SCHEMAS);
	bool ok = t->kept ? bson_iter_init_find(&at, t->kept, "columns") && bson_append_iter(doc, "columns", -1, &at) &&
				    mongoc_collection_replace_one(c, filter, doc, opts, NULL, &e)
			  : mongoc_collection_delete_one(c, filter, NULL, NULL, &e);
	return ok ? 0 : ent_mongo_fail(&e, "the columns cannot be kept", err);
}

static int collection_prepare(struct ent_sink *k, struct ent_mongo_sink_table *t, bool there, struct ent_err *err)
{
	bool loading = false;
	if (t->mode == ENT_WRITE_CREATE && there && !t->resume) {
		ent_fail(err, ENT_EUSAGE, "collection %.200s is there already", t->name);
		return ent_next(err, "choose --mode append, replace or upsert, or another name"), ENT_EUSAGE;
	}
	if (t->mode == ENT_WRITE_REPLACE) {
		if (!t->resume)
			ENT_TRY(collection_drop(k, t->load, err));
		ENT_TRY(ent_mongo_collection_there(k->source, t->db, t->load, &loading, NULL, err));
		if (loading || (t->resume && there)) /* the latter: the job came as far as its change-over, and nothing is left to load */
			return 0;
		return t->resume ? ent_fail(err, ENT_EDATA, "the rows that were loaded for %.200s are gone", t->name)
				 : collection_make(k, t->load, err);
	}
	if (there)
		return 0;
	ENT_TRY(collection_make(k, t->name, err));
	return columns_keep(k, t, err);
}

static int wire_take(struct ent_mongo_sink_table *t, const struct ent_target *target, struct ent_err *err)
{
	static const size_t max = (size_t)1 << 20;
	t->wire = true;
	char *text = (char *)calloc(1, max);
	if (!text)
		return ent_nomem(err);
	if (ent_metadata_get(target->schema->metadata, ENT_MONGO_META_COLUMNS, text, max))
		t->kept = bson_new_from_json((const uint8_t *)text, -1, NULL);
	free(text);
	return 0;
}

static int table_open(struct ent_sink *k, struct ent_mongo_sink_table *t, const struct ent_target *target, struct ent_err *err)
{
	const struct ent_mongo_columns *existing;
	bool there;
	ENT_TRY(ent_mongo_object_split(k->source, target->object, t->db, t->name, err));
	t->mode = target->mode;
	t->resume = target->resume != 0;
	snprintf(t->load, sizeof t->load, "%s%s", t->mode == ENT_WRITE_REPLACE ? "_entente_new_" : "", t->name);
	ENT_TRY(ent_schema_dup(target->schema, &t->schema, err));
	ENT_TRY(existing_get(k->source, target, &existing, &there, err));
	if (is_wire(target->schema)) {
		ENT_TRY(wire_take(t, target, err));
	} else {
		ENT_TRY(keys_take(t, target, err));
		ENT_TRY(ent_mongo_plan_make(&t->plan, &t->schema, t->keys, t->n_keys, existing, NULL, err));
	}
	t->fresh = !there || t->mode == ENT_WRITE_REPLACE;
	return collection_prepare(k, t, there, err);
}

int ent_mongo_sink_table(struct ent_sink *k, const struct ent_target *target, size_t *ret_index, struct ent_err *err)
{
	if (k->n_tables == ENT_MONGO_TABLES_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "more than %d tables in one job", ENT_MONGO_TABLES_MAX);
	struct ent_mongo_sink_table *t = &k->tables[k->n_tables];
	int code = table_open(k, t, target, err);
	if (code) {
		table_deinit(t);
		return code;
	}
	*ret_index = k->n_tables++;
	return 0;
}

int ent_mongo_sink_open(struct ent_source *s, const char *job, uint64_t *epoch, struct ent_sink **ret, struct ent_err *err)
{
	const char *db = mongoc_uri_get_database(s->uri);
	ENT_CLEANUP(sink_closep) struct ent_sink *k = (struct ent_sink *)calloc(1, sizeof *k);
	if (!k || !(k->tables = (struct ent_mongo_sink_table *)calloc(ENT_MONGO_TABLES_MAX, sizeof *k->tables)))
		return ent_nomem(err);
	if (!s->write)
		return ent_fail(err, ENT_EINTERNAL, "MongoDB was opened for reading only");
	if (!db || strlen(db) > 64)
		return ent_fail(err, ENT_EUSAGE, "the address of a target names its database: mongodb://HOST/DATABASE#COLLECTION");
	k->source = s;
	snprintf(k->job, sizeof k->job, "%s", job);
	snprintf(k->db, sizeof k->db, "%s", db);
	ENT_TRY(ent_mongo_epoch_take(k, epoch, err));
	*ret = k;
	k = NULL;
	return 0;
}

/* --- rows --- */

static int wire_row(struct ent_mongo_sink_table *t, const struct ent_view *v, size_t row, struct ent_err *err)
{
	bson_iter_t at;
	struct ent_bytes b = ent_view_text(v, row);
	bson_t *doc = bson_new_from_data(b.data, b.len), *key = bson_new();
	if (!doc || !bson_validate(doc, BSON_VALIDATE_NONE, NULL) || !bson_iter_init_find(&at, doc, "_id") ||
	    !bson_append_iter(key, "_id", -1, &at)) {
		ent_mongo_bson_freep(&doc);
		ent_mongo_bson_freep(&key);
		return ent_fail(err, ENT_EDATA, "row %zu of the images is no document with an _id", row + 1);
	}
	return ent_mongo_op_add(t, t->mode == ENT_WRITE_UPSERT ? ENT_MO_REPLACE : ENT_MO_INSERT, key, doc, err);
}

/* One row as an operation; first: where the table's columns begin. */
static int row_op(struct ent_mongo_sink_table *t, const struct ent_batch *b, size_t first, size_t row, enum ent_mongo_op_kind kind,
		  struct ent_err *err)
{
	bson_t *key = bson_new(), *doc = kind == ENT_MO_DELETE ? NULL : bson_new();
	int code = ent_mongo_encode_key(&t->plan, b, first, row, key, err);
	if (!code && doc)
		code = ent_mongo_encode(&t->plan, b, first, row, doc, err);
	if (!code)
		return ent_mongo_op_add(t, kind, key, doc, err);
	ent_mongo_bson_freep(&key);
	ent_mongo_bson_freep(&doc);
	return code;
}

int ent_mongo_sink_rows(struct ent_sink *k, size_t index, const struct ArrowArray *rows, struct ent_err *err)
{
	struct ent_mongo_sink_table *t = &k->tables[index];
	ENT_BATCH_AUTO b = { 0 };
	ENT_TRY(ent_batch_open_copy(&t->schema, rows, &b, err));
	if (t->ordered) /* a server stops an ordered bulk at the first double key, and inserts go on behind one */
		ENT_TRY(ent_mongo_flush(k, t, err));
	t->ordered = false;
	enum ent_mongo_op_kind kind = t->mode == ENT_WRITE_UPSERT ? ENT_MO_REPLACE : ENT_MO_INSERT;
	for (size_t r = 0; r < b.rows; r++)
		ENT_TRY(t->wire ? wire_row(t, &b.columns[0], r, err) : row_op(t, &b, 0, r, kind, err));
	t->plan.rows_before += b.rows;
	return t->bytes > PENDING_BYTES ? ent_mongo_flush(k, t, err) : 0;
}

/* --- changes --- */

/* Sets what the log repeats and leaves the rest: {"$set": {path: value}, "$unset": {path: ""}}. */
static int update_make(const struct ent_mongo_sink_table *t, const struct ent_batch *b, size_t row, struct ent_bytes unchanged, bson_t *doc,
		       struct ent_err *err)
{
	bson_t set = BSON_INITIALIZER, unset = BSON_INITIALIZER;
	int code = 0;
	for (size_t i = 0; i < t->plan.columns.n && !code; i++) {
		const struct ent_mongo_column *c = &t->plan.columns.all[i];
		char micros[600];
		if (c->key || ent_sink_listed(unchanged, c->name))
			continue;
		const struct ent_view *v = &b->columns[2 + i];
		int64_t rest = c->micros && !ent_view_null(v, row) ? (ent_view_int(v, row) % 1000 + 1000) % 1000 : 0;
		if (ent_view_null(v, row) && !c->null_kept)
			BSON_APPEND_UTF8(&unset, c->path, "");
		else
			code = ent_mongo_encode_value(&t->plan, b, 2, row, i, c->path, &set, err);
		snprintf(micros, sizeof micros, ENT_MONGO_MICROS ".%s", c->name);
		if (c->micros && rest)
			BSON_APPEND_INT32(&set, micros, (int32_t)rest);
		else if (c->micros)
			BSON_APPEND_UTF8(&unset, micros, "");
	}
	if (!bson_empty(&set))
		BSON_APPEND_DOCUMENT(doc, "$set", &set);
	if (!bson_empty(&unset))
		BSON_APPEND_DOCUMENT(doc, "$unset", &unset);
	bson_destroy(&set);
	bson_destroy(&unset);
	return code;
}

static int update_op(struct ent_mongo_sink_table *t, const struct ent_batch *b, size_t row, struct ent_bytes unchanged, struct ent_err *err)
{
	bson_t *key = bson_new(), *doc = bson_new();
	int code = ent_mongo_encode_key(&t->plan, b, 2, row, key, err);
	if (!code)
		code = update_make(t, b, row, unchanged, doc, err);
	if (!code && !bson_empty(doc))
		return ent_mongo_op_add(t, ENT_MO_UPDATE, key, doc, err);
	ent_mongo_bson_freep(&key);
	ent_mongo_bson_freep(&doc);
	return code;
}

static int change_op(struct ent_mongo_sink_table *t, const struct ent_batch *b, size_t row, struct ent_err *err)
{
	struct ent_bytes op = ent_view_text(&b->columns[0], row), unchanged = ent_view_text(&b->columns[1], row);
	if (op.len != 1 || !strchr("IUD", op.data[0]))
		return ent_fail(err, ENT_EDATA, "a change is neither insert, update nor delete");
	if (op.data[0] == 'D')
		return row_op(t, b, 2, row, ENT_MO_DELETE, err);
	if (op.data[0] == 'U' && unchanged.len)
		return update_op(t, b, row, unchanged, err);
	return row_op(t, b, 2, row, ENT_MO_REPLACE, err);
}

int ent_mongo_sink_changes(struct ent_sink *k, size_t index, const struct ArrowSchema *schema, const struct ArrowArray *rows, struct ent_err *err)
{
	struct ent_mongo_sink_table *t = &k->tables[index];
	ENT_BATCH_AUTO b = { 0 };
	if (t->wire || schema->n_children != (int64_t)t->plan.columns.n + 2)
		return ent_fail(err, ENT_EINTERNAL, "the changes have other columns than the table");
	ENT_TRY(ent_batch_open_copy(schema, rows, &b, err));
	if (t->n_ops && !t->ordered)
		ENT_TRY(ent_mongo_flush(k, t, err));
	t->ordered = true;
	for (size_t r = 0; r < b.rows; r++)
		ENT_TRY(change_op(t, &b, r, err));
	t->plan.rows_before += b.rows;
	return t->bytes > PENDING_BYTES ? ent_mongo_flush(k, t, err) : 0;
}

int ent_mongo_sink_truncate(struct ent_sink *k, size_t index, struct ent_err *err)
{
	struct ent_mongo_sink_table *t = &k->tables[index];
	bson_error_t e;
	ENT_BSON_AUTO all = bson_new();
	ent_mongo_ops_drop(t); /* nothing of what waits outlives it */
	ENT_TRY(ent_mongo_fence(k, err));
	ENT_COLLECTION_AUTO c = mongoc_client_get_collection(k->source->client, t->db, t->load);
	return mongoc_collection_delete_many(c, all, NULL, NULL, &e) ? 0 : ent_mongo_fail(&e, "the collection cannot be emptied", err);
}

/* --- the end of a transaction, and of a job --- */

int ent_mongo_sink_commit(struct ent_sink *k, const struct ent_sink_checkpoint *checkpoint, struct ent_err *err)
{
	for (size_t i = 0; i < k->n_tables; i++)
		ENT_TRY(ent_mongo_flush(k, &k->tables[i], err));
	ENT_TRY(ent_mongo_fence(k, err));
	return checkpoint ? ent_mongo_checkpoint_put(k, checkpoint, err) : 0;
}

int ent_mongo_sink_rollback(struct ent_sink *k, struct ent_err *err)
{
	(void)err;
	for (size_t i = 0; i < k->n_tables; i++)
		ent_mongo_ops_drop(&k->tables[i]);
	return 0;
}

static int change_over(struct ent_sink *k, const struct ent_mongo_sink_table *t, struct ent_err *err)
{
	char from[400], to[400];
	bool loaded;
	snprintf(from, sizeof from, "%s.%s", t->db, t->load);
	snprintf(to, sizeof to, "%s.%s", t->db, t->name);
	ENT_TRY(ent_mongo_collection_there(k->source, t->db, t->load, &loaded, NULL, err));
	ENT_BSON_AUTO command = BCON_NEW("renameCollection", BCON_UTF8(from), "to", BCON_UTF8(to), "dropTarget", BCON_BOOL(true));
	if (loaded) /* else an earlier attempt has done it, though it may not have come to the columns */
		ENT_TRY(ent_mongo_command(k->source, "admin", command, NULL, "the new collection cannot take the old one's place", err));
	return columns_keep(k, t, err);
}

int ent_mongo_sink_finish(struct ent_sink *k, int forget, struct ent_err *err)
{
	for (size_t i = 0; i < k->n_tables; i++)
		ENT_TRY(ent_mongo_flush(k, &k->tables[i], err));
	ENT_TRY(ent_mongo_fence(k, err));
	for (size_t i = 0; i < k->n_tables; i++)
		if (k->tables[i].mode == ENT_WRITE_REPLACE)
			ENT_TRY(change_over(k, &k->tables[i], err));
	return forget ? ent_mongo_checkpoints_forget(k, err) : 0;
}

static void fields_freep(struct ent_field **f) { free(*f); }
static void infos_freep(struct ent_field_info **f) { free(*f); }

/* The table's columns of a schema: that of changes has two more in front. */
static int schema_of_table(const struct ArrowSchema *given, struct ArrowSchema *ret, struct ent_err *err)
{
	size_t n = (size_t)given->n_children, first = n >= 2 && !strcmp(given->children[0]->name, "entente.op") ? 2 : 0;
	ENT_CLEANUP(fields_freep) struct ent_field *fields = (struct ent_field *)calloc(n + 1, sizeof *fields);
	ENT_CLEANUP(infos_freep) struct ent_field_info *infos = (struct ent_field_info *)calloc(n + 1, sizeof *infos);
	if (!first)
		return ent_schema_dup(given, ret, err);
	if (!fields || !infos)
		return ent_nomem(err);
	for (size_t i = first; i < n; i++) {
		struct ent_field_info *f = &infos[i];
		ent_schema_field(given, i, f);
		fields[i - first] =
			(struct ent_field){ .name = f->name, .type = f->type, .nullable = f->nullable, .native = f->native[0] ? f->native : NULL };
	}
	return ent_schema_new(fields, n - first, NULL, ret, err);
}

int ent_mongo_sink_alter(struct ent_sink *k, size_t index, const struct ArrowSchema *new_schema, struct ent_err *err)
{
	struct ent_mongo_sink_table *t = &k->tables[index];
	ENT_CLEANUP(ent_mongo_plan_deinit) struct ent_mongo_plan plan = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_mongo_table *there;
	ENT_TRY(ent_mongo_flush(k, t, err));
	ENT_TRY(schema_of_table(new_schema, &schema, err));
	ent_mongo_tables_forget(k->source);
	ENT_TRY(ent_mongo_table_get(k->source, t->name, &there, err));
	ENT_TRY(ent_mongo_plan_make(&plan, &schema, t->keys, t->n_keys, t->fresh ? NULL : &there->columns, NULL, err));
	if (t->fresh)
		ENT_TRY(ent_mongo_schema_store(k->source, t->db, t->name, &plan.columns, err));
	ent_mongo_plan_deinit(&t->plan);
	t->plan = plan;
	plan = (struct ent_mongo_plan){ 0 };
	ent_schema_release(&t->schema);
	t->schema = ent_schema_take(&schema);
	return 0;
}
