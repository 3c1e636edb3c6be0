/* What grants give away, in plain words: printed by `grant` and by `grants --check`. */
#include "policy/grant.h"

#define HAS(g, use) (((g)->uses & ENT_USE_BIT(ENT_USE_##use)) != 0)

static const struct ent_column *find(const struct ent_table *t, const char *name)
{
	for (size_t i = 0; t && i < t->n_columns; i++)
		if (!strcmp(t->columns[i].name, name))
			return &t->columns[i];
	return NULL;
}

static bool is_key(const struct ent_table *t, const char *name)
{
	for (size_t i = 0; t && i < t->n_keys; i++)
		if (t->keys[i].n_columns == 1 && !strcmp(t->columns[t->keys[i].columns[0]].name, name))
			return true;
	return false;
}

/* A uniform spread over d labels: how many per hundred fall under k. */
static unsigned hidden_percent(uint64_t rows, uint64_t labels, uint32_t k)
{
	if (!labels || rows / labels >= k)
		return 0;
	unsigned kept = (unsigned)((rows * 100) / (labels * k));
	return kept > 99 ? 1 : 100 - kept;
}

static void warn_group(const struct ent_grant *g, const struct ent_table *t, const char *column, struct ent_buf *out)
{
	const struct ent_column *c = find(t, column);
	if (is_key(t, column)) {
		ent_buf_printf(out, "GROUP on %s.%s, which names single rows: every group is smaller than %u and hidden\n", g->table, column,
			       (unsigned)g->min_group);
		return;
	}
	if (!c || !c->distinct_padded)
		return;
	unsigned hidden = hidden_percent(t->rows_padded, c->distinct_padded, g->min_group);
	if (hidden)
		ent_buf_printf(out, "GROUP on a column with %llu values (%s.%s): about %u %% suppressed\n", (unsigned long long)c->distinct_padded,
			       g->table, column, hidden);
}

static void warn_column(const struct ent_grant *g, const struct ent_table *t, const char *column, struct ent_buf *out)
{
	if (HAS(g, SELECT))
		ent_buf_printf(out, "SELECT shows single values of %s.%s, row by row\n", g->table, column);
	if (HAS(g, COPY))
		ent_buf_printf(out, "COPY hands over %s.%s for good: no later rule can take it back\n", g->table, column);
	if (HAS(g, MIN) || HAS(g, MAX))
		ent_buf_printf(out, "min/max shows single values of %s.%s\n", g->table, column);
	if (HAS(g, AVG))
		ent_buf_printf(out, "avg opens the sum and the count of the non-NULL values of %s.%s\n", g->table, column);
	if (HAS(g, MIXED))
		ent_buf_printf(out, "mixed lets another owner's numbers weigh the rows of %s.%s: chosen weights can single rows out\n", g->table,
			       column);
	if (HAS(g, GROUP))
		warn_group(g, t, column, out);
}

void ent_grant_warn(const struct ent_grant *g, const struct ent_table *t, struct ent_buf *out)
{
	if (g->deny)
		return;
	for (size_t i = 0; i < g->n_columns; i++)
		warn_column(g, t, g->columns[i], out);
	if (g->own_values)
		ent_buf_printf(out, "WITH OWN VALUES: the requester can learn which of his rows match %s\n", g->table);
	if (g->min_group < 5)
		ent_buf_printf(out, "MIN GROUP %u: whoever knows %u of the rows in a group learns about the last one\n", (unsigned)g->min_group,
			       (unsigned)(g->min_group - 1));
	if (g->leak == ENT_LEAK_SIZES)
		ent_buf_str(out, "LEAK sizes: compute parties see how many rows pass a filter\n");
	if (g->leak == ENT_LEAK_MATCH_PATTERN)
		ent_buf_str(out, "LEAK match-pattern: compute parties see which positions match, not what they hold\n");
}

static const struct ent_table *table_of(const struct ent_grant_tables *tables, const char *name)
{
	const struct ent_table *t = NULL;
	if (!tables || !tables->table || tables->table(tables->self, name, &t, NULL))
		return NULL;
	return t;
}

/* Each warning line gets the grant's number in front. */
static void put_numbered(uint64_t index, const struct ent_buf *lines, struct ent_buf *out)
{
	const char *at = ent_buf_text(lines);
	while (*at) {
		size_t n = strcspn(at, "\n");
		ent_buf_printf(out, "%llu: %.*s\n", (unsigned long long)index, (int)n, at);
		at += n + (at[n] == '\n');
	}
}

static bool same_list(const char *const *a, size_t na, const char *const *b, size_t nb)
{
	for (size_t i = 0; i < na && na == nb; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return na == nb;
}

static bool share_column(const struct ent_grant *a, const struct ent_grant *b)
{
	for (size_t i = 0; i < a->n_columns; i++)
		if (ent_grant_has_column(b, a->columns[i]))
			return true;
	return false;
}

static bool meet(const struct ent_grant *a, const struct ent_grant *b)
{
	return !strcmp(a->table, b->table) && (!a->n_orgs || !b->n_orgs || same_list(a->orgs, a->n_orgs, b->orgs, b->n_orgs));
}

static void check_pair(const struct ent_grant_entry *a, const struct ent_grant_entry *b, struct ent_buf *out)
{
	unsigned long long i = a->index, j = b->index;
	const struct ent_grant *g = a->grant, *h = b->grant;
	if (g->deny && !h->deny && (g->uses & h->uses) && share_column(g, h)) {
		ent_buf_printf(out, "%llu: denied by %llu, so it allows nothing on the columns they share\n", j, i);
		return;
	}
	if (g->deny || h->deny || j < i)
		return;
	if ((g->uses & h->uses & ENT_USE_BIT(ENT_USE_JOIN)) && share_column(g, h) && g->own_values != h->own_values)
		ent_buf_printf(out, "%llu and %llu: OWN VALUES holds only where every matching JOIN grant says so, so here it does not\n", i, j);
	if ((g->uses & h->uses) && share_column(g, h) && g->min_group != h->min_group)
		ent_buf_printf(out, "%llu and %llu: both match, the larger MIN GROUP %u counts\n", i, j,
			       (unsigned)(g->min_group > h->min_group ? g->min_group : h->min_group));
	if ((HAS(g, FILTER) || HAS(h, FILTER)) && ((g->uses | h->uses) & ENT_USE_BIT(ENT_USE_COUNT)) && share_column(g, h))
		ent_buf_printf(out, "%llu and %llu: FILTER and count on one column give its whole distribution, %u rows at a time\n", i, j,
			       (unsigned)(g->min_group > h->min_group ? g->min_group : h->min_group));
}

void ent_grants_check(const struct ent_grant_entry *grants, size_t n, const struct ent_grant_tables *tables, struct ent_buf *out)
{
	for (size_t i = 0; i < n; i++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf lines = ENT_BUF(1u << 20);
		ent_grant_warn(grants[i].grant, table_of(tables, grants[i].grant->table), &lines);
		put_numbered(grants[i].index, &lines, out);
	}
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			if (i != j && meet(grants[i].grant, grants[j].grant))
				check_pair(&grants[i], &grants[j], out);
}
