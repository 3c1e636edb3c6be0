/* token: who may read this ledger's entries over HTTP without being a member. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/print.h"

static int remove_token(struct ent_cli *cli, const char *name, struct ent_err *err)
{
	ENT_JSON_AUTO args = json_pack("{s:s}", "name", name);
	ENT_JSON_AUTO answer = NULL;
	ENT_TRY(ent_cli_call(cli, "token.remove", args, &answer, NULL, err));
	if (!cli->json)
		fprintf(stderr, "token %s reads nothing any more\n", name);
	return 0;
}

static int make_token(struct ent_cli *cli, const char *name, struct ent_err *err)
{
	ENT_JSON_AUTO args = json_pack("{s:s}", "name", name);
	ENT_JSON_AUTO answer = NULL;
	ENT_TRY(ent_cli_call(cli, "token.add", args, &answer, NULL, err));
	if (cli->json) {
		ent_cli_json(answer);
		return 0;
	}
	puts(ent_cli_str(answer, "token"));
	fprintf(stderr, "this is shown once; use it as: Authorization: Bearer TOKEN\n");
	return 0;
}

static int run_token(struct ent_cli *cli, struct ent_err *err)
{
	static const struct ent_cli_column columns[] = { { "name", "token", false } };
	ENT_JSON_AUTO answer = NULL;
	const char *gone = ent_cli_value(cli, "remove");
	if (gone && cli->n_args)
		return ent_fail(err, ENT_EUSAGE, "either make a token or remove one");
	if (gone)
		return remove_token(cli, gone, err);
	if (cli->n_args)
		return make_token(cli, cli->args[0], err);
	ENT_TRY(ent_cli_call(cli, "token.list", NULL, &answer, NULL, err));
	ent_cli_listing(cli, answer, "tokens", columns, ENT_COUNT(columns));
	return 0;
}

static const struct ent_cli_option token_options[] = { { "remove", 0, "NAME", "take that token back" } };
const struct ent_cli_command ent_cli_token = {
	.name = "token",
	.args = "[NAME]",
	.summary = "read tokens for the ledger over HTTP",
	.about = "With a name, makes a token for somebody who is no member, an auditor say, and prints it once. Whoever shows it over HTTPS may read "
		 "this ledger's entries. Without, lists the names. Only hashes are kept, in HOME/secrets.",
	.examples = { "entente token auditor", "entente token --remove auditor" },
	.options = token_options,
	.n_options = ENT_COUNT(token_options),
	.args_max = 1,
	.offline = true,
	.run = run_token,
};
