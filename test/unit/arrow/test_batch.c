/* Builders and readers agree; every broken batch is refused by name; streams carry errors whole. */
#include <math.h>
#include <stdlib.h>

#include "arrow/rows.h"
#include "arrow/stream.h"
#include "arrow_case.h"

static void test_round_trip(const struct ArrowSchema *schema, const struct ArrowArray *array)
{
	struct ent_err e = ENT_ERR_INIT;
	ENT_BATCH_AUTO b = { 0 };
	if (!OK(!ent_batch_open(schema, array, &b, &e), "opens: %s", e.what))
		return;
	OK_INT(b.rows, 4);
	OK_INT(ent_view_int(&b.columns[1], 0), 1234);
	OK(ent_view_null(&b.columns[1], 1) && ent_view_null(&b.columns[10], 1) && !ent_view_null(&b.columns[11], 1), "NULLs where they were put");
	OK_INT(ent_view_int(&b.columns[3], 2), -2);
	OK(ent_view_wide(&b.columns[4], 2) == -2 && ent_view_int(&b.columns[4], 2) == -2, "negative decimal");
	OK(ent_view_real(&b.columns[5], 0) == 0.5 && ent_view_real(&b.columns[6], 2) == -1e10, "floats");
	OK(ent_bytes_eq(ent_view_text(&b.columns[10], 0), ent_bytes_str("plain")) && !ent_view_text(&b.columns[10], 2).len, "texts");
	OK_INT(b.columns[0].nulls, 1);
}

static void test_schema(const struct ArrowSchema *schema)
{
	struct ent_field_info f;
	char keys[32];
	ENT_SCHEMA_AUTO copy = { 0 };
	OK_INT(ent_schema_dup(schema, &copy, NULL), 0, "dup");
	ent_schema_field(&copy, 4, &f);
	OK_STR(f.native, "numeric(12,2)");
	OK(f.type.id == ENT_T_DECIMAL && f.type.precision == 12 && f.type.scale == 2 && f.nullable && !f.unsupported[0], "field of a copy");
	OK(ent_metadata_get(copy.metadata, ENT_META_KEYS, keys, sizeof keys) && !strcmp(keys, "id"), "keys of a copy");
	OK(!ent_metadata_get(copy.metadata, "other", keys, sizeof keys), "absent key");
	OK(!ent_schema_meta_add(&copy, ENT_META_STORE, "postgresql", NULL) && ent_metadata_get(copy.metadata, ENT_META_KEYS, keys, sizeof keys) &&
		   ent_metadata_get(copy.metadata, ENT_META_STORE, keys, sizeof keys) && !strcmp(keys, "postgresql"),
	   "one more pair");
	OK_INT(ent_schema_find(&copy, "text"), 10);
	OK_INT(ent_schema_find(&copy, "nothing"), -1);
	copy.children[2]->format = "e";
	ent_schema_field(&copy, 2, &f);
	OK(f.unsupported[0] != 0, "unknown format: %s", f.unsupported);
	copy.children[2]->name = "";
	OK_INT(ent_schema_check(&copy, NULL), ENT_EDATA, "nameless column");
}

static void test_unsupported(void)
{
	struct ent_field_info f;
	struct ent_builder *b = NULL;
	ENT_SCHEMA_AUTO s = { 0 };
	struct ent_field fields[] = { { "a", { ENT_T_INT64, 0, 0 }, true, NULL, NULL },
				      { "h", { 0 }, true, "HUGEINT", "integers above 64 bits have no joint type" } };
	OK_INT(ent_schema_new(fields, 2, NULL, &s, NULL), 0);
	ent_schema_field(&s, 1, &f);
	OK_STR(f.unsupported, "integers above 64 bits have no joint type");
	OK_STR(f.native, "HUGEINT");
	OK_INT(ent_builder_new(&s, 0, &b, NULL), ENT_EUNSUPPORTED, "no builder for it");
}

static void test_limits(void)
{
	struct ent_field fields[] = { { "s", { ENT_T_INT16, 0, 0 }, true, NULL, NULL },
				      { "d", { ENT_T_DECIMAL, 3, 1 }, true, NULL, NULL },
				      { "r", { ENT_T_REAL, 0, 0 }, true, NULL, NULL },
				      { "t", { ENT_T_TEXT, 0, 0 }, true, NULL, NULL } };
	ENT_SCHEMA_AUTO s = { 0 };
	struct ent_builder *b = NULL;
	OK_INT(ent_schema_new(fields, 4, NULL, &s, NULL), 0);
	OK_INT(ent_builder_new(&s, 1000, &b, NULL), 0);
	OK_INT(ent_builder_int(b, 0, 32768, NULL), ENT_EDATA, "beyond smallint");
	OK_INT(ent_builder_int(b, 1, 1000, NULL), ENT_EDATA, "beyond decimal(3,1)");
	OK_INT(ent_builder_int(b, 1, -999, NULL), 0, "its smallest value");
	OK_INT(ent_builder_real(b, 2, 0.1, NULL), ENT_EDATA, "no exact real");
	OK_INT(ent_builder_real(b, 2, (double)NAN, NULL), 0, "NaN is a real");
	OK_INT(ent_builder_text(b, 3, ent_bytes_str("\xff"), NULL), ENT_EDATA, "no UTF-8");
	OK_INT(ent_builder_text(b, 3, ent_bytes("a\0b", 3), NULL), ENT_EDATA, "zero byte");
	static char big[1001];
	memset(big, 'x', sizeof big);
	OK_INT(ent_builder_text(b, 3, ent_bytes(big, sizeof big), NULL), ENT_ENOMEM, "over the cap");
	ent_builder_free(b);
}

static const void *other_buffer(struct ArrowArray *a, int64_t i, const void *with)
{
	const void *was = a->buffers[i];
	a->buffers[i] = with;
	return was;
}

/* Breaks one thing at a time and expects the refusal, then mends it. */
static void test_broken(const struct ArrowSchema *schema, struct ArrowArray *a)
{
	ENT_BATCH_AUTO b = { 0 };
	struct ArrowArray *text = a->children[10], *id = a->children[11], *money = a->children[4], *day = a->children[7];
#define BROKEN(change, mend, name) \
	do { \
		struct ent_err e = ENT_ERR_INIT; \
		change; \
		OK_INT(ent_batch_open(schema, a, &b, &e), ENT_EDATA, name ": %s", e.what); \
		mend; \
	} while (0)
	static const int32_t back[] = { 0, 5, 5, 3, 9 }, negative[] = { -1, 5, 5, 5, 9 }, huge[] = { 0, 5, 5, 5, INT32_MAX };
	static const int32_t days[] = { INT32_MAX, 0, 0, 0 };
	static const uint8_t no_utf8[32] = { 'p', 'l', 'a', 'i', 0xff };
	ent_i128 wide[4] = { (ent_i128)1 << 100 };
	const void *was = text->buffers[1];
	BROKEN(other_buffer(text, 1, back), other_buffer(text, 1, was), "offsets go back");
	BROKEN(other_buffer(text, 1, negative), other_buffer(text, 1, was), "negative offset");
	BROKEN(other_buffer(text, 1, huge), other_buffer(text, 1, was), "offset beyond the cap");
	was = text->buffers[2];
	BROKEN(other_buffer(text, 2, no_utf8), other_buffer(text, 2, was), "bytes that are no UTF-8");
	BROKEN(other_buffer(text, 2, NULL), other_buffer(text, 2, was), "no text buffer");
	was = id->buffers[1];
	BROKEN(other_buffer(id, 1, NULL), other_buffer(id, 1, was), "no values");
	was = money->buffers[1];
	BROKEN(other_buffer(money, 1, wide), other_buffer(money, 1, was), "decimal beyond its precision");
	was = day->buffers[1];
	BROKEN(other_buffer(day, 1, days), other_buffer(day, 1, was), "infinite date");
	static const uint8_t none[1] = { 0 };
	BROKEN((other_buffer(id, 0, none), id->null_count = 4), (other_buffer(id, 0, NULL), id->null_count = 0), "NULL where none may be");
	BROKEN(id->null_count = 2, id->null_count = 0, "wrong NULL count");
	BROKEN(id->length = 3, id->length = 4, "short column");
	BROKEN(id->offset = -1, id->offset = 0, "negative offset of a column");
	BROKEN(id->n_buffers = 3, id->n_buffers = 2, "wrong number of buffers");
	BROKEN(a->n_children = 11, a->n_children = 12, "missing column");
	BROKEN(a->length = 65537, a->length = 4, "too many rows");
	BROKEN(a->null_count = 1, a->null_count = 0, "NULL rows");
	OK_INT(ent_batch_open(schema, a, &b, NULL), 0, "mended, it opens again");
}

static void test_slice(const struct ArrowSchema *schema, struct ArrowArray *a)
{
	ENT_BATCH_AUTO b = { 0 };
	a->offset = 2;
	a->length = 2;
	OK_INT(ent_batch_open(schema, a, &b, NULL), 0, "a slice opens");
	OK_INT(ent_view_int(&b.columns[11], 0), 2, "and starts where it says");
	OK(ent_view_int(&b.columns[0], 1) == 1 && ent_view_text(&b.columns[10], 1).len > 5, "bits and texts too");
	a->offset = 0;
	a->length = 4;
}

static void test_canonical(const struct ArrowSchema *schema, const struct ArrowArray *a)
{
	static const char nulls[] = "000000000000000000000001"
				    "0000000000000001";
	ENT_BATCH_AUTO b = { 0 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf null_row = ENT_BUF(4096), two = ENT_BUF(4096), three = ENT_BUF(4096), head = ENT_BUF(4096);
	char hex[128] = "";
	OK_INT(ent_batch_open(schema, a, &b, NULL), 0);
	ent_rows_put(&b, 1, &null_row);
	ent_rows_put(&b, 2, &two);
	ent_rows_put(&b, 3, &three);
	ent_hex(hex, null_row.data, null_row.len);
	OK_STR(hex, nulls, "eleven NULLs and the id");
	OK(!ent_bytes_eq(ent_buf_bytes(&two), ent_buf_bytes(&three)), "different rows differ");
	OK_INT(ent_rows_put_schema(schema, &head, NULL), 0);
	OK(head.len > 6 && head.data[1] == 12 && !memcmp(head.data + 4, "flagb", 5), "schema bytes");
}

struct teller {
	int calls;
};
static int teller_next(void *self, struct ArrowArray *ret, struct ent_err *err)
{
	struct teller *t = (struct teller *)self;
	(void)ret;
	t->calls++;
	ent_fail(err, ENT_EDATA, "row 7 of column x is no date");
	ent_why(err, "it holds 'soon'");
	if (err)
		memcpy(err->sqlstate, "22007", 6);
	return ENT_EDATA;
}

static void test_stream_errors(void)
{
	struct teller t = { 0 };
	static const struct ent_stream_ops ops = { teller_next, NULL };
	struct ent_err e = ENT_ERR_INIT;
	struct ArrowSchema s;
	struct ArrowArray a = { 0 };
	ENT_STREAM_AUTO stream = { 0 };
	case_schema(&s);
	OK_INT(ent_stream_new(&s, &ops, &t, &stream, NULL), 0);
	OK_INT(ent_stream_next(&stream, &a, &e), ENT_EDATA, "the code comes through");
	OK_STR(e.what, "row 7 of column x is no date");
	OK_STR(e.why, "it holds 'soon'");
	OK_STR(e.sqlstate, "22007");
	OK_STR(e.next, "");
	OK_INT(ent_stream_next(&stream, &a, &e), ENT_EDATA, "and stays");
	OK_INT(t.calls, 1, "without asking again");
}

static int count_rows(void *arg, const struct ent_batch *b, struct ent_err *err)
{
	(void)err;
	*(size_t *)arg += b->rows;
	return 0;
}

static void test_stream(void)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ArrowArray batches[2] = { 0 };
	struct ArrowSchema given;
	ENT_STREAM_AUTO stream = { 0 };
	size_t rows = 0;
	case_schema(&given);
	case_batch(&given, &batches[0]);
	case_batch(&given, &batches[1]);
	OK_INT(ent_stream_from_batches(&given, batches, 2, &stream, NULL), 0);
	OK(!given.release && !batches[0].release && !batches[1].release, "taken");
	OK_INT(ent_stream_schema(&stream, &schema, NULL), 0);
	OK_INT(ent_stream_each(&stream, &schema, count_rows, &rows, NULL), 0);
	OK_INT(rows, 8);
}

int main(void)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO array = { 0 };
	case_schema(&schema);
	case_batch(&schema, &array);
	test_round_trip(&schema, &array);
	test_schema(&schema);
	test_unsupported();
	test_limits();
	test_broken(&schema, &array);
	test_slice(&schema, &array);
	test_canonical(&schema, &array);
	test_stream_errors();
	test_stream();
	return tap_done();
}
