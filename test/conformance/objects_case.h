/* What every connector over an object store must hold, whatever the store: see objects_case.c. */
#ifndef ENT_TEST_CONFORMANCE_OBJECTS_CASE_H
#define ENT_TEST_CONFORMANCE_OBJECTS_CASE_H
#include "suite.h"

struct objects_case {
	const struct ent_connector *connector;
	const char *(*url)(const char *path); /* address of a path that begins with '/'; lent for a while */
	const struct ent_option *options;     /* for reading; writing adds access=write */
	size_t n_options;
	/* Whole files past the connector, by the store's own client; NULL: none. */
	bool (*put)(const char *path, struct ent_bytes bytes);
	bool (*get)(const char *path, struct ent_buf *out);
};

/* files: modules for local files, the first that has the suffix. home: a folder of the test's own. */
void objects_start(const struct ent_connector *const *files, size_t n, const char *home);
void objects_run(const struct objects_case *c);

/* Rows from .. from + n - 1 of a table (id bigint, name text, amount decimal, at timestamp). finish: the file gets its name. */
struct objects_write {
	enum ent_write_mode mode;
	int64_t from, n;
	bool finish;
};
int objects_write(const struct objects_case *c, const char *url, const struct objects_write *w, struct ent_err *e);
/* The same rows come back, in any order. */
int objects_check(const struct objects_case *c, const char *url, int64_t from, int64_t n, struct ent_err *e);
/* Number of files in HOME/objects. */
int objects_left(const char *below);
void objects_tidy(void); /* removes home */
#endif
