/* Writing to Apache HBase and following it: the copy suite, places and keys, NULL and empty, two runs at once, changes, a server that goes away. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "hbase_case.h"
#include "suite_copy.h"

static const struct ent_connector *c;
static struct hb_client *client;
static const char *script;
static const struct ent_option options[] = { { "access", "write" } };

static void table_drop(const char *object) { hb_drop(client, "s", strchr(object, ':') + 1); }

/* --- the suite --- */

static void change_table(const char *object)
{
	hb_create(client, "s", strchr(object, ':') + 1, "f");
	hb_kept(client, "s", strchr(object, ':') + 1, "id bigint\nv text\nn integer\n", "id");
}

static void row(const char *object, int id, const char *v, int n)
{
	char key[20], number[20];
	snprintf(key, sizeof key, "%d", id);
	snprintf(number, sizeof number, "%d", n);
	if (v)
		hb_text(client, object, key, "f:v", v);
	hb_text(client, object, key, "f:n", number);
}

/* A thousand rows (1000 + k, 'many', k) in one call. */
static void many_put(const char *object)
{
	struct ent_thrift_message m;
	struct ent_buf *b = hb_begin(client, "putMultiple");
	ent_thrift_put_binary(b, 1, ent_bytes_str(object));
	ent_thrift_put_list(b, 2, ENT_THRIFT_STRUCT, 1000);
	for (int k = 1; k <= 1000; k++) {
		char key[20], number[20];
		snprintf(key, sizeof key, "%d", 1000 + k);
		snprintf(number, sizeof number, "%d", k);
		ent_thrift_put_binary(b, 1, ent_bytes_str(key));
		ent_thrift_put_list(b, 2, ENT_THRIFT_STRUCT, 2);
		for (int i = 0; i < 2; i++) {
			ent_thrift_put_binary(b, 1, ent_bytes_str("f"));
			ent_thrift_put_binary(b, 2, ent_bytes_str(i ? "v" : "n"));
			ent_thrift_put_binary(b, 3, ent_bytes_str(i ? "many" : number));
			ent_thrift_put_stop(b);
		}
		ent_thrift_put_stop(b);
	}
	OK(hb_ask(client, &m), "a thousand rows");
}

/* Rows 1 to 40 and 1001 to 2000. */
static void all_delete(const char *object)
{
	struct ent_thrift_message m;
	struct ent_buf *b = hb_begin(client, "deleteMultiple");
	ent_thrift_put_binary(b, 1, ent_bytes_str(object));
	ent_thrift_put_list(b, 2, ENT_THRIFT_STRUCT, 1040);
	for (int k = 1; k <= 2000; k += k == 40 ? 961 : 1) {
		char key[20];
		snprintf(key, sizeof key, "%d", k);
		ent_thrift_put_binary(b, 1, ent_bytes_str(key));
		ent_thrift_put_stop(b);
	}
	OK(hb_ask(client, &m), "all rows go");
}

static bool change(const char *object, enum suite_change step)
{
	switch (step) {
	case SUITE_CHANGE_INSERT:
		row(object, 1, "one", 10);
		row(object, 2, "two", 20);
		row(object, 3, NULL, 30);
		return true;
	case SUITE_CHANGE_UPDATE:
		hb_text(client, object, "2", "f:v", "zwei");
		return true;
	case SUITE_CHANGE_DELETE:
		hb_delete(client, object, "1", NULL);
		return true;
	case SUITE_CHANGE_KEY:
		hb_delete(client, object, "3", NULL);
		row(object, 30, NULL, 30);
		return true;
	case SUITE_CHANGE_MANY:
		many_put(object);
		return true;
	case SUITE_CHANGE_ADD:
		hb_kept(client, "s", strchr(object, ':') + 1, "id bigint\nv text\nn integer\nextra text\n", "id");
		row(object, 40, "forty", 40);
		hb_text(client, object, "40", "f:extra", "more");
		return true;
	case SUITE_CHANGE_TRUNCATE:
		all_delete(object);
		return true;
	case SUITE_CHANGE_LOSE:
		return false;
	}
	return false;
}

static void run_suite(void)
{
	const struct suite_copy s = { .name = "HBase",
				      .connector = c,
				      .url = hb_url("s", "&lag=1"),
				      .options = options,
				      .n_options = 1,
				      .prefix = "s:",
				      .drop = table_drop,
				      .change_table = change_table,
				      .change = change };
	suite_copy_run(&s);
}

/* --- one sink --- */

static const struct ent_field simple[] = { { .name = "a", .type = { .id = ENT_T_TEXT } },
					   { .name = "b", .type = { .id = ENT_T_TEXT } },
					   { .name = "v", .type = { .id = ENT_T_TEXT }, .nullable = true },
					   { .name = "x:n", .type = { .id = ENT_T_INT64 }, .nullable = true } };

struct simple_row {
	const char *a, *b, *v;
	int n; /* 0: NULL */
};

static int text_put(struct ent_builder *b, size_t col, const char *text)
{
	return text ? ent_builder_text(b, col, ent_bytes_str(text), NULL) : ent_builder_null(b, col, NULL);
}

static struct ArrowArray simple_rows(const struct ArrowSchema *schema, const struct simple_row *all, size_t n)
{
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	struct ArrowArray a = { 0 };
	bool ok = !ent_builder_new(schema, 0, &b, NULL);
	for (size_t i = 0; i < n && ok; i++)
		ok = !text_put(b, 0, all[i].a) && !text_put(b, 1, all[i].b) && !text_put(b, 2, all[i].v) &&
		     !(all[i].n ? ent_builder_int(b, 3, all[i].n, NULL) : ent_builder_null(b, 3, NULL));
	OK(ok && !ent_builder_finish(b, &a, NULL), "rows");
	return a;
}

static int write_simple(const char *url, const struct ent_target *target, const struct simple_row *all, size_t n, struct ent_err *e)
{
	struct suite_sink s;
	ENT_ARRAY_AUTO rows = simple_rows(target->schema, all, n);
	struct ent_sink_checkpoint point = { .size = sizeof point, .part = "all", .cursor = "done", .rows = n };
	int code = suite_sink_begin(&s, c, url, options, 1, "simple", target, e);
	code = code ? code : c->sink_rows(s.k, s.at, &rows, e);
	code = code ? code : c->sink_commit(s.k, &point, e);
	code = code ? code : c->sink_finish(s.k, 1, e);
	suite_sink_end(&s);
	return code;
}

/* Keys of several parts, families, NULL against the empty text, a row with nothing but its key; modes against what is there. */
static void test_places(void)
{
	static const struct simple_row rows[] = { { "p", "q", "", 1 }, { "p", "", NULL, 2 }, { "", "q", "x", 0 }, { "pq", "", NULL, 0 } };
	struct ent_err e = ENT_ERR_INIT;
	ENT_SCHEMA_AUTO keyed = { 0 }, keyless = { 0 };
	OK(!ent_schema_new(simple, 4, "a\tb", &keyed, &e) && !ent_schema_new(simple, 4, NULL, &keyless, &e), "schemas");
	struct ent_target t = { .size = sizeof t, .object = "t", .schema = &keyed, .mode = ENT_WRITE_CREATE };
	OK_INT(write_simple(hb_url("made", ""), &t, rows, 4, &e), 0, "a namespace is made %s %s", e.what, e.why);
	hb_expect(client, "made:t", "\\00\\00q f:v=x;p\\00\\00 x:n=2;p\\00\\00q f:v=,x:n=1;pq\\00\\00 f:_entente=");
	hb_expect(client, "made:_entente_checkpoint", "");
	hb_expect(client, "made:_entente_schema", "t c:columns=a text\\0ab text\\0av text\\0ax:n bigint\\0a,c:keys=a\\09b");
	OK_INT(write_simple(hb_url("made", ""), &t, rows, 4, &e), ENT_EUSAGE, "it is there: %s", e.what);
	static const struct simple_row less[] = { { "p", "q", NULL, 0 } };
	t.mode = ENT_WRITE_UPSERT;
	OK_INT(write_simple(hb_url("made", ""), &t, less, 1, &e), 0, "an upsert %s %s", e.what, e.why);
	hb_expect(client, "made:t", "\\00\\00q f:v=x;p\\00\\00 x:n=2;p\\00\\00q f:_entente=;pq\\00\\00 f:_entente=");
	t.mode = ENT_WRITE_REPLACE;
	OK_INT(write_simple(hb_url("made", ""), &t, less, 1, &e), 0, "a replacement %s %s", e.what, e.why);
	hb_expect(client, "made:t", "p\\00\\00q f:_entente=");
	t = (struct ent_target){ .size = sizeof t, .object = "other", .schema = &keyless, .mode = ENT_WRITE_CREATE };
	OK_INT(write_simple(hb_url("made", ""), &t, less, 1, &e), ENT_EUSAGE, "no key: %s", e.what);
	OK(strstr(e.next, "--key"), "and the way out: %s", e.next);
	static const char *const other[] = { "b" };
	t = (struct ent_target){ .size = sizeof t, .object = "t", .schema = &keyed, .keys = other, .n_keys = 1, .mode = ENT_WRITE_UPSERT };
	OK_INT(write_simple(hb_url("made", ""), &t, less, 1, &e), ENT_EUSAGE, "an upsert by another key: %s", e.what);
	struct suite_sink s = { 0 };
	const struct ent_host host = suite_host();
	OK(!c->open(&host, hb_url("made", ""), NULL, 0, &s.src, &e), "%s", e.what);
	OK(c->sink_open(s.src, "j", &s.epoch, &s.k, &e) == ENT_EINTERNAL, "a source opened for reading takes no rows: %s", e.what);
	c->close(s.src);
}

/* From HBase to HBase a column keeps what its bytes mean, which the canonical type does not say. */
static void test_own_types(void)
{
	struct ent_err e = ENT_ERR_INIT;
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_map_line lines[2] = { 0 };
	int there = -1;
	hb_create(client, "made", "packed", "f");
	hb_kept(client, "made", "packed", "id bigint\nn long\n", "id");
	const struct ent_read what = { .size = sizeof what, .object = "packed" };
	const struct ent_target t = { .size = sizeof t, .object = "packed2", .schema = &schema, .mode = ENT_WRITE_CREATE };
	OK_INT(c->open(&host, hb_url("made", ""), NULL, 0, &src, &e), 0, "opened %s %s", e.what, e.why);
	OK(!c->read(src, &what, &stream, &e) && !ent_stream_schema(&stream, &schema, &e), "read %s %s", e.what, e.why);
	OK_INT(c->map(src, &t, lines, &there, &e), 0, "mapped %s %s", e.what, e.why);
	OK_STR(lines[0].native, "bigint", "the key is text");
	OK_STR(lines[1].native, "long", "eight bytes stay eight bytes");
	ent_stream_release(&stream);
	c->close(src);
}

/* Tables that no copy made: an empty one becomes ours; rows of another's are found by their key; families must be there. */
static void test_foreign(void)
{
	static const struct ent_field fields[] = { { .name = "row", .type = { .id = ENT_T_TEXT } },
						   { .name = "g:n", .type = { .id = ENT_T_INT64 }, .nullable = true } };
	static const struct simple_row one[] = { { "p", "q", "x", 1 } };
	struct ent_err e = ENT_ERR_INIT;
	ENT_SCHEMA_AUTO keyed = { 0 }, theirs = { 0 };
	ENT_ARRAY_AUTO rows = { 0 };
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	struct suite_sink s;
	OK(!ent_schema_new(simple, 4, "a\tb", &keyed, &e) && !ent_schema_new(fields, 2, "row", &theirs, &e), "schemas");
	struct ent_target t = { .size = sizeof t, .object = "bare", .schema = &keyed, .mode = ENT_WRITE_APPEND };
	hb_create(client, "made", "bare", "f");
	OK_INT(write_simple(hb_url("made", ""), &t, one, 1, &e), ENT_EUSAGE, "a family lacks: %s", e.what);
	hb_drop(client, "made", "bare");
	hb_create(client, "made", "bare", "fx");
	OK_INT(write_simple(hb_url("made", ""), &t, one, 1, &e), 0, "an empty table is taken %s %s", e.what, e.why);
	hb_expect(client, "made:bare", "p\\00\\00q f:v=x,x:n=1");
	hb_create(client, "made", "theirs", "g");
	hb_text(client, "made:theirs", "k1", "g:m", "before");
	t.object = "theirs";
	OK_INT(write_simple(hb_url("made", ""), &t, one, 1, &e), ENT_EUNSUPPORTED, "another's table has other columns: %s", e.what);
	t.schema = &theirs;
	OK(!ent_builder_new(&theirs, 0, &b, &e) && !text_put(b, 0, "k1") && !ent_builder_int(b, 1, -5, &e) && !ent_builder_finish(b, &rows, &e),
	   "a row");
	OK(!suite_sink_begin(&s, c, hb_url("made", ""), options, 1, "theirs", &t, &e) && !c->sink_rows(s.k, s.at, &rows, &e) &&
		   !c->sink_finish(s.k, 1, &e),
	   "a row of another's table %s %s", e.what, e.why);
	suite_sink_end(&s);
	hb_expect(client, "made:theirs", "k1 g:m=before,g:n=-5");
}

/* An empty or too long row key is refused by the row's name; NULL in it, too. */
static void test_bad_keys(void)
{
	static const struct ent_field fields[] = { { .name = "id", .type = { .id = ENT_T_TEXT }, .nullable = true } };
	static char longest[40000];
	struct ent_err e = ENT_ERR_INIT;
	ENT_SCHEMA_AUTO schema = { 0 };
	memset(longest, 'y', sizeof longest);
	OK(!ent_schema_new(fields, 1, "id", &schema, &e), "schema");
	const struct ent_target t = { .size = sizeof t, .object = "badkey", .schema = &schema, .mode = ENT_WRITE_APPEND };
	for (int i = 0; i < 3; i++) {
		ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
		ENT_ARRAY_AUTO rows = { 0 };
		struct suite_sink s;
		OK(!ent_builder_new(&schema, 0, &b, &e) &&
			   !(i == 2 ? ent_builder_null(b, 0, &e) : ent_builder_text(b, 0, ent_bytes(longest, i ? sizeof longest : 0), &e)) &&
			   !ent_builder_finish(b, &rows, &e),
		   "a row");
		OK(!suite_sink_begin(&s, c, hb_url("s", ""), options, 1, "badkey", &t, &e), "%s %s", e.what, e.why);
		OK_INT(c->sink_rows(s.k, s.at, &rows, &e), ENT_EDATA, "key %d: %s (%s)", i, e.what, e.why);
		OK(strstr(e.what, "row 1 of column id"), "by its row");
		OK(c->sink_commit(s.k, NULL, &e) != 0, "and the sink stays failed: %s", e.what);
		OK(!c->sink_rollback(s.k, &e) && !c->sink_commit(s.k, NULL, &e), "until it is rolled back %s", e.what);
		suite_sink_end(&s);
	}
}

/* Rows that an overtaken run still sends lose against those of the run that took over. */
static void test_times(void)
{
	static const struct simple_row mine[] = { { "1", "k", "new", 1 }, { "2", "k", NULL, 0 } },
				       his[] = { { "1", "k", "old", 9 }, { "2", "k", "old", 9 } };
	struct ent_err e = ENT_ERR_INIT;
	ENT_SCHEMA_AUTO schema = { 0 };
	struct suite_sink old, new;
	OK(!ent_schema_new(simple, 4, "a\tb", &schema, &e), "schema");
	struct ent_target t = { .size = sizeof t, .object = "times", .schema = &schema, .mode = ENT_WRITE_APPEND };
	OK(!suite_sink_begin(&old, c, hb_url("s", ""), options, 1, "times", &t, &e), "a run %s %s", e.what, e.why);
	ENT_ARRAY_AUTO a = simple_rows(&schema, his, 2), b = simple_rows(&schema, mine, 2);
	OK(!c->sink_rows(old.k, old.at, &a, &e), "its rows gather %s", e.what);
	OK(!suite_sink_begin(&new, c, hb_url("s", ""), options, 1, "times", &t, &e), "another takes over %s %s", e.what, e.why);
	OK(!c->sink_rows(new.k, new.at, &b, &e) && !c->sink_commit(new.k, NULL, &e), "and writes %s", e.what);
	OK_INT(c->sink_commit(old.k, NULL, &e), ENT_EAGAIN, "the first one is stopped at its commit: %s", e.what);
	hb_expect(client, "s:times", "1\\00\\00k f:v=new,x:n=1;2\\00\\00k f:_entente=");
	suite_sink_end(&old);
	suite_sink_end(&new);
}

/* A run goes on behind the times of earlier ones even where those are ahead of the clock, and so do its deletes of columns. */
static void test_clock(void)
{
	static const struct simple_row first[] = { { "1", "k", "value", 1 } }, then[] = { { "1", "k", NULL, 2 } };
	struct ent_err e = ENT_ERR_INIT;
	ENT_SCHEMA_AUTO schema = { 0 };
	char ahead[32];
	struct suite_sink s;
	snprintf(ahead, sizeof ahead, "%lld000", (long long)time(NULL) + 3600);
	hb_text(client, "s:_entente_checkpoint", "ahead", "run:epoch", "7");
	hb_text(client, "s:_entente_checkpoint", "ahead", "run:time", ahead);
	OK(!ent_schema_new(simple, 4, "a\tb", &schema, &e), "schema");
	struct ent_target t = { .size = sizeof t, .object = "ahead", .schema = &schema, .mode = ENT_WRITE_UPSERT };
	ENT_ARRAY_AUTO a = simple_rows(&schema, first, 1), b = simple_rows(&schema, then, 1);
	OK(!suite_sink_begin(&s, c, hb_url("s", ""), options, 1, "ahead", &t, &e), "a run %s %s", e.what, e.why);
	OK_INT(s.epoch, 8, "after another one");
	OK(!c->sink_rows(s.k, s.at, &a, &e) && !c->sink_commit(s.k, NULL, &e), "a value %s", e.what);
	suite_sink_end(&s);
	OK(!suite_sink_begin(&s, c, hb_url("s", ""), options, 1, "ahead", &t, &e), "the next run %s %s", e.what, e.why);
	OK(!c->sink_rows(s.k, s.at, &b, &e) && !c->sink_commit(s.k, NULL, &e), "takes it away %s", e.what);
	hb_expect(client, "s:ahead", "1\\00\\00k x:n=2");
	suite_sink_end(&s);
}

/* --- changes --- */

static const struct ent_field change_fields[] = { { .name = "entente.op", .type = { .id = ENT_T_TEXT } },
						  { .name = "entente.unchanged", .type = { .id = ENT_T_TEXT }, .nullable = true },
						  { .name = "a", .type = { .id = ENT_T_TEXT }, .nullable = true },
						  { .name = "b", .type = { .id = ENT_T_TEXT }, .nullable = true },
						  { .name = "v", .type = { .id = ENT_T_TEXT }, .nullable = true },
						  { .name = "x:n", .type = { .id = ENT_T_INT64 }, .nullable = true } };

static struct ArrowArray change_rows(const struct ArrowSchema *schema)
{
	static const struct {
		const char *op, *unchanged, *a, *v;
		int n;
	} log[] = { { "I", NULL, "1", "one", 1 }, { "I", NULL, "2", "two", 2 },  { "I", NULL, "3", "three", 3 }, { "U", "v", "2", NULL, 22 },
		    { "D", NULL, "1", NULL, 0 },  { "U", NULL, "3", NULL, 33 },  { "D", NULL, "4", NULL, 0 },    { "I", NULL, "1", "again", 5 },
		    { "D", NULL, "1", NULL, 0 },  { "I", NULL, "1", "last", 6 }, { "I", NULL, "5", NULL, 0 } };
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	struct ArrowArray rows = { 0 };
	bool ok = !ent_builder_new(schema, 0, &b, NULL);
	for (size_t i = 0; i < ENT_COUNT(log) && ok; i++)
		ok = !text_put(b, 0, log[i].op) && !text_put(b, 1, log[i].unchanged) && !text_put(b, 2, log[i].a) && !text_put(b, 3, "k") &&
		     !text_put(b, 4, log[i].v) && !(log[i].n ? ent_builder_int(b, 5, log[i].n, NULL) : ent_builder_null(b, 5, NULL));
	OK(ok && !ent_builder_finish(b, &rows, NULL), "changes");
	return rows;
}

static void test_changes(void)
{
	struct ent_err e = ENT_ERR_INIT;
	ENT_SCHEMA_AUTO schema = { 0 }, table = { 0 }, wider = { 0 };
	struct ent_field more[5];
	struct suite_sink s;
	OK(!ent_schema_new(change_fields, 6, NULL, &schema, &e) && !ent_schema_new(simple, 4, "a\tb", &table, &e), "schemas");
	ENT_ARRAY_AUTO rows = change_rows(&schema);
	struct ent_target t = { .size = sizeof t, .object = "changed", .schema = &table, .mode = ENT_WRITE_UPSERT };
	OK_INT(suite_sink_begin(&s, c, hb_url("s", ""), options, 1, "changes", &t, &e), 0, "%s %s", e.what, e.why);
	for (int i = 0; i < 2; i++) { /* twice: the same end */
		OK(!c->sink_changes(s.k, s.at, &schema, &rows, &e) && !c->sink_commit(s.k, NULL, &e), "%s %s", e.what, e.why);
		hb_expect(client, "s:changed",
			  i ? "1\\00\\00k f:v=last,x:n=6;2\\00\\00k f:v=two,x:n=22;3\\00\\00k x:n=33;5\\00\\00k f:_entente="
			    : "1\\00\\00k f:v=last,x:n=6;2\\00\\00k f:v=two,x:n=22;3\\00\\00k x:n=33;5\\00\\00k f:_entente=");
	}
	memcpy(more, simple, sizeof simple);
	more[4] = (struct ent_field){ .name = "extra", .type = { .id = ENT_T_BOOL }, .nullable = true };
	OK(!ent_schema_new(more, 5, "a\tb", &wider, &e) && !c->sink_alter(s.k, s.at, &wider, &e), "a new column %s %s", e.what, e.why);
	OK(!c->sink_truncate(s.k, s.at, &e), "%s", e.what);
	hb_expect(client, "s:changed", "");
	suite_sink_end(&s);
}

/* What polling must see beside puts: a column deleted, a row deleted; and another cluster's cursor is none of ours. */
static void test_poll(void)
{
	static const char *const objects[] = { "polled" };
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	struct ent_changes *changes = NULL;
	struct ent_err e = ENT_ERR_INIT;
	struct ent_changes_spec spec = { .size = sizeof spec, .job = "j", .objects = objects, .n_objects = 1, .cursor = "5 another-cluster" };
	OK(!c->open(&host, hb_url("s", "&lag=1"), NULL, 0, &src, &e), "%s", e.what);
	hb_create(client, "s", "polled", "f");
	hb_text(client, "s:polled", "1", "f:a", "x");
	OK_INT(c->changes_open(src, &spec, &changes, &e), ENT_EDATA, "another cluster: %s (%s)", e.what, e.why);
	spec.cursor = "nonsense";
	OK_INT(c->changes_open(src, &spec, &changes, &e), ENT_EDATA, "no cursor: %s", e.what);
	OK(!c->position_reached("5 a", "4 a") && c->position_reached("5 a", "5 a") && !c->position_reached("5 a", "6 b"), "order of cursors");
	c->close(src);
}

/* --- the server goes away --- */

static int server(const char *verb, const char *arg)
{
	char folder[300];
	snprintf(folder, sizeof folder, "%s/h", hb_folder);
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		int null = open("/dev/null", O_WRONLY);
		dup2(null, 1);
		dup2(null, 2);
		execl(script, script, verb, folder, arg, (char *)NULL);
		_exit(127);
	}
	int status = -1;
	return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

static struct ArrowArray many_rows(const struct ArrowSchema *schema, int from)
{
	static struct simple_row all[1000];
	static char keys[1000][12];
	for (int i = 0; i < 1000; i++) {
		snprintf(keys[i], sizeof keys[0], "%06d", from + i);
		all[i] = (struct simple_row){ keys[i], "k", "v", from + i + 1 };
	}
	return simple_rows(schema, all, 1000);
}

static void test_crash(void)
{
	struct ent_err e = ENT_ERR_INIT;
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_sink_checkpoint point = { .size = sizeof point, .part = "all", .cursor = "1000 and more", .rows = 1000 }, last;
	struct ent_read read = { .size = sizeof read, .object = "crash" };
	struct suite_sink s;
	size_t n = 0;
	OK(!ent_schema_new(simple, 4, "a\tb", &schema, &e), "schema");
	struct ent_target t = { .size = sizeof t, .object = "crash", .schema = &schema, .mode = ENT_WRITE_CREATE };
	ENT_ARRAY_AUTO rows = many_rows(&schema, 0), more = many_rows(&schema, 1000);
	OK_INT(suite_sink_begin(&s, c, hb_url("s", ""), options, 1, "crash", &t, &e), 0, "%s %s", e.what, e.why);
	OK(!c->sink_rows(s.k, s.at, &rows, &e) && !c->sink_commit(s.k, &point, &e), "%s %s", e.what, e.why);
	OK_INT(server("kill", NULL), 0, "the Thrift2 server crashes");
	int code = c->sink_rows(s.k, s.at, &more, &e);
	code = code ? code : c->sink_commit(s.k, NULL, &e);
	OK(code == ENT_EIO || code == ENT_EAGAIN, "and the run ends: %s (%s)", e.what, e.why);
	suite_sink_end(&s);
	OK_INT(server("start", hb_port), 0, "the server comes back");
	t.resume = 1;
	OK_INT(suite_sink_begin(&s, c, hb_url("s", ""), options, 1, "crash", &t, &e), 0, "and the run goes on %s %s", e.what, e.why);
	OK(!c->sink_last(s.k, "all", &last, &e) && !strcmp(last.cursor, "1000 and more") && last.rows == 1000, "after its checkpoint %s", e.what);
	OK(!c->sink_rows(s.k, s.at, &more, &e), "%s %s", e.what, e.why);
	OK_INT(server("kill", NULL), 0, "a crash that is over soon");
	OK_INT(server("start", hb_port), 0, "is over");
	OK(!c->sink_commit(s.k, NULL, &e) && !c->sink_finish(s.k, 1, &e), "and nobody saw it %s %s", e.what, e.why);
	OK(!hb_read_text(c, s.src, &read, NULL, &n, &e), "%s", e.what);
	OK_INT(n, 2000, "all rows are there");
	suite_sink_end(&s);
	hb_close(client);
	OK(hb_connect(client, (unsigned)strtoul(hb_port, NULL, 10)), "the server answers");
}

/* A reading goes on behind the last row it got. */
static void test_read_on(void)
{
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	struct ent_err e = ENT_ERR_INIT;
	ENT_STREAM_AUTO stream = { 0 };
	struct ent_read read = { .size = sizeof read, .object = "k:pages", .columns = NULL };
	size_t n = 0;
	OK(!c->open(&host, hb_url("k", ""), NULL, 0, &src, &e) && !c->read(src, &read, &stream, &e), "a reading begins %s", e.what);
	OK_INT(server("kill", NULL), 0, "the server goes");
	OK_INT(server("start", hb_port), 0, "and comes");
	for (;;) {
		ENT_ARRAY_AUTO a = { 0 };
		int code = ent_stream_next(&stream, &a, &e);
		OK(!code, "rows %s %s", e.what, e.why);
		if (code || !a.release)
			break;
		n += (size_t)a.length;
	}
	OK_INT(n, 6000, "every row once");
	ent_stream_release(&stream);
	c->close(src);
	hb_close(client);
	OK(hb_connect(client, (unsigned)strtoul(hb_port, NULL, 10)), "the server answers");
}

void hb_copy_run(const struct ent_connector *connector, struct hb_client *to, const char *server_script)
{
	c = connector;
	client = to;
	script = server_script;
	hb_namespace(client, "s");
	test_places();
	test_own_types();
	test_foreign();
	test_bad_keys();
	test_times();
	test_clock();
	test_changes();
	test_poll();
	run_suite();
	test_crash();
	test_read_on();
}
