/* Snapshots. `backup` gives all of HOME that cannot be derived again as one file; `restore` makes a home of it. A restored node appends
 * nothing before its peers have told the last checkpoint of ours that they cosigned: an old backup must not fork the ledger.
 *
 *   entente-backup/v1
 *   PATH SIZE        followed by SIZE bytes and a newline, for each file
 * It holds the keys: keep it like them. */
#include "node/core.h"

#include <stdlib.h>

#define BACKUP_MAGIC "entente-backup/v1\n"
#define BACKUP_FILE_MAX ((size_t)1 << 30)
#define MARK_PATH "restored"

struct walk {
	struct ent_node *n;
	const char *dir;
	int depth; /* folders below dir that are walked, too */
	struct ent_buf *out;
	struct ent_err *err;
	int code;
};

static int put_file(struct ent_node *n, const char *path, struct ent_buf *out, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(BACKUP_FILE_MAX);
	ENT_TRY(ent_fs_read(n->env.fs, path, BACKUP_FILE_MAX, &bytes, err));
	ent_buf_printf(out, "%s %zu\n", path, bytes.len);
	ent_buf_put(out, bytes.data, bytes.len);
	ent_buf_u8(out, '\n');
	return ent_buf_check(out, err);
}

static int put_dir(struct ent_node *n, const char *dir, int depth, struct ent_buf *out, struct ent_err *err);

static void put_name(void *arg, const char *name)
{
	struct walk *w = arg;
	char path[512];
	if (w->code || (size_t)snprintf(path, sizeof path, "%s/%s", w->dir, name) >= sizeof path)
		return;
	w->code = w->depth ? put_dir(w->n, path, w->depth - 1, w->out, w->err) : put_file(w->n, path, w->out, w->err);
}

static int put_dir(struct ent_node *n, const char *dir, int depth, struct ent_buf *out, struct ent_err *err)
{
	struct walk w = { .n = n, .dir = dir, .depth = depth, .out = out, .err = err };
	int r = n->env.fs->ops->list(n->env.fs, dir, put_name, &w, err);
	if (r == ENT_ENOTFOUND)
		return 0;
	return r ? r : w.code;
}

/* Tiles are derived from segments; node.db is whole in its file once the write-ahead log is folded in. */
static int put_home(struct ent_node *n, struct ent_buf *out, struct ent_err *err)
{
	static const struct {
		const char *path;
		int depth;
	} dirs[] = { { "keys", 0 }, { "secrets", 0 }, { "witness", 0 }, { "ledger/segment", 0 }, { "ledger/content", 1 } };
	static const char *const files[] = { "card.json", "ledger/signed", "ledger/checkpoint", "node.db", ENT_CONF_PATH };
	ent_buf_str(out, BACKUP_MAGIC);
	ENT_TRY(ent_db_exec(n->db, "PRAGMA wal_checkpoint(TRUNCATE)", err));
	for (size_t i = 0; i < ENT_COUNT(dirs); i++)
		ENT_TRY(put_dir(n, dirs[i].path, dirs[i].depth, out, err));
	for (size_t i = 0; i < ENT_COUNT(files); i++)
		ENT_TRY(put_file(n, files[i], out, err));
	return 0;
}

void ent_verb_backup(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(ENT_HTTP_BODY_MAX);
	ENT_JSON_AUTO empty = json_object();
	(void)args;
	if (put_home(n, &out, &err)) {
		if (err.code == ENT_ENOMEM)
			ent_next(&err, "a home beyond %u MB is copied as a folder, with the node stopped", ENT_HTTP_BODY_MAX >> 20);
		ent_reply_err(reply, &err);
		return;
	}
	reply->done(reply, empty, ent_buf_bytes(&out), NULL);
}

/* ---- restore ---- */

static int damaged(struct ent_err *err) { return ent_fail(err, ENT_EDATA, "this is no backup of entente, or it is damaged"); }

static bool path_safe(const char *path) { return *path && *path != '/' && !strstr(path, "..") && !strstr(path, "//"); }

static int restore_file(struct ent_fs *fs, struct ent_reader *in, struct ent_err *err)
{
	char line[600], dir[512];
	const uint8_t *nl = memchr(in->at, '\n', ent_reader_left(in));
	size_t len = nl ? (size_t)(nl - in->at) : sizeof line;
	uint64_t size;
	if (len >= sizeof line)
		return damaged(err);
	memcpy(line, ent_read(in, len + 1).data, len);
	line[len] = 0;
	char *blank = strrchr(line, ' ');
	if (!blank || !ent_parse_u64(blank + 1, strlen(blank + 1), BACKUP_FILE_MAX, &size) || size + 1 > ent_reader_left(in))
		return damaged(err);
	*blank = 0;
	struct ent_bytes bytes = ent_read(in, (size_t)size);
	if (ent_read_u8(in) != '\n' || !path_safe(line))
		return damaged(err);
	const char *slash = strrchr(line, '/');
	snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - line) : 0, line);
	if (slash)
		ENT_TRY(fs->ops->mkdir(fs, dir, 0700, err));
	return ent_fs_replace(fs, line, bytes, 0600, err);
}

int ent_node_restore(const struct ent_node_env *env, struct ent_bytes backup, struct ent_err *err)
{
	size_t magic = strlen(BACKUP_MAGIC);
	if (ent_fs_exists(env->fs, ENT_CONF_PATH)) {
		ent_fail(err, ENT_ECONFIG, "this folder is the home of a node already");
		return ent_next(err, "restore into a new folder: -C HOME");
	}
	if (backup.len < magic || memcmp(backup.data, BACKUP_MAGIC, magic) != 0)
		return damaged(err);
	struct ent_reader in = ent_reader(ent_bytes(backup.data + magic, backup.len - magic));
	ENT_TRY(ent_fs_replace(env->fs, MARK_PATH, ent_bytes_str("waits for the peers' last checkpoints\n"), 0600, err));
	while (ent_reader_left(&in)) /* the configuration comes last: before it, this is no home */
		ENT_TRY(restore_file(env->fs, &in, err));
	return ent_fs_exists(env->fs, ENT_CONF_PATH) ? 0 : damaged(err);
}

/* ---- before the first append ---- */

bool ent_restore_pending(struct ent_node *n) { return ent_fs_exists(n->env.fs, MARK_PATH); }

static void restore_over(struct ent_node *n)
{
	struct ent_err err = ENT_ERR_INIT;
	if (n->env.fs->ops->remove(n->env.fs, MARK_PATH, &err) || n->env.fs->ops->sync_dir(n->env.fs, ".", &err)) {
		ent_log(n->env.log, ENT_LOG_ERROR, "restore", "what=\"%s\"", err.what);
		return;
	}
	n->restored = false;
	ent_log(n->env.log, ENT_LOG_INFO, "restore", "peers agree entries=%llu", (unsigned long long)ent_ledger_size(n->ledger));
}

void ent_restore_ask(struct ent_node *n, struct ent_member *m)
{
	if (n->restored)
		ent_peer_send(n, m->card.org, json_pack("{s:s}", "type", "last?"));
}

void ent_restore_tell(struct ent_node *n, struct ent_member *m, const json_t *msg)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf note = ENT_BUF(ENT_NOTE_BYTES_MAX);
	struct ent_err err = ENT_ERR_INIT;
	(void)msg;
	int r = ent_witness_last(n->witness, m->card.origin, &note, &err);
	if (!r || r == ENT_ENOTFOUND)
		ent_peer_send(n, m->card.org, json_pack("{s:s,s:s}", "type", "last", "note", ent_buf_text(&note)));
}

/* Size of a checkpoint of ours that we signed; 0 for none. */
static uint64_t own_checkpoint_size(struct ent_node *n, const char *text)
{
	struct ent_note note;
	struct ent_checkpoint c;
	struct ent_note_key key = { .alg = ENT_NOTE_ED25519 };
	snprintf(key.name, sizeof key.name, "%s", n->card.origin);
	memcpy(key.pub, n->signer[ENT_KEY_LOG].pub, ENT_PUB_BYTES);
	if (ent_note_parse(ent_bytes_str(text), &note, NULL) || ent_checkpoint_parse(note.text, true, &c, NULL) ||
	    strcmp(c.origin, n->card.origin) != 0)
		return 0;
	for (size_t i = 0; i < note.line_count; i++)
		if (ent_note_line_is(&note.lines[i], &key) && !ent_note_check_line(note.text, &note.lines[i], &key, NULL, NULL))
			return c.size;
	return 0;
}

/* All members must have answered: the one that saw most decides. */
void ent_restore_told(struct ent_node *n, struct ent_member *m, const json_t *msg)
{
	const char *text;
	if (!n->restored || ent_json_str(msg, "note", &text, NULL))
		return;
	if (own_checkpoint_size(n, text) > ent_ledger_size(n->ledger)) {
		n->rolled_back = true;
		ent_log(n->env.log, ENT_LOG_ERROR, "restore", "org=%s what=\"the backup is older than what this peer witnessed\"", m->card.org);
	}
	m->restore_answered = true;
	for (size_t i = 0; i < n->n_members; i++)
		if (!n->members[i].restore_answered)
			return;
	if (!n->rolled_back)
		restore_over(n);
}

int ent_restore_check(struct ent_node *n, struct ent_err *err)
{
	if (!n->restored)
		return 0;
	if (!n->rolled_back && !n->n_members) {
		restore_over(n);
		return 0;
	}
	if (n->rolled_back) {
		ent_fail(err, ENT_EIO, "this home was restored from a backup that is older than its own ledger");
		return ent_next(err, "restore a newer backup; without one, make a new home and have the members trust its card");
	}
	ent_fail(err, ENT_EAGAIN, "this home was restored and waits for every member to tell the last checkpoint it saw");
	return ent_next(err, "start it and wait until all members are up: entente status");
}
