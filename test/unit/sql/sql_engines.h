/* The engines that the printed SQL is tried on: DuckDB in this process, and PostgreSQL when there is one. Rows come back as one text. */
#ifndef ENT_TEST_SQL_ENGINES_H
#define ENT_TEST_SQL_ENGINES_H
#include <duckdb.h>
#include <libpq-fe.h>
#include <stdlib.h>

#include "sql/query.h"
#include "tap.h"

struct engines {
	duckdb_database db;
	duckdb_connection duck;
	PGconn *pg; /* NULL: not installed */
};

static const char *const engine_setup[] = {
	"CREATE TABLE types (id bigint, b boolean, i2 smallint, i4 integer, i8 bigint, d numeric(12,2), f4 real, f8 double precision, dt date, ts "
	"timestamp, tz "
	"timestamp with time zone, t text, u varchar)",
	"INSERT INTO types VALUES (1, true, 7, 7, 7, 12.34, 1.5, 2.5, '2013-01-31', '2013-01-31 05:06:07.25', '2013-01-31 05:06:07.25+00', 'Hello', "
	"'abc')",
	"INSERT INTO types VALUES (2, false, -7, -7, -7, -12.35, -1.5, -2.5, '2012-02-29', '1999-12-31 23:59:59.999999', '1999-12-31 "
	"23:59:59.999999+00', ' "
	"\303\234n\303\257 ', 'a%b')",
	"INSERT INTO types (id) VALUES (3)",
	"INSERT INTO types VALUES (4, true, 0, 0, 0, 0.00, 0, 0.5, '1970-01-01', '1970-01-01', '1970-01-01 00:00:00+00', '', 'ABC')",
	"INSERT INTO types VALUES (5, NULL, 300, 1000000, 9007199254740993, 9999999999.99, 0.1, 1234567.125, '2016-12-31', '2016-12-31 12:00:00', "
	"'2016-12-31 "
	"12:00:00+00', 'zebra', 'Zebra')",
	"CREATE TABLE flights (tailnum text, origin text, time_hour timestamp, dep_delay double precision, distance integer, carrier text)",
	"INSERT INTO flights VALUES ('a','X','2013-01-01',1.5,100,'UA'), ('b','Y','2013-01-01',-3,200,'ua'), (NULL,'X','2013-01-02',NULL,300,'UA'), "
	"('a','Y','2013-01-02',7,400,'B6'), ('c','X','2013-01-01',0,500,'UA')",
	"CREATE TABLE planes (tailnum text, manufacturer text, \"year\" integer, seats integer)",
	"INSERT INTO planes VALUES ('a','Boeing',1999,100), ('b','AIRBUS',NULL,50), ('d','Boeing',2004,20)",
};

/* The same tables under the names a user writes, for PostgreSQL alone; their texts compare by bytes. */
static const char *const engine_views[] = {
	"CREATE SCHEMA harbour",
	"CREATE SCHEMA registry",
	"CREATE SCHEMA hudson",
	"CREATE VIEW harbour.types AS SELECT id, b, i2, i4, i8, d, f4, f8, dt, ts, tz, t COLLATE \"C\" AS t, CAST(u AS text) COLLATE \"C\" AS u FROM "
	"types",
	"CREATE VIEW registry.planes AS SELECT tailnum COLLATE \"C\" AS tailnum, manufacturer COLLATE \"C\" AS manufacturer, year, seats FROM planes",
	"CREATE VIEW harbour.planes AS SELECT * FROM registry.planes",
	"CREATE VIEW hudson.flights AS SELECT tailnum COLLATE \"C\" AS tailnum, origin COLLATE \"C\" AS origin, time_hour, dep_delay, distance, "
	"carrier COLLATE "
	"\"C\" AS carrier FROM flights",
};

static void duck_run(struct engines *e, const char *sql)
{
	duckdb_result r;
	if (duckdb_query(e->duck, sql, &r) != DuckDBSuccess)
		OK(false, "DuckDB set-up: %.200s", duckdb_result_error(&r));
	duckdb_destroy_result(&r);
}

static void pg_run(struct engines *e, const char *sql)
{
	PGresult *r = PQexec(e->pg, sql);
	if (PQresultStatus(r) != PGRES_COMMAND_OK)
		OK(false, "PostgreSQL set-up: %.200s", PQresultErrorMessage(r));
	PQclear(r);
}

/* The server's session is far from UTC and its database orders text by language, to prove that the printed SQL minds neither. */
static void engines_open(struct engines *e)
{
	const char *where = getenv("ENT_TEST_POSTGRESQL");
	char conn[512];
	*e = (struct engines){ 0 };
	OK(duckdb_open(NULL, &e->db) == DuckDBSuccess && duckdb_connect(e->db, &e->duck) == DuckDBSuccess, "DuckDB opens");
	duck_run(e, "SET TimeZone = 'America/New_York'");
	for (size_t i = 0; i < ENT_COUNT(engine_setup); i++)
		duck_run(e, engine_setup[i]);
	if (!where) {
		tap_skip("PostgreSQL", "its server programs are not installed");
		return;
	}
	snprintf(conn, sizeof conn, "%s dbname=postgres", where);
	e->pg = PQconnectdb(conn);
	pg_run(e, "CREATE DATABASE words TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en' LOCALE 'C'");
	PQfinish(e->pg);
	snprintf(conn, sizeof conn, "%s dbname=words options='-c TimeZone=America/New_York -c DateStyle=SQL,DMY'", where);
	e->pg = PQconnectdb(conn);
	if (!OK(PQstatus(e->pg) == CONNECTION_OK, "PostgreSQL opens"))
		printf("# %s\n", PQerrorMessage(e->pg));
	pg_run(e, "SET DateStyle = 'ISO, YMD'");
	for (size_t i = 0; i < ENT_COUNT(engine_setup); i++)
		pg_run(e, engine_setup[i]);
	pg_run(e, "SET DateStyle = 'SQL, DMY'");
	for (size_t i = 0; i < ENT_COUNT(engine_views); i++)
		pg_run(e, engine_views[i]);
}

static void engines_close(struct engines *e)
{
	PQfinish(e->pg);
	duckdb_disconnect(&e->duck);
	duckdb_close(&e->db);
}

/* SELECT with every column as text, alike in both engines but for floats, which cell_put evens out. */
static void wrap_text(struct ent_buf *out, const struct ent_query *q, const char *sql, bool pg)
{
	size_t n = 0;
	ent_buf_str(out, "SELECT ");
	for (size_t i = 0; i < q->n_items; i++) {
		enum ent_type_id t = q->items[i].expr->type.id;
		if (q->items[i].hidden)
			continue;
		ent_buf_str(out, n ? ", " : "");
		if (t == ENT_T_DATE)
			ent_buf_printf(out, pg ? "to_char(c%zu, 'YYYY-MM-DD')" : "strftime(c%zu, '%%Y-%%m-%%d')", n);
		else if (t == ENT_T_TIMESTAMP || t == ENT_T_TIMESTAMPTZ)
			ent_buf_printf(out,
				       pg ? (t == ENT_T_TIMESTAMPTZ ? "to_char(c%zu AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
								    : "to_char(c%zu, 'YYYY-MM-DD HH24:MI:SS.US')")
					  : "strftime(make_timestamp(epoch_us(c%zu)), '%%Y-%%m-%%d %%H:%%M:%%S.%%f')",
				       n);
		else
			ent_buf_printf(out, pg ? "CAST(c%zu AS text)" : "CAST(c%zu AS VARCHAR)", n);
		n++;
	}
	ent_buf_printf(out, " FROM (%s) AS x(", sql);
	for (size_t i = 0; i < n; i++)
		ent_buf_printf(out, "%sc%zu", i ? ", " : "", i);
	ent_buf_str(out, ")");
}

static void cell_put(struct ent_buf *out, const char *text, struct ent_type t, bool first)
{
	ent_buf_str(out, first ? "" : ",");
	if (!text)
		ent_buf_str(out, "NULL");
	else if (ent_type_is_float(t))
		ent_buf_printf(out, "%.15g", strtod(text, NULL));
	else if (t.id == ENT_T_TEXT)
		ent_buf_printf(out, "'%s'", text);
	else
		ent_buf_str(out, text);
}

static struct ent_type shown_type(const struct ent_query *q, size_t column)
{
	for (size_t i = 0; i < q->n_items; i++)
		if (!q->items[i].hidden && !column--)
			return q->items[i].expr->type;
	return (struct ent_type){ 0 };
}

static bool duck_rows(struct engines *e, struct ent_arena *a, const struct ent_query *q, const struct ent_printed *p, struct ent_buf *out)
{
	duckdb_prepared_statement st;
	duckdb_result r;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1 << 20);
	wrap_text(&sql, q, ent_buf_text(&p->text), false);
	bool ok = duckdb_prepare(e->duck, ent_buf_text(&sql), &st) == DuckDBSuccess;
	if (!ok)
		printf("# %s\n# %s\n", duckdb_prepare_error(st), ent_buf_text(&sql));
	for (size_t i = 0; ok && i < p->n_params; i++) {
		const char *text = NULL;
		ok = !ent_sql_param_text(a, p->params[i].value, &text, NULL) && duckdb_bind_varchar(st, i + 1, text) == DuckDBSuccess;
	}
	if (ok && !(ok = duckdb_execute_prepared(st, &r) == DuckDBSuccess))
		printf("# %s\n# %s\n", duckdb_result_error(&r), ent_buf_text(&sql));
	for (idx_t i = 0; ok && i < duckdb_row_count(&r); i++) {
		ent_buf_str(out, i ? ";" : "");
		for (idx_t j = 0; j < duckdb_column_count(&r); j++) {
			char *s = duckdb_value_varchar(&r, j, i);
			cell_put(out, s, shown_type(q, j), !j);
			duckdb_free(s);
		}
	}
	if (ok)
		duckdb_destroy_result(&r);
	duckdb_destroy_prepare(&st);
	return ok;
}

static bool pg_text_rows(PGresult *r, const struct ent_query *q, const char *sql, struct ent_buf *out)
{
	bool ok = PQresultStatus(r) == PGRES_TUPLES_OK;
	if (!ok)
		printf("# %s# %s\n", PQresultErrorMessage(r), sql);
	for (int i = 0; ok && i < PQntuples(r); i++) {
		ent_buf_str(out, i ? ";" : "");
		for (int j = 0; j < PQnfields(r); j++)
			cell_put(out, PQgetisnull(r, i, j) ? NULL : PQgetvalue(r, i, j), shown_type(q, (size_t)j), !j);
	}
	PQclear(r);
	return ok;
}

static bool pg_rows(struct engines *e, struct ent_arena *a, const struct ent_query *q, const struct ent_printed *p, struct ent_buf *out)
{
	const char *values[64] = { NULL };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1 << 20);
	wrap_text(&sql, q, ent_buf_text(&p->text), true);
	for (size_t i = 0; i < p->n_params && i < 64; i++)
		if (ent_sql_param_text(a, p->params[i].value, &values[i], NULL))
			return false;
	return pg_text_rows(PQexecParams(e->pg, ent_buf_text(&sql), (int)p->n_params, NULL, values, NULL, NULL, 0), q, ent_buf_text(&sql), out);
}

/* What PostgreSQL itself makes of the statement as the user wrote it, in a UTC session. */
static bool pg_native_rows(struct engines *e, const struct ent_query *q, const char *text, struct ent_buf *out)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1 << 20);
	wrap_text(&sql, q, text, true);
	pg_run(e, "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'");
	bool ok = pg_text_rows(PQexec(e->pg, ent_buf_text(&sql)), q, ent_buf_text(&sql), out);
	pg_run(e, "SET TimeZone = 'America/New_York'; SET DateStyle = 'SQL, DMY'");
	return ok;
}
#endif
