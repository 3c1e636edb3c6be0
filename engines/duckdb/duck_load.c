/* Tables made from schemas, filled by an appender. */
#include "duck_load.h"

#include <math.h>
#include <stdlib.h>

#include "arrow/fit.h"

int ent_duck_table_create(struct ent_duck *d, const char *name, const struct ArrowSchema *schema, const struct ent_type *types, bool staged,
			  struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)1 << 20);
	ent_buf_str(&sql, staged ? "CREATE OR REPLACE TEMP TABLE " : "CREATE TABLE ");
	ent_duck_name(&sql, name);
	for (size_t i = 0; i < (size_t)schema->n_children; i++) {
		struct ent_field_info f;
		char type[ENT_TYPE_TEXT_MAX];
		ent_schema_field(schema, i, &f);
		if (!f.copied)
			return ent_fail(err, ENT_EUNSUPPORTED, "column %s cannot be loaded: %s", f.name, f.unsupported);
		ent_duck_type_sql(types ? types[i] : f.type, type);
		ent_buf_str(&sql, i ? ", " : " (");
		ent_duck_name(&sql, f.name);
		ent_buf_printf(&sql, " %s", type);
	}
	ent_buf_str(&sql, ")");
	ENT_TRY(ent_buf_check(&sql, err));
	return ent_duck_run(d, ent_buf_text(&sql), "the rows cannot become a table", err);
}

/* Bytes of a value in a DuckDB vector; 0 for text and bytes. */
static size_t vector_width(struct ent_type t)
{
	switch (t.id) {
	case ENT_T_BOOL:
		return 1;
	case ENT_T_INT16:
		return 2;
	case ENT_T_INT32:
	case ENT_T_DATE:
	case ENT_T_REAL:
		return 4;
	case ENT_T_INT64:
	case ENT_T_DOUBLE:
	case ENT_T_TIMESTAMP:
	case ENT_T_TIMESTAMPTZ:
	case ENT_T_UINT64:
	case ENT_T_TIME:
		return 8;
	case ENT_T_DECIMAL:
		return t.precision <= 4 ? 2 : t.precision <= 9 ? 4 : t.precision <= 18 ? 8 : 16;
	case ENT_T_TEXT:
	case ENT_T_BINARY:
	case ENT_T_COUNT:
		break;
	}
	return 0;
}

static void value_copy(const struct ent_fitted *f, struct ent_type t, uint8_t *to, size_t width)
{
	float narrow = (float)f->real;
	if (t.id == ENT_T_DOUBLE)
		memcpy(to, &f->real, 8);
	else if (t.id == ENT_T_REAL)
		memcpy(to, &narrow, 4);
	else
		memcpy(to, &f->number, width);
}

/* DuckDB's infinities: the largest number and its negative. */
static bool infinite(struct ent_type t, const struct ent_fitted *f)
{
	int64_t most = t.id == ENT_T_DATE ? INT32_MAX : INT64_MAX;
	return ent_type_is_time(t) && (f->number >= most || f->number <= -most);
}

/* Why the place has no such value; NULL when it has. */
static const char *wrong(const struct ent_duck_loader *l, struct ent_type t, struct ent_fitted *f)
{
	int64_t most = t.id == ENT_T_DATE ? INT32_MAX : INT64_MAX;
	if (ent_type_is_float(t))
		return l->finite && !isfinite(f->real) ? "JSON has no NaN and no infinity" : NULL;
	if (!infinite(t, f))
		return NULL;
	if (!l->endless)
		return "infinite dates are not kept in files";
	if (f->number == -most)
		return "DuckDB takes this date for -infinity";
	f->number = f->number < 0 ? -most : most;
	return NULL;
}

static int value_put(struct ent_duck_loader *l, duckdb_vector vector, size_t col, const struct ent_view *v, size_t row, size_t slot,
		     struct ent_err *err)
{
	struct ent_type to = l->types ? l->types[col] : v->type;
	size_t width = vector_width(to);
	char name[ENT_TYPE_TEXT_MAX];
	struct ent_fitted f;
	struct ent_err inner = ENT_ERR_INIT;
	int code = ent_fit_value(v, row, to, &l->scratch, &f, &inner);
	const char *why = code || f.null ? NULL : wrong(l, to, &f);
	if (why) {
		code = ent_fail(&inner, ENT_EDATA, "a value does not fit");
		ent_why(&inner, "%s", why);
	}
	if (code) {
		ent_type_name(to, name);
		if (err)
			*err = inner;
		return ent_fit_misfit(v, row, l->rows + row + 1, l->schema->children[col]->name, name, err);
	}
	if (f.null) {
		duckdb_vector_ensure_validity_writable(vector);
		duckdb_validity_set_row_invalid(duckdb_vector_get_validity(vector), slot);
	} else if (width) {
		value_copy(&f, to, (uint8_t *)duckdb_vector_get_data(vector) + slot * width, width);
	} else {
		duckdb_vector_assign_string_element_len(vector, slot, (const char *)f.text.data, f.text.len);
	}
	return 0;
}

static int appender_failed(struct ent_duck_loader *l, struct ent_err *err)
{
	duckdb_error_data bad = duckdb_appender_error_data(l->appender);
	int code = ent_duck_fail(err, duckdb_error_data_error_type(bad), duckdb_error_data_message(bad), "the rows cannot be loaded");
	duckdb_destroy_error_data(&bad);
	return code;
}

int ent_duck_loader_put(struct ent_duck_loader *l, const struct ent_batch *b, struct ent_err *err)
{
	const struct ent_host *host = &l->duck->host;
	if (host->cancelled && host->cancelled(host->self))
		return ent_fail(err, ENT_ECANCELLED, "loading rows was cancelled");
	size_t step = duckdb_vector_size();
	for (size_t from = 0; from < b->rows; from += step) {
		size_t n = b->rows - from < step ? b->rows - from : step;
		duckdb_data_chunk_reset(l->chunk);
		for (size_t c = 0; c < b->n_columns; c++)
			for (size_t i = 0; i < n; i++)
				ENT_TRY(value_put(l, duckdb_data_chunk_get_vector(l->chunk, c), c, &b->columns[c], from + i, i, err));
		duckdb_data_chunk_set_size(l->chunk, n);
		if (duckdb_append_data_chunk(l->appender, l->chunk) != DuckDBSuccess)
			return appender_failed(l, err);
	}
	l->rows += b->rows;
	return 0;
}

static duckdb_logical_type logical_type(struct ent_type t)
{
	static const duckdb_type ids[ENT_T_COUNT] = {
		[ENT_T_BOOL] = DUCKDB_TYPE_BOOLEAN, [ENT_T_INT16] = DUCKDB_TYPE_SMALLINT,      [ENT_T_INT32] = DUCKDB_TYPE_INTEGER,
		[ENT_T_INT64] = DUCKDB_TYPE_BIGINT, [ENT_T_REAL] = DUCKDB_TYPE_FLOAT,          [ENT_T_DOUBLE] = DUCKDB_TYPE_DOUBLE,
		[ENT_T_DATE] = DUCKDB_TYPE_DATE,    [ENT_T_TIMESTAMP] = DUCKDB_TYPE_TIMESTAMP, [ENT_T_TIMESTAMPTZ] = DUCKDB_TYPE_TIMESTAMP_TZ,
		[ENT_T_TEXT] = DUCKDB_TYPE_VARCHAR, [ENT_T_UINT64] = DUCKDB_TYPE_UBIGINT,      [ENT_T_TIME] = DUCKDB_TYPE_TIME,
		[ENT_T_BINARY] = DUCKDB_TYPE_BLOB
	};
	return t.id == ENT_T_DECIMAL ? duckdb_create_decimal_type(t.precision, t.scale) : duckdb_create_logical_type(ids[t.id]);
}

/* An empty chunk with the columns of the table. */
static int chunk_new(struct ent_duck_loader *l, struct ent_err *err)
{
	size_t n = (size_t)l->schema->n_children;
	duckdb_logical_type *types = (duckdb_logical_type *)calloc(n + 1, sizeof *types);
	if (!types)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++) {
		struct ent_field_info f;
		ent_schema_field(l->schema, i, &f);
		types[i] = logical_type(l->types ? l->types[i] : f.type);
	}
	l->chunk = duckdb_create_data_chunk(types, n);
	for (size_t i = 0; i < n; i++)
		duckdb_destroy_logical_type(&types[i]);
	free(types);
	return l->chunk ? 0 : ent_nomem(err);
}

int ent_duck_loader_open(const struct ent_duck *d, const char *table, const struct ArrowSchema *schema, const struct ent_type *types,
			 struct ent_duck_loader *ret, struct ent_err *err)
{
	*ret = (struct ent_duck_loader){ .duck = d, .schema = schema, .types = types, .scratch = ENT_BUF((size_t)64 << 20) };
	ENT_TRY(chunk_new(ret, err));
	return duckdb_appender_create(d->con, NULL, table, &ret->appender) == DuckDBSuccess ? 0 : appender_failed(ret, err);
}

int ent_duck_loader_flush(struct ent_duck_loader *l, struct ent_err *err)
{
	return duckdb_appender_flush(l->appender) == DuckDBSuccess ? 0 : appender_failed(l, err);
}

void ent_duck_loader_close(struct ent_duck_loader *l)
{
	if (l->chunk)
		duckdb_destroy_data_chunk(&l->chunk);
	if (l->appender)
		duckdb_appender_destroy(&l->appender);
	ent_buf_deinit(&l->scratch);
}
