/* What commands that move tables share: arguments, watching, errors. */
#ifndef ENT_CLI_MOVE_H
#define ENT_CLI_MOVE_H
#include <stdio.h>

#include "cli/command.h"

json_t *ent_cli_move_end(const char *text); /* a source as the node takes it: files by absolute path */
/* Options, keys, secrets and splits as given. */
int ent_cli_move_args(const struct ent_cli *cli, json_t *args, struct ent_err *err);
/* move.start, then waits for the end with a bar on a terminal; reports go to a stream, or nowhere when NULL. */
int ent_cli_move_watch(struct ent_cli *cli, const json_t *args, FILE *reports, json_t **ret_move, struct ent_err *err);
int ent_cli_error_of(const json_t *what, struct ent_err *err); /* the failure that a move or job tells of, 0 when it has none */
#endif
