/* The canonical JSON of a bound query: what every party hashes. Names a user may choose freely (aliases, inner column names) are left out; what
 * may be written in several orders is sorted; > and >= stand as < and <=. Numbers of constants are texts, so that no float appears. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sql/internal.h"

static json_t *type_json(struct ent_type t)
{
	char name[ENT_TYPE_TEXT_MAX];
	return json_string(ent_sql_type_text(t, name));
}

static json_t *column_json(const struct ent_query *q, const struct ent_expr *e)
{
	const struct ent_rel *r = &q->rels[e->rel];
	if (r->kind == ENT_REL_TABLE)
		return json_pack("[s,i,s]", "column", e->rel, r->table->columns[e->column].name);
	return json_pack("[s,i,i]", "column", e->rel, e->column);
}

static json_t *const_json(const struct ent_expr *e)
{
	char text[64];
	if (e->is_null)
		return json_pack("[s,o]", "null", type_json(e->type));
	if (e->type.id == ENT_T_TEXT)
		return json_pack("[s,o,s]", "const", type_json(e->type), e->text);
	if (ent_type_is_float(e->type))
		snprintf(text, sizeof text, "%.17g", e->real);
	else
		snprintf(text, sizeof text, "%" PRId64, e->value);
	return json_pack("[s,o,s]", "const", type_json(e->type), text);
}

static bool mirrored(const struct ent_expr *e) { return e->kind == ENT_X_CALL && (e->op == ENT_OP_GT || e->op == ENT_OP_GE); }

/* Arguments from *ret_first on may change places without changing the meaning. */
static bool commutes(const struct ent_expr *e, size_t *ret_first)
{
	*ret_first = e->kind == ENT_X_CALL && e->op == ENT_OP_IN ? 1 : 0;
	return e->kind == ENT_X_CALL && (e->op == ENT_OP_AND || e->op == ENT_OP_OR || e->op == ENT_OP_EQ || e->op == ENT_OP_NE ||
					 e->op == ENT_OP_ADD || e->op == ENT_OP_MUL || e->op == ENT_OP_IN);
}

struct keyed {
	char *key;
	json_t *value;
};

static int by_key(const void *a, const void *b) { return strcmp(((const struct keyed *)a)->key, ((const struct keyed *)b)->key); }

/* Sorts list[first..] by canonical text. */
static int list_sort(json_t *list, size_t first, struct ent_err *err)
{
	size_t n = json_array_size(list) - first;
	bool ok = true;
	struct keyed *k = ent_alloc(n, sizeof *k);
	if (!k)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++) {
		k[i].value = json_incref(json_array_get(list, first + i));
		k[i].key = json_dumps(k[i].value, JSON_COMPACT);
		ok = ok && k[i].key;
	}
	if (ok)
		qsort(k, n, sizeof *k, by_key);
	for (size_t i = 0; i < n; i++) {
		ok = !json_array_set_new(list, first + i, k[i].value) && ok;
		free(k[i].key);
	}
	free(k);
	return ok ? 0 : ent_nomem(err);
}

static const char *mirrored_text(enum ent_op op) { return ent_op_text(op == ENT_OP_GT ? ENT_OP_LT : ENT_OP_LE); }

static json_t *head_json(const struct ent_query *q, const struct ent_expr *e)
{
	switch (e->kind) {
	case ENT_X_COLUMN:
		return column_json(q, e);
	case ENT_X_CONST:
		return const_json(e);
	case ENT_X_CASE:
		return json_pack("[s,o]", "case", type_json(e->type));
	case ENT_X_AGG:
		return json_pack("[s,o,b]", ent_agg_text(e->agg), type_json(e->type), e->distinct);
	case ENT_X_CALL:
		break;
	}
	if (e->part)
		return json_pack("[s,o,s]", ent_op_text(e->op), type_json(e->type), ent_part_text(e->part));
	return json_pack("[s,o]", mirrored(e) ? mirrored_text(e->op) : ent_op_text(e->op), type_json(e->type));
}

int ent_expr_json(const struct ent_query *q, const struct ent_expr *e, json_t **ret, struct ent_err *err)
{
	size_t first = 0;
	ENT_JSON_AUTO out = e ? head_json(q, e) : json_null();
	if (!out)
		return ent_nomem(err);
	size_t head = json_array_size(out);
	for (size_t i = 0; e && i < e->n_args; i++) {
		json_t *arg;
		ENT_TRY(ent_expr_json(q, e->args[mirrored(e) ? e->n_args - 1 - i : i], &arg, err));
		if (json_array_append_new(out, arg))
			return ent_nomem(err);
	}
	if (e && e->kind == ENT_X_AGG && e->filter) {
		json_t *filter;
		ENT_TRY(ent_expr_json(q, e->filter, &filter, err));
		if (json_array_append_new(out, json_pack("{s:o}", "filter", filter)))
			return ent_nomem(err);
	}
	if (e && commutes(e, &first))
		ENT_TRY(list_sort(out, head + first, err));
	*ret = json_incref(out);
	return 0;
}

static int put(json_t *obj, const char *key, json_t *value, struct ent_err *err) { return json_object_set_new(obj, key, value) ? ent_nomem(err) : 0; }

static int put_expr(json_t *obj, const char *key, const struct ent_query *q, const struct ent_expr *e, struct ent_err *err)
{
	json_t *j;
	if (!e)
		return 0;
	ENT_TRY(ent_expr_json(q, e, &j, err));
	return put(obj, key, j, err);
}

static int append(json_t *list, json_t *value, struct ent_err *err) { return json_array_append_new(list, value) ? ent_nomem(err) : 0; }

static int query_json(const struct ent_query *q, bool top, bool selection, json_t **ret, struct ent_err *err);

static int keys_json(const struct ent_query *q, const struct ent_rel *r, json_t **ret, struct ent_err *err)
{
	ENT_JSON_AUTO list = json_array();
	for (size_t i = 0; i < r->n_keys; i++) {
		json_t *a, *b;
		ENT_TRY(ent_expr_json(q, r->left_keys[i], &a, err));
		if (ent_expr_json(q, r->right_keys[i], &b, err))
			return json_decref(a), ent_nomem(err);
		ENT_TRY(append(list, json_pack("[o,o]", a, b), err));
	}
	ENT_TRY(list_sort(list, 0, err));
	*ret = json_incref(list);
	return 0;
}

static int rel_source(const struct ent_rel *r, json_t *obj, struct ent_err *err)
{
	ENT_JSON_AUTO list = json_array();
	if (r->kind == ENT_REL_TABLE)
		return put(obj, "table", json_pack("[s,s]", r->table->org, r->table->name), err);
	for (size_t i = 0; i < r->n_branches; i++) {
		json_t *branch;
		ENT_TRY(query_json(r->branches[i], false, false, &branch, err));
		ENT_TRY(append(list, branch, err));
	}
	return put(obj, r->kind == ENT_REL_UNION ? "union" : "query", json_incref(list), err);
}

static int rel_json(const struct ent_query *q, const struct ent_rel *r, json_t **ret, struct ent_err *err)
{
	ENT_JSON_AUTO obj = json_object();
	json_t *keys;
	ENT_TRY(rel_source(r, obj, err));
	if (r->join != ENT_JOIN_FIRST) {
		ENT_TRY(put(obj, "join", json_string(r->join == ENT_JOIN_LEFT ? "left" : "inner"), err));
		ENT_TRY(keys_json(q, r, &keys, err));
		ENT_TRY(put(obj, "keys", keys, err));
	}
	ENT_TRY(put_expr(obj, "on", q, r->on, err));
	*ret = json_incref(obj);
	return 0;
}

static int rels_json(const struct ent_query *q, json_t *obj, struct ent_err *err)
{
	ENT_JSON_AUTO list = json_array();
	for (size_t i = 0; i < q->n_rels; i++) {
		json_t *rel;
		ENT_TRY(rel_json(q, &q->rels[i], &rel, err));
		ENT_TRY(append(list, rel, err));
	}
	return put(obj, "from", json_incref(list), err);
}

static int exprs_json(const struct ent_query *q, bool top, json_t *obj, struct ent_err *err)
{
	ENT_JSON_AUTO group = json_array();
	ENT_JSON_AUTO items = json_array();
	for (size_t i = 0; i < q->n_group; i++) {
		json_t *e;
		ENT_TRY(ent_expr_json(q, q->group[i], &e, err));
		ENT_TRY(append(group, e, err));
	}
	for (size_t i = 0; i < q->n_items; i++) {
		json_t *e;
		ENT_TRY(ent_expr_json(q, q->items[i].expr, &e, err));
		ENT_TRY(append(items, json_pack("{s:o,s:b,s:s}", "expr", e, "hidden", q->items[i].hidden, "name", top ? q->items[i].name : ""), err));
	}
	if (q->aggregate)
		ENT_TRY(put(obj, "group", json_incref(group), err));
	return put(obj, "items", json_incref(items), err);
}

static int tail_json(const struct ent_query *q, json_t *obj, struct ent_err *err)
{
	ENT_JSON_AUTO order = json_array();
	for (size_t i = 0; i < q->n_order; i++)
		ENT_TRY(append(
			order,
			json_pack("{s:i,s:b,s:b}", "item", (int)q->order[i].item, "desc", q->order[i].desc, "nulls_first", q->order[i].nulls_first),
			err));
	if (q->n_order)
		ENT_TRY(put(obj, "order", json_incref(order), err));
	if (q->limit >= 0)
		ENT_TRY(put(obj, "limit", json_pack("I", (json_int_t)q->limit), err));
	return q->offset ? put(obj, "offset", json_pack("I", (json_int_t)q->offset), err) : 0;
}

/* selection: at the top, only what decides which rows take part. */
static int query_json(const struct ent_query *q, bool top, bool selection, json_t **ret, struct ent_err *err)
{
	ENT_JSON_AUTO obj = json_object();
	ENT_TRY(rels_json(q, obj, err));
	ENT_TRY(put_expr(obj, "where", q, q->where, err));
	if (!selection) {
		ENT_TRY(exprs_json(q, top, obj, err));
		ENT_TRY(put_expr(obj, "having", q, q->having, err));
		ENT_TRY(tail_json(q, obj, err));
	}
	*ret = json_incref(obj);
	return 0;
}

int ent_query_json(const struct ent_query *q, json_t **ret, struct ent_err *err) { return query_json(q, true, false, ret, err); }
int ent_query_selection_json(const struct ent_query *q, json_t **ret, struct ent_err *err) { return query_json(q, true, true, ret, err); }
