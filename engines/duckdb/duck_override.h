/* `--types COL=TYPE,COL=TYPE`: types of CSV columns that somebody knows better than the guess. Decimals are read as text and cast strictly:
 * DuckDB would round, and no value is ever rounded here. */
#ifndef ENT_DUCKDB_OVERRIDE_H
#define ENT_DUCKDB_OVERRIDE_H
#include "arrow/type.h"
#include "entente/connector.h"

#define ENT_DUCK_OVERRIDES_MAX 64

struct ent_duck_override {
	char column[256];
	struct ent_type type;
};

struct ent_duck_overrides {
	struct ent_duck_override all[ENT_DUCK_OVERRIDES_MAX];
	size_t n;
	bool comma; /* numbers are written with a decimal comma */
};

/* From the options types (any number of them) and decimal_separator. ENT_EUSAGE: a type nobody knows, a repeated column. */
int ent_duck_overrides_read(const struct ent_option *options, size_t n, struct ent_duck_overrides *ret, struct ent_err *err);
const struct ent_duck_override *ent_duck_override_find(const struct ent_duck_overrides *o, const char *column);
/* ", types = {...}" for DuckDB's reader; nothing when there are none. */
void ent_duck_overrides_put(const struct ent_duck_overrides *o, struct ent_buf *out);
/* A strict cast of the text column to the decimal type asked for; false when this column needs none. */
bool ent_duck_override_cast(const struct ent_duck_overrides *o, const char *column, struct ent_buf *out);
#endif
