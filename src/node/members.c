/* Who we trust: pinned cards. A pin comes from a person (`trust`) or from the pinned key itself (a rightful next version); nothing else. */
#include "node/core.h"
#include "node/jobs.h"

#include <stdlib.h>

struct ent_member *ent_member_find(struct ent_node *n, const char *org)
{
	for (size_t i = 0; i < n->n_members; i++)
		if (!strcmp(n->members[i].card.org, org))
			return &n->members[i];
	return NULL;
}

bool ent_member_key(struct ent_node *n, const uint8_t keyid[ENT_HASH_BYTES], uint8_t ret_pub[ENT_PUB_BYTES])
{
	ENT_ST st = { 0 };
	uint8_t own[ENT_HASH_BYTES];
	struct ent_bytes id = ent_bytes(keyid, ENT_HASH_BYTES);
	ent_keyid(n->signer[ENT_KEY_SIGN].pub, own);
	if (!memcmp(own, keyid, sizeof own)) {
		memcpy(ret_pub, n->signer[ENT_KEY_SIGN].pub, ENT_PUB_BYTES);
		return true;
	}
	if (ent_db_query(n->db, &st, NULL, "SELECT pub FROM member_key WHERE keyid = ?", "b", &id) || ent_st_next(&st, NULL) <= 0)
		return false;
	struct ent_bytes pub = ent_st_blob(&st, 0);
	if (pub.len != ENT_PUB_BYTES)
		return false;
	memcpy(ret_pub, pub.data, ENT_PUB_BYTES);
	return true;
}

int ent_member_signed(struct ent_node *n, const char *org, const struct ent_dsse *d, struct ent_err *err)
{
	const struct ent_member *m = ent_member_find(n, org);
	const struct ent_card *card = strcmp(org, n->card.org) ? (m ? &m->card : NULL) : &n->card;
	if (d->sig_count != 1 || !card)
		return ent_fail(err, ENT_EVERIFY, "a statement in the name of %s is not signed by its pinned key", org);
	return ent_dsse_check_one(d->type, ent_buf_bytes(&d->payload), &d->sigs[0], card->keys[ENT_KEY_SIGN], err);
}

int ent_member_signed_at(struct ent_node *n, const char *org, const struct ent_dsse *d, uint64_t at, struct ent_err *err)
{
	ENT_ST st = { 0 };
	struct ent_bytes id = ent_bytes(d->sigs[0].keyid, ENT_HASH_BYTES);
	if (d->sig_count != 1)
		return ent_fail(err, ENT_EVERIFY, "an entry of %s is signed by %zu", org, d->sig_count);
	ENT_TRY(ent_db_query(n->db, &st, err, "SELECT pub, until_at FROM member_key WHERE keyid = ? AND org = ?", "bs", &id, org));
	int r = ent_st_next(&st, err);
	if (r <= 0 || ent_st_blob(&st, 0).len != ENT_PUB_BYTES)
		return r < 0 ? -r : ent_fail(err, ENT_EVERIFY, "a statement in the name of %s is signed by no key of its cards", org);
#ifndef ENT_MUTANT_OLD_KEY_FOREVER
	if (at != ENT_LOG_ANYWHERE && at >= (uint64_t)ent_st_int(&st, 1))
		return ent_fail(err, ENT_EVERIFY, "entry %llu of %s is signed by a key that was replaced before", (unsigned long long)at, org);
#endif
	return ent_dsse_check_one(d->type, ent_buf_bytes(&d->payload), &d->sigs[0], ent_st_blob(&st, 0).data, err);
}

void ent_alarm(struct ent_node *n, const char *kind, const char *org, json_t *more)
{
	struct ent_err err = ENT_ERR_INIT;
	ENT_JSON_AUTO fields = more ? more : json_object();
	enum ent_budget_kind budget = strcmp(kind, "fork") ? ENT_BUDGET_ALARM : ENT_BUDGET_FORK;
	if (!ent_budget_take(n, org, budget, 1)) {
		ent_peer_complain(n, org, "alarm", kind);
		return;
	}
	uint64_t unentered = ent_budget_unpaid(n, org, budget);
	if (unentered)
		json_object_set_new(fields, "unentered", json_integer((json_int_t)unentered));
	json_object_set_new(fields, "alarm", json_string(kind));
	json_object_set_new(fields, "subject", json_string(org));
	ent_log(n->env.log, ENT_LOG_WARN, "alarm", "kind=\"%s\" org=%s", kind, org);
	if (ent_node_append(n, ENT_ENTRY_ALARM, fields, NULL, &err))
		ent_log(n->env.log, ENT_LOG_ERROR, "alarm-lost", "what=\"%s\"", err.what);
}

/* ---- loading and effects ---- */

static void announce_pins(struct ent_node *n)
{
	struct ent_pin pins[ENT_MEMBERS_MAX];
	for (size_t i = 0; i < n->n_members; i++) {
		pins[i] = (struct ent_pin){ 0 };
		memcpy(pins[i].org, n->members[i].card.org, sizeof pins[i].org);
		memcpy(pins[i].tls_pub, n->members[i].card.keys[ENT_KEY_TLS], 32);
		snprintf(pins[i].address, sizeof pins[i].address, "%s", n->members[i].card.link);
	}
	if (n->env.pins)
		n->env.pins(n->env.self, pins, n->n_members);
}

static int load_one(struct ent_node *n, struct ent_st *st, struct ent_member *old, size_t n_old, struct ent_err *err)
{
	struct ent_member m = { 0 };
	ENT_TRY(ent_card_open(ent_st_blob(st, 0), &m.card, err));
	for (size_t i = 0; i < n_old; i++)
		if (!strcmp(old[i].card.org, m.card.org) && !memcmp(old[i].card.keys[ENT_KEY_TLS], m.card.keys[ENT_KEY_TLS], 32))
			m = old[i];
	ENT_TRY(ent_card_open(ent_st_blob(st, 0), &m.card, err));
	m.entry = (uint64_t)ent_st_int(st, 1);
	m.facts_size = (uint64_t)ent_st_int(st, 2);
	m.facts_bytes = (uint64_t)ent_st_int(st, 3);
	if (n->n_members == ENT_MEMBERS_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "more than %d members", ENT_MEMBERS_MAX);
	n->members[n->n_members++] = m;
	return 0;
}

static int load_all(struct ent_node *n, struct ent_member *old, size_t n_old, struct ent_err *err)
{
	ENT_ST st = { 0 };
	ENT_TRY(ent_db_query(
		n->db, &st, err,
		"SELECT card, entry, COALESCE((SELECT size FROM fact_size f WHERE f.org = m.org), 0), "
		"COALESCE((SELECT SUM(LENGTH(dsse) + 512) FROM fact f WHERE f.org = m.org), 0) FROM member m WHERE gone = 0 ORDER BY org",
		""));
	int r;
	n->n_members = 0;
	while ((r = ent_st_next(&st, err)) > 0)
		ENT_TRY(load_one(n, &st, old, n_old, err));
	return r < 0 ? -r : 0;
}

int ent_members_load(struct ent_node *n, struct ent_err *err)
{
	size_t n_old = n->n_members;
	struct ent_member *old = ent_alloc(n_old + 1, sizeof *old);
	if (!old)
		return ent_nomem(err);
	memcpy(old, n->members, n_old * sizeof *old);
	int r = load_all(n, old, n_old, err);
	free(old);
	if (r)
		return r;
	announce_pins(n);
	ent_duty_members(n);
	return 0;
}

/* ---- trust ---- */

static int pin(struct ent_node *n, int type, const char *envelope, const char *flag, struct ent_err *err)
{
	ENT_JSON_AUTO card = NULL;
	ENT_JSON_AUTO fields = json_object();
	ENT_TRY(ent_json_parse(ent_bytes_str(envelope), ENT_CARD_BYTES_MAX, &card, err));
	json_object_set(fields, "card", card);
	if (flag)
		json_object_set_new(fields, flag, json_true());
	ENT_TRY(ent_node_append(n, type, fields, NULL, err));
	return ent_members_load(n, err);
}

/* An organisation that was untrusted comes back only with the card it had, its rightful successor, or --replace. */
static int pinned_before(struct ent_node *n, const char *org, struct ent_card *ret, struct ent_err *err)
{
	ENT_ST st = { 0 };
	ENT_TRY(ent_db_query(n->db, &st, err, "SELECT card FROM member WHERE org = ?", "s", org));
	int r = ent_st_next(&st, err);
	if (r <= 0)
		return r < 0 ? -r : ENT_ENOTFOUND;
	return ent_card_open(ent_st_blob(&st, 0), ret, err);
}

static int changed_card(const struct ent_card *card, struct ent_err *err)
{
	ent_fail(err, ENT_EVERIFY, "%s shows another card than the one pinned", card->org);
	ent_why(err, "the pinned key did not sign it: either %s lost its keys, or somebody pretends to be %s", card->org, card->org);
	return ent_next(err, "compare the 8 words by phone, then `entente trust --replace FILE`");
}

static int trust_known(struct ent_node *n, const struct ent_card *old, const char *text, const struct ent_card *card, bool replace,
		       const char **ret_change, struct ent_err *err)
{
	enum ent_card_step step;
	struct ent_card next;
	bool present = ent_member_find(n, card->org);
	if (!memcmp(old->hash, card->hash, sizeof old->hash)) {
		*ret_change = present ? "same" : "new";
		return present ? 0 : pin(n, ENT_ENTRY_MEMBER, text, NULL, err);
	}
	if (!ent_card_update(old, ent_bytes_str(text), &step, &next, err)) {
		*ret_change = "updated";
		return pin(n, present ? ENT_ENTRY_KEY : ENT_ENTRY_MEMBER, text, NULL, err);
	}
	if (!replace)
		return changed_card(card, err);
	*ret_change = "replaced";
	return pin(n, ENT_ENTRY_MEMBER, text, "replaced", err);
}

static int trust_one(struct ent_node *n, const char *text, bool replace, json_t *list, struct ent_err *err)
{
	struct ent_card card, old;
	const char *change = "new";
	char words[ENT_FINGERPRINT_LEN], hex[65];
	uint8_t id[ENT_HASH_BYTES];
	ENT_TRY(ent_card_open(ent_bytes_str(text), &card, err));
	if (!strcmp(card.org, n->card.org)) {
		if (memcmp(card.hash, n->card.hash, sizeof card.hash) != 0)
			return ent_fail(err, ENT_EVERIFY, "this card uses our own name %s with other keys", card.org);
		change = "own";
	} else {
		int known = pinned_before(n, card.org, &old, err);
		if (known && known != ENT_ENOTFOUND)
			return known;
		ENT_TRY(known ? pin(n, ENT_ENTRY_MEMBER, text, NULL, err) : trust_known(n, &old, text, &card, replace, &change, err));
	}
	ent_fingerprint(card.keys[ENT_KEY_SIGN], words);
	ent_keyid(card.keys[ENT_KEY_SIGN], id);
	ent_hex(hex, id, sizeof id);
	json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s}", "org", card.org, "words", words, "fingerprint", hex, "change", change));
	ent_log(n->env.log, ENT_LOG_INFO, "trust", "org=%s change=%s", card.org, change);
	return 0;
}

/* Card files may end with a newline; the envelope itself does not. */
static int trust_text(struct ent_node *n, const json_t *item, bool replace, json_t *list, struct ent_err *err)
{
	char text[ENT_CARD_BYTES_MAX + 1];
	if (!json_is_string(item) || json_string_length(item) > ENT_CARD_BYTES_MAX)
		return ent_fail(err, ENT_EDATA, "this is no member card");
	snprintf(text, sizeof text, "%s", json_string_value(item));
	for (size_t len = strlen(text); len && strchr(" \r\n\t", text[len - 1]); len--)
		text[len - 1] = 0;
	return trust_one(n, text, replace, list, err);
}

void ent_verb_trust(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	ENT_JSON_AUTO list = json_array();
	json_t *cards, *item;
	size_t i;
	bool replace = json_is_true(json_object_get(args, "replace"));
	if (ent_json_array(args, "cards", &cards, &err)) {
		ent_reply_err(reply, &err);
		return;
	}
	json_array_foreach(cards, i, item) if (trust_text(n, item, replace, list, &err))
	{
		ent_reply_err(reply, &err);
		return;
	}
	ent_facts_push(n);
	ent_reply_ok(reply, json_pack("{s:O}", "members", list));
}

static int untrust(struct ent_node *n, const char *org, struct ent_err *err)
{
	ENT_ST st = { 0 };
	char text[ENT_CARD_BYTES_MAX + 1];
	if (!ent_member_find(n, org))
		return ent_fail(err, ENT_ENOTFOUND, "%s is not a member", org);
	ENT_TRY(ent_db_query(n->db, &st, err, "SELECT card FROM member WHERE org = ?", "s", org));
	int r = ent_st_next(&st, err);
	if (r <= 0)
		return r < 0 ? -r : ENT_ENOTFOUND;
	snprintf(text, sizeof text, "%.*s", (int)ent_st_blob(&st, 0).len, (const char *)ent_st_blob(&st, 0).data);
	ent_st_end(&st);
	return pin(n, ENT_ENTRY_MEMBER, text, "removed", err);
}

void ent_verb_untrust(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	const char *org;
	if (!ent_arg_text(args, "org", true, &org, reply))
		return;
	ent_node_peer_down(n, org);
	if (untrust(n, org, &err)) {
		ent_reply_err(reply, &err);
		return;
	}
	ent_facts_push(n);
	ent_reply_ok(reply, NULL);
}

void ent_member_gossip(struct ent_node *n, struct ent_member *m, const char *envelope)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_card next = { 0 };
	enum ent_card_step step = ENT_CARD_SAME;
	char org[ENT_ORG_MAX + 1];
	memcpy(org, m->card.org, sizeof org);
	int r = ent_card_update(&m->card, ent_bytes_str(envelope), &step, &next, &err);
#ifdef ENT_MUTANT_CARD_CHANGED_ACCEPTED
	if (r && !ent_card_open(ent_bytes_str(envelope), &next, &err))
		r = 0, step = ENT_CARD_NEXT;
#endif
	if (r) {
		ent_peer_complain(n, org, "card-refused", err.what);
		ent_alarm(n, "changed card refused", org, NULL);
	} else if (step == ENT_CARD_NEXT && !ent_budget_take(n, org, ENT_BUDGET_CARD, 1)) {
		ent_peer_complain(n, org, "card-refused", "its card changes too often");
	} else if (step == ENT_CARD_NEXT && pin(n, ENT_ENTRY_KEY, envelope, NULL, &err)) {
		ent_log(n->env.log, ENT_LOG_ERROR, "card-update", "org=%s what=\"%s\"", org, err.what);
	}
}

void ent_verb_members(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	ENT_JSON_AUTO list = json_array();
	(void)args;
	for (size_t i = 0; i < n->n_members; i++) {
		const struct ent_member *m = &n->members[i];
		char words[ENT_FINGERPRINT_LEN], hex[65];
		uint8_t id[ENT_HASH_BYTES];
		ent_fingerprint(m->card.keys[ENT_KEY_SIGN], words);
		ent_keyid(m->card.keys[ENT_KEY_SIGN], id);
		ent_hex(hex, id, sizeof id);
		json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:b,s:s,s:I,s:{s:s,s:s},s:b}", "org", m->card.org, "words", words, "fingerprint",
						      hex, "up", m->up, "software", m->software, "version", (json_int_t)m->card.version, "addresses",
						      "link", m->card.link, "http", m->card.http, "compute_only", m->card.compute_only));
	}
	ent_reply_ok(reply, json_pack("{s:O}", "members", list));
}

void ent_verb_card(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	char words[ENT_FINGERPRINT_LEN], hex[65];
	uint8_t id[ENT_HASH_BYTES];
	(void)args;
	ent_fingerprint(n->card.keys[ENT_KEY_SIGN], words);
	ent_keyid(n->card.keys[ENT_KEY_SIGN], id);
	ent_hex(hex, id, sizeof id);
	ent_reply_ok(reply,
		     json_pack("{s:s,s:s,s:s,s:s}", "card", ent_buf_text(&n->card_text), "org", n->card.org, "fingerprint", hex, "words", words));
}
