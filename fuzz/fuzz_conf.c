/* entente.conf, and addresses in it.
 * fuzz-deps: node_dep */
#include "node/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ent_conf conf, again;
	struct ent_err err = ENT_ERR_INIT;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_CONF_BYTES_MAX);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf second = ENT_BUF(ENT_CONF_BYTES_MAX);
	if (size > ENT_CONF_BYTES_MAX / 2 || ent_conf_parse(ent_bytes(data, size), &conf, &err))
		return 0;
	ent_conf_print(&conf, &text);
	ENT_ASSERT(!ent_conf_parse(ent_buf_bytes(&text), &again, &err));
	ent_conf_print(&again, &second);
	ENT_ASSERT(ent_bytes_eq(ent_buf_bytes(&text), ent_buf_bytes(&second)));
	return 0;
}
