/* Writing tables: rows by prepared statements in one transaction with the checkpoint. A replaced table is loaded beside the old one and takes its
 * name at the end. The highest epoch of a job stands in its checkpoint row "entente.epoch"; a sink with a lower one cannot commit. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "arrow/fit.h"
#include "arrow/sink.h"
#include "sqlite_inner.h"
#include "sqlite_type.h"

#define TABLES_MAX 1000
#define SQL_MAX ((size_t)4 << 20)

struct table {
	char *object, *real; /* real: where rows go, the side table of a replace */
	enum ent_write_mode mode;
	struct ArrowSchema schema;
	struct ent_type *types; /* of the target's columns, by field of the schema */
	bool *is_key;
	size_t n_keys;
	sqlite3_stmt *put, *drop; /* insert or upsert; delete by key */
	uint64_t rows;
};

struct ent_sink {
	struct ent_source *source;
	char job[200];
	uint64_t epoch;
	bool begun;
	struct table *tables;
	size_t n_tables;
	struct ent_buf scratch;
};

#define SQL_AUTO ENT_CLEANUP(ent_buf_deinit) struct ent_buf

static void table_deinit(struct table *t)
{
	sqlite3_finalize(t->put);
	sqlite3_finalize(t->drop);
	ent_schema_release(&t->schema);
	free(t->object);
	free(t->real);
	free(t->types);
	free(t->is_key);
}

void ent_sqlite_sink_close(struct ent_sink *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->n_tables; i++)
		table_deinit(&k->tables[i]);
	if (k->begun)
		sqlite3_exec(k->source->db, "ROLLBACK", NULL, NULL, NULL);
	ent_buf_deinit(&k->scratch);
	free(k->tables);
	free(k);
}
static void sink_closep(struct ent_sink **k) { ent_sqlite_sink_close(*k); }

static int begin(struct ent_sink *k, struct ent_err *err)
{
	if (k->begun)
		return 0;
	ENT_TRY(ent_sqlite_run(k->source, "BEGIN IMMEDIATE", "the SQLite database cannot be written", err));
	k->begun = true;
	return 0;
}

int ent_sqlite_sink_rollback(struct ent_sink *k, struct ent_err *err)
{
	if (!k->begun)
		return 0;
	k->begun = false;
	return ent_sqlite_run(k->source, "ROLLBACK", "the transaction cannot be taken back", err);
}

/* --- checkpoints and the epoch --- */

static int point_put(struct ent_sink *k, const struct ent_sink_checkpoint *c, struct ent_err *err)
{
	STATEMENT_AUTO st = NULL;
	ENT_TRY(ent_sqlite_prepare(
		k->source, "INSERT OR REPLACE INTO _entente_checkpoint (job, part, cursor, rows, epoch, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
		k->job, &st, err));
	sqlite3_bind_text(st, 2, c->part, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 3, c->cursor, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 4, (int64_t)c->rows);
	sqlite3_bind_int64(st, 5, (int64_t)k->epoch);
	sqlite3_bind_text(st, 6, c->hash, -1, SQLITE_STATIC);
	return sqlite3_step(st) == SQLITE_DONE ? 0 : ent_sqlite_failed(k->source, "the checkpoint cannot be written", err);
}

int ent_sqlite_sink_last(struct ent_sink *k, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err)
{
	STATEMENT_AUTO st = NULL;
	ENT_TRY(ent_sqlite_prepare(k->source, "SELECT cursor, rows, epoch, hash FROM _entente_checkpoint WHERE job = ?1 AND part = ?2", k->job, &st,
				   err));
	sqlite3_bind_text(st, 2, part, -1, SQLITE_STATIC);
	int step = sqlite3_step(st);
	if (step == SQLITE_DONE)
		return ent_fail(err, ENT_ENOTFOUND, "the job has no checkpoint for %.100s", part);
	if (step != SQLITE_ROW)
		return ent_sqlite_failed(k->source, "the checkpoint cannot be read", err);
	struct ent_sink_checkpoint c = { .size = sizeof c,
					 .rows = (uint64_t)sqlite3_column_int64(st, 1),
					 .epoch = (uint64_t)sqlite3_column_int64(st, 2) };
	snprintf(c.part, sizeof c.part, "%s", part);
	snprintf(c.cursor, sizeof c.cursor, "%s", sqlite3_column_text(st, 0));
	snprintf(c.hash, sizeof c.hash, "%s", sqlite3_column_text(st, 3));
	*ret = c;
	return 0;
}

static int epoch_read(struct ent_sink *k, uint64_t *ret, struct ent_err *err)
{
	struct ent_sink_checkpoint c = { .epoch = 0 };
	struct ent_err quiet = ENT_ERR_INIT;
	int code = ent_sqlite_sink_last(k, ENT_SINK_EPOCH_PART, &c, &quiet);
	if (code && code != ENT_ENOTFOUND) {
		if (err)
			*err = quiet;
		return code;
	}
	*ret = code ? 0 : c.epoch;
	return 0;
}

static int epoch_check(struct ent_sink *k, struct ent_err *err)
{
	uint64_t now = 0;
	ENT_TRY(epoch_read(k, &now, err));
#ifdef ENT_MUTANT_SQLITE_NO_FENCE
	return 0;
#endif
	return now == k->epoch ? 0 : ent_sink_overtaken(now, k->epoch, err);
}

int ent_sqlite_sink_commit(struct ent_sink *k, const struct ent_sink_checkpoint *c, struct ent_err *err)
{
	ENT_TRY(begin(k, err));
	int code = epoch_check(k, err);
	if (!code && c)
		code = point_put(k, c, err);
	if (!code)
		code = ent_sqlite_run(k->source, "COMMIT", "the transaction cannot be committed", err);
	if (code)
		(void)ent_sqlite_sink_rollback(k, NULL);
	k->begun = false;
	return code;
}

static int epoch_take(struct ent_sink *k, struct ent_err *err)
{
	struct ent_sink_checkpoint c = { .part = ENT_SINK_EPOCH_PART };
	ENT_TRY(begin(k, err));
	ENT_TRY(epoch_read(k, &k->epoch, err));
	k->epoch++;
	ENT_TRY(point_put(k, &c, err));
	return ent_sqlite_sink_commit(k, NULL, err);
}

int ent_sqlite_sink_open(struct ent_source *s, const char *job, uint64_t *epoch, struct ent_sink **ret, struct ent_err *err)
{
	if (!s->writable)
		return ent_fail(err, ENT_EINTERNAL, "the SQLite database was opened for reading only");
	ENT_CLEANUP(sink_closep) struct ent_sink *k = (struct ent_sink *)calloc(1, sizeof *k);
	if (!k)
		return ent_nomem(err);
	*k = (struct ent_sink){ .source = s, .epoch = *epoch, .scratch = ENT_BUF((size_t)64 << 20) };
	snprintf(k->job, sizeof k->job, "%s", job);
	k->tables = (struct table *)calloc(TABLES_MAX, sizeof *k->tables);
	if (!k->tables)
		return ent_nomem(err);
	ENT_TRY(ent_sqlite_run(s,
			       "CREATE TABLE IF NOT EXISTS _entente_checkpoint (job TEXT NOT NULL, part TEXT NOT NULL, cursor TEXT NOT NULL, "
			       "rows BIGINT NOT NULL, epoch BIGINT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (job, part))",
			       "the table of checkpoints cannot be made", err));
	ENT_TRY(*epoch ? epoch_check(k, err) : epoch_take(k, err));
	*epoch = k->epoch;
	*ret = k;
	k = NULL;
	return 0;
}

/* --- mapping --- */

/* Where a field of a copy lands: the target's own column when the table is there, else what would be declared. */
static enum ent_map_verdict field_map(const struct ArrowSchema *there, const struct ent_field_info *f, const char *object, struct ent_type *ret,
				      char native[160], char why[200])
{
	struct ent_field_info t;
	char declared[64], ignored[200];
	int at = there->release ? ent_schema_find(there, f->name) : -1;
	if (there->release && at < 0) {
		snprintf(why, 200, "table %.100s has no such column", object);
		return ENT_MAP_REFUSED;
	}
	if (at >= 0) {
		ent_schema_field(there, (size_t)at, &t);
		snprintf(native, 160, "%s", t.native);
		*ret = t.type;
		snprintf(why, 200, "%.190s", t.unsupported);
		return t.copied ? ent_fit_types(f->type, t.type, why) : ENT_MAP_REFUSED;
	}
	ent_sqlite_declare(f->type, declared);
	(void)ent_sqlite_type(declared, ret, ignored);
	snprintf(native, 160, "%s", declared);
	return ent_fit_types(f->type, *ret, why);
}

/* The target's schema, or an empty one where the table is not there. */
static int target_schema(struct ent_source *s, const char *object, struct ArrowSchema *ret, struct ent_err *err)
{
	struct ent_err quiet = ENT_ERR_INIT;
	int code = ent_sqlite_schema(s, object, ret, &quiet);
	if (code == ENT_ENOTFOUND)
		return 0;
	if (code && err)
		*err = quiet;
	return code;
}

int ent_sqlite_map(struct ent_source *s, const struct ent_target *target, struct ent_map_line *lines, int *ret_exists, struct ent_err *err)
{
	ENT_SCHEMA_AUTO there = { 0 };
	ENT_TRY(target_schema(s, target->object, &there, err));
	*ret_exists = there.release != NULL;
	if (target->mode == ENT_WRITE_REPLACE)
		ent_schema_release(&there);
	for (size_t i = 0; i < (size_t)target->schema->n_children; i++) {
		struct ent_field_info f;
		struct ent_type type;
		lines[i] = (struct ent_map_line){ .size = sizeof lines[i] };
		ent_schema_field(target->schema, i, &f);
		lines[i].verdict = field_map(&there, &f, target->object, &type, lines[i].native, lines[i].why);
	}
	return 0;
}

/* --- tables --- */

static int keys_mark(struct table *t, const struct ent_target *target, struct ent_err *err)
{
	char keys[4000] = "";
	for (size_t i = 0; i < target->n_keys; i++) {
		int at = ent_schema_find(target->schema, target->keys[i]);
		if (at < 0)
			return ent_fail(err, ENT_EUSAGE, "the key column %.200s is not among the columns copied", target->keys[i]);
		t->is_key[at] = true;
		t->n_keys++;
	}
	if (target->n_keys || !ent_metadata_get(target->schema->metadata, ENT_META_KEYS, keys, sizeof keys))
		return 0;
	keys[strcspn(keys, "\n")] = 0;
	for (char *save = NULL, *name = strtok_r(keys, "\t", &save); name; name = strtok_r(NULL, "\t", &save)) {
		int at = ent_schema_find(target->schema, name);
		if (at >= 0)
			t->is_key[at] = true;
		t->n_keys += at >= 0;
	}
	return 0;
}

static void names_put(const struct table *t, struct ent_buf *sql, const char *between, bool bound, bool keys, bool others)
{
	bool first = true;
	for (size_t i = 0; i < (size_t)t->schema.n_children; i++) {
		if (t->is_key[i] ? !keys : !others)
			continue;
		ent_buf_str(sql, first ? "" : between);
		ent_sqlite_name(sql, t->schema.children[i]->name);
		if (bound)
			ent_buf_printf(sql, " = ?%zu", i + 1);
		first = false;
	}
}

static int table_create(struct ent_sink *k, struct table *t, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(SQL_MAX);
	ent_buf_str(&sql, "CREATE TABLE ");
	ent_sqlite_name(&sql, t->real);
	for (size_t i = 0; i < (size_t)t->schema.n_children; i++) {
		struct ent_field_info f;
		char declared[64];
		ent_schema_field(&t->schema, i, &f);
		ent_sqlite_declare(f.type, declared);
		ent_buf_str(&sql, i ? ", " : " (");
		ent_sqlite_name(&sql, f.name);
		ent_buf_printf(&sql, " %s%s", declared, !f.nullable || t->is_key[i] ? " NOT NULL" : "");
	}
	if (t->n_keys) {
		ent_buf_str(&sql, ", PRIMARY KEY (");
		names_put(t, &sql, ", ", false, true, false);
		ent_buf_str(&sql, ")");
	}
	ent_buf_str(&sql, ")");
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(begin(k, err));
	return ent_sqlite_run(k->source, ent_buf_text(&sql), "the table cannot be created", err);
}

static int dropped(struct ent_sink *k, const char *name, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(SQL_MAX);
	ent_buf_str(&sql, "DROP TABLE IF EXISTS ");
	ent_sqlite_name(&sql, name);
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(begin(k, err));
	return ent_sqlite_run(k->source, ent_buf_text(&sql), "the table cannot be dropped", err);
}

/* Makes the table that rows go to, as the mode says; there: it is there already (for replace: the side table). */
static int table_ready(struct ent_sink *k, struct table *t, const struct ent_target *target, bool there, struct ent_err *err)
{
	if (target->resume && there)
		return 0;
	if (target->resume && target->mode == ENT_WRITE_REPLACE)
		return ent_fail(err, ENT_EDATA, "the rows that were loaded for %.200s are gone", t->object);
	if (target->mode == ENT_WRITE_CREATE && there) {
		ent_fail(err, ENT_EUSAGE, "table %.200s is there already", t->object);
		return ent_next(err, "choose --mode append, replace or upsert, or another name"), ENT_EUSAGE;
	}
	if (target->mode == ENT_WRITE_REPLACE && there)
		ENT_TRY(dropped(k, t->real, err));
	return there && target->mode != ENT_WRITE_REPLACE ? 0 : table_create(k, t, err);
}

static int types_find(struct ent_sink *k, struct table *t, struct ent_err *err)
{
	ENT_SCHEMA_AUTO there = { 0 };
	ENT_TRY(ent_sqlite_schema(k->source, t->real, &there, err));
	for (size_t i = 0; i < (size_t)t->schema.n_children; i++) {
		struct ent_field_info f;
		char native[160], why[200];
		ent_schema_field(&t->schema, i, &f);
		if (field_map(&there, &f, t->object, &t->types[i], native, why) == ENT_MAP_REFUSED)
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be written: %s", f.name, why);
	}
	return 0;
}

static int put_prepare(struct ent_sink *k, struct table *t, bool upsert, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(SQL_MAX);
	ent_buf_str(&sql, "INSERT INTO ");
	ent_sqlite_name(&sql, t->real);
	ent_buf_str(&sql, " (");
	names_put(t, &sql, ", ", false, true, true);
	for (size_t i = 0; i < (size_t)t->schema.n_children; i++)
		ent_buf_printf(&sql, "%s?%zu", i ? ", " : ") VALUES (", i + 1);
	ent_buf_str(&sql, ")");
	if (upsert) {
		ent_buf_str(&sql, " ON CONFLICT (");
		names_put(t, &sql, ", ", false, true, false);
		ent_buf_str(&sql, t->n_keys < (size_t)t->schema.n_children ? ") DO UPDATE SET " : ") DO NOTHING");
		names_put(t, &sql, ", ", true, false, true);
	}
	ENT_TRY(ent_buf_check(&sql, err));
	sqlite3_finalize(t->put);
	t->put = NULL;
	return ent_sqlite_prepare(k->source, ent_buf_text(&sql), NULL, &t->put, err);
}

static int drop_prepare(struct ent_sink *k, struct table *t, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(SQL_MAX);
	ent_buf_str(&sql, "DELETE FROM ");
	ent_sqlite_name(&sql, t->real);
	ent_buf_str(&sql, " WHERE ");
	names_put(t, &sql, " AND ", true, true, false);
	ENT_TRY(ent_buf_check(&sql, err));
	return ent_sqlite_prepare(k->source, ent_buf_text(&sql), NULL, &t->drop, err);
}

static int table_init(struct ent_sink *k, struct table *t, const struct ent_target *target, struct ent_err *err)
{
	ENT_SCHEMA_AUTO there = { 0 };
	char real[400];
	snprintf(real, sizeof real, "%s%.300s", target->mode == ENT_WRITE_REPLACE ? "_entente_new_" : "", target->object);
	t->object = ent_strdup(target->object);
	t->real = ent_strdup(real);
	t->mode = target->mode;
	size_t n = (size_t)target->schema->n_children;
	t->types = (struct ent_type *)calloc(n + 1, sizeof *t->types);
	t->is_key = (bool *)calloc(n + 1, sizeof *t->is_key);
	if (!t->object || !t->real || !t->types || !t->is_key)
		return ent_nomem(err);
	ENT_TRY(ent_schema_dup(target->schema, &t->schema, err));
	ENT_TRY(keys_mark(t, target, err));
	if (target->mode == ENT_WRITE_UPSERT && !t->n_keys) {
		ent_fail(err, ENT_EUSAGE, "the rows of %.200s have no key to upsert by", target->object);
		return ent_next(err, "name the columns with --key"), ENT_EUSAGE;
	}
	ENT_TRY(target_schema(k->source, t->real, &there, err));
	ENT_TRY(table_ready(k, t, target, there.release != NULL, err));
	ENT_TRY(types_find(k, t, err));
	return put_prepare(k, t, target->mode == ENT_WRITE_UPSERT, err);
}

int ent_sqlite_sink_table(struct ent_sink *k, const struct ent_target *target, size_t *ret_index, struct ent_err *err)
{
	if (k->n_tables == TABLES_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "one run writes at most %d tables", TABLES_MAX);
	struct table *t = &k->tables[k->n_tables];
	int code = table_init(k, t, target, err);
	if (code) {
		table_deinit(t);
		*t = (struct table){ 0 };
		return code;
	}
	*ret_index = k->n_tables++;
	return 0;
}

/* --- rows --- */

static bool real_bind(sqlite3_stmt *st, int at, double d, struct ent_err *err)
{
	if (isnan(d) || (d == 0 && signbit(d)))
		return ent_fail(err, ENT_EDATA, "it would be lost"), ent_why(err, "SQLite keeps neither NaN nor a negative zero"), false;
	return sqlite3_bind_double(st, at, d) == SQLITE_OK;
}

static size_t number_text(ent_i128 v, struct ent_type t, char *out)
{
	switch (t.id) {
	case ENT_T_DECIMAL:
		return ent_decimal_text(v, t.scale, out);
	case ENT_T_DATE:
		return ent_date_text((int32_t)v, out);
	case ENT_T_TIME:
		return ent_clock_text((int64_t)v, out);
	default:
		return ent_timestamp_text((int64_t)v, t.id == ENT_T_TIMESTAMPTZ, out);
	}
}

static bool infinite(struct ent_type t, ent_i128 v)
{
	return (t.id == ENT_T_DATE && (v == INT32_MAX || v == INT32_MIN)) ||
	       (t.id != ENT_T_DATE && ent_type_is_time(t) && (v == INT64_MAX || v == INT64_MIN));
}

static bool fitted_bind(sqlite3_stmt *st, int at, struct ent_type t, const struct ent_fitted *f, struct ent_err *err)
{
	char text[ENT_VALUE_TEXT_MAX];
	if (f->null)
		return sqlite3_bind_null(st, at) == SQLITE_OK;
	if (t.id == ENT_T_TEXT)
		return sqlite3_bind_text64(st, at, (const char *)f->text.data, f->text.len, SQLITE_TRANSIENT, SQLITE_UTF8) == SQLITE_OK;
	if (t.id == ENT_T_BINARY)
		return sqlite3_bind_blob64(st, at, f->text.len ? (const void *)f->text.data : "", f->text.len, SQLITE_TRANSIENT) == SQLITE_OK;
	if (ent_type_is_float(t))
		return real_bind(st, at, f->real, err);
	if (infinite(t, f->number))
		return ent_fail(err, ENT_EDATA, "it is infinite"), ent_why(err, "SQLite has no infinite dates"), false;
	if (t.id == ENT_T_BOOL || ent_type_is_int(t))
		return sqlite3_bind_int64(st, at, (int64_t)f->number) == SQLITE_OK;
	size_t len = number_text(f->number, t, text);
	return sqlite3_bind_text(st, at, text, (int)len, SQLITE_TRANSIENT) == SQLITE_OK;
}

/* Column i of the schema from view v, row r, into parameter i + 1. */
static int value_bind(struct ent_sink *k, struct table *t, sqlite3_stmt *st, size_t i, const struct ent_view *v, size_t r, struct ent_err *err)
{
	struct ent_fitted f;
	struct ent_err inner = ENT_ERR_INIT;
	char native[ENT_TYPE_TEXT_MAX];
	if (!ent_fit_value(v, r, t->types[i], &k->scratch, &f, &inner) && fitted_bind(st, (int)i + 1, t->types[i], &f, &inner))
		return 0;
	ent_type_name(t->types[i], native);
	if (err)
		*err = inner;
	return ent_fit_misfit(v, r, t->rows + r + 1, t->schema.children[i]->name, native, err);
}

static int stepped(struct ent_sink *k, sqlite3_stmt *st, struct ent_err *err)
{
	int step = sqlite3_step(st);
	int code = step == SQLITE_DONE ? 0 : ent_sqlite_failed(k->source, "a row cannot be written", err);
	sqlite3_reset(st);
	return code;
}

int ent_sqlite_sink_rows(struct ent_sink *k, size_t index, const struct ArrowArray *rows, struct ent_err *err)
{
	struct table *t = &k->tables[index];
	ENT_BATCH_AUTO b = { 0 };
	ENT_TRY(ent_batch_open_copy(&t->schema, rows, &b, err));
	ENT_TRY(begin(k, err));
	ent_sqlite_call_begin(k->source);
	for (size_t r = 0; r < b.rows; r++) {
		for (size_t i = 0; i < b.n_columns; i++)
			ENT_TRY(value_bind(k, t, t->put, i, &b.columns[i], r, err));
		ENT_TRY(stepped(k, t->put, err));
	}
	t->rows += b.rows;
	return 0;
}

/* --- changes --- */

/* An update whose log left some columns out: those keep what they have. */
static int partial_update(struct ent_sink *k, struct table *t, const struct ent_batch *b, size_t r, struct ent_bytes unchanged, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(SQL_MAX);
	STATEMENT_AUTO st = NULL;
	bool any = false;
	ent_buf_str(&sql, "UPDATE ");
	ent_sqlite_name(&sql, t->real);
	for (size_t i = 0; i < (size_t)t->schema.n_children; i++) {
		if (t->is_key[i] || ent_sink_listed(unchanged, t->schema.children[i]->name))
			continue;
		ent_buf_str(&sql, any ? ", " : " SET ");
		ent_sqlite_name(&sql, t->schema.children[i]->name);
		ent_buf_printf(&sql, " = ?%zu", i + 1);
		any = true;
	}
	ent_buf_str(&sql, " WHERE ");
	names_put(t, &sql, " AND ", true, true, false);
	ENT_TRY(ent_buf_check(&sql, err));
	if (!any)
		return 0;
	ENT_TRY(ent_sqlite_prepare(k->source, ent_buf_text(&sql), NULL, &st, err));
	for (size_t i = 0; i < (size_t)t->schema.n_children; i++)
		if (t->is_key[i] || !ent_sink_listed(unchanged, t->schema.children[i]->name))
			ENT_TRY(value_bind(k, t, st, i, &b->columns[i + 2], r, err));
	return stepped(k, st, err);
}

static int change_apply(struct ent_sink *k, struct table *t, const struct ent_batch *b, size_t r, struct ent_err *err)
{
	struct ent_bytes op = ent_view_text(&b->columns[0], r), unchanged = ent_view_text(&b->columns[1], r);
	bool drop = ent_bytes_eq(op, ent_bytes_str("D"));
	if (unchanged.len)
		return partial_update(k, t, b, r, unchanged, err);
	for (size_t i = 0; i < (size_t)t->schema.n_children; i++)
		if (!drop || t->is_key[i])
			ENT_TRY(value_bind(k, t, drop ? t->drop : t->put, i, &b->columns[i + 2], r, err));
	return stepped(k, drop ? t->drop : t->put, err);
}

int ent_sqlite_sink_changes(struct ent_sink *k, size_t index, const struct ArrowSchema *schema, const struct ArrowArray *rows, struct ent_err *err)
{
	struct table *t = &k->tables[index];
	ENT_BATCH_AUTO b = { 0 };
	ENT_TRY(ent_batch_open_copy(schema, rows, &b, err));
	if (b.n_columns != (size_t)t->schema.n_children + 2)
		return ent_fail(err, ENT_EDATA, "changes of %.200s have other columns than its table", t->object);
	if (!t->n_keys)
		return ent_fail(err, ENT_EUSAGE, "table %.200s has no key, so changes cannot find its rows", t->object);
	ENT_TRY(begin(k, err));
	if (!t->drop) {
		ENT_TRY(put_prepare(k, t, true, err));
		ENT_TRY(drop_prepare(k, t, err));
	}
	ent_sqlite_call_begin(k->source);
	for (size_t r = 0; r < b.rows; r++)
		ENT_TRY(change_apply(k, t, &b, r, err));
	t->rows += b.rows;
	return 0;
}

int ent_sqlite_sink_truncate(struct ent_sink *k, size_t index, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(SQL_MAX);
	ent_buf_str(&sql, "DELETE FROM ");
	ent_sqlite_name(&sql, k->tables[index].real);
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(begin(k, err));
	return ent_sqlite_run(k->source, ent_buf_text(&sql), "the table cannot be emptied", err);
}

/* New columns at the end; SQLite cannot change the type of a column. */
int ent_sqlite_sink_alter(struct ent_sink *k, size_t index, const struct ArrowSchema *schema, struct ent_err *err)
{
	struct table *t = &k->tables[index];
	for (size_t i = 0; i < (size_t)schema->n_children; i++) {
		SQL_AUTO sql = ENT_BUF(SQL_MAX);
		struct ent_field_info f;
		char declared[64];
		ent_schema_field(schema, i, &f);
		if (ent_schema_find(&t->schema, f.name) >= 0)
			continue;
		ent_sqlite_declare(f.type, declared);
		ent_buf_str(&sql, "ALTER TABLE ");
		ent_sqlite_name(&sql, t->real);
		ent_buf_str(&sql, " ADD COLUMN ");
		ent_sqlite_name(&sql, f.name);
		ent_buf_printf(&sql, " %s", declared);
		ENT_TRY(ent_buf_check(&sql, err));
		ENT_TRY(begin(k, err));
		ENT_TRY(ent_sqlite_run(k->source, ent_buf_text(&sql), "the new column cannot be added", err));
	}
	struct ent_target again = { .size = sizeof again, .object = t->object, .schema = schema, .mode = ENT_WRITE_UPSERT, .resume = 1 };
	struct table fresh = { 0 };
	int code = table_init(k, &fresh, &again, err);
	if (code)
		return table_deinit(&fresh), code;
	fresh.rows = t->rows;
	table_deinit(t);
	*t = fresh;
	return 0;
}

/* --- the end --- */

static int changed_over(struct ent_sink *k, struct table *t, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(SQL_MAX);
	ent_buf_str(&sql, "ALTER TABLE ");
	ent_sqlite_name(&sql, t->real);
	ent_buf_str(&sql, " RENAME TO ");
	ent_sqlite_name(&sql, t->object);
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(dropped(k, t->object, err));
	return ent_sqlite_run(k->source, ent_buf_text(&sql), "the new table cannot take its name", err);
}

int ent_sqlite_sink_finish(struct ent_sink *k, int forget, struct ent_err *err)
{
	for (size_t i = 0; i < k->n_tables; i++) {
		sqlite3_finalize(k->tables[i].put);
		k->tables[i].put = NULL;
		if (k->tables[i].mode == ENT_WRITE_REPLACE)
			ENT_TRY(changed_over(k, &k->tables[i], err));
	}
	if (forget) {
		STATEMENT_AUTO st = NULL;
		ENT_TRY(begin(k, err));
		ENT_TRY(ent_sqlite_prepare(k->source, "DELETE FROM _entente_checkpoint WHERE job = ?1 AND part <> '" ENT_SINK_EPOCH_PART "'", k->job,
					   &st, err));
		ENT_TRY(stepped(k, st, err));
	}
	return ent_sqlite_sink_commit(k, NULL, err);
}
