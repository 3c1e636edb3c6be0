/* Values of Cassandra: kind:8 length:8 bytes ..., each read and, when it was read as text, written back and read again to the same text.
 * fuzz-deps: cass_type_dep */
#include "arrow/value.h"
#include "cass_type.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ent_type types[] = { { .id = ENT_T_TEXT },        { .id = ENT_T_TEXT },   { .id = ENT_T_BOOL },  { .id = ENT_T_INT16 },
					 { .id = ENT_T_INT16 },       { .id = ENT_T_INT32 },  { .id = ENT_T_INT64 }, { .id = ENT_T_INT64 },
					 { .id = ENT_T_TEXT },        { .id = ENT_T_TEXT },   { .id = ENT_T_REAL },  { .id = ENT_T_DOUBLE },
					 { .id = ENT_T_TIMESTAMPTZ }, { .id = ENT_T_DATE },   { .id = ENT_T_TIME },  { .id = ENT_T_TEXT },
					 { .id = ENT_T_TEXT },        { .id = ENT_T_BINARY }, { .id = ENT_T_TEXT },  { .id = ENT_T_TEXT },
					 { .id = ENT_T_TEXT } };

/* One value through a batch of its own; false when it was refused. */
static bool through(enum ent_cass_kind kind, struct ent_type type, struct ent_bytes value, struct ent_buf *text, struct ent_buf *again)
{
	const struct ent_field field = { .name = "v", .type = type, .nullable = true };
	const struct ent_cass_column column = { "v", kind };
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO array = { 0 };
	ENT_BATCH_AUTO batch = { 0 };
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	if (ent_schema_new(&field, 1, NULL, &schema, NULL) || ent_builder_new(&schema, 1 << 20, &b, NULL) ||
	    ent_cass_value_put(b, 0, &column, 1, value, NULL) || ent_builder_finish(b, &array, NULL) ||
	    ent_batch_open_copy(&schema, &array, &batch, NULL) || ent_view_null(&batch.columns[0], 0))
		return false;
	ent_value_put(&batch.columns[0], 0, text);
	return !ent_cass_value_encode(&batch.columns[0], 0, kind, false, again, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ent_reader r = ent_reader(ent_bytes(data, size));
	while (ent_reader_left(&r)) {
		ENT_CLEANUP(ent_buf_deinit)
		struct ent_buf first = ENT_BUF(1 << 20), wire = ENT_BUF(1 << 20), second = ENT_BUF(1 << 20), rest = ENT_BUF(1 << 20);
		enum ent_cass_kind kind = (enum ent_cass_kind)(ent_read_u8(&r) % ENT_COUNT(types));
		struct ent_type type = types[kind];
		if ((kind == ENT_CASS_DECIMAL || kind == ENT_CASS_VARINT) && ent_reader_left(&r) && r.at[0] & 0x80)
			type = (struct ent_type){ ENT_T_DECIMAL, 18, 4 };
		size_t len = ent_read_u8(&r) & 0x7f;
		struct ent_bytes value = ent_read(&r, len);
		if (!r.ok)
			break;
		if (kind == ENT_CASS_COUNTER || kind == ENT_CASS_CUSTOM || !through(kind, type, value, &first, &wire))
			continue;
		ENT_ASSERT(wire.len >= 4 && through(kind, type, ent_bytes(wire.data + 4, wire.len - 4), &second, &rest));
		ENT_ASSERT(ent_bytes_eq(ent_buf_bytes(&first), ent_buf_bytes(&second)));
	}
	return 0;
}
