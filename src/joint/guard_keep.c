/* When a record counts. Every party keeps its own before any output leaves anybody, the requester (when it computes) before the others: so what the
 * others have, it had; and what one of the others does not have was never shown. Said between the parties on links of their own: what is sent
 * there is no part of the three-party protocol and does not depend on data. */
#include "crypto/hash.h"
#include "joint/guard_record.h"

#define WORD 8 /* bytes that stand for a record: of the hash of its public part; zero: none */

static int refuse(struct ent_run *r, const char *job, const char *why, struct ent_err *err)
{
	struct ent_link *link;
	if (ent_joint_requester_party(r->p) < 0)
		ENT_TRY(ent_joint_tell_rows(r, UINT64_MAX, &link, err));
	ent_fail(err, ENT_EDENIED, "this question and the earlier one %s together could single out few rows", job);
	ent_why(err, "%s", why);
	return ent_next(err, "ask with the same tables, joins and WHERE as before, or about other columns");
}

static int link_to(struct ent_run *r, int party, struct ent_link **ret, struct ent_err *err)
{
	return r->env->link(r->env->self, r->p->in.trio[party], "guard", ret, err);
}

static int tell(struct ent_run *r, int party, const void *data, size_t len, struct ent_err *err)
{
	struct ent_link *link;
	ENT_TRY(link_to(r, party, &link, err));
	return link->ops->send(link, data, len, err);
}

static int hear(struct ent_run *r, int party, void *data, size_t len, struct ent_err *err)
{
	struct ent_link *link;
	ENT_TRY(link_to(r, party, &link, err));
	return link->ops->recv(link, data, len, err);
}

/* ---- before comparing ---- */

static void put_word(const struct ent_joint_guard_blob *blob, uint8_t ret[WORD])
{
	uint8_t digest[ENT_SHA256_LEN];
	memset(ret, 0, WORD);
	if (!blob)
		return;
	ent_sha256(blob->public_json.data, blob->public_json.len, digest);
	memcpy(ret, digest, WORD);
	ret[0] |= 1;
}

static bool is_none(const uint8_t word[WORD])
{
	static const uint8_t none[WORD];
	return !memcmp(word, none, WORD);
}

static int judge(struct ent_run *r, const char *job, const uint8_t *const words[3], bool *ret_kept, struct ent_err *err)
{
	int requester = ent_joint_requester_party(r->p);
	*ret_kept = false;
#ifndef ENT_MUTANT_RECORD_BELIEVED
	for (int i = 0; i < 3; i++)
		if (i != requester && is_none(words[i]))
			return 0;
	if (requester >= 0 && is_none(words[requester]))
		return refuse(r, job, "they count overlapping rows of a protected table, and the requester lost what is needed to compare them", err);
#else
	for (int i = 0; i < 3; i++)
		if (is_none(words[i]))
			return 0;
#endif
	for (int i = 1; i < 3; i++)
		if (memcmp(words[0], words[i], WORD) != 0)
			return refuse(r, job, "the compute parties kept different records of it", err);
	*ret_kept = true;
	return 0;
}

int ent_guard_agree(struct ent_run *r, const char *const *jobs, const struct ent_joint_guard_blob *const *blobs, size_t n, bool *ret_kept,
		    struct ent_err *err)
{
	uint8_t *words[3];
	for (int i = 0; i < 3; i++)
		if (!(words[i] = ENT_NEWS(r->arena, n * WORD, uint8_t)))
			return ent_nomem(err);
	for (size_t k = 0; k < n; k++)
		put_word(blobs[k], words[r->party] + k * WORD);
	for (int i = 0; i < 3; i++)
		if (i != r->party)
			ENT_TRY(tell(r, i, words[r->party], n * WORD, err));
	for (int i = 0; i < 3; i++)
		if (i != r->party)
			ENT_TRY(hear(r, i, words[i], n * WORD, err));
	for (size_t k = 0; k < n; k++) {
		const uint8_t *const at[3] = { words[0] + k * WORD, words[1] + k * WORD, words[2] + k * WORD };
		ENT_TRY(judge(r, jobs[k], at, &ret_kept[k], err));
	}
	return 0;
}

/* ---- before showing ---- */

static int keep(struct ent_run *r, struct ent_err *err)
{
	const struct ent_joint_env *env = r->env;
	return env->keep_guard ? env->keep_guard(env->self, ent_buf_bytes(&r->result->guard_public), ent_buf_bytes(&r->result->guard_shares), err)
			       : 0;
}

static int tell_others(struct ent_run *r, int but, struct ent_err *err)
{
	const uint8_t kept = 1;
	for (int i = 0; i < 3; i++)
		if (i != r->party && i != but)
			ENT_TRY(tell(r, i, &kept, 1, err));
	return 0;
}

static int hear_others(struct ent_run *r, int but, struct ent_err *err)
{
	for (int i = 0; i < 3; i++) {
		uint8_t kept = 0;
		if (i == r->party || i == but)
			continue;
		ENT_TRY(hear(r, i, &kept, 1, err));
		if (kept != 1)
			return ent_fail(err, ENT_EPEER, "%s does not say that it kept its record", r->p->in.trio[i]);
	}
	return 0;
}

int ent_guard_keep_all(struct ent_run *r, struct ent_err *err)
{
	int requester = ent_joint_requester_party(r->p);
	uint8_t kept = 0;
	if (r->party != requester && requester >= 0)
		ENT_TRY(hear(r, requester, &kept, 1, err));
#ifndef ENT_MUTANT_KEPT_TOO_LATE
	ENT_TRY(keep(r, err));
#endif
	ENT_TRY(tell_others(r, r->party == requester ? -1 : requester, err));
	if (r->party != requester)
		ENT_TRY(hear_others(r, requester, err));
#ifdef ENT_MUTANT_KEPT_TOO_LATE
	ENT_TRY(keep(r, err));
#endif
	return 0;
}
