/* Verification of a whole log: one changed bit in any file is found and named; blocks are a chain. */
#include "ledger/audit.h"
#include "ledger/content.h"
#include "ledger/segment.h"
#include "support/ledger_kit.h"
#include "tap.h"

static int counted_fill(struct ent_random *r, void *buf, size_t len, struct ent_err *err)
{
	static uint64_t state = 9;
	(void)r;
	(void)err;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)kit_random(&state);
	return 0;
}

static void fill_ledger(struct kit_org *o, struct ent_ledger *l)
{
	struct ent_random random = { counted_fill };
	struct ent_content content = { o->config.fs, "ledger", &random };
	uint8_t commitment[ENT_HASH_BYTES];
	char text[32];
	ENT_ASSERT(!ent_content_put(&content, ent_bytes_str("SELECT 1"), commitment, NULL));
	for (int i = 0; i < 300; i++) {
		snprintf(text, sizeof text, "note %d", i);
		ENT_ASSERT(kit_add(o, l, text) != UINT64_MAX);
		if (i % 37 == 0)
			ENT_ASSERT(!ent_ledger_publish(l, NULL));
	}
	ENT_ASSERT(!ent_ledger_publish(l, NULL) && !ent_ledger_cosigned(l, ent_bytes("", 0), NULL));
}

/* Which entry holds that byte of segment 0? */
static void expected(struct ent_bytes segment, uint64_t byte, char ret[100])
{
	uint64_t at = ENT_SEGMENT_HEAD, index = 0;
	if (byte < at) {
		snprintf(ret, 100, "segment/00000000");
		return;
	}
	for (;; index++) {
		struct ent_reader r = ent_reader(ent_bytes(segment.data + at, 4));
		at += ENT_RECORD_HEAD + ent_read_le32(&r);
		if (byte < at)
			break;
	}
	snprintf(ret, 100, "entry %llu", (unsigned long long)index);
}

struct flips {
	struct ent_fs *fs;
	uint64_t random;
	size_t tried, missed, misnamed;
};

static void flip_file(void *arg, const char *path, struct ent_bytes content)
{
	struct flips *f = arg;
	size_t samples = 40;
	for (size_t i = 0; i < samples; i++) {
		uint64_t bit = 8 * (kit_random(&f->random) % content.len) + kit_random(&f->random) % 8;
		struct ent_audit a;
		char want[100];
		simfs_flip(f->fs, path, bit);
		int code = ent_audit_run(f->fs, "ledger", &a, NULL);
		simfs_flip(f->fs, path, bit);
		f->tried++;
		f->missed += code != ENT_EVERIFY;
		snprintf(want, sizeof want, "%.99s", path + strlen("ledger/"));
		if (strstr(path, "/segment/"))
			expected(content, bit / 8, want);
		if (code == ENT_EVERIFY && strcmp(a.damaged, want) != 0) {
			f->misnamed++;
			printf("# %s bit %llu: named %s, want %s\n", path, (unsigned long long)bit, a.damaged, want);
		}
	}
}

static void test_flips(struct ent_fs *fs)
{
	struct flips f = { .fs = fs, .random = 42 };
	simfs_each(fs, flip_file, &f);
	printf("# %zu flips\n", f.tried);
	OK(f.tried >= 200);
	OK_INT(f.missed, 0, "every flipped bit is found");
	OK_INT(f.misnamed, 0, "and named");
}

struct chain {
	uint64_t count, end;
	uint8_t hash[ENT_HASH_BYTES];
	bool good;
};

static int each_block(void *arg, const struct ent_block *b)
{
	struct chain *c = arg;
	static const uint8_t zeros[ENT_HASH_BYTES];
	c->good = c->good && b->number == c->count && b->first == c->end && !memcmp(b->prev, c->count ? c->hash : zeros, ENT_HASH_BYTES);
	memcpy(c->hash, b->hash, ENT_HASH_BYTES);
	c->end = b->end;
	c->count++;
	return 0;
}

static void test_blocks(struct ent_ledger *l, const struct ent_audit *a)
{
	struct chain c = { .good = true };
	uint8_t last[ENT_HASH_BYTES];
	OK_INT(ent_ledger_blocks(l, each_block, &c, NULL), 0);
	OK(c.good, "numbers, bounds and previous hashes form a chain from 64 zeros");
	OK_INT(c.end, ent_ledger_size(l));
	OK_INT(c.count, a->blocks);
	ent_checkpoint_hash(ent_ledger_signed(l), last);
	OK(!memcmp(c.hash, last, sizeof last), "the last block's hash is that of the signed checkpoint");
}

/* A log whose writer cheats: valid records and signatures, but a block that does not continue the chain, or a second first block. */
static void test_forged_block(struct kit_org *o)
{
	struct ent_fs *fs = simfs_new(3);
	struct kit_org liar = *o;
	struct ent_ledger *l = NULL;
	struct ent_segments s;
	struct ent_audit a;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(ENT_DSSE_BYTES_MAX);
	ENT_JSON_AUTO fields = json_pack("{s:i,s:s}", "number", 1, "prev", "0000000000000000000000000000000000000000000000000000000000000000");
	liar.config.fs = fs;
	ENT_ASSERT(!ent_ledger_create(&liar.config, ent_buf_bytes(&o->card_bytes), &l, NULL));
	ent_ledger_free(l);
	ENT_ASSERT(!ent_segments_open(&s, fs, "ledger", NULL, NULL, NULL));
	ENT_ASSERT(!ent_entry_make(ENT_ENTRY_BLOCK, 0, o->name, fields, &o->keys[0], &b, NULL));
	struct ent_bytes one = ent_buf_bytes(&b);
	ENT_ASSERT(!ent_segments_append(&s, &one, 1, NULL));
	ent_segments_deinit(&s);
	OK_INT(ent_audit_run(fs, "ledger", &a, NULL), ENT_EVERIFY, "a block with a wrong previous hash");
	OK_STR(a.damaged, "entry 2");
	simfs_free(fs);
}

static void test_key_change(struct kit_org *o)
{
	struct ent_fs *fs = simfs_new(4);
	struct kit_org c = *o;
	struct ent_ledger *l = NULL;
	struct ent_audit a;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf card = ENT_BUF(ENT_CARD_BYTES_MAX);
	uint8_t seeds[2][32];
	struct ent_signer sign, log;
	struct ent_card next = o->card;
	memset(seeds, 90, sizeof seeds);
	seeds[1][0] = 1;
	ENT_ASSERT(!ent_signer_init(&sign, seeds[0], NULL) && !ent_signer_init(&log, seeds[1], NULL));
	c.config.fs = fs;
	c.config.clock = &o->clock.clock;
	ENT_ASSERT(!ent_ledger_create(&c.config, ent_buf_bytes(&o->card_bytes), &l, NULL));
	next.version = 2;
	next.has_prev = true;
	memcpy(next.prev, o->card.hash, ENT_HASH_BYTES);
	memcpy(next.keys[ENT_KEY_SIGN], sign.pub, ENT_PUB_BYTES);
	memcpy(next.keys[ENT_KEY_LOG], log.pub, ENT_PUB_BYTES);
	OK_INT(ent_card_make(&next, &sign, &o->keys[ENT_KEY_SIGN], &card, NULL), 0);
	ENT_JSON_AUTO envelope = json_loadb((char *)card.data, card.len, 0, NULL);
	ENT_JSON_AUTO fields = json_pack("{s:O}", "card", envelope);
	OK_INT(ent_ledger_add(l, ENT_ENTRY_KEY, fields, NULL, NULL), 0);
	ent_ledger_rekey(l, &sign, &log);
	OK(kit_add(&c, l, "signed by the new key") != UINT64_MAX);
	OK_INT(ent_ledger_publish(l, NULL), 0);
	OK_INT(ent_ledger_cosigned(l, ent_bytes("", 0), NULL), 0);
	struct ent_err err = ENT_ERR_INIT;
	OK_INT(ent_audit_run(fs, "ledger", &a, &err), 0, "a log whose keys changed: %s %s", err.what, err.why);
	OK_INT(a.own.version, 2);
	ent_ledger_rekey(l, &o->keys[ENT_KEY_SIGN], &o->keys[ENT_KEY_LOG]);
	OK(kit_add(&c, l, "signed by the old key again") != UINT64_MAX);
	OK_INT(ent_audit_run(fs, "ledger", &a, NULL), ENT_EVERIFY, "the old key is over");
	OK_STR(a.damaged, "entry 5");
	ent_ledger_free(l);
	simfs_free(fs);
}

int main(void)
{
	struct ent_fs *fs = simfs_new(1);
	struct kit_org o;
	struct ent_ledger *l = NULL;
	struct ent_audit a;
	struct ent_err err = ENT_ERR_INIT;
	kit_org_init(&o, "hudson", fs);
	ENT_ASSERT(!ent_ledger_create(&o.config, ent_buf_bytes(&o.card_bytes), &l, NULL));
	fill_ledger(&o, l);
	OK_INT(ent_audit_run(fs, "ledger", &a, &err), 0, "%s", err.what);
	OK_INT(a.entries, ent_ledger_size(l));
	OK_STR(a.own.org, "hudson");
	OK(a.signatures > 300);
	test_blocks(l, &a);
	test_flips(fs);
	test_forged_block(&o);
	test_key_change(&o);
	ent_ledger_free(l);
	simfs_free(fs);
	kit_org_deinit(&o);
	return tap_done();
}
