/* New keys for an organisation: the next version of its card, signed by the old and the new sign key, stands in its own ledger as a `key` entry,
 * which is the last one under the old key. The log key stays: it names the log.
 *
 * keys/next (0600) holds old and new keys and the new card while this is under way. Once it is there the rotation happens, whatever moment the power
 * goes: opening finishes it. Nothing is rotated in a running node, which would have to change keys under open connections. */
#include "node/core.h"

#define NEXT_PATH "keys/next"
#define SEEDS_BYTES (ENT_KEY_USES * 32)
#define HEX_BYTES ((size_t)4 * SEEDS_BYTES) /* both sets */

void ent_rotation_deinit(struct ent_rotation *r)
{
	if (r->seeds)
		ent_secret_free(r->seeds);
	ent_buf_deinit(&r->text);
	*r = (struct ent_rotation){ 0 };
}

static int rotation_init(struct ent_rotation *r, struct ent_err *err)
{
	*r = (struct ent_rotation){ .seeds = ent_secret_new((size_t)2 * SEEDS_BYTES), .text = ENT_BUF(ENT_CARD_BYTES_MAX) };
	return r->seeds ? 0 : ent_nomem(err);
}

static int parse(struct ent_rotation *r, const struct ent_buf *file, struct ent_err *err)
{
	if (file->len <= HEX_BYTES || !ent_unhex(r->seeds, (size_t)2 * SEEDS_BYTES, (const char *)file->data, HEX_BYTES))
		return ent_fail(err, ENT_ECONFIG, NEXT_PATH " is damaged");
	ent_buf_put(&r->text, file->data + HEX_BYTES, file->len - HEX_BYTES);
	ENT_TRY(ent_buf_check(&r->text, err));
	return ent_card_open(ent_buf_bytes(&r->text), &r->card, err);
}

int ent_rotation_read(const struct ent_node_env *env, struct ent_rotation *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf file = ENT_BUF(HEX_BYTES + ENT_CARD_BYTES_MAX);
	ENT_TRY(ent_fs_read(env->fs, NEXT_PATH, HEX_BYTES + ENT_CARD_BYTES_MAX, &file, err));
	int r = rotation_init(ret, err);
	if (!r)
		r = parse(ret, &file, err);
	ent_wipe(file.data, file.len);
	return r;
}

static int write_next(const struct ent_node_env *env, const struct ent_rotation *rot, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf file = ENT_BUF(HEX_BYTES + ENT_CARD_BYTES_MAX + 1);
	char *hex = (char *)ent_buf_space(&file, HEX_BYTES + 1);
	if (!hex)
		return ent_nomem(err);
	ent_hex(hex, rot->seeds, (size_t)2 * SEEDS_BYTES);
	file.len = HEX_BYTES; /* without the end of the text */
	ent_buf_put(&file, rot->text.data, rot->text.len);
	int r = ent_buf_check(&file, err);
	if (!r)
		r = ent_fs_replace(env->fs, NEXT_PATH, ent_buf_bytes(&file), 0600, err);
	ent_wipe(file.data, file.len);
	return r;
}

static bool entered(struct ent_node *n, const struct ent_card *card)
{
	ENT_ST st = { 0 };
	return !ent_db_query(n->db, &st, NULL, "SELECT 1 FROM card_version WHERE org = ? AND version = ?", "si", card->org, card->version) &&
	       ent_st_next(&st, NULL) > 0;
}

int ent_rotation_enter(struct ent_node *n, const struct ent_rotation *rot, struct ent_err *err)
{
	ENT_JSON_AUTO card = NULL;
	ENT_JSON_AUTO fields = json_object();
	if (entered(n, &rot->card))
		return 0;
	ENT_TRY(ent_json_parse(ent_buf_bytes(&rot->text), ENT_CARD_BYTES_MAX, &card, err));
	json_object_set(fields, "card", card);
	ENT_TRY(ent_node_append(n, ENT_ENTRY_KEY, fields, NULL, err));
	ent_duty_publish(n); /* whatever comes next is signed by the new key, blocks too */
	return 0;
}

int ent_rotation_install(const struct ent_node_env *env, const struct ent_rotation *rot, struct ent_err *err)
{
	ENT_TRY(ent_keys_store(env, rot->seeds + SEEDS_BYTES, err));
	ENT_TRY(ent_fs_replace(env->fs, "card.json", ent_buf_bytes(&rot->text), 0644, err));
	ENT_TRY(env->fs->ops->remove(env->fs, NEXT_PATH, err));
	return env->fs->ops->sync_dir(env->fs, "keys", err);
}

/* New keys of every use but log, and the card that introduces them. */
static int draw(struct ent_node *n, struct ent_rotation *rot, struct ent_err *err)
{
	struct ent_signer sign;
	uint8_t *fresh = rot->seeds + SEEDS_BYTES;
	memcpy(rot->seeds, n->seeds, SEEDS_BYTES);
	ENT_TRY(ent_node_random(n, fresh, SEEDS_BYTES, err));
	memcpy(fresh + ENT_KEY_LOG * 32, n->seeds + ENT_KEY_LOG * 32, 32);
	rot->card = n->card;
	rot->card.version++;
	rot->card.has_prev = true;
	memcpy(rot->card.prev, n->card.hash, ENT_HASH_BYTES);
	for (int use = 0; use < ENT_KEY_USES; use++) {
		ENT_TRY(ent_signer_init(&sign, fresh + use * 32, err));
		memcpy(rot->card.keys[use], sign.pub, ENT_PUB_BYTES);
	}
	ENT_TRY(ent_signer_init(&sign, fresh + ENT_KEY_SIGN * 32, err));
	return ent_card_make(&rot->card, &sign, &n->signer[ENT_KEY_SIGN], &rot->text, err);
}

static int rotate(struct ent_node *n, struct ent_rotation *rot, struct ent_err *err)
{
	if (n->env.mesh) {
		ent_fail(err, ENT_EAGAIN, "keys are not changed under a running node");
		return ent_next(err, "stop it, run `entente card --rotate`, start it again"), ENT_EAGAIN;
	}
	ENT_TRY(ent_node_usable(n, err));
	ENT_TRY(rotation_init(rot, err));
	ENT_TRY(draw(n, rot, err));
	ENT_TRY(write_next(&n->env, rot, err));
	ENT_TRY(ent_rotation_enter(n, rot, err));
	n->broken = true; /* nothing more is signed with what this process holds */
	return ent_rotation_install(&n->env, rot, err);
}

void ent_verb_card_rotate(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	ENT_CLEANUP(ent_rotation_deinit) struct ent_rotation rot = { 0 };
	struct ent_err err = ENT_ERR_INIT;
	char words[ENT_FINGERPRINT_LEN];
	(void)args;
	if (rotate(n, &rot, &err)) {
		ent_reply_err(reply, &err);
		return;
	}
	ent_fingerprint(rot.card.keys[ENT_KEY_SIGN], words);
	ent_log(n->env.log, ENT_LOG_INFO, "card-rotated", "org=%s version=%lld", n->card.org, (long long)rot.card.version);
	ent_reply_ok(reply, json_pack("{s:s,s:s,s:s,s:I}", "card", ent_buf_text(&rot.text), "org", n->card.org, "words", words, "version",
				      (json_int_t)rot.card.version));
}
