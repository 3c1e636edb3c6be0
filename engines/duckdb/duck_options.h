/* Options of `add` for files, in DuckDB's words: --null NA, --delim ';', --header false, --dateformat '%d.%m.%Y' ... */
#ifndef ENT_DUCKDB_OPTIONS_H
#define ENT_DUCKDB_OPTIONS_H
#include "base/bytes.h"
#include "entente/connector.h"

enum ent_duck_file { ENT_DUCK_CSV, ENT_DUCK_JSON, ENT_DUCK_PARQUET, ENT_DUCK_DATABASE };

/* Appends ", name = value" for each option and for the defaults this format needs, fit to follow the path in read_csv or read_json.
 * ENT_EUSAGE: an option this format does not know, or a value that does not fit. */
int ent_duck_options_put(enum ent_duck_file file, const struct ent_option *options, size_t n, struct ent_buf *out, struct ent_err *err);
/* Whether one of the options sets this parameter of read_csv. */
bool ent_duck_options_set(const struct ent_option *options, size_t n, const char *parameter);
#endif
