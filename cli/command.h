/* The table of commands: one row each gives parsing, help, man pages and completion. Results go to stdout, everything else to stderr. */
#ifndef ENT_CLI_COMMAND_H
#define ENT_CLI_COMMAND_H
#include "base/json.h"

struct ent_cli;
struct ent_home;

struct ent_cli_option {
	const char *name;  /* without "--" */
	char letter;       /* 0: none */
	const char *value; /* what follows, for help; NULL: a flag */
	const char *help;
};

/* How a file's text is read: options of every command that takes one. */
#define ENT_CLI_CSV_OPTIONS \
	{ "null", 0, "TEXT", "text that means NULL in a CSV file" }, { "delim", 0, "TEXT", "separator of a CSV file" }, \
		{ "header", 0, "true|false", "whether the first line of a CSV file names the columns" }, \
		{ "dateformat", 0, "FORMAT", "how dates are written in a CSV file" }, \
		{ "timestampformat", 0, "FORMAT", "how timestamps are written in a CSV file" }, \
	{ \
		"types", 0, "COL=TYPE,...", "types of columns of a file, instead of the discovered ones" \
	}

#define ENT_CLI_EXAMPLES 2
struct ent_cli_command {
	const char *name, *args, *summary;
	const char *about; /* one paragraph for help and man page */
	const char *examples[ENT_CLI_EXAMPLES];
	const struct ent_cli_option *options;
	size_t n_options;
	int args_min, args_max; /* -1: any number */
	bool offline;           /* with no node running, HOME is opened and answers itself */
	bool stays;             /* then HOME stays open from one request to the next: what one starts, another watches */
	int (*run)(struct ent_cli *cli, struct ent_err *err);
};
extern const struct ent_cli_command *const ent_cli_commands[];
extern const size_t ent_cli_commands_count;
const struct ent_cli_command *ent_cli_command_find(const char *name);
extern const struct ent_cli_option ent_cli_common_options[];
extern const size_t ent_cli_common_options_count;

#define ENT_CLI_GIVEN_MAX 256
struct ent_cli_given {
	const char *name, *value;
};

struct ent_cli {
	const struct ent_cli_command *command;
	const char *home_arg; /* -C, or NULL */
	struct ent_buf home;  /* the folder it means */
	const char **args;
	size_t n_args;
	struct ent_cli_given given[ENT_CLI_GIVEN_MAX]; /* options, in the order given */
	size_t n_given;
	bool json, out_tty, err_tty, colour;
	json_t *refused_answer; /* what came beside an error */
	struct ent_home *held;  /* open HOME of a command that stays */
	bool met;               /* a node has answered this command */
};

/* Parses argv[0..n) after the command's name. ENT_EUSAGE names what is wrong. */
int ent_cli_parse(struct ent_cli *cli, int n, char **argv, struct ent_err *err);
const char *ent_cli_value(const struct ent_cli *cli, const char *option); /* last one given, or NULL */
bool ent_cli_flag(const struct ent_cli *cli, const char *option);
json_t *ent_cli_values(const struct ent_cli *cli, const char *option); /* all given, as an array (new reference) */

/* One request to the node of this HOME; with no node running, commands marked offline open HOME themselves. */
int ent_cli_call(struct ent_cli *cli, const char *verb, const json_t *args, json_t **ret_answer, struct ent_buf *content, struct ent_err *err);
/* Set by SIGINT. */
bool ent_cli_interrupted(void);
void ent_cli_catch_interrupt(void);

/* Whole file, or standard input for "-". ENT_ENOTFOUND, ENT_EIO. */
int ent_cli_read_file(const char *path, struct ent_buf *ret, struct ent_err *err);
/* Temporary file beside it, synced, renamed; "-" is standard output. */
int ent_cli_write_file(const char *path, struct ent_bytes bytes, struct ent_err *err);

void ent_cli_help(const struct ent_cli_command *c);
void ent_cli_usage(void);
/* Closest name by edit distance, or NULL when nothing is near. */
const char *ent_cli_nearest(const char *word);
#endif
