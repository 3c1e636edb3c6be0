/* Inside of a copy: what its files share. */
#ifndef ENT_MOVE_JOB_H
#define ENT_MOVE_JOB_H
#include <pthread.h>
#include <stdatomic.h>

#include "arrow/stream.h"
#include "move/digest.h"
#include "move/move.h"
#include "move/pipe.h"

#define ENT_MOVE_SPLITS_MAX 100000u

struct ent_split {
	char *text; /* as the source names it; NULL: everything */
	bool done;
	struct ent_move_digest digest; /* of its rows, once done */
};

struct ent_out_table { /* an opened target */
	struct ent_move_session session;
	struct ent_sink *sink;
	size_t index;
};

struct ent_copying {
	const struct ent_move_copy *copy;
	const struct ent_move_env *env;
	char id[ENT_MOVE_ID_LEN + 1];
	struct ent_move_session source;
	bool source_taken; /* a worker reads through it */
	char snapshot[200];
	bool has_snapshot;
	struct ArrowSchema described, schema; /* of the table; of what is read */
	const char **columns;                 /* what read is asked for, NULL: everything */
	size_t n_columns;
	char *key_text; /* the names behind keys */
	const char *keys[64];
	size_t n_keys;
	char schema_sha[65];
	int64_t rows_total;
	bool wire;
	struct ent_split *splits;
	size_t n_splits;
	bool resumed, table_made;
	bool decided; /* several targets: the decision to commit is durable */
	bool exists[ENT_MOVE_TARGETS_MAX];
	struct ent_out_table out[ENT_MOVE_TARGETS_MAX];
	size_t n_out;
	uint64_t epoch;
	unsigned parallel;
	struct ent_move_result result;

	/* shared with the threads */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t next_split; /* under lock, as all below but the counters */
	unsigned at_work;
	struct ent_pipe *pipes[ENT_MOVE_PARALLEL_MAX];
	size_t n_pipes;
	struct ent_err failure;
	atomic_bool stop;
	atomic_uint_fast64_t rows, bytes, splits_done;
};

/* report.c: maps the columns into every target, tells, and refuses what must be refused. */
int ent_copying_report(struct ent_copying *j, struct ent_err *err);
int ent_copying_exists(const struct ent_copying *j, struct ent_err *err); /* refuses a target that is there where it must not be */
/* plan.c: the splits, from an earlier run of this job in the target or from the source; then they stand in the target. */
int ent_copying_plan(struct ent_copying *j, struct ent_err *err);
void ent_copying_checkpoint(const struct ent_copying *j, size_t split, struct ent_sink_checkpoint *ret);
int ent_copying_table(struct ent_copying *j, struct ent_err *err); /* makes the target's table ready, once per job */
/* crew.c: moves every split that is not done. */
int ent_copying_move(struct ent_copying *j, struct ent_err *err);
/* copy.c */
void ent_copying_target(const struct ent_copying *j, size_t i, struct ent_target *ret);
int ent_copying_read(struct ent_copying *j, struct ent_move_session *s, const char *split, struct ArrowArrayStream *ret, struct ent_err *err);
void ent_copying_tell(struct ent_copying *j, const char *phase);
bool ent_copying_stopped(struct ent_copying *j);
/* A failure of a run that was overtaken meanwhile speaks of the other run's work: *err becomes ENT_EAGAIN "another run of this job took over". Lost
 * connections stay what they are. Returns err->code. */
int ent_move_overtaken(const struct ent_connector *to, struct ent_sink *sink, uint64_t epoch, struct ent_err *err);
int ent_open_write(const struct ent_move_end *end, struct ent_move_session *ret, struct ent_err *err);
void ent_session_close(struct ent_move_session *s);
void ent_out_close(struct ent_out_table *o);
#endif
