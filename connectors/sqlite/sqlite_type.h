/* SQLite's columns only suggest a type; here a declared type is a promise, and every value is held to it. */
#ifndef ENT_SQLITE_TYPE_H
#define ENT_SQLITE_TYPE_H
#include <sqlite3.h>

#include "arrow/builder.h"

enum ent_sqlite_use { ENT_SQLITE_NONE, ENT_SQLITE_COPIED, ENT_SQLITE_JOINT };

/* What a declared type is read as; a reason unless joint queries may use it. */
enum ent_sqlite_use ent_sqlite_type(const char *declared, struct ent_type *ret, char reason[200]);
/* The declared type that holds every value of t (widened where SQLite has nothing nearer). */
void ent_sqlite_declare(struct ent_type t, char out[64]);
/* Column col of the statement's current row into column col of the builder. row: from 1, for errors. ENT_EDATA when the value breaks the promise. */
int ent_sqlite_value_put(struct ent_builder *b, int col, const char *name, uint64_t row, sqlite3_stmt *s, struct ent_err *err);
/* The same where the columns stand at different places. */
int ent_sqlite_value_at(struct ent_builder *b, int to, int col, const char *name, uint64_t row, sqlite3_stmt *s, struct ent_err *err);
#endif
