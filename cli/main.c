/* entente [-C HOME] COMMAND ... : finds the command's row, parses, runs, prints what went wrong, exits with the code's number. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/home.h"
#include "cli/print.h"

static void look_around(struct ent_cli *cli)
{
	const char *no_color = getenv("NO_COLOR");
	cli->out_tty = isatty(STDOUT_FILENO) == 1;
	cli->err_tty = isatty(STDERR_FILENO) == 1;
	cli->colour = !(no_color && *no_color) && (cli->out_tty || cli->err_tty);
}

static int unknown_command(const char *word, struct ent_err *err)
{
	const char *near = ent_cli_nearest(word);
	ent_fail(err, ENT_EUSAGE, "no command \"%s\"", word);
	if (near)
		return ent_next(err, "did you mean: entente %s", near);
	return ent_next(err, "entente --help lists the commands");
}

/* Moves past -C HOME and the like; *at is then the command's place. */
static int global_options(struct ent_cli *cli, int argc, char **argv, int *at, struct ent_err *err)
{
	for (*at = 1; *at < argc && argv[*at][0] == '-'; ++*at) {
		const char *word = argv[*at];
		if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "--version"))
			return 0;
		if (strcmp(word, "-C") != 0)
			return ent_fail(err, ENT_EUSAGE, "no option %s before the command; usage: entente [-C HOME] COMMAND ...", word);
		if (*at + 1 >= argc)
			return ent_fail(err, ENT_EUSAGE, "-C needs a folder");
		cli->home_arg = argv[++*at];
	}
	return 0;
}

static int run_command(struct ent_cli *cli, int n, char **argv, struct ent_err *err)
{
	cli->command = ent_cli_command_find(argv[0]);
	if (!cli->command)
		return unknown_command(argv[0], err);
	ENT_TRY(ent_cli_parse(cli, n - 1, argv + 1, err));
	if (ent_cli_flag(cli, "help")) {
		ent_cli_help(cli->command);
		return 0;
	}
	ENT_TRY(ent_home_path(cli->home_arg, &cli->home, err));
	return cli->command->run(cli, err);
}

static int run(struct ent_cli *cli, int argc, char **argv, struct ent_err *err)
{
	int at = 1;
	ENT_TRY(global_options(cli, argc, argv, &at, err));
	if (at >= argc) {
		ent_cli_usage();
		return ent_fail(err, ENT_EUSAGE, "no command given");
	}
	if (!strcmp(argv[at], "--version")) {
		puts("entente " ENT_VERSION);
		return 0;
	}
	if (argv[at][0] == '-') {
		ent_cli_usage();
		return 0;
	}
	return run_command(cli, argc - at, argv + at, err);
}

int main(int argc, char **argv)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_cli cli = { .home = ENT_BUF(4096) };
	cli.args = ent_alloc((size_t)argc + 1, sizeof *cli.args);
	setenv("MONGOC_DISABLE_SHM", "1", 0); /* libmongoc's counters: a file in /dev/shm, which a killed process leaves behind */
	setvbuf(stdout, NULL, _IOLBF, 0);     /* so that lines on stdout and stderr keep their order */
	look_around(&cli);
	int failed = cli.args ? run(&cli, argc, argv, &err) : ent_nomem(&err);
	if (failed)
		ent_cli_error(&cli, &err);
	if (!failed && (fflush(stdout) != 0 || ferror(stdout)))
		failed = ENT_EIO;
	ent_home_close(cli.held);
	json_decref(cli.refused_answer);
	ent_buf_deinit(&cli.home);
	free(cli.args);
	return ent_code_exit(failed);
}
