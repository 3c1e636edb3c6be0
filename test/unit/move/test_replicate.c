/* A stream between two SQLite files: copied, then followed; killed and resumed; overtaken; a table stopped while the other goes on; a lost log. */
#include <dlfcn.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "move/replicate.h"
#include "tap.h"

static const struct ent_connector *connector;
static char folder[] = "/tmp/entente-replicate.XXXXXX";
static int runs_left = -1; /* cancelled says yes after so many questions; negative: never */
static struct ent_err err;
static struct ent_replicate_status last;
static uint64_t batch_rows;

static const char *path(const char *name)
{
	static char out[4][300];
	static int at;
	snprintf(out[at = (at + 1) % 4], 300, "sqlite:%s/%s", folder, name);
	return out[at];
}

static int end_open(void *self, const struct ent_option *more, size_t n, struct ent_move_session *ret, struct ent_err *e)
{
	static const struct ent_host host = { .size = sizeof host, .timeout_ms = 5000 };
	ret->connector = connector;
	return connector->open(&host, path((const char *)self), more, n, &ret->source, e);
}

static void sql(const char *file, const char *text)
{
	sqlite3 *db;
	char *why = NULL;
	OK(sqlite3_open(path(file) + 7, &db) == SQLITE_OK && sqlite3_busy_timeout(db, 5000) == SQLITE_OK &&
		   sqlite3_exec(db, text, NULL, NULL, &why) == SQLITE_OK,
	   "%s: %.60s: %s", file, text, why ? why : "ok");
	sqlite3_free(why);
	sqlite3_close(db);
}

static int row_take(void *arg, int n, char **values, char **names)
{
	(void)names;
	for (int i = 0; i < n; i++)
		ent_buf_printf((struct ent_buf *)arg, "%s%s", values[i] ? values[i] : "NULL", i + 1 < n ? "," : ";");
	return 0;
}

static bool rows_of(const char *file, const char *query, struct ent_buf *out)
{
	sqlite3 *db = NULL;
	bool ok = sqlite3_open(path(file) + 7, &db) == SQLITE_OK && sqlite3_exec(db, query, row_take, out, NULL) == SQLITE_OK;
	sqlite3_close(db);
	return ok;
}

static bool same(const char *query)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf a = ENT_BUF(1 << 24), b = ENT_BUF(1 << 24);
	static const char *const files[] = { "a.db", "b.db" };
	for (int i = 0; i < 2; i++)
		if (!rows_of(files[i], query, i ? &b : &a))
			return false;
	bool ok = a.len == b.len && !memcmp(a.data, b.data, a.len);
	if (!ok)
		printf("# a: %.300s\n# b: %.300s\n", ent_buf_text(&a), ent_buf_text(&b));
	return ok;
}

static int feeding;       /* changes to make at the source, one with every look at cancelled */
static int64_t passed_us; /* beside the real time */
static bool cancelled(void *self)
{
	(void)self;
	if (feeding) {
		sql("a.db", "UPDATE t SET v = v || '.' WHERE id = 40");
		passed_us += 10000000;
		return --feeding == 0;
	}
	return runs_left >= 0 && runs_left-- == 0 ? (runs_left = 0, true) : false;
}
static int64_t now_us(void *self)
{
	struct timespec t;
	(void)self;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 + passed_us;
}
static void wait_ms(void *self, uint32_t ms)
{
	(void)self;
	(void)ms;
}
static char stopped_why[400];
static void status(void *self, const struct ent_replicate_status *s)
{
	(void)self;
	last = *s;
	for (size_t i = 0; i < s->n_tables; i++)
		if (s->stopped[i])
			snprintf(stopped_why, sizeof stopped_why, "%s", s->stopped[i]);
}
static struct {          /* the batches of one run */
	size_t n, early; /* early: less than a minute after the one before */
	int64_t last_us, longest_us;
} batches;
static int batch(void *self, const struct ent_replicate_batch *b, struct ent_err *e)
{
	int64_t gap = passed_us - batches.last_us;
	(void)self;
	(void)e;
	batch_rows += b->rows;
	batches.early += gap < 60000000;
	batches.longest_us = gap > batches.longest_us ? gap : batches.longest_us;
	batches.last_us = passed_us;
	batches.n++;
	return strlen(b->digest) == 64 ? 0 : ENT_EINTERNAL;
}

static const struct ent_replicate_table tables[] = { { .source = "t", .target = "t" }, { .source = "u", .target = "u2" } };

static int run_stream(const char *name)
{
	static char a[] = "a.db", b[] = "b.db";
	const struct ent_replicate r = { .name = name,
					 .source = { a, end_open, "", "a" },
					 .target = { b, end_open, "", "b" },
					 .tables = tables,
					 .n_tables = 2,
					 .until_caught_up = !feeding,
					 .rows_per_split = 1000 };
	const struct ent_replicate_env env = { .cancelled = cancelled, .status = status, .batch = batch, .now_us = now_us, .wait_ms = wait_ms };
	err = (struct ent_err)ENT_ERR_INIT;
	return ent_replicate_run(&r, &env, &err);
}

static void copy_and_follow(void)
{
	sql("a.db", "PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL, v TEXT); CREATE TABLE u (a INTEGER NOT NULL, b TEXT "
		    "NOT NULL, n DOUBLE, PRIMARY KEY (a, b)); WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < 5000) INSERT "
		    "INTO t SELECT i, 'row ' || i FROM k; INSERT INTO u VALUES (1, 'x', 1.5), (2, 'y', NULL)");
	sql("b.db", "PRAGMA journal_mode = WAL");
	OK(!run_stream("s") && last.rows_copied == 5002, "copied: %s %s, %llu rows", err.what, err.why, (unsigned long long)last.rows_copied);
	OK(same("SELECT * FROM t ORDER BY 1"), "the copy is equal");
	sql("a.db",
	    "INSERT INTO t VALUES (6000, 'new'); UPDATE t SET v = 'changed' WHERE id <= 10; DELETE FROM t WHERE id = 20; UPDATE t SET id = 7000 "
	    "WHERE id = 30; UPDATE u SET n = 2.5 WHERE a = 2; INSERT INTO u VALUES (3, 'z', 3)");
	OK(!run_stream("s"), "followed: %s %s", err.what, err.why);
	OK(same("SELECT * FROM t ORDER BY 1"), "changes, deletes and a changed key arrive");
	OK(last.rows_applied >= 15 && batch_rows == last.rows_applied + 5002, "%llu rows applied, all in batches, and the copy",
	   (unsigned long long)last.rows_applied);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf kept = ENT_BUF(1000);
	rows_of("a.db", "SELECT count(*) FROM _entente_changes", &kept);
	OK(!strcmp(ent_buf_text(&kept), "0;"), "the source keeps no change that is durable in the target: %s", ent_buf_text(&kept));
	sql("b.db", "CREATE VIEW u AS SELECT a, b, n FROM u2");
	OK(same("SELECT * FROM u ORDER BY 1"), "also those of the other table, under its other name");
}

/* A hundred changes, ten seconds after one another; the stream is stopped behind the last one. */
static void by_minutes(void)
{
	uint64_t before = batch_rows;
	memset(&batches, 0, sizeof batches);
	batches.last_us = passed_us;
	feeding = 100;
	OK(!run_stream("s"), "a hundred changes in a thousand seconds: %s %s", err.what, err.why);
	OK(last.rows_applied && batch_rows - before == last.rows_applied, "every changed row is in a batch, also those of the last seconds: %llu",
	   (unsigned long long)last.rows_applied);
	OK(batches.n > 10 && batches.early <= 1 && batches.longest_us <= 80000000, "every minute of changes is a batch: %zu, the longest of %lld s",
	   batches.n, (long long)batches.longest_us / 1000000);
	OK(!run_stream("s") && same("SELECT * FROM t ORDER BY 1"), "equal: %s %s", err.what, err.why);
}

static void interrupted(void)
{
	for (int i = 0; i < 40; i++) {
		runs_left = i % 7;
		char text[200];
		snprintf(text, sizeof text, "UPDATE t SET v = 'round %d' WHERE id %% 40 = %d; DELETE FROM t WHERE id = %d", i, i, 3000 + i);
		sql("a.db", text);
		OK(!run_stream("s"), "interrupted after %d looks: %s", i % 7, err.what);
	}
	runs_left = -1;
	OK(!run_stream("s") && same("SELECT * FROM t ORDER BY 1"), "equal after forty interrupted runs: %s", err.what);
}

static void troubles(void)
{
	sql("a.db", "ALTER TABLE t ADD COLUMN extra DOUBLE; INSERT INTO t VALUES (7999, 'more', 1.25)");
	OK(!run_stream("s") && same("SELECT * FROM t ORDER BY 1"), "a new column is followed: %s %s", err.what, err.why);
	sql("a.db", "ALTER TABLE u DROP COLUMN n; INSERT INTO u VALUES (4, 'w'); INSERT INTO t VALUES (8000, 'goes on', 0.5)");
	OK(!run_stream("s") && strstr(stopped_why, "dropped"), "a dropped column stops its table: %s", stopped_why);
	OK(same("SELECT * FROM t ORDER BY 1"), "and the other goes on");
	sql("a.db", "INSERT INTO t VALUES (8001, 'x', 1); DELETE FROM _entente_changes; UPDATE _entente_log SET floor = 1000000");
	OK(run_stream("s") == ENT_EDATA, "a trimmed log stops the stream: %s; %s", err.what, err.why);
	OK(run_stream("S-x") == ENT_EUSAGE, "a bad name is refused: %s", err.what);
}

static void dropped(void)
{
	static char a[] = "a.db", b[] = "b.db";
	const struct ent_replicate r = {
		.name = "s", .source = { a, end_open, "", "a" }, .target = { b, end_open, "", "b" }, .tables = tables, .n_tables = 1
	};
	OK(!ent_replicate_drop(&r, &err), "dropped: %s", err.what);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1000);
	OK(rows_of("a.db", "SELECT count(*) FROM _entente_followers", &out) && !strcmp(ent_buf_text(&out), "0;"), "the source keeps nothing for it");
}

static size_t splits_done(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1000);
	return rows_of("b.db", "SELECT count(*) FROM _entente_checkpoint WHERE cursor LIKE 'done%' AND part LIKE 'split%'", &out)
		       ? strtoul(ent_buf_text(&out), NULL, 10)
		       : 0;
}

/* Older rows get the default of a new column, and no trigger fires. */
static void filled(void)
{
	static char a[] = "a.db", b[] = "b.db";
	static const struct ent_replicate_table one = { .source = "fill", .target = "fill" };
	const struct ent_replicate r = { .name = "fill",
					 .source = { a, end_open, "", "a" },
					 .target = { b, end_open, "", "b" },
					 .tables = &one,
					 .n_tables = 1,
					 .until_caught_up = true };
	const struct ent_replicate_env env = { .cancelled = cancelled, .status = status, .now_us = now_us, .wait_ms = wait_ms };
	sql("a.db", "UPDATE _entente_log SET floor = 0; CREATE TABLE fill (id INTEGER PRIMARY KEY NOT NULL); INSERT INTO fill VALUES (1), (2)");
	OK(!ent_replicate_run(&r, &env, &err), "copied: %s %s", err.what, err.why);
	sql("a.db", "ALTER TABLE fill ADD COLUMN z INT DEFAULT 7; INSERT INTO fill (id) VALUES (3)");
	stopped_why[0] = 0;
	OK(!ent_replicate_run(&r, &env, &err) && strstr(stopped_why, "fills older rows"), "a new column with a default stops its table: %s",
	   stopped_why);
}

/* A copy that was cut off belongs to its stream alone: what is done of it counts for nothing after the stream was ended. */
static void begun_again(void)
{
	static char a[] = "a.db", b[] = "b.db";
	static const struct ent_replicate_table one = { .source = "many", .target = "many" };
	struct ent_replicate r = { .name = "again",
				   .source = { a, end_open, "", "a" },
				   .target = { b, end_open, "", "b" },
				   .tables = &one,
				   .n_tables = 1,
				   .until_caught_up = true,
				   .rows_per_split = 1000 };
	const struct ent_replicate_env env = { .cancelled = cancelled, .status = status, .now_us = now_us, .wait_ms = wait_ms };
	sql("a.db", "UPDATE _entente_log SET floor = 0; CREATE TABLE many (id INTEGER PRIMARY KEY NOT NULL, v TEXT); WITH RECURSIVE k(i) AS (SELECT "
		    "1 UNION ALL SELECT i + 1 FROM k WHERE i "
		    "< 6000) INSERT INTO many SELECT i, 'row ' || i FROM k");
	for (int i = 1; i < 400 && !splits_done(); i++) {
		runs_left = i;
		(void)ent_replicate_run(&r, &env, &err);
	}
	runs_left = -1;
	OK(splits_done() > 0, "a copy was cut off behind %zu splits", splits_done());
	OK(!ent_replicate_drop(&r, &err), "its stream is ended: %s", err.what);
	sql("a.db", "UPDATE many SET v = 'changed' WHERE id <= 100; INSERT INTO many SELECT id + 10000, v FROM many WHERE id <= 3");
	OK(!ent_replicate_run(&r, &env, &err) && same("SELECT * FROM many ORDER BY 1"), "begun again, all of it is copied: %s %s", err.what, err.why);
	OK(!ent_replicate_drop(&r, &err), "ended");
	sql("a.db", "DELETE FROM many WHERE id <= 50");
	r.restart = true;
	OK(!ent_replicate_run(&r, &env, &err) && same("SELECT * FROM many ORDER BY 1"), "a restart takes rows out that went away meanwhile: %s %s",
	   err.what, err.why);
}

int main(int argc, char **argv)
{
	void *module = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	ent_connector_entry_fn entry = NULL;
	if (module)
		*(void **)&entry = dlsym(module, "ent_connector_entry");
	if (!OK(entry && mkdtemp(folder), "module and folder"))
		return tap_done();
	connector = entry();
	copy_and_follow();
	by_minutes();
	interrupted();
	troubles();
	dropped();
	filled();
	begun_again();
	static const char *const files[] = { "a.db", "b.db", "a.db-wal", "a.db-shm", "b.db-wal", "b.db-shm" };
	for (size_t i = 0; i < ENT_COUNT(files); i++)
		unlink(path(files[i]) + 7);
	rmdir(folder);
	return tap_done();
}
