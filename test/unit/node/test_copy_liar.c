/* A member that lies about what it may copy: requests in perfect form, well signed, that its own honest node would never send. The owner judges them
 * alone, by its own grants, and nothing of its rows is promised before its entry is durable. */
#include "ledger/entry.h"
#include "peer_kit.h"
#include "tap.h"

static unsigned moves;
static char link_name[120], served[200];

static int move(struct ent_runner *r, const struct ent_move_spec *spec, struct ent_err *err)
{
	(void)r, (void)err;
	moves++;
	snprintf(link_name, sizeof link_name, "%s", spec->link);
	char *columns = json_dumps(json_object_get(spec->args, "columns"), JSON_COMPACT);
	snprintf(served, sizeof served, "%s %s %s", spec->kind, spec->peer, columns);
	free(columns);
	return 0;
}
static void move_cancel(struct ent_runner *r, const char *id) { (void)r, (void)id; }
static const struct ent_runner_ops ops = { probe, start, cancel, move, move_cancel };

struct world {
	struct peer alpha, mallory;
};

static void grant(struct peer *p, const char *text)
{
	struct ent_err err = ENT_ERR_INIT;
	OK_INT(kit_ask(&p->k, "grant", json_pack("{s:s}", "text", text), NULL, &err), 0, "%s %s", text, err.what);
}

static void world_begin(struct world *w)
{
	static const struct ent_probe_column columns[] = {
		{ .name = "k", .native = "int", .type = { .id = ENT_T_INT32 }, .has_values = true, .magnitude_bits = 6 },
		{ .name = "v", .native = "int", .type = { .id = ENT_T_INT32 }, .has_values = true, .magnitude_bits = 6 },
	};
	struct ent_probe_facts facts = { .rows = 40, .columns = columns, .n_columns = 2, .version = "" };
	struct kit_reply r = { .reply = { kit_done } };
	char *a = begin(&w->alpha, "alpha", 1, &w->mallory), *m = begin(&w->mallory, "mallory", 2, &w->alpha);
	w->alpha.runner.ops = w->mallory.runner.ops = &ops;
	open_peer(&w->alpha);
	open_peer(&w->mallory);
	trust(&w->alpha, m);
	trust(&w->mallory, a);
	ENT_JSON_AUTO args = json_pack("{s:s,s:s}", "name", "t", "source", "t.csv");
	ent_node_request(w->alpha.k.node, "add", args, &r.reply);
	ent_node_probed(w->alpha.k.node, w->alpha.probe, &facts, NULL);
	OK(r.done && !r.code, "alpha adds t");
	json_decref(r.answer);
	ent_node_peer_up(w->alpha.k.node, "mallory");
	ent_node_peer_up(w->mallory.k.node, "alpha");
	pump(&w->alpha, &w->mallory, NULL);
	moves = 0;
	free(a), free(m);
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

struct lie {
	const char *source, *columns, *purpose, *outcome, *owner, *actor;
	int64_t age_ms;
	bool unsigned_, longer_id;
};

/* mallory's request, signed with its own key. */
static void ask(struct world *w, struct lie l)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf envelope = ENT_BUF(ENT_DSSE_BYTES_MAX), key = ENT_BUF(80), text = ENT_BUF(ENT_MESH_BYTES_MAX);
	ENT_JSON_AUTO columns = json_loads(l.columns, 0, NULL);
	struct ent_signer signer;
	uint8_t seed[32];
	ENT_ASSERT(!ent_fs_read(w->mallory.k.fs, "keys/sign", 80, &key, NULL) && ent_unhex(seed, 32, (const char *)key.data, 64));
	seed[0] ^= l.unsigned_;
	ENT_ASSERT(!ent_signer_init(&signer, seed, NULL));
	ENT_JSON_AUTO fields =
		json_pack("{s:s,s:s,s:O,s:s,s:s,s:[s]}", "outcome", l.outcome ? l.outcome : "requested", "source", l.source ? l.source : "alpha.t",
			  "columns", columns, "purpose", l.purpose ? l.purpose : "", "owner", l.owner ? l.owner : "alpha", "targets", "x.csv");
	ENT_ASSERT(!ent_entry_make(ENT_ENTRY_COPY, kit_utc(&w->alpha.k.clock) - l.age_ms, l.actor ? l.actor : "mallory", fields, &signer, &envelope,
				   NULL));
	ENT_JSON_AUTO msg = json_pack("{s:s,s:s,s:s}", "type", "copy?", "move", l.longer_id ? "../../../../etc/x" : "0123456789abcdef", "request",
				      ent_buf_text(&envelope));
	ENT_ASSERT(!ent_json_canonical(msg, &text, NULL));
	forget(&w->alpha);
	ent_node_peer_message(w->alpha.k.node, "mallory", ent_buf_bytes(&text));
}

static size_t entries(struct world *w)
{
	ENT_JSON_AUTO answer = NULL;
	size_t i, n = 0;
	json_t *e;
	kit_ask(&w->alpha.k, "ledger.list", json_object(), &answer, NULL);
	json_array_foreach(json_object_get(answer, "entries"), i, e) n += !strcmp(json_string_value(json_object_get(e, "type")), "copy");
	return n;
}

/* How many lines of a ledger's list hold text. */
static size_t has_entry(struct peer *p, const char *text)
{
	ENT_JSON_AUTO answer = NULL;
	size_t i, n = 0;
	json_t *e;
	kit_ask(&p->k, "ledger.list", json_object(), &answer, NULL);
	json_array_foreach(json_object_get(answer, "entries"), i, e) n += strstr(json_string_value(json_object_get(e, "text")), text) != NULL;
	return n;
}

static void refused(struct world *w, struct lie l, const char *name)
{
	ask(w, l);
	const char *no = last(&w->alpha, "copy-");
	OK(!moves && !last(&w->alpha, "copy!") && !entries(w), "%s: %s", name, no ? no : "no answer");
}

static void test_lies(void)
{
	struct world w;
	world_begin(&w);
	refused(&w, (struct lie){ .columns = "[\"k\"]" }, "without a grant");
	grant(&w.alpha, "GRANT SELECT ON t(k) TO ANY");
	refused(&w, (struct lie){ .columns = "[\"k\"]" }, "SELECT is not COPY");
	grant(&w.alpha, "GRANT COPY ON t(k) TO mallory FOR research");
	refused(&w, (struct lie){ .columns = "[\"k\"]" }, "without the purpose");
	refused(&w, (struct lie){ .columns = "[\"k\",\"v\"]", .purpose = "research" }, "a column beside");
	refused(&w, (struct lie){ .columns = "[]", .purpose = "research" }, "no column");
	refused(&w, (struct lie){ .columns = "[\"k\",\"zz\"]", .purpose = "research" }, "a column that is not there");
	refused(&w, (struct lie){ .columns = "[\"k\",7]", .purpose = "research" }, "a column that is a number");
	refused(&w, (struct lie){ .columns = "[\"k\"]", .purpose = "research", .source = "alpha.other" }, "another table");
	refused(&w, (struct lie){ .columns = "[\"k\"]", .purpose = "research", .source = "mallory.t" }, "a table of its own");
	refused(&w, (struct lie){ .columns = "[\"k\"]", .purpose = "research", .owner = "mallory" }, "another owner");
	refused(&w, (struct lie){ .columns = "[\"k\"]", .purpose = "research", .outcome = "granted" }, "already granted, it says");
	refused(&w, (struct lie){ .columns = "[\"k\"]", .purpose = "research", .actor = "alpha" }, "in the owner's name");
	refused(&w, (struct lie){ .columns = "[\"k\"]", .purpose = "research", .unsigned_ = true }, "signed by another key");
	refused(&w, (struct lie){ .columns = "[\"k\"]", .purpose = "research", .age_ms = 200000 }, "of another time");
	refused(&w, (struct lie){ .columns = "[\"k\"]", .purpose = "research", .age_ms = -200000 }, "of a time to come");
	refused(&w, (struct lie){ .columns = "[\"k\"]", .purpose = "research", .longer_id = true }, "with a name that is a path");
	grant(&w.alpha, "GRANT COPY ON t(v) TO mallory REQUIRE APPROVAL");
	refused(&w, (struct lie){ .columns = "[\"v\"]" }, "a grant that wants approval");
	ask(&w, (struct lie){ .columns = "[\"k\"]", .purpose = "research" });
	OK(moves == 1 && last(&w.alpha, "copy!") && entries(&w) == 1, "what is granted is served, and entered before");
	OK_STR(served, "serve mallory [\"k\"]", "with the granted column only");
	OK(strstr(link_name, "copy/0123456789abcdef/"), "over a link that is bound to the request: %s", link_name);
	world_end(&w);
}

static void test_uses(void)
{
	struct world w;
	world_begin(&w);
	grant(&w.alpha, "GRANT COPY ON t(k) TO mallory USES 2");
	for (int i = 0; i < 2; i++) {
		w.alpha.k.ms += 10;
		ask(&w, (struct lie){ .columns = "[\"k\"]" });
	}
	OK_INT(moves, 2, "two uses");
	moves = 0;
	w.alpha.k.ms += 10;
	ask(&w, (struct lie){ .columns = "[\"k\"]" });
	OK(!moves && last(&w.alpha, "copy-"), "and no third, though none has ended yet");
	world_end(&w);
}

static void crash(struct peer *p)
{
	simfs_crash(p->k.fs);
	ent_node_close(p->k.node);
	open_peer(p);
	ent_node_tick(p->k.node);
}

/* Both ends of a copy lose power: the one who waits for an answer, with a password of its target, and the owner who serves. */
static void test_cut_off(void)
{
	struct world w;
	struct ent_err err = ENT_ERR_INIT;
	world_begin(&w);
	grant(&w.alpha, "GRANT COPY ON t(k) TO mallory");
	pump(&w.alpha, &w.mallory, NULL);
	json_t *args = json_pack("{s:s,s:s,s:[s],s:s}", "kind", "copy", "source", "alpha.t", "targets", "postgresql://me@db.example/main#public.t",
				 "target_secret", "geheim");
	ENT_JSON_AUTO answer = NULL;
	OK_INT(kit_ask(&w.mallory.k, "move.start", args, &answer, &err), 0, "mallory asks: %s", err.what);
	char path[80];
	snprintf(path, sizeof path, "secrets/move-%s-1", json_string_value(json_object_get(answer, "move")));
	OK(ent_fs_exists(w.mallory.k.fs, path), "its target's password waits");
	crash(&w.mallory);
	OK(has_entry(&w.mallory, "unknown") == 1 && !ent_fs_exists(w.mallory.k.fs, path), "after a crash its copy is entered, the password is gone");
	ask(&w, (struct lie){ .columns = "[\"k\"]" });
	crash(&w.alpha);
	OK_INT(has_entry(&w.alpha, "unknown"), 1, "the owner who served enters that it does not know the end");
	OK_INT(has_entry(&w.alpha, "granted"), 1, "beside what it granted");
	world_end(&w);
}

int main(void)
{
	test_lies();
	test_uses();
	test_cut_off();
	return tap_done();
}
