/* Compressed bodies of Cassandra's frames: foreign blocks, and our own come back as they were. fuzz-deps: cass_type_dep */
#include "cass_type.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HELD_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(HELD_MAX + 1024), packed = ENT_BUF(2 * HELD_MAX);
	struct ent_bytes all = ent_bytes(data, size);
	if (!ent_cass_unpack(all, HELD_MAX, &out, NULL)) {
		struct ent_reader r = ent_reader(all);
		ENT_ASSERT(out.len == ent_read_be32(&r) && out.len <= HELD_MAX);
	} else {
		ENT_ASSERT(!out.len);
	}
	ENT_ASSERT(!ent_cass_pack(all, &packed, NULL) && !ent_cass_unpack(ent_buf_bytes(&packed), HELD_MAX, &out, NULL));
	ENT_ASSERT(ent_bytes_eq(ent_buf_bytes(&out), all));
	return 0;
}
