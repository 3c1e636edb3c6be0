/* keys/NAME: one Ed25519 seed each as hex and a newline, mode 0600. Made once, locally; nothing sends them anywhere. */
#include "node/core.h"

static void key_path(int use, char ret[64]) { snprintf(ret, 64, "keys/%s", ent_key_use_name(use)); }

static int key_store(const struct ent_node_env *env, int use, const uint8_t seed[32], struct ent_err *err)
{
	char path[64], text[66];
	key_path(use, path);
	ent_hex(text, seed, 32);
	text[64] = '\n';
	int r = ent_fs_replace(env->fs, path, ent_bytes(text, 65), 0600, err);
	ent_wipe(text, sizeof text);
	return r;
}

int ent_keys_make(const struct ent_node_env *env, uint8_t *seeds, struct ent_err *err)
{
	ENT_TRY(env->fs->ops->mkdir(env->fs, "keys", 0700, err));
	ENT_TRY(env->random->fill(env->random, seeds, ENT_KEY_USES * 32, err));
	return ent_keys_store(env, seeds, err);
}

int ent_keys_store(const struct ent_node_env *env, const uint8_t *seeds, struct ent_err *err)
{
	for (int use = 0; use < ENT_KEY_USES; use++)
		ENT_TRY(key_store(env, use, seeds + use * 32, err));
	return 0;
}

static int key_read(const struct ent_node_env *env, int use, uint8_t seed[32], struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(80);
	char path[64];
	key_path(use, path);
	ENT_TRY(ent_fs_read(env->fs, path, 80, &text, err));
	bool ok = text.len == 65 && text.data[64] == '\n' && ent_unhex(seed, 32, (const char *)text.data, 64);
	ent_wipe(text.data, text.len);
	return ok ? 0 : ent_fail(err, ENT_ECONFIG, "%s is not a key file", path);
}

int ent_keys_read(const struct ent_node_env *env, uint8_t *seeds, struct ent_err *err)
{
	for (int use = 0; use < ENT_KEY_USES; use++)
		ENT_TRY(key_read(env, use, seeds + use * 32, err));
	return 0;
}

/* keys/store: 32 random bytes under which node.db keeps what must not lie open on the disk. It outlives rotations of the other keys. */
int ent_keys_at_rest(const struct ent_node_env *env, uint8_t ret[32], struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(80);
	char hex[66];
	int r = ent_fs_read(env->fs, "keys/store", 80, &text, NULL);
	if (!r) {
		bool ok = text.len == 65 && ent_unhex(ret, 32, (const char *)text.data, 64);
		ent_wipe(text.data, text.len);
		return ok ? 0 : ent_fail(err, ENT_ECONFIG, "keys/store is not a key file");
	}
	if (r != ENT_ENOTFOUND)
		return ent_fs_read(env->fs, "keys/store", 80, &text, err);
	ENT_TRY(env->random->fill(env->random, ret, 32, err));
	ent_hex(hex, ret, 32);
	hex[64] = '\n';
	r = ent_fs_replace(env->fs, "keys/store", ent_bytes(hex, 65), 0600, err);
	ent_wipe(hex, sizeof hex);
	return r;
}
