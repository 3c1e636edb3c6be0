/* What a decision carries for those who run it: protected tables and k, aggregates and their conditions, outer joins, remainder, comparisons with
 * earlier jobs, approvals, leak, debited rules. Plus properties over random questions, and failing memory. */
#include <stdlib.h>

#include "policy_world.h"
#include "random.h"
#include "tap.h"

#define PLANES \
	"registry: GRANT JOIN, AGGREGATE(count) ON planes(tailnum) TO ANY WITH OWN VALUES; GRANT GROUP, FILTER ON planes(maker, seats) TO ANY MIN " \
	"GROUP 25;"
#define FROM "FROM hudson.flights f JOIN registry.planes p ON f.tailnum = p.tailnum "

/* Decides or says why not; the world is then the caller's. */
static const struct ent_decision *decide(struct world *w, const char *grants, const char *sql)
{
	world_init(w);
	OK(world_grant(w, grants), "grants parse %s", w->err.what);
	OK_INT(world_decide(w, sql), 0, "decided: %.70s %s", sql, w->err.what);
	return w->decision;
}

static const struct ent_decision_table *table(const struct ent_decision *d, const char *name)
{
	for (size_t i = 0; i < d->n_tables; i++)
		if (!strcmp(d->tables[i].table->name, name))
			return &d->tables[i];
	return NULL;
}

static void test_k(void)
{
	struct world w;
	const struct ent_decision *d = decide(&w, PLANES, "SELECT p.maker, COUNT(*) " FROM "GROUP BY p.maker");
	OK(d->allowed, "allowed");
	OK(table(d, "planes")->protect && table(d, "planes")->k == 25, "k is the largest MIN GROUP among the grants used");
	OK(table(d, "flights")->own && !table(d, "flights")->protect, "one's own is not protected");
	OK(table(d, "planes")->own_values, "own values hold");
	OK_INT(d->n_rules, 2, "rules debited");
	OK_STR(d->rules[0], "registry/2", "first");
	OK_STR(d->rules[1], "registry/3", "second");
	OK(d->blocks[0].top && d->blocks[0].remainder && d->blocks[0].n_tables == 1, "remainder applies");
	world_deinit(&w);

	d = decide(&w, PLANES, "SELECT COUNT(*) " FROM);
	OK_INT(table(d, "planes")->k, 10, "a grant that is not used has no say");
	OK(!d->blocks[0].remainder, "no remainder without GROUP BY");
	world_deinit(&w);

	d = decide(&w, "registry: GRANT SELECT ON planes(tailnum) TO ANY; GRANT GROUP ON planes(maker) TO ANY MIN GROUP 12;",
		   "SELECT p.maker, COUNT(*) " FROM "GROUP BY p.maker");
	OK(table(d, "planes")->protect && table(d, "planes")->k == 12, "one column without SELECT protects the table");
	world_deinit(&w);

	d = decide(&w, "registry: GRANT SELECT ON planes(tailnum, maker) TO ANY;", "SELECT p.maker, COUNT(*) " FROM "GROUP BY p.maker");
	OK(!table(d, "planes")->protect && table(d, "planes")->k == 0 && d->n_selections == 0, "SELECT on all columns opens the table");
	world_deinit(&w);

	d = decide(&w, PLANES "GRANT GROUP ON planes(maker) TO hudson MIN GROUP 40;", "SELECT p.maker, COUNT(*) " FROM "GROUP BY p.maker");
	OK_INT(table(d, "planes")->k, 40, "the largest k of matching grants");
	OK_INT(d->n_rules, 3, "uses of all matching grants go down");
	world_deinit(&w);
}

static void test_conditions(void)
{
	struct world w;
	const struct ent_decision *d =
		decide(&w,
		       "bravo: GRANT AGGREGATE(avg, sum, count) ON people(salary, bonus) TO ANY LEAK sizes REQUIRE APPROVAL OF 2; "
		       "GRANT GROUP ON people(dept) TO ANY LEAK match-pattern;",
		       "SELECT dept, AVG(salary), SUM(bonus) FROM bravo.people GROUP BY dept");
	OK_INT(d->leak, ENT_LEAK_SIZES, "leak is the smallest");
	OK(d->n_approvals == 1 && !strcmp(d->approvals[0].org, "bravo") && d->approvals[0].of == 2 && d->approvals_max == 2,
	   "approvals are the largest");
	OK(d->aggs[0].opens_sum_count && !d->aggs[1].opens_sum_count, "avg opens sum and count");
	world_deinit(&w);

	world_init(&w);
	OK(world_grant(&w, "bravo: GRANT AGGREGATE(avg) ON people(salary) TO ANY USES 2;"), "USES 2");
	w.rules[0][0].used = 1;
	OK(!world_decide(&w, "SELECT AVG(salary) FROM bravo.people") && w.decision->allowed, "one use left");
	w.rules[0][0].used = 2;
	OK(!world_decide(&w, "SELECT AVG(salary) FROM bravo.people") && !w.decision->allowed, "none left");
	OK(strstr(w.decision->lines[0].why, "its 2 uses are used up"), "says so: %s", w.decision->lines[0].why);
	world_deinit(&w);

	world_init(&w);
	w.in.n_owners = 0;
	OK_INT(world_decide(&w, "SELECT AVG(salary) FROM bravo.people"), ENT_ENOTFOUND, "no ledger of the owner");
	world_deinit(&w);
}

/* Rule 4: text of the conditions an aggregate is held to. */
static void check_held(const char *aggregate, enum ent_held held, bool non_null, const char *const *conditions, size_t n)
{
	struct world w;
	char sql[300];
	snprintf(sql, sizeof sql, "SELECT %s FROM skywatch.weather", aggregate);
	const struct ent_decision *d = decide(
		&w, "skywatch: GRANT SELECT ON weather(wind) TO ANY; GRANT FILTER, AGGREGATE(sum, avg, count, min) ON weather(visib) TO ANY;", sql);
	const struct ent_decision_agg *a = d ? &d->aggs[0] : NULL;
	OK(d && d->allowed && d->n_aggs == 1 && a->held == held && a->non_null == non_null && a->n_conditions == n, "%s is held", aggregate);
	for (size_t i = 0; d && i < n && i < a->n_conditions; i++) {
		json_t *v = NULL;
		OK_INT(ent_expr_json(a->block, a->conditions[i], &v, NULL), 0, "condition");
		char *text = json_dumps(v, JSON_COMPACT);
		OK_STR(text, conditions[i], "%s", aggregate);
		free(text);
		json_decref(v);
	}
	world_deinit(&w);
}

static void test_held(void)
{
#define WIND "[\"column\",0,\"wind\"]"
#define VISIB "[\"column\",0,\"visib\"]"
#define CONST(v) "[\"const\",\"integer\",\"" v "\"]"
#define OVER(v) "[\"<\",\"boolean\"," CONST(v) "," WIND "]"
#define NO "[\"const\",\"boolean\",\"0\"]"
	check_held("COUNT(*)", ENT_HELD_GROUP, false, NULL, 0);
	check_held("SUM(wind)", ENT_HELD_GROUP, false, NULL, 0);
	check_held("AVG(visib)", ENT_HELD_NON_NULL, true, NULL, 0);
	check_held("COUNT(visib)", ENT_HELD_NON_NULL, true, NULL, 0);
	check_held("COUNT(*) FILTER (WHERE wind > 20)", ENT_HELD_FILTERED, false, (const char *const[]){ OVER("20") }, 1);
	check_held("AVG(visib) FILTER (WHERE wind > 20)", ENT_HELD_FILTERED, true, (const char *const[]){ OVER("20") }, 1);
	check_held("SUM(CASE WHEN wind > 20 THEN wind END)", ENT_HELD_FILTERED, true, (const char *const[]){ OVER("20") }, 1);
	check_held("SUM(CASE WHEN wind > 20 THEN 1 ELSE 0 END)", ENT_HELD_FILTERED, false, (const char *const[]){ OVER("20") }, 1);
	check_held("SUM(CASE WHEN wind > 20 THEN 1 WHEN wind > 10 THEN 2 ELSE 0 END)", ENT_HELD_FILTERED, false,
		   (const char *const[]){ OVER("20"), "[\"and\",\"boolean\"," OVER("10") ",[\"not\",\"boolean\"," OVER("20") "]]" }, 2);
	check_held("SUM(COALESCE(visib, 0))", ENT_HELD_FILTERED, false,
		   (const char *const[]){ "[\"not\",\"boolean\",[\"is null\",\"boolean\"," VISIB "]]" }, 1);
	check_held("SUM(NULLIF(wind, 3))", ENT_HELD_FILTERED, true,
		   (const char *const[]){ "[\"not\",\"boolean\",[\"=\",\"boolean\"," WIND "," CONST("3") "]]" }, 1);
	check_held("SUM(NULLIF(visib, 3))", ENT_HELD_FILTERED, true,
		   (const char *const[]){ "[\"not\",\"boolean\",[\"coalesce\",\"boolean\",[\"=\",\"boolean\"," VISIB "," CONST("3") "]," NO "]]" },
		   1);
}

static void test_hidden_condition(void)
{
	static const char GRANTS[] = "skywatch: GRANT FILTER, AGGREGATE(sum, count) ON weather(wind) TO ANY;";
	struct world w;
	const struct ent_decision *d =
		decide(&w, GRANTS, "SELECT SUM(s.v) FROM (SELECT CASE WHEN wind > 20 THEN wind END AS v FROM skywatch.weather) s");
	OK(d && d->n_aggs == 1 && d->aggs[0].held == ENT_HELD_FILTERED, "a condition behind a subquery's column: whether the value is there");
	world_deinit(&w);
	world_init(&w);
	OK(world_grant(&w, GRANTS), "grants");
	OK_INT(world_decide(&w, "SELECT SUM(s.v) FROM (SELECT CASE WHEN wind > 20 THEN wind ELSE 0 END AS v FROM skywatch.weather) s"),
	       ENT_EUNSUPPORTED, "refused where it cannot be told");
	OK(strstr(w.err.next, "inside the aggregate"), "with the way out: %s", w.err.next);
	OK_INT(world_decide(&w, "SELECT COUNT(*) FROM (SELECT wind FROM skywatch.weather ORDER BY wind LIMIT 5) s"), ENT_EUNSUPPORTED,
	       "LIMIT in a subquery");
	world_deinit(&w);
}

static void test_outer(void)
{
	struct world w;
	const struct ent_decision *d =
		decide(&w, PLANES, "SELECT COUNT(*) FROM hudson.flights f LEFT JOIN registry.planes p ON f.tailnum = p.tailnum");
	OK(d->n_outers == 1 && !d->outers[0].anti && d->outers[0].n_tables == 1 && d->outers[0].k == 10 && d->outers[0].rel == 1, "outer join");
	world_deinit(&w);
	d = decide(&w, PLANES, "SELECT COUNT(*) FROM hudson.flights f LEFT JOIN registry.planes p ON f.tailnum = p.tailnum WHERE p.tailnum IS NULL");
	OK(d->n_outers == 1 && d->outers[0].anti, "anti-join");
	world_deinit(&w);
	d = decide(&w, PLANES, "SELECT COUNT(*) FROM registry.planes p LEFT JOIN hudson.flights f ON f.tailnum = p.tailnum");
	OK(d->n_outers == 0, "one's own on the nullable side is no outer join of rule 5");
	world_deinit(&w);
}

/* Rule 7: the guards of a second question after a first one. */
static size_t guards(const char *first, const char *second, const char *const *trio, struct ent_decision_guard ret[8])
{
	struct world w;
	struct ent_policy_job job = { .id = "0123456789abcdef" };
	const struct ent_decision *d = decide(&w, PLANES "GRANT FILTER ON planes(built) TO ANY;", first);
	ENT_JSON_AUTO v = NULL;
	struct ent_policy_selection *s = NULL;
	OK(!ent_policy_selections_json(d->selections, d->n_selections, &v, NULL) &&
		   !ent_policy_selections_parse(w.arena, v, &s, &job.n_selections, &w.err),
	   "selections travel as JSON");
	job.selections = s;
	for (int i = 0; i < 3; i++)
		job.trio[i] = trio ? trio[i] : NULL;
	w.in.history = &job;
	w.in.n_history = 1;
	OK_INT(world_decide(&w, second), 0, "second %s", w.err.what);
	size_t n = w.decision->n_guards;
	for (size_t i = 0; i < n && i < 8; i++)
		ret[i] = w.decision->guards[i];
	world_deinit(&w);
	return n;
}

static void test_guard(void)
{
	static const char *const TRIO[] = { "skywatch", "hudson", "registry" }, *const OTHER[] = { "bravo", "hudson", "registry" };
	struct ent_decision_guard g[8];
	const char *by_maker = "SELECT p.maker, COUNT(*) " FROM "GROUP BY p.maker", *total = "SELECT COUNT(*) " FROM;
	const char *filtered = "SELECT p.maker, COUNT(*) " FROM "WHERE p.seats > 100 GROUP BY p.maker";
	OK_INT(guards(by_maker, by_maker, TRIO, g), 0, "same question: answered");
	OK_INT(guards(by_maker, total, TRIO, g), 0, "same rows, one without GROUP BY: answered");
	OK_INT(guards(total, by_maker, TRIO, g), 0, "and the other way");
	OK_INT(guards(by_maker, "SELECT p.seats, COUNT(*) " FROM "GROUP BY p.seats", TRIO, g), 1, "same rows by other groups");
	OK(g[0].kind == ENT_GUARD_DROPPED && g[0].k == 25, "only if neither dropped a group");
	OK_INT(guards(by_maker, filtered, TRIO, g), 2, "other rows: total and cells");
	OK(g[0].kind == ENT_GUARD_TOTAL && g[1].kind == ENT_GUARD_CELLS && !strcmp(g[0].job, "0123456789abcdef") && !g[0].other_trio &&
		   !g[0].at_owner,
	   "compared");
	OK_INT(guards(total, filtered, TRIO, g), 1, "other rows, other groups: total only");
	OK_INT(guards("SELECT p.maker, p.seats, COUNT(*) " FROM "GROUP BY p.maker, p.seats",
		      "SELECT p.seats, p.maker, COUNT(*) " FROM "WHERE p.seats > 100 GROUP BY p.seats, p.maker", TRIO, g),
	       2, "the order of labels does not hide cells");
	OK(g[1].kind == ENT_GUARD_CELLS, "cells");
	OK_INT(guards(by_maker, filtered, OTHER, g), 2, "other trio");
	OK(g[0].other_trio, "shares lie elsewhere");
	OK_INT(guards(by_maker, filtered, NULL, g), 2, "a one-owner job before");
	OK(!g[0].at_owner && g[0].other_trio, "numbers lie with the owner, not as shares: to be approved");
	OK_INT(guards("SELECT p.maker " FROM "GROUP BY p.maker", "SELECT MIN(f.distance) " FROM "WHERE p.seats > 100", TRIO, g), 0,
	       "no common column, no counts: not compared");
	OK_INT(guards("SELECT p.maker, COUNT(*) " FROM "WHERE p.seats > 5 GROUP BY p.maker",
		      "SELECT p.maker, COUNT(*) " FROM "WHERE 5 < p.seats GROUP BY p.maker", TRIO, g),
	       0, "the same rows, written otherwise");
	OK_INT(guards("SELECT COUNT(*) FILTER (WHERE p.seats > 100) " FROM, total, TRIO, g), 0, "a condition, then all: rule 4 holds them apart");
	OK_INT(guards("SELECT COUNT(*) FILTER (WHERE p.seats > 100) " FROM, "SELECT COUNT(*) FILTER (WHERE p.seats > 101) " FROM, TRIO, g), 1,
	       "two conditions");
	OK(g[0].kind == ENT_GUARD_TOTAL && g[0].selection == 1 && g[0].other == 1, "by number of the selection");
	OK_INT(guards("SELECT COUNT(*) FILTER (WHERE p.seats > 100) " FROM, "SELECT COUNT(*) " FROM "WHERE p.seats > 100", TRIO, g), 0,
	       "the same rows by WHERE");
}

/* The same groups under another name would escape the comparison of cells. */
static void test_guard_names(void)
{
	static const char *const TRIO[] = { "skywatch", "hudson", "registry" };
	struct ent_decision_guard g[8];
	const char *plain = "SELECT p.seats, COUNT(*) " FROM "GROUP BY p.seats";
	OK_INT(guards(plain, "SELECT p.seats + 0, COUNT(*) " FROM "WHERE p.built > DATE '2000-01-01' GROUP BY 1", TRIO, g), 1, "a and a + 0");
	OK(g[0].kind == ENT_GUARD_NEVER, "other rows: refused");
	OK_INT(guards("SELECT p.seats + 0, COUNT(*) " FROM "GROUP BY 1",
		      "SELECT p.seats, COUNT(*) " FROM "WHERE p.built > DATE '2000-01-01' GROUP BY 1", TRIO, g),
	       1, "and the other way");
	OK(g[0].kind == ENT_GUARD_NEVER, "refused, too");
	OK_INT(guards(plain, "SELECT p.seats + 0, COUNT(*) " FROM "GROUP BY 1", TRIO, g), 1, "the same rows");
	OK(g[0].kind == ENT_GUARD_DROPPED, "only if neither hides a group");
	OK_INT(guards("SELECT p.seats + 0, COUNT(*) " FROM "GROUP BY 1",
		      "SELECT p.seats + 0, COUNT(*) " FROM "WHERE p.built > DATE '2000-01-01' GROUP BY 1", TRIO, g),
	       2, "written alike");
	OK(g[1].kind == ENT_GUARD_CELLS, "cells are compared");
	OK_INT(guards(plain, "SELECT p.maker, COUNT(*) " FROM "WHERE p.seats > 100 GROUP BY 1", TRIO, g), 1, "other columns: totals");
	OK(g[0].kind == ENT_GUARD_TOTAL, "only");
}

/* Groups of a subquery are not comparable with rows. */
static void test_guard_units(void)
{
	const char *groups = "SELECT COUNT(*) FROM hudson.flights f JOIN (SELECT tailnum, COUNT(*) AS c FROM registry.planes GROUP BY tailnum) p "
			     "ON f.tailnum = p.tailnum";
	const char *fewer = "SELECT COUNT(*) FROM hudson.flights f JOIN (SELECT tailnum, COUNT(*) AS c FROM registry.planes WHERE seats > 9 GROUP BY "
			    "tailnum) p ON f.tailnum = p.tailnum";
	static const char *const TRIO[] = { "skywatch", "hudson", "registry" };
	struct ent_decision_guard g[8];
	struct world w;
	const struct ent_decision *d = decide(&w, PLANES "GRANT GROUP ON planes(tailnum) TO ANY;", groups);
	struct ent_policy_job job = { .id = "j", .selections = d->selections, .n_selections = d->n_selections };
	OK(d->allowed, "a subquery that groups is allowed");
	memcpy(job.trio, TRIO, sizeof job.trio);
	w.in.history = &job;
	w.in.n_history = 1;
	OK(!world_decide(&w, fewer) && w.decision->allowed && w.decision->n_guards == 1 && w.decision->guards[0].kind == ENT_GUARD_TOTAL,
	   "groups compare with groups by the same keys");
	OK(!world_decide(&w, "SELECT COUNT(*) " FROM) && !w.decision->allowed && w.decision->n_guards == 1 &&
		   w.decision->guards[0].kind == ENT_GUARD_NEVER,
	   "rows do not compare with groups");
	OK(ent_decision_refusal(w.decision, &w.err) == ENT_EDENIED && strstr(w.err.what, "earlier one j"), "refused by name: %s", w.err.what);
	world_deinit(&w);
	OK_INT(guards(groups, fewer, TRIO, g), 1, "the unit travels with the selection");
	OK(g[0].kind == ENT_GUARD_TOTAL, "and is equal again");
}

static void test_guard_approval(void)
{
	static const char *const OTHER[] = { "bravo", "hudson", "registry" };
	struct world w;
	const struct ent_decision *d = decide(&w, PLANES, "SELECT COUNT(*) " FROM);
	struct ent_policy_job job = { .id = "j", .selections = d->selections, .n_selections = d->n_selections };
	memcpy(job.trio, OTHER, sizeof job.trio);
	w.in.history = &job;
	w.in.n_history = 1;
	OK(!world_decide(&w, "SELECT COUNT(*) " FROM "WHERE p.seats > 3") && w.decision->n_approvals == 1 && w.decision->approvals_max == 1 &&
		   !strcmp(w.decision->approvals[0].org, "registry"),
	   "another trio needs the owner's approval");
	world_tables[3].version = 2;
	OK(!world_decide(&w, "SELECT COUNT(*) " FROM) && w.decision->n_guards == 1 && w.decision->guards[0].kind == ENT_GUARD_TOTAL,
	   "a new version is another selection");
	world_tables[3].version = 1;
	world_deinit(&w);
}

static void test_guard_within(void)
{
	struct world w;
	const struct ent_decision *d =
		decide(&w, PLANES,
		       "SELECT p.maker, COUNT(*), COUNT(*) FILTER (WHERE p.seats > 5), SUM(CASE WHEN p.seats > 5 THEN 1 ELSE 0 END), "
		       "COUNT(*) FILTER (WHERE p.seats > 6) " FROM "GROUP BY p.maker");
	OK_INT(d->n_selections, 3, "the block and two conditions");
	OK_INT(d->n_guards, 1, "the conditions against each other");
	OK(!d->guards[0].job && d->guards[0].kind == ENT_GUARD_CELLS, "cells of this job");
	OK(!world_decide(&w, "SELECT COUNT(*) FILTER (WHERE p.seats > 5), COUNT(*) FILTER (WHERE p.seats > 6) " FROM) && w.decision->n_guards == 1 &&
		   w.decision->guards[0].kind == ENT_GUARD_CELLS,
	   "without GROUP BY there is one cell");
	OK(!world_decide(&w, "SELECT p.maker, COUNT(*), COUNT(*) FILTER (WHERE p.seats > 5), SUM(CASE WHEN p.seats > 5 THEN 1 ELSE 0 END), "
			     "COUNT(*) FILTER (WHERE p.seats > 6) " FROM "GROUP BY p.maker"),
	   "again");
	d = w.decision;
	OK(d->aggs[1].conditions[0] == d->aggs[2].conditions[0] && d->aggs[1].conditions[0] != d->aggs[3].conditions[0],
	   "equal conditions share one node");
	OK(d->selections[0].group_order && !d->selections[0].filter && d->selections[1].filter == d->aggs[1].conditions[0],
	   "selections name their condition");
	world_deinit(&w);
}

/* --- properties --- */

static const char *const COLUMN_GRANTS[] = { "JOIN", "FILTER", "GROUP", "AGGREGATE(count)", "AGGREGATE(sum, avg)", "SELECT", "AGGREGATE(min)" };
static const char *const QUERIES[] = {
	"SELECT p.maker, COUNT(*) FROM hudson.flights f JOIN registry.planes p ON f.tailnum = p.tailnum GROUP BY p.maker",
	"SELECT COUNT(*) FROM hudson.flights f LEFT JOIN registry.planes p ON f.tailnum = p.tailnum WHERE p.tailnum IS NULL",
	"SELECT f.carrier, AVG(p.seats) FROM hudson.flights f JOIN registry.planes p USING (tailnum) WHERE p.built > DATE '2000-01-01' GROUP BY 1",
	"SELECT maker, seats FROM registry.planes WHERE tailnum LIKE 'N%'",
	"SELECT AVG(v) FROM (SELECT seats AS v FROM registry.planes UNION ALL SELECT salary FROM bravo.people) u",
	"SELECT s.d, MIN(s.t) FROM (SELECT maker AS d, SUM(seats) AS t FROM registry.planes GROUP BY maker) s GROUP BY s.d",
	"SELECT dept, SUM(salary * bonus) FROM bravo.people GROUP BY dept HAVING COUNT(*) > 3",
	"SELECT SUM(CASE WHEN p.seats > 100 THEN b.salary END) FROM registry.planes p JOIN bravo.people b ON p.maker = b.dept",
};

static void random_grant(struct world *w, bool deny)
{
	static const struct {
		const char *org, *table, *columns[4];
	} T[] = { { "registry", "planes", { "tailnum", "maker", "built", "seats" } }, { "bravo", "people", { "id", "salary", "bonus", "dept" } } };
	char text[200];
	size_t t = random_below(2), u = random_below(ENT_COUNT(COLUMN_GRANTS));
	bool own = !deny && (u == 0 || u == 5);
	snprintf(text, sizeof text, "%s: %s %s ON %s(%s)%s%s;", T[t].org, deny ? "DENY" : "GRANT", COLUMN_GRANTS[u], T[t].table,
		 T[t].columns[random_below(4)], deny ? "" : " TO ANY", own ? " WITH OWN VALUES" : "");
	ENT_ASSERT(world_grant(w, text));
}

static char *canonical(const struct ent_decision *d)
{
	json_t *v = NULL;
	struct ent_buf out = ENT_BUF(4u << 20);
	ENT_ASSERT(!ent_decision_json(d, &v, NULL) && !ent_json_canonical(v, &out, NULL));
	json_decref(v);
	return (char *)out.data;
}

/* Every owner's rules are in one order in the ledger, but parties may hold owners, members and history in another. */
static bool same_elsewhere(struct world *w)
{
	struct ent_policy_owner turned[WORLD_ORGS_N];
	struct ent_decision *d = NULL;
	char *here = canonical(w->decision);
	for (size_t i = 0; i < WORLD_ORGS_N; i++)
		turned[i] = w->owners[WORLD_ORGS_N - 1 - i];
	struct ent_policy_input in = w->in;
	in.owners = turned;
	ENT_ASSERT(!ent_policy_decide(w->arena, &in, &d, NULL));
	char *there = canonical(d);
	bool same = !strcmp(here, there);
	free(here);
	free(there);
	return same;
}

static void test_random(unsigned seed)
{
	int worse = 0, differ = 0, denied = 0, allowed = 0;
	random_state = seed;
	for (int round = 0; round < 300; round++) {
		struct world w;
		bool before = false;
		const char *sql = QUERIES[(size_t)round % ENT_COUNT(QUERIES)];
		world_init(&w);
		for (int i = 0; i < 24; i++) {
			random_grant(&w, false);
			if (i % 3 != 2)
				continue;
			ENT_ASSERT(!world_decide(&w, sql));
			worse += before && !w.decision->allowed;
			before = w.decision->allowed;
		}
		differ += !same_elsewhere(&w);
		allowed += before;
		ENT_ASSERT(world_grant(&w, "registry: DENY ALL ON planes(tailnum, maker, built, seats);") &&
			   world_grant(&w, "bravo: DENY ALL ON people(id, salary, bonus, dept);") && !world_decide(&w, sql));
		denied += w.decision->allowed;
		world_deinit(&w);
	}
	OK_INT(worse, 0, "seed %u: a further grant of the same conditions never refuses more (%d of 300 allowed)", seed, allowed);
	OK(allowed > 20, "seed %u: some were allowed", seed);
	OK_INT(denied, 0, "seed %u: DENY ALL leaves nothing", seed);
	OK_INT(differ, 0, "seed %u: every party decides the same", seed);
}

/* Subqueries that double a column at each level stay cheap. */
static void test_nested(void)
{
	struct world w;
	struct ent_buf sql = ENT_BUF(16384);
	world_init(&w);
	OK(world_grant(&w, "bravo: GRANT AGGREGATE(sum) ON people(salary) TO ANY;"), "grant");
	ent_buf_str(&sql, "SELECT SUM(a) FROM ");
	for (int i = 0; i < 40; i++)
		ent_buf_str(&sql, "(SELECT a + a AS a FROM ");
	ent_buf_str(&sql, "(SELECT salary AS a FROM bravo.people) s");
	for (int i = 0; i < 40; i++)
		ent_buf_printf(&sql, ") s%d", i);
	OK(!world_decide(&w, ent_buf_text(&sql)) && w.decision->allowed, "forty levels: %s", w.err.what);
	ent_buf_deinit(&sql);
	world_deinit(&w);
}

/* Any cap on memory ends in ENT_ENOMEM, or in the whole decision. */
static void test_memory(void)
{
	struct world w;
	const struct ent_decision *d = decide(&w, PLANES, "SELECT p.maker, COUNT(*), COUNT(*) FILTER (WHERE p.seats > 5) " FROM "GROUP BY p.maker");
	char *whole = canonical(d);
	int partial = 0, failed = 0;
	for (size_t cap = 64; cap < 200000; cap += cap / 9 + 16) {
		struct ent_arena *a = ent_arena_new(cap);
		struct ent_decision *again = NULL;
		int code = ent_policy_decide(a, &w.in, &again, NULL);
		failed += code == ENT_ENOMEM;
		if (!code) {
			char *text = canonical(again);
			partial += strcmp(text, whole) != 0;
			free(text);
		} else {
			partial += code != ENT_ENOMEM || again;
		}
		ent_arena_free(a);
	}
	OK(failed > 3, "%d caps were too small", failed);
	OK_INT(partial, 0, "all or nothing");
	free(whole);
	world_deinit(&w);
}

static void test_column_uses(void)
{
	struct world w;
	uint32_t k;
	bool own;
	world_init(&w);
	OK(world_grant(&w, PLANES "DENY FILTER ON planes(seats) TO hudson; GRANT SELECT ON planes(built) TO skywatch;"), "grants");
	const struct ent_policy_owner *o = world_owner(&w, "registry");
	OK(ent_policy_column_uses(o, "planes", "tailnum", "hudson", NULL, WORLD_NOW, &k, &own) ==
			   (ENT_USE_BIT(ENT_USE_JOIN) | ENT_USE_BIT(ENT_USE_COUNT)) &&
		   own && k == 10,
	   "what hudson may do with tailnum");
	OK(ent_policy_column_uses(o, "planes", "seats", "hudson", NULL, WORLD_NOW, &k, NULL) == ENT_USE_BIT(ENT_USE_GROUP) && k == 25,
	   "a denied use is left out");
	OK(ent_policy_column_uses(o, "planes", "built", "hudson", NULL, WORLD_NOW, NULL, NULL) == 0, "to another");
	OK(ent_policy_column_uses(o, "planes", "built", "skywatch", NULL, WORLD_NOW, NULL, NULL) ==
		   (ENT_USE_ALL & ~(ENT_USE_BIT(ENT_USE_TRAIN) | ENT_USE_BIT(ENT_USE_COPY))),
	   "SELECT includes all but TRAIN and COPY");
	world_deinit(&w);
}

int main(void)
{
	test_k();
	test_conditions();
	test_held();
	test_hidden_condition();
	test_outer();
	test_guard();
	test_guard_names();
	test_guard_units();
	test_guard_approval();
	test_guard_within();
	test_column_uses();
	test_nested();
	test_memory();
	test_random(20261121);
	return tap_done();
}
