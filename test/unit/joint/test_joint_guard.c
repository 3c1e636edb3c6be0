/* The differencing guard: a second question of the same requester that would single out fewer rows than the minimum group.
 * Planted bugs that this finds: guard_skipped, within_skipped, conditions_ignored, record_believed,
 * kept_too_late. */
#include "joint_kit.h"
#include "tap.h"

static const struct ent_column visit_columns[] = {
	{ .name = "person", .type = { .id = ENT_T_INT32 }, .bound_bits = 7 },
	{ .name = "cost", .type = { .id = ENT_T_INT32 }, .bound_bits = 7 },
};
static const struct ent_column people_columns[] = {
	{ .name = "id", .type = { .id = ENT_T_INT32 }, .bound_bits = 7 },
	{ .name = "town", .type = { .id = ENT_T_TEXT }, .nullable = true, .distinct_padded = 4 },
	{ .name = "age", .type = { .id = ENT_T_INT32 }, .bound_bits = 7 },
};
static const uint16_t first[] = { 0 };
static const struct ent_unique key = { first, 1 };

static bool one_owner; /* bravo's people alone */
static unsigned lacks; /* who has no record of the first question */

/* 40 people: 20 of Oslo, 12 of Rome, 8 without town; ages 0 to 39. Everybody has one visit. */
static void world(struct jk *k, const char *module)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_table visits = { .org = "alpha", .name = "visits", .columns = visit_columns, .n_columns = 2, .rows_padded = 40 };
	struct ent_table people = {
		.org = "bravo", .name = "people", .columns = people_columns, .n_columns = 3, .keys = &key, .n_keys = 1, .rows_padded = 40
	};
	*k = (struct jk){ .trio = { "alpha", "bravo", "carol" }, .requester = "alpha", .one_owner = one_owner };
	OK_INT(jk_open(k, module, &err), 0, "%s", err.what);
	OK_INT(jk_table(k, visits, 5, false, "SELECT CAST(i AS INTEGER) AS person, CAST(1 AS INTEGER) AS cost FROM range(40) t(i)", &err), 0, "%s",
	       err.what);
	OK_INT(jk_table(k, people, 5, true,
			"SELECT CAST(i AS INTEGER) AS id, CASE WHEN i < 20 THEN 'Oslo' WHEN i < 32 THEN 'Rome' END AS town, CAST(i AS INTEGER) AS "
			"age FROM range(40) t(i)",
			&err),
	       0, "%s", err.what);
}

/* Asks first, then second with the record of the first; returns the second's code and answer. */
static int pair(const char *module, const char *before, const char *after, struct ent_buf *out, struct ent_err *err)
{
	struct jk k;
	struct ent_joint_guard_blob blobs[3];
	struct ent_decision *decision = NULL;
	struct ent_query *query;
	struct ent_policy_job earlier = { .id = "job-1", .trio = { "alpha", "bravo", "carol" } };
	ENT_CLEANUP(ent_arena_freep) struct ent_arena *arena = ent_arena_new((size_t)16 << 20);
	struct ent_buf first_out = ENT_BUF(1 << 16), public[3], shares[3];
	world(&k, module);
	OK_INT(jk_query(&k, before, &first_out, err), 0, "first: %s", err->what);
	for (int i = 0; i < 3; i++) {
		public[i] = k.guard_public[i];
		shares[i] = k.guard_shares[i];
		k.guard_public[i] = k.guard_shares[i] = (struct ent_buf){ 0 };
		blobs[i] = (struct ent_joint_guard_blob){ "job-1", ent_buf_bytes(&public[i]), ent_buf_bytes(&shares[i]) };
		k.guard[i] = &blobs[i];
	}
	OK(public[1].len > 0 && shares[1].len > 0, "the first job left a record");
	k.n_guard = 1;
	k.lacks = lacks;
	OK_INT(jk_decide(&k, arena, before, &decision, &query, err), 0, "the first as history");
	if (one_owner)
		memset(earlier.trio, 0, sizeof earlier.trio);
	earlier.selections = decision->selections;
	earlier.n_selections = decision->n_selections;
	k.history = &earlier;
	k.n_history = 1;
	int code = jk_query(&k, after, out, err);
	for (int i = 0; i < 3; i++) {
		if (!code)
			OK_INT(k.stats[i].bytes_sent, k.stats[i].bytes_predicted, "party %d: bytes as predicted, comparisons included", i);
		ent_buf_deinit(&public[i]);
		ent_buf_deinit(&shares[i]);
	}
	ent_buf_deinit(&first_out);
	jk_close(&k);
	return code;
}

#define FROM " FROM alpha.visits v JOIN bravo.people p ON v.person = p.id "

static void expect(const char *module, const char *before, const char *after, int want, const char *answer, const char *why)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_buf out = ENT_BUF(1 << 16);
	OK_INT(pair(module, before, after, &out, &err), want, "%s (%s)", why, err.what);
	if (want)
		OK(strstr(err.what, "job-1"), "names the earlier job: %s", err.what);
	else
		OK_STR(ent_buf_text(&out), answer, "%s: the answer", why);
	ent_buf_deinit(&out);
}

/* One question alone. */
static void alone(const char *module, const char *sql, const char *answer, const char *why)
{
	struct jk k;
	struct ent_err err = ENT_ERR_INIT;
	struct ent_buf out = ENT_BUF(1 << 16);
	world(&k, module);
	OK_INT(jk_query(&k, sql, &out, &err), 0, "%s (%s)", why, err.what);
	OK_STR(ent_buf_text(&out), answer, "%s: the answer", why);
	for (int i = 0; i < 3; i++)
		OK_INT(k.stats[i].bytes_sent, k.stats[i].bytes_predicted, "party %d: bytes as predicted, comparisons included", i);
	ent_buf_deinit(&out);
	jk_close(&k);
}

/* Each filtered aggregate is a selection of its own: against earlier jobs, and against the others of its job. */
static void test_filtered(const char *m)
{
	const char *all = "SELECT COUNT(*) FILTER (WHERE p.age < 20) AS n" FROM;
	expect(m, all, "SELECT COUNT(*) FILTER (WHERE p.age < 19) AS n" FROM, ENT_EDENIED, NULL, "a condition that leaves one person out");
	expect(m, all, "SELECT COUNT(*) FILTER (WHERE p.age < 10) AS n" FROM, 0, "n\r\n10\r\n", "a condition that leaves ten out");
	expect(m, all, "SELECT COUNT(*) AS n" FROM "WHERE p.age < 19", ENT_EDENIED, NULL, "the same difference by WHERE");
	expect(m, "SELECT COUNT(*) AS n" FROM "WHERE p.age < 19", all, ENT_EDENIED, NULL, "and the other way");
	expect(m, all, "SELECT COUNT(*) AS n" FROM "WHERE p.age < 20", 0, "n\r\n20\r\n", "the same rows by WHERE");
	expect(m, all, "SELECT COUNT(*) AS n" FROM, 0, "n\r\n40\r\n", "without the condition: rule 4 held the complement");
	expect(m, "SELECT p.town, COUNT(*) FILTER (WHERE p.age < 5 OR p.age >= 26) AS f" FROM "GROUP BY 1",
	       "SELECT p.town, COUNT(*) AS n, COUNT(*) FILTER (WHERE p.age < 12 OR p.age >= 25) AS f" FROM "GROUP BY 1 ORDER BY 1", 0,
	       "town,n,f\r\nOslo,20,12\r\nRome,12,\r\n,8,\r\n", "cells of the condition that come close are NULL, the groups stay");
	alone(m,
	      "SELECT COUNT(*) FILTER (WHERE p.age < 20) AS a, COUNT(*) FILTER (WHERE p.age < 18) AS b, SUM(v.cost) FILTER (WHERE p.age < 18) AS s, "
	      "COUNT(*) FILTER (WHERE p.age < 10) AS c" FROM,
	      "a,b,s,c\r\n20,,,10\r\n", "two conditions two people apart");
	alone(m,
	      "SELECT p.town, COUNT(*) FILTER (WHERE p.age < 10 OR p.age >= 25) AS a, COUNT(*) FILTER (WHERE p.age < 15 OR p.age >= 26) AS b" FROM
	      "GROUP BY 1 ORDER BY 1",
	      "town,a,b\r\nOslo,10,15\r\nRome,7,\r\n,8,\r\n", "group by group");
}

/* Rule 4 is the decision's: a FILTER is part of every condition inside its aggregate, and NULLIF picks rows. */
static void test_decided(const char *m)
{
	alone(m, "SELECT SUM(CASE WHEN p.age < 20 THEN v.cost ELSE 0 END) FILTER (WHERE p.age > 18) AS s" FROM, "s\r\n\r\n",
	      "one person under both conditions");
	alone(m, "SELECT COUNT(p.town) AS n, COUNT(NULLIF(p.age, 7)) AS other" FROM, "n,other\r\n32,\r\n", "all but one value");
}

/* The same comparisons in the clear at the only owner. */
static void test_one_owner(const char *m)
{
#define PEOPLE " FROM bravo.people p "
	one_owner = true;
	expect(m, "SELECT COUNT(*) AS n" PEOPLE, "SELECT COUNT(*) AS n" PEOPLE "WHERE p.age <> 7", ENT_EDENIED, NULL, "one owner: all but one");
	expect(m, "SELECT COUNT(*) AS n" PEOPLE, "SELECT COUNT(*) AS n" PEOPLE "WHERE p.age < 35", 0, "n\r\n35\r\n", "one owner: all but five");
	expect(m, "SELECT COUNT(*) FILTER (WHERE p.age < 20) AS n" PEOPLE, "SELECT COUNT(*) AS n" PEOPLE "WHERE p.age < 19", ENT_EDENIED, NULL,
	       "one owner: a condition that comes close");
	expect(m, "SELECT p.town, COUNT(*) AS n" PEOPLE "GROUP BY 1", "SELECT p.town, COUNT(*) AS n" PEOPLE "WHERE p.age > 4 GROUP BY 1 ORDER BY 1",
	       0, "town,n\r\nOslo,15\r\n", "one owner: cells that did not change");
	expect(m, "SELECT p.town, COUNT(*) AS n" PEOPLE "GROUP BY 1",
	       "SELECT CASE WHEN p.age < 5 THEN 1 WHEN p.age < 7 THEN 2 WHEN p.age < 14 THEN 3 WHEN p.age < 17 THEN 4 ELSE 5 END AS c, "
	       "COUNT(*) AS n" PEOPLE "GROUP BY 1 ORDER BY 1",
	       ENT_EDENIED, NULL, "one owner: another GROUP BY that hides groups");
	alone(m,
	      "SELECT COUNT(*) FILTER (WHERE p.age < 20) AS a, COUNT(*) FILTER (WHERE p.age < 18) AS b, COUNT(*) FILTER (WHERE p.age < 10) AS "
	      "c" PEOPLE,
	      "a,b,c\r\n20,,10\r\n", "one owner: two conditions two people apart");
	one_owner = false;
}

/* A party without a record of a question that ended badly showed nothing of it; the requester is not believed. */
static void test_records(const char *m)
{
	const char *all = "SELECT COUNT(*) AS n" FROM, *second = "SELECT COUNT(*) AS n" FROM "WHERE p.age <> 7";
	lacks = 7;
	expect(m, all, second, 0, "n\r\n39\r\n", "nobody has a record");
	lacks = 4;
	expect(m, all, second, 0, "n\r\n39\r\n", "one party but the requester has none: nothing was shown");
	lacks = 1;
	expect(m, all, second, ENT_EDENIED, NULL, "only the requester has none");
	lacks = 0;
}

/* Every party keeps its record before any output leaves anybody. */
static void test_kept(const char *m)
{
	static const char *const fails[] = { "alpha", "bravo", "carol" }, *const asks[] = { "alpha", "delta" };
	for (size_t i = 0; i < 6; i++) {
		struct jk k;
		struct ent_err err = ENT_ERR_INIT;
		struct ent_buf out = ENT_BUF(1 << 16);
		world(&k, m);
		k.keep_fails = fails[i % 3];
		k.requester = asks[i / 3];
		k.limits[0].is_protected = i > 2;
		OK_INT(jk_query(&k, "SELECT COUNT(*) AS n" FROM, &out, &err), ENT_ENOSPACE, "%s asks and %s cannot keep its record", k.requester,
		       k.keep_fails);
		OK_INT(k.output, 0, "nobody's output left");
		if (i < 3)
			OK(!(k.kept & 6) || (k.kept & 1), "the others kept theirs after the requester only");
		ent_buf_deinit(&out);
		jk_close(&k);
	}
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	const char *m = argv[1];
	expect(m, "SELECT COUNT(*) AS n" FROM, "SELECT COUNT(*) AS n" FROM "WHERE p.age <> 7", ENT_EDENIED, NULL, "all but one person");
	expect(m, "SELECT COUNT(*) AS n" FROM, "SELECT COUNT(*) AS n" FROM "WHERE p.age < 36", ENT_EDENIED, NULL, "all but four");
	expect(m, "SELECT COUNT(*) AS n" FROM, "SELECT COUNT(*) AS n" FROM "WHERE p.age < 35", 0, "n\r\n35\r\n", "all but five");
	expect(m, "SELECT COUNT(*) AS n" FROM "WHERE p.age < 35", "SELECT COUNT(*) AS n" FROM, 0, "n\r\n40\r\n", "five more");
	expect(m, "SELECT COUNT(*) AS n" FROM, "SELECT COUNT(*) AS n, SUM(v.cost) AS s" FROM, 0, "n,s\r\n40,40\r\n", "the same selection");
	expect(m, "SELECT p.town, COUNT(*) AS n" FROM "GROUP BY 1",
	       "SELECT p.town, COUNT(*) AS n" FROM "WHERE p.age <> 3 AND p.age < 35 GROUP BY 1 ORDER BY 1", 0, "town,n\r\n",
	       "Oslo but one, Rome as before, and three without town");
	expect(m, "SELECT p.town, p.age < 20 AS young, COUNT(*) AS n" FROM "GROUP BY 1, 2",
	       "SELECT p.age < 20 AS young, p.town, COUNT(*) AS n" FROM "WHERE p.age <> 3 AND p.age < 35 GROUP BY 1, 2 ORDER BY 1", 0,
	       "young,town,n\r\n", "the same GROUP BY written in another order");
	expect(m, "SELECT p.town, COUNT(*) AS n" FROM "GROUP BY 1", "SELECT p.town, COUNT(*) AS n" FROM "WHERE p.age > 4 GROUP BY 1 ORDER BY 1", 0,
	       "town,n\r\nOslo,15\r\n", "cells that did not change under another selection differ by zero rows");
	expect(m, "SELECT p.town, COUNT(*) AS n" FROM "GROUP BY 1", "SELECT COUNT(*) AS n" FROM, 0, "n\r\n40\r\n",
	       "the same selection without GROUP BY");
	expect(m, "SELECT p.town, COUNT(*) AS n" FROM "GROUP BY 1", "SELECT p.age < 20 AS young, COUNT(*) AS n" FROM "GROUP BY 1 ORDER BY 1", 0,
	       "young,n\r\nfalse,20\r\ntrue,20\r\n", "another GROUP BY when neither hides a group");
	expect(m, "SELECT p.town, COUNT(*) AS n" FROM "GROUP BY 1", "SELECT p.age < 3 AS young, COUNT(*) AS n" FROM "GROUP BY 1 ORDER BY 1", 0,
	       "young,n\r\n", "nothing released, nothing told");
	expect(m, "SELECT p.town, COUNT(*) AS n" FROM "GROUP BY 1",
	       "SELECT CASE WHEN p.age < 5 THEN 1 WHEN p.age < 7 THEN 2 WHEN p.age < 14 THEN 3 WHEN p.age < 17 THEN 4 ELSE 5 END AS c, "
	       "COUNT(*) AS n" FROM "GROUP BY 1 ORDER BY 1",
	       ENT_EDENIED, NULL, "another GROUP BY that hides groups");
	test_filtered(m);
	test_decided(m);
	test_one_owner(m);
	test_records(m);
	test_kept(m);
	return tap_done();
}
