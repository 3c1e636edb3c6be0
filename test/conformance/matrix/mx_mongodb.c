/* MongoDB as a store of the matrix: fields of documents, literals in extended JSON. */
#include <mongoc/mongoc.h>

#include "mx.h"
#include "mx_edges.h"

#define LONG(digits) "{\"$numberLong\": \"" digits "\"}"
#define DOUBLE(digits) "{\"$numberDouble\": \"" digits "\"}"
#define DECIMAL(digits) "{\"$numberDecimal\": \"" digits "\"}"
#define DATE(digits) "{\"$date\": {\"$numberLong\": \"" digits "\"}}"
#define BINARY(text, kind) "{\"$binary\": {\"base64\": \"" text "\", \"subType\": \"" kind "\"}}"

static const struct mx_column columns[] = {
	{ "c_bool", "bool", { EDGE_TRUE_FALSE } },
	{ "c_int", "int", { EDGE_I32 } },
	{ "c_long",
	  "long",
	  { { "smallest", LONG("-9223372036854775808"), "-9223372036854775808" },
	    { "largest", LONG("9223372036854775807"), "9223372036854775807" } } },
	{ "c_int_long", "int, long", { { "int", "1", NULL }, { "long", LONG("5000000000"), "5000000000" } } },
	{ "c_double",
	  "double",
	  { { "largest", DOUBLE("1.7976931348623157e+308"), "1.7976931348623157e+308" },
	    { "tiny", DOUBLE("5e-324"), "5e-324" },
	    { "-0", DOUBLE("-0.0"), "-0" },
	    { "NaN", DOUBLE("NaN"), "NaN" },
	    { "infinity", DOUBLE("Infinity"), "Infinity" },
	    { "-infinity", DOUBLE("-Infinity"), "-Infinity" } } },
	{ "c_decimal",
	  "decimal",
	  { { "scale kept", DECIMAL("1.50"), "1.50" },
	    { "half", DECIMAL("0.5"), "0.50" },
	    { "negative", DECIMAL("-12345678901234.56"), "-12345678901234.56" } } },
	{ "c_decimal_wide",
	  "decimal of 34 digits",
	  { { "34 digits", DECIMAL("9999" NINES30), "*" },
	    { "tiny", DECIMAL("1E-6176"), "*" },
	    { "NaN", DECIMAL("NaN"), "NaN" },
	    { "infinity", DECIMAL("Infinity"), "*" },
	    { "-0", DECIMAL("-0"), "*" } } },
	{ "c_date",
	  "date",
	  { { "year 1", DATE("-62135596800000"), "0001-01-01 00:00:00+00" },
	    { "year 9999", DATE("253402300799999"), "9999-12-31 23:59:59.999+00" },
	    { "before 1970", DATE("-1"), "1969-12-31 23:59:59.999+00" },
	    { "largest", DATE("9223372036854775807"), "*" } } },
	{ "c_string",
	  "string",
	  { { "empty", "\"\"", NULL },
	    { "beyond the BMP", "\"" BMP "\"", NULL },
	    { "a blank at its end", "\"a \"", NULL },
	    { "tab, quotes, line feed", "\"a\\t\\\"b\\\",\\n;|\\\\N\"", "a\t\"b\",\n;|\\N" },
	    { "1 MiB", "\"" MX_LONG "\"", NULL } } },
	{ "c_zero_letter", "string with a zero letter", { { "zero letter", "\"a\\u0000b\"", "*" } } },
	{ "c_binary", "binData", { { "empty", BINARY("", "00"), "\\x" }, { "zero byte", BINARY("AP8KXA==", "00"), "\\x00ff0a5c" } } },
	{ "c_object_id",
	  "objectId",
	  { { "smallest", "{\"$oid\": \"000000000000000000000000\"}", "000000000000000000000000" },
	    { "largest", "{\"$oid\": \"ffffffffffffffffffffffff\"}", "ffffffffffffffffffffffff" } } },
	{ "c_uuid", "UUID", { { "largest", BINARY("/////////////////////w==", "04"), "ffffffff-ffff-ffff-ffff-ffffffffffff" } } },
	{ "c_array", "array", { { "empty", "[]", "*" }, { "with null", "[1, null]", "*" } } },
	{ "c_mixed", "int, string", { { "int", "1", "*" }, { "string", "\"1\"", "*" } } },
	{ "c_regex", "regex", { { "one", "{\"$regularExpression\": {\"pattern\": \"^a\", \"options\": \"i\"}}", "*" } } },
	{ "c_timestamp", "timestamp", { { "one", "{\"$timestamp\": {\"t\": 1, \"i\": 2}}", "*" } } },
	{ "c_keys", "minKey, maxKey", { { "minKey", "{\"$minKey\": 1}", "*" }, { "maxKey", "{\"$maxKey\": 1}", "*" } } },
};

static mongoc_client_t *client;
static const char *base;

static int start(const struct mx_place *p)
{
	base = p->url;
	mongoc_init();
	client = mongoc_client_new(base);
	return !OK(client, "MongoDB: a client");
}

static void stop(void)
{
	mongoc_client_destroy(client);
	mongoc_cleanup();
}

static void drop(const char *name)
{
	char columns_of[100];
	mongoc_collection_t *c = mongoc_client_get_collection(client, "test", name),
			    *kept = mongoc_client_get_collection(client, "test", "_entente_schema");
	(void)mongoc_collection_drop(c, NULL);
	snprintf(columns_of, sizeof columns_of, "%s", name);
	bson_t *which = BCON_NEW("_id", BCON_UTF8(columns_of));
	(void)mongoc_collection_delete_many(kept, which, NULL, NULL, NULL);
	bson_destroy(which);
	mongoc_collection_destroy(kept);
	mongoc_collection_destroy(c);
}

static int insert(const char *name, const struct ent_buf *json)
{
	bson_error_t e = { 0 };
	bson_t *doc = bson_new_from_json(json->data, (ssize_t)json->len, &e);
	mongoc_collection_t *c = mongoc_client_get_collection(client, "test", name);
	int code = !(doc && mongoc_collection_insert_one(c, doc, NULL, NULL, &e));
	if (code)
		OK(0, "MongoDB: %s", e.message);
	mongoc_collection_destroy(c);
	bson_destroy(doc);
	return code;
}

static int make(const char *name, bool left_out[MX_COLUMNS][MX_ROWS])
{
	int code = 0;
	drop(name);
	for (size_t r = 0; !code && r < mx_rows(&mx_mongodb); r++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf json = ENT_BUF((size_t)64 << 20);
		ent_buf_printf(&json, "{\"_id\": %zu, \"id\": %zu", r + 1, r + 1);
		for (size_t c = 0; c < ENT_COUNT(columns); c++) {
			const struct mx_value *v = mx_value_at(&mx_mongodb, c, r);
			ent_buf_printf(&json, ", \"%s\": ", columns[c].name);
			mx_literal(&json, v && !left_out[c][r] ? v->literal : "null");
		}
		ent_buf_str(&json, "}");
		code = insert(name, &json);
	}
	return code;
}

static const char *url(const char *name)
{
	(void)name;
	return base;
}
static const char *object(const char *name) { return name; }

const struct mx_store mx_mongodb = {
	.kind = "mongodb",
	.title = "MongoDB",
	.columns = columns,
	.n_columns = ENT_COUNT(columns),
	.start = start,
	.stop = stop,
	.make = make,
	.drop = drop,
	.url = url,
	.object = object,
};
