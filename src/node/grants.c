/* Grants: written by people here, durable before they hold, told to the peers at once. */
#include "node/catalogue.h"
#include "node/jobs.h"

#define GRANT_BYTES_MAX (64u << 20)

struct own_tables {
	struct ent_catalogue cat;
	const char *org;
};

static int own_table(void *self, const char *name, const struct ent_table **ret, struct ent_err *err)
{
	struct own_tables *o = self;
	return o->cat.table(o->cat.self, o->org, name, ret, err);
}

/* A REVOKE must name a grant of ours that still stands. */
static int revocable(struct ent_node *n, uint64_t at, struct ent_err *err)
{
	ENT_CLEANUP(ent_arena_freep) struct ent_arena *arena = ent_arena_new(GRANT_BYTES_MAX);
	struct ent_policy_owner own;
	if (!arena)
		return ent_nomem(err);
	ENT_TRY(ent_owner_make(n, arena, n->card.org, ent_ledger_size(n->ledger), NULL, &own, err));
	for (size_t i = 0; i < own.n_rules; i++)
		if (own.rules[i].index == at)
			return 0;
	ent_fail(err, ENT_ENOTFOUND, "there is no standing grant %s/%llu", n->card.org, (unsigned long long)at);
	return ent_next(err, "entente grants lists them");
}

static int revoke(struct ent_node *n, uint64_t at, uint64_t *ret_at, struct ent_err *err)
{
	ENT_JSON_AUTO fields = json_pack("{s:I}", "revokes", (json_int_t)at);
	ENT_TRY(revocable(n, at, err));
	return ent_node_append(n, ENT_ENTRY_REVOKE, fields, ret_at, err);
}

static int write_grant(struct ent_node *n, const struct ent_grant *g, const struct ent_table *t, json_t *ids, json_t *texts, json_t *warnings,
		       struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_GRANT_TEXT_MAX * 4), warn = ENT_BUF(65536);
	ENT_JSON_AUTO canonical = NULL;
	uint64_t at = 0;
	ent_grant_print(g, &text);
	ENT_TRY(ent_buf_check(&text, err));
	ENT_TRY(ent_grant_json(g, &canonical, err));
	ENT_JSON_AUTO fields = json_pack("{s:O,s:s}", "grant", canonical, "text", ent_buf_text(&text));
	ENT_TRY(ent_node_append(n, ENT_ENTRY_GRANT, fields, &at, err));
	ent_grant_warn(g, t, &warn);
	json_array_append_new(ids, json_sprintf("%s/%llu", n->card.org, (unsigned long long)at));
	json_array_append_new(texts, json_string(ent_buf_text(&text)));
	for (char *line = (char *)warn.data, *end; line && *line; line = end) {
		end = strchr(line, '\n');
		json_array_append_new(warnings, json_stringn(line, end ? (size_t)(end - line) : strlen(line)));
		end = end ? end + 1 : line + strlen(line);
	}
	return 0;
}

static int write_statement(struct ent_node *n, struct own_tables *tables, const struct ent_statement *s, json_t *ids, json_t *texts, json_t *warnings,
			   struct ent_err *err)
{
	const struct ent_table *t = NULL;
	uint64_t at = 0;
	if (s->kind == ENT_STATEMENT_GRANT) {
		if (!s->grant.deny)
			ENT_TRY(ent_duty_not_alone(n, err));
		(void)own_table(tables, s->grant.table, &t, NULL);
		return write_grant(n, &s->grant, t, ids, texts, warnings, err);
	}
	ENT_TRY(revoke(n, s->revoke, &at, err));
	json_array_append_new(ids, json_sprintf("%s/%llu", n->card.org, (unsigned long long)at));
	json_array_append_new(texts, json_sprintf("REVOKE %llu;", (unsigned long long)s->revoke));
	return 0;
}

static int grant_text(struct ent_node *n, const char *text, json_t *ids, json_t *texts, json_t *warnings, struct ent_err *err)
{
	ENT_CLEANUP(ent_arena_freep) struct ent_arena *arena = ent_arena_new(GRANT_BYTES_MAX);
	struct own_tables tables = { .org = n->card.org };
	struct ent_grant_tables face = { own_table, &tables, n->card.org };
	struct ent_statement *list = NULL;
	size_t count = 0;
	if (!arena)
		return ent_nomem(err);
	ENT_TRY(ent_catalogue_make(n, arena, NULL, &tables.cat, err));
	ENT_TRY(ent_grant_parse(arena, ent_bytes_str(text), &face, &list, &count, err));
	for (size_t i = 0; i < count; i++)
		ENT_TRY(write_statement(n, &tables, &list[i], ids, texts, warnings, err));
	return 0;
}

void ent_verb_grant(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	ENT_JSON_AUTO ids = json_array();
	ENT_JSON_AUTO texts = json_array();
	ENT_JSON_AUTO warnings = json_array();
	const char *text;
	if (!ent_arg_text(args, "text", true, &text, reply))
		return;
	int r = grant_text(n, text, ids, texts, warnings, &err);
	if (json_array_size(ids)) {
		ent_duty_publish(n);
		ent_facts_push(n);
	}
	if (r)
		ent_reply_err(reply, &err);
	else
		ent_reply_ok(reply, json_pack("{s:O,s:O,s:O}", "ids", ids, "texts", texts, "warnings", warnings));
}

void ent_verb_revoke(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	char org[ENT_ORG_MAX + 1];
	const char *id;
	uint64_t grant = 0, at = 0;
	if (!ent_arg_text(args, "id", true, &id, reply))
		return;
	bool known = ent_parse_u64(id, strlen(id), INT64_MAX, &grant) || (ent_entry_id_parse(id, org, &grant) && !strcmp(org, n->card.org));
	if (!known)
		ent_fail(&err, ENT_EUSAGE, "\"%.60s\" is no grant of ours", id), ent_next(&err, "entente grants lists them");
	if (!known || revoke(n, grant, &at, &err)) {
		ent_reply_err(reply, &err);
		return;
	}
	ent_duty_publish(n);
	ent_facts_push(n);
	ent_reply_ok(reply, json_pack("{s:o,s:o}", "id", json_sprintf("%s/%llu", n->card.org, (unsigned long long)at), "revoked",
				      json_sprintf("%s/%llu", n->card.org, (unsigned long long)grant)));
}

/* ---- listing ---- */

static bool in_force(struct ent_node *n, const struct ent_policy_rule *r)
{
	const struct ent_grant *g = r->grant;
	int64_t today = ent_node_utc(n) / 86400000;
	return (g->until_day == ENT_GRANT_NO_DATE || g->until_day >= today) && (!g->uses_max || r->used < g->uses_max);
}

static int list_owner(struct ent_node *n, struct ent_arena *arena, const char *org, uint64_t size, json_t *list, struct ent_policy_owner *ret,
		      struct ent_err *err)
{
	ENT_TRY(ent_owner_make(n, arena, org, size, NULL, ret, err));
	for (size_t i = 0; i < ret->n_rules; i++) {
		const struct ent_policy_rule *r = &ret->rules[i];
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_GRANT_TEXT_MAX * 4);
		ent_grant_print(r->grant, &text);
		json_t *o = json_pack("{s:o,s:s,s:s,s:b,s:I}", "id", json_sprintf("%s/%llu", org, (unsigned long long)r->index), "org", org, "text",
				      ent_buf_text(&text), "active", in_force(n, r), "used", (json_int_t)r->used);
		if (r->grant->uses_max)
			json_object_set_new(o, "uses_left",
					    json_integer(r->used < r->grant->uses_max ? (json_int_t)(r->grant->uses_max - r->used) : 0));
		json_array_append_new(list, o);
	}
	return 0;
}

static int check_own(struct ent_node *n, struct ent_arena *arena, const struct ent_policy_owner *own, json_t *says, struct ent_err *err)
{
	struct own_tables tables = { .org = n->card.org };
	struct ent_grant_tables face = { own_table, &tables, n->card.org };
	struct ent_grant_entry *entries = ENT_NEWS(arena, own->n_rules + 1, struct ent_grant_entry);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(4 << 20);
	if (!entries)
		return ent_nomem(err);
	ENT_TRY(ent_catalogue_make(n, arena, NULL, &tables.cat, err));
	for (size_t i = 0; i < own->n_rules; i++)
		entries[i] = (struct ent_grant_entry){ own->rules[i].index, own->rules[i].grant };
	ent_grants_check(entries, own->n_rules, &face, &text);
	for (const char *line = ent_buf_text(&text); *line;) {
		size_t len = strcspn(line, "\n");
		json_array_append_new(says, json_stringn(line, len));
		line += len + (line[len] == '\n');
	}
	return ent_buf_check(&text, err);
}

static int list_grants(struct ent_node *n, const char *org, bool check, json_t *list, json_t *says, struct ent_err *err)
{
	ENT_CLEANUP(ent_arena_freep) struct ent_arena *arena = ent_arena_new(GRANT_BYTES_MAX);
	struct ent_policy_owner owner;
	if (!arena)
		return ent_nomem(err);
	if (!*org || !strcmp(org, n->card.org)) {
		ENT_TRY(list_owner(n, arena, n->card.org, ent_ledger_size(n->ledger), list, &owner, err));
		if (check)
			ENT_TRY(check_own(n, arena, &owner, says, err));
	}
	for (size_t i = 0; !check && i < n->n_members; i++)
		if (!*org || !strcmp(org, n->members[i].card.org))
			ENT_TRY(list_owner(n, arena, n->members[i].card.org, n->members[i].facts_size, list, &owner, err));
	return 0;
}

void ent_verb_grants(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	ENT_JSON_AUTO list = json_array();
	ENT_JSON_AUTO says = json_array();
	const char *org;
	if (!ent_arg_text(args, "org", false, &org, reply))
		return;
	if (list_grants(n, org, json_is_true(json_object_get(args, "check")), list, says, &err))
		ent_reply_err(reply, &err);
	else
		ent_reply_ok(reply, json_pack("{s:O,s:O}", "grants", list, "says", says));
}
