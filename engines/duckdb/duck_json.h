/* Numbers of a JSON file that its reader would round: DuckDB takes whole numbers of 64 bits and doubles, nothing else. */
#ifndef ENT_DUCKDB_DUCK_JSON_H
#define ENT_DUCKDB_DUCK_JSON_H
#include "base/bytes.h"

#define ENT_DUCK_JSON_LOSSES_MAX 64u

struct ent_duck_json_loss {
	char field[256]; /* of the outermost object, escapes as they stand in the file */
	uint64_t row;    /* the first one, from 1 */
};

struct ent_duck_json_losses {
	struct ent_duck_json_loss all[ENT_DUCK_JSON_LOSSES_MAX];
	size_t n;
	bool more; /* further fields than these */
};

/* State of one pass over a file, fed in pieces. Zeroed is the start. Any bytes are fine: what is no JSON is the reader's matter. */
struct ent_duck_json_scan {
	struct ent_duck_json_losses found;
	uint64_t rows;
	unsigned depth, row_depth; /* row_depth: of the objects that are rows, 1 or (in an array) 2 */
	bool in_text, escaped, key_next, array;
	char field[256], number[1100];
	size_t field_n, number_n;
};

void ent_duck_json_scan(struct ent_duck_json_scan *s, struct ent_bytes part);
/* The whole file. ENT_EIO. */
int ent_duck_json_check(const char *path, struct ent_duck_json_losses *ret, struct ent_err *err);
#endif
