/* What the tests of MySQL share: a connection of their own, the canonical table, reading streams into text. */
#ifndef ENT_TEST_CONFORMANCE_MY_KIT_H
#define ENT_TEST_CONFORMANCE_MY_KIT_H
#include <mysql.h>
#include <stdlib.h>

#include "suite.h"

extern const char *mykit_port, *mykit_password_file, *mykit_ca;
extern bool mykit_mariadb;

bool mykit_open(int argc, char **argv); /* MODULE NAME PORT PASSWORD-FILE CA */
void mykit_close(void);
const char *mykit_url(const char *rest);
int mykit_run(const char *sql); /* a failure is a failed check */
/* All rows: columns by ',', rows by ';', NULL as "NULL". */
const char *mykit_ask(const char *sql);
void mykit_digits(void);                 /* table digits(n): 0 to 99 */
void mykit_canonical(const char *table); /* inserts the suite's rows */
bool mykit_purge(void);                  /* every file of the log up to now goes away */
void mykit_kill_others(void);            /* ends every other session */
int mykit_count(struct ArrowArrayStream *stream, size_t *ret_rows, struct ent_err *e);
int mykit_read(const struct ent_connector *c, const struct ent_read *what, struct ent_buf *out, struct ent_err *e);
int mykit_describe(const struct ent_connector *c, const char *object, struct ArrowSchema *ret, struct ent_err *e);
void mykit_rows_put(const struct ent_batch *b, struct ent_buf *out); /* rows as text, one per line, NULL as ~ */
#endif
