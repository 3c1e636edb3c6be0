/* What is known about a table: HBase itself knows its column families only. A copy keeps the columns of what it makes in _entente_schema (row: the
 * table; c:columns as --schema has them, c:keys); any other table is sampled. --schema FILE comes last. */
#include <stdio.h>
#include <stdlib.h>

#include "arrow/declare.h"
#include "hb.h"

#define SAMPLE_ROWS 10000
#define SAMPLE_BYTES ((size_t)64 << 20)
#define SCHEMA_FAMILY "c"

int ent_hb_object(const struct ent_source *s, const char *object, char ns[64], char name[200], struct ent_err *err)
{
	const char *colon = strchr(object, ':'), *rest = colon ? colon + 1 : object;
	size_t n = colon ? (size_t)(colon - object) : 0, m = strlen(rest);
	bool good = m && m < 200 && n < 64 && (!colon || n);
	for (size_t i = 0; i < m && good; i++)
		good = (unsigned char)rest[i] > ' ' && rest[i] != ':' && rest[i] != '/';
	if (!good) {
		ent_fail(err, ENT_EUSAGE, "%.200s names no table of HBase", object[0] ? object : "the address");
		return ent_next(err, "write hbase://HOST/NAMESPACE#TABLE or #NAMESPACE:TABLE"), ENT_EUSAGE;
	}
	snprintf(ns, 64, "%.*s", colon ? (int)n : 63, colon ? object : s->settings.ns);
	snprintf(name, 200, "%s", rest);
	return 0;
}

int ent_hb_exists(struct ent_source *s, const char *ns, const char *name, bool *ret, struct ent_err *err)
{
	struct ent_hb_answer a;
	ent_hb_put_table_name(ent_hb_ask(s, "tableExists"), 1, ent_bytes_str(ns), ent_bytes_str(name));
	ENT_TRY(ent_hb_call(s, "the tables of HBase cannot be listed", &a, err));
	return ent_hb_answer_bool(&a, ret, err);
}

/* --- columns --- */

int ent_hb_column_find(const struct ent_hb_table *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->columns[i].name, name))
			return (int)i;
	return -1;
}

int ent_hb_column_at(const struct ent_hb_table *t, struct ent_bytes family, struct ent_bytes qualifier)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct ent_hb_column *c = &t->columns[i];
		if (!c->key && ent_bytes_eq(c->qualifier, qualifier) && ent_bytes_eq(c->family, family))
			return (int)i;
	}
	return -1;
}

int ent_hb_column_add(struct ent_hb_table *t, const char *name, const struct ent_hb_type *type, struct ent_err *err)
{
	const char *why = "a table has at most 1600 columns";
	if (t->n == t->max || !ent_hb_column_place(&t->columns[t->n], name, &why)) {
		ent_fail(err, ENT_EUNSUPPORTED, "%.200s cannot be a column of %.200s", name, t->full);
		return ent_why(err, "%s", why), ENT_EUNSUPPORTED;
	}
	t->columns[t->n].t = *type;
	t->columns[t->n].key = false;
	t->n++;
	return 0;
}

int ent_hb_key_add(struct ent_hb_table *t, size_t column, struct ent_err *err)
{
	if (t->n_keys == ENT_HB_KEYS_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "the key of %.200s has more than %d columns", t->full, ENT_HB_KEYS_MAX);
	t->columns[column].key = true;
	t->keys[t->n_keys++] = column;
	return 0;
}

static int type_read(const char *name, const char *type, struct ent_hb_type *ret, struct ent_err *err)
{
	if (ent_hb_type_by_name(type, ret))
		return 0;
	ent_fail(err, ENT_EUSAGE, "column %.200s is declared as %.60s, which is no type", name, type);
	return ent_next(err,
			"say text, bigint, decimal(12,2), date, ... for text, long, int, double, ... for what HBase's Bytes class writes, or binary"),
	       ENT_EUSAGE;
}

/* --- kept columns --- */

static int kept_column(void *arg, const char *name, const char *type, struct ent_err *err)
{
	struct ent_hb_type parsed;
	ENT_TRY(type_read(name, type, &parsed, err));
	return ent_hb_column_add((struct ent_hb_table *)arg, name, &parsed, err);
}

static int kept_keys(struct ent_hb_table *t, struct ent_bytes list, struct ent_err *err)
{
	while (list.len) {
		const uint8_t *tab = memchr(list.data, '\t', list.len);
		size_t n = tab ? (size_t)(tab - list.data) : list.len;
		char name[256];
		snprintf(name, sizeof name, "%.*s", (int)(n < 255 ? n : 255), (const char *)list.data);
		int at = ent_hb_column_find(t, name);
		if (at < 0)
			return ent_fail(err, ENT_EDATA, "what " ENT_HB_SCHEMAS " says about %.200s is not understood", t->full);
		ENT_TRY(ent_hb_key_add(t, (size_t)at, err));
		n += tab != NULL;
		list = ent_bytes(list.data + n, list.len - n);
	}
	return 0;
}

static int kept_read(struct ent_source *s, struct ent_hb_table *t, struct ent_err *err)
{
	struct ent_bytes columns = { 0 }, keys = { 0 };
	struct ent_hb_answer a;
	struct ent_hb_row row;
	struct ent_hb_cell cell;
	char full[300];
	bool there;
	ENT_TRY(ent_hb_exists(s, t->ns, ENT_HB_SCHEMAS, &there, err));
	if (!there)
		return 0;
	snprintf(full, sizeof full, "%s:%s", t->ns, ENT_HB_SCHEMAS);
	struct ent_buf *b = ent_hb_ask(s, "get");
	ent_thrift_put_binary(b, 1, ent_bytes_str(full));
	ent_thrift_put_field(b, ENT_THRIFT_STRUCT, 2);
	ent_thrift_put_binary(b, 1, ent_bytes_str(t->name));
	ent_thrift_put_stop(b);
	ENT_TRY(ent_hb_call(s, "the columns kept in " ENT_HB_SCHEMAS " cannot be read", &a, err));
	ENT_TRY(ent_hb_answer_row(&a, &row, err));
	while (row.n_cells) {
		ENT_TRY(ent_hb_cell_next(&row, &cell, err));
		if (ent_bytes_eq(cell.qualifier, ent_bytes_str("columns")))
			columns = cell.value;
		else if (ent_bytes_eq(cell.qualifier, ent_bytes_str("keys")))
			keys = cell.value;
	}
	if (!columns.len)
		return 0;
	ENT_TRY(ent_declared_each(columns, kept_column, t, err));
	ENT_TRY(kept_keys(t, keys, err));
	t->kept = t->n_keys > 0;
	return t->kept ? 0 : ent_fail(err, ENT_EDATA, "what " ENT_HB_SCHEMAS " says about %.200s is not understood", t->full);
}

int ent_hb_table_make(struct ent_source *s, const char *ns, const char *name, const struct ent_bytes *families, size_t n, struct ent_err *err)
{
	struct ent_err probe = ENT_ERR_INIT; /* somebody else may make it at the same time */
	bool there = false;
	struct ent_buf *b = ent_hb_ask(s, "createTable");
	ent_thrift_put_field(b, ENT_THRIFT_STRUCT, 1);
	ent_hb_put_table_name(b, 1, ent_bytes_str(ns), ent_bytes_str(name));
	ent_thrift_put_list(b, 2, ENT_THRIFT_STRUCT, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		ent_hb_put_family(b, families[i]);
	ent_thrift_put_stop(b);
	int code = ent_hb_call(s, "the table cannot be made", NULL, &probe);
	if (code)
		ENT_TRY(ent_hb_exists(s, ns, name, &there, err));
	if (code && !there && err)
		*err = probe;
	return there ? 0 : code;
}

int ent_hb_columns_keep(struct ent_source *s, const struct ent_hb_table *t, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf columns = ENT_BUF((size_t)1 << 20), keys = ENT_BUF((size_t)1 << 16);
	const struct ent_bytes family = ent_bytes_str(SCHEMA_FAMILY);
	char full[300], type[ENT_TYPE_TEXT_MAX];
	bool there;
	ENT_TRY(ent_hb_exists(s, t->ns, ENT_HB_SCHEMAS, &there, err));
	if (!there)
		ENT_TRY(ent_hb_table_make(s, t->ns, ENT_HB_SCHEMAS, &family, 1, err));
	for (size_t i = 0; i < t->n; i++) {
		ent_hb_type_name(&t->columns[i].t, type);
		ent_declared_put(&columns, t->columns[i].name, type);
	}
	for (size_t i = 0; i < t->n_keys; i++)
		ent_buf_printf(&keys, "%s%s", i ? "\t" : "", t->columns[t->keys[i]].name);
	ENT_TRY(ent_buf_check(&columns, err));
	ENT_TRY(ent_buf_check(&keys, err));
	snprintf(full, sizeof full, "%s:%s", t->ns, ENT_HB_SCHEMAS);
	struct ent_buf *b = ent_hb_ask(s, "put");
	ent_thrift_put_binary(b, 1, ent_bytes_str(full));
	ent_thrift_put_field(b, ENT_THRIFT_STRUCT, 2);
	ent_hb_put_begin(b, ent_bytes_str(t->name), 2);
	ent_hb_put_cell(b, family, ent_bytes_str("columns"), ent_buf_bytes(&columns));
	ent_hb_put_cell(b, family, ent_bytes_str("keys"), ent_buf_bytes(&keys));
	ent_hb_put_end(b, 0);
	return ent_hb_call(s, "the columns cannot be kept", NULL, err);
}

/* --- the sample --- */

static int sample_cell(struct ent_hb_table *t, const struct ent_hb_cell *cell, struct ent_err *err)
{
	static const struct ent_hb_type text = { .type.id = ENT_T_TEXT };
	char name[256];
	bool is_text = ent_utf8_valid(cell->value) && !(cell->value.len && memchr(cell->value.data, 0, cell->value.len));
	int at = ent_hb_column_at(t, cell->family, cell->qualifier);
	if (at < 0) {
		struct ent_bytes q = cell->qualifier;
		if (cell->family.len + q.len + 1 >= sizeof name || (q.len && memchr(q.data, 0, q.len)) || !ent_utf8_valid(q)) {
			ent_fail(err, ENT_EUNSUPPORTED, "table %.200s has a column whose name cannot be written", t->full);
			return ent_why(err, "a qualifier of family %.*s is no text, or longer than 255 bytes", (int)cell->family.len,
				       (const char *)cell->family.data),
			       ENT_EUNSUPPORTED;
		}
		snprintf(name, sizeof name, "%.*s:%.*s", (int)cell->family.len, (const char *)cell->family.data, (int)q.len, (const char *)q.data);
		ENT_TRY(ent_hb_column_add(t, name, &text, err));
		at = (int)t->n - 1;
	}
	if (!is_text)
		(void)ent_hb_type_by_name("binary", &t->columns[at].t);
	return 0;
}

static int column_order(const void *a, const void *b)
{
	return strcmp(((const struct ent_hb_column *)a)->name, ((const struct ent_hb_column *)b)->name);
}

/* Sorted by name; places point into names, so they are made anew. */
static void columns_sort(struct ent_hb_table *t)
{
	const char *why;
	qsort(t->columns + 1, t->n - 1, sizeof *t->columns, column_order);
	for (size_t i = 1; i < t->n; i++) {
		char name[256];
		memcpy(name, t->columns[i].name, sizeof name);
		(void)ent_hb_column_place(&t->columns[i], name, &why);
	}
}

static void cursor_endp(struct ent_hb_cursor **c) { ent_hb_cursor_end(*c); }

static int sample_read(struct ent_source *s, struct ent_hb_table *t, struct ent_err *err)
{
	struct ent_hb_cursor cursor;
	ENT_CLEANUP(cursor_endp) struct ent_hb_cursor *c = &cursor;
	struct ent_hb_type key = { .type.id = ENT_T_TEXT };
	struct ent_hb_row row;
	size_t bytes = 0;
	ent_hb_cursor_begin(c, s, t, &(struct ent_hb_scan_spec){ .limit = SAMPLE_ROWS });
	ENT_TRY(ent_hb_column_add(t, ENT_HB_ROW, &key, err));
	ENT_TRY(ent_hb_key_add(t, 0, err));
	t->empty = true;
	for (size_t n = 0; n < SAMPLE_ROWS && bytes < SAMPLE_BYTES; n++) {
		ENT_TRY(ent_hb_cursor_next(c, &row, err));
		if (!row.key.len)
			break;
		t->empty = false;
		if (!ent_utf8_valid(row.key) || memchr(row.key.data, 0, row.key.len))
			(void)ent_hb_type_by_name("binary", &t->columns[0].t);
		while (row.n_cells) {
			struct ent_hb_cell cell;
			ENT_TRY(ent_hb_cell_next(&row, &cell, err));
			bytes += cell.value.len;
			if (!ent_hb_is_marker(&cell))
				ENT_TRY(sample_cell(t, &cell, err));
		}
	}
	columns_sort(t);
	return 0;
}

/* --- what is declared --- */

static int declared_column(void *arg, const char *name, const char *type, struct ent_err *err)
{
	struct ent_hb_table *t = (struct ent_hb_table *)arg;
	struct ent_hb_type parsed;
	int at = ent_hb_column_find(t, name);
	ENT_TRY(type_read(name, type, &parsed, err));
	if (at < 0)
		return t->fixed ? 0 : ent_hb_column_add(t, name, &parsed, err);
	t->columns[at].t = parsed;
	return 0;
}

int ent_hb_declared(const struct ent_source *s, struct ent_hb_table *t, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF((size_t)1 << 20);
	char part[4096];
	if (!s->settings.schema_file[0])
		return 0;
	FILE *f = fopen(s->settings.schema_file, "re");
	if (!f)
		return ent_fail(err, ENT_ENOTFOUND, "cannot read the schema file %.200s", s->settings.schema_file);
	for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;)
		ent_buf_put(&text, part, n);
	fclose(f);
	ENT_TRY(ent_buf_check(&text, err));
	return ent_declared_each(ent_buf_bytes(&text), declared_column, t, err);
}

/* --- one table --- */

static int family_take(void *arg, struct ent_bytes family, struct ent_err *err)
{
	struct ent_hb_table *t = (struct ent_hb_table *)arg;
	(void)err;
	if (t->n_families < ENT_COUNT(t->families) && family.len < sizeof t->families[0])
		snprintf(t->families[t->n_families++], sizeof t->families[0], "%.*s", (int)family.len, (const char *)family.data);
	return 0;
}

static int table_fill(struct ent_source *s, struct ent_hb_table *t, struct ent_err *err)
{
	struct ent_hb_answer a;
	bool there;
	ENT_TRY(ent_hb_exists(s, t->ns, t->name, &there, err));
	if (!there)
		return ent_fail(err, ENT_ENOTFOUND, "there is no table %.200s in this HBase", t->full);
	ent_hb_put_table_name(ent_hb_ask(s, "getTableDescriptor"), 1, ent_bytes_str(t->ns), ent_bytes_str(t->name));
	ENT_TRY(ent_hb_call(s, "the table cannot be described", &a, err));
	ENT_TRY(ent_hb_answer_families(&a, family_take, t, err));
	ENT_TRY(kept_read(s, t, err));
	if (!t->kept)
		ENT_TRY(sample_read(s, t, err));
	return ent_hb_declared(s, t, err);
}

void ent_hb_table_free(struct ent_hb_table *t)
{
	if (!t)
		return;
	free(t->columns);
	free(t->object);
	free(t);
}
static void table_freep(struct ent_hb_table **t) { ent_hb_table_free(*t); }

int ent_hb_table_new(struct ent_source *s, const char *object, struct ent_hb_table **ret, struct ent_err *err)
{
	ENT_CLEANUP(table_freep) struct ent_hb_table *t = (struct ent_hb_table *)calloc(1, sizeof *t);
	if (!t || !(t->object = ent_strdup(object)))
		return ent_nomem(err);
	t->max = ENT_COLUMNS_MAX;
	t->columns = (struct ent_hb_column *)calloc(t->max, sizeof *t->columns);
	if (!t->columns)
		return ent_nomem(err);
	ENT_TRY(ent_hb_object(s, object, t->ns, t->name, err));
	snprintf(t->full, sizeof t->full, "%s:%s", t->ns, t->name);
	*ret = t;
	t = NULL;
	return 0;
}

int ent_hb_table_get(struct ent_source *s, const char *object, struct ent_hb_table **ret, struct ent_err *err)
{
	ENT_CLEANUP(table_freep) struct ent_hb_table *t = NULL;
	for (struct ent_hb_table *known = s->tables; known; known = known->next) {
		if (!strcmp(known->object, object)) {
			*ret = known;
			return 0;
		}
	}
	ENT_TRY(ent_hb_table_new(s, object, &t, err));
	ENT_TRY(table_fill(s, t, err));
	t->next = s->tables;
	s->tables = t;
	*ret = t;
	t = NULL;
	return 0;
}

void ent_hb_tables_forget(struct ent_source *s)
{
	while (s->tables) {
		struct ent_hb_table *t = s->tables;
		s->tables = t->next;
		ent_hb_table_free(t);
	}
}

static void fields_free(struct ent_field **f) { free(*f); }

int ent_hb_table_schema(const struct ent_hb_table *t, struct ArrowSchema *ret, struct ent_err *err)
{
	ENT_CLEANUP(fields_free) struct ent_field *all = (struct ent_field *)calloc(t->n + 1, sizeof *all);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf keys = ENT_BUF(1 << 16), names = ENT_BUF((size_t)1 << 20);
	if (!all || !ent_buf_space(&names, t->n * ENT_TYPE_TEXT_MAX + 1))
		return ent_nomem(err);
	for (size_t i = 0; i < t->n; i++) {
		const struct ent_hb_column *c = &t->columns[i];
		char *native = (char *)names.data + i * ENT_TYPE_TEXT_MAX;
		ent_hb_type_name(&c->t, native);
		all[i] = (struct ent_field){
			.name = c->name, .type = c->t.type, .nullable = !c->key, .native = native, .unsupported = c->t.reason, .copied = true
		};
	}
	for (size_t i = 0; i < t->n_keys; i++)
		ent_buf_printf(&keys, "%s%s", i ? "\t" : "", t->columns[t->keys[i]].name);
	ENT_TRY(ent_buf_check(&keys, err));
	return ent_schema_new(all, t->n, ent_buf_text(&keys), ret, err);
}
