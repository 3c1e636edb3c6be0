/* replicate: streams that copy tables once and then follow their changes; named ones live in the node, `run` works in the foreground. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/move.h"
#include "cli/print.h"

/* --table T or SOURCE=TARGET; without it the tables behind # in the two sources. */
static int set_tables(const struct ent_cli *cli, const char *source, const char *target, json_t *args, struct ent_err *err)
{
	const char *from = strrchr(source, '#'), *to = strrchr(target, '#');
	json_t *list = json_array();
	json_object_set_new(args, "tables", list);
	for (size_t i = 0; i < cli->n_given; i++) {
		const char *text = cli->given[i].value, *equals;
		if (strcmp(cli->given[i].name, "table") != 0)
			continue;
		equals = strchr(text, '=');
		json_array_append_new(list, json_pack("{s:s%,s:s}", "source", text, equals ? (size_t)(equals - text) : strlen(text), "target",
						      equals ? equals + 1 : text));
	}
	if (json_array_size(list))
		return from || to ? ent_fail(err, ENT_EUSAGE, "tables stand either behind # or behind --table") : 0;
	if (!from) {
		ent_fail(err, ENT_EUSAGE, "no table is named");
		return ent_next(err, "write SOURCE#TABLE, or --table TABLE for each"), ENT_EUSAGE;
	}
	json_array_append_new(list, json_pack("{s:s,s:s}", "source", from + 1, "target", to ? to + 1 : from + 1));
	return 0;
}

static int stream_args(struct ent_cli *cli, const char *name, const char *source, const char *target, json_t *args, struct ent_err *err)
{
	json_object_set_new(args, "kind", json_string("replicate"));
	json_object_set_new(args, "name", json_string(name));
	json_object_set_new(args, "source", ent_cli_move_end(source));
	json_object_set_new(args, "targets", json_pack("[o]", ent_cli_move_end(target)));
	return set_tables(cli, source, target, args, err) ? ENT_EUSAGE : ent_cli_move_args(cli, args, err);
}

/* ---- showing ---- */

static void put_lag(const json_t *status, char out[120])
{
	char kept[24] = "";
	long long us = (long long)ent_cli_int(status, "lag_us"), bytes = (long long)ent_cli_int(status, "retained_bytes");
	if (bytes > 0)
		ent_cli_size((uint64_t)bytes, kept);
	snprintf(out, 120, "%.1f s, %lld rows%s%s", (double)us / 1e6, (long long)ent_cli_int(status, "lag_rows"), *kept ? ", source keeps " : "",
		 kept);
}

static void print_left_out(const json_t *status, FILE *out)
{
	const json_t *one;
	size_t i;
	json_array_foreach(json_object_get(status, "left_out"), i, one)
		fprintf(out, "  left out   %s: %s (the server computes it and its log does not carry it)\n", ent_cli_str(one, "table"),
			ent_cli_str(one, "columns"));
}

static void print_stream(const json_t *s)
{
	const json_t *status = json_object_get(s, "status"), *error = json_object_get(s, "error"), *one;
	char lag[120];
	size_t i;
	printf("%s\n  source     %s\n  target     %s\n  state      %s", ent_cli_str(s, "name"), ent_cli_str(s, "source"), ent_cli_str(s, "target"),
	       ent_cli_str(s, "state"));
	if (json_is_object(status))
		printf(", %s", ent_cli_str(status, "state"));
	printf("\n");
	if (json_is_object(error)) {
		static const char *const lines[][2] = { { "failed", "what" }, { "why", "why" }, { "next", "next" } };
		for (size_t k = 0; k < ENT_COUNT(lines); k++)
			if (*ent_cli_str(error, lines[k][1]))
				printf("  %-10s %s\n", lines[k][0], ent_cli_str(error, lines[k][1]));
	}
	if (!json_is_object(status))
		return;
	put_lag(status, lag);
	printf("  how        %s, %s\n  copied     %lld rows\n  applied    %lld rows in %lld transactions\n  lag        %s\n  position   %s\n",
	       ent_cli_str(status, "kind"), ent_cli_str(status, "promise"), (long long)ent_cli_int(status, "rows_copied"),
	       (long long)ent_cli_int(status, "rows_applied"), (long long)ent_cli_int(status, "transactions"), lag, ent_cli_str(status, "cursor"));
	if (*ent_cli_str(status, "trouble"))
		printf("  trouble    %s\n", ent_cli_str(status, "trouble"));
	json_array_foreach(json_object_get(status, "stopped"), i, one)
		printf("  stopped    %s: %s\n", ent_cli_str(one, "table"), ent_cli_str(one, "why"));
	print_left_out(status, stdout);
	if (*ent_cli_str(s, "receipt"))
		printf("  receipt    %s\n", ent_cli_str(s, "receipt"));
}

static int show(struct ent_cli *cli, bool details, struct ent_err *err)
{
	static const struct ent_cli_column columns[] = {
		{ "name", "name", false }, { "state", "state", false }, { "source", "source", false }, { "target", "target", false }
	};
	ENT_JSON_AUTO args = json_object();
	ENT_JSON_AUTO answer = NULL;
	const json_t *s;
	size_t i;
	if (cli->n_args > 1)
		json_object_set_new(args, "name", json_string(cli->args[1]));
	ENT_TRY(ent_cli_call(cli, "replicate.list", args, &answer, NULL, err));
	if (!details || cli->json) {
		ent_cli_listing(cli, answer, "streams", columns, ENT_COUNT(columns));
		return 0;
	}
	json_array_foreach(json_object_get(answer, "streams"), i, s) print_stream(s);
	return 0;
}

static int run_list(struct ent_cli *cli, struct ent_err *err) { return show(cli, false, err); }
static int run_status(struct ent_cli *cli, struct ent_err *err) { return show(cli, true, err); }

/* ---- doing ---- */

static int run_start(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO args = json_object();
	if (ent_cli_flag(cli, "restart")) {
		ent_fail(err, ENT_EUSAGE, "a named stream is not begun anew by start");
		return ent_next(err, "entente replicate run SOURCE TARGET ... --name %.40s --restart --until-caught-up, then start it", cli->args[1]),
		       ENT_EUSAGE;
	}
	ENT_TRY(stream_args(cli, cli->args[1], cli->args[2], cli->args[3], args, err));
	ENT_TRY(ent_cli_call(cli, "replicate.start", args, NULL, NULL, err));
	printf("stream %s started\n", cli->args[1]);
	fprintf(stderr, "entente replicate status %s shows how far it is\n", cli->args[1]);
	return 0;
}

/* A foreground run is the same stream whenever its ends and tables are the same. */
static void name_of(const struct ent_cli *cli, char out[40])
{
	uint64_t h = 14695981039346656037u;
	for (size_t i = 1; i < cli->n_args; i++)
		for (const char *p = cli->args[i]; *p; p++)
			h = (h ^ (uint8_t)*p) * 1099511628211u;
	for (size_t i = 0; i < cli->n_given; i++)
		for (const char *p = strcmp(cli->given[i].name, "table") ? "" : cli->given[i].value; *p; p++)
			h = (h ^ (uint8_t)*p) * 1099511628211u;
	snprintf(out, 40, "run_%016llx", (unsigned long long)h);
}

static int foreground_args(struct ent_cli *cli, json_t *args, struct ent_err *err)
{
	char name[40];
	name_of(cli, name);
	return stream_args(cli, ent_cli_value(cli, "name") ? ent_cli_value(cli, "name") : name, cli->args[1], cli->args[2], args, err);
}

static int run_forget(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO args = json_object();
	ENT_JSON_AUTO move = NULL;
	ENT_TRY(foreground_args(cli, args, err));
	json_object_set_new(args, "forget", json_true());
	ENT_TRY(ent_cli_move_watch(cli, args, NULL, &move, err));
	if (cli->json)
		ent_cli_json(move);
	ENT_TRY(ent_cli_error_of(move, err));
	if (!cli->json)
		printf("forgotten: the source keeps nothing for it any more, the rows stay\n");
	return 0;
}

static int run_run(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO args = json_object();
	ENT_JSON_AUTO move = NULL;
	ENT_TRY(foreground_args(cli, args, err));
	if (ent_cli_flag(cli, "restart"))
		json_object_set_new(args, "restart", json_true());
	if (ent_cli_flag(cli, "until-caught-up"))
		json_object_set_new(args, "until_caught_up", json_true());
	ENT_TRY(ent_cli_move_watch(cli, args, NULL, &move, err));
	const json_t *result = json_object_get(move, "result"), *one;
	size_t i;
	if (cli->json)
		ent_cli_json(move);
	ENT_TRY(ent_cli_error_of(move, err));
	if (cli->json)
		return 0;
	const char *receipt = ent_cli_str(move, "receipt"); /* nothing moved: nothing was entered */
	printf("%lld rows copied, %lld rows applied in %lld transactions%s%s\n", (long long)ent_cli_int(result, "rows_copied"),
	       (long long)ent_cli_int(result, "rows_applied"), (long long)ent_cli_int(result, "transactions"), *receipt ? ", receipt " : "", receipt);
	print_left_out(result, stderr);
	if (ent_cli_flag(cli, "until-caught-up") && ent_cli_interrupted()) {
		ent_fail(err, ENT_ECANCELLED, "not everything had arrived");
		return ent_next(err, "the same command goes on"), ENT_ECANCELLED;
	}
	json_array_foreach(json_object_get(result, "stopped"), i, one)
		fprintf(stderr, "stopped: %s: %s\n", ent_cli_str(one, "table"), ent_cli_str(one, "why"));
	return json_array_size(json_object_get(result, "stopped")) ? ent_fail(err, ENT_EDATA, "a table was stopped") : 0;
}

static int name_verb(struct ent_cli *cli, const char *verb, const char *done, struct ent_err *err)
{
	ENT_JSON_AUTO args = json_pack("{s:s}", "name", cli->args[1]);
	if (ent_cli_flag(cli, "keep"))
		json_object_set_new(args, "keep", json_true());
	ENT_TRY(ent_cli_call(cli, verb, args, NULL, NULL, err));
	printf("stream %s %s\n", cli->args[1], done);
	return 0;
}

static int run_pause(struct ent_cli *cli, struct ent_err *err) { return name_verb(cli, "replicate.pause", "pauses", err); }
static int run_resume(struct ent_cli *cli, struct ent_err *err) { return name_verb(cli, "replicate.resume", "goes on", err); }
static int run_stop(struct ent_cli *cli, struct ent_err *err) { return name_verb(cli, "replicate.stop", "ends", err); }

static const struct {
	const char *word;
	size_t args_min, args_max;
	int (*run)(struct ent_cli *cli, struct ent_err *err);
	const char *usage;
} words[] = { { "start", 3, 3, run_start, "start NAME SOURCE TARGET [--table T]..." },
	      { "run", 2, 2, run_run, "run SOURCE TARGET [--until-caught-up] [--table T]..." },
	      { "forget", 2, 2, run_forget, "forget SOURCE TARGET [--table T]..." },
	      { "list", 0, 0, run_list, "list" },
	      { "status", 0, 1, run_status, "status [NAME]" },
	      { "pause", 1, 1, run_pause, "pause NAME" },
	      { "resume", 1, 1, run_resume, "resume NAME" },
	      { "stop", 1, 1, run_stop, "stop NAME [--keep]" } };

static int run_replicate(struct ent_cli *cli, struct ent_err *err)
{
	const char *word = cli->n_args ? cli->args[0] : "list";
	for (size_t i = 0; i < ENT_COUNT(words); i++) {
		if (strcmp(words[i].word, word) != 0)
			continue;
		size_t n = cli->n_args ? cli->n_args - 1 : 0;
		if (n >= words[i].args_min && n <= words[i].args_max)
			return words[i].run(cli, err);
		return ent_fail(err, ENT_EUSAGE, "entente replicate %s", words[i].usage);
	}
	ent_fail(err, ENT_EUSAGE, "replicate does not know \"%.40s\"", word);
	return ent_next(err, "start, run, forget, list, status, pause, resume, stop"), ENT_EUSAGE;
}

static const struct ent_cli_option options[] = {
	{ "table", 0, "T|SOURCE=TARGET", "a table to follow; may be repeated" },
	{ "until-caught-up", 0, NULL, "run: end when everything up to now has arrived" },
	{ "restart", 0, NULL, "run: forget the position, empty the target's tables and begin anew" },
	{ "name", 0, "NAME", "run: name of what source and target keep (default: made from the sources)" },
	{ "keep", 0, NULL, "stop: leave the source's slot and the checkpoints where they are" },
	{ "password-file", 0, "FILE", "file with the password of the source's database" },
	{ "dst-password-file", 0, "FILE", "file with the password of the target's database" },
	{ "ca-file", 0, "FILE", "certificate authority of the source's server" },
	{ "dst-ca-file", 0, "FILE", "certificate authority of the target's server" },
	{ "key", 0, "COL,COL", "columns that together name a row (default: the source's primary key)" },
	{ "allow-lossy", 0, "COL,COL", "columns that may lose something" },
	{ "split-rows", 0, "N", "rows of a split of the first copy (default 500000)" },
	{ "src-option", 0, "KEY=VALUE", "any option of the source's store" },
	{ "dst-option", 0, "KEY=VALUE", "any option of the target's store" },
	{ "quiet", 'q', NULL, "no progress" },
};

const struct ent_cli_command ent_cli_replicate = {
	.name = "replicate",
	.args = "start NAME SOURCE TARGET|run SOURCE TARGET|forget SOURCE TARGET|list|status [NAME]|pause NAME|resume NAME|stop NAME",
	.summary = "keep copies of tables up to date",
	.about = "A stream copies tables once and then follows their changes, without a gap: PostgreSQL by a logical slot, MySQL and MariaDB by the "
		 "row "
		 "binlog, MongoDB by change streams, SQLite by a log that triggers write. The position stands in the target and commits with the "
		 "rows, "
		 "so nothing is lost or applied twice. A table whose columns change in a way that cannot be followed is stopped with its reason; the "
		 "others "
		 "go on. Named streams live in the node and go on after a restart; run works in the foreground, and the source keeps its log for the "
		 "next run "
		 "until it is told to forget. Every batch is entered in the ledger.",
	.examples = { "entente replicate start orders 'postgresql://me@db/main' 'mysql://me@copy/main' --table public.orders=main.orders",
		      "entente replicate run sqlite:a.db#t sqlite:b.db#t --until-caught-up" },
	.options = options,
	.n_options = ENT_COUNT(options),
	.args_min = 0,
	.args_max = 4,
	.offline = true,
	.stays = true,
	.run = run_replicate,
};
