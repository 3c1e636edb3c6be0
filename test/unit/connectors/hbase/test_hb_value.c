/* Values, places and row keys of HBase: every type through its bytes and back, what is refused, keys of several parts. */
#include "arrow/value.h"
#include "hb_type.h"
#include "tap.h"

static char got[500];

/* Reads bytes as type and gives the text, or the error's what; wire: what encoding it again gives. */
static int through(const char *type, struct ent_bytes value, struct ent_buf *wire)
{
	struct ent_hb_column column = { .name = "v" };
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO array = { 0 };
	ENT_BATCH_AUTO batch = { 0 };
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(1 << 20), scratch = ENT_BUF(1 << 20);
	struct ent_err e = ENT_ERR_INIT;
	OK(ent_hb_type_by_name(type, &column.t), "%s is a type", type);
	const struct ent_field field = { .name = "v", .type = column.t.type, .nullable = true };
	int code = ent_schema_new(&field, 1, NULL, &schema, &e);
	code = code ? code : ent_builder_new(&schema, 1 << 20, &b, &e);
	code = code ? code : ent_hb_value_put(b, 0, &column, 7, value, &e);
	if (code) {
		snprintf(got, sizeof got, "%s", e.what);
		return code;
	}
	code = ent_builder_finish(b, &array, &e);
	code = code ? code : ent_batch_open_copy(&schema, &array, &batch, &e);
	ent_value_put(&batch.columns[0], 0, &text);
	snprintf(got, sizeof got, "%s", ent_buf_text(&text));
	return code ? code : ent_hb_value_encode(&batch.columns[0], 0, &column.t, &scratch, wire, &e);
}

static void test_round_trips(void)
{
	static const struct {
		const char *type, *hex, *text;
	} cases[] = { { "short", "8000", "-32768" },
		      { "int", "7fffffff", "2147483647" },
		      { "long", "fffffffffffffffe", "-2" },
		      { "float", "bf800000", "-1" },
		      { "double", "7ff0000000000000", "Infinity" },
		      { "double", "8000000000000000", "-0" },
		      { "bool", "ff", "true" },
		      { "bool", "00", "false" },
		      { "bigint", "2d39323233333732303336383534373735383038", "-9223372036854775808" },
		      { "unsigned bigint", "3138343436373434303733373039353531363135", "18446744073709551615" },
		      { "decimal(12,2)", "31322e3530", "12.50" },
		      { "real", "4e614e", "NaN" },
		      { "date", "303030312d30312d3031", "0001-01-01" },
		      { "date", "2d696e66696e697479", "-infinity" },
		      { "timestamp without time zone", "696e66696e697479", "infinity" },
		      { "timestamp with time zone", "323032342d30322d32392031323a33343a35362e3738393031322b3030", "2024-02-29 12:34:56.789012+00" },
		      { "time", "32333a35393a35392e393939393939", "23:59:59.999999" },
		      { "text", "", "" },
		      { "text", "c3a9", "\xc3\xa9" },
		      { "binary", "00ff", "\\x00ff" },
		      { "boolean", "74727565", "true" } };
	for (size_t i = 0; i < ENT_COUNT(cases); i++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf wire = ENT_BUF(1000);
		uint8_t raw[100];
		size_t n = strlen(cases[i].hex) / 2;
		OK(ent_unhex(raw, n, cases[i].hex, 2 * n), "bytes");
		OK_INT(through(cases[i].type, ent_bytes(raw, n), &wire), 0, "%s: %s", cases[i].type, got);
		OK_STR(got, cases[i].text, "%s as text", cases[i].type);
		OK(ent_bytes_eq(ent_buf_bytes(&wire), ent_bytes(raw, n)), "%s gives the same bytes again", cases[i].type);
	}
}

static void test_refused(void)
{
	static const struct {
		const char *type, *bytes;
	} cases[] = {
		{ "int", "123" },   { "short", "" },      { "long", "1234" },          { "smallint", "32768" },    { "integer", "1.5" },
		{ "bigint", "" },   { "boolean", "yes" }, { "decimal(3,1)", "99.99" }, { "decimal(3,1)", "1000" }, { "date", "2024-02-30" },
		{ "text", "\xff" }, { "real", "1e39" },   { "double precision", "x" }, { "time", "25:00" },        { "unsigned bigint", "-1" }
	};
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf wire = ENT_BUF(1000);
	for (size_t i = 0; i < ENT_COUNT(cases); i++) {
		OK_INT(through(cases[i].type, ent_bytes_str(cases[i].bytes), &wire), ENT_EDATA, "%s: %s", cases[i].type, got);
		OK(strstr(got, "row 7 of column v"), "by row and column");
	}
	OK_INT(through("text", ent_bytes("a\0b", 3), &wire), ENT_EDATA, "a zero byte in a text");
	struct ent_hb_type t;
	OK(!ent_hb_type_by_name("colour", &t) && !ent_hb_type_by_name("decimal(39,1)", &t), "no types");
}

static void test_places(void)
{
	struct ent_hb_column c;
	const char *why;
	OK(ent_hb_column_place(&c, "price", &why) && ent_bytes_eq(c.family, ent_bytes_str("f")) && ent_bytes_eq(c.qualifier, ent_bytes_str("price")),
	   "a plain name lives in f");
	OK(ent_hb_column_place(&c, "cf:a:b", &why) && ent_bytes_eq(c.family, ent_bytes_str("cf")) && ent_bytes_eq(c.qualifier, ent_bytes_str("a:b")),
	   "the first colon ends the family");
	static const char *const bad[] = { "", ":x", ".f:x", "a\nb", "f:_entente", "_entente" };
	for (size_t i = 0; i < ENT_COUNT(bad); i++)
		OK(!ent_hb_column_place(&c, bad[i], &why), "no column: %s", why);
}

/* --- row keys --- */

static void key_make(struct ent_buf *out, const struct ent_bytes *parts, size_t n)
{
	ent_buf_reset(out);
	for (size_t i = 0; i < n; i++)
		ent_hb_key_part(out, parts[i], i, n);
}

static int key_order(struct ent_bytes a, struct ent_bytes b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int d = n ? memcmp(a.data, b.data, n) : 0;
	return d ? d : (a.len > b.len) - (a.len < b.len);
}

/* All pairs of short parts over 00, 01 and ff: keys differ when the parts do, sort as they do, and come apart again. */
static void test_keys(void)
{
	static const uint8_t letters[] = { 0, 1, 0xff };
	uint8_t words[13][2];
	struct ent_bytes all[13], split[2];
	size_t n = 0;
	unsigned same = 0, order = 0, back = 0;
	all[n++] = ent_bytes("", 0);
	for (size_t i = 0; i < 3; i++)
		words[n][0] = letters[i], all[n] = ent_bytes(words[n], 1), n++;
	for (size_t i = 0; i < 9; i++)
		words[n][0] = letters[i / 3], words[n][1] = letters[i % 3], all[n] = ent_bytes(words[n], 2), n++;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf a = ENT_BUF(100), b = ENT_BUF(100), scratch = ENT_BUF(100);
	for (size_t i = 0; i < n * n; i++) {
		struct ent_bytes left[2] = { all[i / n], all[i % n] };
		key_make(&a, left, 2);
		bool ok = ent_hb_key_split(ent_buf_bytes(&a), 2, &scratch, split);
		back += ok && ent_bytes_eq(split[0], left[0]) && ent_bytes_eq(split[1], left[1]);
		for (size_t k = 0; k < n * n; k++) {
			struct ent_bytes right[2] = { all[k / n], all[k % n] };
			key_make(&b, right, 2);
			int want = key_order(left[0], right[0]);
			want = want ? want : key_order(left[1], right[1]);
			int is = key_order(ent_buf_bytes(&a), ent_buf_bytes(&b));
			same += !is == !want;
			order += (is < 0) == (want < 0) && (is > 0) == (want > 0);
		}
	}
	OK_INT(back, n * n, "every pair comes apart again");
	OK_INT(same, n * n * n * n, "no two pairs have the same key");
	OK_INT(order, n * n * n * n, "and keys sort as pairs do");
	static const struct {
		const char *hex;
		size_t n;
	} bad[] = { { "61", 2 }, { "6100", 2 }, { "61000162", 2 }, { "610000620000", 2 }, { "6100006200", 2 } };
	for (size_t i = 0; i < ENT_COUNT(bad); i++) {
		uint8_t raw[16];
		OK(ent_unhex(raw, strlen(bad[i].hex) / 2, bad[i].hex, strlen(bad[i].hex)) &&
			   !ent_hb_key_split(ent_bytes(raw, strlen(bad[i].hex) / 2), bad[i].n, &scratch, split),
		   "%s is no key of two parts", bad[i].hex);
	}
}

static void test_between(void)
{
	uint8_t mid[64], again[64];
	size_t n = ent_hb_key_between(ent_bytes_str("user00000"), ent_bytes_str("user99999"), 1, 2, mid);
	OK(n > 4 && !memcmp(mid, "user4", 5), "half way: %.5s", (const char *)mid);
	n = ent_hb_key_between(ent_bytes_str("a"), ent_bytes(NULL, 0), 1, 4, mid);
	OK(key_order(ent_bytes(mid, n), ent_bytes_str("a")) > 0, "towards an open end");
	n = ent_hb_key_between(ent_bytes_str("same"), ent_bytes_str("same"), 1, 2, mid);
	size_t m = ent_hb_key_between(ent_bytes_str("same"), ent_bytes_str("same"), 1, 3, again);
	OK(n == m && !memcmp(mid, again, n), "nothing lies between equal keys");
}

int main(void)
{
	test_round_trips();
	test_refused();
	test_places();
	test_keys();
	test_between();
	return tap_done();
}
