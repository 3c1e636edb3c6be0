/* Segments: full ones and their index, torn tails against damage, and a ledger that grows over the end of one. */
#include "ledger/segment.h"

#include "support/ledger_kit.h"
#include "tap.h"

#define LONGEST 9

static struct ent_bytes tiny(uint64_t i, char text[LONGEST + 1])
{
	int n = snprintf(text, LONGEST + 1, "e%llu", (unsigned long long)i);
	return ent_bytes(text, (size_t)n);
}

/* Entries [from, to) in groups; rolls where needed. */
static int fill(struct ent_segments *s, uint64_t from, uint64_t to)
{
	static char texts[4096][LONGEST + 1];
	static struct ent_bytes parts[4096];
	while (from < to) {
		if (!ent_segments_room(s))
			ENT_TRY(ent_segments_roll(s, NULL));
		uint64_t n = to - from < 4096 ? to - from : 4096;
		n = n < ent_segments_room(s) ? n : ent_segments_room(s);
		for (uint64_t i = 0; i < n; i++)
			parts[i] = tiny(from + i, texts[i]);
		ENT_TRY(ent_segments_append(s, parts, (size_t)n, NULL));
		from += n;
	}
	return 0;
}

static size_t wrong_entries(struct ent_segments *s)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(ENT_ENTRY_BYTES_MAX);
	static const uint64_t some[] = { 0, 1, 4095, 4096, 65535, 65536, 65540 };
	size_t wrong = 0;
	for (size_t i = 0; i < ENT_COUNT(some); i++) {
		char text[LONGEST + 1];
		ent_buf_reset(&b);
		wrong += ent_segments_read(s, some[i], &b, NULL) || !ent_bytes_eq(ent_buf_bytes(&b), tiny(some[i], text));
	}
	return wrong;
}

static struct ent_fs *new_disk(struct ent_segments *s, uint64_t seed)
{
	struct ent_fs *fs = simfs_new(seed);
	ENT_ASSERT(!fs->ops->mkdir(fs, "l", 0700, NULL) && !fs->ops->sync_dir(fs, ".", NULL) && !ent_segments_create(s, fs, "l", NULL));
	return fs;
}

static void test_roll(void)
{
	struct ent_segments s;
	struct ent_fs *fs = new_disk(&s, 1);
	OK_INT(fill(&s, 0, 65541), 0);
	OK_INT(s.tail_number, 1);
	OK_INT(wrong_entries(&s), 0);
	ent_segments_deinit(&s);
	simfs_crash(fs);
	OK_INT(ent_segments_open(&s, fs, "l", NULL, NULL, NULL), 0);
	OK_INT(ent_segments_size(&s), 65541);
	OK_INT(wrong_entries(&s), 0, "with the index");
	ent_segments_deinit(&s);
	ENT_ASSERT(simfs_flip(fs, "l/segment/00000000.index", 8 * 8 * 4096 + 5));
	OK_INT(ent_segments_open(&s, fs, "l", NULL, NULL, NULL), 0);
	OK(wrong_entries(&s) <= 1, "a damaged index harms no more than what it names");
	ent_segments_deinit(&s);
	ENT_ASSERT(!fs->ops->remove(fs, "l/segment/00000000.index", NULL));
	OK_INT(ent_segments_open(&s, fs, "l", NULL, NULL, NULL), 0);
	OK_INT(wrong_entries(&s), 0, "without the index");
	ent_segments_deinit(&s);
	ENT_ASSERT(!fs->ops->remove(fs, "l/segment/00000000", NULL));
	OK_INT(ent_segments_open(&s, fs, "l", NULL, NULL, NULL), ENT_EVERIFY, "a missing segment");
	ent_segments_deinit(&s);
	simfs_free(fs);
}

/* The power goes at every step of closing one segment and starting the next. */
static void test_roll_crash(void)
{
	size_t problems = 0, runs = 0;
	struct ent_segments s;
	struct ent_fs *full = new_disk(&s, 1);
	ENT_ASSERT(!fill(&s, 0, 65536));
	ent_segments_deinit(&s);
	for (uint64_t n = 0;; n++, runs++) {
		struct ent_fs *fs = simfs_copy(full, n);
		ENT_ASSERT(!ent_segments_open(&s, fs, "l", NULL, NULL, NULL));
		simfs_power_off_after(fs, n);
		int code = fill(&s, 65536, 65541);
		ent_segments_deinit(&s);
		simfs_crash(fs);
		problems += ent_segments_open(&s, fs, "l", NULL, NULL, NULL) != 0;
		uint64_t size = ent_segments_size(&s);
		problems += size < 65536 || (!code && size != 65541);
		problems += fill(&s, size, 65541) != 0 || wrong_entries(&s) != 0;
		ent_segments_deinit(&s);
		simfs_free(fs);
		if (!code)
			break;
	}
	OK(runs > 5);
	OK_INT(problems, 0, "%zu power failures while a segment ends", runs);
	simfs_free(full);
}

/* A torn last group is cut; a bad record before a later group is damage. */
static void test_torn(void)
{
	struct ent_segments s;
	struct ent_fs *fs = new_disk(&s, 1);
	ENT_ASSERT(!fill(&s, 0, 10) && !fill(&s, 10, 20));
	uint64_t first = s.offsets[5], last = s.offsets[15];
	ent_segments_deinit(&s);
	struct ent_fs *torn = simfs_copy(fs, 2), *damaged = simfs_copy(fs, 3);
	ENT_ASSERT(simfs_flip(torn, "l/segment/00000000", 8 * (last + ENT_RECORD_HEAD)));
	OK_INT(ent_segments_open(&s, torn, "l", NULL, NULL, NULL), 0);
	OK_INT(ent_segments_size(&s), 15, "the last group is cut after its last whole record");
	OK_INT(fill(&s, 15, 20), 0);
	ent_segments_deinit(&s);
	struct ent_err err = ENT_ERR_INIT;
	ENT_ASSERT(simfs_flip(damaged, "l/segment/00000000", 8 * (first + ENT_RECORD_HEAD)));
	OK_INT(ent_segments_open(&s, damaged, "l", NULL, NULL, &err), ENT_EVERIFY);
	OK_STR(err.what, "entry 5 is damaged on disk", "an acknowledged record is never cut");
	ent_segments_deinit(&s);
	simfs_free(torn);
	simfs_free(damaged);
	simfs_free(fs);
}

/* A ledger whose first segment was filled by hand up to a few entries before its end. */
static void test_ledger_over_end(void)
{
	struct ent_fs *fs = simfs_new(9);
	struct kit_org o;
	struct ent_ledger *l = NULL;
	struct ent_segments s;
	struct ent_frontier f = { 0 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(ENT_ENTRY_BYTES_MAX);
	ent_hash want, root, leaf;
	struct ent_proof p;
	kit_org_init(&o, "hudson", fs);
	ENT_ASSERT(!ent_ledger_create(&o.config, ent_buf_bytes(&o.card_bytes), &l, NULL) && kit_add(&o, l, "first") == 3);
	ent_ledger_free(l);
	ENT_ASSERT(!ent_segments_open(&s, fs, "ledger", NULL, NULL, NULL) && !fill(&s, 4, 65533));
	ent_segments_deinit(&s);
	OK_INT(ent_ledger_open(&o.config, &l, NULL), 0);
	for (int i = 0; i < 10; i++)
		OK_INT(kit_add(&o, l, "over the end"), 65533 + i);
	OK_INT(ent_ledger_publish(l, NULL), 0);
	OK_INT(ent_ledger_signed(l)->size, 65543);
	ent_ledger_free(l);
	simfs_crash(fs);
	OK_INT(ent_ledger_open(&o.config, &l, NULL), 0);
	for (uint64_t i = 0; i < 65543; i++) {
		ent_buf_reset(&b);
		ENT_ASSERT(!ent_ledger_entry(l, i, &b, NULL));
		ent_tree_leaf(ent_buf_bytes(&b), &leaf);
		ent_frontier_add(&f, &leaf);
	}
	ent_frontier_root(&f, &want);
	OK(!ent_ledger_root(l, 65543, &root, NULL) && !memcmp(&root, &want, sizeof root));
	OK(!memcmp(&root, &ent_ledger_signed(l)->root, sizeof root));
	OK(!ent_ledger_inclusion(l, 65542, 65543, &p, NULL) && !ent_tree_check_inclusion(&leaf, 65542, 65543, &p, &root, NULL));
	ent_ledger_free(l);
	simfs_free(fs);
	kit_org_deinit(&o);
}

int main(void)
{
	test_roll();
	test_roll_crash();
	test_torn();
	test_ledger_over_end();
	return tap_done();
}
