/* Rows as Arrow streams: whole tables by COPY BINARY, statements with parameters row by row in binary (COPY takes no parameters). */
#include <stdio.h>
#include <stdlib.h>

#include "pg.h"

struct feed { /* one open stream */
	struct ent_source *source;
	struct ArrowSchema schema;
	struct ent_builder *builder;
	struct ent_pg_column *columns;
	size_t n_columns;
	struct ent_pg_copy copy;
	bool copying, ended, wire;
	size_t n_wire;   /* columns of a tuple */
	PGresult *first; /* a row already taken to learn the types */
	uint64_t rows;
};

static void feed_free(void *self)
{
	struct feed *f = (struct feed *)self;
	if (!f)
		return;
	if (!f->ended)
		ent_pg_abandon(f->source);
	f->source->busy = false;
	PQclear(f->first);
	ent_pg_copy_deinit(&f->copy);
	ent_builder_free(f->builder);
	ent_schema_release(&f->schema);
	free(f->columns);
	free(f);
}
static void feed_freep(struct feed **f) { feed_free(*f); }

static int feed_new(struct ent_source *s, size_t n_columns, struct feed **ret, struct ent_err *err)
{
	if (s->busy)
		return ent_fail(err, ENT_EINTERNAL, "a stream of this source is still open");
	struct feed *f = (struct feed *)calloc(1, sizeof *f);
	if (!f)
		return ent_nomem(err);
	f->source = s;
	f->ended = true; /* nothing runs yet */
	f->n_columns = n_columns;
	f->columns = (struct ent_pg_column *)calloc(n_columns + 1, sizeof *f->columns);
	*ret = f;
	s->busy = true;
	return f->columns ? 0 : ent_nomem(err);
}

/* --- COPY --- */

/* The server sends one tuple in a message, the header before the first, the trailer alone. */
static int wire_put(struct feed *f, struct ent_bytes piece, struct ent_err *err)
{
	size_t head = 0;
	if (!f->copy.header) {
		ENT_TRY(ent_pg_copy_header(piece, &head, err));
		if (!head)
			return ent_fail(err, ENT_EDATA, "PostgreSQL sent a broken COPY stream");
		f->copy.header = true;
		piece = ent_bytes(piece.data + head, piece.len - head);
	}
	if (piece.len == 2 && piece.data[0] == 0xff && piece.data[1] == 0xff)
		f->copy.done = true;
	if (!piece.len || f->copy.done)
		return 0;
	ENT_TRY(ent_pg_tuple_check(piece, f->n_wire, err));
	return ent_builder_text(f->builder, 0, piece, err);
}

/* The next piece of COPY data into the builder; ended at the end. */
static int copy_step(struct feed *f, struct ent_err *err)
{
	char *piece = NULL;
	uint64_t since = 0;
	int n;
	while ((n = PQgetCopyData(f->source->con, &piece, 1)) == 0)
		ENT_TRY(ent_pg_more(f->source, &since, err));
	if (n > 0) {
		struct ent_bytes bytes = ent_bytes(piece, (size_t)n);
		int code = f->wire ? wire_put(f, bytes, err) : ent_pg_copy_feed(&f->copy, bytes, f->builder, err);
		PQfreemem(piece);
		return code;
	}
	ENT_CLEANUP(ent_pg_clear) PGresult *end = PQgetResult(f->source->con);
	if (n < -1 || PQresultStatus(end) != PGRES_COMMAND_OK)
		return ent_pg_fail(f->source, end, "reading the table stopped", err);
	for (PGresult *rest = PQgetResult(f->source->con); rest; rest = PQgetResult(f->source->con))
		PQclear(rest);
	f->ended = true;
	return f->copy.done ? 0 : ent_fail(err, ENT_EIO, "PostgreSQL ended the table in the middle");
}

/* --- row by row --- */

static int row_put(struct feed *f, const PGresult *r, struct ent_err *err)
{
	f->rows++;
	for (size_t i = 0; i < f->n_columns; i++) {
		const uint8_t *data = PQgetisnull(r, 0, (int)i) ? NULL : (const uint8_t *)PQgetvalue(r, 0, (int)i);
		ENT_TRY(ent_pg_value_put(f->builder, i, &f->columns[i], f->rows, data, (size_t)PQgetlength(r, 0, (int)i), err));
	}
	return 0;
}

static int row_step(struct feed *f, struct ent_err *err)
{
	ENT_CLEANUP(ent_pg_clear) PGresult *r = f->first;
	f->first = NULL;
	if (!r) {
		ENT_TRY(ent_pg_wait(f->source, err));
		r = PQgetResult(f->source->con);
	}
	if (r && PQresultStatus(r) == PGRES_SINGLE_TUPLE)
		return row_put(f, r, err);
	if (!r || PQresultStatus(r) != PGRES_TUPLES_OK)
		return ent_pg_fail(f->source, r, "reading rows stopped", err);
	for (PGresult *rest = PQgetResult(f->source->con); rest; rest = PQgetResult(f->source->con))
		PQclear(rest);
	f->ended = true;
	return 0;
}

static int feed_next(void *self, struct ArrowArray *ret, struct ent_err *err)
{
	struct feed *f = (struct feed *)self;
	const struct ent_host *host = &f->source->host;
	if (host->cancelled && host->cancelled(host->self))
		return ent_fail(err, ENT_ECANCELLED, "reading from PostgreSQL was cancelled");
	while (!f->ended && !ent_builder_full(f->builder))
		ENT_TRY(f->copying ? copy_step(f, err) : row_step(f, err));
	return ent_builder_rows(f->builder) ? ent_builder_finish(f->builder, ret, err) : 0;
}

static const struct ent_stream_ops feed_ops = { feed_next, feed_free };

/* Hands the feed over as a stream; consumes it in any case. */
static int feed_hand_over(struct feed **f, struct ArrowArrayStream *ret, struct ent_err *err)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_TRY(ent_schema_dup(&(*f)->schema, &schema, err));
	struct feed *given = *f;
	*f = NULL;
	return ent_stream_new(&schema, &feed_ops, given, ret, err);
}

/* --- scan --- */

/* Column i of the scan: its field, wire kind and place in the SELECT list. */
static int scan_column(struct feed *f, const struct ent_pg_table *t, const char *name, size_t i, struct ent_field *field, struct ent_err *err)
{
	static const enum ent_pg_kind kinds[ENT_T_COUNT] = { [ENT_T_BOOL] = ENT_PG_BOOL,
							     [ENT_T_INT16] = ENT_PG_INT2,
							     [ENT_T_INT32] = ENT_PG_INT4,
							     [ENT_T_INT64] = ENT_PG_INT8,
							     [ENT_T_DECIMAL] = ENT_PG_NUMERIC,
							     [ENT_T_REAL] = ENT_PG_FLOAT4,
							     [ENT_T_DOUBLE] = ENT_PG_FLOAT8,
							     [ENT_T_DATE] = ENT_PG_DATE,
							     [ENT_T_TIMESTAMP] = ENT_PG_TIMESTAMP,
							     [ENT_T_TIMESTAMPTZ] = ENT_PG_TIMESTAMP,
							     [ENT_T_TEXT] = ENT_PG_TEXT };
	struct ent_field_info info;
	int at = ent_schema_find(&t->schema, name);
	if (at < 0)
		return ent_fail(err, ENT_ENOTFOUND, "there is no column %.200s", name);
	ent_schema_field(&t->schema, (size_t)at, &info);
	if (info.unsupported[0])
		return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be read: %s", name, info.unsupported);
	f->columns[i] = (struct ent_pg_column){ t->schema.children[at]->name, kinds[info.type.id], false };
	*field = (struct ent_field){ .name = t->schema.children[at]->name, .type = info.type, .nullable = info.nullable };
	return 0;
}

static int copy_start(struct feed *f, const char *sql, struct ent_err *err)
{
	ENT_TRY(ent_pg_copy_begin(f->source, sql, PGRES_COPY_OUT, "the table cannot be read", err));
	f->ended = false;
	f->copying = true;
	ent_pg_copy_init(&f->copy, f->columns, f->n_columns);
	return 0;
}

static int scan_start(struct feed *f, const struct ent_pg_table *t, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)2 << 20);
	ent_buf_str(&sql, "COPY (SELECT ");
	for (size_t i = 0; i < f->n_columns; i++) {
		ent_buf_str(&sql, i ? ", " : "");
		ent_pg_name(&sql, f->columns[i].name);
	}
	ent_buf_printf(&sql, " FROM (%s) AS t) TO STDOUT (FORMAT binary)", ent_buf_text(&t->select));
	ENT_TRY(ent_buf_check(&sql, err));
	return copy_start(f, ent_buf_text(&sql), err);
}

static void fields_free(struct ent_field **f) { free(*f); }

int ent_pg_scan(struct ent_source *s, const struct ent_pg_table *t, const char *const *columns, size_t n_columns, struct ArrowArrayStream *ret,
		struct ent_err *err)
{
	ENT_CLEANUP(feed_freep) struct feed *f = NULL;
	ENT_CLEANUP(fields_free) struct ent_field *fields = (struct ent_field *)calloc(n_columns + 1, sizeof *fields);
	if (!fields)
		return ent_nomem(err);
	if (!n_columns)
		return ent_fail(err, ENT_EUSAGE, "a scan needs at least one column");
	ENT_TRY(feed_new(s, n_columns, &f, err));
	for (size_t i = 0; i < n_columns; i++)
		ENT_TRY(scan_column(f, t, columns[i], i, &fields[i], err));
	ENT_TRY(ent_schema_new(fields, n_columns, NULL, &f->schema, err));
	ENT_TRY(ent_builder_new(&f->schema, 0, &f->builder, err));
	ENT_TRY(scan_start(f, t, err));
	return feed_hand_over(&f, ret, err);
}

struct bound {
	Oid *oids;
	const char **values;
};
static void bound_deinit(struct bound *b)
{
	free(b->oids);
	free(b->values);
}

/* A statement whose rows come one by one, in binary. */
static int rows_start(struct feed *f, const char *sql, size_t n_params, const struct bound *b, struct ent_err *err)
{
	struct ent_source *s = f->source;
	if (!PQsendQueryParams(s->con, sql, (int)n_params, b->oids, b->values, NULL, NULL, 1) || !PQsetSingleRowMode(s->con))
		return ent_pg_fail(s, NULL, "the statement cannot be sent", err);
	f->ended = false;
	ENT_TRY(ent_pg_wait(s, err));
	f->first = PQgetResult(s->con);
	ExecStatusType status = PQresultStatus(f->first);
	if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK)
		return ent_pg_fail(s, f->first, "PostgreSQL refuses the statement", err);
	return 0;
}

/* --- read --- */

struct chosen { /* columns of a read, by their place in the table */
	size_t *at, n;
};
static void chosen_deinit(struct chosen *c) { free(c->at); }

static int chosen_make(const struct ent_pg_table *t, const struct ent_read *what, struct chosen *c, struct ent_err *err)
{
	c->n = what->columns ? what->n_columns : t->n_fields;
	if (!(c->at = (size_t *)calloc(c->n + 1, sizeof *c->at)))
		return ent_nomem(err);
	if (!c->n || c->n > ENT_COLUMNS_MAX)
		return ent_fail(err, ENT_EUSAGE, "a copy needs at least one column");
	for (size_t i = 0; i < c->n; i++) {
		int at = what->columns ? ent_pg_field_find(t, what->columns[i]) : (int)i;
		if (at < 0)
			return ent_fail(err, ENT_ENOTFOUND, "there is no column %.200s", what->columns[i]);
		c->at[i] = (size_t)at;
	}
	return 0;
}

static bool key_chosen(const struct ent_pg_table *t, const struct chosen *c, const char *line, size_t len)
{
	for (size_t from = 0, end; from <= len; from = end + 1) {
		bool found = false;
		for (end = from; end < len && line[end] != '\t'; end++)
			continue;
		for (size_t i = 0; i < c->n && !found; i++) {
			const char *name = t->fields[c->at[i]].name;
			found = strlen(name) == end - from && !memcmp(name, line + from, end - from);
		}
		if (!found)
			return false;
	}
	return true;
}

/* Only the keys whose columns are all there. */
static void keys_chosen(const struct ent_pg_table *t, const struct chosen *c, struct ent_buf *out)
{
	for (const char *line = t->keys; *line;) {
		size_t len = strcspn(line, "\n");
		if (key_chosen(t, c, line, len)) {
			ent_buf_str(out, out->len ? "\n" : "");
			ent_buf_put(out, line, len);
		}
		line += len + (line[len] == '\n');
	}
}

static int wire_schema(struct feed *f, const struct ent_pg_table *t, const struct chosen *c, const char *keys, struct ent_err *err)
{
	static const struct ent_field image = { .name = ENT_META_WIRE, .type = { ENT_T_BINARY, 0, 0 } };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf lines = ENT_BUF((size_t)1 << 20);
	for (size_t i = 0; i < c->n; i++) {
		const struct ent_pg_field *field = &t->fields[c->at[i]];
		if (!field->wire || strpbrk(field->name, "\t\n"))
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s of type %.100s cannot be forwarded as the server's own image",
					field->name, field->native);
		ent_buf_printf(&lines, "%s%s\t%s\t%s", i ? "\n" : "", field->name, field->nullable ? "" : "not null", field->native);
	}
	ENT_TRY(ent_buf_check(&lines, err));
	ENT_TRY(ent_schema_new(&image, 1, keys, &f->schema, err));
	ENT_TRY(ent_schema_meta_add(&f->schema, ENT_META_WIRE, "postgresql", err));
	f->wire = true;
	f->n_wire = c->n;
	return ent_schema_meta_add(&f->schema, ENT_PG_META_COLUMNS, ent_buf_text(&lines), err);
}

static int read_schema(struct feed *f, const struct ent_pg_table *t, const struct chosen *c, const char *keys, struct ent_err *err)
{
	ENT_CLEANUP(fields_free) struct ent_field *fields = (struct ent_field *)calloc(c->n + 1, sizeof *fields);
	if (!fields)
		return ent_nomem(err);
	for (size_t i = 0; i < c->n; i++) {
		const struct ent_pg_field *own = &t->fields[c->at[i]];
		fields[i] = (struct ent_field){ .name = own->name, .type = own->type, .nullable = own->nullable, .native = own->native };
		f->columns[i] = (struct ent_pg_column){ own->name, own->kind, true };
	}
	ENT_TRY(ent_schema_new(fields, c->n, keys, &f->schema, err));
	return ent_schema_meta_add(&f->schema, ENT_META_STORE, "postgresql", err);
}

static int read_start(struct feed *f, const struct ent_pg_table *t, const struct chosen *c, const struct ent_read *what, struct ent_err *err)
{
	static const struct bound none = { NULL, NULL };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)2 << 20);
	bool copying = !f->source->cockroach; /* whose COPY gives no binary rows */
	ent_buf_str(&sql, copying ? "COPY (SELECT " : "SELECT ");
	for (size_t i = 0; i < c->n; i++) {
		bool cast = t->fields[c->at[i]].cast && !f->wire;
		ent_buf_printf(&sql, "%s%s", i ? ", " : "", cast ? "CAST(" : "");
		ent_pg_name(&sql, t->fields[c->at[i]].name);
		ent_buf_str(&sql, cast ? " AS text)" : "");
	}
	ent_buf_printf(&sql, " FROM %s", ent_buf_text(&t->quoted));
	if (f->source->as_of[0])
		ent_buf_printf(&sql, " AS OF SYSTEM TIME '%s'", f->source->as_of);
	ENT_TRY(ent_pg_condition(f->source, t, what, &sql, err));
	ent_buf_str(&sql, copying ? ") TO STDOUT (FORMAT binary)" : "");
	ENT_TRY(ent_buf_check(&sql, err));
	return copying ? copy_start(f, ent_buf_text(&sql), err) : rows_start(f, ent_buf_text(&sql), 0, &none, err);
}

int ent_pg_read(struct ent_source *s, const struct ent_read *what, struct ArrowArrayStream *ret, struct ent_err *err)
{
	ENT_CLEANUP(feed_freep) struct feed *f = NULL;
	ENT_CLEANUP(chosen_deinit) struct chosen c = { 0 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf keys = ENT_BUF((size_t)1 << 20);
	struct ent_pg_table *t;
	ENT_TRY(ent_pg_copying(s, err));
	ENT_TRY(ent_pg_table_get(s, what->object, &t, err));
	ENT_TRY(chosen_make(t, what, &c, err));
	keys_chosen(t, &c, &keys);
	ENT_TRY(feed_new(s, c.n, &f, err));
	s->busy = false; /* the condition is looked at first */
	if ((what->flags & ENT_READ_WIRE) && s->cockroach)
		return ent_fail(err, ENT_EUNSUPPORTED, "CockroachDB has no images of rows");
	if (what->flags & ENT_READ_WIRE)
		ENT_TRY(wire_schema(f, t, &c, ent_buf_text(&keys), err));
	else
		ENT_TRY(read_schema(f, t, &c, ent_buf_text(&keys), err));
	ENT_TRY(ent_builder_new(&f->schema, 0, &f->builder, err));
	ENT_TRY(read_start(f, t, &c, what, err));
	s->busy = true;
	return feed_hand_over(&f, ret, err);
}

/* --- query --- */

/* Types of the result. A numeric without precision (such as SUM over bigint) is read as decimal(38,0): a value with digits after the point stops. */
static int result_schema(struct feed *f, const PGresult *r, struct ent_err *err)
{
	ENT_CLEANUP(fields_free) struct ent_field *fields = (struct ent_field *)calloc(f->n_columns + 1, sizeof *fields);
	if (!fields)
		return ent_nomem(err);
	for (size_t i = 0; i < f->n_columns; i++) {
		char reason[200];
		bool cast;
		struct ent_field *field = &fields[i];
		unsigned oid = PQftype(r, (int)i);
		field->name = PQfname(r, (int)i);
		field->nullable = true;
		bool known = ent_pg_type(oid, PQfmod(r, (int)i), false, &field->type, &f->columns[i].kind, &cast, reason);
		if (!known && f->columns[i].kind == ENT_PG_NUMERIC && PQfmod(r, (int)i) < 4) {
			field->type = (struct ent_type){ ENT_T_DECIMAL, 38, 0 };
			known = true;
		}
		if (!known)
			return ent_fail(err, ENT_EUNSUPPORTED, "result column %.200s has a type without joint meaning", field->name);
	}
	ENT_TRY(ent_schema_new(fields, f->n_columns, NULL, &f->schema, err));
	for (size_t i = 0; i < f->n_columns; i++)
		f->columns[i].name = f->schema.children[i]->name;
	return ent_builder_new(&f->schema, 0, &f->builder, err);
}

/* Every table described so far stands in front of the statement under its name, in joint types. A statement with its own WITH joins the list. */
static void statement_put(const struct ent_source *s, const char *sql, struct ent_buf *out)
{
	const char *sep = "WITH ", *rest = sql + strspn(sql, " \t\r\n");
	bool own = !strncasecmp(rest, "WITH", 4) && strchr(" \t\r\n", rest[4]) && rest[4];
	for (const struct ent_pg_table *t = s->tables; t; t = t->next) {
		ent_buf_printf(out, "%s%s AS NOT MATERIALIZED (%s)", sep, t->relation, ent_buf_text(&t->select));
		sep = ", ";
	}
	if (own)
		ent_buf_printf(out, ",%s", rest + 4);
	else
		ent_buf_printf(out, " (%s)", sql);
}

static int params_bind(const struct ent_param *params, size_t n, struct bound *b, struct ent_err *err)
{
	b->oids = (Oid *)calloc(n + 1, sizeof *b->oids);
	b->values = (const char **)calloc(n + 1, sizeof(char *));
	if (!b->oids || !b->values)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++) {
		struct ent_type t;
		if (!ent_type_by_format(params[i].format, &t))
			return ent_fail(err, ENT_ESQL, "parameter %zu has Arrow format %.20s", i + 1, params[i].format);
		b->oids[i] = ent_pg_type_oid(t);
		b->values[i] = params[i].text;
	}
	return 0;
}

static int query_start(struct feed *f, const char *sql, const struct ent_param *params, size_t n_params, struct ent_err *err)
{
	struct ent_source *s = f->source;
	ENT_CLEANUP(bound_deinit) struct bound b = { 0 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF((size_t)4 << 20);
	statement_put(s, sql, &text);
	ENT_TRY(ent_buf_check(&text, err));
	ENT_TRY(params_bind(params, n_params, &b, err));
	return rows_start(f, ent_buf_text(&text), n_params, &b, err);
}

int ent_pg_query(struct ent_source *s, const char *sql, const struct ent_param *params, size_t n_params, struct ArrowArrayStream *ret,
		 struct ent_err *err)
{
	ENT_CLEANUP(feed_freep) struct feed *f = NULL;
	ENT_TRY(feed_new(s, 0, &f, err));
	ENT_TRY(query_start(f, sql, params, n_params, err));
	f->n_columns = (size_t)PQnfields(f->first);
	free(f->columns);
	f->columns = (struct ent_pg_column *)calloc(f->n_columns + 1, sizeof *f->columns);
	if (!f->columns)
		return ent_nomem(err);
	ENT_TRY(result_schema(f, f->first, err));
	return feed_hand_over(&f, ret, err);
}
