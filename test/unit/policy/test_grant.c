/* Grants: every use and condition parsed, printed and hashed the same; every malformed text refused with its place. */
#include "policy/grant.h"
#include "random.h"
#include "tap.h"

static struct ent_column COLUMNS[] = { { "person", .type = { .id = ENT_T_TEXT }, .distinct_padded = 9000 },
				       { "notes", .type = { .id = ENT_T_TEXT } },
				       { "visit_day", .type = { .id = ENT_T_DATE } },
				       { "Odd Name", .type = { .id = ENT_T_INT32 } },
				       { "cost", .type = { .id = ENT_T_INT32 } } };
static const uint16_t KEY[] = { 0 };
static const struct ent_unique KEYS[] = { { KEY, 1 } };
static struct ent_table VISITS = { "north", "visits", COLUMNS, 5, KEYS, 1, 10240, 1, { 0 } };

static int find(void *self, const char *name, const struct ent_table **ret, struct ent_err *err)
{
	(void)self;
	if (strcmp(name, "visits") != 0)
		return ent_fail(err, ENT_ENOTFOUND, "no table %s", name);
	*ret = &VISITS;
	return 0;
}
static const struct ent_grant_tables TABLES = { find, NULL, "north" };
static const struct ent_grant_tables FREE = { NULL, NULL, "north" };

static int parse(struct ent_arena *a, const char *text, const struct ent_grant_tables *t, struct ent_statement **ret, size_t *n, struct ent_err *err)
{
	return ent_grant_parse(a, ent_bytes_str(text), t, ret, n, err);
}

/* text in, canonical JSON and printed text out; printed text parses to the same JSON, JSON to the same grant. */
static void check_golden(const char *text, const char *printed, const char *json)
{
	struct ent_arena *a = ent_arena_new(1 << 20);
	struct ent_err err = ENT_ERR_INIT;
	struct ent_statement *s = NULL;
	size_t n = 0;
	OK_INT(parse(a, text, &FREE, &s, &n, &err), 0, "%.60s", text);
	if (n == 1) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 16), canon = ENT_BUF(1 << 16), again = ENT_BUF(1 << 16);
		ENT_JSON_AUTO v = NULL;
		ENT_JSON_AUTO w = NULL;
		struct ent_grant back;
		struct ent_statement *s2 = NULL;
		ent_grant_print(&s[0].grant, &out);
		OK_STR(ent_buf_text(&out), printed, "printed: %.60s", text);
		OK_INT(ent_grant_json(&s[0].grant, &v, &err), 0, "json");
		OK_INT(ent_json_canonical(v, &canon, &err), 0, "canonical");
		OK_STR(ent_buf_text(&canon), json, "canonical: %.60s", text);
		OK_INT(ent_grant_from_json(a, v, &back, &err), 0, "from json");
		ent_buf_reset(&out);
		ent_grant_print(&back, &out);
		OK_STR(ent_buf_text(&out), printed, "json means the same");
		OK_INT(parse(a, printed, &FREE, &s2, &n, &err), 0, "parses back");
		OK_INT(ent_grant_json(&s2[0].grant, &w, &err), 0, "json again");
		OK_INT(ent_json_canonical(w, &again, &err), 0, "canonical again");
		OK_STR(ent_buf_text(&again), json, "same canonical form");
	}
	ent_arena_free(a);
}

static void test_goldens(void)
{
	check_golden("GRANT JOIN ON flights(tailnum, origin, time_hour) TO ANY WITH OWN VALUES;",
		     "GRANT JOIN ON flights(origin, tailnum, time_hour) TO ANY WITH OWN VALUES;",
		     "{\"approvals\":0,\"columns\":[\"origin\",\"tailnum\",\"time_hour\"],\"effect\":\"grant\",\"for\":[],\"leak\":\"none\",\"min_"
		     "group\":10,"
		     "\"own_values\":true,\"table\":\"flights\",\"to\":[],\"until\":\"\",\"uses\":[\"join\"],\"uses_max\":0}");
	check_golden("grant aggregate(AVG, count) on north.flights(Dep_Delay) to any\n FOR research, safety MIN GROUP 20 UNTIL 2027-06-30 -- why\n "
		     "LEAK sizes",
		     "GRANT AGGREGATE(count, avg) ON flights(dep_delay) TO ANY FOR research, safety MIN GROUP 20 UNTIL 2027-06-30 LEAK sizes;",
		     "{\"approvals\":0,\"columns\":[\"dep_delay\"],\"effect\":\"grant\",\"for\":[\"research\",\"safety\"],\"leak\":\"sizes\",\"min_"
		     "group\":20,"
		     "\"own_values\":false,\"table\":\"flights\",\"to\":[],\"until\":\"2027-06-30\",\"uses\":[\"aggregate.count\",\"aggregate.avg\"],"
		     "\"uses_max\":0}");
	check_golden("GRANT TRAIN ON patients(age, bmi, outcome) TO north2 REQUIRE APPROVAL OF 2 USES 5 LEAK match-pattern;",
		     "GRANT TRAIN ON patients(age, bmi, outcome) TO north2 USES 5 LEAK match-pattern REQUIRE APPROVAL OF 2;",
		     "{\"approvals\":2,\"columns\":[\"age\",\"bmi\",\"outcome\"],\"effect\":\"grant\",\"for\":[],\"leak\":\"match-pattern\",\"min_"
		     "group\":10,"
		     "\"own_values\":false,\"table\":\"patients\",\"to\":[\"north2\"],\"until\":\"\",\"uses\":[\"train\"],\"uses_max\":5}");
	check_golden(
		"GRANT GROUP, FILTER ON planes(\"Odd \"\"Name\", manufacturer) TO skywatch, hudson, hudson REQUIRE APPROVAL;",
		"GRANT FILTER, GROUP ON planes(\"Odd \"\"Name\", manufacturer) TO hudson, skywatch REQUIRE APPROVAL;",
		"{\"approvals\":1,\"columns\":[\"Odd \\\"Name\",\"manufacturer\"],\"effect\":\"grant\",\"for\":[],\"leak\":\"none\",\"min_group\":10,"
		"\"own_values\":false,\"table\":\"planes\",\"to\":[\"hudson\",\"skywatch\"],\"until\":\"\",\"uses\":[\"filter\",\"group\"],\"uses_"
		"max\":0}");
	check_golden(
		"DENY ALL ON users(password);", "DENY ALL ON users(password);",
		"{\"approvals\":0,\"columns\":[\"password\"],\"effect\":\"deny\",\"for\":[],\"leak\":\"none\",\"min_group\":10,\"own_values\":false,"
		"\"table\":\"users\",\"to\":[],\"until\":\"\",\"uses\":[\"select\",\"join\",\"filter\",\"group\",\"aggregate.count\",\"aggregate."
		"sum\","
		"\"aggregate.avg\",\"aggregate.min\",\"aggregate.max\",\"aggregate.mixed\",\"train\",\"copy\"],\"uses_max\":0}");
	check_golden("DENY SELECT ON users(name) TO hudson FOR marketing UNTIL 2030-01-01",
		     "DENY SELECT ON users(name) TO hudson FOR marketing UNTIL 2030-01-01;",
		     "{\"approvals\":0,\"columns\":[\"name\"],\"effect\":\"deny\",\"for\":[\"marketing\"],\"leak\":\"none\",\"min_group\":10,\"own_"
		     "values\":false,"
		     "\"table\":\"users\",\"to\":[\"hudson\"],\"until\":\"2030-01-01\",\"uses\":[\"select\"],\"uses_max\":0}");
}

static const struct {
	const char *text, *what;
	int code;
} BAD[] = {
	{ "", "line 1, letter 1: expected GRANT, DENY or REVOKE", ENT_EUSAGE },
	{ ";", "expected GRANT, DENY or REVOKE", ENT_EUSAGE },
	{ "GRANT", "expected a use", ENT_EUSAGE },
	{ "GRANT ALL ON t(a) TO ANY", "expected a use", ENT_EUSAGE },
	{ "GRANT LOOK ON t(a) TO ANY", "expected a use", ENT_EUSAGE },
	{ "GRANT AGGREGATE ON t(a) TO ANY", "expected '('", ENT_EUSAGE },
	{ "GRANT AGGREGATE() ON t(a) TO ANY", "expected an aggregate", ENT_EUSAGE },
	{ "GRANT AGGREGATE(median) ON t(a) TO ANY", "expected an aggregate", ENT_EUSAGE },
	{ "GRANT JOIN t(a) TO ANY", "expected ON and a table", ENT_EUSAGE },
	{ "GRANT JOIN ON t TO ANY", "expected '('", ENT_EUSAGE },
	{ "GRANT JOIN ON t() TO ANY", "expected a column", ENT_EUSAGE },
	{ "GRANT JOIN ON t(a,) TO ANY", "expected a column", ENT_EUSAGE },
	{ "GRANT JOIN ON t(a", "expected ')'", ENT_EUSAGE },
	{ "GRANT JOIN ON t(a)", "expected TO and who", ENT_EUSAGE },
	{ "GRANT JOIN ON t(a) WITH OWN VALUES TO ANY", "expected TO and who", ENT_EUSAGE },
	{ "GRANT JOIN ON t(a) TO", "expected ANY or organisations", ENT_EUSAGE },
	{ "GRANT JOIN ON t(a) TO \"Bad Org\"", "is not the name of an organisation", ENT_EUSAGE },
	{ "GRANT JOIN ON t(a) TO ANY TO ANY", "expected each condition once", ENT_EUSAGE },
	{ "GRANT JOIN ON t(a) TO ANY MIN GROUP 2", "expected a group size of 3 or more", ENT_EUSAGE },
	{ "GRANT JOIN ON t(a) TO ANY MIN GROUP 99999999999999999999", "expected a group size", ENT_EUSAGE },
	{ "GRANT JOIN ON t(a) TO ANY MIN 5", "expected GROUP after MIN", ENT_EUSAGE },
	{ "GRANT JOIN ON t(a) TO ANY UNTIL 2027-02-29", "expected a date", ENT_EUSAGE },
	{ "GRANT JOIN ON t(a) TO ANY UNTIL tomorrow", "expected a date", ENT_EUSAGE },
	{ "GRANT JOIN ON t(a) TO ANY USES 0", "expected how many uses", ENT_EUSAGE },
	{ "GRANT JOIN ON t(a) TO ANY LEAK all", "expected none, sizes or match-pattern", ENT_EUSAGE },
	{ "GRANT JOIN ON t(a) TO ANY REQUIRE APPROVAL OF 0", "expected how many organisations", ENT_EUSAGE },
	{ "GRANT JOIN ON t(a) TO ANY NOISE 1", "NOISE and BUDGET", ENT_EUNSUPPORTED },
	{ "GRANT GROUP ON t(a) TO ANY WITH OWN VALUES", "expected WITH OWN VALUES on a JOIN", ENT_EUSAGE },
	{ "GRANT JOIN ON t(a) TO ANY WITH VALUES", "expected OWN VALUES", ENT_EUSAGE },
	{ "GRANT JOIN ON t(a) TO ANY PLEASE", "expected TO, FOR", ENT_EUSAGE },
	{ "GRANT JOIN ON t(a) TO ANY; GRANT", "line 1, letter 33", ENT_EUSAGE },
	{ "GRANT JOIN ON t(a) TO ANY\n; GRANT LOOK", "line 2, letter 9", ENT_EUSAGE },
	{ "DENY JOIN ON t(a) MIN GROUP 5", "expected TO, FOR, UNTIL or ';' after DENY", ENT_EUSAGE },
	{ "GRANT JOIN ON other.t(a) TO ANY", "another organisation's table", ENT_EUSAGE },
	{ "GRANT JOIN ON t(*) TO ANY", "'*' needs a registered table", ENT_EUSAGE },
	{ "GRANT JOIN ON t(\"a) TO ANY", "expected a name between double quotes", ENT_EUSAGE },
	{ "GRANT JOIN ON t(\"\") TO ANY", "expected a name between double quotes", ENT_EUSAGE },
	{ "GRANT JOIN ON t(a) TO ANY @", "expected a name, a number", ENT_EUSAGE },
	{ "REVOKE", "expected the number", ENT_EUSAGE },
	{ "REVOKE -1", "expected a name, a number", ENT_EUSAGE },
	{ "REVOKE 7 8", "expected ';'", ENT_EUSAGE },
};

static void test_bad(void)
{
	for (size_t i = 0; i < ENT_COUNT(BAD); i++) {
		struct ent_arena *a = ent_arena_new(1 << 20);
		struct ent_err err = ENT_ERR_INIT;
		struct ent_statement *s;
		size_t n;
		OK_INT(parse(a, BAD[i].text, &FREE, &s, &n, &err), BAD[i].code, "refused: %s", BAD[i].text);
		OK(strstr(err.what, BAD[i].what), "says so: %s", err.what);
		ent_arena_free(a);
	}
}

static void test_star(void)
{
	struct ent_arena *a = ent_arena_new(1 << 20);
	struct ent_err err = ENT_ERR_INIT;
	struct ent_statement *s = NULL;
	size_t n = 0;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(4096);
	OK_INT(parse(a, "GRANT FILTER ON visits(* EXCEPT (person, notes)) TO ANY; REVOKE 7;", &TABLES, &s, &n, &err), 0, "star");
	OK_INT(n, 2, "two statements");
	ent_grant_print(&s[0].grant, &out);
	OK_STR(ent_buf_text(&out), "GRANT FILTER ON visits(\"Odd Name\", cost, visit_day) TO ANY;", "expanded when written");
	OK(s[1].kind == ENT_STATEMENT_REVOKE && s[1].revoke == 7, "revoke 7");
	OK(ent_grant_has_column(&s[0].grant, "cost") && ent_grant_has_column(&s[0].grant, "Odd Name") && !ent_grant_has_column(&s[0].grant, "notes"),
	   "columns found");
	OK_INT(parse(a, "GRANT FILTER ON visits(* EXCEPT (persom)) TO ANY", &TABLES, &s, &n, &err), ENT_ENOTFOUND, "a slip");
	OK_STR(err.next, "did you mean person?", "nearest name");
	OK_INT(parse(a, "GRANT FILTER ON visits(cst) TO ANY", &TABLES, &s, &n, &err), ENT_ENOTFOUND, "unknown column");
	OK_STR(err.next, "did you mean cost?", "nearest column");
	OK_INT(parse(a, "GRANT FILTER ON visit(cost) TO ANY", &TABLES, &s, &n, &err), ENT_ENOTFOUND, "unknown table");
	OK_INT(parse(a, "GRANT FILTER ON visits(* EXCEPT (\"Odd Name\", cost, person, notes, visit_day)) TO ANY", &TABLES, &s, &n, &err), ENT_EUSAGE,
	       "nothing left");
	ent_arena_free(a);
}

static void test_json_bad(void)
{
	static const char *const TEXTS[] = { "[]",
					     "{}",
					     "{\"table\":\"t\",\"columns\":[\"a\"],\"uses\":[]}",
					     "{\"table\":\"t\",\"columns\":[],\"uses\":[\"join\"]}",
					     "{\"table\":\"t\",\"columns\":[1],\"uses\":[\"join\"]}",
					     "{\"table\":\"t\",\"columns\":[\"a\"],\"uses\":[\"look\"]}",
					     "{\"table\":\"t\",\"columns\":[\"a\"],\"uses\":[\"join\"],\"min_group\":2}",
					     "{\"table\":\"t\",\"columns\":[\"a\"],\"uses\":[\"join\"],\"until\":\"2027-13-01\"}",
					     "{\"table\":\"t\",\"columns\":[\"a\"],\"uses\":[\"join\"],\"leak\":\"much\"}",
					     "{\"table\":\"t\",\"columns\":[\"a\"],\"uses\":[\"group\"],\"own_values\":true}",
					     "{\"table\":\"t\",\"columns\":[\"a\"],\"uses\":[\"group\"],\"effect\":\"deny\",\"approvals\":1}",
					     "{\"table\":\"t\",\"columns\":[\"a\"],\"uses\":[\"group\"],\"extra\":1}",
					     "{\"table\":\"\",\"columns\":[\"a\"],\"uses\":[\"group\"]}",
					     "{\"table\":\"t\",\"columns\":[\"a\"],\"uses\":[\"group\"],\"to\":[\"Bad Org\"]}",
					     "{\"table\":\"t\",\"columns\":[\"a\"],\"uses\":[\"group\"],\"effect\":\"maybe\"}" };
	for (size_t i = 0; i < ENT_COUNT(TEXTS); i++) {
		struct ent_arena *a = ent_arena_new(1 << 16);
		ENT_JSON_AUTO v = NULL;
		struct ent_grant g;
		OK_INT(ent_json_parse(ent_bytes_str(TEXTS[i]), 4096, &v, NULL), 0, "is JSON");
		OK_INT(ent_grant_from_json(a, v, &g, NULL), ENT_EDATA, "refused: %s", TEXTS[i]);
		ent_arena_free(a);
	}
}

static const char *warned(const char *text, struct ent_buf *out)
{
	struct ent_arena *a = ent_arena_new(1 << 20);
	struct ent_statement *s;
	size_t n;
	ent_buf_reset(out);
	if (!parse(a, text, &TABLES, &s, &n, NULL)) {
		struct ent_grant_entry e[4] = { 0 };
		for (size_t i = 0; i < n && i < 4; i++)
			e[i] = (struct ent_grant_entry){ i + 4, &s[i].grant };
		ent_grants_check(e, n, &TABLES, out);
	}
	ent_arena_free(a);
	return ent_buf_text(out);
}

static void test_warn(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 16);
	OK_STR(warned("GRANT AGGREGATE(min) ON visits(cost) TO ANY", &out), "4: min/max shows single values of visits.cost\n", "min");
	OK_STR(warned("GRANT AGGREGATE(avg) ON visits(cost) TO ANY", &out),
	       "4: avg opens the sum and the count of the non-NULL values of visits.cost\n", "avg says what it opens");
	OK(strstr(warned("GRANT JOIN ON visits(person) TO ANY WITH OWN VALUES", &out), "the requester can learn which of his rows match"),
	   "own values");
	OK(strstr(warned("GRANT GROUP ON visits(person) TO ANY", &out), "names single rows"), "group on a key");
	VISITS.n_keys = 0;
	OK_STR(warned("GRANT GROUP ON visits(person) TO ANY", &out), "4: GROUP on a column with 9000 values (visits.person): about 89 % suppressed\n",
	       "many labels");
	VISITS.n_keys = 1;
	OK(strstr(warned("GRANT SELECT ON visits(cost) TO ANY MIN GROUP 3", &out), "MIN GROUP 3: whoever knows 2"), "small k");
	OK(strstr(warned("GRANT FILTER ON visits(cost) TO ANY; DENY FILTER ON visits(cost)", &out), "4: denied by 5"), "deny");
	OK(strstr(warned("GRANT JOIN ON visits(cost) TO ANY WITH OWN VALUES; GRANT JOIN ON visits(cost) TO ANY", &out),
		  "4 and 5: OWN VALUES holds only"),
	   "own values lost");
	OK_STR(warned("GRANT FILTER ON visits(cost) TO ANY", &out), "", "nothing to say");
	OK_STR(warned("DENY ALL ON visits(cost)", &out), "", "a DENY gives nothing away");
}

static void test_days(void)
{
	char text[16];
	int32_t day, failures = 0;
	OK(ent_day_parse("1970-01-01", 10, &day) && day == 0, "epoch");
	OK(ent_day_parse("2000-02-29", 10, &day) && day == 11016, "leap day");
	OK(!ent_day_parse("1900-02-29", 10, &day) && !ent_day_parse("2027-6-30", 9, &day) && !ent_day_parse("0000-01-01", 10, &day), "no such day");
	for (int32_t d = -200000; d < 400000; d += 37) {
		int32_t back = 0;
		ent_day_text(d, text);
		failures += !ent_day_parse(text, 10, &back) || back != d;
	}
	OK_INT(failures, 0, "every day there and back");
}

/* Random cuts and splices of good texts: parsed or refused, and what parses prints to something that parses to the same. */
static void test_random(unsigned seed)
{
	static const char *const PIECES[] = { "GRANT ",
					      "JOIN ",
					      "AGGREGATE(",
					      "avg",
					      ",",
					      ")",
					      " ON ",
					      "t",
					      "(",
					      "a",
					      "\"q\"\"\"",
					      " TO ANY",
					      " FOR x",
					      " MIN GROUP 7",
					      " UNTIL 2027-06-30",
					      " USES 3",
					      " LEAK sizes",
					      " REQUIRE APPROVAL OF 2",
					      " WITH OWN VALUES",
					      ";",
					      "DENY ALL",
					      "REVOKE 7",
					      "--",
					      "\n",
					      "*",
					      " EXCEPT (" };
	int mismatches = 0, parsed = 0;
	random_state = seed;
	for (int round = 0; round < 20000; round++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(4096);
		struct ent_arena *a = ent_arena_new(1 << 20);
		struct ent_statement *s, *s2;
		size_t n, n2;
		ent_buf_put(&text, "GRANT JOIN ON t(a) TO ANY", random_below(26));
		for (size_t i = random_below(12); i > 0; i--)
			ent_buf_str(&text, PIECES[random_below(ENT_COUNT(PIECES))]);
		if (!parse(a, ent_buf_text(&text), &FREE, &s, &n, NULL) && s[0].kind == ENT_STATEMENT_GRANT) {
			ENT_CLEANUP(ent_buf_deinit) struct ent_buf one = ENT_BUF(4096), two = ENT_BUF(4096);
			ent_grant_print(&s[0].grant, &one);
			bool ok = !parse(a, ent_buf_text(&one), &FREE, &s2, &n2, NULL) && n2 == 1;
			if (ok)
				ent_grant_print(&s2[0].grant, &two);
			mismatches += !ok || strcmp(ent_buf_text(&one), ent_buf_text(&two)) != 0;
			parsed++;
		}
		ent_arena_free(a);
	}
	OK(parsed > 200, "seed %u: %d texts parsed", seed, parsed);
	OK_INT(mismatches, 0, "seed %u: printing and parsing agree", seed);
}

int main(void)
{
	test_goldens();
	test_bad();
	test_star();
	test_json_bad();
	test_warn();
	test_days();
	test_random(20261121);
	return tap_done();
}
