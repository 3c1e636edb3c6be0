/* Following Cassandra by polling: what a pass gives and what it leaves out, the overlap, collections, rows of keys only, new columns, cursors that
 * are lost. */
#include <stdlib.h>

#include "cassandra_case.h"

#define POLL "&poll=1&overlap=2"
#define OVERLAP_US 2000000

struct poll {
	const struct ent_connector *c;
	struct ent_source *src;
	struct ent_changes *changes;
	struct ArrowSchema schema[2];
	char cursor[400];
	struct ent_buf log;
	size_t schemas, portions, idle;
};

static void rows_log(struct poll *p, const struct ent_event *v)
{
	ENT_BATCH_AUTO b = { 0 };
	struct ent_err e = ENT_ERR_INIT;
	if (!OK(!ent_batch_open_copy(&p->schema[v->table], &v->array, &b, &e), "changed rows %s", e.what))
		return;
	for (size_t r = 0; r < b.rows; r++) {
		ent_value_put(&b.columns[0], r, &p->log);
		for (size_t i = 2; i < b.n_columns; i++) {
			ent_buf_str(&p->log, i > 2 ? "|" : " ");
			if (!ent_view_null(&b.columns[i], r))
				ent_value_put(&b.columns[i], r, &p->log);
		}
		ent_buf_str(&p->log, "\n");
	}
}

static int begin(struct poll *p, const char *url, const char *const *objects, size_t n, const char *cursor, struct ent_err *e)
{
	struct ent_host host = suite_host();
	struct ent_changes_spec spec = { .size = sizeof spec, .job = "suite", .objects = objects, .n_objects = n, .cursor = cursor };
	ent_buf_init(&p->log, (size_t)8 << 20);
	ENT_TRY(p->c->open(&host, url, NULL, 0, &p->src, e));
	return p->c->changes_open(p->src, &spec, &p->changes, e);
}

static void end(struct poll *p)
{
	p->c->changes_close(p->changes);
	p->c->close(p->src);
	for (size_t i = 0; i < 2; i++)
		ent_schema_release(&p->schema[i]);
	ent_buf_deinit(&p->log);
	*p = (struct poll){ .c = p->c };
}

/* One event; true at the end of a portion or pass. */
static bool take(struct poll *p, uint32_t wait_ms, struct ent_err *e)
{
	struct ent_event v = { .size = sizeof v };
	bool moved = false;
	if (!OK(!p->c->changes_next(p->changes, wait_ms, &v, e), "next %s %s", e->what, e->why))
		return true;
	if (v.kind == ENT_EVENT_SCHEMA) {
		p->schemas++;
		ent_schema_release(&p->schema[v.table]);
		p->schema[v.table] = ent_schema_take(&v.schema);
	} else if (v.kind == ENT_EVENT_ROWS) {
		rows_log(p, &v);
	} else if (v.kind == ENT_EVENT_IDLE) {
		p->idle++;
	} else {
		moved = p->c->position_reached(p->cursor, v.cursor) || !p->cursor[0];
		p->portions++;
		snprintf(p->cursor, sizeof p->cursor, "%s", v.cursor);
		OK(!p->c->changes_ack(p->changes, v.cursor, e), "acknowledged %s", e->what);
	}
	ent_array_release(&v.array);
	ent_schema_release(&v.schema);
	return moved;
}

/* Passes until one began after now. */
static void catch_up(struct poll *p, uint32_t wait_ms)
{
	struct ent_err e = ENT_ERR_INIT;
	char goal[400];
	struct ent_host host = suite_host();
	struct ent_source *other = NULL;
	ent_buf_reset(&p->log);
	p->portions = p->idle = 0;
	OK(!p->c->open(&host, cass_url(POLL), NULL, 0, &other, &e) && !p->c->position(other, goal, &e), "position %s", e.what);
	p->c->close(other);
	for (int i = 0; i < 20000 && !e.code && !p->c->position_reached(goal, p->cursor); i++)
		(void)take(p, wait_ms, &e);
	OK(p->c->position_reached(goal, p->cursor), "caught up");
}

static int line_order(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static void expect(struct poll *p, const char *want, const char *name)
{
	char *lines[100], *save = NULL;
	size_t n = 0;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf got = ENT_BUF(1 << 20);
	char *text = ent_strdup(ent_buf_text(&p->log));
	for (char *l = strtok_r(text, "\n", &save); l && n < ENT_COUNT(lines); l = strtok_r(NULL, "\n", &save))
		lines[n++] = l;
	qsort(lines, n, sizeof *lines, line_order);
	for (size_t i = 0; i < n; i++)
		ent_buf_printf(&got, "%s%s", i ? ";" : "", lines[i]);
	OK_STR(ent_buf_text(&got), want, "%s", name);
	free(text);
}

static void passes(struct poll *p, struct cql_client *client)
{
	struct ent_err e = ENT_ERR_INIT;
	cql_run(client, "INSERT INTO k.poll (id, t, n) VALUES (1, 'one', 10)");
	cql_run(client, "INSERT INTO k.poll (id) VALUES (2)");
	cql_run(client, "INSERT INTO k.pairs (a, b) VALUES (7, 8)");
	OK(take(p, 1000, &e) && p->cursor[0], "where it begins is told first");
	catch_up(p, 250);
	expect(p, "U 1||10|one;U 2|||;U 7|8", "rows with values, without, and of keys only");
	OK_INT(p->schemas, 2, "the columns of both tables were told");
	catch_up(p, 250);
	expect(p, "", "none comes twice, though the overlap meets them again");
	cql_run(client, "UPDATE k.poll SET n = 11 WHERE id = 1");
	cql_run(client, "UPDATE k.poll SET l = [1, 2] WHERE id = 2");
	catch_up(p, 250);
	expect(p, "U 1||11|one;U 2|[1, 2]||", "updates as whole rows");
	cql_run(client, "UPDATE k.poll SET l = l + [3] WHERE id = 2");
	catch_up(p, 250);
	expect(p, "U 2|[1, 2, 3]||", "one element of a list");
	cql_run(client, "DELETE FROM k.poll WHERE id = 1");
	catch_up(p, 250);
	expect(p, "", "a delete is not seen");
}

static void clocks(struct poll *p, struct cql_client *client)
{
	struct ent_err e = ENT_ERR_INIT;
	char sql[200];
	long long last = strtoll(strrchr(p->cursor, '/') + 1, NULL, 10);
	snprintf(sql, sizeof sql, "INSERT INTO k.poll (id, t) VALUES (3, 'late') USING TIMESTAMP %lld", last - OVERLAP_US / 2);
	cql_run(client, sql);
	snprintf(sql, sizeof sql, "INSERT INTO k.poll (id, t) VALUES (4, 'too late') USING TIMESTAMP %lld", last - 10 * OVERLAP_US);
	cql_run(client, sql);
	(void)take(p, 0, &e);
	catch_up(p, 250);
	expect(p, "U 3|||late", "a clock that is behind by less than the overlap");
}

static void columns(struct poll *p, struct cql_client *client)
{
	cql_run(client, "ALTER TABLE k.poll ADD more text");
	cql_run(client, "INSERT INTO k.poll (id, t, more) VALUES (5, 'five', 'new')");
	catch_up(p, 250);
	OK_INT(p->schemas, 3, "a new column is told");
	expect(p, "U 5||new||five", "and filled");
}

static void resumed(struct poll *p, struct cql_client *client, const char *const *objects)
{
	struct ent_err e = ENT_ERR_INIT;
	char before[400];
	snprintf(before, sizeof before, "%s", p->cursor);
	end(p);
	cql_run(client, "INSERT INTO k.poll (id, n) VALUES (6, 60)");
	OK(!begin(p, cass_url(POLL), objects, 2, before, &e), "goes on from a cursor %s %s", e.what, e.why);
	snprintf(p->cursor, sizeof p->cursor, "%s", before);
	catch_up(p, 250);
	OK(strstr(ent_buf_text(&p->log), "U 6|||60|"), "what came meanwhile: %s", ent_buf_text(&p->log));
	OK(strstr(ent_buf_text(&p->log), "U 7|8\n"), "rows of keys only come again");
}

static int opened(const struct ent_connector *c, const char *const *objects, const char *cursor, struct ent_err *e)
{
	struct poll p = { .c = c };
	int code = begin(&p, cass_url(POLL), objects, 2, cursor, e);
	end(&p);
	return code;
}

static void lost(const struct ent_connector *c, struct cql_client *client, const char *const *objects, const char *cursor)
{
	struct ent_err e = ENT_ERR_INIT;
	char other[400];
	OK_INT(opened(c, objects, "7/8/9", &e), ENT_EDATA, "no cursor: %s", e.what);
	snprintf(other, sizeof other, "poll/0000000000000001%s", cursor + 21);
	OK_INT(opened(c, objects, other, &e), ENT_EDATA, "another cluster: %s", e.why);
	OK(strstr(e.why, "another cluster"), "by name");
	snprintf(other, sizeof other, "%.*s/%lld", (int)(strrchr(cursor, '/') - cursor), cursor, 4000000000000000ll);
	OK_INT(opened(c, objects, other, &e), ENT_EDATA, "a cursor of the future: %s", e.why);
	OK(strstr(e.why, "clock"), "by name");
	cql_run(client, "DROP TABLE k.pairs");
	cql_run(client, "CREATE TABLE k.pairs (a int, b int, PRIMARY KEY (a, b))");
	OK_INT(opened(c, objects, cursor, &e), ENT_EDATA, "a table made anew: %s", e.why);
	OK(strstr(e.why, "made anew"), "by name");
	cql_run(client, "DROP TABLE k.pairs");
	OK_INT(opened(c, objects, cursor, &e), ENT_ENOTFOUND, "a table that is gone: %s", e.what);
}

/* A table of many rows written before: nothing comes, and no call waits for the whole pass. */
static void patience(const struct ent_connector *c, struct cql_client *client)
{
	struct ent_err e = ENT_ERR_INIT;
	struct poll p = { .c = c };
	const char *const object = "k.pages";
	cql_run(client, "UPDATE k.pages SET t = 'first' WHERE id = 17");
	OK(!begin(&p, cass_url(POLL), &object, 1, NULL, &e), "follows %s", e.what);
	catch_up(&p, 1);
	OK(strstr(ent_buf_text(&p.log), "U 17|first\n"), "written shortly before it began");
	OK(p.idle > 0, "a pass gives the time back %zu times", p.idle);
	for (int i = 0; i < 3; i++)
		catch_up(&p, 500);
	expect(&p, "", "three thousand rows at rest");
	end(&p);
}

void cass_poll_run(const struct ent_connector *c, struct cql_client *client)
{
	static const char *const objects[] = { "k.poll", "k.pairs" };
	struct ent_err e = ENT_ERR_INIT;
	struct poll p = { .c = c };
	char cursor[400];
	OK((c->capabilities & (ENT_CAP_POLL | ENT_CAP_CDC)) == ENT_CAP_POLL, "labelled as polling, never as change data capture");
	cql_run(client, "CREATE TABLE k.poll (id int PRIMARY KEY, t text, n int, l list<int>)");
	cql_run(client, "CREATE TABLE k.pairs (a int, b int, PRIMARY KEY (a, b))");
	if (OK(!begin(&p, cass_url(POLL), objects, 2, NULL, &e), "follows %s %s", e.what, e.why)) {
		passes(&p, client);
		clocks(&p, client);
		columns(&p, client);
		resumed(&p, client, objects);
	}
	snprintf(cursor, sizeof cursor, "%s", p.cursor);
	OK(!c->changes_drop(p.src, "suite", &e), "dropped: nothing was kept");
	end(&p);
	lost(c, client, objects, cursor);
	patience(c, client);
}
