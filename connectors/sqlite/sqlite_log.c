/* Changes of SQLite tables by a log that triggers write (opt-in: following a table adds them to the file). The log holds keys only; a look at it
 * reads the rows behind the keys in the same snapshot, so what one look gives is one state of the database, exactly, whatever happened between two
 * looks.
 *
 * _entente_log (id, floor): identity of the log and the highest number ever trimmed. _entente_changes (seq, tbl, key): key is a JSON array.
 * _entente_followers (job, seq): what every stream has acknowledged; entries up to the smallest go away. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "arrow/builder.h"
#include "sqlite_inner.h"
#include "sqlite_type.h"

#define SQL_MAX ((size_t)4 << 20)
#define SQL_AUTO ENT_CLEANUP(ent_buf_deinit) struct ent_buf
#define LOOK_MS 100u

struct followed {
	char *object;
	struct ArrowSchema schema; /* op, unchanged, columns */
	char *keys[64];            /* lent by key_text */
	char *key_text;
	size_t n_keys;
	sqlite3_stmt *row;
	bool told;
};

struct ent_changes {
	struct ent_source *source;
	char job[100], id[40];
	int64_t version;   /* of the database's schema */
	int64_t seq, upto; /* behind the last event; the end of the look that is being given */
	struct followed *tables;
	size_t n_tables, at; /* the table whose rows come next; n_tables: the look is over */
	bool looking;
	sqlite3_stmt *keys; /* of table at, while its rows are given */
};

/* A connection of its own that may write, for the short statements around the log. */
static int writer_open(struct ent_source *s, struct ent_source *ret, struct ent_err *err)
{
	*ret = (struct ent_source){ .host = s->host, .path = s->path };
	if (sqlite3_open_v2(s->path, &ret->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL) != SQLITE_OK)
		return ret->db ? ent_sqlite_failed(ret, "the SQLite database cannot be written, and following it needs a log in it", err)
			       : ent_nomem(err);
	sqlite3_busy_timeout(ret->db, 5000);
	return 0;
}
static void writer_close(struct ent_source *w) { sqlite3_close_v2(w->db); }
#define WRITER_AUTO ENT_CLEANUP(writer_close) struct ent_source

static int log_make(struct ent_source *w, struct ent_err *err)
{
	return ent_sqlite_run(
		w,
		"BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS _entente_log (id TEXT NOT NULL, floor INTEGER NOT NULL); "
		"INSERT INTO _entente_log SELECT lower(hex(randomblob(16))), 0 WHERE NOT EXISTS (SELECT 1 FROM _entente_log); "
		"CREATE TABLE IF NOT EXISTS _entente_changes (seq INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, key TEXT NOT NULL); "
		"CREATE TABLE IF NOT EXISTS _entente_followers (job TEXT PRIMARY KEY NOT NULL, seq INTEGER NOT NULL); COMMIT",
		"the log of changes cannot be made", err);
}

/* The log's identity and its last number; id is empty where there is no log yet. */
static int log_end(struct ent_source *s, char id[40], int64_t *ret_end, int64_t *ret_floor, struct ent_err *err)
{
	STATEMENT_AUTO st = NULL;
	id[0] = 0;
	*ret_end = *ret_floor = 0;
	ENT_TRY(ent_sqlite_prepare(s, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?1", "_entente_changes", &st, err));
	if (sqlite3_step(st) != SQLITE_ROW)
		return ent_sqlite_failed(s, "the log of changes cannot be looked at", err);
	if (!sqlite3_column_int(st, 0))
		return 0;
	sqlite3_finalize(st);
	st = NULL;
	ENT_TRY(ent_sqlite_prepare(s, "SELECT id, floor, coalesce((SELECT seq FROM sqlite_sequence WHERE name = ?1), 0) FROM _entente_log",
				   "_entente_changes", &st, err));
	if (sqlite3_step(st) != SQLITE_ROW)
		return ent_sqlite_failed(s, "the log of changes cannot be looked at", err);
	snprintf(id, 40, "%s", sqlite3_column_text(st, 0));
	*ret_floor = sqlite3_column_int64(st, 1);
	*ret_end = sqlite3_column_int64(st, 2);
	return 0;
}

int ent_sqlite_position(struct ent_source *s, char ret[400], struct ent_err *err)
{
	char id[40];
	int64_t end, floor;
	ENT_TRY(log_end(s, id, &end, &floor, err));
	snprintf(ret, 400, "sqlite %s %lld", id[0] ? id : "-", (long long)end);
	return 0;
}

static bool cursor_read(const char *cursor, char id[40], int64_t *ret)
{
	long long n;
	char end;
	if (sscanf(cursor, "sqlite %39s %lld%c", id, &n, &end) != 2)
		return false;
	*ret = n;
	return true;
}

int ent_sqlite_position_reached(const char *a, const char *b)
{
	char id[40];
	int64_t x, y;
	return cursor_read(a, id, &x) && cursor_read(b, id, &y) && x <= y;
}

/* ---- triggers ---- */

static void trigger_put(struct ent_buf *sql, const struct followed *t, const char *event, const char *row, const char *suffix)
{
	char name[700];
	snprintf(name, sizeof name, "_entente_%s_%.500s", suffix, t->object);
	ent_buf_str(sql, "CREATE TRIGGER IF NOT EXISTS ");
	ent_sqlite_name(sql, name);
	ent_buf_printf(sql, " AFTER %s ON ", event);
	ent_sqlite_name(sql, t->object);
	ent_buf_printf(sql, " BEGIN INSERT INTO _entente_changes (tbl, key) VALUES (%s", "");
	char *quoted = sqlite3_mprintf("%Q", t->object);
	ent_buf_str(sql, quoted ? quoted : "''");
	sqlite3_free(quoted);
	ent_buf_str(sql, ", json_array(");
	for (size_t i = 0; i < t->n_keys; i++) {
		ent_buf_printf(sql, "%s%s.", i ? ", " : "", row);
		ent_sqlite_name(sql, t->keys[i]);
	}
	ent_buf_str(sql, ")); END; ");
}

static int triggers_make(struct ent_source *w, const struct followed *t, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(SQL_MAX);
	trigger_put(&sql, t, "INSERT", "NEW", "insert");
	trigger_put(&sql, t, "UPDATE", "NEW", "update");
	trigger_put(&sql, t, "UPDATE", "OLD", "old");
	trigger_put(&sql, t, "DELETE", "OLD", "delete");
	ENT_TRY(ent_buf_check(&sql, err));
	return ent_sqlite_run(w, ent_buf_text(&sql), "the triggers that write the log cannot be made", err);
}

/* ---- tables ---- */

static void followed_deinit(struct followed *t)
{
	sqlite3_finalize(t->row);
	ent_schema_release(&t->schema);
	free(t->object);
	free(t->key_text);
}

void ent_sqlite_changes_close(struct ent_changes *c)
{
	if (!c)
		return;
	sqlite3_finalize(c->keys);
	for (size_t i = 0; i < c->n_tables; i++)
		followed_deinit(&c->tables[i]);
	if (c->looking)
		sqlite3_exec(c->source->db, "COMMIT", NULL, NULL, NULL);
	free(c->tables);
	free(c);
}
static void changes_closep(struct ent_changes **c) { ent_sqlite_changes_close(*c); }

static int keys_find(struct followed *t, const struct ArrowSchema *table, struct ent_err *err)
{
	char text[4000];
	if (!ent_metadata_get(table->metadata, ENT_META_KEYS, text, sizeof text)) {
		ent_fail(err, ENT_EUSAGE, "table %.200s has no key that is never NULL, so its changes cannot be followed", t->object);
		return ent_next(err, "give it a PRIMARY KEY whose columns are NOT NULL"), ENT_EUSAGE;
	}
	text[strcspn(text, "\n")] = 0;
	t->key_text = ent_strdup(text);
	if (!t->key_text)
		return ent_nomem(err);
	char *save = NULL;
	for (char *name = strtok_r(t->key_text, "\t", &save); name && t->n_keys < ENT_COUNT(t->keys); name = strtok_r(NULL, "\t", &save))
		t->keys[t->n_keys++] = name;
	return 0;
}

static bool is_key(const struct followed *t, const char *name, size_t *ret)
{
	for (*ret = 0; *ret < t->n_keys; ++*ret)
		if (!strcmp(t->keys[*ret], name))
			return true;
	return false;
}

/* Schema of the changes, and the statement that gives, for a key, the key and the row behind it. */
static int shape_make(struct ent_source *s, struct followed *t, const struct ArrowSchema *table, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(SQL_MAX);
	size_t n = 2, k;
	struct ent_field *f = (struct ent_field *)calloc((size_t)table->n_children + 2, sizeof *f);
	if (!f)
		return ent_nomem(err);
	f[0] = (struct ent_field){ .name = "entente.op", .type = { .id = ENT_T_TEXT } };
	f[1] = (struct ent_field){ .name = "entente.unchanged", .type = { .id = ENT_T_TEXT }, .nullable = true };
	ent_buf_str(&sql, "SELECT t.");
	ent_sqlite_name(&sql, t->keys[0]);
	ent_buf_str(&sql, " IS NOT NULL");
	for (size_t i = 0; i < (size_t)table->n_children; i++) {
		struct ent_field_info info;
		ent_schema_field(table, i, &info);
		if (!info.copied)
			continue;
		f[n++] = (struct ent_field){ .name = info.name, .type = info.type, .nullable = true };
		ent_buf_str(&sql, ", ");
		if (is_key(t, info.name, &k)) {
			ent_buf_printf(&sql, "json_extract(?1, '$[%zu]')", k);
			continue;
		}
		ent_buf_str(&sql, "t.");
		ent_sqlite_name(&sql, info.name);
	}
	ent_buf_str(&sql, " FROM (SELECT 1) LEFT JOIN ");
	ent_sqlite_name(&sql, t->object);
	ent_buf_str(&sql, " AS t ON ");
	for (size_t i = 0; i < t->n_keys; i++) {
		ent_buf_str(&sql, i ? " AND t." : "t.");
		ent_sqlite_name(&sql, t->keys[i]);
		ent_buf_printf(&sql, " = json_extract(?1, '$[%zu]')", i);
	}
	int code = ent_buf_check(&sql, err);
	code = code ? code : ent_schema_new(f, n, NULL, &t->schema, err);
	free(f);
	return code ? code : ent_sqlite_prepare(s, ent_buf_text(&sql), NULL, &t->row, err);
}

/* Columns that may have got values in older rows, without a change, when they were added. */
static int filled_note(struct ent_source *s, struct followed *t, struct ent_err *err)
{
	STATEMENT_AUTO st = NULL;
	ENT_TRY(ent_sqlite_prepare(s, "SELECT group_concat(name, char(9)) FROM pragma_table_info(?1) WHERE dflt_value IS NOT NULL OR \"notnull\"",
				   t->object, &st, err));
	if (sqlite3_step(st) != SQLITE_ROW)
		return ent_sqlite_failed(s, "the defaults of the table cannot be read", err);
	const char *names = (const char *)sqlite3_column_text(st, 0);
	return names ? ent_schema_meta_add(&t->schema, ENT_META_FILLED, names, err) : 0;
}

static int followed_init(struct ent_source *s, struct followed *t, const char *object, struct ent_err *err)
{
	ENT_SCHEMA_AUTO table = { 0 };
	t->object = ent_strdup(object);
	if (!t->object)
		return ent_nomem(err);
	ENT_TRY(ent_sqlite_schema(s, object, &table, err));
	ENT_TRY(keys_find(t, &table, err));
	ENT_TRY(shape_make(s, t, &table, err));
	return filled_note(s, t, err);
}

/* ---- opening ---- */

static int follower_put(struct ent_source *w, const char *job, int64_t seq, struct ent_err *err)
{
	STATEMENT_AUTO st = NULL;
	ENT_TRY(ent_sqlite_prepare(w, "INSERT INTO _entente_followers (job, seq) VALUES (?1, ?2) ON CONFLICT (job) DO UPDATE SET seq = ?2", job, &st,
				   err));
	sqlite3_bind_int64(st, 2, seq);
	return sqlite3_step(st) == SQLITE_DONE ? 0 : ent_sqlite_failed(w, "the position of the stream cannot be kept", err);
}

static int begin_log(struct ent_changes *c, struct ent_err *err)
{
	WRITER_AUTO w = { 0 };
	int64_t floor;
	ENT_TRY(writer_open(c->source, &w, err));
	ENT_TRY(log_make(&w, err));
	for (size_t i = 0; i < c->n_tables; i++)
		ENT_TRY(triggers_make(&w, &c->tables[i], err));
	ENT_TRY(log_end(&w, c->id, &c->seq, &floor, err));
	return follower_put(&w, c->job, c->seq, err);
}

static int lost(const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EDATA, "the source no longer has the changes since our position");
	ent_why(err, "%s", why);
	return ent_next(err, "begin anew: entente replicate run ... --restart"), ENT_EDATA;
}

static int go_on(struct ent_changes *c, const char *cursor, struct ent_err *err)
{
	char id[40];
	int64_t end, floor;
	if (!cursor_read(cursor, id, &c->seq))
		return lost("the position is none of an SQLite log", err);
	ENT_TRY(log_end(c->source, c->id, &end, &floor, err));
	if (!c->id[0])
		return lost("the log is gone from the file", err);
	if (strcmp(id, "-") != 0 && strcmp(id, c->id) != 0)
		return lost("the log in the file is another one", err);
	if (c->seq < floor)
		return lost("the log was trimmed beyond it", err);
	return c->seq <= end ? 0 : lost("the file is older than our position: it was restored", err);
}

int ent_sqlite_changes_open(struct ent_source *s, const struct ent_changes_spec *spec, struct ent_changes **ret, struct ent_err *err)
{
	ENT_CLEANUP(changes_closep) struct ent_changes *c = (struct ent_changes *)calloc(1, sizeof *c);
	if (!c)
		return ent_nomem(err);
	c->source = s;
	snprintf(c->job, sizeof c->job, "%s", spec->job);
	c->tables = (struct followed *)calloc(spec->n_objects + 1, sizeof *c->tables);
	if (!c->tables)
		return ent_nomem(err);
	for (; c->n_tables < spec->n_objects; c->n_tables++) {
		int code = followed_init(s, &c->tables[c->n_tables], spec->objects[c->n_tables], err);
		if (code) {
			followed_deinit(&c->tables[c->n_tables]);
			return code;
		}
	}
	ENT_TRY(spec->cursor ? go_on(c, spec->cursor, err) : begin_log(c, err));
	c->at = c->n_tables;
	*ret = c;
	c = NULL;
	return 0;
}

/* ---- looking ---- */

static int look_end(struct ent_changes *c, struct ent_err *err)
{
	c->looking = false;
	return ent_sqlite_run(c->source, "COMMIT", "the look at the log cannot be ended", err);
}

static int schema_version(struct ent_source *s, int64_t *ret, struct ent_err *err)
{
	STATEMENT_AUTO st = NULL;
	ENT_TRY(ent_sqlite_prepare(s, "PRAGMA schema_version", NULL, &st, err));
	if (sqlite3_step(st) != SQLITE_ROW)
		return ent_sqlite_failed(s, "the schema cannot be looked at", err);
	*ret = sqlite3_column_int64(st, 0);
	return 0;
}

/* Somebody changed the schema: the tables are looked at anew, and told again. */
static int tables_renew(struct ent_changes *c, struct ent_err *err)
{
	int64_t now;
	ENT_TRY(schema_version(c->source, &now, err));
	for (size_t i = 0; i < c->n_tables && now != c->version; i++) {
		struct followed fresh = { 0 };
		int code = followed_init(c->source, &fresh, c->tables[i].object, err);
		followed_deinit(code ? &fresh : &c->tables[i]);
		if (code)
			return code;
		c->tables[i] = fresh;
	}
	c->version = now;
	return 0;
}

static int look_begin(struct ent_changes *c, struct ent_err *err)
{
	char id[40];
	int64_t floor;
	ENT_TRY(ent_sqlite_run(c->source, "BEGIN", "the log cannot be looked at", err));
	c->looking = true;
	ENT_TRY(log_end(c->source, id, &c->upto, &floor, err));
	if (strcmp(id, c->id) != 0)
		return lost("the log in the file is another one", err);
	if (c->seq < floor)
		return lost("the log was trimmed beyond it", err);
	ENT_TRY(tables_renew(c, err));
	c->at = 0;
	return 0;
}

static int row_put(struct followed *t, struct ent_builder *b, struct ent_err *err)
{
	size_t k;
	bool there = sqlite3_column_int(t->row, 0) != 0;
	ENT_TRY(ent_builder_text(b, 0, ent_bytes_str(there ? "U" : "D"), err));
	ENT_TRY(ent_builder_null(b, 1, err));
	for (int i = 2; i < (int)t->schema.n_children; i++) {
		const char *name = t->schema.children[i]->name;
		if (there || is_key(t, name, &k))
			ENT_TRY(ent_sqlite_value_at(b, i, i - 1, name, ent_builder_rows(b), t->row, err));
		else
			ENT_TRY(ent_builder_null(b, (size_t)i, err));
	}
	return 0;
}

/* Every key of the table that was touched in this look, once, with the row that stands behind it now; in several batches where they are many. */
static int table_rows(struct ent_changes *c, struct followed *t, struct ArrowArray *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	int step = SQLITE_ROW;
	ENT_TRY(ent_builder_new(&t->schema, 0, &b, err));
	if (!c->keys) {
		ENT_TRY(ent_sqlite_prepare(
			c->source, "SELECT key FROM _entente_changes WHERE tbl = ?1 AND seq > ?2 AND seq <= ?3 GROUP BY key ORDER BY max(seq)",
			t->object, &c->keys, err));
		sqlite3_bind_int64(c->keys, 2, c->seq);
		sqlite3_bind_int64(c->keys, 3, c->upto);
	}
	while (!ent_builder_full(b) && (step = sqlite3_step(c->keys)) == SQLITE_ROW) {
		sqlite3_reset(t->row);
		sqlite3_bind_value(t->row, 1, sqlite3_column_value(c->keys, 0));
		if (sqlite3_step(t->row) != SQLITE_ROW)
			return ent_sqlite_failed(c->source, "a changed row cannot be read", err);
		ENT_TRY(row_put(t, b, err));
	}
	sqlite3_reset(t->row);
	if (step != SQLITE_DONE && step != SQLITE_ROW)
		return ent_sqlite_failed(c->source, "the log cannot be read", err);
	if (step == SQLITE_DONE) {
		sqlite3_finalize(c->keys);
		c->keys = NULL;
		c->at++;
	}
	return ent_builder_rows(b) ? ent_builder_finish(b, ret, err) : 0;
}

static void cursor_put(const struct ent_changes *c, char out[400]) { snprintf(out, 400, "sqlite %s %lld", c->id, (long long)c->seq); }

int ent_sqlite_changes_next(struct ent_changes *c, uint32_t timeout_ms, struct ent_event *ret, struct ent_err *err)
{
	ent_sqlite_call_begin(c->source);
	for (uint32_t waited = 0; !c->looking; waited += LOOK_MS) {
		ENT_TRY(look_begin(c, err));
		if (c->upto > c->seq)
			break;
		ENT_TRY(look_end(c, err));
		if (waited >= timeout_ms || ent_sqlite_stopped(c->source)) {
			ret->kind = ENT_EVENT_HEARTBEAT;
			cursor_put(c, ret->cursor);
			return 0;
		}
		usleep(LOOK_MS * 1000);
	}
	while (c->at < c->n_tables) {
		struct followed *t = &c->tables[c->at];
		ret->kind = ENT_EVENT_ROWS;
		ret->table = c->at;
		ENT_TRY(table_rows(c, t, &ret->array, err));
		if (!ret->array.release)
			continue;
		if (!t->told)
			ENT_TRY(ent_schema_dup(&t->schema, &ret->schema, err));
		t->told = true;
		return 0;
	}
	c->seq = c->upto;
	ret->kind = ENT_EVENT_COMMIT;
	cursor_put(c, ret->cursor);
	return look_end(c, err);
}

/* ---- acknowledging ---- */

static int trimmed(struct ent_source *w, struct ent_err *err)
{
	return ent_sqlite_run(w,
			      "UPDATE _entente_log SET floor = max(floor, coalesce((SELECT min(seq) FROM _entente_followers), floor)); "
			      "DELETE FROM _entente_changes WHERE seq <= (SELECT floor FROM _entente_log); COMMIT",
			      "the log cannot be trimmed", err);
}

int ent_sqlite_changes_ack(struct ent_changes *c, const char *cursor, struct ent_err *err)
{
	WRITER_AUTO w = { 0 };
	char id[40];
	int64_t seq;
	if (!cursor_read(cursor, id, &seq))
		return ent_fail(err, ENT_EUSAGE, "%.60s is no position of an SQLite log", cursor);
	ENT_TRY(writer_open(c->source, &w, err));
	ENT_TRY(ent_sqlite_run(&w, "BEGIN IMMEDIATE", "the log cannot be written", err));
	ENT_TRY(follower_put(&w, c->job, seq, err));
	return trimmed(&w, err);
}

int ent_sqlite_changes_drop(struct ent_source *s, const char *job, struct ent_err *err)
{
	WRITER_AUTO w = { 0 };
	char id[40];
	int64_t end, floor;
	STATEMENT_AUTO st = NULL;
	ENT_TRY(log_end(s, id, &end, &floor, err));
	if (!id[0])
		return 0;
	ENT_TRY(writer_open(s, &w, err));
	ENT_TRY(ent_sqlite_run(&w, "BEGIN IMMEDIATE", "the log cannot be written", err));
	ENT_TRY(ent_sqlite_prepare(&w, "DELETE FROM _entente_followers WHERE job = ?1", job, &st, err));
	if (sqlite3_step(st) != SQLITE_DONE)
		return ent_sqlite_failed(&w, "the stream cannot be forgotten", err);
	sqlite3_finalize(st);
	st = NULL;
	return trimmed(&w, err);
}
