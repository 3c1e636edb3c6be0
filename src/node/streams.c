/* Named streams: replication that this node keeps going. What a stream is stands in node.db (meta "stream/NAME": its ends, arguments and state);
 * while it runs it is a move of kind "replicate", begun again after a restart. Every batch that became durable is a ledger entry. */
#include <stdlib.h>

#include "node/catalogue.h"
#include "node/moves.h"

#define NAME_MAX_LEN 40

static int stream_read(struct ent_node *n, const char *name, json_t **ret, struct ent_err *err)
{
	ENT_ST st = { 0 };
	ENT_TRY(ent_db_query(n->db, &st, err, "SELECT value FROM meta WHERE key = 'stream/' || ?", "s", name));
	int got = ent_st_next(&st, err);
	if (got < 0)
		return ENT_EIO;
	if (got > 0)
		return ent_json_parse(ent_bytes_str(ent_st_text(&st, 0)), 1 << 20, ret, err);
	ent_fail(err, ENT_ENOTFOUND, "there is no stream %.60s", name);
	return ent_next(err, "entente replicate list shows them"), ENT_ENOTFOUND;
}

static int stream_write(struct ent_node *n, const char *name, const json_t *stream, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(1 << 20);
	ENT_TRY(ent_json_canonical(stream, &text, err));
	return ent_db_run(n->db, err, "INSERT OR REPLACE INTO meta(key, value) VALUES('stream/' || ?, ?)", "ss", name, ent_buf_text(&text));
}

static int stream_state(struct ent_node *n, const char *name, const char *state, const struct ent_err *why, struct ent_err *err)
{
	ENT_JSON_AUTO stream = NULL;
	ENT_TRY(stream_read(n, name, &stream, err));
	json_object_set_new(stream, "state", json_string(state));
	json_object_del(stream, "error");
	if (why)
		json_object_set_new(
			stream, "error",
			json_pack("{s:s,s:s,s:s,s:s}", "code", ent_code_name(why->code), "what", why->what, "why", why->why, "next", why->next));
	return stream_write(n, name, stream, err);
}

static struct ent_moving *stream_moving(struct ent_node *n, const char *name)
{
	for (struct ent_moving *m = n->moves; m; m = m->next) {
		const char *is = json_string_value(json_object_get(m->args, "stream"));
		if (!m->ended && is && !strcmp(is, name))
			return m;
	}
	return NULL;
}

/* Begins the work of a stream: kind "replicate", or "unreplicate" to end it for good. */
static int stream_begin(struct ent_node *n, const char *name, const json_t *stream, const char *kind, struct ent_err *err)
{
	struct ent_moving *m;
	ENT_TRY(ent_moving_new(n, kind, &m, err));
	json_decref(m->ends);
	m->ends = json_deep_copy(json_object_get(stream, "ends"));
	json_object_update(m->args, json_object_get(stream, "args"));
	json_object_set_new(m->args, "stream", json_string(name));
	int r = m->ends ? ent_moving_hand_over(n, m, err) : ent_nomem(err);
	if (r)
		ent_moving_free(m);
	else
		ent_moving_add(n, m);
	return r;
}

/* ---- starting ---- */

static int name_check(struct ent_node *n, const char *name, struct ent_err *err)
{
	ENT_JSON_AUTO there = NULL;
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
	if (!len || name[len] || len > NAME_MAX_LEN || (name[0] >= '0' && name[0] <= '9')) {
		ent_fail(err, ENT_EUSAGE, "%.60s cannot name a stream", name);
		return ent_next(err, "use up to %d small letters, digits and _, beginning with a letter", NAME_MAX_LEN), ENT_EUSAGE;
	}
	int r = stream_read(n, name, &there, err);
	if (r == ENT_ENOTFOUND)
		return 0;
	ENT_TRY(r);
	ent_fail(err, ENT_EUSAGE, "there is a stream %.60s already", name);
	return ent_next(err, "entente replicate status %s; stop it, or choose another name", name), ENT_EUSAGE;
}

/* A secret that was made for a move stays as long as the stream. */
static void keep_secrets(json_t *ends)
{
	json_t *end;
	size_t i;
	json_array_foreach(ends, i, end)
	{
		if (json_object_get(end, "made_secret"))
			json_object_set_new(end, "stream_secret", json_true());
		json_object_del(end, "made_secret");
	}
}

static void drop_secrets(struct ent_node *n, const json_t *ends)
{
	const json_t *end;
	size_t i;
	json_array_foreach(ends, i, end) if (json_object_get(end, "made_secret") || json_object_get(end, "stream_secret"))(void)
		n->env.fs->ops->remove(n->env.fs, json_string_value(json_object_get(end, "secret")), NULL);
}

static int stream_start(struct ent_node *n, const char *name, const json_t *args, struct ent_err *err)
{
	ENT_TRY(name_check(n, name, err));
	struct ent_moving *m;
	ENT_JSON_AUTO stream = NULL;
	ENT_TRY(ent_moving_new(n, "replicate", &m, err));
	int r = ent_moving_prepare(n, m, args, err);
	if (!r) {
		keep_secrets(m->ends);
		stream = json_pack("{s:O,s:O,s:s}", "ends", m->ends, "args", m->args, "state", "running");
		r = stream ? stream_write(n, name, stream, err) : ent_nomem(err);
	}
	if (!r && (r = stream_begin(n, name, stream, "replicate", err)))
		(void)ent_db_run(n->db, NULL, "DELETE FROM meta WHERE key = 'stream/' || ?", "s", name);
	if (r)
		drop_secrets(n, m->ends);
	ent_moving_free(m);
	return r;
}

void ent_verb_replicate_start(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	const char *name;
	if (!ent_arg_text(args, "name", true, &name, reply))
		return;
	if (stream_start(n, name, args, &err))
		ent_reply_err(reply, &err);
	else
		ent_reply_ok(reply, json_pack("{s:s}", "name", name));
}

/* ---- telling ---- */

static json_t *stream_json(struct ent_node *n, const char *name, const json_t *stream)
{
	struct ent_moving *m = stream_moving(n, name);
	json_t *ends = json_object_get(stream, "ends"), *args = json_object_get(stream, "args");
	json_t *o = json_pack("{s:s,s:O,s:O,s:O,s:O?,s:O?}", "name", name, "state", json_object_get(stream, "state"), "source",
			      json_object_get(json_array_get(ends, 0), "name"), "target", json_object_get(json_array_get(ends, 1), "name"), "tables",
			      json_object_get(args, "tables"), "error", json_object_get(stream, "error"));
	if (o && m) {
		json_object_set_new(o, "move", json_string(m->id));
		json_object_set(o, "status", m->result ? m->result : json_null());
		json_object_set_new(o, "receipt", json_string(m->receipt));
	}
	return o;
}

void ent_verb_replicate_list(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	const char *only = NULL;
	ENT_ST st = { 0 };
	json_t *list = json_array();
	if (!ent_arg_text(args, "name", false, &only, reply)) {
		json_decref(list);
		return;
	}
	only = only && *only ? only : NULL;
	int r = ent_db_query(n->db, &st, &err, "SELECT substr(key, 8), value FROM meta WHERE key >= 'stream/' AND key < 'stream0' ORDER BY key", "");
	while (!r && ent_st_next(&st, &err) > 0) {
		ENT_JSON_AUTO stream = NULL;
		const char *name = ent_st_text(&st, 0);
		if ((only && strcmp(only, name) != 0) || ent_json_parse(ent_bytes_str(ent_st_text(&st, 1)), 1 << 20, &stream, NULL))
			continue;
		json_array_append_new(list, stream_json(n, name, stream));
	}
	if (!r && only && !json_array_size(list)) {
		r = ent_fail(&err, ENT_ENOTFOUND, "there is no stream %.60s", only);
		ent_next(&err, "entente replicate list shows them");
	}
	if (r) {
		json_decref(list);
		ent_reply_err(reply, &err);
	} else {
		ent_reply_ok(reply, json_pack("{s:o}", "streams", list));
	}
}

/* ---- pausing, resuming, stopping ---- */

static int forget(struct ent_node *n, const char *name, struct ent_err *err)
{
	ENT_JSON_AUTO stream = NULL;
	ENT_TRY(stream_read(n, name, &stream, err));
	drop_secrets(n, json_object_get(stream, "ends"));
	return ent_db_run(n->db, err, "DELETE FROM meta WHERE key = 'stream/' || ?", "s", name);
}

static void wish(struct ent_node *n, struct ent_moving *m, const char *what)
{
	json_object_set_new(m->args, "wish", json_string(what));
	if (n->env.runner->ops->move_cancel)
		n->env.runner->ops->move_cancel(n->env.runner, m->id);
}

static int stream_do(struct ent_node *n, const char *name, const char *what, bool keep, struct ent_err *err)
{
	ENT_JSON_AUTO stream = NULL;
	ENT_TRY(stream_read(n, name, &stream, err));
	struct ent_moving *m = stream_moving(n, name);
	if (!strcmp(what, "resume")) {
		if (m)
			return ent_fail(err, ENT_EUSAGE, "the stream %.60s is running", name);
		ENT_TRY(stream_begin(n, name, stream, "replicate", err));
		return stream_state(n, name, "running", NULL, err);
	}
	if (!strcmp(what, "pause")) {
		ENT_TRY(stream_state(n, name, "paused", NULL, err));
		if (m)
			wish(n, m, "pause");
		return 0;
	}
	if (keep && !m)
		return forget(n, name, err);
	if (m) {
		wish(n, m, keep ? "forget" : "stop");
		return 0;
	}
	ENT_TRY(stream_begin(n, name, stream, "unreplicate", err));
	return stream_state(n, name, "stopping", NULL, err);
}

static void verb_do(struct ent_node *n, const json_t *args, const char *what, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	const char *name;
	if (!ent_arg_text(args, "name", true, &name, reply))
		return;
	if (stream_do(n, name, what, json_is_true(json_object_get(args, "keep")), &err))
		ent_reply_err(reply, &err);
	else
		ent_reply_ok(reply, json_pack("{s:s}", "name", name));
}

void ent_verb_replicate_pause(struct ent_node *n, const json_t *args, struct ent_reply *reply) { verb_do(n, args, "pause", reply); }
void ent_verb_replicate_resume(struct ent_node *n, const json_t *args, struct ent_reply *reply) { verb_do(n, args, "resume", reply); }
void ent_verb_replicate_stop(struct ent_node *n, const json_t *args, struct ent_reply *reply) { verb_do(n, args, "stop", reply); }

/* ---- events ---- */

void ent_stream_ended(struct ent_node *n, struct ent_moving *m, const struct ent_err *failed)
{
	const char *name = json_string_value(json_object_get(m->args, "stream")), *wanted = json_string_value(json_object_get(m->args, "wish"));
	ENT_JSON_AUTO stream = NULL;
	if (!name || stream_read(n, name, &stream, NULL))
		return;
	bool drop = !strcmp(m->kind, "unreplicate");
	if (failed && failed->code != ENT_ECANCELLED)
		(void)stream_state(n, name, "failed", failed, NULL);
	else if (drop || (wanted && !strcmp(wanted, "forget")))
		(void)forget(n, name, NULL);
	else if (wanted && !strcmp(wanted, "stop") && !stream_begin(n, name, stream, "unreplicate", NULL))
		(void)stream_state(n, name, "stopping", NULL, NULL);
}

int ent_node_move_batch(struct ent_node *node, const char *id, const json_t *batch, struct ent_err *err)
{
	struct ent_moving *m = ent_moving_find(node, id);
	uint64_t at = 0;
	if (!m || m->ended)
		return ent_fail(err, ENT_ECANCELLED, "the stream is not running any more");
	ENT_JSON_AUTO fields =
		json_pack("{s:O,s:O,s:O,s:O,s:O}", "stream", json_object_get(m->args, "name"), "source",
			  json_object_get(json_array_get(m->ends, 0), "name"), "target", json_object_get(json_array_get(m->ends, 1), "name"), "rows",
			  json_object_get(batch, "rows"), "transactions", json_object_get(batch, "transactions"));
	if (!fields)
		return ent_nomem(err);
	ENT_TRY(ent_moving_commit_to(node, batch, fields, err));
	ENT_TRY(ent_node_append(node, ENT_ENTRY_REPLICATE, fields, &at, err));
	snprintf(m->receipt, sizeof m->receipt, "%s/%llu", node->card.org, (unsigned long long)at);
	return 0;
}

void ent_streams_recover(struct ent_node *n)
{
	ENT_JSON_AUTO list = json_array();
	const json_t *one;
	size_t i;
	if (!n->env.runner || !n->env.runner->ops->move)
		return;
	{
		ENT_ST st = { 0 };
		if (ent_db_query(n->db, &st, NULL, "SELECT substr(key, 8), value FROM meta WHERE key >= 'stream/' AND key < 'stream0'", ""))
			return;
		while (ent_st_next(&st, NULL) > 0)
			json_array_append_new(list, json_pack("[s,s]", ent_st_text(&st, 0), ent_st_text(&st, 1)));
	}
	json_array_foreach(list, i, one)
	{
		ENT_JSON_AUTO stream = NULL;
		struct ent_err err = ENT_ERR_INIT;
		const char *name = json_string_value(json_array_get(one, 0));
		if (ent_json_parse(ent_bytes_str(json_string_value(json_array_get(one, 1))), 1 << 20, &stream, NULL))
			continue;
		const char *state = json_string_value(json_object_get(stream, "state"));
		bool stopping = state && !strcmp(state, "stopping");
		if (!state || (!stopping && strcmp(state, "running") != 0) || stream_moving(n, name))
			continue;
		if (stream_begin(n, name, stream, stopping ? "unreplicate" : "replicate", &err))
			ent_log(n->env.log, ENT_LOG_WARN, "stream", "name=%s what=\"%s\"", name, err.what);
	}
}
