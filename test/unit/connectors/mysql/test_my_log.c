/* The binary log's decoder over what a MariaDB and a MySQL server really sent (fuzz/corpus/my_log), and over small pieces made by hand.
 * usage: test_my_log FOLDER */
#include <stdlib.h>

#include "arrow/batch.h"
#include "arrow/value.h"
#include "my_log.h"
#include "tap.h"

static const char *const natives[] = { "int",  "int unsigned", "bigint",      "smallint",     "decimal(20,4)", "float",           "double",
				       "date", "time(3)",      "datetime(6)", "timestamp(2)", "year",          "char(5)",         "varchar(300)",
				       "text", "binary(4)",    "blob",        "bit(10)",      "enum('a','b')", "set('x','y','z')" };

struct decoded {
	struct ent_buf text;
	size_t events, maps, rows, commits, refused;
	bool checksum;
	struct ent_my_map map;
};

static size_t file_read(const char *folder, const char *name, uint8_t *out, size_t size)
{
	char path[600];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "rb");
	size_t n = f ? fread(out, 1, size, f) : 0;
	if (f)
		fclose(f);
	return n;
}

static void cell_put(struct decoded *d, size_t i, struct ent_bytes value)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO array = { 0 };
	ENT_BATCH_AUTO batch = { 0 };
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf scratch = ENT_BUF(1 << 20);
	struct ent_err e = ENT_ERR_INIT;
	struct ent_my_type type;
	char reason[200];
	ent_buf_str(&d->text, i ? "|" : "");
	if (!ent_my_type_parse(natives[i], &type, reason) || ent_my_log_match(&d->map.columns[i], &type, ENT_MY_UTF8)) {
		ent_buf_str(&d->text, "MISMATCH");
		return;
	}
	const struct ent_field field = { .name = "x", .type = type.type, .nullable = true };
	if (ent_schema_new(&field, 1, NULL, &schema, &e) || ent_builder_new(&schema, 1 << 20, &b, &e))
		return;
	if (ent_my_log_value(&d->map.columns[i], &type, ENT_MY_UTF8, value, &scratch, b, 0, &e)) {
		d->refused++;
		ent_buf_printf(&d->text, "(%s)", e.what);
		return;
	}
	if (ent_builder_finish(b, &array, &e) || ent_batch_open_copy(&schema, &array, &batch, &e))
		return;
	if (ent_view_null(&batch.columns[0], 0))
		ent_buf_str(&d->text, "~");
	else
		ent_value_put(&batch.columns[0], 0, &d->text);
}

static void rows_put(struct decoded *d, const struct ent_my_event *event)
{
	struct ent_my_rows rows;
	struct ent_err e = ENT_ERR_INIT;
	struct ent_bytes before[32], after[32];
	bool end = false;
	if (strcmp(d->map.table, "kinds") != 0)
		return;
	if (!OK(!ent_my_rows_open(event, &d->map, &rows, &e) && rows.full && d->map.n_columns == ENT_COUNT(natives), "rows %s", e.what))
		return;
	while (OK(!ent_my_rows_next(&rows, before, after, &end, &e), "a row %s", e.what) && !end) {
		d->rows++;
		ent_buf_printf(&d->text, "%c ", rows.op);
		for (size_t i = 0; i < d->map.n_columns; i++)
			cell_put(d, i, rows.op == 'D' ? before[i] : after[i]);
		ent_buf_str(&d->text, "\n");
	}
}

static int event_put(struct decoded *d, struct ent_bytes packet, struct ent_err *e)
{
	struct ent_my_event event;
	struct ent_bytes sql;
	char database[256];
	ENT_TRY(ent_my_event_open(packet, d->checksum, &event, e));
	d->events++;
	if (event.type == ENT_MY_EV_FORMAT)
		return ent_my_format_read(&event, &d->checksum, e);
	if (event.type == ENT_MY_EV_XID)
		d->commits++;
	if (event.type == ENT_MY_EV_QUERY) {
		ENT_TRY(ent_my_query_read(&event, database, &sql, e));
		if (ent_my_statement_kind(sql) == ENT_MY_ST_TRUNCATE && ent_my_statement_names(sql, database, "test", "kinds"))
			ent_buf_str(&d->text, "truncate\n");
		if (ent_my_statement_kind(sql) == ENT_MY_ST_ALTER && ent_my_statement_names(sql, database, "test", "kinds"))
			ent_buf_str(&d->text, "alter\n");
	}
	if (event.type == ENT_MY_EV_TABLE_MAP) {
		d->maps++;
		ent_my_map_deinit(&d->map);
		return ent_my_map_read(&event, &d->map, e);
	}
	if ((event.type >= ENT_MY_EV_WRITE_1 && event.type <= ENT_MY_EV_DELETE_1) ||
	    (event.type >= ENT_MY_EV_WRITE_2 && event.type <= ENT_MY_EV_DELETE_2))
		rows_put(d, &event);
	return 0;
}

static size_t event_size(const uint8_t *p) { return (size_t)p[9] | (size_t)p[10] << 8 | (size_t)p[11] << 16; }

static const char row_1[] =
	"|4294967295|-9223372036854775808|-1|%s|0.5|-1e+300|2024-02-29|%s|2024-02-29 12:34:56.789012|2024-02-29 12:34:56.78+00|2155|ab|%s|"
	"longer text|\\x01020000|\\x00ff|513|b|x,z\n";

static void test_server(const char *folder, const char *name)
{
	static uint8_t data[1 << 16];
	struct decoded d = { .text = ENT_BUF(1 << 20), .checksum = true };
	struct ent_err e = ENT_ERR_INIT;
	size_t size = file_read(folder, name, data, sizeof data), n;
	OK(size > 1000, "%s: %zu bytes", name, size);
	for (size_t at = 1; at + 19 <= size; at += n) {
		n = event_size(data + at);
		if (!OK(n >= 19 && n <= size - at && !event_put(&d, ent_bytes(data + at, n), &e), "%s: event at %zu %s", name, at, e.what))
			break;
	}
	static const char beyond[] = "(a time below 00:00:00 or above 24:00:00 is no time of day)";
	char one[900], text[4000];
	const char *two = "|0|1|2|0.0001|1.5|0|9999-12-31|00:00:00.001|0001-01-01 00:00:00|~|1901||||\\x00000000|\\x|0|a|\n";
	snprintf(text, sizeof text, "I 1");
	snprintf(one, sizeof one, row_1, "-1234567890123456.7891", beyond, "text");
	char *at = text + strlen(text);
	at += snprintf(at, 2000, "%sI 2%s", one, two);
	snprintf(one, sizeof one, row_1, "12.5000", beyond, "changed");
	snprintf(at, 2000, "U 1%sU 3%sD 1%struncate\nalter\n", one, two, one);
	OK_STR(ent_buf_text(&d.text), text, "%s: every row as it was", name);
	OK(d.rows == 5 && d.commits >= 2 && d.refused == 3 && d.map.named, "%s: %zu rows, %zu commits, columns named", name, d.rows, d.commits);
	/* One wrong bit anywhere in an event is noticed. */
	size_t missed = 0, first = event_size(data + 1);
	for (size_t bit = 0; bit < first * 8; bit++) {
		struct ent_my_event event;
		data[1 + bit / 8] ^= (uint8_t)(1u << bit % 8);
		missed += !ent_my_event_open(ent_bytes(data + 1, first), true, &event, &e);
		data[1 + bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	OK_INT(missed, 0, "%s: a turned bit is noticed", name);
	ent_my_map_deinit(&d.map);
	ent_buf_deinit(&d.text);
}

static void test_decimals(void)
{
	static const struct {
		const char *hex, *want;
		unsigned precision, scale;
	} all[] = { { "810dfb38d204d2", "1234567890.1234", 14, 4 },
		    { "7ef204c72dfb2d", "-1234567890.1234", 14, 4 },
		    { "8000", "0", 4, 0 },
		    { "80000000000001", "0.0001", 14, 4 },
		    { "89", "9", 1, 0 },
		    { "76", "-9", 1, 0 },
		    { "e4", NULL, 2, 0 },
		    { "80", NULL, 4, 0 } };
	for (size_t i = 0; i < ENT_COUNT(all); i++) {
		uint8_t raw[32];
		char got[80];
		size_t n = strlen(all[i].hex) / 2;
		OK(ent_unhex(raw, n, all[i].hex, 2 * n), "hexadecimal");
		struct ent_reader r = ent_reader(ent_bytes(raw, n));
		bool ok = ent_my_decimal_read(&r, all[i].precision, all[i].scale, got);
		OK(ok == !!all[i].want && (!ok || !strcmp(got, all[i].want)), "decimal %s is %s", all[i].hex, ok ? got : "none");
	}
}

static void test_statements(void)
{
	static const struct {
		const char *sql;
		enum ent_my_statement kind;
		bool names; /* test.kinds, from database test */
	} all[] = { { "BEGIN", ENT_MY_ST_BEGIN, false },
		    { "/* x */ truncate table `kinds`", ENT_MY_ST_TRUNCATE, true },
		    { "TRUNCATE other.kinds", ENT_MY_ST_TRUNCATE, false },
		    { "TRUNCATE `test` . `kinds`", ENT_MY_ST_TRUNCATE, true },
		    { "ALTER TABLE kinds ADD COLUMN x text", ENT_MY_ST_ALTER, true },
		    { "ALTER TABLE kinds DROP PARTITION p1", ENT_MY_ST_ALTER_ROWS, true },
		    { "ALTER TABLE kinds RENAME TO x", ENT_MY_ST_RENAME, true },
		    { "ALTER TABLE kinds RENAME COLUMN a TO b", ENT_MY_ST_ALTER, true },
		    { "ALTER TABLE more.others ADD x text COMMENT 'test.kinds'", ENT_MY_ST_ALTER, false },
		    { "ALTER USER kinds", ENT_MY_ST_OTHER, true },
		    { "DROP TABLE IF EXISTS a, kinds", ENT_MY_ST_DROP, true },
		    { "DROP DATABASE test", ENT_MY_ST_DROP, true },
		    { "CREATE OR REPLACE TABLE kinds (id int)", ENT_MY_ST_DROP, true },
		    { "CREATE TABLE kinds_2 (id int)", ENT_MY_ST_OTHER, false },
		    { "RENAME TABLE a TO b, kinds TO c", ENT_MY_ST_RENAME, true },
		    { "-- remark\nINSERT INTO kinds VALUES (1)", ENT_MY_ST_ROWS, true },
		    { "XA START X'31',X'',1", ENT_MY_ST_BEGIN, false },
		    { "XA COMMIT X'31'", ENT_MY_ST_XA_SETTLED, false },
		    { "/*!50100 TRUNCATE */ kinds", ENT_MY_ST_TRUNCATE, true },
		    { "", ENT_MY_ST_OTHER, false } };
	for (size_t i = 0; i < ENT_COUNT(all); i++) {
		struct ent_bytes sql = ent_bytes_str(all[i].sql);
		OK_INT(ent_my_statement_kind(sql), all[i].kind, "statement %zu", i);
		OK_INT(ent_my_statement_names(sql, "test", "test", "kinds"), all[i].names, "statement %zu: names the table", i);
	}
}

static void test_json(void)
{
	static const struct {
		const char *hex, *want;
	} all[] = { { "00020032001200010013000100021400072e00616204001a000501000b10000c180004000000000000000004400178a0860100",
		      "{\"a\": [1, 2.5, \"x\", null], \"b\": 100000}" },
		    { "0b000000000000f83f", "1.5" },
		    { "0b9a9999999999b93f", "0.1" },
		    { "0b40e59c30a2cd4544", NULL },
		    { "0401", "true" },
		    { "0403", NULL },
		    { "02010006000200ff", NULL },
		    { "0201000700020000", NULL },
		    { "0c0361220a", "\"a\\\"\\n\"" },
		    { "0c04616263", NULL },
		    { "", "null" } };
	for (size_t i = 0; i < ENT_COUNT(all); i++) {
		uint8_t raw[100];
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 16);
		struct ent_err e = ENT_ERR_INIT;
		size_t n = strlen(all[i].hex) / 2;
		OK(ent_unhex(raw, n, all[i].hex, 2 * n), "hexadecimal");
		int code = ent_my_json_text(ent_bytes(raw, n), &out, &e);
		if (i == 3) { /* any large double: digits with an exponent */
			OK(!code && strchr(ent_buf_text(&out), 'e'), "%s", ent_buf_text(&out));
			continue;
		}
		OK(all[i].want ? !code && !strcmp(ent_buf_text(&out), all[i].want) : code == ENT_EDATA, "JSON %s: %s", all[i].hex,
		   code ? e.what : ent_buf_text(&out));
	}
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	OK_INT(ent_my_crc32(ent_bytes_str("123456789")), 0xcbf43926, "the check value of CRC-32");
	test_server(argv[1], "mariadb");
	test_server(argv[1], "mysql");
	test_decimals();
	test_statements();
	test_json();
	OK(ent_my_charset_of("utf8mb4_bin") == ENT_MY_UTF8 && ent_my_charset_of("latin1_swedish_ci") == ENT_MY_LATIN1 &&
		   ent_my_charset_of("koi8r_bin") == ENT_MY_OTHER_CHARSET,
	   "character sets");
	return tap_done();
}
