/* Frames and hellos of the party link: the first byte says how the rest is cut into pieces.
 * fuzz-deps: wire_dep */
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void drain(struct ent_frame_parser *p)
{
	struct ent_frame f;
	struct ent_hello hello;
	while (!ent_frame_parser_next(p, &f, NULL))
		if (f.kind == ENT_FRAME_HELLO && !ent_hello_decode(f.payload, &hello, NULL)) {
			struct ent_buf again = ENT_BUF(1024);
			ent_hello_encode(&again, &hello);
			ENT_ASSERT(hello.version != ENT_HELLO_VERSION || ent_bytes_eq(ent_buf_bytes(&again), f.payload));
			ent_buf_deinit(&again);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ent_frame_parser p;
	if (!size)
		return 0;
	size_t cut = 1u + data[0] % 64;
	ent_frame_parser_init(&p, 4096);
	for (size_t at = 1; at < size; at += cut) {
		if (ent_frame_parser_put(&p, ent_bytes(data + at, size - at < cut ? size - at : cut), NULL))
			break;
		drain(&p);
	}
	ent_frame_parser_deinit(&p);
	return 0;
}
