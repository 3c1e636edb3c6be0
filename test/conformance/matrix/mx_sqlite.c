/* SQLite as a store of the matrix. */
#include <sqlite3.h>
#include <unistd.h>

#include "mx.h"
#include "mx_edges.h"

static const struct mx_column columns[] = {
	{ "c_boolean", "BOOLEAN", { { "true", "1", "true" }, { "false", "0", "false" } } },
	{ "c_smallint", "SMALLINT", { EDGE_I16 } },
	{ "c_int", "INT", { EDGE_I64 } },
	{ "c_integer", "INTEGER", { EDGE_I64 } },
	{ "c_bigint", "BIGINT", { EDGE_I64 } },
	{ "c_real",
	  "REAL",
	  { { "largest", "1.7976931348623157e308", "1.7976931348623157e+308" },
	    { "tiny", "5e-324", NULL },
	    { "infinity", "9e999", "Infinity" },
	    { "-infinity", "-9e999", "-Infinity" },
	    { "0.1", "0.1", NULL } } },
	{ "c_double",
	  "DOUBLE",
	  { { "largest", "1.7976931348623157e308", "1.7976931348623157e+308" }, { "tiny", "5e-324", NULL }, { "infinity", "9e999", "Infinity" } } },
	{ "c_decimal_9_0", "DECIMAL(9,0)", { EDGE_DEC_9_0 } },
	{ "c_decimal_15_4",
	  "DECIMAL(15,4)",
	  { { "smallest", "-99999999999.9999", NULL }, { "largest", "99999999999.9999", NULL }, { "half", "0.5", "0.5000" } } },
	{ "c_decimaltext_38_1",
	  "DECIMALTEXT(38,1)",
	  { { "smallest", "'-9999999" NINES30 ".9'", NULL }, { "largest", "'9999999" NINES30 ".9'", NULL } } },
	{ "c_decimaltext_38_37", "DECIMALTEXT(38,37)", { { "smallest", "'-9.9999999" NINES30 "'", NULL }, { "tiny", "'" TINY37 "'", NULL } } },
	{ "c_date", "DATE", { EDGE_DATE } },
	{ "c_time", "TIME", { EDGE_TIME } },
	{ "c_timestamp", "TIMESTAMP", { EDGE_TS } },
	{ "c_timestamptz", "TIMESTAMPTZ", { EDGE_TSTZ } },
	{ "c_text", "TEXT", { EDGE_TEXT, EDGE_CONTROL, EDGE_LONG } },
	{ "c_varchar", "VARCHAR(20)", { EDGE_TEXT } },
	{ "c_blob", "BLOB", { { "empty", "x''", "\\x" }, { "zero byte", "x'00ff0a5c'", "\\x00ff0a5c" }, { "1 MiB", "zeroblob(1048576)", "*" } } },
	{ "c_none", "", { { "a number", "1", NULL } } },
};

static char url_text[400];

static const char *file_of(const char *name)
{
	static char path[300];
	snprintf(path, sizeof path, "%s/%s.sqlite", mx_work, name);
	return path;
}

static int run(const char *file, const char *sql)
{
	sqlite3 *db = NULL;
	char *text = NULL;
	int code = sqlite3_open(file, &db);
	if (!code)
		code = sqlite3_exec(db, sql, NULL, NULL, &text);
	OK(!code, "SQLite: %.100s: %s", sql, text ? text : "");
	sqlite3_free(text);
	sqlite3_close(db);
	return code;
}

static int start(const struct mx_place *p)
{
	(void)p;
	return 0;
}

static int make(const char *name, bool left_out[MX_COLUMNS][MX_ROWS])
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)64 << 20);
	ent_buf_printf(&sql, "DROP TABLE IF EXISTS %s; CREATE TABLE %s ", name, name);
	mx_sql_columns(&sql, &mx_sqlite, "id INTEGER PRIMARY KEY NOT NULL");
	for (size_t r = 0; r < mx_rows(&mx_sqlite); r++) {
		ent_buf_printf(&sql, "; INSERT INTO %s VALUES ", name);
		mx_sql_row(&sql, &mx_sqlite, r, left_out);
	}
	return run(file_of(name), ent_buf_text(&sql));
}

static void drop(const char *name) { (void)unlink(file_of(name)); }

static const char *url(const char *name)
{
	snprintf(url_text, sizeof url_text, "sqlite:%s", file_of(name));
	return url_text;
}
static const char *object(const char *name) { return name; }

const struct mx_store mx_sqlite = { .kind = "sqlite",
				    .title = "SQLite",
				    .columns = columns,
				    .n_columns = ENT_COUNT(columns),
				    .start = start,
				    .make = make,
				    .drop = drop,
				    .url = url,
				    .object = object };
