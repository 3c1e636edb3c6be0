/* PostgreSQL's COPY BINARY stream, cut into pieces where the first byte says.
 * fuzz-deps: pg_wire_dep */
#include "pg_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ent_field fields[] = { { .name = "i", .type = { ENT_T_INT32, 0, 0 }, .nullable = true },
						   { .name = "t", .type = { ENT_T_TEXT, 0, 0 }, .nullable = true },
						   { .name = "n", .type = { ENT_T_DECIMAL, 18, 4 }, .nullable = true },
						   { .name = "d", .type = { ENT_T_TIMESTAMP, 0, 0 }, .nullable = true },
						   { .name = "f", .type = { ENT_T_REAL, 0, 0 }, .nullable = true } };
	static const struct ent_pg_column columns[] = {
		{ "i", ENT_PG_INT4 }, { "t", ENT_PG_TEXT }, { "n", ENT_PG_NUMERIC }, { "d", ENT_PG_TIMESTAMP }, { "f", ENT_PG_FLOAT4 }
	};
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO array = { 0 };
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	ENT_CLEANUP(ent_pg_copy_deinit) struct ent_pg_copy copy;
	struct ent_err e = ENT_ERR_INIT;
	ent_pg_copy_init(&copy, columns, ENT_COUNT(columns));
	if (!size || ent_schema_new(fields, ENT_COUNT(fields), NULL, &schema, &e) || ent_builder_new(&schema, 1 << 20, &b, &e))
		return 0;
	size_t step = (size_t)data[0] + 1;
	for (size_t at = 1; at < size; at += step) {
		size_t n = size - at < step ? size - at : step;
		if (ent_pg_copy_feed(&copy, ent_bytes(data + at, n), b, &e))
			return 0; /* a row may be half built: the batch is given up with the stream */
	}
	ENT_ASSERT(!ent_builder_finish(b, &array, &e));
	return 0;
}
