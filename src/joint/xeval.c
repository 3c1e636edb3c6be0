/* Expressions over several owners' columns, on bit planes. SQL's three-valued logic with one invariant that makes most of it free: a value is zero
 * under NULL, so "true" and "NULL" exclude each other and "false" is local: NOT (true XOR null). */
#include "joint/frame.h"
#include "joint/internal.h"

#define VALUE ((struct ent_want){ ENT_MODE_VALUE, 0 })

void ent_val_deinit(struct ent_val *v)
{
	ent_bits_deinit(&v->v);
	ent_bits_deinit(&v->null);
	memset(v, 0, sizeof *v);
}

static void put(struct ent_bits *at, struct ent_bits *take)
{
	ent_bits_deinit(at);
	*at = ent_bits_take(take);
}

int ent_joint_val_widen(struct ent_sx *x, struct ent_val *v, unsigned bits, struct ent_err *err)
{
	if (v->v.planes >= bits)
		return 0;
	struct ent_bits wide = { 0 };
	ENT_TRY(ent_sx_widen(x, &v->v, bits, v->enc.sign, &wide, err));
	put(&v->v, &wide);
	v->enc.sign = v->enc.sign || v->enc.kind != ENT_ENC_INT;
	v->enc.bits = bits;
	return 0;
}

/* v AND (NOT null), to restore the invariant. */
static int clear_nulls(struct ent_sx *x, struct ent_val *v, struct ent_err *err)
{
	if (!v->null.planes)
		return 0;
	ENT_BITS_AUTO known = { 0 };
	struct ent_bits t = { 0 };
	ENT_TRY(ent_sx_not(x, &v->null, &known, err));
	ENT_TRY(ent_sx_and(x, &v->v, &known, &t, err));
	put(&v->v, &t);
	return 0;
}

static int either_null(struct ent_sx *x, const struct ent_val *a, const struct ent_val *b, struct ent_bits *ret, struct ent_err *err)
{
	if (a->null.planes && b->null.planes)
		return ent_sx_or(x, &a->null, &b->null, ret, err);
	if (a->null.planes)
		return ent_sx_dup(x, &a->null, ret, err);
	return b->null.planes ? ent_sx_dup(x, &b->null, ret, err) : 0;
}

static int eval_const(struct ent_sx *x, size_t rows, const struct ent_expr *e, struct ent_want want, struct ent_val *ret, struct ent_err *err)
{
	ret->enc = ent_joint_enc_const(e, want);
	if (want.mode == ENT_MODE_HASH)
		ret->enc = (struct ent_enc){ .kind = ENT_ENC_HASH, .bits = 64 };
	ENT_TRY(ent_sx_const(x, rows, ret->enc.bits, ent_joint_const_word(e, ret->enc), &ret->v, err));
	return e->is_null ? ent_sx_const(x, rows, 1, 1, &ret->null, err) : 0;
}

static int eval_leaf(const struct ent_joint_plan *p, const struct ent_frame *f, uint16_t rel, const struct ent_expr *e, struct ent_want want,
		     struct ent_val *ret, struct ent_err *err)
{
	enum ent_enc_kind kind = ent_joint_leaf_kind(p, e, want);
	int leaf = ent_joint_leaf_find(p, rel, &e, 1, kind, kind == ENT_ENC_FIXED ? want.fraction : 0);
	if (leaf < 0)
		return ent_fail(err, ENT_EINTERNAL, "a column was not planned for");
	ret->v = ent_frame_view(f, ENT_PART_VALUE(leaf));
	ret->null = ent_frame_view(f, ENT_PART_NULL(leaf));
	ret->enc = p->leaves[leaf].enc;
	return 0;
}

/* ---- logic ---- */

static int eval_not(struct ent_sx *x, struct ent_val *a, struct ent_val *ret, struct ent_err *err)
{
	struct ent_bits t = { 0 };
	ENT_TRY(ent_sx_not(x, &a->v, &t, err));
	if (a->null.planes) {
		ENT_BITS_AUTO n = ent_bits_take(&t);
		ENT_TRY(ent_sx_xor(x, &n, &a->null, &t, err));
		ret->null = a->null;
		a->null = (struct ent_bits){ 0 };
	}
	ret->v = t;
	ret->enc = (struct ent_enc){ .kind = ENT_ENC_INT, .bits = 1 };
	return 0;
}

static int is_false(struct ent_sx *x, const struct ent_val *a, struct ent_bits *ret, struct ent_err *err)
{
	if (!a->null.planes)
		return ent_sx_not(x, &a->v, ret, err);
	ENT_BITS_AUTO t = { 0 };
	ENT_TRY(ent_sx_xor(x, &a->v, &a->null, &t, err));
	return ent_sx_not(x, &t, ret, err);
}

static int and2(struct ent_sx *x, struct ent_val *a, const struct ent_val *b, struct ent_err *err)
{
	struct ent_bits v = { 0 }, null = { 0 };
	if (a->null.planes || b->null.planes) {
		ENT_BITS_AUTO fa = { 0 }, fb = { 0 }, any = { 0 }, known = { 0 };
		ENT_TRY(is_false(x, a, &fa, err));
		ENT_TRY(is_false(x, b, &fb, err));
		ENT_TRY(ent_sx_or(x, &fa, &fb, &any, err));
		ENT_TRY(ent_sx_and(x, &a->v, &b->v, &v, err));
		int code = ent_sx_xor(x, &v, &any, &known, err);
		code = code ? code : ent_sx_not(x, &known, &null, err);
		if (code) {
			ent_bits_deinit(&v);
			return code;
		}
	} else {
		ENT_TRY(ent_sx_and(x, &a->v, &b->v, &v, err));
	}
	put(&a->v, &v);
	put(&a->null, &null);
	return 0;
}

static int eval_and_or(struct ent_sx *x, const struct ent_joint_plan *p, const struct ent_frame *f, const struct ent_expr *e, struct ent_val *ret,
		       struct ent_err *err)
{
	bool is_or = e->op == ENT_OP_OR; /* a OR b = NOT (NOT a AND NOT b), also with NULLs */
	ENT_VAL_AUTO acc = { 0 };
	for (size_t i = 0; i < e->n_args; i++) {
		ENT_VAL_AUTO v = { 0 };
		ENT_VAL_AUTO n = { 0 };
		ENT_TRY(ent_joint_eval(x, p, f, e->args[i], VALUE, &v, err));
		if (is_or)
			ENT_TRY(eval_not(x, &v, &n, err));
		struct ent_val *use = is_or ? &n : &v;
		if (i) {
			ENT_TRY(and2(x, &acc, use, err));
		} else {
			acc = *use;
			*use = (struct ent_val){ 0 };
		}
	}
	if (is_or)
		return eval_not(x, &acc, ret, err);
	*ret = acc;
	acc = (struct ent_val){ 0 };
	return 0;
}

/* ---- comparison ---- */

static bool plain_const(const struct ent_expr *e) { return e->kind == ENT_X_CONST && !e->is_null; }

static int compare_bits(struct ent_sx *x, enum ent_op op, const struct ent_val *a, const struct ent_val *b, const struct ent_expr *be,
			struct ent_bits *ret, struct ent_err *err)
{
	bool sign = a->enc.sign;
	bool constant = be && plain_const(be) && a->v.planes <= 64;
	uint64_t word = constant ? ent_joint_const_word(be, a->enc) : 0;
	switch (op) {
	case ENT_OP_EQ:
	case ENT_OP_NE:
		return constant ? ent_sx_eq_const(x, &a->v, word, ret, err) : ent_sx_eq(x, &a->v, &b->v, ret, err);
	case ENT_OP_LT:
	case ENT_OP_GE:
		return constant ? ent_sx_lt_const(x, &a->v, word, sign, ret, err) : ent_sx_lt(x, &a->v, &b->v, sign, ret, err);
	default: /* > and <= */
		return ent_sx_lt(x, &b->v, &a->v, sign, ret, err);
	}
}

static int compare(struct ent_sx *x, enum ent_op op, struct ent_val *a, struct ent_val *b, const struct ent_expr *be, struct ent_val *ret,
		   struct ent_err *err)
{
	struct ent_enc enc = ent_joint_enc_common(a->enc, b->enc);
	ENT_TRY(ent_joint_val_widen(x, a, enc.bits, err));
	ENT_TRY(ent_joint_val_widen(x, b, enc.bits, err));
	a->enc = b->enc = enc;
	ret->enc = (struct ent_enc){ .kind = ENT_ENC_INT, .bits = 1 };
	ENT_TRY(compare_bits(x, op, a, b, be, &ret->v, err));
	if (op == ENT_OP_NE || op == ENT_OP_LE || op == ENT_OP_GE) {
		struct ent_bits t = { 0 };
		ENT_TRY(ent_sx_not(x, &ret->v, &t, err));
		put(&ret->v, &t);
	}
	ENT_TRY(either_null(x, a, b, &ret->null, err));
	return clear_nulls(x, ret, err);
}

static struct ent_want compare_want(const struct ent_expr *e)
{
	return (struct ent_want){ e->args[0]->type.id == ENT_T_TEXT ? ENT_MODE_HASH : ENT_MODE_VALUE, 0 };
}

static int eval_compare(struct ent_sx *x, const struct ent_joint_plan *p, const struct ent_frame *f, const struct ent_expr *e, struct ent_val *ret,
			struct ent_err *err)
{
	ENT_VAL_AUTO a = { 0 };
	ENT_VAL_AUTO b = { 0 };
	ENT_TRY(ent_joint_eval(x, p, f, e->args[0], compare_want(e), &a, err));
	ENT_TRY(ent_joint_eval(x, p, f, e->args[1], compare_want(e), &b, err));
	return compare(x, e->op, &a, &b, e->args[1], ret, err);
}

static int eval_in(struct ent_sx *x, const struct ent_joint_plan *p, const struct ent_frame *f, const struct ent_expr *e, struct ent_val *ret,
		   struct ent_err *err)
{
	ENT_VAL_AUTO acc = { 0 };
	for (size_t i = 1; i < e->n_args; i++) {
		ENT_VAL_AUTO a = { 0 };
		ENT_VAL_AUTO b = { 0 };
		ENT_VAL_AUTO ne = { 0 };
		ENT_TRY(ent_joint_eval(x, p, f, e->args[0], compare_want(e), &a, err));
		ENT_TRY(ent_joint_eval(x, p, f, e->args[i], compare_want(e), &b, err));
		ENT_TRY(compare(x, ENT_OP_NE, &a, &b, e->args[i], &ne, err));
		if (i > 1) {
			ENT_TRY(and2(x, &acc, &ne, err));
		} else {
			acc = ne;
			ne = (struct ent_val){ 0 };
		}
	}
	return eval_not(x, &acc, ret, err);
}

static int eval_is_null(struct ent_sx *x, const struct ent_joint_plan *p, const struct ent_frame *f, const struct ent_expr *e, struct ent_val *ret,
			struct ent_err *err)
{
	ENT_VAL_AUTO a = { 0 };
	ENT_TRY(ent_joint_eval(x, p, f, e->args[0], compare_want(e), &a, err));
	ret->enc = (struct ent_enc){ .kind = ENT_ENC_INT, .bits = 1 };
	return a.null.planes ? ent_sx_dup(x, &a.null, &ret->v, err) : ent_sx_const(x, f->rows, 1, 0, &ret->v, err);
}

/* ---- choice ---- */

static int null_plane(struct ent_sx *x, size_t rows, struct ent_val *v, struct ent_err *err)
{
	return v->null.planes ? 0 : ent_sx_const(x, rows, 1, 0, &v->null, err);
}

/* acc := cond ? then : acc */
static int choose(struct ent_sx *x, const struct ent_bits *cond, struct ent_val *then, struct ent_val *acc, struct ent_err *err)
{
	struct ent_enc enc = ent_joint_enc_common(acc->enc, then->enc);
	if (acc->enc.kind != then->enc.kind) /* a NULL constant takes the other's encoding */
		enc = acc->enc.bits > then->enc.bits ? acc->enc : then->enc;
	ENT_TRY(ent_joint_val_widen(x, then, enc.bits, err));
	ENT_TRY(ent_joint_val_widen(x, acc, enc.bits, err));
	struct ent_bits t = { 0 };
	ENT_TRY(ent_sx_mux(x, cond, &then->v, &acc->v, &t, err));
	put(&acc->v, &t);
	acc->enc = enc;
	if (!then->null.planes && !acc->null.planes)
		return 0;
	ENT_TRY(null_plane(x, acc->v.rows, then, err));
	ENT_TRY(null_plane(x, acc->v.rows, acc, err));
	t = (struct ent_bits){ 0 };
	ENT_TRY(ent_sx_mux(x, cond, &then->null, &acc->null, &t, err));
	put(&acc->null, &t);
	return 0;
}

static int eval_case(struct ent_sx *x, const struct ent_joint_plan *p, const struct ent_frame *f, const struct ent_expr *e, struct ent_want want,
		     struct ent_val *ret, struct ent_err *err)
{
	ENT_VAL_AUTO acc = { 0 };
	ENT_TRY(ent_joint_eval(x, p, f, e->args[e->n_args - 1], want, &acc, err));
	for (size_t i = e->n_args - 1; i >= 2; i -= 2) {
		ENT_VAL_AUTO cond = { 0 };
		ENT_VAL_AUTO then = { 0 };
		ENT_TRY(ent_joint_eval(x, p, f, e->args[i - 2], VALUE, &cond, err));
		ENT_TRY(ent_joint_eval(x, p, f, e->args[i - 1], want, &then, err));
		ENT_TRY(choose(x, &cond.v, &then, &acc, err));
	}
	*ret = acc;
	acc = (struct ent_val){ 0 };
	return 0;
}

static int eval_coalesce(struct ent_sx *x, const struct ent_joint_plan *p, const struct ent_frame *f, const struct ent_expr *e, struct ent_want want,
			 struct ent_val *ret, struct ent_err *err)
{
	ENT_VAL_AUTO acc = { 0 };
	ENT_TRY(ent_joint_eval(x, p, f, e->args[e->n_args - 1], want, &acc, err));
	for (size_t i = e->n_args - 1; i-- > 0;) {
		ENT_VAL_AUTO v = { 0 };
		ENT_BITS_AUTO known = { 0 };
		ENT_TRY(ent_joint_eval(x, p, f, e->args[i], want, &v, err));
		ENT_TRY(v.null.planes ? ent_sx_not(x, &v.null, &known, err) : ent_sx_const(x, f->rows, 1, 1, &known, err));
		ENT_TRY(choose(x, &known, &v, &acc, err));
	}
	*ret = acc;
	acc = (struct ent_val){ 0 };
	return 0;
}

static int eval_nullif(struct ent_sx *x, const struct ent_joint_plan *p, const struct ent_frame *f, const struct ent_expr *e, struct ent_want want,
		       struct ent_val *ret, struct ent_err *err)
{
	ENT_VAL_AUTO a = { 0 };
	ENT_VAL_AUTO b = { 0 };
	ENT_VAL_AUTO eq = { 0 };
	ENT_VAL_AUTO c = { 0 };
	ENT_BITS_AUTO ne = { 0 };
	ENT_TRY(ent_joint_eval(x, p, f, e->args[0], want, &a, err));
	ENT_TRY(ent_joint_eval(x, p, f, e->args[1], want, &b, err));
	ENT_TRY(ent_joint_eval(x, p, f, e->args[0], want, &c, err));
	ENT_TRY(compare(x, ENT_OP_EQ, &c, &b, e->args[1], &eq, err));
	ENT_TRY(ent_sx_not(x, &eq.v, &ne, err));
	ret->enc = a.enc;
	ENT_TRY(ent_sx_and(x, &a.v, &ne, &ret->v, err));
	return a.null.planes ? ent_sx_xor(x, &a.null, &eq.v, &ret->null, err) : ent_sx_dup(x, &eq.v, &ret->null, err);
}

/* ---- arithmetic: through the ring and back ---- */

static unsigned arithmetic_bits(enum ent_op op, const struct ent_enc *a, const struct ent_enc *b)
{
	unsigned ab = a->bits + !a->sign, bb = b ? b->bits + !b->sign : 0;
	if (op == ENT_OP_MUL)
		return ab + bb;
	return (ab > bb ? ab : bb) + 1;
}

static int ring_op(struct ent_sx *x, enum ent_op op, struct ent_ring *a, struct ent_ring *b, struct ent_err *err)
{
	if (op == ENT_OP_MUL) {
		struct ent_ring t = { 0 };
		ENT_TRY(ent_sx_mul(x, a, b, &t, err));
		ent_ring_deinit(a);
		*a = ent_ring_take(&t);
	} else if (op == ENT_OP_ADD) {
		ent_sx_ring_add_in(x, a, b);
	} else if (op == ENT_OP_SUB) {
		ent_sx_ring_sub_in(x, a, b);
	} else {
		ent_sx_ring_scale(x, a, UINT64_MAX); /* negation */
	}
	return 0;
}

static int eval_arithmetic(struct ent_sx *x, const struct ent_joint_plan *p, const struct ent_frame *f, const struct ent_expr *e,
			   struct ent_want want, struct ent_val *ret, struct ent_err *err)
{
	ENT_VAL_AUTO a = { 0 };
	ENT_VAL_AUTO b = { 0 };
	ENT_RING_AUTO ra = { 0 };
	ENT_RING_AUTO rb = { 0 };
	ENT_TRY(ent_joint_eval(x, p, f, e->args[0], want, &a, err));
	ENT_TRY(ent_sx_b2a(x, &a.v, a.enc.sign, &ra, err));
	if (e->n_args > 1) {
		ENT_TRY(ent_joint_eval(x, p, f, e->args[1], want, &b, err));
		ENT_TRY(ent_sx_b2a(x, &b.v, b.enc.sign, &rb, err));
	}
	ENT_TRY(ring_op(x, e->op, &ra, &rb, err));
	ret->enc = a.enc;
	ret->enc.sign = true;
	ret->enc.bits = arithmetic_bits(e->op, &a.enc, e->n_args > 1 ? &b.enc : NULL);
	ret->enc.bits = ret->enc.bits > 64 ? 64 : ret->enc.bits;
	ENT_TRY(ent_sx_a2b(x, &ra, ret->enc.bits, &ret->v, err));
	ENT_TRY(either_null(x, &a, &b, &ret->null, err));
	return clear_nulls(x, ret, err);
}

static int eval_cast(struct ent_sx *x, const struct ent_joint_plan *p, const struct ent_frame *f, const struct ent_expr *e, struct ent_want want,
		     struct ent_val *ret, struct ent_err *err)
{
	ENT_TRY(ent_joint_eval(x, p, f, e->args[0], want, ret, err));
	struct ent_type from = e->args[0]->type, to = e->type;
	unsigned have = from.id == ENT_T_DECIMAL ? from.scale : 0, wanted = to.id == ENT_T_DECIMAL ? to.scale : 0;
	if (wanted <= have)
		return 0;
	uint64_t factor = 1;
	for (unsigned i = have; i < wanted; i++)
		factor *= 10;
	ENT_RING_AUTO r = { 0 };
	struct ent_bits t = { 0 };
	ENT_TRY(ent_sx_b2a(x, &ret->v, ret->enc.sign, &r, err));
	ent_sx_ring_scale(x, &r, factor);
	ret->enc.bits += ((wanted - have) * 10 + 2) / 3 + 1 + !ret->enc.sign;
	ret->enc.bits = ret->enc.bits > 64 ? 64 : ret->enc.bits;
	ret->enc.sign = true;
	ENT_TRY(ent_sx_a2b(x, &r, ret->enc.bits, &t, err));
	put(&ret->v, &t);
	return clear_nulls(x, ret, err);
}

static int eval_call(struct ent_sx *x, const struct ent_joint_plan *p, const struct ent_frame *f, const struct ent_expr *e, struct ent_want want,
		     struct ent_val *ret, struct ent_err *err)
{
	switch (e->op) {
	case ENT_OP_AND:
	case ENT_OP_OR:
		return eval_and_or(x, p, f, e, ret, err);
	case ENT_OP_NOT: {
		ENT_VAL_AUTO a = { 0 };
		ENT_TRY(ent_joint_eval(x, p, f, e->args[0], VALUE, &a, err));
		return eval_not(x, &a, ret, err);
	}
	case ENT_OP_IN:
		return eval_in(x, p, f, e, ret, err);
	case ENT_OP_IS_NULL:
		return eval_is_null(x, p, f, e, ret, err);
	case ENT_OP_COALESCE:
		return eval_coalesce(x, p, f, e, want, ret, err);
	case ENT_OP_NULLIF:
		return eval_nullif(x, p, f, e, want, ret, err);
	case ENT_OP_CAST:
		return eval_cast(x, p, f, e, want, ret, err);
	case ENT_OP_ADD:
	case ENT_OP_SUB:
	case ENT_OP_MUL:
	case ENT_OP_NEG:
		return eval_arithmetic(x, p, f, e, want, ret, err);
	default:
		return eval_compare(x, p, f, e, ret, err);
	}
}

int ent_joint_eval(struct ent_sx *x, const struct ent_joint_plan *p, const struct ent_frame *f, const struct ent_expr *e, struct ent_want want,
		   struct ent_val *ret, struct ent_err *err)
{
	uint16_t rel;
	ENT_VAL_AUTO v = { 0 };
	struct ent_want inner = want.mode == ENT_MODE_LABEL ? VALUE : want;
	if (e->kind == ENT_X_CONST)
		ENT_TRY(eval_const(x, f->rows, e, want, &v, err));
	else if (ent_joint_pushable(p, e, &rel))
		ENT_TRY(eval_leaf(p, f, rel, e, want, &v, err));
	else if (e->kind == ENT_X_CASE)
		ENT_TRY(eval_case(x, p, f, e, inner, &v, err));
	else
		ENT_TRY(eval_call(x, p, f, e, inner, &v, err));
	*ret = v;
	v = (struct ent_val){ 0 };
	return 0;
}

static int and_in(struct ent_sx *x, struct ent_bits *acc, const struct ent_bits *b, bool negate, struct ent_err *err)
{
	ENT_BITS_AUTO n = { 0 };
	struct ent_bits t = { 0 };
	if (negate)
		ENT_TRY(ent_sx_not(x, b, &n, err));
	ENT_TRY(ent_sx_and(x, acc, negate ? &n : b, &t, err));
	put(acc, &t);
	return 0;
}

int ent_joint_eval_cond(struct ent_sx *x, const struct ent_joint_plan *p, const struct ent_frame *f, const struct ent_jcond *c, struct ent_bits *ret,
			struct ent_err *err)
{
	ENT_BITS_AUTO acc = { 0 };
	ENT_TRY(ent_sx_dup(x, &f->part[ENT_PART_VALID], &acc, err));
	if (c->filter) {
		ENT_VAL_AUTO v = { 0 };
		ENT_TRY(ent_joint_eval(x, p, f, c->filter, VALUE, &v, err));
		ENT_TRY(and_in(x, &acc, &v.v, false, err));
	}
	if (c->nonnull) {
		ENT_VAL_AUTO v = { 0 };
		ENT_TRY(ent_joint_eval(x, p, f, c->nonnull, ent_joint_null_want(p, c->nonnull), &v, err));
		if (v.null.planes)
			ENT_TRY(and_in(x, &acc, &v.null, true, err));
	}
	if (c->matched >= 0)
		ENT_TRY(and_in(x, &acc, &f->part[ENT_PART_MATCHED(c->matched)], false, err));
	*ret = ent_bits_take(&acc);
	return 0;
}

static int code_leaf(const struct ent_joint_plan *p, const struct ent_expr *e)
{
	uint16_t rel;
	return ent_joint_expr_rel(e, &rel) ? ent_joint_leaf_find(p, rel, &e, 1, ENT_ENC_CODE, 0) : -1;
}

/* How to look at a value when only its NULLs matter: texts by whatever leaf there is. */
struct ent_want ent_joint_null_want(const struct ent_joint_plan *p, const struct ent_expr *e)
{
	bool hash = e->type.id == ENT_T_TEXT && code_leaf(p, e) < 0;
	return (struct ent_want){ hash ? ENT_MODE_HASH : ENT_MODE_VALUE, 0 };
}
