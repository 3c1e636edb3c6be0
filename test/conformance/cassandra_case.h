/* Shared by the tests of the Cassandra connector. */
#ifndef ENT_TEST_CASSANDRA_CASE_H
#define ENT_TEST_CASSANDRA_CASE_H
#include "cql_client.h"
#include "suite.h"

extern const char *cass_port, *cass_folder;
const char *cass_url(const char *rest); /* of keyspace k without TLS; rest: more parameters */
/* Rows as text, cells joined by "|", rows by line feeds; out may be NULL. */
int cass_read_text(const struct ent_connector *c, struct ent_source *src, const struct ent_read *what, struct ent_buf *out, size_t *ret_rows,
		   struct ent_err *e);
/* test_cassandra_copy.c: everything that writes. script: test/servers/cassandra.sh */
void cass_copy_run(const struct ent_connector *c, struct cql_client *client, const char *script);
/* test_cassandra_poll.c */
void cass_poll_run(const struct ent_connector *c, struct cql_client *client);
#endif
