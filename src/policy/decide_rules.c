/* Rules 2, 3, 5 and 6: which tables are protected and by which k, the requester's own values, rows without groups, outer joins, remainder. */
#include "policy/decide.h"

#define JOINS (ENT_USE_BIT(ENT_USE_JOIN) | ENT_NEED_EQUAL)

static struct ent_match match_of(const struct ent_decide *c, const struct ent_policy_owner *o, const struct ent_base *b, size_t column,
				 enum ent_use use)
{
	return ent_decide_match(o, c->in, b->table->name, b->table->columns[column].name, ENT_USE_BIT(use));
}

/* Rule 3: unprotected only when every column in the plan carries SELECT (and there is one). */
static bool is_protected(const struct ent_decide *c, const struct ent_policy_owner *o, const struct ent_base *b)
{
	bool any = false;
	for (size_t i = 0; i < b->table->n_columns; i++) {
		if (!b->needs[i])
			continue;
		struct ent_match m = match_of(c, o, b, i, ENT_USE_SELECT);
		if (!m.n || m.deny)
			return true;
		any = true;
	}
	return !any;
}

/* Rule 2: WITH OWN VALUES holds only if every matching JOIN grant on its keys has it. */
static bool has_own_values(const struct ent_decide *c, const struct ent_policy_owner *o, const struct ent_base *b)
{
	bool any = false;
	for (size_t i = 0; i < b->table->n_columns; i++) {
		if (!(b->needs[i] & JOINS))
			continue;
		if (!match_of(c, o, b, i, ENT_USE_JOIN).own_values)
			return false;
		any = true;
	}
	return any;
}

static uint32_t table_k(const struct ent_decision *d, const struct ent_table *t)
{
	uint32_t k = ENT_GRANT_MIN_GROUP_LEAST;
#ifndef ENT_MUTANT_K_IGNORED
	for (size_t i = 0; i < d->n_lines; i++)
		if (d->lines[i].table == t && d->lines[i].k > k)
			k = d->lines[i].k;
#endif
	return k;
}

static int fill_table(struct ent_decide *c, size_t at)
{
	const struct ent_base *b = &c->bases[at];
	struct ent_decision_table *t = &c->d->tables[at];
	t->table = b->table;
	t->own = ent_decide_own(c, at);
	t->owner = t->own ? NULL : ent_decide_owner(c->in, b->table->org);
	t->protect = !t->own && is_protected(c, t->owner, b);
	t->k = t->protect ? table_k(c->d, b->table) : 0;
	t->own_values = !t->own && has_own_values(c, t->owner, b);
	t->columns = ENT_NEWS(c->arena, b->table->n_columns / 64 + 1, uint64_t);
	if (!t->columns)
		return ent_nomem(c->err);
	for (size_t i = 0; i < b->table->n_columns; i++)
		if (b->needs[i])
			t->columns[i / 64] |= 1ull << i % 64;
	return 0;
}

static bool lines_allowed(const struct ent_decision *d, const struct ent_table *t)
{
	for (size_t i = 0; i < d->n_lines; i++)
		if (d->lines[i].table == t && !d->lines[i].allowed)
			return false;
	return true;
}

static const char *first_column_without_select(const struct ent_decide *c, size_t at)
{
	const struct ent_base *b = &c->bases[at];
	for (size_t i = 0; i < b->table->n_columns; i++) {
		struct ent_match m = match_of(c, c->d->tables[at].owner, b, i, ENT_USE_SELECT);
		if (b->needs[i] && (!m.n || m.deny))
			return b->table->columns[i].name;
	}
	return b->table->n_columns ? b->table->columns[0].name : "*";
}

static int refuse_rows(struct ent_decide *c, size_t at)
{
	const struct ent_table *t = c->bases[at].table;
	struct ent_decision_line l = { .table = t, .use = ENT_USE_SELECT, .rule = "" };
	l.column = first_column_without_select(c, at);
	const char *grant = ent_decide_suggest(c, t, ENT_USE_SELECT, l.column, false);
	l.what = ent_arena_printf(c->arena, "rows of %s may not be shown one by one", t->name);
	l.why = ent_arena_printf(c->arena, "%s does not grant SELECT on %s.%s, so its rows only count in groups of %u or more", t->org, t->name,
				 l.column, (unsigned)c->d->tables[at].k);
	l.next = grant ? ent_arena_printf(c->arena, "ask with COUNT, SUM or AVG and GROUP BY, or ask %s for: %s", t->org, grant) : NULL;
	return l.what && l.why && l.next ? ent_decide_refuse(c, l) : ent_nomem(c->err);
}

/* Rule 3: without aggregate and GROUP BY, no protected table takes part. */
static int check_rows(struct ent_decide *c)
{
	const struct ent_block *top = &c->blocks[c->n_blocks - 1];
	if (top->query->aggregate)
		return 0;
	for (size_t i = 0; i < c->n_bases; i++)
		if ((top->bare >> i & 1) && c->d->tables[i].protect && lines_allowed(c->d, c->bases[i].table))
			ENT_TRY(refuse_rows(c, i));
	return 0;
}

/* A column of the requester's own table that is more than a join key; n_columns when there is none. */
static size_t own_value(const struct ent_base *b)
{
	size_t i = 0;
	while (i < b->table->n_columns && !(b->needs[i] & ~JOINS))
		i++;
	return i;
}

static const char *own_values_rule(struct ent_decide *c, size_t at, const char **ret_column)
{
	const struct ent_base *b = &c->bases[at];
	const struct ent_policy_owner *o = c->d->tables[at].owner;
	for (size_t i = 0; i < b->table->n_columns; i++) {
		if (!(b->needs[i] & JOINS))
			continue;
		*ret_column = b->table->columns[i].name;
		for (size_t j = 0; j < o->n_rules; j++) {
			const struct ent_policy_rule *r = &o->rules[j];
			if (!r->grant->deny && !r->grant->own_values &&
			    ent_decide_rule_matches(o, c->in, r, b->table->name, *ret_column, ENT_USE_BIT(ENT_USE_JOIN)))
				return ent_arena_printf(c->arena, "%s/%llu", o->org, (unsigned long long)r->index);
		}
	}
	return NULL;
}

static int refuse_own(struct ent_decide *c, size_t own, size_t column, size_t at)
{
	const struct ent_table *mine = c->bases[own].table, *t = c->bases[at].table;
	const char *key = t->n_columns ? t->columns[0].name : "*", *rule = own_values_rule(c, at, &key);
	const char *grant = ent_decide_suggest(c, t, ENT_USE_JOIN, key, true);
	struct ent_decision_line l = { .table = mine, .column = mine->columns[column].name, .use = ENT_USE_SELECT, .rule = rule ? rule : "" };
	l.what = ent_arena_printf(c->arena, "your own %s.%s may only be a join key beside %s.%s", mine->name, l.column, t->org, t->name);
	l.why = ent_arena_printf(c->arena, "with own values you could learn which of your rows match; %s grants JOIN without OWN VALUES%s%s", t->org,
				 rule ? "    rule " : "", rule ? rule : "");
	if (rule && grant)
		l.next = ent_arena_printf(c->arena, "ask %s to replace %s by: %s", t->org, rule, grant);
	else if (grant)
		l.next = ent_arena_printf(c->arena, "ask %s for: %s", t->org, grant);
	return l.what && l.why && l.next ? ent_decide_refuse(c, l) : ent_nomem(c->err);
}

/* Rule 2: beside a protected table the requester's columns are join keys only, unless its JOIN says WITH OWN VALUES. Tables whose rows never stand
 * in one joined row (branches of a UNION ALL) select nothing of each other. */
static int check_own_values(struct ent_decide *c)
{
#ifdef ENT_MUTANT_OWN_VALUES_FREE
	return 0;
#endif
	for (size_t own = 0; own < c->n_bases; own++) {
		size_t column = own_value(&c->bases[own]);
		if (!c->d->tables[own].own || column == c->bases[own].table->n_columns)
			continue;
		for (size_t i = 0; i < c->n_bases; i++) {
			const struct ent_decision_table *t = &c->d->tables[i];
			if ((c->bases[own].together >> i & 1) && t->protect && !t->own_values && lines_allowed(c->d, t->table))
				ENT_TRY(refuse_own(c, own, column, i));
		}
	}
	return 0;
}

static size_t put_protected(const struct ent_decide *c, uint64_t tables, uint32_t *out)
{
	size_t n = 0;
	for (size_t i = 0; i < c->n_bases; i++)
		if ((tables >> i & 1) && c->d->tables[i].protect)
			out[n++] = (uint32_t)i;
	return n;
}

/* Blocks that group, with the protected tables whose rows they group; rule 6 where there is a GROUP BY. */
static int fill_blocks(struct ent_decide *c)
{
	c->d->blocks = ENT_NEWS(c->arena, c->n_blocks + 1, struct ent_decision_block);
	if (!c->d->blocks)
		return ent_nomem(c->err);
	for (size_t i = 0; i < c->n_blocks; i++) {
		const struct ent_block *b = &c->blocks[i];
		struct ent_decision_block out = { .query = b->query, .top = b->top, .tables = ENT_NEWS(c->arena, c->n_bases + 1, uint32_t) };
		if (!b->query->aggregate)
			continue;
		if (!out.tables)
			return ent_nomem(c->err);
		out.n_tables = put_protected(c, b->bare, out.tables);
		out.remainder = b->query->n_group && out.n_tables;
		c->d->blocks[c->d->n_blocks++] = out;
	}
	return 0;
}

static uint64_t rel_tables(const struct ent_decide *c, const struct ent_rel *r)
{
	uint64_t tables = 0;
	if (r->kind == ENT_REL_TABLE)
		return 1ull << ent_decide_base(c, r->table);
	for (size_t i = 0; i < r->n_branches; i++)
		tables |= ent_decide_block(c, r->branches[i])->tables;
	return tables;
}

/* Does a top-level conjunct keep only rows where the relation is missing? */
static bool keeps_unmatched(const struct ent_query *q, const struct ent_expr *e, size_t rel)
{
	if (!e || e->kind != ENT_X_CALL)
		return false;
	for (size_t i = 0; e->op == ENT_OP_AND && i < e->n_args; i++)
		if (keeps_unmatched(q, e->args[i], rel))
			return true;
	if (e->op != ENT_OP_IS_NULL || e->args[0]->kind != ENT_X_COLUMN || e->args[0]->rel != rel)
		return false;
	for (size_t i = 0; i < q->rels[rel].n_keys; i++)
		if (ent_expr_eq(q->rels[rel].right_keys[i], e->args[0]))
			return true;
	return false;
}

static int add_outer(struct ent_decide *c, const struct ent_query *q, size_t rel)
{
	struct ent_decision_outer o = { .block = q, .rel = rel, .anti = keeps_unmatched(q, q->where, rel) };
	struct ent_decision_outer *list = ent_decide_more(c, c->d->outers, c->d->n_outers, &c->outers_room, sizeof *list);
	o.tables = ENT_NEWS(c->arena, c->n_bases + 1, uint32_t);
	if (!list || !o.tables)
		return ent_nomem(c->err);
	c->d->outers = list;
	o.n_tables = put_protected(c, rel_tables(c, &q->rels[rel]), o.tables);
	for (size_t i = 0; i < o.n_tables; i++)
		o.k = c->d->tables[o.tables[i]].k > o.k ? c->d->tables[o.tables[i]].k : o.k;
	if (o.n_tables)
		list[c->d->n_outers++] = o;
	return 0;
}

static int fill_outers(struct ent_decide *c)
{
	for (size_t i = 0; i < c->n_blocks; i++)
		for (size_t r = 0; r < c->blocks[i].query->n_rels; r++)
			if (c->blocks[i].query->rels[r].join == ENT_JOIN_LEFT)
				ENT_TRY(add_outer(c, c->blocks[i].query, r));
	return 0;
}

int ent_decide_rules(struct ent_decide *c)
{
	c->d->n_tables = c->n_bases;
	c->d->tables = ENT_NEWS(c->arena, c->n_bases + 1, struct ent_decision_table);
	if (!c->d->tables)
		return ent_nomem(c->err);
	for (size_t i = 0; i < c->n_bases; i++)
		ENT_TRY(fill_table(c, i));
	ENT_TRY(check_rows(c));
	ENT_TRY(check_own_values(c));
	ENT_TRY(fill_blocks(c));
	return fill_outers(c);
}
