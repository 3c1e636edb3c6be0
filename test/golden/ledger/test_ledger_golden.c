/* Formats never change their bytes: what this version writes equals the kept files, and what was kept is still accepted.
 * argv[1]: the folder of the kept files; argv[2] "write" makes them (once per format version). */
#include "support/receipt_kit.h"
#include "tap.h"

static const char *folder;
static bool writing;

static void keep_or_compare(const char *name, struct ent_bytes now)
{
	char path[1000];
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf kept = ENT_BUF(1u << 20);
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, writing ? "wb" : "rb");
	if (writing)
		ENT_ASSERT(f && fwrite(now.data, 1, now.len, f) == now.len);
	for (int c; !writing && f && (c = fgetc(f)) != EOF;)
		ent_buf_u8(&kept, (uint8_t)c);
	if (f)
		fclose(f);
	if (!writing)
		OK(ent_bytes_eq(ent_buf_bytes(&kept), now), "%s: the same bytes", name);
}

static void read_kept(const char *name, struct ent_buf *out)
{
	char path[1000];
	ent_buf_init(out, 1u << 20);
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "rb");
	for (int c; f && (c = fgetc(f)) != EOF;)
		ent_buf_u8(out, (uint8_t)c);
	if (f)
		fclose(f);
}

static void test_kept_accepted(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf card = { 0 }, entry = { 0 }, note = { 0 }, receipt = { 0 };
	ENT_CLEANUP(ent_entry_deinit) struct ent_entry e = { 0 };
	struct ent_receipt_report r = { 0 };
	struct ent_note n;
	struct ent_checkpoint c;
	struct ent_card k;
	read_kept("card.json", &card);
	read_kept("entry.json", &entry);
	read_kept("checkpoint.txt", &note);
	read_kept("receipt.txt", &receipt);
	OK_INT(ent_card_open(ent_buf_bytes(&card), &k, NULL), 0);
	OK_INT(ent_entry_open(ent_buf_bytes(&entry), &e, NULL), 0);
	OK(!ent_note_parse(ent_buf_bytes(&note), &n, NULL) && !ent_checkpoint_parse(n.text, true, &c, NULL));
	OK_INT(ent_receipt_check(ent_buf_bytes(&receipt), &r, NULL), 0);
	ent_receipt_report_deinit(&r);
}

static void segment(void *arg, const char *path, struct ent_bytes content)
{
	(void)arg;
	if (!strcmp(path, "ledger/segment/00000000"))
		keep_or_compare("segment.bin", content);
}

int main(int argc, char **argv)
{
	static struct kit_job j;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(ENT_TLOG_PROOF_MAX);
	ENT_ASSERT(argc > 1);
	folder = argv[1];
	writing = argc > 2 && !strcmp(argv[2], "write");
	kit_job_init(&j);
	keep_or_compare("card.json", ent_buf_bytes(&j.orgs[0].card_bytes));
	ENT_ASSERT(!ent_ledger_entry(j.ledgers[0], j.run[0], &b, NULL));
	keep_or_compare("entry.json", ent_buf_bytes(&b));
	keep_or_compare("checkpoint.txt", ent_ledger_served_note(j.ledgers[0]));
	ent_buf_reset(&b);
	ENT_ASSERT(!ent_ledger_prove(j.ledgers[0], j.run[0], &b, NULL));
	keep_or_compare("proof.txt", ent_buf_bytes(&b));
	keep_or_compare("receipt.txt", ent_buf_bytes(&j.receipt));
	simfs_each(j.fs[0], segment, NULL);
	if (!writing)
		test_kept_accepted();
	kit_job_deinit(&j);
	return writing ? 0 : tap_done();
}
