/* One meaning everywhere: a table of expressions and queries with the rows they must give, printed for each dialect and run there. PostgreSQL also
 * runs the statements as written, unless the row is marked as a documented difference. */
#include "sql_catalogue.h"
#include "sql_engines.h"

struct row {
	const char *sql;  /* an expression over harbour.types, or a whole SELECT */
	const char *rows; /* cells by ',', rows by ';' */
	bool differs;     /* PostgreSQL as written gives something else (docs/sql.md says why) */
};

static const struct row table[] = {
#include "sql_expressions.inc"
};

static const char *relation(void *arg, const struct ent_table *t)
{
	(void)arg;
	return t->name;
}

static void statement(const struct row *r, struct ent_buf *out)
{
	if (!strncmp(r->sql, "SELECT", 6) || !strncmp(r->sql, "WITH", 4))
		ent_buf_str(out, r->sql);
	else
		ent_buf_printf(out, "SELECT %s FROM harbour.types ORDER BY id", r->sql);
}

static void compare(const struct row *r, const char *engine, bool ran, const struct ent_buf *rows)
{
	if (OK(ran, "%s runs: %s", engine, r->sql))
		OK_STR(ent_buf_text(rows), r->rows, "%s: %s", engine, r->sql);
}

static void run_dialect(struct engines *e, struct ent_arena *a, const struct row *r, const struct ent_query *q, enum ent_dialect d)
{
	struct ent_printed p;
	struct ent_err err = ENT_ERR_INIT;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf rows = ENT_BUF(1 << 20);
	bool pg = d == ENT_DIALECT_POSTGRESQL;
	if (!OK(!ent_sql_print_query(a, q, d, relation, NULL, &p, &err), "prints: %s", r->sql))
		return;
	bool ran = pg ? pg_rows(e, a, q, &p, &rows) : duck_rows(e, a, q, &p, &rows);
	compare(r, pg ? "postgresql" : "duckdb", ran, &rows);
	ent_buf_deinit(&p.text);
}

static void run(struct engines *e, const struct row *r)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_query *q = NULL;
	struct ent_arena *a = ent_arena_new(16 << 20);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1 << 16);
	statement(r, &sql);
	if (OK(!ent_sql_bind(a, ent_buf_bytes(&sql), &sql_catalogue, NULL, &q, &err), "binds: %s", r->sql)) {
		run_dialect(e, a, r, q, ENT_DIALECT_DUCKDB);
		if (e->pg)
			run_dialect(e, a, r, q, ENT_DIALECT_POSTGRESQL);
		if (e->pg && !r->differs) {
			ENT_CLEANUP(ent_buf_deinit) struct ent_buf rows = ENT_BUF(1 << 20);
			bool ran = pg_native_rows(e, q, ent_buf_text(&sql), &rows);
			compare(r, "postgresql as written", ran, &rows);
		}
	} else {
		printf("# %s | %s\n", err.what, err.next);
	}
	ent_arena_free(a);
}

int main(void)
{
	struct engines e;
	engines_open(&e);
	for (size_t i = 0; i < ENT_COUNT(table); i++)
		run(&e, &table[i]);
	engines_close(&e);
	return tap_done();
}
