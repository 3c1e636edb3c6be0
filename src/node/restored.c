/* A restored home knows only what stood in its backup. Until the members say what they witnessed last, it appends nothing: an entry more would fork
 * a log that others have seen further. What a member shows is our own signed checkpoint, so nobody can stop us by a mere word. */
#include "node/core.h"
#include "node/jobs.h"

#define MARK_PATH "restored"
#define ASK_AGAIN_MS 5000

int ent_restored_mark(struct ent_fs *fs, struct ent_err *err) { return ent_fs_replace(fs, MARK_PATH, ent_bytes_str("ask\n"), 0600, err); }

int ent_restored_refuse(const struct ent_node *n, struct ent_err *err)
{
	if (n->restored == ENT_RESTORED_BEHIND) {
		ent_fail(err, ENT_EVERIFY, "this home was restored from an old backup: entries are missing");
		ent_why(err, "%s witnessed %llu entries of %s, this home has %llu; going on would fork the ledger", n->restored_by,
			(unsigned long long)n->restored_size, n->card.org, (unsigned long long)ent_ledger_size(n->ledger));
		return ent_next(err, "restore a newer backup; if there is none, init a new home and let the others `trust --replace` its card");
	}
	ent_fail(err, ENT_EAGAIN, "this home was restored from a backup and has not yet heard what the members witnessed last");
	return ent_next(err, "run `entente serve` and wait until %u of the members answered: entente doctor", ent_quorum((unsigned)n->n_members));
}

static void release(struct ent_node *n)
{
	struct ent_err err = ENT_ERR_INIT;
	int r = n->env.fs->ops->remove(n->env.fs, MARK_PATH, &err);
	if (!r)
		r = n->env.fs->ops->sync_dir(n->env.fs, ".", &err);
	if (!r)
		n->restored = ENT_RESTORED_NO;
	if (!r)
		r = ent_jobs_recover(n, &err);
	if (r)
		ent_log(n->env.log, ENT_LOG_ERROR, "restore", "what=\"%s\"", err.what);
	else
		ent_log(n->env.log, ENT_LOG_INFO, "restored", "entries=%llu members=%zu", (unsigned long long)ent_ledger_size(n->ledger),
			n->n_members);
}

/* Our checkpoint in the note, if our log key signed it. */
static int own_checkpoint(struct ent_node *n, const char *text, struct ent_checkpoint *ret, struct ent_err *err)
{
	struct ent_note note;
	struct ent_note_key key = { .alg = ENT_NOTE_ED25519 };
	snprintf(key.name, sizeof key.name, "%s", n->card.origin);
	memcpy(key.pub, n->card.keys[ENT_KEY_LOG], ENT_PUB_BYTES);
	ENT_TRY(ent_note_parse(ent_bytes_str(text), &note, err));
	ENT_TRY(ent_checkpoint_parse(note.text, true, ret, err));
	if (strcmp(ret->origin, n->card.origin) != 0)
		return ent_fail(err, ENT_EVERIFY, "a checkpoint of another log");
	for (size_t i = 0; i < note.line_count; i++)
		if (ent_note_line_is(&note.lines[i], &key))
			return ent_note_check_line(note.text, &note.lines[i], &key, NULL, err);
	return ent_fail(err, ENT_EVERIFY, "a checkpoint that we did not sign");
}

static void behind(struct ent_node *n, const char *org, uint64_t size, const char *text)
{
	struct ent_err err = ENT_ERR_INIT;
	n->restored = ENT_RESTORED_BEHIND;
	n->restored_size = size;
	snprintf(n->restored_by, sizeof n->restored_by, "%s", org);
	ENT_JSON_AUTO mark = json_pack("{s:s,s:I,s:s}", "org", org, "size", (json_int_t)size, "note", text);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(1 << 20);
	int r = mark ? ent_json_canonical(mark, &bytes, &err) : ent_nomem(&err);
	if (!r)
		r = ent_fs_replace(n->env.fs, MARK_PATH, ent_buf_bytes(&bytes), 0600, &err);
	ent_restored_refuse(n, &err);
	ent_log(n->env.log, ENT_LOG_ERROR, "rolled-back", "org=%s witnessed=%llu here=%llu what=\"%s\" next=\"%s\"", org, (unsigned long long)size,
		(unsigned long long)ent_ledger_size(n->ledger), err.what, err.next);
}

static bool same_tree(struct ent_node *n, const struct ent_checkpoint *c)
{
	ent_hash root;
	return c->size <= ent_ledger_size(n->ledger) && !ent_ledger_root(n->ledger, c->size, &root, NULL) && !memcmp(&root, &c->root, sizeof root);
}

/* Of n members k cosign what counts, f of whom may lie. Those who forgot nothing must be so many that one honest cosigner is among them whoever the
 * cosigners were: n - k + f + 1. Who was restored as well only helps to fill the quorum, or two that were restored at once would wait for each other
 * for ever. */
static void vouched(struct ent_node *n, struct ent_member *m, bool weakly)
{
	size_t have = 0, weak = 0, of = n->n_members, quorum = ent_quorum((unsigned)of), liars = of ? (of - 1) / 3 : 0;
	m->vouched = m->vouched || !weakly;
	m->vouched_weakly = weakly;
	for (size_t i = 0; i < of; i++) {
		have += n->members[i].vouched;
		weak += !n->members[i].vouched && n->members[i].vouched_weakly;
	}
#ifdef ENT_MUTANT_RESTORED_VOUCH
	have += weak;
#endif
	if (have + weak >= quorum && have >= of - quorum + liars + 1)
		release(n);
}

void ent_restored_answer(struct ent_node *n, struct ent_member *m, const json_t *msg)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_checkpoint c;
	const char *text;
	if (n->restored != ENT_RESTORED_ASKING || ent_json_str(msg, "note", &text, NULL))
		return;
	bool weakly = json_is_true(json_object_get(msg, "restored"));
	if (!*text) { /* it never witnessed anything of ours */
		vouched(n, m, weakly);
	} else if (own_checkpoint(n, text, &c, &err)) {
		ent_peer_complain(n, m->card.org, "checkpoint-refused", err.what);
#ifdef ENT_MUTANT_RESTORE_BLIND
	} else if (true) {
		vouched(n, m, weakly);
#endif
	} else if (same_tree(n, &c)) {
		vouched(n, m, weakly);
	} else {
		behind(n, m->card.org, c.size, text);
	}
}

/* The other side: a member asks what we witnessed of its log. */
void ent_restored_asked(struct ent_node *n, struct ent_member *m, const json_t *msg)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf note = ENT_BUF(ENT_NOTE_BYTES_MAX);
	(void)msg;
	int r = ent_witness_last(n->witness, m->card.origin, &note, NULL);
	if (!r || r == ENT_ENOTFOUND) /* one that was restored tells what it still knows, and that it may be old */
		ent_peer_send(n, m->card.org,
			      json_pack("{s:s,s:s,s:b}", "type", "witnessed", "note", r ? "" : ent_buf_text(&note), "restored",
					n->restored != ENT_RESTORED_NO));
}

void ent_restored_ask(struct ent_node *n, struct ent_member *m)
{
	if (n->restored == ENT_RESTORED_ASKING && !m->vouched)
		ent_peer_send(n, m->card.org, json_pack("{s:s}", "type", "witnessed?"));
}

void ent_restored_tick(struct ent_node *n, uint64_t now)
{
	if (n->restored != ENT_RESTORED_ASKING || ent_ms_since(now, n->restored_asked_ms) < ASK_AGAIN_MS)
		return;
	n->restored_asked_ms = now;
	for (size_t i = 0; i < n->n_members; i++)
		if (n->members[i].up)
			ent_restored_ask(n, &n->members[i]);
}

int ent_restored_open(struct ent_node *n, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(1 << 20);
	ENT_JSON_AUTO mark = NULL;
	const char *org;
	int64_t size;
	int r = ent_fs_read(n->env.fs, MARK_PATH, 1 << 20, &text, err);
	if (r == ENT_ENOTFOUND)
		return 0;
	ENT_TRY(r);
	n->restored = ENT_RESTORED_ASKING;
	if (!ent_json_parse(ent_buf_bytes(&text), 1 << 20, &mark, NULL) && !ent_json_str(mark, "org", &org, NULL) &&
	    !ent_json_int(mark, "size", 0, INT64_MAX / 2, &size, NULL)) {
		n->restored = ENT_RESTORED_BEHIND;
		n->restored_size = (uint64_t)size;
		snprintf(n->restored_by, sizeof n->restored_by, "%s", org);
	}
	if (!n->n_members && n->restored == ENT_RESTORED_ASKING) /* nobody ever witnessed this log */
		release(n);
	return 0;
}
