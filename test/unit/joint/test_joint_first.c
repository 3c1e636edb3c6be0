/* Two owners, one PK-FK join, COUNT and SUM with minimum groups, three parties as threads.
 * Planted bug that this finds: hash_key_known, anti_free. */
#include "joint_kit.h"
#include "tap.h"

static const struct ent_column visit_columns[] = {
	{ .name = "person", .type = { .id = ENT_T_INT32 }, .bound_bits = 15 },
	{ .name = "cost", .type = { .id = ENT_T_INT32 }, .nullable = true, .bound_bits = 15 },
};
static const struct ent_column people_columns[] = {
	{ .name = "id", .type = { .id = ENT_T_INT32 }, .bound_bits = 15 },
	{ .name = "town", .type = { .id = ENT_T_TEXT }, .nullable = true, .distinct_padded = 4 },
};
static const uint16_t first[] = { 0 };
static const struct ent_unique key = { first, 1 };

static void tables(struct jk *k, struct ent_err *err)
{
	struct ent_table visits = { .org = "alpha", .name = "visits", .columns = visit_columns, .n_columns = 2, .rows_padded = 60 };
	struct ent_table people = {
		.org = "bravo", .name = "people", .columns = people_columns, .n_columns = 2, .keys = &key, .n_keys = 1, .rows_padded = 40
	};
	OK_INT(jk_table(k, visits, 3, false,
			"SELECT CAST(i % 33 AS INTEGER) AS person, CAST(CASE WHEN i % 7 = 0 THEN NULL ELSE i * 3 END AS INTEGER) AS cost FROM "
			"range(60) t(i)",
			err),
	       0, "%s %s", err->what, err->why);
	OK_INT(jk_table(k, people, 3, true,
			"SELECT CAST(i AS INTEGER) AS id, CASE WHEN i < 20 THEN 'Oslo' WHEN i < 28 THEN 'Rome' WHEN i < 30 THEN 'Bern' ELSE NULL END "
			"AS town FROM range(40) t(i)",
			err),
	       0, "%s %s", err->what, err->why);
}

/* Each of 17 people has one visit that fits ON and one that does not: whichever of the two rows comes last, the person counts. */
static void outer_join(struct jk *k, struct ent_err *err)
{
	struct ent_buf out = ENT_BUF(1 << 20);
	k->limits[1].k = 17;
	OK_INT(jk_query(k, "SELECT COUNT(COALESCE(v.cost, 0)) AS n FROM alpha.visits v LEFT JOIN bravo.people p ON v.person = p.id AND v.cost < 60",
			&out, err),
	       0, "%s %s", err->what, err->why);
	OK_STR(ent_buf_text(&out), "n\r\n60\r\n", "LEFT JOIN with a condition: distinct rows whatever the order");
	ent_buf_deinit(&out);
}

/* Rule 5: whom the protected table does not know is counted, when it knows k others of the same question and k rows or none are unknown. */
static void anti_join(struct jk *k, struct ent_err *err)
{
	static const struct {
		unsigned known, k;
		const char *answer, *why;
	} cases[] = {
		{ 20, 17, "n\r\n20\r\n", "20 people known, 20 visits of unknown people" },
		{ 5, 6, "n\r\n", "fewer than k people known" },
		{ 31, 3, "n\r\n", "fewer than k visits unknown" },
		{ 33, 3, "n\r\n0\r\n", "none unknown" },
	};
	for (size_t i = 0; i < ENT_COUNT(cases); i++) {
		struct ent_buf out = ENT_BUF(1 << 20);
		char sql[300];
		snprintf(sql, sizeof sql,
			 "SELECT COUNT(*) AS n FROM alpha.visits v LEFT JOIN bravo.people p ON v.person = p.id AND p.id < %u WHERE p.id IS NULL",
			 cases[i].known);
		k->limits[1].k = cases[i].k;
		OK_INT(jk_query(k, sql, &out, err), 0, "%s %s", err->what, err->why);
		OK_STR(ent_buf_text(&out), cases[i].answer, "anti-join: %s", cases[i].why);
		for (int c = 0; c < 3; c++)
			OK_INT(k->stats[c].bytes_sent, k->stats[c].bytes_predicted, "party %d: bytes as predicted", c);
		ent_buf_deinit(&out);
	}
	k->limits[1].k = 3;
}

/* Texts of two owners meet as hashes under a key that these two alone know. */
static void text_join(struct jk *k, struct ent_err *err)
{
	static const struct ent_column names[] = { { .name = "name", .type = { .id = ENT_T_TEXT } } };
	struct ent_table said = { .org = "alpha", .name = "said", .columns = names, .n_columns = 1, .rows_padded = 40 };
	struct ent_table known = { .org = "bravo", .name = "known", .columns = names, .n_columns = 1, .keys = &key, .n_keys = 1, .rows_padded = 40 };
	struct ent_buf out = ENT_BUF(1 << 20);
	OK_INT(jk_table(k, said, 3, false, "SELECT 'n' || (i % 20) AS name FROM range(40) t(i)", err), 0, "%s", err->what);
	OK_INT(jk_table(k, known, 3, true, "SELECT 'n' || i AS name FROM range(40) t(i)", err), 0, "%s", err->what);
	OK_INT(jk_query(k, "SELECT COUNT(*) AS n FROM alpha.said s JOIN bravo.known b ON s.name = b.name", &out, err), 0, "%s %s", err->what,
	       err->why);
	OK_STR(ent_buf_text(&out), "n\r\n40\r\n", "equal texts meet");
	OK_INT(k->keyed, 3, "the owners agreed about a key, the third party was not told");
	ent_buf_deinit(&out);
}

int main(int argc, char **argv)
{
	struct jk k = { .trio = { "alpha", "bravo", "carol" }, .requester = "alpha" }, none = { 0 };
	struct ent_err err = ENT_ERR_INIT;
	struct ent_buf out = ENT_BUF(1 << 20), want = ENT_BUF(1 << 20);
	k.verbose = argc > 2;
	OK_INT(jk_open(&none, "./no-such-module.so", NULL), ENT_ENOTFOUND, "a module that is not there");
	jk_close(&none);
	OK_INT(jk_open(&k, argv[1], &err), 0, "%s", err.what);
	tables(&k, &err);
	OK_INT(jk_query(&k,
			"SELECT p.town, COUNT(*) AS n, SUM(v.cost) AS total FROM alpha.visits v JOIN bravo.people p ON v.person = p.id GROUP BY "
			"p.town ORDER BY 1",
			&out, &err),
	       0, "%s %s", err.what, err.why);
	OK_INT(jk_oracle(&k,
			 "SELECT p.town, COUNT(*) AS n, SUM(v.cost) AS total FROM alpha_visits v JOIN bravo_people p ON v.person = p.id GROUP BY "
			 "p.town HAVING COUNT(DISTINCT p.id) >= 3 AND p.town IS NOT NULL ORDER BY 1",
			 &want, &err),
	       0, "%s", err.what);
	OK_STR(ent_buf_text(&out), ent_buf_text(&want),
	       "the pooled answer; two people of Bern are too few, and the group without town (three visits) goes with them");
	for (int i = 0; i < 3; i++) {
		OK_INT(k.stats[i].bytes_sent, k.stats[i].bytes_predicted, "party %d: bytes as predicted", i);
		OK_INT(k.stats[i].rounds, k.stats[i].rounds_predicted, "party %d: rounds as predicted", i);
	}
	OK_INT(k.keyed, 0, "no texts, no key");
	anti_join(&k, &err);
	text_join(&k, &err);
	outer_join(&k, &err);
	ent_buf_deinit(&out);
	ent_buf_deinit(&want);
	jk_close(&k);
	return tap_done();
}
