/* One joint query: from the bound query to a physical plan, its explanation, and its run at each participant.
 *
 * Planning is a pure function of public inputs, so every party derives the same plan and the same hash. The run sees the world only through
 * struct ent_joint_env: links, pool, randomness, the owner's own SQL, and hooks at the two places where the ledger must be asked first.
 * README.md tells the pipeline; engine.md and policy.md (rules 3 to 7) are the contract. */
#ifndef ENT_JOINT_JOINT_H
#define ENT_JOINT_JOINT_H
#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/link.h"
#include "base/pool.h"
#include "entente/arrow.h"
#include "entente/connector.h"
#include "policy/policy.h"

#define ENT_JOINT_PLAN_VERSION 1

/* ---- planning ---- */

struct ent_joint_inputs {
	const struct ent_query *query;
	/* Of this very query (its nodes are looked up by address): what every rule of policy.md from 3 to 7 holds the answer to. Joint derives none
	 * of it again, and refuses what the decision does not speak of. */
	const struct ent_decision *decision;
	const char *trio[3]; /* compute parties P1, P2, P3; distinct organisations */
	const char *requester;
	uint32_t rtt_us;          /* round trip between compute parties */
	uint64_t bandwidth_bytes; /* per second and party */
	bool pushdown;            /* false: filters and expressions of one owner run in MPC as well where it can (--no-pushdown) */
};

struct ent_joint_plan; /* lives in the arena it was made in, immutable */

/* ENT_EUNSUPPORTED (by name, with the nearest supported form; sum that could overflow; no side of a join unique: table and columns named),
 * ENT_EDENIED (no aggregate over a protected table). */
int ent_joint_plan(struct ent_arena *arena, const struct ent_joint_inputs *in, struct ent_joint_plan **ret, struct ent_err *err);
/* Canonical JSON (new reference): equal inputs give equal bytes; its SHA-256 is the plan hash. */
int ent_joint_plan_json(const struct ent_joint_plan *plan, json_t **ret, struct ent_err *err);

struct ent_joint_cost {
	uint64_t rounds;             /* mean */
	double rounds_sd;            /* only the quicksort's depth varies */
	double bytes_mean, bytes_sd; /* sent per compute party; only the quicksort has a deviation */
	double seconds;              /* from rtt and bandwidth, without computation */
};
struct ent_joint_cost ent_joint_plan_cost(const struct ent_joint_plan *plan);
/* Operators with place, leak, fixed openings, rounds, bytes per party (mean +- 4 sd): as text and as JSON. */
int ent_joint_explain(const struct ent_joint_plan *plan, struct ent_buf *text, struct ent_err *err);
int ent_joint_explain_json(const struct ent_joint_plan *plan, json_t **ret, struct ent_err *err);
/* True when one owner answers alone in its own engine: participants are that owner and the requester, no MPC. */
bool ent_joint_plan_one_owner(const struct ent_joint_plan *plan, const char **ret_owner);
/* Every organisation that takes part: trio, owners, requester, each once, sorted by name. */
size_t ent_joint_plan_participants(const struct ent_joint_plan *plan, const char *const **ret);

/* ---- running ---- */

/* How one owner's tables are reached: filled by the node for the tables of one statement. */
struct ent_joint_source {
	enum ent_dialect dialect;
	const char *const *relations; /* text for FROM, one per table asked for; lent until the next call */
};

/* Opaque memory of the differencing guard (rule 7): one per answered job and protected table, kept by each compute party. */
struct ent_joint_guard_blob {
	const char *job;              /* name of the earlier job, for the refusal */
	struct ent_bytes public_json; /* what stands in the shares: ent_joint_result.guard_public of that job */
	struct ent_bytes shares;      /* ent_joint_result.guard_shares of that job at this party */
};

struct ent_joint_env {
	void *self;
	const char *org; /* who we are */
	uint8_t job_id[8];
	uint32_t attempt;
	struct ent_pool *pool; /* NULL = one worker */
	size_t memory_max;     /* bytes for rows in this run; 0 = 600 MiB */
	/* Lent link to another participant, opened on first use; name is "mpc", "rows", "labels", "keys", "guard" or "output", the same at both ends.
	 */
	int (*link)(void *self, const char *org, const char *name, struct ent_link **ret, struct ent_err *err);
	struct ent_random *random;
	/* Owners: where these tables (all ours) are, then one statement over them. The stream is ours to release. */
	int (*source)(void *self, const struct ent_table *const *tables, size_t n_tables, struct ent_joint_source *ret, struct ent_err *err);
	int (*local)(void *self, const struct ent_table *const *tables, size_t n_tables, const char *sql, const struct ent_param *params,
		     size_t n_params, struct ArrowArrayStream *ret, struct ent_err *err);
	/* Before anything opens: the ledger entry `open` must be durable when it returns 0. May be NULL. */
	int (*before_open)(void *self, struct ent_err *err);
	/* Compute parties (one owner: the owner) with something to compare later: guard_public and guard_shares of the result must be durable when it
	 * returns 0, and no party's output leaves before all have returned. Both empty: no group is released. May be NULL. */
	int (*keep_guard)(void *self, struct ent_bytes public_json, struct ent_bytes shares, struct ent_err *err);
	/* Before our part of the output leaves for the requester; its SHA-256 must be durable when it returns 0. May be NULL. */
	int (*before_output)(void *self, struct ent_bytes component, struct ent_err *err);
	void (*progress)(void *self, uint64_t done, uint64_t total, const char *text); /* may be NULL; bytes sent so far against the mean */
	bool (*cancelled)(void *self);                                                 /* may be NULL */
	/* Earlier jobs of this requester that the decision names and of which a record is here, in any order. One without a record released nothing
	 * or showed nothing as far as this party knows; the parties agree about that before they compare. */
	const struct ent_joint_guard_blob *guard;
	size_t n_guard;
};

struct ent_joint_stats {
	uint64_t rounds, bytes_sent;                /* of this compute party; zero at others */
	uint64_t rounds_predicted, bytes_predicted; /* recomputed from the opened comparison outcomes: equal to the line above */
	uint64_t bytes_mean, bytes_sd;              /* what EXPLAIN said */
	uint64_t groups_released;
};

struct ent_joint_result {
	bool has_rows;             /* at the requester */
	struct ArrowSchema schema; /* a struct whose children are the shown columns; ours to release */
	struct ArrowArray batch;
	uint8_t output_sha256[32]; /* of the component this participant sent (zero when none) */
	struct ent_joint_stats stats;
	struct ent_buf guard_public, guard_shares; /* at compute parties when the plan has protected tables; empty otherwise */
};
void ent_joint_result_deinit(struct ent_joint_result *r); /* zeroed is fine */

/* Runs our part to the end. Every participant calls it with an equal plan. ENT_EDATA (value beyond its bound, table outgrew pad(T), key not
 * unique: before any share leaves), ENT_EDENIED (guard), ENT_ECANCELLED, ENT_EPEER, ENT_EIO ... After a failure all memory is freed and no
 * further byte leaves. No group released is success with zero rows. */
int ent_joint_run(const struct ent_joint_plan *plan, const struct ent_joint_env *env, struct ent_joint_result *ret, struct ent_err *err);
#endif
