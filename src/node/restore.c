/* The way back from a backup: read once to check it whole, then again to write it. */
#include <stdio.h>

#include "crypto/aead.h"
#include "crypto/sign.h"
#include "node/backup.h"
#include "node/backup_format.h"
#include "node/core.h"

struct source {
	struct ent_file *f;
	uint64_t at;
};

struct piece {
	char line[ENT_BACKUP_LINE_MAX]; /* with its newline */
	size_t line_len;
	char path[ENT_BACKUP_PATH_MAX + 1];
	uint64_t at, len;
	uint8_t sig[ENT_SIG_BYTES];
	bool end;
};

static int damaged(struct ent_err *err)
{
	ent_fail(err, ENT_EVERIFY, "the backup is damaged or cut short");
	return ent_next(err, "nothing was restored; take another copy of the file");
}

/* The text up to the next newline; false: none within the longest line there is. */
static int read_line(struct source *s, char line[ENT_BACKUP_LINE_MAX], size_t *ret_len, struct ent_err *err)
{
	size_t got = 0;
	ENT_TRY(s->f->ops->read_at(s->f, s->at, line, ENT_BACKUP_LINE_MAX - 1, &got, err));
	const char *stop = memchr(line, '\n', got);
	if (!stop)
		return damaged(err);
	*ret_len = (size_t)(stop - line) + 1;
	line[*ret_len] = 0;
	s->at += *ret_len;
	return 0;
}

/* One word of the line, ended by a blank or the newline. */
static bool cut_word(const char **at, struct ent_bytes *ret)
{
	size_t len = strcspn(*at, " \n");
	*ret = ent_bytes(*at, len);
	*at += len + ((*at)[len] != 0);
	return len > 0;
}

static bool cut_number(const char **at, uint64_t max, uint64_t *ret)
{
	struct ent_bytes word;
	return cut_word(at, &word) && ent_parse_u64((const char *)word.data, word.len, max, ret);
}

/* What a backup may put where. */
static bool path_allowed(const char *path, bool secret)
{
	static const char *const open_places[] = { "ledger/", "witness/" }, *const secret_places[] = { "keys/", "secrets/" };
	const char *const *places = secret ? secret_places : open_places;
	for (size_t i = 0; i < 2; i++)
		if (!strncmp(path, places[i], strlen(places[i])))
			return !strstr(path, "..");
	return !secret && (!strcmp(path, "card.json") || !strcmp(path, "node.db") || !strcmp(path, ENT_CONF_PATH));
}

static bool parse_piece(struct piece *p, bool secret)
{
	const char *at = p->line;
	struct ent_bytes word;
	if (!cut_word(&at, &word))
		return false;
	p->end = ent_bytes_eq(word, ent_bytes_str("end"));
	if (p->end)
		return !secret && cut_number(&at, INT64_MAX, &p->at) && cut_word(&at, &word) &&
		       ent_unhex(p->sig, sizeof p->sig, (const char *)word.data, word.len);
	if (!ent_bytes_eq(word, ent_bytes_str("piece")) || !cut_word(&at, &word) || word.len > ENT_BACKUP_PATH_MAX)
		return false;
	memcpy(p->path, word.data, word.len);
	p->path[word.len] = 0;
	return path_allowed(p->path, secret) && cut_number(&at, INT64_MAX / 2, &p->at) && cut_number(&at, ENT_BACKUP_PIECE_MAX, &p->len);
}

static int write_piece(struct ent_fs *fs, const struct piece *p, struct ent_bytes bytes, struct ent_err *err)
{
	ENT_CLEANUP(ent_file_closep) struct ent_file *f = NULL;
	char dir[ENT_BACKUP_PATH_MAX + 1];
	const char *slash = strrchr(p->path, '/');
	snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - p->path) : 1, slash ? p->path : ".");
	if (slash && !p->at)
		ENT_TRY(fs->ops->mkdir(fs, dir, 0700, err));
	ENT_TRY(fs->ops->open(fs, p->path, ENT_OPEN_WRITE | ENT_OPEN_CREATE, 0600, &f, err));
	ENT_TRY(f->ops->write_at(f, p->at, bytes.data, bytes.len, err));
	ENT_TRY(f->ops->sync(f, err));
	return p->at ? 0 : fs->ops->sync_dir(fs, dir, err);
}

/* One pass over the snapshot: checks everything up to the signature; with fs, writes it, too. */
static int read_snapshot(struct source s, const uint8_t pub[ENT_PUB_BYTES], struct ent_fs *fs, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(ENT_BACKUP_PIECE_MAX), signing = ENT_BUF(256);
	uint8_t chain[ENT_HASH_BYTES] = { 0 };
	struct piece p;
	for (uint64_t pieces = 0;; pieces++) {
		size_t got = 0;
		ENT_TRY(read_line(&s, p.line, &p.line_len, err));
		if (!parse_piece(&p, false))
			return damaged(err);
		if (p.end) {
			ent_backup_signed(chain, &signing);
			bool ok = p.at == pieces && ent_sign_verify(pub, ent_buf_bytes(&signing), p.sig, sizeof p.sig);
			return ok ? 0 : damaged(err);
		}
		ent_buf_reset(&bytes);
		uint8_t *space = ent_buf_space(&bytes, (size_t)p.len);
		ENT_TRY(ent_buf_check(&bytes, err));
		if (p.len)
			ENT_TRY(s.f->ops->read_at(s.f, s.at, space, (size_t)p.len, &got, err));
		if (got != p.len)
			return damaged(err);
		s.at += got;
		ent_backup_chain(chain, ent_bytes(p.line, p.line_len), ent_buf_bytes(&bytes));
		if (fs)
			ENT_TRY(write_piece(fs, &p, ent_buf_bytes(&bytes), err));
	}
}

/* ---- keys ---- */

/* Walks the unsealed pieces: fs NULL only looks for the sign key, which checks all the rest. */
static int each_secret(struct ent_bytes plain, struct ent_fs *fs, uint8_t ret_pub[ENT_PUB_BYTES], struct ent_err *err)
{
	struct piece p;
	uint8_t seed[32];
	bool found = false;
	while (plain.len) {
		const uint8_t *stop = memchr(plain.data, '\n', plain.len < ENT_BACKUP_LINE_MAX - 1 ? plain.len : ENT_BACKUP_LINE_MAX - 1);
		if (!stop)
			return damaged(err);
		p.line_len = (size_t)(stop - plain.data) + 1;
		memcpy(p.line, plain.data, p.line_len);
		p.line[p.line_len] = 0;
		if (!parse_piece(&p, true) || p.len > plain.len - p.line_len)
			return damaged(err);
		struct ent_bytes content = ent_bytes(stop + 1, (size_t)p.len);
		plain = ent_bytes(content.data + content.len, plain.len - p.line_len - content.len);
		if (fs)
			ENT_TRY(write_piece(fs, &p, content, err));
		if (!strcmp(p.path, "keys/sign") && content.len == 65 && ent_unhex(seed, 32, (const char *)content.data, 64))
			found = !ent_sign_public(seed, ret_pub, err);
	}
	ent_wipe(seed, sizeof seed);
	return found ? 0 : damaged(err);
}

static int unseal(struct source *s, struct ent_bytes password, struct ent_buf *plain, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sealed = ENT_BUF(ENT_BACKUP_SEALED_MAX);
	char line[ENT_BACKUP_LINE_MAX];
	size_t len = 0, got = 0;
	uint64_t size = 0;
	if (read_line(s, line, &len, err) || strcmp(line, ENT_BACKUP_MAGIC) != 0)
		return ent_fail(err, ENT_EDATA, "this file is no backup made by `entente backup`");
	ENT_TRY(read_line(s, line, &len, err));
	const char *at = line + 7;
	if (strncmp(line, "sealed ", 7) != 0 || !cut_number(&at, ENT_BACKUP_SEALED_MAX, &size))
		return damaged(err);
	uint8_t *space = ent_buf_space(&sealed, (size_t)size);
	ENT_TRY(ent_buf_check(&sealed, err));
	ENT_TRY(s->f->ops->read_at(s->f, s->at, space, (size_t)size, &got, err));
	s->at += got;
	if (got == size && !ent_unseal_password(password, ent_buf_bytes(&sealed), plain, NULL))
		return 0;
	ent_fail(err, ENT_EVERIFY, "the keys in the backup cannot be opened");
	ent_why(err, "the password is wrong, or the file is damaged");
	return ent_next(err, "nothing was restored; give the password with --password-file");
}

static void count_name(void *arg, const char *name)
{
	(void)name;
	++*(size_t *)arg;
}

static int check_empty(struct ent_fs *fs, struct ent_err *err)
{
	size_t names = 0;
	ENT_TRY(fs->ops->list(fs, ".", count_name, &names, err));
	if (!names)
		return 0;
	ent_fail(err, ENT_ECONFIG, "a backup is restored into an empty folder, this one is not");
	return ent_next(err, "choose another with -C HOME");
}

static void wipe_buf(struct ent_buf *b)
{
	if (b->data)
		ent_wipe(b->data, b->cap);
	ent_buf_deinit(b);
}

int ent_backup_restore(struct ent_fs *fs, struct ent_file *backup, struct ent_bytes password, json_t **ret, struct ent_err *err)
{
	ENT_CLEANUP(wipe_buf) struct ent_buf plain = ENT_BUF(ENT_BACKUP_SEALED_MAX);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_CARD_BYTES_MAX);
	struct source s = { backup, 0 };
	uint8_t pub[ENT_PUB_BYTES];
	struct ent_card card;
	ENT_TRY(check_empty(fs, err));
	ENT_TRY(unseal(&s, password, &plain, err));
	ENT_TRY(each_secret(ent_buf_bytes(&plain), NULL, pub, err));
	ENT_TRY(read_snapshot(s, pub, NULL, err));
	ENT_TRY(ent_restored_mark(fs, err)); /* first of all: no crash leaves a home that believes it is up to date */
	ENT_TRY(fs->ops->mkdir(fs, "secrets", 0700, err));
	ENT_TRY(each_secret(ent_buf_bytes(&plain), fs, pub, err));
	ENT_TRY(read_snapshot(s, pub, fs, err));
	ENT_TRY(ent_fs_read(fs, "card.json", ENT_CARD_BYTES_MAX, &text, err));
	ENT_TRY(ent_card_open(ent_buf_bytes(&text), &card, err));
	*ret = json_pack("{s:s}", "org", card.org);
	return *ret ? 0 : ent_nomem(err);
}
