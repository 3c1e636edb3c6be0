/* Listings for people and for programs. */
#ifndef ENT_CLI_PRINT_H
#define ENT_CLI_PRINT_H
#include "base/http.h"
#include "cli/command.h"

struct ent_cli_column {
	const char *key, *title;
	bool right;
};

/* rows: an array of objects. With --json the whole answer is printed as JSON instead. */
void ent_cli_listing(const struct ent_cli *cli, const json_t *answer, const char *rows_key, const struct ent_cli_column *columns, size_t n_columns);
void ent_cli_json(const json_t *value);
void ent_cli_text(const json_t *value, struct ent_buf *out);              /* as it stands in a cell */
const char *ent_cli_str(const json_t *obj, const char *key);              /* "" when absent */
json_int_t ent_cli_int(const json_t *obj, const char *key);               /* 0 when absent */
void ent_cli_lines(const json_t *array);                                  /* an array of texts, one a line */
void ent_cli_size(uint64_t bytes, char out[24]);                          /* 41 MB */
void ent_cli_error(const struct ent_cli *cli, const struct ent_err *err); /* what, why, next on stderr */
#endif
