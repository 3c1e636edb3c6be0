/* Whether the log shows all changes of a table: what it would leave out in silence is refused before the first row is read. */
#include <stdio.h>
#include <stdlib.h>

#include "my_changes.h"

static int refused(const char *object, const char *why, const char *next, struct ent_err *err)
{
	ent_fail(err, ENT_EUNSUPPORTED, "changes of %.200s cannot be followed", object);
	ent_why(err, "%s", why);
	if (next)
		ent_next(err, "%s", next);
	return ENT_EUNSUPPORTED;
}

/* What a foreign key does to the rows of this table when those of another one change happens below the log. */
static int cascades_check(struct ent_changes *c, const struct ent_my_followed *f, struct ent_err *err)
{
	static const char rule[] = " IN ('CASCADE', 'SET NULL', 'SET DEFAULT')";
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(4000);
	ENT_CLEANUP(ent_my_result_freep) MYSQL_RES *r = NULL;
	char why[400];
	if (c->source->at.cascades)
		return 0;
	ent_buf_str(&sql, "SELECT CONSTRAINT_NAME, REFERENCED_TABLE_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = ");
	ent_my_text_literal(&sql, ent_bytes_str(f->database));
	ent_buf_str(&sql, " AND TABLE_NAME = ");
	ent_my_text_literal(&sql, ent_bytes_str(f->table));
	ent_buf_printf(&sql, " AND (DELETE_RULE%s OR UPDATE_RULE%s) LIMIT 1", rule, rule);
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(ent_my_run(c->source->con, ent_buf_bytes(&sql), &r, "the foreign keys of the table cannot be read", err));
	MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
#ifdef ENT_MUTANT_MY_CASCADES
	row = NULL;
#endif
	if (!row)
		return 0;
	snprintf(why, sizeof why, "its foreign key %.64s changes or deletes its rows when those of %.64s change, and the log does not show that",
		 row[0] ? row[0] : "", row[1] ? row[1] : "");
	return refused(f->object, why, "take the rule (CASCADE, SET NULL) off the key, or say --src-option cascades=accept when it never strikes",
		       err);
}

static int types_check(const struct ent_my_followed *f, struct ent_err *err)
{
	char why[400];
	for (size_t i = 0; i < f->there.n_columns; i++) {
		const struct ent_my_column *t = &f->there.columns[i];
		const char *no = ent_my_log_unreadable(&t->type, ent_my_charset_of(t->collation));
		if (!no || t->type.kind == ENT_MY_NONE)
			continue;
		snprintf(why, sizeof why, "column %.100s (%.100s): %.150s", t->name, t->native, no);
		return refused(f->object, why, NULL, err);
	}
	return 0;
}

int ent_my_followable(struct ent_changes *c, const struct ent_my_followed *f, struct ent_err *err)
{
	if (!f->there.keys.len)
		return refused(f->object, "it has no primary key and no unique key without NULL: its changes name no row", NULL, err);
	ENT_TRY(types_check(f, err));
	return cascades_check(c, f, err);
}

static bool listed(const char *list, const char *name)
{
	size_t n = strlen(name);
	for (const char *at = list; *at; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ',')) {
		if (strcspn(at, ",") == n && !strncmp(at, name, n))
			return true;
	}
	return false;
}

/* Databases may be left out of the log (binlog_do_db, binlog_ignore_db). */
static int filters_check(struct ent_changes *c, struct ent_err *err)
{
	ENT_CLEANUP(ent_my_result_freep) MYSQL_RES *r = NULL;
	const char *sql = !c->source->mariadb && c->source->version >= 80200 ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS";
	ENT_TRY(ent_my_run(c->source->con, ent_bytes_str(sql), &r, "the end of the binary log cannot be read", err));
	MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
	for (size_t i = 0; row && i < c->n_tables; i++) {
		const char *only = row[2] ? row[2] : "", *never = row[3] ? row[3] : "", *database = c->tables[i].database;
		if ((*only && !listed(only, database)) || listed(never, database))
			return refused(c->tables[i].object, "the server leaves its database out of the log (binlog_do_db, binlog_ignore_db)",
				       "let the server log that database, and start it again", err);
	}
	return 0;
}

/* A replica logs what it took from its own source only when it is told to. Without the right to look, that stays unknown. */
static int relay_check(struct ent_changes *c, struct ent_err *err)
{
	ENT_CLEANUP(ent_my_result_freep) MYSQL_RES *r = NULL;
	char value[100] = "";
	const char *sql = c->source->mariadb ? "SHOW ALL SLAVES STATUS" : c->source->version >= 80022 ? "SHOW REPLICA STATUS" : "SHOW SLAVE STATUS";
	if (ent_my_value(c->source->con, "SELECT @@global.log_slave_updates", value, sizeof value, "", NULL) || strcmp(value, "0") != 0)
		return 0;
	if (ent_my_run(c->source->con, ent_bytes_str(sql), &r, "", NULL) || !r || !mysql_fetch_row(r))
		return 0;
	return refused(c->tables[0].object, "the server is a replica that does not log what it replicates",
		       "set log_slave_updates = ON there, or follow its own source", err);
}

int ent_my_log_whole(struct ent_changes *c, struct ent_err *err)
{
	ENT_TRY(filters_check(c, err));
	return relay_check(c, err);
}
