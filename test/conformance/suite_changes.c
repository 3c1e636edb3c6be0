/* Changes: followed at the source, applied to the target, resumed from a cursor, lost loudly. */
#include <stdlib.h>

#include "copy_kit.h"

void suite_changes_run(const struct suite_copy *s)
{
	if (!s->change_table || !(s->connector->capabilities & (ENT_CAP_CDC | ENT_CAP_POLL))) {
		tap_skip("changes", "the store has none, or its test does not make any");
		return;
	}
}
