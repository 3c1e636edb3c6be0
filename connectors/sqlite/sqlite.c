/* The SQLite connector: whole columns of one table or view of a database file, read-only. No SQL is pushed down: SQLite's arithmetic and
 * comparisons follow what is stored, not what was declared, so they do not mean the same as the plan's. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "arrow/stream.h"
#include "entente/connector.h"
#include "sqlite_type.h"

#define EXPORT __attribute__((visibility("default")))
#define POLL_STEPS 4000 /* virtual machine steps between two looks at host->cancelled */

struct ent_source {
	struct ent_host host;
	sqlite3 *db;
	char *path;
	bool stopped, late;
	uint64_t begin_ms; /* of the current call */
};

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Called by SQLite while it works. */
static int progress(void *arg)
{
	struct ent_source *s = (struct ent_source *)arg;
	s->stopped = s->stopped || (s->host.cancelled && s->host.cancelled(s->host.self));
	s->late = s->late || (s->host.timeout_ms && now_ms() - s->begin_ms > s->host.timeout_ms);
	return s->stopped || s->late;
}

/* Each call into SQLite starts its own time. */
static void call_begin(struct ent_source *s)
{
	s->begin_ms = now_ms();
	s->stopped = s->late = false;
}

static int failed(struct ent_source *s, const char *what, struct ent_err *err)
{
	int kind = sqlite3_errcode(s->db);
	if (s->stopped)
		return ent_fail(err, ENT_ECANCELLED, "reading from SQLite was cancelled");
	int code = s->late || kind == SQLITE_BUSY || kind == SQLITE_LOCKED                                            ? ENT_EAGAIN
		   : kind == SQLITE_NOMEM                                                                             ? ENT_ENOMEM
		   : kind == SQLITE_NOTADB || kind == SQLITE_CORRUPT || kind == SQLITE_ERROR || kind == SQLITE_FORMAT ? ENT_EDATA
														      : ENT_EIO;
	ent_fail(err, code, "%s", what);
	if (s->late)
		return ent_why(err, "it took longer than %u ms", s->host.timeout_ms), code;
	ent_why(err, "%s", sqlite3_errmsg(s->db));
	if (err)
		err->vendor = kind;
	return code;
}

static void source_close(struct ent_source *s)
{
	if (!s)
		return;
	sqlite3_close_v2(s->db);
	free(s->path);
	free(s);
}
static void source_closep(struct ent_source **s) { source_close(*s); }

static int path_find(const char *url, char **ret, struct ent_err *err)
{
	const char *path = !strncmp(url, "sqlite:", 7) ? url + 7 : url;
	struct stat st;
	if (stat(path, &st) != 0) {
		int code = errno == ENOENT || errno == ENOTDIR ? ENT_ENOTFOUND : errno == EACCES ? ENT_EDENIED : ENT_EIO;
		return ent_fail(err, code, "cannot open %.200s", path);
	}
	if (!S_ISREG(st.st_mode))
		return ent_fail(err, ENT_EDATA, "%.200s is not a file", path);
	*ret = realpath(path, NULL);
	return *ret ? 0 : ent_nomem(err);
}

static int settle(struct ent_source *s, struct ent_err *err)
{
	static const char what[] = "this is no SQLite database that can be read";
	call_begin(s);
	sqlite3_progress_handler(s->db, POLL_STEPS, progress, s);
	sqlite3_busy_timeout(s->db, s->host.timeout_ms && s->host.timeout_ms < 5000 ? (int)s->host.timeout_ms : 5000);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	if (sqlite3_exec(s->db, "PRAGMA query_only = ON; PRAGMA cell_size_check = ON; SELECT count(*) FROM sqlite_master", NULL, NULL, NULL) !=
	    SQLITE_OK)
		return failed(s, what, err);
	return 0;
}

static int source_open(const struct ent_host *host, const char *url, const struct ent_option *options, size_t n_options, struct ent_source **ret,
		       struct ent_err *err)
{
	if (n_options)
		return ent_fail(err, ENT_EUSAGE, "SQLite has no option --%.60s", options[0].key);
	ENT_CLEANUP(source_closep) struct ent_source *s = (struct ent_source *)calloc(1, sizeof *s);
	if (!s)
		return ent_nomem(err);
	s->host = *host;
	ENT_TRY(path_find(url, &s->path, err));
	if (sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL) != SQLITE_OK)
		return s->db ? failed(s, "the SQLite database cannot be opened", err) : ent_nomem(err);
	ENT_TRY(settle(s, err));
	*ret = s;
	s = NULL;
	return 0;
}

/* --- describing --- */

static void name_put(struct ent_buf *out, const char *name)
{
	ent_buf_u8(out, '"');
	for (; *name; name++) {
		if (*name == '"')
			ent_buf_u8(out, '"');
		ent_buf_u8(out, (uint8_t)*name);
	}
	ent_buf_u8(out, '"');
}

static void statement_freep(sqlite3_stmt **s) { sqlite3_finalize(*s); }
#define STATEMENT_AUTO ENT_CLEANUP(statement_freep) sqlite3_stmt *

static int prepare(struct ent_source *s, const char *sql, const char *object, sqlite3_stmt **ret, struct ent_err *err)
{
	call_begin(s);
	if (sqlite3_prepare_v3(s->db, sql, -1, 0, ret, NULL) != SQLITE_OK ||
	    (object && sqlite3_bind_text(*ret, 1, object, -1, SQLITE_STATIC) != SQLITE_OK))
		return failed(s, "the table cannot be read", err);
	return 0;
}

struct columns {
	struct ent_field *all;
	char (*names)[256], (*natives)[160], (*reasons)[200];
	size_t n;
};
static void columns_deinit(struct columns *c)
{
	free(c->all);
	free(c->names);
	free(c->natives);
	free(c->reasons);
}

static int column_read(struct columns *c, sqlite3_stmt *s, struct ent_err *err)
{
	const char *name = (const char *)sqlite3_column_text(s, 0), *declared = (const char *)sqlite3_column_text(s, 1);
	struct ent_field *f = &c->all[c->n];
	if (c->n >= ENT_COLUMNS_MAX || !name || strlen(name) > 255)
		return ent_fail(err, ENT_EUNSUPPORTED, "the table has too many columns, or a name longer than 255 bytes");
	memcpy(c->names[c->n], name, strlen(name) + 1);
	snprintf(c->natives[c->n], sizeof c->natives[0], "%s", declared && declared[0] ? declared : "(none)");
	*f = (struct ent_field){ .name = c->names[c->n], .native = c->natives[c->n], .nullable = sqlite3_column_int(s, 2) == 0 };
	if (!ent_sqlite_type(declared, &f->type, c->reasons[c->n]))
		f->unsupported = c->reasons[c->n];
	c->n++;
	return 0;
}

/* An INTEGER PRIMARY KEY is the row id and never NULL; other primary keys may hold NULL in SQLite unless they say otherwise. */
static const char columns_sql[] =
	"SELECT x.name, x.type, x.\"notnull\" OR (x.pk = 1 AND upper(x.type) = 'INTEGER' AND "
	"(SELECT count(*) FROM pragma_table_xinfo(?1) AS k WHERE k.pk > 0) = 1) FROM pragma_table_xinfo(?1) AS x WHERE x.hidden <> 1 ORDER BY x.cid";

static const char keys_sql[] = "SELECT group_concat(k.names, char(10)) FROM (SELECT 0 AS place, name AS names FROM pragma_table_info(?1) WHERE pk = "
			       "1 AND upper(type) = 'INTEGER' "
			       "AND (SELECT count(*) FROM pragma_table_info(?1) WHERE pk > 0) = 1 UNION ALL "
			       "SELECT 1, (SELECT group_concat(name, char(9)) FROM pragma_index_info(i.name)) FROM pragma_index_list(?1) AS i WHERE "
			       "i.\"unique\" AND NOT i.partial "
			       "AND NOT EXISTS (SELECT 1 FROM pragma_index_info(i.name) AS c LEFT JOIN pragma_table_info(?1) AS t ON t.name = c.name "
			       "WHERE t.name IS NULL OR NOT t.\"notnull\") "
			       "ORDER BY 1, 2) AS k";

static int columns_read(struct ent_source *s, const char *object, struct columns *c, struct ent_err *err)
{
	STATEMENT_AUTO st = NULL;
	int step;
	c->all = (struct ent_field *)calloc(ENT_COLUMNS_MAX, sizeof *c->all);
	c->names = (char(*)[256])calloc(ENT_COLUMNS_MAX, sizeof *c->names);
	c->natives = (char(*)[160])calloc(ENT_COLUMNS_MAX, sizeof *c->natives);
	c->reasons = (char(*)[200])calloc(ENT_COLUMNS_MAX, sizeof *c->reasons);
	if (!c->all || !c->names || !c->natives || !c->reasons)
		return ent_nomem(err);
	ENT_TRY(prepare(s, columns_sql, object, &st, err));
	while ((step = sqlite3_step(st)) == SQLITE_ROW)
		ENT_TRY(column_read(c, st, err));
	if (step != SQLITE_DONE)
		return failed(s, "the table cannot be described", err);
	if (!c->n)
		return ent_fail(err, ENT_ENOTFOUND, "there is no table %.200s in the SQLite database", object);
	return 0;
}

static int schema_read(struct ent_source *s, const char *object, struct ArrowSchema *ret, struct ent_err *err)
{
	ENT_CLEANUP(columns_deinit) struct columns c = { 0 };
	STATEMENT_AUTO keys = NULL;
	if (!object[0])
		return ent_fail(err, ENT_EUSAGE, "name a table: sqlite:FILE#TABLE");
	ENT_TRY(columns_read(s, object, &c, err));
	ENT_TRY(prepare(s, keys_sql, object, &keys, err));
	if (sqlite3_step(keys) != SQLITE_ROW)
		return failed(s, "the keys cannot be described", err);
	return ent_schema_new(c.all, c.n, (const char *)sqlite3_column_text(keys, 0), ret, err);
}

static void version_put(const char *path, char out[80])
{
	struct stat st, wal = { 0 };
	char log[PATH_MAX + 8];
	snprintf(log, sizeof log, "%s-wal", path);
	(void)stat(log, &wal);
	if (stat(path, &st) == 0)
		snprintf(out, 80, "%lld.%09ld+%lld/%lld+%lld", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (long long)st.st_size,
			 (long long)wal.st_mtim.tv_sec, (long long)wal.st_size);
}

static int source_describe(struct ent_source *s, const char *object, struct ArrowSchema *ret_schema, struct ent_object *ret_object,
			   struct ent_err *err)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf name = ENT_BUF(2000), sql = ENT_BUF(2000);
	struct ent_object o = { .size = sizeof o, .rows = -1 };
	STATEMENT_AUTO count = NULL;
	ENT_TRY(schema_read(s, object, &schema, err));
	name_put(&name, object);
	ent_buf_printf(&sql, "SELECT count(*) FROM %s", ent_buf_text(&name));
	ENT_TRY(ent_buf_check(&sql, err));
	if (name.len >= sizeof o.relation)
		return ent_fail(err, ENT_EUNSUPPORTED, "the name of the table is too long");
	snprintf(o.relation, sizeof o.relation, "%s", ent_buf_text(&name));
	ENT_TRY(prepare(s, ent_buf_text(&sql), NULL, &count, err));
	if (sqlite3_step(count) != SQLITE_ROW)
		return failed(s, "the rows cannot be counted", err);
	o.rows = sqlite3_column_int64(count, 0);
	version_put(s->path, o.version);
	*ret_schema = ent_schema_take(&schema);
	*ret_object = o;
	return 0;
}

/* --- scanning --- */

struct scan {
	struct ent_source *source;
	sqlite3_stmt *statement;
	struct ArrowSchema schema;
	struct ent_builder *builder;
	uint64_t rows;
	bool done;
};

static void scan_free(void *self)
{
	struct scan *c = (struct scan *)self;
	if (!c)
		return;
	sqlite3_finalize(c->statement);
	ent_builder_free(c->builder);
	ent_schema_release(&c->schema);
	free(c);
}
static void scan_freep(struct scan **c) { scan_free(*c); }

static int scan_next(void *self, struct ArrowArray *ret, struct ent_err *err)
{
	struct scan *c = (struct scan *)self;
	call_begin(c->source);
	if (progress(c->source))
		return failed(c->source, "reading the table stopped", err);
	while (!c->done && !ent_builder_full(c->builder)) {
		int step = sqlite3_step(c->statement);
		if (step == SQLITE_DONE) {
			c->done = true;
			break;
		}
		if (step != SQLITE_ROW)
			return failed(c->source, "reading the table stopped", err);
		c->rows++;
		for (int i = 0; i < (int)c->schema.n_children; i++)
			ENT_TRY(ent_sqlite_value_put(c->builder, i, c->schema.children[i]->name, c->rows, c->statement, err));
	}
	return ent_builder_rows(c->builder) ? ent_builder_finish(c->builder, ret, err) : 0;
}

static const struct ent_stream_ops scan_ops = { scan_next, scan_free };

/* The fields asked for, in their order, and the SELECT that reads them. */
static int scan_prepare(struct scan *c, const struct ArrowSchema *table, const char *object, const char *const *columns, size_t n_columns,
			struct ent_field *fields, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)2 << 20);
	for (size_t i = 0; i < n_columns; i++) {
		struct ent_field_info f;
		int at = ent_schema_find(table, columns[i]);
		if (at < 0)
			return ent_fail(err, ENT_ENOTFOUND, "there is no column %.200s", columns[i]);
		ent_schema_field(table, (size_t)at, &f);
		if (f.unsupported[0])
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be read: %s", columns[i], f.unsupported);
		fields[i] = (struct ent_field){ .name = columns[i], .type = f.type, .nullable = f.nullable };
		ent_buf_str(&sql, i ? ", " : "SELECT ");
		name_put(&sql, columns[i]);
	}
	ent_buf_str(&sql, " FROM ");
	name_put(&sql, object);
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(ent_schema_new(fields, n_columns, NULL, &c->schema, err));
	ENT_TRY(ent_builder_new(&c->schema, 0, &c->builder, err));
	return prepare(c->source, ent_buf_text(&sql), NULL, &c->statement, err);
}

static void fields_freep(struct ent_field **f) { free(*f); }

static int source_scan(struct ent_source *s, const char *object, const char *const *columns, size_t n_columns, struct ArrowArrayStream *ret,
		       struct ent_err *err)
{
	ENT_SCHEMA_AUTO table = { 0 }, schema = { 0 };
	ENT_CLEANUP(scan_freep) struct scan *c = (struct scan *)calloc(1, sizeof *c);
	ENT_CLEANUP(fields_freep) struct ent_field *fields = (struct ent_field *)calloc(n_columns + 1, sizeof *fields);
	if (!c || !fields)
		return ent_nomem(err);
	c->source = s;
	if (!n_columns)
		return ent_fail(err, ENT_EUSAGE, "a scan needs at least one column");
	ENT_TRY(schema_read(s, object, &table, err));
	ENT_TRY(scan_prepare(c, &table, object, columns, n_columns, fields, err));
	ENT_TRY(ent_schema_dup(&c->schema, &schema, err));
	struct scan *given = c;
	c = NULL;
	return ent_stream_new(&schema, &scan_ops, given, ret, err);
}

EXPORT const struct ent_connector *ent_connector_entry(void);
const struct ent_connector *ent_connector_entry(void)
{
	static const struct ent_connector connector = { .size = sizeof connector,
							.abi = ENT_CONNECTOR_ABI,
							.name = "sqlite",
							.schemes = "sqlite",
							.suffixes = "",
							.dialect = "sqlite",
							.capabilities = ENT_CAP_SNAPSHOT,
							.open = source_open,
							.close = source_close,
							.describe = source_describe,
							.scan = source_scan };
	return &connector;
}
