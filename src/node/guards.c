/* The differencing guard's memory (policy.md rule 7): what this node keeps of an answer, for later questions to be compared with.
 *
 * The one idea: a compute party keeps its record before any output leaves anybody (src/joint sees to the order), so a party that has neither a
 * record nor an `output` entry of a question that ended badly knows that nothing of its result was shown, and says so when asked to compare.
 * Records lie sealed in node.db, under a key from keys/store. Names: `shares` (joint), `clear` (one owner), `nothing` (no group was released). */
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "node/job.h"

#define RECORD_MAX ((size_t)1 << 30)

static const char *record_name(const struct ent_job *j) { return json_array_size(json_object_get(j->proposal, "trio")) ? "shares" : "clear"; }

/* ---- sealing ---- */

static int record_key(const struct ent_node *n, uint8_t ret[ENT_AEAD_KEY_LEN], struct ent_err *err)
{
	return ent_hkdf_sha256(ent_bytes(n->store_key, 32), ent_bytes(NULL, 0), ent_bytes_str("entente guard records"), ret, ENT_AEAD_KEY_LEN, err);
}

/* nonce || AES-256-GCM(be32 length of the public part || public part || shares), bound to job and name. */
static int seal(struct ent_node *n, const char *job, const char *name, struct ent_bytes public, struct ent_bytes shares, struct ent_buf *ret,
		struct ent_err *err)
{
	uint8_t key[ENT_AEAD_KEY_LEN], nonce[ENT_AEAD_NONCE_LEN];
	char extra[64];
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf plain = ENT_BUF(RECORD_MAX);
	ent_buf_be32(&plain, (uint32_t) public.len);
	ent_buf_put(&plain, public.data, public.len);
	ent_buf_put(&plain, shares.data, shares.len);
	ENT_TRY(ent_buf_check(&plain, err));
	ENT_TRY(ent_node_random(n, nonce, sizeof nonce, err));
	ENT_TRY(record_key(n, key, err));
	snprintf(extra, sizeof extra, "%s/%s", job, name);
	ent_buf_put(ret, nonce, sizeof nonce);
	uint8_t *at = ent_buf_space(ret, plain.len + ENT_AEAD_TAG_LEN);
	int r = at ? ent_aead_seal(key, nonce, ent_bytes_str(extra), ent_buf_bytes(&plain), at, err) : ent_nomem(err);
	ent_wipe(key, sizeof key);
	ent_wipe(plain.data, plain.len);
	return r;
}

static int unseal(struct ent_node *n, struct ent_arena *arena, const char *job, const char *name, struct ent_bytes sealed,
		  struct ent_joint_guard_blob *ret, struct ent_err *err)
{
	uint8_t key[ENT_AEAD_KEY_LEN];
	char extra[64];
	if (sealed.len < ENT_AEAD_NONCE_LEN + ENT_AEAD_TAG_LEN + 4)
		return ent_fail(err, ENT_EDATA, "the record of the earlier question %s is damaged", job);
	size_t len = sealed.len - ENT_AEAD_NONCE_LEN - ENT_AEAD_TAG_LEN;
	uint8_t *plain = ent_arena_get(arena, len, 1);
	if (!plain)
		return ent_nomem(err);
	snprintf(extra, sizeof extra, "%s/%s", job, name);
	ENT_TRY(record_key(n, key, err));
	struct ent_bytes body = ent_bytes(sealed.data + ENT_AEAD_NONCE_LEN, sealed.len - ENT_AEAD_NONCE_LEN);
	int r = ent_aead_open(key, sealed.data, ent_bytes_str(extra), body, plain, err);
	ent_wipe(key, sizeof key);
	ENT_TRY(r);
	struct ent_reader in = ent_reader(ent_bytes(plain, len));
	ret->public_json = ent_read(&in, ent_read_be32(&in));
	ret->shares = ent_read(&in, ent_reader_left(&in));
	return in.ok ? 0 : ent_fail(err, ENT_EDATA, "the record of the earlier question %s is damaged", job);
}

/* ---- keeping ---- */

int ent_guard_keep(struct ent_node *n, const struct ent_job *j, struct ent_bytes public, struct ent_bytes shares, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sealed = ENT_BUF(RECORD_MAX);
	const char *name = public.len ? record_name(j) : "nothing";
	if (public.len)
		ENT_TRY(seal(n, j->id, name, public, shares, &sealed, err));
	struct ent_bytes content = ent_buf_bytes(&sealed);
	return ent_db_run(n->db, err, "INSERT OR REPLACE INTO guard(job, name, content) VALUES(?, ?, ?)", "ssb", j->id, name, &content);
}

int ent_node_run_guard(struct ent_node *node, const char *job, uint32_t attempt, struct ent_bytes public_json, struct ent_bytes shares,
		       struct ent_err *err)
{
	struct ent_job *j = ent_job_find(node, job);
	if (!j || j->sm.at != ENT_JOB_RUNNING || j->attempt != attempt)
		return ent_fail(err, ENT_ECANCELLED, "this attempt is over");
	return ent_guard_keep(node, j, public_json, shares, err);
}

/* ---- asking ---- */

/* 1: some row there is; 0: none; negative: error */
static int found(struct ent_node *n, const char *sql, const char *job, const char *name, struct ent_err *err)
{
	ENT_ST st = { 0 };
	int r = ent_db_query(n->db, &st, err, sql, "ss", job, name);
	return r ? -r : ent_st_next(&st, err);
}

static int refuse_lost(const char *job, struct ent_err *err)
{
	ent_fail(err, ENT_EDENIED, "this question and the earlier one %s together could single out few rows", job);
	ent_why(err, "they count overlapping rows of a protected table, and what is needed to compare the two answers is not at hand");
	return ent_next(err, "ask with the same tables, joins and WHERE as before, or about other columns");
}

/* Ours to compare: is the record here, or do we know that nothing of that answer was shown? */
static int check_record(struct ent_node *n, const struct ent_job *j, const char *earlier, struct ent_err *err)
{
	int kept = found(n, "SELECT 1 FROM guard WHERE job = ? AND name IN (?, 'nothing')", earlier, record_name(j), err);
	int shown = kept ? 0 : found(n, "SELECT 1 FROM job WHERE id = ? AND state = ?", earlier, "done", err);
#ifndef ENT_MUTANT_LOST_RECORD
	if (!kept && !shown)
		shown = found(n, "SELECT 1 FROM job_entry WHERE job = ? AND type = ?", earlier, "output", err);
#endif
	if (kept < 0 || shown < 0)
		return kept < 0 ? -kept : -shown;
	return shown ? refuse_lost(earlier, err) : 0;
}

static bool compares(const struct ent_node *n, const struct ent_job *j)
{
	const json_t *trio = json_object_get(j->proposal, "trio");
	size_t i;
	json_t *org;
	if (!json_array_size(trio))
		return !j->mine;
	json_array_foreach(trio, i, org) if (!strcmp(json_string_value(org), n->card.org)) return true;
	return false;
}

int ent_guard_check(struct ent_node *n, struct ent_job *j, struct ent_err *err)
{
	for (size_t i = 0; compares(n, j) && i < j->decision->n_guards; i++) {
		const struct ent_decision_guard *g = &j->decision->guards[i];
		if (g->job && !g->other_trio)
			ENT_TRY(check_record(n, j, g->job, err));
	}
	return 0;
}

static int load(struct ent_node *n, struct ent_job *j, const char *earlier, struct ent_err *err)
{
	struct ent_joint_guard_blob *to = (struct ent_joint_guard_blob *)(uintptr_t)&j->spec.guard[j->spec.n_guard];
	ENT_ST st = { 0 };
	*to = (struct ent_joint_guard_blob){ .job = earlier };
	ENT_TRY(ent_db_query(n->db, &st, err, "SELECT content FROM guard WHERE job = ? AND name = ?", "ss", earlier, record_name(j)));
	int r = ent_st_next(&st, err);
	if (r <= 0)
		return -r;
	ENT_TRY(unseal(n, j->arena, earlier, record_name(j), ent_st_blob(&st, 0), to, err));
	j->spec.n_guard++;
	return 0;
}

int ent_guard_load(struct ent_node *n, struct ent_job *j, struct ent_err *err)
{
	const json_t *history = json_object_get(j->proposal, "history");
	j->spec.guard = ENT_NEWS(j->arena, json_array_size(history) + 1, struct ent_joint_guard_blob);
	j->spec.n_guard = 0;
	if (!j->spec.guard)
		return ent_nomem(err);
	for (size_t i = 0; i < json_array_size(history) && compares(n, j); i++) {
		const char *id = json_string_value(json_object_get(json_array_get(history, i), "id"));
		bool wanted = false;
		for (size_t g = 0; g < j->decision->n_guards; g++)
			wanted = wanted ||
				 (j->decision->guards[g].job && !j->decision->guards[g].other_trio && !strcmp(j->decision->guards[g].job, id));
		if (wanted)
			ENT_TRY(load(n, j, id, err));
	}
	return 0;
}
