/* The connector for files: CSV, JSON, Parquet, and tables of a DuckDB database file.
 *
 * What others see is a view in the locked in-memory database: the supported columns of the file, cast to their joint types. Neither the
 * path nor the file's own types appear in pushed-down SQL. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "duck.h"
#include "duck_csv.h"
#include "duck_json.h"
#include "duck_options.h"
#include "duck_override.h"
#include "duck_sink.h"

#define EXPORT __attribute__((visibility("default")))
#define SQL_BYTES_MAX ((size_t)4 << 20)
#define RELATION_FILE "rows"

struct view { /* one described object */
	struct view *next;
	char *object, *relation; /* relation: quoted */
	struct ArrowSchema schema;
	bool joint; /* has columns for joint queries, and so the relation */
};

struct ent_source {
	struct ent_duck duck;
	enum ent_duck_file file;
	char *path;
	struct ent_buf reader;               /* what stands behind FROM for a file */
	struct ent_duck_overrides overrides; /* CSV only */
	struct ent_duck_json_losses losses;  /* JSON only */
	struct view *views;
	struct ent_duck_claim *claim; /* database that is read */
	struct ent_duck_place place;  /* opened for writing: duck and reader are not set */
};

static const struct {
	const char *suffix;
	enum ent_duck_file file;
} suffixes[] = { { ".csv", ENT_DUCK_CSV },   { ".tsv", ENT_DUCK_CSV },     { ".parquet", ENT_DUCK_PARQUET },
		 { ".json", ENT_DUCK_JSON }, { ".ndjson", ENT_DUCK_JSON }, { ".jsonl", ENT_DUCK_JSON } };

static void view_free(struct view *v)
{
	ent_schema_release(&v->schema);
	free(v->object);
	free(v->relation);
	free(v);
}

static void source_close(struct ent_source *s)
{
	if (!s)
		return;
	while (s->views) {
		struct view *v = s->views;
		s->views = v->next;
		view_free(v);
	}
	ent_duck_place_close(&s->place);
	ent_duck_close(&s->duck);
	ent_duck_unclaim(&s->claim);
	ent_buf_deinit(&s->reader);
	free(s->path);
	free(s);
}
static void source_closep(struct ent_source **s) { source_close(*s); }

/* --- opening --- */

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);
	return n >= m && !strcasecmp(text + n - m, end);
}

static int kind_find(const char *path, bool database, enum ent_duck_file *ret, struct ent_err *err)
{
	*ret = ENT_DUCK_DATABASE;
	if (database)
		return 0;
	for (size_t i = 0; i < ENT_COUNT(suffixes); i++) {
		if (ends_with(path, suffixes[i].suffix)) {
			*ret = suffixes[i].file;
			return 0;
		}
	}
	ent_fail(err, ENT_EUSAGE, "the kind of file is not known: %.200s", path);
	return ent_next(err, "name it .csv, .tsv, .json, .ndjson, .jsonl or .parquet; for a DuckDB database write duckdb:FILE#TABLE"), ENT_EUSAGE;
}

static int path_resolve(const char *path, char **ret, struct ent_err *err)
{
	struct stat st;
	char *real = realpath(path, NULL);
	if (!real) {
		int code = errno == ENOENT || errno == ENOTDIR ? ENT_ENOTFOUND : errno == EACCES ? ENT_EDENIED : ENT_EIO;
		char why[100];
		ent_fail(err, code, "cannot open %.200s", path);
		return ent_why(err, "%s", strerror_r(errno, why, sizeof why)), code;
	}
	int code = 0;
	if (stat(real, &st) != 0 || !S_ISREG(st.st_mode))
		code = ent_fail(err, ENT_EDATA, "%.200s is not a file", path);
	else if (!st.st_size)
		code = ent_fail(err, ENT_EDATA, "%.200s is empty", path);
	else if (strpbrk(real, "*?[{"))
		code = ent_fail(err, ENT_EUSAGE, "the path %.200s holds one of * ? [ {, which DuckDB takes for a pattern", path);
	if (code) {
		free(real);
		return code;
	}
	*ret = real;
	return 0;
}

/* Where statements run: the sealed database that attached the source, or the one of the target, which is read for its tables only. */
static struct ent_duck *reads(struct ent_source *s) { return s->place.path ? &s->place.duck : &s->duck; }

static int reader_make(struct ent_source *s, const struct ent_option *options, size_t n_options, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf args = ENT_BUF(8192);
	ENT_TRY(ent_duck_options_put(s->file, options, n_options, &args, err));
	ENT_TRY(ent_duck_overrides_read(options, n_options, &s->overrides, err));
	if (s->file == ENT_DUCK_DATABASE)
		return 0;
	if (s->file == ENT_DUCK_CSV)
		return ent_duck_csv_reader(&(struct ent_duck_csv){ &s->duck, s->path, &s->overrides, options, n_options, ent_buf_text(&args) },
					   &s->reader, err);
	if (s->file == ENT_DUCK_JSON)
		ENT_TRY(ent_duck_json_check(s->path, &s->losses, err));
	ent_buf_str(&s->reader, s->file == ENT_DUCK_JSON ? "read_json(" : "read_parquet(");
	ent_duck_literal(&s->reader, s->path);
	ent_buf_str(&s->reader, ent_buf_text(&args));
	ent_buf_str(&s->reader, ")");
	return ent_buf_check(&s->reader, err);
}

static int database_attach(struct ent_source *s, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(16384);
	ENT_TRY(ent_duck_claim(s->path, false, &s->claim, err));
	ent_buf_str(&sql, "ATTACH ");
	ent_duck_literal(&sql, s->path);
	ent_buf_str(&sql, " AS src (TYPE duckdb, READ_ONLY)");
	ENT_TRY(ent_buf_check(&sql, err));
	return ent_duck_run(&s->duck, ent_buf_text(&sql), "the DuckDB database cannot be opened", err);
}

static int source_start(struct ent_source *s, const char *url, const struct ent_option *options, size_t n_options, struct ent_err *err)
{
	bool database = !strncmp(url, "duckdb:", 7);
	const char *path = database ? url + 7 : !strncmp(url, "file:", 5) ? url + 5 : url;
	ent_buf_init(&s->reader, SQL_BYTES_MAX);
	ENT_TRY(kind_find(path, database, &s->file, err));
	for (size_t i = 0; i < n_options; i++)
		if (!strcmp(options[i].key, "access") && !strcmp(options[i].value, "write"))
			return ent_duck_place_open(&s->duck.host, path, s->file, options, n_options, &s->place, err);
	ENT_TRY(path_resolve(path, &s->path, err));
	ENT_TRY(ent_duck_open(&s->duck.host, &s->duck, err));
	if (database)
		ENT_TRY(database_attach(s, err));
	ENT_TRY(ent_duck_seal(&s->duck, database ? NULL : s->path, err));
	return reader_make(s, options, n_options, err);
}

static int source_open(const struct ent_host *host, const char *url, const struct ent_option *options, size_t n_options, struct ent_source **ret,
		       struct ent_err *err)
{
	ENT_CLEANUP(source_closep) struct ent_source *s = (struct ent_source *)calloc(1, sizeof *s);
	if (!s)
		return ent_nomem(err);
	s->duck.host = *host;
	ENT_TRY(source_start(s, url, options, n_options, err));
	*ret = s;
	s = NULL;
	return 0;
}

/* --- describing --- */

struct columns { /* what DESCRIBE says, while a view is made */
	const struct ent_duck_overrides *overrides;
	const struct ent_duck_json_losses *losses;
	struct ent_field *fields;
	const char **casts;
	size_t n, n_supported;
};

static void columns_deinit(struct columns *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free((char *)(uintptr_t)c->fields[i].name);
		free((char *)(uintptr_t)c->fields[i].native);
		free((char *)(uintptr_t)c->fields[i].unsupported);
	}
	free(c->fields);
	free(c->casts);
}

static char *text_dup(const struct ent_view *v, size_t row)
{
	struct ent_bytes t = ent_view_text(v, row);
	return strndup((const char *)t.data, t.len);
}

/* JSON numbers that would be rounded make their column one that is not read. */
static bool loses(const struct ent_duck_json_losses *l, const char *name, char reason[200])
{
	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->all[i].field, name) != 0)
			continue;
		snprintf(reason, 200, "row %llu has a number with more digits than a reader of JSON keeps; as a text it would be whole",
			 (unsigned long long)l->all[i].row);
		return true;
	}
	snprintf(reason, 200, "more fields have numbers with too many digits than are looked at one by one");
	return l->more;
}

static int columns_take(void *arg, const struct ent_batch *b, struct ent_err *err)
{
	struct columns *c = (struct columns *)arg;
	if (c->n + b->rows > ENT_COLUMNS_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "the table has more than %u columns", ENT_COLUMNS_MAX);
	for (size_t r = 0; r < b->rows; r++) {
		char reason[200] = "";
		struct ent_field *f = &c->fields[c->n];
		f->name = text_dup(&b->columns[0], r);
		f->native = text_dup(&b->columns[1], r);
		f->nullable = ent_view_int(&b->columns[2], r) != 0;
		c->n++;
		if (!f->name || !f->native)
			return ent_nomem(err);
		const struct ent_duck_override *asked = ent_duck_override_find(c->overrides, f->name);
		enum ent_duck_use use = ent_duck_type_by_name(f->native, &f->type, &c->casts[c->n - 1], reason);
		if (use == ENT_DUCK_JOINT && asked)
			f->type = asked->type;
		if (loses(c->losses, f->name, reason))
			use = ENT_DUCK_NONE;
		f->copied = use == ENT_DUCK_COPIED;
		if (use == ENT_DUCK_JOINT)
			c->n_supported++;
		else if (!(f->unsupported = ent_strdup(reason)))
			return ent_nomem(err);
	}
	return 0;
}

/* Object "table" or "schema.table" as the three names of the attached database. */
static void table_split(const char *object, char schema[256], const char **ret_table)
{
	const char *dot = strchr(object, '.');
	size_t n = dot ? (size_t)(dot - object) : 0;
	snprintf(schema, 256, "%.*s", dot && n < 256 ? (int)n : 4, dot && n < 256 ? object : "main");
	*ret_table = dot ? dot + 1 : object;
}

static void from_put(struct ent_source *s, const char *object, struct ent_buf *out)
{
	char schema[256];
	const char *table;
	if (s->file != ENT_DUCK_DATABASE) {
		ent_buf_put(out, s->reader.data, s->reader.len);
		return;
	}
	table_split(object, schema, &table);
	ent_buf_str(out, s->place.path ? "dst." : "src.");
	ent_duck_name(out, schema);
	ent_buf_str(out, ".");
	ent_duck_name(out, table);
}

static int columns_read(struct ent_source *s, const char *object, struct columns *c, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(SQL_BYTES_MAX);
	ENT_STREAM_AUTO rows = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	c->fields = (struct ent_field *)calloc(ENT_COLUMNS_MAX, sizeof *c->fields);
	c->casts = (const char **)calloc(ENT_COLUMNS_MAX, sizeof(char *));
	if (!c->fields || !c->casts)
		return ent_nomem(err);
	ent_buf_str(&sql, "SELECT column_name, column_type, \"null\" <> 'NO' FROM (DESCRIBE ");
	ent_buf_str(&sql, s->file == ENT_DUCK_DATABASE ? "" : "SELECT * FROM ");
	from_put(s, object, &sql);
	ent_buf_str(&sql, ")");
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(ent_duck_stream(reads(s), ent_buf_text(&sql), NULL, 0, &rows, err));
	ENT_TRY(ent_stream_schema(&rows, &schema, err));
	return ent_stream_each(&rows, &schema, columns_take, c, err);
}

/* The primary key, in the words of ENT_META_KEYS; nothing for files. */
static int keys_read(struct ent_source *s, const char *object, struct ent_buf *out, struct ent_err *err)
{
	char schema[256];
	const char *table;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(8192);
	if (s->file != ENT_DUCK_DATABASE)
		return 0;
	table_split(object, schema, &table);
	ent_buf_printf(&sql,
		       "SELECT string_agg(array_to_string(constraint_column_names, chr(9)), chr(10)) FROM duckdb_constraints() "
		       "WHERE database_name = '%s' AND constraint_type = 'PRIMARY KEY' AND schema_name = ",
		       s->place.path ? "dst" : "src");
	ent_duck_literal(&sql, schema);
	ent_buf_str(&sql, " AND table_name = ");
	ent_duck_literal(&sql, table);
	ENT_TRY(ent_buf_check(&sql, err));
	return ent_duck_text(reads(s), ent_buf_text(&sql), "the keys cannot be read", out, err);
}

/* One column as it is read: asked for, cast, or as it is, under its own name. */
static void column_put(struct ent_source *s, const struct ent_field *f, const char *cast, struct ent_buf *sql)
{
	if (ent_duck_override_cast(&s->overrides, f->name, sql))
		return;
	ent_buf_str(sql, cast ? "CAST(" : "");
	ent_duck_name(sql, f->name);
	if (cast)
		ent_buf_printf(sql, " AS %s)", cast);
	ent_buf_str(sql, " AS ");
	ent_duck_name(sql, f->name);
}

static int view_create(struct ent_source *s, const struct view *v, const struct columns *c, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(SQL_BYTES_MAX);
	bool first = true;
	ent_buf_printf(&sql, "CREATE VIEW %s AS SELECT ", v->relation);
	for (size_t i = 0; i < c->n; i++) {
		if (c->fields[i].unsupported)
			continue;
		ent_buf_str(&sql, first ? "" : ", ");
		first = false;
		column_put(s, &c->fields[i], c->casts[i], &sql);
	}
	ent_buf_str(&sql, " FROM ");
	from_put(s, v->object, &sql);
	ENT_TRY(ent_buf_check(&sql, err));
	return ent_duck_run(&s->duck, ent_buf_text(&sql), "the table cannot be read", err);
}

static int view_fill(struct ent_source *s, struct view *v, struct ent_err *err)
{
	ENT_CLEANUP(columns_deinit) struct columns c = { .overrides = &s->overrides, .losses = &s->losses };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf keys = ENT_BUF(16384);
	int code = columns_read(s, v->object, &c, err);
	if (code == ENT_ESQL && s->file == ENT_DUCK_DATABASE) {
		ent_fail(err, ENT_ENOTFOUND, "there is no table %.200s in the DuckDB database", v->object);
		return ENT_ENOTFOUND;
	}
	ENT_TRY(code);
	ENT_TRY(keys_read(s, v->object, &keys, err));
	ENT_TRY(ent_schema_new(c.fields, c.n, ent_buf_text(&keys), &v->schema, err));
	v->joint = c.n_supported > 0 && !s->place.path; /* nothing is made in a target */
	return v->joint ? view_create(s, v, &c, err) : 0;
}

static void view_freep(struct view **v)
{
	if (*v)
		view_free(*v);
}

static int object_check(struct ent_source *s, const char *object, struct ent_err *err)
{
	if (s->place.path && s->file != ENT_DUCK_DATABASE)
		return ent_fail(err, ENT_EUNSUPPORTED, "a file that is being written cannot be read");
	if (s->file != ENT_DUCK_DATABASE && object[0])
		return ent_fail(err, ENT_EUSAGE, "a file has no #%.60s: leave it out", object);
	if (s->file == ENT_DUCK_DATABASE && !object[0])
		return ent_fail(err, ENT_EUSAGE, "name a table: duckdb:FILE#TABLE or duckdb:FILE#SCHEMA.TABLE");
	if (strlen(object) > 250 || !ent_utf8_valid(ent_bytes_str(object)))
		return ent_fail(err, ENT_EUSAGE, "the name of the table is too long or not UTF-8");
	return s->place.path ? ent_duck_place_attach(&s->place, err) : 0;
}

/* The view of an object, made at its first use. Lent until the source closes. */
static int view_of(struct ent_source *s, const char *object, struct view **ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf name = ENT_BUF(1000), quoted = ENT_BUF(1000);
	ENT_TRY(object_check(s, object, err));
	for (struct view *v = s->views; v; v = v->next) {
		if (!strcmp(v->object, object)) {
			*ret = v;
			return 0;
		}
	}
	ent_buf_printf(&name, object[0] ? RELATION_FILE " of %s" : RELATION_FILE "%s", object);
	ent_duck_name(&quoted, ent_buf_text(&name));
	ENT_CLEANUP(view_freep) struct view *v = (struct view *)calloc(1, sizeof *v);
	if (!v || !(v->object = ent_strdup(object)) || !(v->relation = ent_strdup(ent_buf_text(&quoted))))
		return ent_nomem(err);
	ENT_TRY(view_fill(s, v, err));
	v->next = s->views;
	s->views = v;
	*ret = v;
	v = NULL;
	return 0;
}

static void version_put(const char *path, char out[80])
{
	struct stat st, wal = { 0 };
	char log[PATH_MAX + 8];
	snprintf(log, sizeof log, "%s.wal", path);
	(void)stat(log, &wal);
	if (stat(path, &st) == 0)
		snprintf(out, 80, "%lld.%09ld+%lld/%lld+%lld", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (long long)st.st_size,
			 (long long)wal.st_mtim.tv_sec, (long long)wal.st_size);
}

static int source_describe(struct ent_source *s, const char *object, struct ArrowSchema *ret_schema, struct ent_object *ret_object,
			   struct ent_err *err)
{
	struct view *v;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(SQL_BYTES_MAX), count = ENT_BUF(64);
	struct ent_object o = { .size = sizeof o, .rows = -1 };
	uint64_t rows;
	ENT_TRY(view_of(s, object, &v, err));
	ent_buf_str(&sql, "SELECT CAST(count(*) AS VARCHAR) FROM ");
	from_put(s, object, &sql);
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(ent_duck_text(reads(s), ent_buf_text(&sql), "the rows cannot be counted", &count, err));
	if (ent_parse_u64(ent_buf_text(&count), count.len, INT64_MAX, &rows))
		o.rows = (int64_t)rows;
	snprintf(o.relation, sizeof o.relation, "%s", v->relation);
	version_put(s->path, o.version);
	ENT_TRY(ent_schema_dup(&v->schema, ret_schema, err));
	*ret_object = o;
	return 0;
}

/* --- reading --- */

static int source_scan(struct ent_source *s, const char *object, const char *const *columns, size_t n_columns, struct ArrowArrayStream *ret,
		       struct ent_err *err)
{
	struct view *v;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(SQL_BYTES_MAX);
	ENT_TRY(view_of(s, object, &v, err));
	if (!n_columns)
		return ent_fail(err, ENT_EUSAGE, "a scan needs at least one column");
	ent_buf_str(&sql, "SELECT ");
	for (size_t i = 0; i < n_columns; i++) {
		struct ent_field_info f;
		int at = ent_schema_find(&v->schema, columns[i]);
		if (at < 0)
			return ent_fail(err, ENT_ENOTFOUND, "there is no column %.200s", columns[i]);
		ent_schema_field(&v->schema, (size_t)at, &f);
		if (f.unsupported[0])
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be read: %s", columns[i], f.unsupported);
		ent_buf_str(&sql, i ? ", " : "");
		ent_duck_name(&sql, columns[i]);
	}
	ent_buf_printf(&sql, " FROM %s", v->relation);
	ENT_TRY(ent_buf_check(&sql, err));
	return ent_duck_stream(reads(s), ent_buf_text(&sql), NULL, 0, ret, err);
}

/* --- copying --- */

/* The fields of a copy, in the order asked; natives stay with columns. */
static int fields_choose(const struct columns *c, const struct ent_read *what, const struct ent_field **ret, const char **casts, size_t *ret_n,
			 struct ent_err *err)
{
	size_t n = 0, all = what->columns ? what->n_columns : c->n;
	for (size_t i = 0; i < all; i++) {
		size_t at = i;
		for (at = what->columns ? 0 : i; what->columns && at < c->n && strcmp(c->fields[at].name, what->columns[i]) != 0;)
			at++;
		if (at == c->n)
			return ent_fail(err, ENT_ENOTFOUND, "there is no column %.200s", what->columns[i]);
		const struct ent_field *f = &c->fields[at];
		if (f->unsupported && !f->copied && what->columns)
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be copied: %s", f->name, f->unsupported);
		if (f->unsupported && !f->copied)
			continue;
		casts[n] = c->casts[at];
		ret[n++] = f;
	}
	*ret_n = n;
	return n ? 0 : ent_fail(err, ENT_EUNSUPPORTED, "no column has a type that can be copied");
}

static const char *row_number(const struct ent_source *s)
{
	return s->file == ENT_DUCK_DATABASE ? "rowid" : s->file == ENT_DUCK_PARQUET ? "file_row_number" : NULL;
}

static int conditions_put(struct ent_source *s, const struct ent_read *what, struct ent_buf *sql, struct ent_err *err)
{
	unsigned long long from, to;
	char end;
	bool split = what->split && what->split[0];
	if (split && (!row_number(s) || sscanf(what->split, "rows %llu %llu%c", &from, &to, &end) != 2))
		return ent_fail(err, ENT_EUSAGE, "%.60s is no split of this source", what->split);
	if (split)
		ent_buf_printf(sql, " WHERE %s >= %llu AND %s <= %llu", row_number(s), from, row_number(s), to);
	if (what->where)
		ent_buf_printf(sql, "%s (%s\n)", split ? " AND" : " WHERE", what->where);
	return ent_buf_check(sql, err);
}

/* FROM a Parquet file with its row numbers, else as for the view. */
static void from_numbered(struct ent_source *s, const char *object, bool split, struct ent_buf *sql)
{
	if (s->file != ENT_DUCK_PARQUET || !split) {
		from_put(s, object, sql);
		return;
	}
	ent_buf_put(sql, s->reader.data, s->reader.len - 1);
	ent_buf_str(sql, ", file_row_number = true)");
}

struct renamed { /* a stream of DuckDB with our schema: native types, keys, NULL flags */
	struct ArrowArrayStream rows;
};

static int renamed_next(void *self, struct ArrowArray *ret, struct ent_err *err)
{
	return ent_stream_next(&((struct renamed *)self)->rows, ret, err);
}

static void renamed_free(void *self)
{
	ent_stream_release(&((struct renamed *)self)->rows);
	free(self);
}

static const struct ent_stream_ops renamed_ops = { renamed_next, renamed_free };

/* DuckDB's result formats under the names and natures of the columns. */
static int schema_join(const struct ArrowSchema *rows, const struct ent_field *const *fields, size_t n, const char *keys, struct ArrowSchema *ret,
		       struct ent_err *err)
{
	struct ent_field *all = (struct ent_field *)calloc(n + 1, sizeof *all);
	if (!all)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++) {
		struct ent_field_info f;
		ent_schema_field(rows, i, &f);
		all[i] = (struct ent_field){ .name = fields[i]->name,
					     .type = f.type,
					     .nullable = fields[i]->nullable,
					     .native = fields[i]->native,
					     .format = rows->children[i]->format };
	}
	int code = ent_schema_new(all, n, keys, ret, err);
	free(all);
	return code;
}

static int read_start(struct ent_source *s, const struct ent_read *what, const struct columns *c, const char *keys, struct ArrowArrayStream *ret,
		      struct ent_err *err)
{
	const struct ent_field **fields = (const struct ent_field **)calloc(2 * ENT_COLUMNS_MAX, sizeof *fields);
	const char **casts = (const char **)(void *)(fields + ENT_COLUMNS_MAX);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(SQL_BYTES_MAX);
	ENT_SCHEMA_AUTO from = { 0 }, schema = { 0 };
	struct renamed *given = (struct renamed *)calloc(1, sizeof *given);
	size_t n = 0;
	int code = fields && given ? fields_choose(c, what, fields, casts, &n, err) : ent_nomem(err);
	for (size_t i = 0; i < n; i++) {
		ent_buf_str(&sql, i ? ", " : "SELECT ");
		column_put(s, fields[i], casts[i], &sql);
	}
	ent_buf_str(&sql, " FROM ");
	from_numbered(s, what->object, what->split && what->split[0], &sql);
	code = code ? code : conditions_put(s, what, &sql, err);
	code = code ? code : ent_duck_stream(reads(s), ent_buf_text(&sql), NULL, 0, &given->rows, err);
	code = code ? code : ent_stream_schema(&given->rows, &from, err);
	code = code ? code : schema_join(&from, fields, n, what->columns ? NULL : keys, &schema, err);
	free(fields);
	if (code && given)
		renamed_free(given);
	return code ? code : ent_stream_new(&schema, &renamed_ops, given, ret, err);
}

static int source_read(struct ent_source *s, const struct ent_read *what, struct ArrowArrayStream *ret, struct ent_err *err)
{
	ENT_CLEANUP(columns_deinit) struct columns c = { .overrides = &s->overrides, .losses = &s->losses };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf keys = ENT_BUF(16384);
	ENT_TRY(object_check(s, what->object, err));
	if (what->flags & ENT_READ_WIRE)
		return ent_fail(err, ENT_EUNSUPPORTED, "DuckDB has no wire images of rows");
	ENT_TRY(columns_read(s, what->object, &c, err));
	ENT_TRY(keys_read(s, what->object, &keys, err));
	return read_start(s, what, &c, ent_buf_text(&keys), ret, err);
}

static int source_plan(struct ent_source *s, const char *object, uint64_t rows, int (*take)(void *arg, const char *split, int64_t rows), void *arg,
		       struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(SQL_BYTES_MAX), text = ENT_BUF(64);
	uint64_t last = 0;
	ENT_TRY(object_check(s, object, err));
	if (!row_number(s) || !rows)
		return take(arg, "", -1);
	ent_buf_printf(&sql, "SELECT CAST(max(%s) AS VARCHAR) FROM ", row_number(s));
	from_numbered(s, object, true, &sql);
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(ent_duck_text(reads(s), ent_buf_text(&sql), "the rows cannot be counted", &text, err));
	if (!text.len || !ent_parse_u64(ent_buf_text(&text), text.len, INT64_MAX, &last) || last < rows)
		return take(arg, "", -1);
	for (uint64_t from = 0; from <= last; from += rows) {
		char split[80];
		snprintf(split, sizeof split, "rows %llu %llu", (unsigned long long)from,
			 (unsigned long long)(last - from < rows ? INT64_MAX : from + rows - 1));
		ENT_TRY(take(arg, split, (int64_t)(last - from < rows ? last - from + 1 : rows)));
	}
	return 0;
}

static int source_query(struct ent_source *s, const char *object, const char *sql, const struct ent_param *params, size_t n_params,
			struct ArrowArrayStream *ret, struct ent_err *err)
{
	struct view *v;
	ENT_TRY(view_of(s, object, &v, err));
	return ent_duck_stream(reads(s), sql, params, n_params, ret, err);
}

/* --- writing: see duck_sink.h --- */

static int source_map(struct ent_source *s, const struct ent_target *target, struct ent_map_line *lines, int *ret_exists, struct ent_err *err)
{
	ENT_CLEANUP(ent_duck_place_close) struct ent_duck_place place = { 0 };
	if (s->place.path)
		return ent_duck_map(&s->place, target, lines, ret_exists, err);
	ENT_TRY(ent_duck_place_open(&s->duck.host, s->path, s->file, NULL, 0, &place, err)); /* a dry run */
	place.read_only = true;
	return ent_duck_map(&place, target, lines, ret_exists, err);
}

static int source_sink(struct ent_source *s, const char *job, uint64_t *epoch, struct ent_sink **ret, struct ent_err *err)
{
	if (!s->place.path)
		return ent_fail(err, ENT_EINTERNAL, "the source was opened for reading only");
	return ent_duck_sink_open(&s->place, job, epoch, ret, err);
}

EXPORT const struct ent_connector *ent_connector_entry(void);
const struct ent_connector *ent_connector_entry(void)
{
	static const struct ent_connector connector = { .size = sizeof connector,
							.abi = ENT_CONNECTOR_ABI,
							.name = "duckdb",
							.schemes = "file duckdb",
							.suffixes = "csv tsv parquet json ndjson jsonl",
							.dialect = "duckdb",
							.capabilities = ENT_CAP_SNAPSHOT | ENT_CAP_SPLIT | ENT_CAP_SQL | ENT_CAP_WRITE |
									ENT_CAP_TXN_SINK | ENT_CAP_UPSERT,
							.open = source_open,
							.close = source_close,
							.describe = source_describe,
							.scan = source_scan,
							.query = source_query,
							.plan = source_plan,
							.read = source_read,
							.map = source_map,
							.sink_open = source_sink,
							.sink_table = ent_duck_sink_table,
							.sink_rows = ent_duck_sink_rows,
							.sink_changes = ent_duck_sink_changes,
							.sink_alter = ent_duck_sink_alter,
							.sink_truncate = ent_duck_sink_truncate,
							.sink_commit = ent_duck_sink_commit,
							.sink_rollback = ent_duck_sink_rollback,
							.sink_last = ent_duck_sink_last,
							.sink_finish = ent_duck_sink_finish,
							.sink_close = ent_duck_sink_close };
	return &connector;
}
