/* Between group.c (order, sums) and suppress.c (which groups and cells may leave). */
#ifndef ENT_JOINT_GROUP_H
#define ENT_JOINT_GROUP_H
#include "joint/internal.h"

#define ENT_INVALID ENT_PART_TEMP(0)
#define ENT_KEEP ENT_PART_TEMP(1)  /* on the last row of a group that stays */
#define ENT_FIRST ENT_PART_TEMP(2) /* first row of a group */
#define ENT_LAST ENT_PART_TEMP(3)  /* last valid row of a group */
#define ENT_STAYS ENT_PART_TEMP(4) /* every row of a group that stays */

struct ent_rings_auto {
	struct ent_ring at[ENT_FLAGS_MAX];
	size_t n;
};
void ent_rings_deinit(struct ent_rings_auto **all);

int ent_group_and(struct ent_run *r, struct ent_frame *f, unsigned part, const struct ent_bits *with, struct ent_err *err);
/* Planes of f as numbers, packed into words of 64 / count_bits counts: word i/per_word, field i%per_word. */
int ent_group_counts(struct ent_run *r, const struct ent_frame *f, const unsigned *parts, size_t n, struct ent_ring *ret, size_t *ret_words,
		     struct ent_err *err);
/* Rule 5, anti-join: matched joined rows hold k rows of rel or more; kept in the run until the groups are tested. */
int ent_group_anti(struct ent_run *r, struct ent_frame *f, size_t rel, const struct ent_bits *matched, struct ent_err *err);
/* Rules 3 and 5: sets ENT_KEEP and ENT_STAYS from the flags. */
int ent_group_keep(struct ent_run *r, struct ent_frame *f, struct ent_err *err);
/* Rule 6: one row, one plane: the union of dropped groups holds 1 to k-1 rows of a protected table. No planes when nothing is protected. */
int ent_group_remainder(struct ent_run *r, struct ent_frame *f, struct ent_bits *ret_bad, struct ent_err *err);
int ent_group_any(struct ent_run *r, const struct ent_bits *rows, struct ent_bits *ret, struct ent_err *err);
/* Rule 6's drop, then the released groups alone, rule 4's cells; leaves in f what opens (see output.c). */
int ent_group_release(struct ent_run *r, struct ent_frame *f, struct ent_rows *rows, const struct ent_frame_layout *l, struct ent_bits *bad,
		      struct ent_err *err);
#endif
