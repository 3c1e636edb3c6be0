/* Every command's row, by the file that holds it. */
#ifndef ENT_CLI_COMMANDS_H
#define ENT_CLI_COMMANDS_H
#include "cli/command.h"

extern const struct ent_cli_command ent_cli_demo, ent_cli_serve;                                                  /* serve_command.c */
extern const struct ent_cli_command ent_cli_init, ent_cli_card, ent_cli_trust, ent_cli_members, ent_cli_untrust;  /* members.c */
extern const struct ent_cli_command ent_cli_status, ent_cli_doctor, ent_cli_config, ent_cli_version, ent_cli_log; /* info.c */
extern const struct ent_cli_command ent_cli_add, ent_cli_remove, ent_cli_tables, ent_cli_describe;                /* tables.c */
extern const struct ent_cli_command ent_cli_grant, ent_cli_grants, ent_cli_revoke;                                /* grants.c */
extern const struct ent_cli_command ent_cli_explain, ent_cli_query;                                               /* query.c */
extern const struct ent_cli_command ent_cli_prepare;                                                              /* prepare.c */
extern const struct ent_cli_command ent_cli_copy, ent_cli_compare;                                                /* move.c */
extern const struct ent_cli_command ent_cli_replicate;                                                            /* replicate.c */
/* Stores the rows of a finished job, asked for as frames. */
int ent_cli_into(struct ent_cli *cli, const char *job, const char *target, struct ent_err *err); /* move.c */
extern const struct ent_cli_command ent_cli_jobs, ent_cli_approve, ent_cli_deny, ent_cli_cancel; /* jobs.c */
extern const struct ent_cli_command ent_cli_ledger, ent_cli_verify;                              /* ledger.c, verify.c */
extern const struct ent_cli_command ent_cli_backup, ent_cli_restore;                             /* backup.c */
extern const struct ent_cli_command ent_cli_token;                                               /* token.c */
extern const struct ent_cli_command ent_cli_help_command, ent_cli_completion;                    /* help.c */
#endif
