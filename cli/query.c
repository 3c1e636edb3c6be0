/* explain, query: asking, watching, fetching. */
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/move.h"
#include "cli/print.h"

static json_t *query_args(const struct ent_cli *cli, struct ent_err *err)
{
	json_t *args = json_pack("{ss}", "sql", cli->args[0]);
	const char *purpose = ent_cli_value(cli, "purpose");
	if (!args) {
		ent_fail(err, ENT_ESQL, "the SQL is not UTF-8 text");
		return NULL;
	}
	if (purpose)
		json_object_set_new(args, "purpose", json_string(purpose));
	if (ent_cli_flag(cli, "no-pushdown"))
		json_object_set_new(args, "pushdown", json_false());
	return args;
}

static int run_explain(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO answer = NULL;
	ENT_JSON_AUTO args = query_args(cli, err);
	if (!args)
		return ENT_ESQL;
	ENT_TRY(ent_cli_call(cli, "explain", args, &answer, NULL, err));
	const json_t *text = json_object_get(answer, "text");
	if (cli->json)
		ent_cli_json(answer);
	else if (json_is_array(text))
		ent_cli_lines(text);
	else
		fputs(ent_cli_str(answer, "text"), stdout);
	return 0;
}

#define PURPOSE_OPTION \
	{ \
		"purpose", 0, "NAME", "why you ask; matches grants written FOR it" \
	}
#define PUSHDOWN_OPTION \
	{ \
		"no-pushdown", 0, NULL, "run owners' filters and expressions in the joint computation as well (for comparisons)" \
	}

static const struct ent_cli_option explain_options[] = { PURPOSE_OPTION, PUSHDOWN_OPTION };
const struct ent_cli_command ent_cli_explain = {
	.name = "explain",
	.args = "'SQL'",
	.summary = "decision, plan, leak, openings, rounds and bytes, without running",
	.about = "Shows, per column, whether it may be used so and by whose rule; the plan with each operator's place; what opens; rounds and bytes "
		 "per party. For a "
		 "refusal, the smallest grant that would allow it.",
	.examples = { "entente explain 'SELECT COUNT(*) FROM a.flights f JOIN b.planes p ON f.tailnum = p.tailnum'",
		      "entente explain 'SELECT ...' --purpose research --json" },
	.options = explain_options,
	.n_options = ENT_COUNT(explain_options),
	.args_min = 1,
	.args_max = 1,
	.run = run_explain,
};

static unsigned terminal_width(void)
{
	struct winsize w;
	return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 20 ? w.ws_col : 80;
}

static void draw_bar(const json_t *job, double seconds)
{
	double done = (double)ent_cli_int(job, "done"), total = (double)ent_cli_int(job, "total");
	const char *phase = ent_cli_str(job, "phase");
	unsigned room = terminal_width(), bar = room > 60 ? 30 : 10;
	double share = total > 0 ? done / total : 0;
	unsigned filled = (unsigned)((share > 1 ? 1 : share) * bar);
	fprintf(stderr, "\r\033[K[");
	for (unsigned i = 0; i < bar; i++)
		fputc(i < filled ? '#' : '.', stderr);
	fprintf(stderr, "] %3.0f %%  %.1f s  %.*s", share > 1 ? 100.0 : share * 100, seconds, (int)(room - bar - 22),
		phase[0] ? phase : ent_cli_str(job, "state"));
	fflush(stderr);
}

static double now_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Waits for the job's end; *ret_job is its last state. Ctrl-C cancels it at all parties and goes on waiting for its end. */
static int watch(struct ent_cli *cli, const char *id, json_t **ret_job, struct ent_err *err)
{
	bool cancelled = false, told = false, bar = cli->err_tty && !ent_cli_flag(cli, "quiet");
	double start = now_seconds();
	json_int_t seen = 0;
	for (;;) {
		ENT_JSON_AUTO job = NULL;
		ENT_JSON_AUTO args = json_pack("{ss sI si}", "id", id, "seen", seen, "wait_ms", 200);
		if (ent_cli_interrupted() && !cancelled) {
			ENT_JSON_AUTO which = json_pack("{ss}", "id", id);
			ent_cli_call(cli, "cancel", which, NULL, NULL, NULL);
			cancelled = true;
		}
		ENT_TRY(ent_cli_call(cli, "job", args, &job, NULL, err));
		seen = ent_cli_int(job, "seen");
		if (json_is_true(json_object_get(job, "ended"))) {
			fputs(bar ? "\r\033[K" : "", stderr);
			*ret_job = json_incref(job);
			return 0;
		}
		if (bar)
			draw_bar(job, now_seconds() - start);
		else if (!told && !strcmp(ent_cli_str(job, "state"), "approval"))
			fprintf(stderr, "job %s waits for approval\n", id);
		told = told || !strcmp(ent_cli_str(job, "state"), "approval");
	}
}

static int fetch(struct ent_cli *cli, const char *id, const char *part, const char *path, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf content = ENT_BUF(ENT_HTTP_BODY_MAX);
	ENT_JSON_AUTO args = json_pack("{ss ss}", "id", id, "part", part);
	ENT_TRY(ent_cli_call(cli, "result", args, NULL, &content, err));
	return ent_cli_write_file(path, ent_buf_bytes(&content), err);
}

static int fetch_receipt(struct ent_cli *cli, const char *id, struct ent_err *err)
{
	const char *path = ent_cli_value(cli, "receipt");
	char opened[4200];
	if (!path)
		return 0;
	ENT_TRY(fetch(cli, id, "receipt", path, err));
	snprintf(opened, sizeof opened, "%s.opened", path);
	return fetch(cli, id, "opened", opened, err);
}

static void print_pair(const json_t *stats, const char *what, const char *actual, const char *predicted, bool bytes)
{
	char a[24], p[24];
	json_int_t x = ent_cli_int(stats, actual), y = ent_cli_int(stats, predicted);
	snprintf(a, sizeof a, "%lld", (long long)x);
	snprintf(p, sizeof p, "%lld", (long long)y);
	fprintf(stderr, "  %-7s %s%s, predicted %s%s\n", what, a, bytes ? " B" : "", p, x == y ? " (equal)" : " (DIFFERENT)");
}

static void print_stats(const json_t *stats)
{
	char mean[24], sd[24];
	if (!ent_cli_int(stats, "rounds_predicted"))
		return;
	print_pair(stats, "rounds", "rounds", "rounds_predicted", false);
	print_pair(stats, "sent", "bytes_sent", "bytes_predicted", true);
	ent_cli_size((uint64_t)ent_cli_int(stats, "bytes_mean"), mean);
	ent_cli_size(4 * (uint64_t)ent_cli_int(stats, "bytes_sd"), sd);
	fprintf(stderr, "  %-7s %s +- %s by EXPLAIN, %lld groups released\n", "planned", mean, sd, (long long)ent_cli_int(stats, "groups_released"));
}

static void summary(struct ent_cli *cli, const json_t *job, double seconds)
{
	const json_t *stats = json_object_get(job, "stats");
	char sent[24];
	ent_cli_size((uint64_t)ent_cli_int(stats, "bytes_sent"), sent);
	fprintf(stderr, "%lld rows, %.1f s, %s sent per party, leak %s, receipt %s (small groups may be hidden)\n",
		(long long)ent_cli_int(job, "rows"), seconds, sent, ent_cli_str(job, "leak")[0] ? ent_cli_str(job, "leak") : "none",
		ent_cli_str(job, "request"));
	if (ent_cli_flag(cli, "stats") && stats)
		print_stats(stats);
}

static const char *result_format(const struct ent_cli *cli)
{
	const char *given = ent_cli_value(cli, "into") ? "frames" : ent_cli_value(cli, "format");
	return given ? given : cli->json ? "json" : "table";
}

static int run_query(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO started = NULL;
	ENT_JSON_AUTO job = NULL;
	ENT_JSON_AUTO args = query_args(cli, err);
	double start = now_seconds();
	const char *out = ent_cli_value(cli, "output");
	if (!args)
		return ENT_ESQL;
	json_object_set_new(args, "format", json_string(result_format(cli)));
	json_object_set_new(args, "color", json_boolean(cli->colour && cli->out_tty && !out));
	ent_cli_catch_interrupt();
	ENT_TRY(ent_cli_call(cli, "query", args, &started, NULL, err));
	char id[80];
	snprintf(id, sizeof id, "%s", ent_cli_str(started, "job"));
	ENT_TRY(watch(cli, id, &job, err));
	ENT_TRY(ent_cli_error_of(job, err));
	ENT_TRY(fetch_receipt(cli, id, err));
	const char *into = ent_cli_value(cli, "into");
	if (into && ent_cli_int(job, "rows"))
		ENT_TRY(ent_cli_into(cli, id, into, err));
	else if (!into)
		ENT_TRY(fetch(cli, id, "rows", out ? out : "-", err));
	fflush(stdout);
	summary(cli, job, now_seconds() - start);
	if (!ent_cli_int(job, "rows"))
		return ent_fail(err, ENT_EDENIED, "no group was released: nothing matched, or every group is smaller than its minimum");
	return 0;
}

static const struct ent_cli_option query_options[] = {
	PURPOSE_OPTION,
	{ "format", 0, "table|csv|json|arrow", "how rows are written (default table)" },
	{ "output", 'o', "FILE", "write the rows to a file" },
	{ "receipt", 0, "FILE", "write the receipt to FILE, and what opened to FILE.opened" },
	{ "into", 0, "TARGET", "store the rows in a table, as `copy` does: sqlite:FILE#table, postgresql://...#schema.table, FILE.parquet" },
	{ "mode", 0, "append|create|replace|upsert", "with --into (default append; the table is created when lacking)" },
	{ "key", 0, "COL,COL", "with --into: columns that together name a row" },
	{ "dst-password-file", 0, "FILE", "with --into: file with the password of that database" },
	{ "dst-ca-file", 0, "FILE", "with --into: certificate authority of that database's server" },
	{ "stats", 0, NULL, "rounds and bytes, predicted and actual" },
	PUSHDOWN_OPTION,
	{ "quiet", 'q', NULL, "no progress bar" },
};
const struct ent_cli_command ent_cli_query = {
	.name = "query",
	.args = "'SQL'",
	.summary = "ask a joint question",
	.about = "Answers one SELECT over the tables of several members by three-party computation: nobody sees another's rows, small groups never "
		 "open, every step "
		 "stands in the ledgers. Progress goes to a terminal; Ctrl-C cancels at all parties.",
	.examples = { "entente query 'SELECT p.maker, COUNT(*) FROM a.flights f JOIN b.planes p ON f.tailnum = p.tailnum GROUP BY 1'",
		      "entente query 'SELECT ...' --purpose research --format csv -o rows.csv --receipt r.txt" },
	.options = query_options,
	.n_options = ENT_COUNT(query_options),
	.args_min = 1,
	.args_max = 1,
	.run = run_query,
};
