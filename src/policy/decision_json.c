/* Decisions and selections as JSON: what EXPLAIN shows, what is hashed, what a job leaves for rule 7. */
#include <stdlib.h>

#include "policy/policy.h"

static int put(json_t *obj, const char *key, json_t *value, struct ent_err *err) { return json_object_set_new(obj, key, value) ? ent_nomem(err) : 0; }

static int append(json_t *list, json_t *value, struct ent_err *err) { return json_array_append_new(list, value) ? ent_nomem(err) : 0; }

static json_t *names(const char *const *list, size_t n)
{
	json_t *out = json_array();
	for (size_t i = 0; out && i < n; i++)
		if (json_array_append_new(out, json_string(list[i]))) {
			json_decref(out);
			return NULL;
		}
	return out;
}

static json_t *line_json(const struct ent_decision_line *l)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:I, s:s, s:I}", "org", l->table->org, "table", l->table->name, "column",
			      l->column ? l->column : "", "use", ent_use_json(l->use), "allowed", l->allowed, "rule", l->rule, "k", (json_int_t)l->k,
			      "leak", ent_leak_text(l->leak), "approvals", (json_int_t)l->approvals);
	if (o && !l->allowed &&
	    (json_object_set_new(o, "what", json_string(l->what)) || json_object_set_new(o, "why", json_string(l->why)) ||
	     json_object_set_new(o, "next", json_string(l->next)))) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static int put_lines(json_t *obj, const char *key, const struct ent_decision_line *lines, size_t n, struct ent_err *err)
{
	json_t *list = json_array();
	ENT_TRY(put(obj, key, list, err));
	for (size_t i = 0; i < n; i++)
		ENT_TRY(append(list, line_json(&lines[i]), err));
	return 0;
}

static int put_tables(json_t *obj, const struct ent_decision *d, struct ent_err *err)
{
	json_t *list = json_array();
	ENT_TRY(put(obj, "tables", list, err));
	for (size_t i = 0; i < d->n_tables; i++) {
		const struct ent_decision_table *t = &d->tables[i];
		ENT_TRY(append(list,
			       json_pack("{s:s, s:s, s:b, s:b, s:I, s:b}", "org", t->table->org, "table", t->table->name, "own", t->own, "protected",
					 t->protect, "k", (json_int_t)t->k, "own_values", t->own_values),
			       err));
	}
	return 0;
}

static const char *held_text(enum ent_held held)
{
	switch (held) {
	case ENT_HELD_GROUP:
		return "group";
	case ENT_HELD_NON_NULL:
		return "non-null";
	case ENT_HELD_FILTERED:
		return "filtered";
	}
	return "";
}

static int put_aggs(json_t *obj, const struct ent_decision *d, struct ent_err *err)
{
	json_t *list = json_array();
	ENT_TRY(put(obj, "aggregates", list, err));
	for (size_t i = 0; i < d->n_aggs; i++) {
		const struct ent_decision_agg *a = &d->aggs[i];
		ENT_TRY(append(list,
			       json_pack("{s:s, s:s, s:b, s:I, s:b}", "aggregate", ent_agg_text(a->expr->agg), "held", held_text(a->held), "non_null",
					 a->non_null, "conditions", (json_int_t)a->n_conditions, "opens_sum_count", a->opens_sum_count),
			       err));
	}
	return 0;
}

static int put_blocks(json_t *obj, const struct ent_decision *d, struct ent_err *err)
{
	json_t *blocks = json_array(), *outers = json_array();
	ENT_TRY(put(obj, "blocks", blocks, err));
	ENT_TRY(put(obj, "outer_joins", outers, err));
	for (size_t i = 0; i < d->n_blocks; i++) {
		const struct ent_decision_block *b = &d->blocks[i];
		ENT_TRY(append(blocks, json_pack("{s:b, s:b, s:I}", "top", b->top, "remainder", b->remainder, "protected", (json_int_t)b->n_tables),
			       err));
	}
	for (size_t i = 0; i < d->n_outers; i++) {
		const struct ent_decision_outer *o = &d->outers[i];
		ENT_TRY(append(outers, json_pack("{s:I, s:b, s:I}", "relation", (json_int_t)o->rel, "anti", o->anti, "k", (json_int_t)o->k), err));
	}
	return 0;
}

static const char *guard_text(enum ent_guard kind)
{
	switch (kind) {
	case ENT_GUARD_DROPPED:
		return "dropped";
	case ENT_GUARD_TOTAL:
		return "total";
	case ENT_GUARD_CELLS:
		return "cells";
	case ENT_GUARD_NEVER:
		return "never";
	}
	return "";
}

static int put_guards(json_t *obj, const struct ent_decision *d, struct ent_err *err)
{
	json_t *list = json_array();
	ENT_TRY(put(obj, "guards", list, err));
	for (size_t i = 0; i < d->n_guards; i++) {
		const struct ent_decision_guard *g = &d->guards[i];
		const struct ent_policy_selection *s = &d->selections[g->selection];
		ENT_TRY(append(list,
			       json_pack("{s:s, s:s, s:I, s:s, s:I, s:s, s:I, s:b, s:b}", "org", s->org, "table", s->table, "selection",
					 (json_int_t)g->selection, "job", g->job ? g->job : "", "other", (json_int_t)g->other, "compare",
					 guard_text(g->kind), "k", (json_int_t)g->k, "other_trio", g->other_trio, "at_owner", g->at_owner),
			       err));
	}
	return 0;
}

static int put_approvals(json_t *obj, const struct ent_decision *d, struct ent_err *err)
{
	json_t *list = json_array();
	ENT_TRY(put(obj, "approvals", list, err));
	for (size_t i = 0; i < d->n_approvals; i++)
		ENT_TRY(append(list, json_pack("{s:s, s:I}", "org", d->approvals[i].org, "of", (json_int_t)d->approvals[i].of), err));
	return put(obj, "approvals_max", json_integer(d->approvals_max), err);
}

static int fill(json_t *obj, const struct ent_decision *d, struct ent_err *err)
{
	json_t *selections;
	ENT_TRY(put(obj, "allowed", json_boolean(d->allowed), err));
	ENT_TRY(put(obj, "leak", json_string(ent_leak_text(d->leak)), err));
	ENT_TRY(put(obj, "rules", names(d->rules, d->n_rules), err));
	ENT_TRY(put_lines(obj, "lines", d->lines, d->n_lines, err));
	ENT_TRY(put_lines(obj, "refusals", d->refusals, d->n_refusals, err));
	ENT_TRY(put_tables(obj, d, err));
	ENT_TRY(put_aggs(obj, d, err));
	ENT_TRY(put_blocks(obj, d, err));
	ENT_TRY(put_guards(obj, d, err));
	ENT_TRY(put_approvals(obj, d, err));
	ENT_TRY(ent_policy_selections_json(d->selections, d->n_selections, &selections, err));
	return put(obj, "selections", selections, err);
}

int ent_decision_json(const struct ent_decision *d, json_t **ret, struct ent_err *err)
{
	ENT_JSON_AUTO obj = json_object();
	if (!obj)
		return ent_nomem(err);
	ENT_TRY(fill(obj, d, err));
	*ret = json_incref(obj);
	return 0;
}

int ent_policy_selections_json(const struct ent_policy_selection *s, size_t n, json_t **ret, struct ent_err *err)
{
	ENT_JSON_AUTO list = json_array();
	if (!list)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++)
		ENT_TRY(append(list,
			       json_pack("{s:s, s:s, s:I, s:s, s:s, s:o, s:b, s:I, s:s*, s:s*}", "org", s[i].org, "table", s[i].table, "version",
					 (json_int_t)s[i].version, "rows", s[i].rows, "group", s[i].group, "columns",
					 names(s[i].columns, s[i].n_columns), "counts", s[i].counts, "k", (json_int_t)s[i].k, "unit",
					 s[i].unit && *s[i].unit ? s[i].unit : NULL, "by",
					 s[i].by && strcmp(s[i].by, s[i].group) != 0 ? s[i].by : NULL),
			       err));
	*ret = json_incref(list);
	return 0;
}

static int dup_text(struct ent_arena *arena, const json_t *obj, const char *key, const char **ret, struct ent_err *err)
{
	const char *s;
	ENT_TRY(ent_json_str(obj, key, &s, err));
	*ret = ent_arena_dup(arena, s);
	return *ret ? 0 : ent_nomem(err);
}

static int parse_columns(struct ent_arena *arena, const json_t *obj, struct ent_policy_selection *s, struct ent_err *err)
{
	json_t *list;
	ENT_TRY(ent_json_array(obj, "columns", &list, err));
	s->n_columns = json_array_size(list);
	s->columns = ENT_NEWS(arena, s->n_columns + 1, const char *);
	if (!s->columns)
		return ent_nomem(err);
	for (size_t i = 0; i < s->n_columns; i++) {
		const char *name = json_string_value(json_array_get(list, i));
		if (!name)
			return ent_fail(err, ENT_EDATA, "selection: a column is not a name");
		if (!(s->columns[i] = ent_arena_dup(arena, name)))
			return ent_nomem(err);
	}
	return 0;
}

static int parse_one(struct ent_arena *arena, const json_t *obj, struct ent_policy_selection *s, struct ent_err *err)
{
	int64_t version, k;
	ENT_TRY(dup_text(arena, obj, "org", &s->org, err));
	ENT_TRY(dup_text(arena, obj, "table", &s->table, err));
	ENT_TRY(dup_text(arena, obj, "rows", &s->rows, err));
	ENT_TRY(dup_text(arena, obj, "group", &s->group, err));
	s->unit = "";
	s->by = s->group;
	if (json_object_get(obj, "by"))
		ENT_TRY(dup_text(arena, obj, "by", &s->by, err));
	if (json_object_get(obj, "unit"))
		ENT_TRY(dup_text(arena, obj, "unit", &s->unit, err));
	ENT_TRY(ent_json_int(obj, "version", 0, INT64_MAX, &version, err));
	ENT_TRY(ent_json_int(obj, "k", 0, ENT_GRANT_MIN_GROUP_MOST, &k, err));
	ENT_TRY(ent_json_bool(obj, "counts", &s->counts, err));
	s->version = (uint64_t)version;
	s->k = (uint32_t)k;
	return parse_columns(arena, obj, s, err);
}

int ent_policy_selections_parse(struct ent_arena *arena, const json_t *value, struct ent_policy_selection **ret, size_t *ret_n, struct ent_err *err)
{
	size_t n = json_array_size(value);
	if (!json_is_array(value))
		return ent_fail(err, ENT_EDATA, "selections are not a list");
	struct ent_policy_selection *list = ENT_NEWS(arena, n + 1, struct ent_policy_selection);
	if (!list)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++)
		ENT_TRY(parse_one(arena, json_array_get(value, i), &list[i], err));
	*ret = list;
	*ret_n = n;
	return 0;
}
