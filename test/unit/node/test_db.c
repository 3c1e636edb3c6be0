/* node.db on a disk whose syncs fail: what was acknowledged is there after any crash, and after a failed sync nothing is acknowledged any more. */
#include "node/db.h"
#include "node_kit.h"
#include "tap.h"

#define ROWS 24
#define SYNCS 60 /* more than one round of them takes */

struct round {
	struct kit_node k;
	struct ent_db *db;
	bool acknowledged[2 * ROWS];
};

static bool open_db(struct round *r)
{
	struct ent_err err = ENT_ERR_INIT;
	r->db = NULL;
	return !ent_db_open(r->k.fs, &r->k.clock, &r->k.random, &r->db, &err);
}

/* Transactions of several sizes: a shorter one after a longer one leaves the end of that in the log. */
static int commit(struct round *r, int row, struct ent_err *err)
{
	static const uint8_t filler[30000];
	struct ent_bytes value = ent_bytes(filler, (size_t)(row * 7919 % 30000));
	char key[20];
	snprintf(key, sizeof key, "row %d", row);
	return ent_db_run(r->db, err, "INSERT INTO meta(key, value) VALUES(?, ?)", "sb", key, &value);
}

/* How many rows were acknowledged after the first that was not. */
static int commit_all(struct round *r, int from, int to)
{
	int failed = 0, late = 0;
	for (int row = from; row < to; row++) {
		struct ent_err err = ENT_ERR_INIT;
		r->acknowledged[row] = !commit(r, row, &err);
		failed += !r->acknowledged[row];
		late += failed && r->acknowledged[row];
	}
	return late;
}

static int lost_rows(struct round *r, int n)
{
	int lost = 0;
	for (int row = 0; row < n; row++) {
		ENT_ST st = { 0 };
		char key[20];
		snprintf(key, sizeof key, "row %d", row);
		ENT_ASSERT(!ent_db_query(r->db, &st, NULL, "SELECT 1 FROM meta WHERE key = ?", "s", key));
		lost += ent_st_next(&st, NULL) <= 0 && r->acknowledged[row];
	}
	return lost;
}

struct sums {
	int late, lost, unopened, lost_flag, hit;
};

/* The sync fails; the process ends (killed, or closed in order) and starts again; it goes on; the power goes. */
static void one(uint64_t seed, uint64_t nth, enum simfs_op op, struct sums *s)
{
	struct round r = { 0 };
	kit_init(&r.k, seed);
	ENT_ASSERT(open_db(&r));
	simfs_fail(r.k.fs, op, nth, ENT_EIO);
	s->late += commit_all(&r, 0, ROWS);
	bool hit = simfs_count(r.k.fs, op) && ent_db_lost(r.db);
	s->hit += hit;
	s->lost_flag += hit != !r.acknowledged[ROWS - 1];
	simfs_fail(r.k.fs, op, 0, 0);
	if (seed % 2)
		ent_db_close(r.db), simfs_kill(r.k.fs);
	else
		simfs_kill(r.k.fs), ent_db_close(r.db);
	if (open_db(&r)) {
		s->late += commit_all(&r, ROWS, 2 * ROWS);
		simfs_crash(r.k.fs);
		ent_db_close(r.db);
		if (open_db(&r))
			s->lost += lost_rows(&r, 2 * ROWS);
	}
	s->unopened += !r.db;
	ent_db_close(r.db);
	simfs_free(r.k.fs);
}

static void test_syncs(void)
{
	struct sums s = { 0 };
	for (uint64_t nth = 1; nth <= SYNCS; nth++)
		for (uint64_t seed = 1; seed <= 4; seed++)
			one(seed * 100 + nth, nth, SIMFS_SYNC, &s);
	OK(s.hit > ROWS, "a sync failed while the database was open (%d rounds)", s.hit);
	OK_INT(s.late, 0, "nothing is acknowledged after a failed sync, before it is opened anew");
	OK_INT(s.lost_flag, 0, "and the database says so");
	OK_INT(s.unopened, 0, "it opens again");
	OK_INT(s.lost, 0, "everything acknowledged is there after a crash, before and after the failure");
}

/* ---- the node ---- */

static json_t *disk_check(struct kit_node *k)
{
	ENT_JSON_AUTO answer = NULL;
	size_t i;
	json_t *c, *found = NULL;
	kit_ask(k, "doctor", json_object(), &answer, NULL);
	json_array_foreach(json_object_get(answer, "checks"), i, c) if (!strcmp(json_string_value(json_object_get(c, "name")), "disk")) found =
		json_incref(c);
	return found;
}

/* Each sync of one piece of work fails in its turn, node.db's among them; whoever failed, the node takes nothing any more until it is opened. */
static void test_node(void)
{
	struct ent_err err = ENT_ERR_INIT;
	int refused = 0, went_on = 0, silent = 0, dead = 0;
	for (uint64_t nth = 1; nth <= 12; nth++) {
		struct kit_node k, b;
		kit_init(&k, nth);
		kit_init(&b, 77);
		free(kit_home(&k, "hudson", &err));
		char *card = kit_home(&b, "skywatch", &err);
		ENT_ASSERT(card && !kit_open(&k, &err));
		simfs_fail(k.fs, SIMFS_SYNC, nth, ENT_EIO);
		uint64_t before = simfs_count(k.fs, SIMFS_SYNC);
		int r = kit_ask(&k, "trust", json_pack("{s:[s],s:b}", "cards", card, "replace", false), NULL, &err);
		bool reached = simfs_count(k.fs, SIMFS_SYNC) - before >= nth;
		simfs_fail(k.fs, SIMFS_SYNC, 0, 0);
		ent_node_tick(k.node);
		int more = kit_ask(&k, "ledger.note", json_pack("{s:s}", "text", "more"), NULL, &err);
		ENT_JSON_AUTO check = disk_check(&k);
		refused += reached && r;
		went_on += reached && more != ENT_EIO;
		silent += reached && json_is_true(json_object_get(check, "ok"));
		ent_node_close(k.node);
		simfs_crash(k.fs);
		bool again = !kit_open(&k, &err) && !kit_ask(&k, "ledger.note", json_pack("{s:s}", "text", "again"), NULL, &err);
		dead += !again;
		if (k.node)
			ent_node_close(k.node);
		free(card);
		simfs_free(k.fs);
		simfs_free(b.fs);
	}
	OK(refused > 1, "work was refused when a sync failed (%d times)", refused);
	OK_INT(went_on, 0, "nothing more is taken then");
	OK_INT(silent, 0, "doctor says so");
	OK_INT(dead, 0, "opened again it works");
}

int main(void)
{
	test_syncs();
	test_node();
	return tap_done();
}
