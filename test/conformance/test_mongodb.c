/* MongoDB: the suites, then documents of every shape, splits, a cut connection, sinks, changes. Runs against a substitute server (see
 * test/servers/mongo.sh). usage: test_mongodb MODULE URL TLSPORT FOLDER (mongo/ca.crt) */
#include <mongoc/mongoc.h>
#include <stdlib.h>

#include "arrow/builder.h"
#include "mongodb_kit.h"
#include "suite_copy.h"

static const struct ent_connector *c;
static const char *url, *secured, *folder;
static mongoc_client_t *client;
static const struct ent_option writing[] = { { "access", "write" } };

static struct ent_source *opened(const struct ent_option *options, size_t n)
{
	struct ent_host host = suite_host();
	struct ent_source *s = NULL;
	struct ent_err e = ENT_ERR_INIT;
	OK(!c->open(&host, url, options, n, &s, &e), "open %s (%s)", e.what, e.why);
	return s;
}

static void insert(const char *name, const char *json)
{
	bson_error_t e;
	bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &e);
	mongoc_collection_t *to = mongoc_client_get_collection(client, "test", name);
	OK(doc && mongoc_collection_insert_one(to, doc, NULL, NULL, &e), "insert %.60s", json);
	mongoc_collection_destroy(to);
	if (doc)
		bson_destroy(doc);
}

/* --- the canonical table, written by the sink itself --- */

static int value_put(struct ent_builder *b, size_t col, const char *text)
{
	struct ent_type t = ent_builder_type(b, col);
	struct ent_bytes v = ent_bytes_str(text ? text : "");
	int64_t i = 0;
	int32_t days = 0;
	double d = 0;
	ent_i128 wide = 0;
	if (!text)
		return ent_builder_null(b, col, NULL);
	if (t.id == ENT_T_TEXT && !strcmp(text, "LONG")) {
		char *large = malloc(SUITE_LONG_TEXT);
		memset(large, 'x', SUITE_LONG_TEXT);
		int code = ent_builder_text(b, col, ent_bytes(large, SUITE_LONG_TEXT), NULL);
		free(large);
		return code;
	}
	if (t.id == ENT_T_TEXT)
		return ent_builder_text(b, col, v, NULL);
	if (t.id == ENT_T_BOOL)
		return ent_builder_int(b, col, text[0] == 't', NULL);
	if (t.id == ENT_T_DECIMAL)
		return ent_decimal_parse(v, t.precision, t.scale, &wide) ? ent_builder_wide(b, col, wide, NULL) : ENT_EDATA;
	if (ent_type_is_float(t))
		return ent_real_parse(v, &d) ? ent_builder_real(b, col, t.id == ENT_T_REAL ? (double)(float)d : d, NULL) : ENT_EDATA;
	if (t.id == ENT_T_DATE)
		return ent_date_parse(v, &days) ? ent_builder_int(b, col, days, NULL) : ENT_EDATA;
	if (ent_type_is_time(t))
		return ent_timestamp_parse(v, t.id == ENT_T_TIMESTAMPTZ, &i) ? ent_builder_int(b, col, i, NULL) : ENT_EDATA;
	return ent_int_parse(v, &i) ? ent_builder_int(b, col, i, NULL) : ENT_EDATA;
}

static void canonical_make(struct ArrowSchema *schema, struct ArrowArray *rows)
{
	struct ent_field fields[SUITE_COLUMNS] = { 0 };
	struct ent_builder *b = NULL;
	struct ent_err e = ENT_ERR_INIT;
	int bad = 0;
	for (size_t i = 0; i < SUITE_COLUMNS; i++) {
		fields[i] = (struct ent_field){ .name = suite_names[i], .nullable = i > 0 };
		bad += !ent_type_by_name(suite_types[i], &fields[i].type);
	}
	bad += ent_schema_new(fields, SUITE_COLUMNS, "id", schema, &e) != 0;
	bad += ent_builder_new(schema, 0, &b, &e) != 0;
	for (size_t r = 0; r < SUITE_ROWS && !bad; r++)
		for (size_t i = 0; i < SUITE_COLUMNS; i++)
			bad += value_put(b, i, suite_rows[r][i]) != 0;
	bad += bad || ent_builder_finish(b, rows, &e);
	OK_INT(bad, 0, "the canonical table as a batch: %s", e.what);
	ent_builder_free(b);
}

static int write_table(const char *object, const struct ArrowSchema *schema, const struct ArrowArray *rows, enum ent_write_mode mode,
		       struct ent_err *e)
{
	struct ent_source *s = opened(writing, 1);
	struct ent_sink *k = NULL;
	uint64_t epoch = 0;
	size_t at;
	struct ent_target target = { .size = sizeof target, .object = object, .schema = schema, .mode = mode };
	struct ent_sink_checkpoint point = { .size = sizeof point, .part = "all", .cursor = "done" };
	int code = c->sink_open(s, "test", &epoch, &k, e);
	code = code ? code : c->sink_table(k, &target, &at, e);
	code = code || !rows ? code : c->sink_rows(k, at, rows, e);
	code = code ? code : c->sink_commit(k, &point, e);
	code = code ? code : c->sink_finish(k, 1, e);
	c->sink_close(k);
	c->close(s);
	return code;
}

static void canonical_write(void)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO rows = { 0 };
	struct ent_err e = ENT_ERR_INIT;
	canonical_make(&schema, &rows);
	OK(!write_table("t", &schema, &rows, ENT_WRITE_CREATE, &e), "t is written %s (%s)", e.what, e.why);
	OK(!write_table("empty", &schema, NULL, ENT_WRITE_CREATE, &e), "empty is made %s (%s)", e.what, e.why);
	OK_INT(write_table("t", &schema, &rows, ENT_WRITE_CREATE, &e), ENT_EUSAGE, "not a second time: %s", e.what);
	OK(!write_table("t", &schema, &rows, ENT_WRITE_APPEND, &e), "the very same rows again change nothing %s (%s)", e.what, e.why);
	OK(!write_table("t", &schema, &rows, ENT_WRITE_REPLACE, &e), "replaced %s (%s)", e.what, e.why);
}

/* --- documents --- */

static void dump(const char *object, const char *where, const struct ent_option *options, size_t n, int want_code, const char *want)
{
	struct ent_source *s = opened(options, n);
	struct ent_err e = ENT_ERR_INIT;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 20);
	int code = kit_dump(c, s, object, where, NULL, &out, &e);
	OK_INT(code, want_code, "read %s: %s (%s)", object, e.what, e.why);
	OK_STR(code ? e.what : ent_buf_text(&out), want, "%s", object);
	c->close(s);
}

static void columns(const char *object, const struct ent_option *options, size_t n, const char *want)
{
	struct ent_source *s = opened(options, n);
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_object o = { .size = sizeof o };
	struct ent_err e = ENT_ERR_INIT;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 20);
	OK(!c->describe(s, object, &schema, &o, &e), "describe %s: %s (%s)", object, e.what, e.why);
	for (size_t i = 0; schema.release && i < (size_t)schema.n_children; i++) {
		struct ent_field_info f;
		char type[ENT_TYPE_TEXT_MAX];
		ent_schema_field(&schema, i, &f);
		ent_type_name(f.type, type);
		ent_buf_printf(&out, "%s %s%s <%s>\n", f.name, type, f.unsupported[0] ? " copies" : "", f.native);
	}
	OK_STR(ent_buf_text(&out), want, "columns of %s", object);
	c->close(s);
}

static void test_documents(void)
{
	insert("docs", "{\"_id\": {\"$oid\": \"00000000000000000000000a\"}, \"n\": 1, \"name\": \"a\", \"address\": {\"city\": \"B\", \"geo\": "
		       "{\"lat\": 1.5}}, "
		       "\"tags\": [1, \"x\"], \"mixed\": 5, \"when\": {\"$date\": {\"$numberLong\": \"1500\"}}, \"big\": {\"$numberLong\": "
		       "\"5000000000\"}, "
		       "\"price\": {\"$numberDecimal\": \"12.50\"}}");
	insert("docs", "{\"_id\": {\"$oid\": \"00000000000000000000000b\"}, \"n\": 2.5, \"address\": {\"city\": null}, \"mixed\": \"five\", \"big\": "
		       "7, \"price\": "
		       "{\"$numberDecimal\": \"1E+3\"}, \"uid\": {\"$binary\": {\"base64\": \"AAAAAAAAAAAAAAAAAAAACg==\", \"subType\": \"04\"}}}");
	columns("docs", NULL, 0,
		"_id text <bson objectId>\nn double precision <bson int|double>\nname text <bson string>\naddress.city text <bson string|null>\n"
		"address.geo.lat double precision <bson double>\ntags text copies <bson array>\nmixed text copies <bson int|string>\n"
		"when timestamp with time zone <bson date>\nbig bigint <bson int|long>\nprice decimal(18,2) <bson decimal>\nuid text <bson uuid>\n");
	dump("docs", NULL, NULL, 0, 0,
	     "00000000000000000000000a|1|a|B|1.5|[{\"$numberInt\":\"1\"},\"x\"]|{\"$numberInt\":\"5\"}|1970-01-01 "
	     "00:00:01.5+00|5000000000|12.50|NULL\n"
	     "00000000000000000000000b|2.5|NULL|NULL|NULL|NULL|\"five\"|NULL|7|1000.00|00000000-0000-0000-0000-00000000000a\n");
	dump("docs", "{\"n\": {\"$gt\": 2}}", NULL, 0, 0,
	     "00000000000000000000000b|2.5|NULL|NULL|NULL|NULL|\"five\"|NULL|7|1000.00|00000000-0000-0000-0000-00000000000a\n");
	dump("docs", "{n: ", NULL, 0, ENT_EUSAGE, "--where is no filter: {n: ");
}

static void test_declared(void)
{
	char path[400];
	snprintf(path, sizeof path, "%s/schema", folder);
	FILE *f = fopen(path, "w");
	fputs("# what we know better\naddress json\nn decimal(10,2)\n\"extra one\" text\n", f);
	fclose(f);
	const struct ent_option declared[] = { { "schema", path } };
	columns("docs", declared, 1,
		"_id text <bson objectId>\nn decimal(10,2) <bson decimal(10,2)>\nname text <bson string>\ntags text copies <bson array>\n"
		"mixed text copies <bson int|string>\nwhen timestamp with time zone <bson date>\nbig bigint <bson int|long>\n"
		"price decimal(18,2) <bson decimal>\nuid text <bson uuid>\naddress text copies <bson json>\nextra one text <bson text>\n");
	dump("docs", NULL, declared, 1, ENT_EDATA, "document 2: field n does not fit the column's type decimal(10,2)");
}

/* --- splits --- */

struct splits {
	struct ent_buf text;
	size_t n;
};

static int split_read(void *arg, const char *split, int64_t rows)
{
	struct splits *p = (struct splits *)arg;
	struct ent_source *s = opened(NULL, 0);
	struct ent_err e = ENT_ERR_INIT;
	OK(rows == -1 || rows == 300, "about as many rows as asked");
	OK(!kit_dump(c, s, "many", NULL, split, &p->text, &e), "split %s: %s (%s)", split, e.what, e.why);
	p->n++;
	c->close(s);
	return 0;
}

static void many_make(void)
{
	mongoc_collection_t *to = mongoc_client_get_collection(client, "test", "many");
	mongoc_bulk_operation_t *b = mongoc_collection_create_bulk_operation_with_opts(to, NULL);
	for (int i = 0; i < 1000; i++) {
		char id[100];
		snprintf(id, sizeof id, "%02d common letters that are so many that a split text leaves them out %03d", i / 100, i);
		bson_t *doc = BCON_NEW("_id", BCON_UTF8(id), "i", BCON_INT32(i), "text", BCON_UTF8("some text that makes the document longer"));
		mongoc_bulk_operation_insert(b, doc);
		bson_destroy(doc);
	}
	OK(mongoc_bulk_operation_execute(b, NULL, NULL), "1000 documents");
	mongoc_bulk_operation_destroy(b);
	mongoc_collection_destroy(to);
}

static size_t lines(const struct ent_buf *b)
{
	size_t n = 0;
	for (size_t i = 0; i < b->len; i++)
		n += b->data[i] == '\n';
	return n;
}

static void test_splits(void)
{
	struct splits p = { .text = ENT_BUF(1 << 20) };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf whole = ENT_BUF(1 << 20);
	struct ent_source *s = opened(NULL, 0);
	struct ent_err e = ENT_ERR_INIT;
	OK(!c->plan(s, "many", 300, split_read, &p, &e), "plan %s (%s)", e.what, e.why);
	OK(p.n == 4, "1000 rows by 300 are four splits");
	OK(!kit_dump(c, s, "many", NULL, NULL, &whole, &e) && lines(&whole) == 1000, "the whole: %s", e.what);
	OK(whole.len == p.text.len && !memcmp(whole.data, p.text.data, whole.len), "splits one after the other are the whole");
	ent_buf_deinit(&p.text);
	c->close(s);
}

static int split_note(void *arg, const char *split, int64_t rows)
{
	(void)rows;
	snprintf((char *)arg, 100, "%s", split);
	return 0;
}

/* _id of several types have no order that a comparison follows: one split, the server's order. */
static void test_mixed_ids(void)
{
	char split[100] = "";
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 16);
	struct ent_err e = ENT_ERR_INIT;
	insert("mixed", "{\"_id\": 1, \"v\": 1}");
	insert("mixed", "{\"_id\": \"one\", \"v\": 2}");
	struct ent_source *s = opened(NULL, 0);
	OK(!c->plan(s, "mixed", 1, split_note, split, &e), "%s", e.what);
	OK_STR(split, "{}", "one split");
	OK(!kit_dump(c, s, "mixed", NULL, split, &out, &e) && lines(&out) == 2, "both documents %s: %s", e.what, ent_buf_text(&out));
	c->close(s);
}

/* --- what the sample did not see --- */

static void test_unseen(void)
{
	struct ent_source *s = opened(NULL, 0);
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_object o = { .size = sizeof o };
	struct ent_err e = ENT_ERR_INIT;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 16);
	insert("later", "{\"_id\": 1, \"v\": 1, \"in\": {\"a\": 1}}");
	OK(!c->describe(s, "later", &schema, &o, &e), "%s", e.what);
	insert("later", "{\"_id\": 2, \"v\": 2, \"in\": {\"a\": 1, \"b\": 2}}");
	OK_INT(kit_dump(c, s, "later", NULL, NULL, &out, &e), ENT_EDATA, "%s (%s)", e.what, e.why);
	OK_STR(e.what, "document 2 has a field that the columns do not know: b");
	insert("later", "{\"_id\": 3, \"v\": \"three\"}");
	const char *const v = "v";
	size_t rows;
	OK_INT(suite_scan_count(c, url, "later", v, &rows, &e), ENT_EUNSUPPORTED, "a fresh sample sees both types: %s (%s)", e.what, e.why);
	c->close(s);
}

/* --- copies of documents --- */

static void copy_table(const char *from, const char *to, unsigned flags, enum ent_write_mode mode)
{
	struct ent_source *s = opened(NULL, 0), *d = opened(writing, 1);
	struct ent_read what = { .size = sizeof what, .object = from, .flags = flags };
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_err e = ENT_ERR_INIT;
	struct ent_sink *k = NULL;
	uint64_t epoch = 0;
	size_t at;
	int code = c->read(s, &what, &stream, &e);
	code = code ? code : ent_stream_schema(&stream, &schema, &e);
	struct ent_target target = { .size = sizeof target, .object = to, .schema = &schema, .mode = mode };
	code = code ? code : c->sink_open(d, "copy", &epoch, &k, &e);
	code = code ? code : c->sink_table(k, &target, &at, &e);
	while (!code) {
		ENT_ARRAY_AUTO a = { 0 };
		code = ent_stream_next(&stream, &a, &e);
		if (code || !a.release)
			break;
		code = c->sink_rows(k, at, &a, &e);
	}
	code = code ? code : c->sink_commit(k, NULL, &e);
	code = code ? code : c->sink_finish(k, 1, &e);
	OK_INT(code, 0, "%s to %s: %s (%s)", from, to, e.what, e.why);
	c->sink_close(k);
	ent_stream_release(&stream);
	c->close(s);
	c->close(d);
}

/* The documents of a collection as JSON, by _id. */
static void documents(const char *name, struct ent_buf *out)
{
	const bson_t *doc;
	bson_t *all = bson_new(), *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
	mongoc_collection_t *in = mongoc_client_get_collection(client, "test", name);
	mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(in, all, opts, NULL);
	while (mongoc_cursor_next(cursor, &doc)) {
		char *text = bson_as_canonical_extended_json(doc, NULL);
		ent_buf_printf(out, "%s\n", text);
		bson_free(text);
	}
	mongoc_cursor_destroy(cursor);
	mongoc_collection_destroy(in);
	bson_destroy(opts);
	bson_destroy(all);
}

static void same_documents(const char *a, const char *b)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf ta = ENT_BUF(8 << 20), tb = ENT_BUF(8 << 20);
	documents(a, &ta);
	documents(b, &tb);
	OK(ta.len, "%s has documents", a);
	OK_STR(ent_buf_text(&tb), ent_buf_text(&ta), "%s has the documents of %s", b, a);
}

static void test_copies(void)
{
	insert("full", "{\"_id\": {\"a\": 1, \"b\": \"x\"}, \"n\": 1, \"none\": null, \"address\": {\"city\": \"B\", \"geo\": {\"lat\": 1.5, "
		       "\"lon\": -0.0}}, \"tags\": [1, \"x\", {\"y\": null}], \"mixed\": 5, \"when\": {\"$date\": {\"$numberLong\": \"-1\"}}, "
		       "\"re\": {\"$regularExpression\": {\"pattern\": \"^a\", \"options\": \"i\"}}, \"ts\": {\"$timestamp\": {\"t\": 1, \"i\": 2}}, "
		       "\"raw\": {\"$binary\": {\"base64\": \"AAEC\", \"subType\": \"00\"}}, \"oid\": {\"$oid\": \"0123456789abcdef01234567\"}, "
		       "\"uid\": {\"$binary\": {\"base64\": \"AAAAAAAAAAAAAAAAAAAACg==\", \"subType\": \"04\"}}, "
		       "\"price\": {\"$numberDecimal\": \"12.5\"}, \"big\": {\"$numberLong\": \"5\"}, \"nan\": {\"$numberDouble\": \"NaN\"}}");
	insert("full", "{\"_id\": {\"a\": 2, \"b\": \"y\"}, \"n\": 2, \"none\": null, \"mixed\": \"five\", \"empty\": {}, \"text\": \"\"}");
	copy_table("full", "full_columns", 0, ENT_WRITE_CREATE);
	same_documents("full", "full_columns");
	copy_table("full", "full_wire", ENT_READ_WIRE, ENT_WRITE_CREATE);
	same_documents("full", "full_wire");
	copy_table("t", "t_wire", ENT_READ_WIRE, ENT_WRITE_CREATE);
	copy_table("t", "t_columns", 0, ENT_WRITE_REPLACE);
	same_documents("t", "t_wire");
	same_documents("t", "t_columns");
	struct suite_store again = { .name = "a copy by image",
				     .url = url,
				     .object = "t_wire",
				     .keys = true,
				     .ordered = true,
				     .missing_url = url,
				     .missing_object = "nothing" };
	suite_run(c, &again);
}

/* --- fencing --- */

static void test_fence(void)
{
	struct ent_source *s = opened(writing, 1), *d = opened(writing, 1);
	struct ent_sink *old = NULL, *new = NULL, *part = NULL;
	struct ent_sink_checkpoint point = { .size = sizeof point, .part = "t 1", .cursor = "17", .rows = 5, .hash = "ab" }, last;
	struct ent_err e = ENT_ERR_INIT;
	uint64_t a = 0, b = 0;
	OK(!c->sink_open(s, "fence", &a, &old, &e) && a == 1, "the first run %s", e.what);
	OK_INT(c->sink_last(old, "t 1", &last, &e), ENT_ENOTFOUND, "%s", e.what);
	OK(!c->sink_commit(old, &point, &e), "commits %s (%s)", e.what, e.why);
	OK(!c->sink_open(d, "fence", &b, &new, &e) && b == 2, "the second takes over %s", e.what);
	OK(!c->sink_last(new, "t 1", &last, &e) && !strcmp(last.cursor, "17") && last.rows == 5 && last.epoch == 1 && !strcmp(last.hash, "ab"),
	   "and knows where the first was");
	OK_INT(c->sink_commit(old, &point, &e), ENT_EAGAIN, "which can commit no more: %s (%s)", e.what, e.why);
	OK(!c->sink_commit(new, &point, &e), "%s", e.what);
	OK_INT(c->sink_open(s, "fence", &a, &part, &e), ENT_EAGAIN, "nor get a new part: %s", e.what);
	OK(!c->sink_finish(new, 1, &e) && c->sink_last(new, "t 1", &last, &e) == ENT_ENOTFOUND, "finished jobs leave no checkpoint");
	c->sink_close(old);
	c->sink_close(new);
	c->close(s);
	c->close(d);
}

/* --- changes --- */

static void run(const char *name, const char *key, const char *update)
{
	bson_error_t e;
	bson_t *k = bson_new_from_json((const uint8_t *)key, -1, &e), *u = update ? bson_new_from_json((const uint8_t *)update, -1, &e) : NULL;
	mongoc_collection_t *to = mongoc_client_get_collection(client, "test", name);
	bool ok = !u                           ? mongoc_collection_delete_one(to, k, NULL, NULL, &e)
		  : strstr(update, "\"$set\"") ? mongoc_collection_update_one(to, k, u, NULL, NULL, &e)
					       : mongoc_collection_replace_one(to, k, u, NULL, NULL, &e);
	OK(ok, "%s %s", key, update ? update : "goes");
	mongoc_collection_destroy(to);
	bson_destroy(k);
	if (u)
		bson_destroy(u);
}

struct follow {
	struct ent_changes *changes;
	struct ArrowSchema schema;
	struct ent_buf text; /* what came: rows as "op|values", "schema N", "commit" */
	char cursor[400];
};

static int event_note(struct follow *f, struct ent_event *ev, struct ent_err *e)
{
	ENT_ARRAY_AUTO rows = { 0 };
	ENT_BATCH_AUTO b = { 0 };
	if (ev->kind == ENT_EVENT_SCHEMA) {
		ent_schema_release(&f->schema);
		f->schema = ev->schema;
		ent_buf_printf(&f->text, "schema %d\n", (int)ev->schema.n_children);
	} else if (ev->kind == ENT_EVENT_ROWS) {
		rows = ev->array;
		ENT_TRY(ent_batch_open_copy(&f->schema, &rows, &b, e));
		return kit_rows(&f->text, &b, e);
	} else if (ev->kind == ENT_EVENT_COMMIT) {
		ent_buf_str(&f->text, "commit\n");
		snprintf(f->cursor, sizeof f->cursor, "%s", ev->cursor);
	}
	return 0;
}

/* Everything that comes until nothing does. */
static int follow(struct follow *f, struct ent_err *e)
{
	ent_buf_reset(&f->text);
	for (;;) {
		struct ent_event ev;
		ENT_TRY(c->changes_next(f->changes, 300, &ev, e));
		if (ev.kind == ENT_EVENT_IDLE)
			return 0;
		ENT_TRY(event_note(f, &ev, e));
	}
}

static int follow_open(struct follow *f, struct ent_source *s, const char *cursor, struct ent_err *e)
{
	static const char *const object = "followed";
	struct ent_changes_spec spec = { .size = sizeof spec, .job = "j", .objects = &object, .n_objects = 1, .cursor = cursor };
	c->changes_close(f->changes);
	f->changes = NULL;
	return c->changes_open(s, &spec, &f->changes, e);
}

static void test_changes(void)
{
	struct follow f = { .text = ENT_BUF(1 << 20) };
	struct ent_err e = ENT_ERR_INIT;
	char before[400] = "", after[400] = "";
	struct ent_source *s = opened(NULL, 0), *other = opened(NULL, 0);
	insert("followed", "{\"_id\": 1, \"v\": \"one\"}");
	OK(!c->position(other, before, &e), "position %s (%s): %s", e.what, e.why, before);
	OK(!follow_open(&f, s, NULL, &e), "follow %s (%s)", e.what, e.why);
	OK(!follow(&f, &e) && !f.text.len, "nothing yet %s", e.what);
	insert("followed", "{\"_id\": 2, \"v\": \"two\"}");
	run("followed", "{\"_id\": 1}", "{\"$set\": {\"v\": \"eins\"}}");
	run("followed", "{\"_id\": 2}", "{\"_id\": 2, \"v\": null}");
	OK(!follow(&f, &e), "%s (%s)", e.what, e.why);
	OK_STR(ent_buf_text(&f.text), "schema 4\nI|NULL|2|two\nU|NULL|1|eins\nU|NULL|2|NULL\ncommit\n");
	run("followed", "{\"_id\": 1}", NULL);
	insert("followed", "{\"_id\": 3, \"v\": \"three\", \"extra\": {\"x\": true}}");
	char cursor[400];
	snprintf(cursor, sizeof cursor, "%s", f.cursor);
	OK(!follow(&f, &e), "a new field %s (%s)", e.what, e.why);
	OK_STR(ent_buf_text(&f.text), "D|NULL|1|NULL\ncommit\nschema 5\nI|NULL|3|three|true\ncommit\n");
	OK(!c->position(other, after, &e) && c->position_reached(before, f.cursor) && c->position_reached(f.cursor, f.cursor) &&
		   !c->position_reached(f.cursor, cursor) && c->position_reached(cursor, f.cursor),
	   "positions have an order: %s %s", cursor, f.cursor);
	OK(!follow_open(&f, s, cursor, &e) && !follow(&f, &e), "again from an earlier cursor %s (%s)", e.what, e.why);
	OK(strstr(ent_buf_text(&f.text), "D|NULL|1|NULL"), "repeats what followed it: %s", ent_buf_text(&f.text));
	run("followed", "{\"_id\": 3}", "{\"_id\": 3, \"v\": 3}");
	OK_INT(follow(&f, &e), ENT_EDATA, "another type stops: %s (%s)", e.what, e.why);
	OK_INT(follow_open(&f, s, "x:1", &e), ENT_EDATA, "%s", e.what);
	OK(!follow_open(&f, s, NULL, &e), "%s", e.what);
	mongoc_collection_t *gone = mongoc_client_get_collection(client, "test", "followed");
	OK(mongoc_collection_drop(gone, NULL), "the collection goes");
	mongoc_collection_destroy(gone);
	OK_INT(follow(&f, &e), ENT_EDATA, "and following it stops: %s (%s)", e.what, e.why);
	c->changes_close(f.changes);
	ent_schema_release(&f.schema);
	ent_buf_deinit(&f.text);
	c->close(s);
	c->close(other);
}

/* --- a connection that is cut --- */

static void test_cut(void)
{
	struct kit_proxy *proxy = kit_proxy_start(url, 20000);
	char at[100];
	struct ent_host host = suite_host();
	struct ent_source *s = NULL;
	struct ent_err e = ENT_ERR_INIT;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf through = ENT_BUF(1 << 20), whole = ENT_BUF(1 << 20);
	snprintf(at, sizeof at, "mongodb://127.0.0.1:%d/test", kit_proxy_port(proxy));
	OK(!c->open(&host, at, NULL, 0, &s, &e), "open through the proxy %s (%s)", e.what, e.why);
	kit_proxy_arm(proxy);
	OK(!kit_dump(c, s, "many", NULL, NULL, &through, &e), "cut in the middle: %s (%s)", e.what, e.why);
	OK(kit_proxy_cuts(proxy) > 0, "the proxy has cut %d connections", kit_proxy_cuts(proxy));
	c->close(s);
	s = opened(NULL, 0);
	OK(!kit_dump(c, s, "many", NULL, NULL, &whole, &e), "%s", e.what);
	OK(whole.len == through.len && !memcmp(whole.data, through.data, whole.len), "and every row came once");
	c->close(s);
	kit_proxy_stop(proxy);
}

static void test_doors(void)
{
	struct ent_host host = suite_host();
	struct ent_source *s = NULL;
	struct ent_err e = ENT_ERR_INIT;
	const struct ent_option none[] = { { "password-file", "/nonexistent" } };
	char ca[500];
	const struct ent_option trusted[] = { { "ca-file", ca } };
	host.timeout_ms = 2000;
	OK_INT(c->open(&host, "mongodb://127.0.0.1:1/x", NULL, 0, &s, &e), ENT_EIO, "nobody there: %s (%s)", e.what, e.why);
	OK_INT(c->open(&host, "mongodb://", NULL, 0, &s, &e), ENT_EUSAGE, "no address: %s (%s)", e.what, e.why);
	OK_INT(c->open(&host, url, none, 1, &s, &e), ENT_ENOTFOUND, "%s", e.what);
	char at[200];
	snprintf(at, sizeof at, "mongodb://0.0.0.0:%s/test", secured);
	OK_INT(c->open(&host, at, NULL, 0, &s, &e), ENT_EIO, "outside loopback TLS is verified: %s (%s)", e.what, e.why);
	OK(strstr(e.why, "certificate") && strstr(e.next, "tlsCAFile"), "and the way out is named: %s", e.next);
	snprintf(at, sizeof at, "mongodb://localhost:%s/test?tls=true", secured);
	OK_INT(c->open(&host, at, NULL, 0, &s, &e), ENT_EIO, "a certificate of somebody else: %s", e.why);
	snprintf(ca, sizeof ca, "%s/mongo/ca.crt", folder);
	OK(!c->open(&host, at, trusted, 1, &s, &e), "its authority is named: %s (%s)", e.what, e.why);
	c->close(s);
	s = NULL;
	snprintf(at, sizeof at, "mongodb://0.0.0.0:%s/test?tls=true", secured);
	OK_INT(c->open(&host, at, trusted, 1, &s, &e), ENT_EIO, "but another name than the certificate's: %s", e.why);
	snprintf(at, sizeof at, "mongodb://0.0.0.0%s?tls=false", strrchr(url, ':'));
	OK(!c->open(&host, at, NULL, 0, &s, &e), "unless the address says plain: %s (%s)", e.what, e.why);
	c->close(s);
}

/* --- the copy suite --- */

static void drop(const char *object)
{
	mongoc_collection_t *gone = mongoc_client_get_collection(client, "test", object);
	(void)mongoc_collection_drop(gone, NULL);
	mongoc_collection_destroy(gone);
}

/* id is kept as _id, as a copy does it. */
static void change_table(const char *object)
{
	bson_error_t e;
	mongoc_database_t *db = mongoc_client_get_database(client, "test");
	drop(object);
	mongoc_collection_t *made = mongoc_database_create_collection(db, object, NULL, &e);
	OK(made, "a collection to follow");
	mongoc_collection_destroy(made);
	mongoc_database_destroy(db);
	mongoc_collection_t *kept = mongoc_client_get_collection(client, "test", "_entente_schema");
	bson_t *key = BCON_NEW("_id", BCON_UTF8(object)), *opts = BCON_NEW("upsert", BCON_BOOL(true));
	bson_t *doc =
		BCON_NEW("_id", BCON_UTF8(object), "columns", "[", "{", "name", "id", "path", "_id", "type", "bigint", "native", "bson long", "key",
			 BCON_BOOL(true), "}", "{", "name", "v", "path", "v", "type", "text", "native", "bson string", "nullable", BCON_BOOL(true),
			 "}", "{", "name", "n", "path", "n", "type", "integer", "native", "bson int", "nullable", BCON_BOOL(true), "}", "]");
	OK(mongoc_collection_replace_one(kept, key, doc, opts, NULL, &e), "its columns");
	mongoc_collection_destroy(kept);
	bson_destroy(key);
	bson_destroy(doc);
	bson_destroy(opts);
}

static void many_insert(const char *object)
{
	mongoc_collection_t *to = mongoc_client_get_collection(client, "test", object);
	mongoc_bulk_operation_t *b = mongoc_collection_create_bulk_operation_with_opts(to, NULL);
	for (int k = 1; k <= 1000; k++) {
		bson_t *doc = BCON_NEW("_id", BCON_INT64(1000 + k), "v", "many", "n", BCON_INT32(k));
		mongoc_bulk_operation_insert(b, doc);
		bson_destroy(doc);
	}
	OK(mongoc_bulk_operation_execute(b, NULL, NULL), "1000 documents");
	mongoc_bulk_operation_destroy(b);
	mongoc_collection_destroy(to);
}

static void all_delete(const char *object)
{
	bson_t *all = bson_new();
	mongoc_collection_t *to = mongoc_client_get_collection(client, "test", object);
	OK(mongoc_collection_delete_many(to, all, NULL, NULL, NULL), "all documents go");
	mongoc_collection_destroy(to);
	bson_destroy(all);
}

static bool change(const char *object, enum suite_change step)
{
	switch (step) {
	case SUITE_CHANGE_INSERT:
		insert(object, "{\"_id\": {\"$numberLong\": \"1\"}, \"v\": \"one\", \"n\": 10}");
		insert(object, "{\"_id\": {\"$numberLong\": \"2\"}, \"v\": \"two\", \"n\": 20}");
		insert(object, "{\"_id\": {\"$numberLong\": \"3\"}, \"v\": null, \"n\": 30}");
		return true;
	case SUITE_CHANGE_UPDATE:
		run(object, "{\"_id\": 2}", "{\"$set\": {\"v\": \"zwei\"}}");
		return true;
	case SUITE_CHANGE_DELETE:
		run(object, "{\"_id\": 1}", NULL);
		return true;
	case SUITE_CHANGE_KEY:
		run(object, "{\"_id\": 3}", NULL);
		insert(object, "{\"_id\": {\"$numberLong\": \"30\"}, \"n\": 30}");
		return true;
	case SUITE_CHANGE_MANY:
		many_insert(object);
		return true;
	case SUITE_CHANGE_ADD:
		insert(object, "{\"_id\": {\"$numberLong\": \"40\"}, \"v\": \"forty\", \"n\": 40, \"extra\": \"more\"}");
		return true;
	case SUITE_CHANGE_TRUNCATE:
		all_delete(object);
		return true;
	case SUITE_CHANGE_LOSE:
		return false; /* the substitute forgets nothing */
	}
	return false;
}

static void run_copies(void)
{
	static const struct suite_copy_except excepts[] = { { "c_date", SUITE_PLUS_INFINITY, NULL }, { "c_date", SUITE_MINUS_INFINITY, NULL },
							    { "c_ts", SUITE_PLUS_INFINITY, NULL },   { "c_ts", SUITE_MINUS_INFINITY, NULL },
							    { "c_tstz", SUITE_PLUS_INFINITY, NULL }, { "c_tstz", SUITE_MINUS_INFINITY, NULL } };
	const struct suite_copy s = { .name = "MongoDB",
				      .connector = c,
				      .url = url,
				      .options = writing,
				      .n_options = 1,
				      .prefix = "",
				      .excepts = excepts,
				      .n_excepts = ENT_COUNT(excepts),
				      .drop = drop,
				      .change_table = change_table,
				      .change = change };
	suite_copy_run(&s);
}

int main(int argc, char **argv)
{
	if (argc != 5 || !(c = suite_module(argv[1])))
		return 2;
	url = argv[2];
	secured = argv[3];
	folder = argv[4];
	mongoc_init();
	client = mongoc_client_new(url);
	canonical_write();
	static struct suite_store store = {
		.name = "MongoDB", .keys = true, .ordered = true, .object = "t", .empty_object = "empty", .missing_object = "nothing"
	};
	store.url = store.empty_url = store.missing_url = store.hidden_url = url;
	insert("hidden", "{\"_id\": 1, \"id\": 1, \"odd\": [1]}");
	store.hidden_object = "hidden";
	suite_run(c, &store);
	test_documents();
	test_declared();
	many_make();
	test_splits();
	test_mixed_ids();
	test_unseen();
	test_copies();
	test_fence();
	test_cut();
	test_doors();
	test_changes();
	run_copies();
	mongoc_client_destroy(client);
	return tap_done();
}
