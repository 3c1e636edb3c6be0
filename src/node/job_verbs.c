/* Jobs as people see them: ask, explain, watch, fetch, approve, deny, cancel. */
#include "node/job.h"

#include <stdlib.h>

#define WAIT_MS_MAX 30000
#define NEWS_MS_MAX 2000

static bool read_asked(const json_t *args, struct ent_asked *ret, struct ent_reply *reply)
{
	const json_t *pushdown = json_object_get(args, "pushdown");
	ret->pushdown = !json_is_false(pushdown);
	return ent_arg_text(args, "sql", true, &ret->sql, reply) && ent_arg_text(args, "purpose", false, &ret->purpose, reply);
}

/* A job from a proposal of ours, signed but not entered yet. */
static struct ent_job *make_job(struct ent_node *n, const json_t *proposal, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf content = ENT_BUF(ENT_MESH_BYTES_MAX / 2), envelope = ENT_BUF(ENT_DSSE_BYTES_MAX);
	uint8_t salt[32], commitment[32];
	char hex[65];
	if (ent_json_canonical(proposal, &content, err) || ent_node_random(n, salt, 32, err))
		return NULL;
	ent_commit(salt, ent_buf_bytes(&content), commitment);
	ent_hex(hex, commitment, 32);
	ENT_JSON_AUTO fields = json_pack("{s:O,s:{s:s},s:O,s:O}", "ledgers", json_object_get(proposal, "sizes"), "commitments", "proposal", hex,
					 "purpose", json_object_get(proposal, "purpose"), "participants", json_object_get(proposal, "participants"));
	if (ent_entry_make(ENT_ENTRY_REQUEST, json_integer_value(json_object_get(proposal, "time")), n->card.org, fields, &n->signer[ENT_KEY_SIGN],
			   &envelope, err))
		return NULL;
	return ent_job_new(n, ent_buf_bytes(&envelope), salt, ent_buf_bytes(&content), false, err);
}

static int propose(struct ent_node *n, const struct ent_asked *asked, bool explain_only, struct ent_job **ret, struct ent_err *err)
{
	ENT_JSON_AUTO proposal = NULL;
	ENT_TRY(ent_proposal_make(n, asked, explain_only, &proposal, err));
	struct ent_job *j = make_job(n, proposal, err);
	if (!j)
		return err->code;
	int r = ent_proposal_derive(n, j, err);
	if (r) {
		ent_job_free(j);
		return r;
	}
	*ret = j;
	return 0;
}

/* ---- explain ---- */

static void put_lines(json_t *list, const struct ent_buf *text)
{
	for (const char *line = ent_buf_text(text); *line;) {
		size_t len = strcspn(line, "\n");
		json_array_append_new(list, json_stringn(line, len));
		line += len + (line[len] == '\n');
	}
}

static int explanation(struct ent_job *j, json_t **ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(16 << 20);
	ENT_JSON_AUTO decision = NULL;
	ENT_JSON_AUTO plan = NULL;
	ENT_JSON_AUTO lines = json_array();
	ENT_TRY(ent_decision_json(j->decision, &decision, err));
	ent_decision_print(j->decision, &text);
	if (j->decision->allowed && j->refusal.code)
		ent_buf_printf(&text, "refused: %s\n", j->refusal.what);
	if (j->plan) {
		ENT_TRY(ent_joint_explain(j->plan, &text, err));
		ENT_TRY(ent_joint_explain_json(j->plan, &plan, err));
	}
	ENT_TRY(ent_buf_check(&text, err));
	put_lines(lines, &text);
	*ret = json_pack("{s:b,s:O,s:O,s:s,s:O,s:O}", "allowed", j->decision->allowed && !j->refusal.code, "decision", decision, "text", lines,
			 "leak", ent_leak_text(ENT_LEAK_NONE), "trio", json_object_get(j->proposal, "trio"), "participants",
			 json_object_get(j->proposal, "participants"));
	if (plan)
		json_object_set(*ret, "plan", plan);
	return *ret ? 0 : ent_nomem(err);
}

void ent_verb_explain(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_asked asked;
	struct ent_job *j = NULL;
	json_t *answer = NULL;
	if (!read_asked(args, &asked, reply))
		return;
	int r = propose(n, &asked, true, &j, &err);
	if (!r)
		r = explanation(j, &answer, &err);
	ent_job_free(j);
	if (r)
		ent_reply_err(reply, &err);
	else
		ent_reply_ok(reply, answer);
}

/* ---- query ---- */

static void refuse(struct ent_node *n, struct ent_job *j, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	ENT_JSON_AUTO answer = NULL;
	(void)n;
	(void)explanation(j, &answer, &err);
	reply->done(reply, answer, ent_bytes(NULL, 0), &j->refusal);
	ent_job_free(j);
}

static json_t *receipt_id(const struct ent_node *n, const struct ent_job *j)
{
	return j->mine ? json_sprintf("%s/%llu", n->card.org, (unsigned long long)j->request_at) : json_string("");
}

static void ask(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_asked asked;
	struct ent_job *j = NULL;
	const char *format;
	if (!read_asked(args, &asked, reply) || !ent_arg_text(args, "format", false, &format, reply))
		return;
	int r = ent_duty_not_alone(n, &err);
	if (!r)
		r = propose(n, &asked, false, &j, &err);
	if (!r && j->refusal.code) {
		refuse(n, j, reply);
		return;
	}
	if (!r) {
		snprintf(j->format, sizeof j->format, "%.7s", *format ? format : "csv");
		j->color = json_is_true(json_object_get(args, "color"));
		r = ent_job_enter(n, j, &err);
	}
	if (r) {
		ent_job_free(j);
		ent_reply_err(reply, &err);
		return;
	}
	ent_job_link(n, j);
	ent_duty_publish(n);
	ent_job_propose(n, j);
	ent_reply_ok(reply, json_pack("{s:s,s:o}", "job", j->id, "request", receipt_id(n, j)));
	ent_job_pump(n);
}

/* Ours that is under way; one that waits for people may wait for days and blocks nobody. */
static bool own_question_open(const struct ent_node *n)
{
	for (const struct ent_job *j = n->jobs; j; j = j->next)
		if (j->mine && !ent_job_ended(j) && j->sm.at != ENT_JOB_APPROVAL)
			return true;
	return false;
}

/* A rule that an owner wrote a moment ago counts: every member that is up is asked for its news first, and waited for a short while. */
static bool news_heard(struct ent_node *n, struct ent_question *q)
{
	bool owed = false;
#ifdef ENT_MUTANT_NEWS_UNHEARD
	return true;
#endif
	for (size_t i = 0; i < n->n_members; i++) {
		struct ent_member *m = &n->members[i];
		if (!q->asked && m->up) {
			m->owes_news = true;
			ent_facts_want(n, m);
		}
		owed = owed || (m->up && m->owes_news);
	}
	if (!q->asked)
		q->asked_ms = ent_node_mono(n);
	q->asked = true;
	return !owed || ent_ms_since(ent_node_mono(n), q->asked_ms) >= NEWS_MS_MAX;
}

void ent_verb_query(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_question **at = &n->questions;
	while (*at)
		at = &(*at)->next;
	*at = ent_alloc(1, sizeof **at);
	if (!*at) {
		ent_nomem(&err);
		ent_reply_err(reply, &err);
		return;
	}
	**at = (struct ent_question){ .reply = reply, .args = json_deep_copy(args) };
	ent_questions_next(n);
}

static void question_free(struct ent_question *q)
{
	json_decref(q->args);
	free(q);
}

void ent_questions_next(struct ent_node *n)
{
	while (n->questions && !own_question_open(n) && news_heard(n, n->questions)) {
		struct ent_question *q = n->questions;
		n->questions = q->next;
		ask(n, q->args, q->reply);
		question_free(q);
	}
}

void ent_questions_forget(struct ent_node *n, const struct ent_reply *reply)
{
	for (struct ent_question **at = &n->questions; *at; at = &(*at)->next)
		if ((*at)->reply == reply) {
			struct ent_question *q = *at;
			*at = q->next;
			question_free(q);
			return;
		}
}

void ent_questions_drop(struct ent_node *n)
{
	struct ent_err err = ENT_ERR_INIT;
	ent_fail(&err, ENT_EAGAIN, "the node is stopping");
	while (n->questions) {
		struct ent_question *q = n->questions;
		n->questions = q->next;
		ent_reply_err(q->reply, &err);
		question_free(q);
	}
}

/* ---- watching ---- */

static json_t *error_json(const struct ent_err *err)
{
	if (!err->code)
		return json_null();
	return json_pack("{s:s,s:s,s:s,s:s}", "code", ent_code_name(err->code), "what", err->what, "why", err->why, "next", err->next);
}

static json_t *job_json(const struct ent_node *n, const struct ent_job *j)
{
	json_t *o = json_pack("{s:s,s:s,s:I,s:I,s:I,s:s,s:o,s:b,s:o,s:s,s:i}", "id", j->id, "state", ent_sm_name(&j->sm), "seen", (json_int_t)j->seen,
			      "done", (json_int_t)j->done, "total", (json_int_t)j->total, "phase", j->phase, "error", error_json(&j->error), "ended",
			      ent_job_ended(j), "request", receipt_id(n, j), "leak", "none", "attempt", (int)j->attempt);
	if (j->sm.at == ENT_JOB_DONE && j->mine) {
		json_object_set_new(o, "rows", json_integer((json_int_t)j->n_rows));
		if (j->stats)
			json_object_set(o, "stats", j->stats);
	}
	return o;
}

static const char *waits_text(const struct ent_job *j)
{
	switch (j->sm.at) {
	case ENT_JOB_NEW:
		return "facts";
	case ENT_JOB_APPROVAL:
		return "approval";
	case ENT_JOB_QUEUED:
		return "its turn";
	case ENT_JOB_PROPOSED:
		return "the others";
	default:
		return "";
	}
}

static int list_stored(struct ent_node *n, json_t *list, struct ent_err *err)
{
	ENT_ST st = { 0 };
	int r;
	ENT_TRY(ent_db_query(n->db, &st, err, "SELECT id, time, state, requester, info, why FROM job ORDER BY time, id", ""));
	while ((r = ent_st_next(&st, err)) > 0) {
		const struct ent_job *j = ent_job_find(n, ent_st_text(&st, 0));
		ENT_JSON_AUTO info = NULL;
		char time[ENT_TIME_LEN + 1];
		ent_time_format(ent_st_int(&st, 1), time);
		(void)ent_json_parse(ent_bytes_str(ent_st_text(&st, 4)), 16 << 20, &info, NULL);
		const char *purpose = json_string_value(json_object_get(info, "purpose"));
		json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "id", ent_st_text(&st, 0), "state",
						      j ? ent_sm_name(&j->sm) : ent_st_text(&st, 2), "requester", ent_st_text(&st, 3), "purpose",
						      purpose ? purpose : "", "time", time, "waits_for", j ? waits_text(j) : "", "why",
						      j && j->error.code ? j->error.what : ent_st_text(&st, 5)));
	}
	return r < 0 ? -r : 0;
}

void ent_verb_jobs(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	ENT_JSON_AUTO list = json_array();
	(void)args;
	if (list_stored(n, list, &err))
		ent_reply_err(reply, &err);
	else
		ent_reply_ok(reply, json_pack("{s:O}", "jobs", list));
}

/* A job by id; its first letters do when they are enough. */
static struct ent_job *job_arg(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_job *found = NULL;
	const char *id;
	size_t matches = 0;
	if (!ent_arg_text(args, "id", true, &id, reply))
		return NULL;
	for (struct ent_job *j = n->jobs; j && strlen(id) >= 4; j = j->next)
		if (!strncmp(j->id, id, strlen(id))) {
			found = j;
			matches++;
		}
	if (matches == 1)
		return found;
	ent_fail(&err, ENT_ENOTFOUND, "no job %.40s is known here", id);
	ent_next(&err, "entente jobs lists them; results are kept for ten minutes");
	ent_reply_err(reply, &err);
	return NULL;
}

void ent_verb_job(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_job *j = job_arg(n, args, reply);
	json_int_t seen = json_integer_value(json_object_get(args, "seen")), wait = json_integer_value(json_object_get(args, "wait_ms"));
	if (!j)
		return;
	if (wait <= 0 || (uint64_t)seen != j->seen || ent_job_ended(j)) {
		ent_reply_ok(reply, job_json(n, j));
		return;
	}
	struct ent_waiter *w = ent_waiter_add(n, reply, (uint32_t)(wait > WAIT_MS_MAX ? WAIT_MS_MAX : wait));
	if (!w)
		return;
	memcpy(w->job, j->id, sizeof w->job);
	w->seen = (uint64_t)seen;
}

/* ---- fetching ---- */

int ent_jobs_rows(struct ent_node *n, const char *id, struct ent_bytes *ret, struct ent_err *err)
{
	const struct ent_job *j = ent_job_find(n, id);
	if (!j || !j->mine || j->sm.at != ENT_JOB_DONE || strcmp(j->format, "frames") != 0)
		return ent_fail(err, ENT_ENOTFOUND, "job %.16s has no rows that can be stored", id);
	*ret = ent_buf_bytes(&j->rows);
	return 0;
}

static int make_part(struct ent_node *n, struct ent_job *j, const char *part, struct ent_buf *ret, struct ent_err *err)
{
	if (!strcmp(part, "rows")) {
		ent_buf_put(ret, j->rows.data, j->rows.len);
		return ent_buf_check(ret, err);
	}
	if (!strcmp(part, "opened"))
		return ent_opened_make(j, ret, err);
	if (!strcmp(part, "receipt"))
		return ent_receipt_make(n, j, ret, err);
	return ent_fail(err, ENT_EUSAGE, "a result has the parts rows, receipt, opened");
}

static void answer_part(struct ent_node *n, struct ent_job *j, const char *part, struct ent_reply *reply)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf content = ENT_BUF((size_t)1 << 30);
	ENT_JSON_AUTO empty = json_object();
	struct ent_err err = ENT_ERR_INIT;
	if (make_part(n, j, part, &content, &err))
		ent_reply_err(reply, &err);
	else
		reply->done(reply, empty, ent_buf_bytes(&content), NULL);
}

void ent_verb_result(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	const char *part;
	struct ent_job *j = job_arg(n, args, reply);
	if (!j || !ent_arg_text(args, "part", true, &part, reply))
		return;
	if (!j->mine || j->sm.at != ENT_JOB_DONE) {
		if (j->error.code)
			err = j->error;
		else
			ent_fail(&err, ENT_EAGAIN, "job %s has no result here", j->id);
		ent_reply_err(reply, &err);
		return;
	}
	if (strcmp(part, "receipt") != 0 || ent_evidence_complete(j)) {
		answer_part(n, j, part, reply);
		return;
	}
	struct ent_waiter *w = ent_waiter_add(n, reply, ENT_JOB_EVIDENCE_MS);
	if (!w)
		return;
	memcpy(w->job, j->id, sizeof w->job);
	w->receipt = true;
}

bool ent_waiter_ready(struct ent_node *n, const struct ent_waiter *w)
{
	const struct ent_job *j = ent_job_find(n, w->job);
	return !j || (w->receipt ? ent_evidence_complete(j) : j->seen != w->seen);
}

void ent_waiter_answer(struct ent_node *n, struct ent_waiter *w)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_job *j = ent_job_find(n, w->job);
	if (!j) {
		ent_fail(&err, ENT_ENOTFOUND, "job %s is not known any more", w->job);
		ent_reply_err(w->reply, &err);
	} else if (w->receipt) {
		answer_part(n, j, "receipt", w->reply);
	} else {
		ent_reply_ok(w->reply, job_json(n, j));
	}
}

/* ---- people ---- */

static int keep_approval(struct ent_node *n, struct ent_job *j, const char *org, bool yes, struct ent_bytes envelope, struct ent_err *err)
{
	return ent_db_run(n->db, err, "INSERT OR REPLACE INTO approval(job, org, yes, dsse) VALUES(?, ?, ?, ?)", "ssib", j->id, org, (int64_t)yes,
			  &envelope);
}

static int say(struct ent_node *n, struct ent_job *j, bool yes, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf envelope = ENT_BUF(ENT_DSSE_BYTES_MAX);
	ENT_JSON_AUTO fields = json_pack("{s:s,s:b}", "proposal", j->hash_hex, "allow", yes);
	uint64_t at = 0;
	ENT_TRY(ent_node_append(n, ENT_ENTRY_APPROVE, fields, &at, err));
	ENT_TRY(ent_ledger_entry(n->ledger, at, &envelope, err));
	ENT_TRY(keep_approval(n, j, n->card.org, yes, ent_buf_bytes(&envelope), err));
	json_t *msg = ent_job_message(j, "approval");
	json_object_set_new(msg, "dsse", json_string(ent_buf_text(&envelope)));
	ent_job_send_all(n, j, msg);
	ent_duty_publish(n);
	return 0;
}

/* An outsider has said what it was asked for, and is done with it. */
static void outside_verdict(struct ent_node *n, struct ent_job *j, bool yes, struct ent_reply *reply)
{
	ent_reply_ok(reply, json_pack("{s:s,s:s}", "id", j->id, "state", yes ? "approved" : "denied"));
	ent_job_forget(n, j);
}

static void verdict(struct ent_node *n, const json_t *args, struct ent_reply *reply, bool yes)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_job *j = job_arg(n, args, reply);
	if (!j)
		return;
	int r = j->sm.at == ENT_JOB_APPROVAL || (!yes && !ent_job_ended(j))
			? say(n, j, yes, &err)
			: ent_fail(&err, ENT_EUSAGE, "job %s waits for no approval: %s", j->id, ent_sm_name(&j->sm));
	if (r) {
		ent_reply_err(reply, &err);
		return;
	}
	if (j->outside) {
		outside_verdict(n, j, yes, reply);
		return;
	}
	if (!yes) {
		ent_fail(&err, ENT_EDENIED, "%s denied this question", n->card.org);
		ent_job_abort(n, j, &err, true);
	}
	ent_job_approvals(n, j);
	ent_reply_ok(reply, json_pack("{s:s,s:s}", "id", j->id, "state", ent_sm_name(&j->sm)));
	ent_job_pump(n);
}

void ent_verb_approve(struct ent_node *n, const json_t *args, struct ent_reply *reply) { verdict(n, args, reply, true); }

void ent_verb_deny(struct ent_node *n, const json_t *args, struct ent_reply *reply) { verdict(n, args, reply, false); }

void ent_verb_cancel(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_job *j = job_arg(n, args, reply);
	if (!j)
		return;
	if (j->outside) {
		outside_verdict(n, j, false, reply);
		return;
	}
	ent_fail(&err, ENT_ECANCELLED, "cancelled by %s", n->card.org);
	ent_job_abort(n, j, &err, true);
	ent_reply_ok(reply, json_pack("{s:s,s:s}", "id", j->id, "state", ent_sm_name(&j->sm)));
	ent_job_pump(n);
}

static int read_approval(struct ent_node *n, struct ent_job *j, const char *org, const char *text, struct ent_err *err)
{
	struct ent_entry e;
	const char *proposal;
	ENT_TRY(ent_entry_open(ent_bytes_str(text), &e, err));
	int r = ent_member_signed(n, org, &e.dsse, err);
	if (!r)
		r = ent_json_str(e.dsse.body, "proposal", &proposal, err);
	if (!r && (e.type != ENT_ENTRY_APPROVE || strcmp(proposal, j->hash_hex) != 0 || strcmp(e.actor, org) != 0))
		r = ent_fail(err, ENT_EPEER, "an approval of %s is about something else", org);
	if (!r)
		r = keep_approval(n, j, org, json_is_true(json_object_get(e.dsse.body, "allow")), ent_bytes_str(text), err);
	ent_entry_deinit(&e);
	return r;
}

void ent_job_on_approval(struct ent_node *n, struct ent_job *j, const char *org, const json_t *msg)
{
	struct ent_err err = ENT_ERR_INIT;
	const char *text;
	if (ent_json_str(msg, "dsse", &text, &err) || read_approval(n, j, org, text, &err)) {
		ent_peer_complain(n, org, "approval-refused", err.what);
		return;
	}
	ent_job_approvals(n, j);
	ent_job_pump(n);
}
