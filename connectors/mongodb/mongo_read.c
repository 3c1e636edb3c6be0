/* Reading: documents to batches, in the order of _id where that order is one (all _id of comparable types), so that a broken connection goes on
 * behind the last document; otherwise in the server's own order. Splits are ranges of _id, as filters. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "mongo.h"

#define BATCH_DOCUMENTS 5000
#define POLL_DOCUMENTS 1000
#define SPLIT_TEXT_MAX 48 /* bytes of a text that bounds a split */

struct reader {
	struct ent_source *source;
	char db[65], name[256];
	struct ent_mongo_columns columns;
	struct ent_mongo_decoder decoder;
	struct ArrowSchema schema;
	struct ent_builder *builder;
	mongoc_cursor_t *cursor;
	bson_t *filter, *projection;
	bool ordered, any, done, wire;
	bson_value_t last; /* _id of the last document, when any */
	unsigned attempt;
};

static void reader_free(void *self)
{
	struct reader *r = (struct reader *)self;
	if (!r)
		return;
	mongoc_cursor_destroy(r->cursor);
	ent_mongo_decoder_deinit(&r->decoder);
	ent_mongo_columns_deinit(&r->columns);
	ent_builder_free(r->builder);
	ent_schema_release(&r->schema);
	ent_mongo_bson_freep(&r->filter);
	ent_mongo_bson_freep(&r->projection);
	if (r->any)
		bson_value_destroy(&r->last);
	free(r);
}
static void reader_freep(struct reader **r) { reader_free(*r); }

/* --- the order of _id --- */

/* Which values a comparison with one of this type can find; 0: none that we order by. */
static int bracket_of(bson_type_t t)
{
	if (t == BSON_TYPE_INT32 || t == BSON_TYPE_INT64 || t == BSON_TYPE_DOUBLE)
		return 1;
	return t == BSON_TYPE_UTF8 ? 2 : t == BSON_TYPE_OID ? 3 : t == BSON_TYPE_DATE_TIME ? 4 : 0;
}

/* The _id at a place of the order, from the given one on (or from the end of the collection); false in *ret when there is none. */
static int id_at(struct ent_source *s, const char *db, const char *name, const bson_t *filter, int direction, int64_t skip, bson_value_t *ret,
		 bool *ret_found, struct ent_err *err)
{
	const bson_t *doc;
	bson_error_t e;
	bson_iter_t at;
	ENT_BSON_AUTO opts =
		BCON_NEW("sort", "{", "_id", BCON_INT32(direction), "}", "projection", "{", "_id", BCON_INT32(1), "}", "limit", BCON_INT64(1));
	if (skip)
		BSON_APPEND_INT64(opts, "skip", skip);
	ENT_COLLECTION_AUTO c = mongoc_client_get_collection(s->client, db, name);
	ENT_CURSOR_AUTO cursor = mongoc_collection_find_with_opts(c, filter, opts, NULL);
	bool found = mongoc_cursor_next(cursor, &doc) && bson_iter_init_find(&at, doc, "_id");
	*ret_found = false;
	if (mongoc_cursor_error(cursor, &e))
		return ent_mongo_fail(&e, "the order of _id cannot be read", err);
	if (found)
		bson_value_copy(bson_iter_value(&at), ret);
	*ret_found = found;
	return 0;
}

/* The first and last _id are of one bracket, so every other is: BSON's order is by type first. */
static int ordered_find(struct ent_source *s, const char *db, const char *name, const bson_t *filter, int *ret_bracket, struct ent_err *err)
{
	bson_value_t low, high;
	bool found, too;
	*ret_bracket = 0;
	ENT_TRY(id_at(s, db, name, filter, 1, 0, &low, &found, err));
	if (!found)
		return 0;
	int code = id_at(s, db, name, filter, -1, 0, &high, &too, err);
	if (!code && too) {
		int a = bracket_of(low.value_type), b = bracket_of(high.value_type);
		bool nan = (low.value_type == BSON_TYPE_DOUBLE && !(low.value.v_double == low.value.v_double));
		*ret_bracket = a == b && !nan ? a : 0;
		bson_value_destroy(&high);
	}
	bson_value_destroy(&low);
	return code;
}

/* --- one cursor --- */

static bson_t *filter_behind(const struct reader *r)
{
	bson_t *f = bson_new(), both, first, second, range;
	if (!r->any) {
		bson_concat(f, r->filter);
		return f;
	}
	BSON_APPEND_ARRAY_BEGIN(f, "$and", &both);
	BSON_APPEND_DOCUMENT_BEGIN(&both, "0", &first);
	bson_concat(&first, r->filter);
	bson_append_document_end(&both, &first);
	BSON_APPEND_DOCUMENT_BEGIN(&both, "1", &second);
	BSON_APPEND_DOCUMENT_BEGIN(&second, "_id", &range);
	BSON_APPEND_VALUE(&range, "$gt", &r->last);
	bson_append_document_end(&second, &range);
	bson_append_document_end(&both, &second);
	bson_append_array_end(f, &both);
	return f;
}

static int cursor_open(struct reader *r, struct ent_err *err)
{
	ENT_BSON_AUTO filter = filter_behind(r);
	ENT_BSON_AUTO opts = BCON_NEW("batchSize", BCON_INT32(BATCH_DOCUMENTS));
	ENT_COLLECTION_AUTO c = mongoc_client_get_collection(r->source->client, r->db, r->name);
	if (r->projection)
		BSON_APPEND_DOCUMENT(opts, "projection", r->projection);
	if (r->ordered) {
		bson_t sort;
		BSON_APPEND_DOCUMENT_BEGIN(opts, "sort", &sort);
		BSON_APPEND_INT32(&sort, "_id", 1);
		bson_append_document_end(opts, &sort);
	}
	r->cursor = mongoc_collection_find_with_opts(c, filter, opts, NULL);
	return r->cursor ? 0 : ent_nomem(err);
}

/* The connection broke: goes on behind the last document where there is an order. */
static int cursor_again(struct reader *r, const bson_error_t *e, struct ent_err *err)
{
	bson_error_t why = *e;
	mongoc_cursor_destroy(r->cursor);
	r->cursor = NULL;
	if (!ent_mongo_lost(&why) || !r->ordered || r->attempt >= ENT_MONGO_ATTEMPTS)
		return ent_mongo_fail(&why, "reading the collection stopped", err);
	ENT_TRY(ent_mongo_reconnect(r->source, r->attempt++, err));
	return cursor_open(r, err);
}

static int document_take(struct reader *r, const bson_t *doc, struct ent_err *err)
{
	bson_iter_t at;
	ENT_TRY(r->wire ? ent_builder_text(r->builder, 0, ent_bytes(bson_get_data(doc), doc->len), err) : ent_mongo_decode(&r->decoder, doc, err));
	if (!r->ordered || !bson_iter_init_find(&at, doc, "_id"))
		return 0;
	if (r->any)
		bson_value_destroy(&r->last);
	bson_value_copy(bson_iter_value(&at), &r->last);
	r->any = true;
	return 0;
}

static int reader_next(void *self, struct ArrowArray *ret, struct ent_err *err)
{
	struct reader *r = (struct reader *)self;
	const bson_t *doc;
	bson_error_t e;
	ENT_TRY(ent_mongo_cancelled(r->source, err));
	for (size_t n = 1; !r->done && !ent_builder_full(r->builder); n++) {
		if (n % POLL_DOCUMENTS == 0)
			ENT_TRY(ent_mongo_cancelled(r->source, err));
		if (mongoc_cursor_next(r->cursor, &doc)) {
			ENT_TRY(document_take(r, doc, err));
			r->attempt = 0;
		} else if (mongoc_cursor_error(r->cursor, &e)) {
			ENT_TRY(cursor_again(r, &e, err));
		} else {
			r->done = true;
		}
	}
	return ent_builder_rows(r->builder) ? ent_builder_finish(r->builder, ret, err) : 0;
}

static const struct ent_stream_ops reader_ops = { reader_next, reader_free };

/* --- what to read --- */

static int column_find(const struct ent_mongo_table *t, const char *name, bool copying, const struct ent_mongo_column **ret, struct ent_err *err)
{
	for (size_t i = 0; i < t->columns.n; i++) {
		const struct ent_mongo_column *c = &t->columns.all[i];
		if (strcmp(c->name, name) != 0)
			continue;
		if (c->unsupported && !copying) {
			ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be read", name);
			return ent_why(err, "%s", c->unsupported), ENT_EUNSUPPORTED;
		}
		*ret = c;
		return 0;
	}
	return ent_fail(err, ENT_ENOTFOUND, "there is no column %.200s", name);
}

static int columns_choose(struct reader *r, const struct ent_mongo_table *t, const char *const *columns, size_t n, bool copying, struct ent_err *err)
{
	const struct ent_mongo_column *c = NULL;
	ENT_TRY(ent_mongo_columns_init(&r->columns, err));
	for (size_t i = 0; columns && i < n; i++) {
		ENT_TRY(column_find(t, columns[i], copying, &c, err));
		ENT_TRY(ent_mongo_column_add(&r->columns, c, err));
	}
	for (size_t i = 0; !columns && i < t->columns.n; i++)
		ENT_TRY(ent_mongo_column_add(&r->columns, &t->columns.all[i], err));
	return 0;
}

/* Only the fields of the columns, and _id, which the order needs. */
static bson_t *projection_make(const struct ent_mongo_columns *c)
{
	bson_t *p = BCON_NEW("_id", BCON_INT32(1));
	bool micros = false;
	for (size_t i = 0; i < c->n; i++) {
		if (strncmp(c->all[i].path, "_id", 3) != 0 || (c->all[i].path[3] && c->all[i].path[3] != '.'))
			BSON_APPEND_INT32(p, c->all[i].path, 1);
		micros = micros || c->all[i].micros;
	}
	if (micros)
		BSON_APPEND_INT32(p, ENT_MONGO_MICROS, 1);
	return p;
}

static int reader_shape(struct reader *r, bool all, bool copying, struct ent_err *err)
{
	struct ent_mongo_node *tree;
	ENT_TRY(ent_mongo_tree(&r->columns, &tree, err));
	ENT_TRY(ent_mongo_schema(&r->columns, copying, &r->schema, err));
	ENT_TRY(ent_builder_new(&r->schema, 0, &r->builder, err));
	r->decoder = (struct ent_mongo_decoder){ .columns = &r->columns, .tree = tree, .builder = r->builder, .strict = all };
	if (!all && !(r->projection = projection_make(&r->columns)))
		return ent_nomem(err);
	return ent_mongo_decoder_init(&r->decoder, err);
}

static int wire_shape(struct reader *r, const struct ent_mongo_table *t, struct ent_err *err)
{
	static const struct ent_field image = { .name = ENT_META_WIRE, .type = { .id = ENT_T_BINARY }, .native = "bson document" };
	ENT_TRY(ent_schema_new(&image, 1, NULL, &r->schema, err));
	ENT_TRY(ent_schema_meta_add(&r->schema, ENT_META_WIRE, "mongodb", err));
	if (t->kept)
		ENT_TRY(ent_schema_meta_add(&r->schema, ENT_MONGO_META_COLUMNS, t->kept, err));
	r->wire = true;
	return ent_builder_new(&r->schema, 0, &r->builder, err);
}

static int filter_add(bson_t *all, const char *key, const char *text, const char *what, struct ent_err *err)
{
	bson_error_t e;
	ENT_BSON_AUTO one = bson_new_from_json((const uint8_t *)text, -1, &e);
	if (!one) {
		ent_fail(err, ENT_EUSAGE, "%s is no filter: %.100s", what, text);
		ent_why(err, "%.200s", e.message);
		return ent_next(err, "write a MongoDB query, such as {\"year\": {\"$gte\": 2020}}"), ENT_EUSAGE;
	}
	BSON_APPEND_DOCUMENT(all, key, one);
	return 0;
}

static int filter_make(struct reader *r, const char *where, const char *split, struct ent_err *err)
{
	ENT_BSON_AUTO all = bson_new();
	bool ranged = split && strcmp(split, "{}") != 0;
	r->filter = bson_new();
	if (where)
		ENT_TRY(filter_add(all, "0", where, "--where", err));
	if (ranged)
		ENT_TRY(filter_add(all, where ? "1" : "0", split, "the split", err));
	if (where || ranged)
		BSON_APPEND_ARRAY(r->filter, "$and", all);
	return 0;
}

/* Takes r, also on failure. */
static int reader_start(struct reader *given, const struct ent_mongo_table *t, struct ArrowArrayStream *ret, struct ent_err *err)
{
	ENT_CLEANUP(reader_freep) struct reader *r = given;
	ENT_SCHEMA_AUTO schema = { 0 };
	int bracket;
	snprintf(r->db, sizeof r->db, "%s", t->db);
	snprintf(r->name, sizeof r->name, "%s", t->name);
	ENT_BSON_AUTO everything = bson_new();
	ENT_TRY(ordered_find(r->source, r->db, r->name, everything, &bracket, err));
	r->ordered = bracket != 0;
	ENT_TRY(cursor_open(r, err));
	ENT_TRY(ent_schema_dup(&r->schema, &schema, err));
	r = NULL;
	return ent_stream_new(&schema, &reader_ops, given, ret, err);
}

static int table_needed(struct ent_source *s, const char *object, struct ent_mongo_table **ret, struct ent_err *err)
{
	ENT_TRY(ent_mongo_table_get(s, object, ret, err));
	if ((*ret)->there)
		return 0;
	ent_mongo_tables_forget(s);
	return ent_fail(err, ENT_ENOTFOUND, "there is no collection %.200s", object);
}

int ent_mongo_scan(struct ent_source *s, const char *object, const char *const *columns, size_t n_columns, struct ArrowArrayStream *ret,
		   struct ent_err *err)
{
	struct ent_mongo_table *t;
	ENT_CLEANUP(reader_freep) struct reader *r = (struct reader *)calloc(1, sizeof *r);
	if (!r)
		return ent_nomem(err);
	if (!n_columns)
		return ent_fail(err, ENT_EUSAGE, "a scan needs at least one column");
	r->source = s;
	ENT_TRY(table_needed(s, object, &t, err));
	ENT_TRY(columns_choose(r, t, columns, n_columns, false, err));
	ENT_TRY(filter_make(r, NULL, NULL, err));
	ENT_TRY(reader_shape(r, false, false, err));
	struct reader *given = r;
	r = NULL;
	return reader_start(given, t, ret, err);
}

int ent_mongo_read(struct ent_source *s, const struct ent_read *what, struct ArrowArrayStream *ret, struct ent_err *err)
{
	struct ent_mongo_table *t;
	ENT_CLEANUP(reader_freep) struct reader *r = (struct reader *)calloc(1, sizeof *r);
	if (!r)
		return ent_nomem(err);
	r->source = s;
	ENT_TRY(table_needed(s, what->object, &t, err));
	ENT_TRY(filter_make(r, what->where, what->split, err));
	if (what->flags & ENT_READ_WIRE) {
		ENT_TRY(wire_shape(r, t, err));
	} else {
		ENT_TRY(columns_choose(r, t, what->columns, what->n_columns, true, err));
		ENT_TRY(reader_shape(r, !what->columns, true, err));
		ENT_TRY(ent_schema_meta_add(&r->schema, ENT_META_STORE, "mongodb", err));
	}
	struct reader *given = r;
	r = NULL;
	return reader_start(given, t, ret, err);
}

/* --- splits --- */

/* A text that bounds a split is cut: any text between two ids divides them. */
static void bound_put(bson_t *range, const char *op, const bson_value_t *v)
{
	if (v->value_type != BSON_TYPE_UTF8 || v->value.v_utf8.len <= SPLIT_TEXT_MAX) {
		BSON_APPEND_VALUE(range, op, v);
		return;
	}
	uint32_t n = SPLIT_TEXT_MAX;
	while (n && ((uint8_t)v->value.v_utf8.str[n] & 0xc0) == 0x80)
		n--;
	bson_append_utf8(range, op, -1, v->value.v_utf8.str, (int)n);
}

static char *split_text(const bson_value_t *from, const bson_value_t *to)
{
	ENT_BSON_AUTO f = bson_new();
	bson_t range;
	BSON_APPEND_DOCUMENT_BEGIN(f, "_id", &range);
	if (from)
		bound_put(&range, "$gte", from);
	if (to)
		bound_put(&range, "$lt", to);
	bson_append_document_end(f, &range);
	return from || to ? bson_as_canonical_extended_json(f, NULL) : bson_strdup("{}");
}

struct planner {
	struct ent_source *source;
	const struct ent_mongo_table *table;
	int64_t rows;
	int (*take)(void *arg, const char *split, int64_t rows);
	void *arg;
};

static int split_give(const struct planner *p, const bson_value_t *from, const bson_value_t *to, struct ent_err *err)
{
	char *text = split_text(from, to);
	int code = text ? p->take(p->arg, text, to ? p->rows : -1) : ent_nomem(err);
	bson_free(text);
	return code;
}

/* Steps along the index of _id, rows by rows. */
static int ranges_give(const struct planner *p, struct ent_err *err)
{
	bson_value_t from, to;
	bool begun = false, found;
	int code;
	for (;;) {
		found = false;
		ENT_BSON_AUTO filter = bson_new();
		bson_t range;
		if (begun) {
			BSON_APPEND_DOCUMENT_BEGIN(filter, "_id", &range);
			BSON_APPEND_VALUE(&range, "$gte", &from);
			bson_append_document_end(filter, &range);
		}
		code = ent_mongo_cancelled(p->source, err);
		if (!code)
			code = id_at(p->source, p->table->db, p->table->name, filter, 1, p->rows, &to, &found, err);
		if (!code)
			code = split_give(p, begun ? &from : NULL, found ? &to : NULL, err);
		if (begun)
			bson_value_destroy(&from);
		if (code || !found)
			break;
		from = to;
		begun = true;
	}
	if (code && found)
		bson_value_destroy(&to);
	return code;
}

int ent_mongo_plan(struct ent_source *s, const char *object, uint64_t rows_per_split, int (*take)(void *arg, const char *split, int64_t rows),
		   void *arg, struct ent_err *err)
{
	struct ent_mongo_table *t;
	int bracket;
	ENT_BSON_AUTO everything = bson_new();
	ENT_TRY(table_needed(s, object, &t, err));
	ENT_TRY(ordered_find(s, t->db, t->name, everything, &bracket, err));
	const struct planner p = { s, t, (int64_t)(rows_per_split && rows_per_split < INT32_MAX ? rows_per_split : 500000), take, arg };
	return bracket ? ranges_give(&p, err) : split_give(&p, NULL, NULL, err);
}
