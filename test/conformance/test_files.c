/* CSV, JSON, Parquet and DuckDB tables through engines/duckdb; what its locked database refuses; the engine. */
#include <duckdb.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"

static char folder[200];

static const char *path(const char *name)
{
	static char all[32][300];
	static size_t n;
	char *out = all[n++ % 32];
	snprintf(out, sizeof all[0], "%s/%s", folder, name);
	return out;
}

static const char *url(const char *scheme, const char *name)
{
	static char all[8][320];
	static size_t n;
	char *out = all[n++ % 8];
	snprintf(out, sizeof all[0], "%s%s", scheme, path(name));
	return out;
}

static void file_write(const char *name, const char *text)
{
	FILE *f = fopen(path(name), "wb");
	OK(f && fputs(text, f) >= 0 && !fclose(f), "wrote %s", name);
}

static void run(duckdb_connection con, const char *sql)
{
	duckdb_result r;
	if (duckdb_query(con, sql, &r) != DuckDBSuccess)
		OK(0, "%.80s: %s", sql, duckdb_result_error(&r));
	duckdb_destroy_result(&r);
}

static void table_make(duckdb_connection con)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1 << 20);
	ent_buf_str(&sql, "CREATE TABLE t (");
	for (size_t i = 0; i < SUITE_COLUMNS; i++)
		ent_buf_printf(&sql, "%s\"%s\" %s%s", i ? ", " : "", i == 11 ? "Text \"\"q\"\"" : suite_names[i], suite_types[i],
			       i ? "" : " PRIMARY KEY");
	ent_buf_str(&sql, ")");
	run(con, ent_buf_text(&sql));
	ent_buf_reset(&sql);
	ent_buf_str(&sql, "INSERT INTO t VALUES ");
	suite_values(&sql, true);
	run(con, ent_buf_text(&sql));
}

static void files_make(void)
{
	duckdb_database db;
	duckdb_connection con = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1 << 16);
	OK(duckdb_open(path("store.db"), &db) == DuckDBSuccess && duckdb_connect(db, &con) == DuckDBSuccess, "DuckDB opens");
	run(con, "SET TimeZone = 'UTC'");
	table_make(con);
	run(con, "CREATE TABLE empty AS SELECT * FROM t LIMIT 0");
	run(con, "CREATE TABLE hidden AS SELECT 1 AS id, 170141183460469231731687303715884105727::HUGEINT AS odd, [1, 2] AS list, 'x'::BLOB AS raw, "
		 "18446744073709551615::UBIGINT AS wide, 1::DECIMAL(30,2) AS long, {'a': 1} AS nested, INTERVAL 1 DAY AS span, "
		 "200::UTINYINT AS tiny, 'b'::ENUM('a', 'b') AS choice, '00000000-0000-0000-0000-000000000001'::UUID AS uid");
	static const char *const copies[][2] = { { "t", "t.csv" },
						 { "t", "t.parquet" },
						 { "t", "t.json" },
						 { "empty", "empty.parquet" },
						 { "(SELECT * REPLACE (raw AS odd) FROM hidden)", "hidden.parquet" },
						 { "(SELECT * FROM t WHERE id <> 5)", "injection' AS x; --.csv" } };
	for (size_t i = 0; i < ENT_COUNT(copies); i++) {
		ent_buf_reset(&sql);
		ent_buf_printf(&sql, "COPY %s TO '", copies[i][0]);
		for (const char *p = path(copies[i][1]); *p; p++)
			ent_buf_printf(&sql, *p == '\'' ? "''" : "%c", *p);
		ent_buf_str(&sql, "'");
		run(con, ent_buf_text(&sql));
	}
	duckdb_disconnect(&con);
	duckdb_close(&db);
	file_write("head.csv", "id,b\n");
	file_write("bad.csv", "id,b\n1,\"open\n2");
	file_write("bad.parquet", "rubbish");
	file_write("bad.json", "{\"a\": 1, ");
	file_write("none.csv", "");
	file_write("quote.csv", "it's,\"a'': {\",id\n1,2,3\n");
	file_write("cost.csv", "id,cost,day\n1,12.5,2024-01-01\n2,,2024-01-02\n3,-99999.99,2024-01-03\n");
	file_write("na.csv", "id;amount;day;name\n1;1,5;31.12.2023;NA\n2;NA;NA;\"NA\"\n3;;01.01.2024;\"\"\n");
	file_write("late.csv", "id,v\n");
	FILE *f = fopen(path("late.csv"), "ab");
	for (int i = 0; f && i < 60000; i++)
		fprintf(f, "%d,%s\n", i, i == 59999 ? "x" : "7");
	OK(f && !fclose(f), "wrote late.csv");
}

#define B "bigint"
#define D "double precision"
static void suites_run(const struct ent_connector *c)
{
	const struct suite_store stores[] = {
		{ .name = "CSV",
		  .url = path("t.csv"),
		  .object = "",
		  .types = { B, NULL, B, B, B, D, D },
		  .ordered = true,
		  .empty_url = path("head.csv"),
		  .empty_object = "",
		  .missing_url = path("nothing.csv"),
		  .missing_object = "",
		  .bad_url = path("none.csv"),
		  .bad_object = "" },
		{ .name = "Parquet",
		  .url = path("t.parquet"),
		  .object = "",
		  .ordered = true,
		  .empty_url = path("empty.parquet"),
		  .empty_object = "",
		  .missing_url = path("nothing.parquet"),
		  .missing_object = "",
		  .bad_url = path("bad.parquet"),
		  .bad_object = "",
		  .hidden_url = path("hidden.parquet"),
		  .hidden_object = "" },
		{ .name = "JSON",
		  .url = path("t.json"),
		  .object = "",
		  .types = { B, NULL, B, B, B, D, D, NULL, NULL, "text", "text" },
		  .ordered = true,
		  .missing_url = path("nothing.json"),
		  .missing_object = "",
		  .bad_url = path("bad.json"),
		  .bad_object = "" },
		{ .name = "DuckDB",
		  .url = url("duckdb:", "store.db"),
		  .object = "t",
		  .keys = true,
		  .ordered = true,
		  .empty_url = url("duckdb:", "store.db"),
		  .empty_object = "main.empty",
		  .missing_url = url("duckdb:", "store.db"),
		  .missing_object = "nothing",
		  .bad_url = url("duckdb:", "bad.parquet"),
		  .bad_object = "t",
		  .hidden_url = url("duckdb:", "store.db"),
		  .hidden_object = "hidden" },
	};
	for (size_t i = 0; i < ENT_COUNT(stores); i++)
		suite_run(c, &stores[i]);
}

static void test_options(const struct ent_connector *c)
{
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	struct ent_err e = ENT_ERR_INIT;
	const struct ent_option options[] = { { "null", "NA" }, { "delim", ";" }, { "decimal-separator", "," }, { "dateformat", "%d.%m.%Y" } };
	const char *const columns[] = { "amount", "day", "name" };
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO a = { 0 };
	ENT_BATCH_AUTO b = { 0 };
	OK(!c->open(&host, path("na.csv"), options, 4, &src, &e) && !c->scan(src, "", columns, 3, &stream, &e), "options: %s %s", e.what, e.why);
	if (stream.release && !ent_stream_schema(&stream, &schema, &e) && !ent_stream_next(&stream, &a, &e) && !ent_batch_open(&schema, &a, &b, &e)) {
		OK(b.rows == 3 && ent_view_real(&b.columns[0], 0) == 1.5 && ent_view_null(&b.columns[0], 1) && ent_view_null(&b.columns[0], 2),
		   "decimal comma, NULL tokens");
		OK(ent_view_int(&b.columns[1], 0) == 19722 && ent_view_null(&b.columns[1], 1), "date format");
		OK(ent_view_null(&b.columns[2], 0) && !ent_view_null(&b.columns[2], 1) && !ent_view_null(&b.columns[2], 2),
		   "quoted NA and quoted nothing are text");
	}
	c->close(src);
	const struct ent_option wrong[] = { { "header", "maybe" } }, splice[] = { { "null", "'], all_varchar=true, x=['" } };
	OK_INT(suite_open_describe(c, path("na.csv"), "", wrong, 1, &e), ENT_EUSAGE, "bad value: %s", e.what);
	OK_INT(suite_open_describe(c, path("na.csv"), "", splice, 1, &e), 0, "an option's value is one literal %s", e.why);
	size_t rows = 0;
	OK_INT(suite_scan_count(c, path("late.csv"), "", "v", &rows, &e), 0, "a text in the last of many rows makes the column text %s", e.why);
	OK_INT(rows, 60000);
	OK_INT(suite_scan_count(c, path("injection' AS x; --.csv"), "", "id", &rows, &e), 0, "a path with a quote %s", e.why);
	OK_INT(suite_scan_count(c, path("quote.csv"), "", "it's", &rows, &e), 0, "names with quotes %s", e.why);
	OK_INT(suite_scan_count(c, path("quote.csv"), "", "a'': {", &rows, &e), 0, "of every kind %s", e.why);
	const struct ent_option text[] = { { "all_varchar", "true" }, { "header", "false" } };
	OK_INT(suite_open_describe(c, path("na.csv"), "", text, 2, &e), 0, "all as text %s", e.why);
	OK_INT(suite_open_describe(c, path("t.xlsx"), "", NULL, 0, &e), ENT_EUSAGE, "unknown kind: %s", e.what);
	OK_INT(suite_open_describe(c, path("t.csv"), "x", NULL, 0, &e), ENT_EUSAGE, "a file has no object: %s", e.what);
}

static void test_types(const struct ent_connector *c)
{
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	struct ent_err e = ENT_ERR_INIT;
	const char *const columns[] = { "id", "cost", "day" };
	const struct ent_option asked[] = { { "types", "id=integer,cost=DECIMAL(7,2),day=text" } };
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO a = { 0 };
	ENT_BATCH_AUTO b = { 0 };
	OK(!c->open(&host, path("cost.csv"), asked, 1, &src, &e) && !c->scan(src, "", columns, 3, &stream, &e), "types: %s %s", e.what, e.why);
	if (stream.release && !ent_stream_schema(&stream, &schema, &e) && !ent_stream_next(&stream, &a, &e) &&
	    OK(!ent_batch_open(&schema, &a, &b, &e), "%s", e.what)) {
		OK(b.columns[0].type.id == ENT_T_INT32 && b.columns[1].type.id == ENT_T_DECIMAL && b.columns[2].type.id == ENT_T_TEXT,
		   "types: as asked");
		OK(ent_view_int(&b.columns[1], 0) == 1250 && ent_view_null(&b.columns[1], 1) && ent_view_int(&b.columns[1], 2) == -9999999,
		   "types: exact decimals");
	}
	c->close(src);
	static const struct {
		const char *file, *types;
		int code;
	} wrong[] = { { "cost.csv", "cost=decimal(7,1)", ENT_EDATA }, { "cost.csv", "cost=decimal(4,2)", ENT_EDATA },
		      { "cost.csv", "day=integer", ENT_EDATA },       { "cost.csv", "cost=decimal(20,2)", ENT_EUSAGE },
		      { "cost.csv", "cost=money", ENT_EUSAGE },       { "cost.csv", "cost", ENT_EUSAGE },
		      { "cost.csv", "id=int,id=int", ENT_EUSAGE },    { "t.parquet", "id=int", ENT_EUSAGE } };
	for (size_t i = 0; i < ENT_COUNT(wrong); i++) {
		const struct ent_option o[] = { { "types", wrong[i].types } };
		const char *const one[] = { "cost", "day" };
		ENT_STREAM_AUTO rows = { 0 };
		ENT_ARRAY_AUTO got = { 0 };
		int code = c->open(&host, path(wrong[i].file), o, 1, &src, &e);
		if (!code)
			code = c->scan(src, "", one, 2, &rows, &e);
		if (!code)
			code = ent_stream_next(&rows, &got, &e);
		OK_INT(code, wrong[i].code, "types %s: %s (%s)", wrong[i].types, e.what, e.why);
		OK(!strstr(e.why, "2024-01-01") && !strstr(e.why, "99999"), "and no value is shown");
		ent_stream_release(&rows);
		c->close(src);
		src = NULL;
	}
	const struct ent_option nobody[] = { { "types", "nosuch=int" } };
	OK(suite_open_describe(c, path("cost.csv"), "", nobody, 1, &e) != 0 && strstr(e.why, "nosuch"), "types: an unknown column is named: %s",
	   e.why);
}

/* Everything a statement could reach for besides the registered file. */
static void test_lock(const struct ent_connector *c)
{
	static const char *const denied[] = { "SELECT * FROM read_csv('/etc/passwd')",
					      "SELECT * FROM read_text('/etc/passwd')",
					      "SELECT * FROM '/etc/passwd'",
					      "SELECT * FROM glob('/etc/*')",
					      "SELECT * FROM sniff_csv('/etc/passwd')",
					      "ATTACH '/tmp/other.db'",
					      "COPY (SELECT 1) TO '/tmp/entente-out.csv'",
					      "COPY (SELECT 1 AS a) TO '@@' (USE_TMP_FILE false)",
					      "INSTALL httpfs",
					      "LOAD httpfs",
					      "SET threads = 3",
					      "PRAGMA threads = 3",
					      "EXPORT DATABASE '/tmp/entente-out'",
					      "CREATE TABLE x AS SELECT 1",
					      "SELECT 1; SELECT 2",
					      "SELECT * FROM read_parquet('https://example.org/x.parquet')",
					      "CREATE SECRET s (TYPE s3)" };
	struct ent_err e = ENT_ERR_INIT;
	struct stat before, after;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 20), sql = ENT_BUF(4096);
	OK(stat(path("t.parquet"), &before) == 0);
	for (size_t i = 0; i < ENT_COUNT(denied); i++) {
		ent_buf_reset(&sql);
		const char *mark = strstr(denied[i], "@@");
		ent_buf_printf(&sql, "%.*s%s%s", (int)(mark ? mark - denied[i] : (ptrdiff_t)strlen(denied[i])), denied[i],
			       mark ? path("t.parquet") : "", mark ? mark + 2 : "");
		int code = suite_query_text(c, path("t.parquet"), "", ent_buf_text(&sql), NULL, 0, &out, &e);
		OK(code == ENT_EDENIED || code == ENT_ESQL || code == ENT_EUNSUPPORTED || (code == ENT_EDATA && strstr(e.what, "refuses")),
		   "refused: %s: %s %s", denied[i], e.what, e.why);
	}
	OK(stat(path("t.parquet"), &after) == 0 && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec && before.st_size == after.st_size,
	   "the registered file is untouched");
	OK(access("/tmp/entente-out.csv", F_OK) != 0 && access("/tmp/other.db", F_OK) != 0, "nothing was written elsewhere");
	OK_INT(suite_query_text(c, path("t.parquet"), "",
				"SELECT current_setting('TimeZone'), current_setting('memory_limit'), current_setting('temp_directory')", NULL, 0,
				&out, &e),
	       0);
	OK(strstr(ent_buf_text(&out), "UTC,512.0 MiB,"), "settings: %s", ent_buf_text(&out));
}

static void test_version(const struct ent_connector *c)
{
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	struct ent_err e = ENT_ERR_INIT;
	struct ent_object one = { .size = sizeof one }, two = { .size = sizeof two };
	for (int i = 0; i < 2; i++) {
		ENT_SCHEMA_AUTO schema = { 0 };
		OK(!c->open(&host, path("head.csv"), NULL, 0, &src, &e) && !c->describe(src, "", &schema, i ? &two : &one, &e), "%s", e.what);
		c->close(src);
		file_write("head.csv", "id,b\n1,2\n");
	}
	OK(one.rows == 0 && two.rows == 1 && strcmp(one.version, two.version) != 0, "another content, another version: %s %s", one.version,
	   two.version);
}

/* --- the engine --- */

static void engine_rows(const struct ent_engine *en, struct ent_session *s, const struct ent_connector *c)
{
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	struct ent_err e = ENT_ERR_INIT;
	ENT_STREAM_AUTO in = { 0 }, out = { 0 }, other = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO a = { 0 };
	ENT_BATCH_AUTO b = { 0 };
	OK(!c->open(&host, path("t.parquet"), NULL, 0, &src, &e) && !c->scan(src, "", suite_names, SUITE_COLUMNS, &in, &e), "%s", e.what);
	OK(!en->load(s, "a \"table\"", &in, &e), "engine: load %s %s", e.what, e.why);
	OK(!in.release, "engine: the stream was consumed");
	const struct ent_param p[] = { { "d:12,2", "9999999999.99" } };
	static const char sql[] = "SELECT COUNT(*) AS n, SUM(\"int\") AS total, MIN(money) AS m, MAX(length(\"Text \"\"q\"\"\")) AS len, COUNT(*) "
				  "FILTER (money = $1) AS hit FROM \"a \"\"table\"\"\"";
	OK(!en->query(s, sql, p, 1, &out, &e), "engine: query %s %s", e.what, e.why);
	OK(!en->query(s, "SELECT 1 AS one", NULL, 0, &other, &e), "engine: a second stream beside the first %s", e.what);
	if (out.release && !ent_stream_schema(&out, &schema, &e) && !ent_stream_next(&out, &a, &e) &&
	    OK(!ent_batch_open(&schema, &a, &b, &e), "%s", e.what)) {
		OK_INT(ent_view_int(&b.columns[0], 0), SUITE_ROWS);
		OK(b.columns[1].type.precision == 38 && ent_view_wide(&b.columns[1], 0) == 69999, "engine: sums are decimal(38,0)");
		OK_INT(ent_view_int(&b.columns[2], 0), -999999999999);
		OK_INT(ent_view_int(&b.columns[3], 0), SUITE_LONG_TEXT);
		OK_INT(ent_view_int(&b.columns[4], 0), 1);
	}
	c->close(src);
}

static void test_engine(const struct ent_engine *en, const struct ent_connector *c)
{
	struct ent_host host = suite_host();
	struct ent_session *s = NULL;
	struct ent_err e = ENT_ERR_INIT;
	struct ArrowArrayStream out = { 0 };
	en->close(NULL);
	if (!OK(!en->open(&host, &s, &e), "engine: opens %s %s", e.what, e.why))
		return;
	engine_rows(en, s, c);
	OK(en->query(s, "SELECT * FROM read_csv('/etc/passwd')", NULL, 0, &out, &e) == ENT_EDENIED, "engine: no files: %s", e.why);
	OK(en->query(s, "COPY (SELECT 1) TO '/tmp/entente-out.csv'", NULL, 0, &out, &e) != 0, "engine: no COPY: %s", e.why);
	suite_cancel_after = 3;
	int code = en->query(s, "SELECT COUNT(*) AS n FROM range(100000000000) a WHERE a.range % 3 = 1", NULL, 0, &out, &e);
	OK_INT(code, ENT_ECANCELLED, "engine: a long statement is cancelled");
	suite_cancel_after = -1;
	en->close(s);
	host.timeout_ms = 50;
	OK(!en->open(&host, &s, &e), "engine: opens again %s", e.what);
	code = en->query(s, "SELECT COUNT(*) AS n FROM range(100000000000) a WHERE a.range % 3 = 1", NULL, 0, &out, &e);
	OK_INT(code, ENT_EAGAIN, "engine: and ends at its time-out: %s", e.what);
	en->close(s);
}

/* Nothing is spilled: a statement that needs more than its memory stops, and the session goes on. */
static void test_memory(const struct ent_engine *en)
{
	struct ent_host host = suite_host();
	struct ent_session *s = NULL;
	struct ent_err e = ENT_ERR_INIT;
	host.memory_bytes_max = (uint64_t)48 << 20;
	if (!OK(!en->open(&host, &s, &e), "engine: opens with 48 MiB %s", e.what))
		return;
	ENT_STREAM_AUTO out = { 0 }, small = { 0 };
	int code = en->query(s, "SELECT list(range)::VARCHAR AS l FROM range(20000000)", NULL, 0, &out, &e);
	OK(code == ENT_ENOMEM, "engine: over its memory: %s (%s)", e.what, e.why);
	OK(!en->query(s, "SELECT 1 AS one", NULL, 0, &small, &e), "engine: and goes on %s", e.what);
	ent_stream_release(&small);
	en->close(s);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	snprintf(folder, sizeof folder, "%s/entente-conform.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	OK(mkdtemp(folder) != NULL, "folder");
	files_make();
	const struct ent_connector *c = suite_module(argv[1]);
	const struct ent_engine *en = suite_engine(argv[1]);
	if (c && en) {
		suites_run(c);
		test_options(c);
		test_types(c);
		test_lock(c);
		test_version(c);
		test_engine(en, c);
		test_memory(en);
	}
	char rm[300];
	static const char *const names[] = {
		"store.db", "t.csv",   "t.parquet", "t.json",   "empty.parquet", "hidden.parquet", "injection' AS x; --.csv",
		"head.csv", "bad.csv", "quote.csv", "cost.csv", "bad.parquet",   "bad.json",       "none.csv",
		"na.csv",   "late.csv"
	};
	for (size_t i = 0; i < ENT_COUNT(names); i++) {
		snprintf(rm, sizeof rm, "%s/%s", folder, names[i]);
		unlink(rm);
	}
	rmdir(folder);
	return tap_done();
}
