/* Files and tables of a DuckDB database as targets of copies. Rows go, in transactions with their checkpoint, into the database itself or, for a
 * file, into a staging database beside it; at the end the file is written from there whole and takes its name in one rename. */
#ifndef ENT_DUCKDB_DUCK_SINK_H
#define ENT_DUCKDB_DUCK_SINK_H
#include "duck.h"
#include "duck_claim.h"
#include "duck_options.h"

struct ent_duck_place { /* a target that need not exist yet */
	struct ent_duck duck;
	enum ent_duck_file file;
	char *path, *store; /* store: the database that takes the rows */
	struct ent_buf how; /* for a file: the options of COPY ... TO */
	struct ent_duck_claim *claim;
	bool attached, read_only;
};

int ent_duck_place_open(const struct ent_host *host, const char *path, enum ent_duck_file file, const struct ent_option *options, size_t n_options,
			struct ent_duck_place *ret, struct ent_err *err);
/* Opens the database; it is made when it is not there, unless read_only is set. */
int ent_duck_place_attach(struct ent_duck_place *p, struct ent_err *err);
void ent_duck_place_close(struct ent_duck_place *p); /* zeroed is fine */

int ent_duck_map(struct ent_duck_place *p, const struct ent_target *target, struct ent_map_line *lines, int *ret_exists, struct ent_err *err);
int ent_duck_sink_open(struct ent_duck_place *p, const char *job, uint64_t *epoch, struct ent_sink **ret, struct ent_err *err);
int ent_duck_sink_table(struct ent_sink *k, const struct ent_target *target, size_t *ret_index, struct ent_err *err);
int ent_duck_sink_rows(struct ent_sink *k, size_t index, const struct ArrowArray *rows, struct ent_err *err);
/* duck_apply.c: rows by key */
int ent_duck_sink_changes(struct ent_sink *k, size_t index, const struct ArrowSchema *schema, const struct ArrowArray *rows, struct ent_err *err);
int ent_duck_sink_alter(struct ent_sink *k, size_t index, const struct ArrowSchema *schema, struct ent_err *err);
int ent_duck_sink_truncate(struct ent_sink *k, size_t index, struct ent_err *err);
int ent_duck_sink_commit(struct ent_sink *k, const struct ent_sink_checkpoint *c, struct ent_err *err);
int ent_duck_sink_rollback(struct ent_sink *k, struct ent_err *err);
int ent_duck_sink_last(struct ent_sink *k, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err);
int ent_duck_sink_finish(struct ent_sink *k, int forget, struct ent_err *err);
void ent_duck_sink_close(struct ent_sink *k);
#endif
