/* The log under every fault: at each single step the power goes, the write is torn, the sync fails or the disk is full. Whatever was acknowledged is
 * there afterwards, nothing that was signed is ever untrue, and two roots for one size never exist. */
#include "ledger/audit.h"
#include "support/ledger_kit.h"
#include "tap.h"

#define ROUNDS 14
#define POINTS_MAX 64

struct world {
	struct ent_fs *fs;
	struct kit_org org;
	struct ent_ledger *l;
	ent_hash acked[4096]; /* leaf of every acknowledged entry, by index */
	bool is_acked[4096];
	uint64_t acked_end;
	struct ent_checkpoint points[POINTS_MAX]; /* every checkpoint that was given away */
	size_t point_count;
	size_t problems;
	bool only_served; /* what failed last was the copy that /checkpoint serves: nothing depends on it */
};

static void problem(struct world *w, const char *what, uint64_t at)
{
	if (w->problems++ < 5)
		printf("# %s at %llu\n", what, (unsigned long long)at);
}

/* Appends a group of 1 to 3 notes; acknowledged ones are remembered. */
static int step_append(struct world *w, uint64_t *random)
{
	struct ent_buf notes[3] = { 0 };
	struct ent_bytes parts[3];
	size_t count = 1 + kit_random(random) % 3;
	uint64_t first = 0;
	for (size_t i = 0; i < count; i++) {
		char text[700];
		memset(text, 'x', sizeof text);
		snprintf(text + kit_random(random) % 600, 40, "%llu", (unsigned long long)kit_random(random));
		kit_note(&w->org, text, &notes[i]);
		parts[i] = ent_buf_bytes(&notes[i]);
	}
	int code = ent_ledger_append(w->l, parts, count, &first, NULL);
	for (size_t i = 0; i < count; i++) {
		if (!code) {
			ent_tree_leaf(parts[i], &w->acked[first + i]);
			w->is_acked[first + i] = true;
			w->acked_end = first + i + 1;
		}
		ent_buf_deinit(&notes[i]);
	}
	return code;
}

static int step_publish(struct world *w)
{
	uint64_t before = ent_ledger_signed(w->l)->size;
	ENT_TRY(ent_ledger_publish(w->l, NULL));
	if (ent_ledger_signed(w->l)->size > before && w->point_count < POINTS_MAX)
		w->points[w->point_count++] = *ent_ledger_signed(w->l);
	int code = ent_ledger_cosigned(w->l, ent_bytes("", 0), NULL);
	w->only_served = code != 0;
	return code;
}

static int work(struct world *w, uint64_t *random)
{
	for (int i = 0; i < ROUNDS; i++) {
		ENT_TRY(step_append(w, random));
		if (i % 3 == 2)
			ENT_TRY(step_publish(w));
	}
	return 0;
}

static void check_acked(struct world *w)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(ENT_DSSE_BYTES_MAX);
	for (uint64_t i = 0; i < w->acked_end; i++) {
		ent_hash leaf;
		ent_buf_reset(&b);
		if (!w->is_acked[i])
			continue;
		if (ent_ledger_entry(w->l, i, &b, NULL)) {
			problem(w, "acknowledged entry lost", i);
			continue;
		}
		ent_tree_leaf(ent_buf_bytes(&b), &leaf);
		if (memcmp(&leaf, &w->acked[i], sizeof leaf) != 0)
			problem(w, "acknowledged entry changed", i);
	}
}

static void check_points(struct world *w)
{
	for (size_t i = 0; i < w->point_count; i++) {
		ent_hash root;
		if (ent_ledger_root(w->l, w->points[i].size, &root, NULL) || memcmp(&root, &w->points[i].root, sizeof root) != 0)
			problem(w, "a signed checkpoint is no longer true", w->points[i].size);
	}
}

static void reopen(struct world *w, uint64_t step)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_audit a;
	ent_ledger_free(w->l);
	w->l = NULL;
	if (ent_ledger_open(&w->org.config, &w->l, &err)) {
		problem(w, err.what, step);
		return;
	}
	check_acked(w);
	check_points(w);
	uint64_t random = step;
	if (step_append(w, &random) || step_publish(w))
		problem(w, "a reopened ledger does not work", step);
	else if (ent_audit_run(w->fs, "ledger", &a, &err))
		problem(w, err.what, step);
}

static void world_init(struct world *w, uint64_t seed)
{
	memset(w, 0, sizeof *w);
	w->fs = simfs_new(seed);
	kit_org_init(&w->org, "hudson", w->fs);
	ENT_ASSERT(!ent_ledger_create(&w->org.config, ent_buf_bytes(&w->org.card_bytes), &w->l, NULL));
	w->points[w->point_count++] = *ent_ledger_signed(w->l);
}

static size_t world_deinit(struct world *w)
{
	ent_ledger_free(w->l);
	simfs_free(w->fs);
	kit_org_deinit(&w->org);
	return w->problems;
}

static struct world w; /* large */

/* Power off after n changing calls, for every n that the work makes. */
static void test_power(uint64_t seeds)
{
	size_t problems = 0, runs = 0;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		for (uint64_t n = 0;; n++, runs++) {
			uint64_t random = seed;
			world_init(&w, seed * 1000 + n);
			simfs_power_off_after(w.fs, n);
			int code = work(&w, &random);
			simfs_crash(w.fs);
			reopen(&w, n);
			problems += world_deinit(&w);
			if (!code)
				break;
		}
	}
	printf("# %zu power failures\n", runs);
	OK(runs > 40);
	OK_INT(problems, 0, "nothing acknowledged is lost when the power goes at any step");
}

/* The nth call of a kind fails; the process goes on living, opens again, and later loses power. */
static void test_failing(enum simfs_op op, int code, const char *name)
{
	size_t problems = 0, runs = 0, failed = 1;
	for (uint64_t n = 1; failed; n++, runs++) {
		uint64_t random = n;
		world_init(&w, n);
		simfs_fail(w.fs, op, n, code);
		failed = work(&w, &random) != 0;
		if (failed && !w.only_served && (!ent_ledger_publish(w.l, NULL) || !step_append(&w, &random)))
			problem(&w, "the ledger goes on after a failure it cannot know the extent of", n);
		simfs_kill(w.fs);
		reopen(&w, n);
		simfs_crash(w.fs);
		reopen(&w, n + 1);
		problems += world_deinit(&w);
	}
	printf("# %zu times %s\n", runs, name);
	OK(runs > 3);
	OK_INT(problems, 0, "%s: consistent after opening again, also when the power goes then", name);
}

static void test_full_disk(void)
{
	size_t problems = 0, refused = 0;
	for (uint64_t room = 1000; room < 40000; room += 1700) {
		uint64_t random = room;
		world_init(&w, room);
		simfs_capacity(w.fs, 6000 + room);
		int code = work(&w, &random);
		refused += code == ENT_ENOSPACE || code == ENT_EIO;
		simfs_capacity(w.fs, 0);
		simfs_kill(w.fs);
		reopen(&w, room);
		problems += world_deinit(&w);
	}
	OK(refused > 5, "a full disk is refused %zu times", refused);
	OK_INT(problems, 0, "and harms nothing");
}

/* The process is killed between append and publish, again and again. */
static void test_kill(void)
{
	size_t problems = 0;
	uint64_t random = 5;
	world_init(&w, 5);
	for (uint64_t i = 0; i < 25; i++) {
		for (uint64_t k = kit_random(&random) % 4; k > 0; k--)
			problems += step_append(&w, &random) != 0;
		if (kit_random(&random) % 2)
			problems += step_publish(&w) != 0;
		simfs_kill(w.fs);
		reopen(&w, i);
	}
	problems += world_deinit(&w);
	OK_INT(problems, 0, "killed 25 times");
}

/* Power failures while the ledger is made: afterwards there is a whole one or none, and then one can be made. */
static void test_create(void)
{
	size_t problems = 0;
	for (uint64_t n = 0;; n++) {
		struct ent_fs *fs = simfs_new(n);
		struct kit_org o;
		struct ent_ledger *l = NULL;
		kit_org_init(&o, "hudson", fs);
		simfs_power_off_after(fs, n);
		int code = ent_ledger_create(&o.config, ent_buf_bytes(&o.card_bytes), &l, NULL);
		ent_ledger_free(l);
		l = NULL;
		simfs_crash(fs);
		int again = ent_ledger_open(&o.config, &l, NULL);
		if (again == ENT_ENOTFOUND && code)
			again = ent_ledger_create(&o.config, ent_buf_bytes(&o.card_bytes), &l, NULL);
		problems += again != 0 || ent_ledger_size(l) != 2;
		ent_ledger_free(l);
		simfs_free(fs);
		kit_org_deinit(&o);
		if (!code)
			break;
	}
	OK_INT(problems, 0, "creation is all or nothing");
}

int main(int argc, char **argv)
{
	uint64_t seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : 3;
	test_create();
	test_power(seeds);
	test_failing(SIMFS_WRITE, ENT_EIO, "a write fails");
	test_failing(SIMFS_SYNC, ENT_EIO, "a sync fails");
	test_failing(SIMFS_RENAME, ENT_EIO, "a rename fails");
	test_failing(SIMFS_SYNC_DIR, ENT_EIO, "a sync of a folder fails");
	test_full_disk();
	test_kill();
	return tap_done();
}
