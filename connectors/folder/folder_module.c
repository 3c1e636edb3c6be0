/* folder:PATH#PATTERN: the files of a folder whose names match, one after the other, as one table with the key (_file, _row). */
#include <stdio.h>
#include <stdlib.h>

#include "folder.h"

#define EXPORT __attribute__((visibility("default")))

static void source_close(struct ent_source *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_options; i++) {
		free((char *)(uintptr_t)s->options[i].key);
		free((char *)(uintptr_t)s->options[i].value);
	}
	free(s->options);
	free(s->path);
	free(s);
}
static void source_closep(struct ent_source **s) { source_close(*s); }

static int options_take(struct ent_source *s, const struct ent_option *options, size_t n, struct ent_err *err)
{
	s->options = (struct ent_option *)calloc(n + 1, sizeof *s->options);
	if (!s->options)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(options[i].key, "access") && !strcmp(options[i].value, "write"))
			return ent_fail(err, ENT_EUNSUPPORTED, "a folder of files is only read; name a file to write");
		if (!strcmp(options[i].key, "access"))
			continue;
		struct ent_option *o = &s->options[s->n_options++];
		o->key = ent_strdup(options[i].key);
		o->value = ent_strdup(options[i].value);
		if (!o->key || !o->value)
			return ent_nomem(err);
	}
	return 0;
}

static int source_open(const struct ent_host *host, const char *url, const struct ent_option *options, size_t n_options, struct ent_source **ret,
		       struct ent_err *err)
{
	ENT_CLEANUP(source_closep) struct ent_source *s = (struct ent_source *)calloc(1, sizeof *s);
	if (!s || !(s->path = ent_strdup(!strncmp(url, "folder:", 7) ? url + 7 : url)))
		return ent_nomem(err);
	if (host->size < sizeof *host || !host->files)
		return ent_fail(err, ENT_EUNSUPPORTED, "no module for files is there");
	if (!s->path[0] || strlen(s->path) > 4000)
		return ent_fail(err, ENT_EUSAGE, "a folder is named folder:PATH#PATTERN, such as folder:/data/in#*.csv");
	s->host = *host;
	ENT_TRY(options_take(s, options, n_options, err));
	*ret = s;
	s = NULL;
	return 0;
}

/* The files of an object, in their order. */
static int files_of(struct ent_source *s, const char *object, struct ent_folder_list *ret, struct ent_err *err)
{
	size_t n = 0;
	ENT_TRY(ent_folder_list_read(&s->host, s->path, INT64_MAX, ret, err));
	for (size_t i = 0; i < ret->n; i++)
		if (ent_folder_matches(object, ret->entries[i].name))
			ret->entries[n++] = ret->entries[i];
	ret->n = n;
	if (n)
		return 0;
	ent_fail(err, ENT_ENOTFOUND, "the folder %.200s has no file that matches %.100s", s->path, object[0] ? object : "*");
	return ent_next(err, "put the first file there: its columns are the table's"), ENT_ENOTFOUND;
}

static int source_describe(struct ent_source *s, const char *object, struct ArrowSchema *ret_schema, struct ent_object *ret_object,
			   struct ent_err *err)
{
	ENT_CLEANUP(ent_folder_list_deinit) struct ent_folder_list l = { 0 };
	struct ent_folder_cursor all = { 0 };
	struct ent_object o = { .size = sizeof o, .rows = -1 };
	ENT_TRY(files_of(s, object, &l, err));
	ENT_TRY(ent_folder_described(s, &l.entries[0], ret_schema, err));
	for (size_t i = 0; i < l.n; i++)
		ent_folder_cursor_take(&all, &l.entries[i]);
	snprintf(o.relation, sizeof o.relation, "rows");
	snprintf(o.version, sizeof o.version, "%llu %016llx", (unsigned long long)all.n, (unsigned long long)all.sum);
	*ret_object = o;
	return 0;
}

/* --- one file after the other --- */

struct chain {
	struct ent_source *source;
	struct ent_folder_list files;
	size_t at;
	struct ArrowSchema schema;
	struct ArrowArrayStream rows;
	char **columns;
	size_t n_columns;
};

static void chain_free(void *self)
{
	struct chain *c = (struct chain *)self;
	ent_stream_release(&c->rows);
	ent_schema_release(&c->schema);
	ent_folder_list_deinit(&c->files);
	for (size_t i = 0; c->columns && i < c->n_columns; i++)
		free(c->columns[i]);
	free(c->columns);
	free(c);
}

static int file_begin(struct chain *c, struct ArrowSchema *ret, struct ent_err *err)
{
	const struct ent_folder_rows what = { .columns = (const char *const *)c->columns, .n_columns = c->n_columns };
	ENT_TRY(ent_folder_rows_open(c->source, &c->files.entries[c->at], &what, &c->rows, err));
	return ent_stream_schema(&c->rows, ret, err);
}

static int chain_next(void *self, struct ArrowArray *ret, struct ent_err *err)
{
	struct chain *c = (struct chain *)self;
	for (;;) {
		ENT_SCHEMA_AUTO schema = { 0 };
		ENT_TRY(ent_stream_next(&c->rows, ret, err));
		if (ret->release || c->at + 1 == c->files.n)
			return 0;
		ent_stream_release(&c->rows);
		c->at++;
		ENT_TRY(file_begin(c, &schema, err));
		if (ent_folder_schema_same(&c->schema, &schema))
			continue;
		ent_fail(err, ENT_EDATA, "the file %.200s has other columns than the first one", c->files.entries[c->at].name);
		return ent_next(err, "name a narrower pattern, or say the types with --types"), ENT_EDATA;
	}
}

static const struct ent_stream_ops chain_ops = { chain_next, chain_free };

static int columns_copy(struct chain *c, const char *const *columns, size_t n, struct ent_err *err)
{
	if (!columns)
		return 0;
	c->columns = (char **)calloc(n + 1, sizeof *c->columns);
	if (!c->columns)
		return ent_nomem(err);
	for (c->n_columns = 0; c->n_columns < n; c->n_columns++)
		if (!(c->columns[c->n_columns] = ent_strdup(columns[c->n_columns])))
			return ent_nomem(err);
	return 0;
}

/* Takes files, also on failure. */
static int chain_open(struct ent_source *s, struct ent_folder_list *files, const char *const *columns, size_t n, struct ArrowArrayStream *ret,
		      struct ent_err *err)
{
	ENT_SCHEMA_AUTO given = { 0 };
	struct chain *c = (struct chain *)calloc(1, sizeof *c);
	if (!c)
		return ent_folder_list_deinit(files), ent_nomem(err);
	c->source = s;
	c->files = *files;
	*files = (struct ent_folder_list){ 0 };
	int code = columns_copy(c, columns, n, err);
	code = code ? code : file_begin(c, &c->schema, err);
	code = code ? code : ent_schema_dup(&c->schema, &given, err);
	if (code) {
		chain_free(c);
		return code;
	}
	return ent_stream_new(&given, &chain_ops, c, ret, err);
}

static int source_scan(struct ent_source *s, const char *object, const char *const *columns, size_t n_columns, struct ArrowArrayStream *ret,
		       struct ent_err *err)
{
	ENT_CLEANUP(ent_folder_list_deinit) struct ent_folder_list l = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	if (!n_columns)
		return ent_fail(err, ENT_EUSAGE, "a scan needs at least one column");
	ENT_TRY(files_of(s, object, &l, err));
	ENT_TRY(ent_folder_described(s, &l.entries[0], &schema, err));
	for (size_t i = 0; i < n_columns; i++) {
		struct ent_field_info f;
		int at = ent_schema_find(&schema, columns[i]);
		if (at < 0)
			return ent_fail(err, ENT_ENOTFOUND, "there is no column %.200s", columns[i]);
		ent_schema_field(&schema, (size_t)at, &f);
		if (f.unsupported[0])
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be read: %s", columns[i], f.unsupported);
	}
	return chain_open(s, &l, columns, n_columns, ret, err);
}

/* A split is one file as it was listed: "BYTES MODIFIED NAME". */
static int split_file(struct ent_source *s, const char *split, struct ent_folder_list *ret, struct ent_err *err)
{
	unsigned long long bytes;
	long long modified;
	struct ent_folder_entry e;
	int at = 0;
	if (sscanf(split, "%llu %lld %n", &bytes, &modified, &at) != 2 || !split[at] || strchr(split + at, '/'))
		return ent_fail(err, ENT_EUSAGE, "%.60s is no split of a folder", split);
	ENT_TRY(ent_folder_entry_read(s->path, split + at, &e, err));
	if (e.bytes != bytes || e.modified_ns != modified) {
		ent_fail(err, ENT_EDATA, "the file %.200s is another one than when the copy began", e.name);
		return ent_next(err, "begin the copy again with --restart"), ENT_EDATA;
	}
	ret->entries = (struct ent_folder_entry *)calloc(1, sizeof e);
	if (!ret->entries)
		return ent_nomem(err);
	ret->entries[0] = e;
	ret->n = 1;
	return 0;
}

/* A split's columns are those of the table, which the first file has. */
static int split_check(struct ent_source *s, const struct ent_read *what, const struct ArrowArrayStream *rows, struct ent_err *err)
{
	ENT_CLEANUP(ent_folder_list_deinit) struct ent_folder_list l = { 0 };
	ENT_STREAM_AUTO first = { 0 };
	ENT_SCHEMA_AUTO a = { 0 }, b = { 0 };
	ENT_TRY(files_of(s, what->object, &l, err));
	ENT_TRY(chain_open(s, &l, what->columns, what->n_columns, &first, err));
	ENT_TRY(ent_stream_schema(&first, &a, err));
	ENT_TRY(ent_stream_schema((struct ArrowArrayStream *)(uintptr_t)rows, &b, err));
	return ent_folder_schema_same(&a, &b)
		       ? 0
		       : ent_fail(err, ENT_EDATA, "a file of the folder has other columns than the first one: %.200s", what->split);
}

static int source_read(struct ent_source *s, const struct ent_read *what, struct ArrowArrayStream *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_folder_list_deinit) struct ent_folder_list l = { 0 };
	ENT_STREAM_AUTO rows = { 0 };
	bool split = what->split && what->split[0];
	if (what->flags || what->where)
		return ent_fail(err, ENT_EUNSUPPORTED, what->where ? "a folder of files takes no condition" : "files have no wire images of rows");
	ENT_TRY(split ? split_file(s, what->split, &l, err) : files_of(s, what->object, &l, err));
	ENT_TRY(chain_open(s, &l, what->columns, what->n_columns, &rows, err));
	if (split)
		ENT_TRY(split_check(s, what, &rows, err));
	*ret = ent_stream_take(&rows);
	return 0;
}

static int source_plan(struct ent_source *s, const char *object, uint64_t rows, int (*take)(void *arg, const char *split, int64_t rows), void *arg,
		       struct ent_err *err)
{
	ENT_CLEANUP(ent_folder_list_deinit) struct ent_folder_list l = { 0 };
	(void)rows;
	ENT_TRY(files_of(s, object, &l, err));
	for (size_t i = 0; i < l.n; i++) {
		char split[400];
		snprintf(split, sizeof split, "%llu %lld %s", (unsigned long long)l.entries[i].bytes, (long long)l.entries[i].modified_ns,
			 l.entries[i].name);
		ENT_TRY(take(arg, split, -1));
	}
	return 0;
}

EXPORT const struct ent_connector *ent_connector_entry(void);
const struct ent_connector *ent_connector_entry(void)
{
	static const struct ent_connector connector = { .size = sizeof connector,
							.abi = ENT_CONNECTOR_ABI,
							.name = "folder",
							.schemes = "folder",
							.suffixes = "",
							.dialect = "",
							.capabilities = ENT_CAP_SNAPSHOT | ENT_CAP_SPLIT | ENT_CAP_POLL,
							.open = source_open,
							.close = source_close,
							.describe = source_describe,
							.scan = source_scan,
							.plan = source_plan,
							.read = source_read,
							.changes_open = ent_folder_changes_open,
							.changes_next = ent_folder_changes_next,
							.changes_ack = ent_folder_changes_ack,
							.changes_close = ent_folder_changes_close,
							.changes_drop = ent_folder_changes_drop,
							.position = ent_folder_position,
							.position_reached = ent_folder_position_reached };
	return &connector;
}
