/* What the node asks of a runner: probing a source, and this participant's part of one attempt of one job.
 * In `serve` the runner is worker threads over the modules and src/joint; in the simulator it is a model. It never decides anything. */
#ifndef ENT_NODE_RUN_H
#define ENT_NODE_RUN_H
#include "base/arena.h"
#include "base/json.h"
#include "sql/catalogue.h"

struct ent_query;
struct ent_decision;
struct ent_joint_plan;
struct ent_joint_guard_blob;

struct ent_option_text { /* an option of `add` for the connector: --null NA */
	const char *key, *value;
};

struct ent_source_spec {
	const char *url;    /* without "#object"; never holds a secret */
	const char *object; /* after '#', or "" */
	const struct ent_option_text *options;
	size_t n_options;
	const char *secret_path; /* file with the password under HOME, or NULL */
};

struct ent_probe {
	uint64_t id;
	struct ent_source_spec source;
	const char *const *hidden; /* columns kept out */
	size_t n_hidden;
	const char *const *keys; /* declared keys, "a,b"; their uniqueness is checked on the whole table */
	size_t n_keys;
	uint8_t salt[32]; /* of the commitment to the rows */
};

struct ent_probe_column {
	const char *name, *native;
	struct ent_type type;
	bool nullable;
	bool has_values;        /* at least one non-NULL */
	uint8_t magnitude_bits; /* numeric: smallest b with |v| < 2^b over all rows (scaled integer; integer part of floats) */
	uint64_t distinct;      /* text: number of distinct values */
};

struct ent_probe_facts {
	uint64_t rows;
	const struct ent_probe_column *columns;
	size_t n_columns;
	const struct ent_unique *keys; /* checked and found unique and without NULL */
	size_t n_keys;
	const char *const *skipped; /* "name: why" for columns whose type no joint query knows */
	size_t n_skipped;
	const char *version;     /* the store's own mark of content, may be "" */
	uint8_t rows_sha256[32]; /* SHA-256(salt, canonical schema, canonical rows in the store's order) */
};

struct ent_run_table { /* an own table that takes part */
	const struct ent_table *table;
	struct ent_source_spec source;
};

struct ent_run_spec {    /* lent until ent_node_run_ended of this attempt; immutable meanwhile, readable from any thread */
	const char *job; /* 16 hex */
	uint32_t attempt;
	const char *self, *requester;
	const char *const *trio; /* three compute parties; n_trio 1: runs wholly at one owner */
	size_t n_trio;
	const char *const *participants;
	size_t n_participants;
	const json_t *proposal;
	const struct ent_query *query;
	const struct ent_decision *decision;
	const struct ent_joint_plan *plan;
	const struct ent_run_table *tables;
	size_t n_tables;
	const char *format; /* requester: table, csv, json, arrow; what `rows` will be written in */
	bool color;
	uint8_t run_sha256[32];             /* of the `run` payload: job links are bound to it */
	struct ent_joint_guard_blob *guard; /* earlier jobs to compare with, oldest first; without those that left nothing here */
	size_t n_guard;
};

struct ent_run_progress {
	uint64_t done, total; /* any unit that grows; total may be 0 when unknown */
	const char *phase;    /* "local part", "share", "join", ... */
};

struct ent_run_result { /* zero and NULL where this participant has none */
	bool has_rows;
	struct ent_bytes rows; /* requester: in the format asked */
	uint64_t n_rows;
	const json_t *stats; /* rounds, bytes sent, predicted and actual, seconds */
};

struct ent_move_spec {                      /* moving tables: copy, compare, ... */
	const char *id;                     /* the node's name for it */
	const char *kind;                   /* "copy", "compare" */
	const json_t *args;                 /* of verb move.start; may hold no secret */
	const struct ent_source_spec *ends; /* source, targets; compare: a, b */
	const char *const *names;           /* of the ends, as people see them */
	size_t n_ends;
	const char *peer, *link; /* "" or the member that is the source (kind copy) or the target (kind serve), and the job link's name */
	struct ent_bytes rows;   /* not empty: frames of a joint job's result are the source */
};

struct ent_move_note { /* how far it is */
	const char *phase;
	uint64_t rows, bytes, splits_done, splits;
	int64_t rows_total; /* -1 unknown */
};

struct ent_runner;
struct ent_runner_ops {
	/* Start and return at once; end with ent_node_probed / ent_node_run_ended, never from inside the call. */
	int (*probe)(struct ent_runner *r, const struct ent_probe *probe, struct ent_err *err); /* probe is copied */
	int (*start)(struct ent_runner *r, const struct ent_run_spec *spec, struct ent_err *err);
	void (*cancel)(struct ent_runner *r, const char *job, uint32_t attempt); /* ended still comes */
	/* Starts and returns at once; ends with ent_node_move_ended. spec is copied. NULL: nothing here moves tables. */
	int (*move)(struct ent_runner *r, const struct ent_move_spec *spec, struct ent_err *err);
	void (*move_cancel)(struct ent_runner *r, const char *id); /* ended still comes */
};

struct ent_runner {
	const struct ent_runner_ops *ops;
};
#endif
