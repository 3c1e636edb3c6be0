/* The connector's table of functions. */
#include <stdio.h>
#include <stdlib.h>

#include "mongo_changes.h"
#include "mongo_event.h"
#include "mongo_sink.h"

#define EXPORT __attribute__((visibility("default")))

static void source_close(struct ent_source *s)
{
	if (!s)
		return;
	ent_mongo_tables_forget(s);
	ent_buf_deinit(&s->declared);
	mongoc_client_destroy(s->client);
	mongoc_uri_destroy(s->uri);
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
	ENT_TRY(ent_mongo_connect(s, url, options, n_options, err));
	*ret = s;
	s = NULL;
	return 0;
}

static int source_describe(struct ent_source *s, const char *object, struct ArrowSchema *ret_schema, struct ent_object *ret_object,
			   struct ent_err *err)
{
	struct ent_mongo_table *t;
	struct ent_object o = { .size = sizeof o, .rows = -1 };
	ent_mongo_tables_forget(s); /* documents come and go: each description is a new sample */
	ENT_TRY(ent_mongo_table_get(s, object, &t, err));
	if (!t->there) {
		ent_mongo_tables_forget(s);
		return ent_fail(err, ENT_ENOTFOUND, "there is no collection %.200s", object);
	}
	ENT_TRY(ent_mongo_schema(&t->columns, false, ret_schema, err));
	snprintf(o.relation, sizeof o.relation, "%s.%s", t->db, t->name);
	*ret_object = o;
	return 0;
}

EXPORT const struct ent_connector *ent_connector_entry(void);
const struct ent_connector *ent_connector_entry(void)
{
	static const struct ent_connector connector = { .size = sizeof connector,
							.abi = ENT_CONNECTOR_ABI,
							.name = "mongodb",
							.schemes = "mongodb mongodb+srv",
							.suffixes = "",
							.dialect = "mongodb",
							.capabilities = ENT_CAP_SNAPSHOT | ENT_CAP_SPLIT | ENT_CAP_WIRE | ENT_CAP_WRITE |
									ENT_CAP_UPSERT | ENT_CAP_PARALLEL | ENT_CAP_CDC,
							.open = source_open,
							.close = source_close,
							.describe = source_describe,
							.scan = ent_mongo_scan,
							.plan = ent_mongo_plan,
							.read = ent_mongo_read,
							.map = ent_mongo_map,
							.sink_open = ent_mongo_sink_open,
							.sink_table = ent_mongo_sink_table,
							.sink_rows = ent_mongo_sink_rows,
							.sink_changes = ent_mongo_sink_changes,
							.sink_truncate = ent_mongo_sink_truncate,
							.sink_commit = ent_mongo_sink_commit,
							.sink_rollback = ent_mongo_sink_rollback,
							.sink_last = ent_mongo_sink_last,
							.sink_finish = ent_mongo_sink_finish,
							.sink_close = ent_mongo_sink_close,
							.sink_alter = ent_mongo_sink_alter,
							.changes_open = ent_mongo_changes_open,
							.changes_next = ent_mongo_changes_next,
							.changes_ack = ent_mongo_changes_ack,
							.changes_close = ent_mongo_changes_close,
							.changes_drop = ent_mongo_changes_drop,
							.position = ent_mongo_position,
							.position_reached = ent_mongo_cursor_reached };
	return &connector;
}
