/* Binding: goldens of the canonical JSON, errors with their advice, equal meanings with equal bytes, hostile text, short memory. */
#include <stdlib.h>

#include "sql/query.h"
#include "sql_catalogue.h"
#include "sql_check.h"
#include "tap.h"

struct golden {
	const char *sql, *json;
};

static const struct golden goldens[] = {
#include "sql_goldens.inc"
};

struct refusal {
	const char *sql;
	int code;
	const char *what, *next; /* parts that must appear */
};

static const struct refusal refusals[] = {
#include "sql_refusals.inc"
};

struct bound {
	struct ent_arena *arena;
	struct ent_query *q;
	struct ent_err err;
	int code;
};

static void bind(struct bound *b, struct ent_bytes sql, size_t arena_bytes)
{
	*b = (struct bound){ .arena = ent_arena_new(arena_bytes), .err = ENT_ERR_INIT };
	b->code = ent_sql_bind(b->arena, sql, &sql_catalogue, NULL, &b->q, &b->err);
}

static void unbind(struct bound *b) { ent_arena_free(b->arena); }

/* Canonical JSON of the statement, or its error; caller frees. */
static char *canonical(const char *sql)
{
	struct bound b;
	ENT_JSON_AUTO j = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 24);
	bind(&b, ent_bytes_str(sql), 64 << 20);
	if (!b.code)
		OK(!sql_broken(b.q), "well-formed: %s", sql);
	if (!b.code)
		b.code = ent_query_json(b.q, &j, &b.err);
	if (!b.code)
		b.code = ent_json_canonical(j, &out, &b.err);
	char *text = ent_strdup(b.code ? b.err.what : ent_buf_text(&out));
	unbind(&b);
	return text;
}

static void test_goldens(void)
{
	for (size_t i = 0; i < ENT_COUNT(goldens); i++) {
		char *json = canonical(goldens[i].sql);
		OK_STR(json, goldens[i].json, "%s", goldens[i].sql);
		free(json);
	}
}

static void test_refusals(void)
{
	for (size_t i = 0; i < ENT_COUNT(refusals); i++) {
		const struct refusal *r = &refusals[i];
		struct bound b;
		bind(&b, ent_bytes_str(r->sql), 64 << 20);
		OK_INT(b.code, r->code, "code: %s", r->sql);
		OK(!b.q, "nothing comes out: %s", r->sql);
		if (!OK(strstr(b.err.what, r->what) && strstr(b.err.next, r->next), "advice: %s", r->sql))
			printf("# what %s\n# next %s\n", b.err.what, b.err.next);
		unbind(&b);
	}
}

static void same(const char *a, const char *b, bool equal)
{
	char *x = canonical(a), *y = canonical(b);
	bool same_text = x && y && *x == '{' && *y == '{' && !strcmp(x, y);
	if (!OK(same_text == equal && x && *x == '{' && y && *y == '{', "%s: %s | %s", equal ? "same" : "different", a, b))
		printf("# %s\n# %s\n", x, y);
	free(x);
	free(y);
}

static void test_same(void)
{
#define F "FROM hudson.flights f JOIN registry.planes p ON f.tailnum = p.tailnum "
	same("SELECT count(*) " F "WHERE f.distance > 5 AND p.seats = 3",
	     "SELECT count(*) FROM hudson.flights x, registry.planes y WHERE 3 = y.seats AND 5 < x.distance AND y.tailnum = x.tailnum", true);
	same("SELECT count(*) " F "WHERE f.carrier IN ('a','b')", "SELECT count(*) " F "WHERE f.carrier IN ('b','a')", true);
	same("SELECT count(*) " F, "SELECT count(*) FROM hudson.flights JOIN registry.planes USING (tailnum)", true);
	same("SELECT distance + 1 + 2 AS n " F, "SELECT distance + 1 + (1 + 1) AS n " F, true);
	same("SELECT n FROM (SELECT seats AS n FROM registry.planes) x", "SELECT a AS n FROM (SELECT seats AS a FROM registry.planes) y", true);
	same("WITH x AS (SELECT seats AS n FROM registry.planes) SELECT n FROM x", "SELECT n FROM (SELECT seats AS n FROM registry.planes) x", true);
	same("SELECT DISTINCT carrier " F, "SELECT carrier " F "GROUP BY 1", true);
	same("SELECT count(*) " F "WHERE NOT NOT (distance > 5) AND true", "SELECT count(*) " F "WHERE distance > 5", false);
	same("SELECT count(*) " F "WHERE true AND distance > 5", "SELECT count(*) " F "WHERE distance > 5", true);
	same("SELECT count(*) " F "WHERE distance > 5", "SELECT count(*) " F "WHERE distance >= 5", false);
	same("SELECT count(*) " F "WHERE distance > 5", "SELECT count(*) " F "WHERE distance > 6", false);
	same("SELECT count(*) " F "WHERE distance > 5", "SELECT count(*) " F "WHERE 5 > distance", false);
	same("SELECT distance - seats AS n " F, "SELECT seats - distance AS n " F, false);
	same("SELECT count(*) AS a " F, "SELECT count(*) AS b " F, false);
	same("SELECT count(*) " F, "SELECT count(*) FROM hudson.flights f LEFT JOIN registry.planes p ON f.tailnum = p.tailnum", false);
	same("SELECT count(*) " F, "SELECT count(*) FROM hudson.flights f JOIN harbour.planes p ON f.tailnum = p.tailnum", false);
	same("SELECT count(distance) " F, "SELECT count(DISTINCT distance) " F, false);
	same("SELECT sum(distance) " F, "SELECT sum(distance) FILTER (WHERE p.seats > 1) " F, false);
	same("SELECT carrier " F "ORDER BY 1", "SELECT carrier " F "ORDER BY 1 DESC", false);
	same("SELECT carrier " F "LIMIT 1", "SELECT carrier " F "LIMIT 2", false);
	same("SELECT extract(hour FROM time_hour) AS n " F, "SELECT extract(day FROM time_hour) AS n " F, false);
	same("SELECT seats = 1.0 AS n " F, "SELECT seats = 1.00 AS n " F, false);
#undef F
}

static void test_selection(void)
{
	static const char *const sql[] = { "SELECT count(*) FROM registry.planes WHERE seats > 5",
					   "SELECT manufacturer, sum(seats) FROM registry.planes WHERE 5 < seats GROUP BY 1" };
	char *text[2] = { NULL, NULL };
	for (size_t i = 0; i < 2; i++) {
		struct bound b;
		json_t *j = NULL;
		bind(&b, ent_bytes_str(sql[i]), 1 << 20);
		OK(!b.code && !ent_query_selection_json(b.q, &j, &b.err), "selection of %s", sql[i]);
		text[i] = j ? json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
		json_decref(j);
		unbind(&b);
	}
	OK_STR(text[0], text[1], "the selection leaves out what is computed from it");
	free(text[0]);
	free(text[1]);
}

static void repeat(struct ent_buf *out, const char *head, const char *part, const char *tail, size_t size)
{
	ent_buf_reset(out);
	ent_buf_str(out, head);
	while (out->len + strlen(part) + strlen(tail) <= size)
		ent_buf_str(out, part);
	ent_buf_str(out, tail);
}

/* Only an answer is asked for here, of any kind but a crash or an internal error. */
static void survives(struct ent_bytes sql, const char *what)
{
	struct bound b;
	bind(&b, sql, 64 << 20);
	OK(b.code != ENT_EINTERNAL, "survives %s (%s)", what, ent_code_name(b.code));
	OK(b.code || !sql_broken(b.q), "well-formed: %s", what);
	OK(!b.code || b.err.what[0], "says what is wrong with %s", what);
	unbind(&b);
}

static void test_hostile(void)
{
	static const struct {
		const char *what, *head, *part, *tail;
	} chains[] = {
		{ "a chain of +", "SELECT 1", "+1", " FROM hudson.flights" },
		{ "a chain of columns", "SELECT distance", "+distance", " FROM hudson.flights" },
		{ "open brackets", "SELECT ", "(", "" },
		{ "minus signs", "SELECT ", "- ", "1 FROM hudson.flights" },
		{ "NOTs", "SELECT 1 FROM hudson.flights WHERE ", "NOT ", "true" },
		{ "a chain of AND", "SELECT 1 FROM hudson.flights WHERE true", " AND distance=1", "" },
		{ "a chain of OR", "SELECT 1 FROM hudson.flights WHERE true", " OR distance=1", "" },
		{ "casts", "SELECT 1", "::int", " FROM hudson.flights" },
		{ "unions", "SELECT 1 FROM hudson.flights", " UNION ALL SELECT 1 FROM hudson.flights", "" },
		{ "joins", "SELECT 1 FROM hudson.flights", " NATURAL JOIN hudson.flights", "" },
		{ "subqueries", "", "SELECT * FROM (", "" },
		{ "CASE in CASE", "SELECT ", "CASE WHEN ", "" },
		{ "a long IN list", "SELECT 1 FROM hudson.flights WHERE distance IN (1", ",1", ")" },
		{ "many stars", "SELECT *", ",*", " FROM hudson.flights" },
		{ "many texts", "SELECT 'a'", "||'a'", " FROM hudson.flights" },
		{ "COALESCEs", "SELECT ", "coalesce(", "" },
		{ "functions", "SELECT ", "floor(", "" },
		{ "quotes", "SELECT ", "''", "" },
		{ "backslashes", "SELECT E'", "\\\\", "' FROM hudson.flights" },
		{ "comments", "SELECT 1 ", "/*", "" },
		{ "arrays", "SELECT a", "[1]", " FROM hudson.flights" },
		{ "BETWEENs", "SELECT 1 FROM hudson.flights WHERE distance", " BETWEEN 1 AND 2 AND distance", "" },
		{ "array types", "SELECT 1::int", "[]", " FROM hudson.flights" },
	};
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1 << 20);
	static const size_t sizes[] = { 600, ENT_SQL_BYTES_MAX };
	for (size_t i = 0; i < ENT_COUNT(chains); i++) {
		for (size_t j = 0; j < ENT_COUNT(sizes); j++) {
			repeat(&sql, chains[i].head, chains[i].part, chains[i].tail, sizes[j]);
			survives(ent_buf_bytes(&sql), chains[i].what);
		}
	}
	repeat(&sql, "SELECT ", "((", "1", 220);
	for (size_t i = 0; i < 106; i++)
		ent_buf_str(&sql, "))");
	ent_buf_str(&sql, " FROM hudson.flights");
	survives(ent_buf_bytes(&sql), "balanced brackets");
}

static void expect(struct ent_bytes sql, int code, const char *what)
{
	struct bound b;
	bind(&b, sql, 64 << 20);
	OK_INT(b.code, code, "%s", what);
	unbind(&b);
}

static void test_limits(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1 << 20);
	repeat(&sql, "SELECT 1 FROM hudson.flights", " ", "", ENT_SQL_BYTES_MAX);
	expect(ent_buf_bytes(&sql), 0, "16 KiB are taken");
	ent_buf_str(&sql, " ");
	expect(ent_buf_bytes(&sql), ENT_ESQL, "one byte more is not");
	expect(ent_bytes("SELECT 1 FROM hudson.flights\0", 29), ENT_ESQL, "a NUL byte");
	expect(ent_bytes_str("SELECT '\xff' FROM hudson.flights"), ENT_ESQL, "a byte that is not UTF-8");
	expect(ent_bytes("", 0), ENT_ESQL, "nothing at all");
	expect(ent_bytes_str(" ; ;"), ENT_ESQL, "only semicolons");
	expect(ent_bytes_str("SELECT 1 FROM hudson.flights;"), 0, "a closing semicolon");
	repeat(&sql, "SELECT distance", "+distance", " FROM hudson.flights", 700);
	expect(ent_buf_bytes(&sql), 0, "a chain of 70 terms");
	repeat(&sql, "SELECT distance", "+distance", " FROM hudson.flights", 8000);
	expect(ent_buf_bytes(&sql), ENT_ESQL, "a chain of 800 terms is too deep");
	repeat(&sql, "SELECT 1 FROM hudson.flights WHERE distance = 0", " OR distance=1", "", 16000);
	expect(ent_buf_bytes(&sql), 0, "1,000 conditions side by side");
}

/* Each of the first allocations that the arena's cap refuses ends in ENT_ENOMEM, and nothing else happens. */
static void test_short_memory(void)
{
	const char *sql = "WITH x AS (SELECT tailnum, sum(distance) AS n FROM hudson.flights GROUP BY 1) SELECT p.year + 1, count(*), sum(x.n) FROM "
			  "x LEFT JOIN "
			  "registry.planes p USING (tailnum) WHERE p.seats BETWEEN 1 AND 5 OR p.year IN (1,2) GROUP BY 1 ORDER BY 2";
	bool other = false;
	size_t cap = 0;
	for (;; cap += 64) {
		struct bound b;
		bind(&b, ent_bytes_str(sql), cap);
		int code = b.code;
		unbind(&b);
		other |= code && code != ENT_ENOMEM;
		if (!code || cap > (1 << 20))
			break;
	}
	OK(!other, "with less memory, only ENT_ENOMEM");
	OK(cap > 1000 && cap < 100000, "bound in %zu bytes", cap);
}

static size_t json_left;

static void *failing_malloc(size_t size)
{
	if (!json_left)
		return NULL;
	json_left--;
	return malloc(size);
}

/* The Nth allocation of the JSON library fails, for every N: an error, nothing lost, nothing crashes. */
static void test_json_memory(void)
{
	const char *sql = "SELECT carrier, sum(distance) FILTER (WHERE p.seats > 1) FROM hudson.flights f LEFT JOIN registry.planes p ON f.tailnum = "
			  "p.tailnum AND "
			  "p.year IN (2, 1) GROUP BY 1 HAVING count(*) > 2 ORDER BY 2 LIMIT 3";
	bool ended = false;
	size_t n = 0, failed = 0;
	for (; !ended && n < 20000; n += 3) {
		struct bound b;
		json_t *j = NULL;
		json_left = n;
		json_set_alloc_funcs(failing_malloc, free);
		bind(&b, ent_bytes_str(sql), 1 << 20);
		int code = b.code ? b.code : ent_query_json(b.q, &j, &b.err);
		json_set_alloc_funcs(malloc, free);
		ended = !code;
		failed += code != 0;
		json_decref(j);
		unbind(&b);
	}
	OK(ended && failed > 100, "short memory inside the JSON library: %zu errors, then an answer", failed);
}

static void test_small_things(void)
{
	enum ent_dialect d;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(100);
	ent_sql_quote(&b, "a\"b; DROP");
	OK_STR(ent_buf_text(&b), "\"a\"\"b; DROP\"");
	OK(ent_dialect_by_name("postgresql", &d) && d == ENT_DIALECT_POSTGRESQL);
	OK(ent_dialect_by_name("duckdb", &d) && d == ENT_DIALECT_DUCKDB);
	OK(!ent_dialect_by_name("sqlite", &d));
	OK_INT(ent_pad_rows(0), 0);
	OK_INT(ent_pad_rows(31), 31);
	OK_INT(ent_pad_rows(32), 32);
	OK_INT(ent_pad_rows(33), 34);
	OK_INT(ent_pad_rows(336776), 344064);
	OK_INT(ent_pad_rows(26115), 26624);
	OK_INT(ent_pad_rows(3322), 3328);
	for (uint64_t n = 1; n < 1000000; n += 997) {
		uint64_t p = ent_pad_rows(n);
		if (p < n || p * 16 > n * 17)
			OK(false, "pad(%llu) = %llu", (unsigned long long)n, (unsigned long long)p);
	}
	for (int op = 0; op < ENT_OP_COUNT; op++)
		if (!ent_op_text((enum ent_op)op)[0])
			OK(false, "operator %d has a name", op);
}

static const char *relation(void *arg, const struct ent_table *t)
{
	(void)arg;
	return t->name;
}

static void test_parameters(void)
{
	struct bound b;
	struct ent_printed p = { 0 };
	const char *text = NULL;
	bind(&b,
	     ent_bytes_str("SELECT tailnum FROM hudson.flights WHERE carrier = '''; DROP TABLE x; --' AND origin <> '''; DROP TABLE x; --' AND "
			   "distance > 12"),
	     1 << 20);
	OK(!b.code && !ent_sql_print_query(b.arena, b.q, ENT_DIALECT_POSTGRESQL, relation, NULL, &p, &b.err), "prints");
	OK(!strstr(ent_buf_text(&p.text), "DROP") && !strstr(ent_buf_text(&p.text), "12"), "no literal stands in the text");
	OK_INT(p.n_params, 2, "equal constants share a parameter");
	OK(!ent_sql_param_text(b.arena, p.params[0].value, &text, NULL), "parameter as text");
	OK_STR(text, "'; DROP TABLE x; --");
	ent_buf_deinit(&p.text);
	unbind(&b);
}

int main(void)
{
	test_goldens();
	test_refusals();
	test_same();
	test_selection();
	test_hostile();
	test_limits();
	test_short_memory();
	test_json_memory();
	test_small_things();
	test_parameters();
	return tap_done();
}
