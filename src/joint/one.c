/* A query over one owner's tables runs wholly in that owner's engine. */
#include "joint/internal.h"

int ent_joint_plan_one(struct ent_joint_plan *p, struct ent_err *err)
{
	(void)p;
	return ent_fail(err, ENT_EUNSUPPORTED, "one owner");
}

int ent_joint_run_one(struct ent_run *r, struct ent_err *err)
{
	(void)r;
	return ent_fail(err, ENT_EUNSUPPORTED, "one owner");
}
