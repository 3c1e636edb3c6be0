/* PostgreSQL as a store of the matrix. */
#include <libpq-fe.h>

#include "mx.h"
#include "mx_edges.h"

static const struct mx_column columns[] = {
	{ "c_boolean", "boolean", { EDGE_TRUE_FALSE } },
	{ "c_smallint", "smallint", { EDGE_I16 } },
	{ "c_integer", "integer", { EDGE_I32 } },
	{ "c_bigint", "bigint", { EDGE_I64 } },
	{ "c_oid", "oid", { EDGE_INT("0", "4294967295") } },
	{ "c_real",
	  "real",
	  { { "largest", "'3.4028235e+38'", NULL },
	    { "tiny", "'1e-45'", NULL },
	    { "-0", "'-0'", NULL },
	    { "NaN", "'NaN'", NULL },
	    { "infinity", "'Infinity'", NULL },
	    { "-infinity", "'-Infinity'", NULL } } },
	{ "c_double",
	  "double precision",
	  { { "largest", "'1.7976931348623157e+308'", NULL },
	    { "tiny", "'5e-324'", NULL },
	    { "-0", "'-0'", NULL },
	    { "NaN", "'NaN'", NULL },
	    { "infinity", "'Infinity'", NULL },
	    { "-infinity", "'-Infinity'", NULL } } },
	{ "c_numeric_9_0", "numeric(9,0)", { EDGE_DEC_9_0 } },
	{ "c_numeric_18_4", "numeric(18,4)", { EDGE_DEC_18_4, { "NaN", "'NaN'", NULL } } },
	{ "c_numeric_38_1", "numeric(38,1)", { EDGE_DEC_38_1 } },
	{ "c_numeric_38_37", "numeric(38,37)", { EDGE_DEC_38_37 } },
	{ "c_numeric",
	  "numeric",
	  { { "60 digits", NINES30 NINES30, NULL },
	    { "-60 digits", "-" NINES30 "." NINES30, NULL },
	    { "scale kept", "1.500", NULL },
	    { "NaN", "'NaN'", NULL },
	    { "infinity", "'Infinity'", NULL },
	    { "0", "0", NULL } } },
	{ "c_money", "money", { { "smallest", "'-92233720368547758.08'", "*" }, { "cents", "'0.01'", "*" } } },
	{ "c_date", "date", { EDGE_DATE, EDGE_INFINITE, { "smallest", "'4714-11-24 BC'", NULL }, { "largest", "'5874897-12-31'", NULL } } },
	{ "c_time", "time", { EDGE_TIME, { "24:00", "'24:00:00'", NULL } } },
	{ "c_timetz", "timetz", { { "smallest", "'00:00:00+15:59:59'", NULL }, { "largest", "'24:00:00-15:59:59'", NULL } } },
	{ "c_timestamp",
	  "timestamp",
	  { EDGE_TS, EDGE_INFINITE, { "smallest", "'4714-11-24 00:00:00 BC'", NULL }, { "largest", "'294276-12-31 23:59:59.999999'", NULL } } },
	{ "c_timestamptz",
	  "timestamptz",
	  { EDGE_TSTZ,
	    EDGE_INFINITE,
	    { "smallest", "'4714-11-24 00:00:00+00 BC'", NULL },
	    { "largest", "'294276-12-31 23:59:59.999999+00'", NULL } } },
	{ "c_timestamptz_3",
	  "timestamptz(3)",
	  { { "milliseconds", "'2024-02-29 12:34:56.789+00'", NULL }, { "year 1", "'0001-01-01 00:00:00+00'", NULL } } },
	{ "c_interval",
	  "interval",
	  { { "mixed", "'14 months 3 days 5 microseconds'", "P1Y2M3DT0.000005S" }, { "negative", "'-178000000 years'", "*" } } },
	{ "c_text", "text", { EDGE_TEXT, EDGE_CONTROL, EDGE_LONG } },
	{ "c_varchar", "varchar(20)", { EDGE_TEXT } },
	{ "c_char", "char(5)", { { "empty", "''", NULL }, { "beyond the BMP", "'" BMP "'", NULL } } },
	{ "c_bytea",
	  "bytea",
	  { { "empty", "''", "\\x" }, { "zero byte", "'\\x00ff0a5c'", NULL }, { "1 MiB", "convert_to('" MX_LONG "', 'UTF8')", "*" } } },
	{ "c_uuid", "uuid", { EDGE_UUID } },
	{ "c_json",
	  "json",
	  { { "empty", "'{}'", NULL },
	    { "beyond the BMP", "'{\"a\": \"" BMP "\"}'", NULL },
	    { "digits", "'1.50000000000000000000001'", NULL },
	    { "spaces", "'{ \"b\":1,  \"a\":2, \"a\":3 }'", NULL },
	    { "1 MiB", "'\"" MX_LONG "\"'", NULL } } },
	{ "c_jsonb",
	  "jsonb",
	  { { "empty", "'{}'", NULL }, { "beyond the BMP", "'{\"a\": \"" BMP "\"}'", NULL }, { "digits", "'1.50000000000000000000001'", NULL } } },
	{ "c_xml", "xml", { { "one", "'<a>&amp;</a>'", NULL } } },
	{ "c_enum", "mx_mood", { { "empty", "''", NULL }, { "beyond the BMP", "'" BMP "'", NULL } } },
	{ "c_domain", "mx_small", { EDGE_I16 } },
	{ "c_ints", "integer[]", { { "empty", "'{}'", NULL }, { "with NULL", "'{1,NULL}'", NULL } } },
	{ "c_texts", "text[]", { { "quotes", "'{\"a,\\\"b\",NULL,\"NULL\"}'", NULL } } },
	{ "c_range", "int4range", { { "empty", "'empty'", NULL }, { "open", "'[1,)'", NULL } } },
	{ "c_inet", "inet", { { "IPv6", "'2001:db8::1/64'", NULL }, { "IPv4", "'10.0.0.1'", "10.0.0.1/32" } } },
	{ "c_macaddr", "macaddr", { { "one", "'08:00:2b:01:02:03'", NULL } } },
	{ "c_bit", "bit(8)", { { "ones", "'11111111'", NULL }, { "zeros", "'00000000'", NULL } } },
	{ "c_varbit",
	  "varbit",
	  { { "empty", "''", NULL }, { "65 bits", "'10000000000000000000000000000000000000000000000000000000000000001'", NULL } } },
	{ "c_point", "point", { { "tiny", "'(5e-324,-0)'", NULL } } },
	{ "c_tsvector", "tsvector", { { "words", "'''a'':1 ''b'':2'", "'a':1 'b':2" } } },
	{ "c_composite", "mx_pair", { { "with NULL", "'(1,)'", NULL } } },
};

static PGconn *con;
static const char *base;

static void quiet(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

static int run(const char *sql)
{
	PGresult *r = PQexec(con, sql);
	int code = PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK;
	if (code)
		OK(0, "PostgreSQL: %.100s: %s", sql, PQerrorMessage(con));
	PQclear(r);
	return code;
}

static int start(const struct mx_place *p)
{
	char url[700];
	base = p->url;
	snprintf(url, sizeof url, "%s", base);
	con = PQconnectdb(url);
	if (PQstatus(con) != CONNECTION_OK)
		return !OK(0, "%s", PQerrorMessage(con));
	PQsetNoticeProcessor(con, quiet, NULL);
	return run("SET TimeZone = 'UTC'; DROP TYPE IF EXISTS mx_mood, mx_pair CASCADE; DROP DOMAIN IF EXISTS mx_small CASCADE; CREATE TYPE mx_mood "
		   "AS ENUM ('', 'a', '" BMP "'); CREATE DOMAIN mx_small AS smallint; CREATE TYPE mx_pair AS (a int, b text)");
}

static void stop(void) { PQfinish(con); }

static int make(const char *name, bool left_out[MX_COLUMNS][MX_ROWS])
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)64 << 20);
	ent_buf_printf(&sql, "DROP TABLE IF EXISTS %s; CREATE TABLE %s ", name, name);
	mx_sql_columns(&sql, &mx_postgresql, "id bigint PRIMARY KEY");
	for (size_t r = 0; r < mx_rows(&mx_postgresql); r++) {
		ent_buf_printf(&sql, "; INSERT INTO %s VALUES ", name);
		mx_sql_row(&sql, &mx_postgresql, r, left_out);
	}
	return run(ent_buf_text(&sql));
}

static void drop(const char *name)
{
	char sql[200];
	snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS %s", name);
	(void)run(sql);
}

static const char *url(const char *name)
{
	(void)name;
	return base;
}

static const char *object(const char *name)
{
	static char out[200];
	snprintf(out, sizeof out, "public.%s", name);
	return out;
}

const struct mx_store mx_postgresql = { .kind = "postgresql",
					.title = "PostgreSQL",
					.columns = columns,
					.n_columns = ENT_COUNT(columns),
					.start = start,
					.stop = stop,
					.make = make,
					.drop = drop,
					.url = url,
					.object = object,
					.images = true,
					.no_images = "c_domain c_composite" };
