/* Splits: the ring of tokens, cut where nodes' ranges end and then evenly. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "arrow/value.h"
#include "cass.h"

#define TOKENS_MAX 65536
#define SPLITS_MIN 16 /* when nobody knows how many rows there are */
#define SPLITS_MAX 100000

struct ring {
	int64_t *tokens;
	size_t n, nodes;
};
static void ring_deinit(struct ring *r) { free(r->tokens); }
static void call_endp(struct ent_cass_call **c) { ent_cass_end(*c); }

/* A set of texts, each a token. */
static int tokens_take(struct ring *ring, struct ent_bytes set, struct ent_err *err)
{
	struct ent_reader r = ent_reader(set);
	for (uint32_t n = set.len ? ent_read_be32(&r) : 0; n && r.ok; n--) {
		struct ent_bytes text = ent_read(&r, ent_read_be32(&r));
		if (!r.ok || ring->n == TOKENS_MAX)
			break;
		if (ent_int_parse(text, &ring->tokens[ring->n]))
			ring->n++;
	}
	return r.ok ? 0 : ent_fail(err, ENT_EPEER, "the tokens of the ring cannot be read");
}

static int nodes_read(struct ent_source *s, struct ring *ring, const char *sql, struct ent_err *err)
{
	ENT_CLEANUP(call_endp) struct ent_cass_call *c = NULL;
	struct ent_cql_event e;
	struct ent_bytes cell;
	ENT_TRY(ent_cass_run(s, &(struct ent_cass_run){ .text = sql, .what = "the ring cannot be read" }, &c, &e, err));
	for (uint32_t i = 0; e.kind == ENT_CQL_IS_ROWS && i < e.n_rows; i++) {
		ENT_TRY(ent_cql_cell(&e.cells, &cell, err));
		ENT_TRY(tokens_take(ring, cell, err));
		ring->nodes++;
	}
	return 0;
}

static int token_order(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

/* Partitions of the table by the estimate of the node that answers; 0 when it has none yet. */
static int estimate(struct ent_source *s, const struct ent_cass_table *t, uint64_t *ret, struct ent_err *err)
{
	static const char sql[] = "SELECT partitions_count FROM system.size_estimates WHERE keyspace_name = ? AND table_name = ?";
	ENT_CLEANUP(call_endp) struct ent_cass_call *c = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf values = ENT_BUF(1000);
	struct ent_cql_event e;
	struct ent_bytes cell;
	*ret = 0;
	ent_cql_put_text(&values, t->keyspace);
	ent_cql_put_text(&values, t->name);
	struct ent_cass_run run = { .text = sql, .values = ent_buf_bytes(&values), .n_values = 2, .what = "the table's size cannot be read" };
	ENT_TRY(ent_cass_run(s, &run, &c, &e, err));
	for (uint32_t i = 0; e.kind == ENT_CQL_IS_ROWS && i < e.n_rows; i++) {
		ENT_TRY(ent_cql_cell(&e.cells, &cell, err));
		struct ent_reader r = ent_reader(cell);
		if (cell.len == 8)
			*ret += ent_read_be64(&r) & INT64_MAX;
	}
	return 0;
}

struct cut {
	int (*take)(void *arg, const char *split, int64_t rows);
	void *arg;
	size_t pieces; /* of each range between two tokens */
	int64_t rows;
};

static int range_cut(const struct cut *c, int64_t low, int64_t high)
{
	uint64_t width = (uint64_t)high - (uint64_t)low;
	size_t n = width < c->pieces ? 1 : c->pieces;
	for (size_t i = 0; i < n; i++) {
		char split[64];
		int64_t from = (int64_t)((uint64_t)low + width / n * i);
		int64_t to = i + 1 == n ? high : (int64_t)((uint64_t)low + width / n * (i + 1));
		snprintf(split, sizeof split, "token %" PRId64 " %" PRId64, from, to);
		ENT_TRY(c->take(c->arg, split, c->rows));
	}
	return 0;
}

int ent_cass_plan(struct ent_source *s, const char *object, uint64_t rows_per_split, int (*take)(void *arg, const char *split, int64_t rows),
		  void *arg, struct ent_err *err)
{
	ENT_CLEANUP(ring_deinit) struct ring ring = { .tokens = (int64_t *)calloc(TOKENS_MAX, sizeof(int64_t)) };
	struct ent_cass_table *t;
	uint64_t rows = 0;
	if (!ring.tokens)
		return ent_nomem(err);
	ENT_TRY(ent_cass_table_get(s, object, &t, err));
	ENT_TRY(nodes_read(s, &ring, "SELECT tokens FROM system.local", err));
	ENT_TRY(nodes_read(s, &ring, "SELECT tokens FROM system.peers_v2", err));
	ENT_TRY(estimate(s, t, &rows, err));
	qsort(ring.tokens, ring.n, sizeof *ring.tokens, token_order);
	rows *= ring.nodes ? ring.nodes : 1;
	uint64_t want = rows && rows_per_split ? rows / rows_per_split + 1 : SPLITS_MIN;
	want = want < SPLITS_MAX ? want : SPLITS_MAX;
	struct cut cut = { take, arg, (size_t)((want + ring.n) / (ring.n + 1)), -1 };
	int64_t low = INT64_MIN;
	for (size_t i = 0; i < ring.n; i++) {
		if (ring.tokens[i] <= low || ring.tokens[i] == INT64_MAX)
			continue;
		ENT_TRY(range_cut(&cut, low, ring.tokens[i]));
		low = ring.tokens[i];
	}
	return range_cut(&cut, low, INT64_MAX);
}
