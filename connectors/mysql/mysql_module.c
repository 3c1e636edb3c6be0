/* The connector's table of functions. */
#include <stdio.h>
#include <stdlib.h>

#include "my_changes.h"
#include "my_sink.h"

#define EXPORT __attribute__((visibility("default")))

static void source_close(struct ent_source *s)
{
	if (!s)
		return;
	ent_my_closep(&s->con);
	ent_address_wipe(&s->at.server);
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
	ENT_TRY(ent_my_address_parse(url, options, n_options, &s->at, &s->writes, err));
	ENT_TRY(ent_my_ready(s, err));
	*ret = s;
	s = NULL;
	return 0;
}

static int source_describe(struct ent_source *s, const char *object, struct ArrowSchema *ret_schema, struct ent_object *ret_object,
			   struct ent_err *err)
{
	ENT_MY_TABLE_AUTO t = { 0 };
	struct ent_object o = { .size = sizeof o, .rows = -1 };
	ENT_TRY(ent_my_ready(s, err));
	ENT_TRY(ent_my_cancelled(s, err));
	ENT_TRY(ent_my_table_read(s->con, s, object, &t, err));
	snprintf(o.relation, sizeof o.relation, "%s", t.relation);
	ENT_TRY(ent_my_table_schema(&t, NULL, 0, false, ret_schema, err));
	*ret_object = o;
	return 0;
}

EXPORT const struct ent_connector *ent_connector_entry(void);
const struct ent_connector *ent_connector_entry(void)
{
	static const struct ent_connector connector = { .size = sizeof connector,
							.abi = ENT_CONNECTOR_ABI,
							.name = "mysql",
							.schemes = "mysql mariadb",
							.suffixes = "",
							.dialect = "mysql",
							.capabilities = ENT_CAP_SNAPSHOT | ENT_CAP_SPLIT | ENT_CAP_TXN_SINK | ENT_CAP_UPSERT |
									ENT_CAP_WRITE | ENT_CAP_TWO_PHASE | ENT_CAP_PARALLEL | ENT_CAP_CDC,
							.open = source_open,
							.close = source_close,
							.describe = source_describe,
							.scan = ent_my_scan,
							.plan = ent_my_plan,
							.read = ent_my_read,
							.map = ent_my_map,
							.sink_open = ent_my_sink_open,
							.sink_table = ent_my_sink_table,
							.sink_rows = ent_my_sink_rows,
							.sink_changes = ent_my_sink_changes,
							.sink_truncate = ent_my_sink_truncate,
							.sink_commit = ent_my_sink_commit,
							.sink_rollback = ent_my_sink_rollback,
							.sink_last = ent_my_sink_last,
							.sink_finish = ent_my_sink_finish,
							.sink_close = ent_my_sink_close,
							.sink_prepare = ent_my_sink_prepare,
							.settle = ent_my_settle,
							.in_doubt = ent_my_in_doubt,
							.sink_undo = ent_my_sink_undo,
							.sink_alter = ent_my_sink_alter,
							.changes_open = ent_my_changes_open,
							.changes_next = ent_my_changes_next,
							.changes_ack = ent_my_changes_ack,
							.changes_close = ent_my_changes_close,
							.changes_drop = ent_my_changes_drop,
							.position = ent_my_position,
							.position_reached = ent_my_position_reached };
	return &connector;
}
