/* Memory runs out at the nth allocation, for every n: an error comes back, nothing crashes or leaks, and the ledger is whole afterwards.
 * Linked with --wrap, so that every allocation of our own code passes here. jansson's do not: its parser (2.14) writes through a wild pointer when
 * one fails. */
#include <ftw.h>
#include <stdlib.h>

#include "ledger/audit.h"
#include "ledger/witness.h"
#include "os/disk.h"
#include "support/receipt_kit.h"
#include "tap.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static uint64_t fail_at; /* counts down to the failing one; 0: none fails */
static bool failed;

static bool fails(void)
{
	bool now = fail_at && --fail_at == 0;
	failed = failed || now;
	return now;
}

void *__wrap_malloc(size_t n) { return fails() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return fails() ? NULL : __real_realloc(p, n); }

static struct kit_job job;
static struct kit_org org;
static struct ent_buf note;

static int do_receipt(void)
{
	struct ent_receipt_report r = { 0 };
	int code = ent_receipt_check(ent_buf_bytes(&job.receipt), &r, NULL);
	if (!code)
		ent_receipt_report_deinit(&r);
	return code;
}

static int do_entry(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(ENT_DSSE_BYTES_MAX);
	ENT_CLEANUP(ent_entry_deinit) struct ent_entry e = { 0 };
	ENT_JSON_AUTO fields = json_pack("{s:s}", "text", "x");
	if (!fields)
		return ENT_ENOMEM;
	ENT_TRY(ent_entry_make(ENT_ENTRY_NOTE, 0, "hudson", fields, &org.keys[0], &out, NULL));
	return ent_entry_open(ent_buf_bytes(&out), &e, NULL);
}

static int do_card(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(ENT_CARD_BYTES_MAX);
	return ent_card_make(&org.card, &org.keys[0], NULL, &out, NULL);
}

static int do_ledger(void)
{
	struct ent_ledger *l = NULL;
	struct ent_bytes one = ent_buf_bytes(&note);
	int code = ent_ledger_open(&org.config, &l, NULL);
	if (!code)
		code = ent_ledger_append(l, &one, 1, NULL, NULL);
	if (!code)
		code = ent_ledger_publish(l, NULL);
	if (!code)
		code = ent_ledger_cosigned(l, ent_bytes("", 0), NULL);
	ent_ledger_free(l);
	return code;
}

static int do_audit(void)
{
	struct ent_audit a;
	return ent_audit_run(org.config.fs, "ledger", &a, NULL);
}

static void every_allocation(const char *name, int (*what)(void), bool may_hide)
{
	size_t points = 0, hidden = 0;
	ENT_ASSERT(!what());
	for (uint64_t n = 1;; n++, points++) {
		failed = false;
		fail_at = n;
		int code = what();
		fail_at = 0;
		if (!failed)
			break;
		hidden += code == 0;
	}
	OK(points > 3, "%s: %zu allocations failed one by one", name, points);
	if (!may_hide)
		OK_INT(hidden, 0, "%s: each failure was reported", name);
	OK_INT(what(), 0, "%s: works afterwards", name);
}

static int remove_one(const char *path, const struct stat *s, int kind, struct FTW *w)
{
	(void)s;
	(void)kind;
	(void)w;
	return remove(path);
}

int main(void)
{
	struct ent_fs *disk = NULL;
	struct ent_ledger *l = NULL;
	struct ent_audit a;
	char folder[] = "/tmp/entente-alloc-XXXXXX";
	ENT_ASSERT(mkdtemp(folder) && !ent_disk_new(folder, true, &disk, NULL));
	kit_job_init(&job);
	kit_org_init(&org, "hudson", disk);
	kit_note(&org, "again", &note);
	ENT_ASSERT(!ent_ledger_create(&org.config, ent_buf_bytes(&org.card_bytes), &l, NULL));
	ent_ledger_free(l);
	every_allocation("an entry", do_entry, false);
	every_allocation("a card", do_card, false);
	every_allocation("a ledger", do_ledger, true); /* reading what /checkpoint serves is a convenience */
	struct ent_err err = ENT_ERR_INIT;
	OK_INT(ent_audit_run(disk, "ledger", &a, &err), 0, "the ledger is whole: %s %s", err.what, err.why);
	every_allocation("a receipt", do_receipt, true); /* each card's key may be tried again by another way */
	every_allocation("an audit", do_audit, true);
	kit_job_deinit(&job);
	kit_org_deinit(&org);
	ent_buf_deinit(&note);
	ent_disk_free(disk);
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return tap_done();
}
