/* Receipts: every participant sends the requester its entries about the job, and the grants used, each with its proof; the requester puts
 * them together with the cards and the proposal. */
#include "ledger/receipt.h"
#include "node/job.h"

static int put_entry(struct ent_node *n, uint64_t at, json_t *list, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf envelope = ENT_BUF(ENT_DSSE_BYTES_MAX), proof = ENT_BUF(ENT_TLOG_PROOF_MAX);
	ENT_TRY(ent_ledger_entry(n->ledger, at, &envelope, err));
	ENT_TRY(ent_ledger_prove(n->ledger, at, &proof, err));
	return json_array_append_new(list, json_pack("{s:I,s:s%,s:s%}", "at", (json_int_t)at, "dsse", (const char *)envelope.data, envelope.len,
						     "proof", (const char *)proof.data, proof.len))
		       ? ent_nomem(err)
		       : 0;
}

/* ENT_EAGAIN while the last checkpoint does not cover all of it. */
static int own_evidence(struct ent_node *n, struct ent_job *j, json_t **ret, struct ent_err *err)
{
	ENT_ST st = { 0 };
	ENT_JSON_AUTO list = json_array();
	int r;
	ENT_TRY(ent_db_query(n->db, &st, err,
			     "SELECT at FROM job_entry WHERE job = ?1 UNION SELECT grant_at FROM job_grant WHERE job = ?1 ORDER BY 1 DESC", "s",
			     j->id));
	while ((r = ent_st_next(&st, err)) > 0)
		ENT_TRY(put_entry(n, (uint64_t)ent_st_int(&st, 0), list, err));
	if (r < 0)
		return -r;
	*ret = json_incref(list);
	return 0;
}

void ent_evidence_tick(struct ent_node *n, struct ent_job *j)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_party *me = ent_job_party(j, n->card.org);
	json_t *list = NULL;
	if (j->evidence_sent || !me || (n->cosign && ent_cosign_running(n->cosign)))
		return;
	int r = own_evidence(n, j, &list, &err);
	if (r == ENT_EAGAIN)
		return;
	j->evidence_sent = true;
	if (r) {
		ent_log(n->env.log, ENT_LOG_WARN, "evidence", "id=%s what=\"%s\"", j->id, err.what);
		return;
	}
	if (j->mine) {
		me->evidence = list;
		j->seen++;
		return;
	}
	json_t *msg = ent_job_message(j, "evidence");
	json_object_set_new(msg, "card", json_string(ent_buf_text(&n->card_text)));
	json_object_set_new(msg, "entries", list);
	ent_peer_send(n, ent_proposal_text(j, "requester"), msg);
}

void ent_job_on_evidence(struct ent_node *n, struct ent_job *j, struct ent_party *p, const json_t *msg)
{
	json_t *list;
	if (!j->mine || p->evidence || ent_json_array(msg, "entries", &list, NULL))
		return;
	p->evidence = json_incref(list);
	j->seen++;
	(void)n;
}

bool ent_evidence_complete(const struct ent_job *j)
{
	for (size_t i = 0; i < j->n_party; i++)
		if (!j->party[i].evidence)
			return false;
	return true;
}

static int put_party(struct ent_receipt_writer *w, const struct ent_party *p, struct ent_err *err)
{
	size_t i;
	json_t *item;
	json_array_foreach(p->evidence, i, item)
	{
		int64_t at;
		const char *dsse, *proof;
		ENT_TRY(ent_json_int(item, "at", 0, INT64_MAX / 2, &at, err));
		ENT_TRY(ent_json_str(item, "dsse", &dsse, err));
		ENT_TRY(ent_json_str(item, "proof", &proof, err));
		ENT_TRY(ent_receipt_entry(w, p->org, (uint64_t)at, ent_bytes_str(dsse), ent_bytes_str(proof), err));
	}
	return 0;
}

/* Grants may be older than the newest card of who wrote them: a participant's earlier cards go in, too, unless they would be too many. */
static int put_past_cards(struct ent_node *n, const struct ent_job *j, struct ent_receipt_writer *w, struct ent_err *err)
{
	for (size_t i = 0; i < j->n_party; i++) {
		ENT_ST st = { 0 };
		int r;
		ENT_TRY(ent_db_query(
			n->db, &st, err,
			"SELECT card FROM card_version WHERE org = ?1 AND version < (SELECT MAX(version) FROM card_version WHERE org = ?1) "
			"ORDER BY version DESC LIMIT 8",
			"s", j->party[i].org));
		while ((r = ent_st_next(&st, err)) > 0)
			ENT_TRY(ent_receipt_card(w, ent_st_blob(&st, 0), err));
		if (r < 0)
			return -r;
	}
	return 0;
}

/* Cosignatures may be of any member: all cards go in. */
static int put_cards(struct ent_node *n, struct ent_receipt_writer *w, struct ent_err *err)
{
	ENT_ST st = { 0 };
	int r;
	ENT_TRY(ent_receipt_card(w, ent_buf_bytes(&n->card_text), err));
	ENT_TRY(ent_db_query(n->db, &st, err, "SELECT card FROM member WHERE gone = 0 ORDER BY org", ""));
	while ((r = ent_st_next(&st, err)) > 0)
		ENT_TRY(ent_receipt_card(w, ent_st_blob(&st, 0), err));
	return r < 0 ? -r : 0;
}

static int write_receipt(struct ent_node *n, struct ent_job *j, struct ent_receipt_writer *w, struct ent_buf *ret, struct ent_err *err)
{
	ENT_TRY(put_past_cards(n, j, w, err));
	ENT_TRY(put_cards(n, w, err));
	for (size_t i = 0; i < j->n_party; i++)
		ENT_TRY(put_party(w, &j->party[i], err));
	ENT_TRY(ent_receipt_content(w, j->salt, ent_buf_bytes(&j->content), err));
	return ent_receipt_seal(w, n->card.org, &n->signer[ENT_KEY_SIGN], ret, err);
}

int ent_receipt_make(struct ent_node *n, struct ent_job *j, struct ent_buf *ret, struct ent_err *err)
{
	struct ent_receipt_writer *w = NULL;
	if (!ent_job_party(j, n->card.org)->evidence)
		return ent_fail(err, ENT_EAGAIN, "our own ledger has not published the end of this job yet");
	ENT_TRY(ent_receipt_new(&w, err));
	int r = write_receipt(n, j, w, ret, err);
	ent_receipt_free(w);
	return r;
}

int ent_opened_make(struct ent_job *j, struct ent_buf *ret, struct ent_err *err)
{
	char salt[65], commitment[65];
	json_t *outputs = json_array();
	for (size_t i = 0; i < j->n_party; i++) {
		const struct ent_party *p = &j->party[i];
		if (!p->has_output)
			continue;
		ent_hex(salt, p->salt, 32);
		ent_hex(commitment, p->commitment, 32);
		json_array_append_new(outputs, json_pack("{s:s,s:s,s:s}", "org", p->org, "salt", salt, "commitment", commitment));
	}
	ent_hex(salt, j->rows_salt, 32);
	ent_hex(commitment, j->rows_commitment, 32);
	ENT_JSON_AUTO opened = json_pack("{s:s,s:s,s:{s:s,s:s},s:o}", "type", "entente-opened/v1", "proposal", j->hash_hex, "rows", "salt", salt,
					 "commitment", commitment, "outputs", outputs);
	ENT_TRY(ent_json_canonical(opened, ret, err));
	ent_buf_u8(ret, '\n');
	return ent_buf_check(ret, err);
}
