/* Arrow files and streams: what we write comes back, what others wrote is read, what is damaged is refused. usage: test_ipc CORPUS-FOLDER */
#include <stdlib.h>

#include "arrow/builder.h"
#include "ipc_case.h"

#define LONG_TEXT (900u << 10)

static const struct ent_field fields[] = {
	{ .name = "id", .type = { .id = ENT_T_INT64 } },
	{ .name = "flag", .type = { .id = ENT_T_BOOL }, .nullable = true },
	{ .name = "small", .type = { .id = ENT_T_INT16 }, .nullable = true },
	{ .name = "money", .type = { .id = ENT_T_DECIMAL, .precision = 38, .scale = 2 }, .nullable = true },
	{ .name = "real", .type = { .id = ENT_T_REAL }, .nullable = true },
	{ .name = "day", .type = { .id = ENT_T_DATE }, .nullable = true },
	{ .name = "at", .type = { .id = ENT_T_TIMESTAMPTZ }, .nullable = true },
	{ .name = "clock", .type = { .id = ENT_T_TIME }, .nullable = true },
	{ .name = "wide", .type = { .id = ENT_T_UINT64 }, .nullable = true },
	{ .name = "text", .type = { .id = ENT_T_TEXT }, .nullable = true },
	{ .name = "raw", .type = { .id = ENT_T_BINARY }, .nullable = true },
};

static void row_put(struct ent_builder *b, int64_t id)
{
	struct ent_err e = ENT_ERR_INIT;
	char text[40];
	int bad = ent_builder_int(b, 0, id, &e);
	snprintf(text, sizeof text, "text %lld", (long long)id);
	for (size_t c = 1; c < ENT_COUNT(fields); c++) {
		if ((id + (int64_t)c) % 5 == 0)
			bad |= ent_builder_null(b, c, &e);
		else if (ent_type_is_bytes(fields[c].type))
			bad |= ent_builder_text(b, c, ent_bytes_str(text), &e);
		else if (ent_type_is_float(fields[c].type))
			bad |= ent_builder_real(b, c, (double)(id % 1000) / 4, &e);
		else
			bad |= ent_builder_wide(b, c, c == 1 ? id % 2 : c == 2 ? id % 30000 : id * 3, &e);
	}
	if (bad)
		OK(0, "row %lld: %s", (long long)id, e.what);
}

/* batches of n rows each, file or stream. */
static void make(struct ent_buf *out, const size_t *sizes, size_t n, bool file)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	struct ent_ipc_block blocks[10];
	struct ent_ipc *f = NULL;
	struct ent_err e = ENT_ERR_INIT;
	int64_t id = 0;
	OK(!ent_schema_new(fields, ENT_COUNT(fields), NULL, &schema, &e) && !ent_builder_new(&schema, 0, &b, &e));
	if (file)
		ent_buf_put(out, ENT_IPC_MAGIC, 8);
	OK_INT(ent_ipc_schema_put(&schema, out, &e), 0);
	for (size_t i = 0; i < n; i++) {
		ENT_ARRAY_AUTO a = { 0 };
		ENT_BATCH_AUTO batch = { 0 };
		for (size_t r = 0; r < sizes[i]; r++)
			row_put(b, id++);
		OK(!ent_builder_finish(b, &a, &e) && !ent_batch_open_copy(&schema, &a, &batch, &e) && !ent_ipc_batch_put(&batch, out, &e), "%s",
		   e.what);
	}
	OK_INT(opened(out, true, &f, &e), 0, "an unfinished one can be looked at %s %s", e.what, e.why);
	size_t n_blocks = 0;
	const struct ent_ipc_block *found = f ? ent_ipc_blocks(f, &n_blocks) : blocks;
	OK(n_blocks == n && f && ent_ipc_end(f) == out->len && ent_ipc_rows(f) == (uint64_t)id, "%zu batches", n_blocks);
	if (n_blocks <= ENT_COUNT(blocks) && n_blocks)
		memcpy(blocks, found, n_blocks * sizeof *blocks);
	ent_ipc_close(f);
	ent_ipc_end_put(out);
	if (file)
		OK_INT(ent_ipc_footer_put(&schema, blocks, n_blocks, out, &e), 0);
}

static void test_back(void)
{
	static const size_t sizes[] = { 3, 0, 70 };
	struct ent_buf text[2] = { ENT_BUF(1 << 20), ENT_BUF(1 << 20) };
	for (size_t k = 0; k < 2; k++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(1 << 20);
		struct ent_ipc *f = NULL;
		struct ent_err e;
		size_t max = 0;
		make(&bytes, sizes, 3, k == 0);
		OK_INT(opened(&bytes, false, &f, &e), 0, "opens %s %s", e.what, e.why);
		OK(f && ent_ipc_rows(f) == 73 && !text_of(f, &text[k], &max, &e) && max == 70, "read %s %s", e.what, e.why);
		ent_ipc_close(f);
	}
	OK(strstr(ent_buf_text(&text[0]), "2|false|2|-|0.5|1970-01-07|1970-01-01 00:00:00.000006+00|00:00:00.000006|-|text 2|\\x746578742032\n"),
	   "third row");
	OK(text[0].len == text[1].len && !memcmp(text[0].data, text[1].data, text[0].len), "file and stream hold the same");
	ent_buf_deinit(&text[0]);
	ent_buf_deinit(&text[1]);
}

/* One message with more than a batch may carry is read in slices. */
static void test_slices(void)
{
	static const struct ent_field one[] = { { .name = "t", .type = { .id = ENT_T_TEXT }, .nullable = true } };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(64 << 20), text = ENT_BUF(64 << 20);
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO a = { 0 };
	ENT_BATCH_AUTO batch = { 0 };
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	struct ent_ipc *f = NULL;
	struct ent_err e = ENT_ERR_INIT;
	char *lengthy = malloc(LONG_TEXT);
	memset(lengthy, 'x', LONG_TEXT);
	OK(!ent_schema_new(one, 1, NULL, &schema, &e) && !ent_builder_new(&schema, 0, &b, &e));
	for (int i = 0; i < 40; i++)
		if (i % 3 ? ent_builder_text(b, 0, ent_bytes(lengthy, LONG_TEXT - (size_t)i), &e) : ent_builder_null(b, 0, &e))
			OK(0, "%s", e.what);
	OK(!ent_builder_finish(b, &a, &e) && !ent_batch_open_copy(&schema, &a, &batch, &e) && !ent_ipc_schema_put(&schema, &bytes, &e) &&
		   !ent_ipc_batch_put(&batch, &bytes, &e),
	   "%s", e.what);
	ent_ipc_end_put(&bytes);
	size_t max = 0, lines = 0, want = 0;
	OK_INT(opened(&bytes, false, &f, &e), 0);
	OK_INT(f ? text_of(f, &text, &max, &e) : 1, 0, "%s %s", e.what, e.why);
	for (size_t i = 0; i < text.len; i++)
		lines += text.data[i] == '\n';
	for (size_t i = 0; i < 40; i++)
		want += i % 3 ? LONG_TEXT - i + 1 : 2;
	OK(lines == 40 && text.len == want && max < 20, "all texts, at most %zu rows at once", max);
	ent_ipc_close(f);
	free(lengthy);
}

static const char first_row[] = "true|-128|255|-32768|65535|-2147483648|4294967295|-9223372036854775808|18446744073709551615|0.5|0.1|12.34|"
				"10000000000000000000000000000000000000|2024-02-29|2024-02-29|00:00:01|00:00:00.001|00:00:00.000001|00:00:00.000001|"
				"1970-01-01 00:00:01|1970-01-01 00:00:00.001|1970-01-01 00:00:00.000001|1970-01-01 00:00:00.000001|"
				"1970-01-01 00:00:00.000001+00|1970-01-01 00:00:00.000001+00|a|a|a|\\x00ff|\\x00ff|\\x616263|x|10\n-|-|-|";

/* Written by pyarrow 26: every type it has. */
static void test_foreign(const char *folder)
{
	static const char *const names[] = { "types.arrow", "types.arrows" };
	for (size_t i = 0; i < 2; i++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(1 << 20), text = ENT_BUF(1 << 20);
		struct ent_ipc *f = NULL;
		struct ent_err e;
		size_t max = 0;
		file_read(folder, names[i], &bytes);
		OK(!opened(&bytes, false, &f, &e) && !text_of(f, &text, &max, &e), "%s: %s %s", names[i], e.what, e.why);
		OK(f && ent_ipc_rows(f) == 7, "7 rows");
		const char *t = ent_buf_text(&text);
		OK(!strncmp(t, first_row, strlen(first_row)), "the first row");
		static const char texts[] = "\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80|\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80|"
					    "\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80 longer than twelve|"
					    "\\x61|\\x61|\\x646566|x|40\n";
		OK(strstr(t, texts), "texts");
		OK(strstr(t, "1969-12-31 23:59:59.999998|"), "before 1970");
		ent_ipc_close(f);
	}
}

static int code_of(const char *folder, const char *name, struct ent_err *e)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(1 << 20), text = ENT_BUF(1 << 20);
	struct ent_ipc *f = NULL;
	size_t max = 0;
	file_read(folder, name, &bytes);
	int code = opened(&bytes, false, &f, e);
	code = code ? code : text_of(f, &text, &max, e);
	ent_ipc_close(f);
	return code;
}

static void test_refused(const char *folder)
{
	struct ent_err e;
	OK_INT(code_of(folder, "finer.arrows", &e), ENT_EDATA, "%s (%s)", e.what, e.why);
	static const char *const no[] = { "", "ARROW1", "PAR1", "id,name\n1,2\n", "ARROW1\0\0\xff\xff\xff\xff\0\0\0\0" };
	for (size_t i = 0; i < ENT_COUNT(no); i++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(1 << 10);
		struct ent_ipc *f = NULL;
		ent_buf_put(&bytes, no[i], i == 4 ? 16 : strlen(no[i]));
		int code = opened(&bytes, false, &f, &e);
		OK(code == ENT_EDATA || code == ENT_EUNSUPPORTED, "%s (%s)", e.what, e.why);
	}
}

/* Whatever is missing at the end is noticed. */
static void test_cut(const char *folder)
{
	static const char *const names[] = { "types.arrow", "types.arrows", "small.arrows" };
	for (size_t i = 0; i < ENT_COUNT(names); i++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(1 << 20);
		file_read(folder, names[i], &bytes);
		size_t whole = bytes.len, accepted = 0;
		for (bytes.len = 0; bytes.len < whole; bytes.len++) {
			struct ent_ipc *f = NULL;
			struct ent_err e;
			accepted += !opened(&bytes, false, &f, &e);
			ent_ipc_close(f);
		}
		OK_INT(accepted, 0, "%s: no shorter one is taken for whole", names[i]);
	}
}

/* Any byte may be wrong: an error or other values, never an access outside (sanitizers watch). */
static void test_flipped(const char *folder)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(1 << 20), text = ENT_BUF(1 << 20);
	size_t refused = 0;
	file_read(folder, "small.arrows", &bytes);
	for (size_t i = 0; i < bytes.len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct ent_ipc *f = NULL;
			struct ent_err e;
			size_t max = 0;
			bytes.data[i] = (uint8_t)(bytes.data[i] ^ 1u << bit);
			ent_buf_reset(&text);
			int code = opened(&bytes, false, &f, &e);
			refused += code || text_of(f, &text, &max, &e);
			ent_ipc_close(f);
			bytes.data[i] = (uint8_t)(bytes.data[i] ^ 1u << bit);
		}
	OK(refused > bytes.len, "%zu of %zu flips are refused", refused, 8 * bytes.len);
}

/* "ab", "cdef": offsets 0 2 6 6. */
static void test_offsets(const char *folder)
{
	static const uint8_t offsets[] = { 0, 0, 0, 0, 2, 0, 0, 0, 6, 0, 0, 0, 6, 0, 0, 0 };
	static const struct {
		size_t at;
		uint8_t value;
	} wrong[] = { { 4, 7 }, { 8, 1 }, { 12, 200 }, { 15, 0x80 } };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(1 << 20), text = ENT_BUF(1 << 20);
	file_read(folder, "small.arrows", &bytes);
	uint8_t *at = memmem(bytes.data, bytes.len, offsets, sizeof offsets);
	for (size_t i = 0; OK(at, "the offsets are found") && i < ENT_COUNT(wrong); i++) {
		struct ent_ipc *f = NULL;
		struct ent_err e;
		size_t max = 0;
		uint8_t before = at[wrong[i].at];
		at[wrong[i].at] = wrong[i].value;
		OK(!opened(&bytes, false, &f, &e) && text_of(f, &text, &max, &e) == ENT_EDATA && strstr(e.why, "texts go back"), "%s (%s)", e.what,
		   e.why);
		ent_ipc_close(f);
		at[wrong[i].at] = before;
	}
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	test_back();
	test_slices();
	test_foreign(argv[1]);
	test_refused(argv[1]);
	test_cut(argv[1]);
	test_flipped(argv[1]);
	test_offsets(argv[1]);
	return tap_done();
}
