/* BSON to Arrow: a document is sampled and decoded by the columns found, decoded again by fixed ones, its rows are written back, and it is read as
 * a change event.
 * fuzz-deps: mongo_bson_dep */
#include "arrow/batch.h"
#include "mongo_encode.h"
#include "mongo_event.h"
#include "mongo_infer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void columns_fixed(struct ent_mongo_columns *c)
{
	static const char *const types[] = {
		"bool", "int",  "long",    "double", "decimal(18,4)", "date", "timestamp with time zone", "string", "objectId",
		"uuid", "json", "decimal", "binary", "time",          "real", "unsigned bigint"
	};
	for (size_t i = 0; i < ENT_COUNT(types); i++) {
		char name[8] = { (char)('a' + i), 0 };
		struct ent_mongo_column m = { .name = name, .path = name, .nullable = true, .micros = i == 6 };
		ENT_ASSERT(!ent_mongo_declare(c, types[i], &m, NULL) && !ent_mongo_column_add(c, &m, NULL));
	}
}

/* What was decoded can be written as a document again, or is refused by name. */
static void write_back(const struct ArrowSchema *schema, const struct ArrowArray *rows)
{
	static const char *const key = "_id";
	ENT_CLEANUP(ent_mongo_plan_deinit) struct ent_mongo_plan plan = { 0 };
	ENT_BATCH_AUTO b = { 0 };
	struct ent_err e = ENT_ERR_INIT;
	if (ent_schema_find(schema, key) < 0 || ent_mongo_plan_make(&plan, schema, &key, 1, NULL, NULL, &e))
		return;
	ENT_ASSERT(!ent_batch_open_copy(schema, rows, &b, &e));
	for (size_t r = 0; r < b.rows; r++) {
		bson_t *doc = bson_new();
		(void)ent_mongo_encode(&plan, &b, 0, r, doc, &e);
		bson_destroy(doc);
	}
}

static void decode(struct ent_mongo_columns *c, const bson_t *doc, bool strict)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO rows = { 0 };
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	ENT_CLEANUP(ent_mongo_decoder_deinit) struct ent_mongo_decoder d = { .columns = c, .strict = strict };
	struct ent_mongo_node *tree;
	struct ent_err e = ENT_ERR_INIT;
	if (!c->n || ent_mongo_tree(c, &tree, &e) || ent_mongo_schema(c, true, &schema, &e) || ent_builder_new(&schema, 4 << 20, &b, &e))
		return;
	d.builder = b;
	d.tree = tree;
	if (ent_mongo_decoder_init(&d, &e) || ent_mongo_decode(&d, doc, &e))
		return; /* a row may be half built: the batch is given up with the stream */
	ENT_ASSERT(!ent_builder_finish(b, &rows, &e));
	write_back(&schema, &rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ENT_CLEANUP(ent_mongo_columns_deinit) struct ent_mongo_columns fixed = { 0 }, found = { 0 };
	ENT_CLEANUP(ent_mongo_sample_freep) struct ent_mongo_sample *sample = NULL;
	struct ent_mongo_event event;
	char cursor[ENT_MONGO_CURSOR_MAX];
	struct ent_err e = ENT_ERR_INIT;
	bson_t doc;
	if (!bson_init_static(&doc, data, size) || ent_mongo_columns_init(&fixed, &e) || ent_mongo_columns_init(&found, &e))
		return 0;
	columns_fixed(&fixed);
	decode(&fixed, &doc, false);
	if (!ent_mongo_sample_new(&sample, &e) && !ent_mongo_sample_add(sample, &doc, &e) && !ent_mongo_sample_columns(sample, &found, &e))
		decode(&found, &doc, true);
	(void)ent_mongo_event_read(&doc, &event, &e);
	(void)ent_mongo_cursor_text(&doc, cursor, &e);
	return 0;
}
