/* Who in this process has which database file open. DuckDB's own lock keeps other processes away; but the kernel gives a second open file of the
 * same process the same lock, and takes it from both when one is closed. */
#ifndef ENT_DUCKDB_DUCK_CLAIM_H
#define ENT_DUCKDB_DUCK_CLAIM_H
#include "base/err.h"

struct ent_duck_claim; /* NULL: nothing claimed */

/* Many readers or one writer of a database file, which a writer may be about to make. ENT_EAGAIN: somebody has it. */
int ent_duck_claim(const char *path, bool writes, struct ent_duck_claim **ret, struct ent_err *err);
void ent_duck_unclaim(struct ent_duck_claim **c);
#endif
