/* HDFS: what every object store must hold, then doors (TLS), several NameNodes, a DataNode that dies.
 * usage: test_hdfs MODULE DUCKDB-MODULE PORT FOLDER SERVER-SCRIPT [MODULE-FOR-FILES...] */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "hdfs_client.h"
#include "objects_case.h"

static const char *port, *folder, *script;
static int number;

static const char *address(const char *hosts, int at, const char *path, const char *parameter)
{
	static char all[8][700];
	static size_t n;
	char *out = all[n++ % 8];
	snprintf(out, sizeof all[0], "hdfs://tester@%s:%d%s%s", hosts, at, path, parameter);
	return out;
}

static const char *plain(const char *path) { return address("127.0.0.1", number, path, "?tls=off"); }
static const char *secure(const char *path) { return address("localhost", number + 2, path, ""); }

static bool own_put(const char *path, struct ent_bytes bytes) { return hdfs_put(number, path, bytes); }
static bool own_get(const char *path, struct ent_buf *out) { return hdfs_get(number, path, out); }

static bool run(const char *const *argv)
{
	int status = -1;
	pid_t child = fork();
	if (!child) {
		int quiet = open("/dev/null", O_WRONLY);
		dup2(quiet, 1);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	return waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status);
}

static bool server(const char *verb, const char *more) { return run((const char *const[]){ script, verb, folder, more, NULL }); }

static void test_doors(const struct ent_connector *c)
{
	char ca[600];
	struct ent_err e = ENT_ERR_INIT;
	snprintf(ca, sizeof ca, "%s/ca.crt", folder);
	const struct ent_option with[] = { { "ca-file", ca } };
	const struct objects_case tls = { c, secure, with, 1 }, none = { c, secure, NULL, 0 };
	OK_INT(objects_write(&tls, secure("/tls/a.parquet"), &(struct objects_write){ ENT_WRITE_CREATE, 1, 60000, true }, &e), 0,
	       "TLS: written, NameNode and DataNode verified %s %s", e.what, e.why);
	OK_INT(objects_check(&tls, secure("/tls/a.parquet"), 1, 60000, &e), 0, "TLS: read %s %s", e.what, e.why);
	OK_INT(objects_check(&none, secure("/tls/a.parquet"), 1, 60000, &e), ENT_EDENIED, "TLS: an authority nobody knows: %s (%s)", e.what, e.why);
	const char *wrong = address("127.0.0.1", number, "/tls/a.parquet", "");
	OK_INT(suite_open_describe(c, wrong, "", with, 1, &e), ENT_EDENIED, "TLS to a plain port: %s (%s)", e.what, e.why);
	const char *quiet = address("127.0.0.1", number + 2, "/tls/a.parquet", "?tls=off");
	OK(suite_open_describe(c, quiet, "", NULL, 0, &e) != 0, "plain to a TLS port: %s (%s)", e.what, e.why);
}

static void test_hosts(const struct ent_connector *c)
{
	struct ent_err e = ENT_ERR_INIT;
	const char *several = address("127.0.0.9,127.0.0.1", number, "/modes/a.parquet", "?tls=off");
	OK_INT(suite_open_describe(c, several, "", NULL, 0, &e), 0, "the second NameNode answers %s %s", e.what, e.why);
	OK_INT(suite_open_describe(c, address("127.0.0.1", 1, "/modes/a.parquet", "?tls=off"), "", NULL, 0, &e), ENT_EPEER, "nobody: %s (%s)", e.what,
	       e.why);
	OK_INT(suite_open_describe(c, address("127.0.0.1", number + 1, "/modes/a.parquet", "?tls=off"), "", NULL, 0, &e), ENT_EPEER,
	       "the port of fs.defaultFS: %s (%s)", e.what, e.why);
	OK(strstr(e.next, "9870") && strstr(e.next, "8020"), "and which one it should be: %s", e.next);
	OK_INT(suite_open_describe(c, plain("/modes"), "", NULL, 0, &e), ENT_EUSAGE, "a folder: %s", e.what);
	OK_INT(suite_open_describe(c, plain("/modes/gone.parquet"), "", NULL, 0, &e), ENT_ENOTFOUND, "missing: %s", e.what);
	OK(strstr(e.why, "FileNotFoundException: ") && !strstr(e.why, "java.") && !strchr(e.why, '\n'), "in HDFS's own words: %s", e.why);
}

/* The NameNode goes on naming a dead DataNode for a while. */
static void test_datanode(const struct ent_connector *c)
{
	struct ent_err e = ENT_ERR_INIT;
	const struct objects_case store = { c, plain, NULL, 0 };
	if (!OK(server("kill", "datanode1"), "a DataNode is killed"))
		return;
	for (int i = 0; i < 4; i++)
		OK_INT(objects_check(&store, plain("/many/a.parquet"), -30000, 60000, &e), 0, "read from the other one %s %s", e.what, e.why);
	for (int i = 0; i < 4; i++)
		OK_INT(objects_write(&store, plain("/killed/a.parquet"), &(struct objects_write){ ENT_WRITE_REPLACE, i, 50000, true }, &e), 0,
		       "written to the other one %s %s", e.what, e.why);
	OK_INT(objects_check(&store, plain("/killed/a.parquet"), 3, 50000, &e), 0, "and read again %s %s", e.what, e.why);
	OK(server("start", port), "the DataNode comes back");
}

static void test_safe_mode(const struct ent_connector *c)
{
	struct ent_err e = ENT_ERR_INIT;
	const struct objects_case store = { c, plain, NULL, 0 };
	OK(server("kill", "namenode"), "the NameNode is killed");
	OK(suite_open_describe(c, plain("/modes/a.parquet"), "", NULL, 0, &e) == ENT_EPEER, "gone: %s (%s)", e.what, e.why);
	OK(server("start", port), "the NameNode comes back");
	OK_INT(objects_check(&store, plain("/modes/a.parquet"), 1000, 50, &e), 0, "with its files %s %s", e.what, e.why);
}

int main(int argc, char **argv)
{
	const struct ent_connector *files[4];
	size_t n = 0;
	char home[600];
	if (argc < 6)
		return 2;
	port = argv[3];
	number = (int)strtol(port, NULL, 10);
	folder = argv[4];
	script = argv[5];
	const struct ent_connector *c = suite_module(argv[1]);
	files[n++] = suite_module(argv[2]);
	for (int i = 6; i < argc && n < 4; i++)
		files[n++] = suite_module(argv[i]);
	snprintf(home, sizeof home, "%s/home.XXXXXX", folder);
	if (!OK(c && files[0] && mkdtemp(home), "ready"))
		return tap_done();
	objects_start(files, n, home);
	const struct objects_case store = { c, plain, NULL, 0, own_put, own_get };
	objects_run(&store);
	test_hosts(c);
	test_doors(c);
	test_datanode(c);
	test_safe_mode(c);
	objects_tidy();
	return tap_done();
}
