/* Tables of a sink: how columns land, namespaces and tables that are made, what an existing table must have. */
#include <stdio.h>
#include <stdlib.h>

#include "arrow/fit.h"
#include "arrow/sink.h"
#include "hb.h"

static void table_freep(struct ent_hb_table **t) { ent_hb_table_free(*t); }

/* --- columns --- */

/* As the source's column is when that is HBase, too; else the canonical text of its type. */
static void type_for(const struct ArrowSchema *schema, const struct ent_field_info *f, struct ent_hb_type *ret)
{
	char store[32] = "", name[ENT_TYPE_TEXT_MAX];
	ent_metadata_get(schema->metadata, ENT_META_STORE, store, sizeof store);
	if (!strcmp(store, "hbase") && ent_hb_type_by_name(f->native, ret) && ent_type_eq(ret->type, f->type))
		return;
	ent_type_name(f->type, name);
	(void)ent_hb_type_by_name(name, ret);
}

/* The table as it would be made for a source: its columns in their order, no key yet. */
static int table_plan(struct ent_source *s, const struct ent_target *target, struct ent_hb_table **ret, struct ent_err *err)
{
	ENT_CLEANUP(table_freep) struct ent_hb_table *t = NULL;
	ENT_TRY(ent_hb_table_new(s, target->object, &t, err));
	for (size_t i = 0; i < (size_t)target->schema->n_children; i++) {
		struct ent_field_info f;
		struct ent_hb_type type;
		ent_schema_field(target->schema, i, &f);
		type_for(target->schema, &f, &type);
		ENT_TRY(ent_hb_column_add(t, f.name, &type, err));
	}
	t->fixed = true;
	ENT_TRY(ent_hb_declared(s, t, err));
	*ret = t;
	t = NULL;
	return 0;
}

static bool family_there(const struct ent_hb_table *t, struct ent_bytes family)
{
	for (size_t i = 0; i < t->n_families; i++)
		if (ent_bytes_eq(family, ent_bytes_str(t->families[i])))
			return true;
	return false;
}

/* What a column would be in the table that is there (NULL: in one that is made). */
static void line_make(const struct ArrowSchema *schema, const struct ent_field_info *f, const struct ent_hb_table *t, struct ent_map_line *l)
{
	struct ent_hb_column probe;
	struct ent_hb_type to;
	const char *why;
	int at = t ? ent_hb_column_find(t, f->name) : -1;
	*l = (struct ent_map_line){ .size = sizeof *l, .verdict = ENT_MAP_REFUSED };
	if (!ent_hb_column_place(&probe, f->name, &why)) {
		snprintf(l->why, sizeof l->why, "%s", why);
		return;
	}
	if (at < 0 && t && (t->kept || !family_there(t, probe.family))) {
		snprintf(l->why, sizeof l->why, "%s", t->kept ? "the table has no such column" : "the table has no such column family");
		return;
	}
	type_for(schema, f, &to);
	if (at >= 0)
		to = t->columns[at].t;
	else if (t && f->type.id != ENT_T_BINARY)
		(void)ent_hb_type_by_name("text", &to); /* nobody will know better when it is read */
	ent_hb_type_name(&to, l->native);
	l->verdict = ent_fit_types(f->type, to.type, l->why);
}

/* --- what is there --- */

/* The table when it is there, and it counts: *ret NULL when it will be made, or emptied and described anew. */
static int table_look(struct ent_source *s, const char *object, struct ent_hb_table **ret, struct ent_err *err)
{
	char ns[64], name[200];
	bool there;
	*ret = NULL;
	ent_hb_tables_forget(s); /* it may have been made or changed since */
	ENT_TRY(ent_hb_object(s, object, ns, name, err));
	ENT_TRY(ent_hb_exists(s, ns, name, &there, err));
	return there ? ent_hb_table_get(s, object, ret, err) : 0;
}

static bool anew(const struct ent_target *target, const struct ent_hb_table *t)
{
	return !t || (t->empty && !t->kept) || (target->mode == ENT_WRITE_REPLACE && !target->resume);
}

int ent_hb_map(struct ent_source *s, const struct ent_target *target, struct ent_map_line *lines, int *ret_exists, struct ent_err *err)
{
	ENT_CLEANUP(table_freep) struct ent_hb_table *plan = NULL;
	struct ent_hb_table *t;
	ENT_TRY(ent_schema_check(target->schema, err));
	ENT_TRY(table_look(s, target->object, &t, err));
	if (anew(target, t) && s->settings.schema_file[0])
		ENT_TRY(table_plan(s, target, &plan, err)); /* what --schema says counts */
	for (size_t i = 0; i < (size_t)target->schema->n_children; i++) {
		struct ent_field_info f;
		ent_schema_field(target->schema, i, &f);
		line_make(target->schema, &f, anew(target, t) ? plan : t, &lines[i]);
	}
	*ret_exists = t != NULL;
	return 0;
}

/* --- keys --- */

/* Every column of the row key is written, and an upsert is by that key. */
static int keys_check(const struct ent_target *target, const struct ent_hb_table *t, const struct ent_sink_keys *keys, struct ent_err *err)
{
	for (size_t i = 0; i < t->n_keys; i++) {
		const char *name = t->columns[t->keys[i]].name;
		bool named = false;
		if (ent_schema_find(target->schema, name) < 0)
			return ent_fail(err, ENT_EUSAGE, "column %.200s of the row key of %.200s is not among the columns copied", name,
					target->object);
		for (size_t k = 0; k < keys->n; k++)
			named = named || !strcmp(keys->names[k], name);
		if (target->mode == ENT_WRITE_UPSERT && (!named || keys->n != t->n_keys)) {
			ent_fail(err, ENT_EUSAGE, "HBase finds the rows of %.200s by their row key only", target->object);
			return ent_next(err, "name exactly its columns with --key, in their order"), ENT_EUSAGE;
		}
	}
	return 0;
}

/* --- making --- */

int ent_hb_namespace_make(struct ent_source *s, const char *ns, struct ent_err *err)
{
	struct ent_err probe = ENT_ERR_INIT; /* lacking is no failure */
	if (!strcmp(ns, "default"))
		return 0;
	ent_thrift_put_binary(ent_hb_ask(s, "getNamespaceDescriptor"), 1, ent_bytes_str(ns));
	int code = ent_hb_call(s, "the namespace cannot be described", NULL, &probe);
	if (code == ENT_ENOTFOUND) {
		struct ent_buf *b = ent_hb_ask(s, "createNamespace");
		ent_thrift_put_field(b, ENT_THRIFT_STRUCT, 1);
		ent_thrift_put_binary(b, 1, ent_bytes_str(ns));
		ent_thrift_put_stop(b);
		return ent_hb_call(s, "the namespace cannot be made", NULL, err);
	}
	if (code && err)
		*err = probe;
	return code;
}

/* The families that the columns of t need, f always among them. */
static size_t families_of(const struct ent_hb_table *t, struct ent_bytes out[ENT_COLUMNS_MAX])
{
	size_t n = 1;
	out[0] = ent_bytes_str(ENT_HB_FAMILY);
	for (size_t i = 0; i < t->n; i++) {
		size_t k = 0;
		while (k < n && !ent_bytes_eq(out[k], t->columns[i].family))
			k++;
		if (k == n && !t->columns[i].key)
			out[n++] = t->columns[i].family;
	}
	return n;
}

static int key_less(const struct ent_target *target, struct ent_err *err)
{
	ent_fail(err, ENT_EUSAGE, "the rows of %.200s have no key, and every row of HBase has one", target->object);
	return ent_next(err, "name the columns that tell rows apart with --key A,B"), ENT_EUSAGE;
}

/* Two columns may not live in one place: "x" and "f:x". */
static int places_check(const struct ent_hb_table *t, struct ent_err *err)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct ent_hb_column *c = &t->columns[i];
		int at = c->key ? -1 : ent_hb_column_at(t, c->family, c->qualifier);
		if (at >= 0 && (size_t)at != i)
			return ent_fail(err, ENT_EUNSUPPORTED, "columns %.200s and %.200s would be one column of HBase", t->columns[at].name,
					c->name);
	}
	return 0;
}

/* there: the table as it is, emptied by the caller; NULL: it lacks. The columns are kept first: a table without them would be taken for another's. */
static int table_make(struct ent_source *s, const struct ent_target *target, const struct ent_sink_keys *keys, const struct ent_hb_table *there,
		      struct ent_err *err)
{
	ENT_CLEANUP(table_freep) struct ent_hb_table *plan = NULL;
	struct ent_bytes families[ENT_COLUMNS_MAX];
	if (!keys->n)
		return key_less(target, err);
	ENT_TRY(table_plan(s, target, &plan, err));
	for (size_t i = 0; i < keys->n; i++)
		ENT_TRY(ent_hb_key_add(plan, (size_t)ent_hb_column_find(plan, keys->names[i]), err));
	ENT_TRY(places_check(plan, err));
	size_t n = families_of(plan, families);
	for (size_t i = 0; there && i < n; i++) {
		if (family_there(there, families[i]))
			continue;
		ent_fail(err, ENT_EUSAGE, "table %.200s has no column family %.*s", there->full, (int)families[i].len,
			 (const char *)families[i].data);
		return ent_next(err, "drop the table, or add the family to it"), ENT_EUSAGE;
	}
	ENT_TRY(ent_hb_namespace_make(s, plan->ns, err));
	if (there && !there->empty)
		ENT_TRY(ent_hb_target_empty(s, there, err));
	ENT_TRY(ent_hb_columns_keep(s, plan, err));
	return there ? 0 : ent_hb_table_make(s, plan->ns, plan->name, families, n, err);
}

static int table_state(struct ent_source *s, const char *method, const struct ent_hb_table *t, bool *ret, struct ent_err *err)
{
	struct ent_hb_answer a;
	ent_hb_put_table_name(ent_hb_ask(s, method), 1, ent_bytes_str(t->ns), ent_bytes_str(t->name));
	ENT_TRY(ent_hb_call(s, "the table cannot be emptied", &a, err));
	return ret ? ent_hb_answer_bool(&a, ret, err) : 0;
}

int ent_hb_target_empty(struct ent_source *s, const struct ent_hb_table *t, struct ent_err *err)
{
	bool off;
	ENT_TRY(table_state(s, "isTableDisabled", t, &off, err));
	if (!off)
		ENT_TRY(table_state(s, "disableTable", t, NULL, err));
	struct ent_buf *b = ent_hb_ask(s, "truncateTable");
	ent_hb_put_table_name(b, 1, ent_bytes_str(t->ns), ent_bytes_str(t->name));
	ent_thrift_put_bool(b, 2, true); /* its regions stay */
	return ent_hb_call(s, "the table cannot be emptied", NULL, err);
}

/* --- ready --- */

/* In a table of others, columns nobody has seen yet are added to what is known: as texts. */
static int lines_check(const struct ent_target *target, struct ent_hb_table *t, struct ent_err *err)
{
	for (size_t i = 0; i < (size_t)target->schema->n_children; i++) {
		struct ent_field_info f;
		struct ent_map_line line;
		struct ent_hb_type type;
		ent_schema_field(target->schema, i, &f);
		line_make(target->schema, &f, t, &line);
		if (line.verdict == ENT_MAP_REFUSED)
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be written: %s", f.name, line.why);
		if (ent_hb_column_find(t, f.name) < 0 && ent_hb_type_by_name(line.native, &type))
			ENT_TRY(ent_hb_column_add(t, f.name, &type, err));
	}
	return 0;
}

int ent_hb_target_ready(struct ent_source *s, const struct ent_target *target, struct ent_hb_table **ret, bool *ret_fresh, struct ent_err *err)
{
	struct ent_hb_table *t;
	struct ent_sink_keys keys;
	ENT_TRY(ent_schema_check(target->schema, err));
	ENT_TRY(ent_sink_keys_take(target, &keys, err));
	ENT_TRY(table_look(s, target->object, &t, err));
	if (t && target->mode == ENT_WRITE_CREATE && !target->resume) {
		ent_fail(err, ENT_EUSAGE, "table %.200s is there already", t->full);
		return ent_next(err, "choose --mode append, replace or upsert"), ENT_EUSAGE;
	}
	*ret_fresh = !target->resume && anew(target, t);
	if (anew(target, t)) {
		ENT_TRY(table_make(s, target, &keys, t, err));
		ent_hb_tables_forget(s);
		ENT_TRY(ent_hb_table_get(s, target->object, &t, err));
	}
	ENT_TRY(lines_check(target, t, err));
	ENT_TRY(keys_check(target, t, &keys, err));
	*ret = t;
	return 0;
}

/* --- changes of columns --- */

/* Values in the text of the one read as the text of the other. */
static bool widens(struct ent_hb_type from, struct ent_hb_type to)
{
	if (from.packed || to.packed)
		return false;
	if (to.type.id == ENT_T_TEXT)
		return from.type.id != ENT_T_BINARY;
	return (ent_type_is_int(from.type) && ent_type_is_int(to.type) && to.type.id > from.type.id) ||
	       (from.type.id == ENT_T_REAL && to.type.id == ENT_T_DOUBLE);
}

int ent_hb_target_alter(struct ent_source *s, struct ent_hb_table *t, const struct ArrowSchema *schema, struct ent_err *err)
{
	bool changed = false;
	for (size_t i = 0; i < (size_t)schema->n_children; i++) {
		struct ent_field_info f;
		struct ent_hb_type to;
		char why[200];
		ent_schema_field(schema, i, &f);
		int at = ent_hb_column_find(t, f.name);
		type_for(schema, &f, &to);
		if (at >= 0 && (ent_type_eq(t->columns[at].t.type, f.type) || t->columns[at].t.type.id == ENT_T_TEXT))
			continue;
		if (at >= 0 && !t->columns[at].key && widens(t->columns[at].t, to)) {
			t->columns[at].t = to;
			changed = true;
		} else if (at >= 0 && ent_fit_types(f.type, t->columns[at].t.type, why) != ENT_MAP_WIDENED) {
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot change its type in HBase", f.name);
		} else if (at < 0) {
			ENT_TRY(ent_hb_column_add(t, f.name, &to, err));
			if (!family_there(t, t->columns[t->n - 1].family))
				return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s needs a column family that %.200s does not have", f.name,
						t->full);
			changed = true;
		}
	}
	ENT_TRY(places_check(t, err));
	return changed && t->kept ? ent_hb_columns_keep(s, t, err) : 0;
}
