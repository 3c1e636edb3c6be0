/* Participants of a joint query as threads over in-memory links, each owner with its own DuckDB session; and an oracle session with all tables. */
#ifndef ENT_TEST_JOINT_KIT_H
#define ENT_TEST_JOINT_KIT_H
#include "arrow/stream.h"
#include "arrow/write.h"
#include "entente/engine.h"
#include "joint/joint.h"

#define JK_TABLES_MAX 8
#define JK_ORGS_MAX 6

struct jk_limit { /* what the decision is made to say of a table */
	const char *org, *name;
	bool is_protected;
	uint32_t k;
};

struct jk {
	const struct ent_engine *engine;
	const struct ent_connector *files;
	struct ent_table tables[JK_TABLES_MAX];
	struct jk_limit limits[JK_TABLES_MAX];
	size_t n_tables;
	const char *orgs[JK_ORGS_MAX];
	size_t n_orgs;
	struct ent_session *sessions[JK_ORGS_MAX], *oracle;
	struct ent_arena *arena;
	const char *trio[3], *requester;
	bool pushdown;
	bool verbose;
	uint64_t seconds_us;             /* of the last run */
	struct ent_joint_stats stats[3]; /* of the last run, per compute party */
	struct ent_joint_cost cost;
	uint8_t traffic_sha256[3][32]; /* lengths of all messages sent, per compute party */
	uint64_t messages[3];
	/* the differencing guard: what the last run left at each compute party, and what the next run is compared with */
	struct ent_buf guard_public[3], guard_shares[3];
	const struct ent_joint_guard_blob *guard[3];
	size_t n_guard;
	unsigned lacks;         /* compute parties (bits) that have no record of the earlier jobs */
	const char *keep_fails; /* the organisation whose node cannot keep its record */
	unsigned keyed;         /* compute parties (bits) that had to do with the key of the owners' hashes in the last run */
	unsigned kept, output;  /* compute parties (bits) that kept their record in the last run, and that were about to send output */
	const struct ent_policy_job *history;
	size_t n_history;
	bool one_owner; /* the questions need no compute parties: the policy is told so */
	bool no_guards; /* the decision asks for no comparison, not even among its own aggregates */
};

int jk_open(struct jk *k, const char *module, struct ent_err *err);
void jk_close(struct jk *k); /* also after a failed jk_open; figures of the last run stay */
/* rows_sql: a SELECT that yields the rows, run in DuckDB. Adds the table to its owner's session and to the oracle as org_name. */
int jk_table(struct jk *k, struct ent_table t, uint32_t min_group, bool is_protected, const char *rows_sql, struct ent_err *err);
/* The same from a file that the DuckDB connector reads. */
int jk_file(struct jk *k, struct ent_table t, uint32_t min_group, bool is_protected, const char *path, struct ent_err *err);
/* What the policy says under grants that allow everything, with protection and k as in limits. */
int jk_decide(struct jk *k, struct ent_arena *arena, const char *sql, struct ent_decision **ret, struct ent_query **ret_query, struct ent_err *err);
int jk_plan(struct jk *k, struct ent_arena *arena, const char *sql, struct ent_joint_plan **ret, struct ent_err *err);
/* Runs at every participant; out receives the requester's rows as CSV. err: the first real failure. */
int jk_query(struct jk *k, const char *sql, struct ent_buf *out, struct ent_err *err);
/* SQL over the pooled tables as CSV. */
int jk_oracle(struct jk *k, const char *sql, struct ent_buf *out, struct ent_err *err);
#endif
