/* Facts: entries of an owner's ledger that every member needs to plan and decide (tables, grants, members). Owners push them to their
 * peers after they are durable; receivers keep the signed bytes. "size" says: below this index of the owner's log, these are all. */
#include "node/core.h"
#include "node/jobs.h"

#define FACTS_BYTES_MAX (1u << 20) /* of one message, roughly */
#define FACTS_PRICE 2              /* of one message */

bool ent_fact_type(int type)
{
	return type == ENT_ENTRY_REGISTER || type == ENT_ENTRY_GRANT || type == ENT_ENTRY_REVOKE || type == ENT_ENTRY_MEMBER || type == ENT_ENTRY_KEY;
}

int ent_fact_store(struct ent_node *n, const char *org, uint64_t at, int type, const struct ent_dsse *d, struct ent_bytes envelope,
		   struct ent_err *err)
{
	struct ent_bytes sha = ent_bytes(d->payload_hash, ENT_HASH_BYTES);
	return ent_db_run(n->db, err, "INSERT OR REPLACE INTO fact(org, at, type, sha, dsse) VALUES(?, ?, ?, ?, ?)", "sisbb", org, (int64_t)at,
			  ent_entry_name(type), &sha, &envelope);
}

uint64_t ent_facts_held(struct ent_node *n, const char *org)
{
	const struct ent_member *m = ent_member_find(n, org);
	if (!strcmp(org, n->card.org))
		return n->applied;
	return m ? m->facts_size : 0;
}

static int put_uses(struct ent_node *n, json_t *uses, struct ent_err *err)
{
	ENT_ST st = { 0 };
	ENT_TRY(ent_db_query(n->db, &st, err, "SELECT grant_at, COUNT(*) FROM used GROUP BY grant_at", ""));
	int r;
	while ((r = ent_st_next(&st, err)) > 0) {
		char key[24];
		snprintf(key, sizeof key, "%lld", (long long)ent_st_int(&st, 0));
		json_object_set_new(uses, key, json_integer(ent_st_int(&st, 1)));
	}
	return r < 0 ? -r : 0;
}

/* Entries of ours from `from` on, until the message is large; *ret_size: what the receiver then holds. */
static int collect(struct ent_node *n, uint64_t from, json_t *entries, uint64_t *ret_size, struct ent_err *err)
{
	ENT_ST st = { 0 };
	size_t bytes = 0;
	int r;
	*ret_size = n->applied;
	ENT_TRY(ent_db_query(n->db, &st, err, "SELECT at, dsse FROM fact WHERE org = ? AND at >= ? ORDER BY at", "si", n->card.org, (int64_t)from));
	while ((r = ent_st_next(&st, err)) > 0) {
		struct ent_bytes dsse = ent_st_blob(&st, 1);
		if (bytes > FACTS_BYTES_MAX) {
			*ret_size = (uint64_t)ent_st_int(&st, 0);
			return 0;
		}
		bytes += dsse.len;
		json_array_append_new(entries,
				      json_pack("{s:I,s:s%}", "at", (json_int_t)ent_st_int(&st, 0), "dsse", (const char *)dsse.data, dsse.len));
	}
	return r < 0 ? -r : 0;
}

void ent_facts_send(struct ent_node *n, struct ent_member *m, uint64_t from)
{
	struct ent_err err = ENT_ERR_INIT;
	uint64_t size = 0, end = n->applied;
	do {
		json_t *entries = json_array(), *uses = json_object();
		if (!ent_budget_take(n, m->card.org, ENT_BUDGET_WANT, FACTS_PRICE)) {
			json_decref(entries);
			json_decref(uses);
			ent_peer_complain(n, m->card.org, "facts-withheld", "it asks for them too often");
			return;
		}
		if (collect(n, from, entries, &size, &err) || put_uses(n, uses, &err)) {
			json_decref(entries);
			json_decref(uses);
			ent_log(n->env.log, ENT_LOG_ERROR, "facts", "what=\"%s\"", err.what);
			return;
		}
		ent_peer_send(n, m->card.org,
			      json_pack("{s:s,s:I,s:I,s:o,s:o}", "type", "facts", "from", (json_int_t)from, "size", (json_int_t)size, "entries",
					entries, "uses", uses));
		from = size;
	} while (size < end);
}

void ent_facts_push(struct ent_node *n)
{
	for (size_t i = 0; i < n->n_members; i++)
		if (n->members[i].up)
			ent_peer_send(n, n->members[i].card.org, json_pack("{s:s,s:I}", "type", "news", "size", (json_int_t)n->applied));
}

void ent_facts_want(struct ent_node *n, struct ent_member *m)
{
	m->wanted_ms = ent_node_mono(n);
	ent_peer_send(n, m->card.org, json_pack("{s:s,s:I}", "type", "want", "from", (json_int_t)m->facts_size));
}

static uint64_t text_cost(const char *dsse) { return strlen(dsse) + 512; }

static int keep_entry(struct ent_node *n, struct ent_member *m, const json_t *item, uint64_t from, uint64_t size, struct ent_err *err)
{
	int64_t at;
	const char *text;
	struct ent_entry e;
	ENT_TRY(ent_json_int(item, "at", (int64_t)from, (int64_t)size - 1, &at, err));
	if ((uint64_t)at < m->facts_size)
		return 0; /* we hold that one; what an owner once told stays told */
	ENT_TRY(ent_json_str(item, "dsse", &text, err));
	ENT_TRY(ent_entry_open(ent_bytes_str(text), &e, err));
	int r = ent_member_signed_at(n, m->card.org, &e.dsse, (uint64_t)at, err);
	if (!r && (strcmp(e.actor, m->card.org) != 0 || !ent_fact_type(e.type)))
		r = ent_fail(err, ENT_EPEER, "%s sent an entry that is none of its facts", m->card.org);
	if (!r && e.type == ENT_ENTRY_KEY)
		r = ent_cards_fact(n, m, e.dsse.body, (uint64_t)at, err);
	if (!r && m->facts_bytes + text_cost(text) > ENT_FACTS_BYTES_MAX)
		r = ent_fail(err, ENT_EDENIED, "%s has more facts than are kept here", m->card.org);
	if (!r)
		m->facts_bytes += text_cost(text);
	if (!r)
		r = ent_fact_store(n, m->card.org, (uint64_t)at, e.type, &e.dsse, ent_bytes_str(text), err);
	ent_entry_deinit(&e);
	return r;
}

static int keep_uses(struct ent_node *n, struct ent_member *m, const json_t *uses, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(1 << 20);
	ENT_TRY(ent_json_canonical(uses, &text, err));
	return ent_db_run(n->db, err, "UPDATE fact_size SET uses = ? WHERE org = ?", "ss", ent_buf_text(&text), m->card.org);
}

static int keep_all(struct ent_node *n, struct ent_member *m, const json_t *msg, uint64_t from, uint64_t size, struct ent_err *err)
{
	json_t *entries, *uses, *item;
	size_t i;
	ENT_TRY(ent_json_array(msg, "entries", &entries, err));
	ENT_TRY(ent_json_object(msg, "uses", &uses, err));
	json_array_foreach(entries, i, item) ENT_TRY(keep_entry(n, m, item, from, size, err));
	ENT_TRY(ent_db_run(n->db, err, "INSERT OR IGNORE INTO fact_size(org, size, uses) VALUES(?, 0, '{}')", "s", m->card.org));
	ENT_TRY(ent_db_run(n->db, err, "UPDATE fact_size SET size = ? WHERE org = ?", "is", (int64_t)size, m->card.org));
	return keep_uses(n, m, uses, err);
}

static int receive(struct ent_node *n, struct ent_member *m, const json_t *msg, struct ent_err *err)
{
	int64_t from, size;
	ENT_TRY(ent_json_int(msg, "from", 0, INT64_MAX / 2, &from, err));
	ENT_TRY(ent_json_int(msg, "size", from, INT64_MAX / 2, &size, err));
	if ((uint64_t)from > m->facts_size || (uint64_t)size < m->facts_size)
		return 0; /* a gap, or older than what we hold: asked for again when needed */
	uint64_t bytes = m->facts_bytes;
	ENT_TRY(ent_db_begin(n->db, err));
	int r = keep_all(n, m, msg, (uint64_t)from, (uint64_t)size, err);
	if (r) {
		ent_db_rollback(n->db);
		m->facts_bytes = bytes;
		return r;
	}
	ENT_TRY(ent_db_commit(n->db, err));
	m->facts_size = (uint64_t)size;
	return 0;
}

void ent_facts_receive(struct ent_node *n, struct ent_member *m, const json_t *msg)
{
	struct ent_err err = ENT_ERR_INIT;
	if (receive(n, m, msg, &err))
		ent_peer_complain(n, m->card.org, "facts-refused", err.what);
	m->owes_news = false;
	ent_jobs_facts(n, m->card.org);
}
