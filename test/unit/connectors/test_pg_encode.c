/* Rows for COPY: forms chosen from both sides, bytes of each, values that are refused. */
#include <stdlib.h>

#include "arrow/builder.h"
#include "arrow/value.h"
#include "pg_encode.h"
#include "tap.h"

static struct ent_err e = ENT_ERR_INIT;

/* One value of a type, as the server would get it for a column; "" when it is refused. */
static const char *encode(struct ent_type type, ent_i128 number, const char *text, unsigned oid, int modifier, bool as_text)
{
	static char out[400];
	const struct ent_field field = { .name = "c", .type = type, .nullable = true };
	char why[200];
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO rows = { 0 };
	ENT_BATCH_AUTO b = { 0 };
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *builder = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(100000);
	struct ent_pg_put put = { .name = "c", .type = type, .oid = oid, .modifier = modifier };
	double real;
	out[0] = 0;
	if (ent_schema_new(&field, 1, NULL, &schema, &e) || ent_builder_new(&schema, 0, &builder, &e))
		return "?";
	if (ent_type_is_float(type))
		OK(ent_real_parse(ent_bytes_str(text), &real) && !ent_builder_real(builder, 0, real, &e), "real");
	else if (ent_type_is_bytes(type))
		OK(!ent_builder_text(builder, 0, ent_bytes_str(text), &e), "text");
	else
		OK(!ent_builder_wide(builder, 0, number, &e), "number %s", e.what);
	OK(!ent_builder_finish(builder, &rows, &e) && !ent_batch_open_copy(&schema, &rows, &b, &e), "batch %s", e.what);
	if (ent_pg_put_choose(&put, why) == ENT_MAP_REFUSED)
		return "refused";
	const struct ent_view *view = &b.columns[0];
	if (ent_pg_row_put(&put, &view, 1, as_text, NULL, 0, 17, &bytes, &e))
		return "";
	if (as_text)
		snprintf(out, sizeof out, "%.*s", (int)bytes.len - 1, (const char *)bytes.data);
	else
		ent_hex(out, bytes.data + 6, bytes.len - 6); /* after the number of columns and the length */
	return out;
}

#define NUMERIC(p, s) ((((p) << 16) | (s)) + 4)
#define DEC(p, s) ((struct ent_type){ ENT_T_DECIMAL, (p), (s) })
#define T(id) ((struct ent_type){ (id), 0, 0 })

static void test_numbers(void)
{
	OK_STR(encode(T(ENT_T_INT64), -2, NULL, ENT_PG_OID_INT2, -1, false), "fffe");
	OK_STR(encode(T(ENT_T_INT64), 32768, NULL, ENT_PG_OID_INT2, -1, false), "", "refused");
	OK(e.code == ENT_EDATA && strstr(e.what, "row 17 of column c") && strstr(e.why, "32768"), "by row, column and value: %s (%s)", e.what, e.why);
	OK_STR(encode(T(ENT_T_BOOL), 1, NULL, ENT_PG_OID_INT4, -1, false), "00000001");
	OK_STR(encode(T(ENT_T_BOOL), 1, NULL, ENT_PG_OID_INT4, -1, true), "1");
	OK_STR(encode(T(ENT_T_UINT64), UINT64_MAX, NULL, ENT_PG_OID_INT8, -1, false), "", "too large for bigint");
	OK_STR(encode(T(ENT_T_UINT64), UINT64_MAX, NULL, ENT_PG_OID_NUMERIC, NUMERIC(20, 0), false), "000500040000000007341a5802e103bb064f");
	OK_STR(encode(DEC(12, 2), 1250, NULL, ENT_PG_OID_NUMERIC, NUMERIC(12, 2), false), "0002000000000002000c1388");
	OK_STR(encode(DEC(12, 2), -5, NULL, ENT_PG_OID_NUMERIC, -1, false), "0001ffff4000000201f4");
	OK_STR(encode(DEC(12, 4), 12345, NULL, ENT_PG_OID_NUMERIC, NUMERIC(12, 2), false), "", "digits would be rounded");
	OK_STR(encode(DEC(12, 4), 12300, NULL, ENT_PG_OID_NUMERIC, NUMERIC(12, 2), true), "1.2300", "zeros may go");
	OK_STR(encode(DEC(12, 0), 1000, NULL, ENT_PG_OID_NUMERIC, NUMERIC(5, 2), false), "", "too many digits before the point");
	OK_STR(encode(T(ENT_T_TEXT), 0, "NaN", ENT_PG_OID_NUMERIC, -1, false), "00000000c0000000");
	OK_STR(encode(T(ENT_T_TEXT), 0, "Infinity", ENT_PG_OID_NUMERIC, NUMERIC(5, 2), false), "", "no infinity with a precision");
	OK_STR(encode(T(ENT_T_TEXT), 0, "1e5", ENT_PG_OID_NUMERIC, -1, false), "", "no exponent");
	OK_STR(encode(T(ENT_T_TEXT), 0, "12x", ENT_PG_OID_NUMERIC, -1, false), "", "no number");
	OK_STR(encode(T(ENT_T_DOUBLE), 0, "0.5", ENT_PG_OID_NUMERIC, -1, false), "refused");
	OK_STR(encode(T(ENT_T_INT64), ((ent_i128)1 << 53) + 1, NULL, ENT_PG_OID_FLOAT8, -1, false), "", "no double equals it");
	OK_STR(encode(T(ENT_T_DOUBLE), 0, "-0", ENT_PG_OID_FLOAT8, -1, false), "8000000000000000");
	OK_STR(encode(T(ENT_T_DOUBLE), 0, "1e300", ENT_PG_OID_FLOAT4, -1, false), "", "beyond real");
}

static void test_times(void)
{
	OK_STR(encode(T(ENT_T_DATE), 10957, NULL, ENT_PG_OID_DATE, -1, false), "00000000", "2000-01-01");
	OK_STR(encode(T(ENT_T_DATE), INT32_MAX, NULL, ENT_PG_OID_DATE, -1, false), "7fffffff", "infinity");
	OK_STR(encode(T(ENT_T_DATE), INT32_MIN, NULL, ENT_PG_OID_TIMESTAMP, -1, false), "8000000000000000", "in a wider type too");
	OK_STR(encode(T(ENT_T_DATE), INT32_MIN + 1, NULL, ENT_PG_OID_DATE, -1, false), "", "too early");
	OK_STR(encode(T(ENT_T_TIMESTAMP), ENT_PG_US_2000 + 1500, NULL, ENT_PG_OID_TIMESTAMP, 3, false), "", "three digits of a second");
	OK_STR(encode(T(ENT_T_TIMESTAMP), ENT_PG_US_2000 + 1000, NULL, ENT_PG_OID_TIMESTAMP, 3, false), "00000000000003e8");
	OK_STR(encode(T(ENT_T_TIMESTAMP), ENT_PG_US_2000 + 1, NULL, ENT_PG_OID_DATE, -1, false), "", "a time of day is not dropped");
	OK_STR(encode(T(ENT_T_TIMESTAMP), ENT_PG_US_2000 - 86400000000, NULL, ENT_PG_OID_DATE, -1, false), "ffffffff");
	OK_STR(encode(T(ENT_T_TIME), 1, NULL, ENT_PG_OID_TIME, 0, false), "", "whole seconds only");
	OK_STR(encode(T(ENT_T_TIME), 86400000000, NULL, ENT_PG_OID_TIME, -1, false), "000000141dd76000", "24:00");
	OK_STR(encode(T(ENT_T_TIMESTAMPTZ), INT64_MAX, NULL, ENT_PG_OID_TIMESTAMPTZ, -1, true), "infinity");
}

static void test_texts(void)
{
	OK_STR(encode(T(ENT_T_TEXT), 0, "a\tb\\c\n", 9999, -1, true), "a\\tb\\\\c\\n", "the server parses");
	OK_STR(encode(T(ENT_T_TEXT), 0, "x", 9999, -1, false), "", "only in the text format");
	OK_STR(encode(T(ENT_T_TEXT), 0, "\xc3\xa9\xc3\xa9", ENT_PG_OID_VARCHAR, 4 + 2, false), "c3a9c3a9", "characters count, not bytes");
	OK_STR(encode(T(ENT_T_TEXT), 0, "abc", ENT_PG_OID_VARCHAR, 4 + 2, false), "", "too long");
	OK_STR(encode(T(ENT_T_TEXT), 0, "{}", ENT_PG_OID_JSONB, -1, false), "017b7d");
	OK_STR(encode(T(ENT_T_TEXT), 0, "00112233-4455-6677-8899-aabbccddeeff", ENT_PG_OID_UUID, -1, false), "00112233445566778899aabbccddeeff");
	OK_STR(encode(T(ENT_T_TEXT), 0, "00112233-4455-6677-8899-aabbccddeef", ENT_PG_OID_UUID, -1, false), "", "no uuid");
	OK_STR(encode(T(ENT_T_BINARY), 0, "ab", ENT_PG_OID_BYTEA, -1, false), "6162");
	OK_STR(encode(T(ENT_T_BINARY), 0, "ab", ENT_PG_OID_TEXT, -1, false), "refused");
	OK_STR(encode(T(ENT_T_INT32), 12, NULL, ENT_PG_OID_TEXT, -1, false), "3132");
}

int main(void)
{
	test_numbers();
	test_times();
	test_texts();
	return tap_done();
}
