/* Values of Cassandra: a row of every type as a real server sent it, what is refused, numbers of any length against 128-bit arithmetic. */
#include "arrow/value.h"
#include "cass_type.h"
#include "tap.h"
#include "unit/wire/cql_recorded.h"
#include "wire/cql.h"

static char got[2100];

/* Reads one value as type and gives its text, "NULL", or the error's what. wire: what encoding it again gives. */
static int through(enum ent_cass_kind kind, struct ent_type type, struct ent_bytes value, struct ent_buf *wire)
{
	const struct ent_field field = { .name = "v", .type = type, .nullable = true };
	const struct ent_cass_column column = { "v", kind };
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO array = { 0 };
	ENT_BATCH_AUTO batch = { 0 };
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(1 << 20);
	struct ent_err e = ENT_ERR_INIT;
	int code = ent_schema_new(&field, 1, NULL, &schema, &e);
	code = code ? code : ent_builder_new(&schema, 1 << 20, &b, &e);
	code = code ? code : ent_cass_value_put(b, 0, &column, 7, value, &e);
	if (code) {
		snprintf(got, sizeof got, "%s", e.what);
		return code;
	}
	code = ent_builder_finish(b, &array, &e);
	code = code ? code : ent_batch_open_copy(&schema, &array, &batch, &e);
	if (!code && !ent_view_null(&batch.columns[0], 0)) {
		ent_value_put(&batch.columns[0], 0, &text);
		if (wire)
			code = ent_cass_value_encode(&batch.columns[0], 0, kind, false, wire, &e);
	}
	snprintf(got, sizeof got, "%s", code || text.len || (batch.columns && !ent_view_null(&batch.columns[0], 0)) ? ent_buf_text(&text) : "NULL");
	return code;
}

static void recorded(void)
{
	static const struct {
		const char *type, *text;
	} columns[] = { { "int", "1" },
			{ "ascii", "asc" },
			{ "bigint", "-9223372036854775808" },
			{ "blob", "\\x00ff" },
			{ "boolean", "true" },
			{ "decimal", "-12.345" },
			{ "double", "0.1" },
			{ "float", "0.5" },
			{ "inet", "10.0.0.1" },
			{ "smallint", "-32768" },
			{ "tinyint", "-128" },
			{ "timestamp", "2024-02-29 12:34:56.789+00" },
			{ "uuid", "00000000-0000-0000-0000-00000000000a" },
			{ "timeuuid", "d2177dd0-eaa2-11de-a572-001b779c76e3" },
			{ "varint", "-12345678901234567890123456789" },
			{ "date", "2024-02-29" },
			{ "time", NULL }, /* nanoseconds */
			{ "duration", "14mo3d14706007008009ns" } };
	uint8_t bytes[2048];
	size_t n = strlen(cql_rows_kinds) / 2;
	struct ent_cql_parser p;
	struct ent_cql_frame f;
	struct ent_cql_event e;
	struct ent_bytes cell;
	ent_cql_parser_init(&p, 4096);
	OK(n <= sizeof bytes && ent_unhex(bytes, n, cql_rows_kinds, n * 2) && !ent_cql_parser_put(&p, ent_bytes(bytes, n), NULL) &&
		   !ent_cql_parser_next(&p, &f, NULL) && !ent_cql_event(&f, &e, NULL),
	   "a recorded row");
	for (size_t i = 0; i < ENT_COUNT(columns) && !ent_cql_cell(&e.cells, &cell, NULL); i++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf wire = ENT_BUF(1000);
		struct ent_cass_type t;
		ent_cass_type_of(columns[i].type, &t);
		int code = through(t.kind, t.type, cell, &wire);
		if (!columns[i].text) {
			OK(code == ENT_EDATA && strstr(got, "row 7 of column v"), "%s: %s", columns[i].type, got);
			continue;
		}
		OK_STR(got, columns[i].text, "%s", columns[i].type);
		OK(wire.len == cell.len + 4 && !memcmp(wire.data + 4, cell.data, cell.len), "%s: and back to the same bytes", columns[i].type);
	}
	ent_cql_parser_deinit(&p);
}

static void refused(void)
{
	static const struct {
		const char *name;
		enum ent_cass_kind kind;
		struct ent_type type;
		const char *bytes;
		size_t len;
	} cases[] = { { "an int of three bytes", ENT_CASS_INT, { .id = ENT_T_INT32 }, "\1\2\3", 3 },
		      { "an address of five", ENT_CASS_INET, { .id = ENT_T_TEXT }, "\1\2\3\4\5", 5 },
		      { "text that is no UTF-8", ENT_CASS_TEXT, { .id = ENT_T_TEXT }, "\xff", 1 },
		      { "text with a NUL", ENT_CASS_TEXT, { .id = ENT_T_TEXT }, "a\0b", 3 },
		      { "a decimal without digits", ENT_CASS_DECIMAL, { .id = ENT_T_TEXT }, "\0\0\0\1", 4 },
		      { "a decimal of a huge scale", ENT_CASS_DECIMAL, { .id = ENT_T_TEXT }, "\x7f\0\0\1\5", 5 },
		      { "a duration of both signs", ENT_CASS_DURATION, { .id = ENT_T_TEXT }, "\2\1\2", 3 },
		      { "a duration cut short", ENT_CASS_DURATION, { .id = ENT_T_TEXT }, "\2\2\xf0", 3 },
		      { "the last day there is", ENT_CASS_DATE, { .id = ENT_T_DATE }, "\xff\xff\xff\xff", 4 },
		      { "the last millisecond there is", ENT_CASS_TIMESTAMP, { .id = ENT_T_TIMESTAMPTZ }, "\x7f\xff\xff\xff\xff\xff\xff\xff", 8 } };
	for (size_t i = 0; i < ENT_COUNT(cases); i++)
		OK_INT(through(cases[i].kind, cases[i].type, ent_bytes(cases[i].bytes, cases[i].len), NULL), ENT_EDATA, "%s: %s", cases[i].name, got);
	OK(!through(ENT_CASS_INT, (struct ent_type){ .id = ENT_T_INT32 }, ent_bytes("", 0), NULL) && !strcmp(got, "NULL"), "an empty int is none");
	OK(!through(ENT_CASS_TEXT, (struct ent_type){ .id = ENT_T_TEXT }, ent_bytes("", 0), NULL) && !strcmp(got, ""), "an empty text is one");
	OK(!through(ENT_CASS_JSON, (struct ent_type){ .id = ENT_T_TEXT }, ent_bytes("null", 4), NULL) && !strcmp(got, "NULL"), "JSON's null is NULL");
}

/* Texts into bytes: what a target column takes from a text column. */
static void parsed(void)
{
	static const struct {
		enum ent_cass_kind kind;
		const char *text, *hex; /* NULL: refused */
	} cases[] = { { ENT_CASS_DECIMAL, "12.50", "000000060000000204e2" },
		      { ENT_CASS_DECIMAL, "-0.001", "0000000500000003ff" },
		      { ENT_CASS_DECIMAL, "1E+3", "00000005fffffffd01" },
		      { ENT_CASS_DECIMAL, "1.5e-2", "00000005000000030f" },
		      { ENT_CASS_DECIMAL, "NaN", NULL },
		      { ENT_CASS_DECIMAL, "1e", NULL },
		      { ENT_CASS_DECIMAL, ".", NULL },
		      { ENT_CASS_DECIMAL, "1.2.3", NULL },
		      { ENT_CASS_DECIMAL, "1e99999", NULL },
		      { ENT_CASS_VARINT, "-128", "0000000180" },
		      { ENT_CASS_VARINT, "128", "000000020080" },
		      { ENT_CASS_VARINT, "0", "0000000100" },
		      { ENT_CASS_VARINT, "1.0", NULL },
		      { ENT_CASS_VARINT, "", NULL },
		      { ENT_CASS_UUID, "00000000-0000-0000-0000-00000000000A", "000000100000000000000000000000000000000a" },
		      { ENT_CASS_UUID, "00000000-0000-0000-0000-00000000000", NULL },
		      { ENT_CASS_UUID, "000000000000-0000-0000-0000-0000000a", NULL },
		      { ENT_CASS_INET, "::1", "0000001000000000000000000000000000000001" },
		      { ENT_CASS_INET, "10.0.0.0/8", NULL },
		      { ENT_CASS_DURATION, "1mo2d3ns", "00000003020406" },
		      { ENT_CASS_DURATION, "-0mo0d64ns", "0000000300007f" },
		      { ENT_CASS_DURATION, "0mo0d64ns", "0000000400008080" },
		      { ENT_CASS_DURATION, "1d", NULL },
		      { ENT_CASS_DURATION, "2147483648mo0d0ns", NULL },
		      { ENT_CASS_ASCII, "a", "0000000161" },
		      { ENT_CASS_ASCII, "\xc3\xa9", NULL } };
	static const struct ent_field field = { .name = "v", .type = { .id = ENT_T_TEXT } };
	ENT_SCHEMA_AUTO schema = { 0 };
	OK(!ent_schema_new(&field, 1, NULL, &schema, NULL), "schema");
	for (size_t i = 0; i < ENT_COUNT(cases); i++) {
		ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf wire = ENT_BUF(1000), hex = ENT_BUF(1000);
		ENT_ARRAY_AUTO array = { 0 };
		ENT_BATCH_AUTO batch = { 0 };
		struct ent_err e = ENT_ERR_INIT;
		OK(!ent_builder_new(&schema, 0, &b, &e) && !ent_builder_text(b, 0, ent_bytes_str(cases[i].text), &e) &&
			   !ent_builder_finish(b, &array, &e) && !ent_batch_open_copy(&schema, &array, &batch, &e),
		   "%s", cases[i].text);
		int code = ent_cass_value_encode(&batch.columns[0], 0, cases[i].kind, false, &wire, &e);
		OK_INT(code, cases[i].hex ? 0 : ENT_EDATA, "'%s': %s", cases[i].text, code ? e.why : "taken");
		ent_buf_hex(&hex, wire.data, wire.len);
		if (!code)
			OK_STR(ent_buf_text(&hex), cases[i].hex, "'%s' on the wire", cases[i].text);
	}
}

/* Numbers of every size near 128 bits, and a very long one there and back. */
static void big(void)
{
	uint64_t seed = 20241121;
	size_t bad = 0;
	printf("# seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < 20000; i++) {
		char want[64], text[ENT_CASS_DIGITS_MAX + 2];
		uint8_t bytes[16];
		ent_u128 bits = 0;
		for (int k = 0; k < 2; k++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			bits = bits << 64 | (seed ^ seed >> 29);
		}
		ent_i128 v = (ent_i128)bits >> (i % 127);
		if (i % 31 == 0)
			v = (ent_i128)1 << (i % 126);
		v = i & 1 ? -v : v;
		for (int k = 0; k < 16; k++)
			bytes[k] = (uint8_t)((ent_u128)v >> (120 - 8 * k));
		ent_decimal_text(v, 0, want);
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf back = ENT_BUF(1000);
		bool ok = ent_cass_big_text(ent_bytes(bytes, 16), text) && !strcmp(text, want) &&
			  ent_cass_big_parse(want + (v < 0), strlen(want) - (v < 0), v < 0, &back) && back.len <= 16 &&
			  !memcmp(back.data, bytes + 16 - back.len, back.len) && ent_cass_big_text(ent_buf_bytes(&back), text) && !strcmp(text, want);
		bad += !ok;
	}
	OK_INT(bad, 0, "numbers of up to 128 bits as 128-bit arithmetic has them");
	static char digits[ENT_CASS_DIGITS_MAX + 2], text[ENT_CASS_DIGITS_MAX + 2];
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf wire = ENT_BUF(1000);
	memset(digits, '9', ENT_CASS_DIGITS_MAX);
	OK(ent_cass_big_parse(digits, ENT_CASS_DIGITS_MAX, false, &wire) && ent_cass_big_text(ent_buf_bytes(&wire), text) && !strcmp(text, digits),
	   "a thousand nines in %zu bytes and back", wire.len);
	memset(digits, '9', ENT_CASS_DIGITS_MAX + 1);
	OK(!ent_cass_big_parse(digits, ENT_CASS_DIGITS_MAX + 1, false, &wire), "one more is refused");
	uint8_t far[ENT_CASS_BYTES_MAX + 1] = { 1 };
	OK(!ent_cass_big_text(ent_bytes(far, sizeof far), text), "and so are more bytes than that");
}

static void fits(void)
{
	static const struct {
		enum ent_type_id from;
		const char *native, *made;
		enum ent_map_verdict verdict;
	} cases[] = { { ENT_T_INT16, "tinyint", "tinyint", ENT_MAP_EXACT },
		      { ENT_T_INT16, "smallint", "smallint", ENT_MAP_EXACT },
		      { ENT_T_UINT64, "bigint unsigned", "varint", ENT_MAP_WIDENED },
		      { ENT_T_DECIMAL, "numeric(12,2)", "decimal", ENT_MAP_WIDENED },
		      { ENT_T_TEXT, "numeric", "decimal", ENT_MAP_EXACT },
		      { ENT_T_TEXT, "uuid", "uuid", ENT_MAP_EXACT },
		      { ENT_T_TEXT, "jsonb", "text", ENT_MAP_EXACT },
		      { ENT_T_TEXT, "frozen<list<int>>", "frozen<list<int>>", ENT_MAP_EXACT },
		      { ENT_T_TIMESTAMPTZ, "timestamp", "timestamp", ENT_MAP_EXACT },
		      { ENT_T_TIMESTAMPTZ, "timestamp(3) with time zone", "timestamp", ENT_MAP_EXACT },
		      { ENT_T_TIMESTAMPTZ, "timestamp with time zone", "timestamp", ENT_MAP_LOSSY },
		      { ENT_T_TIMESTAMP, "datetime", "timestamp", ENT_MAP_WIDENED },
		      { ENT_T_TIMESTAMP, "datetime(6)", "timestamp", ENT_MAP_LOSSY },
		      { ENT_T_TIME, "time", "time", ENT_MAP_EXACT },
		      { ENT_T_BINARY, "bytea", "blob", ENT_MAP_EXACT } };
	for (size_t i = 0; i < ENT_COUNT(cases); i++) {
		struct ent_type t = { cases[i].from, 12, 2 };
		struct ent_cass_type to;
		char made[160], why[200];
		ent_cass_type_for(t, cases[i].native, made);
		ent_cass_type_of(made, &to);
		OK_STR(made, cases[i].made, "%s", cases[i].native);
		OK_INT(ent_cass_fit(t, cases[i].native, to.kind, why), cases[i].verdict, "%s: %s", cases[i].native, why);
	}
	char why[200];
	OK(ent_cass_fit((struct ent_type){ .id = ENT_T_BOOL }, "boolean", ENT_CASS_INT, why) == ENT_MAP_REFUSED && why[0], "a boolean is no int");
	OK(ent_cass_fit((struct ent_type){ .id = ENT_T_INT64 }, "bigint", ENT_CASS_COUNTER, why) == ENT_MAP_REFUSED,
	   "nothing is written to a counter");
	OK(ent_cass_fit((struct ent_type){ .id = ENT_T_DATE }, "date", ENT_CASS_ASCII, why) == ENT_MAP_REFUSED, "a date is no ascii");
}

int main(void)
{
	recorded();
	refused();
	parsed();
	big();
	fits();
	return tap_done();
}
