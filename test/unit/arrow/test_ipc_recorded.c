/* Files that pyarrow and Polars wrote (recorded/make.py): compressed and dictionary-encoded ones are read as pyarrow itself reads them, whatever is
 * wrong in them is refused, and memory stays within bounds. usage: test_ipc_recorded FOLDER */
#include "arrow/flat.h"
#include "ipc_case.h"

static const char *folder;

static bool codec_there(const char *name)
{
	bool lz4 = strstr(name, "lz4") || strstr(name, "default"), zstd = strstr(name, "zstd") || !strcmp(name, "delta.arrow");
	return !(lz4 && !ent_arrow_codecs[ENT_IPC_LZ4_FRAME]) && !(zstd && !ent_arrow_codecs[ENT_IPC_ZSTD]);
}

static void read_all(const char *name, struct ent_buf *out)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(1 << 20);
	struct ent_ipc *f = NULL;
	struct ent_err e;
	size_t max = 0;
	file_read(folder, name, &bytes);
	OK(!opened(&bytes, false, &f, &e) && !text_of(f, out, &max, &e), "%s is read %s %s", name, e.what, e.why);
	ent_ipc_close(f);
}

/* Line by line, so that the first difference is shown. */
static void same_lines(const char *name, const char *got, const char *want)
{
	size_t line = 1;
	for (; *got && *want; line++) {
		size_t n = strcspn(got, "\n"), m = strcspn(want, "\n");
		if (n != m || memcmp(got, want, n) != 0) {
			OK(0, "%s, line %zu: %.*s instead of %.*s", name, line, (int)n, got, (int)m, want);
			return;
		}
		got += n + (got[n] != 0);
		want += m + (want[m] != 0);
	}
	OK(!*got && !*want, "%s: %zu rows as pyarrow reads them", name, line - 1);
}

static void test_read(void)
{
	static const char *const names[] = { "default.feather",        "zstd.arrows",  "coded.arrow",      "coded_lz4.arrows",
					     "delta.arrows",           "delta.arrow",  "replaced.arrows",  "polars_lz4.arrow",
					     "polars_zstd.arrow",      "views.arrows", "views_zstd.arrow", "polars_views_lz4.arrow",
					     "polars_views_zstd.arrow" };
	for (size_t i = 0; i < ENT_COUNT(names); i++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf got = ENT_BUF(1 << 20), want = ENT_BUF(1 << 20);
		char text[60];
		if (!codec_there(names[i])) {
			tap_skip(names[i], "this build has no library for its compression");
			continue;
		}
		snprintf(text, sizeof text, "%s.txt", names[i]);
		read_all(names[i], &got);
		file_read(folder, text, &want);
		same_lines(names[i], ent_buf_text(&got), ent_buf_text(&want));
	}
}

/* Only some columns, only later batches: dictionaries that earlier messages left are there. */
static void test_parts(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(1 << 20), text = ENT_BUF(1 << 20);
	struct ent_ipc *f = NULL;
	struct ent_err e;
	static const char *const names[] = { "delta.arrows", "replaced.arrows" }, *const want[] = { "c\n-\na\n", "d\nc\n-\na\n" };
	const size_t column = 1;
	for (size_t i = 0; i < 2; i++) {
		ENT_STREAM_AUTO stream = { 0 };
		ENT_SCHEMA_AUTO schema = { 0 };
		ent_buf_reset(&bytes);
		ent_buf_reset(&text);
		file_read(folder, names[i], &bytes);
		OK_INT(opened(&bytes, false, &f, &e), 0);
		const size_t at = i ? 2 : 1;
		OK(!ent_ipc_read(f, &column, 1, at, at + 1, &stream, &e) && !ent_stream_schema(&stream, &schema, &e), "%s", e.what);
		ENT_ARRAY_AUTO a = { 0 };
		ENT_BATCH_AUTO b = { 0 };
		OK(!ent_stream_next(&stream, &a, &e) && !ent_batch_open_copy(&schema, &a, &b, &e), "%s %s", e.what, e.why);
		for (size_t r = i ? 0 : 1; r < b.rows; r++) {
			ent_buf_str(&text, ent_view_null(&b.columns[0], r) ? "-" : "");
			ent_value_put(&b.columns[0], r, &text);
			ent_buf_str(&text, "\n");
		}
		OK_STR(ent_buf_text(&text), want[i], "%s, batch %zu", names[i], at + 1);
		ent_ipc_close(f);
	}
}

/* --- slices of one large batch --- */

static bool large_row(const struct ent_batch *b, size_t r, size_t i)
{
	char text[40], code[400] = "";
	snprintf(text, sizeof text, "row %zu", i % 1000);
	for (size_t k = 0; k < 20; k++)
		snprintf(code + strlen(code), sizeof code - strlen(code), "code %zu", i % 1000);
	return ent_view_int(&b->columns[0], r) == (int64_t)(i % 1000) && ent_view_null(&b->columns[1], r) == (i % 7 == 0) &&
	       (i % 7 == 0 || ent_view_int(&b->columns[1], r) == (i % 3 == 0)) && ent_view_null(&b->columns[2], r) == (i % 5 == 0) &&
	       (i % 5 == 0 || ent_bytes_eq(ent_view_text(&b->columns[2], r), ent_bytes_str(text))) &&
	       ent_bytes_eq(ent_view_text(&b->columns[3], r), ent_bytes_str(code));
}

static void test_large(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(1 << 20);
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	static const size_t columns[] = { 0, 1, 2, 3 };
	struct ent_ipc *f = NULL;
	struct ent_err e;
	size_t rows = 0, wrong = 0, slices = 0;
	file_read(folder, "large.arrow", &bytes);
	OK_INT(opened(&bytes, false, &f, &e), 0, "%s %s", e.what, e.why);
	OK(!ent_ipc_read(f, columns, 4, 0, 1, &stream, &e) && !ent_stream_schema(&stream, &schema, &e), "%s", e.what);
	for (;;) {
		ENT_ARRAY_AUTO a = { 0 };
		ENT_BATCH_AUTO b = { 0 };
		if (!OK(!ent_stream_next(&stream, &a, &e), "%s %s", e.what, e.why) || !a.release || ent_batch_open_copy(&schema, &a, &b, &e))
			break;
		for (size_t r = 0; r < b.rows; r++, rows++)
			wrong += !large_row(&b, r, rows);
		slices++;
	}
	OK(rows == 100000 && !wrong && slices > 2, "%zu rows in %zu slices, %zu wrong", rows, slices, wrong);
	ent_ipc_close(f);
}

/* --- what is wrong --- */

static int code_with(struct ent_buf *bytes, struct ent_err *e)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(1 << 20);
	struct ent_ipc *f = NULL;
	size_t max = 0;
	int code = opened(bytes, false, &f, e);
	code = code ? code : text_of(f, &text, &max, e);
	ent_ipc_close(f);
	return code;
}

static uint8_t *body_of(struct ent_buf *bytes)
{
	struct ent_ipc *f = NULL;
	struct ent_err e;
	size_t n = 0;
	OK_INT(opened(bytes, false, &f, &e), 0, "%s", e.what);
	const struct ent_ipc_block *b = ent_ipc_blocks(f, &n);
	uint8_t *at = bytes->data + b->body_at;
	ent_ipc_close(f);
	return at;
}

/* The first buffer is that of ids, 8 bytes a row. */
static void test_claims(const char *name, size_t rows)
{
	const struct {
		uint64_t says;
		int code;
		const char *why;
	} claims[] = { { 8 * rows - 1, ENT_EDATA, "do not fit its rows" },
		       { (uint64_t)1 << 40, ENT_EDATA, "more than its bytes can" },
		       { (uint64_t)1 << 63, ENT_EDATA, "more than its bytes can" },
		       { UINT64_MAX - 1, ENT_EDATA, "more than its bytes can" } };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(1 << 20);
	struct ent_err e;
	if (!codec_there(name))
		return;
	file_read(folder, name, &bytes);
	uint8_t *at = body_of(&bytes), before[8];
	memcpy(before, at, 8);
	OK(ent_flat_le(ent_bytes(before, 8), 0, 8) == 8 * rows, "the length is where it should be");
	for (size_t i = 0; i < ENT_COUNT(claims); i++) {
		memcpy(at, &claims[i].says, 8);
		int code = code_with(&bytes, &e);
		OK(code == claims[i].code && strstr(e.why, claims[i].why), "%s says %llx: %d %s", name, (unsigned long long)claims[i].says, code,
		   e.why);
	}
	memcpy(at, before, 8);
	at[8] ^= 0x40;
	OK(code_with(&bytes, &e) == ENT_EDATA && strstr(e.why, "compressed buffer is damaged"), "another magic number: %s", e.why);
	at[8] ^= 0x40;
	OK_INT(code_with(&bytes, &e), 0, "and as it was");
}

static void test_bomb(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(1 << 20);
	ENT_STREAM_AUTO stream = { 0 };
	ENT_ARRAY_AUTO rows = { 0 };
	struct ent_ipc *f = NULL;
	struct ent_err e;
	const size_t column = 0;
	file_read(folder, "bomb.arrows", &bytes);
	OK(!opened(&bytes, false, &f, &e) && !ent_ipc_read(f, &column, 1, 0, 1, &stream, &e), "opened %s", e.what);
	OK_INT(ent_stream_next(&stream, &rows, &e), ENT_EUNSUPPORTED, "%s (%s)", e.what, e.why);
	OK(strstr(e.what, "1000 times its size"), "and it is said why");
	ent_stream_release(&stream);
	ent_ipc_close(f);
}

static void test_missing_codec(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(1 << 20);
	const struct ent_ipc_codec *const none[ENT_IPC_CODECS] = { NULL };
	struct ent_ipc *f = NULL;
	struct ent_err e = ENT_ERR_INIT;
	file_read(folder, "default.feather", &bytes);
	const struct ent_ipc_input without = { memory_read, &bytes, bytes.len, none };
	OK_INT(ent_ipc_open(&without, false, &f, &e), ENT_EUNSUPPORTED, "no library: %s", e.what);
	OK(strstr(e.what, "LZ4") && strstr(e.next, "uncompressed"), "named, with the way out: %s", e.next);
}

/* A file's dictionaries are not replaced; rows name no entries beyond the last. */
static void test_entries(void)
{
	static const uint8_t indices[] = { 3, 2, 1, 0 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(1 << 20);
	struct ent_err e;
	file_read(folder, "replaced.arrows", &bytes);
	uint8_t *at = memmem(bytes.data, bytes.len, "\3\2\1\0\0\0\0\0", 8);
	at = at ? at : memmem(bytes.data, bytes.len, "\3\2\0\0\0\0\0\0", 8);
	if (!OK(at, "the indices are found (%zu of them)", sizeof indices))
		return;
	static const uint8_t wrong[] = { 4, 127, 128, 255 };
	for (size_t i = 0; i < sizeof wrong; i++) {
		at[0] = wrong[i];
		OK(code_with(&bytes, &e) == ENT_EDATA && strstr(e.why, "does not have"), "entry %u: %s", wrong[i], e.why);
	}
	at[0] = 3;
	OK_INT(code_with(&bytes, &e), 0, "and as it was");
}

/* A view of the 46 bytes and more of a long text: its length, its first bytes, buffer and offset. */
static void test_views(void)
{
	static const struct {
		size_t at;
		uint8_t value;
		const char *why;
	} wrong[] = { { 3, 0x80, "negative" },       { 4, 'b', "does not begin" },    { 8, 200, "does not have" },
		      { 11, 0x80, "does not have" }, { 14, 1, "outside its buffer" }, { 15, 0xff, "outside its buffer" } };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(1 << 20);
	struct ent_err e;
	file_read(folder, "views.arrows", &bytes);
	uint8_t *prefix = memmem(bytes.data, bytes.len, "a te", 4), before;
	for (size_t i = 0; OK(prefix, "a view is found") && i < ENT_COUNT(wrong); i++) {
		uint8_t *at = prefix - 4 + wrong[i].at;
		before = *at;
		*at = wrong[i].value;
		OK(code_with(&bytes, &e) == ENT_EDATA && strstr(e.why, wrong[i].why), "byte %zu: %s", wrong[i].at, e.why);
		*at = before;
	}
	OK_INT(code_with(&bytes, &e), 0, "and as it was");
}

/* Every byte of the small ones may be wrong: an error or other values, never an access outside (sanitizers watch). */
static void test_flipped(void)
{
	static const char *const names[] = { "delta.arrow", "replaced.arrows", "polars_zstd.arrow", "views.arrows" };
	for (size_t k = 0; k < ENT_COUNT(names); k++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(1 << 20);
		size_t refused = 0;
		file_read(folder, names[k], &bytes);
		for (size_t i = 0; i < bytes.len; i++) {
			struct ent_err e;
			uint8_t before = bytes.data[i];
			bytes.data[i] = (uint8_t)(before ^ 1u << (i % 8));
			refused += code_with(&bytes, &e) != 0;
			bytes.data[i] = before;
		}
		OK(refused > bytes.len / 8, "%s: %zu of %zu flips are refused", names[k], refused, bytes.len);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	folder = argv[1];
	test_read();
	test_parts();
	if (ent_arrow_codecs[ENT_IPC_ZSTD]) {
		test_large();
		test_bomb();
	}
	test_claims("default.feather", 128);
	test_claims("zstd.arrows", 100);
	test_missing_codec();
	test_entries();
	test_views();
	test_flipped();
	return tap_done();
}
