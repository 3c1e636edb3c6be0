/* Splits: ranges of the primary key's first column. Whole numbers are cut evenly between the smallest and the largest; other keys are walked along
 * the index. A split is "COLUMN TAB i|x TAB LOW TAB HIGH": above LOW, up to HIGH, either may be empty; x: the bounds are hexadecimal. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "arrow/value.h"
#include "my.h"

#define SPLITS_MAX 100000u

/* The first column of the primary key, or -1. Only kinds whose literals mean exactly the value. */
static int split_column(const struct ent_my_table *t)
{
	char name[256];
	size_t n = strcspn(ent_buf_text(&t->keys), "\t\n");
	if (!n || n >= sizeof name)
		return -1;
	memcpy(name, ent_buf_text(&t->keys), n);
	name[n] = 0;
	int at = ent_my_table_find(t, name);
	if (at < 0)
		return -1;
	enum ent_my_kind k = t->columns[at].type.kind;
	bool known = k == ENT_MY_INT || k == ENT_MY_TEXT || k == ENT_MY_BINARY || k == ENT_MY_DATE || k == ENT_MY_DATETIME || k == ENT_MY_DECIMAL;
	return known ? at : -1;
}

static int bounds_wrong(struct ent_err *err)
{
	return ent_fail(err, ENT_EDATA, "this split was made for another key of the table: begin the copy anew");
}

static int bound_put(struct ent_buf *out, const struct ent_my_column *c, bool number, const char *op, const char *text, size_t len,
		     struct ent_err *err)
{
	uint8_t raw[3072];
	ent_i128 v;
	if (!len)
		return 0;
	ent_buf_str(out, out->len ? " AND " : "");
	ent_my_name(out, c->name);
	ent_buf_str(out, op);
	if (number) {
		if (!ent_decimal_parse(ent_bytes(text, len), 38, 0, &v))
			return bounds_wrong(err);
		ent_buf_put(out, text, len);
		return 0;
	}
	if (len / 2 > sizeof raw || !ent_unhex(raw, len / 2, text, len))
		return bounds_wrong(err);
	if (c->type.kind == ENT_MY_DECIMAL) { /* a quoted number would be compared as a double */
		if (!ent_decimal_parse(ent_bytes(raw, len / 2), 38, c->type.scale, &v))
			return bounds_wrong(err);
		ent_buf_put(out, raw, len / 2);
	} else if (c->type.kind == ENT_MY_BINARY)
		ent_my_hex_literal(out, ent_bytes(raw, len / 2));
	else
		ent_my_text_literal(out, ent_bytes(raw, len / 2));
	return 0;
}

int ent_my_split_where(const struct ent_my_table *t, const char *split, struct ent_buf *out, struct ent_err *err)
{
	const char *part[4];
	size_t len[4];
	if (!split[0] || !strcmp(split, "all"))
		return 0;
	for (size_t i = 0; i < 4; i++) {
		part[i] = split;
		len[i] = strcspn(split, "\t");
		split += len[i] + (split[len[i]] == '\t');
	}
	int at = split_column(t);
	if (at < 0 || len[0] != strlen(t->columns[at].name) || strncasecmp(part[0], t->columns[at].name, len[0]) != 0 || len[1] != 1 ||
	    (part[1][0] == 'i') != (t->columns[at].type.kind == ENT_MY_INT))
		return bounds_wrong(err);
	ENT_TRY(bound_put(out, &t->columns[at], part[1][0] == 'i', " > ", part[2], len[2], err));
	ENT_TRY(bound_put(out, &t->columns[at], part[1][0] == 'i', " <= ", part[3], len[3], err));
	return ent_buf_check(out, err);
}

struct giving {
	int (*take)(void *arg, const char *split, int64_t rows);
	void *arg;
	const char *column;
	char kind;
};

static int give(const struct giving *g, const char *low, const char *high, int64_t rows, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(20000);
	ent_buf_printf(&text, "%s\t%c\t%s\t%s", g->column, g->kind, low, high);
	ENT_TRY(ent_buf_check(&text, err));
	int code = g->take(g->arg, ent_buf_text(&text), rows);
	return code ? ent_fail(err, code, "the splits of the table were not taken") : 0;
}

/* The server's estimate; where it is small, a count up to four splits, because the estimate of a young table may be nothing. */
static int rows_guess(MYSQL *m, const struct ent_my_table *t, uint64_t per_split, uint64_t *ret, struct ent_err *err)
{
	char sql[500], text[40];
	*ret = t->rows > 0 ? (uint64_t)t->rows : 0;
	if (*ret > per_split * 2)
		return 0;
	snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM (SELECT 1 FROM %s LIMIT %llu) x", t->relation, (unsigned long long)per_split * 4);
	ENT_TRY(ent_my_value(m, sql, text, sizeof text, "the table cannot be split", err));
	*ret = strtoull(text, NULL, 10);
	return 0;
}

static int number_ranges(MYSQL *m, const struct ent_my_table *t, const struct giving *g, uint64_t per_split, struct ent_err *err)
{
	ENT_CLEANUP(ent_my_result_freep) MYSQL_RES *r = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(2000);
	ent_i128 low, high;
	char from[ENT_VALUE_TEXT_MAX] = "", to[ENT_VALUE_TEXT_MAX];
	ent_buf_str(&sql, "SELECT MIN(");
	ent_my_name(&sql, g->column);
	ent_buf_str(&sql, "), MAX(");
	ent_my_name(&sql, g->column);
	ent_buf_printf(&sql, ") FROM %s", t->relation);
	ENT_TRY(ent_my_run(m, ent_buf_bytes(&sql), &r, "the table cannot be split", err));
	MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
	if (!row || !row[0] || !row[1] || !ent_decimal_parse(ent_bytes_str(row[0]), 38, 0, &low) ||
	    !ent_decimal_parse(ent_bytes_str(row[1]), 38, 0, &high))
		return give(g, "", "", 0, err);
	uint64_t rows;
	ENT_TRY(rows_guess(m, t, per_split, &rows, err));
	uint64_t n = (rows + per_split - 1) / per_split;
	n = n > SPLITS_MAX ? SPLITS_MAX : n ? n : 1;
	ent_i128 width = (high - low) / (ent_i128)n + 1;
	for (ent_i128 at = low; at <= high; at += width) {
		bool last = at + width > high;
		ent_decimal_text(at + width - 1, 0, to);
		ENT_TRY(give(g, from, last ? "" : to, (int64_t)(rows / n), err));
		memcpy(from, to, sizeof from);
	}
	return 0;
}

/* The key per_split rows behind low (hexadecimal, "" for the beginning), or "" when there are fewer. */
static int step(MYSQL *m, const struct ent_my_table *t, const struct ent_my_column *c, const struct ent_buf *low, uint64_t per_split,
		struct ent_buf *ret_high, struct ent_err *err)
{
	ENT_CLEANUP(ent_my_result_freep) MYSQL_RES *r = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(20000), where = ENT_BUF(10000);
	ENT_TRY(bound_put(&where, c, false, " > ", ent_buf_text(low), low->len, err));
	ent_buf_str(&sql, "SELECT ");
	ent_my_name(&sql, c->name);
	ent_buf_printf(&sql, " FROM %s%s%s ORDER BY ", t->relation, where.len ? " WHERE " : "", ent_buf_text(&where));
	ent_my_name(&sql, c->name);
	ent_buf_printf(&sql, " LIMIT 1 OFFSET %llu", (unsigned long long)per_split - 1);
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(ent_my_run(m, ent_buf_bytes(&sql), &r, "the table cannot be split", err));
	MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
	ent_buf_reset(ret_high);
	if (row && row[0])
		ent_buf_hex(ret_high, row[0], mysql_fetch_lengths(r)[0]);
	return ent_buf_check(ret_high, err);
}

static int key_walk(const struct ent_source *s, MYSQL *m, const struct ent_my_table *t, const struct ent_my_column *c, const struct giving *g,
		    uint64_t per_split, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf low = ENT_BUF(8000), high = ENT_BUF(8000);
	do {
		ENT_TRY(ent_my_cancelled(s, err));
		ENT_TRY(step(m, t, c, &low, per_split, &high, err));
		ENT_TRY(give(g, ent_buf_text(&low), high.len ? ent_buf_text(&high) : "", high.len ? (int64_t)per_split : -1, err));
		ent_buf_reset(&low);
		ent_buf_put(&low, high.data, high.len);
	} while (high.len);
	return 0;
}

int ent_my_plan(struct ent_source *s, const char *object, uint64_t rows_per_split, int (*take)(void *arg, const char *split, int64_t rows), void *arg,
		struct ent_err *err)
{
	ENT_MY_TABLE_AUTO t = { 0 };
	ENT_TRY(ent_my_ready(s, err));
	ENT_TRY(ent_my_table_read(s->con, s, object, &t, err));
	int at = split_column(&t);
	if (at < 0)
		return take(arg, "all", t.rows);
	const struct ent_my_column *c = &t.columns[at];
	struct giving g = { take, arg, c->name, c->type.kind == ENT_MY_INT ? 'i' : 'x' };
	if (!rows_per_split)
		rows_per_split = 1000000;
	if (g.kind == 'i')
		return number_ranges(s->con, &t, &g, rows_per_split, err);
	return key_walk(s, s->con, &t, c, &g, rows_per_split, err);
}
