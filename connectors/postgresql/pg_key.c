/* The key of a table that the sink made. Rows go in without it, and it is added when they are there: one sort costs half of an index that grows row
 * by row. Until then a row among the job's checkpoints says that the key is due, so that a run that goes on knows. */
#include <stdio.h>

#include "pg_sink.h"

static void part_put(const struct ent_pg_dest *d, char ret[200]) { snprintf(ret, 200, "entente.key %s.%s", d->schema, d->table); }

static int note(struct ent_sink *k, const struct ent_pg_dest *d, struct ent_err *err)
{
	struct ent_sink_checkpoint c = { .size = sizeof c, .cursor = "due" };
	part_put(d, c.part);
	return ent_pg_checkpoint_put(k, &c, err);
}

int ent_pg_key_forget(struct ent_sink *k, struct ent_pg_dest *d, struct ent_err *err)
{
	char part[200];
	part_put(d, part);
	d->key_due = false;
	return ent_pg_checkpoint_drop(k, part, err);
}

int ent_pg_key_later(struct ent_sink *k, struct ent_pg_dest *d, const char *create, struct ent_err *err)
{
	bool mine = !k->open;
	ENT_TRY(ent_pg_sink_begin(k, err));
	int code = ent_pg_sink_run(k, create, "the target table cannot be made", err);
	code = code ? code : note(k, d, err);
	if (code && mine)
		(void)ent_pg_sink_rollback(k, NULL);
	ENT_TRY(code);
	d->key_due = true;
	return mine ? ent_pg_sink_commit(k, NULL, err) : 0;
}

int ent_pg_key_ask(struct ent_sink *k, struct ent_pg_dest *d, struct ent_err *err)
{
	struct ent_sink_checkpoint c = { .size = sizeof c };
	struct ent_err quiet = ENT_ERR_INIT;
	char part[200];
	part_put(d, part);
	int code = ent_pg_sink_last(k, part, &c, &quiet);
	d->key_due = !code;
	if (code && code != ENT_ENOTFOUND) {
		if (err)
			*err = quiet;
		return code;
	}
	return 0;
}

/* A table that was dropped between two runs was made anew, with its key. */
static int key_there(struct ent_sink *k, const struct ent_buf *table, bool *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	const char *const name = ent_buf_text(table);
	ENT_TRY(ent_pg_run(k->src, "SELECT 1 FROM pg_index WHERE indrelid = CAST($1 AS regclass) AND indisprimary", &name, 1, &r,
			   "the keys of the target cannot be read", err));
	*ret = PQntuples(r) > 0;
	return 0;
}

static int key_make(struct ent_sink *k, const struct ent_pg_dest *d, const struct ent_buf *table, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(8000);
	ent_buf_printf(&sql, "ALTER TABLE %s ADD PRIMARY KEY (", ent_buf_text(table));
	for (size_t i = 0; i < d->n_keys; i++) {
		ent_buf_str(&sql, i ? ", " : "");
		ent_pg_name(&sql, d->keys[i]);
	}
	ent_buf_str(&sql, ")");
	ENT_TRY(ent_buf_check(&sql, err));
	return ent_pg_sink_run(k, ent_buf_text(&sql), "the table cannot be given its key", err);
}

int ent_pg_key_add(struct ent_sink *k, struct ent_pg_dest *d, const struct ent_buf *table, struct ent_err *err)
{
	char part[200];
	bool there;
	if (!d->key_due)
		return 0;
	part_put(d, part);
	ENT_TRY(ent_pg_load_end(k, err));
	ENT_TRY(ent_pg_sink_begin(k, err));
	ENT_TRY(key_there(k, table, &there, err));
	if (!there)
		ENT_TRY(key_make(k, d, table, err));
	ENT_TRY(ent_pg_checkpoint_drop(k, part, err));
	d->key_due = false;
	return 0;
}
