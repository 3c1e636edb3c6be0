/* One pair of stores: what the mapping says, what is refused while rows are copied, and whether the rest reads back as it was. */
#include "move/canon.h"
#include "mx.h"

struct asked { /* a copy's report comes here */
	struct mx_pair *pair;
};

static bool never(void *self)
{
	(void)self;
	return false;
}

static void report_take(void *self, const json_t *report)
{
	struct mx_pair *p = ((struct asked *)self)->pair;
	size_t i;
	json_t *line;
	json_array_foreach(json_object_get(report, "columns"), i, line)
	{
		const char *name = json_string_value(json_object_get(line, "name")), *why = json_string_value(json_object_get(line, "why"));
		for (size_t c = 0; name && c < p->from->store->n_columns; c++) {
			if (strcmp(p->from->store->columns[c].name, name) != 0)
				continue;
			snprintf(p->native[c], sizeof p->native[c], "%s", json_string_value(json_object_get(line, "to")));
			snprintf(p->verdict[c], sizeof p->verdict[c], "%s", json_string_value(json_object_get(line, "verdict")));
			snprintf(p->why[c], sizeof p->why[c], "%s", why ? why : "");
		}
	}
}

static void table_name(const struct mx_pair *p, char out[64]) { snprintf(out, 64, "mx_%s_%s", p->from->store->kind, p->to->kind); }

struct attempt {
	bool chosen[MX_COLUMNS], rows[MX_ROWS];
	bool every_row, dry, wire;
	enum ent_write_mode mode;
	const char *table;
};

static int attempt_run(struct mx_pair *p, const struct attempt *a, struct ent_err *e)
{
	static const char *const key = "id";
	struct asked asked = { p };
	const char *columns[MX_COLUMNS + 1] = { "id" };
	struct mx_replay replay = { .source = p->from, .left_out = p->left_out, .rows = a->every_row ? NULL : a->rows };
	const struct mx_store *from = p->from->store;
	struct mx_end real = { p->from->connector, from->url("mx_source"), from->reading, from->n_reading };
	char source_url[600];
	snprintf(source_url, sizeof source_url, "%s", real.url);
	real.url = source_url;
	char source_object[200];
	snprintf(source_object, sizeof source_object, "%s", from->object("mx_source"));
	struct mx_end end = { p->connector, p->to->url(a->table), p->to->writing, p->to->n_writing };
	struct ent_move_end target = mx_real_end(&end, p->to->object(a->table));
	struct ent_move_copy copy = { .source = a->wire ? mx_real_end(&real, source_object) : mx_replay_end(&replay),
				      .targets = &target,
				      .n_targets = 1,
				      .columns = columns,
				      .n_columns = 1,
				      .keys = &key,
				      .n_keys = 1,
				      .mode = a->mode,
				      .dry_run = a->dry,
				      .restart = true,
				      .parallel = 1 };
	struct ent_move_env env = { .self = &asked, .cancelled = never, .report = a->dry ? report_take : NULL };
	struct ent_move_result result = { 0 };
	for (size_t c = 0; c < from->n_columns; c++)
		if (a->chosen[c])
			columns[copy.n_columns++] = from->columns[c].name;
	int code = ent_move_copy(&copy, &env, &result, e);
	if (!code && a->wire)
		OK(result.wire, "%s to itself: as images", from->title);
	return code;
}

/* --- refusals --- */

static void note(struct mx_pair *p, size_t c, size_t row, enum mx_code code, const char *text)
{
	p->left_out[c][row] = true;
	p->code[c][row] = (char)code;
	snprintf(p->text[c][row], sizeof p->text[c][row], "%s", text);
}

static void error_text(const struct ent_err *e, char out[400]) { snprintf(out, 400, "%.190s%s%.190s", e->what, e->why[0] ? ": " : "", e->why); }

/* The reason must show the value, or where it is long, how it begins. */
static bool shows_value(const struct mx_pair *p, size_t c, size_t row, const struct ent_err *e)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF((size_t)16 << 20);
	char head[21];
	const struct mx_table *t = &p->from->table;
	ent_value_put(mx_table_view(t, row, mx_table_column(t, p->from->store->columns[c].name)), t->row_of[row], &text);
	snprintf(head, sizeof head, "%s", ent_buf_text(&text));
	return !head[0] || strstr(e->what, head) || strstr(e->why, head);
}

static bool copyable(const struct mx_pair *p, size_t c, size_t row)
{
	return p->chosen[c] && row && mx_value_at(p->from->store, c, row) && !p->left_out[c][row];
}

/* Which value fails when it travels alone; the first one found, of one column or of all. */
static bool isolate(struct mx_pair *p, size_t only, size_t *ret_c, size_t *ret_row)
{
	char name[64];
	table_name(p, name);
	strncat(name, "_one", sizeof name - strlen(name) - 1);
	for (size_t c = 0; c < p->from->store->n_columns; c++) {
		if (only < MX_COLUMNS && c != only)
			continue;
		for (size_t row = 1; row < p->from->table.n_rows; row++) {
			struct attempt a = { .mode = ENT_WRITE_REPLACE, .table = name };
			struct ent_err e = ENT_ERR_INIT;
			if (!copyable(p, c, row))
				continue;
			a.chosen[c] = a.rows[row] = true;
			int code = attempt_run(p, &a, &e);
			p->to->drop(name);
			if (code) {
				*ret_c = c;
				*ret_row = row;
				return true;
			}
		}
	}
	return false;
}

static bool refusal_take(struct mx_pair *p, int code, const struct ent_err *e)
{
	size_t c = MX_COLUMNS, row = MX_ROWS;
	char text[400];
	error_text(e, text);
	bool named = mx_blame(p->from, e, &c, &row) && row < MX_ROWS && copyable(p, c, row);
	if (named && (code == ENT_EDATA || code == ENT_EUNSUPPORTED)) {
		bool shown = shows_value(p, c, row, e);
		note(p, c, row, shown ? MX_REFUSED : MX_UNNAMED, text);
		if (!shown)
			printf("# %s to %s: the value is not shown: %s\n", p->from->store->title, p->to->title, text);
		return true;
	}
	printf("# %s to %s: not named (%d): %s\n", p->from->store->title, p->to->title, code, text);
	if (!isolate(p, c < MX_COLUMNS && row == MX_ROWS ? c : MX_COLUMNS, &c, &row))
		return OK(0, "%s to %s: %s", p->from->store->title, p->to->title, text);
	printf("# it is %s, row %zu\n", p->from->store->columns[c].name, row + 1);
	note(p, c, row, MX_UNNAMED, text);
	return true;
}

static bool copy_all(struct mx_pair *p, const char *name)
{
	struct attempt a = { .every_row = true, .mode = ENT_WRITE_CREATE, .table = name };
	memcpy(a.chosen, p->chosen, sizeof a.chosen);
	p->to->drop(name);
	for (size_t tries = 0; tries < MX_COLUMNS * MX_ROWS; tries++) {
		struct ent_err e = ENT_ERR_INIT;
		int code = attempt_run(p, &a, &e);
		if (!code)
			return true;
		if (!refusal_take(p, code, &e))
			return false;
		a.mode = p->connector->capabilities & ENT_CAP_TXN_SINK ? ENT_WRITE_REPLACE : ENT_WRITE_UPSERT;
	}
	return OK(0, "%s to %s: it never ends", p->from->store->title, p->to->title);
}

/* --- reading back --- */

/* Texts of files that mean the same: DuckDB's nan, inf and (BC). */
static bool spelled_alike(const char *a, const char *b, bool is_float)
{
	static const char *const pairs[][2] = { { "NaN", "nan" }, { "Infinity", "inf" }, { "-Infinity", "-inf" } };
	for (size_t i = 0; i < ENT_COUNT(pairs); i++)
		if (!strcmp(a, pairs[i][0]) && !strcmp(b, pairs[i][1]))
			return true;
	if (strpbrk(b, "0123456789") && is_float && (float)strtod(a, NULL) == (float)strtod(b, NULL)) /* JSON's numbers are doubles */
		return true;
	const char *bc = strstr(a, " BC"), *its = strstr(b, " (BC)"); /* behind the date */
	return bc && its && !strncmp(a, b, (size_t)(its - b)) && !strncmp(a + (its - b), its + 5, (size_t)(bc - a) - (size_t)(its - b));
}

static bool value_same(const struct ent_view *a, size_t ra, const struct ent_view *b, size_t rb, char text[400])
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf x = ENT_BUF((size_t)16 << 20), y = ENT_BUF((size_t)16 << 20);
	struct ent_canon ca = ent_canon_choose(a->type, b->type), cb = ent_canon_choose(b->type, a->type);
	ent_canon_put(&ca, a, ra, &x);
	ent_canon_put(&cb, b, rb, &y);
	if (x.len == y.len && !memcmp(x.data, y.data, x.len))
		return true;
	ent_buf_reset(&x);
	ent_buf_reset(&y);
	ent_value_put(a, ra, &x);
	ent_value_put(b, rb, &y);
	if (b->type.id == ENT_T_TEXT && !ent_view_null(a, ra) && !ent_view_null(b, rb) &&
	    spelled_alike(ent_buf_text(&x), ent_buf_text(&y), a->type.id == ENT_T_REAL))
		return true;
	snprintf(text, 400, "%.150s became %.150s", ent_view_null(a, ra) ? "NULL" : ent_buf_text(&x),
		 ent_view_null(b, rb) ? "NULL" : ent_buf_text(&y));
	return false;
}

static void column_compare(struct mx_pair *p, const struct mx_table *back, size_t c, bool images)
{
	const struct mx_table *t = &p->from->table;
	const char *name = p->from->store->columns[c].name;
	int at = mx_table_column(t, name), to = mx_table_column(back, name);
	if (to < 0) {
		OK(0, "%s to %s: %s is not read back", p->from->store->title, p->to->title, name);
		return;
	}
	for (size_t row = 0; row < t->n_rows; row++) {
		const struct ent_view *v = mx_table_view(back, row, to);
		char text[400] = "";
		bool gone = p->left_out[c][row] && !images;
		bool same = gone ? ent_view_null(v, back->row_of[row])
				 : value_same(mx_table_view(t, row, at), t->row_of[row], v, back->row_of[row], text);
		if (!gone && !images)
			p->code[c][row] = same ? MX_SAME : MX_WRONG;
		if (same)
			continue;
		const struct mx_value *value = mx_value_at(p->from->store, c, row);
		snprintf(p->text[c][row], sizeof p->text[c][row], "%s", text);
		OK(0, "%s to %s%s: %s (%s to %s), %s: %s", p->from->store->title, p->to->title, images ? " as images" : "", name,
		   p->from->store->columns[c].type, p->native[c], value ? value->label : "NULL", text);
	}
}

static void compare(struct mx_pair *p, const char *name, bool images)
{
	struct mx_table back;
	struct ent_err e = ENT_ERR_INIT;
	const char *url = p->to->back_url ? p->to->back_url(name) : p->to->url(name);
	int code = mx_table_read(p->connector, url, p->to->object(name), p->to->back, p->to->n_back, &back, &e);
	if (code) {
		OK(0, "%s to %s: what was written is read: %s (%s)", p->from->store->title, p->to->title, e.what, e.why);
		return;
	}
	if (OK(back.n_rows == p->from->table.n_rows, "%s to %s%s: every row", p->from->store->title, p->to->title, images ? " as images" : ""))
		for (size_t c = 0; c < p->from->store->n_columns; c++)
			if (p->chosen[c])
				column_compare(p, &back, c, images);
	mx_table_free(&back);
}

/* Between tables of one connector that knows images: the real source, row images, every value. */
static void images_run(struct mx_pair *p, const char *name)
{
	struct attempt a = { .every_row = true, .mode = ENT_WRITE_CREATE, .table = name, .wire = true };
	struct ent_err e = ENT_ERR_INIT;
	memcpy(a.chosen, p->chosen, sizeof a.chosen);
	for (size_t c = 0; c < p->from->store->n_columns; c++) /* images are of columns of the very same type */
		a.chosen[c] =
			a.chosen[c] && !strcmp(p->verdict[c], "exact") && !(p->to->no_images && strstr(p->to->no_images, p->to->columns[c].name));
	bool kept[MX_COLUMNS];
	memcpy(kept, p->chosen, sizeof kept);
	memcpy(p->chosen, a.chosen, sizeof kept);
	p->to->drop(name);
	int code = attempt_run(p, &a, &e);
	if (OK(!code, "%s to itself, as images: %s (%s)", p->from->store->title, e.what, e.why))
		compare(p, name, true);
	memcpy(p->chosen, kept, sizeof kept);
}

static bool mapping_ask(struct mx_pair *p, const char *name)
{
	struct attempt a = { .every_row = true, .dry = true, .mode = ENT_WRITE_CREATE, .table = name };
	struct ent_err e = ENT_ERR_INIT;
	memcpy(a.chosen, p->from->carried, sizeof a.chosen);
	p->to->drop(name);
	int code = attempt_run(p, &a, &e);
	if (code && code != ENT_EUNSUPPORTED)
		return OK(0, "%s to %s: the mapping: %s (%s)", p->from->store->title, p->to->title, e.what, e.why);
	for (size_t c = 0; c < p->from->store->n_columns; c++)
		p->chosen[c] = p->from->carried[c] && (!strcmp(p->verdict[c], "exact") || !strcmp(p->verdict[c], "widened"));
	return true;
}

void mx_pair_run(struct mx_pair *p)
{
	char name[64];
	table_name(p, name);
	for (size_t c = 0; c < p->from->store->n_columns; c++)
		for (size_t row = 0; row < MX_ROWS; row++) {
			p->code[c][row] = p->from->left_out[c][row] ? MX_SOURCE : !row || mx_value_at(p->from->store, c, row) ? MX_SAME : MX_NONE;
			p->left_out[c][row] = p->from->left_out[c][row];
		}
	if (!mapping_ask(p, name) || !copy_all(p, name))
		return;
	compare(p, name, false);
	if (p->to->images && p->from->store == p->to)
		images_run(p, name);
	p->to->drop(name);
}
