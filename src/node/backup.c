/* The verb `backup`: a snapshot of HOME taken between two batches, on the node's thread, so that ledger, node.db and witness records belong together.
 * Keys and secrets are not in it: who asks for the backup seals them with a password and puts them in front. */
#include "node/backup.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/aead.h"
#include "node/backup_format.h"
#include "node/core.h"

#define FILES_MAX 1000000u

struct names {
	char (*at)[256];
	size_t n, cap;
	bool failed;
};

static void names_free(struct names *names) { free(names->at); }

static void take_name(void *arg, const char *name)
{
	struct names *names = arg;
	size_t len = strlen(name);
	if (names->n == names->cap) {
		size_t cap = names->cap ? 2 * names->cap : 64;
		void *grown = names->n < FILES_MAX ? realloc(names->at, cap * sizeof *names->at) : NULL;
		if (!grown) {
			names->failed = true;
			return;
		}
		names->at = grown;
		names->cap = cap;
	}
	if (len >= sizeof names->at[0] || (len > 4 && !strcmp(name + len - 4, ".tmp")))
		return;
	memcpy(names->at[names->n++], name, len + 1);
}

static int each_file(struct ent_fs *fs, const char *path, int (*fn)(void *arg, const char *path, struct ent_err *err), void *arg, struct ent_err *err)
{
	ENT_CLEANUP(names_free) struct names names = { 0 };
	char inner[ENT_BACKUP_PATH_MAX + 1];
	int r = fs->ops->list(fs, path, take_name, &names, NULL);
	if (r) /* no folder: a file, or nothing */
		return ent_fs_exists(fs, path) ? fn(arg, path, err) : 0;
	if (names.failed)
		return ent_nomem(err);
	for (size_t i = 0; i < names.n; i++) {
		int len = snprintf(inner, sizeof inner, "%s/%s", path, names.at[i]);
		if (len < 0 || (size_t)len >= sizeof inner)
			return ent_fail(err, ENT_EIO, "path too long: %s/%s", path, names.at[i]);
		ENT_TRY(each_file(fs, inner, fn, arg, err));
	}
	return 0;
}

/* ---- keys and secrets ---- */

struct secrets {
	struct ent_fs *fs;
	struct ent_buf plain;
};

static void secrets_wipe(struct secrets *s)
{
	if (s->plain.data)
		ent_wipe(s->plain.data, s->plain.cap);
	ent_buf_deinit(&s->plain);
}

static int take_secret(void *arg, const char *path, struct ent_err *err)
{
	struct secrets *s = arg;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf content = ENT_BUF(65536);
	int r = ent_fs_read(s->fs, path, 65536, &content, err);
	if (!r) {
		ent_buf_printf(&s->plain, "piece %s 0 %zu\n", path, content.len);
		ent_buf_put(&s->plain, content.data, content.len);
	}
	if (content.data)
		ent_wipe(content.data, content.cap);
	return r ? r : ent_buf_check(&s->plain, err);
}

int ent_backup_head(struct ent_fs *fs, struct ent_random *random, struct ent_bytes password, struct ent_buf *out, struct ent_err *err)
{
	ENT_CLEANUP(secrets_wipe) struct secrets s = { fs, ENT_BUF(ENT_BACKUP_SEALED_MAX / 2) };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sealed = ENT_BUF(ENT_BACKUP_SEALED_MAX);
	(void)ent_buf_space(&s.plain, 65536); /* so that no copy of a key is left behind by growing */
	s.plain.len = 0;
	ENT_TRY(each_file(fs, "keys", take_secret, &s, err));
	ENT_TRY(each_file(fs, "secrets", take_secret, &s, err));
	ENT_TRY(ent_seal_password(random, password, ent_buf_bytes(&s.plain), &sealed, err));
	ent_buf_printf(out, ENT_BACKUP_MAGIC "sealed %zu\n", sealed.len);
	ent_buf_put(out, sealed.data, sealed.len);
	return ent_buf_check(out, err);
}

/* ---- the snapshot ---- */

struct snapshot {
	struct ent_fs *fs;
	struct ent_file *out;
	uint64_t at, pieces;
	uint8_t chain[ENT_HASH_BYTES];
};

static int put_raw(struct snapshot *s, struct ent_bytes bytes, struct ent_err *err)
{
	ENT_TRY(s->out->ops->write_at(s->out, s->at, bytes.data, bytes.len, err));
	s->at += bytes.len;
	return 0;
}

static int put_piece(struct snapshot *s, const char *path, uint64_t at, struct ent_bytes bytes, struct ent_err *err)
{
	char head[ENT_BACKUP_LINE_MAX];
	int n = snprintf(head, sizeof head, "piece %s %llu %zu\n", path, (unsigned long long)at, bytes.len);
	if (n < 0 || (size_t)n >= sizeof head || strpbrk(path, " \n"))
		return ent_fail(err, ENT_EIO, "a name that cannot be backed up: %s", path);
	ent_backup_chain(s->chain, ent_bytes(head, (size_t)n), bytes);
	s->pieces++;
	ENT_TRY(put_raw(s, ent_bytes(head, (size_t)n), err));
	return put_raw(s, bytes, err);
}

static int put_bytes(struct snapshot *s, const char *path, struct ent_bytes bytes, struct ent_err *err)
{
	size_t at = 0;
	do {
		size_t len = bytes.len - at < ENT_BACKUP_PIECE_MAX ? bytes.len - at : ENT_BACKUP_PIECE_MAX;
		ENT_TRY(put_piece(s, path, at, ent_bytes(bytes.data + at, len), err));
		at += len;
	} while (at < bytes.len);
	return 0;
}

static int put_file(void *arg, const char *path, struct ent_err *err)
{
	struct snapshot *s = arg;
	ENT_CLEANUP(ent_file_closep) struct ent_file *f = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf piece = ENT_BUF(ENT_BACKUP_PIECE_MAX);
	uint8_t *space = ent_buf_space(&piece, ENT_BACKUP_PIECE_MAX);
	uint64_t at = 0;
	size_t got = 0;
	ENT_TRY(ent_buf_check(&piece, err));
	ENT_TRY(s->fs->ops->open(s->fs, path, ENT_OPEN_READ, 0, &f, err));
	do {
		ENT_TRY(f->ops->read_at(f, at, space, ENT_BACKUP_PIECE_MAX, &got, err));
		if (got || !at)
			ENT_TRY(put_piece(s, path, at, ent_bytes(space, got), err));
		at += got;
	} while (got == ENT_BACKUP_PIECE_MAX);
	return 0;
}

static int put_end(struct ent_node *n, struct snapshot *s, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf signing = ENT_BUF(256), line = ENT_BUF(256);
	uint8_t sig[ENT_SIG_BYTES];
	ent_backup_signed(s->chain, &signing);
	ENT_TRY(ent_buf_check(&signing, err));
	ENT_TRY(n->signer[ENT_KEY_SIGN].sign(n->signer[ENT_KEY_SIGN].self, ent_buf_bytes(&signing), sig, err));
	ent_buf_printf(&line, "end %llu ", (unsigned long long)s->pieces);
	ent_buf_hex(&line, sig, sizeof sig);
	ent_buf_str(&line, "\n");
	ENT_TRY(ent_buf_check(&line, err));
	ENT_TRY(put_raw(s, ent_buf_bytes(&line), err));
	return s->out->ops->sync(s->out, err);
}

/* entente.conf comes last: a folder without it is no home. */
static int put_all(struct ent_node *n, struct snapshot *s, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf db = ENT_BUF((size_t)4 << 30);
	ENT_TRY(s->fs->ops->open(s->fs, ENT_BACKUP_SNAPSHOT, ENT_OPEN_WRITE | ENT_OPEN_CREATE | ENT_OPEN_TRUNC, 0600, &s->out, err));
	ENT_TRY(each_file(s->fs, "ledger", put_file, s, err));
	ENT_TRY(each_file(s->fs, "witness", put_file, s, err));
	ENT_TRY(put_file(s, "card.json", err));
	ENT_TRY(ent_db_snapshot(n->db, &db, err));
	ENT_TRY(put_bytes(s, "node.db", ent_buf_bytes(&db), err));
	ENT_TRY(put_file(s, ENT_CONF_PATH, err));
	return put_end(n, s, err);
}

static int take_snapshot(struct ent_node *n, struct snapshot *s, struct ent_err *err)
{
	if (n->restored)
		return ent_restored_refuse(n, err);
	ent_duty_publish(n); /* so that the snapshot ends with a signed checkpoint */
	if (ent_node_broken(n) || ent_ledger_signed(n->ledger)->size != ent_ledger_size(n->ledger))
		return ent_fail(err, ENT_EIO, "this node cannot write to its home: see `entente doctor`");
	int r = put_all(n, s, err);
	ent_file_closep(&s->out);
	if (r)
		(void)s->fs->ops->remove(s->fs, ENT_BACKUP_SNAPSHOT, NULL);
	return r;
}

void ent_verb_backup(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	struct snapshot s = { .fs = n->env.fs };
	(void)args;
	if (take_snapshot(n, &s, &err))
		ent_reply_err(reply, &err);
	else
		ent_reply_ok(reply, json_pack("{s:s,s:s,s:I,s:I}", "org", n->card.org, "file", ENT_BACKUP_SNAPSHOT, "entries",
					      (json_int_t)ent_ledger_size(n->ledger), "bytes", (json_int_t)s.at));
}
