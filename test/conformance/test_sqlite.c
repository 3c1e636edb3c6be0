/* SQLite: the suite, then its strictness. usage: test_sqlite MODULE */
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "suite.h"

static char folder[200];

static const char *url(const char *name)
{
	static char all[8][300];
	static size_t n;
	char *out = all[n++ % 8];
	snprintf(out, sizeof all[0], "sqlite:%s/%s", folder, name);
	return out;
}

static void run(sqlite3 *db, const char *sql)
{
	char *why = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		OK(0, "%.80s: %s", sql, why);
	sqlite3_free(why);
}

static void repeat(sqlite3_context *c, int n, sqlite3_value **v)
{
	int len = sqlite3_value_int(v[1]);
	char *text = malloc((size_t)len + 1);
	(void)n;
	memset(text, 'x', (size_t)len);
	sqlite3_result_text(c, text, len, free);
}

static void tables_make(sqlite3 *db)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1 << 20);
	sqlite3_create_function(db, "repeat", 2, SQLITE_UTF8, NULL, repeat, NULL, NULL);
	ent_buf_str(&sql, "CREATE TABLE t (");
	for (size_t i = 0; i < SUITE_COLUMNS; i++)
		ent_buf_printf(&sql, "%s\"%s\" %s%s", i ? ", " : "", i == 11 ? "Text \"\"q\"\"" : suite_names[i], suite_types[i],
			       i ? "" : " PRIMARY KEY");
	ent_buf_str(&sql, ")");
	run(db, ent_buf_text(&sql));
	ent_buf_reset(&sql);
	ent_buf_str(&sql, "INSERT INTO t VALUES ");
	suite_values(&sql, false);
	run(db, ent_buf_text(&sql));
	run(db, "UPDATE t SET flag = CASE flag WHEN 'true' THEN 1 WHEN 'false' THEN 0 END");
	run(db, "CREATE TABLE empty AS SELECT * FROM t WHERE 0");
	run(db, "CREATE TABLE hidden (id INTEGER, odd BLOB, bare, money DECIMAL, other JSONB)");
	run(db, "INSERT INTO hidden VALUES (1, x'00', 1, 1.5, '{}')");
	run(db, "CREATE TABLE keys (a INT NOT NULL, b TEXT NOT NULL, c INT, UNIQUE (a, b), UNIQUE (c))");
	run(db, "CREATE VIEW seen AS SELECT id, \"int\" FROM t");
}

/* One column of one declared type holding one value: stops, by row and name, or reads as want. */
static void check_value(const struct ent_connector *c, const char *declared, const char *value, const char *want)
{
	char sql[500], path[300];
	struct ent_err e = ENT_ERR_INIT;
	size_t rows = 0;
	sqlite3 *db;
	snprintf(path, sizeof path, "%s/one.db", folder);
	unlink(path);
	OK_INT(sqlite3_open(path, &db), SQLITE_OK);
	snprintf(sql, sizeof sql, "CREATE TABLE one (v %s); INSERT INTO one VALUES (NULL), (%s)", declared, value);
	run(db, sql);
	sqlite3_close(db);
	int code = suite_scan_count(c, url("one.db"), "one", "v", &rows, &e);
	if (!want) {
		OK(code == ENT_EDATA && strstr(e.what, "row 2 of column v"), "%s in %s: %s, %s", value, declared, e.what, e.why);
		return;
	}
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO a = { 0 };
	ENT_BATCH_AUTO b = { 0 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1000);
	const char *const column = "v";
	if (OK(!c->open(&host, url("one.db"), NULL, 0, &src, &e) && !c->scan(src, "one", &column, 1, &stream, &e) &&
		       !ent_stream_schema(&stream, &schema, &e) && !ent_stream_next(&stream, &a, &e) && !ent_batch_open(&schema, &a, &b, &e),
	       "%s in %s is read %s %s", value, declared, e.what, e.why)) {
		ent_value_put(&b.columns[0], 1, &out);
		OK_STR(ent_buf_text(&out), want);
	}
	ent_stream_release(&stream);
	c->close(src);
}

static void test_strict(const struct ent_connector *c)
{
	static const char *const cases[][3] = {
		{ "INTEGER", "'many'", NULL },
		{ "INTEGER", "1.5", NULL },
		{ "INTEGER", "x'00'", NULL },
		{ "SMALLINT", "40000", NULL },
		{ "SMALLINT", "-7", "-7" },
		{ "BOOLEAN", "2", NULL },
		{ "BOOLEAN", "'true'", NULL },
		{ "BOOLEAN", "1", "true" },
		{ "REAL", "'x'", NULL },
		{ "REAL", "3", "3" },
		{ "DECIMAL(5,2)", "1.5", "1.50" },
		{ "DECIMAL(5,2)", "1.005", NULL },
		{ "DECIMAL(5,2)", "1000", NULL },
		{ "DECIMAL(5,2)", "0.1 + 0.2", NULL },
		{ "DECIMAL(18,2)", "1234567890123456.78", NULL },
		{ "DECIMAL(18,0)", "999999999999999999", "999999999999999999" },
		{ "DATE", "'2024-02-30'", NULL },
		{ "DATE", "20240229", NULL },
		{ "DATE", "'2024-02-29'", "2024-02-29" },
		{ "DATETIME", "'2024-02-29 10:00'", "2024-02-29 10:00:00" },
		{ "DATETIME", "'soon'", NULL },
		{ "TIMESTAMPTZ", "'2024-02-29 10:00:00'", NULL },
		{ "TIMESTAMPTZ", "'2024-02-29T10:00:00+02'", "2024-02-29 08:00:00+00" },
		{ "TEXT", "x'ff'", NULL },
		{ "VARCHAR(3)", "'longer'", "longer" },
		{ "TEXT", "CAST(x'ff' AS TEXT)", NULL },
	};
	for (size_t i = 0; i < ENT_COUNT(cases); i++)
		check_value(c, cases[i][0], cases[i][1], cases[i][2]);
}

static void test_keys(const struct ent_connector *c)
{
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	struct ent_err e = ENT_ERR_INIT;
	ENT_SCHEMA_AUTO schema = { 0 }, view = { 0 };
	struct ent_object o = { .size = sizeof o };
	char keys[64] = "";
	OK(!c->open(&host, url("t.db"), NULL, 0, &src, &e) && !c->describe(src, "keys", &schema, &o, &e), "%s", e.what);
	OK(ent_metadata_get(schema.metadata, ENT_META_KEYS, keys, sizeof keys) && !strcmp(keys, "a\tb"), "a key whose columns may not be NULL: %s",
	   keys);
	OK(!c->describe(src, "seen", &view, &o, &e) && view.n_children == 2 && o.rows == SUITE_ROWS, "a view %s", e.what);
	c->close(src);
}

/* A writer in WAL mode works beside us: the committed rows are seen, the version changes with the log. */
static void test_wal(const struct ent_connector *c)
{
	sqlite3 *db;
	size_t rows = 0;
	struct ent_err e = ENT_ERR_INIT;
	OK_INT(sqlite3_open(url("wal.db") + 7, &db), SQLITE_OK);
	run(db, "PRAGMA journal_mode = WAL; CREATE TABLE w (v INTEGER); INSERT INTO w VALUES (1), (2); BEGIN IMMEDIATE; INSERT INTO w VALUES (3)");
	OK_INT(suite_scan_count(c, url("wal.db"), "w", "v", &rows, &e), 0, "beside an open writer %s %s", e.what, e.why);
	OK_INT(rows, 2, "only what is committed");
	run(db, "COMMIT");
	OK_INT(suite_scan_count(c, url("wal.db"), "w", "v", &rows, &e), 0, "%s %s", e.what, e.why);
	OK_INT(rows, 3, "and after the commit all");
	sqlite3_close(db);
	unlink(url("wal.db") + 7);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	snprintf(folder, sizeof folder, "%s/entente-sqlite.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	OK(mkdtemp(folder) != NULL, "folder");
	sqlite3 *db;
	OK_INT(sqlite3_open(url("t.db") + 7, &db), SQLITE_OK);
	tables_make(db);
	sqlite3_close(db);
	FILE *f = fopen(url("bad.db") + 7, "wb");
	OK(f && fputs("this is surely not a database, though it is long enough to look at", f) >= 0 && !fclose(f), "bad file");
	const struct ent_connector *c = suite_module(argv[1]);
	const struct suite_store store = { .name = "SQLite",
					   .url = url("t.db"),
					   .object = "t",
					   .types = { "bigint", NULL, NULL, "bigint", NULL, NULL, "double precision" },
					   .keys = true,
					   .ordered = true,
					   .positive_zero = true,
					   .empty_url = url("t.db"),
					   .empty_object = "empty",
					   .missing_url = url("t.db"),
					   .missing_object = "nothing",
					   .bad_url = url("bad.db"),
					   .bad_object = "t",
					   .hidden_url = url("t.db"),
					   .hidden_object = "hidden" };
	if (c) {
		struct ent_err e = ENT_ERR_INIT;
		suite_run(c, &store);
		test_strict(c);
		test_keys(c);
		test_wal(c);
		OK_INT(suite_open_describe(c, url("nothing.db"), "t", NULL, 0, &e), ENT_ENOTFOUND, "no such file: %s", e.what);
	}
	static const char *const names[] = { "t.db", "bad.db", "one.db" };
	for (size_t i = 0; i < ENT_COUNT(names); i++)
		unlink(url(names[i]) + 7);
	rmdir(folder);
	return tap_done();
}
