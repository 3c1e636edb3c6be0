/* Changes into a table of DuckDB: random ones against a model, rows in part, columns that come and widen, columns of the target's own.
 * usage: test_duckdb_changes MODULE [SEED] */
#include <duckdb.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "arrow/sink.h"
#include "copy_kit.h"

#define KEYS 12
#define BATCH 40

static char folder[300], path[400], url[450];
static struct suite_copy store;
static const struct ent_option options[] = { { "access", "write" } };

static uint64_t state; /* of the random numbers */

static int dice(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (int)(state >> 33);
}

static void run(const char *sql)
{
	duckdb_database db = NULL;
	duckdb_connection con = NULL;
	duckdb_result r = { 0 };
	bool ok = duckdb_open(path, &db) == DuckDBSuccess && duckdb_connect(db, &con) == DuckDBSuccess;
	ok = ok && duckdb_query(con, sql, &r) == DuckDBSuccess;
	if (!ok)
		OK(0, "%s: %s", sql, duckdb_result_error(&r));
	duckdb_destroy_result(&r);
	duckdb_disconnect(&con);
	duckdb_close(&db);
}

static const struct ent_field fields[] = { { .name = "entente.op", .type = { ENT_T_TEXT, 0, 0 } },
					   { .name = "entente.unchanged", .type = { ENT_T_TEXT, 0, 0 }, .nullable = true },
					   { .name = "id", .type = { ENT_T_INT64, 0, 0 } },
					   { .name = "v", .type = { ENT_T_TEXT, 0, 0 }, .nullable = true },
					   { .name = "n", .type = { ENT_T_INT32, 0, 0 }, .nullable = true },
					   { .name = "more", .type = { ENT_T_DOUBLE, 0, 0 }, .nullable = true } };

struct change {
	char op;
	const char *unchanged; /* NULL, "v", "n" or "v\tn" */
	int id;
	char v[20];
	int n; /* negative: NULL */
};

static bool leaves(const struct change *c, const char *name) { return c->unchanged && ent_sink_listed(ent_bytes_str(c->unchanged), name); }

static int event_make(const struct change *all, size_t count, struct ArrowSchema *schema, struct ArrowArray *rows)
{
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	ENT_TRY(ent_schema_new(fields, 5, NULL, schema, NULL));
	ENT_TRY(ent_builder_new(schema, 0, &b, NULL));
	for (size_t i = 0; i < count; i++) {
		const struct change *c = &all[i];
		bool values = c->op != 'D';
		ENT_TRY(ent_builder_text(b, 0, ent_bytes(&c->op, 1), NULL));
		ENT_TRY(c->unchanged ? ent_builder_text(b, 1, ent_bytes_str(c->unchanged), NULL) : ent_builder_null(b, 1, NULL));
		ENT_TRY(ent_builder_int(b, 2, c->id, NULL));
		ENT_TRY(values && !leaves(c, "v") ? ent_builder_text(b, 3, ent_bytes_str(c->v), NULL) : ent_builder_null(b, 3, NULL));
		ENT_TRY(values && !leaves(c, "n") && c->n >= 0 ? ent_builder_int(b, 4, c->n, NULL) : ent_builder_null(b, 4, NULL));
	}
	return ent_builder_finish(b, rows, NULL);
}

static int apply(struct kit_target *t, const struct change *all, size_t count, struct ent_err *e)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO rows = { 0 };
	ENT_TRY(event_make(all, count, &schema, &rows));
	return store.connector->sink_changes(t->sink, t->index, &schema, &rows, e);
}

static int target_open(struct kit_target *t, const char *object, struct ent_err *e)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_TRY(ent_schema_new(fields + 2, 3, "id", &schema, e));
	ENT_TRY(kit_target_open(t, &store, object, 0, e));
	return kit_target_table(t, object, &schema, ENT_WRITE_UPSERT, 0, e);
}

/* --- against a model --- */

static struct change model[KEYS]; /* op 0: not there */

static void model_apply(const struct change *c)
{
	struct change *row = &model[c->id];
	if (c->op == 'D') {
		row->op = 0;
		return;
	}
	if (!leaves(c, "v"))
		memcpy(row->v, c->v, sizeof row->v);
	if (!leaves(c, "n"))
		row->n = c->n;
	row->op = 'I';
}

static struct change change_random(bool partly)
{
	static const char *const lists[] = { "v", "n", "v\tn" };
	struct change c = { .op = "IUUD"[dice() % 4], .id = dice() % KEYS, .n = dice() % 5 - 1 };
	snprintf(c.v, sizeof c.v, "v%d", dice() % 1000);
	if (partly && c.op == 'U' && model[c.id].op && dice() % 2)
		c.unchanged = lists[dice() % 3];
	return c;
}

static void model_expect(const char *object, const char *name)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf want = ENT_BUF(100000);
	for (int i = 0; i < KEYS; i++) {
		if (!model[i].op)
			continue;
		ent_buf_printf(&want, "%d|%s|", i, model[i].v);
		if (model[i].n < 0)
			ent_buf_str(&want, "NULL\n");
		else
			ent_buf_printf(&want, "%d\n", model[i].n);
	}
	kit_expect(&store, object, ent_buf_text(&want), name);
}

static void random_batches(const char *object, bool partly)
{
	struct kit_target t;
	struct ent_err e = ENT_ERR_INIT;
	memset(model, 0, sizeof model);
	OK(!target_open(&t, object, &e), "%s: %s %s", object, e.what, e.why);
	for (int round = 0; round < 12; round++) {
		struct change all[BATCH];
		size_t n = 1 + (size_t)dice() % BATCH;
		for (size_t i = 0; i < n; i++) {
			all[i] = change_random(partly);
			model_apply(&all[i]);
		}
		int code = apply(&t, all, n, &e);
		if (!code && round % 3 == 2)
			code = kit_target_commit(&t, "changes", "at", n, &e);
		if (code)
			OK(0, "%s, round %d: %s %s", object, round, e.what, e.why);
	}
	kit_target_close(&t);
	model_expect(object, partly ? "random changes, some of part of a row" : "random changes");
}

/* --- one by one --- */

static void test_rows(void)
{
	struct kit_target t;
	struct ent_err e = ENT_ERR_INIT;
	const struct change first[] = { { 'I', NULL, 1, "a", 1 }, { 'I', NULL, 2, "b", 2 } };
	const struct change lost[] = { { 'U', "v", 7, "", 3 } };
	run("CREATE TABLE own (id BIGINT PRIMARY KEY, kept VARCHAR DEFAULT 'mine', v VARCHAR, n INTEGER)");
	run("INSERT INTO own (id, kept) VALUES (1, 'theirs')");
	OK(!target_open(&t, "own", &e) && !apply(&t, first, 2, &e) && !kit_target_commit(&t, "changes", "1", 2, &e), "%s %s", e.what, e.why);
	OK_INT(apply(&t, lost, 1, &e), ENT_EDATA, "part of a row that is not there: %s", e.what);
	kit_target_close(&t);
	kit_expect(&store, "own", "1|theirs|a|1\n2|mine|b|2\n", "columns of the target's own keep what they hold, nothing of a failed batch stays");
	struct change odd = { 'X', NULL, 1, "", 0 };
	OK(!target_open(&t, "own", &e), "%s", e.what);
	OK_INT(apply(&t, &odd, 1, &e), ENT_EDATA, "an operation nobody knows: %s", e.what);
	OK(!apply(&t, first, 1, &e) && !store.connector->sink_rollback(t.sink, &e) && !apply(&t, &(struct change){ 'D', NULL, 1, "", 0 }, 1, &e) &&
		   !kit_target_commit(&t, "changes", "2", 1, &e),
	   "after a rollback: %s %s", e.what, e.why);
	kit_target_close(&t);
	kit_expect(&store, "own", "2|mine|b|2\n", "the sink goes on");
}

/* Two runs of one job in one process: the older one's transaction began before the newer run. */
static void test_fence(void)
{
	struct kit_target a, b;
	struct ent_err e = ENT_ERR_INIT;
	const struct change one = { 'I', NULL, 1, "old", 1 }, two = { 'I', NULL, 1, "new", 1 };
	OK(!target_open(&a, "fenced", &e) && !kit_target_commit(&a, "changes", "1", 0, &e), "%s %s", e.what, e.why);
	OK(!apply(&a, &one, 1, &e), "%s %s", e.what, e.why);
	OK(!target_open(&b, "fenced", &e) && !apply(&b, &two, 1, &e) && !kit_target_commit(&b, "changes", "2", 1, &e), "the newer run: %s %s", e.what,
	   e.why);
	OK_INT(kit_target_commit(&a, "changes", "2", 1, &e), ENT_EAGAIN, "the older one cannot commit: %s (%s)", e.what, e.why);
	kit_target_close(&a);
	kit_target_close(&b);
	kit_expect(&store, "fenced", "1|new|1\n", "rows of the newer run");
}

static void test_alter(void)
{
	struct kit_target t;
	struct ent_err e = ENT_ERR_INIT;
	struct ent_field wider[4] = { fields[2], fields[3], fields[4], fields[5] };
	ENT_SCHEMA_AUTO schema = { 0 };
	wider[2].type.id = ENT_T_INT64;
	OK(!target_open(&t, "grown", &e) && !apply(&t, &(struct change){ 'I', NULL, 1, "a", 1 }, 1, &e), "%s %s", e.what, e.why);
	OK(!kit_target_commit(&t, "changes", "1", 1, &e) && !ent_schema_new(wider, 4, "id", &schema, &e), "%s %s", e.what, e.why);
	OK(!store.connector->sink_alter(t.sink, t.index, &schema, &e), "a new column, a wider one: %s %s", e.what, e.why);
	OK(!kit_target_commit(&t, "changes", "2", 0, &e), "%s %s", e.what, e.why);
	OK_INT(apply(&t, &(struct change){ 'I', NULL, 2, "b", 2 }, 1, &e), ENT_EDATA, "changes of the old shape: %s", e.what);
	kit_target_close(&t);
	kit_expect(&store, "grown", "1|a|1|NULL\n", "the row that was there");
	run("INSERT INTO grown VALUES (3, 'c', 5000000000, 0.5)");
}

static void test_files(void)
{
	struct ent_err e = ENT_ERR_INIT;
	struct kit_target t;
	struct suite_copy file = store;
	char name[400];
	snprintf(name, sizeof name, "%s/rows.parquet", folder);
	file.url = name;
	ENT_SCHEMA_AUTO schema = { 0 };
	OK(!ent_schema_new(fields + 2, 3, "id", &schema, &e) && !kit_target_open(&t, &file, "f", 0, &e), "%s %s", e.what, e.why);
	OK_INT(kit_target_table(&t, "", &schema, ENT_WRITE_UPSERT, 0, &e), ENT_EUNSUPPORTED, "a file is not written by key: %s", e.what);
	kit_target_close(&t);
	snprintf(name, sizeof name, "%s/rows.parquet.entente", folder);
	unlink(name);
}

int main(int argc, char **argv)
{
	unsigned seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : (unsigned)time(NULL);
	snprintf(folder, sizeof folder, "%s/entente-duckdb.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (argc < 2 || !mkdtemp(folder))
		return 2;
	snprintf(path, sizeof path, "%s/t.db", folder);
	snprintf(url, sizeof url, "duckdb:%s", path);
	store = (struct suite_copy){
		.name = "DuckDB", .connector = suite_module(argv[1]), .url = url, .options = options, .n_options = 1, .prefix = ""
	};
	if (!store.connector)
		return 2;
	printf("# seed %u\n", seed);
	state = seed * 2654435761u + 1;
	random_batches("whole", false);
	random_batches("partly", true);
	run("CREATE TABLE keyed (id BIGINT PRIMARY KEY, v VARCHAR, n INTEGER)");
	random_batches("keyed", true);
	test_rows();
	test_fence();
	test_alter();
	test_files();
	static const char *const names[] = { "t.db", "t.db.wal", "rows.parquet" };
	for (size_t i = 0; i < ENT_COUNT(names); i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
	return tap_done();
}
