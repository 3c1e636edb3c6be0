/* What the catalogue says about a table: columns, native types, the primary key. */
#include <stdio.h>
#include <stdlib.h>

#include "cass.h"

#define FIELDS_MAX 1600

int ent_cass_object(const struct ent_source *s, const char *object, char keyspace[64], char name[64], struct ent_err *err)
{
	const char *dot = strchr(object, '.');
	size_t n = dot ? (size_t)(dot - object) : 0, m = strlen(dot ? dot + 1 : object);
	if (!m || m > 63 || n > 63 || (dot && !n) || (!dot && !s->settings.keyspace[0])) {
		ent_fail(err, ENT_EUSAGE, "name a table: cassandra://HOST/KEYSPACE#TABLE or #KEYSPACE.TABLE");
		return ENT_EUSAGE;
	}
	snprintf(keyspace, 64, "%.*s", dot ? (int)n : 63, dot ? object : s->settings.keyspace);
	snprintf(name, 64, "%s", dot ? dot + 1 : object);
	return 0;
}

static void table_free(struct ent_cass_table *t)
{
	free(t->object);
	free(t->fields);
	free(t);
}
static void table_freep(struct ent_cass_table **t)
{
	if (*t)
		table_free(*t);
}

void ent_cass_tables_forget(struct ent_source *s)
{
	while (s->tables) {
		struct ent_cass_table *t = s->tables;
		s->tables = t->next;
		table_free(t);
	}
}

static void text_copy(struct ent_bytes b, char *out, size_t size) { snprintf(out, size, "%.*s", (int)b.len, b.data ? (const char *)b.data : ""); }

/* column_name, kind, position, type */
static int field_read(struct ent_cql_event *e, struct ent_cass_field *f, struct ent_err *err)
{
	struct ent_bytes cell[4];
	char kind[32];
	for (size_t i = 0; i < 4; i++)
		ENT_TRY(ent_cql_cell(&e->cells, &cell[i], err));
	if (cell[2].len != 4 || cell[0].len >= sizeof f->name)
		return ent_fail(err, ENT_EUNSUPPORTED, "the catalogue of Cassandra holds a column that cannot be read");
	struct ent_reader position = ent_reader(cell[2]);
	text_copy(cell[0], f->name, sizeof f->name);
	text_copy(cell[1], kind, sizeof kind);
	text_copy(cell[3], f->native, sizeof f->native);
	f->position = (int)ent_read_be32(&position);
	f->role = !strcmp(kind, "partition_key") ? ENT_CASS_PARTITION : !strcmp(kind, "clustering") ? ENT_CASS_CLUSTERING : ENT_CASS_REGULAR;
	ent_cass_type_of(f->native, &f->t);
	if (cell[3].len >= sizeof f->native) /* a cut name could be taken for another type's */
		f->t = (struct ent_cass_type){ ENT_CASS_CUSTOM, { .id = ENT_T_TEXT }, "its type's name is longer than 159 letters", false };
	return 0;
}

static int field_order(const void *a, const void *b)
{
	const struct ent_cass_field *x = (const struct ent_cass_field *)a, *y = (const struct ent_cass_field *)b;
	if (x->role != y->role)
		return x->role < y->role ? -1 : 1;
	if (x->role != ENT_CASS_REGULAR && x->position != y->position)
		return x->position < y->position ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* --schema FILE: lines "column type", where a decimal or varint column is given its bound. */
static int declaration_take(struct ent_cass_table *t, const char *line, size_t len, struct ent_err *err)
{
	char name[256], type[64];
	struct ent_type declared;
	size_t space = len;
	while (space && line[space - 1] != ' ' && line[space - 1] != '\t')
		space--;
	size_t end = space;
	while (end && (line[end - 1] == ' ' || line[end - 1] == '\t'))
		end--;
	snprintf(name, sizeof name, "%.*s", (int)end, line);
	snprintf(type, sizeof type, "%.*s", (int)(len - space), line + space);
	for (size_t i = 0; i < t->n_fields; i++) {
		struct ent_cass_field *f = &t->fields[i];
		if (strcmp(f->name, name) != 0)
			continue;
		bool open = f->t.kind == ENT_CASS_DECIMAL || f->t.kind == ENT_CASS_VARINT;
		if (!open || !ent_type_by_name(type, &declared) || declared.id != ENT_T_DECIMAL || declared.precision > 18)
			return ent_fail(err, ENT_EUSAGE,
					"--schema says %.60s for column %.100s; it may say decimal(p,s), p up to 18, for decimal and varint", type,
					name);
		f->t.type = declared;
		f->t.reason = NULL;
		return 0;
	}
	return 0; /* one file may serve several tables */
}

static int declarations_read(const struct ent_source *s, struct ent_cass_table *t, struct ent_err *err)
{
	char line[512];
	int code = 0;
	if (!s->settings.schema_file[0])
		return 0;
	FILE *f = fopen(s->settings.schema_file, "re");
	if (!f)
		return ent_fail(err, ENT_ENOTFOUND, "cannot read the schema file %.200s", s->settings.schema_file);
	while (!code && fgets(line, sizeof line, f)) {
		size_t len = strcspn(line, "\r\n");
		if (len && line[0] != '#')
			code = declaration_take(t, line, len, err);
	}
	fclose(f);
	return code;
}

static void call_endp(struct ent_cass_call **c) { ent_cass_end(*c); }

static int table_read(struct ent_source *s, struct ent_cass_table *t, struct ent_err *err)
{
	static const char sql[] = "SELECT column_name, kind, position, type FROM system_schema.columns WHERE keyspace_name = ? AND table_name = ?";
	ENT_CLEANUP(call_endp) struct ent_cass_call *c = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf values = ENT_BUF(1000);
	struct ent_cql_event e;
	ent_cql_put_text(&values, t->keyspace);
	ent_cql_put_text(&values, t->name);
	struct ent_cass_run run = { .text = sql, .values = ent_buf_bytes(&values), .n_values = 2, .what = "the table cannot be described" };
	ENT_TRY(ent_cass_run(s, &run, &c, &e, err));
	if (e.kind != ENT_CQL_IS_ROWS || e.out.n_columns != 4 || e.n_rows > FIELDS_MAX)
		return ent_fail(err, ENT_EPEER, "the catalogue of Cassandra looks unlike any known");
	if (!e.n_rows)
		return ent_fail(err, ENT_ENOTFOUND, "there is no table %s.%s in this Cassandra cluster, or it may not be seen", t->keyspace, t->name);
	t->fields = (struct ent_cass_field *)calloc(e.n_rows, sizeof *t->fields);
	if (!t->fields)
		return ent_nomem(err);
	for (; t->n_fields < e.n_rows; t->n_fields++) {
		struct ent_cass_field *f = &t->fields[t->n_fields];
		ENT_TRY(field_read(&e, f, err));
		t->n_partition += f->role == ENT_CASS_PARTITION;
		t->n_keys += f->role != ENT_CASS_REGULAR;
	}
	if (!t->n_partition)
		return ent_fail(err, ENT_EUNSUPPORTED, "%s.%s is no table that can be read by token", t->keyspace, t->name);
	qsort(t->fields, t->n_fields, sizeof *t->fields, field_order);
	return declarations_read(s, t, err);
}

int ent_cass_table_get(struct ent_source *s, const char *object, struct ent_cass_table **ret, struct ent_err *err)
{
	for (struct ent_cass_table *t = s->tables; t; t = t->next) {
		if (!strcmp(t->object, object)) {
			*ret = t;
			return 0;
		}
	}
	ENT_CLEANUP(table_freep) struct ent_cass_table *t = (struct ent_cass_table *)calloc(1, sizeof *t);
	if (!t || !(t->object = ent_strdup(object)))
		return ent_nomem(err);
	ENT_TRY(ent_cass_object(s, object, t->keyspace, t->name, err));
	ENT_TRY(table_read(s, t, err));
	t->next = s->tables;
	s->tables = t;
	*ret = t;
	t = NULL;
	return 0;
}

const struct ent_cass_field *ent_cass_field_find(const struct ent_cass_table *t, const char *name)
{
	for (size_t i = 0; i < t->n_fields; i++)
		if (!strcmp(t->fields[i].name, name))
			return &t->fields[i];
	return NULL;
}

void ent_cass_relation(const struct ent_cass_table *t, struct ent_buf *out)
{
	ent_cass_name(out, t->keyspace);
	ent_buf_str(out, ".");
	ent_cass_name(out, t->name);
}

static void fields_free(struct ent_field **f) { free(*f); }

int ent_cass_table_schema(const struct ent_cass_table *t, struct ArrowSchema *ret, struct ent_err *err)
{
	ENT_CLEANUP(fields_free) struct ent_field *all = (struct ent_field *)calloc(t->n_fields, sizeof *all);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf keys = ENT_BUF(1 << 16);
	if (!all)
		return ent_nomem(err);
	for (size_t i = 0; i < t->n_fields; i++) {
		const struct ent_cass_field *f = &t->fields[i];
		all[i] = (struct ent_field){ .name = f->name,
					     .type = f->t.type,
					     .nullable = f->role == ENT_CASS_REGULAR,
					     .native = f->native,
					     .unsupported = f->t.reason,
					     .copied = f->t.copied };
		if (i < t->n_keys)
			ent_buf_printf(&keys, "%s%s", i ? "\t" : "", f->name);
	}
	ENT_TRY(ent_buf_check(&keys, err));
	return ent_schema_new(all, t->n_fields, ent_buf_text(&keys), ret, err);
}
