/* Arrow IPC files: .arrow and .feather (with a table of contents), .arrows and .ipc (streams); either is read under any of the names. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "arrow_file.h"

#define EXPORT __attribute__((visibility("default")))

static void source_close(struct ent_source *s)
{
	if (!s)
		return;
	ent_arrow_file_unref(s->file);
	free(s->path);
	free(s);
}
static void source_closep(struct ent_source **s) { source_close(*s); }

static int options_take(struct ent_source *s, const struct ent_option *options, size_t n, struct ent_err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(options[i].key, "access") != 0)
			return ent_fail(err, ENT_EUSAGE, "an Arrow file has no option --%.60s", options[i].key);
		s->write = !strcmp(options[i].value, "write");
	}
	return 0;
}

static int source_open(const struct ent_host *host, const char *url, const struct ent_option *options, size_t n_options, struct ent_source **ret,
		       struct ent_err *err)
{
	const char *path = !strncmp(url, "file:", 5) ? url + 5 : url, *dot = strrchr(path, '.');
	ENT_CLEANUP(source_closep) struct ent_source *s = (struct ent_source *)calloc(1, sizeof *s);
	if (!s || !(s->path = ent_strdup(path)))
		return ent_nomem(err);
	if (strlen(path) >= PATH_MAX - 20)
		return ent_fail(err, ENT_EUSAGE, "the path %.200s is too long", path);
	s->host = *host;
	s->stream = dot && (!strcmp(dot, ".arrows") || !strcmp(dot, ".ipc"));
	ENT_TRY(options_take(s, options, n_options, err));
	if (!s->write)
		ENT_TRY(ent_arrow_file_open(path, &s->file, s->version, err));
	*ret = s;
	s = NULL;
	return 0;
}

static int file_of(const struct ent_source *s, const char *object, const struct ent_ipc **ret, struct ent_err *err)
{
	if (object[0])
		return ent_fail(err, ENT_EUSAGE, "a file has no #%.60s: leave it out", object);
	if (!s->file)
		return ent_fail(err, ENT_EINTERNAL, "the file was opened for writing only");
	*ret = ent_arrow_file_ipc(s->file);
	return 0;
}

static int source_describe(struct ent_source *s, const char *object, struct ArrowSchema *ret_schema, struct ent_object *ret_object,
			   struct ent_err *err)
{
	const struct ent_ipc *f;
	struct ent_object o = { .size = sizeof o };
	ENT_TRY(file_of(s, object, &f, err));
	ENT_TRY(ent_schema_dup(ent_ipc_schema(f), ret_schema, err));
	o.rows = (int64_t)ent_ipc_rows(f);
	snprintf(o.relation, sizeof o.relation, "rows");
	snprintf(o.version, sizeof o.version, "%s", s->version);
	*ret_object = o;
	return 0;
}

/* Cancelling: between two slices. */
struct watched {
	struct ent_host host;
	struct ArrowArrayStream rows;
};

static int watched_next(void *self, struct ArrowArray *ret, struct ent_err *err)
{
	struct watched *w = (struct watched *)self;
	if (w->host.cancelled && w->host.cancelled(w->host.self))
		return ent_fail(err, ENT_ECANCELLED, "reading the Arrow file was cancelled");
	return ent_stream_next(&w->rows, ret, err);
}

static void watched_free(void *self)
{
	ent_stream_release(&((struct watched *)self)->rows);
	free(self);
}

static const struct ent_stream_ops watched_ops = { watched_next, watched_free };

static int rows_open(struct ent_source *s, const size_t *columns, size_t n, size_t from, size_t to, struct ArrowArrayStream *ret, struct ent_err *err)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	struct watched *w = (struct watched *)calloc(1, sizeof *w);
	if (!w)
		return ent_nomem(err);
	w->host = s->host;
	int code = ent_arrow_file_read(s->file, columns, n, from, to, &w->rows, err);
	code = code ? code : ent_stream_schema(&w->rows, &schema, err);
	if (code) {
		watched_free(w);
		return code;
	}
	return ent_stream_new(&schema, &watched_ops, w, ret, err);
}

/* Indices of the columns by name; joint: none that only copies may read. all: those that can be read, when none are named. */
static int columns_choose(const struct ArrowSchema *schema, const char *const *names, size_t n, bool joint, size_t *out, size_t *ret_n,
			  struct ent_err *err)
{
	size_t found = 0;
	for (size_t i = 0; i < (names ? n : (size_t)schema->n_children); i++) {
		struct ent_field_info f;
		int at = names ? ent_schema_find(schema, names[i]) : (int)i;
		if (at < 0)
			return ent_fail(err, ENT_ENOTFOUND, "there is no column %.200s", names[i]);
		ent_schema_field(schema, (size_t)at, &f);
		if (names && (joint ? f.unsupported[0] : !f.copied))
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be read: %s", f.name, f.unsupported);
		if (f.copied)
			out[found++] = (size_t)at;
	}
	*ret_n = found;
	return found ? 0 : ent_fail(err, names ? ENT_EUSAGE : ENT_EUNSUPPORTED, "there is no column to read");
}

static int columns_open(struct ent_source *s, const char *const *names, size_t n, bool joint, size_t from, size_t to, struct ArrowArrayStream *ret,
			struct ent_err *err)
{
	const struct ArrowSchema *schema = ent_ipc_schema(ent_arrow_file_ipc(s->file));
	size_t *columns = (size_t *)calloc((names ? n : (size_t)schema->n_children) + 1, sizeof *columns), chosen = 0;
	int code = columns ? columns_choose(schema, names, n, joint, columns, &chosen, err) : ent_nomem(err);
	code = code ? code : rows_open(s, columns, chosen, from, to, ret, err);
	free(columns);
	return code;
}

static int source_scan(struct ent_source *s, const char *object, const char *const *columns, size_t n_columns, struct ArrowArrayStream *ret,
		       struct ent_err *err)
{
	const struct ent_ipc *f;
	size_t blocks;
	ENT_TRY(file_of(s, object, &f, err));
	(void)ent_ipc_blocks(f, &blocks);
	if (!n_columns)
		return ent_fail(err, ENT_EUSAGE, "a scan needs at least one column");
	return columns_open(s, columns, n_columns, true, 0, blocks, ret, err);
}

/* "batches FROM TO": the batches FROM .. TO - 1. */
static int split_read(const char *split, size_t n, size_t *from, size_t *to, struct ent_err *err)
{
	unsigned long long a, b;
	char end;
	*from = 0;
	*to = n;
	if (!split || !split[0])
		return 0;
	if (sscanf(split, "batches %llu %llu%c", &a, &b, &end) != 2 || a > b || b > n)
		return ent_fail(err, ENT_EUSAGE, "%.60s is no split of this file", split);
	*from = (size_t)a;
	*to = (size_t)b;
	return 0;
}

static int source_read(struct ent_source *s, const struct ent_read *what, struct ArrowArrayStream *ret, struct ent_err *err)
{
	const struct ent_ipc *f;
	size_t blocks, from, to;
	ENT_TRY(file_of(s, what->object, &f, err));
	if (what->flags || what->where)
		return ent_fail(err, ENT_EUNSUPPORTED, what->where ? "an Arrow file takes no condition" : "an Arrow file has no wire images of rows");
	(void)ent_ipc_blocks(f, &blocks);
	ENT_TRY(split_read(what->split, blocks, &from, &to, err));
	return columns_open(s, what->columns, what->n_columns, false, from, to, ret, err);
}

static int source_plan(struct ent_source *s, const char *object, uint64_t rows, int (*take)(void *arg, const char *split, int64_t rows), void *arg,
		       struct ent_err *err)
{
	const struct ent_ipc *f;
	size_t n, from = 0;
	uint64_t held = 0;
	ENT_TRY(file_of(s, object, &f, err));
	const struct ent_ipc_block *b = ent_ipc_blocks(f, &n);
	if (!rows || ent_ipc_rows(f) <= rows)
		return take(arg, "", -1);
	for (size_t i = 0; i < n; i++) {
		held += b[i].rows;
		if (held < rows && i + 1 < n)
			continue;
		char split[80];
		snprintf(split, sizeof split, "batches %zu %zu", from, i + 1);
		ENT_TRY(take(arg, split, (int64_t)held));
		from = i + 1;
		held = 0;
	}
	return 0;
}

EXPORT const struct ent_connector *ent_connector_entry(void);
const struct ent_connector *ent_connector_entry(void)
{
	static const struct ent_connector connector = { .size = sizeof connector,
							.abi = ENT_CONNECTOR_ABI,
							.name = "arrow",
							.schemes = "file",
							.suffixes = "arrow arrows feather ipc",
							.dialect = "",
							.capabilities = ENT_CAP_SNAPSHOT | ENT_CAP_SPLIT | ENT_CAP_WRITE | ENT_CAP_TXN_SINK,
							.open = source_open,
							.close = source_close,
							.describe = source_describe,
							.scan = source_scan,
							.plan = source_plan,
							.read = source_read,
							.map = ent_arrow_map,
							.sink_open = ent_arrow_sink_open,
							.sink_table = ent_arrow_sink_table,
							.sink_rows = ent_arrow_sink_rows,
							.sink_truncate = ent_arrow_sink_truncate,
							.sink_commit = ent_arrow_sink_commit,
							.sink_rollback = ent_arrow_sink_rollback,
							.sink_last = ent_arrow_sink_last,
							.sink_finish = ent_arrow_sink_finish,
							.sink_close = ent_arrow_sink_close };
	return &connector;
}
