/* Ledger duties: ending batches, asking witnesses, being one, remembering peers' checkpoints. */
#include "node/core.h"

#include <stdlib.h>

#define ROUND_RETRY_MS 3000

static bool witness_key(void *self, const char *origin, uint8_t ret_pub[ENT_PUB_BYTES])
{
	const struct ent_node *n = self;
	for (size_t i = 0; i < n->n_members; i++)
		if (!strcmp(n->members[i].card.origin, origin)) {
			memcpy(ret_pub, n->members[i].card.keys[ENT_KEY_LOG], ENT_PUB_BYTES);
			return true;
		}
	return false;
}

/* Two signed statements that contradict each other are kept whole: they prove the fork to anybody. */
static void fork_alarm(struct ent_node *n, const char *org, const struct ent_fork *fork)
{
	json_t *more = json_pack("{s:s,s:s,s:s%,s:s%}", "origin", fork->origin, "what", fork->what, "known", (const char *)fork->known.data,
				 fork->known.len, "offered", (const char *)fork->offered.data, fork->offered.len);
	ent_alarm(n, "fork", org, more ? more : json_object());
}

static void witness_alarm(void *self, const struct ent_fork *fork)
{
	struct ent_node *n = self;
	for (size_t i = 0; i < n->n_members; i++)
		if (!strcmp(n->members[i].card.origin, fork->origin)) {
			fork_alarm(n, n->members[i].card.org, fork);
			return;
		}
}

static void cosign_alarm(void *self, const char *org, const struct ent_fork *fork) { fork_alarm(self, org, fork); }

static void remember_time(struct ent_node *n)
{
	struct ent_err err = ENT_ERR_INIT;
	n->alone_since_ms = ent_node_utc(n);
	if (ent_db_run(n->db, &err, "INSERT OR REPLACE INTO meta(key, value) VALUES('cosigned', ?)", "i", n->alone_since_ms))
		ent_log(n->env.log, ENT_LOG_ERROR, "node-db", "what=\"%s\"", err.what);
}

/* Peers log each other's cosigned checkpoints: the ledgers hold each other fast. */
static void tell_checkpoint(struct ent_node *n)
{
	struct ent_bytes note = ent_ledger_served_note(n->ledger);
	ENT_JSON_AUTO msg = json_pack("{s:s,s:s%}", "type", "checkpoint", "note", (const char *)note.data, note.len);
	for (size_t i = 0; msg && i < n->n_members; i++)
		if (n->members[i].up)
			ent_peer_send(n, n->members[i].card.org, json_incref(msg));
}

void ent_duty_checkpoint(struct ent_node *n, struct ent_member *m, const json_t *msg)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_note note;
	struct ent_checkpoint c;
	struct ent_note_key key = { .alg = ENT_NOTE_ED25519 };
	const char *text;
	int r = ent_json_str(msg, "note", &text, &err);
	snprintf(key.name, sizeof key.name, "%s", m->card.origin);
	memcpy(key.pub, m->card.keys[ENT_KEY_LOG], ENT_PUB_BYTES);
	if (!r)
		r = ent_note_parse(ent_bytes_str(text), &note, &err);
	if (!r)
		r = ent_checkpoint_parse(note.text, true, &c, &err);
	if (!r && strcmp(c.origin, m->card.origin) != 0)
		r = ent_fail(&err, ENT_EVERIFY, "a checkpoint of another log");
	bool is_signed = false;
	for (size_t i = 0; !r && i < note.line_count; i++)
		if (ent_note_line_is(&note.lines[i], &key))
			is_signed = !ent_note_check_line(note.text, &note.lines[i], &key, NULL, &err);
	if (!r && !is_signed)
		r = ent_fail(&err, ENT_EVERIFY, "a checkpoint that its log did not sign");
	if (!r)
		r = ent_ledger_crossref(n->ledger, m->card.org, ent_bytes_str(text), &err);
	if (r)
		ent_peer_complain(n, m->card.org, "checkpoint-refused", err.what);
}

static void cosign_done(void *self, const struct ent_checkpoint *checkpoint, unsigned have, unsigned peers, bool quorum)
{
	struct ent_node *n = self;
	n->cosigned = have;
	n->witnesses = peers;
	n->quorum = quorum;
	if (have)
		tell_checkpoint(n);
	if (have && ent_node_utc(n) - n->alone_since_ms > 60000)
		remember_time(n);
	ent_log(n->env.log, have < peers ? ENT_LOG_INFO : ENT_LOG_DEBUG, "checkpoint", "size=%llu cosigned=%u of=%u",
		(unsigned long long)checkpoint->size, have, peers);
}

static int last_cosigned(struct ent_node *n, struct ent_err *err)
{
	ENT_ST st = { 0 };
	ENT_TRY(ent_db_query(n->db, &st, err, "SELECT value FROM meta WHERE key = 'cosigned'", ""));
	int r = ent_st_next(&st, err);
	if (r < 0)
		return -r;
	n->alone_since_ms = r ? ent_st_int(&st, 0) : ent_node_utc(n);
	ent_st_end(&st);
	if (!r)
		remember_time(n);
	return 0;
}

int ent_duty_open(struct ent_node *n, struct ent_err *err)
{
	struct ent_witness_config witness = { .fs = n->env.fs,
					      .dir = "witness",
					      .clock = n->env.clock,
					      .signer = n->signer[ENT_KEY_WITNESS],
					      .self = n,
					      .log_key = witness_key,
					      .alarm = witness_alarm };
	ent_card_witness_name(&n->card, witness.name);
	ENT_TRY(last_cosigned(n, err));
	n->witness_config = witness;
	ENT_TRY(ent_witness_open(&n->witness_config, &n->witness, err));
	if (!n->env.http)
		return 0;
	n->cosign_config = (struct ent_cosign_config){
		.ledger = n->ledger, .http = n->env.http, .clock = n->env.clock, .self = n, .done = cosign_done, .alarm = cosign_alarm
	};
	return ent_cosign_new(&n->cosign_config, &n->cosign, err);
}

void ent_duty_close(struct ent_node *n)
{
	struct ent_err err = ENT_ERR_INIT;
	if (n->ledger && !ent_node_broken(n) && ent_ledger_publish(n->ledger, &err))
		ent_log(n->env.log, ENT_LOG_WARN, "publish", "what=\"%s\"", err.what);
	ent_cosign_free(n->cosign);
	ent_witness_free(n->witness);
}

void ent_duty_members(struct ent_node *n)
{
	struct ent_cosign_peer *peers = ent_alloc(n->n_members + 1, sizeof *peers);
	struct ent_err err = ENT_ERR_INIT;
	if (!peers || !n->cosign) {
		free(peers);
		return;
	}
	for (size_t i = 0; i < n->n_members; i++) {
		const struct ent_card *c = &n->members[i].card;
		peers[i] = (struct ent_cosign_peer){ .key = { .alg = ENT_NOTE_COSIGNATURE } };
		snprintf(peers[i].org, sizeof peers[i].org, "%s", c->org);
		snprintf(peers[i].url, sizeof peers[i].url, "https://%s/add-checkpoint", c->http);
		memcpy(peers[i].tls_key, c->keys[ENT_KEY_TLS], ENT_PUB_BYTES);
		ent_card_witness_name(c, peers[i].key.name);
		memcpy(peers[i].key.pub, c->keys[ENT_KEY_WITNESS], ENT_PUB_BYTES);
	}
	if (ent_cosign_peers(n->cosign, peers, n->n_members, &err) || ent_cosign_start(n->cosign, &err))
		ent_log(n->env.log, ENT_LOG_WARN, "witnesses", "what=\"%s\"", err.what);
	free(peers);
}

void ent_duty_publish(struct ent_node *n)
{
	struct ent_err err = ENT_ERR_INIT;
	int r = ent_ledger_publish(n->ledger, &err);
	if (!r && n->cosign)
		r = ent_cosign_start(n->cosign, &err);
	else if (!r)
		r = ent_ledger_cosigned(n->ledger, ent_bytes(NULL, 0), &err);
	if (r && !ent_node_broken(n)) {
		ent_log(n->env.log, ENT_LOG_ERROR, "publish", "what=\"%s\"", err.what);
		ent_node_broke(n, r, &err);
	}
}

/* Witnesses that were down when the last checkpoint was made are asked again, every few seconds. */
static void retry_round(struct ent_node *n, uint64_t now)
{
	struct ent_err err = ENT_ERR_INIT;
	if (n->cosigned >= n->n_members || ent_cosign_running(n->cosign) || ent_ms_since(now, n->round_ms) < ROUND_RETRY_MS)
		return;
	n->round_ms = now;
	if (ent_cosign_start(n->cosign, &err))
		ent_log(n->env.log, ENT_LOG_WARN, "witnesses", "what=\"%s\"", err.what);
}

uint64_t ent_duty_tick(struct ent_node *n)
{
	uint64_t now = ent_node_mono(n), due = ent_ledger_due_ms(n->ledger);
	if (ent_node_broken(n))
		return UINT64_MAX;
	if (due <= now)
		ent_duty_publish(n);
	if (n->cosign) {
		ent_cosign_tick(n->cosign);
		retry_round(n, now);
		ent_cards_tick(n, now);
		ent_restored_tick(n, now);
	}
	due = ent_ledger_due_ms(n->ledger);
	uint64_t round = n->cosign ? ent_cosign_due_ms(n->cosign) : UINT64_MAX;
	return due < round ? due : round;
}

int ent_duty_not_alone(struct ent_node *n, struct ent_err *err)
{
	int64_t hours = ent_conf_int(&n->conf, ENT_CONF_witness_hours);
	if (!n->n_members || !hours || ent_node_utc(n) - n->alone_since_ms < hours * 3600000)
		return 0;
	ent_fail(err, ENT_EAGAIN, "no other member has witnessed our ledger for more than %lld hours", (long long)hours);
	ent_why(err, "nothing that widens access happens unwitnessed");
	return ent_next(err, "see `entente status` for peers that are down, or untrust those that are gone; revoking works meanwhile");
}

void ent_node_http(struct ent_node *node, const struct ent_http_request *request, struct ent_http_answer *answer)
{
	if (!strcmp(request->url, "/add-checkpoint")) {
		if (node->restored) /* our records may be older than what we cosigned */
			answer->status = 503;
		else if (!strcmp(request->method, "POST"))
			ent_witness_add(node->witness, request->body, answer);
		else
			answer->status = 405;
		return;
	}
	struct ent_http_request known = *request;
	known.trusted = request->trusted || ent_token_valid(node, request->token);
	if (ent_cards_serve(node, request, answer))
		return;
	if (!ent_ledger_serve(node->ledger, &known, answer))
		answer->status = 404;
}
