/* Subqueries in FROM: plain ones fold into the owner's part, aggregated ones run at their owner and hold their groups to k. */
#include "joint_kit.h"
#include "tap.h"

static const struct ent_column visit_columns[] = {
	{ .name = "person", .type = { .id = ENT_T_INT32 }, .nullable = true, .bound_bits = 7 },
	{ .name = "cost", .type = { .id = ENT_T_INT32 }, .nullable = true, .bound_bits = 15 },
};
static const struct ent_column people_columns[] = {
	{ .name = "id", .type = { .id = ENT_T_INT32 }, .bound_bits = 7 },
	{ .name = "town", .type = { .id = ENT_T_TEXT }, .distinct_padded = 4 },
};
static const uint16_t first[] = { 0 };
static const struct ent_unique key = { first, 1 };

static void same(const char *module, bool is_protected, const char *joint, const char *pooled)
{
	struct jk k = { .trio = { "alpha", "bravo", "carol" }, .requester = "bravo" };
	struct ent_table visits = { .org = "alpha", .name = "visits", .columns = visit_columns, .n_columns = 2, .rows_padded = 80 };
	struct ent_table people = {
		.org = "bravo", .name = "people", .columns = people_columns, .n_columns = 2, .keys = &key, .n_keys = 1, .rows_padded = 30
	};
	struct ent_buf got = ENT_BUF(1 << 16), want = ENT_BUF(1 << 16);
	struct ent_err err = ENT_ERR_INIT;
	int code = jk_open(&k, module, &err);
	/* person i has 1 + i % 4 visits, some without cost */
	code = code ? code
		    : jk_table(&k, visits, 3, is_protected,
			       "SELECT CAST(i AS INTEGER) AS person, CAST(CASE WHEN (i + j) % 5 > 0 THEN 10 * i + j END AS INTEGER) AS cost FROM "
			       "range(28) t(i), range(4) u(j) "
			       "WHERE j <= i % 4",
			       &err);
	code = code ? code
		    : jk_table(&k, people, 3, false,
			       "SELECT CAST(i AS INTEGER) AS id, CASE WHEN i < 9 THEN 'Oslo' WHEN i < 25 THEN 'Rome' ELSE 'Bern' END AS town FROM "
			       "range(30) t(i)",
			       &err);
	code = code ? code : jk_query(&k, joint, &got, &err);
	OK_INT(code, 0, "%s (%s %s)", joint, err.what, err.why);
	OK_INT(jk_oracle(&k, pooled, &want, &err), 0, "%s", err.what);
	OK_STR(ent_buf_text(&got), ent_buf_text(&want), "equal to the pooled answer");
	ent_buf_deinit(&got);
	ent_buf_deinit(&want);
	jk_close(&k);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	same(argv[1], true,
	     "SELECT p.town, COUNT(*) AS n, SUM(t.total) AS s, SUM(t.visits) AS v FROM (SELECT person, SUM(cost) AS total, COUNT(*) AS visits FROM "
	     "alpha.visits GROUP BY person) t "
	     "JOIN bravo.people p ON t.person = p.id GROUP BY 1 ORDER BY 1",
	     "SELECT p.town, COUNT(*) AS n, SUM(t.total) AS s, SUM(t.visits) AS v FROM (SELECT person, CASE WHEN COUNT(cost) >= 3 THEN SUM(cost) END "
	     "AS total, COUNT(*) AS visits "
	     "FROM alpha_visits GROUP BY person HAVING COUNT(*) >= 3) t JOIN bravo_people p ON t.person = p.id GROUP BY 1 ORDER BY 1");
	same(argv[1], false,
	     "SELECT p.town, COUNT(t.person) AS n, MAX(t.total) AS m FROM bravo.people p LEFT JOIN (SELECT person, SUM(cost) AS total FROM "
	     "alpha.visits GROUP BY person HAVING COUNT(*) > 1) t "
	     "ON p.id = t.person GROUP BY 1 ORDER BY 1",
	     "SELECT p.town, COUNT(t.person) AS n, MAX(t.total) AS m FROM bravo_people p LEFT JOIN (SELECT person, SUM(cost) AS total FROM "
	     "alpha_visits GROUP BY person HAVING COUNT(*) > 1) t "
	     "ON p.id = t.person GROUP BY 1 ORDER BY 1");
	same(argv[1], false,
	     "SELECT p.town, SUM(t.double) AS s FROM (SELECT person, cost * 2 AS double FROM alpha.visits WHERE cost > 20) t JOIN (SELECT id, town "
	     "FROM bravo.people WHERE id < 27) p "
	     "ON t.person = p.id WHERE t.double < 500 GROUP BY 1 ORDER BY 1",
	     "SELECT p.town, SUM(t.double) AS s FROM (SELECT person, cost * 2 AS double FROM alpha_visits WHERE cost > 20) t JOIN (SELECT id, town "
	     "FROM bravo_people WHERE id < 27) p "
	     "ON t.person = p.id WHERE t.double < 500 GROUP BY 1 ORDER BY 1");
	return tap_done();
}
