/* A query over one owner's tables runs wholly at that owner. Without protected tables its engine answers the whole text. With them the engine
 * joins, filters and computes, and the groups are formed here under the same rules as in MPC (one_rules.c). The requester gets the outcome only. */
#include <stdlib.h>

#include "arrow/builder.h"
#include "arrow/stream.h"
#include "crypto/hash.h"
#include "joint/internal.h"

#define OUTCOME_BYTES_MAX ((size_t)1 << 30)

int ent_joint_plan_one(struct ent_joint_plan *p, struct ent_err *err)
{
	if (!p->protects)
		return 0;
	for (size_t i = 0; i < p->n_rels; i++)
		if (p->query->rels[i].kind != ENT_REL_TABLE) {
			ent_fail(err, ENT_EUNSUPPORTED, "a subquery or UNION over protected tables of one owner");
			return ent_next(err, "join and filter the tables directly in one SELECT");
		}
	return ent_joint_plan_outputs(p, err);
}

/* ---- SQL ---- */

struct extended { /* the base tables, each with one more column: its row number */
	struct ent_table *tables;
	const char **relations;
	size_t n;
};

static const char *relation_of(void *arg, const struct ent_table *t)
{
	const struct extended *x = arg;
	for (size_t i = 0; i < x->n; i++)
		if (t == &x->tables[i] || (!strcmp(t->name, x->tables[i].name) && !strcmp(t->org, x->tables[i].org)))
			return x->relations[i];
	return "";
}

static int extend_table(struct ent_arena *arena, const struct ent_table *from, const char *relation, struct ent_table *to, const char **ret_relation,
			struct ent_err *err)
{
	struct ent_column *columns = ENT_NEWS(arena, from->n_columns + 1, struct ent_column);
	*ret_relation = ent_arena_printf(arena, "(SELECT *, row_number() OVER () AS ent_row FROM %s)", relation);
	if (!columns || !*ret_relation)
		return ent_nomem(err);
	memcpy(columns, from->columns, from->n_columns * sizeof *columns);
	columns[from->n_columns] = (struct ent_column){ .name = "ent_row", .type = { .id = ENT_T_INT64 } };
	*to = *from;
	to->columns = columns;
	to->n_columns = from->n_columns + 1;
	return 0;
}

static struct ent_expr *new_expr(struct ent_arena *arena, struct ent_expr e, size_t n_args)
{
	struct ent_expr *x = ENT_NEW(arena, struct ent_expr);
	if (!x)
		return NULL;
	*x = e;
	x->n_args = n_args;
	x->args = n_args ? ENT_NEWS(arena, n_args, struct ent_expr *) : NULL;
	return n_args && !x->args ? NULL : x;
}

static struct ent_expr *call1(struct ent_arena *arena, enum ent_op op, const struct ent_expr *arg)
{
	struct ent_expr *e = new_expr(arena, (struct ent_expr){ .kind = ENT_X_CALL, .op = op, .type = { .id = ENT_T_BOOL } }, 1);
	if (e && !(e->args[0] = new_expr(arena, *arg, 0)))
		return NULL;
	if (e) {
		e->args[0]->args = arg->args;
		e->args[0]->n_args = arg->n_args;
	}
	return e;
}

/* filter AND nonnull, as one boolean (NULL = false for the reader) */
static int cond_items(struct ent_arena *arena, const struct ent_jcond *c, const struct ent_expr **ret, size_t *n, struct ent_err *err)
{
	if (c->filter)
		ret[(*n)++] = c->filter;
	if (c->nonnull) {
		const struct ent_expr *null = call1(arena, ENT_OP_IS_NULL, c->nonnull);
		const struct ent_expr *e = null ? call1(arena, ENT_OP_NOT, null) : NULL;
		if (!e)
			return ent_nomem(err);
		ret[(*n)++] = e;
	}
	return 0;
}

struct layout { /* columns of the inner SELECT */
	struct ent_query q;
	const struct ent_expr *exprs[400];
	size_t n;
	struct {
		size_t first, count;
	} conds[ENT_CONDS_MAX];
	size_t args[ENT_AGGS_MAX], ids[ENT_SQL_RELS_MAX];
};

static int lay_out(struct ent_arena *arena, const struct ent_joint_plan *p, struct layout *l, struct ent_err *err)
{
	for (size_t i = 0; i < p->n_labels; i++)
		l->exprs[l->n++] = p->labels[i].expr;
	for (size_t i = 1; i < p->n_conds; i++) {
		l->conds[i].first = l->n;
		ENT_TRY(cond_items(arena, &p->conds[i], l->exprs, &l->n, err));
		l->conds[i].count = l->n - l->conds[i].first;
	}
	for (size_t i = 0; i < p->n_aggs; i++) {
		l->args[i] = l->n;
		if (p->aggs[i].expr->n_args)
			l->exprs[l->n++] = p->aggs[i].expr->args[0];
	}
	for (size_t i = 0; i < p->n_rels; i++) {
		const struct ent_table *t = l->q.rels[i].table;
		struct ent_expr id = {
			.kind = ENT_X_COLUMN, .type = { .id = ENT_T_INT64 }, .rel = (uint16_t)i, .column = (uint16_t)(t->n_columns - 1)
		};
		l->ids[i] = l->n;
		if (!(l->exprs[l->n++] = new_expr(arena, id, 0)))
			return ent_nomem(err);
	}
	return 0;
}

static int inner_query(struct ent_arena *arena, const struct ent_joint_plan *p, const struct extended *x, struct layout *l, struct ent_err *err)
{
	const struct ent_query *from = p->query;
	struct ent_rel *rels = ENT_NEWS(arena, p->n_rels, struct ent_rel);
	if (!rels)
		return ent_nomem(err);
	memcpy(rels, from->rels, p->n_rels * sizeof *rels);
	for (size_t i = 0; i < p->n_rels; i++)
		rels[i].table = &x->tables[i];
	l->q = (struct ent_query){ .rels = rels, .n_rels = p->n_rels, .where = from->where, .limit = -1 };
	ENT_TRY(lay_out(arena, p, l, err));
	l->q.items = ENT_NEWS(arena, l->n, struct ent_item);
	if (!l->q.items)
		return ent_nomem(err);
	for (size_t i = 0; i < l->n; i++) {
		struct ent_expr *e = new_expr(arena, *l->exprs[i], 0);
		const char *name = ent_arena_printf(arena, "v%zu", i);
		if (!e || !name)
			return ent_nomem(err);
		e->args = l->exprs[i]->args;
		e->n_args = l->exprs[i]->n_args;
		l->q.items[l->q.n_items++] = (struct ent_item){ .name = name, .expr = e };
	}
	return 0;
}

/* ---- rows ---- */

struct reader {
	struct ent_arena *arena;
	struct ent_cell *cells;
	size_t rows, cap, columns;
};

static int read_cell(struct reader *r, const struct ent_view *v, size_t row, struct ent_cell *ret, struct ent_err *err)
{
	*ret = (struct ent_cell){ .null = ent_view_null(v, row) };
	if (ret->null)
		return 0;
	if (v->type.id == ENT_T_TEXT) {
		struct ent_bytes t = ent_view_text(v, row);
		const char *copy = ent_arena_str(r->arena, (const char *)t.data, t.len);
		ret->text = ent_bytes(copy, t.len);
		return copy ? 0 : ent_nomem(err);
	}
	if (ent_type_is_float(v->type))
		ret->real = ent_view_real(v, row);
	else
		ret->wide = ent_view_wide(v, row);
	return 0;
}

static int read_batch(void *arg, const struct ent_batch *b, struct ent_err *err)
{
	struct reader *r = arg;
	r->columns = b->n_columns;
	if ((r->rows + b->rows) > r->cap) {
		size_t cap = 2 * (r->rows + b->rows);
		struct ent_cell *grown = realloc(r->cells, cap * b->n_columns * sizeof *grown);
		if (!grown)
			return ent_nomem(err);
		r->cells = grown;
		r->cap = cap;
	}
	for (size_t row = 0; row < b->rows; row++, r->rows++)
		for (size_t c = 0; c < b->n_columns; c++)
			ENT_TRY(read_cell(r, &b->columns[c], row, &r->cells[r->rows * b->n_columns + c], err));
	return 0;
}

static int query_rows(struct ent_run *r, const struct ent_query *q, enum ent_dialect dialect, struct extended *x,
		      const struct ent_table *const *tables, struct reader *ret, struct ent_err *err)
{
	struct ent_printed sql = { .n_params = 0 };
	struct ent_param *params = NULL;
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_TRY(ent_sql_print_query(r->arena, q, dialect, relation_of, x, &sql, err));
	int code = ent_joint_params(r->arena, &sql, &params, err);
	code = code ? code : r->env->local(r->env->self, tables, r->p->n_sources, ent_buf_text(&sql.text), params, sql.n_params, &stream, err);
	ent_buf_deinit(&sql.text);
	ENT_TRY(code);
	ENT_TRY(ent_stream_schema(&stream, &schema, err));
	return ent_stream_each(&stream, &schema, read_batch, ret, err);
}

static int find_tables(struct ent_run *r, struct extended *x, const struct ent_table ***ret_tables, struct ent_joint_source *at, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	const struct ent_table **tables = ENT_NEWS(r->arena, p->n_sources + 1, const struct ent_table *);
	*x = (struct extended){ ENT_NEWS(r->arena, p->n_sources + 1, struct ent_table), ENT_NEWS(r->arena, p->n_sources + 1, const char *),
				p->n_sources };
	if (!tables || !x->tables || !x->relations)
		return ent_nomem(err);
	for (size_t i = 0; i < p->n_sources; i++)
		tables[i] = p->sources[i].table;
	ENT_TRY(r->env->source(r->env->self, tables, p->n_sources, at, err));
	for (size_t i = 0; i < p->n_sources; i++) {
		x->tables[i] = *tables[i];
		x->relations[i] = ent_arena_dup(r->arena, at->relations[i]);
		if (p->protects)
			ENT_TRY(extend_table(r->arena, tables[i], at->relations[i], &x->tables[i], &x->relations[i], err));
	}
	*ret_tables = tables;
	return 0;
}

/* Conditions as one cell each: true when the parts are. */
static void fold_conds(const struct layout *l, const struct ent_joint_plan *p, const struct ent_cell *from, struct ent_cell *to)
{
	for (size_t i = 1; i < p->n_conds; i++) {
		bool all = true;
		for (size_t k = 0; k < l->conds[i].count; k++) {
			const struct ent_cell *c = &from[l->conds[i].first + k];
			all = all && !c->null && c->wide;
		}
		if (p->conds[i].matched >= 0)
			all = all && !from[l->ids[p->conds[i].matched]].null;
		to[i - 1] = (struct ent_cell){ .wide = all };
	}
}

static int shape_rows(struct ent_run *r, const struct layout *l, const struct reader *in, struct ent_one_rows *ret, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	size_t columns = p->n_labels + (p->n_conds - 1) + p->n_aggs + p->n_rels;
	struct ent_cell *cells = ENT_NEWS(r->arena, in->rows * columns + 1, struct ent_cell);
	if (!cells)
		return ent_nomem(err);
	for (size_t row = 0; row < in->rows; row++) {
		const struct ent_cell *from = &in->cells[row * in->columns];
		struct ent_cell *to = &cells[row * columns];
		memcpy(to, from, p->n_labels * sizeof *to);
		fold_conds(l, p, from, to + p->n_labels);
		to += p->n_labels + p->n_conds - 1;
		for (size_t i = 0; i < p->n_aggs; i++)
			if (p->aggs[i].expr->n_args)
				to[i] = from[l->args[i]];
		for (size_t i = 0; i < p->n_rels; i++)
			to[p->n_aggs + i] = from[l->ids[i]];
	}
	*ret = (struct ent_one_rows){ in->rows, columns, cells };
	return 0;
}

static void reader_deinit(struct reader *r) { free(r->cells); }

static int compute(struct ent_run *r, struct ent_opened *ret, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	struct ent_joint_source at = { 0 };
	const struct ent_table **tables;
	struct extended x;
	ENT_CLEANUP(reader_deinit) struct reader in = { .arena = r->arena };
	ENT_TRY(find_tables(r, &x, &tables, &at, err));
	if (!p->protects) {
		ENT_TRY(query_rows(r, p->query, at.dialect, &x, tables, &in, err));
		ret->rows = in.rows;
		ret->columns = in.columns;
		ret->cells = ENT_NEWS(r->arena, in.rows * in.columns + 1, struct ent_cell);
		if (!ret->cells)
			return ent_nomem(err);
		if (in.rows)
			memcpy(ret->cells, in.cells, in.rows * in.columns * sizeof *in.cells);
		return 0;
	}
	struct layout *l = ENT_NEW(r->arena, struct layout);
	struct ent_one_rows rows;
	if (!l)
		return ent_nomem(err);
	ENT_TRY(inner_query(r->arena, p, &x, l, err));
	ENT_TRY(query_rows(r, &l->q, at.dialect, &x, tables, &in, err));
	ENT_TRY(shape_rows(r, l, &in, &rows, err));
	return ent_one_aggregate(r, &rows, ret, err);
}

/* ---- to the requester ---- */

static void put_outcome(const struct ent_opened *o, struct ent_buf *b)
{
	ent_buf_be64(b, o->rows);
	ent_buf_be64(b, o->columns);
	for (size_t i = 0; i < o->rows * o->columns; i++) {
		const struct ent_cell *c = &o->cells[i];
		uint64_t real;
		memcpy(&real, &c->real, sizeof real);
		ent_buf_u8(b, c->null);
		ent_buf_be64(b, (uint64_t)(c->wide >> 64));
		ent_buf_be64(b, (uint64_t)c->wide);
		ent_buf_be64(b, real);
		ent_buf_be32(b, (uint32_t)c->text.len);
		ent_buf_put(b, c->text.data, c->text.len);
	}
}

static int get_outcome(struct ent_arena *arena, struct ent_bytes bytes, struct ent_opened *ret, struct ent_err *err)
{
	struct ent_reader in = ent_reader(bytes);
	ret->rows = ent_read_be64(&in);
	ret->columns = ent_read_be64(&in);
	if (ret->columns > 2000 || (ret->columns && ret->rows > bytes.len / ret->columns))
		return ent_fail(err, ENT_EPEER, "the owner's outcome is malformed");
	ret->cells = ENT_NEWS(arena, ret->rows * ret->columns + 1, struct ent_cell);
	for (size_t i = 0; ret->cells && i < ret->rows * ret->columns && in.ok; i++) {
		struct ent_cell *c = &ret->cells[i];
		c->null = ent_read_u8(&in);
		uint64_t high = ent_read_be64(&in), low = ent_read_be64(&in), real = ent_read_be64(&in);
		c->wide = (ent_i128)((ent_u128)high << 64 | low);
		memcpy(&c->real, &real, sizeof real);
		struct ent_bytes text = ent_read(&in, ent_read_be32(&in));
		const char *copy = ent_arena_str(arena, text.len ? (const char *)text.data : "", text.len);
		if (!copy || !ent_utf8_valid(text))
			return copy ? ent_fail(err, ENT_EPEER, "the owner's outcome is malformed") : ent_nomem(err);
		c->text = ent_bytes(copy, text.len);
	}
	if (!ret->cells)
		return ent_nomem(err);
	return in.ok && !ent_reader_left(&in) ? 0 : ent_fail(err, ENT_EPEER, "the owner's outcome is malformed");
}

static int send_outcome(struct ent_run *r, const struct ent_opened *o, struct ent_err *err)
{
	struct ent_link *link;
	uint8_t length[8];
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(OUTCOME_BYTES_MAX);
	put_outcome(o, &b);
	ENT_TRY(ent_buf_check(&b, err));
	ent_sha256(b.data, b.len, r->result->output_sha256);
	if (r->env->before_output)
		ENT_TRY(r->env->before_output(r->env->self, ent_buf_bytes(&b), err));
	for (int i = 0; i < 8; i++)
		length[i] = (uint8_t)(b.len >> (56 - 8 * i));
	ENT_TRY(r->env->link(r->env->self, r->p->in.requester, "output", &link, err));
	ENT_TRY(link->ops->send(link, length, sizeof length, err));
	return link->ops->send(link, b.data, b.len, err);
}

static void free_bytes(uint8_t **p) { free(*p); }

static int receive_outcome(struct ent_run *r, struct ent_opened *ret, struct ent_err *err)
{
	struct ent_link *link;
	uint8_t length[8];
	ENT_TRY(r->env->link(r->env->self, r->p->one_owner, "output", &link, err));
	ENT_TRY(link->ops->recv(link, length, sizeof length, err));
	struct ent_reader in = ent_reader(ent_bytes(length, sizeof length));
	uint64_t len = ent_read_be64(&in);
	if (len > OUTCOME_BYTES_MAX)
		return ent_fail(err, ENT_EPEER, "the owner's outcome is too large");
	ENT_CLEANUP(free_bytes) uint8_t *bytes = ent_alloc(len + 1, 1);
	if (!bytes)
		return ent_nomem(err);
	ENT_TRY(link->ops->recv(link, bytes, len, err));
	ENT_TRY(get_outcome(r->arena, ent_bytes(bytes, len), ret, err));
	if (r->p->protects ? ret->columns == r->p->n_labels + r->p->n_aggs : ret->columns || !ret->rows)
		return 0;
	return ent_fail(err, ENT_EPEER, "the owner's outcome has other columns than the query");
}

/* The engine answered the whole text: its columns are the shown items, in its order. */
static int finish_plain(struct ent_run *r, const struct ent_opened *o, struct ent_err *err)
{
	const struct ent_query *q = r->p->query;
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_TRY(ent_joint_schema(r->arena, q, &schema, err));
	if (o->rows && (size_t)schema.n_children != o->columns)
		return ent_fail(err, ENT_EPEER, "the owner's outcome has other columns than the query");
	ENT_TRY(ent_builder_new(&schema, 0, &b, err));
	for (size_t row = 0; row < o->rows; row++)
		for (size_t i = 0, column = 0; i < q->n_items; i++) {
			if (q->items[i].hidden)
				continue;
			ENT_TRY(ent_cell_put(b, column, q->items[i].expr->type, &o->cells[row * o->columns + column], err));
			column++;
		}
	ENT_TRY(ent_builder_finish(b, &r->result->batch, err));
	r->result->schema = ent_schema_take(&schema);
	r->result->has_rows = true;
	return 0;
}

int ent_joint_run_one(struct ent_run *r, struct ent_err *err)
{
	struct ent_opened o = { 0 };
	bool owner = !strcmp(r->p->one_owner, r->env->org), requester = !strcmp(r->p->in.requester, r->env->org);
	if (owner) {
		ENT_TRY(compute(r, &o, err));
		if (r->p->n_seen && r->env->keep_guard)
			ENT_TRY(r->env->keep_guard(r->env->self, ent_buf_bytes(&r->result->guard_public), ent_buf_bytes(&r->result->guard_shares),
						   err));
		if (r->env->before_open)
			ENT_TRY(r->env->before_open(r->env->self, err));
		if (!requester)
			ENT_TRY(send_outcome(r, &o, err));
	} else if (requester) {
		ENT_TRY(receive_outcome(r, &o, err));
	}
	r->result->stats.groups_released = o.rows;
	if (!requester)
		return 0;
	return r->p->protects ? ent_joint_finish(r->arena, r->p, &o, r->result, err) : finish_plain(r, &o, err);
}
