/* GlusterFS: what every object store must hold, then addresses, a folder, a brick that dies.
 * usage: test_gluster MODULE DUCKDB-MODULE FOLDER SERVER-SCRIPT [MODULE-FOR-FILES...] */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "gluster_client.h"
#include "objects_case.h"

static const char *script;
static glfs_t *fs;
static char server_folder[600];

static const char *url(const char *path)
{
	static char all[8][700];
	static size_t n;
	char *out = all[n++ % 8];
	snprintf(out, sizeof all[0], "gluster://127.0.0.1/test%s?tls=off", path);
	return out;
}

static bool own_put(const char *path, struct ent_bytes bytes) { return gluster_put(fs, path, bytes); }
static bool own_get(const char *path, struct ent_buf *out) { return gluster_get(fs, path, out); }

static bool server(const char *verb, const char *more)
{
	int status = -1;
	pid_t child = fork();
	if (!child) {
		int quiet = open("/dev/null", O_WRONLY);
		dup2(quiet, 1);
		execl(script, script, verb, server_folder, more, (char *)NULL);
		_exit(127);
	}
	return waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status);
}

static void test_addresses(const struct ent_connector *c)
{
	static const struct {
		const char *url;
		int code;
	} bad[] = { { "gluster://127.0.0.1/test/modes/a.parquet", ENT_EUSAGE },
		    { "gluster://127.0.0.1/test?tls=off", ENT_EUSAGE },
		    { "gluster:///test/a.parquet?tls=off", ENT_EUSAGE },
		    { "gluster://u@127.0.0.1/test/a.parquet?tls=off", ENT_EUSAGE },
		    { "gluster://127.0.0.1:0/test/a.parquet?tls=off", ENT_EUSAGE },
		    { "gluster://127.0.0.1/te st/a.parquet?tls=off", ENT_EUSAGE },
		    { "gluster://127.0.0.1/none/a.parquet?tls=off", ENT_EPEER },
		    { "gluster://127.0.0.1/test/modes?tls=off", ENT_EUSAGE } };
	struct ent_err e = ENT_ERR_INIT;
	for (size_t i = 0; i < ENT_COUNT(bad); i++)
		OK_INT(suite_open_describe(c, bad[i].url, "", NULL, 0, &e), bad[i].code, "%s: %s (%s)", bad[i].url, e.what, e.why);
	OK_INT(suite_open_describe(c, url("/modes/gone.parquet"), "", NULL, 0, &e), ENT_ENOTFOUND, "missing: %s (%s)", e.what, e.why);
	OK(strstr(e.why, "ENOENT: "), "in the system's own words");
}

/* A file whose brick is gone is an error, never rows that are missing. (GlusterFS says of some that they are not there at all.) */
static void test_brick(const struct ent_connector *c)
{
	struct ent_err e = ENT_ERR_INIT;
	const struct objects_case store = { c, url, NULL, 0 };
	int gone = 0, wrong = 0;
	char path[60];
	for (int i = 0; i < 12; i++) {
		snprintf(path, sizeof path, "/bricks/%d.parquet", i);
		OK_INT(objects_write(&store, url(path), &(struct objects_write){ ENT_WRITE_CREATE, i, 100, true }, &e), 0, "%s %s", e.what, e.why);
	}
	OK(server("kill", "2"), "a brick is killed");
	for (int i = 0; i < 12; i++) {
		snprintf(path, sizeof path, "/bricks/%d.parquet", i);
		int code = objects_check(&store, url(path), i, 100, &e);
		gone += code != 0;
		wrong += code == ENT_EDATA;
	}
	OK(gone > 0 && gone < 12 && !wrong, "%d of 12 files cannot be read, the others are whole", gone);
}

int main(int argc, char **argv)
{
	const struct ent_connector *files[4];
	size_t n = 0;
	char home[600];
	if (argc < 5)
		return 2;
	snprintf(server_folder, sizeof server_folder, "%s/g", argv[3]);
	script = argv[4];
	const struct ent_connector *c = suite_module(argv[1]);
	files[n++] = suite_module(argv[2]);
	for (int i = 5; i < argc && n < 4; i++)
		files[n++] = suite_module(argv[i]);
	snprintf(home, sizeof home, "%s/home.XXXXXX", argv[3]);
	if (!OK(c && files[0] && mkdtemp(home), "ready"))
		return tap_done();
	objects_start(files, n, home);
	fs = gluster_mount("test");
	const struct objects_case store = { c, url, NULL, 0, own_put, own_get };
	OK(fs, "mounted by the test itself");
	objects_run(&store);
	test_addresses(c);
	test_brick(c);
	objects_tidy();
	return tap_done();
}
