/* Small helpers of MongoDB's tests. */
#ifndef ENT_TEST_MONGODB_KIT_H
#define ENT_TEST_MONGODB_KIT_H
#include "arrow/stream.h"
#include "arrow/value.h"
#include "entente/connector.h"

static inline int kit_rows(void *arg, const struct ent_batch *b, struct ent_err *err)
{
	struct ent_buf *out = (struct ent_buf *)arg;
	for (size_t r = 0; r < b->rows; r++)
		for (size_t i = 0; i < b->n_columns; i++) {
			ent_value_put(&b->columns[i], r, out);
			if (ent_view_null(&b->columns[i], r))
				ent_buf_str(out, "NULL");
			ent_buf_str(out, i + 1 < b->n_columns ? "|" : "\n");
		}
	return ent_buf_check(out, err);
}

/* Appends every row of a read as "value|value\n". */
static inline int kit_dump(const struct ent_connector *c, struct ent_source *s, const char *object, const char *where, const char *split,
			   struct ent_buf *out, struct ent_err *err)
{
	const struct ent_read what = { .size = sizeof what, .object = object, .where = where, .split = split };
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_TRY(c->read(s, &what, &stream, err));
	ENT_TRY(ent_stream_schema(&stream, &schema, err));
	for (;;) {
		ENT_ARRAY_AUTO a = { 0 };
		ENT_BATCH_AUTO b = { 0 };
		ENT_TRY(ent_stream_next(&stream, &a, err));
		if (!a.release)
			return 0;
		ENT_TRY(ent_batch_open_copy(&schema, &a, &b, err));
		ENT_TRY(kit_rows(out, &b, err));
	}
}

/* --- a proxy that cuts --- */

struct kit_proxy;
/* Forwards connections to the host and port of a URL; once armed, the next connection that has brought cut_after bytes from the server is cut. */
struct kit_proxy *kit_proxy_start(const char *url, size_t cut_after);
int kit_proxy_port(const struct kit_proxy *p);
void kit_proxy_arm(struct kit_proxy *p);
int kit_proxy_cuts(struct kit_proxy *p);
void kit_proxy_stop(struct kit_proxy *p);
#endif
