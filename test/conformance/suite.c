/* The conformance suite itself. */
#include "suite.h"

#include <dlfcn.h>
#include <stdlib.h>

const char *const suite_names[SUITE_COLUMNS] = { "id", "flag", "small", "int", "big", "money", "real", "dbl", "day", "at", "instant", "Text \"q\"" };
const char *const suite_types[SUITE_COLUMNS] = { "integer",
						 "boolean",
						 "smallint",
						 "integer",
						 "bigint",
						 "decimal(12,2)",
						 "real",
						 "double precision",
						 "date",
						 "timestamp without time zone",
						 "timestamp with time zone",
						 "text" };
const char *const suite_rows[SUITE_ROWS][SUITE_COLUMNS] = {
	{ "1", "true", "7", "70000", "5000000000", "12.34", "0.5", "0.1", "2024-02-29", "2024-02-29 12:34:56.789012", "2024-02-29 12:34:56.789012+00",
	  "plain" },
	{ "2", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL },
	{ "3", "false", "-32768", "-2147483648", "-9223372036854775808", "-9999999999.99", "-3.4028235e+38", "-1.7976931348623157e+308", "0001-01-01",
	  "0001-01-01 00:00:00", "0001-01-01 00:00:00+00", "" },
	{ "4", "true", "32767", "2147483647", "9223372036854775807", "9999999999.99", "3.4028235e+38", "5e-324", "9999-12-31",
	  "9999-12-31 23:59:59.999999", "9999-12-31 23:59:59.999999+00", "\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x98\x80 \"quoted\", line\nbreak; it's" },
	{ "5", "false", "0", "0", "0", "0.00", "-0", "-0", "1970-01-01", "1970-01-01 00:00:00", "1970-01-01 00:00:00+00", "LONG" },
};

static void value_literal(struct ent_buf *out, const char *value, const char *type)
{
	if (!value) {
		ent_buf_str(out, "NULL");
		return;
	}
	if (!strcmp(value, "LONG")) {
		ent_buf_printf(out, "repeat('x', %u)", SUITE_LONG_TEXT);
		return;
	}
	ent_buf_str(out, type ? "CAST('" : "'");
	for (const char *p = value; *p; p++) {
		if (*p == '\'')
			ent_buf_u8(out, '\'');
		ent_buf_u8(out, (uint8_t)*p);
	}
	if (type)
		ent_buf_printf(out, "' AS %s)", type);
	else
		ent_buf_str(out, "'");
}

void suite_values(struct ent_buf *out, bool casts)
{
	for (size_t r = 0; r < SUITE_ROWS; r++) {
		for (size_t c = 0; c < SUITE_COLUMNS; c++) {
			ent_buf_str(out, c ? ", " : r ? "), (" : "(");
			value_literal(out, suite_rows[r][c], casts ? suite_types[c] : NULL);
		}
	}
	ent_buf_str(out, ")");
}

/* --- host --- */

int suite_cancel_after = -1;
uint32_t suite_timeout_ms = 20000;
const char *suite_home;
const struct ent_connector *(*suite_files)(void *self, const char *suffix);

static int host_cancelled(void *self)
{
	(void)self;
	return suite_cancel_after >= 0 && suite_cancel_after-- == 0 ? (suite_cancel_after = 0, 1) : 0;
}

static void host_log(void *self, int level, const char *event, const char *pairs)
{
	(void)self;
	printf("# log %d %s %s\n", level, event, pairs);
}

struct ent_host suite_host(void)
{
	return (struct ent_host){ .size = sizeof(struct ent_host),
				  .log = host_log,
				  .cancelled = host_cancelled,
				  .memory_bytes_max = (uint64_t)512 << 20,
				  .threads_max = 2,
				  .timeout_ms = suite_timeout_ms,
				  .home_path = suite_home,
				  .files = suite_files };
}

static void *module_symbol(const char *path, const char *name)
{
	void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!module)
		printf("# %s\n", dlerror());
	void *found = module ? dlsym(module, name) : NULL;
	OK(found, "%s exports %s", strrchr(path, '/'), name);
	return found;
}

const struct ent_connector *suite_module(const char *path)
{
	ent_connector_entry_fn entry;
	void *found = module_symbol(path, "ent_connector_entry");
	memcpy(&entry, &found, sizeof entry);
	return found ? entry() : NULL;
}

const struct ent_engine *suite_engine(const char *path)
{
	ent_engine_entry_fn entry;
	void *found = module_symbol(path, "ent_engine_entry");
	memcpy(&entry, &found, sizeof entry);
	return found ? entry() : NULL;
}

/* --- the canonical table --- */

static bool same_value(const char *got, const char *want, struct ent_type t, const char *want_type)
{
	double a, b;
	if (!strcmp(got, want))
		return true;
	char name[ENT_TYPE_TEXT_MAX];
	ent_type_name(t, name);
	if (!strcmp(name, want_type) || !ent_type_is_float(t))
		return false; /* the joint type itself: exact */
	if (!ent_real_parse(ent_bytes_str(got), &a) || !ent_real_parse(ent_bytes_str(want), &b))
		return false;
	return !memcmp(&a, &b, sizeof a) || (!strcmp(want_type, "real") && (float)a == (float)b);
}

struct seen {
	const struct suite_store *store;
	size_t rows, bad;
};

static const char *long_text(void)
{
	static char *text;
	if (!text && (text = malloc(SUITE_LONG_TEXT + 1))) {
		memset(text, 'x', SUITE_LONG_TEXT);
		text[SUITE_LONG_TEXT] = 0;
	}
	return text;
}

static void cell_check(struct seen *s, const struct ent_view *v, size_t row, size_t id, size_t col)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf got = ENT_BUF(2u << 20);
	const char *want = suite_rows[id - 1][col];
	if (want && !strcmp(want, "LONG"))
		want = long_text();
	if (want && s->store->positive_zero && !strcmp(want, "-0"))
		want = "0";
	ent_value_put(v, row, &got);
	if (s->store->no_zone && v->type.id == ENT_T_TIMESTAMP && !strcmp(suite_names[col], "instant"))
		ent_buf_str(&got, "+00");
	if (ent_view_null(v, row) == !want && (!want || same_value(ent_buf_text(&got), want, v->type, suite_types[col])))
		return;
	printf("# row %zu column %s: got %.80s, want %.80s\n", id, suite_names[col], ent_view_null(v, row) ? "NULL" : ent_buf_text(&got),
	       want ? want : "NULL");
	s->bad++;
}

static int rows_check(void *arg, const struct ent_batch *b, struct ent_err *err)
{
	struct seen *s = (struct seen *)arg;
	(void)err;
	for (size_t r = 0; r < b->rows; r++) {
		size_t id = (size_t)ent_view_int(&b->columns[0], r);
		s->rows++;
		if (id < 1 || id > SUITE_ROWS || (s->store->ordered && id != s->rows)) {
			printf("# unexpected row %zu at %zu\n", id, s->rows);
			s->bad++;
			continue;
		}
		for (size_t c = 0; c < SUITE_COLUMNS; c++)
			cell_check(s, &b->columns[c], r, id, c);
	}
	return 0;
}

static void check_scan(const struct ent_connector *c, struct ent_source *src, const struct suite_store *s)
{
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	struct seen seen = { .store = s };
	struct ent_err e = ENT_ERR_INIT;
	OK(!c->scan(src, s->object, suite_names, SUITE_COLUMNS, &stream, &e), "%s: scan %s %s", s->name, e.what, e.why);
	if (!stream.release || !OK(!ent_stream_schema(&stream, &schema, &e), "%s: schema of the scan %s", s->name, e.what))
		return;
	OK(!ent_stream_each(&stream, &schema, rows_check, &seen, &e), "%s: batches validate %s %s", s->name, e.what, e.why);
	OK_INT(seen.rows, SUITE_ROWS, "%s: every row once", s->name);
	OK_INT(seen.bad, 0, "%s: every value as written", s->name);
}

static void check_describe(const struct ent_connector *c, struct ent_source *src, const struct suite_store *s)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_object o = { .size = sizeof o };
	struct ent_err e = ENT_ERR_INIT;
	if (!OK(!c->describe(src, s->object, &schema, &o, &e), "%s: describe %s %s", s->name, e.what, e.why))
		return;
	OK_INT(ent_schema_check(&schema, NULL), 0, "%s: its schema validates", s->name);
	OK_INT(schema.n_children, SUITE_COLUMNS, "%s: columns", s->name);
	for (size_t i = 0; i < SUITE_COLUMNS && (int64_t)i < schema.n_children; i++) {
		struct ent_field_info f;
		char type[ENT_TYPE_TEXT_MAX] = "";
		int at = s->own_order ? ent_schema_find(&schema, suite_names[i]) : (int)i;
		ent_schema_field(&schema, at < 0 ? i : (size_t)at, &f);
		ent_type_name(f.type, type);
		OK_STR(f.name, suite_names[i], "%s: name of column %zu", s->name, i);
		OK_STR(f.unsupported[0] ? f.unsupported : type, s->types[i] ? s->types[i] : suite_types[i], "%s: type of %s", s->name, f.name);
		OK(f.native[0], "%s: native type of %s is %s", s->name, f.name, f.native);
	}
	char keys[100] = "";
	ent_metadata_get(schema.metadata, ENT_META_KEYS, keys, sizeof keys);
	OK_STR(keys, s->keys ? "id" : "", "%s: keys", s->name);
	OK(o.relation[0] && (o.rows == SUITE_ROWS || o.rows == -1), "%s: relation %s, %lld rows", s->name, o.relation, (long long)o.rows);
}

static void check_columns(const struct ent_connector *c, struct ent_source *src, const struct suite_store *s)
{
	ENT_STREAM_AUTO two = { 0 }, none = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	const char *const pair[] = { suite_names[11], suite_names[0] }, *const wrong[] = { "nosuch" };
	struct ent_err e = ENT_ERR_INIT;
	OK(!c->scan(src, s->object, pair, 2, &two, &e), "%s: two columns %s", s->name, e.what);
	if (two.release && !ent_stream_schema(&two, &schema, &e))
		OK(schema.n_children == 2 && !strcmp(schema.children[0]->name, suite_names[11]), "%s: in the order asked for", s->name);
	ent_stream_release(&two);
	OK_INT(c->scan(src, s->object, wrong, 1, &none, &e), ENT_ENOTFOUND, "%s: unknown column: %s", s->name, e.what);
	OK(strstr(e.what, "nosuch"), "%s: by name", s->name);
	OK(!none.release, "%s: nothing handed over", s->name);
}

static int drain(struct ArrowArrayStream *stream, size_t *ret_rows, struct ent_err *e)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	*ret_rows = 0;
	ENT_TRY(ent_stream_schema(stream, &schema, e));
	for (;;) {
		ENT_ARRAY_AUTO a = { 0 };
		ENT_BATCH_AUTO b = { 0 };
		ENT_TRY(ent_stream_next(stream, &a, e));
		if (!a.release)
			return 0;
		ENT_TRY(ent_batch_open(&schema, &a, &b, e));
		*ret_rows += b.rows;
	}
}

static void check_cancel(const struct ent_connector *c, struct ent_source *src, const struct suite_store *s)
{
	struct ent_err e = ENT_ERR_INIT;
	int code = 0;
	for (int after = 0; after < 2; after++) {
		ENT_STREAM_AUTO stream = { 0 };
		size_t rows;
		suite_cancel_after = after;
		code = c->scan(src, s->object, suite_names, SUITE_COLUMNS, &stream, &e);
		if (!code)
			code = drain(&stream, &rows, &e);
		OK_INT(code, ENT_ECANCELLED, "%s: cancelled after %d polls", s->name, after);
	}
	suite_cancel_after = -1;
	ENT_STREAM_AUTO again = { 0 };
	size_t rows = 0;
	OK(!c->scan(src, s->object, suite_names, 1, &again, &e) && !drain(&again, &rows, &e), "%s: and the source still works %s", s->name, e.what);
	OK_INT(rows, SUITE_ROWS, "%s: with all rows", s->name);
}

static void check_query(const struct ent_connector *c, const struct suite_store *s)
{
	struct ent_err e = ENT_ERR_INIT;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 20);
	const struct ent_param params[] = { { "l", "0" },
					    { "d:12,2", "12.34" },
					    { "u", "it's" },
					    { "tdD", "2024-02-29" },
					    { "b", "true" },
					    { "g", "0.1" },
					    { "tsu:", "2024-02-29 12:34:56.789012" },
					    { "tsu:UTC", "2024-02-29 12:34:56.789012+00" },
					    { "i", "70000" },
					    { "s", "7" },
					    { "l", NULL } };
	static const char sql[] =
		"SELECT CAST(COUNT(*) AS bigint) AS n FROM @ AS t WHERE t.big > $1 AND t.money = $2 AND $3 <> '' AND t.day = $4 AND t.flag = $5 "
		"AND t.dbl = $6 AND t.at = $7 AND t.instant = $8 AND t.\"int\" = $9 AND t.small = $10 AND CAST($11 AS bigint) IS NULL";
	if (!c->query)
		return;
	OK_INT(suite_query_text(c, s->url, s->object, sql, params, 11, &out, &e), 0, "%s: every kind of parameter %s %s", s->name, e.what, e.why);
	OK_STR(ent_buf_text(&out), "1", "%s: finds the row", s->name);
	ent_buf_reset(&out);
	OK_INT(suite_query_text(c, s->url, s->object, "SELECT 7/2 AS a", NULL, 0, &out, &e), 0, "%s: %s", s->name, e.what);
	OK_STR(ent_buf_text(&out), "3", "%s: integer division", s->name);
	ent_buf_reset(&out);
	OK_INT(suite_query_text(c, s->url, s->object, "SELECT t.id FROM @ AS t ORDER BY t.\"int\" DESC, t.id LIMIT 1", NULL, 0, &out, &e), 0);
	OK_STR(ent_buf_text(&out), "2", "%s: NULL first where descending", s->name);
	OK(suite_query_text(c, s->url, s->object, "SELEC 1", NULL, 0, &out, &e) == ENT_ESQL, "%s: broken SQL: %s", s->name, e.why);
	int code = suite_query_text(c, s->url, s->object, "DELETE FROM @", NULL, 0, &out, &e);
	OK(code == ENT_EDENIED || code == ENT_ESQL, "%s: no writing: %s %s", s->name, e.what, e.why);
}

static void check_odd_places(const struct ent_connector *c, const struct suite_store *s)
{
	struct ent_err e = ENT_ERR_INIT;
	size_t rows = 99;
	if (s->empty_url) {
		OK_INT(suite_scan_count(c, s->empty_url, s->empty_object, "id", &rows, &e), 0, "%s: empty table %s", s->name, e.what);
		OK_INT(rows, 0, "%s: has no rows", s->name);
	}
	OK_INT(suite_open_describe(c, s->missing_url, s->missing_object, s->options, s->n_options, &e), ENT_ENOTFOUND, "%s: missing: %s", s->name,
	       e.what);
	if (s->bad_url)
		OK_INT(suite_open_describe(c, s->bad_url, s->bad_object, s->options, s->n_options, &e), ENT_EDATA, "%s: broken: %s (%s)", s->name,
		       e.what, e.why);
	if (s->hidden_url) {
		OK_INT(suite_scan_count(c, s->hidden_url, s->hidden_object, "odd", &rows, &e), ENT_EUNSUPPORTED, "%s: odd column: %s", s->name,
		       e.what);
		OK(strstr(e.what, "odd"), "%s: by name", s->name);
		OK_INT(suite_scan_count(c, s->hidden_url, s->hidden_object, "id", &rows, &e), 0, "%s: its neighbour is read %s", s->name, e.what);
	}
	const struct ent_option odd[] = { { "nosuch", "1" } };
	OK_INT(suite_open_describe(c, s->url, s->object, odd, 1, &e), ENT_EUSAGE, "%s: unknown option: %s", s->name, e.what);
}

void suite_run(const struct ent_connector *c, const struct suite_store *s)
{
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	struct ent_err e = ENT_ERR_INIT;
	OK(c->size == sizeof *c && c->abi == ENT_CONNECTOR_ABI && !c->query == !(c->capabilities & ENT_CAP_SQL), "%s: the table of functions",
	   s->name);
	c->close(NULL);
	if (!OK(!c->open(&host, s->url, s->options, s->n_options, &src, &e), "%s: open %s (%s)", s->name, e.what, e.why))
		return;
	check_describe(c, src, s);
	check_scan(c, src, s);
	check_columns(c, src, s);
	check_cancel(c, src, s);
	c->close(src);
	check_query(c, s);
	check_odd_places(c, s);
}

/* --- one step at a time --- */

int suite_open(const struct ent_connector *c, const char *url, const struct ent_option *options, size_t n_options, struct ent_err *e)
{
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	int code = c->open(&host, url, options, n_options, &src, e);
	c->close(src);
	return code;
}

int suite_open_describe(const struct ent_connector *c, const char *url, const char *object, const struct ent_option *options, size_t n_options,
			struct ent_err *e)
{
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_object o = { .size = sizeof o };
	int code = c->open(&host, url, options, n_options, &src, e);
	if (!code)
		code = c->describe(src, object, &schema, &o, e);
	c->close(src);
	return code;
}

int suite_scan_count(const struct ent_connector *c, const char *url, const char *object, const char *column, size_t *ret_rows, struct ent_err *e)
{
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	ENT_STREAM_AUTO stream = { 0 };
	int code = c->open(&host, url, NULL, 0, &src, e);
	if (!code)
		code = c->scan(src, object, &column, 1, &stream, e);
	if (!code)
		code = drain(&stream, ret_rows, e);
	ent_stream_release(&stream);
	c->close(src);
	return code;
}

static int values_put(void *arg, const struct ent_batch *b, struct ent_err *err)
{
	struct ent_buf *out = (struct ent_buf *)arg;
	for (size_t r = 0; r < b->rows; r++) {
		for (size_t c = 0; c < b->n_columns; c++) {
			ent_buf_str(out, c ? "," : out->len ? ";" : "");
			if (ent_view_null(&b->columns[c], r))
				ent_buf_str(out, "NULL");
			ent_value_put(&b->columns[c], r, out);
		}
	}
	return ent_buf_check(out, err);
}

/* '@' in sql becomes the relation. Values come out as "a,b;c,d". */
int suite_query_text(const struct ent_connector *c, const char *url, const char *object, const char *sql, const struct ent_param *params, size_t n,
		     struct ent_buf *out, struct ent_err *e)
{
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO described = { 0 }, schema = { 0 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(65536);
	struct ent_object o = { .size = sizeof o };
	int code = c->open(&host, url, NULL, 0, &src, e);
	if (!code)
		code = c->describe(src, object, &described, &o, e);
	for (const char *p = sql; *p; p++)
		ent_buf_printf(&text, *p == '@' ? "%s" : "%.1s", *p == '@' ? o.relation : p);
	if (!code)
		code = c->query(src, object, ent_buf_text(&text), params, n, &stream, e);
	if (!code)
		code = ent_stream_schema(&stream, &schema, e);
	if (!code)
		code = ent_stream_each(&stream, &schema, values_put, out, e);
	ent_stream_release(&stream);
	c->close(src);
	return code;
}

int suite_open_code(const struct ent_connector *c, const char *url, const struct ent_option *options, size_t n_options, struct ent_err *e)
{
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	int code = c->open(&host, url, options, n_options, &src, e);
	c->close(src);
	return code;
}

struct ent_source *suite_given_up(const struct ent_connector *c, const char *url, const char *object)
{
	struct ent_err e = ENT_ERR_INIT;
	size_t rows = 0;
	OK_INT(suite_scan_count(c, url, object, "s", &rows, &e), 0, "%s %s", e.what, e.why);
	OK_INT(rows, 200000, "every row over several batches");
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	const char *const column = "v";
	OK(!c->open(&host, url, NULL, 0, &src, &e), "%s", e.what);
	for (int i = 0; i < 3; i++) {
		ENT_STREAM_AUTO stream = { 0 };
		struct ArrowArray a = { 0 };
		OK(!c->scan(src, object, &column, 1, &stream, &e) && !ent_stream_next(&stream, &a, &e), "%s %s", e.what, e.why);
		ent_array_release(&a);
	}
	return src;
}
