/* What is under way stands in node.db (meta "moving/ID") from before its first row until its entry is applied: after a crash the entry is made up
 * for, with the outcome "unknown", and secrets that were made for the move go away. */
#include "node/moves.h"

/* How an entry about m begins. */
json_t *ent_moving_fields(const struct ent_moving *m)
{
	static const char *const asked[] = { "requester", "request" };
	const char *mode = json_string_value(json_object_get(m->args, "mode"));
	json_t *fields = json_pack("{s:s,s:s}", "move", m->id, "source", ent_moving_end(m, 0));
	if (!strcmp(m->kind, "serve")) {
		for (size_t i = 0; i < ENT_COUNT(asked); i++)
			json_object_set(fields, asked[i], json_object_get(m->args, asked[i]));
		return fields;
	}
	json_object_set_new(fields, "targets", ent_moving_targets(m));
	json_object_set_new(fields, "mode", json_string(mode ? mode : "create"));
	if (m->request[0])
		json_object_set_new(fields, "request", json_string(m->request));
	return fields;
}

static bool moves_rows(const struct ent_moving *m)
{
	return (!strcmp(m->kind, "copy") || !strcmp(m->kind, "prepare") || !strcmp(m->kind, "serve")) &&
	       !json_is_true(json_object_get(m->args, "dry_run"));
}

/* Those of a copy to several targets are needed to settle it. */
static json_t *made_secrets(const struct ent_moving *m)
{
	json_t *list = json_array();
	const json_t *end;
	size_t i;
	if (json_array_size(m->ends) > 2)
		return list;
	json_array_foreach(m->ends, i, end) if (json_is_true(json_object_get(end, "made_secret")))
		json_array_append(list, json_object_get(end, "secret"));
	return list;
}

int ent_moving_note(struct ent_node *n, const struct ent_moving *m, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(1 << 20);
	ENT_JSON_AUTO secrets = made_secrets(m);
	bool rows = moves_rows(m);
	if (!rows && !json_array_size(secrets))
		return 0;
	ENT_JSON_AUTO note = json_pack("{s:s,s:O,s:o*}", "kind", m->kind, "secrets", secrets, "fields", rows ? ent_moving_fields(m) : NULL);
	if (!note)
		return ent_nomem(err);
	ENT_TRY(ent_json_canonical(note, &text, err));
#ifdef ENT_MUTANT_MOVE_UNNOTED
	return 0;
#endif
	return ent_db_run(n->db, err, "INSERT OR REPLACE INTO meta(key, value) VALUES('moving/' || ?, ?)", "ss", m->id, ent_buf_text(&text));
}

int ent_moving_unnote(struct ent_node *n, const char *id, struct ent_err *err)
{
	return ent_db_run(n->db, err, "DELETE FROM meta WHERE key = 'moving/' || ?", "s", id);
}

/* The entry's application takes the note away; where nothing is entered it goes here. */
static int enter_lost(struct ent_node *n, const char *id, const char *text, struct ent_err *err)
{
	ENT_JSON_AUTO note = NULL;
	const json_t *secret;
	size_t i;
	ENT_TRY(ent_json_parse(ent_bytes_str(text), 1 << 20, &note, err));
	json_t *fields = json_object_get(note, "fields");
	const char *kind = json_string_value(json_object_get(note, "kind"));
	if (fields) {
		json_object_set_new(fields, "outcome", json_string("unknown"));
		ENT_TRY(ent_node_append(n, kind && !strcmp(kind, "prepare") ? ENT_ENTRY_PREPARE : ENT_ENTRY_COPY, fields, NULL, err));
	}
	json_array_foreach(json_object_get(note, "secrets"), i, secret)(void) n->env.fs->ops->remove(n->env.fs, json_string_value(secret), NULL);
	return ent_moving_unnote(n, id, err);
}

static json_t *notes(struct ent_node *n)
{
	ENT_ST st = { 0 };
	json_t *list = json_array();
	if (ent_db_query(n->db, &st, NULL, "SELECT substr(key, 8), value FROM meta WHERE key >= 'moving/' AND key < 'moving0'", ""))
		return list;
	while (ent_st_next(&st, NULL) > 0)
		json_array_append_new(list, json_pack("[s,s]", ent_st_text(&st, 0), ent_st_text(&st, 1)));
	return list;
}

void ent_moves_enter_lost(struct ent_node *n)
{
	ENT_JSON_AUTO list = notes(n);
	const json_t *one;
	size_t i;
	json_array_foreach(list, i, one)
	{
		const char *id = json_string_value(json_array_get(one, 0));
		struct ent_err err = ENT_ERR_INIT;
		if (!ent_moving_find(n, id) && enter_lost(n, id, json_string_value(json_array_get(one, 1)), &err))
			ent_log(n->env.log, ENT_LOG_WARN, "move", "lost=%s what=\"%s\"", id, err.what);
	}
}
