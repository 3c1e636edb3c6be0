/* The order of the table is the order of `entente --help`. */
#include "cli/commands.h"

const struct ent_cli_command *const ent_cli_commands[] = {
	&ent_cli_demo,     &ent_cli_init,    &ent_cli_card,    &ent_cli_trust,     &ent_cli_members,      &ent_cli_untrust,
	&ent_cli_serve,    &ent_cli_status,  &ent_cli_doctor,  &ent_cli_add,       &ent_cli_remove,       &ent_cli_tables,
	&ent_cli_describe, &ent_cli_grant,   &ent_cli_grants,  &ent_cli_revoke,    &ent_cli_explain,      &ent_cli_query,
	&ent_cli_copy,     &ent_cli_compare, &ent_cli_prepare, &ent_cli_replicate, &ent_cli_jobs,         &ent_cli_approve,
	&ent_cli_deny,     &ent_cli_cancel,  &ent_cli_ledger,  &ent_cli_verify,    &ent_cli_backup,       &ent_cli_restore,
	&ent_cli_token,    &ent_cli_config,  &ent_cli_log,     &ent_cli_version,   &ent_cli_help_command, &ent_cli_completion,
};
const size_t ent_cli_commands_count = ENT_COUNT(ent_cli_commands);

const struct ent_cli_option ent_cli_common_options[] = {
	{ "json", 0, NULL, "print the answer as JSON" },
	{ "help", 'h', NULL, "print this help" },
};
const size_t ent_cli_common_options_count = ENT_COUNT(ent_cli_common_options);

const struct ent_cli_command *ent_cli_command_find(const char *name)
{
	for (size_t i = 0; i < ent_cli_commands_count; i++)
		if (!strcmp(ent_cli_commands[i]->name, name))
			return ent_cli_commands[i];
	return NULL;
}
