/* The sink: one attached database `dst`, tables filled by appenders inside its transactions. */
#include "duck_sink_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arrow/fit.h"
#include "arrow/sink.h"
#include "duck_load.h"

#define FILE_TABLE "rows"

int ent_duck_place_run(struct ent_duck_place *p, struct ent_buf *sql, const char *what, struct ent_err *err)
{
	ENT_TRY(ent_buf_check(sql, err));
	return ent_duck_run(&p->duck, ent_buf_text(sql), what, err);
}

/* --- the place --- */

/* What CSV and JSON writers know of the options; the rest belongs to reading. */
static int how_put(enum ent_duck_file file, const struct ent_option *o, size_t n, struct ent_buf *out, struct ent_err *err)
{
	static const struct {
		const char *key, *word;
	} words[] = { { "null", "NULLSTR" }, { "delim", "DELIM" }, { "quote", "QUOTE" }, { "escape", "ESCAPE" }, { "header", "HEADER" } };
	static const char *const formats[] = { [ENT_DUCK_CSV] = "csv", [ENT_DUCK_JSON] = "json", [ENT_DUCK_PARQUET] = "parquet" };
	ent_buf_printf(out, "(FORMAT %s%s", formats[file], file == ENT_DUCK_PARQUET ? ", COMPRESSION zstd" : "");
	if (file == ENT_DUCK_CSV && !ent_duck_options_set(o, n, "header"))
		ent_buf_str(out, ", HEADER true");
	for (size_t i = 0; i < n; i++) {
		size_t w = 0;
		while (w < ENT_COUNT(words) && strcmp(words[w].key, o[i].key) != 0)
			w++;
		if (!strcmp(o[i].key, "access"))
			continue;
		if (file != ENT_DUCK_CSV || w == ENT_COUNT(words))
			return ent_fail(err, ENT_EUSAGE, "this file is written without an option --%.60s", o[i].key);
		ent_buf_printf(out, ", %s ", words[w].word);
		ent_duck_literal(out, o[i].value);
	}
	ent_buf_str(out, ")");
	return ent_buf_check(out, err);
}

static int place_start(struct ent_duck_place *p, const char *path, const struct ent_option *options, size_t n_options, struct ent_err *err)
{
	char store[4096];
	bool database = p->file == ENT_DUCK_DATABASE;
	if (strlen(path) > sizeof store - 20 || strpbrk(path, "*?[{"))
		return ent_fail(err, ENT_EUSAGE, "the path %.200s is too long or holds one of * ? [ {", path);
	snprintf(store, sizeof store, "%s%s", path, database ? "" : ".entente");
	p->path = ent_strdup(path);
	p->store = ent_strdup(store);
	ent_buf_init(&p->how, 8192);
	if (!p->path || !p->store)
		return ent_nomem(err);
	for (size_t i = 0; i < n_options && database; i++)
		if (strcmp(options[i].key, "access") != 0)
			return ent_fail(err, ENT_EUSAGE, "a DuckDB database has no option --%.60s", options[i].key);
	if (!database)
		ENT_TRY(how_put(p->file, options, n_options, &p->how, err));
	return ent_duck_open(&p->duck.host, &p->duck, err);
}

int ent_duck_place_open(const struct ent_host *host, const char *path, enum ent_duck_file file, const struct ent_option *options, size_t n_options,
			struct ent_duck_place *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_duck_place_close) struct ent_duck_place p = { .duck.host = *host, .file = file };
	ENT_TRY(place_start(&p, path, options, n_options, err));
	*ret = p;
	p = (struct ent_duck_place){ 0 };
	return 0;
}

void ent_duck_place_close(struct ent_duck_place *p)
{
	if (ent_duck_is_shared(p->claim)) {
		duckdb_disconnect(&p->duck.con);
		p->duck.db = NULL;
	}
	ent_duck_close(&p->duck);
	ent_duck_unclaim(&p->claim);
	ent_buf_deinit(&p->how);
	free(p->path);
	free(p->store);
	*p = (struct ent_duck_place){ 0 };
}

/* Another session of this process may have the database open already. */
static int claim_take(struct ent_duck_place *p, int *ret_first, struct ent_err *err)
{
	*ret_first = 1;
	if (p->claim)
		return 0;
	if (p->read_only || p->file != ENT_DUCK_DATABASE)
		return ent_duck_claim(p->store, !p->read_only, &p->claim, err);
	duckdb_disconnect(&p->duck.con);
	ENT_TRY(ent_duck_claim_shared(p->store, &p->duck.db, ret_first, &p->claim, err));
	return duckdb_connect(p->duck.db, &p->duck.con) == DuckDBSuccess ? 0 : ent_fail(err, ENT_EINTERNAL, "DuckDB gives no connection");
}

int ent_duck_place_attach(struct ent_duck_place *p, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(16384);
	int first;
	if (p->attached)
		return 0;
	ENT_TRY(claim_take(p, &first, err));
	ent_buf_str(&sql, "ATTACH ");
	ent_duck_literal(&sql, p->store);
	ent_buf_printf(&sql, " AS dst (TYPE duckdb%s)", p->read_only ? ", READ_ONLY" : "");
	if (first)
		ENT_TRY(ent_duck_place_run(p, &sql, "the target cannot be opened for writing", err));
	if (first && !p->read_only && p->file == ENT_DUCK_DATABASE)
		ent_duck_share(p->claim, p->duck.db);
	ENT_TRY(ent_duck_run(&p->duck, "USE dst", "the target cannot be used", err));
	p->attached = true;
	return 0;
}

static bool exists(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0;
}

/* --- mapping --- */

/* The target's column types by name; nothing when the table is not there. */
static int types_there(struct ent_duck_place *p, const char *table, struct ArrowSchema *ret, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(4096), found = ENT_BUF(16);
	ENT_STREAM_AUTO rows = { 0 };
	ent_buf_str(&sql, "SELECT 'yes' FROM duckdb_tables() WHERE database_name = 'dst' AND schema_name = 'main' AND table_name = ");
	ent_duck_literal(&sql, table);
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(ent_duck_text(&p->duck, ent_buf_text(&sql), "the tables cannot be listed", &found, err));
	if (!found.len)
		return 0;
	sql.len = 0;
	ent_buf_str(&sql, "SELECT * FROM dst.main.");
	ent_duck_name(&sql, table);
	ent_buf_str(&sql, " LIMIT 0");
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(ent_duck_stream(&p->duck, ent_buf_text(&sql), NULL, 0, &rows, err));
	return ent_stream_schema(&rows, ret, err);
}

static enum ent_map_verdict field_map(const struct ent_duck_place *p, const struct ArrowSchema *there, const struct ent_field_info *f,
				      struct ent_type *ret, char native[160], char why[200])
{
	struct ent_field_info t = { .type = f->type };
	int at = there->release ? ent_schema_find(there, f->name) : 0;
	if (at < 0) {
		snprintf(why, 200, "the table has no such column");
		return ENT_MAP_REFUSED;
	}
	if (there->release)
		ent_schema_field(there, (size_t)at, &t);
	bool letters = p->file == ENT_DUCK_CSV || p->file == ENT_DUCK_JSON;
	if (letters && t.type.id == ENT_T_BINARY) /* our spelling: DuckDB's own is one that only DuckDB reads */
		t.type = (struct ent_type){ .id = ENT_T_TEXT };
	*ret = t.type;
	ent_duck_type_sql(t.type, native);
	enum ent_map_verdict v = ent_fit_types(f->type, t.type, why);
	if (v == ENT_MAP_EXACT && letters) {
		snprintf(why, 200, "a text file does not keep the type, only the text");
		return ENT_MAP_WIDENED;
	}
	return v;
}

static const char *table_name(const struct ent_duck_place *p, const char *object) { return p->file == ENT_DUCK_DATABASE ? object : FILE_TABLE; }

int ent_duck_map(struct ent_duck_place *p, const struct ent_target *target, struct ent_map_line *lines, int *ret_exists, struct ent_err *err)
{
	ENT_SCHEMA_AUTO there = { 0 };
	bool database = p->file == ENT_DUCK_DATABASE;
	*ret_exists = !database && exists(p->path);
	if (database && exists(p->store)) {
		ENT_TRY(ent_duck_place_attach(p, err));
		ENT_TRY(types_there(p, target->object, &there, err));
		*ret_exists = there.release != NULL;
		if (target->mode == ENT_WRITE_REPLACE)
			ent_schema_release(&there);
	}
	for (size_t i = 0; i < (size_t)target->schema->n_children; i++) {
		struct ent_field_info f;
		struct ent_type type;
		lines[i] = (struct ent_map_line){ .size = sizeof lines[i] };
		ent_schema_field(target->schema, i, &f);
		lines[i].verdict = field_map(p, &there, &f, &type, lines[i].native, lines[i].why);
	}
	return 0;
}

/* --- transactions and checkpoints --- */

int ent_duck_sink_begin(struct ent_sink *k, struct ent_err *err)
{
	if (k->begun)
		return 0;
	ENT_TRY(ent_duck_run(&k->place->duck, "BEGIN", "no transaction can be begun", err));
	k->begun = true;
	return 0;
}

static void loaders_close(struct ent_sink *k)
{
	for (size_t i = 0; i < k->n_tables; i++) {
		ent_duck_loader_close(&k->tables[i].loader);
		k->tables[i].loader = (struct ent_duck_loader){ 0 };
	}
}

int ent_duck_sink_rollback(struct ent_sink *k, struct ent_err *err)
{
	loaders_close(k);
	if (!k->begun)
		return 0;
	k->begun = false;
	return ent_duck_run(&k->place->duck, "ROLLBACK", "the transaction cannot be taken back", err);
}

void ent_duck_sink_close(struct ent_sink *k)
{
	if (!k)
		return;
	(void)ent_duck_sink_rollback(k, NULL);
	for (size_t i = 0; i < ENT_DUCK_TABLES_MAX; i++) {
		ent_schema_release(&k->tables[i].schema);
		free(k->tables[i].types);
		free(k->tables[i].is_key);
	}
	free(k);
}
static void sink_closep(struct ent_sink **k) { ent_duck_sink_close(*k); }

static int point_put(struct ent_sink *k, const struct ent_sink_checkpoint *c, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(16384);
	ent_buf_str(&sql, "INSERT OR REPLACE INTO _entente_checkpoint VALUES (");
	ent_duck_literal(&sql, k->job);
	ent_buf_str(&sql, ", ");
	ent_duck_literal(&sql, c->part);
	ent_buf_str(&sql, ", ");
	ent_duck_literal(&sql, c->cursor);
	ent_buf_printf(&sql, ", %llu, %llu, ", (unsigned long long)c->rows, (unsigned long long)k->epoch);
	ent_duck_literal(&sql, c->hash);
	ent_buf_str(&sql, ")");
	return ent_duck_place_run(k->place, &sql, "the checkpoint cannot be written", err);
}

/* One column of a checkpoint's row inside the open transaction; "" when there is none. */
static int point_text(struct ent_sink *k, const char *column, const char *part, struct ent_buf *out, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(16384);
	ent_buf_printf(&sql, "SELECT CAST(%s AS VARCHAR) || '.' FROM dst._entente_checkpoint WHERE job = ", column);
	ent_duck_literal(&sql, k->job);
	ent_buf_str(&sql, " AND part = ");
	ent_duck_literal(&sql, part);
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(ent_duck_text(&k->place->duck, ent_buf_text(&sql), "the checkpoint cannot be read", out, err));
	if (out->len)
		out->data[--out->len] = 0;
	else
		return ent_fail(err, ENT_ENOTFOUND, "the job has no checkpoint for %.100s", part);
	return 0;
}

int ent_duck_sink_last(struct ent_sink *k, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err)
{
	SQL_AUTO cursor = ENT_BUF(4096), rows = ENT_BUF(100), epoch = ENT_BUF(100), hash = ENT_BUF(200);
	struct ent_sink_checkpoint c = { .size = sizeof c };
	ENT_TRY(point_text(k, "cursor", part, &cursor, err));
	ENT_TRY(point_text(k, "rows", part, &rows, err));
	ENT_TRY(point_text(k, "epoch", part, &epoch, err));
	ENT_TRY(point_text(k, "hash", part, &hash, err));
	if (!ent_parse_u64(ent_buf_text(&rows), rows.len, INT64_MAX, &c.rows) || !ent_parse_u64(ent_buf_text(&epoch), epoch.len, INT64_MAX, &c.epoch))
		return ent_fail(err, ENT_EDATA, "the checkpoint of %.100s is damaged", part);
	snprintf(c.part, sizeof c.part, "%s", part);
	snprintf(c.cursor, sizeof c.cursor, "%s", ent_buf_text(&cursor));
	snprintf(c.hash, sizeof c.hash, "%s", ent_buf_text(&hash));
	*ret = c;
	return 0;
}

static int epoch_read(struct ent_sink *k, uint64_t *ret, struct ent_err *err)
{
	struct ent_sink_checkpoint c = { .epoch = 0 };
	struct ent_err quiet = ENT_ERR_INIT;
	int code = ent_duck_sink_last(k, ENT_SINK_EPOCH_PART, &c, &quiet);
	if (code && code != ENT_ENOTFOUND) {
		if (err)
			*err = quiet;
		return code;
	}
	*ret = code ? 0 : c.epoch;
	return 0;
}

static int epoch_check(struct ent_sink *k, struct ent_err *err)
{
	uint64_t now = 0;
	ENT_TRY(epoch_read(k, &now, err));
	return now == k->epoch ? 0 : ent_sink_overtaken(now, k->epoch, err);
}

/* Inside the transaction, whose snapshot may be older than another run: writing the row fails when somebody else wrote it meanwhile. */
static int epoch_hold(struct ent_sink *k, struct ent_err *err)
{
	struct ent_sink_checkpoint c = { .part = ENT_SINK_EPOCH_PART };
	struct ent_err why = ENT_ERR_INIT;
	int code = point_put(k, &c, &why);
	if (code && strstr(why.why, "onflict"))
		return ent_sink_overtaken(0, k->epoch, err);
	if (code && err)
		*err = why;
	return code;
}

int ent_duck_sink_commit(struct ent_sink *k, const struct ent_sink_checkpoint *c, struct ent_err *err)
{
	int code = epoch_check(k, err);
	for (size_t i = 0; i < k->n_tables && !code; i++)
		if (k->tables[i].loader.appender)
			code = ent_duck_loader_flush(&k->tables[i].loader, err);
	loaders_close(k);
	code = code ? code : ent_duck_sink_begin(k, err);
	code = code ? code : epoch_hold(k, err);
	if (!code && c)
		code = point_put(k, c, err);
	if (!code)
		code = ent_duck_run(&k->place->duck, "COMMIT", "the transaction cannot be committed", err);
	if (code)
		(void)ent_duck_sink_rollback(k, NULL);
	k->begun = false;
	return code;
}

static int epoch_take(struct ent_sink *k, struct ent_err *err)
{
	struct ent_sink_checkpoint c = { .part = ENT_SINK_EPOCH_PART };
	ENT_TRY(epoch_read(k, &k->epoch, err));
	k->epoch++;
	ENT_TRY(ent_duck_sink_begin(k, err));
	ENT_TRY(point_put(k, &c, err));
	k->begun = false;
	return ent_duck_run(&k->place->duck, "COMMIT", "the epoch cannot be written", err);
}

int ent_duck_sink_open(struct ent_duck_place *p, const char *job, uint64_t *epoch, struct ent_sink **ret, struct ent_err *err)
{
	ENT_CLEANUP(sink_closep) struct ent_sink *k = (struct ent_sink *)calloc(1, sizeof *k);
	if (!k)
		return ent_nomem(err);
	k->place = p;
	k->epoch = *epoch;
	snprintf(k->job, sizeof k->job, "%s", job);
	ENT_TRY(ent_duck_place_attach(p, err));
	ENT_TRY(ent_duck_run(
		&p->duck,
		"CREATE TABLE IF NOT EXISTS _entente_checkpoint (job VARCHAR, part VARCHAR, cursor VARCHAR NOT NULL, rows BIGINT NOT NULL, "
		"epoch BIGINT NOT NULL, hash VARCHAR NOT NULL, PRIMARY KEY (job, part))",
		"the table of checkpoints cannot be made", err));
	ENT_TRY(*epoch ? epoch_check(k, err) : epoch_take(k, err));
	*epoch = k->epoch;
	*ret = k;
	k = NULL;
	return 0;
}

/* --- tables and rows --- */

static int dropped(struct ent_sink *k, const char *name, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(4096);
	ent_buf_str(&sql, "DROP TABLE IF EXISTS ");
	ent_duck_name(&sql, name);
	return ent_duck_place_run(k->place, &sql, "the table cannot be dropped", err);
}

static int mode_check(const struct ent_duck_place *p, const struct ent_target *target, bool there, struct ent_err *err)
{
	if (target->mode == ENT_WRITE_CREATE && there) {
		ent_fail(err, ENT_EUSAGE, "%.200s is there already", p->file == ENT_DUCK_DATABASE ? target->object : p->path);
		return ent_next(err, "choose --mode replace, or another name"), ENT_EUSAGE;
	}
	if (p->file != ENT_DUCK_DATABASE && (target->mode == ENT_WRITE_UPSERT || (target->mode == ENT_WRITE_APPEND && there))) {
		ent_fail(err, ENT_EUNSUPPORTED, "a file is written whole");
		return ent_next(err, "choose --mode replace, or another name"), ENT_EUNSUPPORTED;
	}
	return 0;
}

static int table_ready(struct ent_sink *k, struct ent_duck_into *t, const struct ent_target *target, struct ent_err *err)
{
	ENT_SCHEMA_AUTO there = { 0 }, side = { 0 };
	bool database = k->place->file == ENT_DUCK_DATABASE;
	ENT_TRY(types_there(k->place, t->real, &side, err));
	if (target->resume && !side.release && database && target->mode == ENT_WRITE_REPLACE)
		return ent_fail(err, ENT_EDATA, "the rows that were loaded for %.200s are gone", t->name);
	if (!(target->resume && side.release)) {
		if (database)
			ENT_TRY(types_there(k->place, t->name, &there, err));
		ENT_TRY(mode_check(k->place, target, database ? there.release != NULL : exists(k->place->path), err));
		if (side.release && (target->mode == ENT_WRITE_REPLACE || !database)) {
			ENT_TRY(dropped(k, t->real, err));
			ent_schema_release(&side);
		}
	}
	for (size_t i = 0; i < (size_t)t->schema.n_children; i++) {
		struct ent_field_info f;
		char native[160], why[200];
		ent_schema_field(&t->schema, i, &f);
		if (field_map(k->place, &side, &f, &t->types[i], native, why) == ENT_MAP_REFUSED)
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be written: %s", f.name, why);
	}
	if (side.release)
		return 0;
	ENT_TRY(ent_duck_table_create(&k->place->duck, t->real, &t->schema, t->types, false, err));
	return t->mode == ENT_WRITE_UPSERT ? ent_duck_key_make(k, t, err) : 0;
}

int ent_duck_sink_table(struct ent_sink *k, const struct ent_target *target, size_t *ret_index, struct ent_err *err)
{
	if (k->n_tables == ENT_DUCK_TABLES_MAX || (k->n_tables && k->place->file != ENT_DUCK_DATABASE))
		return ent_fail(err, ENT_EUNSUPPORTED, "this target takes no further table");
	struct ent_duck_into *t = &k->tables[k->n_tables];
	bool side = target->mode == ENT_WRITE_REPLACE && k->place->file == ENT_DUCK_DATABASE;
	snprintf(t->name, sizeof t->name, "%s", table_name(k->place, target->object));
	snprintf(t->real, sizeof t->real, "%s%s", side ? "_entente_new_" : "", t->name);
	t->mode = target->mode;
	ent_schema_release(&t->schema);
	free(t->types);
	free(t->is_key);
	t->is_key = NULL;
	t->rows = 0;
	t->types = (struct ent_type *)calloc((size_t)target->schema->n_children + 1, sizeof *t->types);
	if (!t->types)
		return ent_nomem(err);
	ENT_TRY(ent_schema_dup(target->schema, &t->schema, err));
	ENT_TRY(ent_duck_keys_mark(t, target, err));
	ENT_TRY(ent_duck_sink_begin(k, err));
	ENT_TRY(table_ready(k, t, target, err));
	*ret_index = k->n_tables++;
	return 0;
}

int ent_duck_sink_rows(struct ent_sink *k, size_t index, const struct ArrowArray *rows, struct ent_err *err)
{
	struct ent_duck_into *t = &k->tables[index];
	ENT_BATCH_AUTO b = { 0 };
	ENT_TRY(ent_batch_open_copy(&t->schema, rows, &b, err));
	ENT_TRY(ent_duck_sink_begin(k, err));
	if (t->mode == ENT_WRITE_UPSERT)
		return ent_duck_rows_upsert(k, t, &b, err);
	if (!t->loader.appender)
		ENT_TRY(ent_duck_loader_open(&k->place->duck, t->real, &t->schema, t->types, &t->loader, err));
	t->loader.endless = k->place->file == ENT_DUCK_DATABASE;
	t->loader.finite = k->place->file == ENT_DUCK_JSON;
	return ent_duck_loader_put(&t->loader, &b, err);
}

int ent_duck_sink_truncate(struct ent_sink *k, size_t index, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(4096);
	loaders_close(k);
	ENT_TRY(ent_duck_sink_begin(k, err));
	ent_buf_str(&sql, "DELETE FROM ");
	ent_duck_name(&sql, k->tables[index].real);
	return ent_duck_place_run(k->place, &sql, "the table cannot be emptied", err);
}

/* --- the end --- */

static int io_fail(const char *what, const char *path, struct ent_err *err)
{
	int code = errno == ENOSPC || errno == EDQUOT ? ENT_ENOSPACE : ENT_EIO;
	char why[100];
	ent_fail(err, code, "%s %.200s", what, path);
	return ent_why(err, "%s", strerror_r(errno, why, sizeof why)), code;
}

static int synced(const char *path, int flags, struct ent_err *err)
{
	int fd = open(path, flags | O_CLOEXEC);
	int failed = fd < 0 || fsync(fd) != 0;
	int code = failed ? io_fail("cannot make durable", path, err) : 0;
	if (fd >= 0)
		close(fd);
	return code;
}

/* The staged rows as a file under a temporary name, durable, then renamed. Doing it twice gives the same file. */
static int file_write(struct ent_sink *k, struct ent_err *err)
{
	struct ent_duck_place *p = k->place;
	SQL_AUTO sql = ENT_BUF(16384);
	char part[4200], folder[4200];
	snprintf(part, sizeof part, "%s.entente.part", p->path);
	ent_buf_str(&sql, "COPY " FILE_TABLE " TO ");
	ent_duck_literal(&sql, part);
	ent_buf_printf(&sql, " %s", ent_buf_text(&p->how));
	ENT_TRY(ent_duck_place_run(p, &sql, "the file cannot be written", err));
	ENT_TRY(synced(part, O_RDONLY, err));
	if (rename(part, p->path) != 0)
		return io_fail("cannot give its name to", p->path, err);
	snprintf(folder, sizeof folder, "%s", p->path);
	return synced(dirname(folder), O_RDONLY | O_DIRECTORY, err);
}

static int store_remove(struct ent_duck_place *p, struct ent_err *err)
{
	char wal[4200];
	ENT_TRY(ent_duck_run(&p->duck, "USE memory", "the staging database cannot be left", err));
	ENT_TRY(ent_duck_run(&p->duck, "DETACH dst", "the staging database cannot be closed", err));
	p->attached = false;
	snprintf(wal, sizeof wal, "%s.wal", p->store);
	(void)unlink(wal);
	return unlink(p->store) && errno != ENOENT ? io_fail("cannot remove", p->store, err) : 0;
}

static int changed_over(struct ent_sink *k, struct ent_duck_into *t, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(4096);
	ent_buf_str(&sql, "ALTER TABLE ");
	ent_duck_name(&sql, t->real);
	ent_buf_str(&sql, " RENAME TO ");
	ent_duck_name(&sql, t->name);
	ENT_TRY(ent_duck_sink_begin(k, err));
	ENT_TRY(dropped(k, t->name, err));
	return ent_duck_place_run(k->place, &sql, "the new table cannot take its name", err);
}

int ent_duck_sink_finish(struct ent_sink *k, int forget, struct ent_err *err)
{
	ENT_TRY(ent_duck_sink_commit(k, NULL, err));
	if (k->place->file != ENT_DUCK_DATABASE) {
		ENT_TRY(file_write(k, err));
		return store_remove(k->place, err);
	}
	for (size_t i = 0; i < k->n_tables; i++)
		if (k->tables[i].mode == ENT_WRITE_REPLACE)
			ENT_TRY(changed_over(k, &k->tables[i], err));
	if (forget) {
		SQL_AUTO sql = ENT_BUF(4096);
		ENT_TRY(ent_duck_sink_begin(k, err));
		ent_buf_str(&sql, "DELETE FROM _entente_checkpoint WHERE part <> '" ENT_SINK_EPOCH_PART "' AND job = ");
		ent_duck_literal(&sql, k->job);
		ENT_TRY(ent_duck_place_run(k->place, &sql, "the checkpoints cannot be removed", err));
	}
	return ent_duck_sink_commit(k, NULL, err);
}
