/* PostgreSQL's replication messages: the first byte says the protocol version, then messages with be16 lengths; each is read as a frame too.
 * fuzz-deps: pg_wire_dep */
#include "pgoutput.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything a message lends must lie within it. */
static void touch(const struct ent_pgout_tuple *t, struct ent_bytes m)
{
	for (size_t i = 0; i < t->n; i++)
		ENT_ASSERT(!t->values[i].bytes.len ||
			   (t->values[i].bytes.data >= m.data && t->values[i].bytes.data + t->values[i].bytes.len <= m.data + m.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ent_pgout d = { .version = size ? data[0] % 5u : 1 };
	struct ent_pgout_frame frame;
	struct ent_pgout_msg *m = (struct ent_pgout_msg *)calloc(1, sizeof *m);
	struct ent_reader r = ent_reader(ent_bytes(data, size));
	ent_read_u8(&r);
	while (m && r.ok && ent_reader_left(&r)) {
		struct ent_bytes part = ent_read(&r, ent_read_be16(&r));
		if (!r.ok)
			break;
		(void)ent_pgout_frame(part, &frame, NULL);
		if (ent_pgout_decode(&d, part, m, NULL))
			continue;
		touch(&m->old, part);
		touch(&m->now, part);
		for (size_t i = 0; i < m->n_columns; i++)
			ENT_ASSERT((const uint8_t *)m->columns[i].name >= part.data && strlen(m->columns[i].name) < part.len);
	}
	free(m);
	return 0;
}
