/* Bytes of HBase's cells: type:8 length:8 bytes ..., each read and, when it was read, written back and read again to the same text; and as a row key.
 * fuzz-deps: hb_type_dep */
#include "arrow/value.h"
#include "hb_type.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const types[] = { "text",
				     "boolean",
				     "smallint",
				     "integer",
				     "bigint",
				     "unsigned bigint",
				     "real",
				     "double precision",
				     "decimal(18,4)",
				     "decimal(38,1)",
				     "date",
				     "time",
				     "binary",
				     "timestamp without time zone",
				     "timestamp with time zone",
				     "short",
				     "int",
				     "long",
				     "float",
				     "double",
				     "bool" };

/* One value through a batch of its own; false when it was refused. */
static bool through(const struct ent_hb_column *c, struct ent_bytes value, struct ent_buf *text, struct ent_buf *again)
{
	const struct ent_field field = { .name = "v", .type = c->t.type, .nullable = true };
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO array = { 0 };
	ENT_BATCH_AUTO batch = { 0 };
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf scratch = ENT_BUF(1 << 16);
	if (ent_schema_new(&field, 1, NULL, &schema, NULL) || ent_builder_new(&schema, 1 << 20, &b, NULL) ||
	    ent_hb_value_put(b, 0, c, 1, value, NULL) || ent_builder_finish(b, &array, NULL) || ent_batch_open_copy(&schema, &array, &batch, NULL))
		return false;
	ent_value_put(&batch.columns[0], 0, text);
	return !ent_hb_value_encode(&batch.columns[0], 0, &c->t, &scratch, again, NULL);
}

/* A key of n parts gives itself again when it was one. */
static void key(struct ent_bytes in, size_t n)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf scratch = ENT_BUF(1 << 10), again = ENT_BUF(1 << 10);
	struct ent_bytes parts[ENT_HB_KEYS_MAX];
	if (!ent_hb_key_split(in, n, &scratch, parts))
		return;
	for (size_t i = 0; i < n; i++)
		ent_hb_key_part(&again, parts[i], i, n);
	ENT_ASSERT(ent_bytes_eq(ent_buf_bytes(&again), in));
}

static void between(struct ent_bytes in)
{
	uint8_t mid[64];
	struct ent_bytes low = ent_bytes(in.data, in.len / 2), high = ent_bytes(in.data + in.len / 2, in.len - in.len / 2);
	ENT_ASSERT(ent_hb_key_between(low, high, 1, 3, mid) <= 64);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ent_reader r = ent_reader(ent_bytes(data, size));
	while (ent_reader_left(&r)) {
		ENT_CLEANUP(ent_buf_deinit)
		struct ent_buf first = ENT_BUF(1 << 20), wire = ENT_BUF(1 << 20), second = ENT_BUF(1 << 20), rest = ENT_BUF(1 << 20);
		struct ent_hb_column c = { .name = "v" };
		uint8_t kind = ent_read_u8(&r);
		struct ent_bytes value = ent_read(&r, ent_read_u8(&r));
		if (!r.ok)
			break;
		key(value, 1u + kind % 4);
		between(value);
		ENT_ASSERT(ent_hb_type_by_name(types[kind % ENT_COUNT(types)], &c.t));
		if (!through(&c, value, &first, &wire))
			continue;
		ENT_ASSERT(through(&c, ent_buf_bytes(&wire), &second, &rest));
		ENT_ASSERT(ent_bytes_eq(ent_buf_bytes(&first), ent_buf_bytes(&second)));
		ENT_ASSERT(ent_bytes_eq(ent_buf_bytes(&wire), ent_buf_bytes(&rest)));
	}
	return 0;
}
