/* Receipts: two implementations, one verdict.
 * fuzz-deps: ledger_dep verify_dep */
#include "../verify/verify.h"
#include "ledger/receipt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct receipt second;
	struct ent_receipt_report first = { 0 };
	bool one = !ent_receipt_check(ent_bytes(data, size), &first, NULL);
	bool two = ent_verify_receipt((struct span){ data, size }, &second);
	ENT_ASSERT(one == two);
	ent_receipt_report_deinit(&first);
	ent_verify_receipt_free(&second);
	return 0;
}
