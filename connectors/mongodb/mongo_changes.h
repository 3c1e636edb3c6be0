/* Following collections by a change stream. */
#ifndef ENT_MONGODB_CHANGES_H
#define ENT_MONGODB_CHANGES_H
#include "mongo.h"

int ent_mongo_changes_open(struct ent_source *s, const struct ent_changes_spec *spec, struct ent_changes **ret, struct ent_err *err);
int ent_mongo_changes_next(struct ent_changes *c, uint32_t timeout_ms, struct ent_event *ret, struct ent_err *err);
int ent_mongo_changes_ack(struct ent_changes *c, const char *cursor, struct ent_err *err);
void ent_mongo_changes_close(struct ent_changes *c);
int ent_mongo_changes_drop(struct ent_source *s, const char *job, struct ent_err *err);
int ent_mongo_position(struct ent_source *s, char ret[400], struct ent_err *err);
#endif
