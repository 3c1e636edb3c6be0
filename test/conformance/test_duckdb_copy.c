/* The copy suite on a table of a DuckDB database, and files written whole. usage: test_duckdb_copy MODULE */
#include <dirent.h>
#include <duckdb.h>
#include <stdlib.h>
#include <unistd.h>

#include "arrow/stream.h"
#include "copy_kit.h"
#include "suite_copy.h"

static char folder[300], url[400];

static void drop(const char *object)
{
	duckdb_database db;
	duckdb_connection con;
	char sql[300];
	snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS %s", object);
	if (duckdb_open(url + 7, &db) != DuckDBSuccess || duckdb_connect(db, &con) != DuckDBSuccess || duckdb_query(con, sql, NULL) != DuckDBSuccess)
		OK(0, "%s", sql);
	duckdb_disconnect(&con);
	duckdb_close(&db);
}

static const struct ent_option options[] = { { "access", "write" } };

/* Rows into a file in two runs, of which the first dies between two commits: the second goes on, and only then the file is there, whole. */
static void file(const struct ent_connector *c, const char *name)
{
	static const int64_t ids[2][2] = { { 1, 2 }, { 3, 4 } };
	char path[400];
	struct suite_copy s = { .name = name, .connector = c, .url = path, .options = options, .n_options = 1, .prefix = "" };
	struct ent_err e = ENT_ERR_INIT;
	struct ent_sink_checkpoint last = { .size = sizeof last };
	snprintf(path, sizeof path, "%s/%s", folder, name);
	for (int i = 0; i < 2; i++) {
		struct kit_target t = { .s = &s };
		ENT_SCHEMA_AUTO schema = { 0 };
		ENT_ARRAY_AUTO rows = { 0 };
		OK(!kit_simple(ids[i], "x", 2, &schema, &rows) && !kit_target_open(&t, &s, "file", 0, &e), "%s: run %d: %s", name, i, e.what);
		OK(!kit_target_table(&t, "", &schema, ENT_WRITE_CREATE, i, &e), "%s: its table: %s %s", name, e.what, e.why);
		OK(!i == (c->sink_last(t.sink, "part", &last, &e) == ENT_ENOTFOUND), "%s: the checkpoint of the first run is there in the second",
		   name);
		OK(!c->sink_rows(t.sink, t.index, &rows, &e) && !kit_target_commit(&t, "part", "1", 2, &e), "%s: rows: %s %s", name, e.what, e.why);
		OK(access(path, F_OK) != 0, "%s: no file before the end", name);
		if (i)
			OK(!c->sink_finish(t.sink, 1, &e), "%s: the end: %s %s", name, e.what, e.why);
		kit_target_close(&t);
	}
	s.n_options = 0;
	OK_INT(kit_count(&s, ""), 4, "%s: rows of both runs", name);
	DIR *d = opendir(folder);
	size_t left = 0;
	for (struct dirent *f = d ? readdir(d) : NULL; f; f = readdir(d))
		left += strstr(f->d_name, name) != NULL;
	closedir(d);
	OK_INT(left, 1, "%s: and nothing beside it", name);
	s.n_options = 1;
	struct kit_target t = { .s = &s };
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO rows = { 0 };
	OK(!kit_simple(ids[0], "x", 2, &schema, &rows) && !kit_target_open(&t, &s, "again", 0, &e), "%s", e.what);
	OK(kit_target_table(&t, "", &schema, ENT_WRITE_CREATE, 0, &e) == ENT_EUSAGE, "%s: a file that is there is not overwritten: %s", name, e.what);
	OK(kit_target_table(&t, "", &schema, ENT_WRITE_APPEND, 0, &e) == ENT_EUNSUPPORTED, "%s: nor appended to: %s", name, e.what);
	kit_target_close(&t);
}

int main(int argc, char **argv)
{
	const struct ent_connector *c;
	snprintf(folder, sizeof folder, "%s/entente-duckdb.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (argc != 2 || !mkdtemp(folder) || !(c = suite_module(argv[1])))
		return 2;
	snprintf(url, sizeof url, "duckdb:%s/t.db", folder);
	const struct suite_copy copy = {
		.name = "DuckDB", .connector = c, .url = url, .options = options, .n_options = 1, .prefix = "", .drop = drop, .one_writer = true
	};
	suite_copy_run(&copy);
	static const char *const files[] = { "one.parquet", "two.csv", "three.ndjson" };
	for (size_t i = 0; i < ENT_COUNT(files); i++)
		file(c, files[i]);
	static const char *const names[] = {
		"t.db", "t.db.wal", "one.parquet", "two.csv", "three.ndjson", "one.parquet.entente", "two.csv.entente", "three.ndjson.entente"
	};
	for (size_t i = 0; i < ENT_COUNT(names); i++) {
		char path[700];
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
	return tap_done();
}
