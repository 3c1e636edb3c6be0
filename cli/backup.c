/* backup, restore: a home as one file. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/home.h"

static int run_backup(struct ent_cli *cli, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf content = ENT_BUF((size_t)64 << 20);
	ENT_TRY(ent_cli_call(cli, "backup", NULL, NULL, &content, err));
	ENT_TRY(ent_cli_write_file(cli->args[0], ent_buf_bytes(&content), err));
	fprintf(stderr, "it holds this organisation's keys: keep it where you would keep them\n");
	return 0;
}

const struct ent_cli_command ent_cli_backup = {
	.name = "backup",
	.args = "FILE",
	.summary = "write a snapshot of this home, keys included",
	.about = "Writes keys, configuration, ledger and catalogue to one file, also while the node runs. The file is as secret as the keys in it.",
	.examples = { "entente backup hudson.backup", "entente -C a backup - | age -r KEY > hudson.backup.age" },
	.args_min = 1,
	.args_max = 1,
	.offline = true,
	.run = run_backup,
};

static int run_restore(struct ent_cli *cli, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf content = ENT_BUF((size_t)64 << 20);
	ENT_TRY(ent_cli_read_file(cli->args[0], &content, err));
	ENT_TRY(ent_home_restore(ent_buf_text(&cli->home), ent_buf_bytes(&content), err));
	fprintf(stderr, "restored to %s; it appends to its ledger once every member has told the last checkpoint it saw: entente serve\n",
		ent_buf_text(&cli->home));
	return 0;
}

const struct ent_cli_command ent_cli_restore = {
	.name = "restore",
	.args = "FILE",
	.summary = "make a home of a snapshot",
	.about = "Makes a new home of a backup. Before it appends to its ledger, every member must have told the last checkpoint it witnessed: a "
		 "backup older "
		 "than that is refused, because it would fork the ledger.",
	.examples = { "entente -C a restore hudson.backup", "entente restore - < hudson.backup" },
	.args_min = 1,
	.args_max = 1,
	.run = run_restore,
};
