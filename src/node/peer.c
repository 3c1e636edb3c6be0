/* Messages between members: JSON objects with a "type". What must hold later is signed inside; the link itself proves who speaks. */
#include "node/core.h"
#include "node/jobs.h"
#include "node/moves.h"

void ent_peer_send(struct ent_node *n, const char *org, json_t *msg)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_MESH_BYTES_MAX);
	struct ent_err err = ENT_ERR_INIT;
	if (n->env.mesh && msg && !ent_json_canonical(msg, &text, &err))
		(void)n->env.mesh->ops->send(n->env.mesh, org, ent_buf_bytes(&text), &err);
	if (err.code && err.code != ENT_EPEER)
		ent_log(n->env.log, ENT_LOG_WARN, "send", "org=%s what=\"%s\"", org, err.what);
	json_decref(msg);
}

void ent_peer_hello(struct ent_node *n, struct ent_member *m)
{
	ent_peer_send(n, m->card.org,
		      json_pack("{s:s,s:o,s:s,s:s,s:I,s:I,s:I}", "type", "hello", "past", ent_cards_past(n), "card", ent_buf_text(&n->card_text),
				"software", ENT_VERSION, "time", (json_int_t)ent_node_utc(n), "size", (json_int_t)n->applied, "have",
				(json_int_t)m->facts_size));
}

static void note_time(struct ent_node *n, struct ent_member *m, const json_t *msg)
{
	int64_t time;
	if (ent_json_int(msg, "time", 0, INT64_MAX / 4, &time, NULL))
		return;
	m->skew_ms = time - ent_node_utc(n);
	m->skew_known = true;
}

static void on_hello(struct ent_node *n, struct ent_member *m, const json_t *msg)
{
	const char *card, *software;
	int64_t size, have;
	if (ent_json_str(msg, "card", &card, NULL) || ent_json_str(msg, "software", &software, NULL) ||
	    ent_json_int(msg, "size", 0, INT64_MAX / 2, &size, NULL) || ent_json_int(msg, "have", 0, INT64_MAX / 2, &have, NULL))
		return;
	snprintf(m->software, sizeof m->software, "%.40s", software);
	for (char *c = m->software; *c; c++)
		if (*c < 0x20 || *c == 0x7f)
			*c = '?';
	note_time(n, m, msg);
	char org[ENT_ORG_MAX + 1];
	snprintf(org, sizeof org, "%s", m->card.org);
	ent_member_gossip(n, m, card);
	m = ent_member_find(n, org);
	if (!m)
		return;
	ent_cards_hello(n, m, msg);
	if ((uint64_t)size > m->facts_size)
		ent_facts_want(n, m);
}

static void on_news(struct ent_node *n, struct ent_member *m, const json_t *msg)
{
	int64_t size;
	if (!ent_json_int(msg, "size", 0, INT64_MAX / 2, &size, NULL) && (uint64_t)size > m->facts_size)
		ent_facts_want(n, m);
}

static void on_want(struct ent_node *n, struct ent_member *m, const json_t *msg)
{
	int64_t from;
	if (!ent_json_int(msg, "from", 0, INT64_MAX / 2, &from, NULL))
		ent_facts_send(n, m, (uint64_t)from);
}

static const struct peer_route {
	const char *type;
	void (*fn)(struct ent_node *n, struct ent_member *m, const json_t *msg);
} routes[] = { { "hello", on_hello },
	       { "news", on_news },
	       { "want", on_want },
	       { "facts", ent_facts_receive },
	       { "checkpoint", ent_duty_checkpoint },
	       { "copy?", ent_move_asked },
	       { "copy!", ent_move_granted },
	       { "copy-", ent_move_refused },
	       { "witnessed?", ent_restored_asked },
	       { "witnessed", ent_restored_answer } };

static bool dispatch(struct ent_node *n, struct ent_member *m, const json_t *msg)
{
	const char *type;
	if (!json_is_object(msg) || ent_json_str(msg, "type", &type, NULL))
		return false;
	for (size_t i = 0; i < ENT_COUNT(routes); i++)
		if (!strcmp(routes[i].type, type))
			return routes[i].fn(n, m, msg), true;
	return ent_jobs_message(n, m, type, msg);
}

void ent_node_peer_message(struct ent_node *node, const char *org, struct ent_bytes message)
{
	ENT_JSON_AUTO msg = NULL;
	struct ent_err err = ENT_ERR_INIT;
	struct ent_member *m = ent_member_find(node, org);
	if (!m)
		return;
	m->heard_ms = ent_node_mono(node);
	if (ent_json_parse_canonical(message, ENT_MESH_BYTES_MAX, &msg, &err) || !dispatch(node, m, msg))
		ent_peer_complain(node, org, "message-refused", err.code ? err.what : "not a message of ours");
}

void ent_node_peer_up(struct ent_node *node, const char *org)
{
	struct ent_member *m = ent_member_find(node, org);
	if (!m)
		return;
	m->up = true;
	m->heard_ms = ent_node_mono(node);
	ent_log(node->env.log, ENT_LOG_INFO, "peer-up", "org=%s", org);
	ent_peer_hello(node, m);
	ent_restored_ask(node, m);
	ent_jobs_peer(node, org, true);
}

void ent_node_peer_down(struct ent_node *node, const char *org)
{
	struct ent_member *m = ent_member_find(node, org);
	if (!m || !m->up)
		return;
	m->up = false;
	ent_log(node->env.log, ENT_LOG_INFO, "peer-down", "org=%s", org);
	ent_jobs_peer(node, org, false);
}

void ent_node_peer_refused(struct ent_node *node, const char *org, const char *text)
{
	uint64_t now = ent_node_mono(node);
	ent_log(node->env.log, ENT_LOG_WARN, "peer-refused", "org=%.31s why=\"%s\"", org, text);
	if (node->refused_ms && ent_ms_since(now, node->refused_ms) < 60000)
		return;
	node->refused_ms = now + !now;
	ent_alarm(node, "peer refused", ent_org_valid(org) ? org : "", json_pack("{s:s}", "why", text));
}
