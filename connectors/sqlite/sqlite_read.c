/* Reading tables: whole columns for joint queries; everything that can be copied, by ranges of rowid, for copies. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "sqlite_inner.h"
#include "sqlite_type.h"

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
	ent_sqlite_call_begin(c->source);
	if (ent_sqlite_stopped(c->source))
		return ent_sqlite_failed(c->source, "reading the table stopped", err);
	while (!c->done && !ent_builder_full(c->builder)) {
		int step = sqlite3_step(c->statement);
		if (step == SQLITE_DONE) {
			c->done = true;
			break;
		}
		if (step != SQLITE_ROW)
			return ent_sqlite_failed(c->source, "reading the table stopped", err);
		c->rows++;
		for (int i = 0; i < (int)c->schema.n_children; i++)
			ENT_TRY(ent_sqlite_value_put(c->builder, i, c->schema.children[i]->name, c->rows, c->statement, err));
	}
	return ent_builder_rows(c->builder) ? ent_builder_finish(c->builder, ret, err) : 0;
}

static const struct ent_stream_ops scan_ops = { scan_next, scan_free };

struct request {
	const char *object;
	const char *const *columns; /* NULL: all that can be read */
	size_t n_columns;
	const char *where, *split;
	bool copying;
};

static void fields_freep(struct ent_field **f) { free(*f); }

static int field_find(const struct ArrowSchema *table, const char *name, bool copying, struct ent_field_info *f, struct ent_err *err)
{
	int at = ent_schema_find(table, name);
	if (at < 0)
		return ent_fail(err, ENT_ENOTFOUND, "there is no column %.200s", name);
	ent_schema_field(table, (size_t)at, f);
	if (copying ? !f->copied : f->unsupported[0])
		return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be read: %s", name, f->unsupported);
	return 0;
}

/* Fields and the list of SELECT. natives: one slot per field, kept as long as the fields. */
static int columns_choose(const struct ArrowSchema *table, const struct request *q, struct ent_field *fields, char (*natives)[160], size_t *ret_n,
			  struct ent_buf *sql, struct ent_err *err)
{
	size_t n = 0, all = q->columns ? q->n_columns : (size_t)table->n_children;
	for (size_t i = 0; i < all; i++) {
		struct ent_field_info f;
		const char *name = q->columns ? q->columns[i] : table->children[i]->name;
		if (!q->columns)
			ent_schema_field(table, i, &f);
		if (!q->columns && !f.copied)
			continue;
		ENT_TRY(field_find(table, name, q->copying, &f, err));
		memcpy(natives[n], f.native, sizeof f.native);
		fields[n] = (struct ent_field){ .name = name, .type = f.type, .nullable = f.nullable, .native = q->copying ? natives[n] : NULL };
		ent_buf_str(sql, n++ ? ", " : "SELECT ");
		ent_sqlite_name(sql, name);
	}
	*ret_n = n;
	return n ? 0 : ent_fail(err, ENT_EUSAGE, "a scan needs at least one column");
}

static int conditions_put(const struct request *q, struct ent_buf *sql, struct ent_err *err)
{
	long long from, to;
	char end;
	if (q->split && q->split[0] && sscanf(q->split, "rowid %lld %lld%c", &from, &to, &end) != 2)
		return ent_fail(err, ENT_EUSAGE, "%.60s is no split of an SQLite table", q->split);
	if (q->split && q->split[0])
		ent_buf_printf(sql, " WHERE rowid BETWEEN %lld AND %lld", from, to);
	if (q->where)
		ent_buf_printf(sql, "%s (%s\n)", q->split && q->split[0] ? " AND" : " WHERE", q->where);
	return ent_buf_check(sql, err);
}

/* The keys of a table whose columns are all among the fields. */
static void keys_keep(const struct ArrowSchema *table, const struct request *q, char keys[4000])
{
	keys[0] = 0;
	if (q->copying && !q->columns && !ent_metadata_get(table->metadata, ENT_META_KEYS, keys, 4000))
		keys[0] = 0;
}

static int scan_prepare(struct scan *c, const struct ArrowSchema *table, const struct request *q, struct ent_field *fields, char (*natives)[160],
			struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)2 << 20);
	char keys[4000];
	size_t n = 0;
	ENT_TRY(columns_choose(table, q, fields, natives, &n, &sql, err));
	ent_buf_str(&sql, " FROM ");
	ent_sqlite_name(&sql, q->object);
	ENT_TRY(conditions_put(q, &sql, err));
	keys_keep(table, q, keys);
	ENT_TRY(ent_schema_new(fields, n, keys, &c->schema, err));
	ENT_TRY(ent_builder_new(&c->schema, 0, &c->builder, err));
	return ent_sqlite_prepare(c->source, ent_buf_text(&sql), NULL, &c->statement, err);
}

static void natives_freep(char (**n)[160]) { free(*n); }

static int scan_start(struct ent_source *s, const struct request *q, struct ArrowArrayStream *ret, struct ent_err *err)
{
	ENT_SCHEMA_AUTO table = { 0 }, schema = { 0 };
	ENT_TRY(ent_sqlite_schema(s, q->object, &table, err));
	size_t n = (q->columns ? q->n_columns : (size_t)table.n_children) + 1;
	ENT_CLEANUP(scan_freep) struct scan *c = (struct scan *)calloc(1, sizeof *c);
	ENT_CLEANUP(fields_freep) struct ent_field *fields = (struct ent_field *)calloc(n, sizeof *fields);
	ENT_CLEANUP(natives_freep) char(*natives)[160] = (char(*)[160])calloc(n, sizeof *natives);
	if (!c || !fields || !natives)
		return ent_nomem(err);
	c->source = s;
	ENT_TRY(scan_prepare(c, &table, q, fields, natives, err));
	ENT_TRY(ent_schema_dup(&c->schema, &schema, err));
	struct scan *given = c;
	c = NULL;
	return ent_stream_new(&schema, &scan_ops, given, ret, err);
}

int ent_sqlite_scan(struct ent_source *s, const char *object, const char *const *columns, size_t n_columns, struct ArrowArrayStream *ret,
		    struct ent_err *err)
{
	if (!n_columns)
		return ent_fail(err, ENT_EUSAGE, "a scan needs at least one column");
	return scan_start(s, &(struct request){ .object = object, .columns = columns, .n_columns = n_columns }, ret, err);
}

int ent_sqlite_read(struct ent_source *s, const struct ent_read *what, struct ArrowArrayStream *ret, struct ent_err *err)
{
	if (what->flags & ENT_READ_WIRE)
		return ent_fail(err, ENT_EUNSUPPORTED, "SQLite has no wire images of rows");
	struct request q = { what->object, what->columns, what->n_columns, what->where, what->split, true };
	return scan_start(s, &q, ret, err);
}

/* --- splits: ranges of rowid, the outer ones open, so that rows added meanwhile belong to one of them --- */

static int ranges_take(long long low, long long high, uint64_t n, uint64_t rows, int (*take)(void *arg, const char *split, int64_t rows), void *arg)
{
	uint64_t parts = (n + rows - 1) / rows, width = ((uint64_t)high - (uint64_t)low) / parts + 1;
	for (uint64_t i = 0; i < parts; i++) {
		char split[80];
		long long from = i ? (long long)((uint64_t)low + i * width) : LLONG_MIN;
		long long to = i + 1 < parts ? (long long)((uint64_t)low + (i + 1) * width - 1) : LLONG_MAX;
		snprintf(split, sizeof split, "rowid %lld %lld", from, to);
		int code = take(arg, split, (int64_t)(n / parts));
		if (code)
			return code;
	}
	return 0;
}

int ent_sqlite_plan(struct ent_source *s, const char *object, uint64_t rows, int (*take)(void *arg, const char *split, int64_t rows), void *arg,
		    struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(2000);
	STATEMENT_AUTO st = NULL;
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_TRY(ent_sqlite_schema(s, object, &schema, err));
	ent_buf_str(&sql, "SELECT min(rowid), max(rowid), count(*) FROM ");
	ent_sqlite_name(&sql, object);
	ENT_TRY(ent_buf_check(&sql, err));
	ent_sqlite_call_begin(s);
	bool has_rowid = sqlite3_prepare_v3(s->db, ent_buf_text(&sql), -1, 0, &st, NULL) == SQLITE_OK;
	if (has_rowid && sqlite3_step(st) != SQLITE_ROW)
		return ent_sqlite_failed(s, "the table cannot be counted", err);
	uint64_t n = has_rowid ? (uint64_t)sqlite3_column_int64(st, 2) : 0;
	if (!has_rowid || !rows || n <= rows || sqlite3_column_type(st, 0) != SQLITE_INTEGER)
		return take(arg, "", has_rowid ? (int64_t)n : -1);
	return ranges_take(sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1), n, rows, take, arg);
}
