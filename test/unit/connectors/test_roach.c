/* Messages of CockroachDB's changefeed: what the documentation shows, every form of value, what is refused. */
#include "arrow/value.h"
#include "roach.h"
#include "tap.h"

static struct ent_roach_column all[] = { { "id", { ENT_T_INT64, 0, 0 }, ENT_ROACH_PLAIN, false, 1 },
					 { "part", { ENT_T_TEXT, 0, 0 }, ENT_ROACH_PLAIN, false, 0 },
					 { "v", { ENT_T_TEXT, 0, 0 }, ENT_ROACH_PLAIN, true, -1 } };
static struct ent_roach_columns columns = { "t", all, 3, 2 };
static char got[600];

/* One message as text: "U 1|a|x", "strange", or the error. */
static int through(const char *key, const char *value)
{
	struct ent_field fields[] = { { .name = "entente.op", .type = { ENT_T_TEXT, 0, 0 } },
				      { .name = "entente.unchanged", .type = { ENT_T_TEXT, 0, 0 }, .nullable = true },
				      { .name = "id", .type = all[0].type, .nullable = true },
				      { .name = "part", .type = all[1].type, .nullable = true },
				      { .name = "v", .type = all[2].type, .nullable = true } };
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO array = { 0 };
	ENT_BATCH_AUTO batch = { 0 };
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(500);
	struct ent_err e = ENT_ERR_INIT;
	struct ent_roach_message m;
	bool strange = false;
	int code = ent_roach_message(key ? ent_bytes_str(key) : ent_bytes(NULL, 0), ent_bytes_str(value), &m, &e);
	if (!code && m.resolved) {
		snprintf(got, sizeof got, "mark %llu.%u", (unsigned long long)m.time.wall, m.time.logical);
		return 0;
	}
	code = code ? code : ent_schema_new(fields, 5, NULL, &schema, &e);
	code = code ? code : ent_builder_new(&schema, 0, &b, &e);
	code = code ? code : ent_roach_row(&columns, &m, b, &strange, &e);
	snprintf(got, sizeof got, "%s", code ? e.what : "strange");
	if (code || strange)
		return code;
	code = ent_builder_finish(b, &array, &e);
	code = code ? code : ent_batch_open_copy(&schema, &array, &batch, &e);
	for (size_t i = 0; !code && i < batch.n_columns; i++) {
		ent_buf_str(&text, i == 2 ? " " : i > 2 ? "|" : "");
		if (i != 1 && ent_view_null(&batch.columns[i], 0))
			ent_buf_str(&text, "-");
		else if (i != 1)
			ent_value_put(&batch.columns[i], 0, &text);
	}
	snprintf(got, sizeof got, "%s", code ? e.what : ent_buf_text(&text));
	return code;
}

static void messages(void)
{
	static const struct {
		const char *key, *value, *want;
	} cases[] = {
		{ NULL, "{\"resolved\":\"1532379887442299001.0000000000\"}", "mark 1532379887442299001.0" },
		{ NULL, "{\"resolved\":\"1.2147483647\"}", "mark 1.2147483647" },
		{ "[\"a\", 1]", "{\"after\": {\"id\": 1, \"part\": \"a\", \"v\": \"x\"}, \"updated\": \"1532377312562986715.0000000000\"}",
		  "U 1|a|x" },
		{ "[\"a\", 1]", "{\"after\": null, \"updated\": \"1.0000000000\"}", "D 1|a|-" },
		{ "[\"a\", 1]",
		  "{\"updated\": \"1.0000000000\", \"after\": {\"v\": null, \"part\": \"\", \"id\": -9223372036854775808}, \"more\": [1]}",
		  "U -9223372036854775808||-" },
		{ "[\"a\", 1]",
		  "{\"after\": {\"id\": 1, \"part\": \"\\u00e9\\ud83d\\ude00\\\"\\\\\\/\\n\", \"v\": \"\"}, \"updated\": \"1.0000000000\"}",
		  "U 1|é😀\"\\/\n|" },
		{ "[\"a\", 1]", "{\"after\": {\"id\": 1, \"part\": \"a\"}, \"updated\": \"1.0000000000\"}", "U 1|a|-" }, /* from before the column */
		{ "[\"a\", 1]", "{\"after\": {\"id\": 1, \"v\": \"a\"}, \"updated\": \"1.0000000000\"}", "strange" },
		{ "[\"a\", 1]", "{\"after\": {\"id\": 1, \"part\": \"a\", \"w\": 1}, \"updated\": \"1.0000000000\"}", "strange" },
		{ "[\"a\", 1]", "{\"after\": {\"id\": 1, \"id\": 2, \"part\": \"a\"}, \"updated\": \"1.0000000000\"}", "strange" },
		{ "[1]", "{\"after\": null, \"updated\": \"1.0000000000\"}", "strange" },
	};
	for (size_t i = 0; i < ENT_COUNT(cases); i++) {
		OK_INT(through(cases[i].key, cases[i].value), 0, "message %zu: %s", i, got);
		OK_STR(got, cases[i].want, "message %zu", i);
	}
}

static void refused(void)
{
	static const struct {
		const char *key, *value;
	} cases[] = {
		{ NULL, "" },
		{ NULL, "{}" },
		{ NULL, "[]" },
		{ NULL, "{\"resolved\":\"x\"}" },
		{ NULL, "{\"resolved\":1}" },
		{ NULL, "{\"resolved\":\"1.00\"}" },
		{ NULL, "{\"resolved\":\"1.2147483648\"}" },
		{ NULL, "{\"resolved\":\"9223372036854775808.0000000000\"}" },
		{ NULL, "{\"resolved\":\"1.0000000000\"} x" },
		{ NULL, "{\"resolved\":\"1.0000000000\",}" },
		{ "[1]", "{\"after\": {}}" },
		{ "[1]", "{\"after\": 1, \"updated\": \"1.0000000000\"}" },
		{ "1", "{\"after\": null, \"updated\": \"1.0000000000\"}" },
		{ "", "{\"after\": null, \"updated\": \"1.0000000000\"}" },
		{ "[1]", "{\"after\": {\"id\": 01}, \"updated\": \"1.0000000000\"}" },
		{ "[1]", "{\"after\": {\"id\": \"\\x\"}, \"updated\": \"1.0000000000\"}" },
		{ "[1]", "{\"after\": {\"id\": 1, \"part\": \"\\u0000\"}, \"updated\": \"1.0000000000\"}" },
		{ "[1]", "{\"after\": {\"id\": 1, \"part\": \"\\ud800\"}, \"updated\": \"1.0000000000\"}" },
		{ "[1]", "{\"after\": {\"id\": 1.5, \"part\": \"a\"}, \"updated\": \"1.0000000000\"}" },
		{ "[1]", "{\"after\": {\"id\": \"1\", \"part\": \"a\"}, \"updated\": \"1.0000000000\"}" },
		{ "[1]", "{\"after\": {\"id\": 1, \"part\": 5}, \"updated\": \"1.0000000000\"}" },
		{ "[1]", "{\"after\": {\"id\": 1, \"part\": [\"a\"]}, \"updated\": \"1.0000000000\"}" },
	};
	for (size_t i = 0; i < ENT_COUNT(cases); i++)
		OK_INT(through(cases[i].key, cases[i].value), ENT_EDATA, "refused %zu: %s: %s", i, cases[i].value, got);
}

static void values(void)
{
	static const struct {
		struct ent_type type;
		enum ent_roach_form form;
		const char *value, *want; /* NULL: refused */
	} cases[] = {
		{ { ENT_T_BOOL, 0, 0 }, ENT_ROACH_PLAIN, "true", "true" },
		{ { ENT_T_BOOL, 0, 0 }, ENT_ROACH_PLAIN, "\"t\"", NULL },
		{ { ENT_T_BOOL, 0, 0 }, ENT_ROACH_PLAIN, "1", NULL },
		{ { ENT_T_INT16, 0, 0 }, ENT_ROACH_PLAIN, "32767", "32767" },
		{ { ENT_T_INT16, 0, 0 }, ENT_ROACH_PLAIN, "32768", NULL },
		{ { ENT_T_DOUBLE, 0, 0 }, ENT_ROACH_PLAIN, "0.1", "0.1" },
		{ { ENT_T_DOUBLE, 0, 0 }, ENT_ROACH_PLAIN, "\"NaN\"", "NaN" },
		{ { ENT_T_REAL, 0, 0 }, ENT_ROACH_PLAIN, "\"-Inf\"", "-Infinity" },
		{ { ENT_T_DECIMAL, 38, 10 }, ENT_ROACH_PLAIN, "1234567890123456789012345678.0123456789", "1234567890123456789012345678.0123456789" },
		{ { ENT_T_DECIMAL, 5, 2 }, ENT_ROACH_PLAIN, "1.234", NULL },
		{ { ENT_T_DECIMAL, 5, 2 }, ENT_ROACH_PLAIN, "\"NaN\"", NULL },
		{ { ENT_T_TEXT, 0, 0 }, ENT_ROACH_DIGITS, "12345678901234567890.10", "12345678901234567890.10" },
		{ { ENT_T_TEXT, 0, 0 }, ENT_ROACH_DIGITS, "\"Infinity\"", "Infinity" },
		{ { ENT_T_TEXT, 0, 0 }, ENT_ROACH_JSON, "{\"a\": [1.50, \"\\u0061\"]}", "{\"a\": [1.50, \"\\u0061\"]}" },
		{ { ENT_T_TEXT, 0, 0 }, ENT_ROACH_PADDED, "\"ab   \"", "ab" },
		{ { ENT_T_BINARY, 0, 0 }, ENT_ROACH_PLAIN, "\"\\\\x00ff\"", "\\x00ff" },
		{ { ENT_T_BINARY, 0, 0 }, ENT_ROACH_PLAIN, "\"\\\\x0\"", NULL },
		{ { ENT_T_DATE, 0, 0 }, ENT_ROACH_PLAIN, "\"2024-02-29\"", "2024-02-29" },
		{ { ENT_T_DATE, 0, 0 }, ENT_ROACH_PLAIN, "\"infinity\"", "infinity" },
		{ { ENT_T_DATE, 0, 0 }, ENT_ROACH_PLAIN, "\"2023-02-29\"", NULL },
		{ { ENT_T_DATE, 0, 0 }, ENT_ROACH_PLAIN, "20240229", NULL },
		{ { ENT_T_TIMESTAMP, 0, 0 }, ENT_ROACH_PLAIN, "\"2024-02-29T12:34:56.789\"", "2024-02-29 12:34:56.789" },
		{ { ENT_T_TIMESTAMPTZ, 0, 0 }, ENT_ROACH_PLAIN, "\"2024-02-29T12:34:56Z\"", "2024-02-29 12:34:56+00" },
		{ { ENT_T_TIME, 0, 0 }, ENT_ROACH_PLAIN, "\"24:00:00\"", "24:00:00" },
	};
	for (size_t i = 0; i < ENT_COUNT(cases); i++) {
		char value[300], want[300];
		all[2].type = cases[i].type;
		all[2].form = cases[i].form;
		snprintf(value, sizeof value, "{\"after\": {\"id\": 1, \"part\": \"a\", \"v\": %s}, \"updated\": \"1.0000000000\"}", cases[i].value);
		snprintf(want, sizeof want, "U 1|a|%s", cases[i].want ? cases[i].want : "");
		OK_INT(through("[\"a\", 1]", value), cases[i].want ? 0 : ENT_EDATA, "value %zu: %s: %s", i, cases[i].value, got);
		if (cases[i].want)
			OK_STR(got, want, "value %zu", i);
	}
}

int main(void)
{
	messages();
	refused();
	values();
	return tap_done();
}
