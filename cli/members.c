/* init, card, trust, members, untrust, status: who we are and whom we trust. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/home.h"
#include "cli/print.h"

static void set_option(const struct ent_cli *cli, json_t *args, const char *option, const char *key)
{
	const char *value = ent_cli_value(cli, option);
	if (value)
		json_object_set_new(args, key, json_string(value));
}

static int run_init(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO args = json_object();
	ENT_JSON_AUTO answer = NULL;
	if (!ent_cli_value(cli, "org")) {
		ent_fail(err, ENT_EUSAGE, "init needs --org NAME");
		return ent_next(err, "entente init --org hospital");
	}
	set_option(cli, args, "org", "org");
	set_option(cli, args, "listen", "listen");
	set_option(cli, args, "http", "http");
	set_option(cli, args, "advertise", "advertise");
	set_option(cli, args, "advertise-http", "advertise_http");
	if (ent_cli_flag(cli, "compute-only"))
		json_object_set_new(args, "compute_only", json_true());
	ENT_TRY(ent_home_init(ent_buf_text(&cli->home), args, &answer, err));
	if (cli->json) {
		ent_cli_json(answer);
		return 0;
	}
	printf("made a home for %s in %s\nfingerprint  %s\n", ent_cli_str(answer, "org"), ent_buf_text(&cli->home), ent_cli_str(answer, "words"));
	fprintf(stderr, "next: entente -C %s card > %s.card, give that file to the other members, then trust theirs and serve\n",
		ent_buf_text(&cli->home), ent_cli_str(answer, "org"));
	return 0;
}

static const struct ent_cli_option init_options[] = {
	{ "org", 0, "NAME", "name of the organisation: a-z, then a-z, 0-9 or _, at most 31 letters" },
	{ "listen", 0, "HOST:PORT", "where other nodes reach this one (default 127.0.0.1:7100)" },
	{ "http", 0, "HOST:PORT", "where the ledger is read and witnessed (default: the port after)" },
	{ "advertise", 0, "HOST[:PORT]", "address written into the card; needed when listening on a wildcard" },
	{ "advertise-http", 0, "HOST[:PORT]", "the same for HTTP" },
	{ "compute-only", 0, NULL, "owns no tables: sees shares only, and witnesses" },
};
const struct ent_cli_command ent_cli_init = {
	.name = "init",
	.args = "",
	.summary = "make a home: keys, ledger, configuration",
	.about = "Makes this organisation's home: keys (readable by you alone), a ledger with its genesis block, a commented configuration.",
	.examples = { "entente init --org hudson", "entente -C a init --org hudson --listen 127.0.0.1:7101 --http 127.0.0.1:7102" },
	.options = init_options,
	.n_options = ENT_COUNT(init_options),
	.run = run_init,
};

static int run_card(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO answer = NULL;
	bool rotate = ent_cli_flag(cli, "rotate");
	ENT_TRY(ent_cli_call(cli, rotate ? "card.rotate" : "card", NULL, &answer, NULL, err));
	if (cli->json) {
		ent_cli_json(answer);
		return 0;
	}
	puts(ent_cli_str(answer, "card"));
	fprintf(stderr, "fingerprint of %s: %s\n", ent_cli_str(answer, "org"), ent_cli_str(answer, "words"));
	if (rotate)
		fprintf(stderr, "start the node again; the others accept the new card by themselves, because the old key signed it\n");
	return 0;
}

static const struct ent_cli_option card_options[] = { { "rotate", 0, NULL, "new keys first: sign, witness and tls; the node must not run" } };
const struct ent_cli_command ent_cli_card = {
	.name = "card",
	.args = "",
	.summary = "print the own member card",
	.about = "Prints the signed card that introduces this organisation: name, keys, addresses. Give it to the other members.",
	.examples = { "entente card > hudson.card", "entente -C a card --rotate" },
	.options = card_options,
	.n_options = ENT_COUNT(card_options),
	.offline = true,
	.run = run_card,
};

static int run_trust(struct ent_cli *cli, struct ent_err *err)
{
	static const struct ent_cli_column columns[] = { { "org", "member", false }, { "change", "card", false }, { "words", "fingerprint", false } };
	ENT_JSON_AUTO args = json_object();
	ENT_JSON_AUTO answer = NULL;
	json_t *cards = json_array();
	json_object_set_new(args, "cards", cards);
	for (size_t i = 0; i < cli->n_args; i++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(0);
		ENT_TRY(ent_cli_read_file(cli->args[i], &text, err));
		json_t *card = json_stringn(ent_buf_text(&text), text.len);
		if (!card)
			return ent_fail(err, ENT_EDATA, "%s is not a member card: it is not text", cli->args[i]);
		json_array_append_new(cards, card);
	}
	if (ent_cli_flag(cli, "replace"))
		json_object_set_new(args, "replace", json_true());
	ENT_TRY(ent_cli_call(cli, "trust", args, &answer, NULL, err));
	ent_cli_listing(cli, answer, "members", columns, ENT_COUNT(columns));
	if (!cli->json)
		fprintf(stderr, "compare the words by phone before you rely on them\n");
	return 0;
}

static const struct ent_cli_option trust_options[] = { { "replace", 0, NULL, "accept a card with a new key (the member lost the old one)" } };
const struct ent_cli_command ent_cli_trust = {
	.name = "trust",
	.args = "CARD...",
	.summary = "pin other members' cards",
	.about = "Pins the cards of other members. From then on only their keys may connect. Prints each fingerprint as eight words to compare by "
		 "phone.",
	.examples = { "entente trust skywatch.card registry.card", "entente trust skywatch.card --replace" },
	.options = trust_options,
	.n_options = ENT_COUNT(trust_options),
	.args_min = 1,
	.args_max = -1,
	.offline = true,
	.run = run_trust,
};

static int run_members(struct ent_cli *cli, struct ent_err *err)
{
	static const struct ent_cli_column columns[] = {
		{ "org", "member", false }, { "up", "up", false }, { "version", "version", false }, { "words", "fingerprint", false }
	};
	ENT_JSON_AUTO answer = NULL;
	ENT_TRY(ent_cli_call(cli, "members", NULL, &answer, NULL, err));
	ent_cli_listing(cli, answer, "members", columns, ENT_COUNT(columns));
	return 0;
}

const struct ent_cli_command ent_cli_members = {
	.name = "members",
	.args = "",
	.summary = "list the members of the consortium",
	.about = "Lists the members whose cards are pinned here.",
	.examples = { "entente members", "entente members --json" },
	.offline = true,
	.run = run_members,
};

static int run_untrust(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO args = json_pack("{ss}", "org", cli->args[0]);
	ENT_TRY(ent_cli_call(cli, "untrust", args, NULL, NULL, err));
	printf("%s is no longer trusted\n", cli->args[0]);
	return 0;
}

const struct ent_cli_command ent_cli_untrust = {
	.name = "untrust",
	.args = "ORG",
	.summary = "stop trusting a member",
	.about = "Takes back the pin of a member: its connections are closed and refused.",
	.examples = { "entente untrust skywatch", "entente -C a untrust skywatch" },
	.args_min = 1,
	.args_max = 1,
	.offline = true,
	.run = run_untrust,
};
