/* A changefeed's message: key, a NUL, value; read as a row of a table with every form of column, and as a mark. What a parsed value lends lies
 * within it, and walking over a container reaches its end. fuzz-deps: pg_wire_dep */
#include "roach.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ent_roach_column all[] = {
	{ "id", { ENT_T_INT32, 0, 0 }, ENT_ROACH_PLAIN, false, 0 },       { "k", { ENT_T_TEXT, 0, 0 }, ENT_ROACH_PLAIN, false, 1 },
	{ "b", { ENT_T_BOOL, 0, 0 }, ENT_ROACH_PLAIN, true, -1 },         { "d", { ENT_T_DECIMAL, 20, 4 }, ENT_ROACH_PLAIN, true, -1 },
	{ "n", { ENT_T_TEXT, 0, 0 }, ENT_ROACH_DIGITS, true, -1 },        { "j", { ENT_T_TEXT, 0, 0 }, ENT_ROACH_JSON, true, -1 },
	{ "c", { ENT_T_TEXT, 0, 0 }, ENT_ROACH_PADDED, true, -1 },        { "y", { ENT_T_BINARY, 0, 0 }, ENT_ROACH_PLAIN, true, -1 },
	{ "f", { ENT_T_DOUBLE, 0, 0 }, ENT_ROACH_PLAIN, true, -1 },       { "r", { ENT_T_REAL, 0, 0 }, ENT_ROACH_PLAIN, true, -1 },
	{ "day", { ENT_T_DATE, 0, 0 }, ENT_ROACH_PLAIN, true, -1 },       { "ts", { ENT_T_TIMESTAMP, 0, 0 }, ENT_ROACH_PLAIN, true, -1 },
	{ "tz", { ENT_T_TIMESTAMPTZ, 0, 0 }, ENT_ROACH_PLAIN, true, -1 }, { "clock", { ENT_T_TIME, 0, 0 }, ENT_ROACH_PLAIN, true, -1 }
};
static const struct ent_roach_columns columns = { "t", all, ENT_COUNT(all), 2 };

static struct ent_builder *builder_make(void)
{
	struct ent_field fields[ENT_COUNT(all) + 2] = { { .name = "entente.op", .type = { ENT_T_TEXT, 0, 0 } },
							{ .name = "entente.unchanged", .type = { ENT_T_TEXT, 0, 0 }, .nullable = true } };
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_builder *b = NULL;
	for (size_t i = 0; i < ENT_COUNT(all); i++)
		fields[i + 2] = (struct ent_field){ .name = all[i].name, .type = all[i].type, .nullable = true };
	ENT_ASSERT(!ent_schema_new(fields, ENT_COUNT(fields), NULL, &schema, NULL) && !ent_builder_new(&schema, 0, &b, NULL));
	return b;
}

static void walk(struct ent_roach_value v, unsigned depth)
{
	struct ent_roach_walk at = { 0 };
	struct ent_roach_value part;
	struct ent_bytes name;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF((size_t)1 << 20);
	if (v.kind == ENT_ROACH_STRING && ent_roach_text(v.raw, &text))
		ENT_ASSERT(text.len <= v.raw.len && ent_utf8_valid(ent_buf_bytes(&text)));
	if ((v.kind != ENT_ROACH_ARRAY && v.kind != ENT_ROACH_OBJECT) || depth > 3)
		return;
	while (ent_roach_next(v.raw, &at, &name, &part)) {
		ENT_ASSERT(part.raw.len && part.raw.data > v.raw.data && part.raw.data + part.raw.len < v.raw.data + v.raw.len);
		ENT_ASSERT((name.data != NULL) == (v.kind == ENT_ROACH_OBJECT));
		walk(part, depth + 1);
	}
	ENT_ASSERT(at.at + 1 >= v.raw.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
	struct ent_bytes key = ent_bytes(nul ? data : NULL, nul ? (size_t)(nul - data) : 0);
	struct ent_bytes value = nul ? ent_bytes(nul + 1, size - key.len - 1) : ent_bytes(data, size);
	struct ent_roach_message m;
	struct ent_roach_value v;
	if (ent_roach_parse(value, &v))
		walk(v, 0);
	if (ent_roach_message(key, value, &m, NULL) || m.resolved)
		return 0;
	struct ent_builder *b = builder_make();
	bool strange;
	if (!ent_roach_row(&columns, &m, b, &strange, NULL)) {
		ENT_ARRAY_AUTO a = { 0 };
		ENT_ASSERT(!ent_builder_finish(b, &a, NULL) && a.length == (strange ? 0 : 1));
	}
	ent_builder_free(b);
	return 0;
}
