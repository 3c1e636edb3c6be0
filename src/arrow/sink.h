/* What every sink does the same: the fence between two runs of one job, and the columns that a change does not repeat. */
#ifndef ENT_ARROW_SINK_H
#define ENT_ARROW_SINK_H
#include "base/bytes.h"
#include "entente/connector.h"

#define ENT_SINK_EPOCH_PART "entente.epoch" /* the part of _entente_checkpoint that holds a job's highest epoch */

/* ENT_EAGAIN with sqlstate ENT_SINK_OVERTAKEN. there: the epoch in the target, 0 when it is not known. */
int ent_sink_overtaken(uint64_t there, uint64_t mine, struct ent_err *err);
/* Whether a failure says that another run took over: no time mends it. */
bool ent_sink_is_overtaken(const struct ent_err *err);
#define ENT_SINK_KEYS_MAX 64
struct ent_sink_keys { /* the columns that name a row; names point into text or are the target's */
	char text[8192];
	const char *names[ENT_SINK_KEYS_MAX];
	size_t n;
};
/* Those the target names, else the first key of the source (ENT_META_KEYS); n is 0 when there is none. ENT_EUSAGE: a column that is not copied, or
 * too many. */
int ent_sink_keys_take(const struct ent_target *target, struct ent_sink_keys *ret, struct ent_err *err);

/* Whether name stands in the tab-separated names of "entente.unchanged". */
bool ent_sink_listed(struct ent_bytes names, const char *name);
#endif
