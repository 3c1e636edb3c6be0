/* The locked database: settings first, then what must be attached, then the seal. */
#include "duck.h"

#include <stdio.h>
#include <stdlib.h>

static int kind_of(duckdb_error_type type)
{
	switch (type) {
	case DUCKDB_ERROR_OUT_OF_MEMORY:
		return ENT_ENOMEM;
	case DUCKDB_ERROR_INTERRUPT:
		return ENT_ECANCELLED;
	case DUCKDB_ERROR_PERMISSION:
		return ENT_EDENIED;
	case DUCKDB_ERROR_IO:
		return ENT_EIO;
	case DUCKDB_ERROR_PARSER:
	case DUCKDB_ERROR_SYNTAX:
	case DUCKDB_ERROR_BINDER:
	case DUCKDB_ERROR_CATALOG:
	case DUCKDB_ERROR_PLANNER:
	case DUCKDB_ERROR_PARAMETER_NOT_RESOLVED:
	case DUCKDB_ERROR_PARAMETER_NOT_ALLOWED:
		return ENT_ESQL;
	case DUCKDB_ERROR_NOT_IMPLEMENTED:
		return ENT_EUNSUPPORTED;
	case DUCKDB_ERROR_INTERNAL:
	case DUCKDB_ERROR_FATAL:
		return ENT_EINTERNAL;
	default: /* conversions, ranges, broken files: a foreign enum that grows */
		return ENT_EDATA;
	}
}

/* Where DuckDB's interface gives a message without its kind, the kind stands in front of it. */
static duckdb_error_type type_of_message(const char *message)
{
	static const struct {
		const char *prefix;
		duckdb_error_type type;
	} kinds[] = { { "Permission Error", DUCKDB_ERROR_PERMISSION },
		      { "IO Error", DUCKDB_ERROR_IO },
		      { "Out of Memory Error", DUCKDB_ERROR_OUT_OF_MEMORY },
		      { "INTERRUPT Error", DUCKDB_ERROR_INTERRUPT },
		      { "Parser Error", DUCKDB_ERROR_PARSER },
		      { "Syntax Error", DUCKDB_ERROR_SYNTAX },
		      { "Binder Error", DUCKDB_ERROR_BINDER },
		      { "Catalog Error", DUCKDB_ERROR_CATALOG },
		      { "Not implemented Error", DUCKDB_ERROR_NOT_IMPLEMENTED },
		      { "INTERNAL Error", DUCKDB_ERROR_INTERNAL },
		      { "Missing Extension Error", DUCKDB_ERROR_PERMISSION } };
	for (size_t i = 0; i < ENT_COUNT(kinds); i++)
		if (!strncmp(message, kinds[i].prefix, strlen(kinds[i].prefix)))
			return kinds[i].type;
	return DUCKDB_ERROR_INVALID_INPUT;
}

/* DuckDB's messages carry a source excerpt after an empty line: only the first paragraph says why. */
int ent_duck_fail(struct ent_err *err, duckdb_error_type type, const char *message, const char *what)
{
	const char *text = message ? message : "no reason given", *end = strstr(text, "\n\n");
	int code = kind_of(type == DUCKDB_ERROR_INVALID ? type_of_message(text) : type);
	if (code == ENT_EIO && strstr(text, "not a valid DuckDB"))
		code = ENT_EDATA;
	ent_fail(err, code, "%s", what);
	ent_why(err, "%.*s", (int)(end ? end - text : (ptrdiff_t)strnlen(text, 500)), text);
	for (char *p = err ? err->why : NULL; p && *p; p++)
		*p = *p == '\n' ? ' ' : *p;
	return code;
}

/* The word after a mark in a message, without quotes; "" when the mark is not there. */
static void word_after(const char *text, const char *mark, char out[80])
{
	const char *at = strstr(text, mark);
	at = at ? at + strlen(mark) : "";
	at += *at == '"';
	snprintf(out, 80, "%.*s", (int)strcspn(at, "\". \n"), at);
}

int ent_duck_rows_fail(struct ent_err *err, duckdb_error_type type, const char *message)
{
	static const char what[] = "the rows cannot be read", ours[] = "Invalid Input Error: a value of column ";
	const char *text = message ? message : "";
	char line[80], column[80], source[80];
	int code = ent_duck_fail(err, type, message, what);
	if (code != ENT_EDATA || !strncmp(text, ours, strlen(ours)))
		return code;
	word_after(text, "CSV Error on Line: ", line);
	word_after(text, "converting column ", column);
	word_after(text, "source column ", source);
	ent_fail(err, code, "%s", what);
	ent_why(err, "%.*s%s%s%s%s", (int)strcspn(text, ":"), text, line[0] ? ", line " : "", line, column[0] || source[0] ? ", column " : "",
		column[0] ? column : source);
	return code;
}

static void result_deinit(duckdb_result *r) { duckdb_destroy_result(r); }

int ent_duck_run(struct ent_duck *d, const char *sql, const char *what, struct ent_err *err)
{
	ENT_CLEANUP(result_deinit) duckdb_result r = { 0 };
	if (duckdb_query(d->con, sql, &r) == DuckDBSuccess)
		return 0;
	return ent_duck_fail(err, duckdb_result_error_type(&r), duckdb_result_error(&r), what);
}

struct setting {
	const char *name, *value;
};

static bool config_set(duckdb_config config, const struct ent_host *host)
{
	char memory[32], threads[16];
	uint64_t bytes = host->memory_bytes_max ? host->memory_bytes_max : (uint64_t)1 << 30;
	snprintf(memory, sizeof memory, "%lluB", (unsigned long long)bytes);
	snprintf(threads, sizeof threads, "%u", host->threads_max ? host->threads_max : 1);
	const struct setting settings[] = {
		{ "threads", threads },
		{ "memory_limit", memory },
		{ "temp_directory", "" }, /* rows of a private table are never spilled in the clear */
		{ "autoinstall_known_extensions", "false" },
		{ "autoload_known_extensions", "false" },
		{ "allow_community_extensions", "false" },
		{ "allow_unsigned_extensions", "false" },
		{ "allow_persistent_secrets", "false" },
		{ "preserve_insertion_order", "true" },
		{ "integer_division", "true" },
		{ "default_null_order", "nulls_last_on_asc_first_on_desc" },
	};
	for (size_t i = 0; i < ENT_COUNT(settings); i++)
		if (duckdb_set_config(config, settings[i].name, settings[i].value) != DuckDBSuccess)
			return false;
	return true;
}

void ent_duck_close(struct ent_duck *d)
{
	if (d->con)
		duckdb_disconnect(&d->con);
	if (d->db)
		duckdb_close(&d->db);
	*d = (struct ent_duck){ 0 };
}

static int database_open(struct ent_duck *d, struct ent_err *err)
{
	duckdb_config config = NULL;
	char *why = NULL;
	bool ok = duckdb_create_config(&config) == DuckDBSuccess && config_set(config, &d->host) &&
		  duckdb_open_ext(NULL, &d->db, config, &why) == DuckDBSuccess && duckdb_connect(d->db, &d->con) == DuckDBSuccess;
	duckdb_destroy_config(&config);
	if (ok)
		return 0;
	ent_fail(err, ENT_EINTERNAL, "DuckDB does not start");
	ent_why(err, "%s", why ? why : "a setting was refused");
	duckdb_free(why);
	return ENT_EINTERNAL;
}

int ent_duck_open(const struct ent_host *host, struct ent_duck *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_duck_close) struct ent_duck d = { .host = *host };
	ENT_TRY(database_open(&d, err));
	ENT_TRY(ent_duck_run(&d, "SET GLOBAL TimeZone = 'UTC'", "DuckDB does not know UTC", err));
	*ret = d;
	d = (struct ent_duck){ 0 };
	return 0;
}

int ent_duck_seal(struct ent_duck *d, const char *allowed_path, struct ent_err *err)
{
	static const char what[] = "DuckDB cannot be sealed";
	if (allowed_path) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(16384);
		ent_buf_str(&sql, "SET GLOBAL allowed_paths = [");
		ent_duck_literal(&sql, allowed_path);
		ent_buf_str(&sql, "]");
		ENT_TRY(ent_buf_check(&sql, err));
		ENT_TRY(ent_duck_run(d, ent_buf_text(&sql), what, err));
	}
#ifndef ENT_MUTANT_DUCKDB_OPEN
	ENT_TRY(ent_duck_run(d, "SET GLOBAL enable_external_access = false", what, err));
#endif
	return ent_duck_run(d, "SET GLOBAL lock_configuration = true", what, err);
}

int ent_duck_text(struct ent_duck *d, const char *sql, const char *what, struct ent_buf *out, struct ent_err *err)
{
	ENT_CLEANUP(result_deinit) duckdb_result r = { 0 };
	if (duckdb_query(d->con, sql, &r) != DuckDBSuccess)
		return ent_duck_fail(err, duckdb_result_error_type(&r), duckdb_result_error(&r), what);
	duckdb_data_chunk chunk = duckdb_fetch_chunk(r);
	if (chunk && duckdb_data_chunk_get_size(chunk) > 0) {
		duckdb_vector v = duckdb_data_chunk_get_vector(chunk, 0);
		uint64_t *validity = duckdb_vector_get_validity(v);
		duckdb_string_t *texts = (duckdb_string_t *)duckdb_vector_get_data(v);
		if (!validity || duckdb_validity_row_is_valid(validity, 0))
			ent_buf_put(out, duckdb_string_t_data(&texts[0]), duckdb_string_t_length(texts[0]));
	}
	duckdb_destroy_data_chunk(&chunk);
	return ent_buf_check(out, err);
}
