/* Grant texts and their JSON form are written by operators and by other nodes: whatever parses must print and parse back to the same grant.
 * fuzz-deps: policy_dep */
#include "policy/grant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct ent_arena *arena, const struct ent_grant *g)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf one = ENT_BUF(1u << 20);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf two = ENT_BUF(1u << 20);
	struct ent_statement *again;
	size_t n;
	ent_grant_print(g, &one);
	if (one.len > ENT_GRANT_TEXT_MAX || ent_grant_parse(arena, ent_buf_bytes(&one), NULL, &again, &n, NULL) == ENT_ENOMEM)
		return;
	ENT_ASSERT(n == 1);
	ent_grant_print(&again[0].grant, &two);
	ENT_ASSERT(ent_bytes_eq(ent_buf_bytes(&one), ent_buf_bytes(&two)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ENT_CLEANUP(ent_arena_freep) struct ent_arena *arena = ent_arena_new(8u << 20);
	ENT_JSON_AUTO value = NULL;
	struct ent_statement *list;
	struct ent_grant g;
	size_t n;
	if (!arena)
		return 0;
	if (!ent_grant_parse(arena, ent_bytes(data, size), NULL, &list, &n, NULL))
		for (size_t i = 0; i < n; i++)
			if (list[i].kind == ENT_STATEMENT_GRANT)
				check_text(arena, &list[i].grant);
	if (!ent_json_parse(ent_bytes(data, size), 1u << 16, &value, NULL) && !ent_grant_from_json(arena, value, &g, NULL))
		check_text(arena, &g);
	return 0;
}
