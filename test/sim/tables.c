/* Small tables, the questions that can be asked about them, and their true answers by nested loops. */
#include "sim/world.h"

struct table {
	unsigned rows;
	int k[SIM_ROWS_MAX], v[SIM_ROWS_MAX]; /* k is unique */
};

struct sim_tables {
	struct table at[SIM_NODES_MAX];
};

void sim_tables_make(struct sim_world *w)
{
	w->tables = calloc(1, sizeof *w->tables);
	ENT_ASSERT(w->tables);
	for (int i = 0; i < w->n; i++) {
		struct table *t = &w->tables->at[i];
		for (int key = 0; key < 60 && t->rows < SIM_ROWS_MAX; key++)
			if (sim_chance(w, 50)) {
				t->k[t->rows] = key;
				t->v[t->rows++] = (int)sim_draw(w, 100) - 50;
			}
	}
}

void sim_tables_facts(struct sim_world *w, int node, struct ent_probe_facts *ret)
{
	static const struct ent_probe_column columns[] = {
		{ .name = "k", .native = "int", .type = { .id = ENT_T_INT32 }, .has_values = true, .magnitude_bits = 6 },
		{ .name = "v", .native = "int", .type = { .id = ENT_T_INT32 }, .has_values = true, .magnitude_bits = 6 },
	};
	static const uint16_t first[] = { 0 };
	static const struct ent_unique keys[] = { { first, 1 } };
	*ret = (struct ent_probe_facts){
		.rows = w->tables->at[node].rows, .columns = columns, .n_columns = 2, .keys = keys, .n_keys = 1, .version = ""
	};
	memset(ret->rows_sha256, node + 1, sizeof ret->rows_sha256);
}

/* ---- grants ---- */

static const char *const grants[SIM_SLOTS] = {
	"GRANT JOIN ON t(k) TO ANY",
	"GRANT AGGREGATE(count) ON t(k) TO ANY",
	"GRANT AGGREGATE(sum) ON t(v) TO ANY",
	"GRANT AGGREGATE(min) ON t(v) TO ANY FOR audit REQUIRE APPROVAL",
	"GRANT AGGREGATE(max) ON t(v) TO ANY FOR audit USES 2",
	"GRANT FILTER ON t(v) TO ANY",
};

const char *sim_grant_text(int slot) { return grants[slot]; }

/* ---- questions ---- */

static int find_key(const struct table *t, int key)
{
	for (unsigned i = 0; i < t->rows; i++)
		if (t->k[i] == key)
			return (int)i;
	return -1;
}

struct totals {
	int count, sum, min, max;
};

/* Over the rows of y that have a partner in x, and in z when there is one. */
static struct totals join(const struct table *x, const struct table *y, const struct table *z)
{
	struct totals s = { .min = 1000, .max = -1000 };
	for (unsigned i = 0; i < y->rows; i++) {
		if (find_key(x, y->k[i]) < 0 || (z && find_key(z, y->k[i]) < 0))
			continue;
		s.count++;
		s.sum += y->v[i];
		s.min = y->v[i] < s.min ? y->v[i] : s.min;
		s.max = y->v[i] > s.max ? y->v[i] : s.max;
	}
	return s;
}

static int owner(struct sim_world *w)
{
	int i = (int)sim_draw(w, (uint64_t)w->n);
	return w->nodes[i].compute_only ? 0 : i;
}

static int other_owner(struct sim_world *w, int a, int b)
{
	int i;
	do
		i = owner(w);
	while (i == a || i == b);
	return i;
}

static void ask_join(struct sim_world *w, const char *what, struct sim_question *q, int value)
{
	(void)w;
	snprintf(q->rows, sizeof q->rows, "%s\n%d\n", what, value);
}

void sim_question(struct sim_world *w, int requester, struct sim_question *ret)
{
	int x = w->nodes[requester].compute_only || sim_chance(w, 40) ? owner(w) : requester, y = other_owner(w, x, x), z = other_owner(w, x, y);
	const struct table *t = w->tables->at;
	const char *a = w->nodes[x].org, *b = w->nodes[y].org, *c = w->nodes[z].org;
	struct totals two = join(&t[x], &t[y], NULL), three = join(&t[x], &t[y], &t[z]), one = join(&t[y], &t[y], NULL);
	uint64_t kind = sim_draw(w, 100);
	*ret = (struct sim_question){ .purpose = "" };
#define JOIN_TWO " FROM %s.t x JOIN %s.t y ON x.k = y.k"
	if (kind < 35) {
		snprintf(ret->sql, sizeof ret->sql, "SELECT COUNT(*)" JOIN_TWO, a, b);
		ask_join(w, "count", ret, two.count);
	} else if (kind < 60) {
		snprintf(ret->sql, sizeof ret->sql, "SELECT SUM(y.v)" JOIN_TWO, a, b);
		ask_join(w, "sum", ret, two.sum);
	} else if (kind < 70) {
		snprintf(ret->sql, sizeof ret->sql, "SELECT COUNT(*)" JOIN_TWO " JOIN %s.t z ON y.k = z.k", a, b, c);
		ask_join(w, "count", ret, three.count);
	} else if (kind < 80) {
		snprintf(ret->sql, sizeof ret->sql, "SELECT COUNT(*) FROM %s.t y", b);
		ask_join(w, "count", ret, one.count);
	} else if (kind < 93) {
		snprintf(ret->sql, sizeof ret->sql, "SELECT MIN(y.v)" JOIN_TWO, a, b);
		ret->purpose = "audit";
		ask_join(w, "min", ret, two.min);
	} else {
		snprintf(ret->sql, sizeof ret->sql, "SELECT MAX(y.v)" JOIN_TWO, a, b);
		ret->purpose = "audit";
		ask_join(w, "max", ret, two.max);
	}
}
