/* Quoting for DuckDB's SQL. */
#ifndef ENT_DUCKDB_QUOTE_H
#define ENT_DUCKDB_QUOTE_H
#include "base/bytes.h"

void ent_duck_literal(struct ent_buf *out, const char *text); /* 'a''b' */
void ent_duck_name(struct ent_buf *out, const char *name);    /* "a""b" */
#endif
