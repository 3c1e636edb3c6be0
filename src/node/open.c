/* Opening and closing a node, and the one way anything gets into its ledger. */
#include "node/core.h"
#include "node/jobs.h"
#include "node/moves.h"

#include <stdlib.h>

int64_t ent_node_utc(const struct ent_node *n) { return n->env.clock->utc_ms(n->env.clock); }
uint64_t ent_node_mono(const struct ent_node *n) { return n->env.clock->mono_ms(n->env.clock); }

int ent_node_random(const struct ent_node *n, void *out, size_t len, struct ent_err *err)
{
	return n->env.random->fill(n->env.random, out, len, err);
}

const char *ent_node_org(const struct ent_node *node) { return node->card.org; }

const char *ent_node_conf(const struct ent_node *node, const char *key)
{
	static const char *const names[] = {
#define CONF_NAME(name, value, check, help) #name,
		ENT_CONF_MAP(CONF_NAME)
#undef CONF_NAME
	};
	for (int i = 0; i < ENT_CONF_COUNT; i++)
		if (!strcmp(names[i], key))
			return node->conf.value[i];
	return "";
}

int ent_node_tls_seed(struct ent_node *node, uint8_t ret_seed[32], struct ent_err *err)
{
	(void)err;
	memcpy(ret_seed, node->seeds + ENT_KEY_TLS * 32, 32);
	return 0;
}

int ent_node_broke(struct ent_node *n, int code, const struct ent_err *err)
{
	if (code != ENT_EIO && code != ENT_ENOSPACE)
		return code;
	if (!n->broken)
		ent_log(n->env.log, ENT_LOG_ERROR, "write-failed", "what=\"%s\"", err ? err->what : "");
	n->broken = true;
	return code;
}

bool ent_node_broken(struct ent_node *n)
{
	struct ent_err err = ENT_ERR_INIT;
	if (!n->broken && n->db && ent_db_lost(n->db))
		ent_node_broke(n, ent_fail(&err, ENT_EIO, "node.db: a sync failed"), &err);
	return n->broken;
}

int ent_node_usable(struct ent_node *n, struct ent_err *err)
{
	if (n->restored)
		return ent_restored_refuse(n, err);
	if (!ent_node_broken(n))
		return 0;
	ent_fail(err, ENT_EIO, "this node stopped writing after a failed write");
	return ent_next(err, "see its log, make room or repair the disk, then start it again");
}

int ent_node_append(struct ent_node *n, int type, const json_t *fields, uint64_t *ret_at, struct ent_err *err)
{
	uint64_t at = 0;
	ENT_TRY(ent_node_usable(n, err));
	int r = ent_ledger_add(n->ledger, type, fields, &at, err);
	if (!r)
		r = ent_apply_all(n, err);
	if (r)
		return ent_node_broke(n, r, err);
	if (ret_at)
		*ret_at = at;
	return 0;
}

int ent_node_append_envelope(struct ent_node *n, struct ent_bytes envelope, uint64_t *ret_at, struct ent_err *err)
{
	uint64_t at = 0;
	ENT_TRY(ent_node_usable(n, err));
	int r = ent_ledger_append(n->ledger, &envelope, 1, &at, err);
	if (!r)
		r = ent_apply_all(n, err);
	if (r)
		return ent_node_broke(n, r, err);
	if (ret_at)
		*ret_at = at;
	return 0;
}

static int read_conf(struct ent_node *n, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_CONF_BYTES_MAX);
	int r = ent_fs_read(n->env.fs, ENT_CONF_PATH, ENT_CONF_BYTES_MAX, &text, err);
	if (r == ENT_ENOTFOUND) {
		ent_fail(err, ENT_ECONFIG, "there is no node in this folder");
		return ent_next(err, "entente init --org NAME makes one; -C HOME or ENTENTE_HOME chooses the folder");
	}
	return r ? r : ent_conf_parse(ent_buf_bytes(&text), &n->conf, err);
}

static int take_lock(struct ent_node *n, struct ent_err *err)
{
	struct ent_fs *fs = n->env.fs;
	ENT_TRY(fs->ops->open(fs, "lock", ENT_OPEN_WRITE | ENT_OPEN_CREATE, 0600, &n->lock, err));
	int r = n->lock->ops->lock(n->lock, err);
	if (r != ENT_EAGAIN)
		return r;
	ent_fail(err, ENT_EAGAIN, "another entente process runs in this home already");
	return ent_next(err, "stop it first, or choose another home with -C HOME");
}

static int read_keys(struct ent_node *n, struct ent_err *err)
{
	n->seeds = ent_secret_new(ENT_KEY_USES * 32);
	if (!n->seeds)
		return ent_nomem(err);
	ENT_TRY(ent_keys_read(&n->env, n->seeds, err));
	if (!(n->store_key = ent_secret_new(32)))
		return ent_nomem(err);
	ENT_TRY(ent_keys_at_rest(&n->env, n->store_key, err));
	for (int use = 0; use < ENT_KEY_USES; use++)
		ENT_TRY(ent_signer_init(&n->signer[use], n->seeds + use * 32, err));
	return 0;
}

static int read_card(struct ent_node *n, struct ent_err *err)
{
	n->card_text = (struct ent_buf)ENT_BUF(ENT_CARD_BYTES_MAX);
	ENT_TRY(ent_fs_read(n->env.fs, "card.json", ENT_CARD_BYTES_MAX, &n->card_text, err));
	ENT_TRY(ent_card_open(ent_buf_bytes(&n->card_text), &n->card, err));
	bool mine = !strcmp(n->card.org, n->conf.value[ENT_CONF_org]);
	for (int use = 0; use < ENT_KEY_USES; use++)
		mine = mine && !memcmp(n->card.keys[use], n->signer[use].pub, ENT_PUB_BYTES);
	return mine ? 0 : ent_fail(err, ENT_ECONFIG, "card.json, keys and entente.conf in this home do not belong together");
}

static bool ring_find(void *self, const uint8_t keyid[ENT_HASH_BYTES], uint8_t ret_pub[ENT_PUB_BYTES])
{
	return ent_member_key(self, keyid, ret_pub);
}

static int open_ledger(struct ent_node *n, struct ent_err *err)
{
	struct ent_ledger_config config = { .fs = n->env.fs,
					    .dir = "ledger",
					    .clock = n->env.clock,
					    .org = n->card.org,
					    .origin = n->card.origin,
					    .sign = n->signer[ENT_KEY_SIGN],
					    .log = n->signer[ENT_KEY_LOG],
					    .ring = { n, ring_find },
					    .batch_ms = (uint32_t)ent_conf_int(&n->conf, ENT_CONF_batch_ms) };
	n->content = (struct ent_content){ .fs = n->env.fs, .dir = "ledger", .random = n->env.random };
	return ent_ledger_open(&config, &n->ledger, err);
}

/* A rotation that was under way when the power went: the home is opened under the old keys once more, and everything is done that is missing. */
static int finish_rotation(struct ent_node *n, struct ent_err *err)
{
	ENT_CLEANUP(ent_rotation_deinit) struct ent_rotation rot = { 0 };
	int r = ent_rotation_read(&n->env, &rot, err);
	if (r == ENT_ENOTFOUND || (!r && ent_fs_exists(n->env.fs, "restored"))) /* a restored home appends nothing yet */
		return 0;
	ENT_TRY(r);
	n->card = rot.card;
	for (int use = 0; use < ENT_KEY_USES; use++)
		ENT_TRY(ent_signer_init(&n->signer[use], rot.seeds + use * 32, err));
	ENT_TRY(ent_db_open(n->env.fs, n->env.clock, n->env.random, &n->db, err));
	r = open_ledger(n, err);
	if (!r)
		r = ent_apply_all(n, err);
	if (!r)
		r = ent_rotation_enter(n, &rot, err);
	ent_ledger_free(n->ledger);
	ent_db_close(n->db);
	n->ledger = NULL;
	n->db = NULL;
	ENT_TRY(r);
	ent_log(n->env.log, ENT_LOG_INFO, "card-rotated", "org=%s version=%lld", n->card.org, (long long)rot.card.version);
	return ent_rotation_install(&n->env, &rot, err);
}

static int open_all(struct ent_node *n, struct ent_err *err)
{
	ENT_TRY(read_conf(n, err));
	ENT_TRY(take_lock(n, err));
	ENT_TRY(finish_rotation(n, err));
	ENT_TRY(read_keys(n, err));
	ENT_TRY(read_card(n, err));
	ENT_TRY(ent_tokens_load(n, err));
	ENT_TRY(ent_db_open(n->env.fs, n->env.clock, n->env.random, &n->db, err));
	ENT_TRY(open_ledger(n, err));
	ENT_TRY(ent_apply_all(n, err));
	ENT_TRY(ent_duty_open(n, err));
	ENT_TRY(ent_members_load(n, err));
	ENT_TRY(ent_restored_open(n, err));
	return n->restored ? 0 : ent_jobs_recover(n, err);
}

int ent_node_open(const struct ent_node_env *env, struct ent_node **ret, struct ent_err *err)
{
	struct ent_node *n = ent_alloc(1, sizeof *n);
	if (!n)
		return ent_nomem(err);
	*n = (struct ent_node){ .env = *env, .next_probe = 1 };
	int r = open_all(n, err);
	if (r) {
		ent_node_close(n);
		return r;
	}
	ent_log(env->log, ENT_LOG_INFO, "open", "org=%s entries=%llu members=%zu", n->card.org, (unsigned long long)ent_ledger_size(n->ledger),
		n->n_members);
	*ret = n;
	return 0;
}

void ent_node_close(struct ent_node *node)
{
	if (!node)
		return;
	node->closing = true;
	ent_waiters_drop(node);
	ent_questions_drop(node);
	ent_jobs_free(node);
	ent_moves_free(node);
	ent_addings_free(node);
	ent_cards_close(node);
	ent_duty_close(node);
	ent_ledger_free(node->ledger);
	ent_db_close(node->db);
	ent_buf_deinit(&node->card_text);
	if (node->seeds)
		ent_secret_free(node->seeds);
	if (node->store_key)
		ent_secret_free(node->store_key);
	ent_file_closep(&node->lock);
	free(node);
}
