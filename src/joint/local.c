/* The owner's part: one SELECT over the base table that yields exactly the shipped columns and a valid flag, then checks (row count, bounds,
 * unique keys) over the whole table before anything is shared, then bit planes. Filtered rows travel with zero planes. */
#include <math.h>
#include <stdlib.h>

#include "arrow/batch.h"
#include "arrow/stream.h"
#include "crypto/hash.h"
#include "joint/internal.h"
#include "joint/label.h"

void ent_local_deinit(struct ent_local *l)
{
	for (size_t i = 0; i < l->n_words; i++)
		free(l->words[i]);
	ent_buf_deinit(&l->sealed);
	memset(l, 0, sizeof *l);
}

unsigned ent_joint_source_planes(const struct ent_joint_plan *p, const struct ent_jsource *s)
{
	unsigned planes = 1;
	for (size_t i = 0; i < p->n_leaves; i++)
		if (p->leaves[i].rel == s->rel)
			planes += p->leaves[i].enc.bits + p->leaves[i].nullable;
	return planes;
}

/* ---- SQL ---- */

static struct ent_expr *bool_const(struct ent_arena *arena, bool value)
{
	struct ent_expr *e = ENT_NEW(arena, struct ent_expr);
	if (e)
		*e = (struct ent_expr){ .kind = ENT_X_CONST, .type = { .id = ENT_T_BOOL }, .value = value };
	return e;
}

/* CASE WHEN where THEN true ELSE false END: NULL counts as false. */
static struct ent_expr *valid_expr(struct ent_arena *arena, struct ent_expr *where)
{
	struct ent_expr *yes = bool_const(arena, true), *no = bool_const(arena, false), *e = ENT_NEW(arena, struct ent_expr);
	if (!where || !e)
		return yes;
	*e = (struct ent_expr){ .kind = ENT_X_CASE, .type = { .id = ENT_T_BOOL }, .n_args = 3, .args = ENT_NEWS(arena, 3, struct ent_expr *) };
	if (!e->args || !yes || !no)
		return NULL;
	e->args[0] = where;
	e->args[1] = yes;
	e->args[2] = no;
	return e;
}

struct relation_text {
	const char *text;
};

static const char *relation_of(void *arg, const struct ent_table *t)
{
	(void)t;
	return ((const struct relation_text *)arg)->text;
}

static int local_items(struct ent_arena *arena, const struct ent_joint_plan *p, const struct ent_jsource *s, struct ent_query *q, struct ent_err *err)
{
	size_t n = 1;
	for (size_t i = 0; i < p->n_leaves; i++)
		n += p->leaves[i].rel == s->rel ? p->leaves[i].n_exprs : 0;
	q->items = ENT_NEWS(arena, n, struct ent_item);
	if (!q->items)
		return ent_nomem(err);
	q->items[q->n_items++] = (struct ent_item){ .name = "valid", .expr = valid_expr(arena, s->where) };
	for (size_t i = 0; i < p->n_leaves; i++) {
		const struct ent_leaf *l = &p->leaves[i];
		for (size_t k = 0; l->rel == s->rel && k < l->n_exprs; k++) {
			const char *name = ent_arena_printf(arena, "v%zu", q->n_items);
			q->items[q->n_items++] = (struct ent_item){ .name = name, .expr = ent_joint_subst(arena, s, l->exprs[k]) };
		}
	}
	for (size_t i = 0; i < n; i++)
		if (!q->items[i].expr || !q->items[i].name)
			return ent_nomem(err);
	return 0;
}

int ent_joint_local_sql(struct ent_arena *arena, const struct ent_joint_plan *p, const struct ent_jsource *s, enum ent_dialect dialect,
			const char *relation, struct ent_printed *out, struct ent_err *err)
{
	struct ent_rel *rel = ENT_NEW(arena, struct ent_rel);
	struct ent_rel_column *columns = ENT_NEWS(arena, s->table->n_columns + 1, struct ent_rel_column);
	struct ent_query q = { .rels = rel, .n_rels = 1, .limit = -1 };
	struct relation_text text = { relation };
	if (!rel || !columns)
		return ent_nomem(err);
	for (size_t i = 0; i < s->table->n_columns; i++)
		columns[i] = (struct ent_rel_column){ s->table->columns[i].name, s->table->columns[i].type, s->table->columns[i].nullable };
	struct ent_query **branch = ENT_NEW(arena, struct ent_query *);
	if (!branch)
		return ent_nomem(err);
	*branch = s->derived;
	*rel = (struct ent_rel){ .kind = s->derived ? ENT_REL_QUERY : ENT_REL_TABLE,
				 .branches = branch,
				 .n_branches = 1,
				 .alias = "t",
				 .table = s->table,
				 .columns = columns,
				 .n_columns = s->table->n_columns };
	ENT_TRY(local_items(arena, p, s, &q, err));
	return ent_sql_print_query(arena, &q, dialect, relation_of, &text, out, err);
}

int ent_joint_params(struct ent_arena *arena, const struct ent_printed *printed, struct ent_param **ret, struct ent_err *err)
{
	struct ent_param *params = ENT_NEWS(arena, printed->n_params + 1, struct ent_param);
	for (size_t i = 0; params && i < printed->n_params; i++) {
		char format[ENT_TYPE_TEXT_MAX];
		ent_type_format(printed->params[i].type, format);
		params[i].format = ent_arena_dup(arena, format);
		if (!params[i].format)
			return ent_nomem(err);
		ENT_TRY(ent_sql_param_text(arena, printed->params[i].value, &params[i].text, err));
	}
	if (!params)
		return ent_nomem(err);
	*ret = params;
	return 0;
}

/* ---- ingest ---- */

struct ingest {
	struct ent_run *r;
	const struct ent_jsource *s;
	struct ent_local *l;
	size_t rows;                                            /* seen so far */
	uint64_t *valid;                                        /* word per row */
	uint64_t *value[ENT_LEAVES_MAX], *null[ENT_LEAVES_MAX]; /* word per row */
	struct ent_texts texts[ENT_LEAVES_MAX];
	uint64_t *keys; /* hashes of the unique key, for the check */
	size_t n_keys;
	const struct ent_jjoin *unique;     /* this relation is the unique side of it */
	const struct ent_jjoin *must_match; /* an inner join: rows with a NULL key cannot match */
};

static int refuse_value(const struct ingest *g, size_t leaf, struct ent_err *err)
{
	const struct ent_leaf *l = &g->r->p->leaves[leaf];
	const struct ent_expr *e = ent_joint_subst(g->r->arena, g->s, l->exprs[0]);
	const char *name = e && e->kind == ENT_X_COLUMN ? g->s->table->columns[e->column].name : "an expression";
	bool real = l->enc.kind == ENT_ENC_FIXED;
	ent_fail(err, ENT_EDATA, "%s of %s.%s holds a value beyond its published bound%s", name, g->s->table->org, g->s->table->name,
		 real ? ", NaN or an infinity" : "");
	ent_why(err, "values must stay below 2^%u; nothing was shared", l->enc.bits - 1 - l->enc.fraction);
	return ent_next(err, "run `entente add --refresh`, or register the column with --bound");
}

#ifdef ENT_MUTANT_BOUND_UNCHECKED
static bool fits(int64_t v, struct ent_enc enc) { return enc.bits > 0 || v; }
#else
static bool fits(int64_t v, struct ent_enc enc)
{
	if (!enc.sign)
		return v >= 0 && (enc.bits >= 64 || (uint64_t)v >> enc.bits == 0);
	return enc.bits >= 64 || (v >= -((int64_t)1 << (enc.bits - 1)) && v < (int64_t)1 << (enc.bits - 1));
}
#endif

static int put_number(struct ingest *g, size_t leaf, const struct ent_view *v, size_t row, size_t at, struct ent_err *err)
{
	const struct ent_enc enc = g->r->p->leaves[leaf].enc;
	bool real = ent_type_is_float(v->type);
	if (enc.kind == ENT_ENC_REAL) {
		g->value[leaf][at] = ent_joint_real_image(real ? ent_view_real(v, row) : (double)ent_view_int(v, row));
		return 0;
	}
	if (enc.kind == ENT_ENC_FIXED) {
		double d = ldexp(real ? ent_view_real(v, row) : (double)ent_view_int(v, row), (int)enc.fraction);
		if (!isfinite(d) || fabs(d) >= ldexp(1, (int)enc.bits - 1))
			return refuse_value(g, leaf, err);
		g->value[leaf][at] = (uint64_t)(int64_t)llround(d);
		return 0;
	}
	if (real) { /* a whole number, or it would not have been planned so */
		double d = ent_view_real(v, row);
		if (!(fabs(d) < 0x1p60) || !fits((int64_t)d, enc) || (double)(int64_t)d != d)
			return refuse_value(g, leaf, err);
		g->value[leaf][at] = (uint64_t)(int64_t)d;
		return 0;
	}
	ent_i128 w = ent_view_wide(v, row);
	if (w != (int64_t)w || !fits((int64_t)w, enc))
		return refuse_value(g, leaf, err);
	g->value[leaf][at] = (uint64_t)(int64_t)w;
	return 0;
}

static void hash_one(struct ent_buf *b, const struct ent_view *v, size_t row)
{
	if (v->type.id == ENT_T_TEXT) {
		struct ent_bytes t = ent_view_text(v, row);
		ent_buf_u8(b, 't');
		ent_buf_be32(b, (uint32_t)t.len);
		ent_buf_put(b, t.data, t.len);
		return;
	}
	ent_buf_u8(b, ent_type_is_float(v->type) ? 'g' : 'i');
	ent_buf_be64(b, ent_type_is_float(v->type) ? ent_joint_real_image(ent_view_real(v, row)) : (uint64_t)ent_view_int(v, row));
}

static int put_tuple(struct ingest *g, const uint8_t key[16], const struct ent_view *v, size_t n, size_t row, uint64_t *ret, bool *ret_null,
		     struct ent_err *err)
{
	struct ent_buf b = ENT_BUF((size_t)1 << 24);
	*ret_null = false;
	for (size_t i = 0; i < n; i++) {
		*ret_null = *ret_null || ent_view_null(&v[i], row);
		hash_one(&b, &v[i], row);
	}
	int code = ent_buf_check(&b, err);
	*ret = *ret_null ? 0 : ent_siphash(key, b.data, b.len);
	ent_buf_deinit(&b);
	(void)g;
	return code;
}

static int put_leaf(struct ingest *g, size_t leaf, const struct ent_view *v, size_t row, size_t at, struct ent_err *err)
{
	const struct ent_leaf *l = &g->r->p->leaves[leaf];
	bool null = ent_view_null(v, row);
	if (l->enc.kind == ENT_ENC_HASH)
		ENT_TRY(put_tuple(g, g->r->hash_key, v, l->n_exprs, row, &g->value[leaf][at], &null, err));
	else if (l->enc.kind == ENT_ENC_CODE && !null && g->valid[at])
		ENT_TRY(ent_texts_put(&g->texts[leaf], at, ent_view_text(v, row), err));
	else if (l->enc.kind != ENT_ENC_CODE && !null)
		ENT_TRY(put_number(g, leaf, v, row, at, err));
	if (null && !l->nullable) {
		ent_fail(err, ENT_EDATA, "a column of %s.%s registered as NOT NULL holds NULL", g->s->table->org, g->s->table->name);
		return ent_next(err, "run `entente add --refresh`");
	}
	g->null[leaf][at] = null;
	return 0;
}

static bool leaf_in(const struct ent_jjoin *j, uint16_t rel, size_t leaf)
{
	for (size_t k = 0; j && k < j->n_keys; k++)
		if (j->keys[k].right == leaf && j->rel == rel)
			return true;
	return false;
}

/* The value of the unique key over the whole table, filtered rows too: a duplicate would silently drop rows of the other side. */
static int note_key(struct ingest *g, const struct ent_view *columns, size_t row, struct ent_err *err)
{
	static const uint8_t key[16] = "unique key check";
	const struct ent_joint_plan *p = g->r->p;
	uint64_t hashes[16] = { 0 };
	size_t n = 0, c = 0;
	for (size_t i = 0; i < p->n_leaves; i++) {
		if (p->leaves[i].rel != g->s->rel)
			continue;
		if (leaf_in(g->unique, g->s->rel, i) && n < ENT_COUNT(hashes)) {
			bool null;
			ENT_TRY(put_tuple(g, key, columns + c, p->leaves[i].n_exprs, row, &hashes[n++], &null, err));
			if (null)
				return 0;
		}
		c += p->leaves[i].n_exprs;
	}
	g->keys[g->n_keys++] = ent_siphash(key, hashes, n * sizeof hashes[0]);
	return 0;
}

static void blank_row(struct ingest *g, size_t at)
{
	for (size_t i = 0; i < ENT_LEAVES_MAX; i++)
		if (g->value[i])
			g->value[i][at] = g->null[i][at] = 0;
	g->valid[at] = 0;
}

static bool key_null(const struct ingest *g, size_t at)
{
	for (size_t k = 0; g->must_match && k < g->must_match->n_keys; k++)
		if (g->null[g->must_match->keys[k].right][at])
			return true;
	return false;
}

static int put_row(struct ingest *g, const struct ent_batch *b, size_t row, struct ent_err *err)
{
	const struct ent_joint_plan *p = g->r->p;
	size_t at = g->rows, c = 1;
	if (at >= g->s->rows) {
		ent_fail(err, ENT_EDATA, "%s.%s outgrew its published size of %zu rows", g->s->table->org, g->s->table->name, g->s->rows);
		return ent_next(err, "run `entente add --refresh`");
	}
	g->valid[at] = !ent_view_null(&b->columns[0], row) && ent_view_int(&b->columns[0], row);
	for (size_t i = 0; i < p->n_leaves; i++) {
		if (p->leaves[i].rel != g->s->rel)
			continue;
		ENT_TRY(put_leaf(g, i, &b->columns[c], row, at, err));
		c += p->leaves[i].n_exprs;
	}
	if (g->unique)
		ENT_TRY(note_key(g, b->columns + 1, row, err));
	if (!g->valid[at] || key_null(g, at))
		blank_row(g, at);
	g->rows++;
	return 0;
}

static int put_batch(void *arg, const struct ent_batch *b, struct ent_err *err)
{
	struct ingest *g = arg;
	size_t columns = 1;
	for (size_t i = 0; i < g->r->p->n_leaves; i++)
		columns += g->r->p->leaves[i].rel == g->s->rel ? g->r->p->leaves[i].n_exprs : 0;
	if (b->n_columns != columns)
		return ent_fail(err, ENT_EDATA, "%s.%s answered with %zu columns instead of %zu", g->s->table->org, g->s->table->name, b->n_columns,
				columns);
	for (size_t row = 0; row < b->rows; row++)
		ENT_TRY(put_row(g, b, row, err));
	return 0;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

#ifdef ENT_MUTANT_UNIQUE_UNCHECKED
static int check_unique(struct ingest *g, struct ent_err *err)
{
	(void)err;
	return g->n_keys == SIZE_MAX;
}
#else
static int check_unique(struct ingest *g, struct ent_err *err)
{
	if (!g->unique || !g->n_keys)
		return 0;
	qsort(g->keys, g->n_keys, sizeof *g->keys, compare_u64);
	for (size_t i = 1; i < g->n_keys; i++)
		if (g->keys[i] == g->keys[i - 1]) {
			ent_fail(err, ENT_EDATA, "the join key of %s.%s is no longer unique", g->s->table->org, g->s->table->name);
			ent_why(err, "two rows carry the same key; nothing was shared");
			return ent_next(err, "clean the table, then run `entente add --refresh`");
		}
	return 0;
}
#endif

static uint64_t *new_words(struct ent_local *l, size_t rows)
{
	if (l->n_words == ENT_COUNT(l->words))
		return NULL;
	uint64_t *w = ent_alloc(rows + 1, sizeof *w);
	if (w)
		l->words[l->n_words++] = w;
	return w;
}

static int begin(struct ingest *g, struct ent_err *err)
{
	const struct ent_joint_plan *p = g->r->p;
	uint16_t rel = g->s->rel;
	if (rel > 0) {
		const struct ent_jjoin *j = &p->joins[rel - 1];
		g->unique = j->frame_is_one ? NULL : j;
		g->must_match = j->frame_is_one && j->left ? NULL : j;
	}
	size_t rows = g->s->rows;
	g->valid = ENT_NEWS(g->r->arena, rows + 1, uint64_t);
	g->keys = ENT_NEWS(g->r->arena, rows + 1, uint64_t);
	if (!g->valid || !g->keys)
		return ent_nomem(err);
	for (size_t i = 0; i < p->n_leaves; i++) {
		if (p->leaves[i].rel != rel)
			continue;
		g->value[i] = ENT_NEWS(g->r->arena, rows + 1, uint64_t);
		g->null[i] = ENT_NEWS(g->r->arena, rows + 1, uint64_t);
		if (!g->value[i] || !g->null[i])
			return ent_nomem(err);
	}
	return 0;
}

/* ---- planes ---- */

static int to_planes(struct ingest *g, struct ent_err *err)
{
	const struct ent_joint_plan *p = g->r->p;
	size_t rows = g->s->rows, words = ent_words(rows), at = 0;
	unsigned planes = ent_joint_source_planes(p, g->s);
	uint64_t *bits = new_words(g->l, planes * words);
	if (!bits)
		return ent_nomem(err);
	ent_planes_from_words(g->valid, rows, 1, bits);
	at = words;
	for (size_t i = 0; i < p->n_leaves; i++) {
		if (!g->value[i])
			continue;
		ent_planes_from_words(g->value[i], rows, p->leaves[i].enc.bits, bits + at);
		at += p->leaves[i].enc.bits * words;
		if (!p->leaves[i].nullable)
			continue;
		ent_planes_from_words(g->null[i], rows, 1, bits + at);
		at += words;
	}
	g->l->plain = (struct ent_plain){ .rows = rows, .planes = planes, .bits = bits };
	return 0;
}

static int seal_labels(struct ingest *g, struct ent_err *err)
{
	const struct ent_joint_plan *p = g->r->p;
	struct ent_local *l = g->l;
	l->tables = ENT_NEWS(g->r->arena, p->n_leaves + 1, struct ent_plain);
	if (!l->tables)
		return ent_nomem(err);
	ent_buf_init(&l->sealed, ent_joint_sealed_bytes(p, g->s) + 1);
	for (size_t i = 0; i < p->n_leaves; i++) {
		size_t rows = ent_joint_table_rows(p, g->s, i);
		if (!rows)
			continue;
		unsigned planes = p->leaves[i].enc.bits + ENT_LABEL_PLANES;
		uint64_t *bits = new_words(l, planes * ent_words(rows));
		if (!bits)
			return ent_nomem(err);
		struct ent_label_job job = { .random = g->r->env->random,
					     .job_id = g->r->env->job_id,
					     .hash_key = g->r->hash_key,
					     .rows = rows,
					     .code_bits = p->leaves[i].enc.bits,
					     .table = g->s->table->name,
					     .values = g->value[i],
					     .arena = g->r->arena };
		ENT_TRY(ent_texts_seal(&g->texts[i], &job, bits, &l->sealed, err));
		l->tables[i] = (struct ent_plain){ .rows = rows, .planes = planes, .bits = bits };
	}
	return 0;
}

static int ingest_stream(struct ingest *g, struct ArrowArrayStream *stream, struct ent_err *err)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_TRY(ent_stream_schema(stream, &schema, err));
	ENT_TRY(begin(g, err));
	ENT_TRY(ent_stream_each(stream, &schema, put_batch, g, err));
	ENT_TRY(check_unique(g, err));
	ENT_TRY(seal_labels(g, err));
	return to_planes(g, err);
}

static void texts_deinit(struct ingest *g)
{
	for (size_t i = 0; i < ENT_LEAVES_MAX; i++)
		ent_texts_deinit(&g->texts[i]);
}

int ent_joint_local(struct ent_run *r, size_t source, struct ent_local *ret, struct ent_err *err)
{
	const struct ent_jsource *s = &r->p->sources[source];
	struct ent_joint_source at = { 0 };
	struct ent_printed sql = { .n_params = 0 };
	struct ent_param *params = NULL;
	ENT_STREAM_AUTO stream = { 0 };
	ENT_TRY(r->env->source(r->env->self, &s->base, 1, &at, err));
	int code = ent_joint_local_sql(r->arena, r->p, s, at.dialect, at.relations[0], &sql, err);
	code = code ? code : ent_joint_params(r->arena, &sql, &params, err);
	code = code ? code : r->env->local(r->env->self, &s->base, 1, ent_buf_text(&sql.text), params, sql.n_params, &stream, err);
	ent_buf_deinit(&sql.text);
	ENT_TRY(code);
	struct ingest *g = ENT_NEW(r->arena, struct ingest);
	if (!g)
		return ent_nomem(err);
	*g = (struct ingest){ .r = r, .s = s, .l = ret };
	code = ingest_stream(g, &stream, err);
	texts_deinit(g);
	return code;
}
