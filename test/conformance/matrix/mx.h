/* The type matrix by value. Each store's own client writes the edges of each of its own types into one table; the connector reads that table, whose
 * texts are checked; then it is copied into every store by src/move, what a store refuses is taken out and noted, and what the target's connector
 * reads back must equal what was read at the source. Since every store is a source, too, each reader is held to values that no sink wrote. */
#ifndef ENT_TEST_MATRIX_MX_H
#define ENT_TEST_MATRIX_MX_H
#include "../suite.h"
#include "move/move.h"

#define MX_COLUMNS 64u
#define MX_ROWS 16u /* row 0 is NULL everywhere */
#define MX_STORES 16u
#define MX_LONG "{LONG}" /* in a literal: SUITE_LONG_TEXT letters x */

struct mx_value {
	const char *label, *literal; /* literal in the store's own language */
	const char *want;            /* how it is read, "{LONG}" too; NULL: as the literal, without its quotes; "*": not looked at */
};

struct mx_column {
	const char *name, *type;
	struct mx_value values[MX_ROWS - 1];
};

struct mx_place { /* where a store is, from the command line */
	const char *url, *password_file, *ca_file, *work;
};

struct mx_store {
	const char *kind, *title;
	const struct mx_column *columns;
	size_t n_columns;
	int (*start)(const struct mx_place *p); /* failures are failed checks */
	void (*stop)(void);
	/* The table of all columns under name; left_out[column][row]: NULL instead. Replaces one that is there. */
	int (*make)(const char *name, bool left_out[MX_COLUMNS][MX_ROWS]);
	void (*drop)(const char *name); /* a table or file of that name, if there is one */
	/* Where a copy finds it; both lent until the next call. */
	const char *(*url)(const char *name);
	const char *(*object)(const char *name);
	const char *(*back_url)(const char *name); /* what stands for it when it is read back; NULL: url */
	const struct ent_option *reading;          /* of the source */
	size_t n_reading;
	const struct ent_option *back; /* of reading what a copy wrote */
	size_t n_back;
	const struct ent_option *writing;
	size_t n_writing;
	bool images;           /* as a copy to itself: row images are looked at, too */
	const char *no_images; /* columns that do not travel as row images */
};

extern const struct mx_store mx_sqlite, mx_duckdb, mx_parquet, mx_csv, mx_json, mx_arrow, mx_postgresql, mx_mariadb, mx_mysql, mx_cassandra,
	mx_mongodb, mx_hbase;
extern struct mx_store mx_hdfs, mx_gluster; /* carriers of files: their columns are those of the format */

/* --- texts for the stores --- */

void mx_literal(struct ent_buf *out, const char *literal); /* with long texts written out */
/* "(id BIGINT PRIMARY KEY, a T, b U)"; key: text of the id column. */
void mx_sql_columns(struct ent_buf *out, const struct mx_store *s, const char *key);
/* "(3, v, NULL, w)"; untyped: what a value is written as, with %s for the literal and %t for the type; NULL: as it is. */
void mx_sql_row(struct ent_buf *out, const struct mx_store *s, size_t row, bool left_out[MX_COLUMNS][MX_ROWS]);
size_t mx_rows(const struct mx_store *s);
const struct mx_value *mx_value_at(const struct mx_store *s, size_t column, size_t row); /* NULL: none */
extern const char *mx_work;                                                              /* folder for files */
bool mx_file_read(const char *path, struct ent_buf *out);

/* --- tables in memory --- */

struct mx_table {
	struct ArrowSchema described, schema;
	struct ArrowArray batches[64];
	struct ent_batch open[64];
	size_t n_batches;
	size_t batch_of[MX_ROWS], row_of[MX_ROWS]; /* by id - 1 */
	size_t n_rows;
};

int mx_table_read(const struct ent_connector *c, const char *url, const char *object, const struct ent_option *o, size_t n_o, struct mx_table *ret,
		  struct ent_err *e);
void mx_table_free(struct mx_table *t);
int mx_table_column(const struct mx_table *t, const char *name); /* -1 */
static inline const struct ent_view *mx_table_view(const struct mx_table *t, size_t row, int column)
{
	return &t->open[t->batch_of[row]].columns[column];
}

/* --- one source --- */

struct mx_source {
	const struct mx_store *store;
	const struct ent_connector *connector;
	struct mx_table table;
	bool carried[MX_COLUMNS];           /* copies can read it */
	char why[MX_COLUMNS][300];          /* when not */
	bool left_out[MX_COLUMNS][MX_ROWS]; /* refused when it was read */
	char refused[MX_COLUMNS][MX_ROWS][400];
};

/* Fills the store, reads it back, checks every text. false: not usable (a failed check says why). */
bool mx_source_load(const struct mx_store *s, const struct ent_connector *c, struct mx_source *ret);
void mx_source_free(struct mx_source *s);

struct mx_replay { /* the source's rows once more, some values as NULL */
	const struct mx_source *source;
	bool (*left_out)[MX_ROWS];
	const bool *rows; /* which ones; NULL: all */
	struct ent_connector connector;
};
struct ent_move_end mx_replay_end(struct mx_replay *r);

struct mx_end { /* a real end */
	const struct ent_connector *connector;
	const char *url;
	const struct ent_option *options;
	size_t n_options;
};
struct ent_move_end mx_real_end(struct mx_end *end, const char *object);

/* Which value an error names; false: it names no column of the table, or no row. *ret_row may be MX_ROWS: only the column is named. */
bool mx_blame(const struct mx_source *s, const struct ent_err *e, size_t *ret_column, size_t *ret_row);

/* --- one pair --- */

enum mx_code { MX_SAME = '=', MX_REFUSED = 'v', MX_SOURCE = 's', MX_NONE = '.', MX_UNNAMED = 'u', MX_WRONG = '!' };

struct mx_pair {
	struct mx_source *from;
	const struct mx_store *to;
	const struct ent_connector *connector; /* of the target */
	bool chosen[MX_COLUMNS];
	char native[MX_COLUMNS][160], verdict[MX_COLUMNS][16], why[MX_COLUMNS][200];
	char code[MX_COLUMNS][MX_ROWS];
	char text[MX_COLUMNS][MX_ROWS][400];
	bool left_out[MX_COLUMNS][MX_ROWS];
};

void mx_pair_run(struct mx_pair *p);
/* The lines of the report: type and what became of it. */
void mx_source_put(const struct mx_source *s, struct ent_buf *out);
void mx_pair_put(const struct mx_pair *p, struct ent_buf *out);
#endif
