/* The copy suite on SQLite, and what only SQLite refuses. usage: test_sqlite_copy MODULE */
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "arrow/builder.h"
#include "arrow/stream.h"
#include "suite_copy.h"

static char url[400];

static void run(const char *before, const char *object, const char *after)
{
	sqlite3 *db;
	char *sql = sqlite3_mprintf("%s %s %s", before, object, after), *why = NULL;
	if (sqlite3_open(url + 7, &db) != SQLITE_OK || sqlite3_busy_timeout(db, 5000) != SQLITE_OK ||
	    sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		OK(0, "%.80s: %s", sql, why ? why : sqlite3_errmsg(db));
	sqlite3_free(why);
	sqlite3_free(sql);
	sqlite3_close(db);
}

static void drop(const char *object) { run("DROP TABLE IF EXISTS", object, ""); }
static const struct suite_copy_except excepts[] = {
	{ "c_real", SUITE_ZERO, NULL },           { "c_double", SUITE_ZERO, NULL },        { "c_real", SUITE_NAN, NULL },
	{ "c_double", SUITE_NAN, NULL },          { "c_date", SUITE_PLUS_INFINITY, NULL }, { "c_date", SUITE_MINUS_INFINITY, NULL },
	{ "c_ts", SUITE_PLUS_INFINITY, NULL },    { "c_ts", SUITE_MINUS_INFINITY, NULL },  { "c_tstz", SUITE_PLUS_INFINITY, NULL },
	{ "c_tstz", SUITE_MINUS_INFINITY, NULL },
};

static const struct ent_option options[] = { { "access", "write" } };

static struct ent_source *opened(const struct ent_connector *c)
{
	const struct ent_host host = suite_host();
	struct ent_source *s = NULL;
	struct ent_err err = ENT_ERR_INIT;
	OK(!c->open(&host, url, options, 1, &s, &err), "open: %s", err.what);
	return s;
}

/* Changed rows, one of which leaves a column out. Following a table is tested in test/unit/move/test_replicate.c: the suite follows into the same
 * database, which SQLite, with its one writer, cannot. */
static void changes(const struct ent_connector *c)
{
	static const struct ent_field change[] = { { .name = "entente.op", .type = { .id = ENT_T_TEXT } },
						   { .name = "entente.unchanged", .type = { .id = ENT_T_TEXT }, .nullable = true },
						   { .name = "id", .type = { .id = ENT_T_INT32 }, .nullable = true },
						   { .name = "v", .type = { .id = ENT_T_TEXT }, .nullable = true } };
	static const struct {
		const char *op, *unchanged;
		int id;
		const char *v;
	} log[] = { { "I", NULL, 1, "a" }, { "I", NULL, 2, "b" }, { "U", NULL, 1, "c" }, { "D", NULL, 2, NULL }, { "U", "v", 1, NULL } };
	ENT_SCHEMA_AUTO table = { 0 }, schema = { 0 };
	struct ent_builder *b = NULL;
	ENT_ARRAY_AUTO a = { 0 };
	struct ent_err err = ENT_ERR_INIT;
	struct ent_source *s = opened(c);
	struct ent_sink *k = NULL;
	uint64_t epoch = 0;
	size_t at = 0;
	const char *key = "id";
	bool ok = !ent_schema_new(change + 2, 2, NULL, &table, &err) && !ent_schema_new(change, 4, NULL, &schema, &err) &&
		  !ent_builder_new(&schema, 0, &b, &err);
	for (size_t i = 0; i < ENT_COUNT(log) && ok; i++)
		ok = !ent_builder_text(b, 0, ent_bytes_str(log[i].op), &err) &&
		     !(log[i].unchanged ? ent_builder_text(b, 1, ent_bytes_str(log[i].unchanged), &err) : ent_builder_null(b, 1, &err)) &&
		     !ent_builder_int(b, 2, log[i].id, &err) &&
		     !(log[i].v ? ent_builder_text(b, 3, ent_bytes_str(log[i].v), &err) : ent_builder_null(b, 3, &err));
	struct ent_target target = { .size = sizeof target, .object = "ch", .schema = &table, .keys = &key, .n_keys = 1, .mode = ENT_WRITE_UPSERT };
	OK(ok && !ent_builder_finish(b, &a, &err) && !c->sink_open(s, "k", &epoch, &k, &err) && !c->sink_table(k, &target, &at, &err),
	   "changes begin: %s", err.what);
	OK(!c->sink_changes(k, at, &schema, &a, &err) && !c->sink_commit(k, NULL, &err), "changes are applied: %s %s", err.what, err.why);
	c->sink_close(k);
	c->close(s);
	ent_builder_free(b);
	struct ent_read what = { .size = sizeof what, .object = "ch", .where = "id = 1 AND v = 'c'" };
	s = opened(c);
	ENT_STREAM_AUTO stream = { 0 };
	ENT_ARRAY_AUTO rest = { 0 };
	OK(!c->read(s, &what, &stream, &err) && !ent_stream_next(&stream, &rest, &err) && rest.release && rest.length == 1, "what is left: %s",
	   err.what);
	ent_stream_release(&stream);
	c->close(s);
	s = opened(c);
	struct ent_read all = { .size = sizeof all, .object = "ch" };
	ENT_STREAM_AUTO every = { 0 };
	ENT_ARRAY_AUTO rows = { 0 };
	OK(!c->read(s, &all, &every, &err) && !ent_stream_next(&every, &rows, &err) && rows.release && rows.length == 1, "and nothing else");
	ent_stream_release(&every);
	c->close(s);
}

int main(int argc, char **argv)
{
	char folder[300];
	const struct ent_connector *c;
	snprintf(folder, sizeof folder, "%s/entente-sqlite.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (argc != 2 || !mkdtemp(folder) || !(c = suite_module(argv[1])))
		return 2;
	snprintf(url, sizeof url, "sqlite:%s/t.db", folder);
	run("PRAGMA journal_mode = WAL", "", "");
	const struct suite_copy copy = { .name = "SQLite",
					 .connector = c,
					 .url = url,
					 .options = options,
					 .n_options = 1,
					 .prefix = "",
					 .excepts = excepts,
					 .n_excepts = ENT_COUNT(excepts),
					 .drop = drop,
					 .one_writer = true };
	suite_copy_run(&copy);
	changes(c);
	static const char *const ends[] = { "", "-wal", "-shm" };
	for (size_t i = 0; i < ENT_COUNT(ends); i++) {
		char path[450];
		snprintf(path, sizeof path, "%s%s", url + 7, ends[i]);
		unlink(path);
	}
	rmdir(folder);
	return tap_done();
}
