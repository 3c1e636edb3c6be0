/* One store as a source: its table filled by its own client, read by the connector, every text looked at. */
#include "mx.h"

static bool word_char(char c) { return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static bool names_word(const char *text, const char *word)
{
	size_t n = strlen(word);
	for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
		if ((at == text || !word_char(at[-1])) && !word_char(at[n]))
			return true;
	return false;
}

static bool row_find(const char *text, size_t *ret)
{
	static const char *const words[] = { "row ", "line ", "document " };
	for (size_t w = 0; w < ENT_COUNT(words); w++)
		for (const char *at = strstr(text, words[w]); at; at = strstr(at + 1, words[w])) {
			unsigned long n = strtoul(at + strlen(words[w]), NULL, 10);
			if (n >= 1 && n <= MX_ROWS) {
				*ret = n - 1;
				return true;
			}
		}
	return false;
}

bool mx_blame(const struct mx_source *s, const struct ent_err *e, size_t *ret_column, size_t *ret_row)
{
	size_t best = 0;
	*ret_row = MX_ROWS;
	for (size_t c = 0; c < s->store->n_columns; c++) {
		const char *name = s->store->columns[c].name;
		if (strlen(name) > best && (names_word(e->what, name) || names_word(e->why, name))) {
			best = strlen(name);
			*ret_column = c;
		}
	}
	if (best && !row_find(e->what, ret_row))
		(void)row_find(e->why, ret_row);
	return best != 0;
}

/* --- the texts --- */

static void want_put(const struct mx_value *v, struct ent_buf *out)
{
	const char *text = v->want ? v->want : v->literal;
	size_t n = strlen(text);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf plain = ENT_BUF(4096);
	if (!v->want && n > 1 && (text[0] == '\'' || text[0] == '"') && text[n - 1] == text[0])
		ent_buf_put(&plain, text + 1, n - 2);
	else
		ent_buf_str(&plain, text);
	ent_buf_u8(&plain, 0);
	mx_literal(out, (const char *)plain.data);
}

static void value_check(const struct mx_source *s, size_t c, size_t row, int at)
{
	const struct mx_value *v = mx_value_at(s->store, c, row);
	const struct ent_view *view = mx_table_view(&s->table, row, at);
	size_t r = s->table.row_of[row];
	bool null = ent_view_null(view, r);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf got = ENT_BUF((size_t)16 << 20), want = ENT_BUF((size_t)16 << 20);
	if (!v || s->left_out[c][row]) {
		if (!null)
			OK(0, "%s: %s of row %zu is NULL", s->store->title, s->store->columns[c].name, row + 1);
		return;
	}
	ent_value_put(view, r, &got);
	want_put(v, &want);
	bool any = v->want && !strcmp(v->want, "*");
	if (null || (!any && (got.len != want.len || (got.len && memcmp(got.data, want.data, got.len) != 0))))
		OK(0, "%s: %s (%s), %s: read as %.100s instead of %.100s", s->store->title, s->store->columns[c].name, s->store->columns[c].type,
		   v->label, null ? "NULL" : ent_buf_text(&got), ent_buf_text(&want));
}

static void texts_check(struct mx_source *s)
{
	for (size_t c = 0; c < s->store->n_columns; c++) {
		int at = mx_table_column(&s->table, s->store->columns[c].name);
		s->carried[c] = at >= 0;
		int described = ent_schema_find(&s->table.described, s->store->columns[c].name);
		struct ent_field_info f = { 0 };
		if (OK(described >= 0, "%s: %s is described", s->store->title, s->store->columns[c].name))
			ent_schema_field(&s->table.described, (size_t)described, &f);
		if (at < 0)
			snprintf(s->why[c], sizeof s->why[c], "%s", f.unsupported);
		for (size_t r = 0; at >= 0 && r < s->table.n_rows; r++)
			value_check(s, c, r, at);
	}
}

/* --- reading, without what the connector refuses by name --- */

static bool fails_alone(struct mx_source *s, size_t c, size_t row)
{
	static bool mask[MX_COLUMNS][MX_ROWS];
	struct mx_table t;
	memset(mask, 1, sizeof mask);
	for (size_t r = 0; r < MX_ROWS; r++)
		mask[c][r] = s->left_out[c][r] || (row < MX_ROWS && r != row);
	int code = s->store->make("mx_source", mask) || mx_table_read(s->connector, s->store->url("mx_source"), s->store->object("mx_source"),
								      s->store->reading, s->store->n_reading, &t, NULL);
	if (!code)
		mx_table_free(&t);
	return code != 0;
}

static bool isolate(struct mx_source *s, size_t *ret_c, size_t *ret_row)
{
	for (size_t c = 0; c < s->store->n_columns; c++)
		for (size_t r = 1; fails_alone(s, c, MX_ROWS) && mx_value_at(s->store, c, r); r++)
			if (!s->left_out[c][r] && fails_alone(s, c, r)) {
				*ret_c = c;
				*ret_row = r;
				return true;
			}
	return false;
}

static bool note_refused(struct mx_source *s, const struct ent_err *e)
{
	size_t c = 0, row = 0;
	bool named = mx_blame(s, e, &c, &row) && row < MX_ROWS && mx_value_at(s->store, c, row) && !s->left_out[c][row];
	OK(named, "%s: a refusal names column and row: %s (%s)", s->store->title, e->what, e->why);
	if (!named && !isolate(s, &c, &row))
		return false;
	if (!named)
		printf("# it is %s, %s\n", s->store->columns[c].name, mx_value_at(s->store, c, row)->label);
	s->left_out[c][row] = true;
	snprintf(s->refused[c][row], sizeof s->refused[c][row], "%.190s%s%.190s", e->what, e->why[0] ? ": " : "", e->why);
	return true;
}

bool mx_source_load(const struct mx_store *s, const struct ent_connector *c, struct mx_source *ret)
{
	*ret = (struct mx_source){ .store = s, .connector = c };
	for (size_t tries = 0; tries < MX_ROWS * 4; tries++) {
		struct ent_err e = ENT_ERR_INIT;
		if (s->make("mx_source", ret->left_out))
			return false;
		int code = mx_table_read(c, s->url("mx_source"), s->object("mx_source"), s->reading, s->n_reading, &ret->table, &e);
		if (!code) {
			texts_check(ret);
			return OK(ret->table.n_rows == mx_rows(s), "%s: every row is read", s->title);
		}
		if (code != ENT_EDATA && code != ENT_EUNSUPPORTED)
			return OK(0, "%s: read: %s (%s)", s->title, e.what, e.why);
		if (!note_refused(ret, &e))
			return false;
	}
	return OK(0, "%s: it never ends", s->title);
}

void mx_source_free(struct mx_source *s) { mx_table_free(&s->table); }
