/* Slots and publications: made for a job, and looked at before a job goes on, because a slot that was made anew would skip changes in silence.
 *
 * A cursor names the server (system identifier), the database and the position. A job goes on only when the slot is there, belongs to this
 * database and plug-in, still has its log, and was not advanced beyond the cursor: a slot made anew starts behind everything written before. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "pg_changes.h"

#define QUIET_TRIES 50 /* of 100 ms */

bool ent_pg_cursor_parse(const char *text, struct ent_pg_cursor *ret)
{
	struct ent_pg_cursor c;
	int n = 0;
	if (sscanf(text, "%20lu/%10lu/%16lX%n", &c.system, &c.database, &c.lsn, &n) != 3 || text[n])
		return false;
	*ret = c;
	return true;
}

void ent_pg_cursor_text(const struct ent_pg_cursor *c, char out[400])
{
	snprintf(out, 400, "%llu/%llu/%016llX", (unsigned long long)c->system, (unsigned long long)c->database, (unsigned long long)c->lsn);
}

static uint64_t lsn_parse(const char *text)
{
	unsigned high = 0, low = 0;
	return sscanf(text, "%8X/%8X", &high, &low) == 2 ? (uint64_t)high << 32 | low : 0;
}

int ent_pg_identity(struct ent_source *s, struct ent_pg_cursor *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	ENT_TRY(ent_pg_run(
		s,
		"SELECT system_identifier, (SELECT oid FROM pg_database WHERE datname = current_database()), CASE WHEN pg_is_in_recovery() "
		"THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END FROM pg_control_system()",
		NULL, 0, &r, "the server does not say who it is", err));
	*ret = (struct ent_pg_cursor){ strtoull(PQgetvalue(r, 0, 0), NULL, 10), strtoull(PQgetvalue(r, 0, 1), NULL, 10),
				       lsn_parse(PQgetvalue(r, 0, 2)) };
	if (ret->lsn % 8192 == 24 || ret->lsn % ((uint64_t)1 << 20) == 40) /* behind a page's header nothing is written yet: the log ends before it */
		ret->lsn -= ret->lsn % 8192;
	return 0;
}

int ent_pg_simple(struct ent_source *repl, const char *sql, PGresult **ret, const char *what, struct ent_err *err)
{
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	if (!PQsendQuery(repl->con, sql))
		return ent_pg_fail(repl, NULL, what, err);
	ENT_TRY(ent_pg_wait(repl, err));
	r = PQgetResult(repl->con);
	ExecStatusType status = PQresultStatus(r);
	for (PGresult *rest = status == PGRES_COPY_BOTH ? NULL : PQgetResult(repl->con); rest; rest = PQgetResult(repl->con))
		PQclear(rest);
	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_COPY_BOTH)
		return ent_pg_fail(repl, r, what, err);
	if (ret) {
		*ret = r;
		r = NULL;
	}
	return 0;
}

void ent_pg_slot_name(struct ent_buf *out, const char *job, bool quoted)
{
	ent_buf_str(out, quoted ? "\"entente_" : "entente_");
	for (; *job; job++) {
		char c = *job >= 'A' && *job <= 'Z' ? (char)(*job | 32) : *job;
		ent_buf_u8(out, (uint8_t)((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_'));
	}
	ent_buf_str(out, quoted ? "\"" : "");
}

static int lost(const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EDATA, "changes of the source were lost");
	ent_why(err, "%s", why);
	return ent_next(err, "begin anew: entente replicate run ... --restart"), ENT_EDATA;
}

/* --- going on --- */

/* The server sees only after a moment that the last connection of a job is gone: waits for that, a little. */
static int slot_quiet(struct ent_source *s, const char *name, struct ent_err *err)
{
	for (int i = 0;; i++) {
		ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
		ENT_TRY(ent_pg_run(s, "SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1 AND active", &name, 1, &r,
				   "the replication slot cannot be looked at", err));
		if (!PQntuples(r))
			return 0;
		if (s->host.cancelled && s->host.cancelled(s->host.self))
			return ent_fail(err, ENT_ECANCELLED, "following changes was cancelled");
		if (i == QUIET_TRIES) {
			ent_fail(err, ENT_EAGAIN, "the replication slot of this job is in use");
			return ent_why(err, "by the server's process %s", PQgetvalue(r, 0, 0)), ENT_EAGAIN;
		}
		(void)poll(NULL, 0, 100);
	}
}

static int slot_check(struct ent_source *s, const char *name, const struct ent_pg_cursor *start, struct ent_err *err)
{
	static const char sql[] = "SELECT confirmed_flush_lsn, coalesce(wal_status, ''), plugin, database = current_database() FROM "
				  "pg_replication_slots WHERE slot_name = $1";
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	struct ent_pg_cursor now;
	ENT_TRY(ent_pg_identity(s, &now, err));
	if (now.system != start->system)
		return lost("the server is another one: its system identifier changed", err);
	if (now.database != start->database)
		return lost("the database is another one", err);
	ENT_TRY(slot_quiet(s, name, err));
	ENT_TRY(ent_pg_run(s, sql, &name, 1, &r, "the replication slot cannot be looked at", err));
	if (!PQntuples(r))
		return lost("its replication slot is gone", err);
	if (strcmp(PQgetvalue(r, 0, 2), "pgoutput") != 0 || PQgetvalue(r, 0, 3)[0] != 't')
		return lost("its replication slot belongs to something else", err);
	if (!strcmp(PQgetvalue(r, 0, 1), "lost"))
		return lost("the server removed log that its replication slot needs (max_slot_wal_keep_size)", err);
	bool anew = lsn_parse(PQgetvalue(r, 0, 0)) > start->lsn;
#ifdef ENT_MUTANT_PG_SLOT
	anew = false;
#endif
	if (anew)
		return lost("its replication slot was made anew or advanced by somebody else", err);
	if (now.lsn < start->lsn)
		return lost("the log ends before the last change taken: the server was restored from a backup", err);
	return 0;
}

/* --- starting --- */

/* A copy and the log must show the same rows. */
static int whole_check(const PGresult *r, char kind, const char *object, struct ent_err *err)
{
	bool children = kind == 'r' && PQgetvalue(r, 0, 4)[0] == 't', hidden = PQgetvalue(r, 0, 5)[0] == 't';
#ifdef ENT_MUTANT_PG_INHERITED
	children = false;
#endif
	if (children) {
		ent_fail(err, ENT_EUNSUPPORTED, "changes of %.200s cannot be followed", object);
		ent_why(err, "tables inherit from it: reading it shows their rows, its changes are those of its own rows only");
		return ent_next(err, "follow the tables that inherit from it, or make it a partitioned table"), ENT_EUNSUPPORTED;
	}
	if (!hidden)
		return 0;
	ent_fail(err, ENT_EUNSUPPORTED, "changes of %.200s cannot be followed", object);
	ent_why(err, "row security hides rows of it from this role, and the log shows all of them");
	return ent_next(err, "connect as a role with BYPASSRLS"), ENT_EUNSUPPORTED;
}

/* Every change must name its row. */
static int identity_check(struct ent_source *s, const char *object, struct ent_err *err)
{
	static const char sql[] =
		"SELECT c.relreplident, EXISTS (SELECT 1 FROM pg_index WHERE indrelid = c.oid AND indisprimary), c.relkind, EXISTS (SELECT 1 FROM "
		"pg_index WHERE indrelid = c.oid AND indisprimary AND indimmediate), EXISTS (SELECT 1 FROM pg_inherits WHERE inhparent = c.oid), "
		"row_security_active(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2";
	char schema[64], table[64];
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	ENT_TRY(ent_pg_object_split(object, schema, table, err));
	const char *const params[] = { schema, table };
	ENT_TRY(ent_pg_run(s, sql, params, 2, &r, "the table cannot be looked at", err));
	if (!PQntuples(r))
		return ent_fail(err, ENT_ENOTFOUND, "there is no table %.200s to follow", object);
	char identity = PQgetvalue(r, 0, 0)[0], kind = PQgetvalue(r, 0, 2)[0];
	if (kind != 'r' && kind != 'p')
		return ent_fail(err, ENT_EUNSUPPORTED, "%.200s is no table whose changes PostgreSQL publishes", object);
	bool key = PQgetvalue(r, 0, 1)[0] == 't', immediate = PQgetvalue(r, 0, 3)[0] == 't';
	if (!key || (identity != 'f' && !(identity == 'd' && immediate))) { /* published all the same, its updates would fail at the source */
		ent_fail(err, ENT_EUNSUPPORTED, "changes of %.200s do not name their rows", object);
		ent_why(err, "%s",
			!key              ? "it has no primary key"
			: identity == 'd' ? "its primary key is deferrable"
					  : "its replica identity is another one");
		return ent_next(err, "give it a primary key, with REPLICA IDENTITY DEFAULT or FULL"), ENT_EUNSUPPORTED;
	}
	return whole_check(r, kind, object, err);
}

static int publication_check(struct ent_source *s, const char *name, const struct ent_changes_spec *spec, struct ent_err *err)
{
	for (size_t i = 0; i < spec->n_objects; i++) {
		char schema[64], table[64];
		ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
		ENT_TRY(ent_pg_object_split(spec->objects[i], schema, table, err));
		const char *const params[] = { name, schema, table };
		ENT_TRY(ent_pg_run(s, "SELECT 1 FROM pg_publication_tables WHERE pubname = $1 AND schemaname = $2 AND tablename = $3", params, 3, &r,
				   "the publication cannot be looked at", err));
		if (!PQntuples(r))
			return lost("a table is not in its publication any more", err);
		ENT_TRY(identity_check(s, spec->objects[i], err));
	}
	return 0;
}

static int publication_make(struct ent_source *s, struct ent_source *repl, const struct ent_changes_spec *spec, const char *quoted,
			    struct ent_err *err)
{
	static const char what[] = "the publication cannot be made";
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)1 << 20);
	ent_buf_printf(&sql, "DROP PUBLICATION IF EXISTS %s", quoted);
	ENT_TRY(ent_pg_simple(repl, ent_buf_text(&sql), NULL, what, err));
	ent_buf_reset(&sql);
	ent_buf_printf(&sql, "CREATE PUBLICATION %s FOR TABLE ", quoted);
	for (size_t i = 0; i < spec->n_objects; i++) {
		char schema[64], table[64];
		ENT_TRY(identity_check(s, spec->objects[i], err));
		ENT_TRY(ent_pg_object_split(spec->objects[i], schema, table, err));
		ent_buf_str(&sql, i ? ", " : "");
		ent_pg_name(&sql, schema);
		ent_buf_str(&sql, ".");
		ent_pg_name(&sql, table);
	}
	ent_buf_str(&sql, PQserverVersion(repl->con) >= 130000 ? " WITH (publish_via_partition_root = true)" : "");
	ENT_TRY(ent_buf_check(&sql, err));
	return ent_pg_simple(repl, ent_buf_text(&sql), NULL, what, err);
}

static int slot_make(struct ent_source *s, struct ent_source *repl, const char *name, struct ent_pg_cursor *ret, struct ent_err *err)
{
	static const char what[] = "the replication slot cannot be made";
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1000);
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL, *there = NULL;
	ENT_TRY(ent_pg_run(s, "SELECT 1 FROM pg_replication_slots WHERE slot_name = $1", &name, 1, &there, what, err));
	if (PQntuples(there)) { /* of a try that never came to a cursor */
		ENT_TRY(slot_quiet(s, name, err));
		ent_buf_printf(&sql, "DROP_REPLICATION_SLOT \"%s\"", name);
		ENT_TRY(ent_pg_simple(repl, ent_buf_text(&sql), NULL, what, err));
	}
	ent_buf_reset(&sql);
	ent_buf_printf(&sql, "CREATE_REPLICATION_SLOT \"%s\" LOGICAL pgoutput NOEXPORT_SNAPSHOT", name);
	int code = ent_pg_simple(repl, ent_buf_text(&sql), &r, what, err);
	if (code && err && !strcmp(err->sqlstate, "55000"))
		ent_next(err, "set wal_level = logical at the source and restart it");
	ENT_TRY(code);
	ENT_TRY(ent_pg_identity(s, ret, err));
	ret->lsn = lsn_parse(PQgetvalue(r, 0, 1));
	return 0;
}

int ent_pg_slot_ready(struct ent_source *s, struct ent_source *repl, const struct ent_changes_spec *spec, const struct ent_pg_cursor *start,
		      struct ent_pg_cursor *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf name = ENT_BUF(64), quoted = ENT_BUF(64);
	ent_pg_slot_name(&name, spec->job, false);
	ent_pg_slot_name(&quoted, spec->job, true);
	if (name.code || quoted.code || !spec->n_objects)
		return ent_fail(err, ENT_EUSAGE, "a job to follow needs tables and a name of up to 50 characters");
	if (start) {
		*ret = *start;
		ENT_TRY(slot_check(s, ent_buf_text(&name), start, err));
		return publication_check(s, ent_buf_text(&name), spec, err);
	}
	ENT_TRY(publication_make(s, repl, spec, ent_buf_text(&quoted), err));
	return slot_make(s, repl, ent_buf_text(&name), ret, err);
}

static void repl_close(struct ent_source *repl) { PQfinish(repl->con); }

/* Over a replication connection, as they were made: the session itself may be one that only reads. */
int ent_pg_changes_drop(struct ent_source *s, const char *job, struct ent_err *err)
{
	static const char what[] = "the replication slot cannot be dropped";
	ENT_CLEANUP(repl_close) struct ent_source repl = { .host = s->host };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf name = ENT_BUF(64), sql = ENT_BUF(400);
	ENT_CLEANUP(ent_pg_clear) PGresult *there = NULL;
	ent_pg_slot_name(&name, job, false);
	const char *const slot = ent_buf_text(&name);
	if (s->cockroach)
		return 0; /* a changefeed leaves nothing behind */
	ENT_TRY(ent_pg_connect_replication(s, &repl, err));
	ENT_TRY(slot_quiet(s, slot, err));
	ENT_TRY(ent_pg_run(s, "SELECT 1 FROM pg_replication_slots WHERE slot_name = $1", &slot, 1, &there, what, err));
	ent_buf_printf(&sql, "DROP_REPLICATION_SLOT \"%s\"", slot);
	if (PQntuples(there))
		ENT_TRY(ent_pg_simple(&repl, ent_buf_text(&sql), NULL, what, err));
	ent_buf_reset(&sql);
	ent_buf_str(&sql, "DROP PUBLICATION IF EXISTS ");
	ent_pg_slot_name(&sql, job, true);
	ENT_TRY(ent_buf_check(&sql, err));
	return ent_pg_simple(&repl, ent_buf_text(&sql), NULL, "the publication cannot be dropped", err);
}

uint64_t ent_pg_slot_retained(struct ent_source *s, const char *job)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf name = ENT_BUF(64);
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	ent_pg_slot_name(&name, job, false);
	const char *const slot = ent_buf_text(&name);
	if (s->busy || ent_pg_run(s,
				  "SELECT greatest(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint FROM pg_replication_slots WHERE "
				  "slot_name = $1",
				  &slot, 1, &r, "", NULL))
		return 0;
	return PQntuples(r) ? strtoull(PQgetvalue(r, 0, 0), NULL, 10) : 0;
}
