/* Writing to Apache Cassandra: the copy suite, keyspaces and keys, write times, NULL and unset, changes, a cut connection in mid-batch, a crash of
 * the server. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "cassandra_case.h"
#include "suite_copy.h"

static const struct ent_connector *c;
static struct cql_client *client;
static const char *script;
static const struct ent_option options[] = { { "access", "write" }, { "keyspace-options", "class=SimpleStrategy,replication_factor=1" } };

static void table_drop(const char *object)
{
	char sql[300];
	snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS %s", object);
	cql_run(client, sql);
}

static void run_suite(void)
{
	/* milliseconds; times without a zone are taken as UTC; no infinite times */
	static const struct suite_copy_except excepts[] = { { "c_ts", SUITE_ORDINARY, "2024-02-29 12:34:56.789+00" },
							    { "c_ts", SUITE_YEAR_1, "0001-01-01 00:00:00+00" },
							    { "c_ts", SUITE_YEAR_9999, "9999-12-31 23:59:59.999+00" },
							    { "c_tstz", SUITE_ORDINARY, "2024-02-29 12:34:56.789+00" },
							    { "c_tstz", SUITE_YEAR_9999, "9999-12-31 23:59:59.999+00" },
							    { "c_ts", SUITE_PLUS_INFINITY, NULL },
							    { "c_ts", SUITE_MINUS_INFINITY, NULL },
							    { "c_tstz", SUITE_PLUS_INFINITY, NULL },
							    { "c_tstz", SUITE_MINUS_INFINITY, NULL },
							    { "c_date", SUITE_PLUS_INFINITY, NULL },
							    { "c_date", SUITE_MINUS_INFINITY, NULL } };
	const struct suite_copy s = { .name = "Cassandra",
				      .connector = c,
				      .url = cass_url(""),
				      .options = options,
				      .n_options = 2,
				      .prefix = "k.",
				      .excepts = excepts,
				      .n_excepts = ENT_COUNT(excepts),
				      .drop = table_drop };
	suite_copy_run(&s);
}

/* --- one sink --- */

static const struct ent_field simple[] = { { .name = "a", .type = { .id = ENT_T_INT32 } },
					   { .name = "b", .type = { .id = ENT_T_TEXT } },
					   { .name = "v", .type = { .id = ENT_T_TEXT }, .nullable = true },
					   { .name = "n", .type = { .id = ENT_T_INT64 }, .nullable = true } };

static struct ArrowArray simple_rows(const struct ArrowSchema *schema, int from, int n, const char *v)
{
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	struct ArrowArray a = { 0 };
	bool ok = !ent_builder_new(schema, 0, &b, NULL);
	for (int i = from; i < from + n && ok; i++)
		ok = !ent_builder_int(b, 0, i, NULL) && !ent_builder_text(b, 1, ent_bytes_str("k"), NULL) &&
		     !(v ? ent_builder_text(b, 2, ent_bytes_str(v), NULL) : ent_builder_null(b, 2, NULL)) && !ent_builder_int(b, 3, i, NULL);
	OK(ok && !ent_builder_finish(b, &a, NULL), "rows");
	return a;
}

static int write_simple(const char *url, const struct ent_target *target, int from, int n, const char *v, struct ent_err *e)
{
	struct suite_sink s;
	ENT_ARRAY_AUTO rows = simple_rows(target->schema, from, n, v);
	struct ent_sink_checkpoint point = { .size = sizeof point, .part = "all", .cursor = "done", .rows = (uint64_t)n };
	int code = suite_sink_begin(&s, c, url, options, 2, "simple", target, e);
	code = code ? code : c->sink_rows(s.k, s.at, &rows, e);
	code = code ? code : c->sink_commit(s.k, &point, e);
	code = code ? code : c->sink_finish(s.k, 1, e);
	suite_sink_end(&s);
	return code;
}

static void test_places(void)
{
	struct ent_err e = ENT_ERR_INIT;
	ENT_SCHEMA_AUTO keyed = { 0 }, keyless = { 0 };
	char url[300];
	OK(!ent_schema_new(simple, 4, "a\tb", &keyed, &e) && !ent_schema_new(simple, 4, NULL, &keyless, &e), "schemas");
	struct ent_target t = { .size = sizeof t, .object = "t", .schema = &keyed, .mode = ENT_WRITE_CREATE };
	snprintf(url, sizeof url, "cassandra://cassandra:cassandra@127.0.0.1:%s/made?tls=off", cass_port);
	OK_INT(write_simple(url, &t, 1, 3, "x", &e), 0, "a keyspace is made %s %s", e.what, e.why);
	cql_expect(client, "SELECT a, b, v, n FROM made.t WHERE a = 2", "2,k,x,2");
	cql_expect(client, "SELECT column_name, kind FROM system_schema.columns WHERE keyspace_name = 'made' AND table_name = 't'",
		   "a,partition_key;b,clustering;n,regular;v,regular");
	cql_expect(client, "SELECT count(*) FROM made.\"_entente_checkpoint\"", "0");
	t = (struct ent_target){ .size = sizeof t, .object = "other", .schema = &keyless, .mode = ENT_WRITE_CREATE };
	OK_INT(write_simple(url, &t, 1, 1, "x", &e), ENT_EUSAGE, "no key: %s", e.what);
	OK(strstr(e.next, "--key"), "and the way out: %s", e.next);
	static const char *const keys[] = { "b", "a" }, *const one[] = { "b" };
	t.keys = keys;
	t.n_keys = 2;
	OK_INT(write_simple(url, &t, 1, 2, "x", &e), 0, "a key that the caller names %s %s", e.what, e.why);
	cql_expect(client, "SELECT a FROM made.other WHERE b = 'k' ORDER BY a DESC", "2;1");
	t.keys = one;
	t.n_keys = 1;
	t.mode = ENT_WRITE_UPSERT;
	OK_INT(write_simple(url, &t, 1, 2, "x", &e), ENT_EUSAGE, "an upsert by another key: %s", e.what);
	struct suite_sink s;
	const struct ent_host host = suite_host();
	OK(!c->open(&host, url, NULL, 0, &s.src, &e), "%s", e.what);
	s.epoch = 0;
	OK(c->sink_open(s.src, "j", &s.epoch, &s.k, &e) == ENT_EINTERNAL, "a source opened for reading takes no rows: %s", e.what);
	c->close(s.src);
	cql_run(client, "CREATE TABLE made.narrow (a tinyint, b text, v int, PRIMARY KEY (a, b))");
	t = (struct ent_target){ .size = sizeof t, .object = "narrow", .schema = &keyed, .mode = ENT_WRITE_APPEND };
	OK_INT(write_simple(url, &t, 1, 1, "x", &e), ENT_EUNSUPPORTED, "columns that do not fit: %s", e.what);
	table_drop("made.narrow");
	cql_run(client, "CREATE TABLE made.narrow (a tinyint, b text, v ascii, n varint, PRIMARY KEY (a, b))");
	OK_INT(write_simple(url, &t, 127, 1, "x", &e), 0, "narrower and wider columns %s %s", e.what, e.why);
	OK_INT(write_simple(url, &t, 128, 1, "x", &e), ENT_EDATA, "beyond the range: %s (%s; %s)", e.what, e.why, e.next);
	OK_INT(write_simple(url, &t, 1, 1, "\xc3\xa9", &e), ENT_EDATA, "not ASCII: %s (%s; %s)", e.what, e.why, e.next);
	cql_expect(client, "SELECT a, b, v, n FROM made.narrow", "127,k,x,127");
}

/* An empty or too long partition key is refused by the row's name, by us or by the server; NULL in it too. */
static void test_bad_keys(void)
{
	static const struct ent_field fields[] = { { .name = "id", .type = { .id = ENT_T_TEXT }, .nullable = true } };
	static char longest[70000];
	struct ent_err e = ENT_ERR_INIT;
	ENT_SCHEMA_AUTO schema = { 0 };
	memset(longest, 'y', sizeof longest);
	OK(!ent_schema_new(fields, 1, "id", &schema, &e), "schema");
	const struct ent_target t = { .size = sizeof t, .object = "badkey", .schema = &schema, .mode = ENT_WRITE_APPEND };
	for (int i = 0; i < 3; i++) {
		ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
		ENT_ARRAY_AUTO rows = { 0 };
		struct suite_sink s;
		OK(!ent_builder_new(&schema, 0, &b, &e) &&
			   !(i == 2 ? ent_builder_null(b, 0, &e) : ent_builder_text(b, 0, ent_bytes(longest, i ? sizeof longest : 0), &e)) &&
			   !ent_builder_finish(b, &rows, &e),
		   "a row");
		OK(!suite_sink_begin(&s, c, cass_url(""), options, 2, "badkey", &t, &e), "%s %s", e.what, e.why);
		int code = c->sink_rows(s.k, s.at, &rows, &e);
		code = code ? code : c->sink_commit(s.k, NULL, &e);
		OK(code == ENT_EDATA || code == ENT_ESQL, "key %d: %s (%s; %s)", i, e.what, e.why, e.next);
		OK(strstr(e.what, "row 1"), "by its row");
		OK(c->sink_commit(s.k, NULL, &e) != 0, "and the sink stays failed: %s", e.what);
		OK(!c->sink_rollback(s.k, &e) && !c->sink_commit(s.k, NULL, &e), "until it is rolled back %s", e.what);
		suite_sink_end(&s);
	}
}

/* --- write times --- */

static void test_times(void)
{
	struct ent_err e = ENT_ERR_INIT;
	ENT_SCHEMA_AUTO schema = { 0 };
	struct suite_sink old, new;
	OK(!ent_schema_new(simple, 4, "a\tb", &schema, &e), "schema");
	table_drop("k.times");
	struct ent_target t = { .size = sizeof t, .object = "times", .schema = &schema, .mode = ENT_WRITE_APPEND };
	OK(!suite_sink_begin(&old, c, cass_url(""), options, 2, "times", &t, &e) &&
		   !suite_sink_begin(&new, c, cass_url(""), options, 2, "times", &t, &e),
	   "two runs %s %s", e.what, e.why);
	ENT_ARRAY_AUTO mine = simple_rows(&schema, 1, 2, "new"), his = simple_rows(&schema, 1, 3, "old"), gone = simple_rows(&schema, 2, 1, NULL);
	OK(!c->sink_rows(new.k, new.at, &mine, &e) && !c->sink_rows(new.k, new.at, &gone, &e) && !c->sink_commit(new.k, NULL, &e), "%s", e.what);
	OK(!c->sink_rows(old.k, old.at, &his, &e), "the overtaken run still sends %s", e.what);
	OK_INT(c->sink_commit(old.k, NULL, &e), ENT_EAGAIN, "and is stopped at its commit: %s", e.what);
	cql_expect(client, "SELECT a, v FROM k.times WHERE a IN (1, 2)", "1,new;2,-");
	suite_sink_end(&old);
	suite_sink_end(&new);
}

/* --- changes --- */

static void test_changes(void)
{
	static const struct ent_field fields[] = { { .name = "entente.op", .type = { .id = ENT_T_TEXT } },
						   { .name = "entente.unchanged", .type = { .id = ENT_T_TEXT }, .nullable = true },
						   { .name = "a", .type = { .id = ENT_T_INT32 }, .nullable = true },
						   { .name = "b", .type = { .id = ENT_T_TEXT }, .nullable = true },
						   { .name = "v", .type = { .id = ENT_T_TEXT }, .nullable = true },
						   { .name = "n", .type = { .id = ENT_T_INT64 }, .nullable = true } };
	static const struct {
		const char *op, *unchanged;
		int a;
		const char *v;
		int n;
	} log[] = { { "I", NULL, 1, "one", 1 }, { "I", NULL, 2, "two", 2 }, { "I", NULL, 3, "three", 3 }, { "U", "v", 2, NULL, 22 },
		    { "D", NULL, 1, NULL, 0 },  { "U", NULL, 3, NULL, 33 }, { "D", NULL, 4, NULL, 0 },    { "I", NULL, 1, "again", 5 },
		    { "D", NULL, 1, NULL, 0 },  { "I", NULL, 1, "last", 6 } };
	struct ent_err e = ENT_ERR_INIT;
	ENT_SCHEMA_AUTO schema = { 0 }, table = { 0 }, wider = { 0 };
	ENT_ARRAY_AUTO rows = { 0 };
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	struct suite_sink s;
	bool ok = !ent_schema_new(fields, 6, NULL, &schema, &e) && !ent_schema_new(simple, 4, "a\tb", &table, &e) &&
		  !ent_builder_new(&schema, 0, &b, &e);
	for (size_t i = 0; i < ENT_COUNT(log) && ok; i++)
		ok = !ent_builder_text(b, 0, ent_bytes_str(log[i].op), &e) &&
		     !(log[i].unchanged ? ent_builder_text(b, 1, ent_bytes_str(log[i].unchanged), &e) : ent_builder_null(b, 1, &e)) &&
		     !ent_builder_int(b, 2, log[i].a, &e) && !ent_builder_text(b, 3, ent_bytes_str("k"), &e) &&
		     !(log[i].v ? ent_builder_text(b, 4, ent_bytes_str(log[i].v), &e) : ent_builder_null(b, 4, &e)) &&
		     !(log[i].n ? ent_builder_int(b, 5, log[i].n, &e) : ent_builder_null(b, 5, &e));
	OK(ok && !ent_builder_finish(b, &rows, &e), "changes %s", e.what);
	table_drop("k.changed");
	struct ent_target t = { .size = sizeof t, .object = "changed", .schema = &table, .mode = ENT_WRITE_UPSERT };
	OK_INT(suite_sink_begin(&s, c, cass_url(""), options, 2, "changes", &t, &e), 0, "%s %s", e.what, e.why);
	for (int i = 0; i < 2; i++) { /* twice: the same end */
		OK(!c->sink_changes(s.k, s.at, &schema, &rows, &e) && !c->sink_commit(s.k, NULL, &e), "%s %s", e.what, e.why);
		cql_expect(client, "SELECT a, v, n FROM k.changed WHERE a IN (1, 2, 3, 4)", "1,last,6;2,two,22;3,-,33");
	}
	struct ent_field more[5];
	memcpy(more, simple, sizeof simple);
	more[4] = (struct ent_field){ .name = "extra", .type = { .id = ENT_T_BOOL }, .nullable = true };
	OK(!ent_schema_new(more, 5, "a\tb", &wider, &e) && !c->sink_alter(s.k, s.at, &wider, &e), "a new column %s %s", e.what, e.why);
	cql_expect(client, "SELECT a, extra FROM k.changed WHERE a = 2", "2,-");
	OK(!c->sink_truncate(s.k, s.at, &e), "%s", e.what);
	cql_expect(client, "SELECT count(*) FROM k.changed", "0");
	suite_sink_end(&s);
}

/* --- a connection that can be cut --- */

static struct {
	int listener;
	unsigned port;
	atomic_int cuts;
	atomic_size_t passed; /* bytes towards the server */
	pthread_t thread;
} proxy;

static bool pass(int from, int to, bool count)
{
	static char part[65536];
	ssize_t n = recv(from, part, sizeof part, 0);
	if (n <= 0)
		return false;
	if (count)
		atomic_fetch_add(&proxy.passed, (size_t)n);
	for (ssize_t at = 0; at < n;) {
		ssize_t m = send(to, part + at, (size_t)(n - at), MSG_NOSIGNAL);
		if (m <= 0)
			return false;
		at += m;
	}
	return true;
}

/* One connection at a time; a cut closes it, and the next may come. */
static void *proxy_run(void *arg)
{
	(void)arg;
	for (;;) {
		int in = accept(proxy.listener, NULL, NULL), seen = atomic_load(&proxy.cuts);
		if (in < 0)
			return NULL;
		struct sockaddr_in at = { .sin_family = AF_INET,
					  .sin_port = htons((uint16_t)strtoul(cass_port, NULL, 10)),
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		int out = socket(AF_INET, SOCK_STREAM, 0);
		struct pollfd p[2] = { { in, POLLIN, 0 }, { out, POLLIN, 0 } };
		bool up = !connect(out, (struct sockaddr *)&at, sizeof at);
		while (up && atomic_load(&proxy.cuts) == seen) {
			if (poll(p, 2, 5) <= 0)
				continue;
			up = (!p[0].revents || pass(in, out, true)) && (!p[1].revents || pass(out, in, false));
		}
		close(in);
		close(out);
	}
}

static void proxy_start(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	proxy.listener = socket(AF_INET, SOCK_STREAM, 0);
	OK(!bind(proxy.listener, (struct sockaddr *)&at, sizeof at) && !listen(proxy.listener, 8) &&
		   !getsockname(proxy.listener, (struct sockaddr *)&at, &len),
	   "a proxy");
	proxy.port = ntohs(at.sin_port);
	OK(!pthread_create(&proxy.thread, NULL, proxy_run, NULL), "runs");
}

/* Cuts the connection in the middle of a batch several times. */
static void *cutter(void *arg)
{
	(void)arg;
	for (size_t i = 1; i <= 3; i++) {
		for (int wait = 0; atomic_load(&proxy.passed) < i * 40000 && wait < 2000; wait++)
			usleep(1000);
		atomic_fetch_add(&proxy.cuts, 1);
	}
	return NULL;
}

static void test_cut(void)
{
	struct ent_err e = ENT_ERR_INIT;
	ENT_SCHEMA_AUTO schema = { 0 };
	struct suite_sink s;
	char url[300];
	pthread_t thread;
	proxy_start();
	snprintf(url, sizeof url, "cassandra://cassandra:cassandra@127.0.0.1:%u/k?tls=off", proxy.port);
	OK(!ent_schema_new(simple, 4, "a\tb", &schema, &e), "schema");
	table_drop("k.cut");
	const struct ent_target t = { .size = sizeof t, .object = "cut", .schema = &schema, .mode = ENT_WRITE_CREATE };
	ENT_ARRAY_AUTO rows = simple_rows(&schema, 0, 5000, "a value of some length");
	OK_INT(suite_sink_begin(&s, c, url, options, 2, "cut", &t, &e), 0, "%s %s", e.what, e.why);
	atomic_store(&proxy.passed, 0);
	OK(!pthread_create(&thread, NULL, cutter, NULL), "the connection is cut three times");
	int code = c->sink_rows(s.k, s.at, &rows, &e);
	code = code ? code : c->sink_commit(s.k, NULL, &e);
	OK_INT(code, 0, "while 5000 rows go out: what had no answer went again %s %s", e.what, e.why);
	pthread_join(thread, NULL);
	OK_INT(atomic_load(&proxy.cuts), 3, "all three happened");
	suite_sink_end(&s);
	cql_expect(client, "SELECT count(*), sum(n) FROM k.cut", "5000,12497500");
	size_t n = 0;
	atomic_store(&proxy.passed, 0);
	OK(!pthread_create(&thread, NULL, cutter, NULL), "reading over a connection that is cut");
	code = suite_scan_count(c, url, "cut", "v", &n, &e);
	atomic_store(&proxy.passed, 1 << 30);
	pthread_join(thread, NULL);
	OK(!code && n == 5000, "every row all the same: %zu %s %s", n, e.what, e.why);
	shutdown(proxy.listener, SHUT_RDWR);
	pthread_join(proxy.thread, NULL);
	close(proxy.listener);
}

/* --- the server crashes and comes back --- */

/* Runs the server's script and waits. */
static int server(const char *verb, const char *arg)
{
	char folder[300];
	snprintf(folder, sizeof folder, "%s/c", cass_folder);
	pid_t pid = fork();
	if (!pid) {
		int null = open("/dev/null", O_WRONLY);
		dup2(null, 1);
		dup2(null, 2);
		execl(script, script, verb, folder, arg, (char *)NULL);
		_exit(127);
	}
	int status = -1;
	return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

static void test_crash(void)
{
	struct ent_err e = ENT_ERR_INIT;
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_sink_checkpoint point = { .size = sizeof point, .part = "all", .cursor = "1000", .rows = 1000 }, last;
	struct suite_sink s;
	OK(!ent_schema_new(simple, 4, "a\tb", &schema, &e), "schema");
	table_drop("k.crash");
	struct ent_target t = { .size = sizeof t, .object = "crash", .schema = &schema, .mode = ENT_WRITE_CREATE };
	ENT_ARRAY_AUTO rows = simple_rows(&schema, 0, 1000, "v"), more = simple_rows(&schema, 1000, 1000, "v");
	OK_INT(suite_sink_begin(&s, c, cass_url(""), options, 2, "crash", &t, &e), 0, "%s %s", e.what, e.why);
	OK(!c->sink_rows(s.k, s.at, &rows, &e) && !c->sink_commit(s.k, &point, &e), "%s %s", e.what, e.why);
	OK_INT(server("kill", NULL), 0, "the server crashes");
	int code = c->sink_rows(s.k, s.at, &more, &e);
	code = code ? code : c->sink_commit(s.k, NULL, &e);
	OK(code == ENT_EIO || code == ENT_EAGAIN, "and the run ends: %s (%s)", e.what, e.why);
	suite_sink_end(&s);
	OK_INT(server("start", cass_port), 0, "the server comes back");
	t.resume = 1;
	OK_INT(suite_sink_begin(&s, c, cass_url(""), options, 2, "crash", &t, &e), 0, "and the run goes on %s %s", e.what, e.why);
	OK(!c->sink_last(s.k, "all", &last, &e) && !strcmp(last.cursor, "1000") && last.rows == 1000, "after its checkpoint %s", e.what);
	OK(!c->sink_rows(s.k, s.at, &more, &e) && !c->sink_commit(s.k, NULL, &e) && !c->sink_finish(s.k, 1, &e), "%s %s", e.what, e.why);
	suite_sink_end(&s);
	cql_close(client);
	OK(!cql_connect(client, (unsigned)strtoul(cass_port, NULL, 10), &e), "%s", e.what);
	cql_expect(client, "SELECT count(*), sum(n) FROM k.crash", "2000,1999000");
}

void cass_copy_run(const struct ent_connector *connector, struct cql_client *to, const char *server_script)
{
	c = connector;
	client = to;
	script = server_script;
	run_suite();
	test_places();
	test_bad_keys();
	test_times();
	test_changes();
	test_cut();
	test_crash();
}
