/* Whole nodes in one thread on simulated disk, network and clock: everything that happens follows from one seed.
 *
 * A world has nodes, links between them and a heap of events. The node core is the product's own; what lies behind its vtables is here.
 * What the world sees on the way (checkpoints, ready messages, acknowledgements) is handed to check.c, which knows what must never be. */
#ifndef ENT_TEST_SIM_WORLD_H
#define ENT_TEST_SIM_WORLD_H
#include <stdio.h>
#include <stdlib.h>

#include "ledger/card.h"
#include "ledger/entry.h"
#include "ledger/note.h"
#include "node/node.h"
#include "support/simfs.h"

#define SIM_NODES_MAX 5
#define SIM_ROWS_MAX 40
#define SIM_ROTATIONS_MAX 3 /* of one node's keys */
#define SIM_SLOTS 6         /* grants that each owner gives and takes back */
#define SIM_EPOCH_MS 1795253400000

struct sim_world;

struct sim_event {
	uint64_t at, seq;
	const char *name;
	void (*fire)(struct sim_world *w, struct sim_event *e);
	int node, peer; /* -1: nobody's */
	uint64_t life;  /* of node; the event is void in another one. 0: any */
	uint64_t a, b;
	char text[200];
};

struct sim_gate { /* the disk as one life of a node sees it: nothing it does after its end counts */
	struct ent_fs fs;
	struct ent_fs *under;
	bool dead;
};

struct sim_node {
	struct ent_clock clock; /* faces of the vtables: each begins one of these structs */
	struct sim_world *w;
	int index;
	struct sim_face {
		union {
			struct ent_random random;
			struct ent_mesh mesh;
			struct ent_http http;
			struct ent_runner runner;
		};
		struct sim_node *node;
	} random, mesh, http, runner;
	struct ent_log_sink log;
	char org[ENT_ORG_MAX + 1];
	struct ent_fs *disk;
	struct sim_gate *gate;
	struct ent_node *node; /* NULL: down */
	uint64_t life;         /* counts from 1 */
	uint64_t dice;         /* state of its random numbers */
	int64_t skew_ms;
	uint64_t mono_base, tick_at, busy_until, sync_ms, syncs;
	bool armed; /* the power goes off in the middle of its writes */
	uint64_t off_at;
	bool crash_lost_power;
	bool compute_only, pinned[SIM_NODES_MAX];
	struct ent_buf card_text;
	struct ent_card card;
	uint8_t past_tls[SIM_ROTATIONS_MAX][32]; /* of earlier cards */
	size_t n_past;
	uint8_t pinned_tls[SIM_NODES_MAX][32];
	bool full; /* no room on its disk: writes fail, nothing is promised but that nothing is lost */
	uint64_t down_since;
};

struct sim_message {
	struct sim_message *next;
	struct ent_buf bytes;
};

struct sim_way { /* one direction of a link */
	struct sim_message *first, **end;
	uint64_t last_at;
	struct ent_buf old[4]; /* lately delivered, for replays */
	unsigned n_old;
};

struct sim_link {            /* between nodes i < j; ways[0]: i to j */
	uint64_t session;    /* of the live connection; 0: none */
	bool cut;            /* nothing passes; what was sent waits until it heals or the connection breaks */
	uint64_t lost_since; /* when the connection or the passage was lost last; 0: both are there */
	uint64_t told[2];    /* the session each end believes in; 0: none */
	uint64_t news_at[2];
	struct sim_way ways[2];
};

struct sim_call { /* one HTTP request under way */
	struct sim_call *next;
	uint64_t id, life;
	struct sim_node *from;
	int target;
	char path[80];
	bool get;
	struct ent_buf body, answer;
	int status;
	uint64_t timeout_at;
	void (*done)(void *arg, const struct ent_http_answer *answer, const struct ent_err *err);
	void *arg;
};

struct sim_counts {
	uint64_t events, queries, done, failed, crashes, entries, acked, cosigned, forged, rotated;
};

struct sim_world {
	uint64_t seed, dice, now, next_seq, next_session, next_call, trace;
	struct sim_event **heap;
	size_t n_heap, cap_heap;
	int n;
	struct sim_node nodes[SIM_NODES_MAX];
	struct sim_link links[SIM_NODES_MAX][SIM_NODES_MAX]; /* [i][j] with i < j */
	struct sim_call *calls;
	struct sim_client *clients; /* requests not answered yet */
	struct sim_job *jobs;
	struct sim_run *runs;
	struct sim_checks *checks;
	struct sim_tables *tables;
	unsigned delay_ms;              /* mean of a message */
	bool wild, disks_failed, last;  /* last: questions asked now must be answered */
	bool adversary, verbose, quiet; /* quiet: no more mischief, the world heals */
	bool failed;
	char why[600];
	struct sim_counts counts;
};

/* ---- world.c ---- */
struct sim_world *sim_new(uint64_t seed, bool verbose);
void sim_free(struct sim_world *w);
uint64_t sim_draw(struct sim_world *w, uint64_t below);
bool sim_chance(struct sim_world *w, unsigned percent);
struct sim_event *sim_at(struct sim_world *w, uint64_t delay_ms, const char *name, void (*fire)(struct sim_world *, struct sim_event *));
struct sim_event *sim_at_node(struct sim_node *s, uint64_t delay_ms, const char *name, void (*fire)(struct sim_world *, struct sim_event *));
void sim_run_until(struct sim_world *w, uint64_t at);
void sim_say(struct sim_world *w, const char *fmt, ...) ENT_PRINTF(2, 3);
void sim_fail(struct sim_world *w, const char *fmt, ...) ENT_PRINTF(2, 3); /* the first one counts */
void sim_trace(struct sim_world *w, const void *data, size_t len);
static inline bool sim_up(const struct sim_node *s) { return s->node != NULL; }
struct sim_node *sim_by_org(struct sim_world *w, const char *org);

/* ---- life.c: a node is made, opened, crashed ---- */
bool sim_node_init(struct sim_node *s);
bool sim_node_open(struct sim_node *s);
bool sim_dead(const struct sim_node *s); /* its power went off in the middle of this event: what it says is not heard */
void sim_crash(struct sim_node *s, bool power);
void sim_stop(struct sim_node *s);   /* in good order */
void sim_rotate(struct sim_node *s); /* stops; new keys, with the power perhaps gone in the middle; comes back */
void sim_restart_later(struct sim_node *s, uint64_t delay_ms);
void sim_after_event(struct sim_node *s);

/* ---- memory.c ---- */
/* The nth allocation from now on fails; 0: none, as long as the simulator itself uses the product. Returns what was left before. */
uint64_t sim_memory_short(uint64_t nth);
uint64_t sim_memory_failures(void); /* so far */

/* ---- signatures.c ---- */
void sim_signatures_forget(void);

/* ---- net.c ---- */
extern const struct ent_mesh_ops sim_mesh_ops;
struct sim_link *sim_link(struct sim_world *w, int a, int b);
void sim_link_break(struct sim_world *w, int a, int b, bool silent);
void sim_link_cut(struct sim_world *w, int a, int b, bool cut);
void sim_link_dial(struct sim_world *w, int a, int b, uint64_t delay_ms);
bool sim_reachable(struct sim_world *w, int a, int b);
void sim_net_free(struct sim_world *w);

/* ---- web.c ---- */
int sim_http_start(struct ent_http *h, const struct ent_http_request *request,
		   void (*done)(void *arg, const struct ent_http_answer *answer, const struct ent_err *err), void *arg, struct ent_err *err);
void sim_calls_end(struct sim_node *s, uint64_t life); /* answers that will never come */
/* One request to the public face of a node, at once. */
int sim_get(struct sim_node *s, const char *path, struct ent_buf *ret);

/* ---- adversary.c: above TLS ---- */
/* Delivers one message perhaps altered, twice, not at all, or after an old one. */
void sim_deliver(struct sim_world *w, int from, int to, struct ent_bytes message);
void sim_forge_card(struct sim_world *w, int as, int to);
void sim_forge_checkpoint(struct sim_world *w, int as, int to);

/* ---- runner.c ---- */
extern const struct ent_runner_ops sim_runner_ops;
void sim_runs_end(struct sim_node *s); /* they died with their node */
void sim_runs_free(struct sim_world *w);

/* ---- tables.c: what everybody owns, what is asked, what is true ---- */
struct sim_question {
	char sql[400];
	const char *purpose;
	char rows[200]; /* CSV the requester must get */
};
void sim_tables_make(struct sim_world *w);
void sim_tables_facts(struct sim_world *w, int node, struct ent_probe_facts *ret);
void sim_question(struct sim_world *w, int requester, struct sim_question *ret);
const char *sim_grant_text(int slot);

/* ---- client.c: people at the nodes ---- */
struct sim_client;
void sim_ask(struct sim_node *s, const char *verb, json_t *args /* taken */,
	     void (*then)(struct sim_client *c, const json_t *answer, struct ent_bytes content, const struct ent_err *err), int64_t number,
	     const char *text);
struct sim_client {
	struct ent_reply reply; /* first */
	struct sim_client *next;
	struct sim_node *node;
	uint64_t life;
	const char *verb;
	void (*then)(struct sim_client *c, const json_t *answer, struct ent_bytes content, const struct ent_err *err);
	int64_t number;
	char text[200];
};
void sim_client_trust(struct sim_node *s);
void sim_client_add(struct sim_node *s);
void sim_client_note(struct sim_node *s);
void sim_client_grant(struct sim_node *s, int slot);
void sim_client_revoke(struct sim_node *s);
void sim_client_query(struct sim_node *s);
/* owner writes a rule; the moment it is told so, asker asks: the question must be judged with that rule. */
void sim_client_race(struct sim_node *owner, struct sim_node *asker);
void sim_client_verdict(struct sim_node *s);
void sim_client_settle(struct sim_node *s); /* ends what waits for people */

/* ---- check.c ---- */
#define SIM_JOB_PARTIES 5
struct sim_job { /* one question and what was seen of it */
	struct sim_job *next;
	char id[17];
	int requester;
	bool mine; /* asked by a client of ours: rows are known */
	char rows[200];
	bool ended, excused, last;
	uint64_t asked_at;
	unsigned parties; /* bit per node, known at the first start */
	struct sim_seat {
		uint64_t ready_life, ready_at;
		uint32_t ready_attempt, started_attempt;
		uint64_t started_life;
	} seat[SIM_JOB_PARTIES];
};
struct sim_job *sim_job_get(struct sim_world *w, const char *id); /* makes it */

struct sim_grant {
	int slot;
	uint64_t index, granted_at, revoked_at; /* UINT64_MAX: not */
};

void sim_checks_new(struct sim_world *w);
void sim_checks_free(struct sim_world *w);
/* An entry that must be there from now on. index -1: anywhere. text: what it must hold, may be "". */
void sim_promise(struct sim_node *s, int64_t index, int type, const char *job, uint32_t attempt, const char *text);
void sim_saw_message(struct sim_node *s, struct ent_bytes message); /* leaves s */
void sim_saw_note(struct sim_node *s, struct ent_bytes note);       /* a checkpoint leaves s */
void sim_saw_cosigned(struct sim_node *witness, struct ent_bytes note);
void sim_saw_start(struct sim_node *s, const struct ent_run_spec *spec);
void sim_saw_pins(struct sim_node *s, const struct ent_pin *pins, size_t n);
void sim_saw_lost(struct sim_world *w, int node, int peer); /* a link or a node (peer -1) is lost: jobs across it must end soon */
struct sim_grant *sim_grant_new(struct sim_node *s, int slot, uint64_t index);
struct sim_grant *sim_grant_standing(struct sim_node *s, int slot); /* slot -1: any; NULL: none */
bool sim_cosigned_size(struct sim_node *witness, int log, uint64_t *ret_size);

/* ---- audit.c ---- */
void sim_audit(struct sim_node *s);        /* the whole log of a node that is up against all that was promised and published */
void sim_audit_runs(struct sim_world *w);  /* run payloads are identical in all logs */
void sim_audit_ended(struct sim_world *w); /* no job is left open anywhere */

/* ---- schedule.c ---- */
void sim_schedule_start(struct sim_world *w);
void sim_heal(struct sim_world *w);
/* One whole seed; false and why when a check fired. */
struct sim_outcome {
	bool ok;
	uint64_t trace, simulated_ms;
	char why[700];
	struct sim_counts counts;
};
void sim_seed(uint64_t seed, bool verbose, struct sim_outcome *ret);
#endif
