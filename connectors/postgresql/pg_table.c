/* What the catalogues say about a table: columns, native types, keys; and the SELECT that shows its supported columns in joint types. */
#include <stdio.h>
#include <stdlib.h>

#include "pg.h"

static void table_free(struct ent_pg_table *t)
{
	for (size_t i = 0; i < t->n_fields; i++) {
		free(t->fields[i].name);
		free(t->fields[i].native);
	}
	free(t->fields);
	free(t->keys);
	ent_schema_release(&t->schema);
	ent_buf_deinit(&t->select);
	ent_buf_deinit(&t->quoted);
	free(t->object);
	free(t);
}
static void table_freep(struct ent_pg_table **t)
{
	if (*t)
		table_free(*t);
}

void ent_pg_table_forget(struct ent_source *s, const char *object)
{
	for (struct ent_pg_table **at = &s->tables; *at; at = &(*at)->next) {
		if (!strcmp((*at)->object, object)) {
			struct ent_pg_table *t = *at;
			*at = t->next;
			table_free(t);
			return;
		}
	}
}

void ent_pg_tables_free(struct ent_source *s)
{
	while (s->tables) {
		struct ent_pg_table *t = s->tables;
		s->tables = t->next;
		table_free(t);
	}
}

/* Domains stand for their base type, however deep. The images of a type are alike everywhere when it is built in or an enumeration. */
static const char columns_sql[] =
	"SELECT a.attname, format_type(d.oid, d.mod), a.attnotnull OR d.strict, d.oid, d.mod, t.typtype = 'e', a.attgenerated <> '', "
	"t.typtype = 'e' OR (d.oid < 16384 AND t.typtype IN ('b', 'r', 'm') AND t.typsend::oid <> 0 AND t.typname !~ '^_?reg'), "
	"a.atthasdef OR a.atthasmissing OR a.attnotnull OR a.attidentity <> '' "
	"FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid CROSS JOIN LATERAL ("
	"WITH RECURSIVE r(oid, mod, strict, depth) AS (SELECT a.atttypid, a.atttypmod, false, 0 UNION ALL SELECT b.typbasetype, CASE WHEN "
	"b.typtypmod >= 0 THEN b.typtypmod ELSE r.mod END, r.strict OR b.typnotnull, r.depth + 1 FROM r JOIN pg_type b ON b.oid = r.oid WHERE "
	"b.typtype = 'd') SELECT oid, mod, strict FROM r ORDER BY depth DESC LIMIT 1) AS d JOIN pg_type t ON t.oid = d.oid "
	"WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'v', 'm', 'p', 'f') AND a.attnum > 0 AND NOT a.attisdropped "
	"ORDER BY a.attnum";

/* CockroachDB has neither domains nor images of rows, and no common table expression may look outwards there. */
static const char columns_roach_sql[] =
	"SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atttypid, a.atttypmod, t.typtype = 'e', a.attgenerated <> '', "
	"false, "
	"false "
	"FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = "
	"a.atttypid "
	"WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'v', 'm', 'p', 'f') AND a.attnum > 0 AND NOT a.attisdropped "
	"ORDER BY a.attnum";

/* Complete unique indexes over plain columns that are never NULL, the primary key first. */
static const char keys_sql[] =
	"SELECT string_agg(k.names, chr(10) ORDER BY k.main DESC, k.names) FROM (SELECT i.indisprimary AS main, "
	"string_agg(a.attname, chr(9) ORDER BY u.at) AS names, bool_and(a.attnotnull) AS sure "
	"FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_index i ON i.indrelid = c.oid "
	"CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS u(num, at) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.num "
	"WHERE n.nspname = $1 AND c.relname = $2 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND u.at <= "
	"i.indnkeyatts "
	"GROUP BY i.indexrelid, i.indisprimary) AS k WHERE k.sure";

struct fields {
	struct ent_field *all;
	char (*reasons)[200];
	size_t n, n_supported;
};
static void fields_deinit(struct fields *f)
{
	free(f->all);
	free(f->reasons);
}

static bool is_true(const PGresult *r, int row, int col) { return PQgetvalue(r, row, col)[0] == 't'; }

/* The SELECT of joint types gets one more column. */
static void select_add(struct ent_pg_table *t, struct fields *f, const struct ent_field *field, bool cast)
{
	ent_buf_str(&t->select, f->n_supported++ ? ", " : "SELECT ");
	ent_buf_str(&t->select, cast ? "CAST(" : "");
	ent_pg_name(&t->select, field->name);
	ent_buf_str(&t->select, cast ? " AS text)" : "");
	ent_buf_str(&t->select, field->type.id == ENT_T_TEXT ? " COLLATE \"C\" AS " : " AS ");
	ent_pg_name(&t->select, field->name);
}

/* One column of the catalogue: its field and, when it has a joint type, its place in the SELECT. */
static int field_read(struct ent_pg_table *t, struct fields *f, const PGresult *r, int row, struct ent_err *err)
{
	enum ent_pg_kind kind;
	bool cast;
	struct ent_field *field = &f->all[row];
	struct ent_pg_field *own = &t->fields[t->n_fields++];
	*own = (struct ent_pg_field){ .name = ent_strdup(PQgetvalue(r, row, 0)),
				      .native = ent_strdup(PQgetvalue(r, row, 1)),
				      .nullable = !is_true(r, row, 2),
				      .oid = (unsigned)strtoul(PQgetvalue(r, row, 3), NULL, 10),
				      .modifier = (int)strtol(PQgetvalue(r, row, 4), NULL, 10),
				      .is_enum = is_true(r, row, 5),
				      .generated = is_true(r, row, 6),
				      .wire = is_true(r, row, 7),
				      .filled = is_true(r, row, 8) };
	if (!own->name || !own->native)
		return ent_nomem(err);
	*field = (struct ent_field){ .name = own->name, .native = own->native, .nullable = own->nullable };
	ent_pg_type_copied(own->oid, own->modifier, &own->type, &own->kind, &own->cast);
	bool known = ent_pg_type(own->oid, own->modifier, own->is_enum, &field->type, &kind, &cast, f->reasons[row]);
	if (known && field->type.id == ENT_T_DECIMAL && field->type.precision > 18) {
		snprintf(f->reasons[row], 200, "numeric of more than 18 digits has no joint type");
		known = false;
	}
	if (known) {
		select_add(t, f, field, cast);
		return 0;
	}
	field->type = own->type;
	field->copied = true;
	field->unsupported = f->reasons[row];
	return 0;
}

static int fields_read(struct ent_pg_table *t, struct fields *f, const PGresult *r, struct ent_err *err)
{
	f->n = (size_t)PQntuples(r);
	f->all = (struct ent_field *)calloc(f->n + 1, sizeof *f->all);
	f->reasons = (char(*)[200])calloc(f->n + 1, sizeof *f->reasons);
	t->fields = (struct ent_pg_field *)calloc(f->n + 1, sizeof *t->fields);
	if (!f->all || !f->reasons || !t->fields)
		return ent_nomem(err);
	for (size_t i = 0; i < f->n; i++)
		ENT_TRY(field_read(t, f, r, (int)i, err));
	return 0;
}

/* "schema.table" or "table" (of schema public). */
int ent_pg_object_split(const char *object, char schema[64], char table[64], struct ent_err *err)
{
	const char *dot = strchr(object, '.');
	size_t n = dot ? (size_t)(dot - object) : 0, m = strlen(dot ? dot + 1 : object);
	if (!m || m > 63 || n > 63 || (dot && !n)) {
		ent_fail(err, ENT_EUSAGE, "name a table: postgresql://HOST/DATABASE#SCHEMA.TABLE");
		return ENT_EUSAGE;
	}
	snprintf(schema, 64, "%.*s", dot ? (int)n : 6, dot ? object : "public");
	snprintf(table, 64, "%s", dot ? dot + 1 : object);
	return 0;
}

/* A name of fixed length: PostgreSQL cuts identifiers at 63 bytes. */
static void relation_name(const char *object, char out[64])
{
	uint64_t h = 0xcbf29ce484222325u;
	for (const char *p = object; *p; p++)
		h = (h ^ (uint8_t)*p) * 0x100000001b3u;
	snprintf(out, 64, "\"entente_%016llx\"", (unsigned long long)h);
}

/* The log does not carry what the server computes. */
static int unlogged_note(struct ent_pg_table *t, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf names = ENT_BUF((size_t)1 << 18);
	for (size_t i = 0; i < t->n_fields; i++)
		if (t->fields[i].generated)
			ent_buf_printf(&names, "%s%s", names.len ? "\t" : "", t->fields[i].name);
	ENT_TRY(ent_buf_check(&names, err));
	return names.len ? ent_schema_meta_add(&t->schema, ENT_META_UNLOGGED, ent_buf_text(&names), err) : 0;
}

static int table_read(struct ent_source *s, struct ent_pg_table *t, struct ent_err *err)
{
	char schema[64], table[64];
	ENT_CLEANUP(ent_pg_clear) PGresult *columns = NULL, *keys = NULL;
	ENT_CLEANUP(fields_deinit) struct fields f = { 0 };
	ENT_TRY(ent_pg_object_split(t->object, schema, table, err));
	const char *const names[] = { schema, table };
	ENT_TRY(ent_pg_run(s, s->cockroach ? columns_roach_sql : columns_sql, names, 2, &columns, "the table cannot be described", err));
	if (!PQntuples(columns)) {
		ent_fail(err, ENT_ENOTFOUND, "there is no table %s.%s in this PostgreSQL database, or it may not be seen", schema, table);
		return ENT_ENOTFOUND;
	}
	ENT_TRY(fields_read(t, &f, columns, err));
	snprintf(t->schema_name, sizeof t->schema_name, "%s", schema);
	snprintf(t->table_name, sizeof t->table_name, "%s", table);
	ent_pg_name(&t->quoted, schema);
	ent_buf_str(&t->quoted, ".");
	ent_pg_name(&t->quoted, table);
	ENT_TRY(ent_buf_check(&t->quoted, err));
	if (!f.n_supported)
		ent_buf_str(&t->select, "SELECT"); /* a table for copies only: no joint query names a column of it */
	ent_buf_printf(&t->select, " FROM %s", ent_buf_text(&t->quoted));
	ENT_TRY(ent_buf_check(&t->select, err));
	ENT_TRY(ent_pg_run(s, keys_sql, names, 2, &keys, "the keys of the table cannot be described", err));
	if (!(t->keys = ent_strdup(PQntuples(keys) ? PQgetvalue(keys, 0, 0) : "")))
		return ent_nomem(err);
	ENT_TRY(ent_schema_new(f.all, f.n, t->keys, &t->schema, err));
	return s->cockroach ? 0 : unlogged_note(t, err);
}

int ent_pg_table_get(struct ent_source *s, const char *object, struct ent_pg_table **ret, struct ent_err *err)
{
	for (struct ent_pg_table *t = s->tables; t; t = t->next) {
		if (!strcmp(t->object, object)) {
			*ret = t;
			return 0;
		}
	}
	ENT_CLEANUP(table_freep) struct ent_pg_table *t = (struct ent_pg_table *)calloc(1, sizeof *t);
	if (!t || !(t->object = ent_strdup(object)))
		return ent_nomem(err);
	ent_buf_init(&t->select, (size_t)1 << 20);
	ent_buf_init(&t->quoted, 600);
	relation_name(object, t->relation);
	ENT_TRY(table_read(s, t, err));
	t->next = s->tables;
	s->tables = t;
	*ret = t;
	t = NULL;
	return 0;
}

int ent_pg_field_find(const struct ent_pg_table *t, const char *name)
{
	for (size_t i = 0; i < t->n_fields; i++)
		if (!strcmp(t->fields[i].name, name))
			return (int)i;
	return -1;
}

size_t ent_pg_key(const char *keys, char (*names)[64], size_t max)
{
	size_t n = 0;
	for (const char *at = keys; *at && *at != '\n';) {
		size_t len = strcspn(at, "\t\n");
		if (n == max || len > 63)
			return 0;
		snprintf(names[n++], 64, "%.*s", (int)len, at);
		at += len + (at[len] == '\t');
	}
	return n;
}
