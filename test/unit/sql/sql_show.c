/* Binds one statement against the tests' catalogue and prints its canonical JSON or the error: the tool that writes goldens. */
#include <stdio.h>

#include "sql/query.h"
#include "sql_catalogue.h"

int main(int argc, char **argv)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_arena *a = ent_arena_new(64 << 20);
	struct ent_query *q = NULL;
	struct ent_buf out = ENT_BUF(1 << 24);
	json_t *j = NULL;
	int code = ent_sql_bind(a, ent_bytes_str(argc > 1 ? argv[1] : ""), &sql_catalogue, NULL, &q, &err);
	if (!code)
		code = ent_query_json(q, &j, &err);
	if (!code)
		code = ent_json_canonical(j, &out, &err);
	if (code)
		printf("%s | %s | %s | %s\n", ent_code_name(code), err.what, err.why, err.next);
	else
		printf("%s\n", ent_buf_text(&out));
	json_decref(j);
	ent_buf_deinit(&out);
	ent_arena_free(a);
	return 0;
}
