/* The log on disk: blocks, checkpoints, proofs, read routes, recovery. */
#include "ledger/proof.h"
#include "ledger/segment.h"
#include "support/ledger_kit.h"
#include "tap.h"

static struct ent_http_answer get(struct ent_ledger *l, const char *url, bool trusted)
{
	struct ent_http_request r = { .method = "GET", .url = url, .trusted = trusted };
	struct ent_http_answer a = { .body = ENT_BUF(ENT_HTTP_BODY_MAX) };
	if (!ent_ledger_serve(l, &r, &a))
		a.status = -1;
	return a;
}

static int status(struct ent_ledger *l, const char *url, bool trusted)
{
	struct ent_http_answer a = get(l, url, trusted);
	ent_buf_deinit(&a.body);
	return a.status;
}

static void test_genesis(struct kit_org *o, struct ent_ledger *l)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(ENT_DSSE_BYTES_MAX);
	ENT_CLEANUP(ent_entry_deinit) struct ent_entry block = { 0 }, member = { 0 };
	struct ent_card card;
	OK_INT(ent_ledger_size(l), 2);
	OK_INT(ent_ledger_signed(l)->size, 2);
	OK_INT(ent_ledger_entry(l, 0, &b, NULL), 0);
	OK_INT(ent_entry_open(ent_buf_bytes(&b), &block, NULL), 0);
	OK_INT(block.type, ENT_ENTRY_BLOCK);
	OK_STR(json_string_value(json_object_get(block.dsse.body, "prev")), "0000000000000000000000000000000000000000000000000000000000000000");
	ent_buf_reset(&b);
	OK_INT(ent_ledger_entry(l, 1, &b, NULL), 0);
	OK_INT(ent_entry_open(ent_buf_bytes(&b), &member, NULL), 0);
	OK_INT(member.type, ENT_ENTRY_MEMBER);
	OK_INT(ent_card_open_json(json_object_get(member.dsse.body, "card"), &card, NULL), 0);
	OK_STR(card.org, o->name);
}

static void test_batches(struct kit_org *o, struct ent_ledger *l)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(ENT_DSSE_BYTES_MAX);
	ENT_CLEANUP(ent_entry_deinit) struct ent_entry block = { 0 };
	uint8_t prev[ENT_HASH_BYTES], want[ENT_HASH_BYTES];
	ent_checkpoint_hash(ent_ledger_signed(l), want);
	OK(ent_ledger_due_ms(l) == UINT64_MAX, "nothing waits");
	OK_INT(kit_add(o, l, "one"), 3, "the batch's block comes first");
	OK(ent_ledger_due_ms(l) == o->clock.mono + 250);
	OK_INT(kit_add(o, l, "two"), 4);
	OK_INT(ent_ledger_signed(l)->size, 2);
	OK_INT(ent_ledger_publish(l, NULL), 0);
	OK_INT(ent_ledger_signed(l)->size, 5);
	OK_INT(ent_ledger_entry(l, 2, &b, NULL), 0);
	OK_INT(ent_entry_open(ent_buf_bytes(&b), &block, NULL), 0);
	OK_INT(json_integer_value(json_object_get(block.dsse.body, "number")), 1);
	OK_INT(ent_json_hex(block.dsse.body, "prev", prev, sizeof prev, NULL), 0);
	OK(!memcmp(prev, want, sizeof prev), "previous hash = SHA-256 of the checkpoint body before");
	OK_INT(ent_ledger_publish(l, NULL), 0);
	OK_INT(ent_ledger_signed(l)->size, 5, "nothing new, no new checkpoint");
}

static void test_refused(struct kit_org *o, struct kit_org *other, struct ent_ledger *l)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = { 0 }, block = ENT_BUF(ENT_DSSE_BYTES_MAX);
	uint64_t size = ent_ledger_size(l);
	kit_note(other, "mine", &b);
	struct ent_bytes one = ent_buf_bytes(&b);
	OK_INT(ent_ledger_append(l, &one, 1, NULL, NULL), ENT_EDATA, "another organisation's entry");
	ENT_JSON_AUTO fields = json_pack("{s:i,s:s}", "number", 9, "prev", "00");
	OK_INT(ent_entry_make(ENT_ENTRY_BLOCK, 0, o->name, fields, &o->keys[0], &block, NULL), 0);
	one = ent_buf_bytes(&block);
	OK_INT(ent_ledger_append(l, &one, 1, NULL, NULL), ENT_EDATA, "a block from outside");
	ent_buf_reset(&block);
	OK_INT(ent_entry_make(ENT_ENTRY_NOTE, 0, o->name, NULL, &other->keys[0], &block, NULL), 0);
	one = ent_buf_bytes(&block);
	OK_INT(ent_ledger_append(l, &one, 1, NULL, NULL), ENT_EVERIFY, "signed by somebody else");
	kit_note(o, "good", &b);
	struct ent_bytes many[2] = { ent_buf_bytes(&b), ent_buf_bytes(&b) };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bad = ENT_BUF(ENT_DSSE_BYTES_MAX);
	ent_buf_put(&bad, b.data, b.len);
	char *sig = strstr((char *)bad.data, "\"sig\":\"") + 7;
	sig[3] = sig[3] == 'A' ? 'B' : 'A';
	many[1] = ent_buf_bytes(&bad);
	OK_INT(ent_ledger_append(l, many, 2, NULL, NULL), ENT_EVERIFY, "one forged signature in a group");
	OK_INT(ent_ledger_size(l), size, "all or nothing");
}

static void test_proofs(struct ent_ledger *l)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_TLOG_PROOF_MAX), entry = ENT_BUF(ENT_DSSE_BYTES_MAX);
	static struct ent_tlog_proof p;
	ent_hash leaf;
	OK_INT(ent_ledger_cosigned(l, ent_bytes("", 0), NULL), 0);
	OK_INT(ent_ledger_prove(l, 3, &text, NULL), 0);
	OK_INT(ent_tlog_proof_parse(ent_buf_bytes(&text), &p, NULL), 0);
	OK_INT(p.index, 3);
	OK_INT(ent_ledger_entry(l, 3, &entry, NULL), 0);
	ent_tree_leaf(ent_buf_bytes(&entry), &leaf);
	OK_INT(ent_tree_check_inclusion(&leaf, p.index, p.checkpoint.size, &p.path, &p.checkpoint.root, NULL), 0);
	OK_INT(ent_ledger_prove(l, 99, &text, NULL), ENT_ENOTFOUND);
}

static void test_crossref(struct kit_org *o, struct ent_ledger *l)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(ENT_DSSE_BYTES_MAX);
	ENT_CLEANUP(ent_entry_deinit) struct ent_entry e = { 0 };
	uint64_t size = ent_ledger_size(l);
	OK_INT(ent_ledger_crossref(l, "skywatch", ent_bytes_str("old\n"), NULL), 0);
	OK_INT(ent_ledger_crossref(l, "skywatch", ent_bytes_str("new \xe2\x80\x94\n"), NULL), 0);
	OK(ent_ledger_due_ms(l) == UINT64_MAX, "a crossref alone causes nothing");
	OK_INT(ent_ledger_publish(l, NULL), 0);
	OK_INT(ent_ledger_size(l), size);
	OK_INT(kit_add(o, l, "cause"), size + 1);
	OK_INT(ent_ledger_size(l), size + 3, "block, note, one crossref");
	OK_INT(ent_ledger_entry(l, size + 2, &b, NULL), 0);
	OK_INT(ent_entry_open(ent_buf_bytes(&b), &e, NULL), 0);
	OK_STR(json_string_value(json_object_get(e.dsse.body, "checkpoint")), "new \xe2\x80\x94\n");
	OK_INT(ent_ledger_publish(l, NULL), 0);
	OK_INT(ent_ledger_cosigned(l, ent_bytes("", 0), NULL), 0);
}

static void test_routes(struct ent_ledger *l)
{
	struct ent_http_answer a = get(l, "/checkpoint", false);
	OK(a.status == 200 && ent_bytes_eq(ent_buf_bytes(&a.body), ent_ledger_served_note(l)));
	ent_buf_deinit(&a.body);
	a = get(l, "/tile/0/000.p/3", false);
	OK(a.status == 200 && a.body.len == 96, "hash tiles are open");
	ent_buf_deinit(&a.body);
	OK_INT(status(l, "/tile/entries/000.p/2", false), 403, "entries are for members");
	a = get(l, "/tile/entries/000.p/2", true);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf first = ENT_BUF(ENT_DSSE_BYTES_MAX);
	OK_INT(ent_ledger_entry(l, 0, &first, NULL), 0);
	OK(a.status == 200 && a.body.len > first.len && a.body.data[0] == first.len >> 8 && a.body.data[1] == (first.len & 255) &&
	   !memcmp(a.body.data + 2, first.data, first.len));
	ent_buf_deinit(&a.body);
	OK_INT(status(l, "/tile/0/000", true), 404, "a full tile that is not full");
	OK_INT(status(l, "/tile/0/000.p/255", true), 404);
	OK_INT(status(l, "/tile/0/x000/000", true), 400, "not canonical");
	OK_INT(status(l, "/tile/0/00", true), 400);
	OK_INT(status(l, "/tile/0/000.p/0", true), 400);
	OK_INT(status(l, "/tile/0/000.p/256", true), 400);
	OK_INT(status(l, "/tile/00/000.p/1", true), 400);
	OK_INT(status(l, "/tile/9/000.p/1", true), 404);
	OK_INT(status(l, "/tile/63/x999/x999/x999/x999/999.p/1", true), 404);
	OK_INT(status(l, "/tile/", true), 400);
	OK_INT(status(l, "/other", true), -1);
}

static void test_reopen(struct kit_org *o, struct ent_fs *fs, struct ent_ledger **l)
{
	uint64_t size = kit_add(o, *l, "not yet published") + 1;
	ent_hash before, after;
	OK_INT(ent_ledger_root(*l, size, &before, NULL), 0);
	ent_ledger_free(*l);
	*l = NULL;
	simfs_crash(fs);
	OK_INT(ent_ledger_open(&o->config, l, NULL), 0);
	OK_INT(ent_ledger_size(*l), size, "what was acknowledged is there");
	OK_INT(ent_ledger_root(*l, size, &after, NULL), 0);
	OK(!memcmp(&before, &after, sizeof after));
	OK(ent_ledger_due_ms(*l) <= o->clock.mono, "an unpublished batch is due");
	OK_INT(ent_ledger_publish(*l, NULL), 0);
	OK_INT(ent_ledger_signed(*l)->size, size);
	struct ent_ledger *second = NULL;
	OK_INT(ent_ledger_create(&o->config, ent_buf_bytes(&o->card_bytes), &second, NULL), ENT_EDATA, "a second ledger in one place");
	simfs_fail(fs, SIMFS_OPEN, 1, ENT_EIO);
	OK_INT(ent_ledger_create(&o->config, ent_buf_bytes(&o->card_bytes), &second, NULL), ENT_EIO, "not even when the first cannot be seen");
	OK(kit_add(o, *l, "still here") != UINT64_MAX && !ent_ledger_publish(*l, NULL));
}

static void test_rollback(struct kit_org *o, struct ent_fs *fs, struct ent_ledger **l)
{
	struct ent_fs *old = simfs_copy(fs, 5);
	ENT_ASSERT(kit_add(o, *l, "later") != UINT64_MAX && !ent_ledger_publish(*l, NULL));
	struct ent_bytes newer = ent_ledger_signed_note(*l);
	OK_INT(ent_fs_replace(old, "ledger/signed", newer, 0600, NULL), 0);
	struct kit_org restored = *o;
	restored.config.fs = old;
	struct ent_ledger *r = NULL;
	struct ent_err err = ENT_ERR_INIT;
	OK_INT(ent_ledger_open(&restored.config, &r, &err), ENT_EVERIFY, "segments older than the signed checkpoint");
	OK(strstr(err.what, "lost entries") != NULL);
	simfs_free(old);
}

static void test_damage(struct kit_org *o, struct ent_fs *fs)
{
	static const struct {
		const char *path, *want;
		uint64_t bit;
	} cases[] = {
		{ "ledger/segment/00000000", "entry 0 ", 8 * (ENT_SEGMENT_HEAD + ENT_RECORD_HEAD + 40) },
		{ "ledger/segment/00000000", "entry 0 ", 8 * ENT_SEGMENT_HEAD },
		{ "ledger/segment/00000000", "first bytes", 3 },
		{ "ledger/signed", "signed is damaged", 8 },
	};
	for (size_t i = 0; i < ENT_COUNT(cases); i++) {
		struct ent_fs *copy = simfs_copy(fs, i);
		struct kit_org c = *o;
		struct ent_ledger *l = NULL;
		struct ent_err err = ENT_ERR_INIT;
		c.config.fs = copy;
		OK(simfs_flip(copy, cases[i].path, cases[i].bit));
		OK_INT(ent_ledger_open(&c.config, &l, &err), ENT_EVERIFY, "one bit in %s", cases[i].path);
		OK(strstr(err.what, cases[i].want) != NULL, "%s", err.what);
		ent_ledger_free(l);
		simfs_free(copy);
	}
}

int main(void)
{
	struct ent_fs *fs = simfs_new(1);
	struct kit_org o, other;
	struct ent_ledger *l = NULL;
	kit_org_init(&o, "hudson", fs);
	kit_org_init(&other, "skywatch", fs);
	OK_INT(ent_ledger_open(&o.config, &l, NULL), ENT_ENOTFOUND);
	OK_INT(ent_ledger_create(&o.config, ent_buf_bytes(&o.card_bytes), &l, NULL), 0);
	test_genesis(&o, l);
	test_batches(&o, l);
	test_refused(&o, &other, l);
	test_proofs(l);
	test_crossref(&o, l);
	test_routes(l);
	test_reopen(&o, fs, &l);
	test_rollback(&o, fs, &l);
	test_damage(&o, fs);
	ent_ledger_free(l);
	simfs_free(fs);
	kit_org_deinit(&o);
	kit_org_deinit(&other);
	return tap_done();
}
