/* The engine ABI: SQL over Arrow streams, for the local part of a plan whose store has no SQL of its own, and for `prepare`.
 * A module exports ent_engine_entry. One thread uses a session at a time. */
#ifndef ENTENTE_ENGINE_H
#define ENTENTE_ENGINE_H
#include "entente/connector.h"

#define ENT_ENGINE_ABI 1

struct ent_session;

struct ent_engine {
	size_t size;
	uint32_t abi;
	const char *name;    /* "duckdb" */
	const char *dialect; /* "duckdb" */
	int (*open)(const struct ent_host *host, struct ent_session **ret, struct ent_err *err);
	void (*close)(struct ent_session *s); /* NULL is fine */
	/* Makes the rows of a stream (consumed and released) a table called name in this session. */
	int (*load)(struct ent_session *s, const char *name, struct ArrowArrayStream *rows, struct ent_err *err);
	int (*query)(struct ent_session *s, const char *sql, const struct ent_param *params, size_t n_params, struct ArrowArrayStream *ret,
		     struct ent_err *err);
};

typedef const struct ent_engine *(*ent_engine_entry_fn)(void);
#endif
