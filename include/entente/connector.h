/* The connector ABI: one module per kind of store, loaded at run time. A module exports one symbol, ent_connector_entry.
 *
 * All functions return 0 or an ent_code and fill err (may be NULL). Sessions are read-only, have time-outs and verify TLS fully unless the
 * URL says otherwise. One thread uses a source at a time, and releases one stream before
 * it asks for the next. Rows leave as Arrow batches of at most 65,536 rows and 8 MiB.
 * Field metadata carries "entente.native" (the store's own type text); a column that has no joint type is described with format "n" and
 * "entente.unsupported" = the reason, and cannot be scanned. Schema metadata may carry "entente.keys": one line per unique key without NULLs,
 * its columns separated by tabs. A stream's get_last_error is "NAME SQLSTATE what", then lines why and next (NAME as in error.h, "-" for none).
 * Functions for writing and changes are appended in later versions. */
#ifndef ENTENTE_CONNECTOR_H
#define ENTENTE_CONNECTOR_H
#include "entente/arrow.h"
#include "entente/host.h"

#define ENT_CONNECTOR_ABI 1

enum ent_connector_capability {
	ENT_CAP_SNAPSHOT = 1, /* scan */
	ENT_CAP_SPLIT = 2,
	ENT_CAP_SQL = 64 /* query: this store's SQL means the same as the plan's (see dialect) */
};

struct ent_option { /* an option of `add`, such as --null NA: key "null", value "NA" */
	const char *key, *value;
};

struct ent_param {          /* one literal of a pushed-down statement; bound, never spliced into text */
	const char *format; /* Arrow format of its type: "b" "s" "i" "l" "g" "d:18,2" "tdD" "tsu:" "tsu:UTC" "u" */
	const char *text;   /* canonical text of the value, NULL = NULL */
};

struct ent_source; /* module's own */

struct ent_object { /* what describe says about one table or file, beside its schema */
	size_t size;
	char relation[600]; /* how to name it in FROM in this store's SQL, quoted */
	int64_t rows;       /* exact count when known, else -1 */
	char version[80];   /* changes when the content may have changed (mtime+size, ...); may be empty */
};

struct ent_connector {
	size_t size;
	uint32_t abi;
	const char *name;     /* "postgresql" */
	const char *schemes;  /* blank-separated: "postgresql postgres"; "file" claims plain paths by the suffixes below */
	const char *suffixes; /* blank-separated: "csv parquet"; may be empty */
	const char *dialect;  /* "postgresql", "duckdb", "sqlite": which SQL printer speaks to it */
	uint32_t capabilities;

	/* url without "#object"; secrets may come in options ("password-file"). */
	int (*open)(const struct ent_host *host, const char *url, const struct ent_option *options, size_t n_options, struct ent_source **ret,
		    struct ent_err *err);
	void (*close)(struct ent_source *src); /* NULL is fine */
	/* object: text after '#', or "" for a plain file. Schema: a struct whose children are the columns. */
	int (*describe)(struct ent_source *src, const char *object, struct ArrowSchema *ret_schema, struct ent_object *ret_object,
			struct ent_err *err);
	/* Named columns of the object, all rows, in the store's order. */
	int (*scan)(struct ent_source *src, const char *object, const char *const *columns, size_t n_columns, struct ArrowArrayStream *ret,
		    struct ent_err *err);
	/* One SELECT in the module's dialect, parameters as $1, $2 ...; NULL where ENT_CAP_SQL is absent. */
	int (*query)(struct ent_source *src, const char *object, const char *sql, const struct ent_param *params, size_t n_params,
		     struct ArrowArrayStream *ret, struct ent_err *err);
};

typedef const struct ent_connector *(*ent_connector_entry_fn)(void);
#endif
