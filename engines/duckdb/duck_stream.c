/* One SELECT with bound parameters as an Arrow stream. Work is done task by task while nothing is ready, so that a cancelled job or a
 * statement over its time stops within one task. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "arrow/value.h"
#include "duck.h"

struct run { /* state of one stream */
	struct ent_host host;
	duckdb_connection con;
	duckdb_prepared_statement statement;
	duckdb_pending_result pending;
	duckdb_result result;
	duckdb_arrow_options options;
	bool has_result;
	enum marked { PLAIN, DAYS, MOMENTS, HUGE } * marks; /* per column: what DuckDB hands out as other numbers than ours */
	uint64_t rows;
};

static void run_free(void *self)
{
	struct run *r = (struct run *)self;
	if (!r)
		return;
	if (r->options)
		duckdb_destroy_arrow_options(&r->options);
	if (r->has_result)
		duckdb_destroy_result(&r->result);
	if (r->pending)
		duckdb_destroy_pending(&r->pending);
	if (r->statement)
		duckdb_destroy_prepare(&r->statement);
	if (r->con)
		duckdb_disconnect(&r->con);
	free(r->marks);
	free(r);
}
static void run_freep(struct run **r) { run_free(*r); }

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool cancelled(const struct run *r) { return r->host.cancelled && r->host.cancelled(r->host.self); }

static int stopped(struct run *r, struct ent_err *err)
{
	duckdb_interrupt(r->con);
	return ent_fail(err, ENT_ECANCELLED, "reading from DuckDB was cancelled");
}

/* --- parameters --- */

static duckdb_hugeint hugeint(ent_i128 v) { return (duckdb_hugeint){ .lower = (uint64_t)v, .upper = (int64_t)(v >> 64) }; }

static bool bind_time(duckdb_prepared_statement s, idx_t at, struct ent_type t, struct ent_bytes text, duckdb_state *ret)
{
	int32_t days;
	int64_t us;
	if (t.id == ENT_T_DATE) {
		if (!ent_date_parse(text, &days))
			return false;
		*ret = duckdb_bind_date(s, at, (duckdb_date){ days });
		return true;
	}
	bool zone = t.id == ENT_T_TIMESTAMPTZ;
	if (!ent_timestamp_parse(text, zone, &us))
		return false;
	*ret = zone ? duckdb_bind_timestamp_tz(s, at, (duckdb_timestamp){ us }) : duckdb_bind_timestamp(s, at, (duckdb_timestamp){ us });
	return true;
}

static bool bind_number(duckdb_prepared_statement s, idx_t at, struct ent_type t, struct ent_bytes text, duckdb_state *ret)
{
	int64_t i = 0;
	double d = 0;
	ent_i128 wide = 0;
	if (t.id == ENT_T_DECIMAL) {
		if (!ent_decimal_parse(text, t.precision, t.scale, &wide))
			return false;
		*ret = duckdb_bind_decimal(s, at, (duckdb_decimal){ t.precision, t.scale, hugeint(wide) });
	} else if (ent_type_is_float(t)) {
		if (!ent_real_parse(text, &d))
			return false;
		*ret = t.id == ENT_T_REAL ? duckdb_bind_float(s, at, (float)d) : duckdb_bind_double(s, at, d);
	} else {
		if (!ent_int_parse(text, &i) || (t.id == ENT_T_INT16 && i != (int16_t)i) || (t.id == ENT_T_INT32 && i != (int32_t)i))
			return false;
		*ret = t.id == ENT_T_INT16   ? duckdb_bind_int16(s, at, (int16_t)i)
		       : t.id == ENT_T_INT32 ? duckdb_bind_int32(s, at, (int32_t)i)
					     : duckdb_bind_int64(s, at, i);
	}
	return true;
}

static bool bind_value(duckdb_prepared_statement s, idx_t at, const struct ent_param *p, duckdb_state *ret)
{
	struct ent_type t;
	if (!p->text) {
		*ret = duckdb_bind_null(s, at);
		return true;
	}
	struct ent_bytes text = ent_bytes_str(p->text);
	if (!ent_type_by_format(p->format, &t))
		return false;
	if (t.id == ENT_T_TEXT)
		*ret = duckdb_bind_varchar_length(s, at, p->text, text.len);
	else if (t.id == ENT_T_BOOL && (!strcmp(p->text, "true") || !strcmp(p->text, "false")))
		*ret = duckdb_bind_boolean(s, at, p->text[0] == 't');
	else if (ent_type_is_number(t))
		return bind_number(s, at, t, text, ret);
	else
		return ent_type_is_time(t) && bind_time(s, at, t, text, ret);
	return true;
}

static int params_bind(struct run *r, const struct ent_param *params, size_t n, struct ent_err *err)
{
	if (duckdb_nparams(r->statement) != n)
		return ent_fail(err, ENT_ESQL, "the statement takes %llu parameters, %zu were given",
				(unsigned long long)duckdb_nparams(r->statement), n);
	for (size_t i = 0; i < n; i++) {
		duckdb_state state = DuckDBSuccess;
		if (!bind_value(r->statement, i + 1, &params[i], &state))
			return ent_fail(err, ENT_ESQL, "parameter %zu is no value of type %.20s", i + 1, params[i].format);
		if (state != DuckDBSuccess)
			return ent_fail(err, ENT_ESQL, "parameter %zu cannot be bound", i + 1);
	}
	return 0;
}

/* --- running --- */

static void extracted_deinit(duckdb_extracted_statements *s) { duckdb_destroy_extracted(s); }

/* Exactly one statement, and that a SELECT: COPY and the like could write where reading is allowed. */
static int prepare(struct run *r, const char *sql, struct ent_err *err)
{
	ENT_CLEANUP(extracted_deinit) duckdb_extracted_statements all = NULL;
	idx_t n = duckdb_extract_statements(r->con, sql, &all);
	if (!n)
		return ent_duck_fail(err, DUCKDB_ERROR_SYNTAX, duckdb_extract_statements_error(all), "DuckDB does not understand the statement");
	if (n != 1)
		return ent_fail(err, ENT_ESQL, "one statement at a time, not %llu", (unsigned long long)n);
	if (duckdb_prepare_extracted_statement(r->con, all, 0, &r->statement) != DuckDBSuccess)
		return ent_duck_fail(err, DUCKDB_ERROR_INVALID, duckdb_prepare_error(r->statement), "DuckDB refuses the statement");
#ifndef ENT_MUTANT_DUCKDB_ANY_STATEMENT
	if (duckdb_prepared_statement_type(r->statement) != DUCKDB_STATEMENT_TYPE_SELECT)
		return ent_fail(err, ENT_EDENIED, "only SELECT may run here");
#endif
	return 0;
}

static int work(struct run *r, struct ent_err *err)
{
	uint64_t begin = now_ms();
	for (;;) {
		duckdb_pending_state state = duckdb_pending_execute_task(r->pending);
		if (state == DUCKDB_PENDING_ERROR)
			return ent_duck_rows_fail(err, DUCKDB_ERROR_INVALID, duckdb_pending_error(r->pending));
		if (duckdb_pending_execution_is_finished(state))
			return 0;
		if (cancelled(r))
			return stopped(r, err);
		if (r->host.timeout_ms && now_ms() - begin > r->host.timeout_ms) {
			duckdb_interrupt(r->con);
			ent_fail(err, ENT_EAGAIN, "the statement took longer than %u ms", r->host.timeout_ms);
			return ent_next(err, "raise the time-out, or ask for fewer rows");
		}
		if (state == DUCKDB_PENDING_NO_TASKS_AVAILABLE)
			nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
	}
}

static int execute(struct run *r, struct ent_err *err)
{
	if (duckdb_pending_prepared_streaming(r->statement, &r->pending) != DuckDBSuccess)
		return ent_duck_rows_fail(err, DUCKDB_ERROR_INVALID, duckdb_pending_error(r->pending));
	ENT_TRY(work(r, err));
	r->has_result = true;
	if (duckdb_execute_pending(r->pending, &r->result) != DuckDBSuccess)
		return ent_duck_rows_fail(err, duckdb_result_error_type(&r->result), duckdb_result_error(&r->result));
	r->options = duckdb_result_get_arrow_options(&r->result);
	return 0;
}

/* DuckDB's -infinity is the negative of its infinity; ours is the smallest number. The array was made for us and nobody else has it. */
static void infinities_mark(const struct ArrowArray *a, bool days)
{
	for (int64_t i = a->offset; i < a->offset + a->length; i++) {
		uint8_t *at = (uint8_t *)(uintptr_t)a->buffers[1] + (size_t)i * (days ? 4 : 8);
		static const int32_t day[] = { -INT32_MAX, INT32_MIN };
		static const int64_t moment[] = { -INT64_MAX, INT64_MIN };
		if (days && !memcmp(at, &day[0], 4))
			memcpy(at, &day[1], 4);
		else if (!days && !memcmp(at, &moment[0], 8))
			memcpy(at, &moment[1], 8);
	}
}

static int huge_check(const struct run *r, const struct ArrowArray *a, size_t column, struct ent_err *err)
{
	static const ent_i128 most = (ent_i128)9999999999999999999u * 10000000000000000000u + 9999999999999999999u; /* 38 nines */
	for (int64_t i = a->offset; i < a->offset + a->length; i++) {
		const uint8_t *valid = (const uint8_t *)a->buffers[0];
		ent_i128 v;
		if (valid && !(valid[i >> 3] >> (i & 7) & 1))
			continue;
		memcpy(&v, (const uint8_t *)a->buffers[1] + (size_t)i * 16, 16);
		if (v <= most && v >= -most)
			continue;
		ent_fail(err, ENT_EDATA, "row %llu of column %.200s cannot be read", (unsigned long long)(r->rows + (uint64_t)(i - a->offset) + 1),
			 duckdb_column_name((duckdb_result *)(uintptr_t)&r->result, column));
		return ent_why(err, "the number has more than 38 digits"), ENT_EDATA;
	}
	return 0;
}

static int rows_mark(struct run *r, struct ArrowArray *rows, struct ent_err *err)
{
	for (size_t i = 0; i < (size_t)rows->n_children; i++) {
		if (r->marks[i] == HUGE)
			ENT_TRY(huge_check(r, rows->children[i], i, err));
		else if (r->marks[i] != PLAIN)
			infinities_mark(rows->children[i], r->marks[i] == DAYS);
	}
	r->rows += (uint64_t)rows->length;
	return 0;
}

static int run_next(void *self, struct ArrowArray *ret, struct ent_err *err)
{
	struct run *r = (struct run *)self;
	if (cancelled(r))
		return stopped(r, err);
	duckdb_data_chunk chunk = duckdb_fetch_chunk(r->result);
	if (!chunk) {
		const char *why = duckdb_result_error(&r->result);
		return why && why[0] ? ent_duck_rows_fail(err, duckdb_result_error_type(&r->result), why) : 0;
	}
	duckdb_error_data bad = duckdb_data_chunk_to_arrow(r->options, chunk, ret);
	duckdb_destroy_data_chunk(&chunk);
	int code = 0;
	if (duckdb_error_data_has_error(bad))
		code = ent_duck_fail(err, duckdb_error_data_error_type(bad), duckdb_error_data_message(bad), "rows cannot be handed over");
	duckdb_destroy_error_data(&bad);
	if (!code && (code = rows_mark(r, ret, err)) != 0)
		ent_array_release(ret);
	return code;
}

static const struct ent_stream_ops run_ops = { run_next, run_free };

/* --- schema of a result --- */

struct names {
	idx_t n;
	struct ent_field *fields;
};
static void names_deinit(struct names *n) { free(n->fields); }

static int result_schema(struct run *r, struct ArrowSchema *ret, struct ent_err *err)
{
	ENT_CLEANUP(names_deinit) struct names all = { .n = duckdb_column_count(&r->result) };
	all.fields = (struct ent_field *)calloc(all.n + 1, sizeof *all.fields);
	r->marks = (enum marked *)calloc(all.n + 1, sizeof *r->marks);
	if (!all.fields || !r->marks)
		return ent_nomem(err);
	for (idx_t i = 0; i < all.n; i++) {
		struct ent_field *f = &all.fields[i];
		duckdb_logical_type type = duckdb_column_logical_type(&r->result, i);
		bool known = ent_duck_type_of_result(type, &f->type, &f->format);
		if (known && !f->format)
			r->marks[i] = f->type.id == ENT_T_DATE                                           ? DAYS
				      : f->type.id == ENT_T_TIMESTAMP || f->type.id == ENT_T_TIMESTAMPTZ ? MOMENTS
				      : duckdb_get_type_id(type) == DUCKDB_TYPE_HUGEINT                  ? HUGE
													 : PLAIN;
		duckdb_destroy_logical_type(&type);
		f->name = duckdb_column_name(&r->result, i);
		f->nullable = true;
		if (!known)
			return ent_fail(err, ENT_EUNSUPPORTED, "result column %s has a type without joint meaning", f->name);
	}
	return ent_schema_new(all.fields, all.n, NULL, ret, err);
}

int ent_duck_stream(struct ent_duck *d, const char *sql, const struct ent_param *params, size_t n_params, struct ArrowArrayStream *ret,
		    struct ent_err *err)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_CLEANUP(run_freep) struct run *r = (struct run *)calloc(1, sizeof *r);
	if (!r)
		return ent_nomem(err);
	r->host = d->host;
	if (cancelled(r))
		return ent_fail(err, ENT_ECANCELLED, "reading from DuckDB was cancelled");
	if (duckdb_connect(d->db, &r->con) != DuckDBSuccess)
		return ent_fail(err, ENT_EINTERNAL, "DuckDB gives no connection");
	ENT_TRY(prepare(r, sql, err));
	ENT_TRY(params_bind(r, params, n_params, err));
	ENT_TRY(execute(r, err));
	ENT_TRY(result_schema(r, &schema, err));
	struct run *given = r;
	r = NULL;
	return ent_stream_new(&schema, &run_ops, given, ret, err);
}
