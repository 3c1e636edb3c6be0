/* Followed tables: their columns as the log describes them, and rows of the log as rows of a batch. Values come as text, in the session's
 * settings (ISO dates, UTC, shortest floats), and are read by the same strict readers as everywhere. */
#include <stdio.h>
#include <stdlib.h>

#include "pg_changes.h"
#include "roach.h"

#define TYPES_SQL \
	"SELECT format_type(d.oid, d.mod), d.oid, d.mod FROM unnest($1::oid[], $2::int[]) WITH ORDINALITY AS u(oid, mod, i) CROSS JOIN LATERAL " \
	"(WITH " \
	"RECURSIVE r(oid, mod, depth) AS (SELECT u.oid, u.mod, 0 UNION ALL SELECT b.typbasetype, CASE WHEN b.typtypmod >= 0 THEN b.typtypmod ELSE " \
	"r.mod END, r.depth + 1 FROM r JOIN pg_type b ON b.oid = r.oid WHERE b.typtype = 'd') SELECT oid, mod FROM r ORDER BY depth DESC LIMIT 1) " \
	"AS d " \
	"ORDER BY u.i"

static void columns_free(struct ent_pg_follow *t)
{
	for (size_t i = 0; i < t->n_columns; i++) {
		free(t->columns[i].name);
		free(t->columns[i].native);
	}
	free(t->columns);
	t->columns = NULL;
	t->n_columns = 0;
}

void ent_pg_follow_deinit(struct ent_pg_follow *t)
{
	columns_free(t);
	ent_builder_free(t->builder);
	ent_schema_release(&t->arrow);
	free(t->object);
}

bool ent_pg_follow_same(const struct ent_pg_follow *t, const struct ent_pgout_msg *m)
{
	if (!t->builder || t->n_columns != m->n_columns)
		return false;
	for (size_t i = 0; i < t->n_columns; i++) {
		const struct ent_pg_follow_column *c = &t->columns[i];
		if (strcmp(c->name, m->columns[i].name) != 0 || c->oid != m->columns[i].oid || c->modifier != m->columns[i].modifier)
			return false;
	}
	return true;
}

/* --- a table as the log describes it --- */

static int types_find(struct ent_source *s, const struct ent_pgout_msg *m, PGresult **ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf oids = ENT_BUF(100000), modifiers = ENT_BUF(100000);
	for (size_t i = 0; i < m->n_columns; i++) {
		ent_buf_printf(&oids, "%s%u", i ? "," : "{", m->columns[i].oid);
		ent_buf_printf(&modifiers, "%s%d", i ? "," : "{", m->columns[i].modifier);
	}
	ent_buf_str(&oids, "}");
	ent_buf_str(&modifiers, "}");
	ENT_TRY(ent_buf_check(&oids, err));
	const char *const params[] = { ent_buf_text(&oids), ent_buf_text(&modifiers) };
	ENT_TRY(ent_pg_run(s, TYPES_SQL, params, 2, ret, "the types of a changed table cannot be found", err));
	if ((size_t)PQntuples(*ret) != m->n_columns)
		return ent_fail(err, ENT_EDATA, "a type of the changed table %.100s.%.100s is gone", m->schema, m->table);
	return 0;
}

static int keys_mark(struct ent_source *s, struct ent_pg_follow *t, const struct ent_pgout_msg *m, struct ent_buf *line, struct ent_err *err)
{
	char names[32][64];
	struct ent_pg_table *now;
	ent_pg_table_forget(s, t->object);
	ENT_TRY(ent_pg_table_get(s, t->object, &now, err));
	size_t n = ent_pg_key(now->keys, names, ENT_COUNT(names));
	for (size_t k = 0; k < n; k++) {
		bool found = false;
		for (size_t i = 0; i < t->n_columns; i++) {
			if (strcmp(t->columns[i].name, names[k]) != 0 || !m->columns[i].key)
				continue;
			t->columns[i].key = found = true;
			ent_buf_str(line, line->len ? "\t" : "");
			ent_buf_str(line, names[k]);
		}
		if (!found)
			return ent_fail(err, ENT_EUNSUPPORTED, "the log of %.200s does not repeat its key column %.100s", t->object, names[k]);
	}
	return n ? 0 : ent_fail(err, ENT_EUNSUPPORTED, "%.200s has no key any more: its changes do not name their rows", t->object);
}

static int columns_set(struct ent_pg_follow *t, const struct ent_pgout_msg *m, const PGresult *types, struct ent_err *err)
{
	columns_free(t);
	if (!(t->columns = (struct ent_pg_follow_column *)calloc(m->n_columns + 1, sizeof *t->columns)))
		return ent_nomem(err);
	for (size_t i = 0; i < m->n_columns; i++) {
		enum ent_pg_kind kind;
		bool cast;
		struct ent_pg_follow_column *c = &t->columns[t->n_columns++];
		unsigned oid = (unsigned)strtoul(PQgetvalue(types, (int)i, 1), NULL, 10);
		*c = (struct ent_pg_follow_column){ .name = ent_strdup(m->columns[i].name),
						    .native = ent_strdup(PQgetvalue(types, (int)i, 0)),
						    .oid = m->columns[i].oid,
						    .modifier = m->columns[i].modifier,
						    .padded = oid == ENT_PG_OID_BPCHAR };
		if (!c->name || !c->native)
			return ent_nomem(err);
		ent_pg_type_copied(oid, (int)strtol(PQgetvalue(types, (int)i, 2), NULL, 10), &c->type, &kind, &cast);
	}
	return 0;
}

static int arrow_make(struct ent_pg_follow *t, const char *keys, struct ent_err *err)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_field *fields = (struct ent_field *)calloc(t->n_columns + 2, sizeof *fields);
	if (!fields)
		return ent_nomem(err);
	fields[0] = (struct ent_field){ .name = "entente.op", .type = { ENT_T_TEXT, 0, 0 } };
	fields[1] = (struct ent_field){ .name = "entente.unchanged", .type = { ENT_T_TEXT, 0, 0 }, .nullable = true };
	for (size_t i = 0; i < t->n_columns; i++)
		fields[i + 2] = (struct ent_field){
			.name = t->columns[i].name, .type = t->columns[i].type, .nullable = true, .native = t->columns[i].native
		};
	int code = ent_schema_new(fields, t->n_columns + 2, keys, &schema, err);
	free(fields);
	ENT_TRY(code);
	ENT_TRY(ent_schema_meta_add(&schema, ENT_META_STORE, "postgresql", err));
	ENT_TRY(ent_schema_meta_add(&schema, ENT_META_DECLARED, "yes", err));
	ent_builder_free(t->builder);
	t->builder = NULL;
	ENT_TRY(ent_builder_new(&schema, 0, &t->builder, err));
	ent_schema_release(&t->arrow);
	t->arrow = ent_schema_take(&schema);
	return 0;
}

/* Columns that may have got values in older rows without a change in the log. */
static int filled_note(struct ent_source *s, struct ent_pg_follow *t, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf names = ENT_BUF((size_t)1 << 18);
	struct ent_pg_table *now;
	ENT_TRY(ent_pg_table_get(s, t->object, &now, err));
	for (size_t i = 0; i < t->n_columns; i++) {
		int at = ent_pg_field_find(now, t->columns[i].name);
		if (at >= 0 && now->fields[at].filled)
			ent_buf_printf(&names, "%s%s", names.len ? "\t" : "", t->columns[i].name);
	}
	ENT_TRY(ent_buf_check(&names, err));
#ifdef ENT_MUTANT_PG_FILLED
	return 0;
#endif
	return names.len ? ent_schema_meta_add(&t->arrow, ENT_META_FILLED, ent_buf_text(&names), err) : 0;
}

int ent_pg_follow_relation(struct ent_source *s, struct ent_pg_follow *t, const struct ent_pgout_msg *m, bool *ret_changed, struct ent_err *err)
{
	ENT_CLEANUP(ent_pg_clear) PGresult *types = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf keys = ENT_BUF(4096);
	t->relation = m->relation;
	*ret_changed = !ent_pg_follow_same(t, m);
	if (!*ret_changed)
		return 0;
	ENT_TRY(types_find(s, m, &types, err));
	ENT_TRY(columns_set(t, m, types, err));
	ENT_TRY(keys_mark(s, t, m, &keys, err));
	ENT_TRY(ent_buf_check(&keys, err));
	ENT_TRY(arrow_make(t, ent_buf_text(&keys), err));
	return filled_note(s, t, err);
}

/* --- rows --- */

static int bad(const struct ent_pg_follow *t, size_t column, struct ent_bytes text, struct ent_err *err)
{
	ent_fail(err, ENT_EDATA, "a changed row of %.100s cannot be read: column %.100s", t->object, t->columns[column].name);
	return ent_why(err, "its value is %.*s", (int)(text.len > 80 ? 80 : text.len), (const char *)text.data), ENT_EDATA;
}

static int text_put(const struct ent_pg_follow *t, size_t column, struct ent_bytes text, struct ent_err *err)
{
	const struct ent_pg_follow_column *c = &t->columns[column];
	bool wrong;
	while (c->padded && text.len && text.data[text.len - 1] == ' ')
		text.len--;
	ENT_TRY(ent_pg_text_put(t->builder, column + 2, c->type, text, &wrong, err));
	return wrong ? bad(t, column, text, err) : 0;
}

static int value_put(const struct ent_pg_follow *t, size_t column, const struct ent_pgout_value *v, struct ent_err *err)
{
	if (v->kind == 't')
		return text_put(t, column, v->bytes, err);
	if (v->kind == 'b')
		return ent_fail(err, ENT_EDATA, "PostgreSQL sent a binary value that nobody asked for");
	return ent_builder_null(t->builder, column + 2, err);
}

static int head_put(const struct ent_pg_follow *t, const char *op, struct ent_bytes unchanged, struct ent_err *err)
{
	ENT_TRY(ent_builder_text(t->builder, 0, ent_bytes_str(op), err));
	return unchanged.len ? ent_builder_text(t->builder, 1, unchanged, err) : ent_builder_null(t->builder, 1, err);
}

/* A delete: of the old row only the key counts. */
static int delete_put(const struct ent_pg_follow *t, const struct ent_pgout_tuple *old, struct ent_err *err)
{
	static const struct ent_pgout_value none = { 'n', { NULL, 0 } };
	ENT_TRY(head_put(t, "D", ent_bytes("", 0), err));
	for (size_t i = 0; i < t->n_columns; i++)
		ENT_TRY(value_put(t, i, t->columns[i].key ? &old->values[i] : &none, err));
	return 0;
}

static bool key_moved(const struct ent_pg_follow *t, const struct ent_pgout_msg *m)
{
	for (size_t i = 0; m->old_kind && i < t->n_columns; i++) {
		const struct ent_pgout_value *a = &m->old.values[i], *b = &m->now.values[i];
		if (t->columns[i].key && b->kind != 'u' && (a->kind != b->kind || !ent_bytes_eq(a->bytes, b->bytes)))
			return true;
	}
	return false;
}

/* A value that is not repeated: the old row has it, when it came whole (or when it is part of the key). */
static const struct ent_pgout_value *value_of(const struct ent_pg_follow *t, const struct ent_pgout_msg *m, size_t column)
{
	const struct ent_pgout_value *v = &m->now.values[column];
	bool old = m->old_kind == 'O' || (m->old_kind == 'K' && t->columns[column].key);
	return v->kind == 'u' && old && m->old.values[column].kind != 'u' ? &m->old.values[column] : v;
}

static int row_put(const struct ent_pg_follow *t, const struct ent_pgout_msg *m, const char *op, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf unchanged = ENT_BUF(200000);
	for (size_t i = 0; i < t->n_columns; i++) {
		if (value_of(t, m, i)->kind != 'u')
			continue;
		ent_buf_str(&unchanged, unchanged.len ? "\t" : "");
		ent_buf_str(&unchanged, t->columns[i].name);
	}
	if (unchanged.len && op[0] == 'I') {
		ent_fail(err, ENT_EUNSUPPORTED, "the key of a row of %.200s changed, and the log does not repeat its large values", t->object);
		return ent_next(err, "ALTER TABLE ... REPLICA IDENTITY FULL, then start the job anew"), ENT_EUNSUPPORTED;
	}
	ENT_TRY(ent_buf_check(&unchanged, err));
	ENT_TRY(head_put(t, op, ent_buf_bytes(&unchanged), err));
	for (size_t i = 0; i < t->n_columns; i++)
		ENT_TRY(value_put(t, i, value_of(t, m, i), err));
	return 0;
}

int ent_pg_follow_row(struct ent_pg_follow *t, const struct ent_pgout_msg *m, struct ent_err *err)
{
	bool old = m->kind == ENT_PGOUT_DELETE, now = !old;
	if (!t->builder || (now && m->now.n != t->n_columns) || ((old || m->old_kind) && m->old.n != t->n_columns))
		return ent_fail(err, ENT_EDATA, "a changed row of %.200s does not have the columns of its table", t->object);
	if (m->kind == ENT_PGOUT_INSERT)
		return row_put(t, m, "I", err);
	if (m->kind == ENT_PGOUT_DELETE)
		return delete_put(t, &m->old, err);
	if (!key_moved(t, m))
		return row_put(t, m, "U", err);
	ENT_TRY(delete_put(t, &m->old, err));
	return row_put(t, m, "I", err);
}
