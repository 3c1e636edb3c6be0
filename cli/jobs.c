/* jobs, approve, deny, cancel: joint work and what it waits for. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/print.h"

static int run_jobs(struct ent_cli *cli, struct ent_err *err)
{
	static const struct ent_cli_column columns[] = {
		{ "id", "job", false },          { "state", "state", false }, { "requester", "asked by", false },
		{ "purpose", "purpose", false }, { "time", "time", false },   { "waits_for", "waits for", false },
		{ "why", "why", false }
	};
	ENT_JSON_AUTO answer = NULL;
	ENT_TRY(ent_cli_call(cli, "jobs", NULL, &answer, NULL, err));
	ent_cli_listing(cli, answer, "jobs", columns, ENT_COUNT(columns));
	return 0;
}

const struct ent_cli_command ent_cli_jobs = {
	.name = "jobs",
	.args = "",
	.summary = "joint work, running and past",
	.about = "Lists joint work this node takes or took part in, and what waits for approval.",
	.examples = { "entente jobs", "entente jobs --json" },
	.run = run_jobs,
};

/* approve, deny and cancel differ in their verb only, which is the command's name. */
static int run_verdict(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO args = json_pack("{ss}", "id", cli->args[0]);
	ENT_JSON_AUTO answer = NULL;
	ENT_TRY(ent_cli_call(cli, cli->command->name, args, &answer, NULL, err));
	if (cli->json)
		ent_cli_json(answer);
	else
		printf("job %s: %s\n", cli->args[0], ent_cli_str(answer, "state"));
	return 0;
}

const struct ent_cli_command ent_cli_approve = {
	.name = "approve",
	.args = "JOB",
	.summary = "approve a job that waits for people",
	.about = "Approves a job whose grants say REQUIRE APPROVAL. The approval is signed and entered in the ledger.",
	.examples = { "entente approve 0123456789abcdef", "entente -C a approve 0123456789abcdef" },
	.args_min = 1,
	.args_max = 1,
	.run = run_verdict,
};

const struct ent_cli_command ent_cli_deny = {
	.name = "deny",
	.args = "JOB",
	.summary = "deny a job that waits for people",
	.about = "Denies a job whose grants say REQUIRE APPROVAL; it ends at all parties.",
	.examples = { "entente deny 0123456789abcdef", "entente -C a deny 0123456789abcdef" },
	.args_min = 1,
	.args_max = 1,
	.run = run_verdict,
};

const struct ent_cli_command ent_cli_cancel = {
	.name = "cancel",
	.args = "JOB",
	.summary = "cancel a job at all parties",
	.about = "Cancels a queued or running job at all parties.",
	.examples = { "entente cancel 0123456789abcdef", "entente -C a cancel 0123456789abcdef" },
	.args_min = 1,
	.args_max = 1,
	.run = run_verdict,
};
