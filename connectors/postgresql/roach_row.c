/* Messages of a changefeed as rows of a batch. */
#include <stdio.h>
#include <stdlib.h>

#include "roach.h"

#define LOGICAL_DIGITS 10

static bool is(struct ent_bytes raw, const char *name) { return ent_bytes_eq(raw, ent_bytes_str(name)); }

/* --- times --- */

bool ent_roach_time_parse(struct ent_bytes text, struct ent_roach_time *ret)
{
	const char *s = (const char *)text.data, *dot = text.len ? memchr(s, '.', text.len) : NULL;
	size_t n = dot ? (size_t)(dot - s) : text.len;
	uint64_t wall, logical = 0;
	if (text.len > 40 || !n || !ent_parse_u64(s, n, INT64_MAX, &wall) || (dot && text.len - n - 1 != LOGICAL_DIGITS))
		return false;
	for (size_t i = n + 1; i < text.len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		logical = logical * 10 + (uint64_t)(s[i] - '0');
	}
	if (logical > INT32_MAX)
		return false;
	*ret = (struct ent_roach_time){ wall, (uint32_t)logical };
	return true;
}

int ent_roach_time_order(struct ent_roach_time a, struct ent_roach_time b)
{
	if (a.wall != b.wall)
		return a.wall < b.wall ? -1 : 1;
	return a.logical < b.logical ? -1 : a.logical > b.logical;
}

/* --- messages --- */

static int strange(const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EDATA, "CockroachDB's changefeed sent a message that cannot be read");
	return ent_why(err, "%s", why), ENT_EDATA;
}

static int time_take(const struct ent_roach_value *v, struct ent_roach_time *ret, struct ent_err *err)
{
	if (v->kind == ENT_ROACH_STRING && ent_roach_time_parse(ent_bytes(v->raw.data + 1, v->raw.len - 2), ret))
		return 0;
	return strange("its time is none", err);
}

int ent_roach_message(struct ent_bytes key, struct ent_bytes value, struct ent_roach_message *ret, struct ent_err *err)
{
	struct ent_roach_message m = { .resolved = !key.data };
	struct ent_roach_walk at = { 0 };
	struct ent_roach_value v, k;
	struct ent_bytes name;
	bool timed = false, after = false;
	if (!ent_roach_parse(value, &v) || v.kind != ENT_ROACH_OBJECT)
		return strange("its value is no JSON object", err);
	if (!m.resolved && (!ent_roach_parse(key, &k) || k.kind != ENT_ROACH_ARRAY))
		return strange("its key is no JSON array", err);
	for (struct ent_roach_value part; ent_roach_next(v.raw, &at, &name, &part);) {
		if (is(name, m.resolved ? "\"resolved\"" : "\"updated\"")) {
			ENT_TRY(time_take(&part, &m.time, err));
			timed = true;
		} else if (!m.resolved && is(name, "\"after\"")) {
			after = part.kind == ENT_ROACH_OBJECT || part.kind == ENT_ROACH_NULL;
			m.gone = part.kind == ENT_ROACH_NULL;
			m.after = part.raw;
		}
	}
	if (!timed || (!m.resolved && !after))
		return strange("it lacks its time or its row", err);
	if (!m.resolved)
		m.key = k.raw;
	*ret = m;
	return 0;
}

/* --- values --- */

static int misfit(const struct ent_roach_columns *c, const struct ent_roach_column *col, const struct ent_roach_value *v, struct ent_err *err)
{
	ent_fail(err, ENT_EDATA, "a changed row of %.100s cannot be read: column %.100s", c->table, col->name);
	return ent_why(err, "its value is %.*s", (int)(v->raw.len > 80 ? 80 : v->raw.len), (const char *)v->raw.data), ENT_EDATA;
}

/* What a string stands for in a column that is no text. */
static struct ent_bytes spelled(struct ent_type type, struct ent_bytes text)
{
	if (!ent_type_is_float(type))
		return text;
	if (is(text, "Inf") || is(text, "+Inf") || is(text, "infinity"))
		return ent_bytes_str("Infinity");
	return is(text, "-Inf") || is(text, "-infinity") ? ent_bytes_str("-Infinity") : text;
}

static int string_put(const struct ent_roach_columns *c, size_t i, const struct ent_roach_value *v, struct ent_builder *b, struct ent_err *err)
{
	const struct ent_roach_column *col = &c->all[i];
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF((size_t)128 << 20);
	bool bad = false;
	if (!ent_roach_text(v->raw, &text))
		return misfit(c, col, v, err);
	while (col->form == ENT_ROACH_PADDED && text.len && text.data[text.len - 1] == ' ')
		text.len--;
	if (col->type.id == ENT_T_TEXT)
		return ent_builder_text(b, i + 2, text.len ? ent_buf_bytes(&text) : ent_bytes_str(""), err);
	bool worded = col->type.id != ENT_T_INT16 && col->type.id != ENT_T_INT32 && col->type.id != ENT_T_INT64 && col->type.id != ENT_T_BOOL;
	if (!worded || !text.len)
		return misfit(c, col, v, err);
	ENT_TRY(ent_pg_text_put(b, i + 2, col->type, spelled(col->type, ent_buf_bytes(&text)), &bad, err));
	return bad ? misfit(c, col, v, err) : 0;
}

static int value_put(const struct ent_roach_columns *c, size_t i, const struct ent_roach_value *v, struct ent_builder *b, struct ent_err *err)
{
	const struct ent_roach_column *col = &c->all[i];
	bool bad = true, text = col->type.id == ENT_T_TEXT;
	if (col->form == ENT_ROACH_JSON)
		return ent_builder_text(b, i + 2, v->raw, err);
	switch (v->kind) {
	case ENT_ROACH_NULL:
		return ent_builder_null(b, i + 2, err);
	case ENT_ROACH_FALSE:
	case ENT_ROACH_TRUE:
		return col->type.id == ENT_T_BOOL ? ent_builder_int(b, i + 2, v->kind == ENT_ROACH_TRUE, err) : misfit(c, col, v, err);
	case ENT_ROACH_NUMBER:
		if (col->type.id == ENT_T_BOOL || col->type.id == ENT_T_DATE || (text && col->form != ENT_ROACH_DIGITS))
			return misfit(c, col, v, err);
		ENT_TRY(ent_pg_text_put(b, i + 2, col->type, v->raw, &bad, err));
		return bad ? misfit(c, col, v, err) : 0;
	case ENT_ROACH_STRING:
		return string_put(c, i, v, b, err);
	case ENT_ROACH_ARRAY:
	case ENT_ROACH_OBJECT:
		break;
	}
	return misfit(c, col, v, err);
}

/* --- rows --- */

static int head_put(struct ent_builder *b, const char *op, struct ent_err *err)
{
	ENT_TRY(ent_builder_text(b, 0, ent_bytes_str(op), err));
	return ent_builder_null(b, 1, err);
}

/* The column of a member; -1 when there is none. */
static int column_of(const struct ent_roach_columns *c, struct ent_bytes name)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(4096);
	if (!ent_roach_text(name, &text))
		return -1;
	for (size_t i = 0; i < c->n; i++)
		if (text.len == strlen(c->all[i].name) && !memcmp(c->all[i].name, ent_buf_text(&text), text.len))
			return (int)i;
	return -1;
}

/* The values of a row by column; kind NULL and no bytes: it has none. *ret_strange: a member without column, or twice. */
static void members_find(const struct ent_roach_columns *c, struct ent_bytes after, struct ent_roach_value *values, bool *ret_strange)
{
	struct ent_roach_walk at = { 0 };
	struct ent_roach_value v;
	struct ent_bytes name;
	while (ent_roach_next(after, &at, &name, &v)) {
		int i = column_of(c, name);
		*ret_strange = *ret_strange || i < 0 || values[i < 0 ? 0 : i].raw.data;
		if (i >= 0)
			values[i] = v;
	}
	for (size_t i = 0; i < c->n; i++) /* a row from before its column has none */
		*ret_strange = *ret_strange || (!values[i].raw.data && !c->all[i].nullable);
}

static void key_find(const struct ent_roach_columns *c, struct ent_bytes key, struct ent_roach_value *values, bool *ret_strange)
{
	struct ent_roach_walk at = { 0 };
	struct ent_roach_value v;
	struct ent_bytes name;
	size_t n = 0;
	for (; ent_roach_next(key, &at, &name, &v); n++)
		for (size_t i = 0; i < c->n; i++)
#ifdef ENT_MUTANT_ROACH_KEY
			if (i == n)
				values[i] = v;
#else
			if (c->all[i].key == (int)n)
				values[i] = v;
#endif
	*ret_strange = n != c->n_key;
}

static void values_free(struct ent_roach_value **v) { free(*v); }

int ent_roach_row(const struct ent_roach_columns *c, const struct ent_roach_message *m, struct ent_builder *b, bool *ret_strange, struct ent_err *err)
{
	ENT_CLEANUP(values_free) struct ent_roach_value *values = (struct ent_roach_value *)calloc(c->n + 1, sizeof *values);
	*ret_strange = false;
	if (!values)
		return ent_nomem(err);
	if (m->gone)
		key_find(c, m->key, values, ret_strange);
	else
		members_find(c, m->after, values, ret_strange);
	if (*ret_strange)
		return 0;
	ENT_TRY(head_put(b, m->gone ? "D" : "U", err));
	for (size_t i = 0; i < c->n; i++) {
		if (!values[i].raw.data || values[i].kind == ENT_ROACH_NULL)
			ENT_TRY(ent_builder_null(b, i + 2, err));
		else
			ENT_TRY(value_put(c, i, &values[i], b, err));
	}
	return 0;
}
