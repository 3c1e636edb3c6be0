/* Replies of a Thrift server: the first byte says how the rest is cut into pieces; every struct is walked to its last value.
 * fuzz-deps: wire_dep */
#include "wire/thrift.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void value(struct ent_reader *r, uint8_t type, unsigned depth);

static void fields(struct ent_reader *r, unsigned depth)
{
	struct ent_thrift_field f;
	while (ent_thrift_field(r, &f))
		value(r, f.type, depth + 1);
}

/* By hand where skip goes by itself; a checked message is never found wanting. */
static void value(struct ent_reader *r, uint8_t type, unsigned depth)
{
	uint8_t element;
	switch (depth < ENT_THRIFT_DEPTH_MAX ? type : ENT_THRIFT_STOP) {
	case ENT_THRIFT_STRUCT:
		fields(r, depth);
		break;
	case ENT_THRIFT_LIST:
	case ENT_THRIFT_SET:
		for (uint32_t n = ent_thrift_list(r, &element); n; n--)
			value(r, element, depth + 1);
		break;
	case ENT_THRIFT_BINARY:
		(void)ent_thrift_binary(r);
		break;
	case ENT_THRIFT_I64:
		(void)ent_thrift_i64(r);
		break;
	default:
		ent_thrift_skip(r, type);
	}
	ENT_ASSERT(r->ok);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ent_thrift_parser p;
	struct ent_thrift_message m;
	struct ent_bytes frame;
	if (!size)
		return 0;
	size_t cut = 1u + data[0];
	ent_thrift_parser_init(&p, 65536);
	for (size_t at = 1; at < size; at += cut) {
		if (ent_thrift_parser_put(&p, ent_bytes(data + at, size - at < cut ? size - at : cut), NULL))
			break;
		while (!ent_thrift_parser_next(&p, &frame, NULL))
			if (!ent_thrift_message(frame, &m, NULL))
				fields(&m.body, 0);
	}
	ent_thrift_parser_deinit(&p);
	return 0;
}
