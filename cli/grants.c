/* grant, grants, revoke: column rules. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/print.h"

static int grant_text(struct ent_cli *cli, struct ent_buf *text, struct ent_err *err)
{
	const char *file = ent_cli_value(cli, "file");
	if (!file == !cli->n_args) {
		ent_fail(err, ENT_EUSAGE, "grant takes either the rule's text or -f FILE");
		return ent_next(err, "entente grant 'GRANT JOIN ON flights(tailnum) TO ANY'");
	}
	if (file)
		return ent_cli_read_file(file, text, err);
	text->max = 1u << 20;
	ent_buf_str(text, cli->args[0]);
	return ent_buf_check(text, err);
}

static int run_grant(struct ent_cli *cli, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(0);
	ENT_JSON_AUTO answer = NULL;
	ENT_TRY(grant_text(cli, &text, err));
	ENT_JSON_AUTO args = json_pack("{ss}", "text", ent_buf_text(&text));
	if (!args)
		return ent_fail(err, ENT_EDATA, "the rule is not UTF-8 text");
	ENT_TRY(ent_cli_call(cli, "grant", args, &answer, NULL, err));
	if (cli->json) {
		ent_cli_json(answer);
		return 0;
	}
	size_t i;
	const json_t *id, *ids = json_object_get(answer, "ids"), *texts = json_object_get(answer, "texts");
	json_array_foreach(ids, i, id) printf("%s  %s\n", json_string_value(id), json_string_value(json_array_get(texts, i)));
	json_array_foreach(json_object_get(answer, "warnings"), i, id) fprintf(stderr, "note: %s\n", json_string_value(id));
	return 0;
}

static const struct ent_cli_option grant_options[] = { { "file", 'f', "FILE", "read the rules from a file (- is standard input)" } };
const struct ent_cli_command ent_cli_grant = {
	.name = "grant",
	.args = "'TEXT'",
	.summary = "write column rules",
	.about = "Writes one or more rules: GRANT USE ON table(columns) TO orgs [FOR purposes] [MIN GROUP k] [UNTIL date] [USES n] [LEAK level] "
		 "[REQUIRE APPROVAL [OF n]] [WITH OWN VALUES]; DENY ALL ON table(columns); REVOKE n. Uses: SELECT, JOIN, FILTER, GROUP, AGGREGATE(f, "
		 "...), "
		 "TRAIN, COPY. Without a grant nobody but you may use anything.",
	.examples = { "entente grant 'GRANT JOIN ON flights(tailnum, origin) TO ANY'", "entente grant -f rules.txt" },
	.options = grant_options,
	.n_options = ENT_COUNT(grant_options),
	.args_max = 1,
	.offline = true,
	.run = run_grant,
};

static int run_grants(struct ent_cli *cli, struct ent_err *err)
{
	static const struct ent_cli_column columns[] = {
		{ "id", "id", false }, { "active", "active", false }, { "uses_left", "uses left", true }, { "text", "rule", false }
	};
	ENT_JSON_AUTO args = json_object();
	ENT_JSON_AUTO answer = NULL;
	if (ent_cli_flag(cli, "check"))
		json_object_set_new(args, "check", json_true());
	if (ent_cli_value(cli, "org"))
		json_object_set_new(args, "org", json_string(ent_cli_value(cli, "org")));
	ENT_TRY(ent_cli_call(cli, "grants", args, &answer, NULL, err));
	ent_cli_listing(cli, answer, "grants", columns, ENT_COUNT(columns));
	if (!cli->json)
		ent_cli_lines(json_object_get(answer, "says"));
	return 0;
}

static const struct ent_cli_option grants_options[] = {
	{ "check", 0, NULL, "say in plain words what the rules give away" },
	{ "org", 0, "ORG", "rules of another member that concern us" },
};
const struct ent_cli_command ent_cli_grants = {
	.name = "grants",
	.args = "",
	.summary = "list column rules",
	.about = "Lists the own rules, or those of another member. --check says in plain words what they give away together.",
	.examples = { "entente grants --check", "entente grants --org skywatch" },
	.options = grants_options,
	.n_options = ENT_COUNT(grants_options),
	.offline = true,
	.run = run_grants,
};

static int run_revoke(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO args = json_pack("{ss}", "id", cli->args[0]);
	ENT_TRY(ent_cli_call(cli, "revoke", args, NULL, NULL, err));
	printf("revoked %s\n", cli->args[0]);
	return 0;
}

const struct ent_cli_command ent_cli_revoke = {
	.name = "revoke",
	.args = "ID",
	.summary = "take back a rule",
	.about = "Takes back one of the own rules, from the next decision on.",
	.examples = { "entente revoke 7", "entente revoke hudson/7" },
	.args_min = 1,
	.args_max = 1,
	.offline = true,
	.run = run_revoke,
};
