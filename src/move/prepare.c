#include "move/prepare.h"

#include <stdio.h>
#include <stdlib.h>

#include "arrow/rows.h"
#include "arrow/stream.h"
#include "crypto/hash.h"
#include "move/digest.h"
#include "move/rules_sql.h"

#define ARENA_BYTES ((size_t)64 << 20)

struct ent_source { /* what comes out, as a source of copies */
	const struct ent_engine *engine;
	struct ent_session *session;
	struct ent_rules_bound bound;
	struct ArrowSchema schema;
	int64_t rows;
};

struct preparing {
	const struct ent_move_prepare *what;
	const struct ent_move_env *env;
	struct ent_move_session from;
	struct ent_source out;
	struct ent_move_prepared result;
};

static int ask(const struct ent_source *s, const struct ent_buf *sql, size_t n_params, struct ArrowArrayStream *ret, struct ent_err *err)
{
	return s->engine->query(s->session, ent_buf_text(sql), s->bound.params, n_params, ret, err);
}

/* ---- rows on their way into the engine ---- */

struct inflow {
	struct preparing *p;
	struct ArrowArrayStream rows;
	struct ArrowSchema schema; /* as the source says */
	struct ent_move_digest digest;
	struct ent_buf row;
	uint64_t bytes;
};

static int inflow_digest(struct inflow *in, const struct ArrowArray *array, struct ent_err *err)
{
	ENT_BATCH_AUTO batch = { 0 };
	ENT_TRY(ent_batch_open_copy(&in->schema, array, &batch, err));
	for (size_t i = 0; i < batch.rows; i++) {
		ent_buf_reset(&in->row);
		ent_rows_put(&batch, i, &in->row);
		ENT_TRY(ent_buf_check(&in->row, err));
		ent_digest_put(&in->digest, ent_buf_bytes(&in->row));
		in->bytes += in->row.len;
	}
	return 0;
}

static int inflow_next(void *self, struct ArrowArray *ret, struct ent_err *err)
{
	struct inflow *in = self;
	struct preparing *p = in->p;
	ENT_ARRAY_AUTO array = { 0 };
	if (p->env->cancelled && p->env->cancelled(p->env->self))
		return ent_fail(err, ENT_ECANCELLED, "interrupted");
	ENT_TRY(ent_stream_next(&in->rows, &array, err));
	if (!array.release)
		return 0;
	ENT_TRY(inflow_digest(in, &array, err));
	struct ent_move_progress progress = { .phase = "read", .rows = in->digest.rows, .bytes = in->bytes, .rows_total = -1 };
	if (p->env->progress)
		p->env->progress(p->env->self, &progress);
	*ret = ent_array_take(&array);
	return 0;
}

static void fields_free(struct ent_field **f) { free(*f); }

/* The columns as the engine knows them: c0, c1 ... */
static int plain_schema(const struct ArrowSchema *from, struct ArrowSchema *ret, struct ent_err *err)
{
	size_t n = (size_t)from->n_children;
	char(*names)[24] = ent_alloc(n + 1, sizeof *names);
	ENT_CLEANUP(fields_free) struct ent_field *fields = ent_alloc(n + 1, sizeof *fields);
	int code = names && fields ? 0 : ent_nomem(err);
	for (size_t i = 0; !code && i < n; i++) {
		struct ent_field_info f;
		ent_schema_field(from, i, &f);
		snprintf(names[i], sizeof names[i], "c%zu", i);
		fields[i] = (struct ent_field){ .name = names[i], .type = f.type, .nullable = true, .format = from->children[i]->format };
	}
	if (!code)
		code = ent_schema_new(fields, n, NULL, ret, err);
	free(names);
	return code;
}

static bool is_wanted(const struct ent_move_prepare *w, const char *column)
{
	for (size_t i = 0; i < w->n_columns; i++)
		if (!strcmp(w->columns[i], column))
			return true;
	return !w->columns;
}

/* No column is left out without a word. */
static int check_columns(const struct preparing *p, struct ent_err *err)
{
	const struct ent_move_prepare *w = p->what;
	struct ent_object object = { .size = sizeof object };
	ENT_SCHEMA_AUTO all = { 0 };
	ENT_TRY(p->from.connector->describe(p->from.source, w->source.object, &all, &object, err));
	ENT_TRY(ent_schema_check(&all, err));
	for (size_t i = 0; i < w->n_columns; i++)
		if (ent_schema_find(&all, w->columns[i]) < 0)
			return ent_fail(err, ENT_ENOTFOUND, "%.300s has no column %.100s", w->source.name, w->columns[i]);
	for (size_t i = 0; i < (size_t)all.n_children; i++) {
		struct ent_field_info f;
		ent_schema_field(&all, i, &f);
		if (f.copied || !is_wanted(w, f.name))
			continue;
		ent_fail(err, ENT_EUNSUPPORTED, "column %.100s has no form that can be copied", f.name);
		ent_why(err, "%s", f.unsupported);
		return ent_next(err, "name the columns to prepare with --columns"), ENT_EUNSUPPORTED;
	}
	return 0;
}

static int load_rows(struct preparing *p, struct inflow *in, struct ent_err *err)
{
	static const struct ent_stream_ops ops = { inflow_next, NULL };
	const struct ent_read what = { .size = sizeof what,
				       .object = p->what->source.object,
				       .columns = p->what->columns,
				       .n_columns = p->what->n_columns,
				       .where = p->what->where };
	ENT_SCHEMA_AUTO plain = { 0 };
	ENT_STREAM_AUTO named = { 0 };
	ENT_TRY(check_columns(p, err));
	ENT_TRY(p->from.connector->read(p->from.source, &what, &in->rows, err));
	ENT_TRY(ent_stream_schema(&in->rows, &in->schema, err));
	ENT_TRY(ent_rules_bind(p->what->rules, &in->schema, p->out.bound.arena, &p->out.bound, err));
	ENT_TRY(plain_schema(&in->schema, &plain, err));
	ENT_TRY(ent_stream_new(&plain, &ops, in, &named, err));
	struct ArrowArrayStream given = ent_stream_take(&named);
	int code = p->out.engine->load(p->out.session, ENT_RULES_TABLE, &given, err);
	if (code == ENT_ENOMEM)
		ent_next(err, "prepare it in parts (--where), or raise memory_mb");
	return code;
}

/* The rules lend the names of the schema, so names are kept in the arena. */
static int keep_names(struct ent_rules_bound *b, struct ent_err *err)
{
	for (size_t i = 0; i < b->n_columns; i++) {
		b->names[i] = ent_arena_dup(b->arena, b->names[i]);
		b->as[i] = ent_arena_dup(b->arena, b->as[i]);
		if (!b->names[i] || !b->as[i])
			return ent_nomem(err);
	}
	return 0;
}

static int load(struct preparing *p, struct ent_err *err)
{
	struct inflow in = { .p = p, .row = ENT_BUF((size_t)128 << 20) };
	int code = load_rows(p, &in, err);
	if (!code)
		code = keep_names(&p->out.bound, err);
	p->result.rows_in = in.digest.rows;
	ent_digest_text(&in.digest, p->result.digest_in);
	ent_stream_release(&in.rows);
	ent_schema_release(&in.schema);
	ent_buf_deinit(&in.row);
	return code;
}

/* ---- what the engine is asked ---- */

static int each_row(struct ArrowArrayStream *stream, int (*fn)(void *arg, const struct ent_batch *b, size_t row, struct ent_err *err), void *arg,
		    struct ent_err *err)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_TRY(ent_stream_schema(stream, &schema, err));
	for (;;) {
		ENT_ARRAY_AUTO array = { 0 };
		ENT_BATCH_AUTO batch = { 0 };
		ENT_TRY(ent_stream_next(stream, &array, err));
		if (!array.release)
			return 0;
		ENT_TRY(ent_batch_open_copy(&schema, &array, &batch, err));
		for (size_t i = 0; i < batch.rows; i++)
			ENT_TRY(fn(arg, &batch, i, err));
	}
}

static int take_text(void *arg, const struct ent_batch *b, size_t row, struct ent_err *err)
{
	struct ent_bytes text = ent_view_text(&b->columns[0], row);
	json_t *one = ent_view_null(&b->columns[0], row) ? json_null() : json_stringn((const char *)text.data, text.len);
	return json_array_append_new(arg, one) ? ent_nomem(err) : 0;
}

/* The texts of a statement's one column, as an array under "samples" of o. */
static int add_samples(const struct preparing *p, const struct ent_buf *sql, size_t n_params, json_t *o, struct ent_err *err)
{
	ENT_STREAM_AUTO stream = { 0 };
	json_t *list = json_array();
	if (json_object_set_new(o, "samples", list))
		return ent_nomem(err);
	ENT_TRY(ask(&p->out, sql, n_params, &stream, err));
	return each_row(&stream, take_text, list, err);
}

#define SQL_AUTO ENT_CLEANUP(ent_buf_deinit) struct ent_buf

/* Patterns and formats are tried before any row is: a bad one is told by its column. */
static int try_texts(const struct preparing *p, struct ent_err *err)
{
	for (size_t i = 0; i < p->out.bound.n_steps; i++) {
		const struct ent_rules_step *s = &p->out.bound.steps[i];
		bool match = s->rule->kind == ENT_RULE_MATCH;
		const char *text = match ? s->rule->regex : s->rule->format;
		ENT_STREAM_AUTO stream = { 0 };
		struct ent_err why = ENT_ERR_INIT;
		if (!text)
			continue;
		const struct ent_param param = { "u", text };
		const char *sql = match ? "SELECT regexp_full_match('', $1)" : "SELECT try_strptime('', $1)";
		if (!p->out.engine->query(p->out.session, sql, &param, 1, &stream, &why))
			continue;
		ent_fail(err, ENT_EDATA, "rule %s of column %.100s: \"%.200s\" is no %s", ent_rule_name(s->rule->kind), s->column, text,
			 match ? "regular expression" : "format of dates");
		ent_why(err, "%s", why.why[0] ? why.why : why.what);
		return ent_next(err, match ? "the syntax is that of RE2, such as [A-Z]{2}[0-9]+" : "such as %%d.%%m.%%Y"), ENT_EDATA;
	}
	return 0;
}

struct counts {
	uint64_t *values;
	size_t n;
};

static int take_counts(void *arg, const struct ent_batch *b, size_t row, struct ent_err *err)
{
	struct counts *c = arg;
	if (b->n_columns != c->n)
		return ent_fail(err, ENT_EINTERNAL, "the engine counts other things than it was asked");
	for (size_t i = 0; i < c->n; i++)
		c->values[i] = (uint64_t)ent_view_int(&b->columns[i], row);
	return 0;
}

static int add_rule(const struct preparing *p, size_t i, uint64_t hits, json_t *list, struct ent_err *err)
{
	const struct ent_rules_step *s = &p->out.bound.steps[i];
	json_t *o = json_pack("{s:s,s:s,s:I,s:[]}", "column", s->column, "rule", ent_rule_name(s->rule->kind), "hits", (json_int_t)hits, "samples");
	bool faults = s->rule->kind == ENT_RULE_CAST || s->rule->kind == ENT_RULE_RANGE || s->rule->kind == ENT_RULE_MATCH;
	SQL_AUTO sql = ENT_BUF(ENT_RULES_SQL_MAX);
	size_t n;
	if (json_array_append_new(list, o))
		return ent_nomem(err);
	if (faults)
		json_object_set_new(o, "else", json_string(ent_rule_else_name(s->rule->otherwise)));
	if (!hits || !p->what->samples)
		return 0;
	ENT_TRY(ent_rules_sql_samples(&p->out.bound, i, p->what->samples, &sql, &n, err));
	return add_samples(p, &sql, n, o, err);
}

static int add_repeated(struct preparing *p, uint64_t rows, json_t *report, struct ent_err *err)
{
	const struct ent_rules *r = p->what->rules;
	json_t *by = r->whole_row ? json_string("rows") : json_array();
	json_t *o = json_pack("{s:o,s:I,s:[]}", "by", by, "rows", (json_int_t)rows, "samples");
	SQL_AUTO sql = ENT_BUF(ENT_RULES_SQL_MAX);
	size_t n;
	for (size_t i = 0; i < r->n_key; i++)
		json_array_append_new(by, json_string(r->key[i]));
	if (json_object_set_new(report, "repeated", o))
		return ent_nomem(err);
	if (!rows || !p->what->samples)
		return 0;
	ENT_TRY(ent_rules_sql_repeated(&p->out.bound, p->what->samples, &sql, &n, err));
	return add_samples(p, &sql, n, o, err);
}

static int count_row(void *arg, const struct ent_batch *b, size_t row, struct ent_err *err)
{
	(void)err;
	*(uint64_t *)arg = (uint64_t)ent_view_int(&b->columns[0], row);
	return 0;
}

/* Similar rows are found once and stay in the engine as a table. */
static int find_near(struct preparing *p, uint64_t *ret_rows, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(ENT_RULES_SQL_MAX);
	ENT_STREAM_AUTO found = { 0 };
	ENT_STREAM_AUTO counted = { 0 };
	size_t n;
	ENT_TRY(ent_rules_sql_near(&p->out.bound, &sql, &n, err));
	ENT_TRY(ask(&p->out, &sql, n, &found, err));
	struct ArrowArrayStream given = ent_stream_take(&found);
	ENT_TRY(p->out.engine->load(p->out.session, ENT_RULES_NEAR, &given, err));
	ENT_TRY(p->out.engine->query(p->out.session, "SELECT count(*) FROM " ENT_RULES_NEAR, NULL, 0, &counted, err));
	return each_row(&counted, count_row, ret_rows, err);
}

static int add_near(struct preparing *p, uint64_t *ret_dropped, json_t *report, struct ent_err *err)
{
	const struct ent_rules *r = p->what->rules;
	SQL_AUTO sql = ENT_BUF(ENT_RULES_SQL_MAX);
	uint64_t rows = 0;
	size_t n;
	*ret_dropped = 0;
	if (!r->near_column)
		return 0;
	ENT_TRY(find_near(p, &rows, err));
	*ret_dropped = r->near_drop ? rows : 0;
	json_t *o = json_pack("{s:s,s:i,s:s,s:I,s:[]}", "column", r->near_column, "percent", (int)r->near_percent, "else",
			      ent_rule_else_name(r->near_drop ? ENT_ELSE_DROP : ENT_ELSE_KEEP), "rows", (json_int_t)rows, "samples");
	if (json_object_set_new(report, "near", o))
		return ent_nomem(err);
	if (!rows || !p->what->samples)
		return 0;
	ENT_TRY(ent_rules_sql_near_samples(&p->out.bound, p->what->samples, &sql, &n, err));
	return add_samples(p, &sql, n, o, err);
}

static int count(struct preparing *p, struct counts *c, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(ENT_RULES_SQL_MAX);
	ENT_STREAM_AUTO stream = { 0 };
	size_t n;
	ENT_TRY(ent_rules_sql_counts(&p->out.bound, &sql, &n, err));
	ENT_TRY(ask(&p->out, &sql, n, &stream, err));
	return each_row(&stream, take_counts, c, err);
}

/* In the order of the file. */
static int add_rules(const struct preparing *p, const struct counts *c, json_t *list, struct ent_err *err)
{
	const struct ent_rules *r = p->what->rules;
	for (size_t column = 0; column < r->n_columns; column++)
		for (size_t i = 0; i < p->out.bound.n_steps; i++)
			if (!strcmp(p->out.bound.steps[i].column, r->columns[column].name))
				ENT_TRY(add_rule(p, i, c->values[3 + i], list, err));
	return 0;
}

static int make_report(struct preparing *p, const struct counts *c, struct ent_err *err)
{
	json_t *list = json_array(),
	       *report = json_pack("{s:I,s:I,s:o}", "rows_in", (json_int_t)c->values[0], "dropped", (json_int_t)c->values[1], "rules", list);
	uint64_t near = 0;
	p->result.report = report;
	if (!report)
		return ent_nomem(err);
	ENT_TRY(add_rules(p, c, list, err));
	if (p->out.bound.n_key)
		ENT_TRY(add_repeated(p, c->values[2], report, err));
	ENT_TRY(add_near(p, &near, report, err));
	p->result.rows_out = c->values[0] - c->values[1] - c->values[2] - near;
	p->out.rows = (int64_t)p->result.rows_out;
	return json_object_set_new(report, "rows_out", json_integer((json_int_t)p->result.rows_out)) ? ent_nomem(err) : 0;
}

static int examine(struct preparing *p, struct ent_err *err)
{
	struct ent_move_progress progress = { .phase = "rules", .rows = p->result.rows_in, .rows_total = (int64_t)p->result.rows_in };
	struct counts c = { .n = p->out.bound.n_steps + 3 };
	if (p->env->progress)
		p->env->progress(p->env->self, &progress);
	ENT_TRY(try_texts(p, err));
	c.values = ENT_NEWS(p->out.bound.arena, c.n, uint64_t);
	if (!c.values)
		return ent_nomem(err);
	ENT_TRY(count(p, &c, err));
	return make_report(p, &c, err);
}

/* ---- the result as a source ---- */

static void prepared_close(struct ent_source *s) { (void)s; }

static int prepared_describe(struct ent_source *s, const char *object, struct ArrowSchema *schema, struct ent_object *ret, struct ent_err *err)
{
	(void)object;
	ret->rows = s->rows;
	return ent_schema_dup(&s->schema, schema, err);
}

struct outflow { /* the statement runs when its first row is asked for */
	struct ent_source *source;
	struct ArrowArrayStream rows;
};

static void outflow_free(void *self)
{
	struct outflow *o = self;
	ent_stream_release(&o->rows);
	free(o);
}

static int outflow_next(void *self, struct ArrowArray *ret, struct ent_err *err)
{
	struct outflow *o = self;
	SQL_AUTO sql = ENT_BUF(ENT_RULES_SQL_MAX);
	size_t n;
	if (!o->rows.release) {
		ENT_TRY(ent_rules_sql_rows(&o->source->bound, false, &sql, &n, err));
		ENT_TRY(ask(o->source, &sql, n, &o->rows, err));
	}
	return ent_stream_next(&o->rows, ret, err);
}

static int prepared_read(struct ent_source *s, const struct ent_read *what, struct ArrowArrayStream *ret, struct ent_err *err)
{
	static const struct ent_stream_ops ops = { outflow_next, outflow_free };
	ENT_SCHEMA_AUTO schema = { 0 };
	if (what->where || what->columns || what->flags)
		return ent_fail(err, ENT_EUNSUPPORTED, "prepared rows have no conditions and no other columns");
	ENT_TRY(ent_schema_dup(&s->schema, &schema, err));
	struct outflow *o = ent_alloc(1, sizeof *o);
	if (!o)
		return ent_nomem(err);
	*o = (struct outflow){ .source = s };
	return ent_stream_new(&schema, &ops, o, ret, err);
}

static const struct ent_connector prepared = { .size = sizeof prepared,
					       .abi = ENT_CONNECTOR_ABI,
					       .name = "prepared",
					       .schemes = "",
					       .suffixes = "",
					       .dialect = "",
					       .capabilities = ENT_CAP_SNAPSHOT,
					       .close = prepared_close,
					       .describe = prepared_describe,
					       .read = prepared_read };

static int prepared_open(void *self, const struct ent_option *more, size_t n_more, struct ent_move_session *ret, struct ent_err *err)
{
	(void)more;
	if (n_more)
		return ent_fail(err, ENT_EUNSUPPORTED, "prepared rows take no options");
	*ret = (struct ent_move_session){ &prepared, self };
	return 0;
}

static int result_schema(struct preparing *p, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(ENT_RULES_SQL_MAX);
	ENT_STREAM_AUTO stream = { 0 };
	size_t n;
	ENT_TRY(ent_rules_sql_rows(&p->out.bound, true, &sql, &n, err));
	ENT_TRY(ask(&p->out, &sql, n, &stream, err));
	return ent_stream_schema(&stream, &p->out.schema, err);
}

/* ---- all of it ---- */

/* Other rules, columns or conditions make another job. */
static const char *job_name(const struct preparing *p)
{
	const struct ent_move_prepare *w = p->what;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf asked = ENT_BUF((size_t)1 << 20);
	uint8_t sha[ENT_SHA256_LEN];
	char hex[17];
	ent_buf_printf(&asked, "%s\n%s", w->rules->hash, w->where ? w->where : "");
	for (size_t i = 0; i < w->n_columns; i++)
		ent_buf_printf(&asked, "\n%s", w->columns[i]);
	ent_sha256(asked.data, asked.len, sha);
	ent_hex(hex, sha, 8);
	return asked.code ? NULL : ent_arena_printf(p->out.bound.arena, "%s (prepared, %s)", w->source.name, hex);
}

static int move_on(struct preparing *p, struct ent_err *err)
{
	const struct ent_move_prepare *w = p->what;
	const char *name = job_name(p);
	if (!name)
		return ent_nomem(err);
	const struct ent_move_copy copy = { .source = { &p->out, prepared_open, "", name },
					    .targets = &w->target,
					    .n_targets = 1,
					    .mode = w->mode,
					    .allow_lossy = w->allow_lossy,
					    .n_allow_lossy = w->n_allow_lossy,
					    .dry_run = w->dry_run,
					    .no_wire = true,
					    .parallel = 1 };
	ENT_TRY(result_schema(p, err));
	return ent_move_copy(&copy, p->env, &p->result.copy, err);
}

static int run(struct preparing *p, struct ent_err *err)
{
	const struct ent_move_prepare *w = p->what;
	if (w->mode == ENT_WRITE_UPSERT)
		return ent_fail(err, ENT_EUSAGE, "prepared rows are written by create, append or replace");
	if (!w->engine)
		return ent_fail(err, ENT_EUNSUPPORTED, "the embedded engine (module duckdb) is not installed");
	p->out.engine = w->engine;
	p->out.bound.arena = ent_arena_new(ARENA_BYTES);
	if (!p->out.bound.arena)
		return ent_nomem(err);
	ENT_TRY(w->source.open(w->source.self, NULL, 0, &p->from, err));
	if (!p->from.connector->read)
		return ent_fail(err, ENT_EUNSUPPORTED, "the module %s cannot read for copies", p->from.connector->name);
	ENT_TRY(w->engine->open(w->host, &p->out.session, err));
	ENT_TRY(load(p, err));
	ENT_TRY(examine(p, err));
	return move_on(p, err);
}

int ent_move_prepare(const struct ent_move_prepare *prepare, const struct ent_move_env *env, struct ent_move_prepared *ret, struct ent_err *err)
{
	struct preparing p = { .what = prepare, .env = env };
	int code = run(&p, err);
	*ret = p.result;
	ent_schema_release(&p.out.schema);
	if (p.out.session)
		prepare->engine->close(p.out.session);
	if (p.from.source)
		p.from.connector->close(p.from.source);
	ent_arena_free(p.out.bound.arena);
	return code;
}
