/* Random typed expressions over random rows: what DuckDB and PostgreSQL make of the printed SQL must be equal, and equal to PostgreSQL on the
 * text as written where no documented difference is in reach. ENT_SEED repeats a run, ENT_CASES lengthens it. */
#include <inttypes.h>
#include <math.h>
#include <time.h>

#include "sql_catalogue.h"
#include "sql_check.h"
#include "sql_engines.h"

static uint64_t state;

static uint32_t pick(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 20) % n;
}

enum want { W_BOOL, W_INT, W_DECIMAL, W_DOUBLE, W_TEXT, W_DATE, W_TIMESTAMP, W_TIMESTAMPTZ, W_COUNT };

/* Templates: %b %i %d %f %t %D %s %z are expressions of a type, %n a small number, %c a comparison, everything else letters. */
static const char *const leaves[W_COUNT][6] = {
	[W_BOOL] = { "b", "b", "true", "false" },
	[W_INT] = { "i4", "i2", "%n", "(-%n)", "i4" },
	[W_DECIMAL] = { "d", "d", "%n.5", "(-%n.25)", "%n.0" },
	[W_DOUBLE] = { "f8", "f4::double precision", "f8" },
	[W_TEXT] = { "t", "u", "'a%n'", "'\303\274'", "''" },
	[W_DATE] = { "dt", "dt", "date '2000-02-%n'" },
	[W_TIMESTAMP] = { "ts", "ts", "timestamp '1999-12-31 23:59:59.5'" },
	[W_TIMESTAMPTZ] = { "tz", "tz", "timestamptz '2001-01-01 00:00:00-03'" },
};

static const char *const forms[W_COUNT][24] = {
	[W_BOOL] = { "(%i %c %i)",
		     "(%d %c %i)",
		     "(%f %c %d)",
		     "(%t %c %t)",
		     "(%D %c %D)",
		     "(%s %c %D)",
		     "(%z %c %s)",
		     "(%b and %b)",
		     "(%b or %b)",
		     "(not %b)",
		     "(%i is null)",
		     "(%t is not null)",
		     "(%i between %i and %i)",
		     "(%i in (%i, %n, %i))",
		     "(%t not in (%t, 'b'))",
		     "(%t like 'a%%')",
		     "(%t like '%%\303\274_')",
		     "(%i is distinct from %i)",
		     "(%t is not distinct from %t)",
		     "(%b is true)",
		     "(%b is not false)",
		     "(%s - %s > interval '%n days')",
		     "coalesce(%b, %b)",
		     "(%f %c %f)" },
	[W_INT] = { "(%i + %i)",
		    "(%i - %i)",
		    "(%i * %n)",
		    "(%i / %n)",
		    "(%i %% %n)",
		    "(%i / nullif(%i, 0))",
		    "abs(%i)",
		    "(- %i)",
		    "coalesce(%i, %n)",
		    "nullif(%i, %i)",
		    "(case when %b then %i else %i end)",
		    "(case %i when %n then %i end)",
		    "length(%t)",
		    "(%D - %D)",
		    "extract(month from %D)::integer",
		    "extract(dow from %z)::integer",
		    "%b::integer",
		    "(%d / 1000)::integer",
		    "(%f / 100000)::integer",
		    "extract(week from %D)::integer" },
	[W_DECIMAL] = { "(%d + %d)", "(%d - %i)", "(%d * %n)", "(%n.5 * %d)", "round(%d, 1)", "round(%d)", "floor(%d)", "ceil(%d)", "abs(%d)",
			"(- %d)", "%i::numeric(12,2)", "nullif(%d, %d)", "extract(hour from %s)", "extract(second from %z)",
			"extract(epoch from %s - %s)", "%d::numeric(16,1)" },
	[W_DOUBLE] = { "(%f + %f)", "(%f - %i)", "(%f * %d)", "(%f / %n)", "(%d / %n)", "(%f / nullif(%i, 0))", "floor(%f)", "ceil(%f)", "round(%f)",
		       "abs(%f)", "%i::double precision", "%d::double precision", "floor(%i)", "date_part('day', %s)", "(case when %b then %f end)",
		       "coalesce(%f, %i)", "(- %f)", "(%f / 7)" },
	[W_TEXT] = { "(%t || %t)", "lower(%t)", "upper(%t)", "trim(%t)", "substr(%t, %n, 3)", "substr(%t, 2)", "%i::text", "%b::text",
		     "(case when %b then %t else %t end)", "coalesce(%t, %t)", "nullif(%t, %t)", "substr(%t, -1, %n)" },
	[W_DATE] = { "(%D + %n)", "(%D - %n)", "%s::date", "%z::date", "coalesce(%D, %D)", "(case when %b then %D end)", "(%D + i2)" },
	[W_TIMESTAMP] = { "%D::timestamp", "%z::timestamp", "(%s + interval '%n hours')", "(%D - interval '%n days 3 seconds')",
			  "date_trunc('week', %s)", "date_trunc('hour', %s)", "coalesce(%s, %D)", "date_trunc('quarter', %s)" },
	[W_TIMESTAMPTZ] = { "%D::timestamptz", "%s::timestamptz", "(%z + interval '%n minutes')", "date_trunc('month', %D)", "date_trunc('day', %z)",
			    "coalesce(%z, %s)" },
};

static void put_expr(struct ent_buf *out, enum want w, int depth);

static void put_form(struct ent_buf *out, const char *form, int depth)
{
	static const char kinds[] = "bidftDsz";
	static const char *const comparisons[] = { "=", "<>", "<", "<=", ">", ">=" };
	for (const char *s = form; *s; s++) {
		const char *k = s[0] == '%' && s[1] ? strchr(kinds, s[1]) : NULL;
		if (*s != '%')
			ent_buf_put(out, s, 1);
		else if (k)
			put_expr(out, (enum want)(k - kinds), depth - 1);
		else if (s[1] == 'n')
			ent_buf_printf(out, "%u", 1 + pick(9));
		else if (s[1] == 'c')
			ent_buf_str(out, comparisons[pick(6)]);
		else
			ent_buf_str(out, "%");
		s += *s == '%';
	}
}

static void put_expr(struct ent_buf *out, enum want w, int depth)
{
	size_t n = 0;
	bool leaf = depth <= 0 || pick(6) == 0;
	while (leaf ? n < 6 && leaves[w][n] : n < 24 && forms[w][n])
		n++;
	put_form(out, leaf ? leaves[w][pick((uint32_t)n)] : forms[w][pick((uint32_t)n)], depth);
}

static void put_row(struct ent_buf *sql, int id)
{
	static const char *const texts[] = { "a", "abc", "A", "\303\274x", "b ", " a%b", "", "zz\303\237", "a\\b", "a_b" };
	ent_buf_printf(sql, "INSERT INTO types VALUES (%d", id);
	for (int column = 0; column < 12; column++) {
		int small = (int)pick(400) - 200;
		if (pick(6) == 0)
			ent_buf_str(sql, ", NULL");
		else if (column == 0)
			ent_buf_str(sql, pick(2) ? ", true" : ", false");
		else if (column <= 3)
			ent_buf_printf(sql, ", %d", small);
		else if (column <= 6)
			ent_buf_printf(sql, column == 4 ? ", %d.%02d" : ", %d.%d", small, (int)pick(100));
		else if (column == 7)
			ent_buf_printf(sql, ", '20%02d-%02d-%02d'", (int)pick(30), 1 + (int)pick(12), 1 + (int)pick(28));
		else if (column <= 9)
			ent_buf_printf(sql, ", '20%02d-%02d-%02d 0%d:%02d:%02d.%d%s'", (int)pick(30), 1 + (int)pick(12), 1 + (int)pick(28),
				       (int)pick(10), (int)pick(60), (int)pick(60), (int)pick(1000000), column == 9 ? "+00" : "");
		else
			ent_buf_printf(sql, ", '%s'", texts[pick(ENT_COUNT(texts))]);
	}
	ent_buf_str(sql, ")");
}

static void more_rows(struct engines *e)
{
	for (int id = 10; id < 60; id++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1 << 16);
		put_row(&sql, id);
		duck_run(e, ent_buf_text(&sql));
		if (e->pg) {
			pg_run(e, "SET DateStyle = 'ISO, YMD'");
			pg_run(e, ent_buf_text(&sql));
			pg_run(e, "SET DateStyle = 'SQL, DMY'");
		}
	}
}

static const char *relation(void *arg, const struct ent_table *t)
{
	(void)arg;
	return t->name;
}

struct tally {
	int bound, compared, native;
};

static bool print_and_run(struct engines *e, struct ent_arena *a, const struct ent_query *q, bool pg, struct ent_buf *rows)
{
	struct ent_printed p;
	if (ent_sql_print_query(a, q, pg ? ENT_DIALECT_POSTGRESQL : ENT_DIALECT_DUCKDB, relation, NULL, &p, NULL))
		return false;
	bool ok = pg ? pg_rows(e, a, q, &p, rows) : duck_rows(e, a, q, &p, rows);
	ent_buf_deinit(&p.text);
	return ok;
}

static void compare_rows(const char *sql, const char *what, const struct ent_buf *a, const struct ent_buf *b)
{
	if (strcmp(ent_buf_text(a), ent_buf_text(b)) == 0)
		return;
	OK(false, "%s", what);
	printf("# %s\n# %s\n# %s\n", sql, ent_buf_text(a), ent_buf_text(b));
}

/* Decimals in CASE and COALESCE keep each row's own scale in PostgreSQL, and its EXTRACT prints fewer places: compared by value through double. */
static void run(struct engines *e, const char *sql, enum want w, struct tally *t)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_query *q = NULL;
	struct ent_arena *a = ent_arena_new(16 << 20);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf duck = ENT_BUF(1 << 22), pg = ENT_BUF(1 << 22), native = ENT_BUF(1 << 22);
	if (ent_sql_bind(a, ent_bytes_str(sql), &sql_catalogue, NULL, &q, &err)) {
		OK(false, "binds: %s: %s", sql, err.what);
	} else {
		t->bound++;
		if (sql_broken(q))
			OK(false, "%s: %s", sql_broken(q), sql);
		bool duck_ok = print_and_run(e, a, q, false, &duck), pg_ok = e->pg && print_and_run(e, a, q, true, &pg);
		if (e->pg && duck_ok != pg_ok)
			OK(false, "one engine fails: %s", sql);
		if (duck_ok && pg_ok) {
			t->compared++;
			compare_rows(sql, "DuckDB and PostgreSQL differ", &duck, &pg);
			if (w != W_DECIMAL && w != W_TEXT && w != W_DOUBLE && pg_native_rows(e, q, sql, &native)) {
				t->native++;
				compare_rows(sql, "PostgreSQL as written differs", &pg, &native);
			}
		}
	}
	ent_arena_free(a);
}

int main(void)
{
	struct engines e;
	struct tally t = { 0 };
	const char *seed = getenv("ENT_SEED"), *cases = getenv("ENT_CASES");
	state = seed ? strtoull(seed, NULL, 10) : 20261121;
	printf("# ENT_SEED=%" PRIu64 "\n", state);
	long n = cases ? strtol(cases, NULL, 10) : 400;
	engines_open(&e);
	more_rows(&e);
	for (long i = 0; i < n; i++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1 << 20);
		enum want w = (enum want)pick(W_COUNT);
		ent_buf_str(&sql, "SELECT ");
		put_expr(&sql, w, 1 + (int)pick(3));
		ent_buf_str(&sql, " FROM harbour.types ORDER BY id");
		run(&e, ent_buf_text(&sql), w, &t);
	}
	OK_INT(t.bound, n, "%ld random expressions bind", n);
	OK(!e.pg || t.compared > n * 8 / 10, "%d compared between the engines, %d with PostgreSQL as written", t.compared, t.native);
	engines_close(&e);
	return tap_done();
}
