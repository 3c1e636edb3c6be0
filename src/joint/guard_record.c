/* See guard_record.h. */
#include "joint/guard_record.h"

#define VERSION 2
#define PUBLIC_MAX ((size_t)1 << 20)

void ent_guard_record_deinit(struct ent_guard_record *c)
{
	ent_bits_deinit(&c->dropped);
	ent_bits_deinit(&c->labels);
	ent_bits_deinit(&c->same);
	for (size_t i = 0; i < ENT_SEEN_MAX; i++) {
		ent_bits_deinit(&c->at[i].total);
		ent_bits_deinit(&c->at[i].counts);
	}
}

/* ---- of this job ---- */

static size_t label_of(const struct ent_joint_plan *p, const struct ent_expr *e)
{
	size_t i = 0;
	while (!ent_expr_eq(p->labels[i].expr, e))
		i++;
	ENT_ASSERT(i < p->n_labels); /* every GROUP BY key is a label */
	return i;
}

/* Value and null plane of every label, the null plane also where it cannot be set. */
int ent_guard_labels(struct ent_run *r, const struct ent_frame *f, struct ent_bits *ret, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	const uint32_t *order = p->in.decision->n_selections ? p->in.decision->selections[0].group_order : NULL;
	const struct ent_bits *parts[2 * ENT_GROUPS_MAX];
	ENT_BITS_AUTO zero = { 0 };
	size_t n = 0;
	ENT_TRY(ent_sx_const(&r->x, f->rows, 1, 0, &zero, err));
	for (size_t k = 0; k < p->query->n_group; k++) {
		size_t i = label_of(p, p->query->group[order ? order[k] : k]);
		bool text = p->labels[i].enc.kind == ENT_ENC_CODE, nulls = ent_frame_has(f, ENT_PART_LABEL_NULL(i));
		parts[n++] = &f->part[text ? ENT_PART_LABEL_CODE(i) : ENT_PART_LABEL(i)];
		parts[n++] = nulls ? &f->part[ENT_PART_LABEL_NULL(i)] : &zero;
	}
	return n ? ent_sx_stack(&r->x, parts, n, ret, err) : 0;
}

static struct ent_bits view(const struct ent_bits *b) { return ent_sx_view(b, 0, b->planes); }

void ent_guard_record_view(const struct ent_run *r, const struct ent_frame *f, const struct ent_bits *labels, struct ent_guard_record *ret)
{
	const struct ent_joint_plan *p = r->p;
	*ret = (struct ent_guard_record){ .grouped = p->query->n_group > 0,
					  .rows = f->rows,
					  .label_planes = labels->planes,
					  .count_bits = p->count_bits,
					  .dropped = view(&r->dropped),
					  .labels = view(labels),
					  .n = p->n_seen };
	for (size_t i = 0; i < p->n_seen; i++) {
		const struct ent_bits *counts = &f->part[ENT_PART_SEEN(i)];
		ret->at[i] = (struct ent_guard_count){ .selection = p->seen[i].selection,
						       .derived = p->seen[i].derived,
						       .total = view(ret->grouped ? &r->totals[i] : counts),
						       .counts = view(counts) };
	}
}

/* ---- to bytes ---- */

static void put_shares(struct ent_buf *b, const struct ent_bits *x)
{
	size_t len = x->planes * ent_words(x->rows) * 8;
	for (int c = 0; c < 2 && len; c++)
		ent_buf_put(b, x->c[c], len);
}

int ent_guard_record_put(struct ent_run *r, const struct ent_guard_record *c, struct ent_err *err)
{
	struct ent_joint_result *res = r->result;
	ENT_JSON_AUTO counts = json_array();
	ent_buf_init(&res->guard_shares, (size_t)1 << 30);
	ent_buf_init(&res->guard_public, PUBLIC_MAX);
	if (c->grouped)
		put_shares(&res->guard_shares, &c->dropped);
	put_shares(&res->guard_shares, &c->labels);
	for (size_t i = 0; i < c->n; i++) {
		if (json_array_append_new(counts, json_pack("[I,b]", (json_int_t)c->at[i].selection, (int)c->at[i].derived)))
			return ent_nomem(err);
		put_shares(&res->guard_shares, &c->at[i].total);
		put_shares(&res->guard_shares, &c->at[i].counts);
	}
	ENT_JSON_AUTO o = json_pack("{s:I, s:b, s:I, s:I, s:I, s:O, s:I}", "attempt", (json_int_t)r->env->attempt, "grouped", (int)c->grouped, "rows",
				    (json_int_t)c->rows, "label_planes", (json_int_t)c->label_planes, "count_bits", (json_int_t)c->count_bits,
				    "counts", counts, "version", (json_int_t)VERSION);
	if (!o)
		return ent_nomem(err);
	ENT_TRY(ent_json_canonical(o, &res->guard_public, err));
	return ent_buf_check(&res->guard_shares, err);
}

/* ---- from bytes ---- */

static int damaged(struct ent_err *err) { return ent_fail(err, ENT_EDATA, "the record of an earlier job is damaged"); }

static int get_shares(struct ent_run *r, struct ent_reader *in, size_t rows, unsigned planes, struct ent_bits *ret, struct ent_err *err)
{
	size_t len = planes * ent_words(rows) * 8;
	struct ent_bytes a = ent_read(in, len), b = ent_read(in, len);
	if (!in->ok)
		return damaged(err);
	if (!planes || !rows)
		return 0;
	ENT_TRY(ent_bits_new(r->mpc, rows, planes, ret, err));
	memcpy(ret->c[0], a.data, len);
	memcpy(ret->c[1], b.data, len);
	return 0;
}

static int get_counts(struct ent_run *r, struct ent_guard_record *c, struct ent_reader *in, const json_t *counts, struct ent_err *err)
{
	for (size_t i = 0; i < json_array_size(counts); i++) {
		const json_t *pair = json_array_get(counts, i), *selection = json_array_get(pair, 0), *derived = json_array_get(pair, 1);
		if (i == ENT_SEEN_MAX || !json_is_integer(selection) || !json_is_boolean(derived) || json_integer_value(selection) < 0)
			return damaged(err);
		c->at[i].selection = (uint32_t)json_integer_value(selection);
		c->at[i].derived = json_is_true(derived);
		c->n = i + 1;
		ENT_TRY(get_shares(r, in, 1, c->count_bits, &c->at[i].total, err));
		ENT_TRY(get_shares(r, in, c->rows, c->count_bits, &c->at[i].counts, err));
	}
	return ent_reader_left(in) ? damaged(err) : 0;
}

int ent_guard_record_get(struct ent_run *r, const struct ent_joint_guard_blob *blob, struct ent_guard_record *ret, struct ent_err *err)
{
	json_t *counts;
	int64_t rows, planes, bits, version;
	ENT_JSON_AUTO o = NULL;
	struct ent_reader in = ent_reader(blob->shares);
	ret->job = blob->job;
	ENT_TRY(ent_json_parse_canonical(blob->public_json, PUBLIC_MAX, &o, err));
	ENT_TRY(ent_json_int(o, "version", VERSION, VERSION, &version, err));
	ENT_TRY(ent_json_bool(o, "grouped", &ret->grouped, err));
	ENT_TRY(ent_json_int(o, "rows", 1, (int64_t)1 << 31, &rows, err));
	ENT_TRY(ent_json_int(o, "label_planes", 0, 4096, &planes, err));
	ENT_TRY(ent_json_int(o, "count_bits", 1, 62, &bits, err));
	ENT_TRY(ent_json_array(o, "counts", &counts, err));
	ret->rows = (size_t)rows;
	ret->label_planes = (unsigned)planes;
	ret->count_bits = (unsigned)bits;
	if (ret->grouped)
		ENT_TRY(get_shares(r, &in, 1, 1, &ret->dropped, err));
	ENT_TRY(get_shares(r, &in, ret->rows, ret->label_planes, &ret->labels, err));
	return get_counts(r, ret, &in, counts, err);
}
