/* New keys: whatever moment the power goes, the home opens with one set or the other; members accept the card that the old key signed and
 * judge every entry by the key that was right at its place; a key that was replaced signs nothing any more. */
#include "ledger/card.h"
#include "ledger/entry.h"
#include "peer_kit.h"

static struct peer alpha, bravo;

static int64_t version_of(struct peer *at, const char *org)
{
	ENT_JSON_AUTO answer = NULL;
	size_t i;
	json_t *m;
	kit_ask(&at->k, "members", json_object(), &answer, NULL);
	json_array_foreach(json_object_get(answer, "members"), i, m) if (!strcmp(json_string_value(json_object_get(m, "org")),
										 org)) return json_integer_value(json_object_get(m, "version"));
	return 0;
}

static int64_t size_of(struct peer *p)
{
	ENT_JSON_AUTO answer = NULL;
	kit_ask(&p->k, "status", json_object(), &answer, NULL);
	return json_integer_value(json_object_get(json_object_get(answer, "ledger"), "size"));
}

/* What bravo holds of alpha's facts, as it tells in hello. */
static int64_t held(struct peer *p, const char *org)
{
	ENT_JSON_AUTO hello = NULL;
	forget(p);
	ent_node_peer_up(p->k.node, org);
	const char *text = last(p, "hello");
	ENT_ASSERT(text && !ent_json_parse(ent_bytes_str(text), ENT_MESH_BYTES_MAX, &hello, NULL));
	return json_integer_value(json_object_get(hello, "have"));
}

static void meet(struct peer *a, struct peer *b)
{
	forget(a), forget(b);
	ent_node_peer_up(a->k.node, b->org);
	ent_node_peer_up(b->k.node, a->org);
	pump(a, b, NULL);
}

static void seed_of(struct peer *p, const char *use, uint8_t ret[32])
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf key = ENT_BUF(80);
	char path[40];
	snprintf(path, sizeof path, "keys/%s", use);
	ENT_ASSERT(!ent_fs_read(p->k.fs, path, 80, &key, NULL) && ent_unhex(ret, 32, (const char *)key.data, 64));
}

/* The home of p changes its keys while no node runs. */
static char *rotate(struct peer *p)
{
	struct ent_err err = ENT_ERR_INIT;
	ENT_JSON_AUTO answer = NULL;
	if (p->k.node)
		ent_node_close(p->k.node);
	OK_INT(kit_open(&p->k, &err), 0, "%s's home opens: %s", p->org, err.what);
	OK_INT(kit_ask(&p->k, "card.rotate", json_object(), &answer, &err), 0, "and gets new keys: %s", err.what);
	OK(kit_ask(&p->k, "ledger.note", json_pack("{s:s}", "text", "x"), NULL, &err) != 0, "the old ones sign nothing more: %s", err.what);
	ent_node_close(p->k.node);
	p->k.node = NULL;
	return ent_strdup(json_string_value(json_object_get(answer, "card")));
}

static void world(void)
{
	char *a = begin(&alpha, "alpha", 1, &bravo), *b = begin(&bravo, "bravo", 2, &alpha);
	open_peer(&alpha);
	open_peer(&bravo);
	trust(&alpha, b);
	trust(&bravo, a);
	meet(&alpha, &bravo);
	free(a), free(b);
}

static void world_end(void)
{
	ent_node_close(alpha.k.node);
	ent_node_close(bravo.k.node);
	forget(&alpha), forget(&bravo);
	simfs_free(alpha.k.fs), simfs_free(bravo.k.fs);
}

static void note(struct peer *p, const char *text)
{
	struct ent_err err = ENT_ERR_INIT;
	OK_INT(kit_ask(&p->k, "ledger.note", json_pack("{s:s}", "text", text), NULL, &err), 0, "%s notes: %s", p->org, err.what);
}

static void verified(struct peer *p)
{
	struct ent_err err = ENT_ERR_INIT;
	OK_INT(kit_ask(&p->k, "ledger.verify", json_object(), NULL, &err), 0, "the ledger of %s holds: %s %s", p->org, err.what, err.why);
}

/* A facts message with one entry of alpha at the place where bravo's knowledge ends. */
static void offer(const uint8_t seed[32], int64_t at)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf envelope = ENT_BUF(ENT_DSSE_BYTES_MAX), text = ENT_BUF(ENT_MESH_BYTES_MAX);
	struct ent_signer signer;
	ENT_JSON_AUTO fields = json_pack("{s:i}", "revokes", 1);
	ENT_ASSERT(!ent_signer_init(&signer, seed, NULL));
	ENT_ASSERT(!ent_entry_make(ENT_ENTRY_REVOKE, 1795000000000, "alpha", fields, &signer, &envelope, NULL));
	ENT_JSON_AUTO msg = json_pack("{s:s,s:I,s:I,s:[{s:I,s:s}],s:{}}", "type", "facts", "from", (json_int_t)at, "size", (json_int_t)at + 1,
				      "entries", "at", (json_int_t)at, "dsse", ent_buf_text(&envelope), "uses");
	ENT_ASSERT(!ent_json_canonical(msg, &text, NULL));
	ent_node_peer_message(bravo.k.node, "alpha", ent_buf_bytes(&text));
}

static void test_rotation(void)
{
	struct ent_err err = ENT_ERR_INIT;
	uint8_t before[4][32], after[4][32];
	static const char *const uses[] = { "sign", "log", "witness", "tls" };
	world();
	note(&alpha, "under the old key");
	for (int i = 0; i < 4; i++)
		seed_of(&alpha, uses[i], before[i]);
	OK_INT(kit_ask(&alpha.k, "card.rotate", json_object(), NULL, &err), ENT_EAGAIN, "not under a running node: %s", err.what);
	free(rotate(&alpha));
	for (int i = 0; i < 4; i++) {
		seed_of(&alpha, uses[i], after[i]);
		OK((memcmp(before[i], after[i], 32) == 0) == (i == 1), "key %s is %s", uses[i], i == 1 ? "the same: it names the log" : "new");
	}
	OK(!ent_fs_exists(alpha.k.fs, "keys/next"), "nothing is left of the change");
	open_peer(&alpha);
	note(&alpha, "under the new key");
	verified(&alpha);
	meet(&alpha, &bravo);
	OK_INT(version_of(&bravo, "alpha"), 2, "the other accepts the new card by itself");
	int64_t size = held(&bravo, "alpha");
	OK_INT(size, size_of(&alpha), "and everything that stands under either key");
	offer(before[0], size);
	OK_INT(held(&bravo, "alpha"), size, "an entry that the old key signs after that is refused");
	offer(after[0], size);
	OK_INT(held(&bravo, "alpha"), size + 1, "one of the new key is not");
	verified(&bravo);
	world_end();
}

/* A member that comes later pins the newest card only. */
static void newcomer(bool bent)
{
	struct ent_err err = ENT_ERR_INIT;
	char *mine, *theirs, *first = begin(&alpha, "alpha", 3, &bravo);
	open_peer(&alpha);
	note(&alpha, "early");
	free(rotate(&alpha));
	mine = rotate(&alpha);
	open_peer(&alpha);
	theirs = begin(&bravo, "bravo", 4, &alpha);
	open_peer(&bravo);
	trust(&bravo, mine);
	trust(&alpha, theirs);
	OK_INT(version_of(&bravo, "alpha"), 3, "a newcomer pins the third version");
	forget(&alpha), forget(&bravo);
	ent_node_peer_up(alpha.k.node, "bravo");
	if (bent) {
		struct peer fake;
		char *other = begin(&fake, "alpha", 9, &bravo);
		ENT_JSON_AUTO hello = NULL;
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_MESH_BYTES_MAX);
		ENT_ASSERT(!ent_json_parse(ent_bytes_str(last(&alpha, "hello")), ENT_MESH_BYTES_MAX, &hello, NULL));
		json_object_set_new(hello, "past", json_pack("[s]", other));
		ENT_ASSERT(!ent_json_canonical(hello, &text, NULL));
		uint8_t seed[32];
		seed_of(&fake, "sign", seed);
		ent_node_peer_message(bravo.k.node, "alpha", ent_buf_bytes(&text));
		offer(seed, 0);
		OK_INT(held(&bravo, "alpha"), 0, "an older card that the newer one does not name counts for nothing");
		free(other);
		simfs_free(fake.k.fs);
	} else {
		meet(&alpha, &bravo);
		OK_INT(held(&bravo, "alpha"), size_of(&alpha), "and takes all that was signed before: %s", err.what);
	}
	free(first), free(mine), free(theirs);
	world_end();
}

static void answer_get(struct peer *p, int status, const char *text)
{
	struct ent_http_answer a = { .status = status, .type = "application/json", .body = ENT_BUF(100000) };
	void (*done)(void *, const struct ent_http_answer *, const struct ent_err *) = p->get_done;
	ENT_ASSERT(done);
	p->get_done = NULL;
	ent_buf_str(&a.body, text);
	done(p->get_arg, &a, NULL);
	ent_buf_deinit(&a.body);
}

static void wait_for_get(struct peer *p)
{
	for (int i = 0; i < 200 && !p->get_done; i++) {
		p->k.ms += 200;
		ent_node_tick(p->k.node);
	}
	OK(p->get_done != NULL, "%s asks: %s", p->org, p->get_url);
}

/* Who is away when keys change finds the new card at the HTTP port. */
static void test_away(void)
{
	struct peer fake;
	struct ent_http_request r = { .method = "GET", .url = "/card/2" };
	struct ent_http_answer a = { .body = ENT_BUF(100000) };
	char *other, *card;
	world();
	ent_node_peer_down(bravo.k.node, "alpha");
	card = rotate(&alpha);
	open_peer(&alpha);
	int64_t size = size_of(&bravo);
	wait_for_get(&bravo);
	OK(strstr(bravo.get_url, "https://127.0.0.1:7101/card/2"), "the next version");
	other = begin(&fake, "alpha", 9, &bravo);
	answer_get(&bravo, 200, other);
	OK_INT(version_of(&bravo, "alpha"), 1, "a card that the pinned key did not sign is nothing");
	OK_INT(size_of(&bravo), size, "and no alarm: anybody may answer there");
	wait_for_get(&bravo);
	answer_get(&bravo, 404, "");
	ent_node_http(alpha.k.node, &r, &a);
	OK(a.status == 200 && !strcmp(ent_buf_text(&a.body), card), "the member serves its card to everybody");
	wait_for_get(&bravo);
	answer_get(&bravo, 200, ent_buf_text(&a.body));
	OK_INT(version_of(&bravo, "alpha"), 2, "accepted");
	r.url = "/card/3";
	ent_node_http(alpha.k.node, &r, &a);
	OK_INT(a.status, 404, "there is no third");
	ent_node_peer_down(bravo.k.node, "alpha");
	wait_for_get(&bravo);
	void (*late)(void *, const struct ent_http_answer *, const struct ent_err *) = bravo.get_done;
	world_end();
	late(bravo.get_arg, &a, NULL);
	OK(true, "an answer to a node that is gone is dropped");
	ent_buf_deinit(&a.body);
	free(other), free(card);
	simfs_free(fake.k.fs);
}

static bool survives(struct ent_fs *origin, uint64_t at, unsigned *rotated)
{
	struct kit_node k;
	struct ent_err err = ENT_ERR_INIT;
	kit_init(&k, at + 7);
	simfs_free(k.fs);
	k.fs = simfs_copy(origin, at);
	ENT_ASSERT(!kit_open(&k, &err));
	simfs_power_off_after(k.fs, at);
	bool said = !kit_ask(&k, "card.rotate", json_object(), NULL, NULL);
	ent_node_close(k.node);
	simfs_crash(k.fs);
	bool good = !kit_open(&k, &err) && !kit_ask(&k, "ledger.note", json_pack("{s:s}", "text", "goes on"), NULL, &err) &&
		    !kit_ask(&k, "ledger.verify", json_object(), NULL, &err);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(20000);
	struct ent_card card = { .version = 0 };
	bool second = !ent_fs_read(k.fs, "card.json", 20000, &text, NULL) && !ent_card_open(ent_buf_bytes(&text), &card, NULL) && card.version == 2;
	*rotated += second;
	if (!good || (said && !second))
		printf("# power off after %llu changes: %s %s\n", (unsigned long long)at, err.what, err.why);
	if (k.node)
		ent_node_close(k.node);
	simfs_free(k.fs);
	return good && (!said || second);
}

static void test_power(void)
{
	struct kit_node k;
	struct ent_err err = ENT_ERR_INIT;
	unsigned bad = 0, rotated = 0;
	kit_init(&k, 5);
	free(kit_home(&k, "hudson", &err));
	ENT_ASSERT(!kit_open(&k, &err));
	kit_ask(&k, "ledger.note", json_pack("{s:s}", "text", "a note"), NULL, NULL);
	ent_node_close(k.node);
	struct ent_fs *origin = simfs_copy(k.fs, 1);
	ENT_ASSERT(!kit_open(&k, &err));
	uint64_t changes = simfs_changes(k.fs);
	OK_INT(kit_ask(&k, "card.rotate", json_object(), NULL, &err), 0, "rotated: %s", err.what);
	changes = simfs_changes(k.fs) - changes;
	ent_node_close(k.node);
	for (uint64_t at = 0; at <= changes; at++)
		bad += !survives(origin, at, &rotated);
	OK_INT(bad, 0, "power lost after each of %llu changes: old keys or new keys, never a mixture", (unsigned long long)changes);
	OK(rotated > 3 && rotated < changes, "both were seen: %u of %llu times the new ones", rotated, (unsigned long long)changes + 1);
	simfs_free(origin);
	simfs_free(k.fs);
}

int main(void)
{
	test_rotation();
	newcomer(false);
	newcomer(true);
	test_away();
	test_power();
	return tap_done();
}
