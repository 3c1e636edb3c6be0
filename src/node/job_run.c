/* From the last ready to the end of the runner: the joint entry, the hooks, progress. */
#include "node/job.h"

int ent_job_payload(struct ent_job *j, struct ent_buf *ret, struct ent_err *err)
{
	json_t *names = json_array();
	for (size_t i = 0; i < j->n_party; i++)
		json_array_append_new(names, json_string(j->party[i].org));
	ENT_JSON_AUTO fields = json_pack("{s:s,s:I,s:o}", "proposal", j->hash_hex, "attempt", (json_int_t)j->attempt, "participants", names);
	return ent_entry_payload(ENT_ENTRY_RUN, j->time_ms, NULL, fields, ret, err);
}

static int append_run(struct ent_node *n, struct ent_job *j, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf payload = ENT_BUF(ENT_DSSE_BYTES_MAX), envelope = ENT_BUF(ENT_DSSE_BYTES_MAX);
	struct ent_sig sigs[ENT_DSSE_SIGS_MAX];
	if (j->n_party > ENT_DSSE_SIGS_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "more than %d participants", ENT_DSSE_SIGS_MAX);
	for (size_t i = 0; i < j->n_party; i++)
		sigs[i] = j->party[i].sig;
	ENT_TRY(ent_job_payload(j, &payload, err));
	ENT_TRY(ent_dsse_join("run", ent_buf_bytes(&payload), sigs, j->n_party, &envelope, err));
	ent_sha256(payload.data, payload.len, j->run_sha);
	return ent_node_append_envelope(n, ent_buf_bytes(&envelope), NULL, err);
}

void ent_job_start(struct ent_node *n, struct ent_job *j)
{
	struct ent_err err = ENT_ERR_INIT;
	int r = ent_proposal_spec(n, j, &err);
	j->progress_ms = ent_node_mono(n);
	j->done = j->total = 0;
	j->runner_ok = j->opened = false;
	memcpy(j->spec.run_sha256, j->run_sha, 32);
	if (!r)
		r = n->env.runner->ops->start(n->env.runner, &j->spec, &err);
	if (r)
		ent_job_abort(n, j, &err, true);
	else
		j->runner_busy = true;
}

/* All readys, ours among them: our run becomes durable, only then anything leaves. */
void ent_job_try_run(struct ent_node *n, struct ent_job *j)
{
	struct ent_err err = ENT_ERR_INIT;
	if (j->sm.at != ENT_JOB_PROPOSED)
		return;
	for (size_t i = 0; i < j->n_party; i++)
		if (!j->party[i].ready)
			return;
#ifdef ENT_MUTANT_RUN_UNENTERED
	if (0) {
#else
	if (append_run(n, j, &err)) {
#endif
		ent_job_abort(n, j, &err, true);
		return;
	}
	for (size_t i = 0; i < j->n_party; i++)
		j->party[i].heard_ms = ent_node_mono(n);
	ent_job_move(j, ENT_JOB_RUNNING);
	ent_facts_push(n); /* uses changed */
	ent_job_start(n, j);
}

/* ---- the runner speaks ---- */

static struct ent_job *running(struct ent_node *n, const char *job, uint32_t attempt)
{
	struct ent_job *j = ent_job_find(n, job);
	return j && j->sm.at == ENT_JOB_RUNNING && j->attempt == attempt ? j : NULL;
}

void ent_node_run_progress(struct ent_node *node, const char *job, uint32_t attempt, const struct ent_run_progress *progress)
{
	struct ent_job *j = running(node, job, attempt);
	if (!j)
		return;
	if (progress->done != j->done || strcmp(progress->phase, j->phase) != 0)
		j->progress_ms = ent_node_mono(node);
	j->done = progress->done;
	j->total = progress->total;
	snprintf(j->phase, sizeof j->phase, "%s", progress->phase ? progress->phase : "");
	j->seen++;
}

static int gone(struct ent_err *err) { return ent_fail(err, ENT_ECANCELLED, "this attempt is over"); }

int ent_node_run_before_open(struct ent_node *node, const char *job, uint32_t attempt, const json_t *labels, struct ent_err *err)
{
	struct ent_job *j = running(node, job, attempt);
	if (!j)
		return gone(err);
	ENT_JSON_AUTO fields = json_pack("{s:s,s:I}", "proposal", j->hash_hex, "attempt", (json_int_t)attempt);
	if (labels)
		json_object_set(fields, "opens", (json_t *)(uintptr_t)labels);
#ifndef ENT_MUTANT_OPEN_UNENTERED
	ENT_TRY(ent_node_append(node, ENT_ENTRY_OPEN, fields, NULL, err));
#endif
	j->opened = true;
	return 0;
}

int ent_node_run_before_output(struct ent_node *node, const char *job, uint32_t attempt, const char *component, const uint8_t salt[32],
			       const uint8_t commitment[32], struct ent_err *err)
{
	struct ent_job *j = running(node, job, attempt);
	struct ent_party *me = j ? ent_job_party(j, node->card.org) : NULL;
	char hex[65];
	if (!j)
		return gone(err);
	ent_hex(hex, commitment, 32);
	ENT_JSON_AUTO fields = json_pack("{s:s,s:s,s:s}", "proposal", j->hash_hex, "component", component, "commitment", hex);
	ENT_TRY(ent_node_append(node, ENT_ENTRY_OUTPUT, fields, NULL, err));
	me->has_output = true;
	memcpy(me->salt, salt, 32);
	memcpy(me->commitment, commitment, 32);
	return 0;
}

static int keep_result(struct ent_node *n, struct ent_job *j, const struct ent_run_result *result, struct ent_err *err)
{
	ent_buf_put(&j->rows, result->rows.data, result->rows.len);
	ENT_TRY(ent_buf_check(&j->rows, err));
	const json_t *released = json_object_get(result->stats, "groups_released");
	j->n_rows = result->n_rows;
	j->released_none = json_is_integer(released) && json_integer_value(released) == 0;
	j->stats = result->stats ? json_deep_copy(result->stats) : NULL;
	if (!j->mine)
		return 0;
	ENT_TRY(ent_node_random(n, j->rows_salt, 32, err));
	ent_commit(j->rows_salt, ent_buf_bytes(&j->rows), j->rows_commitment);
	return 0;
}

static void send_ended(struct ent_node *n, struct ent_job *j)
{
	const struct ent_party *me = ent_job_party(j, n->card.org);
	json_t *msg = ent_job_message(j, "ended");
	char salt[65], commitment[65];
	if (me->has_output) {
		ent_hex(salt, me->salt, 32);
		ent_hex(commitment, me->commitment, 32);
		json_object_set_new(msg, "salt", json_string(salt));
		json_object_set_new(msg, "commitment", json_string(commitment));
	}
	ent_peer_send(n, ent_proposal_text(j, "requester"), msg);
}

/* What went wrong with an owner's rows is the owner's alone: the others learn that, and the log here says what. */
static void veil(struct ent_node *n, struct ent_job *j, struct ent_err *err)
{
	bool local = err->code == ENT_EDATA || err->code == ENT_ENOTFOUND || err->code == ENT_EIO || err->code == ENT_ESQL ||
		     err->code == ENT_EUNSUPPORTED;
	if (j->mine || !local)
		return;
	ent_log(n->env.log, ENT_LOG_ERROR, "local-part", "job=%s what=\"%s\" why=\"%s\"", j->id, err->what, err->why);
	int code = err->code == ENT_EIO || err->code == ENT_ENOTFOUND ? ENT_EIO : ENT_EDATA;
	ent_fail(err, code, "%s could not run its part", n->card.org);
	ent_next(err, "ask %s: its log says why; a changed table is registered again with `entente add NAME --refresh`", n->card.org);
}

static void ended_badly(struct ent_node *n, struct ent_job *j, const struct ent_err *err)
{
	struct ent_err copy = *err;
	veil(n, j, &copy);
	ent_job_abort(n, j, &copy, true);
}

void ent_node_run_ended(struct ent_node *node, const char *job, uint32_t attempt, const struct ent_run_result *result, const struct ent_err *err)
{
	struct ent_err mine = ENT_ERR_INIT;
	struct ent_job *j = ent_job_find(node, job);
	if (!j || !j->runner_busy || j->spec.attempt != attempt)
		return; /* late, or a second time */
	j->runner_busy = false;
	j->seen++;
	if (j->sm.at != ENT_JOB_RUNNING || j->attempt != attempt) {
		ent_job_pump(node);
		return;
	}
	if (err) {
		ended_badly(node, j, err);
	} else if (keep_result(node, j, result, &mine)) {
		ent_job_abort(node, j, &mine, true);
	} else {
		j->runner_ok = true;
		if (!j->mine)
			send_ended(node, j);
		if (j->mine || j->finish_told)
			ent_job_done(node, j);
	}
	ent_job_pump(node);
}
