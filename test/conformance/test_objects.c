/* The connector over object stores with a store in memory that can be told to misbehave: what holds for every store, then a file that changes while
 * it is read, uploads and renames that fail or fall short. usage: test_objects DUCKDB-MODULE [MODULE-FOR-FILES...] */
#include <stdlib.h>

#include "object_connector.h"
#include "objects_case.h"

struct object {
	char path[300];
	uint8_t *data;
	size_t len;
	unsigned version;
};

static struct object objects[64];
static size_t n_objects;
static unsigned versions, n_fetches;
static struct {
	bool change_in_fetch, put_fails, put_short, rename_fails;
	int cut_fetch; /* of the next fetches so many fail */
} trouble;

static struct object *find(const char *path)
{
	for (size_t i = 0; i < n_objects; i++)
		if (objects[i].data && !strcmp(objects[i].path, path))
			return &objects[i];
	return NULL;
}

static struct object *find_or_make(const char *path)
{
	struct object *o = find(path);
	for (size_t i = 0; i < ENT_COUNT(objects) && !o; i++)
		if (!objects[i].data) {
			o = &objects[i];
			snprintf(o->path, sizeof o->path, "%s", path);
			n_objects = i + 1 > n_objects ? i + 1 : n_objects;
		}
	return o;
}

static int memory_facts(void *self, const char *path, struct ent_object_facts *ret, struct ent_err *err)
{
	const struct object *o = find(path);
	(void)self;
	if (!o)
		return ent_fail(err, ENT_ENOTFOUND, "there is no %s", path);
	*ret = (struct ent_object_facts){ .bytes = o->len };
	snprintf(ret->version, sizeof ret->version, "%u", o->version);
	return 0;
}

static int memory_fetch(void *self, const char *path, uint64_t at, uint64_t len, int fd, struct ent_err *err)
{
	struct object *o = find(path);
	const struct ent_host *host = self;
	n_fetches++;
	if (host->cancelled && (host->cancelled(host->self) || host->cancelled(host->self) || host->cancelled(host->self)))
		return ent_fail(err, ENT_ECANCELLED, "cancelled");
	if (!o || at + len > o->len || (trouble.cut_fetch && trouble.cut_fetch--))
		return ent_fail(err, ENT_EPEER, "cut");
	if (write(fd, o->data + at, (size_t)len) != (ssize_t)len)
		return ent_fail(err, ENT_EIO, "disk");
	o->version = trouble.change_in_fetch ? ++versions : o->version;
	return 0;
}

static int memory_put(void *self, const char *path, int fd, uint64_t len, struct ent_err *err)
{
	(void)self;
	if (trouble.put_fails)
		return ent_fail(err, ENT_EPEER, "the store is gone");
	struct object *o = find_or_make(path);
	size_t n = (size_t)len - trouble.put_short;
	if (!o)
		return ent_fail(err, ENT_ENOSPACE, "the store is full");
	free(o->data);
	o->data = malloc(n + 1);
	o->len = n;
	o->version = ++versions;
	return pread(fd, o->data, n, 0) == (ssize_t)n ? 0 : ent_fail(err, ENT_EIO, "disk");
}

static int memory_rename(void *self, const char *from, const char *to, bool replace, struct ent_err *err)
{
	struct object *o = find(from), *there = find(to);
	(void)self;
	if (trouble.rename_fails || !o || o == there)
		return ent_fail(err, ENT_EPEER, "no rename");
	if (there && !replace)
		return ent_fail(err, ENT_EUSAGE, "taken");
	if (there) {
		free(there->data);
		there->data = NULL;
	}
	snprintf(o->path, sizeof o->path, "%s", to);
	return 0;
}

static int memory_remove(void *self, const char *path, struct ent_err *err)
{
	struct object *o = find(path);
	(void)self;
	if (!o)
		return ent_fail(err, ENT_ENOTFOUND, "there is no %s", path);
	free(o->data);
	o->data = NULL;
	return 0;
}

static void memory_close(void *self) { free(self); }

static const struct ent_object_store_ops memory = { "memory", memory_facts, memory_fetch, memory_put, memory_rename, memory_remove, memory_close };

static int memory_open(const struct ent_host *host, const char *url, const struct ent_option *options, size_t n, bool *taken,
		       struct ent_object_place *ret, struct ent_err *err)
{
	(void)options, (void)n, (void)taken;
	struct ent_host *self = malloc(sizeof *self);
	if (!self)
		return ent_nomem(err);
	*self = *host;
	*ret = (struct ent_object_place){ .ops = &memory, .self = self };
	const char *path = url + strlen("memory://x");
	if (!ent_percent_decode(ent_bytes_str(path), ret->path, sizeof ret->path)) {
		free(self);
		*ret = (struct ent_object_place){ 0 };
		return ent_fail(err, ENT_EUSAGE, "no path");
	}
	snprintf(ret->key, sizeof ret->key, "memory %s", ret->path);
	return 0;
}

static const char *url(const char *path)
{
	static char all[8][400];
	static size_t n;
	char *out = all[n++ % 8];
	snprintf(out, sizeof all[0], "memory://x%s", path);
	return out;
}

static bool own_put(const char *path, struct ent_bytes bytes)
{
	struct object *o = find_or_make(path);
	free(o->data);
	o->data = malloc(bytes.len);
	memcpy(o->data, bytes.data, bytes.len);
	o->len = bytes.len;
	o->version = ++versions;
	return true;
}

static bool own_get(const char *path, struct ent_buf *out)
{
	const struct object *o = find(path);
	if (o)
		ent_buf_put(out, o->data, o->len);
	return o != NULL;
}

static bool any_part(void)
{
	for (size_t i = 0; i < n_objects; i++)
		if (objects[i].data && strstr(objects[i].path, ".entente.part"))
			return true;
	return false;
}

static void test_trouble(const struct objects_case *c)
{
	int staged = objects_left("/out"); /* of jobs that were not finished */
	struct ent_err e = ENT_ERR_INIT;
	const char *a = url("/trouble/a.parquet");
	struct objects_write w = { ENT_WRITE_CREATE, 1, 1000, true }, next = { ENT_WRITE_REPLACE, 7, 2000, true };
	OK_INT(objects_write(c, a, &w, &e), 0, "written %s", e.what);
	trouble.change_in_fetch = true;
	OK_INT(objects_check(c, a, 1, 1000, &e), ENT_EAGAIN, "a file that changes while it is read: %s", e.what);
	trouble.change_in_fetch = false;
	trouble.cut_fetch = 1;
	OK_INT(objects_check(c, a, 1, 1000, &e), ENT_EPEER, "a cut: %s", e.what);
	OK_INT(objects_left(""), 0, "and no half copy");
	bool *const kinds[] = { &trouble.put_fails, &trouble.put_short, &trouble.rename_fails };
	static const char *const names[] = { "an upload fails", "an upload falls short", "a rename fails" };
	for (size_t i = 0; i < ENT_COUNT(kinds); i++) {
		*kinds[i] = true;
		OK_INT(objects_write(c, a, &next, &e), ENT_EPEER, "%s: %s", names[i], e.what);
		*kinds[i] = false;
		OK(!any_part(), "%s: nothing half is left", names[i]);
		OK_INT(objects_check(c, a, 1, 1000, &e), 0, "%s: the file is the one before %s", names[i], e.what);
	}
	OK_INT(objects_write(c, a, &next, &e), 0, "then it works %s", e.what);
	OK_INT(objects_check(c, a, 7, 2000, &e), 0, "and is the new one %s", e.what);
	OK_INT(objects_left("/out"), staged, "nothing is left where files are made");
}

/* A run that died: the rows that were committed are there when it comes back. */
static void test_resume(const struct objects_case *c)
{
	struct ent_host host = suite_host();
	struct ent_err e = ENT_ERR_INIT;
	const struct ent_option options[] = { { "access", "write" } };
	const char *a = url("/resume/a.parquet");
	struct ent_source *src = NULL;
	struct ent_sink *k = NULL;
	struct ent_sink_checkpoint point = { .size = sizeof point };
	uint64_t epoch = 0;
	int staged = objects_left("/out");
	OK_INT(objects_write(c, a, &(struct objects_write){ ENT_WRITE_CREATE, 1, 30000, false }, &e), 0, "a run ends before its end %s", e.what);
	OK_INT(objects_left("/out"), staged + 1, "its rows are staged");
	OK(!c->connector->open(&host, a, options, 1, &src, &e) && !c->connector->sink_open(src, "job", &epoch, &k, &e), "the next run %s", e.what);
	OK(epoch == 2 && !c->connector->sink_last(k, "p", &point, &e) && !strcmp(point.cursor, "done") && point.rows == 20000,
	   "finds the checkpoint %s", e.what);
	c->connector->sink_close(k);
	c->connector->close(src);
}

static void test_shared(const struct objects_case *c)
{
	struct ent_host host = suite_host();
	struct ent_err e = ENT_ERR_INIT;
	struct ent_source *all[3] = { 0 };
	const char *a = url("/shared/a.parquet");
	OK_INT(objects_write(c, a, &(struct objects_write){ ENT_WRITE_CREATE, 1, 10, true }, &e), 0);
	n_fetches = 0;
	for (size_t i = 0; i < 3; i++)
		OK_INT(c->connector->open(&host, a, NULL, 0, &all[i], &e), 0, "%s", e.what);
	OK_INT(n_fetches, 1, "sessions share one copy");
	for (size_t i = 0; i < 3; i++) {
		OK_INT(objects_left(""), 1);
		c->connector->close(all[i]);
	}
	OK_INT(objects_left(""), 0, "the last one removes it");
}

int main(int argc, char **argv)
{
	static struct ent_connector c;
	const struct ent_connector *files[4];
	size_t n = 0;
	char home[] = "/tmp/entente-objects.XXXXXX";
	for (int i = 1; i < argc && n < 4; i++)
		files[n++] = suite_module(argv[i]);
	if (!OK(n && files[0] && mkdtemp(home), "ready"))
		return tap_done();
	objects_start(files, n, home);
	ent_object_connector_fill(&c, "memory", "memory", memory_open);
	const struct objects_case store = { &c, url, NULL, 0, own_put, own_get };
	objects_run(&store);
	test_trouble(&store);
	test_resume(&store);
	test_shared(&store);
	for (size_t i = 0; i < n_objects; i++)
		free(objects[i].data);
	objects_tidy();
	OK(access(home, F_OK) != 0, "tidied up");
	return tap_done();
}
