/* What the tests of MySQL share: a connection of their own, the canonical table, reading streams into text. */
#ifndef ENT_TEST_CONFORMANCE_MY_KIT_H
#define ENT_TEST_CONFORMANCE_MY_KIT_H
#include <mysql.h>
#include <stdlib.h>

#include "suite.h"

extern const char *kit_port, *kit_password_file, *kit_ca;
extern bool kit_mariadb;

bool kit_open(int argc, char **argv); /* MODULE NAME PORT PASSWORD-FILE CA */
void kit_close(void);
const char *kit_url(const char *rest);
int kit_run(const char *sql); /* a failure is a failed check */
/* All rows: columns by ',', rows by ';', NULL as "NULL". */
const char *kit_ask(const char *sql);
void kit_digits(void);                 /* table digits(n): 0 to 99 */
void kit_canonical(const char *table); /* inserts the suite's rows */
void kit_kill_others(void);            /* ends every other session */
int kit_count(struct ArrowArrayStream *stream, size_t *ret_rows, struct ent_err *e);
int kit_read(const struct ent_connector *c, const struct ent_read *what, struct ent_buf *out, struct ent_err *e);
int kit_describe(const struct ent_connector *c, const char *object, struct ArrowSchema *ret, struct ent_err *e);
void kit_rows_put(const struct ent_batch *b, struct ent_buf *out); /* rows as text, one per line, NULL as ~ */
#endif
