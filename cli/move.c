/* copy, compare: tables between stores. The node (or, when none runs, this process over HOME) does the work; here it is started, watched, told. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/move.h"
#include "cli/print.h"

static double now_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- arguments ---- */

static bool is_file_name(const char *text)
{
	static const char *const suffixes[] = { ".csv",   ".tsv",    ".json",    ".ndjson", ".jsonl", ".parquet",
						".arrow", ".arrows", ".feather", ".ipc",    ".gz" };
	size_t n = strlen(text);
	if (strchr(text, '/') || access(text, F_OK) == 0)
		return true;
	for (size_t i = 0; i < ENT_COUNT(suffixes); i++)
		if (n > strlen(suffixes[i]) && !strcmp(text + n - strlen(suffixes[i]), suffixes[i]))
			return true;
	return false;
}

static void put_absolute(struct ent_buf *out, const char *path, size_t len)
{
	char *cwd = len && path[0] == '/' ? NULL : getcwd(NULL, 0);
	if (cwd)
		ent_buf_printf(out, "%s/", cwd);
	free(cwd);
	ent_buf_put(out, path, len);
}

/* Files are named absolutely, so that the node finds them from its own folder; org.table and URLs stay as they are. */
json_t *ent_cli_move_end(const char *text)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(16384);
	const char *hash = strrchr(text, '#'), *colon = strchr(text, ':');
	size_t scheme = !strncmp(text, "sqlite:", 7) || !strncmp(text, "duckdb:", 7) || !strncmp(text, "folder:", 7) ? 7 : 0;
	if (!scheme && ((colon && colon > text + 1) || !is_file_name(text)))
		return json_string(text);
	ent_buf_put(&out, text, scheme);
	put_absolute(&out, text + scheme, scheme && hash ? (size_t)(hash - text) - scheme : strlen(text) - scheme);
	if (scheme && hash)
		ent_buf_str(&out, hash);
	return out.code ? json_string(text) : json_string(ent_buf_text(&out));
}

static const char *const source_options[] = { "null", "delim", "header", "dateformat", "timestampformat", "types", "schema", "ca-file" };
static const char *const target_options[] = { "keyspace-options" };

static bool listed(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(name, list[i]))
			return true;
	return false;
}

/* Options that name a file are made absolute: the node reads it from its own folder. */
static void add_option(json_t *list, const char *key, size_t key_len, const char *value)
{
	bool file = (key_len == 6 && !strncmp(key, "schema", 6)) || (key_len == 7 && !strncmp(key, "ca-file", 7));
	char *full = file ? realpath(value, NULL) : NULL;
	json_array_append_new(list, json_pack("{s:s%,s:s}", "key", key, key_len, "value", full ? full : value));
	free(full);
}

static int put_option(json_t *list, const char *text, struct ent_err *err)
{
	const char *equals = strchr(text, '=');
	if (!equals || equals == text)
		return ent_fail(err, ENT_EUSAGE, "an option of a source is KEY=VALUE, not %.100s", text);
	add_option(list, text, (size_t)(equals - text), equals + 1);
	return 0;
}

/* Options of the two stores: the common ones by their names, any by --src-option and --dst-option. */
static int set_options(const struct ent_cli *cli, json_t *args, struct ent_err *err)
{
	json_t *source = json_array(), *target = json_array();
	json_object_set_new(args, "source_options", source);
	json_object_set_new(args, "target_options", target);
	for (size_t i = 0; i < cli->n_given; i++) {
		const struct ent_cli_given *g = &cli->given[i];
		json_t *list = listed(g->name, source_options, ENT_COUNT(source_options))   ? source
			       : listed(g->name, target_options, ENT_COUNT(target_options)) ? target
											    : NULL;
		if (list)
			add_option(list, g->name, strlen(g->name), g->value);
		else if (!strcmp(g->name, "dst-ca-file"))
			add_option(target, "ca-file", strlen("ca-file"), g->value);
		else if (!strcmp(g->name, "src-option"))
			ENT_TRY(put_option(source, g->value, err));
		else if (!strcmp(g->name, "dst-option"))
			ENT_TRY(put_option(target, g->value, err));
	}
	return 0;
}

static int set_secret(const struct ent_cli *cli, const char *option, const char *key, json_t *args, struct ent_err *err)
{
	const char *path = ent_cli_value(cli, option);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(4096);
	if (!path)
		return 0;
	ENT_TRY(ent_cli_read_file(path, &text, err));
	json_object_set_new(args, key, json_stringn(ent_buf_text(&text), strcspn(ent_buf_text(&text), "\r\n")));
	explicit_bzero(text.data, text.len);
	return 0;
}

static void set_list(const struct ent_cli *cli, const char *option, const char *key, json_t *args)
{
	json_t *list = json_array();
	for (size_t i = 0; i < cli->n_given; i++) {
		const char *at = cli->given[i].value;
		if (strcmp(cli->given[i].name, option) != 0)
			continue;
		for (;;) {
			size_t n = strcspn(at, ",");
			if (n)
				json_array_append_new(list, json_stringn(at, n));
			if (!at[n])
				break;
			at += n + 1;
		}
	}
	if (json_array_size(list))
		json_object_set(args, key, list);
	json_decref(list);
}

static int set_number(const struct ent_cli *cli, const char *option, const char *key, uint64_t max, json_t *args, struct ent_err *err)
{
	const char *text = ent_cli_value(cli, option);
	uint64_t v;
	if (!text)
		return 0;
	if (!ent_parse_u64(text, strlen(text), max, &v) || !v)
		return ent_fail(err, ENT_EUSAGE, "--%s takes a number from 1 to %llu", option, (unsigned long long)max);
	json_object_set_new(args, key, json_integer((json_int_t)v));
	return 0;
}

static void set_text(const struct ent_cli *cli, const char *option, const char *key, json_t *args)
{
	if (ent_cli_value(cli, option))
		json_object_set_new(args, key, json_string(ent_cli_value(cli, option)));
}

static void set_flag(const struct ent_cli *cli, const char *option, const char *key, json_t *args)
{
	if (ent_cli_flag(cli, option))
		json_object_set_new(args, key, json_true());
}

/* ---- telling ---- */

static void print_report(const json_t *report, FILE *out)
{
	size_t i;
	const json_t *c;
	fprintf(out, "%s: %s%s\n", ent_cli_str(report, "target"),
		json_is_true(json_object_get(report, "exists")) ? "the table is there" : "the table will be created",
		json_is_true(json_object_get(report, "wire")) ? ", rows travel as the store's own images" : "");
	json_array_foreach(json_object_get(report, "columns"), i, c)
	{
		const char *why = ent_cli_str(c, "why");
		fprintf(out, "  %-24s %-28s %-28s %s%s%s\n", ent_cli_str(c, "name"), ent_cli_str(c, "from"), ent_cli_str(c, "to"),
			ent_cli_str(c, "verdict"), *why ? ": " : "", why);
	}
}

static void print_time(double seconds, char out[24])
{
	unsigned s = seconds > 359999 ? 359999 : (unsigned)seconds;
	if (s >= 3600)
		snprintf(out, 24, "%u h %02u min", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(out, 24, "%u min %02u s", s / 60, s % 60);
	else
		snprintf(out, 24, "%u s", s);
}

static void draw_bar(const json_t *move, double seconds)
{
	struct winsize w;
	unsigned room = ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 40 ? w.ws_col : 80, bar = room > 100 ? 24 : 10;
	double rows = (double)ent_cli_int(move, "rows"), total = (double)ent_cli_int(move, "rows_total");
	double share = total > 0 ? rows / total : 0, rate = seconds > 0 ? rows / seconds : 0;
	unsigned filled = (unsigned)((share > 1 ? 1 : share) * bar);
	char size[24], left[24] = "", line[300];
	ent_cli_size((uint64_t)ent_cli_int(move, "bytes"), size);
	if (total > rows && rate > 0)
		print_time((total - rows) / rate, left);
	snprintf(line, sizeof line, "%.0f rows  %.0f rows/s  %s%s%s  %s", rows, rate, size, *left ? "  left " : "", left, ent_cli_str(move, "phase"));
	fputs("\r\033[K", stderr);
	if (total > 0) {
		fputc('[', stderr);
		for (unsigned i = 0; i < bar; i++)
			fputc(i < filled ? '#' : '.', stderr);
		fprintf(stderr, "] %3.0f %%  ", share > 1 ? 100.0 : share * 100);
	}
	fprintf(stderr, "%.*s", (int)(room - (total > 0 ? bar + 10 : 1)), line);
	fflush(stderr);
}

/* What a stream waits for, once for each trouble: whoever waits in front of it should know. */
static void tell_trouble(const json_t *move, bool bar, char last[400])
{
	const char *text = ent_cli_str(json_object_get(move, "result"), "trouble"), *tail = strstr(text, "; next try");
	char now[400];
	snprintf(now, sizeof now, "%.*s", tail ? (int)(tail - text) : 399, text);
	if (*now && strcmp(now, last) != 0)
		fprintf(stderr, "%swaiting: %s; tried again until it works or is interrupted\n", bar ? "\r\033[K" : "", now);
	memcpy(last, now, sizeof now);
}

/* Waits for the end; *ret_move is the last state. Ctrl-C cancels and goes on waiting for the end. */
static int watch(struct ent_cli *cli, const char *id, FILE *reports, json_t **ret_move, struct ent_err *err)
{
	bool cancelled = false, bar = cli->err_tty && !ent_cli_flag(cli, "quiet");
	size_t told = 0;
	char trouble[400] = "";
	double start = now_seconds();
	json_int_t seen = 0;
	for (;;) {
		ENT_JSON_AUTO move = NULL;
		ENT_JSON_AUTO args = json_pack("{ss sI si}", "id", id, "seen", seen, "wait_ms", 200);
		if (ent_cli_interrupted() && !cancelled) {
			ENT_JSON_AUTO which = json_pack("{ss}", "id", id);
			ent_cli_call(cli, "move.cancel", which, NULL, NULL, NULL);
			cancelled = true;
		}
		ENT_TRY(ent_cli_call(cli, "move", args, &move, NULL, err));
		seen = ent_cli_int(move, "seen");
		const json_t *list = json_object_get(move, "reports");
		for (; reports && told < json_array_size(list); told++) {
			fputs(bar ? "\r\033[K" : "", stderr);
			print_report(json_array_get(list, told), reports);
		}
		tell_trouble(move, bar, trouble);
		bool ended = json_is_true(json_object_get(move, "ended"));
		if (bar && ended)
			fputs("\r\033[K", stderr);
		else if (bar)
			draw_bar(move, now_seconds() - start);
		if (ended) {
			*ret_move = json_incref(move);
			return 0;
		}
	}
}

int ent_cli_error_of(const json_t *what, struct ent_err *err)
{
	const json_t *e = json_object_get(what, "error");
	if (!e || json_is_null(e))
		return 0;
	int code = ent_code_by_name(ent_cli_str(e, "code"));
	ent_fail(err, code ? code : ENT_EINTERNAL, "%s", ent_cli_str(e, "what"));
	ent_why(err, "%s", ent_cli_str(e, "why"));
	ent_next(err, "%s", ent_cli_str(e, "next"));
	return code ? code : ENT_EINTERNAL;
}

int ent_cli_move_watch(struct ent_cli *cli, const json_t *args, FILE *reports, json_t **ret_move, struct ent_err *err)
{
	ENT_JSON_AUTO started = NULL;
	char id[40];
	ent_cli_catch_interrupt();
	ENT_TRY(ent_cli_call(cli, "move.start", args, &started, NULL, err));
	snprintf(id, sizeof id, "%s", ent_cli_str(started, "move"));
	return watch(cli, id, reports, ret_move, err);
}

int ent_cli_move_args(const struct ent_cli *cli, json_t *args, struct ent_err *err)
{
	set_list(cli, "key", "keys", args);
	set_list(cli, "columns", "columns", args);
	set_list(cli, "allow-lossy", "allow_lossy", args);
	ENT_TRY(set_number(cli, "split-rows", "rows_per_split", 1000000000, args, err));
	ENT_TRY(set_options(cli, args, err));
	ENT_TRY(set_secret(cli, "password-file", "source_secret", args, err));
	return set_secret(cli, "dst-password-file", "target_secret", args, err);
}

/* ---- copy ---- */

static int copy_args(struct ent_cli *cli, json_t *args, struct ent_err *err)
{
	json_t *targets = json_array();
	json_object_set_new(args, "kind", json_string("copy"));
	json_object_set_new(args, "source", ent_cli_move_end(cli->args[0]));
	for (size_t i = 1; i < cli->n_args; i++)
		json_array_append_new(targets, ent_cli_move_end(cli->args[i]));
	json_object_set_new(args, "targets", targets);
	set_text(cli, "where", "where", args);
	set_text(cli, "mode", "mode", args);
	set_text(cli, "purpose", "purpose", args);
	set_flag(cli, "dry-run", "dry_run", args);
	set_flag(cli, "restart", "restart", args);
	ENT_TRY(set_number(cli, "parallel", "parallel", 16, args, err));
	return ent_cli_move_args(cli, args, err);
}

static void tell_copied(const json_t *move, double seconds)
{
	const json_t *result = json_object_get(move, "result");
	long long rows = (long long)ent_cli_int(result, "rows"), before = (long long)ent_cli_int(result, "splits_before");
	char size[24];
	ent_cli_size((uint64_t)ent_cli_int(result, "bytes"), size);
	printf("%lld rows copied, receipt %s\n", rows, ent_cli_str(move, "receipt"));
	fprintf(stderr, "%.1f s, %s, %.0f rows/s, %lld split%s", seconds, size,
		(double)ent_cli_int(move, "rows") / (seconds > 0.001 ? seconds : 0.001), (long long)ent_cli_int(result, "splits"),
		ent_cli_int(result, "splits") == 1 ? "" : "s");
	if (before)
		fprintf(stderr, ", %lld of them by an earlier run", before);
	fprintf(stderr, "\n");
}

static int run_copy(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO args = json_object();
	ENT_JSON_AUTO move = NULL;
	bool dry = ent_cli_flag(cli, "dry-run");
	double start = now_seconds();
	ENT_TRY(copy_args(cli, args, err));
	ENT_TRY(ent_cli_move_watch(cli, args, cli->json ? NULL : dry ? stdout : stderr, &move, err));
	if (cli->json)
		ent_cli_json(move);
	ENT_TRY(ent_cli_error_of(move, err));
	if (!cli->json && !dry)
		tell_copied(move, now_seconds() - start);
	return 0;
}

static const struct ent_cli_option copy_options[] = {
	{ "where", 0, "SQL", "only rows that meet a condition, in the source's own language" },
	{ "columns", 0, "COL,COL", "only these columns" },
	{ "mode", 0, "create|append|replace|upsert", "what to do with the target's table (default create)" },
	{ "key", 0, "COL,COL", "columns that together name a row (default: the source's primary key)" },
	{ "allow-lossy", 0, "COL,COL", "columns that may lose something" },
	{ "dry-run", 0, NULL, "print the mapping of every column and stop" },
	{ "restart", 0, NULL, "begin anew instead of going on where an earlier run stopped" },
	{ "parallel", 0, "N", "splits that travel at the same time" },
	{ "split-rows", 0, "N", "rows of a split (default 500000)" },
	{ "purpose", 0, "NAME", "what rows of another member are for" },
	{ "password-file", 0, "FILE", "file with the password of the source's database" },
	{ "dst-password-file", 0, "FILE", "file with the password of the target's database" },
	{ "ca-file", 0, "FILE", "certificate authority of the source's server" },
	{ "dst-ca-file", 0, "FILE", "certificate authority of the target's server" },
	ENT_CLI_CSV_OPTIONS,
	{ "schema", 0, "FILE", "columns of documents, instead of the sampled ones" },
	{ "keyspace-options", 0, "TEXT", "replication of a keyspace that is created" },
	{ "src-option", 0, "KEY=VALUE", "any option of the source's store" },
	{ "dst-option", 0, "KEY=VALUE", "any option of the target's store" },
	{ "quiet", 'q', NULL, "no progress bar" },
};

const struct ent_cli_command ent_cli_copy = {
	.name = "copy",
	.args = "SOURCE TARGET...",
	.summary = "copy a table from one store to another",
	.about = "Copies a table between any two stores, exactly once: the mapping of every column is shown first, a value that does not fit is "
		 "refused by name, what was finished before a crash is not read again. SOURCE and TARGET are written as in `add`, or org.table. "
		 "The copy is entered in the ledger.",
	.examples = { "entente copy flights.csv 'postgresql://me@db/main#public.flights' --null NA",
		      "entente copy hudson.flights flights.parquet --where \"month = 1\" --mode replace" },
	.options = copy_options,
	.n_options = ENT_COUNT(copy_options),
	.args_min = 2,
	.args_max = 9,
	.offline = true,
	.stays = true,
	.run = run_copy,
};

/* ---- query --into ---- */

int ent_cli_into(struct ent_cli *cli, const char *job, const char *target, struct ent_err *err)
{
	const char *mode = ent_cli_value(cli, "mode");
	ENT_JSON_AUTO move = NULL;
	ENT_JSON_AUTO args = json_pack("{s:s,s:o,s:[o],s:s}", "kind", "copy", "source", json_sprintf("job:%s", job), "targets",
				       ent_cli_move_end(target), "mode", mode ? mode : "append");
	if (!args)
		return ent_nomem(err);
	set_list(cli, "key", "keys", args);
	ENT_TRY(set_options(cli, args, err));
	ENT_TRY(set_secret(cli, "dst-password-file", "target_secret", args, err));
	ENT_TRY(ent_cli_move_watch(cli, args, stderr, &move, err));
	ENT_TRY(ent_cli_error_of(move, err));
	printf("%lld rows stored in %s, receipt %s\n", (long long)ent_cli_int(json_object_get(move, "result"), "rows"), target,
	       ent_cli_str(move, "receipt"));
	return 0;
}

/* ---- compare ---- */

static int compare_args(struct ent_cli *cli, json_t *args, struct ent_err *err)
{
	json_object_set_new(args, "kind", json_string("compare"));
	json_object_set_new(args, "source", ent_cli_move_end(cli->args[0]));
	json_object_set_new(args, "targets", json_pack("[o]", ent_cli_move_end(cli->args[1])));
	set_text(cli, "where", "where", args);
	set_text(cli, "dst-where", "where_target", args);
	set_list(cli, "columns", "columns", args);
	set_list(cli, "key", "keys", args);
	set_flag(cli, "rows", "no_checksum", args);
	ENT_TRY(set_number(cli, "limit", "limit", 100000, args, err));
	ENT_TRY(set_options(cli, args, err));
	ENT_TRY(set_secret(cli, "password-file", "source_secret", args, err));
	return set_secret(cli, "dst-password-file", "target_secret", args, err);
}

static void put_value(const json_t *v, struct ent_buf *out)
{
	if (json_is_null(v))
		ent_buf_str(out, "NULL");
	else
		ent_cli_text(v, out);
}

static void print_difference(const json_t *row)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf line = ENT_BUF(1 << 20);
	const char *side = ent_cli_str(row, "side");
	const json_t *v;
	size_t i;
	json_array_foreach(json_object_get(row, "key"), i, v)
	{
		ent_buf_str(&line, i ? ", " : "");
		put_value(v, &line);
	}
	if (strcmp(side, "both") != 0)
		ent_buf_printf(&line, "  only in %s", side);
	json_array_foreach(json_object_get(row, "differ"), i, v)
	{
		ent_buf_printf(&line, "  %s: ", ent_cli_str(v, "column"));
		put_value(json_object_get(v, "a"), &line);
		ent_buf_str(&line, " | ");
		put_value(json_object_get(v, "b"), &line);
	}
	printf("%s\n", ent_buf_text(&line));
}

static void print_columns(const json_t *details, const char *key, const char *side)
{
	const json_t *v;
	size_t i;
	json_array_foreach(json_object_get(details, key), i, v) printf("column %s only in %s\n", json_string_value(v), side);
}

static void print_differences(const struct ent_cli *cli, const json_t *result)
{
	const json_t *details = json_object_get(result, "details"), *row;
	size_t i;
	printf("a: %s, %lld rows\nb: %s, %lld rows\n", cli->args[0], (long long)ent_cli_int(result, "rows_a"), cli->args[1],
	       (long long)ent_cli_int(result, "rows_b"));
	print_columns(details, "columns_only_a", "a");
	print_columns(details, "columns_only_b", "b");
	json_array_foreach(json_object_get(details, "rows"), i, row) print_difference(row);
	if (json_is_true(json_object_get(details, "more")))
		printf("... and perhaps more: --limit shows them\n");
}

static int run_compare(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO args = json_object();
	ENT_JSON_AUTO move = NULL;
	ENT_TRY(compare_args(cli, args, err));
	ENT_TRY(ent_cli_move_watch(cli, args, NULL, &move, err));
	const json_t *result = json_object_get(move, "result");
	bool equal = json_is_true(json_object_get(result, "equal"));
	if (cli->json)
		ent_cli_json(move);
	ENT_TRY(ent_cli_error_of(move, err));
	if (!cli->json && equal)
		printf("equal: %lld rows%s, receipt %s\n", (long long)ent_cli_int(result, "rows_a"),
		       json_is_true(json_object_get(result, "in_stores")) ? " (by the stores' own checksums)" : "", ent_cli_str(move, "receipt"));
	else if (!cli->json)
		print_differences(cli, result);
	return equal ? 0 : ent_fail(err, ENT_EVERIFY, "the tables differ (receipt %s)", ent_cli_str(move, "receipt"));
}

static const struct ent_cli_option compare_options[] = {
	{ "key", 0, "COL,COL", "columns that together name a row (default: the primary key)" },
	{ "columns", 0, "COL,COL", "only these columns" },
	{ "limit", 0, "N", "differing keys to show (default 20)" },
	{ "where", 0, "SQL", "only rows of A that meet a condition, in its own language" },
	{ "dst-where", 0, "SQL", "the same for B" },
	{ "rows", 0, NULL, "read the rows even where the stores could compare checksums" },
	{ "password-file", 0, "FILE", "file with the password of A's database" },
	{ "dst-password-file", 0, "FILE", "file with the password of B's database" },
	{ "ca-file", 0, "FILE", "certificate authority of A's server" },
	{ "dst-ca-file", 0, "FILE", "certificate authority of B's server" },
	{ "null", 0, "TEXT", "text that means NULL in A's CSV file" },
	{ "delim", 0, "TEXT", "separator of A's CSV file" },
	{ "header", 0, "true|false", "whether the first line of A's CSV file names the columns" },
	{ "types", 0, "COL=TYPE,...", "types of columns of A's file, instead of the discovered ones" },
	{ "src-option", 0, "KEY=VALUE", "any option of A's store" },
	{ "dst-option", 0, "KEY=VALUE", "any option of B's store" },
	{ "quiet", 'q', NULL, "no progress" },
};

const struct ent_cli_command ent_cli_compare = {
	.name = "compare",
	.args = "A B",
	.summary = "are two tables equal?",
	.about = "Compares two tables by value, also across engines: 1.50 equals 1.5, moments are compared in UTC, text byte by byte. Exit 0: equal; "
		 "1: different, with the differing keys side by side. Stores of one kind compare checksums without moving a row. The comparison is "
		 "entered in the ledger.",
	.examples = { "entente compare flights.csv 'postgresql://me@db/main#public.flights' --null NA --key id",
		      "entente compare hudson.flights flights.parquet --limit 100" },
	.options = compare_options,
	.n_options = ENT_COUNT(compare_options),
	.args_min = 2,
	.args_max = 2,
	.offline = true,
	.stays = true,
	.run = run_compare,
};
