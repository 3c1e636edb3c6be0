/* Copies and comparisons as the node sees them: it resolves names, hands the work to the runner, tells who asks how far it is, and writes the
 * ledger entry when it ends. A move's end is acknowledged only after its entry is durable. */
#include "node/moves.h"

#include <stdlib.h>

#include "node/catalogue.h"
#include "node/jobs.h"

#define MOVES_MAX 16
#define ENDS_MAX 9
#define WAIT_MS_MAX 30000
#define KEEP_MS 600000
#define REPORTS_MAX ENDS_MAX
#define ROWS_BYTES_MAX ((size_t)1 << 30)

void ent_moving_free(struct ent_moving *m)
{
	json_decref(m->args);
	json_decref(m->ends);
	json_decref(m->reports);
	json_decref(m->result);
	ent_buf_deinit(&m->rows);
	free(m);
}

struct ent_moving *ent_moving_find(struct ent_node *n, const char *id)
{
	for (struct ent_moving *m = n->moves; m; m = m->next)
		if (!strcmp(m->id, id))
			return m;
	return NULL;
}

/* ---- what others read ---- */

static const char *state_of(const struct ent_moving *m)
{
	if (!m->ended)
		return "running";
	return m->error.code ? "failed" : "done";
}

static json_t *error_json(const struct ent_err *err)
{
	if (!err->code)
		return json_null();
	return json_pack("{s:s,s:s,s:s,s:s}", "code", ent_code_name(err->code), "what", err->what, "why", err->why, "next", err->next);
}

static json_t *moving_json(const struct ent_moving *m)
{
	const struct ent_move_note *p = &m->note;
	return json_pack("{s:s,s:s,s:s,s:b,s:I,s:s,s:I,s:I,s:I,s:I,s:I,s:O,s:O?,s:o,s:s}", "id", m->id, "kind", m->kind, "state", state_of(m),
			 "ended", m->ended, "seen", m->seen, "phase", m->phase, "rows", (json_int_t)p->rows, "bytes", (json_int_t)p->bytes,
			 "splits_done", (json_int_t)p->splits_done, "splits", (json_int_t)p->splits, "rows_total", (json_int_t)p->rows_total,
			 "reports", m->reports, "result", m->result, "error", error_json(&m->error), "receipt", m->receipt);
}

static void answer_waiting(struct ent_moving *m, uint64_t now, bool all)
{
	for (struct ent_moving_wait **at = &m->waiting; *at;) {
		struct ent_moving_wait *w = *at;
		if (!all && w->seen == m->seen && now < w->deadline_ms && !m->ended) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		ent_reply_ok(w->reply, moving_json(m));
		free(w);
	}
}

static void changed(struct ent_node *n, struct ent_moving *m)
{
	m->seen++;
	answer_waiting(m, ent_node_mono(n), false);
}

uint64_t ent_moves_tick(struct ent_node *n)
{
	uint64_t now = ent_node_mono(n), due = now + 1000;
	if (!n->moves_recovered && n->env.mesh) {
		n->moves_recovered = true;
		ent_moves_enter_lost(n);
		ent_moves_recover(n);
		ent_streams_recover(n);
	}
	for (struct ent_moving **at = &n->moves; *at;) {
		struct ent_moving *m = *at;
		ent_move_ask_tick(n, m, now);
		answer_waiting(m, now, false);
		for (const struct ent_moving_wait *w = m->waiting; w; w = w->next)
			due = w->deadline_ms < due ? w->deadline_ms : due;
		if (m->ended && !m->waiting && ent_ms_since(now, m->ended_ms) > KEEP_MS) {
			*at = m->next;
			ent_moving_free(m);
		} else {
			at = &m->next;
		}
	}
	return due;
}

void ent_moves_forget(struct ent_node *n, const struct ent_reply *reply)
{
	for (struct ent_moving *m = n->moves; m; m = m->next)
		for (struct ent_moving_wait **at = &m->waiting; *at; at = &(*at)->next)
			if ((*at)->reply == reply) {
				struct ent_moving_wait *w = *at;
				*at = w->next;
				free(w);
				return;
			}
}

void ent_moves_free(struct ent_node *n)
{
	struct ent_err err = ENT_ERR_INIT;
	ent_fail(&err, ENT_EAGAIN, "the node is stopping");
	while (n->moves) {
		struct ent_moving *m = n->moves;
		n->moves = m->next;
		while (m->waiting) {
			struct ent_moving_wait *w = m->waiting;
			m->waiting = w->next;
			ent_reply_err(w->reply, &err);
			free(w);
		}
		ent_moving_free(m);
	}
}

/* ---- starting ---- */

static bool table_name(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.");
	const char *dot = strchr(text, '.');
	return !text[n] && dot && dot > text && dot[1] && !strchr(dot + 1, '.');
}

/* The options of an end: those of the source's registration, then those given now. */
static void put_options(json_t *spec, const json_t *given)
{
	json_t *list = json_object_get(spec, "options"), *one;
	size_t i;
	if (!list) {
		list = json_array();
		json_object_set_new(spec, "options", list);
	}
	json_array_foreach((json_t *)(uintptr_t)given, i, one) json_array_append(list, one);
}

int ent_moving_own_table(struct ent_node *n, const char *table, json_t **ret, struct ent_err *err)
{
	ENT_TRY(ent_source_read(n, table, ret, err));
	json_t *spec = json_pack("{s:s,s:s,s:o}", "url", json_string_value(json_object_get(*ret, "url")), "object",
				 json_string_value(json_object_get(*ret, "object")), "options",
				 json_deep_copy(json_object_get(*ret, "options") ? json_object_get(*ret, "options") : json_array()));
	if (spec && json_object_get(*ret, "secret"))
		json_object_set(spec, "secret", json_object_get(*ret, "secret"));
	json_decref(*ret);
	*ret = spec;
	return spec ? 0 : ent_nomem(err);
}

static bool is_own(const struct ent_node *n, const char *text)
{
	size_t len = strlen(n->card.org);
	return table_name(text) && !strncmp(text, n->card.org, len) && text[len] == '.';
}

/* A table of another member: nothing of its store is known here. */
static bool is_members(struct ent_node *n, const char *text, char org[ENT_ORG_MAX + 1])
{
	size_t len = strcspn(text, ".");
	char name[ENT_ORG_MAX + 1];
	if (!table_name(text) || len > ENT_ORG_MAX)
		return false;
	snprintf(name, sizeof name, "%.*s", (int)len, text);
	if (!ent_member_find(n, name))
		return false;
	memcpy(org, name, sizeof name);
	return true;
}

static json_t *no_store(const char *name) { return json_pack("{s:s,s:s,s:s,s:[]}", "url", "", "object", "", "name", name, "options"); }

/* The rows of a joint job's result, asked for as frames. */
static int job_rows(struct ent_node *n, struct ent_moving *m, const char *id, struct ent_err *err)
{
	struct ent_bytes rows;
	ENT_TRY(ent_jobs_rows(n, id, &rows, err));
	ent_buf_put(&m->rows, rows.data, rows.len);
	return ent_buf_check(&m->rows, err);
}

/* One end: {name, url, object, options, secret?, made_secret?}. */
static int resolve(struct ent_node *n, struct ent_moving *m, const char *text, const json_t *options, const char *secret, struct ent_err *err)
{
	json_t *spec = NULL;
	char name[64];
	bool first = !json_array_size(m->ends);
	if (first && !strncmp(text, "job:", 4)) {
		ENT_TRY(job_rows(n, m, text + 4, err));
		spec = no_store(text);
	} else if (is_members(n, text, m->peer)) {
		if (!first || strcmp(m->kind, "copy") != 0)
			return ent_fail(err, ENT_EUNSUPPORTED, "%.100s belongs to another member: it can only be the source of a copy", text);
		spec = no_store(text);
	} else if (is_own(n, text)) {
		ENT_TRY(ent_moving_own_table(n, strchr(text, '.') + 1, &spec, err));
		json_object_set_new(spec, "name", json_string(text));
	} else {
		spec = json_object();
		snprintf(name, sizeof name, "move-%s-%zu", m->id, json_array_size(m->ends));
		int r = ent_source_text_parse(n, name, text, secret, spec, NULL, err);
		const char *url = json_string_value(json_object_get(spec, "url")), *object = json_string_value(json_object_get(spec, "object"));
		if (r) {
			json_decref(spec);
			return r;
		}
		json_object_set_new(spec, "name", *object ? json_sprintf("%s#%s", url, object) : json_string(url));
		if (json_object_get(spec, "secret"))
			json_object_set_new(spec, "made_secret", json_true());
	}
	put_options(spec, options);
	return json_array_append_new(m->ends, spec) ? ent_nomem(err) : 0;
}

static int resolve_all(struct ent_node *n, struct ent_moving *m, const json_t *args, struct ent_err *err)
{
	const char *source;
	json_t *targets;
	ENT_TRY(ent_json_str(args, "source", &source, err));
	ENT_TRY(ent_json_array(args, "targets", &targets, err));
	size_t count = json_array_size(targets);
	if (!count || count >= ENDS_MAX)
		return ent_fail(err, ENT_EUSAGE, "a move has 1 to %d targets", ENDS_MAX - 1);
	ENT_TRY(resolve(n, m, source, json_object_get(args, "source_options"), json_string_value(json_object_get(args, "source_secret")), err));
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(targets, i));
		if (!text)
			return ent_fail(err, ENT_EUSAGE, "targets are texts");
		ENT_TRY(resolve(n, m, text, json_object_get(args, "target_options"), json_string_value(json_object_get(args, "target_secret")), err));
	}
	return 0;
}

static int spec_make(struct ent_arena *arena, const struct ent_moving *m, struct ent_move_spec *ret, struct ent_err *err)
{
	size_t n = json_array_size(m->ends);
	struct ent_source_spec *ends = ENT_NEWS(arena, n + 1, struct ent_source_spec);
	const char **names = (const char **)ent_arena_get(arena, n + 1, sizeof *names);
	if (!ends || !names)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++) {
		const json_t *end = json_array_get(m->ends, i);
		ENT_TRY(ent_source_spec_make(arena, end, &ends[i], err));
		names[i] = json_string_value(json_object_get(end, "name"));
	}
	*ret = (struct ent_move_spec){ .id = m->id,
				       .kind = m->kind,
				       .args = m->args,
				       .ends = ends,
				       .names = names,
				       .n_ends = n,
				       .peer = m->peer,
				       .link = m->link,
				       .rows = ent_buf_bytes(&m->rows) };
	return 0;
}

int ent_moving_hand_over(struct ent_node *n, const struct ent_moving *m, struct ent_err *err)
{
	ENT_CLEANUP(ent_arena_freep) struct ent_arena *arena = ent_arena_new(4 << 20);
	struct ent_move_spec spec;
	if (!arena)
		return ent_nomem(err);
	if (!n->env.runner || !n->env.runner->ops->move)
		return ent_fail(err, ENT_ENONODE, "nothing here can move tables");
	ENT_TRY(spec_make(arena, m, &spec, err));
	ENT_TRY(ent_moving_note(n, m, err));
	int r = n->env.runner->ops->move(n->env.runner, &spec, err);
	if (r)
		(void)ent_moving_unnote(n, m->id, NULL);
	return r;
}

static void drop_secrets(struct ent_node *n, const struct ent_moving *m)
{
	size_t i;
	const json_t *end;
	json_array_foreach(m->ends, i, end) if (json_is_true(json_object_get(end, "made_secret")))(void)
		n->env.fs->ops->remove(n->env.fs, json_string_value(json_object_get(end, "secret")), NULL);
}

int ent_moving_new(struct ent_node *n, const char *kind, struct ent_moving **ret, struct ent_err *err)
{
	uint8_t id[8];
	ENT_TRY(ent_node_random(n, id, sizeof id, err));
	struct ent_moving *m = ent_alloc(1, sizeof *m);
	if (!m)
		return ent_nomem(err);
	*m = (struct ent_moving){ .args = json_object(),
				  .ends = json_array(),
				  .reports = json_array(),
				  .note = { .rows_total = -1 },
				  .error = ENT_ERR_INIT,
				  .rows = ENT_BUF(ROWS_BYTES_MAX) };
	if (!m->args || !m->ends || !m->reports) {
		ent_moving_free(m);
		return ent_nomem(err);
	}
	snprintf(m->kind, sizeof m->kind, "%s", kind);
	ent_hex(m->id, id, sizeof id);
	*ret = m;
	return 0;
}

void ent_moving_add(struct ent_node *n, struct ent_moving *m)
{
	m->next = n->moves;
	n->moves = m;
}

static size_t running(const struct ent_node *n)
{
	size_t count = 0;
	for (const struct ent_moving *m = n->moves; m; m = m->next)
		count += !m->ended;
	return count;
}

int ent_moving_prepare(struct ent_node *n, struct ent_moving *m, const json_t *args, struct ent_err *err)
{
	static const char *const hidden[] = { "source", "targets", "source_options", "target_options", "source_secret", "target_secret", "kind" };
	if (running(n) >= MOVES_MAX)
		return ent_fail(err, ENT_EAGAIN, "%d moves run already", MOVES_MAX), ent_next(err, "wait for one to end"), ENT_EAGAIN;
	json_object_update(m->args, (json_t *)(uintptr_t)args);
	for (size_t i = 0; i < ENT_COUNT(hidden); i++)
		json_object_del(m->args, hidden[i]);
	json_object_set_new(m->args, "owner", json_sprintf("entente-%s-", n->card.org));
	return resolve_all(n, m, args, err);
}

static int begin(struct ent_node *n, struct ent_moving *m, const json_t *args, struct ent_err *err)
{
	ent_moves_enter_lost(n);
	ENT_TRY(ent_moving_prepare(n, m, args, err));
	ENT_TRY(ent_moving_note(n, m, err));
	if (json_array_size(m->ends) > 2 && ent_moves_in_doubt(n))
		ent_moves_recover(n);
	if (json_array_size(m->ends) > 2 && !strcmp(m->kind, "copy") && !json_is_true(json_object_get(m->args, "dry_run"))) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(1 << 20);
		ENT_TRY(ent_json_canonical(m->ends, &text, err));
		ENT_TRY(ent_db_run(n->db, err, "INSERT OR REPLACE INTO meta(key, value) VALUES('doubt/' || ?, ?)", "ss", m->id, ent_buf_text(&text)));
	}
	return m->peer[0] ? ent_move_ask(n, m, err) : ent_moving_hand_over(n, m, err);
}

static int undoubted(struct ent_node *n, const char *id) { return ent_db_run(n->db, NULL, "DELETE FROM meta WHERE key = 'doubt/' || ?", "s", id); }

void ent_verb_move_start(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	const char *kind;
	if (!ent_arg_text(args, "kind", true, &kind, reply))
		return;
	bool known = !strcmp(kind, "copy") || !strcmp(kind, "compare") || !strcmp(kind, "prepare") || !strcmp(kind, "replicate");
	struct ent_moving *m = NULL;
	int r = known ? ent_moving_new(n, kind, &m, &err) : ent_fail(&err, ENT_EUSAGE, "no move of kind \"%.20s\"", kind);
	if (!r)
		r = begin(n, m, args, &err);
	if (r || !m) {
		ent_reply_err(reply, &err);
		if (m) {
			(void)undoubted(n, m->id);
			(void)ent_moving_unnote(n, m->id, NULL);
			drop_secrets(n, m);
			ent_moving_free(m);
		}
		return;
	}
	ent_moving_add(n, m);
	ent_reply_ok(reply, json_pack("{s:s}", "move", m->id));
}

static struct ent_moving *move_arg(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	const char *id;
	if (!ent_arg_text(args, "id", true, &id, reply))
		return NULL;
	struct ent_moving *m = ent_moving_find(n, id);
	if (m)
		return m;
	ent_fail(&err, ENT_ENOTFOUND, "no move %.40s is known here", id);
	ent_next(&err, "what ended is kept for ten minutes");
	ent_reply_err(reply, &err);
	return NULL;
}

void ent_verb_move(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_moving *m = move_arg(n, args, reply);
	json_int_t seen = json_integer_value(json_object_get(args, "seen")), wait = json_integer_value(json_object_get(args, "wait_ms"));
	if (!m)
		return;
	if (m->ended || seen != m->seen || wait <= 0) {
		ent_reply_ok(reply, moving_json(m));
		return;
	}
	struct ent_moving_wait *w = ent_alloc(1, sizeof *w);
	if (!w) {
		ent_reply_ok(reply, moving_json(m));
		return;
	}
	uint64_t wait_ms = (uint64_t)(wait < WAIT_MS_MAX ? wait : WAIT_MS_MAX);
	*w = (struct ent_moving_wait){ m->waiting, reply, ent_node_mono(n) + wait_ms, seen };
	m->waiting = w;
}

void ent_verb_move_cancel(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_moving *m = move_arg(n, args, reply);
	if (!m)
		return;
	if (m->asked_ms && !m->ended) {
		struct ent_err err = ENT_ERR_INIT;
		ent_fail(&err, ENT_ECANCELLED, "interrupted");
		ent_node_move_ended(n, m->id, NULL, &err);
	} else if (!m->ended && n->env.runner->ops->move_cancel)
		n->env.runner->ops->move_cancel(n->env.runner, m->id);
	ent_reply_ok(reply, json_pack("{s:s,s:s}", "id", m->id, "state", state_of(m)));
}

void ent_verb_moves(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	json_t *list = json_array();
	(void)args;
	for (const struct ent_moving *m = n->moves; m; m = m->next)
		json_array_append_new(list, moving_json(m));
	ent_reply_ok(reply, json_pack("{s:o}", "moves", list));
}

/* ---- events ---- */

void ent_node_move_progress(struct ent_node *node, const char *id, const struct ent_move_note *note)
{
	struct ent_moving *m = ent_moving_find(node, id);
	if (!m || m->ended)
		return;
	snprintf(m->phase, sizeof m->phase, "%s", note->phase ? note->phase : "");
	m->note = *note;
	m->note.phase = NULL;
	changed(node, m);
}

void ent_node_move_report(struct ent_node *node, const char *id, const json_t *report)
{
	struct ent_moving *m = ent_moving_find(node, id);
	if (!m || m->ended)
		return;
	if (!strcmp(m->kind, "replicate")) { /* its state, over and over */
		json_decref(m->result);
		m->result = json_deep_copy(report);
	} else if (json_array_size(m->reports) < REPORTS_MAX) {
		json_array_append_new(m->reports, json_deep_copy(report));
	}
	changed(node, m);
}

const char *ent_moving_end(const struct ent_moving *m, size_t i)
{
	const char *s = json_string_value(json_object_get(json_array_get(m->ends, i), "name"));
	return s ? s : "";
}

json_t *ent_moving_targets(const struct ent_moving *m)
{
	json_t *list = json_array();
	for (size_t i = 1; i < json_array_size(m->ends); i++)
		json_array_append_new(list, json_string(ent_moving_end(m, i)));
	return list;
}

int ent_node_move_decide(struct ent_node *node, const char *id, const char *name, struct ent_err *err)
{
	struct ent_moving *m = ent_moving_find(node, id);
	if (!m || m->ended)
		return ent_fail(err, ENT_ECANCELLED, "the copy is not running any more");
	ENT_JSON_AUTO fields = json_pack("{s:s,s:s,s:o}", "decision", name, "source", ent_moving_end(m, 0), "targets", ent_moving_targets(m));
	return fields ? ent_node_append(node, ENT_ENTRY_COPY, fields, NULL, err) : ent_nomem(err);
}

static void copy_members(const json_t *from, json_t *to, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (json_object_get(from, keys[i]))
			json_object_set(to, keys[i], json_object_get(from, keys[i]));
}

int ent_moving_commit_to(struct ent_node *n, const json_t *content, json_t *fields, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(4 << 20);
	uint8_t commitment[ENT_HASH_BYTES];
	char hex[65];
	ENT_TRY(ent_json_canonical(content, &text, err));
	ENT_TRY(ent_content_put(&n->content, ent_buf_bytes(&text), commitment, err));
	ent_hex(hex, commitment, sizeof commitment);
	return json_object_set_new(fields, "commitment", json_string(hex)) ? ent_nomem(err) : 0;
}

/* What the entry names by a salted commitment only: conditions hold row values, and digests can be guessed from few rows. */
static int put_commitment(struct ent_node *n, const struct ent_moving *m, json_t *fields, struct ent_err *err)
{
	static const char *const asked[] = { "columns", "keys", "where", "where_target", "allow_lossy", "rules" };
	static const char *const found[] = { "digest", "digest_a", "digest_b", "digest_in" };
	ENT_JSON_AUTO content = json_pack("{s:O}", "reports", m->reports);
	copy_members(m->args, content, asked, ENT_COUNT(asked));
	copy_members(m->result, content, found, ENT_COUNT(found));
	return ent_moving_commit_to(n, content, fields, err);
}

/* How the entry of a move goes on that ended, with what it found. */
static json_t *ended_fields(const struct ent_moving *m, const struct ent_err *failed, const char *const *found, size_t n)
{
	json_t *fields = ent_moving_fields(m);
	json_object_set_new(fields, "outcome", json_string(failed ? "aborted" : "done"));
	if (failed)
		json_object_set_new(fields, "code", json_string(ent_code_name(failed->code)));
	copy_members(m->result, fields, found, n);
	return fields;
}

static int enter_copy(struct ent_node *n, struct ent_moving *m, const struct ent_err *failed, uint64_t *ret_at, struct ent_err *err)
{
	static const char *const found[] = { "job", "rows", "splits", "wire" };
	ENT_JSON_AUTO fields = ended_fields(m, failed, found, ENT_COUNT(found));
	if (!fields)
		return ent_nomem(err);
	ENT_TRY(put_commitment(n, m, fields, err));
	return ent_node_append(n, ENT_ENTRY_COPY, fields, ret_at, err);
}

static int enter_compare(struct ent_node *n, struct ent_moving *m, uint64_t *ret_at, struct ent_err *err)
{
	static const char *const found[] = { "equal", "rows_a", "rows_b", "in_stores" };
	ENT_JSON_AUTO fields = json_pack("{s:s,s:s}", "a", ent_moving_end(m, 0), "b", ent_moving_end(m, 1));
	if (!fields)
		return ent_nomem(err);
	copy_members(m->result, fields, found, ENT_COUNT(found));
	ENT_TRY(put_commitment(n, m, fields, err));
	return ent_node_append(n, ENT_ENTRY_COMPARE, fields, ret_at, err);
}

static int enter_prepare(struct ent_node *n, struct ent_moving *m, const struct ent_err *failed, uint64_t *ret_at, struct ent_err *err)
{
	static const char *const found[] = { "job", "rules", "rows_in", "rows_out" };
	ENT_JSON_AUTO fields = ended_fields(m, failed, found, ENT_COUNT(found));
	if (!fields)
		return ent_nomem(err);
	ENT_TRY(put_commitment(n, m, fields, err));
	return ent_node_append(n, ENT_ENTRY_PREPARE, fields, ret_at, err);
}

/* Our rows went to a member, or did not. */
static int enter_served(struct ent_node *n, struct ent_moving *m, const struct ent_err *failed, uint64_t *ret_at, struct ent_err *err)
{
	ENT_JSON_AUTO fields = ended_fields(m, failed, (const char *const[]){ "rows" }, 1);
	if (!fields)
		return ent_nomem(err);
	if (!json_object_get(fields, "rows"))
		json_object_set_new(fields, "rows", json_integer((json_int_t)m->note.rows));
	return ent_node_append(n, ENT_ENTRY_COPY, fields, ret_at, err);
}

/* Streams are entered by batches; what moved no row, and nobody else was asked for, needs no entry. */
static bool to_enter(const struct ent_moving *m, bool failed)
{
	bool moved = json_integer_value(json_object_get(m->result, "rows")) > 0;
	if (json_is_true(json_object_get(m->args, "dry_run")) || !strcmp(m->kind, "settle") || strstr(m->kind, "replicate"))
		return false;
	return !failed || !strcmp(m->kind, "serve") || (strcmp(m->kind, "compare") != 0 && (moved || m->request[0]));
}

static int enter(struct ent_node *n, struct ent_moving *m, const struct ent_err *failed, struct ent_err *err)
{
	uint64_t at = 0;
	if (!to_enter(m, failed != NULL))
		return 0;
	if (!strcmp(m->kind, "prepare"))
		ENT_TRY(enter_prepare(n, m, failed, &at, err));
	else if (!strcmp(m->kind, "compare"))
		ENT_TRY(enter_compare(n, m, &at, err));
	else if (!strcmp(m->kind, "serve"))
		ENT_TRY(enter_served(n, m, failed, &at, err));
	else
		ENT_TRY(enter_copy(n, m, failed, &at, err));
	snprintf(m->receipt, sizeof m->receipt, "%s/%llu", n->card.org, (unsigned long long)at);
	return 0;
}

static void settled(struct ent_node *n, const struct ent_moving *m, bool failed)
{
	const char *which = !strcmp(m->kind, "settle") ? json_string_value(json_object_get(m->args, "doubt")) : m->id;
	if (failed && (json_array_size(m->ends) > 2 || !strcmp(m->kind, "settle")))
		return; /* somebody may still be in doubt: kept for the next start */
	(void)undoubted(n, which ? which : "");
	drop_secrets(n, m);
}

void ent_node_move_ended(struct ent_node *node, const char *id, const json_t *result, const struct ent_err *err)
{
	struct ent_moving *m = ent_moving_find(node, id);
	struct ent_err mine = ENT_ERR_INIT;
	if (!m || m->ended)
		return;
	if (result || !strstr(m->kind, "replicate")) {
		json_decref(m->result);
		m->result = result ? json_deep_copy(result) : NULL;
	}
	if (!enter(node, m, err, &mine))
		(void)ent_moving_unnote(node, m->id, NULL);
	else if (!err)
		err = &mine;
	if (err)
		m->error = *err;
	settled(node, m, err != NULL);
	m->ended = true;
	if (strstr(m->kind, "replicate"))
		ent_stream_ended(node, m, err);
	m->ended_ms = ent_node_mono(node);
	ent_log(node->env.log, ENT_LOG_INFO, "move", "kind=%s id=%s state=%s rows=%llu", m->kind, m->id, state_of(m),
		(unsigned long long)m->note.rows);
	changed(node, m);
}

/* ---- after a crash ---- */

int ent_moves_apply(struct ent_node *n, uint64_t at, const json_t *body, struct ent_err *err)
{
	const char *name = json_string_value(json_object_get(body, "decision")), *move = json_string_value(json_object_get(body, "move"));
	const json_t *id;
	size_t i;
	json_array_foreach(json_object_get(body, "grants"), i, id)
	{
		char org[ENT_ORG_MAX + 1];
		uint64_t grant;
		if (!json_is_string(id) || !ent_entry_id_parse(json_string_value(id), org, &grant) || strcmp(org, n->card.org) != 0)
			continue;
		ENT_TRY(ent_db_run(n->db, err, "INSERT OR IGNORE INTO used(grant_at, run_at) VALUES(?, ?)", "ii", (int64_t)grant, (int64_t)at));
		n->uses_counter++;
	}
	if (move)
		ENT_TRY(ent_moving_unnote(n, move, err));
	return name ? ent_db_run(n->db, err, "INSERT OR REPLACE INTO meta(key, value) VALUES('decision/' || ?, 1)", "s", name) : 0;
}

static json_t *decisions(struct ent_node *n)
{
	ENT_ST st = { 0 };
	json_t *list = json_array();
	if (ent_db_query(n->db, &st, NULL, "SELECT substr(key, 10) FROM meta WHERE key >= 'decision/' AND key < 'decision0'", ""))
		return list;
	while (ent_st_next(&st, NULL) > 0)
		json_array_append_new(list, json_string(ent_st_text(&st, 0)));
	return list;
}

static bool settle_one(struct ent_node *n, const char *doubt, const char *ends)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_moving *m;
	if (ent_moving_new(n, "settle", &m, &err))
		return false;
	json_decref(m->ends);
	m->ends = NULL;
	json_object_set_new(m->args, "doubt", json_string(doubt));
	json_object_set_new(m->args, "committed", decisions(n));
	json_object_set_new(m->args, "owner", json_sprintf("entente-%s-", n->card.org));
	if (ent_json_parse(ent_bytes_str(ends), 1 << 20, &m->ends, &err) || ent_moving_hand_over(n, m, &err)) {
		ent_log(n->env.log, ENT_LOG_WARN, "move", "doubt=%s what=\"%s\"", doubt, err.what);
		ent_moving_free(m);
		return false;
	}
	ent_moving_add(n, m);
	return true;
}

size_t ent_moves_in_doubt(struct ent_node *n)
{
	ENT_ST st = { 0 };
	if (ent_db_query(n->db, &st, NULL, "SELECT COUNT(*) FROM meta WHERE key >= 'doubt/' AND key < 'doubt0'", "") || ent_st_next(&st, NULL) <= 0)
		return 0;
	return (size_t)ent_st_int(&st, 0);
}

void ent_moves_recover(struct ent_node *n)
{
	ENT_JSON_AUTO list = json_array();
	size_t i;
	const json_t *one;
	if (running(n) || !n->env.runner || !n->env.runner->ops->move)
		return;
	{
		ENT_ST st = { 0 };
		if (ent_db_query(n->db, &st, NULL, "SELECT substr(key, 7), value FROM meta WHERE key >= 'doubt/' AND key < 'doubt0'", ""))
			return;
		while (ent_st_next(&st, NULL) > 0)
			json_array_append_new(list, json_pack("[s,s]", ent_st_text(&st, 0), ent_st_text(&st, 1)));
	}
	json_array_foreach(list, i, one)(void) settle_one(n, json_string_value(json_array_get(one, 0)), json_string_value(json_array_get(one, 1)));
}
