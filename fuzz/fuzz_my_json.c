/* MySQL's binary JSON and its packed decimals (first byte: precision, second: scale).
 * fuzz-deps: my_log_dep */
#include "my_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 18);
	struct ent_err e = ENT_ERR_INIT;
	char text[80];
	if (!ent_my_json_text(ent_bytes(data, size), &out, &e))
		ENT_ASSERT(out.len && !out.code);
	if (size > 2) {
		struct ent_reader r = ent_reader(ent_bytes(data + 2, size - 2));
		if (ent_my_decimal_read(&r, data[0] & 127, data[1] & 63, text))
			ENT_ASSERT(strlen(text) < 70);
	}
	return 0;
}
