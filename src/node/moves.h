/* Moving tables: verbs and events. A move belongs to this node alone; it is no joint job. */
#ifndef ENT_NODE_MOVES_H
#define ENT_NODE_MOVES_H
#include "node/core.h"

void ent_verb_move_start(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_move(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_move_cancel(struct ent_node *n, const json_t *args, struct ent_reply *reply);
void ent_verb_moves(struct ent_node *n, const json_t *args, struct ent_reply *reply);
uint64_t ent_moves_tick(struct ent_node *n); /* answers who waited long enough; returns when it wants to be called again */
void ent_moves_forget(struct ent_node *n, const struct ent_reply *reply);
void ent_moves_free(struct ent_node *n); /* whoever waits is told that the node stops */
/* After open, and by doctor: settles what a crash left in doubt in several targets. */
void ent_moves_recover(struct ent_node *n);
size_t ent_moves_in_doubt(struct ent_node *n);                                    /* copies to several targets whose end is not known to be settled */
int ent_moves_apply(struct ent_node *n, const json_t *body, struct ent_err *err); /* a copy entry of ours: a decision is remembered */

/* add.c: the text of a source as {url, object, secret?}; a password goes to HOME/secrets under name. warnings: array or NULL. */
int ent_source_text_parse(struct ent_node *n, const char *name, const char *source, const char *secret, json_t *spec, json_t *warnings,
			  struct ent_err *err);
#endif
