/* Frames: every type there and back, and nothing foreign gets past the reader. */
#include "move/feed.h"

#include <stdlib.h>

#include "arrow/builder.h"
#include "arrow/rows.h"
#include "arrow/stream.h"
#include "tap.h"

#define COLUMNS 14

static int make_schema(struct ArrowSchema *ret)
{
	struct ent_field f[COLUMNS];
	static const char *const names[COLUMNS] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n" };
	for (int i = 0; i < COLUMNS; i++)
		f[i] = (struct ent_field){ .name = names[i], .type = { (enum ent_type_id)i, 0, 0 }, .nullable = i % 2 == 0, .native = "own" };
	f[ENT_T_DECIMAL].type = (struct ent_type){ ENT_T_DECIMAL, 38, 4 };
	return ent_schema_new(f, COLUMNS, "b\tc", ret, NULL);
}

static void put_row(struct ent_builder *b, int row)
{
	for (size_t i = 0; i < COLUMNS; i++) {
		struct ent_type t = ent_builder_type(b, i);
		int r;
		if (row % 3 == 2 && i % 2 == 0)
			r = ent_builder_null(b, i, NULL);
		else if (ent_type_is_bytes(t))
			r = ent_builder_text(b, i, ent_bytes_str(row ? "" : "Łódź"), NULL);
		else if (ent_type_is_float(t))
			r = ent_builder_real(b, i, row ? -0.0 : 0.5, NULL);
		else if (t.id == ENT_T_DECIMAL)
			r = ent_builder_wide(b, i, (ent_i128)-1 * 1000000000000000000 * 1000000000 * row, NULL);
		else if (t.id == ENT_T_UINT64)
			r = ent_builder_wide(b, i, (ent_i128)UINT64_MAX - row, NULL);
		else
			r = ent_builder_int(b, i, t.id == ENT_T_BOOL ? row & 1 : row, NULL);
		if (r)
			OK(0, "column %zu", i);
	}
}

struct memory {
	struct ent_buf bytes;
	size_t at;
};
static int mem_read(void *self, void *data, size_t len, struct ent_err *err)
{
	struct memory *m = self;
	if (len > m->bytes.len - m->at)
		return ent_fail(err, ENT_EPEER, "the link ended");
	memcpy(data, m->bytes.data + m->at, len);
	m->at += len;
	return 0;
}
static int mem_write(void *self, struct ent_bytes bytes, struct ent_err *err)
{
	struct memory *m = self;
	ent_buf_put(&m->bytes, bytes.data, bytes.len);
	return ent_buf_check(&m->bytes, err);
}

static void fill(struct memory *m, uint64_t rows_said)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	ENT_ARRAY_AUTO array = { 0 };
	ENT_BATCH_AUTO batch = { 0 };
	*m = (struct memory){ .bytes = ENT_BUF(1 << 20) };
	make_schema(&schema);
	ent_builder_new(&schema, 0, &b, NULL);
	for (int row = 0; row < 9; row++)
		put_row(b, row);
	ent_builder_finish(b, &array, NULL);
	OK_INT(ent_batch_open_copy(&schema, &array, &batch, NULL), 0);
	OK_INT(ent_feed_put_schema(&schema, &m->bytes, NULL), 0);
	OK_INT(ent_feed_put_batch(&batch, &m->bytes, NULL), 0);
	ent_feed_put_end(rows_said, &m->bytes);
}

/* Reads it all; code of the first failure. bytes: canonical rows, when wanted. */
static int drain(struct memory *m, struct ent_buf *bytes)
{
	struct ent_feed_from feed = { m, mem_read };
	struct ent_move_session s = { 0 };
	struct ent_read what = { .size = sizeof what };
	int r = ent_feed_source_open(&feed, &s, NULL);
	if (r)
		return r;
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	r = s.connector->read(s.source, &what, &stream, NULL);
	if (!r)
		r = ent_stream_schema(&stream, &schema, NULL);
	while (!r) {
		ENT_ARRAY_AUTO array = { 0 };
		ENT_BATCH_AUTO batch = { 0 };
		r = ent_stream_next(&stream, &array, NULL);
		if (r || !array.release)
			break;
		r = ent_batch_open_copy(&schema, &array, &batch, NULL);
		for (size_t i = 0; bytes && !r && i < batch.rows; i++)
			ent_rows_put(&batch, i, bytes);
	}
	ent_stream_release(&stream);
	s.connector->close(s.source);
	return r;
}

static void test_round(void)
{
	struct memory m, again = { .bytes = ENT_BUF(1 << 20) };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf first = ENT_BUF(1 << 20), second = ENT_BUF(1 << 20);
	fill(&m, 9);
	OK_INT(drain(&m, &first), 0, "read back");
	OK(first.len > 0);
	m.at = 0;
	struct ent_feed_from feed = { &m, mem_read };
	struct ent_move_session s = { 0 };
	struct ent_read what = { .size = sizeof what };
	uint64_t rows = 0;
	OK_INT(ent_feed_source_open(&feed, &s, NULL), 0);
	OK_INT(ent_feed_send(&s, &what, mem_write, &again, &rows, NULL), 0, "and sent on");
	OK_INT(rows, 9);
	s.connector->close(s.source);
	OK_INT(drain(&again, &second), 0);
	OK(ent_bytes_eq(ent_buf_bytes(&first), ent_buf_bytes(&second)), "every value of every type as it was");
	ent_buf_deinit(&m.bytes);
	ent_buf_deinit(&again.bytes);
}

static void test_hostile(void)
{
	struct memory m;
	fill(&m, 8);
	OK(drain(&m, NULL) != 0, "an end that counts other rows is refused");
	ent_buf_deinit(&m.bytes);
	fill(&m, 9);
	size_t whole = m.bytes.len, failed = 0;
	for (size_t cut = 0; cut < whole; cut++) {
		m.bytes.len = cut;
		m.at = 0;
		failed += drain(&m, NULL) != 0;
	}
	OK_INT(failed, whole, "every cut is an error");
	m.bytes.len = whole;
	for (size_t i = 0; i < whole; i++) {
		m.bytes.data[i] ^= 0x41;
		m.at = 0;
		(void)drain(&m, NULL);
		m.bytes.data[i] ^= 0x41;
	}
	m.at = 0;
	OK_INT(drain(&m, NULL), 0, "no flipped byte crashed it");
	ent_buf_deinit(&m.bytes);
	m = (struct memory){ .bytes = ENT_BUF(1 << 20) };
	ent_feed_put_failure("no such luck", &m.bytes);
	OK_INT(drain(&m, NULL), ENT_EPEER, "the sender's failure is a failure here");
	ent_buf_deinit(&m.bytes);
}

int main(void)
{
	test_round();
	test_hostile();
	return tap_done();
}
