/* node.db follows the ledger: every own entry is applied once, in order, in the same transaction that remembers how far we are.
 * A crash between the two only means that the entry is applied at the next opening. */
#include "node/core.h"
#include "node/moves.h"

static int applied_size(struct ent_node *n, uint64_t *ret, struct ent_err *err)
{
	ENT_ST st = { 0 };
	ENT_TRY(ent_db_query(n->db, &st, err, "SELECT value FROM meta WHERE key = 'applied'", ""));
	int r = ent_st_next(&st, err);
	*ret = r > 0 ? (uint64_t)ent_st_int(&st, 0) : 0;
	return r < 0 ? -r : 0;
}

static int apply_member(struct ent_node *n, uint64_t at, int type, const json_t *body, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_CARD_BYTES_MAX);
	struct ent_card card;
	ENT_TRY(ent_json_canonical(json_object_get(body, "card"), &text, err));
	ENT_TRY(ent_card_open(ent_buf_bytes(&text), &card, err));
	struct ent_bytes envelope = ent_buf_bytes(&text);
	if (!strcmp(card.org, n->card.org)) {
		ENT_TRY(ent_cards_keep(n, &card, envelope, err));
		return type == ENT_ENTRY_KEY ? ent_cards_replaced_at(n, &card, at, err) : 0;
	}
	bool gone = json_is_true(json_object_get(body, "removed"));
	bool replaced = json_is_true(json_object_get(body, "replaced"));
	ENT_TRY(ent_db_run(n->db, err, "INSERT OR REPLACE INTO member(org, card, version, entry, gone) VALUES(?, ?, ?, ?, ?)", "sbiii", card.org,
			   &envelope, card.version, (int64_t)at, (int64_t)gone));
	if (replaced) { /* another key, another log: what the old one signed counts no more */
		ENT_TRY(ent_db_run(n->db, err, "DELETE FROM fact WHERE org = ?", "s", card.org));
		ENT_TRY(ent_db_run(n->db, err, "DELETE FROM fact_size WHERE org = ?", "s", card.org));
		ENT_TRY(ent_db_run(n->db, err, "DELETE FROM member_key WHERE org = ?", "s", card.org));
		ENT_TRY(ent_db_run(n->db, err, "DELETE FROM card_version WHERE org = ?", "s", card.org));
	}
	return ent_cards_keep(n, &card, envelope, err);
}

static int job_entry(struct ent_node *n, const char *job, uint64_t at, int type, struct ent_err *err)
{
	return ent_db_run(n->db, err, "INSERT OR REPLACE INTO job_entry(job, at, type) VALUES(?, ?, ?)", "sis", job, (int64_t)at,
			  ent_entry_name(type));
}

/* The grants of our own that our decision named are debited by the run. */
static int debit(struct ent_node *n, const char *job, uint64_t run_at, struct ent_err *err)
{
	ENT_ST st = { 0 };
	ENT_TRY(ent_db_query(n->db, &st, err, "SELECT grant_at FROM job_grant WHERE job = ?", "s", job));
	int r;
	while ((r = ent_st_next(&st, err)) > 0)
		ENT_TRY(ent_db_run(n->db, err, "INSERT OR IGNORE INTO used(grant_at, run_at) VALUES(?, ?)", "ii", ent_st_int(&st, 0),
				   (int64_t)run_at));
	n->uses_counter++;
	return r < 0 ? -r : 0;
}

static int apply_decision(struct ent_node *n, const char *job, const json_t *body, struct ent_err *err)
{
	size_t i;
	json_t *id;
	char org[ENT_ORG_MAX + 1];
	uint64_t at;
	ENT_TRY(ent_db_run(n->db, err, "DELETE FROM job_grant WHERE job = ?", "s", job));
	json_array_foreach(json_object_get(body, "grants"), i, id)
	{
		if (!json_is_string(id) || !ent_entry_id_parse(json_string_value(id), org, &at) || strcmp(org, n->card.org) != 0)
			continue;
		ENT_TRY(ent_db_run(n->db, err, "INSERT OR IGNORE INTO job_grant(job, grant_at) VALUES(?, ?)", "si", job, (int64_t)at));
	}
	return 0;
}

static int apply_job(struct ent_node *n, uint64_t at, const struct ent_entry *e, struct ent_err *err)
{
	char job[17] = "";
	const char *proposal = NULL;
	if (e->type == ENT_ENTRY_REQUEST)
		ent_hex(job, e->dsse.payload_hash, 8);
	else if (ent_json_str(e->dsse.body, "proposal", &proposal, NULL) || strlen(proposal) != 64)
		return 0;
	else
		snprintf(job, sizeof job, "%.16s", proposal);
	ENT_TRY(job_entry(n, job, at, e->type, err));
	if (e->type == ENT_ENTRY_DECISION)
		return apply_decision(n, job, e->dsse.body, err);
	return e->type == ENT_ENTRY_RUN ? debit(n, job, at, err) : 0;
}

static int apply_one(struct ent_node *n, uint64_t at, const struct ent_entry *e, struct ent_bytes envelope, struct ent_err *err)
{
	if (e->type == ENT_ENTRY_MEMBER || e->type == ENT_ENTRY_KEY)
		ENT_TRY(apply_member(n, at, e->type, e->dsse.body, err));
	if (ent_fact_type(e->type))
		ENT_TRY(ent_fact_store(n, n->card.org, at, e->type, &e->dsse, envelope, err));
	if (e->type == ENT_ENTRY_COPY || e->type == ENT_ENTRY_PREPARE)
		return ent_moves_apply(n, at, e->dsse.body, err);
	return apply_job(n, at, e, err);
}

static int apply_at(struct ent_node *n, uint64_t at, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf envelope = ENT_BUF(ENT_DSSE_BYTES_MAX);
	struct ent_entry e;
	ENT_TRY(ent_ledger_entry(n->ledger, at, &envelope, err));
	ENT_TRY(ent_entry_open(ent_buf_bytes(&envelope), &e, err));
	int r = apply_one(n, at, &e, ent_buf_bytes(&envelope), err);
	ent_entry_deinit(&e);
	return r;
}

static int apply_range(struct ent_node *n, uint64_t from, uint64_t to, struct ent_err *err)
{
	for (uint64_t at = from; at < to; at++)
		ENT_TRY(apply_at(n, at, err));
	return ent_db_run(n->db, err, "INSERT OR REPLACE INTO meta(key, value) VALUES('applied', ?)", "i", (int64_t)to);
}

int ent_apply_all(struct ent_node *n, struct ent_err *err)
{
	uint64_t from = 0, to = ent_ledger_size(n->ledger);
	ENT_TRY(applied_size(n, &from, err));
	n->applied = from;
	if (from >= to)
		return 0;
	ENT_TRY(ent_db_begin(n->db, err));
	int r = apply_range(n, from, to, err);
	if (r) {
		ent_db_rollback(n->db);
		return r;
	}
	ENT_TRY(ent_db_commit(n->db, err));
	n->applied = to;
	return 0;
}
