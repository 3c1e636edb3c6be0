/* Help, man pages and completion, all from the table of commands. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/print.h"

static size_t min3(size_t a, size_t b, size_t c) { return a < b ? (a < c ? a : c) : b < c ? b : c; }

static size_t distance(const char *a, const char *b)
{
	size_t row[40], n = strlen(b);
	if (n >= ENT_COUNT(row))
		return n;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t above = row[j];
			row[j] = min3(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[n];
}

const char *ent_cli_nearest(const char *word)
{
	const char *best = NULL;
	size_t least = 3;
	for (size_t i = 0; i < ent_cli_commands_count; i++) {
		size_t d = distance(word, ent_cli_commands[i]->name);
		if (d < least) {
			least = d;
			best = ent_cli_commands[i]->name;
		}
	}
	return best;
}

/* Words of text, from column `at` on; further lines begin at column indent. */
static void print_wrapped(const char *text, size_t at, size_t indent)
{
	bool first = true;
	while (*text) {
		size_t len = strcspn(text, " ");
		if (!first && at + 1 + len > 79) {
			printf("\n%*s", (int)indent, "");
			at = indent;
			first = true;
		}
		at += (size_t)printf("%s%.*s", first ? "" : " ", (int)len, text);
		first = false;
		text += len + (text[len] == ' ');
	}
	putchar('\n');
}

#define HELP_COLUMN 30
static void print_options(const struct ent_cli_option *options, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct ent_cli_option *o = &options[i];
		size_t at = (size_t)printf("  %s%c%s --%s%s%s ", o->letter ? "-" : " ", o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name,
					   o->value ? " " : "", o->value ? o->value : "");
		if (at > HELP_COLUMN)
			putchar('\n');
		printf("%*s", at > HELP_COLUMN ? HELP_COLUMN : (int)(HELP_COLUMN - at), "");
		print_wrapped(o->help, HELP_COLUMN, HELP_COLUMN);
	}
}

void ent_cli_help(const struct ent_cli_command *c)
{
	size_t at = (size_t)printf("usage: entente [-C HOME] %s ", c->name);
	char rest[200];
	snprintf(rest, sizeof rest, "%s%s[OPTION...]", c->args, c->args[0] ? " " : "");
	print_wrapped(rest, at, 8);
	putchar('\n');
	print_wrapped(c->about, 0, 0);
	printf("\noptions\n");
	print_options(c->options, c->n_options);
	print_options(ent_cli_common_options, ent_cli_common_options_count);
	printf("\nexamples\n");
	for (size_t i = 0; i < ENT_CLI_EXAMPLES; i++)
		printf("  %s\n", c->examples[i]);
}

void ent_cli_usage(void)
{
	printf("usage: entente [-C HOME] COMMAND ...\n\nCompute together on data nobody hands over.\n\n");
	for (size_t i = 0; i < ent_cli_commands_count; i++)
		printf("  %-11s %s\n", ent_cli_commands[i]->name, ent_cli_commands[i]->summary);
	printf("\nHOME: -C, else ENTENTE_HOME, else ~/.local/share/entente.\nentente COMMAND --help shows examples. First look: entente demo\n");
}

/* ---- man pages (groff) ---- */

static void man_text(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text; text++)
		if (*text == '-')
			fputs("\\-", stdout);
		else if (*text == '\\')
			fputs("\\e", stdout);
		else
			putchar(*text);
	putchar('\n');
}

static void man_options(const struct ent_cli_option *options, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		printf(".TP\n\\fB\\-\\-%s\\fR", options[i].name);
		if (options[i].letter)
			printf(", \\fB\\-%c\\fR", options[i].letter);
		printf(options[i].value ? " \\fI%s\\fR\n" : "\n", options[i].value);
		man_text(options[i].help);
	}
}

static void man_command(const struct ent_cli_command *c)
{
	printf(".TH ENTENTE\\-%s 1 \"\" \"entente " ENT_VERSION "\"\n.SH NAME\nentente\\-%s \\- %s\n", c->name, c->name, c->summary);
	printf(".SH SYNOPSIS\n\\fBentente\\fR [\\-C HOME] \\fB%s\\fR\n", c->name);
	man_text(c->args);
	puts(".SH DESCRIPTION");
	man_text(c->about);
	puts(".SH OPTIONS");
	man_options(c->options, c->n_options);
	man_options(ent_cli_common_options, ent_cli_common_options_count);
	puts(".SH EXAMPLES\n.nf");
	for (size_t i = 0; i < ENT_CLI_EXAMPLES; i++)
		man_text(c->examples[i]);
	puts(".fi\n.SH SEE ALSO\nentente(1)");
}

static void man_main(void)
{
	puts(".TH ENTENTE 1 \"\" \"entente " ENT_VERSION "\"\n.SH NAME\nentente \\- compute together on data nobody hands over");
	puts(".SH SYNOPSIS\n\\fBentente\\fR [\\-C HOME] COMMAND ...\n.SH COMMANDS");
	for (size_t i = 0; i < ent_cli_commands_count; i++) {
		printf(".TP\n\\fB%s\\fR ", ent_cli_commands[i]->name);
		man_text(ent_cli_commands[i]->args);
		man_text(ent_cli_commands[i]->summary);
	}
	puts(".SH ENVIRONMENT\nENTENTE_HOME: the home folder when \\-C is not given. NO_COLOR: no colours.");
	puts(".SH EXIT STATUS\n.nf");
	for (int code = 0; code < ENT_ERR_COUNT; code++)
		printf("%3d  %s\n", ent_code_exit(code), ent_code_text(code));
	puts(".fi");
}

static json_t *options_json(const struct ent_cli_command *c)
{
	json_t *list = json_array();
	for (size_t i = 0; i < c->n_options; i++)
		json_array_append_new(
			list, json_pack("{s:s,s:s?,s:s}", "name", c->options[i].name, "value", c->options[i].value, "help", c->options[i].help));
	return list;
}

static void table_json(void)
{
	ENT_JSON_AUTO answer = json_pack("{s:[]}", "commands");
	for (size_t i = 0; i < ent_cli_commands_count; i++) {
		const struct ent_cli_command *c = ent_cli_commands[i];
		json_array_append_new(json_object_get(answer, "commands"),
				      json_pack("{s:s,s:s,s:s,s:s,s:[ss],s:o}", "name", c->name, "args", c->args, "summary", c->summary, "about",
						c->about, "examples", c->examples[0], c->examples[1], "options", options_json(c)));
	}
	ent_cli_json(answer);
}

static int run_help(struct ent_cli *cli, struct ent_err *err)
{
	const struct ent_cli_command *c = cli->n_args ? ent_cli_command_find(cli->args[0]) : NULL;
	if (cli->n_args && !c)
		return ent_fail(err, ENT_EUSAGE, "no command %s", cli->args[0]);
	if (cli->json)
		table_json();
	else if (ent_cli_flag(cli, "man") && c)
		man_command(c);
	else if (ent_cli_flag(cli, "man"))
		man_main();
	else if (c)
		ent_cli_help(c);
	else
		ent_cli_usage();
	return 0;
}

static const struct ent_cli_option help_options[] = { { "man", 0, NULL, "print the man page's source" } };
const struct ent_cli_command ent_cli_help_command = {
	.name = "help",
	.args = "[COMMAND]",
	.summary = "help on a command",
	.about = "Prints help, or the source of the man page.",
	.examples = { "entente help query", "entente help --man query > entente-query.1" },
	.options = help_options,
	.n_options = ENT_COUNT(help_options),
	.args_max = 1,
	.run = run_help,
};

static void complete_options(const struct ent_cli_option *options, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf(" --%s", options[i].name);
}

static int run_completion(struct ent_cli *cli, struct ent_err *err)
{
	(void)cli;
	(void)err;
	puts("# bash completion for entente; generated from the table of commands");
	puts("_entente() {\n\tlocal word=${COMP_WORDS[COMP_CWORD]} i command=\n\tfor ((i = 1; i < COMP_CWORD; i++)); do\n\t\tcase ${COMP_WORDS[i]} "
	     "in");
	puts("\t\t-C) i=$((i + 1)) ;;\n\t\t-*) ;;\n\t\t*) command=${COMP_WORDS[i]}; break ;;\n\t\tesac\n\tdone\n\tcase $command in");
	fputs("\t\"\") mapfile -t COMPREPLY < <(compgen -W \"-C", stdout);
	for (size_t i = 0; i < ent_cli_commands_count; i++)
		printf(" %s", ent_cli_commands[i]->name);
	puts("\" -- \"$word\") ;;");
	for (size_t i = 0; i < ent_cli_commands_count; i++) {
		printf("\t%s) mapfile -t COMPREPLY < <(compgen -f -W \"", ent_cli_commands[i]->name);
		complete_options(ent_cli_commands[i]->options, ent_cli_commands[i]->n_options);
		complete_options(ent_cli_common_options, ent_cli_common_options_count);
		puts("\" -- \"$word\") ;;");
	}
	puts("\tesac\n}\ncomplete -F _entente entente");
	return 0;
}

const struct ent_cli_command ent_cli_completion = {
	.name = "completion",
	.args = "",
	.summary = "print shell completion for bash",
	.about = "Prints completion for bash. Installed with `make install`; by hand: source <(entente completion)",
	.examples = { "entente completion > entente.bash", "source <(entente completion)" },
	.run = run_completion,
};
