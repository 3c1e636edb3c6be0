/* Catalogue and grants as they stand in the facts we hold: for planning and deciding at given ledger sizes, and for showing. */
#ifndef ENT_NODE_CATALOGUE_H
#define ENT_NODE_CATALOGUE_H
#include "node/core.h"
#include "policy/policy.h"

#define ENT_COLUMNS_MAX_NODE 1600

/* Everything lives in the arena. sizes: {org: ledger size}; NULL = all we hold. Tables of organisations that sizes does not name are unknown. */
int ent_catalogue_make(struct ent_node *n, struct ent_arena *arena, const json_t *sizes, struct ent_catalogue *ret, struct ent_err *err);
/* Parses the payload of a register entry (foreign). */
int ent_table_parse(struct ent_arena *arena, const char *org, const json_t *body, const uint8_t sha[32], struct ent_table *ret, struct ent_err *err);
json_t *ent_table_json(const struct ent_table *t); /* the public facts, as `tables` shows them, without `may` */

/* Rules of org below size. used: {"at": runs} of the proposal, NULL = what we know now. */
int ent_owner_make(struct ent_node *n, struct ent_arena *arena, const char *org, uint64_t size, const json_t *used, struct ent_policy_owner *ret,
		   struct ent_err *err);
/* Runs that used each grant of org, as {"at": runs}: own from our ledger, others as they last told. New reference. */
int ent_uses_json(struct ent_node *n, const char *org, json_t **ret, struct ent_err *err);

/* Source of an own table: {url, object, options, secret?, hide, keys, bounds, rows, salt, commitment, content_version}; new reference. */
int ent_source_read(struct ent_node *n, const char *name, json_t **ret, struct ent_err *err);
/* Fills spec from it; pointers are lent by the JSON and the arena. */
int ent_source_spec_make(struct ent_arena *arena, const json_t *source, struct ent_source_spec *ret, struct ent_err *err);
#endif
