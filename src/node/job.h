/* Inside of the job machine: one struct per job, shared by proposal.c (what is asked and what we think of it), job.c (states), job_wire.c
 * (messages), job_run.c (the runner), job_verbs.c (people) and evidence.c (receipts). */
#ifndef ENT_NODE_JOB_H
#define ENT_NODE_JOB_H
#include "base/sm.h"
#include "joint/joint.h"
#include "node/catalogue.h"
#include "node/jobs.h"

#define ENT_JOB_MAP(X) \
	X(NEW, "new")           /* waits for facts it was planned on */ \
	X(APPROVAL, "approval") /* waits for people */ \
	X(QUEUED, "queued") \
	X(PROPOSED, "proposed") /* our ready is out */ \
	X(RUNNING, "running")   /* our run is durable */ \
	X(DONE, "done") \
	X(ABORTED, "aborted") \
	X(REFUSED, "refused")

enum ent_job_state {
#define ENT_JOB_ENUM(name, text) ENT_JOB_##name,
	ENT_JOB_MAP(ENT_JOB_ENUM)
#undef ENT_JOB_ENUM
		ENT_JOB_STATES
};

#define ENT_JOB_ARENA_MAX ((size_t)128 << 20)
#define ENT_JOB_BEAT_MS 2000
#define ENT_JOB_DEAD_MS 8000
#define ENT_JOB_STALL_MS 60000
#define ENT_JOB_RESEND_MS 4000
#define ENT_JOB_KEEP_MS 600000
#define ENT_JOB_EVIDENCE_MS 6000

struct ent_party {         /* another participant, or ourselves */
	const char *org;   /* lent by the job's arena */
	uint64_t heard_ms; /* last word about this job, or when we began to wait for one */
	bool answered;     /* knows the job in this attempt */
	bool ready;
	struct ent_sig sig;
	uint64_t done; /* as its beats say */
	bool has_output;
	uint8_t salt[32], commitment[32];
	json_t *early;    /* its ready, when it came before we had decided */
	json_t *evidence; /* entries with proofs, from that party */
};

struct ent_job {
	struct ent_job *next;
	struct ent_node *node;
	char id[17], hash_hex[65];
	uint8_t hash[32]; /* of the request payload */
	struct ent_sm sm;
	uint32_t attempt;
	int64_t time_ms;
	bool mine;                       /* we asked */
	bool outside;                    /* we take no part, but are asked for approval */
	struct ent_arena *arena;         /* all that was derived; NULL until then */
	struct ent_buf request, content; /* envelope; canonical proposal */
	uint8_t salt[32];
	json_t *proposal;
	uint64_t request_at; /* of the requester's log, when known */
	struct ent_catalogue catalogue;
	struct ent_query *query;
	struct ent_decision *decision;
	struct ent_joint_plan *plan;
	uint8_t decision_sha[32], plan_sha[32];
	struct ent_err refusal; /* code 0: allowed */
	struct ent_party *party;
	size_t n_party;
	struct ent_run_spec spec;
	uint8_t run_sha[32];
	bool runner_busy; /* the runner has not reported the end of our last start */
	bool runner_ok;   /* it ended well in this attempt */
	bool finish_told; /* the requester said done */
	bool opened;
	uint64_t sent_ms, ready_ms, beat_ms, progress_ms, ended_ms, facts_ms;
	uint64_t done, total;
	char phase[80];
	uint64_t seen; /* counts what a watcher may want to know */
	char format[8];
	bool color;
	struct ent_buf rows;
	uint64_t n_rows;
	uint8_t rows_salt[32], rows_commitment[32];
	bool released_none; /* the run says that it released no group */
	json_t *stats;
	struct ent_err error; /* why it ended, code 0: well */
	bool unstored;        /* the last move is not on disk */
	bool withdrawn;       /* a ready was taken back: waits for the requester's next attempt */
	uint32_t withdrawn_attempt;
	bool evidence_sent;
};

/* ---- proposal.c ---- */
struct ent_asked { /* what a person asked */
	const char *sql, *purpose;
	bool pushdown;
};
/* The canonical proposal. ENT_EPEER (a needed member is down), ENT_EDENIED (fewer than three members), ENT_ESQL ... */
int ent_proposal_make(struct ent_node *n, const struct ent_asked *asked, bool explain_only, json_t **ret, struct ent_err *err);
/* Plan and decision from the proposal alone: the same at every party. A refusal goes to job->refusal. */
int ent_proposal_derive(struct ent_node *n, struct ent_job *j, struct ent_err *err);
/* Form of a foreign proposal: participants, trio, requester. */
int ent_proposal_names(const struct ent_job *j, struct ent_err *err); /* participants alone: organisations in order, the requester among them */
int ent_proposal_check(struct ent_node *n, struct ent_job *j, struct ent_err *err);
/* What only we know, right before `ready`: revocations since, uses, until, clock, history. */
int ent_proposal_recheck(struct ent_node *n, struct ent_job *j, struct ent_err *err);
const char *ent_proposal_text(const struct ent_job *j, const char *key); /* "" when absent */
bool ent_proposal_facts_held(struct ent_node *n, const struct ent_job *j);
int ent_proposal_parties(struct ent_job *j, struct ent_err *err); /* fills party once */
/* Makes spec: own tables, guard blobs. */
int ent_proposal_spec(struct ent_node *n, struct ent_job *j, struct ent_err *err);

/* ---- job.c ---- */
struct ent_job *ent_job_find(struct ent_node *n, const char *id);
/* stored: it was checked when it came; its signer may have another key by now. */
struct ent_job *ent_job_new(struct ent_node *n, struct ent_bytes request, const uint8_t salt[32], struct ent_bytes content, bool stored,
			    struct ent_err *err);
void ent_job_free(struct ent_job *j);
void ent_job_forget(struct ent_node *n, struct ent_job *j); /* out of the list and of node.db */
void ent_job_trim(struct ent_node *n);                      /* of what ended here for others, only the last are remembered */
void ent_job_link(struct ent_node *n, struct ent_job *j);   /* into the list, by (time, id) */
struct ent_party *ent_job_party(struct ent_job *j, const char *org);
bool ent_job_ended(const struct ent_job *j);
void ent_job_move(struct ent_job *j, enum ent_job_state to);
/* Durable `request` and `decision`, then what comes next: approval, queue or refusal. */
int ent_job_enter(struct ent_node *n, struct ent_job *j, struct ent_err *err);
bool ent_job_approved(struct ent_node *n, const struct ent_job *j, const struct ent_decision_approval *a);
void ent_job_approvals(struct ent_node *n, struct ent_job *j); /* approval -> queued when all are there */
/* Ends it here and, when tell is set, at the others. */
void ent_job_abort(struct ent_node *n, struct ent_job *j, const struct ent_err *why, bool tell);
void ent_job_done(struct ent_node *n, struct ent_job *j);
void ent_job_pump(struct ent_node *n);                                              /* who is next */
void ent_job_try_run(struct ent_node *n, struct ent_job *j);                        /* all readys here? then run */
void ent_job_void_attempt(struct ent_node *n, struct ent_job *j, uint32_t attempt); /* back to the queue as that attempt */
int ent_job_store(struct ent_node *n, struct ent_job *j, struct ent_err *err);

/* ---- guards.c ---- */
/* Keeps what later questions are compared with, durable at 0; no public part: no group was released. */
int ent_guard_keep(struct ent_node *n, const struct ent_job *j, struct ent_bytes public, struct ent_bytes shares, struct ent_err *err);
/* ENT_EDENIED: an earlier answer was shown, and its record is not here. */
int ent_guard_check(struct ent_node *n, struct ent_job *j, struct ent_err *err);
int ent_guard_load(struct ent_node *n, struct ent_job *j, struct ent_err *err); /* into spec */

/* ---- job_wire.c ---- */
void ent_job_send_all(struct ent_node *n, struct ent_job *j, json_t *msg /* taken */);
void ent_job_propose(struct ent_node *n, struct ent_job *j);
/* Members that take no part are asked, when the participants are too few for the approvals wanted. */
void ent_job_consult(struct ent_node *n, struct ent_job *j);
void ent_job_send_ready(struct ent_node *n, struct ent_job *j, const char *org /* NULL: all */);
json_t *ent_job_message(const struct ent_job *j, const char *type);

/* ---- job_run.c ---- */
int ent_job_payload(struct ent_job *j, struct ent_buf *ret, struct ent_err *err); /* of `run` */
void ent_job_start(struct ent_node *n, struct ent_job *j);

/* ---- job_verbs.c ---- */
void ent_job_on_approval(struct ent_node *n, struct ent_job *j, const char *org, const json_t *msg);

/* ---- evidence.c ---- */
void ent_job_on_evidence(struct ent_node *n, struct ent_job *j, struct ent_party *p, const json_t *msg);
void ent_evidence_tick(struct ent_node *n, struct ent_job *j);
bool ent_evidence_complete(const struct ent_job *j);
int ent_receipt_make(struct ent_node *n, struct ent_job *j, struct ent_buf *ret, struct ent_err *err);
int ent_opened_make(struct ent_job *j, struct ent_buf *ret, struct ent_err *err);
#endif
