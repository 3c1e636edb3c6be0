/* The mapping report: what becomes of every column, told before the first row. */
#include <stdio.h>
#include <stdlib.h>

#include "move/job.h"

static const char *const verdicts[] = { "exact", "widened", "lossy", "refused" };

static bool allowed(const struct ent_copying *j, const char *column)
{
	for (size_t i = 0; i < j->copy->n_allow_lossy; i++)
		if (!strcmp(j->copy->allow_lossy[i], column))
			return true;
	return false;
}

static json_t *column_json(const struct ent_field_info *f, const struct ent_map_line *l)
{
	char type[ENT_TYPE_TEXT_MAX];
	ent_type_name(f->type, type);
	json_t *o = json_pack("{s:s,s:s,s:s,s:s}", "name", f->name, "from", f->native[0] ? f->native : type, "to", l->native, "verdict",
			      verdicts[l->verdict]);
	if (o && l->why[0])
		json_object_set_new(o, "why", json_string(l->why));
	return o;
}

/* Columns the store has in no form that can be copied: they are named, and refused unless --columns leaves them out. */
static size_t put_left_out(const struct ent_copying *j, json_t *columns, char first[260])
{
	size_t n = 0;
	for (size_t i = 0; !j->columns && i < (size_t)j->described.n_children; i++) {
		struct ent_field_info f;
		ent_schema_field(&j->described, i, &f);
		if (f.copied)
			continue;
		json_array_append_new(columns, json_pack("{s:s,s:s,s:s,s:s,s:s}", "name", f.name, "from", f.native, "to", "", "verdict", "refused",
							 "why", f.unsupported));
		if (!n++)
			snprintf(first, 260, "%.255s", f.name);
	}
	return n;
}

static int refuse_line(const struct ent_copying *j, const char *name, const struct ent_map_line *l, struct ent_err *err)
{
	if (l->verdict == ENT_MAP_REFUSED) {
		ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be copied%s%s", name, l->native[0] ? " into " : "", l->native);
		ent_why(err, "%s", l->why);
		return ent_next(err, "leave it out with --columns, or change the target's column"), ENT_EUNSUPPORTED;
	}
#ifdef ENT_MUTANT_MOVE_LOSSY_SILENT
	return 0;
#endif
	if (l->verdict != ENT_MAP_LOSSY || allowed(j, name))
		return 0;
	ent_fail(err, ENT_EUNSUPPORTED, "column %.200s would lose something as %s", name, l->native);
	ent_why(err, "%s", l->why);
	return ent_next(err, "if that is fine: --allow-lossy %s", name), ENT_EUNSUPPORTED;
}

static bool native_equal(const struct ent_copying *j, const struct ent_map_line *lines)
{
	for (size_t i = 0; i < (size_t)j->schema.n_children; i++) {
		struct ent_field_info f;
		ent_schema_field(&j->schema, i, &f);
		if (lines[i].verdict != ENT_MAP_EXACT || !f.native[0] || strcmp(f.native, lines[i].native) != 0)
			return false;
	}
	return true;
}

/* The store's own images: only between sources of one connector, into the very same types. */
static bool wire_possible(const struct ent_copying *j, const struct ent_connector *to, const struct ent_map_line *lines)
{
	const struct ent_connector *from = j->source.connector;
	return !j->copy->no_wire && !strcmp(from->name, to->name) && (from->capabilities & to->capabilities & ENT_CAP_WIRE) && native_equal(j, lines);
}

static json_t *report_json(const struct ent_copying *j, size_t i, const struct ent_map_line *lines, char left_out[260], bool wire)
{
	json_t *columns = json_array();
	for (size_t k = 0; k < (size_t)j->schema.n_children; k++) {
		struct ent_field_info f;
		ent_schema_field(&j->schema, k, &f);
		json_array_append_new(columns, column_json(&f, &lines[k]));
	}
	(void)put_left_out(j, columns, left_out);
	return json_pack("{s:s,s:b,s:b,s:o,s:o,s:s}", "target", j->copy->targets[i].name, "exists", j->exists[i], "wire", wire, "rows",
			 j->rows_total < 0 ? json_null() : json_integer((json_int_t)j->rows_total), "columns", columns, "mode",
			 ent_move_mode_name(j->copy->mode));
}

static int report_one(struct ent_copying *j, size_t i, struct ent_map_line *lines, bool *ret_wire, struct ent_err *err)
{
	const struct ent_connector *to = j->out[i].session.connector;
	struct ent_target target;
	char left_out[260] = "";
	int exists = 0;
	ent_copying_target(j, i, &target);
	ENT_TRY(to->map(j->out[i].session.source, &target, lines, &exists, err));
	j->exists[i] = exists != 0;
	*ret_wire = wire_possible(j, to, lines);
	ENT_JSON_AUTO report = report_json(j, i, lines, left_out, *ret_wire);
	if (!report)
		return ent_nomem(err);
	if (j->env->report)
		j->env->report(j->env->self, report);
	if (left_out[0]) {
		ent_fail(err, ENT_EUNSUPPORTED, "column %s has no form that can be copied", left_out);
		return ent_next(err, "name the columns to copy with --columns"), ENT_EUNSUPPORTED;
	}
	for (size_t k = 0; k < (size_t)j->schema.n_children; k++)
		ENT_TRY(refuse_line(j, j->schema.children[k]->name, &lines[k], err));
	return 0;
}

static void lines_free(struct ent_map_line **l) { free(*l); }

int ent_copying_report(struct ent_copying *j, struct ent_err *err)
{
	size_t n = (size_t)j->schema.n_children;
	ENT_CLEANUP(lines_free) struct ent_map_line *lines = ent_alloc(n + 1, sizeof *lines);
	if (!lines)
		return ent_nomem(err);
	j->wire = true;
	for (size_t i = 0; i < j->n_out; i++) {
		bool wire = false;
		for (size_t k = 0; k < n; k++)
			lines[k] = (struct ent_map_line){ .size = sizeof *lines };
		ENT_TRY(report_one(j, i, lines, &wire, err));
		j->wire = j->wire && wire;
	}
	return 0;
}

/* Rows of finished splits are not read again: without the table that held them they would be missing in silence. */
static int still_there(const struct ent_copying *j, struct ent_err *err)
{
	uint64_t rows = 0;
	for (size_t i = 0; i < j->n_splits; i++)
		rows += j->splits[i].done ? j->splits[i].digest.rows : 0;
	if (!j->resumed || j->copy->restart || j->exists[0] || !rows || j->copy->mode == ENT_WRITE_REPLACE)
		return 0;
	ent_fail(err, ENT_EDATA, "%.300s is not there any more, and an earlier run of this copy wrote %llu rows into it", j->copy->targets[0].name,
		 (unsigned long long)rows);
	return ent_next(err, "begin anew with --restart"), ENT_EDATA;
}

int ent_copying_exists(const struct ent_copying *j, struct ent_err *err)
{
	ENT_TRY(still_there(j, err));
	for (size_t i = 0; i < j->n_out; i++) {
		if (!j->exists[i] || j->copy->mode != ENT_WRITE_CREATE || j->resumed)
			continue;
		ent_fail(err, ENT_EUSAGE, "%.300s is there already", j->copy->targets[i].name);
		return ent_next(err, "choose --mode append, replace or upsert (a file: replace), or another name"), ENT_EUSAGE;
	}
	return 0;
}
