/* Files made by the sink, read back; names that are taken, missing or strange; nothing under a name before it is whole; nothing left behind. */
#include "objects_case.h"

#include <dirent.h>
#include <stdlib.h>

#include "arrow/builder.h"

#define ROWS_PER_BATCH 10000
#define MANY 60000 /* rows with random texts: more than one block of the test servers */

static const struct ent_connector *readers[4];
static size_t n_readers;

static const struct ent_connector *reader_of(void *self, const char *suffix)
{
	(void)self;
	for (size_t i = 0; i < n_readers; i++) {
		char words[300], *save = NULL;
		snprintf(words, sizeof words, "%s", readers[i]->suffixes);
		for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
			if (!strcmp(w, suffix))
				return readers[i];
	}
	return NULL;
}

void objects_start(const struct ent_connector *const *files, size_t n, const char *home)
{
	for (n_readers = 0; n_readers < n && n_readers < ENT_COUNT(readers); n_readers++)
		readers[n_readers] = files[n_readers];
	suite_files = reader_of;
	suite_home = home;
}

int objects_left(const char *below)
{
	char path[600];
	struct dirent *e;
	int n = 0;
	snprintf(path, sizeof path, "%s/objects%s", suite_home, below);
	DIR *dir = opendir(path);
	while (dir && (e = readdir(dir)))
		n += e->d_type == DT_REG;
	if (dir)
		closedir(dir);
	return n;
}

void objects_tidy(void)
{
	static const char *const below[] = { "/objects/out", "/objects", "" };
	for (size_t i = 0; i < ENT_COUNT(below); i++) {
		char path[600], file[900];
		struct dirent *e;
		snprintf(path, sizeof path, "%s%s", suite_home, below[i]);
		DIR *dir = opendir(path);
		while (dir && (e = readdir(dir)))
			if (e->d_type == DT_REG) {
				snprintf(file, sizeof file, "%s/%s", path, e->d_name);
				unlink(file);
			}
		if (dir)
			closedir(dir);
		rmdir(path);
	}
}

/* --- rows --- */

static uint64_t mixed(int64_t id)
{
	uint64_t h = (uint64_t)id * 0x9e3779b97f4a7c15;
	h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9;
	return h ^ h >> 32;
}

static void name_of(int64_t id, char out[80])
{
	snprintf(out, 80, "%016llx%016llx \xc3\xa9,\"%lld\"", (unsigned long long)mixed(id), (unsigned long long)mixed(id + 7), (long long)id);
}

static int schema_make(struct ArrowSchema *ret, struct ent_err *e)
{
	const struct ent_field fields[] = { { .name = "id", .type = { .id = ENT_T_INT64 } },
					    { .name = "name", .type = { .id = ENT_T_TEXT }, .nullable = true },
					    { .name = "amount", .type = { .id = ENT_T_DECIMAL, .precision = 12, .scale = 2 } },
					    { .name = "at", .type = { .id = ENT_T_TIMESTAMP } } };
	return ent_schema_new(fields, 4, NULL, ret, e);
}

static int rows_make(const struct ArrowSchema *schema, int64_t from, int64_t n, struct ArrowArray *ret, struct ent_err *e)
{
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	ENT_TRY(ent_builder_new(schema, 0, &b, e));
	for (int64_t id = from; id < from + n; id++) {
		char name[80];
		name_of(id, name);
		ENT_TRY(ent_builder_int(b, 0, id, e));
		ENT_TRY(id % 7 ? ent_builder_text(b, 1, ent_bytes_str(name), e) : ent_builder_null(b, 1, e));
		ENT_TRY(ent_builder_int(b, 2, id * 3 - 5, e));
		ENT_TRY(ent_builder_int(b, 3, id * 1000001, e));
	}
	return ent_builder_finish(b, ret, e);
}

static int sink_fill(const struct objects_case *c, struct ent_sink *k, const struct objects_write *w, struct ent_err *e)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	size_t at;
	ENT_TRY(schema_make(&schema, e));
	struct ent_target target = { .size = sizeof target, .object = "", .schema = &schema, .mode = w->mode };
	ENT_TRY(c->connector->sink_table(k, &target, &at, e));
	for (int64_t id = w->from; id < w->from + w->n; id += ROWS_PER_BATCH) {
		ENT_ARRAY_AUTO rows = { 0 };
		struct ent_sink_checkpoint point = { .size = sizeof point, .part = "p", .cursor = "done", .rows = (uint64_t)(id - w->from) };
		int64_t left = w->from + w->n - id;
		ENT_TRY(rows_make(&schema, id, left < ROWS_PER_BATCH ? left : ROWS_PER_BATCH, &rows, e));
		ENT_TRY(c->connector->sink_rows(k, at, &rows, e));
		ENT_TRY(c->connector->sink_commit(k, &point, e));
	}
	return w->finish ? c->connector->sink_finish(k, 1, e) : 0;
}

int objects_write(const struct objects_case *c, const char *url, const struct objects_write *w, struct ent_err *e)
{
	struct ent_host host = suite_host();
	struct ent_option options[8] = { { "access", "write" } };
	struct ent_source *src = NULL;
	struct ent_sink *k = NULL;
	uint64_t epoch = 0;
	for (size_t i = 0; i < c->n_options; i++)
		options[1 + i] = c->options[i];
	*e = (struct ent_err)ENT_ERR_INIT;
	int code = c->connector->open(&host, url, options, 1 + c->n_options, &src, e);
	if (!code)
		code = c->connector->sink_open(src, "job", &epoch, &k, e);
	if (!code)
		code = sink_fill(c, k, w, e);
	if (k)
		c->connector->sink_close(k);
	if (src)
		c->connector->close(src);
	return code;
}

struct seen {
	int64_t from, rows, bad;
	ent_i128 sum;
};

static void row_check(struct seen *s, const struct ent_batch *b, size_t r)
{
	int64_t id = ent_view_int(&b->columns[0], r);
	char name[80];
	name_of(id, name);
	bool same = id % 7 ? ent_bytes_eq(ent_view_text(&b->columns[1], r), ent_bytes_str(name)) : ent_view_null(&b->columns[1], r);
	same = same && ent_view_int(&b->columns[2], r) == id * 3 - 5 && ent_view_int(&b->columns[3], r) == id * 1000001;
	s->bad += !same || b->columns[2].type.id != ENT_T_DECIMAL || b->columns[3].type.id != ENT_T_TIMESTAMP;
	s->sum += id;
	s->rows++;
}

static int stream_check(struct ArrowArrayStream *stream, struct seen *s, struct ent_err *e)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_TRY(ent_stream_schema(stream, &schema, e));
	for (;;) {
		ENT_ARRAY_AUTO a = { 0 };
		ENT_BATCH_AUTO b = { 0 };
		ENT_TRY(ent_stream_next(stream, &a, e));
		if (!a.release)
			return 0;
		ENT_TRY(ent_batch_open_copy(&schema, &a, &b, e));
		for (size_t r = 0; r < b.rows; r++)
			row_check(s, &b, r);
	}
}

struct reading {
	const struct objects_case *c;
	struct ent_source *src;
	struct seen *seen;
	struct ent_err *e;
	int splits;
};

static int split_read(void *arg, const char *split, int64_t rows)
{
	struct reading *r = arg;
	ENT_STREAM_AUTO stream = { 0 };
	const struct ent_read what = { .size = sizeof what, .object = "", .split = split };
	(void)rows;
	r->splits++;
	ENT_TRY(r->c->connector->read(r->src, &what, &stream, r->e));
	return stream_check(&stream, r->seen, r->e);
}

int objects_check(const struct objects_case *c, const char *url, int64_t from, int64_t n, struct ent_err *e)
{
	struct ent_host host = suite_host();
	struct seen s = { .from = from };
	struct reading r = { .c = c, .seen = &s, .e = e };
	*e = (struct ent_err)ENT_ERR_INIT;
	ENT_TRY(c->connector->open(&host, url, c->options, c->n_options, &r.src, e));
	int code = c->connector->plan(r.src, "", 25000, split_read, &r, e);
	c->connector->close(r.src);
	ENT_TRY(code);
	ent_i128 want = (ent_i128)(2 * from + n - 1) * n / 2;
	if (s.bad || s.rows != n || s.sum != want)
		return ent_fail(e, ENT_EDATA, "%lld rows instead of %lld, %lld of them wrong", (long long)s.rows, (long long)n, (long long)s.bad);
	return 0;
}

/* --- checks --- */

static void test_formats(const struct objects_case *c)
{
	static const char *const suffixes[] = { "parquet", "csv", "json", "arrow", "arrows" };
	struct ent_err e;
	for (size_t i = 0; i < ENT_COUNT(suffixes); i++) {
		char path[60];
		if (!reader_of(NULL, suffixes[i]))
			continue;
		snprintf(path, sizeof path, "/formats/new folder/a.%s", suffixes[i]);
		const char *url = c->url(path);
		OK_INT(objects_write(c, url, &(struct objects_write){ ENT_WRITE_CREATE, 1, 100, true }, &e), 0, "%s: written %s %s", suffixes[i],
		       e.what, e.why);
		if (strcmp(suffixes[i], "csv") != 0 && strcmp(suffixes[i], "json") != 0) /* those guess types from text */
			OK_INT(objects_check(c, url, 1, 100, &e), 0, "%s: read back %s %s", suffixes[i], e.what, e.why);
		size_t rows = 0;
		OK_INT(suite_scan_count(c->connector, url, "", "name", &rows, &e), 0, "%s: scanned %s %s", suffixes[i], e.what, e.why);
		OK_INT(rows, 100, "%s: all rows", suffixes[i]);
	}
}

/* --- files as bytes --- */

static bool file_bytes(const char *path, struct ent_buf *out)
{
	char part[4096];
	FILE *f = fopen(path, "rb");
	for (size_t n = 0; f && (n = fread(part, 1, sizeof part, f)) > 0;)
		ent_buf_put(out, part, n);
	return f && !fclose(f) && !out->code;
}

/* The only local copy there is. */
static bool copy_bytes(struct ent_buf *out)
{
	char folder[600], path[900] = "";
	struct dirent *e;
	snprintf(folder, sizeof folder, "%s/objects", suite_home);
	DIR *dir = opendir(folder);
	while (dir && (e = readdir(dir)))
		if (e->d_type == DT_REG)
			snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
	if (dir)
		closedir(dir);
	return objects_left("") == 1 && file_bytes(path, out);
}

static bool same_bytes(const struct ent_buf *a, const struct ent_buf *b) { return a->len && ent_bytes_eq(ent_buf_bytes(a), ent_buf_bytes(b)); }

/* What the module of a format writes to a disk is what it writes into the store, and what the store has is what that module reads. */
static void format_carried(const struct objects_case *c, const char *suffix)
{
	static const struct objects_write rows = { ENT_WRITE_CREATE, 1, 3000, true };
	const struct objects_case disk = { .connector = reader_of(NULL, suffix) };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf want = ENT_BUF(1 << 24), got = ENT_BUF(1 << 24), local = ENT_BUF(1 << 24);
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	struct ent_err e;
	char path[60], file[700];
	snprintf(path, sizeof path, "/bytes/a.%s", suffix);
	snprintf(file, sizeof file, "%s/bytes.%s", suite_home, suffix);
	OK_INT(objects_write(&disk, file, &rows, &e), 0, "%s: written to a disk %s %s", suffix, e.what, e.why);
	OK_INT(objects_write(c, c->url(path), &rows, &e), 0, "%s: written to the store %s %s", suffix, e.what, e.why);
	OK(file_bytes(file, &want) && c->get(path, &got) && same_bytes(&want, &got), "%s: the store has the bytes of the disk", suffix);
	snprintf(path, sizeof path, "/bytes/b.%s", suffix);
	OK(c->put(path, ent_buf_bytes(&want)), "%s: put past the connector", suffix);
	OK_INT(c->connector->open(&host, c->url(path), c->options, c->n_options, &src, &e), 0, "%s: opened %s %s", suffix, e.what, e.why);
	OK(copy_bytes(&local) && same_bytes(&want, &local), "%s: its module reads those bytes", suffix);
	c->connector->close(src);
	unlink(file);
}

/* Every format that a module knows, so docs/type-matrix.md need not repeat them for every store of files. */
static void test_bytes(const struct objects_case *c)
{
	char words[300], *save = NULL;
	for (size_t i = 0; c->put && i < n_readers; i++) {
		snprintf(words, sizeof words, "%s", readers[i]->suffixes);
		for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
			format_carried(c, w);
	}
}

static void test_modes(const struct objects_case *c)
{
	struct ent_err e;
	const char *url = c->url("/modes/a.parquet");
	struct objects_write w = { ENT_WRITE_CREATE, 1, 50, true };
	OK_INT(objects_write(c, url, &w, &e), 0, "create %s %s", e.what, e.why);
	w.from = 1000;
	OK_INT(objects_write(c, url, &w, &e), ENT_EUSAGE, "create twice: %s", e.what);
	w.mode = ENT_WRITE_APPEND;
	OK_INT(objects_write(c, url, &w, &e), ENT_EUNSUPPORTED, "append: %s", e.what);
	OK_INT(objects_check(c, url, 1, 50, &e), 0, "the first file is still there %s %s", e.what, e.why);
	w.mode = ENT_WRITE_REPLACE;
	w.finish = false;
	OK_INT(objects_write(c, url, &w, &e), 0, "replaced, not finished %s", e.what);
	OK_INT(objects_check(c, url, 1, 50, &e), 0, "nobody sees it %s %s", e.what, e.why);
	w.finish = true;
	OK_INT(objects_write(c, url, &w, &e), 0, "replaced %s %s", e.what, e.why);
	OK_INT(objects_check(c, url, 1000, 50, &e), 0, "everybody sees it %s %s", e.what, e.why);
	w = (struct objects_write){ ENT_WRITE_CREATE, 1, 10, false };
	OK_INT(objects_write(c, c->url("/modes/never.parquet"), &w, &e), 0);
	OK_INT(objects_check(c, c->url("/modes/never.parquet"), 1, 10, &e), ENT_ENOTFOUND, "what was not finished has no name: %s", e.what);
}

static void test_names(const struct objects_case *c)
{
	static const char *const good[] = { "/n/with%20space.parquet", "/n/%C3%A9%E6%BC%A2.parquet", "/n/100%25.parquet",
					    "/n/a+b&c=d.parquet",      "/n/q%3Fx%23y;.parquet",      "/n/it's \"so\".parquet" };
	static const struct {
		const char *path;
		int code;
	} bad[] = { { "/n/missing.parquet", ENT_ENOTFOUND },
		    { "/none/missing.parquet", ENT_ENOTFOUND },
		    { "/n/a.xlsx", ENT_EUSAGE },
		    { "/n/noname", ENT_EUSAGE },
		    { "/n/../n/a.parquet", ENT_EUSAGE },
		    { "/n//a.parquet", ENT_EUSAGE },
		    { "/n/a%00.parquet", ENT_EUSAGE },
		    { "/n/a%zz.parquet", ENT_EUSAGE },
		    { "/n/.parquet", ENT_EUSAGE },
		    { "/n/%ff.parquet", ENT_EUSAGE } };
	struct ent_err e = ENT_ERR_INIT;
	for (size_t i = 0; i < ENT_COUNT(good); i++) {
		OK_INT(objects_write(c, c->url(good[i]), &(struct objects_write){ ENT_WRITE_CREATE, 5, 7, true }, &e), 0, "%s: written %s %s",
		       good[i], e.what, e.why);
		OK_INT(objects_check(c, c->url(good[i]), 5, 7, &e), 0, "%s: read %s %s", good[i], e.what, e.why);
	}
	for (size_t i = 0; i < ENT_COUNT(bad); i++)
		OK_INT(suite_open_describe(c->connector, c->url(bad[i].path), "", c->options, c->n_options, &e), bad[i].code, "%s: %s (%s)",
		       bad[i].path, e.what, e.why);
	const struct ent_option odd[] = { { "colour", "red" } };
	OK_INT(suite_open_describe(c->connector, c->url("/n/100%25.parquet"), "", odd, 1, &e), ENT_EUSAGE, "unknown option: %s", e.what);
	OK_INT(suite_open_describe(c->connector, c->url("/n/100%25.parquet"), "t", NULL, 0, &e), ENT_EUSAGE, "a file has no object: %s", e.what);
}

static int split_note(void *arg, const char *split, int64_t rows)
{
	char *out = arg;
	(void)rows;
	snprintf(out, 400, "%s", split);
	return 0;
}

/* A copy that goes on must not mix two versions of a file. */
static void test_version(const struct objects_case *c)
{
	struct ent_host host = suite_host();
	struct ent_err e = ENT_ERR_INIT;
	const char *url = c->url("/version/a.parquet");
	struct ent_source *src = NULL, *later = NULL;
	char split[400] = "";
	struct objects_write w = { ENT_WRITE_CREATE, 1, 20, true };
	OK_INT(objects_write(c, url, &w, &e), 0);
	OK(!c->connector->open(&host, url, c->options, c->n_options, &src, &e) && !c->connector->plan(src, "", 1000, split_note, split, &e),
	   "planned as %s", split);
	w = (struct objects_write){ ENT_WRITE_REPLACE, 500, 21, true };
	OK_INT(objects_write(c, url, &w, &e), 0);
	ENT_STREAM_AUTO old = { 0 }, new = { 0 };
	struct seen s = { 0 };
	const struct ent_read what = { .size = sizeof what, .object = "", .split = split };
	OK(!c->connector->read(src, &what, &old, &e) && !stream_check(&old, &s, &e) && s.rows == 20 && !s.bad, "an open source keeps its version");
	OK_INT(c->connector->open(&host, url, c->options, c->n_options, &later, &e), 0);
	OK_INT(c->connector->read(later, &what, &new, &e), ENT_EDATA, "a later one does not continue it: %s", e.what);
	OK_INT(objects_left(""), 2, "two versions, two local copies");
	ent_stream_release(&old);
	c->connector->close(src);
	OK_INT(objects_left(""), 1, "the first one goes with its last reader");
	c->connector->close(later);
	OK_INT(objects_left(""), 0, "nothing is left");
}

static void test_many(const struct objects_case *c)
{
	struct ent_err e = ENT_ERR_INIT;
	const char *url = c->url("/many/a.parquet");
	OK_INT(objects_write(c, url, &(struct objects_write){ ENT_WRITE_CREATE, -30000, MANY, true }, &e), 0, "many rows written %s %s", e.what,
	       e.why);
	OK_INT(objects_check(c, url, -30000, MANY, &e), 0, "many rows read %s %s", e.what, e.why);
	suite_cancel_after = 3;
	OK_INT(objects_check(c, url, -30000, MANY, &e), ENT_ECANCELLED, "cancelled: %s", e.what);
	suite_cancel_after = -1;
	OK_INT(objects_left(""), 0, "nothing is left of it");
}

void objects_run(const struct objects_case *c)
{
	test_formats(c);
	test_bytes(c);
	test_modes(c);
	test_names(c);
	test_version(c);
	test_many(c);
}
