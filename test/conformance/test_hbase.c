/* Apache HBase: the suite, encodings, samples and declarations, pages and regions, doors, errors; then test_hbase_copy.c.
 * usage: test_hbase MODULE PORT FOLDER SERVER-SCRIPT TLS-PORT */
#include <stdlib.h>

#include "hbase_case.h"

const char *hb_port, *hb_folder;
static const char *tls_port;
static struct hb_client client;

const char *hb_url(const char *ns, const char *rest)
{
	static char all[8][400];
	static size_t n;
	char *out = all[n++ % 8];
	snprintf(out, sizeof all[0], "hbase://127.0.0.1:%s/%s?tls=off%s", hb_port, ns, rest);
	return out;
}

/* --- the suite's table --- */

static void suite_table_make(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf columns = ENT_BUF(4096), longest = ENT_BUF(2u << 20);
	for (size_t i = 0; i < SUITE_COLUMNS; i++)
		ent_buf_printf(&columns, "%s %s\n", i == 11 ? "\"Text \"\"q\"\"\"" : suite_names[i], suite_types[i]);
	hb_create(&client, "k", "t", "f");
	hb_create(&client, "k", "empty", "f");
	hb_kept(&client, "k", "t", ent_buf_text(&columns), "id");
	hb_kept(&client, "k", "empty", ent_buf_text(&columns), "id");
	memset(ent_buf_space(&longest, SUITE_LONG_TEXT), 'x', SUITE_LONG_TEXT);
	for (size_t r = 0; r < SUITE_ROWS; r++) {
		hb_text(&client, "k:t", suite_rows[r][0], "f:_entente", ""); /* the row of NULLs has nothing else */
		for (size_t i = 1; i < SUITE_COLUMNS; i++) {
			const char *value = suite_rows[r][i];
			char column[100];
			snprintf(column, sizeof column, "f:%s", suite_names[i]);
			bool lengthy = value && !strcmp(value, "LONG");
			if (value)
				hb_put(&client, "k:t", ent_bytes_str(suite_rows[r][0]), column,
				       lengthy ? ent_buf_bytes(&longest) : ent_bytes_str(value), 0);
		}
	}
}

static void tables_make(void)
{
	hb_namespace(&client, "k");
	suite_table_make();
	hb_create(&client, "k", "hidden", "f");
	hb_kept(&client, "k", "hidden", "id integer\nodd binary\n", "id");
	hb_put(&client, "k:hidden", ent_bytes_str("1"), "f:odd", ent_bytes("\0\1", 2), 0);
	hb_create(&client, "k", "kinds", "ab");
	hb_put(&client, "k:kinds", ent_bytes_str("r1"), "a:short", ent_bytes("\x80\x00", 2), 0);
	hb_put(&client, "k:kinds", ent_bytes_str("r1"), "a:int", ent_bytes("\xff\xff\xff\xfe", 4), 0);
	hb_put(&client, "k:kinds", ent_bytes_str("r1"), "a:long", ent_bytes("\x7f\xff\xff\xff\xff\xff\xff\xff", 8), 0);
	hb_put(&client, "k:kinds", ent_bytes_str("r1"), "a:float", ent_bytes("\x3f\x00\x00\x00", 4), 0);
	hb_put(&client, "k:kinds", ent_bytes_str("r1"), "b:double", ent_bytes("\xc0\x04\x00\x00\x00\x00\x00\x00", 8), 0);
	hb_put(&client, "k:kinds", ent_bytes_str("r1"), "b:yes", ent_bytes("\xff", 1), 0);
	hb_text(&client, "k:kinds", "r1", "b:price", "12.50");
	hb_text(&client, "k:kinds", "r1", "b:name", "plain");
	hb_text(&client, "k:kinds", "r2", "b:name", "");
	hb_text(&client, "k:kinds", "r2", "b:", "no qualifier");
}

/* --- reading --- */

int hb_read_text(const struct ent_connector *c, struct ent_source *src, const struct ent_read *what, struct ent_buf *out, size_t *ret_rows,
		 struct ent_err *e)
{
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	size_t rows = 0;
	ENT_TRY(c->read(src, what, &stream, e));
	ENT_TRY(ent_stream_schema(&stream, &schema, e));
	for (;;) {
		ENT_ARRAY_AUTO a = { 0 };
		ENT_BATCH_AUTO b = { 0 };
		ENT_TRY(ent_stream_next(&stream, &a, e));
		if (!a.release)
			break;
		ENT_TRY(ent_batch_open_copy(&schema, &a, &b, e));
		for (size_t r = 0; r < b.rows; r++, rows++) {
			for (size_t i = 0; out && i < b.n_columns; i++) {
				ent_buf_str(out, i ? "|" : rows ? "\n" : "");
				if (ent_view_null(&b.columns[i], r))
					ent_buf_str(out, "-");
				ent_value_put(&b.columns[i], r, out);
			}
		}
	}
	if (ret_rows)
		*ret_rows = rows;
	return 0;
}

static int file_read(const struct ent_connector *c, const char *text, const struct ent_read *what, struct ent_buf *out, struct ent_err *e)
{
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	char path[300];
	snprintf(path, sizeof path, "%s/schema", hb_folder);
	FILE *f = fopen(path, "w");
	OK(f && fputs(text, f) >= 0 && !fclose(f), "schema file");
	const struct ent_option option = { "schema", path };
	ent_buf_reset(out);
	int code = c->open(&host, hb_url("k", ""), &option, text[0] != 0, &src, e);
	if (!code)
		code = hb_read_text(c, src, what, out, NULL, e);
	c->close(src);
	return code;
}

/* Sampled: texts and bytes; declared: what the file says. */
static void test_kinds(const struct ent_connector *c)
{
	static const char declared[] = "a:short short\na:int int\na:long long\na:float float\nb:double double\nb:yes bool\nb:price decimal(12,2)\n";
	struct ent_err e = ENT_ERR_INIT;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 20);
	struct ent_read read = { .size = sizeof read, .object = "kinds" };
	OK_INT(file_read(c, "", &read, &out, &e), 0, "a table nobody declared %s %s", e.what, e.why);
	OK_STR(ent_buf_text(&out), "r1|\\x3f000000|\\xfffffffe|\\x7fffffffffffffff|\\x8000|-|\\xc004000000000000|plain|12.50|\\xff\n"
				   "r2|-|-|-|-|no qualifier|-||-|-");
	OK_INT(file_read(c, declared, &read, &out, &e), 0, "a file declares %s %s", e.what, e.why);
	OK_STR(ent_buf_text(&out), "r1|0.5|-2|9223372036854775807|-32768|-|-2.5|plain|12.50|true\nr2|-|-|-|-|no qualifier|-||-|-");
	OK_INT(file_read(c, "a:int long\n", &read, &out, &e), ENT_EDATA, "%s (%s)", e.what, e.why);
	OK(strstr(e.what, "row 1 of column a:int") && strstr(e.what, "long"), "by row, name and type");
	OK_INT(file_read(c, "b:name integer\n", &read, &out, &e), ENT_EDATA, "%s (%s)", e.what, e.why);
	OK(!strstr(e.what, "plain") && !strstr(e.why, "plain"), "without the value");
	OK_INT(file_read(c, "b:name colour\n", &read, &out, &e), ENT_EUSAGE, "%s", e.what);
	read.where = "SingleColumnValueFilter('b', 'name', =, 'binary:plain', true, true)";
	OK_INT(file_read(c, "", &read, &out, &e), 0, "HBase's own filter %s %s", e.what, e.why);
	OK(!strncmp(ent_buf_text(&out), "r1|", 3) && !strchr(ent_buf_text(&out), '\n'), "picks one row: %s", ent_buf_text(&out));
	read.where = "NoSuchFilter(";
	int code = file_read(c, "", &read, &out, &e);
	OK(code, "no filter: %s (%s)", e.what, e.why);
}

/* --- pages, regions, losses --- */

struct splits {
	char text[200][300];
	size_t n;
};

static int split_take(void *arg, const char *split, int64_t rows)
{
	struct splits *s = (struct splits *)arg;
	(void)rows;
	if (s->n == 200)
		return ENT_EINTERNAL;
	snprintf(s->text[s->n++], sizeof s->text[0], "%s", split);
	return 0;
}

static void pages_make(void)
{
	struct ent_thrift_message m;
	hb_create(&client, "k", "pages", "f");
	for (int i = 0; i < 6000; i += 1000) {
		struct ent_buf *b = hb_begin(&client, "putMultiple");
		ent_thrift_put_binary(b, 1, ent_bytes_str("k:pages"));
		ent_thrift_put_list(b, 2, ENT_THRIFT_STRUCT, 1000);
		for (int k = i; k < i + 1000; k++) {
			char row[20];
			snprintf(row, sizeof row, "user%05d", k);
			ent_thrift_put_binary(b, 1, ent_bytes_str(row));
			ent_thrift_put_list(b, 2, ENT_THRIFT_STRUCT, 1);
			ent_thrift_put_binary(b, 1, ent_bytes_str("f"));
			ent_thrift_put_binary(b, 2, ent_bytes_str("n"));
			ent_thrift_put_binary(b, 3, ent_bytes_str("a value of some length that fills pages"));
			ent_thrift_put_stop(b);
			ent_thrift_put_stop(b);
		}
		OK(hb_ask(&client, &m), "a thousand rows");
	}
}

static void test_pages(const struct ent_connector *c)
{
	static struct splits splits;
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	struct ent_err e = ENT_ERR_INIT;
	size_t rows = 0, sum = 0, filled = 0;
	pages_make();
	OK_INT(suite_scan_count(c, hb_url("k", ""), "pages", "row", &rows, &e), 0, "%s %s", e.what, e.why);
	OK_INT(rows, 6000, "every row over many pages");
	OK(!c->open(&host, hb_url("k", ""), NULL, 0, &src, &e), "%s", e.what);
	OK_INT(c->plan(src, "pages", 500, split_take, &splits, &e), 0, "a plan %s %s", e.what, e.why);
	OK(splits.n >= 4, "of %zu splits", splits.n);
	for (size_t i = 0; i < splits.n; i++) {
		struct ent_read read = { .size = sizeof read, .object = "k:pages", .split = splits.text[i] };
		size_t n = 0;
		if (hb_read_text(c, src, &read, NULL, &n, &e))
			OK(0, "split %s: %s %s", splits.text[i], e.what, e.why);
		sum += n;
		filled += n > 0;
		printf("# %s: %zu rows\n", splits.text[i], n);
	}
	OK_INT(sum, 6000, "together they cover the table once");
	OK(filled >= 4, "and rows are spread over %zu of them", filled);
	static const char *const bad[] = { "rows 5", "token 1 2", "rows zz -", "rows 0 -", "rows  -" };
	for (size_t i = 0; i < ENT_COUNT(bad); i++) {
		struct ent_read read = { .size = sizeof read, .object = "pages", .split = bad[i] };
		OK_INT(hb_read_text(c, src, &read, NULL, NULL, &e), ENT_EUSAGE, "no split: %s", e.what);
	}
	const char *const column = "row";
	for (int i = 0; i < 3; i++) { /* given up in the middle, the source can be used again */
		ENT_STREAM_AUTO stream = { 0 };
		struct ArrowArray a = { 0 };
		OK(!c->scan(src, "pages", &column, 1, &stream, &e) && !ent_stream_next(&stream, &a, &e), "%s %s", e.what, e.why);
		ent_array_release(&a);
	}
	c->close(src);
}

/* --- doors --- */

static void test_doors(const struct ent_connector *c)
{
	struct ent_err e = ENT_ERR_INIT;
	char url[300], ca[300];
	snprintf(ca, sizeof ca, "%s/ca.crt", hb_folder);
	const struct ent_option authority = { "ca-file", ca }, unknown = { "password-file", ca };
	snprintf(url, sizeof url, "hbase://localhost:%s/k", tls_port);
	OK_INT(suite_open(c, url, &authority, 1, &e), 0, "TLS verified by name %s %s", e.what, e.why);
	OK_INT(suite_open(c, url, NULL, 0, &e), ENT_EIO, "an authority nobody knows: %s", e.why);
	OK(strstr(e.next, "--ca-file"), "and the way out: %s", e.next);
	snprintf(url, sizeof url, "hbase://[::ffff:127.0.0.1]:%s/k", tls_port);
	OK_INT(suite_open(c, url, &authority, 1, &e), ENT_EIO, "a certificate for another name: %s", e.why);
	snprintf(url, sizeof url, "hbase://127.0.0.1:%s/k", hb_port);
	OK_INT(suite_open(c, url, &authority, 1, &e), ENT_EIO, "TLS is the rule: %s", e.why);
	snprintf(url, sizeof url, "hbase://127.0.0.2,127.0.0.1:%s/k?tls=off", hb_port);
	OK_INT(suite_open(c, url, NULL, 0, &e), 0, "the second host answers %s %s", e.what, e.why);
	OK_INT(suite_open(c, "hbase://127.0.0.1:1/x?tls=off", NULL, 0, &e), ENT_EIO, "nobody there: %s (%s)", e.what, e.why);
	static const char *const wrong[] = { "hbase:x",           "hbase://",
					     "hbase://h:0/k",     "hbase://h/k?tls=maybe",
					     "hbase://h/k?lag=0", "hbase://h/k?nothing=1",
					     "hbase://user@h/k",  "hbase://[::1/k" };
	for (size_t i = 0; i < ENT_COUNT(wrong); i++)
		OK_INT(suite_open(c, wrong[i], NULL, 0, &e), ENT_EUSAGE, "%s: %s", wrong[i], e.why);
	OK_INT(suite_open(c, hb_url("k", ""), &unknown, 1, &e), ENT_EUSAGE, "%s", e.what);
	OK_INT(suite_open_describe(c, hb_url("nowhere", ""), "t", NULL, 0, &e), ENT_ENOTFOUND, "no namespace: %s", e.what);
	OK_INT(suite_open_describe(c, hb_url("k", ""), "a b", NULL, 0, &e), ENT_EUSAGE, "no name: %s", e.what);
}

int main(int argc, char **argv)
{
	if (argc != 6)
		return 2;
	hb_port = argv[2];
	hb_folder = argv[3];
	tls_port = argv[5];
	if (!OK(hb_connect(&client, (unsigned)strtoul(hb_port, NULL, 10)), "the server answers"))
		return tap_done();
	tables_make();
	const struct ent_connector *c = suite_module(argv[1]);
	struct suite_store store = { .name = "HBase",
				     .url = hb_url("k", ""),
				     .object = "t",
				     .keys = true,
				     .ordered = true,
				     .empty_url = hb_url("k", ""),
				     .empty_object = "empty",
				     .missing_url = hb_url("k", ""),
				     .missing_object = "k:nothing",
				     .hidden_url = hb_url("k", ""),
				     .hidden_object = "hidden" };
	if (c) {
		suite_run(c, &store);
		test_kinds(c);
		test_pages(c);
		test_doors(c);
		hb_copy_run(c, &client, argv[4]);
	}
	hb_close(&client);
	return tap_done();
}
