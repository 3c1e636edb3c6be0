/* One node as a sans-I/O core: events in, effects out. `serve` and the simulator link the same objects.
 *
 * All functions of one node are called on one thread. The core never blocks except on its own disk writes through the file vtable;
 * everything slow (peers, witnesses, probing a source, a joint run) is an effect started here and an event that comes back later.
 * A state that was acknowledged is durable: replies and messages leave only after what they tell is on disk. */
#ifndef ENT_NODE_H
#define ENT_NODE_H
#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mesh.h"
#include "node/run.h"

struct ent_node;

struct ent_pin { /* a member we trust: who may connect and where to reach it */
	char org[ENT_ORG_MAX + 1];
	uint8_t tls_pub[32];
	char address[256]; /* party link, HOST:PORT; empty: only the other side dials */
};

struct ent_node_env {      /* effects; all [borrow] for the life of the node */
	struct ent_fs *fs; /* root = HOME */
	struct ent_clock *clock;
	struct ent_random *random;
	struct ent_mesh *mesh;     /* NULL: no node runs, HOME is only edited */
	struct ent_http *http;     /* NULL likewise */
	struct ent_runner *runner; /* NULL likewise; `add` then fails with ENT_ENONODE unless a probe is given */
	const struct ent_log_sink *log;
	void *self;
	/* Called at open and whenever the members or their cards change; copies what it needs. May be NULL. */
	void (*pins)(void *self, const struct ent_pin *pins, size_t n);
};

/* The answer to one request. done is called exactly once, on the node's thread, during ent_node_request or later.
 * answer (an object) and content (result rows, receipt, tile ...) are lent for the call; err is non-NULL on failure (answer then NULL,
 * or an object that explains more, e.g. a refusal with its plan). */
struct ent_reply {
	void (*done)(struct ent_reply *r, const json_t *answer, struct ent_bytes content, const struct ent_err *err);
};

/* Makes HOME: configuration, keys (0600), ledger with genesis block and member entry, node.db.
 * args {org, listen?, http?, advertise?, advertise_http?, compute_only?}; ret_answer like verb `card`.
 * ENT_EUSAGE (bad names, wildcard without --advertise), ENT_ECONFIG (HOME is in use already), ENT_EIO. */
int ent_node_init(const struct ent_node_env *env, const json_t *args, json_t **ret_answer, struct ent_err *err);

/* Takes HOME's lock (ENT_EAGAIN: another process has it) and recovers: no attempt of a job is ever resumed. ENT_ECONFIG: no HOME here, or a bad key.
 */
int ent_node_open(const struct ent_node_env *env, struct ent_node **ret, struct ent_err *err);
void ent_node_close(struct ent_node *node); /* NULL is fine; running jobs are told to cancel by the caller before */
static inline void ent_node_closep(struct ent_node **node) { ent_node_close(*node); }

const char *ent_node_org(const struct ent_node *node);
/* A value of entente.conf, "" when unset. Lent. */
const char *ent_node_conf(const struct ent_node *node, const char *key);
/* Raw 32-byte Ed25519 seed of the tls key, for the party links. */
int ent_node_tls_seed(struct ent_node *node, uint8_t ret_seed[32], struct ent_err *err);

/* One local request. verb and args: src/node/README.md lists them all; reply->done tells. A failure of the request itself goes to done, too. */
void ent_node_request(struct ent_node *node, const char *verb, const json_t *args, struct ent_reply *reply);
/* Withdraws a reply that is still waiting (its client left): done will not be called any more. */
void ent_node_forget(struct ent_node *node, struct ent_reply *reply);

/* The public HTTP face: /checkpoint, tiles, POST /add-checkpoint; /tile/entries needs request->trusted. */
void ent_node_http(struct ent_node *node, const struct ent_http_request *request, struct ent_http_answer *answer);

/* Events of the mesh. org is pinned, the bytes are foreign. */
void ent_node_peer_up(struct ent_node *node, const char *org);
void ent_node_peer_down(struct ent_node *node, const char *org);
void ent_node_peer_message(struct ent_node *node, const char *org, struct ent_bytes message);
/* A connection was refused: its key is unknown, or not the one pinned. org: the name it claimed, may be ""; text: address and key. Logged, and
 * entered as alarm (at most one per minute). */
void ent_node_peer_refused(struct ent_node *node, const char *org, const char *text);

/* Time passes: batches, checkpoints, witnesses, heartbeats, deadlines. Returns the monotonic ms at which it wants to be called again. */
uint64_t ent_node_tick(struct ent_node *node);

/* Events of the runner: see run.h. A job or attempt that is not running any more is ignored (hooks then return ENT_ECANCELLED). */
void ent_node_probed(struct ent_node *node, uint64_t probe, const struct ent_probe_facts *facts, const struct ent_err *err);
void ent_node_run_progress(struct ent_node *node, const char *job, uint32_t attempt, const struct ent_run_progress *progress);
/* Before the first opening: 0 = the `open` entry is durable, openings may start. labels: canonical JSON array of what opens. */
int ent_node_run_before_open(struct ent_node *node, const char *job, uint32_t attempt, const json_t *labels, struct ent_err *err);
/* Before an output component is sent to the requester: 0 = the `output` entry with this commitment SHA-256(salt, bytes) is durable. */
/* Before any output leaves anybody: what later questions are compared with; nothing when no group is released. Durable when it returns 0. */
int ent_node_run_guard(struct ent_node *node, const char *job, uint32_t attempt, struct ent_bytes public_json, struct ent_bytes shares,
		       struct ent_err *err);
int ent_node_run_before_output(struct ent_node *node, const char *job, uint32_t attempt, const char *component, const uint8_t salt[32],
			       const uint8_t commitment[32], struct ent_err *err);
/* Events of a move (ent_runner_ops.move), in this order: any number of progress and report, then ended. decide: 0 = the decision to commit the
 * prepared transactions of `name` is durable. result: an object, lent. */
void ent_node_move_progress(struct ent_node *node, const char *id, const struct ent_move_note *note);
void ent_node_move_report(struct ent_node *node, const char *id, const json_t *report);
int ent_node_move_decide(struct ent_node *node, const char *id, const char *name, struct ent_err *err);
/* A batch of a stream became durable at its target: {from, to, rows, transactions, digest}. 0 = its ledger entry is durable. */
int ent_node_move_batch(struct ent_node *node, const char *id, const json_t *batch, struct ent_err *err);
void ent_node_move_ended(struct ent_node *node, const char *id, const json_t *result, const struct ent_err *err);
/* The run ended here, well (err NULL) or not. result is lent. */
void ent_node_run_ended(struct ent_node *node, const char *job, uint32_t attempt, const struct ent_run_result *result, const struct ent_err *err);
#endif
