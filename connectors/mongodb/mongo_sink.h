/* Writing: documents wait in memory, go out in bulk, then the checkpoint. Not a transaction: at least once, idempotent by key. */
#ifndef ENT_MONGODB_SINK_H
#define ENT_MONGODB_SINK_H
#include "arrow/sink.h"
#include "mongo.h"
#include "mongo_encode.h"

#define ENT_MONGO_TABLES_MAX 512

enum ent_mongo_op_kind {
	ENT_MO_INSERT, /* the key must be new, or its document the very same */
	ENT_MO_REPLACE,
	ENT_MO_UPDATE,
	ENT_MO_DELETE
};

struct ent_mongo_op {
	enum ent_mongo_op_kind kind;
	bson_t *key; /* {_id: ...} */
	bson_t *doc; /* the document, or what an update sets; NULL: delete */
};

struct ent_mongo_sink_table {
	char db[65], name[256], load[300]; /* load: where rows go; another collection until finish when replaced */
	struct ArrowSchema schema;
	struct ent_mongo_plan plan;
	char *keys_text;
	const char **keys;
	size_t n_keys;
	enum ent_write_mode mode;
	bool resume, wire, fresh; /* fresh: made by this job, so that its columns are ours to keep */
	bson_t *kept;             /* columns of the source's images, or NULL */
	struct ent_mongo_op *ops;
	size_t n_ops, cap_ops, bytes;
	bool ordered; /* ops must keep their order */
};

struct ent_sink {
	struct ent_source *source;
	char job[200], db[65];
	uint64_t epoch;
	struct ent_mongo_sink_table *tables;
	size_t n_tables;
};

/* --- mongo_sink.c: the ABI's functions --- */
int ent_mongo_map(struct ent_source *s, const struct ent_target *target, struct ent_map_line *lines, int *ret_exists, struct ent_err *err);
int ent_mongo_sink_open(struct ent_source *s, const char *job, uint64_t *epoch, struct ent_sink **ret, struct ent_err *err);
int ent_mongo_sink_table(struct ent_sink *k, const struct ent_target *target, size_t *ret_index, struct ent_err *err);
int ent_mongo_sink_rows(struct ent_sink *k, size_t index, const struct ArrowArray *rows, struct ent_err *err);
int ent_mongo_sink_changes(struct ent_sink *k, size_t index, const struct ArrowSchema *schema, const struct ArrowArray *rows, struct ent_err *err);
int ent_mongo_sink_truncate(struct ent_sink *k, size_t index, struct ent_err *err);
int ent_mongo_sink_commit(struct ent_sink *k, const struct ent_sink_checkpoint *checkpoint, struct ent_err *err);
int ent_mongo_sink_rollback(struct ent_sink *k, struct ent_err *err);
int ent_mongo_sink_finish(struct ent_sink *k, int forget, struct ent_err *err);
void ent_mongo_sink_close(struct ent_sink *k);
int ent_mongo_sink_alter(struct ent_sink *k, size_t index, const struct ArrowSchema *new_schema, struct ent_err *err);

/* --- mongo_bulk.c --- */
/* Takes key and doc, also on failure. */
int ent_mongo_op_add(struct ent_mongo_sink_table *t, enum ent_mongo_op_kind kind, bson_t *key, bson_t *doc, struct ent_err *err);
void ent_mongo_ops_drop(struct ent_mongo_sink_table *t);
/* Sends what waits, again after a broken connection. */
int ent_mongo_flush(struct ent_sink *k, struct ent_mongo_sink_table *t, struct ent_err *err);

/* --- mongo_checkpoint.c --- */
int ent_mongo_epoch_take(struct ent_sink *k, uint64_t *epoch, struct ent_err *err);
/* ENT_EAGAIN: another run took over. */
int ent_mongo_fence(struct ent_sink *k, struct ent_err *err);
int ent_mongo_checkpoint_put(struct ent_sink *k, const struct ent_sink_checkpoint *c, struct ent_err *err);
int ent_mongo_sink_last(struct ent_sink *k, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err);
int ent_mongo_checkpoints_forget(struct ent_sink *k, struct ent_err *err);
#endif
