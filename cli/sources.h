/* Own tables as rows: picks the module for a source, probes it whole, runs an owner's local part. Worker threads only. */
#ifndef ENT_CLI_SOURCES_H
#define ENT_CLI_SOURCES_H
#include "arrow/stream.h"
#include "base/log.h"
#include "entente/engine.h"
#include "node/run.h"
#include "sql/query.h"

struct ent_sources;

/* home: absolute folder of secrets and temporary files. */
int ent_sources_new(const char *home, uint32_t timeout_ms, uint64_t memory_bytes_max, const struct ent_log_sink *log, struct ent_sources **ret,
		    struct ent_err *err);
void ent_sources_free(struct ent_sources *s);                             /* NULL is fine */
const struct ent_engine *ent_sources_engine(const struct ent_sources *s); /* NULL: not installed */
const struct ent_host *ent_sources_host(const struct ent_sources *s);
void ent_sources_cancel(struct ent_sources *s, bool cancel); /* what runs stops soon; any thread */

struct ent_probe_answer { /* owns what facts points to */
	struct ent_arena *arena;
	struct ent_probe_facts facts;
};
int ent_sources_probe(struct ent_sources *s, const struct ent_probe *probe, struct ent_probe_answer *ret, struct ent_err *err);
void ent_probe_answer_deinit(struct ent_probe_answer *a);
/* A deep copy in one arena. */
struct ent_probe *ent_probe_copy(struct ent_arena *arena, const struct ent_probe *p);

/* One statement over own tables. begin: where the tables are and in which dialect; then query, once; end closes everything after the
 * stream was released. */
struct ent_local;
int ent_local_begin(struct ent_sources *s, const struct ent_run_table *const *tables, size_t n, struct ent_local **ret, enum ent_dialect *ret_dialect,
		    const char *const **ret_relations, struct ent_err *err);
int ent_local_query(struct ent_local *l, const char *sql, const struct ent_param *params, size_t n_params, struct ArrowArrayStream *ret,
		    struct ent_err *err);
void ent_local_end(struct ent_local *l); /* NULL is fine */
#endif
