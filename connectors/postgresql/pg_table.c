/* What the catalogues say about a table: columns, native types, keys; and the SELECT that shows its supported columns in joint types. */
#include <stdio.h>
#include <stdlib.h>

#include "pg.h"

enum {
	OID_BOOL = 16,
	OID_NAME = 19,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_FLOAT4 = 700,
	OID_FLOAT8 = 701,
	OID_BPCHAR = 1042,
	OID_VARCHAR = 1043,
	OID_DATE = 1082,
	OID_TIMESTAMP = 1114,
	OID_TIMESTAMPTZ = 1184,
	OID_NUMERIC = 1700,
	OID_UUID = 2950
};

static const struct {
	unsigned oid;
	enum ent_type_id type;
	enum ent_pg_kind kind;
	bool cast;
} types[] = { { OID_BOOL, ENT_T_BOOL, ENT_PG_BOOL, false },
	      { OID_INT2, ENT_T_INT16, ENT_PG_INT2, false },
	      { OID_INT4, ENT_T_INT32, ENT_PG_INT4, false },
	      { OID_INT8, ENT_T_INT64, ENT_PG_INT8, false },
	      { OID_FLOAT4, ENT_T_REAL, ENT_PG_FLOAT4, false },
	      { OID_FLOAT8, ENT_T_DOUBLE, ENT_PG_FLOAT8, false },
	      { OID_DATE, ENT_T_DATE, ENT_PG_DATE, false },
	      { OID_TIMESTAMP, ENT_T_TIMESTAMP, ENT_PG_TIMESTAMP, false },
	      { OID_TIMESTAMPTZ, ENT_T_TIMESTAMPTZ, ENT_PG_TIMESTAMP, false },
	      { OID_TEXT, ENT_T_TEXT, ENT_PG_TEXT, false },
	      { OID_VARCHAR, ENT_T_TEXT, ENT_PG_TEXT, true },
	      { OID_BPCHAR, ENT_T_TEXT, ENT_PG_TEXT, true }, /* as text it loses its padding, as it does in comparisons */
	      { OID_NAME, ENT_T_TEXT, ENT_PG_TEXT, true },
	      { OID_UUID, ENT_T_TEXT, ENT_PG_TEXT, true },
	      { OID_NUMERIC, ENT_T_DECIMAL, ENT_PG_NUMERIC, false } };

/* The modifier of a numeric: ((precision << 16) | scale in 11 bits) + 4; -1 when none was declared. */
static bool numeric_type(int modifier, struct ent_type *ret, char reason[200])
{
	int precision = (modifier - 4) >> 16 & 0xffff, scale = (modifier - 4) & 0x7ff;
	if (modifier < 4)
		snprintf(reason, 200, "numeric without precision has no joint type; offer a view with numeric(p,s), p up to 18");
	else if (precision > 38 || scale > precision)
		snprintf(reason, 200, "this numeric has more than 38 digits or an unusual scale");
	else
		*ret = (struct ent_type){ ENT_T_DECIMAL, (uint8_t)precision, (uint8_t)scale };
	return modifier >= 4 && precision <= 38 && scale <= precision;
}

bool ent_pg_type(unsigned oid, int modifier, bool is_enum, struct ent_type *ret, enum ent_pg_kind *ret_kind, bool *ret_cast, char reason[200])
{
	*ret = (struct ent_type){ .id = ENT_T_TEXT };
	*ret_kind = ENT_PG_TEXT;
	*ret_cast = is_enum;
	if (is_enum)
		return true;
	for (size_t i = 0; i < ENT_COUNT(types); i++) {
		if (types[i].oid == oid) {
			*ret = (struct ent_type){ .id = types[i].type };
			*ret_kind = types[i].kind;
			*ret_cast = types[i].cast;
			return oid != OID_NUMERIC || numeric_type(modifier, ret, reason);
		}
	}
	snprintf(reason, 200, "this type has no joint type");
	return false;
}

unsigned ent_pg_type_oid(struct ent_type t)
{
	for (size_t i = 0; i < ENT_COUNT(types); i++)
		if (types[i].type == t.id && !types[i].cast)
			return types[i].oid;
	return 0;
}

void ent_pg_name(struct ent_buf *out, const char *name)
{
	ent_buf_u8(out, '"');
	for (; *name; name++) {
		if (*name == '"')
			ent_buf_u8(out, '"');
		ent_buf_u8(out, (uint8_t)*name);
	}
	ent_buf_u8(out, '"');
}

static void table_free(struct ent_pg_table *t)
{
	ent_schema_release(&t->schema);
	ent_buf_deinit(&t->select);
	free(t->object);
	free(t);
}
static void table_freep(struct ent_pg_table **t)
{
	if (*t)
		table_free(*t);
}

void ent_pg_tables_free(struct ent_source *s)
{
	while (s->tables) {
		struct ent_pg_table *t = s->tables;
		s->tables = t->next;
		table_free(t);
	}
}

/* Domains stand for their base type, one level deep as the catalogue has it. */
static const char columns_sql[] = "SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull OR t.typnotnull, coalesce(b.oid, t.oid), "
				  "CASE WHEN b.oid IS NULL THEN a.atttypmod ELSE t.typtypmod END, coalesce(b.typtype, t.typtype) = 'e' "
				  "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid JOIN "
				  "pg_type t ON t.oid = a.atttypid "
				  "LEFT JOIN pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype "
				  "WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'v', 'm', 'p', 'f') AND a.attnum > 0 AND NOT "
				  "a.attisdropped ORDER BY a.attnum";

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

/* One column of the catalogue into a field and, when it has a joint type, into the SELECT. */
static void field_read(struct ent_pg_table *t, struct fields *f, const PGresult *r, int row)
{
	enum ent_pg_kind kind;
	bool cast;
	struct ent_field *field = &f->all[row];
	*field = (struct ent_field){ .name = PQgetvalue(r, row, 0), .native = PQgetvalue(r, row, 1), .nullable = !is_true(r, row, 2) };
	bool known = ent_pg_type((unsigned)strtoul(PQgetvalue(r, row, 3), NULL, 10), (int)strtol(PQgetvalue(r, row, 4), NULL, 10), is_true(r, row, 5),
				 &field->type, &kind, &cast, f->reasons[row]);
	if (known && field->type.id == ENT_T_DECIMAL && field->type.precision > 18) {
		snprintf(f->reasons[row], 200, "numeric of more than 18 digits has no joint type");
		known = false;
	}
	if (!known) {
		field->unsupported = f->reasons[row];
		return;
	}
	ent_buf_str(&t->select, f->n_supported++ ? ", " : "SELECT ");
	ent_buf_str(&t->select, cast ? "CAST(" : "");
	ent_pg_name(&t->select, field->name);
	ent_buf_str(&t->select, cast ? " AS text)" : "");
	ent_buf_str(&t->select, field->type.id == ENT_T_TEXT ? " COLLATE \"C\" AS " : " AS ");
	ent_pg_name(&t->select, field->name);
}

static int fields_read(struct ent_pg_table *t, struct fields *f, const PGresult *r, struct ent_err *err)
{
	f->n = (size_t)PQntuples(r);
	f->all = (struct ent_field *)calloc(f->n + 1, sizeof *f->all);
	f->reasons = (char(*)[200])calloc(f->n + 1, sizeof *f->reasons);
	if (!f->all || !f->reasons)
		return ent_nomem(err);
	for (size_t i = 0; i < f->n; i++)
		field_read(t, f, r, (int)i);
	return 0;
}

/* "schema.table" or "table" (of schema public). */
static int object_split(const char *object, char schema[64], char table[64], struct ent_err *err)
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

static int table_read(struct ent_source *s, struct ent_pg_table *t, struct ent_err *err)
{
	char schema[64], table[64];
	ENT_CLEANUP(ent_pg_clear) PGresult *columns = NULL, *keys = NULL;
	ENT_CLEANUP(fields_deinit) struct fields f = { 0 };
	ENT_TRY(object_split(t->object, schema, table, err));
	const char *const names[] = { schema, table };
	ENT_TRY(ent_pg_run(s, columns_sql, names, 2, &columns, "the table cannot be described", err));
	if (!PQntuples(columns)) {
		ent_fail(err, ENT_ENOTFOUND, "there is no table %s.%s in this PostgreSQL database, or it may not be seen", schema, table);
		return ENT_ENOTFOUND;
	}
	ENT_TRY(fields_read(t, &f, columns, err));
	if (!f.n_supported)
		return ent_fail(err, ENT_EUNSUPPORTED, "no column of %s.%s has a type that joint queries know", schema, table);
	ent_buf_str(&t->select, " FROM ");
	ent_pg_name(&t->select, schema);
	ent_buf_str(&t->select, ".");
	ent_pg_name(&t->select, table);
	ENT_TRY(ent_buf_check(&t->select, err));
	ENT_TRY(ent_pg_run(s, keys_sql, names, 2, &keys, "the keys of the table cannot be described", err));
	return ent_schema_new(f.all, f.n, PQntuples(keys) ? PQgetvalue(keys, 0, 0) : NULL, &t->schema, err);
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
	relation_name(object, t->relation);
	ENT_TRY(table_read(s, t, err));
	t->next = s->tables;
	s->tables = t;
	*ret = t;
	t = NULL;
	return 0;
}
