/* add, remove, tables, describe: what may be asked about. */
#include <stdio.h>
#include <stdlib.h>

#include "arrow/declare.h"
#include "cli/commands.h"
#include "cli/print.h"

static void print_column(const json_t *c, const char *facts, bool with_may)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf line = ENT_BUF(8192);
	ent_buf_printf(&line, "  %-18s %-24s %-4s %-13s  ", ent_cli_str(c, "name"), ent_cli_str(c, "type"),
		       json_is_true(json_object_get(c, "nullable")) ? "null" : "", facts);
	if (with_may)
		ent_cli_text(json_object_get(c, "may"), &line);
	while (line.len && line.data[line.len - 1] == ' ')
		line.len--;
	printf("%.*s\n", (int)line.len, ent_buf_text(&line));
}

/* The public facts, exactly as others see them. */
static void print_table(const json_t *t, bool with_may)
{
	size_t i;
	const json_t *c;
	printf("%s.%s, %lld rows (padded)\n", ent_cli_str(t, "org"), ent_cli_str(t, "name"), (long long)ent_cli_int(t, "rows_padded"));
	json_array_foreach(json_object_get(t, "columns"), i, c)
	{
		char facts[80] = "";
		if (json_object_get(c, "bound_bits"))
			snprintf(facts, sizeof facts, "|x| < 2^%lld", (long long)ent_cli_int(c, "bound_bits"));
		else if (json_object_get(c, "distinct_padded"))
			snprintf(facts, sizeof facts, "%lld texts", (long long)ent_cli_int(c, "distinct_padded"));
		print_column(c, facts, with_may);
	}
	json_array_foreach(json_object_get(t, "keys"), i, c)
	{
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(4096);
		ent_cli_text(c, &text);
		printf("  unique: %s\n", ent_buf_text(&text));
	}
}

/* Options of `add` that are ours; any other --OPTION VALUE goes to the connector. */
static const struct ent_cli_option add_options[] = {
	ENT_CLI_CSV_OPTIONS,
	{ "bound", 0, "COL=BITS|TYPE", "public bound of a numeric column: |x| < 2^BITS" },
	{ "hide", 0, "COL", "keep a column out" },
	{ "key", 0, "COL,COL", "columns that together name a row" },
	{ "password-file", 0, "FILE", "file with the password of a database" },
	{ "ca-file", 0, "FILE", "certificate authority of a database's server" },
	{ "schema", 0, "FILE", "types of columns of a store without a schema, one NAME TYPE a line, as describe --schema prints them" },
	{ "refresh", 0, NULL, "register the present size, bounds and schema again" },
};

static bool is_own_option(const char *name)
{
	static const char *const own[] = { "bound", "hide", "key", "password-file", "refresh", "json", "help", "C" };
	for (size_t i = 0; i < ENT_COUNT(own); i++)
		if (!strcmp(own[i], name))
			return true;
	return false;
}

static int set_bounds(const struct ent_cli *cli, json_t *args, struct ent_err *err)
{
	ENT_JSON_AUTO bounds = json_object();
	for (size_t i = 0; i < cli->n_given; i++) {
		const char *text = cli->given[i].value, *equals = strchr(text, '=');
		uint64_t bits;
		char column[256];
		if (strcmp(cli->given[i].name, "bound") != 0)
			continue;
		if (!equals || equals == text || (size_t)(equals - text) >= sizeof column)
			return ent_fail(err, ENT_EUSAGE, "--bound takes COLUMN=BITS or COLUMN=TYPE, not %s", text);
		snprintf(column, sizeof column, "%.*s", (int)(equals - text), text);
		bool number = ent_parse_u64(equals + 1, strlen(equals + 1), 63, &bits);
		json_object_set_new(bounds, column, number ? json_integer((json_int_t)bits) : json_string(equals + 1));
	}
	if (json_object_size(bounds))
		json_object_set(args, "bounds", bounds);
	return 0;
}

static int set_secret(const struct ent_cli *cli, json_t *args, struct ent_err *err)
{
	const char *path = ent_cli_value(cli, "password-file");
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(4096);
	if (!path)
		return 0;
	ENT_TRY(ent_cli_read_file(path, &text, err));
	size_t len = strcspn(ent_buf_text(&text), "\r\n");
	json_object_set_new(args, "secret", json_stringn(ent_buf_text(&text), len));
	explicit_bzero(text.data, text.len);
	return 0;
}

/* Options that name a file: the node reads it from its own folder. */
static bool is_file_option(const char *name) { return !strcmp(name, "schema") || !strcmp(name, "ca-file"); }

static void set_options(const struct ent_cli *cli, json_t *args)
{
	json_t *options = json_array();
	for (size_t i = 0; i < cli->n_given; i++) {
		const char *name = cli->given[i].name, *value = cli->given[i].value;
		char *full = is_file_option(name) ? realpath(value, NULL) : NULL;
		if (!is_own_option(name))
			json_array_append_new(options, json_pack("{ssss}", "key", name, "value", full ? full : value));
		free(full);
	}
	json_object_set_new(args, "options", options);
}

/* A plain file is made absolute, so that the node finds it from its own folder. */
static char *absolute_source(const char *source)
{
	char *full = NULL;
	const char *colon = strchr(source, ':'), *hash = strrchr(source, '#');
	bool scheme = colon && colon > source + 1;
	if (!scheme)
		full = realpath(source, NULL);
	else if (!strncmp(source, "sqlite:", 7) || !strncmp(source, "duckdb:", 7) || !strncmp(source, "folder:", 7)) {
		char *file = hash ? strndup(source + 7, (size_t)(hash - source - 7)) : strdup(source + 7);
		char *path = file ? realpath(file, NULL) : NULL;
		if (path && asprintf(&full, "%.7s%s%s", source, path, hash ? hash : "") < 0)
			full = NULL;
		free(file);
		free(path);
	}
	return full ? full : strdup(source);
}

static int run_add(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO args = json_object();
	ENT_JSON_AUTO answer = NULL;
	char *source = absolute_source(cli->args[1]);
	json_object_set_new(args, "name", json_string(cli->args[0]));
	json_object_set_new(args, "source", json_string(source ? source : cli->args[1]));
	free(source);
	set_options(cli, args);
	ENT_TRY(set_bounds(cli, args, err));
	ENT_TRY(set_secret(cli, args, err));
	json_object_set_new(args, "hide", ent_cli_values(cli, "hide"));
	json_object_set_new(args, "keys", ent_cli_values(cli, "key"));
	if (ent_cli_flag(cli, "refresh"))
		json_object_set_new(args, "refresh", json_true());
	ENT_TRY(ent_cli_call(cli, "add", args, &answer, NULL, err));
	if (cli->json) {
		ent_cli_json(answer);
		return 0;
	}
	printf("What the others see from now on:\n");
	print_table(json_object_get(answer, "table"), false);
	size_t i;
	const json_t *w;
	json_array_foreach(json_object_get(answer, "warnings"), i, w) fprintf(stderr, "note: %s\n", json_string_value(w));
	fprintf(stderr, "%lld rows; nobody may use a column before you grant it: entente grant 'GRANT ...'\n",
		(long long)ent_cli_int(json_object_get(answer, "local"), "rows"));
	return 0;
}

const struct ent_cli_command ent_cli_add = {
	.name = "add",
	.args = "NAME SOURCE",
	.summary = "register a table from a file or database",
	.about = "Registers a table. The schema is discovered; what the other members see of it is printed: names, types, padded size, bounds, "
		 "unique keys. "
		 "SOURCE: FILE.parquet, FILE.csv, FILE.json, FILE.arrow, the same files as hdfs://... or gluster://..., folder:PATH#*.csv, "
		 "duckdb:FILE#table, sqlite:FILE#table, postgresql://...#schema.table, mysql://...#table, "
		 "mongodb://...#collection, cassandra://...#table, hbase://...#table",
	.examples = { "entente add flights flights.csv --null NA",
		      "entente add people 'postgresql://reader@db/main#public.people' --password-file pw" },
	.options = add_options,
	.n_options = ENT_COUNT(add_options),
	.args_min = 2,
	.args_max = 2,
	.offline = true,
	.run = run_add,
};

static int run_remove(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO args = json_pack("{ss}", "name", cli->args[0]);
	ENT_TRY(ent_cli_call(cli, "remove", args, NULL, NULL, err));
	printf("%s is no longer listed\n", cli->args[0]);
	return 0;
}

const struct ent_cli_command ent_cli_remove = {
	.name = "remove",
	.args = "NAME",
	.summary = "withdraw a table",
	.about = "Withdraws a table from the consortium. The source itself is not touched.",
	.examples = { "entente remove flights", "entente -C a remove flights" },
	.args_min = 1,
	.args_max = 1,
	.offline = true,
	.run = run_remove,
};

/* One row a table, for the listing. */
static json_t *summary_rows(const json_t *answer)
{
	size_t i, k;
	const json_t *t, *c;
	json_t *rows = json_array();
	json_array_foreach(json_object_get(answer, "tables"), i, t)
	{
		size_t usable = 0;
		json_array_foreach(json_object_get(t, "columns"), k, c) usable += json_array_size(json_object_get(c, "may")) > 0;
		char name[128], may[64];
		snprintf(name, sizeof name, "%s.%s", ent_cli_str(t, "org"), ent_cli_str(t, "name"));
		snprintf(may, sizeof may, "%zu of %zu columns", usable, json_array_size(json_object_get(t, "columns")));
		json_array_append_new(rows, json_pack("{ss sI sO ss}", "table", name, "rows", ent_cli_int(t, "rows_padded"), "keys",
						      json_object_get(t, "keys"), "may", may));
	}
	return rows;
}

static int run_tables(struct ent_cli *cli, struct ent_err *err)
{
	static const struct ent_cli_column columns[] = {
		{ "table", "table", false }, { "rows", "rows (padded)", true }, { "may", "you may use", false }, { "keys", "unique", false }
	};
	ENT_JSON_AUTO answer = NULL;
	ENT_TRY(ent_cli_call(cli, "tables", NULL, &answer, NULL, err));
	if (cli->json) {
		ent_cli_json(answer);
		return 0;
	}
	ENT_JSON_AUTO rows = json_pack("{so}", "rows", summary_rows(answer));
	ent_cli_listing(cli, rows, "rows", columns, ENT_COUNT(columns));
	return 0;
}

const struct ent_cli_command ent_cli_tables = {
	.name = "tables",
	.args = "",
	.summary = "every table of the consortium",
	.about = "Lists every table of every member: owner, padded size, unique keys, and how many columns you may use in some way.",
	.examples = { "entente tables", "entente tables --json" },
	.offline = true,
	.run = run_tables,
};

/* As `add --schema FILE` reads it. */
static int print_schema(const json_t *t, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(1 << 20);
	size_t i;
	const json_t *c;
	json_array_foreach(json_object_get(t, "columns"), i, c) ent_declared_put(&text, ent_cli_str(c, "name"), ent_cli_str(c, "type"));
	ENT_TRY(ent_buf_check(&text, err));
	printf("%s", ent_buf_text(&text));
	return 0;
}

static int run_describe(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO args = json_pack("{ss}", "table", cli->args[0]);
	ENT_JSON_AUTO answer = NULL;
	ENT_TRY(ent_cli_call(cli, "describe", args, &answer, NULL, err));
	const json_t *table = json_object_get(answer, "table") ? json_object_get(answer, "table") : answer;
	if (ent_cli_flag(cli, "schema"))
		return print_schema(table, err);
	if (cli->json)
		ent_cli_json(answer);
	else
		print_table(table, true);
	return 0;
}

static const struct ent_cli_option describe_options[] = {
	{ "schema", 0, NULL, "only names and types, one column a line, as `add --schema FILE` reads them" },
};

const struct ent_cli_command ent_cli_describe = {
	.name = "describe",
	.args = "TABLE",
	.summary = "one table: columns, types, bounds, what you may do with each",
	.about = "Shows one table with, per column, type, public bound, and the uses granted to you.",
	.examples = { "entente describe hudson.flights", "entente describe hudson.flights --schema" },
	.options = describe_options,
	.n_options = ENT_COUNT(describe_options),
	.args_min = 1,
	.args_max = 1,
	.offline = true,
	.run = run_describe,
};
