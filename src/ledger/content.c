#include "ledger/content.h"

#include <stdio.h>

#include "crypto/hash.h"

void ent_commit(const uint8_t salt[ENT_SALT_BYTES], struct ent_bytes bytes, uint8_t ret[ENT_HASH_BYTES])
{
	struct ent_bytes pieces[] = { ent_bytes(salt, ENT_SALT_BYTES), bytes };
	ent_sha256v(pieces, 2, ret);
}

struct place {
	char dir[300], path[400];
};

static int place_of(const struct ent_content *c, const uint8_t commitment[ENT_HASH_BYTES], struct place *p, struct ent_err *err)
{
	char hex[2 * ENT_HASH_BYTES + 1];
	ent_hex(hex, commitment, ENT_HASH_BYTES);
	int n = snprintf(p->dir, sizeof p->dir, "%s/content/%.2s", c->dir, hex);
	if (n < 0 || (size_t)n >= sizeof p->dir)
		return ent_fail(err, ENT_EIO, "path too long: %s", c->dir);
	snprintf(p->path, sizeof p->path, "%s/%s", p->dir, hex);
	return 0;
}

/* A folder that was just made must itself survive a crash, so its parents are synced as well. */
static int make_dir(const struct ent_content *c, const char *dir, struct ent_err *err)
{
	char parent[300];
	ENT_TRY(c->fs->ops->mkdir(c->fs, dir, 0700, err));
	snprintf(parent, sizeof parent, "%s/content", c->dir);
	ENT_TRY(c->fs->ops->sync_dir(c->fs, parent, err));
	return c->fs->ops->sync_dir(c->fs, c->dir, err);
}

static int store(const struct ent_content *c, const uint8_t salt[ENT_SALT_BYTES], struct ent_bytes bytes, const uint8_t commitment[ENT_HASH_BYTES],
		 struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf file = ENT_BUF(ENT_CONTENT_MAX + ENT_SALT_BYTES);
	struct place p;
	ENT_TRY(place_of(c, commitment, &p, err));
	ent_buf_put(&file, salt, ENT_SALT_BYTES);
	ent_buf_put(&file, bytes.data, bytes.len);
	ENT_TRY(ent_buf_check(&file, err));
	ENT_TRY(make_dir(c, p.dir, err));
	return ent_fs_replace(c->fs, p.path, ent_buf_bytes(&file), 0600, err);
}

int ent_content_put(const struct ent_content *c, struct ent_bytes bytes, uint8_t ret_commitment[ENT_HASH_BYTES], struct ent_err *err)
{
	uint8_t salt[ENT_SALT_BYTES], commitment[ENT_HASH_BYTES];
	ENT_TRY(c->random->fill(c->random, salt, sizeof salt, err));
	ent_commit(salt, bytes, commitment);
	ENT_TRY(store(c, salt, bytes, commitment, err));
	memcpy(ret_commitment, commitment, sizeof commitment);
	return 0;
}

int ent_content_keep(const struct ent_content *c, const uint8_t salt[ENT_SALT_BYTES], struct ent_bytes bytes,
		     const uint8_t commitment[ENT_HASH_BYTES], struct ent_err *err)
{
	uint8_t own[ENT_HASH_BYTES];
	ent_commit(salt, bytes, own);
	if (memcmp(own, commitment, sizeof own) != 0)
		return ent_fail(err, ENT_EVERIFY, "content does not match its commitment");
	return store(c, salt, bytes, commitment, err);
}

int ent_content_get(const struct ent_content *c, const uint8_t commitment[ENT_HASH_BYTES], uint8_t ret_salt[ENT_SALT_BYTES],
		    struct ent_buf *ret_bytes, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf file = ENT_BUF(ENT_CONTENT_MAX + ENT_SALT_BYTES);
	struct place p;
	uint8_t own[ENT_HASH_BYTES];
	ENT_TRY(place_of(c, commitment, &p, err));
	ENT_TRY(ent_fs_read(c->fs, p.path, ENT_CONTENT_MAX + ENT_SALT_BYTES, &file, err));
	ent_sha256(file.data, file.len, own);
	if (file.len < ENT_SALT_BYTES || memcmp(own, commitment, sizeof own) != 0)
		return ent_fail(err, ENT_EVERIFY, "%s was changed: it does not match its commitment", p.path);
	ent_buf_put(ret_bytes, file.data + ENT_SALT_BYTES, file.len - ENT_SALT_BYTES);
	ENT_TRY(ent_buf_check(ret_bytes, err));
	memcpy(ret_salt, file.data, ENT_SALT_BYTES);
	return 0;
}

int ent_content_erase(const struct ent_content *c, const uint8_t commitment[ENT_HASH_BYTES], struct ent_err *err)
{
	struct place p;
	ENT_TRY(place_of(c, commitment, &p, err));
	ENT_TRY(c->fs->ops->remove(c->fs, p.path, err));
	return c->fs->ops->sync_dir(c->fs, p.dir, err);
}
