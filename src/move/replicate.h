/* Replication: a named stream that copies tables once and then follows the source's changes, for ever or until it has caught up.
 *
 * No gap: the source begins to keep changes and its position is durable in the target before the first row is read; every table is copied by upsert
 * (resumable, split by split); then all changes since that position are applied by key. While changes older than the end of the copy are
 * applied again, the target may show mixed moments ("catching up"); from then on it shows a state that the source had, transaction by transaction.
 *
 * Exactly once: the position stands in the target's _entente_checkpoint (job NAME, part "changes") and commits with the rows; a source is
 * acknowledged only after that. Targets without transactions: at least once, idempotent by key. A run that comes back goes on from the target's
 * position; a run that was overtaken by another one stops at its next commit (epoch). */
#ifndef ENT_MOVE_REPLICATE_H
#define ENT_MOVE_REPLICATE_H
#include "move/move.h"

#define ENT_REPLICATE_NAME_MAX 40

struct ent_replicate_table {
	const char *source, *target; /* objects in their stores */
	const char *const *keys;     /* NULL: the source's first key */
	size_t n_keys;
};

enum ent_replicate_state { ENT_REPLICATE_STARTING, ENT_REPLICATE_COPYING, ENT_REPLICATE_CATCHING_UP, ENT_REPLICATE_STREAMING, ENT_REPLICATE_WAITING };

struct ent_replicate_status { /* borrowed during the call */
	enum ent_replicate_state state;
	const char *kind;    /* "change data capture", or "poll (deletes and states in between are not seen)" */
	const char *promise; /* "exactly once", or "at least once, idempotent by key" */
	uint64_t rows_copied, rows_applied, transactions;
	int64_t lag_us;          /* now minus the commit time of the last applied change while more is coming; 0 when caught up */
	uint64_t lag_rows;       /* read and not yet committed */
	uint64_t retained_bytes; /* kept by the source for us; 0 unknown */
	const char *cursor;
	const char *trouble; /* waiting: why, and the next try; "" else */
	size_t n_tables;
	const char *const *stopped; /* per table: why it was stopped, NULL while it runs */
	const char *const
		*left_out; /* per table: columns, separated by tabs, that are not followed because the source's log lacks them; NULL: none */
};

struct ent_replicate_batch {   /* what was made durable since the last one: for the ledger */
	const char *from, *to; /* cursors; from "copy": the rows that were copied at first */
	uint64_t rows, transactions;
	char digest[65]; /* digest.h over the canonical bytes of the changed rows */
};

struct ent_replicate_env { /* on the caller's thread; cancelled: any thread */
	void *self;
	bool (*cancelled)(void *self);
	void (*status)(void *self, const struct ent_replicate_status *s);
	int (*batch)(void *self, const struct ent_replicate_batch *b, struct ent_err *err); /* may be NULL; a failure stops the stream */
	int64_t (*now_us)(void *self);                                                      /* UTC */
	void (*wait_ms)(void *self, uint32_t ms);                                           /* between tries; returns early when cancelled */
};

struct ent_replicate {
	const char *name;                   /* letters, digits, _; names what source and target keep */
	struct ent_move_end source, target; /* object is not used; open may be called again after a failure */
	const struct ent_replicate_table *tables;
	size_t n_tables;
	bool until_caught_up;           /* ends when everything committed at the source before the copy ended, or before this call, is applied */
	bool restart;                   /* forgets everything, empties the target's tables and begins anew */
	uint64_t rows_per_split;        /* 0: the default of copies */
	const char *const *allow_lossy; /* columns that may lose something, of any table */
	size_t n_allow_lossy;
	uint32_t commit_rows; /* target transaction at least every so many rows, at a source transaction's end; 0: 20,000 */
	uint32_t commit_ms;   /* and at least so often; 0: 500 */
	uint32_t batch_ms;    /* a batch for the ledger at least so often while rows flow; 0: 60,000 */
};

/* Runs until cancelled (0), caught up (0), or a trouble that time does not mend: ENT_EDATA (the source lost our position, a value does not fit),
 * ENT_EUNSUPPORTED, ENT_EAGAIN (another run took over), ENT_EUSAGE. Lost connections are tried again, with longer and longer waits.
 * A table whose schema changed in a way that cannot be followed is stopped, with its reason in the target's checkpoint; the others go on. */
int ent_replicate_run(const struct ent_replicate *spec, const struct ent_replicate_env *env, struct ent_err *err);
/* Ends a stream for good: the source keeps nothing for it any more, its checkpoints go. Rows stay. */
int ent_replicate_drop(const struct ent_replicate *spec, struct ent_err *err);
#endif
