/* Changes of MySQL and MariaDB from the binary log: every type as a read gives it, transactions, keys, definitions, resuming, losing the log.
 * usage: test_mysql_changes MODULE NAME PORT PASSWORD-FILE CA */
#include "my_kit.h"

static const struct ent_connector *c;
static struct ent_err err;
static char cursor[400];

static bool cascades; /* accept what foreign keys do below the log */

static struct ent_source *opened(void)
{
	static const struct ent_option accept = { "cascades", "accept" };
	struct ent_host host = suite_host();
	struct ent_source *s = NULL;
	OK(!c->open(&host, mykit_url(""), &accept, cascades, &s, &err), "open: %s %s", err.what, err.why);
	return s;
}

struct following {
	struct ent_source *source;
	struct ent_changes *changes;
	struct ArrowSchema schemas[4];
	struct ent_buf text; /* what came */
	size_t commits, rows;
	int code;
};

static struct following *begun(const char *const *objects, size_t n, const char *from)
{
	struct following *f = calloc(1, sizeof *f);
	ent_buf_init(&f->text, 64 << 20);
	f->source = opened();
	struct ent_changes_spec spec = { .size = sizeof spec, .job = "test", .objects = objects, .n_objects = n, .cursor = from };
	f->code = c->changes_open(f->source, &spec, &f->changes, &err);
	return f;
}

static void ended(struct following *f)
{
	c->changes_close(f->changes);
	c->close(f->source);
	for (size_t i = 0; i < 4; i++)
		ent_schema_release(&f->schemas[i]);
	ent_buf_deinit(&f->text);
	free(f);
}

static void rows_put(struct following *f, const struct ent_event *e)
{
	ENT_BATCH_AUTO b = { 0 };
	if (!OK(!ent_batch_open_copy(&f->schemas[e->table], &e->array, &b, &err), "a batch of changes: %s", err.what))
		return;
	f->rows += b.rows;
	if (b.rows < 100)
		mykit_rows_put(&b, &f->text);
	else
		ent_buf_printf(&f->text, "%zu rows\n", b.rows);
}

static void event_put(struct following *f, struct ent_event *e)
{
	switch (e->kind) {
	case ENT_EVENT_ROWS:
		rows_put(f, e);
		break;
	case ENT_EVENT_SCHEMA:
		ent_schema_release(&f->schemas[e->table]);
		f->schemas[e->table] = ent_schema_take(&e->schema);
		ent_buf_printf(&f->text, "schema %zu", e->table);
		for (int64_t i = 2; i < f->schemas[e->table].n_children; i++)
			ent_buf_printf(&f->text, " %s", f->schemas[e->table].children[i]->name);
		ent_buf_str(&f->text, "\n");
		break;
	case ENT_EVENT_TRUNCATE:
		ent_buf_printf(&f->text, "truncate %zu\n", e->table);
		break;
	case ENT_EVENT_COMMIT:
		f->commits++;
		OK(e->time_us > 0, "a commit has its time");
		snprintf(cursor, sizeof cursor, "%s", e->cursor);
		break;
	case ENT_EVENT_HEARTBEAT:
		snprintf(cursor, sizeof cursor, "%s", e->cursor);
		break;
	case ENT_EVENT_IDLE:
		break;
	}
	ent_array_release(&e->array);
	ent_schema_release(&e->schema);
}

/* Reads until the end of the log as it is now. */
static const char *caught_up(struct following *f)
{
	struct ent_source *s = opened();
	char end[400] = "";
	OK(!c->position(s, end, &err), "%s", err.what);
	c->close(s);
	ent_buf_reset(&f->text);
	ent_buf_str(&f->text, "");
	f->commits = f->rows = 0;
	for (int i = 0; i < 2000 && !f->code; i++) {
		struct ent_event e = { .size = sizeof e };
		f->code = c->changes_next(f->changes, 300, &e, &err);
		if (f->code)
			break;
		event_put(f, &e);
		if (e.cursor[0] && c->position_reached(end, e.cursor))
			break;
	}
	return ent_buf_text(&f->text);
}

static const char *const simple = "changed";

static void test_simple(void)
{
	mykit_run("CREATE TABLE changed (id bigint NOT NULL PRIMARY KEY, v varchar(100), n int)");
	mykit_run("CREATE TABLE other (id bigint NOT NULL PRIMARY KEY)");
	struct following *f = begun(&simple, 1, NULL);
	OK(!f->code, "%s %s", err.what, err.why);
	mykit_run("INSERT INTO other VALUES (1)");
	mykit_run("INSERT INTO changed VALUES (1, 'one', 10), (2, 'two', 20), (3, NULL, 30)");
	mykit_run("UPDATE changed SET v = 'zwei' WHERE id = 2");
	mykit_run("DELETE FROM changed WHERE id = 1");
	mykit_run("UPDATE changed SET id = 30 WHERE id = 3");
	OK_STR(caught_up(f), "schema 0 id v n\nI,~,1,one,10\nI,~,2,two,20\nI,~,3,~,30\nU,~,2,zwei,20\nD,~,1,~,~\nD,~,3,~,~\nI,~,30,~,30\n",
	       "changes in order %s", err.what);
	OK(f->commits >= 1, "%zu commits", f->commits);
	mykit_run("START TRANSACTION");
	mykit_run("INSERT INTO changed SELECT 1000 + a.n + 100 * b.n, 'many', a.n FROM digits a, digits b WHERE b.n < 10");
	mykit_run("ROLLBACK");
	OK_STR(caught_up(f), "", "what is rolled back never comes");
	mykit_run("START TRANSACTION");
	mykit_run("INSERT INTO changed SELECT 1000 + a.n + 100 * b.n, 'many', a.n FROM digits a, digits b");
	mykit_run("DELETE FROM changed WHERE id >= 1100");
	mykit_run("COMMIT");
	caught_up(f);
	OK(f->rows == 19900 && f->commits == 1, "one transaction: %zu rows, %zu commits", f->rows, f->commits);
	mykit_run("TRUNCATE TABLE changed");
	mykit_run("INSERT INTO test.changed VALUES (5, '', NULL)");
	OK_STR(caught_up(f), "truncate 0\nI,~,5,,~\n", "emptied");
	ended(f);
}

static void test_resume(void)
{
	char from[400];
	snprintf(from, sizeof from, "%s", cursor);
	mykit_run("INSERT INTO changed VALUES (6, 'a', 1)");
	mykit_run("FLUSH BINARY LOGS");
	mykit_run("INSERT INTO changed VALUES (7, 'b', 1)");
	for (int i = 0; i < 2; i++) {
		struct following *f = begun(&simple, 1, from);
		OK(!f->code, "%s %s", err.what, err.why);
		OK_STR(caught_up(f), "schema 0 id v n\nI,~,6,a,1\nI,~,7,b,1\n", "from a cursor, over the end of a file, as often as one likes %s",
		       err.what);
		OK(!c->changes_ack(f->changes, cursor, &err) && c->changes_ack(f->changes, "nothing", &err) == ENT_EDATA, "%s", err.what);
		ended(f);
	}
	OK(c->position_reached(from, cursor) && !c->position_reached(cursor, from) && c->position_reached(from, from), "cursors have an order");
	struct following *f = begun(&simple, 1, cursor);
	mykit_run("INSERT INTO changed VALUES (8, 'c', 1)");
	OK_STR(caught_up(f), "schema 0 id v n\nI,~,8,c,1\n");
	mykit_kill_others();
	for (int i = 0; i < 20 && !f->code; i++) {
		struct ent_event e = { .size = sizeof e };
		f->code = c->changes_next(f->changes, 300, &e, &err);
	}
	OK(f->code == ENT_EIO || f->code == ENT_EAGAIN, "a cut connection: %s (%s)", err.what, err.why);
	ended(f);
}

static void test_definitions(void)
{
	struct following *f = begun(&simple, 1, cursor);
	mykit_run("ALTER TABLE changed ADD COLUMN extra text");
	mykit_run("INSERT INTO changed VALUES (40, 'forty', 40, 'more')");
	OK_STR(caught_up(f), "schema 0 id v n extra\nI,~,40,forty,40,more\n", "a new column");
	char before[400];
	snprintf(before, sizeof before, "%s", cursor);
	mykit_run("ALTER TABLE changed MODIFY n bigint, ADD KEY (n)");
	mykit_run("UPDATE changed SET n = 5000000000 WHERE id = 40");
	OK_STR(caught_up(f), "schema 0 id v n extra\nU,~,40,forty,5000000000,more\n", "a wider type");
	mykit_run("INSERT INTO changed VALUES (41, 'x', 1, NULL)");
	mykit_run("ALTER TABLE changed ADD COLUMN filled int NOT NULL DEFAULT 7");
	mykit_run("INSERT INTO changed VALUES (42, 'x', 1, NULL, 8)");
	OK(strstr(caught_up(f), "I,~,41,x,1,~\n"), "what came before is handed over");
	OK(!f->code, "a column with values for older rows is no gap while the log names it %s", err.what);
	ended(f);
	mykit_run("CREATE TABLE gone (id int NOT NULL PRIMARY KEY)");
	static const char *const gone = "gone";
	f = begun(&gone, 1, NULL);
	mykit_run("INSERT INTO gone VALUES (1)");
	mykit_run("DROP TABLE gone");
	OK_STR(caught_up(f), "", "the table is not there any more to say its columns");
	OK_INT(f->code, ENT_ENOTFOUND, "%s", err.what);
	ended(f);
	static const char *const keyless = "no_key";
	mykit_run("CREATE TABLE no_key (id int)");
	f = begun(&keyless, 1, NULL);
	OK_INT(f->code, ENT_EUNSUPPORTED, "%s (%s)", err.what, err.why);
	ended(f);
}

/* What the log would leave out in silence is refused before the first row is read. */
static void test_silences(void)
{
	static const char *const child = "child", *const parent = "parent", *const letters = "letters";
	mykit_run("CREATE TABLE parent (id int PRIMARY KEY)");
	mykit_run("CREATE TABLE child (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE)");
	struct following *f = begun(&child, 1, NULL);
	OK_INT(f->code, ENT_EUNSUPPORTED, "a foreign key that deletes: %s (%s)", err.what, err.why);
	ended(f);
	cascades = true;
	f = begun(&child, 1, NULL);
	OK_INT(f->code, 0, "unless that is accepted: %s", err.what);
	ended(f);
	cascades = false;
	f = begun(&parent, 1, NULL);
	OK_INT(f->code, 0, "the table it points to is followed: %s", err.what);
	ended(f);
	mykit_run("CREATE TABLE letters (id int PRIMARY KEY, v varchar(9) CHARACTER SET gbk)");
	f = begun(&letters, 1, NULL);
	OK_INT(f->code, ENT_EUNSUPPORTED, "a character set: %s (%s)", err.what, err.why);
	ended(f);
}

static void test_stops(void)
{
	struct following *f = begun(&simple, 1, NULL);
	mykit_run("INSERT INTO changed VALUES (50, 'x', 1, NULL, 8)");
	mykit_run("RENAME TABLE changed TO changed_2");
	mykit_run("RENAME TABLE changed_2 TO changed");
	OK(strstr(caught_up(f), "I,~,50,x"), "rows before the end are handed over");
	OK_INT(f->code, ENT_EDATA, "%s: %s", err.what, err.why);
	ended(f);
	f = begun(&simple, 1, NULL);
	mykit_run("SET SESSION binlog_format = STATEMENT");
	mykit_run("UPDATE changed SET n = 2 WHERE id = 50");
	mykit_run("SET SESSION binlog_format = ROW");
	caught_up(f);
	OK_INT(f->code, ENT_EDATA, "statements in the log: %s", err.why);
	ended(f);
	f = begun(&simple, 1, NULL);
	mykit_run("XA START 'two'");
	mykit_run("UPDATE changed SET n = 3 WHERE id = 50");
	mykit_run("XA END 'two'");
	mykit_run("XA COMMIT 'two' ONE PHASE");
	OK(strstr(caught_up(f), "U,~,50,x,3,~,8\n") && !f->code, "XA in one phase %s", err.what);
	mykit_run("XA START 'two'");
	mykit_run("UPDATE changed SET n = 4 WHERE id = 50");
	mykit_run("XA END 'two'");
	mykit_run("XA PREPARE 'two'");
	mykit_run("XA COMMIT 'two'");
	caught_up(f);
	OK_INT(f->code, ENT_EDATA, "XA in two phases: %s", err.why);
	ended(f);
	mykit_run("SET GLOBAL binlog_row_image = MINIMAL");
	f = begun(&simple, 1, NULL);
	OK_INT(f->code, ENT_EUNSUPPORTED, "%s; %s", err.what, err.next);
	ended(f);
	mykit_run("SET GLOBAL binlog_row_image = FULL");
	f = begun(&simple, 1, NULL);
	mykit_run("SET SESSION binlog_row_image = MINIMAL");
	mykit_run("UPDATE changed SET n = 5 WHERE id = 50");
	mykit_run("SET SESSION binlog_row_image = FULL");
	caught_up(f);
	OK_INT(f->code, ENT_EDATA, "rows in part: %s", err.why);
	ended(f);
}

static void test_lost(void)
{
	struct following *f;
	char from[400], other[500];
	struct ent_source *s = opened();
	OK(!c->position(s, from, &err), "%s", err.what);
	c->close(s);
	f = begun(&simple, 1, from);
	mykit_run("INSERT INTO changed VALUES (60, 'x', 1, NULL, 8)");
	caught_up(f);
	OK(!f->code, "%s", err.what);
	ended(f); /* cursor now names when its file was begun */
	snprintf(other, sizeof other, "1 mariadb-99 %s", strchr(strchr(from, ' ') + 1, ' ') + 1);
	f = begun(&simple, 1, other);
	OK_INT(f->code, ENT_EDATA, "another server: %s (%s)", err.what, err.why);
	ended(f);
	snprintf(from, sizeof from, "%s", cursor);
	(void)mykit_purge();
	f = begun(&simple, 1, from);
	caught_up(f);
	OK_INT(f->code, ENT_EDATA, "a purged log: %s (%s)", err.what, err.why);
	ended(f);
	mykit_run("RESET MASTER");
	mykit_run("INSERT INTO changed VALUES (61, 'x', 1, NULL, 8)");
	f = begun(&simple, 1, NULL);
	mykit_run("INSERT INTO changed VALUES (62, 'x', 1, NULL, 8)");
	caught_up(f);
	ended(f);
	snprintf(from, sizeof from, "%s", cursor);
	mykit_run("DO SLEEP(1.1)"); /* the time of a file counts seconds */
	mykit_run("RESET MASTER");
	mykit_run("INSERT INTO changed SELECT 100 + n, REPEAT('x', 90), 1, NULL, 8 FROM digits");
	f = begun(&simple, 1, from);
	caught_up(f);
	OK_INT(f->code, ENT_EDATA, "a log begun anew under the same name: %s (%s)", err.what, err.why);
	ended(f);
}

/* What the log says of a row must be what a read says of it. */
static void test_types(void)
{
	static const char *const object = "kinds_changed";
	mykit_run(
		"CREATE TABLE kinds_changed (id int NOT NULL PRIMARY KEY, t tinyint, tu tinyint unsigned, b tinyint(1), s smallint, su smallint "
		"unsigned, m "
		"mediumint, mu mediumint unsigned, i int, iu int unsigned, l bigint, lu bigint unsigned, d1 decimal(1,0), d2 decimal(18,9), d3 "
		"decimal(38,10), d4 decimal(65,30), d5 decimal(10,10), f float, g double, dt date, tm0 time, tm3 time(3), tm6 time(6), dt0 datetime, "
		"dt1 "
		"datetime(1), dt4 datetime(4), dt6 datetime(6), ts0 timestamp NULL, ts2 timestamp(2) NULL, ts6 timestamp(6) NULL, y year, c char(5), "
		"cl "
		"char(200), v varchar(50), vl varchar(300), tt tinytext, tx text, ml mediumtext, ll longtext, bn binary(6), vb varbinary(20), bb "
		"blob, lb "
		"longblob, bt1 bit(1), bt bit(37), bt64 bit(64), e enum('a','b','\xc3\xa9'), st set('x','y','z'), lat varchar(20) CHARACTER SET "
		"latin1, lc "
		"enum('\xc3\xa4','\xe2\x82\xac') CHARACTER SET latin1)");
	struct following *f = begun(&object, 1, NULL);
	OK(!f->code, "%s %s", err.what, err.why);
	mykit_run("INSERT INTO kinds_changed (id) VALUES (1)");
	mykit_run(
		"INSERT INTO kinds_changed VALUES (2, -128, 255, 1, -32768, 65535, -8388608, 16777215, -2147483648, 4294967295, "
		"-9223372036854775808, "
		"18446744073709551615, -9, -123456789.987654321, 9999999999999999999999999999.9999999999, "
		"-12345678901234567890123456789012345.123456789012345678901234567891, -0.9999999999, -1.5e-7, 1.7976931348623157e308, '0001-01-01', "
		"'00:00:00', '23:59:59.999', '12:34:56.000001', '9999-12-31 23:59:59', '2024-02-29 12:34:56.7', '2024-02-29 12:34:56.7890', "
		"'1999-12-31 23:59:59.999999', '1970-01-01 00:00:01', '2038-01-19 03:14:07.99', '2024-02-29 12:34:56.000009', 2155, 'ab', "
		"REPEAT('\xc3\xa9', 200), 'varchar', REPEAT('w', 300), 'tiny', 'te\\nxt', 'medium', REPEAT('long', 100000), x'0102', x'00ff00', x'', "
		"REPEAT(x'00', 70000), b'1', b'1000000000000000000000000000000000001', 0xffffffffffffffff, '\xc3\xa9', 'x,z', "
		"'\xc3\xa4\xe2\x82\xac\xc3\xbf', "
		"'\xe2\x82\xac')");
	mykit_run("INSERT INTO kinds_changed SELECT 3, 127, 0, 0, 32767, 0, 8388607, 0, 2147483647, 0, 9223372036854775807, 0, 9, 0.000000001, "
		  "-0.0000000001, 0.000000000000000000000000000001, 0, 3e38, -0.1, '9999-12-31', '01:02:03', '00:00:00.001', '23:59:59.999999', "
		  "'1000-01-01 "
		  "00:00:00', '0001-01-01 00:00:00.1', '1969-12-31 23:59:59.9999', '2024-02-29 00:00:00', '2000-01-01', '2000-01-01 00:00:00.01', "
		  "NULL, 1901, "
		  "'', '', '', '', '', '', '', '', x'ffffffffffff', x'', x'00', x'ff', b'0', 0, 1, 'a', '', '', '\xc3\xa4'");
	const char *got = caught_up(f);
	OK(!f->code, "%s %s", err.what, err.why);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf want = ENT_BUF(8 << 20), read = ENT_BUF(8 << 20);
	struct ent_read what = { .size = sizeof what, .object = object };
	OK(!mykit_read(c, &what, &read, &err), "%s %s", err.what, err.why);
	size_t at = strcspn(got, "\n") + 1;
	for (const char *line = ent_buf_text(&read); *line;) {
		size_t n = strcspn(line, "\n") + 1;
		if (line[n - 1] != '\n')
			break;
		ent_buf_str(&want, "I,~,");
		ent_buf_put(&want, line, n);
		line += n;
		if (strchr("123", *line) && *line)
			continue;
		while (*line && !(strchr("123", *line) && line[1] == ',')) { /* a text with a line end */
			n = strcspn(line, "\n") + 1;
			ent_buf_put(&want, line, n);
			line += n;
		}
	}
	const char *a = got + at, *b = ent_buf_text(&want);
	size_t same = 0;
	while (a[same] && a[same] == b[same])
		same++;
	OK(same > 1000 && !strcmp(a, b), "every type as a read gives it, %zu bytes; then log: %.100s; read: %.100s", same, a + same, b + same);
	ended(f);
}

static void test_json(void)
{
	static const char *const object = "documents";
	if (mykit_mariadb)
		return; /* its JSON is text */
	mykit_run("CREATE TABLE documents (id int NOT NULL PRIMARY KEY AUTO_INCREMENT, doc json)");
	struct following *f = begun(&object, 1, NULL);
	static const char *const all[] = {
		"'{\"b\": 1, \"a\": [2.5, null, true, false, \"x\"], \"\": {}}'",
		"'[]'",
		"'{}'",
		"'null'",
		"'1'",
		"'-32769'",
		"'2147483648'",
		"'18446744073709551615'",
		"'-9223372036854775808'",
		"'1.0'",
		"'1e20'",
		"'0.001'",
		"'1e-7'",
		"'123456789.125'",
		"'\"q\\\\\"\\\\\\\\ \\\\n \\\\u0001 \xc3\xa9 \xf0\x9f\xa6\x89\"'",
		"JSON_ARRAY(CAST(1.50 AS DECIMAL(10,2)))",
		"JSON_ARRAY(CAST('2024-02-29 12:34:56.5' AS DATETIME(1)), CAST('2024-02-29' AS DATE), CAST('-12:34:56.789' AS TIME(3)))",
		"JSON_OBJECT('big', REPEAT('x', 70000), 'n', 100000, 'm', 4000000000)",
		"JSON_ARRAY(CAST(x'00ff' AS BINARY))",
		"NULL",
		"'[[[[[[1]]]]]]'",
		"'{\"k1\": 70000, \"k22\": -70000}'"
	};
	for (size_t i = 0; i < ENT_COUNT(all); i++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(4000);
		ent_buf_printf(&sql, "INSERT INTO documents (doc) VALUES (%s)", all[i]);
		mykit_run(ent_buf_text(&sql));
	}
	const char *got = caught_up(f);
	OK(!f->code, "%s %s", err.what, err.why);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf read = ENT_BUF(8 << 20);
	struct ent_read what = { .size = sizeof what, .object = object };
	OK(!mykit_read(c, &what, &read, &err), "%s %s", err.what, err.why);
	got += strcspn(got, "\n") + 1;
	const char *want = ent_buf_text(&read);
	for (size_t i = 0; i < ENT_COUNT(all) && *got && *want; i++) {
		size_t n = strcspn(got, "\n"), m = strcspn(want, "\n");
		OK(n == m + 4 && !memcmp(got + 4, want, m), "%s: log %.*s, read %.*s", all[i], n < 150 ? (int)n : 150, got, m < 150 ? (int)m : 150,
		   want);
		got += n + 1;
		want += m + 1;
	}
	ended(f);
}

int main(int argc, char **argv)
{
	if (!mykit_open(argc, argv) || !(c = suite_module(argv[1])))
		return 2;
	mykit_run("DROP DATABASE test");
	mykit_run("CREATE DATABASE test CHARACTER SET utf8mb4");
	mykit_run("USE test");
	mykit_digits();
	test_simple();
	test_resume();
	test_types();
	test_json();
	test_definitions();
	test_silences();
	test_stops();
	test_lost();
	mykit_close();
	return tap_done();
}
