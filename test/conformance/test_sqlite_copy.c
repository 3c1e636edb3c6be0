/* The SQLite sink: every type there and back, modes, checkpoints with their rows, fencing, changes, splits. */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "arrow/builder.h"
#include "arrow/rows.h"
#include "arrow/stream.h"
#include "suite.h"
#include "tap.h"

static const struct ent_connector *c;
static char url[400];
static struct ent_err err;

static struct ent_source *opened(bool writable)
{
	static const struct ent_option access = { "access", "write" };
	const struct ent_host host = { .size = sizeof host, .timeout_ms = 5000 };
	struct ent_source *s = NULL;
	OK(!c->open(&host, url, &access, writable ? 1 : 0, &s, &err), "open: %s", err.what);
	return s;
}

static const struct ent_field fields[] = { { .name = "id", .type = { .id = ENT_T_INT64 } },
					   { .name = "big", .type = { .id = ENT_T_UINT64 }, .nullable = true },
					   { .name = "money", .type = { ENT_T_DECIMAL, 38, 4 }, .nullable = true },
					   { .name = "at", .type = { .id = ENT_T_TIMESTAMPTZ }, .nullable = true },
					   { .name = "clock", .type = { .id = ENT_T_TIME }, .nullable = true },
					   { .name = "raw", .type = { .id = ENT_T_BINARY }, .nullable = true },
					   { .name = "x", .type = { .id = ENT_T_DOUBLE }, .nullable = true },
					   { .name = "name", .type = { .id = ENT_T_TEXT }, .nullable = true } };

static struct ArrowArray rows(const struct ArrowSchema *schema, int64_t from, int64_t n, double x)
{
	struct ent_builder *b = NULL;
	struct ArrowArray a = { 0 };
	bool ok = !ent_builder_new(schema, 0, &b, &err);
	for (int64_t i = from; i < from + n && ok; i++) {
		ok = !ent_builder_int(b, 0, i, &err) && !ent_builder_wide(b, 1, (ent_i128)UINT64_MAX - (uint64_t)i, &err) &&
		     !ent_builder_wide(b, 2, (ent_i128)1234567890123456789 * 10000000000 + i, &err) && !ent_builder_int(b, 3, i * 1000001, &err) &&
		     !ent_builder_int(b, 4, i, &err) && !ent_builder_text(b, 5, ent_bytes(&i, sizeof i), &err) && !ent_builder_real(b, 6, x, &err) &&
		     !(i % 3 ? ent_builder_text(b, 7, ent_bytes_str("\xf0\x9f\xa6\x89"), &err) : ent_builder_null(b, 7, &err));
	}
	OK(ok && !ent_builder_finish(b, &a, &err), "rows: %s", err.what);
	ent_builder_free(b);
	return a;
}

static uint64_t count(const char *object, const char *split)
{
	struct ent_source *s = opened(false);
	struct ent_read what = { .size = sizeof what, .object = object, .split = split };
	ENT_STREAM_AUTO stream = { 0 };
	uint64_t n = 0;
	int code = c->read(s, &what, &stream, &err);
	while (!code) {
		ENT_ARRAY_AUTO a = { 0 };
		code = ent_stream_next(&stream, &a, &err);
		if (code || !a.release)
			break;
		n += (uint64_t)a.length;
	}
	OK(!code, "read %s: %s", object, err.what);
	ent_stream_release(&stream);
	c->close(s);
	return n;
}

static int split_count(void *arg, const char *split, int64_t n)
{
	(void)n;
	*(uint64_t *)arg += count("t", split);
	return 0;
}

static int write_rows(struct ent_source *s, const char *job, enum ent_write_mode mode, const struct ArrowSchema *schema, int64_t from, int64_t n,
		      double x)
{
	struct ent_sink *k = NULL;
	uint64_t epoch = 0;
	size_t at;
	struct ent_target target = { .size = sizeof target, .object = "t", .schema = schema, .mode = mode };
	struct ent_sink_checkpoint point = { .size = sizeof point, .part = "t 1", .cursor = "done", .rows = (uint64_t)n };
	ENT_ARRAY_AUTO a = rows(schema, from, n, x);
	int code = c->sink_open(s, job, &epoch, &k, &err);
	code = code ? code : c->sink_table(k, &target, &at, &err);
	code = code ? code : c->sink_rows(k, at, &a, &err);
	code = code ? code : c->sink_commit(k, &point, &err);
	code = code ? code : c->sink_finish(k, 0, &err);
	c->sink_close(k);
	return code;
}

static void modes(const struct ArrowSchema *schema)
{
	struct ent_source *s = opened(true);
	OK(!write_rows(s, "j", ENT_WRITE_CREATE, schema, 0, 1000, 1.5), "create: %s", err.what);
	OK(count("t", NULL) == 1000);
	OK(write_rows(s, "j", ENT_WRITE_CREATE, schema, 0, 1, 1.5) == ENT_EUSAGE, "create again is refused: %s", err.what);
	OK(write_rows(s, "j", ENT_WRITE_APPEND, schema, 999, 2, 1.5) && count("t", NULL) == 1000, "a double key leaves nothing: %s", err.why);
	OK(!write_rows(s, "j", ENT_WRITE_UPSERT, schema, 999, 2, 1.5) && count("t", NULL) == 1001, "upsert: %s", err.what);
	OK(write_rows(s, "j", ENT_WRITE_APPEND, schema, 5000, 2, (double)NAN) == ENT_EDATA, "NaN is refused by name: %s; %s", err.what, err.why);
	OK(write_rows(s, "j", ENT_WRITE_APPEND, schema, 5000, 2, -0.0) == ENT_EDATA, "-0.0 is refused by name: %s; %s", err.what, err.why);
	OK(!write_rows(s, "j", ENT_WRITE_REPLACE, schema, 7, 5000, (double)INFINITY) && count("t", NULL) == 5000, "replace: %s", err.what);
	c->close(s);
	uint64_t n = 0;
	s = opened(false);
	OK(!c->plan(s, "t", 700, split_count, &n, &err) && n == 5000, "splits cover the table once: %llu", (unsigned long long)n);
	c->close(s);
}

static void fence(void)
{
	struct ent_source *s = opened(true), *s2 = opened(true);
	struct ent_sink *old = NULL, *new = NULL;
	struct ent_sink_checkpoint last;
	uint64_t a = 0, b = 0;
	OK(!c->sink_open(s, "j", &a, &old, &err) && !c->sink_open(s2, "j", &b, &new, &err) && b == a + 1, "epochs rise");
	OK(c->sink_commit(old, NULL, &err) == ENT_EAGAIN, "the older run cannot commit: %s", err.what);
	OK(!c->sink_commit(new, NULL, &err), "the newer can");
	OK(!c->sink_last(new, "t 1", &last, &err) && last.rows == 5000 && !strcmp(last.cursor, "done"), "the checkpoint is there");
	OK(c->sink_last(new, "t 2", &last, &err) == ENT_ENOTFOUND);
	c->sink_close(old);
	c->sink_close(new);
	c->close(s);
	c->close(s2);
}

static void changes(void)
{
	static const struct ent_field change[] = { { .name = "entente.op", .type = { .id = ENT_T_TEXT } },
						   { .name = "entente.unchanged", .type = { .id = ENT_T_TEXT }, .nullable = true },
						   { .name = "id", .type = { .id = ENT_T_INT32 }, .nullable = true },
						   { .name = "v", .type = { .id = ENT_T_TEXT }, .nullable = true } };
	static const struct {
		const char *op, *unchanged;
		int id;
		const char *v;
	} log[] = { { "I", NULL, 1, "a" }, { "I", NULL, 2, "b" }, { "U", NULL, 1, "c" }, { "D", NULL, 2, NULL }, { "U", "v", 1, NULL } };
	ENT_SCHEMA_AUTO table = { 0 }, schema = { 0 };
	struct ent_builder *b = NULL;
	ENT_ARRAY_AUTO a = { 0 };
	struct ent_source *s = opened(true);
	struct ent_sink *k = NULL;
	uint64_t epoch = 0;
	size_t at = 0;
	const char *key = "id";
	bool ok = !ent_schema_new(change + 2, 2, NULL, &table, &err) && !ent_schema_new(change, 4, NULL, &schema, &err) &&
		  !ent_builder_new(&schema, 0, &b, &err);
	for (size_t i = 0; i < ENT_COUNT(log) && ok; i++)
		ok = !ent_builder_text(b, 0, ent_bytes_str(log[i].op), &err) &&
		     !(log[i].unchanged ? ent_builder_text(b, 1, ent_bytes_str(log[i].unchanged), &err) : ent_builder_null(b, 1, &err)) &&
		     !ent_builder_int(b, 2, log[i].id, &err) &&
		     !(log[i].v ? ent_builder_text(b, 3, ent_bytes_str(log[i].v), &err) : ent_builder_null(b, 3, &err));
	struct ent_target target = { .size = sizeof target, .object = "ch", .schema = &table, .keys = &key, .n_keys = 1, .mode = ENT_WRITE_UPSERT };
	OK(ok && !ent_builder_finish(b, &a, &err) && !c->sink_open(s, "k", &epoch, &k, &err) && !c->sink_table(k, &target, &at, &err),
	   "changes begin: %s", err.what);
	OK(!c->sink_changes(k, at, &schema, &a, &err) && !c->sink_commit(k, NULL, &err), "changes are applied: %s %s", err.what, err.why);
	c->sink_close(k);
	c->close(s);
	ent_builder_free(b);
	struct ent_read what = { .size = sizeof what, .object = "ch", .where = "id = 1 AND v = 'c'" };
	s = opened(false);
	ENT_STREAM_AUTO stream = { 0 };
	ENT_ARRAY_AUTO rest = { 0 };
	OK(!c->read(s, &what, &stream, &err) && !ent_stream_next(&stream, &rest, &err) && rest.release && rest.length == 1, "what is left: %s",
	   err.what);
	ent_stream_release(&stream);
	c->close(s);
	OK(count("ch", NULL) == 1, "and nothing else");
}

int main(int argc, char **argv)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	char folder[] = "/tmp/entente-sqlite.XXXXXX", file[300];
	if (argc < 2 || !mkdtemp(folder) || !(c = suite_module(argv[1])))
		return 1;
	snprintf(file, sizeof file, "%s/new.db", folder);
	snprintf(url, sizeof url, "sqlite:%s", file);
	OK(!ent_schema_new(fields, ENT_COUNT(fields), "id", &schema, &err), "schema");
	modes(&schema);
	fence();
	changes();
	unlink(file);
	rmdir(folder);
	return tap_done();
}
