/* What everybody in the consortium knows about a table: the public facts an owner published with `register`.
 * Names are lower-case as PostgreSQL folds them unless quoted. Everything here is lent by whoever built the catalogue. */
#ifndef ENT_SQL_CATALOGUE_H
#define ENT_SQL_CATALOGUE_H
#include "arrow/type.h"

struct ent_column {
	const char *name;
	struct ent_type type;
	bool nullable;
	uint8_t bound_bits;       /* numeric: |value| (scaled integer for decimals, integer part for floats) < 2^bound_bits; 0 = none given */
	uint64_t distinct_padded; /* text: pad(number of distinct values); else 0 */
};

struct ent_unique { /* a set of columns that together name a row */
	const uint16_t *columns;
	size_t n_columns;
};

struct ent_table {
	const char *org, *name;
	const struct ent_column *columns;
	size_t n_columns;
	const struct ent_unique *keys;
	size_t n_keys;
	uint64_t rows_padded;     /* pad(T) */
	uint64_t version;         /* counter the owner raises when the content's digest changes */
	uint8_t facts_sha256[32]; /* of the canonical register payload */
};

struct ent_catalogue {
	void *self;
	/* *ret is lent. ENT_ENOTFOUND with the nearest name in err's next line. */
	int (*table)(void *self, const char *org, const char *name, const struct ent_table **ret, struct ent_err *err);
	/* Calls each for every known table, for nearest-name hints. */
	void (*each)(void *self, void (*fn)(void *arg, const struct ent_table *t), void *arg);
};

/* Rounds up to 5 significant bits (at most 6.25 % more): the public size of a table of rows rows. pad(0) = 0. */
uint64_t ent_pad_rows(uint64_t rows);
#endif
