/* Rows as Arrow streams: one prepared SELECT, binary results, never buffered whole. A stream given up in the middle breaks its connection rather
 * than read the rest of the table; the source connects again at its next use. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "arrow/builder.h"
#include "arrow/value.h"
#include "my.h"
#include "my_time.h"

#define CELL_BYTES 512      /* lent to each text column; longer values are fetched once more */
#define LOOK_EVERY_ROWS 500 /* for cancel */

struct cell { /* one bound column */
	union {
		long long i;
		float f;
		double d;
		MYSQL_TIME t;
		char text[CELL_BYTES];
	} v;
	unsigned long length;
	my_bool null, cut;
	struct ent_my_type type;
	char name[256];
};

struct feed {
	struct ent_source *source;
	MYSQL_STMT *statement;
	struct ArrowSchema schema;
	struct ent_builder *builder;
	struct cell *cells;
	MYSQL_BIND *binds;
	size_t n;
	struct ent_buf longer; /* a value that did not fit its cell */
	uint64_t rows;
	bool running, ended;
};

static void feed_free(void *self)
{
	struct feed *f = (struct feed *)self;
	if (!f)
		return;
	if (f->running && !f->ended)
		ent_my_drop(f->source);
	if (f->statement)
		mysql_stmt_close(f->statement);
	if (f->running && !f->ended)
		ent_my_closep(&f->source->con);
	f->source->busy = false;
	ent_builder_free(f->builder);
	ent_schema_release(&f->schema);
	ent_buf_deinit(&f->longer);
	free(f->cells);
	free(f->binds);
	free(f);
}
static void feed_freep(struct feed **f) { feed_free(*f); }

/* --- values --- */

static int misfit(const struct feed *f, const struct cell *c, const char *what, struct ent_err *err)
{
	return ent_fail(err, ENT_EDATA, "row %llu of column %.200s: %s", (unsigned long long)f->rows, c->name, what);
}

static int time_put(struct feed *f, size_t i, const struct cell *c, struct ent_err *err)
{
	const MYSQL_TIME *t = &c->v.t;
	int64_t v;
	struct ent_my_clock k = { t->year, t->month, t->day, t->hour, t->minute, t->second, (unsigned)t->second_part, t->neg != 0 };
	if (c->type.kind == ENT_MY_TIME)
		k.hour += t->day * 24;
	const char *why = ent_my_clock_value(&c->type, &k, &v);
	return why ? misfit(f, c, why, err) : ent_builder_int(f->builder, i, v, err);
}

/* The bytes of a text cell, fetched again when they did not fit. */
static int bytes_get(struct feed *f, size_t i, struct cell *c, struct ent_bytes *ret, struct ent_err *err)
{
	*ret = ent_bytes(c->v.text, c->length);
	if (c->length <= CELL_BYTES)
		return 0;
	ent_buf_reset(&f->longer);
	uint8_t *space = ent_buf_space(&f->longer, c->length);
	if (!space)
		return ent_fail(err, ENT_ENOMEM, "row %llu of column %.200s has %lu bytes", (unsigned long long)f->rows, c->name, c->length);
	MYSQL_BIND b = { .buffer_type = MYSQL_TYPE_BLOB, .buffer = space, .buffer_length = c->length, .length = &c->length };
	if (mysql_stmt_fetch_column(f->statement, &b, (unsigned)i, 0))
		return ent_my_fail_statement(f->statement, "reading rows stopped", err);
	*ret = ent_bytes(space, c->length);
	return 0;
}

static int bytes_put(struct feed *f, size_t i, struct cell *c, struct ent_err *err)
{
	struct ent_bytes bytes;
	ent_i128 wide;
	ENT_TRY(bytes_get(f, i, c, &bytes, err));
	if (c->type.kind == ENT_MY_DECIMAL)
		return ent_decimal_parse(bytes, c->type.precision, c->type.scale, &wide) ? ent_builder_wide(f->builder, i, wide, err)
											 : misfit(f, c, "this is no decimal", err);
	int code = ent_builder_text(f->builder, i, bytes, err);
	return code == ENT_EDATA ? misfit(f, c, "a text with a NUL letter, or not in UTF-8", err) : code;
}

static int cell_put(struct feed *f, size_t i, struct ent_err *err)
{
	struct cell *c = &f->cells[i];
	if (c->null)
		return ent_builder_null(f->builder, i, err);
	switch (c->type.kind) {
	case ENT_MY_INT:
	case ENT_MY_YEAR:
	case ENT_MY_BIT:
		if (c->type.type.id == ENT_T_BOOL && c->v.i != 0 && c->v.i != 1)
			return misfit(f, c, "a tinyint(1) stands for a boolean, and this is neither 0 nor 1", err);
		return c->type.type.id == ENT_T_UINT64 ? ent_builder_wide(f->builder, i, (ent_i128)(unsigned long long)c->v.i, err)
						       : ent_builder_int(f->builder, i, c->v.i, err);
	case ENT_MY_FLOAT:
		return ent_builder_real(f->builder, i, (double)c->v.f, err);
	case ENT_MY_DOUBLE:
		return ent_builder_real(f->builder, i, c->v.d, err);
	case ENT_MY_DATE:
	case ENT_MY_DATETIME:
	case ENT_MY_TIMESTAMP:
	case ENT_MY_TIME:
		return time_put(f, i, c, err);
	case ENT_MY_DECIMAL:
	case ENT_MY_TEXT:
	case ENT_MY_BINARY:
	case ENT_MY_ENUM:
	case ENT_MY_SET:
	case ENT_MY_JSON:
	case ENT_MY_CAST:
	case ENT_MY_NONE:
		break;
	}
	return bytes_put(f, i, c, err);
}

static int row_step(struct feed *f, struct ent_err *err)
{
	int got = mysql_stmt_fetch(f->statement);
	if (got == MYSQL_NO_DATA) {
		f->ended = true;
		return 0;
	}
	if (got != 0 && got != MYSQL_DATA_TRUNCATED)
		return ent_my_fail_statement(f->statement, "reading rows stopped", err);
	f->rows++;
	for (size_t i = 0; i < f->n; i++)
		ENT_TRY(cell_put(f, i, err));
	return f->rows % LOOK_EVERY_ROWS ? 0 : ent_my_cancelled(f->source, err);
}

static int feed_next(void *self, struct ArrowArray *ret, struct ent_err *err)
{
	struct feed *f = (struct feed *)self;
	ENT_TRY(ent_my_cancelled(f->source, err));
	while (!f->ended && !ent_builder_full(f->builder))
		ENT_TRY(row_step(f, err));
	return ent_builder_rows(f->builder) ? ent_builder_finish(f->builder, ret, err) : 0;
}

static const struct ent_stream_ops feed_ops = { feed_next, feed_free };

/* --- the statement --- */

static void cell_bind(struct cell *c, MYSQL_BIND *b)
{
	*b = (MYSQL_BIND){ .length = &c->length, .is_null = &c->null, .error = &c->cut };
	switch (c->type.kind) {
	case ENT_MY_INT:
	case ENT_MY_YEAR:
	case ENT_MY_BIT:
		b->buffer_type = MYSQL_TYPE_LONGLONG;
		b->is_unsigned = c->type.is_unsigned || c->type.kind == ENT_MY_BIT;
		break;
	case ENT_MY_FLOAT:
		b->buffer_type = MYSQL_TYPE_FLOAT;
		break;
	case ENT_MY_DOUBLE:
		b->buffer_type = MYSQL_TYPE_DOUBLE;
		break;
	case ENT_MY_DATE:
		b->buffer_type = MYSQL_TYPE_DATE;
		break;
	case ENT_MY_DATETIME:
	case ENT_MY_TIMESTAMP:
		b->buffer_type = MYSQL_TYPE_DATETIME;
		break;
	case ENT_MY_TIME:
		b->buffer_type = MYSQL_TYPE_TIME;
		break;
	case ENT_MY_DECIMAL:
	case ENT_MY_TEXT:
	case ENT_MY_BINARY:
	case ENT_MY_ENUM:
	case ENT_MY_SET:
	case ENT_MY_JSON:
	case ENT_MY_CAST:
	case ENT_MY_NONE:
		b->buffer_type = c->type.kind == ENT_MY_BINARY ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING;
		b->buffer_length = CELL_BYTES;
		break;
	}
	b->buffer = &c->v;
}

static void select_put(struct ent_buf *sql, const struct ent_my_column *c)
{
	if (c->type.kind == ENT_MY_BIT || c->type.kind == ENT_MY_CAST)
		ent_buf_str(sql, "CAST(");
	ent_my_name(sql, c->name);
	if (c->type.kind == ENT_MY_BIT)
		ent_buf_str(sql, " + 0 AS UNSIGNED)");
	if (c->type.kind == ENT_MY_CAST)
		ent_buf_str(sql, " AS CHAR)");
}

static int cells_make(struct feed *f, const struct ent_my_table *t, struct ent_buf *sql, struct ent_err *err)
{
	f->n = (size_t)f->schema.n_children;
	f->cells = (struct cell *)calloc(f->n, sizeof *f->cells);
	f->binds = (MYSQL_BIND *)calloc(f->n, sizeof *f->binds);
	if (!f->cells || !f->binds)
		return ent_nomem(err);
	for (size_t i = 0; i < f->n; i++) {
		const struct ent_my_column *c = &t->columns[ent_my_table_find(t, f->schema.children[i]->name)];
		f->cells[i].type = c->type;
		memcpy(f->cells[i].name, c->name, sizeof c->name);
		cell_bind(&f->cells[i], &f->binds[i]);
		ent_buf_str(sql, i ? ", " : "SELECT ");
		select_put(sql, c);
	}
	ent_buf_printf(sql, " FROM %s", t->relation);
	return 0;
}

static int statement_run(struct feed *f, struct ent_bytes sql, struct ent_err *err)
{
	static const char what[] = "the table cannot be read";
	f->statement = mysql_stmt_init(f->source->con);
	if (!f->statement)
		return ent_nomem(err);
	if (mysql_stmt_prepare(f->statement, (const char *)sql.data, sql.len) || mysql_stmt_execute(f->statement))
		return ent_my_fail_statement(f->statement, what, err);
	f->running = true;
	return mysql_stmt_bind_result(f->statement, f->binds) ? ent_my_fail_statement(f->statement, what, err) : 0;
}

static int feed_open(struct ent_source *s, const struct ent_read *what, bool for_copy, struct feed *f, struct ent_err *err)
{
	ENT_MY_TABLE_AUTO t = { 0 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(8 << 20), where = ENT_BUF(1 << 20);
	ENT_TRY(ent_my_table_read(s->con, s, what->object, &t, err));
	ENT_TRY(ent_my_table_schema(&t, what->columns, what->n_columns, for_copy, &f->schema, err));
	ENT_TRY(ent_builder_new(&f->schema, 0, &f->builder, err));
	ENT_TRY(cells_make(f, &t, &sql, err));
	ENT_TRY(ent_my_split_where(&t, what->split ? what->split : "", &where, err));
	if (where.len)
		ent_buf_printf(&sql, " WHERE %s", ent_buf_text(&where));
	if (what->where)
		ent_buf_printf(&sql, "%s(%s\n)", where.len ? " AND " : " WHERE ", what->where); /* the line end closes a comment */
	ENT_TRY(ent_buf_check(&sql, err));
	ent_buf_init(&f->longer, ENT_BATCH_BYTES_HARD);
	return statement_run(f, ent_buf_bytes(&sql), err);
}

static int stream_open(struct ent_source *s, const struct ent_read *what, bool for_copy, struct ArrowArrayStream *ret, struct ent_err *err)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_TRY(ent_my_ready(s, err));
	ENT_CLEANUP(feed_freep) struct feed *f = (struct feed *)calloc(1, sizeof *f);
	if (!f)
		return ent_nomem(err);
	f->source = s;
	s->busy = true;
	ENT_TRY(feed_open(s, what, for_copy, f, err));
	ENT_TRY(ent_schema_dup(&f->schema, &schema, err));
	struct feed *given = f;
	f = NULL;
	return ent_stream_new(&schema, &feed_ops, given, ret, err);
}

int ent_my_scan(struct ent_source *s, const char *object, const char *const *columns, size_t n_columns, struct ArrowArrayStream *ret,
		struct ent_err *err)
{
	struct ent_read what = { .size = sizeof what, .object = object, .columns = columns, .n_columns = n_columns };
	if (!n_columns)
		return ent_fail(err, ENT_EUSAGE, "a scan needs at least one column");
	return stream_open(s, &what, false, ret, err);
}

int ent_my_read(struct ent_source *s, const struct ent_read *what, struct ArrowArrayStream *ret, struct ent_err *err)
{
	if (what->flags & ENT_READ_WIRE)
		return ent_fail(err, ENT_EUNSUPPORTED, "MySQL rows have no images of their own to copy");
	return stream_open(s, what, true, ret, err);
}
