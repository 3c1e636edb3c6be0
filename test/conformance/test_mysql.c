/* MySQL and MariaDB: the suite, then kinds of columns, sessions, splits, volume. usage: test_mysql MODULE NAME PORT PASSWORD-FILE CA */
#include "my_kit.h"

static void tables_make(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(4 << 20);
	static const char *const types[SUITE_COLUMNS] = { "int",   "tinyint(1)", "smallint", "int",         "bigint",      "decimal(12,2)",
							  "float", "double",     "date",     "datetime(6)", "datetime(6)", "longtext" };
	ent_buf_str(&sql, "CREATE TABLE t (");
	for (size_t i = 0; i < SUITE_COLUMNS; i++)
		ent_buf_printf(&sql, "%s`%s` %s%s", i ? ", " : "", suite_names[i], types[i], i ? "" : " NOT NULL PRIMARY KEY");
	ent_buf_str(&sql, ")");
	mykit_run(ent_buf_text(&sql));
	mykit_canonical("t");
	static const char *const more[] = {
		"CREATE TABLE none LIKE t",
		"CREATE TABLE kinds (id int NOT NULL, odd point, wide decimal(30,2), huge decimal(50,10), raw varbinary(10), fixed binary(4), clock "
		"time(3), tags set('a','b','c'), mood enum('sad','glad'), price decimal(10,2) unsigned, code char(5) NOT NULL, u8 tinyint unsigned, "
		"u16 smallint unsigned, u24 mediumint unsigned, u32 int unsigned, u64 bigint unsigned, bits bit(10), y year, doc json, at "
		"timestamp(3) NULL, latin varchar(10) CHARACTER SET latin1, UNIQUE (id, code), UNIQUE (mood))",
		"INSERT INTO kinds VALUES (1, POINT(1,2), 123456789012345678901234.56, 1.5, x'00ff', x'01', '10:11:12.5', 'a,c', 'glad', 12.50, "
		"'ab', "
		"255, 65535, 16777215, 4294967295, 18446744073709551615, b'1000000001', 2155, '{\"a\": [1, null]}', '2024-02-29 12:34:56.789', "
		"_utf8mb4'\xc3\xa9')",
		"CREATE TABLE odd (id int, d date, at datetime, t time, b tinyint(1))",
		"CREATE TABLE many (id bigint unsigned NOT NULL PRIMARY KEY, v int, s varchar(100))",
		"INSERT INTO many SELECT a.n + 100 * b.n + 10000 * c.n, 7 * a.n, REPEAT('y', a.n) FROM digits a, digits b, digits c WHERE c.n < 20",
		"CREATE TABLE texts (k varchar(40) COLLATE utf8mb4_bin NOT NULL, k2 int NOT NULL, PRIMARY KEY (k, k2))",
		"INSERT INTO texts SELECT CONCAT('k''\\\\\"', a.n, '/', b.n), a.n FROM digits a, digits b",
		"CREATE TABLE decimals (k decimal(20,3) NOT NULL PRIMARY KEY)",
		"INSERT INTO decimals SELECT 99999999999999999 - a.n - 100 * b.n + 0.125 FROM digits a, digits b WHERE b.n < 10",
		"CREATE USER 'nobody'@'127.0.0.1' IDENTIFIED BY 'test'",
		"GRANT USAGE ON *.* TO 'nobody'@'127.0.0.1'",
		"GRANT SELECT ON test.none TO 'nobody'@'127.0.0.1'",
	};
	mykit_digits();
	for (size_t i = 0; i < ENT_COUNT(more); i++)
		mykit_run(more[i]);
	mykit_run("ANALYZE TABLE many, texts, decimals");
	mykit_run("SET sql_mode = ''");
	mykit_run("INSERT INTO odd VALUES (1, '0000-00-00', '2024-01-00 00:00:00', '-01:00:00', 5)");
}

static void test_kinds(const struct ent_connector *c)
{
	struct ent_err e = ENT_ERR_INIT;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 20);
	static const char *const none[] = { "odd", "wide", "huge", "raw", "fixed", "clock", "tags", "u64", "bits", "doc" };
	static const char *const columns[] = { "id", "wide", "huge", "raw", "fixed", "clock", "tags", "mood", "price", "code",
					       "u8", "u16",  "u24",  "u32", "u64",   "bits",  "y",    "doc",  "at",    "latin" };
	size_t rows;
	for (size_t i = 0; i < ENT_COUNT(none) - mykit_mariadb; i++) /* MariaDB's JSON is a longtext */
		OK_INT(suite_scan_count(c, mykit_url(""), "kinds", none[i], &rows, &e), ENT_EUNSUPPORTED, "%s", e.what);
	struct ent_read what = { .size = sizeof what, .object = "test.kinds", .columns = columns, .n_columns = ENT_COUNT(columns) };
	OK_INT(mykit_read(c, &what, &out, &e), 0, "%s %s", e.what, e.why);
	OK_STR(ent_buf_text(&out),
	       "1,123456789012345678901234.56,1.5000000000,\\x00ff,\\x01000000,10:11:12.5,a,c,glad,12.50,ab,255,65535,16777215,4294967295,"
	       "18446744073709551615,513,2155,{\"a\": [1, null]},2024-02-29 12:34:56.789+00,\xc3\xa9\n",
	       "every kind as it stands");
	what.columns = NULL;
	what.where = "id = 2 -- none";
	ent_buf_reset(&out);
	OK(!mykit_read(c, &what, &out, &e) && !out.len, "a condition of the caller %s %s", e.what, e.why);
	what.where = "nosuch = 1";
	OK_INT(mykit_read(c, &what, &out, &e), ENT_ESQL, "a wrong one: %s (%s)", e.what, e.why);
	OK_INT(e.vendor, 1054, "with the server's number");
	static const char *const bad[] = { "d", "at", "b" };
	for (size_t i = 0; i < ENT_COUNT(bad); i++) {
		OK_INT(suite_scan_count(c, mykit_url(""), "odd", bad[i], &rows, &e), ENT_EDATA, "%s", e.what);
		OK(strstr(e.what, "row 1 of column"), "by row and name");
	}
	what = (struct ent_read){ .size = sizeof what, .object = "odd" };
	OK_INT(mykit_read(c, &what, &out, &e), ENT_EDATA, "a copy refuses them too: %s", e.what);
	ENT_SCHEMA_AUTO schema = { 0 };
	char keys[64] = "";
	OK(!mykit_describe(c, "test.kinds", &schema, &e) && ent_metadata_get(schema.metadata, ENT_META_KEYS, keys, sizeof keys), "%s", e.what);
	OK_STR(keys, "id\tcode", "a unique key of two columns, and none that may be NULL");
}

struct splits {
	char text[64][300];
	size_t n;
};
static int split_take(void *arg, const char *split, int64_t rows)
{
	struct splits *s = (struct splits *)arg;
	(void)rows;
	if (s->n < 64)
		snprintf(s->text[s->n++], 300, "%s", split);
	return 0;
}

/* Every row once, whatever the key. */
static void test_splits(const struct ent_connector *c, const char *object, uint64_t per_split, size_t least, size_t rows)
{
	struct ent_err e = ENT_ERR_INIT;
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	struct splits *s = calloc(1, sizeof *s);
	size_t all = 0, n;
	OK(s && !c->open(&host, mykit_url(""), NULL, 0, &src, &e) && !c->plan(src, object, per_split, split_take, s, &e), "%s: %s %s", object, e.what,
	   e.why);
	OK(s->n >= least && s->n < 64, "%s: %zu splits", object, s->n);
	for (size_t i = 0; i < s->n; i++) {
		struct ent_read what = { .size = sizeof what, .object = object, .split = s->text[i] };
		ENT_STREAM_AUTO stream = { 0 };
		OK(!c->read(src, &what, &stream, &e) && !mykit_count(&stream, &n, &e), "%s: %s %s", s->text[i], e.what, e.why);
		OK(n < rows || s->n == 1, "%s holds %zu", s->text[i], n);
		all += n;
	}
	OK_INT(all, rows, "%s: every row once", object);
	struct ent_read wrong = { .size = sizeof wrong, .object = object, .split = "other\ti\t1\t2" };
	ENT_STREAM_AUTO stream = { 0 };
	OK_INT(c->read(src, &wrong, &stream, &e), ENT_EDATA, "a split of another key: %s", e.what);
	c->close(src);
	free(s);
}

static void test_doors(const struct ent_connector *c)
{
	struct ent_err e = ENT_ERR_INIT;
	char at[700];
	const struct ent_option file[] = { { "password-file", mykit_password_file }, { "ca-file", mykit_ca } };
	snprintf(at, sizeof at, "mysql://test@127.0.0.1:%s/test?tls=verify-full", mykit_port);
	if (mykit_mariadb) /* MySQL makes its own certificate, whose name is no address */
		OK_INT(suite_open_code(c, at, file, 2, &e), 0, "TLS verified, password from a file %s %s", e.what, e.why);
	OK_INT(suite_open_code(c, at, file, 1, &e), ENT_EIO, "a certificate of somebody else: %s (%s)", e.what, e.why);
	OK(strstr(e.next, "ca-file"), "and the way out is named: %s", e.next);
	snprintf(at, sizeof at, "mysql://test@127.0.0.1:%s/test?tls=required", mykit_port);
	OK_INT(suite_open_code(c, at, file, 1, &e), 0, "encrypted, not verified, when the address says so %s %s", e.what, e.why);
	snprintf(at, sizeof at, "mariadb://test@0.0.0.0:%s/test", mykit_port);
	OK_INT(suite_open_code(c, at, file, 1, &e), ENT_EIO, "outside loopback TLS is verified: %s", e.why);
	snprintf(at, sizeof at, "mariadb://test@0.0.0.0:%s/test?tls=off", mykit_port);
	OK_INT(suite_open_code(c, at, file, 1, &e), 0, "unless the address says otherwise %s", e.why);
	suite_timeout_ms = 2000;
	OK_INT(suite_open_code(c, "mysql://127.0.0.1:1/x", NULL, 0, &e), ENT_EIO, "nobody there: %s %s", e.what, e.why);
	suite_timeout_ms = 20000;
	snprintf(at, sizeof at, "mysql://test:wrong@127.0.0.1:%s/test", mykit_port);
	OK_INT(suite_open_code(c, at, NULL, 0, &e), ENT_EDENIED, "wrong password: %s", e.why);
	OK(e.vendor == 1045 && !strstr(e.what, "wrong") && !strstr(e.why, "wrong"), "which no message shows");
	snprintf(at, sizeof at, "mysql://test:te%%73t@127.0.0.1:%s/te%%73t", mykit_port);
	OK_INT(suite_open_code(c, at, NULL, 0, &e), 0, "percent signs %s", e.why);
	snprintf(at, sizeof at, "mysql://test:test@127.0.0.1:%s/nothing", mykit_port);
	OK_INT(suite_open_code(c, at, NULL, 0, &e), ENT_ENOTFOUND, "no such database: %s", e.why);
	static const char *const odd[] = { "mysql:nothing",         "mysql://h:0x/d",  "mysql://h:99999/d",
					   "mysql://h/d?tls=maybe", "mysql://h/d?x=1", "mysql://h/%4" };
	for (size_t i = 0; i < ENT_COUNT(odd); i++)
		OK_INT(suite_open_code(c, odd[i], NULL, 0, &e), ENT_EUSAGE, "%s: %s", odd[i], e.why);
	const struct ent_option none[] = { { "password-file", "/nonexistent" } };
	OK_INT(suite_open_code(c, at, none, 1, &e), ENT_ENOTFOUND, "%s", e.what);
	snprintf(at, sizeof at, "mysql://nobody:test@127.0.0.1:%s/test", mykit_port);
	size_t rows;
	OK_INT(suite_scan_count(c, at, "t", "id", &rows, &e), ENT_ENOTFOUND, "a table that may not be seen: %s (%s)", e.what, e.why);
}

static void test_volume(const struct ent_connector *c)
{
	struct ent_err e = ENT_ERR_INIT;
	size_t rows;
	const char *const column = "v";
	struct ent_source *src = suite_given_up(c, mykit_url(""), "many");
	ENT_STREAM_AUTO stream = { 0 };
	struct ArrowArray a = { 0 };
	OK(!c->scan(src, "many", &column, 1, &stream, &e) && !ent_stream_next(&stream, &a, &e), "%s %s", e.what, e.why);
	ent_array_release(&a);
	mykit_kill_others();
	int code = 0;
	for (a.release = NULL; !code; ent_array_release(&a), a.release = NULL) {
		code = ent_stream_next(&stream, &a, &e);
		if (!code && !a.release)
			break;
	}
	OK(!code || code == ENT_EAGAIN || code == ENT_EIO, "a cut connection: %s (%s)", e.what, e.why);
	ent_stream_release(&stream);
	OK(!c->scan(src, "many", &column, 1, &stream, &e) && !mykit_count(&stream, &rows, &e) && rows == 200000, "the source connects again %s %s",
	   e.what, e.why);
	c->close(src);
}

int main(int argc, char **argv)
{
	if (!mykit_open(argc, argv))
		return 2;
	tables_make();
	const struct ent_connector *c = suite_module(argv[1]);
	struct suite_store store = { .name = argv[2],
				     .url = mykit_url(""),
				     .object = "t",
				     .types = { [10] = "timestamp without time zone" },
				     .keys = true,
				     .no_zone = true,
				     .positive_zero = mykit_mariadb,
				     .ordered = true,
				     .empty_url = mykit_url(""),
				     .empty_object = "none",
				     .missing_url = mykit_url(""),
				     .missing_object = "test.nothing",
				     .hidden_url = mykit_url(""),
				     .hidden_object = "kinds" };
	if (c) {
		suite_run(c, &store);
		test_kinds(c);
		test_splits(c, "many", 30000, 4, 200000);
		test_splits(c, "texts", 1000, 8, 10000);
		test_splits(c, "decimals", 100, 8, 1000);
		test_splits(c, "t", 100, 1, 5);
		test_doors(c);
		test_volume(c);
	}
	mykit_close();
	return tap_done();
}
