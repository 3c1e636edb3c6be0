/* Every allocation of schemas, builders, batches, streams and writers fails once: the call says so, nothing is half done, nothing leaks.
 * malloc, calloc and realloc are wrapped by the linker; live blocks are counted. */
#include <stdlib.h>

#include "../../unit/arrow/arrow_case.h"
#include "arrow/stream.h"
#include "arrow/write.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);
char *__wrap_strdup(const char *s);

static long fail_at = -1, calls, live;

static bool fails(void) { return fail_at >= 0 && calls++ == fail_at; }

static void *counted(void *p)
{
	live += p != NULL;
	return p;
}

void *__wrap_malloc(size_t n) { return fails() ? NULL : counted(__real_malloc(n)); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : counted(__real_calloc(n, size)); }
void *__wrap_realloc(void *p, size_t n)
{
	if (fails())
		return NULL;
	live += !p;
	return __real_realloc(p, n);
}
void __wrap_free(void *p)
{
	live -= p != NULL;
	__real_free(p);
}

char *__wrap_strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = __wrap_malloc(n);
	return copy ? memcpy(copy, s, n) : NULL;
}

static int rows_build(struct ent_builder *b, struct ent_err *err)
{
	for (int64_t r = 0; r < 40; r++) {
		for (size_t c = 0; c + 1 < CASE_COLUMNS; c++) {
			if (r % 7 == 0)
				ENT_TRY(ent_builder_null(b, c, err));
			else if (ent_builder_type(b, c).id == ENT_T_TEXT)
				ENT_TRY(ent_builder_text(b, c, ent_bytes_str("some text, longer than nothing"), err));
			else if (ent_type_is_float(ent_builder_type(b, c)))
				ENT_TRY(ent_builder_real(b, c, 0.25, err));
			else
				ENT_TRY(ent_builder_int(b, c, r & 1, err));
		}
		ENT_TRY(ent_builder_int(b, CASE_COLUMNS - 1, r, err));
	}
	return 0;
}

static int everything(enum ent_result_format format, struct ent_err *err)
{
	ENT_SCHEMA_AUTO schema = { 0 }, given = { 0 };
	ENT_ARRAY_AUTO array = { 0 };
	ENT_STREAM_AUTO stream = { 0 };
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 20);
	ENT_TRY(ent_schema_new(case_fields, CASE_COLUMNS, "id", &schema, err));
	ENT_TRY(ent_schema_dup(&schema, &given, err));
	ENT_TRY(ent_builder_new(&schema, 0, &b, err));
	ENT_TRY(rows_build(b, err));
	ENT_TRY(ent_builder_finish(b, &array, err));
	ENT_TRY(ent_stream_from_batches(&given, &array, 1, &stream, err));
	return ent_write_stream(format, &stream, ent_out_buf(&out), NULL, NULL, err);
}

static void sweep(enum ent_result_format format)
{
	long at = 0, wrong = 0, leaks = 0, before = live;
	int code = ENT_ENOMEM;
	for (; code && at < 100000; at++) {
		struct ent_err e = ENT_ERR_INIT;
		calls = 0;
		fail_at = at;
		code = everything(format, &e);
		fail_at = -1;
		wrong += code && code != ENT_ENOMEM;
		leaks += live != before;
		if (leaks == 1 && live != before)
			printf("# first leak at allocation %ld\n", at);
		before = live;
	}
	OK(at > 50 && at < 100000, "format %d: %ld allocations failed in turn, then it succeeds", format, at);
	OK_INT(wrong, 0, "format %d: each is told as out of memory", format);
	OK_INT(leaks, 0, "format %d: nothing leaks", format);
}

int main(void)
{
	for (int f = ENT_RESULT_TABLE; f <= ENT_RESULT_ARROW; f++)
		sweep((enum ent_result_format)f);
	return tap_done();
}
