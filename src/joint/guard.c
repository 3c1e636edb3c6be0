/* The differencing guard (policy.md rule 7): what this job counts is compared, inside MPC, with what earlier jobs of the same requester counted.
 *
 * A record of a job at a compute party: public JSON (selection, GROUP BY, protected tables, sizes) and shares (dropped bit; per table the total
 * and the count of each released group; label codes). Released groups are as many as opened, so the sizes are public already.
 * Other selection: totals closer than k refuse the job, cells with equal labels closer than k are dropped. Same selection under another
 * GROUP BY: refused unless one has none or neither dropped a group. Each comparison opens one bit; dropped cells open by their number.
 * Cells are dropped after the remainder rule has run; they hold k rows or more, so the union of dropped groups stays large enough. */
#include <stdlib.h>

#include "crypto/hash.h"
#include "joint/group.h"

static const struct ent_why compare_bit = { "differencing guard: one bit per comparison", ENT_PERMIT_FIXED };
static const struct ent_why cells_kept = { "differencing guard: number of cells that stay", ENT_PERMIT_FIXED };

/* ---- what is public about a job ---- */

static int hash_query(const struct ent_query *q, uint8_t ret[32], struct ent_err *err)
{
	ENT_JSON_AUTO j = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF((size_t)1 << 22);
	ENT_TRY(ent_query_json(q, &j, err));
	ENT_TRY(ent_json_canonical(j, &b, err));
	ent_sha256(b.data, b.len, ret);
	return 0;
}

static int selection_hex(const struct ent_joint_plan *p, char out[65], struct ent_err *err)
{
	struct ent_query q = *p->query;
	uint8_t digest[32];
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF((size_t)1 << 16);
	q.n_items = q.n_group = q.n_order = 0;
	q.having = NULL;
	q.limit = -1;
	q.offset = 0;
	ENT_TRY(hash_query(&q, digest, err));
	ent_buf_put(&b, digest, sizeof digest);
	for (size_t i = 0; i < p->n_sources; i++) { /* content too: a table that changed is another selection */
		ent_buf_put(&b, p->sources[i].table->facts_sha256, 32);
		ent_buf_be64(&b, p->sources[i].table->version);
	}
	ENT_TRY(ent_buf_check(&b, err));
	ent_sha256(b.data, b.len, digest);
	ent_hex(out, digest, sizeof digest);
	return 0;
}

static const char *base_name(void *arg, uint16_t rel, uint16_t column)
{
	const struct ent_run *run = arg;
	const struct ent_rel *r = &run->p->query->rels[rel];
	const char *name = r->kind == ENT_REL_TABLE ? ent_arena_printf(run->arena, "%s.%s.%u", r->table->org, r->table->name, column)
						    : ent_arena_printf(run->arena, "%u.%u", rel, column);
	return name ? name : "";
}

struct label_key {
	uint8_t sha[32]; /* of the label's text */
	size_t at;
};

static int compare_label_keys(const void *a, const void *b)
{
	const struct label_key *x = a, *y = b;
	int order = memcmp(x->sha, y->sha, sizeof x->sha);
	return order ? order : (x->at > y->at) - (x->at < y->at);
}

/* The GROUP BY in terms of base columns, whatever FROM surrounds it and in whatever order it was written: ret_order says where each label of
 * the common order stands in the plan. */
static int label_sha(struct ent_run *r, const struct ent_expr *e, uint8_t ret[32], struct ent_err *err)
{
	struct ent_printed text = { .n_params = 0 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF((size_t)1 << 22);
	ENT_TRY(ent_sql_print_expr(r->arena, e, ENT_DIALECT_DUCKDB, base_name, r, &text, err));
	ent_buf_put(&b, text.text.data, text.text.len);
	ent_buf_deinit(&text.text);
	for (size_t k = 0; k < text.n_params; k++) {
		const char *value;
		ENT_TRY(ent_sql_param_text(r->arena, text.params[k].value, &value, err));
		ent_buf_printf(&b, "|%s", value ? value : "NULL");
	}
	ENT_TRY(ent_buf_check(&b, err));
	ent_sha256(b.data, b.len, ret);
	return 0;
}

static int grouping_hex(struct ent_run *r, char out[65], size_t ret_order[ENT_LABELS_MAX], struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	struct label_key keys[ENT_LABELS_MAX];
	uint8_t digest[32];
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(32 * ENT_LABELS_MAX + 1);
	for (size_t i = 0; i < p->n_labels; i++) {
		keys[i].at = i;
		ENT_TRY(label_sha(r, p->labels[i].expr, keys[i].sha, err));
	}
	if (p->n_labels)
		qsort(keys, p->n_labels, sizeof *keys, compare_label_keys);
	for (size_t i = 0; i < p->n_labels; i++) {
		ent_buf_put(&b, keys[i].sha, sizeof keys[i].sha);
		ret_order[i] = keys[i].at;
	}
	ENT_TRY(ent_buf_check(&b, err));
	ent_sha256(b.data, b.len, digest);
	ent_hex(out, digest, sizeof digest);
	return 0;
}

struct record { /* an earlier job */
	const char *job, *selection, *grouping;
	bool grouped;
	size_t rows;
	unsigned label_planes, count_bits;
	struct ent_bits dropped, labels;
	struct {
		const char *org, *name;
		struct ent_bits total, counts;
	} tables[ENT_SQL_RELS_MAX];
	size_t n_tables;
	json_t *json;
};

static void record_deinit(struct record *c)
{
	json_decref(c->json);
	ent_bits_deinit(&c->dropped);
	ent_bits_deinit(&c->labels);
	for (size_t i = 0; i < c->n_tables; i++) {
		ent_bits_deinit(&c->tables[i].total);
		ent_bits_deinit(&c->tables[i].counts);
	}
}

/* Value and null plane of every label, the null plane also where it cannot be set, so that equal labels of two jobs have equal planes. */
static int stack_labels(struct ent_run *r, const struct ent_frame *f, const size_t *order, struct ent_bits *ret, struct ent_err *err)
{
	const struct ent_bits *parts[2 * ENT_LABELS_MAX];
	ENT_BITS_AUTO zero = { 0 };
	size_t n = 0;
	ENT_TRY(ent_sx_const(&r->x, f->rows, 1, 0, &zero, err));
	for (size_t k = 0; k < r->p->n_labels; k++) {
		size_t i = order[k];
		bool text = r->p->labels[i].enc.kind == ENT_ENC_CODE, nulls = ent_frame_has(f, ENT_PART_LABEL_NULL(i));
		parts[n++] = &f->part[text ? ENT_PART_LABEL_CODE(i) : ENT_PART_LABEL(i)];
		parts[n++] = nulls ? &f->part[ENT_PART_LABEL_NULL(i)] : &zero;
	}
	return n ? ent_sx_stack(&r->x, parts, n, ret, err) : 0;
}

/* ---- records as bytes ---- */

static void put_shares(struct ent_buf *b, const struct ent_bits *x)
{
	size_t len = x->planes * ent_words(x->rows) * 8;
	for (int c = 0; c < 2 && len; c++)
		ent_buf_put(b, x->c[c], len);
}

static int get_shares(struct ent_run *r, struct ent_reader *in, size_t rows, unsigned planes, struct ent_bits *ret, struct ent_err *err)
{
	size_t len = planes * ent_words(rows) * 8;
	struct ent_bytes a = ent_read(in, len), b = ent_read(in, len);
	if (!in->ok)
		return ent_fail(err, ENT_EDATA, "the record of an earlier job is damaged");
	if (!planes || !rows)
		return 0;
	ENT_TRY(ent_bits_new(r->mpc, rows, planes, ret, err));
	memcpy(ret->c[0], a.data, len);
	memcpy(ret->c[1], b.data, len);
	return 0;
}

static int put_record(struct ent_run *r, const struct ent_frame *f, const struct ent_bits *labels, const char *selection, const char *grouping,
		      struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	struct ent_joint_result *res = r->result;
	ENT_JSON_AUTO tables = json_array();
	ent_buf_init(&res->guard_shares, (size_t)1 << 30);
	ent_buf_init(&res->guard_public, (size_t)1 << 20);
	put_shares(&res->guard_shares, &r->dropped);
	put_shares(&res->guard_shares, labels);
	for (size_t i = 0; i < p->n_rels; i++) {
		const struct ent_table *t = p->sources[p->rels[i].first_source].table;
		if (!p->rels[i].is_protected)
			continue;
		if (json_array_append_new(tables, json_pack("[s,s]", t->org, t->name)))
			return ent_nomem(err);
		put_shares(&res->guard_shares, p->n_labels ? &r->totals[i] : &f->part[ENT_PART_ID(i)]);
		put_shares(&res->guard_shares, &f->part[ENT_PART_ID(i)]);
	}
	ENT_JSON_AUTO o = json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:O, s:I}", "selection", selection, "grouping", grouping, "grouped",
				    (int)(p->n_labels > 0), "rows", (json_int_t)f->rows, "label_planes", (json_int_t)labels->planes, "count_bits",
				    (json_int_t)p->count_bits, "tables", tables, "version", (json_int_t)1);
	if (!o)
		return ent_nomem(err);
	ENT_TRY(ent_json_canonical(o, &res->guard_public, err));
	return ent_buf_check(&res->guard_shares, err);
}

static int get_tables(struct ent_run *r, struct record *c, struct ent_reader *in, const json_t *tables, struct ent_err *err)
{
	for (size_t i = 0; i < json_array_size(tables); i++) {
		const json_t *pair = json_array_get(tables, i);
		if (i == ENT_SQL_RELS_MAX || !json_is_string(json_array_get(pair, 0)) || !json_is_string(json_array_get(pair, 1)))
			return ent_fail(err, ENT_EDATA, "the record of an earlier job is damaged");
		c->tables[i].org = json_string_value(json_array_get(pair, 0));
		c->tables[i].name = json_string_value(json_array_get(pair, 1));
		c->n_tables = i + 1;
		ENT_TRY(get_shares(r, in, 1, c->count_bits, &c->tables[i].total, err));
		ENT_TRY(get_shares(r, in, c->rows, c->count_bits, &c->tables[i].counts, err));
	}
	return ent_reader_left(in) ? ent_fail(err, ENT_EDATA, "the record of an earlier job is damaged") : 0;
}

static int get_record(struct ent_run *r, const struct ent_joint_guard_blob *blob, struct record *c, struct ent_err *err)
{
	json_t *tables;
	int64_t rows, planes, bits, version;
	struct ent_reader in = ent_reader(blob->shares);
	c->job = blob->job;
	ENT_TRY(ent_json_parse_canonical(blob->public_json, (size_t)1 << 20, &c->json, err));
	ENT_TRY(ent_json_int(c->json, "version", 1, 1, &version, err));
	ENT_TRY(ent_json_str(c->json, "selection", &c->selection, err));
	ENT_TRY(ent_json_str(c->json, "grouping", &c->grouping, err));
	ENT_TRY(ent_json_bool(c->json, "grouped", &c->grouped, err));
	ENT_TRY(ent_json_int(c->json, "rows", 1, (int64_t)1 << 31, &rows, err));
	ENT_TRY(ent_json_int(c->json, "label_planes", 0, 4096, &planes, err));
	ENT_TRY(ent_json_int(c->json, "count_bits", 1, 62, &bits, err));
	ENT_TRY(ent_json_array(c->json, "tables", &tables, err));
	c->rows = (size_t)rows;
	c->label_planes = (unsigned)planes;
	c->count_bits = (unsigned)bits;
	if (c->grouped)
		ENT_TRY(get_shares(r, &in, 1, 1, &c->dropped, err));
	ENT_TRY(get_shares(r, &in, c->rows, c->label_planes, &c->labels, err));
	return get_tables(r, c, &in, tables, err);
}

/* ---- comparing ---- */

/* 1 where |a - b| < k; one plane. */
static int close_counts(struct ent_run *r, const struct ent_bits *a, const struct ent_bits *b, uint32_t k, struct ent_bits *ret, struct ent_err *err)
{
	const unsigned bits = 63;
	ENT_RING_AUTO ra = { 0 };
	ENT_RING_AUTO rb = { 0 };
	ENT_BITS_AUTO diff = { 0 };
	ENT_BITS_AUTO low = { 0 };
	ENT_BITS_AUTO high = { 0 };
	ENT_BITS_AUTO above = { 0 };
	ENT_TRY(ent_sx_b2a(&r->x, a, false, &ra, err));
	ENT_TRY(ent_sx_b2a(&r->x, b, false, &rb, err));
	ent_sx_ring_sub_in(&r->x, &ra, &rb);
	ENT_TRY(ent_sx_a2b(&r->x, &ra, bits, &diff, err)); /* -k < diff < k */
	ENT_TRY(ent_sx_lt_const(&r->x, &diff, k, true, &low, err));
	ENT_TRY(ent_sx_lt_const(&r->x, &diff, (uint64_t)1 - k, true, &high, err));
	ENT_TRY(ent_sx_not(&r->x, &high, &above, err));
	return ent_sx_and(&r->x, &low, &above, ret, err);
}

static int refuse_close(struct ent_run *r, const char *job, const char *why, struct ent_err *err)
{
	struct ent_link *link;
	if (ent_joint_requester_party(r->p) < 0)
		ENT_TRY(ent_joint_tell_rows(r, UINT64_MAX, &link, err));
	ent_fail(err, ENT_EDENIED, "the answer would differ too little from that of job %s", job);
	ent_why(err, "%s", why);
	return ent_next(err, "ask for a selection that differs by more rows, or the same selection as before");
}

static int open_bit(struct ent_run *r, const struct ent_bits *bit, bool *ret, struct ent_err *err)
{
	uint64_t word = 0;
	ENT_TRY(ent_sx_open_bits(&r->x, compare_bit, bit, &word, err));
	*ret = word & 1;
	return 0;
}

static int table_in(const struct record *c, const struct ent_table *t)
{
	for (size_t i = 0; i < c->n_tables; i++)
		if (!strcmp(c->tables[i].org, t->org) && !strcmp(c->tables[i].name, t->name))
			return (int)i;
	return -1;
}

static int compare_totals(struct ent_run *r, const struct ent_frame *f, const struct record *c, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	bool compared = false;
	for (size_t i = 0; i < p->n_rels; i++) {
		int at = p->rels[i].is_protected ? table_in(c, p->sources[p->rels[i].first_source].table) : -1;
		ENT_BITS_AUTO near = { 0 };
		bool bad;
		if (at < 0)
			continue;
		const struct ent_bits *mine = p->n_labels ? &r->totals[i] : &f->part[ENT_PART_ID(i)];
		ENT_TRY(close_counts(r, mine, &c->tables[at].total, p->rels[i].k, &near, err));
		ENT_TRY(open_bit(r, &near, &bad, err));
		if (bad)
			return refuse_close(r, c->job, "fewer rows than the minimum group lie between the two selections", err);
		compared = true;
	}
	return compared ? 0 : refuse_close(r, c->job, "what the earlier answer left does not count the rows of the same tables", err);
}

static void free_indices(uint32_t **p) { free(*p); }

/* Pairs (i, j), i slow: row i of a repeated, or row j of b tiled. */
static int spread(struct ent_run *r, const struct ent_bits *x, size_t n, size_t m, bool slow, struct ent_bits *ret, struct ent_err *err)
{
	ENT_CLEANUP(free_indices) uint32_t *at = ent_alloc(n * m + 1, sizeof *at);
	if (!at)
		return ent_nomem(err);
	for (size_t i = 0; i < n * m; i++)
		at[i] = (uint32_t)(slow ? i / m : i % m);
	return ent_sx_gather(&r->x, x, at, n * m, ret, err);
}

/* OR over the m pairs of each row. */
static int fold_pairs(struct ent_run *r, struct ent_bits *pairs, size_t n, size_t m, struct ent_bits *ret, struct ent_err *err)
{
	ENT_CLEANUP(free_indices) uint32_t *at = ent_alloc(n + 1, sizeof *at);
	uint64_t *stops = ENT_NEWS(r->arena, ent_words(n * m) + 1, uint64_t);
	ENT_BITS_AUTO stop = { 0 };
	if (!at || !stops)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++) {
		stops[i * m / 64] |= (uint64_t)1 << (i * m % 64);
		at[i] = (uint32_t)(i * m + m - 1);
	}
	ENT_TRY(ent_sx_const(&r->x, n * m, 1, 0, &stop, err));
	ent_bits_xor_public(r->mpc, &stop, stops);
	ENT_TRY(ent_sx_run_or(&r->x, &stop, pairs, err));
	return ent_sx_gather(&r->x, pairs, at, n, ret, err);
}

static int compare_pairs(struct ent_run *r, const struct ent_frame *f, const struct ent_bits *same, const struct record *c, size_t rel,
			 struct ent_bits *ret, struct ent_err *err)
{
	int at = table_in(c, r->p->sources[r->p->rels[rel].first_source].table);
	size_t n = f->rows, m = c->rows;
	ENT_BITS_AUTO a = { 0 };
	ENT_BITS_AUTO b = { 0 };
	ENT_BITS_AUTO near = { 0 };
	ENT_BITS_AUTO both = { 0 };
	ENT_BITS_AUTO one = { 0 };
	struct ent_bits t = { 0 };
	if (at < 0)
		return 0;
	ENT_TRY(spread(r, &f->part[ENT_PART_ID(rel)], n, m, true, &a, err));
	ENT_TRY(spread(r, &c->tables[at].counts, n, m, false, &b, err));
	ENT_TRY(close_counts(r, &a, &b, r->p->rels[rel].k, &near, err));
	ENT_TRY(ent_sx_and(&r->x, &near, same, &both, err));
	ENT_TRY(fold_pairs(r, &both, n, m, &one, err));
	ENT_TRY(ent_sx_or(&r->x, ret, &one, &t, err));
	ent_bits_deinit(ret);
	*ret = t;
	return 0;
}

static int compare_cells(struct ent_run *r, const struct ent_frame *f, const struct ent_bits *labels, const struct record *c, struct ent_bits *drop,
			 struct ent_err *err)
{
	size_t n = f->rows, m = c->rows;
	ENT_BITS_AUTO a = { 0 };
	ENT_BITS_AUTO b = { 0 };
	ENT_BITS_AUTO same = { 0 };
	if (labels->planes != c->label_planes || n > ((size_t)1 << 24) / m)
		return refuse_close(r, c->job, "the groups of the two jobs cannot be compared: bounds changed in between, or there are too many",
				    err);
	ENT_TRY(spread(r, labels, n, m, true, &a, err));
	ENT_TRY(spread(r, &c->labels, n, m, false, &b, err));
	ENT_TRY(ent_sx_eq(&r->x, &a, &b, &same, err));
	for (size_t rel = 0; rel < r->p->n_rels; rel++)
		if (r->p->rels[rel].is_protected)
			ENT_TRY(compare_pairs(r, f, &same, c, rel, drop, err));
	return 0;
}

static int compare_dropped(struct ent_run *r, const struct record *c, struct ent_err *err)
{
	ENT_BITS_AUTO any = { 0 };
	bool bad;
	if (!r->p->n_labels || !c->grouped)
		return 0;
	ENT_TRY(ent_sx_or(&r->x, &r->dropped, &c->dropped, &any, err));
	ENT_TRY(open_bit(r, &any, &bad, err));
	return bad ? refuse_close(r, c->job, "the same rows under another GROUP BY, and one of the two hides small groups", err) : 0;
}

static int compare_all(struct ent_run *r, const struct ent_frame *f, const struct ent_bits *labels, const char *selection, const char *grouping,
		       struct ent_bits *drop, struct ent_err *err)
{
	for (size_t i = 0; i < r->env->n_guard; i++) {
		ENT_CLEANUP(record_deinit) struct record c = { 0 };
		ENT_TRY(get_record(r, &r->env->guard[i], &c, err));
		bool same = !strcmp(c.selection, selection), grouped_alike = !strcmp(c.grouping, grouping);
		if (same && grouped_alike)
			continue;
		if (same) {
			ENT_TRY(compare_dropped(r, &c, err));
			continue;
		}
		ENT_TRY(compare_totals(r, f, &c, err));
		if (grouped_alike && r->p->n_labels)
			ENT_TRY(compare_cells(r, f, labels, &c, drop, err));
	}
	return 0;
}

static int drop_cells(struct ent_run *r, struct ent_frame *f, struct ent_bits *drop, struct ent_err *err)
{
	struct ent_bits keep = { 0 };
	ENT_TRY(ent_sx_not(&r->x, drop, &keep, err));
	ent_frame_put(f, ENT_KEEP, &keep);
	size_t before = f->rows;
	ENT_TRY(ent_frame_filter(&r->x, f, ENT_KEEP, SIZE_MAX, cells_kept, err));
	if (f->rows == before)
		return 0;
	struct ent_bits yes = { 0 };
	ENT_TRY(ent_sx_const(&r->x, 1, 1, 1, &yes, err));
	ent_bits_deinit(&r->dropped);
	r->dropped = yes;
	return 0;
}

int ent_joint_guard(struct ent_run *r, struct ent_frame *f, struct ent_err *err)
{
	char selection[65], grouping[65];
	size_t order[ENT_LABELS_MAX];
	if (!r->env || !r->p->protects || !r->p->query->aggregate)
		return 0;
	ENT_TRY(selection_hex(r->p, selection, err));
	ENT_TRY(grouping_hex(r, grouping, order, err));
#ifndef ENT_MUTANT_GUARD_SKIPPED
	if (r->env->n_guard) {
		ENT_BITS_AUTO labels = { 0 };
		ENT_BITS_AUTO drop = { 0 };
		ENT_TRY(stack_labels(r, f, order, &labels, err));
		ENT_TRY(ent_sx_const(&r->x, f->rows, 1, 0, &drop, err));
		ENT_TRY(compare_all(r, f, &labels, selection, grouping, &drop, err));
		if (r->p->n_labels)
			ENT_TRY(drop_cells(r, f, &drop, err));
	}
#endif
	ENT_BITS_AUTO labels = { 0 };
	if (!f->rows)
		return 0;
	ENT_TRY(stack_labels(r, f, order, &labels, err));
	return put_record(r, f, &labels, selection, grouping, err);
}
