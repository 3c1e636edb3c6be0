/* A home from init to restart: what was acknowledged is there, whatever moment the power goes; pins change only in the rightful ways. */
#include "node_kit.h"
#include "tap.h"

static json_t *cards(const char *card, bool replace) { return json_pack("{s:[s],s:b}", "cards", card, "replace", replace); }

static size_t members(struct kit_node *k)
{
	ENT_JSON_AUTO answer = NULL;
	kit_ask(k, "members", json_object(), &answer, NULL);
	return json_array_size(json_object_get(answer, "members"));
}

/* The 8 words of a member, or "". */
static void words(struct kit_node *k, const char *org, char out[128])
{
	ENT_JSON_AUTO answer = NULL;
	size_t i;
	json_t *m;
	out[0] = 0;
	kit_ask(k, "members", json_object(), &answer, NULL);
	json_array_foreach(json_object_get(answer, "members"), i, m) if (!strcmp(json_string_value(json_object_get(m, "org")), org))
		snprintf(out, 128, "%s", json_string_value(json_object_get(m, "words")));
}

static void test_init(void)
{
	struct kit_node k;
	struct ent_err err = ENT_ERR_INIT;
	kit_init(&k, 1);
	char *card = kit_home(&k, "hudson", &err);
	OK(card != NULL, "init: %s", err.what);
	char *again = kit_home(&k, "hudson", &err);
	OK(!again && err.code == ENT_ECONFIG && strstr(err.what, "already"), "a second init is refused: %s", err.what);
	OK_INT(kit_open(&k, &err), 0, "opens: %s", err.what);
	struct kit_node second = k;
	OK_INT(kit_open(&second, &err), ENT_EAGAIN, "two nodes on one home: %s", err.what);
	OK_INT(kit_ask(&k, "query", json_pack("{s:s}", "sql", "SELECT 1"), NULL, &err), ENT_ENONODE, "questions need a running node");
	OK_INT(kit_ask(&k, "nonsense", json_object(), NULL, &err), ENT_EUSAGE, "unknown verb");
	ent_node_close(k.node);
	simfs_flip(k.fs, "keys/sign", 7);
	OK_INT(kit_open(&k, &err), ENT_ECONFIG, "a changed key file is noticed: %s", err.what);
	free(card);
	simfs_free(k.fs);
}

static void test_init_refusals(void)
{
	static const struct {
		const char *org, *listen, *says;
	} cases[] = {
		{ "Hudson", "127.0.0.1:7100", "org" },
		{ "hudson", "0.0.0.0:7100", "listens on every address" },
		{ "hudson", "127.0.0.1", "needs a port" },
		{ "hudson", "a b:1", "listen" },
	};
	for (size_t i = 0; i < ENT_COUNT(cases); i++) {
		struct kit_node k;
		struct ent_err err = ENT_ERR_INIT;
		ENT_JSON_AUTO args = json_pack("{s:s,s:s}", "org", cases[i].org, "listen", cases[i].listen);
		ENT_JSON_AUTO answer = NULL;
		kit_init(&k, 1);
		struct ent_node_env env = kit_env(&k);
		OK_INT(ent_node_init(&env, args, &answer, &err), ENT_EUSAGE, "case %zu is refused", i);
		OK(strstr(err.what, cases[i].says), "and says why: %s", err.what);
		simfs_free(k.fs);
	}
}

static void test_trust(void)
{
	struct kit_node a, b, b2;
	struct ent_err err = ENT_ERR_INIT;
	char first[128], now[128];
	kit_init(&a, 1);
	kit_init(&b, 2);
	kit_init(&b2, 3);
	char *card_a = kit_home(&a, "hudson", &err), *card = kit_home(&b, "skywatch", &err), *other = kit_home(&b2, "skywatch", &err);
	OK_INT(kit_open(&a, &err), 0, "opens");
	OK_INT(kit_ask(&a, "trust", cards(card, false), NULL, &err), 0, "a card is pinned: %s", err.what);
	words(&a, "skywatch", first);
	OK_INT(kit_ask(&a, "trust", cards(card, false), NULL, &err), 0, "once more changes nothing");
	OK_INT(kit_ask(&a, "trust", cards(other, false), NULL, &err), ENT_EVERIFY, "another card of that name is refused: %s", err.what);
	words(&a, "skywatch", now);
	OK_STR(now, first, "the pin stays");
	OK_INT(kit_ask(&a, "trust", cards("{}", false), NULL, &err), ENT_EDATA, "rubbish is no card");
	OK_INT(kit_ask(&a, "trust", cards(card_a, false), NULL, &err), 0, "the own card is taken as such");
	OK_INT(members(&a), 1, "one member");
	OK_INT(kit_ask(&a, "untrust", json_pack("{s:s}", "org", "skywatch"), NULL, &err), 0, "untrust");
	OK_INT(kit_ask(&a, "trust", cards(other, false), NULL, &err), ENT_EVERIFY, "who was trusted once comes back with his own card only");
	OK_INT(kit_ask(&a, "trust", cards(other, true), NULL, &err), 0, "--replace pins the other one");
	words(&a, "skywatch", now);
	OK(strcmp(now, first) != 0, "and the words change");
	ent_node_close(a.node);
	OK_INT(kit_open(&a, &err), 0, "reopens");
	words(&a, "skywatch", first);
	OK_STR(first, now, "with the same pin");
	OK_INT(kit_ask(&a, "ledger.verify", json_object(), NULL, &err), 0, "the ledger verifies: %s", err.what);
	ent_node_close(a.node);
	free(card_a);
	free(card);
	free(other);
	simfs_free(a.fs);
	simfs_free(b.fs);
	simfs_free(b2.fs);
}

/* ---- the power goes at every change ---- */

static size_t notes_listed(struct kit_node *k)
{
	ENT_JSON_AUTO answer = NULL;
	size_t i, n = 0;
	json_t *e;
	kit_ask(k, "ledger.list", json_object(), &answer, NULL);
	json_array_foreach(json_object_get(answer, "entries"), i, e) n += !strcmp(json_string_value(json_object_get(e, "type")), "note");
	return n;
}

/* Trust, then notes, until the power is off; returns how many notes were acknowledged, and whether the trust was. */
static unsigned work(struct kit_node *k, const char *card, bool *trusted)
{
	unsigned acknowledged = 0;
	*trusted = !kit_ask(k, "trust", cards(card, false), NULL, NULL);
	for (int i = 0; i < 3; i++) {
		acknowledged += !kit_ask(k, "ledger.note", json_pack("{s:s}", "text", "a note"), NULL, NULL);
		k->ms += 300;
		ent_node_tick(k->node);
	}
	return acknowledged;
}

static bool survives(struct ent_fs *origin, const char *card, uint64_t at)
{
	struct kit_node k;
	struct ent_err err = ENT_ERR_INIT;
	bool trusted = false;
	kit_init(&k, at + 7);
	simfs_free(k.fs);
	k.fs = simfs_copy(origin, at);
	if (kit_open(&k, &err))
		return false;
	simfs_power_off_after(k.fs, at);
	unsigned acknowledged = work(&k, card, &trusted);
	ent_node_close(k.node);
	simfs_crash(k.fs);
	bool good = !kit_open(&k, &err);
	if (good)
		good = notes_listed(&k) >= acknowledged && notes_listed(&k) <= 3 && (!trusted || members(&k) == 1) &&
		       !kit_ask(&k, "ledger.verify", json_object(), NULL, &err) &&
		       !kit_ask(&k, "ledger.note", json_pack("{s:s}", "text", "goes on"), NULL, &err);
	if (!good)
		printf("# power off after %llu changes: %s; %u notes acknowledged\n", (unsigned long long)at, err.what, acknowledged);
	if (k.node)
		ent_node_close(k.node);
	simfs_free(k.fs);
	return good;
}

static void test_power(void)
{
	struct kit_node a, b;
	struct ent_err err = ENT_ERR_INIT;
	bool trusted;
	kit_init(&a, 1);
	kit_init(&b, 2);
	char *mine = kit_home(&a, "hudson", &err), *card = kit_home(&b, "skywatch", &err);
	struct ent_fs *origin = simfs_copy(a.fs, 9);
	kit_open(&a, &err);
	uint64_t before = simfs_changes(a.fs);
	OK_INT(work(&a, card, &trusted), 3, "undisturbed, all is acknowledged");
	uint64_t changes = simfs_changes(a.fs) - before;
	ent_node_close(a.node);
	unsigned bad = 0;
	for (uint64_t at = 0; at <= changes; at++)
		bad += !survives(origin, card, at);
	OK_INT(bad, 0, "power lost after each of %llu changes: nothing acknowledged is lost, the node goes on", (unsigned long long)changes);
	free(mine);
	free(card);
	simfs_free(origin);
	simfs_free(a.fs);
	simfs_free(b.fs);
}

static int read_entries(struct kit_node *k, const char *token, bool trusted)
{
	struct ent_http_request r = { .method = "GET", .url = "/tile/entries/000.p/1", .token = token, .trusted = trusted };
	struct ent_http_answer a = { .body = ENT_BUF(1 << 20) };
	ent_node_http(k->node, &r, &a);
	ent_buf_deinit(&a.body);
	return a.status;
}

/* Entries are for members and for whoever shows a token; a token that was taken back, or bent, opens nothing. */
static void test_tokens(void)
{
	struct kit_node k;
	struct ent_err err = ENT_ERR_INIT;
	ENT_JSON_AUTO made = NULL;
	ENT_JSON_AUTO list = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf kept = ENT_BUF(1000);
	char token[100], bent[100];
	kit_init(&k, 5);
	free(kit_home(&k, "hudson", &err));
	OK_INT(kit_open(&k, &err), 0, "opens: %s", err.what);
	OK_INT(kit_ask(&k, "token.add", json_pack("{s:s}", "name", "auditor"), &made, &err), 0, "made: %s", err.what);
	snprintf(token, sizeof token, "%s", json_string_value(json_object_get(made, "token")));
	snprintf(bent, sizeof bent, "%s", token);
	bent[20] = bent[20] == 'a' ? 'b' : 'a';
	OK_INT(kit_ask(&k, "token.add", json_pack("{s:s}", "name", "auditor"), NULL, &err), ENT_EUSAGE, "a name is used once: %s", err.what);
	OK_INT(kit_ask(&k, "token.add", json_pack("{s:s}", "name", "../keys"), NULL, &err), ENT_EUSAGE, "a name is a name: %s", err.what);
	OK_INT(read_entries(&k, token, false), 200, "it opens the entries");
	OK_INT(read_entries(&k, bent, false), 403, "a bent one does not");
	OK_INT(read_entries(&k, "", false), 403, "nor none");
	OK_INT(read_entries(&k, NULL, true), 200, "a member needs none");
	OK(!ent_fs_read(k.fs, "secrets/read-tokens", 1000, &kept, NULL) && !strstr(ent_buf_text(&kept), token + 4), "the token itself is not kept");
	ent_node_close(k.node);
	OK_INT(kit_open(&k, &err), 0, "opens again: %s", err.what);
	OK_INT(read_entries(&k, token, false), 200, "it opens the entries after a restart");
	OK_INT(kit_ask(&k, "token.remove", json_pack("{s:s}", "name", "auditor"), NULL, &err), 0, "taken back: %s", err.what);
	OK_INT(kit_ask(&k, "token.remove", json_pack("{s:s}", "name", "auditor"), NULL, &err), ENT_ENOTFOUND, "once");
	OK_INT(read_entries(&k, token, false), 403, "and opens nothing any more");
	OK_INT(kit_ask(&k, "token.list", json_object(), &list, &err), 0, "listed");
	OK_INT(json_array_size(json_object_get(list, "tokens")), 0, "none is left");
	ent_node_close(k.node);
	ENT_ASSERT(!ent_fs_replace(k.fs, "secrets/read-tokens", ent_bytes_str("auditor 12\n"), 0600, NULL));
	OK_INT(kit_open(&k, &err), ENT_ECONFIG, "a damaged file stops the node: %s", err.what);
	simfs_free(k.fs);
}

int main(void)
{
	test_init();
	test_init_refusals();
	test_trust();
	test_power();
	test_tokens();
	return tap_done();
}
