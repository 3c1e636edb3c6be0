/* The types that only copies know: built, read back, written as text and as canonical bytes; refused where a joint query would read them. */
#include "arrow/builder.h"
#include "arrow/rows.h"
#include "arrow/sink.h"
#include "arrow/value.h"
#include "tap.h"

static const struct ent_field fields[] = {
	{ .name = "n", .type = { .id = ENT_T_UINT64 }, .nullable = true, .native = "bigint unsigned" },
	{ .name = "t", .type = { .id = ENT_T_TIME }, .nullable = true },
	{ .name = "b", .type = { .id = ENT_T_BINARY }, .nullable = true },
	{ .name = "d", .type = { .id = ENT_T_DATE }, .nullable = true },
	{ .name = "u", .type = { .id = ENT_T_TEXT }, .nullable = true, .native = "uuid", .unsupported = "no joint type for uuid", .copied = true },
};

static void row_put(struct ent_builder *b)
{
	static const uint8_t bytes[] = { 0, 255, 10 };
	struct ent_err err = ENT_ERR_INIT;
	OK(!ent_builder_wide(b, 0, UINT64_MAX, &err) && !ent_builder_int(b, 1, 86399999999, &err) &&
		   !ent_builder_text(b, 2, ent_bytes(bytes, sizeof bytes), &err) && !ent_builder_int(b, 3, INT32_MAX, &err) &&
		   !ent_builder_text(b, 4, ent_bytes_str("6e"), &err),
	   "a row: %s", err.what);
	for (size_t c = 0; c < ENT_COUNT(fields); c++)
		OK(!ent_builder_null(b, c, &err), "NULL in column %zu", c);
}

static void texts(const struct ent_batch *b)
{
	static const char *const expected[] = { "18446744073709551615", "23:59:59.999999", "\\x00ff0a", "infinity", "6e" };
	for (size_t c = 0; c < ENT_COUNT(fields); c++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1000);
		ent_value_put(&b->columns[c], 0, &out);
		OK(!strcmp(ent_buf_text(&out), expected[c]), "%s as text: %s", fields[c].name, ent_buf_text(&out));
		OK(ent_view_null(&b->columns[c], 1), "%s: NULL", fields[c].name);
	}
	OK(ent_view_wide(&b->columns[0], 0) == (ent_i128)UINT64_MAX, "the whole unsigned number");
}

static void test_keys(void)
{
	static const struct ent_field two[] = { { .name = "a", .type = { .id = ENT_T_INT32 } }, { .name = "b", .type = { .id = ENT_T_INT32 } } };
	static const char *const named[] = { "b" }, *const missing[] = { "a", "c" };
	const char *many[ENT_SINK_KEYS_MAX + 1];
	struct ent_sink_keys k;
	ENT_SCHEMA_AUTO with = { 0 }, without = { 0 };
	ENT_ASSERT(!ent_schema_new(two, 2, "a\tb\nb", &with, NULL) && !ent_schema_new(two, 2, NULL, &without, NULL));
	struct ent_target t = { .size = sizeof t, .schema = &with };
	OK(!ent_sink_keys_take(&t, &k, NULL) && k.n == 2 && !strcmp(k.names[0], "a") && !strcmp(k.names[1], "b"), "the source's first key");
	t.keys = named, t.n_keys = 1;
	OK(!ent_sink_keys_take(&t, &k, NULL) && k.n == 1 && !strcmp(k.names[0], "b"), "the one that is named");
	t.keys = missing, t.n_keys = 2;
	OK_INT(ent_sink_keys_take(&t, &k, NULL), ENT_EUSAGE, "a column that is not there is refused");
	for (size_t i = 0; i < ENT_COUNT(many); i++)
		many[i] = "a";
	t.keys = many, t.n_keys = ENT_COUNT(many);
	OK_INT(ent_sink_keys_take(&t, &k, NULL), ENT_EUSAGE, "too many are refused, not cut");
	t = (struct ent_target){ .size = sizeof t, .schema = &without };
	OK(!ent_sink_keys_take(&t, &k, NULL) && !k.n, "none");
}

int main(void)
{
	test_keys();
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO array = { 0 };
	ENT_BATCH_AUTO batch = { 0 }, joint = { 0 };
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf canon = ENT_BUF(10000);
	struct ent_err err = ENT_ERR_INIT;
	struct ent_field_info info;
	int64_t us;
	OK(!ent_schema_new(fields, ENT_COUNT(fields), NULL, &schema, &err) && !ent_builder_new(&schema, 0, &b, &err), "builder: %s", err.what);
	ent_schema_field(&schema, 4, &info);
	OK(info.copied && info.unsupported[0] && info.type.id == ENT_T_TEXT, "a uuid is copied as text and kept from joint queries");
	row_put(b);
	OK(ent_builder_int(b, 0, -1, &err) == ENT_EDATA && ent_builder_int(b, 1, 86400000001, &err) == ENT_EDATA, "misfits are refused");
	OK(!ent_builder_finish(b, &array, &err) && !ent_batch_open_copy(&schema, &array, &batch, &err), "batch: %s", err.what);
	texts(&batch);
	OK(ent_batch_open(&schema, &array, &joint, &err) == ENT_EUNSUPPORTED, "a joint query reads none of it: %s", err.what);
	OK(!ent_rows_put_schema(&schema, &canon, &err), "canonical schema");
	size_t before = canon.len;
	ent_rows_put(&batch, 0, &canon);
	OK(canon.len - before == 9 + 9 + (5 + 3) + 9 + (5 + 2), "canonical row: %zu bytes", canon.len - before);
	OK(ent_clock_parse(ent_bytes_str("05:06:07.5"), &us) && us == 18367500000 && ent_clock_parse(ent_bytes_str("24:00:00"), &us) &&
		   !ent_clock_parse(ent_bytes_str("24:00:01"), &us),
	   "times of day are read");
	return tap_done();
}
