/* The SQLite connector: whole columns of one table or view of a database file, read-only. No SQL is pushed down: SQLite's arithmetic and
 * comparisons follow what is stored, not what was declared, so they do not mean the same as the plan's. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "sqlite_inner.h"
#include "sqlite_type.h"

#define EXPORT __attribute__((visibility("default")))
#define POLL_STEPS 4000 /* virtual machine steps between two looks at host->cancelled */

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

bool ent_sqlite_stopped(struct ent_source *s) { return progress(s) != 0; }

void ent_sqlite_call_begin(struct ent_source *s)
{
	s->begin_ms = now_ms();
	s->stopped = s->late = false;
}

int ent_sqlite_failed(struct ent_source *s, const char *what, struct ent_err *err)
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

static int path_find(const char *url, bool writable, char **ret, struct ent_err *err)
{
	const char *path = !strncmp(url, "sqlite:", 7) ? url + 7 : url;
	struct stat st;
	if (writable && stat(path, &st) != 0 && errno == ENOENT)
		return (*ret = ent_strdup(path)) ? 0 : ent_nomem(err);
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
	ent_sqlite_call_begin(s);
	sqlite3_progress_handler(s->db, POLL_STEPS, progress, s);
	sqlite3_busy_timeout(s->db, s->host.timeout_ms && s->host.timeout_ms < 5000 ? (int)s->host.timeout_ms : 5000);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	ENT_TRY(ent_sqlite_run(s, "PRAGMA cell_size_check = ON; SELECT count(*) FROM sqlite_master", what, err));
	return ent_sqlite_run(s, s->writable ? "PRAGMA synchronous = FULL" : "PRAGMA query_only = ON", what, err);
}

static int source_open(const struct ent_host *host, const char *url, const struct ent_option *options, size_t n_options, struct ent_source **ret,
		       struct ent_err *err)
{
	bool writable = false;
	for (size_t i = 0; i < n_options; i++) {
		if (strcmp(options[i].key, "access") != 0)
			return ent_fail(err, ENT_EUSAGE, "SQLite has no option --%.60s", options[i].key);
		writable = !strcmp(options[i].value, "write");
	}
	ENT_CLEANUP(source_closep) struct ent_source *s = (struct ent_source *)calloc(1, sizeof *s);
	if (!s)
		return ent_nomem(err);
	s->host = *host;
	s->writable = writable;
	ENT_TRY(path_find(url, writable, &s->path, err));
	int how = writable ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
	if (sqlite3_open_v2(s->path, &s->db, how | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL) != SQLITE_OK)
		return s->db ? ent_sqlite_failed(s, "the SQLite database cannot be opened", err) : ent_nomem(err);
	ENT_TRY(settle(s, err));
	*ret = s;
	s = NULL;
	return 0;
}

/* --- describing --- */

void ent_sqlite_name(struct ent_buf *out, const char *name)
{
	ent_buf_u8(out, '"');
	for (; *name; name++) {
		if (*name == '"')
			ent_buf_u8(out, '"');
		ent_buf_u8(out, (uint8_t)*name);
	}
	ent_buf_u8(out, '"');
}

int ent_sqlite_run(struct ent_source *s, const char *sql, const char *what, struct ent_err *err)
{
	ent_sqlite_call_begin(s);
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : ent_sqlite_failed(s, what, err);
}

int ent_sqlite_prepare(struct ent_source *s, const char *sql, const char *object, sqlite3_stmt **ret, struct ent_err *err)
{
	ent_sqlite_call_begin(s);
	if (sqlite3_prepare_v3(s->db, sql, -1, 0, ret, NULL) != SQLITE_OK ||
	    (object && sqlite3_bind_text(*ret, 1, object, -1, SQLITE_STATIC) != SQLITE_OK))
		return ent_sqlite_failed(s, "the table cannot be read", err);
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
	enum ent_sqlite_use use = ent_sqlite_type(declared, &f->type, c->reasons[c->n]);
	f->unsupported = use == ENT_SQLITE_JOINT ? NULL : c->reasons[c->n];
	f->copied = use == ENT_SQLITE_COPIED;
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
	ENT_TRY(ent_sqlite_prepare(s, columns_sql, object, &st, err));
	while ((step = sqlite3_step(st)) == SQLITE_ROW)
		ENT_TRY(column_read(c, st, err));
	if (step != SQLITE_DONE)
		return ent_sqlite_failed(s, "the table cannot be described", err);
	if (!c->n)
		return ent_fail(err, ENT_ENOTFOUND, "there is no table %.200s in the SQLite database", object);
	return 0;
}

int ent_sqlite_schema(struct ent_source *s, const char *object, struct ArrowSchema *ret, struct ent_err *err)
{
	ENT_CLEANUP(columns_deinit) struct columns c = { 0 };
	STATEMENT_AUTO keys = NULL;
	if (!object[0])
		return ent_fail(err, ENT_EUSAGE, "name a table: sqlite:FILE#TABLE");
	ENT_TRY(columns_read(s, object, &c, err));
	ENT_TRY(ent_sqlite_prepare(s, keys_sql, object, &keys, err));
	if (sqlite3_step(keys) != SQLITE_ROW)
		return ent_sqlite_failed(s, "the keys cannot be described", err);
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
	ENT_TRY(ent_sqlite_schema(s, object, &schema, err));
	ent_sqlite_name(&name, object);
	ent_buf_printf(&sql, "SELECT count(*) FROM %s", ent_buf_text(&name));
	ENT_TRY(ent_buf_check(&sql, err));
	if (name.len >= sizeof o.relation)
		return ent_fail(err, ENT_EUNSUPPORTED, "the name of the table is too long");
	snprintf(o.relation, sizeof o.relation, "%s", ent_buf_text(&name));
	ENT_TRY(ent_sqlite_prepare(s, ent_buf_text(&sql), NULL, &count, err));
	if (sqlite3_step(count) != SQLITE_ROW)
		return ent_sqlite_failed(s, "the rows cannot be counted", err);
	o.rows = sqlite3_column_int64(count, 0);
	version_put(s->path, o.version);
	*ret_schema = ent_schema_take(&schema);
	*ret_object = o;
	return 0;
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
							.capabilities = ENT_CAP_SNAPSHOT | ENT_CAP_SPLIT | ENT_CAP_WRITE | ENT_CAP_TXN_SINK |
									ENT_CAP_UPSERT | ENT_CAP_CDC,
							.open = source_open,
							.close = source_close,
							.describe = source_describe,
							.scan = ent_sqlite_scan,
							.plan = ent_sqlite_plan,
							.read = ent_sqlite_read,
							.map = ent_sqlite_map,
							.sink_open = ent_sqlite_sink_open,
							.sink_table = ent_sqlite_sink_table,
							.sink_rows = ent_sqlite_sink_rows,
							.sink_changes = ent_sqlite_sink_changes,
							.sink_truncate = ent_sqlite_sink_truncate,
							.sink_commit = ent_sqlite_sink_commit,
							.sink_rollback = ent_sqlite_sink_rollback,
							.sink_last = ent_sqlite_sink_last,
							.sink_finish = ent_sqlite_sink_finish,
							.sink_close = ent_sqlite_sink_close,
							.sink_alter = ent_sqlite_sink_alter,
							.changes_open = ent_sqlite_changes_open,
							.changes_next = ent_sqlite_changes_next,
							.changes_ack = ent_sqlite_changes_ack,
							.changes_close = ent_sqlite_changes_close,
							.changes_drop = ent_sqlite_changes_drop,
							.position = ent_sqlite_position,
							.position_reached = ent_sqlite_position_reached };
	return &connector;
}
