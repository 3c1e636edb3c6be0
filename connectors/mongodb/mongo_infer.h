/* Columns from a sample of documents: what each path holds, and the narrowest type that holds all of it exactly. */
#ifndef ENT_MONGODB_INFER_H
#define ENT_MONGODB_INFER_H
#include "mongo_column.h"

struct ent_mongo_sample;

int ent_mongo_sample_new(struct ent_mongo_sample **ret, struct ent_err *err);
void ent_mongo_sample_free(struct ent_mongo_sample *s); /* NULL is fine */
static inline void ent_mongo_sample_freep(struct ent_mongo_sample **s) { ent_mongo_sample_free(*s); }
/* ENT_EDATA: not a well formed document. */
int ent_mongo_sample_add(struct ent_mongo_sample *s, const bson_t *doc, struct ent_err *err);
/* Appends the columns, _id first, then in the order their fields first appeared; paths that meet one already in the list are left out.
 *
 * int|long is bigint; double with int, or with long within 2^53, is double precision; decimals (with int, long) are decimal(P,S) of the sample's
 * digits. Documents become dotted columns; arrays, mixtures, maps of more than 100 names and anything deeper than 16 are JSON text. */
int ent_mongo_sample_columns(const struct ent_mongo_sample *s, struct ent_mongo_columns *out, struct ent_err *err);
#endif
