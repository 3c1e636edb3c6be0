/* A planner for builds without src/joint: a plan that says nothing but who asked what, equal at every party. */
#include "joint/joint.h"

struct ent_joint_plan {
	const char *requester;
	const char *trio[3];
};

int ent_joint_plan(struct ent_arena *arena, const struct ent_joint_inputs *in, struct ent_joint_plan **ret, struct ent_err *err)
{
	struct ent_joint_plan *p = ENT_NEW(arena, struct ent_joint_plan);
	if (!p)
		return ent_nomem(err);
	*p = (struct ent_joint_plan){ in->requester, { in->trio[0], in->trio[1], in->trio[2] } };
	*ret = p;
	return 0;
}

int ent_joint_plan_json(const struct ent_joint_plan *plan, json_t **ret, struct ent_err *err)
{
	*ret = json_pack("{s:s,s:[s*,s*,s*]}", "requester", plan->requester, "trio", plan->trio[0], plan->trio[1], plan->trio[2]);
	return *ret ? 0 : ent_nomem(err);
}

int ent_joint_explain(const struct ent_joint_plan *plan, struct ent_buf *text, struct ent_err *err)
{
	ent_buf_str(text, plan->requester);
	return ent_buf_check(text, err);
}

int ent_joint_explain_json(const struct ent_joint_plan *plan, json_t **ret, struct ent_err *err) { return ent_joint_plan_json(plan, ret, err); }
