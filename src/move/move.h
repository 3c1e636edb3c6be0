/* Moving tables between stores: copy and compare over connector pointers. Everything flows as Arrow batches through small bounded queues, so
 * memory stays flat at any size. Nothing here loads a module, knows a home or writes a ledger: the caller opens sources and is told what happened.
 *
 * Exactly once: a split's rows and its checkpoint commit together in the target (ENT_CAP_TXN_SINK), so a job that died goes on behind the last
 * finished split. Without transactions: idempotent by key. */
#ifndef ENT_MOVE_MOVE_H
#define ENT_MOVE_MOVE_H
#include "base/json.h"
#include "entente/connector.h"

#define ENT_MOVE_ID_LEN 16
#define ENT_MOVE_ROWS_PER_SPLIT 500000u
#define ENT_MOVE_PARALLEL_MAX 16u
#define ENT_MOVE_TARGETS_MAX 8u

struct ent_move_session { /* an opened source; close by connector->close */
	const struct ent_connector *connector;
	struct ent_source *source;
};

struct ent_move_end { /* one table in some store; all borrowed */
	void *self;
	/* Opens another session, with options beside those of the end: "snapshot", "access". Any thread. */
	int (*open)(void *self, const struct ent_option *more, size_t n_more, struct ent_move_session *ret, struct ent_err *err);
	const char *object; /* in that store, "" for a plain file */
	const char *name;   /* as people and ledgers see it: URL#object without secrets, or org.table */
};

struct ent_move_progress {
	const char *phase; /* "plan", "rows", "finish", "compare", "keys" */
	uint64_t rows, bytes, splits_done, splits;
	int64_t rows_total; /* -1 unknown */
};

struct ent_move_env { /* callbacks on the caller's thread, except cancelled: any thread */
	void *self;
	bool (*cancelled)(void *self);
	void (*progress)(void *self, const struct ent_move_progress *p); /* may be NULL */
	/* The mapping, before the first row: see ent_move_copy. Borrowed. May be NULL. */
	void (*report)(void *self, const json_t *report);
	/* Several targets as one transaction: 0 = the decision to commit `name` is durable; called between the last prepare and the first settle.
	 * NULL: several targets are refused. */
	int (*decide)(void *self, const char *name, struct ent_err *err);
};

struct ent_move_copy {
	struct ent_move_end source;
	const struct ent_move_end *targets;
	size_t n_targets;
	const char *const *columns; /* NULL: all that can be copied */
	size_t n_columns;
	const char *const *keys; /* NULL: the source's first key */
	size_t n_keys;
	const char *where; /* in the source's own language, or NULL */
	enum ent_write_mode mode;
	const char *const *allow_lossy; /* columns that may lose something */
	size_t n_allow_lossy;
	bool dry_run, restart, no_wire;
	const char *part_of;     /* what this copy is a part of, in the job's name: a stream's table since it began; NULL: nothing */
	const char *owner;       /* several targets: begins the names of prepared transactions, "entente-ORG-"; nobody else's names begin so */
	unsigned parallel;       /* 0: as many as make sense, at most 2 */
	uint64_t rows_per_split; /* 0: ENT_MOVE_ROWS_PER_SPLIT */
};

struct ent_move_result {
	char job[ENT_MOVE_ID_LEN + 1]; /* from source, targets, mode, columns, where, keys */
	uint64_t rows, bytes, splits;  /* rows and splits of the whole job, also those of an earlier run; bytes of this run */
	uint64_t splits_before;        /* that an earlier run had finished */
	bool wire;                     /* rows travelled as the store's own images */
	char digest[65];               /* hex; see digest.h; of the images when wire */
};

/* Copies one table. The report is an object {exists, rows (or null), splits?, wire, columns: [{name, from, to, verdict, why?}], notes: [text],
 * target}, one per target, before anything is written. With several targets all commit or none.
 *
 * ENT_EUNSUPPORTED: a column cannot be copied, or loses something and is not in allow_lossy (the report has all of them); ENT_EDATA: a value does
 * not fit, or the source changed its schema; ENT_EAGAIN: another run of this job took over; ENT_ECANCELLED. After a failure the finished splits
 * stay with their checkpoints and the next call goes on, unless restart is set. */
int ent_move_copy(const struct ent_move_copy *copy, const struct ent_move_env *env, struct ent_move_result *ret, struct ent_err *err);
/* ENT_EUSAGE: a condition (may be NULL) that is none by itself. dialect: of the connector that reads it, or NULL. */
int ent_move_condition_check(const char *where, const char *dialect, struct ent_err *err);
/* The job's id alone. */
int ent_move_job_id(const struct ent_move_copy *copy, char ret[ENT_MOVE_ID_LEN + 1], struct ent_err *err);
/* Settles what a crash left between prepare and settle in one store: committed(name) says whether decide(name) had become durable. owner: as in
 * the copy. No copy to several targets may run meanwhile. */
int ent_move_settle(const struct ent_move_end *target, const char *owner, bool (*committed)(void *self, const char *name), void *self,
		    size_t *ret_settled, struct ent_err *err);

struct ent_move_compare {
	struct ent_move_end a, b;
	const char *const *columns; /* NULL: all of both */
	size_t n_columns;
	const char *const *keys; /* NULL: a's first key, else b's, else the whole row */
	size_t n_keys;
	const char *where_a, *where_b; /* each in its store's own language, or NULL */
	unsigned limit;                /* differing keys that are shown; 0: 20 */
	size_t memory_bytes_max;       /* 0: 64 MiB */
	bool no_checksum;              /* do not let the stores compare */
	uint64_t split_rows;           /* of which the stores make one checksum; 0: 1,000,000 */
};

struct ent_move_difference {
	bool equal;
	bool in_stores; /* the stores' own checksums were compared: only rows of splits that differ travelled */
	uint64_t rows_a, rows_b;
	char digest_a[65], digest_b[65]; /* order-independent, of canonical texts (in_stores: the stores' own) */
	/* {columns_only_a: [name], columns_only_b, more: bool, keys: [name], rows: [{key: [text], side: "a"|"b"|"both", differ: [{column, a, b}]}]};
	 * texts are null for NULL. New reference; the caller releases it. */
	json_t *details;
};
int ent_move_compare(const struct ent_move_compare *compare, const struct ent_move_env *env, struct ent_move_difference *ret, struct ent_err *err);

const char *ent_move_mode_name(enum ent_write_mode mode); /* "create" ... */
bool ent_move_mode_by_name(const char *name, enum ent_write_mode *ret);
#endif
