/* The engine: SQL over Arrow streams, in a sealed in-memory database. Rows are validated before they are appended. */
#include <stdlib.h>

#include "duck.h"

#define EXPORT __attribute__((visibility("default")))

struct ent_session {
	struct ent_duck duck;
};

static void engine_close(struct ent_session *s)
{
	if (s)
		ent_duck_close(&s->duck);
	free(s);
}
static void engine_closep(struct ent_session **s) { engine_close(*s); }

static int engine_open(const struct ent_host *host, struct ent_session **ret, struct ent_err *err)
{
	ENT_CLEANUP(engine_closep) struct ent_session *s = (struct ent_session *)calloc(1, sizeof *s);
	if (!s)
		return ent_nomem(err);
	ENT_TRY(ent_duck_open(host, &s->duck, err));
	ENT_TRY(ent_duck_seal(&s->duck, NULL, err));
	*ret = s;
	s = NULL;
	return 0;
}

static int table_create(struct ent_session *s, const char *name, const struct ArrowSchema *schema, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)1 << 20);
	ent_buf_str(&sql, "CREATE TABLE ");
	ent_duck_name(&sql, name);
	for (size_t i = 0; i < (size_t)schema->n_children; i++) {
		struct ent_field_info f;
		char type[ENT_TYPE_TEXT_MAX];
		ent_schema_field(schema, i, &f);
		if (f.unsupported[0])
			return ent_fail(err, ENT_EUNSUPPORTED, "column %s cannot be loaded: %s", f.name, f.unsupported);
		ent_duck_type_sql(f.type, type);
		ent_buf_str(&sql, i ? ", " : " (");
		ent_duck_name(&sql, f.name);
		ent_buf_printf(&sql, " %s", type);
	}
	ent_buf_str(&sql, ")");
	ENT_TRY(ent_buf_check(&sql, err));
	return ent_duck_run(&s->duck, ent_buf_text(&sql), "the rows cannot become a table", err);
}

/* Bytes of a value in a DuckDB vector; 0 for text. */
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

static void value_copy(const struct ent_view *v, size_t row, uint8_t *to, size_t width)
{
	if (v->type.id == ENT_T_DOUBLE) {
		double d = ent_view_real(v, row);
		memcpy(to, &d, 8);
	} else if (v->type.id == ENT_T_REAL) {
		float f = (float)ent_view_real(v, row);
		memcpy(to, &f, 4);
	} else {
		ent_i128 wide = ent_view_wide(v, row);
		memcpy(to, &wide, width);
	}
}

static void vector_fill(duckdb_vector vector, const struct ent_view *v, size_t from, size_t n)
{
	size_t width = vector_width(v->type);
	uint8_t *data = (uint8_t *)duckdb_vector_get_data(vector);
	uint64_t *validity = NULL;
	for (size_t i = 0; i < n; i++) {
		if (ent_view_null(v, from + i)) {
			duckdb_vector_ensure_validity_writable(vector);
			validity = duckdb_vector_get_validity(vector);
			duckdb_validity_set_row_invalid(validity, i);
		} else if (!width) {
			struct ent_bytes t = ent_view_text(v, from + i);
			duckdb_vector_assign_string_element_len(vector, i, (const char *)t.data, t.len);
		} else {
			value_copy(v, from + i, data + i * width, width);
		}
	}
}

struct loader {
	struct ent_session *session;
	duckdb_appender appender;
	duckdb_data_chunk chunk;
};

static void loader_deinit(struct loader *l)
{
	if (l->chunk)
		duckdb_destroy_data_chunk(&l->chunk);
	if (l->appender)
		duckdb_appender_destroy(&l->appender);
}

static int appender_failed(struct loader *l, struct ent_err *err)
{
	duckdb_error_data bad = duckdb_appender_error_data(l->appender);
	int code = ent_duck_fail(err, duckdb_error_data_error_type(bad), duckdb_error_data_message(bad), "the rows cannot be loaded");
	duckdb_destroy_error_data(&bad);
	return code;
}

static int batch_append(void *arg, const struct ent_batch *b, struct ent_err *err)
{
	struct loader *l = (struct loader *)arg;
	const struct ent_host *host = &l->session->duck.host;
	if (host->cancelled && host->cancelled(host->self))
		return ent_fail(err, ENT_ECANCELLED, "loading rows was cancelled");
	size_t step = duckdb_vector_size();
	for (size_t from = 0; from < b->rows; from += step) {
		size_t n = b->rows - from < step ? b->rows - from : step;
		duckdb_data_chunk_reset(l->chunk);
		for (size_t c = 0; c < b->n_columns; c++)
			vector_fill(duckdb_data_chunk_get_vector(l->chunk, c), &b->columns[c], from, n);
		duckdb_data_chunk_set_size(l->chunk, n);
		if (duckdb_append_data_chunk(l->appender, l->chunk) != DuckDBSuccess)
			return appender_failed(l, err);
	}
	return 0;
}

/* An empty chunk with the columns of the schema. */
static int chunk_new(const struct ArrowSchema *schema, duckdb_data_chunk *ret, struct ent_err *err)
{
	size_t n = (size_t)schema->n_children;
	duckdb_logical_type *types = (duckdb_logical_type *)calloc(n + 1, sizeof *types);
	static const duckdb_type ids[ENT_T_COUNT] = {
		[ENT_T_BOOL] = DUCKDB_TYPE_BOOLEAN, [ENT_T_INT16] = DUCKDB_TYPE_SMALLINT,      [ENT_T_INT32] = DUCKDB_TYPE_INTEGER,
		[ENT_T_INT64] = DUCKDB_TYPE_BIGINT, [ENT_T_REAL] = DUCKDB_TYPE_FLOAT,          [ENT_T_DOUBLE] = DUCKDB_TYPE_DOUBLE,
		[ENT_T_DATE] = DUCKDB_TYPE_DATE,    [ENT_T_TIMESTAMP] = DUCKDB_TYPE_TIMESTAMP, [ENT_T_TIMESTAMPTZ] = DUCKDB_TYPE_TIMESTAMP_TZ,
		[ENT_T_TEXT] = DUCKDB_TYPE_VARCHAR, [ENT_T_UINT64] = DUCKDB_TYPE_UBIGINT,      [ENT_T_TIME] = DUCKDB_TYPE_TIME,
		[ENT_T_BINARY] = DUCKDB_TYPE_BLOB
	};
	if (!types)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++) {
		struct ent_field_info f;
		ent_schema_field(schema, i, &f);
		types[i] = f.type.id == ENT_T_DECIMAL ? duckdb_create_decimal_type(f.type.precision, f.type.scale)
						      : duckdb_create_logical_type(ids[f.type.id]);
	}
	*ret = duckdb_create_data_chunk(types, n);
	for (size_t i = 0; i < n; i++)
		duckdb_destroy_logical_type(&types[i]);
	free(types);
	return *ret ? 0 : ent_nomem(err);
}

static int rows_load(struct ent_session *s, const char *name, struct ArrowArrayStream *rows, struct ent_err *err)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_CLEANUP(loader_deinit) struct loader l = { .session = s };
	ENT_TRY(ent_stream_schema(rows, &schema, err));
	ENT_TRY(table_create(s, name, &schema, err));
	ENT_TRY(chunk_new(&schema, &l.chunk, err));
	if (duckdb_appender_create(s->duck.con, NULL, name, &l.appender) != DuckDBSuccess)
		return appender_failed(&l, err);
	ENT_TRY(ent_stream_each(rows, &schema, batch_append, &l, err));
	return duckdb_appender_close(l.appender) == DuckDBSuccess ? 0 : appender_failed(&l, err);
}

static int engine_load(struct ent_session *s, const char *name, struct ArrowArrayStream *rows, struct ent_err *err)
{
	int code = rows_load(s, name, rows, err);
	ent_stream_release(rows);
	return code;
}

static int engine_query(struct ent_session *s, const char *sql, const struct ent_param *params, size_t n_params, struct ArrowArrayStream *ret,
			struct ent_err *err)
{
	return ent_duck_stream(&s->duck, sql, params, n_params, ret, err);
}

EXPORT const struct ent_engine *ent_engine_entry(void);
const struct ent_engine *ent_engine_entry(void)
{
	static const struct ent_engine engine = { .size = sizeof engine,
						  .abi = ENT_ENGINE_ABI,
						  .name = "duckdb",
						  .dialect = "duckdb",
						  .open = engine_open,
						  .close = engine_close,
						  .load = engine_load,
						  .query = engine_query };
	return &engine;
}
