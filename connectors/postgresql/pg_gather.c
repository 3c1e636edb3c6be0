/* Small batches of changed rows wait in the sink until there are many: transactions that touch several tables in turn come as batches of a row or
 * two, and a statement for each costs ten times what their share of a large one does.
 *
 * The order of one table's rows is kept, the order among tables is not; it all happens in one transaction, so nobody sees the difference, unless
 * the target's tables look at each other: foreign keys, triggers, rules, policies. The changes of those are applied as they come. */
#include "pg_sink.h"

#define WAIT_ROWS 16384
#define WAIT_BYTES ((size_t)16 << 20)

static size_t waiting_bytes(const struct ent_sink *k)
{
	size_t bytes = 0;
	for (size_t i = 0; i < k->n_dests; i++)
		bytes += k->dests[i]->gather.bytes;
	return bytes;
}

static int dest_apply(struct ent_sink *k, struct ent_pg_dest *d, struct ent_err *err)
{
	ENT_ARRAY_AUTO rows = { 0 };
	size_t n = ent_gather_rows(&d->gather);
	if (!n)
		return 0;
	ENT_TRY(ent_gather_take(&d->gather, &rows, err));
	k->gathered -= n;
	return ent_pg_changes_apply(k, d, &d->gather.schema, &rows, err);
}

int ent_pg_gathers_apply(struct ent_sink *k, struct ent_err *err)
{
	for (size_t i = 0; k->gathered && i < k->n_dests; i++)
		ENT_TRY(dest_apply(k, k->dests[i], err));
	return 0;
}

void ent_pg_gathers_drop(struct ent_sink *k)
{
	for (size_t i = 0; i < k->n_dests; i++) {
		ent_gather_deinit(&k->dests[i]->gather);
		k->dests[i]->asked = false;
	}
	k->gathered = 0;
}

/* Asked in every transaction: a foreign key may be added at any time. */
static int ordered_ask(struct ent_sink *k, struct ent_pg_dest *d, struct ent_err *err)
{
	static const char sql[] =
		"SELECT c.relrowsecurity OR c.relhasrules OR c.relkind <> 'r' OR EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = c.oid) "
		"FROM pg_class c WHERE c.oid = CAST($1 AS regclass)"; /* both ends of a foreign key have triggers */
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	const char *const name = ent_buf_text(&d->goes);
	ENT_TRY(ent_pg_sink_exec(k, sql, &name, 1, &r, "the target table cannot be looked at", err));
	d->ordered = PQntuples(r) != 1 || PQgetvalue(r, 0, 0)[0] != 'f';
	d->asked = true;
	return 0;
}

static int may_wait(struct ent_sink *k, struct ent_pg_dest *d, bool *ret, struct ent_err *err)
{
	*ret = false;
	if (k->src->cockroach)
		return 0;
	ENT_TRY(ent_pg_load_end(k, err));
	ENT_TRY(ent_pg_sink_begin(k, err));
	if (!d->asked)
		ENT_TRY(ordered_ask(k, d, err));
#ifdef ENT_MUTANT_PG_GATHER_ALWAYS
	d->ordered = false;
#endif
	*ret = !d->ordered;
	return 0;
}

int ent_pg_sink_changes(struct ent_sink *k, size_t index, const struct ArrowSchema *schema, const struct ArrowArray *rows, struct ent_err *err)
{
	bool waits = false;
	if (index >= k->n_dests)
		return ent_fail(err, ENT_EINTERNAL, "the sink has no table %zu", index);
	struct ent_pg_dest *d = k->dests[index];
	ENT_TRY(may_wait(k, d, &waits, err));
	for (int tries = 0; waits && tries < 2; tries++) {
		bool taken = false;
		ENT_TRY(ent_gather_add(&d->gather, schema, rows, &taken, err));
		if (taken) {
			k->gathered += (size_t)rows->length;
			return k->gathered >= WAIT_ROWS || waiting_bytes(k) >= WAIT_BYTES ? ent_pg_gathers_apply(k, err) : 0;
		}
		waits = ent_gather_rows(&d->gather) > 0;
#ifndef ENT_MUTANT_PG_GATHER_OVERTAKEN
		ENT_TRY(dest_apply(k, d, err)); /* what came before goes first */
#endif
	}
	return ent_pg_changes_apply(k, d, schema, rows, err);
}
