/* MongoDB: the suites, then documents of every shape, splits, a cut connection, sinks, changes. Runs against a substitute server (see
 * test/servers/mongo.sh). usage: test_mongodb MODULE URL FOLDER */
#include <mongoc/mongoc.h>
#include <stdlib.h>

#include "arrow/builder.h"
#include "mongodb_kit.h"
#include "suite.h"

static const struct ent_connector *c;
static const char *url, *folder;
static mongoc_client_t *client;
static const struct ent_option writing[] = { { "access", "write" } };

static struct ent_source *opened(const struct ent_option *options, size_t n)
{
	struct ent_host host = suite_host();
	struct ent_source *s = NULL;
	struct ent_err e = ENT_ERR_INIT;
	OK(!c->open(&host, url, options, n, &s, &e), "open %s (%s)", e.what, e.why);
	return s;
}

static void insert(const char *name, const char *json)
{
	bson_error_t e;
	bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &e);
	mongoc_collection_t *to = mongoc_client_get_collection(client, "test", name);
	OK(doc && mongoc_collection_insert_one(to, doc, NULL, NULL, &e), "insert %.60s", json);
	mongoc_collection_destroy(to);
	if (doc)
		bson_destroy(doc);
}

/* --- the canonical table, written by the sink itself --- */

static int value_put(struct ent_builder *b, size_t col, const char *text)
{
	struct ent_type t = ent_builder_type(b, col);
	struct ent_bytes v = ent_bytes_str(text ? text : "");
	int64_t i = 0;
	int32_t days = 0;
	double d = 0;
	ent_i128 wide = 0;
	if (!text)
		return ent_builder_null(b, col, NULL);
	if (t.id == ENT_T_TEXT && !strcmp(text, "LONG")) {
		char *large = malloc(SUITE_LONG_TEXT);
		memset(large, 'x', SUITE_LONG_TEXT);
		int code = ent_builder_text(b, col, ent_bytes(large, SUITE_LONG_TEXT), NULL);
		free(large);
		return code;
	}
	if (t.id == ENT_T_TEXT)
		return ent_builder_text(b, col, v, NULL);
	if (t.id == ENT_T_BOOL)
		return ent_builder_int(b, col, text[0] == 't', NULL);
	if (t.id == ENT_T_DECIMAL)
		return ent_decimal_parse(v, t.precision, t.scale, &wide) ? ent_builder_wide(b, col, wide, NULL) : ENT_EDATA;
	if (ent_type_is_float(t))
		return ent_real_parse(v, &d) ? ent_builder_real(b, col, t.id == ENT_T_REAL ? (double)(float)d : d, NULL) : ENT_EDATA;
	if (t.id == ENT_T_DATE)
		return ent_date_parse(v, &days) ? ent_builder_int(b, col, days, NULL) : ENT_EDATA;
	if (ent_type_is_time(t))
		return ent_timestamp_parse(v, t.id == ENT_T_TIMESTAMPTZ, &i) ? ent_builder_int(b, col, i, NULL) : ENT_EDATA;
	return ent_int_parse(v, &i) ? ent_builder_int(b, col, i, NULL) : ENT_EDATA;
}

static void canonical_make(struct ArrowSchema *schema, struct ArrowArray *rows)
{
	struct ent_field fields[SUITE_COLUMNS] = { 0 };
	struct ent_builder *b = NULL;
	struct ent_err e = ENT_ERR_INIT;
	int bad = 0;
	for (size_t i = 0; i < SUITE_COLUMNS; i++) {
		fields[i] = (struct ent_field){ .name = suite_names[i], .nullable = i > 0 };
		bad += !ent_type_by_name(suite_types[i], &fields[i].type);
	}
	bad += ent_schema_new(fields, SUITE_COLUMNS, "id", schema, &e) != 0;
	bad += ent_builder_new(schema, 0, &b, &e) != 0;
	for (size_t r = 0; r < SUITE_ROWS && !bad; r++)
		for (size_t i = 0; i < SUITE_COLUMNS; i++)
			bad += value_put(b, i, suite_rows[r][i]) != 0;
	bad += bad || ent_builder_finish(b, rows, &e);
	OK_INT(bad, 0, "the canonical table as a batch: %s", e.what);
	ent_builder_free(b);
}

static int write_table(const char *object, const struct ArrowSchema *schema, const struct ArrowArray *rows, enum ent_write_mode mode,
		       struct ent_err *e)
{
	struct ent_source *s = opened(writing, 1);
	struct ent_sink *k = NULL;
	uint64_t epoch = 0;
	size_t at;
	struct ent_target target = { .size = sizeof target, .object = object, .schema = schema, .mode = mode };
	struct ent_sink_checkpoint point = { .size = sizeof point, .part = "all", .cursor = "done" };
	int code = c->sink_open(s, "test", &epoch, &k, e);
	code = code ? code : c->sink_table(k, &target, &at, e);
	code = code || !rows ? code : c->sink_rows(k, at, rows, e);
	code = code ? code : c->sink_commit(k, &point, e);
	code = code ? code : c->sink_finish(k, 1, e);
	c->sink_close(k);
	c->close(s);
	return code;
}

static void canonical_write(void)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO rows = { 0 };
	struct ent_err e = ENT_ERR_INIT;
	canonical_make(&schema, &rows);
	OK(!write_table("t", &schema, &rows, ENT_WRITE_CREATE, &e), "t is written %s (%s)", e.what, e.why);
	OK(!write_table("empty", &schema, NULL, ENT_WRITE_CREATE, &e), "empty is made %s (%s)", e.what, e.why);
	OK_INT(write_table("t", &schema, &rows, ENT_WRITE_CREATE, &e), ENT_EUSAGE, "not a second time: %s", e.what);
	OK(!write_table("t", &schema, &rows, ENT_WRITE_APPEND, &e), "the very same rows again change nothing %s (%s)", e.what, e.why);
	OK(!write_table("t", &schema, &rows, ENT_WRITE_REPLACE, &e), "replaced %s (%s)", e.what, e.why);
}

/* --- documents --- */

static void dump(const char *object, const char *where, const struct ent_option *options, size_t n, int want_code, const char *want)
{
	struct ent_source *s = opened(options, n);
	struct ent_err e = ENT_ERR_INIT;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 20);
	int code = kit_dump(c, s, object, where, NULL, &out, &e);
	OK_INT(code, want_code, "read %s: %s (%s)", object, e.what, e.why);
	OK_STR(code ? e.what : ent_buf_text(&out), want, "%s", object);
	c->close(s);
}

static void columns(const char *object, const struct ent_option *options, size_t n, const char *want)
{
	struct ent_source *s = opened(options, n);
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_object o = { .size = sizeof o };
	struct ent_err e = ENT_ERR_INIT;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 20);
	OK(!c->describe(s, object, &schema, &o, &e), "describe %s: %s (%s)", object, e.what, e.why);
	for (size_t i = 0; schema.release && i < (size_t)schema.n_children; i++) {
		struct ent_field_info f;
		char type[ENT_TYPE_TEXT_MAX];
		ent_schema_field(&schema, i, &f);
		ent_type_name(f.type, type);
		ent_buf_printf(&out, "%s %s%s <%s>\n", f.name, type, f.unsupported[0] ? " copies" : "", f.native);
	}
	OK_STR(ent_buf_text(&out), want, "columns of %s", object);
	c->close(s);
}

static void test_documents(void)
{
	insert("docs", "{\"_id\": {\"$oid\": \"00000000000000000000000a\"}, \"n\": 1, \"name\": \"a\", \"address\": {\"city\": \"B\", \"geo\": "
		       "{\"lat\": 1.5}}, "
		       "\"tags\": [1, \"x\"], \"mixed\": 5, \"when\": {\"$date\": {\"$numberLong\": \"1500\"}}, \"big\": {\"$numberLong\": "
		       "\"5000000000\"}, "
		       "\"price\": {\"$numberDecimal\": \"12.50\"}}");
	insert("docs", "{\"_id\": {\"$oid\": \"00000000000000000000000b\"}, \"n\": 2.5, \"address\": {\"city\": null}, \"mixed\": \"five\", \"big\": "
		       "7, \"price\": "
		       "{\"$numberDecimal\": \"1E+3\"}, \"uid\": {\"$binary\": {\"base64\": \"AAAAAAAAAAAAAAAAAAAACg==\", \"subType\": \"04\"}}}");
	columns("docs", NULL, 0,
		"_id text <bson objectId>\nn double precision <bson int|double>\nname text <bson string>\naddress.city text <bson string>\n"
		"address.geo.lat double precision <bson double>\ntags text copies <bson array>\nmixed text copies <bson int|string>\n"
		"when timestamp with time zone <bson date>\nbig bigint <bson int|long>\nprice decimal(18,2) <bson decimal>\nuid text <bson uuid>\n");
	dump("docs", NULL, NULL, 0, 0,
	     "00000000000000000000000a|1|a|B|1.5|[{\"$numberInt\":\"1\"},\"x\"]|{\"$numberInt\":\"5\"}|1970-01-01 "
	     "00:00:01.5+00|5000000000|12.50|NULL\n"
	     "00000000000000000000000b|2.5|NULL|NULL|NULL|NULL|\"five\"|NULL|7|1000.00|00000000-0000-0000-0000-00000000000a\n");
	dump("docs", "{\"n\": {\"$gt\": 2}}", NULL, 0, 0,
	     "00000000000000000000000b|2.5|NULL|NULL|NULL|NULL|\"five\"|NULL|7|1000.00|00000000-0000-0000-0000-00000000000a\n");
	dump("docs", "{n: ", NULL, 0, ENT_EUSAGE, "--where is no filter: {n: ");
}

static void test_declared(void)
{
	char path[400];
	snprintf(path, sizeof path, "%s/schema", folder);
	FILE *f = fopen(path, "w");
	fputs("# what we know better\naddress json\nn decimal(10,2)\n\"extra one\" text\n", f);
	fclose(f);
	const struct ent_option declared[] = { { "schema", path } };
	columns("docs", declared, 1,
		"_id text <bson objectId>\nn decimal(10,2) <bson decimal(10,2)>\nname text <bson string>\ntags text copies <bson array>\n"
		"mixed text copies <bson int|string>\nwhen timestamp with time zone <bson date>\nbig bigint <bson int|long>\n"
		"price decimal(18,2) <bson decimal>\nuid text <bson uuid>\naddress text copies <bson json>\nextra one text <bson text>\n");
	dump("docs", NULL, declared, 1, ENT_EDATA, "document 2: field n does not fit the column's type decimal(10,2)");
}

int main(int argc, char **argv)
{
	if (argc != 4 || !(c = suite_module(argv[1])))
		return 2;
	url = argv[2];
	folder = argv[3];
	mongoc_init();
	client = mongoc_client_new(url);
	canonical_write();
	static struct suite_store store = {
		.name = "MongoDB", .keys = true, .ordered = true, .object = "t", .empty_object = "empty", .missing_object = "nothing"
	};
	store.url = store.empty_url = store.missing_url = store.hidden_url = url;
	insert("hidden", "{\"_id\": 1, \"id\": 1, \"odd\": [1]}");
	store.hidden_object = "hidden";
	suite_run(c, &store);
	test_documents();
	test_declared();
	mongoc_client_destroy(client);
	return tap_done();
}
