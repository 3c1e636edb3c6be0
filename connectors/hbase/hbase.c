/* The connector's table of functions. */
#include <stdio.h>
#include <stdlib.h>

#include "hb.h"

#define EXPORT __attribute__((visibility("default")))

static void source_close(struct ent_source *s)
{
	if (!s)
		return;
	ent_hb_disconnect(s);
	ent_hb_tables_forget(s);
	ent_buf_deinit(&s->request);
	ent_buf_deinit(&s->reply);
	free(s);
}
static void source_closep(struct ent_source **s) { source_close(*s); }

/* Thrift1 speaks the same protocol and knows other calls. */
static int service_check(struct ent_source *s, struct ent_err *err)
{
	struct ent_hb_answer a;
	int32_t kind = 0;
	(void)ent_hb_ask(s, "getThriftServerType");
	int code = ent_hb_send(s, false, err);
	code = code ? code : ent_hb_wait(s, "this server is not HBase's Thrift2 server", &a, err);
	if (code == ENT_EIO)
		ent_next(err, "entente needs a Thrift2 server with frames: hbase thrift2 start -f");
	ENT_TRY(code);
	ENT_TRY(ent_hb_answer_i32(&a, &kind, err));
	if (kind == 2)
		return 0;
	ent_fail(err, ENT_EUNSUPPORTED, "this is HBase's older Thrift server");
	return ent_next(err, "start the other one beside it: hbase thrift2 start -f"), ENT_EUNSUPPORTED;
}

static int source_open(const struct ent_host *host, const char *url, const struct ent_option *options, size_t n_options, struct ent_source **ret,
		       struct ent_err *err)
{
	ENT_CLEANUP(source_closep) struct ent_source *s = (struct ent_source *)calloc(1, sizeof *s);
	if (!s)
		return ent_nomem(err);
	s->host = *host;
	ENT_TRY(ent_hb_settings_make(url, options, n_options, &s->settings, err));
	ENT_TRY(ent_hb_connect(s, err));
	ENT_TRY(service_check(s, err));
	*ret = s;
	s = NULL;
	return 0;
}

static int source_describe(struct ent_source *s, const char *object, struct ArrowSchema *ret_schema, struct ent_object *ret_object,
			   struct ent_err *err)
{
	struct ent_hb_table *t;
	struct ent_object o = { .size = sizeof o, .rows = -1 };
	ENT_TRY(ent_hb_table_get(s, object, &t, err));
	snprintf(o.relation, sizeof o.relation, "%s", t->full);
	ENT_TRY(ent_hb_table_schema(t, ret_schema, err));
	*ret_object = o;
	return 0;
}

static int source_scan(struct ent_source *s, const char *object, const char *const *columns, size_t n_columns, struct ArrowArrayStream *ret,
		       struct ent_err *err)
{
	return ent_hb_scan(s, object, &(struct ent_hb_scan){ .columns = columns, .n_columns = n_columns }, ret, err);
}

static int source_read(struct ent_source *s, const struct ent_read *what, struct ArrowArrayStream *ret, struct ent_err *err)
{
	if (what->flags)
		return ent_fail(err, ENT_EUNSUPPORTED, "HBase has no images of its rows");
	struct ent_hb_scan scan = {
		.columns = what->columns, .n_columns = what->n_columns, .where = what->where, .split = what->split, .copy = true
	};
	return ent_hb_scan(s, what->object, &scan, ret, err);
}

EXPORT const struct ent_connector *ent_connector_entry(void);
const struct ent_connector *ent_connector_entry(void)
{
	static const struct ent_connector connector = { .size = sizeof connector,
							.abi = ENT_CONNECTOR_ABI,
							.name = "hbase",
							.schemes = "hbase",
							.suffixes = "",
							.dialect = "hbase",
							.capabilities = ENT_CAP_SNAPSHOT | ENT_CAP_SPLIT | ENT_CAP_UPSERT | ENT_CAP_WRITE |
									ENT_CAP_PARALLEL | ENT_CAP_POLL,
							.open = source_open,
							.close = source_close,
							.describe = source_describe,
							.scan = source_scan,
							.plan = ent_hb_plan,
							.read = source_read,
							.map = ent_hb_map,
							.sink_open = ent_hb_sink_open,
							.sink_table = ent_hb_sink_table,
							.sink_rows = ent_hb_sink_rows,
							.sink_changes = ent_hb_sink_changes,
							.sink_truncate = ent_hb_sink_truncate,
							.sink_commit = ent_hb_sink_commit,
							.sink_rollback = ent_hb_sink_rollback,
							.sink_last = ent_hb_sink_last,
							.sink_finish = ent_hb_sink_finish,
							.sink_close = ent_hb_sink_close,
							.sink_alter = ent_hb_sink_alter,
							.changes_open = ent_hb_changes_open,
							.changes_next = ent_hb_changes_next,
							.changes_ack = ent_hb_changes_ack,
							.changes_close = ent_hb_changes_close,
							.changes_drop = ent_hb_changes_drop,
							.position = ent_hb_position,
							.position_reached = ent_hb_position_reached };
	return &connector;
}
