/* PostgreSQL's own promises about copies: every type, conditions, snapshots, schema changes, replaced tables, changes of odd rows.
 * usage: test_postgresql_copy MODULE PORT PASSWORD-FILE CA */
#include <libpq-fe.h>
#include <stdlib.h>

#include "copy_kit.h"

static const char *port;
static PGconn *con;
static struct suite_copy store;
static const struct ent_connector *c;
static const struct ent_option writing[] = { { "access", "write" } };

static void notice_none(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

static void run(const char *sql)
{
	PGresult *r = PQexec(con, sql);
	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		OK(0, "%.80s: %s", sql, PQerrorMessage(con));
	PQclear(r);
}

static const char *value(const char *sql)
{
	static char out[4000];
	PGresult *r = PQexec(con, sql);
	snprintf(out, sizeof out, "%s", PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) ? PQgetvalue(r, 0, 0) : PQerrorMessage(con));
	PQclear(r);
	return out;
}

/* Rows and column types of two tables, compared by the server. */
static void same(const char *a, const char *b, const char *name)
{
	char sql[1200];
	static const char types[] = "(SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod) || attnotnull, ',' ORDER BY attnum) FROM "
				    "pg_attribute WHERE attrelid = '%s'::regclass AND attnum > 0 AND NOT attisdropped)";
	char left[500], right[500];
	snprintf(sql, sizeof sql,
		 "SELECT (SELECT string_agg(t::text, chr(10) ORDER BY id) FROM %s AS t) IS NOT DISTINCT FROM (SELECT string_agg(t::text, chr(10) "
		 "ORDER BY "
		 "id) FROM %s AS t)",
		 a, b);
	OK_STR(value(sql), "t", "%s: equal rows", name);
	snprintf(left, sizeof left, types, a);
	snprintf(right, sizeof right, types, b);
	snprintf(sql, sizeof sql, "SELECT %s IS NOT DISTINCT FROM %s", left, right);
	OK_STR(value(sql), "t", "%s: equal types", name);
}

static struct ent_source *open_with(const struct ent_option *options, size_t n, struct ent_err *e)
{
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	(void)c->open(&host, store.url, options, n, &src, e);
	return src;
}

/* A whole table through read and sink. */
static int copy(const char *from, const char *to, enum ent_write_mode mode, unsigned flags, const char *where, struct ent_err *e)
{
	struct kit_target t = { .s = &store };
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_STREAM_AUTO stream = { 0 };
	struct ent_source *src = open_with(NULL, 0, e);
	struct ent_read what = { .size = sizeof what, .object = from, .flags = flags, .where = where };
	int code = c->read(src, &what, &stream, e);
	if (!code)
		code = ent_stream_schema(&stream, &schema, e);
	if (!code)
		code = kit_target_open(&t, &store, "own", 0, e);
	if (!code)
		code = kit_target_table(&t, to, &schema, mode, 0, e);
	while (!code) {
		ENT_ARRAY_AUTO a = { 0 };
		code = ent_stream_next(&stream, &a, e);
		if (code || !a.release)
			break;
		code = c->sink_rows(t.sink, t.index, &a, e);
	}
	if (!code)
		code = kit_target_commit(&t, "all", "done", 1, e);
	if (!code)
		code = c->sink_finish(t.sink, 1, e);
	kit_target_close(&t);
	ent_stream_release(&stream);
	c->close(src);
	return code;
}

static void odd_make(void)
{
	run("CREATE TYPE mood2 AS ENUM ('sad', 'glad')");
	run("CREATE DOMAIN d1 AS numeric(10,2)");
	run("CREATE DOMAIN d2 AS d1 CHECK (VALUE > 0)");
	run("CREATE TABLE odd_types (id int PRIMARY KEY, n numeric, n50 numeric(50,10), u uuid, j json, jb jsonb, ia int[], ta text[], iv interval, "
	    "ip "
	    "inet, m mood2, r int4range, tz timetz, mo money, b bytea, t time(3), dom d2, bp char(5), vc varchar(7), bits bit(5), x xml, tsv "
	    "tsvector, p "
	    "point, o oid, nm name, ch \"char\", ts3 timestamp(3), f real[], long text, zoned timestamptz, day date)");
	run("INSERT INTO odd_types VALUES (1, 123456789012345678901234567890.123456789, 1.5, '00112233-4455-6677-8899-aabbccddeeff', '{\"a\" : 1}', "
	    "'{\"b\": [1, null]}', '{1,NULL,3}', '{\"a,b\",\"q\\\"\",NULL}', '1 mon -2 days 03:04:05.678901', '10.0.0.0/8', 'glad', '[1,5)', "
	    "'10:00+02', "
	    "'$1,234.50', '\\x00ff', '12:34:56.789', 12.50, 'ab', 'seven77', B'10101', '<a>b</a>', 'fat cat', '(1.5,-0)', 4294967295, 'nm', 'c', "
	    "'2024-01-01 00:00:00.123', '{0.1,NaN}', repeat('long', 1000))");
	run("INSERT INTO odd_types (id, n, n50, iv, ts3) VALUES (2, 'NaN', -0.0000000001, '-178000000 years', 'infinity'), (3, '-Infinity', 0, '0', "
	    "'0044-03-15 BC')");
	run("INSERT INTO odd_types (id) VALUES (4)");
}

static void test_types(void)
{
	struct ent_err e = ENT_ERR_INIT;
	struct ent_source *src = open_with(NULL, 0, &e);
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_read what = { .size = sizeof what, .object = "odd_types" };
	struct ent_map_line lines[64] = { 0 };
	int there = 1;
	OK(!c->read(src, &what, &stream, &e) && !ent_stream_schema(&stream, &schema, &e), "odd types are read: %s %s", e.what, e.why);
	ent_stream_release(&stream);
	struct ent_target target = { .size = sizeof target, .object = "odd_copy", .schema = &schema, .mode = ENT_WRITE_CREATE };
	OK(!c->map(src, &target, lines, &there, &e), "mapped: %s", e.what);
	for (int64_t i = 0; i < schema.n_children; i++)
		OK(lines[i].verdict == ENT_MAP_EXACT, "%s stays %s: %s", schema.children[i]->name, lines[i].native, lines[i].why);
	c->close(src);
	OK(!copy("odd_types", "odd_copy", ENT_WRITE_CREATE, 0, NULL, &e), "copied: %s %s", e.what, e.why);
	run("ALTER TABLE odd_types ALTER dom TYPE numeric(10,2)"); /* a domain becomes its base type */
	same("odd_types", "odd_copy", "every type");
	OK(!copy("odd_types", "odd_wire", ENT_WRITE_CREATE, ENT_READ_WIRE, NULL, &e), "as images: %s %s", e.what, e.why);
	same("odd_types", "odd_wire", "images");
	OK(!copy("odd_types", "odd_wire", ENT_WRITE_UPSERT, ENT_READ_WIRE, NULL, &e), "images by key: %s %s", e.what, e.why);
	same("odd_types", "odd_wire", "images twice");
	OK(!copy("odd_types", "odd_copy", ENT_WRITE_UPSERT, 0, "id IN (1, 4)", &e), "rows by key: %s %s", e.what, e.why);
	same("odd_types", "odd_copy", "rows twice");
	run("CREATE TABLE narrow (id int PRIMARY KEY, vc varchar(3))");
	OK_INT(copy("odd_types", "narrow", ENT_WRITE_APPEND, 0, NULL, &e), ENT_EUNSUPPORTED, "columns that the target lacks: %s", e.what);
	OK_INT(copy("odd_types", "narrow", ENT_WRITE_APPEND, ENT_READ_WIRE, NULL, &e), ENT_EUNSUPPORTED, "and images: %s", e.what);
	static const int64_t ids[] = { 1, 2 };
	run("CREATE TABLE parsed (id bigint, v inet)");
	OK_INT(kit_write(&store, "parsed", ENT_WRITE_APPEND, ids, "no address", 2, &e), ENT_EDATA, "text that the server cannot parse: %s", e.what);
	OK(strstr(e.why, "column v") && strstr(e.why, "line 1") && strstr(e.why, "no address"), "by line, column and value: %s", e.why);
	OK(!kit_write(&store, "parsed", ENT_WRITE_APPEND, ids, "10.0.0.1", 2, &e), "and what it can: %s %s", e.what, e.why);
	OK_STR(value("SELECT string_agg(id || host(v), ' ') FROM parsed"), "110.0.0.1 210.0.0.1", "is there");
	run("CREATE TABLE small (id smallint, v varchar(3))");
	static const int64_t large[] = { 5, 70000 };
	OK_INT(kit_write(&store, "small", ENT_WRITE_APPEND, large, "abc", 2, &e), ENT_EDATA, "a number too large: %s", e.what);
	OK(strstr(e.what, "row 2 of column id") && strstr(e.why, "70000"), "by row, column and value: %s", e.why);
	OK_INT(kit_write(&store, "small", ENT_WRITE_APPEND, ids, "abcd", 1, &e), ENT_EDATA, "a text too long: %s (%s)", e.what, e.why);
	OK_STR(value("SELECT count(*) FROM small"), "0", "nothing of them stays");
	run("CREATE TABLE nan (id int PRIMARY KEY, n numeric(5,2))");
	run("INSERT INTO nan VALUES (1, 'NaN')");
	OK_INT(copy("nan", "nan_copy", ENT_WRITE_REPLACE, 0, NULL, &e), ENT_EDATA, "NaN is no decimal: %s", e.what);
	OK(strstr(e.what, "row 1 of column n"), "by row and name");
	OK(!copy("nan", "nan_copy", ENT_WRITE_REPLACE, ENT_READ_WIRE, NULL, &e), "its image is exact: %s %s", e.what, e.why);
	same("nan", "nan_copy", "NaN");
}

static void test_where(void)
{
	struct ent_err e = ENT_ERR_INIT;
	static const char *const bad[] = { "true) TO STDOUT; DROP TABLE odd_types; --", "id = 1; SELECT 1", "/* ", "nothing = 1", "id = 1)" };
	for (size_t i = 0; i < ENT_COUNT(bad); i++)
		OK_INT(copy("odd_types", "where_copy", ENT_WRITE_REPLACE, 0, bad[i], &e), ENT_ESQL, "%s: %s (%s)", bad[i], e.what, e.why);
	OK(!copy("odd_types", "where_copy", ENT_WRITE_REPLACE, 0, "id = 1 OR id = 2 -- two", &e), "%s %s", e.what, e.why);
	OK_STR(value("SELECT count(*) FROM where_copy"), "2", "a condition");
	struct ent_source *src = open_with(NULL, 0, &e);
	uint64_t epoch = 0;
	struct ent_sink *k = NULL;
	OK_INT(c->sink_open(src, "x", &epoch, &k, &e), ENT_EDENIED, "a reading session takes nothing: %s", e.next);
	c->close(src);
	const struct ent_option odd[] = { { "acess", "write" } };
	src = open_with(odd, 1, &e);
	OK(!src && e.code == ENT_EUSAGE && strstr(e.what, "acess"), "an unknown option: %s", e.what);
}

static size_t count(struct ent_source *src, const char *object, const char *split, struct ent_err *e)
{
	static const char *const id = "id";
	ENT_STREAM_AUTO stream = { 0 };
	struct ent_read what = { .size = sizeof what, .object = object, .columns = &id, .n_columns = 1, .split = split };
	size_t n = 0;
	if (c->read(src, &what, &stream, e))
		return SIZE_MAX;
	for (;;) {
		ENT_ARRAY_AUTO a = { 0 };
		if (ent_stream_next(&stream, &a, e))
			return SIZE_MAX;
		if (!a.release)
			return n;
		n += (size_t)a.length;
	}
}

static void test_snapshot(void)
{
	struct ent_err e = ENT_ERR_INIT;
	char name[200] = "";
	run("CREATE TABLE snap AS SELECT i AS id FROM generate_series(1, 100) AS i");
	struct ent_source *holder = open_with(NULL, 0, &e);
	OK(!c->snapshot(holder, name, &e), "exported: %s %s", e.what, e.why);
	run("INSERT INTO snap VALUES (101)");
	const struct ent_option option[] = { { "snapshot", name } };
	struct ent_source *src = open_with(option, 1, &e);
	OK(src != NULL, "used: %s %s", e.what, e.why);
	OK_INT(count(src, "snap", NULL, &e), 100, "the old state");
	OK_INT(count(src, "nothing", NULL, &e), SIZE_MAX, "an error in between: %s", e.what);
	OK_INT(count(src, "snap", "key:=1:", &e), SIZE_MAX, "another: %s", e.what);
	OK_INT(count(src, "snap", "block:0:", &e), 100, "and the old state still");
	c->close(src);
	c->close(holder);
	src = open_with(option, 1, &e);
	OK(!src, "it ends with its session: %s", e.why);
}

struct sum {
	size_t splits, rows;
	struct ent_source *src;
	const char *object;
};

static int split_sum(void *arg, const char *split, int64_t rows)
{
	struct sum *s = (struct sum *)arg;
	struct ent_err e = ENT_ERR_INIT;
	(void)rows;
	s->splits++;
	s->rows += count(s->src, s->object, split, &e);
	return 0;
}

static void plan_sum(const char *object, const struct ent_option *options, size_t n, const char *name)
{
	struct ent_err e = ENT_ERR_INIT;
	struct ent_source *src = open_with(options, n, &e);
	struct sum s = { .src = open_with(NULL, 0, &e), .object = object };
	OK(!c->plan(src, object, 1000, split_sum, &s, &e), "%s: %s %s", name, e.what, e.why);
	OK(s.splits > 3 && s.rows == 10000, "%s: %zu splits, %zu rows", name, s.splits, s.rows);
	c->close(src);
	c->close(s.src);
}

static void test_plans(void)
{
	static const struct ent_option block[] = { { "split-by", "block" } };
	run("CREATE TABLE by_text (id text COLLATE \"C\" PRIMARY KEY, v text)");
	run("INSERT INTO by_text SELECT md5(i::text) || ': % ''' || i, repeat('x', 50) FROM generate_series(1, 10000) AS i");
	run("CREATE TABLE no_key AS SELECT i AS id, repeat('x', 50) AS v FROM generate_series(1, 10000) AS i");
	run("CREATE TABLE parts (id int, v text) PARTITION BY RANGE (id)");
	run("CREATE TABLE parts1 PARTITION OF parts FOR VALUES FROM (0) TO (3000)");
	run("CREATE TABLE parts2 PARTITION OF parts FOR VALUES FROM (3000) TO (100000)");
	run("INSERT INTO parts SELECT i, repeat('x', 50) FROM generate_series(1, 10000) AS i");
	run("ANALYZE");
	plan_sum("by_text", NULL, 0, "ranges of a text key");
	plan_sum("by_text", block, 1, "blocks on demand");
	plan_sum("no_key", NULL, 0, "blocks without a key");
	plan_sum("parts", NULL, 0, "blocks of partitions");
}

/* --- changed rows in batches --- */

static const struct ent_field change_fields[] = { { .name = "entente.op", .type = { ENT_T_TEXT, 0, 0 } },
						  { .name = "entente.unchanged", .type = { ENT_T_TEXT, 0, 0 }, .nullable = true },
						  { .name = "id", .type = { ENT_T_INT32, 0, 0 }, .nullable = true },
						  { .name = "a", .type = { ENT_T_TEXT, 0, 0 }, .nullable = true },
						  { .name = "b", .type = { ENT_T_TEXT, 0, 0 }, .nullable = true } };

static void change_put(struct ent_builder *b, const char *op, const char *unchanged, int id, const char *a, const char *v)
{
	const char *const texts[] = { a, v };
	OK(!ent_builder_text(b, 0, ent_bytes_str(op), NULL), "op");
	(void)(unchanged ? ent_builder_text(b, 1, ent_bytes_str(unchanged), NULL) : ent_builder_null(b, 1, NULL));
	(void)ent_builder_int(b, 2, id, NULL);
	for (size_t i = 0; i < 2; i++)
		(void)(texts[i] ? ent_builder_text(b, 3 + i, ent_bytes_str(texts[i]), NULL) : ent_builder_null(b, 3 + i, NULL));
}

static void test_batches(void)
{
	struct ent_err e = ENT_ERR_INIT;
	struct kit_target t = { .s = &store };
	ENT_SCHEMA_AUTO schema = { 0 }, table = { 0 };
	ENT_ARRAY_AUTO rows = { 0 };
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	run("CREATE TABLE net (id int PRIMARY KEY, a text UNIQUE, b text)");
	run("INSERT INTO net SELECT i, 'a' || i, 'b' || i FROM generate_series(1, 50) AS i");
	OK(!ent_schema_new(change_fields, 5, "id", &schema, &e) && !ent_schema_new(change_fields + 2, 3, "id", &table, &e) &&
		   !ent_builder_new(&schema, 0, &b, &e),
	   "%s", e.what);
	change_put(b, "U", "b", 1, "one", NULL); /* b is kept */
	change_put(b, "U", NULL, 2, "two", "first");
	change_put(b, "U", "b", 2, "zwei", NULL); /* b comes from the row before */
	change_put(b, "D", NULL, 3, NULL, NULL);
	change_put(b, "I", NULL, 3, "new", "new");
	change_put(b, "I", NULL, 60, "gone", "gone");
	change_put(b, "D", NULL, 60, NULL, NULL);
	for (int i = 10; i < 40; i++)
		change_put(b, i % 2 ? "D" : "U", NULL, i, i % 2 ? NULL : "x", i % 2 ? NULL : "y");
	run("ALTER TABLE net DROP CONSTRAINT net_a_key");
	OK(!ent_builder_finish(b, &rows, &e) && !kit_target_open(&t, &store, "net", 0, &e) &&
		   !kit_target_table(&t, "net", &table, ENT_WRITE_UPSERT, 0, &e),
	   "%s %s", e.what, e.why);
	OK(!c->sink_changes(t.sink, t.index, &schema, &rows, &e) && !kit_target_commit(&t, "changes", "1", 1, &e), "net effect: %s %s", e.what,
	   e.why);
	OK_STR(value("SELECT string_agg(id || a || b, ' ' ORDER BY id) FROM net WHERE id < 12 OR id >= 60"),
	       "1oneb1 2zweifirst 3newnew 4a4b4 5a5b5 6a6b6 7a7b7 8a8b8 9a9b9 10xy", "of many changes per key");
	OK_STR(value("SELECT count(*) FROM net"), "35", "deletes too");
	ent_array_release(&rows);
	run("UPDATE net SET a = 'a' || id");
	run("ALTER TABLE net ADD UNIQUE (a)");
	change_put(b, "U", NULL, 1, "free", "s"); /* 1 and 2 swap a through a third value */
	change_put(b, "U", NULL, 2, "a1", "s");
	change_put(b, "U", NULL, 1, "a2", "s");
	for (int i = 100; i < 140; i++) {
		char text[20];
		snprintf(text, sizeof text, "n%d", i);
		change_put(b, "I", NULL, i, text, NULL);
	}
	OK(!ent_builder_finish(b, &rows, &e) && !c->sink_changes(t.sink, t.index, &schema, &rows, &e) &&
		   !kit_target_commit(&t, "changes", "2", 1, &e),
	   "another unique key: %s %s", e.what, e.why);
	OK_STR(value("SELECT string_agg(id || a, ' ' ORDER BY id) FROM net WHERE id < 4"), "1a2 2a1 3a3", "in order");
	OK_STR(value("SELECT count(*) FROM pg_class WHERE relname LIKE '\\_entente\\_stage%'"), "0", "no stage stays");
	kit_target_close(&t);
}

/* --- small batches of several tables in turn --- */

struct turns { /* two tables of one sink */
	struct kit_target t;
	struct ArrowSchema schema, table;
	struct ent_builder *b;
	size_t at[2];
	struct ent_err e;
};

static bool turns_open(struct turns *u, const char *job, const char *first, const char *second)
{
	*u = (struct turns){ .t = { .s = &store } };
	bool ok = !ent_schema_new(change_fields, 5, "id", &u->schema, &u->e) && !ent_schema_new(change_fields + 2, 3, "id", &u->table, &u->e) &&
		  !ent_builder_new(&u->schema, 0, &u->b, &u->e) && !kit_target_open(&u->t, &store, job, 0, &u->e) &&
		  !kit_target_table(&u->t, first, &u->table, ENT_WRITE_UPSERT, 0, &u->e);
	u->at[0] = u->t.index;
	ok = ok && !kit_target_table(&u->t, second, &u->table, ENT_WRITE_UPSERT, 0, &u->e);
	u->at[1] = u->t.index;
	return ok;
}

static void turns_close(struct turns *u)
{
	kit_target_close(&u->t);
	ent_builder_free(u->b);
	ent_schema_release(&u->schema);
	ent_schema_release(&u->table);
}

/* What the builder holds goes to a table. */
static bool turn_send(struct turns *u, size_t table)
{
	ENT_ARRAY_AUTO rows = { 0 };
	return !ent_builder_finish(u->b, &rows, &u->e) && !c->sink_changes(u->t.sink, u->at[table], &u->schema, &rows, &u->e);
}

static bool turn(struct turns *u, size_t table, const char *op, int id, const char *a)
{
	bool whole = op[0] != 'D';
	change_put(u->b, op, NULL, id, whole ? a : NULL, whole ? "b" : NULL);
	return turn_send(u, table);
}

static void test_gather(void)
{
	struct turns u;
	bool ok = true;
	run("CREATE TABLE ga (id int PRIMARY KEY, a text, b text)");
	run("CREATE TABLE gb (LIKE ga INCLUDING ALL)");
	OK(turns_open(&u, "gather", "ga", "gb"), "%s %s", u.e.what, u.e.why);
	for (int i = 1; i <= 100; i++)
		ok = ok && turn(&u, 0, "I", i, "first") && turn(&u, 1, "I", i, "only") && turn(&u, 0, "U", i, "second");
	for (int i = 1; i <= 1100; i++) /* a large batch does not overtake the small ones */
		change_put(u.b, i == 2 ? "D" : "U", NULL, i, i == 2 ? NULL : "third", NULL);
	OK(ok && turn_send(&u, 0) && turn(&u, 0, "I", 3, "fourth") && !kit_target_commit(&u.t, "changes", "1", 1, &u.e),
	   "two tables in turn, small and large batches: %s %s", u.e.what, u.e.why);
	OK_STR(value("SELECT string_agg(id || a, ' ' ORDER BY id) || count(*) FROM ga WHERE id < 5 OR id = 1100"), "1third 3fourth 4third 1100third4",
	       "each table's changes in their order");
	OK_STR(value("SELECT count(*) || ' ' || count(DISTINCT cmin::text) || ' ' || min(a) FROM gb"), "100 1 only", "small batches go in together");
	OK(turn(&u, 0, "I", 5000, "x") && turn(&u, 1, "D", 1, NULL) && !c->sink_rollback(u.t.sink, &u.e) && turn(&u, 1, "I", 300, "y") &&
		   !kit_target_commit(&u.t, "changes", "2", 1, &u.e),
	   "rolled back, then another: %s", u.e.what);
	OK_STR(value("SELECT (SELECT count(*) FROM ga WHERE id = 5000) || ' ' || (SELECT count(*) FROM gb)"), "0 101", "what waited is gone, too");
	OK(turn(&u, 0, "I", 6000, "x") && turn(&u, 1, "I", 400, "y") && !c->sink_truncate(u.t.sink, u.at[1], &u.e) && turn(&u, 1, "I", 500, "z") &&
		   !kit_target_commit(&u.t, "changes", "3", 1, &u.e),
	   "a table is emptied in between: %s", u.e.what);
	OK_STR(value("SELECT (SELECT count(*) FROM ga WHERE id = 6000) || ' ' || (SELECT string_agg(a, ',') FROM gb)"), "1 z", "at its place");
	turns_close(&u);
}

/* Tables that look at each other: in the order of the log, also when the foreign key came after the stream began. */
static void test_gather_keys(void)
{
	struct turns u;
	bool ok = true;
	run("CREATE TABLE gp (id int PRIMARY KEY, a text, b text)");
	run("CREATE TABLE gc (LIKE gp INCLUDING ALL)");
	OK(turns_open(&u, "gather_keys", "gp", "gc"), "%s %s", u.e.what, u.e.why);
	for (int i = 1; i <= 50; i++) /* the child first: nothing says that it is one */
		ok = ok && turn(&u, 1, "I", i, "child") && turn(&u, 0, "I", i, "parent");
	OK(ok && !kit_target_commit(&u.t, "changes", "1", 1, &u.e), "without a foreign key: %s %s", u.e.what, u.e.why);
	run("ALTER TABLE gc ADD FOREIGN KEY (id) REFERENCES gp (id)");
	for (int i = 1; i <= 50; i++)
		ok = ok && turn(&u, 1, "D", i, NULL) && turn(&u, 0, "D", i, NULL) && turn(&u, 0, "I", 100 + i, "p") && turn(&u, 1, "I", 100 + i, "c");
	OK(ok && !kit_target_commit(&u.t, "changes", "2", 1, &u.e), "with one: %s %s", u.e.what, u.e.why);
	OK_STR(value("SELECT min(gp.id) || ' ' || count(*) FROM gp JOIN gc USING (id)"), "101 50", "parents and children as they came");
	turns_close(&u);
}

/* --- the target's table --- */

static int alter(const char *from_type, const char *to_type, const struct ent_field *fields, size_t n, struct ent_err *e)
{
	struct kit_target t = { .s = &store };
	char sql[300];
	ENT_SCHEMA_AUTO schema = { 0 }, before = { 0 };
	ENT_STREAM_AUTO stream = { 0 };
	struct ent_source *src = open_with(NULL, 0, e);
	struct ent_read what = { .size = sizeof what, .object = "alter_from" };
	run("DROP TABLE IF EXISTS alter_to, alter_from");
	snprintf(sql, sizeof sql, "CREATE TABLE alter_to (id int PRIMARY KEY, v %s)", from_type);
	run(sql);
	snprintf(sql, sizeof sql, "CREATE TABLE alter_from (id int PRIMARY KEY, v %s)", from_type);
	run(sql);
	OK(!c->read(src, &what, &stream, e) && !ent_stream_schema(&stream, &before, e), "%s", e->what);
	ent_stream_release(&stream);
	c->close(src);
	int code = fields ? ent_schema_new(fields, n, "id", &schema, e) : 0;
	if (!fields) {
		snprintf(sql, sizeof sql, "ALTER TABLE alter_from ALTER v TYPE %s", to_type);
		run(sql);
		src = open_with(NULL, 0, e);
		OK(!c->read(src, &what, &stream, e) && !ent_stream_schema(&stream, &schema, e), "%s", e->what);
		ent_stream_release(&stream);
		c->close(src);
	}
	if (!code)
		code = kit_target_open(&t, &store, "alter", 0, e);
	if (!code)
		code = kit_target_table(&t, "alter_to", &before, ENT_WRITE_UPSERT, 0, e);
	if (!code)
		code = c->sink_alter(t.sink, t.index, &schema, e);
	if (!code)
		code = kit_target_commit(&t, "changes", "1", 0, e);
	kit_target_close(&t);
	return code;
}

static void test_alter(void)
{
	static const char *const wider[][2] = { { "smallint", "integer" },          { "integer", "bigint" },        { "real", "double precision" },
						{ "numeric(5,2)", "numeric(9,4)" }, { "varchar(3)", "varchar(9)" }, { "varchar(3)", "text" } };
	static const char *const other[][2] = { { "bigint", "text" }, { "text", "jsonb USING v::jsonb" }, { "numeric(5,2)", "numeric(6,4)" } };
	static const char type[] =
		"SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'alter_to'::regclass AND attname = 'v'";
	static const char want[] =
		"SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'alter_from'::regclass AND attname = 'v'";
	static const struct ent_field more[] = { { .name = "id", .type = { ENT_T_INT32, 0, 0 } },
						 { .name = "v", .type = { ENT_T_INT32, 0, 0 }, .nullable = true },
						 { .name = "w", .type = { ENT_T_TEXT, 0, 0 }, .nullable = true },
						 { .name = "x", .type = { ENT_T_TEXT, 0, 0 } } };
	struct ent_err e = ENT_ERR_INIT;
	for (size_t i = 0; i < ENT_COUNT(wider); i++) {
		OK(!alter(wider[i][0], wider[i][1], NULL, 0, &e), "%s to %s: %s %s", wider[i][0], wider[i][1], e.what, e.why);
		char got[100];
		snprintf(got, sizeof got, "%s", value(type));
		OK_STR(got, value(want), "followed");
	}
	for (size_t i = 0; i < ENT_COUNT(other); i++)
		OK_INT(alter(other[i][0], other[i][1], NULL, 0, &e), ENT_EUNSUPPORTED, "%s to %s: %s", other[i][0], other[i][1], e.what);
	OK(!alter("integer", NULL, more, 3, &e), "a new column: %s %s", e.what, e.why);
	OK_STR(value("SELECT count(w) FROM alter_to"), "0", "is there");
	OK_INT(alter("integer", NULL, more, 4, &e), ENT_EUNSUPPORTED, "one without NULL is not: %s", e.what);
	OK_INT(alter("integer", NULL, more, 1, &e), ENT_EUNSUPPORTED, "a column gone: %s", e.what);
}

static void test_replace(void)
{
	struct ent_err e = ENT_ERR_INIT;
	static const int64_t ids[] = { 1, 1 };
	run("CREATE ROLE reader");
	run("CREATE TABLE old (id bigint PRIMARY KEY, v text DEFAULT 'd')");
	run("GRANT SELECT ON old TO reader");
	run("INSERT INTO old VALUES (7)");
	OK_INT(kit_write(&store, "old", ENT_WRITE_REPLACE, ids, "x", 2, &e), ENT_EDATA, "a key twice: %s (%s)", e.what, e.why);
	OK_STR(value("SELECT string_agg(id::text, ',') FROM old"), "7", "the old rows stay");
	OK(!kit_write(&store, "old", ENT_WRITE_REPLACE, ids, "x", 1, &e), "%s %s", e.what, e.why);
	OK_STR(value("SELECT string_agg(id::text, ',') || has_table_privilege('reader', 'old', 'SELECT') FROM old"), "1true", "new rows, old rights");
	OK_STR(value("SELECT column_default FROM information_schema.columns WHERE table_name = 'old' AND column_name = 'v'"), "'d'::text",
	       "old defaults");
	run("CREATE TABLE child (id bigint REFERENCES old)");
	OK_INT(kit_write(&store, "old", ENT_WRITE_REPLACE, ids, "y", 1, &e), ENT_EUNSUPPORTED, "foreign keys are not lost: %s", e.what);
	OK_STR(value("SELECT v FROM old"), "x", "nothing changed");
	OK_INT(kit_write(&store, "child", ENT_WRITE_UPSERT, ids, "y", 1, &e), ENT_EUNSUPPORTED, "%s", e.what);
	run("CREATE TABLE keyless (id bigint, v text)");
	OK_INT(kit_write(&store, "keyless", ENT_WRITE_UPSERT, ids, "y", 1, &e), ENT_EUSAGE, "an upsert needs a unique key: %s", e.what);
	run("CREATE FUNCTION drop_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'");
	run("CREATE TRIGGER t BEFORE INSERT ON keyless FOR EACH ROW EXECUTE FUNCTION drop_row()");
	OK_INT(kit_write(&store, "keyless", ENT_WRITE_APPEND, ids, "y", 1, &e), ENT_EDATA, "rows that a trigger drops: %s", e.what);
}

/* One run writes rows[0] and goes away before the end; the next goes on with rows[1] and ends. */
static int two_runs(const char *object, const int64_t ids[2], struct ent_err *e)
{
	int code = 0;
	char keys[200];
	snprintf(keys, sizeof keys, "SELECT count(*)::text FROM pg_constraint WHERE conrelid = to_regclass('%s')", object);
	for (int i = 0; i < 2 && !code; i++) {
		struct kit_target t = { .s = &store };
		ENT_SCHEMA_AUTO schema = { 0 };
		ENT_ARRAY_AUTO rows = { 0 };
		code = kit_simple(&ids[i], "x", 1, &schema, &rows);
		code = code ? code : kit_target_open(&t, &store, object, 0, e);
		code = code ? code : kit_target_table(&t, object, &schema, i ? ENT_WRITE_APPEND : ENT_WRITE_CREATE, i, e);
		if (!i)
			OK_STR(value(keys), "0", "a table is filled before it gets its key");
		code = code ? code : c->sink_rows(t.sink, t.index, &rows, e);
		code = code ? code : kit_target_commit(&t, "part", "1", 1, e);
		code = code || !i ? code : c->sink_finish(t.sink, 1, e);
		kit_target_close(&t);
	}
	return code;
}

static void test_namespace(void)
{
	static const int64_t ids[] = { 1 };
	struct ent_err e = ENT_ERR_INIT;
	OK(!kit_write(&store, "fresh \"one.t", ENT_WRITE_CREATE, ids, "x", 1, &e), "a copy makes the schema that its target lacks: %s %s", e.what,
	   e.why);
	OK_STR(value("SELECT v FROM \"fresh \"\"one\".t"), "x", "and its rows are there");
}

static void test_late_key(void)
{
	static const int64_t good[] = { 1, 2 }, twice[] = { 1, 1 };
	struct ent_err e = ENT_ERR_INIT;
	OK(!two_runs("keyed_late", good, &e), "%s %s", e.what, e.why);
	OK_STR(value("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'keyed_late'::regclass"), "PRIMARY KEY (id)",
	       "the key comes at the end, though another run made the table");
	OK_STR(value("SELECT count(*)::text FROM _entente_checkpoint WHERE job = 'keyed_late' AND part <> 'entente.epoch'"), "0",
	       "and nothing remembers that it was due");
	OK_INT(two_runs("keyed_twice", twice, &e), ENT_EDATA, "rows with the same key are told at the end: %s", e.what);
	OK(strstr(e.why, "(id)=(1)") != NULL, "by name: %s", e.why);
}

/* --- following odd rows --- */

static int follow_once(struct ent_source *src, const char *const *objects, const char *cursor, struct ent_changes **ret, struct ent_err *e)
{
	struct ent_changes_spec spec = { .size = sizeof spec, .job = "odd", .objects = objects, .n_objects = 1, .cursor = cursor };
	return c->changes_open(src, &spec, ret, e);
}

/* Applies events until the source's present end. */
static int follow_apply(struct ent_changes *changes, struct kit_target *t, char cursor[400], struct ent_err *e)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	char end[400];
	struct ent_source *other = open_with(NULL, 0, e);
	int code = c->position(other, end, e);
	c->close(other);
	for (int i = 0; !code && i < 200; i++) {
		struct ent_event v = { .size = sizeof v };
		code = c->changes_next(changes, 100, &v, e);
		if (!code && v.kind == ENT_EVENT_SCHEMA) {
			ent_schema_release(&schema);
			schema = ent_schema_take(&v.schema);
		}
		if (!code && v.kind == ENT_EVENT_ROWS)
			code = c->sink_changes(t->sink, t->index, &schema, &v.array, e);
		ent_array_release(&v.array);
		if (code || (v.kind != ENT_EVENT_COMMIT && v.kind != ENT_EVENT_HEARTBEAT))
			continue;
		snprintf(cursor, 400, "%s", v.cursor);
		code = kit_target_commit(t, "changes", cursor, 0, e);
		if (!code && c->position_reached(end, cursor))
			return c->changes_ack(changes, cursor, e);
	}
	return code ? code : ENT_EAGAIN;
}

static void test_follow(void)
{
	static const char *const objects[] = { "odd_types" };
	struct ent_err e = ENT_ERR_INIT;
	struct kit_target t = { .s = &store };
	struct ent_changes *changes = NULL;
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_STREAM_AUTO stream = { 0 };
	struct ent_read what = { .size = sizeof what, .object = "odd_types" };
	char cursor[400] = "", other[400];
	struct ent_source *src = open_with(writing, 1, &e);
	OK(!c->read(src, &what, &stream, &e) && !ent_stream_schema(&stream, &schema, &e), "%s", e.what);
	ent_stream_release(&stream);
	OK(!kit_target_open(&t, &store, "odd", 0, &e) && !kit_target_table(&t, "odd_copy", &schema, ENT_WRITE_UPSERT, 0, &e), "%s %s", e.what, e.why);
	run("ALTER TABLE odd_types ALTER long SET STORAGE EXTERNAL");
	run("UPDATE odd_types SET long = repeat('large', 2000) WHERE id = 1");
	OK(!copy("odd_types", "odd_copy", ENT_WRITE_UPSERT, 0, NULL, &e), "%s %s", e.what, e.why);
	OK(!follow_once(src, objects, NULL, &changes, &e), "followed: %s %s", e.what, e.why);
	run("UPDATE odd_types SET n = 5 WHERE id = 1"); /* long is not repeated */
	run("INSERT INTO odd_types SELECT 5, n, n50, u, j, jb, ia, ta, iv, ip, m, r, tz, mo, b, t, dom, bp, vc, bits, x, tsv, p, o, nm, ch, ts3, f, "
	    "'l' "
	    "FROM odd_types WHERE id = 1");
	run("INSERT INTO odd_types SELECT 100 + i, i FROM generate_series(1, 60) AS i");
	run("UPDATE odd_types SET n = 'NaN', ts3 = '-infinity' WHERE id > 130");
	run("DELETE FROM odd_types WHERE id BETWEEN 110 AND 120");
	run("UPDATE odd_types SET vc = 'bc', t = '24:00', zoned = '0044-03-15 10:00 BC' WHERE id = 3");
	run("UPDATE odd_types SET zoned = '20000-01-01', day = '4000-01-01 BC' WHERE id = 2");
	OK(!follow_apply(changes, &t, cursor, &e), "applied: %s %s", e.what, e.why);
	same("odd_types", "odd_copy", "followed odd rows");
	run("UPDATE odd_types SET id = 6 WHERE id = 1");
	OK_INT(follow_apply(changes, &t, other, &e), ENT_EUNSUPPORTED, "a key that moves without its large value: %s (%s)", e.what, e.next);
	c->changes_close(changes);
	run("ALTER TABLE odd_types REPLICA IDENTITY FULL");
	OK(!c->sink_rollback(t.sink, &e), "%s", e.what);
	OK(!copy("odd_types", "odd_copy", ENT_WRITE_REPLACE, 0, NULL, &e), "anew: %s %s", e.what, e.why);
	OK(!follow_once(src, objects, NULL, &changes, &e), "%s %s", e.what, e.why);
	run("UPDATE odd_types SET id = 7 WHERE id = 6");
	OK(!follow_apply(changes, &t, cursor, &e), "with the whole old row: %s %s", e.what, e.why);
	same("odd_types", "odd_copy", "a moved key");
	run("ALTER TABLE odd_types RENAME TO odd_renamed");
	run("UPDATE odd_renamed SET n = 8 WHERE id = 7");
	OK_INT(follow_apply(changes, &t, other, &e), ENT_EDATA, "a renamed table stops: %s", e.what);
	c->changes_close(changes);
	run("ALTER TABLE odd_renamed RENAME TO odd_types");
	snprintf(other, sizeof other, "1%s", cursor);
	OK_INT(follow_once(src, objects, other, &changes, &e), ENT_EDATA, "another server: %s (%s)", e.what, e.why);
	OK_INT(follow_once(src, objects, "nonsense", &changes, &e), ENT_EDATA, "no cursor: %s", e.what);
	struct ent_source *reading = open_with(NULL, 0, &e);
	OK(!c->changes_drop(reading, "odd", &e), "dropped by a session that only reads: %s %s", e.what, e.why);
	c->close(reading);
	OK_STR(value("SELECT (SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'entente_odd') + (SELECT count(*) FROM pg_publication)"),
	       "0", "nothing is kept");
	OK_INT(follow_once(src, objects, cursor, &changes, &e), ENT_EDATA, "the slot is gone: %s (%s)", e.what, e.why);
	static const char *const keyless[] = { "no_key" };
	OK_INT(follow_once(src, keyless, NULL, &changes, &e), ENT_EUNSUPPORTED, "no key: %s", e.what);
	kit_target_close(&t);
	c->close(src);
}

int main(int argc, char **argv)
{
	char url[200];
	if (argc != 5)
		return 2;
	port = argv[2];
	snprintf(url, sizeof url, "postgresql://test:test@127.0.0.1:%s/test", port);
	con = PQconnectdb(url);
	OK(PQstatus(con) == CONNECTION_OK, "%s", PQerrorMessage(con));
	PQsetNoticeProcessor(con, notice_none, NULL);
	c = suite_module(argv[1]);
	store = (struct suite_copy){ .name = "PostgreSQL", .connector = c, .url = url, .options = writing, .n_options = 1, .prefix = "public." };
	if (c) {
		odd_make();
		test_types();
		test_where();
		test_snapshot();
		test_plans();
		test_batches();
		test_gather();
		test_gather_keys();
		test_alter();
		test_replace();
		test_late_key();
		test_namespace();
		test_follow();
	}
	PQfinish(con);
	return tap_done();
}
