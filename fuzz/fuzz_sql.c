/* SQL text to a bound query, its canonical JSON and its SQL in both dialects. fuzz-deps: sql_dep */
#include <stdlib.h>

#include "../test/unit/sql/sql_catalogue.h"
#include "../test/unit/sql/sql_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *relation(void *arg, const struct ent_table *t)
{
	(void)arg;
	return t->name;
}

static void use(struct ent_arena *a, const struct ent_query *q)
{
	ENT_JSON_AUTO j = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 24);
	if (sql_broken(q) || ent_query_json(q, &j, NULL) || ent_json_canonical(j, &out, NULL))
		abort();
	for (int d = ENT_DIALECT_POSTGRESQL; d <= ENT_DIALECT_DUCKDB; d++) {
		struct ent_printed p;
		struct ent_err err = ENT_ERR_INIT;
		int code = ent_sql_print_query(a, q, (enum ent_dialect)d, relation, NULL, &p, &err);
		if (code == ENT_EINTERNAL)
			abort();
		if (!code)
			ent_buf_deinit(&p.text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_query *q = NULL;
	struct ent_arena *a = ent_arena_new(64 << 20);
	int code = ent_sql_bind(a, ent_bytes(data, size), &sql_catalogue, "hudson", &q, &err);
	if (!code)
		use(a, q);
	else if (!err.what[0] || code == ENT_EINTERNAL)
		abort();
	ent_arena_free(a);
	return 0;
}
