/* The connector's table of functions. */
#include <stdio.h>
#include <stdlib.h>

#include "pg_changes.h"
#include "pg_sink.h"

#define EXPORT __attribute__((visibility("default")))

static void source_close(struct ent_source *s)
{
	if (!s)
		return;
	ent_pg_tables_free(s);
	PQfinish(s->con);
	free(s);
}
static void source_closep(struct ent_source **s) { source_close(*s); }

static int source_open(const struct ent_host *host, const char *url, const struct ent_option *options, size_t n_options, struct ent_source **ret,
		       struct ent_err *err)
{
	ENT_CLEANUP(source_closep) struct ent_source *s = (struct ent_source *)calloc(1, sizeof *s);
	if (!s)
		return ent_nomem(err);
	s->host = *host;
	ENT_TRY(ent_pg_connect(s, url, options, n_options, err));
	*ret = s;
	s = NULL;
	return 0;
}

static int source_describe(struct ent_source *s, const char *object, struct ArrowSchema *ret_schema, struct ent_object *ret_object,
			   struct ent_err *err)
{
	struct ent_pg_table *t;
	struct ent_object o = { .size = sizeof o, .rows = -1 };
	ENT_TRY(ent_pg_table_get(s, object, &t, err));
	snprintf(o.relation, sizeof o.relation, "%s", t->relation);
	ENT_TRY(ent_schema_dup(&t->schema, ret_schema, err));
	*ret_object = o;
	return 0;
}

static int source_scan(struct ent_source *s, const char *object, const char *const *columns, size_t n_columns, struct ArrowArrayStream *ret,
		       struct ent_err *err)
{
	struct ent_pg_table *t;
	ENT_TRY(ent_pg_table_get(s, object, &t, err));
	return ent_pg_scan(s, t, columns, n_columns, ret, err);
}

static int source_query(struct ent_source *s, const char *object, const char *sql, const struct ent_param *params, size_t n_params,
			struct ArrowArrayStream *ret, struct ent_err *err)
{
	struct ent_pg_table *t;
	ENT_TRY(ent_pg_table_get(s, object, &t, err));
	return ent_pg_query(s, sql, params, n_params, ret, err);
}

EXPORT const struct ent_connector *ent_connector_entry(void);
const struct ent_connector *ent_connector_entry(void)
{
	static const struct ent_connector connector = { .size = sizeof connector,
							.abi = ENT_CONNECTOR_ABI,
							.name = "postgresql",
							.schemes = "postgresql postgres",
							.suffixes = "",
							.dialect = "postgresql",
							.capabilities = ENT_CAP_SNAPSHOT | ENT_CAP_SQL | ENT_CAP_SPLIT | ENT_CAP_CHECKSUM |
									ENT_CAP_WIRE | ENT_CAP_WRITE | ENT_CAP_TXN_SINK | ENT_CAP_UPSERT |
									ENT_CAP_TWO_PHASE | ENT_CAP_CDC | ENT_CAP_PARALLEL,
							.open = source_open,
							.close = source_close,
							.describe = source_describe,
							.scan = source_scan,
							.query = source_query,
							.plan = ent_pg_plan,
							.read = ent_pg_read,
							.snapshot = ent_pg_snapshot,
							.checksum = ent_pg_checksum,
							.map = ent_pg_map,
							.sink_open = ent_pg_sink_open,
							.sink_table = ent_pg_sink_table,
							.sink_rows = ent_pg_sink_rows,
							.sink_changes = ent_pg_sink_changes,
							.sink_truncate = ent_pg_sink_truncate,
							.sink_commit = ent_pg_sink_commit,
							.sink_rollback = ent_pg_sink_rollback,
							.sink_last = ent_pg_sink_last,
							.sink_finish = ent_pg_sink_finish,
							.sink_close = ent_pg_sink_close,
							.sink_prepare = ent_pg_sink_prepare,
							.settle = ent_pg_settle,
							.in_doubt = ent_pg_in_doubt,
							.two_phase = ent_pg_two_phase,
							.sink_undo = ent_pg_sink_undo,
							.sink_alter = ent_pg_sink_alter,
							.changes_open = ent_pg_changes_open,
							.changes_next = ent_pg_changes_next,
							.changes_ack = ent_pg_changes_ack,
							.changes_close = ent_pg_changes_close,
							.changes_drop = ent_pg_changes_drop,
							.position = ent_pg_position,
							.position_reached = ent_pg_position_reached };
	return &connector;
}
