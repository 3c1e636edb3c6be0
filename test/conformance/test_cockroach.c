/* CockroachDB as its imitation plays it: the copy suite, changes from a changefeed, every type through it, what is lost and what must be set first,
 * retries, what it does not have. usage: test_cockroach MODULE PORT POSTGRES-PORT */
#include <libpq-fe.h>
#include <stdlib.h>

#include "copy_kit.h"

static const struct ent_connector *c;
static char front[200], behind[200]; /* the imitation; PostgreSQL itself */
static const struct ent_option writes[] = { { "access", "write" } };

static void notice_none(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

static void run_at(const char *where, const char *sql)
{
	PGconn *con = PQconnectdb(where);
	PQsetNoticeProcessor(con, notice_none, NULL);
	PGresult *r = PQexec(con, sql);
	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		OK(0, "%.100s: %s", sql, PQerrorMessage(con));
	PQclear(r);
	PQfinish(con);
}
static void run(const char *sql) { run_at(behind, sql); }
static void tell(const char *sql) { run_at(front, sql); } /* to the imitation */

static const char *value(const char *sql)
{
	static char out[4000];
	PGconn *con = PQconnectdb(behind);
	PGresult *r = PQexec(con, sql);
	snprintf(out, sizeof out, "%s", PQntuples(r) ? PQgetvalue(r, 0, 0) : "?");
	PQclear(r);
	PQfinish(con);
	return out;
}

/* --- the suite --- */

static void drop(const char *object)
{
	char sql[300];
	snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS %s", object);
	run(sql);
}

static void cut(void) { run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'entente'"); }

static void change_table(const char *object)
{
	char sql[300];
	snprintf(sql, sizeof sql, "CREATE TABLE %s (id bigint PRIMARY KEY, v text, n integer)", object);
	run(sql);
}

static bool change(const char *object, enum suite_change step)
{
	static const char *const statements[] = {
		[SUITE_CHANGE_INSERT] = "INSERT INTO %1$s VALUES (1, 'one', 10), (2, 'two', 20), (3, NULL, 30)",
		[SUITE_CHANGE_UPDATE] = "UPDATE %1$s SET v = 'zwei' WHERE id = 2",
		[SUITE_CHANGE_DELETE] = "DELETE FROM %1$s WHERE id = 1",
		[SUITE_CHANGE_KEY] = "UPDATE %1$s SET id = 30 WHERE id = 3",
		[SUITE_CHANGE_MANY] = "INSERT INTO %1$s SELECT 1000 + k, 'many', k FROM generate_series(1, 1000) AS k",
		[SUITE_CHANGE_ADD] = "ALTER TABLE %1$s ADD COLUMN extra text; INSERT INTO %1$s VALUES (40, 'forty', 40, 'more')",
		[SUITE_CHANGE_TRUNCATE] = "DELETE FROM %1$s",
	};
	char sql[400];
	if (step == SUITE_CHANGE_LOSE) {
		tell("SET entente_stub.gc = 'now'");
		return true;
	}
	_Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wformat-nonliteral\"") snprintf(sql, sizeof sql, statements[step], object);
	_Pragma("GCC diagnostic pop") run(sql);
	return true;
}

static void test_suite(void)
{
	struct ent_connector less = *c; /* the suite looks at its own log of changes only for stores that tell inserts from updates */
	less.capabilities &= ~(unsigned)(ENT_CAP_WIRE | ENT_CAP_CDC | ENT_CAP_TWO_PHASE | ENT_CAP_CHECKSUM);
	less.capabilities |= ENT_CAP_POLL;
	const struct suite_copy copy = { .name = "CockroachDB imitated",
					 .connector = &less,
					 .url = front,
					 .options = writes,
					 .n_options = 1,
					 .prefix = "public.",
					 .drop = drop,
					 .cut = cut,
					 .change_table = change_table,
					 .change = change,
					 .missing_text = "GC threshold" };
	suite_copy_run(&copy);
}

/* --- changes, event by event --- */

struct feed {
	struct ent_source *src;
	struct ent_changes *changes;
	struct ArrowSchema schema;
	struct ent_buf log;
	char cursor[400];
	size_t commits, schemas;
};

static int begin(struct feed *f, const char *object, const char *cursor, struct ent_err *e)
{
	struct ent_host host = suite_host();
	struct ent_changes_spec spec = { .size = sizeof spec, .job = "suite", .objects = &object, .n_objects = 1, .cursor = cursor };
	ent_buf_init(&f->log, (size_t)16 << 20);
	ENT_TRY(c->open(&host, front, NULL, 0, &f->src, e));
	return c->changes_open(f->src, &spec, &f->changes, e);
}

static void end(struct feed *f)
{
	c->changes_close(f->changes);
	c->close(f->src);
	ent_schema_release(&f->schema);
	ent_buf_deinit(&f->log);
	*f = (struct feed){ 0 };
}

static void rows_log(struct feed *f, const struct ArrowArray *rows)
{
	ENT_BATCH_AUTO b = { 0 };
	struct ent_err e = ENT_ERR_INIT;
	if (!OK(!ent_batch_open_copy(&f->schema, rows, &b, &e), "changed rows %s", e.what))
		return;
	for (size_t r = 0; r < b.rows; r++) {
		ent_value_put(&b.columns[0], r, &f->log);
		for (size_t i = 2; i < b.n_columns; i++) {
			ent_buf_str(&f->log, i > 2 ? "|" : " ");
			if (ent_view_null(&b.columns[i], r))
				ent_buf_str(&f->log, "-");
			else
				ent_value_put(&b.columns[i], r, &f->log);
		}
		ent_buf_str(&f->log, ";");
	}
}

static int take(struct feed *f, struct ent_err *e)
{
	struct ent_event v = { .size = sizeof v };
	int code = c->changes_next(f->changes, 200, &v, e);
	if (!code && v.kind == ENT_EVENT_SCHEMA) {
		f->schemas++;
		ent_schema_release(&f->schema);
		f->schema = ent_schema_take(&v.schema);
	} else if (!code && v.kind == ENT_EVENT_ROWS) {
		rows_log(f, &v.array);
	} else if (!code && (v.kind == ENT_EVENT_COMMIT || v.kind == ENT_EVENT_HEARTBEAT)) {
		f->commits += v.kind == ENT_EVENT_COMMIT;
		snprintf(f->cursor, sizeof f->cursor, "%s", v.cursor);
		code = c->changes_ack(f->changes, v.cursor, e);
	}
	ent_array_release(&v.array);
	ent_schema_release(&v.schema);
	return code;
}

/* Until everything so far came; what came is in the log. */
static int catch_up(struct feed *f, struct ent_err *e)
{
	char goal[400];
	struct ent_host host = suite_host();
	struct ent_source *other = NULL;
	ent_buf_reset(&f->log);
	f->commits = 0;
	ENT_TRY(c->open(&host, front, NULL, 0, &other, e));
	int code = c->position(other, goal, e);
	c->close(other);
	for (int i = 0; i < 100 && !code && !c->position_reached(goal, f->cursor); i++)
		code = take(f, e);
	return code;
}

static void expect(struct feed *f, const char *want, const char *name)
{
	struct ent_err e = ENT_ERR_INIT;
	OK(!catch_up(f, &e), "%s: caught up %s %s", name, e.what, e.why);
	OK_STR(ent_buf_text(&f->log), want, "%s", name);
}

/* The imitation sends rows of a window again and in any order: each comes out once, by time, and ends with a mark. */
static void test_once(void)
{
	struct feed f = { 0 };
	struct ent_err e = ENT_ERR_INIT;
	char before[400];
	run("CREATE TABLE change_once (id bigint PRIMARY KEY, v text)");
	if (!OK(!begin(&f, "change_once", NULL, &e), "follows: %s %s", e.what, e.why))
		return;
	expect(&f, "", "nothing");
	OK(!strncmp(f.cursor, "crdb/", 5), "%s", f.cursor);
	run("INSERT INTO change_once VALUES (1, 'a'), (2, NULL)");
	run("UPDATE change_once SET v = 'b' WHERE id = 1");
	run("UPDATE change_once SET v = 'c' WHERE id = 1");
	snprintf(before, sizeof before, "%s", f.cursor);
	expect(&f, "U 1|a;U 2|-;U 1|b;U 1|c;", "inserts and updates, in their order");
	OK(f.commits > 0, "ended by %zu marks", f.commits);
	run("BEGIN; DELETE FROM change_once WHERE id = 2; INSERT INTO change_once VALUES (0, 'first'); COMMIT");
	expect(&f, "D 2|-;U 0|first;", "deletes of a transaction come first");
	run("UPDATE change_once SET id = 9 WHERE id = 1");
	expect(&f, "D 1|-;U 9|c;", "another key");
	run("ALTER TABLE change_once ADD extra int");
	run("INSERT INTO change_once VALUES (5, 'x', 55)");
	expect(&f, "U 5|x|55;", "a new column");
	OK_INT(f.schemas, 2, "which was told");
	end(&f);
	OK(!begin(&f, "change_once", before, &e), "again from a cursor: %s %s", e.what, e.why);
	snprintf(f.cursor, sizeof f.cursor, "%s", before);
	expect(&f, "U 1|a|-;U 2|-|-;U 1|b|-;U 1|c|-;D 2|-|-;U 0|first|-;D 1|-|-;U 9|c|-;U 5|x|55;", "everything since comes again");
	tell("SET entente_stub.cut = '1'");
	int code = 0;
	for (int i = 0; i < 50 && !code; i++)
		code = take(&f, &e);
	OK(code == ENT_EAGAIN || code == ENT_EIO, "a cut feed is told: %s (%s)", e.what, e.why);
	OK_INT(take(&f, &e), ENT_EAGAIN, "and stays over: %s", e.what);
	end(&f);
}

/* --- types --- */

static void rows_text_of(struct ent_source *src, const struct ent_read *what, struct ent_buf *out)
{
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO a = { 0 };
	ENT_BATCH_AUTO b = { 0 };
	struct ent_err e = ENT_ERR_INIT;
	if (!OK(!c->read(src, what, &stream, &e) && !ent_stream_schema(&stream, &schema, &e) && !ent_stream_next(&stream, &a, &e) && a.release &&
			!ent_batch_open_copy(&schema, &a, &b, &e),
		"read: %s %s", e.what, e.why))
		return;
	for (size_t r = 0; r < b.rows; r++) {
		ent_buf_str(out, "U");
		for (size_t i = 0; i < b.n_columns; i++) {
			ent_buf_str(out, i ? "|" : " ");
			if (ent_view_null(&b.columns[i], r))
				ent_buf_str(out, "-");
			else
				ent_value_put(&b.columns[i], r, out);
		}
		ent_buf_str(out, ";");
	}
}

static void rows_text(struct ent_source *src, const char *object, struct ent_buf *out)
{
	rows_text_of(src, &(struct ent_read){ .size = sizeof(struct ent_read), .object = object }, out);
}

static void test_types(void)
{
	struct feed f = { 0 };
	struct ent_err e = ENT_ERR_INIT;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf want = ENT_BUF((size_t)8 << 20);
	run("CREATE TYPE mood AS ENUM ('good', 'not \"so\" good')");
	run("CREATE TABLE change_types (id int PRIMARY KEY, b boolean, i2 smallint, i8 bigint, f4 real, f8 double precision, d numeric(20,4), "
	    "n numeric, t text, c char(5), v varchar(9), u uuid, j jsonb, y bytea, day date, ts timestamp, tz timestamptz, clock time, m mood, "
	    "\"odd \\ \"\"name\" text)");
	if (!OK(!begin(&f, "change_types", NULL, &e), "follows: %s %s", e.what, e.why))
		return;
	run("INSERT INTO change_types VALUES (1, true, -32768, 9223372036854775807, 0.1, 0.1, 1234567890123456.7890, 12345678901234567890.000000001, "
	    "E'tab\\t \"quoted\" \\\\ line\\n ünï 😀', 'ab', '', '6b1f6b3c-0d5e-4f1c-9a53-7c1a1f0e2d11', '{\"a\": [1, 2.50, null], \"b\": \"x\"}', "
	    "'\\x00ff', '0001-01-01', '2024-02-29 12:34:56.789012', '2024-02-29 12:34:56.5+00', '23:59:59.999999', 'not \"so\" good', "
	    "'o')");
	run("INSERT INTO change_types (id) VALUES (2)");
	run("INSERT INTO change_types (id, f4, f8, n, day, ts, tz, y, t) VALUES (3, 'NaN', '-Infinity', 'NaN', 'infinity', '-infinity', 'infinity', "
	    "'', "
	    "E'\\x01')");
	OK(!catch_up(&f, &e), "caught up: %s %s", e.what, e.why);
	struct ent_source *src = NULL;
	struct ent_host host = suite_host();
	OK(!c->open(&host, front, NULL, 0, &src, &e), "%s", e.what);
	rows_text(src, "change_types", &want);
	c->close(src);
	OK_STR(ent_buf_text(&f.log), ent_buf_text(&want), "every type through a changefeed as through a read");
	end(&f);
	run("CREATE TABLE change_span (id int PRIMARY KEY, span interval)");
	OK_INT(begin(&f, "change_span", NULL, &e), ENT_EUNSUPPORTED, "an interval: %s", e.what);
	OK(strstr(e.what, "span") && strstr(e.what, "interval"), "by name");
	end(&f);
}

/* --- one time of the cluster --- */

struct parts {
	char text[40][100];
	size_t n;
};

static int part_take(void *arg, const char *split, int64_t rows)
{
	struct parts *p = (struct parts *)arg;
	(void)rows;
	if (p->n == ENT_COUNT(p->text))
		return ENT_EINTERNAL;
	snprintf(p->text[p->n++], sizeof p->text[0], "%s", split);
	return 0;
}

/* Ranges of the key, each read in a session of its own as of the snapshot, after everything changed. */
static void test_snapshot(void)
{
	static struct parts parts;
	struct ent_err e = ENT_ERR_INIT;
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	char time[200];
	size_t rows = 0;
	run("CREATE TABLE snap (id int PRIMARY KEY, v text)");
	run("INSERT INTO snap SELECT i, 'old' FROM generate_series(1, 1000) AS i");
	OK(!c->open(&host, front, NULL, 0, &src, &e) && !c->snapshot(src, time, &e), "%s %s", e.what, e.why);
	OK(!c->plan(src, "snap", 100, part_take, &parts, &e), "%s %s", e.what, e.why);
	c->close(src);
	OK(parts.n >= 9 && parts.n <= 11, "%zu splits", parts.n);
	run("UPDATE snap SET v = 'new' WHERE id > 500");
	run("DELETE FROM snap WHERE id <= 500");
	for (size_t i = 0; i < parts.n; i++) {
		const struct ent_option option = { "snapshot", time };
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 20);
		struct ent_read what = { .size = sizeof what, .object = "snap", .split = parts.text[i] };
		OK(!c->open(&host, front, &option, 1, &src, &e), "%s %s", e.what, e.why);
		rows_text_of(src, &what, &out);
		c->close(src);
		for (const char *at = strstr(ent_buf_text(&out), "|old;"); at; at = strstr(at + 1, "|old;"))
			rows++;
		OK(!strstr(ent_buf_text(&out), "|new;"), "split %s: as it was", parts.text[i]);
	}
	OK_INT(rows, 1000, "every row once, as of %s", time);
}

/* --- what stops it --- */

static int opened(const char *object, const char *cursor, struct ent_err *e)
{
	struct feed f = { 0 };
	int code = begin(&f, object, cursor, e);
	for (int i = 0; i < 20 && !code; i++)
		code = take(&f, e);
	end(&f);
	return code;
}

static void test_lost(void)
{
	struct feed f = { 0 };
	struct ent_err e = ENT_ERR_INIT;
	char cursor[400];
	run("CREATE TABLE change_lost (id int PRIMARY KEY)");
	OK(!begin(&f, "change_lost", NULL, &e) && !catch_up(&f, &e), "follows: %s", e.what);
	snprintf(cursor, sizeof cursor, "%s", f.cursor);
	end(&f);
	OK_INT(opened("change_lost", "0/1/2", &e), ENT_EDATA, "no cursor: %s", e.what);
	OK_INT(opened("change_lost", "crdb/00000000-0000-0000-0000-000000000000/1.0000000000", &e), ENT_EDATA, "another cluster: %s", e.what);
	tell("SET entente_stub.rangefeed = 'off'");
	OK_INT(opened("change_lost", cursor, &e), ENT_EUNSUPPORTED, "not switched on: %s", e.why);
	OK(strstr(e.next, "kv.rangefeed.enabled"), "with what to do: %s", e.next);
	tell("SET entente_stub.rangefeed = 'on'");
	tell("SET entente_stub.old = '1'");
	OK_INT(opened("change_lost", cursor, &e), 0, "an old version, without frequent checkpoints: %s %s", e.what, e.why);
	tell("SET entente_stub.old = '0'");
	run("TRUNCATE change_lost");
	OK_INT(opened("change_lost", cursor, &e), ENT_EDATA, "emptied at one stroke: %s", e.why);
	tell("SET entente_stub.gc = 'now'");
	OK_INT(opened("change_lost", cursor, &e), ENT_EDATA, "its past is gone: %s", e.why);
	run("CREATE TABLE change_bare (id int)");
	OK_INT(opened("change_bare", NULL, &e), ENT_EUNSUPPORTED, "no key: %s", e.what);
}

/* --- retries: at every moment of a transaction --- */

static int64_t count(const char *sql) { return strtoll(value(sql), NULL, 10); }

static int write_once(const char *table, enum ent_write_mode mode, int64_t first, size_t n, struct ent_err *e)
{
	const struct suite_copy s = {
		.name = "CockroachDB imitated", .connector = c, .url = front, .options = writes, .n_options = 1, .prefix = "public."
	};
	int64_t ids[64];
	for (size_t i = 0; i < n; i++)
		ids[i] = first + (int64_t)i;
	return kit_write(&s, table, mode, ids, "v", n, e);
}

static void test_again(void)
{
	static const char *const moments[] = { "COPY", "COMMIT", "_entente_checkpoint\" VALUES", "FOR SHARE", "DELETE FROM", "CREATE TABLE" };
	static const char *const upserts[] = { "INSERT INTO \"public\".\"again_u\"", "COMMIT", "FOR SHARE" };
	struct ent_err e = ENT_ERR_INIT;
	char sql[200];
	for (size_t i = 0; i < ENT_COUNT(moments); i++) {
		run("DROP TABLE IF EXISTS again");
		snprintf(sql, sizeof sql, "SET entente_stub.fail = '2 %s'", moments[i]);
		tell(sql);
		OK(!write_once("again", ENT_WRITE_CREATE, 1, 50, &e), "twice at %s: %s %s", moments[i], e.what, e.why);
		OK_INT(count("SELECT count(*) FROM again"), 50, "every row once");
	}
	for (size_t i = 0; i < ENT_COUNT(upserts); i++) {
		snprintf(sql, sizeof sql, "SET entente_stub.fail = '3 %s'", upserts[i]);
		tell(sql);
		OK(!write_once("again_u", ENT_WRITE_UPSERT, 1 + (int64_t)i * 10, 40, &e), "three times at %s: %s %s", upserts[i], e.what, e.why);
	}
	OK_INT(count("SELECT count(*) FROM again_u"), 60, "every key once");
	tell("SET entente_stub.fail = '1000 COMMIT'");
	OK_INT(write_once("again_u", ENT_WRITE_UPSERT, 1000, 5, &e), ENT_EAGAIN, "for ever: %s (%s)", e.what, e.why);
	OK_STR(e.sqlstate, "40001");
	tell("SET entente_stub.fail = '0 x'");
	OK_INT(count("SELECT count(*) FROM again_u WHERE id >= 1000"), 0, "and nothing stays");
	struct ent_source *src = NULL;
	struct ent_host host = suite_host();
	struct ent_sink *k = NULL;
	uint64_t epoch = 0;
	OK(!c->open(&host, front, writes, 1, &src, &e) && !c->sink_open(src, "two", &epoch, &k, &e), "%s", e.what);
	OK_INT(c->two_phase(src, &e), ENT_EUNSUPPORTED, "it says that it does not prepare: %s", e.what);
	OK_INT(c->sink_prepare(k, "x", NULL, &e), ENT_EUNSUPPORTED, "no two phases: %s", e.what);
	c->sink_close(k);
	OK_INT(c->settle(src, "x", 1, &e), ENT_ENOTFOUND, "nothing was prepared: %s", e.what);
	OK_INT(c->settle(src, "x", 0, &e), 0, "and nothing is to be undone %s", e.what);
	c->close(src);
}

/* A run that was overtaken while its transaction is repeated does not commit. */
static void test_fence(void)
{
	struct ent_err e = ENT_ERR_INIT;
	struct ent_host host = suite_host();
	struct ent_source *src[2] = { NULL };
	struct ent_sink *k[2] = { NULL };
	uint64_t epoch[2] = { 0 };
	struct ent_sink_checkpoint mark = { .size = sizeof mark, .part = "p", .cursor = "old" };
	for (size_t i = 0; i < 2; i++)
		OK(!c->open(&host, front, writes, 1, &src[i], &e) && (i || !c->sink_open(src[i], "fence", &epoch[i], &k[i], &e)), "%s", e.what);
	OK(!c->sink_open(src[1], "fence", &epoch[1], &k[1], &e) && epoch[1] > epoch[0], "another run takes over %s", e.what);
	tell("SET entente_stub.fail = '1 COMMIT'");
	OK_INT(c->sink_commit(k[0], &mark, &e), ENT_EAGAIN, "the old one does not commit: %s", e.what);
	OK(!strncmp(e.what, "another run", 11), "by name");
	tell("SET entente_stub.fail = '0 x'");
	for (size_t i = 0; i < 2; i++) {
		c->sink_close(k[i]);
		c->close(src[i]);
	}
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	snprintf(front, sizeof front, "postgresql://test:test@127.0.0.1:%s/test?sslmode=disable", argv[2]);
	snprintf(behind, sizeof behind, "postgresql://test:test@127.0.0.1:%s/test", argv[3]);
	c = suite_module(argv[1]);
	if (!c)
		return tap_done();
	OK(!strncmp(value("SELECT version()"), "PostgreSQL", 10), "PostgreSQL stands behind");
	test_once();
	test_types();
	test_snapshot();
	test_lost();
	test_again();
	test_fence();
	test_suite();
	return tap_done();
}
