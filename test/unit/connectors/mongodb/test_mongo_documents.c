/* BSON to rows and back: recorded documents, every type, what is refused, what a sample decides. */
#include "arrow/batch.h"
#include "arrow/value.h"
#include "mongo_bson.h"
#include "mongo_encode.h"
#include "mongo_infer.h"
#include "tap.h"

/* As a server sends it: every scalar type. */
static const char recorded[] =
	"03010000075f6964000123456789abcdef01234567086100011062000500000012630000f2052a01000000016400000000000000f83f136500e20400"
	"00000000000000000000003c30096600005c260500000000096700ffffffffffffffff0268000500000074657874000769000123456789abcdef0123"
	"4567056a0010000000040000000000000000000000000000000a046b001700000010300001000000033100080000000a78000000136c000000000000"
	"000000000000000000007c056d000300000000000102026e000600000031303a303000016f00000000000000e03f10700007000000035f656e74656e"
	"74655f7573000c000000106700150300000000";

static bson_t *hex(const char *text)
{
	static uint8_t raw[4096];
	size_t n = strlen(text) / 2;
	OK(n <= sizeof raw && ent_unhex(raw, n, text, 2 * n), "%zu recorded bytes", n);
	return bson_new_from_data(raw, n);
}

static bson_t *json(const char *text)
{
	bson_error_t e;
	bson_t *b = bson_new_from_json((const uint8_t *)text, -1, &e);
	OK(b, "%.80s", text);
	return b;
}

static void declare(struct ent_mongo_columns *c, const char *name, const char *type, bool key)
{
	struct ent_mongo_column m = { .name = name, .path = name, .nullable = !key, .key = key, .micros = strstr(type, "timestamp") != NULL };
	OK(!ent_mongo_declare(c, type, &m, NULL) && !ent_mongo_column_add(c, &m, NULL), "%s %s", name, type);
}

struct table {
	struct ent_mongo_columns columns;
	struct ent_mongo_node *tree;
	struct ArrowSchema schema;
	struct ArrowArray rows;
};

static void table_deinit(struct table *t)
{
	ent_mongo_columns_deinit(&t->columns);
	ent_schema_release(&t->schema);
	ent_array_release(&t->rows);
}

static int decode(struct table *t, const bson_t *const *docs, size_t n, bool strict, struct ent_err *e)
{
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	ENT_CLEANUP(ent_mongo_decoder_deinit) struct ent_mongo_decoder d = { .columns = &t->columns, .strict = strict };
	ent_schema_release(&t->schema);
	ent_array_release(&t->rows);
	ENT_TRY(ent_mongo_tree(&t->columns, &t->tree, e));
	ENT_TRY(ent_mongo_schema(&t->columns, true, &t->schema, e));
	ENT_TRY(ent_builder_new(&t->schema, 0, &b, e));
	d.tree = t->tree;
	d.builder = b;
	ENT_TRY(ent_mongo_decoder_init(&d, e));
	for (size_t i = 0; i < n; i++)
		ENT_TRY(ent_mongo_decode(&d, docs[i], e));
	return ent_builder_finish(b, &t->rows, e);
}

static void dump(const struct table *t, struct ent_buf *out)
{
	ENT_BATCH_AUTO b = { 0 };
	OK(!ent_batch_open_copy(&t->schema, &t->rows, &b, NULL), "the batch validates");
	ent_buf_reset(out);
	for (size_t r = 0; r < b.rows; r++)
		for (size_t i = 0; i < b.n_columns; i++) {
			ent_value_put(&b.columns[i], r, out);
			ent_buf_str(out, ent_view_null(&b.columns[i], r) ? "NULL" : "");
			ent_buf_str(out, i + 1 < b.n_columns ? "|" : "\n");
		}
}

static void test_recorded(void)
{
	static const char *const types[] = {
		"boolean", "int",  "long",    "double", "decimal(18,4)", "date", "timestamp with time zone", "string", "objectId",
		"uuid",    "json", "decimal", "binary", "time",          "real", "unsigned bigint"
	};
	ENT_CLEANUP(table_deinit) struct table t = { 0 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 16);
	struct ent_err e = ENT_ERR_INIT;
	bson_t *doc = hex(recorded);
	OK(!ent_mongo_columns_init(&t.columns, &e), "columns");
	for (size_t i = 0; i < ENT_COUNT(types); i++)
		declare(&t.columns, (const char[]){ (char)('a' + i), 0 }, types[i], false);
	const bson_t *const docs[] = { doc };
	OK(!decode(&t, docs, 1, false, &e), "%s (%s)", e.what, e.why);
	dump(&t, &out);
	OK_STR(ent_buf_text(&out), "true|5|5000000000|1.5|12.5000|1970-01-02|1969-12-31 23:59:59.999789+00|text|0123456789abcdef01234567|"
				   "00000000-0000-0000-0000-00000000000a|[{\"$numberInt\":\"1\"},{\"x\":null}]|NaN|\\x000102|10:00:00|0.5|7\n");
	OK_INT(decode(&t, docs, 1, true, &e), ENT_EDATA, "%s (%s)", e.what, e.why);
	OK_STR(e.what, "document 1 has a field that the columns do not know: _id");
	bson_destroy(doc);
}

/* A value that the declared type cannot hold exactly is refused by document and field, and never shown. */
static void refused(const char *type, const char *value)
{
	ENT_CLEANUP(table_deinit) struct table t = { 0 };
	struct ent_err e = ENT_ERR_INIT;
	char text[200];
	snprintf(text, sizeof text, "{\"x\": %s}", value);
	bson_t *doc = json(text);
	const bson_t *const docs[] = { doc };
	OK(!ent_mongo_columns_init(&t.columns, &e), "columns");
	declare(&t.columns, "x", type, false);
	OK_INT(decode(&t, docs, 1, false, &e), ENT_EDATA, "%s is no %s: %s (%s)", value, type, e.what, e.why);
	OK(strstr(e.what, "document 1: field x"), "by name");
	bson_destroy(doc);
}

static void test_refused(void)
{
	static const char *const cases[][2] = { { "int", "{\"$numberLong\": \"2147483648\"}" },
						{ "smallint", "40000" },
						{ "int", "1.5" },
						{ "int", "\"1\"" },
						{ "boolean", "1" },
						{ "double", "{\"$numberLong\": \"9007199254740993\"}" },
						{ "double", "{\"$numberDecimal\": \"1.5\"}" },
						{ "real", "0.1" },
						{ "decimal(4,2)", "{\"$numberDecimal\": \"123.45\"}" },
						{ "decimal(4,2)", "{\"$numberDecimal\": \"1.234\"}" },
						{ "decimal(4,2)", "{\"$numberDecimal\": \"NaN\"}" },
						{ "decimal(4,2)", "1.5" },
						{ "date", "{\"$date\": {\"$numberLong\": \"1\"}}" },
						{ "timestamp with time zone", "{\"$date\": {\"$numberLong\": \"9223372036854775807\"}}" },
						{ "string", "5" },
						{ "string", "\"a\\u0000b\"" },
						{ "objectId", "\"0123456789abcdef01234567\"" },
						{ "uuid", "{\"$binary\": {\"base64\": \"AAEC\", \"subType\": \"00\"}}" },
						{ "binary", "{\"$binary\": {\"base64\": \"AAEC\", \"subType\": \"05\"}}" },
						{ "unsigned bigint", "-1" },
						{ "time", "{\"$date\": {\"$numberLong\": \"1\"}}" } };
	for (size_t i = 0; i < ENT_COUNT(cases); i++)
		refused(cases[i][0], cases[i][1]);
}

static void test_broken(void)
{
	ENT_CLEANUP(table_deinit) struct table t = { 0 };
	struct ent_err e = ENT_ERR_INIT;
	static const uint8_t twice[] = { 19, 0, 0, 0, 0x10, 'x', 0, 1, 0, 0, 0, 0x10, 'x', 0, 2, 0, 0, 0, 0 };
	static const uint8_t cut[] = { 12, 0, 0, 0, 0x02, 'x', 0, 99, 0, 0, 0, 0 };
	bson_t doc;
	const bson_t *const docs[] = { &doc };
	OK(!ent_mongo_columns_init(&t.columns, &e), "columns");
	declare(&t.columns, "x", "int", false);
	OK(bson_init_static(&doc, twice, sizeof twice), "a field twice");
	OK_INT(decode(&t, docs, 1, false, &e), ENT_EDATA, "%s", e.what);
	OK(bson_init_static(&doc, cut, sizeof cut), "a text that is longer than its document");
	OK_INT(decode(&t, docs, 1, false, &e), ENT_EDATA, "%s", e.what);
}

/* --- what a sample decides --- */

static void sampled(const char *const *texts, size_t n, const char *want)
{
	ENT_CLEANUP(ent_mongo_sample_freep) struct ent_mongo_sample *s = NULL;
	ENT_CLEANUP(ent_mongo_columns_deinit) struct ent_mongo_columns c = { 0 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 20);
	struct ent_err e = ENT_ERR_INIT;
	OK(!ent_mongo_sample_new(&s, &e) && !ent_mongo_columns_init(&c, &e), "a sample");
	for (size_t i = 0; i < n; i++) {
		bson_t *doc = json(texts[i]);
		OK(!ent_mongo_sample_add(s, doc, &e), "%s", e.what);
		bson_destroy(doc);
	}
	OK(!ent_mongo_sample_columns(s, &c, &e), "%s", e.what);
	for (size_t i = 0; i < c.n; i++) {
		char type[ENT_TYPE_TEXT_MAX];
		ent_mongo_declared(&c.all[i], type);
		ent_buf_printf(&out, "%s %s%s; ", c.all[i].path, type, c.all[i].unsupported ? "*" : "");
	}
	OK_STR(ent_buf_text(&out), want);
}
#define SAMPLED(want, ...) sampled((const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *), want)

static void test_sample(void)
{
	SAMPLED("_id integer; a integer; ", "{\"a\": 1, \"_id\": 1}");
	SAMPLED("a bigint; ", "{\"a\": 1}", "{\"a\": {\"$numberLong\": \"1\"}}", "{\"a\": null}", "{}");
	SAMPLED("a double precision; ", "{\"a\": 1}", "{\"a\": 1.5}");
	SAMPLED("a double precision; ", "{\"a\": {\"$numberLong\": \"9007199254740992\"}}", "{\"a\": 1.5}");
	SAMPLED("a json*; ", "{\"a\": {\"$numberLong\": \"9007199254740993\"}}", "{\"a\": 1.5}");
	SAMPLED("a decimal(18,3); ", "{\"a\": {\"$numberDecimal\": \"1.250\"}}", "{\"a\": 12345}");
	SAMPLED("a decimal(34,3)*; ", "{\"a\": {\"$numberDecimal\": \"1.250\"}}", "{\"a\": {\"$numberDecimal\": \"1E+20\"}}");
	SAMPLED("a json*; ", "{\"a\": {\"$numberDecimal\": \"1E-30\"}}", "{\"a\": {\"$numberDecimal\": \"1E+30\"}}");
	SAMPLED("a decimal*; ", "{\"a\": {\"$numberDecimal\": \"NaN\"}}", "{\"a\": {\"$numberDecimal\": \"1\"}}");
	SAMPLED("a json*; ", "{\"a\": 1}", "{\"a\": \"1\"}");
	SAMPLED("a json*; ", "{\"a\": null}");
	SAMPLED("a json*; ", "{\"a\": [1, 2]}");
	SAMPLED("a.b integer; a.c.d text; ", "{\"a\": {\"b\": 1, \"c\": {\"d\": \"x\"}}}", "{\"a\": null}");
	SAMPLED("a json*; ", "{\"a\": {\"b\": 1}}", "{\"a\": 1}");
	SAMPLED("a json*; b json*; c json*; ", "{\"a\": {}, \"b\": {\"\": 1}, \"c\": {\"d.e\": 1}}", "{\"a\": {\"x\": 1}}");
	SAMPLED("a integer; ", "{\"a\": 1, \"b.c\": 1, \"$d\": 1}");
	SAMPLED("_id.a integer; _id.b text; v boolean; ", "{\"_id\": {\"a\": 1, \"b\": \"x\"}, \"v\": true}");
}

static void test_map(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf wide = ENT_BUF(1 << 16), deep = ENT_BUF(1 << 16);
	ent_buf_str(&wide, "{\"m\": {");
	for (int i = 0; i < 102; i++)
		ent_buf_printf(&wide, "%s\"k%d\": %d", i ? "," : "", i, i);
	ent_buf_str(&wide, "}}");
	sampled((const char *const[]){ ent_buf_text(&wide) }, 1, "m json*; ");
	for (int i = 0; i < 18; i++)
		ent_buf_str(&deep, "{\"d\": ");
	ent_buf_str(&deep, "1");
	for (int i = 0; i < 18; i++)
		ent_buf_str(&deep, "}");
	sampled((const char *const[]){ ent_buf_text(&deep) }, 1, "d.d.d.d.d.d.d.d.d.d.d.d.d.d.d.d json*; ");
}

/* --- and back --- */

static void test_back(void)
{
	ENT_CLEANUP(table_deinit) struct table t = { 0 };
	ENT_CLEANUP(ent_mongo_plan_deinit) struct ent_mongo_plan plan = { 0 };
	ENT_BATCH_AUTO b = { 0 };
	struct ent_err e = ENT_ERR_INIT;
	bson_t *doc = json("{\"_id\": 7, \"n\": {\"a\": {\"b\": \"x\"}, \"c\": {\"$date\": {\"$numberLong\": \"-1\"}}}, \"j\": [1, {\"$numberLong\": "
			   "\"2\"}], \"_entente_us\": {\"n.c\": 5}}");
	const bson_t *const docs[] = { doc };
	const char *const key = "_id";
	OK(!ent_mongo_columns_init(&t.columns, &e), "columns");
	declare(&t.columns, "_id", "int", true);
	declare(&t.columns, "n.a.b", "string", false);
	declare(&t.columns, "n.c", "timestamp without time zone", false);
	declare(&t.columns, "j", "json", false);
	OK(!decode(&t, docs, 1, true, &e), "%s (%s)", e.what, e.why);
	OK(!ent_mongo_plan_make(&plan, &t.schema, &key, 1, NULL, NULL, &e), "%s (%s)", e.what, e.why);
	OK(!ent_batch_open_copy(&t.schema, &t.rows, &b, &e), "%s", e.what);
	bson_t again = BSON_INITIALIZER;
	OK(!ent_mongo_encode(&plan, &b, 0, 0, &again, &e), "%s (%s)", e.what, e.why);
	OK(bson_equal(&again, doc), "the very same bytes");
	bson_destroy(&again);
	bson_destroy(doc);
}

static void plan_refused(const char *const *names, size_t n, const char *key, int code, const char *want)
{
	ENT_CLEANUP(ent_mongo_plan_deinit) struct ent_mongo_plan plan = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_field fields[4] = { 0 };
	struct ent_err e = ENT_ERR_INIT;
	for (size_t i = 0; i < n; i++)
		fields[i] = (struct ent_field){ .name = names[i], .type = { .id = ENT_T_INT64 }, .nullable = true };
	OK(!ent_schema_new(fields, n, NULL, &schema, &e), "a schema");
	OK_INT(ent_mongo_plan_make(&plan, &schema, &key, key ? 1 : 0, NULL, NULL, &e), code, "%s (%s)", e.what, e.why);
	OK_STR(code ? e.what : "", want);
}

static void test_plans(void)
{
	plan_refused((const char *const[]){ "id", "a", "a.b" }, 3, "id", ENT_EUSAGE, "column a.b and another one cannot both be in one document");
	plan_refused((const char *const[]){ "id", "a.b", "a" }, 3, "id", ENT_EUSAGE, "column a and another one cannot both be in one document");
	plan_refused((const char *const[]){ "id", "$a" }, 2, "id", ENT_EUSAGE, "$a cannot be the name of a field in MongoDB");
	plan_refused((const char *const[]){ "id", "a..b" }, 2, "id", ENT_EUSAGE, "a..b cannot be the name of a field in MongoDB");
	plan_refused((const char *const[]){ "id", "_id" }, 2, "id", ENT_EUNSUPPORTED, "column _id cannot be written to MongoDB");
	plan_refused((const char *const[]){ "id", "v" }, 2, NULL, ENT_EUSAGE, "a collection needs a key, and the source has none");
	plan_refused((const char *const[]){ "id", "v" }, 2, "w", ENT_ENOTFOUND, "there is no column w to be a key");
	plan_refused((const char *const[]){ "id", "a.b", "a.c" }, 3, "id", 0, "");
}

static void test_meeting_paths(void)
{
	OK(ent_mongo_paths_meet("a", "a") && ent_mongo_paths_meet("a", "a.b") && ent_mongo_paths_meet("a.b", "a"), "a path and what it leads to");
	OK(!ent_mongo_paths_meet("a", "ab") && !ent_mongo_paths_meet("a.b", "a.c") && !ent_mongo_paths_meet("a.bc", "a.b"), "different fields");
}

int main(void)
{
	test_recorded();
	test_refused();
	test_broken();
	test_sample();
	test_map();
	test_back();
	test_plans();
	test_meeting_paths();
	return tap_done();
}
