/* Which columns owners must ship for an expression, and in which encoding. What one owner can compute alone becomes one leaf; the operators
 * above leaves run in MPC, and what has no operator there is refused here by name, at plan time. */
#include <math.h>

#include "joint/plan.h"

unsigned ent_joint_log2(size_t n)
{
	unsigned b = 1;
	while (b < 63 && ((size_t)1 << b) < n)
		b++;
	return b;
}

uint64_t ent_joint_real_image(double v)
{
	uint64_t u;
	if (isnan(v))
		return UINT64_MAX; /* equal to itself and above everything, as PostgreSQL orders it */
	if (v == 0)
		v = 0; /* -0 = 0 */
	v += 0.0;
	memcpy(&u, &v, sizeof u);
	return u >> 63 ? ~u : u | (uint64_t)1 << 63;
}

double ent_joint_image_real(uint64_t image)
{
	double v;
	if (image == UINT64_MAX)
		return (double)NAN;
	uint64_t u = image >> 63 ? image & ~((uint64_t)1 << 63) : ~image;
	memcpy(&v, &u, sizeof v);
	return v;
}

struct ent_enc ent_joint_enc_common(struct ent_enc a, struct ent_enc b)
{
	if (a.kind != ENT_ENC_INT && a.kind != ENT_ENC_FIXED)
		return a;
	if (a.sign != b.sign) { /* the unsigned one needs room for a sign */
		if (!a.sign)
			a.bits++;
		if (!b.sign)
			b.bits++;
		a.sign = true;
	}
	a.bits = a.bits > b.bits ? a.bits : b.bits;
	a.bits = a.bits > 64 ? 64 : a.bits;
	return a;
}

static struct ent_enc enc_int(unsigned magnitude, bool is_bool)
{
	if (is_bool)
		return (struct ent_enc){ .kind = ENT_ENC_INT, .bits = 1 };
	return (struct ent_enc){ .kind = ENT_ENC_INT, .bits = magnitude >= 63 ? 64 : magnitude + 1, .sign = true };
}

static unsigned word_bits(int64_t v)
{
	unsigned b = 1;
	for (uint64_t u = v < 0 ? ~(uint64_t)v : (uint64_t)v; u; u >>= 1)
		b++;
	return b;
}

uint64_t ent_joint_const_word(const struct ent_expr *e, struct ent_enc enc)
{
	if (e->is_null)
		return 0;
	double v = ent_type_is_float(e->type) ? e->real : (double)e->value;
	switch (enc.kind) {
	case ENT_ENC_REAL:
		return ent_joint_real_image(v);
	case ENT_ENC_FIXED:
		return (uint64_t)(int64_t)llround(ldexp(v, (int)enc.fraction));
	case ENT_ENC_INT:
	case ENT_ENC_HASH:
	case ENT_ENC_CODE:
		break;
	}
	return (uint64_t)e->value;
}

struct ent_enc ent_joint_enc_const(const struct ent_expr *e, struct ent_want want)
{
	if (ent_type_is_float(e->type) && want.mode != ENT_MODE_FIXED)
		return (struct ent_enc){ .kind = ENT_ENC_REAL, .bits = 64 };
	struct ent_enc enc = { .kind = ENT_ENC_FIXED, .sign = true, .fraction = want.fraction };
	if (!ent_type_is_float(e->type))
		enc = (struct ent_enc){ .kind = ENT_ENC_INT, .sign = e->type.id != ENT_T_BOOL };
	enc.bits = e->type.id == ENT_T_BOOL ? 1 : word_bits((int64_t)ent_joint_const_word(e, enc));
	return enc;
}

static bool same_exprs(const struct ent_expr *const *a, const struct ent_expr *const *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!ent_expr_eq(a[i], b[i]))
			return false;
	return true;
}

int ent_joint_leaf_find(const struct ent_joint_plan *p, uint16_t rel, const struct ent_expr *const *exprs, size_t n, enum ent_enc_kind kind,
			unsigned fraction)
{
	for (size_t i = 0; i < p->n_leaves; i++) {
		const struct ent_leaf *l = &p->leaves[i];
		if (l->rel == rel && l->n_exprs == n && l->enc.kind == kind && l->enc.fraction == fraction && same_exprs(l->exprs, exprs, n))
			return (int)i;
	}
	return -1;
}

struct one_column {
	const struct ent_jsource *s;
	int column;
	bool several;
};

static void note_base(void *arg, const struct ent_expr *e)
{
	struct one_column *c = arg;
	if (e->kind != ENT_X_COLUMN)
		return;
	c->several = c->several || (c->column >= 0 && c->column != e->column);
	c->column = e->column;
}

static void note_column(void *arg, const struct ent_expr *e)
{
	const struct one_column *c = arg;
	if (e->kind == ENT_X_COLUMN && c->s->columns)
		ent_expr_walk(c->s->columns[e->column], note_base, arg);
	else
		note_base(arg, e);
}

/* Asked during runs, too, when the plan belongs to nobody: it must not allocate. */
size_t ent_joint_source_distinct(const struct ent_jsource *s, const struct ent_expr *e)
{
	struct one_column c = { .s = s, .column = -1 };
	ent_expr_walk(e, note_column, &c);
	uint64_t d = c.column >= 0 && !c.several ? s->table->columns[c.column].distinct_padded : 0;
	return d && d < s->rows ? (size_t)d : s->rows;
}

static struct ent_enc enc_text(struct ent_joint_plan *p, struct ent_leaf *l)
{
	const struct ent_jrel *r = &p->rels[l->rel];
	for (size_t i = 0; i < r->n_sources; i++)
		l->label_rows += ent_joint_source_distinct(&p->sources[r->first_source + i], l->exprs[0]);
	unsigned bits = r->n_sources > 1 ? 64 : ent_joint_log2(l->label_rows + 1);
	return (struct ent_enc){ .kind = ENT_ENC_CODE, .bits = bits };
}

static int enc_fixed(const struct ent_joint_plan *p, const struct ent_expr *e, unsigned fraction, struct ent_enc *ret, struct ent_err *err)
{
	unsigned m = ent_joint_expr_bits(p, e);
	if (!m || m + fraction > 62) {
		ent_fail(err, ENT_EUNSUPPORTED, "sum of a floating-point expression without a usable bound");
		ent_why(err, "sums of doubles run in fixed point, which needs |value| < 2^b with b up to 47 or so");
		return ent_next(err, "ask its owner to register the column with --bound COLUMN=B, or cast it to decimal");
	}
	*ret = (struct ent_enc){ .kind = ENT_ENC_FIXED, .bits = m + fraction + 1, .sign = true, .fraction = fraction };
	return 0;
}

/* A double that is always a whole number (or NaN, infinite). */
static bool whole_number(const struct ent_expr *e)
{
	if (!ent_type_is_float(e->type))
		return ent_type_is_int(e->type);
	if (e->kind == ENT_X_CONST)
		return !e->is_null && floor(e->real) == e->real;
	if (e->kind != ENT_X_CALL)
		return false;
	switch (e->op) {
	case ENT_OP_FLOOR:
	case ENT_OP_CEIL:
		return true;
	case ENT_OP_CAST:
		return whole_number(e->args[0]);
	case ENT_OP_ADD:
	case ENT_OP_SUB:
	case ENT_OP_MUL:
		return whole_number(e->args[0]) && whole_number(e->args[1]);
	case ENT_OP_NEG:
	case ENT_OP_ABS:
		return whole_number(e->args[0]);
	default:
		return false;
	}
}

enum ent_enc_kind ent_joint_leaf_kind(const struct ent_joint_plan *p, const struct ent_expr *e, struct ent_want want)
{
	if (want.mode == ENT_MODE_HASH)
		return ENT_ENC_HASH;
	if (e->type.id == ENT_T_TEXT)
		return ENT_ENC_CODE;
	if (!ent_type_is_float(e->type))
		return ENT_ENC_INT;
	if (want.mode == ENT_MODE_FIXED)
		return ENT_ENC_FIXED;
	unsigned bits = ent_joint_expr_bits(p, e);
	return want.mode == ENT_MODE_LABEL && e->type.id == ENT_T_DOUBLE && bits && bits < 50 && whole_number(e) ? ENT_ENC_INT : ENT_ENC_REAL;
}

int ent_joint_leaf_add(struct ent_joint_plan *p, uint16_t rel, const struct ent_expr **exprs, size_t n, struct ent_want want, size_t *ret,
		       struct ent_err *err)
{
	struct ent_leaf l = { .rel = rel, .exprs = exprs, .n_exprs = n };
	switch (ent_joint_leaf_kind(p, exprs[0], want)) {
	case ENT_ENC_HASH:
		l.enc = (struct ent_enc){ .kind = ENT_ENC_HASH, .bits = 64 };
		break;
	case ENT_ENC_CODE:
		l.enc = enc_text(p, &l);
		break;
	case ENT_ENC_FIXED:
		ENT_TRY(enc_fixed(p, exprs[0], want.fraction, &l.enc, err));
		break;
	case ENT_ENC_REAL:
		l.enc = (struct ent_enc){ .kind = ENT_ENC_REAL, .bits = 64 };
		break;
	case ENT_ENC_INT:
		l.enc = enc_int(ent_joint_expr_bits(p, exprs[0]), exprs[0]->type.id == ENT_T_BOOL);
		break;
	}
	for (size_t i = 0; i < n; i++)
		l.nullable = l.nullable || ent_joint_expr_nullable(p, exprs[i]);
	int at = ent_joint_leaf_find(p, rel, exprs, n, l.enc.kind, l.enc.fraction);
	if (at < 0 && p->n_leaves == ENT_LEAVES_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "more than %d columns enter the joint computation", ENT_LEAVES_MAX);
	if (at < 0) {
		at = (int)p->n_leaves++;
		p->leaves[at] = l;
	}
	if (p->leaves[at].until < p->stage)
		p->leaves[at].until = p->stage;
	*ret = (size_t)at;
	return 0;
}

static int refuse_op(const struct ent_expr *e, struct ent_err *err)
{
	ent_fail(err, ENT_EUNSUPPORTED, "%s over columns of several owners", e->kind == ENT_X_CALL ? ent_op_text(e->op) : "an expression");
	ent_why(err,
		"across owners there are =, <>, <, <=, >, >=, AND, OR, NOT, IN, IS NULL, CASE, COALESCE, NULLIF, and + - * on integers and decimals");
	return ent_next(err, "apply it to one owner's columns at a time, or to the aggregated result");
}

static int need_all(struct ent_joint_plan *p, const struct ent_expr *e, struct ent_want want, struct ent_enc *ret, struct ent_err *err)
{
	for (size_t i = 0; i < e->n_args; i++) {
		struct ent_enc enc;
		ENT_TRY(ent_joint_need(p, e->args[i], want, &enc, err));
		bool null = e->args[i]->kind == ENT_X_CONST && e->args[i]->is_null;
		*ret = !i ? enc : null ? *ret : ent_joint_enc_common(*ret, enc);
	}
	return 0;
}

static int need_case(struct ent_joint_plan *p, const struct ent_expr *e, struct ent_want want, struct ent_enc *ret, struct ent_err *err)
{
	if (e->type.id == ENT_T_TEXT && want.mode != ENT_MODE_HASH)
		return refuse_op(e, err);
	struct ent_enc enc;
	bool first = true;
	for (size_t i = 0; i < e->n_args; i++) {
		bool cond = i % 2 == 0 && i + 1 < e->n_args;
		ENT_TRY(ent_joint_need(p, e->args[i], cond ? (struct ent_want){ ENT_MODE_VALUE, 0 } : want, &enc, err));
		if (cond || (e->args[i]->kind == ENT_X_CONST && e->args[i]->is_null))
			continue;
		*ret = first ? enc : ent_joint_enc_common(*ret, enc);
		first = false;
	}
	if (first)
		*ret = (struct ent_enc){ .kind = ENT_ENC_INT, .bits = 1 };
	return 0;
}

static int need_arithmetic(struct ent_joint_plan *p, const struct ent_expr *e, struct ent_want want, struct ent_enc *ret, struct ent_err *err)
{
	unsigned bits = 0;
	bool real = ent_type_is_float(e->type);
	if (real && (want.mode != ENT_MODE_FIXED || e->op == ENT_OP_MUL))
		return refuse_op(e, err);
	for (size_t i = 0; i < e->n_args; i++) {
		struct ent_enc enc;
		ENT_TRY(ent_joint_need(p, e->args[i], want, &enc, err));
		unsigned b = enc.bits + !enc.sign;
		bits = e->op == ENT_OP_MUL ? bits + b : bits > b ? bits : b;
	}
	bits += e->op == ENT_OP_ADD || e->op == ENT_OP_SUB || e->op == ENT_OP_NEG;
	if (bits > 63) {
		ent_fail(err, ENT_EUNSUPPORTED, "%s over columns of several owners could overflow", ent_op_text(e->op));
		ent_why(err, "its result may need %u bits by the published bounds", bits);
		return ent_next(err, "ask the owners to register smaller bounds (--bound COLUMN=B)");
	}
	*ret = (struct ent_enc){ .kind = real ? ENT_ENC_FIXED : ENT_ENC_INT, .bits = bits, .sign = true, .fraction = real ? want.fraction : 0 };
	return 0;
}

static int need_compare(struct ent_joint_plan *p, const struct ent_expr *e, struct ent_enc *ret, struct ent_err *err)
{
	bool text = e->args[0]->type.id == ENT_T_TEXT;
	if (text && e->op != ENT_OP_EQ && e->op != ENT_OP_NE && e->op != ENT_OP_IN)
		return refuse_op(e, err);
	struct ent_enc enc;
	ENT_TRY(need_all(p, e, (struct ent_want){ text ? ENT_MODE_HASH : ENT_MODE_VALUE, 0 }, &enc, err));
	*ret = (struct ent_enc){ .kind = ENT_ENC_INT, .bits = 1 };
	return 0;
}

static int need_cast(struct ent_joint_plan *p, const struct ent_expr *e, struct ent_want want, struct ent_enc *ret, struct ent_err *err)
{
	struct ent_type from = e->args[0]->type, to = e->type;
	unsigned have = from.id == ENT_T_DECIMAL ? from.scale : 0, wanted = to.id == ENT_T_DECIMAL ? to.scale : 0;
	bool whole = (ent_type_is_int(from) || from.id == ENT_T_DECIMAL) && (ent_type_is_int(to) || to.id == ENT_T_DECIMAL);
	if (!whole || wanted < have)
		return refuse_op(e, err);
	ENT_TRY(ent_joint_need(p, e->args[0], want, ret, err));
	ret->bits += wanted > have ? ((wanted - have) * 10 + 2) / 3 + 1 : 0;
	if (ret->bits > 63 && wanted > have)
		return refuse_op(e, err);
	return 0;
}

static int need_call(struct ent_joint_plan *p, const struct ent_expr *e, struct ent_want want, struct ent_enc *ret, struct ent_err *err)
{
	struct ent_want value = { ENT_MODE_VALUE, 0 };
	switch (e->op) {
	case ENT_OP_AND:
	case ENT_OP_OR:
	case ENT_OP_NOT:
		return need_all(p, e, value, ret, err);
	case ENT_OP_EQ:
	case ENT_OP_NE:
	case ENT_OP_LT:
	case ENT_OP_LE:
	case ENT_OP_GT:
	case ENT_OP_GE:
	case ENT_OP_IN:
		return need_compare(p, e, ret, err);
	case ENT_OP_IS_NULL:
		ENT_TRY(need_all(p, e, (struct ent_want){ e->args[0]->type.id == ENT_T_TEXT ? ENT_MODE_HASH : ENT_MODE_VALUE, 0 }, ret, err));
		*ret = (struct ent_enc){ .kind = ENT_ENC_INT, .bits = 1 };
		return 0;
	case ENT_OP_COALESCE:
	case ENT_OP_NULLIF:
		if (e->type.id == ENT_T_TEXT && want.mode != ENT_MODE_HASH)
			return refuse_op(e, err);
		return need_all(p, e, want, ret, err);
	case ENT_OP_ADD:
	case ENT_OP_SUB:
	case ENT_OP_MUL:
	case ENT_OP_NEG:
		return need_arithmetic(p, e, want, ret, err);
	case ENT_OP_CAST:
		return need_cast(p, e, want, ret, err);
	default:
		return refuse_op(e, err);
	}
}

int ent_joint_need(struct ent_joint_plan *p, const struct ent_expr *e, struct ent_want want, struct ent_enc *ret_enc, struct ent_err *err)
{
	uint16_t rel;
	if (e->kind == ENT_X_CONST) {
		if (e->type.id == ENT_T_TEXT && !e->is_null)
			return refuse_op(e, err);
		*ret_enc = ent_joint_enc_const(e, want);
		return 0;
	}
	if (ent_joint_pushable(p, e, &rel)) {
		const struct ent_expr **one = ENT_NEW(p->arena, const struct ent_expr *);
		if (!one)
			return ent_nomem(err);
		*one = e;
		size_t at;
		ENT_TRY(ent_joint_leaf_add(p, rel, one, 1, want, &at, err));
		*ret_enc = p->leaves[at].enc;
		return 0;
	}
	if (want.mode == ENT_MODE_LABEL)
		want.mode = ENT_MODE_VALUE;
	if (e->kind == ENT_X_CASE)
		return need_case(p, e, want, ret_enc, err);
	if (e->kind == ENT_X_CALL)
		return need_call(p, e, want, ret_enc, err);
	return refuse_op(e, err);
}
