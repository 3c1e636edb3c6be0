/* SQLite's columns only suggest a type; here a declared type is a promise, and every value is held to it. */
#ifndef ENT_SQLITE_TYPE_H
#define ENT_SQLITE_TYPE_H
#include <sqlite3.h>

#include "arrow/builder.h"

/* The joint type of a declared type; false and a reason when it has none. */
bool ent_sqlite_type(const char *declared, struct ent_type *ret, char reason[200]);
/* Column col of the statement's current row into column col of the builder. row: from 1, for errors. ENT_EDATA when the value breaks the promise. */
int ent_sqlite_value_put(struct ent_builder *b, int col, const char *name, uint64_t row, sqlite3_stmt *s, struct ent_err *err);
#endif
