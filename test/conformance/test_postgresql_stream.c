/* A whole stream between two PostgreSQL databases: copied in splits while the source is written to, followed, stopped at any point and gone on
 * with; at the end the target equals the source, or the stream stops loudly. usage: test_postgresql_stream MODULE PORT PASSWORD-FILE CA */
#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "move/replicate.h"
#include "suite.h"

static const struct ent_connector *connector;
static char urls[2][300];
static PGconn *con[2];
static struct ent_err err;
static uint64_t applied_max;
static char stopped_why[400];   /* of the first table */
static int questions_left = -1; /* cancelled says yes after so many questions; negative: never */
static atomic_bool writing;
static atomic_int written; /* transactions */
static unsigned writer_seed;

static void notice_none(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

static void run(PGconn *c, const char *sql)
{
	PGresult *r = PQexec(c, sql);
	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		OK(0, "%.80s: %s", sql, PQerrorMessage(c));
	PQclear(r);
}

/* A sender takes a moment to see that its client is gone. */
static void slot_quiet(const char *name)
{
	char sql[300];
	snprintf(sql, sizeof sql,
		 "DO $$ BEGIN WHILE EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '%s' AND active) LOOP PERFORM pg_sleep(0.05); END "
		 "LOOP; END $$",
		 name);
	run(con[0], sql);
}

static void slot_drop(const char *name)
{
	char sql[200];
	slot_quiet(name);
	snprintf(sql, sizeof sql, "SELECT pg_drop_replication_slot('%s')", name);
	run(con[0], sql);
}

static void value(PGconn *c, const char *sql, char out[200])
{
	PGresult *r = PQexec(c, sql);
	snprintf(out, 200, "%s", PQresultStatus(r) == PGRES_TUPLES_OK ? PQgetvalue(r, 0, 0) : PQerrorMessage(c));
	PQclear(r);
}

static int end_open(void *self, const struct ent_option *more, size_t n, struct ent_move_session *ret, struct ent_err *e)
{
	struct ent_host host = suite_host();
	ret->connector = connector;
	return connector->open(&host, (const char *)self, more, n, &ret->source, e);
}

static bool cancelled(void *self)
{
	(void)self;
	return questions_left >= 0 && (questions_left == 0 || questions_left-- == 0);
}

static int64_t now_us(void *self)
{
	struct timespec t;
	(void)self;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void wait_ms(void *self, uint32_t ms)
{
	(void)self;
	(void)ms;
}

static void status(void *self, const struct ent_replicate_status *s)
{
	(void)self;
	snprintf(stopped_why, sizeof stopped_why, "%s", s->stopped[0] ? s->stopped[0] : "");
	applied_max = s->rows_applied > applied_max ? s->rows_applied : applied_max;
}

static int stream(void)
{
	static const struct ent_replicate_table tables[] = { { .source = "accounts", .target = "accounts" },
							     { .source = "public.log", .target = "log_copy" } };
	const struct ent_replicate r = { .name = "pgtest",
					 .source = { urls[0], end_open, "", "a" },
					 .target = { urls[1], end_open, "", "b" },
					 .tables = tables,
					 .n_tables = 2,
					 .until_caught_up = true,
					 .rows_per_split = 1500,
					 .commit_ms = 20 };
	const struct ent_replicate_env env = { .cancelled = cancelled, .status = status, .now_us = now_us, .wait_ms = wait_ms };
	err = (struct ent_err)ENT_ERR_INIT;
	return ent_replicate_run(&r, &env, &err);
}

static void same(const char *name)
{
	static const char sums[2][2][120] = {
		{ "SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, ',' ORDER BY id)), '') FROM accounts AS t",
		  "SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, ',' ORDER BY id)), '') FROM accounts AS t" },
		{ "SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, ',' ORDER BY id)), '') FROM log AS t",
		  "SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, ',' ORDER BY id)), '') FROM log_copy AS t" }
	};
	for (int i = 0; i < 2; i++) {
		char a[200], b[200];
		value(con[0], sums[i][0], a);
		value(con[1], sums[i][1], b);
		OK_STR(b, a, "%s", name);
	}
}

/* Transactions over both tables, for as long as writing says. */
static void *writer(void *arg)
{
	PGconn *c = PQconnectdb(urls[0]);
	unsigned seed = writer_seed;
	(void)arg;
	for (int i = 0; atomic_load(&writing); i++) {
		char sql[600];
		int id = rand_r(&seed) % 6000;
		snprintf(sql, sizeof sql,
			 "BEGIN; UPDATE accounts SET balance = balance + 1 WHERE id = %d; DELETE FROM accounts WHERE id = %d; INSERT INTO accounts "
			 "VALUES (%d, "
			 "%d.25, 'again') ON CONFLICT (id) DO UPDATE SET balance = 0; UPDATE accounts SET id = id + 100000 WHERE id = %d; INSERT "
			 "INTO log "
			 "(what) VALUES ('%d'); COMMIT",
			 id, (id + 7) % 6000, (id + 13) % 6000, id, (id + 21) % 6000, id);
		PQclear(PQexec(c, sql));
		atomic_fetch_add(&written, 1);
	}
	PQfinish(c);
	return NULL;
}

static void test_load(void)
{
	pthread_t thread;
	atomic_store(&writing, true);
	OK(!pthread_create(&thread, NULL, writer, NULL), "a writer");
	for (int i = 0; i < 12; i++) { /* stopped at any point, in the copy and behind it */
		questions_left = 1 + i * 3;
		int code = stream();
		OK(!code, "stopped after %d questions: %s %s", 1 + i * 3, err.what, err.why);
	}
	questions_left = -1;
	OK(!stream(), "until caught up, while the source is written to: %s %s", err.what, err.why);
	for (int before = atomic_load(&written), i = 0; atomic_load(&written) < before + 10 && i < 12000; i++)
		usleep(10000); /* so that changes are left, however slow the writer is */
	atomic_store(&writing, false);
	pthread_join(thread, NULL);
	OK(!stream(), "and to the end: %s %s", err.what, err.why);
	same("the target equals the source");
	OK(applied_max > 0, "%llu changes applied by one run", (unsigned long long)applied_max);
}

/* A server that hangs keeps its connections open: only its silence tells. */
static void test_silent(void)
{
	static const char *const object = "accounts";
	const struct ent_changes_spec spec = { .size = sizeof spec, .job = "silent", .objects = &object, .n_objects = 1 };
	struct ent_changes *c = NULL;
	struct ent_source *s = NULL;
	char pid[200];
	suite_timeout_ms = 2000;
	struct ent_host host = suite_host();
	suite_timeout_ms = 20000;
	OK(!connector->open(&host, urls[0], NULL, 0, &s, &err) && !connector->changes_open(s, &spec, &c, &err), "followed: %s %s", err.what, err.why);
	if (!c)
		return;
	value(con[0], "SELECT active_pid FROM pg_replication_slots WHERE slot_name = 'entente_silent'", pid);
	pid_t sender = (pid_t)strtol(pid, NULL, 10);
	OK(sender > 1 && !kill(sender, SIGSTOP), "its sender %s hangs", pid);
	int code = 0;
	for (int64_t end = now_us(NULL) + 60000000; !code && now_us(NULL) < end;) {
		struct ent_event e = { .size = sizeof e };
		code = connector->changes_next(c, 200, &e, &err);
	}
	OK_INT(code, ENT_EAGAIN, "which is noticed: %s (%s)", err.what, err.why);
	OK(sender > 1 && !kill(sender, SIGCONT), "it goes on");
	connector->changes_close(c);
	slot_quiet("entente_silent");
	OK(!connector->changes_drop(s, "silent", &err), "and is forgotten: %s %s", err.what, err.why);
	connector->close(s);
}

static int refused(const char *object)
{
	struct ent_host host = suite_host();
	const struct ent_changes_spec spec = { .size = sizeof spec, .job = "refused", .objects = &object, .n_objects = 1 };
	struct ent_changes *c = NULL;
	struct ent_source *s = NULL;
	err = (struct ent_err)ENT_ERR_INIT;
	int code = connector->open(&host, urls[0], NULL, 0, &s, &err);
	code = code ? code : connector->changes_open(s, &spec, &c, &err);
	connector->changes_close(c);
	connector->close(s);
	return code;
}

/* What the log would not show, and what publishing would break at the source. */
static void test_refused(void)
{
	char count[200];
	run(con[0], "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent)");
	OK(refused("parent") == ENT_EUNSUPPORTED && strstr(err.why, "inherit"), "rows of its children are not in its log: %s (%s)", err.what,
	   err.why);
	run(con[0], "CREATE TABLE later (id int PRIMARY KEY DEFERRABLE)");
	OK(refused("later") == ENT_EUNSUPPORTED && strstr(err.why, "deferrable"), "its updates would fail: %s (%s)", err.what, err.why);
	run(con[0], "CREATE TABLE hidden (id int PRIMARY KEY); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE ROLE "
		    "plain REPLICATION LOGIN PASSWORD 'test'; GRANT CREATE ON DATABASE test TO plain; ALTER TABLE hidden OWNER TO plain");
	char kept[300];
	memcpy(kept, urls[0], sizeof kept);
	memmove(urls[0] + strlen("postgresql://plain"), urls[0] + strlen("postgresql://test"), strlen(kept) + 1 - strlen("postgresql://test"));
	memcpy(urls[0] + strlen("postgresql://"), "plain", 5);
	OK(refused("hidden") == ENT_EUNSUPPORTED && strstr(err.why, "row security"), "rows hidden from a copy: %s (%s)", err.what, err.why);
	memcpy(urls[0], kept, sizeof kept);
	value(con[0], "SELECT count(*) FROM pg_publication WHERE pubname = 'entente_refused'", count);
	OK_STR(count, "0", "nothing was published");
}

static struct ent_replicate_table one_table;

static int one_stream(bool restart)
{
	const struct ent_replicate r = { .name = "pgone",
					 .source = { urls[0], end_open, "", "a" },
					 .target = { urls[1], end_open, "", "b" },
					 .tables = &one_table,
					 .n_tables = 1,
					 .until_caught_up = true,
					 .restart = restart };
	const struct ent_replicate_env env = { .cancelled = cancelled, .status = status, .now_us = now_us, .wait_ms = wait_ms };
	err = (struct ent_err)ENT_ERR_INIT;
	return ent_replicate_run(&r, &env, &err);
}

static void rows_are(const char *want, const char *name)
{
	char got[200];
	value(con[1], "SELECT string_agg(id || ':' || a, ' ' ORDER BY id) FROM computed", got);
	OK_STR(got, want, "%s", name);
}

/* Columns that the source computes are not in its log: they are left out, and a target may compute them itself. */
static void test_computed(void)
{
	run(con[0], "CREATE TABLE computed (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (id * 2) STORED)");
	run(con[1], "CREATE TABLE computed (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (id * 2) STORED)");
	run(con[0], "INSERT INTO computed (id, a) VALUES (1, 10), (2, 20), (3, 30)");
	one_table = (struct ent_replicate_table){ .source = "computed", .target = "computed" };
	OK(!one_stream(false), "copied: %s %s", err.what, err.why);
	run(con[0], "UPDATE computed SET a = 11 WHERE id = 1; DELETE FROM computed WHERE id = 2");
	OK(!one_stream(false), "followed: %s %s", err.what, err.why);
	rows_are("1:11 3:30", "all but what is computed arrives");
	slot_drop("entente_pgone");
	run(con[0], "DELETE FROM computed WHERE id = 1; INSERT INTO computed (id, a) VALUES (4, 40)");
	OK_INT(one_stream(false), ENT_EDATA, "a lost slot: %s; %s", err.what, err.next);
	OK(!one_stream(true), "begun anew: %s %s", err.what, err.why);
	rows_are("3:30 4:40", "with the rows of now alone");
	run(con[0], "ALTER TABLE computed ADD COLUMN note varchar(5)");
	run(con[0], "UPDATE computed SET note = 'short' WHERE id = 3");
	OK(!one_stream(false), "a new column: %s %s", err.what, err.why);
	run(con[0],
	    "ALTER TABLE computed ALTER COLUMN note TYPE varchar(20), ALTER COLUMN a TYPE bigint; UPDATE computed SET note = 'much longer', a = "
	    "5000000000 WHERE id = 3");
	OK(!one_stream(false) && !stopped_why[0], "types that became wider between two runs: %s %s %s", err.what, err.why, stopped_why);
	rows_are("3:5000000000 4:40", "are wider at the target, too");
	run(con[0], "ALTER TABLE computed ADD COLUMN more int DEFAULT 7; INSERT INTO computed (id, a) VALUES (5, 50)");
	OK(!one_stream(false) && strstr(stopped_why, "fills older rows"), "a new column with a default: %s %s", err.what, stopped_why);
	rows_are("3:5000000000 4:40", "stops its table");
	const struct ent_replicate r = { .name = "pgone",
					 .source = { urls[0], end_open, "", "a" },
					 .target = { urls[1], end_open, "", "b" },
					 .tables = &one_table,
					 .n_tables = 1 };
	OK(!ent_replicate_drop(&r, &err), "dropped: %s %s", err.what, err.why);
}

static void test_lost(void)
{
	char kept[200];
	slot_drop("entente_pgtest");
	run(con[0], "SELECT pg_create_logical_replication_slot('entente_pgtest', 'pgoutput')");
	run(con[0], "INSERT INTO log (what) VALUES ('after')");
	OK_INT(stream(), ENT_EDATA, "a slot made anew stops the stream: %s (%s)", err.what, err.why);
	value(con[1], "SELECT count(*) FROM log_copy WHERE what = 'after'", kept);
	OK_STR(kept, "0", "which takes nothing more");
	const struct ent_replicate_table table = { .source = "accounts", .target = "accounts" };
	const struct ent_replicate r = {
		.name = "pgtest", .source = { urls[0], end_open, "", "a" }, .target = { urls[1], end_open, "", "b" }, .tables = &table, .n_tables = 1
	};
	OK(!ent_replicate_drop(&r, &err), "dropped: %s %s", err.what, err.why);
	value(con[0], "SELECT count(*) FROM pg_replication_slots", kept);
	OK_STR(kept, "0", "the source keeps nothing");
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "test", "second" };
	if (argc != 5)
		return 2;
	for (int i = 0; i < 2; i++) {
		snprintf(urls[i], sizeof urls[i], "postgresql://test:test@127.0.0.1:%s/%s", argv[2], names[i]);
		con[i] = PQconnectdb(urls[i]);
		PQsetNoticeProcessor(con[i], notice_none, NULL);
		if (!i)
			run(con[0], "CREATE DATABASE second");
	}
	OK(PQstatus(con[0]) == CONNECTION_OK && PQstatus(con[1]) == CONNECTION_OK, "%s", PQerrorMessage(con[1]));
	run(con[0], "CREATE TABLE accounts (id int PRIMARY KEY, balance numeric(12,2), note text)");
	run(con[0], "INSERT INTO accounts SELECT i, i, repeat('n', i % 100) FROM generate_series(1, 6000) AS i");
	run(con[0], "CREATE TABLE log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text, at timestamptz DEFAULT now())");
	run(con[0], "ANALYZE");
	writer_seed = (unsigned)time(NULL);
	printf("# seed %u\n", writer_seed);
	connector = suite_module(argv[1]);
	if (connector) {
		test_load();
		test_silent();
		test_refused();
		test_computed();
		test_lost();
	}
	PQfinish(con[0]);
	PQfinish(con[1]);
	return tap_done();
}
