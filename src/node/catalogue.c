#include "node/catalogue.h"

struct cat_table {
	struct ent_table table;
	struct cat_table *next;
};

struct cat {
	struct ent_arena *arena;
	struct cat_table *first;
};

static int column_parse(struct ent_arena *arena, const json_t *item, struct ent_column *ret, struct ent_err *err)
{
	const char *name, *type;
	int64_t bound = 0, distinct = 0;
	ENT_TRY(ent_json_str(item, "name", &name, err));
	ENT_TRY(ent_json_str(item, "type", &type, err));
	ENT_TRY(ent_json_bool(item, "nullable", &ret->nullable, err));
	if (json_object_get(item, "bound"))
		ENT_TRY(ent_json_int(item, "bound", 1, 63, &bound, err));
	if (json_object_get(item, "distinct"))
		ENT_TRY(ent_json_int(item, "distinct", 0, (int64_t)1 << 48, &distinct, err));
	if (!ent_type_by_name(type, &ret->type))
		return ent_fail(err, ENT_EDATA, "column %.60s has the unknown type %.60s", name, type);
	ret->name = ent_arena_dup(arena, name);
	ret->bound_bits = (uint8_t)bound;
	ret->distinct_padded = (uint64_t)distinct;
	return ret->name ? 0 : ent_nomem(err);
}

static int column_index(const struct ent_table *t, const json_t *name, uint16_t *ret, struct ent_err *err)
{
	for (size_t i = 0; json_is_string(name) && i < t->n_columns; i++)
		if (!strcmp(t->columns[i].name, json_string_value(name))) {
			*ret = (uint16_t)i;
			return 0;
		}
	return ent_fail(err, ENT_EDATA, "a key of %s names no column of it", t->name);
}

static int key_parse(struct ent_arena *arena, const struct ent_table *t, const json_t *item, struct ent_unique *ret, struct ent_err *err)
{
	size_t n = json_array_size(item);
	uint16_t *columns = ENT_NEWS(arena, n + 1, uint16_t);
	if (!columns)
		return ent_nomem(err);
	if (!n || n > t->n_columns)
		return ent_fail(err, ENT_EDATA, "a key of %s has no columns", t->name);
	for (size_t i = 0; i < n; i++)
		ENT_TRY(column_index(t, json_array_get(item, i), &columns[i], err));
	*ret = (struct ent_unique){ columns, n };
	return 0;
}

static int columns_parse(struct ent_arena *arena, const json_t *list, struct ent_table *t, struct ent_err *err)
{
	size_t n = json_array_size(list);
	struct ent_column *columns = ENT_NEWS(arena, n + 1, struct ent_column);
	if (!n || n > ENT_COLUMNS_MAX_NODE)
		return ent_fail(err, ENT_EDATA, "a table has 1 to %d columns", ENT_COLUMNS_MAX_NODE);
	if (!columns)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++)
		ENT_TRY(column_parse(arena, json_array_get(list, i), &columns[i], err));
	t->columns = columns;
	t->n_columns = n;
	return 0;
}

static int keys_parse(struct ent_arena *arena, const json_t *list, struct ent_table *t, struct ent_err *err)
{
	size_t n = json_array_size(list);
	struct ent_unique *keys = ENT_NEWS(arena, n + 1, struct ent_unique);
	if (!keys)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++)
		ENT_TRY(key_parse(arena, t, json_array_get(list, i), &keys[i], err));
	t->keys = keys;
	t->n_keys = n;
	return 0;
}

int ent_table_parse(struct ent_arena *arena, const char *org, const json_t *body, const uint8_t sha[32], struct ent_table *ret, struct ent_err *err)
{
	struct ent_table t = { 0 };
	const char *name;
	json_t *columns, *keys;
	int64_t rows, version;
	ENT_TRY(ent_json_str(body, "table", &name, err));
	ENT_TRY(ent_json_int(body, "rows", 0, (int64_t)1 << 48, &rows, err));
	ENT_TRY(ent_json_int(body, "version", 1, (int64_t)1 << 48, &version, err));
	ENT_TRY(ent_json_array(body, "columns", &columns, err));
	ENT_TRY(ent_json_array(body, "keys", &keys, err));
	t.org = ent_arena_dup(arena, org);
	t.name = ent_arena_dup(arena, name);
	if (!t.org || !t.name)
		return ent_nomem(err);
	t.rows_padded = (uint64_t)rows;
	t.version = (uint64_t)version;
	memcpy(t.facts_sha256, sha, sizeof t.facts_sha256);
	ENT_TRY(columns_parse(arena, columns, &t, err));
	ENT_TRY(keys_parse(arena, keys, &t, err));
	*ret = t;
	return 0;
}

json_t *ent_table_json(const struct ent_table *t)
{
	json_t *columns = json_array(), *keys = json_array();
	for (size_t i = 0; i < t->n_columns; i++) {
		const struct ent_column *c = &t->columns[i];
		char type[ENT_TYPE_TEXT_MAX];
		ent_type_name(c->type, type);
		json_t *o = json_pack("{s:s,s:s,s:b}", "name", c->name, "type", type, "nullable", c->nullable);
		if (c->bound_bits)
			json_object_set_new(o, "bound_bits", json_integer(c->bound_bits));
		if (c->type.id == ENT_T_TEXT)
			json_object_set_new(o, "distinct_padded", json_integer((json_int_t)c->distinct_padded));
		json_array_append_new(columns, o);
	}
	for (size_t i = 0; i < t->n_keys; i++) {
		json_t *key = json_array();
		for (size_t j = 0; j < t->keys[i].n_columns; j++)
			json_array_append_new(key, json_string(t->columns[t->keys[i].columns[j]].name));
		json_array_append_new(keys, key);
	}
	return json_pack("{s:s,s:s,s:I,s:I,s:o,s:o}", "org", t->org, "name", t->name, "rows_padded", (json_int_t)t->rows_padded, "version",
			 (json_int_t)t->version, "keys", keys, "columns", columns);
}

/* ---- the catalogue ---- */

static void drop(struct cat *c, const char *org, const char *name)
{
	for (struct cat_table **at = &c->first; *at; at = &(*at)->next)
		if (!strcmp((*at)->table.org, org) && !strcmp((*at)->table.name, name)) {
			*at = (*at)->next;
			return;
		}
}

/* Kept sorted by organisation and name. */
static void insert(struct cat *c, struct cat_table *t)
{
	struct cat_table **at = &c->first;
	while (*at) {
		int order = strcmp((*at)->table.org, t->table.org);
		if (order > 0 || (!order && strcmp((*at)->table.name, t->table.name) > 0))
			break;
		at = &(*at)->next;
	}
	t->next = *at;
	*at = t;
}

static int take(struct cat *c, const char *org, struct ent_bytes dsse, struct ent_err *err)
{
	struct ent_entry e;
	const char *name;
	ENT_TRY(ent_entry_open(dsse, &e, err));
	int r = ent_json_str(e.dsse.body, "table", &name, err);
	struct cat_table *t = ENT_NEW(c->arena, struct cat_table);
	if (!r && !t)
		r = ent_nomem(err);
	if (!r)
		drop(c, org, name);
	if (!r && !json_is_true(json_object_get(e.dsse.body, "removed"))) {
		/* A register entry of a peer that cannot be read hides that table; it must not hide the others. */
		if (!ent_table_parse(c->arena, org, e.dsse.body, e.dsse.payload_hash, &t->table, NULL))
			insert(c, t);
	}
	ent_entry_deinit(&e);
	return r;
}

static bool counts(struct ent_node *n, const json_t *sizes, const char *org, uint64_t at)
{
	if (!sizes)
		return !strcmp(org, n->card.org) || ent_member_find(n, org);
	const json_t *size = json_object_get(sizes, org);
	return json_is_integer(size) && at < (uint64_t)json_integer_value(size);
}

struct nearest {
	const char *org, *name, *best_org, *best;
	size_t distance;
};

/* Letters that differ: common front and back taken off. */
static size_t apart(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), i = 0, j = 0, least = la < lb ? la : lb;
	while (i < least && a[i] == b[i])
		i++;
	while (j < least - i && a[la - 1 - j] == b[lb - 1 - j])
		j++;
	return (la > lb ? la : lb) - i - j;
}

static void nearer(void *arg, const struct ent_table *t)
{
	struct nearest *near = arg;
	size_t d = apart(near->name, t->name) + (strcmp(near->org, t->org) != 0);
	if (!near->best || d < near->distance)
		*near = (struct nearest){ near->org, near->name, t->org, t->name, d };
}

static void cat_each(void *self, void (*fn)(void *arg, const struct ent_table *t), void *arg)
{
	for (struct cat_table *t = ((struct cat *)self)->first; t; t = t->next)
		fn(arg, &t->table);
}

static int cat_find(void *self, const char *org, const char *name, const struct ent_table **ret, struct ent_err *err)
{
	struct nearest near = { org, name, NULL, NULL, 0 };
	for (struct cat_table *t = ((struct cat *)self)->first; t; t = t->next)
		if (!strcmp(t->table.org, org) && !strcmp(t->table.name, name)) {
			*ret = &t->table;
			return 0;
		}
	ent_fail(err, ENT_ENOTFOUND, "there is no table %s.%s", org, name);
	cat_each(self, nearer, &near);
	if (!near.best)
		return ent_next(err, "entente tables shows what there is"), ENT_ENOTFOUND;
	return ent_next(err, "nearest: %s.%s", near.best_org, near.best), ENT_ENOTFOUND;
}

int ent_catalogue_make(struct ent_node *n, struct ent_arena *arena, const json_t *sizes, struct ent_catalogue *ret, struct ent_err *err)
{
	ENT_ST st = { 0 };
	struct cat *c = ENT_NEW(arena, struct cat);
	int r;
	if (!c)
		return ent_nomem(err);
	c->arena = arena;
	ENT_TRY(ent_db_query(n->db, &st, err, "SELECT org, at, dsse FROM fact WHERE type = 'register' ORDER BY org, at", ""));
	while ((r = ent_st_next(&st, err)) > 0)
		if (counts(n, sizes, ent_st_text(&st, 0), (uint64_t)ent_st_int(&st, 1)))
			ENT_TRY(take(c, ent_st_text(&st, 0), ent_st_blob(&st, 2), err));
	*ret = (struct ent_catalogue){ c, cat_find, cat_each };
	return r < 0 ? -r : 0;
}

/* ---- grants of one owner ---- */

struct rules {
	struct ent_arena *arena;
	struct ent_policy_rule *rule;
	size_t n, cap;
	const char **member;
	size_t n_members, members_cap;
};

static void *grown(struct ent_arena *arena, void *old, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return old;
	size_t cap_new = *cap ? *cap * 2 : 16;
	void *p = ent_arena_get(arena, cap_new, size);
	if (p) {
		if (n)
			memcpy(p, old, n * size);
		*cap = cap_new;
	}
	return p;
}

static int rule_add(struct rules *r, uint64_t at, const json_t *body, const json_t *used, struct ent_err *err)
{
	struct ent_grant *grant = ENT_NEW(r->arena, struct ent_grant);
	char key[24];
	r->rule = grown(r->arena, r->rule, r->n, &r->cap, sizeof *r->rule);
	if (!grant || !r->rule)
		return ent_nomem(err);
	if (ent_grant_from_json(r->arena, json_object_get(body, "grant"), grant, NULL))
		return 0; /* a grant we cannot read grants nothing; every party that cannot read it decides so */
	snprintf(key, sizeof key, "%llu", (unsigned long long)at);
	json_int_t runs = json_integer_value(json_object_get(used, key));
	r->rule[r->n++] = (struct ent_policy_rule){ at, grant, runs > 0 ? (uint64_t)runs : 0 };
	return 0;
}

static void rule_drop(struct rules *r, int64_t at)
{
	for (size_t i = 0; i < r->n; i++)
		if ((int64_t)r->rule[i].index == at) {
			memmove(&r->rule[i], &r->rule[i + 1], (r->n - i - 1) * sizeof *r->rule);
			r->n--;
			return;
		}
}

static void member_drop(struct rules *r, const char *org)
{
	for (size_t i = 0; i < r->n_members; i++)
		if (!strcmp(r->member[i], org)) {
			memmove(&r->member[i], &r->member[i + 1], (r->n_members - i - 1) * sizeof *r->member);
			r->n_members--;
			return;
		}
}

static int member_add(struct rules *r, const json_t *body, struct ent_err *err)
{
	struct ent_card card;
	if (ent_card_open_json(json_object_get(body, "card"), &card, NULL))
		return 0;
	member_drop(r, card.org);
	if (json_is_true(json_object_get(body, "removed")))
		return 0;
	r->member = grown(r->arena, r->member, r->n_members, &r->members_cap, sizeof *r->member);
	char *org = ent_arena_dup(r->arena, card.org);
	if (!r->member || !org)
		return ent_nomem(err);
	r->member[r->n_members++] = org;
	return 0;
}

static int rule_take(struct rules *r, uint64_t at, struct ent_bytes dsse, const json_t *used, struct ent_err *err)
{
	struct ent_entry e;
	int code = 0;
	ENT_TRY(ent_entry_open(dsse, &e, err));
	if (e.type == ENT_ENTRY_GRANT)
		code = rule_add(r, at, e.dsse.body, used, err);
	else if (e.type == ENT_ENTRY_REVOKE)
		rule_drop(r, json_integer_value(json_object_get(e.dsse.body, "revokes")));
	else if (e.type == ENT_ENTRY_MEMBER || e.type == ENT_ENTRY_KEY)
		code = member_add(r, e.dsse.body, err);
	ent_entry_deinit(&e);
	return code;
}

static int own_uses(struct ent_node *n, json_t *uses, struct ent_err *err)
{
	ENT_ST st = { 0 };
	int r;
	ENT_TRY(ent_db_query(n->db, &st, err, "SELECT grant_at, COUNT(*) FROM used GROUP BY grant_at", ""));
	while ((r = ent_st_next(&st, err)) > 0) {
		char key[24];
		snprintf(key, sizeof key, "%lld", (long long)ent_st_int(&st, 0));
		json_object_set_new(uses, key, json_integer(ent_st_int(&st, 1)));
	}
	return r < 0 ? -r : 0;
}

int ent_uses_json(struct ent_node *n, const char *org, json_t **ret, struct ent_err *err)
{
	ENT_ST st = { 0 };
	ENT_JSON_AUTO uses = json_object();
	if (!strcmp(org, n->card.org)) {
		ENT_TRY(own_uses(n, uses, err));
		*ret = json_incref(uses);
		return 0;
	}
	ENT_TRY(ent_db_query(n->db, &st, err, "SELECT uses FROM fact_size WHERE org = ?", "s", org));
	int r = ent_st_next(&st, err);
	if (r < 0)
		return -r;
	if (!r) {
		*ret = json_incref(uses);
		return 0;
	}
	return ent_json_parse(ent_bytes_str(ent_st_text(&st, 0)), 1 << 20, ret, err);
}

int ent_owner_make(struct ent_node *n, struct ent_arena *arena, const char *org, uint64_t size, const json_t *used, struct ent_policy_owner *ret,
		   struct ent_err *err)
{
	ENT_ST st = { 0 };
	ENT_JSON_AUTO now = NULL;
	struct rules rules = { .arena = arena };
	int r;
	if (!used)
		ENT_TRY(ent_uses_json(n, org, &now, err));
	ENT_TRY(ent_db_query(n->db, &st, err, "SELECT at, dsse FROM fact WHERE org = ? AND at < ? AND type <> 'register' ORDER BY at", "si", org,
			     (int64_t)size));
	while ((r = ent_st_next(&st, err)) > 0)
		ENT_TRY(rule_take(&rules, (uint64_t)ent_st_int(&st, 0), ent_st_blob(&st, 1), used ? used : now, err));
	if (r < 0)
		return -r;
	*ret = (struct ent_policy_owner){ ent_arena_dup(arena, org), size, rules.rule, rules.n, rules.member, rules.n_members };
	return ret->org ? 0 : ent_nomem(err);
}

/* ---- own sources ---- */

int ent_source_read(struct ent_node *n, const char *name, json_t **ret, struct ent_err *err)
{
	ENT_ST st = { 0 };
	ENT_TRY(ent_db_query(n->db, &st, err, "SELECT spec FROM source WHERE name = ?", "s", name));
	int r = ent_st_next(&st, err);
	if (r < 0)
		return -r;
	if (!r)
		return ent_fail(err, ENT_ENOTFOUND, "no table %s is registered here", name);
	return ent_json_parse(ent_bytes_str(ent_st_text(&st, 0)), 1 << 20, ret, err);
}

int ent_source_spec_make(struct ent_arena *arena, const json_t *source, struct ent_source_spec *ret, struct ent_err *err)
{
	const json_t *options = json_object_get(source, "options");
	size_t n = json_array_size(options);
	struct ent_option_text *list = ENT_NEWS(arena, n + 1, struct ent_option_text);
	struct ent_source_spec spec = { .options = list, .n_options = n };
	if (!list)
		return ent_nomem(err);
	ENT_TRY(ent_json_str(source, "url", &spec.url, err));
	ENT_TRY(ent_json_str(source, "object", &spec.object, err));
	for (size_t i = 0; i < n; i++) {
		ENT_TRY(ent_json_str(json_array_get(options, i), "key", &list[i].key, err));
		ENT_TRY(ent_json_str(json_array_get(options, i), "value", &list[i].value, err));
		list[i].key = ent_arena_dup(arena, list[i].key);
		list[i].value = ent_arena_dup(arena, list[i].value);
	}
	spec.url = ent_arena_dup(arena, spec.url);
	spec.object = ent_arena_dup(arena, spec.object);
	if (json_is_string(json_object_get(source, "secret")))
		spec.secret_path = ent_arena_dup(arena, json_string_value(json_object_get(source, "secret")));
	*ret = spec;
	return spec.url && spec.object ? 0 : ent_nomem(err);
}
