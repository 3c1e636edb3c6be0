/* Inside of a stream: what replicate.c (its life) and follow.c (its changes) share. */
#ifndef ENT_MOVE_FOLLOW_H
#define ENT_MOVE_FOLLOW_H
#include "arrow/schema.h"
#include "move/digest.h"
#include "move/replicate.h"

struct ent_follow_table {
	struct ArrowSchema schema;       /* as the sink's table is opened */
	struct ArrowSchema event_schema; /* of the changes that come: op, unchanged, columns */
	uint32_t *known;                 /* hashes of the names of the columns that are followed, as of the target's position */
	size_t n_known;
	uint32_t *types; /* and of their types; none for a stream that began before they were noted */
	size_t n_types;
	bool known_unsaved;
	char *left_out; /* columns, separated by tabs, that the source's log does not carry; NULL: none */
	bool opened;    /* at the sink: with the first changes of this run */
	size_t index;   /* in the sink */
	char stopped[400];
	bool stop_unsaved; /* its reason is not in the target yet: at the next end of a transaction */
};

struct ent_following {
	const struct ent_replicate *spec;
	const struct ent_replicate_env *env;
	struct ent_move_session source, target;
	struct ent_sink *sink;
	struct ent_changes *changes;
	uint64_t epoch;
	struct ent_follow_table *tables;
	const char **objects, **stopped_texts, **left_out_texts;
	enum ent_replicate_state state;
	char begun[400];   /* when the stream began */
	char durable[400]; /* the target's position */
	char seen[400];    /* the end of the last transaction that came whole */
	char goal[400];    /* caught up once it is reached */
	uint64_t rows_copied, rows_before, rows_applied, transactions, retained;
	uint64_t rows_open, transactions_open; /* since the last commit */
	bool in_transaction;                   /* rows came after seen */
	int64_t lag_us, last_time_us, commit_us, batch_us;
	uint32_t wait_ms;
	struct { /* for the ledger, since the last batch */
		char from[400];
		uint64_t rows, transactions;
		struct ent_move_digest digest;
	} batch;
};

void ent_following_tell(struct ent_following *f, const char *trouble);
int ent_following_mark(struct ent_following *f, const char *part, const char *cursor, uint64_t rows, struct ent_err *err);
/* columns.c: the columns that are followed stand in the target ("schema TABLE N"), so that a change of them is noticed also between two runs. */
int ent_following_known(struct ent_following *f, size_t i, struct ent_err *err);      /* reads them; at first those of the source now */
int ent_following_known_save(struct ent_following *f, size_t i, struct ent_err *err); /* at the end of a transaction */
int ent_following_left_out(struct ent_following *f, size_t i, struct ent_err *err);   /* asks the source which columns its log does not carry */
/* The columns of the source's table that are copied and followed; NULL and 0 when it is all of them. The list is the caller's to free. */
int ent_following_chosen(struct ent_following *f, size_t i, struct ArrowSchema *ret_schema, const char ***ret, size_t *ret_n, struct ent_err *err);
/* Takes all rows out of the target's table, when there is one. */
int ent_following_emptied(struct ent_following *f, size_t i, struct ent_err *err);
/* Takes the schema that comes with changes of table i: opens the sink's table, or lets it follow. ENT_OK with *ret_why filled: it cannot be followed.
 */
int ent_following_columns(struct ent_following *f, size_t i, struct ArrowSchema *event, char ret_why[400], struct ent_err *err);
int ent_following_last(struct ent_following *f, const char *part, bool *ret_found, char cursor[400], struct ent_err *err);
/* Reads and applies changes until cancelled or caught up (0) or a failure. */
int ent_following_follow(struct ent_following *f, struct ent_err *err);
/* Tells the env about what became durable, when it is time or end is set. */
int ent_following_batch(struct ent_following *f, bool end, struct ent_err *err);
#endif
