/* The sink's inner parts: duck_sink.c makes tables and transactions, duck_apply.c writes rows by key. */
#ifndef ENT_DUCKDB_DUCK_SINK_INNER_H
#define ENT_DUCKDB_DUCK_SINK_INNER_H
#include "arrow/sink.h"
#include "duck_load.h"
#include "duck_sink.h"

#define ENT_DUCK_TABLES_MAX 100
#define SQL_MAX ((size_t)4 << 20)
#define SQL_AUTO ENT_CLEANUP(ent_buf_deinit) struct ent_buf

struct ent_duck_into {
	char name[256], real[300]; /* real: where rows go, the side table of a replace */
	enum ent_write_mode mode;
	struct ArrowSchema schema;
	struct ent_type *types;
	bool *is_key; /* per column of schema */
	size_t n_keys;
	uint64_t rows; /* that came to be written by key, for the numbers in errors */
	struct ent_duck_loader loader;
};

struct ent_sink {
	struct ent_duck_place *place;
	char job[200];
	uint64_t epoch;
	bool begun;
	struct ent_duck_into tables[ENT_DUCK_TABLES_MAX];
	size_t n_tables;
};

int ent_duck_place_run(struct ent_duck_place *p, struct ent_buf *sql, const char *what, struct ent_err *err);
int ent_duck_sink_begin(struct ent_sink *k, struct ent_err *err);
/* The key of target, or the first one of its schema. ENT_EUSAGE: an upsert without one. */
int ent_duck_keys_mark(struct ent_duck_into *t, const struct ent_target *target, struct ent_err *err);
/* A table made for rows by key has that key, so that later runs find it. */
int ent_duck_key_make(struct ent_sink *k, const struct ent_duck_into *t, struct ent_err *err);
/* Rows of the table's schema; of several with one key the last counts. Inside the open transaction. */
int ent_duck_rows_upsert(struct ent_sink *k, struct ent_duck_into *t, const struct ent_batch *b, struct ent_err *err);
#endif
