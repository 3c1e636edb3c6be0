/* `tables` and `describe`: what the consortium has, and what we may do with it. */
#include "node/catalogue.h"
#include "node/jobs.h"

#define SHOW_BYTES_MAX (256u << 20)

struct shown {
	struct ent_node *n;
	struct ent_arena *arena;
	struct ent_policy_owner *owners; /* by member, filled when first needed */
	json_t *list;
};

static const struct ent_policy_owner *owner_of(struct shown *s, const char *org)
{
	for (size_t i = 0; i < s->n->n_members; i++) {
		if (strcmp(s->n->members[i].card.org, org) != 0)
			continue;
		struct ent_policy_owner *o = &s->owners[i];
		if (!o->org && ent_owner_make(s->n, s->arena, org, s->n->members[i].facts_size, NULL, o, NULL))
			return NULL;
		return o;
	}
	return NULL;
}

static json_t *may(struct shown *s, const struct ent_table *t, const char *column)
{
	json_t *list = json_array();
	const struct ent_policy_owner *owner = owner_of(s, t->org);
	uint32_t uses = 0;
	if (!strcmp(t->org, s->n->card.org)) {
		json_array_append_new(list, json_string("own"));
		return list;
	}
	if (owner)
		uses = ent_policy_column_uses(owner, t->name, column, s->n->card.org, NULL, ent_node_utc(s->n), NULL, NULL);
	for (int use = 0; use < ENT_USE_NAMES; use++)
		if (uses & ENT_USE_BIT(use))
			json_array_append_new(list, json_string(ent_use_text((enum ent_use)use)));
	return list;
}

static json_t *table_shown(struct shown *s, const struct ent_table *t)
{
	json_t *o = ent_table_json(t), *column;
	size_t i;
	json_array_foreach(json_object_get(o, "columns"), i, column) json_object_set_new(column, "may", may(s, t, t->columns[i].name));
	return o;
}

static void show_each(void *arg, const struct ent_table *t)
{
	struct shown *s = arg;
	json_array_append_new(s->list, table_shown(s, t));
}

static int show_init(struct ent_node *n, struct ent_arena *arena, struct shown *s, struct ent_catalogue *cat, struct ent_err *err)
{
	if (!arena)
		return ent_nomem(err);
	*s = (struct shown){ .n = n, .arena = arena, .owners = ENT_NEWS(arena, n->n_members + 1, struct ent_policy_owner) };
	return s->owners ? ent_catalogue_make(n, arena, NULL, cat, err) : ent_nomem(err);
}

void ent_verb_tables(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	ENT_CLEANUP(ent_arena_freep) struct ent_arena *arena = ent_arena_new(SHOW_BYTES_MAX);
	ENT_JSON_AUTO list = json_array();
	struct ent_err err = ENT_ERR_INIT;
	struct ent_catalogue cat;
	struct shown s;
	(void)args;
	if (show_init(n, arena, &s, &cat, &err)) {
		ent_reply_err(reply, &err);
		return;
	}
	s.list = list;
	cat.each(cat.self, show_each, &s);
	ent_reply_ok(reply, json_pack("{s:O}", "tables", list));
}

/* ---- describe ---- */

static json_t *rules_of(struct shown *s, const struct ent_table *t, const char *column)
{
	json_t *list = json_array();
	const struct ent_policy_owner *owner = owner_of(s, t->org);
	struct ent_policy_owner own;
	if (!owner && !strcmp(t->org, s->n->card.org) && !ent_owner_make(s->n, s->arena, t->org, ent_ledger_size(s->n->ledger), NULL, &own, NULL))
		owner = &own;
	for (size_t i = 0; owner && i < owner->n_rules; i++) {
		const struct ent_policy_rule *r = &owner->rules[i];
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_GRANT_TEXT_MAX * 4);
		if (strcmp(r->grant->table, t->name) != 0 || !ent_grant_has_column(r->grant, column))
			continue;
		ent_grant_print(r->grant, &text);
		json_array_append_new(list, json_pack("{s:o,s:s}", "id", json_sprintf("%s/%llu", t->org, (unsigned long long)r->index), "text",
						      ent_buf_text(&text)));
	}
	return list;
}

static int describe(struct ent_node *n, const char *name, json_t **ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_arena_freep) struct ent_arena *arena = ent_arena_new(SHOW_BYTES_MAX);
	struct ent_catalogue cat;
	const struct ent_table *t;
	struct shown s;
	char org[64];
	const char *dot = strchr(name, '.');
	json_t *column;
	size_t i;
	ENT_TRY(show_init(n, arena, &s, &cat, err));
	snprintf(org, sizeof org, "%.*s", dot ? (int)(dot - name < 63 ? dot - name : 63) : ENT_ORG_MAX, dot ? name : n->card.org);
	ENT_TRY(cat.table(cat.self, org, dot ? dot + 1 : name, &t, err));
	json_t *o = table_shown(&s, t);
	json_array_foreach(json_object_get(o, "columns"), i, column) json_object_set_new(column, "rules", rules_of(&s, t, t->columns[i].name));
	ENT_JSON_AUTO source = NULL;
	if (!strcmp(t->org, n->card.org) && !ent_source_read(n, t->name, &source, NULL))
		json_object_set_new(o, "local",
				    json_pack("{s:O,s:O,s:O}", "url", json_object_get(source, "url"), "object", json_object_get(source, "object"),
					      "rows", json_object_get(source, "rows")));
	*ret = o;
	return 0;
}

void ent_verb_describe(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	const char *name;
	json_t *answer = NULL;
	if (!ent_arg_text(args, "table", true, &name, reply))
		return;
	if (describe(n, name, &answer, &err))
		ent_reply_err(reply, &err);
	else
		ent_reply_ok(reply, answer);
}
