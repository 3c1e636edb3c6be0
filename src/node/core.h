/* Inside of the node: the struct and what its files offer each other. Nobody outside src/node includes this. */
#ifndef ENT_NODE_CORE_H
#define ENT_NODE_CORE_H
#include "crypto/hash.h"
#include "crypto/secret.h"
#include "crypto/words.h"
#include "ledger/card.h"
#include "ledger/content.h"
#include "ledger/cosign.h"
#include "ledger/ledger.h"
#include "ledger/witness.h"
#include "node/conf.h"
#include "node/db.h"
#include "node/node.h"

#define ENT_MEMBERS_MAX 64
#define ENT_SKEW_MAX_MS 120000
#define ENT_FACTS_BYTES_MAX ((uint64_t)256 << 20) /* of one member's facts, kept here */

enum ent_budget_kind {
	ENT_BUDGET_PROPOSAL, /* a question: 1, and 1 more for every 16 KiB */
	ENT_BUDGET_REFUSED,  /* a question that is refused here, which its sender should have known: two entries */
	ENT_BUDGET_ALARM,    /* an alarm about it */
	ENT_BUDGET_FORK,     /* the proof that its log has two histories; noise of other kinds does not use it up */
	ENT_BUDGET_CARD,     /* a next version of its card: an entry */
	ENT_BUDGET_WANT,     /* facts it asks for: 2 for every message of at most about 1 MiB */
	ENT_BUDGET_LOG,      /* a complaint in the log */
	ENT_BUDGETS
};

struct ent_budget {
	char org[ENT_ORG_MAX + 1]; /* "*": all that are no members */
	uint64_t at_ms;
	uint64_t left[ENT_BUDGETS]; /* milliseconds of refill */
	uint64_t unpaid[ENT_BUDGETS];
};

struct ent_member {
	struct ent_card card;
	uint64_t entry; /* of our ledger: where the card was pinned */
	bool up;
	char software[48];
	int64_t skew_ms;
	bool skew_known;
	uint64_t facts_size;  /* we hold all their facts below this index of their log */
	uint64_t heard_ms;    /* monotonic: last message */
	bool vouched;         /* after a restore: it witnessed nothing of ours that is missing here */
	bool vouched_weakly;  /* so it says, but it was restored itself and may have forgotten */
	uint64_t wanted_ms;   /* monotonic: when we last asked for facts */
	uint64_t away_ms;     /* monotonic: not up, and then it is asked for a newer card; 0: up */
	uint64_t facts_bytes; /* of its facts here */
	bool owes_news;       /* asked for facts on behalf of a question, and not heard since */
};

struct ent_waiter { /* a reply that comes later */
	struct ent_waiter *next;
	struct ent_reply *reply;
	uint64_t deadline_ms;
	char job[17];  /* verbs job and result: whose */
	uint64_t seen; /* verb job: answered when the job's counter differs */
	bool receipt;  /* verb result, part receipt: answered when all evidence is here */
};

struct ent_question { /* a query that waits for the end of our own earlier one, whose answer its proposal must name, and for the owners' news */
	struct ent_question *next;
	struct ent_reply *reply;
	json_t *args;
	bool asked; /* the members were asked for news, at asked_ms (monotonic) */
	uint64_t asked_ms;
};

#define ENT_TOKENS_MAX 64
struct ent_token { /* of a reader who is no member */
	char name[ENT_ORG_MAX + 1];
	uint8_t hash[ENT_HASH_BYTES];
};

struct ent_job;
struct ent_moving;
struct ent_adding;

struct ent_node {
	struct ent_node_env env;
	struct ent_conf conf;
	struct ent_file *lock;
	uint8_t *seeds;     /* ENT_KEY_USES * 32, secret memory */
	uint8_t *store_key; /* 32, secret memory */
	struct ent_signer signer[ENT_KEY_USES];
	struct ent_card card;
	struct ent_buf card_text; /* our envelope */
	struct ent_db *db;
	struct ent_ledger *ledger;
	uint64_t applied; /* entries of ours that node.db holds: what peers may be told of */
	struct ent_content content;
	struct ent_witness_config witness_config;
	struct ent_witness *witness;
	struct ent_cosign_config cosign_config;
	struct ent_cosign *cosign;
	struct ent_member members[ENT_MEMBERS_MAX];
	size_t n_members;
	struct ent_card_call *card_calls; /* under way */
	struct ent_token tokens[ENT_TOKENS_MAX];
	size_t n_tokens;
	struct ent_budget budgets[ENT_MEMBERS_MAX + 2];
	struct ent_waiter *waiters;
	struct ent_adding *addings; /* tables being probed */
	struct ent_question *questions;
	struct ent_moving *moves;
	bool moves_recovered; /* what an earlier run left in doubt was handed to the runner */
	struct ent_job *jobs; /* in memory: every job that has not ended, and lately ended ones; by (time, id) */
	uint64_t next_probe;
	uint64_t uses_counter; /* changes when a debit changed what peers should know */
	uint64_t refused_ms;   /* monotonic: last alarm about a refused connection; 0: none */
	bool broken;           /* an own write failed: nothing is acknowledged until the node is opened again; ask ent_node_broken */
	enum ent_restored { ENT_RESTORED_NO, ENT_RESTORED_ASKING, ENT_RESTORED_BEHIND } restored; /* not NO: nothing is appended */
	uint64_t restored_asked_ms;
	uint64_t restored_size; /* BEHIND: what restored_by witnessed */
	char restored_by[ENT_ORG_MAX + 1];
	bool closing;
	unsigned cosigned, witnesses; /* of the last round */
	bool quorum;
	uint64_t round_ms;      /* monotonic: last round that was started again */
	int64_t alone_since_ms; /* UTC: about when the last cosignature came */
	uint64_t beat_ms;
};

/* A moment noted after `now` was read is no age at all. */
static inline uint64_t ent_ms_since(uint64_t now, uint64_t then) { return now > then ? now - then : 0; }

/* ---- open.c ---- */
/* Appends one entry of ours and applies it to node.db. After 0 it is durable. */
int ent_node_append(struct ent_node *n, int type, const json_t *fields, uint64_t *ret_at, struct ent_err *err);
/* The same for ready-made envelopes (request of another org, run). */
int ent_node_append_envelope(struct ent_node *n, struct ent_bytes envelope, uint64_t *ret_at, struct ent_err *err);
int64_t ent_node_utc(const struct ent_node *n);
uint64_t ent_node_mono(const struct ent_node *n);
int ent_node_usable(struct ent_node *n, struct ent_err *err); /* may anything be appended? */
/* A write failed with code: ENT_EIO and ENT_ENOSPACE are logged and stop the node's work until it is opened again. Returns code. */
int ent_node_broke(struct ent_node *n, int code, const struct ent_err *err);
bool ent_node_broken(struct ent_node *n); /* that happened, or a sync of node.db failed, whoever noticed */
int ent_node_random(const struct ent_node *n, void *out, size_t len, struct ent_err *err);

/* ---- apply.c: the ledger is the truth, node.db follows it ---- */
int ent_apply_all(struct ent_node *n, struct ent_err *err); /* from where node.db stands to the end of the ledger */

/* ---- keys.c ---- */
int ent_keys_make(const struct ent_node_env *env, uint8_t *seeds /* ENT_KEY_USES * 32 */, struct ent_err *err); /* draws and stores */
int ent_keys_store(const struct ent_node_env *env, const uint8_t *seeds, struct ent_err *err);
int ent_keys_read(const struct ent_node_env *env, uint8_t *seeds, struct ent_err *err);
int ent_keys_at_rest(const struct ent_node_env *env, uint8_t ret[32], struct ent_err *err); /* made when there is none */

/* ---- members.c ---- */
struct ent_member *ent_member_find(struct ent_node *n, const char *org); /* NULL: not a member; never ourselves */
int ent_members_load(struct ent_node *n, struct ent_err *err);           /* from node.db, then effects: pins, witnesses */
/* A card came from that peer itself (gossip): same = nothing, rightful next version = accepted, anything else = refused and entered as alarm. */
void ent_member_gossip(struct ent_node *n, struct ent_member *m, const char *envelope);
bool ent_member_key(struct ent_node *n, const uint8_t keyid[ENT_HASH_BYTES], uint8_t ret_pub[ENT_PUB_BYTES]); /* sign keys of members and own */
/* Is the envelope signed by the sign key of org's newest card, and nobody else? */
int ent_member_signed(struct ent_node *n, const char *org, const struct ent_dsse *d, struct ent_err *err);
/* For an entry of org's own log at that index: the key that was right there. ENT_LOG_ANYWHERE: any it ever had, for what was checked before. */
#define ENT_LOG_ANYWHERE UINT64_MAX
int ent_member_signed_at(struct ent_node *n, const char *org, const struct ent_dsse *d, uint64_t at, struct ent_err *err);
void ent_alarm(struct ent_node *n, const char *kind, const char *org, json_t *more /* taken, may be NULL */);

/* ---- facts.c: register, grant, revoke, member entries that others need ---- */
void ent_facts_push(struct ent_node *n); /* tells all peers what is new */
void ent_facts_send(struct ent_node *n, struct ent_member *m, uint64_t from);
void ent_facts_want(struct ent_node *n, struct ent_member *m);
void ent_facts_receive(struct ent_node *n, struct ent_member *m, const json_t *msg);
bool ent_fact_type(int type);
int ent_fact_store(struct ent_node *n, const char *org, uint64_t at, int type, const struct ent_dsse *d, struct ent_bytes envelope,
		   struct ent_err *err);
uint64_t ent_facts_held(struct ent_node *n, const char *org); /* own org: what node.db holds of it */

/* ---- peer.c ---- */
void ent_peer_send(struct ent_node *n, const char *org, json_t *msg /* taken */);
void ent_peer_hello(struct ent_node *n, struct ent_member *m);

/* ---- budget.c: what one member may cost ---- */
bool ent_budget_take(struct ent_node *n, const char *org, enum ent_budget_kind kind, unsigned cost); /* false: not now */
/* How often something was not paid since this was asked last. */
uint64_t ent_budget_unpaid(struct ent_node *n, const char *org, enum ent_budget_kind kind);
/* A warning about what a peer did: at most so many, the rest is counted. */
void ent_peer_complain(struct ent_node *n, const char *org, const char *event, const char *what);

/* ---- cards.c: card versions; what stands where in a member's log is judged by the key that was right there ---- */
int ent_cards_keep(struct ent_node *n, const struct ent_card *card, struct ent_bytes envelope, struct ent_err *err);
/* Older sign keys of that organisation sign nothing in its log behind this index. */
int ent_cards_replaced_at(struct ent_node *n, const struct ent_card *next, uint64_t at, struct ent_err *err);
int ent_cards_fact(struct ent_node *n, const struct ent_member *m, const json_t *body, uint64_t at,
		   struct ent_err *err); /* a member or key entry of m */
json_t *ent_cards_past(struct ent_node *n);
void ent_cards_hello(struct ent_node *n, const struct ent_member *m, const json_t *msg);
bool ent_cards_serve(struct ent_node *n, const struct ent_http_request *request, struct ent_http_answer *answer); /* false: not /card */
void ent_cards_tick(struct ent_node *n, uint64_t now);
void ent_cards_close(struct ent_node *n);

/* ---- rotate.c ---- */
struct ent_rotation {
	uint8_t *seeds; /* old ones, then new ones; secret memory */
	struct ent_card card;
	struct ent_buf text;
};
void ent_rotation_deinit(struct ent_rotation *r);
int ent_rotation_read(const struct ent_node_env *env, struct ent_rotation *ret, struct ent_err *err); /* ENT_ENOTFOUND: none is under way */
int ent_rotation_enter(struct ent_node *n, const struct ent_rotation *rot, struct ent_err *err);      /* the `key` entry, once, under the old key */
int ent_rotation_install(const struct ent_node_env *env, const struct ent_rotation *rot, struct ent_err *err);
void ent_verb_card_rotate(struct ent_node *n, const json_t *args, struct ent_reply *reply);

/* ---- tokens.c ---- */
int ent_tokens_load(struct ent_node *n, struct ent_err *err);
bool ent_token_valid(const struct ent_node *n, const char *token); /* NULL is none */
void ent_verb_token_add(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_token_list(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_token_remove(struct ent_node *n, const json_t *args, struct ent_reply *reply);

/* ---- duty.c: batches, witnesses, cross references ---- */
int ent_duty_open(struct ent_node *n, struct ent_err *err);
void ent_duty_close(struct ent_node *n);
void ent_duty_members(struct ent_node *n); /* witnesses follow the member list */
uint64_t ent_duty_tick(struct ent_node *n);
void ent_duty_checkpoint(struct ent_node *n, struct ent_member *m, const json_t *msg); /* of a peer: cross-referenced */
/* Ends the batch now; on success witnesses are being asked. */
void ent_duty_publish(struct ent_node *n);
/* ENT_EAGAIN when no witness cosigned for longer than the configured period: widening grants and jobs stop. */
int ent_duty_not_alone(struct ent_node *n, struct ent_err *err);

/* ---- backup.c; restored.c: nothing is appended after a restore until members said what they witnessed last ---- */
void ent_verb_backup(struct ent_node *n, const json_t *args, struct ent_reply *reply);
int ent_restored_mark(struct ent_fs *fs, struct ent_err *err); /* makes the home under fs a restored one */
int ent_restored_open(struct ent_node *n, struct ent_err *err);
int ent_restored_refuse(const struct ent_node *n, struct ent_err *err); /* the failure to answer with */
void ent_restored_ask(struct ent_node *n, struct ent_member *m);
void ent_restored_tick(struct ent_node *n, uint64_t now);
void ent_restored_asked(struct ent_node *n, struct ent_member *m, const json_t *msg);
void ent_restored_answer(struct ent_node *n, struct ent_member *m, const json_t *msg);

/* ---- verbs.c ---- */
typedef void (*ent_verb_fn)(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_reply_ok(struct ent_reply *r, json_t *answer /* taken; NULL: {} */);
void ent_reply_err(struct ent_reply *r, const struct ent_err *err);
struct ent_waiter *ent_waiter_add(struct ent_node *n, struct ent_reply *reply, uint32_t wait_ms); /* NULL: answered with ENT_ENOMEM */
/* Text argument; "" when absent and optional. Failure was replied. */
bool ent_arg_text(const json_t *args, const char *key, bool needed, const char **ret, struct ent_reply *reply);
void ent_waiters_tick(struct ent_node *n);
bool ent_waiter_ready(struct ent_node *n, const struct ent_waiter *w); /* jobs.c */
void ent_waiter_answer(struct ent_node *n, struct ent_waiter *w);
void ent_waiters_drop(struct ent_node *n);

void ent_verb_status(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_card(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_trust(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_untrust(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_members(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_config(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_doctor(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_ledger_list(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_ledger_blocks(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_ledger_show(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_ledger_prove(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_ledger_verify(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_ledger_note(struct ent_node *n, const json_t *args, struct ent_reply *reply);
#endif
