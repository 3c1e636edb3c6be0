/* Making a HOME: keys, configuration, ledger with genesis block and member entry, node.db. The configuration is written last: a HOME
 * without it is none, so a crash in the middle leaves nothing that pretends to be one. */
#include "node/core.h"

#define MARK_PATH "init.begun" /* there while init is at work: what it left may be made anew */
#define LISTEN_DEFAULT "127.0.0.1:7100"

static int set_text(struct ent_conf *conf, const json_t *args, const char *key, struct ent_err *err)
{
	const json_t *v = json_object_get(args, key);
	if (!json_is_string(v))
		return 0;
	return ent_conf_set(conf, key, ent_bytes_str(json_string_value(v)), err) ? (err ? err->code = ENT_EUSAGE : 0, ENT_EUSAGE) : 0;
}

static void print_address(char *out, size_t size, const char *host, unsigned port)
{
	snprintf(out, size, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
}

/* http defaults to the host of listen and the port after. */
static int complete(struct ent_conf *conf, struct ent_err *err)
{
	char host[256];
	uint16_t port = 0;
	if (!conf->value[ENT_CONF_org][0])
		return ent_fail(err, ENT_EUSAGE, "no organisation named"), ent_next(err, "entente init --org NAME"), ENT_EUSAGE;
	if (!conf->value[ENT_CONF_listen][0])
		memcpy(conf->value[ENT_CONF_listen], LISTEN_DEFAULT, sizeof LISTEN_DEFAULT);
	if (!ent_address_split(conf->value[ENT_CONF_listen], host, &port) || !port || port == 65535)
		return ent_fail(err, ENT_EUSAGE, "--listen %s needs a port", conf->value[ENT_CONF_listen]);
	if (!conf->value[ENT_CONF_http][0])
		print_address(conf->value[ENT_CONF_http], sizeof conf->value[0], host, port + 1u);
	return 0;
}

/* The address that goes into the card: what is advertised, with the listener's port unless it names one. */
static int public_address(const char *listen, const char *advertise, const char *option, char ret[ENT_ADDRESS_MAX + 1], struct ent_err *err)
{
	char host[256], other[256];
	uint16_t port = 0, other_port = 0;
	if (!ent_address_split(listen, host, &port) || !port)
		return ent_fail(err, ENT_EUSAGE, "address %s needs a port", listen);
	if (!*advertise && ent_address_wildcard(host)) {
		ent_fail(err, ENT_EUSAGE, "%s listens on every address, but others need one to reach it", listen);
		return ent_next(err, "add --%s HOST", option), ENT_EUSAGE;
	}
	if (!*advertise) {
		print_address(ret, ENT_ADDRESS_MAX + 1, host, port);
		return 0;
	}
	if (!ent_address_split(advertise, other, &other_port))
		return ent_fail(err, ENT_EUSAGE, "--%s %s is not HOST[:PORT]", option, advertise);
	print_address(ret, ENT_ADDRESS_MAX + 1, other, other_port ? other_port : port);
	return 0;
}

static int make_card(const struct ent_conf *conf, struct ent_signer signers[ENT_KEY_USES], struct ent_card *card, struct ent_buf *text,
		     struct ent_err *err)
{
	*card = (struct ent_card){ .version = 1, .compute_only = ent_conf_yes(conf, ENT_CONF_compute_only) };
	snprintf(card->org, sizeof card->org, "%.31s", conf->value[ENT_CONF_org]);
	for (int use = 0; use < ENT_KEY_USES; use++)
		memcpy(card->keys[use], signers[use].pub, ENT_PUB_BYTES);
	ent_card_origin(card->org, card->keys[ENT_KEY_LOG], card->origin);
	ENT_TRY(public_address(conf->value[ENT_CONF_listen], conf->value[ENT_CONF_advertise], "advertise", card->link, err));
	ENT_TRY(public_address(conf->value[ENT_CONF_http], conf->value[ENT_CONF_advertise_http], "advertise-http", card->http, err));
	return ent_card_make(card, &signers[ENT_KEY_SIGN], NULL, text, err);
}

static int make_ledger(const struct ent_node_env *env, const struct ent_card *card, struct ent_signer signers[ENT_KEY_USES],
		       struct ent_bytes envelope, struct ent_err *err)
{
	struct ent_ledger_config config = { .fs = env->fs,
					    .dir = "ledger",
					    .clock = env->clock,
					    .org = card->org,
					    .origin = card->origin,
					    .sign = signers[ENT_KEY_SIGN],
					    .log = signers[ENT_KEY_LOG] };
	struct ent_ledger *ledger = NULL;
	ENT_TRY(ent_ledger_create(&config, envelope, &ledger, err));
	ent_ledger_free(ledger);
	return 0;
}

/* A ledger without configuration is what a crash in the middle of init left, if the mark of that is there; otherwise somebody lost a file. */
static int fresh(const struct ent_node_env *env, struct ent_err *err)
{
	bool begun = ent_fs_exists(env->fs, MARK_PATH), ledger = ent_fs_exists(env->fs, "ledger/signed");
	if (!ent_fs_exists(env->fs, ENT_CONF_PATH)) {
		if (!ledger)
			return begun ? 0 : ent_fs_replace(env->fs, MARK_PATH, ent_bytes("", 0), 0600, err);
		if (begun) {
			ENT_TRY(env->fs->ops->remove(env->fs, "ledger/signed", err));
			return env->fs->ops->sync_dir(env->fs, "ledger", err);
		}
		ent_fail(err, ENT_ECONFIG, "there is a ledger in this folder, but no " ENT_CONF_PATH);
		return ent_next(err, "restore " ENT_CONF_PATH " from a backup, or choose another folder with -C HOME"), ENT_ECONFIG;
	}
	ent_fail(err, ENT_ECONFIG, "this folder is the home of a node already");
	return ent_next(err, "choose another with -C HOME"), ENT_ECONFIG;
}

/* What a crashed init left has no configuration; it is cleared by making everything anew. */
static int write_home(const struct ent_node_env *env, const struct ent_conf *conf, uint8_t *seeds, json_t **ret, struct ent_err *err)
{
	struct ent_signer signers[ENT_KEY_USES];
	struct ent_card card;
	char words[ENT_FINGERPRINT_LEN];
	uint8_t id[32];
	char hex[65];
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_CARD_BYTES_MAX), file = ENT_BUF(ENT_CONF_BYTES_MAX);
	ENT_TRY(ent_keys_make(env, seeds, err));
	for (int use = 0; use < ENT_KEY_USES; use++)
		ENT_TRY(ent_signer_init(&signers[use], seeds + use * 32, err));
	ENT_TRY(make_card(conf, signers, &card, &text, err));
	ENT_TRY(env->fs->ops->mkdir(env->fs, "secrets", 0700, err));
	ENT_TRY(make_ledger(env, &card, signers, ent_buf_bytes(&text), err));
	ENT_TRY(ent_fs_replace(env->fs, "card.json", ent_buf_bytes(&text), 0644, err));
	ent_conf_print(conf, &file);
	ENT_TRY(ent_buf_check(&file, err));
	ENT_TRY(ent_fs_replace(env->fs, ENT_CONF_PATH, ent_buf_bytes(&file), 0600, err));
	(void)env->fs->ops->remove(env->fs, MARK_PATH, NULL);
	ent_fingerprint(card.keys[ENT_KEY_SIGN], words);
	ent_keyid(card.keys[ENT_KEY_SIGN], id);
	ent_hex(hex, id, 32);
	*ret = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "card", ent_buf_text(&text), "org", card.org, "fingerprint", hex, "words", words, "listen",
			 conf->value[ENT_CONF_listen], "http", conf->value[ENT_CONF_http]);
	return *ret ? 0 : ent_nomem(err);
}

int ent_node_init(const struct ent_node_env *env, const json_t *args, json_t **ret_answer, struct ent_err *err)
{
	struct ent_conf conf;
	static const char *const keys[] = { "org", "listen", "http", "advertise", "advertise_http" };
	ENT_CLEANUP(ent_file_closep) struct ent_file *lock = NULL;
	ent_conf_defaults(&conf);
	for (size_t i = 0; i < ENT_COUNT(keys); i++)
		ENT_TRY(set_text(&conf, args, keys[i], err));
	if (json_is_true(json_object_get(args, "compute_only")))
		snprintf(conf.value[ENT_CONF_compute_only], sizeof conf.value[0], "yes");
	ENT_TRY(complete(&conf, err));
	ENT_TRY(fresh(env, err));
	ENT_TRY(env->fs->ops->open(env->fs, "lock", ENT_OPEN_WRITE | ENT_OPEN_CREATE, 0600, &lock, err));
	ENT_TRY(lock->ops->lock(lock, err));
	ENT_TRY(fresh(env, err));
	uint8_t *seeds = ent_secret_new(ENT_KEY_USES * 32);
	if (!seeds)
		return ent_nomem(err);
	int r = write_home(env, &conf, seeds, ret_answer, err);
	ent_secret_free(seeds);
	return r;
}
