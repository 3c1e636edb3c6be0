/* Moving tables: verbs and events. A move belongs to this node alone; it is no joint job. */
#ifndef ENT_NODE_MOVES_H
#define ENT_NODE_MOVES_H
#include "node/core.h"

struct ent_moving_wait { /* somebody who waits for news */
	struct ent_moving_wait *next;
	struct ent_reply *reply;
	uint64_t deadline_ms;
	json_int_t seen;
};

struct ent_moving {
	struct ent_moving *next;
	char id[20], kind[16]; /* "copy", "compare"; "settle" after a crash; "serve": our rows travel to a member */
	json_t *args, *ends, *reports, *result;
	char phase[32];
	struct ent_move_note note;
	struct ent_err error;
	bool ended;
	json_int_t seen;
	uint64_t ended_ms;
	char receipt[64];
	struct ent_moving_wait *waiting;
	char peer[ENT_ORG_MAX + 1]; /* the other member, or "" */
	char link[120], request[65];
	uint64_t asked_ms;   /* monotonic: the owner was asked and has not answered; 0: not waiting */
	struct ent_buf rows; /* result of a joint job, as frames: the source when there is one */
};

/* ---- moves.c, for move_peer.c ---- */
struct ent_moving *ent_moving_find(struct ent_node *n, const char *id);
int ent_moving_new(struct ent_node *n, const char *kind, struct ent_moving **ret, struct ent_err *err);
void ent_moving_add(struct ent_node *n, struct ent_moving *m); /* from now on the node owns it */
void ent_moving_free(struct ent_moving *m);
int ent_moving_hand_over(struct ent_node *n, const struct ent_moving *m, struct ent_err *err);
/* Arguments and ends of a move from those of a verb. */
int ent_moving_prepare(struct ent_node *n, struct ent_moving *m, const json_t *args, struct ent_err *err);
/* Keeps content in the store of contents and puts its salted commitment into an entry's fields. */
int ent_moving_commit_to(struct ent_node *n, const json_t *content, json_t *fields, struct ent_err *err);
int ent_moving_own_table(struct ent_node *n, const char *table, json_t **ret, struct ent_err *err);
const char *ent_moving_end(const struct ent_moving *m, size_t i); /* the name of its source (0) or target; "" when there is none */
json_t *ent_moving_targets(const struct ent_moving *m);           /* their names */

/* ---- move_notes.c ---- */
json_t *ent_moving_fields(const struct ent_moving *m); /* how an entry about m begins: move, source, targets, mode, request */
/* Before anything is asked or moved (again once the request is known), and after the end was entered; ent_moves_apply takes a note away, too,
 * with the entry. */
int ent_moving_note(struct ent_node *n, const struct ent_moving *m, struct ent_err *err);
int ent_moving_unnote(struct ent_node *n, const char *id, struct ent_err *err);
void ent_moves_enter_lost(struct ent_node *n); /* enters what an earlier run of this node began and did not end */

/* ---- move_peer.c ---- */
int ent_move_ask(struct ent_node *n, struct ent_moving *m, struct ent_err *err); /* the owner of m's source, m->peer */
void ent_move_ask_tick(struct ent_node *n, struct ent_moving *m, uint64_t now);
void ent_move_asked(struct ent_node *n, struct ent_member *m, const json_t *msg);   /* "copy?" */
void ent_move_granted(struct ent_node *n, struct ent_member *m, const json_t *msg); /* "copy!" */
void ent_move_refused(struct ent_node *n, struct ent_member *m, const json_t *msg); /* "copy-" */

void ent_verb_move_start(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_move(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_move_cancel(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_moves(struct ent_node *n, const json_t *args, struct ent_reply *reply);
uint64_t ent_moves_tick(struct ent_node *n); /* answers who waited long enough; returns when it wants to be called again */
void ent_moves_forget(struct ent_node *n, const struct ent_reply *reply);
void ent_moves_free(struct ent_node *n); /* whoever waits is told that the node stops */
/* After open, and by doctor: settles what a crash left in doubt in several targets. */
void ent_moves_recover(struct ent_node *n);
size_t ent_moves_in_doubt(struct ent_node *n); /* copies to several targets whose end is not known to be settled */
/* An entry of ours about a copy or preparation: its note goes, a decision is remembered, grants that let rows leave are debited. */
int ent_moves_apply(struct ent_node *n, uint64_t at, const json_t *body, struct ent_err *err);

/* ---- streams.c ---- */
void ent_verb_replicate_start(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_replicate_list(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_replicate_pause(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_replicate_resume(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_replicate_stop(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_stream_ended(struct ent_node *n, struct ent_moving *m, const struct ent_err *failed); /* the work of a stream ended */
void ent_streams_recover(struct ent_node *n);                                                  /* what ran before a restart runs again */

/* add.c: the text of a source as {url, object, secret?}; a password goes to HOME/secrets under name. warnings: array or NULL. */
int ent_source_text_parse(struct ent_node *n, const char *name, const char *source, const char *secret, json_t *spec, json_t *warnings,
			  struct ent_err *err);
#endif
