/* Messages about jobs. Whatever must hold later (requests, readys, approvals, entries) is signed and checked from its bytes; the rest only
 * moves things along, and a participant that lies there can at worst end the job. */
#include "node/job.h"

json_t *ent_job_message(const struct ent_job *j, const char *type)
{
	return json_pack("{s:s,s:s,s:I,s:I}", "type", type, "job", j->id, "attempt", (json_int_t)j->attempt, "time",
			 (json_int_t)ent_node_utc(j->node));
}

void ent_job_send_all(struct ent_node *n, struct ent_job *j, json_t *msg)
{
	for (size_t i = 0; i < j->n_party; i++)
		if (strcmp(j->party[i].org, n->card.org) != 0)
			ent_peer_send(n, j->party[i].org, json_incref(msg));
	json_decref(msg);
}

static json_t *whole_proposal(const struct ent_job *j, const char *type)
{
	char salt[65];
	json_t *msg = ent_job_message(j, type);
	ent_hex(salt, j->salt, 32);
	json_object_set_new(msg, "salt", json_string(salt));
	json_object_set_new(msg, "request", json_string(ent_buf_text(&j->request)));
	json_object_set_new(msg, "content", json_string(ent_buf_text(&j->content)));
	return msg;
}

void ent_job_consult(struct ent_node *n, struct ent_job *j)
{
	uint32_t wanted = 0;
	for (size_t i = 0; i < j->decision->n_approvals; i++)
		wanted = j->decision->approvals[i].of > wanted ? j->decision->approvals[i].of : wanted;
	if (wanted + 1 <= j->n_party)
		return;
	ENT_JSON_AUTO msg = whole_proposal(j, "consult");
	for (size_t i = 0; i < n->n_members; i++)
		if (!ent_job_party(j, n->members[i].card.org))
			ent_peer_send(n, n->members[i].card.org, json_incref(msg));
}

void ent_job_propose(struct ent_node *n, struct ent_job *j)
{
	json_t *msg = whole_proposal(j, "propose");
	if (j->sm.at == ENT_JOB_APPROVAL)
		ent_job_consult(n, j);
	j->sent_ms = ent_node_mono(n);
	for (size_t i = 0; i < j->n_party; i++)
		if (strcmp(j->party[i].org, n->card.org) != 0 && !j->party[i].ready)
			ent_peer_send(n, j->party[i].org, json_incref(msg));
	json_decref(msg);
}

void ent_job_send_ready(struct ent_node *n, struct ent_job *j, const char *org)
{
	const struct ent_party *me = ent_job_party(j, n->card.org);
	char sig[2 * ENT_SIG_BYTES + 1], plan[65], decision[65];
	json_t *msg = ent_job_message(j, "ready");
	ent_hex(sig, me->sig.sig, ENT_SIG_BYTES);
	ent_hex(plan, j->plan_sha, 32);
	ent_hex(decision, j->decision_sha, 32);
	json_object_set_new(msg, "sig", json_string(sig));
	json_object_set_new(msg, "plan", json_string(plan));
	json_object_set_new(msg, "decision", json_string(decision));
	if (!org) {
		j->ready_ms = ent_node_mono(n);
		ent_job_send_all(n, j, msg);
		return;
	}
	ent_peer_send(n, org, msg);
}

/* ---- propose ---- */

static int propose_new(struct ent_node *n, struct ent_member *m, const json_t *msg, int64_t attempt, struct ent_job **ret, struct ent_err *err)
{
	const char *request, *content;
	uint8_t salt[32];
	ENT_TRY(ent_json_str(msg, "request", &request, err));
	ENT_TRY(ent_json_str(msg, "content", &content, err));
	ENT_TRY(ent_json_hex(msg, "salt", salt, 32, err));
	struct ent_job *j = ent_job_new(n, ent_bytes_str(request), salt, ent_bytes_str(content), false, err);
	if (!j)
		return err->code;
	j->attempt = (uint32_t)attempt;
	if (strcmp(ent_proposal_text(j, "requester"), m->card.org) != 0) {
		ent_job_free(j);
		return ent_fail(err, ENT_EPEER, "%s proposed a question of another organisation", m->card.org);
	}
	*ret = j;
	return 0;
}

#define LIVE_MAX 64
#define LIVE_OF_ONE_MAX 16
#define PRICE_BYTES 16384

/* Room for one more question, of anybody and of this member, which pays for it. */
static int check_room(struct ent_node *n, const char *org, const json_t *msg, struct ent_err *err)
{
	unsigned queued, running, same = 0;
	size_t bytes = json_string_length(json_object_get(msg, "content")) + json_string_length(json_object_get(msg, "request"));
	ent_jobs_count(n, &queued, &running);
	for (const struct ent_job *j = n->jobs; j; j = j->next)
		same += !ent_job_ended(j) && !strcmp(ent_proposal_text(j, "requester"), org);
	if (queued >= LIVE_MAX)
		return ent_fail(err, ENT_EAGAIN, "%s has %u questions waiting", n->card.org, queued);
	if (same >= LIVE_OF_ONE_MAX)
		return ent_fail(err, ENT_EAGAIN, "%u questions of %s wait at %s already", same, org, n->card.org);
	if (ent_budget_take(n, org, ENT_BUDGET_PROPOSAL, 1 + (unsigned)(bytes / PRICE_BYTES)))
		return 0;
	ent_fail(err, ENT_EAGAIN, "%s asks more questions than %s takes up", org, n->card.org);
	return ent_next(err, "ask again in a minute"), ENT_EAGAIN;
}

/* A job that ended here is never taken up again, whatever the requester says: its attempts count per life of the job. */
static bool ended_before(struct ent_node *n, const char *id, struct ent_err *err)
{
	ENT_ST st = { 0 };
	if (ent_db_query(n->db, &st, err, "SELECT state FROM job WHERE id = ?", "s", id) || ent_st_next(&st, err) <= 0)
		return false;
	return true;
}

static void refuse_unknown(struct ent_node *n, const char *org, const char *id, int64_t attempt, const struct ent_err *err)
{
	ent_peer_complain(n, org, "proposal-refused", err->what);
	ent_peer_send(n, org,
		      json_pack("{s:s,s:s,s:I,s:I,s:s,s:s,s:s,s:s}", "type", "abort", "job", id, "attempt", (json_int_t)attempt, "time",
				(json_int_t)ent_node_utc(n), "code", ent_code_name(err->code), "what", err->what, "why", err->why, "next",
				err->next));
}

static int check_ready(struct ent_node *n, struct ent_job *j, struct ent_party *p, const json_t *msg, struct ent_sig *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf payload = ENT_BUF(ENT_DSSE_BYTES_MAX);
	const struct ent_member *m = ent_member_find(n, p->org);
	uint8_t plan[32], decision[32];
	if (!m)
		return ent_fail(err, ENT_EDENIED, "%s is not a trusted member any more", p->org);
	ENT_TRY(ent_json_hex(msg, "sig", ret->sig, ENT_SIG_BYTES, err));
	ENT_TRY(ent_json_hex(msg, "plan", plan, 32, err));
	ENT_TRY(ent_json_hex(msg, "decision", decision, 32, err));
#ifndef ENT_MUTANT_PLAN_UNCOMPARED
	if (memcmp(plan, j->plan_sha, 32) != 0 || memcmp(decision, j->decision_sha, 32) != 0) {
		ent_fail(err, ENT_EPEER, "%s came to another %s than %s", p->org, memcmp(plan, j->plan_sha, 32) ? "plan" : "decision", n->card.org);
		return ent_next(err, "ask again; if it stays so, compare the versions of entente at both");
	}
#endif
	ent_keyid(m->card.keys[ENT_KEY_SIGN], ret->keyid);
	ENT_TRY(ent_job_payload(j, &payload, err));
	return ent_dsse_check_one("run", ent_buf_bytes(&payload), ret, m->card.keys[ENT_KEY_SIGN], err);
}

static void on_ready(struct ent_node *n, struct ent_job *j, struct ent_party *p, const json_t *msg)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_sig sig;
	if (j->sm.at == ENT_JOB_NEW) {
		json_decref(p->early);
		p->early = json_deep_copy(msg);
		return;
	}
	if (j->sm.at != ENT_JOB_QUEUED && j->sm.at != ENT_JOB_PROPOSED && j->sm.at != ENT_JOB_APPROVAL)
		return;
	if (p->ready)
		return;
	if (check_ready(n, j, p, msg, &sig, &err)) {
		ent_job_abort(n, j, &err, true);
		return;
	}
	p->sig = sig;
	p->ready = p->answered = true;
	ent_job_try_run(n, j);
}

static void early_readys(struct ent_node *n, struct ent_job *j)
{
	for (size_t i = 0; i < j->n_party && !ent_job_ended(j); i++) {
		ENT_JSON_AUTO msg = j->party[i].early;
		j->party[i].early = NULL;
		if (msg && json_integer_value(json_object_get(msg, "attempt")) == (json_int_t)j->attempt)
			on_ready(n, j, &j->party[i], msg);
	}
}

static void take_up(struct ent_node *n, struct ent_job *j)
{
	struct ent_err err = ENT_ERR_INIT;
	int r = ent_proposal_derive(n, j, &err);
	if (!r)
		r = ent_duty_not_alone(n, &err);
	if (r) /* what cannot be planned here is refused here, and entered so */
		j->refusal = err;
	if (j->refusal.code && !ent_budget_take(n, ent_proposal_text(j, "requester"), ENT_BUDGET_REFUSED, 1)) {
		ent_fail(&err, ENT_EAGAIN, "too many questions of %s were refused here lately; this one is not even entered",
			 ent_proposal_text(j, "requester"));
		ent_next(&err, "entente explain says beforehand what is refused; ask again in an hour");
		ent_job_abort(n, j, &err, true);
		return;
	}
	r = ent_job_enter(n, j, &err);
	if (r) {
		ent_job_abort(n, j, &err, true);
		return;
	}
	if (j->sm.at == ENT_JOB_REFUSED) {
		json_t *msg = ent_job_message(j, "abort");
		json_object_set_new(msg, "code", json_string(ent_code_name(j->error.code)));
		json_object_set_new(msg, "what", json_string(j->error.what));
		json_object_set_new(msg, "why", json_string(j->error.why));
		json_object_set_new(msg, "next", json_string(j->error.next));
		ent_job_send_all(n, j, msg);
		return;
	}
	early_readys(n, j);
	ent_job_pump(n);
}

static void try_take_up(struct ent_node *n, struct ent_job *j)
{
	const char *org;
	json_t *size;
	if (ent_proposal_facts_held(n, j)) {
		take_up(n, j);
		return;
	}
	json_object_foreach(json_object_get(j->proposal, "sizes"), org, size)
	{
		struct ent_member *m = ent_member_find(n, org);
		if (m && m->facts_size < (uint64_t)json_integer_value(size))
			ent_facts_want(n, m);
	}
}

static void answer_known(struct ent_node *n, struct ent_job *j, struct ent_member *m, int64_t attempt)
{
	if (ent_job_ended(j)) {
		refuse_unknown(n, m->card.org, j->id, attempt, &j->error);
		return;
	}
	if (attempt > j->attempt && j->sm.at != ENT_JOB_NEW && j->sm.at != ENT_JOB_APPROVAL)
		ent_job_void_attempt(n, j, (uint32_t)attempt);
	else if (attempt > j->attempt)
		j->attempt = (uint32_t)attempt;
	j->withdrawn = j->withdrawn && attempt <= j->withdrawn_attempt;
	if (j->sm.at == ENT_JOB_NEW)
		try_take_up(n, j);
	ent_job_pump(n);
	if (ent_job_ended(j))
		return;
	if (j->sm.at == ENT_JOB_PROPOSED)
		ent_job_send_ready(n, j, m->card.org);
	else if (j->withdrawn)
		ent_peer_send(n, m->card.org, ent_job_message(j, "withdraw"));
	else
		ent_peer_send(n, m->card.org, ent_job_message(j, "queued"));
}

static void on_propose(struct ent_node *n, struct ent_member *m, const char *id, int64_t attempt, const json_t *msg)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_job *j = ent_job_find(n, id);
	if (j) {
		if (!strcmp(ent_proposal_text(j, "requester"), m->card.org))
			answer_known(n, j, m, attempt);
		return;
	}
	ent_job_trim(n);
	int r = ended_before(n, id, &err) ? ent_fail(&err, ENT_EPEER, "%s was restarted while this question was open", n->card.org) : 0;
	if (!r)
		r = check_room(n, m->card.org, msg, &err);
	if (!r)
		r = propose_new(n, m, msg, attempt, &j, &err);
	if (!r && strcmp(j->id, id) != 0)
		r = ent_fail(&err, ENT_EPEER, "a proposal came under another name");
	if (!r)
		r = ent_proposal_check(n, j, &err);
	if (!r)
		r = ent_proposal_parties(j, &err);
	if (r) {
		ent_job_free(j);
		refuse_unknown(n, m->card.org, id, attempt, &err);
		return;
	}
	ent_job_link(n, j);
	ent_peer_send(n, m->card.org, ent_job_message(j, "queued"));
	try_take_up(n, j);
}

static bool said_already(struct ent_node *n, const char *id)
{
	ENT_ST st = { 0 };
	return !ent_db_query(n->db, &st, NULL, "SELECT 1 FROM approval WHERE job = ? AND org = ?", "ss", id, n->card.org) &&
	       ent_st_next(&st, NULL) > 0;
}

/* Asked for an approval only: what was signed is kept, nothing is decided or computed here. */
static void on_consult(struct ent_node *n, struct ent_member *m, const char *id, const json_t *msg)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_job *j = ent_job_find(n, id);
	if (j || said_already(n, id))
		return;
	int r = check_room(n, m->card.org, msg, &err);
	if (!r)
		r = propose_new(n, m, msg, 1, &j, &err);
	if (!r)
		r = ent_proposal_names(j, &err);
	if (!r)
		r = ent_proposal_parties(j, &err);
	if (!r && (strcmp(j->id, id) != 0 || ent_job_party(j, n->card.org)))
		r = ent_fail(&err, ENT_EPEER, "this question does not need our approval from outside");
	if (r) {
		ent_peer_complain(n, m->card.org, "consult-refused", err.what);
		ent_job_free(j);
		return;
	}
	j->outside = true;
	ent_job_link(n, j);
	ent_job_move(j, ENT_JOB_APPROVAL);
}

void ent_jobs_facts(struct ent_node *n, const char *org)
{
	(void)org;
	for (struct ent_job *j = n->jobs; j; j = j->next)
		if (j->sm.at == ENT_JOB_NEW && ent_proposal_facts_held(n, j))
			take_up(n, j);
	ent_questions_next(n);
}

/* ---- the others ---- */

static void on_withdraw(struct ent_node *n, struct ent_job *j, struct ent_party *p, const json_t *msg)
{
	(void)msg;
	p->ready = false;
	if (j->sm.at != ENT_JOB_PROPOSED && j->sm.at != ENT_JOB_RUNNING && j->sm.at != ENT_JOB_QUEUED)
		return;
	ent_job_void_attempt(n, j, j->mine ? j->attempt + 1 : j->attempt);
	j->withdrawn = !j->mine;
	j->withdrawn_attempt = j->attempt;
}

static void on_beat(struct ent_node *n, struct ent_job *j, struct ent_party *p, const json_t *msg)
{
	int64_t done;
	(void)p;
	if (!ent_json_int(msg, "done", 0, INT64_MAX / 2, &done, NULL) && (uint64_t)done != p->done) {
		p->done = (uint64_t)done;
		j->progress_ms = ent_node_mono(n);
	}
}

/* Foreign text ends in logs and on terminals: nothing in it may move a cursor or begin a line. */
static void put_plain(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text);
	for (char *c = out; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
}

static void on_abort(struct ent_node *n, struct ent_job *j, struct ent_party *p, const json_t *msg)
{
	struct ent_err err = ENT_ERR_INIT;
	const char *code, *what, *why, *next;
	if (ent_json_str(msg, "code", &code, NULL) || ent_json_str(msg, "what", &what, NULL) || ent_json_str(msg, "why", &why, NULL) ||
	    ent_json_str(msg, "next", &next, NULL))
		return;
	int number = ent_code_by_name(code);
	ent_fail(&err, number ? number : ENT_EPEER, " ");
	ent_why(&err, "%s ended it", p->org);
	ent_next(&err, " ");
	put_plain(err.what, sizeof err.what, what);
	if (*why)
		put_plain(err.why, sizeof err.why, why);
	put_plain(err.next, sizeof err.next, next);
	ent_job_abort(n, j, &err, j->mine);
}

static void on_ended(struct ent_node *n, struct ent_job *j, struct ent_party *p, const json_t *msg)
{
	(void)n;
	(void)j;
	p->has_output = !ent_json_hex(msg, "salt", p->salt, 32, NULL) && !ent_json_hex(msg, "commitment", p->commitment, 32, NULL);
}

static void on_finish(struct ent_node *n, struct ent_job *j, struct ent_party *p, const json_t *msg)
{
	(void)msg;
	if (strcmp(p->org, ent_proposal_text(j, "requester")) != 0 || j->sm.at != ENT_JOB_RUNNING)
		return;
	j->finish_told = true;
	if (j->runner_ok)
		ent_job_done(n, j);
}

static void on_queued(struct ent_node *n, struct ent_job *j, struct ent_party *p, const json_t *msg)
{
	(void)n;
	(void)j;
	(void)msg;
	p->answered = true;
}

static const struct job_route {
	const char *type;
	void (*fn)(struct ent_node *n, struct ent_job *j, struct ent_party *p, const json_t *msg);
	bool any_attempt;
} routes[] = {
	{ "queued", on_queued, false }, { "ready", on_ready, false }, { "withdraw", on_withdraw, false }, { "beat", on_beat, true },
	{ "abort", on_abort, true },    { "ended", on_ended, false }, { "finish", on_finish, false },     { "evidence", ent_job_on_evidence, true },
};

bool ent_jobs_message(struct ent_node *n, struct ent_member *m, const char *type, const json_t *msg)
{
	const char *id;
	int64_t attempt;
	uint8_t raw[8];
	if (ent_json_str(msg, "job", &id, NULL) || ent_json_int(msg, "attempt", 1, 1000000, &attempt, NULL) || strlen(id) != 16 ||
	    !ent_unhex(raw, 8, id, 16))
		return false;
	if (!strcmp(type, "propose"))
		return on_propose(n, m, id, attempt, msg), true;
	if (!strcmp(type, "consult"))
		return on_consult(n, m, id, msg), true;
	if (!strcmp(type, "approval")) {
		struct ent_job *j = ent_job_find(n, id);
		if (j && !ent_job_ended(j))
			ent_job_on_approval(n, j, m->card.org, msg);
		return true;
	}
	for (size_t i = 0; i < ENT_COUNT(routes); i++) {
		if (strcmp(routes[i].type, type) != 0)
			continue;
		struct ent_job *j = ent_job_find(n, id);
		struct ent_party *p = j ? ent_job_party(j, m->card.org) : NULL;
		if (!p)
			return true; /* about a job we do not know (any more) */
		p->heard_ms = ent_node_mono(n);
		if (routes[i].any_attempt || (uint32_t)attempt == j->attempt)
			routes[i].fn(n, j, p, msg);
		return true;
	}
	return false;
}
