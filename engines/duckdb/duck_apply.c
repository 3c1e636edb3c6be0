/* Rows by key: a batch goes into a temporary table, and from there, inside the open transaction, changes what is there and adds what is not. Columns
 * of the table that the rows do not have keep what they hold. Needs no index: DuckDB joins. */
#include <stdio.h>
#include <stdlib.h>

#include "duck_sink_inner.h"

#define STAGE "_entente_stage"
#define FULL "coalesce(s.\"entente.unchanged\", '') = ''"
#define OP "s.\"entente.op\""

/* --- keys --- */

static int key_mark(struct ent_duck_into *t, const char *name, struct ent_err *err)
{
	int at = ent_schema_find(&t->schema, name);
	if (at < 0)
		return ent_fail(err, ENT_ENOTFOUND, "the key column %.200s is not among the columns copied", name);
	t->n_keys += !t->is_key[at];
	t->is_key[at] = true;
	return 0;
}

int ent_duck_keys_mark(struct ent_duck_into *t, const struct ent_target *target, struct ent_err *err)
{
	char text[4000];
	t->n_keys = 0;
	t->is_key = (bool *)calloc((size_t)t->schema.n_children + 1, sizeof *t->is_key);
	if (!t->is_key)
		return ent_nomem(err);
	for (size_t i = 0; i < target->n_keys; i++)
		ENT_TRY(key_mark(t, target->keys[i], err));
	if (!target->n_keys && ent_metadata_get(t->schema.metadata, ENT_META_KEYS, text, sizeof text)) {
		char *save = NULL;
		text[strcspn(text, "\n")] = 0;
		for (char *name = strtok_r(text, "\t", &save); name; name = strtok_r(NULL, "\t", &save))
			ENT_TRY(key_mark(t, name, err));
	}
	if (t->n_keys || t->mode != ENT_WRITE_UPSERT)
		return 0;
	ent_fail(err, ENT_EUSAGE, "rows of %.200s are written by key, and there is none", t->name);
	return ent_next(err, "name its columns: --key a,b"), ENT_EUSAGE;
}

int ent_duck_key_make(struct ent_sink *k, const struct ent_duck_into *t, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(SQL_MAX);
	bool first = true;
	ent_buf_str(&sql, "ALTER TABLE ");
	ent_duck_name(&sql, t->real);
	ent_buf_str(&sql, " ADD PRIMARY KEY (");
	for (size_t i = 0; i < (size_t)t->schema.n_children; i++) {
		if (!t->is_key[i])
			continue;
		ent_buf_str(&sql, first ? "" : ", ");
		ent_duck_name(&sql, t->schema.children[i]->name);
		first = false;
	}
	ent_buf_str(&sql, ")");
	return ent_duck_place_run(k->place, &sql, "the new table cannot have its key", err);
}

/* --- statements --- */

struct apply { /* rows of the stage on their way: s in every statement; t is the table */
	struct ent_sink *k;
	const struct ent_duck_into *t;
	struct ent_buf from;
};

static void apply_deinit(struct apply *a) { ent_buf_deinit(&a->from); }

static void column_put(const struct ent_duck_into *t, size_t i, const char *of, struct ent_buf *sql)
{
	ent_buf_str(sql, of);
	ent_duck_name(sql, t->schema.children[i]->name);
}

/* "t.a = s.a AND t.b = s.b" */
static void match_put(const struct ent_duck_into *t, struct ent_buf *sql)
{
	bool first = true;
	for (size_t i = 0; i < (size_t)t->schema.n_children; i++) {
		if (!t->is_key[i])
			continue;
		column_put(t, i, first ? "t." : " AND t.", sql);
		column_put(t, i, " = s.", sql);
		first = false;
	}
}

/* The stage's last row of each key (round 0), or the one in place round. */
static void from_put(struct apply *a, unsigned long long round)
{
	bool first = true;
	ent_buf_reset(&a->from);
	ent_buf_printf(&a->from, "(SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY ");
	for (size_t i = 0; i < (size_t)a->t->schema.n_children; i++) {
		if (!a->t->is_key[i])
			continue;
		column_put(a->t, i, first ? "" : ", ", &a->from);
		first = false;
	}
	ent_buf_printf(&a->from, " ORDER BY rowid%s) AS \"entente.n\" FROM temp.main." STAGE ") WHERE \"entente.n\" = %llu)", round ? "" : " DESC",
		       round ? round : 1);
}

static int delete_matching(struct apply *a, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(SQL_MAX);
	ent_buf_str(&sql, "DELETE FROM ");
	ent_duck_name(&sql, a->t->real);
	ent_buf_printf(&sql, " AS t USING %s AS s WHERE " OP " = 'D' AND ", ent_buf_text(&a->from));
	match_put(a->t, &sql);
	return ent_duck_place_run(a->k->place, &sql, "rows cannot be deleted", err);
}

/* The columns that a change does not repeat (names by tabs) keep what they hold. */
static int update_matching(struct apply *a, const char *when, struct ent_bytes unchanged, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(SQL_MAX);
	bool first = true;
	ent_buf_str(&sql, "UPDATE ");
	ent_duck_name(&sql, a->t->real);
	ent_buf_str(&sql, " AS t SET ");
	for (size_t i = 0; i < (size_t)a->t->schema.n_children; i++) {
		if (a->t->is_key[i] || ent_sink_listed(unchanged, a->t->schema.children[i]->name))
			continue;
		column_put(a->t, i, first ? "" : ", ", &sql);
		column_put(a->t, i, " = s.", &sql);
		first = false;
	}
	ent_buf_printf(&sql, " FROM %s AS s WHERE %s AND ", ent_buf_text(&a->from), when);
	match_put(a->t, &sql);
	return first ? 0 : ent_duck_place_run(a->k->place, &sql, "rows cannot be changed", err);
}

static void names_put(const struct ent_duck_into *t, const char *of, struct ent_buf *sql)
{
	for (size_t i = 0; i < (size_t)t->schema.n_children; i++) {
		ent_buf_str(sql, i ? ", " : "");
		column_put(t, i, of, sql);
	}
}

static void missing_put(const struct apply *a, struct ent_buf *sql)
{
	ent_buf_str(sql, "NOT EXISTS (SELECT 1 FROM ");
	ent_duck_name(sql, a->t->real);
	ent_buf_str(sql, " AS t WHERE ");
	match_put(a->t, sql);
	ent_buf_str(sql, ")");
}

static int insert_missing(struct apply *a, const char *when, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(SQL_MAX);
	ent_buf_str(&sql, "INSERT INTO ");
	ent_duck_name(&sql, a->t->real);
	ent_buf_str(&sql, " (");
	names_put(a->t, "", &sql);
	ent_buf_str(&sql, ") SELECT ");
	names_put(a->t, "s.", &sql);
	ent_buf_printf(&sql, " FROM %s AS s WHERE %s AND ", ent_buf_text(&a->from), when);
	missing_put(a, &sql);
	return ent_duck_place_run(a->k->place, &sql, "rows cannot be written", err);
}

/* --- the stage --- */

static int stage_fill(struct ent_sink *k, const struct ArrowSchema *schema, const struct ent_type *types, const struct ent_batch *b,
		      uint64_t rows_before, struct ent_err *err)
{
	struct ent_duck_loader l = { 0 };
	ENT_TRY(ent_duck_table_create(&k->place->duck, STAGE, schema, types, true, err));
	int code = ent_duck_loader_open(&k->place->duck, STAGE, schema, types, &l, err);
	l.endless = true;
	l.rows = rows_before;
	if (!code)
		code = ent_duck_loader_put(&l, b, err);
	if (!code)
		code = ent_duck_loader_flush(&l, err);
	ent_duck_loader_close(&l);
	return code;
}

static int stage_drop(struct ent_sink *k, struct ent_err *err)
{
	return ent_duck_run(&k->place->duck, "DROP TABLE temp.main." STAGE, "the stage cannot be removed", err);
}

int ent_duck_rows_upsert(struct ent_sink *k, struct ent_duck_into *t, const struct ent_batch *b, struct ent_err *err)
{
	ENT_CLEANUP(apply_deinit) struct apply a = { .k = k, .t = t, .from = ENT_BUF(SQL_MAX) };
	if (!b->rows)
		return 0;
	int code = stage_fill(k, &t->schema, t->types, b, t->rows, err);
	from_put(&a, 0);
	if (!code)
		code = update_matching(&a, "true", ent_bytes("", 0), err);
	if (!code)
		code = insert_missing(&a, "true", err);
	if (!code)
		code = stage_drop(k, err);
	t->rows += b->rows;
	return code;
}

/* --- changes --- */

struct sets { /* different lists of columns that changes do not repeat */
	struct ent_bytes *all;
	size_t n;
};

static void sets_deinit(struct sets *s) { free(s->all); }

static int sets_find(const struct ent_batch *b, struct sets *ret, struct ent_err *err)
{
	ret->all = (struct ent_bytes *)calloc(b->rows + 1, sizeof *ret->all);
	if (!ret->all)
		return ent_nomem(err);
	for (size_t r = 0; r < b->rows; r++) {
		struct ent_bytes text = ent_view_text(&b->columns[1], r);
		size_t i = 0;
		if (ent_view_null(&b->columns[1], r) || !text.len)
			continue;
		while (i < ret->n && !ent_bytes_eq(ret->all[i], text))
			i++;
		if (i == ret->n)
			ret->all[ret->n++] = text;
	}
	return 0;
}

static int ops_check(const struct ent_batch *b, struct ent_err *err)
{
	for (size_t r = 0; r < b->rows; r++) {
		struct ent_bytes op = ent_view_text(&b->columns[0], r);
		if (op.len != 1 || !strchr("IUD", op.data[0]))
			return ent_fail(err, ENT_EDATA, "a change is neither I, U nor D");
	}
	return 0;
}

static int number_ask(struct apply *a, struct ent_buf *sql, uint64_t *ret, struct ent_err *err)
{
	SQL_AUTO text = ENT_BUF(64);
	ENT_TRY(ent_buf_check(sql, err));
	ENT_TRY(ent_duck_text(&a->k->place->duck, ent_buf_text(sql), "the changes cannot be counted", &text, err));
	return ent_parse_u64(ent_buf_text(&text), text.len, UINT64_MAX, ret) ? 0 : ent_fail(err, ENT_EINTERNAL, "no number of changes");
}

/* Rows that a change leaves in part as they are must be there. */
static int missing_check(struct apply *a, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(SQL_MAX);
	uint64_t n = 0;
	ent_buf_printf(&sql, "SELECT CAST(count(*) AS VARCHAR) FROM %s AS s WHERE " OP " <> 'D' AND NOT (" FULL ") AND ", ent_buf_text(&a->from));
	missing_put(a, &sql);
	ENT_TRY(number_ask(a, &sql, &n, err));
	if (!n)
		return 0;
	ent_fail(err, ENT_EDATA, "%llu changes of %.200s change rows that are not there", (unsigned long long)n, a->t->name);
	return ent_next(err, "somebody else writes to the table; copy it anew"), ENT_EDATA;
}

static int partly_changed(struct apply *a, const struct sets *s, struct ent_err *err)
{
	ENT_TRY(missing_check(a, err));
	for (size_t i = 0; i < s->n; i++) {
		SQL_AUTO when = ENT_BUF(SQL_MAX);
		char *names = strndup((const char *)s->all[i].data, s->all[i].len);
		if (!names)
			return ent_nomem(err);
		ent_buf_str(&when, OP " <> 'D' AND s.\"entente.unchanged\" = ");
		ent_duck_literal(&when, names);
		free(names);
		ENT_TRY(ent_buf_check(&when, err));
		ENT_TRY(update_matching(a, ent_buf_text(&when), s->all[i], err));
	}
	return 0;
}

/* One change per key. */
static int round_apply(struct apply *a, const struct sets *s, struct ent_err *err)
{
	static const char full[] = OP " <> 'D' AND " FULL;
	ENT_TRY(delete_matching(a, err));
	if (s->n)
		ENT_TRY(partly_changed(a, s, err));
	ENT_TRY(update_matching(a, full, ent_bytes("", 0), err));
	return insert_missing(a, full, err);
}

/* Where every change repeats its row, the last one of each key says everything; else the first of each key, then the second, and so on. */
static int changes_apply(struct apply *a, const struct sets *s, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(SQL_MAX);
	uint64_t rounds = 0;
	if (!s->n) {
		from_put(a, 0);
		return round_apply(a, s, err);
	}
	from_put(a, 1);
	char *where = strstr((char *)a->from.data, ") WHERE \"entente.n\" = ");
	ent_buf_printf(&sql, "SELECT CAST(max(\"entente.n\") AS VARCHAR) FROM %.*s)", (int)(where - (char *)a->from.data + 1), (char *)a->from.data);
	ENT_TRY(number_ask(a, &sql, &rounds, err));
	for (uint64_t i = 1; i <= rounds; i++) {
		from_put(a, i);
		ENT_TRY(round_apply(a, s, err));
	}
	return 0;
}

/* The types of the stage's columns: operation, unchanged, then the table's own by name. */
static int types_of(const struct ent_duck_into *t, const struct ArrowSchema *schema, struct ent_type *ret, struct ent_err *err)
{
	size_t n = (size_t)schema->n_children;
	for (size_t i = 0; i < n; i++) {
		int at = i < 2 ? -1 : ent_schema_find(&t->schema, schema->children[i]->name);
		if (i >= 2 && at < 0)
			return ent_fail(err, ENT_EDATA, "the changes of %.200s have a column %.200s more", t->name, schema->children[i]->name);
		ret[i] = i < 2 ? (struct ent_type){ .id = ENT_T_TEXT } : t->types[at];
	}
	return n == (size_t)t->schema.n_children + 2 ? 0 : ent_fail(err, ENT_EDATA, "the changes of %.200s lack a column", t->name);
}

static void types_freep(struct ent_type **t) { free(*t); }

int ent_duck_sink_changes(struct ent_sink *k, size_t index, const struct ArrowSchema *schema, const struct ArrowArray *rows, struct ent_err *err)
{
	struct ent_duck_into *t = &k->tables[index];
	ENT_BATCH_AUTO b = { 0 };
	ENT_CLEANUP(sets_deinit) struct sets sets = { 0 };
	ENT_CLEANUP(types_freep) struct ent_type *types = (struct ent_type *)calloc((size_t)schema->n_children + 1, sizeof *types);
	ENT_CLEANUP(apply_deinit) struct apply a = { .k = k, .t = t, .from = ENT_BUF(SQL_MAX) };
	if (!types)
		return ent_nomem(err);
	if (!t->n_keys)
		return ent_fail(err, ENT_EUSAGE, "table %.200s has no key, so changes cannot find its rows", t->name);
	ENT_TRY(types_of(t, schema, types, err));
	ENT_TRY(ent_batch_open_copy(schema, rows, &b, err));
	if (!b.rows)
		return 0;
	ENT_TRY(ops_check(&b, err));
	ENT_TRY(sets_find(&b, &sets, err));
	ENT_TRY(ent_duck_sink_begin(k, err));
	ENT_TRY(stage_fill(k, schema, types, &b, 0, err));
	ENT_TRY(changes_apply(&a, &sets, err));
	return stage_drop(k, err);
}

/* --- columns that change --- */

static int column_alter(struct ent_sink *k, const struct ent_duck_into *t, const struct ent_field_info *f, bool there, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(SQL_MAX);
	char type[ENT_TYPE_TEXT_MAX];
	ent_duck_type_sql(f->type, type);
	ent_buf_str(&sql, "ALTER TABLE ");
	ent_duck_name(&sql, t->real);
	ent_buf_str(&sql, there ? " ALTER COLUMN " : " ADD COLUMN ");
	ent_duck_name(&sql, f->name);
	ent_buf_printf(&sql, "%s %s", there ? " TYPE" : "", type);
	return ent_duck_place_run(k->place, &sql, there ? "the column's type cannot be changed" : "the new column cannot be added", err);
}

int ent_duck_sink_alter(struct ent_sink *k, size_t index, const struct ArrowSchema *schema, struct ent_err *err)
{
	struct ent_duck_into *t = &k->tables[index];
	ENT_SCHEMA_AUTO fresh = { 0 };
	size_t n = (size_t)schema->n_children;
	ENT_CLEANUP(types_freep) struct ent_type *types = (struct ent_type *)calloc(n + 1, sizeof *types);
	bool *is_key = (bool *)calloc(n + 1, sizeof *is_key);
	int code = types && is_key ? ent_schema_dup(schema, &fresh, err) : ent_nomem(err);
	if (!code)
		code = ent_duck_sink_begin(k, err);
	for (size_t i = 0; i < n && !code; i++) {
		struct ent_field_info f, old;
		ent_schema_field(&fresh, i, &f);
		int at = ent_schema_find(&t->schema, f.name);
		if (at >= 0)
			ent_schema_field(&t->schema, (size_t)at, &old);
		bool same = at >= 0 && ent_type_eq(old.type, f.type);
		types[i] = same ? t->types[at] : f.type;
		is_key[i] = at >= 0 && t->is_key[at];
		code = same ? 0 : column_alter(k, t, &f, at >= 0, err);
	}
	if (code) {
		free(is_key);
		return code;
	}
	free(t->is_key);
	free(t->types);
	t->is_key = is_key;
	t->types = types;
	types = NULL;
	ent_schema_release(&t->schema);
	t->schema = ent_schema_take(&fresh);
	return 0;
}
