/* The JSON and canonical forms of grants. What comes in is foreign: every list is checked, sorted order is demanded of nobody but made. */
#include <stdlib.h>

#include "policy/grant.h"

static int put(json_t *obj, const char *key, json_t *value, struct ent_err *err) { return json_object_set_new(obj, key, value) ? ent_nomem(err) : 0; }

static int put_names(json_t *obj, const char *key, const char *const *names, size_t n, struct ent_err *err)
{
	json_t *list = json_array();
	ENT_TRY(put(obj, key, list, err));
	for (size_t i = 0; i < n; i++)
		if (json_array_append_new(list, json_string(names[i])))
			return ent_nomem(err);
	return 0;
}

static int put_uses(json_t *obj, uint32_t uses, struct ent_err *err)
{
	const char *names[ENT_USE_NAMES];
	size_t n = 0;
	for (int u = 0; u < ENT_USE_NAMES; u++)
		if (uses & ENT_USE_BIT(u))
			names[n++] = ent_use_json((enum ent_use)u);
	return put_names(obj, "uses", names, n, err);
}

static int fill(json_t *obj, const struct ent_grant *g, struct ent_err *err)
{
	char day[16] = "";
	if (g->until_day != ENT_GRANT_NO_DATE)
		ent_day_text(g->until_day, day);
	ENT_TRY(put(obj, "approvals", json_integer(g->approvals), err));
	ENT_TRY(put_names(obj, "columns", g->columns, g->n_columns, err));
	ENT_TRY(put(obj, "effect", json_string(g->deny ? "deny" : "grant"), err));
	ENT_TRY(put_names(obj, "for", g->purposes, g->n_purposes, err));
	ENT_TRY(put(obj, "leak", json_string(ent_leak_text(g->leak)), err));
	ENT_TRY(put(obj, "min_group", json_integer(g->min_group), err));
	ENT_TRY(put(obj, "own_values", json_boolean(g->own_values), err));
	ENT_TRY(put(obj, "table", json_string(g->table), err));
	ENT_TRY(put_names(obj, "to", g->orgs, g->n_orgs, err));
	ENT_TRY(put(obj, "until", json_string(day), err));
	ENT_TRY(put_uses(obj, g->uses, err));
	return put(obj, "uses_max", json_integer((json_int_t)g->uses_max), err);
}

int ent_grant_json(const struct ent_grant *g, json_t **ret, struct ent_err *err)
{
	ENT_JSON_AUTO obj = json_object();
	if (!obj)
		return ent_nomem(err);
	ENT_TRY(fill(obj, g, err));
	*ret = json_incref(obj);
	return 0;
}

static int compare_names(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static int get_name(const json_t *v, const char *key, const char **ret, struct ent_err *err)
{
	const char *s = json_string_value(v);
	if (!s || !*s || strlen(s) > 255 || strlen(s) != json_string_length(v))
		return ent_fail(err, ENT_EDATA, "grant: %s holds something that is not a name", key);
	*ret = s;
	return 0;
}

static int get_names(struct ent_arena *a, const json_t *obj, const char *key, const char ***ret, size_t *ret_n, struct ent_err *err)
{
	const json_t *list = json_object_get(obj, key);
	size_t n = json_array_size(list), kept = 0;
	if (!list)
		return 0;
	if (!json_is_array(list) || n > ENT_GRANT_LIST_MAX)
		return ent_fail(err, ENT_EDATA, "grant: %s is not a list of at most %d names", key, ENT_GRANT_LIST_MAX);
	const char **names = ENT_NEWS(a, n + 1, const char *);
	if (!names)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++) {
		ENT_TRY(get_name(json_array_get(list, i), key, &names[i], err));
		if (!(names[i] = ent_arena_dup(a, names[i])))
			return ent_nomem(err);
	}
	if (n)
		qsort(names, n, sizeof *names, compare_names);
	for (size_t i = 0; i < n; i++)
		if (!kept || strcmp(names[kept - 1], names[i]))
			names[kept++] = names[i];
	*ret = names;
	*ret_n = kept;
	return 0;
}

static int get_uses(const json_t *obj, uint32_t *ret, struct ent_err *err)
{
	json_t *list;
	ENT_TRY(ent_json_array(obj, "uses", &list, err));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *s = json_string_value(json_array_get(list, i));
		int u = 0;
		while (s && u < ENT_USE_NAMES && strcmp(ent_use_json((enum ent_use)u), s) != 0)
			u++;
		if (!s || u == ENT_USE_NAMES)
			return ent_fail(err, ENT_EDATA, "grant: unknown use '%.40s'", s ? s : "");
		*ret |= ENT_USE_BIT(u);
	}
	return *ret ? 0 : ent_fail(err, ENT_EDATA, "grant: no uses");
}

static int get_int(const json_t *obj, const char *key, int64_t min, int64_t max, int64_t *ret, struct ent_err *err)
{
	return json_object_get(obj, key) ? ent_json_int(obj, key, min, max, ret, err) : 0;
}

static int get_text(const json_t *obj, const char *key, const char **ret, struct ent_err *err)
{
	return json_object_get(obj, key) ? ent_json_str(obj, key, ret, err) : 0;
}

static int get_conditions(const json_t *obj, struct ent_grant *g, struct ent_err *err)
{
	int64_t k = ENT_GRANT_MIN_GROUP_DEFAULT, uses = 0, approvals = 0;
	const char *until = "", *leak = "none";
	ENT_TRY(get_int(obj, "min_group", ENT_GRANT_MIN_GROUP_LEAST, ENT_GRANT_MIN_GROUP_MOST, &k, err));
	ENT_TRY(get_int(obj, "uses_max", 0, 1000000000000, &uses, err));
	ENT_TRY(get_int(obj, "approvals", 0, 1000, &approvals, err));
	ENT_TRY(get_text(obj, "until", &until, err));
	ENT_TRY(get_text(obj, "leak", &leak, err));
	if (json_object_get(obj, "own_values"))
		ENT_TRY(ent_json_bool(obj, "own_values", &g->own_values, err));
	if (*until && !ent_day_parse(until, strlen(until), &g->until_day))
		return ent_fail(err, ENT_EDATA, "grant: until is not a date");
	if (!ent_leak_by_name(leak, &g->leak))
		return ent_fail(err, ENT_EDATA, "grant: leak is not none, sizes or match-pattern");
	g->min_group = (uint32_t)k;
	g->uses_max = (uint64_t)uses;
	g->approvals = (uint32_t)approvals;
	return 0;
}

static int check_keys(const json_t *obj, struct ent_err *err)
{
	static const char *const KEYS[] = { "approvals",  "columns", "effect", "for",   "leak", "min_group",
					    "own_values", "table",   "to",     "until", "uses", "uses_max" };
	const char *key;
	json_t *value;
	if (!json_is_object(obj))
		return ent_fail(err, ENT_EDATA, "grant: not an object");
	json_object_foreach((json_t *)(uintptr_t)obj, key, value)
	{
		size_t i = 0;
		while (i < ENT_COUNT(KEYS) && strcmp(KEYS[i], key) != 0)
			i++;
		if (i == ENT_COUNT(KEYS))
			return ent_fail(err, ENT_EDATA, "grant: unknown member '%.40s'", key);
	}
	return 0;
}

/* What the text form cannot say must not come in by JSON either. */
static int check_shape(const struct ent_grant *g, struct ent_err *err)
{
	bool plain = g->min_group == ENT_GRANT_MIN_GROUP_DEFAULT && !g->uses_max && !g->approvals && g->leak == ENT_LEAK_NONE && !g->own_values;
	if (!g->n_columns)
		return ent_fail(err, ENT_EDATA, "grant: no columns");
	if (g->deny && !plain)
		return ent_fail(err, ENT_EDATA, "grant: a DENY has no conditions but TO, FOR and UNTIL");
	if (g->own_values && !(g->uses & (ENT_USE_BIT(ENT_USE_JOIN) | ENT_USE_BIT(ENT_USE_SELECT))))
		return ent_fail(err, ENT_EDATA, "grant: own values belong to JOIN or SELECT");
	for (size_t i = 0; i < g->n_orgs; i++)
		if (!ent_grant_org_ok(g->orgs[i]))
			return ent_fail(err, ENT_EDATA, "grant: '%.60s' is not the name of an organisation", g->orgs[i]);
	return 0;
}

int ent_grant_from_json(struct ent_arena *arena, const json_t *value, struct ent_grant *ret, struct ent_err *err)
{
	struct ent_grant g = { .until_day = ENT_GRANT_NO_DATE };
	const char *effect = "grant";
	ENT_TRY(check_keys(value, err));
	ENT_TRY(get_text(value, "effect", &effect, err));
	g.deny = !strcmp(effect, "deny");
	if (!g.deny && strcmp(effect, "grant") != 0)
		return ent_fail(err, ENT_EDATA, "grant: effect is neither grant nor deny");
	ENT_TRY(get_name(json_object_get(value, "table"), "table", &g.table, err));
	if (!(g.table = ent_arena_dup(arena, g.table)))
		return ent_nomem(err);
	ENT_TRY(get_names(arena, value, "columns", &g.columns, &g.n_columns, err));
	ENT_TRY(get_names(arena, value, "to", &g.orgs, &g.n_orgs, err));
	ENT_TRY(get_names(arena, value, "for", &g.purposes, &g.n_purposes, err));
	ENT_TRY(get_uses(value, &g.uses, err));
	ENT_TRY(get_conditions(value, &g, err));
	ENT_TRY(check_shape(&g, err));
	*ret = g;
	return 0;
}
