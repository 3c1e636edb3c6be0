/* One event of the log after the other: which tables have which columns, rows into builders, where transactions end. What cannot be followed stops
 * with its reason; nothing is skipped. */
#include <stdio.h>
#include <stdlib.h>

#include "my_changes.h"

#define ARTIFICIAL 0x20 /* flag of events that are in no file */
#define ROWS_TOGETHER 20000u

static int stopped(const struct ent_changes *c, const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EDATA, "the binary log cannot be followed at %.100s:%llu", c->file, (unsigned long long)c->position);
	ent_why(err, "%s", why);
	return ent_next(err, "begin anew: entente replicate run ... --restart"), ENT_EDATA;
}

static int table_stopped(const struct ent_changes *c, const struct ent_my_followed *f, const char *why, struct ent_err *err)
{
	char text[600];
	snprintf(text, sizeof text, "table %.100s: %.400s", f->object, why);
	return stopped(c, text, err);
}

/* --- events that wait --- */

int ent_my_wait_add(struct ent_changes *c, struct ent_event *e, struct ent_err *err)
{
	if (c->n_waiting == c->cap_waiting) {
		size_t cap = c->cap_waiting ? c->cap_waiting * 2 : 16;
		struct ent_event *more = cap > 1000000 ? NULL : (struct ent_event *)realloc(c->waiting, cap * sizeof *more);
		if (!more) {
			ent_array_release(&e->array);
			ent_schema_release(&e->schema);
			return ent_nomem(err);
		}
		c->waiting = more;
		c->cap_waiting = cap;
	}
	e->size = sizeof *e;
	c->waiting[c->n_waiting++] = *e;
	return 0;
}

static size_t index_of(const struct ent_changes *c, const struct ent_my_followed *f) { return (size_t)(f - c->tables); }

static int rows_flush(struct ent_changes *c, struct ent_my_followed *f, struct ent_err *err)
{
	struct ent_event e = { .kind = ENT_EVENT_ROWS, .table = index_of(c, f) };
	if (!f->builder || !ent_builder_rows(f->builder))
		return 0;
	ENT_TRY(ent_builder_finish(f->builder, &e.array, err));
	return ent_my_wait_add(c, &e, err);
}

int ent_my_flush(struct ent_changes *c, struct ent_err *err)
{
	struct ent_event e = { .kind = ENT_EVENT_COMMIT, .time_us = c->time_us, .retained_bytes = c->retained };
	for (size_t i = 0; i < c->n_tables; i++)
		ENT_TRY(rows_flush(c, &c->tables[i], err));
	c->rows = 0;
	c->advanced = false;
	snprintf(e.cursor, sizeof e.cursor, "%s", c->cursor);
	return ent_my_wait_add(c, &e, err);
}

/* --- tables --- */

void ent_my_followed_forget(struct ent_my_followed *f)
{
	ent_builder_free(f->builder);
	ent_schema_release(&f->schema);
	free(f->column);
	free(f->place);
	free(f->is_key);
	free(f->before);
	free(f->after);
	f->builder = NULL;
	f->column = NULL;
	f->place = NULL;
	f->is_key = NULL;
	f->before = f->after = NULL;
}

static bool in_first_key(const struct ent_my_table *t, const char *name)
{
	const char *keys = ent_buf_text(&t->keys);
	size_t len = strcspn(keys, "\n"), n = strlen(name);
	for (size_t at = 0; at < len;) {
		size_t part = strcspn(keys + at, "\t\n");
		if (part == n && !memcmp(keys + at, name, n))
			return true;
		at += part + 1;
	}
	return false;
}

static int arrays_make(struct ent_my_followed *f, struct ent_err *err)
{
	size_t n = f->map.n_columns + 1;
	f->column = (int *)calloc(n, sizeof *f->column);
	f->place = (size_t *)calloc(n, sizeof *f->place);
	f->is_key = (bool *)calloc(n, sizeof *f->is_key);
	f->before = (struct ent_bytes *)calloc(n, sizeof *f->before);
	f->after = (struct ent_bytes *)calloc(n, sizeof *f->after);
	return f->column && f->place && f->is_key && f->before && f->after ? 0 : ent_nomem(err);
}

/* Finds each column of the log in the catalogue and asks whether it can be read. */
static int columns_match(const struct ent_changes *c, struct ent_my_followed *f, struct ent_field *fields, size_t *ret_n, struct ent_err *err)
{
	char why[400];
	size_t n = 2, keys = 0;
	fields[0] = (struct ent_field){ .name = "entente.op", .type = { .id = ENT_T_TEXT } };
	fields[1] = (struct ent_field){ .name = "entente.unchanged", .type = { .id = ENT_T_TEXT }, .nullable = true };
	for (size_t i = 0; i < f->map.n_columns; i++) {
		const struct ent_my_log_column *l = &f->map.columns[i];
		int at = ent_my_table_find(&f->there, l->name);
		f->column[i] = -1;
		if (at < 0) {
			snprintf(why, sizeof why, "column %.100s of the log is no longer in the table", l->name);
			return table_stopped(c, f, why, err);
		}
		const struct ent_my_column *t = &f->there.columns[at];
		if (t->type.kind == ENT_MY_NONE)
			continue;
		const char *no = ent_my_log_match(l, &t->type, ent_my_charset_of(t->collation));
		if (no) {
			snprintf(why, sizeof why, "column %.100s (%.100s): %.150s", t->name, t->native, no);
			return table_stopped(c, f, why, err);
		}
		f->column[i] = at;
		f->place[i] = n;
		f->is_key[i] = in_first_key(&f->there, t->name);
		keys += f->is_key[i];
		fields[n++] = (struct ent_field){ .name = t->name, .type = t->type.type, .nullable = !f->is_key[i], .native = t->native };
	}
	*ret_n = n;
	return keys ? 0 : table_stopped(c, f, "it has no primary key and no unique key without NULL: its changes name no row", err);
}

/* A column that the log does not know yet must be one whose rows all have NULL. */
static int newer_check(const struct ent_changes *c, const struct ent_my_followed *f, struct ent_err *err)
{
	for (size_t i = 0; i < f->there.n_columns; i++) {
		const struct ent_my_column *t = &f->there.columns[i];
		bool logged = false;
		for (size_t k = 0; k < f->map.n_columns; k++)
			logged = logged || f->column[k] == (int)i;
		if (!logged && t->type.kind != ENT_MY_NONE && (!t->nullable || t->has_default))
			return table_stopped(c, f, "a new column fills its older rows with a value that the log does not show", err);
	}
	return 0;
}

static void fields_freep(struct ent_field **f) { free(*f); }

/* The table's schema from the log's map and the catalogue; said to the caller when it is new. */
static int schema_make(struct ent_changes *c, struct ent_my_followed *f, struct ent_err *err)
{
	struct ent_event e = { .kind = ENT_EVENT_SCHEMA, .table = index_of(c, f) };
	size_t n = 0;
	ENT_CLEANUP(fields_freep) struct ent_field *fields = (struct ent_field *)calloc(f->map.n_columns + 3, sizeof *fields);
	if (!fields)
		return ent_nomem(err);
	ENT_TRY(rows_flush(c, f, err));
	ent_my_followed_forget(f);
	ent_my_table_deinit(&f->there);
	f->there = (struct ent_my_table){ 0 };
	ENT_TRY(ent_my_ready(c->source, err));
	ENT_TRY(ent_my_table_read(c->source->con, c->source, f->object, &f->there, err));
	ENT_TRY(arrays_make(f, err));
	ENT_TRY(columns_match(c, f, fields, &n, err));
	ENT_TRY(newer_check(c, f, err));
	ENT_TRY(ent_schema_new(fields, n, ent_buf_text(&f->there.keys), &f->schema, err));
	ENT_TRY(ent_schema_meta_add(&f->schema, ENT_META_STORE, "mysql", err));
	ENT_TRY(ent_schema_meta_add(&f->schema, ENT_META_DECLARED, "yes", err));
	ENT_TRY(ent_builder_new(&f->schema, 0, &f->builder, err));
	ENT_TRY(ent_schema_dup(&f->schema, &e.schema, err));
	f->known = true;
	f->signature = f->map.signature;
	return ent_my_wait_add(c, &e, err);
}

static int on_map(struct ent_changes *c, const struct ent_my_event *e, struct ent_err *err)
{
	ENT_CLEANUP(ent_my_map_deinit) struct ent_my_map map = { 0 };
	struct ent_my_followed *f = NULL;
	c->in_transaction = true;
	uint64_t id;
	struct ent_err quiet = ENT_ERR_INIT;
	int code = ent_my_map_read(e, &map, &quiet);
	if (code && !ent_my_table_id(e, &id))
		id = 0;
	for (size_t i = 0; i < c->n_tables; i++) {
		bool same = !code && !strcmp(c->tables[i].database, map.database) && !strcmp(c->tables[i].table, map.table);
		if (same)
			f = &c->tables[i];
		else if (c->tables[i].map.id == (code ? id : map.id))
			c->tables[i].map.id = 0; /* the number is another table's now */
	}
	if (code == ENT_EUNSUPPORTED && !f) /* perhaps of a table that nobody follows */
		for (size_t i = 0; i < c->n_tables; i++)
			if (strstr(quiet.what, c->tables[i].table))
				return table_stopped(c, &c->tables[i], quiet.what, err);
	if (code && code != ENT_EUNSUPPORTED) {
		if (err)
			*err = quiet;
		return code;
	}
	if (!f)
		return 0;
	ent_my_map_deinit(&f->map);
	f->map = map;
	map = (struct ent_my_map){ 0 };
	if (!f->map.named)
		return table_stopped(c, f, "the log does not name its columns (binlog_row_metadata was not FULL)", err);
	return f->known && f->signature == f->map.signature ? 0 : schema_make(c, f, err);
}

/* --- rows --- */

static int row_add(struct ent_changes *c, struct ent_my_followed *f, char op, const struct ent_bytes *values, struct ent_err *err)
{
	ENT_TRY(ent_builder_text(f->builder, 0, ent_bytes(&op, 1), err));
	ENT_TRY(ent_builder_null(f->builder, 1, err));
	for (size_t i = 0; i < f->map.n_columns; i++) {
		if (f->column[i] < 0)
			continue;
		const struct ent_my_column *t = &f->there.columns[f->column[i]];
		if (op == 'D' && !f->is_key[i]) {
			ENT_TRY(ent_builder_null(f->builder, f->place[i], err));
			continue;
		}
		struct ent_err e = ENT_ERR_INIT;
		int code = ent_my_log_value(&f->map.columns[i], &t->type, ent_my_charset_of(t->collation), values[i], &c->scratch, f->builder,
					    f->place[i], &e);
		if (code) {
			ent_fail(err, code, "a changed row of table %.100s, column %.100s: %.200s", f->object, t->name, e.what);
			return ent_why(err, "binary log %.100s behind %llu", c->file, (unsigned long long)c->position), code;
		}
	}
	if (!c->rows++)
		c->rows_since_ms = ent_dial_now_ms();
	return ent_builder_full(f->builder) ? rows_flush(c, f, err) : 0;
}

static bool key_same(const struct ent_my_followed *f)
{
	for (size_t i = 0; i < f->map.n_columns; i++)
		if (f->is_key[i] && !ent_bytes_eq(f->before[i], f->after[i]))
			return false;
	return true;
}

static int on_rows(struct ent_changes *c, const struct ent_my_event *e, struct ent_err *err)
{
	struct ent_my_followed *f = NULL;
	struct ent_my_rows rows;
	uint64_t id;
	bool end = false;
	c->in_transaction = true;
	if (!ent_my_table_id(e, &id))
		return stopped(c, "rows without a table", err);
	for (size_t i = 0; i < c->n_tables; i++)
		if (c->tables[i].map.id == id && c->tables[i].map.columns)
			f = &c->tables[i];
	if (!f || !id)
		return 0;
	ENT_TRY(ent_my_rows_open(e, &f->map, &rows, err));
	if (!rows.full)
		return table_stopped(c, f, "rows are not whole (binlog_row_image was not FULL)", err);
	for (;;) {
		ENT_TRY(ent_my_rows_next(&rows, f->before, f->after, &end, err));
		if (end)
			return 0;
		if (rows.op == 'U' && !key_same(f)) {
			ENT_TRY(row_add(c, f, 'D', f->before, err));
			ENT_TRY(row_add(c, f, 'I', f->after, err));
		} else {
			ENT_TRY(row_add(c, f, rows.op, rows.op == 'D' ? f->before : f->after, err));
		}
	}
}

/* --- transactions --- */

static bool holds_rows(const struct ent_changes *c) { return c->in_transaction && c->rows > 0; }

static void cursor_write(struct ent_changes *c)
{
	snprintf(c->cursor, sizeof c->cursor, "1 %.79s %.200s %llu %u%s%.70s", c->source->identity, c->file, (unsigned long long)c->position,
		 c->created, c->gtid[0] ? " " : "", c->gtid);
	c->advanced = true;
}

static int boundary(struct ent_changes *c, const struct ent_my_event *e)
{
	c->in_transaction = c->in_group = false;
	c->time_us = (int64_t)e->time * 1000000;
	cursor_write(c);
	return 0;
}

static int emptied(struct ent_changes *c, struct ent_my_followed *f, struct ent_err *err)
{
	struct ent_event e = { .kind = ENT_EVENT_TRUNCATE, .table = index_of(c, f) };
	ENT_TRY(rows_flush(c, f, err));
	ENT_TRY(ent_my_wait_add(c, &e, err));
	c->rows++; /* so that its end is told at once */
	return 0;
}

static int on_definition(struct ent_changes *c, enum ent_my_statement kind, const char *database, struct ent_bytes sql, struct ent_err *err)
{
	for (size_t i = 0; i < c->n_tables; i++) {
		struct ent_my_followed *f = &c->tables[i];
		if (kind == ENT_MY_ST_OTHER || !ent_my_statement_names(sql, database, f->database, f->table))
			continue;
		if (kind == ENT_MY_ST_TRUNCATE)
			ENT_TRY(emptied(c, f, err));
		else if (kind == ENT_MY_ST_ALTER)
			f->known = false;
		else
			return table_stopped(c, f,
					     kind == ENT_MY_ST_ALTER_ROWS ? "a partition took rows in or out, which the log does not show"
									  : "it was dropped, renamed or made anew",
					     err);
	}
	return 0;
}

static int on_query(struct ent_changes *c, const struct ent_my_event *e, struct ent_err *err)
{
	char database[256];
	struct ent_bytes sql;
	ENT_TRY(ent_my_query_read(e, database, &sql, err));
	enum ent_my_statement kind = ent_my_statement_kind(sql);
	if (kind == ENT_MY_ST_ALTER && c->rows && !c->in_transaction) /* the target may alter between two transactions only */
		ENT_TRY(ent_my_flush(c, err));
	switch (kind) {
	case ENT_MY_ST_BEGIN:
		c->in_transaction = true;
		return 0;
	case ENT_MY_ST_COMMIT:
	case ENT_MY_ST_XA_SETTLED:
		return boundary(c, e);
	case ENT_MY_ST_ROLLBACK:
		if (holds_rows(c))
			return stopped(c, "a transaction was rolled back in part", err);
		return boundary(c, e);
	case ENT_MY_ST_XA_OTHER:
		return 0;
	case ENT_MY_ST_ROWS:
		return stopped(c, "a session logs statements instead of rows (binlog_format)", err);
	case ENT_MY_ST_TRUNCATE:
	case ENT_MY_ST_ALTER:
	case ENT_MY_ST_ALTER_ROWS:
	case ENT_MY_ST_DROP:
	case ENT_MY_ST_RENAME:
	case ENT_MY_ST_OTHER:
		break;
	}
	ENT_TRY(on_definition(c, kind, database, sql, err));
	return c->in_transaction ? 0 : boundary(c, e);
}

static int on_prepared(struct ent_changes *c, const struct ent_my_event *e, struct ent_err *err)
{
	bool one_phase = e->body.len && e->body.data[0];
	if (!one_phase && holds_rows(c))
		return stopped(c, "a transaction with followed tables was prepared in two phases; its end stands elsewhere in the log", err);
	return boundary(c, e);
}

static void on_gtid(struct ent_changes *c, const struct ent_my_event *e)
{
	struct ent_reader r = ent_reader(e->body);
	char hex[33];
	c->in_group = true;
	if (e->type == ENT_MY_EV_GTID) {
		ent_read_u8(&r);
		struct ent_bytes sid = ent_read(&r, 16);
		uint64_t number = ent_read_le64(&r);
		if (!r.ok)
			return;
		ent_hex(hex, sid.data, 16);
		snprintf(c->gtid, sizeof c->gtid, "%.8s-%.4s-%.4s-%.4s-%.12s:%llu", hex, hex + 8, hex + 12, hex + 16, hex + 20,
			 (unsigned long long)number);
	} else {
		uint64_t number = ent_read_le64(&r);
		uint32_t domain = ent_read_le32(&r);
		if (r.ok)
			snprintf(c->gtid, sizeof c->gtid, "%u-%u-%llu", domain, e->server, (unsigned long long)number);
	}
}

static int on_format(struct ent_changes *c, const struct ent_my_event *e, struct ent_err *err)
{
	ENT_TRY(ent_my_format_read(e, &c->checksum, err));
	if (c->created && c->created != e->time)
		return stopped(c, "the log was begun anew under the same name", err);
	c->created = e->time;
	c->headed = true;
	for (size_t i = 0; i < c->n_tables; i++)
		c->tables[i].map.id = 0; /* a server that started again counts tables anew */
	return 0;
}

static int on_rotate(struct ent_changes *c, const struct ent_my_event *e, struct ent_err *err)
{
	char file[256];
	uint64_t position;
	ENT_TRY(ent_my_rotate_read(e, file, &position, err));
	if (strcmp(file, c->file) != 0)
		c->created = 0;
	memcpy(c->file, file, sizeof file);
	c->position = position;
	return 0;
}

static int dispatch(struct ent_changes *c, const struct ent_my_event *e, struct ent_err *err)
{
	switch (e->type) {
	case ENT_MY_EV_FORMAT:
		return on_format(c, e, err);
	case ENT_MY_EV_ROTATE:
		return on_rotate(c, e, err);
	case ENT_MY_EV_QUERY:
		return on_query(c, e, err);
	case ENT_MY_EV_XID:
		return boundary(c, e);
	case ENT_MY_EV_XA_PREPARE:
		return on_prepared(c, e, err);
	case ENT_MY_EV_TABLE_MAP:
		return on_map(c, e, err);
	case ENT_MY_EV_WRITE_1:
	case ENT_MY_EV_UPDATE_1:
	case ENT_MY_EV_DELETE_1:
	case ENT_MY_EV_WRITE_2:
	case ENT_MY_EV_UPDATE_2:
	case ENT_MY_EV_DELETE_2:
		return on_rows(c, e, err);
	case ENT_MY_EV_GTID:
	case ENT_MY_EV_MARIA_GTID:
		return on_gtid(c, e), 0;
	case ENT_MY_EV_INCIDENT:
		return stopped(c, "the server says that its log has a hole", err);
	case ENT_MY_EV_PARTIAL_UPDATE:
		return stopped(c, "JSON is logged in parts (binlog_row_value_options)", err);
	case ENT_MY_EV_PAYLOAD:
		return stopped(c, "transactions are compressed (binlog_transaction_compression)", err);
	default:
		if (e->type >= ENT_MY_EV_MARIA_COMPRESSED && e->type <= ENT_MY_EV_MARIA_COMPRESSED_LAST)
			return stopped(c, "events are compressed (log_bin_compress)", err);
		return 0; /* remarks of the server: annotations, lists of GTIDs, heartbeats */
	}
}

int ent_my_follow(struct ent_changes *c, struct ent_bytes packet, struct ent_err *err)
{
	struct ent_my_event e;
	bool format = packet.len > 4 && packet.data[4] == ENT_MY_EV_FORMAT;
	if (format && packet.len > 5) /* the first event always ends with the kind of checksum and four bytes of it */
		c->checksum = packet.data[packet.len - 5] == 1;
	ENT_TRY(ent_my_event_open(packet, c->checksum, &e, err));
	if (format && !c->checksum && e.body.len > 4)
		e.body.len -= 4;
	bool placed = e.position && !(e.flags & ARTIFICIAL) && e.type != ENT_MY_EV_HEARTBEAT && e.type != ENT_MY_EV_HEARTBEAT_2;
	if (placed && e.position < c->position)
		return stopped(c, "the file is longer than 4 GiB, where positions begin anew", err);
	if (placed && e.type != ENT_MY_EV_ROTATE)
		c->position = e.position;
	ENT_TRY(dispatch(c, &e, err));
	if (!c->in_transaction && !c->in_group)
		cursor_write(c); /* also over what is no transaction: the head of a new file */
	bool many = c->rows >= ROWS_TOGETHER || (c->rows && ent_dial_now_ms() - c->rows_since_ms > 200);
	return c->rows && c->advanced && !c->in_transaction && many ? ent_my_flush(c, err) : 0;
}
