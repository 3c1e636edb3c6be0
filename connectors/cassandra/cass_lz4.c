/* Bodies of frames as LZ4 blocks: length of what it holds (32 bits, big endian), then the block. Every bound is checked before memory is taken. */
#include "cass_type.h"

#include <lz4.h>

#define RATIO_MAX 256u /* no block of LZ4 holds more than 255 times its size */

int ent_cass_unpack(struct ent_bytes body, size_t max, struct ent_buf *out, struct ent_err *err)
{
	struct ent_reader r = ent_reader(body);
	uint32_t len = ent_read_be32(&r);
	struct ent_bytes block = ent_bytes(r.at, r.ok ? ent_reader_left(&r) : 0);
	bool possible = r.ok && len <= max && len <= INT32_MAX && block.len <= INT32_MAX && (uint64_t)len <= (uint64_t)block.len * RATIO_MAX;
	ent_buf_reset(out);
	if (possible && !len)
		return 0;
	uint8_t *to = possible ? ent_buf_space(out, len) : NULL;
	if (possible && !to)
		return ent_nomem(err);
	int held = to ? LZ4_decompress_safe((const char *)block.data, (char *)to, (int)block.len, (int)len) : -1;
#ifdef ENT_MUTANT_CASS_LZ4_SHORT
	held = held >= 0 ? (int)len : held;
#endif
	if (to && held == (int)len)
		return 0;
	ent_buf_reset(out);
	ent_fail(err, ENT_EPEER, "an answer of Cassandra is no LZ4 block");
	return ent_why(err, "%zu bytes say that they hold %u", block.len, (unsigned)len), ENT_EPEER;
}

int ent_cass_pack(struct ent_bytes body, struct ent_buf *out, struct ent_err *err)
{
	if (body.len > LZ4_MAX_INPUT_SIZE)
		return ent_fail(err, ENT_EDATA, "a request of %zu bytes cannot be compressed", body.len);
	int most = LZ4_compressBound((int)body.len);
	ent_buf_be32(out, (uint32_t)body.len);
	uint8_t *to = ent_buf_space(out, (size_t)most);
	if (!to)
		return ent_nomem(err);
	int n = LZ4_compress_default((const char *)body.data, (char *)to, (int)body.len, most);
	if (n <= 0)
		return ent_fail(err, ENT_EINTERNAL, "LZ4 cannot compress");
	out->len -= (size_t)(most - n);
	return 0;
}
