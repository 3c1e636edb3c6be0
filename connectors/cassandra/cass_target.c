/* Tables of a sink: how columns land, keyspaces and tables that are made, what an existing table must have. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "arrow/sink.h"
#include "cass.h"

#define AGREE_MS 10000

static void call_endp(struct ent_cass_call **c) { ent_cass_end(*c); }

/* --- keyspaces --- */

/* Rows of a query of the catalogue that have text cell 0 equal to want; want NULL counts all. */
static int count_rows(struct ent_source *s, const char *sql, const char *bind, const char *want, size_t *ret, struct ent_err *err)
{
	ENT_CLEANUP(call_endp) struct ent_cass_call *c = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf values = ENT_BUF(1000);
	struct ent_cql_event e;
	struct ent_bytes cell;
	if (bind)
		ent_cql_put_text(&values, bind);
	struct ent_cass_run run = {
		.text = sql, .values = ent_buf_bytes(&values), .n_values = bind != NULL, .what = "the cluster cannot be described"
	};
	*ret = 0;
	ENT_TRY(ent_cass_run(s, &run, &c, &e, err));
	for (uint32_t i = 0; e.kind == ENT_CQL_IS_ROWS && e.out.n_columns == 1 && i < e.n_rows; i++) {
		ENT_TRY(ent_cql_cell(&e.cells, &cell, err));
		*ret += !want || ent_bytes_eq(cell, ent_bytes_str(want));
	}
	return 0;
}

static bool word(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("_.-", s[i]))
			return false;
	return len > 0;
}

/* "class=NetworkTopologyStrategy,replication_factor=3" as a map of CQL. */
static int replication_put(const char *text, struct ent_buf *out, struct ent_err *err)
{
	bool class = false;
	const char *sep = "";
	for (const char *at = text + strspn(text, ", "); *at; at += strspn(at, ", ")) {
		size_t n = strcspn(at, ", "), k = strcspn(at, "=");
		if (k >= n || !word(at, k) || !word(at + k + 1, n - k - 1)) {
			ent_fail(err, ENT_EUSAGE, "--keyspace-options is not understood");
			return ent_next(err, "say class=NetworkTopologyStrategy,replication_factor=3 or class=SimpleStrategy,replication_factor=1"),
			       ENT_EUSAGE;
		}
		class = class || (k == 5 && !memcmp(at, "class", 5));
		ent_buf_printf(out, "%s'%.*s': '%.*s'", sep, (int)k, at, (int)(n - k - 1), at + k + 1);
		sep = ", ";
		at += n;
	}
	ent_buf_printf(out, "%s", class ? "" : sep[0] ? ", 'class': 'NetworkTopologyStrategy'" : "'class': 'NetworkTopologyStrategy'");
	return 0;
}

/* Until every node knows the change, or a while has passed (a node that is down never will). */
static int schema_agree(struct ent_source *s, struct ent_err *err)
{
	uint64_t begin = ent_dial_now_ms();
	for (size_t same = 0, all = 1; same < all && ent_dial_now_ms() - begin < AGREE_MS;) {
		ENT_CLEANUP(call_endp) struct ent_cass_call *local = NULL, *peers = NULL;
		struct ent_cql_event mine, theirs;
		struct ent_bytes own, other;
		struct ent_cass_run run = { .text = "SELECT schema_version FROM system.local", .what = "the cluster cannot be described" };
		ENT_TRY(ent_cass_run(s, &run, &local, &mine, err));
		run.text = "SELECT schema_version FROM system.peers_v2";
		ENT_TRY(ent_cass_run(s, &run, &peers, &theirs, err));
		if (mine.kind != ENT_CQL_IS_ROWS || theirs.kind != ENT_CQL_IS_ROWS || mine.n_rows != 1)
			return ent_fail(err, ENT_EPEER, "Cassandra does not describe itself");
		ENT_TRY(ent_cql_cell(&mine.cells, &own, err));
		all = theirs.n_rows;
		same = 0;
		for (size_t i = 0; i < all; i++) {
			ENT_TRY(ent_cql_cell(&theirs.cells, &other, err));
			same += ent_bytes_eq(own, other);
		}
		if (same < all)
			usleep(100000);
	}
	return 0;
}

int ent_cass_change(struct ent_source *s, const struct ent_buf *sql, const char *what, struct ent_err *err)
{
	ENT_TRY(ent_buf_check(sql, err));
	ENT_TRY(ent_cass_do(s, ent_buf_text(sql), what, err));
	return schema_agree(s, err);
}

/* Without --keyspace-options: three copies in this node's data centre, or as many as it has nodes. */
int ent_cass_keyspace_make(struct ent_source *s, const char *keyspace, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(4096);
	size_t there, nodes;
	ENT_TRY(count_rows(s, "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?", keyspace, NULL, &there, err));
	if (there)
		return 0;
	ent_buf_str(&sql, "CREATE KEYSPACE IF NOT EXISTS ");
	ent_cass_name(&sql, keyspace);
	ent_buf_str(&sql, " WITH replication = {");
	if (s->settings.replication[0]) {
		ENT_TRY(replication_put(s->settings.replication, &sql, err));
	} else {
		ENT_TRY(count_rows(s, "SELECT data_center FROM system.peers_v2", NULL, s->datacenter, &nodes, err));
		ent_buf_printf(&sql, "'class': 'NetworkTopologyStrategy', '%s': '%zu'", s->datacenter, nodes + 1 < 3 ? nodes + 1 : 3);
	}
	ent_buf_str(&sql, "}");
	return ent_cass_change(s, &sql, "the keyspace cannot be made", err);
}

/* --- columns --- */

static void line_make(const struct ent_field_info *f, const struct ent_cass_table *t, struct ent_map_line *ret)
{
	struct ent_cass_type to;
	const struct ent_cass_field *there = t ? ent_cass_field_find(t, f->name) : NULL;
	*ret = (struct ent_map_line){ .size = sizeof *ret };
	if (t && !there) {
		ret->verdict = ENT_MAP_REFUSED;
		snprintf(ret->why, sizeof ret->why, "the table has no such column");
		return;
	}
	if (there)
		snprintf(ret->native, sizeof ret->native, "%s", there->native);
	else
		ent_cass_type_for(f->type, f->native, ret->native);
	ent_cass_type_of(ret->native, &to);
	ret->verdict = ent_cass_fit(f->type, f->native, to.kind, ret->why);
}

/* The table when it is there; *ret NULL when not. */
static int table_look(struct ent_source *s, const char *object, struct ent_cass_table **ret, struct ent_err *err)
{
	struct ent_err probe = ENT_ERR_INIT; /* a table that is not there is no failure, so err stays clean */
	*ret = NULL;
	ent_cass_tables_forget(s); /* it may have been made or changed since */
	int code = ent_cass_table_get(s, object, ret, &probe);
	if (code == ENT_ENOTFOUND)
		return 0;
	if (code && err)
		*err = probe;
	return code;
}

int ent_cass_map(struct ent_source *s, const struct ent_target *target, struct ent_map_line *lines, int *ret_exists, struct ent_err *err)
{
	struct ent_cass_table *t;
	ENT_TRY(ent_schema_check(target->schema, err));
	ENT_TRY(table_look(s, target->object, &t, err));
	for (size_t i = 0; i < (size_t)target->schema->n_children; i++) {
		struct ent_field_info f;
		ent_schema_field(target->schema, i, &f);
		line_make(&f, t, &lines[i]);
	}
	*ret_exists = t != NULL;
	return 0;
}

/* --- keys --- */

static int no_key(const struct ent_target *target, struct ent_err *err)
{
	ent_fail(err, ENT_EUSAGE, "the rows of %.200s have no key, and every table of Cassandra has one", target->object);
	return ent_next(err, "name the columns that tell rows apart with --key A,B: the first one spreads the rows over the nodes"), ENT_EUSAGE;
}

/* Every column of the table's key is written, and an upsert is by that key. */
static int keys_check(const struct ent_target *target, const struct ent_cass_table *t, const struct ent_sink_keys *keys, struct ent_err *err)
{
	for (size_t i = 0; i < t->n_keys; i++) {
		const char *name = t->fields[i].name;
		bool named = false;
		if (ent_schema_find(target->schema, name) < 0)
			return ent_fail(err, ENT_EUSAGE, "column %.200s of the key of %.200s is not among the columns copied", name, target->object);
		for (size_t k = 0; k < keys->n; k++)
			named = named || !strcmp(keys->names[k], name);
		if (target->mode == ENT_WRITE_UPSERT && (!named || keys->n != t->n_keys)) {
			ent_fail(err, ENT_EUSAGE, "Cassandra finds the rows of %.200s by its own key only", target->object);
			return ent_next(err, "name exactly its key columns with --key"), ENT_EUSAGE;
		}
	}
	return 0;
}

static int table_create(struct ent_source *s, const struct ent_target *target, const struct ent_sink_keys *keys, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)1 << 20);
	char keyspace[64], name[64];
	if (!keys->n)
		return no_key(target, err);
	ENT_TRY(ent_cass_object(s, target->object, keyspace, name, err));
	ENT_TRY(ent_cass_keyspace_make(s, keyspace, err));
	ent_buf_str(&sql, "CREATE TABLE IF NOT EXISTS ");
	ent_cass_name(&sql, keyspace);
	ent_buf_str(&sql, ".");
	ent_cass_name(&sql, name);
	for (size_t i = 0; i < (size_t)target->schema->n_children; i++) {
		struct ent_field_info f;
		struct ent_map_line line;
		ent_schema_field(target->schema, i, &f);
		line_make(&f, NULL, &line);
		ent_buf_str(&sql, i ? ", " : " (");
		ent_cass_name(&sql, f.name);
		ent_buf_printf(&sql, " %s", line.native);
	}
	for (size_t i = 0; i < keys->n; i++) {
		ent_buf_str(&sql, i ? ", " : ", PRIMARY KEY (");
		ent_cass_name(&sql, keys->names[i]);
	}
	ent_buf_str(&sql, "))");
	return ent_cass_change(s, &sql, "the table cannot be made", err);
}

int ent_cass_target_make(struct ent_source *s, const struct ent_target *target, struct ent_err *err)
{
	struct ent_sink_keys keys;
	ENT_TRY(ent_sink_keys_take(target, &keys, err));
	return table_create(s, target, &keys, err);
}

static int table_empty(struct ent_source *s, const struct ent_cass_table *t, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1000);
	ent_buf_str(&sql, "TRUNCATE ");
	ent_cass_relation(t, &sql);
	ENT_TRY(ent_buf_check(&sql, err));
	return ent_cass_do(s, ent_buf_text(&sql), "the table cannot be emptied", err);
}

int ent_cass_target_ready(struct ent_source *s, const struct ent_target *target, struct ent_cass_table **ret, bool *ret_fresh, struct ent_err *err)
{
	struct ent_cass_table *t;
	struct ent_sink_keys keys;
	ENT_TRY(ent_schema_check(target->schema, err));
	ENT_TRY(ent_sink_keys_take(target, &keys, err));
	ENT_TRY(table_look(s, target->object, &t, err));
	if (t && target->mode == ENT_WRITE_CREATE && !target->resume) {
		ent_fail(err, ENT_EUSAGE, "table %.200s is there already", target->object);
		return ent_next(err, "choose --mode append, replace or upsert"), ENT_EUSAGE;
	}
	*ret_fresh = !target->resume && (!t || target->mode == ENT_WRITE_REPLACE);
	if (t && target->mode == ENT_WRITE_REPLACE && !target->resume)
		ENT_TRY(table_empty(s, t, err));
	if (!t) {
		ENT_TRY(table_create(s, target, &keys, err));
		ENT_TRY(ent_cass_table_get(s, target->object, &t, err));
	}
	for (size_t i = 0; i < (size_t)target->schema->n_children; i++) {
		struct ent_field_info f;
		struct ent_map_line line;
		ent_schema_field(target->schema, i, &f);
		line_make(&f, t, &line);
		if (line.verdict == ENT_MAP_REFUSED)
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be written: %s", f.name, line.why);
	}
	ENT_TRY(keys_check(target, t, &keys, err));
	*ret = t;
	return 0;
}

int ent_cass_target_empty(struct ent_source *s, const char *object, struct ent_err *err)
{
	struct ent_cass_table *t;
	ENT_TRY(ent_cass_table_get(s, object, &t, err));
	return table_empty(s, t, err);
}

int ent_cass_target_add(struct ent_source *s, const char *object, const struct ent_field_info *f, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(4096);
	struct ent_cass_table *t;
	struct ent_map_line line;
	ENT_TRY(ent_cass_table_get(s, object, &t, err));
	line_make(f, NULL, &line);
	ent_buf_str(&sql, "ALTER TABLE ");
	ent_cass_relation(t, &sql);
	ent_buf_str(&sql, " ADD ");
	ent_cass_name(&sql, f->name);
	ent_buf_printf(&sql, " %s", line.native);
	ENT_TRY(ent_cass_change(s, &sql, "the column cannot be added", err));
	ent_cass_tables_forget(s);
	return 0;
}
