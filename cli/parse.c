/* Options and arguments of one command, after its row in the table. */
#include <stdio.h>

#include "cli/command.h"

static const struct ent_cli_option *find_option(const struct ent_cli_option *options, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++) {
		if (len == 1 && options[i].letter == name[0])
			return &options[i];
		if (strlen(options[i].name) == len && !memcmp(options[i].name, name, len))
			return &options[i];
	}
	return NULL;
}

static const struct ent_cli_option *option_of(const struct ent_cli *cli, const char *name, size_t len)
{
	const struct ent_cli_option *o = find_option(cli->command->options, cli->command->n_options, name, len);
	return o ? o : find_option(ent_cli_common_options, ent_cli_common_options_count, name, len);
}

static int unknown_option(const struct ent_cli *cli, const char *word, struct ent_err *err)
{
	ent_fail(err, ENT_EUSAGE, "%s has no option %s", cli->command->name, word);
	return ent_next(err, "entente %s --help lists them", cli->command->name);
}

/* Takes the option at argv[*at]; moves *at past its value. */
static int take_option(struct ent_cli *cli, int n, char **argv, int *at, struct ent_err *err)
{
	const char *word = argv[*at], *name = word + (word[1] == '-' ? 2 : 1), *equals = word[1] == '-' ? strchr(name, '=') : NULL;
	const struct ent_cli_option *o = option_of(cli, name, equals ? (size_t)(equals - name) : strlen(name));
	const char *value = equals ? equals + 1 : NULL;
	if (!o)
		return unknown_option(cli, word, err);
	if (!o->value && value)
		return ent_fail(err, ENT_EUSAGE, "--%s takes no value", o->name);
	if (o->value && !value) {
		if (*at + 1 >= n)
			return ent_fail(err, ENT_EUSAGE, "--%s needs a value: %s", o->name, o->value);
		value = argv[++*at];
	}
	if (cli->n_given == ENT_CLI_GIVEN_MAX)
		return ent_fail(err, ENT_EUSAGE, "more than %d options", ENT_CLI_GIVEN_MAX);
	cli->given[cli->n_given++] = (struct ent_cli_given){ o->name, value ? value : "" };
	return 0;
}

static int check_count(const struct ent_cli *cli, struct ent_err *err)
{
	const struct ent_cli_command *c = cli->command;
	if ((int)cli->n_args >= c->args_min && (c->args_max < 0 || (int)cli->n_args <= c->args_max))
		return 0;
	if ((int)cli->n_args < c->args_min)
		ent_fail(err, ENT_EUSAGE, "%s needs %s", c->name, c->args);
	else
		ent_fail(err, ENT_EUSAGE, "%s takes %s; %s is one too many", c->name, c->args[0] ? c->args : "no arguments", cli->args[c->args_max]);
	return ent_next(err, "entente %s --help shows examples", c->name);
}

int ent_cli_parse(struct ent_cli *cli, int n, char **argv, struct ent_err *err)
{
	bool only_args = false;
	for (int i = 0; i < n; i++) {
		if (!only_args && !strcmp(argv[i], "--")) {
			only_args = true;
		} else if (!only_args && argv[i][0] == '-' && argv[i][1]) {
			ENT_TRY(take_option(cli, n, argv, &i, err));
		} else {
			cli->args[cli->n_args++] = argv[i];
		}
	}
	cli->json = ent_cli_flag(cli, "json");
	return ent_cli_flag(cli, "help") ? 0 : check_count(cli, err);
}

const char *ent_cli_value(const struct ent_cli *cli, const char *option)
{
	for (size_t i = cli->n_given; i-- > 0;)
		if (!strcmp(cli->given[i].name, option))
			return cli->given[i].value;
	return NULL;
}

bool ent_cli_flag(const struct ent_cli *cli, const char *option) { return ent_cli_value(cli, option) != NULL; }

json_t *ent_cli_values(const struct ent_cli *cli, const char *option)
{
	json_t *list = json_array();
	for (size_t i = 0; i < cli->n_given; i++)
		if (!strcmp(cli->given[i].name, option))
			json_array_append_new(list, json_string(cli->given[i].value));
	return list;
}
