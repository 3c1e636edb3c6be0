/* What information_schema says about a table, in our terms. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "my.h"

void ent_my_name(struct ent_buf *out, const char *name)
{
	ent_buf_u8(out, '`');
	for (; *name; name++) {
		if (*name == '`')
			ent_buf_u8(out, '`');
		ent_buf_u8(out, (uint8_t)*name);
	}
	ent_buf_u8(out, '`');
}

int ent_my_object_split(const struct ent_source *s, const char *object, char database[65], char table[65], struct ent_err *err)
{
	const char *dot = strchr(object, '.');
	size_t n = dot ? (size_t)(dot - object) : 0, m = strlen(dot ? dot + 1 : object);
	if (!m || m > 64 || n > 64 || (dot && !n) || (!dot && !s->at.database[0]))
		return ent_fail(err, ENT_EUSAGE, "name a table: mysql://HOST/DATABASE#TABLE or #DATABASE.TABLE");
	snprintf(database, 65, "%.*s", dot ? (int)n : 64, dot ? object : s->at.database);
	snprintf(table, 65, "%s", dot ? dot + 1 : object);
	return 0;
}

void ent_my_table_deinit(struct ent_my_table *t)
{
	free(t->columns);
	ent_buf_deinit(&t->keys);
}

int ent_my_table_find(const struct ent_my_table *t, const char *name)
{
	for (size_t i = 0; i < t->n_columns; i++)
		if (!strcasecmp(t->columns[i].name, name))
			return (int)i;
	return -1;
}

/* column_name, column_type, is_nullable, collation_name, extra, column_default IS NOT NULL */
static int column_take(struct ent_my_column *c, char *const *row, struct ent_err *err)
{
	const char *type = row[1] ? row[1] : "", *collation = row[3] ? row[3] : "";
	if (!row[0] || strlen(row[0]) > 255)
		return ent_fail(err, ENT_EUNSUPPORTED, "a column's name is too long");
	snprintf(c->name, sizeof c->name, "%s", row[0]);
	snprintf(c->collation, sizeof c->collation, "%s", collation);
	c->nullable = row[2] && row[2][0] == 'Y';
	c->generated = row[4] && strstr(row[4], "GENERATED") && !strstr(row[4], "DEFAULT_GENERATED");
	c->has_default = row[5] && row[5][0] == '1';
	if (!ent_my_type_parse(type, &c->type, c->reason)) {
		c->type.kind = ENT_MY_NONE;
		snprintf(c->reason, sizeof c->reason, "the type %.60s cannot be read", type);
	}
	/* The native text says exactly which type it was, also away from here: other stores have a "text" and a "timestamp" too. */
	bool timed = c->type.kind == ENT_MY_DATETIME || c->type.kind == ENT_MY_TIMESTAMP || c->type.kind == ENT_MY_TIME;
	if (timed && !strchr(type, '('))
		snprintf(c->native, sizeof c->native, "%s(0)", type);
	else
		snprintf(c->native, sizeof c->native, "%s%s%s", type, collation[0] ? " " : "", collation);
	if (c->type.kind == ENT_MY_JSON)
		snprintf(c->native, sizeof c->native, "json utf8mb4_bin");
	return 0;
}

static int columns_read(MYSQL *m, struct ent_my_table *t, const char *where, struct ent_err *err)
{
	ENT_CLEANUP(ent_my_result_freep) MYSQL_RES *r = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(4000);
	ent_buf_printf(&sql,
		       "SELECT column_name, column_type, is_nullable, collation_name, extra, column_default IS NOT NULL AND "
		       "column_default <> 'NULL' FROM information_schema.columns WHERE %s ORDER BY ordinal_position",
		       where);
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(ent_my_run(m, ent_buf_bytes(&sql), &r, "the table cannot be described", err));
	size_t n = r ? (size_t)mysql_num_rows(r) : 0;
	if (!n)
		return ent_fail(err, ENT_ENOTFOUND, "there is no table %s.%s in this MySQL server, or it may not be seen", t->database, t->name);
	if (n > ENT_COLUMNS_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "the table has too many columns");
	t->columns = (struct ent_my_column *)calloc(n, sizeof *t->columns);
	if (!t->columns)
		return ent_nomem(err);
	for (MYSQL_ROW row = mysql_fetch_row(r); row; row = mysql_fetch_row(r))
		ENT_TRY(column_take(&t->columns[t->n_columns++], row, err));
	return 0;
}

/* Unique keys over whole columns without NULL, the primary key first. */
static int keys_read(MYSQL *m, struct ent_my_table *t, const char *where, struct ent_err *err)
{
	ENT_CLEANUP(ent_my_result_freep) MYSQL_RES *r = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(4000);
	ent_buf_printf(&sql,
		       "SELECT GROUP_CONCAT(column_name ORDER BY seq_in_index SEPARATOR '\\t'), MAX(nullable), MAX(sub_part IS NOT NULL OR "
		       "column_name IS NULL) FROM information_schema.statistics WHERE %s AND non_unique = 0 GROUP BY index_name ORDER BY index_name "
		       "<> 'PRIMARY', index_name",
		       where);
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(ent_my_run(m, ent_buf_bytes(&sql), &r, "the keys of the table cannot be described", err));
	for (MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL; row; row = mysql_fetch_row(r)) {
		t->n_unique++;
		if (!row[0] || (row[1] && row[1][0]) || (row[2] && row[2][0] == '1'))
			continue;
		ent_buf_printf(&t->keys, "%s%s", t->keys.len ? "\n" : "", row[0]);
	}
	return ent_buf_check(&t->keys, err);
}

int ent_my_table_read(MYSQL *m, const struct ent_source *s, const char *object, struct ent_my_table *ret, struct ent_err *err)
{
	char rows[40];
	ENT_MY_TABLE_AUTO t = { .keys = ENT_BUF(1 << 20), .rows = -1 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf where = ENT_BUF(1000), sql = ENT_BUF(2000), name = ENT_BUF(300);
	ENT_TRY(ent_my_object_split(s, object, t.database, t.name, err));
	ent_my_name(&name, t.database);
	ent_buf_u8(&name, '.');
	ent_my_name(&name, t.name);
	snprintf(t.relation, sizeof t.relation, "%s", ent_buf_text(&name));
	ent_buf_str(&where, "table_schema = ");
	ent_my_text_literal(&where, ent_bytes_str(t.database));
	ent_buf_str(&where, " AND table_name = ");
	ent_my_text_literal(&where, ent_bytes_str(t.name));
	ent_buf_printf(&sql, "SELECT table_rows FROM information_schema.tables WHERE %s", ent_buf_text(&where));
	ENT_TRY(ent_buf_check(&name, err));
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(columns_read(m, &t, ent_buf_text(&where), err));
	ENT_TRY(keys_read(m, &t, ent_buf_text(&where), err));
	ENT_TRY(ent_my_value(m, ent_buf_text(&sql), rows, sizeof rows, "the table cannot be described", err));
	t.rows = rows[0] ? strtoll(rows, NULL, 10) : -1;
	*ret = t;
	t = (struct ent_my_table){ 0 };
	return 0;
}

static struct ent_field field_of(const struct ent_my_column *c, bool for_copy)
{
	struct ent_field f = { .name = c->name, .type = c->type.type, .nullable = c->nullable, .native = c->native };
	bool read = c->type.kind != ENT_MY_NONE;
	if (c->reason[0] && !(for_copy && read)) {
		f.unsupported = c->reason;
		f.copied = read;
	}
	return f;
}

static bool field_named(const struct ent_field *fields, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(fields[i].name) == len && !strncasecmp(fields[i].name, name, len))
			return true;
	return false;
}

/* The keys whose columns are all among the fields. */
static void keys_choose(const struct ent_my_table *t, const struct ent_field *fields, size_t n, struct ent_buf *out)
{
	for (const char *line = ent_buf_text(&t->keys); *line;) {
		size_t len = strcspn(line, "\n");
		bool all = true;
		for (size_t at = 0; at < len && all;) {
			size_t name = strcspn(line + at, "\t\n");
			all = field_named(fields, n, line + at, name);
			at += name + 1;
		}
		if (all) {
			ent_buf_str(out, out->len ? "\n" : "");
			ent_buf_put(out, line, len);
		}
		line += len + (line[len] == '\n');
	}
}

static void fields_freep(struct ent_field **f) { free(*f); }

int ent_my_table_schema(const struct ent_my_table *t, const char *const *columns, size_t n_columns, bool for_copy, struct ArrowSchema *ret,
			struct ent_err *err)
{
	size_t n = 0, all = columns ? n_columns : t->n_columns;
	ENT_CLEANUP(fields_freep) struct ent_field *fields = (struct ent_field *)calloc(all + 1, sizeof *fields);
	if (!fields)
		return ent_nomem(err);
	for (size_t i = 0; i < all; i++) {
		int at = columns ? ent_my_table_find(t, columns[i]) : (int)i;
		if (at < 0)
			return ent_fail(err, ENT_ENOTFOUND, "there is no column %.200s", columns[i]);
		const struct ent_my_column *c = &t->columns[at];
		bool read = c->type.kind != ENT_MY_NONE;
		if (columns && (!read || (!for_copy && c->reason[0])))
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be read: %s", c->name, c->reason);
		if (for_copy && !read)
			continue;
		fields[n] = field_of(c, for_copy);
		n++;
	}
	if (!n)
		return ent_fail(err, ENT_EUNSUPPORTED, "no column of %s.%s can be read", t->database, t->name);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf keys = ENT_BUF(1 << 20);
	keys_choose(t, fields, n, &keys);
	ENT_TRY(ent_buf_check(&keys, err));
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_TRY(ent_schema_new(fields, n, ent_buf_text(&keys), &schema, err));
	ENT_TRY(ent_schema_meta_add(&schema, ENT_META_STORE, "mysql", err));
	*ret = ent_schema_take(&schema);
	return 0;
}
