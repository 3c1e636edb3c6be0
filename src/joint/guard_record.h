/* What a job leaves for the differencing guard at one compute party, as shares in memory: this job's own and those of earlier jobs.
 *
 * As bytes: public JSON (how many groups were released, how wide labels and counts are, what each selection of the decision counts) and shares
 * (dropped bit; label codes; per selection and relation the total and the count in each released group). Selections stand in the order of the
 * decision's, so the decision of a later job can speak of them by number. Released groups are as many as opened: sizes are public already. */
#ifndef ENT_JOINT_GUARD_RECORD_H
#define ENT_JOINT_GUARD_RECORD_H
#include "joint/internal.h"

struct ent_guard_count {
	uint32_t selection;
	bool derived; /* groups of a subquery, not rows */
	struct ent_bits total, counts;
};

struct ent_guard_record {
	const char *job;
	bool grouped;
	size_t rows;
	unsigned label_planes, count_bits;
	struct ent_bits dropped, labels;
	struct ent_bits same; /* rows of this job times rows of that one: equal labels; made when first asked for */
	struct ent_guard_count at[ENT_SEEN_MAX];
	size_t n;
};
void ent_guard_record_deinit(struct ent_guard_record *c);

/* Label codes of released groups, GROUP BY keys in the order of the decision (group_order), so that equal labels of two jobs have equal planes. */
int ent_guard_labels(struct ent_run *r, const struct ent_frame *f, struct ent_bits *ret, struct ent_err *err);
/* This job's own: shares are views into the run and the frame. */
void ent_guard_record_view(const struct ent_run *r, const struct ent_frame *f, const struct ent_bits *labels, struct ent_guard_record *ret);
/* Into the result, for the node to keep. */
int ent_guard_record_put(struct ent_run *r, const struct ent_guard_record *c, struct ent_err *err);
/* The parties tell each other of which earlier jobs they have a record; ret_kept: all have the same. A party keeps its record before any output
 * leaves anybody, so what one party other than the requester does not have was not shown. ENT_EDENIED: only the requester has none, or they differ.
 */
int ent_guard_agree(struct ent_run *r, const char *const *jobs, const struct ent_joint_guard_blob *const *blobs, size_t n, bool *ret_kept,
		    struct ent_err *err);
/* Keeps this job's record at all three parties, the requester's first; nobody goes on before all have. */
int ent_guard_keep_all(struct ent_run *r, struct ent_err *err);
/* ENT_EDATA: damaged, or of another version. */
int ent_guard_record_get(struct ent_run *r, const struct ent_joint_guard_blob *blob, struct ent_guard_record *ret, struct ent_err *err);
#endif
