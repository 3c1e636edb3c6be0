/* Apache Cassandra: the suite, every type, pages and ranges, doors (TLS, passwords), errors. then test_cassandra_copy.c.
 * usage: test_cassandra MODULE PORT FOLDER SERVER-SCRIPT */
#include <stdlib.h>

#include "cassandra_case.h"

const char *cass_port, *cass_folder;

const char *cass_url(const char *rest)
{
	static char all[8][400];
	static size_t n;
	char *out = all[n++ % 8];
	snprintf(out, sizeof all[0], "cassandra://cassandra:cassandra@127.0.0.1:%s/k?tls=off%s", cass_port, rest);
	return out;
}

/* What Cassandra cannot hold exactly (finer than milliseconds, decimals with a precision) is text in its copy of the suite's table. */
static const char *const suite_cql_types[SUITE_COLUMNS] = { "int",   "boolean", "smallint", "int",  "bigint", "text",
							    "float", "double",  "date",     "text", "text",   "text" };

static void literal_put(struct ent_buf *out, const char *value, const char *type)
{
	bool quoted = !strcmp(type, "text") || !strcmp(type, "date"), lengthy = value && !strcmp(value, "LONG");
	if (!value) {
		ent_buf_str(out, "null");
		return;
	}
	ent_buf_str(out, quoted ? "'" : "");
	for (size_t i = 0; lengthy && i < SUITE_LONG_TEXT; i++)
		ent_buf_u8(out, 'x');
	for (const char *p = lengthy ? "" : value; *p; p++) {
		if (*p == '\'')
			ent_buf_u8(out, '\'');
		ent_buf_u8(out, (uint8_t)*p);
	}
	if (!strcmp(value, "-0"))
		ent_buf_str(out, ".0"); /* -0 is the integer 0 */
	ent_buf_str(out, quoted ? "'" : "");
}

static void suite_table_make(struct cql_client *c)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf names = ENT_BUF(4096), sql = ENT_BUF(4 << 20);
	for (size_t i = 0; i < SUITE_COLUMNS; i++)
		ent_buf_printf(&names, "%s\"%s\"", i ? ", " : "", i == 11 ? "Text \"\"q\"\"" : suite_names[i]);
	static const char *const tables[] = { "t", "empty" };
	for (size_t k = 0; k < 2; k++) {
		ent_buf_reset(&sql);
		ent_buf_printf(&sql, "CREATE TABLE k.%s (", tables[k]);
		for (size_t i = 0; i < SUITE_COLUMNS; i++)
			ent_buf_printf(&sql, "%s\"%s\" %s%s", i ? ", " : "", i == 11 ? "Text \"\"q\"\"" : suite_names[i], suite_cql_types[i],
				       i ? "" : " PRIMARY KEY");
		ent_buf_str(&sql, ")");
		cql_run(c, ent_buf_text(&sql));
	}
	for (size_t r = 0; r < SUITE_ROWS; r++) {
		ent_buf_reset(&sql);
		ent_buf_printf(&sql, "INSERT INTO k.t (%s) VALUES (", ent_buf_text(&names));
		for (size_t i = 0; i < SUITE_COLUMNS; i++) {
			ent_buf_str(&sql, i ? ", " : "");
			literal_put(&sql, suite_rows[r][i], suite_cql_types[i]);
		}
		ent_buf_str(&sql, ")");
		cql_run(c, ent_buf_text(&sql));
	}
}

static void tables_make(struct cql_client *c)
{
	static const char *const statements[] = {
		"CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
		"CREATE TYPE k.pt (x int, y text)",
		"CREATE TABLE k.hidden (id int PRIMARY KEY, odd list<int>)",
		"INSERT INTO k.hidden (id, odd) VALUES (1, [1])",
		"CREATE TABLE k.kinds (b text, a int, z timeuuid, tiny tinyint, instant timestamp, price decimal, big varint, clock time, raw blob, "
		"ip inet, "
		"uid uuid, span duration, list list<int>, tags frozen<set<text>>, map map<text, int>, pt frozen<pt>, pair tuple<int, text>, "
		"vec vector<float, 2>, letters ascii, st text static, PRIMARY KEY ((b, a), z))",
		"INSERT INTO k.kinds (b, a, z, tiny, instant, price, big, clock, raw, ip, uid, span, list, tags, map, pt, pair, vec, letters, st) "
		"VALUES "
		"('p', 7, d2177dd0-eaa2-11de-a572-001b779c76e3, -128, '2024-02-29 12:34:56.789+0000', -12.345, -123456789012345678901234567890, "
		"'12:34:56.789012', 0x00ff, '2001:db8::1', 00000000-0000-0000-0000-00000000000a, 14mo3d5ns, [1, 2], {'a', 'b'}, {'k': 1}, {x: 1, y: "
		"'z'}, "
		"(1, null), [0.5, -1], 'asc', 'shared')",
		"INSERT INTO k.kinds (b, a, z) VALUES ('q', 8, d2177dd0-eaa2-11de-a572-001b779c76e3)",
		"CREATE TABLE k.odd (id int PRIMARY KEY, clock time, price decimal, big varint, day date, t text)",
		"INSERT INTO k.odd (id, clock, price, big, day, t) VALUES (1, '00:00:00.000000001', 1.5, 1, blobAsDate(0xffffffff), 'x')",
		"CREATE TABLE k.pages (id int PRIMARY KEY, t text)",
		"CREATE ROLE nobody WITH PASSWORD = 'test' AND LOGIN = true",
		"CREATE TABLE k.gone (id int PRIMARY KEY)",
		"CREATE TABLE k.counts (id int PRIMARY KEY, n counter)",
		"UPDATE k.counts SET n = n + 5 WHERE id = 1",
	};
	for (size_t i = 0; i < ENT_COUNT(statements); i++)
		cql_run(c, statements[i]);
	suite_table_make(c);
	for (int i = 0; i < 3000; i += 100) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1 << 20);
		ent_buf_str(&sql, "BEGIN UNLOGGED BATCH ");
		for (int k = i; k < i + 100; k++)
			ent_buf_printf(&sql, "INSERT INTO k.pages (id, t) VALUES (%d, 'row %d'); ", k, k);
		ent_buf_str(&sql, "APPLY BATCH");
		cql_run(c, ent_buf_text(&sql));
	}
}

/* --- reading --- */

struct text_of {
	struct ent_buf *out;
	size_t rows;
};

static int row_text(void *arg, const struct ent_batch *b, struct ent_err *err)
{
	struct text_of *t = (struct text_of *)arg;
	(void)err;
	for (size_t r = 0; r < b->rows; r++, t->rows++) {
		for (size_t i = 0; t->out && i < b->n_columns; i++) {
			ent_buf_str(t->out, i ? "|" : t->rows ? "\n" : "");
			if (!ent_view_null(&b->columns[i], r))
				ent_value_put(&b->columns[i], r, t->out);
		}
	}
	return 0;
}

int cass_read_text(const struct ent_connector *c, struct ent_source *src, const struct ent_read *what, struct ent_buf *out, size_t *ret_rows,
		   struct ent_err *e)
{
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	struct text_of t = { .out = out };
	ENT_TRY(c->read(src, what, &stream, e));
	ENT_TRY(ent_stream_schema(&stream, &schema, e));
	ENT_TRY(ent_stream_each_copy(&stream, &schema, row_text, &t, e));
	if (ret_rows)
		*ret_rows = t.rows;
	return 0;
}

static void test_kinds(const struct ent_connector *c)
{
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	struct ent_err e = ENT_ERR_INIT;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 20);
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_object o = { .size = sizeof o };
	char keys[64] = "";
	OK(!c->open(&host, cass_url(""), NULL, 0, &src, &e) && !c->describe(src, "kinds", &schema, &o, &e), "%s %s", e.what, e.why);
	if (!schema.release)
		return;
	OK_INT(schema.n_children, 20, "all columns");
	OK(ent_metadata_get(schema.metadata, ENT_META_KEYS, keys, sizeof keys), "has a key");
	OK_STR(keys, "b\ta\tz", "partition key first, then clustering, in their order");
	static const char *const columns[] = { "b",   "a",    "z",    "tiny", "instant", "price", "big",  "clock", "raw",     "ip",
					       "uid", "span", "list", "tags", "map",     "pt",    "pair", "vec",   "letters", "st" };
	struct ent_read read = { .size = sizeof read, .object = "k.kinds", .columns = columns, .n_columns = 20, .where = "a = 7" };
	OK_INT(cass_read_text(c, src, &read, &out, NULL, &e), 0, "every type for a copy %s %s", e.what, e.why);
	OK_STR(ent_buf_text(&out),
	       "p|7|d2177dd0-eaa2-11de-a572-001b779c76e3|-128|2024-02-29 12:34:56.789+00|-12.345|-123456789012345678901234567890|12:34:56.789012|"
	       "\\x00ff|2001:db8::1|00000000-0000-0000-0000-00000000000a|14mo3d5ns|[1, 2]|[\"a\", \"b\"]|{\"k\": 1}|{\"x\": 1, \"y\": \"z\"}|"
	       "[1, null]|[0.5, -1.0]|asc|shared");
	ent_buf_reset(&out);
	read.where = "a = 8";
	OK_INT(cass_read_text(c, src, &read, &out, NULL, &e), 0, "and NULL of each %s", e.what);
	OK_STR(ent_buf_text(&out), "q|8|d2177dd0-eaa2-11de-a572-001b779c76e3|||||||||||||||||");
	read.where = "nothing = 8";
	OK_INT(cass_read_text(c, src, &read, NULL, NULL, &e), ENT_ESQL, "a condition that is none: %s", e.why);
	c->close(src);
	size_t rows;
	static const char *const none[] = { "price", "big", "clock", "raw", "span", "list", "tags", "map", "pt", "pair", "vec" };
	for (size_t i = 0; i < ENT_COUNT(none); i++)
		OK_INT(suite_scan_count(c, cass_url(""), "kinds", none[i], &rows, &e), ENT_EUNSUPPORTED, "no joint query: %s", e.what);
	OK_INT(suite_scan_count(c, cass_url(""), "counts", "n", &rows, &e), 0, "a counter is read %s", e.what);
}

/* --schema: decimals and varints with a declared bound are joint columns; what goes beyond stops by row and name. */
static void test_schema(const struct ent_connector *c)
{
	struct ent_host host = suite_host();
	struct ent_err e = ENT_ERR_INIT;
	char path[300];
	snprintf(path, sizeof path, "%s/schema", cass_folder);
	static const struct {
		const char *text, *column;
		int code;
	} cases[] = { { "price decimal(12,2)\n# a comment\nbig decimal(18,0)\nother decimal(3,1)\n", "price", 0 },
		      { "price decimal(12,2)\nbig decimal(18,0)\n", "big", 0 },
		      { "price decimal(1,0)\n", "price", ENT_EDATA },
		      { "price decimal(19,2)\n", "price", ENT_EUSAGE },
		      { "price text\n", "price", ENT_EUSAGE },
		      { "t decimal(3,1)\n", "t", ENT_EUSAGE } };
	for (size_t i = 0; i < ENT_COUNT(cases); i++) {
		const struct ent_option option = { "schema", path };
		struct ent_source *src = NULL;
		ENT_STREAM_AUTO stream = { 0 };
		ENT_SCHEMA_AUTO schema = { 0 };
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1000);
		FILE *f = fopen(path, "w");
		OK(f && fputs(cases[i].text, f) >= 0 && !fclose(f), "schema file");
		int code = c->open(&host, cass_url(""), &option, 1, &src, &e);
		if (!code)
			code = c->scan(src, "odd", &cases[i].column, 1, &stream, &e);
		if (!code)
			code = ent_stream_schema(&stream, &schema, &e);
		if (!code)
			code = ent_stream_each(&stream, &schema, row_text, &(struct text_of){ .out = &out }, &e);
		OK_INT(code, cases[i].code, "declared %s, file %zu: %s", cases[i].column, i, code ? e.what : "");
		if (!code)
			OK_STR(ent_buf_text(&out), i ? "1" : "1.50");
		ent_stream_release(&stream);
		c->close(src);
	}
	size_t rows;
	OK_INT(suite_scan_count(c, cass_url(""), "odd", "day", &rows, &e), ENT_EDATA, "%s", e.what);
	OK(strstr(e.what, "row 1 of column day"), "by row and name");
}

/* --- pages and splits --- */

struct splits {
	char text[400][64];
	size_t n;
};

static int split_take(void *arg, const char *split, int64_t rows)
{
	struct splits *s = (struct splits *)arg;
	(void)rows;
	if (s->n == 400)
		return ENT_EINTERNAL;
	snprintf(s->text[s->n++], 64, "%s", split);
	return 0;
}

static void test_pages(const struct ent_connector *c)
{
	static struct splits splits;
	static bool seen[3000];
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	struct ent_err e = ENT_ERR_INIT;
	size_t rows = 0, twice = 0, sum = 0;
	OK_INT(suite_scan_count(c, cass_url(""), "pages", "t", &rows, &e), 0, "%s %s", e.what, e.why);
	OK_INT(rows, 3000, "every row over many pages and ranges");
	OK(!c->open(&host, cass_url(""), NULL, 0, &src, &e), "%s", e.what);
	OK_INT(c->plan(src, "pages", 100, split_take, &splits, &e), 0, "a plan %s %s", e.what, e.why);
	OK(splits.n >= 16, "of %zu splits", splits.n);
	for (size_t i = 0; i < splits.n; i++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 20);
		const char *const column = "id";
		struct ent_read read = { .size = sizeof read, .object = "pages", .columns = &column, .n_columns = 1, .split = splits.text[i] };
		size_t n = 0;
		if (cass_read_text(c, src, &read, &out, &n, &e))
			OK(0, "split %s: %s %s", splits.text[i], e.what, e.why);
		sum += n;
		for (char *at = (char *)out.data, *end; at && n; at = end + 1, n--) {
			long id = strtol(at, &end, 10);
			twice += id < 0 || id >= 3000 || seen[id];
			seen[id >= 0 && id < 3000 ? id : 0] = true;
		}
	}
	OK_INT(sum, 3000, "together they cover the table");
	OK_INT(twice, 0, "once");
	struct ent_read read = { .size = sizeof read, .object = "pages", .split = "token 5" };
	OK_INT(cass_read_text(c, src, &read, NULL, NULL, &e), ENT_EUSAGE, "no split: %s", e.what);
	const char *const column = "t";
	for (int i = 0; i < 3; i++) { /* given up in the middle, the source can be used again */
		ENT_STREAM_AUTO stream = { 0 };
		struct ArrowArray a = { 0 };
		OK(!c->scan(src, "pages", &column, 1, &stream, &e) && !ent_stream_next(&stream, &a, &e), "%s %s", e.what, e.why);
		ent_array_release(&a);
	}
	c->close(src);
}

/* Frames compressed by agreement: the same rows, in and out. */
static void test_compressed(const struct ent_connector *c)
{
	struct ent_err e = ENT_ERR_INIT;
	size_t rows = 0;
	OK_INT(suite_scan_count(c, cass_url("&compression=lz4"), "pages", "t", &rows, &e), 0, "compressed: %s %s", e.what, e.why);
	OK_INT(rows, 3000, "every row");
	OK_INT(suite_scan_count(c, cass_url("&compression=none"), "pages", "t", &rows, &e), 0, "not compressed: %s %s", e.what, e.why);
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	OK_INT(c->open(&host, cass_url("&compression=zip"), NULL, 0, &src, &e), ENT_EUSAGE, "no such: %s", e.why);
}

/* --- doors --- */

static void test_doors(const struct ent_connector *c)
{
	struct ent_err e = ENT_ERR_INIT;
	char url[300], ca[300], password[300];
	size_t rows;
	snprintf(ca, sizeof ca, "%s/c/ca.crt", cass_folder);
	snprintf(password, sizeof password, "%s/password", cass_folder);
	FILE *f = fopen(password, "w");
	OK(f && fputs("cassandra\n", f) >= 0 && !fclose(f), "password file");
	const struct ent_option both[] = { { "password-file", password }, { "ca-file", ca } };
	snprintf(url, sizeof url, "cassandra://cassandra@localhost:%s/k", cass_port);
	OK_INT(suite_open(c, url, both, 2, &e), 0, "TLS verified by name, password from a file %s %s", e.what, e.why);
	snprintf(url, sizeof url, "cassandra://cassandra@127.0.0.1:%s/k", cass_port);
	OK_INT(suite_open(c, url, both, 2, &e), 0, "TLS verified by address %s %s", e.what, e.why);
	OK_INT(suite_open(c, url, both, 1, &e), ENT_EIO, "an authority nobody knows: %s", e.why);
	OK(strstr(e.next, "--ca-file"), "and the way out: %s", e.next);
	snprintf(url, sizeof url, "cassandra://cassandra@127.0.0.2,127.0.0.1:%s/k", cass_port);
	OK_INT(suite_open(c, url, both, 2, &e), 0, "the second host answers %s %s", e.what, e.why);
	snprintf(url, sizeof url, "cassandra://cassandra@[::ffff:127.0.0.1]:%s/k", cass_port);
	OK_INT(suite_open(c, url, both, 2, &e), ENT_EIO, "a certificate for another name: %s", e.why);
	snprintf(url, sizeof url, "cassandra://cassandra@[::ffff:127.0.0.1]:%s/k?tls=verify-ca", cass_port);
	OK_INT(suite_open(c, url, both, 2, &e), 0, "which verify-ca does not look at %s", e.why);
	snprintf(url, sizeof url, "cassandra://cassandra:wrong@127.0.0.1:%s/k?tls=off", cass_port);
	OK_INT(suite_open(c, url, NULL, 0, &e), ENT_EDENIED, "wrong password: %s", e.why);
	OK(e.vendor == 0x100 && !strstr(e.why, "wrong"), "by the server's code, and no message shows it");
	snprintf(url, sizeof url, "cassandra://nobody:test@127.0.0.1:%s/k?tls=off", cass_port);
	OK_INT(suite_scan_count(c, url, "pages", "id", &rows, &e), ENT_EDENIED, "no right to read: %s", e.why);
	OK_INT(suite_open(c, "cassandra://127.0.0.1:1/x?tls=off", NULL, 0, &e), ENT_EIO, "nobody there: %s (%s)", e.what, e.why);
	static const char *const wrong[] = { "cassandra:x",
					     "cassandra://",
					     "cassandra://h:0/k",
					     "cassandra://h/k?tls=maybe",
					     "cassandra://h/k?consistency=MOST",
					     "cassandra://h/k?nothing=1",
					     "cassandra://[::1/k",
					     "cassandra://%zz@h/k" };
	for (size_t i = 0; i < ENT_COUNT(wrong); i++)
		OK_INT(suite_open(c, wrong[i], NULL, 0, &e), ENT_EUSAGE, "%s: %s", wrong[i], e.why);
	const struct ent_option unknown = { "colour", "red" };
	OK_INT(suite_open(c, cass_url(""), &unknown, 1, &e), ENT_EUSAGE, "%s", e.what);
}

int main(int argc, char **argv)
{
	struct cql_client client;
	struct ent_err e = ENT_ERR_INIT;
	if (argc != 5)
		return 2;
	cass_port = argv[2];
	cass_folder = argv[3];
	if (!OK(!cql_connect(&client, (unsigned)strtoul(cass_port, NULL, 10), &e), "the server answers %s", e.what))
		return tap_done();
	tables_make(&client);
	const struct ent_connector *c = suite_module(argv[1]);
	struct suite_store store = { .name = "Cassandra",
				     .url = cass_url(""),
				     .object = "k.t",
				     .types = { [5] = "text", [9] = "text", [10] = "text" },
				     .keys = true,
				     .own_order = true,
				     .empty_url = cass_url(""),
				     .empty_object = "empty",
				     .missing_url = cass_url(""),
				     .missing_object = "k.nothing",
				     .hidden_url = cass_url(""),
				     .hidden_object = "hidden" };
	if (c) {
		suite_run(c, &store);
		test_kinds(c);
		test_schema(c);
		test_pages(c);
		test_doors(c);
		test_compressed(c);
		cass_poll_run(c, &client);
		cass_copy_run(c, &client, argv[4]);
	}
	cql_close(&client);
	return tap_done();
}
