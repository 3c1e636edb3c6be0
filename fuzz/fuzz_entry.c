/* Signed envelopes and entries: what is accepted is its own canonical form.
 * fuzz-deps: ledger_dep */
#include "ledger/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ent_entry e;
	struct ent_dsse d;
	if (!ent_entry_open(ent_bytes(data, size), &e, NULL)) {
		struct ent_buf again = ENT_BUF(ENT_DSSE_BYTES_MAX);
		ENT_ASSERT(!ent_dsse_join(e.dsse.type, ent_buf_bytes(&e.dsse.payload), e.dsse.sigs, e.dsse.sig_count, &again, NULL));
		ENT_ASSERT(ent_bytes_eq(ent_buf_bytes(&again), ent_bytes(data, size)));
		ent_buf_deinit(&again);
		ent_entry_deinit(&e);
	}
	if (!ent_dsse_open(ent_bytes(data, size), &d, NULL))
		ent_dsse_deinit(&d);
	return 0;
}
