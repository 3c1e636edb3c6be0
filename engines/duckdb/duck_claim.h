/* Who in this process has which database file open. DuckDB's own lock keeps other processes away; but the kernel gives a second open file of the
 * same process the same lock, and takes it from both when one is closed. */
#ifndef ENT_DUCKDB_DUCK_CLAIM_H
#define ENT_DUCKDB_DUCK_CLAIM_H
#include <duckdb.h>

#include "base/err.h"

struct ent_duck_claim; /* NULL: nothing claimed */

/* Many readers or one writer of a database file, which a writer may be about to make. ENT_EAGAIN: somebody has it. */
int ent_duck_claim(const char *path, bool writes, struct ent_duck_claim **ret, struct ent_err *err);
/* Writers of one database share one instance of DuckDB, which keeps their transactions apart: db is the caller's own, opened, and becomes the
 * shared one (*ret_first 1: db itself, into which the caller attaches the file, then ent_duck_share) or is closed (0). ENT_EAGAIN: a reader has it,
 * or another writer is just attaching. */
int ent_duck_claim_shared(const char *path, duckdb_database *db, int *ret_first, struct ent_duck_claim **ret, struct ent_err *err);
void ent_duck_share(struct ent_duck_claim *c, duckdb_database db);
int ent_duck_is_shared(const struct ent_duck_claim *c); /* unclaiming closes the instance, not the caller; NULL: 0 */
void ent_duck_unclaim(struct ent_duck_claim **c);
#endif
