/* The writers, byte for byte; values as text and back. The IPC bytes were read once by another Arrow implementation and are kept since. */
#include <math.h>
#include <stdlib.h>

#include "arrow/stream.h"
#include "arrow/value.h"
#include "arrow/write.h"
#include "arrow_case.h"

static void write_case(enum ent_result_format format, const struct ent_result_style *style, bool empty, struct ent_buf *out)
{
	struct ArrowSchema schema;
	struct ArrowArray batch = { 0 };
	ENT_STREAM_AUTO stream = { 0 };
	uint64_t rows = 99;
	struct ent_err e = ENT_ERR_INIT;
	case_schema(&schema);
	if (!empty)
		case_batch(&schema, &batch);
	OK_INT(ent_stream_from_batches(&schema, &batch, empty ? 0 : 1, &stream, NULL), 0);
	OK(!ent_write_stream(format, &stream, ent_out_buf(out), style, &rows, &e), "written %s", e.what);
	OK_INT(rows, empty ? 0 : 4, "rows counted");
}

#define HEAD "flag,small,int,big,money,real,double,day,at,instant,text,id\r\n"

static void test_csv(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 20);
	write_case(ENT_RESULT_CSV, NULL, false, &out);
	OK_STR(ent_buf_text(&out),
	       HEAD "false,1234,1234,1234,12.34,0.5,0.5,1973-05-19,1970-01-01 00:00:00.001234,1970-01-01 00:00:00.001234+00,plain,0\r\n"
		    ",,,,,,,,,,,1\r\n"
		    "false,-2,-2,-2,-0.02,-1e+10,-10000000000,1969-12-30,1969-12-31 23:59:59.999998,1969-12-31 23:59:59.999998+00,\"\",2\r\n"
		    "true,-3,-3,-3,-0.03,-1e+10,-10000000000,1969-12-29,1969-12-31 23:59:59.999997,1969-12-31 23:59:59.999997+00,"
		    "\"a,\"\"b\"\"\n\x1b[31m \xe6\xbc\xa2\",3\r\n");
	ent_buf_reset(&out);
	write_case(ENT_RESULT_CSV, NULL, true, &out);
	OK_STR(ent_buf_text(&out), HEAD, "no rows: the header alone");
}

static void test_json(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 20);
	write_case(ENT_RESULT_JSON, NULL, false, &out);
	OK(strstr(ent_buf_text(&out), "[\n {\"flag\": false, \"small\": 1234,") != NULL, "first row");
	OK(strstr(ent_buf_text(&out), "\"money\": null, ") && strstr(ent_buf_text(&out), "\"money\": -0.02, "), "NULL and decimals");
	OK(strstr(ent_buf_text(&out), "\"text\": \"a,\\\"b\\\"\\u000a\\u001b[31m \xe6\xbc\xa2\", \"id\": 3}\n]\n") != NULL, "escapes and end");
	ent_buf_reset(&out);
	write_case(ENT_RESULT_JSON, NULL, true, &out);
	OK_STR(ent_buf_text(&out), "[]\n");
}

static void test_table(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 20);
	struct ent_result_style style = { .width_max = 0, .sample_max = 2 };
	write_case(ENT_RESULT_TABLE, &style, false, &out);
	OK(!strncmp(ent_buf_text(&out), " flag  | small |  int |  big | money | real | double | day        | at ", 70),
	   "header, numbers to the right");
	OK(strstr(ent_buf_text(&out), "\n NULL  |  NULL | NULL |") != NULL, "NULL without colour");
	OK(!strchr(ent_buf_text(&out), 0x1b), "no escape sequence of a value reaches the terminal");
	ent_buf_reset(&out);
	write_case(ENT_RESULT_TABLE, NULL, false, &out);
	OK(!strchr(ent_buf_text(&out), 0x1b) && strstr(ent_buf_text(&out), "\\u{a}\\u{1b}[31m"), "nor when it is shown whole");
	ent_buf_reset(&out);
	style = (struct ent_result_style){ .colour = true, .width_max = 80 };
	write_case(ENT_RESULT_TABLE, &style, false, &out);
	OK(strstr(ent_buf_text(&out), "\x1b[2mNULL\x1b[0m") != NULL, "NULL dim");
	OK(strstr(ent_buf_text(&out), "\xe2\x80\xa6") != NULL, "cut with an ellipsis");
	OK_INT(ent_text_width(ent_bytes_str("a\xe6\xbc\xa2"
					    "e\xcc\x81")),
	       4, "wide and combining characters");
}

static uint64_t fnv(struct ent_bytes b)
{
	uint64_t h = 0xcbf29ce484222325u;
	for (size_t i = 0; i < b.len; i++)
		h = (h ^ b.data[i]) * 0x100000001b3u;
	return h;
}

static void test_ipc(const char *save)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 20);
	write_case(ENT_RESULT_ARROW, NULL, false, &out);
	if (save) {
		FILE *f = fopen(save, "wb");
		OK(f && fwrite(out.data, 1, out.len, f) == out.len && !fclose(f), "saved to %s", save);
	}
	OK(out.len % 8 == 0 && !memcmp(out.data, "\xff\xff\xff\xff", 4), "starts with a continuation mark, padded to 8");
	OK(!memcmp(out.data + out.len - 8, "\xff\xff\xff\xff\0\0\0\0", 8), "ends with the end mark");
	char got[32];
	snprintf(got, sizeof got, "%zu %016llx", out.len, (unsigned long long)fnv(ent_buf_bytes(&out)));
	OK_STR(got, "2088 2721df6080ce9d9e", "the very bytes");
}

static void check_time(const char *text, int64_t us, const char *back)
{
	int64_t got = 0;
	char out[ENT_VALUE_TEXT_MAX] = "";
	OK(ent_timestamp_parse(ent_bytes_str(text), true, &got) && got == us, "%s is %lld, got %lld", text, (long long)us, (long long)got);
	ent_timestamp_text(us, true, out);
	OK_STR(out, back);
}

static void test_times(void)
{
	int32_t days;
	int64_t us;
	char out[ENT_VALUE_TEXT_MAX] = "";
	check_time("1970-01-01T00:00:00Z", 0, "1970-01-01 00:00:00+00");
	check_time("2000-02-29 12:00:00.25+02:00", 951818400250000, "2000-02-29 10:00:00.25+00");
	check_time("0001-01-01 00:00:00+00", -62135596800000000, "0001-01-01 00:00:00+00");
	check_time("0001-12-31 23:59:59+00 BC", -62135596801000000, "0001-12-31 23:59:59+00 BC");
	check_time("9999-12-31 23:59:59.999999-00", 253402300799999999, "9999-12-31 23:59:59.999999+00");
	OK(ent_date_parse(ent_bytes_str("2024-02-29"), &days) && days == 19782, "leap day");
	static const char *const wrong[] = { "2023-02-29", "2023-13-01", "2023-1-1",   "0000-01-01", "2023-01-01x",
					     "",           "infinity",   "2023-00-10", "20230101" };
	for (size_t i = 0; i < ENT_COUNT(wrong); i++)
		OK(!ent_date_parse(ent_bytes_str(wrong[i]), &days), "no date: %s", wrong[i]);
	static const char *const wrong_at[] = { "2023-01-01 24:00:00", "2023-01-01 00:60:00", "2023-01-01 00:00:00.", "2023-01-01 00:00:00+00",
						"2023-01-01 00:00:00.1234567" };
	for (size_t i = 0; i < ENT_COUNT(wrong_at); i++)
		OK(!ent_timestamp_parse(ent_bytes_str(wrong_at[i]), false, &us), "no timestamp: %s", wrong_at[i]);
	for (int32_t d = -800000; d < 3000000; d += 997) {
		ent_date_text(d, out);
		if (!ent_date_parse(ent_bytes_str(out), &days) || days != d) {
			OK(0, "day %d as %s", d, out);
			return;
		}
	}
	OK(1, "dates read back over ten thousand years");
}

static void check_decimal(const char *text, unsigned p, unsigned s, const char *want)
{
	char out[ENT_VALUE_TEXT_MAX] = "";
	ent_i128 v = 0;
	bool fits = ent_decimal_parse(ent_bytes_str(text), p, s, &v);
	if (fits)
		ent_decimal_text(v, s, out);
	OK_STR(fits ? out : "refused", want, "%s as decimal(%u,%u)", text, p, s);
}

static void test_numbers(void)
{
	int64_t i;
	double d;
	char out[ENT_VALUE_TEXT_MAX] = "";
	check_decimal("12.5", 5, 2, "12.50");
	check_decimal("-0.01", 5, 2, "-0.01");
	check_decimal("12.500", 5, 2, "12.50");
	check_decimal("12.505", 5, 2, "refused");
	check_decimal("999.99", 5, 2, "999.99");
	check_decimal("1000", 5, 2, "refused");
	check_decimal("0", 18, 18, "0.000000000000000000");
	check_decimal("99999999999999999999999999999999999999", 38, 0, "99999999999999999999999999999999999999");
	check_decimal("100000000000000000000000000000000000000", 38, 0, "refused");
	check_decimal("1e3", 9, 0, "refused");
	check_decimal(".5", 9, 1, "refused");
	check_decimal("", 9, 1, "refused");
	OK(ent_int_parse(ent_bytes_str("-9223372036854775808"), &i) && i == INT64_MIN, "smallest integer");
	OK(!ent_int_parse(ent_bytes_str("9223372036854775808"), &i) && !ent_int_parse(ent_bytes_str("-"), &i), "beyond");
	static const double reals[] = { 0.1, 1.0 / 3, 1e300, 5e-324, -0.0, 123456789.125 };
	for (size_t k = 0; k < ENT_COUNT(reals); k++) {
		ent_real_text(reals[k], false, out);
		OK(ent_real_parse(ent_bytes_str(out), &d) && !memcmp(&d, &reals[k], 8), "%s reads back", out);
	}
	ent_real_text(0.1, false, out);
	OK_STR(out, "0.1", "shortest");
	ent_real_text((double)0.1f, true, out);
	OK_STR(out, "0.1", "shortest real");
	OK(ent_real_parse(ent_bytes_str("-Infinity"), &d) && isinf(d) && !ent_real_parse(ent_bytes_str("1e999"), &d) &&
		   !ent_real_parse(ent_bytes_str("0x1"), &d),
	   "odd reals");
}

int main(int argc, char **argv)
{
	test_csv();
	test_json();
	test_table();
	test_ipc(argc > 1 ? argv[1] : NULL);
	test_times();
	test_numbers();
	return tap_done();
}
