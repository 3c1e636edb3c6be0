/* prepare: a table cleaned by rules, with a report on what they found. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/move.h"
#include "cli/print.h"
#include "move/prepare.h"

static int set_samples(const struct ent_cli *cli, json_t *args, struct ent_err *err)
{
	const char *text = ent_cli_value(cli, "sample");
	uint64_t n = ENT_PREPARE_SAMPLES;
	if (text && !ent_parse_u64(text, strlen(text), ENT_PREPARE_SAMPLES_MAX, &n))
		return ent_fail(err, ENT_EUSAGE, "--sample takes a number from 0 to %u", ENT_PREPARE_SAMPLES_MAX);
	return json_object_set_new(args, "samples", json_integer((json_int_t)n)) ? ent_nomem(err) : 0;
}

static int set_rules(const struct ent_cli *cli, json_t *args, struct ent_err *err)
{
	const char *path = ent_cli_value(cli, "rules");
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_RULES_BYTES_MAX);
	ENT_CLEANUP(ent_arena_freep) struct ent_arena *arena = ent_arena_new(8 * ENT_RULES_BYTES_MAX);
	struct ent_rules rules;
	if (!arena)
		return ent_nomem(err);
	if (!path) {
		ent_fail(err, ENT_EUSAGE, "prepare needs rules");
		return ent_next(err, "--rules FILE; docs/format/prepare.md says what may stand in it"), ENT_EUSAGE;
	}
	ENT_TRY(ent_cli_read_file(path, &text, err));
	ENT_TRY(ent_rules_parse(ent_buf_bytes(&text), arena, &rules, err));
	return json_object_set_new(args, "rules", json_stringn(ent_buf_text(&text), text.len)) ? ent_nomem(err) : 0;
}

static int make_args(struct ent_cli *cli, json_t *args, struct ent_err *err)
{
	static const char *const texts[] = { "where", "mode" };
	json_object_set_new(args, "kind", json_string("prepare"));
	json_object_set_new(args, "source", ent_cli_move_end(cli->args[0]));
	json_object_set_new(args, "targets", json_pack("[o]", ent_cli_move_end(cli->args[1])));
	for (size_t i = 0; i < ENT_COUNT(texts); i++)
		if (ent_cli_value(cli, texts[i]))
			json_object_set_new(args, texts[i], json_string(ent_cli_value(cli, texts[i])));
	if (ent_cli_flag(cli, "dry-run"))
		json_object_set_new(args, "dry_run", json_true());
	ENT_TRY(set_rules(cli, args, err));
	ENT_TRY(set_samples(cli, args, err));
	return ent_cli_move_args(cli, args, err);
}

/* ---- telling ---- */

static void put_row(json_t *rows, const char *column, const char *rule, const char *otherwise, json_int_t hits, const json_t *samples)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(1 << 16);
	const json_t *v;
	size_t i;
	json_array_foreach(samples, i, v) ent_buf_printf(&text, "%s\"%s\"", i ? ", " : "", json_string_value(v) ? json_string_value(v) : "");
	json_array_append_new(rows, json_pack("{s:s,s:s,s:s,s:I,s:s}", "column", column, "rule", rule, "else", otherwise, "hits", hits, "samples",
					      ent_buf_text(&text)));
}

static json_t *table_of(const json_t *report)
{
	json_t *rows = json_array();
	const json_t *one, *repeated = json_object_get(report, "repeated"), *near = json_object_get(report, "near");
	size_t i;
	json_array_foreach(json_object_get(report, "rules"), i, one)
		put_row(rows, ent_cli_str(one, "column"), ent_cli_str(one, "rule"), ent_cli_str(one, "else"), ent_cli_int(one, "hits"),
			json_object_get(one, "samples"));
	if (repeated)
		put_row(rows, "", "repeated rows", "drop", ent_cli_int(repeated, "rows"), json_object_get(repeated, "samples"));
	if (near)
		put_row(rows, ent_cli_str(near, "column"), "similar text", ent_cli_str(near, "else"), ent_cli_int(near, "rows"),
			json_object_get(near, "samples"));
	return json_pack("{s:o}", "rules", rows);
}

static void print_quality(const struct ent_cli *cli, const json_t *report)
{
	static const struct ent_cli_column columns[] = { { "column", "column", false },
							 { "rule", "rule", false },
							 { "else", "else", false },
							 { "hits", "hits", true },
							 { "samples", "samples", false } };
	ENT_JSON_AUTO table = table_of(report);
	ent_cli_listing(cli, table, "rules", columns, ENT_COUNT(columns));
	printf("%lld rows in, %lld out, %lld dropped by rules\n", (long long)ent_cli_int(report, "rows_in"),
	       (long long)ent_cli_int(report, "rows_out"), (long long)ent_cli_int(report, "dropped"));
}

static int write_report(const struct ent_cli *cli, const json_t *move, struct ent_err *err)
{
	static const char *const members[] = { "rules", "digest_in", "digest" };
	static const char *const as[] = { "rules_hash", "digest_in", "digest_out" };
	const char *path = ent_cli_value(cli, "report");
	const json_t *result = json_object_get(move, "result");
	ENT_JSON_AUTO report = json_deep_copy(json_object_get(result, "report"));
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF((size_t)64 << 20);
	if (!path || !json_object_get(report, "rows_out"))
		return 0;
	for (size_t i = 0; i < ENT_COUNT(members); i++)
		json_object_set_new(report, as[i], json_string(ent_cli_str(result, members[i])));
	json_object_set_new(report, "receipt", json_string(ent_cli_str(move, "receipt")));
	ENT_TRY(ent_json_canonical(report, &text, err));
	ent_buf_str(&text, "\n");
	ENT_TRY(ent_buf_check(&text, err));
	return ent_cli_write_file(path, ent_buf_bytes(&text), err);
}

static int run_prepare(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO args = json_object();
	ENT_JSON_AUTO move = NULL;
	ENT_TRY(make_args(cli, args, err));
	ENT_TRY(ent_cli_move_watch(cli, args, cli->json ? NULL : stderr, &move, err));
	const json_t *report = json_object_get(json_object_get(move, "result"), "report");
	if (cli->json)
		ent_cli_json(move);
	else if (json_object_get(report, "rows_out"))
		print_quality(cli, report);
	ENT_TRY(write_report(cli, move, err));
	ENT_TRY(ent_cli_error_of(move, err));
	if (!cli->json && !ent_cli_flag(cli, "dry-run"))
		printf("receipt %s\n", ent_cli_str(move, "receipt"));
	return 0;
}

static const struct ent_cli_option options[] = {
	{ "rules", 0, "FILE", "what becomes of each column (docs/format/prepare.md)" },
	{ "report", 0, "FILE", "write the report as JSON, too" },
	{ "sample", 0, "N", "values shown for each rule (default 3)" },
	{ "mode", 0, "create|append|replace", "what to do with the target's table (default create)" },
	{ "where", 0, "SQL", "only rows that meet a condition, in the source's own language" },
	{ "columns", 0, "COL,COL", "only these columns" },
	{ "allow-lossy", 0, "COL,COL", "columns that may lose something in the target" },
	{ "dry-run", 0, NULL, "print the report and write no row" },
	{ "password-file", 0, "FILE", "file with the password of the source's database" },
	{ "dst-password-file", 0, "FILE", "file with the password of the target's database" },
	{ "ca-file", 0, "FILE", "certificates that the source's server is checked against" },
	{ "dst-ca-file", 0, "FILE", "certificates that the target's server is checked against" },
	ENT_CLI_CSV_OPTIONS,
	{ "src-option", 0, "KEY=VALUE", "any option of the source's store" },
	{ "dst-option", 0, "KEY=VALUE", "any option of the target's store" },
	{ "quiet", 'q', NULL, "no progress bar" },
};

const struct ent_cli_command ent_cli_prepare = {
	.name = "prepare",
	.args = "SOURCE TARGET",
	.summary = "clean a table by rules, with a report",
	.about = "Cleans a table on its way from one store to another: blanks, case, words that mean nothing, types, ranges, patterns, units, names, "
		 "repeated and similar rows. The report says how often each rule struck, with samples. The preparation is entered in the ledger, "
		 "samples are not.",
	.examples = { "entente prepare raw.csv clean.parquet --rules rules.json",
		      "entente prepare hudson.people 'postgresql://me@db/main#public.people' --rules rules.json --report report.json --sample 10" },
	.options = options,
	.n_options = ENT_COUNT(options),
	.args_min = 2,
	.args_max = 2,
	.offline = true,
	.stays = true,
	.run = run_prepare,
};
