/* Small batches gathered: every type, NULLs, order; what is not taken: large batches, other schemas, a full gather. */
#include <float.h>
#include <math.h>

#include "arrow/gather.h"
#include "arrow/rows.h"
#include "tap.h"

static const struct ent_field fields[] = {
	{ .name = "b", .type = { .id = ENT_T_BOOL }, .nullable = true },
	{ .name = "s", .type = { .id = ENT_T_INT16 }, .nullable = true },
	{ .name = "i", .type = { .id = ENT_T_INT32 }, .nullable = true },
	{ .name = "l", .type = { .id = ENT_T_INT64 }, .nullable = true },
	{ .name = "d", .type = { ENT_T_DECIMAL, 38, 4 }, .nullable = true },
	{ .name = "f", .type = { .id = ENT_T_REAL }, .nullable = true },
	{ .name = "g", .type = { .id = ENT_T_DOUBLE }, .nullable = true },
	{ .name = "day", .type = { .id = ENT_T_DATE }, .nullable = true },
	{ .name = "at", .type = { .id = ENT_T_TIMESTAMP }, .nullable = true },
	{ .name = "tz", .type = { .id = ENT_T_TIMESTAMPTZ }, .nullable = true },
	{ .name = "u", .type = { .id = ENT_T_TEXT }, .nullable = true },
	{ .name = "n", .type = { .id = ENT_T_UINT64 }, .nullable = true },
	{ .name = "t", .type = { .id = ENT_T_TIME }, .nullable = true },
	{ .name = "z", .type = { .id = ENT_T_BINARY }, .nullable = true },
};
static struct ent_err err;
static struct ArrowSchema schema;

/* Row k of the case: every column from its extreme values; row 0 of a batch is NULL everywhere when k divides by 5. */
static void row_put(struct ent_builder *b, int k)
{
	static const int64_t whole[][3] = { { 0, 1, 1 },
					    { INT16_MIN, 0, INT16_MAX },
					    { INT32_MIN, 0, INT32_MAX },
					    { INT64_MIN, 0, INT64_MAX },
					    { -1, 0, 99999 },
					    { 0 },
					    { 0 },
					    { INT32_MIN, 0, INT32_MAX },
					    { INT64_MIN, 0, INT64_MAX },
					    { INT64_MIN, -1, INT64_MAX },
					    { 0 },
					    { 0, 1, INT64_MAX },
					    { 0, 1, 86400000000 } };
	static const double reals[] = { -0.0, (double)FLT_MAX, (double)NAN };
	static const char *const texts[] = { "", "caf\xc3\xa9 \xf0\x9f\x90\xa6", "x" };
	for (size_t c = 0; c < ENT_COUNT(fields); c++) {
		int at = (k + (int)c) % 3;
		int code = 0;
		if (k % 5 == 0)
			code = ent_builder_null(b, c, &err);
		else if (ent_type_is_bytes(fields[c].type))
			code = ent_builder_text(b, c, ent_bytes_str(texts[at]), &err);
		else if (ent_type_is_float(fields[c].type))
			code = ent_builder_real(b, c, reals[at], &err);
		else
			code = ent_builder_int(b, c, whole[c][at], &err);
		OK(!code, "row %d, %s: %s", k, fields[c].name, err.what);
	}
}

static bool batch(int from, int n, struct ArrowArray *ret)
{
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	if (ent_builder_new(&schema, 0, &b, &err))
		return false;
	for (int k = from; k < from + n; k++)
		row_put(b, k);
	return !ent_builder_finish(b, ret, &err);
}

static bool rows_text(const struct ArrowArray *rows, struct ent_buf *out)
{
	ENT_BATCH_AUTO b = { 0 };
	if (ent_batch_open_copy(&schema, rows, &b, &err))
		return false;
	for (size_t r = 0; r < b.rows; r++)
		ent_rows_put(&b, r, out);
	return true;
}

static void every_type(void)
{
	ENT_CLEANUP(ent_gather_deinit) struct ent_gather g = { 0 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf want = ENT_BUF(1 << 20), got = ENT_BUF(1 << 20);
	ENT_ARRAY_AUTO all = { 0 }, together = { 0 };
	bool taken = true;
	for (int from = 1; from < 40; from += from % 4 + 1) {
		ENT_ARRAY_AUTO one = { 0 };
		OK(batch(from, from % 4 + 1, &one) && !ent_gather_add(&g, &schema, &one, &taken, &err) && taken, "rows from %d: %s", from, err.what);
	}
	size_t n = ent_gather_rows(&g);
	OK(n > 35 && batch(1, (int)n, &all), "%zu rows wait", n);
	OK(!ent_gather_take(&g, &together, &err) && (size_t)together.length == n && !ent_gather_rows(&g), "they are handed over: %s", err.what);
	OK(rows_text(&all, &want) && rows_text(&together, &got) && ent_bytes_eq(ent_buf_bytes(&want), ent_buf_bytes(&got)),
	   "every value in its place: %s", err.what);
	OK(ent_schema_same(&g.schema, &schema), "the schema stays");
}

static void not_taken(void)
{
	static const struct ent_field text = { .name = "u", .type = { .id = ENT_T_TEXT }, .nullable = true, .native = "text" };
	static const struct ent_field other = { .name = "u", .type = { .id = ENT_T_TEXT }, .nullable = true, .native = "uuid" };
	ENT_CLEANUP(ent_gather_deinit) struct ent_gather g = { 0 };
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf big = ENT_BUF(8 << 20);
	ENT_SCHEMA_AUTO first = { 0 }, second = { 0 };
	ENT_ARRAY_AUTO one = { 0 }, many = { 0 }, wide = { 0 }, out = { 0 };
	bool taken = true;
	for (size_t i = 0; i < ENT_GATHER_BYTES_SMALL + 1; i++)
		ent_buf_u8(&big, 'x');
	OK(!ent_schema_new(&text, 1, "", &first, &err) && !ent_schema_new(&other, 1, "", &second, &err) && !ent_builder_new(&first, 0, &b, &err),
	   "%s", err.what);
	OK(!ent_builder_text(b, 0, ent_buf_bytes(&big), &err) && !ent_builder_finish(b, &wide, &err), "a wide row");
	for (int i = 0; i <= ENT_GATHER_ROWS_SMALL; i++)
		(void)ent_builder_text(b, 0, ent_bytes_str("r"), &err);
	OK(!ent_builder_finish(b, &many, &err) && !ent_builder_text(b, 0, ent_bytes_str("r"), &err) && !ent_builder_finish(b, &one, &err), "rows");
	OK(!ent_gather_add(&g, &first, &wide, &taken, &err) && !taken, "many bytes are not taken");
	OK(!ent_gather_add(&g, &first, &many, &taken, &err) && !taken, "many rows are not taken");
	OK(!ent_gather_add(&g, &first, &one, &taken, &err) && taken, "a small batch is");
	OK(!ent_schema_same(&first, &second) && !ent_gather_add(&g, &second, &one, &taken, &err) && !taken, "another native type is not");
	OK(!ent_gather_take(&g, &out, &err) && out.length == 1 && !ent_gather_add(&g, &second, &one, &taken, &err) && taken, "once empty, it is");
	while (taken && !ent_gather_add(&g, &second, &one, &taken, &err))
		continue;
	OK(!taken && ent_gather_rows(&g) == ENT_BATCH_ROWS_MAX, "a full one takes nothing: %zu rows", ent_gather_rows(&g));
	ent_gather_deinit(&g);
	OK(ent_gather_take(&g, &out, &err) == ENT_EINTERNAL && !ent_gather_rows(&g), "an empty one hands over nothing");
}

int main(void)
{
	OK(!ent_schema_new(fields, ENT_COUNT(fields), "", &schema, &err), "%s", err.what);
	every_type();
	not_taken();
	ent_schema_release(&schema);
	return tap_done();
}
