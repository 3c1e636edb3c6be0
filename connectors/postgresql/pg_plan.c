/* Splits, exported snapshots and checksums.
 *
 * A split is a range of the first column of the primary key ("key:=10:=20", bounds %-escaped, left out at the ends), or of blocks
 * ("block:0:500"). Ranges of keys are stable: a copy that goes on days later with another snapshot still finds each row in one split. Blocks
 * are faster to read, but an update moves a row to another block; so they are for tables without a key, and for --split-by block. */
#include <stdio.h>
#include <stdlib.h>

#include "pg.h"

#define SPLITS_MAX 10000
#define BOUND_BYTES_MAX 64
#define SAMPLE_ROWS 200 /* per split */

struct shape { /* of a table, from the catalogue */
	double rows;
	uint64_t blocks;
	bool blocks_known;
	char key[64], type[200]; /* first column of the primary key */
};

static int shape_read(struct ent_source *s, const struct ent_pg_table *t, struct shape *ret, struct ent_err *err)
{
	static const char sql[] =
		"SELECT coalesce(sum(greatest(p.reltuples, 0)), 0), coalesce(max(greatest(pg_relation_size(p.oid), 0)), 0) / "
		"current_setting('block_size')::bigint, max(c.relkind::text) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN "
		"LATERAL (SELECT c.oid WHERE c.relkind IN ('r', 'm') UNION ALL SELECT relid FROM pg_partition_tree(c.oid) WHERE c.relkind = 'p' "
		"AND isleaf) AS l(oid) ON true JOIN pg_class p ON p.oid = l.oid WHERE n.nspname = $1 AND c.relname = $2";
	static const char key[] =
		"SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_index "
		"i "
		"ON i.indrelid = c.oid AND i.indisprimary JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] WHERE n.nspname = $1 "
		"AND c.relname = $2";
	const char *const names[] = { t->schema_name, t->table_name };
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL, *k = NULL;
	*ret = (struct shape){ 0 };
	if (!s->cockroach) {
		ENT_TRY(ent_pg_run(s, sql, names, 2, &r, "the size of the table cannot be found", err));
		ret->rows = strtod(PQgetvalue(r, 0, 0), NULL);
		ret->blocks = strtoull(PQgetvalue(r, 0, 1), NULL, 10);
		ret->blocks_known = !PQgetisnull(r, 0, 2);
	}
	ENT_TRY(ent_pg_run(s, key, names, 2, &k, "the key of the table cannot be found", err));
	if (PQntuples(k)) {
		snprintf(ret->key, sizeof ret->key, "%s", PQgetvalue(k, 0, 0));
		snprintf(ret->type, sizeof ret->type, "%s", PQgetvalue(k, 0, 1));
	}
	return 0;
}

/* The catalogue's count is of the last ANALYZE; a table that never had one is counted. */
static int rows_find(struct ent_source *s, const struct ent_pg_table *t, struct shape *shape, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1000);
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	if (shape->rows > 0)
		return 0;
	ent_buf_printf(&sql, "SELECT count(*) FROM %s", ent_buf_text(&t->quoted));
	ENT_TRY(ent_pg_run(s, ent_buf_text(&sql), NULL, 0, &r, "the rows of the table cannot be counted", err));
	shape->rows = strtod(PQgetvalue(r, 0, 0), NULL);
	return 0;
}

static int plan_blocks(const struct shape *shape, uint64_t n, int (*take)(void *arg, const char *split, int64_t rows), void *arg)
{
	uint64_t step = shape->blocks / n + 1;
	char split[80];
	for (uint64_t from = 0; from < shape->blocks || !from; from += step) {
		bool last = from + step >= shape->blocks;
		if (last)
			snprintf(split, sizeof split, "block:%llu:", (unsigned long long)from);
		else
			snprintf(split, sizeof split, "block:%llu:%llu", (unsigned long long)from, (unsigned long long)(from + step));
		ENT_TRY(take(arg, split, (int64_t)(shape->rows / (double)n)));
	}
	return 0;
}

static void bound_put(struct ent_buf *out, const char *value)
{
	ent_buf_u8(out, '=');
	for (const uint8_t *p = (const uint8_t *)value; *p; p++) {
		if (*p <= ' ' || *p == '%' || *p == ':' || *p == '\'' || *p >= 127)
			ent_buf_printf(out, "%%%02x", *p);
		else
			ent_buf_u8(out, *p);
	}
}

/* The same by counting through the key, with nothing but plain windows: CockroachDB has no sample of blocks. */
static int bounds_count(struct ent_source *s, const struct ent_pg_table *t, const struct shape *shape, uint64_t n, PGresult **ret,
			struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)1 << 20);
	uint64_t step = (uint64_t)shape->rows / n;
	ent_buf_str(&sql, "SELECT CAST(v.b AS text) FROM (SELECT ");
	ent_pg_name(&sql, shape->key);
	ent_buf_str(&sql, " AS b, row_number() OVER (ORDER BY ");
	ent_pg_name(&sql, shape->key);
	ent_buf_printf(&sql, ") AS i FROM %s) AS v WHERE v.i %% %llu = 0 GROUP BY v.b ORDER BY v.b", ent_buf_text(&t->quoted),
		       (unsigned long long)(step ? step : 1));
	ENT_TRY(ent_buf_check(&sql, err));
	return ent_pg_run(s, ent_buf_text(&sql), NULL, 0, ret, "the table cannot be split", err);
}

/* Bounds of n splits with about as many rows each, from a sample of blocks. */
static int bounds_find(struct ent_source *s, const struct ent_pg_table *t, const struct shape *shape, uint64_t n, PGresult **ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)1 << 20);
	if (s->cockroach)
		return bounds_count(s, t, shape, n, ret, err);
	double percent = 100.0 * (double)SAMPLE_ROWS * (double)n / (shape->rows > 0 ? shape->rows : 1);
	ent_buf_printf(&sql,
		       "SELECT CAST(v.b AS text) FROM unnest((SELECT percentile_disc(ARRAY(SELECT i / %llu.0 FROM generate_series(1, %llu) AS i)) "
		       "WITHIN GROUP (ORDER BY ",
		       (unsigned long long)n, (unsigned long long)n - 1);
	ent_pg_name(&sql, shape->key);
	ent_buf_printf(&sql, ") FROM %s", ent_buf_text(&t->quoted));
	if (percent < 50 && shape->blocks_known)
		ent_buf_printf(&sql, " TABLESAMPLE SYSTEM (%.6f)", percent);
	ent_buf_str(&sql, ")) AS v(b) GROUP BY v.b ORDER BY v.b");
	ENT_TRY(ent_buf_check(&sql, err));
	return ent_pg_run(s, ent_buf_text(&sql), NULL, 0, ret, "the table cannot be split", err);
}

static int plan_keys(const PGresult *bounds, const struct shape *shape, int (*take)(void *arg, const char *split, int64_t rows), void *arg,
		     struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf split = ENT_BUF(8 * BOUND_BYTES_MAX);
	int n = PQntuples(bounds);
	for (int i = 0; i <= n; i++) {
		ent_buf_reset(&split);
		ent_buf_str(&split, "key:");
		if (i > 0)
			bound_put(&split, PQgetvalue(bounds, i - 1, 0));
		ent_buf_str(&split, ":");
		if (i < n)
			bound_put(&split, PQgetvalue(bounds, i, 0));
		ENT_TRY(ent_buf_check(&split, err));
		ENT_TRY(take(arg, ent_buf_text(&split), (int64_t)(shape->rows / (n + 1))));
	}
	return 0;
}

static bool bounds_fit(const PGresult *bounds)
{
	for (int i = 0; i < PQntuples(bounds); i++)
		if (PQgetisnull(bounds, i, 0) || PQgetlength(bounds, i, 0) > BOUND_BYTES_MAX)
			return false;
	return true;
}

int ent_pg_plan(struct ent_source *s, const char *object, uint64_t rows_per_split, int (*take)(void *arg, const char *split, int64_t rows), void *arg,
		struct ent_err *err)
{
	ENT_CLEANUP(ent_pg_clear) PGresult *bounds = NULL;
	struct ent_pg_table *t;
	struct shape shape;
	ENT_TRY(ent_pg_copying(s, err));
	ENT_TRY(ent_pg_table_get(s, object, &t, err));
	ENT_TRY(shape_read(s, t, &shape, err));
	ENT_TRY(rows_find(s, t, &shape, err));
	double wanted = shape.rows / (double)(rows_per_split ? rows_per_split : 1);
	uint64_t n = wanted < 1 ? 1 : wanted > SPLITS_MAX ? SPLITS_MAX : (uint64_t)(wanted + 0.5);
	if (n <= 1 || (!shape.blocks_known && !shape.key[0]))
		return take(arg, "all", (int64_t)shape.rows);
	if (s->by_ctid && shape.blocks_known)
		return plan_blocks(&shape, n, take, arg);
	if (shape.key[0]) {
		ENT_TRY(bounds_find(s, t, &shape, n, &bounds, err));
		if (bounds_fit(bounds))
			return plan_keys(bounds, &shape, take, arg, err);
	}
	return shape.blocks_known ? plan_blocks(&shape, n, take, arg) : take(arg, "all", (int64_t)shape.rows);
}

/* --- conditions --- */

static int split_bad(const char *split, struct ent_err *err) { return ent_fail(err, ENT_EUSAGE, "this is no split of PostgreSQL: %.100s", split); }

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* "=5" up to ':' or the end; false for malformed text. *ret_any: there is a bound. */
static bool bound_get(const char **at, char value[BOUND_BYTES_MAX + 1], bool *ret_any)
{
	size_t n = 0;
	*ret_any = **at == '=';
	for (*at += *ret_any; **at && **at != ':' && n < BOUND_BYTES_MAX; (*at)++) {
		int c = (uint8_t) * *at;
		if (c == '%') {
			int high = hex_digit((*at)[1]), low = high < 0 ? -1 : hex_digit((*at)[2]);
			c = low < 0 ? 0 : high * 16 + low;
			*at += low < 0 ? 0 : 2;
		}
		if (!c || !*ret_any)
			return false;
		value[n++] = (char)c;
	}
	value[n] = 0;
	return !**at || **at == ':';
}

static int condition_key(struct ent_source *s, const struct ent_pg_table *t, const char *split, struct ent_buf *sql, struct ent_err *err)
{
	char low[BOUND_BYTES_MAX + 1], high[BOUND_BYTES_MAX + 1];
	bool from, to;
	const char *at = split + 4;
	struct shape shape;
	if (!bound_get(&at, low, &from) || *at++ != ':' || !bound_get(&at, high, &to) || *at)
		return split_bad(split, err);
	ENT_TRY(shape_read(s, t, &shape, err));
	if (!shape.key[0])
		return ent_fail(err, ENT_EDATA, "%s has no primary key any more, its splits mean nothing", t->object);
	for (int i = 0; i < 2; i++) {
		if (!(i ? to : from))
			continue;
		ent_buf_str(sql, i && from ? " AND " : "");
		ent_pg_name(sql, shape.key);
		ent_buf_str(sql, i ? " < CAST(" : " >= CAST(");
		ent_pg_literal(sql, i ? high : low);
		ent_buf_printf(sql, " AS %s)", shape.type);
	}
	ent_buf_str(sql, from || to ? "" : "true");
	return 0;
}

static int condition_split(struct ent_source *s, const struct ent_pg_table *t, const char *split, struct ent_buf *sql, struct ent_err *err)
{
	uint64_t from, to = 0;
	if (!strcmp(split, "all")) {
		ent_buf_str(sql, "true");
		return 0;
	}
	if (!strncmp(split, "key:", 4))
		return condition_key(s, t, split, sql, err);
	const char *colon = strncmp(split, "block:", 6) ? NULL : strchr(split + 6, ':');
	if (!colon || !ent_parse_u64(split + 6, (size_t)(colon - split - 6), UINT32_MAX, &from) ||
	    (colon[1] && !ent_parse_u64(colon + 1, strlen(colon + 1), UINT32_MAX, &to)))
		return split_bad(split, err);
	ent_buf_printf(sql, "ctid >= '(%llu,0)'::tid", (unsigned long long)from);
	if (colon[1])
		ent_buf_printf(sql, " AND ctid < '(%llu,0)'::tid", (unsigned long long)to);
	return 0;
}

/* A condition must be one condition by itself: the server parses it alone before it stands inside COPY. */
static int where_check(struct ent_source *s, const struct ent_pg_table *t, const char *where, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)1 << 20);
	ent_buf_printf(&sql, "SELECT 1 FROM %s WHERE (\n%s\n) LIMIT 0", ent_buf_text(&t->quoted), where);
	ENT_TRY(ent_buf_check(&sql, err));
	return ent_pg_run(s, ent_buf_text(&sql), NULL, 0, NULL, "PostgreSQL refuses the condition", err);
}

int ent_pg_condition(struct ent_source *s, const struct ent_pg_table *t, const struct ent_read *what, struct ent_buf *sql, struct ent_err *err)
{
	if (what->where && what->where[0]) {
		ENT_TRY(where_check(s, t, what->where, err));
		ent_buf_printf(sql, " WHERE (\n%s\n)", what->where);
	}
	if (what->split && what->split[0]) {
		ent_buf_str(sql, what->where && what->where[0] ? " AND " : " WHERE ");
		ENT_TRY(condition_split(s, t, what->split, sql, err));
	}
	return ent_buf_check(sql, err);
}

/* --- snapshots, checksums --- */

int ent_pg_snapshot(struct ent_source *s, char ret[200], struct ent_err *err)
{
	static const char what[] = "PostgreSQL cannot export a snapshot";
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	if (s->cockroach) { /* reads of the past need no session that holds it */
		ENT_TRY(ent_pg_run(s, "SELECT cluster_logical_timestamp()", NULL, 0, &r, what, err));
		snprintf(ret, 200, "%s", PQgetvalue(r, 0, 0));
		return 0;
	}
	if (s->pinned || s->holds)
		return ent_fail(err, ENT_EUNSUPPORTED, "this session cannot export a snapshot");
	ENT_TRY(ent_pg_copying(s, err));
	ENT_TRY(ent_pg_run(s, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, 0, NULL, what, err));
	s->holds = true;
	ENT_TRY(ent_pg_run(s, "SELECT pg_export_snapshot()", NULL, 0, &r, what, err));
	snprintf(ret, 200, "%s", PQgetvalue(r, 0, 0));
	return 0;
}

/* Two sums of 64-bit hashes of each row's text: equal for equal rows in any order. It finds accidents, not forgers. */
int ent_pg_checksum(struct ent_source *s, const struct ent_read *what, struct ent_checksum *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)2 << 20);
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	struct ent_checksum sum = { .size = sizeof sum };
	struct ent_pg_table *t;
	if (s->cockroach)
		return ent_fail(err, ENT_EUNSUPPORTED, "CockroachDB has no hashes of rows that PostgreSQL would have, too");
	ENT_TRY(ent_pg_copying(s, err));
	ENT_TRY(ent_pg_table_get(s, what->object, &t, err));
	ent_buf_str(&sql, "SELECT count(*), mod(mod(coalesce(sum(hashtextextended(h, 1)), 0), 18446744073709551616) + 18446744073709551616, "
			  "18446744073709551616), mod(mod(coalesce(sum(hashtextextended(h, 2)), 0), 18446744073709551616) + 18446744073709551616, "
			  "18446744073709551616) FROM (SELECT CAST(ROW(");
	size_t n = what->columns ? what->n_columns : t->n_fields;
	for (size_t i = 0; i < n; i++) {
		ent_buf_str(&sql, i ? ", " : "");
		ent_pg_name(&sql, what->columns ? what->columns[i] : t->fields[i].name);
	}
	ent_buf_printf(&sql, ") AS text) COLLATE \"C\" AS h FROM %s", ent_buf_text(&t->quoted));
	ENT_TRY(ent_pg_condition(s, t, what, &sql, err));
	ent_buf_str(&sql, ") AS rows");
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(ent_pg_run(s, ent_buf_text(&sql), NULL, 0, &r, "the table cannot be summed", err));
	sum.rows = strtoull(PQgetvalue(r, 0, 0), NULL, 10);
	snprintf(sum.digest, sizeof sum.digest, "%016llx%016llx", strtoull(PQgetvalue(r, 0, 1), NULL, 10), strtoull(PQgetvalue(r, 0, 2), NULL, 10));
	*ret = sum;
	return 0;
}
