/* The job machine: states, durable steps, the queue. */
#include "node/job.h"

#include <stdlib.h>

#define KEPT_MAX 64
#define CONSULT_MS ((int64_t)7 * 24 * 3600 * 1000) /* who takes no part is asked for so long */
#define BIT(state) (1u << ENT_JOB_##state)

static const struct ent_sm_state states[] = {
	[ENT_JOB_NEW] = { "new", BIT(APPROVAL) | BIT(QUEUED) | BIT(ABORTED) | BIT(REFUSED) },
	[ENT_JOB_APPROVAL] = { "approval", BIT(QUEUED) | BIT(ABORTED) | BIT(REFUSED) },
	[ENT_JOB_QUEUED] = { "queued", BIT(PROPOSED) | BIT(ABORTED) | BIT(REFUSED) },
	[ENT_JOB_PROPOSED] = { "proposed", BIT(QUEUED) | BIT(RUNNING) | BIT(ABORTED) | BIT(REFUSED) },
	[ENT_JOB_RUNNING] = { "running", BIT(QUEUED) | BIT(DONE) | BIT(ABORTED) },
	[ENT_JOB_DONE] = { "done", 0 },
	[ENT_JOB_ABORTED] = { "aborted", 0 },
	[ENT_JOB_REFUSED] = { "refused", 0 },
};

/* Running needs everybody's signature; one node has at most one ready outstanding and one run. */
static bool invariant(const void *owner, int state)
{
	const struct ent_job *j = owner;
	unsigned out = 0;
	for (size_t i = 0; state == ENT_JOB_RUNNING && i < j->n_party; i++)
		if (!j->party[i].ready)
			return false;
	for (const struct ent_job *o = j->node->jobs; o; o = o->next)
		out += o->sm.at == ENT_JOB_PROPOSED || o->sm.at == ENT_JOB_RUNNING;
	return out <= 1;
}

static void trace(const void *owner, const char *from, const char *to)
{
	const struct ent_job *j = owner;
	ent_log(j->node->env.log, ENT_LOG_INFO, "job", "id=%s attempt=%u from=%s to=%s", j->id, j->attempt, from, to);
}

bool ent_job_ended(const struct ent_job *j) { return j->sm.at >= ENT_JOB_DONE; }

struct ent_job *ent_job_find(struct ent_node *n, const char *id)
{
	for (struct ent_job *j = n->jobs; j; j = j->next)
		if (!strcmp(j->id, id))
			return j;
	return NULL;
}

struct ent_party *ent_job_party(struct ent_job *j, const char *org)
{
	for (size_t i = 0; i < j->n_party; i++)
		if (!strcmp(j->party[i].org, org))
			return &j->party[i];
	return NULL;
}

void ent_job_free(struct ent_job *j)
{
	if (!j)
		return;
	for (size_t i = 0; i < j->n_party; i++) {
		json_decref(j->party[i].evidence);
		json_decref(j->party[i].early);
	}
	json_decref(j->proposal);
	json_decref(j->stats);
	ent_buf_deinit(&j->request);
	ent_buf_deinit(&j->content);
	ent_buf_deinit(&j->rows);
	ent_arena_free(j->arena);
	free(j);
}

static int fill_job(struct ent_node *n, struct ent_job *j, struct ent_bytes request, const uint8_t salt[32], struct ent_bytes content, bool stored,
		    struct ent_err *err)
{
	struct ent_entry e;
	uint8_t commitment[32], named[32];
	ENT_TRY(ent_entry_open(request, &e, err));
	memcpy(j->hash, e.dsse.payload_hash, 32);
	j->time_ms = e.time_ms;
	j->mine = !strcmp(e.actor, n->card.org);
	const json_t *names = json_object_get(e.dsse.body, "commitments");
	int r = e.type == ENT_ENTRY_REQUEST ? ent_json_hex(names, "proposal", named, 32, err) : ent_fail(err, ENT_EPEER, "this is no request");
	if (!r)
		r = stored ? ent_member_signed_at(n, e.actor, &e.dsse, ENT_LOG_ANYWHERE, err) : ent_member_signed(n, e.actor, &e.dsse, err);
	ent_commit(salt, content, commitment);
	if (!r && memcmp(commitment, named, 32) != 0)
		r = ent_fail(err, ENT_EVERIFY, "the proposal is not the one its request names");
	if (!r)
		r = ent_json_parse_canonical(content, ENT_MESH_BYTES_MAX, &j->proposal, err);
	if (!r && (strcmp(ent_proposal_text(j, "requester"), e.actor) != 0 || json_integer_value(json_object_get(j->proposal, "time")) != e.time_ms))
		r = ent_fail(err, ENT_EVERIFY, "request and proposal contradict each other");
	ent_entry_deinit(&e);
	memcpy(j->salt, salt, 32);
	ent_buf_put(&j->request, request.data, request.len);
	ent_buf_put(&j->content, content.data, content.len);
	ENT_TRY(r);
	ENT_TRY(ent_buf_check(&j->request, err));
	return ent_buf_check(&j->content, err);
}

struct ent_job *ent_job_new(struct ent_node *n, struct ent_bytes request, const uint8_t salt[32], struct ent_bytes content, bool stored,
			    struct ent_err *err)
{
	struct ent_job *j = ent_alloc(1, sizeof *j);
	if (!j) {
		ent_nomem(err);
		return NULL;
	}
	*j = (struct ent_job){ .node = n,
			       .attempt = 1,
			       .request = ENT_BUF(ENT_DSSE_BYTES_MAX),
			       .content = ENT_BUF(ENT_MESH_BYTES_MAX),
			       .arena = ent_arena_new(ENT_JOB_ARENA_MAX),
			       .refusal = ENT_ERR_INIT,
			       .error = ENT_ERR_INIT,
			       .seen = 1 };
	ent_sm_init(&j->sm, states, ENT_JOB_STATES, ENT_JOB_NEW, j);
	j->sm.invariant = invariant;
	j->sm.trace = trace;
	j->rows = (struct ent_buf)ENT_BUF((size_t)1 << 30);
	j->facts_ms = ent_node_mono(n);
	snprintf(j->format, sizeof j->format, "csv");
	if ((j->arena ? fill_job(n, j, request, salt, content, stored, err) : ent_nomem(err))) {
		ent_job_free(j);
		return NULL;
	}
	ent_hex(j->hash_hex, j->hash, 32);
	snprintf(j->id, sizeof j->id, "%.16s", j->hash_hex);
	return j;
}

void ent_job_forget(struct ent_node *n, struct ent_job *j)
{
	struct ent_job **at = &n->jobs;
	(void)ent_db_run(n->db, NULL, "DELETE FROM job WHERE id = ?", "s", j->id);
	while (*at && *at != j)
		at = &(*at)->next;
	if (*at)
		*at = j->next;
	ent_job_free(j);
}

void ent_job_trim(struct ent_node *n)
{
	size_t kept = 0;
	for (const struct ent_job *j = n->jobs; j; j = j->next)
		kept += ent_job_ended(j) && !j->mine;
	for (struct ent_job **at = &n->jobs; *at && kept > KEPT_MAX;) {
		struct ent_job *j = *at;
		if (j->mine || j->runner_busy || !ent_job_ended(j) || (j->sm.at == ENT_JOB_DONE && !j->evidence_sent)) {
			at = &j->next;
			continue;
		}
		*at = j->next;
		ent_job_free(j);
		kept--;
	}
}

void ent_job_link(struct ent_node *n, struct ent_job *j)
{
	struct ent_job **at = &n->jobs;
	while (*at && ((*at)->time_ms < j->time_ms || ((*at)->time_ms == j->time_ms && strcmp((*at)->id, j->id) < 0)))
		at = &(*at)->next;
	j->next = *at;
	*at = j;
}

/* What a job may open is known once it is decided; a job that is only aborted after a restart must not forget it: the guard compares with it. */
static int store(struct ent_node *n, struct ent_job *j, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(16 << 20);
	struct ent_bytes request = ent_buf_bytes(&j->request), content = ent_buf_bytes(&j->content), salt = ent_bytes(j->salt, 32);
	json_t *selections = NULL;
	if (j->decision)
		ENT_TRY(ent_policy_selections_json(j->decision->selections, j->decision->n_selections, &selections, err));
	ENT_JSON_AUTO info = json_pack("{s:o,s:O,s:s}", "selections", selections ? selections : json_array(), "trio",
				       json_object_get(j->proposal, "trio"), "purpose", ent_proposal_text(j, "purpose"));
	ENT_TRY(ent_json_canonical(info, &text, err));
	return ent_db_run(n->db, err,
			  "INSERT INTO job(id, time, state, requester, request, content, salt, attempt, info, why) VALUES(?1, ?2, ?3, ?4, ?5, ?6, "
			  "?7, ?8, ?9, ?11) "
			  "ON CONFLICT(id) DO UPDATE SET state = ?3, attempt = ?8, why = ?11, info = CASE WHEN ?10 THEN ?9 ELSE info END",
			  "sissbbbisis", j->id, j->time_ms, ent_sm_name(&j->sm), ent_proposal_text(j, "requester"), &request, &content, &salt,
			  (int64_t)j->attempt, ent_buf_text(&text), (int64_t)(j->decision != NULL),
			  ent_job_ended(j) && j->error.code ? j->error.what : "");
}

int ent_job_store(struct ent_node *n, struct ent_job *j, struct ent_err *err)
{
	int r = store(n, j, err);
	j->unstored = r != 0;
	return r;
}

void ent_job_move(struct ent_job *j, enum ent_job_state to)
{
	struct ent_err err = ENT_ERR_INIT;
	ent_sm_move(&j->sm, (int)to);
	j->seen++;
	if (ent_job_ended(j))
		j->ended_ms = ent_node_mono(j->node);
	if (to != ENT_JOB_PROPOSED && ent_job_store(j->node, j, &err)) {
		ent_log(j->node->env.log, ENT_LOG_ERROR, "job-store", "id=%s what=\"%s\"", j->id, err.what);
		ent_node_broke(j->node, err.code, &err);
	}
}

/* ---- entering ---- */

static int enter_request(struct ent_node *n, struct ent_job *j, struct ent_err *err)
{
	uint8_t commitment[32];
	uint64_t at = 0;
	ent_commit(j->salt, ent_buf_bytes(&j->content), commitment);
	ENT_TRY(ent_content_keep(&n->content, j->salt, ent_buf_bytes(&j->content), commitment, err));
	ENT_TRY(ent_node_append_envelope(n, ent_buf_bytes(&j->request), &at, err));
	if (j->mine)
		j->request_at = at;
	return 0;
}

/* Our own grants that it rests on; the others' stand in the others' decisions, and all of them under the hash. */
static json_t *own_rules(const struct ent_node *n, const struct ent_job *j)
{
	json_t *list = json_array();
	char org[ENT_ORG_MAX + 1];
	uint64_t at;
	for (size_t i = 0; j->decision && i < j->decision->n_rules; i++)
		if (ent_entry_id_parse(j->decision->rules[i], org, &at) && !strcmp(org, n->card.org))
			json_array_append_new(list, json_string(j->decision->rules[i]));
	return list;
}

static int enter_decision(struct ent_node *n, struct ent_job *j, struct ent_err *err)
{
	char plan[65], decision[65];
	json_t *grants = own_rules(n, j);
	ent_hex(plan, j->plan_sha, 32);
	ent_hex(decision, j->decision_sha, 32);
	ENT_JSON_AUTO fields = json_pack("{s:s,s:b,s:o,s:s,s:s}", "proposal", j->hash_hex, "allow", j->refusal.code == 0, "grants", grants, "plan",
					 plan, "decision", decision);
	if (j->refusal.code)
		json_object_set_new(fields, "code", json_string(ent_code_name(j->refusal.code)));
	return ent_node_append(n, ENT_ENTRY_DECISION, fields, NULL, err);
}

static bool entered(struct ent_node *n, const struct ent_job *j)
{
	ENT_ST st = { 0 };
	return !ent_db_query(n->db, &st, NULL, "SELECT 1 FROM job_entry WHERE job = ? AND type = 'decision'", "s", j->id) &&
	       ent_st_next(&st, NULL) > 0;
}

int ent_job_enter(struct ent_node *n, struct ent_job *j, struct ent_err *err)
{
	ENT_TRY(ent_proposal_parties(j, err));
	if (!entered(n, j)) {
		ENT_TRY(enter_request(n, j, err));
		ENT_TRY(enter_decision(n, j, err));
	}
	if (j->refusal.code) {
		j->error = j->refusal;
		ent_job_move(j, ENT_JOB_REFUSED);
		return 0;
	}
	ent_job_move(j, j->decision->n_approvals ? ENT_JOB_APPROVAL : ENT_JOB_QUEUED);
	ent_job_approvals(n, j);
	return 0;
}

/* ---- approvals ---- */

bool ent_job_approved(struct ent_node *n, const struct ent_job *j, const struct ent_decision_approval *a)
{
	ENT_ST st = { 0 };
	unsigned count = 0;
	bool owner = false;
	if (ent_db_query(n->db, &st, NULL, "SELECT org FROM approval WHERE job = ? AND yes = 1", "s", j->id))
		return false;
	while (ent_st_next(&st, NULL) > 0) {
		const char *org = ent_st_text(&st, 0);
		count += strcmp(org, ent_proposal_text(j, "requester")) != 0;
		owner = owner || !strcmp(org, a->org);
	}
	return owner && count >= a->of;
}

void ent_job_approvals(struct ent_node *n, struct ent_job *j)
{
	if (j->sm.at != ENT_JOB_APPROVAL || j->outside)
		return;
	for (size_t i = 0; i < j->decision->n_approvals; i++)
		if (!ent_job_approved(n, j, &j->decision->approvals[i]))
			return;
	ent_job_move(j, ENT_JOB_QUEUED);
}

/* ---- ending ---- */

static bool has_entry(struct ent_node *n, const struct ent_job *j, const char *type)
{
	ENT_ST st = { 0 };
	return !ent_db_query(n->db, &st, NULL, "SELECT 1 FROM job_entry WHERE job = ? AND type = ?", "ss", j->id, type) && ent_st_next(&st, NULL) > 0;
}

static int enter_result(struct ent_node *n, struct ent_job *j, struct ent_err *err)
{
	char hex[65];
	ENT_JSON_AUTO fields = json_pack("{s:s,s:s,s:s}", "proposal", j->hash_hex, "outcome", j->error.code ? "aborted" : "done", "code",
					 ent_code_name(j->error.code));
	if (j->mine && !j->error.code) {
		ent_hex(hex, j->rows_commitment, 32);
		json_object_set_new(fields, "commitment", json_string(hex));
	}
	return ent_node_append(n, ENT_ENTRY_RESULT, fields, NULL, err);
}

static void tell_abort(struct ent_node *n, struct ent_job *j)
{
	json_t *msg = ent_job_message(j, "abort");
	json_object_set_new(msg, "code", json_string(ent_code_name(j->error.code)));
	json_object_set_new(msg, "what", json_string(j->error.what));
	json_object_set_new(msg, "why", json_string(j->error.why));
	json_object_set_new(msg, "next", json_string(j->error.next));
	ent_job_send_all(n, j, msg);
}

void ent_job_abort(struct ent_node *n, struct ent_job *j, const struct ent_err *why, bool tell)
{
	struct ent_err err = ENT_ERR_INIT;
	if (ent_job_ended(j))
		return;
	j->error = *why;
	if (!j->error.code)
		j->error.code = ENT_EINTERNAL;
	ent_log(n->env.log, ENT_LOG_WARN, "job-aborted", "id=%s code=%s what=\"%s\"", j->id, ent_code_name(j->error.code), j->error.what);
	if (j->runner_busy)
		n->env.runner->ops->cancel(n->env.runner, j->id, j->attempt);
	if (!ent_node_broken(n) && has_entry(n, j, "decision") && enter_result(n, j, &err))
		ent_log(n->env.log, ENT_LOG_ERROR, "job-result", "id=%s what=\"%s\"", j->id, err.what);
	ent_job_move(j, ENT_JOB_ABORTED);
	if (tell)
		tell_abort(n, j);
}

void ent_job_done(struct ent_node *n, struct ent_job *j)
{
	struct ent_err err = ENT_ERR_INIT;
	int r = 0;
	if (j->released_none) /* no later answer can be compared with it */
		r = ent_guard_keep(n, j, ent_bytes(NULL, 0), ent_bytes(NULL, 0), &err);
	if (!r)
		r = enter_result(n, j, &err);
	if (r) {
		ent_job_abort(n, j, &err, true);
		return;
	}
	ent_job_move(j, ENT_JOB_DONE);
	ent_duty_publish(n);
	if (j->mine)
		ent_job_send_all(n, j, ent_job_message(j, "finish"));
}

/* ---- the queue ---- */

void ent_job_void_attempt(struct ent_node *n, struct ent_job *j, uint32_t attempt)
{
	if (j->runner_busy)
		n->env.runner->ops->cancel(n->env.runner, j->id, j->attempt);
	for (size_t i = 0; i < j->n_party; i++) {
		j->party[i].ready = j->party[i].answered = j->party[i].has_output = false;
		j->party[i].heard_ms = ent_node_mono(n);
	}
	j->attempt = attempt;
	j->runner_ok = j->finish_told = false;
	ent_buf_reset(&j->rows);
	j->released_none = false;
	j->sent_ms = 0;
	if (j->sm.at != ENT_JOB_QUEUED)
		ent_job_move(j, ENT_JOB_QUEUED);
}

/* Our ready is withdrawn for a smaller job, as long as our run is not durable; the requester starts a new attempt. */
static void withdraw(struct ent_node *n, struct ent_job *j)
{
	uint32_t attempt = j->attempt;
	ent_job_send_all(n, j, ent_job_message(j, "withdraw"));
	ent_job_void_attempt(n, j, j->mine ? attempt + 1 : attempt);
	j->withdrawn = !j->mine;
	j->withdrawn_attempt = attempt;
}

static void offer(struct ent_node *n, struct ent_job *j)
{
	struct ent_err err = ENT_ERR_INIT;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf payload = ENT_BUF(ENT_DSSE_BYTES_MAX);
	struct ent_party *me = ent_job_party(j, n->card.org);
	int r = ent_proposal_recheck(n, j, &err);
	if (!r && j->unstored) /* on disk it still waits for people: a restart would take it up again, after our ready */
		r = ent_job_store(n, j, &err);
	if (!r)
		r = ent_job_payload(j, &payload, &err);
	if (!r)
		r = ent_dsse_sign("run", ent_buf_bytes(&payload), &n->signer[ENT_KEY_SIGN], &me->sig, &err);
	if (!r && j->mine) /* from here on it may run somewhere: our later proposals name it */
		r = ent_db_run(n->db, &err, "INSERT OR REPLACE INTO guard(job, name, content) VALUES(?, 'ready', '')", "s", j->id);
	if (r) {
		ent_job_abort(n, j, &err, true);
		return;
	}
	me->ready = me->answered = true;
	ent_job_move(j, ENT_JOB_PROPOSED);
	j->beat_ms = 0;
	ent_job_send_ready(n, j, NULL);
	ent_job_try_run(n, j);
}

void ent_job_pump(struct ent_node *n)
{
	struct ent_job *out = NULL, *head = NULL;
	if (!n->env.runner || ent_node_broken(n) || n->closing)
		return;
	for (struct ent_job *j = n->jobs; j; j = j->next) {
		if (j->sm.at == ENT_JOB_RUNNING || j->runner_busy)
			return;
		if (j->sm.at == ENT_JOB_PROPOSED)
			out = j;
		if (!head && j->sm.at == ENT_JOB_QUEUED && !j->withdrawn)
			head = j;
	}
	if (!head || (out && (out->time_ms < head->time_ms || (out->time_ms == head->time_ms && strcmp(out->id, head->id) < 0))))
		return;
	if (out)
		withdraw(n, out);
	offer(n, head);
}

/* ---- time ---- */

static void dead_peer(struct ent_node *n, struct ent_job *j, const char *org)
{
	struct ent_err err = ENT_ERR_INIT;
	ent_fail(&err, ENT_EPEER, "%s does not answer", org);
	ent_why(&err, "no word from it about this question for %d s", ENT_JOB_DEAD_MS / 1000);
	ent_next(&err, "is its node running? entente status shows who is up; then ask again");
	ent_job_abort(n, j, &err, true);
}

static void stalled(struct ent_node *n, struct ent_job *j)
{
	struct ent_err err = ENT_ERR_INIT;
	ent_fail(&err, ENT_EPEER, "the computation made no progress for %d s", ENT_JOB_STALL_MS / 1000);
	ent_next(&err, "see the logs of all participants, then ask again");
	ent_job_abort(n, j, &err, true);
}

static void facts_missing(struct ent_node *n, struct ent_job *j)
{
	struct ent_err err = ENT_ERR_INIT;
	ent_fail(&err, ENT_EPEER, "%s could not learn what the owners registered and granted", n->card.org);
	ent_next(&err, "all participants need links to each other: entente status at each; then ask again");
	ent_job_abort(n, j, &err, true);
}

static void beat(struct ent_node *n, struct ent_job *j)
{
	json_t *msg = ent_job_message(j, "beat");
	json_object_set_new(msg, "done", json_integer((json_int_t)j->done));
	j->beat_ms = ent_node_mono(n);
	ent_job_send_all(n, j, msg);
	if (j->sm.at == ENT_JOB_PROPOSED) /* one that got lost would stop everybody */
		ent_job_send_ready(n, j, NULL);
}

/* A requester waits for everybody from the start; others wait for the requester, and for everybody once it runs. */
static bool waits_for(const struct ent_job *j, const struct ent_party *p)
{
	if (!strcmp(p->org, j->node->card.org) || j->sm.at == ENT_JOB_NEW || j->sm.at == ENT_JOB_APPROVAL)
		return false;
	return j->mine || j->sm.at == ENT_JOB_RUNNING || !strcmp(p->org, ent_proposal_text(j, "requester"));
}

static void tick_live(struct ent_node *n, struct ent_job *j, uint64_t now)
{
	if (j->outside)
		return;
	if (ent_ms_since(now, j->beat_ms) >= ENT_JOB_BEAT_MS)
		beat(n, j);
	if (j->mine && ent_ms_since(now, j->sent_ms) >= ENT_JOB_RESEND_MS)
		ent_job_propose(n, j);
	if ((j->sm.at == ENT_JOB_PROPOSED || j->sm.at == ENT_JOB_RUNNING) && ent_ms_since(now, j->ready_ms) >= ENT_JOB_RESEND_MS)
		ent_job_send_ready(n, j, NULL); /* a link may have been down when we said it first */
	for (size_t i = 0; i < j->n_party; i++)
		if (waits_for(j, &j->party[i]) && ent_ms_since(now, j->party[i].heard_ms) > ENT_JOB_DEAD_MS) {
			dead_peer(n, j, j->party[i].org);
			return;
		}
	if (j->sm.at == ENT_JOB_RUNNING && ent_ms_since(now, j->progress_ms) > ENT_JOB_STALL_MS)
		stalled(n, j);
	else if (j->sm.at == ENT_JOB_NEW && ent_ms_since(now, j->facts_ms) > ENT_JOB_DEAD_MS)
		facts_missing(n, j);
}

static void forget_old(struct ent_node *n, uint64_t now)
{
	for (struct ent_job *j = n->jobs, *next; j; j = next) {
		next = j->next;
		if (j->outside && ent_node_utc(n) - j->time_ms > CONSULT_MS)
			ent_job_forget(n, j);
	}
	for (struct ent_job **at = &n->jobs; *at;) {
		struct ent_job *j = *at;
		if (!ent_job_ended(j) || j->runner_busy || ent_ms_since(now, j->ended_ms) < ENT_JOB_KEEP_MS) {
			at = &j->next;
			continue;
		}
		*at = j->next;
		ent_job_free(j);
	}
}

uint64_t ent_jobs_tick(struct ent_node *n)
{
	uint64_t now = ent_node_mono(n);
	bool live = false;
	if (!n->env.mesh)
		return UINT64_MAX;
	for (struct ent_job *j = n->jobs; j; j = j->next) {
		if (!ent_job_ended(j)) {
			tick_live(n, j, now);
			live = true;
		} else if (j->sm.at == ENT_JOB_DONE) {
			ent_evidence_tick(n, j);
		}
	}
	forget_old(n, now);
	ent_questions_next(n);
	ent_job_pump(n);
	return live || n->questions ? now + 200 : UINT64_MAX;
}

void ent_jobs_peer(struct ent_node *n, const char *org, bool up)
{
	struct ent_err err = ENT_ERR_INIT;
	for (struct ent_job *j = n->jobs; j; j = j->next) {
		struct ent_party *p = ent_job_party(j, org);
		if (!p || ent_job_ended(j))
			continue;
		if (up)
			j->sent_ms = 0;
		if (up || j->sm.at != ENT_JOB_RUNNING)
			continue;
		ent_fail(&err, ENT_EPEER, "the link to %s broke during the computation", org);
		ent_next(&err, "is its node running? entente status shows who is up; then ask again");
		ent_job_abort(n, j, &err, true);
	}
}

void ent_jobs_count(const struct ent_node *n, unsigned *ret_queued, unsigned *ret_running)
{
	*ret_queued = *ret_running = 0;
	for (const struct ent_job *j = n->jobs; j; j = j->next) {
		*ret_running += j->sm.at == ENT_JOB_RUNNING;
		*ret_queued += !ent_job_ended(j) && j->sm.at != ENT_JOB_RUNNING;
	}
}

void ent_jobs_free(struct ent_node *n)
{
	while (n->jobs) {
		struct ent_job *j = n->jobs;
		n->jobs = j->next;
		ent_job_free(j);
	}
}

/* ---- after a restart ---- */

static int reload(struct ent_node *n, struct ent_st *st, struct ent_job **ret, struct ent_err *err)
{
	uint8_t salt[32] = { 0 };
	struct ent_bytes stored = ent_st_blob(st, 2);
	if (stored.len == 32)
		memcpy(salt, stored.data, 32);
	struct ent_job *j = ent_job_new(n, ent_st_blob(st, 0), salt, ent_st_blob(st, 1), true, err);
	if (!j)
		return err->code;
	j->attempt = (uint32_t)ent_st_int(st, 3);
	*ret = j;
	return 0;
}

static void wait_for_people(struct ent_node *n, struct ent_job *j)
{
	struct ent_err err = ENT_ERR_INIT;
	if (!ent_proposal_parties(j, &err) && !ent_job_party(j, n->card.org)) {
		j->outside = true;
		ent_job_move(j, ENT_JOB_APPROVAL);
		return;
	}
	int r = ent_proposal_derive(n, j, &err);
	if (!r && j->refusal.code)
		err = j->refusal, r = j->refusal.code;
	if (!r)
		r = ent_proposal_parties(j, &err);
	if (r) {
		ent_job_abort(n, j, &err, false);
		return;
	}
	ent_job_move(j, ENT_JOB_APPROVAL);
	ent_job_approvals(n, j);
}

static void recover_one(struct ent_node *n, struct ent_job *j, const char *state)
{
	struct ent_err err = ENT_ERR_INIT;
	ent_job_link(n, j);
	if (!strcmp(state, "approval")) {
		wait_for_people(n, j);
		return;
	}
#ifdef ENT_MUTANT_JOB_TWICE_AFTER_RESTART
	if (!strcmp(state, "running") && !ent_proposal_derive(n, j, &err) && !ent_proposal_parties(j, &err)) {
		for (size_t i = 0; i < j->n_party; i++)
			j->party[i].ready = true;
		ent_job_move(j, ENT_JOB_QUEUED);
		ent_job_move(j, ENT_JOB_PROPOSED);
		ent_job_move(j, ENT_JOB_RUNNING);
		ent_job_start(n, j);
		return;
	}
#endif
	ent_fail(&err, ENT_EPEER, "%s was restarted while this question was open", n->card.org);
	ent_next(&err, "ask again");
	ent_job_abort(n, j, &err, false);
}

int ent_jobs_recover(struct ent_node *n, struct ent_err *err)
{
	ENT_ST st = { 0 };
	int r;
	if (!n->env.mesh)
		return 0;
	ENT_TRY(ent_db_query(n->db, &st, err,
			     "SELECT request, content, salt, attempt, state FROM job WHERE state NOT IN ('done', 'aborted', 'refused') ORDER BY time",
			     ""));
	while ((r = ent_st_next(&st, err)) > 0) {
		struct ent_job *j = NULL;
		ENT_TRY(reload(n, &st, &j, err));
		recover_one(n, j, ent_st_text(&st, 4));
	}
	return r < 0 ? -r : 0;
}
