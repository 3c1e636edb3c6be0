/* What a peer registered about a table.
 * fuzz-deps: node_dep joint_dep policy_dep */
#include "node/catalogue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ENT_CLEANUP(ent_arena_freep) struct ent_arena *arena = ent_arena_new(4 << 20);
	ENT_JSON_AUTO body = NULL;
	static const uint8_t sha[32];
	struct ent_table t;
	struct ent_err err = ENT_ERR_INIT;
	if (!arena || ent_json_parse(ent_bytes(data, size), 1 << 16, &body, &err) || ent_table_parse(arena, "hudson", body, sha, &t, &err))
		return 0;
	json_decref(ent_table_json(&t));
	return 0;
}
