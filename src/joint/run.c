/* The run at each participant, and the dry pass over the same code that yields cost and EXPLAIN. */
#include <math.h>
#include <stdlib.h>

#include "arrow/own.h"
#include "crypto/hash.h"
#include "crypto/secret.h"
#include "joint/internal.h"

void ent_joint_result_deinit(struct ent_joint_result *r)
{
	ent_schema_release(&r->schema);
	ent_array_release(&r->batch);
	ent_buf_deinit(&r->guard_public);
	ent_buf_deinit(&r->guard_shares);
	memset(r, 0, sizeof *r);
}

static void run_deinit(struct ent_run *r)
{
	for (size_t i = 0; r->label_tables && i < ENT_LEAVES_MAX; i++)
		ent_frame_deinit(&r->label_tables[i]);
	for (size_t i = 0; i < ENT_COUNT(r->totals); i++)
		ent_bits_deinit(&r->totals[i]);
	ent_bits_deinit(&r->dropped);
	for (size_t i = 0; i < ENT_COUNT(r->anti); i++)
		ent_bits_deinit(&r->anti[i]);
	for (size_t i = 0; r->locals && i < r->p->n_sources; i++)
		ent_local_deinit(&r->locals[i]);
	for (size_t i = 0; i < ENT_SOURCES_MAX; i++)
		ent_buf_deinit(&r->sealed[i]);
	ent_mpc_free(r->mpc);
	r->mpc = NULL;
	ent_wipe(r->hash_key, sizeof r->hash_key);
}

/* ---- the three-party part ---- */

static int join_all(struct ent_run *r, struct ent_frame *f, struct ent_err *err)
{
	ENT_TRY(ent_joint_load(r, 0, f, err));
	for (size_t i = 0; i < r->p->n_joins; i++) {
		struct ent_frame *rel = ENT_NEW(r->arena, struct ent_frame);
		if (!rel)
			return ent_nomem(err);
		int code = ent_joint_load(r, r->p->joins[i].rel, rel, err);
		code = code ? code : ent_joint_join(r, &r->p->joins[i], f, rel, err);
		ent_frame_deinit(rel);
		ENT_TRY(code);
	}
	return 0;
}

static int keep_valid(struct ent_run *r, struct ent_frame *f, struct ent_err *err)
{
	static const struct ent_why rows = { "number of result rows", ENT_PERMIT_FIXED };
	ent_frame_drop_range(f, ENT_PART_VALID + 1, ENT_PART_LABEL(0));
	ENT_TRY(ent_frame_filter(&r->x, f, ENT_PART_VALID, SIZE_MAX, rows, err));
	return ent_sx_step(&r->x, "mpc", rows.what, f->rows, err, "keep valid rows only");
}

int ent_joint_mpc(struct ent_run *r, struct ent_err *err)
{
	struct ent_frame *f = ENT_NEW(r->arena, struct ent_frame);
	if (!f)
		return ent_nomem(err);
	int code = join_all(r, f, err);
	code = code ? code : ent_joint_project(r, f, err);
	code = code ? code : r->p->query->aggregate ? ent_joint_group(r, f, err) : keep_valid(r, f, err);
	code = code ? code : ent_joint_output(r, f, err);
	ent_frame_deinit(f);
	return code;
}

/* ---- dry ---- */

int ent_joint_dry(struct ent_joint_plan *p, struct ent_err *err)
{
	struct ent_run *r = ENT_NEW(p->arena, struct ent_run);
	struct ent_frame *tables = ENT_NEWS(p->arena, ENT_LEAVES_MAX, struct ent_frame);
	p->open = ENT_NEW(p->arena, struct ent_frame_layout);
	p->steps = ENT_NEWS(p->arena, ENT_STEPS_MAX, struct ent_step);
	if (!r || !tables || !p->open || !p->steps)
		return ent_nomem(err);
	*r = (struct ent_run){ .p = p, .arena = p->arena, .party = -1, .label_tables = tables, .ret_open = p->open };
	r->x.arena = p->arena;
	r->x.steps = p->steps;
	ENT_TRY(ent_joint_mpc(r, err));
	p->n_steps = r->x.n_steps;
	const struct ent_cost *c = &r->x.cost;
	p->cost.rounds = c->rounds;
	p->cost.rounds_sd = sqrt(c->rounds_var);
	p->cost.bytes_mean = (double)(c->bytes[0] + c->bytes[1] + c->bytes[2]) / 3;
	p->cost.bytes_sd = sqrt(c->bytes_var);
	p->cost.seconds = (double)c->rounds * p->in.rtt_us / 2e6;
	if (p->in.bandwidth_bytes)
		p->cost.seconds += p->cost.bytes_mean / (double)p->in.bandwidth_bytes;
	return 0;
}

/* ---- live ---- */

static int on_opening(void *arg, const struct ent_mpc_opening *o, struct ent_err *err)
{
	struct ent_run *r = arg;
	if (r->opened || o->permit == ENT_PERMIT_RANDOM)
		return 0;
	r->opened = true;
	return r->env->before_open ? r->env->before_open(r->env->self, err) : 0;
}

static void on_round(void *arg, uint64_t rounds)
{
	struct ent_run *r = arg;
	if (r->env->cancelled && r->env->cancelled(r->env->self))
		ent_mpc_cancel(r->mpc);
	if (r->env->progress && rounds % 16 == 0)
		r->env->progress(r->env->self, ent_mpc_counters(r->mpc).bytes_sent, (uint64_t)r->p->cost.bytes_mean, "computing on shares");
}

static int check_cancel(void *arg, struct ent_err *err)
{
	struct ent_run *r = arg;
	return r->env->cancelled && r->env->cancelled(r->env->self) ? ent_fail(err, ENT_ECANCELLED, "the job was cancelled") : 0;
}

static int start_mpc(struct ent_run *r, struct ent_err *err)
{
	const struct ent_joint_env *env = r->env;
	char job[17];
	const char *trio = ent_arena_printf(r->arena, "%s,%s,%s", r->p->in.trio[0], r->p->in.trio[1], r->p->in.trio[2]);
	ent_hex(job, env->job_id, 8);
	struct ent_mpc_options o = { .party = r->party,
				     .pool = env->pool,
				     .random = env->random,
				     .memory_max_bytes = env->memory_max ? env->memory_max : (size_t)600 << 20,
				     .job = job,
				     .trio = trio,
				     .attempt = env->attempt,
				     .opening = on_opening,
				     .progress = on_round,
				     .arg = r };
	ENT_TRY(env->link(env->self, r->p->in.trio[(r->party + 1) % 3], "mpc", &o.next, err));
	ENT_TRY(env->link(env->self, r->p->in.trio[(r->party + 2) % 3], "mpc", &o.prev, err));
	ENT_TRY(ent_mpc_new(&o, &r->mpc, err));
	r->x.m = r->mpc;
	return 0;
}

static void fill_stats(struct ent_run *r)
{
	struct ent_mpc_counters c = ent_mpc_counters(r->mpc);
	struct ent_joint_stats *s = &r->result->stats;
	s->rounds = c.rounds;
	s->bytes_sent = c.bytes_sent;
	s->rounds_predicted = r->x.cost.rounds;
	s->bytes_predicted = r->x.cost.bytes[r->party];
	s->bytes_mean = (uint64_t)r->p->cost.bytes_mean;
	s->bytes_sd = (uint64_t)r->p->cost.bytes_sd;
}

static int run_locals(struct ent_run *r, struct ent_err *err)
{
	for (size_t i = 0; i < r->p->n_sources; i++)
		if (!strcmp(r->p->sources[i].table->org, r->env->org))
			ENT_TRY(ent_joint_local(r, i, &r->locals[i], err));
	return 0;
}

static int send_outside(struct ent_run *r, struct ent_err *err)
{
	struct ent_link *links[3] = { 0 };
	for (size_t i = 0; i < r->p->n_sources; i++) {
		if (r->p->sources[i].party >= 0 || strcmp(r->p->sources[i].table->org, r->env->org) != 0)
			continue;
		for (int k = 0; k < 3 && !links[2]; k++)
			ENT_TRY(r->env->link(r->env->self, r->p->in.trio[k], "rows", &links[k], err));
		ENT_TRY(ent_joint_send_outside(r, i, links, err));
	}
	return 0;
}

/* Owners whose texts or key tuples are hashed, by name; each once. */
static size_t hashing_owners(const struct ent_joint_plan *p, const char *ret[ENT_SOURCES_MAX])
{
	size_t n = 0;
	for (size_t i = 0; i < p->n_participants; i++) /* sorted */
		for (size_t s = 0; s < p->n_sources; s++) {
			bool hashes = false;
			for (size_t l = 0; l < p->n_leaves; l++)
				hashes = hashes || (p->leaves[l].rel == p->sources[s].rel &&
						    (p->leaves[l].enc.kind == ENT_ENC_HASH ||
						     (p->leaves[l].enc.kind == ENT_ENC_CODE && p->leaves[l].enc.bits == 64)));
			if (hashes && !strcmp(p->sources[s].table->org, p->participants[i])) {
				ret[n++] = p->participants[i];
				break;
			}
		}
	return n;
}

/* SipHash of texts of several owners runs under a key that only these owners know, new in every attempt: the first of them draws it and tells the
 * others. A compute party that owns none of the texts cannot try words from a list against what it sees. */
static int agree_hash_key(struct ent_run *r, struct ent_err *err)
{
	const struct ent_joint_env *env = r->env;
	const char *owners[ENT_SOURCES_MAX];
	struct ent_link *link;
	size_t n = hashing_owners(r->p, owners), me = 0;
	while (me < n && strcmp(owners[me], env->org) != 0)
		me++;
	if (me == n)
		return 0;
#ifdef ENT_MUTANT_HASH_KEY_KNOWN
	return 0;
#endif
	if (me) {
		ENT_TRY(env->link(env->self, owners[0], "keys", &link, err));
		return link->ops->recv(link, r->hash_key, sizeof r->hash_key, err);
	}
	ENT_TRY(env->random->fill(env->random, r->hash_key, sizeof r->hash_key, err));
	for (size_t i = 1; i < n; i++) {
		ENT_TRY(env->link(env->self, owners[i], "keys", &link, err));
		ENT_TRY(link->ops->send(link, r->hash_key, sizeof r->hash_key, err));
	}
	return 0;
}

static int run_joint(struct ent_run *r, struct ent_err *err)
{
	const struct ent_joint_env *env = r->env;
	ENT_TRY(agree_hash_key(r, err));
	ENT_TRY(run_locals(r, err));
	ENT_TRY(ent_joint_labels_send(r, err));
	ENT_TRY(send_outside(r, err));
	bool requester = !strcmp(r->p->in.requester, env->org);
	if (requester)
		ENT_TRY(ent_joint_labels_receive(r, err));
	if (r->party < 0)
		return requester ? ent_joint_receive(r, err) : 0;
	ENT_TRY(start_mpc(r, err));
	ENT_TRY(ent_joint_mpc(r, err));
	fill_stats(r);
	return 0;
}

int ent_joint_run(const struct ent_joint_plan *plan, const struct ent_joint_env *env, struct ent_joint_result *ret, struct ent_err *err)
{
	struct ent_joint_result result = { 0 };
	ENT_CLEANUP(ent_arena_freep) struct ent_arena *arena = ent_arena_new((size_t)1 << 30);
	if (!arena)
		return ent_nomem(err);
	ENT_CLEANUP(run_deinit) struct ent_run r = { .p = plan, .env = env, .arena = arena, .party = -1, .result = &result };
	r.x.arena = arena;
	r.x.check = check_cancel;
	r.x.arg = &r;
	r.label_tables = ENT_NEWS(arena, ENT_LEAVES_MAX, struct ent_frame);
	r.locals = ENT_NEWS(arena, plan->n_sources + 1, struct ent_local);
	if (!r.label_tables || !r.locals)
		return ent_nomem(err);
	for (int i = 0; i < 3 && !plan->one_owner; i++)
		if (!strcmp(plan->in.trio[i], env->org))
			r.party = i;
	int code = plan->one_owner ? ent_joint_run_one(&r, err) : run_joint(&r, err);
	if (code)
		ent_joint_result_deinit(&result);
	else
		*ret = result;
	return code;
}
