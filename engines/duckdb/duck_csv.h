/* How a CSV file is read: DuckDB guesses from every row, once; every guess is made explicit; a guess that would lose something is taken back. */
#ifndef ENT_DUCKDB_DUCK_CSV_H
#define ENT_DUCKDB_DUCK_CSV_H
#include "duck.h"
#include "duck_override.h"

struct ent_duck_csv { /* all borrowed */
	struct ent_duck *duck;
	const char *path;
	const struct ent_duck_overrides *overrides;
	const struct ent_option *options;
	size_t n_options;
	const char *args; /* of every reading, from the options */
};

/* Appends "read_csv(...)" as it stands behind FROM. Columns guessed as doubles whose texts have more digits than a double keeps become decimals of
 * those digits, or text; guessed times finer than a microsecond become text. ENT_EDATA: such a time in a column that --types declares. */
int ent_duck_csv_reader(const struct ent_duck_csv *csv, struct ent_buf *out, struct ent_err *err);
#endif
