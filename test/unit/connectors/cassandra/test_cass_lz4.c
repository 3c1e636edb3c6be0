/* Compressed frames: through and back, and each way a block can be broken. */
#include "cass_type.h"
#include "tap.h"

static void back(size_t n, unsigned step)
{
	static uint8_t bytes[300000];
	struct ent_buf packed = ENT_BUF(400000), out = ENT_BUF(400000);
	struct ent_err e = ENT_ERR_INIT;
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i * step >> 3);
	OK(!ent_cass_pack(ent_bytes(bytes, n), &packed, &e) && !ent_cass_unpack(ent_buf_bytes(&packed), n, &out, &e), "%zu bytes %s", n, e.what);
	OK(ent_bytes_eq(ent_buf_bytes(&out), ent_bytes(bytes, n)), "come back from %zu", packed.len);
	if (n)
		OK_INT(ent_cass_unpack(ent_buf_bytes(&packed), n - 1, &out, &e), ENT_EPEER, "not where fewer may come: %s", e.why);
	ent_buf_deinit(&packed);
	ent_buf_deinit(&out);
}

int main(void)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *name;
	} broken[] = { { "\0\0\0", 3, "shorter than its length" },
		       { "\0\0\0\5\x50hell", 9, "cut" },
		       { "\0\0\0\6\x50hello", 10, "holds less than it says" },
		       { "\0\0\0\4\x50hello", 10, "holds more than it says" },
		       { "\0\0\0\x14\x1f"
			 "a\2\0\0",
			 9, "points before its start" },
		       { "\xff\xff\xff\xff\x50hello", 10, "says that it holds 4 GiB" },
		       { "\0\x10\0\0\x50hello", 10, "says more than any block can hold" } };
	struct ent_buf out = ENT_BUF(1 << 20);
	struct ent_err e = ENT_ERR_INIT;
	OK(!ent_cass_unpack(ent_bytes("\0\0\0\5\x50hello", 10), 100, &out, &e) && !strcmp(ent_buf_text(&out), "hello"), "a block: %s", e.what);
	for (size_t i = 0; i < ENT_COUNT(broken); i++) {
		OK_INT(ent_cass_unpack(ent_bytes(broken[i].bytes, broken[i].len), 2u << 20, &out, &e), ENT_EPEER, "%s: %s", broken[i].name, e.why);
		OK(!out.len && strstr(e.what, "no LZ4 block"), "by name, and nothing comes out");
	}
	back(0, 1);
	back(1, 1);
	back(700, 1);
	back(300000, 7);
	back(300000, 40503);
	ent_buf_deinit(&out);
	return tap_done();
}
