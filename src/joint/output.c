/* The one way out: label keys of released rows, one opening to the requester, decoding there. */
#include <math.h>
#include <stdlib.h>

#include "crypto/hash.h"
#include "joint/internal.h"
#include "joint/label.h"

static const struct ent_why result_rows = { "result rows, to the requester", ENT_PERMIT_RESULT };

static void free_words(uint64_t **p) { free(*p); }

unsigned ent_joint_open_planes(const struct ent_joint_plan *p)
{
	unsigned planes = 0;
	for (size_t i = 0; i < p->open->n; i++)
		planes += p->open->planes[i];
	return planes;
}

/* ---- label tables ---- */

size_t ent_joint_table_rows(const struct ent_joint_plan *p, const struct ent_jsource *s, size_t leaf)
{
	const struct ent_leaf *l = &p->leaves[leaf];
	if (l->rel != s->rel || l->enc.kind != ENT_ENC_CODE)
		return 0;
	return ent_joint_source_distinct(s, l->exprs[0]);
}

size_t ent_joint_sealed_bytes(const struct ent_joint_plan *p, const struct ent_jsource *s)
{
	size_t rows = 0;
	for (size_t i = 0; i < p->n_leaves; i++)
		rows += ent_joint_table_rows(p, s, i);
	return rows * ENT_LABEL_ROW;
}

int ent_joint_labels_send(struct ent_run *r, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	struct ent_link *link;
	for (size_t i = 0; i < p->n_sources; i++) {
		const struct ent_buf *sealed = &r->locals[i].sealed;
		if (strcmp(p->sources[i].table->org, r->env->org) != 0 || !sealed->len || !strcmp(p->in.requester, r->env->org))
			continue;
		ENT_TRY(r->env->link(r->env->self, p->in.requester, "labels", &link, err));
		ENT_TRY(link->ops->send(link, sealed->data, sealed->len, err));
	}
	return 0;
}

int ent_joint_labels_receive(struct ent_run *r, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	struct ent_link *link;
	for (size_t i = 0; i < p->n_sources; i++) {
		size_t len = ent_joint_sealed_bytes(p, &p->sources[i]);
		if (!strcmp(p->sources[i].table->org, r->env->org) || !len)
			continue;
		ent_buf_init(&r->sealed[i], len + 1);
		uint8_t *at = ent_buf_space(&r->sealed[i], len);
		if (!at)
			return ent_nomem(err);
		ENT_TRY(r->env->link(r->env->self, p->sources[i].table->org, "labels", &link, err));
		ENT_TRY(link->ops->recv(link, at, len, err));
	}
	return 0;
}

/* ---- opening ---- */

static int look_up_labels(struct ent_run *r, struct ent_frame *f, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	for (size_t i = 0; i < p->n_labels; i++)
		if (p->labels[i].enc.kind == ENT_ENC_CODE)
			ENT_TRY(ent_joint_lookup(r, (size_t)p->labels[i].leaf, f, ENT_PART_LABEL(i), ENT_PART_LABEL_NULL(i), ENT_PART_LABEL(i),
						 ENT_PART_LABEL_CODE(i), err));
	for (size_t i = 0; i < p->n_aggs; i++) {
		struct ent_bits t = { 0 };
		if (p->aggs[i].leaf < 0 || !ent_frame_has(f, ENT_PART_ARG(i)))
			continue;
		ENT_TRY(ent_joint_lookup(r, (size_t)p->aggs[i].leaf, f, ENT_PART_ARG(i), ENT_PART_NONE_EVER, ENT_PART_ARG(i), ENT_PART_TEMP(2), err));
		ent_frame_drop(f, ENT_PART_TEMP(2));
		if (!ent_frame_has(f, ENT_PART_COND(i)))
			continue;
		ENT_TRY(ent_sx_and(&r->x, &f->part[ENT_PART_ARG(i)], &f->part[ENT_PART_COND(i)], &t, err));
		ent_frame_put(f, ENT_PART_ARG(i), &t);
	}
	return 0;
}

/* Hash of our component must be durable before it leaves. */
static int announce(struct ent_run *r, const struct ent_rows *rows, struct ent_err *err)
{
	struct ent_bytes component = ent_bytes(rows->bits.c[0], rows->bits.planes * ent_words(rows->rows) * 8);
	ent_sha256(component.data, component.len, r->result->output_sha256);
	return r->env->before_output ? r->env->before_output(r->env->self, component, err) : 0;
}

int ent_joint_tell_rows(struct ent_run *r, uint64_t rows, struct ent_link **ret, struct ent_err *err)
{
	uint8_t count[8];
	struct ent_buf b = ENT_BUF(8);
	ent_buf_be64(&b, rows);
	memcpy(count, b.data, sizeof count);
	ent_buf_deinit(&b);
	ENT_TRY(r->env->link(r->env->self, r->p->in.requester, "output", ret, err));
	return (*ret)->ops->send(*ret, count, sizeof count, err);
}

static int open_live(struct ent_run *r, const struct ent_rows *rows, int to, struct ent_err *err)
{
	ENT_CLEANUP(free_words) uint64_t *planes = NULL;
	struct ent_opened o = { 0 };
	struct ent_link *link;
	r->result->stats.groups_released = rows->rows;
	if (rows->rows && to != r->party)
		ENT_TRY(announce(r, rows, err));
	if (to < 0) {
		ENT_TRY(ent_joint_tell_rows(r, rows->rows, &link, err));
		return rows->rows ? ent_mpc_open_rows_outside(r->mpc, result_rows, link, rows, err) : 0;
	}
	if (to == r->party && !(planes = ent_alloc(rows->bits.planes * ent_words(rows->rows) + 1, 8)))
		return ent_nomem(err);
	if (rows->rows)
		ENT_TRY(ent_mpc_open_rows_to(r->mpc, result_rows, to, rows, planes, NULL, err));
	if (to != r->party)
		return 0;
	ENT_TRY(ent_joint_decode(r, planes, rows->rows, &o, err));
	return ent_joint_finish(r->arena, r->p, &o, r->result, err);
}

int ent_joint_requester_party(const struct ent_joint_plan *p)
{
	for (int i = 0; i < 3; i++)
		if (!strcmp(p->in.trio[i], p->in.requester))
			return i;
	return -1;
}

int ent_joint_output(struct ent_run *r, struct ent_frame *f, struct ent_err *err)
{
	struct ent_frame_layout l = { .n = 0 };
	ENT_ROWS_AUTO rows = { 0 };
	int to = ent_joint_requester_party(r->p);
	if (f->rows) {
		ENT_TRY(look_up_labels(r, f, err));
		ENT_TRY(ent_joint_guard(r, f, err));
		ent_frame_drop_range(f, 0, ENT_PART_LABEL(0)); /* what only the guard needed */
		ent_frame_drop_range(f, ENT_PART_SEEN(0), ENT_PARTS_MAX);
	}
	if (f->rows) {
		struct ent_rows packed = { 0 };
		ENT_TRY(ent_frame_pack(&r->x, f, NULL, 0, &l, &packed, err));
		rows = packed;
		if (to >= 0)
			ent_cost_open_rows_to(&r->x.cost, to, rows.rows, rows.bits.planes, 0);
		else
			r->x.cost.rounds++; /* bytes to an outsider are not between compute parties */
	}
	if (r->ret_open)
		*r->ret_open = l;
	ENT_TRY(ent_sx_step(&r->x, "mpc", result_rows.what, rows.rows, err, "open released rows to %s", r->p->in.requester));
	return r->x.m ? open_live(r, &rows, to, err) : 0;
}

int ent_joint_receive(struct ent_run *r, struct ent_err *err)
{
	struct ent_link *links[3];
	uint64_t rows = 0;
	struct ent_opened o = { 0 };
	ENT_CLEANUP(free_words) uint64_t *planes = NULL;
	for (int i = 0; i < 3; i++) {
		uint8_t count[8];
		ENT_TRY(r->env->link(r->env->self, r->p->in.trio[i], "output", &links[i], err));
		ENT_TRY(links[i]->ops->recv(links[i], count, sizeof count, err));
		struct ent_reader reader = ent_reader(ent_bytes(count, sizeof count));
		uint64_t n = ent_read_be64(&reader);
		if (n == UINT64_MAX)
			return ent_fail(err, ENT_EDENIED, "the answer would differ too little from that of an earlier job");
		if (n > r->p->rows || (i && n != rows))
			return ent_fail(err, ENT_EPEER, "the compute parties disagree about the number of result rows");
		rows = n;
	}
	if (!(planes = ent_alloc(ent_joint_open_planes(r->p) * ent_words(rows) + 1, 8)))
		return ent_nomem(err);
	if (rows)
		ENT_TRY(ent_outside_receive(links, rows, ent_joint_open_planes(r->p), 0, planes, NULL, err));
	r->result->stats.groups_released = rows;
	ENT_TRY(ent_joint_decode(r, planes, rows, &o, err));
	return ent_joint_finish(r->arena, r->p, &o, r->result, err);
}

/* ---- decoding ---- */

struct decoder {
	struct ent_run *r;
	const uint64_t *planes;
	size_t rows;
	uint64_t *words; /* scratch */
	struct ent_opened *o;
};

static const uint64_t *plane_words(const struct decoder *d, unsigned part, unsigned skip, unsigned *ret_planes)
{
	const struct ent_frame_layout *l = d->r->p->open;
	size_t at = 0;
	for (size_t i = 0; i < l->n; i++) {
		if (l->ids[i] == part) {
			*ret_planes = l->planes[i] - skip;
			return d->planes + (at + skip) * ent_words(d->rows);
		}
		at += l->planes[i];
	}
	*ret_planes = 0;
	return NULL;
}

/* Words of a part; false when it is absent. */
static bool words_of(struct decoder *d, unsigned part, unsigned skip)
{
	unsigned planes;
	const uint64_t *at = plane_words(d, part, skip, &planes);
	if (at)
		ent_planes_to_words(at, d->rows, planes > 64 ? 64 : planes, d->words);
	return at != NULL;
}

static struct ent_cell *cell(const struct decoder *d, size_t row, size_t column) { return &d->o->cells[row * d->o->columns + column]; }

static int64_t extend(uint64_t word, struct ent_enc enc)
{
	if (!enc.sign || enc.bits >= 64)
		return (int64_t)word;
	uint64_t top = (uint64_t)1 << (enc.bits - 1);
	return (int64_t)((word ^ top) - top);
}

static void put_value(struct ent_cell *c, uint64_t word, struct ent_enc enc, bool ordered)
{
	if (enc.kind == ENT_ENC_REAL) {
		c->real = ent_joint_image_real(word);
		return;
	}
	if (ordered && enc.sign)
		word ^= (uint64_t)1 << (enc.bits - 1);
	c->wide = extend(word, enc);
}

static int put_texts(struct decoder *d, unsigned part, size_t column, struct ent_err *err)
{
	struct ent_bytes tables[ENT_SOURCES_MAX];
	size_t n = d->r->p->n_sources;
	for (size_t i = 0; i < n; i++)
		tables[i] = d->r->sealed[i].len ? ent_buf_bytes(&d->r->sealed[i]) : ent_buf_bytes(&d->r->locals[i].sealed);
	uint64_t *keys = ENT_NEWS(d->r->arena, 2 * d->rows + 1, uint64_t);
	if (!keys)
		return ent_nomem(err);
	for (unsigned half = 0; half < 2; half++) {
		words_of(d, part, 64 * half);
		for (size_t i = 0; i < d->rows; i++)
			keys[2 * i + half] = d->words[i];
	}
	for (size_t i = 0; i < d->rows; i++) {
		struct ent_cell *c = cell(d, i, column);
		if (!c->null)
			ENT_TRY(ent_label_open(d->r->arena, tables, n, d->r->env->job_id, (const uint8_t *)&keys[2 * i], &c->text, err));
	}
	return 0;
}

static int put_label(struct decoder *d, size_t i, struct ent_err *err)
{
	const struct ent_jlabel *l = &d->r->p->labels[i];
	bool nulls = words_of(d, ENT_PART_LABEL_NULL(i), 0);
	for (size_t row = 0; row < d->rows; row++)
		cell(d, row, i)->null = nulls && d->words[row];
	if (l->enc.kind == ENT_ENC_CODE)
		return put_texts(d, ENT_PART_LABEL(i), i, err);
	words_of(d, ENT_PART_LABEL(i), 0);
	for (size_t row = 0; row < d->rows; row++) {
		struct ent_cell *c = cell(d, row, i);
		put_value(c, d->words[row], l->enc, true);
		if (ent_type_is_float(l->expr->type) && l->enc.kind == ENT_ENC_INT)
			c->real = (double)c->wide;
	}
	return 0;
}

/* As the SQL printers say it: the sum as a double, divided by the count. */
static double average(ent_i128 sum, uint64_t count, const struct ent_jagg *a)
{
	struct ent_type t = a->expr->args[0]->type;
	if (a->enc.kind == ENT_ENC_FIXED)
		return ldexp((double)sum, -(int)a->enc.fraction) / (double)count;
	long double scale = t.id == ENT_T_DECIMAL ? powl(10, t.scale) : 1;
	return (double)((long double)sum / scale) / (double)count;
}

static void put_sum(const struct ent_jagg *a, struct ent_cell *c, uint64_t word)
{
	c->wide = (int64_t)word;
	if (a->enc.kind == ENT_ENC_FIXED)
		c->real = ldexp((double)(int64_t)word, -(int)a->enc.fraction);
}

static int put_agg(struct decoder *d, size_t i, struct ent_err *err)
{
	const struct ent_jagg *a = &d->r->p->aggs[i];
	enum ent_agg agg = a->expr->agg;
	size_t column = d->r->p->n_labels + i;
	bool oks = words_of(d, ENT_PART_COND(i), 0);
	for (size_t row = 0; row < d->rows; row++)
		cell(d, row, column)->null = oks && !d->words[row];
	if (a->leaf >= 0 && a->enc.kind == ENT_ENC_CODE)
		return put_texts(d, ENT_PART_ARG(i), column, err);
	if (words_of(d, ENT_PART_ARG(i), 0))
		for (size_t row = 0; row < d->rows; row++) {
			if (agg == ENT_AGG_MIN || agg == ENT_AGG_MAX)
				put_value(cell(d, row, column), d->words[row], a->enc, a->enc.kind == ENT_ENC_INT);
			else
				put_sum(a, cell(d, row, column), d->words[row]);
		}
	if (words_of(d, ENT_PART_FLAG(i), 0))
		for (size_t row = 0; row < d->rows; row++) {
			struct ent_cell *c = cell(d, row, column);
			if (agg != ENT_AGG_AVG)
				c->wide = (int64_t)d->words[row];
			else if (!c->null && d->words[row])
				c->real = average(c->wide, d->words[row], a);
		}
	return 0;
}

int ent_joint_decode(struct ent_run *r, const uint64_t *planes, size_t rows, struct ent_opened *ret, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	struct decoder d = { .r = r, .planes = planes, .rows = rows, .o = ret };
	ret->rows = rows;
	ret->columns = p->n_labels + p->n_aggs;
	ret->cells = ENT_NEWS(r->arena, rows * ret->columns + 1, struct ent_cell);
	d.words = ENT_NEWS(r->arena, rows + 64, uint64_t);
	if (!ret->cells || !d.words)
		return ent_nomem(err);
	for (size_t i = 0; i < p->n_labels && rows; i++)
		ENT_TRY(put_label(&d, i, err));
	for (size_t i = 0; i < p->n_aggs && rows; i++)
		ENT_TRY(put_agg(&d, i, err));
	return 0;
}
