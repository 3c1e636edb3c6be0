/* ledger: what happened here, entry by entry and block by block. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/print.h"

static json_t *range_args(const struct ent_cli *cli)
{
	json_t *args = json_object();
	static const char *const keys[] = { "from", "count" };
	for (size_t i = 0; i < ENT_COUNT(keys); i++) {
		uint64_t v;
		const char *text = ent_cli_value(cli, keys[i]);
		if (text && ent_parse_u64(text, strlen(text), (uint64_t)1 << 53, &v))
			json_object_set_new(args, keys[i], json_integer((json_int_t)v));
	}
	return args;
}

static int ledger_list(struct ent_cli *cli, struct ent_err *err)
{
	static const struct ent_cli_column columns[] = {
		{ "index", "index", true }, { "time", "time", false }, { "type", "type", false }, { "org", "by", false }, { "text", "what", false }
	};
	ENT_JSON_AUTO args = range_args(cli);
	ENT_JSON_AUTO answer = NULL;
	ENT_TRY(ent_cli_call(cli, "ledger.list", args, &answer, NULL, err));
	ent_cli_listing(cli, answer, "entries", columns, ENT_COUNT(columns));
	return 0;
}

static void print_block(const json_t *b)
{
	size_t i;
	const json_t *line;
	printf("Index          %lld\n", (long long)ent_cli_int(b, "index"));
	printf("Previous hash  %s\n", ent_cli_str(b, "previous"));
	printf("Timestamp      %s\n", ent_cli_str(b, "time"));
	json_array_foreach(json_object_get(b, "data"), i, line)
		printf("%-15s%s\n", i ? "" : "Data", json_is_string(line) ? json_string_value(line) : "");
	printf("Hash           %s\n\n", ent_cli_str(b, "hash"));
}

static int ledger_blocks(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO args = range_args(cli);
	ENT_JSON_AUTO answer = NULL;
	size_t i;
	const json_t *b;
	if (ent_cli_flag(cli, "verify"))
		json_object_set_new(args, "verify", json_true());
	ENT_TRY(ent_cli_call(cli, "ledger.blocks", args, &answer, NULL, err));
	if (cli->json) {
		ent_cli_json(answer);
		return 0;
	}
	json_array_foreach(json_object_get(answer, "blocks"), i, b) print_block(b);
	if (ent_cli_flag(cli, "verify"))
		fprintf(stderr, "every link, leaf and signature holds\n");
	return 0;
}

static int index_arg(const struct ent_cli *cli, json_t **ret, struct ent_err *err)
{
	uint64_t v;
	const char *text = cli->n_args > 1 ? cli->args[1] : "";
	if (!ent_parse_u64(text, strlen(text), (uint64_t)1 << 53, &v))
		return ent_fail(err, ENT_EUSAGE, "ledger %s takes the index of an entry, not \"%s\"", cli->args[0], text);
	*ret = json_pack("{sI}", "index", (json_int_t)v);
	return 0;
}

static int ledger_show(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO args = NULL;
	ENT_JSON_AUTO answer = NULL;
	ENT_TRY(index_arg(cli, &args, err));
	ENT_TRY(ent_cli_call(cli, "ledger.show", args, &answer, NULL, err));
	ent_cli_json(answer);
	return 0;
}

static int ledger_prove(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO args = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf proof = ENT_BUF(ENT_HTTP_BODY_MAX);
	ENT_TRY(index_arg(cli, &args, err));
	ENT_TRY(ent_cli_call(cli, "ledger.prove", args, NULL, &proof, err));
	fwrite(proof.data, 1, proof.len, stdout);
	return 0;
}

static int ledger_verify(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO answer = NULL;
	ENT_TRY(ent_cli_call(cli, "ledger.verify", NULL, &answer, NULL, err));
	if (cli->json)
		ent_cli_json(answer);
	else
		printf("ok: %lld entries in %lld blocks; every link, leaf and signature holds\n", (long long)ent_cli_int(answer, "entries"),
		       (long long)ent_cli_int(answer, "blocks"));
	return 0;
}

static int ledger_note(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO answer = NULL;
	if (cli->n_args < 2)
		return ent_fail(err, ENT_EUSAGE, "ledger note takes the text of the note");
	ENT_JSON_AUTO args = json_pack("{ss}", "text", cli->args[1]);
	if (!args)
		return ent_fail(err, ENT_EDATA, "the note is not UTF-8 text");
	ENT_TRY(ent_cli_call(cli, "ledger.note", args, &answer, NULL, err));
	if (cli->json)
		ent_cli_json(answer);
	else
		printf("entry %lld in block %lld\n", (long long)ent_cli_int(answer, "index"), (long long)ent_cli_int(answer, "block"));
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct ent_cli *cli, struct ent_err *err);
} parts[] = { { "list", ledger_list },   { "blocks", ledger_blocks }, { "show", ledger_show },
	      { "prove", ledger_prove }, { "verify", ledger_verify }, { "note", ledger_note } };

static int run_ledger(struct ent_cli *cli, struct ent_err *err)
{
	const char *part = cli->n_args ? cli->args[0] : "list";
	for (size_t i = 0; i < ENT_COUNT(parts); i++)
		if (!strcmp(parts[i].name, part))
			return parts[i].run(cli, err);
	ent_fail(err, ENT_EUSAGE, "ledger has no part \"%s\"", part);
	return ent_next(err, "one of: list, blocks, show N, prove N, verify, note TEXT");
}

static const struct ent_cli_option ledger_options[] = {
	{ "from", 0, "N", "first entry or block" },
	{ "count", 0, "N", "at most that many" },
	{ "verify", 0, NULL, "with blocks: recompute every link, leaf and signature" },
};
const struct ent_cli_command ent_cli_ledger = {
	.name = "ledger",
	.args = "[list|blocks|show N|prove N|verify|note TEXT]",
	.summary = "the ledger as entries and as blocks",
	.about = "list: entries, one line each. blocks: the log as a block chain. show N: one entry whole. prove N: its inclusion proof. verify: "
		 "recompute everything. "
		 "note TEXT: add a block with that data.",
	.examples = { "entente ledger blocks --verify", "entente ledger note \"Transaction Data\"" },
	.options = ledger_options,
	.n_options = ENT_COUNT(ledger_options),
	.args_max = 2,
	.offline = true,
	.run = run_ledger,
};
