/* A requester that lies: proposals in perfect form and well signed whose content was bent, or that come late. An owner answers none of them. */
#include "ledger/content.h"
#include "ledger/entry.h"
#include "peer_kit.h"
#include "tap.h"

static void grant(struct peer *p, const char *text, int64_t *ret_at)
{
	struct ent_err err = ENT_ERR_INIT;
	ENT_JSON_AUTO answer = NULL;
	OK_INT(kit_ask(&p->k, "grant", json_pack("{s:s}", "text", text), &answer, &err), 0, "%s %s", text, err.what);
	if (ret_at)
		*ret_at = strtoll(strchr(json_string_value(json_array_get(json_object_get(answer, "ids"), 0)), '/') + 1, NULL, 10);
}

static void add_table(struct peer *p)
{
	static const struct ent_probe_column columns[] = {
		{ .name = "k", .native = "int", .type = { .id = ENT_T_INT32 }, .has_values = true, .magnitude_bits = 6 },
		{ .name = "v", .native = "int", .type = { .id = ENT_T_INT32 }, .has_values = true, .magnitude_bits = 6 },
	};
	static const uint16_t first[] = { 0 };
	static const struct ent_unique keys[] = { { first, 1 } };
	struct ent_probe_facts facts = { .rows = 40, .columns = columns, .n_columns = 2, .keys = keys, .n_keys = 1, .version = "" };
	struct kit_reply r = { .reply = { kit_done } };
	ENT_JSON_AUTO args = json_pack("{s:s,s:s,s:[s]}", "name", "t", "source", "t.csv", "keys", "k");
	ent_node_request(p->k.node, "add", args, &r.reply);
	ent_node_probed(p->k.node, p->probe, &facts, NULL);
	OK(r.done && !r.code, "%s adds t: %s", p->org, r.err.what);
	json_decref(r.answer);
}

/* Owner alpha and requester mallory, carol pinned by both. */
struct world {
	struct peer alpha, mallory;
};

static void world_begin(struct world *w)
{
	struct peer carol;
	char *a = begin(&w->alpha, "alpha", 1, &w->mallory), *m = begin(&w->mallory, "mallory", 2, &w->alpha),
	     *c = begin(&carol, "carol", 3, &w->alpha);
	open_peer(&w->alpha);
	open_peer(&w->mallory);
	trust(&w->alpha, m);
	trust(&w->alpha, c);
	trust(&w->mallory, a);
	trust(&w->mallory, c);
	add_table(&w->alpha);
	add_table(&w->mallory);
	grant(&w->alpha, "GRANT FILTER ON t(k) TO ANY", NULL);
	grant(&w->alpha, "GRANT JOIN ON t(k) TO ANY", NULL);
	ent_node_peer_up(w->alpha.k.node, "mallory");
	ent_node_peer_up(w->mallory.k.node, "alpha");
	ent_node_peer_up(w->mallory.k.node, "carol");
	pump(&w->alpha, &w->mallory, NULL);
	free(a), free(m), free(c);
	simfs_free(carol.k.fs);
}

static void world_end(struct world *w)
{
	ent_node_close(w->alpha.k.node);
	ent_node_close(w->mallory.k.node);
	forget(&w->alpha);
	forget(&w->mallory);
	simfs_free(w->alpha.k.fs);
	simfs_free(w->mallory.k.fs);
}

/* mallory's honest message for a question; it has not been delivered. */
static json_t *honest(struct world *w, const char *sql)
{
	struct ent_err err = ENT_ERR_INIT;
	pump(&w->alpha, &w->mallory, NULL);
	forget(&w->alpha);
	forget(&w->mallory);
	OK_INT(kit_ask(&w->mallory.k, "query", json_pack("{s:s}", "sql", sql), NULL, &err), 0, "asked: %s", err.what);
	w->mallory.n_told = w->mallory.n_sent;
	const char *text = last(&w->mallory, "propose");
	json_t *msg = NULL;
	OK(text && !ent_json_parse(ent_bytes_str(text), ENT_MESH_BYTES_MAX, &msg, NULL), "a proposal leaves");
	return msg;
}

/* Signs a bent content with mallory's own key, in perfect form. */
static void sign_again(struct world *w, json_t *msg, const json_t *content)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_MESH_BYTES_MAX), envelope = ENT_BUF(ENT_DSSE_BYTES_MAX), key = ENT_BUF(80);
	struct ent_signer signer;
	struct ent_entry e;
	uint8_t seed[32], salt[32] = { 7 }, commitment[32];
	char hex[65], salt_hex[65], id[17];
	ENT_ASSERT(!ent_fs_read(w->mallory.k.fs, "keys/sign", 80, &key, NULL) && ent_unhex(seed, 32, (const char *)key.data, 64));
	ENT_ASSERT(!ent_signer_init(&signer, seed, NULL) && !ent_json_canonical(content, &text, NULL));
	ent_commit(salt, ent_buf_bytes(&text), commitment);
	ent_hex(hex, commitment, 32);
	ent_hex(salt_hex, salt, 32);
	ENT_JSON_AUTO fields = json_pack("{s:O,s:{s:s},s:O,s:O}", "ledgers", json_object_get(content, "sizes"), "commitments", "proposal", hex,
					 "purpose", json_object_get(content, "purpose"), "participants", json_object_get(content, "participants"));
	ENT_ASSERT(!ent_entry_make(ENT_ENTRY_REQUEST, json_integer_value(json_object_get(content, "time")), "mallory", fields, &signer, &envelope,
				   NULL));
	ENT_ASSERT(!ent_entry_open(ent_buf_bytes(&envelope), &e, NULL));
	ent_hex(id, e.dsse.payload_hash, 8);
	ent_entry_deinit(&e);
	json_object_set_new(msg, "job", json_string(id));
	json_object_set_new(msg, "salt", json_string(salt_hex));
	json_object_set_new(msg, "request", json_string(ent_buf_text(&envelope)));
	json_object_set_new(msg, "content", json_string(ent_buf_text(&text)));
}

static void deliver(struct world *w, const json_t *msg)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_MESH_BYTES_MAX);
	ENT_ASSERT(!ent_json_canonical(msg, &text, NULL));
	forget(&w->alpha);
	ent_node_peer_message(w->alpha.k.node, "mallory", ent_buf_bytes(&text));
}

/* alpha's answer names what, and no ready leaves it. */
static void refused(struct world *w, const char *what, const char *name)
{
	const char *abort = last(&w->alpha, "abort");
	OK(!last(&w->alpha, "ready") && abort && strstr(abort, what), "%s: %s", name, abort ? abort : "no refusal");
}

#define ONE "SELECT COUNT(*) FROM alpha.t"
#define TWO "SELECT COUNT(*) FROM mallory.t m JOIN alpha.t a ON m.k = a.k"

static void bent(const char *sql, const char *key, json_t *value /* taken */, const char *what, const char *name)
{
	struct world w;
	ENT_JSON_AUTO content = NULL;
	world_begin(&w);
	grant(&w.alpha, "GRANT AGGREGATE(count) ON t(k) TO ANY", NULL);
	ENT_JSON_AUTO msg = honest(&w, sql);
	ENT_ASSERT(!ent_json_parse(ent_bytes_str(json_string_value(json_object_get(msg, "content"))), ENT_MESH_BYTES_MAX, &content, NULL));
	sign_again(&w, msg, content);
	deliver(&w, msg);
	OK(last(&w.alpha, "ready") && !last(&w.alpha, "abort"), "signed again and not bent, it is taken up");
	w.alpha.k.ms += 1;
	w.mallory.k.ms += 1;
	json_object_set_new(content, key, value);
	json_object_set_new(content, "time", json_integer(json_integer_value(json_object_get(content, "time")) - 1));
	sign_again(&w, msg, content);
	deliver(&w, msg);
	refused(&w, what, name);
	world_end(&w);
}

static void test_bent(void)
{
	bent(ONE, "trio", json_pack("[s,s,s]", "mallory", "mallory", "mallory"), "compute parties", "one party on three places");
	bent(ONE, "participants", json_pack("[s,s,s]", "alpha", "carol", "mallory"), "other participants", "somebody who is not needed");
	bent(TWO, "trio", json_pack("[s,s,s]", "mallory", "carol", "alpha"), "compute parties", "the trio in another order");
	bent(TWO, "trio", json_array(), "three compute parties", "no trio where shares are needed");
}

/* The proposal rests on the ledger as it was; what was granted meanwhile asks for more. */
static void stale(const char *now, const char *name)
{
	struct world w;
	int64_t at = 0;
	world_begin(&w);
	grant(&w.alpha, "GRANT AGGREGATE(count) ON t(k) TO ANY", &at);
	ENT_JSON_AUTO msg = honest(&w, ONE);
	struct ent_err err = ENT_ERR_INIT;
	char id[24];
	snprintf(id, sizeof id, "%lld", (long long)at);
	OK_INT(kit_ask(&w.alpha.k, "revoke", json_pack("{s:s}", "id", id), NULL, &err), 0, "revoked: %s", err.what);
	grant(&w.alpha, now, NULL);
	deliver(&w, msg);
	refused(&w, "stricter", name);
	world_end(&w);
}

static void test_stale(void)
{
	stale("GRANT AGGREGATE(count) ON t(k) TO ANY REQUIRE APPROVAL", "an approval that was not needed then");
	stale("GRANT AGGREGATE(count) ON t(k) TO ANY USES 3", "uses that would not be debited");
	stale("GRANT AGGREGATE(count) ON t(k) TO ANY MIN GROUP 30", "a larger minimum group");
}

static void test_filtered(void)
{
	struct world w;
	struct ent_err err = ENT_ERR_INIT;
	world_begin(&w);
	grant(&w.alpha, "GRANT AGGREGATE(count, sum) ON t(v) TO ANY", NULL);
	grant(&w.alpha, "GRANT AGGREGATE(count) ON t(k) TO ANY", NULL);
	pump(&w.alpha, &w.mallory, NULL);
#define SUMS "SELECT SUM(v) FILTER (WHERE k < 30)"
	OK_INT(kit_ask(&w.mallory.k, "explain", json_pack("{s:s}", "sql", SUMS ", SUM(v) FROM alpha.t"), NULL, &err), 0, "%s", err.what);
	ENT_JSON_AUTO two = NULL;
	OK_INT(kit_ask(&w.mallory.k, "explain", json_pack("{s:s}", "sql", SUMS ", SUM(v) FILTER (WHERE k < 31) FROM alpha.t"), &two, &err), 0,
	       "two conditions that may differ by one row");
	const json_t *guards = json_object_get(json_object_get(two, "decision"), "guards");
	OK(json_array_size(guards) == 1 && !strcmp(json_string_value(json_object_get(json_array_get(guards, 0), "compare")), "cells"),
	   "will be compared where they run");
	OK_INT(kit_ask(&w.mallory.k, "query", json_pack("{s:s}", "sql", SUMS ", SUM(v) FROM alpha.t"), NULL, &err), 0, "one condition: %s", err.what);
	world_end(&w);
}

/* Bytes of a pinned member never bring the node down. */
static void test_consult(void)
{
	struct world w;
	ENT_JSON_AUTO content = NULL;
	world_begin(&w);
	grant(&w.alpha, "GRANT AGGREGATE(count) ON t(k) TO ANY", NULL);
	ENT_JSON_AUTO msg = honest(&w, ONE);
	ENT_ASSERT(!ent_json_parse(ent_bytes_str(json_string_value(json_object_get(msg, "content"))), ENT_MESH_BYTES_MAX, &content, NULL));
	json_object_set_new(content, "participants", json_pack("[i,s]", 5, "mallory"));
	sign_again(&w, msg, content);
	json_object_set_new(msg, "type", json_string("consult"));
	deliver(&w, msg);
	ENT_JSON_AUTO jobs = NULL;
	OK_INT(kit_ask(&w.alpha.k, "jobs", json_object(), &jobs, NULL), 0, "the node lives");
	OK_INT(json_array_size(json_object_get(jobs, "jobs")), 0, "and waits for nobody");
	world_end(&w);
}

static int64_t ledger_size(struct peer *p)
{
	ENT_JSON_AUTO answer = NULL;
	kit_ask(&p->k, "status", json_object(), &answer, NULL);
	return json_integer_value(json_object_get(json_object_get(answer, "ledger"), "size"));
}

/* Question after question that is refused: what is remembered of them does not grow. */
static void test_flood(void)
{
	struct world w;
	ENT_JSON_AUTO content = NULL;
	size_t known = 0;
	int64_t before = 0, after_flood = 0, later = 0;
	world_begin(&w);
	grant(&w.alpha, "GRANT AGGREGATE(count) ON t(k) TO ANY", NULL);
	ENT_JSON_AUTO msg = honest(&w, ONE);
	ENT_ASSERT(!ent_json_parse(ent_bytes_str(json_string_value(json_object_get(msg, "content"))), ENT_MESH_BYTES_MAX, &content, NULL));
	json_object_set_new(content, "sql", json_string("SELECT SUM(v) FROM alpha.t"));
	int64_t time = json_integer_value(json_object_get(content, "time"));
	before = ledger_size(&w.alpha);
	for (int i = 0; i < 200; i++) {
		json_object_set_new(content, "time", json_integer(time - i));
		sign_again(&w, msg, content);
		deliver(&w, msg);
		OK(last(&w.alpha, "abort"), "question %d is refused", i);
	}
	after_flood = ledger_size(&w.alpha);
	OK(after_flood > before && after_flood <= before + 45, "200 refused questions make %d entries", (int)(after_flood - before));
	for (int i = 0; i < 200; i++) {
		json_object_set_new(content, "time", json_integer(time - i));
		sign_again(&w, msg, content);
		known += kit_ask(&w.alpha.k, "job", json_pack("{s:O}", "id", json_object_get(msg, "job")), NULL, NULL) == 0;
	}
	OK(known >= 1 && known <= 70, "%zu of 200 are remembered", known);
	w.alpha.k.ms += 600000;
	w.mallory.k.ms += 600000;
	json_object_set_new(content, "time", json_integer(time + 600000));
	sign_again(&w, msg, content);
	deliver(&w, msg);
	later = ledger_size(&w.alpha);
	OK(last(&w.alpha, "abort") && later >= after_flood + 2, "after a while they are entered again");
	world_end(&w);
}

/* A member that shows bad cards, bad notes and nonsense without end: few alarms, none of them lost from the count; others are heard. */
static void test_noise(void)
{
	struct world w;
	ENT_JSON_AUTO list = NULL;
	int64_t unentered = 0, before;
	size_t alarms = 0, i;
	json_t *entry;
	char *other;
	struct peer fake;
	world_begin(&w);
	other = begin(&fake, "mallory", 9, &w.alpha);
	before = ledger_size(&w.alpha);
	ENT_JSON_AUTO hello =
		json_pack("{s:s,s:s,s:s,s:i,s:i,s:i}", "type", "hello", "card", other, "software", "x", "time", 1, "size", 0, "have", 0);
	for (i = 0; i < 300; i++) {
		deliver(&w, hello);
		ent_node_peer_message(w.alpha.k.node, "mallory", ent_bytes_str("{\"type\":\"nonsense\"}"));
		w.alpha.k.ms += 10;
	}
	OK(ledger_size(&w.alpha) <= before + 12, "300 wrong cards make %d entries", (int)(ledger_size(&w.alpha) - before));
	w.alpha.k.ms += 120000;
	deliver(&w, hello);
	OK_INT(kit_ask(&w.alpha.k, "ledger.list", json_pack("{s:i,s:i}", "from", (int)before, "count", 100), &list, NULL), 0, "listed");
	json_array_foreach(json_object_get(list, "entries"), i, entry)
	{
		ENT_JSON_AUTO shown = NULL;
		if (strcmp(json_string_value(json_object_get(entry, "type")), "alarm") != 0)
			continue;
		alarms++;
		OK_INT(kit_ask(&w.alpha.k, "ledger.show", json_pack("{s:O}", "index", json_object_get(entry, "index")), &shown, NULL), 0, "shown");
		unentered += json_integer_value(json_object_get(json_object_get(shown, "payload"), "unentered"));
	}
	OK_INT((int64_t)alarms + unentered, 301, "what is not entered is counted: %zu entered, %lld counted", alarms, (long long)unentered);
	free(other);
	simfs_free(fake.k.fs);
	world_end(&w);
}

static void many(struct world *w, json_t *msg, json_t *content, int n, int64_t time)
{
	for (int i = 0; i < n; i++) {
		json_object_set_new(content, "time", json_integer(time - i));
		sign_again(w, msg, content);
		json_object_set_new(msg, "type", json_string("consult"));
		deliver(w, msg);
	}
}

/* One member cannot take all the places of those who wait. */
static void test_places(void)
{
	struct world w;
	ENT_JSON_AUTO content = NULL;
	ENT_JSON_AUTO jobs = NULL;
	world_begin(&w);
	grant(&w.alpha, "GRANT AGGREGATE(count) ON t(k) TO ANY", NULL);
	ENT_JSON_AUTO msg = honest(&w, ONE);
	ENT_ASSERT(!ent_json_parse(ent_bytes_str(json_string_value(json_object_get(msg, "content"))), ENT_MESH_BYTES_MAX, &content, NULL));
	json_object_set_new(content, "participants", json_pack("[s,s]", "carol", "mallory"));
	many(&w, msg, content, 100, json_integer_value(json_object_get(content, "time")));
	OK_INT(kit_ask(&w.alpha.k, "jobs", json_object(), &jobs, NULL), 0, "the node lives");
	OK_INT(json_array_size(json_object_get(jobs, "jobs")), 16, "of one member so many questions wait");
	world_end(&w);
}

/* An answer without a group tells nothing that another answer could be compared with; an answer of which nothing is kept stops the next. */
static void after(int released, bool answered)
{
	struct world w;
	struct ent_err err = ENT_ERR_INIT;
	ENT_JSON_AUTO stats = json_pack("{s:i}", "groups_released", released);
	struct ent_run_result result = { .stats = stats }, rows = { .has_rows = true, .rows = ent_bytes_str("count\n"), .stats = stats };
	world_begin(&w);
	grant(&w.alpha, "GRANT AGGREGATE(count) ON t(k) TO ANY", NULL);
	pump(&w.alpha, &w.mallory, NULL);
	forget(&w.alpha), forget(&w.mallory);
	OK_INT(kit_ask(&w.mallory.k, "query", json_pack("{s:s}", "sql", ONE " WHERE k < 2"), NULL, &err), 0, "asked: %s", err.what);
	pump(&w.alpha, &w.mallory, NULL);
	OK(w.alpha.job[0] && !strcmp(w.alpha.job, w.mallory.job), "both run it");
	ent_node_run_ended(w.alpha.k.node, w.alpha.job, 1, &result, NULL);
	ent_node_run_ended(w.mallory.k.node, w.mallory.job, 1, &rows, NULL);
	w.mallory.k.ms += 10;
	w.alpha.k.ms += 10;
	ENT_JSON_AUTO msg = honest(&w, ONE " WHERE k < 30");
	deliver(&w, msg);
	OK((last(&w.alpha, "ready") != NULL) == answered, "the next question after one with %d groups is %s", released,
	   answered ? "answered" : "not");
	world_end(&w);
}

static void test_after(void)
{
	after(0, true);
	after(1, false);
}

/* alpha's honest `ready` with one hexadecimal digit of a member changed (key NULL: none), given to mallory, who waits for it. */
static void ready_with(const char *key, const char *what)
{
	struct world w;
	ENT_JSON_AUTO ready = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_MESH_BYTES_MAX);
	world_begin(&w);
	grant(&w.alpha, "GRANT AGGREGATE(count) ON t(k) TO ANY", NULL);
	ENT_JSON_AUTO msg = honest(&w, ONE);
	deliver(&w, msg);
	ENT_ASSERT(last(&w.alpha, "ready") && !ent_json_parse(ent_bytes_str(last(&w.alpha, "ready")), ENT_MESH_BYTES_MAX, &ready, NULL));
	char value[200] = "";
	if (key) {
		snprintf(value, sizeof value, "%s", json_string_value(json_object_get(ready, key)));
		value[10] = value[10] == 'a' ? 'b' : 'a';
		json_object_set_new(ready, key, json_string(value));
	}
	ENT_ASSERT(!ent_json_canonical(ready, &text, NULL));
	ent_node_peer_message(w.mallory.k.node, "alpha", ent_buf_bytes(&text));
	const char *abort = last(&w.mallory, "abort");
	if (!key)
		OK(w.mallory.job[0] && !abort, "an equal plan and decision run");
	else
		OK(!w.mallory.job[0] && abort && strstr(abort, what), "another %s never runs: %s", key, abort ? abort : "no word of it");
	world_end(&w);
}

static void test_disagree(void)
{
	ready_with(NULL, "");
	ready_with("plan", "alpha came to another plan than mallory");
	ready_with("decision", "alpha came to another decision than mallory");
	ready_with("sig", "");
}

/* Nothing is asked, shared or made with numbers that are not random. */
static void test_no_random(void)
{
	struct world w;
	struct kit_node fresh;
	struct ent_err err = ENT_ERR_INIT;
	world_begin(&w);
	grant(&w.alpha, "GRANT AGGREGATE(count) ON t(k) TO ANY", NULL);
	pump(&w.alpha, &w.mallory, NULL);
	forget(&w.mallory);
	w.mallory.k.no_random = true;
	OK(kit_ask(&w.mallory.k, "query", json_pack("{s:s}", "sql", ONE), NULL, &err) && !last(&w.mallory, "propose"), "no question leaves: %s",
	   err.what);
	OK(strstr(err.what, "random"), "and the reason is told");
	kit_init(&fresh, 9);
	fresh.no_random = true;
	char *card = kit_home(&fresh, "fresh", &err);
	OK(!card && strstr(err.what, "random"), "no keys are made: %s", err.what);
	free(card);
	simfs_free(fresh.fs);
	world_end(&w);
}

/* What a peer says lands on a terminal. */
static void test_escape(void)
{
	struct world w;
	ENT_JSON_AUTO answer = NULL;
	world_begin(&w);
	grant(&w.alpha, "GRANT AGGREGATE(count) ON t(k) TO ANY", NULL);
	ENT_JSON_AUTO msg = honest(&w, ONE);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(4096);
	ENT_JSON_AUTO abort = json_pack("{s:s,s:O,s:i,s:i,s:s,s:s,s:s,s:s}", "type", "abort", "job", json_object_get(msg, "job"), "attempt", 1,
					"time", 1, "code", "denied", "what", "a\x1b[2Jb\nc", "why", "d\x1b[1m", "next", "\x7f");
	ENT_ASSERT(!ent_json_canonical(abort, &text, NULL));
	ent_node_peer_message(w.mallory.k.node, "alpha", ent_buf_bytes(&text));
	kit_ask(&w.mallory.k, "job", json_pack("{s:O}", "id", json_object_get(msg, "job")), &answer, NULL);
	const json_t *error = json_object_get(answer, "error");
	OK_STR(json_string_value(json_object_get(error, "what")), "a [2Jb c", "no control characters in what a peer says");
	OK_STR(json_string_value(json_object_get(error, "why")), "d [1m", "nor in why");
	world_end(&w);
}

int main(void)
{
	test_after();
	test_disagree();
	test_no_random();
	test_escape();
	test_bent();
	test_stale();
	test_filtered();
	test_consult();
	test_flood();
	test_noise();
	test_places();
	return tap_done();
}
