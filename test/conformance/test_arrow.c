/* Arrow files and streams through the connector: the suite, modes, a run that died in the middle, one writer at a time, what Arrow cannot hold.
 * usage: test_arrow MODULE DUCKDB-MODULE RECORDED-FOLDER */
#include <duckdb.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "arrow/builder.h"
#include "objects_case.h"

static const struct ent_connector *c;
static struct objects_case store;
static char folder[200];

static const char *path(const char *name)
{
	static char all[16][300];
	static size_t n;
	char *out = all[n++ % 16];
	snprintf(out, sizeof all[0], "%s/%s", folder, name);
	return out;
}

static off_t size_of(const char *name)
{
	struct stat st;
	return stat(path(name), &st) ? -1 : st.st_size;
}

/* --- the suite's table, from DuckDB by way of Parquet --- */

static int stream_write(struct ArrowArrayStream *rows, const char *to, struct ent_err *e)
{
	struct ent_host host = suite_host();
	const struct ent_option write[] = { { "access", "write" } };
	struct ent_source *src = NULL;
	struct ent_sink *k = NULL;
	ENT_SCHEMA_AUTO schema = { 0 };
	uint64_t epoch = 0;
	size_t at;
	ENT_TRY(ent_stream_schema(rows, &schema, e));
	struct ent_target target = { .size = sizeof target, .object = "", .schema = &schema, .mode = ENT_WRITE_CREATE };
	int code = c->open(&host, to, write, 1, &src, e);
	code = code ? code : c->sink_open(src, "suite", &epoch, &k, e);
	code = code ? code : c->sink_table(k, &target, &at, e);
	while (!code) {
		ENT_ARRAY_AUTO a = { 0 };
		code = ent_stream_next(rows, &a, e);
		if (code || !a.release)
			break;
		code = c->sink_rows(k, at, &a, e);
	}
	code = code ? code : c->sink_finish(k, 1, e);
	c->sink_close(k);
	c->close(src);
	return code;
}

static void duck_write(const struct ent_connector *duck, duckdb_connection con, const char *sql, const char *to)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf all = ENT_BUF(1 << 20);
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	struct ent_err e = ENT_ERR_INIT;
	duckdb_result r;
	ENT_STREAM_AUTO rows = { 0 };
	const struct ent_read what = { .size = sizeof what, .object = "" };
	ent_buf_printf(&all, "COPY (%s) TO '%s'", sql, path("between.parquet"));
	OK(duckdb_query(con, ent_buf_text(&all), &r) == DuckDBSuccess, "made %s", duckdb_result_error(&r));
	duckdb_destroy_result(&r);
	OK(!duck->open(&host, path("between.parquet"), NULL, 0, &src, &e) && !duck->read(src, &what, &rows, &e), "%s", e.what);
	OK_INT(stream_write(&rows, to, &e), 0, "written: %s %s", e.what, e.why);
	ent_stream_release(&rows);
	duck->close(src);
	unlink(path("between.parquet"));
}

static void run_suite(const struct ent_connector *duck, const char *suffix)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1 << 20);
	char full[40], empty[40], missing[40], bad[40];
	duckdb_database db;
	duckdb_connection con = NULL;
	OK(duckdb_open(NULL, &db) == DuckDBSuccess && duckdb_connect(db, &con) == DuckDBSuccess);
	ent_buf_str(&sql, "SELECT * FROM (VALUES ");
	suite_values(&sql, true);
	ent_buf_str(&sql, ") t(");
	for (size_t i = 0; i < SUITE_COLUMNS; i++)
		ent_buf_printf(&sql, "%s\"%s\"", i ? ", " : "", i == 11 ? "Text \"\"q\"\"" : suite_names[i]);
	ent_buf_str(&sql, ")");
	snprintf(full, sizeof full, "t.%s", suffix);
	snprintf(empty, sizeof empty, "empty.%s", suffix);
	snprintf(missing, sizeof missing, "missing.%s", suffix);
	snprintf(bad, sizeof bad, "bad.%s", suffix);
	duck_write(duck, con, ent_buf_text(&sql), path(full));
	ent_buf_str(&sql, " LIMIT 0");
	duck_write(duck, con, ent_buf_text(&sql), path(empty));
	duckdb_disconnect(&con);
	duckdb_close(&db);
	FILE *f = fopen(path(bad), "wb");
	OK(f && fwrite("\xff\xff\xff\xff\x10\0\0\0rubbish", 1, 15, f) == 15 && !fclose(f));
	const struct suite_store s = { .name = suffix,
				       .url = path(full),
				       .object = "",
				       .ordered = true,
				       .empty_url = path(empty),
				       .empty_object = "",
				       .missing_url = path(missing),
				       .missing_object = "",
				       .bad_url = path(bad),
				       .bad_object = "" };
	suite_run(c, &s);
	unlink(path(full));
	unlink(path(empty));
	unlink(path(bad));
}

/* --- writing --- */

static void test_modes(const char *name)
{
	struct ent_err e;
	struct objects_write w = { ENT_WRITE_CREATE, 1, 25000, true };
	OK_INT(objects_write(&store, path(name), &w, &e), 0, "create %s %s", e.what, e.why);
	OK_INT(objects_check(&store, path(name), 1, 25000, &e), 0, "read %s %s", e.what, e.why);
	OK_INT(objects_write(&store, path(name), &w, &e), ENT_EUSAGE, "twice: %s", e.what);
	w.mode = ENT_WRITE_APPEND;
	OK_INT(objects_write(&store, path(name), &w, &e), ENT_EUNSUPPORTED, "append: %s", e.what);
	w.mode = ENT_WRITE_UPSERT;
	OK_INT(objects_write(&store, path(name), &w, &e), ENT_EUNSUPPORTED, "upsert: %s", e.what);
	w = (struct objects_write){ ENT_WRITE_REPLACE, 7, 30000, true };
	OK_INT(objects_write(&store, path(name), &w, &e), 0, "replace %s %s", e.what, e.why);
	OK_INT(objects_check(&store, path(name), 7, 30000, &e), 0, "read %s %s", e.what, e.why);
	char beside[40];
	snprintf(beside, sizeof beside, "%s.entente", name);
	OK(size_of(beside) < 0, "nothing is left beside it");
	snprintf(beside, sizeof beside, "%s.entente.part", name);
	OK(size_of(beside) < 0);
	unlink(path(name));
}

/* A run dies behind its second commit of 10,000 rows, having written more; the next one goes on there. */
static void test_crash(const char *name)
{
	struct ent_host host = suite_host();
	const struct ent_option options[] = { { "access", "write" } };
	struct ent_err e = ENT_ERR_INIT;
	struct ent_source *src = NULL;
	struct ent_sink *k = NULL;
	struct ent_sink_checkpoint point = { .size = sizeof point };
	uint64_t epoch = 0;
	char part[40];
	int status;
	snprintf(part, sizeof part, "%s.entente.part", name);
	pid_t child = fork();
	if (!child)
		_exit(objects_write(&store, path(name), &(struct objects_write){ ENT_WRITE_CREATE, 1, 20000, false }, &e));
	OK(waitpid(child, &status, 0) == child && !status, "a run ends without finishing");
	off_t whole = size_of(part);
	int fd = open(path(part), O_WRONLY | O_APPEND);
	OK(fd >= 0 && write(fd, "half a batch", 12) == 12 && !close(fd), "what was not committed stands behind");
	snprintf(part, sizeof part, "%s.entente", name);
	fd = open(path(part), O_WRONLY | O_APPEND);
	OK(fd >= 0 && write(fd, "3 4 5", 5) == 5 && !close(fd), "the log ends within a line");
	OK(!c->open(&host, path(name), options, 1, &src, &e) && !c->sink_open(src, "job", &epoch, &k, &e), "%s %s", e.what, e.why);
	OK_INT(epoch, 2, "the second run");
	OK(!c->sink_last(k, "p", &point, &e) && point.rows == 10000 && !strcmp(point.cursor, "done"), "knows the checkpoint");
	OK_INT(c->sink_last(k, "q", &point, &e), ENT_ENOTFOUND);
	struct ent_source *other = NULL;
	struct ent_sink *second = NULL;
	uint64_t mine = 0;
	OK_INT(c->open(&host, path(name), options, 1, &other, &e), 0);
	OK_INT(c->sink_open(other, "job", &mine, &second, &e), ENT_EAGAIN, "one writer at a time: %s", e.what);
	c->close(other);
	const struct ent_field fields[] = { { .name = "id", .type = { .id = ENT_T_INT64 } },
					    { .name = "name", .type = { .id = ENT_T_TEXT }, .nullable = true },
					    { .name = "amount", .type = { .id = ENT_T_DECIMAL, .precision = 12, .scale = 2 } },
					    { .name = "at", .type = { .id = ENT_T_TIMESTAMP } } };
	ENT_SCHEMA_AUTO schema = { 0 };
	size_t at;
	OK_INT(ent_schema_new(fields, 4, NULL, &schema, &e), 0);
	const struct ent_target target = { .size = sizeof target, .object = "", .schema = &schema, .mode = ENT_WRITE_CREATE, .resume = 1 };
	OK_INT(c->sink_table(k, &target, &at, &e), 0, "goes on: %s %s", e.what, e.why);
	snprintf(part, sizeof part, "%s.entente.part", name);
	OK_INT(size_of(part), whole, "what was not committed is cut off");
	OK_INT(c->sink_finish(k, 1, &e), 0, "%s %s", e.what, e.why);
	c->sink_close(k);
	c->close(src);
	OK_INT(objects_check(&store, path(name), 1, 20000, &e), 0, "every committed row, once %s %s", e.what, e.why);
	unlink(path(name));
}

/* A log that somebody damaged stops the copy; another job's log does not count. */
static void test_log(void)
{
	struct ent_err e;
	struct objects_write w = { ENT_WRITE_CREATE, 1, 100, false };
	OK_INT(objects_write(&store, path("l.arrow"), &w, &e), 0);
	int fd = open(path("l.arrow.entente"), O_WRONLY);
	OK(fd >= 0 && pwrite(fd, "7", 1, 0) == 1 && !close(fd));
	OK_INT(objects_write(&store, path("l.arrow"), &w, &e), ENT_EDATA, "%s", e.what);
	unlink(path("l.arrow.entente"));
	unlink(path("l.arrow.entente.part"));
}

static void test_infinite(void)
{
	const struct ent_field fields[] = { { .name = "day", .type = { .id = ENT_T_DATE } }, { .name = "at", .type = { .id = ENT_T_TIMESTAMPTZ } } };
	for (int k = 0; k < 2; k++) {
		ENT_SCHEMA_AUTO schema = { 0 };
		ENT_ARRAY_AUTO a = { 0 };
		ENT_STREAM_AUTO rows = { 0 };
		ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
		struct ent_err e = ENT_ERR_INIT;
		OK(!ent_schema_new(fields, 2, NULL, &schema, &e) && !ent_builder_new(&schema, 0, &b, &e));
		OK(!ent_builder_int(b, 0, k ? 5 : INT32_MAX, &e) && !ent_builder_int(b, 1, k ? INT64_MIN : 5, &e) && !ent_builder_finish(b, &a, &e),
		   "%s", e.what);
		OK_INT(ent_stream_from_batches(&schema, &a, 1, &rows, &e), 0);
		OK_INT(stream_write(&rows, path("i.arrow"), &e), ENT_EDATA, "%s (%s)", e.what, e.why);
		OK(strstr(e.what, k ? "column at" : "column day") != NULL, "names the column");
		unlink(path("i.arrow.entente"));
		unlink(path("i.arrow.entente.part"));
	}
}

/* Files of others through the module as it is installed: compressed, with dictionaries and views. */
static void test_recorded(const char *recorded)
{
	static const struct {
		const char *name, *column;
		size_t rows;
	} all[] = { { "default.feather", "text", 300 }, { "coded.arrow", "by_int8", 40 }, { "polars_views_zstd.arrow", "kind", 200 } };
	for (size_t i = 0; i < ENT_COUNT(all); i++) {
		struct ent_err e = ENT_ERR_INIT;
		char file[900];
		size_t rows = 0;
		snprintf(file, sizeof file, "%s/%s", recorded, all[i].name);
		int code = suite_scan_count(c, file, "", all[i].column, &rows, &e);
		if (code == ENT_EUNSUPPORTED && strstr(e.what, "built without"))
			tap_skip(all[i].name, "this build has no library for its compression");
		else
			OK(!code && rows == all[i].rows, "%s: %zu rows %s %s", all[i].name, rows, e.what, e.why);
	}
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	snprintf(folder, sizeof folder, "%s/entente-arrow.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	c = suite_module(argv[1]);
	const struct ent_connector *duck = suite_module(argv[2]);
	if (!OK(c && duck && mkdtemp(folder), "ready"))
		return tap_done();
	store = (struct objects_case){ c, NULL, NULL, 0 };
	run_suite(duck, "arrow");
	run_suite(duck, "arrows");
	test_modes("m.arrow");
	test_modes("m.arrows");
	test_crash("c.arrow");
	test_crash("c.arrows");
	test_log();
	test_infinite();
	test_recorded(argv[3]);
	OK(!rmdir(folder), "nothing is left");
	return tap_done();
}
