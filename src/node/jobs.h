/* Joint jobs: what the rest of the node calls. */
#ifndef ENT_NODE_JOBS_H
#define ENT_NODE_JOBS_H
#include "node/core.h"

/* After open: whatever was under way is aborted and entered so; jobs waiting for people go on waiting. */
int ent_jobs_recover(struct ent_node *n, struct ent_err *err);
void ent_jobs_free(struct ent_node *n);
uint64_t ent_jobs_tick(struct ent_node *n); /* returns when it wants to be called again */
void ent_jobs_peer(struct ent_node *n, const char *org, bool up);
/* A message of type propose, queued, ready, withdraw, beat, abort, finish, evidence, approval; false: none of them. */
bool ent_jobs_message(struct ent_node *n, struct ent_member *m, const char *type, const json_t *msg);
void ent_jobs_count(const struct ent_node *n, unsigned *ret_queued, unsigned *ret_running);
/* Rows of our own finished job that asked for them as frames (lent). */
int ent_jobs_rows(struct ent_node *n, const char *id, struct ent_bytes *ret, struct ent_err *err);
void ent_questions_next(struct ent_node *n);
void ent_questions_forget(struct ent_node *n, const struct ent_reply *reply);
void ent_questions_drop(struct ent_node *n);
void ent_jobs_facts(struct ent_node *n, const char *org); /* new facts of org are here */

void ent_verb_explain(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_query(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_jobs(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_job(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_result(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_approve(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_deny(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_cancel(struct ent_node *n, const json_t *args, struct ent_reply *reply);

/* ---- tables and grants ---- */
void ent_addings_free(struct ent_node *n);
void ent_addings_forget(struct ent_node *n, const struct ent_reply *reply);
void ent_verb_add(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_remove(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_tables(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_describe(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_grant(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_grants(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_revoke(struct ent_node *n, const json_t *args, struct ent_reply *reply);
#endif
