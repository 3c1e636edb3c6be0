/* DuckDB, shared by the connector for files and the engine: one locked in-memory database, statements with bound parameters, results as
 * Arrow streams. Every stream runs on its own connection, so that several can be open at once and outlive the database handle. */
#ifndef ENT_DUCKDB_DUCK_H
#define ENT_DUCKDB_DUCK_H
#include <duckdb.h>

#include "arrow/stream.h"
#include "duck_quote.h"
#include "entente/engine.h"

struct ent_duck {
	struct ent_host host;
	duckdb_database db;
	duckdb_connection con; /* for statements without result */
};

/* An in-memory database with our settings (engine.md's SQL meaning), no extension install or load, nothing spilled to disk. Not yet sealed. */
int ent_duck_open(const struct ent_host *host, struct ent_duck *ret, struct ent_err *err);
void ent_duck_close(struct ent_duck *d); /* zeroed is fine; open streams go on */
/* From here on only allowed_path (may be NULL) can be opened, and no setting changes any more. */
int ent_duck_seal(struct ent_duck *d, const char *allowed_path, struct ent_err *err);
/* One statement of our own, without parameters. what: for the error. */
int ent_duck_run(struct ent_duck *d, const char *sql, const char *what, struct ent_err *err);
/* One SELECT; every other statement is refused. Polls host->cancelled until the first rows are there and between batches. */
int ent_duck_stream(struct ent_duck *d, const char *sql, const struct ent_param *params, size_t n_params, struct ArrowArrayStream *ret,
		    struct ent_err *err);
/* The first value of a SELECT as text appended to out (nothing for NULL or no row). */
int ent_duck_text(struct ent_duck *d, const char *sql, const char *what, struct ent_buf *out, struct ent_err *err);

/* Fills err from DuckDB's kind of error and message; with DUCKDB_ERROR_INVALID the message tells the kind. */
int ent_duck_fail(struct ent_err *err, duckdb_error_type type, const char *message, const char *what);
/* The same while private rows are read: DuckDB quotes the value it stumbled over, and an error may travel to other members, so only the kind, the
 * line and the column are kept. */
int ent_duck_rows_fail(struct ent_err *err, duckdb_error_type type, const char *message);

enum ent_duck_use { ENT_DUCK_NONE, ENT_DUCK_COPIED, ENT_DUCK_JOINT };

/* What a DuckDB type is read as, by its SQL name ("DECIMAL(12,2)", "HUGEINT", "INTEGER[]"), and a reason unless joint queries may use it.
 * ret_cast: what to CAST to first, or NULL. */
enum ent_duck_use ent_duck_type_by_name(const char *name, struct ent_type *ret, const char **ret_cast, char reason[200]);
/* The joint type of a result column and the Arrow format DuckDB gives it; false when it has none. HUGEINT is decimal(38,0). */
bool ent_duck_type_of_result(duckdb_logical_type type, struct ent_type *ret, const char **ret_format);
/* SQL name of a type. */
void ent_duck_type_sql(struct ent_type t, char out[ENT_TYPE_TEXT_MAX]);
#endif
