/* verify: a receipt checked offline, against the cards given or the members pinned in HOME. Works where there is no HOME at all. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/print.h"
#include "crypto/words.h"
#include "ledger/receipt.h"

/* org -> lower-case hex of the sign key's id */
static int pin_card(json_t *pins, const char *path, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_CARD_BYTES_MAX + 16);
	struct ent_card card;
	uint8_t id[ENT_HASH_BYTES];
	char hex[65];
	ENT_TRY(ent_cli_read_file(path, &text, err));
	while (text.len && strchr(" \r\n\t", text.data[text.len - 1]))
		text.len--;
	ENT_TRY(ent_card_open(ent_buf_bytes(&text), &card, err));
	ent_keyid(card.keys[ENT_KEY_SIGN], id);
	ent_hex(hex, id, sizeof id);
	return json_object_set_new(pins, card.org, json_string(hex)) ? ent_nomem(err) : 0;
}

/* Members of HOME and its own card; a machine without a home has none. */
static void pin_home(struct ent_cli *cli, json_t *pins)
{
	ENT_JSON_AUTO members = NULL;
	ENT_JSON_AUTO own = NULL;
	size_t i;
	const json_t *m;
	if (!ent_cli_call(cli, "members", NULL, &members, NULL, NULL))
		json_array_foreach(json_object_get(members, "members"), i, m)
			json_object_set(pins, ent_cli_str(m, "org"), json_object_get(m, "fingerprint"));
	if (!ent_cli_call(cli, "card", NULL, &own, NULL, NULL))
		json_object_set(pins, ent_cli_str(own, "org"), json_object_get(own, "fingerprint"));
}

static int compare_pins(const struct ent_receipt_report *r, const json_t *pins, bool required, struct ent_buf *out, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf unknown = ENT_BUF(65536);
	for (size_t i = 0; i < r->card_count; i++) {
		uint8_t id[ENT_HASH_BYTES];
		char hex[65], words[ENT_FINGERPRINT_LEN];
		if (i + 1 < r->card_count && !strcmp(r->cards[i].org, r->cards[i + 1].org))
			continue; /* an earlier version */
		ent_keyid(r->cards[i].keys[ENT_KEY_SIGN], id);
		ent_hex(hex, id, sizeof id);
		ent_fingerprint(r->cards[i].keys[ENT_KEY_SIGN], words);
		const char *pinned = json_string_value(json_object_get(pins, r->cards[i].org));
		if (pinned && strcmp(pinned, hex) != 0)
			return ent_fail(err, ENT_EVERIFY, "the receipt shows another key for %s than the one you pinned: %s", r->cards[i].org, words);
		if (!pinned)
			ent_buf_printf(&unknown, "%s %s (%s)", unknown.len ? "," : "", r->cards[i].org, words);
	}
	if (unknown.len && required) {
		ent_fail(err, ENT_EVERIFY, "signed by keys you have not pinned:%s", ent_buf_text(&unknown));
		return ent_next(err, "compare the words by phone, then --trust CARD");
	}
	if (unknown.len)
		ent_buf_printf(out, "consistent; signed by keys you have not pinned:%s\n", ent_buf_text(&unknown));
	else
		ent_buf_str(out, "verified: every signature, proof and content holds, all keys are pinned\n");
	return 0;
}

static void print_report(const struct ent_receipt_report *r, struct ent_buf *out)
{
	ent_buf_printf(out, "request %s, sealed by %s, outcome %s\n", r->request_id ? r->request_id : "none", r->sealed_by,
		       r->outcome ? r->outcome : "not in this receipt");
	for (size_t i = 0; i < r->log_count; i++) {
		const struct ent_receipt_log *l = &r->logs[i];
		ent_buf_printf(out, "ledger of %s at %llu entries: cosigned %u of %u, fork-proof %s\n", l->org, (unsigned long long)l->size,
			       l->cosigned, l->others, l->quorum && l->cosigned >= l->quorum ? "yes" : "no");
	}
	for (size_t i = 0; i < r->entry_count; i++) {
		char time[ENT_TIME_LEN + 1];
		ent_time_format(r->entries[i].time_ms, time);
		ent_buf_printf(out, "  %s/%llu  %s\n", r->entries[i].org, (unsigned long long)r->entries[i].index,
			       ent_entry_name(r->entries[i].type));
	}
}

/* The commitment to the rows stands in the requester's result entry; its salt is in RECEIPT.opened. */
static const char *rows_commitment(const struct ent_receipt_report *r)
{
	for (size_t i = 0; i < r->entry_count; i++)
		if (r->entries[i].type == ENT_ENTRY_RESULT && !strcmp(r->entries[i].org, r->sealed_by))
			return json_string_value(json_object_get(r->entries[i].body, "commitment"));
	return NULL;
}

static int check_rows(const struct ent_cli *cli, const struct ent_receipt_report *r, struct ent_buf *out, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf rows = ENT_BUF((size_t)1 << 30), text = ENT_BUF(16 << 20);
	ENT_JSON_AUTO opened = NULL;
	const char *path = ent_cli_value(cli, "result"), *want = rows_commitment(r);
	char opened_path[4200], hex[65];
	uint8_t salt[32], commitment[32];
	if (!path)
		return 0;
	snprintf(opened_path, sizeof opened_path, "%s.opened", cli->args[0]);
	ENT_TRY(ent_cli_read_file(path, &rows, err));
	ENT_TRY(ent_cli_read_file(opened_path, &text, err));
	ENT_TRY(ent_json_parse(ent_buf_bytes(&text), 16 << 20, &opened, err));
	ENT_TRY(ent_json_hex(json_object_get(opened, "rows"), "salt", salt, 32, err));
	ent_commit(salt, ent_buf_bytes(&rows), commitment);
	ent_hex(hex, commitment, 32);
	if (!want || strcmp(want, hex) != 0)
		return ent_fail(err, ENT_EVERIFY, "%s is not the result this receipt speaks of", path);
	ent_buf_printf(out, "%s is the result, byte for byte\n", path);
	return 0;
}

static int report(struct ent_cli *cli, const struct ent_receipt_report *r, const json_t *pins, struct ent_buf *out, struct ent_err *err)
{
	ENT_TRY(compare_pins(r, pins, ent_cli_flag(cli, "require-pinned"), out, err));
	ENT_TRY(check_rows(cli, r, out, err));
	print_report(r, out);
	return ent_buf_check(out, err);
}

static int run_verify(struct ent_cli *cli, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf receipt = ENT_BUF(ENT_RECEIPT_BYTES_MAX), out = ENT_BUF(4 << 20);
	ENT_JSON_AUTO pins = json_object();
	ENT_JSON_AUTO cards = ent_cli_values(cli, "trust");
	struct ent_receipt_report r = { 0 };
	size_t i;
	const json_t *path;
	ENT_TRY(ent_cli_read_file(cli->args[0], &receipt, err));
	json_array_foreach(cards, i, path) ENT_TRY(pin_card(pins, json_string_value(path), err));
	if (!json_array_size(cards))
		pin_home(cli, pins);
	int failed = ent_receipt_check(ent_buf_bytes(&receipt), &r, err);
	if (failed == ENT_EDATA && err) /* a receipt that is none does not verify */
		failed = err->code = ENT_EVERIFY;
	if (failed)
		return failed;
	failed = report(cli, &r, pins, &out, err);
	ent_receipt_report_deinit(&r);
	if (!failed)
		fputs(ent_buf_text(&out), stdout);
	return failed;
}

static const struct ent_cli_option verify_options[] = {
	{ "trust", 0, "CARD", "a member card to pin for this check (instead of HOME's)" },
	{ "require-pinned", 0, NULL, "fail when somebody signed whose card is not pinned" },
	{ "result", 0, "FILE", "rows that were answered: compare them with what was committed (reads RECEIPT.opened)" },
};
const struct ent_cli_command ent_cli_verify = {
	.name = "verify",
	.args = "RECEIPT",
	.summary = "check a receipt offline",
	.about = "Checks a receipt against pinned cards: every signature, every inclusion proof, every content. entente-verify is a second, "
		 "independent program for the same.",
	.examples = { "entente verify r.txt", "entente verify r.txt --trust hudson.card --trust skywatch.card" },
	.options = verify_options,
	.n_options = ENT_COUNT(verify_options),
	.args_min = 1,
	.args_max = 1,
	.offline = true,
	.run = run_verify,
};
