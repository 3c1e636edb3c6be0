/* The engine: SQL over Arrow streams, in a sealed in-memory database. Rows are validated before they are appended. */
#include <stdlib.h>

#include "duck.h"
#include "duck_load.h"

#define EXPORT __attribute__((visibility("default")))

struct ent_session {
	struct ent_duck duck;
};

static void engine_close(struct ent_session *s)
{
	if (s)
		ent_duck_close(&s->duck);
	free(s);
}
static void engine_closep(struct ent_session **s) { engine_close(*s); }

static int engine_open(const struct ent_host *host, struct ent_session **ret, struct ent_err *err)
{
	ENT_CLEANUP(engine_closep) struct ent_session *s = (struct ent_session *)calloc(1, sizeof *s);
	if (!s)
		return ent_nomem(err);
	ENT_TRY(ent_duck_open(host, &s->duck, err));
	ENT_TRY(ent_duck_seal(&s->duck, NULL, err));
	*ret = s;
	s = NULL;
	return 0;
}

/* Also columns that only copies know. */
static int load_batches(struct ArrowArrayStream *rows, const struct ArrowSchema *schema, struct ent_duck_loader *l, struct ent_err *err)
{
	for (;;) {
		ENT_ARRAY_AUTO a = { 0 };
		ENT_BATCH_AUTO b = { 0 };
		ENT_TRY(ent_stream_next(rows, &a, err));
		if (!a.release)
			return ent_duck_loader_flush(l, err);
		ENT_TRY(ent_batch_open_copy(schema, &a, &b, err));
		ENT_TRY(ent_duck_loader_put(l, &b, err));
	}
}

static int rows_load(struct ent_session *s, const char *name, struct ArrowArrayStream *rows, struct ent_err *err)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_CLEANUP(ent_duck_loader_close) struct ent_duck_loader l = { 0 };
	ENT_TRY(ent_stream_schema(rows, &schema, err));
	ENT_TRY(ent_duck_table_create(&s->duck, name, &schema, NULL, false, err));
	ENT_TRY(ent_duck_loader_open(&s->duck, name, &schema, NULL, &l, err));
	return load_batches(rows, &schema, &l, err);
}

static int engine_load(struct ent_session *s, const char *name, struct ArrowArrayStream *rows, struct ent_err *err)
{
	int code = rows_load(s, name, rows, err);
	ent_stream_release(rows);
	return code;
}

static int engine_query(struct ent_session *s, const char *sql, const struct ent_param *params, size_t n_params, struct ArrowArrayStream *ret,
			struct ent_err *err)
{
	return ent_duck_stream(&s->duck, sql, params, n_params, ret, err);
}

EXPORT const struct ent_engine *ent_engine_entry(void);
const struct ent_engine *ent_engine_entry(void)
{
	static const struct ent_engine engine = { .size = sizeof engine,
						  .abi = ENT_ENGINE_ABI,
						  .name = "duckdb",
						  .dialect = "duckdb",
						  .open = engine_open,
						  .close = engine_close,
						  .load = engine_load,
						  .query = engine_query };
	return &engine;
}
