/* The connector's table of functions. */
#include <stdio.h>
#include <stdlib.h>

#include "cass.h"

#define EXPORT __attribute__((visibility("default")))

static void source_close(struct ent_source *s)
{
	if (!s)
		return;
	ent_cass_disconnect(s);
	ent_cass_tables_forget(s);
	while (s->prepared) {
		struct ent_cass_prepared *p = s->prepared;
		s->prepared = p->next;
		free(p->text);
		free(p);
	}
	for (size_t i = 0; i < ENT_CASS_CALLS; i++) {
		ent_buf_deinit(&s->calls[i].frame);
		ent_buf_deinit(&s->calls[i].reply);
	}
	ent_cass_settings_wipe(&s->settings);
	free(s);
}
static void source_closep(struct ent_source **s) { source_close(*s); }
static void call_endp(struct ent_cass_call **c) { ent_cass_end(*c); }

/* Tokens are only known for the partitioner that every cluster has unless somebody changed it. */
static int cluster_check(struct ent_source *s, struct ent_err *err)
{
	ENT_CLEANUP(call_endp) struct ent_cass_call *c = NULL;
	struct ent_cql_event e;
	struct ent_bytes cell[2];
	static const char known[] = "Murmur3Partitioner";
	struct ent_cass_run run = { .text = "SELECT partitioner, data_center FROM system.local", .what = "the cluster cannot be described" };
	ENT_TRY(ent_cass_run(s, &run, &c, &e, err));
	if (e.kind != ENT_CQL_IS_ROWS || e.n_rows != 1 || e.out.n_columns != 2)
		return ent_fail(err, ENT_EPEER, "Cassandra does not describe itself");
	for (size_t i = 0; i < 2; i++)
		ENT_TRY(ent_cql_cell(&e.cells, &cell[i], err));
	snprintf(s->datacenter, sizeof s->datacenter, "%.*s", (int)cell[1].len, cell[1].data ? (const char *)cell[1].data : "");
	if (memmem(cell[0].data, cell[0].len, known, sizeof known - 1))
		return 0;
	ent_fail(err, ENT_EUNSUPPORTED, "this Cassandra cluster divides its rows in a way that entente does not know");
	return ent_why(err, "its partitioner is not %s", known), ENT_EUNSUPPORTED;
}

static int source_open(const struct ent_host *host, const char *url, const struct ent_option *options, size_t n_options, struct ent_source **ret,
		       struct ent_err *err)
{
	ENT_CLEANUP(source_closep) struct ent_source *s = (struct ent_source *)calloc(1, sizeof *s);
	if (!s)
		return ent_nomem(err);
	s->host = *host;
	ENT_TRY(ent_cass_settings_make(url, options, n_options, &s->settings, err));
	ENT_TRY(ent_cass_connect(s, err));
	ENT_TRY(cluster_check(s, err));
	*ret = s;
	s = NULL;
	return 0;
}

static int source_describe(struct ent_source *s, const char *object, struct ArrowSchema *ret_schema, struct ent_object *ret_object,
			   struct ent_err *err)
{
	struct ent_cass_table *t;
	struct ent_object o = { .size = sizeof o, .rows = -1 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf relation = ENT_BUF(sizeof o.relation - 1);
	ENT_TRY(ent_cass_table_get(s, object, &t, err));
	ent_cass_relation(t, &relation);
	ENT_TRY(ent_buf_check(&relation, err));
	snprintf(o.relation, sizeof o.relation, "%s", ent_buf_text(&relation));
	ENT_TRY(ent_cass_table_schema(t, ret_schema, err));
	*ret_object = o;
	return 0;
}

static int source_scan(struct ent_source *s, const char *object, const char *const *columns, size_t n_columns, struct ArrowArrayStream *ret,
		       struct ent_err *err)
{
	return ent_cass_scan(s, object, &(struct ent_cass_scan){ .columns = columns, .n_columns = n_columns }, ret, err);
}

static int source_read(struct ent_source *s, const struct ent_read *what, struct ArrowArrayStream *ret, struct ent_err *err)
{
	if (what->flags)
		return ent_fail(err, ENT_EUNSUPPORTED, "Cassandra has no images of its rows");
	struct ent_cass_scan scan = {
		.columns = what->columns, .n_columns = what->n_columns, .where = what->where, .split = what->split, .copy = true
	};
	return ent_cass_scan(s, what->object, &scan, ret, err);
}

EXPORT const struct ent_connector *ent_connector_entry(void);
const struct ent_connector *ent_connector_entry(void)
{
	static const struct ent_connector connector = { .size = sizeof connector,
							.abi = ENT_CONNECTOR_ABI,
							.name = "cassandra",
							.schemes = "cassandra",
							.suffixes = "",
							.dialect = "cassandra",
							.capabilities = ENT_CAP_SNAPSHOT | ENT_CAP_SPLIT | ENT_CAP_UPSERT | ENT_CAP_WRITE |
									ENT_CAP_PARALLEL | ENT_CAP_POLL,
							.open = source_open,
							.close = source_close,
							.describe = source_describe,
							.scan = source_scan,
							.plan = ent_cass_plan,
							.read = source_read,
							.map = ent_cass_map,
							.sink_open = ent_cass_sink_open,
							.sink_table = ent_cass_sink_table,
							.sink_rows = ent_cass_sink_rows,
							.sink_changes = ent_cass_sink_changes,
							.sink_truncate = ent_cass_sink_truncate,
							.sink_commit = ent_cass_sink_commit,
							.sink_rollback = ent_cass_sink_rollback,
							.sink_last = ent_cass_sink_last,
							.sink_finish = ent_cass_sink_finish,
							.sink_close = ent_cass_sink_close,
							.sink_alter = ent_cass_sink_alter,
							.changes_open = ent_cass_changes_open,
							.changes_next = ent_cass_changes_next,
							.changes_ack = ent_cass_changes_ack,
							.changes_close = ent_cass_changes_close,
							.changes_drop = ent_cass_changes_drop,
							.position = ent_cass_position,
							.position_reached = ent_cass_position_reached };
	return &connector;
}
