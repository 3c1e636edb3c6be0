/* The table of verbs, and those about the node itself. */
#include "node/core.h"
#include "node/jobs.h"
#include "node/moves.h"

#include <stdlib.h>

void ent_reply_ok(struct ent_reply *r, json_t *answer)
{
	ENT_JSON_AUTO a = answer ? answer : json_object();
	r->done(r, a, ent_bytes(NULL, 0), NULL);
}

void ent_reply_err(struct ent_reply *r, const struct ent_err *err) { r->done(r, NULL, ent_bytes(NULL, 0), err); }

bool ent_arg_text(const json_t *args, const char *key, bool needed, const char **ret, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	const json_t *v = json_object_get(args, key);
	*ret = "";
	if (!needed && (!v || json_is_null(v)))
		return true;
	if (!ent_json_str(args, key, ret, &err))
		return true;
	err.code = ENT_EUSAGE;
	ent_reply_err(reply, &err);
	return false;
}

/* ---- replies that wait ---- */

struct ent_waiter *ent_waiter_add(struct ent_node *n, struct ent_reply *reply, uint32_t wait_ms)
{
	struct ent_waiter *w = ent_alloc(1, sizeof *w);
	struct ent_err err = ENT_ERR_INIT;
	if (!w) {
		ent_nomem(&err);
		ent_reply_err(reply, &err);
		return NULL;
	}
	*w = (struct ent_waiter){ .next = n->waiters, .reply = reply, .deadline_ms = ent_node_mono(n) + wait_ms };
	n->waiters = w;
	return w;
}

void ent_node_forget(struct ent_node *node, struct ent_reply *reply)
{
	for (struct ent_waiter **at = &node->waiters; *at; at = &(*at)->next)
		if ((*at)->reply == reply) {
			struct ent_waiter *w = *at;
			*at = w->next;
			free(w);
			return;
		}
	ent_moves_forget(node, reply);
	ent_addings_forget(node, reply);
	ent_questions_forget(node, reply);
}

void ent_waiters_tick(struct ent_node *n)
{
	uint64_t now = ent_node_mono(n);
	for (struct ent_waiter **at = &n->waiters; *at;) {
		struct ent_waiter *w = *at;
		if (now < w->deadline_ms && !ent_waiter_ready(n, w)) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		ent_waiter_answer(n, w);
		free(w);
	}
}

void ent_waiters_drop(struct ent_node *n)
{
	struct ent_err err = ENT_ERR_INIT;
	ent_fail(&err, ENT_EAGAIN, "the node is stopping");
	while (n->waiters) {
		struct ent_waiter *w = n->waiters;
		n->waiters = w->next;
		ent_reply_err(w->reply, &err);
		free(w);
	}
}

/* ---- the node itself ---- */

static json_t *peers_json(struct ent_node *n)
{
	json_t *list = json_array();
	for (size_t i = 0; i < n->n_members; i++) {
		const struct ent_member *m = &n->members[i];
		json_t *o = json_pack("{s:s,s:b,s:s}", "org", m->card.org, "up", m->up, "version", m->software);
		json_object_set_new(o, "skew_ms", m->skew_known ? json_integer(m->skew_ms) : json_null());
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *ledger_json(struct ent_node *n)
{
	unsigned quorum = ent_quorum((unsigned)n->n_members);
	return json_pack("{s:I,s:I,s:i,s:i,s:i,s:b}", "size", (json_int_t)ent_ledger_size(n->ledger), "checkpoint",
			 (json_int_t)ent_ledger_signed(n->ledger)->size, "cosigned", (int)n->cosigned, "quorum", (int)quorum, "witnesses",
			 (int)n->n_members, "fork_proof", quorum && n->cosigned >= quorum);
}

static int64_t own_tables(struct ent_node *n)
{
	ENT_ST st = { 0 };
	if (ent_db_query(n->db, &st, NULL, "SELECT COUNT(*) FROM source", "") || ent_st_next(&st, NULL) <= 0)
		return 0;
	return ent_st_int(&st, 0);
}

void ent_verb_status(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	char words[ENT_FINGERPRINT_LEN], hex[65];
	uint8_t id[ENT_HASH_BYTES];
	uint64_t space = 0;
	unsigned queued = 0, running = 0;
	(void)args;
	ent_fingerprint(n->card.keys[ENT_KEY_SIGN], words);
	ent_keyid(n->card.keys[ENT_KEY_SIGN], id);
	ent_hex(hex, id, sizeof id);
	(void)n->env.fs->ops->space(n->env.fs, &space, NULL);
	ent_jobs_count(n, &queued, &running);
	ent_reply_ok(reply,
		     json_pack("{s:s,s:s,s:b,s:s,s:s,s:b,s:I,s:i,s:o,s:{s:i,s:i},s:o,s:I,s:b}", "org", n->card.org, "version", ENT_VERSION, "serving",
			       n->env.mesh != NULL, "fingerprint", hex, "words", words, "compute_only", n->card.compute_only, "tables",
			       (json_int_t)own_tables(n), "members", (int)n->n_members, "peers", peers_json(n), "jobs", "queued", (int)queued,
			       "running", (int)running, "ledger", ledger_json(n), "disk_free_bytes",
			       (json_int_t)(space > INT64_MAX / 1024 ? INT64_MAX / 1024 : space), "writable", !ent_node_broken(n) && !n->restored));
}

void ent_verb_config(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	json_t *list = NULL;
	(void)args;
	if (ent_conf_json(&n->conf, &list, &err))
		ent_reply_err(reply, &err);
	else
		ent_reply_ok(reply, json_pack("{s:o}", "settings", list));
}

static const struct verb {
	const char *name;
	ent_verb_fn fn;
	bool serving; /* needs a running node */
} verbs[] = {
	{ "status", ent_verb_status, false },
	{ "card", ent_verb_card, false },
	{ "card.rotate", ent_verb_card_rotate, false },
	{ "trust", ent_verb_trust, false },
	{ "untrust", ent_verb_untrust, false },
	{ "members", ent_verb_members, false },
	{ "config", ent_verb_config, false },
	{ "token.add", ent_verb_token_add, false },
	{ "token.list", ent_verb_token_list, false },
	{ "token.remove", ent_verb_token_remove, false },
	{ "backup", ent_verb_backup, false },
	{ "doctor", ent_verb_doctor, false },
	{ "ledger.list", ent_verb_ledger_list, false },
	{ "ledger.blocks", ent_verb_ledger_blocks, false },
	{ "ledger.show", ent_verb_ledger_show, false },
	{ "ledger.prove", ent_verb_ledger_prove, false },
	{ "ledger.verify", ent_verb_ledger_verify, false },
	{ "ledger.note", ent_verb_ledger_note, false },
	{ "add", ent_verb_add, false },
	{ "remove", ent_verb_remove, false },
	{ "tables", ent_verb_tables, false },
	{ "describe", ent_verb_describe, false },
	{ "grant", ent_verb_grant, false },
	{ "grants", ent_verb_grants, false },
	{ "revoke", ent_verb_revoke, false },
	{ "move.start", ent_verb_move_start, false },
	{ "move", ent_verb_move, false },
	{ "move.cancel", ent_verb_move_cancel, false },
	{ "moves", ent_verb_moves, false },
	{ "replicate.start", ent_verb_replicate_start, false },
	{ "replicate.list", ent_verb_replicate_list, false },
	{ "replicate.pause", ent_verb_replicate_pause, false },
	{ "replicate.resume", ent_verb_replicate_resume, false },
	{ "replicate.stop", ent_verb_replicate_stop, false },
	{ "explain", ent_verb_explain, true },
	{ "query", ent_verb_query, true },
	{ "jobs", ent_verb_jobs, true },
	{ "job", ent_verb_job, true },
	{ "result", ent_verb_result, true },
	{ "approve", ent_verb_approve, true },
	{ "deny", ent_verb_deny, true },
	{ "cancel", ent_verb_cancel, true },
};

void ent_node_request(struct ent_node *node, const char *verb, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	for (size_t i = 0; i < ENT_COUNT(verbs); i++) {
		if (strcmp(verbs[i].name, verb) != 0)
			continue;
		if (verbs[i].serving && !node->env.mesh) {
			ent_fail(&err, ENT_ENONODE, "no node runs in this home");
			ent_next(&err, "start it: entente serve");
			ent_reply_err(reply, &err);
			return;
		}
		verbs[i].fn(node, args, reply);
		return;
	}
	ent_fail(&err, ENT_EUSAGE, "unknown request \"%.40s\"", verb);
	ent_reply_err(reply, &err);
}

uint64_t ent_node_tick(struct ent_node *node)
{
	uint64_t now = ent_node_mono(node), due = ent_duty_tick(node), jobs = ent_jobs_tick(node);
	uint64_t moves = ent_moves_tick(node);
	ent_waiters_tick(node);
	due = moves < due ? moves : due;
	due = jobs < due ? jobs : due;
	for (const struct ent_waiter *w = node->waiters; w; w = w->next)
		due = w->deadline_ms < due ? w->deadline_ms : due;
	return due < now + 1000 ? due : now + 1000;
}
