/* Preparing a table: its rows go into the embedded engine, rules run there as SQL, what comes out goes to any target as a copy does. Exactly once
 * and what it means is said in move.h; the whole table is one split. Memory: the table has to fit the engine's. */
#ifndef ENT_MOVE_PREPARE_H
#define ENT_MOVE_PREPARE_H
#include "entente/engine.h"
#include "move/move.h"
#include "move/rules.h"

#define ENT_PREPARE_SAMPLES 3u
#define ENT_PREPARE_SAMPLES_MAX 100u

struct ent_move_prepare {
	struct ent_move_end source, target; /* rules are for the columns of the source */
	const struct ent_rules *rules;
	const char *const *columns; /* NULL: all */
	size_t n_columns;
	const char *where; /* in the source's own language, or NULL */
	enum ent_write_mode mode;
	const char *const *allow_lossy;
	size_t n_allow_lossy;
	unsigned samples; /* values shown for each rule */
	bool dry_run;     /* the report, and the mapping; nothing is written */
	const struct ent_engine *engine;
	const struct ent_host *host;
};

struct ent_move_prepared {
	struct ent_move_result copy;
	uint64_t rows_in, rows_out;
	char digest_in[65]; /* see digest.h */
	/* {rows_in, rows_out, dropped, repeated: {by?, rows, samples}, near?: {column, percent, else, rows, samples},
	 * rules: [{column, rule, else?, hits, samples: [text]}]}: new reference */
	json_t *report;
};

/* ENT_ENOTFOUND, ENT_EDATA: the rules do not suit the table; ENT_ENOMEM: it is too large for the engine; else as ent_move_copy. The env's
 * report is the mapping into the target. ret->report may be set after a failure too. */
int ent_move_prepare(const struct ent_move_prepare *prepare, const struct ent_move_env *env, struct ent_move_prepared *ret, struct ent_err *err);
#endif
