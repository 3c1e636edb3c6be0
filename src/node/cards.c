/* Card versions: every one that was ever accepted is kept, because entries stay signed by the key that was right at their place in the log.
 *
 * A sign key counts in its organisation's log up to that log's own `key` entry that replaced it; everything that has no place in a log (a question, a
 * ready, an approval) counts only under the newest card. A card names its predecessor by hash, so older versions that a peer tells prove
 * themselves. Who was away while a member changed its keys cannot hear of it over a link it refuses: it asks the member's HTTP port, where
 * GET /card/N answers to anybody; a card proves itself by its signatures. */
#include "node/core.h"

#include <stdlib.h>

#define PAST_MAX 32
#define AWAY_MS 3000
#define ASK_AGAIN_MS 15000
#define ASK_LIMIT_MS 3000

struct ent_card_call { /* lives until its answer, also when the node is gone */
	struct ent_card_call *next;
	struct ent_node *node;
	char org[ENT_ORG_MAX + 1];
};

int ent_cards_keep(struct ent_node *n, const struct ent_card *card, struct ent_bytes envelope, struct ent_err *err)
{
	uint8_t keyid[ENT_HASH_BYTES];
	struct ent_bytes id = ent_bytes(keyid, sizeof keyid), pub = ent_bytes(card->keys[ENT_KEY_SIGN], ENT_PUB_BYTES);
	ent_keyid(card->keys[ENT_KEY_SIGN], keyid);
	ENT_TRY(ent_db_run(n->db, err, "INSERT OR REPLACE INTO card_version(org, version, card) VALUES(?, ?, ?)", "sib", card->org, card->version,
			   &envelope));
	return ent_db_run(n->db, err,
			  "INSERT INTO member_key(keyid, org, pub, version) VALUES(?1, ?2, ?3, ?4) "
			  "ON CONFLICT(keyid) DO UPDATE SET org = ?2, version = MAX(version, ?4)",
			  "bsbi", &id, card->org, &pub, card->version);
}

int ent_cards_replaced_at(struct ent_node *n, const struct ent_card *next, uint64_t at, struct ent_err *err)
{
	return ent_db_run(n->db, err, "UPDATE member_key SET until_at = ?3 WHERE org = ?1 AND version < ?2 AND until_at > ?3", "sii", next->org,
			  next->version, (int64_t)at + 1);
}

static int card_at(struct ent_node *n, const char *org, int64_t version, struct ent_buf *ret, struct ent_err *err)
{
	ENT_ST st = { 0 };
	ENT_TRY(ent_db_query(n->db, &st, err, "SELECT card FROM card_version WHERE org = ? AND version = ?", "si", org, version));
	int r = ent_st_next(&st, err);
	if (r <= 0)
		return r < 0 ? -r : ent_fail(err, ENT_ENOTFOUND, "no such card");
	struct ent_bytes card = ent_st_blob(&st, 0);
	ent_buf_put(ret, card.data, card.len);
	return ent_buf_check(ret, err);
}

int ent_cards_fact(struct ent_node *n, const struct ent_member *m, const json_t *body, uint64_t at, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_CARD_BYTES_MAX);
	struct ent_card card, known;
	ENT_TRY(ent_card_open_json(json_object_get(body, "card"), &card, err));
	if (strcmp(card.org, m->card.org) != 0)
		return 0;
	int r = card_at(n, card.org, card.version, &text, err);
	if (r == ENT_ENOTFOUND)
		return ent_fail(err, ENT_EAGAIN, "%s has a newer card than the one known here", card.org);
	ENT_TRY(r);
	ENT_TRY(ent_card_open(ent_buf_bytes(&text), &known, err));
	if (memcmp(known.hash, card.hash, sizeof card.hash) != 0)
		return ent_fail(err, ENT_EVERIFY, "%s's ledger holds another card than the one pinned", card.org);
	return ent_cards_replaced_at(n, &card, at, err);
}

/* ---- older versions, told in hello ---- */

json_t *ent_cards_past(struct ent_node *n)
{
	ENT_ST st = { 0 };
	json_t *list = json_array();
	if (ent_db_query(n->db, &st, NULL, "SELECT card FROM card_version WHERE org = ? AND version < ? ORDER BY version DESC LIMIT 32", "si",
			 n->card.org, n->card.version))
		return list;
	while (ent_st_next(&st, NULL) > 0)
		json_array_append_new(list, json_stringn((const char *)ent_st_blob(&st, 0).data, ent_st_blob(&st, 0).len));
	return list;
}

static int take_past(struct ent_node *n, const struct ent_card *pinned, const json_t *list, struct ent_err *err)
{
	struct ent_card newer = *pinned, card;
	size_t i;
	json_t *item;
	json_array_foreach(list, i, item)
	{
		if (i == PAST_MAX || !newer.has_prev || !json_is_string(item))
			return 0;
		struct ent_bytes envelope = ent_bytes_str(json_string_value(item));
		ENT_TRY(ent_card_open(envelope, &card, err));
#ifndef ENT_MUTANT_PAST_UNCHECKED
		if (memcmp(card.hash, newer.prev, sizeof card.hash) != 0 || strcmp(card.org, pinned->org) != 0)
			return ent_fail(err, ENT_EVERIFY, "%s tells of an older card that its newer one does not name", pinned->org);
#endif
		ENT_TRY(ent_cards_keep(n, &card, envelope, err));
		newer = card;
	}
	return 0;
}

void ent_cards_hello(struct ent_node *n, const struct ent_member *m, const json_t *msg)
{
	struct ent_err err = ENT_ERR_INIT;
	const json_t *list = json_object_get(msg, "past");
	if (json_is_array(list) && m->card.has_prev && take_past(n, &m->card, list, &err))
		ent_peer_complain(n, m->card.org, "card-refused", err.what);
}

/* ---- newer versions, asked for over HTTP ---- */

bool ent_cards_serve(struct ent_node *n, const struct ent_http_request *request, struct ent_http_answer *answer)
{
	uint64_t version = (uint64_t)n->card.version;
	const char *rest = request->url + 5;
	if (strncmp(request->url, "/card", 5) != 0 || (*rest && *rest != '/'))
		return false;
	bool known = !*rest || ent_parse_u64(rest + 1, strlen(rest + 1), INT32_MAX, &version);
	answer->status = strcmp(request->method, "GET") ? 405 : 404;
	answer->type = "application/json";
	if (answer->status == 404 && known && !card_at(n, n->card.org, (int64_t)version, &answer->body, NULL))
		answer->status = 200;
	return true;
}

static void card_came(void *arg, const struct ent_http_answer *answer, const struct ent_err *err)
{
	struct ent_card_call *call = arg;
	struct ent_node *n = call->node;
	struct ent_card next;
	enum ent_card_step step;
	for (struct ent_card_call **at = n ? &n->card_calls : NULL; at && *at; at = &(*at)->next)
		if (*at == call) {
			*at = call->next;
			break;
		}
	struct ent_member *m = n ? ent_member_find(n, call->org) : NULL;
	free(call);
	if (!m || err || answer->status != 200 || answer->body.len > ENT_CARD_BYTES_MAX)
		return;
	if (ent_card_update(&m->card, ent_buf_bytes(&answer->body), &step, &next, NULL) || step != ENT_CARD_NEXT)
		return; /* whoever answered there proved nothing: no alarm, or anybody could cause one */
	ent_member_gossip(n, m, ent_buf_text(&answer->body));
}

static void ask(struct ent_node *n, struct ent_member *m)
{
	char url[ENT_ADDRESS_MAX + 64];
	struct ent_card_call *call = ent_alloc(1, sizeof *call);
	struct ent_http_request r = { .method = "GET", .url = url, .timeout_ms = ASK_LIMIT_MS };
	if (!call)
		return;
	*call = (struct ent_card_call){ .next = n->card_calls, .node = n };
	snprintf(call->org, sizeof call->org, "%s", m->card.org);
	snprintf(url, sizeof url, "https://%s/card/%lld", m->card.http, (long long)m->card.version + 1);
	n->card_calls = call;
	if (!n->env.http->start(n->env.http, &r, card_came, call, NULL))
		return;
	n->card_calls = call->next;
	free(call);
}

void ent_cards_tick(struct ent_node *n, uint64_t now)
{
	for (size_t i = 0; n->env.http && i < n->n_members; i++) {
		struct ent_member *m = &n->members[i];
		if (m->up)
			m->away_ms = 0;
		else if (!m->away_ms)
			m->away_ms = now + AWAY_MS; /* not at once: most absences are short */
		else if (now >= m->away_ms) {
			m->away_ms = now + ASK_AGAIN_MS;
			ask(n, m);
		}
	}
}

void ent_cards_close(struct ent_node *n)
{
	for (struct ent_card_call *c = n->card_calls; c; c = c->next)
		c->node = NULL;
	n->card_calls = NULL;
}
