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
#include "duck_options.h"
#include "duck_override.h"

#define EXPORT __attribute__((visibility("default")))
#define SQL_BYTES_MAX ((size_t)4 << 20)
#define RELATION_FILE "rows"

struct view { /* one described object */
	struct view *next;
	char *object, *relation; /* relation: quoted */
	struct ArrowSchema schema;
};

struct ent_source {
	struct ent_duck duck;
	enum ent_duck_file file;
	char *path;
	struct ent_buf reader;               /* what stands behind FROM for a file */
	struct ent_duck_overrides overrides; /* CSV only */
	struct view *views;
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
	ent_duck_close(&s->duck);
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

/* What DuckDB guessed about a CSV file, one row per column. Its own summary (Prompt) is not used: it does not quote names and paths. */
static const struct {
	const char *column, *parameter;
} guesses[] = { { "Delimiter", "delim" },
		{ "Quote", "quote" },
		{ "Escape", "escape" },
		{ "Comment", "comment" },
		{ "NewLineDelimiter", "new_line" },
		{ "DateFormat", "dateformat" },
		{ "TimestampFormat", "timestampformat" } };
#define GUESS_SKIP ENT_COUNT(guesses)
#define GUESS_HEADER (ENT_COUNT(guesses) + 1)
#define GUESS_NAME (ENT_COUNT(guesses) + 2)
#define GUESS_TYPE (ENT_COUNT(guesses) + 3)

struct csv {
	struct ent_source *source;
	const struct ent_option *options;
	size_t n_options;
	struct ent_buf columns;
};

static int text_literal(struct ent_buf *out, struct ent_bytes text, struct ent_err *err)
{
	char *copy = strndup((const char *)text.data, text.len);
	if (!copy)
		return ent_nomem(err);
	ent_duck_literal(out, copy);
	free(copy);
	return 0;
}

/* The guesses that no option makes, as arguments. */
static int guesses_put(struct csv *c, const struct ent_batch *b, struct ent_err *err)
{
	struct ent_buf *out = &c->source->reader;
	for (size_t i = 0; i < ENT_COUNT(guesses); i++) {
		struct ent_bytes value = ent_view_text(&b->columns[i], 0);
		if (ent_view_null(&b->columns[i], 0) || ent_duck_options_set(c->options, c->n_options, guesses[i].parameter))
			continue;
		if (ent_bytes_eq(value, ent_bytes_str("(empty)")))
			value = ent_bytes("", 0);
		ent_buf_printf(out, ", %s = ", guesses[i].parameter);
		ENT_TRY(text_literal(out, value, err));
	}
	if (!ent_duck_options_set(c->options, c->n_options, "skip"))
		ent_buf_printf(out, ", skip = %lld", (long long)ent_view_int(&b->columns[GUESS_SKIP], 0));
	if (!ent_duck_options_set(c->options, c->n_options, "header"))
		ent_buf_str(out, ent_view_int(&b->columns[GUESS_HEADER], 0) ? ", header = true" : ", header = false");
	return 0;
}

static int csv_take(void *arg, const struct ent_batch *b, struct ent_err *err)
{
	struct csv *c = (struct csv *)arg;
	if (b->rows && !c->columns.len)
		ENT_TRY(guesses_put(c, b, err));
	for (size_t r = 0; r < b->rows; r++) {
		ent_buf_str(&c->columns, c->columns.len ? ", " : "{");
		ENT_TRY(text_literal(&c->columns, ent_view_text(&b->columns[GUESS_NAME], r), err));
		ent_buf_str(&c->columns, ": ");
		ENT_TRY(text_literal(&c->columns, ent_view_text(&b->columns[GUESS_TYPE], r), err));
	}
	return ent_buf_check(&c->columns, err);
}

static int csv_guess(struct csv *c, const char *args, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(SQL_BYTES_MAX);
	ENT_STREAM_AUTO rows = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	ent_buf_str(&sql, "SELECT ");
	for (size_t i = 0; i < ENT_COUNT(guesses); i++)
		ent_buf_printf(&sql, "%s, ", guesses[i].column);
	ent_buf_str(&sql, "CAST(SkipRows AS BIGINT), HasHeader, c.name, c.type FROM (SELECT *, unnest(Columns) AS c FROM sniff_csv(");
	ent_duck_literal(&sql, c->source->path);
	ent_buf_str(&sql, args);
	ent_duck_overrides_put(&c->source->overrides, &sql);
	ent_buf_str(&sql, "))");
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(ent_duck_stream(&c->source->duck, ent_buf_text(&sql), NULL, 0, &rows, err));
	ENT_TRY(ent_stream_schema(&rows, &schema, err));
	return ent_stream_each(&rows, &schema, csv_take, c, err);
}

/* For CSV, DuckDB looks at the whole file once; the view then reads it with every guess made explicit. */
static int csv_reader(struct ent_source *s, const struct ent_option *options, size_t n_options, const char *args, struct ent_err *err)
{
	struct csv c = { .source = s, .options = options, .n_options = n_options, .columns = ENT_BUF(SQL_BYTES_MAX) };
	ent_buf_str(&s->reader, "read_csv(");
	ent_duck_literal(&s->reader, s->path);
	int code = csv_guess(&c, args, err);
	if (code == ENT_EDATA)
		ent_next(err, "check the file, or say how it is written with --delim, --quote, --escape, --header, --skip or --types");
	if (!code && !c.columns.len)
		code = ent_fail(err, ENT_EDATA, "the CSV file has no columns");
	ent_buf_printf(&s->reader, "%s, auto_detect = false, columns = %s})", args, ent_buf_text(&c.columns));
	ent_buf_deinit(&c.columns);
	return code ? code : ent_buf_check(&s->reader, err);
}

static int reader_make(struct ent_source *s, const struct ent_option *options, size_t n_options, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf args = ENT_BUF(8192);
	ENT_TRY(ent_duck_options_put(s->file, options, n_options, &args, err));
	ENT_TRY(ent_duck_overrides_read(options, n_options, &s->overrides, err));
	if (s->file == ENT_DUCK_DATABASE)
		return 0;
	if (s->file == ENT_DUCK_CSV)
		return csv_reader(s, options, n_options, ent_buf_text(&args), err);
	ent_buf_str(&s->reader, s->file == ENT_DUCK_JSON ? "read_json(" : "read_parquet(");
	ent_duck_literal(&s->reader, s->path);
	ent_buf_str(&s->reader, ent_buf_text(&args));
	ent_buf_str(&s->reader, ")");
	return ent_buf_check(&s->reader, err);
}

static int database_attach(struct ent_source *s, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(16384);
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
		bool known = ent_duck_type_by_name(f->native, &f->type, &c->casts[c->n - 1], reason);
		if (known && asked)
			f->type = asked->type;
		if (known)
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
	ent_buf_str(out, "src.");
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
	ENT_TRY(ent_duck_stream(&s->duck, ent_buf_text(&sql), NULL, 0, &rows, err));
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
	ent_buf_str(&sql, "SELECT string_agg(array_to_string(constraint_column_names, chr(9)), chr(10)) FROM duckdb_constraints() "
			  "WHERE database_name = 'src' AND constraint_type = 'PRIMARY KEY' AND schema_name = ");
	ent_duck_literal(&sql, schema);
	ent_buf_str(&sql, " AND table_name = ");
	ent_duck_literal(&sql, table);
	ENT_TRY(ent_buf_check(&sql, err));
	return ent_duck_text(&s->duck, ent_buf_text(&sql), "the keys cannot be read", out, err);
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
		if (ent_duck_override_cast(&s->overrides, c->fields[i].name, &sql))
			continue;
		ent_buf_str(&sql, c->casts[i] ? "CAST(" : "");
		ent_duck_name(&sql, c->fields[i].name);
		if (c->casts[i]) {
			ent_buf_printf(&sql, " AS %s) AS ", c->casts[i]);
			ent_duck_name(&sql, c->fields[i].name);
		}
	}
	ent_buf_str(&sql, " FROM ");
	from_put(s, v->object, &sql);
	ENT_TRY(ent_buf_check(&sql, err));
	return ent_duck_run(&s->duck, ent_buf_text(&sql), "the table cannot be read", err);
}

static int view_fill(struct ent_source *s, struct view *v, struct ent_err *err)
{
	ENT_CLEANUP(columns_deinit) struct columns c = { .overrides = &s->overrides };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf keys = ENT_BUF(16384);
	int code = columns_read(s, v->object, &c, err);
	if (code == ENT_ESQL && s->file == ENT_DUCK_DATABASE) {
		ent_fail(err, ENT_ENOTFOUND, "there is no table %.200s in the DuckDB database", v->object);
		return ENT_ENOTFOUND;
	}
	ENT_TRY(code);
	if (!c.n_supported)
		return ent_fail(err, ENT_EUNSUPPORTED, "no column has a type that joint queries know");
	ENT_TRY(keys_read(s, v->object, &keys, err));
	ENT_TRY(ent_schema_new(c.fields, c.n, ent_buf_text(&keys), &v->schema, err));
	return view_create(s, v, &c, err);
}

static void view_freep(struct view **v)
{
	if (*v)
		view_free(*v);
}

static int object_check(const struct ent_source *s, const char *object, struct ent_err *err)
{
	if (s->file != ENT_DUCK_DATABASE && object[0])
		return ent_fail(err, ENT_EUSAGE, "a file has no #%.60s: leave it out", object);
	if (s->file == ENT_DUCK_DATABASE && !object[0])
		return ent_fail(err, ENT_EUSAGE, "name a table: duckdb:FILE#TABLE or duckdb:FILE#SCHEMA.TABLE");
	if (strlen(object) > 250 || !ent_utf8_valid(ent_bytes_str(object)))
		return ent_fail(err, ENT_EUSAGE, "the name of the table is too long or not UTF-8");
	return 0;
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
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(2000), count = ENT_BUF(64);
	struct ent_object o = { .size = sizeof o, .rows = -1 };
	uint64_t rows;
	ENT_TRY(view_of(s, object, &v, err));
	ent_buf_printf(&sql, "SELECT CAST(count(*) AS VARCHAR) FROM %s", v->relation);
	ENT_TRY(ent_duck_text(&s->duck, ent_buf_text(&sql), "the rows cannot be counted", &count, err));
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
	return ent_duck_stream(&s->duck, ent_buf_text(&sql), NULL, 0, ret, err);
}

static int source_query(struct ent_source *s, const char *object, const char *sql, const struct ent_param *params, size_t n_params,
			struct ArrowArrayStream *ret, struct ent_err *err)
{
	struct view *v;
	ENT_TRY(view_of(s, object, &v, err));
	return ent_duck_stream(&s->duck, sql, params, n_params, ret, err);
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
							.capabilities = ENT_CAP_SNAPSHOT | ENT_CAP_SQL,
							.open = source_open,
							.close = source_close,
							.describe = source_describe,
							.scan = source_scan,
							.query = source_query };
	return &connector;
}
