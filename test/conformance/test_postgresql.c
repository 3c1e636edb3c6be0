/* PostgreSQL: the suite, then sessions, error states, odd values, TLS. usage: test_postgresql MODULE PORT PASSWORD-FILE CA */
#include <libpq-fe.h>
#include <stdlib.h>

#include "suite_copy.h"

static const char *port, *ca;
static struct ent_option password[1];

static const char *url(const char *rest)
{
	static char all[8][400];
	static size_t n;
	char *out = all[n++ % 8];
	snprintf(out, sizeof all[0], "postgresql://test:test@127.0.0.1:%s/test%s", port, rest);
	return out;
}

static void notice_none(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

static void run(PGconn *con, const char *sql)
{
	PGresult *r = PQexec(con, sql);
	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		OK(0, "%.60s: %s", sql, PQerrorMessage(con));
	PQclear(r);
}

static void tables_make(PGconn *con)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1 << 20);
	run(con, "SET TimeZone = 'UTC'");
	ent_buf_str(&sql, "CREATE TABLE public.t (");
	for (size_t i = 0; i < SUITE_COLUMNS; i++)
		ent_buf_printf(&sql, "%s\"%s\" %s%s", i ? ", " : "", i == 11 ? "Text \"\"q\"\"" : suite_names[i], suite_types[i],
			       i ? "" : " PRIMARY KEY");
	ent_buf_str(&sql, ")");
	run(con, ent_buf_text(&sql));
	ent_buf_reset(&sql);
	ent_buf_str(&sql, "INSERT INTO t VALUES ");
	suite_values(&sql, true);
	run(con, ent_buf_text(&sql));
	static const char *const more[] = {
		"CREATE TABLE empty (LIKE t)",
		"CREATE TYPE mood AS ENUM ('sad', 'glad')",
		"CREATE DOMAIN euro AS numeric(10,2)",
		"CREATE TABLE kinds (id int, odd json, plain numeric, wide numeric(20,2), raw bytea, clock time, list int[], mood mood, price euro, "
		"uid uuid, "
		"code char(5), short varchar(3), nm name, gone int, UNIQUE (id, code), small numeric(5,5))",
		"ALTER TABLE kinds DROP COLUMN gone",
		"ALTER TABLE kinds ALTER id SET NOT NULL, ALTER code SET NOT NULL",
		"INSERT INTO kinds VALUES (1, '{}', 1.5, 2, '\\x00', '10:00', '{1}', 'glad', 12.50, '00000000-0000-0000-0000-00000000000a', 'ab', "
		"'xyz', 'n', 0.00001)",
		"CREATE TABLE odd (id int, d date, at timestamp, n numeric(5,2), plain numeric)",
		"INSERT INTO odd VALUES (1, 'infinity', 'infinity', 'NaN', 1.5)",
		"CREATE TABLE many AS SELECT i AS id, i * 7 AS v, repeat('y', i % 50) AS s, (i / 8.0)::numeric(12,3) AS m FROM generate_series(1, "
		"200000) AS i",
		"CREATE TABLE huge AS SELECT i AS id, repeat('z', 200) AS s FROM generate_series(1, 400000) AS i",
		"CREATE SEQUENCE counter",
		"CREATE ROLE nobody LOGIN PASSWORD 'test'",
	};
	for (size_t i = 0; i < ENT_COUNT(more); i++)
		run(con, more[i]);
}

static void expect_query(const struct ent_connector *c, const char *object, const char *sql, const char *want)
{
	struct ent_err e = ENT_ERR_INIT;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 20);
	OK(!suite_query_text(c, url(""), object, sql, NULL, 0, &out, &e), "%s: %s %s", sql, e.what, e.why);
	OK_STR(ent_buf_text(&out), want);
}

static void expect_error(const struct ent_connector *c, const char *sql, int code, const char *state)
{
	struct ent_err e = ENT_ERR_INIT;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 20);
	OK_INT(suite_query_text(c, url(""), "t", sql, NULL, 0, &out, &e), code, "%s: %s %s", sql, e.what, e.why);
	OK_STR(e.sqlstate, state);
	OK(!strstr(e.why, "plain"), "and no value is shown");
}

static void test_kinds(const struct ent_connector *c)
{
	struct ent_err e = ENT_ERR_INIT;
	size_t rows;
	expect_query(c, "public.kinds", "SELECT mood, price, uid, code, short, nm, small FROM @ AS t",
		     "glad,12.50,00000000-0000-0000-0000-00000000000a,ab,xyz,n,0.00001");
	static const char *const none[] = { "odd", "plain", "wide", "raw", "clock", "list" };
	for (size_t i = 0; i < ENT_COUNT(none); i++)
		OK_INT(suite_scan_count(c, url(""), "public.kinds", none[i], &rows, &e), ENT_EUNSUPPORTED, "%s", e.what);
	static const char *const bad[] = { "d", "at", "n" };
	for (size_t i = 0; i < ENT_COUNT(bad); i++) {
		OK_INT(suite_scan_count(c, url(""), "odd", bad[i], &rows, &e), ENT_EDATA, "%s", e.what);
		OK(strstr(e.what, "row 1 of column"), "by row and name");
	}
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_object o = { .size = sizeof o };
	char keys[64] = "";
	OK(!c->open(&host, url(""), NULL, 0, &src, &e) && !c->describe(src, "public.kinds", &schema, &o, &e), "%s", e.what);
	OK(ent_metadata_get(schema.metadata, ENT_META_KEYS, keys, sizeof keys) && !strcmp(keys, "id\tcode"), "a unique key of two columns: %s", keys);
	c->close(src);
}

static void test_states(const struct ent_connector *c)
{
	expect_query(c, "t", "SELECT SUM(big) FROM @ AS t WHERE id < 4", "-9223372031854775808");
	expect_query(c, "t", "SELECT SUM(money), CAST(AVG(small) AS double precision) FROM @ AS t WHERE id IN (3, 4)", "0,-0.5");
	expect_query(c, "t", "WITH w AS (SELECT id FROM @ AS t) SELECT MAX(id) FROM w", "5");
	expect_query(c, "t", "SELECT MIN(\"Text \"\"q\"\"\") FROM @ AS t WHERE id IN (1, 4)", "plain");
	expect_query(c, "many", "SELECT COUNT(*), SUM(v) FROM @ AS t", "200000,140000700000");
	expect_error(c, "SELECT 1 / CAST(0 AS int)", ENT_EDATA, "22012");
	expect_error(c, "SELECT CAST(\"Text \"\"q\"\"\" AS int) FROM @ AS t WHERE id = 1", ENT_EDATA, "22P02");
	expect_error(c, "SELECT nothing FROM @ AS t", ENT_ESQL, "42703");
	expect_error(c, "SELECT 1; SELECT 2", ENT_ESQL, "42601");
	expect_error(c, "SELECT '{}'::json", ENT_EUNSUPPORTED, "");
	suite_timeout_ms = 300;
	expect_error(c, "SELECT pg_sleep(30)::text", ENT_EAGAIN, "57014");
	suite_timeout_ms = 20000;
	expect_error(c, "SELECT setval('public.nosuch', 1)", ENT_ENOTFOUND, "42P01");
	expect_error(c, "SELECT nextval('public.counter')", ENT_EDENIED, "25006");
	expect_error(c, "SELECT AVG(money) FROM @ AS t WHERE id = 1 OR id = 4", ENT_EDATA, "");
}

static void test_doors(const struct ent_connector *c)
{
	struct ent_err e = ENT_ERR_INIT;
	char at[600];
	snprintf(at, sizeof at, "postgresql://test@127.0.0.1:%s/test?sslmode=verify-full&sslrootcert=%s", port, ca);
	OK_INT(suite_open_code(c, at, password, 1, &e), 0, "TLS verified, password from a file %s %s", e.what, e.why);
	snprintf(at, sizeof at, "postgresql://test@127.0.0.1:%s/test?sslmode=verify-full&sslrootcert=/dev/null", port);
	OK_INT(suite_open_code(c, at, password, 1, &e), ENT_EIO, "a certificate of somebody else: %s", e.why);
	snprintf(at, sizeof at, "postgresql://test@entente.invalid:%s/test?hostaddr=127.0.0.1", port);
	OK_INT(suite_open_code(c, at, password, 1, &e), 0, "a loopback address needs no TLS %s", e.why);
	snprintf(at, sizeof at, "postgresql://test@0.0.0.0:%s/test", port);
	OK_INT(suite_open_code(c, at, password, 1, &e), ENT_EIO, "outside loopback TLS is verified: %s", e.why);
	OK(strstr(e.why, "certificate") && strstr(e.next, "sslrootcert"), "and the way out is named: %s", e.next);
	OK_INT(suite_open_code(c, "postgresql://127.0.0.1:1/x", NULL, 0, &e), ENT_EIO, "nobody there: %s %s", e.what, e.why);
	snprintf(at, sizeof at, "postgresql://test:wrong@127.0.0.1:%s/test", port);
	OK_INT(suite_open_code(c, at, NULL, 0, &e), ENT_EDENIED, "wrong password: %s", e.why);
	OK(!strstr(e.what, "wrong") && !strstr(e.why, "wrong"), "which no message shows");
	snprintf(at, sizeof at, "postgresql://test:test@127.0.0.1:%s/nothing", port);
	OK_INT(suite_open_code(c, at, NULL, 0, &e), ENT_ENOTFOUND, "no such database: %s", e.why);
	OK_INT(suite_open_code(c, "postgresql://[", NULL, 0, &e), ENT_EUSAGE, "no address: %s", e.why);
	const struct ent_option none[] = { { "password-file", "/nonexistent" } };
	OK_INT(suite_open_code(c, at, none, 1, &e), ENT_ENOTFOUND, "%s", e.what);
	snprintf(at, sizeof at, "postgresql://nobody:test@127.0.0.1:%s/test", port);
	size_t rows;
	OK_INT(suite_scan_count(c, at, "t", "id", &rows, &e), ENT_EDENIED, "no right to read: %s", e.why);
	OK_STR(e.sqlstate, "42501");
}

static void test_volume(const struct ent_connector *c) { c->close(suite_given_up(c, url(""), "many")); }

/* The server ends the connection while rows are read: a clear error, no crash, and closing still works. */
static void test_cut(const struct ent_connector *c)
{
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	struct ent_err e = ENT_ERR_INIT;
	const char *const columns[] = { "id", "s" };
	struct ArrowArray a = { 0 };
	struct ArrowArrayStream stream = { 0 };
	int code = 0;
	OK(!c->open(&host, url(""), NULL, 0, &src, &e) && !c->scan(src, "huge", columns, 2, &stream, &e) && !ent_stream_next(&stream, &a, &e), "%s",
	   e.what);
	ent_array_release(&a);
	PGconn *con = PQconnectdb(url(""));
	run(con, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'entente'");
	PQfinish(con);
	for (a.release = NULL; !code; ent_array_release(&a), a.release = NULL) {
		code = ent_stream_next(&stream, &a, &e);
		if (!code && !a.release)
			break;
	}
	OK(code == ENT_EAGAIN || code == ENT_EIO, "a cut connection: %s (%s)", e.what, e.why);
	ent_stream_release(&stream);
	OK(c->scan(src, "huge", columns, 1, &stream, &e) != 0, "and the source stays closed: %s (%s)", e.what, e.why);
	c->close(src);
}

/* --- copies --- */

static void copy_drop(const char *object)
{
	char sql[300];
	PGconn *con = PQconnectdb(url(""));
	PQsetNoticeProcessor(con, notice_none, NULL);
	snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS %s", object);
	run(con, sql);
	PQfinish(con);
}

static void copy_cut(void)
{
	PGconn *con = PQconnectdb(url(""));
	run(con, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'entente'");
	PQfinish(con);
}

static void copy_change_table(const char *object)
{
	char sql[300];
	PGconn *con = PQconnectdb(url(""));
	snprintf(sql, sizeof sql, "CREATE TABLE %s (id bigint PRIMARY KEY, v text, n integer)", object);
	run(con, sql);
	PQfinish(con);
}

static bool copy_change(const char *object, enum suite_change step)
{
	static const char *const statements[][2] = {
		[SUITE_CHANGE_INSERT] = { "INSERT INTO %s VALUES (1, 'one', 10), (2, 'two', 20), (3, NULL, 30)" },
		[SUITE_CHANGE_UPDATE] = { "UPDATE %s SET v = 'zwei' WHERE id = 2" },
		[SUITE_CHANGE_DELETE] = { "DELETE FROM %s WHERE id = 1" },
		[SUITE_CHANGE_KEY] = { "UPDATE %s SET id = 30 WHERE id = 3" },
		[SUITE_CHANGE_MANY] = { "INSERT INTO %s SELECT 1000 + k, 'many', k FROM generate_series(1, 1000) AS k" },
		[SUITE_CHANGE_ADD] = { "ALTER TABLE %s ADD COLUMN extra text", "INSERT INTO %s VALUES (40, 'forty', 40, 'more')" },
		[SUITE_CHANGE_TRUNCATE] = { "TRUNCATE %s" },
		/* a sender takes a moment to see that its client is gone */
		[SUITE_CHANGE_LOSE] = { "DO $$ BEGIN WHILE EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 'entente_suite' AND active) "
					"LOOP PERFORM pg_sleep(0.05); END LOOP; PERFORM pg_drop_replication_slot('entente_suite'); END $$ -- %s",
					"SELECT pg_create_logical_replication_slot('entente_suite', 'pgoutput') -- %s" },
	};
	PGconn *con = PQconnectdb(url(""));
	for (size_t i = 0; i < 2 && statements[step][i]; i++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1000);
		const char *at = strstr(statements[step][i], "%s");
		ent_buf_put(&sql, statements[step][i], (size_t)(at - statements[step][i]));
		ent_buf_printf(&sql, "%s%s", object, at + 2);
		run(con, ent_buf_text(&sql));
	}
	PQfinish(con);
	return true;
}

static void test_copy(const struct ent_connector *c)
{
	static const struct ent_option options[] = { { "access", "write" } };
	const struct suite_copy copy = { .name = "PostgreSQL",
					 .connector = c,
					 .url = url(""),
					 .options = options,
					 .n_options = 1,
					 .prefix = "public.",
					 .drop = copy_drop,
					 .cut = copy_cut,
					 .change_table = copy_change_table,
					 .change = copy_change,
					 .missing_text = "made anew" };
	suite_copy_run(&copy);
}

/* The ways of CockroachDB, on PostgreSQL: rows one by one, COPY as text. Its clock and its own server are not here. */
static void test_cockroach(const struct ent_connector *c)
{
	static const struct ent_option options[] = { { "access", "write" }, { "store", "cockroachdb" } };
	struct ent_connector less = *c;
	less.capabilities &= ~(unsigned)(ENT_CAP_WIRE | ENT_CAP_CDC | ENT_CAP_TWO_PHASE);
	const struct suite_copy copy = { .name = "the ways of CockroachDB",
					 .connector = &less,
					 .url = url(""),
					 .options = options,
					 .n_options = 2,
					 .prefix = "public.",
					 .drop = copy_drop,
					 .cut = copy_cut };
	suite_copy_run(&copy);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	port = argv[2];
	ca = argv[4];
	password[0] = (struct ent_option){ "password-file", argv[3] };
	PGconn *con = PQconnectdb(url(""));
	OK(PQstatus(con) == CONNECTION_OK, "%s", PQerrorMessage(con));
	PQsetNoticeProcessor(con, NULL, NULL);
	tables_make(con);
	PQfinish(con);
	const struct ent_connector *c = suite_module(argv[1]);
	struct suite_store store = { .name = "PostgreSQL",
				     .url = url(""),
				     .object = "public.t",
				     .keys = true,
				     .ordered = true,
				     .empty_url = url(""),
				     .empty_object = "empty",
				     .missing_url = url(""),
				     .missing_object = "public.nothing",
				     .hidden_url = url(""),
				     .hidden_object = "kinds" };
	if (c) {
		suite_run(c, &store);
		test_kinds(c);
		test_states(c);
		test_doors(c);
		test_volume(c);
		test_cut(c);
		test_copy(c);
		test_cockroach(c);
	}
	return tap_done();
}
