/* Apache Cassandra as a store of the matrix. */
#include "../cql_client.h"
#include "mx.h"
#include "mx_edges.h"

static const struct mx_column columns[] = {
	{ "c_boolean", "boolean", { EDGE_TRUE_FALSE } },
	{ "c_tinyint", "tinyint", { EDGE_INT("-128", "127") } },
	{ "c_smallint", "smallint", { EDGE_I16 } },
	{ "c_int", "int", { EDGE_I32 } },
	{ "c_bigint", "bigint", { EDGE_I64 } },
	{ "c_varint",
	  "varint",
	  { { "60 digits", "-" NINES30 NINES30, NULL }, { "0", "0", NULL }, { "largest of 64 bits", "18446744073709551615", NULL } } },
	{ "c_decimal",
	  "decimal",
	  { { "60 digits", NINES30 "." NINES30, NULL },
	    { "tiny", TINY37, "*" },
	    { "scale kept", "1.500", NULL },
	    { "scale below 0", "1e20", "*" } } },
	{ "c_float",
	  "float",
	  { { "largest", "3.4028235e+38", NULL },
	    { "tiny", "1e-45", NULL },
	    { "-0", "-0.0", "-0" },
	    { "NaN", "NaN", NULL },
	    { "infinity", "Infinity", NULL },
	    { "-infinity", "-Infinity", NULL } } },
	{ "c_double",
	  "double",
	  { { "largest", "1.7976931348623157e+308", NULL },
	    { "tiny", "5e-324", NULL },
	    { "-0", "-0.0", "-0" },
	    { "NaN", "NaN", NULL },
	    { "infinity", "Infinity", NULL },
	    { "-infinity", "-Infinity", NULL } } },
	{ "c_date", "date", { EDGE_DATE, { "smallest", "0", "*" }, { "largest", "4294967295", "*" } } },
	{ "c_time", "time", { EDGE_TIME, { "nanoseconds", "'00:00:00.000000001'", NULL } } },
	{ "c_timestamp",
	  "timestamp",
	  { { "year 1", "-62135596800000", "0001-01-01 00:00:00+00" },
	    { "year 9999", "'9999-12-31 23:59:59.999+0000'", "9999-12-31 23:59:59.999+00" },
	    { "before 1970", "-1", "1969-12-31 23:59:59.999+00" },
	    { "largest", "9223372036854775807", "*" },
	    { "smallest", "-9223372036854775808", "*" } } },
	{ "c_duration", "duration", { { "mixed", "14mo3d5ns", NULL }, { "negative", "-1mo", "*" } } },
	{ "c_text", "text", { EDGE_TEXT, EDGE_CONTROL, EDGE_LONG } },
	{ "c_ascii", "ascii", { { "empty", "''", NULL }, { "letters", "'abc'", NULL } } },
	{ "c_blob",
	  "blob",
	  { { "empty", "0x", "\\x" }, { "zero byte", "0x00ff0a5c", "\\x00ff0a5c" }, { "1 MiB", "textAsBlob('" MX_LONG "')", "*" } } },
	{ "c_uuid",
	  "uuid",
	  { { "smallest", "00000000-0000-0000-0000-000000000000", NULL }, { "largest", "ffffffff-ffff-ffff-ffff-ffffffffffff", NULL } } },
	{ "c_timeuuid", "timeuuid", { { "one", "d2177dd0-eaa2-11de-a572-001b779c76e3", NULL } } },
	{ "c_inet", "inet", { { "IPv6", "'2001:db8::1'", "*" }, { "IPv4", "'10.0.0.1'", NULL } } },
	{ "c_list", "list<int>", { { "one", "[1, 2]", NULL } } },
	{ "c_set", "set<text>", { { "beyond the BMP", "{'" BMP "'}", "[\"" BMP "\"]" } } },
	{ "c_map", "map<text, int>", { { "one", "{'k': 1}", "{\"k\": 1}" } } },
	{ "c_tuple", "tuple<int, text>", { { "with NULL", "(1, null)", "[1, null]" } } },
	{ "c_type", "frozen<mx_pt>", { { "with NULL", "{x: 1, y: null}", "{\"x\": 1, \"y\": null}" } } },
};

static struct cql_client client;
static const char *base;
static const struct ent_option writing[] = { { "keyspace-options", "class=SimpleStrategy,replication_factor=1" } };

static int run(const char *text)
{
	struct ent_err e = ENT_ERR_INIT;
	struct ent_cql_event event;
	int code = cql_query(&client, text, &event, &e);
	if (code)
		OK(0, "Cassandra: %.80s: %s", text, e.what);
	return code;
}

static int start(const struct mx_place *p)
{
	struct ent_err e = ENT_ERR_INIT;
	const char *at = strrchr(p->url, ':');
	base = p->url;
	if (cql_connect(&client, at ? (unsigned)strtoul(at + 1, NULL, 10) : 0, &e))
		return !OK(0, "Cassandra: %s", e.what);
	return run("DROP KEYSPACE IF EXISTS mx") ||
	       run("CREATE KEYSPACE mx WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}") || run("USE mx") ||
	       run("CREATE TYPE mx_pt (x int, y text)");
}

static void stop(void) { cql_close(&client); }

static void names_put(struct ent_buf *out)
{
	ent_buf_str(out, "(id");
	for (size_t c = 0; c < ENT_COUNT(columns); c++)
		ent_buf_printf(out, ", %s", columns[c].name);
	ent_buf_str(out, ") VALUES ");
}

static int make(const char *name, bool left_out[MX_COLUMNS][MX_ROWS])
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)64 << 20);
	char drop[200];
	snprintf(drop, sizeof drop, "DROP TABLE IF EXISTS %s", name);
	ent_buf_printf(&sql, "CREATE TABLE %s ", name);
	mx_sql_columns(&sql, &mx_cassandra, "id bigint PRIMARY KEY");
	int code = run(drop) || run(ent_buf_text(&sql));
	for (size_t r = 0; !code && r < mx_rows(&mx_cassandra); r++) {
		ent_buf_reset(&sql);
		ent_buf_printf(&sql, "INSERT INTO %s ", name);
		names_put(&sql);
		mx_sql_row(&sql, &mx_cassandra, r, left_out);
		code = run(ent_buf_text(&sql));
	}
	return code;
}

static void drop(const char *name)
{
	char sql[200];
	snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS %s", name);
	(void)run(sql);
}

static const char *url(const char *name)
{
	static char out[700];
	(void)name;
	snprintf(out, sizeof out, "%s/mx?tls=off", base);
	return out;
}
static const char *object(const char *name) { return name; }

const struct mx_store mx_cassandra = { .kind = "cassandra",
				       .title = "Cassandra",
				       .columns = columns,
				       .n_columns = ENT_COUNT(columns),
				       .start = start,
				       .stop = stop,
				       .make = make,
				       .drop = drop,
				       .url = url,
				       .object = object,
				       .writing = writing,
				       .n_writing = 1 };
