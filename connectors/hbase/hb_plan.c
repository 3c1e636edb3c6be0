/* Splits: the regions of a table, each cut evenly between its first and its last key. The cuts are any keys, so no row needs to stand there. */
#include <stdio.h>
#include <stdlib.h>

#include "hb.h"

#define BOUND_BYTES 60 /* of a cut: splits are short texts */
#define REGIONS_MAX 4096
#define PIECES 16      /* of a table of few regions */
#define COUNT_MAX 2000 /* rows that are counted rather than cut */

struct bound {
	uint8_t key[64];
	size_t len;
};
struct bounds { /* ascending; the first is the open start */
	struct bound *all;
	size_t n;
};
static void bounds_deinit(struct bounds *b) { free(b->all); }

static struct ent_bytes bound_bytes(const struct bound *b) { return ent_bytes(b->key, b->len); }

static int bound_order(const void *a, const void *b)
{
	const struct bound *x = (const struct bound *)a, *y = (const struct bound *)b;
	size_t n = x->len < y->len ? x->len : y->len;
	int d = memcmp(x->key, y->key, n);
	return d ? d : (x->len > y->len) - (x->len < y->len);
}

static int region_take(void *arg, struct ent_bytes start, struct ent_err *err)
{
	struct bounds *b = (struct bounds *)arg;
	(void)err;
	if (b->n == REGIONS_MAX || !start.len) /* those beyond are read with the one before */
		return 0;
	struct bound *to = &b->all[b->n++];
	to->len = start.len < BOUND_BYTES ? start.len : BOUND_BYTES;
	memcpy(to->key, start.data, to->len);
	return 0;
}

/* Start keys of the regions, in order and once each, behind the open start. */
static int regions_read(struct ent_source *s, const struct ent_hb_table *t, struct bounds *ret, struct ent_err *err)
{
	struct ent_hb_answer a;
	size_t n = 1;
	ret->all = (struct bound *)calloc(REGIONS_MAX + 1, sizeof *ret->all);
	if (!ret->all)
		return ent_nomem(err);
	ent_thrift_put_binary(ent_hb_ask(s, "getAllRegionLocations"), 1, ent_hb_full(t));
	ENT_TRY(ent_hb_call(s, "the table's regions cannot be listed", &a, err));
	ret->n = 1;
	ENT_TRY(ent_hb_answer_regions(&a, region_take, ret, err));
	qsort(ret->all, ret->n, sizeof *ret->all, bound_order);
	for (size_t i = 1; i < ret->n; i++)
		if (bound_order(&ret->all[i], &ret->all[n - 1]) != 0)
			ret->all[n++] = ret->all[i];
	ret->n = n;
	return 0;
}

struct cut {
	struct ent_source *s;
	const struct ent_hb_table *t;
	int (*take)(void *arg, const char *split, int64_t rows);
	void *arg;
	uint64_t rows_per_split;
	unsigned pieces;
};

static int split_give(const struct cut *c, struct ent_bytes low, struct ent_bytes high, int64_t rows)
{
	char split[300], a[130] = "-", b[130] = "-";
	if (low.len)
		ent_hex(a, low.data, low.len);
	if (high.len)
		ent_hex(b, high.data, high.len);
	snprintf(split, sizeof split, "rows %s %s", a, b);
	return c->take(c->arg, split, rows);
}

/* Rows of [low, high) when they are few, else -1; first: the first one's key. */
static int region_count(const struct cut *c, struct ent_bytes low, struct ent_bytes high, int64_t *ret, struct bound *ret_first, struct ent_err *err)
{
	int32_t most = c->rows_per_split < COUNT_MAX ? (int32_t)c->rows_per_split : COUNT_MAX;
	struct ent_hb_scan_spec spec = {
		.start = low, .stop = high, .page = most + 1, .limit = most + 1, .filter = "FirstKeyOnlyFilter() AND KeyOnlyFilter()"
	};
	struct ent_hb_rows rows;
	struct ent_hb_row row = { 0 };
	ENT_TRY(ent_hb_scan_some(c->s, c->t->full, &spec, most + 1, "the table cannot be read", &rows, err));
	*ret = rows.n > (uint32_t)most ? -1 : (int64_t)rows.n;
	if (rows.n)
		ENT_TRY(ent_hb_row_next(&rows, &row, err));
	ret_first->len = row.key.len < BOUND_BYTES ? row.key.len : BOUND_BYTES;
	memcpy(ret_first->key, row.key.data ? row.key.data : (const uint8_t *)"", ret_first->len);
	return 0;
}

/* The last key before high, by a scan that goes backwards. */
static int region_last(const struct cut *c, struct ent_bytes high, struct bound *ret, struct ent_err *err)
{
	struct ent_hb_scan_spec spec = {
		.start = high, .page = 2, .limit = 2, .reversed = true, .filter = "FirstKeyOnlyFilter() AND KeyOnlyFilter()"
	};
	struct ent_hb_rows rows;
	struct ent_hb_row row = { 0 };
	ENT_TRY(ent_hb_scan_some(c->s, c->t->full, &spec, 1, "the table cannot be read", &rows, err));
	if (rows.n)
		ENT_TRY(ent_hb_row_next(&rows, &row, err));
	ret->len = row.key.len < BOUND_BYTES ? row.key.len : BOUND_BYTES;
	memcpy(ret->key, row.key.data ? row.key.data : (const uint8_t *)"", ret->len);
	return 0;
}

static int region_cut(const struct cut *c, struct ent_bytes low, struct ent_bytes high, struct ent_err *err)
{
	struct bound first, last, at = { .len = low.len }, end = { .len = high.len };
	int64_t rows;
	ENT_TRY(region_count(c, low, high, &rows, &first, err));
	if (rows >= 0)
		return split_give(c, low, high, rows);
	ENT_TRY(region_last(c, high, &last, err));
	memcpy(at.key, low.data ? low.data : (const uint8_t *)"", low.len);
	memcpy(end.key, high.data ? high.data : (const uint8_t *)"", high.len);
	for (unsigned i = 1; i < c->pieces; i++) {
		struct bound next;
		next.len = ent_hb_key_between(bound_bytes(&first), bound_bytes(&last), i, c->pieces, next.key);
		if (bound_order(&next, &at) <= 0 || (end.len && bound_order(&next, &end) >= 0))
			continue;
		ENT_TRY(split_give(c, bound_bytes(&at), bound_bytes(&next), -1));
		at = next;
	}
	return split_give(c, bound_bytes(&at), high, -1);
}

int ent_hb_plan(struct ent_source *s, const char *object, uint64_t rows_per_split, int (*take)(void *arg, const char *split, int64_t rows), void *arg,
		struct ent_err *err)
{
	ENT_CLEANUP(bounds_deinit) struct bounds regions = { 0 };
	struct ent_hb_table *t;
	if (s->busy)
		return ent_fail(err, ENT_EINTERNAL, "a stream of this source is still open");
	ENT_TRY(ent_hb_table_get(s, object, &t, err));
	ENT_TRY(regions_read(s, t, &regions, err));
	struct cut c = { s, t, take, arg, rows_per_split ? rows_per_split : 1, regions.n < PIECES ? PIECES / (unsigned)regions.n : 1 };
	for (size_t i = 0; i < regions.n; i++) {
		struct ent_bytes high = i + 1 < regions.n ? bound_bytes(&regions.all[i + 1]) : ent_bytes(NULL, 0);
		ENT_TRY(region_cut(&c, bound_bytes(&regions.all[i]), high, err));
	}
	return 0;
}
