/* Rows into tables: LOAD DATA from memory to append, INSERT ... ON DUPLICATE KEY UPDATE of many rows to upsert, DELETE by keys. Every statement's
 * count of rows and warnings is looked at: LOAD DATA LOCAL skips what it does not like. */
#include <stdio.h>
#include <stdlib.h>

#include "my_sink.h"

#define PAGE_ROWS 2000u /* of one statement */
#define PAGE_BYTES ((size_t)1 << 20)

int ent_my_sink_begin(struct ent_sink *k, struct ent_err *err)
{
	char sql[80];
	if (k->begun)
		return 0;
	if (!k->con)
		ENT_TRY(ent_my_connect(k->source, ENT_MY_WRITE, &k->con, err));
	snprintf(sql, sizeof sql, "XA START '%s'", k->xid);
	ENT_TRY(ent_my_exec(k->con, sql, "a transaction cannot begin", err));
	k->begun = true;
	for (size_t i = 0; i < k->n_tables; i++)
		k->tables[i].dirty = false;
	return 0;
}

/* --- LOAD DATA --- */

struct page { /* what the library asks for, piece by piece */
	const struct ent_buf *buf;
	size_t at;
};

static int page_init(void **ret, const char *file, void *arg)
{
	(void)file; /* whatever the server asks for, it gets these rows */
	*ret = arg;
	return 0;
}
static int page_read(void *arg, char *out, unsigned size)
{
	struct page *p = (struct page *)arg;
	size_t n = p->buf->len - p->at < size ? p->buf->len - p->at : size;
	if (n)
		memcpy(out, p->buf->data + p->at, n);
	p->at += n;
	return (int)n;
}
static void page_end(void *arg) { (void)arg; }
static int page_error(void *arg, char *out, unsigned size)
{
	(void)arg;
	snprintf(out, size, "rows in memory");
	return 2;
}

/* The value that a warning "... column 'c' at row 3" is about. */
static bool value_named(const struct ent_sink *k, const struct ent_my_into *t, const struct ent_batch *b, const char *text, struct ent_err *err)
{
	const char *column = strstr(text, "column "), *at = strstr(text, " at row ");
	unsigned long row = at ? strtoul(at + 8, NULL, 10) : 0;
	for (size_t i = 0; column && i < t->n && row && row <= b->rows; i++) {
		char quoted[2][270];
		snprintf(quoted[0], sizeof quoted[0], "`%.255s` at row", t->puts[i].name);
		snprintf(quoted[1], sizeof quoted[1], "'%.255s' at row", t->puts[i].name);
		if (!strstr(column, quoted[0]) && !strstr(column, quoted[1]))
			continue;
		ent_why(err, "the server refuses it: %.150s", text);
		(void)ent_fit_misfit(&b->columns[i], row - 1, k->row_base + row, t->puts[i].name, t->puts[i].native, err);
		return true;
	}
	return false;
}

/* Every row there, none with a remark. */
static int rows_check(struct ent_sink *k, const struct ent_my_into *t, const struct ent_batch *b, struct ent_err *err)
{
	uint64_t want = b->rows, got = mysql_affected_rows(k->con);
	if (got == want && !mysql_warning_count(k->con))
		return 0;
	ENT_CLEANUP(ent_my_result_freep) MYSQL_RES *r = NULL;
	ent_fail(err, ENT_EDATA, "table %.200s did not take all rows: %llu of %llu", t->object, (unsigned long long)got, (unsigned long long)want);
	if (ent_my_run(k->con, ent_bytes_str("SHOW WARNINGS LIMIT 1"), &r, "", NULL))
		return ENT_EDATA;
	MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
	if (row && row[1] && row[2]) {
		const char *key = strstr(row[2], "for key '"), *column = strstr(row[2], "for column ");
		if (err)
			err->vendor = (int)strtol(row[1], NULL, 10);
		if (!key && value_named(k, t, b, row[2], err))
			return ENT_EDATA;
		if (key)
			ent_why(err, "a row with the same key is there already, %.100s (error %s)", key, row[1]);
		else
			ent_why(err, "a value does not fit %.100s (error %s)", column ? column : "", row[1]);
	}
	return ENT_EDATA;
}

static int load(struct ent_sink *k, const struct ent_my_into *t, const struct ent_batch *b, struct ent_err *err)
{
	struct page page = { .buf = &k->page };
	ent_buf_reset(&k->page);
	for (size_t r = 0; r < b->rows; r++) {
		for (size_t i = 0; i < t->n; i++) {
			if (i)
				ent_buf_u8(&k->page, '\t');
			ENT_TRY(ent_my_value_put(k, &t->puts[i], &b->columns[i], r, ENT_MY_FORM_LOAD, t->binary, &k->scratch, &k->page, err));
		}
		ent_buf_u8(&k->page, '\n');
	}
	ENT_TRY(ent_buf_check(&k->page, err));
	mysql_set_local_infile_handler(k->con, page_init, page_read, page_end, page_error, &page);
	int code = ent_my_run(k->con, ent_buf_bytes(&t->load), NULL, "the rows cannot be loaded", err);
	mysql_set_local_infile_handler(k->con, page_init, page_read, page_end, page_error, NULL);
	return code ? code : rows_check(k, t, b, err);
}

/* --- INSERT --- */

/* " ON DUPLICATE KEY UPDATE a = VALUES(a), ..." over the columns that are no keys; one of the key when there are none. */
static void upsert_put(const struct ent_my_into *t, struct ent_buf *sql)
{
	bool first = true;
	ent_buf_str(sql, " ON DUPLICATE KEY UPDATE ");
	for (size_t i = 0; i < t->n; i++) {
		if (t->puts[i].key)
			continue;
		ent_buf_str(sql, first ? "" : ", ");
		ent_my_name(sql, t->puts[i].name);
		ent_buf_str(sql, " = VALUES(");
		ent_my_name(sql, t->puts[i].name);
		ent_buf_u8(sql, ')');
		first = false;
	}
	for (size_t i = 0; first && i < t->n; i++) {
		if (!t->puts[i].key)
			continue;
		ent_my_name(sql, t->puts[i].name);
		ent_buf_u8(sql, '=');
		ent_my_name(sql, t->puts[i].name);
		first = false;
	}
}

static int row_put(struct ent_sink *k, const struct ent_my_into *t, const struct ent_view *columns, size_t row, struct ent_buf *sql,
		   struct ent_err *err)
{
	ent_buf_u8(sql, '(');
	for (size_t i = 0; i < t->n; i++) {
		if (i)
			ent_buf_u8(sql, ',');
		ENT_TRY(ent_my_value_put(k, &t->puts[i], &columns[i], row, ENT_MY_FORM_SQL, false, &k->scratch, sql, err));
	}
	ent_buf_u8(sql, ')');
	return ent_buf_check(sql, err);
}

static size_t page_bytes(const struct ent_sink *k) { return k->packet_max / 4 < PAGE_BYTES ? k->packet_max / 4 : PAGE_BYTES; }

/* Rows from at on in one statement, as many as it takes; *ret_at is the first that is left. stop: only rows below it. */
static int insert_page(struct ent_sink *k, const struct ent_my_into *t, const struct ent_view *columns, size_t at, size_t stop, bool upsert,
		       size_t *ret_at, struct ent_err *err)
{
	size_t first = at;
	ent_buf_reset(&k->page);
	ent_buf_printf(&k->page, "INSERT INTO %s (%s) VALUES ", t->real, ent_buf_text(&t->names));
	for (; at < stop && at - first < PAGE_ROWS && k->page.len < page_bytes(k); at++) {
		ent_buf_str(&k->page, at > first ? "," : "");
		ENT_TRY(row_put(k, t, columns, at, &k->page, err));
	}
	if (upsert)
		upsert_put(t, &k->page);
	ENT_TRY(ent_buf_check(&k->page, err));
	*ret_at = at;
	return ent_my_run(k->con, ent_buf_bytes(&k->page), NULL, "the rows cannot be written", err);
}

static int insert(struct ent_sink *k, const struct ent_my_into *t, const struct ent_view *columns, size_t at, size_t stop, bool upsert,
		  struct ent_err *err)
{
	while (at < stop)
		ENT_TRY(insert_page(k, t, columns, at, stop, upsert, &at, err));
	return 0;
}

int ent_my_sink_rows(struct ent_sink *k, size_t index, const struct ArrowArray *rows, struct ent_err *err)
{
	struct ent_my_into *t = &k->tables[index];
	ENT_BATCH_AUTO b = { 0 };
	if (t->gone)
		return ent_fail(err, ENT_EDATA, "the new table %.200s has already taken its place", t->object);
	ENT_TRY(ent_my_cancelled(k->source, err));
	ENT_TRY(ent_batch_open_copy(&t->schema, rows, &b, err));
	if (!b.rows)
		return 0;
	ENT_TRY(ent_my_sink_begin(k, err));
	t->dirty = true;
	k->row_base = t->rows;
	bool upsert = t->mode == ENT_WRITE_UPSERT;
	int code = upsert || !k->infile ? insert(k, t, b.columns, 0, b.rows, upsert, err) : load(k, t, &b, err);
	t->rows += b.rows;
	return code;
}

/* --- changes --- */

/* "(a, b)" or "a" */
static void key_names(const struct ent_my_into *t, struct ent_buf *sql)
{
	bool first = true;
	ent_buf_str(sql, t->n_keys > 1 ? "(" : "");
	for (size_t i = 0; i < t->n; i++) {
		if (!t->puts[i].key)
			continue;
		ent_buf_str(sql, first ? "" : ", ");
		ent_my_name(sql, t->puts[i].name);
		first = false;
	}
	ent_buf_str(sql, t->n_keys > 1 ? ")" : "");
}

static int key_values(struct ent_sink *k, const struct ent_my_into *t, const struct ent_view *columns, size_t row, struct ent_buf *sql,
		      struct ent_err *err)
{
	bool first = true;
	ent_buf_str(sql, t->n_keys > 1 ? "(" : "");
	for (size_t i = 0; i < t->n; i++) {
		if (!t->puts[i].key)
			continue;
		ent_buf_str(sql, first ? "" : ",");
		ENT_TRY(ent_my_value_put(k, &t->puts[i], &columns[i], row, ENT_MY_FORM_SQL, false, &k->scratch, sql, err));
		first = false;
	}
	ent_buf_str(sql, t->n_keys > 1 ? ")" : "");
	return ent_buf_check(sql, err);
}

static int delete_rows(struct ent_sink *k, const struct ent_my_into *t, const struct ent_view *columns, size_t at, size_t stop, struct ent_err *err)
{
	while (at < stop) {
		size_t first = at;
		ent_buf_reset(&k->page);
		ent_buf_printf(&k->page, "DELETE FROM %s WHERE ", t->real);
		key_names(t, &k->page);
		ent_buf_str(&k->page, " IN (");
		for (; at < stop && at - first < PAGE_ROWS / 2 && k->page.len < page_bytes(k); at++) {
			ent_buf_str(&k->page, at > first ? "," : "");
			ENT_TRY(key_values(k, t, columns, at, &k->page, err));
		}
		ent_buf_u8(&k->page, ')');
		ENT_TRY(ent_my_run(k->con, ent_buf_bytes(&k->page), NULL, "rows cannot be deleted", err));
	}
	return 0;
}

/* A change whose log leaves some columns out: the others, by key. */
static int update_row(struct ent_sink *k, const struct ent_my_into *t, const struct ent_view *columns, size_t row, struct ent_bytes unchanged,
		      struct ent_err *err)
{
	bool first = true;
	ent_buf_reset(&k->page);
	ent_buf_printf(&k->page, "UPDATE %s SET ", t->real);
	for (size_t i = 0; i < t->n; i++) {
		if (t->puts[i].key || ent_sink_listed(unchanged, t->puts[i].name))
			continue;
		ent_buf_str(&k->page, first ? "" : ", ");
		ent_my_name(&k->page, t->puts[i].name);
		ent_buf_u8(&k->page, '=');
		ENT_TRY(ent_my_value_put(k, &t->puts[i], &columns[i], row, ENT_MY_FORM_SQL, false, &k->scratch, &k->page, err));
		first = false;
	}
	if (first)
		return 0;
	ent_buf_str(&k->page, " WHERE ");
	key_names(t, &k->page);
	ent_buf_str(&k->page, " = ");
	ENT_TRY(key_values(k, t, columns, row, &k->page, err));
	ENT_TRY(ent_my_run(k->con, ent_buf_bytes(&k->page), NULL, "a row cannot be changed", err));
	if (mysql_affected_rows(k->con) == 1)
		return 0;
	ent_fail(err, ENT_EDATA, "row %zu of the changes of %.200s changes a row that is not there", row + 1, t->object);
	return ent_next(err, "somebody else writes to the table; copy it anew"), ENT_EDATA;
}

/* The columns of the changes in the order of the table's. */
static int columns_match(const struct ent_my_into *t, const struct ArrowSchema *schema, const struct ent_batch *b, struct ent_view *views,
			 struct ent_err *err)
{
	if (schema->n_children < 2)
		return ent_fail(err, ENT_EDATA, "changes without their operation");
	for (size_t i = 0; i < t->n; i++) {
		int at = ent_schema_find(schema, t->puts[i].name);
		if (at < 2)
			return ent_fail(err, ENT_EDATA, "the changes of %.200s lack column %.200s", t->object, t->puts[i].name);
		views[i] = b->columns[at];
	}
	return 0;
}

static void views_freep(struct ent_view **v) { free(*v); }

static char op_of(const struct ent_batch *b, size_t row)
{
	struct ent_bytes op = ent_view_text(&b->columns[0], row);
	return op.len == 1 ? (char)op.data[0] : '?';
}

/* Runs of equal kind go together; their order stays. */
static int changes_apply(struct ent_sink *k, const struct ent_my_into *t, const struct ent_batch *b, const struct ent_view *views,
			 struct ent_err *err)
{
	for (size_t at = 0, end; at < b->rows; at = end) {
		char op = op_of(b, at);
		struct ent_bytes unchanged = ent_view_text(&b->columns[1], at);
		bool partly = !ent_view_null(&b->columns[1], at) && unchanged.len;
		if (op != 'I' && op != 'U' && op != 'D')
			return ent_fail(err, ENT_EDATA, "a change is neither I, U nor D");
		for (end = at + 1; end < b->rows && !partly; end++) {
			bool next_partly = !ent_view_null(&b->columns[1], end) && ent_view_text(&b->columns[1], end).len;
			if (next_partly || (op_of(b, end) == 'D') != (op == 'D'))
				break;
		}
		if (op == 'D')
			ENT_TRY(delete_rows(k, t, views, at, end, err));
		else
			ENT_TRY(partly ? update_row(k, t, views, at, unchanged, err) : insert(k, t, views, at, end, true, err));
	}
	return 0;
}

int ent_my_sink_changes(struct ent_sink *k, size_t index, const struct ArrowSchema *schema, const struct ArrowArray *rows, struct ent_err *err)
{
	struct ent_my_into *t = &k->tables[index];
	ENT_BATCH_AUTO b = { 0 };
	ENT_CLEANUP(views_freep) struct ent_view *views = (struct ent_view *)calloc(t->n + 1, sizeof *views);
	if (!views)
		return ent_nomem(err);
	if (!t->upserts) {
		ent_fail(err, ENT_EUNSUPPORTED, "changes of %.200s cannot be applied by key", t->object);
		return ent_why(err, "the table needs exactly one unique key, over the columns of the copy's key"), ENT_EUNSUPPORTED;
	}
	for (size_t i = 0; i < t->n; i++)
		if (t->puts[i].key && t->puts[i].type.kind == ENT_MY_TEXT && !t->puts[i].utf8)
			return ent_fail(err, ENT_EUNSUPPORTED, "key column %.200s is not in utf8mb4", t->puts[i].name);
	ENT_TRY(ent_batch_open_copy(schema, rows, &b, err));
	ENT_TRY(columns_match(t, schema, &b, views, err));
	ENT_TRY(ent_my_sink_begin(k, err));
	t->dirty = true;
	k->row_base = 0;
	return changes_apply(k, t, &b, views, err);
}

int ent_my_sink_truncate(struct ent_sink *k, size_t index, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(600);
	ENT_TRY(ent_my_sink_begin(k, err));
	k->tables[index].dirty = true;
	ent_buf_printf(&sql, "DELETE FROM %s", k->tables[index].real); /* TRUNCATE would commit */
	return ent_my_run(k->con, ent_buf_bytes(&sql), NULL, "the table cannot be emptied", err);
}
