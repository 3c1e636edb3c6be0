/* Member cards.
 * fuzz-deps: ledger_dep */
#include "ledger/card.h"
#include "ledger/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ent_card c, next;
	enum ent_card_step step;
	if (!ent_card_open(ent_bytes(data, size), &c, NULL)) {
		ENT_ASSERT(ent_org_valid(c.org) && c.version >= 1);
		ENT_ASSERT(!ent_card_update(&c, ent_bytes(data, size), &step, &next, NULL) && step == ENT_CARD_SAME);
	}
	return 0;
}
