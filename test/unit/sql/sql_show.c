/* Binds one statement against the tests' catalogue and prints its canonical JSON, its SQL for both dialects, or the error: the tool that
 * writes goldens. */
#include <stdio.h>

#include "sql/query.h"
#include "sql_catalogue.h"

static const char *relation(void *arg, const struct ent_table *t)
{
	(void)arg;
	return t->name;
}

static int show(const struct ent_query *q, struct ent_arena *a, struct ent_err *err)
{
	ENT_JSON_AUTO j = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 24);
	ENT_TRY(ent_query_json(q, &j, err));
	ENT_TRY(ent_json_canonical(j, &out, err));
	printf("%s\n", ent_buf_text(&out));
	for (int d = ENT_DIALECT_POSTGRESQL; d <= ENT_DIALECT_DUCKDB; d++) {
		struct ent_printed printed;
		ENT_TRY(ent_sql_print_query(a, q, (enum ent_dialect)d, relation, NULL, &printed, err));
		printf("%s\n", ent_buf_text(&printed.text));
		ent_buf_deinit(&printed.text);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_arena *a = ent_arena_new(64 << 20);
	struct ent_query *q = NULL;
	int code = ent_sql_bind(a, ent_bytes_str(argc > 1 ? argv[1] : ""), &sql_catalogue, NULL, &q, &err);
	if (!code)
		code = show(q, a, &err);
	if (code)
		printf("%s | %s | %s | %s\n", ent_code_name(code), err.what, err.why, err.next);
	ent_arena_free(a);
	return code != 0;
}
