/* One suite for every connector: the same table, the same expectations; what a store cannot hold exactly is said in its row of data. */
#ifndef ENT_TEST_CONFORMANCE_SUITE_H
#define ENT_TEST_CONFORMANCE_SUITE_H
#include "arrow/stream.h"
#include "arrow/value.h"
#include "entente/engine.h"
#include "tap.h"

#define SUITE_COLUMNS 12
#define SUITE_ROWS 5
#define SUITE_LONG_TEXT (1u << 20)

/* The canonical table: names, types of PostgreSQL and DuckDB, and rows as text (NULL = NULL; "LONG" = SUITE_LONG_TEXT letters x). */
extern const char *const suite_names[SUITE_COLUMNS];
extern const char *const suite_types[SUITE_COLUMNS];
extern const char *const suite_rows[SUITE_ROWS][SUITE_COLUMNS];
/* "(v, v, ...), (...)" with every value as a quoted text cast to its type; long: with the long text written as repeat('x', n). */
void suite_values(struct ent_buf *out, bool casts);

struct suite_store {
	const char *name;
	const char *url, *object; /* holds the canonical table */
	const struct ent_option *options;
	size_t n_options;
	const char *types[SUITE_COLUMNS];         /* joint types as described, NULL: as suite_types say in the joint spelling */
	bool keys;                                /* describe knows the key "id" */
	bool positive_zero;                       /* the store keeps -0 as 0 */
	bool no_zone;                             /* the column "instant" has no zone and is in UTC */
	bool own_order;                           /* columns are described in the store's order */
	bool ordered;                             /* rows come in the order written */
	const char *empty_url, *empty_object;     /* same columns, no rows; NULL: not possible */
	const char *missing_url, *missing_object; /* ENT_ENOTFOUND at open or describe */
	const char *bad_url, *bad_object;         /* broken file: ENT_EDATA at open or describe, NULL: not possible */
	const char *hidden_url, *hidden_object;   /* has column "odd" without joint type and column "id", NULL: none */
};

const struct ent_connector *suite_module(const char *path);
const struct ent_engine *suite_engine(const char *path);
struct ent_host suite_host(void);
extern uint32_t suite_timeout_ms;
extern const char *suite_home; /* of every host from here on; may be NULL */
extern const struct ent_connector *(*suite_files)(void *self, const char *suffix);
extern int suite_cancel_after; /* calls of cancelled until it says yes; negative: never */
void suite_run(const struct ent_connector *c, const struct suite_store *s);

/* Opens; opens and describes; scans one text column; for a store's own tests. Returns the code, fills e. */
int suite_open(const struct ent_connector *c, const char *url, const struct ent_option *options, size_t n_options, struct ent_err *e);
int suite_open_describe(const struct ent_connector *c, const char *url, const char *object, const struct ent_option *options, size_t n_options,
			struct ent_err *e);
int suite_scan_count(const struct ent_connector *c, const char *url, const char *object, const char *column, size_t *ret_rows, struct ent_err *e);
int suite_query_text(const struct ent_connector *c, const char *url, const char *object, const char *sql, const struct ent_param *params, size_t n,
		     struct ent_buf *out, struct ent_err *e);
/* Opens and closes; the code, fills e. */
int suite_open_code(const struct ent_connector *c, const char *url, const struct ent_option *options, size_t n_options, struct ent_err *e);
/* object has 200,000 rows and the columns "s", "v": all come, and a source whose streams were given up in the middle three times can be used again:
 * it is the caller's to close. */
struct ent_source *suite_given_up(const struct ent_connector *c, const char *url, const char *object);
#endif
