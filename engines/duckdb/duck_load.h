/* Rows into a table of DuckDB: validated batches are copied, 2,048 rows at a time, so that DuckDB never follows a foreign pointer. */
#ifndef ENT_DUCKDB_DUCK_LOAD_H
#define ENT_DUCKDB_DUCK_LOAD_H
#include "duck.h"

/* types: one per column when the table has other types than the schema (see arrow/fit.h), else NULL. staged: a temporary table. */
int ent_duck_table_create(struct ent_duck *d, const char *name, const struct ArrowSchema *schema, const struct ent_type *types, bool staged,
			  struct ent_err *err);

struct ent_duck_loader {
	const struct ent_duck *duck;
	const struct ArrowSchema *schema; /* borrowed */
	const struct ent_type *types;     /* borrowed, or NULL */
	duckdb_appender appender;
	duckdb_data_chunk chunk;
	struct ent_buf scratch;
	uint64_t rows;
	bool endless; /* infinite dates are kept; files have none */
	bool finite;  /* JSON: no NaN, no infinity */
};

int ent_duck_loader_open(const struct ent_duck *d, const char *table, const struct ArrowSchema *schema, const struct ent_type *types,
			 struct ent_duck_loader *ret, struct ent_err *err);
/* Refuses by name a value that does not fit; what was put before stays. */
int ent_duck_loader_put(struct ent_duck_loader *l, const struct ent_batch *b, struct ent_err *err);
int ent_duck_loader_flush(struct ent_duck_loader *l, struct ent_err *err);
void ent_duck_loader_close(struct ent_duck_loader *l); /* zeroed is fine */
#endif
