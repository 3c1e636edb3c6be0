/* Shared by the tests of the HBase connector. */
#ifndef ENT_TEST_HBASE_CASE_H
#define ENT_TEST_HBASE_CASE_H
#include "hb_client.h"
#include "suite.h"

extern const char *hb_port, *hb_folder;
const char *hb_url(const char *ns, const char *rest); /* without TLS; rest: more parameters */
/* Rows as text, cells joined by "|", rows by line feeds; out may be NULL. */
int hb_read_text(const struct ent_connector *c, struct ent_source *src, const struct ent_read *what, struct ent_buf *out, size_t *ret_rows,
		 struct ent_err *e);
/* test_hbase_copy.c: everything that writes. script: test/servers/hbase.sh */
void hb_copy_run(const struct ent_connector *c, struct hb_client *client, const char *script);
#endif
