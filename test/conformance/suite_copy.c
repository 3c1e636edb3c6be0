/* The copy suite: reading, splits, the sink's modes and promises. Changes: suite_changes.c. */
#include "suite_copy.h"

#include <stdlib.h>

#include "copy_kit.h"

/* --- shared with suite_changes.c --- */

const char *kit_object(const struct suite_copy *s, const char *name)
{
	static char all[8][200];
	static size_t n;
	char *out = all[n++ % 8];
	snprintf(out, sizeof all[0], "%s%s", s->prefix, name);
	return out;
}

struct ent_source *kit_open(const struct suite_copy *s)
{
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	struct ent_err e = ENT_ERR_INIT;
	OK(!s->connector->open(&host, s->url, s->options, s->n_options, &src, &e), "%s opens: %s %s", s->name, e.what, e.why);
	return src;
}

int kit_simple(const int64_t *ids, const char *text, size_t n, struct ArrowSchema *schema, struct ArrowArray *rows)
{
	static const struct ent_field fields[] = { { .name = "id", .type = { ENT_T_INT64, 0, 0 } },
						   { .name = "v", .type = { ENT_T_TEXT, 0, 0 }, .nullable = true } };
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	ENT_TRY(ent_schema_new(fields, 2, "id", schema, NULL));
	ENT_TRY(ent_builder_new(schema, 0, &b, NULL));
	for (size_t i = 0; i < n; i++) {
		ENT_TRY(ent_builder_int(b, 0, ids[i], NULL));
		ENT_TRY(ent_builder_text(b, 1, ent_bytes_str(text), NULL));
	}
	return ent_builder_finish(b, rows, NULL);
}

struct line {
	char *key, *text;
};

static int line_cmp(const void *a, const void *b)
{
	const struct line *x = (const struct line *)a, *y = (const struct line *)b;
	size_t n = strlen(x->key), m = strlen(y->key);
	return n != m ? (n > m) - (n < m) : strcmp(x->key, y->key);
}

struct lines {
	struct line *all;
	size_t n;
};

static int lines_add(void *arg, const struct ent_batch *b, struct ent_err *e)
{
	struct lines *l = (struct lines *)arg;
	(void)e;
	l->all = (struct line *)realloc(l->all, (l->n + b->rows + 1) * sizeof *l->all);
	for (size_t r = 0; r < b->rows; r++) {
		struct ent_buf key = ENT_BUF(1000), text = ENT_BUF((size_t)16 << 20);
		ent_value_put(&b->columns[0], r, &key);
		for (size_t i = 0; i < b->n_columns; i++) {
			ent_buf_str(&text, i ? "|" : "");
			if (ent_view_null(&b->columns[i], r))
				ent_buf_str(&text, "NULL");
			else
				ent_value_put(&b->columns[i], r, &text);
		}
		ent_buf_u8(&text, 0);
		ent_buf_u8(&key, 0);
		l->all[l->n++] = (struct line){ (char *)key.data, (char *)text.data };
	}
	return 0;
}

static int each(struct ent_source *src, const struct suite_copy *s, const struct ent_read *what,
		int (*fn)(void *arg, const struct ent_batch *b, struct ent_err *e), void *arg, struct ent_err *e)
{
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_TRY(s->connector->read(src, what, &stream, e));
	ENT_TRY(ent_stream_schema(&stream, &schema, e));
	return ent_stream_each_copy(&stream, &schema, fn, arg, e);
}

int suite_copy_dump(const struct suite_copy *s, struct ent_source *src, const struct ent_read *what, struct ent_buf *out, struct ent_err *e)
{
	struct lines l = { 0 };
	int code = each(src, s, what, lines_add, &l, e);
	if (l.n)
		qsort(l.all, l.n, sizeof *l.all, line_cmp);
	for (size_t i = 0; i < l.n; i++) {
		ent_buf_str(out, l.all[i].text);
		ent_buf_str(out, "\n");
		free(l.all[i].key);
		free(l.all[i].text);
	}
	free(l.all);
	return code;
}

void kit_expect(const struct suite_copy *s, const char *object, const char *want, const char *name)
{
	struct ent_source *src = kit_open(s);
	struct ent_err e = ENT_ERR_INIT;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF((size_t)64 << 20);
	struct ent_read what = { .size = sizeof what, .object = object };
	int code = src ? suite_copy_dump(s, src, &what, &out, &e) : ENT_EIO;
	OK(!code, "%s: %s is read: %s %s", s->name, name, e.what, e.why);
	OK_STR(ent_buf_text(&out), want, "%s: %s", s->name, name);
	s->connector->close(src);
}

static int rows_add(void *arg, const struct ent_batch *b, struct ent_err *e)
{
	(void)e;
	*(size_t *)arg += b->rows;
	return 0;
}

size_t kit_count(const struct suite_copy *s, const char *object)
{
	struct ent_source *src = kit_open(s);
	struct ent_err e = ENT_ERR_INIT;
	struct ent_read what = { .size = sizeof what, .object = object };
	size_t n = 0;
	int code = src ? each(src, s, &what, rows_add, &n, &e) : ENT_EIO;
	s->connector->close(src);
	return code ? SIZE_MAX : n;
}

/* --- one target, open --- */

int suite_sink_begin(struct suite_sink *s, const struct ent_connector *c, const char *url, const struct ent_option *options, size_t n_options,
		     const char *job, const struct ent_target *target, struct ent_err *e)
{
	struct ent_host host = suite_host();
	*s = (struct suite_sink){ .c = c };
	ENT_TRY(c->open(&host, url, options, n_options, &s->src, e));
	ENT_TRY(c->sink_open(s->src, job, &s->epoch, &s->k, e));
	return c->sink_table(s->k, target, &s->at, e);
}

void suite_sink_end(struct suite_sink *s)
{
	s->c->sink_close(s->k);
	s->c->close(s->src);
}

int kit_target_open(struct kit_target *t, const struct suite_copy *s, const char *job, uint64_t epoch, struct ent_err *e)
{
	*t = (struct kit_target){ .s = s, .epoch = epoch };
	t->src = kit_open(s);
	return t->src ? s->connector->sink_open(t->src, job, &t->epoch, &t->sink, e) : ENT_EIO;
}

void kit_target_close(struct kit_target *t)
{
	t->s->connector->sink_close(t->sink);
	t->s->connector->close(t->src);
	*t = (struct kit_target){ .s = t->s };
}

int kit_target_table(struct kit_target *t, const char *object, const struct ArrowSchema *schema, enum ent_write_mode mode, int resume,
		     struct ent_err *e)
{
	struct ent_target target = { .size = sizeof target, .object = object, .schema = schema, .mode = mode, .resume = resume };
	return t->s->connector->sink_table(t->sink, &target, &t->index, e);
}

int kit_target_commit(struct kit_target *t, const char *part, const char *cursor, uint64_t rows, struct ent_err *e)
{
	struct ent_sink_checkpoint c = { .size = sizeof c, .rows = rows, .epoch = t->epoch };
	snprintf(c.part, sizeof c.part, "%s", part);
	snprintf(c.cursor, sizeof c.cursor, "%s", cursor);
	memset(c.hash, 'a', 64);
	return t->s->connector->sink_commit(t->sink, &c, e);
}

/* Rows (id, text) into object through a sink of its own, committed and finished. */
int kit_write(const struct suite_copy *s, const char *object, enum ent_write_mode mode, const int64_t *ids, const char *text, size_t n,
	      struct ent_err *e)
{
	struct kit_target t;
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO rows = { 0 };
	int code = kit_simple(ids, text, n, &schema, &rows);
	if (!code)
		code = kit_target_open(&t, s, "kit", 0, e);
	if (!code)
		code = kit_target_table(&t, object, &schema, mode, 0, e);
	if (!code)
		code = s->connector->sink_rows(t.sink, t.index, &rows, e);
	if (!code)
		code = kit_target_commit(&t, "all", "done", n, e);
	if (!code)
		code = s->connector->sink_finish(t.sink, 1, e);
	kit_target_close(&t);
	return code;
}

/* --- the matrix --- */

static void matrix_map(const struct suite_copy *s, const struct ArrowSchema *schema, const char *object)
{
	struct ent_source *src = kit_open(s);
	struct ent_err e = ENT_ERR_INIT;
	struct ent_map_line lines[SUITE_COPY_COLUMNS] = { 0 };
	struct ent_target target = { .size = sizeof target, .object = object, .schema = schema, .mode = ENT_WRITE_CREATE };
	int there = 1;
	OK(src && !s->connector->map(src, &target, lines, &there, &e), "%s: the mapping: %s %s", s->name, e.what, e.why);
	OK(!there && !e.code, "%s: of a table that is not there, which is no error", s->name);
	for (int64_t i = 0; i < schema->n_children; i++)
		OK(lines[i].native[0] && lines[i].verdict != ENT_MAP_REFUSED && (lines[i].verdict == ENT_MAP_EXACT || lines[i].why[0]),
		   "%s: %s becomes %s (%d) %s", s->name, schema->children[i]->name, lines[i].native, (int)lines[i].verdict, lines[i].why);
	s->connector->close(src);
}

struct seen {
	const struct suite_copy *s;
	const struct ArrowSchema *schema;
	size_t rows, bad;
};

static int matrix_row(struct seen *seen, const struct ent_batch *b, size_t r, const char *const *names)
{
	int id_at = 0;
	for (size_t i = 0; i < b->n_columns; i++)
		id_at = !strcmp(names[i], "id") ? (int)i : id_at;
	enum suite_copy_label label = (enum suite_copy_label)(ent_view_int(&b->columns[id_at], r) - 1);
	for (size_t c = 0; c < SUITE_COPY_COLUMNS; c++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf got = ENT_BUF((size_t)8 << 20);
		size_t i = 0;
		while (i < b->n_columns && strcmp(names[i], suite_copy_names[c]) != 0)
			i++;
		if (i == b->n_columns || label >= SUITE_LABELS)
			continue;
		const char *want = suite_copy_want(seen->s, c, label);
		ent_value_put(&b->columns[i], r, &got);
		bool null = ent_view_null(&b->columns[i], r);
		bool longest = want && !strcmp(want, "LONG") && ent_view_text(&b->columns[i], r).len == SUITE_LONG_TEXT;
		if (null ? want != NULL : !want || (!longest && strcmp(ent_buf_text(&got), want) != 0)) {
			seen->bad++;
			printf("# %s, label %d: got %.80s, want %s\n", suite_copy_names[c], (int)label, null ? "NULL" : ent_buf_text(&got),
			       want ? want : "NULL");
		}
	}
	seen->rows++;
	return 0;
}

static const char *matrix_names[ENT_COLUMNS_MAX];

static int matrix_batch(void *arg, const struct ent_batch *b, struct ent_err *e)
{
	(void)e;
	for (size_t r = 0; r < b->rows; r++)
		ENT_TRY(matrix_row((struct seen *)arg, b, r, matrix_names));
	return 0;
}

static void matrix_read(const struct suite_copy *s, const char *object)
{
	struct ent_source *src = kit_open(s);
	struct ent_err e = ENT_ERR_INIT;
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_object o = { .size = sizeof o };
	struct seen seen = { .s = s };
	OK(src && !s->connector->describe(src, object, &schema, &o, &e), "%s: the new table is described: %s %s", s->name, e.what, e.why);
	for (int64_t i = 0; schema.release && i < schema.n_children; i++) {
		struct ent_field_info f;
		ent_schema_field(&schema, (size_t)i, &f);
		matrix_names[i] = f.name;
		OK(f.copied && f.native[0], "%s: %s (%s) can be copied", s->name, f.name, f.native);
	}
	struct ent_read what = { .size = sizeof what, .object = object, .columns = matrix_names, .n_columns = (size_t)schema.n_children };
	OK(src && !each(src, s, &what, matrix_batch, &seen, &e), "%s: and read: %s %s", s->name, e.what, e.why);
	OK_INT(seen.rows, SUITE_LABELS, "%s: every row", s->name);
	OK_INT(seen.bad, 0, "%s: every value as it was", s->name);
	s->connector->close(src);
}

static void matrix_refusals(const struct suite_copy *s, const char *object)
{
	for (size_t i = 0; i < s->n_excepts; i++) {
		const struct suite_copy_except *x = &s->excepts[i];
		struct ent_err e = ENT_ERR_INIT;
		struct kit_target t;
		ENT_SCHEMA_AUTO schema = { 0 };
		ENT_ARRAY_AUTO rows = { 0 };
		if (x->want)
			continue;
		int code = suite_copy_matrix_one(s, x, &schema, &rows, &e);
		if (!code)
			code = kit_target_open(&t, s, "refuse", 0, &e);
		if (!code)
			code = kit_target_table(&t, object, &schema, ENT_WRITE_APPEND, 0, &e);
		OK(!code, "%s: %s %s", s->name, e.what, e.why);
		code = s->connector->sink_rows(t.sink, t.index, &rows, &e);
		if (!code)
			code = kit_target_commit(&t, "all", "done", 1, &e);
		OK(code == ENT_EDATA || code == ENT_EUNSUPPORTED, "%s: label %d of %s is refused: %s (%s)", s->name, (int)x->label, x->column, e.what,
		   e.why);
		OK(strstr(e.what, x->column) || strstr(e.why, x->column), "%s: by name", s->name);
		kit_target_close(&t);
	}
	OK_INT(kit_count(s, object), SUITE_LABELS, "%s: nothing of them stays", s->name);
}

static void test_matrix(const struct suite_copy *s)
{
	const char *object = kit_object(s, "copy_matrix");
	struct kit_target t;
	struct ent_err e = ENT_ERR_INIT;
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO rows = { 0 };
	struct ent_sink_checkpoint c = { .size = sizeof c };
	s->drop(object);
	OK(!suite_copy_matrix(s, &schema, &rows, &e), "the matrix: %s", e.what);
	matrix_map(s, &schema, object);
	OK(!kit_target_open(&t, s, "matrix", 0, &e), "%s: a sink: %s %s", s->name, e.what, e.why);
	OK(!kit_target_table(&t, object, &schema, ENT_WRITE_CREATE, 0, &e), "%s: makes the table: %s %s", s->name, e.what, e.why);
	OK(!s->connector->sink_rows(t.sink, t.index, &rows, &e), "%s: takes the rows: %s %s", s->name, e.what, e.why);
	OK(!kit_target_commit(&t, "copy_matrix all", "done", SUITE_LABELS, &e), "%s: commits: %s %s", s->name, e.what, e.why);
	OK(!s->connector->sink_last(t.sink, "copy_matrix all", &c, &e), "%s: knows its checkpoint: %s", s->name, e.what);
	OK(!strcmp(c.cursor, "done") && c.rows == SUITE_LABELS && c.epoch == t.epoch && strlen(c.hash) == 64, "%s: as it was given", s->name);
	OK_INT(s->connector->sink_last(t.sink, "nothing", &c, &e), ENT_ENOTFOUND, "%s: and no other", s->name);
	OK(!s->connector->sink_finish(t.sink, 0, &e), "%s: finishes: %s %s", s->name, e.what, e.why);
	kit_target_close(&t);
	matrix_read(s, object);
	matrix_refusals(s, object);
	OK(!kit_target_open(&t, s, "matrix", 0, &e), "%s", e.what);
	OK(kit_target_table(&t, object, &schema, ENT_WRITE_CREATE, 0, &e) != 0, "%s: CREATE refuses what is there: %s", s->name, e.what);
	kit_target_close(&t);
}

/* --- splits --- */

struct splits {
	char (*all)[400];
	size_t n;
};

static int split_take(void *arg, const char *split, int64_t rows)
{
	struct splits *p = (struct splits *)arg;
	(void)rows;
	p->all = (char(*)[400])realloc(p->all, (p->n + 1) * sizeof *p->all);
	snprintf(p->all[p->n++], sizeof *p->all, "%s", split);
	return 0;
}

#define SPLIT_ROWS 5000

static int ids_take(void *arg, const struct ent_batch *b, struct ent_err *e)
{
	unsigned char *seen = (unsigned char *)arg;
	(void)e;
	for (size_t r = 0; r < b->rows; r++) {
		int64_t id = ent_view_int(&b->columns[0], r);
		if (id >= 0 && id < SPLIT_ROWS)
			seen[id]++;
	}
	return 0;
}

static void test_splits(const struct suite_copy *s)
{
	static const char *const id = "id";
	static int64_t ids[SPLIT_ROWS];
	static unsigned char seen[SPLIT_ROWS];
	const char *object = kit_object(s, "copy_split");
	struct ent_err e = ENT_ERR_INIT;
	struct splits p = { 0 };
	size_t bad = 0;
	memset(seen, 0, sizeof seen);
	for (int64_t i = 0; i < SPLIT_ROWS; i++)
		ids[i] = i;
	s->drop(object);
	OK(!kit_write(s, object, ENT_WRITE_APPEND, ids, "split", SPLIT_ROWS, &e), "%s: %s %s", s->name, e.what, e.why);
	struct ent_source *src = kit_open(s);
	OK(src && !s->connector->plan(src, object, 1000, split_take, &p, &e), "%s: a plan: %s %s", s->name, e.what, e.why);
	s->connector->close(src);
	OK(p.n >= (s->connector->capabilities & ENT_CAP_SPLIT ? 2 : 1), "%s: of %zu splits", s->name, p.n);
	for (size_t i = 0; i < p.n; i++) { /* each by a session of its own */
		struct ent_read what = { .size = sizeof what, .object = object, .columns = &id, .n_columns = 1, .split = p.all[i] };
		src = kit_open(s);
		int code = src ? each(src, s, &what, ids_take, seen, &e) : ENT_EIO;
		if (code)
			OK(0, "%s: split %s: %s %s", s->name, p.all[i], e.what, e.why);
		s->connector->close(src);
	}
	for (size_t i = 0; i < SPLIT_ROWS; i++)
		bad += seen[i] != 1;
	OK_INT(bad, 0, "%s: the splits cover the table once", s->name);
	src = kit_open(s);
	struct ent_read what = { .size = sizeof what, .object = object, .columns = &id, .n_columns = 1, .split = "no such split" };
	OK(src && each(src, s, &what, ids_take, seen, &e) != 0, "%s: a foreign split is refused: %s", s->name, e.what);
	s->connector->close(src);
	free(p.all);
}

/* --- modes --- */

static void test_modes(const struct suite_copy *s)
{
	static const int64_t first[] = { 1, 2, 3 }, second[] = { 4 }, again[] = { 2, 5, 5 }, third[] = { 9 };
	const char *object = kit_object(s, "copy_modes");
	struct ent_err e = ENT_ERR_INIT;
	s->drop(object);
	OK(!kit_write(s, object, ENT_WRITE_CREATE, first, "a", 3, &e), "%s: create: %s %s", s->name, e.what, e.why);
	OK(!kit_write(s, object, ENT_WRITE_APPEND, second, "b", 1, &e), "%s: append: %s %s", s->name, e.what, e.why);
	kit_expect(s, object, "1|a\n2|a\n3|a\n4|b\n", "created and appended to");
	if (s->connector->capabilities & ENT_CAP_UPSERT) {
		OK(!kit_write(s, object, ENT_WRITE_UPSERT, again, "c", 3, &e), "%s: upsert: %s %s", s->name, e.what, e.why);
		kit_expect(s, object, "1|a\n2|c\n3|a\n4|b\n5|c\n", "after an upsert");
	} else {
		tap_skip("upsert", "the store has none");
	}
	OK(!kit_write(s, object, ENT_WRITE_REPLACE, third, "d", 1, &e), "%s: replace: %s %s", s->name, e.what, e.why);
	kit_expect(s, object, "9|d\n", "replaced");
	s->drop(object);
	OK(!kit_write(s, object, ENT_WRITE_REPLACE, third, "d", 1, &e), "%s: replace of what is not there: %s %s", s->name, e.what, e.why);
	kit_expect(s, object, "9|d\n", "made by replace");
}

static int replace_run(struct kit_target *t, const struct suite_copy *s, const char *object, struct ArrowSchema *schema,
		       const struct ArrowArray *rows, struct ent_err *e)
{
	ENT_TRY(kit_target_open(t, s, "resumed", 0, e));
	ENT_TRY(kit_target_table(t, object, schema, ENT_WRITE_REPLACE, !rows, e));
	if (rows)
		ENT_TRY(s->connector->sink_rows(t->sink, t->index, rows, e));
	ENT_TRY(kit_target_commit(t, "all", "done", 1, e));
	return s->connector->sink_finish(t->sink, 0, e);
}

/* A run whose checkpoints say that all is loaded, behind its change-over: where the two are not one transaction, a crash leaves that. */
static void test_replace_resumed(const struct suite_copy *s)
{
	static const int64_t old[] = { 1 }, new[] = { 2 };
	const char *object = kit_object(s, "copy_resumed");
	struct kit_target t = { .s = s };
	struct ent_err e = ENT_ERR_INIT;
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO rows = { 0 };
	s->drop(object);
	OK(!kit_write(s, object, ENT_WRITE_APPEND, old, "old", 1, &e) && !kit_simple(new, "new", 1, &schema, &rows), "%s: %s", s->name, e.what);
	OK_INT(replace_run(&t, s, object, &schema, &rows, &e), 0, "%s: a replacement %s %s", s->name, e.what, e.why);
	kit_target_close(&t);
	int code = replace_run(&t, s, object, &schema, NULL, &e);
	OK(!code || code == ENT_EDATA, "%s: once more behind its change-over: done, or refused (%s %s)", s->name, e.what, e.why);
	kit_target_close(&t);
	kit_expect(s, object, "2|new\n", "still what was loaded");
}

/* --- promises --- */

static void target_fill(struct kit_target *t, const char *job, uint64_t epoch, const char *object, int64_t id, struct ArrowSchema *schema)
{
	struct ent_err e = ENT_ERR_INIT;
	ENT_ARRAY_AUTO rows = { 0 };
	ENT_SCHEMA_AUTO own = { 0 };
	OK(!kit_simple(&id, "x", 1, &own, &rows), "a row");
	*schema = ent_schema_take(&own);
	OK(!kit_target_open(t, t->s, job, epoch, &e), "%s: %s %s", t->s->name, e.what, e.why);
	OK(!kit_target_table(t, object, schema, ENT_WRITE_APPEND, 0, &e), "%s: %s %s", t->s->name, e.what, e.why);
	OK(!t->s->connector->sink_rows(t->sink, t->index, &rows, &e), "%s: %s %s", t->s->name, e.what, e.why);
}

/* Where one session writes at a time: nothing stays of what was not committed, and a run that was overtaken while it was idle commits nothing. */
static void promises_one_by_one(const struct suite_copy *s, const char *object)
{
	static const int64_t first[] = { 7 }, second[] = { 8 };
	struct kit_target a = { .s = s }, b = { .s = s };
	struct ent_err e = ENT_ERR_INIT;
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO rows = { 0 };
	OK(!kit_write(s, object, ENT_WRITE_CREATE, first, "x", 1, &e), "%s: what was not committed is gone, with its table: %s", s->name, e.what);
	OK(!kit_target_open(&a, s, "promise", 0, &e) && !kit_target_open(&b, s, "promise", 0, &e), "%s: two runs: %s", s->name, e.what);
	OK(b.epoch == a.epoch + 1, "%s: a newer run has a higher epoch", s->name);
	OK(!kit_simple(second, "x", 1, &schema, &rows) && !kit_target_table(&a, object, &schema, ENT_WRITE_APPEND, 0, &e) &&
		   !s->connector->sink_rows(a.sink, a.index, &rows, &e),
	   "%s: rows of the older one: %s", s->name, e.what);
	OK_INT(kit_target_commit(&a, "all", "1", 1, &e), ENT_EAGAIN, "%s: the older one cannot commit: %s", s->name, e.what);
	kit_target_close(&a);
	OK_INT(kit_count(s, object), 1, "%s: and leaves nothing", s->name);
	OK(!kit_target_commit(&b, "one", "1", 1, &e), "%s: the newer one commits: %s", s->name, e.what);
	kit_target_close(&b);
	OK_INT(kit_target_open(&a, s, "promise", b.epoch - 1, &e), ENT_EAGAIN, "%s: nobody joins a run that is over", s->name);
	kit_target_close(&a);
}

static void test_promises(const struct suite_copy *s)
{
	const char *object = kit_object(s, "copy_promise");
	bool exact = s->connector->capabilities & ENT_CAP_TXN_SINK;
	struct kit_target a = { .s = s }, b = { .s = s }, c = { .s = s };
	struct ent_err e = ENT_ERR_INIT;
	struct ent_sink_checkpoint last = { .size = sizeof last };
	ENT_SCHEMA_AUTO schema = { 0 }, other = { 0 }, third = { 0 };
	s->drop(object);
	target_fill(&a, "promise", 0, object, 1, &schema);
	OK_INT(s->connector->sink_last(a.sink, "all", &last, &e), ENT_ENOTFOUND, "%s: no checkpoint before the commit", s->name);
	kit_target_close(&a);
	ent_schema_release(&schema);
	if (exact && !s->one_writer)
		OK_INT(kit_count(s, object), 0, "%s: what was not committed is gone", s->name);
	if (s->one_writer) {
		promises_one_by_one(s, object);
		return;
	}
	target_fill(&a, "promise", 0, object, 2, &schema);
	uint64_t old = a.epoch;
	target_fill(&b, "promise", 0, object, 3, &other);
	OK(b.epoch > old, "%s: a newer run has a higher epoch", s->name);
	OK_INT(kit_target_commit(&a, "all", "1", 1, &e), ENT_EAGAIN, "%s: the older one cannot commit: %s", s->name, e.what);
	kit_target_close(&a);
	if (exact)
		OK_INT(kit_count(s, object), 0, "%s: and leaves nothing", s->name);
	target_fill(&c, "promise", b.epoch, object, 4, &third);
	OK_INT(c.epoch, b.epoch, "%s: a parallel part joins the run", s->name);
	OK(!kit_target_commit(&b, "one", "1", 1, &e) && !kit_target_commit(&c, "two", "1", 1, &e), "%s: both commit: %s %s", s->name, e.what, e.why);
	kit_target_close(&b);
	kit_target_close(&c);
	OK_INT(kit_target_open(&a, s, "promise", old, &e), ENT_EAGAIN, "%s: nobody joins a run that is over", s->name);
	kit_target_close(&a);
	if (exact)
		OK_INT(kit_count(s, object), 2, "%s: rows of both parts", s->name);
}

static void test_cut(const struct suite_copy *s)
{
	const char *object = kit_object(s, "copy_cut");
	struct kit_target t = { .s = s };
	struct ent_err e = ENT_ERR_INIT;
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_sink_checkpoint last = { .size = sizeof last };
	if (!s->cut || !(s->connector->capabilities & ENT_CAP_TXN_SINK)) {
		tap_skip("a connection cut in mid-batch", "the store has no transactions, or its test cannot cut");
		return;
	}
	s->drop(object);
	target_fill(&t, "cut", 0, object, 1, &schema);
	s->cut();
	int code = kit_target_commit(&t, "all", "done", 1, &e);
	OK(code == ENT_EIO || code == ENT_EAGAIN, "%s: a cut connection fails the commit: %s (%s)", s->name, e.what, e.why);
	kit_target_close(&t);
	OK_INT(kit_count(s, object), 0, "%s: and nothing stays", s->name);
	OK(!kit_target_open(&t, s, "cut", 0, &e), "%s: a new run: %s", s->name, e.what);
	OK_INT(s->connector->sink_last(t.sink, "all", &last, &e), ENT_ENOTFOUND, "%s: finds no checkpoint", s->name);
	kit_target_close(&t);
}

/* --- two phases, images, checksums --- */

struct names {
	char text[1000];
};

static int name_take(void *arg, const char *name)
{
	struct names *n = (struct names *)arg;
	strncat(n->text, name, sizeof n->text - strlen(n->text) - 2);
	strncat(n->text, " ", 2);
	return 0;
}

static void test_two_phase(const struct suite_copy *s)
{
	const char *object = kit_object(s, "copy_two");
	const struct ent_connector *c = s->connector;
	struct kit_target t = { .s = s };
	struct ent_err e = ENT_ERR_INIT;
	struct names names = { "" };
	ENT_SCHEMA_AUTO schema = { 0 }, other = { 0 };
	if (!(c->capabilities & ENT_CAP_TWO_PHASE)) {
		tap_skip("two phases", "the store has none");
		return;
	}
	s->drop(object);
	target_fill(&t, "two", 0, object, 1, &schema);
	OK(!c->sink_prepare(t.sink, "suite-one", NULL, &e), "%s: prepares: %s %s", s->name, e.what, e.why);
	kit_target_close(&t);
	OK_INT(kit_count(s, object), 0, "%s: nothing is seen yet", s->name);
	struct ent_source *src = kit_open(s);
	OK(!c->in_doubt(src, "suite-", name_take, &names, &e), "%s: %s", s->name, e.what);
	OK_STR(names.text, "suite-one ", "%s: in doubt", s->name);
	OK(!c->settle(src, "suite-one", 1, &e), "%s: settled: %s %s", s->name, e.what, e.why);
	OK_INT(kit_count(s, object), 1, "%s: now the row is there", s->name);
	OK_INT(c->settle(src, "suite-one", 1, &e), ENT_ENOTFOUND, "%s: once", s->name);
	target_fill(&t, "two", 0, object, 2, &other);
	OK(!c->sink_prepare(t.sink, "suite-two", NULL, &e), "%s: prepares again: %s %s", s->name, e.what, e.why);
	kit_target_close(&t);
	OK(!c->settle(src, "suite-two", 0, &e) && !c->settle(src, "suite-two", 0, &e), "%s: given up, twice: %s", s->name, e.what);
	OK_INT(kit_count(s, object), 1, "%s: its row never came", s->name);
	c->close(src);
}

/* What a sink made for a copy that is refused later goes away, unless somebody else put rows into it. */
static void test_undo(const struct suite_copy *s)
{
	const struct ent_connector *c = s->connector;
	struct ent_err e = ENT_ERR_INIT;
	struct kit_target t = { .s = s };
	const char *object = kit_object(s, "copy_undo");
	const int64_t other = 2;
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO rows = { 0 };
	if (!(c->capabilities & ENT_CAP_TWO_PHASE)) {
		tap_skip("undo", "the store has no two phases");
		return;
	}
	s->drop(object);
	for (int prepared = 0; prepared < 2; prepared++) {
		target_fill(&t, "undo", 0, object, 1, &schema);
		OK_INT(kit_count(s, object), 0, "%s: the table is made", s->name);
		if (prepared)
			OK(!c->sink_prepare(t.sink, "suite-undo", NULL, &e) && !c->settle(t.src, "suite-undo", 0, &e), "%s: given up: %s", s->name,
			   e.what);
		OK(!c->sink_undo(t.sink, &e), "%s: undone: %s %s", s->name, e.what, e.why);
		kit_target_close(&t);
		OK(kit_count(s, object) == SIZE_MAX, "%s: it is gone", s->name);
		ent_schema_release(&schema);
	}
	OK(!kit_simple(&other, "other", 1, &schema, &rows) && !kit_target_open(&t, s, "undo", 0, &e) &&
		   !kit_target_table(&t, object, &schema, ENT_WRITE_CREATE, 0, &e),
	   "%s: made again: %s %s", s->name, e.what, e.why);
	OK(!kit_write(s, object, ENT_WRITE_APPEND, &other, "other", 1, &e), "%s: another job's row: %s %s", s->name, e.what, e.why);
	OK(!c->sink_undo(t.sink, &e), "%s: undone: %s %s", s->name, e.what, e.why);
	kit_target_close(&t);
	OK_INT(kit_count(s, object), 1, "%s: a table with rows of another job stays", s->name);
}

static void wire_copy(const struct suite_copy *s, const char *from, const char *to)
{
	struct kit_target t = { .s = s };
	struct ent_err e = ENT_ERR_INIT;
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_source *src = kit_open(s);
	struct ent_read what = { .size = sizeof what, .object = from, .flags = ENT_READ_WIRE };
	OK(src && !s->connector->read(src, &what, &stream, &e) && !ent_stream_schema(&stream, &schema, &e), "%s: images: %s %s", s->name, e.what,
	   e.why);
	OK(!kit_target_open(&t, s, "wire", 0, &e) && !kit_target_table(&t, to, &schema, ENT_WRITE_REPLACE, 0, &e), "%s: their table: %s %s", s->name,
	   e.what, e.why);
	for (int code = 0; !code;) {
		ENT_ARRAY_AUTO a = { 0 };
		code = ent_stream_next(&stream, &a, &e);
		if (!code && !a.release)
			break;
		if (!code)
			code = s->connector->sink_rows(t.sink, t.index, &a, &e);
		OK(!code, "%s: a batch of images: %s %s", s->name, e.what, e.why);
	}
	OK(!kit_target_commit(&t, "all", "done", 1, &e) && !s->connector->sink_finish(t.sink, 1, &e), "%s: %s %s", s->name, e.what, e.why);
	kit_target_close(&t);
	ent_stream_release(&stream);
	s->connector->close(src);
}

static void test_same(const struct suite_copy *s)
{
	const char *from = kit_object(s, "copy_matrix"), *to = kit_object(s, "copy_same");
	const struct ent_connector *c = s->connector;
	struct ent_err e = ENT_ERR_INIT;
	struct ent_checksum a = { .size = sizeof a }, b = { .size = sizeof b };
	struct ent_read what = { .size = sizeof what, .object = from };
	if (!(c->capabilities & ENT_CAP_WIRE)) {
		tap_skip("rows as the store's own images", "the store has none");
		return;
	}
	s->drop(to);
	wire_copy(s, from, to);
	matrix_read(s, to);
	if (!(c->capabilities & ENT_CAP_CHECKSUM))
		return;
	struct ent_source *src = kit_open(s);
	OK(!c->checksum(src, &what, &a, &e), "%s: %s %s", s->name, e.what, e.why);
	what.object = to;
	OK(!c->checksum(src, &what, &b, &e), "%s: %s %s", s->name, e.what, e.why);
	OK(a.rows == b.rows && a.rows == SUITE_LABELS && !strcmp(a.digest, b.digest), "%s: equal tables have equal checksums", s->name);
	what.object = kit_object(s, "copy_split");
	OK(!c->checksum(src, &what, &b, &e) && strcmp(a.digest, b.digest) != 0, "%s: others have others: %s", s->name, e.what);
	c->close(src);
}

void suite_copy_run(const struct suite_copy *s)
{
	printf("# copies: %s\n", s->name);
	if (!(s->connector->capabilities & ENT_CAP_WRITE)) {
		tap_skip("copies", "the store is not written to");
		return;
	}
	test_matrix(s);
	test_splits(s);
	test_modes(s);
	test_replace_resumed(s);
	test_promises(s);
	test_cut(s);
	test_two_phase(s);
	test_undo(s);
	test_same(s);
	suite_changes_run(s);
}
