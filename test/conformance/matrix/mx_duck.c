/* DuckDB's tables, and the files it reads, as stores of the matrix. */
#include <duckdb.h>
#include <unistd.h>

#include "mx.h"
#include "mx_edges.h"

#define EDGE_REAL \
	{ "largest", "3.4028235e+38", NULL }, { "tiny", "1e-45", NULL }, { "-0", "'-0'", NULL }, { "NaN", "'NaN'", NULL }, \
		{ "infinity", "'Infinity'", NULL }, \
	{ \
		"-infinity", "'-Infinity'", NULL \
	}
#define EDGE_DOUBLE \
	{ "largest", "'1.7976931348623157e+308'", NULL }, { "tiny", "'5e-324'", NULL }, { "-0", "'-0'", NULL }, { "NaN", "'NaN'", NULL }, \
		{ "infinity", "'Infinity'", NULL }, \
	{ \
		"-infinity", "'-Infinity'", NULL \
	}
#define DECIMALS \
	{ "c_decimal_9_0", "DECIMAL(9,0)", { EDGE_DEC_9_0 } }, { "c_decimal_18_4", "DECIMAL(18,4)", { EDGE_DEC_18_4 } }, \
		{ "c_decimal_38_1", "DECIMAL(38,1)", { EDGE_DEC_38_1 } }, \
	{ \
		"c_decimal_38_37", "DECIMAL(38,37)", { EDGE_DEC_38_37 } \
	}
#define NUMBERS \
	{ "c_boolean", "BOOLEAN", { EDGE_TRUE_FALSE } }, { "c_tinyint", "TINYINT", { EDGE_INT("-128", "127") } }, \
		{ "c_utinyint", "UTINYINT", { EDGE_INT("0", "255") } }, { "c_smallint", "SMALLINT", { EDGE_I16 } }, \
		{ "c_usmallint", "USMALLINT", { EDGE_INT("0", "65535") } }, { "c_integer", "INTEGER", { EDGE_I32 } }, \
		{ "c_uinteger", "UINTEGER", { EDGE_INT("0", "4294967295") } }, { "c_bigint", "BIGINT", { EDGE_I64 } }, \
		{ "c_ubigint", "UBIGINT", { EDGE_U64 } }, { "c_float", "FLOAT", { EDGE_REAL } }, \
	{ \
		"c_double", "DOUBLE", { EDGE_DOUBLE } \
	}
#define EDGE_SECONDS \
	{ "year 1", "'0001-01-01 00:00:00'", NULL }, { "year 9999", "'9999-12-31 23:59:59'", NULL }
#define EDGE_MILLIS \
	{ "year 1", "'0001-01-01 00:00:00'", NULL }, { "year 9999", "'9999-12-31 23:59:59.999'", NULL }
#define EDGE_BLOB \
	{ "empty", "''::BLOB", "\\x" }, { "zero byte", "'\\x00\\xFF\\x0A\\x5C'::BLOB", "\\x00ff0a5c" }, { "1 MiB", "repeat('x', 1048576)::BLOB", "*" }
#define CLOCKS \
	{ "c_date", \
	  "DATE", \
	  { EDGE_DATE, EDGE_INFINITE, { "largest", "'5881580-07-10'", NULL }, { "smallest", "'5877642-06-25 (BC)'", "5877642-06-25 BC" } } }, \
		{ "c_time", "TIME", { EDGE_TIME, { "24:00", "'24:00:00'", NULL } } }, \
		{ "c_timestamp", "TIMESTAMP", { EDGE_TS, EDGE_INFINITE, { "largest", "'294247-01-10 04:00:54.775806'", NULL } } }, \
		{ "c_timestamp_s", "TIMESTAMP_S", { EDGE_SECONDS } }, { "c_timestamp_ms", "TIMESTAMP_MS", { EDGE_MILLIS } }, \
		{ "c_timestamp_ns", "TIMESTAMP_NS", { { "nanoseconds", "'2024-02-29 12:34:56.789012345'", NULL } } }, \
	{ \
		"c_timestamptz", "TIMESTAMPTZ", { EDGE_TSTZ, EDGE_INFINITE } \
	}
#define TEXTS \
	{ "c_varchar", "VARCHAR", { EDGE_TEXT, EDGE_CONTROL, EDGE_LONG } }, { "c_blob", "BLOB", { EDGE_BLOB } }, \
		{ "c_uuid", "UUID", { EDGE_UUID } }, \
		{ "c_enum", "ENUM('a', '', '" BMP "')", { { "empty", "''", NULL }, { "beyond the BMP", "'" BMP "'", NULL } } }, \
		{ "c_list", "INTEGER[]", { { "empty", "[]", NULL }, { "with NULL", "[1, NULL]", NULL } } }, \
	{ \
		"c_struct", "STRUCT(a INTEGER, b VARCHAR)", \
		{ \
			{ \
				"with NULL", "{'a': 1, 'b': NULL}", NULL \
			} \
		} \
	}

static const struct mx_column table_columns[] = {
	NUMBERS,
	DECIMALS,
	CLOCKS,
	TEXTS,
	{ "c_timetz", "TIMETZ", { { "smallest", "'00:00:00+15:59:59'", NULL }, { "largest", "'24:00:00-15:59:59'", NULL } } },
	{ "c_interval", "INTERVAL", { { "mixed", "INTERVAL '14 months 3 days 5 microseconds'", "1 year 2 months 3 days 00:00:00.000005" } } },
	{ "c_interval_negative", "INTERVAL", { { "negative", "INTERVAL '-1 day'", "-1 day" } } },
	{ "c_hugeint",
	  "HUGEINT",
	  { { "smallest", "'-170141183460469231731687303715884105728'", NULL },
	    { "largest", "'170141183460469231731687303715884105727'", NULL },
	    { "38 digits",
	      "'"
	      "99999999" NINES30 "'",
	      NULL } } },
	{ "c_uhugeint", "UHUGEINT", { { "largest", "'340282366920938463463374607431768211455'", NULL }, { "0", "0", NULL } } },
	{ "c_bit",
	  "BIT",
	  { { "one bit", "'1'", NULL }, { "65 bits", "'10000000000000000000000000000000000000000000000000000000000000001'", NULL } } },
	{ "c_json",
	  "JSON",
	  { { "empty", "'{}'", NULL }, { "beyond the BMP", "'{\"a\": \"" BMP "\"}'", NULL }, { "digits", "'1.50000000000000000000001'", NULL } } },
	{ "c_map", "MAP(VARCHAR, INTEGER)", { { "empty", "MAP {}", "{}" }, { "one", "MAP {'k': 1}", "{k=1}" } } },
	{ "c_union", "UNION(a INTEGER, b VARCHAR)", { { "a", "union_value(a := 1)", "1" } } },
};

static const struct mx_column parquet_columns[] = {
	NUMBERS,
	DECIMALS,
	CLOCKS,
	TEXTS,
	{ "c_interval", "INTERVAL", { { "milliseconds", "INTERVAL '14 months 3 days 5 milliseconds'", "1 year 2 months 3 days 00:00:00.005" } } },
};

/* Fields as they stand in the file; types are those of --types, "" is guessed. */
static const struct mx_column csv_columns[] = {
	{ "c_boolean", "boolean", { EDGE_TRUE_FALSE } },
	{ "c_smallint", "smallint", { EDGE_I16 } },
	{ "c_integer", "integer", { EDGE_I32 } },
	{ "c_bigint", "bigint", { EDGE_I64 } },
	{ "c_real",
	  "real",
	  { { "largest", "3.4028235e+38", NULL }, { "-0", "-0", NULL }, { "NaN", "NaN", NULL }, { "infinity", "Infinity", NULL } } },
	{ "c_double",
	  "double precision",
	  { { "largest", "1.7976931348623157e+308", NULL },
	    { "tiny", "5e-324", NULL },
	    { "-0", "-0", NULL },
	    { "NaN", "NaN", NULL },
	    { "-infinity", "-Infinity", NULL } } },
	{ "c_decimal_9_0", "decimal(9,0)", { EDGE_DEC_9_0 } },
	{ "c_decimal_18_4", "decimal(18,4)", { EDGE_DEC_18_4 } },
	{ "c_date", "date", { { "year 1", "0001-01-01", NULL }, { "year 9999", "9999-12-31", NULL }, { "infinity", "infinity", NULL } } },
	{ "c_timestamp", "timestamp", { { "year 1", "0001-01-01 00:00:00", NULL }, { "year 9999", "9999-12-31 23:59:59.999999", NULL } } },
	{ "c_timestamptz", "timestamptz", { { "year 1", "0001-01-01 00:00:00+00", NULL }, { "year 9999", "9999-12-31 23:59:59.999999+00", NULL } } },
	{ "c_text",
	  "text",
	  { { "empty", "\"\"", NULL },
	    { "beyond the BMP", BMP, NULL },
	    { "a blank at its end", "\"a \"", NULL },
	    { "tab, quotes, line feed", "\"a\t\"\"b\"\",\n;|\\N\"", "a\t\"b\",\n;|\\N" },
	    { "1 MiB", MX_LONG, NULL } } },
	{ "g_decimal", "", { { "18 digits", "12345678901234.5678", NULL }, { "38 digits", "9999999" NINES30 ".9", NULL } } },
	{ "g_integer", "", { { "largest", "9223372036854775807", NULL }, { "smallest", "-9223372036854775808", NULL } } },
	{ "g_unsigned", "", { { "largest", "18446744073709551615", NULL }, { "0", "0", NULL } } },
	{ "g_time", "", { { "largest", "23:59:59.999999", NULL } } },
	{ "g_nanoseconds", "", { { "nanoseconds", "2024-02-29 12:34:56.789012345", NULL } } },
	{ "g_leading", "", { { "leading zero", "007", NULL }, { "plain", "42", NULL } } },
};

static const struct mx_column json_columns[] = {
	{ "g_boolean", "boolean", { EDGE_TRUE_FALSE } },
	{ "g_integer", "integers", { EDGE_I64 } },
	{ "g_unsigned", "unsigned integers", { { "largest", "18446744073709551615", NULL }, { "0", "0", NULL } } },
	{ "g_large", "integers of 30 digits", { { "30 digits", NINES30, NULL } } },
	{ "g_double",
	  "numbers with a point",
	  { { "largest", "1.7976931348623157e308", "1.7976931348623157e+308" }, { "0.1", "0.1", NULL }, { "-0", "-0.0", "-0" } } },
	{ "g_decimal", "numbers of many digits", { { "18 digits", "12345678901234.5678", NULL } } },
	{ "g_date", "texts like dates", { { "year 1", "\"0001-01-01\"", NULL }, { "year 9999", "\"9999-12-31\"", NULL } } },
	{ "g_timestamp",
	  "texts like timestamps",
	  { { "year 1", "\"0001-01-01 00:00:00\"", NULL }, { "year 9999", "\"9999-12-31 23:59:59.999999\"", NULL } } },
	{ "g_text",
	  "texts",
	  { { "empty", "\"\"", NULL },
	    { "beyond the BMP", "\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80" },
	    { "tab, quotes, line feed", "\"a\\t\\\"b\\\"\\n\"", "a\t\"b\"\n" },
	    { "1 MiB", "\"" MX_LONG "\"", NULL } } },
	{ "g_list", "lists", { { "empty", "[]", NULL }, { "with NULL", "[1, null]", "[1, NULL]" } } },
	{ "g_object", "objects", { { "one", "{\"a\": 1}", "{'a': 1}" } } },
};

static char url_text[400], csv_types[2000];
static const struct ent_option csv_reading[] = { { "types", csv_types } };
static const struct ent_option csv_back[] = { { "all-varchar", "true" } };

static const char *path_of(const char *name, const char *suffix)
{
	static char path[300];
	snprintf(path, sizeof path, "%s/%s.%s", mx_work, name, suffix);
	return path;
}

static int start(const struct mx_place *p)
{
	(void)p;
	csv_types[0] = 0;
	for (size_t c = 0; c < ENT_COUNT(csv_columns); c++) {
		size_t n = strlen(csv_types);
		if (csv_columns[c].type[0])
			snprintf(csv_types + n, sizeof csv_types - n, "%s%s=%s", n ? "," : "", csv_columns[c].name, csv_columns[c].type);
	}
	return 0;
}

static int run(const char *file, const char *sql)
{
	duckdb_database db = NULL;
	duckdb_connection con = NULL;
	duckdb_result r;
	if (duckdb_open(file, &db) != DuckDBSuccess || duckdb_connect(db, &con) != DuckDBSuccess)
		return !OK(0, "DuckDB opens %s", file ? file : "");
	int code = duckdb_query(con, sql, &r) != DuckDBSuccess;
	OK(!code, "DuckDB: %.100s: %.300s", sql, code ? duckdb_result_error(&r) : "");
	duckdb_destroy_result(&r);
	duckdb_disconnect(&con);
	duckdb_close(&db);
	return code;
}

static void table_sql(struct ent_buf *sql, const struct mx_store *s, const char *name, const char *key, bool left_out[MX_COLUMNS][MX_ROWS])
{
	ent_buf_printf(sql, "SET TimeZone = 'UTC'; DROP TABLE IF EXISTS %s; CREATE TABLE %s ", name, name);
	mx_sql_columns(sql, s, key);
	for (size_t r = 0; r < mx_rows(s); r++) {
		ent_buf_printf(sql, "; INSERT INTO %s VALUES ", name);
		mx_sql_row(sql, s, r, left_out);
	}
}

/* --- tables --- */

static const char *database_of(const char *name) { return path_of(name, "duckdb"); }

static void table_drop(const char *name) { (void)unlink(database_of(name)); }

static int table_make(const char *name, bool left_out[MX_COLUMNS][MX_ROWS])
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)64 << 20);
	table_drop(name);
	table_sql(&sql, &mx_duckdb, name, "id BIGINT PRIMARY KEY", left_out);
	return run(database_of(name), ent_buf_text(&sql));
}

static const char *table_url(const char *name)
{
	snprintf(url_text, sizeof url_text, "duckdb:%s", database_of(name));
	return url_text;
}
static const char *table_object(const char *name) { return name; }

const struct mx_store mx_duckdb = { .kind = "duckdb",
				    .title = "DuckDB",
				    .columns = table_columns,
				    .n_columns = ENT_COUNT(table_columns),
				    .start = start,
				    .make = table_make,
				    .drop = table_drop,
				    .url = table_url,
				    .object = table_object };

/* --- files --- */

static const char *file_object(const char *name)
{
	(void)name;
	return "";
}

static int parquet_make(const char *name, bool left_out[MX_COLUMNS][MX_ROWS])
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)64 << 20);
	table_sql(&sql, &mx_parquet, name, "id BIGINT", left_out);
	ent_buf_printf(&sql, "; COPY %s TO '%s'", name, path_of(name, "parquet"));
	return run(NULL, ent_buf_text(&sql));
}
static void parquet_drop(const char *name) { (void)unlink(path_of(name, "parquet")); }
static const char *parquet_url(const char *name) { return path_of(name, "parquet"); }

const struct mx_store mx_parquet = { .kind = "parquet",
				     .title = "Parquet",
				     .columns = parquet_columns,
				     .n_columns = ENT_COUNT(parquet_columns),
				     .start = start,
				     .make = parquet_make,
				     .drop = parquet_drop,
				     .url = parquet_url,
				     .object = file_object };

static int file_write(const char *path, struct ent_buf *text)
{
	FILE *f = fopen(path, "wb");
	size_t n = f ? fwrite(text->data, 1, text->len, f) : 0;
	return !OK(f && n == text->len && !fclose(f), "wrote %s", path);
}

static int csv_make(const char *name, bool left_out[MX_COLUMNS][MX_ROWS])
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF((size_t)64 << 20);
	ent_buf_str(&text, "id");
	for (size_t c = 0; c < ENT_COUNT(csv_columns); c++)
		ent_buf_printf(&text, ",%s", csv_columns[c].name);
	for (size_t r = 0; r < mx_rows(&mx_csv); r++) {
		ent_buf_printf(&text, "\n%zu", r + 1);
		for (size_t c = 0; c < ENT_COUNT(csv_columns); c++) {
			const struct mx_value *v = mx_value_at(&mx_csv, c, r);
			ent_buf_str(&text, ",");
			if (v && !left_out[c][r])
				mx_literal(&text, v->literal);
		}
	}
	ent_buf_str(&text, "\n");
	return file_write(path_of(name, "csv"), &text);
}
static void csv_drop(const char *name) { (void)unlink(path_of(name, "csv")); }
static const char *csv_url(const char *name) { return path_of(name, "csv"); }

const struct mx_store mx_csv = { .kind = "csv",
				 .title = "CSV",
				 .columns = csv_columns,
				 .n_columns = ENT_COUNT(csv_columns),
				 .start = start,
				 .make = csv_make,
				 .drop = csv_drop,
				 .url = csv_url,
				 .object = file_object,
				 .reading = csv_reading,
				 .n_reading = 1,
				 .back = csv_back,
				 .n_back = 1 };

static int json_make(const char *name, bool left_out[MX_COLUMNS][MX_ROWS])
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF((size_t)64 << 20);
	for (size_t r = 0; r < mx_rows(&mx_json); r++) {
		ent_buf_printf(&text, "{\"id\": %zu", r + 1);
		for (size_t c = 0; c < ENT_COUNT(json_columns); c++) {
			const struct mx_value *v = mx_value_at(&mx_json, c, r);
			ent_buf_printf(&text, ", \"%s\": ", json_columns[c].name);
			mx_literal(&text, v && !left_out[c][r] ? v->literal : "null");
		}
		ent_buf_str(&text, "}\n");
	}
	return file_write(path_of(name, "json"), &text);
}
static void json_drop(const char *name) { (void)unlink(path_of(name, "json")); }
static const char *json_url(const char *name) { return path_of(name, "json"); }

/* --- a JSON file that a copy wrote, as a CSV file of its texts: what the reader of JSON makes of numbers is the matter of JSON as a source --- */

static const char *string_put(const char *at, struct ent_buf *out)
{
	ent_buf_u8(out, '"');
	for (at++; *at != '"'; at++) {
		static const char codes[] = "ntrbf", meant[] = "\n\t\r\b\f";
		const char *code = *at == '\\' ? strchr(codes, at[1]) : NULL;
		if (*at != '\\' || code) {
			ent_buf_u8(out, (uint8_t)(code ? meant[code - codes] : *at));
			at += code != NULL;
		} else if (*++at == 'u') { /* DuckDB escapes control letters only */
			ent_buf_u8(out, (uint8_t)strtoul((char[]){ at[3], at[4], 0 }, NULL, 16));
			at += 4;
		} else {
			ent_buf_u8(out, (uint8_t)*at);
		}
		if (out->data[out->len - 1] == '"')
			ent_buf_u8(out, '"');
	}
	ent_buf_u8(out, '"');
	return at + 1;
}

static const char *value_put(const char *at, struct ent_buf *out)
{
	size_t n = strcspn(at, ",}");
	if (*at == '"')
		return string_put(at, out);
	if (strncmp(at, "null", 4) != 0)
		ent_buf_put(out, at, n);
	return at + n;
}

/* names: the line of keys instead of the values */
static const char *line_put(const char *at, bool names, struct ent_buf *out)
{
	struct ent_buf none = ENT_BUF((size_t)64 << 20);
	while (*at && *at != '\n') {
		ent_buf_str(out, *at == '{' ? "" : ",");
		at = string_put(at + 1, names ? out : &none) + 1;
		at = value_put(at, names ? &none : out);
		at += *at == '}';
		ent_buf_reset(&none);
	}
	ent_buf_str(out, "\n");
	ent_buf_deinit(&none);
	return at + (*at == '\n');
}

static const char *json_back_url(const char *name)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF((size_t)64 << 20), out = ENT_BUF((size_t)64 << 20);
	(void)mx_file_read(path_of(name, "json"), &text);
	ent_buf_u8(&text, 0);
	(void)line_put(ent_buf_text(&text), true, &out);
	for (const char *at = ent_buf_text(&text); *at;)
		at = line_put(at, false, &out);
	(void)file_write(path_of("mx_back", "csv"), &out);
	return path_of("mx_back", "csv");
}

const struct mx_store mx_json = { .kind = "json",
				  .title = "JSON",
				  .columns = json_columns,
				  .n_columns = ENT_COUNT(json_columns),
				  .start = start,
				  .make = json_make,
				  .drop = json_drop,
				  .url = json_url,
				  .object = file_object,
				  .back_url = json_back_url,
				  .back = csv_back,
				  .n_back = 1 };
