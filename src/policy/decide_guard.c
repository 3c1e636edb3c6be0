/* Rule 7, static part: the selections this job opens, and which earlier jobs (and which of its own aggregates) they must be compared with.
 * Totals and cells themselves are compared inside MPC by src/joint. */
#include <stdlib.h>

#include "policy/decide.h"

#define ROWS_MAX (256u << 10)

/* --- canonical text of a label: by base column, so that it means the same in two different queries --- */

static void put_label(struct ent_decide *c, const struct ent_block *b, const struct ent_expr *e, struct ent_buf *out);

static void put_column(struct ent_decide *c, const struct ent_block *b, const struct ent_expr *e, struct ent_buf *out)
{
	const struct ent_rel *r = &b->query->rels[e->rel];
	if (r->kind == ENT_REL_TABLE) {
		ent_buf_printf(out, "%s.%s.", r->table->org, r->table->name);
		ent_grant_print_name(r->table->columns[e->column].name, out);
		return;
	}
	for (size_t i = 0; i < r->n_branches; i++) {
		const struct ent_block *inner = ent_decide_block(c, r->branches[i]);
		ent_buf_str(out, i ? "|" : "");
		put_label(c, inner, inner->query->items[ent_decide_item(inner->query, e->column)].expr, out);
	}
}

static void put_const(const struct ent_expr *e, struct ent_buf *out)
{
	if (e->is_null)
		ent_buf_str(out, "null");
	else if (e->type.id == ENT_T_TEXT)
		ent_grant_print_name(e->text, out);
	else if (ent_type_is_float(e->type))
		ent_buf_printf(out, "%a", e->real);
	else
		ent_buf_printf(out, "%lld", (long long)e->value);
}

static void put_label(struct ent_decide *c, const struct ent_block *b, const struct ent_expr *e, struct ent_buf *out)
{
	char type[ENT_TYPE_TEXT_MAX];
	if (e->kind == ENT_X_COLUMN) {
		put_column(c, b, e, out);
		return;
	}
	ent_type_name(e->type, type);
	if (e->kind == ENT_X_CONST) {
		put_const(e, out);
		ent_buf_printf(out, "::%s", type);
		return;
	}
	const char *name = e->kind == ENT_X_CASE ? "case" : e->kind == ENT_X_AGG ? ent_agg_text(e->agg) : ent_op_text(e->op);
	ent_buf_printf(out, "%s:%s:%d:%d(", name, type, (int)e->part, (int)e->distinct);
	for (size_t i = 0; i < e->n_args; i++) {
		ent_buf_str(out, i ? "," : "");
		put_label(c, b, e->args[i], out);
	}
	ent_buf_str(out, ")");
	if (e->filter) {
		ent_buf_str(out, "filter ");
		put_label(c, b, e->filter, out);
	}
}

struct key {
	const char *text;
	uint32_t at;
};

static int compare_keys(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int order = strcmp(x->text, y->text);
	return order ? order : (x->at > y->at) - (x->at < y->at);
}

static int group_text(struct ent_decide *c, const struct ent_block *b, const char **ret, const uint32_t **ret_order)
{
	size_t n = b->query->n_group;
	struct key *keys = ENT_NEWS(c->arena, n + 1, struct key);
	uint32_t *order = ENT_NEWS(c->arena, n + 1, uint32_t);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf all = ENT_BUF(ROWS_MAX);
	if (!keys || !order)
		return ent_nomem(c->err);
	for (size_t i = 0; i < n; i++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf one = ENT_BUF(ROWS_MAX);
		put_label(c, b, b->query->group[i], &one);
		ENT_TRY(ent_buf_check(&one, c->err));
		keys[i] = (struct key){ ent_arena_str(c->arena, ent_buf_text(&one), one.len), (uint32_t)i };
		if (!keys[i].text)
			return ent_nomem(c->err);
	}
	if (n)
		qsort(keys, n, sizeof *keys, compare_keys);
	for (size_t i = 0; i < n; i++) {
		ent_buf_printf(&all, "%s%s", i ? ";" : "", keys[i].text);
		order[i] = keys[i].at;
	}
	ENT_TRY(ent_buf_check(&all, c->err));
	*ret = ent_arena_str(c->arena, ent_buf_text(&all), all.len);
	*ret_order = order;
	return *ret ? 0 : ent_nomem(c->err);
}

struct by_walk {
	struct ent_decide *c;
	struct key *keys;
	size_t n, room;
	bool full;
};

static void add_by(void *arg, size_t base, size_t column)
{
	struct by_walk *w = arg;
	const struct ent_table *t = w->c->bases[base].table;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf one = ENT_BUF(ROWS_MAX);
	ent_buf_printf(&one, "%s.%s.", t->org, t->name);
	ent_grant_print_name(t->columns[column].name, &one);
	struct key *keys = ent_decide_more(w->c, w->keys, w->n, &w->room, sizeof *keys);
	const char *text = ent_arena_str(w->c->arena, ent_buf_text(&one), one.len);
	w->full = w->full || !keys || !text;
	if (w->full)
		return;
	w->keys = keys;
	keys[w->n++] = (struct key){ text, 0 };
}

/* The columns behind a GROUP BY, whatever is computed of them. */
static int by_text(struct ent_decide *c, const struct ent_block *b, const char **ret)
{
	struct by_walk w = { .c = c };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf all = ENT_BUF(ROWS_MAX);
	for (size_t i = 0; i < b->query->n_group; i++)
		ent_decide_columns(c, b, b->query->group[i], true, add_by, &w);
	if (w.full)
		return ent_nomem(c->err);
	if (w.n)
		qsort(w.keys, w.n, sizeof *w.keys, compare_keys);
	for (size_t i = 0; i < w.n; i++)
		if (!i || strcmp(w.keys[i].text, w.keys[i - 1].text) != 0)
			ent_buf_printf(&all, "%s%s", i ? ";" : "", w.keys[i].text);
	ENT_TRY(ent_buf_check(&all, c->err));
	*ret = ent_arena_str(c->arena, ent_buf_text(&all), all.len);
	return *ret ? 0 : ent_nomem(c->err);
}

/* --- canonical text of the selected rows --- */

static int put_versions(const struct ent_decide *c, json_t *list, struct ent_err *err)
{
	for (size_t i = 0; i < c->n_bases; i++) {
		const struct ent_table *t = c->bases[i].table;
		const char *mine = ent_decide_own(c, i) && c->in->commitment ? c->in->commitment(c->in->commitment_arg, t) : "";
		json_t *one = json_pack("{s:s, s:s, s:I, s:s}", "org", t->org, "table", t->name, "version", (json_int_t)t->version, "rows",
					mine ? mine : "");
		if (!one || json_array_append_new(list, one))
			return ent_nomem(err);
	}
	return 0;
}

static struct ent_expr *and_filter(struct ent_decide *c, const struct ent_query *q, const struct ent_expr *filter)
{
	struct ent_expr *e = ENT_NEW(c->arena, struct ent_expr);
	struct ent_expr **args = ENT_NEWS(c->arena, 2, struct ent_expr *);
	if (!e || !args)
		return NULL;
	args[0] = q->where;
	args[1] = (struct ent_expr *)(uintptr_t)filter;
	*e = (struct ent_expr){ .kind = ENT_X_CALL, .op = ENT_OP_AND, .type = { .id = ENT_T_BOOL }, .nullable = true, .args = args, .n_args = 2 };
	return q->where ? e : args[1];
}

/* FROM, joins and conditions (of a filtered aggregate, its own as well), versions of the tables, commitments to the requester's. */
static int rows_text(struct ent_decide *c, const struct ent_block *b, const struct ent_expr *filter, const char **ret)
{
	struct ent_query selected = *b->query;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(ROWS_MAX);
	ENT_JSON_AUTO query = NULL;
	ENT_JSON_AUTO all = NULL;
	if (filter && !(selected.where = and_filter(c, b->query, filter)))
		return ent_nomem(c->err);
	ENT_TRY(ent_query_selection_json(&selected, &query, c->err));
	json_t *versions = json_array();
	all = json_pack("{s:O, s:o}", "query", query, "tables", versions);
	if (!all)
		return ent_nomem(c->err);
	ENT_TRY(put_versions(c, versions, c->err));
	ENT_TRY(ent_json_canonical(all, &out, c->err));
	*ret = ent_arena_str(c->arena, ent_buf_text(&out), out.len);
	return *ret ? 0 : ent_nomem(c->err);
}

/* Rows of T that pass through a subquery's GROUP BY are counted as its groups: such counts compare only with counts of groups by the same keys. */
static int unit_text(struct ent_decide *c, const struct ent_block *top, size_t base, const char **ret)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(ROWS_MAX);
	const char *group;
	const uint32_t *order;
	for (size_t i = 0; c->blocks[i].query != top->query; i++) {
		if (!c->blocks[i].query->aggregate || !(c->blocks[i].tables >> base & 1))
			continue;
		ENT_TRY(group_text(c, &c->blocks[i], &group, &order));
		ent_buf_printf(&out, "%sgroups of %s", out.len ? "; " : top->bare >> base & 1 ? "rows; " : "", group);
	}
	ENT_TRY(ent_buf_check(&out, c->err));
	*ret = ent_arena_str(c->arena, ent_buf_text(&out), out.len);
	return *ret ? 0 : ent_nomem(c->err);
}

/* --- selections of this job --- */

struct column_set {
	size_t base;
	bool *in;
};

static void mark_column(void *arg, size_t base, size_t column)
{
	struct column_set *s = arg;
	if (base == s->base)
		s->in[column] = true;
}

static int compare_names(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static bool under_condition(const struct ent_decision_agg *a, const struct ent_expr *filter)
{
	for (size_t i = 0; i < a->n_conditions; i++)
		if (a->conditions[i] == filter)
			return true;
	return !filter && !a->n_conditions;
}

/* Columns of T opened through it: labels, and arguments of the aggregates that have this condition (NULL: none). */
static int opened_columns(struct ent_decide *c, const struct ent_block *b, size_t base, const struct ent_expr *filter, struct ent_policy_selection *s)
{
	const struct ent_table *t = c->bases[base].table;
	struct column_set set = { base, ENT_NEWS(c->arena, t->n_columns + 1, bool) };
	s->columns = ENT_NEWS(c->arena, t->n_columns + 1, const char *);
	if (!set.in || !s->columns)
		return ent_nomem(c->err);
	for (size_t i = 0; i < b->query->n_group; i++)
		ent_decide_columns(c, b, b->query->group[i], true, mark_column, &set);
	for (size_t i = 0; i < c->d->n_aggs; i++) {
		const struct ent_decision_agg *a = &c->d->aggs[i];
		if (a->block != b->query || !under_condition(a, filter))
			continue;
		s->counts |= a->expr->agg == ENT_AGG_COUNT_STAR || a->expr->agg == ENT_AGG_COUNT || a->expr->agg == ENT_AGG_AVG;
		if (a->expr->n_args)
			ent_decide_columns(c, b, a->expr->args[0], false, mark_column, &set);
	}
	for (size_t i = 0; i < t->n_columns; i++)
		if (set.in[i])
			s->columns[s->n_columns++] = t->columns[i].name;
	if (s->n_columns)
		qsort(s->columns, s->n_columns, sizeof *s->columns, compare_names);
	return 0;
}

static int add_selection(struct ent_decide *c, const struct ent_block *b, size_t base, const struct ent_expr *filter, struct ent_policy_selection s)
{
	struct ent_policy_selection *list = ent_decide_more(c, c->d->selections, c->d->n_selections, &c->selections_room, sizeof *list);
	if (!list)
		return ent_nomem(c->err);
	c->d->selections = list;
	s.org = c->bases[base].table->org;
	s.table = c->bases[base].table->name;
	s.version = c->bases[base].table->version;
	s.k = c->d->tables[base].k;
	s.block = b->query;
	s.filter = filter;
	ENT_TRY(by_text(c, b, &s.by));
	ENT_TRY(unit_text(c, b, base, &s.unit));
	ENT_TRY(opened_columns(c, b, base, filter, &s));
	list[c->d->n_selections++] = s;
	return 0;
}

static int add_selections(struct ent_decide *c, const struct ent_block *b, const struct ent_expr *filter, const char *group, const uint32_t *order)
{
	struct ent_policy_selection s = { .group = group, .group_order = order };
	ENT_TRY(rows_text(c, b, filter, &s.rows));
	for (size_t i = 0; i < c->n_bases; i++)
		if ((b->tables >> i & 1) && c->d->tables[i].protect)
			ENT_TRY(add_selection(c, b, i, filter, s));
	return 0;
}

/* Was this condition (by value) met at an earlier aggregate of the block? Aggregates then share one node, so that joint counts it once. */
static bool share_condition(struct ent_decide *c, size_t at, size_t condition)
{
	struct ent_decision_agg *a = &c->d->aggs[at];
	for (size_t i = 0; i < at; i++) {
		const struct ent_decision_agg *e = &c->d->aggs[i];
		for (size_t j = 0; e->block == a->block && j < e->n_conditions; j++) {
			if (ent_expr_eq(e->conditions[j], a->conditions[condition])) {
				a->conditions[condition] = e->conditions[j];
				return true;
			}
		}
	}
	return false;
}

/* Shared nodes first, then one selection per condition: aggregates under it are found by the node. */
static int filtered_selections(struct ent_decide *c, const struct ent_block *top, const char *group, const uint32_t *order)
{
	size_t n = 0, room = 0;
	const struct ent_expr **own = NULL;
	for (size_t i = 0; i < c->d->n_aggs; i++) {
		const struct ent_decision_agg *a = &c->d->aggs[i];
		for (size_t j = 0; a->block == top->query && j < a->n_conditions; j++) {
			if (share_condition(c, i, j))
				continue;
			own = ent_decide_more(c, (void *)(uintptr_t)own, n, &room, sizeof *own);
			if (!own)
				return ent_nomem(c->err);
			own[n++] = a->conditions[j];
		}
	}
	for (size_t i = 0; i < n; i++)
		ENT_TRY(add_selections(c, top, own[i], group, order));
	return 0;
}

/* The top block: only its results are opened. */
static int fill_selections(struct ent_decide *c)
{
	const struct ent_block *top = &c->blocks[c->n_blocks - 1];
	const char *group = NULL;
	const uint32_t *order = NULL;
	ENT_TRY(group_text(c, top, &group, &order));
	ENT_TRY(add_selections(c, top, NULL, group, order));
	return filtered_selections(c, top, group, order);
}

/* --- comparisons --- */

static bool common_column(const struct ent_policy_selection *a, const struct ent_policy_selection *b)
{
	for (size_t i = 0; i < a->n_columns; i++)
		for (size_t j = 0; j < b->n_columns; j++)
			if (!strcmp(a->columns[i], b->columns[j]))
				return true;
	return false;
}

static bool related(const struct ent_policy_selection *a, const struct ent_policy_selection *b)
{
	return !strcmp(a->org, b->org) && !strcmp(a->table, b->table) && (common_column(a, b) || (a->counts && b->counts));
}

static int add_guard(struct ent_decide *c, struct ent_decision_guard g)
{
	struct ent_decision_guard *list = ent_decide_more(c, c->d->guards, c->d->n_guards, &c->guards_room, sizeof *list);
	if (!list)
		return ent_nomem(c->err);
	c->d->guards = list;
	list[c->d->n_guards++] = g;
	return 0;
}

static bool same_trio(const char *const a[3], const char *const b[3])
{
	for (int i = 0; i < 3; i++) {
		bool found = false;
		for (int j = 0; j < 3; j++)
			found |= a[i] && b[j] ? !strcmp(a[i], b[j]) : a[i] == b[j];
		if (!found)
			return false;
	}
	return true;
}

/* Equal groups under two names: `a` and `a + 0`, or two widths of a band. Their labels do not meet, so their cells cannot be compared. */
static bool groups_alike(const struct ent_policy_selection *a, const struct ent_policy_selection *b)
{
	return *a->group && *b->group && strcmp(a->group, b->group) != 0 && !strcmp(a->by, b->by);
}

static int refuse_never(struct ent_decide *c, const struct ent_policy_selection *s, const struct ent_policy_job *job, bool units)
{
	size_t at = 0;
	while (strcmp(c->bases[at].table->org, s->org) != 0 || strcmp(c->bases[at].table->name, s->table) != 0)
		at++;
	struct ent_decision_line l = { .table = c->bases[at].table, .use = ENT_USE_COUNT, .rule = "", .k = s->k };
	l.what = ent_arena_printf(c->arena, "this question and the earlier one %s together could single out few rows of %s.%s", job ? job->id : "",
				  s->org, s->table);
	l.why = units ? "one counts its rows, the other groups of a subquery over it, and such counts cannot be compared"
		      : "both group by the same columns, written in two ways, over different rows: their cells cannot be compared";
	l.next = units ? "ask with the same subquery as before, or with the same tables, joins and WHERE"
		       : "write GROUP BY as in the earlier question, or ask with the same tables, joins and WHERE";
	return l.what ? ent_decide_refuse(c, l) : ent_nomem(c->err);
}

static int compare(struct ent_decide *c, const struct ent_policy_job *job, size_t at, size_t other)
{
	const struct ent_policy_selection *a = &c->d->selections[at], *b = job ? &job->selections[other] : &c->d->selections[other];
	struct ent_decision_guard g = { .selection = (uint32_t)at, .other = (uint32_t)other, .k = a->k > b->k ? a->k : b->k };
	bool same_group = !strcmp(a->group, b->group);
	if (job) {
		g.job = job->id;
		g.at_owner = !job->trio[0] && !c->in->trio[0];
		g.other_trio = !same_trio(c->in->trio, job->trio);
	}
	if (!strcmp(a->rows, b->rows)) {
		g.kind = ENT_GUARD_DROPPED;
		return same_group || !*a->group || !*b->group ? 0 : add_guard(c, g);
	}
	bool units = strcmp(a->unit, b->unit) != 0;
	if (units || groups_alike(a, b)) {
		g.kind = ENT_GUARD_NEVER;
		ENT_TRY(refuse_never(c, a, job, units));
		return add_guard(c, g);
	}
	g.kind = ENT_GUARD_TOTAL;
	if (job)
		ENT_TRY(add_guard(c, g));
	g.kind = ENT_GUARD_CELLS;
	return !job || (same_group && *a->group) ? add_guard(c, g) : 0;
}

/* Within the job: filtered aggregates against each other, cell by cell (without GROUP BY there is one). Against the block's own selection rule 4
 * is exact: condition and complement. */
static int compare_within(struct ent_decide *c, size_t at)
{
	for (size_t i = 0; c->d->selections[at].filter && i < at; i++)
		if (c->d->selections[i].filter && related(&c->d->selections[at], &c->d->selections[i]))
			ENT_TRY(compare(c, NULL, at, i));
	return 0;
}

/* Over the same rows a filtered aggregate and the unfiltered ones are held apart by rule 4: what they differ by is nothing, or k rows and more.
 * The first selection of a job is its block's own. */
static bool held_by_rule_4(const struct ent_decide *c, const struct ent_policy_job *job, size_t at, size_t other)
{
	const char *rows = c->d->selections[0].rows;
	bool filtered = c->d->selections[at].filter != NULL, other_filtered = strcmp(job->selections[other].rows, job->selections[0].rows) != 0;
	return !strcmp(rows, job->selections[0].rows) && filtered != other_filtered;
}

static int compare_job(struct ent_decide *c, const struct ent_policy_job *job, size_t at)
{
#ifndef ENT_MUTANT_GUARD_FORGETS
	for (size_t i = 0; i < job->n_selections; i++)
		if (!held_by_rule_4(c, job, at, i) && related(&c->d->selections[at], &job->selections[i]))
			ENT_TRY(compare(c, job, at, i));
#else
	(void)c;
	(void)job;
	(void)at;
#endif
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	const struct ent_policy_job *const *x = a, *const *y = b;
	return strcmp((*x)->id, (*y)->id);
}

static int fill_guards(struct ent_decide *c)
{
	size_t n = c->in->n_history;
	const struct ent_policy_job **jobs = ENT_NEWS(c->arena, n + 1, const struct ent_policy_job *);
	if (!jobs)
		return ent_nomem(c->err);
	for (size_t i = 0; i < n; i++)
		jobs[i] = &c->in->history[i];
	if (n)
		qsort(jobs, n, sizeof *jobs, compare_ids);
	for (size_t s = 0; s < c->d->n_selections; s++) {
		for (size_t i = 0; i < n; i++)
			ENT_TRY(compare_job(c, jobs[i], s));
		ENT_TRY(compare_within(c, s));
	}
	return 0;
}

/* Shares of the earlier numbers lie with other parties: the owner of T must approve. */
static void demand_approval(struct ent_decision *d, const char *org)
{
	for (size_t i = 0; i < d->n_approvals; i++)
		if (!strcmp(d->approvals[i].org, org))
			return;
	d->approvals[d->n_approvals++] = (struct ent_decision_approval){ org, 1 };
	d->approvals_max = d->approvals_max ? d->approvals_max : 1;
}

int ent_decide_guard(struct ent_decide *c)
{
	ENT_TRY(fill_selections(c));
	ENT_TRY(fill_guards(c));
	for (size_t i = 0; i < c->d->n_guards; i++)
		if (c->d->guards[i].other_trio)
			demand_approval(c->d, c->d->selections[c->d->guards[i].selection].org);
	return 0;
}
