/* Rules of prepare, and their SQL for a table of three columns.
 * fuzz-deps: move_dep */
#include "move/rules_sql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print_all(const struct ent_rules_bound *b)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(ENT_RULES_SQL_MAX);
	size_t n;
	(void)ent_rules_sql_counts(b, &sql, &n, NULL);
	ENT_ASSERT(n <= b->n_params);
	(void)ent_rules_sql_rows(b, false, &sql, &n, NULL);
	for (size_t i = 0; i < b->n_steps; i++) {
		ent_buf_reset(&sql);
		(void)ent_rules_sql_samples(b, i, 3, &sql, &n, NULL);
		ENT_ASSERT(n <= b->n_params);
	}
	if (b->rules->near_column)
		(void)ent_rules_sql_near(b, &sql, &n, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ent_field fields[] = { { .name = "id", .type = { .id = ENT_T_INT64 } },
					    { .name = "name", .type = { .id = ENT_T_TEXT } },
					    { .name = "weight", .type = { .id = ENT_T_DOUBLE } } };
	ENT_CLEANUP(ent_arena_freep) struct ent_arena *arena = ent_arena_new((size_t)16 << 20);
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_err err = ENT_ERR_INIT;
	struct ent_rules rules;
	struct ent_rules_bound bound;
	if (!arena || ent_schema_new(fields, ENT_COUNT(fields), NULL, &schema, NULL))
		return 0;
	if (ent_rules_parse(ent_bytes(data, size), arena, &rules, &err)) {
		ENT_ASSERT(err.code && err.what[0]);
		return 0;
	}
	if (!ent_rules_bind(&rules, &schema, arena, &bound, &err))
		print_all(&bound);
	return 0;
}
