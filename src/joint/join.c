/* Rows enter, and the PK-FK join: concatenate (unique side first), sort by (key, side), copy the unique side's columns down within equal keys,
 * drop its rows. Leak none: every size is public beforehand, the sort's outcomes are those of a random order. */
#include "crypto/hash.h"
#include "joint/internal.h"

#define KEY(i) ENT_PART_TEMP(i)
#define NOJOIN ENT_PART_TEMP(16)
#define SIDE ENT_PART_TEMP(17)
#define PARTNER ENT_PART_TEMP(18)
#define SAME ENT_PART_TEMP(19) /* as the row above, by key */
#define LONE ENT_PART_TEMP(20) /* of the unique side, worth keeping when nothing matches */

static const struct ent_why side_known = { "side of a join, after a shuffle (their number is public)", ENT_PERMIT_RANDOM };

/* ---- input ---- */

static void row_nonce(const struct ent_run *r, size_t source, size_t table, uint8_t ret[16])
{
	uint8_t digest[ENT_SHA256_LEN];
	struct ent_buf b = ENT_BUF(200);
	ent_buf_str(&b, "entente rows");
	ent_buf_put(&b, r->env->job_id, 8);
	ent_buf_be32(&b, r->env->attempt);
	ent_buf_be32(&b, (uint32_t)source);
	ent_buf_be32(&b, (uint32_t)table);
	ent_sha256(b.data, b.len, digest);
	ent_buf_deinit(&b);
	memcpy(ret, digest, 16);
}

/* One object of one source: table 0 = its rows, i+1 = label table of leaf i. */
static int input(struct ent_run *r, size_t source, size_t table, const struct ent_plain *shape, struct ent_rows *ret, struct ent_err *err)
{
	const struct ent_jsource *s = &r->p->sources[source];
	if (s->party >= 0)
		return ent_sx_input(&r->x, s->party, shape, ret, err);
	uint8_t nonce[16] = { 0 };
	struct ent_link *link = NULL;
	if (r->env) {
		row_nonce(r, source, table, nonce);
		ENT_TRY(r->env->link(r->env->self, s->table->org, "rows", &link, err));
	}
	return ent_sx_input_outside(&r->x, link, nonce, shape, ret, err);
}

int ent_joint_send_outside(struct ent_run *r, size_t source, struct ent_link *const links[3], struct ent_err *err)
{
	uint8_t nonce[16];
	const struct ent_local *l = &r->locals[source];
	row_nonce(r, source, 0, nonce);
	ENT_TRY(ent_outside_send(links, r->env->random, nonce, &l->plain, err));
	for (size_t i = 0; i < r->p->n_leaves; i++) {
		if (!l->tables[i].rows)
			continue;
		row_nonce(r, source, i + 1, nonce);
		ENT_TRY(ent_outside_send(links, r->env->random, nonce, &l->tables[i], err));
	}
	return 0;
}

static void unpack_source(const struct ent_joint_plan *p, const struct ent_jsource *s, struct ent_rows *rows, struct ent_frame *ret)
{
	struct ent_frame_layout l = { .n = 0 };
	l.ids[l.n] = ENT_PART_VALID;
	l.planes[l.n++] = 1;
	for (size_t i = 0; i < p->n_leaves; i++) {
		if (p->leaves[i].rel != s->rel)
			continue;
		l.ids[l.n] = ENT_PART_VALUE(i);
		l.planes[l.n++] = p->leaves[i].enc.bits;
		if (!p->leaves[i].nullable)
			continue;
		l.ids[l.n] = ENT_PART_NULL(i);
		l.planes[l.n++] = 1;
	}
	ent_frame_unpack(ret, &l, rows);
}

static int load_tables(struct ent_run *r, size_t source, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	const struct ent_jsource *s = &p->sources[source];
	for (size_t i = 0; i < p->n_leaves; i++) {
		struct ent_plain shape = { .rows = ent_joint_table_rows(p, s, i), .planes = p->leaves[i].enc.bits + ENT_LABEL_PLANES };
		ENT_ROWS_AUTO rows = { 0 };
		ENT_FRAME_AUTO f = { 0 };
		if (!shape.rows)
			continue;
		if (r->locals && r->locals[source].tables)
			shape = r->locals[source].tables[i];
		ENT_TRY(input(r, source, i + 1, &shape, &rows, err));
		struct ent_frame_layout l = { .ids = { ENT_PART_TEMP(0), ENT_PART_TEMP(1) },
					      .planes = { p->leaves[i].enc.bits, ENT_LABEL_PLANES },
					      .n = 2 };
		ent_frame_unpack(&f, &l, &rows);
		if (r->label_tables[i].rows) {
			ENT_TRY(ent_frame_append(&r->x, &r->label_tables[i], &f, err));
		} else {
			r->label_tables[i] = f;
			memset(&f, 0, sizeof f);
		}
	}
	return 0;
}

static int load_source(struct ent_run *r, size_t source, struct ent_frame *ret, struct ent_err *err)
{
	const struct ent_joint_plan *p = r->p;
	const struct ent_jsource *s = &p->sources[source];
	struct ent_plain shape = { .rows = s->rows, .planes = ent_joint_source_planes(p, s) };
	ENT_ROWS_AUTO rows = { 0 };
	if (r->locals && r->locals[source].plain.rows)
		shape = r->locals[source].plain;
	ENT_TRY(input(r, source, 0, &shape, &rows, err));
	unpack_source(p, s, &rows, ret);
	if (p->rels[s->rel].mixed) {
		struct ent_bits counts = { 0 };
		ENT_TRY(ent_sx_const(&r->x, s->rows, 1, s->counts, &counts, err));
		ent_frame_put(ret, ENT_PART_COUNTS(s->rel), &counts);
	}
	ENT_TRY(load_tables(r, source, err));
	return ent_sx_step(&r->x, s->table->org, NULL, s->rows, err, "%s.%s: own SQL, %u bit planes shared", s->table->org, s->table->name,
			   shape.planes);
}

int ent_joint_load(struct ent_run *r, uint16_t rel, struct ent_frame *ret, struct ent_err *err)
{
	const struct ent_jrel *j = &r->p->rels[rel];
	ENT_TRY(load_source(r, j->first_source, ret, err));
	for (size_t i = 1; i < j->n_sources; i++) {
		ENT_FRAME_AUTO next = { 0 };
		ENT_TRY(load_source(r, j->first_source + i, &next, err));
		ENT_TRY(ent_frame_append(&r->x, ret, &next, err));
	}
	if (!j->wants_id)
		return 0;
	struct ent_bits id = { 0 };
	ENT_TRY(ent_sx_index(&r->x, j->rows, ent_joint_log2(j->rows), &id, err));
	ent_frame_put(ret, ENT_PART_ID(rel), &id);
	return 0;
}

/* ---- join ---- */

/* Valid rows without a NULL in the key; the others are set apart by a key bit of their own. */
static int joinable(struct ent_run *r, const struct ent_jjoin *j, const struct ent_frame *f, bool left, struct ent_bits *ret, struct ent_err *err)
{
	ENT_BITS_AUTO acc = { 0 };
	ENT_TRY(ent_sx_dup(&r->x, &f->part[ENT_PART_VALID], &acc, err));
	for (size_t k = 0; k < j->n_keys; k++) {
		unsigned null = ENT_PART_NULL(left ? j->keys[k].left : j->keys[k].right);
		if (!ent_frame_has(f, null))
			continue;
		ENT_BITS_AUTO known = { 0 };
		struct ent_bits t = { 0 };
		ENT_TRY(ent_sx_not(&r->x, &f->part[null], &known, err));
		ENT_TRY(ent_sx_and(&r->x, &acc, &known, &t, err));
		ent_bits_deinit(&acc);
		acc = t;
	}
	*ret = ent_bits_take(&acc);
	return 0;
}

/* Columns that nothing after this stage needs. */
static void drop_leaves(struct ent_run *r, struct ent_frame *f, size_t stage)
{
	for (size_t i = 0; i < r->p->n_leaves; i++) {
		if (r->p->leaves[i].until > stage)
			continue;
		ent_frame_drop(f, ENT_PART_VALUE(i));
		ent_frame_drop(f, ENT_PART_NULL(i));
	}
}

static int prepare_side(struct ent_run *r, const struct ent_jjoin *j, struct ent_frame *f, bool left, bool unique, struct ent_err *err)
{
	struct ent_bits side = { 0 }, nojoin = { 0 };
	ENT_BITS_AUTO ok = { 0 };
	for (size_t k = 0; k < j->n_keys; k++) {
		const size_t leaf = left ? j->keys[k].left : j->keys[k].right;
		struct ent_bits key = { 0 };
		ENT_TRY(ent_sx_widen(&r->x, &f->part[ENT_PART_VALUE(leaf)], j->keys[k].bits, r->p->leaves[leaf].enc.sign, &key, err));
		ent_frame_put(f, KEY(k), &key);
	}
	ENT_TRY(joinable(r, j, f, left, &ok, err));
	ENT_TRY(ent_sx_not(&r->x, &ok, &nojoin, err));
	ent_frame_put(f, NOJOIN, &nojoin);
	ENT_TRY(ent_sx_const(&r->x, f->rows, 1, !unique, &side, err));
	ent_frame_put(f, SIDE, &side);
	if (unique && j->left && left)
		ENT_TRY(ent_sx_dup(&r->x, &f->part[ENT_PART_VALID], &f->part[LONE], err));
	if (unique) {
		ent_frame_put(f, PARTNER, &ok);
		ent_frame_drop(f, ENT_PART_VALID);
	}
	drop_leaves(r, f, 2 * (size_t)(j - r->p->joins));
	return 0;
}

struct part_list {
	unsigned ids[ENT_PARTS_MAX];
	size_t n;
};

static void list_copied(const struct ent_frame *one, struct part_list *l)
{
	for (unsigned id = 0; id < ENT_PARTS_MAX; id++) {
		bool key = id == NOJOIN || id == SIDE || id == LONE || (id >= KEY(0) && id < KEY(16));
		if (!key && ent_frame_has(one, id))
			l->ids[l->n++] = id;
	}
}

static size_t key_list(const struct ent_jjoin *j, unsigned *ids)
{
	size_t n = 0;
	ids[n++] = SIDE;
	for (size_t k = 0; k < j->n_keys; k++)
		ids[n++] = KEY(k);
	ids[n++] = NOJOIN;
	return n;
}

static int stack_parts(struct ent_run *r, const struct ent_frame *f, const unsigned *ids, size_t n, struct ent_bits *ret, struct ent_err *err)
{
	const struct ent_bits *parts[ENT_PARTS_MAX];
	for (size_t i = 0; i < n; i++)
		parts[i] = &f->part[ids[i]];
	return ent_sx_stack(&r->x, parts, n, ret, err);
}

static int copy_partner(struct ent_run *r, const struct ent_jjoin *j, struct ent_frame *f, const struct part_list *copied, struct ent_err *err)
{
	unsigned keys[32];
	size_t n_keys = key_list(j, keys);
	ENT_BITS_AUTO key = { 0 };
	ENT_BITS_AUTO same = { 0 };
	ENT_BITS_AUTO stop = { 0 };
	ENT_BITS_AUTO columns = { 0 };
	ENT_TRY(stack_parts(r, f, keys + 1, n_keys - 1, &key, err));
	ENT_TRY(ent_sx_same(&r->x, &key, &same, err));
	if (j->left && j->frame_is_one) { /* rows of the unique side stay as they are, also those that cannot join */
		ENT_BITS_AUTO inner = { 0 };
		ENT_TRY(ent_sx_and(&r->x, &same, &f->part[SIDE], &inner, err));
		ENT_TRY(ent_sx_not(&r->x, &inner, &stop, err));
	} else {
		ENT_TRY(ent_sx_not(&r->x, &same, &stop, err));
	}
	ENT_TRY(stack_parts(r, f, copied->ids, copied->n, &columns, err));
	ENT_TRY(ent_sx_copy_down(&r->x, &stop, &columns, err));
	unsigned at = 0;
	for (size_t i = 0; i < copied->n; i++) {
		struct ent_bits view = ent_sx_view(&columns, at, f->part[copied->ids[i]].planes), own = { 0 };
		at += view.planes;
		ENT_TRY(ent_sx_dup(&r->x, &view, &own, err));
		ent_frame_put(f, copied->ids[i], &own);
	}
	for (size_t i = 1; i < n_keys; i++)
		ent_frame_drop(f, keys[i]);
	if (j->left && j->frame_is_one)
		ent_frame_put(f, SAME, &same);
	return 0;
}

static int and_part(struct ent_run *r, struct ent_frame *f, unsigned part, const struct ent_bits *with, struct ent_err *err)
{
	struct ent_bits t = { 0 };
	ENT_TRY(ent_sx_and(&r->x, &f->part[part], with, &t, err));
	ent_frame_put(f, part, &t);
	return 0;
}

/* Columns of the right side are NULL where `here` is 0 (they are zero there). */
static int null_leaves(struct ent_run *r, const struct ent_jjoin *j, struct ent_frame *f, const struct ent_bits *here, struct ent_err *err)
{
	ENT_BITS_AUTO away = { 0 };
	ENT_TRY(ent_sx_not(&r->x, here, &away, err));
	for (size_t i = 0; i < r->p->n_leaves; i++) {
		struct ent_bits null = { 0 };
		if (r->p->leaves[i].rel != j->rel || !ent_frame_has(f, ENT_PART_VALUE(i)))
			continue;
		if (ent_frame_has(f, ENT_PART_NULL(i)))
			ENT_TRY(ent_sx_xor(&r->x, &f->part[ENT_PART_NULL(i)], &away, &null, err));
		else
			ENT_TRY(ent_sx_dup(&r->x, &away, &null, err));
		ent_frame_put(f, ENT_PART_NULL(i), &null);
	}
	return 0;
}

/* LEFT JOIN: matched rows keep the partner's columns, the others get NULL. */
static int null_out(struct ent_run *r, const struct ent_jjoin *j, struct ent_frame *f, struct ent_err *err)
{
	for (size_t i = 0; i < j->n_on; i++) {
		ENT_VAL_AUTO v = { 0 };
		ENT_TRY(ent_joint_eval(&r->x, r->p, f, j->on[i], (struct ent_want){ ENT_MODE_VALUE, 0 }, &v, err));
		ENT_TRY(and_part(r, f, PARTNER, &v.v, err));
	}
	for (size_t i = 0; i < r->p->n_leaves && j->n_on; i++) {
		if (r->p->leaves[i].rel != j->rel || !ent_frame_has(f, ENT_PART_VALUE(i)))
			continue;
		ENT_TRY(and_part(r, f, ENT_PART_VALUE(i), &f->part[PARTNER], err));
		if (ent_frame_has(f, ENT_PART_NULL(i)))
			ENT_TRY(and_part(r, f, ENT_PART_NULL(i), &f->part[PARTNER], err));
	}
	ENT_TRY(null_leaves(r, j, f, &f->part[PARTNER], err));
	ENT_TRY(and_part(r, f, PARTNER, &f->part[ENT_PART_VALID], err));
	ent_frame_put(f, ENT_PART_MATCHED(j->rel), &f->part[PARTNER]);
	return 0;
}

/* LEFT JOIN with the unique side on the left: its rows stay as well, and count where no row of the other side matched. */
static int keep_lone(struct ent_run *r, const struct ent_jjoin *j, struct ent_frame *f, struct ent_err *err)
{
	ENT_BITS_AUTO first = { 0 };
	ENT_BITS_AUTO last = { 0 };
	ENT_BITS_AUTO any = { 0 };
	ENT_BITS_AUTO none = { 0 };
	ENT_BITS_AUTO lone = { 0 };
	struct ent_bits valid = { 0 }, matched = { 0 };
	for (size_t i = 0; i < j->n_on; i++) {
		ENT_VAL_AUTO v = { 0 };
		ENT_TRY(ent_joint_eval(&r->x, r->p, f, j->on[i], (struct ent_want){ ENT_MODE_VALUE, 0 }, &v, err));
		ENT_TRY(and_part(r, f, PARTNER, &v.v, err));
	}
	ENT_TRY(and_part(r, f, PARTNER, &f->part[ENT_PART_VALID], err)); /* valid rows of the many side only */
	ENT_TRY(ent_sx_not(&r->x, &f->part[SAME], &first, err));
	ENT_TRY(ent_sx_shift_up(&r->x, &first, true, &last, err));
	ENT_BITS_AUTO stop = { 0 };
	ENT_BITS_AUTO up = { 0 };
	ENT_TRY(ent_sx_reverse(&r->x, &last, &stop, err)); /* from the end of each run upwards */
	ENT_TRY(ent_sx_reverse(&r->x, &f->part[PARTNER], &up, err));
	ENT_TRY(ent_sx_run_or(&r->x, &stop, &up, err));
	ENT_TRY(ent_sx_reverse(&r->x, &up, &any, err));
	ENT_TRY(ent_sx_not(&r->x, &any, &none, err));
	ENT_TRY(ent_sx_and(&r->x, &f->part[LONE], &none, &lone, err));
	ENT_TRY(ent_sx_dup(&r->x, &f->part[PARTNER], &matched, err));
	ent_frame_put(f, ENT_PART_MATCHED(j->rel), &matched);
	ENT_TRY(ent_sx_xor(&r->x, &f->part[PARTNER], &lone, &valid, err)); /* never both */
	ent_frame_put(f, ENT_PART_VALID, &valid);
	return null_leaves(r, j, f, &f->part[SIDE], err);
}

int ent_joint_join(struct ent_run *r, const struct ent_jjoin *j, struct ent_frame *frame, struct ent_frame *rel, struct ent_err *err)
{
	struct ent_frame *one = j->frame_is_one ? frame : rel, *many = j->frame_is_one ? rel : frame;
	size_t kept = many->rows, all = one->rows + many->rows;
	struct part_list copied = { .n = 0 };
	unsigned keys[32];
	ENT_TRY(prepare_side(r, j, frame, true, j->frame_is_one, err));
	ENT_TRY(prepare_side(r, j, rel, false, !j->frame_is_one, err));
	list_copied(one, &copied);
	ENT_TRY(ent_frame_append(&r->x, one, many, err)); /* now all rows are in `one` */
	ENT_TRY(ent_frame_sort(&r->x, one, keys, key_list(j, keys), err));
	ENT_TRY(copy_partner(r, j, one, &copied, err));
	bool lone = j->left && j->frame_is_one;
	if (!lone)
		ENT_TRY(ent_frame_filter(&r->x, one, SIDE, kept, side_known, err));
	if (one != frame) {
		ent_frame_deinit(frame);
		*frame = *one;
		memset(one, 0, sizeof *one);
	}
	if (lone)
		ENT_TRY(keep_lone(r, j, frame, err));
	else if (j->left)
		ENT_TRY(null_out(r, j, frame, err));
	else
		ENT_TRY(and_part(r, frame, ENT_PART_VALID, &frame->part[PARTNER], err));
	ent_frame_drop_range(frame, SIDE, LONE + 1);
	drop_leaves(r, frame, 2 * (size_t)(j - r->p->joins) + 1);
	return ent_sx_step(&r->x, "mpc", NULL, all, err, "%s join with %s: sort by key, copy down, drop the unique side", j->left ? "left" : "inner",
			   r->p->query->rels[j->rel].alias);
}

/* ---- label keys ---- */

static int lookup_sorted(struct ent_run *r, struct ent_frame *t, size_t rows, struct ent_err *err)
{
	const unsigned code = ENT_PART_TEMP(0), label = ENT_PART_TEMP(1), keys[2] = { SIDE, code };
	ENT_BITS_AUTO same = { 0 };
	ENT_BITS_AUTO stop = { 0 };
	struct ent_bits own = { 0 };
	ENT_TRY(ent_frame_sort(&r->x, t, keys, 2, err));
	ENT_TRY(ent_sx_same(&r->x, &t->part[code], &same, err));
	ENT_TRY(ent_sx_not(&r->x, &same, &stop, err));
	ENT_TRY(ent_sx_dup(&r->x, &t->part[label], &own, err));
	ent_frame_put(t, label, &own);
	ENT_TRY(ent_sx_copy_down(&r->x, &stop, &t->part[label], err));
	ent_frame_drop(t, code);
	return ent_frame_filter(&r->x, t, SIDE, rows, side_known, err);
}

static int dup_table(struct ent_run *r, size_t leaf, struct ent_frame *ret, struct ent_err *err)
{
	const struct ent_frame *t = &r->label_tables[leaf];
	struct ent_bits side = { 0 };
	ret->rows = t->rows;
	ENT_TRY(ent_sx_dup(&r->x, &t->part[ENT_PART_TEMP(0)], &ret->part[ENT_PART_TEMP(0)], err));
	ENT_TRY(ent_sx_dup(&r->x, &t->part[ENT_PART_TEMP(1)], &ret->part[ENT_PART_TEMP(1)], err));
	ENT_TRY(ent_sx_const(&r->x, t->rows, 1, 0, &side, err));
	ent_frame_put(ret, SIDE, &side);
	return 0;
}

static int split_label(struct ent_run *r, struct ent_frame *f, unsigned null, unsigned key, unsigned hash, struct ent_err *err)
{
	const struct ent_bits *label = &f->part[ENT_PART_TEMP(1)];
	struct ent_bits low = ent_sx_view(label, 0, 128), high = ent_sx_view(label, 128, 64), a = { 0 }, b = { 0 };
	ENT_TRY(ent_sx_dup(&r->x, &low, &a, err));
	ent_frame_put(f, key, &a);
	ENT_TRY(ent_sx_dup(&r->x, &high, &b, err));
	ent_frame_put(f, hash, &b);
	ent_frame_drop(f, ENT_PART_TEMP(1));
	if (!ent_frame_has(f, null))
		return 0;
	ENT_BITS_AUTO known = { 0 };
	ENT_TRY(ent_sx_not(&r->x, &f->part[null], &known, err));
	ENT_TRY(and_part(r, f, hash, &known, err));
	return and_part(r, f, key, &known, err);
}

int ent_joint_lookup(struct ent_run *r, size_t leaf, struct ent_frame *f, unsigned code, unsigned null, unsigned key, unsigned hash,
		     struct ent_err *err)
{
	ENT_FRAME_AUTO table = { 0 };
	struct ent_bits side = { 0 }, own = { 0 };
	size_t rows = f->rows;
	ENT_TRY(dup_table(r, leaf, &table, err));
	ENT_TRY(ent_sx_dup(&r->x, &f->part[code], &own, err));
	ent_frame_drop(f, code);
	ent_frame_put(f, ENT_PART_TEMP(0), &own);
	ENT_TRY(ent_sx_const(&r->x, rows, 1, 1, &side, err));
	ent_frame_put(f, SIDE, &side);
	ENT_TRY(ent_frame_append(&r->x, &table, f, err));
	*f = table;
	memset(&table, 0, sizeof table);
	ENT_TRY(lookup_sorted(r, f, rows, err));
	return split_label(r, f, null, key, hash, err);
}
