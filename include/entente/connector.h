/* The connector ABI: one module per kind of store, loaded at run time. A module exports one symbol, ent_connector_entry.
 *
 * All functions return 0 or an ent_code and fill err (may be NULL). Sessions are read-only unless option "access" says "write", have
 * time-outs and verify TLS fully unless the URL says otherwise. One thread uses a source at a time, and releases one stream before
 * it asks for the next. Rows travel as Arrow batches of at most 65,536 rows and 8 MiB (one longer row travels alone).
 *
 * Field metadata: "entente.native" is the store's own type text; "entente.unsupported" says why no joint query may use the column. Its format
 * is then "n" (never read), or a format that copies may use (text form of a uuid, an array, ...). Schema metadata: "entente.keys", one line per
 * unique key without NULLs, the primary key first, its columns separated by tabs. A stream's get_last_error is "NAME SQLSTATE what", then
 * lines why and next (NAME as in error.h, "-" for none).
 *
 * Formats that copies know: "b" "s" "i" "l" "L" "f" "g" "d:P,S" (P <= 38) "tdD" "ttu" (time of day, microseconds) "tsu:" "tsu:UTC" "u" "z".
 * Where the source has infinite times, a date or timestamp of the type's largest or smallest number is plus or minus infinity; a store
 * without them refuses the value by name. */
#ifndef ENTENTE_CONNECTOR_H
#define ENTENTE_CONNECTOR_H
#include "entente/arrow.h"
#include "entente/host.h"

#define ENT_CONNECTOR_ABI 2

enum ent_connector_capability {
	ENT_CAP_SNAPSHOT = 1,     /* scan */
	ENT_CAP_SPLIT = 2,        /* plan gives more than one split */
	ENT_CAP_CDC = 4,          /* changes: real change data capture, every change in order */
	ENT_CAP_TXN_SINK = 8,     /* sink: rows and checkpoint commit together; without it: idempotent by key, then the checkpoint */
	ENT_CAP_UPSERT = 16,      /* sink: modes upsert and changes */
	ENT_CAP_CHECKSUM = 32,    /* checksum inside the store */
	ENT_CAP_SQL = 64,         /* query: this store's SQL means the same as the plan's (see dialect) */
	ENT_CAP_WRITE = 128,      /* sink at all */
	ENT_CAP_WIRE = 256,       /* read and sink know ENT_READ_WIRE */
	ENT_CAP_POLL = 512,       /* changes: found by polling; deletes and intermediate states may be missed */
	ENT_CAP_TWO_PHASE = 1024, /* sink_prepare, settle, in_doubt */
	ENT_CAP_PARALLEL = 2048   /* several sinks of one job (same epoch, own sources) may write the same table at the same time */
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

/* --- copying (ABI 2) --- */

enum ent_read_flag {
	ENT_READ_WIRE = 1 /* rows as the store's own images: one column "z" named "entente.wire"; only the same connector's sink takes them, into
			   * columns of the very same native types. Schema metadata "entente.wire" names the connector */
};

struct ent_read {
	size_t size;
	const char *object;
	const char *const *columns; /* NULL: all that can be copied */
	size_t n_columns;
	const char *where; /* a condition in the store's own language, or NULL; stores without one refuse it by name */
	const char *split; /* from plan; NULL: everything */
	unsigned flags;
};

struct ent_checksum {
	size_t size;
	uint64_t rows;
	char digest[65]; /* hex; independent of the order of rows, comparable between sources of the same connector only */
};

enum ent_map_verdict { ENT_MAP_EXACT, ENT_MAP_WIDENED, ENT_MAP_LOSSY, ENT_MAP_REFUSED };

struct ent_map_line { /* what becomes of one column */
	size_t size;
	char native[160]; /* the target's type: of the table that is there, or that would be created */
	enum ent_map_verdict verdict;
	char why[200]; /* when not exact */
};

enum ent_write_mode {
	ENT_WRITE_CREATE,  /* the table must not be there */
	ENT_WRITE_APPEND,  /* created when lacking */
	ENT_WRITE_REPLACE, /* its rows are replaced; readers see old or new where the store can do that */
	ENT_WRITE_UPSERT   /* by key; created when lacking */
};

struct ent_target { /* one table of a sink */
	size_t size;
	const char *object;
	const struct ArrowSchema *schema; /* borrowed; what read gave, with native types and keys */
	const char *const *keys;          /* columns of the key for upsert and for a table that is created; NULL: the schema's first key */
	size_t n_keys;
	enum ent_write_mode mode;
	int resume; /* non-zero: the job goes on; the table is there, do not create or empty it */
};

struct ent_sink_checkpoint { /* of one part of a job, in the target's table _entente_checkpoint (job, part, cursor, rows, epoch, hash) */
	size_t size;
	char part[200];   /* "table split", "changes" */
	char cursor[400]; /* where to go on; for a finished split "done" */
	uint64_t rows, epoch;
	char hash[65];
};

enum ent_event_kind {
	ENT_EVENT_ROWS,      /* changes of one table: table, array */
	ENT_EVENT_COMMIT,    /* a transaction ends: cursor may be acknowledged once its rows are durable at the target */
	ENT_EVENT_HEARTBEAT, /* nothing happened up to cursor */
	ENT_EVENT_SCHEMA,    /* table has a new schema from here on */
	ENT_EVENT_TRUNCATE,  /* table was emptied */
	ENT_EVENT_IDLE       /* the time was over */
};

/* Changed rows: child 0 is "entente.op" ("u": I insert, U update, D delete), child 1 "entente.unchanged" ("u", nullable: tab-separated names of
 * columns whose values the log does not repeat), then the table's columns with the values after the change; for D only the key is set. A change of
 * the key is D of the old and I of the new one. */
struct ent_event {
	size_t size;
	enum ent_event_kind kind;
	size_t table;              /* index into objects */
	struct ArrowArray array;   /* ROWS: the receiver releases it */
	struct ArrowSchema schema; /* SCHEMA, and once before a table's first ROWS: the receiver releases it */
	char cursor[400];          /* COMMIT, HEARTBEAT */
	int64_t time_us;           /* when the source committed, UTC; 0 unknown */
	uint64_t retained_bytes;   /* what the source keeps for us; 0 unknown */
};

struct ent_changes_spec {
	size_t size;
	const char *job;            /* names what the source keeps: a slot, a publication; letters, digits and _ */
	const char *const *objects; /* tables to follow */
	size_t n_objects;
	const char *cursor; /* go on after it; NULL: from now on, and the source starts to keep changes */
};

#define ENT_SINK_OVERTAKEN "ENT01" /* sqlstate: another run of the job took the next epoch */

struct ent_sink;
struct ent_changes;

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

	/* ABI 2; NULL where the capability is absent. */

	/* Splits of about rows_per_split rows, as texts that any later session understands; together they cover the table once. With
	 * ENT_CAP_CHECKSUM they also cover any other table once that understands them. */
	int (*plan)(struct ent_source *src, const char *object, uint64_t rows_per_split,
		    int (*take)(void *arg, const char *split, int64_t rows_or_minus_1), void *arg, struct ent_err *err);
	/* Rows of every column that can be copied (also those no joint query may use). */
	int (*read)(struct ent_source *src, const struct ent_read *what, struct ArrowArrayStream *ret, struct ent_err *err);
	/* A name under which other sessions (option "snapshot") see the same state, while src stays open and unused. */
	int (*snapshot)(struct ent_source *src, char ret[200], struct ent_err *err);
	int (*checksum)(struct ent_source *src, const struct ent_read *what, struct ent_checksum *ret, struct ent_err *err);

	/* How the columns of a schema would land in object: lines has one element per column. *ret_exists: the table is there. */
	int (*map)(struct ent_source *src, const struct ent_target *target, struct ent_map_line *lines, int *ret_exists, struct ent_err *err);
	/* A sink holds one transaction at a time over any number of tables. *epoch 0: takes the job's next epoch in the target and returns it, so
	 * that every sink with a lower one fails its next commit with ENT_EAGAIN and sqlstate ENT_SINK_OVERTAKEN; else joins the run that holds that
	 * epoch (parallel parts). Settings of the target ("keyspace-options") are options of src. */
	int (*sink_open)(struct ent_source *src, const char *job, uint64_t *epoch, struct ent_sink **ret, struct ent_err *err);
	int (*sink_table)(struct ent_sink *sink, const struct ent_target *target, size_t *ret_index, struct ent_err *err);
	/* Rows in the table's schema; borrowed. */
	int (*sink_rows)(struct ent_sink *sink, size_t index, const struct ArrowArray *rows, struct ent_err *err);
	/* Changed rows (see ent_event) in their order; deletes included. */
	int (*sink_changes)(struct ent_sink *sink, size_t index, const struct ArrowSchema *schema, const struct ArrowArray *rows,
			    struct ent_err *err);
	int (*sink_truncate)(struct ent_sink *sink, size_t index, struct ent_err *err);
	/* Everything since the last commit and the checkpoint become durable together (TXN_SINK) or in this order. checkpoint may be NULL. */
	int (*sink_commit)(struct ent_sink *sink, const struct ent_sink_checkpoint *checkpoint, struct ent_err *err);
	int (*sink_rollback)(struct ent_sink *sink, struct ent_err *err);
	/* The checkpoint of a part; ENT_ENOTFOUND. */
	int (*sink_last)(struct ent_sink *sink, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err);
	/* All parts are in: replaced tables change over, temporary files get their name, the job's checkpoints go away when forget is set. */
	int (*sink_finish)(struct ent_sink *sink, int forget, struct ent_err *err);
	void (*sink_close)(struct ent_sink *sink); /* what was not committed is gone; NULL is fine */

	/* Two phases: prepare instead of commit, under a name of the caller; settle later from any session. settle of an unknown name is 0 when
	 * commit is 0, else ENT_ENOTFOUND. */
	int (*sink_prepare)(struct ent_sink *sink, const char *name, const struct ent_sink_checkpoint *checkpoint, struct ent_err *err);
	int (*settle)(struct ent_source *src, const char *name, int commit, struct ent_err *err);
	int (*in_doubt)(struct ent_source *src, const char *prefix, int (*take)(void *arg, const char *name), void *arg, struct ent_err *err);

	int (*changes_open)(struct ent_source *src, const struct ent_changes_spec *spec, struct ent_changes **ret, struct ent_err *err);
	/* Waits at most timeout_ms. The source's position lost, its identity changed, its log purged: an error with ENT_EDATA, never a gap. */
	int (*changes_next)(struct ent_changes *c, uint32_t timeout_ms, struct ent_event *ret, struct ent_err *err);
	int (*changes_ack)(struct ent_changes *c, const char *cursor, struct ent_err *err); /* durable at the target */
	void (*changes_close)(struct ent_changes *c); /* NULL is fine; the source keeps what was not acknowledged */
	int (*changes_drop)(struct ent_source *src, const char *job, struct ent_err *err); /* the source keeps nothing for job any more */
	/* The end of the log as a cursor, and whether cursor a lies at or before b (1), after (0). */
	int (*position)(struct ent_source *src, char ret[400], struct ent_err *err);
	int (*position_reached)(const char *a, const char *b);
	/* Columns of table index that the target should follow: new nullable ones, widened types. new_schema: the table's columns, or those of
	 * changes ("entente.op" and "entente.unchanged" first). ENT_EUNSUPPORTED: it cannot; ENT_EAGAIN: only between two transactions. */
	int (*sink_alter)(struct ent_sink *sink, size_t index, const struct ArrowSchema *new_schema, struct ent_err *err);
	/* Whether this very store, as it is set up now, prepares transactions (ENT_EUNSUPPORTED says why not): asked before anything is made in any
	 * of several targets. NULL: what the capability says holds for every session. */
	int (*two_phase)(struct ent_source *src, struct ent_err *err);
	/* Of a sink that committed no rows and has nothing prepared: drops the tables that its sink_table made, if nobody else put rows into them.
	 * With ENT_CAP_TWO_PHASE. */
	int (*sink_undo)(struct ent_sink *sink, struct ent_err *err);
};

typedef const struct ent_connector *(*ent_connector_entry_fn)(void);
#endif
