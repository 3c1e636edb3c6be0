/* Rows that a member sends: schema, batches, end.
 * fuzz-deps: move_dep */
#include "arrow/stream.h"
#include "move/feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int from_memory(void *self, void *data, size_t len, struct ent_err *err)
{
	struct ent_reader *r = self;
	struct ent_bytes b = ent_read(r, len);
	if (!r->ok)
		return ent_fail(err, ENT_EPEER, "the end");
	memcpy(data, b.data, len);
	return 0;
}

static void drain(const struct ent_move_session *s)
{
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_read what = { .size = sizeof what };
	if (s->connector->read(s->source, &what, &stream, NULL) || ent_stream_schema(&stream, &schema, NULL))
		return;
	for (;;) {
		ENT_ARRAY_AUTO array = { 0 };
		ENT_BATCH_AUTO batch = { 0 };
		if (ent_stream_next(&stream, &array, NULL) || !array.release)
			return;
		ENT_ASSERT(!ent_batch_open_copy(&schema, &array, &batch, NULL));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ent_reader r = ent_reader(ent_bytes(data, size));
	struct ent_feed_from feed = { &r, from_memory };
	struct ent_move_session s = { 0 };
	if (ent_feed_source_open(&feed, &s, NULL))
		return 0;
	drain(&s);
	s.connector->close(s.source);
	return 0;
}
