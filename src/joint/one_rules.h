/* One owner's groups in the clear, between one_rules.c (rules 3 to 6) and one_guard.c (rule 7). */
#ifndef ENT_JOINT_ONE_RULES_H
#define ENT_JOINT_ONE_RULES_H
#include "joint/internal.h"

struct ent_one_group {
	size_t first, end; /* in the sorted order */
	bool keep;
	bool hide[ENT_CONDS_MAX]; /* cells of aggregates under that condition are NULL: the guard */
};

struct ent_one {
	struct ent_run *r;
	const struct ent_joint_plan *p;
	const struct ent_one_rows *in;
	const struct ent_cell **order;
	struct ent_one_group *groups;
	size_t n_groups;
	int64_t *ids; /* scratch, one per row */
};

/* Distinct rows of rel (or joined rows, -1) in a group with, or without, a condition. */
size_t ent_one_count(const struct ent_one *o, const struct ent_one_group *g, int rel, unsigned cond, bool complement);
/* Compares, drops groups, hides cells, and leaves the record in the run's result. ENT_EDENIED naming the earlier job. */
int ent_one_guard(struct ent_one *o, struct ent_err *err);
#endif
