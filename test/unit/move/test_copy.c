/* Copies between stores in memory: every row once, going on after any failure, fencing, refusals, several targets as one transaction. */
#include "mem_store.h"
#include "move/digest.h"
#include "tap.h"

struct watcher {
	bool cancel;
	json_t *report;
	bool refuse_decision;
	char decided[200];
};

static bool cancelled(void *self) { return ((struct watcher *)self)->cancel; }
static void report(void *self, const json_t *r)
{
	struct watcher *w = self;
	json_decref(w->report);
	w->report = json_deep_copy(r);
}
static int decide(void *self, const char *name, struct ent_err *err)
{
	struct watcher *w = self;
	if (w->refuse_decision)
		return ent_fail(err, ENT_EIO, "no disk");
	snprintf(w->decided, sizeof w->decided, "%s", name);
	return 0;
}

static int copy(struct mem_store *from, struct mem_store *to, struct ent_move_copy c, struct watcher *w, struct ent_move_result *ret,
		struct ent_err *err)
{
	struct ent_move_end target = mem_end(to, "dst");
	struct ent_move_env env = { w, cancelled, NULL, report, decide };
	c.source = mem_end(from, "src");
	c.targets = &target;
	c.n_targets = 1;
	*err = (struct ent_err)ENT_ERR_INIT;
	return ent_move_copy(&c, &env, ret, err);
}

static bool whole(struct mem_store *s, const char *table, size_t n)
{
	const struct mem_table *t = mem_table(s, table);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf seen = ENT_BUF(1 << 20);
	uint8_t *mark = ent_buf_space(&seen, n);
	if (t->n != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int64_t id = t->rows[i].id;
		if (id < 0 || (size_t)id >= n || mark[id]++)
			return false;
	}
	return true;
}

#define ROWS 1000
struct pair {
	struct mem_store from, to;
	struct watcher w;
	struct ent_move_result result;
	struct ent_err err;
};

static void begin(struct pair *p)
{
	*p = (struct pair){ .err = ENT_ERR_INIT };
	mem_store_init(&p->from);
	mem_store_init(&p->to);
	mem_fill(mem_table(&p->from, "src"), 0, ROWS);
}
static void end(struct pair *p)
{
	json_decref(p->w.report);
	mem_store_deinit(&p->from);
	mem_store_deinit(&p->to);
}

static void test_plain(void)
{
	struct pair p;
	char first[65];
	begin(&p);
	OK_INT(copy(&p.from, &p.to, (struct ent_move_copy){ .rows_per_split = 130 }, &p.w, &p.result, &p.err), 0, "copied");
	OK(whole(&p.to, "dst", ROWS), "every row stands there once");
	OK_INT(p.result.rows, ROWS);
	OK_INT(p.result.splits, 8);
	OK_INT(json_array_size(json_object_get(p.w.report, "columns")), 3, "the report names every column");
	memcpy(first, p.result.digest, sizeof first);
	OK_INT(copy(&p.from, &p.to, (struct ent_move_copy){ .rows_per_split = 130 }, &p.w, &p.result, &p.err), ENT_EUSAGE,
	       "create refuses a table that is there");
	OK_INT(copy(&p.from, &p.to, (struct ent_move_copy){ .mode = ENT_WRITE_REPLACE, .rows_per_split = 57, .parallel = 1 }, &p.w, &p.result,
		    &p.err),
	       0);
	OK(whole(&p.to, "dst", ROWS), "replace leaves each row once");
	OK_STR(p.result.digest, first, "another cut, the same digest");
	OK_INT(copy(&p.from, &p.to, (struct ent_move_copy){ .mode = ENT_WRITE_UPSERT }, &p.w, &p.result, &p.err), 0);
	OK(whole(&p.to, "dst", ROWS), "upsert changes nothing when nothing changed");
	OK_INT(copy(&p.from, &p.to, (struct ent_move_copy){ .mode = ENT_WRITE_APPEND }, &p.w, &p.result, &p.err), 0);
	OK_INT(mem_table(&p.to, "dst")->n, 2 * ROWS, "append appends");
	end(&p);
}

/* A condition stands between parentheses beside a split's bounds: it must be one by itself. */
static void test_condition(void)
{
	static const char *const good[] = {
		NULL, "", "a = 1", "(a = 1) OR (b = ')')", "a = 'it\\'s )' AND b = 2", "\"odd)\" = 1", "{\"a\": {\"$gt\": 1}}"
	};
	static const char *const bad[] = { "a = 1) OR (a = 1", ")", "(a)) --", "a = ')' )" };
	struct ent_err err = ENT_ERR_INIT;
	struct pair p;
	for (size_t i = 0; i < ENT_COUNT(good); i++)
		OK_INT(ent_move_condition_check(good[i], "mysql", &err), 0, "%s", good[i] ? good[i] : "none");
	for (size_t i = 0; i < ENT_COUNT(bad); i++)
		OK_INT(ent_move_condition_check(bad[i], "mysql", &err), ENT_EUSAGE, "%s: %s", bad[i], err.what);
	static const char ends[] = "a = '\\') OR (a = 'x"; /* where a backslash is a letter like any other, the text ends behind it */
	OK_INT(ent_move_condition_check(ends, "postgresql", &err), ENT_EUSAGE, "%s: %s", ends, err.what);
	OK_INT(ent_move_condition_check(ends, "mysql", &err), 0, "not where it takes the quote's meaning");
	begin(&p);
	OK_INT(copy(&p.from, &p.to, (struct ent_move_copy){ .where = bad[0] }, &p.w, &p.result, &p.err), ENT_EUSAGE, "a copy refuses it: %s",
	       p.err.what);
	end(&p);
}

static void test_dry_run(void)
{
	struct pair p;
	begin(&p);
	OK_INT(copy(&p.from, &p.to, (struct ent_move_copy){ .dry_run = true }, &p.w, &p.result, &p.err), 0);
	OK(p.w.report && !p.to.n_points && !p.to.tables[0].there, "a dry run reports and touches nothing");
	end(&p);
}

static void test_parallel(void)
{
	struct pair p;
	begin(&p);
	p.to.parallel = true;
	OK_INT(copy(&p.from, &p.to, (struct ent_move_copy){ .rows_per_split = 40, .parallel = 4 }, &p.w, &p.result, &p.err), 0);
	OK(whole(&p.to, "dst", ROWS), "four pairs of threads, every row once");
	end(&p);
}

static void test_lossy(void)
{
	static const char *const allowed[] = { "amount" };
	struct pair p;
	begin(&p);
	mem_table(&p.to, "dst")->narrow = true;
	OK_INT(copy(&p.from, &p.to, (struct ent_move_copy){ .mode = ENT_WRITE_APPEND }, &p.w, &p.result, &p.err), ENT_EUNSUPPORTED,
	       "lossy is refused");
	OK(strstr(p.err.what, "amount") && strstr(p.err.next, "--allow-lossy amount"), "by name, with what would allow it");
	OK_INT(p.to.commits, 0, "before anything was written");
	OK_INT(copy(&p.from, &p.to, (struct ent_move_copy){ .mode = ENT_WRITE_APPEND, .allow_lossy = allowed, .n_allow_lossy = 1 }, &p.w, &p.result,
		    &p.err),
	       0, "and done when asked for");
	end(&p);
}

/* Whatever breaks, wherever: afterwards the same command goes on and every row stands there once. */
static void break_and_go_on(bool source, int after, enum ent_write_mode mode)
{
	struct pair p;
	begin(&p);
	*(source ? &p.from.fail_read_after : &p.to.fail_commit_after) = after;
	struct ent_move_copy c = { .rows_per_split = 150, .mode = mode };
	int r = copy(&p.from, &p.to, c, &p.w, &p.result, &p.err);
	size_t stand = mem_count(&p.to, "dst");
	uint64_t before = 0;
	int r1 = r;
	bool partial = stand % 50 == 0 && stand <= ROWS, told = mode == ENT_WRITE_REPLACE || p.result.rows == stand;
	p.from.fail_read_after = p.to.fail_commit_after = -1;
	if (r) {
		r = copy(&p.from, &p.to, c, &p.w, &p.result, &p.err);
		before = p.result.splits_before;
	}
	OK(told, "the copy that failed tells the rows that stand there: %zu", stand);
	OK(!r && partial && whole(&p.to, "dst", ROWS) && p.result.rows == ROWS && before == (r1 && mode != ENT_WRITE_REPLACE ? stand / 150 : before),
	   "%s breaks after %d, mode %s: %zu rows stood there, %llu splits not read again (%s)", source ? "source" : "target", after,
	   ent_move_mode_name(mode), stand, (unsigned long long)before, p.err.what);
	end(&p);
}

static void test_faults(void)
{
	for (int after = 0; after < 18; after++) {
		break_and_go_on(true, after, ENT_WRITE_CREATE);
		break_and_go_on(false, after, ENT_WRITE_CREATE);
		break_and_go_on(false, after, ENT_WRITE_REPLACE);
		break_and_go_on(false, after, ENT_WRITE_APPEND);
	}
}

static void test_restart(void)
{
	struct pair p;
	begin(&p);
	p.to.fail_commit_after = 12;
	struct ent_move_copy c = { .rows_per_split = 150 };
	OK(copy(&p.from, &p.to, c, &p.w, &p.result, &p.err) != 0, "a copy that breaks");
	OK(mem_table(&p.to, "dst")->n > 0, "has rows in the target");
	p.to.fail_commit_after = -1;
	c.restart = true;
	OK_INT(copy(&p.from, &p.to, c, &p.w, &p.result, &p.err), 0);
	OK(whole(&p.to, "dst", ROWS) && !p.result.splits_before, "restart begins anew and doubles nothing");
	end(&p);
}

/* Another run takes the epoch while the first is at work. */
static void test_fence(void)
{
	struct pair p;
	begin(&p);
	struct ent_move_end target = mem_end(&p.to, "dst");
	struct ent_move_session s = { 0 };
	struct ent_sink *k = NULL;
	uint64_t epoch = 0;
	p.from.batch_rows = 10;
	p.to.fail_commit_after = 12;
	struct ent_move_copy c = { .rows_per_split = 150 };
	OK(copy(&p.from, &p.to, c, &p.w, &p.result, &p.err) != 0);
	p.to.fail_commit_after = -1;
	target.open(target.self, NULL, 0, &s, NULL);
	OK_INT(s.connector->sink_open(s.source, p.result.job, &epoch, &k, NULL), 0);
	OK_INT(epoch, 2, "the next run has the next epoch");
	OK_INT(copy(&p.from, &p.to, c, &p.w, &p.result, &p.err), 0, "a third run takes over and finishes");
	struct ent_sink_checkpoint e = { .part = "entente.epoch", .epoch = 3 };
	p.to.points[p.to.n_points++] = e;
	OK_INT(s.connector->sink_commit(k, NULL, &p.err), ENT_EAGAIN, "the one in between cannot commit any more");
	s.connector->sink_close(k);
	s.connector->close(s.source);
	end(&p);
}

static void test_cancel(void)
{
	struct pair p;
	begin(&p);
	p.w.cancel = true;
	OK_INT(copy(&p.from, &p.to, (struct ent_move_copy){ .rows_per_split = 150 }, &p.w, &p.result, &p.err), ENT_ECANCELLED, "cancelled");
	p.w.cancel = false;
	OK_INT(copy(&p.from, &p.to, (struct ent_move_copy){ .rows_per_split = 150 }, &p.w, &p.result, &p.err), 0);
	OK(whole(&p.to, "dst", ROWS), "and gone on with");
	end(&p);
}

/* ---- several targets ---- */

static bool committed(void *self, const char *name) { return !strcmp(((struct watcher *)self)->decided, name); }

struct three {
	struct pair p;
	struct mem_store other;
	struct ent_move_end targets[2];
	struct ent_move_env env;
	struct ent_move_copy copy;
};

static void begin_three(struct three *t)
{
	begin(&t->p);
	mem_store_init(&t->other);
	t->targets[0] = mem_end(&t->p.to, "dst");
	t->targets[1] = mem_end(&t->other, "dst");
	t->env = (struct ent_move_env){ &t->p.w, cancelled, NULL, report, decide };
	t->copy = (struct ent_move_copy){
		.source = mem_end(&t->p.from, "src"), .targets = t->targets, .n_targets = 2, .rows_per_split = 130, .owner = "entente-a-"
	};
}
static void end_three(struct three *t)
{
	end(&t->p);
	mem_store_deinit(&t->other);
}

static void test_together(void)
{
	struct three t;
	begin_three(&t);
	OK_INT(ent_move_copy(&t.copy, &t.env, &t.p.result, &t.p.err), 0);
	OK(whole(&t.p.to, "dst", ROWS) && whole(&t.other, "dst", ROWS), "both targets have every row");
	end_three(&t);
	begin_three(&t);
	t.other.fail_commit_after = 0;
	OK(ent_move_copy(&t.copy, &t.env, &t.p.result, &t.p.err) != 0, "one cannot prepare");
	OK(!mem_count(&t.p.to, "dst") && !mem_count(&t.other, "dst") && !t.p.w.decided[0], "none has a row");
	OK(!mem_there(&t.p.to, "dst") && !mem_there(&t.other, "dst"), "nor an empty table");
	end_three(&t);
	begin_three(&t);
	t.p.from.fail_read_after = 2;
	(void)mem_table(&t.other, "dst");
	t.copy.mode = ENT_WRITE_APPEND;
	OK(ent_move_copy(&t.copy, &t.env, &t.p.result, &t.p.err) != 0, "the source breaks");
	OK(!mem_there(&t.p.to, "dst") && mem_there(&t.other, "dst"), "a table that was there before stays, the one that was made does not");
	end_three(&t);
	begin_three(&t);
	t.other.no_two_phase = true;
	OK_INT(ent_move_copy(&t.copy, &t.env, &t.p.result, &t.p.err), ENT_EUNSUPPORTED);
	OK(!strcmp(t.p.err.why, "it prepares nothing today") && !t.p.to.n_points,
	   "one that cannot prepare is refused before anything is made: %s, %s", t.p.err.what, t.p.err.why);
	t.copy.dry_run = true;
	OK_INT(ent_move_copy(&t.copy, &t.env, &t.p.result, &t.p.err), ENT_EUNSUPPORTED);
	end_three(&t);
	begin_three(&t);
	t.p.w.refuse_decision = true;
	OK(ent_move_copy(&t.copy, &t.env, &t.p.result, &t.p.err) != 0, "the decision cannot be written");
	OK(!mem_count(&t.p.to, "dst") && !mem_count(&t.other, "dst"), "none has a row");
	end_three(&t);
}

/* The world ends between prepare and settle, before or after the decision. */
static void in_doubt(bool decided)
{
	struct three t;
	size_t n = 0;
	begin_three(&t);
	t.p.to.cancelled_text = t.other.cancelled_text = true;
	t.p.w.refuse_decision = !decided;
	OK(ent_move_copy(&t.copy, &t.env, &t.p.result, &t.p.err) != 0);
	OK(t.p.to.doubts[0].name[0] && t.other.doubts[0].name[0], "both are in doubt");
	t.p.to.cancelled_text = t.other.cancelled_text = false;
	OK_INT(ent_move_settle(&t.targets[0], "entente-b-", committed, &t.p.w, &n, &t.p.err), 0);
	OK_INT(n, 0, "somebody else's are left alone");
	for (size_t i = 0; i < 2; i++)
		OK(!ent_move_settle(&t.targets[i], "entente-a-", committed, &t.p.w, &n, &t.p.err) && n == 1, "settled");
	OK(mem_table(&t.p.to, "dst")->n == (decided ? ROWS : 0) && mem_table(&t.other, "dst")->n == (decided ? ROWS : 0), "%s",
	   decided ? "decided: all" : "not decided: none");
	end_three(&t);
}

int main(void)
{
	test_plain();
	test_condition();
	test_dry_run();
	test_parallel();
	test_lossy();
	test_faults();
	test_restart();
	test_fence();
	test_cancel();
	test_together();
	in_doubt(true);
	in_doubt(false);
	return tap_done();
}
