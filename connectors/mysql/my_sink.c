/* The sink's transactions: rows and checkpoint in one XA transaction of InnoDB (committed in one phase, or prepared and settled later), the epoch
 * looked at under a lock just before the commit, everything that commits by itself on a second session. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "my_sink.h"

#define TABLES_MAX 1000
#define POINTS "`_entente_checkpoint`"
#define SQL_AUTO ENT_CLEANUP(ent_buf_deinit) struct ent_buf

static void xid_draw(struct ent_sink *k)
{
	uint8_t raw[12] = { 0 };
	if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw) {
		uint64_t t = ent_dial_now_ms();
		memcpy(raw, &t, sizeof t); /* a clash is refused by the server */
	}
	memcpy(k->xid, "entente-", 8);
	ent_hex(k->xid + 8, raw, sizeof raw);
}

/* --- checkpoints --- */

static void where_part(const struct ent_sink *k, const char *part, struct ent_buf *sql)
{
	ent_buf_str(sql, " WHERE job = ");
	ent_my_text_literal(sql, ent_bytes_str(k->job));
	ent_buf_str(sql, " AND part = ");
	ent_my_text_literal(sql, ent_bytes_str(part));
}

/* suffix: how the row is locked. Found: 0, else ENT_ENOTFOUND. */
static int point_read(const struct ent_sink *k, MYSQL *m, const char *part, const char *suffix, struct ent_sink_checkpoint *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_my_result_freep) MYSQL_RES *r = NULL;
	SQL_AUTO sql = ENT_BUF(8000);
	ent_buf_str(&sql, "SELECT `cursor`, `rows`, epoch, hash FROM " POINTS);
	where_part(k, part, &sql);
	ent_buf_str(&sql, suffix);
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(ent_my_run(m, ent_buf_bytes(&sql), &r, "the checkpoint cannot be read", err));
	MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
	if (!row)
		return ent_fail(err, ENT_ENOTFOUND, "the job has no checkpoint for %.100s", part);
	struct ent_sink_checkpoint c = { .size = sizeof c, .rows = strtoull(row[1], NULL, 10), .epoch = strtoull(row[2], NULL, 10) };
	snprintf(c.part, sizeof c.part, "%s", part);
	snprintf(c.cursor, sizeof c.cursor, "%s", row[0]);
	snprintf(c.hash, sizeof c.hash, "%s", row[3]);
	*ret = c;
	return 0;
}

static int point_put(const struct ent_sink *k, MYSQL *m, const struct ent_sink_checkpoint *c, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(8000);
	ent_buf_str(&sql, "INSERT INTO " POINTS " (job, part, `cursor`, `rows`, epoch, hash) VALUES (");
	ent_my_text_literal(&sql, ent_bytes_str(k->job));
	ent_buf_u8(&sql, ',');
	ent_my_text_literal(&sql, ent_bytes_str(c->part));
	ent_buf_u8(&sql, ',');
	ent_my_text_literal(&sql, ent_bytes_str(c->cursor));
	ent_buf_printf(&sql, ",%llu,%llu,", (unsigned long long)c->rows, (unsigned long long)k->epoch);
	ent_my_text_literal(&sql, ent_bytes_str(c->hash));
	ent_buf_str(&sql,
		    ") ON DUPLICATE KEY UPDATE `cursor` = VALUES(`cursor`), `rows` = VALUES(`rows`), epoch = VALUES(epoch), hash = VALUES(hash)");
	ENT_TRY(ent_buf_check(&sql, err));
	return ent_my_run(m, ent_buf_bytes(&sql), NULL, "the checkpoint cannot be written", err);
}

/* The second session may have been idle for hours. */
static int side_ready(struct ent_sink *k, struct ent_err *err)
{
	if (k->side && !mysql_ping(k->side))
		return 0;
	ent_my_closep(&k->side);
	return ent_my_connect(k->source, ENT_MY_WRITE, &k->side, err);
}

int ent_my_sink_last(struct ent_sink *k, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err)
{
	ENT_TRY(side_ready(k, err));
	return point_read(k, k->side, part, "", ret, err);
}

/* --- the epoch --- */

/* Holds the row against a newer run until the transaction ends; runs of the same epoch do not wait for each other. */
static int epoch_check(const struct ent_sink *k, MYSQL *m, struct ent_err *err)
{
	struct ent_sink_checkpoint c = { .epoch = 0 };
	struct ent_err quiet = ENT_ERR_INIT;
	int code = point_read(k, m, ENT_SINK_EPOCH_PART, " LOCK IN SHARE MODE", &c, &quiet);
	if (code && code != ENT_ENOTFOUND) {
		if (err)
			*err = quiet;
		return code;
	}
#ifdef ENT_MUTANT_MYSQL_NO_FENCE
	return 0;
#endif
	return c.epoch == k->epoch && !code ? 0 : ent_sink_overtaken(c.epoch, k->epoch, err);
}

static int epoch_take(struct ent_sink *k, struct ent_err *err)
{
	struct ent_sink_checkpoint c = { .part = ENT_SINK_EPOCH_PART }, first = { .part = ENT_SINK_EPOCH_PART };
	SQL_AUTO sql = ENT_BUF(8000);
	ent_buf_str(&sql, "INSERT IGNORE INTO " POINTS " (job, part, `cursor`, `rows`, epoch, hash) VALUES (");
	ent_my_text_literal(&sql, ent_bytes_str(k->job));
	ent_buf_printf(&sql, ", '%s', '', 0, 0, '')", first.part);
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(ent_my_run(k->side, ent_buf_bytes(&sql), NULL, "the epoch cannot be taken", err));
	ENT_TRY(ent_my_exec(k->side, "START TRANSACTION", "the epoch cannot be taken", err));
	ENT_TRY(point_read(k, k->side, ENT_SINK_EPOCH_PART, " FOR UPDATE", &c, err));
	k->epoch = c.epoch + 1;
	ENT_TRY(point_put(k, k->side, &first, err));
	return ent_my_exec(k->side, "COMMIT", "the epoch cannot be taken", err);
}

/* --- opening, closing --- */

void ent_my_sink_close(struct ent_sink *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->n_tables; i++)
		ent_my_into_deinit(&k->tables[i]);
	ent_my_closep(&k->con); /* a transaction that is not prepared ends with its session */
	ent_my_closep(&k->side);
	ent_buf_deinit(&k->page);
	ent_buf_deinit(&k->scratch);
	free(k->tables);
	free(k);
}
static void sink_closep(struct ent_sink **k) { ent_my_sink_close(*k); }

static int points_make(struct ent_sink *k, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(2000);
	bool there;
	ENT_TRY(ent_my_exists(k, POINTS, &there, err));
	if (there)
		return 0;
	ent_buf_printf(
		&sql,
		"CREATE TABLE IF NOT EXISTS " POINTS " (job varchar(255) NOT NULL, part varchar(255) NOT NULL, `cursor` text NOT NULL, `rows` bigint "
		"NOT NULL, epoch bigint NOT NULL, hash varchar(64) NOT NULL, PRIMARY KEY (job, part)) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT "
		"CHARSET=utf8mb4 COLLATE=%s",
		k->source->text_collation);
	return ent_my_run(k->side, ent_buf_bytes(&sql), NULL, "the table of checkpoints cannot be made", err);
}

static int server_ask(struct ent_sink *k, struct ent_err *err)
{
	char text[40];
	ENT_TRY(ent_my_value(k->side, "SELECT @@local_infile", text, sizeof text, "the server's settings cannot be read", err));
	k->infile = text[0] == '1';
	ENT_TRY(ent_my_value(k->side, "SELECT @@max_allowed_packet", text, sizeof text, "the server's settings cannot be read", err));
	k->packet_max = (size_t)strtoull(text, NULL, 10);
	return 0;
}

int ent_my_sink_open(struct ent_source *s, const char *job, uint64_t *epoch, struct ent_sink **ret, struct ent_err *err)
{
	if (!s->writes)
		return ent_fail(err, ENT_EINTERNAL, "the MySQL session was opened for reading only");
	if (!s->at.database[0])
		return ent_fail(err, ENT_EUSAGE, "name the database to write to in the address: mysql://HOST/DATABASE");
	ENT_CLEANUP(sink_closep) struct ent_sink *k = (struct ent_sink *)calloc(1, sizeof *k);
	if (!k)
		return ent_nomem(err);
	*k = (struct ent_sink){
		.source = s, .epoch = *epoch, .page = ENT_BUF((size_t)256 << 20), .scratch = ENT_BUF((size_t)64 << 20), .no_minus_zero = s->mariadb
	};
	snprintf(k->job, sizeof k->job, "%s", job);
	xid_draw(k);
	k->tables = (struct ent_my_into *)calloc(TABLES_MAX, sizeof *k->tables);
	if (!k->tables)
		return ent_nomem(err);
	ENT_TRY(side_ready(k, err));
	ENT_TRY(server_ask(k, err));
	ENT_TRY(points_make(k, err));
	ENT_TRY(*epoch ? epoch_check(k, k->side, err) : epoch_take(k, err));
	*epoch = k->epoch;
	*ret = k;
	k = NULL;
	return 0;
}

int ent_my_sink_table(struct ent_sink *k, const struct ent_target *target, size_t *ret_index, struct ent_err *err)
{
	if (k->n_tables == TABLES_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "one run writes at most %d tables", TABLES_MAX);
	ENT_TRY(side_ready(k, err));
	struct ent_my_into *t = &k->tables[k->n_tables];
	int code = ent_my_into_init(k, t, target, err);
	if (code) {
		ent_my_into_deinit(t);
		*t = (struct ent_my_into){ 0 };
		return code;
	}
	*ret_index = k->n_tables++;
	return 0;
}

/* --- ending a transaction --- */

int ent_my_sink_rollback(struct ent_sink *k, struct ent_err *err)
{
	char sql[80];
	if (!k->begun)
		return 0;
	k->begun = false;
	snprintf(sql, sizeof sql, "XA END '%s'", k->xid);
	(void)ent_my_exec(k->con, sql, "", NULL); /* a deadlock has ended it already */
	snprintf(sql, sizeof sql, "XA ROLLBACK '%s'", k->xid);
	if (ent_my_exec(k->con, sql, "", NULL))
		ent_my_closep(&k->con); /* it ends with its session */
	(void)err;
	return 0;
}

static int end(struct ent_sink *k, const struct ent_sink_checkpoint *c, struct ent_err *err)
{
	char sql[80];
	ENT_TRY(epoch_check(k, k->con, err));
	if (c)
		ENT_TRY(point_put(k, k->con, c, err));
	snprintf(sql, sizeof sql, "XA END '%s'", k->xid);
	return ent_my_exec(k->con, sql, "the transaction cannot end", err);
}

int ent_my_sink_commit(struct ent_sink *k, const struct ent_sink_checkpoint *c, struct ent_err *err)
{
	char sql[80];
	ENT_TRY(ent_my_sink_begin(k, err));
	int code = end(k, c, err);
	snprintf(sql, sizeof sql, "XA COMMIT '%s' ONE PHASE", k->xid);
	if (!code)
		code = ent_my_exec(k->con, sql, "the transaction cannot be committed", err);
	if (code)
		(void)ent_my_sink_rollback(k, NULL);
	k->begun = false;
	return code;
}

int ent_my_sink_undo(struct ent_sink *k, struct ent_err *err)
{
	(void)ent_my_sink_rollback(k, NULL); /* whose session would hold the tables */
	for (size_t i = 0; i < k->n_tables; i++) {
		SQL_AUTO sql = ENT_BUF(1000);
		char found[8];
		if (!k->tables[i].made)
			continue;
		ent_buf_printf(&sql, "SELECT EXISTS (SELECT 1 FROM %s)", k->tables[i].real);
		ENT_TRY(ent_buf_check(&sql, err));
		ENT_TRY(ent_my_value(k->side, ent_buf_text(&sql), found, sizeof found, "the table that was made cannot be read", err));
		if (found[0] != '0') /* not ours: nothing of this sink was committed */
			continue;
		ent_buf_reset(&sql);
		ent_buf_printf(&sql, "DROP TABLE %s", k->tables[i].real);
		ENT_TRY(ent_my_run(k->side, ent_buf_bytes(&sql), NULL, "the table that was made cannot be dropped", err));
	}
	return 0;
}

/* --- the end of the job --- */

static void mark_name(const struct ent_my_into *t, char out[200]) { snprintf(out, 200, "entente.changed.%.150s", t->object); }

int ent_my_marked(struct ent_sink *k, const struct ent_my_into *t, bool *ret, struct ent_err *err)
{
	struct ent_sink_checkpoint c;
	struct ent_err quiet = ENT_ERR_INIT;
	char part[200];
	mark_name(t, part);
	int code = point_read(k, k->side, part, "", &c, &quiet);
	*ret = !code;
	if (code && code != ENT_ENOTFOUND && err)
		*err = quiet;
	return code == ENT_ENOTFOUND ? 0 : code;
}

/* The new table takes the name in one step; the mark tells a later run that a missing side table is no accident. */
static int change_over(struct ent_sink *k, struct ent_my_into *t, struct ent_err *err)
{
	struct ent_sink_checkpoint mark = { .cursor = "done" };
	SQL_AUTO sql = ENT_BUF(2000), drop = ENT_BUF(600);
	bool there;
	if (!t->gone) {
		mark_name(t, mark.part);
		ENT_TRY(point_put(k, k->side, &mark, err));
		ENT_TRY(ent_my_exists(k, t->relation, &there, err));
		ent_buf_printf(&drop, "DROP TABLE IF EXISTS %s", t->old);
		ENT_TRY(ent_my_run(k->side, ent_buf_bytes(&drop), NULL, "the former table cannot be dropped", err));
		ent_buf_str(&sql, "RENAME TABLE ");
		if (there)
			ent_buf_printf(&sql, "%s TO %s, ", t->relation, t->old);
		ent_buf_printf(&sql, "%s TO %s", t->real, t->relation);
		ENT_TRY(ent_my_run(k->side, ent_buf_bytes(&sql), NULL, "the new table cannot take its place", err));
		t->gone = true;
	}
	ent_buf_reset(&drop);
	ent_buf_printf(&drop, "DROP TABLE IF EXISTS %s", t->old);
	return ent_my_run(k->side, ent_buf_bytes(&drop), NULL, "the former table cannot be dropped", err);
}

int ent_my_sink_finish(struct ent_sink *k, int forget, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(2000);
	if (k->begun)
		ENT_TRY(ent_my_sink_commit(k, NULL, err));
	ENT_TRY(side_ready(k, err));
	ENT_TRY(epoch_check(k, k->side, err));
	for (size_t i = 0; i < k->n_tables; i++)
		if (k->tables[i].mode == ENT_WRITE_REPLACE)
			ENT_TRY(change_over(k, &k->tables[i], err));
	if (!forget)
		return 0;
	ent_buf_str(&sql, "DELETE FROM " POINTS " WHERE job = ");
	ent_my_text_literal(&sql, ent_bytes_str(k->job));
	return ent_my_run(k->side, ent_buf_bytes(&sql), NULL, "the job's checkpoints cannot be removed", err);
}

/* --- two phases --- */

/* The server knows the transaction by the name drawn at its beginning; a row beside it, written first, knows the caller's name for it. */
static int name_keep(struct ent_sink *k, const char *name, struct ent_err *err)
{
	struct ent_sink by_name = { .source = k->source, .epoch = k->epoch };
	struct ent_sink_checkpoint c = { .size = sizeof c };
	snprintf(by_name.job, sizeof by_name.job, "entente.prepared");
	snprintf(c.part, sizeof c.part, "%s", name);
	snprintf(c.cursor, sizeof c.cursor, "%s", k->xid);
	ENT_TRY(side_ready(k, err));
	return point_put(&by_name, k->side, &c, err);
}

int ent_my_sink_prepare(struct ent_sink *k, const char *name, const struct ent_sink_checkpoint *c, struct ent_err *err)
{
	char sql[80];
	if (strlen(name) >= sizeof c->part)
		return ent_fail(err, ENT_EUSAGE, "the name of the transaction is too long");
	ENT_TRY(ent_my_sink_begin(k, err));
	int code = end(k, c, err);
	if (!code)
		code = name_keep(k, name, err);
	snprintf(sql, sizeof sql, "XA PREPARE '%s'", k->xid);
	if (!code)
		code = ent_my_exec(k->con, sql, "the transaction cannot be prepared", err);
	if (code) {
		(void)ent_my_sink_rollback(k, NULL);
		return code;
	}
	k->begun = false;
	xid_draw(k);
	ent_my_closep(&k->con); /* the session stays tied to what it prepared */
	return 0;
}

/* What the server still holds prepared: fn for each of our names of transactions. */
static int prepared_each(MYSQL *m, bool (*fn)(void *arg, const char *xid), void *arg, struct ent_err *err)
{
	ENT_CLEANUP(ent_my_result_freep) MYSQL_RES *r = NULL;
	char xid[129];
	ENT_TRY(ent_my_run(m, ent_bytes_str("XA RECOVER"), &r, "prepared transactions cannot be listed", err));
	for (MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL; row; row = mysql_fetch_row(r)) {
		if (!row[1] || !row[3] || strncmp(row[3], "entente-", 8) != 0)
			continue;
		snprintf(xid, sizeof xid, "%.*s", (int)strtol(row[1], NULL, 10), row[3]);
		if (fn(arg, xid))
			break;
	}
	return 0;
}

struct sought {
	const char *xid;
	bool found;
};
static bool same_xid(void *arg, const char *xid)
{
	struct sought *s = (struct sought *)arg;
	s->found = s->found || !strcmp(s->xid, xid);
	return s->found;
}

static int xid_of(struct ent_source *s, const char *name, char xid[200], struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(4000);
	struct ent_err quiet = ENT_ERR_INIT;
	ent_buf_str(&sql, "SELECT `cursor` FROM " POINTS " WHERE job = 'entente.prepared' AND part = ");
	ent_my_text_literal(&sql, ent_bytes_str(name));
	ENT_TRY(ent_buf_check(&sql, err));
	xid[0] = 0;
	int code = ent_my_value(s->con, ent_buf_text(&sql), xid, 200, "the prepared transaction cannot be found", &quiet);
	if (code && code != ENT_ENOTFOUND && err)
		*err = quiet;
	return code == ENT_ENOTFOUND ? 0 : code;
}

/* A session that prepared and went away a moment ago may still hold the transaction for a while: then it is listed, but not known here. */
static int settle_one(struct ent_source *s, int commit, const char *xid, struct ent_err *err)
{
	char sql[200];
	uint64_t give_up = ent_dial_now_ms() + 5000;
	snprintf(sql, sizeof sql, "XA %s '%.100s'", commit ? "COMMIT" : "ROLLBACK", xid);
	for (;;) {
		int code = ent_my_exec(s->con, sql, "the prepared transaction cannot be settled", err);
		unsigned number = mysql_errno(s->con);
		if (!code || (number != 1397 && number != 1399) || ent_dial_now_ms() > give_up)
			return code;
		ENT_TRY(ent_my_cancelled(s, err));
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	}
}

int ent_my_settle(struct ent_source *s, const char *name, int commit, struct ent_err *err)
{
	char xid[200];
	SQL_AUTO forget = ENT_BUF(4000);
	if (!s->writes)
		return ent_fail(err, ENT_EINTERNAL, "the MySQL session was opened for reading only");
	ENT_TRY(ent_my_ready(s, err));
	ENT_TRY(xid_of(s, name, xid, err));
	struct sought sought = { .xid = xid };
	if (xid[0])
		ENT_TRY(prepared_each(s->con, same_xid, &sought, err));
	if (!sought.found)
		return commit ? ent_fail(err, ENT_ENOTFOUND, "there is no prepared transaction %.100s", name) : 0;
	ENT_TRY(settle_one(s, commit, xid, err));
	ent_buf_str(&forget, "DELETE FROM " POINTS " WHERE job = 'entente.prepared' AND part = ");
	ent_my_text_literal(&forget, ent_bytes_str(name));
	ENT_TRY(ent_buf_check(&forget, err));
	return ent_my_run(s->con, ent_buf_bytes(&forget), NULL, "the prepared transaction's name cannot be removed", err);
}

int ent_my_in_doubt(struct ent_source *s, const char *prefix, int (*take)(void *arg, const char *name), void *arg, struct ent_err *err)
{
	ENT_CLEANUP(ent_my_result_freep) MYSQL_RES *r = NULL;
	struct ent_err quiet = ENT_ERR_INIT;
	ENT_TRY(ent_my_ready(s, err));
	int code = ent_my_run(s->con, ent_bytes_str("SELECT part, `cursor` FROM " POINTS " WHERE job = 'entente.prepared'"), &r,
			      "prepared transactions cannot be listed", &quiet);
	if (code && code != ENT_ENOTFOUND && err)
		*err = quiet;
	if (code)
		return code == ENT_ENOTFOUND ? 0 : code;
	for (MYSQL_ROW row = mysql_fetch_row(r); row; row = mysql_fetch_row(r)) {
		struct sought sought = { .xid = row[1] };
		if (strncmp(row[0], prefix, strlen(prefix)) != 0)
			continue;
		ENT_TRY(prepared_each(s->con, same_xid, &sought, err));
		if (sought.found)
			ENT_TRY(take(arg, row[0]));
	}
	return 0;
}

/* --- following the source's schema --- */

static int column_alter(struct ent_sink *k, struct ent_my_into *t, const struct ent_field_info *f, bool there, bool same_store, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(4000);
	char native[160];
	ent_my_native(k->source, f, same_store, false, 0, 0, native);
	ent_buf_printf(&sql, "ALTER TABLE %s %s COLUMN ", t->real, there ? "MODIFY" : "ADD");
	ent_my_name(&sql, f->name);
	ent_buf_printf(&sql, " %s", native);
	if (f->type.id == ENT_T_TEXT)
		ent_buf_printf(&sql, " CHARACTER SET utf8mb4 COLLATE %s", k->source->text_collation);
	ent_buf_str(&sql, there && !f->nullable ? " NOT NULL" : " NULL DEFAULT NULL");
	ENT_TRY(ent_buf_check(&sql, err));
	return ent_my_run(k->side, ent_buf_bytes(&sql), NULL, "the table cannot be altered", err);
}

static void fields_freep(struct ent_field **f) { free(*f); }
static void infos_freep(struct ent_field_info **f) { free(*f); }

/* The table's columns of a schema of changes (whose first two say what happened). */
static int table_schema(const struct ArrowSchema *changes, struct ArrowSchema *ret, struct ent_err *err)
{
	size_t n = (size_t)changes->n_children, first = n > 1 && !strcmp(changes->children[0]->name, "entente.op") ? 2 : 0;
	char keys[8000] = "", store[40] = "";
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_CLEANUP(fields_freep) struct ent_field *fields = (struct ent_field *)calloc(n + 1, sizeof *fields);
	ENT_CLEANUP(infos_freep) struct ent_field_info *infos = (struct ent_field_info *)calloc(n + 1, sizeof *infos);
	if (!fields || !infos)
		return ent_nomem(err);
	for (size_t i = first; i < n; i++) {
		ent_schema_field(changes, i, &infos[i]);
		fields[i - first] =
			(struct ent_field){ .name = infos[i].name, .type = infos[i].type, .nullable = infos[i].nullable, .native = infos[i].native };
	}
	(void)ent_metadata_get(changes->metadata, ENT_META_KEYS, keys, sizeof keys);
	ENT_TRY(ent_schema_new(fields, n - first, keys, &schema, err));
	if (ent_metadata_get(changes->metadata, ENT_META_STORE, store, sizeof store))
		ENT_TRY(ent_schema_meta_add(&schema, ENT_META_STORE, store, err));
	*ret = ent_schema_take(&schema);
	return 0;
}

/* The source's column takes more than the target's: a longer text of the same store, a longer integer. */
static bool wider(const struct ent_field_info *f, const struct ent_my_put *there, bool same_store)
{
	struct ent_my_type own;
	char reason[200];
	if (ent_type_is_int(f->type) && ent_type_is_int(there->type.type))
		return f->type.id > there->type.type.id;
	bool sized = there->type.kind == ENT_MY_TEXT || there->type.kind == ENT_MY_BINARY;
	return sized && same_store && ent_my_type_parse(f->native, &own, reason) && own.kind == there->type.kind &&
	       own.bytes_max > there->type.bytes_max;
}

int ent_my_sink_alter(struct ent_sink *k, size_t index, const struct ArrowSchema *new_schema, struct ent_err *err)
{
	struct ent_my_into *t = &k->tables[index], fresh = { 0 };
	char store[40];
	ENT_SCHEMA_AUTO schema = { 0 };
	if (k->begun && t->dirty) /* its lock would wait for our own rows */
		return ent_fail(err, ENT_EAGAIN, "table %.200s changes its columns between two transactions only: commit first", t->object);
	ENT_TRY(side_ready(k, err));
	ENT_TRY(epoch_check(k, k->side, err));
	ENT_TRY(table_schema(new_schema, &schema, err));
	bool mysql = ent_metadata_get(schema.metadata, ENT_META_STORE, store, sizeof store) && !strcmp(store, "mysql");
	for (size_t i = 0; i < (size_t)schema.n_children; i++) {
		struct ent_field_info now, before;
		ent_schema_field(&schema, i, &now);
		int at = ent_schema_find(&t->schema, now.name);
		if (at >= 0)
			ent_schema_field(&t->schema, (size_t)at, &before);
		bool more = at >= 0 && wider(&now, &t->puts[at], mysql);
		if (at >= 0 && ent_type_eq(now.type, before.type) && !more)
			continue;
		if (at >= 0 && t->puts[at].key)
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s of the key changed its type", now.name);
		ENT_TRY(column_alter(k, t, &now, at >= 0, more && mysql, err));
	}
	struct ent_target target = { .size = sizeof target, .object = t->object, .schema = &schema, .mode = t->mode, .resume = 1 };
	const char *keys[64];
	for (size_t i = 0; i < t->n && target.n_keys < 64; i++)
		if (t->puts[i].key)
			keys[target.n_keys++] = t->puts[i].name;
	target.keys = target.n_keys ? keys : NULL;
	int code = ent_my_into_init(k, &fresh, &target, err);
	if (code) {
		ent_my_into_deinit(&fresh);
		return code;
	}
	ent_my_into_deinit(t);
	*t = fresh;
	return 0;
}
